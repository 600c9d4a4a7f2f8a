//! Parameter values: from text or another value to the parameter's type, with its rules.

use crate::expr::Scope;
use crate::forms;
use crate::model::{Param, ParamType};
use crate::suggest::nearest;
use crate::value::{Value, compare, equal, parse_duration, parse_size, parse_time};

/// Why a value does not fit a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// What is wrong, as a fragment after "parameter `x`: ".
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

fn fail<T>(message: impl Into<String>) -> Result<T, InputError> {
    Err(InputError { message: message.into(), help: None })
}

/// Reads text, as given on the command line, as a value of the parameter's type.
///
/// # Errors
/// Text that is not of the type.
pub fn from_text(ty: ParamType, text: &str) -> Result<Value, InputError> {
    let json = |what: &str| {
        crate::value::strict_json(text)
            .map(crate::value::from_json)
            .map_err(|why| InputError { message: format!("expected {what}, found {text:?}"), help: Some(why) })
    };
    match ty {
        ParamType::Int => text.parse().map(Value::Int).or_else(|_| fail(format!("expected a whole number, found {text:?}"))),
        ParamType::Float => match text.parse::<f64>() {
            Ok(f) if f.is_finite() => Ok(Value::Float(f)),
            _ => fail(format!("expected a number, found {text:?}")),
        },
        ParamType::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => fail(format!("expected `true` or `false`, found {text:?}")),
        },
        ParamType::List if !text.trim_start().starts_with('[') => {
            Ok(Value::list(text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(Value::str)))
        }
        ParamType::List => json("a list, as JSON or comma-separated"),
        ParamType::Map => json("a map, as JSON"),
        _ => typed(ty, Value::str(text)),
    }
}

/// What to write where a value is not of the type.
fn instead(ty: ParamType, value: &Value, secret: bool) -> String {
    let text = value.as_str().filter(|_| !secret);
    match (ty, text) {
        (ParamType::Duration, _) => forms::DURATION.to_owned(),
        (ParamType::Size, _) => forms::SIZE.to_owned(),
        (ParamType::Time, _) => forms::TIME.to_owned(),
        (ParamType::Bool, Some("yes" | "on")) => "write `true`".to_owned(),
        (ParamType::Bool, Some("no" | "off")) => "write `false`".to_owned(),
        (ParamType::Url, Some(text)) => format!("begin with a scheme: `http://{}`", text.trim_start_matches('/')),
        (ParamType::String | ParamType::Path | ParamType::Secret, None)
            if !secret && !matches!(value, Value::List(_) | Value::Map(_)) =>
        {
            format!("put it in quotes: \"{value}\"")
        }
        _ => format!("its type is `{}`", ParamType::ALL.iter().find(|(_, t)| *t == ty).map_or("string", |(word, _)| word)),
    }
}

/// Makes a value one of the parameter's type, without guessing.
///
/// # Errors
/// A value of another type.
pub fn typed(ty: ParamType, value: Value) -> Result<Value, InputError> {
    if value.is_unknown() || value.is_null() {
        return Ok(value);
    }
    let names = value.secret_names().to_vec();
    let expected = |what: &str| {
        let bare = value.bare();
        let found = match bare {
            Value::Str(s) if names.is_empty() => format!("{:?}", &**s),
            other => other.kind().to_owned(),
        };
        Err(InputError { message: format!("expected {what}, found {found}"), help: Some(instead(ty, bare, !names.is_empty())) })
    };
    let text = value.as_str();
    let out = match (ty, value.bare()) {
        (ParamType::Int, Value::Int(_))
        | (ParamType::Float, Value::Float(_))
        | (ParamType::Bool, Value::Bool(_))
        | (ParamType::Duration, Value::Duration(_))
        | (ParamType::Size, Value::Size(_))
        | (ParamType::Time, Value::Time(_))
        | (ParamType::List, Value::List(_))
        | (ParamType::Map, Value::Map(_))
        | (ParamType::Choice, _)
        | (ParamType::String | ParamType::Path | ParamType::Secret, Value::Str(_)) => value.bare().clone(),
        (ParamType::Float, Value::Int(i)) => Value::Float(*i as f64),
        (ParamType::Duration, Value::Str(s)) => match parse_duration(s) {
            Some(d) => Value::Duration(d),
            None => return expected("a duration such as `30s`"),
        },
        (ParamType::Size, Value::Str(s)) => match parse_size(s) {
            Some(n) => Value::Size(n),
            None => return expected("a size such as `100MB`"),
        },
        (ParamType::Time, Value::Str(s)) => match parse_time(s) {
            Some(t) => Value::Time(t),
            None => return expected("a time such as `2026-02-15T14:23:45Z`"),
        },
        (ParamType::Url, Value::Str(_)) => match text.and_then(|t| t.split_once("://")) {
            Some((scheme, rest))
                if !scheme.is_empty()
                    && !rest.is_empty()
                    && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) =>
            {
                value.bare().clone()
            }
            _ => return expected("a URL such as `http://127.0.0.1:8000/`"),
        },
        (ParamType::Int, _) => return expected("a whole number"),
        (ParamType::Float, _) => return expected("a number"),
        (ParamType::Bool, _) => return expected("`true` or `false`"),
        (ParamType::Duration, _) => return expected("a duration such as `30s`"),
        (ParamType::Size, _) => return expected("a size such as `100MB`"),
        (ParamType::Time, _) => return expected("a time such as `2026-02-15T14:23:45Z`"),
        (ParamType::List, _) => return expected("a list"),
        (ParamType::Map, _) => return expected("a map"),
        (ParamType::Url, _) => return expected("a URL such as `http://127.0.0.1:8000/`"),
        (ParamType::String | ParamType::Path | ParamType::Secret, _) => return expected("a string"),
    };
    Ok(out.with_secrets(&names))
}

