//! Blocks: rescue, always, and time limits of groups.

use jiff::SignedDuration;
use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, fails, unmet};

#[test]
fn a_rescued_block_has_succeeded() {
    let walked = Walk::steps(
        "
  - id: group
    block:
      - { id: a, file: /x }
      - note: not reached
    rescue:
      - note: \"{{ error.step }}: {{ error.message }} {{ error.result.size is none }}\"
    always:
      - note: always
  - note: \"{{ steps.group.outcome }}\"
",
    )
    .rule(Scripted::gives::<String>("file", []).in_turn([unmet("gone")]))
    .go();
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(walked.notes()[1..], ["always", "ok"]);
    assert!(walked.notes()[0].starts_with("a: gone"));
}

#[test]
fn fail_at_the_end_of_a_rescue_stops() {
    let walked =
        Walk::steps("\n  - block:\n      - { file: /x }\n    rescue:\n      - fail: really\n    always:\n      - note: always\n")
            .rule(fails("file", "gone"))
            .go();
    assert_eq!(walked.result.exit, Exit::Failed);
    assert!(walked.result.message.contains("really"));
    assert_eq!(walked.notes(), ["always"]);
}

#[test]
fn always_runs_after_success_too() {
    let walked = Walk::steps("\n  - block:\n      - note: work\n    always:\n      - note: always\n").go();
    assert_eq!(walked.notes(), ["work", "always"]);
}

#[test]
fn a_group_has_a_time_limit_and_a_retry_like_one_step() {
    let slow = Scripted::gives("file", [("exists", Value::Bool(true))]).taking(SignedDuration::from_secs(60));
    let walked = Walk::steps(
        "
  - id: group
    timeout: 5s
    retry: { attempts: 2, every: 1s }
    block:
      - { file: /x }
",
    )
    .rule(slow)
    .go();
    assert_eq!(walked.message("group"), "timed out after 5s");
    assert_eq!(walked.elapsed.as_secs(), 11);
}

#[test]
fn a_playbooks_own_rescue_and_always() {
    let walked = Walk::new(
        "
playbook: A test
steps:
  - { id: a, file: /x }
rescue:
  - note: \"rescued {{ error.step }}\"
always:
  - note: always
",
    )
    .rule(fails("file", "gone"))
    .go();
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(walked.notes(), ["rescued a", "always"]);
}

#[test]
fn a_stop_still_runs_what_must_always_run() {
    use runbook_core::world::StopReason;
    let text = "
playbook: A test
steps:
  - block:
      - wait: 1h
      - note: not reached
    always:
      - note: cleaned up
  - note: not reached either
";
    let walk = Walk::new(text).stop_after(SignedDuration::from_secs(60), StopReason::Interrupt);
    let walked = walk.go();
    assert_eq!(walked.result.exit, Exit::Interrupted);
    assert_eq!(walked.notes(), ["cleaned up"]);
}
