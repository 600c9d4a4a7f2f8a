//! The engine's own time per step, where no process and no network is involved.

use std::fmt::Write;

use crate::project::{Project, walked};
use crate::table::{Row, Table, Target};
use crate::timing::{Samples, peak_memory, rounds, wall};
use crate::{Options, limits};

const STEPS: usize = 10_000;

pub(crate) fn run(options: &Options, table: &mut Table) {
    let project = Project::new();
    let many = |line: &dyn Fn(usize) -> String| {
        (0..STEPS).fold(String::new(), |mut text, i| {
            let _ = writeln!(text, "  - {}", line(i));
            text
        })
    };
    project.playbook("set", &many(&|i| format!("set: {{ a: {i} }}")));
    project.playbook("ids", &many(&|i| format!("{{ id: s{i}, set: {{ v{i}: \"{{{{ {i} + 1 }}}}\" }} }}")));
    project.playbook("loop", &format!("  - for_each: range({STEPS})\n    set: {{ a: \"{{{{ item + 1 }}}}\" }}\n"));
    let inner =
        "    block:\n      - id: one\n        set: { a: \"{{ item }}\" }\n      - id: two\n        set: { b: \"{{ a + 1 }}\" }\n";
    project.playbook("blocks", &format!("  - for_each: range({STEPS})\n{inner}"));
    let secret = "playbook: A benchmark\nparams:\n  key: { type: secret, required: true }\nsteps:\n";
    project.write("playbooks/secret.yaml", &format!("{secret}{}", many(&|i| format!("set: {{ a: {i} }}"))));
    case(options, table, &project, "set", &format!("{STEPS} `set` steps"), Some(50.0));
    case(options, table, &project, "loop", &format!("`for_each` of {STEPS} items, one `set`"), Some(50.0));
    case(options, table, &project, "ids", &format!("{STEPS} `set` steps with ids"), None);
    case(options, table, &project, "blocks", &format!("`for_each` of {STEPS} items, block of two with ids"), None);
    case(options, table, &project, "secret", &format!("{STEPS} `set` steps, one secret known"), None);
}

fn case(options: &Options, table: &mut Table, project: &Project, name: &str, what: &str, target: Option<f64>) {
    let args = ["play", name, "--param", "key=not-to-be-seen-anywhere"];
    let args = if name == "secret" { &args[..] } else { &args[..2] };
    // A run before all others leaves the journal whose lines the limit writes.
    wall(&mut project.runbook(args));
    let lines = project.take_journal();
    let mut wholes = Samples::default();
    let mut play = || {
        wholes.push(wall(&mut project.runbook(args)));
        walked(&project.take_journal()) * 1000.0 / STEPS as f64
    };
    let mut limit = || limits::write_lines(project.folder(), &lines) * 1000.0 / STEPS as f64;
    let [walk, limit] = rounds(options.rounds, [&mut play, &mut limit]);
    let row = Row::new(format!("{what}, each"), "µs", walk).limit("writing the same journal", &limit);
    table.push("steps", if let Some(most) = target { row.target(Target::AtMost(most)) } else { row });
    wholes.0.remove(0);
    table.push("steps", Row::new("  the whole command", "ms", wholes));
    let memory = Samples((0..3).map(|_| peak_memory(&mut project.runbook(args))).collect());
    project.take_journal();
    let row = Row::new("  memory", "MiB", memory);
    table.push("steps", if target.is_some() { row.target(Target::AtMost(100.0)) } else { row });
}
