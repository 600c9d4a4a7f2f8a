//! Steps, blocks and what runs at the same time.

use std::collections::HashMap;

use runbook_core::expr::Expr;
use runbook_core::model::{Body, Confirm, Step, StepSeverity};
use runbook_core::module::Effect;
use runbook_core::path::StepPath;

use super::{At, Builder, EdgeKind, Entry, Kind, Limb, Node, effect_word, node_of};
use crate::step_words as step_text;

impl Builder<'_> {
    /// A list of steps: each after the one before, unless their order says nothing.
    pub(super) fn list(&mut self, steps: &[Step], at: &At) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(steps.len());
        let mut before: Option<usize> = None;
        for (i, step) in steps.iter().enumerate() {
            let entry = self.step(step, i, at);
            if let Some(node) = node_of(&entry)
                && let Some(before) = before.replace(node)
                && !at.unordered
            {
                self.link(before, node, "", EdgeKind::Next);
            }
            entries.push(entry);
        }
        entries
    }

    fn step(&mut self, step: &Step, i: usize, at: &At) -> Entry {
        // Inside of a loop its item has a name, though no value.
        let inside = self.known.in_pass(step);
        let outside = std::mem::replace(&mut self.known, inside);
        let entry = self.known_step(step, i, at);
        self.known = outside;
        entry
    }

    fn known_step(&mut self, step: &Step, i: usize, at: &At) -> Entry {
        let path = at.path.child(at.list, i);
        let number = at.prefix.as_ref().map(|p| format!("{p}{}", i + 1));
        let effect = self.effects.of(step);
        let mut node = Node {
            id: self.id_of(step, &path),
            number: number.clone().unwrap_or_default(),
            kind: kind(&step.body, effect),
            word: word(&step.body, effect),
            label: step_text::label(step, &self.known),
            what: step_text::what(step, &self.known, self.registry),
            notes: self.notes(step, effect),
            group: at.group,
            place: self.place(step.body_span),
            ..Node::default()
        };
        if node.what == node.label {
            node.what.clear();
        }
        let inner =
            At { path: path.clone(), list: "block", prefix: number.map(|n| format!("{n}.")), group: None, unordered: false };
        match &step.body {
            Body::Block(block) => {
                // A name says enough; `block` says nothing.
                node.what = String::new();
                node.label = title(step, node.label, "A group of steps");
                let node = self.add(node);
                let own = At { group: Some(node), ..inner };
                if block.rescue.is_empty() && block.always.is_empty() {
                    let entries = self.list(&block.steps, &own);
                    return group(node, entries);
                }
                self.guarded(block, node, &own)
            }
            Body::Parallel(children) => {
                node.what = String::new();
                node.label = title(step, node.label, "At the same time");
                if node.label != "At the same time" {
                    node.notes.insert(0, "at the same time".to_owned());
                }
                let node = self.add(node);
                let own = At { list: "parallel", group: Some(node), unordered: true, ..inner };
                let entries = self.list(children, &own);
                let ids: HashMap<&str, usize> = children
                    .iter()
                    .zip(&entries)
                    .filter_map(|(child, entry)| Some((child.id.as_ref()?.value.as_str(), node_of(entry)?)))
                    .collect();
                for (child, entry) in children.iter().zip(&entries) {
                    for need in &child.needs {
                        if let (Some(&from), Some(to)) = (ids.get(need.value.as_str()), node_of(entry)) {
                            self.link(from, to, "", EdgeKind::Needs);
                        }
                    }
                }
                group(node, entries)
            }
            _ => match self.passes(step, &path, node) {
                Ok(entry) => entry,
                Err(node) => {
                    let node = self.add(*node);
                    Entry::Node { node, limbs: Vec::new() }
                }
            },
        }
    }

    /// A block with `rescue` or `always`: its steps, what is done when one failed, and what is done in any case.
    fn guarded(&mut self, block: &runbook_core::model::Block, outer: usize, own: &At) -> Entry {
        let parts: [(&'static str, &str, &[Step]); 3] = [
            ("block", "Steps", &block.steps),
            ("rescue", "If one fails", &block.rescue),
            ("always", "In any case", &block.always),
        ];
        let mut entries = Vec::new();
        let mut made: Vec<(&str, usize)> = Vec::new();
        for (list, title, steps) in parts {
            if steps.is_empty() {
                continue;
            }
            let part = self.add(Node {
                id: own.path.part(list).as_str().to_owned(),
                kind: Kind::Group(self.effects.worst(steps.iter())),
                label: title.to_owned(),
                group: Some(outer),
                ..Node::default()
            });
            let prefix = own.prefix.clone().filter(|_| list == "block");
            let inner = self.list(steps, &At { list, group: Some(part), prefix, ..own.clone() });
            entries.push(group(part, inner));
            made.push((list, part));
        }
        let find = |name: &str| made.iter().find(|(n, _)| *n == name).map(|(_, node)| *node);
        if let (Some(from), Some(to)) = (find("block"), find("rescue")) {
            self.link(from, to, "if one fails", EdgeKind::Failed);
        }
        if let Some(to) = find("always") {
            for from in [find("block"), find("rescue")].into_iter().flatten() {
                self.link(from, to, "", EdgeKind::Always);
            }
        }
        group(outer, entries)
    }

    /// The step's id; its path if it has none, or if the picture has that id already.
    fn id_of(&self, step: &Step, path: &StepPath) -> String {
        match &step.id {
            Some(id) if !self.ids.contains(&id.value) => id.value.clone(),
            _ => path.as_str().to_owned(),
        }
    }

    /// What is to be known about a step besides what it runs.
    fn notes(&self, step: &Step, effect: Effect) -> Vec<String> {
        let known = &self.known;
        let mut notes = Vec::new();
        notes.extend(step.each.as_ref().map(|each| step_text::each(each, known)));
        if let (Body::Fail(text) | Body::Stop(text) | Body::Note(text) | Body::Manual(text), Some(_)) = (&step.body, &step.name) {
            notes.push(known.text(text).trim().to_owned());
        }
        notes.extend(step.when.as_ref().map(|when| format!("only if {}", one_line(when))));
        notes.extend(step.every.as_ref().map(|every| format!("every {} until the others have ended", known.line(every))));
        if !step.expect.is_empty() {
            let all: Vec<String> = step.expect.iter().map(one_line).collect();
            notes.push(format!("expect {}", all.join(" and ")));
        }
        notes.extend(
            step.grade.as_ref().map(|grade| format!("{}: {}", one_line(&grade.value), step_text::limits(&grade.limits, known))),
        );
        if step.severity == StepSeverity::Warning {
            notes.push("a failure is a warning".to_owned());
        }
        notes.extend(step.retry.as_ref().map(|retry| step_text::retry(retry, known)));
        notes.extend(match &step.confirm {
            Some(Confirm::Type(word)) => Some(format!("asks to type \"{}\"", known.text(word))),
            Some(Confirm::Each) => Some("asks before each".to_owned()),
            Some(Confirm::Yes) if effect < Effect::Destroy => Some("asks before it runs".to_owned()),
            _ if effect == Effect::Destroy && !matches!(step.body, Body::Block(_) | Body::Parallel(_) | Body::Play { .. }) => {
                Some("asks to type a word".to_owned())
            }
            _ => None,
        });
        if !step.verify.is_empty() {
            notes.push(format!("then looks: {}", step_text::names(&step.verify, known, self.registry)));
        }
        if !step.undo.is_empty() {
            notes.push(format!("taken back by: {}", step_text::names(&step.undo, known, self.registry)));
        }
        if step.continue_on_error.is_some() {
            notes.push("goes on if it fails".to_owned());
        }
        notes
    }
}

