//! What a plain scalar means: the YAML 1.2 core schema, narrowed to what keeps its text.

use runbook_core::node::ScalarValue;

/// What a plain scalar turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plain {
    /// A value.
    Is(ScalarValue),
    /// A number that no number type holds: the reason.
    OutOfRange(&'static str),
}

/// Resolves a plain scalar.
///
/// A number is one only if its text would be written the same way again: `1.10`, `0755`, `1_000` and `12:30` are text, because reading
/// them as numbers would change them.
pub(crate) fn resolve(text: &str) -> Plain {
    use ScalarValue as V;
    Plain::Is(match text {
        "" | "~" | "null" | "Null" | "NULL" => V::Null,
        "true" | "True" | "TRUE" => V::Bool(true),
        "false" | "False" | "FALSE" => V::Bool(false),
        _ => match text.as_bytes()[0] {
            b'0'..=b'9' | b'-' | b'+' | b'.' => return number(text),
            _ => V::Str,
        },
    })
}

fn number(text: &str) -> Plain {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(body, ".inf" | ".Inf" | ".INF") || (matches!(text, ".nan" | ".NaN" | ".NAN")) {
        return Plain::OutOfRange("is not a number that can be counted with");
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_digit(radix))
        {
            return i64::from_str_radix(digits, radix)
                .map_or(Plain::OutOfRange("is too large for a whole number"), |i| Plain::Is(ScalarValue::Int(i)));
        }
    }
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let shaped = digits(whole)
        && fraction.is_none_or(digits)
        && (!whole.is_empty() || fraction.is_some_and(|f| !f.is_empty()))
        && exponent.is_none_or(|e| {
            let e = e.strip_prefix(['-', '+']).unwrap_or(e);
            !e.is_empty() && digits(e)
        });
    if !shaped {
        return Plain::Is(ScalarValue::Str);
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Plain::Is(ScalarValue::Str);
    }
    if fraction.is_none() && exponent.is_none() {
        return text.parse().map_or(Plain::OutOfRange("is too large for a whole number"), |i| Plain::Is(ScalarValue::Int(i)));
    }
    // `1.0` comes back as `1.0`; `1.10` and `2.50` would come back shorter.
    if exponent.is_none() && fraction.is_some_and(|f| f.len() > 1 && f.ends_with('0')) {
        return Plain::Is(ScalarValue::Str);
    }
    match text.parse::<f64>() {
        Ok(f) if f.is_finite() => Plain::Is(ScalarValue::Float(f)),
        _ => Plain::OutOfRange("is too large for a number"),
    }
}

/// How YAML 1.1 tools read a plain scalar that is text here, if they read it as something else.
pub(crate) fn other_reading(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    match text {
        "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "on" | "On" | "ON" | "off" | "Off" | "OFF" | "y" | "Y" | "n" | "N" => {
            return Some("a boolean");
        }
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let all = |allowed: &[u8]| unsigned.bytes().all(|b| b.is_ascii_digit() || allowed.contains(&b));
    if (all(b"") && unsigned.starts_with('0'))
        || (all(b"_") && unsigned.contains('_') && !unsigned.ends_with('_'))
        || (all(b"._") && unsigned.matches('.').count() == 1)
    {
        return Some("a number");
    }
    if all(b":") && unsigned.contains(':') {
        let mut parts = unsigned.split(':');
        let first = parts.next().is_some_and(|p| !p.is_empty());
        if first && parts.all(|p| matches!(p.len(), 1 | 2) && p.parse::<u8>().is_ok_and(|n| n < 60)) {
            return Some("a number in base 60");
        }
    }
    let date = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-' && all(b"-");
    date.then_some("a date")
}

/// Whether a character may stand in a file as it is. The others hide what a line says, or are refused by the reader.
pub(crate) fn shown(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{A0}' | '\u{61C}' | '\u{2000}'..='\u{200F}' | '\u{2028}'..='\u{202F}' | '\u{205F}'..='\u{206F}'
            | '\u{3000}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFF}')
}

/// A text in double quotes on one line.
pub(crate) fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            '\u{1B}' => out.push_str("\\e"),
            c if shown(c) => out.push(c),
            c if (c as u32) < 0x100 => out.push_str(&format!("\\x{:02X}", c as u32)),
            c if (c as u32) < 0x1_0000 => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push_str(&format!("\\U{:08X}", c as u32)),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ScalarValue as V;

    #[test]
    fn the_core_schema_and_no_more() {
        for text in [
            "no", "on", "yes", "0755", "1.10", "2.50", "12:30", "1_000", "-", "+", ".", "1e", "1.2.3", "0b1", "0x", "v1", "00",
            "08",
        ] {
            assert_eq!(resolve(text), Plain::Is(V::Str), "{text}");
        }
        assert_eq!(resolve(""), Plain::Is(V::Null));
        assert_eq!(resolve("True"), Plain::Is(V::Bool(true)));
        assert_eq!(resolve("-12"), Plain::Is(V::Int(-12)));
        assert_eq!(resolve("0x1F"), Plain::Is(V::Int(31)));
        assert_eq!(resolve("0.5"), Plain::Is(V::Float(0.5)));
        assert_eq!(resolve("2.0"), Plain::Is(V::Float(2.0)));
        assert_eq!(resolve(".5"), Plain::Is(V::Float(0.5)));
        assert_eq!(resolve("1e3"), Plain::Is(V::Float(1000.0)));
        for text in ["9223372036854775808", "1e400", ".inf", "-.inf", ".nan", "0xFFFFFFFFFFFFFFFFF"] {
            assert!(matches!(resolve(text), Plain::OutOfRange(_)), "{text}");
        }
    }

    #[test]
    fn other_readings_are_known() {
        for (text, reading) in [
            ("no", "a boolean"),
            ("0755", "a number"),
            ("1_000", "a number"),
            ("1.10", "a number"),
            ("12:30", "a number in base 60"),
            ("2026-02-15", "a date"),
        ] {
            assert_eq!(other_reading(text), Some(reading), "{text}");
        }
        for text in ["none", "30s", "127.0.0.1:7000", "8000:8000", "1.2.3", "v1.10", "a"] {
            assert_eq!(other_reading(text), None, "{text}");
        }
    }
}
