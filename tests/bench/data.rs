//! Large logs: `jsonl`, `log` and redaction while bundling, beside jq, Miller, DuckDB and grep on the same file.
//!
//! The file is made here, 1 GB unless `BENCH_DATA_MB` says otherwise. DuckDB is asked through `DUCKDB_PYTHON` (default `python3`), if
//! that has the package `duckdb`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Options;
use crate::project::Project;
use crate::table::{Row, Table, Target};
use crate::timing::{Samples, peak_memory, rounds, wall};

/// A query as each program says it.
struct Query {
    name: &'static str,
    runbook: String,
    jq: String,
    mlr: Vec<String>,
    sql: String,
}

pub(crate) fn run(options: &Options, table: &mut Table) {
    let megabytes: u64 = std::env::var("BENCH_DATA_MB").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let project = Project::new();
    let file = project.path("turns.jsonl");
    let last = make(&file, megabytes * 1_000_000);
    let since = last - 15 * 60;
    let since = jiff::Timestamp::from_second(since).unwrap().to_string();
    let name = file.to_str().unwrap();
    let python = std::env::var("DUCKDB_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = |program: &str, args: &[&str]| {
        Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    };
    let (jq, mlr, duck) = (has("jq", &["--version"]), has("mlr", &["--version"]), has(&python, &["-c", "import duckdb"]));
    for (there, program) in [(jq, "jq"), (mlr, "mlr"), (duck, "duckdb")] {
        if !there {
            table.note(format!("`{program}` is not here, so nothing stands beside it."));
        }
    }
    let words = |text: &[&str]| text.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    let parts = ["total", "model", "memory_read", "tool"];
    let queries = [
        Query {
            name: "turns over 2 s",
            runbook: "where: latency_ms.total > 2000".to_owned(),
            jq: "select(.latency_ms.total > 2000)".to_owned(),
            mlr: words(&["filter", "$latency_ms.total > 2000", "then", "tail", "-n", "20"]),
            sql: "select count(*) from t where latency_ms.total > 2000".to_owned(),
        },
        Query {
            name: "their parts",
            runbook: format!("where: latency_ms.total > 2000, of: [{}]", parts.map(|p| format!("latency_ms.{p}")).join(", ")),
            jq: "select(.latency_ms.total > 2000) | .latency_ms | [.total, .model, .memory_read, .tool] | @csv".to_owned(),
            mlr: words(&[
                "filter",
                "$latency_ms.total > 2000",
                "then",
                "stats1",
                "-a",
                "mean,max,sum",
                "-f",
                "latency_ms.total,latency_ms.model,latency_ms.memory_read,latency_ms.tool",
            ]),
            sql: format!(
                "select {} from t where latency_ms.total > 2000",
                parts.map(|p| format!("avg(latency_ms.{p}), max(latency_ms.{p}), sum(latency_ms.{p})")).join(", ")
            ),
        },
        Query {
            name: "p95 of 15 minutes",
            runbook: format!("since: \"{since}\", percentile: {{ of: latency_ms.total, p: 95 }}"),
            jq: format!("select(.timestamp >= \"{since}\") | .latency_ms.total"),
            mlr: words(&[
                "filter",
                &format!("$timestamp >= \"{since}\""),
                "then",
                "stats1",
                "-a",
                "p95",
                "-f",
                "latency_ms.total",
            ]),
            sql: format!("select quantile_cont(latency_ms.total, 0.95) from t where timestamp >= '{since}'"),
        },
    ];
    for (i, query) in queries.iter().enumerate() {
        project.playbook(&format!("query-{i}"), &format!("  - jsonl: {{ path: \"{name}\", last: 20, {} }}\n", query.runbook));
    }
    let count = options.rounds.min(3);
    for (i, query) in queries.iter().enumerate() {
        let book = format!("query-{i}");
        let mut ours = || wall(&mut project.runbook(&["play", &book]));
        let mut by_jq = || if jq { wall(&mut project.command("jq", &["-c", &query.jq, name])) } else { f64::NAN };
        let mut by_mlr = || {
            if !mlr {
                return f64::NAN;
            }
            // Names of inner fields are written with a dot when the records are flat.
            let mut args = vec!["--ijsonl", "--ojsonl", "flatten", "-s", ".", "then"];
            let fields: Vec<String> = query.mlr.iter().map(|a| a.replace("$latency_ms.total", "${latency_ms.total}")).collect();
            args.extend(fields.iter().map(String::as_str));
            args.push(name);
            wall(&mut project.command("mlr", &args))
        };
        let script = format!(
            "import duckdb; duckdb.sql(\"create view t as select * from read_json('{name}', format='newline_delimited', \
             columns={{timestamp: 'VARCHAR', latency_ms: 'STRUCT(total BIGINT, model BIGINT, memory_read BIGINT, tool BIGINT)'}}, \
             ignore_errors=true)\"); print(duckdb.sql(\"{}\").fetchall())",
            query.sql
        );
        let mut by_duck = || if duck { wall(&mut project.command(&python, &["-c", &script])) } else { f64::NAN };
        let [ours, by_jq, by_mlr, by_duck] = rounds(count, [&mut ours, &mut by_jq, &mut by_mlr, &mut by_duck]);
        let peers: [(bool, &str, Samples, f64); 3] =
            [(jq, "jq", by_jq, 1.0 / 3.0), (mlr, "Miller", by_mlr, 1.0 / 3.0), (duck, "DuckDB", by_duck, 1.0)];
        for (there, peer, samples, times) in peers {
            if there {
                let what = format!("`jsonl` over {megabytes} MB: {}", query.name);
                table.push("data", Row::new(what, "ms", ours.clone()).limit(peer, &samples).target(Target::Times(times)));
            }
        }
    }
    let memory = Samples(vec![peak_memory(&mut project.runbook(&["play", "query-2"]))]);
    table.push("data", Row::new("– memory", "MiB", memory).target(Target::AtMost(100.0)));

    logs(&project, name, &since, count, table, &python, duck);

    project.playbook("bundle", &format!("  - bundle.collect: {{ to: out/, files: [\"{name}\"], fields: [user_id] }}\n"));
    let mut bundle = || {
        let took = wall(&mut project.runbook(&["play", "bundle", "--yes"]));
        std::fs::remove_dir_all(project.path("out")).unwrap();
        took
    };
    let [bundle] = rounds(count, [&mut bundle]);
    let speed = bundle.map(|ms| megabytes as f64 / (ms / 1000.0));
    let most = megabytes as f64 / 200.0 * 1000.0;
    let what = format!("redact and bundle {megabytes} MB ({:.0} MB/s)", speed.median());
    table.push("data", Row::new(what, "ms", bundle).target(Target::AtMost(most)));
    let memory = Samples(vec![peak_memory(&mut project.runbook(&["play", "bundle", "--yes"]))]);
    table.push("data", Row::new("– memory", "MiB", memory).target(Target::AtMost(100.0)));
}

