//! Triage trees: who answers, and where an answer leads.

use jiff::SignedDuration;
use runbook_core::event::{Event, RunOutcome};
use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_core::world::{Answer, QuestionKind, StopReason};
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, Walked, answer, done, fails, unmet};

/// A tree with these nodes.
fn tree(nodes: &str) -> Walk {
    Walk::new(&format!("playbook: A tree\ntriage:\n{nodes}"))
}

/// A module that comes to this each time.
fn comes_to(module: &str, answer: Answer) -> Scripted {
    Scripted::gives::<String>(module, []).in_turn([answer])
}

fn listening(yes: bool) -> Scripted {
    Scripted::gives("port", [("listening", Value::Bool(yes)), ("free", Value::Bool(!yes))])
}

fn cannot_tell(message: &str) -> Answer {
    Answer::CannotTell { message: message.into() }
}

const UP: &str = "  id: up\n  ask: Is it up?\n  check: { port: 7000, expect: listening }\n  yes: { finding: healthy }\n  no: { finding: down }\n";
const UNKNOWN: &str = "  unknown: { finding: nobody-knows }\n";

fn up(rule: Scripted) -> Walked {
    tree(UP).rule(rule).go()
}

#[test]
fn a_check_answers_by_itself() {
    let walked = up(listening(true));
    assert_eq!((walked.answers(), walked.findings()), (vec!["up yes probed".to_owned()], vec!["healthy".to_owned()]));
    assert!(walked.world.asked.lock().unwrap().is_empty());
    let walked = up(listening(false));
    assert_eq!((walked.answers(), walked.findings()), (vec!["up no probed".to_owned()], vec!["down".to_owned()]));
    assert_eq!(walked.evidence("up"), "listening   (listening was false)");
    assert_eq!(walked.result.exit, Exit::Ok);
}

#[test]
fn refused_reset_and_timed_out_are_a_no() {
    for message in ["connection refused", "connection reset by peer", "timed out after 5s"] {
        let walked = up(fails("port", message));
        assert_eq!((walked.answers(), walked.evidence("up")), (vec!["up no probed".to_owned()], message.to_owned()));
    }
    let timed_out = Answer::TimedOut { after: SignedDuration::from_secs(5), result: Value::Null };
    assert_eq!(up(comes_to("port", timed_out)).answers(), ["up no probed"]);
    // By the step's own limit too.
    let limited = "  id: up\n  ask: Is it up?\n  check: { port: 7000, timeout: 2s }\n  no: { finding: down }\n";
    let walked = tree(limited).rule(listening(true).taking(SignedDuration::from_secs(60))).go();
    assert_eq!((walked.answers(), walked.evidence("up")), (vec!["up no probed".to_owned()], "timed out after 2s".to_owned()));
}

#[test]
fn what_our_side_could_not_do_is_never_a_no() {
    let not_allowed = Answer::Refused { message: "not allowed".into() };
    let makes_no_sense = Answer::Invalid { message: "no such thing".into(), argument: None };
    for (what, answer) in [("no permission", cannot_tell("no permission")), ("refused", not_allowed), ("invalid", makes_no_sense)]
    {
        let walked = tree(&format!("{UP}{UNKNOWN}")).rule(comes_to("port", answer)).go();
        assert_eq!(walked.findings(), ["nobody-knows"], "{what}");
    }
    // An expression that fails says nothing about what was looked at, be it in an argument, in `expect`, or in `when`.
    for check in
        ["{ port: \"{{ params.p.b }}\" }", "{ port: 7000, expect: params.p.a > 'x' }", "{ port: 7000, when: params.p.b < 5 }"]
    {
        let text = format!("playbook: x\nparams: {{ p: {{ type: map, default: {{ a: 1 }} }} }}\ntriage:\n{UP}{UNKNOWN}");
        let walked = Walk::new(&text.replace("{ port: 7000, expect: listening }", check)).rule(listening(true)).go();
        assert_eq!(walked.findings(), ["nobody-knows"], "{check}");
    }
}

