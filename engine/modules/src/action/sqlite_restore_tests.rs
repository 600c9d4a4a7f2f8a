use std::process::Command;
use std::time::{Duration as Wait, SystemTime};

use serde_json::json;

use super::*;
use crate::support::sqlite::testing;
use crate::support::testing::{TestHost, args};

async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
    SqliteRestore::apply(&args(json), &host.change()).await
}

fn aged(path: &Path, seconds: u64) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Wait::from_secs(seconds)).unwrap();
}

/// A database in WAL mode whose process died: its log is left.
fn died(path: &Path) {
    let conn = testing::wal(path);
    for suffix in ["", "-wal"] {
        std::fs::copy(beside(path, suffix), beside(path, &format!(".kept{suffix}"))).unwrap();
    }
    drop(conn);
    for suffix in ["", "-wal"] {
        std::fs::rename(beside(path, &format!(".kept{suffix}")), beside(path, suffix)).unwrap();
    }
}

#[tokio::test]
async fn t33_a_log_that_is_left_comes_back_into_the_backup() {
    if !runbook_servers::have("sqlite3") {
        return;
    }
    let host = TestHost::new();
    let (path, backup) = (host.file("a.db"), host.file("backup.db"));
    died(&path);
    // The backup was made before there was a row.
    std::fs::copy(&path, &backup).unwrap();
    // The naive way: over the main file alone. The 100 rows of the log are back.
    let naive = host.file("naive.db");
    std::fs::copy(&path, &naive).unwrap();
    std::fs::copy(beside(&path, "-wal"), beside(&naive, "-wal")).unwrap();
    assert!(Command::new("cp").arg(&backup).arg(&naive).status().unwrap().success());
    assert_eq!(testing::count(&naive), "100");

    let json = json!({ "path": "a.db", "from": "backup.db" });
    let forecast = SqliteRestore::plan(&args(json.clone()), &host.cx()).await.unwrap();
    assert!(forecast.would_change && forecast.from_to.len() == 2, "{forecast:?}");
    assert!(beside(&path, "-wal").exists());
    let done = apply(&host, json).await.unwrap();
    assert_eq!((done.changed, done.out.integrity, done.out.aside.len()), (true, "ok", 2));
    assert_eq!(testing::count(&path), "0");
    // What was there is there still, rows and all.
    assert_eq!(testing::count(Path::new(&done.out.aside[0])), "100");
}

#[tokio::test]
async fn t35_the_newest_copy_may_be_of_the_broken_database() {
    if !runbook_servers::have("sqlite3") {
        return;
    }
    let host = TestHost::new();
    let old = host.file("memory-1.db");
    testing::plain(&old, 5);
    aged(&old, 300);
    let good = host.file("memory-2.db");
    testing::plain(&good, 2000);
    let mut bytes = std::fs::read(&good).unwrap();
    aged(&good, 200);
    let half = bytes.len() / 2;
    bytes[half..half + 4096].fill(0x5a);
    let broken = host.write("memory-3.db", &bytes);
    aged(&broken, 100);
    let emergency = host.file("memory-emergency-1.db");
    testing::plain(&emergency, 1);
    // The naive choice: the newest, which was just made in the emergency.
    let newest = Command::new("sh").args(["-c", "ls -t memory-*.db | head -1"]).current_dir(host.root()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&newest.stdout).trim(), "memory-emergency-1.db");

    let json = json!({ "path": "live.db", "from": "memory-*.db", "exclude": ["memory-emergency-*"] });
    let forecast = SqliteRestore::plan(&args(json.clone()), &host.cx()).await.unwrap();
    assert!(forecast.summary.contains("memory-2.db") && forecast.because.contains("memory-3.db is passed over"), "{forecast:?}");
    let done = apply(&host, json).await.unwrap();
    assert!(done.out.from.ends_with("memory-2.db"));
    assert_eq!((done.out.passed_over.len(), done.out.aside.len()), (1, 0));
    assert_eq!(testing::count(&host.file("live.db")), "2000");
}

#[tokio::test]
async fn nothing_is_moved_under_who_has_it_open() {
    if !runbook_servers::have("sqlite3") {
        return;
    }
    let host = TestHost::new();
    let path = host.file("a.db");
    testing::plain(&path, 1);
    testing::plain(&host.file("b.db"), 2);
    let conn = rusqlite::Connection::open(&path).unwrap();
    let json = json!({ "path": "a.db", "from": "b.db" });
    for result in [SqliteRestore::plan(&args(json.clone()), &host.cx()).await.err(), apply(&host, json.clone()).await.err()] {
        let me = std::process::id().to_string();
        assert!(matches!(&result, Some(Fault::Refused { message }) if message.contains(&me)), "{result:?}");
    }
    drop(conn);
    assert_eq!(testing::count(&path), "1");
    apply(&host, json).await.unwrap();
    assert_eq!(testing::count(&path), "2");
}

#[tokio::test]
async fn what_is_no_backup_is_refused() {
    if !runbook_servers::have("sqlite3") {
        return;
    }
    let host = TestHost::new();
    testing::plain(&host.file("a.db"), 1);
    host.write(
        "text.db",
        "no database, but long enough to have a head that could be looked at, which takes a hundred bytes or so, and more",
    );
    host.write("empty.db", "");
    died(&host.file("used.db"));
    for (from, word) in [
        ("gone.db", "no such file"),
        ("text.db", "not a database"),
        ("empty.db", "is empty"),
        ("used.db", "database in use"),
        ("none-*.db", "no backup"),
        ("[", "glob"),
    ] {
        let fault = apply(&host, json!({ "path": "a.db", "from": from })).await.unwrap_err();
        assert!(fault.message().contains(word), "{from}: {fault:?}");
    }
    assert!(SqliteRestore::check(&args(json!({ "path": "a", "from": "./a" }))).is_err());
    assert!(SqliteRestore::check(&args(json!({ "path": "a", "from": "b", "exclude": ["["] }))).is_err());
    assert_eq!(testing::count(&host.file("a.db")), "1");
}
