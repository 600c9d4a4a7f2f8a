//! Filters.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::ops::text;
use super::template::reveal_inside;
use super::{MAX_TEXT, Scope, functions, shell_quote};
use crate::forms::MAX_PATTERN_TEXT;
use crate::json_path::JsonPath;
use crate::value::{Map, Value, compare, equal, from_json, parse_duration, parse_size, parse_time};

type Result<T> = std::result::Result<T, String>;

/// Filters that only look at the shape, so that an unknown or secret inside may stay where it is.
const STRUCTURAL: &[&str] =
    &["count", "first", "items", "keys", "last", "length", "list", "reverse", "values", "zip", "unquoted", "map"];

/// Compiles a regular expression with a size limit, since patterns may come from a playbook's author only but sizes add up.
pub(crate) fn regex(pattern: &str) -> Result<regex::Regex> {
    if pattern.len() > MAX_PATTERN_TEXT {
        return Err(format!("a regular expression of {} bytes is not read: at most {MAX_PATTERN_TEXT} are", pattern.len()));
    }
    regex::RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .map_err(|e| format!("`{pattern}` is not a regular expression: {}", last_line(&e.to_string())))
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or(text).trim().trim_start_matches("error: ").to_owned()
}

/// Calls a filter. Unknown passes through; secret marks of whatever goes in are put on what comes out.
pub(crate) fn call(name: &str, value: &Value, args: &[Value], named: &Map, scope: &dyn Scope) -> Result<Value> {
    let inputs = || std::iter::once(value).chain(args).chain(named.values());
    if STRUCTURAL.contains(&name) {
        if let Some(unknown) = inputs().find(|v| v.is_unknown()) {
            return Ok(unknown.bare().clone());
        }
        let names: Vec<String> = inputs().flat_map(|v| v.secret_names().to_vec()).collect();
        return Ok(apply(name, value.bare(), args, named, scope)?.with_secrets(&names));
    }
    if let Some(unknown) = inputs().find_map(Value::find_unknown) {
        return Ok(Value::Unknown(unknown.clone()));
    }
    let names: Vec<String> = inputs().flat_map(Value::all_secret_names).collect();
    if names.is_empty() {
        return apply(name, value, args, named, scope);
    }
    let bare: Vec<Value> = args.iter().map(reveal_inside).collect();
    let bare_named: Map = named.iter().map(|(k, v)| (k.clone(), reveal_inside(v))).collect();
    Ok(apply(name, &reveal_inside(value), &bare, &bare_named, scope)?.with_secrets(&names))
}

