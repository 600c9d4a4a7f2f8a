//! What is known of the steps of a run: who belongs to whom, and what each is called.

use std::collections::HashMap;

use runbook_core::event::{Counts, Outcome, Outline};
use runbook_core::path::StepPath;

/// A step that began and has not ended.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) parent: StepPath,
    pub(crate) label: String,
    pub(crate) body: String,
    pub(crate) group: bool,
    /// Whether the line that opens a group was printed.
    pub(crate) opened: bool,
    /// What became of its children.
    pub(crate) children: Counts,
}

/// The steps of a run.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    open: HashMap<StepPath, Step>,
    numbers: HashMap<StepPath, usize>,
    total: usize,
}

/// What a step is called: the item's key in a loop, unless the name says it already.
pub(crate) fn step_label(name: &str, item: Option<&str>) -> String {
    match item {
        None => name.to_owned(),
        Some(item) if name.contains(item) && !item.chars().all(|c| c.is_ascii_digit()) => name.to_owned(),
        Some(item) if item.chars().all(|c| c.is_ascii_digit()) => format!("{name} [{item}]"),
        Some(item) => item.to_owned(),
    }
}

impl Steps {
    pub(crate) fn set_outline(&mut self, outline: &[Outline]) {
        self.total = outline.len();
        self.numbers = outline.iter().enumerate().map(|(i, o)| (o.path.clone(), i + 1)).collect();
    }

    pub(crate) fn insert(&mut self, path: StepPath, step: Step) {
        self.open.insert(path, step);
    }

    pub(crate) fn get(&self, path: &StepPath) -> Option<&Step> {
        self.open.get(path)
    }

    pub(crate) fn get_mut(&mut self, path: &StepPath) -> Option<&mut Step> {
        self.open.get_mut(path)
    }

    /// Forgets a step; with a group, all within.
    pub(crate) fn remove(&mut self, path: &StepPath) {
        if self.open.remove(path).is_some_and(|s| s.group) {
            self.open.retain(|p, _| !p.is_within(path));
        }
    }

    /// The steps that began and have not ended, by path.
    pub(crate) fn running(&self) -> Vec<(&StepPath, &Step)> {
        let mut all: Vec<_> = self.open.iter().filter(|(_, s)| !s.group).collect();
        all.sort_by_key(|(p, _)| (*p).clone());
        all
    }

    /// `3/6`, or nothing for a step outside the outline.
    pub(crate) fn tag(&self, path: &StepPath) -> String {
        self.numbers.get(path).map(|n| format!("{n}/{}", self.total)).unwrap_or_default()
    }

    /// How wide the widest tag is.
    pub(crate) fn tag_width(&self) -> usize {
        if self.total == 0 { 0 } else { 2 * self.total.to_string().len() + 1 }
    }

    /// The groups around a step, the outermost first.
    pub(crate) fn ancestors(&self, parent: &StepPath) -> Vec<StepPath> {
        let mut out = Vec::new();
        let mut at = parent.clone();
        // The bound guards against a record that names itself as its parent.
        while !at.as_str().is_empty() && out.len() < 64 {
            // What a played playbook does belongs to the step that plays it.
            if !self.open.contains_key(&at)
                && let Some(player) = at.played_by().filter(|p| self.open.contains_key(p))
            {
                at = player;
            }
            let next = self.open.get(&at).map(|s| s.parent.clone()).unwrap_or_else(StepPath::root);
            out.push(at);
            at = next;
        }
        out.reverse();
        out
    }

    pub(crate) fn count_child(&mut self, parent: &StepPath, outcome: Outcome) {
        if let Some(step) = self.open.get_mut(parent) {
            step.children.add(outcome);
        }
    }
}

/// `8 ok, 1 failed`: what became of some steps, in words.
pub(crate) fn count_words(counts: &Counts) -> Vec<(Option<Outcome>, String)> {
    [
        (Some(Outcome::Ok), counts.ok, "ok"),
        (Some(Outcome::Changed), counts.changed, "changed"),
        (Some(Outcome::Failed), counts.failed, "failed"),
        (Some(Outcome::Unknown), counts.unknown, "unknown"),
        (Some(Outcome::Skipped), counts.skipped, "skipped"),
        (None, counts.not_started, "not started"),
    ]
    .into_iter()
    .filter(|(_, n, _)| *n > 0)
    .map(|(o, n, word)| (o, format!("{n} {word}")))
    .collect()
}
