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
        name if name == TEST_FILE.name => json!({ "allOf": [{ "properties": { "tests": { "minItems": 1 } } }] }),
        name if name == TURN.name => answering(&["returns", "error", "unknown", "refused", "times_out"]),
        name if name == RULE.name => {
            let mut rules = answering(&["returns", "error", "unknown", "refused", "times_out", "sequence"]);
            rules["anyOf"] = alternatives(&["module", "step"]);
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
        "oneOf": alternatives(keys),
        "allOf": [{ "properties": { "times_out": { "enum": [true] }, "sequence": { "minItems": 1 } } }],
        "dependencies": { "changed": ["returns"] },
    })
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