fn apply(name: &str, value: &Value, args: &[Value], named: &Map, scope: &dyn Scope) -> Result<Value> {
    let want = |kind: &str| format!("`{name}` needs {kind}, found {}", value.kind());
    let string = || value.as_str().ok_or_else(|| want("a string"));
    let items = || value.as_list().ok_or_else(|| want("a list"));
    let map = || value.as_map().ok_or_else(|| want("a map"));
    let arg = |i: usize, key: &str| args.get(i).or_else(|| named.get(key));
    let text_arg = |i: usize, key: &str| -> Result<&str> {
        arg(i, key)
            .ok_or_else(|| format!("`{name}` needs an argument"))
            .and_then(|v| v.as_str().ok_or_else(|| format!("`{name}` needs a string as argument, found {}", v.kind())))
    };
    Ok(match name {
        "abs" => match value {
            Value::Int(i) => Value::Int(i.checked_abs().ok_or("the number is out of range")?),
            Value::Float(f) => Value::Float(f.abs()),
            Value::Duration(d) => Value::Duration(d.abs()),
            _ => return Err(want("a number")),
        },
        "ago" => match duration(value) {
            Some(d) => Value::Time(scope.now().checked_sub(d).map_err(|_| "the time is out of range")?),
            None => return Err(want("a duration")),
        },
        "b64encode" => text(base64_encode(string()?.as_bytes()))?,
        "b64decode" => Value::from(base64_decode(string()?).ok_or("the text is not base64 of UTF-8 text")?),
        "basename" => {
            let path = string()?.trim_end_matches('/');
            Value::str(path.rsplit('/').next().unwrap_or(path))
        }
        "dirname" => {
            let path = string()?.trim_end_matches('/');
            match path.rsplit_once('/') {
                Some(("", _)) => Value::str("/"),
                Some((dir, _)) => Value::str(dir),
                None => Value::str("."),
            }
        }
        "bool" => match value {
            Value::Bool(b) => Value::Bool(*b),
            Value::Int(i @ (0 | 1)) => Value::Bool(*i == 1),
            Value::Str(s) => match s.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Value::Bool(true),
                "false" | "no" | "off" | "0" => Value::Bool(false),
                _ => return Err(format!("{s:?} is not a boolean")),
            },
            _ => return Err(want("a boolean, 0, 1 or a string")),
        },
        "capitalize" => {
            let s = string()?;
            let mut chars = s.chars();
            let first = chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
            text(first + &chars.as_str().to_lowercase())?
        }
        "containing" => {
            by_text(value, text_arg(0, "text")?, |s, a| s.contains(a)).ok_or_else(|| want("a string or a list of strings"))?
        }
        "starts_with" => {
            by_text(value, text_arg(0, "text")?, |s, a| s.starts_with(a)).ok_or_else(|| want("a string or a list of strings"))?
        }
        "ends_with" => {
            by_text(value, text_arg(0, "text")?, |s, a| s.ends_with(a)).ok_or_else(|| want("a string or a list of strings"))?
        }
        "count" | "length" => Value::from(match value {
            Value::List(l) => l.len(),
            Value::Map(m) => m.len(),
            Value::Str(s) => s.chars().count(),
            _ => return Err(want("a list, a map or a string")),
        }),
        "date" => {
            let time = match value {
                Value::Time(t) => *t,
                Value::Str(s) => parse_time(s).ok_or_else(|| want("a time"))?,
                _ => return Err(want("a time")),
            };
            let format = if args.is_empty() { "%Y-%m-%dT%H:%M:%SZ" } else { text_arg(0, "format")? };
            let parts = jiff::fmt::strtime::format(format, &time.to_zoned(jiff::tz::TimeZone::UTC))
                .map_err(|e| format!("{format:?} is not a date format: {e}"))?;
            text(parts)?
        }
        "dictsort" => {
            let mut sorted = map()?.clone();
            sorted.sort_keys();
            Value::from(sorted)
        }
        "duration" => match (duration(value), value.as_f64()) {
            (Some(d), _) => Value::Duration(d),
            (None, Some(secs)) => {
                Value::Duration(SignedDuration::try_from_secs_f64(secs).map_err(|_| "the duration is out of range")?)
            }
            _ => return Err(want("a duration such as `30s`, or a number of seconds")),
        },
        "size" => match value {
            Value::Size(_) => value.clone(),
            Value::Int(i) => Value::Size(u64::try_from(*i).map_err(|_| "a size cannot be negative")?),
            Value::Str(s) => Value::Size(parse_size(s).ok_or_else(|| want("a size such as `10MB`"))?),
            _ => return Err(want("a size such as `10MB`, or a number of bytes")),
        },
        "time" => match value {
            Value::Time(_) => value.clone(),
            Value::Str(s) => Value::Time(parse_time(s).ok_or_else(|| want("a time such as `2026-02-15T14:23:45Z`"))?),
            Value::Int(secs) => Value::Time(Timestamp::from_second(*secs).map_err(|_| "the time is out of range")?),
            _ => return Err(want("a time such as `2026-02-15T14:23:45Z`")),
        },
        "first" | "last" => match value {
            Value::List(l) => (if name == "first" { l.first() } else { l.last() }).cloned().unwrap_or_default(),
            Value::Str(s) => (if name == "first" { s.chars().next() } else { s.chars().next_back() })
                .map_or(Value::Null, |c| Value::from(c.to_string())),
            _ => return Err(want("a list or a string")),
        },
        "float" => match value {
            Value::Int(_) | Value::Float(_) => Value::Float(value.as_f64().unwrap_or_default()),
            Value::Str(s) => Value::Float(
                s.trim().parse::<f64>().ok().filter(|f| f.is_finite()).ok_or_else(|| format!("{s:?} is not a number"))?,
            ),
            _ => return Err(want("a number or a string")),
        },
        "int" => match value {
            Value::Int(i) => Value::Int(*i),
            Value::Bool(b) => Value::Int(i64::from(*b)),
            Value::Float(f) if f.abs() < 9.0e18 => Value::Int(f.trunc() as i64),
            Value::Size(n) => Value::Int(i64::try_from(*n).map_err(|_| "the number is out of range")?),
            Value::Str(s) => Value::Int(s.trim().parse().map_err(|_| format!("{s:?} is not a whole number"))?),
            _ => return Err(want("a number or a string")),
        },
        "groupby" => {
            let field = text_arg(0, "attribute")?;
            let mut groups: indexmap::IndexMap<String, Vec<Value>> = indexmap::IndexMap::new();
            for item in items()? {
                groups.entry(item.field(field).to_string()).or_default().push(item.clone());
            }
            Value::map(groups.into_iter().map(|(k, v)| (k, Value::from(v))))
        }
        "items" => Value::list(map()?.iter().map(|(k, v)| Value::list([Value::str(k), v.clone()]))),
        "keys" => Value::list(map()?.keys().map(Value::str)),
        "values" => Value::list(map()?.values().cloned()),
        "join" => {
            let between = match arg(0, "by") {
                Some(v) => v.as_str().unwrap_or_default().to_owned(),
                None => String::new(),
            };
            text(items()?.iter().map(|v| v.to_string()).collect::<Vec<_>>().join(&between))?
        }
        "jsonpath" => jsonpath(value, text_arg(0, "path")?)?,
        "lines" => Value::list(string()?.lines().map(Value::str)),
        "list" => match value {
            Value::List(_) => value.clone(),
            Value::Map(m) => Value::list(m.keys().map(Value::str)),
            Value::Str(s) => Value::list(s.chars().map(|c| Value::from(c.to_string()))),
            _ => return Err(want("a list, a map or a string")),
        },
        "lower" => text(string()?.to_lowercase())?,
        "upper" => text(string()?.to_uppercase())?,
        "map" => match named.get("attribute") {
            Some(field) => {
                let field = field.as_str().ok_or("`attribute` must be a string")?;
                Value::list(items()?.iter().map(|i| path_field(i, field)))
            }
            None => {
                let filter = text_arg(0, "filter")?;
                if super::find_callable(super::CallableKind::Filter, filter).is_none() {
                    return Err(format!("there is no filter `{filter}`"));
                }
                let rest = args.get(1..).unwrap_or_default();
                Value::from(items()?.iter().map(|i| call(filter, i, rest, &Map::new(), scope)).collect::<Result<Vec<_>>>()?)
            }
        },
        "max" | "min" => {
            let mut best: Option<&Value> = None;
            for item in items()? {
                let better = match best {
                    None => true,
                    Some(b) => {
                        let order = compare(item, b).map_err(kinds)?;
                        if name == "max" { order.is_gt() } else { order.is_lt() }
                    }
                };
                if better {
                    best = Some(item);
                }
            }
            best.cloned().unwrap_or_default()
        }
        "natural_sort" => {
            let mut texts: Vec<&Value> = items()?.iter().collect();
            texts.sort_by_key(|v| natural_key(&v.to_string()));
            Value::list(texts.into_iter().cloned())
        }
        "parse_json" => from_json(serde_json::from_str(string()?).map_err(|e| format!("the text is not JSON: {e}"))?),
        "percentile" => {
            let p = arg(0, "p").and_then(Value::as_f64).filter(|p| (0.0..=100.0).contains(p));
            percentile(items()?, p.ok_or("`percentile` needs a number from 0 to 100")?)?
        }
        "regex_find_all" => {
            let re = regex(text_arg(0, "pattern")?)?;
            Value::list(re.captures_iter(string()?).take(100_000).map(|c| group(&c)))
        }
        "regex_match" => {
            let re = regex(&format!("^(?:{})$", text_arg(0, "pattern")?))?;
            Value::Bool(re.is_match(string()?))
        }
        "regex_replace" => text(regex(text_arg(0, "pattern")?)?.replace_all(string()?, text_arg(1, "with")?).into_owned())?,
        "regex_search" => regex(text_arg(0, "pattern")?)?.captures(string()?).map_or(Value::Null, |c| group(&c)),
        "reject" | "select" => {
            let keep = name == "select";
            let test = match args.first() {
                Some(v) => Some(v.as_str().ok_or("the test's name must be a string")?),
                None => None,
            };
            filter_items(items()?, args.get(1..).unwrap_or_default(), test, keep, |v| v.clone())?
        }
        "rejectattr" | "selectattr" => {
            let field = text_arg(0, "attribute")?;
            let test = match args.get(1) {
                Some(v) => Some(v.as_str().ok_or("the test's name must be a string")?),
                None => None,
            };
            filter_items(items()?, args.get(2..).unwrap_or_default(), test, name == "selectattr", |v| path_field(v, field))?
        }
        "replace" => {
            let (from, to) = (text_arg(0, "from")?, text_arg(1, "to")?);
            let s = string()?;
            let hits = if from.is_empty() { s.len() + 1 } else { s.matches(from).count() };
            if s.len().saturating_add(hits.saturating_mul(to.len())) > MAX_TEXT {
                return Err(format!("the text grows over {} MiB", MAX_TEXT >> 20));
            }
            Value::from(s.replace(from, to))
        }
        "reverse" => match value {
            Value::List(l) => Value::list(l.iter().rev().cloned()),
            Value::Str(s) => Value::from(s.chars().rev().collect::<String>()),
            _ => return Err(want("a list or a string")),
        },
        "round" => {
            let x = value.as_f64().ok_or_else(|| want("a number"))?;
            let places = arg(0, "precision").and_then(Value::as_int).unwrap_or(0).clamp(0, 15);
            let factor = 10f64.powi(places as i32);
            let rounded = (x * factor).round() / factor;
            if places == 0 && rounded.abs() < 9.0e18 { Value::Int(rounded as i64) } else { Value::Float(rounded) }
        }
        "sha256" => {
            let hash = Sha256::digest(string()?.as_bytes());
            Value::from(hash.iter().map(|b| format!("{b:02x}")).collect::<String>())
        }
        "shell_quote" => match value {
            Value::List(l) => text(l.iter().map(|v| shell_quote(&v.to_string())).collect::<Vec<_>>().join(" "))?,
            other => text(shell_quote(&other.to_string()))?,
        },
        "sort" => {
            let field = match arg(0, "attribute") {
                Some(Value::Str(s)) => Some(s.clone()),
                _ => None,
            };
            let key = |v: &Value| field.as_deref().map_or_else(|| v.clone(), |f| path_field(v, f));
            let mut sorted: Vec<Value> = items()?.to_vec();
            let mut error = None;
            sorted.sort_by(|a, b| {
                compare(&key(a), &key(b)).unwrap_or_else(|e| {
                    error.get_or_insert(kinds(e));
                    std::cmp::Ordering::Equal
                })
            });
            if let Some(error) = error {
                return Err(error);
            }
            if named.get("reverse").and_then(Value::truth) == Some(true) {
                sorted.reverse();
            }
            Value::from(sorted)
        }
        "split" => match arg(0, "by") {
            Some(_) => Value::list(string()?.split(text_arg(0, "by")?).map(Value::str)),
            None => Value::list(string()?.split_whitespace().map(Value::str)),
        },
        "sql_quote" => text(format!("'{}'", value.to_string().replace('\'', "''")))?,
        "sql_ident" => text(format!("\"{}\"", value.to_string().replace('"', "\"\"")))?,
        "string" => text(value.to_string())?,
        "sum" => {
            let field = arg(0, "attribute").and_then(Value::as_str);
            let mut total = None;
            for item in items()? {
                let item = field.map_or_else(|| item.clone(), |f| path_field(item, f));
                total = Some(match total {
                    None => item,
                    Some(t) => super::ops::binary(super::ast::Operator::Add, &t, &item)?,
                });
            }
            total.unwrap_or(Value::Int(0))
        }
        "title" => {
            let mut out = String::new();
            let mut start = true;
            for c in string()?.chars() {
                if start {
                    out.extend(c.to_uppercase())
                } else {
                    out.extend(c.to_lowercase())
                }
                start = !c.is_alphanumeric();
            }
            text(out)?
        }
        "tojson" => {
            let json = value.to_json();
            let pretty = arg(0, "indent").is_some();
            text(
                if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }
                    .map_err(|e| e.to_string())?,
            )?
        }
        "trim" => match arg(0, "chars") {
            Some(_) => {
                let chars: Vec<char> = text_arg(0, "chars")?.chars().collect();
                Value::str(string()?.trim_matches(chars.as_slice()))
            }
            None => Value::str(string()?.trim()),
        },
        "unique" => {
            let mut seen = HashSet::new();
            Value::list(items()?.iter().filter(|v| seen.insert((v.kind(), v.to_string()))).cloned())
        }
        "unquoted" => value.clone(),
        "urlencode" => {
            let mut out = String::new();
            for b in value.to_string().bytes() {
                match b {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(b as char),
                    _ => out.push_str(&format!("%{b:02X}")),
                }
            }
            text(out)?
        }
        "version" => Value::list(
            string()?
                .trim_start_matches('v')
                .split(|c: char| !c.is_ascii_digit())
                .filter(|p| !p.is_empty())
                .map(|p| Value::Int(p.parse().unwrap_or(i64::MAX))),
        ),
        "zip" => {
            let other = arg(0, "other").and_then(Value::as_list).ok_or("`zip` needs a list as argument")?;
            Value::list(items()?.iter().zip(other).map(|(a, b)| Value::list([a.clone(), b.clone()])))
        }
        _ => return Err(format!("there is no filter `{name}`")),
    })
}

