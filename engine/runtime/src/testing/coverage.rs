//! Coverage: the points of a playbook that a test can take, and those that a run took.

use std::collections::{BTreeSet, HashMap, HashSet};

use runbook_core::event::{Event, Outcome};
use runbook_core::model::{
    AnswerName, Body, Branch, Confirm, Contents, GraphNode, NodeKind, Over, Placed, Plan, Playbook, TriageGraph, each_placed,
};
use runbook_core::path::StepPath;
use runbook_core::span::{SourceMap, Span};
use runbook_core::tested::{Point, PointKey, PointKind};
use runbook_core::world::Reply;

/// Every point of a playbook, in file order.
pub fn points(playbook: &Playbook, sources: &SourceMap) -> Vec<Point> {
    let mut out = Vec::new();
    if let Contents::Triage(tree) = &playbook.contents {
        tree_points(playbook, &tree.graph(), sources, &mut out);
    }
    each_placed(playbook, &mut |placed| step_points(playbook, &placed, sources, &mut out));
    if !playbook.rescue.is_empty() {
        let key = PointKey { playbook: playbook.full_name.clone(), path: String::new(), kind: PointKind::Rescued };
        let place = playbook.rescue.first().and_then(|s| sources.place(s.body_span));
        out.push(Point { key, what: "`rescue` of the playbook".to_owned(), label: playbook.name.clone(), place, taken: false });
    }
    out.sort_by_key(|point| point.place.as_ref().map(|p| (p.line, p.column)));
    out
}

/// The points of a tree: every question with every answer, every finding, and every node that may be passed over.
fn tree_points(playbook: &Playbook, graph: &TriageGraph<'_>, sources: &SourceMap, out: &mut Vec<Point>) {
    for (at, GraphNode { node, .. }) in graph.nodes.iter().enumerate() {
        let id = node.id.as_ref().map(|id| id.value.clone());
        let label = id.unwrap_or_else(|| node.leaf().map_or(&node.key, |leaf| &leaf.finding.value).clone());
        let mut add = |kind: PointKind, what: String, span: Span| {
            let key = PointKey { playbook: playbook.full_name.clone(), path: node.path.clone(), kind };
            // A case may be called as the answer of all other choices is.
            if out.iter().rev().take_while(|p| p.key.path == key.path).all(|p| p.key != key) {
                out.push(Point { key, what, label: label.clone(), place: sources.place(span), taken: false });
            }
        };
        match &node.kind {
            NodeKind::Leaf(leaf) => add(PointKind::Ran, format!("the finding `{}`", leaf.finding.value), leaf.finding.span),
            NodeKind::Question(question) => {
                let asked = question.ask.span;
                add(PointKind::Ran, format!("the question {:?}", question.ask.text), asked);
                for answer in graph.edges(at).into_iter().filter_map(|edge| edge.answer) {
                    let branch = question.branches().into_iter().find(|(name, _)| *name == answer).and_then(|(_, b)| b);
                    let what = match answer {
                        AnswerName::Default => "any other choice".to_owned(),
                        name => format!("the answer `{}`", name.as_str()),
                    };
                    add(PointKind::Answer(answer.as_str().to_owned()), what, branch.and_then(begins).unwrap_or(asked));
                }
            }
        }
        if let Some(when) = &node.when {
            add(PointKind::WhenFalse, format!("`when: {}` is false", when.text), when.span);
        }
    }
}

/// Where a branch is written.
fn begins(branch: &Branch) -> Option<Span> {
    match branch {
        Branch::Continue(span) => Some(*span),
        Branch::Goto(id) => Some(id.span),
        Branch::Nodes(nodes) => nodes.first().map(|node| match &node.kind {
            NodeKind::Question(question) => question.ask.span,
            NodeKind::Leaf(leaf) => leaf.finding.span,
        }),
    }
}

