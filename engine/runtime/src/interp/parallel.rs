//! `parallel`: children at the same time, as a graph, with companions.

use std::collections::HashMap;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::SignedDuration;
use runbook_core::event::Event;
use runbook_core::model::Step;
use runbook_core::path::StepPath;

use super::Interpreter;
use super::body::group_outcome;
use super::flow::{Abort, Finished, Flow, Pass};
use super::frame::Env;
use super::graph::{Graph, Node};
use super::step::Begun;

impl Interpreter<'_> {
    /// Runs children at the same time. A failed child cancels its siblings unless `continue_on_error`.
    pub(crate) async fn parallel(&self, step: &Step, children: &[Step], env: &Env, path: &StepPath) -> Pass {
        let tolerant = match &step.continue_on_error {
            Some(arg) => self.typed::<bool>(arg, env, self.world.now()).unwrap_or(false),
            None => false,
        };
        let main: Vec<usize> = (0..children.len()).filter(|i| children[*i].every.is_none()).collect();
        let graph = match child_graph(children, &main) {
            Ok(graph) => graph,
            Err(message) => return Pass::failed(message),
        };
        let inner = env.below(path);
        let envs: Vec<Env> = children.iter().map(|_| inner.nested()).collect();
        let run = |n: usize, after: Vec<String>| {
            let i = main[n];
            let (child, env) = (&children[i], &envs[i]);
            async move {
                let mut finished = self.step(child, env, path.child("parallel", i), after).await;
                // Tolerated as a whole: a child's failure is recorded and the others go on.
                if tolerant && matches!(finished.flow, Flow::Fail(_)) {
                    finished.flow = Flow::Next;
                }
                finished
            }
        };
        let skip = |n: usize, reason: String| {
            let i = main[n];
            let begun = Begun { name: self.name_of(&children[i], &envs[i]), item: None, after: Vec::new() };
            self.finish_without_running(&children[i], &envs[i], &path.child("parallel", i), &begun, Pass::skipped(reason))
        };
        let waiting = |n: usize, waiting_for: Vec<String>| {
            let i = main[n];
            self.emit(Event::StepWaiting {
                path: path.child("parallel", i),
                parent: path.clone(),
                name: self.name_of(&children[i], &envs[i]),
                item: None,
                waiting_for,
            });
        };
        let work = std::pin::pin!(self.race(&graph, tolerant, run, skip, waiting));
        let companions = std::pin::pin!(self.companions(children, &envs, path));
        let done = match select(work, companions).await {
            Either::Left((done, _)) => done,
            Either::Right((failed, work)) => match failed {
                // A companion that fails is a failed child; its siblings are cancelled by being dropped.
                Some(finished) if !tolerant => vec![Some(finished)],
                _ => work.await,
            },
        };
        let finished = || done.iter().flatten();
        let touched = finished().any(|f| f.pass.touched);
        let stopper = finished().find(|f| matches!(f.flow, Flow::Abort(_))).or_else(|| finished().find(|f| !f.flow.is_next()));
        if let Some(stopper) = stopper {
            return self.group_pass(stopper.flow.clone(), touched, String::new());
        }
        if self.stopping() && done.iter().any(Option::is_none) {
            return self.group_pass(Flow::Abort(Abort::Stopped), touched, "stopped".to_owned());
        }
        let mut pass = self.group_pass(Flow::Next, touched, String::new());
        let outcome = group_outcome(finished().filter(|f| f.pass.outcome.is_good()).map(|f| f.pass.outcome));
        let failed = finished().filter(|f| !f.pass.outcome.is_good()).count();
        pass.outcome = outcome;
        if failed > 0 {
            pass.message = format!("{failed} of {} failed and were recorded", done.len());
        }
        pass
    }

    /// Runs the graph; when a child fails and failures are not tolerated, the others are dropped at once.
    async fn race<F: Future<Output = Finished>>(
        &self,
        graph: &Graph,
        tolerant: bool,
        run: impl Fn(usize, Vec<String>) -> F,
        skip: impl Fn(usize, String) -> Finished,
        waiting: impl Fn(usize, Vec<String>),
    ) -> Vec<Option<Finished>> {
        if tolerant {
            return self.graph(graph, usize::MAX, true, run, skip, waiting).await;
        }
        // The first failure is passed out of the graph through a channel of one, so that the rest is dropped with it.
        let failed: std::sync::Mutex<Option<Finished>> = std::sync::Mutex::new(None);
        let notify = tokio::sync::Notify::new();
        let watched = |i: usize, after: Vec<String>| {
            let future = run(i, after);
            let (failed, notify) = (&failed, &notify);
            async move {
                let finished = future.await;
                if !finished.flow.is_next() {
                    super::locked(failed).get_or_insert(finished.clone());
                    notify.notify_one();
                }
                finished
            }
        };
        let all = std::pin::pin!(self.graph(graph, usize::MAX, false, watched, skip, waiting));
        let first_failure = std::pin::pin!(notify.notified());
        match select(all, first_failure).await {
            Either::Left((done, _)) => done,
            Either::Right(((), _)) => vec![super::locked(&failed).take()],
        }
    }

    /// Repeats the companions until it is dropped; ends early with one that failed.
    async fn companions(&self, children: &[Step], envs: &[Env], path: &StepPath) -> Option<Finished> {
        let mut running = FuturesUnordered::new();
        for (i, child) in children.iter().enumerate() {
            if let Some(every) = &child.every {
                let env = &envs[i];
                running.push(async move {
                    let path = path.child("parallel", i);
                    let pause = match self.typed::<SignedDuration>(every, env, self.world.now()) {
                        Ok(pause) => pause.max(SignedDuration::from_millis(1)),
                        Err(trouble) => {
                            let begun = Begun { name: self.name_of(child, env), item: None, after: Vec::new() };
                            return self.finish_without_running(child, env, &path, &begun, Pass::failed(self.told(&trouble)));
                        }
                    };
                    let mut round = 0u32;
                    loop {
                        round += 1;
                        let finished = self.step(child, env, path.item(&round.to_string()), Vec::new()).await;
                        if !finished.flow.is_next() {
                            return finished;
                        }
                        self.world.sleep(&path, pause).await;
                        if self.stopping() {
                            let mut finished = finished;
                            finished.flow = Flow::Abort(Abort::Stopped);
                            return finished;
                        }
                    }
                });
            }
        }
        match running.next().await {
            Some(finished) => Some(finished),
            None => std::future::pending().await,
        }
    }
}

/// The graph of the children without `every`, by their `needs`.
fn child_graph(children: &[Step], main: &[usize]) -> Result<Graph, String> {
    let by_id: HashMap<&str, usize> =
        main.iter().enumerate().filter_map(|(n, i)| children[*i].id.as_ref().map(|id| (id.value.as_str(), n))).collect();
    let nodes = main
        .iter()
        .map(|i| {
            let child = &children[*i];
            let after = child
                .needs
                .iter()
                .map(|need| {
                    by_id
                        .get(need.value.as_str())
                        .copied()
                        .ok_or_else(|| format!("it needs `{}`, which is no sibling", need.value))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let key = child.id.as_ref().map_or_else(|| child.body.word().to_owned(), |id| id.value.clone());
            Ok(Node { key, after })
        })
        .collect::<Result<Vec<_>, String>>()?;
    let sequence = (0..nodes.len()).collect();
    Graph::new(nodes, sequence)
}
