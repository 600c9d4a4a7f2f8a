//! Retries: attempts, limits, successes in a row, giving up.

use jiff::SignedDuration;
use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_core::world::Answer;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, done, fails, unmet};

fn up() -> Answer {
    done([("status", Value::Int(200))])
}

fn walk(retry: &str, answers: impl IntoIterator<Item = Answer>) -> crate::harness::Walked {
    Walk::steps(&format!("\n  - id: a\n    http: http://127.0.0.1:7000/\n    retry: {retry}\n"))
        .rule(Scripted::gives::<String>("http", []).in_turn(answers))
        .go()
}

#[test]
fn attempts_end_with_success() {
    let walked = walk("{ attempts: 5, every: 2s }", [unmet("no"), unmet("no"), up()]);
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(walked.elapsed.as_secs(), 4);
}

#[test]
fn attempts_run_out() {
    let walked = walk("{ attempts: 3, every: 1s }", [unmet("no")]);
    assert_eq!(walked.result.exit, Exit::Failed);
    assert_eq!((walked.calls().len(), walked.message("a").as_str()), (3, "no"));
}

#[test]
fn a_limit_in_time_and_a_growing_pause() {
    let walked = walk("{ for: 10s, every: 1s, backoff: 2, max_delay: 4s }", [unmet("no")]);
    assert_eq!(walked.result.exit, Exit::Failed);
    // At 0, 1, 3, 7 and once more at the end of the limit.
    assert_eq!(walked.calls().len(), 5);
    assert_eq!(walked.elapsed.as_secs(), 10);
}

#[test]
fn successes_in_a_row() {
    let walked = walk("{ attempts: 10, every: 1s, successes: 2 }", [up(), unmet("no"), up(), up()]);
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(walked.calls().len(), 4);
}

#[test]
fn too_few_successes_is_a_failure() {
    let walked = walk("{ attempts: 2, every: 1s, successes: 3 }", [up()]);
    assert_eq!(walked.message("a"), "succeeded 2 times in a row, 3 were needed");
}

#[test]
fn giving_up_when_it_is_hopeless() {
    let walked = walk("{ attempts: 10, every: 1s, give_up_when: status == 401 }", [done([("status", Value::Int(401))])]);
    assert_eq!(walked.calls().len(), 1);
    assert!(walked.message("a").contains("gave up: status == 401"));
}

#[test]
fn a_timeout_is_a_failed_attempt() {
    let slow = Scripted::gives("http", [("status", Value::Int(200))]).taking(SignedDuration::from_secs(60));
    let walked =
        Walk::steps("\n  - { id: a, http: \"http://127.0.0.1:7000/\", timeout: 2s, retry: { attempts: 3, every: 1s } }\n")
            .rule(slow)
            .go();
    assert_eq!((walked.calls().len(), walked.elapsed.as_secs()), (3, 8));
}

#[test]
fn only_some_failures_are_retried() {
    let cannot = || Answer::CannotTell { message: "no permission".into() };
    let walked = walk("{ attempts: 5, every: 1s, on: [failed] }", [cannot()]);
    assert_eq!(walked.calls().len(), 1);
    let walked = walk("{ attempts: 5, every: 1s, on: [unknown] }", [cannot(), up()]);
    assert_eq!(walked.result.exit, Exit::Ok);
}

#[test]
fn a_read_polls_from_the_start_without_being_told_how_often() {
    let walked = walk("{ for: 30s }", [unmet("no"), unmet("no"), unmet("no"), up()]);
    assert_eq!(walked.result.exit, Exit::Ok);
    assert!(walked.elapsed.as_millis() < 50, "{}", walked.elapsed);
}

#[test]
fn a_change_that_is_not_idempotent_is_not_retried_by_accident() {
    let text = "\n  - id: a\n    command: [restart-it]\n    retry: { attempts: 3 }\n";
    let mistakes = Walk::steps(text).attempt().map(|_| ()).expect_err("refused");
    assert!(mistakes.iter().any(|m| m.contains("E0216")), "{mistakes:?}");
    let walked = Walk::steps(&format!("{text}    idempotent: true\n"))
        .rule(Scripted::gives::<String>("command", []).in_turn([unmet("no"), done([("exit_code", Value::Int(0))])]))
        .go();
    assert_eq!(walked.result.exit, Exit::Ok);
}

#[test]
fn a_written_pause_is_meant_however_long() {
    let step = "\n  - { id: a, file: /x, retry: { attempts: 3, every: 10m } }\n";
    let walked = Walk::steps(step).rule(fails("file", "gone")).go();
    assert_eq!(walked.elapsed.as_mins(), 20);
}
