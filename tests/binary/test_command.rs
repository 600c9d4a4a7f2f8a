//! `runbook test`: what authors see, for each thing that a test can say and for each way in which it can be wrong.

use std::time::Duration;

use crate::harness::{Output, Workspace};

const PLAYBOOK: &str = r#"playbook: Restart a worker
params:
  name: { default: mail, help: Which worker }
steps:
  - id: health
    http: "http://127.0.0.1:9/{{ params.name }}/healthz"
    expect: status == 200
    retry: { for: 1h, every: 10m }
    continue_on_error: true
  - id: sick
    when: steps.health.outcome != 'ok'
    set: { sick: true }
  - id: restart
    when: steps.health.outcome != 'ok'
    command: [touch, "ran-{{ params.name }}"]
    confirm: true
  - id: after
    note: "{{ params.name }} was looked at"
outputs:
  status: "{{ steps.health.status }}"
  sick: "{{ sick if sick is defined else false }}"
"#;

/// A project with one playbook and one test of it, whose lines stand below `test:` and `play:`.
fn project(lines: &str) -> Workspace {
    let workspace = Workspace::with("worker", PLAYBOOK);
    workspace.write("playbooks/tests/worker.test.yaml", &format!("test: a test\nplay: worker\n{lines}"));
    workspace
}

fn run(lines: &str) -> Output {
    project(lines).run(&["test"])
}

