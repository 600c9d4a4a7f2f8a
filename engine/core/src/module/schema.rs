//! Checking values against the JSON Schemas that modules' arguments are described by.
//!
//! The subset that our own types generate: `type`, `properties`, `required`, `additionalProperties`, `items`, `enum`, `const`, `anyOf`,
//! `oneOf`, `pattern`, `minimum`, `maximum`, `minLength`, `minItems` and our own formats. Unknown values (templates) fit everywhere.

use serde_json::Value as Json;

use crate::code::Code;
use crate::forms;
use crate::model::PathPart;
use crate::suggest::nearest;
use crate::value::{Value, parse_duration, parse_size, parse_time};

/// A value that does not fit its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// Where in the value.
    pub path: Vec<PathPart>,
    /// Whether the place is the key itself rather than its value.
    pub at_key: bool,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The code to report it under.
    pub code: Code,
    /// The bytes of the text that it is about, if only some are.
    pub range: Option<std::ops::Range<usize>>,
}

/// Every way in which `value` does not fit `schema`.
pub fn validate(schema: &Json, value: &Value) -> Vec<SchemaError> {
    let mut errors = Vec::new();
    check(schema, value, &mut Vec::new(), &mut errors);
    errors
}

fn check(schema: &Json, value: &Value, path: &mut Vec<PathPart>, errors: &mut Vec<SchemaError>) {
    if value.is_unknown() {
        return;
    }
    let value = value.bare();
    let mut fail = |path: &[PathPart], code, message: String, help: Option<String>| {
        errors.push(SchemaError { path: path.to_vec(), at_key: false, message, help, code, range: None });
    };
    if let Some(branches) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array) {
        // Words with a description each come as one branch per word.
        let words: Option<Vec<&Json>> = branches.iter().filter(|b| b["type"] != "null").map(|b| b.get("const")).collect();
        if let Some(words) = words.filter(|w| w.len() > 1 && w.iter().all(|w| w.is_string())) {
            if !(value.is_null() && branches.iter().any(|b| b["type"] == "null")) {
                check(&serde_json::json!({ "enum": words }), value, path, errors);
            }
            return;
        }
        let tries: Vec<Vec<SchemaError>> = branches
            .iter()
            .map(|b| {
                let mut e = Vec::new();
                check(b, value, path, &mut e);
                e
            })
            .collect();
        if tries.iter().any(Vec::is_empty) {
            return;
        }
        // A branch of the right kind says more than "none of these".
        let same_kind: Vec<(&Json, &Vec<SchemaError>)> =
            branches.iter().zip(&tries).filter(|(b, _)| kind_fits(b, value) && b["type"] != "null").collect();
        match same_kind.first() {
            Some((_, errors_of)) if same_kind.len() > 1 && value.as_str().is_some() => {
                let kinds: Vec<String> = same_kind.iter().map(|(b, _)| describe(b)).collect();
                let helps: Vec<&str> = same_kind.iter().filter_map(|(_, e)| e.first()?.help.as_deref()).collect();
                let code = errors_of.first().map_or(Code::WrongType, |e| e.code);
                let help = Some(helps.join("; ")).filter(|h| !h.is_empty());
                fail(path, code, format!("expected {}, found {}", kinds.join(" or "), found(value)), help);
            }
            Some((_, errors_of)) => errors.extend(errors_of.iter().cloned()),
            None => {
                let kinds: Vec<String> = branches.iter().filter(|b| b["type"] != "null").map(describe).collect();
                fail(path, Code::WrongType, format!("expected {}, found {}", kinds.join(" or "), found(value)), None);
            }
        }
        return;
    }
    if let Some(options) = schema["enum"].as_array() {
        if !options.iter().any(|o| *o == value.to_json()) {
            let names: Vec<&str> = options.iter().filter_map(Json::as_str).collect();
            let near = value.as_str().and_then(|v| nearest(v, names.iter().copied()));
            // A type can say what to do instead, such as "use `http.request`".
            let instead = || schema["x-help"].as_str().map(str::to_owned);
            let help = near.map(|n| format!("did you mean `{n}`?")).or_else(instead);
            let list = || format!("one of {}", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "));
            let wanted = schema["x-wanted"].as_str().map_or_else(list, str::to_owned);
            fail(path, Code::BadChoice, format!("expected {wanted}, found {}", found(value)), help);
        }
        return;
    }
    if let Some(only) = schema.get("const") {
        if *only != value.to_json() {
            fail(path, Code::BadChoice, format!("expected `{only}`, found {}", found(value)), None);
        }
        return;
    }
    if !kind_fits(schema, value) {
        let help = match value {
            Value::Str(s)
                if types(schema).contains(&"boolean") && matches!(&**s, "yes" | "no" | "on" | "off" | "true" | "false") =>
            {
                Some("write `true` or `false`, without quotes".to_owned())
            }
            Value::Int(n) if schema["format"] == "duration" && *n >= 0 => {
                Some(format!("give it a unit: `{n}s`, `{n}m` or `{n}ms`"))
            }
            Value::Int(n) if schema["format"] == "size" && *n >= 0 => Some(format!("give it a unit: `{n}MB` or `{n}MiB`")),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) if types(schema) == ["string"] => {
                Some(schema["x-help"].as_str().map_or_else(|| format!("put it in quotes: \"{value}\""), str::to_owned))
            }
            _ if types(schema) == ["boolean"] => Some("write `true` or `false`".to_owned()),
            _ => schema["x-help"].as_str().map(str::to_owned),
        };
        fail(path, Code::WrongType, format!("expected {}, found {}", describe(schema), found(value)), help);
        return;
    }
    match value {
        Value::Map(map) => check_map(schema, map, path, errors),
        Value::List(items) => {
            if let Some(min) = schema["minItems"].as_u64()
                && (items.len() as u64) < min
            {
                fail(
                    path,
                    Code::OutOfRange,
                    format!("the list needs at least {min} item{}", if min == 1 { "" } else { "s" }),
                    None,
                );
            }
            let inner = &schema["items"];
            if inner.is_object() {
                for (i, item) in items.iter().enumerate() {
                    path.push(PathPart::Index(i));
                    check(inner, item, path, errors);
                    path.pop();
                }
            }
        }
        Value::Int(_) | Value::Float(_) => {
            let n = value.as_f64().unwrap_or_default();
            let (min, max) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
            if min.is_some_and(|m| n < m) || max.is_some_and(|m| n > m) {
                let range = match (min, max) {
                    (Some(a), Some(b)) => format!("from {a} to {b}"),
                    (Some(a), None) => format!("of at least {a}"),
                    (None, Some(b)) => format!("of at most {b}"),
                    (None, None) => String::new(),
                };
                fail(path, Code::OutOfRange, format!("expected a number {range}, found {value}"), None);
            }
        }
        Value::Str(s) => {
            let format = schema["format"].as_str();
            let pattern = schema["pattern"].as_str();
            let (ok, code, help) = match format {
                Some("duration") => (parse_duration(s).is_some(), Code::BadDuration, forms::DURATION),
                Some("size") => (parse_size(s).is_some(), Code::BadSize, forms::SIZE),
                Some("date-time") => (parse_time(s).is_some(), Code::BadTime, forms::TIME),
                _ => (pattern.is_none_or(|p| regex::Regex::new(p).is_ok_and(|r| r.is_match(s))), Code::BadArgument, ""),
            };
            let wrong = match format {
                Some("regex") => forms::regex(s, forms::MAX_PATTERN).map(|w| (Code::BadRegex, w)),
                Some("uri") => forms::url(s).map(|w| (Code::BadUrl, w)),
                Some("jsonpath") => forms::json_path(s).map(|w| (Code::BadJsonPath, w)),
                Some("hostname") => forms::host(s).map(|w| (Code::BadArgument, w)),
                _ => None,
            };
            if let Some((code, wrong)) = wrong {
                let (message, help) = (wrong.message, Some(wrong.help));
                errors.push(SchemaError { path: path.clone(), at_key: false, message, help, code, range: wrong.range });
            } else if !ok {
                let help = schema["x-help"].as_str().or(Some(help).filter(|h| !h.is_empty())).map(str::to_owned);
                fail(path, code, format!("expected {}, found {s:?}", describe(schema)), help);
            } else if schema["minLength"].as_u64().is_some_and(|m| (s.chars().count() as u64) < m) {
                fail(path, Code::OutOfRange, "the text is empty".to_owned(), Some("give it a text".to_owned()));
            }
        }
        _ => {}
    }
}

