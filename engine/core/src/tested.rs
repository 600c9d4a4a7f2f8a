//! What tests of playbooks came to: data for reports.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;

use crate::code::Code;
use crate::span::{Place, Span};

/// What one test came to.
#[derive(Clone, Debug)]
pub struct Tested {
    /// What it shows.
    pub name: String,
    /// The place of its name.
    pub place: Place,
    /// The playbook's full name.
    pub playbook: String,
    /// The system's profile.
    pub profile: Option<String>,
    /// What became of it.
    pub end: TestEnd,
    /// What does not hold; empty unless it failed.
    pub failures: Vec<TestFailure>,
    /// What is likely a mistake: a rule of its own that no call used, an answer that nobody asked for.
    pub warnings: Vec<TestFailure>,
    /// The spans of the rules that were used, and of the ids of the answers.
    pub used: Vec<Span>,
    /// The ids of the questions that were asked, in order.
    pub asked: Vec<String>,
    /// How the run ended, in one line.
    pub ended: String,
    /// How long the run took on the virtual clock.
    pub lasted: SignedDuration,
    /// How long the test took.
    pub took: Duration,
    /// What the run did.
    pub trace: Trace,
    /// The points of coverage that it took.
    pub taken: BTreeSet<PointKey>,
}

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestEnd {
    /// All that it expects holds.
    Passed,
    /// Something does not hold.
    Failed,
    /// It was not begun, because another one failed (`--fail-fast`).
    NotRun,
}

impl TestEnd {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            TestEnd::Passed => "passed",
            TestEnd::Failed => "failed",
            TestEnd::NotRun => "not run",
        }
    }
}

/// What a run did, as it is recorded and shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// How it ended: the outcome's word.
    pub outcome: String,
    /// Each step with its outcome, in the order in which they ended.
    pub path: Vec<String>,
    /// Each call with its arguments, in order; the same several times in a row is one line with a count.
    pub calls: Vec<String>,
}

/// Something that a test expects and that does not hold.
#[derive(Clone, Debug)]
pub struct TestFailure {
    /// The code.
    pub code: Code,
    /// Where the test says it.
    pub place: Option<Place>,
    /// What does not hold, as a lowercase fragment.
    pub message: String,
    /// What was expected, a line each.
    pub expected: Vec<String>,
    /// What was seen, a line each.
    pub seen: Vec<String>,
    /// What to do.
    pub help: Option<String>,
    /// Rules that can be pasted below `world:`, each as its entries.
    pub paste: Vec<Vec<String>>,
}

/// A point of a playbook that a test can take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointKey {
    /// The playbook's full name.
    pub playbook: String,
    /// The path of the step or the tree's node, loops and attempts left out.
    pub path: String,
    /// Which of its points.
    pub kind: PointKind,
}

/// Kinds of points.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointKind {
    /// The step, or the node, was run.
    Ran,
    /// Its `when` was false.
    WhenFalse,
    /// Its loop had nothing to repeat over.
    NoItems,
    /// Its `rescue` was taken.
    Rescued,
    /// It was undone.
    Undone,
    /// It was declined.
    Declined,
    /// The question was answered so.
    Answer(String),
}

/// A point with what is known of it.
#[derive(Clone, Debug)]
pub struct Point {
    /// Which one.
    pub key: PointKey,
    /// What it is, as said to people: "`when` false".
    pub what: String,
    /// The step or node, as said to people.
    pub label: String,
    /// Where it is written.
    pub place: Option<Place>,
    /// Whether a test took it.
    pub taken: bool,
}

/// The coverage of one playbook.
#[derive(Clone, Debug)]
pub struct PlaybookCoverage {
    /// Its full name.
    pub playbook: String,
    /// How many tests play it directly.
    pub tests: usize,
    /// Its points in file order.
    pub points: Vec<Point>,
}

impl PlaybookCoverage {
    /// How many points were taken, and how many there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.points.iter().filter(|p| p.taken).count(), self.points.len())
    }
}

/// The part of the points that was taken, in percent; all of nothing is everything.
pub fn percent(taken: usize, all: usize) -> f64 {
    if all == 0 { 100.0 } else { taken as f64 * 100.0 / all as f64 }
}
