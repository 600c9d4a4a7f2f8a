//! Running nodes that wait for each other, several at a time.

use futures_util::stream::{FuturesUnordered, StreamExt};
use runbook_core::event::Outcome;

use super::Interpreter;
use super::critical::Chain;
use super::flow::{Finished, Flow};

/// A node: what it is called and the nodes it waits for.
pub(crate) struct Node {
    pub(crate) key: String,
    pub(crate) after: Vec<usize>,
}

/// Nodes without cycles, and the order in which ready ones are begun.
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    sequence: Vec<usize>,
    /// Whether what needs others comes before them, as when things are stopped.
    reversed: bool,
}

impl Graph {
    /// A graph, unless nodes wait for each other in a circle.
    pub(crate) fn new(nodes: Vec<Node>, sequence: Vec<usize>) -> Result<Graph, String> {
        // Kahn's algorithm: what is never freed lies on a cycle or behind one.
        let mut waiting: Vec<usize> = nodes.iter().map(|n| n.after.len()).collect();
        let mut free: Vec<usize> = (0..nodes.len()).filter(|i| waiting[*i] == 0).collect();
        let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        for (i, node) in nodes.iter().enumerate() {
            for &a in &node.after {
                dependants[a].push(i);
            }
        }
        let mut freed = 0;
        while let Some(i) = free.pop() {
            freed += 1;
            for &d in &dependants[i] {
                waiting[d] -= 1;
                if waiting[d] == 0 {
                    free.push(d);
                }
            }
        }
        if freed < nodes.len() {
            let stuck: Vec<&str> = (0..nodes.len()).filter(|i| waiting[*i] > 0).map(|i| nodes[i].key.as_str()).collect();
            return Err(format!("these wait for each other: {}", stuck.join(", ")));
        }
        Ok(Graph { nodes, sequence, reversed: false })
    }

    /// The same, where what needs others comes before them.
    pub(crate) fn reversed(self) -> Graph {
        Graph { reversed: true, ..self }
    }
}

impl Interpreter<'_> {
    /// Runs the nodes of a graph, at most `most` at a time. After a failure nothing new is begun, unless failures are tolerated;
    /// what needs a failed node is skipped. Nodes that were not begun stay `None`.
    pub(crate) async fn graph<F>(
        &self,
        graph: &Graph,
        most: usize,
        tolerant: bool,
        run: impl Fn(usize, Vec<String>) -> F,
        skip: impl Fn(usize, String) -> Finished,
        waiting: impl Fn(usize, Vec<String>),
    ) -> Vec<Option<Finished>>
    where
        F: Future<Output = Finished>,
    {
        let count = graph.nodes.len();
        for &i in &graph.sequence {
            let after = &graph.nodes[i].after;
            if !after.is_empty() {
                waiting(i, after.iter().map(|a| graph.nodes[*a].key.clone()).collect());
            }
        }
        let mut done: Vec<Option<Finished>> = (0..count).map(|_| None).collect();
        let mut begun = vec![false; count];
        // Skipped because of a failure: such a one does not satisfy those that wait for it.
        let mut blocked = vec![false; count];
        let mut running = FuturesUnordered::new();
        let mut halted = false;
        let mut first = 0;
        loop {
            let mut progressed = true;
            while progressed && !halted && !self.stopping() {
                progressed = false;
                while first < count && begun[graph.sequence[first]] {
                    first += 1;
                }
                for &i in &graph.sequence[first..] {
                    if running.len() >= most {
                        break;
                    }
                    if begun[i] || !graph.nodes[i].after.iter().all(|a| done[*a].is_some()) {
                        continue;
                    }
                    begun[i] = true;
                    // In a dry run what cannot be told has not failed.
                    let dry = self.world.is_dry();
                    let satisfies = |f: &Finished| f.pass.outcome.is_good() || (dry && f.pass.undecided);
                    let bad = graph.nodes[i].after.iter().find(|a| blocked[**a] || !done[**a].as_ref().is_some_and(&satisfies));
                    if let Some(&bad) = bad {
                        let what = done[bad].as_ref().map_or("failed", |f| match f.pass.outcome {
                            Outcome::Unknown => "could not be told",
                            Outcome::Skipped => "was skipped because of that",
                            _ => "failed",
                        });
                        let other = &graph.nodes[bad].key;
                        let reason = match graph.reversed {
                            true => format!("{other} needs it and comes first, which {what}"),
                            false => format!("it needs {other}, which {what}"),
                        };
                        done[i] = Some(skip(i, reason));
                        blocked[i] = true;
                        progressed = true;
                        break;
                    }
                    let after = graph.nodes[i].after.iter().map(|a| graph.nodes[*a].key.clone()).collect();
                    let future = run(i, after);
                    running.push(async move { (i, future.await) });
                    // Nodes that wait for nothing are begun in one sweep; a skip above may have freed others.
                }
            }
            let Some((i, finished)) = running.next().await else { break };
            halted |= !finished.flow.is_next() && (!tolerant || !matches!(finished.flow, Flow::Fail(_)));
            done[i] = Some(finished);
        }
        drop(running);
        self.note_chain(Chain::of(graph, &done));
        done
    }
}
