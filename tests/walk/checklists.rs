//! Checklists: every check is evaluated, the worst is the verdict, and walking to the end is success.

use runbook_core::event::{Event, GradeWord};
use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_core::world::Answer;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, Walked, fails};

fn rows(walked: &Walked) -> Vec<(String, GradeWord)> {
    let events = walked.world.events.lock().unwrap();
    events
        .iter()
        .filter_map(|e| if let Event::Row { row, .. } = e { Some((row.name.clone(), row.grade)) } else { None })
        .collect()
}

fn verdict(walked: &Walked) -> GradeWord {
    let events = walked.world.events.lock().unwrap();
    events.iter().find_map(|e| if let Event::Verdict { verdict, .. } = e { Some(*verdict) } else { None }).unwrap()
}

fn memory(percent: f64) -> Scripted {
    Scripted::gives("memory", [("used_percent", Value::Float(percent))])
}

const TEXT: &str = "
playbook: A checklist
checks:
  - name: Memory
    memory: {}
    grade: { value: used_percent, target: 70, warning: 80, critical: 90, unit: \"%\" }
  - { name: A file, file: /x }
  - { name: A minor file, file: /y, severity: warning }
  - { name: Preparation, graded: false, set: { x: 1 } }
";

#[test]
fn one_failure_does_not_stop_the_rest() {
    let walked = Walk::new(TEXT).rule(memory(85.0)).rule(fails("file", "gone")).go();
    assert_eq!(walked.result.exit, Exit::Ok);
    let expected = [("Memory", GradeWord::Warning), ("A file", GradeWord::Critical), ("A minor file", GradeWord::Warning)];
    assert_eq!(rows(&walked), expected.map(|(n, g)| (n.to_owned(), g)));
    assert_eq!(verdict(&walked), GradeWord::Critical);
    assert_eq!(walked.result.outputs.field("verdict").to_string(), "critical");
}

#[test]
fn grades_follow_the_limits() {
    for (percent, grade) in
        [(50.0, GradeWord::Ok), (75.0, GradeWord::OffTarget), (85.0, GradeWord::Warning), (95.0, GradeWord::Critical)]
    {
        let file = Scripted::gives("file", [("exists", Value::Bool(true))]);
        let walked = Walk::new(TEXT).rule(memory(percent)).rule(file).go();
        assert_eq!(rows(&walked)[0].1, grade);
        assert_eq!(verdict(&walked), grade);
    }
}

#[test]
fn what_cannot_be_told_is_unknown_and_worse_than_a_warning() {
    let cannot = Scripted::gives::<String>("file", []).in_turn([Answer::CannotTell { message: "no permission".into() }]);
    let walked = Walk::new(TEXT).rule(memory(85.0)).rule(cannot).go();
    assert_eq!(rows(&walked)[1].1, GradeWord::Unknown);
    assert_eq!(verdict(&walked), GradeWord::Unknown);
}

#[test]
fn a_manual_item_with_nobody_there_is_unknown() {
    let walked = Walk::new("\nplaybook: A checklist\nchecks:\n  - manual: Look at the dashboard\n").go();
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(verdict(&walked), GradeWord::Unknown);
}

#[test]
fn an_expression_that_cannot_be_evaluated_is_unknown() {
    let walked = Walk::new("\nplaybook: A checklist\nchecks:\n  - { name: M, memory: {}, expect: used_percent < 'x' }\n")
        .rule(memory(1.0))
        .attempt();
    if let Ok(walked) = walked {
        assert_eq!(verdict(&walked), GradeWord::Unknown);
    }
}

#[test]
fn a_check_that_would_change_something_is_refused() {
    let text = "\nplaybook: A checklist\nchecks:\n  - { file.write: { path: /x, content: y } }\n";
    assert!(Walk::new(text).attempt().is_err());
}

#[test]
fn thresholds_of_the_system_are_limits() {
    let walked = Walk::new(
        "\nplaybook: A checklist\nchecks:\n  - { name: M, memory: {}, grade: { value: used_percent, by: thresholds.memory } }\n",
    )
    .file("system.yaml", "system: s\nthresholds:\n  memory: { target: 10, warning: 20, critical: 30, unit: \"%\" }\n")
    .rule(memory(25.0))
    .go();
    assert_eq!(verdict(&walked), GradeWord::Warning);
}
