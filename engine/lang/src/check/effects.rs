//! What steps change, as far as that is known before anything runs.

use runbook_core::model::{Arg, ArgKind, Body, ModuleCall, Step, System};
use runbook_core::module::{About, Effect, Entry, Kind};
use runbook_core::value::Value;
use serde_json::Value as Json;

/// The effect of a module step; `None` if it depends on values.
pub(crate) fn effect(step: &Step, call: &ModuleCall, entry: &Entry, system: &System) -> Option<Effect> {
    let declared = step.effect.as_ref().map(|e| e.value);
    if entry.kind == Kind::Probe {
        return Some(declared.unwrap_or_default());
    }
    if entry.declared_effect {
        return Some(match declared {
            Some(effect) => effect,
            None if is_read_command(call, system) => Effect::Read,
            None => Effect::Change,
        });
    }
    let own = known_args(&call.args).and_then(|args| entry.about(&args).ok()).map(|a| a.effect)?;
    Some(own.max(declared.unwrap_or_default()))
}

/// Whether the argument vector begins with one of the system's `read_commands`.
fn is_read_command(call: &ModuleCall, system: &System) -> bool {
    let Some(Arg { kind: ArgKind::List(words), .. }) = call.args.get("argv") else { return false };
    system.read_commands.iter().any(|prefix| {
        !prefix.is_empty() && prefix.len() <= words.len() && prefix.iter().zip(words).all(|(p, w)| w.as_literal_str() == Some(p))
    })
}

/// The arguments as a module gets them, if all of them are known.
fn known_args(args: &Arg) -> Option<Json> {
    args.skeleton().reveal().ok()
}

/// What the module says about a call in which templates are filled with some text.
pub(crate) fn about(call: &ModuleCall, entry: &Entry) -> Option<About> {
    let json = match known_args(&call.args) {
        Some(json) => json,
        None => fill(&call.args.skeleton()),
    };
    entry.about(&json).ok()
}

/// A value with a text in place of what is not known.
fn fill(value: &Value) -> Json {
    match value {
        Value::Unknown(_) => Json::String("x".to_owned()),
        Value::List(items) => Json::Array(items.iter().map(fill).collect()),
        Value::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.clone(), fill(v))).collect()),
        other => other.reveal().unwrap_or_default(),
    }
}

/// The first step of a list, or inside it, that may change something.
pub(crate) fn first_change<'a>(
    steps: &'a [Step],
    entry: &dyn Fn(&str) -> Option<&'a Entry>,
    system: &System,
    played: &mut dyn FnMut(&str) -> bool,
) -> Option<&'a Step> {
    for step in steps {
        let changes = match &step.body {
            Body::Module(call) => entry(&call.name.value).is_some_and(|e| effect(step, call, e, system) != Some(Effect::Read)),
            Body::Block(b) => {
                if let Some(found) =
                    [&b.steps, &b.rescue, &b.always].into_iter().find_map(|l| first_change(l, entry, system, played))
                {
                    return Some(found);
                }
                false
            }
            Body::Parallel(children) => {
                if let Some(found) = first_change(children, entry, system, played) {
                    return Some(found);
                }
                false
            }
            Body::Play { name, .. } => played(&name.value),
            _ => false,
        };
        if changes {
            return Some(step);
        }
    }
    None
}
