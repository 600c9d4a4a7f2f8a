//! The times at which lines of logs were written, in the forms that are common there.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use regex::bytes::Regex;

/// How much of a line is looked through for a time.
const WITHIN: usize = 256;

const MONTHS: [&[u8]; 12] = [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Reads the times of lines.
///
/// It knows `2026-02-15T14:23:45.123Z` with or without zone and with a space or comma in it (Python, uvicorn, JSON), `2026/02/15 14:23:45`
/// (nginx), `[15/Feb/2026:14:23:45 +0000]` (web servers), `Feb 15 14:23:45` (syslog) and seconds or milliseconds since 1970.
pub(crate) struct Stamps {
    anywhere: Regex,
    zone: TimeZone,
    now: Timestamp,
    /// Where the last one was: logs seldom change their form.
    hint: usize,
}

impl Stamps {
    /// A reader that takes times without a zone as times of this one, and dates without a year as the last such date before `now`.
    pub(crate) fn new(zone: TimeZone, now: Timestamp) -> Result<Stamps, regex::Error> {
        let anywhere = Regex::new(concat!(
            r"(?-u)(?P<iso>\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d)",
            r"|(?P<web>\b\d\d/(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/\d{4}:\d\d:\d\d:\d\d)",
            r"|(?P<syslog>^(?:<\d+>)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d)",
            r#"|(?:^\[?|"(?:ts|time|timestamp|@timestamp|created|created_at)"\s*:\s*)(?P<epoch>[12]\d{9}(?:\d{3})?(?:\.\d+)?)(?:\D|$)"#,
        ))?;
        Ok(Stamps { anywhere, zone, now, hint: 0 })
    }

    /// The time of a line, if it has one.
    pub(crate) fn read(&mut self, line: &[u8]) -> Option<Timestamp> {
        if let Some(found) = iso(line, self.hint, &self.zone) {
            return Some(found);
        }
        let line = &line[..line.len().min(WITHIN)];
        // Every form has two digits in a row; most continuation lines are done with here.
        let caps = self.anywhere.captures(line)?;
        if let Some(m) = caps.name("iso") {
            self.hint = m.start();
            return iso(line, m.start(), &self.zone);
        }
        if let Some(m) = caps.name("web") {
            let t = m.as_bytes();
            let date = Date::new(number(&t[7..11])? as i16, month(&t[3..6])?, number(&t[..2])? as i8).ok()?;
            return self.at(date, &t[12..], zone_at(line, m.end()));
        }
        if let Some(m) = caps.name("syslog") {
            let t = m.as_bytes();
            let t = &t[t.len() - 15..];
            let (month, day) = (month(&t[..3])?, number(t[4..6].trim_ascii_start())? as i8);
            return self.without_year(month, day, &t[7..]);
        }
        epoch(caps.name("epoch")?.as_bytes())
    }

    fn at(&self, date: Date, time: &[u8], offset: Option<Offset>) -> Option<Timestamp> {
        let part = |i: usize| number(time.get(i..i + 2)?).map(|n| n as i8);
        let moment = date.at(part(0)?, part(3)?, part(6)?.min(59), 0);
        moment_in(moment, offset, &self.zone)
    }

    fn without_year(&self, month: i8, day: i8, time: &[u8]) -> Option<Timestamp> {
        let year = self.now.to_zoned(self.zone.clone()).year();
        // A day ahead is a clock that differs; more is last year's.
        let latest = self.now + SignedDuration::from_hours(24);
        [year + 1, year, year - 1, year - 2, year - 3, year - 4]
            .into_iter()
            .filter_map(|y| self.at(Date::new(y, month, day).ok()?, time, None))
            .find(|t| *t <= latest)
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
}

fn month(name: &[u8]) -> Option<i8> {
    MONTHS.iter().position(|m| *m == name).map(|i| i as i8 + 1)
}

/// The offset from UTC that begins here, perhaps after a space.
fn zone_at(line: &[u8], mut i: usize) -> Option<Offset> {
    if line.get(i) == Some(&b' ') && matches!(line.get(i + 1), Some(b'+' | b'-')) {
        i += 1;
    }
    let sign = match line.get(i)? {
        b'Z' => return Some(Offset::UTC),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = number(line.get(i + 1..i + 3)?)?;
    let rest = line.get(i + 3..)?;
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    let minutes = rest.get(..2).and_then(number)?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60) as i32).ok()
}

fn moment_in(moment: DateTime, offset: Option<Offset>, zone: &TimeZone) -> Option<Timestamp> {
    match offset {
        Some(offset) => offset.to_timestamp(moment).ok(),
        None => zone.to_timestamp(moment).ok(),
    }
}

/// The time that a value of JSON is: a text that begins with one, or a number of seconds or milliseconds since 1970.
pub(crate) fn time_of(raw: &[u8], zone: &TimeZone) -> Option<Timestamp> {
    match raw.strip_prefix(b"\"") {
        Some(text) => iso(text, 0, zone).or_else(|| epoch_text(text.strip_suffix(b"\"")?)),
        None => epoch_text(raw),
    }
}

/// Ten digits are seconds, thirteen milliseconds.
fn epoch_text(digits: &[u8]) -> Option<Timestamp> {
    let whole = digits.iter().take_while(|d| d.is_ascii_digit()).count();
    let fits = whole == 10 || (whole == 13 && digits.len() == 13);
    if fits && digits[whole..].iter().enumerate().all(|(i, d)| if i == 0 { *d == b'.' } else { d.is_ascii_digit() }) {
        epoch(digits)
    } else {
        None
    }
}

/// `2026-02-15T14:23:45` and its like at this place.
fn iso(line: &[u8], i: usize, zone: &TimeZone) -> Option<Timestamp> {
    let t = line.get(i..i + 19)?;
    let marks =
        (t[4] == b'-' || t[4] == b'/') && t[7] == t[4] && (t[10] == b'T' || t[10] == b' ') && t[13] == b':' && t[16] == b':';
    if !marks {
        return None;
    }
    let date = Date::new(number(&t[..4])? as i16, number(&t[5..7])? as i8, number(&t[8..10])? as i8).ok()?;
    let (hour, minute, second) = (number(&t[11..13])? as i8, number(&t[14..16])? as i8, number(&t[17..19])? as i8);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut end = i + 19;
    let mut nanos = 0;
    if matches!(line.get(end), Some(b'.' | b',')) && line.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1;
        let mut unit = 100_000_000;
        while let Some(digit) = line.get(end).filter(|d| d.is_ascii_digit()) {
            nanos += i32::from(digit - b'0') * unit;
            unit /= 10;
            end += 1;
        }
    }
    moment_in(date.at(hour, minute, second.min(59), nanos), zone_at(line, end), zone)
}