fn check_map(schema: &Json, map: &crate::value::Map, path: &mut Vec<PathPart>, errors: &mut Vec<SchemaError>) {
    let empty = serde_json::Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let closed = schema["additionalProperties"] == Json::Bool(false);
    for (key, value) in map {
        path.push(PathPart::Key(key.clone()));
        if let Some(inner) = properties.get(key) {
            // Null stands for a key that is left out.
            if !value.is_null() || !inner["default"].is_null() || allows_null(inner) || required(schema, key) {
                check(inner, value, path, errors);
            }
        } else if schema["additionalProperties"].is_object() {
            check(&schema["additionalProperties"], value, path, errors);
        } else if closed {
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            let help = match nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("allowed here: {}", known.join(", ")),
            };
            errors.push(SchemaError {
                path: path.clone(),
                at_key: true,
                message: format!("unknown argument `{key}`"),
                help: Some(help),
                code: Code::BadArgument,
                range: None,
            });
        }
        path.pop();
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        if !map.contains_key(key) {
            let what = properties.get(key).and_then(|p| p["description"].as_str()).and_then(|d| d.lines().next());
            errors.push(SchemaError {
                path: path.clone(),
                at_key: false,
                message: format!("`{key}` is missing"),
                help: what.map(|w| format!("`{key}`: {}", sentence(w))),
                code: Code::MissingKey,
                range: None,
            });
        }
    }
}

