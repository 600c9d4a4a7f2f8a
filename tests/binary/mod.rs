//! The real binary, run as an operator runs it.

mod answers;
mod answers_file;
mod bad_files;
mod bad_input;
mod commands;
mod cookbook;
mod doc;
mod dry_run;
mod fmt;
mod generated;
mod golden;
mod guide;
mod journals;
mod new;
mod own_modules;
mod pictures;
mod session;
mod sessions;
mod signals;
mod stack;
mod terminal;
mod test_command;
mod test_report;
mod test_trees;
mod triage;
mod watch;
