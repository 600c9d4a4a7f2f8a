//! Values that a test compares with: exact ones, and the forms that say only a part.

use std::fmt;

use regex::Regex;

use crate::value::{Value, equal, parse_duration, parse_size, parse_time};

/// What a value must look like.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// It is this value. Text in the form of a duration, size or time also fits that value.
    Equals(Value),
    /// `{matches: REGEX}`: the regular expression is found in the text.
    Matches(Regex),
    /// `{contains: X}`: the text holds this text, or the list this item.
    Contains(Value),
    /// `{starts_with: X}`: the text begins with this text, or the list with these items.
    StartsWith(Value),
    /// A list of the same length, item by item.
    List(Vec<Matcher>),
    /// A map with these entries; others may be there.
    Map(Vec<(String, Matcher)>),
}

impl Matcher {
    /// Whether a value fits. The marks of secrets do not count; an unknown value fits nothing.
    pub fn fits(&self, value: &Value) -> bool {
        let value = value.bare();
        match self {
            Matcher::Equals(wanted) => same(wanted, value),
            Matcher::Matches(regex) => match value {
                Value::List(_) | Value::Map(_) | Value::Unknown(_) | Value::Null => false,
                Value::Str(text) => regex.is_match(text),
                other => regex.is_match(&other.to_string()),
            },
            Matcher::Contains(part) => match value {
                Value::Str(text) => part.as_str().is_some_and(|part| text.contains(part)),
                Value::List(items) => items.iter().any(|item| same(part, item.bare())),
                Value::Map(map) => part.as_str().is_some_and(|key| map.contains_key(key)),
                _ => false,
            },
            Matcher::StartsWith(part) => match (part, value) {
                (Value::List(first), Value::List(items)) => {
                    first.len() <= items.len() && first.iter().zip(items.iter()).all(|(a, b)| same(a, b.bare()))
                }
                (part, Value::List(items)) => items.first().is_some_and(|item| same(part, item.bare())),
                (part, Value::Str(text)) => part.as_str().is_some_and(|part| text.starts_with(part)),
                _ => false,
            },
            Matcher::List(wanted) => value
                .as_list()
                .is_some_and(|items| items.len() == wanted.len() && wanted.iter().zip(items).all(|(m, v)| m.fits(v))),
            Matcher::Map(wanted) => {
                let map = value.as_map();
                map.is_some_and(|map| wanted.iter().all(|(key, m)| m.fits(map.get(key).unwrap_or(&Value::Null))))
            }
        }
    }

    /// Whether it says everything about a value, so that nothing else could fit.
    pub fn is_exact(&self) -> bool {
        matches!(self, Matcher::Equals(_))
    }
}

/// Whether two values are the same, a text in a typed form being that type's value.
fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted.bare(), found) {
        (_, Value::Unknown(_)) => false,
        (Value::Str(text), Value::Duration(d)) => parse_duration(text) == Some(*d),
        (Value::Str(text), Value::Size(n)) => parse_size(text) == Some(*n),
        (Value::Str(text), Value::Time(t)) => parse_time(text) == Some(*t),
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b.bare())),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b.bare())))
        }
        (a, b) => equal(a, b) == Ok(true),
    }
}

/// As written in a test.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Matcher::Equals(Value::Str(text)) => write!(f, "{text:?}"),
            Matcher::Equals(value) => write!(f, "{value}"),
            Matcher::Matches(regex) => write!(f, "{{matches: {:?}}}", regex.as_str()),
            Matcher::Contains(part) => write!(f, "{{contains: {}}}", Matcher::Equals(part.clone())),
            Matcher::StartsWith(part) => write!(f, "{{starts_with: {}}}", Matcher::Equals(part.clone())),
            Matcher::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Matcher::Map(entries) => {
                let entries: Vec<String> = entries.iter().map(|(key, m)| format!("{key}: {m}")).collect();
                write!(f, "{{{}}}", entries.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn is(value: impl Into<Value>) -> Matcher {
        Matcher::Equals(value.into())
    }

    #[test]
    fn exact_values_are_exact() {
        assert!(is("a").fits(&Value::str("a")) && !is("a").fits(&Value::str("ab")));
        assert!(is(200i64).fits(&Value::Float(200.0)) && !is(200i64).fits(&Value::str("200")));
        assert!(is("30s").fits(&Value::Duration(SignedDuration::from_secs(30))));
        assert!(is("1KiB").fits(&Value::Size(1024)) && !is("1KiB").fits(&Value::Int(1024)));
        assert!(Matcher::Equals(Value::Null).fits(&Value::Null) && !Matcher::Equals(Value::Null).fits(&Value::Bool(false)));
        assert!(is("x").fits(&Value::str("x").into_secret("pw")));
        assert!(!is("x").fits(&Value::unknown("later")) && !Matcher::Equals(Value::Null).fits(&Value::unknown("later")));
    }

    #[test]
    fn parts_are_found() {
        let argv = Value::list([Value::str("git"), Value::str("status")]);
        let text = Value::str("git status");
        assert!(Matcher::Contains("status".into()).fits(&argv) && Matcher::Contains("status".into()).fits(&text));
        assert!(!Matcher::Contains("stat".into()).fits(&argv) && Matcher::Contains("stat".into()).fits(&text));
        assert!(Matcher::StartsWith("git".into()).fits(&argv) && Matcher::StartsWith("git".into()).fits(&text));
        assert!(Matcher::StartsWith(Value::list([Value::str("git")])).fits(&argv));
        assert!(!Matcher::StartsWith(Value::list([Value::str("status")])).fits(&argv));
        let regex = Matcher::Matches(Regex::new("^g.t").expect("a pattern"));
        assert!(regex.fits(&text) && !regex.fits(&argv));
    }

    #[test]
    fn maps_may_hold_more_and_lists_may_not() {
        let value = Value::map([("a", Value::Int(1)), ("b", Value::list([Value::Int(2)]))]);
        assert!(Matcher::Map(vec![("a".into(), is(1i64))]).fits(&value));
        assert!(Matcher::Map(vec![("c".into(), Matcher::Equals(Value::Null))]).fits(&value));
        assert!(!Matcher::Map(vec![("a".into(), is(2i64))]).fits(&value));
        assert!(Matcher::Map(vec![("b".into(), Matcher::List(vec![is(2i64)]))]).fits(&value));
        assert!(!Matcher::Map(vec![("b".into(), Matcher::List(vec![]))]).fits(&value));
        assert_eq!(Matcher::Map(vec![("a".into(), is("x"))]).to_string(), "{a: \"x\"}");
    }
}
