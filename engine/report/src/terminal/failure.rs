//! The lines under a failed step: why, where, what was expected and seen, and the end of its output.

use runbook_core::event::CheckLine;
use runbook_core::span::Place;

use super::view::Layout;
use crate::ink::{Ink, Line, wrap, wrap_hard};

/// The most lines of output that are shown unless more is asked for.
const TAIL: usize = 20;

/// What is shown under a failed step.
pub(crate) struct Failure<'a> {
    pub(crate) message: &'a str,
    pub(crate) place: Option<&'a Place>,
    pub(crate) checks: &'a [CheckLine],
    pub(crate) output: &'a [String],
    /// Whether all output is shown.
    pub(crate) full: bool,
}

/// The lines, indented so that they stand under the step's name.
pub(crate) fn lines(layout: &Layout, depth: usize, failure: &Failure<'_>) -> Vec<Line> {
    let column = layout.name_column(depth);
    let room = layout.policy.width.saturating_sub(column);
    let mut out = Vec::new();
    if !failure.message.is_empty() {
        out.extend(wrap(failure.message, room).iter().map(|l| Line::indent(column).with(Ink::Plain, l)));
    }
    for check in failure.checks {
        out.extend(check_lines(layout, column, check));
    }
    if let Some(place) = failure.place {
        out.push(Line::indent(column).with(Ink::Dim, &place_words(place, room, layout.glyphs.ellipsis)));
    }
    out.extend(output_lines(layout, column, failure));
    out
}

/// `at FILE:LINE`, of which the end says most.
fn place_words(place: &Place, room: usize, ellipsis: &str) -> String {
    let text = crate::sanitize::sanitize_line(&place.to_string()).into_owned();
    let room = room.saturating_sub(3);
    if console::measure_text_width(&text) <= room {
        return format!("at {text}");
    }
    let room = room.saturating_sub(console::measure_text_width(ellipsis));
    let mut used = 0;
    let tail = crate::ink::clusters(&text).rev().take_while(|(_, cluster)| {
        used += console::measure_text_width(cluster);
        used <= room
    });
    let start = tail.last().map_or(text.len(), |(at, _)| at);
    format!("at {ellipsis}{}", &text[start..])
}

/// A line of `expect` with what it saw: `✗ status == 200   (status was 503)`.
pub(crate) fn check_lines(layout: &Layout, column: usize, check: &CheckLine) -> Vec<Line> {
    let glyphs = &layout.glyphs;
    let (glyph, ink) = match check.held {
        Some(true) => glyphs.outcome(runbook_core::event::Outcome::Ok),
        Some(false) => glyphs.outcome(runbook_core::event::Outcome::Failed),
        None => glyphs.outcome(runbook_core::event::Outcome::Unknown),
    };
    let text_ink = if check.held == Some(true) { Ink::Dim } else { Ink::Plain };
    let mut saw: Vec<String> = Vec::new();
    // What held needs no evidence.
    if check.held != Some(true) {
        saw.extend(check.saw.iter().map(|s| {
            // A long left side stands right before it and need not be said again.
            let again = check.saw.len() == 1 && s.text.len() > 24 && check.text.starts_with(&s.text);
            if again { format!("was {}", s.value) } else { format!("{} was {}", s.text, s.value) }
        }));
        saw.extend(check.error.iter().map(|e| format!("could not tell: {e}")));
    }
    let saw = if saw.is_empty() { String::new() } else { format!("({})", saw.join(", ")) };
    let one = Line::indent(column).with(ink, glyph).with(Ink::Plain, " ").with(text_ink, &check.text);
    if saw.is_empty() && one.width() <= layout.policy.width {
        return vec![one];
    }
    let both = one.with(Ink::Plain, "   ").with(Ink::Dim, &saw);
    if both.width() <= layout.policy.width {
        return vec![both];
    }
    let room = layout.policy.width.saturating_sub(column + 2);
    let mut out: Vec<Line> = Vec::new();
    for (i, text) in wrap(&check.text, room).iter().enumerate() {
        let line = match i {
            0 => Line::indent(column).with(ink, glyph).with(Ink::Plain, " "),
            _ => Line::indent(column + 2),
        };
        out.push(line.with(text_ink, text));
    }
    if !saw.is_empty() {
        out.extend(wrap(&saw, room).iter().map(|l| Line::indent(column + 2).with(Ink::Dim, l)));
    }
    out
}

fn output_lines(layout: &Layout, column: usize, failure: &Failure<'_>) -> Vec<Line> {
    let room = layout.policy.width.saturating_sub(column + 2);
    let mut lines: Vec<String> = failure.output.iter().flat_map(|l| wrap_hard(l, room)).collect();
    while lines.last().is_some_and(|l| l.trim().is_empty()) {
        lines.pop();
    }
    let bar = |text: &str, ink| Line::indent(column).with(Ink::Dim, layout.glyphs.bar).with(Ink::Plain, " ").with(ink, text);
    let mut out = Vec::new();
    if lines.len() > TAIL && !failure.full {
        let hidden = lines.len() - TAIL;
        lines.drain(..hidden);
        out.push(bar(&format!("{} {hidden} earlier lines", layout.glyphs.ellipsis), Ink::Dim));
    }
    out.extend(lines.iter().map(|l| bar(l, Ink::Plain)));
    out
}
