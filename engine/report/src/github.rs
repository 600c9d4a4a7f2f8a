//! Workflow commands for GitHub Actions: a fold for each step at the top level, and an annotation where a step failed.

use std::io::Write;

use runbook_core::event::{Event, Outcome, Record};
use runbook_core::model::FindingSeverity;

use crate::reporter::Reporter;
use crate::sanitize_line;

/// GitHub shows so many annotations of a kind per step of a workflow; more would hide the first.
const MOST: usize = 10;

/// Writes workflow commands between the lines of another reporter.
pub struct GithubReporter<W> {
    out: W,
    open: bool,
    annotations: usize,
}

impl<W: Write + Send> GithubReporter<W> {
    /// A reporter that writes to a stream; it stands before the one that writes the lines.
    pub fn new(out: W) -> Self {
        GithubReporter { out, open: false, annotations: 0 }
    }

    fn annotate(&mut self, level: &str, at: &str, title: &str, text: &str) {
        if self.annotations < MOST {
            self.annotations += 1;
            let _ = writeln!(self.out, "::{level} {at}title={}::{}", property(title), data(text));
        }
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            let _ = writeln!(self.out, "::endgroup::");
        }
    }
}

/// Escapes a value of a workflow command.
fn data(text: &str) -> String {
    sanitize_line(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

impl<W: Write + Send> Reporter for GithubReporter<W> {
    fn record(&mut self, record: &Record) {
        match &record.event {
            Event::StepStarted { parent, name, .. } if parent.as_str().is_empty() => {
                self.close();
                self.open = true;
                let _ = writeln!(self.out, "::group::{}", data(name));
            }
            Event::StepFinished { path, parent, name, outcome, message, group, tolerated, place, .. } => {
                if parent.as_str().is_empty() {
                    self.close();
                }
                let failed = matches!(outcome, Outcome::Failed | Outcome::Unknown);
                // What a tree looked at is no failure; its findings speak.
                if failed && !group && !path.is_observation() {
                    let level = if *tolerated { "warning" } else { "error" };
                    let at = place
                        .as_ref()
                        .map_or_else(String::new, |p| format!("file={},line={},col={},", property(&p.file), p.line, p.column));
                    self.annotate(level, &at, name, message);
                }
            }
            Event::Finding { finding, severity, say, remedy, .. } if severity.is_fault() => {
                let level = if *severity == FindingSeverity::Critical { "error" } else { "warning" };
                let mut text = say.clone().unwrap_or_else(|| finding.clone());
                if let Some(remedy) = remedy {
                    text.push_str(&format!("; remedy: {}", crate::tree::remedy_words(remedy)));
                }
                self.annotate(level, "", finding, &text);
            }
            Event::RunFinished { .. } => self.close(),
            _ => {}
        }
    }

    fn finish(&mut self) {
        self.close();
        let _ = self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        assert_eq!(data("50%"), "50%25");
        assert_eq!(property("a:b,c"), "a%3Ab%2Cc");
    }
}
