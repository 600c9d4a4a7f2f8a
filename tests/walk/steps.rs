//! Steps: conditions, verdicts, expectations, results.

use runbook_core::event::{Event, Outcome};
use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, answer, done, fails, unmet};

fn http(status: i64) -> Scripted {
    Scripted::gives("http", [("status", Value::Int(status)), ("json", Value::map([("ok", Value::Bool(true))]))])
}

#[test]
fn steps_run_in_file_order_and_results_are_in_scope() {
    let walked = Walk::steps(
        "
  - id: gateway
    http: http://127.0.0.1:7000/healthz
    expect:
      - status == 200
      - json.ok
  - note: \"{{ steps.gateway.status }} {{ steps.gateway.outcome }} {{ steps.gateway.attempts }}\"
",
    )
    .rule(http(200))
    .go();
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(walked.notes(), ["200 ok 1"]);
}

#[test]
fn a_failed_expectation_shows_what_it_saw_and_stops_the_run() {
    let walked = Walk::steps(
        "
  - id: gateway
    http: http://127.0.0.1:7000/healthz
    expect: status == 200
  - id: never
    note: not reached
",
    )
    .rule(http(503))
    .go();
    assert_eq!(walked.result.exit, Exit::Failed);
    assert_eq!(walked.message("gateway"), "status == 200   (status was 503)");
    assert_eq!(walked.steps(), ["gateway failed"]);
    let Event::RunFinished { not_started, .. } = walked.end() else { panic!("the last event ends the run") };
    assert_eq!(not_started, ["never"]);
}

#[test]
fn expectations_replace_the_default_verdict() {
    let walked = Walk::steps("\n  - { id: a, http: \"http://127.0.0.1:7000/\", expect: status == 503 }\n").rule(http(503)).go();
    assert_eq!(walked.steps(), ["a ok"]);
    let walked = Walk::steps("\n  - { id: a, http: \"http://127.0.0.1:7000/\" }\n").rule(http(503)).go();
    assert_eq!(walked.steps(), ["a failed"]);
}

#[test]
fn refused_is_an_answer_that_a_step_may_expect() {
    let refused = || fails("http", "connection refused");
    let walked = Walk::steps("\n  - { id: a, http: \"http://127.0.0.1:7000/\" }\n").rule(refused()).go();
    assert_eq!(walked.message("a"), "connection refused");
    let text = "\n  - { id: a, http: \"http://127.0.0.1:7000/\", expect: \"error == 'connection refused'\" }\n";
    let walked = Walk::steps(text).rule(refused()).go();
    assert_eq!(walked.steps(), ["a ok"]);
}

#[test]
fn no_and_could_not_look_are_not_the_same() {
    use runbook_core::world::Answer;
    let cannot = Scripted::gives::<String>("file", []).in_turn([Answer::CannotTell { message: "permission denied".into() }]);
    let walked = Walk::steps("\n  - { id: a, file: /etc/shadow }\n").rule(cannot).go();
    assert_eq!(walked.finished()[0].1, Outcome::Unknown);
    let walked = Walk::steps("\n  - { id: a, file: /nowhere }\n").rule(fails("file", "it is not there")).go();
    assert_eq!(walked.finished()[0].1, Outcome::Failed);
}

#[test]
fn when_false_skips_with_its_reason_and_fields_are_null() {
    let walked = Walk::steps(
        "
  - id: a
    when: 1 > 2
    http: http://127.0.0.1:7000/
  - note: \"{{ steps.a.outcome }} {{ steps.a.status is none }}\"
",
    )
    .go();
    assert_eq!(walked.message("a"), "when: 1 > 2");
    assert_eq!(walked.notes(), ["skipped true"]);
    assert!(walked.calls().is_empty());
}

#[test]
fn comparing_kinds_is_an_error_with_its_place() {
    let walked = Walk::steps("\n  - id: f\n    file: /x\n  - id: a\n    when: steps.f.matches > 3\n    note: x\n")
        .rule(Scripted::gives("file", [("exists", Value::Bool(true)), ("matches", Value::str("5"))]))
        .attempt();
    match walked {
        Ok(walked) => assert!(walked.message("a").contains("cannot be compared with a number"), "{}", walked.message("a")),
        Err(mistakes) => assert!(mistakes[0].contains("E0505"), "{mistakes:?}"),
    }
    // Known before anything runs: told before anything runs.
    let mistakes = Walk::steps("\n  - set: { n: \"5\" }\n  - id: a\n    when: n > 3\n    note: x\n")
        .attempt()
        .map(|_| ())
        .expect_err("refused");
    assert!(mistakes[0].contains("test.yaml:6:11 E0505"), "{mistakes:?}");
}