#[test]
fn a_program_that_could_not_judge_is_no_no() {
    let program = |expect: &str| {
        format!(
            "  id: up\n  ask: Is it up?\n  check: {{ command: [probe], effect: read{expect} }}\n  yes: {{ finding: a }}\n  no: {{ finding: b }}\n{UNKNOWN}"
        )
    };
    let ends = |code: Value, signal: Value| Scripted::gives("command", [("exit_code", code), ("signal", signal)]);
    for (code, finding) in
        [(0, "a"), (1, "b"), (124, "b"), (125, "nobody-knows"), (126, "nobody-knows"), (127, "nobody-knows"), (128, "b")]
    {
        let walked = tree(&program("")).rule(ends(Value::Int(code), Value::Null)).go();
        assert_eq!(walked.findings(), [finding], "{code}");
    }
    let walked = tree(&program("")).rule(ends(Value::Null, Value::str("KILL"))).go();
    assert_eq!(walked.findings(), ["nobody-knows"]);
    // What the author expects decides.
    let walked = tree(&program(", expect: exit_code == 0")).rule(ends(Value::Int(127), Value::Null)).go();
    assert_eq!(walked.findings(), ["b"]);
}

#[test]
fn a_person_is_asked_what_the_check_cannot_tell() {
    let walked = tree(&format!("{UP}{UNKNOWN}")).rule(comes_to("port", cannot_tell("no permission"))).answer("up", "no").go();
    assert_eq!((walked.answers(), walked.findings()), (vec!["up no test".to_owned()], vec!["down".to_owned()]));
    let asked = walked.world.asked.lock().unwrap();
    assert_eq!((asked[0].id.as_str(), asked[0].text.as_str()), ("up", "Is it up?"));
    assert_eq!(asked[0].details, ["the check cannot tell: no permission"]);
    let QuestionKind::Node { choices, suggestion: default, .. } = &asked[0].kind else { panic!("{asked:?}") };
    assert_eq!(choices.iter().map(ToString::to_string).collect::<Vec<_>>(), ["yes", "no", "unknown"]);
    assert!(default.is_none());
}

#[test]
fn with_nobody_there_unknown_takes_its_branch_or_ends_with_the_way_to_answer() {
    let rule = || comes_to("port", cannot_tell("no permission"));
    let walked = tree(&format!("{UP}{UNKNOWN}")).rule(rule()).go();
    assert_eq!((walked.answers(), walked.findings()), (vec!["up unknown probed".to_owned()], vec!["nobody-knows".to_owned()]));
    let walked = tree(UP).rule(rule()).go();
    assert_eq!((walked.result.exit, walked.result.outcome), (Exit::InputNeeded, RunOutcome::NeedsInput));
    assert!(walked.findings().is_empty());
    assert!(walked.result.message.contains("`up` (\"Is it up?\", one of yes, no, unknown)"), "{}", walked.result.message);
    // A question without a check is never taken for unknown.
    let walked = tree(&format!("  ask: Is it up?\n  no: {{ finding: down }}\n{UNKNOWN}")).go();
    assert_eq!(walked.result.exit, Exit::InputNeeded);
    assert!(walked.result.message.contains("`triage`"), "{}", walked.result.message);
}

#[test]
fn people_say_yes_in_several_ways_and_nonsense_fails() {
    for (said, answer) in
        [("yes", "yes"), ("y", "yes"), ("true", "yes"), ("N", "no"), ("false", "no"), ("u", "unknown"), ("?", "unknown")]
    {
        let walked = tree("  id: up\n  ask: Is it up?\n  no: { finding: down }\n").answer("up", said).go();
        assert_eq!(walked.answers(), [format!("up {answer} test")]);
    }
    let walked = tree("  id: up\n  ask: Is it up?\n  no: { finding: down }\n").answer("up", "perhaps").go();
    assert_eq!(walked.result.exit, Exit::Failed);
    assert!(walked.result.message.contains("perhaps is not one of yes, no, unknown"), "{}", walked.result.message);
}

#[test]
fn of_several_checks_all_must_hold() {
    let text = "  id: up\n  ask: Is it up?\n  check:\n    - { port: 7000 }\n    - { file: /x }\n    - { memory: {} }\n  yes: { finding: a }\n  no: { finding: b }\n  unknown: { finding: c }\n";
    let well = |module: &str| {
        Scripted::gives(
            module,
            [("listening", Value::Bool(true)), ("exists", Value::Bool(true)), ("used_percent", Value::Int(1))],
        )
    };
    let bad = |module: &str| fails(module, "no");
    let lost = |module: &str| comes_to(module, cannot_tell("lost"));
    let go = |rules: [Scripted; 3]| rules.into_iter().fold(tree(text), Walk::rule).go();
    let walked = go([well("port"), well("file"), well("memory")]);
    assert_eq!(walked.findings(), ["a"]);
    // The first that does not hold answers for all; what cannot be told does not outweigh it.
    let walked = go([well("port"), bad("file"), well("memory")]);
    assert_eq!((walked.findings(), walked.calls()), (vec!["b".to_owned()], vec!["port".to_owned(), "file".to_owned()]));
    assert_eq!(walked.evidence("up"), "file /x: no");
    assert_eq!(go([lost("port"), well("file"), bad("memory")]).findings(), ["b"]);
    assert_eq!(go([lost("port"), well("file"), well("memory")]).findings(), ["c"]);
}

