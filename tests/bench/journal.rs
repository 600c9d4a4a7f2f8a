//! The journal: what a record costs, and what it costs to have it on disk.

use runbook_runtime::journal::{JournalWriter, read_journal};

use crate::project::Project;
use crate::table::{Row, Table};
use crate::timing::{Samples, rounds, timed};
use crate::{Options, limits};

const RECORDS: usize = 20_000;
const DURABLE: usize = 500;

pub(crate) fn run(options: &Options, table: &mut Table) {
    let project = Project::new();
    let folder = project.folder();
    // A record as long as the limit's lines once `prev` and `hash` are added.
    let text =
        format!(r#"{{"seq":1,"at":"2026-01-05T10:00:03Z","event":"note","path":"steps[1]","text":"{}"}}"#, "x".repeat(150));
    let runs = project.path("journals");
    let write = |count: usize, durable: bool| {
        let _ = std::fs::remove_dir_all(&runs);
        let mut journal = JournalWriter::create(&runs, "run").unwrap();
        timed(|| {
            for _ in 0..count {
                journal.append(&text).unwrap();
                if durable {
                    journal.sync().unwrap();
                }
            }
        })
    };
    let read = || {
        write(RECORDS, false);
        timed(|| assert_eq!(read_journal(&runs.join("run.jsonl")).unwrap().records.len(), RECORDS))
    };
    let [plain, limit, durable, synced, verified] = rounds(
        options.rounds,
        [
            &mut || write(RECORDS, false),
            &mut || limits::write_loop(folder, RECORDS, false),
            &mut || write(DURABLE, true),
            &mut || limits::write_loop(folder, DURABLE, true),
            &mut || read(),
        ],
    );
    let each = |samples: &Samples, count: usize| samples.map(|v| v * 1000.0 / count as f64);
    let row = Row::new("a record of 384 bytes, hashed and written", "µs", each(&plain, RECORDS));
    table.push("journal", row.limit("write of 384 bytes", &each(&limit, RECORDS)));
    let row = Row::new("the same, durable", "µs", each(&durable, DURABLE));
    table.push("journal", row.limit("write and fdatasync", &each(&synced, DURABLE)));
    table.push("journal", Row::new("a record read and its hash checked", "µs", each(&verified, RECORDS)));
}
