//! Loops whose items are known: each item with what it waits for.

use runbook_core::model::{Body, Order, Step};
use runbook_core::path::StepPath;
use runbook_core::value::Value;

use super::{Builder, EdgeKind, Entry, Kind, Limb, Node};

/// A loop over more items is drawn as one step.
const MOST: usize = 200;

impl Builder<'_> {
    /// A loop in the order of its items' needs, as a group of its items. Gives the node back if the step is no such loop, or if its
    /// items are not known before it runs.
    pub(super) fn passes(&mut self, step: &Step, path: &StepPath, mut node: Node) -> Result<Entry, Box<Node>> {
        let Some(each) = step.each.as_ref().filter(|e| matches!(e.order, Order::Dependencies | Order::ReverseDependencies))
        else {
            return Err(Box::new(node));
        };
        let Some(items) = self.known.items(each).filter(|i| i.len() <= MOST) else { return Err(Box::new(node)) };
        let (kind, effect) = (node.kind, self.effects.of(step));
        let parent = node.group;
        let place = node.place.clone();
        node.kind = Kind::Group(effect);
        node.group = parent;
        let group = self.add(node);
        let mut nodes = Vec::with_capacity(items.len());
        for (key, item) in &items {
            nodes.push(self.add(Node {
                id: path.item(key).as_str().to_owned(),
                kind,
                word: String::new(),
                label: key.clone(),
                notes: self.about_item(step, item),
                group: Some(group),
                place: place.clone(),
                ..Node::default()
            }));
        }
        for (i, (_, item)) in items.iter().enumerate() {
            let needs = item.field("needs");
            for need in needs.as_list().unwrap_or_default().iter().filter_map(Value::as_str) {
                let Some(needed) = items.iter().position(|(key, _)| key == need) else { continue };
                let (from, to) = if each.order == Order::Dependencies { (needed, i) } else { (i, needed) };
                self.link(nodes[from], nodes[to], "", EdgeKind::Needs);
            }
        }
        let entries =
            order(&nodes, &self.picture.edges).into_iter().map(|node| Entry::Node { node, limbs: Vec::new() }).collect();
        Ok(Entry::Node { node: group, limbs: vec![Limb { label: String::new(), entries }] })
    }

    /// What is to be known about one item: of a service where it listens, and whether it is there at all.
    fn about_item(&self, step: &Step, item: &Value) -> Vec<String> {
        let mut notes = Vec::new();
        let is_service = matches!(&step.body, Body::Module(call) if call.name.value.starts_with("service"));
        if !is_service {
            return notes;
        }
        let port = item.field("port");
        if !port.is_null() && !port.is_unknown() {
            notes.push(format!("port {port}"));
        }
        if item.field("manager").as_str() == Some("external") {
            notes.push("external: not started or stopped here".to_owned());
        }
        if item.field("enabled").truth() == Some(false) && !item.field("enabled").is_null() {
            notes.push("not enabled".to_owned());
        }
        let present = item.field("id").as_str().and_then(|id| self.plan.root_unit().system.services.get(id));
        if present.is_some_and(|s| !s.present.is_empty()) {
            notes.push("only where it is installed".to_owned());
        }
        notes
    }
}

/// The nodes so that each comes after those it waits for; otherwise as they are.
fn order(nodes: &[usize], edges: &[super::Edge]) -> Vec<usize> {
    let edges: Vec<&super::Edge> = edges.iter().filter(|e| e.from != e.to && nodes.contains(&e.to)).collect();
    let mut left: Vec<usize> = nodes.to_vec();
    let mut out = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let ready: Vec<usize> =
            left.iter().copied().filter(|node| !edges.iter().any(|e| e.to == *node && left.contains(&e.from))).collect();
        if ready.is_empty() {
            // A circle, which the checker refuses for services.
            out.append(&mut left);
            break;
        }
        left.retain(|n| !ready.contains(n));
        out.extend(ready);
    }
    out
}