#[test]
fn a_check_that_does_not_apply_answers_nothing() {
    let text = |second: &str| {
        format!(
            "  id: up\n  ask: Is it up?\n  check:\n    - {{ file: /x, when: run.dry_run }}\n    - {second}\n  yes: {{ finding: a }}\n  no: {{ finding: b }}\n{UNKNOWN}"
        )
    };
    assert_eq!(tree(&text("{ port: 7000 }")).rule(listening(true)).go().answers(), ["up yes probed"]);
    let walked = tree(&text("{ port: 7000, when: run.dry_run }")).answer("up", "yes").go();
    assert_eq!(walked.answers(), ["up yes test"]);
    assert_eq!(walked.world.asked.lock().unwrap()[0].details, ["the check cannot tell: no check applies here"]);
}

#[test]
fn checks_may_loop_retry_and_be_groups() {
    let each = "  id: up\n  ask: Are they up?\n  check: { for_each: [1, 2, 3], port: \"{{ item }}\" }\n  yes: { finding: a }\n  no: { finding: b }\n";
    assert_eq!(tree(each).rule(listening(true)).go().findings(), ["a"]);
    let walked = tree(each).rule(fails("port", "no").with("port", Value::Int(2))).rule(listening(true)).go();
    assert_eq!(walked.findings(), ["b"]);
    let again = "  id: up\n  ask: Is it up?\n  check: { port: 7000, retry: { attempts: 3, every: 1s } }\n  yes: { finding: a }\n";
    let walked =
        tree(again).rule(listening(true).in_turn([unmet("no"), unmet("no"), done([("listening", Value::Bool(true))])])).go();
    assert_eq!((walked.findings(), walked.elapsed), (vec!["a".to_owned()], SignedDuration::from_secs(2)));
    let group = "  id: up\n  ask: Is it up?\n  check:\n    block:\n      - { port: 7000 }\n      - { file: /x }\n  no: { finding: b }\n  unknown: { finding: c }\n";
    assert_eq!(tree(group).rule(listening(true)).rule(fails("file", "gone")).go().findings(), ["b"]);
    assert_eq!(tree(group).rule(comes_to("port", cannot_tell("lost"))).go().findings(), ["c"]);
}

#[test]
fn nothing_can_be_changed_by_a_check() {
    // Known only when it runs: the effect of a played playbook's steps is checked before, that of these arguments at the door.
    let text = "  id: up\n  ask: Is it up?\n  check: { http.request: { url: \"http://127.0.0.1/\", method: \"{{ run.program }}\" } }\n  no: { finding: b }\n  unknown: { finding: c }\n";
    match tree(text).rule(answer("http.request", true)).attempt() {
        Err(mistakes) => assert!(mistakes[0].contains("E0211"), "{mistakes:?}"),
        Ok(walked) => assert!(walked.calls().is_empty(), "{:?}", walked.calls()),
    }
}

const CHOICES: &str = "  id: how\n  ask: How is it?\n  check: { http: \"http://127.0.0.1/\", expect: status == 200 }\n  answer: \"'good' if status == 200 else 'bad' if status == 500 else json\"\n  choices: [good, bad, 404]\n  cases:\n    good: { finding: good }\n    \"404\": { finding: gone }\n  default: { finding: other }\n";

#[test]
fn a_check_chooses_by_its_answer() {
    let status = |n: i64| Scripted::gives("http", [("status", Value::Int(n)), ("json", Value::Int(n))]);
    for (n, finding, branch) in [(200, "good", "good"), (404, "gone", "404"), (500, "other", "default")] {
        let walked = tree(CHOICES).rule(status(n)).go();
        assert_eq!(walked.findings(), [finding]);
        let events = walked.world.events.lock().unwrap();
        let taken =
            events.iter().find_map(|e| if let Event::NodeAnswered { branch, .. } = e { Some(branch.clone()) } else { None });
        assert_eq!(taken.as_deref(), Some(branch));
    }
    // What is none of the choices is asked, and so is what could not be looked at.
    let walked = tree(CHOICES).rule(status(7)).answer("how", "404").go();
    assert_eq!((walked.answers(), walked.findings()), (vec!["how 404 test".to_owned()], vec!["gone".to_owned()]));
    assert_eq!(walked.world.asked.lock().unwrap()[0].details, ["the check cannot tell: `7` is none of the choices"]);
    let walked = tree(CHOICES).rule(fails("http", "refused")).answer("how", "bad").go();
    assert_eq!(
        walked.world.asked.lock().unwrap()[0].details,
        ["the check cannot tell: `'good' if status == 200 else 'bad' if status == 500 else json` is null"]
    );
    let walked = tree(CHOICES).rule(comes_to("http", cannot_tell("no route"))).go();
    assert_eq!(walked.result.exit, Exit::InputNeeded);
    assert!(walked.result.message.contains("one of good, bad, 404"), "{}", walked.result.message);
}

