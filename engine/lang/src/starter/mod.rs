//! The first text of a new playbook. Text in, text out: nothing is read or written here.

mod console;
mod convert;
mod draft;
mod guess;
mod holes;
mod markdown;
mod name;
mod script;
mod shell;
mod write;
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

/// Tests of a starter, each of which passes.
///
/// `schema` is the path of the schema of test files, relative to the folder of tests.
pub fn starter_tests(kind: Kind, name: &NewName, schema: Option<&str>) -> String {
    let text = match kind {
        Kind::Procedure => include_str!("texts/procedure.test.yaml"),
        Kind::Checklist => include_str!("texts/checklist.test.yaml"),
        Kind::Triage => include_str!("texts/triage.test.yaml"),
    };
    // A name such as `null` is something else to YAML without quotes; in the comment it needs none.
    let text = text.replacen("play: NAME", &format!("play: {}", yaml::inline(name.name())), 1);
    format!("{}{}", modeline(schema), text.replace("NAME", name.name()))
}

/// The line by which editors find the schema.
fn modeline(schema: Option<&str>) -> String {
    // A line break or another control character would end the comment.
    match schema.filter(|s| !s.chars().any(char::is_control)) {
        Some(schema) => format!("# yaml-language-server: $schema={schema}\n"),
        None => String::new(),
    }
}

/// A source that cannot be turned into a playbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoScript {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// The largest source that is turned into a playbook, in bytes.
pub const MAX_SOURCE: usize = 256 * 1024;

/// A playbook of the commands of a shell script, or of the code blocks of a Markdown document.
///
/// `source` is the path of the script, as it is written into the playbook.
///
/// # Errors
/// A source that is too large, is no text, or is written in another language.
pub fn from_shell(bytes: &[u8], name: &NewName, source: &str, schema: Option<&str>) -> Result<String, NoScript> {
    let refuse = |message: String, help: &str| Err(NoScript { message, help: help.to_owned() });
    if bytes.len() > MAX_SOURCE {
        let message = format!("{source} is {} bytes large; {MAX_SOURCE} (256 KiB) is the limit", bytes.len());
        return refuse(message, "take the part that is a procedure");
    }
    let text = match std::str::from_utf8(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)) {
        Ok(text) => text.replace("\r\n", "\n").replace(['\r', '\0'], " "),
        Err(error) => {
            let message = format!("{source} is not UTF-8: the byte at offset {} is none", error.valid_up_to());
            return refuse(message, "save it as UTF-8, and see that it is a script");
        }
    };
    if let Some(program) = script::other_language(&text) {
        return refuse(
            format!("{source} is written for `{program}`, which is no shell"),
            "a step can run it as it is: `command: [./SCRIPT]`",
        );
    }
    let lower = source.to_lowercase();
    let markdown = match lower.rsplit_once('.').map(|(_, ending)| ending) {
        Some("md" | "markdown" | "mdown" | "mkd") => true,
        Some("sh" | "bash" | "ksh" | "zsh") => false,
        _ => markdown::looks_like(&text),
    };
    let convert = if markdown { markdown::playbook } else { script::playbook };
    Ok(convert(&text, name, source, &modeline(schema)))
}