/// What `log` is asked of the same file: lines of a pattern, a number in a line, a window of time. The peers read the lines as text, as
/// `log` does.
fn logs(project: &Project, name: &str, since: &str, count: usize, table: &mut Table, python: &str, duck: bool) {
    let lines = format!("read_csv('{name}', columns={{line: 'VARCHAR'}}, delim='\\x01', quote='', escape='', header=false)");
    let total = r#"regexp_extract(line, '"total":([0-9]+)', 1)"#;
    let time = r#"regexp_extract(line, '"timestamp":"([^"]+)"', 1)"#;
    let asked = [
        (
            "lines of a pattern",
            "pattern: 'refus(ed|ing) .*timeout'".to_owned(),
            "regexp_matches(line, 'refus(ed|ing) .*timeout')".to_owned(),
            "refus(ed|ing) .*timeout",
        ),
        (
            "a number over 2000",
            r#"pattern: '"total":(?P<total>\d+)', where: total > 2000"#.to_owned(),
            format!("cast({total} as bigint) > 2000"),
            r#""total":(2[0-9]{3}|[3-9][0-9]{3}|[0-9]{5,})"#,
        ),
        ("the last 15 minutes", format!("since: \"{since}\""), format!("{time} >= '{since}'"), ""),
    ];
    for (i, (what, ours, sql, pattern)) in asked.into_iter().enumerate() {
        let book = format!("log-{i}");
        project.playbook(&book, &format!("  - log: {{ path: \"{name}\", max_lines: 20, {ours} }}\n    expect: count >= 0\n"));
        let script =
            format!("import duckdb; print(duckdb.sql(r\"\"\"select count(*) from {lines} where {sql}\"\"\").fetchall())");
        let mut ours = || wall(&mut project.runbook(&["play", &book]));
        let mut by_duck = || if duck { wall(&mut project.command(python, &["-c", &script])) } else { f64::NAN };
        let mut by_grep =
            || if pattern.is_empty() { f64::NAN } else { counted(project.command("grep", &["-cE", pattern, name])) };
        let [ours, by_duck, by_grep] = rounds(count, [&mut ours, &mut by_duck, &mut by_grep]);
        let what = format!("`log`: {what}");
        if duck {
            table.push("data", Row::new(what.clone(), "ms", ours.clone()).limit("DuckDB", &by_duck).target(Target::Times(1.0)));
        }
        if !pattern.is_empty() {
            table.push("data", Row::new(what, "ms", ours).limit("grep -cE", &by_grep));
        }
    }
}

