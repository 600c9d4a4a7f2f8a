//! Triage trees: findings, their evidence and remedies, results, and what a tree hands to its caller.

use runbook_core::event::{Event, Outcome, Proposal};
use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_core::world::Answer;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, Walked, fails};

fn tree(nodes: &str) -> Walk {
    Walk::new(&format!("playbook: A tree\ntriage:\n{nodes}"))
}

fn listening(yes: bool) -> Scripted {
    Scripted::gives("port", [("listening", Value::Bool(yes)), ("free", Value::Bool(!yes))])
}

/// A tree whose one answer is no, which leads to this.
fn leads_to(leaf: &str) -> Walk {
    tree(&format!("  id: up\n  ask: Is it up?\n  check: {{ port: 7000, expect: listening }}\n  no:\n{leaf}"))
        .rule(listening(false))
}

/// The proposals of the findings, in order.
fn proposals(walked: &Walked) -> Vec<Option<Proposal>> {
    let events = walked.world.events.lock().unwrap();
    events.iter().filter_map(|e| if let Event::Finding { remedy, .. } = e { Some(remedy.clone()) } else { None }).collect()
}

fn next(walked: &Walked) -> Vec<String> {
    let Event::RunFinished { next, .. } = walked.end() else { panic!("no end") };
    next
}

#[test]
fn a_finding_tells_what_it_is() {
    let walked =
        leads_to("    id: found\n    finding: not-started\n    severity: critical\n    say: \"port {{ steps.up.listening }}\"\n")
            .go();
    let events = walked.world.events.lock().unwrap();
    let found = events.iter().find(|e| matches!(e, Event::Finding { .. })).unwrap();
    let json = serde_json::to_value(found).unwrap();
    let expected = serde_json::json!({
        "event": "finding", "path": "triage.no", "playbook": "test", "key": "found", "finding": "not-started",
        "severity": "critical", "say": "port false",
    });
    assert_eq!(json, expected);
    assert_eq!(walked.result.message, "found not-started (critical)");
}

#[test]
fn evidence_is_looked_at_and_never_fails_the_run() {
    let leaf = "    finding: down\n    say: \"{{ steps.size.used_percent }} {{ steps.gone.error }}\"\n    see:\n      - { id: size, memory: {} }\n      - { id: gone, file: /x, timeout: 1s }\n      - { name: Never, file: /y, when: run.dry_run }\n      - { manual: Look at the board }\n      - { http: \"http://127.0.0.1/\" }\n";
    let cannot = Scripted::gives::<String>("http", []).in_turn([Answer::CannotTell { message: "no route".into() }]);
    let walked = leads_to(leaf)
        .rule(Scripted::gives("memory", [("used_percent", Value::Int(93))]))
        .rule(fails("file", "no such file"))
        .rule(cannot)
        .go();
    assert_eq!((walked.result.exit, walked.findings()), (Exit::Ok, vec!["down".to_owned()]));
    let events = walked.world.events.lock().unwrap();
    let Some(Event::Finding { evidence, say, .. }) = events.iter().find(|e| matches!(e, Event::Finding { .. })) else { panic!() };
    let seen: Vec<String> = evidence.iter().map(|e| format!("{} {}", e.name, e.outcome.word())).collect();
    assert_eq!(seen, ["size ok", "gone failed", "Look at the board unknown", "http http://127.0.0.1/ unknown"]);
    assert_eq!(say.as_deref(), Some("93 no such file"));
}

#[test]
fn what_a_tree_looks_at_counts_as_no_failure() {
    let walked = leads_to("    finding: down\n    see: { file: /x }\n").rule(fails("file", "gone")).go();
    let Event::RunFinished { counts, not_started, .. } = walked.end() else { panic!() };
    assert_eq!((counts.failed, counts.ok, not_started.len()), (0, 0, 0));
    let events = walked.world.events.lock().unwrap();
    let failed: Vec<bool> = events
        .iter()
        .filter_map(|e| match e {
            Event::StepFinished { outcome: Outcome::Failed, tolerated, .. } => Some(*tolerated),
            _ => None,
        })
        .collect();
    assert_eq!(failed, [true, true]);
}

