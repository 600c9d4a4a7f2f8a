//! The table of the faults, and the times beside it.

use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::case::Row;

const HEAD: &str = "<!-- Written by `BLESS=1 cargo test --test suite faults::matrix`; do not edit. -->

# What is found when SONIA breaks

Each fault is really injected into a stack that runs: real processes, real signals, real locks. Then the triage tree or the
playbook is run that an operator would run, without a terminal and without answers. It asks nothing: every answer comes from a
probe. What it proposes is run as it is printed, and then it is looked at once more. `ROOT` is the folder of the stack.

Where a person has to do something first, or where nothing can be repaired by a program, the result says so.

| fault | how it is injected | what is found | remedy | result |
|---|---|---|---|---|
";

/// The mark of a row that needs Python's uvicorn.
const UVICORN: &str = ", under uvicorn |";

fn line(row: &Row) -> String {
    let cells = [&row.fault, &row.injected, &row.found, &row.remedy, &row.result.join("; ").replace(":; ", ": ")];
    assert!(cells.iter().all(|c| !c.is_empty()), "a row with an empty cell: {row:?}");
    format!("| {} |\n", cells.map(|c| c.replace('|', "\\|").replace('\n', " ")).join(" | "))
}

/// Compares the rows with the table in the documentation. `BLESS=1` writes it.
pub(super) fn compare(rows: &[Row], with_uvicorn: bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/faults.md");
    let text = HEAD.to_owned() + &rows.iter().map(line).collect::<String>();
    if std::env::var_os("BLESS").is_some() {
        assert!(with_uvicorn, "the table has rows that need uvicorn: run tests/run, which installs it");
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let here = |line: &&str| with_uvicorn || !line.contains(UVICORN);
    let old: Vec<&str> = expected.lines().filter(here).collect();
    let new: Vec<&str> = text.lines().collect();
    let now = new.iter().filter(|line| !old.contains(line)).map(|line| format!("now:    {line}"));
    let before = old.iter().filter(|line| !new.contains(line)).map(|line| format!("before: {line}"));
    let differ: Vec<String> = now.chain(before).collect();
    assert!(differ.is_empty(), "{}; BLESS=1 rewrites it after a look:\n{}", path.display(), differ.join("\n"));
}

/// Writes down and shows how long each look took from its start to its finding. They differ from run to run and fail nothing.
pub(super) fn times(rows: &[Row]) {
    let mut all = Map::new();
    let mut shown = "from the start of a look to its finding:\n".to_owned();
    for row in rows {
        let of_row: Map<String, Value> = row
            .times
            .iter()
            .map(|(looked, t)| (looked.clone(), json!({ "run_ms": t.run.round(), "command_ms": t.command.round() })))
            .collect();
        for (looked, t) in &row.times {
            shown += &format!("{:>6.0} ms in the run, {:>6.0} ms in all  {looked}: {}\n", t.run, t.command, row.fault);
        }
        all.insert(row.fault.clone(), Value::Object(of_row));
    }
    // Not by `print`, which is shown for a failing test only.
    std::io::stdout().lock().write_all(shown.as_bytes()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/faults");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("times.json"), format!("{:#}\n", Value::Object(all))).unwrap();
}