fn epoch(digits: &[u8]) -> Option<Timestamp> {
    let (whole, fraction) = match digits.iter().position(|d| *d == b'.') {
        Some(dot) => (&digits[..dot], &digits[dot + 1..]),
        None => (digits, &[][..]),
    };
    let n = number(whole)?;
    if whole.len() == 13 {
        return Timestamp::from_millisecond(n).ok();
    }
    let millis = fraction.iter().take(3).chain([b'0'; 3].iter()).take(3).try_fold(0, |m, d| number(&[*d]).map(|d| m * 10 + d))?;
    Timestamp::from_millisecond(n * 1000 + millis).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<String> {
        let now = "2026-02-20T00:00:00Z".parse().unwrap();
        Stamps::new(TimeZone::UTC, now).unwrap().read(line.as_bytes()).map(|t| t.to_string())
    }

    #[test]
    fn common_forms_are_known() {
        for (line, time) in [
            ("2026-02-15T14:23:45Z x", "2026-02-15T14:23:45Z"),
            ("2026-02-15T14:23:45.123456+01:00 x", "2026-02-15T13:23:45.123456Z"),
            ("2026-02-15 14:23:45,123 - uvicorn.error - INFO - x", "2026-02-15T14:23:45.123Z"),
            ("[2026-02-15 14:23:45] ERROR x", "2026-02-15T14:23:45Z"),
            ("INFO:     2026-02-15 14:23:45 +0200 x", "2026-02-15T12:23:45Z"),
            (r#"{"level":"info","timestamp":"2026-02-15T14:23:45Z"}"#, "2026-02-15T14:23:45Z"),
            ("2026/02/15 14:23:45 [error] 7#7: x", "2026-02-15T14:23:45Z"),
            (r#"10.0.0.1 - - [15/Feb/2026:14:23:45 +0100] "GET / HTTP/1.1""#, "2026-02-15T13:23:45Z"),
            ("Feb 15 14:23:45 host app[1]: x", "2026-02-15T14:23:45Z"),
            ("<34>Dec  5 14:23:45 host app: x", "2025-12-05T14:23:45Z"),
            ("1771165425 x", "2026-02-15T14:23:45Z"),
            ("1771165425123 x", "2026-02-15T14:23:45.123Z"),
            ("[1771165425.5] x", "2026-02-15T14:23:45.5Z"),
            (r#"{"msg":"x","ts":1771165425.25}"#, "2026-02-15T14:23:45.25Z"),
        ] {
            assert_eq!(read(line).as_deref(), Some(time), "{line}");
        }
    }

    #[test]
    fn other_lines_have_none() {
        for line in [
            "",
            "INFO:     Uvicorn running on http://127.0.0.1:7000",
            "  File \"x.py\", line 2026, in main",
            "2026-13-15T14:23:45Z",
            "2026-02-30 14:23:45",
            "2026-02-15 25:23:45",
            "2026-02-15",
            "17711654251 digits too many",
            "id 1771165425",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn times_without_a_zone_are_of_the_zone_given() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let mut stamps = Stamps::new(zone, "2026-02-20T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(stamps.read(b"2026-02-15 14:00:00 x").unwrap().to_string(), "2026-02-15T12:00:00Z");
        assert_eq!(stamps.read(b"2026-02-15 14:00:00Z x").unwrap().to_string(), "2026-02-15T14:00:00Z");
    }

    #[test]
    fn the_last_place_is_tried_first() {
        let mut stamps = Stamps::new(TimeZone::UTC, "2026-02-20T00:00:00Z".parse().unwrap()).unwrap();
        for _ in 0..2 {
            assert!(stamps.read(b"INFO 2026-02-15 14:00:00 x").is_some());
        }
        assert_eq!(stamps.hint, 5);
        assert!(stamps.read(b"2026-02-15 14:00:00 x").is_some());
        assert!(stamps.read(b"no time").is_none());
    }
}
