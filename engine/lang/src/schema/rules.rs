//! What the keys of one map need of each other.

use serde_json::{Map, Value as Json, json};

use crate::keys::{ASK, GRADE, LEAF, LOCK, PARAM, PLAYBOOK, QUESTION, REMEDY, RETRY, SCHEDULE, Table};

/// The rules of a table, as keywords beside its properties.
pub(super) fn of(table: &Table) -> Map<String, Json> {
    let rules = match table.name {
        name if name == PLAYBOOK.name => json!({ "oneOf": alternatives(&["steps", "triage", "checks"]) }),
        name if name == SCHEDULE.name => {
            json!({ "oneOf": alternatives(&["every", "cron"]), "dependencies": { "timezone": ["cron"] } })
        }
        name if name == LOCK.name => json!({ "required": ["name"] }),
        name if name == RETRY.name => json!({ "anyOf": alternatives(&["attempts", "for"]) }),
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
            json!({ "oneOf": alternatives(&["play", "steps"]), "dependencies": { "with": ["play"] } })
        }
        _ => return Map::new(),
    };
    match rules {
        Json::Object(rules) => rules,
        _ => Map::new(),
    }
}

/// One form a key: the key is there.
fn alternatives(keys: &[&str]) -> Json {
    keys.iter().map(|k| json!({ "required": [k] })).collect()
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
