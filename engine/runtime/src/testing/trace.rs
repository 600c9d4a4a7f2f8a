//! What a run did, as tests speak of it: steps by label, calls without the engine's own looks, questions, notes, rows.

use std::collections::HashMap;

use runbook_core::event::{Event, GradeWord, Outcome};
use runbook_core::model::test::{CallEntry, PathEntry, StepRef};
use runbook_core::module::Effect;
use runbook_core::path::StepPath;
use runbook_core::tested::Trace;
use runbook_core::value::{Map, Value};
use runbook_core::world::{Call, Question};

use crate::interp::locked;
use crate::scripted::{ScriptedWorld, without_attempts};

/// Everything that a run did.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) steps: Vec<StepDone>,
    pub(super) calls: Vec<CallDone>,
    pub(super) asked: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) rows: Vec<(String, String, GradeWord)>,
    pub(super) verdict: Option<String>,
}

/// What a node of a tree came to.
enum Node {
    Answer(String),
    Finding(String),
}

/// A step that ended.
#[derive(Clone, Debug)]
pub(super) struct StepDone {
    pub(super) label: String,
    pub(super) path: String,
    pub(super) outcome: Outcome,
    pub(super) message: String,
    pub(super) attempts: u32,
    pub(super) duration_ms: f64,
    /// Whether it is one that a path lists: no group, unless it was skipped as a whole, and of a tree the nodes and not their checks.
    pub(super) listed: bool,
    /// The answer, if it is a question of a tree.
    pub(super) answer: Option<String>,
    /// The finding that it made, if it is a leaf of a tree.
    pub(super) finding: Option<String>,
}

impl StepDone {
    /// How a path tells it: by its label and its outcome, a question by its answer, a leaf by its finding.
    pub(super) fn shown(&self) -> (&str, &str) {
        match (&self.finding, &self.answer) {
            (Some(finding), _) => (PathEntry::FINDING, finding),
            (None, Some(answer)) => (&self.label, answer),
            (None, None) => (&self.label, self.outcome.word()),
        }
    }

    /// Whether it is what a path expects.
    pub(super) fn is(&self, entry: &PathEntry) -> bool {
        let (label, word) = self.shown();
        let named = [label, &self.label, &self.path].contains(&entry.label.value.as_str());
        named && entry.word.as_deref().is_none_or(|wanted| wanted == word)
    }
}

/// A call that was made.
#[derive(Clone, Debug)]
pub(super) struct CallDone {
    pub(super) module: String,
    pub(super) args: Value,
    pub(super) effect: Effect,
    pub(super) path: StepPath,
    /// The steps around it, innermost first.
    pub(super) around: Vec<(String, Option<String>, Vec<String>)>,
}

/// Names of steps: by id with the items around, else by path.
pub(super) struct Labels {
    ids: HashMap<StepPath, Option<String>>,
}

impl Labels {
    pub(super) fn of(events: &[Event]) -> Labels {
        let mut ids = HashMap::new();
        for event in events {
            if let Event::StepStarted { path, id, .. } | Event::StepFinished { path, id, .. } = event {
                ids.insert(path.clone(), id.clone());
            }
        }
        Labels { ids }
    }

    /// `id`, `id@item`, `playing>id`, or the path.
    pub(super) fn label(&self, path: &StepPath) -> String {
        let text = path.as_str();
        let (before, own) = match text.rsplit_once('>') {
            Some((before, rest)) => (Some(before), rest.split_once(':').map_or(rest, |(_, own)| own)),
            None => (None, text),
        };
        let own = match self.ids.get(path).cloned().flatten() {
            Some(id) => std::iter::once(id).chain(path.items()).collect::<Vec<_>>().join("@"),
            None => without_attempts(own),
        };
        match before.and_then(parsed) {
            Some(play) => format!("{}>{own}", self.label(&play)),
            None => own,
        }
    }

    /// The nearest step that was begun at or above a path.
    pub(super) fn step_of(&self, path: &StepPath) -> Option<StepPath> {
        self.around(path).into_iter().next()
    }

    fn around(&self, path: &StepPath) -> Vec<StepPath> {
        let mut text = path.as_str();
        let mut out = Vec::new();
        loop {
            if let Some(path) = parsed(text).filter(|p| self.ids.contains_key(p)) {
                out.push(path);
            }
            match text.rfind(['.', '@', '>', '#']) {
                Some(at) if at > 0 => text = &text[..at],
                _ => return out,
            }
        }
    }
}

fn parsed(path: &str) -> Option<StepPath> {
    serde_json::from_value(serde_json::Value::from(path)).ok()
}