/// A sentence of documentation as the rest of another one.
fn sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(a), Some(b)) if !b.is_uppercase() => a.to_lowercase().chain([b]).chain(chars).collect(),
        _ => text.to_owned(),
    }
}

fn required(schema: &Json, key: &str) -> bool {
    schema["required"].as_array().is_some_and(|r| r.iter().any(|k| k == key))
}

fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(s) => vec![s],
        Json::Array(all) => all.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn allows_null(schema: &Json) -> bool {
    types(schema).contains(&"null")
}

fn kind_fits(schema: &Json, value: &Value) -> bool {
    let types = types(schema);
    if types.is_empty() {
        return true;
    }
    let format = schema["format"].as_str();
    types.iter().any(|t| match (*t, value) {
        ("null", Value::Null)
        | ("boolean", Value::Bool(_))
        | ("integer" | "number", Value::Int(_))
        | ("number", Value::Float(_))
        | ("string", Value::Str(_))
        | ("array", Value::List(_))
        | ("object", Value::Map(_)) => true,
        ("string", Value::Duration(_)) => matches!(format, Some("duration") | None),
        ("string", Value::Size(_)) => matches!(format, Some("size") | None),
        ("string", Value::Time(_)) => matches!(format, Some("date-time") | None),
        _ => false,
    })
}

fn describe(schema: &Json) -> String {
    if let Some(wanted) = schema["x-wanted"].as_str() {
        return wanted.to_owned();
    }
    let one = |t: &str| match (t, schema["format"].as_str()) {
        ("string", Some("duration")) => "a duration such as `30s`",
        ("string", Some("size")) => "a size such as `100MB`",
        ("string", Some("date-time")) => "a time such as `2026-02-15T14:23:45Z`",
        ("string", Some("regex")) => "a regular expression",
        ("string", Some("uri")) => "a URL such as `http://127.0.0.1:8000/health`",
        ("string", _) => "a string",
        ("integer", _) => "a whole number",
        ("number", _) => "a number",
        ("boolean", _) => "`true` or `false`",
        ("array", _) => "a list",
        ("object", _) => "a map",
        _ => "a value",
    };
    let kinds: Vec<&str> = types(schema).into_iter().filter(|t| *t != "null").map(one).collect();
    if kinds.is_empty() { "another value".to_owned() } else { kinds.join(" or ") }
}

fn found(value: &Value) -> String {
    match value {
        Value::Str(s) if s.chars().count() <= 60 => format!("the string {s:?}"),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => format!("`{value}`"),
        Value::Null => "nothing".to_owned(),
        other => other.kind().to_owned(),
    }
}
