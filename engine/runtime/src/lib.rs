//! The interpreter, its worlds, the journal, locks and signals.

pub mod dry;
pub mod interp;
pub mod journal;
pub mod live;
pub mod lock;
pub mod redact;
pub mod scripted;
pub mod signals;
pub mod sink;
pub mod testing;

pub use interp::{Inputs, LockWish, RunResult, lock_wish, run, run_then};
