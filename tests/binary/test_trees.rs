//! `runbook test` of triage trees: answers, the way to a finding, and what no test took.

use crate::harness::{Output, Workspace};

/// The whole output on one line, so that it can be looked into whatever its width.
fn flat(output: &Output) -> String {
    output.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A tree with a check that answers, a question for people, choices, a node that may be passed over, and an end without a finding.
const TREE: &str = r#"playbook: Find out why a service is unhealthy
params:
  port: { type: int, default: 8080 }
triage:
  id: healthz
  ask: "Is /healthz returning 200 OK?"
  check: { http: "http://127.0.0.1:{{ params.port }}/healthz", expect: status == 200 }
  yes: { finding: healthy }
  no:
    - id: tool
      ask: "Does the tool say that it is locked?"
      when: params.port != 9
      check: { command: [no-such-tool, status], effect: read }
      yes:
        finding: locked
        severity: warning
        see: [{ name: The lock, file: /var/lock/it }]
      unknown: continue
    - id: since
      ask: "Since when?"
      when: not findings
      choices: [today, yesterday, long]
      cases:
        today: { finding: release, severity: critical }
        yesterday: { id: nightly, finding: backup-job }
      default: continue
"#;

const TREE_WORLD: &str = "play: health\nworld:\n  - { module: http, returns: { status: 503 } }\n  - { module: command, returns: { exit_code: 1 } }\n  - { module: file, returns: { exists: true } }\n";

fn tree(tests: &str) -> Workspace {
    let workspace = Workspace::with("health", TREE);
    workspace.write("playbooks/tests/health.test.yaml", &format!("{TREE_WORLD}tests:\n{tests}"));
    workspace
}

#[test]
fn a_tree_is_tested_from_its_questions_to_its_findings() {
    let workspace = tree(
        "  - test: what people know
    answers: { since: { answer: today, note: after the deploy } }
    expect:
      finding: release
      verdict: critical
      path: [healthz: no, tool: no, since: today, finding: release]
      steps: { healthz: no, since: { answer: today, note: after the deploy }, nightly: skipped, tool: { exit_code: 1 } }
      asked: [since]
  - test: an answer outweighs the check, and nobody is asked
    answers: { healthz: yes }
    expect: { path: [healthz: yes, finding: healthy], asked: [], verdict: ok, calls: [http] }
  - test: what our side could not look at is asked
    world: [{ module: command, unknown: no permission }]
    answers: { tool: yes }
    expect: { path: [healthz, tool: yes, finding: locked, since: skipped], asked: [tool], skipped: [since] }
  - test: nobody knows, so that it ends without a finding
    answers: { tool: unknown, since: long }
    expect: { findings: [], verdict: unknown, path: { includes: [tool: unknown, since: long], excludes: [finding: locked] } }
  - test: a node is passed over, and a leaf is named by its id
    with: { port: 9 }
    answers: { since: yesterday }
    expect: { path: [triage, tool: skipped, since, nightly: backup-job], findings: [backup-job] }
  - test: nobody is there
    expect: { outcome: needs_input, exit: 7, message: since, path: { includes: [since: failed] } }
",
    );
    workspace.run(&["test", "--strict"]).expect(0);
    // The same tree as a step of a procedure.
    workspace.write(
        "playbooks/both.yaml",
        "playbook: B\nsteps:\n  - { id: look, play: health }\n  - { id: say, note: \"{{ steps.look.verdict }}\" }\n",
    );
    workspace.write(
        "playbooks/tests/both.test.yaml",
        &format!(
            "{}tests:\n  - test: played\n    answers: {{ tool: yes }}\n    expect: {{ path: [\"look>healthz\": no, \"look>tool\": yes, finding: locked, \"look>since\": skipped, say], notes: [warning] }}\n",
            TREE_WORLD.replace("play: health", "play: both")
        ),
    );
    let output = workspace.run(&["test", "both", "-v"]).expect(0);
    assert!(flat(&output).contains("path look>healthz no look>tool yes finding locked"), "{}", output.stdout);
}

#[test]
fn what_a_tree_came_to_is_shown_as_it_is_written() {
    let fails = |expect: &str| {
        let output = tree(&format!("  - test: t\n    answers: {{ since: today }}\n    expect: {{ {expect} }}\n")).run(&["test"]);
        flat(&output.expect(4))
    };
    let said = fails("path: [healthz: no, since: long, finding: locked]");
    assert!(said.contains("healthz: no - since: long - finding: locked + tool: no + since: today + finding: release"), "{said}");
    let said = fails("steps: { tool: yes }");
    assert!(
        said.contains("`answer` of the step `tool` is not as expected") && said.contains("expected \"yes\" seen \"no\""),
        "{said}"
    );
    let said = fails("finding: locked");
    assert!(said.contains("`findings` is not as expected") && said.contains("expected locked seen release"), "{said}");
    let said = fails("verdict: warning");
    assert!(said.contains("expected warning seen critical"), "{said}");
}

#[test]
fn mistakes_about_a_tree_are_told_before_anything_runs() {
    let said = |lines: &str| {
        let output = tree(&format!("  - test: t\n{lines}")).run(&["test"]).expect(3);
        output.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (lines, wanted) in [
        ("    answers: { sinse: today }\n", "E0605]: no question has the id `sinse` --> playbooks/tests/health.test.yaml:8:16"),
        ("    answers: { sinse: today }\n", "did you mean `since`?"),
        ("    answers: { nightly: yes }\n", "`nightly` asks nothing: it is a finding; the question above it is answered"),
        ("    answers: { \"triage.no[7]\": yes }\n", "no question has the id `triage.no[7]`"),
        ("    answers: { healthz: perhaps }\n", "`healthz` takes one of yes, no, unknown, found \"perhaps\""),
        ("    answers: { since: tody }\n", "`since` takes one of today, yesterday, long, found \"tody\""),
        ("    answers: { since: tody }\n", "did you mean `today`?"),
        ("    answers: { since: [today, 3] }\n", "found `3`"),
        ("    answers: { tool: { answer: { a: b } } }\n", "found a map"),
        ("    expect: { finding: relese }\n", "E0409]: `health` has no finding `relese`"),
        ("    expect: { findings: { excludes: [lockd] } }\n", "did you mean `locked`?"),
        ("    expect: { path: [finding: healty] }\n", "did you mean `healthy`?"),
        ("    expect: { path: [helthz: no] }\n", "`health` has no step `helthz`"),
        (
            "    expect: { path: [healthz: ok] }\n",
            "`healthz` is one of `yes`, `no`, `unknown`, `skipped`, `failed`, found \"ok\"",
        ),
        ("    expect: { path: [since: tody] }\n", "did you mean `today`?"),
        ("    expect: { steps: { nightly: release } }\n", "`nightly` is one of `backup-job`, `skipped`, `failed`"),
        ("    expect: { steps: { healthz: { satus: 200 } } }\n", "`http` never returns `satus`"),
        ("    expect: { asked: { excludes: [sinse] } }\n", "no question has the id `sinse`"),
        ("    expect: { verdict: crit }\n", "did you mean `critical`?"),
        ("    world: [{ step: helthz, returns: {} }]\n", "`health` has no step `helthz`"),
    ] {
        let text = said(lines);
        assert!(text.contains(wanted), "{lines}\nlacks {wanted:?} in\n{text}");
    }
    // One mistake is told once.
    assert!(said("    expect: { path: [helthz: no] }\n").contains("found 1 error"));
    // What all tests of a file are given is looked at too.
    let workspace = Workspace::with("health", TREE);
    workspace
        .write("playbooks/tests/health.test.yaml", &format!("{TREE_WORLD}answers: {{ sinse: today }}\ntests:\n  - test: t\n"));
    let output = workspace.run(&["test"]).expect(3);
    assert!(output.stderr.contains("did you mean `since`?") && output.stderr.contains("found 1 error"), "{}", output.stderr);
    // And a procedure finds nothing.
    let run = |lines: &str| {
        let workspace = Workspace::with(
            "worker",
            "playbook: W\nsteps:\n  - { id: restart, command: [touch, x], confirm: true }\n  - { id: after, note: done }\n",
        );
        workspace.write("playbooks/tests/worker.test.yaml", &format!("test: a test\nplay: worker\n{lines}"));
        workspace.run(&["test"])
    };
    let output = run("expect: { finding: dead }\n").expect(3);
    assert!(output.stderr.contains("`worker` is no triage tree, and finds nothing"), "{}", output.stderr);
    let output = run("answers: { restart: maybe }\n").expect(3);
    assert!(output.stderr.contains("`restart` takes one of yes, no, found \"maybe\""), "{}", output.stderr);
    let output = run("answers: { after: yes }\n").expect(3);
    assert!(output.stderr.contains("`after` asks nothing: its step is a `note` without `confirm`"), "{}", output.stderr);
}

#[test]
fn answers_that_tests_share_are_judged_over_all_of_them() {
    let workspace = Workspace::with("health", TREE);
    workspace.write(
        "playbooks/tests/health.test.yaml",
        &format!("{TREE_WORLD}answers: {{ since: today, tool: no }}\ntests:\n  - {{ test: a }}\n  - {{ test: b, answers: {{ healthz: yes }} }}\n"),
    );
    let output = workspace.run(&["test"]).expect(0);
    assert!(!flat(&output).contains("nobody asked"), "{}", output.stdout);
    workspace.write(
        "playbooks/tests/health.test.yaml",
        &format!("{TREE_WORLD}answers: {{ since: today, healthz: yes }}\ntests:\n  - {{ test: a }}\n  - {{ test: b }}\n"),
    );
    let output = workspace.run(&["test"]).expect(0);
    let said = flat(&output);
    assert_eq!(said.matches("nobody asked for the answer to `since`").count(), 1, "{}", output.stdout);
    assert!(said.contains("no test of the file asks that question"), "{}", output.stdout);
}

#[test]
fn coverage_counts_every_answer_and_every_finding() {
    let workspace = tree("  - { test: t, answers: { since: long } }\n");
    let untaken = || {
        let output = workspace.run(&["test", "--coverage", "--json"]).expect(0);
        let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let all = &report["coverage"]["playbooks"][0];
        let line =
            |p: &serde_json::Value| format!("{} {}: {}", p["line"], p["step"].as_str().unwrap(), p["what"].as_str().unwrap());
        (all["points"].as_u64().unwrap(), all["untaken"].as_array().unwrap().iter().map(line).collect::<Vec<_>>())
    };
    // Three questions; three answers, three, and three; four findings; two `when`; three checks.
    let (points, lines) = untaken();
    assert_eq!(points, 3 + 9 + 4 + 2 + 3);
    assert_eq!(
        lines,
        [
            "6 healthz: the answer `unknown`",
            "8 healthz: the answer `yes`",
            "8 healthy: the finding `healthy`",
            "12 tool: `when: params.port != 9` is false",
            "15 tool: the answer `yes`",
            "15 locked: the finding `locked`",
            "18 tool: the answer `unknown`",
            "21 since: `when: not findings` is false",
            "24 since: the answer `today`",
            "24 release: the finding `release`",
            "25 since: the answer `yesterday`",
            "25 nightly: the finding `backup-job`",
        ]
    );
    let output = workspace.run(&["test", "--coverage"]).expect(0);
    assert!(flat(&output).contains("playbooks/health.yaml:15: tool: the answer `yes`"), "{}", output.stdout);
    workspace.run(&["test", "--min-coverage", "38.1"]).expect(0);
    workspace.run(&["test", "--min-coverage", "39"]).expect(4);
    // Of a question that was never asked, its answers and checks are not listed one by one.
    workspace.write(
        "playbooks/tests/health.test.yaml",
        &format!("{TREE_WORLD}tests:\n  - {{ test: t, answers: {{ healthz: yes }} }}\n"),
    );
    let (_, lines) = untaken();
    assert!(lines.contains(&"11 tool: the question \"Does the tool say that it is locked?\"".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|l| l.contains("tool: the answer") || l.contains("check")), "{lines:?}");
    // With everything answered nothing is left.
    workspace.write(
        "playbooks/tests/health.test.yaml",
        &format!(
            "{TREE_WORLD}tests:
  - {{ test: a, answers: {{ healthz: yes }} }}
  - {{ test: b, answers: {{ tool: unknown, since: today }} }}
  - {{ test: f, answers: {{ healthz: unknown }} }}
  - {{ test: c, answers: {{ tool: yes }} }}
  - {{ test: d, with: {{ port: 9 }}, answers: {{ since: yesterday }} }}
  - {{ test: e, answers: {{ tool: no, since: long }} }}
"
        ),
    );
    assert_eq!(untaken().1, [""; 0]);
    workspace.run(&["test", "--min-coverage", "100"]).expect(0);
}