fn step_points(playbook: &Playbook, placed: &Placed<'_>, sources: &SourceMap, out: &mut Vec<Point>) {
    let step = placed.step;
    let label = step.id.as_ref().map(|i| i.value.clone()).or_else(|| step.name.as_ref().map(|n| n.text.to_string()));
    let label = label.unwrap_or_else(|| placed.path.clone());
    let mut add = |kind: PointKind, what: String, span| {
        let key = PointKey { playbook: playbook.full_name.clone(), path: placed.path.clone(), kind };
        out.push(Point { key, what, label: label.clone(), place: sources.place(span), taken: false });
    };
    let within = match placed.list {
        "steps" | "checks" | "block" | "parallel" | "check" | "see" => String::new(),
        list => format!(" in `{list}`"),
    };
    add(PointKind::Ran, format!("the `{}`{within}", step.body.word()), step.body_span);
    if let Some(when) = &step.when {
        add(PointKind::WhenFalse, format!("`when: {}` is false", when.text), when.span);
    }
    if let Some(each) = &step.each
        && let Over::Expr(expr) = &each.over
        && &*expr.text != "services"
    {
        add(PointKind::NoItems, format!("`for_each: {}` has no items", expr.text), each.span);
    }
    if matches!(step.confirm, Some(Confirm::Yes | Confirm::Type(_) | Confirm::Each)) {
        add(PointKind::Declined, "`confirm` is declined".to_owned(), step.body_span);
    }
    if let Body::Block(block) = &step.body
        && let Some(first) = block.rescue.first()
    {
        add(PointKind::Rescued, "its `rescue`".to_owned(), first.body_span);
    }
    if let Some(first) = step.undo.first() {
        add(PointKind::Undone, "its `undo`".to_owned(), first.body_span);
    }
}

/// The points that a run took.
pub(super) fn taken(plan: &Plan, events: &[Event]) -> BTreeSet<PointKey> {
    let mut run = Run { plan, loops: HashMap::new(), passes: HashMap::new(), ran: HashMap::new(), taken: BTreeSet::new() };
    events.iter().for_each(|event| run.event(event));
    let Run { ran, mut taken, .. } = run;
    taken.extend(ran.into_iter().filter(|(_, n)| *n > 0).map(|(key, _)| key));
    taken
}

/// A run on its way through coverage.
struct Run<'a> {
    plan: &'a Plan,
    /// The paths of loops, by playbook.
    loops: HashMap<String, HashSet<String>>,
    /// How many passes the loops that were begun have had.
    passes: HashMap<String, usize>,
    /// How often each step was run; a declined one was not.
    ran: HashMap<PointKey, i64>,
    taken: BTreeSet<PointKey>,
}

impl Run<'_> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::StepStarted { path, item, .. } => {
                self.pass(path, item.is_some());
                let key = self.key(path, PointKind::Ran);
                if item.is_none() && self.is_loop(&key) {
                    self.passes.entry(path.as_str().to_owned()).or_insert(0);
                    return;
                }
                for (list, kind) in [("rescue", PointKind::Rescued), ("undo", PointKind::Undone)] {
                    // The list is taken by its own steps, and not by those further inside.
                    let (around, last) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
                    if last.strip_prefix(list).is_some_and(|rest| rest.starts_with('[')) {
                        self.taken.insert(PointKey { playbook: key.playbook.clone(), path: around.to_owned(), kind });
                    }
                }
                *self.ran.entry(key).or_insert(0) += 1;
            }
            Event::StepFinished { path, item, outcome, message, .. } => {
                self.pass(path, item.is_some());
                if *outcome == Outcome::Skipped && message.starts_with("when: ") {
                    let key = self.key(path, PointKind::WhenFalse);
                    self.taken.insert(key);
                } else if item.is_none() && self.passes.get(path.as_str()) == Some(&0) && outcome.is_good() {
                    let key = self.key(path, PointKind::NoItems);
                    self.taken.insert(key);
                }
            }
            Event::NodeAnswered { path, branch, .. } => {
                let key = self.key(path, PointKind::Answer(branch.clone()));
                self.taken.insert(key);
            }
            Event::Replied { path, reply: Reply::Declined { .. }, .. } => {
                let key = self.key(path, PointKind::Declined);
                *self.ran.entry(PointKey { kind: PointKind::Ran, ..key.clone() }).or_insert(0) -= 1;
                self.taken.insert(key);
            }
            _ => {}
        }
    }

    fn key(&self, path: &StepPath, kind: PointKind) -> PointKey {
        let (unit, place) = path.place();
        PointKey { playbook: unit.unwrap_or(&self.plan.root).to_owned(), path: place, kind }
    }

    /// Counts a pass of the loop around it.
    fn pass(&mut self, path: &StepPath, is_pass: bool) {
        if let Some((whole, _)) = path.as_str().rsplit_once('@').filter(|_| is_pass)
            && let Some(n) = self.passes.get_mut(whole)
        {
            *n += 1;
        }
    }

    fn is_loop(&mut self, key: &PointKey) -> bool {
        let plan = self.plan;
        let loops = self.loops.entry(key.playbook.clone()).or_insert_with(|| {
            let mut loops = HashSet::new();
            if let Some(unit) = plan.units.get(&key.playbook) {
                each_placed(&unit.playbook, &mut |placed| {
                    if placed.step.each.is_some() {
                        loops.insert(placed.path);
                    }
                });
            }
            loops
        });
        loops.contains(&key.path)
    }
}
