//! Real runs of every kind, held against the schemas of their events and of their reports.

use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value as Json, json};

use super::shipped::published;
use crate::harness::{Output, Workspace};

/// The schema of events, closed: a field that it does not know is a field that is not documented.
fn closed(kind: &str) -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{kind}.schema.json"));
    let mut schema: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    close(&mut schema);
    jsonschema::draft7::new(&schema).unwrap()
}

fn close(schema: &mut Json) {
    match schema {
        Json::Object(map) => {
            map.values_mut().for_each(close);
            if map.get("properties").is_some_and(Json::is_object) && map.get("type") == Some(&json!("object")) {
                map.entry("additionalProperties").or_insert(Json::Bool(false));
            }
        }
        Json::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Holds every line of a run, and its report, against the schemas. Gives the kinds of lines.
fn hold(workspace: &Workspace, run: &Output, kinds: &mut Vec<String>) -> Json {
    let (event, report) = (closed("event"), closed("report"));
    let mut lines = run.events();
    // The journal has what the stream has, save progress and complaints.
    lines.extend(workspace.run(&["runs", "show", "--events"]).expect(0).events());
    for line in &lines {
        let errors: Vec<String> = event.iter_errors(line).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{}\n{line:#}", errors.join("\n"));
        kinds.push(line["event"].as_str().unwrap().to_owned());
    }
    let document: Json = serde_json::from_str(&workspace.run(&["runs", "show", "--json"]).expect(0).stdout).unwrap();
    let errors: Vec<String> = report.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{}\n{document:#}", errors.join("\n"));
    let (end, result) = (run.events_of("run_finished"), &document["result"]);
    assert_eq!(result["exit_code"], run.code);
    assert_eq!(end[0]["outcome"], result["outcome"]);
    assert_eq!(end[0]["counts"], document["counts"]);
    assert!(!result["exit_reason"].as_str().unwrap().is_empty());
    document
}

/// Playbooks of every kind, with the arguments they are played with and the exit code.
const RUNS: &[(&str, &[&str], i32, &str)] = &[
    (
        "ok",
        &["--param", "n=3", "--param", "token=hunter2hunter2"],
        0,
        r#"playbook: Everything works
params:
  n: { type: int, required: true }
  token: { type: secret }
  wait: { type: duration, default: 5ms }
vars: { out: "{{ run.state }}/out.txt" }
requires:
  - file: "{{ run.state }}"
steps:
  - { id: write, file.write: { path: "{{ out }}", content: "{{ params.n }} {{ params.token }}" } }
  - { id: loop, for_each: [a, b], shell: "echo {{ item }}", effect: read, expect: ["stdout | trim == item", exit_code == 0] }
  - parallel:
      - { id: one, command: ["true"], effect: read }
      - { id: two, needs: [one], note: "one took {{ steps.one.duration < 1h }}" }
  - { when: params.n > 5, note: never }
  - { wait: "{{ params.wait }}" }
  - { block: [{ fail: on purpose }], rescue: [{ note: "{{ error.message }}" }] }
  - { file: "{{ out }}", timeout: 5s }
outputs: { n: "{{ params.n }}", age: "{{ steps.write.duration }}", token: "{{ params.token }}" }
"#,
    ),
    (
        "failing",
        &[],
        4,
        r#"playbook: One step fails
on_failure: undo
steps:
  - { id: make, dir.create: "{{ run.state }}/made", undo: [{ command: [rmdir, "{{ run.state }}/made"] }] }
  - { id: tolerated, command: ["false"], continue_on_error: true }
  - { id: twice, command: [sh, -c, "echo words; exit 3"], idempotent: true, retry: { attempts: 2, every: 1ms }, expect: exit_code == 0 }
  - { note: not reached }
always:
  - { note: at the end }
"#,
    ),
    (
        "checklist",
        &["--answer", "looked=skip: nobody"],
        0,
        r#"playbook: A checklist
checks:
  - { id: root, file: / }
  - { name: Disk, disk: /, grade: { value: used_percent, target: 1, warning: 2, critical: 101, unit: "%" } }
  - { name: Memory, memory: {}, grade: { value: available, target: 1TiB, warning: 1GiB, critical: 1KiB } }
  - { name: Nothing there, file: /nowhere, severity: warning }
  - { id: looked, manual: Look at it }
"#,
    ),
    (
        "asks",
        &["--answer", "who=a", "--answer", "why=because", "--yes"],
        0,
        r#"playbook: Questions
steps:
  - { id: who, ask: { question: "Who?", choices: [a, b] } }
  - { id: why, ask: { question: "Why?", type: secret } }
  - { id: go, command: ["true"], confirm: true }
  - { id: other, file: /nowhere, override: ask, continue_on_error: true }
"#,
    ),
    ("blocked", &[], 8, "playbook: A precondition\nrequires:\n  - { name: It is there, file: /nowhere }\nsteps:\n  - note: a\n"),
    ("needs-input", &["--answer", "nobody=1"], 7, "playbook: Asks\nsteps:\n  - { id: who, ask: { question: Who? } }\n"),
    ("declined", &["--answer", "go=no"], 6, "playbook: Asks\nsteps:\n  - { id: go, command: [\"true\"], confirm: true }\n"),
    ("parked", &["--answer", "do=later"], 7, "playbook: Waits\nsteps:\n  - { id: do, manual: Do it }\n  - note: a\n"),
    ("stopped", &[], 0, "playbook: Stops\nsteps:\n  - stop: enough\n  - note: a\n"),
    ("late", &["--timeout", "100ms"], 124, "playbook: Too long\nsteps:\n  - { command: [sleep, \"5\"], effect: read }\n"),
    ("plays", &[], 0, "playbook: Plays\nsteps:\n  - { id: played, play: stopped }\n  - { id: list, play: checks-only }\n"),
    (
        "tree",
        &["--answer", "slow=yes", "--detailed-exitcode"],
        12,
        "playbook: A tree\nparams: { wait: { type: duration, default: 90s } }\ntriage:\n  - id: there\n    ask: Is it there?\n    check: { file: /nowhere }\n    no: { finding: gone, severity: critical, say: It is gone, see: { file: / }, remedy: { play: late2, with: { wait: \"{{ params.wait }}\" } } }\n  - id: slow\n    ask: Is it slow?\n    yes: { finding: slow, remedy: { steps: [{ note: Wait }] } }\n",
    ),
    (
        "late2",
        &[],
        0,
        "playbook: Waits\nparams: { wait: { type: duration, default: 1ms } }\nsteps:\n  - wait: \"{{ params.wait }}\"\n",
    ),
    ("checks-only", &[], 0, "playbook: Checks\nchecks:\n  - { file: / }\n"),
];

#[test]
fn every_line_and_every_report_is_as_published() {
    let workspace = Workspace::new();
    for (name, _, _, text) in RUNS {
        workspace.write(&format!("playbooks/{name}.yaml"), text);
    }
    let mut kinds = Vec::new();
    for (name, args, code, _) in RUNS {
        let args: Vec<&str> = ["--json", "play", name].iter().chain(args.iter()).copied().collect();
        let run = workspace.run(&args);
        assert_eq!(run.code, *code, "{name}: {}\n{}", run.stdout, run.stderr);
        let report = hold(&workspace, &run, &mut kinds);
        assert_eq!(report["run"]["playbook"], *name);
        assert!(!report.to_string().contains("hunter2hunter2"), "{name}");
    }
    for kind in [
        "run_started",
        "step_started",
        "step_finished",
        "step_waiting",
        "attempt_failed",
        "intent",
        "returned",
        "asked",
        "replied",
        "note",
        "row",
        "verdict",
        "node_answered",
        "finding",
        "concluded",
        "blocked",
        "stopping",
        "undoing",
        "run_finished",
        "error",
    ] {
        assert!(kinds.iter().any(|k| k == kind), "no run told `{kind}`");
    }
}

#[test]
fn a_report_says_what_became_of_each_step() {
    let workspace = Workspace::new();
    for (name, _, _, text) in RUNS {
        workspace.write(&format!("playbooks/{name}.yaml"), text);
    }
    let report = |args: &[&str]| -> Json {
        workspace.run(&[&["--json", "play"], args].concat());
        serde_json::from_str(&workspace.run(&["runs", "show", "--json"]).expect(0).stdout).unwrap()
    };
    let ok = report(&["ok", "--param", "n=3", "--param", "token=hunter2hunter2"]);
    assert_eq!(ok["inputs"][0], json!({ "name": "n", "value": 3, "origin": "flag" }));
    assert_eq!(ok["inputs"][1]["value"], "*** (token)");
    assert_eq!(ok["inputs"][2], json!({ "name": "wait", "value": "5ms", "origin": "default" }));
    assert_eq!(ok["outputs"]["token"], "*** (token)");
    let steps = ok["steps"].as_array().unwrap();
    let by_id = |id: &str| steps.iter().find(|s| s["id"] == id).unwrap_or_else(|| panic!("{id}: {ok:#}"));
    assert_eq!(by_id("write")["outcome"], "changed");
    let items: Vec<&str> = by_id("loop")["steps"].as_array().unwrap().iter().map(|s| s["item"].as_str().unwrap()).collect();
    assert_eq!(items, ["a", "b"]);
    assert_eq!(by_id("loop")["steps"][0]["checks"][0]["held"], true);

    let failing = report(&["failing"]);
    let twice = failing["steps"].as_array().unwrap().iter().find(|s| s["id"] == "twice").unwrap();
    assert_eq!((&twice["outcome"], &twice["attempts"]), (&json!("failed"), &json!(2)));
    assert_eq!(twice["failed_attempts"].as_array().unwrap().len(), 1);
    assert_eq!(twice["checks"][0]["saw"][0], json!({ "text": "exit_code", "value": "3" }));
    assert_eq!(failing["result"]["exit"], "failed");
    assert_eq!(failing["undo"], json!({ "undone": ["make"], "left": ["twice", "tolerated"] }));

    let asks = report(&["asks", "--answer", "who=a", "--answer", "why=because", "--yes"]);
    let answers = asks["answers"].as_array().unwrap();
    assert_eq!((&answers[0]["id"], &answers[0]["value"], &answers[0]["origin"]), (&json!("who"), &json!("a"), &json!("flag")));
    assert_eq!(answers[1]["value"], "*** (why)");
    assert_eq!(answers[3]["reply"], "nobody_there");

    let list = report(&["checklist", "--answer", "looked=skip: nobody"]);
    assert_eq!(list["verdict"], "warning");
    assert_eq!(list["checks"][2]["graded"]["critical"], "1KiB");

    let tree = report(&["tree", "--answer", "slow=yes"]);
    assert_eq!((&tree["verdict"], &tree["questions"][0]["answer"]), (&json!("critical"), &json!("no")));
    let remedy = json!({ "play": "late2", "with": { "wait": "1m30s" }, "command": "runbook play late2 --param wait=1m30s", "steps": [], "trouble": null });
    assert_eq!((&tree["findings"][0]["finding"], &tree["findings"][0]["remedy"]), (&json!("gone"), &remedy));
    assert_eq!(tree["findings"][0]["evidence"][0]["outcome"], "ok");
    report(&["checklist", "--answer", "looked=skip: nobody"]);

    let one = workspace.run(&["runs", "show", "--json", "--step", "root"]).expect(0);
    let one: Json = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!((&one[0]["id"], one.as_array().unwrap().len()), (&json!("root"), 1));
    let none = workspace.run(&["runs", "show", "--json", "--step", "rot"]).expect(2);
    assert_eq!(none.events()[0]["event"], "error");
}

#[test]
fn what_is_no_event_and_no_report_is_rejected() {
    let (event, report) = (published("event"), published("report"));
    let good = json!({ "seq": 1, "at": "2026-02-15T14:23:45Z", "event": "note", "path": "steps[1]", "text": "a" });
    assert!(event.is_valid(&good));
    let more =
        json!({ "seq": 1, "at": "2026-02-15T14:23:45Z", "event": "note", "path": "steps[1]", "text": "a", "added_later": 1 });
    assert!(event.is_valid(&more), "within a version a reader passes over what it does not know");
    let without = |key: &str| {
        let mut event = good.clone();
        event.as_object_mut().unwrap().remove(key);
        event
    };
    let with = |key: &str, value: Json| {
        let mut event = good.clone();
        event[key] = value;
        event
    };
    for bad in [
        without("seq"),
        without("at"),
        without("event"),
        without("text"),
        with("event", json!("noted")),
        with("seq", json!("1")),
        with("seq", json!(-1)),
        with("text", json!(5)),
        with("path", json!(["steps", 1])),
        json!([]),
        json!({ "event": "error" }),
        json!({ "seq": 1, "at": "2026-02-15T14:23:45Z", "event": "verdict", "playbook": "a", "verdict": "good", "counts": [0, 0, 0, 0, 0] }),
        json!({ "seq": 1, "at": "2026-02-15T14:23:45Z", "event": "verdict", "playbook": "a", "verdict": "ok", "counts": [0, 0] }),
        json!({ "seq": 1, "at": "2026-02-15T14:23:45Z", "event": "stopping", "reason": "bored", "waiting_for": [] }),
        json!({ "seq": 1, "at": "2026-02-15T14:23:45Z", "event": "replied", "path": "", "id": "a", "reply": { "reply": "maybe" } }),
    ] {
        assert!(!event.is_valid(&bad), "{bad:#}");
    }
    let workspace = Workspace::with("a", "playbook: A\nsteps:\n  - note: a\n");
    workspace.run(&["play", "a"]).expect(0);
    let whole: Json = serde_json::from_str(&workspace.run(&["runs", "show", "--json"]).expect(0).stdout).unwrap();
    assert!(report.is_valid(&whole));
    for (pointer, value) in [
        ("/format_version", Json::Null),
        ("/run/started", json!(5)),
        ("/result/outcome", json!("done")),
        ("/result/exit_code", json!(256)),
        ("/steps/0/outcome", json!("good")),
        ("/steps/0/steps", json!({})),
        ("/counts/ok", json!(-1)),
        ("/undo", json!([])),
    ] {
        let mut bad = whole.clone();
        *bad.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}: {whole:#}")) = value;
        assert!(!report.is_valid(&bad), "{pointer}");
    }
}