#[test]
fn set_is_visible_to_the_end_of_the_block() {
    let walked = Walk::steps(
        "
  - set: { a: outer }
  - block:
      - set: { a: inner, b: 1 }
      - note: \"{{ a }} {{ b }}\"
  - note: \"{{ a }} {{ b is defined }}\"
",
    )
    .go();
    assert_eq!(walked.notes(), ["inner 1", "outer false"]);
}

#[test]
fn fail_and_stop_end_the_playbook() {
    let walked = Walk::steps("\n  - fail: \"no way\"\n").go();
    assert_eq!(walked.result.exit, Exit::Failed);
    assert!(walked.result.message.contains("no way"));
    let walked = Walk::new(
        "
playbook: A test
steps:
  - stop: nothing to do
  - fail: not reached
always:
  - note: always
verify:
  - { file: /x }
",
    )
    .go();
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(walked.notes(), ["always"]);
    assert!(walked.calls().is_empty(), "verify does not run after a stop");
}

#[test]
fn continue_on_error_records_and_goes_on() {
    let walked = Walk::steps(
        "
  - { id: a, file: /x, continue_on_error: true }
  - note: \"{{ steps.a.outcome }}: {{ steps.a.error }}\"
",
    )
    .rule(fails("file", "gone"))
    .go();
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(walked.notes(), ["failed: gone"]);
}

#[test]
fn preconditions_are_all_asked_and_block_the_run() {
    let walked = Walk::new(
        "
playbook: A test
requires:
  - { id: one, file: /a }
  - { id: two, file: /b }
steps:
  - { file.write: { path: /c, content: x } }
",
    )
    .rule(fails("file", "missing"))
    .go();
    assert_eq!(walked.result.exit, Exit::Precondition);
    assert_eq!(walked.steps(), ["one failed", "two failed"]);
    assert!(!walked.calls().contains(&"file.write".to_owned()));
}

#[test]
fn postconditions_fail_the_run() {
    let walked = Walk::new("\nplaybook: A test\nsteps:\n  - note: x\nverify:\n  - { id: v, file: /a }\n")
        .rule(fails("file", "missing"))
        .go();
    assert_eq!(walked.result.exit, Exit::Failed);
}

