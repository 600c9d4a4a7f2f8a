//! Tests of the `jsonl` probe.

use std::io::Write;

use serde_json::json;

use super::*;
use crate::support::testing::{TestHost, args};

async fn ask(host: &TestHost, json: Json) -> Result<Out, Fault> {
    let args: Args = args(json);
    Jsonl::check(&args)?;
    Jsonl::observe(&args, &host.cx()).await
}

fn turn(id: &str, minute: u32, total: u32, model: u32, tool: u32) -> String {
    format!(
        "{{\"timestamp\":\"2026-02-15T14:{minute:02}:00.000Z\",\"correlation_id\":\"{id}\",\"user_id\":\"u{}\",\"text_input\":\"say \\\"hi\\\" {{}}\",\
         \"latency_ms\":{{\"total\":{total},\"memory_read\":12,\"model\":{model},\"tool\":{tool},\"memory_write\":15}},\"tool_calls_attempted\":[]}}\n",
        minute % 2
    )
}

fn turns() -> String {
    turn("a", 1, 450, 380, 0) + &turn("b", 2, 2500, 2300, 100) + &turn("c", 3, 3100, 200, 2800) + &turn("d", 4, 150, 90, 0)
}

/// What a command prints.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let out = std::process::Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

#[tokio::test]
async fn lines_are_counted_and_given() {
    let host = TestHost::new();
    host.write("turns.jsonl", turns());
    let out = ask(&host, json!({ "path": "turns.jsonl", "where": "latency_ms.total > 2000" })).await.unwrap();
    assert_eq!((out.lines, out.count, out.bad_lines, out.undecided), (4, 2, 0, 0));
    assert_eq!(out.records[0]["correlation_id"], "b");
    assert_eq!(out.first_time.unwrap().0.to_string(), "2026-02-15T14:02:00Z");
    let out = ask(&host, json!({ "path": "turns.jsonl", "last": 1, "select": ["latency_ms.model", "user_id"] })).await.unwrap();
    assert_eq!((out.count, out.truncated), (4, true));
    assert_eq!(out.records, [json!({ "latency_ms.model": 90, "user_id": "u0" })]);
    assert_eq!(out.origins[0].time.unwrap().0.to_string(), "2026-02-15T14:04:00Z");
    let out =
        ask(&host, json!({ "path": "turns.jsonl", "where": "correlation_id == id", "values": { "id": "c' or true" } })).await;
    assert_eq!(out.unwrap().count, 0, "a value is never an expression");
}

#[tokio::test]
async fn numbers_are_added_up() {
    let host = TestHost::new();
    host.write("turns.jsonl", turns());
    let out = ask(
        &host,
        json!({ "path": "turns.jsonl", "of": ["latency_ms.model", "latency_ms.tool"], "percentile": { "of": "latency_ms.total", "p": 75 }, "group_by": "user_id" }),
    )
    .await
    .unwrap();
    assert_eq!(
        (out.sum, out.avg, out.min, out.max),
        (Some(Number(6200.0)), Some(Number(1550.0)), Some(Number(150.0)), Some(Number(3100.0)))
    );
    assert_eq!((out.p50, out.percentile, out.exact), (Some(Number(1475.0)), Some(Number(2650.0)), true));
    assert_eq!(out.stats["latency_ms.tool"].sum, Some(Number(2900.0)));
    assert_eq!(out.groups.len(), 2);
    assert_eq!((out.groups[0].key["user_id"].clone(), out.groups[0].count), (json!("u0"), 2));
    assert_eq!(out.groups[0].stats["latency_ms.model"].avg, Some(Number(1195.0)));
    let written = serde_json::to_value(&out).unwrap();
    assert_eq!((&written["sum"], &written["p95"]), (&json!(6200), &json!(3010)));
}

