//! The JSON Schemas of playbook and system files, made of the key tables and the modules.

use runbook_core::module::{Entry, Registry};
use serde_json::{Map, Value as Json, json};

use crate::keys::{BLOCK, BODIES, Key, PLAYBOOK, STEP, SYSTEM, Shape, TABLES, Table};

/// Text with an expression in it.
const TEMPLATE: &str = r"\{\{";
/// A duration, or text with an expression in it.
const DURATION: &str = r"^(\d+(\.\d+)?(w|d|h|m|s|ms|us|ns))+$|\{\{";

/// The schema of a playbook file (draft 2020-12).
pub fn playbook(registry: &Registry) -> Json {
    let mut schema = root(registry, &PLAYBOOK, "A playbook");
    schema["oneOf"] = json!([{ "required": ["steps"] }, { "required": ["triage"] }, { "required": ["checks"] }]);
    schema
}

/// The schema of a system file (draft 2020-12).
pub fn system(registry: &Registry) -> Json {
    root(registry, &SYSTEM, "A system of playbooks")
}

fn root(registry: &Registry, table: &Table, title: &str) -> Json {
    let mut definitions = Map::new();
    definitions.insert("step".into(), step(registry));
    definitions.insert(
        "node".into(),
        json!({ "description": "A question or a leaf.", "anyOf": [reference("question"), reference("leaf")] }),
    );
    definitions.insert("branch".into(), branch());
    for entry in registry.iter() {
        definitions.insert(module_name(&entry.name), module(entry));
    }
    for table in TABLES {
        // Those of a step are parts of `step`, the tops of files are the roots.
        if !["a step", "a playbook", "a system file", BLOCK.name].contains(&table.name) {
            definitions.insert(slug(table.name), object(table));
        }
    }
    let mut schema = object(table);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(title);
    schema["$defs"] = Json::Object(definitions);
    schema
}

/// The name of a table's definition.
fn slug(name: &str) -> String {
    let words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty() && !matches!(*w, "a" | "an" | "of")).collect();
    words.join("-")
}

fn module_name(name: &str) -> String {
    format!("module-{name}")
}

fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// A closed object with the keys of a table.
fn object(table: &Table) -> Json {
    let mut properties = Map::new();
    add_keys(&mut properties, table);
    let required: Vec<&str> = table.keys.iter().filter(|k| k.required).map(|k| k.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn add_keys(properties: &mut Map<String, Json>, table: &Table) {
    for key in table.keys {
        properties.insert(key.name.to_owned(), property(key));
    }
}

fn property(key: &Key) -> Json {
    let mut schema = shape(&key.shape);
    schema["description"] = json!(key.doc);
    // What is left out may be written as nothing, save what must be there.
    if !key.required && !matches!(key.shape, Shape::Any | Shape::Steps | Shape::Checks) {
        let description = key.doc;
        return json!({ "description": description, "anyOf": [shape(&key.shape), { "type": "null" }] });
    }
    schema
}

fn or_template(schema: Json) -> Json {
    json!({ "anyOf": [schema, { "type": "string", "pattern": TEMPLATE }] })
}

fn shape(shape_of: &Shape) -> Json {
    match shape_of {
        Shape::Text | Shape::Template => json!({ "type": "string", "minLength": 1 }),
        Shape::Expr => json!({ "type": ["string", "boolean", "number"] }),
        Shape::Exprs => {
            let one = shape(&Shape::Expr);
            json!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": one }] })
        }
        Shape::Bool => or_template(json!({ "type": "boolean" })),
        Shape::Int => or_template(json!({ "type": "integer" })),
        Shape::Number => or_template(json!({ "type": "number" })),
        Shape::Duration => json!({ "type": "string", "pattern": DURATION }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Steps | Shape::Checks => json!({ "type": "array", "minItems": 1, "items": reference("step") }),
        Shape::Check => json!({ "anyOf": [reference("step"), { "type": "array", "minItems": 1, "items": reference("step") }] }),
        Shape::Templates => json!({ "type": "object" }),
        Shape::Any => json!({}),
        Shape::Table(table) => reference(&slug(table.name)),
        Shape::ListOf(inner) => json!({ "type": "array", "items": shape(inner) }),
        Shape::MapOf(inner) => json!({ "type": "object", "additionalProperties": shape(inner) }),
        Shape::OneOf(forms) => json!({ "anyOf": forms.iter().map(shape).collect::<Vec<_>>() }),
        Shape::Tree => json!({ "anyOf": [reference("node"), { "type": "array", "minItems": 1, "items": reference("node") }] }),
        Shape::Branch => reference("branch"),
    }
}

/// Where an answer of a triage tree leads.
fn branch() -> Json {
    json!({
        "description": "A node, a list of nodes visited in order, `continue` or `{goto: ID}`.",
        "anyOf": [
            reference("node"),
            { "type": "array", "minItems": 1, "items": reference("node") },
            { "const": "continue" },
            reference("goto"),
        ],
    })
}

/// A step: the common keys and exactly one body.
fn step(registry: &Registry) -> Json {
    let mut properties = Map::new();
    for table in [&STEP, &BODIES, &BLOCK] {
        add_keys(&mut properties, table);
    }
    let mut bodies: Vec<&str> = BODIES.names().collect();
    for entry in registry.iter() {
        let mut schema = reference(&module_name(&entry.name));
        schema["description"] = json!(entry.summary());
        properties.insert(entry.name.to_string(), schema);
        bodies.push(&entry.name);
    }
    let one: Vec<Json> = bodies.iter().map(|b| json!({ "required": [b] })).collect();
    json!({
        "type": "object",
        "description": "One body and any of the common keys.",
        "properties": properties,
        "additionalProperties": false,
        "oneOf": one,
        "dependentRequired": { "rescue": ["block"], "always": ["block"], "with": ["play"], "as": ["for_each"], "order": ["for_each"], "max_parallel": ["for_each"] },
    })
}

/// A module's arguments: the map, the short form of the main one, or nothing if none must be given.
fn module(entry: &Entry) -> Json {
    let mut args = templated(&entry.args_schema, true);
    if let Some(map) = args.as_object_mut() {
        map.remove("$schema");
        map.remove("title");
        map.remove("description");
    }
    let mut forms = vec![args];
    if let Some(main) = &entry.main {
        forms.push(templated(&entry.args_schema["properties"][&**main], false));
    }
    if entry.args_schema["required"].as_array().is_none_or(Vec::is_empty) {
        forms.push(json!({ "type": "null" }));
    }
    json!({ "description": entry.doc(), "anyOf": forms })
}

/// A schema in which a template may stand in place of every value; the outermost is left as it is if `whole`.
fn templated(schema: &Json, whole: bool) -> Json {
    let Some(map) = schema.as_object() else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in map {
        let inner = match (key.as_str(), value) {
            ("properties" | "patternProperties" | "$defs", Json::Object(entries)) => {
                Json::Object(entries.iter().map(|(k, v)| (k.clone(), templated(v, false))).collect())
            }
            ("items" | "additionalProperties", Json::Object(_)) => templated(value, false),
            ("anyOf" | "oneOf" | "allOf", Json::Array(branches)) => {
                Json::Array(branches.iter().map(|b| templated(b, true)).collect())
            }
            _ => value.clone(),
        };
        out.insert(key.clone(), inner);
    }
    let plain_text =
        map.get("type") == Some(&json!("string")) && ["format", "enum", "const", "pattern"].iter().all(|k| !map.contains_key(*k));
    if whole || plain_text || map.is_empty() {
        return Json::Object(out);
    }
    let description = out.remove("description");
    let mut both = or_template(Json::Object(out));
    if let Some(description) = description {
        both["description"] = description;
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry;

    fn references(schema: &Json, out: &mut Vec<String>) {
        match schema {
            Json::Object(map) => {
                if let Some(Json::String(target)) = map.get("$ref") {
                    out.push(target.clone());
                }
                map.values().for_each(|v| references(v, out));
            }
            Json::Array(items) => items.iter().for_each(|v| references(v, out)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        for schema in [playbook(&registry()), system(&registry())] {
            let mut all = Vec::new();
            references(&schema, &mut all);
            assert!(all.len() > 20);
            for target in all {
                let name = target.strip_prefix("#/$defs/").expect("a definition");
                assert!(schema["$defs"].get(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn keys_and_modules_are_in_the_schema() {
        let schema = playbook(&registry());
        for name in PLAYBOOK.names() {
            assert!(schema["properties"][name]["description"].is_string(), "{name}");
        }
        let step = &schema["$defs"]["step"];
        for name in STEP.names().chain(BODIES.names()).chain(["http", "service.start", "shell"]) {
            assert!(step["properties"][name].is_object(), "{name}");
        }
        assert_eq!(step["oneOf"].as_array().expect("bodies").len(), BODIES.keys.len() + registry().iter().count());
        let http = schema["$defs"]["module-http"]["anyOf"].as_array().expect("forms");
        assert_eq!(http.len(), 2);
        let follow = &http[0]["properties"]["follow"]["anyOf"];
        assert_eq!(follow[1]["pattern"], TEMPLATE);
        assert_eq!(schema["$defs"]["retry"]["additionalProperties"], false);
        assert_eq!(slug("an escalation step"), "escalation-step");
    }
}
