//! Sessions of triage trees: going back, looking again, passing over, and what is done about a finding.

use runbook_core::event::{Event, Remedied, RunOutcome};
use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_core::world::QuestionKind;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, Walked, answer, done, fails};

fn tree(nodes: &str) -> Walk {
    Walk::new(&format!("playbook: A tree\ntriage:\n{nodes}"))
}

fn listening(yes: bool) -> Scripted {
    Scripted::gives("port", [("listening", Value::Bool(yes)), ("free", Value::Bool(!yes))])
}

/// What was asked, in order, with the suggestion of each.
fn asked(walked: &Walked) -> Vec<String> {
    let all = walked.world.asked.lock().unwrap();
    let suggestion = |kind: &QuestionKind| match kind {
        QuestionKind::Node { suggestion, .. } => suggestion.as_ref().map_or_else(String::new, |s| format!(" [{s}]")),
        _ => String::new(),
    };
    all.iter().map(|q| format!("{}{}", q.id, suggestion(&q.kind))).collect()
}

fn remedied(walked: &Walked) -> Vec<(String, Remedied)> {
    let events = walked.world.events.lock().unwrap();
    let one = |event: &Event| match event {
        Event::Remedied { finding, outcome, .. } => Some((finding.clone(), *outcome)),
        _ => None,
    };
    events.iter().filter_map(one).collect()
}

const THREE: &str = "
  - { id: up, ask: Is it up?, check: { port: 7000, expect: listening }, no: { finding: down } }
  - { id: red, ask: Is the lamp red?, yes: { finding: red-lamp } }
  - { id: hot, ask: Is it hot?, yes: { finding: too-hot } }
";

#[test]
fn back_takes_back_what_was_answered_and_found() {
    let walked =
        tree(THREE).rule(listening(true)).answer("red", "yes").answer("red", "no").answer("hot", "back").answer("hot", "no").go();
    assert_eq!(walked.result.message, "found nothing: the tree ends here without a finding");
    // The question that was gone back to is asked again, with what was answered before as the suggestion.
    assert_eq!(asked(&walked), ["red", "hot", "red [yes]", "hot"]);
    assert_eq!(walked.answers(), ["up yes probed", "red yes test", "red no test", "hot no test"]);
    let back = walked.world.events.lock().unwrap().iter().any(|e| matches!(e, Event::WentBack { key, .. } if key == "red"));
    assert!(back);
    // The facts count the walk that counts.
    let facts = walked.world.events.lock().unwrap().iter().find_map(|e| match e {
        Event::Concluded { probed, answered, findings, .. } => Some((*probed, *answered, findings.clone())),
        _ => None,
    });
    assert_eq!(facts, Some((1, 2, Vec::new())));
}

#[test]
fn back_goes_over_questions_that_checks_answered() {
    let walked =
        tree(THREE).rule(listening(true)).answer("red", "back").answer("red", "no").answer("up", "no").answer("hot", "no").go();
    assert_eq!(asked(&walked), ["red", "up [yes]", "red", "hot"]);
    assert_eq!(walked.result.message, "found down (info)");
    // What was just seen is not looked at again.
    assert_eq!(walked.calls().len(), 1);
    let overridden = walked.world.events.lock().unwrap().iter().any(|e| {
        matches!(e, Event::NodeAnswered { key, answer, probe: Some(probe), .. } if key == "up" && answer == "no" && probe == "yes")
    });
    assert!(overridden);
    let counted = walked.world.events.lock().unwrap().iter().any(|e| matches!(e, Event::Concluded { overridden: 1, .. }));
    assert!(counted);
}

#[test]
fn back_at_the_first_question_asks_it_again() {
    let walked = tree("  { id: red, ask: Is it red?, no: { finding: pale } }\n").answer("red", "back").answer("red", "no").go();
    assert_eq!((asked(&walked), walked.findings()), (vec!["red".to_owned(), "red".to_owned()], vec!["pale".to_owned()]));
}

