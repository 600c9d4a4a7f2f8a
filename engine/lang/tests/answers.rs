//! Answers files: what is read, what is refused with its place, and the file to fill in.

mod common;

use std::collections::HashMap;

use runbook_core::model::Plan;
use runbook_lang::{MemoryLoader, Options, ReadAnswers, answers_template, load, read_answers, schema};
use serde_json::Value as Json;

/// A playbook with a question of every kind.
const ASKS: &str = "\
playbook: Asks
params:
  zone: { type: choice, choices: [eu, us], required: true, ask: \"Which zone?\" }
  rest: { type: string, required: true }
steps:
  - { id: who, ask: { question: \"Who?\", choices: [a, b] } }
  - { id: count, ask: { question: \"How many?\", type: int } }
  - { id: text, ask: { question: \"Say it\" } }
  - { id: list, ask: { question: \"Which?\", type: list } }
  - { id: look, manual: Look }
  - { id: go, command: [a], confirm: true }
  - { id: wipe, file.remove: /tmp/a }
  - { id: typed, command: [a], confirm: { type: sure } }
  - { id: check, memory: , override: ask }
  - { id: silent, note: \"{{ params.rest }} {{ params.zone }}\" }
  - block: [{ manual: nameless }]
  - { play: inner }
";

const INNER: &str = "playbook: Inner\nsteps:\n  - { id: deep, manual: Deeper }\n  - { manual: nameless }\n";

const TREE: &str = "\
playbook: A tree
triage:
  id: up
  ask: Is it up?
  yes: { finding: fine }
  no:
    - { id: how, ask: How?, choices: [slow, gone], cases: { slow: { finding: slow }, gone: { finding: gone } } }
";

fn read(playbook: &str, name: &str, text: impl AsRef<[u8]>) -> (ReadAnswers, Plan) {
    let files: Vec<(String, Vec<u8>)> = vec![
        ("playbooks/p.yaml".into(), playbook.into()),
        ("playbooks/inner.yaml".into(), INNER.into()),
        (name.into(), text.as_ref().to_vec()),
    ];
    let loader = MemoryLoader::new(files);
    let loaded = load(&loader, "p", &common::registry(), &Options::default()).unwrap_or_else(|f| panic!("{:?}", f.diagnostics));
    (read_answers(&loader, name, &loaded.plan, &common::registry()), loaded.plan)
}

/// What is said about a file: place, code, message, help.
fn said(playbook: &str, name: &str, text: impl AsRef<[u8]>) -> Vec<String> {
    let (read, _) = read(playbook, name, text);
    assert_eq!(read.answers.is_none(), read.diagnostics.iter().any(|d| d.severity == runbook_core::diagnostic::Severity::Error));
    let place = |d: &runbook_core::diagnostic::Diagnostic| {
        d.span
            .and_then(|s| read.sources.place(s))
            .map_or_else(|| "-".to_owned(), |p| format!("{}:{}:{}", p.file, p.line, p.column))
    };
    let help = |d: &runbook_core::diagnostic::Diagnostic| d.help.as_ref().map_or_else(String::new, |h| format!(" | {h}"));
    read.diagnostics.iter().map(|d| format!("{}: {} {}{}", place(d), d.code, d.message, help(d))).collect()
}

/// What is said about one answer.
fn about(answer: &str) -> Vec<String> {
    said(ASKS, "a.yaml", format!("answers:\n  {answer}\n"))
}

fn validator() -> jsonschema::Validator {
    let schema = schema::answers();
    jsonschema::draft7::meta::validate(&schema).unwrap_or_else(|e| panic!("{e}"));
    jsonschema::draft7::new(&schema).expect("a schema")
}

#[test]
fn every_kind_of_question_is_answered() {
    let text = "\
playbook: p
run: 20260215-142345-9fccf7
answers:
  zone: eu
  who: { answer: a, note: said on the phone }
  count: 3
  text: \"5\"
  list: [1, two]
  look: done
  go: yes
  check.override: known
  deep: later
  steps[11].block[1]: skip
  steps[12]>inner:steps[2]: failed
confirm:
  wipe: wipe
  typed: sure
";
    let (read, _) = read(ASKS, "a.yaml", text);
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    let answers = read.answers.expect("answers");
    let shown: HashMap<&str, String> =
        answers.answers.iter().map(|(id, g)| (id.as_str(), g.value.to_json().to_string())).collect();
    assert_eq!(shown["count"], "3");
    assert_eq!(shown["text"], "\"5\"");
    assert_eq!(shown["go"], "\"yes\"");
    assert_eq!(shown["list"], "[1,\"two\"]");
    assert_eq!(answers.answers["who"].note.as_deref(), Some("said on the phone"));
    assert_eq!(answers.confirms["typed"], "sure");
    validator().validate(&schema::instance(text.as_bytes()).expect("read")).expect("the schema accepts it");
}

#[test]
fn json_is_read_too() {
    let text = "{\n\t\"answers\": {\"who\": \"b\", \"go\": true, \"look\": {\"answer\": \"done\", \"note\": \"\\ud83d\\ude00\"}},\n\t\"confirm\": {\"wipe\": \"wipe\"}\n}\n";
    let (read, _) = read(ASKS, "a.json", text);
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    assert_eq!(read.answers.expect("answers").answers["look"].note.as_deref(), Some("😀"));
}

#[test]
fn what_is_left_empty_is_not_answered() {
    let (read, _) = read(ASKS, "a.yaml", "answers: { who: , go: ~ }\nconfirm: { wipe: }\n");
    let answers = read.answers.expect("answers");
    assert!(answers.answers.is_empty() && answers.confirms.is_empty());
    for text in ["answers:\nconfirm:\n", "playbook: p\n"] {
        assert!(said(ASKS, "a.yaml", text).is_empty());
    }
}

#[test]
fn an_answer_that_does_not_fit_is_told_with_its_place() {
    for (answer, wanted) in [
        ("who: z", "E0606 `who` takes one of a, b, found \"z\""),
        ("who: { answer: z, note: n }", "a.yaml:2:18: E0606 `who` takes one of a, b"),
        ("count: many", "E0606 `count` takes another kind of answer: expected a whole number"),
        ("count: 1.5", "expected a whole number"),
        ("text: 5", "expected a string, found a number | put it in quotes: \"5\""),
        ("list: 5", "expected a list"),
        ("look: don", "`look` takes one of done, skip, failed, later, found \"don\" | did you mean `done`?"),
        ("look: true", "found `true`"),
        ("go: maybe", "`go` takes one of yes, no"),
        ("go: [yes]", "found a list"),
        ("zone: eus", "`zone` takes one of eu, us"),
        ("check.override: \" \"", "takes a reason"),
        ("wipe: yes", "`wipe` is confirmed by a word, which stands under `confirm` | write `confirm: { wipe: WORD }`"),
        ("whoo: a", "a.yaml:2:3: E0605 no question has the id `whoo` | did you mean `who`?"),
        ("silent: a", "E0605 `silent` asks nothing: its step is a `note` without `confirm`"),
        ("who.override: a", "E0605 `who.override` asks nothing: the step has no `override: ask`"),
        ("steps[10]: a", "E0605 `steps[10]` asks nothing"),
        ("steps[99]: a", "E0605 no question has the id `steps[99]`"),
        ("rest: a", "E0605 no question has the id `rest`"),
        ("who: { note: n }", "E0202 an answer with a note needs `answer`"),
        ("who: { answer: a, not: n }", "E0201 unknown key `not` in an answer with a note | did you mean `note`?"),
        ("who: { answer: a, note: 5 }", "E0203 `note` takes text"),
    ] {
        let said = about(answer);
        assert!(said.len() == 1 && said[0].contains(wanted), "{answer}: {said:#?}");
    }
    let said = said(ASKS, "a.yaml", "confirm:\n  wipe: wip\n  typed: Sure\n  who: a\n  wype: wipe\n  go: [a]\n");
    for (line, wanted) in said.iter().zip([
        "a.yaml:2:9: E0606 `wipe` is confirmed by the word `wipe`, found `wip`",
        "a.yaml:3:10: E0606 `typed` is confirmed by the word `sure`",
        "a.yaml:4:8: E0606 `who` is no confirmation",
        "a.yaml:5:3: E0605 no question has the id `wype` | did you mean `wipe`?",
        "a.yaml:6:7: E0203 `confirm` takes text, found a list",
    ]) {
        assert!(line.starts_with(wanted), "{line}");
    }
    assert_eq!(said.len(), 5);
}

#[test]
fn a_tree_is_answered_by_its_nodes() {
    assert!(said(TREE, "a.yaml", "answers: { up: no, how: slow }\n").is_empty());
    assert!(said(TREE, "a.yaml", "answers: { up: true }\n").is_empty());
    let said = said(TREE, "a.yaml", "answers:\n  up: maybe\n  how: fast\n  hwo: slow\n");
    assert!(
        said[0].contains("`up` takes one of yes, no, unknown") && said[1].contains("`how` takes one of slow, gone"),
        "{said:#?}"
    );
    assert!(said[2].contains("did you mean `how`?"), "{said:#?}");
}

/// Bad files: name, text, what is said.
const BAD: &[(&str, &[u8], &str)] = &[
    ("a.yaml", b"", "E0104 the file says nothing"),
    ("a.yaml", b"# nothing\n", "E0104 the file says nothing"),
    ("a.yaml", b"- who\n", "E0203 an answers file is a map, found a list"),
    ("a.yaml", b"yes\n", "E0203 an answers file is a map, found a string"),
    ("a.yaml", b"who: a\n", "E0201 the answer to `who` at the top of the file | write it below `answers:`"),
    ("a.yaml", b"answer: { who: a }\n", "E0204 `answer` means nothing in an answers file"),
    ("a.yaml", b"ansers: { who: a }\n", "E0201 unknown key `ansers` in an answers file | did you mean `answers`?"),
    ("a.yaml", b"answers: [who]\n", "E0203 `answers` takes a map such as `{go-on: yes}`, found a list"),
    ("a.yaml", b"answers: who\n", "E0203 `answers` takes a map"),
    ("a.yaml", b"playbook: other\n", "E0606 these answers are for `other`, not for `p`"),
    ("a.yaml", b"playbook: [p]\n", "E0203 `playbook` takes text"),
    ("a.yaml", b"run: 5\n", "E0203 `run` takes text"),
    ("a.yaml", b"answers: { who: a, who: b }\n", "a.yaml:1:20: E0102"),
    ("a.json", b"{\"answers\": {\"who\": \"a\", \"who\": \"b\"}}", "a.json:1:26: E0102"),
    ("a.json", b"{\n \"answers\": {\"who\": \"a\",}\n}\n", "a.json:2:25: E0101 the JSON cannot be read: trailing comma"),
    ("a.json", b"{\"answers\": {\"who\": \"\\ud83d\"}}", "E0101 the JSON cannot be read: unexpected end of hex escape"),
    ("a.json", b"answers: {}\n", "a.json:1:1: E0101 the JSON cannot be read: expected value"),
    ("a.json", b"{\"answers\": {}", "E0101 the JSON cannot be read: EOF"),
    ("a.yaml", b"{\"answers\": {\"who\": \"\\ud83d\"}}", "E0101"),
    ("a.yaml", b"answers: { who: !secret a }\n", "E0103 the tag `!secret`"),
    ("a.yaml", b"answers: { <<: { who: a } }\n", "E0103"),
    ("a.yaml", b"answers: {}\n---\nanswers: {}\n", "E0103 a second document"),
    ("a.yaml", b"answers: { who: \xff }\n", "E0002"),
    ("a.yaml", b"answers: { who: \"\x1b[2J\" }\n", "E0003"),
    ("missing.yaml", b"", "E0104"),
];

#[test]
fn bad_files_are_refused() {
    for (name, text, wanted) in BAD {
        let said = said(ASKS, name, text);
        assert!(!said.is_empty() && said[0].contains(wanted), "{name} {:?}: {said:#?}", String::from_utf8_lossy(text));
    }
    let deep = format!("answers: {{ list: {}{} }}\n", "[".repeat(70), "]".repeat(70));
    assert!(said(ASKS, "a.yaml", &deep)[0].contains("E0004 lists and maps are nested deeper than 64"));
    let deep = format!("{{\"answers\": {{\"list\": {}{}}}}}", "[".repeat(500), "]".repeat(500));
    assert!(said(ASKS, "a.json", &deep)[0].contains("E0101 the JSON cannot be read: recursion limit exceeded"));
    let many: String = (0..40).map(|i| format!("  q{i}: 1\n")).collect();
    assert_eq!(said(ASKS, "a.yaml", format!("answers:\n{many}")).len(), 40);
    let loader = MemoryLoader::new([("playbooks/p.yaml", ASKS), ("playbooks/inner.yaml", INNER)]);
    let plan = load(&loader, "p", &common::registry(), &Options::default()).expect("a plan").plan;
    let read = read_answers(&loader, "nowhere.yaml", &plan, &common::registry());
    assert!(read.answers.is_none() && read.diagnostics[0].message.contains("nowhere.yaml"), "{:?}", read.diagnostics);
}

#[test]
fn the_file_to_fill_in_has_every_question_and_is_accepted() {
    let (_, plan) = read(ASKS, "a.yaml", "answers:\n");
    let text = answers_template(&plan, &common::registry(), &|_| false);
    for line in [
        "playbook: p",
        "  # Which zone?\n  # one of eu, us\n  zone:",
        "  # How many?\n  # a whole number\n  count:",
        "  # go (command)?\n  # yes or no\n  go:",
        "  check.override:",
        "  # Deeper\n  # done, skip, failed or later\n  deep:",
        "  steps[11].block[1]:",
        "confirm:\n  # wipe (file.remove): the word is wipe\n  wipe:\n  # typed (command): the word is sure\n  typed:",
        "  \"steps[12]>inner:steps[2]\":",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(said(ASKS, "a.yaml", &text).is_empty(), "{text}");
    let instance = schema::instance(text.as_bytes()).expect("read");
    validator().validate(&instance).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let rest = answers_template(&plan, &common::registry(), &|id| id != "go");
    assert!(rest.contains("  go:") && !rest.contains("who:") && !rest.contains("confirm:"), "{rest}");
    let none = "playbook: Nothing\nsteps: [{ note: a }]\n";
    let (_, plan) = read(none, "a.yaml", "answers:\n");
    assert!(answers_template(&plan, &common::registry(), &|_| false).contains("# It asks nothing."));
    let (_, plan) = read(TREE, "a.yaml", "answers:\n");
    let text = answers_template(&plan, &common::registry(), &|_| false);
    assert!(text.contains("  # Is it up?\n  # yes, no or unknown\n  up:"), "{text}");
    assert!(text.starts_with("# Answers for `p`, to be given with: runbook triage p --answers FILE\n"), "{text}");
}

#[test]
fn what_only_a_remedy_asks_is_not_in_the_file() {
    let tree = "\
playbook: A tree
triage:
  id: up
  ask: Is it up?
  yes: { finding: fine }
  no: { finding: down, remedy: { play: inner } }
";
    let (_, plan) = read(tree, "a.yaml", "answers:\n");
    let text = answers_template(&plan, &common::registry(), &|_| false);
    assert!(text.ends_with("answers:\n  # Is it up?\n  # yes, no or unknown\n  up:\n"), "{text}");
}

#[test]
fn questions_without_an_id_are_listed_by_the_path_on_which_they_are_asked() {
    let middle = "playbook: Middle\nsteps:\n  - { play: last }\n  - { play: last, for_each: [a, b] }\n";
    let files = [
        ("playbooks/p.yaml", "playbook: P\nsteps:\n  - { play: middle }\n  - block: [{ play: middle }]\n"),
        ("playbooks/middle.yaml", middle),
        ("playbooks/last.yaml", "playbook: Last\nsteps:\n  - { manual: nameless }\n  - { file.remove: /tmp/a }\n"),
    ];
    let loader = MemoryLoader::new(files);
    let registry = common::registry();
    let plan = load(&loader, "p", &registry, &Options::default()).unwrap_or_else(|f| panic!("{:?}", f.diagnostics)).plan;
    let text = answers_template(&plan, &registry, &|_| false);
    for line in [
        "  \"steps[1]>middle:steps[1]>last:steps[1]\":\n",
        "  \"steps[2].block[1]>middle:steps[1]>last:steps[1]\":\n",
        "the word is steps[1]>middle:steps[1]>last:steps[2]\n  \"steps[1]>middle:steps[1]>last:steps[2]\":\n",
        "# 2 questions are not listed, since a loop asks: give the step an `id`, so that they can be answered by name.",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let path = "steps[1]>middle:steps[1]>last:steps[2]";
    let filled = text.replace(&format!("  \"{path}\":\n"), &format!("  \"{path}\": \"{path}\"\n"));
    assert_ne!(filled, text);
    let loader = MemoryLoader::new(files.into_iter().chain([("a.yaml", filled.as_str())]));
    let read = read_answers(&loader, "a.yaml", &plan, &registry);
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    let wrong = filled.replace(&format!(": \"{path}\"\n"), ": \"steps[1]\"\n");
    let loader = MemoryLoader::new(files.into_iter().chain([("a.yaml", wrong.as_str())]));
    assert_eq!(read_answers(&loader, "a.yaml", &plan, &registry).diagnostics.len(), 1);
}

#[test]
fn hostile_questions_stay_inside_their_comments() {
    let playbook = "playbook: A\nsteps:\n  - { id: a, manual: \"one\\ntwo: 3\\r\\e[2J\" }\n";
    let (_, plan) = read(playbook, "a.yaml", "answers:\n");
    let text = answers_template(&plan, &common::registry(), &|_| false);
    assert!(text.contains("  # one two: 3 [2J\n"), "{text:?}");
    assert!(said(playbook, "a.yaml", &text).is_empty());
}

#[test]
fn the_schema_rejects_what_the_reader_rejects() {
    let validator = validator();
    let instance = |text: &str| -> Json { schema::instance(text.as_bytes()).expect(text) };
    for text in [
        "answers: { who: a, n: 5, yes: true, list: [a], map: { a: b }, empty: }",
        "answers: { who: { answer: a, note: b } }\nconfirm: { wipe: wipe, other: }",
        "playbook: p\nrun: r\nanswers:\nconfirm:",
    ] {
        assert!(validator.is_valid(&instance(text)), "{text}");
    }
    for text in [
        "[]",
        "who: a",
        "answers: [a]",
        "answers: a",
        "playbook: 5",
        "playbook: \" \"",
        "run: [a]",
        "confirm: { wipe: 5 }",
        "confirm: [wipe]",
        "answers: { who: { note: a } }",
        "answers: { who: { answer: a, not: b } }",
        "answers: { who: { answer: a, note: 5 } }",
        "answer: { who: a }",
    ] {
        assert!(!validator.is_valid(&instance(text)), "{text}");
        assert!(!said(ASKS, "a.yaml", text).is_empty(), "{text}");
    }
}

#[test]
fn a_node_without_an_id_is_answered_by_its_place() {
    let nameless = "playbook: A tree\ntriage:\n  ask: Is it up?\n  no:\n    ask: Is it slow?\n    no:\n      - { ask: \"Is it there?\", no: { finding: gone } }\n";
    for id in ["triage", "triage.no", "triage.no.no[1]"] {
        assert!(said(nameless, "a.yaml", format!("answers:\n  {id}: \"no\"\n")).is_empty(), "{id}");
    }
    assert!(said(nameless, "a.yaml", "answers:\n  triage.yes: \"no\"\n")[0].contains("E0605"));
}
