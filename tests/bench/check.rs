//! Reading and checking playbooks.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::Options;
use crate::project::Project;
use crate::table::{Row, Table, Target};
use crate::timing::{rounds, timed, wall};

const STEPS: usize = 10_000;

pub(crate) fn run(options: &Options, table: &mut Table) {
    let project = Project::new();
    let mut steps = String::new();
    let mut same = Vec::new();
    for i in 0..STEPS {
        let before = i.saturating_sub(1);
        let _ = writeln!(
            steps,
            "  - id: step-{i}\n    name: Step {i}\n    when: {}\n    command: [echo, \"{{{{ {i} }}}}\"]\n    effect: read",
            if i == 0 { "true".to_owned() } else { format!("steps.step-{before}.exit_code == 0") }
        );
        same.push(json!({ "id": format!("step-{i}"), "name": format!("Step {i}"), "when": "x", "command": ["echo", i], "effect": "read" }));
    }
    project.playbook("large", &steps);
    let same = Json::from(same).to_string();
    let parse = || {
        timed(|| {
            let parsed: Json = serde_json::from_str(&same).unwrap();
            assert!(parsed.is_array());
        })
    };
    let mut check = || wall(&mut project.runbook(&["check", "large"]));
    let [large, parsed] = rounds(options.rounds, [&mut check, &mut || parse()]);
    let what = format!("`check` of {STEPS} steps, each with 5 keys and 2 expressions");
    table.push(
        "check",
        Row::new(what, "ms", large).limit("the same as JSON by serde_json", &parsed).target(Target::AtMost(1000.0)),
    );

    let shipped = Project::shipped();
    let many = Project::new();
    for i in 0..100 {
        many.write(
            &format!("playbooks/book-{i}.yaml"),
            &format!(
                "playbook: Number {i}\ndescription: One of many\ntags: [a, b]\nparams:\n  p: {{ type: int, default: {i} }}\n\
                      steps:\n{}",
                "  - set: { a: \"{{ params.p }}\" }\n".repeat(20)
            ),
        );
    }
    let mut version = || wall(&mut shipped.runbook(&["--version"]));
    let mut start = || wall(&mut shipped.runbook(&["check", "stack-start"]));
    let mut list = || wall(&mut many.runbook(&["list"]));
    let mut all = || wall(&mut many.runbook(&["check"]));
    let [version, start, list, all] = rounds(options.rounds * 3, [&mut version, &mut start, &mut list, &mut all]);
    let row = |what: &str, samples| Row::new(what, "ms", samples).limit("`runbook --version`", &version);
    table.push("check", row("load and check of stack-start", start));
    table.push("check", row("`list` of 100 playbooks", list));
    table.push("check", row("`check` of 100 playbooks of 20 steps", all));
}