/// A group with what is in it.
fn group(node: usize, entries: Vec<Entry>) -> Entry {
    Entry::Node { node, limbs: vec![Limb { label: String::new(), entries }] }
}

/// The title of a group: its name or id, else what it is.
fn title(step: &Step, label: String, otherwise: &str) -> String {
    if step.name.is_some() || step.id.is_some() { label } else { otherwise.to_owned() }
}

pub(super) fn one_line(expr: &Expr) -> String {
    expr.text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn kind(body: &Body, effect: Effect) -> Kind {
    match body {
        Body::Block(_) | Body::Parallel(_) => Kind::Group(effect),
        Body::Ask(_) | Body::Manual(_) => Kind::Person,
        Body::Fail(_) => Kind::Fail,
        Body::Stop(_) => Kind::Stop,
        Body::Play { .. } => Kind::Play(effect),
        Body::Module(_) | Body::Set(_) | Body::Note(_) | Body::Wait(_) => Kind::of(effect),
    }
}

/// What a step is, in a word or two.
fn word(body: &Body, effect: Effect) -> String {
    match body {
        Body::Ask(_) => "question".to_owned(),
        Body::Manual(_) => "by hand".to_owned(),
        Body::Note(_) => "note".to_owned(),
        Body::Set(_) => "set".to_owned(),
        Body::Wait(_) => "wait".to_owned(),
        Body::Fail(_) => "stops as failed".to_owned(),
        Body::Stop(_) => "stops as succeeded".to_owned(),
        Body::Block(_) | Body::Parallel(_) | Body::Module(_) | Body::Play { .. } => effect_word(effect),
    }
}
