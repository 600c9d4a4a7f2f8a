//! What the keys of one map need of each other.

use serde_json::{Map, Value as Json, json};

use crate::keys::{
    ASK, EXPECT, GRADE, LEAF, LOCK, PARAM, PLAYBOOK, QUESTION, REMEDY, RETRY, RULE, SCHEDULE, TEST_FILE, TURN, Table,
};

/// The rules of a table, as keywords beside its properties.
pub(super) fn of(table: &Table) -> Map<String, Json> {
    let rules = match table.name {
        name if name == PLAYBOOK.name => json!({ "oneOf": alternatives(&["steps", "triage", "checks"]) }),
        name if name == SCHEDULE.name => {
            json!({ "oneOf": one_of(&["every", "cron"]), "dependencies": { "timezone": ["cron"] } })
        }
        name if name == LOCK.name => json!({ "required": ["name"] }),
        name if name == RETRY.name => json!({ "anyOf": one_of(&["attempts", "for"]) }),
        name if name == GRADE.name => {
            let limits = alternatives(&["target", "warning", "critical"]);
            let inline = alternatives(&["target", "warning", "critical", "unit"]);
            json!({
                "oneOf": [
                    { "required": ["by"], "not": { "anyOf": inline } },
                    { "anyOf": limits, "not": { "required": ["by"] } },
                ],
            })
        }
        name if name == PARAM.name => {
            let mut rules = choice();
            rules["not"] = json!({
                "properties": { "required": { "enum": [true] }, "default": { "not": { "type": "null" } } },
                "required": ["required", "default"],
            });
            rules
        }
        name if name == ASK.name => choice(),
        name if name == QUESTION.name => json!({
            "dependencies": {
                "yes": without(&["choices", "cases", "default"]),
                "no": without(&["choices", "cases", "default"]),
                "unknown": without(&["choices", "cases", "default"]),
                "cases": ["choices"],
                "default": ["choices"],
                "answer": ["choices"],
                "auto": { "anyOf": alternatives(&["check", "answer"]) },
                "choices": {
                    "anyOf": [{ "not": { "required": ["check"] } }, { "required": ["answer"] }],
                    "properties": { "choices": { "minItems": 1 } },
                },
            },
            "not": { "required": ["finding"] },
        }),
        name if name == LEAF.name => json!({ "not": { "required": ["ask"] } }),
        name if name == REMEDY.name => {
            json!({ "oneOf": one_of(&["play", "steps"]), "dependencies": { "with": ["play"] } })
        }
        name if name == TEST_FILE.name => json!({ "allOf": [{ "properties": { "tests": { "minItems": 1 } } }] }),
        name if name == TURN.name => answering(&["returns", "error", "unknown", "refused", "times_out"]),
        name if name == RULE.name => {
            let mut rules = answering(&["returns", "error", "unknown", "refused", "times_out", "sequence"]);
            rules["anyOf"] = one_of(&["module", "step"]);
            rules["allOf"][0]["properties"]["sequence"] = json!({ "minItems": 1 });
            rules["dependencies"]["sequence"] = without(&["takes"]);
            rules
        }
        name if name == EXPECT.name => json!({ "dependencies": { "finding": without(&["findings"]) } }),
        _ => return Map::new(),
    };
    match rules {
        Json::Object(rules) => rules,
        _ => Map::new(),
    }
}

/// A call comes to one thing.
fn answering(keys: &[&str]) -> Json {
    json!({
        "oneOf": one_of(keys),
        "allOf": [{ "properties": { "times_out": { "enum": [true] } } }],
        "dependencies": { "changed": ["returns"] },
    })
}

/// One form a key: the key is there.
fn alternatives(keys: &[&str]) -> Json {
    keys.iter().map(|k| json!({ "required": [k] })).collect()
}

/// One form a key, with what is said when none of them is there.
fn one_of(keys: &[&str]) -> Json {
    let names: Vec<String> = keys.iter().map(|k| format!("`{k}`")).collect();
    let names = match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    };
    needed(keys, &format!("{names} is needed."))
}

/// One form a key, after one that no map fits: of forms that miss a map as far, an editor shows what the first one says.
pub(super) fn needed(keys: &[&str], message: &str) -> Json {
    let none = json!({ "type": "string", "errorMessage": message });
    std::iter::once(none).chain(keys.iter().map(|k| json!({ "required": [k] }))).collect()
}

/// None of these keys is there.
fn without(keys: &[&str]) -> Json {
    json!({ "not": { "anyOf": alternatives(keys) } })
}

/// A choice needs choices.
fn choice() -> Json {
    json!({
        "if": { "properties": { "type": { "enum": ["choice"] } }, "required": ["type"] },
        "then": { "required": ["choices"] },
    })
}
