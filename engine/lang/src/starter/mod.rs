//! The first text of a new playbook. Text in, text out: nothing is read or written here.

mod name;
#[allow(dead_code, reason = "the conversion of scripts, which comes next, writes with it")]
mod yaml;

pub use name::{BadName, NewName, RULE};

/// What a new playbook is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Steps.
    Procedure,
    /// A triage tree.
    Triage,
    /// A list of checks.
    Checklist,
}

/// A commented playbook that checks clean and runs on any machine.
///
/// `schema` is the path of a schema for editors, relative to the playbook's folder.
pub fn starter(kind: Kind, name: &NewName, schema: Option<&str>) -> String {
    let text = match kind {
        Kind::Procedure => include_str!("texts/procedure.yaml"),
        Kind::Triage => include_str!("texts/triage.yaml"),
        Kind::Checklist => include_str!("texts/checklist.yaml"),
    };
    format!("{}{}", modeline(schema), text.replacen("TITLE", &yaml::inline(&name.title()), 1))
}

/// The line by which editors find the schema.
fn modeline(schema: Option<&str>) -> String {
    // A line break or another control character would end the comment.
    match schema.filter(|s| !s.chars().any(char::is_control)) {
        Some(schema) => format!("# yaml-language-server: $schema={schema}\n"),
        None => String::new(),
    }
}
