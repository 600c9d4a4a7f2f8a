//! Checking decoded playbooks without touching anything: names, kinds, effects and graphs.

mod calls;
mod constants;
mod effects;
mod expr;
mod flow;
mod graph;
mod kinds;
mod maybe;
mod names;
mod playbook;
mod rules;
mod scope;
mod secrets;
mod steps;
mod system;
mod test;
mod tree;
mod triage;
mod ty;
mod unused;

use std::collections::HashSet;

use indexmap::IndexMap;
use runbook_core::model::Unit;
use runbook_core::module::Registry;

pub(crate) use effects::effect;
pub(crate) use graph::{play_cycles, play_depth};
pub(crate) use playbook::playbook;
pub(crate) use system::system;
pub(crate) use test::test;

/// Everything that the check of one file may look at.
pub(crate) struct Project<'a> {
    /// The modules.
    pub(crate) registry: &'a Registry,
    /// The playbooks that were read, by full name.
    pub(crate) units: &'a IndexMap<String, Unit>,
    /// What `play:` names mean, per playing unit.
    pub(crate) plays: &'a IndexMap<(String, String), String>,
    /// Whether the tests of a playbook (its full name) mention a name.
    pub(crate) tested: &'a dyn Fn(&str, &str) -> bool,
}

/// What the decoder had to leave out of a file: nothing is said about these names again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lost {
    /// Names of steps, variables and parameters whose declaration was wrong.
    pub(crate) names: HashSet<String>,
    /// Whether the system could not be read, so that any name may come from it.
    pub(crate) system: bool,
}
