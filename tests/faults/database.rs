//! Faults of the memory database.

use serde_json::json;

use super::case::Case;
use crate::harness::alive;

const OF_MEMORY: &[&str] = &["service=memory-engine"];
const OF_SEARCH: &[&str] = &["query=test", "user_id=user_demo"];

pub(super) fn locked_by_a_service(case: &mut Case) {
    case.fault("a service keeps the database locked", "`BEGIN IMMEDIATE` in eva-os, left open");
    case.stack.fault("eva-os", json!({ "db_lock": {} }));
    let walk = case.find("service-health", OF_MEMORY, "database-locked");
    case.repair(&walk, &[]);
    case.well("service-health", OF_MEMORY, "healthy");
}

pub(super) fn locked_by_a_stranger(case: &mut Case) {
    case.fault(
        "a program that is none of the stack's keeps the database locked",
        "`BEGIN IMMEDIATE` in another program, left open",
    );
    let root = case.stack.path("");
    let stranger = case.stack.start_stranger("stranger", root);
    case.stack.fault("stranger", json!({ "db_lock": {} }));
    let services: Vec<u32> = super::stack::SERVICES.iter().map(|s| case.stack.pid(s)).collect();
    let walk = case.find("service-health", OF_MEMORY, "database-locked");
    case.fails(&walk, &[], 4, "which does not belong to the stack: end it");
    assert!(alive(stranger), "a stranger is left alone");
    assert_eq!(services, super::stack::SERVICES.iter().map(|s| case.stack.pid(s)).collect::<Vec<_>>(), "nothing was stopped");
    case.stack.end_others();
    case.note("once it is ended:");
    case.well("service-health", OF_MEMORY, "healthy");
}

pub(super) fn missing(case: &mut Case) {
    case.fault("the database is gone, and there is a backup", "the file is moved away under the running memory-engine");
    case.stack.play("data-backup", &[], 0);
    case.stack.chat();
    let database = case.stack.path("data/memory.db");
    std::fs::rename(&database, case.stack.workspace.path("moved.db")).unwrap();
    let walk = case.find("service-health", OF_MEMORY, "database-missing");
    assert!(!database.exists(), "to look makes no empty one");
    case.waits(&walk, "--confirm stop=restore");
    case.repair(&walk, &["--confirm", "stop=restore", "--confirm", "restore=restore"]);
    case.well("service-health", OF_MEMORY, "healthy");
    case.well("memory-search-empty", OF_SEARCH, "search-works");
}

pub(super) fn missing_without_backup(case: &mut Case) {
    case.fault("the database is gone, and there is no backup", "the file is moved away under the running memory-engine");
    let database = case.stack.path("data/memory.db");
    std::fs::rename(&database, case.stack.workspace.path("moved.db")).unwrap();
    let walk = case.find("memory-search-empty", OF_SEARCH, "database-missing");
    case.fails(&walk, &[], 4, "There is no backup: nothing fits");
    // The service is not restarted either: that would make an empty one.
    let walk = case.find("service-health", OF_MEMORY, "health-check-fails");
    case.fails(&walk, &[], 4, "memory.db");
    assert!(!database.exists(), "nothing made an empty one");
    std::fs::rename(case.stack.workspace.path("moved.db"), &database).unwrap();
    case.note("once a copy is back in its place:");
    case.well("service-health", OF_MEMORY, "healthy");
}

pub(super) fn damaged(case: &mut Case) {
    case.fault("the database is damaged, and there is a backup", "its first page is overwritten while memory-engine is stopped");
    case.stack.play("data-backup", &[], 0);
    case.stack.signal("memory-engine", rustix::process::Signal::TERM);
    let database = case.stack.path("data/memory.db");
    let mut bytes = std::fs::read(&database).unwrap();
    bytes[..512].fill(b'#');
    std::fs::write(&database, bytes).unwrap();
    let walk = case.find("service-health", OF_MEMORY, "database-broken");
    case.waits(&walk, "--confirm stop=restore");
    case.repair(&walk, &["--confirm", "stop=restore", "--confirm", "restore=restore"]);
    case.well("service-health", OF_MEMORY, "healthy");
    case.well("memory-search-empty", OF_SEARCH, "search-works");
}

pub(super) fn empty(case: &mut Case) {
    case.fault("the database has no rows", "all rows are deleted");
    case.stack.play("data-backup", &[], 0);
    case.stack.fault("memory-engine", json!({ "memory_rows": "empty" }));
    let walk = case.find("memory-search-empty", OF_SEARCH, "memory-empty");
    case.waits(&walk, "--confirm stop=restore");
    case.repair(&walk, &["--confirm", "stop=restore", "--confirm", "restore=restore"]);
    case.well("memory-search-empty", OF_SEARCH, "search-works");
}

pub(super) fn archived(case: &mut Case) {
    case.fault("all rows are archived", "`archived_at` is set in all rows");
    case.stack.fault("memory-engine", json!({ "memory_rows": "archived" }));
    let walk = case.find("memory-search-empty", OF_SEARCH, "all-archived");
    case.told(&walk, "restore a backup from before");
    case.stack.fault("memory-engine", json!({ "memory_rows": "sample" }));
    case.note("once they are no longer:");
    case.well("memory-search-empty", OF_SEARCH, "search-works");
}

pub(super) fn other_user(case: &mut Case) {
    case.fault("the rows belong to another user", "`user_id` is changed in all rows");
    case.stack.fault("memory-engine", json!({ "memory_rows": "other_user" }));
    let walk = case.find("memory-search-empty", OF_SEARCH, "other-user");
    case.told(&walk, "search with the user_id that they were written with");
    case.note("asked for that user:");
    case.well("memory-search-empty", &["query=test", "user_id=someone_else"], "search-works");
}
