use std::process::Command;

use serde_json::json;

use super::*;
use crate::support::sqlite::testing;
use crate::support::testing::{TestHost, args};

async fn ask(host: &TestHost, json: Json) -> Result<Out, Fault> {
    Sqlite::observe(&args(json), &host.cx()).await
}

#[tokio::test]
async fn rows_are_maps_and_values_are_bound() {
    let host = TestHost::new();
    testing::plain(&host.file("a.db"), 10);
    let out = ask(&host, json!({ "path": "a.db", "query": "SELECT id, name FROM t WHERE id > ? ORDER BY id", "params": [7] }))
        .await
        .unwrap();
    assert_eq!((out.value, out.row_count, out.truncated), (json!(8), 3, false));
    assert_eq!(json!(out.rows[0]), json!({ "id": 8, "name": "name 7" }));
    assert_eq!((out.columns, out.tables), (vec!["id".to_owned(), "name".to_owned()], vec!["t".to_owned()]));
    assert_eq!((out.journal_mode.as_str(), out.wal_size, out.locked, out.integrity), ("delete", Size(0), false, None));
    let named =
        json!({ "path": "a.db", "query": "SELECT :a, $b, @c, x'00ff', 1.5", "params": { "a": null, "b": true, "c": "x" } });
    let out = ask(&host, named).await.unwrap();
    assert_eq!(out.rows[0].values().cloned().collect::<Vec<_>>(), [json!(null), json!(1), json!("x"), json!("00ff"), json!(1.5)]);
    let out = ask(&host, json!({ "path": "a.db", "query": "SELECT id FROM t", "limit": 4, "integrity": "full" })).await.unwrap();
    assert_eq!((out.row_count, out.truncated, out.integrity.as_deref()), (4, true, Some("ok")));
    assert_eq!(names(host.root()), ["a.db"]);
}

#[tokio::test]
async fn t54_a_value_in_the_text_is_read_as_sql() {
    if !runbook_servers::have("sqlite3") {
        return;
    }
    let host = TestHost::new();
    let path = host.file("a.db");
    testing::plain(&path, 10);
    let hostile = "nobody' OR '1'='1";
    // Written into the text it finds everybody.
    let naive = format!("SELECT count(*) FROM t WHERE name = '{hostile}'");
    let done = Command::new("sqlite3").arg(&path).arg(&naive).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "10");
    let bound = json!({ "path": "a.db", "query": "SELECT count(*) FROM t WHERE name = ?", "params": [hostile] });
    assert_eq!(ask(&host, bound).await.unwrap().value, json!(0));
}

#[tokio::test]
async fn t34_what_is_missing_is_not_made() {
    if !runbook_servers::have("sqlite3") {
        return;
    }
    let host = TestHost::new();
    // sqlite3 makes an empty database of it and says that all is well.
    let naive = host.file("naive.db");
    assert!(Command::new("sqlite3").arg(&naive).arg("VACUUM;").status().unwrap().success());
    assert!(naive.exists());
    let fault = ask(&host, json!({ "path": "missing.db", "query": "SELECT 1" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("no such file")), "{fault:?}");
    let fault = ask(&host, json!({ "path": "." })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("not a file")), "{fault:?}");
    assert_eq!(names(host.root()), ["naive.db"]);
}

#[tokio::test]
async fn a_database_in_wal_mode_is_read_with_its_log_and_nothing_is_left() {
    let host = TestHost::new();
    let path = host.file("wal.db");
    let conn = testing::wal(&path);
    let out = ask(&host, json!({ "path": "wal.db", "query": "SELECT count(*) FROM t" })).await.unwrap();
    assert_eq!((out.value.clone(), out.journal_mode.as_str()), (json!(100), "wal"));
    assert!(out.wal_frames >= 100 && out.wal_size.0 > 100 * 4096, "{out:?}");
    assert_eq!(out.lock_holders.first().map(|h| (h.pid, h.lock)), Some((Some(std::process::id()), "has it open")));
    drop(conn);
    assert_eq!(names(host.root()), ["wal.db"]);
    let out = ask(&host, json!({ "path": "wal.db", "query": "SELECT count(*) FROM t" })).await.unwrap();
    assert_eq!((out.value, out.journal_mode.as_str(), out.wal_frames), (json!(100), "wal", 0));
    assert_eq!(names(host.root()), ["wal.db"], "opening it the usual way would leave -wal and -shm");
}

#[tokio::test]
async fn who_locks_it_is_told() {
    if !runbook_servers::have("sqlite3") {
        return;
    }
    let host = TestHost::new();
    let path = host.file("a.db");
    testing::plain(&path, 1);
    let other = testing::Other::with(&path, "BEGIN EXCLUSIVE");
    let fault = ask(&host, json!({ "path": "a.db", "busy_timeout": "10ms" })).await.unwrap_err();
    let who = format!("is locked by process {} (sqlite3", other.pid);
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(&who)), "{fault:?}");
    drop(other);
    let other = testing::Other::with(&path, "BEGIN IMMEDIATE");
    let out = ask(&host, json!({ "path": "a.db" })).await.unwrap();
    assert!(out.locked);
    assert_eq!((out.lock_holders[0].pid, out.lock_holders[0].lock), (Some(other.pid), "writes"));
}

#[tokio::test]
async fn broken_files_are_found() {
    let host = TestHost::new();
    host.write(
        "text.db",
        "this is no database, however long it may be, and it has more than a hundred bytes to be sure of being looked at closely",
    );
    let fault = ask(&host, json!({ "path": "text.db" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("not an SQLite database")), "{fault:?}");
    let path = host.file("broken.db");
    testing::plain(&path, 2000);
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 4096].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let out = ask(&host, json!({ "path": "broken.db", "integrity": "quick" })).await.unwrap();
    assert!(out.integrity.as_deref() != Some("ok") && !out.problems.is_empty());
}

#[tokio::test]
async fn nonsense_and_changes_are_refused() {
    if !runbook_servers::have("sqlite3") {
        return;
    }
    let host = TestHost::new();
    testing::plain(&host.file("a.db"), 3);
    for (query, params, word) in [
        ("DELETE FROM t", json!([]), "sqlite.exec"),
        ("SELECT 1; SELECT 2", json!([]), "more than one"),
        ("SELEC 1", json!([]), "no SQL"),
        ("SELECT ?", json!([]), "1 places"),
        ("SELECT :a", json!({ "b": 1 }), "no value for `a`"),
        ("SELECT :a", json!({ "a": 1, "b": 1 }), "no place named `b`"),
        ("SELECT ?", json!({ "a": 1 }), "as a list"),
        ("SELECT ?", json!([[1]]), "neither a text"),
    ] {
        let fault = ask(&host, json!({ "path": "a.db", "query": query, "params": params })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Invalid { message, .. } if message.contains(word)), "{query}: {fault:?}");
    }
    let fault = ask(&host, json!({ "path": "a.db", "query": "SELECT * FROM gone" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("no such table: gone")), "{fault:?}");
    assert!(Sqlite::check(&args(json!({ "path": "a", "params": [1] }))).is_err());
    assert_eq!(testing::count(&host.file("a.db")), "3");
}

#[tokio::test]
async fn a_long_query_ends_with_the_step() {
    let host = TestHost::new();
    testing::plain(&host.file("a.db"), 1);
    let mut cx = host.cx();
    cx.timeout = Some(Std::from_millis(100));
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let fault = Sqlite::observe(&args(json!({ "path": "a.db", "query": endless })), &cx).await.unwrap_err();
    assert!(matches!(&fault, Fault::TimedOut { .. }), "{fault:?}");
}
