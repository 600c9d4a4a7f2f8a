//! Tests of the `log` probe.

use serde_json::json;

use super::*;
use crate::support::testing::{TestHost, args};

async fn ask(host: &TestHost, json: serde_json::Value) -> Result<Out, Fault> {
    Log::observe(&args(json), &host.cx()).await
}

const API: &str = "2026-02-15 10:00:00,000 INFO started
2026-02-15 11:00:00,000 ERROR first code=17
Traceback (most recent call last):
  ValueError: Error inside
2026-02-15 12:00:00,000 INFO fine
2026-02-15 13:00:00,000 ERROR second code=18
";

#[tokio::test]
async fn lines_are_counted_and_groups_caught() {
    let host = TestHost::new();
    host.write("api.log", API);
    let out = ask(&host, json!({ "path": "api.log", "pattern": "ERROR (\\w+) code=(?P<code>\\d+)" })).await.unwrap();
    assert_eq!(out.count, 2);
    assert_eq!(out.lines[1], "2026-02-15 13:00:00,000 ERROR second code=18");
    assert_eq!(
        out.matches[0].groups,
        BTreeMap::from([("1".to_owned(), Some("first".to_owned())), ("code".to_owned(), Some("17".to_owned()))])
    );
    assert_eq!(out.first_time.unwrap().0.to_string(), "2026-02-15T11:00:00Z");
    assert_eq!(out.last_time.unwrap().0.to_string(), "2026-02-15T13:00:00Z");
    assert_eq!((out.files[0].lines, out.files[0].matched, out.files[0].end_offset), (6, 2, API.len() as u64));
    let out = ask(&host, json!({ "path": "api.log", "pattern": "error" })).await.unwrap();
    assert_eq!(out.count, 0);
    let out =
        ask(&host, json!({ "path": "api.log", "pattern": "error", "case_insensitive": true, "ignore": "SECOND" })).await.unwrap();
    assert_eq!(out.count, 2, "{:?}", out.lines);
}

#[tokio::test]
async fn time_windows_take_tracebacks_along() {
    let host = TestHost::new();
    host.write("api.log", API);
    let count = async |json: serde_json::Value| ask(&host, json).await.unwrap().count;
    let since = "2026-02-15T11:00:00Z";
    assert_eq!(count(json!({ "path": "api.log", "since": since })).await, 5);
    assert_eq!(count(json!({ "path": "api.log", "since": since, "pattern": "ValueError" })).await, 1);
    assert_eq!(count(json!({ "path": "api.log", "since": since, "until": "2026-02-15T11:30:00Z" })).await, 3);
    assert_eq!(count(json!({ "path": "api.log", "since": "1m" })).await, 0);
    assert_eq!(count(json!({ "path": "api.log", "since": since, "timezone": "Etc/GMT+2" })).await, 6);
    let now = host.cx().now();
    host.write("now.log", format!("{now} fresh\n"));
    assert_eq!(count(json!({ "path": "now.log", "since": "1m" })).await, 1);
}

