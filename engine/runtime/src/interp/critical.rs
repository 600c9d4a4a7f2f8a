//! The critical path: the slowest chain of steps that waited for each other.

use jiff::Timestamp;
use runbook_core::event::{CriticalPath, Outcome};

use super::flow::Finished;
use super::graph::Graph;
use super::{Interpreter, locked, millis};

/// The chains seen so far; the longest is told.
#[derive(Default)]
pub(crate) struct Chains {
    best: Option<CriticalPath>,
}

/// One chain through a graph.
pub(crate) struct Chain {
    path: Option<CriticalPath>,
}

impl Chain {
    /// The chain that ends last: back from the last to end, each time to the one waited for that ended last.
    pub(crate) fn of(graph: &Graph, done: &[Option<Finished>]) -> Chain {
        let end = |i: usize| -> Option<Timestamp> {
            let f = done[i].as_ref()?;
            (f.pass.outcome != Outcome::Skipped).then(|| f.started_at + f.duration)
        };
        if !graph.nodes.iter().any(|n| !n.after.is_empty()) {
            return Chain { path: None };
        }
        let Some(last) = (0..done.len()).filter(|i| end(*i).is_some()).max_by_key(|i| end(*i)) else {
            return Chain { path: None };
        };
        let mut chain = vec![last];
        while let Some(previous) =
            graph.nodes[chain[chain.len() - 1]].after.iter().copied().filter(|a| end(*a).is_some()).max_by_key(|a| end(*a))
        {
            chain.push(previous);
        }
        chain.reverse();
        let began = done[chain[0]].as_ref().map(|f| f.started_at);
        let (Some(began), Some(ended)) = (began, end(last)) else { return Chain { path: None } };
        let steps = chain.iter().map(|i| graph.nodes[*i].key.clone()).collect();
        Chain { path: Some(CriticalPath { steps, duration_ms: millis(ended.duration_since(began)) }) }
    }
}

impl Interpreter<'_> {
    /// Keeps a chain if it is the slowest so far.
    pub(crate) fn note_chain(&self, chain: Chain) {
        let Some(path) = chain.path else { return };
        let mut chains = locked(&self.critical);
        if chains.best.as_ref().is_none_or(|b| path.duration_ms > b.duration_ms) {
            chains.best = Some(path);
        }
    }

    /// The slowest chain of the run.
    pub(crate) fn critical_path(&self) -> Option<CriticalPath> {
        locked(&self.critical).best.clone()
    }
}
