//! Names: what ids, variables, parameters and environment variables may be called.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::span::Spanned;

use super::Reader;

/// What a name is for, and hence what it may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Of a step, service, contact: hyphens are allowed.
    Id,
    /// Used bare in expressions: no hyphens, no reserved words.
    Variable,
    /// A key of a map that stays behind a dot, such as a parameter's: no hyphens.
    Member,
    /// An environment variable.
    Env,
    /// Anything: a parameter given to another playbook, checked there.
    Free,
}

/// The longest name.
const MAX: usize = 64;

/// Words that expressions use themselves.
pub(crate) const WORDS: &[&str] = &["true", "false", "null", "none", "not", "and", "or", "in", "is", "if", "else"];

/// Names that are always in scope.
pub(crate) const ROOTS: &[&str] =
    &["params", "steps", "services", "thresholds", "contacts", "escalation", "hosts", "run", "findings", "host", "env"];

/// Names that are in scope at some places.
pub(crate) const LOCAL: &[&str] = &["result", "error", "service", "now", "range"];

impl Reader<'_> {
    /// Whether a name may be used; if not, it is reported.
    pub(crate) fn name(&mut self, name: &Spanned<String>, naming: Naming) -> bool {
        let text = name.value.as_str();
        let hyphen = naming == Naming::Id;
        let first = |c: char| match naming {
            Naming::Env => c.is_ascii_alphabetic() || c == '_',
            Naming::Variable | Naming::Member => c.is_ascii_lowercase() || c == '_',
            _ => c.is_ascii_lowercase(),
        };
        let rest = |c: char| match naming {
            Naming::Env => c.is_ascii_alphanumeric() || c == '_',
            _ => c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || (hyphen && c == '-'),
        };
        if naming == Naming::Free {
            return true;
        }
        let shaped = text.chars().next().is_some_and(first) && text.chars().all(rest) && text.len() <= MAX;
        if !shaped {
            // A name may hold line breaks, and a message is one line.
            let shown: String = text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
            let rule = match naming {
                Naming::Env => "letters, digits and `_`, not beginning with a digit",
                Naming::Id => "lowercase letters, digits, `_` and `-`, beginning with a letter",
                _ => "lowercase letters, digits and `_`, beginning with a letter",
            };
            let mut diagnostic = Diagnostic::error(Code::BadName, name.span, format!("`{shown}` cannot be used as a name"));
            let fixed = fixed(text, hyphen);
            diagnostic = if text.len() > MAX {
                diagnostic.help(format!("{MAX} characters are the most"))
            } else if naming != Naming::Env && !fixed.is_empty() && fixed != text {
                diagnostic.help(format!("write `{fixed}`: {rule}"))
            } else {
                diagnostic.help(format!("a name is made of {rule}"))
            };
            self.out.push(diagnostic);
            self.lost.insert(name.value.clone());
            return false;
        }
        let reserved = match naming {
            Naming::Id => WORDS.contains(&text) || text == "run" || text == "self",
            Naming::Variable => WORDS.contains(&text) || ROOTS.contains(&text) || LOCAL.contains(&text),
            Naming::Member => WORDS.contains(&text),
            Naming::Env | Naming::Free => false,
        };
        if reserved {
            self.out.push(
                Diagnostic::error(Code::BadName, name.span, format!("`{text}` is a word of the language"))
                    .help("choose another name"),
            );
        }
        !reserved
    }
}

/// The name that was probably meant.
fn fixed(text: &str, hyphen: bool) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || (c.is_ascii_digit() && !out.is_empty()) => out.push(c),
            '-' | ' ' | '/' | '.' | '_' if !out.is_empty() => out.push(if hyphen && c != '_' { '-' } else { '_' }),
            _ => {}
        }
    }
    out.trim_end_matches(['-', '_']).to_owned()
}
