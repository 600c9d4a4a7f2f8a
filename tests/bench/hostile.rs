//! Files as large as may be, of every hostile kind: time and memory of `runbook check` on each.

#[path = "../harness/hostile.rs"]
mod files;

use std::process::{Command, Stdio};

use crate::Options;
use crate::project::Project;
use crate::table::{Row, Table, Target};
use crate::timing::{Samples, peak_memory_of, timed};

/// As large as a playbook may be; and so large that many kinds are just not refused for what they hold.
const SIZES: &[(usize, &str)] =
    &[(10 * 1024 * 1024, "10 MiB"), (2560 * 1024, "2.5 MiB"), (1024 * 1024, "1 MiB"), (400 * 1024, "400 KiB")];
/// How many of the worst are listed one by one, for each size.
const WORST: usize = 3;

pub(crate) fn run(options: &Options, table: &mut Table) {
    for (size, shown) in SIZES {
        let mut found: Vec<(String, Samples, Samples)> = Vec::new();
        for kind in files::HOSTILE {
            let project = Project::new();
            project.write("playbooks/a.yaml", "playbook: A\nsteps:\n  - note: x\n");
            let path = project.path("playbooks").join(kind.file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, kind.text(*size)).unwrap();
            for args in [&["check"][..], &["fmt", "--check", "--quiet"]] {
                let (mut time, mut memory) = (Samples::default(), Samples::default());
                for _ in 0..options.rounds.min(3) {
                    time.push(timed(|| {
                        answered(project.runbook(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
                    }));
                }
                memory.push(peak_memory_of(&mut project.runbook(args), &[0, 3, 4]));
                found.push((format!("`{}` of {shown}: {}", args[0], kind.name), time, memory));
            }
        }
        found.sort_by(|a, b| b.1.median().total_cmp(&a.1.median()));
        for (name, time, _) in found.iter().take(WORST) {
            table.push("hostile", Row::new(name.clone(), "ms", time.clone()).target(Target::AtMost(1000.0)));
        }
        found.sort_by(|a, b| b.2.median().total_cmp(&a.2.median()));
        for (name, _, memory) in found.iter().take(WORST) {
            // 200 MB are 190.7 MiB.
            table.push("hostile", Row::new(format!("– memory: {name}"), "MiB", memory.clone()).target(Target::AtMost(190.7)));
        }
    }
    let all = files::HOSTILE.len();
    table.note(format!(
        "hostile: {all} kinds of files in {} sizes; of each size the {WORST} slowest and the {WORST} largest",
        SIZES.len()
    ));
}

/// Runs a command that ends with 0, 3, or 4.
#[track_caller]
fn answered(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(matches!(status.code(), Some(0 | 3 | 4)), "{command:?} ended with {status}");
}
