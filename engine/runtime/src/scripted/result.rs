//! Results of modules as a test writes them, made whole, so that a tested playbook behaves like a real one.

use jiff::SignedDuration;
use runbook_core::expr::{Expr, ExprKind, ExprNode, MapScope};
use runbook_core::model::test::{Turn, TurnAnswer};
use runbook_core::module::{Effect, Entry, validate};
use runbook_core::value::{Map, Value, from_json};
use runbook_core::world::{Answer, Call};
use serde_json::Value as Json;

/// What a turn of a rule comes to for a call.
pub(crate) fn answer(turn: &Turn, entry: &Entry, call: &Call, took: SignedDuration) -> Answer {
    match &turn.answer {
        TurnAnswer::Returns(fields) => {
            let result = whole(entry, fields, &call.args, took);
            match fields.get("error").and_then(Value::as_str) {
                Some(message) if !says_no(entry, &result) => {
                    Answer::Unmet { message: message.to_owned(), result: Value::from(result) }
                }
                _ => Answer::Done { result: Value::from(result), changed: turn.changed.unwrap_or(call.effect > Effect::Read) },
            }
        }
        TurnAnswer::Error(message) => {
            let fields = Map::from_iter([("error".to_owned(), Value::str(message))]);
            Answer::Unmet { message: message.clone(), result: Value::from(whole(entry, &fields, &call.args, took)) }
        }
        TurnAnswer::Unknown(message) => Answer::CannotTell { message: message.clone() },
        TurnAnswer::Refused(message) => Answer::Refused { message: message.clone() },
        TurnAnswer::TimesOut => {
            Answer::TimedOut { after: took, result: Value::from(whole(entry, &Map::new(), &call.args, took)) }
        }
    }
}

/// The result with every declared field, null where the test says nothing; what follows from other fields, or from the call's arguments,
/// follows here too.
fn whole(entry: &Entry, given: &Map, args: &Value, took: SignedDuration) -> Map {
    let empty = serde_json::Map::new();
    let properties = entry.result_schema["properties"].as_object().unwrap_or(&empty);
    let mut result = Map::with_capacity(properties.len());
    for (name, schema) in properties {
        let value = match given.get(name) {
            Some(value) => value.clone(),
            None => follows(name, schema, given, took, properties).or_else(|| echo(name, schema, args)).unwrap_or_default(),
        };
        result.insert(name.clone(), value);
    }
    for (name, value) in given {
        result.entry(name.clone()).or_insert_with(|| value.clone());
    }
    result
}

/// A field that says again what was asked for: the name of a service, the pattern that was looked for.
fn echo(name: &str, schema: &Json, args: &Value) -> Option<Value> {
    let value = args.field(name);
    let fits = matches!(value, Value::Str(_) | Value::Int(_)) && validate(schema, &value).is_empty();
    fits.then_some(value)
}

/// A field that a module makes of others: how long it took, the lines of an output, the JSON of a text.
fn follows(
    name: &str,
    schema: &Json,
    given: &Map,
    took: SignedDuration,
    properties: &serde_json::Map<String, Json>,
) -> Option<Value> {
    let text = |of: &str| given.get(of).filter(|_| properties.contains_key(of)).and_then(Value::as_str);
    match name {
        "elapsed" | "duration" if has_format(schema, "duration") => Some(Value::Duration(took)),
        "lines" => text("stdout").map(|out| Value::list(out.lines().map(Value::str))),
        "json" => {
            let text = text("stdout").or_else(|| text("body"))?;
            serde_json::from_str::<Json>(text).ok().filter(|json| json.is_object() || json.is_array()).map(from_json)
        }
        _ => None,
    }
}

fn has_format(schema: &Json, format: &str) -> bool {
    let branches = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array);
    schema["format"] == format || branches.is_some_and(|all| all.iter().any(|b| has_format(b, format)))
}

/// Whether `error` is a field with which the module itself says no, as `file` and `tcp` do: then the result is an ordinary one.
fn says_no(entry: &Entry, result: &Map) -> bool {
    entry.result_schema["properties"].get("error").is_some() && verdict(entry, result) == Some(false)
}

/// The module's own verdict on a result; none if it cannot be told.
fn verdict(entry: &Entry, result: &Map) -> Option<bool> {
    let scope = MapScope { map: std::sync::Arc::new(result.clone()), now: jiff::Timestamp::UNIX_EPOCH };
    Expr::parse_standalone(&entry.verdict).ok()?.eval(&scope).ok()?.truth()
}

/// The most combinations of values that are tried.
const TRIES: usize = 500;

/// The fewest fields with which the module's own verdict is good: what a call that no rule answers is answered with, so that one run
/// names every rule that is missing.
pub fn plausible(entry: &Entry, args: &Value) -> Map {
    let Ok(expr) = Expr::parse_standalone(&entry.verdict) else { return Map::new() };
    let mut names: Vec<String> = Vec::new();
    let mut literals: Vec<Value> = Vec::new();
    expr.root.walk(&mut |node: &ExprNode| match &node.kind {
        ExprKind::Var(name) if !names.contains(name) => names.push(name.clone()),
        ExprKind::Const(value) => literals.push(value.clone()),
        _ => {}
    });
    let options: Vec<Vec<Value>> =
        names.iter().map(|name| candidates(&entry.result_schema["properties"][name.as_str()], &literals)).collect();
    let total: usize = options.iter().map(Vec::len).product();
    let mut best: Option<Map> = None;
    for n in 0..total.min(TRIES) {
        let (mut rest, mut fields) = (n, Map::new());
        for (name, values) in names.iter().zip(&options) {
            let value = &values[rest % values.len()];
            rest /= values.len();
            if !value.is_null() {
                fields.insert(name.clone(), value.clone());
            }
        }
        if best.as_ref().is_none_or(|b| fields.len() < b.len())
            && verdict(entry, &whole(entry, &fields, args, SignedDuration::ZERO)) == Some(true)
        {
            best = Some(fields);
        }
    }
    best.unwrap_or_default()
}

/// Values that a field may have: null first, then what the verdict itself speaks of.
fn candidates(schema: &Json, literals: &[Value]) -> Vec<Value> {
    let has = |word: &str| {
        let is = |s: &Json| s["type"] == word || s["type"].as_array().is_some_and(|all| all.iter().any(|t| t == word));
        is(schema) || schema["anyOf"].as_array().is_some_and(|all| all.iter().any(is))
    };
    let mut out = vec![Value::Null];
    if has("boolean") {
        out.extend([Value::Bool(true), Value::Bool(false)]);
    }
    if has("integer") || has("number") {
        out.extend(literals.iter().filter(|v| v.as_f64().is_some()).cloned());
        out.extend([Value::Int(0), Value::Int(1)]);
    }
    if has("string") {
        out.extend(literals.iter().filter(|v| v.as_str().is_some()).cloned());
    }
    if has("array") {
        out.push(Value::list([]));
    }
    out
}
