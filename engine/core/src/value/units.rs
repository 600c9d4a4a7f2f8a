//! Durations, sizes and times: how they are written, read and passed through serde.

use std::borrow::Cow;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The units of a duration with their length in nanoseconds, longest first.
const DURATION_UNITS: &[(&str, i128)] = &[
    ("w", 7 * 86_400_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// The units of a size with their length in bytes. `KB` is 1000, `KiB` is 1024.
const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Splits `1h30m` into `(1, h)`, `(30, m)`.
fn parts(text: &str) -> Option<Vec<(&str, &str)>> {
    // Longer than anything that has a meaning.
    if text.len() > 64 {
        return None;
    }
    let mut rest = text;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let n = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(n);
        let u = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(u);
        if number.is_empty() || unit.is_empty() {
            return None;
        }
        out.push((number, unit));
        rest = tail;
    }
    (!out.is_empty()).then_some(out)
}

/// Multiplies a decimal number such as `1.5` by a whole factor without floating point error.
fn scale(number: &str, factor: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || (number.contains('.') && fraction.is_empty()) || fraction.len() > 9 {
        return None;
    }
    let mut total = whole.parse::<i128>().ok()?.checked_mul(factor)?;
    if !fraction.is_empty() {
        let divisor = 10_i128.checked_pow(fraction.len() as u32)?;
        total = total.checked_add(fraction.parse::<i128>().ok()?.checked_mul(factor)? / divisor)?;
    }
    Some(total)
}

/// Reads a duration such as `250ms`, `30s`, `1h30m`, `7d`. Units go from longer to shorter; a bare number is none.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let mut nanos: i128 = 0;
    let mut last = None;
    for (number, unit) in parts(text)? {
        let rank = DURATION_UNITS.iter().position(|(u, _)| *u == unit)?;
        if last.is_some_and(|l| rank <= l) {
            return None;
        }
        last = Some(rank);
        nanos = nanos.checked_add(scale(number, DURATION_UNITS[rank].1)?)?;
    }
    // A hundred years: more is a slip of the finger, and would overflow a clock.
    if nanos > 100 * 366 * 86_400_000_000_000 {
        return None;
    }
    Some(SignedDuration::from_nanos_i128(nanos))
}

/// Reads a size such as `512KiB` or `1.5GB`. A bare number is none.
pub fn parse_size(text: &str) -> Option<u64> {
    let found = parts(text)?;
    let [(number, unit)] = found.as_slice() else { return None };
    let factor = SIZE_UNITS.iter().find(|(u, _)| u == unit)?.1;
    u64::try_from(scale(number, factor.into())?).ok()
}

/// Reads a time such as `2026-02-15T14:23:45Z`; it must carry a zone or offset.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Writes a duration so that [`parse_duration`] reads the same one back (negative ones get a leading `-`).
pub fn format_duration(duration: SignedDuration) -> String {
    let total = duration.as_nanos();
    if total == 0 {
        return "0s".to_owned();
    }
    let mut rest = total.unsigned_abs() as i128;
    let mut out = if total < 0 { "-".to_owned() } else { String::new() };
    for (unit, length) in DURATION_UNITS {
        // `10d` reads better than `1w3d`, so weeks are read but never written.
        if *unit == "w" {
            continue;
        }
        let n = rest / length;
        if n > 0 {
            out.push_str(&format!("{n}{unit}"));
            rest -= n * length;
        }
    }
    out
}

/// Writes a size exactly, in the largest unit that divides it.
pub fn format_size(bytes: u64) -> String {
    if bytes == 0 {
        return "0B".to_owned();
    }
    let (unit, factor) =
        SIZE_UNITS.iter().filter(|(_, f)| bytes.is_multiple_of(*f)).max_by_key(|(_, f)| *f).unwrap_or(&SIZE_UNITS[0]);
    format!("{}{unit}", bytes / factor)
}

macro_rules! unit_type {
    ($name:ident, $inner:ty, $tag:literal, $format:literal, $parse:path, $print:expr, $doc:literal, $expect:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub $inner);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                // Tagged, so that a typed value survives the way through plain JSON.
                let mut map = s.serialize_map(Some(1))?;
                map.serialize_entry($tag, &$print(self.0))?;
                map.end()
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct V;
                impl<'de> de::Visitor<'de> for V {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expect)
                    }
                    fn visit_str<E: de::Error>(self, v: &str) -> Result<$name, E> {
                        $parse(v).map($name).ok_or_else(|| E::invalid_value(de::Unexpected::Str(v), &self))
                    }
                    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let entry: Option<(String, String)> = map.next_entry()?;
                        match entry {
                            Some((tag, text)) if tag == $tag => self.visit_str(&text),
                            _ => Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
                        }
                    }
                }
                d.deserialize_any(V)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

unit_type!(
    Duration,
    SignedDuration,
    "$duration",
    "duration",
    parse_duration,
    format_duration,
    "A duration in arguments and results, written like `30s`.",
    "a duration such as `30s`"
);
unit_type!(
    Size,
    u64,
    "$size",
    "size",
    parse_size,
    format_size,
    "A size in bytes in arguments and results, written like `100MB`.",
    "a size such as `100MB`"
);
unit_type!(
    Time,
    Timestamp,
    "$time",
    "date-time",
    parse_time,
    |t: Timestamp| t.to_string(),
    "A moment in arguments and results, written like `2026-02-15T14:23:45Z`.",
    "a time such as `2026-02-15T14:23:45Z`"
);

impl Duration {
    /// As the standard library's duration; a negative one is zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::try_from(self.0).unwrap_or_default()
    }

    /// From whole milliseconds.
    pub fn from_millis(ms: i64) -> Self {
        Duration(SignedDuration::from_millis(ms))
    }
}

impl From<std::time::Duration> for Duration {
    fn from(d: std::time::Duration) -> Self {
        Duration(SignedDuration::try_from(d).unwrap_or(SignedDuration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip() {
        for text in ["250ms", "30s", "1h30m", "7d", "1s500ms", "0s", "10d"] {
            let d = parse_duration(text).expect(text);
            assert_eq!(format_duration(d), text);
        }
        assert_eq!(parse_duration("1.5h"), parse_duration("1h30m"));
        assert_eq!(parse_duration("2w"), parse_duration("14d"));
    }

    #[test]
    fn bad_durations_are_refused() {
        for text in ["", "5", "5 m", "-1s", "1m1h", "1h1h", "5 minuts", "s", "1.s", "99999999h", "∞", "1.0000000000001s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("1.5KiB"), Some(1536));
        assert_eq!(parse_size("100MB"), Some(100_000_000));
        for text in ["10 gigs", "-1MB", "10", "1MB1KB", "99999999999TB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(format_size(3 << 30), "3GiB");
        assert_eq!(format_size(1_000_000), "1MB");
        assert_eq!(parse_size(&format_size(1_234_567)), Some(1_234_567));
    }
}