/// The time of a command whose output is read: with it thrown away, grep stops at the first line that it finds.
fn counted(mut command: Command) -> f64 {
    let began = std::time::Instant::now();
    let out = command.stdin(Stdio::null()).output().unwrap();
    assert!(out.status.success() && !out.stdout.is_empty(), "{command:?}");
    began.elapsed().as_secs_f64() * 1000.0
}

/// Writes turns of a week, and gives the second of the last one.
fn make(path: &Path, bytes: u64) -> i64 {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let (mut written, mut n) = (0_u64, 0_u64);
    let start: i64 = 1_771_000_000;
    // A week's worth of turns, so that the last quarter of an hour is a thousandth of them.
    let each = 604_800.0 / (bytes as f64 / 620.0);
    let mut time = start;
    while written < bytes {
        n += 1;
        let r = n.wrapping_mul(6_364_136_223_846_793_005).rotate_left(17);
        time = start + (n as f64 * each) as i64;
        let stamp = jiff::Timestamp::from_second(time).unwrap();
        let (model, tool) = (r % 1900, if r.is_multiple_of(9) { r >> 20 & 1023 } else { 0 });
        let memory = r >> 32 & 63;
        let total = model + tool + memory + 40;
        let text = "and then the answer goes on for a while, as answers do, with \\\"quotes\\\" and a line\\nor two"
            .repeat(2 + (r >> 50 & 1) as usize);
        let odd = if n.is_multiple_of(997) { " upstream refused the call: timeout" } else { "" };
        let line = format!(
            "{{\"timestamp\":\"{stamp}\",\"correlation_id\":\"req_{r:016x}\",\"session_id\":\"s{}\",\"turn_id\":{n},\"user_id\":\"user{}@example.com\",\
             \"text_input\":\"what is the state of order {n}?{odd}\",\"response_text\":\"{text}\",\"latency_ms\":{{\"total\":{total},\
             \"memory_read\":{memory},\"model\":{model},\"tool\":{tool},\"memory_write\":15}},\"tool_calls_attempted\":[],\"tool_calls_executed\":[]}}\n",
            n / 20,
            n % 5000,
        );
        out.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
    }
    out.flush().unwrap();
    time
}
