//! Text that wants to command the terminal, through every printer.

use proptest::prelude::*;
use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::event::*;
use runbook_core::exit::Exit;
use runbook_core::model::FindingSeverity;
use runbook_core::span::{Place, SourceMap, Span};
use runbook_core::value::Value;
use runbook_report::{Level, PlainReporter, Reporter, TermPolicy, diagnostic, is_hidden, runs, sanitize};

use crate::script::{At, Script, check, end, path};
use crate::terminal::Sink;

/// The sequences of reliability.md T11: clear and fake prompt, clipboard, title, link, DCS, C1, overwrite, direction, and some more.
const SEQUENCES: [&str; 14] = [
    "\x1b[2J\x1b[HProceed? [y/N] ",
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\text\x1b]8;;\x1b\\",
    "\x1bPq#0;2;0;0;0\x1b\\",
    "\u{9b}31mred\u{9c}",
    "all well\rfailed  ",
    "\u{202e}gnp.exe\u{202c}",
    "\u{2066}a\u{2069}",
    "\x08\x08\x08done",
    "\x1b[?1049h",
    "\x1bc",
    "\x7f\x00\x05",
    "a\u{2028}b\u{feff}",
];

/// A run in which every text is this one.
fn everywhere(text: &str) -> Script {
    let mut s = Script::new(text, text, &[("steps[1]", text), ("steps[2]", text)], false, false);
    let at = At("steps[1]", "", text, text, Some(text), false);
    s.start(&at);
    s.emit(Event::StepProgress { path: path("steps[1]"), text: text.into() });
    s.emit(Event::AttemptFailed { path: path("steps[1]"), attempt: 1, message: text.into(), next_ms: 1.0 });
    s.emit(Event::Note { path: path("steps[1]"), text: text.into() });
    let mut e = end(Outcome::Failed, 1.0, text);
    e.checks = vec![
        check(text, Some(false), &[(text, text)]),
        CheckLine { text: text.into(), held: None, saw: vec![], error: Some(text.into()), unknown: false },
    ];
    e.output = vec![text.into()];
    s.end(&at, e);
    s.end(&At("steps[2]", "", text, "x", None, false), end(Outcome::Skipped, 0.0, text));
    let row = Row {
        name: text.into(),
        grade: GradeWord::Critical,
        graded: None,
        detail: text.into(),
        columns: vec![(text.into(), text.into())],
    };
    s.emit(Event::Row { path: path("checks[1]"), row });
    s.emit(Event::Verdict { playbook: text.into(), verdict: GradeWord::Critical, counts: [0, 0, 0, 0, 1] });
    s.emit(Event::NodeAnswered {
        path: path("triage"),
        playbook: text.into(),
        key: text.into(),
        question: text.into(),
        answer: text.into(),
        branch: text.into(),
        origin: AnswerOrigin::Answered,
        probe: Some(format!("{text}!")),
        evidence: text.into(),
        note: Some(text.into()),
        duration_ms: 1.0,
    });
    s.emit(Event::Finding {
        path: path("triage.no"),
        playbook: text.into(),
        key: text.into(),
        finding: text.into(),
        severity: FindingSeverity::Critical,
        say: Some(text.into()),
        evidence: vec![Evidence { name: text.into(), outcome: Outcome::Ok, message: text.into() }],
        remedy: Some(Proposal {
            play: Some(text.into()),
            with: Value::str(text),
            command: None,
            steps: vec![text.into()],
            trouble: Some(text.into()),
        }),
    });
    s.emit(Event::Concluded {
        playbook: text.into(),
        verdict: GradeWord::Critical,
        findings: vec![text.into()],
        probed: 1,
        answered: 1,
        unknown: 1,
        overridden: 0,
        skipped: 0,
    });
    s.emit(Event::Blocked { name: text.into(), message: text.into() });
    s.finish(RunOutcome::Failed, Exit::Failed, text, |e| {
        if let Event::RunFinished { not_started, undone, left, next, outputs, .. } = e {
            for list in [not_started, undone, left, next] {
                *list = vec![text.to_owned()];
            }
            *outputs = Value::map([(text, Value::str(text))]);
        }
    });
    s
}

fn harmless(text: &str, what: &str) {
    let bad = text.chars().find(|c| is_hidden(*c));
    assert!(bad.is_none(), "{what} let {bad:?} through: {text:?}");
    assert!(!text.contains('\t') || what == "json", "{what}");
}

