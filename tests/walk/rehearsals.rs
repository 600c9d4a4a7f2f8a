//! What a remedy would do: reads look, changes are planned, and what rests on them is not known.

use runbook_core::event::Event;
use runbook_core::exit::Exit;
use runbook_core::rehearsal::{DryRow, DryVerdict};
use runbook_core::value::Value;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, Walked, answer, fails};

const TREE: &str = "playbook: A tree\ntriage:\n  id: up\n  ask: Is it up?\n  check: { port: 7000, expect: listening }\n  no: { finding: down, remedy: { play: fix } }\n";

/// Dry-runs a remedy of these steps.
fn rehearsed(steps: &str) -> Walk {
    Walk::new(TREE)
        .file("fix.yaml", &format!("playbook: Mend it\n{steps}"))
        .rule(Scripted::gives("port", [("listening", Value::Bool(false)), ("free", Value::Bool(true))]))
        .answer("remedy", "dry-run")
}

fn rows(walked: &Walked) -> Vec<DryRow> {
    let events = walked.world.events.lock().unwrap();
    let found = events.iter().find_map(|e| match e {
        Event::Rehearsed { rows, .. } => Some(rows.clone()),
        _ => None,
    });
    found.expect("a rehearsal")
}

fn verdicts(walked: &Walked) -> Vec<(String, DryVerdict)> {
    rows(walked).into_iter().map(|r| (r.name, r.verdict)).collect()
}

fn row(name: &str, verdict: DryVerdict) -> (String, DryVerdict) {
    (name.to_owned(), verdict)
}

const WRITE: &str = "{ id: write, file.write: { path: /a/x, content: z } }";

#[test]
fn a_change_is_planned_and_never_made() {
    let walked =
        rehearsed(&format!("steps:\n  - {WRITE}\n  - {{ id: look, port: 7001 }}\n")).rule(answer("file.write", true)).go();
    assert_eq!(verdicts(&walked), [row("write", DryVerdict::WouldRun), row("look", DryVerdict::Read)]);
    // The tree's look and the remedy's; nothing that changes.
    assert_eq!((walked.calls(), walked.result.exit), (vec!["port".to_owned(), "port".to_owned()], Exit::Ok));
    let intents = walked.world.events.lock().unwrap().iter().filter(|e| matches!(e, Event::Intent { .. })).count();
    assert_eq!(intents, 0);
}

#[test]
fn what_is_so_already_is_skipped() {
    let walked = rehearsed(&format!("steps:\n  - {WRITE}\n")).rule(answer("file.write", false)).go();
    assert_eq!(verdicts(&walked), [row("write", DryVerdict::WouldSkip)]);
    assert_eq!(rows(&walked)[0].because, "it is so already");
}

#[test]
fn a_read_of_what_would_be_changed_is_not_known_and_says_why() {
    let steps = format!("steps:\n  - {WRITE}\n  - {{ id: look, file: /a/x }}\n  - {{ id: other, file: /b }}\n");
    let walked =
        rehearsed(&steps).rule(answer("file.write", true)).rule(Scripted::gives("file", [("exists", Value::Bool(true))])).go();
    let expected = [row("write", DryVerdict::WouldRun), row("look", DryVerdict::Unknown), row("other", DryVerdict::Read)];
    assert_eq!(verdicts(&walked), expected);
    assert_eq!(rows(&walked)[1].because, "it reads what `write` would have changed");
}

#[test]
fn what_rests_on_it_is_possible_and_its_values_are_not_known() {
    let steps = format!(
        "steps:\n  - {WRITE}\n  - {{ id: look, file: /a/x }}\n  - {{ id: then, when: steps.look.exists, file.delete: /c }}\n  - {{ id: many, for_each: steps.look.found, file.delete: \"{{{{ item }}}}\", confirm: true }}\n  - {{ id: again, file: \"{{{{ steps.look.path }}}}\" }}\n  - {{ id: last, port: 7001 }}\n"
    );
    let walked = rehearsed(&steps)
        .rule(answer("file.write", true))
        .rule(answer("file.delete", true))
        .rule(Scripted::gives("file", [("exists", Value::Bool(true))]))
        .go();
    let rows = rows(&walked);
    let told: Vec<(&str, DryVerdict, bool)> = rows.iter().map(|r| (r.name.as_str(), r.verdict, r.possible)).collect();
    assert_eq!(
        told,
        [
            ("write", DryVerdict::WouldRun, false),
            ("look", DryVerdict::Unknown, false),
            ("then", DryVerdict::WouldAsk, true),
            ("many", DryVerdict::Unknown, false),
            ("again", DryVerdict::Unknown, false),
            ("last", DryVerdict::Read, false),
        ]
    );
    assert!(rows[3].because.contains("0 or more times"), "{}", rows[3].because);
}

