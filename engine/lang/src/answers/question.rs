//! The questions that a plan may ask, as far as they are known before it runs.

use runbook_core::expr::Template;
use runbook_core::model::test::is_path;
use runbook_core::model::{AskBody, Body, Confirm, Contents, Param, Plan, Step, TreeQuestion, Unit, each_placed};
use runbook_core::module::{Effect, Kind, Registry};
use runbook_core::path::StepPath;
use runbook_core::span::Span;

use crate::check::effect;

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Question<'p> {
    /// The id of its step or node; none if it has none, and then its path stands for it.
    pub(super) id: Option<&'p str>,
    /// Where its step stands in its playbook.
    pub(super) path: String,
    /// Whether it stands inside a loop, so that its path holds items that are not known yet.
    pub(super) loops: bool,
    /// The full name of its playbook.
    pub(super) unit: &'p str,
    /// Where it is written.
    pub(crate) span: Span,
    /// What it is.
    pub(super) what: What<'p>,
}

/// Kinds of questions.
#[derive(Clone, Debug)]
pub(crate) enum What<'p> {
    /// A parameter that is asked for when it is missing.
    Param(&'p Param),
    /// An `ask` step.
    Ask(&'p AskBody),
    /// A `manual` step.
    Manual(&'p Template),
    /// A confirmation by yes or no.
    Confirm(&'p Step),
    /// A confirmation by a word: the one that is written, or the question's id.
    Word(&'p Step, Option<&'p Template>),
    /// A change that may turn out to lose something, and is confirmed by its id then.
    Maybe,
    /// Whether to accept a failed check.
    Override(&'p Step),
    /// A question of a triage tree.
    Node(&'p TreeQuestion),
}

/// What an id stands for.
pub(crate) enum Found<'q, 'p> {
    /// Questions.
    Questions(Vec<&'q Question<'p>>),
    /// A step that never asks, and why.
    Silent(String),
    /// Nothing.
    Nothing,
}

/// The end of the id of an override.
pub(super) const OVERRIDE: &str = ".override";

/// Every question of a plan.
pub(crate) struct Questions<'r, 'p> {
    root: &'p str,
    units: Vec<(&'p str, &'p Unit)>,
    registry: &'r Registry,
    all: Vec<Question<'p>>,
}

impl<'r, 'p> Questions<'r, 'p> {
    /// The questions of the playbook to run and of those that it plays, in that order.
    pub(super) fn of(plan: &'p Plan, registry: &'r Registry) -> Self {
        let others = plan.units.iter().filter(|(name, _)| **name != plan.root).map(|(_, unit)| unit);
        Self::among(std::iter::once(plan.root_unit()).chain(others), registry)
    }

    /// The questions of playbooks, of which the first is the one to run.
    pub(crate) fn among(units: impl IntoIterator<Item = &'p Unit>, registry: &'r Registry) -> Self {
        let units: Vec<(&str, &Unit)> = units.into_iter().map(|u| (u.playbook.full_name.as_str(), u)).collect();
        let mut out = Questions { root: units.first().map_or("", |(name, _)| name), units, registry, all: Vec::new() };
        let params = out.units.first().map(|(_, root)| root.playbook.params.as_slice()).unwrap_or_default();
        for param in params.iter().filter(|p| p.required && p.default.is_none() && p.ask.is_some()) {
            out.all.push(Question {
                id: Some(&param.name.value),
                path: String::new(),
                loops: false,
                unit: out.root,
                span: param.name.span,
                what: What::Param(param),
            });
        }
        for (name, unit) in out.units.clone() {
            out.unit(name, unit);
        }
        out
    }

    fn unit(&mut self, name: &'p str, unit: &'p Unit) {
        if let Contents::Triage(tree) = &unit.playbook.contents {
            for node in tree.nodes() {
                if let Some(question) = node.question() {
                    let id = node.id.as_ref().map(|i| i.value.as_str());
                    let (path, span, what) = (node.path.clone(), question.ask.span, What::Node(question));
                    self.all.push(Question { id, path, loops: false, unit: name, span, what });
                }
            }
        }
        let mut looping: Vec<String> = Vec::new();
        let mut found = Vec::new();
        each_placed(&unit.playbook, &mut |placed| {
            let step = placed.step;
            if step.each.is_some() {
                looping.push(placed.path.clone());
            }
            let loops = looping.iter().any(|l| placed.path.starts_with(l.as_str()));
            let mut add = |what, span| {
                let id = step.id.as_ref().map(|i| i.value.as_str());
                found.push(Question { id, path: placed.path.clone(), loops, unit: name, span, what });
            };
            match &step.body {
                Body::Ask(ask) => add(What::Ask(ask), ask.question.span),
                Body::Manual(text) => add(What::Manual(text), text.span),
                _ => {}
            }
            if let Some(what) = confirmation(step, unit, self.registry) {
                add(what, step.body_span);
            }
            if step.override_ask {
                add(What::Override(step), step.body_span);
            }
        });
        self.all.extend(found);
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Question<'p>> {
        self.all.iter()
    }

    /// Whether a question has this id.
    pub(super) fn has(&self, id: &str) -> bool {
        matches!(self.find(id), Found::Questions(_))
    }

    /// The ids of all questions that have one.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut out = Vec::new();
        for question in self.all.iter().filter(|q| !matches!(q.what, What::Maybe)) {
            let Some(id) = question.answered_by() else { continue };
            if !out.contains(&id) {
                out.push(id);
            }
        }
        out
    }

    /// What an id stands for.
    pub(crate) fn find(&self, id: &str) -> Found<'_, 'p> {
        let (name, over) = match id.strip_suffix(OVERRIDE) {
            Some(name) => (name, true),
            None => (id, false),
        };
        // An id has neither brackets nor dots; the first node of a tree is `triage`.
        let at = is_path(name).then(|| place(name, self.root));
        let named = |q: &&Question<'p>| {
            let placed = at.as_ref().is_some_and(|(unit, path)| q.unit == unit && q.path == *path);
            placed || q.id == Some(name)
        };
        let found: Vec<_> = self.all.iter().filter(named).filter(|q| matches!(q.what, What::Override(_)) == over).collect();
        if !found.is_empty() {
            return Found::Questions(found);
        }
        let mut silent = None;
        for (unit, u) in &self.units {
            if let Contents::Triage(tree) = &u.playbook.contents
                && tree.nodes().into_iter().any(|node| {
                    node.leaf().is_some()
                        && match &at {
                            Some((of, path)) => of == unit && node.path == *path,
                            None => node.id.as_ref().is_some_and(|i| i.value == name),
                        }
                })
            {
                return Found::Silent("it is a finding; the question above it is answered".to_owned());
            }
            each_placed(&u.playbook, &mut |placed| {
                let this = match &at {
                    Some((of, path)) => of == unit && placed.path == *path,
                    None => placed.step.id.as_ref().is_some_and(|i| i.value == name),
                };
                if this {
                    silent = Some(placed.step.body.word().to_owned());
                }
            });
        }
        match silent {
            Some(word) if over => Found::Silent(format!("the step has no `override: ask` (it is a `{word}`)")),
            Some(word) => Found::Silent(format!("its step is a `{word}` without `confirm`")),
            None => Found::Nothing,
        }
    }
}

impl Question<'_> {
    /// The id under which it is answered in a file, if that is known: the step's, or its path where that does not depend on the run.
    pub(super) fn answered_by(&self) -> Option<String> {
        let id = match self.id {
            Some(id) => id.to_owned(),
            None if self.loops => return None,
            None => self.path.clone(),
        };
        Some(if matches!(self.what, What::Override(_)) { format!("{id}{OVERRIDE}") } else { id })
    }
}

/// The confirmation before a step, if it has one.
fn confirmation<'p>(step: &'p Step, unit: &Unit, registry: &Registry) -> Option<What<'p>> {
    if let Some(Confirm::Type(word)) = &step.confirm {
        return Some(What::Word(step, Some(word)));
    }
    let own = match &step.body {
        Body::Module(call) => {
            let entry = registry.get(&call.name.value)?;
            match effect(step, call, entry, &unit.system) {
                None if entry.kind == Kind::Action => None,
                other => Some(other.unwrap_or_default()),
            }
        }
        _ => Some(step.effect.as_ref().map(|e| e.value).unwrap_or_default()),
    };
    match (own, &step.confirm) {
        (Some(Effect::Destroy), _) => Some(What::Word(step, None)),
        (None, None) => Some(What::Maybe),
        (_, Some(_)) => Some(What::Confirm(step)),
        _ => None,
    }
}

/// The playbook and the place of a path.
fn place(path: &str, root: &str) -> (String, String) {
    let parsed = serde_json::from_value::<StepPath>(serde_json::Value::from(path)).unwrap_or_else(|_| StepPath::root());
    let (unit, place) = parsed.place();
    (unit.unwrap_or(root).to_owned(), place)
}
