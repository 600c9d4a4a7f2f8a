//! Undo: what was begun is taken back, newest first.

use runbook_core::event::Event;
use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_core::world::Answer;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, answer, unmet};

fn write(path: &str, changed: bool) -> Scripted {
    answer("file.write", changed).with("path", Value::str(path))
}

fn deleted(walked: &crate::harness::Walked) -> Vec<String> {
    let calls = walked.world.calls.lock().unwrap();
    calls.iter().filter(|c| c.module == "file.delete").map(|c| c.args.field("path").to_string()).collect()
}

const TEXT: &str = "
playbook: A test
on_failure: undo
steps:
  - { id: one, file.write: { path: /1, content: x }, undo: [{ file.delete: /1, confirm: false }] }
  - { id: same, file.write: { path: /same, content: x }, undo: [{ file.delete: /same }] }
  - { id: two, file.write: { path: /2, content: x }, undo: [{ file.delete: /2 }] }
  - { id: bad, file.write: { path: /bad, content: x }, undo: [{ file.delete: /bad }] }
";

#[test]
fn every_step_that_began_is_undone_newest_first() {
    let walked = Walk::new(&TEXT.replace(", confirm: false", ""))
        .rule(write("/1", true))
        .rule(write("/same", false))
        .rule(write("/2", true))
        .rule(Scripted::gives::<String>("file.write", []).in_turn([unmet("disk full")]))
        .rule(answer("file.delete", true))
        .answer("steps[4].undo[1]", "steps[4].undo[1]")
        .answer("steps[3].undo[1]", "steps[3].undo[1]")
        .answer("steps[1].undo[1]", "steps[1].undo[1]")
        .go();
    assert_eq!(walked.result.exit, Exit::Failed);
    // Also the failed one, for it may have done half; not the one that changed nothing.
    assert_eq!(deleted(&walked), ["/bad", "/2", "/1"]);
    let Event::RunFinished { undone, .. } = walked.end() else { panic!("ends") };
    assert_eq!(undone, ["bad", "two", "one"]);
}

#[test]
fn an_undo_that_fails_leaves_the_state_unknown() {
    let walked = Walk::new(
        "
playbook: A test
on_failure: undo
steps:
  - { id: one, dir.create: /1, undo: [{ file.write: { path: /undo, content: x } }] }
  - fail: broken
",
    )
    .rule(answer("dir.create", true))
    .rule(Scripted::gives::<String>("file.write", []).in_turn([unmet("disk full")]))
    .go();
    assert_eq!(walked.result.exit, Exit::UndoFailed);
}

#[test]
fn a_blocks_own_undo_replaces_its_childrens() {
    let walked = Walk::new(
        "
playbook: A test
on_failure: undo
steps:
  - id: group
    block:
      - { file.write: { path: /1, content: x }, undo: [{ note: child }] }
    undo:
      - note: \"block {{ x }}\"
  - set: { x: changed }
  - fail: broken
vars:
  x: before
",
    )
    .rule(answer("file.write", true))
    .go();
    assert_eq!(walked.notes(), ["block before"]);
}

#[test]
fn without_undo_what_is_left_changed_is_named() {
    let walked = Walk::steps("\n  - { id: one, file.write: { path: /1, content: x } }\n  - fail: broken\n")
        .rule(answer("file.write", true))
        .go();
    let Event::RunFinished { left, .. } = walked.end() else { panic!("ends") };
    assert_eq!(left, ["one"]);
}

#[test]
fn passes_of_a_loop_are_undone_with_their_item() {
    let walked = Walk::new(
        "
playbook: A test
on_failure: undo
steps:
  - for_each: [a, b]
    dir.create: \"/{{ item }}\"
    undo:
      - note: \"{{ item }}\"
  - fail: broken
",
    )
    .rule(answer("dir.create", true))
    .go();
    assert_eq!(walked.notes(), ["b", "a"]);
}

#[test]
fn an_undo_sees_what_its_own_step_gave() {
    let text = "playbook: A test\non_failure: undo\nsteps:\n  - { id: go, file.write: { path: /x, content: z }, undo: [{ note: \"{{ steps.go.size }}\" }] }\n  - fail: broken\n";
    let walked = Walk::new(text)
        .rule(
            Scripted::gives::<String>("file.write", [])
                .in_turn([Answer::Done { result: Value::map([("size", Value::Int(7))]), changed: true }]),
        )
        .go();
    assert_eq!(walked.notes(), ["7"]);
}
