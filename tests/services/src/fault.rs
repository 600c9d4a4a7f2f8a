//! The faults a service can be given, as data.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The body of `POST /_fault` and the contents of `faults/<service>.json`: every key is optional.
///
/// A posted body is laid over the faults in force, key by key; `null` clears a key; `DELETE /_fault` clears them all.
/// `/_fault` itself is never subject to a fault and is not logged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// `/healthz` answers this status; from 500 on with FastAPI's plain text body and a traceback on standard error.
    pub health_status: Option<u16>,
    /// Requests are accepted and never answered.
    pub hang: bool,
    /// Every answer is late by so many milliseconds.
    pub slow_ms: u64,
    /// The path prefixes that `hang` and `slow_ms` are limited to; empty means all.
    pub paths: Vec<String>,
    /// The process dies.
    pub crash: Option<Crash>,
    /// Entries appear in the dead-letter queue (api-gateway).
    pub dlq_growth: Option<DlqGrowth>,
    /// A circuit breaker opens (api-gateway).
    pub breaker_open: Option<BreakerOpen>,
    /// How long a breaker stays OPEN before it is HALF_OPEN, in milliseconds; 30,000 unless set (api-gateway).
    pub quarantine_ms: Option<u64>,
    /// A write lock is held on `data/memory.db` by this process (any service).
    pub db_lock: Option<DbLock>,
    /// Time is added to the parts of every turn (api-gateway).
    pub latency_ms: Option<Latency>,
    /// The start-up delay in milliseconds, instead of the command line's (fault file only).
    pub startup_delay_ms: Option<u64>,
    /// The time a graceful stop takes in milliseconds, instead of the command line's.
    pub stop_delay_ms: Option<u64>,
    /// Whether SIGTERM and SIGINT are ignored, instead of the command line's.
    pub ignore_term: Option<bool>,
    /// Logs are no longer redacted, and one line with an address, an SSN, a card, a phone number and a key is written
    /// to `turns.jsonl` (api-gateway) and to standard error (any service) at once.
    pub raw_personal_data: bool,
    /// The rows of the database are changed for good (memory-engine).
    pub memory_rows: Option<MemoryRows>,
    /// The models that are loaded, instead of the usual two (ollama).
    pub models: Option<Vec<String>>,
    /// `/healthz` fails while Ollama cannot be reached (model-router).
    pub ollama_required: bool,
}

/// The process dies with a traceback on standard error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Crash {
    /// The last line of the traceback. Unset means `ModuleNotFoundError: No module named 'fastapi'` at the start and
    /// `RuntimeError: injected crash` later.
    pub exception: Option<String>,
    /// The exit code, 1 unless set.
    pub exit_code: i32,
    /// In a fault file: milliseconds after the port is bound; unset means before that, at import. In a post:
    /// milliseconds after the answer is written; unset means at once.
    pub after_ms: Option<u64>,
}

impl Default for Crash {
    fn default() -> Self {
        Crash { exception: None, exit_code: 1, after_ms: None }
    }
}

impl Crash {
    /// The exception of a crash during the start.
    pub(crate) fn at_import(&self) -> &str {
        self.exception.as_deref().unwrap_or("ModuleNotFoundError: No module named 'fastapi'")
    }

    /// The exception of a crash of the running process.
    pub(crate) fn at_run(&self) -> &str {
        self.exception.as_deref().unwrap_or("RuntimeError: injected crash")
    }
}

/// Entries that appear in the dead-letter queue, each with its line in `errors.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DlqGrowth {
    /// How many entries are added, 1 unless set.
    pub count: u32,
    /// Their class, such as `CONNECTION_BOOTSTRAP`, `TIMEOUT` or `POLICY_DENIED`; `TIMEOUT` unless set.
    pub failure_class: String,
    /// The tool that failed, `file.write` unless set.
    pub capability: String,
    /// Whether a replay of these entries succeeds; true unless set.
    pub replayable: bool,
    /// Zero adds them all at once; else the first comes at once and one more after each interval, in milliseconds.
    pub every_ms: u64,
}

impl Default for DlqGrowth {
    fn default() -> Self {
        DlqGrowth {
            count: 1,
            failure_class: "TIMEOUT".to_owned(),
            capability: "file.write".to_owned(),
            replayable: true,
            every_ms: 0,
        }
    }
}

