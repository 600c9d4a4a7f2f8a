//! Shell text taken apart as far as its conversion needs it: which commands stand alone, which belong together, what they use and set.
//!
//! POSIX sh and what is common of bash. It is never run, so what is not understood is kept whole rather than guessed at.

mod parse;
mod simple;
mod word;

use std::ops::Range;

pub(super) use parse::script;

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Characters that stand for themselves, with quotes and backslashes taken away.
    Text { text: String, quoted: bool },
    /// `$NAME`, `${NAME}`, or with an operator `${NAME:-x}`, whose text is in `op`.
    Var { name: String, op: String, quoted: bool },
    /// `$(...)` or backquotes, with the place of what is inside.
    Command { inside: Range<usize>, backquoted: bool },
    /// Anything else that the shell would work out.
    Other,
}

/// A word with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) parts: Vec<Part>,
    pub(super) span: Range<usize>,
}

impl Word {
    /// The text, if the shell would not work anything out. Empty quotes are an empty text.
    pub(super) fn literal(&self) -> Option<String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text { text, quoted } if *quoted || !expands(text, out.is_empty()) => out.push_str(text),
                _ => return None,
            }
        }
        Some(out)
    }

    /// The text with everything that would be worked out left out.
    pub(super) fn rough(&self) -> String {
        self.parts.iter().map(|p| if let Part::Text { text, .. } = p { text.as_str() } else { "" }).collect()
    }
}

/// Whether the shell would expand unquoted text: wildcards, braces, a home folder.
pub(super) fn expands(text: &str, at_start: bool) -> bool {
    // A brace may be one half of `{a,b}`, with quotes between; `{}` is what `find -exec` takes.
    (text.contains('{') && text != "{}")
        || text.contains(['*', '?', '['])
        || (at_start && text.starts_with('~'))
        || text.contains("=~")
        || text.contains(":~")
}

/// `NAME=value`, `NAME+=value` or `NAME=(...)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assign {
    pub(super) name: String,
    pub(super) value: Word,
    /// Whether it is more than a plain `NAME=value`.
    pub(super) special: bool,
}

/// A redirection: its operator and its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) op: String,
    pub(super) target: Word,
}

/// A command with its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Simple {
    pub(super) assigns: Vec<Assign>,
    pub(super) words: Vec<Word>,
    pub(super) redirects: Vec<Redirect>,
}

impl Simple {
    /// The name of the command; empty if it is worked out, or if there is none.
    pub(super) fn name(&self) -> String {
        self.words.first().and_then(Word::literal).unwrap_or_default()
    }

    /// The words after the name, as far as they are written out.
    pub(super) fn rough_words(&self) -> Vec<String> {
        self.words.iter().map(Word::rough).collect()
    }
}

/// What a unit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One command.
    Simple(Simple),
    /// A function of this name.
    Function(String),
    /// A loop.
    Loop,
    /// A pipe, a list with `&&` or `||`, a condition, a group, several commands on a line.
    Joined,
    /// Text that could not be read.
    Unread,
}

/// A variable as a unit uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) name: String,
    /// What follows the name inside of `${ }`.
    pub(super) op: String,
}

/// What belongs together at the top of a script.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    /// Its place, here-documents included.
    pub(super) span: Range<usize>,
    pub(super) shape: Shape,
    /// Whether it is sent to the background.
    pub(super) background: bool,
    /// Every command in it, at any depth, in the order in which they are written.
    pub(super) commands: Vec<Simple>,
    /// Every variable that it uses, positional ones (`1`, `@`, `#`) only outside of functions.
    pub(super) uses: Vec<Use>,
    /// Every variable that it sets.
    pub(super) sets: Vec<String>,
    /// Every variable that it uses before it sets it.
    pub(super) open: Vec<String>,
    /// The variables whose changes are the reason why several units are one.
    pub(super) kept: Vec<String>,
    /// The places of its here-documents' bodies, and whether each is taken as it is.
    pub(super) documents: Vec<(Range<usize>, bool)>,
    /// Whether only bash and its kin can read it.
    pub(super) bash: bool,
    /// The comments above it; a blank line between two is an empty text, and one below them, too.
    pub(super) comments: Vec<String>,
    /// The comment on its last line.
    pub(super) remark: Option<String>,
}
