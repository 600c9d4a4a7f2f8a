//! Typed inputs of a playbook.

use crate::span::{Span, Spanned};

use super::Arg;

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// Text.
    String,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// True or false.
    Bool,
    /// A duration such as `30s`.
    Duration,
    /// A size such as `100MB`.
    Size,
    /// A moment such as `2026-02-15T14:23:45Z`.
    Time,
    /// A path.
    Path,
    /// A URL.
    Url,
    /// A list.
    List,
    /// A map.
    Map,
    /// One of `choices`.
    Choice,
    /// Text that must not be shown.
    Secret,
}

impl ParamType {
    /// Every type with the word that is written for it.
    pub const ALL: &'static [(&'static str, ParamType)] = &[
        ("string", ParamType::String),
        ("int", ParamType::Int),
        ("float", ParamType::Float),
        ("bool", ParamType::Bool),
        ("duration", ParamType::Duration),
        ("size", ParamType::Size),
        ("time", ParamType::Time),
        ("path", ParamType::Path),
        ("url", ParamType::Url),
        ("list", ParamType::List),
        ("map", ParamType::Map),
        ("choice", ParamType::Choice),
        ("secret", ParamType::Secret),
    ];

    /// The word that is written for it.
    pub fn word(self) -> &'static str {
        ParamType::ALL.iter().find(|(_, t)| *t == self).map_or("string", |(w, _)| w)
    }

    /// The type with this word.
    pub fn find(word: &str) -> Option<ParamType> {
        ParamType::ALL.iter().find(|(w, _)| *w == word).map(|(_, t)| *t)
    }
}

/// A typed input.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub name: Spanned<String>,
    /// The place of its declaration.
    pub span: Span,
    /// Its type.
    pub ty: ParamType,
    /// The value when none is given.
    pub default: Option<Arg>,
    /// Whether a value must be given.
    pub required: bool,
    /// The values it may have.
    pub choices: Option<Arg>,
    /// The least value (numbers, durations, sizes, times) or length (strings, lists).
    pub min: Option<Arg>,
    /// The greatest value or length.
    pub max: Option<Arg>,
    /// A regular expression that the whole text must match.
    pub pattern: Option<Spanned<String>>,
    /// What it is for.
    pub help: Option<String>,
    /// The question with which an operator is asked for it.
    pub ask: Option<String>,
}

/// An environment variable that a playbook uses.
#[derive(Clone, Debug)]
pub struct EnvName {
    /// Its name.
    pub name: Spanned<String>,
    /// Whether its value may be shown; it is secret otherwise.
    pub plain: bool,
}
