use runbook_report::{JsonlReporter, Level, PlainReporter, Reporter, TermPolicy};

use crate::golden::golden;
use crate::script;
use crate::terminal::Sink;

fn plain(script: &script::Script, level: Level) -> String {
    let sink = Sink::default();
    let mut reporter = PlainReporter::new(sink.clone(), TermPolicy::text(80, true), level);
    script.records.iter().for_each(|r| reporter.record(r));
    reporter.finish();
    sink.text()
}

#[test]
fn plain_lines_look_as_they_should() {
    golden("failing-plain.txt", &plain(&script::failing(), Level::Normal));
    golden("failing-plain-quiet.txt", &plain(&script::failing(), Level::Quiet));
    golden("stack-start-plain.txt", &plain(&script::stack_start(), Level::Normal));
    golden("checklist-plain.txt", &plain(&script::checklist(), Level::Normal));
    golden("dry-run-plain.txt", &plain(&script::dry_run(), Level::Verbose(2)));
}

#[test]
fn running_steps_are_heard_of() {
    let script = script::failing();
    let sink = Sink::default();
    let mut reporter = PlainReporter::new(sink.clone(), TermPolicy::text(80, true), Level::Normal);
    script.records[..3].iter().for_each(|r| reporter.record(r));
    let before = sink.text();
    reporter.record(&script.records[3]);
    let began = script.records[3].at;
    for seconds in [10, 31, 40, 62] {
        reporter.tick(began + jiff::SignedDuration::from_secs(seconds));
    }
    let text = sink.text();
    assert_eq!(text[before.len()..].matches("status=running").count(), 2, "{text}");
    assert!(text.contains("status=running dur=31.0s"), "{text}");
}

#[test]
fn json_lines_are_the_records() {
    let script = script::failing();
    let sink = Sink::default();
    let mut reporter = JsonlReporter::new(sink.clone());
    script.records.iter().for_each(|r| reporter.record(r));
    reporter.finish();
    let text = sink.text();
    assert_eq!(text.lines().count(), script.records.len());
    for (line, record) in text.lines().zip(&script.records) {
        let read: runbook_core::event::Record = serde_json::from_str(line).expect("a record");
        assert_eq!(serde_json::to_value(&read).expect("json"), serde_json::to_value(record).expect("json"));
    }
    assert!(!text.contains("hunter2"));
    assert!(text.starts_with(r#"{"seq":1,"at":"2026-01-05T10:00:00Z","event":"run_started","format_version":"1.0""#), "{text}");
}
