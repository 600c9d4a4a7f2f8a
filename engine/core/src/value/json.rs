//! Values to and from JSON: plain for people and programs, tagged for the journal, revealed for a module.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value as Json, json};

use super::units::{format_duration, format_size, parse_duration, parse_size};
use super::{Secret, Unknown, Value};

/// What is shown in place of a secret.
pub fn secret_mark(names: &[String]) -> String {
    format!("*** ({})", names.join(", "))
}

/// Reads plain JSON; the tags `$duration`, `$size` and `$time` become typed values.
pub fn from_json(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => n.as_i64().map_or_else(|| Value::Float(n.as_f64().unwrap_or(f64::MAX)), Value::Int),
        Json::String(s) => Value::Str(Arc::from(s)),
        Json::Array(items) => Value::list(items.into_iter().map(from_json)),
        Json::Object(map) => typed(&map).unwrap_or_else(|| Value::map(map.into_iter().map(|(k, v)| (k, from_json(v))))),
    }
}

fn typed(map: &serde_json::Map<String, Json>) -> Option<Value> {
    if map.len() != 1 {
        return None;
    }
    let (tag, text) = map.iter().next()?;
    tagged(tag, text.as_str()?)
}

/// The typed value that a tag and its text stand for.
pub(super) fn tagged(tag: &str, text: &str) -> Option<Value> {
    match tag {
        "$duration" => match text.strip_prefix('-') {
            Some(rest) => parse_duration(rest).map(|d| Value::Duration(-d)),
            None => parse_duration(text).map(Value::Duration),
        },
        "$size" => parse_size(text).map(Value::Size),
        "$time" => text.parse::<Timestamp>().ok().map(Value::Time),
        _ => None,
    }
}

/// Reads what [`Value::to_record`] wrote: as [`from_json`], and `$unknown` and `$secret` get their marks back.
///
/// A secret's value is not in the record, so it comes back as a secret without a value.
pub fn from_record(json: Json) -> Value {
    match json {
        Json::Object(map) if map.len() == 1 && map.contains_key("$unknown") => {
            let reason = map["$unknown"].as_str().unwrap_or("").to_owned();
            Value::Unknown(Arc::new(Unknown { reason, step: None }))
        }
        Json::Object(map) if map.len() == 1 && map.contains_key("$secret") => {
            let names = map["$secret"].as_array().map(|a| a.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect());
            Value::Secret(Arc::new(Secret { names: names.unwrap_or_default(), value: Value::Null }))
        }
        Json::Object(map) => typed(&map).unwrap_or_else(|| Value::map(map.into_iter().map(|(k, v)| (k, from_record(v))))),
        Json::Array(items) => Value::list(items.into_iter().map(from_record)),
        other => from_json(other),
    }
}

impl Value {
    /// Plain JSON for people and programs: typed values as text, secrets as `*** (name)`, unknown as `null`.
    pub fn to_json(&self) -> Json {
        match self {
            Value::Unknown(_) => Json::Null,
            Value::Secret(s) => Json::String(secret_mark(&s.names)),
            other => other.plain(&Value::to_json),
        }
    }

    /// JSON for the journal: typed and unknown values are tagged, a secret is only named.
    pub fn to_record(&self) -> Json {
        match self {
            Value::Duration(d) => json!({ "$duration": format_duration(*d) }),
            Value::Size(n) => json!({ "$size": format_size(*n) }),
            Value::Time(t) => json!({ "$time": t.to_string() }),
            Value::Unknown(u) => json!({ "$unknown": u.reason }),
            Value::Secret(s) => json!({ "$secret": s.names }),
            other => other.plain(&Value::to_record),
        }
    }

    /// JSON for a module: typed values as text, secrets in clear. Never for output.
    ///
    /// # Errors
    /// The reason, if anything in it is unknown.
    pub fn reveal(&self) -> Result<Json, Arc<Unknown>> {
        if let Some(unknown) = self.find_unknown() {
            return Err(unknown.clone());
        }
        Ok(self.revealed())
    }

    fn revealed(&self) -> Json {
        match self {
            Value::Secret(s) => s.value.revealed(),
            other => other.plain(&Value::revealed),
        }
    }

    fn plain(&self, inner: &dyn Fn(&Value) -> Json) -> Json {
        match self {
            Value::Null | Value::Unknown(_) | Value::Secret(_) => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(i) => json!(i),
            Value::Float(f) => serde_json::Number::from_f64(*f).map_or(Json::Null, Json::Number),
            Value::Str(s) => Json::String(s.to_string()),
            Value::Duration(d) => Json::String(format_duration(*d)),
            Value::Size(n) => Json::String(format_size(*n)),
            Value::Time(t) => Json::String(t.to_string()),
            Value::List(items) => Json::Array(items.iter().map(inner).collect()),
            Value::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.clone(), inner(v))).collect()),
        }
    }
}

