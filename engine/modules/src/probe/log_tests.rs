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

fn sh(host: &TestHost, script: &str) -> String {
    let out = std::process::Command::new("sh").args(["-c", script]).current_dir(host.root()).output().unwrap();
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

#[tokio::test]
async fn t05_only_what_this_start_wrote_counts_in_whichever_stream() {
    let host = TestHost::new();
    let line = "INFO:     Uvicorn running on http://127.0.0.1:7000 (Press CTRL+C to quit)\n";
    host.write("api.out.log", "INFO: 127.0.0.1 - GET /healthz 200\n");
    host.write("api.err.log", line);
    assert_eq!(sh(&host, "grep -c 'Uvicorn running' api.out.log"), "0", "it is not where the runbook looks for it");
    assert_eq!(sh(&host, "grep -l 'Uvicorn running' api.*.log | wc -l"), "1", "and elsewhere it is of an earlier start");
    let before = ask(&host, json!({ "path": ["api.out.log", "api.err.log"], "pattern": "Uvicorn running" })).await.unwrap();
    assert_eq!(before.count, 1);
    let since = json!({ "path": ["api.out.log", "api.err.log"], "pattern": "Uvicorn running", "from_offset": before.offsets });
    assert_eq!(ask(&host, since.clone()).await.unwrap().count, 0);
    host.write("api.err.log", format!("{line}{line}"));
    assert_eq!(ask(&host, since).await.unwrap().count, 1);
}

#[tokio::test]
async fn t06_whichever_of_the_candidates_exists_is_read_and_told() {
    let host = TestHost::new();
    host.write("gateway.log", "ERROR x\n");
    assert_eq!(sh(&host, "grep -h ERROR gateway.err.log"), "", "no such file looks like no error");
    let out =
        ask(&host, json!({ "path": ["gateway.out.log", "gateway.err.log", "gateway.log"], "pattern": "ERROR" })).await.unwrap();
    assert_eq!((out.count, out.missing.len()), (1, 2));
    assert!(out.files.len() == 1 && out.files[0].path.ends_with("gateway.log"));
}

#[tokio::test]
async fn t41_the_last_hour_is_the_last_sixty_minutes() {
    let host = TestHost::new();
    let now = host.cx().now();
    let at = |minutes: i64| (now - jiff::SignedDuration::from_mins(minutes)).strftime("%Y-%m-%d %H:%M:%S").to_string();
    host.write("api.log", format!("{} ERROR old\n{} ERROR recent\n{} ERROR now\n", at(119), at(50), at(1)));
    // The clock hour before: what happened just now is not in it. At half past twelve, so that the hour in which this runs does not matter.
    let then = "2026-01-05 10:31:00 ERROR old\n2026-01-05 11:40:00 ERROR recent\n2026-01-05 12:29:00 ERROR now\n";
    host.write("then.log", then);
    let hour_ago = "TZ=UTC date -d '2026-01-05 12:30:00 UTC 1 hour ago' '+%Y-%m-%d %H'";
    assert_eq!(sh(&host, &format!("grep ERROR then.log | grep -c \"$({hour_ago}):\"")), "1");
    let out = ask(&host, json!({ "path": "api.log", "pattern": "ERROR", "since": "1h" })).await.unwrap();
    assert_eq!(out.count, 2);
}

#[tokio::test]
async fn t45_case_counts_unless_it_is_said_not_to() {
    let host = TestHost::new();
    host.write("api.log", "an error\nERROR\n");
    assert_eq!(sh(&host, "grep -c ERROR api.log"), "1");
    for (flag, count) in [(false, 1), (true, 2)] {
        let out = ask(&host, json!({ "path": "api.log", "pattern": "ERROR", "case_insensitive": flag })).await.unwrap();
        assert_eq!(out.count, count);
    }
}

#[tokio::test]
async fn t56_durations_are_compared_with_their_units() {
    let host = TestHost::new();
    host.write("app.log", "path=/a duration=200ms\npath=/b duration=4s\npath=/a duration=1m5s\npath=/c duration=12\n");
    let naive = sh(&host, "grep duration app.log | awk -F= '$NF > \"3000\"' | wc -l");
    assert_ne!(naive, "2", "text is compared with text");
    let asked = json!({ "path": "app.log", "pattern": "path=(?P<path>\\S+) duration=(?P<took>\\S+)", "where": "took > 3s", "group_by": "path", "patterns": { "minutes": "\\dm\\d", "a": "/a" } });
    let out = ask(&host, asked).await.unwrap();
    assert_eq!((out.count, out.undecided), (2, 1), "a number without a unit is no duration");
    assert_eq!((out.groups.len(), out.counts["minutes"], out.counts["a"]), (2, 1, 1));
    let fault =
        ask(&host, json!({ "path": "app.log", "pattern": "duration=(?P<took>12)", "where": "took > 3s" })).await.unwrap_err();
    assert!(matches!(fault, Fault::CannotTell { .. }), "{fault:?}");
    for bad in [
        json!({ "path": "app.log", "pattern": "x", "where": "took > 3s" }),
        json!({ "path": "app.log", "pattern": "(x)", "group_by": "y" }),
        json!({ "path": "app.log", "patterns": { "a": "(" } }),
    ] {
        assert!(matches!(ask(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
    }
}

#[tokio::test]
async fn what_was_rotated_away_is_read_too() {
    use std::io::Write;
    let host = TestHost::new();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"one ERROR\n").unwrap();
    host.write("api.log.2.gz", gz.finish().unwrap());
    host.write("api.log.1", "two ERROR\n");
    host.write("api.log", "three ERROR\n");
    host.write("api.log.bak", "no ERROR\n");
    for (name, hours) in [("api.log.2.gz", 48), ("api.log.1", 24)] {
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(hours * 3600);
        std::fs::File::options().append(true).open(host.file(name)).unwrap().set_modified(then).unwrap();
    }
    let out = ask(&host, json!({ "path": "api.log", "pattern": "ERROR", "rotated": true })).await.unwrap();
    assert_eq!(out.lines, ["one ERROR", "two ERROR", "three ERROR"]);
    assert_eq!(ask(&host, json!({ "path": "api.log", "pattern": "ERROR" })).await.unwrap().count, 1);
}
