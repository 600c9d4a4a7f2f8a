//! Triage trees: the walk from node to node.
//!
//! The walk stands at one node. A question's answer says where it goes next ([`super::question`]); a leaf makes a finding and goes on
//! ([`super::finding`]). A tree that was walked to its end has succeeded, whatever it found.

use jiff::SignedDuration;
use runbook_core::event::{Event, Outcome};
use runbook_core::expr::Expr;
use runbook_core::model::{Body, NodeKind, Step, TreeNode, Triage, TriageGraph};
use runbook_core::module::Effect;
use runbook_core::path::StepPath;
use runbook_core::value::Value;

use super::flow::{Abort, Failure, Finished, Flow, Pass};
use super::frame::Env;
use super::remedy::{After, Tried};
use super::session::Session;
use super::{Interpreter, locked, millis};

/// How often one node may be visited. A tree that goes around has an exit, but what is looked at may never take it.
const MAX_VISITS: u32 = 100;

/// A node that is being visited.
pub(crate) struct Visit<'t> {
    pub(crate) graph: &'t TriageGraph<'t>,
    /// Its index in the graph.
    pub(crate) at: usize,
    pub(crate) node: &'t TreeNode,
    /// Its path in the walk; a further visit has its number behind it.
    pub(crate) path: StepPath,
    /// The id of its question: the node's id, else its path without the number of the visit.
    pub(crate) question: String,
    /// What it is called.
    pub(crate) name: String,
    pub(crate) began: jiff::Timestamp,
}

/// Where the walk goes from a node.
pub(crate) enum Where {
    /// To a node; none is the end of the tree.
    To(Option<usize>),
    /// Back to the question before.
    Back,
}

/// How a visit ended: where the walk goes, and the pass that is kept as the node's result.
pub(crate) type Visited = (Result<Where, Flow>, Pass);

