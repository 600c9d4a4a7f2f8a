//! memory-engine: a real SQLite database in WAL mode, searched by LIKE and by BM25.

mod database;
mod rank;
mod routes;

pub(crate) use database::{Memory, begin_immediate};
pub(crate) use routes::{answer, check, set_rows};
