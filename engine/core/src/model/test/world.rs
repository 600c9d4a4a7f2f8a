//! The rules of a test's world: which calls they answer, and with what.

use std::fmt;

use jiff::SignedDuration;

use super::Matcher;
use crate::span::{Span, Spanned};
use crate::value::Map;

/// A rule: calls of a module, perhaps of one step or with certain arguments only, and what they come to in turn.
#[derive(Clone, Debug)]
pub struct WorldRule {
    /// The place.
    pub span: Span,
    /// The module.
    pub module: String,
    /// The step that the call must belong to.
    pub step: Option<Spanned<StepRef>>,
    /// Arguments that the call must have; others may be anything.
    pub with: Vec<(String, Matcher)>,
    /// What the calls come to in turn; the last one repeats. Never empty.
    pub turns: Vec<Turn>,
}

/// A step as a test names it: `id`, `id@item`, or its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepRef {
    /// By id, and by the item of the loop around it.
    Id {
        /// The id.
        id: String,
        /// The item's key.
        item: Option<String>,
    },
    /// By its structural path.
    Path(String),
}

impl StepRef {
    /// As written.
    pub fn read(text: &str) -> StepRef {
        if is_path(text) {
            return StepRef::Path(text.to_owned());
        }
        match text.split_once('@') {
            Some((id, item)) => StepRef::Id { id: id.to_owned(), item: Some(item.to_owned()) },
            None => StepRef::Id { id: text.to_owned(), item: None },
        }
    }
}

/// Whether a step or a node of a tree is named by its path. An id has neither brackets nor dots; the first node of a tree is `triage`.
pub fn is_path(name: &str) -> bool {
    let id = name.split_once('@').map_or(name, |(id, _)| id);
    name.contains('[') || id.contains('.') || id == "triage"
}

impl fmt::Display for StepRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepRef::Id { id, item: Some(item) } => write!(f, "{id}@{item}"),
            StepRef::Id { id, item: None } => f.write_str(id),
            StepRef::Path(path) => f.write_str(path),
        }
    }
}

/// What one call comes to.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The answer.
    pub answer: TurnAnswer,
    /// Whether it changed something; `None` means: as calls of this effect do.
    pub changed: Option<bool>,
    /// How long it takes on the virtual clock.
    pub takes: SignedDuration,
}

/// The answer of a call.
#[derive(Clone, Debug)]
pub enum TurnAnswer {
    /// It gave a result with these fields; the module's other fields are null.
    Returns(Map),
    /// It looked, and the answer is no.
    Error(String),
    /// Our side could not look.
    Unknown(String),
    /// It was not allowed or could not be begun.
    Refused(String),
    /// It took too long and was ended.
    TimesOut,
}
