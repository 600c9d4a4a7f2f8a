//! Tests for people: a line a file, and what does not hold in each test that failed.

use std::collections::BTreeMap;

use runbook_core::event::Outcome;
use runbook_core::model::test::PlayTest;
use runbook_core::span::{Place, SourceMap};
use runbook_core::tested::{TestEnd, TestFailure, Tested};

use super::diff::{Change, diff};
use super::{TestReport, coverage};
use crate::human::{and_list, count, duration};
use crate::ink::{Ink, Line, wrap_hard};
use crate::page::Page;
use crate::policy::TermPolicy;
use crate::reporter::Level;

/// Where what is said about a failure begins.
const INDENT: usize = 6;
/// The lines around a difference.
const AROUND: usize = 2;
/// The most lines of a list that are shown.
const MOST: usize = 40;

/// What tests came to, with a line that counts them.
pub fn human(report: &TestReport, policy: &TermPolicy, level: Level) -> String {
    let mut page = Page::new(policy);
    let quiet = level == Level::Quiet;
    let mut after_failure = false;
    for (file, tests) in report.by_file() {
        if std::mem::take(&mut after_failure) {
            page.blank();
        }
        let failed = tests.iter().filter(|t| t.end == TestEnd::Failed).count();
        if !quiet || failed > 0 {
            page.push(file_line(file, &tests, failed));
        }
        for test in tests {
            match (test.end, level) {
                (TestEnd::Failed, _) => {
                    failed_test(&mut page, test, level);
                    after_failure = true;
                }
                (_, Level::Verbose(_)) => verbose_test(&mut page, test),
                _ => {}
            }
        }
    }
    if !quiet {
        let mut first = true;
        for warning in report.tests.iter().filter(|t| t.end != TestEnd::Failed).flat_map(|t| &t.warnings).chain(&report.warnings)
        {
            if std::mem::take(&mut first) {
                page.blank();
            }
            warn(&mut page, warning, report.strict);
        }
    }
    if let Some(all) = &report.coverage {
        page.blank();
        coverage::add(&mut page, all, quiet);
    }
    if !quiet && !report.tests.is_empty() {
        page.blank();
    }
    for line in summary(report) {
        page.push(line);
    }
    page.finish()
}

fn file_line(file: &str, tests: &[&Tested], failed: usize) -> Line {
    let run = tests.iter().filter(|t| t.end != TestEnd::NotRun).count();
    let line = if failed > 0 { Line::of(Ink::Bad, "FAIL  ") } else { Line::of(Ink::Good, "ok    ") };
    let mut counts = vec![if failed > 0 { format!("{failed} of {run} failed") } else { count(run, "test") }];
    if run < tests.len() {
        counts.push(format!("{} not run", tests.len() - run));
    }
    line.with(Ink::Plain, file).with(Ink::Dim, &format!("  {}", counts.join(", ")))
}

fn failed_test(page: &mut Page, test: &Tested, level: Level) {
    let (mark, _) = page.glyphs.outcome(Outcome::Failed);
    page.blank();
    page.prose_line(2, Ink::Bold, &format!("{mark} {}", test.name));
    page.prose_line(4, Ink::Dim, &format!("{} plays {}{}", at(&test.place), test.playbook, profile(test)));
    for failure in &test.failures {
        told(page, failure);
    }
    // A rule that was meant to answer and did not is often the cause.
    for warning in &test.warnings {
        page.prose_line(
            4,
            Ink::Warn,
            &format!("{} [{}] (line {})", warning.message, warning.code, warning.place.as_ref().map_or(0, |p| p.line)),
        );
        if let Some(help) = &warning.help {
            page.labelled(INDENT, "help", 10, help);
        }
    }
    if matches!(level, Level::Verbose(_)) {
        trace(page, test);
    }
}

fn profile(test: &Tested) -> String {
    test.profile.as_ref().map(|p| format!(" with the profile {p}")).unwrap_or_default()
}

fn at(place: &Place) -> String {
    format!("{}:{}", place.file, place.line)
}

/// What does not hold: the message with its place, what was expected and seen, and the way out.
fn told(page: &mut Page, failure: &TestFailure) {
    let place = failure.place.as_ref().map(|p| format!(" (line {})", p.line)).unwrap_or_default();
    page.prose_line(4, Ink::Bad, &format!("{} [{}]{place}", failure.message, failure.code));
    let list = failure.expected.len() > 1 || (failure.seen.len() > 1 && failure.expected.len() != 1);
    if list && !failure.expected.is_empty() || failure.expected.len() > 1 {
        differences(page, &failure.expected, &failure.seen);
    } else {
        for (word, lines) in [("expected", &failure.expected), ("seen", &failure.seen)] {
            for (i, line) in lines.iter().take(MOST).enumerate() {
                // Nothing is expected of a call that is not foreseen.
                let word = if i == 0 { word } else { "" };
                page.labelled(INDENT, word, 10, line);
            }
        }
    }
    if !failure.paste.is_empty() {
        page.push(Line::indent(INDENT).with(Ink::Dim, "world:"));
        for rule in &failure.paste {
            for line in pasted(rule, page.width().saturating_sub(INDENT + 2)) {
                page.code(INDENT + 2, &line);
            }
        }
    }
    if let Some(help) = &failure.help {
        page.labelled(INDENT, "help", 10, help);
    }
}

/// A rule as one line, or as several if it is too long for one.
fn pasted(rule: &[String], width: usize) -> Vec<String> {
    let one = format!("- {{ {} }}", rule.join(", "));
    if console::measure_text_width(&one) <= width {
        return vec![one];
    }
    rule.iter().enumerate().map(|(i, entry)| format!("{}{entry}", if i == 0 { "- " } else { "  " })).collect()
}

