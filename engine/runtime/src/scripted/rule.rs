//! What a scripted call comes to, and which calls it is for.

use std::sync::Arc;

use jiff::SignedDuration;
use runbook_core::model::test::{Matcher, StepRef, Turn, WorldRule};
use runbook_core::path::StepPath;
use runbook_core::value::Value;
use runbook_core::world::{Answer, Call};

/// A rule of a scripted world.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// The module it is for.
    pub module: String,
    /// The step that the call must belong to.
    step: Option<StepRef>,
    /// Arguments that the call must have; others may be anything.
    args: Vec<(String, Matcher)>,
    turns: Turns,
}

/// What the calls come to in turn; the last one repeats.
#[derive(Clone, Debug)]
enum Turns {
    /// As answers of the world.
    Exact(Vec<Answer>, SignedDuration),
    /// As a test file writes them.
    Written(Arc<WorldRule>),
}

/// What one call comes to.
pub(crate) enum Outcome<'a> {
    Exact(Answer, SignedDuration),
    Written(&'a Turn),
}

impl Scripted {
    /// A module that gives these fields, whatever it is called with.
    pub fn gives<K: Into<String>>(module: &str, fields: impl IntoIterator<Item = (K, Value)>) -> Self {
        let answer = Answer::Done { result: Value::map(fields), changed: false };
        let turns = Turns::Exact(vec![answer], SignedDuration::ZERO);
        Scripted { module: module.into(), step: None, args: Vec::new(), turns }
    }

    /// A rule of a test file.
    pub fn written(rule: &Arc<WorldRule>) -> Self {
        Scripted {
            module: rule.module.clone(),
            step: rule.step.as_ref().map(|s| s.value.clone()),
            args: rule.with.clone(),
            turns: Turns::Written(rule.clone()),
        }
    }

    /// Only calls with this argument.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.args.push((name.to_owned(), Matcher::Equals(value)));
        self
    }

    /// These outcomes in order; the last one repeats.
    pub fn in_turn(mut self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.turns = Turns::Exact(answers.into_iter().collect(), self.takes());
        self
    }

    /// The call takes so long, on the virtual clock.
    pub fn taking(mut self, takes: SignedDuration) -> Self {
        if let Turns::Exact(_, before) = &mut self.turns {
            *before = takes;
        }
        self
    }

    fn takes(&self) -> SignedDuration {
        match &self.turns {
            Turns::Exact(_, takes) => *takes,
            Turns::Written(_) => SignedDuration::ZERO,
        }
    }

    /// Whether the rule answers a call; `label` names the steps around it, innermost first.
    pub(crate) fn fits(&self, call: &Call, around: &[Around]) -> bool {
        self.module == call.module
            && self.step.as_ref().is_none_or(|step| around.iter().any(|a| a.is(step)))
            && self.args.iter().all(|(key, matcher)| matcher.fits(&call.args.field(key)))
    }

    /// What the `n`-th call (from 0) comes to.
    pub(crate) fn turn(&self, n: usize) -> Option<Outcome<'_>> {
        match &self.turns {
            Turns::Exact(answers, takes) => {
                let answer = answers.get(n.min(answers.len().saturating_sub(1)))?;
                Some(Outcome::Exact(answer.clone(), *takes))
            }
            Turns::Written(rule) => rule.turns.get(n.min(rule.turns.len().saturating_sub(1))).map(Outcome::Written),
        }
    }
}

/// A step that was begun and has not ended, around a call.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    pub(crate) path: StepPath,
    pub(crate) id: Option<String>,
}

impl Around {
    /// Whether it is the step that a test names.
    fn is(&self, step: &StepRef) -> bool {
        match step {
            StepRef::Id { id, item } => {
                self.id.as_ref() == Some(id)
                    && item.as_ref().is_none_or(|item| self.path.items().iter().any(|found| found == item))
            }
            StepRef::Path(path) => {
                let full = self.path.as_str();
                full == path || without_attempts(full) == *path || (!path.contains('@') && self.path.place().1 == *path)
            }
        }
    }
}

/// A path without the numbers of attempts.
pub(crate) fn without_attempts(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut passing = false;
    for c in path.chars() {
        match c {
            '#' => passing = true,
            '.' | '[' | '@' | '>' => passing = false,
            _ => {}
        }
        if !passing {
            out.push(c);
        }
    }
    out
}