/// A breaker opens, and its capability keeps failing until the cause is fixed.
///
/// Posting the same capability again with `cause_fixed` fixes the cause and leaves the breaker's state and its
/// quarantine as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerOpen {
    /// The capability, such as `file.write`.
    pub capability: String,
    /// Whether the capability works again, so that recovery probes succeed; false unless set.
    #[serde(default)]
    pub cause_fixed: bool,
}

/// A transaction begun with `BEGIN IMMEDIATE` and left open: readers go on, writers get "database is locked".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DbLock {
    /// Milliseconds until the lock is released; unset means when the fault is cleared or the process ends.
    pub hold_ms: Option<u64>,
}

/// Milliseconds added to the parts of a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// Added to `latency_ms.model`.
    pub model: u64,
    /// Added to `latency_ms.memory_read`.
    pub memory_read: u64,
    /// Added to `latency_ms.tool`; more than zero also makes the turn call one tool.
    pub tool: u64,
    /// Added to `latency_ms.memory_write`.
    pub memory_write: u64,
    /// Added to `latency_ms.total` only.
    pub unexplained: u64,
    /// Whether the turn really takes the time; false only writes the numbers, to fill a log quickly. True unless set.
    pub wait: bool,
}

impl Default for Latency {
    fn default() -> Self {
        Latency { model: 0, memory_read: 0, tool: 0, memory_write: 0, unexplained: 0, wait: true }
    }
}

impl Latency {
    /// All added milliseconds together.
    pub(crate) fn sum(&self) -> u64 {
        self.model + self.memory_read + self.tool + self.memory_write + self.unexplained
    }
}

/// What becomes of the rows of `memories`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryRows {
    /// No row is left.
    Empty,
    /// Every row is archived (soft-deleted).
    Archived,
    /// Every row belongs to `someone_else`.
    OtherUser,
    /// The sample rows, as in a new database, and no others.
    Sample,
}

/// The faults in force, as they were posted and as they were understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultSet {
    /// The keys that are set, for `GET /_fault` and for laying the next post over them.
    pub(crate) keys: Map<String, Value>,
    /// The meaning of the keys.
    pub(crate) faults: Faults,
}

impl FaultSet {
    /// Lays `patch` over this set; the error says which key or value is wrong, and nothing has changed.
    pub(crate) fn merged(&self, patch: &Map<String, Value>) -> Result<FaultSet, String> {
        let mut keys = self.keys.clone();
        for (key, value) in patch {
            if value.is_null() {
                keys.remove(key);
            } else {
                keys.insert(key.clone(), value.clone());
            }
        }
        let faults = Faults::deserialize(Value::Object(keys.clone())).map_err(|error| error.to_string())?;
        Ok(FaultSet { keys, faults })
    }
}

impl Faults {
    /// Whether `hang` and `slow_ms` concern a request for `path`.
    pub(crate) fn concern(&self, path: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|prefix| path.starts_with(prefix.as_str()))
    }
}

/// Reads the faults to start with; a missing file means none.
pub(crate) fn read(file: &Path) -> Result<FaultSet, String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(FaultSet::default());
        }
        Err(error) => return Err(format!("cannot read `{}`: {error}", file.display())),
    };
    serde_json::from_str::<Map<String, Value>>(&text)
        .map_err(|error| error.to_string())
        .and_then(|keys| FaultSet::default().merged(&keys))
        .map_err(|error| format!("`{}` is no fault file: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patch(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_post_is_laid_over_and_null_clears() {
        let first = FaultSet::default().merged(&patch(json!({"slow_ms": 5, "hang": true}))).expect("valid");
        let second = first.merged(&patch(json!({"hang": null, "health_status": 500}))).expect("valid");
        assert_eq!(second.faults, Faults { slow_ms: 5, health_status: Some(500), ..Faults::default() });
        assert_eq!(Value::Object(second.keys), json!({"slow_ms": 5, "health_status": 500}));
    }

    #[test]
    fn a_wrong_key_is_named() {
        let error = FaultSet::default().merged(&patch(json!({"slow": 5}))).expect_err("unknown key");
        assert!(error.contains("unknown field `slow`"), "{error}");
    }

    #[test]
    fn paths_limit() {
        let faults = Faults { paths: vec!["/v1/dead".to_owned()], ..Faults::default() };
        assert!(faults.concern("/v1/dead-letters"));
        assert!(!faults.concern("/healthz"));
    }
}
