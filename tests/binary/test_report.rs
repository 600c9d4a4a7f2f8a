//! What `runbook test` prints, word for word: each kind of failure, coverage, JSON, JUnit and records, wide and narrow.

use std::collections::BTreeMap;

use super::golden::golden;
use crate::harness::{Output, Workspace};

/// A project with a playbook and tests of it that fail in every way there is (`tests/reports`).
fn project() -> Workspace {
    let workspace = Workspace::new();
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports/worker");
    for file in ["worker.yaml", "tests/worker.test.yaml", "tests/worker-calls.test.yaml"] {
        let path = workspace.path(&format!("playbooks/{file}"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(from.join(file), path).unwrap();
    }
    workspace
}

/// The program with a terminal so wide. How long it took is left out; what the virtual clock says is not.
fn run(workspace: &Workspace, width: &str, args: &[&str]) -> Output {
    let mut command = workspace.command(&[&["test"], args].concat());
    command.env("COLUMNS", width);
    let mut output = crate::harness::finish(command);
    output.stdout = without_took(&output.stdout);
    output
}

fn without_took(text: &str) -> String {
    let text = regex::Regex::new(r"(?m)^(\d+ tests?: .*)  [\d.]+(ms|s|µs)").unwrap().replace_all(text, "$1  TOOK").into_owned();
    let text = regex::Regex::new(r#""took_ms": [\d.e-]+"#).unwrap().replace_all(&text, "\"took_ms\": 0").into_owned();
    regex::Regex::new(r#" time="[\d.]+""#).unwrap().replace_all(&text, " time=\"0\"").into_owned()
}

/// Compares with a golden file; `stable` of the harness would hide the virtual clock.
#[track_caller]
fn same(name: &str, workspace: &Workspace, output: &Output) {
    for line in output.stdout.lines() {
        assert!(!line.contains(&*workspace.path("").to_string_lossy()), "{line}");
    }
    golden(&format!("test/{name}"), workspace, output);
}

#[test]
fn every_kind_of_failure_says_what_to_do() {
    let workspace = project();
    for width in ["80", "40"] {
        same(&format!("failing-{width}"), &workspace, &run(&workspace, width, &[]));
        same(&format!("passing-{width}"), &workspace, &run(&workspace, width, &["--filter", "it passes", "-v", "--coverage"]));
        same(&format!("coverage-{width}"), &workspace, &run(&workspace, width, &["--filter", "a part", "--min-coverage", "80"]));
    }
    let output = run(&workspace, "80", &[]);
    // Every failure has its line and says what next.
    let failures = regex::Regex::new(r"\[E070\d\] \(line \d+\)").unwrap().find_iter(&output.stdout).count();
    assert_eq!(output.stdout.matches("\n      help  ").count(), failures + 1, "one of them is a warning's");
    assert!(output.stdout.lines().all(|l| l.chars().count() <= 80), "{}", output.stdout);
}

#[test]
fn reports_for_programs_are_what_people_see() {
    let workspace = project();
    let output = run(&workspace, "80", &["--json", "--coverage", "--junit", "out.xml"]);
    same("report-json", &workspace, &output);
    let xml = without_took(&workspace.read("out.xml"));
    same("report-junit", &workspace, &Output { code: output.code, stdout: xml, stderr: String::new() });
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let counts = junit(&workspace.read("out.xml"));
    assert_eq!(counts["tests"], report["passed"].as_u64().unwrap() + report["failed"].as_u64().unwrap());
    assert_eq!(counts["failures"], report["failed"].as_u64().unwrap());
}

#[test]
fn junit_is_what_its_readers_take_whatever_is_in_it() {
    let workspace = Workspace::with("a", "playbook: A\nsteps:\n  - { id: one, note: \"]]> <x a='1'> & \\e[31m \\0 \\u2028\" }\n");
    workspace.write(
        "playbooks/tests/a.test.yaml",
        "play: a\ntests:\n  - test: \"<b> & \\\"c\\\" 'd' ]]> \\e[31m \\u202e é \\U0001f600\"\n    expect: { notes: [\"]]> <y> &amp; \\x01\"] }\n  - { test: fine }\n  - { test: also wrong, expect: { exit: 4, outcome: failed } }\n",
    );
    workspace.write("playbooks/tests/b.test.yaml", "test: last\nplay: a\nexpect: { ran: [] }\n");
    for (args, failed, skipped) in [(&[][..], 2, 0), (&["--fail-fast", "--jobs", "1"], 1, 3), (&["--filter", "fine"], 0, 0)] {
        let code = if failed == 0 { 0 } else { 4 };
        workspace.run(&[&["test", "--junit", "out.xml"], args].concat()).expect(code);
        let counts = junit(&workspace.read("out.xml"));
        assert_eq!((counts["failures"], counts["skipped"], counts["errors"]), (failed, skipped, 0), "{args:?}");
    }
}

#[test]
fn what_is_recorded_is_shown_as_a_difference() {
    for width in ["80", "40"] {
        let workspace = project();
        same(&format!("bless-{width}"), &workspace, &run(&workspace, width, &["--filter", "was recorded", "--bless"]));
    }
}

/// Reads JUnit as its readers do: XML with one `testsuites` of `testsuite`s of `testcase`s, whose counts agree. Gives the whole counts.
#[track_caller]
fn junit(xml: &str) -> BTreeMap<String, u64> {
    let allowed = |c: char| matches!(c, '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(allowed), "a character that XML does not have");
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect("a declaration");
    let name_value = regex::Regex::new(r#"^\s+([a-z]+)="([^"<]*)""#).unwrap();
    let entity = regex::Regex::new(r"^&(amp|lt|gt|quot|apos|#\d+);").unwrap();
    let mut open: Vec<(String, BTreeMap<String, String>, [u64; 3])> = Vec::new();
    let mut whole = BTreeMap::new();
    let mut rest = body;
    while !rest.trim().is_empty() {
        let Some(at) = rest.find('<') else { panic!("text after the end: {rest}") };
        let text = &rest[..at];
        let inside = open.last().is_some_and(|(name, ..)| name == "failure");
        assert!(inside || text.trim().is_empty(), "text outside a failure: {text:?}");
        assert!(!text.contains("]]>"), "{text:?}");
        for (i, _) in text.match_indices('&') {
            assert!(entity.is_match(&text[i..]), "a bare & in {text:?}");
        }
        let end = rest[at..].find('>').expect("a tag that ends") + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let (opened, attributes, counts) = open.pop().expect("something open");
            assert_eq!(opened, name);
            closed(&opened, &attributes, counts, &mut open, &mut whole);
            continue;
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |t| (t, true));
        let name: String = tag.chars().take_while(|c| c.is_ascii_lowercase()).collect();
        let parent = open.last().map(|(name, ..)| name.as_str());
        let fits = match name.as_str() {
            "testsuites" => parent.is_none() && whole.is_empty(),
            "testsuite" => parent == Some("testsuites"),
            "testcase" => parent == Some("testsuite"),
            "failure" | "skipped" => parent == Some("testcase"),
            _ => false,
        };
        assert!(fits, "<{name}> in {parent:?}");
        let mut attributes = BTreeMap::new();
        let mut more = &tag[name.len()..];
        while let Some(found) = name_value.captures(more) {
            for (i, _) in found[2].match_indices('&') {
                assert!(entity.is_match(&found[2][i..]), "a bare & in {tag}");
            }
            assert!(attributes.insert(found[1].to_owned(), found[2].to_owned()).is_none(), "twice in {tag}");
            more = &more[found[0].len()..];
        }
        assert_eq!(more.trim(), "", "{tag}");
        if empty {
            closed(&name, &attributes, [0; 3], &mut open, &mut whole);
        } else {
            open.push((name, attributes, [0; 3]));
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    whole
}

/// Takes the end of an element: its attributes are all there, and what it counts is what it holds.
fn closed(
    name: &str,
    attributes: &BTreeMap<String, String>,
    counts: [u64; 3],
    open: &mut [(String, BTreeMap<String, String>, [u64; 3])],
    whole: &mut BTreeMap<String, u64>,
) {
    let number = |key: &str| attributes[key].parse::<u64>().unwrap();
    let has = |keys: &[&str]| keys.iter().for_each(|k| assert!(attributes.contains_key(*k), "{name} lacks {k}: {attributes:?}"));
    let mut add = |more: [u64; 3]| {
        let Some((_, _, counts)) = open.last_mut() else { return };
        counts.iter_mut().zip(more).for_each(|(a, b)| *a += b);
    };
    match name {
        "testcase" => {
            has(&["name", "classname", "file", "line", "time"]);
            assert!(attributes["time"].parse::<f64>().is_ok());
            add([1, counts[1].min(1), counts[2].min(1)]);
        }
        "failure" => {
            has(&["message", "type"]);
            add([0, 1, 0]);
        }
        "skipped" => add([0, 0, 1]),
        _ => {
            has(&["name", "tests", "failures", "errors", "skipped", "time"]);
            assert_eq!([number("tests"), number("failures"), number("skipped")], counts, "{attributes:?}");
            add(counts);
            if name == "testsuites" {
                whole.extend(["tests", "failures", "errors", "skipped"].map(|k| (k.to_owned(), number(k))));
            }
        }
    }
}