fn differences(page: &mut Page, expected: &[String], seen: &[String]) {
    page.push(Line::indent(INDENT).with(Ink::Dim, "- expected, + seen"));
    changes(page, INDENT, expected, seen);
}

fn changes(page: &mut Page, indent: usize, before: &[String], after: &[String]) {
    for change in diff(before, after, AROUND) {
        let (ink, mark, text) = match change {
            Change::Same(text) => (Ink::Plain, ' ', text.to_owned()),
            Change::Gone(text) => (Ink::Bad, '-', text.to_owned()),
            Change::New(text) => (Ink::Good, '+', text.to_owned()),
            Change::Skipped(n) => (Ink::Dim, ' ', format!("({} the same)", count(n, "line"))),
        };
        // Broken and not cut: what differs may stand at the end.
        for (i, piece) in wrap_hard(&text, page.width().saturating_sub(indent + 2)).iter().enumerate() {
            page.push(Line::indent(indent).with(ink, &format!("{} {piece}", if i == 0 { mark } else { ' ' })));
        }
    }
}

/// A test with what its run did.
fn verbose_test(page: &mut Page, test: &Tested) {
    let (mark, ink) = match test.end {
        TestEnd::NotRun => page.glyphs.outcome(Outcome::Skipped),
        _ => page.glyphs.outcome(Outcome::Ok),
    };
    let clock = duration(test.lasted.as_secs_f64() * 1000.0);
    let after = if test.end == TestEnd::NotRun { "not run".to_owned() } else { format!("{clock} on the clock") };
    page.push(Line::indent(2).with(ink, mark).with(Ink::Plain, &format!(" {}", test.name)).with(Ink::Dim, &format!("  {after}")));
    trace(page, test);
}

fn trace(page: &mut Page, test: &Tested) {
    if test.end == TestEnd::NotRun {
        return;
    }
    page.labelled(INDENT, "ended", 10, &test.ended);
    for (word, lines) in [("path", &test.trace.path), ("calls", &test.trace.calls)] {
        for (i, line) in lines.iter().take(MOST).enumerate() {
            page.labelled(INDENT, if i == 0 { word } else { "" }, 10, line);
        }
        if lines.len() > MOST {
            page.labelled(INDENT, "", 10, &format!("and {} more", lines.len() - MOST));
        }
    }
}

fn warn(page: &mut Page, warning: &TestFailure, strict: bool) {
    let (word, ink) = if strict { ("error", Ink::Bad) } else { ("warning", Ink::Warn) };
    let place = warning.place.as_ref().map(|p| format!("  {}", at(p))).unwrap_or_default();
    page.prose_line(0, ink, &format!("{word}: {} [{}]{place}", warning.message, warning.code));
    if let Some(help) = &warning.help {
        page.labelled(INDENT, "help", 10, help);
    }
}

fn summary(report: &TestReport) -> Vec<Line> {
    let mut out = Vec::new();
    let (passed, failed, rest) = (report.count(TestEnd::Passed), report.count(TestEnd::Failed), report.count(TestEnd::NotRun));
    let took = duration(report.took.as_secs_f64() * 1000.0);
    let mut parts = Vec::new();
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    if passed > 0 || failed == 0 {
        parts.push(format!("{passed} passed"));
    }
    if rest > 0 {
        parts.push(format!("{rest} not run"));
    }
    let warned = report.warned();
    if warned > 0 {
        parts.push(count(warned, "warning"));
    }
    let ink = if report.is_good() { Ink::Good } else { Ink::Bad };
    out.push(
        Line::of(ink, &format!("{}: {}", count(report.tests.len(), "test"), parts.join(", ")))
            .with(Ink::Dim, &format!("  {took}")),
    );
    if report.strict && warned > 0 && failed == 0 {
        out.push(Line::of(Ink::Bad, "with --strict a warning is a failure"));
    }
    if let (false, Some(least), Some(covered)) = (report.covers_enough(), report.least, report.covered()) {
        out.push(Line::of(Ink::Bad, &format!("the coverage is {covered:.1} %, less than the {least} % of --min-coverage")));
    }
    let codes: BTreeMap<&str, ()> = report.tests.iter().flat_map(|t| &t.failures).map(|f| (f.code.as_str(), ())).collect();
    if !codes.is_empty() {
        let codes: Vec<String> = codes.into_keys().map(|c| format!("runbook explain {c}")).collect();
        out.push(Line::of(Ink::Dim, &format!("more about a code: {}", and_list(&codes[..1.min(codes.len())]))));
    }
    out
}

/// What became another text in a file that was written.
pub fn diff_text(name: &str, before: &str, after: &str, policy: &TermPolicy) -> String {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(before), lines(after));
    let mut page = Page::new(policy);
    page.push(Line::of(Ink::Bold, &format!("recorded in {name}")));
    changes(&mut page, 2, &before, &after);
    page.finish()
}

/// The tests that there are, by file.
pub fn list(tests: &[(&PlayTest, &SourceMap)], policy: &TermPolicy) -> String {
    let mut page = Page::new(policy);
    let mut before = String::new();
    for (test, sources) in tests {
        let Some(place) = sources.place(test.name.span) else { continue };
        if place.file != before {
            page.push(Line::of(Ink::Accent, &place.file));
            before = place.file;
        }
        page.push(Line::indent(2).with(Ink::Plain, &test.name.value).with(Ink::Dim, &format!("  {}", test.playbook)));
    }
    page.push(Line::of(Ink::Dim, &count(tests.len(), "test")));
    page.finish()
}