#[test]
fn a_remedy_never_runs_and_can_be_pasted() {
    let walked = leads_to("    finding: down\n    remedy: { play: fix, with: { name: \"it's {{ 1 + 1 }}\", wait: 90s, list: [a, b], nothing: null }, verify: [{ port: 1 }], cooldown: 1h, limit: 2 }\n")
        .file("fix.yaml", "playbook: Fix\nparams: { name: { type: string }, wait: { type: duration }, list: { type: list }, nothing: { type: string } }\nsteps:\n  - file.write: { path: /x, content: \"{{ params }}\" }\n")
        .go();
    let command = "runbook play fix --param 'name=it'\"'\"'s 2' --param wait=90s --param 'list=[\"a\",\"b\"]'";
    let proposal = proposals(&walked).remove(0).unwrap();
    assert_eq!((proposal.play.as_deref(), proposal.command.as_deref()), (Some("fix"), Some(command)));
    assert_eq!(walked.calls(), ["port"]);
    assert_eq!(next(&walked), [command, "runbook runs show test-run"]);
}

#[test]
fn a_remedy_is_for_the_stack_that_was_looked_at() {
    let walked = leads_to("    finding: down\n    remedy: { play: fix, with: { zone: z } }\n")
        .file("system.yaml", "system: s\nvars: { ports_from: 7000, zone: a, other: b }\n")
        .file("fix.yaml", "playbook: Fix\nparams: { zone: { type: string } }\nsteps:\n  - note: \"{{ params.zone }} {{ ports_from }} {{ other }}\"\n")
        .param("ports_from", "9000")
        .param("zone", "q")
        .go();
    // What the tree gives goes before what was given to the tree.
    assert_eq!(next(&walked)[0], "runbook play fix --param zone=z --param ports_from=9000");
}

#[test]
fn a_remedy_of_steps_is_named_and_one_that_cannot_be_told_says_why() {
    let steps = "    finding: down\n    remedy: { steps: [{ name: Stop it, note: x }, { note: Start it }] }\n";
    let walked = leads_to(steps).go();
    assert_eq!(proposals(&walked)[0].as_ref().unwrap().steps, ["Stop it", "Start it"]);
    // Steps have no playbook to be played; the tree runs them when it is told to.
    assert_eq!((walked.notes().len(), next(&walked)[0].as_str()), (0, "runbook play test --remedy run"));
    let wrong = "    finding: down\n    remedy: { play: fix, with: { name: \"{{ [1][5] }}\" } }\n";
    let walked = leads_to(wrong)
        .file("fix.yaml", "playbook: Fix\nparams: { name: { type: string } }\nsteps:\n  - note: \"{{ params.name }}\"\n")
        .go();
    let proposal = proposals(&walked).remove(0).unwrap();
    assert!(proposal.command.is_none() && proposal.trouble.unwrap().starts_with("`name` cannot be told"));
    assert_eq!((walked.result.exit, walked.findings()), (Exit::Ok, vec!["down".to_owned()]));
}

#[test]
fn a_secret_is_not_in_the_command() {
    let walked = Walk::new("playbook: x\nparams: { pw: { type: secret, required: true } }\ntriage:\n  ask: Up?\n  check: { port: 7000, expect: listening }\n  no: { finding: down, say: \"with {{ params.pw }}\", remedy: { play: fix, with: { pw: \"{{ params.pw }}\" } } }\n")
        .file("fix.yaml", "playbook: Fix\nparams: { pw: { type: secret } }\nsteps:\n  - command: { argv: [login], env: { PW: \"{{ params.pw }}\" } }\n")
        .param("pw", "hunter2hunter2")
        .rule(listening(false))
        .go();
    let all = serde_json::to_string(&*walked.world.events.lock().unwrap()).unwrap();
    assert!(!all.contains("hunter2hunter2"), "{all}");
    assert!(all.contains("pw=*** (pw)"), "{all}");
}

