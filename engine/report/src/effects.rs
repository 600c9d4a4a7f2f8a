//! What steps change and touch, as far as that is known before anything runs.

use runbook_core::model::{ArgKind, Body, Contents, ModuleCall, Plan, Playbook, Step, System, Unit};
use runbook_core::module::{About, Effect, Entry, Kind, Registry, Touches};
use runbook_core::value::Value;
use serde_json::Value as Json;

use crate::known::Known;

/// How deep played playbooks are followed.
const MAX_DEPTH: u32 = 16;

/// Looks up the effects of steps.
#[derive(Clone, Copy)]
pub(crate) struct Effects<'a> {
    registry: &'a Registry,
    plan: &'a Plan,
    unit: &'a Unit,
    depth: u32,
}

impl<'a> Effects<'a> {
    /// Of the steps of a playbook of a plan.
    pub(crate) fn new(registry: &'a Registry, plan: &'a Plan, unit: &'a Unit) -> Self {
        Effects { registry, plan, unit, depth: 0 }
    }

    /// The module of a call.
    pub(crate) fn module(&self, call: &ModuleCall) -> Option<&'a Entry> {
        self.registry.get(&call.name.value).map(|e| &**e)
    }

    /// The effect of a step with everything inside it.
    pub(crate) fn of(&self, step: &Step) -> Effect {
        let declared = step.effect.as_ref().map(|e| e.value);
        let own = match &step.body {
            Body::Module(call) => return self.of_call(call, declared),
            Body::Block(block) => self.worst(block.steps.iter().chain(&block.rescue).chain(&block.always)),
            Body::Parallel(steps) => self.worst(steps.iter()),
            Body::Play { name, .. } => self.of_played(&name.value),
            Body::Set(_) | Body::Ask(_) | Body::Note(_) | Body::Fail(_) | Body::Stop(_) | Body::Wait(_) => Effect::Read,
            // A person did something.
            Body::Manual(_) => Effect::Change,
        };
        own.max(declared.unwrap_or_default())
    }

    /// The worst effect of steps.
    pub(crate) fn worst<'s>(&self, steps: impl Iterator<Item = &'s Step>) -> Effect {
        steps.map(|s| self.of(s)).max().unwrap_or_default()
    }

    /// The effect of a whole playbook.
    pub(crate) fn of_playbook(&self, playbook: &Playbook) -> Effect {
        let contents: &[Step] = match &playbook.contents {
            Contents::Steps(steps) | Contents::Checks(steps) => steps,
            Contents::Triage(_) => &[],
        };
        self.worst(contents.iter().chain(&playbook.rescue).chain(&playbook.always))
    }

    fn of_played(&self, name: &str) -> Effect {
        match self.plan.resolve(&self.unit.playbook.full_name, name) {
            Some(unit) if self.depth < MAX_DEPTH => Effects { unit, depth: self.depth + 1, ..*self }.of_playbook(&unit.playbook),
            _ => Effect::Change,
        }
    }

    fn of_call(&self, call: &ModuleCall, declared: Option<Effect>) -> Effect {
        let Some(entry) = self.module(call) else {
            return declared.unwrap_or(Effect::Change);
        };
        if entry.kind == Kind::Probe {
            return Effect::Read;
        }
        if entry.declared_effect {
            let looks = declared.is_none() && is_read_command(call, &self.unit.system);
            return if looks { Effect::Read } else { declared.unwrap_or(Effect::Change) };
        }
        // Arguments with templates may not decode before they are rendered.
        let own = about(entry, &call.args.skeleton()).map_or(Effect::Change, |a| a.effect);
        own.max(declared.unwrap_or_default())
    }

    /// What a call reads and changes, as far as it is known.
    pub(crate) fn touches(&self, call: &ModuleCall, known: &Known<'_>) -> Touches {
        let Some(entry) = self.module(call) else { return Touches::default() };
        entry.about(&known.shown(&call.args).to_json()).map(|a| a.touches).unwrap_or_default()
    }
}

/// Whether the argument vector begins with one of the system's `read_commands`.
fn is_read_command(call: &ModuleCall, system: &System) -> bool {
    let Some(ArgKind::List(items)) = call.args.get("argv").map(|a| &a.kind) else { return false };
    let begins =
        |p: &Vec<String>| items.len() >= p.len() && p.iter().zip(items).all(|(w, a)| a.as_literal_str() == Some(w.as_str()));
    system.read_commands.iter().any(|p| !p.is_empty() && begins(p))
}

/// What a module says about a call, with a text or else a number in place of what is not known.
fn about(entry: &Entry, args: &Value) -> Option<About> {
    [Json::from("x"), Json::from(1)].iter().find_map(|with| entry.about(&filled(args, with)).ok())
}

/// A value with something in place of what is not known.
fn filled(value: &Value, with: &Json) -> Json {
    match value {
        Value::Unknown(_) => with.clone(),
        Value::List(items) => Json::Array(items.iter().map(|i| filled(i, with)).collect()),
        Value::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.clone(), filled(v, with))).collect()),
        other => other.to_json(),
    }
}
