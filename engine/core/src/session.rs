//! What a person is told when a triage tree puts a question to them, and when it has come to an end.
//!
//! It is plain data, as every [`Question`](crate::world::Question): the one who asks may be a terminal, a page or another host.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{AnswerOrigin, Outcome};
use crate::model::FindingSeverity;
use crate::value::Value;

/// Where a walk stands at a question.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Standing {
    /// The tree.
    pub playbook: String,
    /// The node's id, else its path within the tree.
    pub key: String,
    /// The question's number in the walk so far, from 1.
    pub number: u32,
    /// At most so many questions come after this one; `None` in a tree that can go around.
    pub left: Option<u32>,
    /// The questions that were answered before this one, in order.
    pub path: Vec<Answered>,
    /// Why it is asked, in the author's words.
    pub why: Option<String>,
    /// Where each answer leads, in the order of the choices.
    pub leads: Vec<Lead>,
    /// What the checks say; `None` if there are none.
    pub probe: Option<Probed>,
    /// What was looked at for it, the newest last. Looking again adds to them.
    pub readings: Vec<Reading>,
    /// What a person answered here before they went back, or before a remedy.
    pub before: Option<Value>,
    /// Whether there is a question to go back to.
    pub can_go_back: bool,
    /// Whether the author wrote where `unknown` leads.
    pub has_unknown: bool,
}

/// A question that was answered before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answered {
    /// The node's id, else its path within the tree.
    pub key: String,
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// Who answered.
    pub origin: AnswerOrigin,
    /// What the checks had said, if a person said something else.
    pub probe: Option<String>,
}

/// Where an answer leads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lead {
    /// The answer.
    pub answer: String,
    /// The next question, the finding, or the end, in words.
    pub to: String,
}

/// What the checks of a question say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probed {
    /// Their answer; `None` if our side could not tell.
    pub answer: Option<Value>,
    /// What was seen, or what stood in the way, in one line.
    pub evidence: String,
}

/// One look of a check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reading {
    /// The check.
    pub name: String,
    /// The rendered call: a command with a `$` before it, or the arguments a line each. Empty for a check that is kept out of records.
    pub call: Vec<String>,
    /// What it came to.
    pub outcome: Outcome,
    /// What was seen, in one line.
    pub message: String,
    /// The result's fields, a map. Secrets are marked.
    pub result: Value,
    /// When it was looked at.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
}

/// A remedy that may be run now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemedyOffer {
    /// The finding it is for.
    pub finding: String,
    /// How bad the finding is.
    pub severity: FindingSeverity,
    /// What it is: the command that plays it, or the names of its steps.
    pub what: String,
    /// Why it cannot be run now, such as a cooldown that is not over. It can be dry-run all the same.
    pub held_back: Option<String>,
    /// Whether there is a question to go back to.
    pub can_go_back: bool,
}

/// What is to become of a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemedyChoice {
    /// Say what it would do; nothing is changed.
    DryRun,
    /// Run it.
    Run,
    /// Leave it.
    Leave,
}

impl RemedyChoice {
    /// Every choice with its word.
    pub const ALL: &'static [(&'static str, RemedyChoice)] =
        &[("dry-run", RemedyChoice::DryRun), ("run", RemedyChoice::Run), ("leave", RemedyChoice::Leave)];

    /// The choice of this word.
    pub fn find(word: &str) -> Option<RemedyChoice> {
        Self::ALL.iter().find(|(w, _)| *w == word).map(|(_, c)| *c)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, c)| *c == self).map_or("leave", |(w, _)| w)
    }
}