/// Shows a value as a person reads it: strings bare, everything else as JSON, secrets masked.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Str(s) => f.write_str(s),
            Value::Null => f.write_str("null"),
            Value::Duration(d) => f.write_str(&format_duration(*d)),
            Value::Size(n) => f.write_str(&format_size(*n)),
            Value::Time(t) => write!(f, "{t}"),
            Value::Unknown(_) => f.write_str("unknown"),
            Value::Secret(s) => f.write_str(&secret_mark(&s.names)),
            other => write!(f, "{}", other.to_json()),
        }
    }
}

/// Serialises as [`Value::to_record`].
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        // Straight to the writer: a journal has a record of every result.
        fn tag<S: Serializer>(s: S, name: &'static str, value: &(impl Serialize + ?Sized)) -> Result<S::Ok, S::Error> {
            let mut map = s.serialize_map(Some(1))?;
            map.serialize_entry(name, value)?;
            map.end()
        }
        match self {
            Value::Null => s.serialize_unit(),
            Value::Bool(b) => s.serialize_bool(*b),
            Value::Int(i) => s.serialize_i64(*i),
            Value::Float(f) if f.is_finite() => s.serialize_f64(*f),
            Value::Float(_) => s.serialize_unit(),
            Value::Str(text) => s.serialize_str(text),
            Value::Duration(d) => tag(s, "$duration", &format_duration(*d)),
            Value::Size(n) => tag(s, "$size", &format_size(*n)),
            Value::Time(t) => tag(s, "$time", t),
            Value::Unknown(u) => tag(s, "$unknown", &u.reason),
            Value::Secret(secret) => tag(s, "$secret", &secret.names),
            Value::List(items) => s.collect_seq(items.iter()),
            Value::Map(map) => s.collect_map(map.iter()),
        }
    }
}

/// Deserialises as [`from_record`].
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Json::deserialize(d).map(from_record)
    }
}

/// The form of [`Value::to_record`].
impl JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let inner = generator.subschema_for::<Value>();
        let tag = |name: &str, description: &str, value: Json| {
            json!({
                "type": "object",
                "description": description,
                "properties": { name: value },
                "required": [name],
                "additionalProperties": false,
            })
        };
        let text = || json!({ "type": "string" });
        json_schema!({
            "description": "A value. Kinds that JSON has not, and marks, are maps with one key that begins with `$`.",
            "anyOf": [
                { "type": ["null", "boolean", "number", "string"] },
                tag("$duration", "A duration, such as `1m30s`.", text()),
                tag("$size", "A number of bytes, such as `100MB`.", text()),
                tag("$time", "A time in UTC, such as `2026-02-15T14:23:45Z`.", text()),
                tag("$unknown", "A value that is not known, with the reason.", text()),
                tag("$secret", "A secret: the names of what went into it, never the value.", json!({ "type": "array", "items": { "type": "string" } })),
                { "type": "array", "items": inner },
                { "type": "object", "additionalProperties": inner },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_the_record() {
        let time = "2026-02-15T14:23:45.5Z".parse().expect("a time");
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int(-3),
            Value::Float(1.5),
            Value::Float(f64::NAN),
            Value::str("a \"q\"\n"),
            Value::Duration(jiff::SignedDuration::from_millis(1500)),
            Value::Size(1 << 20),
            Value::Time(time),
            Value::unknown("not yet"),
            Value::str("hunter2").into_secret("pw"),
        ];
        let all = Value::map([("list", Value::list(values.clone())), ("map", Value::map([("inner", Value::list(values))]))]);
        assert_eq!(serde_json::to_string(&all).expect("writes"), all.to_record().to_string());
    }

    #[test]
    fn secrets_never_leave() {
        let v = Value::map([("a", Value::str("hunter2").into_secret("pw"))]);
        assert_eq!(v.to_json().to_string(), r#"{"a":"*** (pw)"}"#);
        assert_eq!(v.to_record().to_string(), r#"{"a":{"$secret":["pw"]}}"#);
        assert!(!format!("{v}").contains("hunter2"));
        assert_eq!(v.reveal().expect("known").to_string(), r#"{"a":"hunter2"}"#);
    }

    #[test]
    fn records_keep_types() {
        let v = Value::list([Value::Duration(jiff::SignedDuration::from_secs(90)), Value::Size(1024), Value::unknown("x")]);
        let back = from_record(v.to_record());
        assert_eq!(back.to_record(), v.to_record());
        assert!(v.reveal().is_err());
    }
}
