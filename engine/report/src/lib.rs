//! Everything that a person or a program reads: reporters of runs, diagnostics, lists and reference pages.
//!
//! Reporters consume [`runbook_core::event::Record`]s and know nothing of the interpreter. Nothing here reads the clock, the environment
//! or the process's own streams: facts come in as a [`TermPolicy`], text goes out to writers that are handed in.

pub mod code_doc;
pub mod diagnostic;
pub mod doc;
pub mod document;
mod effects;
mod github;
pub mod human;
mod ink;
mod jsonl;
mod known;
pub mod list;
pub mod modules_doc;
pub mod modules_tried;
pub mod overview;
mod page;
pub mod picture;
mod plain;
mod policy;
mod rehearsal;
mod reporter;
pub mod runs;
mod sanitize;
mod schema_doc;
pub mod session;
pub mod show;
mod step_words;
mod table;
mod terminal;
pub mod tests;
mod tree;

pub use github::GithubReporter;
pub use indicatif::ProgressDrawTarget;
pub use jsonl::JsonlReporter;
pub use known::Known;
pub use plain::PlainReporter;
pub use policy::{ColorChoice, Facts, TermPolicy};
pub use reporter::{Fanout, Level, Reporter};
pub use sanitize::{Shown, is_hidden, sanitize, sanitize_line};
pub use terminal::{Suspender, TerminalReporter};
