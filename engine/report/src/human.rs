//! Durations, sizes, counts and values as a person reads them.

use runbook_core::value::Value;

/// A duration in milliseconds: `12ms`, `3.1s`, `2m05s`, `1h02m`, `3d04h`.
pub fn duration(ms: f64) -> String {
    let ms = if ms.is_finite() { ms.max(0.0) } else { 0.0 };
    if ms.round() < 1_000.0 {
        return format!("{}ms", ms.round() as u64);
    }
    let tenths = (ms / 100.0).round() as u64;
    if tenths < 600 {
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    let seconds = (ms / 1_000.0).round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match () {
        () if hours == 0 => format!("{minutes}m{:02}s", seconds % 60),
        () if days == 0 => format!("{hours}h{:02}m", minutes % 60),
        () => format!("{days}d{:02}h", hours % 24),
    }
}

/// A size in bytes: `512 B`, `1.5 KiB`, `41 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut n = bytes as f64;
    // 1023.95 would be written as `1024`.
    while unit + 1 < UNITS.len() && n >= 1_023.5 {
        n /= 1_024.0;
        unit += 1;
    }
    let text = if unit == 0 || n >= 9.95 { format!("{n:.0}") } else { format!("{n:.1}") };
    format!("{} {}", text.strip_suffix(".0").unwrap_or(&text), UNITS[unit])
}

/// A count with its noun: `1 step`, `3 steps`.
pub fn count(n: usize, noun: &str) -> String {
    plural(n, noun, &format!("{noun}s"))
}

/// A count with the form of the noun that goes with it: `1 entry`, `2 entries`.
pub fn plural(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// `a`, `a and b`, `a, b and c`.
pub fn and_list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// A value with its unit: `84.2%`, `1.2s`, `41 GiB`, `503`.
pub fn value(value: &Value, unit: Option<&str>) -> String {
    if !value.secret_names().is_empty() || value.is_unknown() {
        return value.to_string();
    }
    let text = match value {
        Value::Null => return "none".to_owned(),
        Value::Duration(d) => duration(d.as_secs_f64() * 1_000.0),
        Value::Size(n) => size(*n),
        Value::Float(f) => number(*f),
        other => other.to_string(),
    };
    match unit {
        Some("%") => format!("{text}%"),
        Some(unit) if !unit.is_empty() => format!("{text} {unit}"),
        _ => text,
    }
}

/// A number with at most two digits after the point.
fn number(f: f64) -> String {
    if f.abs() >= 1e15 || (f != 0.0 && f.abs() < 0.005) {
        return f.to_string();
    }
    let text = format!("{f:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (ms, text) in [
            (0.0, "0ms"),
            (12.4, "12ms"),
            (999.4, "999ms"),
            (999.6, "1.0s"),
            (3_100.0, "3.1s"),
            (59_940.0, "59.9s"),
            (59_960.0, "1m00s"),
            (125_000.0, "2m05s"),
            (3_720_000.0, "1h02m"),
            (273_600_000.0, "3d04h"),
            (f64::NAN, "0ms"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in
            [(0, "0 B"), (512, "512 B"), (1_536, "1.5 KiB"), (41 << 30, "41 GiB"), (1 << 20, "1 MiB"), ((1 << 20) - 1, "1 MiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn counts_agree() {
        assert_eq!(count(1, "step"), "1 step");
        assert_eq!(count(0, "step"), "0 steps");
        assert_eq!(plural(2, "entry", "entries"), "2 entries");
        assert_eq!(and_list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(value(&Value::Float(84.2), Some("%")), "84.2%");
        assert_eq!(value(&Value::str("x").into_secret("pw"), None), "*** (pw)");
    }
}
