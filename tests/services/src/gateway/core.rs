//! The gateway's own state.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::clock;
use crate::fault::DlqGrowth;
use crate::gateway::breakers::Breakers;
use crate::gateway::dead_letters::{DeadLetter, DeadLetters};
use crate::gateway::journal::Journal;
use crate::gateway::sessions::Sessions;
use crate::state::lock;

/// What the gateway keeps in memory, and its four logs.
pub(crate) struct Gateway {
    pub(crate) breakers: Mutex<Breakers>,
    pub(super) dead_letters: Mutex<DeadLetters>,
    pub(super) sessions: Mutex<Sessions>,
    pub(super) journal: Journal,
    turns: AtomicU64,
}

/// A failed call, as `errors.jsonl` has it.
pub(super) struct Failure<'a> {
    pub(super) correlation: &'a str,
    pub(super) session: Option<&'a str>,
    pub(super) class: &'a str,
    pub(super) capability: &'a str,
    pub(super) message: &'a str,
}

impl Gateway {
    /// Opens the logs below the root directory and starts with empty queues.
    pub(crate) fn open(root: &Path) -> std::io::Result<Gateway> {
        Ok(Gateway {
            breakers: Mutex::new(Breakers::new()),
            dead_letters: Mutex::default(),
            sessions: Mutex::default(),
            journal: Journal::open(&root.join("logs").join("gateway"))?,
            turns: AtomicU64::new(0),
        })
    }

    /// Whether a session lives.
    pub(crate) fn has_session(&self, id: &str) -> bool {
        lock(&self.sessions).user(id).is_some()
    }

    /// The number of the next turn, from 1.
    pub(super) fn next_turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number of turns so far.
    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Writes a failure to `errors.jsonl`.
    pub(super) fn record(&self, failure: &Failure<'_>) {
        self.journal.errors(&json!({
            "timestamp": clock::now(),
            "correlation_id": failure.correlation,
            "session_id": failure.session,
            "failure_class": failure.class,
            "capability": failure.capability,
            "message": failure.message,
        }));
    }

    /// Writes a failure to `errors.jsonl` and keeps the call in the dead-letter queue. Returns the entry's identifier.
    pub(super) fn bury(&self, failure: &Failure<'_>, args: &Value, replayable: Option<bool>) -> String {
        self.record(failure);
        lock(&self.dead_letters).push(DeadLetter {
            id: clock::id("dlq"),
            timestamp: clock::now(),
            correlation_id: failure.correlation.to_owned(),
            capability: failure.capability.to_owned(),
            args: args.clone(),
            failure_class: failure.class.to_owned(),
            error: failure.message.to_owned(),
            attempts: 1,
            replayable,
        })
    }

    /// Adds one entry of the fault `dlq_growth`.
    pub(crate) fn bury_injected(&self, growth: &DlqGrowth) {
        let failure = Failure {
            correlation: &clock::id("req"),
            session: None,
            class: &growth.failure_class,
            capability: &growth.capability,
            message: "injected failure",
        };
        self.bury(&failure, &json!({}), Some(growth.replayable));
    }

    /// Writes one turn with raw personal data, as a gateway does whose redaction is off.
    pub(crate) fn leak(&self) {
        self.journal.turns(&json!({
            "timestamp": clock::now(),
            "correlation_id": clock::id("req"),
            "session_id": clock::id("sess"),
            "turn_id": format!("turn_{:03}", self.next_turn()),
            "user_id": "jane.doe@example.com",
            "text_input": "Mail jane.doe@example.com, SSN 123-45-6789, card 4111 1111 1111 1111, call 555-123-4567",
            "response_text": "I used api_key=sk-live-0123456789abcdef and Bearer abcdef0123456789",
            "latency_ms": {"total": 450, "memory_read": 12, "model": 380, "tool": 0, "memory_write": 15},
            "tool_calls_attempted": 0,
            "tool_calls_executed": 0,
        }));
    }
}
