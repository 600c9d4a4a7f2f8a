//! What a new playbook may be called.

use crate::decode::{LOCAL, ROOTS, WORDS};

/// The rule for every part of a name, as said to people.
pub const RULE: &str = "lowercase letters, digits, `-` and `_`, beginning with a letter";

/// The longest part of a name.
const MAX: usize = 64;

/// Names of the playbooks folder that mean something else.
const TAKEN: &[&str] = &["system", "tests", "modules"];

/// The name of a new playbook, with the folder of its system if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewName {
    system: Option<String>,
    name: String,
}

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl NewName {
    /// Reads `NAME` or `SYSTEM/NAME`; `system` is what a flag says beside it.
    ///
    /// # Errors
    /// A name that breaks the rule, or two systems that differ.
    pub fn parse(text: &str, system: Option<&str>) -> Result<NewName, BadName> {
        let (folder, name) = match text.rsplit_once('/') {
            Some((folder, name)) => (Some(folder), name),
            None => (None, text),
        };
        let wrong = [folder, system, Some(name)].into_iter().flatten().find_map(|part| refusal(part).map(|why| (part, why)));
        if let Some((part, why)) = wrong {
            let shown: String = part.chars().take(40).collect();
            return Err(BadName {
                message: match part {
                    "" => "a playbook's name has no empty part".to_owned(),
                    _ => format!("`{shown}` cannot be {} name: {why}", if part == name { "a playbook's" } else { "a system's" }),
                },
                help: advice(text, system),
            });
        }
        match (folder, system) {
            (Some(folder), Some(system)) if folder != system => Err(BadName {
                message: format!("`{text}` lies in the folder `{folder}`, and --system says `{system}`"),
                help: "give the system once".to_owned(),
            }),
            (folder, system) => Ok(NewName { system: folder.or(system).map(str::to_owned), name: name.to_owned() }),
        }
    }

    /// The name without its system.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name as it is given to commands.
    pub fn full_name(&self) -> String {
        match &self.system {
            Some(system) => format!("{system}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The folder of its system.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// The name as a first title: `restart-web` becomes `Restart web`.
    pub(crate) fn title(&self) -> String {
        let words = self.name.replace(['-', '_'], " ");
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut chars = words.chars();
        chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
    }
}

/// Why a part of a name is refused; `None` if it is not.
fn refusal(part: &str) -> Option<String> {
    let shaped = part.starts_with(|c: char| c.is_ascii_lowercase())
        && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
    if part.len() > MAX {
        Some(format!("it is longer than {MAX} characters"))
    } else if TAKEN.contains(&part) {
        Some("the playbooks folder uses this name itself".to_owned())
    } else {
        (!shaped).then(|| format!("it is made of {RULE}"))
    }
}

/// A name that would be accepted, or the rule.
fn advice(text: &str, system: Option<&str>) -> String {
    let text = text.trim().trim_start_matches("./");
    let text = text.strip_prefix("playbooks/").unwrap_or(text);
    let text = text.strip_suffix(".yaml").or_else(|| text.strip_suffix(".yml")).unwrap_or(text);
    let mut parts: Vec<String> = text.split('/').map(fixed).filter(|p| !p.is_empty()).collect();
    // A system is one folder.
    parts.drain(..parts.len().saturating_sub(2));
    let system = system.map(fixed);
    let good = parts.iter().chain(&system).all(|p| refusal(p).is_none());
    match (parts.as_slice(), good) {
        ([], _) | (_, false) => format!("choose another name: {RULE}"),
        (parts, true) => {
            let flag = match system {
                Some(system) if parts.len() == 1 => format!(" --system {system}"),
                _ => String::new(),
            };
            format!("write `runbook new {}{flag}`", parts.join("/"))
        }
    }
}

/// A name for a parameter that comes from another text: lowercase letters, digits and `_`.
pub(super) fn member(text: &str, otherwise: &str) -> String {
    let name: String = fixed(text).replace('-', "_").chars().take(40).collect();
    let name = name.trim_end_matches('_');
    match name {
        "" => otherwise.to_owned(),
        word if WORDS.contains(&word) => format!("{word}_value"),
        name => name.to_owned(),
    }
}

/// A name for a variable, which stands by itself in expressions: no name that is in scope anyway.
pub(super) fn variable(text: &str) -> String {
    let name = member(text, "value");
    if ROOTS.contains(&name.as_str()) || LOCAL.contains(&name.as_str()) { format!("{name}_value") } else { name }
}

/// A name for a step that comes from another text: lowercase letters, digits and `-`.
pub(super) fn id(text: &str, otherwise: &str) -> String {
    let name: String = fixed(text).chars().take(32).collect();
    let name = name.trim_end_matches(['-', '_']);
    match name {
        "" => otherwise.to_owned(),
        word if WORDS.contains(&word) || matches!(word, "run" | "self") => format!("{word}-step"),
        name => name.to_owned(),
    }
}

/// A part with what it may not hold replaced.
fn fixed(part: &str) -> String {
    let mut out = String::new();
    for c in part.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' => out.push(c),
            '0'..='9' | '_' if !out.is_empty() => out.push(c),
            _ if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            _ => {}
        }
    }
    out.truncate(MAX);
    out.trim_end_matches(['-', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_a_system() {
        let name = |text, system| NewName::parse(text, system).map(|n| (n.full_name(), n.title()));
        assert_eq!(name("restart-web", None), Ok(("restart-web".into(), "Restart web".into())));
        assert_eq!(name("shop/start_all2", None), Ok(("shop/start_all2".into(), "Start all2".into())));
        assert_eq!(name("start", Some("shop")), Ok(("shop/start".into(), "Start".into())));
        assert_eq!(name("shop/start", Some("shop")), Ok(("shop/start".into(), "Start".into())));
    }

    #[test]
    fn bad_names_are_refused_with_a_better_one() {
        for (text, system, help) in [
            ("Restart Web", None, "write `runbook new restart-web`"),
            ("playbooks/restart.yaml", None, "write `runbook new restart`"),
            ("./playbooks/shop/restart.yml", None, "write `runbook new shop/restart`"),
            ("../../etc/passwd", None, "write `runbook new etc/passwd`"),
            ("/etc/passwd", None, "write `runbook new etc/passwd`"),
            ("a/b/c", None, "write `runbook new b/c`"),
            ("9lives", None, "write `runbook new lives`"),
            ("-x", None, "write `runbook new x`"),
            ("x-é-y", None, "write `runbook new x-y`"),
            ("a\u{1b}[31mb", None, "write `runbook new a-31mb`"),
            ("Web", Some("My Shop"), "write `runbook new web --system my-shop`"),
            ("web", Some("Shop"), "write `runbook new web --system shop`"),
            ("shop//web", None, "write `runbook new shop/web`"),
            ("shop/", None, "write `runbook new shop`"),
            ("system", None, "choose another name: lowercase letters, digits, `-` and `_`, beginning with a letter"),
            ("tests/a", None, "choose another name: lowercase letters, digits, `-` and `_`, beginning with a letter"),
            ("", None, "choose another name: lowercase letters, digits, `-` and `_`, beginning with a letter"),
            ("日本", None, "choose another name: lowercase letters, digits, `-` and `_`, beginning with a letter"),
            ("shop/a", Some("bar"), "give the system once"),
        ] {
            let refused = NewName::parse(text, system).expect_err(text);
            assert_eq!(refused.help, help, "{text}: {}", refused.message);
        }
        let long = "a".repeat(65);
        let refused = NewName::parse(&long, None).expect_err("too long");
        assert_eq!(refused.help, format!("write `runbook new {}`", "a".repeat(64)));
    }
}
