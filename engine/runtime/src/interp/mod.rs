//! The walk over a plan: pure control flow. Whatever it wants from outside, it asks the [`World`].

mod attempt;
mod block;
mod body;
mod checklist;
mod confirm;
mod critical;
mod each;
mod finding;
mod flow;
mod frame;
mod grade;
mod graph;
mod judge;
mod lock_wish;
mod own;
mod parallel;
mod play;
mod question;
mod remedy;
mod run;
mod scope;
mod service;
mod session;
mod step;
mod triage;
mod undo;
mod value;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use runbook_core::event::{Counts, Event};
use runbook_core::expr::{Expr, Template};
use runbook_core::model::Plan;
use runbook_core::module::Registry;
use runbook_core::value::Map;
use runbook_core::world::World;

pub use lock_wish::{LockWish, lock_wish};
pub use run::{Inputs, RunResult, run, run_then};

/// Locks a mutex whose holders never panic while holding it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The walk's own state: what it walks, the door, and what it counts.
pub(crate) struct Interpreter<'w> {
    pub(crate) world: &'w dyn World,
    pub(crate) plan: Arc<Plan>,
    pub(crate) registry: &'w Registry,
    /// `run.*` as expressions see it.
    pub(crate) run: Map,
    /// Values that override the system's variables for this run.
    pub(crate) overrides: Map,
    /// The environment variables that playbooks declared, by name.
    pub(crate) env: HashMap<String, String>,
    /// Whether a person is asked each question of a tree.
    pub(crate) step: bool,
    /// The project root.
    pub(crate) root: std::path::PathBuf,
    pub(crate) began: Timestamp,
    pub(crate) counts: Mutex<Counts>,
    /// Steps that were not reached, as they were passed over.
    pub(crate) unreached: Mutex<Vec<String>>,
    pub(crate) undone: Mutex<Vec<String>>,
    pub(crate) left: Mutex<Vec<String>>,
    pub(crate) critical: Mutex<critical::Chains>,
    /// Whether `always` and undo are being run after a stop was asked for.
    pub(crate) cleaning: AtomicBool,
    /// Default verdicts and one-line texts of modules, parsed once.
    pub(crate) verdicts: Mutex<HashMap<String, Arc<ModuleText>>>,
}

/// A module's own expressions, parsed.
pub(crate) struct ModuleText {
    pub(crate) verdict: Expr,
    pub(crate) says: Option<Template>,
}

impl Interpreter<'_> {
    pub(crate) fn emit(&self, event: Event) {
        self.world.emit(event);
    }

    /// Milliseconds since the run began.
    pub(crate) fn ms_since_start(&self, at: Timestamp) -> f64 {
        millis(at.duration_since(self.began))
    }
}

/// A duration in milliseconds.
pub(crate) fn millis(duration: jiff::SignedDuration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