fn kinds(e: crate::value::KindError) -> String {
    format!("{} cannot be compared with {}", e.left, e.right)
}

fn duration(value: &Value) -> Option<SignedDuration> {
    match value {
        Value::Duration(d) => Some(*d),
        Value::Str(s) => parse_duration(s),
        _ => None,
    }
}

fn by_text(value: &Value, arg: &str, f: impl Fn(&str, &str) -> bool) -> Option<Value> {
    match value {
        Value::Str(s) => Some(Value::Bool(f(s, arg))),
        Value::List(l) => Some(Value::list(l.iter().filter(|v| v.as_str().is_some_and(|s| f(s, arg))).cloned())),
        _ => None,
    }
}

/// `a.b` of an item; null where a part is missing.
fn path_field(value: &Value, path: &str) -> Value {
    path.split('.').fold(value.clone(), |v, part| match (v.bare(), part.parse::<usize>()) {
        (Value::List(l), Ok(i)) => l.get(i).cloned().unwrap_or_default(),
        _ => v.field(part),
    })
}

fn group(captures: &regex::Captures<'_>) -> Value {
    let index = usize::from(captures.len() == 2);
    captures.get(index).map_or(Value::Null, |m| Value::str(m.as_str()))
}

fn filter_items(items: &[Value], args: &[Value], test: Option<&str>, keep: bool, key: impl Fn(&Value) -> Value) -> Result<Value> {
    let mut out = Vec::new();
    for item in items {
        let value = key(item);
        let held = match test {
            None => value.truth().unwrap_or(false),
            Some(test) => {
                let test = match test {
                    "==" | "equalto" => "eq",
                    "!=" => "ne",
                    "<" => "lt",
                    "<=" => "le",
                    ">" => "gt",
                    ">=" => "ge",
                    other => other,
                };
                functions::test(test, value.bare(), args)?.truth().unwrap_or(false)
            }
        };
        if held == keep {
            out.push(item.clone());
        }
    }
    Ok(Value::from(out))
}

