//! Files as large as may be, of every hostile kind: time and memory of `runbook check` on each.

#[path = "../harness/hostile.rs"]
mod files;

use std::process::{Command, Stdio};

use crate::Options;
use crate::project::Project;
use crate::table::{Row, Table, Target};
use crate::timing::{Samples, peak_memory_of, timed};

/// As large as a playbook may be.
const SIZE: usize = 10 * 1024 * 1024;
/// How many of the worst are listed one by one.
const WORST: usize = 12;

pub(crate) fn run(options: &Options, table: &mut Table) {
    let mut found: Vec<(&str, Samples, Samples)> = Vec::new();
    for kind in files::HOSTILE {
        let project = Project::new();
        project.write("playbooks/a.yaml", "playbook: A\nsteps:\n  - note: x\n");
        let path = project.path("playbooks").join(kind.file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, kind.text(SIZE)).unwrap();
        let (mut time, mut memory) = (Samples::default(), Samples::default());
        for _ in 0..options.rounds.min(3) {
            time.push(timed(|| {
                answered(project.runbook(&["check"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
            }));
        }
        memory.push(peak_memory_of(&mut project.runbook(&["check"]), &[0, 3]));
        found.push((kind.name, time, memory));
    }
    let all = found.len();
    found.sort_by(|a, b| b.1.median().total_cmp(&a.1.median()));
    for (name, time, _) in found.iter().take(WORST) {
        table.push("hostile", Row::new(format!("`check` of 10 MiB: {name}"), "ms", time.clone()).target(Target::AtMost(1000.0)));
    }
    found.sort_by(|a, b| b.2.median().total_cmp(&a.2.median()));
    for (name, _, memory) in found.iter().take(WORST) {
        // 200 MB are 190.7 MiB.
        let row = Row::new(format!("– memory: {name}"), "MiB", memory.clone()).target(Target::AtMost(190.7));
        table.push("hostile", row);
    }
    table.note(format!("hostile: {all} kinds of files; the {WORST} slowest and the {WORST} largest are listed"));
}

/// Runs a command that ends with 0 or 3.
#[track_caller]
fn answered(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(matches!(status.code(), Some(0 | 3)), "{command:?} ended with {status}");
}