/// The whole output on one line, so that it can be looked into whatever its width.
fn flat(output: &Output) -> String {
    output.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn passes(lines: &str) {
    run(lines).expect(0);
}

/// The test fails, and says all of this.
#[track_caller]
fn fails(lines: &str, says: &[&str]) {
    let output = run(lines).expect(4);
    let said = flat(&output);
    for wanted in says {
        assert!(said.contains(wanted), "{lines}\nlacks {wanted:?} in\n{}", output.stdout);
    }
}

const WELL: &str = "world:\n  - { module: http, returns: { status: 200 } }\n";

#[test]
fn a_world_where_all_is_well() {
    passes(&format!("{WELL}expect:\n  outcome: succeeded\n  ran: []\n  asked: []\n  outputs: {{ status: 200 }}\n"));
}

#[test]
fn a_call_that_no_rule_answers_fails_and_is_never_made() {
    let workspace = project("answers: { restart: yes }\nworld:\n  - { module: http, error: connection refused }\n");
    let output = workspace.run(&["test"]).expect(4);
    assert!(!workspace.path("ran-mail").exists(), "a real program was run");
    let said = flat(&output);
    assert!(said.contains("[E0704]"), "{said}");
    assert!(said.contains("command at restart: {\"argv\":[\"touch\",\"ran-mail\"]}"), "{said}");
    assert!(said.contains("with: { argv: [touch, ran-mail] }"), "{said}");
}

#[test]
fn the_rules_that_are_offered_can_be_pasted() {
    let workspace = project("answers: { restart: yes }\n");
    let mut world = String::from("answers: { restart: yes }\nworld:\n");
    for _ in 0..5 {
        let output = workspace.run(&["test", "--json"]);
        if output.code == 0 {
            return;
        }
        let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        for rule in report["tests"][0]["failures"][0]["rules"].as_array().expect("rules") {
            world.push_str(&format!("  {}\n", rule.as_str().unwrap()));
        }
        workspace.write("playbooks/tests/worker.test.yaml", &format!("test: a test\nplay: worker\n{world}"));
    }
    panic!("the rules are not enough:\n{world}");
}

#[test]
fn outcomes_of_calls() {
    let world = |rule: &str| {
        format!("answers: {{ restart: yes }}\nworld:\n  - {rule}\n  - {{ module: command, returns: {{ exit_code: 0 }} }}\n")
    };
    // As the language's own example writes it, and its like.
    passes(
        &(world("{ module: http, returns: { error: \"connection refused\" } }")
            + "expect: { steps: { health: { outcome: failed, error: connection refused, status: null } } }\n"),
    );
    passes(&(world("{ module: http, error: reset }") + "expect: { steps: { health: { outcome: failed, error: reset } } }\n"));
    passes(
        &(world("{ module: http, unknown: no permission }")
            + "expect: { steps: { health: { outcome: unknown, error: no permission } } }\n"),
    );
    passes(
        &(world("{ module: http, refused: not now }") + "expect: { steps: { health: { outcome: failed, error: not now } } }\n"),
    );
    passes(
        &(world("{ module: http, times_out: true }")
            + "expect: { steps: { health: { outcome: failed, error: timed out after 10s } } }\n"),
    );
    passes(
        &(world("{ module: http, returns: { status: 503 } }")
            + "expect: { steps: { health: { error: { contains: status was 503 } } } }\n"),
    );
    // It fails twice, then it is well; a minute each and ten between them.
    passes(
        &(world(
            "{ module: http, sequence: [{ error: a, takes: 1m }, { returns: { status: 500 }, takes: 1m }, { returns: { status: 200 }, takes: 1m }] }",
        ) + "expect: { steps: { health: { attempts: 3, elapsed: 1m } }, duration: 23m, ran: [] }\n"),
    );
    // The last one repeats: seven attempts in an hour.
    passes(
        &(world("{ module: http, sequence: [{ error: a }, { error: b }] }")
            + "expect: { steps: { health: { attempts: 7, error: b } }, duration: \">= 1h\", ran: [{ module: command, with: { starts_with: touch } }] }\n"),
    );
}

#[test]
fn rules_are_picked_by_arguments_and_steps() {
    passes(
        "with: { name: web }\nworld:\n  - { module: http, with: \"http://127.0.0.1:9/mail/healthz\", error: the wrong one }\n  - { module: http, with: { url: { matches: \"/w.b/\" } }, returns: { status: 200 } }\nexpect: { ran: [] }\n",
    );
    passes("world:\n  - { step: health, returns: { status: 200 } }\nexpect: { calls: [{ module: http, step: health }] }\n");
    passes("world:\n  - { step: \"steps[1]\", returns: { status: 200 } }\n");
    fails("world:\n  - { module: http, step: restart, returns: { status: 200 } }\n", &["[E0704]", "http at health"]);
}

#[test]
fn answers_of_people() {
    let sick = "world:\n  - { module: http, error: refused }\n  - { module: command, returns: { exit_code: 0 } }\n";
    passes(&format!("{sick}answers: {{ restart: yes }}\nexpect: {{ asked: [restart], ran: [command] }}\n"));
    passes(&format!("{sick}answers: {{ restart: no }}\nexpect: {{ outcome: declined, exit: 6, ran: [] }}\n"));
    passes(&format!("{sick}expect: {{ outcome: needs_input, exit: 7 }}\n"));
    let people = Workspace::with(
        "people",
        "playbook: P\nsteps:\n  - { id: which, ask: { question: \"Which?\", choices: [a, b] } }\n  - { id: look, manual: Look }\n  - { id: wipe, file.delete: /x }\n  - { id: ok, file: /x, override: ask }\n",
    );
    people.write(
        "playbooks/tests/people.test.yaml",
        "play: people
world:
  - { module: file.delete, returns: {} }
  - { module: file, returns: { exists: false } }
tests:
  - test: all of them answer
    answers: { which: b, look: { answer: done, note: all green }, wipe: wipe, ok.override: it is meant to be gone }
    expect:
      steps:
        which: { answer: b }
        look: { outcome: changed, note: all green }
        ok: { outcome: ok, note: it is meant to be gone }
      asked: [which, look, wipe, ok.override]
  - test: left for later
    answers: { which: a, look: later }
    expect: { outcome: parked, exit: 7, ran: [] }
  - test: skipped
    answers: { which: a, look: skip, wipe: no }
    expect: { outcome: declined, skipped: [look] }
  - test: the wrong word
    answers: { which: a, look: done, wipe: yes }
    expect: { outcome: declined, message: must be its word `wipe`, ran: [] }
",
    );
    people.run(&["test"]).expect(0);
}

#[test]
fn an_interrupt_is_told_apart_by_who_asks() {
    let slow = "world:\n  - { module: http, error: refused }\n";
    passes(&format!("{slow}interrupt: 25m\nexpect: {{ outcome: interrupted, exit: 130, duration: 25m }}\n"));
    passes(&format!("{slow}interrupt: {{ after: 25m, by: terminate }}\nexpect: {{ exit: 143 }}\n"));
    passes(&format!("{slow}interrupt: {{ after: 25m, by: time_limit }}\nexpect: {{ exit: 124 }}\n"));
}

#[test]
fn what_does_not_hold_is_shown_with_what_was_seen_and_where() {
    for (expect, says) in [
        ("outcome: failed", vec!["the run does not end as expected [E0703] (line 5)", "expected failed", "seen succeeded"]),
        ("exit: 4", vec!["the exit code is not as expected", "expected 4", "seen 0"]),
        ("message: boom", vec!["the run's last line is not as expected", "expected a text that holds \"boom\""]),
        ("path: [health, after]", vec!["`path` is not as expected", "sick: skipped", "`path: { includes: [...] }`"]),
        ("path: { includes: [after, health] }", vec!["`path` lacks something", "expected health", "in this order"]),
        ("path: { excludes: [{ health: ok }] }", vec!["`path` holds what it must not", "expected no health: ok"]),
        (
            "steps: { health: failed }",
            vec!["`outcome` of the step `health` is not as expected", "expected \"failed\"", "seen \"ok\""],
        ),
        ("steps: { health: { status: 201 } }", vec!["`status` of the step `health`", "expected 201", "seen 200"]),
        ("calls: []", vec!["`calls` is not as expected", "expected nothing", "http {url: \"http://127.0.0.1:9/mail/healthz\"}"]),
        ("ran: [command]", vec!["`ran` is not as expected", "expected command"]),
        ("asked: [restart]", vec!["`asked` is not as expected", "expected restart"]),
        ("skipped: [health]", vec!["`skipped` is not as expected", "sick: skipped"]),
        ("notes: [nothing of the kind]", vec!["`notes` is not as expected", "mail was looked at"]),
        ("vars: { sick: true }", vec!["the variable `sick` is not as expected", "expected true", "seen it is not there"]),
        ("outputs: { status: 201 }", vec!["the output `status`", "expected 201", "seen 200"]),
        ("verdict: ok", vec!["the verdict is not as expected", "seen none"]),
        ("checks: { health: ok }", vec!["the row `health` is not graded", "seen no such row"]),
        ("duration: \"> 1s\"", vec!["the run does not take as long as expected", "expected > 1s", "seen 0s"]),
        ("that: steps.health.status == 201", vec!["an expression of `that` is not true", "steps.health.status is 200"]),
    ] {
        let lines = format!("{WELL}expect: {{ {expect} }}\n");
        let mut says = says;
        says.push("help");
        fails(&lines, &says);
    }
    // Without a word about the end, the end has to be good.
    fails(
        "world:\n  - { module: http, error: refused }\n",
        &["the run does not succeed", "seen needs_input", "write `outcome: needs_input`"],
    );
}

#[test]
fn what_holds_is_not_shown() {
    passes(&format!(
        "{WELL}expect:
  message: {{ matches: \"^$\" }}
  path: [health: ok, sick: skipped, restart, after: ok]
  steps: {{ health: {{ status: 200, attempts: 1 }}, after: ok }}
  calls: [{{ module: http, with: {{ contains: /mail/ }} }}]
  skipped: [sick, restart]
  notes: [was looked at]
  duration: 0s
  that:
    - steps.health.status == 200 and outputs.status == 200
    - params.name == 'mail'
    - run.operator == 'tester'
"
    ));
}

#[test]
fn parameters_that_do_not_fit_are_a_result_too() {
    let workspace = Workspace::with(
        "p",
        "playbook: P\nparams: { n: { required: true, type: int, max: 3 } }\nsteps:\n  - note: \"{{ params.n }}\"\n",
    );
    workspace.write(
        "playbooks/tests/p.test.yaml",
        "play: p\ntests:\n  - test: missing\n    expect: { exit: 3, message: is required, calls: [] }\n  - test: too many\n    with: { n: 4 }\n    expect: { exit: 3, message: out of range }\n  - test: right\n    with: { n: 3 }\n    expect: { notes: [\"3\"] }\n",
    );
    workspace.run(&["test"]).expect(0);
}

#[test]
fn what_is_never_used_is_a_warning_and_with_strict_a_failure() {
    let lines = format!("{WELL}  - {{ module: command, returns: {{}} }}\nanswers: {{ restart: yes }}\n");
    let workspace = project(&lines);
    let output = workspace.run(&["test"]).expect(0);
    let said = flat(&output);
    assert!(said.contains("warning: no call used this rule for `command` [W0701] playbooks/tests/worker.test.yaml:5"), "{said}");
    assert!(
        said.contains("the playbook made no call of `command`") && said.contains("nobody asked for the answer to `restart`"),
        "{said}"
    );
    assert!(said.contains("1 passed, 2 warnings"), "{said}");
    let strict = workspace.run(&["test", "--strict"]).expect(4);
    assert!(flat(&strict).contains("error: no call used this rule"), "{}", strict.stdout);
    // A rule that tests share is used if one of them uses it.
    workspace.write(
        "playbooks/tests/worker.test.yaml",
        "play: worker\nworld:\n  - { module: http, error: no }\n  - { module: command, returns: { exit_code: 0 } }\n  - { module: disk, returns: {} }\ntests:\n  - { test: a, answers: { restart: yes } }\n  - { test: b, answers: { restart: no }, expect: { exit: 6 } }\n",
    );
    let output = workspace.run(&["test"]).expect(0);
    assert_eq!(output.stdout.matches("no call used this rule").count(), 1, "{}", output.stdout);
    assert!(flat(&output).contains("no call used this rule for `disk`"), "{}", output.stdout);
    // With some of the tests alone nothing can be said about it.
    let some = workspace.run(&["test", "--filter", "a"]).expect(0);
    assert!(!some.stdout.contains("no call used"), "{}", some.stdout);
}

#[test]
fn recorded_runs_are_written_in_place_and_compared() {
    let before = "# A comment that stays.\ntest: a test   # of the worker\nplay: worker\nworld:\n  - { module: http, returns: { status: 200 } }\nrecorded: {}   # kept by bless\n# The end.\n";
    let workspace = Workspace::with("worker", PLAYBOOK);
    workspace.write("playbooks/tests/worker.test.yaml", before);
    let output = workspace.run(&["test"]).expect(4);
    assert!(flat(&output).contains("nothing is recorded yet [E0705]"), "{}", output.stdout);
    let output = workspace.run(&["test", "--bless"]).expect(0);
    assert!(output.stdout.contains("+   outcome: succeeded") && output.stdout.contains("- recorded: {}"), "{}", output.stdout);
    let after = workspace.read("playbooks/tests/worker.test.yaml");
    assert_eq!(
        after,
        "# A comment that stays.\ntest: a test   # of the worker\nplay: worker\nworld:\n  - { module: http, returns: { status: 200 } }\nrecorded:   # kept by bless\n  outcome: succeeded\n  path:\n    - health ok\n    - sick skipped\n    - restart skipped\n    - after ok\n  calls:\n    - 'http {\"url\":\"http://127.0.0.1:9/mail/healthz\"}'\n# The end.\n"
    );
    workspace.run(&["test"]).expect(0);
    // Blessing again changes nothing and shows nothing.
    let again = workspace.run(&["test", "--bless"]).expect(0);
    assert!(!again.stdout.contains("recorded in"), "{}", again.stdout);
    // The playbook takes another way: told, with both.
    workspace.write("playbooks/worker.yaml", &PLAYBOOK.replace("  - id: after\n    note", "  - id: later\n    note"));
    let output = workspace.run(&["test"]).expect(4);
    let said = flat(&output);
    assert!(said.contains("differs from what was recorded") && said.contains("- after ok + later ok"), "{}", output.stdout);
    // What is expected in words goes first.
    workspace.write("playbooks/tests/worker.test.yaml", &after.replace("recorded:", "expect: { exit: 4 }\nrecorded:"));
    let output = workspace.run(&["test", "--bless"]).expect(4);
    assert!(output.stderr.contains("not recorded: \"a test\""), "{}", output.stderr);
    assert!(workspace.read("playbooks/tests/worker.test.yaml").contains("- after ok"));
}

#[test]
fn a_world_without_end_ends() {
    let endless = Workspace::with(
        "p",
        "playbook: P\nsteps:\n  - { id: wait, http: \"http://127.0.0.1:9/\", retry: { for: 2000d, every: 1ms } }\n",
    );
    endless.write("playbooks/tests/p.test.yaml", "test: t\nplay: p\nworld: [{ module: http, error: no }]\n");
    let output = endless.run(&["test"]).expect(4);
    assert!(flat(&output).contains("p comes to no end [E0706]"), "{}", output.stdout);
}

#[test]
fn a_loop_without_end_ends_though_it_touches_nothing() {
    let workspace = Workspace::with(
        "p",
        "playbook: P\nsteps:\n  - id: outer\n    for_each: range(1000)\n    as: a\n    block:\n      - { for_each: range(1000), as: b, note: \"{{ a }} {{ b }}\" }\n",
    );
    workspace.write("playbooks/tests/p.test.yaml", "test: t\nplay: p\n");
    let said = flat(&workspace.run(&["test"]).expect(4));
    assert!(said.contains("p comes to no end [E0706]") && said.contains("bound the loop"), "{said}");
}

#[test]
fn filters_are_words_or_a_pattern() {
    let workspace = several();
    let names = |filter: &str| {
        let output = workspace.run(&["test", "--list", "--filter", filter]).expect(0);
        output.stdout.lines().filter_map(|l| l.strip_prefix("  ")).map(|l| l[..l.len() - 3].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("hello"), ["says hello"]);
    assert_eq!(names("GOOD says"), ["says goodbye"]);
    assert_eq!(names("says"), ["says hello", "says goodbye"]);
    assert_eq!(names("/^(says h|br)/"), ["says hello", "breaks"]);
    assert_eq!(names("a.s"), [""; 0]);
    let output = workspace.run(&["test", "--filter", "/(/"]).expect(2);
    assert!(output.stderr.contains("--filter: /(/ is no pattern: unclosed group"), "{}", output.stderr);
}

#[test]
fn what_could_not_be_written_hides_no_result() {
    let workspace = several();
    let output = workspace.run(&["test", "--junit", "no/such/folder.xml", "--jobs", "2"]).expect(1);
    assert!(output.stderr.contains("no/such/folder.xml cannot be written"), "{}", output.stderr);
    assert!(output.stdout.contains("3 tests: 1 failed, 2 passed"), "{}", output.stdout);
    // A record in braces has no place for lines of its own; the other file is written.
    workspace.write("playbooks/tests/a.test.yaml", "play: a\ntests: [{ test: braces, recorded: {} }]\n");
    workspace.write("playbooks/tests/b.test.yaml", "test: breaks\nplay: b\nexpect: { outcome: failed }\nrecorded: {}\n");
    let output = workspace.run(&["test", "--bless"]).expect(3);
    assert!(output.stderr.contains("`recorded` stands inside braces"), "{}", output.stderr);
    assert!(output.stdout.contains("2 tests: 1 failed, 1 passed"), "{}", output.stdout);
    assert!(workspace.read("playbooks/tests/b.test.yaml").contains("recorded:\n  outcome: failed"));
}

#[test]
fn thousands_of_rules_are_looked_through() {
    let workspace = Workspace::with("worker", PLAYBOOK);
    let rules: String = (0..10_000)
        .map(|i| format!("  - {{ module: http, with: \"http://127.0.0.1:9/{i}/healthz\", returns: {{ status: 500 }} }}\n"))
        .collect();
    workspace.write(
        "playbooks/tests/worker.test.yaml",
        &format!("play: worker\nworld:\n{rules}tests:\n  - {{ test: the last, with: {{ name: \"9999\" }}, expect: {{ outcome: needs_input }} }}\n"),
    );
    let output = workspace.run(&["test", "-q"]).expect(0);
    assert!(output.stdout.contains("1 test: 1 passed"), "{}", output.stdout);
}

#[test]
fn virtual_time_takes_no_time() {
    let workspace = Workspace::with(
        "p",
        "playbook: P\nsteps:\n  - wait: 300d\n  - { id: at, set: { at: \"{{ now() | date('%Y-%m-%d') }}\" } }\n",
    );
    workspace.write(
        "playbooks/tests/p.test.yaml",
        "test: t\nplay: p\nnow: 2026-03-01T00:00:00Z\nexpect: { duration: 300d, vars: { at: 2026-12-26 } }\n",
    );
    let began = std::time::Instant::now();
    workspace.run(&["test"]).expect(0);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn invalid_files_end_with_three_and_nothing_runs() {
    let output = run("worlds: []\n").expect(3);
    assert!(
        output.stderr.contains("unknown key `worlds` in a test") && output.stderr.contains("did you mean `world`?"),
        "{}",
        output.stderr
    );
    let workspace = project(WELL);
    workspace.write("playbooks/worker.yaml", "playbook: P\nsteps:\n  - { id: health, htp: x }\n");
    let output = workspace.run(&["test"]).expect(3);
    assert!(output.stderr.contains("there is no module `htp`"), "{}", output.stderr);
    let json = project("worlds: []\n").run(&["test", "--json"]).expect(3);
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["diagnostics"][0]["code"], "E0201");
    // `check` says the same.
    let checked = project("worlds: []\n").run(&["check"]).expect(3);
    assert!(checked.stdout.contains("unknown key `worlds`"), "{}", checked.stdout);
    let well = project(WELL).run(&["check"]).expect(0);
    assert_eq!(well.stdout, "1 playbook and 1 test file checked, no mistakes\n");
}

#[test]
fn no_tests_at_all_are_told() {
    let workspace = Workspace::with("worker", PLAYBOOK);
    let output = workspace.run(&["test"]).expect(4);
    assert!(output.stderr.contains("no tests found") && output.stderr.contains("tests/NAME.test.yaml"), "{}", output.stderr);
    let workspace = project(WELL);
    let output = workspace.run(&["test", "--filter", "zzz"]).expect(4);
    assert!(output.stderr.contains("no tests found whose name fits \"zzz\""), "{}", output.stderr);
    let output = workspace.run(&["test", "wroker"]).expect(3);
    assert!(
        output.stderr.contains("there is no playbook `wroker`") && output.stderr.contains("did you mean `worker`?"),
        "{}",
        output.stderr
    );
}

/// Three tests of two playbooks, one of which fails.
fn several() -> Workspace {
    let workspace = Workspace::with("a", "playbook: A\nsteps:\n  - { id: one, note: hello }\n");
    workspace.write("playbooks/b.yaml", "playbook: B\nsteps:\n  - { id: two, fail: broken }\n");
    workspace.write(
        "playbooks/tests/a.test.yaml",
        "play: a\ntests:\n  - { test: says hello, expect: { notes: [hello] } }\n  - { test: says goodbye, expect: { notes: [goodbye] } }\n",
    );
    workspace.write("playbooks/tests/b.test.yaml", "test: breaks\nplay: b\nexpect: { outcome: failed }\n");
    workspace
}

#[test]
fn tests_are_picked_listed_and_counted() {
    let workspace = several();
    let names = |args: &[&str]| -> Vec<String> {
        let output = workspace.run(&[&["test", "--json"], args].concat());
        let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        report["tests"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["says hello", "says goodbye", "breaks"]);
    assert_eq!(names(&["b"]), ["breaks"]);
    assert_eq!(names(&["playbooks/tests/a.test.yaml"]), ["says hello", "says goodbye"]);
    assert_eq!(names(&["playbooks"]), ["says hello", "says goodbye", "breaks"]);
    assert_eq!(names(&["--filter", "SAYS"]), ["says hello", "says goodbye"]);
    let output = workspace.run(&["test"]).expect(4);
    assert!(output.stdout.contains("3 tests: 1 failed, 2 passed"), "{}", output.stdout);
    assert!(output.stdout.contains("FAIL  playbooks/tests/a.test.yaml  1 of 2 failed"), "{}", output.stdout);
    assert!(output.stdout.contains("ok    playbooks/tests/b.test.yaml  1 test"), "{}", output.stdout);
    let list = workspace.run(&["test", "--list"]).expect(0);
    assert_eq!(
        list.stdout,
        "playbooks/tests/a.test.yaml\n  says hello  a\n  says goodbye  a\nplaybooks/tests/b.test.yaml\n  breaks  b\n3 tests\n"
    );
    let quiet = workspace.run(&["test", "-q", "b"]).expect(0);
    assert!(quiet.stdout.starts_with("1 test: 1 passed"), "{}", quiet.stdout);
    let verbose = workspace.run(&["test", "-v", "b"]).expect(0);
    assert!(verbose.stdout.contains("two failed") && verbose.stdout.contains("on the clock"), "{}", verbose.stdout);
    // A folder of one's own is looked at from there.
    let mut command = workspace.command(&["test", "tests/b.test.yaml"]);
    command.current_dir(workspace.path("playbooks"));
    crate::harness::finish(command).expect(0);
}

#[test]
fn the_first_failure_can_be_the_last_test() {
    let workspace = several();
    workspace.write("playbooks/tests/0.test.yaml", "test: fails\nplay: b\n");
    let output = workspace.run(&["test", "--fail-fast", "--jobs", "1"]).expect(4);
    assert!(output.stdout.contains("4 tests: 1 failed, 3 not run"), "{}", output.stdout);
}

#[test]
fn the_number_of_jobs_changes_nothing_but_time() {
    let workspace = several();
    let report = |jobs: &str| {
        let output = workspace.run(&["test", "--json", "--jobs", jobs]).expect(4);
        let mut report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        report["took_ms"] = serde_json::Value::Null;
        for test in report["tests"].as_array_mut().unwrap() {
            test["took_ms"] = serde_json::Value::Null;
        }
        report
    };
    assert_eq!(report("1"), report("7"));
    let output = workspace.run(&["test", "--jobs", "0"]).expect(2);
    assert!(output.stderr.contains("--jobs"), "{}", output.stderr);
}

#[test]
fn junit_is_whole_whatever_the_tests_are_called() {
    let workspace = several();
    workspace.write(
        "playbooks/tests/a.test.yaml",
        "play: a\ntests:\n  - test: \"<b> & \\\"c\\\" \\e[31m\"\n    expect: { notes: [\"]]> <x>\"] }\n  - { test: fine }\n",
    );
    workspace.run(&["test", "--junit", "out.xml"]).expect(4);
    let xml = workspace.read("out.xml");
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"runbook\" tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"0\""), "{xml}");
    assert!(xml.contains("name=\"&lt;b&gt; &amp; &quot;c&quot; [31m\""), "{xml}");
    assert!(xml.contains("]]&gt; &lt;x&gt;") && !xml.contains('\u{1b}'), "{xml}");
    // Every tag that is opened is closed, in its order.
    let tags = regex::Regex::new("<(/?)([a-z]+)[^>]*?(/?)>").unwrap();
    let mut open = Vec::new();
    for tag in tags.captures_iter(xml.split_once("?>").unwrap().1) {
        match (&tag[1], &tag[3]) {
            ("/", _) => assert_eq!(open.pop().as_deref(), Some(&tag[2])),
            (_, "/") => {}
            _ => open.push(tag[2].to_owned()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let output = workspace.run(&["test", "--junit", "no/such/folder/out.xml"]).expect(1);
    assert!(output.stderr.contains("cannot be written"), "{}", output.stderr);
}

#[test]
fn coverage_names_what_no_test_took() {
    let workspace = project(WELL);
    workspace.write("playbooks/untested.yaml", "playbook: U\nsteps:\n  - note: hello\n");
    let output = workspace.run(&["test", "--coverage"]).expect(0);
    let said = flat(&output);
    assert!(said.contains("57.1 % worker 4 of 7, 1 test"), "{}", output.stdout);
    for wanted in
        ["sick: the `set`", "restart: the `command`", "restart: `confirm` is declined", "0.0 % untested 0 of 1, no tests"]
    {
        assert!(said.contains(wanted), "lacks {wanted:?} in\n{}", output.stdout);
    }
    let json = workspace.run(&["test", "--coverage", "--json", "worker"]).expect(0);
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["coverage"]["playbooks"][0]["untaken"][0]["line"], 12);
    assert_eq!(report["coverage"]["playbooks"].as_array().unwrap().len(), 1);
    // Enough is enough, and less is not.
    workspace.run(&["test", "worker", "--min-coverage", "57"]).expect(0);
    let output = workspace.run(&["test", "worker", "--min-coverage", "80"]).expect(4);
    assert!(output.stdout.contains("the coverage is 57.1 %, less than the 80 % of --min-coverage"), "{}", output.stdout);
    workspace.run(&["test", "--min-coverage", "101"]).expect(2);
}

#[test]
fn coverage_knows_loops_rescues_and_undos() {
    let workspace = Workspace::with(
        "p",
        "playbook: P\nparams: { list: { type: list, default: [] } }\non_failure: undo\nsteps:\n  - { id: each, for_each: params.list, dir.create: \"/{{ item }}\", undo: [{ dir.create: /undone }] }\n  - id: group\n    block:\n      - { id: look, file: /x }\n    rescue:\n      - { id: saved, note: saved }\n    always:\n      - note: always\n  - { id: end, file: /y }\n",
    );
    workspace.write(
        "playbooks/tests/p.test.yaml",
        "play: p\nworld:\n  - { module: file, returns: { exists: true } }\n  - { module: dir.create, returns: {} }\ntests:\n  - { test: empty }\n",
    );
    let untaken = || {
        let output = workspace.run(&["test", "--coverage", "--json"]).expect(0);
        let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let list = report["coverage"]["playbooks"][0]["untaken"].as_array().unwrap().clone();
        list.iter().map(|p| format!("{}: {}", p["step"].as_str().unwrap(), p["what"].as_str().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(untaken(), ["each: the `dir.create`", "each: its `undo`", "group: its `rescue`"]);
    workspace.write(
        "playbooks/tests/p.test.yaml",
        "play: p\nworld:\n  - { module: file, with: /y, returns: { exists: false } }\n  - { module: file, returns: { exists: false } }\n  - { module: dir.create, returns: {} }\ntests:\n  - { test: full, with: { list: [a] }, expect: { outcome: failed, ran: [{ module: dir.create, with: /a }, { module: dir.create, with: /undone }] } }\n",
    );
    assert_eq!(untaken(), ["each: `for_each: params.list` has no items"]);
}

#[test]
fn secrets_stay_secret_in_every_output() {
    let workspace = Workspace::with(
        "p",
        "playbook: P\nenv: [TOKEN]\nsteps:\n  - { id: get, http: { url: \"http://127.0.0.1:9/\", bearer: \"{{ env.TOKEN }}\" } }\n",
    );
    workspace.write(
        "playbooks/tests/p.test.yaml",
        "play: p\nenv: { TOKEN: hunter2hunter2 }\ntests:\n  - test: matched\n    world: [{ module: http, with: { bearer: hunter2hunter2 }, returns: { status: 200 } }]\n  - { test: undeclared }\n",
    );
    for args in [&["test", "-v"][..], &["test", "--json"], &["test", "--junit", "o.xml"]] {
        let output = workspace.run(args).expect(4);
        assert!(!output.stdout.contains("hunter2"), "{}", output.stdout);
    }
    assert!(!workspace.read("o.xml").contains("hunter2"));
}

#[test]
fn nothing_in_a_test_commands_the_terminal() {
    let workspace = Workspace::with("p", "playbook: P\nsteps:\n  - { id: a, note: \"\\e[2J\\u202e\" }\n");
    workspace.write("playbooks/tests/p.test.yaml", "test: \"\\e[31mred\"\nplay: p\nexpect: { notes: [\"\\e]0;x\\a\"] }\n");
    let output = workspace.run(&["test", "-v"]).expect(4);
    assert!(!output.stdout.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", output.stdout);
}

#[test]
fn a_thousand_tests_are_run_at_once() {
    let workspace = Workspace::with("worker", PLAYBOOK);
    for file in 0..20 {
        let mut text = String::from("play: worker\nworld:\n  - { module: http, returns: { status: 200 } }\ntests:\n");
        for test in 0..50 {
            text.push_str(&format!("  - test: number {test}\n    with: {{ name: worker-{file}-{test} }}\n    expect:\n      outcome: succeeded\n      calls: [{{ module: http, with: {{ contains: worker-{file}-{test}/ }} }}]\n"));
        }
        workspace.write(&format!("playbooks/tests/{file:02}.test.yaml"), &text);
    }
    let output = workspace.run(&["test", "--strict"]).expect(0);
    assert!(output.stdout.contains("1000 tests: 1000 passed"), "{}", output.stdout);
}

/// The shipped playbooks with their tests.
#[test]
fn the_shipped_tests_pass_and_take_nearly_everything() {
    let workspace = Workspace::shipped();
    let output = workspace.run(&["test", "--strict", "--min-coverage", "90"]).expect(0);
    assert!(!output.stdout.contains("warning"), "{}", output.stdout);
}

/// The tests of the shipped playbooks hold the playbooks: a step less or a condition turned round is seen.
#[test]
fn a_mistake_in_a_shipped_playbook_is_found_by_its_tests() {
    let workspace = Workspace::shipped();
    for (name, from, to) in [
        ("stack-start", "    when: stand_ins\n", "    when: not stand_ins\n"),
        ("stack-start", "    order: dependencies\n", "    order: listed\n"),
        (
            "stack-start",
            "and steps.configuration.value.services[item.vars.config_key].port != item.port",
            "and steps.configuration.value.services[item.vars.config_key].port == item.port",
        ),
        ("stack-start", "      ready: \"{{ not params.skip_health_check }}\"\n", ""),
        ("stack-start", "      args: \"{{ ['--reload'] if params.reload else [] }}\"\n", ""),
        ("stack-start", "    continue_on_error: true  ", "    continue_on_error: false "),
        ("stack-start", "steps.start.items[item.id].outcome == 'changed'", "steps.start.items[item.id].outcome == 'ok'"),
        ("stack-start", "    pid_file: \"{{ item.pid_file }}\"\n", "    pid_file: /elsewhere\n"),
        ("stack-stop", "    order: reverse_dependencies\n", "    order: listed\n"),
        ("stack-stop", "    continue_on_error: true\n", ""),
        ("stack-stop", "force: \"{{ params.force }}\"", "force: true"),
        ("stack-stop", "    expect: not exists\n", "    expect: exists\n"),
        ("stack-stop", "    expect: free\n", "    expect: listening\n"),
        ("stack-status", "    service: \"{{ item.id }}\"\n", "    service: api-gateway\n"),
        ("service-restart", "force: \"{{ params.force }}\"", "force: false"),
        ("service-restart", "    service: \"{{ params.service }}\"\n", "    service: eva-os\n"),
        ("service-restart", "  pid: \"{{ steps.restart.pid }}\"\n", "  pid: 1\n"),
    ] {
        let path = format!("playbooks/sonia/{name}.yaml");
        let before = workspace.read(&path);
        let mutant = before.replacen(from, to, 1);
        assert_ne!(mutant, before, "{name}: {from:?} is not there any more");
        workspace.write(&path, &mutant);
        let output = workspace.run(&["test", name]);
        assert!(
            output.code == 4,
            "{name}: nobody saw {from:?} become {to:?} (exit {})\n{}{}",
            output.code,
            output.stdout,
            output.stderr
        );
        workspace.write(&path, &before);
    }
}
