//! Triage trees with the real binary, over real loopback ports.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::json;

use super::golden::golden;
use crate::harness::{Output, Workspace};

const TREE: &str = r#"playbook: Find out why a service is unhealthy, and what to do about it
params:
  port: { type: int, required: true, ask: "Which port?" }
triage:
  id: healthz
  ask: "Is /healthz returning 200 OK?"
  why: A service that answers 200 is healthy itself.
  check: { http: "http://127.0.0.1:{{ params.port }}/healthz", timeout: 500ms, expect: status == 200 }
  yes: { finding: healthy, say: "It answers {{ steps.healthz.status }}." }
  no:
    - id: listening
      ask: "Is the port listening?"
      check: { port: "{{ params.port }}", expect: listening }
      no:
        finding: not-started
        severity: critical
        say: "Nothing listens; /healthz said: {{ steps.healthz.error }}."
        see:
          - { name: Somebody else, port: "{{ params.port }}", expect: free }
          - { name: The pid file, file: service.pid }
        remedy: { play: service-start, with: { port: "{{ params.port }}", note: "for {{ findings | join }}" } }
      yes:
        - id: tool
          ask: "Does the tool say that it is locked?"
          check: { command: [no-such-tool, status], effect: read }
          yes: { finding: locked, severity: warning, remedy: { play: service-start, with: { port: "{{ params.port }}" } } }
          unknown: continue
"#;

const START: &str = r#"playbook: Start it
params: { port: { type: int, required: true }, note: { type: string, default: none } }
steps:
  - file.write: { path: started, content: "{{ params.port }} {{ params.note }}" }
"#;

fn project() -> Workspace {
    let workspace = Workspace::with("service-health", TREE);
    workspace.write("playbooks/service-start.yaml", START);
    workspace
}

