//! `play`: another playbook as one step.

use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, answer, fails};

#[test]
fn outputs_come_back_and_parameters_go_in() {
    let walked = Walk::steps("\n  - { id: sub, play: other, with: { n: \"{{ 1 + 1 }}\" } }\n  - note: \"{{ steps.sub.twice }}\"\n")
        .file("other.yaml", "playbook: Other\nparams:\n  n: { type: int, required: true }\nsteps:\n  - note: inside\noutputs:\n  twice: \"{{ params.n * 2 }}\"\n")
        .go();
    assert_eq!(walked.notes(), ["inside", "4"]);
}

#[test]
fn a_failure_inside_fails_the_step() {
    let walked = Walk::steps("\n  - { id: sub, play: other }\n")
        .file("other.yaml", "playbook: Other\nsteps:\n  - { id: a, file: /x }\n")
        .rule(fails("file", "gone"))
        .go();
    assert_eq!(walked.result.exit, Exit::Failed);
    assert!(walked.message("sub").contains("gone"));
}

#[test]
fn stop_inside_ends_only_the_inner_playbook() {
    let walked = Walk::steps("\n  - play: other\n  - note: after\n")
        .file("other.yaml", "playbook: Other\nsteps:\n  - stop: enough\n  - note: never\n")
        .go();
    assert_eq!(walked.notes(), ["after"]);
}

#[test]
fn a_checklist_inside_gives_its_verdict() {
    let walked =
        Walk::steps("\n  - { id: sub, play: other }\n  - note: \"{{ steps.sub.verdict }} {{ steps.sub.checks | length }}\"\n")
            .file("other.yaml", "playbook: Other\nchecks:\n  - { file: /x }\n")
            .rule(fails("file", "gone"))
            .go();
    assert_eq!(walked.notes(), ["critical 1"]);
}

#[test]
fn what_it_did_is_undone_with_its_caller() {
    let walked = Walk::new("\nplaybook: A test\non_failure: undo\nsteps:\n  - play: other\n  - fail: broken\n")
        .file("other.yaml", "playbook: Other\nsteps:\n  - { dir.create: /x, undo: [{ note: undone }] }\n")
        .rule(answer("dir.create", true))
        .go();
    assert_eq!(walked.notes(), ["undone"]);
}

#[test]
fn playbooks_that_play_each_other_are_refused() {
    let walk = Walk::steps("\n  - play: other\n").file("other.yaml", "playbook: Other\nsteps:\n  - play: test\n");
    assert!(walk.attempt().is_err());
}

#[test]
fn wrong_parameters_are_told() {
    let walk = Walk::steps("\n  - { id: sub, play: other, with: { n: \"{{ 'x' ~ 1 }}\" } }\n")
        .file("other.yaml", "playbook: Other\nparams:\n  n: { type: int }\nsteps:\n  - note: \"{{ params.n }}\"\n")
        .rule(Scripted::gives("file", [("exists", Value::Bool(true))]));
    match walk.attempt() {
        Ok(walked) => assert!(walked.message("sub").contains("expected a whole number")),
        Err(mistakes) => assert!(mistakes[0].contains("whole number")),
    }
}