impl Done {
    /// What happened in a world.
    pub(super) fn in_world(world: &ScriptedWorld, root: &str) -> (Done, Labels) {
        let events = locked(&world.events);
        let labels = Labels::of(&events);
        let mut done = Done::default();
        let mut nodes = HashMap::new();
        for event in events.iter() {
            done.event(event, &labels, root, &mut nodes);
        }
        for call in locked(&world.calls).iter() {
            // Between two looks at a service's readiness the engine looks whether it is alive; no playbook says so.
            if !call.path.as_str().ends_with(".alive") {
                done.calls.push(CallDone::of(call, &labels));
            }
        }
        done.asked = locked(&world.asked).iter().map(|q: &Question| q.id.clone()).collect();
        (done, labels)
    }

    /// Takes an event; what a node came to is told before its end, and kept in `nodes` until then.
    fn event(&mut self, event: &Event, labels: &Labels, root: &str, nodes: &mut HashMap<StepPath, Node>) {
        match event {
            Event::NodeAnswered { path, answer, .. } => _ = nodes.insert(path.clone(), Node::Answer(answer.clone())),
            Event::Finding { path, finding, .. } => _ = nodes.insert(path.clone(), Node::Finding(finding.clone())),
            Event::StepFinished { path, group, outcome, message, attempts, duration_ms, .. } => {
                let (answer, finding) = match nodes.remove(path) {
                    Some(Node::Answer(answer)) => (Some(answer), None),
                    Some(Node::Finding(finding)) => (None, Some(finding)),
                    None => (None, None),
                };
                self.steps.push(StepDone {
                    label: labels.label(path),
                    path: without_attempts(path.as_str()),
                    outcome: *outcome,
                    message: message.clone(),
                    attempts: *attempts,
                    duration_ms: *duration_ms,
                    listed: path.is_node() || !path.is_observation() && (!group || *outcome == Outcome::Skipped),
                    answer,
                    finding,
                });
            }
            Event::Note { text, .. } => self.notes.push(text.clone()),
            Event::Row { path, row } => self.rows.push((labels.label(path), row.name.clone(), row.grade)),
            Event::Verdict { playbook, verdict, .. } if playbook == root => self.verdict = Some(verdict.word().to_owned()),
            _ => {}
        }
    }

    /// The steps that a path lists.
    pub(super) fn path(&self) -> impl Iterator<Item = &StepDone> {
        self.steps.iter().filter(|s| s.listed)
    }

    /// As it is recorded.
    pub(super) fn trace(&self, outcome: &str) -> Trace {
        let told = |step: &StepDone| {
            let (label, word) = step.shown();
            format!("{label} {word}")
        };
        let path = self.path().map(told).collect();
        Trace { outcome: outcome.to_owned(), path, calls: counted(self.calls.iter().map(ToString::to_string)) }
    }
}

/// Lines, the same several times in a row as one with its count.
pub(super) fn counted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut out: Vec<(String, usize)> = Vec::new();
    for line in lines {
        match out.last_mut() {
            Some((last, n)) if *last == line => *n += 1,
            _ => out.push((line, 1)),
        }
    }
    out.into_iter().map(|(line, n)| if n > 1 { format!("{line} ({n} times)") } else { line }).collect()
}

impl CallDone {
    fn of(call: &Call, labels: &Labels) -> CallDone {
        let around = labels
            .around(&call.path)
            .into_iter()
            .map(|path| {
                let id = labels.ids.get(&path).cloned().flatten();
                (without_attempts(path.as_str()), id, path.items())
            })
            .collect();
        CallDone {
            module: call.module.clone(),
            args: shown_args(&call.args),
            effect: call.effect,
            path: call.path.clone(),
            around,
        }
    }

    /// Whether it is the call that a test expects.
    pub(super) fn is(&self, entry: &CallEntry) -> bool {
        self.module == entry.module
            && entry.step.as_ref().is_none_or(|step| self.in_step(step))
            && entry.with.iter().all(|(key, matcher)| matcher.fits(&self.args.field(key)))
    }

    fn in_step(&self, step: &StepRef) -> bool {
        self.around.iter().any(|(path, id, items)| match step {
            StepRef::Id { id: wanted, item } => id.as_ref() == Some(wanted) && item.as_ref().is_none_or(|i| items.contains(i)),
            StepRef::Path(wanted) => {
                path == wanted || (!wanted.contains('@') && parsed(path).is_some_and(|p| p.place().1 == *wanted))
            }
        }) || matches!(step, StepRef::Path(wanted) if self.path.as_str() == wanted)
    }
}

/// A call's arguments as people know them: the system's entry of a service is added by the engine.
pub(super) fn shown_args(args: &Value) -> Value {
    let Some(map) = args.as_map() else { return args.clone() };
    if !map.contains_key("entry") {
        return args.clone();
    }
    Value::from(map.iter().filter(|(k, _)| *k != "entry").map(|(k, v)| (k.clone(), v.clone())).collect::<Map>())
}

impl std::fmt::Display for CallDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.args.as_map() {
            Some(map) if map.is_empty() => f.write_str(&self.module),
            _ => write!(f, "{} {}", self.module, self.args),
        }
    }
}
