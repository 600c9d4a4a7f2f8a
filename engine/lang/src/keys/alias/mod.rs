//! Other tools' words, with the word that is meant here and, where it helps, the line as it is written here.

mod module;
mod places;
mod playbook;
mod step;
mod test;
mod triage;

pub use module::{argument_aliases, find_argument};

/// Where a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// In a step.
    Step,
    /// At the top of a playbook.
    Playbook,
    /// Under `retry`.
    Retry,
    /// In a parameter.
    Param,
    /// Under `ask`.
    Ask,
    /// Under `grade`.
    Grade,
    /// Under `schedule`.
    Schedule,
    /// At the top of a system file.
    System,
    /// In a service's entry.
    Service,
    /// In a threshold.
    Threshold,
    /// In a node of a triage tree.
    Node,
    /// In a test.
    Test,
    /// In a rule of a test's world.
    Rule,
    /// Under `expect` of a test.
    Expect,
}

impl Where {
    /// The place that a table of keys describes.
    pub fn of(table: &super::Table) -> Option<Where> {
        use super::{ASK, GRADE, PARAM, PLAYBOOK, RETRY, SCHEDULE, SERVICE, SYSTEM, THRESHOLD};
        let places: [(&super::Table, Where); 9] = [
            (&PLAYBOOK, Where::Playbook),
            (&RETRY, Where::Retry),
            (&PARAM, Where::Param),
            (&ASK, Where::Ask),
            (&GRADE, Where::Grade),
            (&SCHEDULE, Where::Schedule),
            (&SYSTEM, Where::System),
            (&SERVICE, Where::Service),
            (&THRESHOLD, Where::Threshold),
        ];
        places.into_iter().find(|(t, _)| std::ptr::eq(*t, table)).map(|(_, at)| at)
    }
}

/// Words of other tools that stand for one thing.
#[derive(Debug)]
pub struct Alias {
    /// Where they are written.
    pub at: Where,
    /// The words.
    pub words: &'static [&'static str],
    /// The key that says the same in the same form, so that the value can be read as that key's.
    pub key: Option<&'static str>,
    /// The module that has this name here. The word is the other tool's only beside another body, and with a value that the module does not take.
    pub module: Option<&'static str>,
    /// What to write here, in words.
    pub help: &'static str,
    /// The line as it is written here: `{}` stands for the value, `{bare}` for it without the braces of a template.
    pub write: Option<&'static str>,
}

/// The longest value that is repeated in a help line.
const SHORT: usize = 60;

impl Alias {
    /// The help line for the word with this value.
    pub fn say(&self, value: Option<&str>) -> String {
        let short = value.filter(|v| !v.is_empty() && v.chars().count() <= SHORT && !v.contains('\n'));
        match (self.write, short) {
            (Some(write), Some(value)) => {
                format!("{}: `{}`", self.help, write.replace("{bare}", bare(value)).replace("{}", value))
            }
            _ => self.help.to_owned(),
        }
    }
}

/// An expression without the braces that a template has around it.
fn bare(value: &str) -> &str {
    let inner = value.trim().trim_start_matches('$');
    inner.strip_prefix("{{").and_then(|v| v.strip_suffix("}}")).map_or(value, str::trim)
}

/// What is meant by another tool's word. Case, `-` and `_` do not matter: `timeout-minutes` is `timeoutMinutes`.
pub fn find(at: Where, word: &str) -> Option<&'static Alias> {
    let word = word.rsplit('.').next().unwrap_or(word);
    all().find(|a| a.at == at && a.words.iter().any(|w| same(w, word)))
}

/// Whether two words differ in nothing but case, `-` and `_`.
fn same(a: &str, b: &str) -> bool {
    let letter = |b: &u8| !matches!(b, b'-' | b'_');
    let (a, b) = (a.bytes().filter(letter), b.bytes().filter(letter));
    a.map(|b| b.to_ascii_lowercase()).eq(b.map(|b| b.to_ascii_lowercase()))
}

/// Every alias.
pub fn all() -> impl Iterator<Item = &'static Alias> {
    [step::ALIASES, playbook::ALIASES, places::ALIASES, triage::ALIASES, test::ALIASES].into_iter().flatten()
}

macro_rules! aliases {
    ($( $at:ident { $( $( $word:literal )|+ => $(as $key:literal,)? $(beside $module:literal,)? $help:literal $(, $write:literal)?; )* } )*) => {
        pub(super) const ALIASES: &[$crate::keys::alias::Alias] = &[ $( $( $crate::keys::alias::Alias {
            at: $crate::keys::alias::Where::$at,
            words: &[ $( $word, )+ ],
            key: aliases!(@option $($key)?),
            module: aliases!(@option $($module)?),
            help: $help,
            write: aliases!(@option $($write)?),
        }, )* )* ];
    };
    (@option) => { None };
    (@option $text:literal) => { Some($text) };
}
use aliases;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter() {
        let words = |w| find(Where::Step, w).map(|a| a.words);
        assert_eq!(words("timeoutMinutes"), Some(["timeout-minutes"].as_slice()));
        assert!(words("ansible.builtin.debug").is_some_and(|w| w.contains(&"debug")));
        assert_eq!(words("timeout"), None);
    }

    #[test]
    fn the_line_is_rewritten_where_the_value_is_short() {
        let alias = find(Where::Step, "if").expect("an alias");
        assert_eq!(alias.say(Some("${{ success() }}")), "here it is `when:`, with a bare expression: `when: success()`");
        assert_eq!(alias.say(None), "here it is `when:`, with a bare expression");
        assert_eq!(alias.say(Some(&"x".repeat(61))), alias.say(None));
    }
}