#[test]
fn who_would_be_asked_is_told_and_nobody_is() {
    let steps = "steps:\n  - { id: go, file.write: { path: /x, content: z }, confirm: true }\n  - { id: who, ask: { question: \"Who?\" } }\n  - { id: tell, note: \"{{ steps.who.answer }}\" }\n  - { id: hand, manual: Turn the key }\n  - { id: wipe, file.delete: /x }\n";
    let walked = rehearsed(steps).rule(answer("file.write", true)).rule(answer("file.delete", true)).go();
    let asks = ["go", "who", "hand", "wipe"].map(|n| row(n, DryVerdict::WouldAsk));
    assert_eq!(verdicts(&walked), asks);
    assert!(walked.world.asked.lock().unwrap().is_empty());
}

#[test]
fn what_it_needs_blocks_it() {
    let steps = format!("requires:\n  - {{ id: room, port: 7001, expect: listening }}\nsteps:\n  - {WRITE}\n");
    let walked = rehearsed(&steps).rule(answer("file.write", true)).go();
    assert_eq!(verdicts(&walked), [row("room", DryVerdict::Blocked)]);
}

#[test]
fn nobody_waits_and_a_retry_is_not_made() {
    let steps = "steps:\n  - { wait: 10m }\n  - { id: come, port: 7002, expect: listening, retry: { for: 5m } }\n  - { id: last, port: 7001 }\n";
    let walked = rehearsed(steps).go();
    let told = verdicts(&walked);
    assert!(told.contains(&row("come", DryVerdict::Unknown)) && told.contains(&row("last", DryVerdict::Read)), "{told:?}");
    assert_eq!(walked.elapsed, jiff::SignedDuration::ZERO);
}

#[test]
fn a_read_that_does_not_hold_ends_it_as_it_would_end_the_run() {
    let steps = format!("steps:\n  - {{ id: look, file: /b }}\n  - {WRITE}\n");
    let walked = rehearsed(&steps).rule(fails("file", "no such file")).rule(answer("file.write", true)).go();
    assert_eq!(verdicts(&walked), [row("look", DryVerdict::Read)]);
    assert_eq!(rows(&walked)[0].what, "does not hold");
}

#[test]
fn a_change_that_starts_from_a_planned_one_is_not_decided_by_what_is_there_now() {
    let steps = "steps:\n  - { id: folder, dir.create: /a }\n  - { id: inside, file.write: { path: /a/x, content: z } }\n  - { id: again, file.write: { path: /a/x, content: z } }\n  - { id: other, file.write: { path: /b, content: z } }\n";
    let walked = rehearsed(steps).rule(answer("dir.create", true)).rule(answer("file.write", true)).go();
    let told = verdicts(&walked);
    let expected = [
        row("folder", DryVerdict::WouldRun),
        row("inside", DryVerdict::WouldRun),
        row("again", DryVerdict::Unknown),
        row("other", DryVerdict::WouldRun),
    ];
    assert_eq!(told, expected);
    // What cannot be done because the folder is not there yet may well be done then.
    let walked = rehearsed(steps).rule(answer("dir.create", true)).rule(fails("file.write", "no such folder")).go();
    assert_eq!(verdicts(&walked)[1], row("inside", DryVerdict::Unknown));
}

#[test]
fn what_needs_what_cannot_be_told_is_not_skipped() {
    let steps = "steps:\n  - { id: folder, dir.create: /a }\n  - { id: start, for_each: [{ id: db }, { id: web, needs: [db] }], order: dependencies, file.write: { path: \"/a/{{ item.id }}\", content: z } }\n";
    let walked = rehearsed(steps).rule(answer("dir.create", true)).rule(fails("file.write", "no such folder")).go();
    let told: Vec<DryVerdict> = rows(&walked).iter().map(|r| r.verdict).collect();
    assert_eq!(told, [DryVerdict::WouldRun, DryVerdict::Unknown, DryVerdict::Unknown]);
}
