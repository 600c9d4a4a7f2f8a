//! Test files: what is read from good ones, and what is said about bad ones.

use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::test::{StepRef, TurnAnswer};
use runbook_core::span::SourceMap;

use crate::testing::registry;
use crate::{MemoryLoader, Options, Suite, check_all, check_files, load_tests};

const SYSTEM: &str =
    "system: demo\nvars: { root: /srv }\nprofiles:\n  far: { vars: { root: /far } }\nservices:\n  api: { port: 80 }\n";

const MAIN: &str = "\
playbook: A
env: { TOKEN: plain }
params:
  service: { default: api, help: Which one }
  times: { type: int, default: 3 }
steps:
  - id: health
    http: \"http://127.0.0.1/{{ params.service }}/{{ params.times }}/{{ env.TOKEN }}\"
  - id: each
    for_each: [a, b]
    command: [echo, \"{{ item }}\"]
  - id: sure
    ask: { question: Go on? }
  - id: group
    block:
      - note: \"{{ root }}\"
  - play: other
outputs:
  code: \"{{ steps.health.status }}\"
";

const OTHER: &str = "playbook: B\nsteps:\n  - id: inner\n    port: 80\n";

fn project(files: &[(&str, &str)]) -> MemoryLoader {
    let base = [("demo/main.yaml", MAIN), ("demo/other.yaml", OTHER), ("demo/system.yaml", SYSTEM)];
    MemoryLoader::new(base.iter().chain(files).map(|(p, t)| (format!("playbooks/{p}"), t.as_bytes().to_vec())))
}

fn line(d: &Diagnostic, sources: &SourceMap) -> String {
    let place = d.span.and_then(|s| sources.place(s)).map_or_else(|| "-".to_owned(), |p| format!("{}:{}", p.line, p.column));
    let help = d.help.as_ref().map(|h| format!(" | {h}")).unwrap_or_default();
    format!("{place} {} {}{help}", d.code, d.message)
}

fn load(text: &str) -> Suite {
    load_tests(&project(&[("demo/tests/main.test.yaml", text)]), &[], &registry())
}

/// What is said about a test whose lines these are, below `test:` and `play:`.
fn said(lines: &str) -> Vec<String> {
    let suite = load(&format!("test: t\nplay: main\n{lines}\n"));
    suite.diagnostics.iter().map(|d| line(d, &suite.sources)).collect()
}

#[test]
fn one_test_needs_no_list() {
    let suite =
        load("test: it works\nplay: main\nwith: { service: api }\nworld:\n  - { module: http, returns: { status: 200 } }\n");
    assert!(suite.diagnostics.is_empty(), "{:?}", suite.diagnostics);
    let test = &suite.files[0].tests[0];
    assert_eq!((test.name.value.as_str(), test.playbook.as_str()), ("it works", "demo/main"));
    assert!(matches!(&test.world[0].turns[0].answer, TurnAnswer::Returns(fields) if fields["status"].as_int() == Some(200)));
    assert!(suite.plans.contains_key(&("demo/main".to_owned(), None)));
}

#[test]
fn tests_of_a_file_share_what_stands_beside_them() {
    let suite = load(
        "play: main\nwith: { service: api, times: 1 }\nanswers: { sure: yes }\nnow: 2026-03-01T00:00:00Z\nworld:\n  - { module: http, \
         returns: {} }\ntests:\n  - test: one\n    with: { times: 2 }\n  - test: two\n    play: other\n    world:\n      - { module: port, \
         returns: {} }\n  - test: three\n    profile: far\n",
    );
    assert!(suite.diagnostics.is_empty(), "{:?}", suite.diagnostics.iter().map(|d| line(d, &suite.sources)).collect::<Vec<_>>());
    let tests = &suite.files[0].tests;
    let with: Vec<String> = tests[0].with.iter().map(|(n, v)| format!("{}={v}", n.value)).collect();
    assert_eq!(with, ["times=2", "service=api"]);
    assert_eq!(tests[0].answers[0].0.value, "sure");
    assert_eq!(tests[0].now.map(|t| t.to_string()).as_deref(), Some("2026-03-01T00:00:00Z"));
    // Own rules come first, and the file's are the same ones for all.
    assert_eq!(tests[1].world.iter().map(|r| r.module.as_str()).collect::<Vec<_>>(), ["port", "http"]);
    assert!(std::sync::Arc::ptr_eq(&tests[0].world[0], &tests[1].world[1]));
    let far = &suite.plans[&("demo/main".to_owned(), Some("far".to_owned()))];
    assert_eq!(far.root_unit().system.profile.as_deref(), Some("far"));
}

#[test]
fn rules_are_typed_by_the_module() {
    let suite = load(
        "test: t\nplay: main\nworld:\n  - { step: each@a, sequence: [{ error: refused }, { returns: { exit_code: 0 }, takes: 3s }] }\n  - { \
         module: http, with: { contains: /api }, returns: { latency: 20ms, size: 1KiB } }\n",
    );
    assert!(suite.diagnostics.is_empty(), "{:?}", suite.diagnostics);
    let world = &suite.files[0].tests[0].world;
    assert_eq!(world[0].module, "command");
    assert_eq!(world[0].step.as_ref().map(|s| s.value.clone()), Some(StepRef::Id { id: "each".into(), item: Some("a".into()) }));
    assert_eq!(world[0].turns.len(), 2);
    assert_eq!(world[1].with[0].0, "url");
    let TurnAnswer::Returns(fields) = &world[1].turns[0].answer else { panic!("a result") };
    assert_eq!((fields["latency"].kind(), fields["size"].kind()), ("a duration", "a size"));
}

#[test]
fn bad_tests_are_told_with_the_way_out() {
    for (lines, wanted) in [
        ("worlds: []", "3:1 E0201 unknown key `worlds` in a test | did you mean `world`?"),
        (
            "mocks: []",
            "3:1 E0201 unknown key `mocks` in a test | here it is `world:`, a list of rules such as `{ module: http, returns: { status: 200 } }`",
        ),
        ("steps: []", "3:1 E0204 `steps` means nothing in a test | it belongs to `expect` of a test"),
        ("with: { servce: a }", "3:9 E0601 `demo/main` has no parameter `servce` | did you mean `service`?"),
        ("with: { times: many }", "3:16 E0603 `times`: expected a whole number"),
        ("env: { TOKN: a }", "3:8 E0401 the playbook does not use the environment variable `TOKN` | did you mean `TOKEN`?"),
        ("answers: { shure: yes }", "3:12 E0605 no question has the id `shure` | did you mean `sure`?"),
        ("answers: { sure: [] }", "3:18 E0203 `sure` has no answers | leave the id out: then nobody is there to answer"),
        (
            "answers: { sure: { answer: yes, takes: 5 } }",
            "3:40 E0301 `takes` takes a duration such as `30s`, found `5` | give it a unit: `5s`, `5m` or `5ms`",
        ),
        ("now: yesterday", "3:6 E0303 `now` takes a time, found `yesterday` | write it like `2026-02-15T14:23:45Z`, with a zone"),
        (
            "interrupt: 5",
            "3:12 E0301 `interrupt` takes a duration such as `30s`, found `5` | give it a unit: `5s`, `5m` or `5ms`",
        ),
        (
            "interrupt: { after: 5s, by: sigint }",
            "3:29 E0308 `by` is one of `interrupt`, `terminate`, `hangup`, `time_limit`, found \"sigint\"",
        ),
        (
            "world: { module: http }",
            "3:8 E0203 `world` takes a list of rules such as `- { module: http, returns: { status: 200 } }`, found a map",
        ),
        (
            "world: [{ returns: {} }]",
            "3:11 E0202 a world rule needs `module` or `step` | `module: http` is for every call of `http`, `step: ID` for the call of one step",
        ),
        ("world: [{ module: htp, returns: {} }]", "3:19 E0207 there is no module `htp` | did you mean `http`?"),
        (
            "world: [{ http: x, returns: {} }]",
            "3:11 E0201 unknown key `http` in a world rule | a rule names the module: `{ module: http, with: { ... }, returns: { ... } }`",
        ),
        (
            "world: [{ module: http }]",
            "3:11 E0702 a world rule says not what the call comes to | write `returns: { field: value }`, `error: TEXT`, `unknown: TEXT`, `refused: TEXT` or `times_out: true`",
        ),
        (
            "world: [{ module: http, error: a, unknown: b }]",
            "3:35 E0702 `unknown` beside `error` | a call comes to one of `returns`, `error`, `unknown`, `refused`, `times_out`",
        ),
        (
            "world: [{ module: http, returns: { stauts: 200 } }]",
            "3:36 E0701 `http` never returns `stauts` | did you mean `status`?",
        ),
        (
            "world: [{ module: http, returns: { status: ok } }]",
            "3:44 E0701 `status` of `http`: expected a whole number, found the string \"ok\" | `runbook modules http` shows what it returns",
        ),
        (
            "world: [{ module: http, returns: { latency: 5 } }]",
            "3:45 E0701 `latency` of `http`: expected a duration such as `30s`, found `5` | give it a unit: `5s`, `5m` or `5ms`",
        ),
        (
            "world: [{ module: http, returns: { tls: { isuer: x } } }]",
            "3:43 E0701 `http` never returns `isuer` | did you mean `issuer`?",
        ),
        (
            "world: [{ module: http, return: {} }]",
            "3:25 E0201 unknown key `return` in a world rule | here it is `returns: { field: value }`",
        ),
        (
            "world: [{ module: http, with: { uri: x }, returns: {} }]",
            "3:33 E0208 `http` has no argument `uri` | did you mean `url`?",
        ),
        (
            "world: [{ module: http, with: { url: 5 }, returns: {} }]",
            "3:38 E0203 `url` of `http`: expected a URL such as `http://127.0.0.1:8000/health`, found `5`",
        ),
        (
            "world: [{ module: http, with: { matches: \"(\" }, returns: {} }]",
            "3:43 E0304 the pattern cannot be read: unclosed group",
        ),
        (
            "world: [{ module: http, returns: {}, takes: soon }]",
            "3:45 E0301 `takes` takes a duration such as `30s`, found `soon`",
        ),
        ("world: [{ module: http, times_out: false }]", "3:36 E0203 `times_out` takes `true`, found `false`"),
        (
            "world: [{ module: http, error: a, changed: true }]",
            "3:35 E0204 `changed` means nothing without `returns` | leave it out",
        ),
        (
            "world: [{ module: http, sequence: [{ error: a }], takes: 3s }]",
            "3:51 E0215 `takes` beside `sequence` | write it in the turns of the sequence",
        ),
        ("world: [{ module: http, sequence: [] }]", "3:35 E0203 `sequence` is empty | say what the first call comes to"),
        ("world: [{ step: helth, returns: {} }]", "3:17 E0402 `demo/main` has no step `helth` | did you mean `health`?"),
        (
            "world: [{ step: group, returns: {} }]",
            "3:17 E0202 `group` calls no module itself: it is a `block` | write `module:` too: which call inside it is meant",
        ),
        ("world: [{ module: http, step: \"steps[9]\", returns: {} }]", "3:31 E0402 `demo/main` has no step at `steps[9]`"),
        (
            "expect: { status: ok }",
            "3:11 E0201 unknown key `status` in `expect` of a test | here it is `outcome: succeeded`, or another word; of one step it is `steps: { ID: ok }`",
        ),
        ("expect: { outcome: success }", "3:20 E0308 `outcome` is one of"),
        (
            "expect: { exit: 300 }",
            "3:17 E0203 `exit` takes an exit code such as `4`; `runbook help exit-codes` lists them, found `300`",
        ),
        (
            "expect: { path: health }",
            "3:17 E0203 `path` takes a list such as `[health]`, or `{ includes: [...] }`, found the string \"health\"",
        ),
        ("expect: { path: [helth] }", "3:18 E0402 `demo/main` has no step `helth` | did you mean `health`?"),
        (
            "expect: { path: [{ health: good }] }",
            "3:28 E0308 `health` is one of `ok`, `changed`, `failed`, `skipped`, `unknown`, found \"good\"",
        ),
        (
            "expect: { path: { include: [health] } }",
            "3:19 E0201 unknown key `include` in a list that is expected in part | did you mean `includes`?",
        ),
        ("expect: { steps: { health: { staus: 200 } } }", "3:30 E0701 `http` never returns `staus` | did you mean `status`?"),
        (
            "expect: { calls: [{ module: http, with: { ur: x } }] }",
            "3:43 E0208 `http` has no argument `ur` | did you mean `url`?",
        ),
        ("expect: { ran: [comand] }", "3:17 E0207 there is no module `comand` | did you mean `command`?"),
        (
            "expect: { skipped: [nothing] }",
            "3:21 E0402 `demo/main` has no step `nothing` | the ids are health, each, sure, group, inner; a step without one has a path, such as `steps[2]`",
        ),
        ("expect: { outputs: { cod: 200 } }", "3:22 E0401 `demo/main` has no output `cod` | did you mean `code`?"),
        (
            "expect: { checks: { memory: good } }",
            "3:29 E0308 `memory` is one of `ok`, `off target`, `warning`, `unknown`, `critical`, found \"good\"",
        ),
        (
            "expect: { finding: a, findings: [a] }",
            "3:11 E0215 `finding` beside `findings` | `finding` is for one alone; write all of them under `findings`",
        ),
        (
            "expect: { duration: \"<= 30\" }",
            "3:21 E0301 `duration` takes a duration after `<=`, found `30` | write it like `<= 30s`, with a unit",
        ),
        (
            "expect: { duration: 30 }",
            "3:21 E0301 `duration` takes a duration such as `30s`, found `30` | give it a unit: `30s`, `30m` or `30ms`",
        ),
        ("expect: { that: steps.helth.status == 200 }", "3:23 E0402 there is no step `helth`"),
        ("expect: { that: steps.health.stat == 200 }", "3:30 E0401"),
        ("expect: { that: \"status = 200\" }", "3:25 E0501"),
        (
            "expect: { that: outputs.code == 200 and rooot == '/srv' }",
            "3:41 E0401 `rooot` is not defined here | did you mean `root`?",
        ),
        ("recorded: [a]", "3:11 E0203 `recorded` is a map, found a list"),
    ] {
        let found = said(lines);
        assert_eq!(found.len(), 1, "{lines}: {found:?}");
        assert!(found[0].starts_with(wanted), "{lines}\n  wanted {wanted}\n  found  {}", found[0]);
    }
}

#[test]
fn bad_files_are_told() {
    let only = |text: &str| {
        let suite = load(text);
        suite.diagnostics.iter().map(|d| line(d, &suite.sources)).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        only("- test: a\n"),
        "1:1 E0203 a test file is a map, found a list | begin with `tests:`, and put the list below it"
    );
    assert_eq!(
        only("# nothing\n"),
        "1:1 E0104 the file says nothing | a test begins with `test: WHAT IT SHOWS` and `play: PLAYBOOK`"
    );
    assert_eq!(only("tests: []\n"), "1:8 E0203 `tests` is empty | write `- test: WHAT IT SHOWS` below it");
    assert_eq!(only("test: a\n"), "1:1 E0202 a test needs `play` | write `play:` and the playbook's name");
    assert_eq!(only("play: main\n"), "1:1 E0202 a test needs `test` | `test`: what it shows, in one line; unique in the file");
    assert_eq!(only("test: a\nplay: mian\n"), "2:7 E0405 there is no playbook `mian` | did you mean `main`?");
    assert_eq!(
        only("play: main\ntests:\n  - test: a\n  - test: a\n"),
        "4:11 E0210 two tests are called \"a\" | say what makes this one different"
    );
    assert_eq!(
        only("world: [{ step: health, returns: {} }]\ntests:\n  - { test: a, play: main }\n  - { test: b, play: other }\n"),
        "1:17 E0202 tests of several playbooks share this rule | write `module:` too: which call of the step is meant"
    );
    assert!(only("test: a\nplay: main\nprofile: farr\n").contains("E0604 there is no profile `farr` | did you mean `far`?"));
}

#[test]
fn a_broken_playbook_is_told_once_and_its_tests_are_not_held_against_it() {
    let files = [
        ("demo/tests/x.test.yaml", "test: a\nplay: broken\nexpect: { path: [gone] }\n"),
        ("demo/broken.yaml", "playbook: X\nsteps:\n  - id: gone\n    nothing: 1\n"),
    ];
    let suite = load_tests(&project(&files), &[], &registry());
    let said: Vec<String> = suite.diagnostics.iter().map(|d| line(d, &suite.sources)).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("there is no module `nothing`") && suite.plans.is_empty());
}

