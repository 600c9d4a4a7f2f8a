//! What was looked at for a question: every reading with its call, its times and what came of it.

use jiff::tz::TimeZone;
use runbook_core::event::Outcome;
use runbook_core::session::{Reading, Standing};
use runbook_core::value::Value;

use super::{below, indented};
use crate::human;
use crate::ink::{Ink, Line};
use crate::policy::TermPolicy;
use crate::runs::text;
use crate::terminal::Glyphs;

/// So many lines of one field are shown; the run's record has the rest.
const MOST_LINES: usize = 20;
/// So many characters of one field are shown.
const MOST_CHARACTERS: usize = 2000;
/// The column of what a reading saw.
const INNER: usize = 7;

/// Every reading, the newest last.
pub fn evidence(standing: &Standing, policy: &TermPolicy) -> String {
    let mut out = Vec::new();
    if standing.readings.is_empty() {
        below("nothing is looked at here: only a person can tell", Ink::Plain, policy, &mut out);
    }
    for (i, reading) in standing.readings.iter().enumerate() {
        one(i + 1, reading, policy, &mut out);
    }
    text(out, policy)
}

fn one(number: usize, reading: &Reading, policy: &TermPolicy, out: &mut Vec<Line>) {
    let glyphs = Glyphs::of(policy.unicode);
    let (glyph, ink) = glyphs.outcome(reading.outcome);
    let head = Line::of(Ink::Dim, &format!("{number:>5}")).with(Ink::Plain, " ").with(ink, glyph).with(Ink::Plain, " ");
    out.push(head.with(Ink::Bold, &reading.name).fit(policy.width, glyphs.ellipsis));
    let at = reading.at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S UTC");
    let word = match reading.outcome {
        Outcome::Ok | Outcome::Changed => "held",
        Outcome::Failed => "did not hold",
        Outcome::Skipped => "does not apply",
        Outcome::Unknown => "could not tell",
    };
    let times = format!("{word} {} {at} {} {}", glyphs.dot, glyphs.dot, human::duration(reading.took_ms));
    indented(&times, INNER, Ink::Dim, policy, out);
    for line in &reading.call {
        indented(line, INNER, Ink::Plain, policy, out);
    }
    if !reading.message.is_empty() {
        indented(&reading.message, INNER, ink, policy, out);
    }
    for (name, value) in reading.result.as_map().into_iter().flat_map(|m| m.iter()).filter(|(_, v)| !v.is_null()) {
        field(name, value, policy, out);
    }
}

fn field(name: &str, value: &Value, policy: &TermPolicy, out: &mut Vec<Line>) {
    let whole = match value.bare() {
        Value::List(_) | Value::Map(_) => value.to_json().to_string(),
        _ => human::value(value, None),
    };
    let short: String = whole.chars().take(MOST_CHARACTERS).collect();
    let lines: Vec<&str> = short.trim_end().lines().collect();
    match lines.as_slice() {
        [] => {}
        [line] => indented(&format!("{name}: {line}"), INNER, Ink::Dim, policy, out),
        lines => {
            indented(&format!("{name}:"), INNER, Ink::Dim, policy, out);
            // The end of an output says most.
            let first = lines.len().saturating_sub(MOST_LINES);
            for line in &lines[first..] {
                indented(line, INNER + 2, Ink::Dim, policy, out);
            }
        }
    }
    if short.len() < whole.len() || lines.len() > MOST_LINES {
        indented("(the rest is in the record of the run)", INNER, Ink::Dim, policy, out);
    }
}