impl Interpreter<'_> {
    /// Walks a tree from its first node to its end; at the end a remedy may be run, and the tree asked again.
    pub(crate) async fn triage(&self, tree: &Triage, env: &Env, path: &StepPath) -> Flow {
        self.seed(tree, env);
        let graph = tree.graph();
        let mut session = Session::default();
        let first = (!graph.nodes.is_empty()).then_some(0);
        let mut next = first;
        // The remedy that was run, until the tree has been asked again.
        let mut tried: Option<Tried> = None;
        loop {
            if let Err(flow) = self.to_the_end(&graph, next, &mut session, env, path).await {
                return flow;
            }
            self.conclude_tree(env);
            if let Some(tried) = tried.take() {
                self.tell_whether_it_helped(tried, &graph, &session, env);
            }
            // A tree that another playbook plays only tells what it found.
            if env.frame.depth > 0 || !env.parent.as_str().is_empty() || self.world.is_dry() {
                return Flow::Next;
            }
            match self.remedies(&graph, &session, env).await {
                Ok(After::Leave) => return Flow::Next,
                Ok(After::Back) => next = self.go_back(&graph, &mut session, env, path),
                Ok(After::Tried(done)) => {
                    tried = Some(done);
                    session.begin_again();
                    self.forget(env);
                    self.seed(tree, env);
                    next = first;
                }
                Err(flow) => return flow,
            }
        }
    }

    /// From a node to the end of the tree.
    async fn to_the_end(
        &self,
        graph: &TriageGraph<'_>,
        mut next: Option<usize>,
        session: &mut Session,
        env: &Env,
        path: &StepPath,
    ) -> Result<(), Flow> {
        while let Some(at) = next {
            if self.stopping() {
                return Err(Flow::Abort(Abort::Stopped));
            }
            let times = session.visit(at);
            let node = graph.nodes[at].node;
            if times > MAX_VISITS {
                let message = format!("the tree came here {MAX_VISITS} times and does not get any further");
                return Err(Flow::Fail(Failure { message, step: node.key.clone(), result: Value::Null, unsure: false }));
            }
            next = match self.visit(graph, at, times, session, env, path).await? {
                Where::To(to) => to,
                Where::Back => self.go_back(graph, session, env, path),
            };
        }
        Ok(())
    }

    /// Back to the question before, with everything as it was when it was asked.
    fn go_back(&self, graph: &TriageGraph<'_>, session: &mut Session, env: &Env, path: &StepPath) -> Option<usize> {
        let (at, question) = session.go_back(env)?;
        let node = graph.nodes[at].node;
        self.emit(Event::WentBack {
            path: path.node(&node.path),
            playbook: env.frame.unit.playbook.full_name.clone(),
            key: node.key.clone(),
            question,
        });
        Some(at)
    }

    /// What was found before a remedy is no longer so.
    fn forget(&self, env: &Env) {
        locked(&env.frame.findings).clear();
        locked(&env.frame.conclusion).forget();
        *locked(&env.frame.verdict) = None;
    }

    async fn visit(
        &self,
        graph: &TriageGraph<'_>,
        at: usize,
        times: u32,
        session: &mut Session,
        env: &Env,
        path: &StepPath,
    ) -> Result<Where, Flow> {
        let node = graph.nodes[at].node;
        let first = path.node(&node.path);
        let question = node.id.as_ref().map_or_else(|| first.to_string(), |id| id.value.clone());
        let path = if times > 1 { first.attempt(times) } else { first };
        let began = self.world.now();
        let name = match &node.kind {
            NodeKind::Question(q) => self.label(&q.ask, env, began),
            NodeKind::Leaf(leaf) => leaf.finding.value.clone(),
        };
        let visit = Visit { graph, at, node, path, question, name, began };
        if let Some(pass) = node.when.as_ref().and_then(|when| self.passed_over(when, env)) {
            let flow = match pass.outcome {
                Outcome::Skipped => Ok(Where::To(graph.nodes[at].next)),
                _ => Err(Flow::Fail(self.node_failure(&visit, &pass))),
            };
            return self.leave(&visit, env, (flow, pass));
        }
        self.emit(Event::StepStarted {
            path: visit.path.clone(),
            parent: env.parent.clone(),
            id: node.id.as_ref().map(|i| i.value.clone()),
            name: visit.name.clone(),
            body: word(node).to_owned(),
            effect: Effect::Read,
            item: None,
            group: true,
            place: self.place(place(node)),
        });
        let visited = match &node.kind {
            NodeKind::Question(question) => self.question(&visit, question, session, env).await,
            NodeKind::Leaf(leaf) => self.leaf(&visit, leaf, env).await,
        };
        self.leave(&visit, env, visited)
    }

    /// Why a node is not visited, if its `when` says so.
    fn passed_over(&self, when: &Expr, env: &Env) -> Option<Pass> {
        match self.condition(when, env, self.world.now()) {
            Ok(true) => None,
            Ok(false) => Some(Pass::skipped(format!("when: {}", when.text))),
            Err(trouble) => Some(Pass::broken(self.told(&trouble))),
        }
    }

    /// Keeps a node's result and tells its end.
    fn leave(&self, visit: &Visit<'_>, env: &Env, (flow, pass): Visited) -> Result<Where, Flow> {
        let duration = self.world.now().duration_since(visit.began).max(SignedDuration::ZERO);
        let (id, place) = (visit.node.id.as_ref().map(|i| i.value.clone()), self.place(place(visit.node)));
        // For those who watch, a question that was answered has gone well, whatever the answer.
        let outcome = match &flow {
            Err(_) => Outcome::Failed,
            Ok(_) if matches!(pass.answer.as_str(), Some("unknown")) => Outcome::Unknown,
            Ok(_) if pass.outcome == Outcome::Skipped && pass.answer.is_null() => Outcome::Skipped,
            Ok(_) => Outcome::Ok,
        };
        let answer =
            pass.answer.as_str().map(|a| if pass.message.is_empty() { a.to_owned() } else { format!("{a}: {}", pass.message) });
        let message = answer.unwrap_or_else(|| pass.message.clone());
        let began_ms = self.ms_since_start(visit.began);
        let finished = Finished { pass, attempts: 1, started_at: visit.began, duration, flow: Flow::Next };
        if let Some(id) = &id {
            env.keep(id, finished.value(&self.node_fields(visit.node)));
        }
        self.emit(Event::StepFinished {
            path: visit.path.clone(),
            parent: env.parent.clone(),
            id,
            name: visit.name.clone(),
            body: word(visit.node).to_owned(),
            item: None,
            group: true,
            outcome,
            message,
            checks: Vec::new(),
            output: Vec::new(),
            graded: None,
            attempts: 1,
            duration_ms: millis(duration),
            began_ms,
            late: false,
            tolerated: outcome == Outcome::Unknown,
            after: Vec::new(),
            place,
        });
        flow
    }

    /// The failure of a node, for `error` in a rescue and for the run's last line.
    pub(crate) fn node_failure(&self, visit: &Visit<'_>, pass: &Pass) -> Failure {
        Failure { message: pass.message.clone(), step: visit.node.key.clone(), result: Value::Null, unsure: pass.unsure }
    }

    /// The scope of a node's checks: they only look.
    pub(crate) fn looking(&self, visit: &Visit<'_>, env: &Env) -> Env {
        Env { limit: Effect::Read, rows: false, ..env.nested().below(&visit.path) }
    }

    /// Gives every node and check that has an id a result, as of one that was passed over: most of a tree is never visited.
    fn seed(&self, tree: &Triage, env: &Env) {
        let now = self.world.now();
        let skipped = |fields: &[&str]| {
            let pass = Pass::skipped("not visited");
            Finished { pass, attempts: 0, started_at: now, duration: SignedDuration::ZERO, flow: Flow::Next }.value(fields)
        };
        for node in tree.nodes() {
            if let Some(id) = &node.id {
                env.keep(&id.value, skipped(&self.node_fields(node)));
            }
            each_step(node.checks(), &mut |step| {
                if let Some(id) = &step.id {
                    env.keep(&id.value, skipped(&self.result_fields(step)));
                }
            });
        }
    }

    /// The fields of a node's result beside the reserved ones: those of its one check.
    fn node_fields<'n>(&'n self, node: &'n TreeNode) -> Vec<&'n str> {
        match (&node.kind, node.checks()) {
            (NodeKind::Question(_), [only]) if only.each.is_none() => self.result_fields(only),
            _ => Vec::new(),
        }
    }
}

/// What a node is, as the body's word of its events.
fn word(node: &TreeNode) -> &'static str {
    match node.kind {
        NodeKind::Question(_) => "question",
        NodeKind::Leaf(_) => "leaf",
    }
}

fn place(node: &TreeNode) -> runbook_core::span::Span {
    match &node.kind {
        NodeKind::Question(question) => question.ask.span,
        NodeKind::Leaf(leaf) => leaf.finding.span,
    }
}

fn each_step<'s>(steps: &'s [Step], f: &mut dyn FnMut(&'s Step)) {
    for step in steps {
        f(step);
        match &step.body {
            Body::Block(block) => [&block.steps, &block.rescue, &block.always].into_iter().for_each(|l| each_step(l, f)),
            Body::Parallel(children) => each_step(children, f),
            _ => {}
        }
    }
}
