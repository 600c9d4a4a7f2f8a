//! A thousand tests of playbooks, beside the check of the same files.

use std::fmt::Write;

use crate::Options;
use crate::project::Project;
use crate::table::{Row, Table, Target};
use crate::timing::{Samples, peak_memory, rounds, wall};

const PLAYBOOKS: usize = 20;
const TESTS: usize = 50;

/// Looks, waits until it is well, changes something, and proves it: what playbooks do.
const STEPS: &str = r#"  - id: health
    http: "http://127.0.0.1:9/{{ params.name }}/healthz"
    expect: status == 200
    retry: { for: 1h, every: 10s }
    continue_on_error: true
  - id: restart
    when: steps.health.outcome != 'ok'
    command: [restart, "{{ params.name }}"]
    confirm: true
    verify:
      - { port: 9, expect: listening }
  - id: each
    for_each: [a, b, c, d]
    file: "/srv/{{ params.name }}/{{ item }}"
    expect: exists
  - note: "{{ params.name }} was looked at"
outputs: { status: "{{ steps.health.status }}" }
"#;

pub(crate) fn run(options: &Options, table: &mut Table) {
    let project = Project::new();
    std::fs::create_dir(project.path("playbooks/tests")).unwrap();
    for book in 0..PLAYBOOKS {
        let params = "params: { name: { default: mail } }";
        project.write(&format!("playbooks/book-{book}.yaml"), &format!("playbook: Number {book}\n{params}\nsteps:\n{STEPS}"));
        let mut tests = format!(
            "play: book-{book}\nworld:\n  - {{ module: file, returns: {{ exists: true }} }}\n  - {{ module: port, returns: {{ listening: true }} }}\n  - {{ module: command, returns: {{ exit_code: 0 }} }}\ntests:\n"
        );
        for test in 0..TESTS {
            // One in two is well after some tries, the other is restarted after an hour of them.
            let (turns, expect) = match test % 2 {
                0 => ("{ error: refused }, { returns: { status: 503 } }, { returns: { status: 200 } }", "ran: [], duration: 20s"),
                _ => ("{ error: refused, takes: 1s }", "ran: [command], asked: [restart], duration: \">= 1h\""),
            };
            let _ = writeln!(
                tests,
                "  - test: number {test}\n    with: {{ name: worker-{test} }}\n    answers: {{ {} }}\n    world: [{{ module: http, with: {{ contains: worker-{test}/ }}, sequence: [{turns}] }}]\n    expect: {{ {expect}, notes: [worker-{test}], path: {{ includes: [health, restart, each@d: ok] }} }}",
                if test % 2 == 0 { "" } else { "restart: yes" }
            );
        }
        project.write(&format!("playbooks/tests/book-{book}.test.yaml"), &tests);
    }
    // What does not pass is not measured.
    let passed = project.runbook(&["test", "--strict", "-q"]).output().unwrap();
    assert!(passed.status.success(), "{}", String::from_utf8_lossy(&passed.stdout));
    let all = PLAYBOOKS * TESTS;
    let mut tests = || wall(&mut project.runbook(&["test"]));
    let mut alone = || wall(&mut project.runbook(&["test", "--jobs", "1"]));
    let mut covered = || wall(&mut project.runbook(&["test", "--coverage", "--junit", "out.xml"]));
    let mut check = || wall(&mut project.runbook(&["check"]));
    let [tests, alone, covered, check] = rounds(options.rounds, [&mut tests, &mut alone, &mut covered, &mut check]);
    let row = |what: &str, samples| Row::new(what, "ms", samples).limit("`check` of the same files", &check);
    table.push("tests", row(&format!("`test` of {all} tests of {PLAYBOOKS} playbooks"), tests).target(Target::AtMost(5000.0)));
    table.push("tests", row("  with `--jobs 1`", alone));
    table.push("tests", row("  with `--coverage --junit FILE`", covered));
    let memory = Samples((0..3).map(|_| peak_memory(&mut project.runbook(&["test"]))).collect());
    table.push("tests", Row::new("  memory", "MiB", memory));
}