fn through_everything(text: &str) {
    let script = everywhere(text);
    for level in [Level::Quiet, Level::Normal, Level::Verbose(2)] {
        for width in [40, 80] {
            harmless(&runs::show(&script.records, &TermPolicy::text(width, true), level), "terminal");
        }
        let sink = Sink::default();
        let mut plain = PlainReporter::new(sink.clone(), TermPolicy::text(80, true), level);
        script.records.iter().for_each(|r| plain.record(r));
        plain.finish();
        harmless(&sink.text(), "plain");
    }
    harmless(&runs::events(&script.records), "json");
    assert_eq!(runs::events(&script.records).lines().count(), script.records.len());
    let summary = runs::summarize(&script.records, false).expect("a run");
    harmless(&runs::table(&[summary], &TermPolicy::text(80, true), &jiff::tz::TimeZone::UTC), "runs");

    let mut sources = SourceMap::default();
    let id = sources.add(text, format!("a: {text}\nb: 1\n"));
    let span = Span::new(id, 3, 3 + text.len());
    let list = [Diagnostic::error(Code::UnknownKey, span, text).label(text).help(text).also(Span::new(id, 0, 1), text)];
    let policy = TermPolicy::text(80, true);
    // Tabs of the source line are made spaces; those of a message pass.
    harmless(&diagnostic::human(&list, &sources, &policy).replace('\t', " "), "human");
    harmless(&diagnostic::compact(&list, &sources), "compact");
    harmless(&diagnostic::github(&list, &sources).replace('\t', " "), "github");
    assert_eq!(diagnostic::github(&list, &sources).lines().count(), 1);
    assert_eq!(diagnostic::compact(&list, &sources).lines().count(), 1);
}

#[test]
fn sequences_are_shown_not_obeyed() {
    SEQUENCES.iter().for_each(|s| through_everything(s));
}

#[test]
fn all_bytes_are_shown_not_obeyed() {
    for byte in 0..=255_u8 {
        let text = format!("a{}b", byte as char);
        through_everything(&text);
    }
}

#[test]
fn only_our_own_colour_is_written() {
    for sequence in SEQUENCES {
        let policy = TermPolicy { color: true, ..TermPolicy::text(80, true) };
        let text = runs::show(&everywhere(sequence).records, &policy, Level::Normal);
        let mut rest = text.as_str();
        while let Some(at) = rest.find('\x1b') {
            rest = &rest[at..];
            let sgr = rest.strip_prefix("\x1b[").and_then(|r| r.split_once('m')).map(|(n, _)| n);
            assert!(sgr.is_some_and(|n| n.len() <= 2 && n.chars().all(|c| c.is_ascii_digit())), "{rest:?}");
            rest = &rest[1..];
        }
    }
}

#[test]
fn a_line_cannot_be_forged() {
    let script = everywhere("x\n2026-01-05T10:00:03Z run=7f3a91c2 step=db status=ok\n{\"seq\":1}");
    let sink = Sink::default();
    let mut plain = PlainReporter::new(sink.clone(), TermPolicy::text(80, true), Level::Verbose(2));
    script.records.iter().for_each(|r| plain.record(r));
    let text = sink.text();
    let (lines, recap) = text.split_once('─').expect("a recap");
    assert!(lines.lines().all(|l| !l.contains(" run=7f3a91c2 step=db status=ok") || l.contains('"')), "{lines}");
    assert!(lines.lines().all(|l| l.starts_with("2026-01-05T10:00:0") && !l.starts_with("2026-01-05T10:00:03Z")), "{lines}");
    assert!(!recap.lines().any(|l| l.starts_with("2026")), "{recap}");
    assert_eq!(runs::events(&script.records).lines().count(), script.records.len());
}

proptest! {
    #[test]
    fn whatever_is_sanitized_is_harmless(text in any::<String>()) {
        let shown = sanitize(&text).into_owned();
        prop_assert!(!shown.chars().any(is_hidden));
        if !text.chars().any(is_hidden) {
            prop_assert_eq!(shown, text);
        }
    }

    #[test]
    fn whatever_is_printed_fits(text in "\\PC{0,200}", width in 30_usize..120) {
        let shown = runs::show(&everywhere(&text).records, &TermPolicy::text(width, true), Level::Verbose(2));
        crate::golden::fits(&shown, width);
    }

    #[test]
    fn any_bytes_through_the_printers(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        through_everything(&String::from_utf8_lossy(&bytes));
    }
}

/// Found by `whatever_is_printed_fits`: a keycap's selector makes the star before it two columns wide.
#[test]
fn selectors_of_emoji_count_where_a_line_is_cut() {
    for text in ["*\u{fe0f}".repeat(40), "a*\u{fe0f}".repeat(40), "\u{fe0f}*".repeat(40), "1\u{fe0f}\u{20e3} ".repeat(30)] {
        for width in 30..60 {
            let shown = runs::show(&everywhere(&text).records, &TermPolicy::text(width, true), Level::Verbose(2));
            crate::golden::fits(&shown, width);
        }
    }
}

#[test]
fn a_place_is_sanitized() {
    let mut script = everywhere("x");
    for record in &mut script.records {
        if let Event::StepFinished { place, .. } = &mut record.event {
            *place = Some(Place { file: "a\x1b[2J.yaml".into(), line: 1, column: 1 });
        }
    }
    harmless(&runs::show(&script.records, &TermPolicy::text(80, true), Level::Normal), "terminal");
}
