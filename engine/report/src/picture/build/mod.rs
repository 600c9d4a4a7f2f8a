//! From a plan to its picture.

mod loops;
mod steps;
mod tree;

use std::collections::HashSet;

use runbook_core::model::{Contents, Plan, Step};
use runbook_core::module::{Effect, Registry};
use runbook_core::path::StepPath;
use runbook_core::span::Span;

use super::{Edge, EdgeKind, Entry, Kind, Limb, Node, Picture};
use crate::effects::Effects;
use crate::known::Known;
use crate::show;

impl Picture {
    /// The picture of a plan's playbook, with the values that are known of it.
    pub fn of<'a>(plan: &'a Plan, registry: &'a Registry, known: &Known<'a>) -> Picture {
        let unit = plan.root_unit();
        let playbook = &unit.playbook;
        let picture = Picture {
            name: playbook.full_name.clone(),
            title: playbook.title.value.clone(),
            kind: show::kind(playbook),
            source: playbook.source.clone().unwrap_or_default(),
            ..Picture::default()
        };
        let effects = Effects::new(registry, plan, unit);
        let mut builder = Builder { plan, registry, known: known.clone(), effects, ids: HashSet::new(), picture };
        builder.playbook();
        builder.picture
    }
}

/// Makes a picture, node by node.
struct Builder<'a> {
    plan: &'a Plan,
    registry: &'a Registry,
    known: Known<'a>,
    effects: Effects<'a>,
    ids: HashSet<String>,
    picture: Picture,
}

/// Where a list of steps stands.
#[derive(Clone)]
struct At {
    path: StepPath,
    list: &'static str,
    /// What the numbers of its steps begin with; none where they have no numbers.
    prefix: Option<String>,
    group: Option<usize>,
    /// Whether the steps are all made, in whatever order, so that none comes after another.
    unordered: bool,
}

impl<'a> Builder<'a> {
    fn playbook(&mut self) {
        let unit = self.plan.root_unit();
        let playbook = &unit.playbook;
        let mut outline = Vec::new();
        let mut last = None;
        let requires = self.section("requires", "Before anything else", "checks", &playbook.requires, true);
        self.follow(&mut outline, &mut last, requires);
        match &playbook.contents {
            Contents::Triage(tree) => outline.extend(self.tree(tree, last.take())),
            Contents::Steps(steps) if playbook.rescue.is_empty() && playbook.always.is_empty() => {
                let at = At::top("steps");
                let entries = self.list(steps, &at);
                // The first comes after the preconditions, and the postconditions after the last.
                let ends = (first(&entries), entries.last().and_then(node_of));
                if let (Some(before), Some(first)) = (last, ends.0) {
                    self.link(before, first, "", EdgeKind::Next);
                }
                last = ends.1.or(last);
                outline.extend(entries);
            }
            Contents::Steps(steps) => {
                let section = self.section("steps", "Steps", "", steps, false);
                self.follow(&mut outline, &mut last, section);
            }
            Contents::Checks(steps) => {
                let section = self.section("checks", "Checks", "every one is made", steps, true);
                self.follow(&mut outline, &mut last, section);
            }
        }
        let main = last;
        let verify = self.section("verify", "At the end", "checks", &playbook.verify, true);
        self.follow(&mut outline, &mut last, verify);
        let rescue = self.section("rescue", "If it failed", "", &playbook.rescue, false);
        let rescued = rescue.as_ref().and_then(node_of);
        if let (Some(from), Some(to)) = (main, rescued) {
            self.link(from, to, "if it fails", EdgeKind::Failed);
        }
        outline.extend(rescue);
        if let Some(always) = self.section("always", "In any case", "", &playbook.always, false) {
            if let Some(to) = node_of(&always) {
                for from in last.into_iter().chain(rescued) {
                    self.link(from, to, "", EdgeKind::Always);
                }
            }
            outline.push(always);
        }
        self.picture.outline = outline;
    }

    /// A group for one of a playbook's own lists of steps; none if the list is empty.
    fn section(&mut self, list: &'static str, title: &str, note: &str, steps: &[Step], unordered: bool) -> Option<Entry> {
        let (first, last) = (steps.first()?, steps.last()?);
        let effect = self.effects.worst(steps.iter());
        let node = self.add(Node {
            id: list.to_owned(),
            kind: Kind::Group(effect),
            label: title.to_owned(),
            notes: Some(note).filter(|n| !n.is_empty()).map(str::to_owned).into_iter().collect(),
            place: self.place(first.span.to(last.span)),
            stacked: unordered,
            ..Node::default()
        });
        let at = At { group: Some(node), unordered, ..At::top(list) };
        let entries = self.list(steps, &at);
        Some(Entry::Node { node, limbs: vec![Limb { label: String::new(), entries }] })
    }

    /// Puts an entry after the one before.
    fn follow(&mut self, outline: &mut Vec<Entry>, last: &mut Option<usize>, entry: Option<Entry>) {
        let Some(entry) = entry else { return };
        if let Some(node) = node_of(&entry)
            && let Some(before) = last.replace(node)
        {
            self.link(before, node, "", EdgeKind::Next);
        }
        outline.push(entry);
    }

    fn add(&mut self, node: Node) -> usize {
        self.ids.insert(node.id.clone());
        self.picture.nodes.push(node);
        self.picture.nodes.len() - 1
    }

    fn link(&mut self, from: usize, to: usize, label: &str, kind: EdgeKind) {
        self.picture.edges.push(Edge { from, to, label: label.to_owned(), kind });
    }

    /// File and line of a place.
    fn place(&self, span: Span) -> String {
        self.plan.sources.place(span).map(|p| format!("{}:{}", p.file, p.line)).unwrap_or_default()
    }
}

impl At {
    fn top(list: &'static str) -> At {
        // What a playbook consists of is numbered; what is around it is not, so that each number is there once.
        let prefix = matches!(list, "steps" | "checks").then(String::new);
        At { path: StepPath::root(), list, prefix, group: None, unordered: false }
    }
}

fn node_of(entry: &Entry) -> Option<usize> {
    match entry {
        Entry::Node { node, .. } => Some(*node),
        _ => None,
    }
}

fn first(entries: &[Entry]) -> Option<usize> {
    entries.first().and_then(node_of)
}

/// The words of a group's worst effect; nothing for one that only looks.
fn effect_word(effect: Effect) -> String {
    effect.word().to_owned()
}
