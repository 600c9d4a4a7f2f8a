//! The built-in probes and actions, one file each, registered in one visible table.

mod action;
mod probe;
mod support;
#[cfg(test)]
mod table_tests;

use runbook_core::module::{Entry, Registry};

/// Every built-in module, by name.
pub fn builtins() -> Registry {
    Registry::new(entries())
}

/// The table. Adding a module takes its file and one line here.
fn entries() -> Vec<Entry> {
    vec![
    ]
}
