//! Values into Rust types, with a message that a person understands.

use std::fmt;

use jiff::SignedDuration;

use super::{Value, parse_duration, parse_size};

/// A value was not of the kind that was needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertError {
    /// What was needed, such as "a duration such as `30s`".
    pub expected: &'static str,
    /// What was found.
    pub found: String,
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// Types that a known value can be read as.
pub trait FromValue: Sized {
    /// What is needed, as said to people.
    const EXPECTED: &'static str;

    /// The value as this type, if it is of the right kind. Secrets are read through.
    fn read(value: &Value) -> Option<Self>;

    /// As [`FromValue::read`], with an error that names both sides.
    fn from_value(value: &Value) -> Result<Self, ConvertError> {
        Self::read(value).ok_or_else(|| ConvertError {
            expected: Self::EXPECTED,
            found: match value {
                Value::Str(s) => format!("{:?}", s),
                Value::Int(_) | Value::Float(_) | Value::Bool(_) => format!("`{value}`"),
                other => other.kind().to_owned(),
            },
        })
    }
}

impl FromValue for bool {
    const EXPECTED: &'static str = "`true` or `false`";
    fn read(value: &Value) -> Option<Self> {
        match value.bare() {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }
}

impl FromValue for i64 {
    const EXPECTED: &'static str = "a whole number";
    fn read(value: &Value) -> Option<Self> {
        value.as_int()
    }
}

impl FromValue for u32 {
    const EXPECTED: &'static str = "a whole number, 0 or more";
    fn read(value: &Value) -> Option<Self> {
        value.as_int().and_then(|i| u32::try_from(i).ok())
    }
}

impl FromValue for f64 {
    const EXPECTED: &'static str = "a number";
    fn read(value: &Value) -> Option<Self> {
        value.as_f64()
    }
}

impl FromValue for String {
    const EXPECTED: &'static str = "a string";
    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl FromValue for SignedDuration {
    const EXPECTED: &'static str = "a duration such as `30s`";
    fn read(value: &Value) -> Option<Self> {
        match value.bare() {
            Value::Duration(d) => Some(*d),
            Value::Str(s) => parse_duration(s),
            _ => None,
        }
    }
}

/// A size in bytes.
impl FromValue for u64 {
    const EXPECTED: &'static str = "a size such as `100MB`";
    fn read(value: &Value) -> Option<Self> {
        match value.bare() {
            Value::Size(n) => Some(*n),
            Value::Str(s) => parse_size(s),
            _ => None,
        }
    }
}