#[tokio::test]
async fn a_log_without_times_cannot_be_asked_by_time() {
    let host = TestHost::new();
    host.write("api.log", "INFO: started\nERROR: broken\n");
    let fault = ask(&host, json!({ "path": "api.log", "since": "1h", "pattern": "ERROR" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("from_offset")), "{fault:?}");
    host.write("empty.log", "");
    assert_eq!(ask(&host, json!({ "path": "empty.log", "since": "1h" })).await.unwrap().count, 0);
}

#[tokio::test]
async fn tails_and_limits() {
    let host = TestHost::new();
    let text: String = (0..1000).map(|i| format!("line {i}\n")).collect();
    host.write("a.log", text);
    let out = ask(&host, json!({ "path": "a.log", "tail": 3 })).await.unwrap();
    assert_eq!((out.count, out.lines.join(",").as_str(), out.truncated), (3, "line 997,line 998,line 999", false));
    assert!(out.matches.is_empty());
    let out = ask(&host, json!({ "path": "a.log", "max_lines": 2, "pattern": "line" })).await.unwrap();
    assert_eq!((out.count, out.lines.join(",").as_str(), out.truncated), (1000, "line 998,line 999", true));
    let out = ask(&host, json!({ "path": "a.log", "max_lines": 0, "pattern": "9$" })).await.unwrap();
    assert_eq!((out.count, out.lines.len()), (100, 0));
    let out = ask(&host, json!({ "path": "a.log", "tail": 0 })).await.unwrap();
    assert_eq!(out.count, 0);
}

#[tokio::test]
async fn context_comes_along() {
    let host = TestHost::new();
    host.write("a.log", "1\n2\nX 3\n4\nX 5\n6\n7\n8\n");
    host.write("b.log", "9\nX 10\n");
    let out = ask(&host, json!({ "path": ["a.log", "b.log"], "pattern": "X", "context": 2 })).await.unwrap();
    let seen: Vec<(String, String, String)> =
        out.matches.iter().map(|m| (m.before.join(","), m.text.clone(), m.after.join(","))).collect();
    let expected = [("1,2", "X 3", "4,X 5"), ("X 3,4", "X 5", "6,7"), ("9", "X 10", "")];
    assert_eq!(seen, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
}

#[tokio::test]
async fn only_what_is_new() {
    let host = TestHost::new();
    let path = host.write("a.log", "old error\nhalf");
    let first = ask(&host, json!({ "path": "a.log" })).await.unwrap();
    assert_eq!(
        (first.count, first.files[0].end_offset),
        (2, 10),
        "the unfinished line is counted, and looked at again next time"
    );
    host.write("a.log", "old error\nhalf a line error\nnew error\n");
    let look = json!({ "path": "./a.log", "from_offset": first.offsets, "pattern": "error" });
    let second = ask(&host, look.clone()).await.unwrap();
    assert_eq!((second.lines.join(",").as_str(), second.files[0].rotated), ("half a line error,new error", false));
    std::fs::write(&path, "error\n").unwrap();
    let third = ask(&host, look).await.unwrap();
    assert_eq!((third.count, third.files[0].rotated, third.files[0].start_offset), (1, true, 0));
    let out = ask(&host, json!({ "path": "a.log", "from_offset": 6 })).await.unwrap();
    assert_eq!((out.count, out.files[0].rotated), (0, false));
}

#[tokio::test]
async fn candidates_that_exist_are_read_once() {
    let host = TestHost::new();
    host.write("logs/a.err.log", "x\n");
    host.write("logs/a.out.log", "y\n");
    std::os::unix::fs::symlink("a.out.log", host.file("logs/current.log")).unwrap();
    let out = ask(&host, json!({ "path": ["logs/a.log", "logs/a.out.log", "logs/*.log", "other/*.log"] })).await.unwrap();
    assert_eq!(out.lines, ["y", "x"]);
    assert_eq!(out.missing, ["logs/a.log", "other/*.log"]);
    assert_eq!(out.files.len(), 2);
}

#[tokio::test]
async fn no_log_is_not_the_same_as_no_error() {
    let host = TestHost::new();
    let fault = ask(&host, json!({ "path": ["gone.log", "gone/*.log"], "pattern": "ERROR" })).await.unwrap_err();
    let Fault::Unmet { message, result } = fault else { panic!("{fault:?}") };
    assert_eq!(message, "no such file: gone.log, gone/*.log");
    assert_eq!((&result["count"], &result["files"]), (&json!(0), &json!([])));
    let out = ask(&host, json!({ "path": "gone.log", "missing_ok": true })).await.unwrap();
    assert_eq!((out.count, out.error.as_deref()), (0, Some("no such file: gone.log")));
    std::fs::create_dir(host.file("folder")).unwrap();
    assert!(matches!(ask(&host, json!({ "path": "folder" })).await, Err(Fault::Unmet { .. })));
}

#[tokio::test]
async fn nonsense_is_invalid() {
    let host = TestHost::new();
    host.write("a.log", "x\n");
    for bad in [
        json!({ "path": "a.log", "pattern": "(" }),
        json!({ "path": "a.log", "ignore": "[" }),
        json!({ "path": "a.log", "timezone": "Mars/Olympus" }),
        json!({ "path": " " }),
        json!({ "path": "[a" }),
    ] {
        assert!(matches!(ask(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
    }
    for bad in [
        json!({ "path": "a", "since": "yesterday" }),
        json!({ "path": "a", "from_offset": -1 }),
        json!({ "path": "a", "tail": "x" }),
    ] {
        assert!(serde_json::from_value::<Args>(bad.clone()).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn broken_text_does_not_break_it() {
    let host = TestHost::new();
    let mut bytes = b"ok \xff\xfe ERROR\n".to_vec();
    bytes.extend(vec![b'x'; 300_000]);
    bytes.extend(b"\nERROR last\r\n");
    host.write("a.log", bytes);
    let out = ask(&host, json!({ "path": "a.log", "pattern": "ERROR" })).await.unwrap();
    assert_eq!(out.count, 2);
    assert_eq!(out.lines[1], "ERROR last");
    let out = ask(&host, json!({ "path": "a.log" })).await.unwrap();
    assert!(out.lines[1].len() <= 4096 && out.lines[1].ends_with('…'));
}

#[tokio::test]
async fn a_limit_of_time_ends_it() {
    let host = TestHost::new();
    host.write("a.log", "x\n".repeat(100_000));
    let mut cx = host.cx();
    cx.timeout = Some(std::time::Duration::ZERO);
    let fault = Log::observe(&args(json!({ "path": "a.log" })), &cx).await.unwrap_err();
    assert!(matches!(fault, Fault::CannotTell { .. }), "{fault:?}");
}
