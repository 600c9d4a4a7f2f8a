//! Tests of playbooks: what a test file says, decoded, with the place of everything.

mod expect;
mod matcher;
mod world;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::span::{SourceId, Span, Spanned};
use crate::value::Value;
use crate::world::StopReason;

pub use expect::{CallEntry, Checked, DurationBound, Expect, Listed, PathEntry};
pub use matcher::Matcher;
pub use world::{StepRef, Turn, TurnAnswer, WorldRule, is_path};

/// A file of tests.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Its text.
    pub file: SourceId,
    /// What the loader reads it by.
    pub path: String,
    /// Its tests, in file order.
    pub tests: Vec<Arc<PlayTest>>,
    /// The rules that all of its tests share.
    pub shared: Vec<Arc<WorldRule>>,
    /// The ids of the answers that all of its tests share.
    pub answers: Vec<Spanned<String>>,
}

/// One test: a playbook that is walked in a scripted world, and what is expected of it.
#[derive(Clone, Debug)]
pub struct PlayTest {
    /// What it shows, in one line.
    pub name: Spanned<String>,
    /// The playbook as written.
    pub play: Spanned<String>,
    /// The playbook's full name.
    pub playbook: String,
    /// The system's profile.
    pub profile: Option<String>,
    /// Parameters, and variables of the system, for the run.
    pub with: Vec<(Spanned<String>, Value)>,
    /// Environment variables.
    pub env: Vec<(Spanned<String>, String)>,
    /// What the operator answers, by question id; the last answer repeats.
    pub answers: Vec<(Spanned<String>, Vec<TestAnswer>)>,
    /// When the virtual clock starts.
    pub now: Option<Timestamp>,
    /// When the run is asked to stop.
    pub interrupt: Option<Interrupt>,
    /// What calls come to: the test's own rules, then those of the file. The first that fits answers.
    pub world: Vec<Arc<WorldRule>>,
    /// What must be so afterwards.
    pub expect: Expect,
    /// What `--bless` wrote down.
    pub recorded: Option<Recorded>,
}

/// One answer of the operator.
#[derive(Clone, Debug)]
pub struct TestAnswer {
    /// The answer.
    pub value: Value,
    /// A remark, or the reason of an override.
    pub note: Option<String>,
    /// How long the operator takes.
    pub takes: SignedDuration,
}

/// A stop that the run is asked for.
#[derive(Clone, Debug)]
pub struct Interrupt {
    /// After so long on the virtual clock.
    pub after: SignedDuration,
    /// Why.
    pub reason: StopReason,
}

/// What a run did, as `--bless` writes it down: compared line by line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The place of the value in the file.
    pub span: Span,
    /// How the run ended; `None` if nothing has been written down yet.
    pub outcome: Option<String>,
    /// Each step with its outcome, in the order in which they ended.
    pub path: Vec<String>,
    /// Each call with its arguments, in order.
    pub calls: Vec<String>,
}
