//! People: confirmations, questions, manual steps, overrides, and nobody there.

use runbook_core::exit::Exit;
use runbook_core::value::Value;
use runbook_runtime::scripted::Scripted;

use crate::harness::{Walk, answer, fails};

const CONFIRMED: &str = "\n  - { id: go, file.write: { path: /x, content: y }, confirm: true }\n";

#[test]
fn a_confirmation_lets_a_step_run() {
    let walked = Walk::steps(CONFIRMED).rule(answer("file.write", true)).answer("go", "yes").go();
    assert_eq!(walked.result.exit, Exit::Ok);
}

#[test]
fn declined_stops_the_run_with_its_own_code() {
    let walked = Walk::steps(CONFIRMED).answer("go", "no").go();
    assert_eq!(walked.result.exit, Exit::Declined);
    assert!(walked.calls().is_empty());
}

#[test]
fn nobody_there_names_the_way_to_answer() {
    let walked = Walk::steps(CONFIRMED).go();
    assert_eq!(walked.result.exit, Exit::InputNeeded);
    assert!(walked.calls().is_empty());
}

#[test]
fn a_destroy_step_is_confirmed_without_being_told() {
    let walked = Walk::steps("\n  - { id: wipe, file.delete: /x }\n").rule(answer("file.delete", true)).go();
    assert_eq!(walked.result.exit, Exit::InputNeeded);
    let walked =
        Walk::steps("\n  - { id: wipe, file.delete: /x }\n").rule(answer("file.delete", true)).answer("wipe", "wipe").go();
    assert_eq!(walked.result.exit, Exit::Ok);
}

#[test]
fn what_only_the_arguments_make_a_loss_is_confirmed_too() {
    // Whether it destroys is only known once the arguments are.
    let one = "\nvars: { base: \"http://h\", how: DELETE }\nsteps:\n  - { id: go, http.request: { url: \"{{ base }}/x\", method: \"{{ how }}\" } }\n";
    let walked =
        Walk::new(&format!("playbook: A test{one}")).rule(Scripted::gives("http.request", [("status", Value::Int(200))])).go();
    assert_eq!(walked.result.exit, Exit::InputNeeded);
    assert!(walked.calls().is_empty());
    let walked = Walk::new(&format!("playbook: A test{one}"))
        .rule(Scripted::gives("http.request", [("status", Value::Int(200))]))
        .answer("go", "go")
        .go();
    assert_eq!(walked.result.exit, Exit::Ok);
    // Of a loop each item that does is asked about, and those that do not are not.
    let each =
        "\nsteps:\n  - id: go\n    for_each: [POST, DELETE]\n    http.request: { url: http://h/, method: \"{{ item }}\" }\n";
    let walked =
        Walk::new(&format!("playbook: A test{each}")).rule(Scripted::gives("http.request", [("status", Value::Int(200))])).go();
    assert_eq!(walked.result.exit, Exit::InputNeeded);
    assert_eq!(walked.calls().len(), 1);
    assert_eq!(walked.world.asked.lock().unwrap().len(), 1);
}

#[test]
fn a_loop_is_confirmed_once_or_each() {
    let text = |confirm: &str| {
        format!("\n  - id: go\n    for_each: [a, b, c]\n    confirm: {confirm}\n    dir.create: \"/{{{{ item }}}}\"\n")
    };
    let walked = Walk::steps(&text("true")).rule(answer("dir.create", true)).answer("go", "yes").go();
    assert_eq!(walked.world.asked.lock().unwrap().len(), 1);
    assert!(walked.world.asked.lock().unwrap()[0].details.iter().any(|d| d.contains("a, b, c")));
    let walked = Walk::steps(&text("each")).rule(answer("dir.create", true)).answer("go", "yes").go();
    assert_eq!(walked.world.asked.lock().unwrap().len(), 3);
}

#[test]
fn answers_are_typed() {
    let text = "\n  - { id: n, ask: { question: \"How many?\", type: int } }\n  - note: \"{{ steps.n.answer + 1 }}\"\n";
    let walked = Walk::steps(text).answer("n", "41").go();
    assert_eq!(walked.notes(), ["42"]);
    let walked = Walk::steps(text).answer("n", "many").go();
    assert!(walked.message("n").contains("expected a whole number"));
    let choice = "\n  - { id: c, ask: { question: \"Which?\", type: choice, choices: [a, b] } }\n";
    assert_eq!(Walk::steps(choice).answer("c", "b").go().result.exit, Exit::Ok);
    assert!(Walk::steps(choice).answer("c", "z").go().message("c").contains("not one of a, b"));
}