#[test]
fn choices_may_be_made_when_the_tree_is_walked() {
    let text = "playbook: x\nparams: { kinds: { type: list, default: [a, b, c] } }\ntriage:\n  - id: kind\n    ask: Which?\n    answer: params.kinds[1]\n    auto: suggest\n    choices: \"{{ params.kinds }}\"\n    cases:\n      a: { finding: a }\n  - id: next\n    finding: after\n    when: steps.kind.answer == 'b'\n";
    let walked = Walk::new(text).answer("kind", "b").go();
    assert_eq!(walked.findings(), ["after"]);
    let asked = walked.world.asked.lock().unwrap();
    assert!(matches!(&asked[0].kind, QuestionKind::Node { suggestion: Some(d), .. } if d.to_string() == "b"), "{asked:?}");
    drop(asked);
    let walked = Walk::new(&text.replace("[a, b, c]", "[]")).go();
    assert_eq!(walked.result.exit, Exit::Failed);
}

#[test]
fn auto_says_whether_the_check_is_taken_at_its_word() {
    let with = |auto: &str| format!("{UP}  auto: {auto}\n");
    let walked = tree(&with("suggest")).rule(listening(false)).answer("up", "yes").go();
    assert_eq!((walked.answers(), walked.findings()), (vec!["up yes test".to_owned()], vec!["healthy".to_owned()]));
    {
        let asked = walked.world.asked.lock().unwrap();
        assert!(
            matches!(&asked[0].kind, QuestionKind::Node { suggestion: Some(d), .. } if d.as_str() == Some("no")),
            "{asked:?}"
        );
        assert_eq!(asked[0].details, ["the check says no: listening   (listening was false)"]);
        let events = walked.world.events.lock().unwrap();
        let probe =
            events.iter().find_map(|e| if let Event::NodeAnswered { probe, .. } = e { Some(probe.clone()) } else { None });
        assert_eq!(probe, Some(Some("no".to_owned())));
    }
    let walked = tree(&with("never")).rule(listening(false)).answer("up", "no").go();
    let asked = walked.world.asked.lock().unwrap();
    assert!(matches!(&asked[0].kind, QuestionKind::Node { suggestion: None, .. }), "{asked:?}");
    drop(asked);
    for auto in ["suggest", "never"] {
        assert_eq!(tree(&with(auto)).rule(listening(true)).go().result.exit, Exit::InputNeeded, "{auto}");
    }
}

#[test]
fn a_list_is_visited_in_order_and_continue_goes_on() {
    let text = "  - id: a
    ask: A?
    yes:
      - { finding: first }
      - id: deeper
        ask: Deeper?
        no: continue
        yes: { finding: never }
      - { finding: second }
  - id: b
    ask: B?
    when: \"'first' in findings and 'second' in findings\"
    yes: { finding: third }
  - { id: last, finding: fourth, when: not findings }
  - ask: Not asked?
    when: \"'fourth' in findings\"
    yes: { finding: fifth }
";
    let walked = tree(text).answer("a", "yes").answer("deeper", "no").answer("b", "yes").go();
    assert_eq!(walked.findings(), ["first", "second", "third"]);
    assert_eq!(walked.answers(), ["a yes test", "deeper no test", "b yes test"]);
    // An answer whose branch was left out goes on too.
    let walked = tree(text).answer("a", "no").go();
    assert_eq!(walked.result.exit, Exit::InputNeeded, "the last question is asked: {}", walked.result.message);
    assert_eq!(walked.findings(), ["fourth"]);
}

#[test]
fn goto_goes_there_and_not_back() {
    let text = "  - id: a
    ask: A?
    yes: { goto: inside }
    no: { finding: no-a }
  - finding: passed-over
  - id: b
    ask: B?
    no:
      - { finding: before }
      - { id: inside, finding: inside }
      - { finding: behind }
  - finding: last
";
    let walked = tree(text).answer("a", "yes").go();
    assert_eq!(walked.findings(), ["inside", "behind", "last"]);
}

