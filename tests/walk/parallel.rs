//! `parallel`: graphs, companions, cancelling.

use jiff::SignedDuration;
use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_core::world::StopReason;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, fails, unmet};

fn file(path: &str, seconds: i64) -> Scripted {
    Scripted::gives("file", [("exists", Value::Bool(true))])
        .with("path", Value::str(path))
        .taking(SignedDuration::from_secs(seconds))
}

#[test]
fn children_run_at_the_same_time_and_wait_for_their_needs() {
    let walked = Walk::steps(
        "
  - parallel:
      - { id: a, file: /a }
      - { id: b, file: /b, needs: [a] }
      - { id: c, file: /c }
  - note: \"{{ steps.b.outcome }}\"
",
    )
    .rule(file("/a", 2))
    .rule(file("/b", 3))
    .rule(file("/c", 4))
    .go();
    assert_eq!(walked.elapsed.as_secs(), 5);
    assert_eq!(walked.notes(), ["ok"]);
}

#[test]
fn a_failed_child_cancels_its_siblings() {
    let walked = Walk::steps("\n  - parallel:\n      - { id: a, file: /a }\n      - { id: slow, file: /slow }\n")
        .rule(fails("file", "gone").with("path", Value::str("/a")))
        .rule(file("/slow", 3600))
        .go();
    assert_eq!(walked.result.exit, Exit::Failed);
    assert!(walked.elapsed.as_secs() < 10, "the sibling was cancelled");
}

#[test]
fn tolerated_failures_let_siblings_end() {
    let walked = Walk::steps(
        "
  - continue_on_error: true
    parallel:
      - { id: a, file: /a }
      - { id: slow, file: /slow }
  - note: \"{{ steps.a.outcome }} {{ steps.slow.outcome }}\"
",
    )
    .rule(fails("file", "gone").with("path", Value::str("/a")))
    .rule(file("/slow", 60))
    .go();
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(walked.notes(), ["failed ok"]);
}

#[test]
fn a_companion_repeats_until_its_siblings_have_ended() {
    let walked = Walk::steps(
        "
  - parallel:
      - { id: work, file: /work }
      - { id: beat, every: 15m, file: /beat }
",
    )
    .rule(file("/work", 3600))
    .rule(file("/beat", 0))
    .go();
    assert_eq!(walked.result.exit, Exit::Ok);
    let beats = walked.world.calls.lock().unwrap().iter().filter(|c| c.args.field("path").as_str() == Some("/beat")).count();
    assert!((4..=5).contains(&beats), "{beats} beats in an hour");
}

#[test]
fn a_companion_that_fails_fails_the_group() {
    let walked = Walk::steps("\n  - parallel:\n      - { file: /work }\n      - { id: beat, every: 1m, file: /beat }\n")
        .rule(file("/work", 3600))
        .rule(Scripted::gives::<String>("file", []).with("path", Value::str("/beat")).in_turn([unmet("stopped beating")]))
        .go();
    assert_eq!(walked.result.exit, Exit::Failed);
    assert!(walked.result.message.contains("stopped beating"));
}

#[test]
fn a_group_that_was_stopped_before_all_of_it_began_has_not_succeeded() {
    let slow = || Scripted::gives("file.write", [("x", Value::Null)]).taking(SignedDuration::from_secs(2));
    let steps = [
        "\n  - for_each: [a, b]\n    file.write: { path: \"/{{ item }}\", content: x }\n",
        "\n  - parallel:\n      - { id: a, file.write: { path: /a, content: x } }\n      - { id: b, needs: [a], file.write: { path: /b, content: x } }\n",
    ];
    for text in steps {
        let walked = Walk::steps(text).rule(slow()).stop_after(SignedDuration::from_secs(1), StopReason::Interrupt).go();
        assert_eq!(walked.result.exit, Exit::Interrupted, "{text}");
        assert_eq!(walked.calls().len(), 1, "{text}");
    }
}
