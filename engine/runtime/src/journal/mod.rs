//! The journal: append-only, one run one file, each record with the hash of the one before, the last one sealing it.

mod chain;
mod reader;
mod writer;

pub use chain::{GENESIS, Line, hash_of};
pub use reader::{JournalError, ReadJournal, RunSummary, find_run, list_runs, read_journal};
pub use writer::{JournalWriter, new_run_id};
