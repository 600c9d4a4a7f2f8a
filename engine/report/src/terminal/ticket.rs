//! The end of a triage session in five lines, to be pasted into a ticket.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use runbook_core::event::{Evidence, Input, Proposal, Remedied};
use runbook_core::model::FindingSeverity;

use crate::tree::remedy_words;

/// What a walk through a tree has come to so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticket {
    /// The tree with its inputs, the run, who and where.
    pub(crate) head: String,
    pub(crate) run: String,
    questions: Vec<Question>,
    found: Vec<Found>,
    /// What a remedy came to, in words.
    done: Option<String>,
    /// Whether the next answer begins a walk anew.
    over: bool,
}

#[derive(Clone, Debug)]
struct Question {
    key: String,
    question: String,
    /// With the reason, where it is not what the check says.
    answer: String,
    evidence: String,
    found_before: usize,
}

#[derive(Clone, Debug)]
struct Found {
    finding: String,
    severity: FindingSeverity,
    seen: Vec<String>,
    remedy: Option<String>,
}

impl Ticket {
    pub(crate) fn begins(&mut self, playbook: &str, inputs: &[Input], run: &str, at: Timestamp, operator: &str, host: &str) {
        let given: Vec<String> = inputs
            .iter()
            .filter(|i| !matches!(i.origin.as_str(), "default" | "system"))
            .map(|i| format!(" {}={}", i.name, i.value))
            .collect();
        self.head = format!("{playbook}{}", given.concat());
        let at = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC");
        self.run = format!("{at}, run {run}, {operator} on {host}");
    }

    pub(crate) fn answered(&mut self, key: &str, question: &str, answer: &str, evidence: &str) {
        if std::mem::take(&mut self.over) {
            self.questions.clear();
            self.found.clear();
        }
        let found_before = self.found.len();
        let [key, question, answer, evidence] = [key, question, answer, evidence].map(str::to_owned);
        self.questions.push(Question { key, question, answer, evidence, found_before });
    }

    pub(crate) fn found(&mut self, finding: &str, severity: FindingSeverity, evidence: &[Evidence], remedy: Option<&Proposal>) {
        let seen = evidence.iter().filter(|e| !e.message.is_empty()).map(|e| format!("{}: {}", e.name, e.message)).collect();
        self.found.retain(|f| f.finding != finding);
        let remedy = remedy.map(remedy_words);
        self.found.push(Found { finding: finding.to_owned(), severity, seen, remedy });
    }

    pub(crate) fn back_to(&mut self, key: &str) {
        self.over = false;
        if let Some(at) = self.questions.iter().rposition(|q| q.key == key) {
            self.found.truncate(self.questions[at].found_before);
            self.questions.truncate(at);
        }
    }

    pub(crate) fn concluded(&mut self) {
        self.over = true;
    }

    pub(crate) fn remedied(&mut self, outcome: Remedied, message: &str) {
        self.done = Some(format!("{}: {message}", outcome.word()));
    }

    /// The five lines; none where nothing is wrong and nothing was done.
    pub(crate) fn lines(&self) -> Vec<String> {
        let is_fault = self.found.iter().any(|f| f.severity.is_fault());
        if self.head.is_empty() || !self.over || (!is_fault && self.done.is_none()) {
            return Vec::new();
        }
        let mut found = self.found.clone();
        found.sort_by_key(|f| std::cmp::Reverse(f.severity));
        let names: Vec<String> = found.iter().map(|f| format!("{} ({})", f.finding, f.severity.word())).collect();
        let path: Vec<String> = self.questions.iter().map(|q| format!("{} {}", q.question, q.answer)).collect();
        let mut seen: Vec<String> = found.iter().take(1).flat_map(|f| f.seen.iter().take(2).cloned()).collect();
        if seen.is_empty() {
            seen.extend(self.questions.iter().rev().map(|q| q.evidence.clone()).find(|e| !e.is_empty()));
        }
        let or = |text: String, or: &str| if text.is_empty() { or.to_owned() } else { text };
        let remedy = match (&self.done, found.iter().find_map(|f| f.remedy.clone())) {
            (Some(done), _) => done.clone(),
            (None, Some(remedy)) => format!("{remedy} (not run)"),
            (None, None) => "none is known".to_owned(),
        };
        vec![
            format!("{}: {}", self.head, or(names.join(", "), "nothing is found any more")),
            self.run.clone(),
            format!("Asked: {}", path.join("; ")),
            format!("Seen: {}", or(seen.join("; "), "nothing that a check could see")),
            format!("Remedy: {remedy}"),
        ]
    }
}
