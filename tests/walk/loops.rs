//! Loops: four orders, passes, results.

use jiff::SignedDuration;
use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_core::world::Answer;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, answer, fails, unmet};

const GRAPH: &str = "
playbook: A test
vars:
  list:
    - { id: gateway, needs: [memory, router] }
    - { id: memory, needs: [eva] }
    - { id: router, needs: [eva] }
    - { id: eva }
steps:
  - id: each
    for_each: list
    order: ORDER
    file.write: { path: \"/{{ item.id }}\", content: x }
";

fn paths(walked: &crate::harness::Walked) -> Vec<String> {
    walked.world.calls.lock().unwrap().iter().map(|c| c.args.field("path").to_string()).collect()
}

#[test]
fn listed_and_reverse() {
    for (order, expected) in
        [("listed", ["/gateway", "/memory", "/router", "/eva"]), ("reverse", ["/eva", "/router", "/memory", "/gateway"])]
    {
        let walked = Walk::new(&GRAPH.replace("ORDER", order)).rule(answer("file.write", true)).go();
        assert_eq!(paths(&walked), expected, "{order}");
    }
}

#[test]
fn dependencies_run_at_the_same_time_as_far_as_they_can() {
    let second = SignedDuration::from_secs(1);
    let walked = Walk::new(&GRAPH.replace("ORDER", "dependencies")).rule(answer("file.write", true).taking(second)).go();
    assert_eq!(paths(&walked)[0], "/eva");
    assert_eq!(paths(&walked)[3], "/gateway");
    // eva, then memory and router together, then the gateway: the critical path, not the sum.
    assert_eq!(walked.elapsed, second * 3);
    let runbook_core::event::Event::RunFinished { critical_path: Some(path), .. } = walked.end() else { panic!("a path") };
    assert_eq!(path.steps.first().map(String::as_str), Some("eva"));
    assert_eq!(path.steps.last().map(String::as_str), Some("gateway"));
    assert_eq!(path.steps.len(), 3);
    let walked = Walk::new(&GRAPH.replace("ORDER", "reverse_dependencies")).rule(answer("file.write", true).taking(second)).go();
    assert_eq!((paths(&walked)[0].as_str(), paths(&walked)[3].as_str()), ("/gateway", "/eva"));
}

#[test]
fn a_failed_item_stops_the_loop_and_what_needs_it() {
    let failing = Scripted::gives::<String>("file.write", []).with("path", Value::str("/memory")).in_turn([unmet("disk full")]);
    let walked = Walk::new(&GRAPH.replace("ORDER", "dependencies")).rule(failing).rule(answer("file.write", true)).go();
    assert_eq!(walked.result.exit, Exit::Failed);
    assert!(!paths(&walked).contains(&"/gateway".to_owned()));
    assert!(walked.result.message.contains("disk full"), "{}", walked.result.message);
}

#[test]
fn tolerated_failures_skip_only_dependants() {
    let text = GRAPH.replace("ORDER", "dependencies\n    continue_on_error: true");
    let failing = Scripted::gives::<String>("file.write", []).with("path", Value::str("/memory")).in_turn([unmet("disk full")]);
    let walked = Walk::new(&text).rule(failing).rule(answer("file.write", true)).go();
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(walked.message("each@gateway"), "it needs memory, which failed");
    assert!(paths(&walked).contains(&"/router".to_owned()));
}

#[test]
fn a_skipped_item_satisfies_those_that_need_it() {
    let text = GRAPH.replace("ORDER", "dependencies\n    when: item.id != 'memory'");
    let walked = Walk::new(&text).rule(answer("file.write", true)).go();
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(paths(&walked), ["/eva", "/router", "/gateway"]);
}

#[test]
fn items_of_a_map_have_their_key_and_results_are_keyed() {
    let walked = Walk::steps(
        "
  - id: each
    for_each: { a: { port: 1 }, b: { port: 2 } }
    file: \"/{{ item.id }}{{ item.port }}\"
  - note: \"{{ steps.each.items.b.kind }} {{ steps.each.items | length }}\"
",
    )
    .rule(
        Scripted::gives("file", [("exists", Value::Bool(true)), ("kind", Value::str("second"))]).with("path", Value::str("/b2")),
    )
    .rule(Scripted::gives("file", [("exists", Value::Bool(true))]))
    .go();
    assert_eq!(walked.notes(), ["second 2"]);
}

#[test]
fn inside_an_id_means_the_pass_and_outside_its_items() {
    let file = |path: &str| {
        Scripted::gives("file", [("exists", Value::Bool(true)), ("path", Value::str(path))]).with("path", Value::str(path))
    };
    let walked = Walk::steps(
        "
  - for_each: [1, 2]
    as: k
    block:
      - id: inner
        file: \"/{{ k }}\"
      - note: \"{{ steps.inner.path }}\"
  - note: \"{{ steps.inner.items | map(attribute='path') | join(',') }}\"
",
    )
    .rule(file("/1"))
    .rule(file("/2"))
    .go();
    assert_eq!(walked.notes(), ["/1", "/2", "/1,/2"]);
}

#[test]
fn max_parallel_bounds_a_list() {
    let second = SignedDuration::from_secs(1);
    let steps = |n: &str| format!("\n  - for_each: [1, 2, 3, 4]\n    max_parallel: {n}\n    file: \"/{{{{ item }}}}\"\n");
    for (n, seconds) in [("1", 4), ("2", 2), ("4", 1)] {
        let walked = Walk::steps(&steps(n)).rule(Scripted::gives("file", [("exists", Value::Bool(true))]).taking(second)).go();
        assert_eq!(walked.elapsed.as_secs(), seconds, "{n}");
    }
}

#[test]
fn a_condition_without_the_item_decides_about_the_whole_loop() {
    let walked = Walk::steps("\n  - id: each\n    for_each: \"[1, 2]\"\n    when: false\n    note: x\n").go();
    assert_eq!(walked.steps(), ["each skipped"]);
}

#[test]
fn what_is_no_list_is_told() {
    let walked = Walk::steps("\n  - id: each\n    for_each: \"[5] | first\"\n    note: x\n").go();
    assert_eq!(walked.message("each"), "`for_each` needs a list or a map, found a number");
}

#[test]
fn a_circle_is_told() {
    let text = "
  - id: each
    for_each: [{ id: a, needs: [b] }, { id: b, needs: [a] }]
    order: dependencies
    note: x
";
    let walked = Walk::steps(text).go();
    assert_eq!(walked.message("each"), "these wait for each other: a, b");
}

#[test]
fn ten_thousand_passes_are_walked() {
    let walked = Walk::steps("\n  - for_each: range(10000)\n    set: { x: \"{{ item }}\" }\n").go();
    assert_eq!(walked.result.exit, Exit::Ok);
}

#[test]
fn each_pass_is_retried_on_its_own() {
    let twice = [unmet("no"), Answer::Done { result: Value::map([("exists", Value::Bool(true))]), changed: false }];
    let walked = Walk::steps("\n  - id: e\n    for_each: [1, 2]\n    file: /x\n    retry: { attempts: 2, every: 1s }\n")
        .rule(Scripted::gives::<String>("file", []).in_turn(twice))
        .go();
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(walked.calls().len(), 3);
}

#[test]
fn a_pattern_may_be_looked_for_again_and_again() {
    let walked = Walk::steps("\n  - for_each: range(1500)\n    file: { path: x, contains: \"a+\" }\n")
        .rule(Scripted::gives("file", [("exists", Value::Bool(true))]))
        .go();
    assert_eq!(walked.result.exit, Exit::Ok);
}

#[test]
fn what_a_failure_keeps_from_running_is_skipped_in_its_result_too_and_says_why() {
    let steps = |order: &str| {
        format!(
            "\n  - {{ id: stop, for_each: [{{ id: a }}, {{ id: b, needs: [a] }}], order: {order}, continue_on_error: true, file: \"/{{{{ item.id }}}}\" }}\n  - note: \"{{{{ steps.stop.items | map(attribute='outcome') | join(' ') }}}}\"\n"
        )
    };
    let walked = Walk::steps(&steps("reverse_dependencies")).rule(fails("file", "busy")).go();
    assert_eq!(walked.notes(), ["skipped failed"]);
    assert_eq!(walked.message("stop@a"), "b needs it and comes first, which failed");
    let walked = Walk::steps(&steps("dependencies")).rule(fails("file", "busy")).go();
    assert_eq!(walked.notes(), ["failed skipped"]);
    assert_eq!(walked.message("stop@b"), "it needs a, which failed");
}

#[test]
fn a_failed_loop_says_which_item_failed() {
    let walked = Walk::steps("\n  - { id: look, for_each: [a, b], file: \"/{{ item }}\" }\n").rule(fails("file", "busy")).go();
    assert_eq!(walked.result.message, "look failed: a: busy");
}

#[test]
fn a_step_that_is_called_by_what_it_says_says_it_once() {
    let walked = Walk::steps("\n  - fail: There is no backup\n").go();
    assert_eq!(walked.result.message, "There is no backup");
}
