//! Functions and tests.

use super::{Scope, filters, ops};
use crate::value::{Map, Value, compare, equal};

type Result<T> = std::result::Result<T, String>;

/// Calls a function with known arguments.
pub(crate) fn call(name: &str, args: &[Value], _named: &Map, scope: &dyn Scope) -> Result<Value> {
    match (name, args) {
        ("now", []) => Ok(Value::Time(scope.now())),
        ("range", args @ ([_] | [_, _] | [_, _, _])) => {
            let n: Vec<i64> = args
                .iter()
                .map(|v| v.as_int().ok_or_else(|| format!("`range` needs whole numbers, found {}", v.kind())))
                .collect::<Result<_>>()?;
            let (start, stop, step) = match n.as_slice() {
                [stop] => (0, *stop, 1),
                [start, stop] => (*start, *stop, 1),
                other => (other[0], other[1], other[2]),
            };
            if step == 0 {
                return Err("`range` needs a step other than 0".into());
            }
            let length = stop.abs_diff(start) / step.unsigned_abs();
            if length > 100_000 && (stop > start) == (step > 0) {
                return Err(format!("`range` gives at most 100,000 numbers, not {length}"));
            }
            let mut out = Vec::new();
            let mut i = start;
            while (step > 0 && i < stop) || (step < 0 && i > stop) {
                out.push(Value::Int(i));
                let Some(next) = i.checked_add(step) else { break };
                i = next;
            }
            Ok(Value::from(out))
        }
        _ => Err(format!("there is no function `{name}` with {} arguments", args.len())),
    }
}

/// Whether `value is name(args)` holds, on known bare values.
pub(crate) fn test(name: &str, value: &Value, args: &[Value]) -> Result<Value> {
    let arg = || args.first().map(Value::bare).ok_or_else(|| format!("the test `{name}` needs an argument"));
    let kinds = |e: crate::value::KindError| format!("{} cannot be compared with {}", e.left, e.right);
    let text = |v: &Value| v.as_str().map(str::to_owned).ok_or_else(|| format!("`{name}` needs a string, found {}", v.kind()));
    let int = || value.as_int().ok_or_else(|| format!("`{name}` needs a whole number, found {}", value.kind()));
    use std::cmp::Ordering::{Greater, Less};
    Ok(Value::Bool(match name {
        "boolean" => matches!(value, Value::Bool(_)),
        "true" => matches!(value, Value::Bool(true)),
        "false" => matches!(value, Value::Bool(false)),
        "none" | "null" => value.is_null(),
        "string" => matches!(value, Value::Str(_)),
        "number" => matches!(value, Value::Int(_) | Value::Float(_)),
        "integer" => matches!(value, Value::Int(_)),
        "float" => matches!(value, Value::Float(_)),
        "mapping" => matches!(value, Value::Map(_)),
        "sequence" => matches!(value, Value::List(_)),
        "iterable" => matches!(value, Value::List(_) | Value::Map(_)),
        "empty" => match value {
            Value::List(l) => l.is_empty(),
            Value::Map(m) => m.is_empty(),
            Value::Str(s) => s.is_empty(),
            Value::Null => true,
            other => return Err(format!("{} is never empty", other.kind())),
        },
        "even" => int()? % 2 == 0,
        "odd" => int()? % 2 != 0,
        "divisibleby" => match arg()?.as_int() {
            Some(n) if n != 0 => int()? % n == 0,
            _ => return Err("`divisibleby` needs a whole number other than 0".into()),
        },
        "eq" => equal(value, arg()?).map_err(kinds)?,
        "ne" => !equal(value, arg()?).map_err(kinds)?,
        "lt" => compare(value, arg()?).map_err(kinds)? == Less,
        "le" => compare(value, arg()?).map_err(kinds)? != Greater,
        "gt" => compare(value, arg()?).map_err(kinds)? == Greater,
        "ge" => compare(value, arg()?).map_err(kinds)? != Less,
        "in" => ops::contains(arg()?, value)?,
        "containing" => ops::contains(value, arg()?)?,
        "startingwith" => text(value)?.starts_with(&text(arg()?)?),
        "endingwith" => text(value)?.ends_with(&text(arg()?)?),
        "matching" => filters::regex(&text(arg()?)?)?.is_match(&text(value)?),
        _ => return Err(format!("there is no test `{name}`")),
    }))
}