/// A port on which nothing listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Answers every connection with this, until the process ends; nothing is closed by itself if it is empty.
fn serve(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if answer.is_empty() {
                held.push(stream);
                continue;
            }
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const BROKEN: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

fn triage(workspace: &Workspace, port: u16, more: &[&str]) -> Output {
    let port = format!("port={port}");
    workspace.run(&[&["triage", "service-health", "--param", &port], more].concat())
}

#[test]
fn a_healthy_service_is_found_healthy() {
    let workspace = project();
    let out = triage(&workspace, serve(OK), &["--detailed-exitcode"]).expect(0);
    assert!(out.stdout.contains("found healthy (info)"), "{}", out.stdout);
    assert!(out.stdout.contains("answer=yes origin=probed"), "{}", out.stdout);
    // The same by `play`, and nothing was locked for it.
    let port = format!("port={}", serve(OK));
    workspace.run(&["play", "service-health", "--param", &port]).expect(0);
    assert!(!workspace.path("state/locks").exists());
}

#[test]
fn a_dead_service_is_a_fault_with_a_remedy_that_can_be_pasted() {
    let workspace = project();
    let port = free_port();
    let out = triage(&workspace, port, &["--json", "--detailed-exitcode"]).expect(12);
    let found = &out.events_of("finding")[0];
    assert_eq!((&found["finding"], &found["severity"]), (&json!("not-started"), &json!("critical")));
    assert_eq!(found["say"], "Nothing listens; /healthz said: connection refused.");
    assert_eq!(found["evidence"][1]["outcome"], "failed");
    assert!(!workspace.path("started").exists(), "a remedy never runs by itself");
    let end = &out.events_of("run_finished")[0];
    assert_eq!((&end["exit"], &end["exit_code"], &end["outcome"]), (&json!("fault"), &json!(12), &json!("succeeded")));
    // What is said to come next, typed into a shell.
    let command = end["next"][0].as_str().unwrap().to_owned();
    assert_eq!(command, found["remedy"]["command"]);
    let mut shell = std::process::Command::new("sh");
    let line = command.replacen("runbook", env!("CARGO_BIN_EXE_runbook"), 1);
    shell.args(["-c", &line]).current_dir(workspace.path("")).env("RUNBOOK_STATE", workspace.path("state"));
    crate::harness::finish(shell).expect(0);
    assert_eq!(workspace.read("started"), format!("{port} for not-started"));
    triage(&workspace, port, &[]).expect(0);
}

#[test]
fn errors_silence_and_nonsense_are_answers_too() {
    let workspace = project();
    for answer in [BROKEN, "", "no http at all"] {
        let out = triage(&workspace, serve(answer), &["--json", "--detailed-exitcode"]).expect(13);
        let answers: Vec<_> = out.events_of("node_answered").iter().map(|e| format!("{} {}", e["key"], e["answer"])).collect();
        // The program that is not there is no answer, so that the tree ends without a finding.
        assert_eq!(answers, ["\"healthz\" \"no\"", "\"listening\" \"yes\"", "\"tool\" \"unknown\""], "{answer}");
    }
    let out = triage(&workspace, serve(BROKEN), &[]).expect(0);
    assert!(out.stdout.contains("inconclusive") && out.stdout.contains("found nothing"), "{}", out.stdout);
    assert!(out.stdout.contains("program `no-such-tool` not found"), "{}", out.stdout);
}

#[test]
fn an_answer_given_beforehand_outweighs_the_check() {
    let workspace = project();
    let out =
        triage(&workspace, serve(BROKEN), &["--answer", "tool=yes", "--answer", "healthz=no", "--detailed-exitcode"]).expect(12);
    assert!(out.stdout.contains("step=tool path=triage.no[1].yes[1] status=answered answer=yes origin=flag"), "{}", out.stdout);
    assert!(!out.stderr.contains("was not asked for"), "{}", out.stderr);
    let out = triage(&workspace, serve(OK), &["--answer", "healthz=no", "--answer", "tool=no"]).expect(0);
    assert!(out.stdout.contains("answer=no origin=flag") && out.stdout.contains("probe=yes"), "{}", out.stdout);
    let out = triage(&workspace, serve(OK), &["--answer", "healthz=perhaps"]).expect(4);
    assert!(out.stdout.contains("the answer perhaps is not one of yes, no, unknown"), "{}", out.stdout);
}

#[test]
fn a_question_that_nobody_answers_names_the_way() {
    let workspace = Workspace::with(
        "ask",
        "playbook: x\nparams: { n: { type: int, default: 1 } }\ntriage:\n  - ask: Is the light on?\n    no: { finding: \"dark\", when: params.n == 1 }\n",
    );
    let out = workspace.run(&["triage", "ask", "--param", "n=1"]).expect(7);
    let next = "runbook triage ask --param n=1 --answer 'triage[1]=VALUE'";
    assert!(out.stdout.contains("--answer 'triage[1]'=VALUE") || out.stdout.contains(next), "{}", out.stdout);
    workspace.run(&["triage", "ask", "--answer", "triage[1]=no", "--detailed-exitcode"]).expect(0);
    let out = workspace.run(&["--json", "triage", "ask"]).expect(7);
    assert_eq!(out.events_of("run_finished")[0]["outcome"], "needs_input");
}

#[test]
fn what_is_no_tree_is_not_walked() {
    let workspace = project();
    workspace.write("playbooks/list.yaml", "playbook: A list\nchecks:\n  - file: playbooks\n");
    let out = workspace.run(&["triage", "service-start", "--param", "port=1"]).expect(3);
    assert!(out.stderr.contains("`service-start` is a procedure, not a triage tree; nothing was run"), "{}", out.stderr);
    assert!(out.stderr.contains("`runbook play service-start --param port=1`"), "{}", out.stderr);
    assert!(workspace.run(&["triage", "list"]).expect(3).stderr.contains("is a checklist"));
    assert!(!workspace.path("started").exists() && !workspace.path("state/runs").exists());
    workspace.run(&["triage", "nothing-like-it"]).expect(3);
}

#[test]
fn a_tree_that_would_change_something_or_never_end_is_refused_before_it_is_walked() {
    for (text, code) in [
        ("  ask: A?\n  check: { file.delete: x }\n  no: { finding: a }\n", "E0211"),
        ("  ask: A?\n  yes: { goto: nowhere }\n", "E0408"),
        ("  id: a\n  ask: A?\n  yes: { goto: a }\n  no: { goto: a }\n", "E0219"),
    ] {
        let workspace = Workspace::with("t", &format!("playbook: x\ntriage:\n{text}"));
        let out = workspace.run(&["triage", "t"]).expect(3);
        assert!(out.stderr.contains(code), "{}", out.stderr);
        assert!(!workspace.path("state/runs").exists());
    }
}

#[test]
fn what_comes_in_any_case_takes_the_lock_that_it_needs() {
    let text = "playbook: x\nalways:\n  - file.write: { path: seen, content: x }\ntriage:\n  ask: A?\n  check: { file: playbooks }\n  no: { finding: a }\n";
    let workspace = Workspace::with("t", text);
    workspace.run(&["triage", "t"]).expect(0);
    assert!(workspace.path("state/locks").exists());
    assert_eq!(workspace.read("seen"), "x");
}

#[test]
fn github_is_told_of_the_fault() {
    let workspace = project();
    let port = format!("port={}", free_port());
    let mut command = workspace.command(&["triage", "service-health", "--param", &port]);
    command.env("GITHUB_ACTIONS", "true");
    let out = crate::harness::finish(command).expect(0);
    let annotations: Vec<&str> = out.stdout.lines().filter(|l| l.starts_with("::error") || l.starts_with("::warning")).collect();
    assert_eq!(annotations.len(), 1, "{}", out.stdout);
    assert!(annotations[0].starts_with("::error title=not-started::Nothing listens"), "{}", out.stdout);
}

#[test]
fn what_an_operator_sees_of_a_tree() {
    let workspace = project();
    let (dead, broken) = (free_port(), serve(BROKEN));
    let fixed = |out: Output| {
        let run = regex::Regex::new(r"  run [0-9a-f]{6}").unwrap();
        let fix = |text: String| {
            let text = text.replace(&dead.to_string(), "{port}").replace(&broken.to_string(), "{port}");
            run.replace_all(&text, "  run {id}").into_owned()
        };
        Output { code: out.code, stdout: fix(out.stdout), stderr: fix(out.stderr) }
    };
    golden("triage", &workspace, &fixed(triage(&workspace, dead, &[])));
    let shown = |columns: &str| {
        let mut command = workspace.command(&["runs", "show"]);
        command.env("COLUMNS", columns);
        fixed(crate::harness::finish(command))
    };
    for columns in ["80", "40"] {
        let out = shown(columns);
        let widest = out.stdout.lines().map(|l| l.chars().count()).max().unwrap_or(0);
        assert!(widest <= columns.parse().unwrap(), "{}", out.stdout);
        golden(&format!("triage-shown-{columns}"), &workspace, &out);
    }
    golden("triage-inconclusive", &workspace, &fixed(triage(&workspace, broken, &["--detailed-exitcode"])));
    golden("triage-inconclusive-shown", &workspace, &shown("80"));
    golden("triage-procedure", &workspace, &workspace.run(&["triage", "service-start"]));
    golden("triage-runs", &workspace, &fixed(workspace.run(&["list"])));
}
