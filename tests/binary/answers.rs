//! Answers without a terminal: flags, and exit 7 with the way to answer.

use crate::harness::Workspace;

fn project() -> Workspace {
    let workspace = Workspace::with(
        "ask",
        "playbook: x\nsteps:\n  - { id: who, ask: { question: \"Who?\", type: choice, choices: [a, b] } }\n  - { id: go, file.write: { path: out.txt, content: \"{{ steps.who.answer }}\" }, confirm: true }\n  - { id: wipe, file.delete: out.txt }\n",
    );
    workspace.write("playbooks/manual.yaml", "playbook: x\nsteps:\n  - { id: look, manual: Look at it }\n");
    workspace
}

#[test]
fn a_missing_answer_exits_7_and_names_the_flag() {
    let workspace = project();
    let out = workspace.run(&["play", "ask"]).expect(7);
    assert!(out.stdout.contains("--answer who=VALUE"), "{}", out.stdout);
    let out = workspace.run(&["play", "ask", "--answer", "who=a"]).expect(7);
    assert!(out.stdout.contains("--yes"), "{}", out.stdout);
    assert!(!workspace.path("out.txt").exists());
}

#[test]
fn yes_confirms_changes_but_not_what_destroys() {
    let workspace = project();
    let out = workspace.run(&["play", "ask", "--answer", "who=a", "--yes"]).expect(7);
    assert!(out.stdout.contains("--confirm wipe=wipe"), "{}", out.stdout);
    assert!(workspace.path("out.txt").exists());
    workspace.run(&["play", "ask", "--answer", "who=a", "--yes", "--confirm", "wipe=wipe"]).expect(0);
    assert!(!workspace.path("out.txt").exists());
}

#[test]
fn no_is_declined_and_a_wrong_word_is_refused() {
    let workspace = project();
    workspace.run(&["play", "ask", "--answer", "who=a", "--answer", "go=no"]).expect(6);
    let out = workspace.run(&["play", "ask", "--answer", "who=a", "--yes", "--confirm", "wipe=other"]).expect(6);
    assert!(out.stdout.contains("does not match"), "{}", out.stdout);
    assert!(workspace.path("out.txt").exists());
}

#[test]
fn an_answer_that_does_not_fit_or_is_not_asked_for_is_told() {
    let workspace = project();
    let out = workspace.run(&["play", "ask", "--answer", "who=z"]).expect(4);
    assert!(out.stdout.contains("not one of a, b"), "{}", out.stdout);
    let out = workspace.run(&["play", "manual", "--answer", "look=done: seen", "--answer", "other=1"]).expect(0);
    assert!(out.stderr.contains("`other` was not asked for"), "{}", out.stderr);
}

#[test]
fn json_never_asks_and_every_line_parses() {
    let workspace = project();
    let out = workspace.run(&["--json", "play", "ask"]).expect(7);
    let events = out.events();
    assert_eq!(events.first().unwrap()["event"], "run_started");
    assert_eq!(events.last().unwrap()["event"], "run_finished");
    assert_eq!(events.last().unwrap()["exit_code"], 7);
}

#[test]
fn a_secret_answer_is_never_shown() {
    let workspace = Workspace::with(
        "s",
        "playbook: x\nsteps:\n  - { id: pw, ask: { question: \"Password?\", type: secret } }\n  - { id: a, shell: { script: \"echo $PW; exit 1\", env: { PW: \"{{ steps.pw.answer }}\" } } }\n",
    );
    let out = workspace.run(&["-vv", "play", "s", "--answer", "pw=hunter2hunter2"]).expect(4);
    let journal = workspace.path("state/runs").read_dir().unwrap().next().unwrap().unwrap().path();
    for text in [&out.stdout, &out.stderr, &std::fs::read_to_string(journal).unwrap()] {
        assert!(!text.contains("hunter2hunter2"), "{text}");
    }
    assert!(out.stdout.contains("*** (pw)"), "{}", out.stdout);
}

#[test]
fn the_next_command_can_be_pasted() {
    let workspace = project();
    let out = workspace.run(&["play", "ask", "--answer", "who=a", "--yes"]).expect(7);
    assert!(out.stdout.contains("runbook play ask --answer who=a --yes --confirm wipe=wipe"), "{}", out.stdout);
}

#[test]
fn what_is_asked_for_first_may_be_all_that_a_variable_rests_on() {
    let text = "playbook: x\nparams: { which: { type: choice, choices: [a, b], required: true, ask: Which? } }\nvars: { all: { a: { n: 1 }, b: { n: 2 } }, one: \"{{ all[params.which].n }}\" }\nsteps: [{ note: \"it is {{ one }}\" }, { manual: Look, id: look }]\n";
    let workspace = Workspace::with("asks", text);
    let out = workspace.run(&["play", "asks"]).expect(3);
    assert!(out.stderr.contains("the parameter `which` is required"), "{}", out.stderr);
    let out = workspace.run(&["play", "asks", "--answer", "which=b", "--answer", "look=done"]).expect(0);
    assert!(out.stdout.contains("it is 2"), "{}", out.stdout);
}