const SEVERAL: &str = "  - ask: A?
    check: { port: 7000, expect: listening }
    no:
      - { finding: noted }
      - { finding: slow, severity: warning, remedy: { play: fix-slow } }
      - { finding: broken, severity: critical, remedy: { play: fix-broken } }
      - { finding: also-broken, severity: critical, remedy: { play: fix-slow } }
";

fn several() -> Walk {
    let fix = "playbook: Fix\nsteps:\n  - note: fixed\n";
    tree(SEVERAL).file("fix-slow.yaml", fix).file("fix-broken.yaml", fix).rule(listening(false))
}

#[test]
fn the_worst_is_proposed_and_then_file_order() {
    let walked = several().go();
    assert_eq!(walked.findings(), ["noted", "slow", "broken", "also-broken"]);
    assert_eq!(walked.result.message, "found broken (critical), also-broken (critical), slow (warning), noted (info)");
    assert_eq!(next(&walked)[0], "runbook play fix-broken");
    let events = walked.world.events.lock().unwrap();
    let Some(Event::Concluded { verdict, findings, probed, answered, unknown, .. }) =
        events.iter().find(|e| matches!(e, Event::Concluded { .. }))
    else {
        panic!()
    };
    assert_eq!((verdict.word(), *probed, *answered, *unknown), ("critical", 1, 0, 0));
    assert_eq!(*findings, ["broken", "also-broken", "slow", "noted"]);
}

#[test]
fn what_has_a_remedy_is_a_fault_unless_it_says_otherwise() {
    let fix = "playbook: Fix\nsteps:\n  - note: fixed\n";
    for (leaf, verdict) in [
        ("{ finding: x }", "ok"),
        ("{ finding: x, remedy: { play: fix } }", "warning"),
        ("{ finding: x, severity: info, remedy: { play: fix } }", "ok"),
        ("{ finding: x, severity: critical }", "critical"),
    ] {
        let walked = leads_to(&format!("    {leaf}\n")).file("fix.yaml", fix).go();
        assert_eq!(walked.result.outputs.field("verdict").to_string(), verdict, "{leaf}");
    }
}

#[test]
fn the_exit_code_tells_on_request_what_was_found() {
    let nothing = "  ask: A?\n  check: { port: 7000, expect: listening }\n  yes: { finding: fine }\n";
    assert_eq!(several().go().result.exit, Exit::Ok);
    assert_eq!(several().detailed_exit().go().result.exit, Exit::Fault);
    assert_eq!(tree(nothing).rule(listening(true)).detailed_exit().go().result.exit, Exit::Ok);
    assert_eq!(tree(nothing).rule(listening(false)).detailed_exit().go().result.exit, Exit::Inconclusive);
    let walked = tree(nothing).rule(listening(false)).go();
    assert_eq!(
        (walked.result.exit, walked.result.message.as_str()),
        (Exit::Ok, "found nothing: the tree ends here without a finding")
    );
    assert_eq!(walked.result.outputs.field("verdict").to_string(), "unknown");
}

#[test]
fn steps_by_id_are_the_results_of_checks() {
    let text = "  - id: up
    ask: Is it up?
    check: { id: probe, port: 7000, expect: listening }
    no: continue
    yes:
      id: deep
      ask: Deep?
      check: { id: inner, memory: {} }
      no: { id: leaf, finding: never }
  - id: both
    ask: Both?
    check: [{ id: one, port: 7000 }, { port: 7001 }]
    yes: { finding: x }
";
    let outputs = "outputs:\n  a: \"{{ steps.up.outcome }} {{ steps.up.answer }} {{ steps.up.listening }} {{ steps.probe.listening }}\"\n  b: \"{{ steps.deep.outcome }} {{ steps.deep.answer is none }} {{ steps.deep.used_percent is none }} {{ steps.inner.outcome }} {{ steps.leaf.outcome }}\"\n  c: \"{{ steps.both.outcome }} {{ steps.both.answer }} {{ steps.one.outcome }}\"\n  d: \"{{ steps.up.error }}\"\n";
    let walked = Walk::new(&format!("playbook: x\n{outputs}triage:\n{text}")).rule(listening(false)).go();
    let output = |name: &str| walked.result.outputs.field(name).to_string();
    assert_eq!(output("a"), "failed no false false");
    assert_eq!(output("b"), "skipped true true skipped skipped");
    assert_eq!(output("d"), "listening   (listening was false)");
    // Its default verdict says that a port is well when it is free or listening.
    assert_eq!(output("c").split(' ').nth(1), walked.answers()[1].split(' ').nth(1));
}

