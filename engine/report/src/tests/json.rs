//! Tests as JSON.

use runbook_core::model::test::PlayTest;
use runbook_core::span::{Place, SourceMap};
use runbook_core::tested::{TestEnd, TestFailure, Tested, percent};
use runbook_core::value::format_duration;
use serde_json::{Value as Json, json};

use super::TestReport;
use super::coverage::untaken;

fn place(into: &mut Json, place: Option<&Place>) {
    if let (Some(map), Some(place)) = (into.as_object_mut(), place) {
        map.insert("file".into(), json!(place.file));
        map.insert("line".into(), json!(place.line));
        map.insert("column".into(), json!(place.column));
    }
}

fn failure(failure: &TestFailure) -> Json {
    let rules: Vec<String> = failure.paste.iter().map(|rule| format!("- {{ {} }}", rule.join(", "))).collect();
    let mut out = json!({
        "code": failure.code.as_str(),
        "message": failure.message,
        "expected": failure.expected,
        "seen": failure.seen,
        "help": failure.help,
    });
    if let (Some(map), false) = (out.as_object_mut(), rules.is_empty()) {
        map.insert("rules".into(), json!(rules));
    }
    place(&mut out, failure.place.as_ref());
    out
}

fn test(test: &Tested) -> Json {
    let mut out = json!({
        "name": test.name,
        "playbook": test.playbook,
        "profile": test.profile,
        "result": test.end.word(),
        "ended": test.ended,
        "duration": format_duration(test.lasted),
        "took_ms": test.took.as_secs_f64() * 1000.0,
        "path": test.trace.path,
        "calls": test.trace.calls,
        "failures": test.failures.iter().map(failure).collect::<Vec<_>>(),
        "warnings": test.warnings.iter().map(failure).collect::<Vec<_>>(),
    });
    place(&mut out, Some(&test.place));
    out
}

/// The whole report as one JSON object, with a line break at its end.
pub fn json(report: &TestReport) -> String {
    let mut out = json!({
        "format_version": "1.0",
        "passed": report.count(TestEnd::Passed),
        "failed": report.count(TestEnd::Failed),
        "not_run": report.count(TestEnd::NotRun),
        "good": report.is_good(),
        "took_ms": report.took.as_secs_f64() * 1000.0,
        "tests": report.tests.iter().map(test).collect::<Vec<_>>(),
        "warnings": report.warnings.iter().map(failure).collect::<Vec<_>>(),
    });
    if let (Some(map), Some(all)) = (out.as_object_mut(), &report.coverage) {
        let playbooks: Vec<Json> = all
            .iter()
            .map(|one| {
                let (taken, points) = one.counts();
                let untaken: Vec<Json> = untaken(one)
                    .into_iter()
                    .map(|p| {
                        let mut out = json!({ "step": p.label, "path": p.key.path, "what": p.what });
                        place(&mut out, p.place.as_ref());
                        out
                    })
                    .collect();
                json!({
                    "playbook": one.playbook,
                    "tests": one.tests,
                    "taken": taken,
                    "points": points,
                    "percent": percent(taken, points),
                    "untaken": untaken,
                })
            })
            .collect();
        map.insert("coverage".into(), json!({ "percent": report.covered(), "least": report.least, "playbooks": playbooks }));
    }
    format!("{out:#}\n")
}

/// The tests that there are.
pub fn list_json(tests: &[(&PlayTest, &SourceMap)]) -> String {
    let all: Vec<Json> = tests
        .iter()
        .map(|(test, sources)| {
            let mut out = json!({ "name": test.name.value, "playbook": test.playbook, "profile": test.profile });
            place(&mut out, sources.place(test.name.span).as_ref());
            out
        })
        .collect();
    format!("{:#}\n", json!({ "tests": all }))
}