#[test]
fn what_was_found_and_kept_before_is_as_it_was() {
    let nodes = "
  - { id: a, ask: A?, yes: { finding: first } }
  - { id: b, ask: B?, when: not findings, yes: { finding: second } }
  - { id: c, ask: C?, no: { finding: third, say: \"b was {{ steps.b.outcome }}\" } }
";
    let walked = tree(nodes).answer("a", "yes").answer("a", "no").answer("c", "back").answer("c", "no").answer("b", "yes").go();
    // With `first` taken back, `b` is asked; and what it left is there for the leaf.
    assert_eq!(asked(&walked), ["a", "c", "a [yes]", "b", "c"]);
    assert_eq!(walked.findings(), ["first", "second", "third"]);
    assert_eq!(walked.result.message, "found second (info), third (info)");
}

#[test]
fn again_looks_again_and_keeps_both_readings() {
    let nodes = "  { id: up, ask: Is it up?, auto: suggest, check: { port: 7000, expect: listening }, no: { finding: down } }\n";
    let rule = Scripted::gives::<String>("port", [])
        .in_turn([done([("listening", Value::Bool(false))]), done([("listening", Value::Bool(true))])]);
    let walked = tree(nodes).rule(rule).answer("up", "again").answer("up", "yes").go();
    assert_eq!(asked(&walked), ["up [no]", "up [yes]"]);
    assert_eq!((walked.calls().len(), walked.findings().len()), (2, 0));
    // The second look has a place of its own in the record.
    let paths: Vec<String> = walked.world.calls.lock().unwrap().iter().map(|c| c.path.to_string()).collect();
    assert_ne!(paths[0], paths[1]);
}

#[test]
fn what_is_passed_over_counts_as_unknown_and_is_told() {
    let nodes = "  { id: red, ask: Is it red?, unknown: { finding: nobody-looked } }\n";
    let walked = tree(nodes).answer("red", "skip").go();
    assert_eq!((walked.answers(), walked.findings()), (vec!["red unknown skipped".to_owned()], vec!["nobody-looked".to_owned()]));
    let told = walked.world.events.lock().unwrap().iter().any(|e| matches!(e, Event::Concluded { skipped: 1, unknown: 1, .. }));
    assert!(told);
}

#[test]
fn later_leaves_the_session_and_says_how_to_come_back() {
    let walked = tree(THREE).rule(listening(true)).answer("red", "later").go();
    assert_eq!((walked.result.exit, walked.result.outcome), (Exit::InputNeeded, RunOutcome::Parked));
    let Event::RunFinished { next, .. } = walked.end() else { panic!("an end") };
    assert_eq!(next[0], "runbook triage --resume test-run");
}

const FIX: &str = "playbook: Mend it\nsteps:\n  - { id: mend, file.write: { path: /x, content: z } }\n";
const MENDS: &str = "  id: up\n  ask: Is it up?\n  check: { port: 7000, expect: listening }\n  no:\n    finding: down\n    severity: critical\n    remedy: { play: fix, verify: [{ port: 7001, expect: listening }], cooldown: 1m, limit: 2 }\n";

fn two(first: bool, then: bool) -> Scripted {
    let seen = |yes| done([("listening", Value::Bool(yes))]);
    // The tree, what the remedy is verified by, the tree again.
    Scripted::gives::<String>("port", []).in_turn([seen(first), seen(true), seen(then)])
}

fn mending(rule: Scripted) -> Walk {
    tree(MENDS).file("fix.yaml", FIX).rule(rule).rule(answer("file.write", true))
}

#[test]
fn a_remedy_never_runs_by_itself() {
    let walked = mending(listening(false)).go();
    assert_eq!((walked.findings(), walked.calls().len()), (vec!["down".to_owned()], 1));
    assert!(remedied(&walked).is_empty() && walked.world.asked.lock().unwrap().is_empty());
    let Event::RunFinished { next, .. } = walked.end() else { panic!("an end") };
    assert_eq!(next[0], "runbook play fix");
    assert_eq!(mending(listening(false)).answer("remedy", "leave").go().calls().len(), 1);
}

#[test]
fn a_remedy_is_verified_and_the_tree_is_asked_again() {
    let walked = mending(two(false, true)).answer("remedy", "run").go();
    assert_eq!(walked.calls(), ["port", "file.write", "port", "port"]);
    assert_eq!(remedied(&walked), [("down".to_owned(), Remedied::Fixed)]);
    assert_eq!((walked.result.exit, walked.result.outcome), (Exit::Ok, RunOutcome::Succeeded));
    assert!(walked.result.message.starts_with("down is fixed"), "{}", walked.result.message);
}

#[test]
fn a_remedy_that_does_not_help_is_a_failure() {
    let walked = mending(two(false, false)).answer("remedy", "run").go();
    assert_eq!(remedied(&walked), [("down".to_owned(), Remedied::NotFixed)]);
    assert_eq!(walked.result.exit, Exit::Failed);
    // What it is verified by does not hold.
    let seen = |yes| done([("listening", Value::Bool(yes))]);
    let rule = Scripted::gives::<String>("port", []).in_turn([seen(false), seen(false), seen(true)]);
    let walked = mending(rule).answer("remedy", "run").go();
    assert_eq!(remedied(&walked), [("down".to_owned(), Remedied::NotFixed)]);
    assert!(walked.result.message.contains("no longer found"), "{}", walked.result.message);
    // The remedy itself fails.
    let walked = tree(MENDS)
        .file("fix.yaml", FIX)
        .rule(listening(false))
        .rule(fails("file.write", "no room"))
        .answer("remedy", "run")
        .go();
    assert_eq!(remedied(&walked), [("down".to_owned(), Remedied::Failed)]);
    assert!(walked.result.exit == Exit::Failed && walked.result.message.contains("no room"), "{}", walked.result.message);
}

#[test]
fn steps_are_a_remedy_too_and_are_proposed() {
    let nodes = "  id: up\n  ask: Is it up?\n  check: { port: 7000, expect: listening }\n  no:\n    finding: down\n    remedy: { steps: [{ file.write: { path: /x, content: z } }] }\n";
    let walked = tree(nodes).rule(listening(false)).go();
    let Event::RunFinished { next, .. } = walked.end() else { panic!("an end") };
    assert_eq!(next[0], "runbook play test --remedy run");
    let seen = |yes| done([("listening", Value::Bool(yes))]);
    let rule = Scripted::gives::<String>("port", []).in_turn([seen(false), seen(true)]);
    let walked = tree(nodes).rule(rule).rule(answer("file.write", true)).answer("remedy", "run").go();
    assert_eq!((remedied(&walked), walked.calls().len()), (vec![("down".to_owned(), Remedied::Fixed)], 3));
}

#[test]
fn a_remedy_that_asks_is_declined_without_a_loss() {
    let asks = "playbook: Mend it\nsteps:\n  - { id: mend, file.write: { path: /x, content: z }, confirm: true }\n";
    let walk =
        || tree(MENDS).file("fix.yaml", asks).rule(listening(false)).rule(answer("file.write", true)).answer("remedy", "run");
    let walked = walk().answer("mend", "no").go();
    assert_eq!((walked.result.exit, walked.calls().len()), (Exit::Declined, 1));
    let walked = walk().go();
    assert_eq!((walked.result.exit, walked.calls().len()), (Exit::InputNeeded, 1));
}

#[test]
fn what_was_said_beforehand_does_not_answer_the_tree_after_a_remedy() {
    // `--answer up=no` says how it was, not how it is.
    let walked = mending(two(true, true)).answer("up", "no").answer("remedy", "run").go();
    assert_eq!(remedied(&walked), [("down".to_owned(), Remedied::Fixed)]);
}