#[test]
fn a_tree_may_go_around_until_it_gets_out() {
    let text = "  - id: up\n    ask: Is it up now?\n    check: { port: 7000, expect: listening }\n    no: { goto: wait }\n    yes: { finding: up-again }\n  - id: wait\n    ask: Shall we look again?\n    yes: { goto: up }\n";
    let turns = || {
        let no = || done([("listening", Value::Bool(false))]);
        Scripted::gives::<String>("port", []).in_turn([no(), no(), done([("listening", Value::Bool(true))])])
    };
    let walked = tree(text).rule(turns()).answer("wait", "yes").go();
    // After it is up the list goes on, and the question is answered as before: looking once more, it is still up.
    assert_eq!(walked.findings().first().map(String::as_str), Some("up-again"));
    let calls: Vec<String> = walked.world.calls.lock().unwrap().iter().take(3).map(|c| c.path.to_string()).collect();
    assert_eq!(calls, ["triage[1].check[1]", "triage[1]#2.check[1]", "triage[1]#3.check[1]"]);
    // Each visit asks by the same id, so that one answer given beforehand answers all.
    assert!(walked.world.asked.lock().unwrap().iter().all(|q| q.id == "wait"));
}

#[test]
fn a_tree_that_never_gets_out_ends_as_failed() {
    let text = "  - id: up\n    ask: Is it up now?\n    check: { port: 7000, expect: listening }\n    no: { goto: up }\n    yes: { finding: up-again }\n";
    let walked = tree(text).rule(listening(false)).go();
    assert_eq!(walked.result.exit, Exit::Failed);
    assert_eq!(walked.result.message, "up failed: the tree came here 100 times and does not get any further");
    assert_eq!(walked.calls().len(), 100);
}

#[test]
fn a_condition_that_cannot_be_told_fails_the_run() {
    let text = "playbook: x\nparams: { p: { type: map, default: { a: 1 } } }\ntriage:\n  - id: a\n    ask: A?\n    when: params.p.a > 'x'\n    yes: { finding: b }\n";
    let walked = Walk::new(&text.replace("params.p.a > 'x'", "params.p.b > 1")).go();
    assert_eq!(walked.result.exit, Exit::Failed, "{}", walked.result.message);
    assert!(walked.result.message.starts_with("a failed: "), "{}", walked.result.message);
}

#[test]
fn a_run_that_is_stopped_looks_at_nothing_more() {
    let text = format!(
        "  - ask: First?\n    check: {{ wait: 1m }}\n    yes: continue\n    no: {{ finding: x }}\n{}",
        "  - ask: Second?\n    check: { port: 7000 }\n    no: { finding: y }\n"
    );
    let walked = tree(&text).rule(listening(true)).stop_after(SignedDuration::from_secs(5), StopReason::Interrupt).go();
    assert_eq!(walked.result.exit, Exit::Interrupted);
    assert!(walked.calls().is_empty() && walked.findings().is_empty());
}

#[test]
fn preconditions_and_what_comes_in_any_case_stand_around_a_tree() {
    let text = format!(
        "playbook: x\nrequires:\n  - {{ file: /x }}\nalways:\n  - note: \"{{{{ run.verdict }}}} {{{{ findings }}}}\"\ntriage:\n{UP}"
    );
    let walked = Walk::new(&text).rule(fails("file", "gone")).go();
    assert_eq!((walked.result.exit, walked.answers().len()), (Exit::Precondition, 0));
    let walked = Walk::new(&text).rule(Scripted::gives("file", [("exists", Value::Bool(true))])).rule(listening(true)).go();
    assert_eq!((walked.result.exit, walked.notes()), (Exit::Ok, vec!["ok [\"healthy\"]".to_owned()]));
}

#[test]
fn a_check_in_a_loop_leaves_its_items_under_the_nodes_id() {
    let nodes = "  id: up\n  ask: Are they up?\n  check: { for_each: [7000, 7001], port: \"{{ item }}\", expect: listening }\n  no: { finding: down, say: \"{{ steps.up.items | selectattr('outcome', 'ne', 'ok') | list | length }} of them\" }\n";
    let walked = tree(nodes).rule(listening(false)).go();
    assert_eq!(walked.findings(), ["down"]);
    let said = walked.world.events.lock().unwrap().iter().find_map(|e| match e {
        Event::Finding { say, .. } => say.clone(),
        _ => None,
    });
    assert_eq!(said.as_deref(), Some("1 of them"));
}