#[tokio::test]
async fn windows_are_of_the_lines_own_times() {
    let host = TestHost::new();
    let now = host.cx().now();
    let at = |minutes: i64| now - jiff::SignedDuration::from_mins(minutes);
    let line = |t: String| format!("{{\"ts\":{t},\"n\":1}}\n");
    let text = line(format!("\"{}\"", at(40)))
        + &line(format!("\"{}\"", at(5)))
        + &line(at(3).as_second().to_string())
        + &line(at(2).as_millisecond().to_string())
        + "{\"n\":1}\n"
        + &line("\"yesterday\"".to_owned());
    host.write("a.jsonl", text);
    let out = ask(&host, json!({ "path": "a.jsonl", "window": "15m" })).await.unwrap();
    assert_eq!((out.count, out.untimed), (3, 2));
    let out = ask(&host, json!({ "path": "a.jsonl", "since": "1h", "until": "4m" })).await.unwrap();
    assert_eq!(out.count, 2);
    host.write("b.jsonl", "{\"n\":1}\n");
    let fault = ask(&host, json!({ "path": "b.jsonl", "window": "15m" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("time_field")), "{fault:?}");
    host.write("c.jsonl", format!("{{\"at\":{{\"utc\":\"{}\"}}}}\n", at(1)));
    assert_eq!(ask(&host, json!({ "path": "c.jsonl", "window": "5m", "time_field": "at.utc" })).await.unwrap().count, 1);
    assert!(ask(&host, json!({ "path": "c.jsonl", "window": "5m", "since": "5m" })).await.is_err());
}

#[tokio::test]
async fn bad_lines_are_told_and_passed_over() {
    let host = TestHost::new();
    let good = turn("a", 1, 450, 380, 0);
    let text = format!(
        "{good}{{\"cut\": 1\nnot json\n[1]\n\n{good}{{\"\\u0075ser_id\":\"x\",\"latency_ms\":{{\"total\":5}}}}\n{{\"half\":"
    );
    host.write("turns.jsonl", &text);
    let out = ask(&host, json!({ "path": "turns.jsonl", "where": "user_id == 'x'" })).await.unwrap();
    assert_eq!((out.lines, out.bad_lines, out.count), (6, 3, 1), "{out:?}");
    assert_eq!(out.files[0].first_bad_offset, Some(good.len() as u64));
    assert!(out.files[0].unfinished && out.files[0].first_bad_error.is_some());
    // jq gives up at the first of them.
    if let Some(seen) = run("jq", &["-c", "select(.user_id == \"x\")", host.file("turns.jsonl").to_str().unwrap()]) {
        assert_eq!(seen, "", "jq does not come to the line that counts");
    }
    host.write("empty.jsonl", "");
    let out = ask(&host, json!({ "path": "empty.jsonl", "where": "whatever > 5" })).await.unwrap();
    assert_eq!((out.lines, out.count), (0, 0));
}

#[tokio::test]
async fn t11_a_field_that_no_line_has_is_an_error_and_not_a_zero() {
    let host = TestHost::new();
    let path = host.write("turns.jsonl", turns());
    if let Some(seen) = run("jq", &["-s", "map(.model_ms // 0) | add", path.to_str().unwrap()]) {
        assert_eq!(seen, "0", "the naive sum is zero");
    }
    for bad in [
        json!({ "path": "turns.jsonl", "of": "model_ms" }),
        json!({ "path": "turns.jsonl", "where": "model_ms > 5" }),
        json!({ "path": "turns.jsonl", "percentile": { "of": "latency_ms.modl", "p": 95 } }),
        json!({ "path": "turns.jsonl", "group_by": "latency_ms.modell" }),
        json!({ "path": "turns.jsonl", "select": "modl" }),
    ] {
        let fault = ask(&host, bad.clone()).await.unwrap_err();
        assert!(
            matches!(&fault, Fault::Unmet { message, .. } if message.contains("has a field") && message.contains("latency_ms.model")),
            "{bad}: {fault:?}"
        );
    }
    let out = ask(&host, json!({ "path": "turns.jsonl", "of": "latency_ms.model" })).await.unwrap();
    assert_eq!(out.sum, Some(Number(2970.0)));
    // A field that only some lines have is no mistake, and is told.
    host.write("mixed.jsonl", turns() + "{\"failure_class\":\"TIMEOUT\"}\n");
    let out = ask(&host, json!({ "path": "mixed.jsonl", "of": "latency_ms.model", "where": "failure_class == 'TIMEOUT'" }))
        .await
        .unwrap();
    assert_eq!((out.count, out.undecided, out.stats["latency_ms.model"].missing, out.sum), (1, 4, 1, None));
    let out = ask(&host, json!({ "path": "turns.jsonl", "where": "gone is defined and gone > 1" })).await.unwrap();
    assert_eq!(out.count, 0);
}

#[tokio::test]
async fn t12_the_parts_may_miss_some_of_the_whole() {
    let host = TestHost::new();
    let path = host.write("turns.jsonl", turn("healthy", 1, 450, 380, 0) + &turn("lost", 2, 3000, 380, 0));
    let sum = "latency_ms.memory_read + latency_ms.model + latency_ms.tool + latency_ms.memory_write";
    if let Some(seen) = run(
        "jq",
        &[
            "-r",
            "select(.latency_ms | .total > .memory_read + .model + .tool + .memory_write) | .correlation_id",
            path.to_str().unwrap(),
        ],
    ) {
        assert_eq!(seen, "healthy\nlost", "the naive comparison suspects the healthy turn");
    }
    let asked = format!("latency_ms.total - ({sum}) > ([100, latency_ms.total * 0.2] | max)");
    let out = ask(&host, json!({ "path": "turns.jsonl", "where": asked, "select": "correlation_id" })).await.unwrap();
    assert_eq!(out.records, [json!({ "correlation_id": "lost" })]);
}

#[tokio::test]
async fn a_story_is_put_together_from_all_files() {
    let host = TestHost::new();
    host.write("logs/turns.jsonl", turn("a", 2, 450, 380, 0) + &turn("b", 3, 1, 1, 1));
    host.write(
        "logs/tools.jsonl",
        "{\"timestamp\":\"2026-02-15T14:01:30Z\",\"correlation_id\":\"a\",\"capability\":\"shell\"}\n",
    );
    host.write(
        "logs/errors.jsonl",
        "{\"timestamp\":\"2026-02-15T14:02:10Z\",\"correlation_id\":\"a\",\"failure_class\":\"TIMEOUT\"}\n{\"x\":1}\n",
    );
    let asked = json!({ "path": "logs/*.jsonl", "where": "correlation_id == 'a'", "merge_by": "correlation_id" });
    let out = ask(&host, asked).await.unwrap();
    assert_eq!((out.count, out.merged.len(), out.undecided), (3, 1, 1));
    let story = &out.merged[0];
    assert_eq!((story.count, story.files.len(), story.span), (3, 3, Some(Duration(jiff::SignedDuration::from_secs(40)))));
    assert_eq!((&story.records[0]["capability"], &story.records[2]["failure_class"]), (&json!("shell"), &json!("TIMEOUT")));
}

#[tokio::test]
async fn compressed_files_are_read_too() {
    let host = TestHost::new();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(turns().as_bytes()).unwrap();
    host.write("old.jsonl.gz", gz.finish().unwrap());
    host.write("new.jsonl", turns());
    let out = ask(&host, json!({ "path": ["*.jsonl", "*.jsonl.gz"], "where": "latency_ms.total > 2000" })).await.unwrap();
    assert_eq!((out.files.len(), out.lines, out.count), (2, 8, 4));
}

#[tokio::test]
async fn large_files_give_the_same_on_all_threads() {
    let host = TestHost::new();
    let mut text = String::new();
    let mut expected = (0_u64, 0_u64, 0_u64);
    let mut n = 0_u32;
    while text.len() < (9 << 20) {
        n += 1;
        let total = n.wrapping_mul(2_654_435_761) % 4000;
        expected.0 += 1;
        expected.1 += u64::from(total > 2000);
        expected.2 += u64::from(if total > 2000 { total } else { 0 });
        text.push_str(&turn(&format!("id{n}"), n % 60, total, total / 2, n % 7));
    }
    host.write("turns.jsonl", &text);
    let out = ask(
        &host,
        json!({ "path": "turns.jsonl", "where": "latency_ms.total > 2000", "of": "latency_ms.total", "group_by": "latency_ms.tool", "last": 3, "time_field": "timestamp" }),
    )
    .await
    .unwrap();
    assert_eq!((out.lines, out.count, out.sum), (expected.0, expected.1, Some(Number(expected.2 as f64))));
    assert_eq!(out.groups.iter().map(|g| g.count).sum::<u64>(), expected.1);
    assert_eq!((out.groups.len(), out.records.len()), (7, 3));
}

#[tokio::test]
async fn what_cannot_be_told_is_not_a_no() {
    let host = TestHost::new();
    host.write("a.jsonl", "{\"n\":\"5\"}\n");
    let fault = ask(&host, json!({ "path": "a.jsonl", "where": "n > 4" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("cannot be told")), "{fault:?}");
    host.write("b.jsonl", "{\"n\":\"5\"}\n{\"n\":5}\n");
    let out = ask(&host, json!({ "path": "b.jsonl", "where": "n > 4", "of": "n" })).await.unwrap();
    assert_eq!((out.count, out.undecided), (1, 1));
    let out = ask(&host, json!({ "path": "b.jsonl", "of": "n" })).await.unwrap();
    assert_eq!((out.stats["n"].count, out.stats["n"].not_numbers), (1, 1));
    let fault = ask(&host, json!({ "path": "gone.jsonl" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { result, .. } if result["error"].is_string()), "{fault:?}");
    assert_eq!(ask(&host, json!({ "path": "gone.jsonl", "missing_ok": true })).await.unwrap().lines, 0);
}

#[tokio::test]
async fn nonsense_is_invalid() {
    let host = TestHost::new();
    host.write("a.jsonl", "{}\n");
    for bad in [
        json!({ "path": "a.jsonl", "where": "a >" }),
        json!({ "path": "a.jsonl", "of": "a..b" }),
        json!({ "path": "a.jsonl", "percentile": { "of": "a", "p": 101 } }),
        json!({ "path": "a.jsonl", "timezone": "Mars" }),
        json!({ "path": "[a", "last": 1 }),
        json!({ "path": "" }),
    ] {
        assert!(matches!(ask(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
    }
}

#[test]
fn jq_is_told_what_to_look_for() {
    let given = runbook_core::value::from_json(json!({
        "path": "logs/*.jsonl", "where": "latency_ms.total > 2000 and user_id == id", "values": { "id": "it's" }, "select": ["latency_ms.model"],
    }));
    let hand = Jsonl::by_hand(&HandArgs::new(&given));
    assert!(hand.lines[0].contains("select((.\"latency_ms\".\"total\" > 2000 and .\"user_id\" == \"it"), "{:?}", hand.lines);
}
