//! What a test expects of a run.

use std::fmt;

use jiff::SignedDuration;

use super::{Matcher, StepRef};
use crate::event::{GradeWord, RunOutcome};
use crate::expr::{Compare, Expr};
use crate::span::{Span, Spanned};
use crate::value::format_duration;

/// Everything that must be so after the run. What is left out is not looked at, save that a run must end well unless it is said
/// how it ends.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The place of the key, or of the test's name if there is none.
    pub span: Span,
    /// How the run ends.
    pub outcome: Option<Spanned<RunOutcome>>,
    /// The exit code.
    pub exit: Option<Spanned<u8>>,
    /// What the run's last line must look like.
    pub message: Vec<Spanned<Matcher>>,
    /// The steps in the order in which they end.
    pub path: Option<Listed<PathEntry>>,
    /// Results of steps by label: their fields.
    pub steps: Vec<(Spanned<String>, Vec<Checked>)>,
    /// The calls in order.
    pub calls: Option<Listed<CallEntry>>,
    /// The calls that change something, in order.
    pub ran: Option<Listed<CallEntry>>,
    /// The ids of the questions that are asked, in order.
    pub asked: Option<Listed<Spanned<String>>>,
    /// The steps that are skipped, in order.
    pub skipped: Option<Listed<Spanned<String>>>,
    /// The notes that are shown, in order.
    pub notes: Option<Listed<Spanned<Matcher>>>,
    /// Variables at the end.
    pub vars: Vec<Checked>,
    /// The playbook's outputs.
    pub outputs: Vec<Checked>,
    /// The verdict of a checklist or tree.
    pub verdict: Option<Spanned<String>>,
    /// Rows of the scoreboard by step or name, with their grades.
    pub checks: Vec<(Spanned<String>, Spanned<GradeWord>)>,
    /// The findings of a tree, in order.
    pub findings: Option<Listed<Spanned<String>>>,
    /// How long the run takes on the virtual clock.
    pub duration: Option<Spanned<DurationBound>>,
    /// Expressions that must be true at the end.
    pub that: Vec<Expr>,
}

/// A list that is expected: exactly, or in part.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The place.
    pub span: Span,
    /// These and no others, in this order.
    pub exactly: Option<Vec<T>>,
    /// These in this order; others may stand between them.
    pub includes: Vec<T>,
    /// None of these.
    pub excludes: Vec<T>,
}

/// A step in a path, with its outcome if it is given. Of a tree's question it is the answer; a finding is `finding` and its id.
#[derive(Clone, Debug)]
pub struct PathEntry {
    /// The step's label: `id`, `id@item`, or its path.
    pub label: Spanned<String>,
    /// The word of its outcome, the answer, or the finding's id.
    pub word: Option<String>,
}

impl PathEntry {
    /// The label of a finding.
    pub const FINDING: &'static str = "finding";
}

/// A call that is expected.
#[derive(Clone, Debug)]
pub struct CallEntry {
    /// The place.
    pub span: Span,
    /// The module.
    pub module: String,
    /// The step.
    pub step: Option<StepRef>,
    /// Arguments that it has.
    pub with: Vec<(String, Matcher)>,
}

/// A named value that is expected.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its name.
    pub name: Spanned<String>,
    /// What it must look like.
    pub value: Matcher,
}

/// How long something may take: `30s`, `<= 30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationBound {
    /// How it is compared.
    pub compare: Compare,
    /// With what.
    pub limit: SignedDuration,
}

impl DurationBound {
    /// Whether a duration is within it.
    pub fn holds(self, found: SignedDuration) -> bool {
        match self.compare {
            Compare::Lt => found < self.limit,
            Compare::Le => found <= self.limit,
            Compare::Gt => found > self.limit,
            Compare::Ge => found >= self.limit,
            Compare::Ne => found != self.limit,
            _ => found == self.limit,
        }
    }
}

impl fmt::Display for DurationBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.compare {
            Compare::Lt => "< ",
            Compare::Le => "<= ",
            Compare::Gt => "> ",
            Compare::Ge => ">= ",
            Compare::Ne => "!= ",
            _ => "",
        };
        write!(f, "{sign}{}", format_duration(self.limit))
    }
}

impl fmt::Display for CallEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.module)?;
        if !self.with.is_empty() {
            let with: Vec<String> = self.with.iter().map(|(key, m)| format!("{key}: {m}")).collect();
            write!(f, " {{{}}}", with.join(", "))?;
        }
        match &self.step {
            Some(step) => write!(f, " at {step}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for PathEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label.value)?;
        match &self.word {
            Some(word) => write!(f, ": {word}"),
            None => Ok(()),
        }
    }
}