#[test]
fn tests_are_picked_by_playbook_file_and_folder() {
    let loader = project(&[
        ("demo/tests/a.test.yaml", "tests:\n  - { test: one, play: main }\n  - { test: two, play: other }\n"),
        ("demo/tests/b.test.yaml", "test: three\nplay: other\n"),
        ("far/tests/c.test.yaml", "test: broken\nplay: demo/main\nnonsense: 1\n"),
    ]);
    let names = |names: &[&str]| {
        let suite = load_tests(&loader, &names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>(), &registry());
        let mut all: Vec<String> = suite.files.iter().flat_map(|f| f.tests.iter().map(|t| t.name.value.clone())).collect();
        all.extend(suite.diagnostics.iter().map(|d| d.message.clone()));
        all
    };
    assert_eq!(names(&["other"]), ["two", "three"]);
    assert_eq!(names(&["demo/other"]), ["two", "three"]);
    assert_eq!(names(&["playbooks/demo/tests/b.test.yaml"]), ["three"]);
    assert_eq!(names(&["playbooks/demo"]), ["one", "two", "three"]);
    assert_eq!(names(&["playbooks/demo/tests/"]), ["one", "two", "three"]);
    assert_eq!(names(&["nothing"]), ["there is no playbook `nothing`"]);
    assert_eq!(names(&[]), ["one", "two", "three", "broken", "unknown key `nonsense` in a test"]);
}

#[test]
fn check_looks_at_tests_too() {
    let loader = project(&[("demo/tests/a.test.yaml", "test: a\nplay: main\nwrld: []\n")]);
    let said = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let checked = check_files(&loader, &names, &registry(), &Options::default());
        (checked.tests, checked.diagnostics.iter().map(|d| line(d, &checked.sources)).collect::<Vec<_>>())
    };
    let found = vec!["3:1 E0201 unknown key `wrld` in a test | did you mean `world`?".to_owned()];
    assert_eq!(said(&[]), (1, found.clone()));
    assert_eq!(said(&["playbooks/demo/tests/a.test.yaml"]), (1, found));
    assert_eq!(said(&["main"]), (0, Vec::new()));
    let allowed = project(&[("demo/tests/a.test.yaml", "test: a\nplay: main\nworld:\n  - { module: http, returns: {} }\n")]);
    assert!(!check_all(&allowed, &registry(), &Options::default()).has_errors());
}
