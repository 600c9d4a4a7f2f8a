//! The faults of SONIA, injected for real: killed and stopped processes, taken ports, held locks, databases and logs as they
//! are after an accident. An operator's triage finds each without a question, its remedy is run as it was proposed, and what was broken
//! is looked at once more. The table that comes of it is `docs/reference/faults.md`.
//!
//! The ports are 29000 to 29099: each lane has every tenth of them, so that stacks can stand beside each other.

mod case;
mod database;
mod gateway;
mod matrix;
mod processes;
mod session;
mod stack;
mod table;
mod uvicorn;
