//! Values: JSON's kinds, durations, sizes and times, and two marks that nothing can wash off.

mod convert;
mod encode;
mod json;
mod order;
mod strict;
mod units;

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

pub use convert::{ConvertError, FromValue};
pub use encode::{EncodeError, to_value};
pub use json::{from_json, from_record, secret_mark};
pub use order::{KindError, compare, equal};
pub use strict::strict_json;
pub use units::{Duration, Size, Time, format_duration, format_size, parse_duration, parse_size, parse_time};

/// A map in insertion order.
pub type Map = IndexMap<String, Value>;

/// A value of the language.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// A length of time.
    Duration(SignedDuration),
    /// A number of bytes.
    Size(u64),
    /// A moment.
    Time(Timestamp),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A map with string keys.
    Map(Arc<Map>),
    /// Not known, because something did not run or could not be seen.
    Unknown(Arc<Unknown>),
    /// A value that must not be shown.
    Secret(Arc<Secret>),
}

/// Why a value is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What would have made it known, as said to people.
    pub reason: String,
    /// The step that would have made it known, if one would.
    pub step: Option<String>,
}

/// A value that must not be shown, with the names of the secrets in it.
#[derive(Clone, Debug)]
pub struct Secret {
    /// The names of the secrets that went into it.
    pub names: Vec<String>,
    /// The value; never itself a `Secret`.
    pub value: Value,
}

impl Value {
    /// A string value.
    pub fn str(text: impl AsRef<str>) -> Value {
        Value::Str(Arc::from(text.as_ref()))
    }

    /// A list value.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
        Value::List(Arc::new(items.into_iter().collect()))
    }

    /// A map value.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        Value::Map(Arc::new(entries.into_iter().map(|(k, v)| (k.into(), v)).collect()))
    }

    /// An unknown value with its reason.
    pub fn unknown(reason: impl Into<String>) -> Value {
        Value::Unknown(Arc::new(Unknown { reason: reason.into(), step: None }))
    }

    /// Marks a value as a secret of this name. Unknown stays unknown.
    pub fn into_secret(self, name: &str) -> Value {
        self.with_secrets(std::slice::from_ref(&name.to_owned()))
    }

    /// Marks a value with these secret names; with none it stays as it is.
    pub fn with_secrets(self, names: &[String]) -> Value {
        if names.is_empty() {
            return self;
        }
        match self {
            Value::Unknown(_) => self,
            Value::Secret(s) => {
                let mut all = s.names.clone();
                for name in names {
                    if !all.contains(name) {
                        all.push(name.clone());
                    }
                }
                Value::Secret(Arc::new(Secret { names: all, value: s.value.clone() }))
            }
            value => Value::Secret(Arc::new(Secret { names: names.to_vec(), value })),
        }
    }

    /// The value without its secret mark, for computing with it; the caller must put the mark back.
    pub fn bare(&self) -> &Value {
        match self {
            Value::Secret(s) => &s.value,
            other => other,
        }
    }

    /// The names of the secrets on this value itself (not on what is inside it).
    pub fn secret_names(&self) -> &[String] {
        match self {
            Value::Secret(s) => &s.names,
            _ => &[],
        }
    }

    /// All names of secrets on this value or anywhere inside it.
    pub fn all_secret_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect_secrets(&mut names);
        names
    }

    fn collect_secrets(&self, names: &mut Vec<String>) {
        match self {
            Value::Secret(s) => {
                for name in &s.names {
                    if !names.contains(name) {
                        names.push(name.clone());
                    }
                }
                s.value.collect_secrets(names);
            }
            Value::List(items) => items.iter().for_each(|v| v.collect_secrets(names)),
            Value::Map(map) => map.values().for_each(|v| v.collect_secrets(names)),
            _ => {}
        }
    }

    /// The first unknown in this value or anywhere inside it.
    pub fn find_unknown(&self) -> Option<&Arc<Unknown>> {
        match self {
            Value::Unknown(u) => Some(u),
            Value::Secret(s) => s.value.find_unknown(),
            Value::List(items) => items.iter().find_map(Value::find_unknown),
            Value::Map(map) => map.values().find_map(Value::find_unknown),
            _ => None,
        }
    }

    /// Whether it is unknown.
    pub fn is_unknown(&self) -> bool {
        matches!(self.bare(), Value::Unknown(_))
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.bare(), Value::Null)
    }

    /// Whether it counts as true: not null, false, zero, or empty. `None` if it is unknown.
    pub fn truth(&self) -> Option<bool> {
        Some(match self.bare() {
            Value::Null => false,
            Value::Bool(b) => *b,
            Value::Int(i) => *i != 0,
            Value::Float(f) => *f != 0.0,
            Value::Str(s) => !s.is_empty(),
            Value::Duration(d) => !d.is_zero(),
            Value::Size(n) => *n != 0,
            Value::Time(_) => true,
            Value::List(l) => !l.is_empty(),
            Value::Map(m) => !m.is_empty(),
            Value::Unknown(_) => return None,
            Value::Secret(s) => return s.value.truth(),
        })
    }

    /// The text of a string, secret or not.
    pub fn as_str(&self) -> Option<&str> {
        match self.bare() {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self.bare() {
            Value::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self.bare() {
            Value::Int(i) => Some(*i as f64),
            Value::Float(f) => Some(*f),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self.bare() {
            Value::Map(m) => Some(m),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self.bare() {
            Value::List(l) => Some(l),
            _ => None,
        }
    }

    /// The field of a map; null if it is missing or this is no map.
    pub fn field(&self, name: &str) -> Value {
        let inner = match self.bare() {
            Value::Map(m) => m.get(name).cloned().unwrap_or(Value::Null),
            Value::Unknown(_) => self.bare().clone(),
            _ => Value::Null,
        };
        inner.with_secrets(self.secret_names())
    }

    /// What kind it is, as said to people.
    pub fn kind(&self) -> &'static str {
        match self.bare() {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Str(_) => "a string",
            Value::Duration(_) => "a duration",
            Value::Size(_) => "a size",
            Value::Time(_) => "a time",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Unknown(_) => "unknown",
            Value::Secret(_) => "a secret",
        }
    }
}

impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Value::Bool(v)
    }
}
impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Value::Int(v)
    }
}
impl From<u32> for Value {
    fn from(v: u32) -> Self {
        Value::Int(v.into())
    }
}
impl From<usize> for Value {
    fn from(v: usize) -> Self {
        Value::Int(i64::try_from(v).unwrap_or(i64::MAX))
    }
}
impl From<f64> for Value {
    fn from(v: f64) -> Self {
        Value::Float(v)
    }
}
impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Value::str(v)
    }
}
impl From<String> for Value {
    fn from(v: String) -> Self {
        Value::Str(Arc::from(v))
    }
}
impl From<Map> for Value {
    fn from(v: Map) -> Self {
        Value::Map(Arc::new(v))
    }
}
impl From<Vec<Value>> for Value {
    fn from(v: Vec<Value>) -> Self {
        Value::List(Arc::new(v))
    }
}
impl From<SignedDuration> for Value {
    fn from(v: SignedDuration) -> Self {
        Value::Duration(v)
    }
}
impl From<Timestamp> for Value {
    fn from(v: Timestamp) -> Self {
        Value::Time(v)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stay() {
        let v = Value::str("x").into_secret("a").with_secrets(&["b".into()]);
        assert_eq!(v.secret_names(), ["a", "b"]);
        assert_eq!(Value::list([v]).all_secret_names(), ["a", "b"]);
        assert!(Value::unknown("later").into_secret("a").is_unknown());
        assert_eq!(Value::unknown("later").truth(), None);
    }
}
