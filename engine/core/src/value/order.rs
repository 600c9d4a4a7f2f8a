//! Comparing values: the same kind or not at all.

use std::cmp::Ordering;

use super::Value;

/// Two values of different kinds were compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindError {
    /// The left kind, as said to people.
    pub left: &'static str,
    /// The right kind.
    pub right: &'static str,
}

fn mismatch(a: &Value, b: &Value) -> KindError {
    KindError { left: a.kind(), right: b.kind() }
}

/// Whether two known values are equal. Null is equal to null alone; other kinds do not mix.
pub fn equal(a: &Value, b: &Value) -> Result<bool, KindError> {
    let (a, b) = (a.bare(), b.bare());
    Ok(match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Int(x), Value::Int(y)) => x == y,
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => a.as_f64() == b.as_f64(),
        (Value::Str(x), Value::Str(y)) => x == y,
        (Value::Duration(x), Value::Duration(y)) => x == y,
        (Value::Size(x), Value::Size(y)) => x == y,
        (Value::Time(x), Value::Time(y)) => x == y,
        // Inside lists and maps a different kind is a difference, not a slip of the author.
        (Value::List(x), Value::List(y)) => {
            x.len() == y.len() && x.iter().zip(y.iter()).all(|(p, q)| equal(p, q).unwrap_or(false))
        }
        (Value::Map(x), Value::Map(y)) => {
            x.len() == y.len() && x.iter().all(|(k, v)| y.get(k).is_some_and(|w| equal(v, w).unwrap_or(false)))
        }
        _ => return Err(mismatch(a, b)),
    })
}

/// Orders two known values of the same kind. Null, booleans and maps have no order.
pub fn compare(a: &Value, b: &Value) -> Result<Ordering, KindError> {
    let (a, b) = (a.bare(), b.bare());
    Ok(match (a, b) {
        (Value::Int(x), Value::Int(y)) => x.cmp(y),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            a.as_f64().partial_cmp(&b.as_f64()).ok_or_else(|| mismatch(a, b))?
        }
        (Value::Str(x), Value::Str(y)) => x.cmp(y),
        (Value::Duration(x), Value::Duration(y)) => x.cmp(y),
        (Value::Size(x), Value::Size(y)) => x.cmp(y),
        (Value::Time(x), Value::Time(y)) => x.cmp(y),
        (Value::List(x), Value::List(y)) => {
            for (p, q) in x.iter().zip(y.iter()) {
                match compare(p, q)? {
                    Ordering::Equal => {}
                    other => return Ok(other),
                }
            }
            x.len().cmp(&y.len())
        }
        _ => return Err(mismatch(a, b)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_do_not_mix() {
        assert!(equal(&Value::str("5"), &Value::Int(5)).is_err());
        assert!(compare(&Value::Null, &Value::Int(5)).is_err());
        assert_eq!(equal(&Value::Null, &Value::Int(5)), Ok(false));
        assert_eq!(equal(&Value::Int(2), &Value::Float(2.0)), Ok(true));
        assert_eq!(compare(&Value::Int(2), &Value::Float(2.5)), Ok(Ordering::Less));
    }
}
