//! Tests of playbooks: what they came to and what none of them took, for people, for programs, and as JUnit.

mod coverage;
mod diff;
mod human;
mod json;
mod junit;

use std::time::Duration;

use runbook_core::tested::{PlaybookCoverage, TestEnd, TestFailure, Tested, percent};

pub use human::{diff_text, human, list};
pub use json::{json, list_json};
pub use junit::junit;

/// Everything about a run of tests.
#[derive(Clone, Debug, Default)]
pub struct TestReport {
    /// The tests in their order.
    pub tests: Vec<Tested>,
    /// Warnings that belong to no test alone.
    pub warnings: Vec<TestFailure>,
    /// Whether a warning is a failure.
    pub strict: bool,
    /// The coverage, if it was asked for.
    pub coverage: Option<Vec<PlaybookCoverage>>,
    /// The least coverage, in percent.
    pub least: Option<f64>,
    /// How long it took.
    pub took: Duration,
}

impl TestReport {
    fn count(&self, end: TestEnd) -> usize {
        self.tests.iter().filter(|t| t.end == end).count()
    }

    /// How many warnings there are. Those of a test that failed belong to its failure.
    pub fn warned(&self) -> usize {
        let passed = self.tests.iter().filter(|t| t.end == TestEnd::Passed);
        self.warnings.len() + passed.map(|t| t.warnings.len()).sum::<usize>()
    }

    /// The coverage of all playbooks together, in percent.
    pub fn covered(&self) -> Option<f64> {
        let all = self.coverage.as_ref()?;
        let (taken, points) = all.iter().map(PlaybookCoverage::counts).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        Some(percent(taken, points))
    }

    /// Whether it is over the least coverage.
    pub fn covers_enough(&self) -> bool {
        match (self.least, self.covered()) {
            // What is shown as 80 % is 80 %.
            (Some(least), Some(covered)) => (covered * 10.0).round() / 10.0 >= least,
            _ => true,
        }
    }

    /// Whether nothing failed.
    pub fn is_good(&self) -> bool {
        self.count(TestEnd::Failed) == 0 && !(self.strict && self.warned() > 0) && self.covers_enough()
    }

    /// The files in their order, each with its tests.
    fn by_file(&self) -> Vec<(&str, Vec<&Tested>)> {
        let mut out: Vec<(&str, Vec<&Tested>)> = Vec::new();
        for test in &self.tests {
            match out.last_mut() {
                Some((file, tests)) if *file == test.place.file => tests.push(test),
                _ => out.push((&test.place.file, vec![test])),
            }
        }
        out
    }
}
