//! What a JSON Schema says, as fields with types in words.

use serde_json::Value as Json;

/// A field of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its name; of a nested one with its parent's, such as `retry.attempts` or `headers[].name`.
    pub(crate) name: String,
    /// Its type in words.
    pub(crate) ty: String,
    /// Whether it must be given.
    pub(crate) required: bool,
    /// The value when it is not given, as JSON; none if it is null.
    pub(crate) default: Option<String>,
    /// What it is.
    pub(crate) doc: String,
}

/// How deep nested fields are listed.
const DEPTH: usize = 3;

/// The fields of an object's schema, nested ones after their parent.
pub(crate) fn fields(schema: &Json) -> Vec<Field> {
    let mut out = Vec::new();
    collect(schema, "", DEPTH, &mut out);
    out
}

fn collect(schema: &Json, prefix: &str, depth: usize, out: &mut Vec<Field>) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    let required = |name: &str| schema["required"].as_array().is_some_and(|r| r.iter().any(|n| n == name));
    for (name, inner) in properties {
        let full = format!("{prefix}{name}");
        let default = inner.get("default").filter(|d| !d.is_null()).map(plain);
        let mut doc = inner["description"].as_str().unwrap_or_default().to_owned();
        for (choice, text) in described_choices(inner) {
            doc.push_str(&format!("\n- `{choice}`: {text}"));
        }
        out.push(Field { name: full.clone(), ty: type_words(inner), required: required(name), default, doc });
        if depth > 0 {
            for (nested, mark) in nested(inner) {
                collect(nested, &format!("{full}{mark}."), depth - 1, out);
            }
        }
    }
}

/// The object schemas within a field's schema, with how they are reached.
fn nested(schema: &Json) -> Vec<(&Json, &'static str)> {
    if schema["properties"].is_object() {
        return vec![(schema, "")];
    }
    if schema["items"].is_object() {
        return nested(&schema["items"]).into_iter().map(|(s, _)| (s, "[]")).collect();
    }
    if schema["additionalProperties"].is_object() {
        return nested(&schema["additionalProperties"]).into_iter().map(|(s, _)| (s, ".NAME")).collect();
    }
    branches(schema).into_iter().flat_map(nested).collect()
}

fn branches(schema: &Json) -> Vec<&Json> {
    ["anyOf", "oneOf", "allOf"].iter().filter_map(|k| schema[*k].as_array()).flatten().collect()
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(s) => s.clone(),
        Json::Object(map) if map.len() == 1 && map.keys().all(|k| k.starts_with('$')) => {
            map.values().next().and_then(Json::as_str).map_or_else(|| value.to_string(), str::to_owned)
        }
        other => other.to_string(),
    }
}

/// The choices of a closed list that carry a description each.
fn described_choices(schema: &Json) -> Vec<(String, String)> {
    branches(schema)
        .into_iter()
        .filter_map(|b| {
            let choice = b.get("const").or_else(|| b["enum"].as_array().filter(|e| e.len() == 1).and_then(|e| e.first()))?;
            Some((plain(choice), b["description"].as_str()?.lines().next()?.to_owned()))
        })
        .collect()
}

/// The type in words: `string`, `list of int`, `duration`, `a | b`.
pub(crate) fn type_words(schema: &Json) -> String {
    if let Some(only) = schema.get("const") {
        return plain(only);
    }
    if let Some(options) = schema["enum"].as_array() {
        return options.iter().filter(|o| !o.is_null()).map(plain).collect::<Vec<_>>().join(" | ");
    }
    let branches = branches(schema);
    if !branches.is_empty() {
        let mut words: Vec<String> = Vec::new();
        for branch in branches.iter().filter(|b| b["type"] != "null") {
            let word = type_words(branch);
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let choices = branches.iter().all(|b| b.get("const").is_some() || b["enum"].is_array());
        return words.join(if choices { " | " } else { " or " });
    }
    let types: Vec<&str> = match &schema["type"] {
        Json::String(s) => vec![s],
        Json::Array(all) => all.iter().filter_map(Json::as_str).filter(|t| *t != "null").collect(),
        _ => Vec::new(),
    };
    if types.is_empty() {
        return "any value".to_owned();
    }
    types.iter().map(|t| one_type(schema, t)).collect::<Vec<_>>().join(" or ")
}

fn one_type(schema: &Json, ty: &str) -> String {
    let format = schema["format"].as_str().unwrap_or_default();
    match ty {
        "string" => match format {
            "duration" | "size" | "regex" => format,
            "date-time" => "time",
            "uri" => "url",
            _ => "string",
        }
        .to_owned(),
        "integer" => "int".to_owned(),
        "number" => "number".to_owned(),
        "boolean" => "bool".to_owned(),
        "array" if schema["items"].is_object() => {
            format!("list of {}", type_words(&schema["items"]))
        }
        "array" => "list".to_owned(),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map of {}", type_words(&schema["additionalProperties"]))
        }
        "object" => "map".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_in_words() {
        for (schema, words) in [
            (json!({"type": "string"}), "string"),
            (json!({"type": ["string", "null"], "format": "duration"}), "duration"),
            (json!({"type": "array", "items": {"type": "integer"}}), "list of int"),
            (json!({"type": "object", "additionalProperties": {"type": "string"}}), "map of string"),
            (
                json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
                "string or list of string",
            ),
            (json!({"enum": ["a", "b"]}), "a | b"),
            (json!({"oneOf": [{"const": "get", "description": "Reads."}, {"enum": ["post"]}]}), "get | post"),
            (json!(true), "any value"),
        ] {
            assert_eq!(type_words(&schema), words);
        }
    }

    #[test]
    fn nested_fields_are_listed() {
        let schema = json!({
            "type": "object",
            "required": ["url"],
            "properties": {
                "url": {"type": "string", "description": "Where."},
                "limit": {"type": "string", "format": "duration", "default": {"$duration": "5s"}},
                "of": {"anyOf": [{"type": "object", "properties": {"p": {"type": "integer"}}}, {"type": "null"}]},
                "list": {"type": "array", "items": {"type": "object", "properties": {"q": {"type": "boolean", "default": false}}}}
            }
        });
        let got: Vec<String> = fields(&schema).iter().map(|f| format!("{} {} {:?}", f.name, f.ty, f.default)).collect();
        assert_eq!(
            got,
            [
                "url string None",
                "limit duration Some(\"5s\")",
                "of map None",
                "of.p int None",
                "list list of map None",
                "list[].q bool Some(\"false\")"
            ]
        );
    }
}
