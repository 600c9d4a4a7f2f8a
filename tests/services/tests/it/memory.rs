//! memory-engine and its database.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Root, Service};

fn results(body: &Value) -> Vec<String> {
    let results = body["data"]["results"].as_array().expect("results");
    results.iter().map(|row| row["text"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn both_searches() {
    let root = Root::new();
    let engine = Service::start("memory-engine", &root.0);
    let (_, body) = engine.get("/v1/memory/search?query=test&limit=10");
    assert_eq!(results(&body).len(), 2);
    assert_eq!(results(&engine.get("/v1/memory/search?query=test&limit=1").1).len(), 1);
    assert!(results(&engine.get("/v1/memory/search?query=%25").1).is_empty(), "a wildcard is a literal");
    assert!(results(&engine.get("/v1/memory/search?query=test&user_id=nobody").1).is_empty());
    assert!(results(&engine.get("/v1/memory/search?query=Paris%20weather").1).is_empty());
    let (_, body) = engine.post("/v1/memory/search", json!({"query": "Paris weather"}));
    assert_eq!(results(&body), ["This is a test memory about the weather in Paris"]);
    assert!(body["data"]["results"][0]["score"].as_f64().expect("a score") > 0.0);
    assert_eq!(engine.get("/v1/memory/search").0, 422);
}

#[test]
fn the_database_is_real_and_in_wal_mode() {
    let root = Root::new();
    let engine = Service::start("memory-engine", &root.0);
    let file = root.0.join("data/memory.db");
    let connection = Connection::open(&file).expect("a database");
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).expect("a mode");
    assert_eq!(mode, "wal");
    let live: i64 =
        connection.query_row("SELECT COUNT(*) FROM memories WHERE archived_at IS NULL", [], |row| row.get(0)).expect("a count");
    assert_eq!(live, 4);
    for (rows, found) in [("archived", 0), ("sample", 2), ("empty", 0)] {
        engine.fault(json!({"memory_rows": rows}));
        assert_eq!(results(&engine.get("/v1/memory/search?query=test").1).len(), found, "{rows}");
    }
    engine.fault(json!({"memory_rows": "sample"}));
    engine.fault(json!({"memory_rows": "other_user"}));
    assert!(results(&engine.get("/v1/memory/search?query=test&user_id=user_demo").1).is_empty());
}

#[test]
fn a_locked_database() {
    let root = Root::new();
    let mut engine = Service::start("memory-engine", &root.0);
    engine.fault(json!({"db_lock": {}}));
    assert_eq!(engine.get("/healthz").0, 500);
    engine.wait_for("sqlite3.OperationalError: database is locked");
    assert_eq!(engine.get("/v1/memory/search?query=test").0, 200, "readers go on");
    assert_eq!(engine.post("/v1/memory/store", json!({"user_id": "u", "text": "t"})).0, 500);
    let other = Connection::open(root.0.join("data/memory.db")).expect("a database");
    other.busy_timeout(std::time::Duration::ZERO).expect("a timeout");
    let busy: i64 = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).expect("a row");
    assert_eq!(busy, 1, "a checkpoint finds the writer");
    engine.heal();
    assert_eq!(engine.get("/healthz").0, 200);
}

#[test]
fn a_lock_held_by_another_service_for_a_time() {
    let root = Root::new();
    let engine = Service::start("memory-engine", &root.0);
    let other = Service::start("eva-os", &root.0);
    other.fault(json!({"db_lock": {"hold_ms": 400}}));
    assert_eq!(engine.get("/healthz").0, 500);
    assert_eq!(other.get("/healthz").0, 200);
    while engine.get("/healthz").0 != 200 {}
}

#[test]
fn a_missing_and_a_restored_database() {
    let root = Root::new();
    let mut engine = Service::start("memory-engine", &root.0);
    let file = root.0.join("data/memory.db");
    let backup = root.0.join("backup.db");
    let connection = Connection::open(&file).expect("a database");
    connection.execute("VACUUM INTO ?1", [backup.to_str().expect("a path")]).expect("a backup");
    drop(connection);
    for name in ["memory.db", "memory.db-wal", "memory.db-shm"] {
        let _ = std::fs::remove_file(root.0.join("data").join(name));
    }
    assert_eq!(engine.get("/healthz").0, 500);
    engine.wait_for("sqlite3.OperationalError: unable to open database file");
    assert_eq!(engine.get("/v1/memory/search?query=test").0, 500);
    let (status, body) = engine.post("/_fault", json!({"db_lock": {}}));
    assert_eq!((status, &body["error"]["failure_class"]), (409, &json!("FAULT_NOT_APPLIED")));
    assert_eq!(engine.get("/_fault").1["faults"], json!({}), "what failed is not listed");
    std::fs::copy(&backup, &file).expect("a restored database");
    assert_eq!(engine.get("/healthz").0, 200);
    assert_eq!(results(&engine.get("/v1/memory/search?query=test").1).len(), 2);
}

#[test]
fn a_corrupt_database_is_a_crash() {
    let root = Root::new();
    root.write("data/memory.db", &"this is no database ".repeat(100));
    let mut engine = Service::spawn("memory-engine", &root.0, crate::support::free_port(), &[]);
    assert_eq!(engine.end(), Some(1));
    assert!(engine.errors.ends_with("sqlite3.DatabaseError: file is not a database\n"), "{}", engine.errors);
}
