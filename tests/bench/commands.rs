//! A thousand times `true`: what the engine adds to a process, beside shells, make and the bare loop.

use std::process::Command;

use crate::project::Project;
use crate::table::{Row, Table, Target};
use crate::timing::{Samples, peak_memory, rounds, wall};
use crate::{Options, limits};

const STEPS: usize = 1000;

pub(crate) fn run(options: &Options, table: &mut Table) {
    let project = Project::new();
    project.playbook("true", &"  - command: [\"true\"]\n".repeat(STEPS));
    project.playbook("read", &"  - { command: [\"true\"], effect: read }\n".repeat(STEPS));
    project.write("Makefile", &format!("all:\n{}", "\t@/bin/true\n".repeat(STEPS)));
    project.write("true.sh", &"/bin/true\n".repeat(STEPS));
    project.write("justfile", &format!("all:\n{}", "    @/bin/true\n".repeat(STEPS)));
    let play = |name: &str| {
        let took = wall(&mut project.runbook(&["play", name]));
        project.take_journal();
        took
    };
    let c_loop = limits::c_spawn_loop(&project);
    let program = |name: &str, args: &[&str]| if installed(name) { wall(&mut project.command(name, args)) } else { f64::NAN };
    let [limit, changing, synced, reading, bare_c, dash, bash, make, just] = rounds(
        options.rounds,
        [
            &mut || limits::spawn_loop(STEPS),
            &mut || play("true"),
            &mut || limits::spawn_and_sync_loop(project.folder(), STEPS),
            &mut || play("read"),
            &mut || c_loop.as_ref().map_or(f64::NAN, |p| wall(&mut project.command(&p.to_string_lossy(), &[&STEPS.to_string()]))),
            &mut || program("dash", &["true.sh"]),
            &mut || program("bash", &["true.sh"]),
            &mut || program("make", &["-s"]),
            &mut || program("just", &[]),
        ],
    );
    let each = |samples: &Samples| samples.map(|v| v * 1000.0 / STEPS as f64);
    let (limit, synced) = (each(&limit), each(&synced));
    let row = |what: &str, samples: &Samples| Row::new(what, "µs", each(samples));
    let bare = "bare spawn and wait";
    let row_bare = |what: &str, samples: &Samples| row(what, samples).limit(bare, &limit);
    let target = Target::Times(1.3);
    table.push("commands", row_bare("1000 × `command: [\"true\"]`, each", &changing).target(target));
    table.push(
        "commands",
        row("  beside what its journal promises", &changing).limit("spawn, 2 durable lines", &synced).target(target),
    );
    table.push("commands", row_bare("1000 × the same with `effect: read`, each", &reading).target(target));
    for (what, samples) in [
        ("1000 × posix_spawn in C, each", &bare_c),
        ("1000 × /bin/true in dash, each", &dash),
        ("1000 × /bin/true in bash, each", &bash),
        ("1000 × /bin/true in make, each", &make),
        ("1000 × /bin/true in just, each", &just),
    ] {
        if samples.median().is_finite() {
            table.push("commands", row_bare(what, samples));
        }
    }
    let memory = Samples((0..3).map(|_| peak_memory(&mut project.runbook(&["play", "true"]))).collect());
    table.push("commands", Row::new("  memory of 1000 × `command: [\"true\"]`", "MiB", memory));
}

/// Whether a program is there to be compared with.
fn installed(name: &str) -> bool {
    Command::new(name).arg("--version").output().is_ok()
}
