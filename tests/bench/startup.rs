//! Start-up: how long until the program has done the least it can do.

use crate::project::{PROGRAM, Project};
use crate::table::{Row, Table, Target};
use crate::timing::{Samples, peak_memory, rounds, wall};
use crate::{Options, limits};

pub(crate) fn run(options: &Options, table: &mut Table) {
    let project = Project::new();
    project.playbook("set", "  - set: { a: 1 }\n");
    project.playbook("true", "  - command: [\"true\"]\n");
    project.write("Makefile", "all:\n\t@true\n");
    project.write("one.sh", "true\n/bin/true\n");
    let play = |name: &str| {
        let took = wall(&mut project.runbook(&["play", name]));
        project.take_journal();
        took
    };
    let [limit, version, set, one, bare, make, dash] = rounds(
        options.rounds * 5,
        [
            &mut || limits::spawn_loop(1),
            &mut || wall(&mut project.runbook(&["--version"])),
            &mut || play("set"),
            &mut || play("true"),
            &mut || limits::spawn_and_sync_loop(project.folder(), 1),
            &mut || wall(&mut project.command("make", &["-s"])),
            &mut || wall(&mut project.command("dash", &["one.sh"])),
        ],
    );
    let spawned = "one `true` spawned";
    let row = |row: Row| row.limit(spawned, &limit);
    table.push("startup", row(Row::new("`runbook --version`", "ms", version)).target(Target::AtMost(5.0)));
    table.push("startup", row(Row::new("play of one `set`", "ms", set)).target(Target::AtMost(15.0)));
    let one = Row::new("play of one `command: [\"true\"]`", "ms", one).limit("spawn, 2 durable lines", &bare);
    table.push("startup", one.target(Target::AtMost(15.0)));
    table.push("startup", row(Row::new("the same one step by make", "ms", make)));
    table.push("startup", row(Row::new("the same one step by dash", "ms", dash)));
    let memory = Samples((0..options.rounds).map(|_| peak_memory(&mut project.runbook(&["play", "set"]))).collect());
    table.push("startup", Row::new("memory of a one-step play", "MiB", memory));
    let size = std::fs::metadata(PROGRAM).unwrap().len() as f64 / 1048576.0;
    table.push("startup", Row::new("size of the program", "MiB", Samples(vec![size])));
}