fn jsonpath(value: &Value, path: &str) -> Result<Value> {
    let found = JsonPath::parse(path).map_err(|e| e.to_string())?.select(&value.to_json())?;
    Ok(Value::list(found.into_iter().map(from_json)))
}

fn percentile(items: &[Value], p: f64) -> Result<Value> {
    let mut sorted: Vec<&Value> = items.iter().filter(|v| !v.is_null()).collect();
    let mut error = None;
    sorted.sort_by(|a, b| {
        compare(a, b).unwrap_or_else(|e| {
            error.get_or_insert(kinds(e));
            std::cmp::Ordering::Equal
        })
    });
    if let Some(error) = error {
        return Err(error);
    }
    let number = |v: &Value| match v.bare() {
        Value::Duration(d) => Some(d.as_secs_f64()),
        Value::Size(n) => Some(*n as f64),
        other => other.as_f64(),
    };
    let Some(last) = sorted.len().checked_sub(1) else { return Ok(Value::Null) };
    let rank = p / 100.0 * last as f64;
    let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    let (a, b) = (number(low).ok_or("`percentile` needs numbers")?, number(high).ok_or("`percentile` needs numbers")?);
    let x = a + (b - a) * rank.fract();
    Ok(match low.bare() {
        Value::Duration(_) => Value::Duration(SignedDuration::try_from_secs_f64(x).map_err(|_| "the duration is out of range")?),
        Value::Size(_) => Value::Size(x as u64),
        _ if equal(low, high) == Ok(true) => low.clone(),
        _ => Value::Float(x),
    })
}

/// Splits a text into runs of digits and of other characters, so that numbers order as numbers.
fn natural_key(text: &str) -> Vec<(u8, u128, Arc<str>)> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (part, tail) = rest.split_at(end);
        out.push(if digits { (0, part.parse().unwrap_or(u128::MAX), Arc::from(part)) } else { (1, 0, Arc::from(part)) });
        rest = tail;
    }
    out
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            if i <= chunk.len() {
                out.push(BASE64[(n >> (18 - 6 * i)) as usize & 63] as char);
            } else {
                out.push('=');
            }
        }
    }
    out
}

fn base64_decode(text: &str) -> Option<String> {
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for b in text.bytes().filter(|b| !b.is_ascii_whitespace() && *b != b'=') {
        let b = match b {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
        bits = bits << 6 | BASE64.iter().position(|c| *c == b)? as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    String::from_utf8(out).ok()
}
