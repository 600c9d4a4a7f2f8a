//! Data and contracts of the runbook engine.
//!
//! Everything here is plain data or a pure function: no files, no network, no threads, no clock. The crates that read playbooks, run
//! modules, walk plans and write reports all depend on this one and never on each other.

pub mod code;
pub mod diagnostic;
pub mod diff;
pub mod event;
pub mod exit;
pub mod expr;
pub mod forms;
pub mod inputs;
pub mod json_path;
pub mod model;
pub mod module;
pub mod node;
pub mod path;
pub mod published;
pub mod rehearsal;
pub mod report;
pub mod session;
pub mod span;
pub mod suggest;
pub mod tested;
pub mod value;
pub mod world;
