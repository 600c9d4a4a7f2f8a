//! A dry run as lines: one row a step, its verdict and its reason, and what is decided.

use runbook_core::module::Effect;
use runbook_core::rehearsal::{DryRow, DryVerdict};

use crate::human;
use crate::ink::{Ink, Line, wrap};
use crate::policy::TermPolicy;
use crate::reporter::Level;
use crate::terminal::Glyphs;

/// So wide is the longest verdict.
const VERDICT: usize = 10;

/// The rows, and a line that sums them up.
pub(crate) fn lines(name: &str, rows: &[DryRow], policy: &TermPolicy, level: Level) -> Vec<Line> {
    let glyphs = Glyphs::of(policy.unicode);
    let mut out = Vec::new();
    // The dry run of a whole playbook has its head already.
    if !name.is_empty() {
        out.push(Line::new());
        let head = Line::of(Ink::Warn, "DRY RUN").with(Ink::Plain, &format!("  {name}"));
        out.extend(head.wrapped(policy.width, 4));
        let said = "nothing is changed; what only looks really looked";
        out.push(Line::indent(2).with(Ink::Dim, said).fit(policy.width, glyphs.ellipsis));
    }
    for row in rows {
        one(row, policy, level, &mut out);
    }
    if rows.is_empty() {
        out.push(Line::indent(2).with(Ink::Plain, "it has no steps that do anything"));
    }
    let unknown = rows.iter().filter(|r| !r.verdict.is_decided()).count();
    let mut sum: Vec<String> = Vec::new();
    for (verdict, word) in [
        (DryVerdict::Blocked, "blocked"),
        (DryVerdict::WouldRun, "would run"),
        (DryVerdict::WouldAsk, "would ask"),
        (DryVerdict::WouldSkip, "would skip"),
        (DryVerdict::Read, "read"),
    ] {
        let count = rows.iter().filter(|r| r.verdict == verdict).count();
        if count > 0 {
            sum.push(format!("{count} {word}"));
        }
    }
    sum.push(format!("decided {} of {}; {unknown} unknown", rows.len() - unknown, rows.len()));
    for line in wrap(&sum.join(&format!(" {} ", glyphs.dot)), policy.width.saturating_sub(2)) {
        out.push(Line::indent(2).with(Ink::Dim, &line));
    }
    let destroys: Vec<String> = rows
        .iter()
        .filter(|r| r.effect == Effect::Destroy && matches!(r.verdict, DryVerdict::WouldRun | DryVerdict::WouldAsk))
        .map(|r| r.name.clone())
        .collect();
    if !destroys.is_empty() {
        for line in wrap(&format!("would destroy: {}", human::and_list(&destroys)), policy.width.saturating_sub(2)) {
            out.push(Line::indent(2).with(Ink::Bad, &line));
        }
    }
    out
}

fn one(row: &DryRow, policy: &TermPolicy, level: Level, out: &mut Vec<Line>) {
    let ink = match row.verdict {
        DryVerdict::Read | DryVerdict::WouldSkip => Ink::Dim,
        DryVerdict::WouldRun => Ink::Accent,
        DryVerdict::WouldAsk | DryVerdict::Unknown => Ink::Warn,
        DryVerdict::Blocked => Ink::Bad,
    };
    let column = if policy.width < 60 { 4 } else { 2 + VERDICT + 2 };
    let mut name = Line::of(Ink::Plain, &row.name);
    if row.possible {
        name.push(Ink::Warn, " (possible)");
    }
    if row.effect == Effect::Destroy {
        name.push(Ink::Bad, " (destroys)");
    }
    let mut head = Line::indent(2).with(ink, row.verdict.word());
    if policy.width < 60 {
        out.push(std::mem::take(&mut head));
    }
    for line in name.wrapped(policy.width.saturating_sub(column), 0) {
        let mut start = std::mem::take(&mut head);
        start.pad_to(column);
        start.append(line);
        out.push(start);
    }
    let mut below = |text: &str, ink: Ink| {
        out.extend(wrap(text, policy.width.saturating_sub(column)).iter().map(|l| Line::indent(column).with(ink, l)));
    };
    let reason = match (row.what.is_empty(), row.because.is_empty()) {
        (false, false) => format!("{}: {}", row.what, row.because),
        (false, true) => row.what.clone(),
        _ => row.because.clone(),
    };
    if !reason.is_empty() {
        below(&reason, Ink::Dim);
    }
    if !row.argv.is_empty() && matches!(row.verdict, DryVerdict::WouldRun | DryVerdict::WouldAsk) {
        let words: Vec<String> = row.argv.iter().map(|w| runbook_core::expr::shell_quote(w)).collect();
        below(&format!("$ {}", words.join(" ")), Ink::Plain);
    }
    for (what, from, to) in &row.from_to {
        below(&format!("{what}: {from} {} {to}", Glyphs::of(policy.unicode).arrow), Ink::Dim);
    }
    if let Some(diff) = row.diff.as_ref().filter(|_| level.is_verbose(1)) {
        for line in diff.lines() {
            below(line, Ink::Dim);
        }
    }
}