/// Makes a value one of the parameter's type and holds it to the parameter's rules.
///
/// # Errors
/// A value of another type, or one that breaks `choices`, `min`, `max` or `pattern`.
pub fn check(param: &Param, value: Value, scope: &dyn Scope) -> Result<Value, InputError> {
    let value = typed(param.ty, value)?;
    if value.is_null() || value.is_unknown() {
        return Ok(value);
    }
    let shown = || if param.ty == ParamType::Secret { "the value".to_owned() } else { format!("`{value}`") };
    if let Some(choices) = choices(param, scope)? {
        let found = choices.iter().any(|c| equal(c, &value) == Ok(true));
        if !found {
            let names: Vec<String> = choices.iter().map(ToString::to_string).collect();
            let near = value.as_str().and_then(|v| nearest(v, names.iter().map(String::as_str)));
            return Err(InputError {
                message: format!("{} is not one of {}", shown(), names.join(", ")),
                help: Some(near.map_or_else(|| "give one of them".to_owned(), |n| format!("did you mean `{n}`?"))),
            });
        }
    }
    for (limit, least) in [(&param.min, true), (&param.max, false)] {
        let Some(limit) = limit else { continue };
        let limit = limit.render(scope).map_err(|(e, _)| InputError { message: e.message, help: None })?;
        let limit = typed(param.ty, limit.clone()).unwrap_or(limit);
        let length = match value.bare() {
            Value::Str(s) => Some(Value::from(s.chars().count())),
            Value::List(l) => Some(Value::from(l.len())),
            _ => None,
        };
        let measured = match (&length, limit.bare()) {
            (Some(length), Value::Int(_)) => length,
            _ => &value,
        };
        let order = compare(measured, &limit).map_err(|e| InputError {
            message: format!("{} cannot be compared with its limit, {}", e.left, e.right),
            help: None,
        })?;
        if (least && order.is_lt()) || (!least && order.is_gt()) {
            let word = if least { "at least" } else { "at most" };
            let what = if length.is_some() { "its length" } else { "it" };
            return Err(InputError {
                message: format!("{} is out of range: {what} must be {word} {limit}", shown()),
                help: Some(format!("the parameter says `{}: {limit}`", if least { "min" } else { "max" })),
            });
        }
    }
    if let (Some(pattern), Some(text)) = (&param.pattern, value.as_str()) {
        let matches = regex::Regex::new(&format!("^(?:{})$", pattern.value)).is_ok_and(|re| re.is_match(text));
        if !matches {
            return Err(InputError {
                message: format!("{} does not match the pattern `{}`", shown(), pattern.value),
                help: Some("the whole text must match it".to_owned()),
            });
        }
    }
    Ok(if param.ty == ParamType::Secret { value.into_secret(&param.name.value) } else { value })
}

/// The values that a parameter may have, if they are limited.
///
/// # Errors
/// `choices` that cannot be evaluated or are no list.
pub fn choices(param: &Param, scope: &dyn Scope) -> Result<Option<Vec<Value>>, InputError> {
    let Some(choices) = &param.choices else { return Ok(None) };
    let value = choices
        .render(scope)
        .map_err(|(e, _)| InputError { message: format!("its choices cannot be told: {}", e.message), help: None })?;
    match value.bare() {
        Value::List(items) => Ok(Some(items.to_vec())),
        Value::Map(map) => Ok(Some(map.keys().map(Value::str).collect())),
        Value::Unknown(_) => Ok(None),
        other => fail(format!("its choices are {}, not a list", other.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_typed_values() {
        for (ty, text, shown) in [
            (ParamType::Int, "5", "5"),
            (ParamType::Bool, "true", "true"),
            (ParamType::Duration, "90s", "1m30s"),
            (ParamType::List, "a, b", "[\"a\",\"b\"]"),
            (ParamType::List, "[1]", "[1]"),
            (ParamType::Map, "{\"a\":1}", "{\"a\":1}"),
            (ParamType::Url, "http://x", "http://x"),
        ] {
            assert_eq!(from_text(ty, text).expect(text).to_string(), shown);
        }
        for (ty, text) in [
            (ParamType::Int, "5.5"),
            (ParamType::Bool, "yes"),
            (ParamType::Duration, "5"),
            (ParamType::Size, "10 gigs"),
            (ParamType::Time, "2026-02-31"),
            (ParamType::Url, "nowhere"),
            (ParamType::Map, "x"),
            (ParamType::Float, "inf"),
        ] {
            assert!(from_text(ty, text).is_err(), "{text}");
        }
    }
}