#[test]
fn a_manual_step_is_done_skipped_failed_or_left() {
    let text = "\n  - { id: look, manual: Look at the dashboard }\n";
    for (given, exit, outcome) in [
        ("done", Exit::Ok, "changed"),
        ("skip", Exit::Ok, "skipped"),
        ("failed", Exit::Failed, "failed"),
        ("later", Exit::InputNeeded, "failed"),
    ] {
        let walked = Walk::steps(text).answer("look", given).go();
        assert_eq!(walked.result.exit, exit, "{given}");
        assert_eq!(walked.steps(), [format!("look {outcome}")]);
    }
}

#[test]
fn an_override_accepts_with_a_reason() {
    let text = "\n  - { id: a, file: /x, override: ask }\n  - note: \"{{ steps.a.note }}\"\n";
    let walked = Walk::steps(text).rule(fails("file", "gone")).answer("a.override", "known issue").go();
    assert_eq!(walked.result.exit, Exit::Ok);
    assert_eq!(walked.notes(), ["known issue"]);
    let walked = Walk::steps(text).rule(fails("file", "gone")).go();
    assert_eq!(walked.result.exit, Exit::Failed);
}

#[test]
fn a_missing_parameter_with_a_question_is_asked_for() {
    let text = "\nplaybook: A test\nparams:\n  service: { type: choice, choices: [a, b], required: true, ask: \"Which?\" }\nsteps:\n  - note: \"{{ params.service }}\"\n";
    let walked = Walk::new(text).answer("service", "b").go();
    assert_eq!(walked.notes(), ["b"]);
}

#[test]
fn typed_confirmations_name_their_word() {
    let text = "\n  - { id: go, file.write: { path: /x, content: y }, confirm: { type: staging } }\n";
    let walked = Walk::steps(text).rule(Scripted::gives("file.write", [("x", Value::Null)])).answer("go", "staging").go();
    let asked = format!("{:?}", walked.world.asked.lock().unwrap()[0].kind);
    assert!(asked.contains("staging"), "{asked}");
}

#[test]
fn a_word_that_does_not_fit_is_a_no_and_nothing_rescues_it() {
    let steps = "\n  - block: [{ id: wipe, file.delete: /x }]\n    rescue: [{ note: rescued }]\n  - note: after\n";
    let walked = Walk::steps(steps).rule(answer("file.delete", true)).answer("wipe", "wrong").go();
    assert_eq!((walked.result.exit, walked.notes()), (Exit::Declined, Vec::<String>::new()));
    assert!(walked.calls().is_empty());
}

#[test]
fn a_loop_asks_only_about_the_items_that_qualify() {
    let walk = |when: &str| {
        Walk::steps(&format!(
            "\n  - {{ id: go, for_each: [a, b, c], when: \"{when}\", file.write: {{ path: \"/{{{{ item }}}}\", content: z }}, confirm: true }}\n"
        ))
        .rule(answer("file.write", true))
    };
    let walked = walk("item == 'none'").go();
    assert_eq!((walked.result.exit, walked.world.asked.lock().unwrap().len()), (Exit::Ok, 0));
    let walked = walk("item != 'b'").answer("go", "yes").go();
    assert_eq!(walked.calls().len(), 2);
    let details = walked.world.asked.lock().unwrap()[0].details.join("\n");
    assert!(details.contains("for 2 items: a, c"), "{details}");
}

#[test]
fn a_variable_may_rest_on_a_parameter_that_is_asked_for() {
    let text = "playbook: A test\nparams: { which: { type: choice, choices: [a, b], required: true, ask: Which? } }\nvars: { all: { a: { n: 1 }, b: { n: 2 } }, one: \"{{ all[params.which].n }}\" }\nsteps:\n  - note: \"{{ one }}\"\n";
    let walked = Walk::new(text).answer("which", "b").go();
    assert_eq!((walked.result.exit, walked.notes()), (Exit::Ok, vec!["2".to_owned()]));
}
