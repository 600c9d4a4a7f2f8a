//! `service.*`: the entry, presence, readiness, early exits.

use jiff::SignedDuration;
use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_core::world::Answer;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, done, unmet};

const SYSTEM: &str = "
system: demo
vars:
  root: /srv/demo
services:
  db: { port: 5000 }
  api: { needs: [db], port: 5001, vars: { key: api_key } }
  extra: { port: 5002, present: { file: \"{{ service.cwd }}/main.py\" } }
  off: { port: 5003, enabled: false }
  outside: { manager: external, health_url: \"http://127.0.0.1:9999/up\" }
service_defaults:
  command: [serve, \"{{ service.id }}\", --port, \"{{ service.port }}\"]
  cwd: \"{{ root }}/{{ service.id }}\"
  pid_file: \"{{ root }}/pids/{{ service.id }}.pid\"
  health_url: \"http://127.0.0.1:{{ service.port }}/healthz\"
  ready: { http: \"{{ service.health_url }}\", expect: status == 200, retry: { for: 30s } }
";

fn started() -> Scripted {
    Scripted::gives::<String>("service.start", []).in_turn([Answer::Done {
        result: Value::map([("pid", Value::Int(42)), ("already_running", Value::Bool(false))]),
        changed: true,
    }])
}

fn running() -> Scripted {
    Scripted::gives("service", [("state", Value::str("running"))])
}

fn http(answers: impl IntoIterator<Item = Answer>) -> Scripted {
    Scripted::gives::<String>("http", []).in_turn(answers)
}

fn ok() -> Answer {
    done([("status", Value::Int(200))])
}

#[test]
fn the_entry_is_rendered_and_readiness_is_waited_for() {
    let walked = Walk::steps("\n  - { id: up, service.start: api }\n  - note: \"{{ steps.up.ready }} {{ steps.up.pid }}\"\n")
        .file("system.yaml", SYSTEM)
        .rule(started())
        .rule(running())
        .rule(http([unmet("connection refused"), unmet("connection refused"), ok()]))
        .go();
    assert_eq!(walked.result.exit, Exit::Ok, "{}", walked.result.message);
    assert_eq!(walked.notes(), ["true 42"]);
    let calls = walked.world.calls.lock().unwrap();
    let entry = calls[0].args.field("entry");
    assert_eq!(entry.field("command").to_string(), r#"["serve","api","--port",5001]"#);
    assert_eq!(entry.field("cwd").to_string(), "/srv/demo/api");
    assert!(walked.elapsed < SignedDuration::from_millis(50), "polled from the start");
}

#[test]
fn an_early_exit_fails_at_once_with_its_last_words() {
    let ended = Scripted::gives(
        "service",
        [
            ("state", Value::str("stopped")),
            ("exit_code", Value::Int(1)),
            ("log_tail", Value::list([Value::str("ModuleNotFoundError: fastapi")])),
        ],
    );
    let walked = Walk::steps("\n  - { id: up, service.start: api }\n")
        .file("system.yaml", SYSTEM)
        .rule(started())
        .rule(ended)
        .rule(http([unmet("connection refused")]))
        .go();
    assert_eq!(walked.message("up"), "ended before it was ready (exit code 1)");
    assert!(walked.elapsed < SignedDuration::from_secs(1));
    let events = format!("{:?}", walked.world.events.lock().unwrap());
    assert!(events.contains("ModuleNotFoundError"));
}

#[test]
fn a_service_that_never_gets_ready_fails_after_its_time() {
    let walked = Walk::steps("\n  - { id: up, service.start: api }\n")
        .file("system.yaml", SYSTEM)
        .rule(started())
        .rule(running())
        .rule(http([unmet("connection refused")]))
        .go();
    assert!(walked.message("up").starts_with("not ready after 30s"), "{}", walked.message("up"));
}

#[test]
fn readiness_can_be_left_out() {
    let walked = Walk::steps("\n  - { id: up, service.start: { name: api, ready: false } }\n")
        .file("system.yaml", SYSTEM)
        .rule(started())
        .go();
    assert_eq!(walked.calls(), ["service.start"]);
}

#[test]
fn a_service_that_is_not_installed_or_enabled_is_skipped() {
    let walked = Walk::steps("\n  - { id: a, service.start: extra }\n  - { id: b, service.start: off }\n")
        .file("system.yaml", SYSTEM)
        .rule(Scripted::gives("file", [("exists", Value::Bool(false))]))
        .go();
    assert_eq!(walked.steps(), ["a skipped", "b skipped"]);
    assert!(walked.message("a").contains("not installed here"));
    assert_eq!(walked.message("b"), "off is not enabled");
}

#[test]
fn all_services_in_dependency_order() {
    let walked =
        Walk::steps("\n  - id: up\n    for_each: services\n    order: dependencies\n    service.start: \"{{ item.id }}\"\n")
            .file("system.yaml", SYSTEM)
            .rule(started())
            .rule(running())
            .rule(http([ok()]))
            .rule(Scripted::gives("file", [("exists", Value::Bool(false))]))
            .go();
    assert_eq!(walked.result.exit, Exit::Ok, "{}", walked.result.message);
    let names: Vec<String> = walked
        .world
        .calls
        .lock()
        .unwrap()
        .iter()
        .filter(|c| c.module == "service.start")
        .map(|c| c.args.field("name").to_string())
        .collect();
    assert_eq!(names, ["db", "api"]);
}

#[test]
fn an_external_service_is_never_started_or_stopped() {
    let walked = Walk::steps("\n  - { id: a, service.start: outside }\n  - { id: b, service.stop: outside }\n")
        .file("system.yaml", SYSTEM)
        .go();
    assert_eq!(walked.steps(), ["a skipped", "b skipped"]);
    assert!(walked.calls().is_empty());
}

#[test]
fn an_external_service_needs_nothing_to_start_it_with() {
    let walked = Walk::steps("\n  - { id: s, service: outside }\n  - note: \"{{ steps.s.ready }}\"\n")
        .file("system.yaml", SYSTEM)
        .rule(running())
        .rule(http([ok()]))
        .go();
    assert_eq!(walked.notes(), ["true"], "{:?}", walked.finished());
}

#[test]
fn an_unknown_service_is_told() {
    let walked = Walk::steps("\n  - { id: a, service.start: \"{{ 'ap' ~ 'j' }}\" }\n").file("system.yaml", SYSTEM).go();
    assert_eq!(walked.message("a"), "the system has no service `apj`; did you mean `api`?");
}

#[test]
fn the_probe_tells_health_too() {
    let walked = Walk::steps(
        "\n  - { id: s, service: api, continue_on_error: true }\n  - note: \"{{ steps.s.ready }} {{ steps.s.ready_detail }}\"\n",
    )
    .file("system.yaml", SYSTEM)
    .rule(running())
    .rule(http([done([("status", Value::Int(500))])]))
    .go();
    assert_eq!(walked.notes(), ["false status == 200   (status was 500)"]);
    assert_eq!(walked.steps()[0], "s failed");
}

#[test]
fn an_override_of_a_system_variable_reaches_the_entries() {
    let walked = Walk::steps("\n  - { service.start: { name: api, ready: false } }\n")
        .file("system.yaml", SYSTEM)
        .param("root", "/other")
        .rule(started())
        .go();
    let calls = walked.world.calls.lock().unwrap();
    assert_eq!(calls[0].args.field("entry").field("cwd").to_string(), "/other/api");
}
