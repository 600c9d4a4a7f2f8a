//! Calls of modules: a map of arguments, the short form of the main one, or nothing where none must be given.

use runbook_core::module::Entry;
use serde_json::{Map, Value as Json, json};

use super::shape::{self, any_of, or_null, or_template};

/// What is written under a module's name.
pub(super) fn call(entry: &Entry) -> Json {
    let args = arguments(&entry.args_schema);
    let required: Vec<&str> = args["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let mut forms = Vec::new();
    // The short form comes first: it is what an editor offers to write.
    if let Some(main) = entry.main.as_deref().filter(|m| required.iter().all(|r| r == m)) {
        let mut short = args["properties"][main].clone();
        if let Json::Object(map) = &mut short {
            ["description", "markdownDescription", "default"].iter().for_each(|k| {
                map.remove(*k);
            });
        }
        forms.push(short);
    }
    let nothing = required.is_empty();
    forms.push(args);
    if nothing {
        forms.push(json!({ "type": "null" }));
    }
    let mut schema = Map::from_iter([("title".to_owned(), json!(entry.name))]);
    shape::describe(&mut schema, entry.doc());
    if let Json::Object(forms) = any_of(forms) {
        schema.extend(forms);
    }
    Json::Object(schema)
}

/// The map of arguments, closed.
fn arguments(schema: &Json) -> Json {
    let mut out = inner(schema);
    if let Json::Object(map) = &mut out {
        ["$schema", "title", "description", "markdownDescription"].iter().for_each(|k| {
            map.remove(*k);
        });
    }
    out
}

/// An argument: as it is declared, or a template in its place.
fn argument(schema: &Json) -> Json {
    let Json::Object(map) = schema else { return schema.clone() };
    let out = inner(schema);
    if map.is_empty() || out.as_object().is_none_or(Map::is_empty) {
        return out;
    }
    let Json::Object(mut out) = out else { return out };
    // What is said of the argument is said of both forms.
    let said: Vec<(String, Json)> =
        ["description", "markdownDescription", "default"].iter().filter_map(|k| out.remove_entry(*k)).collect();
    let mut both = Map::new();
    both.extend(said);
    if let Json::Object(forms) = or_template(Json::Object(out)) {
        both.extend(forms);
    }
    Json::Object(both)
}

/// A declared schema in the words of draft-07, with templates inside it.
fn inner(schema: &Json) -> Json {
    let Json::Object(map) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (key, value) in map {
        match (key.as_str(), value) {
            ("description", Json::String(text)) => shape::describe(&mut out, text),
            ("properties", Json::Object(entries)) => {
                let required: Vec<&str> =
                    map.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
                let entries = entries.iter().map(|(name, schema)| {
                    let one = argument(schema);
                    // Nothing stands for an argument that is left out, unless it has another value then.
                    let optional = !required.contains(&name.as_str()) && schema["default"].is_null();
                    (name.clone(), if optional { nullable(one) } else { one })
                });
                out.insert(key.clone(), Json::Object(entries.collect()));
            }
            ("items" | "additionalProperties", Json::Object(_)) => {
                out.insert(key.clone(), argument(value));
            }
            ("default", Json::Null) => {}
            ("default", _) => {
                out.insert(key.clone(), plain(value));
            }
            ("format", Json::String(format)) => {
                if let Some(pattern) = pattern(format) {
                    out.insert("pattern".to_owned(), json!(pattern));
                }
            }
            // What is said to people by other means, and what no two validators check alike.
            ("x-help", _) => {}
            ("anyOf" | "oneOf", Json::Array(forms)) => {
                if let Some(words) = words(forms) {
                    out.extend(words);
                } else if let Json::Object(forms) = any_of(forms.iter().map(inner).collect::<Vec<_>>()) {
                    out.extend(forms);
                }
            }
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    Json::Object(out)
}

/// An optional argument; what is said of it stays outermost.
fn nullable(schema: Json) -> Json {
    let Json::Object(mut map) = schema else { return schema };
    let said: Vec<(String, Json)> =
        ["description", "markdownDescription", "default"].iter().filter_map(|k| map.remove_entry(*k)).collect();
    let mut out = Map::from_iter(said);
    if let Json::Object(rest) = or_null(Json::Object(map)) {
        out.extend(rest);
    }
    Json::Object(out)
}

/// The pattern of one of our forms of text.
fn pattern(format: &str) -> Option<String> {
    match format {
        "duration" => Some(shape::duration()),
        "size" => Some(shape::SIZE.to_owned()),
        "uri" => Some(shape::URL.to_owned()),
        "date-time" => Some(format!("^({})$", crate::keys::TIME.pattern)),
        _ => None,
    }
}

/// Words that come as one form a word, each with its description.
fn words(forms: &[Json]) -> Option<Map<String, Json>> {
    let named: Vec<&Json> = forms.iter().filter(|f| f["type"] != "null").collect();
    let words: Vec<&str> = named.iter().map(|f| f["const"].as_str()).collect::<Option<_>>()?;
    let said: Vec<&str> = named.iter().map(|f| f["description"].as_str().unwrap_or_default()).collect();
    let mut out = Map::new();
    let mut all = json!(words);
    if let (true, Json::Array(all)) = (named.len() < forms.len(), &mut all) {
        all.push(Json::Null);
    }
    out.insert("enum".to_owned(), all);
    out.insert("markdownEnumDescriptions".to_owned(), json!(said));
    Some(out)
}

/// A default as it is written in a playbook: `{"$duration": "5s"}` is `5s`.
fn plain(value: &Json) -> Json {
    match value.as_object().filter(|m| m.len() == 1).and_then(|m| m.iter().next()) {
        Some((tag, text)) if tag.starts_with('$') => text.clone(),
        _ => value.clone(),
    }
}
