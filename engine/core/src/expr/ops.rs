//! Operators on known, bare values, and the lifting that keeps the marks.

use jiff::SignedDuration;

use super::MAX_TEXT;
use super::ast::Operator;
use crate::value::{Value, equal};

type Result<T> = std::result::Result<T, String>;

/// Runs `f` unless an operand is unknown, and puts the operands' secret marks on the result.
pub(crate) fn lift(operands: &[&Value], f: impl FnOnce() -> Result<Value>) -> Result<Value> {
    if let Some(unknown) = operands.iter().find_map(|v| v.is_unknown().then(|| v.bare())) {
        return Ok(unknown.clone());
    }
    let mut names: Vec<String> = Vec::new();
    for operand in operands {
        for name in operand.secret_names() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    Ok(f()?.with_secrets(&names))
}

/// Arithmetic and text operators.
pub(crate) fn binary(op: Operator, a: &Value, b: &Value) -> Result<Value> {
    use Operator::{Add, Concat, Div, FloorDiv, Mul, Pow, Rem, Sub};
    use Value::{Duration, Float, Int, List, Size, Str, Time};
    let overflow = || "the result is out of range".to_owned();
    let number = |v: &Value| v.as_f64().unwrap_or(f64::NAN);
    Ok(match (op, a, b) {
        (Concat, a, b) => text(format!("{a}{b}"))?,
        (Add, Str(x), Str(y)) => text(format!("{x}{y}"))?,
        (Add, List(x), List(y)) => Value::list(x.iter().chain(y.iter()).cloned()),
        (_, Int(x), Int(y)) => match op {
            Add => Int(x.checked_add(*y).ok_or_else(overflow)?),
            Sub => Int(x.checked_sub(*y).ok_or_else(overflow)?),
            Mul => Int(x.checked_mul(*y).ok_or_else(overflow)?),
            Pow if *y >= 0 => Int(u32::try_from(*y).ok().and_then(|y| x.checked_pow(y)).ok_or_else(overflow)?),
            Pow => finite((*x as f64).powf(*y as f64))?,
            Div | FloorDiv | Rem if *y == 0 => return Err("division by zero".into()),
            Div => finite(*x as f64 / *y as f64)?,
            FloorDiv => Int(x.checked_div_euclid(*y).ok_or_else(overflow)?),
            Rem => Int(x.checked_rem_euclid(*y).ok_or_else(overflow)?),
            Concat => return Err(overflow()),
        },
        (_, Int(_) | Float(_), Int(_) | Float(_)) => {
            let (x, y) = (number(a), number(b));
            finite(match op {
                Add => x + y,
                Sub => x - y,
                Mul => x * y,
                Pow => x.powf(y),
                Div | FloorDiv | Rem if y == 0.0 => return Err("division by zero".into()),
                Div => x / y,
                FloorDiv => (x / y).floor(),
                Rem => x.rem_euclid(y),
                Concat => return Err(overflow()),
            })?
        }
        (Add, Duration(x), Duration(y)) => Duration(x.checked_add(*y).ok_or_else(overflow)?),
        (Sub, Duration(x), Duration(y)) => Duration(x.checked_sub(*y).ok_or_else(overflow)?),
        (Div, Duration(x), Duration(y)) if !y.is_zero() => finite(x.as_secs_f64() / y.as_secs_f64())?,
        (Mul, Duration(x), Int(_) | Float(_)) => Duration(scale(*x, number(b))?),
        (Mul, Int(_) | Float(_), Duration(y)) => Duration(scale(*y, number(a))?),
        (Div, Duration(x), Int(_) | Float(_)) if number(b) != 0.0 => Duration(scale(*x, 1.0 / number(b))?),
        (Sub, Time(x), Time(y)) => Duration(x.duration_since(*y)),
        (Add, Time(x), Duration(y)) | (Add, Duration(y), Time(x)) => Time(x.checked_add(*y).map_err(|_| overflow())?),
        (Sub, Time(x), Duration(y)) => Time(x.checked_sub(*y).map_err(|_| overflow())?),
        (Add, Size(x), Size(y)) => Size(x.checked_add(*y).ok_or_else(overflow)?),
        (Sub, Size(x), Size(y)) => Size(x.checked_sub(*y).ok_or("a size cannot be negative")?),
        (Div, Size(x), Size(y)) if *y != 0 => finite(*x as f64 / *y as f64)?,
        (Mul, Size(x), Int(_) | Float(_)) => bytes(*x as f64 * number(b))?,
        (Mul, Int(_) | Float(_), Size(y)) => bytes(*y as f64 * number(a))?,
        (Div, Size(x), Int(_) | Float(_)) if number(b) != 0.0 => bytes(*x as f64 / number(b))?,
        _ => {
            let sign = match op {
                Add => "+",
                Sub => "-",
                Mul => "*",
                Div => "/",
                FloorDiv => "//",
                Rem => "%",
                Pow => "**",
                Concat => "~",
            };
            return Err(format!("`{sign}` does not work on {} and {}", a.kind(), b.kind()));
        }
    })
}

fn finite(x: f64) -> Result<Value> {
    if x.is_finite() { Ok(Value::Float(x)) } else { Err("the result is out of range".into()) }
}

fn bytes(x: f64) -> Result<Value> {
    if (0.0..1.8e19).contains(&x) { Ok(Value::Size(x as u64)) } else { Err("the size is out of range".into()) }
}

fn scale(d: SignedDuration, by: f64) -> Result<SignedDuration> {
    SignedDuration::try_from_secs_f64(d.as_secs_f64() * by).map_err(|_| "the duration is out of range".into())
}

/// A text value, unless it grows without bound.
pub(crate) fn text(text: String) -> Result<Value> {
    if text.len() > MAX_TEXT {
        return Err(format!("the text grows over {} MiB", MAX_TEXT >> 20));
    }
    Ok(Value::from(text))
}

/// `needle in haystack`.
pub(crate) fn contains(haystack: &Value, needle: &Value) -> Result<bool> {
    match (haystack.bare(), needle.bare()) {
        (Value::Str(text), Value::Str(part)) => Ok(text.contains(&**part)),
        (Value::Map(map), Value::Str(key)) => Ok(map.contains_key(&**key)),
        (Value::List(items), needle) => {
            for item in items.iter() {
                if equal(item, needle).map_err(|e| format!("{} cannot be compared with {}", e.left, e.right))? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (h, n) => Err(format!("`in` does not look for {} in {}", n.kind(), h.kind())),
    }
}

/// `value[start:stop:step]` on a list or text, as in Python.
pub(crate) fn slice(value: &Value, [start, stop, step]: [Option<i64>; 3]) -> Result<Value> {
    let step = step.unwrap_or(1);
    if step < 1 {
        return Err("a slice's step must be 1 or more".into());
    }
    let pick = |len: usize| {
        let len = len as i64;
        let clamp = |i: i64| (if i < 0 { len.saturating_add(i) } else { i }).clamp(0, len);
        let (from, to) = (clamp(start.unwrap_or(0)), clamp(stop.unwrap_or(len)));
        (from..to.max(from)).step_by(usize::try_from(step).unwrap_or(usize::MAX)).map(|i| i as usize)
    };
    match value {
        Value::List(items) => Ok(Value::list(pick(items.len()).map(|i| items[i].clone()))),
        Value::Str(s) => {
            let chars: Vec<char> = s.chars().collect();
            Ok(Value::from(pick(chars.len()).map(|i| chars[i]).collect::<String>()))
        }
        Value::Unknown(_) => Ok(value.clone()),
        other => Err(format!("{} cannot be sliced", other.kind())),
    }
}
