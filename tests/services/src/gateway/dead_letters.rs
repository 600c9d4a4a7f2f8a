//! The dead-letter queue: calls that failed and may be replayed.

use serde::Serialize;
use serde_json::{Value, json};

/// One failed call.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DeadLetter {
    pub(super) id: String,
    pub(super) timestamp: String,
    pub(super) correlation_id: String,
    pub(super) capability: String,
    pub(super) args: Value,
    pub(super) failure_class: String,
    pub(super) error: String,
    pub(super) attempts: u32,
    /// Set on injected entries only: whether a replay succeeds. Others are really tried again.
    #[serde(skip)]
    pub(super) replayable: Option<bool>,
}

/// The queue, oldest first; it is lost when the service stops.
#[derive(Debug, Default)]
pub(super) struct DeadLetters(Vec<DeadLetter>);

impl DeadLetters {
    /// Adds an entry and returns its identifier.
    pub(super) fn push(&mut self, entry: DeadLetter) -> String {
        let id = entry.id.clone();
        self.0.push(entry);
        id
    }

    /// A copy of an entry.
    pub(super) fn get(&self, id: &str) -> Option<DeadLetter> {
        self.0.iter().find(|entry| entry.id == id).cloned()
    }

    /// Takes an entry out; false when it is not there.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| entry.id != id);
        self.0.len() < before
    }

    /// Counts a failed replay of an entry.
    pub(super) fn failed_again(&mut self, id: &str, error: &str) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.id == id) {
            entry.attempts += 1;
            entry.error = error.to_owned();
        }
    }

    /// The number of entries.
    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    /// The body of `GET /v1/dead-letters`.
    pub(super) fn list(&self) -> Value {
        json!({"depth": self.depth(), "entries": self.0})
    }
}