#[test]
fn outputs_and_parameters_are_typed() {
    let text = "
playbook: A test
params:
  wait: { type: duration, default: 30s }
  n: { type: int, required: true, min: 1, max: 5 }
steps:
  - set: { twice: \"{{ params.wait * 2 }}\" }
outputs:
  long: \"{{ params.wait > 20s }}\"
  n: \"{{ params.n + 1 }}\"
";
    let walked = Walk::new(text).param("n", "4").go();
    assert_eq!(walked.result.outputs.to_json(), serde_json::json!({ "long": true, "n": 5 }));
    for (name, value, said) in [
        ("n", "9", "out of range"),
        ("n", "x", "expected a whole number"),
        ("wait", "5", "expected a duration"),
        ("m", "1", "there is no parameter `m`"),
    ] {
        let mistakes = Walk::new(text).param("n", "4").param(name, value).attempt().map(|_| ()).expect_err("refused");
        assert!(mistakes[0].contains(said), "{mistakes:?}");
    }
    assert!(Walk::new(text).attempt().is_err(), "a required parameter is missing");
}

#[test]
fn late_steps_are_marked() {
    use jiff::SignedDuration;
    let walked = Walk::steps("\n  - { id: a, file: /x, expected_duration: 1s }\n")
        .rule(Scripted::gives("file", [("exists", Value::Bool(true))]).taking(SignedDuration::from_secs(2)))
        .go();
    let events = walked.world.events.lock().unwrap();
    assert!(events.iter().any(|e| matches!(e, Event::StepFinished { late: true, .. })));
}

#[test]
fn save_writes_the_result_also_of_a_failed_step() {
    let walked = Walk::steps("\n  - { id: a, http: \"http://127.0.0.1:7000/\", save: /tmp/evidence.json }\n")
        .rule(http(503))
        .rule(answer("file.write", true))
        .go();
    assert_eq!(walked.calls(), ["http", "file.write"]);
    let calls = walked.world.calls.lock().unwrap();
    assert!(calls[1].args.field("content").to_string().contains("503"));
}

#[test]
fn sensitive_results_stay_out_of_events() {
    let walked = Walk::steps("\n  - { id: a, file: /x, sensitive: true, expect: kind == 'folder' }\n")
        .rule(Scripted::gives("file", [("kind", Value::str("hunter2"))]))
        .go();
    let events = format!("{:?}", walked.world.events.lock().unwrap());
    assert!(!events.contains("hunter2"), "{events}");
}

#[test]
fn secrets_are_masked_wherever_they_are_shown() {
    let walked = Walk::new(
        "
playbook: A test
env: [DB_PASSWORD]
steps:
  - set: { url: \"postgres://app:{{ env.DB_PASSWORD }}@db\" }
  - note: \"{{ url | upper }} and {{ [env.DB_PASSWORD] | tojson }}\"
",
    )
    .env("DB_PASSWORD", "hunter2")
    .go();
    assert_eq!(walked.notes(), ["*** (DB_PASSWORD)"]);
}

#[test]
fn waiting_is_virtual() {
    let walked = Walk::steps("\n  - wait: 2h\n  - wait: { until: \"{{ now() + 1h }}\" }\n").go();
    assert_eq!(walked.elapsed.as_secs(), 3 * 3600);
}

#[test]
fn a_timeout_of_a_module_is_a_failure_that_says_so() {
    use jiff::SignedDuration;
    let walked = Walk::steps("\n  - { id: a, http: \"http://127.0.0.1:7000/\", timeout: 5s }\n")
        .rule(http(200).taking(SignedDuration::from_secs(60)))
        .go();
    assert_eq!(walked.message("a"), "timed out after 5s");
    assert_eq!(walked.elapsed.as_secs(), 5);
}

#[test]
fn a_permission_that_is_missing_refuses_the_call() {
    let text = |permissions: &str| {
        format!(
            "\nplaybook: A test\npermissions: {permissions}\nsteps:\n  - {{ id: a, file.write: {{ path: /srv/x/y, content: z }} }}\n"
        )
    };
    let walked = Walk::new(&text("[{ write: /srv/x }]")).rule(answer("file.write", true)).go();
    assert_eq!(walked.result.exit, Exit::Ok);
    let relative = "
playbook: A test
permissions: [{ write: out }]
steps:
  - { id: a, file.write: { path: out/x, content: z } }
  - { id: b, file.write: { path: out/../y, content: z } }
";
    let walked = Walk::new(relative).rule(answer("file.write", true)).go();
    assert_eq!(walked.steps(), ["a changed", "b failed"]);
    for permissions in ["[exec]", "[{ write: /srv/other }]", "[]"] {
        let walked = Walk::new(&text(permissions)).rule(answer("file.write", true)).go();
        assert!(walked.message("a").starts_with("not permitted"), "{permissions}");
        assert!(walked.calls().is_empty());
    }
}

#[test]
fn read_commands_of_the_system_make_a_command_a_read() {
    let walked =
        Walk::new("\nplaybook: A test\nrequires:\n  - { id: pods, command: [kubectl, get, pods] }\nsteps:\n  - note: x\n")
            .file("system.yaml", "system: s\nread_commands:\n  - [kubectl, get]\n")
            .rule(Scripted::gives("command", [("exit_code", Value::Int(0))]))
            .go();
    assert_eq!(walked.result.exit, Exit::Ok);
    let walked = Walk::new("\nplaybook: A test\nsteps:\n  - { id: a, command: [kubectl, delete, pod] }\n")
        .rule(Scripted::gives("command", [("exit_code", Value::Int(0))]))
        .go();
    assert_eq!(walked.world.calls.lock().unwrap()[0].effect, runbook_core::module::Effect::Change);
}

#[test]
fn verify_of_a_step_is_asked_after_it() {
    let text = "
  - id: a
    file.write: { path: /x, content: y }
    verify:
      - { file: /x }
";
    let walked = Walk::steps(text).rule(answer("file.write", true)).rule(fails("file", "missing")).go();
    assert_eq!(walked.message("a"), "verify failed: missing");
    assert_eq!(walked.calls(), ["file.write", "file"]);
}

#[test]
fn outcomes_in_turn() {
    let walked = Walk::steps("\n  - { id: a, file: /x, continue_on_error: true }\n  - { id: b, file: /x }\n")
        .rule(Scripted::gives::<String>("file", []).in_turn([unmet("no"), done([("exists", Value::Bool(true))])]))
        .go();
    assert_eq!(walked.steps(), ["a failed", "b ok"]);
}

#[test]
fn what_was_not_reached_is_skipped_and_null_in_always_and_outputs() {
    let text = "playbook: A test\noutputs: { told: \"{{ steps.late.exists }}\", how: \"{{ steps.late.outcome }}\" }\nsteps:\n  - stop: enough\n  - { id: late, file: /x }\nalways:\n  - note: \"{{ steps.late.outcome }} {{ steps.late.exists is none }}\"\n";
    let walked = Walk::new(text).go();
    assert_eq!((walked.result.exit, walked.notes()), (Exit::Ok, vec!["skipped true".to_owned()]));
    assert!(walked.result.outputs.field("told").is_null());
    assert_eq!(walked.result.outputs.field("how").as_str(), Some("skipped"));
    // Also what a failure kept from being reached, and a loop.
    let text = "playbook: A test\nsteps:\n  - fail: broken\n  - { id: late, for_each: [1], file: /x }\nalways:\n  - note: \"{{ steps.late.items | length }}\"\n";
    let walked = Walk::new(text).go();
    assert_eq!((walked.result.exit, walked.notes()), (Exit::Failed, vec!["0".to_owned()]));
}