#[test]
fn a_played_tree_succeeds_and_its_caller_decides() {
    let outer = "playbook: x\nsteps:\n  - { id: t, play: tree }\n  - { id: fix, note: \"{{ steps.t.verdict }} {{ steps.t.findings }} {{ steps.t.port }}\", when: \"'down' in steps.t.findings\" }\n  - { note: \"{{ steps.t.outcome }} {{ findings }} {{ run.verdict }}\" }\n";
    let inner = "playbook: T\ntriage:\n  ask: Up?\n  check: { port: 7000, expect: listening }\n  no: { finding: down, severity: critical, remedy: { play: other } }\noutputs: { port: \"{{ 7000 }}\" }\n";
    let other = "playbook: O\nsteps:\n  - note: never\n";
    let walked = Walk::new(outer).file("tree.yaml", inner).file("other.yaml", other).rule(listening(false)).detailed_exit().go();
    // Findings and verdicts of a tree are its own; the run is a procedure and succeeded.
    assert_eq!(walked.notes(), ["critical [\"down\"] 7000", "ok [] null"]);
    assert_eq!((walked.result.exit, walked.message("t")), (Exit::Ok, "found down (critical)".to_owned()));
    let events = walked.world.events.lock().unwrap();
    let path = events.iter().find_map(|e| if let Event::NodeAnswered { path, .. } = e { Some(path.to_string()) } else { None });
    assert_eq!(path.as_deref(), Some("steps[1]>tree:triage"));
}

#[test]
fn a_question_of_a_played_tree_is_answered_by_its_path() {
    let outer = "playbook: x\nsteps:\n  - { id: t, play: tree }\n";
    let inner = "playbook: T\ntriage:\n  - ask: Up?\n    no: { finding: down }\n  - { id: second, ask: \"Slow?\", yes: { finding: slow } }\n";
    let walked = Walk::new(outer).file("tree.yaml", inner).answer("steps[1]>tree:triage[1]", "no").answer("second", "yes").go();
    assert_eq!(walked.findings(), ["down", "slow"]);
    assert_eq!(walked.answers(), ["triage[1] no test", "second yes test"]);
}

#[test]
fn a_tree_may_ask_by_playing_and_only_what_looks() {
    let outer = "  id: up\n  ask: Is it up?\n  check: { play: look }\n  yes: { finding: fine }\n  no: { finding: down, say: \"{{ steps.up.port }}\" }\n  unknown: { finding: lost }\n";
    let look = "playbook: L\nsteps:\n  - { id: p, port: 7000, expect: listening }\noutputs: { port: \"{{ 1 }}\" }\n";
    assert_eq!(tree(outer).file("look.yaml", look).rule(listening(true)).go().findings(), ["fine"]);
    assert_eq!(tree(outer).file("look.yaml", look).rule(listening(false)).go().findings(), ["down"]);
    let lost = Scripted::gives::<String>("port", []).in_turn([Answer::CannotTell { message: "lost".into() }]);
    assert_eq!(tree(outer).file("look.yaml", look).rule(lost).go().findings(), ["lost"]);
}

#[test]
fn two_walks_with_the_same_answers_are_the_same() {
    let events = || {
        let walked = several().go();
        let events = walked.world.events.lock().unwrap();
        serde_json::to_string(&*events).unwrap()
    };
    assert_eq!(events(), events());
}
