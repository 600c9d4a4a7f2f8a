//! What is known about the value of an expression before anything runs.

use runbook_core::model::{Arg, ArgKind, ParamType, Service, Step, TreeNode};
use runbook_core::suggest::nearest;
use runbook_core::value::Value;
use serde_json::Value as Json;

/// What is known about a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ty<'a> {
    /// Nothing.
    Any,
    /// Its kind.
    Kind(Kind),
    /// Its JSON Schema.
    Schema(&'a Json),
    /// A value as written.
    Written(&'a Arg),
    /// A map with fixed names.
    Fixed(Fixed),
    /// `params`.
    Params,
    /// `env`.
    Env,
    /// `steps`.
    Steps,
    /// The result of a step.
    Step(&'a Step),
    /// What became of a node of a triage tree.
    Node(&'a TreeNode),
    /// `services`.
    Services,
    /// One service, if it is known which.
    Service(Option<&'a Service>),
    /// `thresholds`.
    Thresholds,
}

/// Maps whose names the language fixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fixed {
    /// `run`
    Run,
    /// `error` in a rescue.
    Error,
}

impl Fixed {
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Fixed::Run => &["id", "started_at", "operator", "dry_run", "verdict", "state", "program"],
            Fixed::Error => &["message", "step", "result"],
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Fixed::Run => "run",
            Fixed::Error => "error",
        }
    }

    pub(crate) fn member(self, name: &str) -> Ty<'static> {
        match name {
            "started_at" => Ty::Kind(Kind::Time),
            "dry_run" => Ty::Kind(Kind::Bool),
            "id" | "operator" | "state" | "program" | "message" => Ty::Kind(Kind::Str),
            _ => Ty::Any,
        }
    }
}

/// The kind of a value, as far as comparing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Str,
    Duration,
    Size,
    Time,
    List,
    Map,
}

impl Kind {
    /// As said to people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "a boolean",
            Kind::Number => "a number",
            Kind::Str => "a string",
            Kind::Duration => "a duration",
            Kind::Size => "a size",
            Kind::Time => "a time",
            Kind::List => "a list",
            Kind::Map => "a map",
        }
    }

    /// The kind of a literal.
    pub(crate) fn of(value: &Value) -> Option<Kind> {
        Some(match value.bare() {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Int(_) | Value::Float(_) => Kind::Number,
            Value::Str(_) => Kind::Str,
            Value::Duration(_) => Kind::Duration,
            Value::Size(_) => Kind::Size,
            Value::Time(_) => Kind::Time,
            Value::List(_) => Kind::List,
            Value::Map(_) => Kind::Map,
            Value::Unknown(_) | Value::Secret(_) => return None,
        })
    }

    /// The kind of a parameter's values.
    pub(crate) fn of_param(ty: ParamType) -> Option<Kind> {
        Some(match ty {
            ParamType::String | ParamType::Path | ParamType::Url | ParamType::Secret => Kind::Str,
            ParamType::Int | ParamType::Float => Kind::Number,
            ParamType::Bool => Kind::Bool,
            ParamType::Duration => Kind::Duration,
            ParamType::Size => Kind::Size,
            ParamType::Time => Kind::Time,
            ParamType::List => Kind::List,
            ParamType::Map => Kind::Map,
            ParamType::Choice => return None,
        })
    }
}

/// Why a member is not there: what is wrong, and what to do.
pub(crate) struct Missing {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Missing {
    /// A name that is not among those that are there.
    pub(crate) fn among<'n>(message: String, name: &str, names: impl IntoIterator<Item = &'n str>) -> Missing {
        // More are not looked through for what is near, and nobody would read them.
        let names: Vec<&str> = names.into_iter().take(500).collect();
        let help = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "there are none".to_owned(),
            None => {
                let shown: Vec<&str> = names.iter().copied().take(20).collect();
                let more = if names.len() > shown.len() { ", ..." } else { "" };
                format!("known here: {}{more}", shown.join(", "))
            }
        };
        Missing { message, help }
    }
}

impl<'a> Ty<'a> {
    /// The kind, if it is known.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Ty::Kind(kind) => Some(*kind),
            Ty::Schema(schema) => schema_kind(schema),
            Ty::Written(arg) => match &arg.kind {
                ArgKind::Value(value) => Kind::of(value),
                ArgKind::List(_) => Some(Kind::List),
                ArgKind::Map(_) => Some(Kind::Map),
                ArgKind::Template(t) if t.parts.len() > 1 => Some(Kind::Str),
                _ => None,
            },
            Ty::Any => None,
            _ => Some(Kind::Map),
        }
    }
}

/// The kind that a schema allows, if it is only one; null does not count, for every field may be null.
fn schema_kind(schema: &Json) -> Option<Kind> {
    if let Some(branches) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array) {
        let mut kinds = branches.iter().filter(|b| b["type"] != "null").map(schema_kind);
        let first = kinds.next()??;
        return kinds.all(|k| k == Some(first)).then_some(first);
    }
    let word = match &schema["type"] {
        Json::String(word) => word.as_str(),
        Json::Array(words) => {
            let mut words = words.iter().filter_map(Json::as_str).filter(|w| *w != "null");
            let first = words.next()?;
            if words.next().is_some() {
                return None;
            }
            first
        }
        _ => return None,
    };
    Some(match (word, schema["format"].as_str()) {
        ("string", Some("duration")) => Kind::Duration,
        ("string", Some("size")) => Kind::Size,
        ("string", Some("date-time")) => Kind::Time,
        ("string", _) => Kind::Str,
        ("integer" | "number", _) => Kind::Number,
        ("boolean", _) => Kind::Bool,
        ("array", _) => Kind::List,
        ("object", _) => Kind::Map,
        _ => return None,
    })
}

/// The member of a value that a schema describes: its own schema, nothing known, or missing with the names there are.
pub(crate) fn schema_member<'a>(schema: &'a Json, name: &str) -> Result<Ty<'a>, Vec<&'a str>> {
    if let Some(branches) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array) {
        let mut real = branches.iter().filter(|b| b["type"] != "null");
        return match (real.next(), real.next()) {
            (Some(only), None) => schema_member(only, name),
            _ => Ok(Ty::Any),
        };
    }
    let Some(properties) = schema["properties"].as_object().filter(|p| !p.is_empty()) else {
        return match &schema["additionalProperties"] {
            inner @ Json::Object(_) => Ok(Ty::Schema(inner)),
            _ => Ok(Ty::Any),
        };
    };
    if let Some(inner) = properties.get(name) {
        return Ok(Ty::Schema(inner));
    }
    match &schema["additionalProperties"] {
        Json::Null | Json::Bool(false) => Err(properties.keys().map(String::as_str).collect()),
        inner @ Json::Object(_) => Ok(Ty::Schema(inner)),
        _ => Ok(Ty::Any),
    }
}
