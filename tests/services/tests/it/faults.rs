//! Faults that any service can have.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Root, Service, free_port, raw};

#[test]
fn a_crash_at_the_start_leaves_a_traceback() {
    let root = Root::new();
    root.write("faults/api-gateway.json", r#"{"crash": {}}"#);
    let mut service = Service::spawn("api-gateway", &root.0, free_port(), &[]);
    assert_eq!(service.end(), Some(1));
    assert!(service.errors.starts_with("Traceback (most recent call last):\n"), "{}", service.errors);
    assert!(service.errors.contains("services/api-gateway/main.py\", line 3, in <module>\n    import fastapi\n"));
    assert!(service.errors.ends_with("ModuleNotFoundError: No module named 'fastapi'\n"), "{}", service.errors);
}

#[test]
fn a_crash_after_the_start() {
    let root = Root::new();
    root.write("faults/eva-os.json", r#"{"crash": {"exception": "MemoryError", "exit_code": 3, "after_ms": 10}}"#);
    let mut service = Service::start("eva-os", &root.0);
    assert_eq!(service.end(), Some(3));
    assert!(service.errors.ends_with("MemoryError\n"), "{}", service.errors);
}

#[test]
fn a_crash_now() {
    let root = Root::new();
    let mut service = Service::start("eva-os", &root.0);
    service.fault(json!({"crash": {}}));
    assert_eq!(service.end(), Some(1));
    assert!(service.errors.ends_with("RuntimeError: injected crash\n"), "{}", service.errors);
}

#[test]
fn a_broken_configuration_is_a_crash() {
    let root = Root::new();
    root.write("config/sonia-config.json", "{\n  \"services\": {\n    \"eva_os\": { \"port\": 7050, }\n  }\n}\n");
    let mut service = Service::spawn("eva-os", &root.0, free_port(), &[]);
    assert_eq!(service.end(), Some(1));
    assert!(service.errors.contains("\njson.decoder.JSONDecodeError: Expecting value: line 3 column"), "{}", service.errors);
}

#[test]
fn a_broken_fault_file_is_refused() {
    let root = Root::new();
    root.write("faults/eva-os.json", r#"{"slow": 5}"#);
    let mut service = Service::spawn("eva-os", &root.0, free_port(), &[]);
    assert_eq!(service.end(), Some(2));
    assert!(service.errors.contains("is no fault file: unknown field `slow`"), "{}", service.errors);
}

#[test]
fn a_failing_health_check() {
    let root = Root::new();
    let mut service = Service::start("eva-os", &root.0);
    service.fault(json!({"health_status": 500}));
    assert_eq!(service.get("/healthz"), (500, json!("Internal Server Error")));
    service.wait_for("ERROR:    Exception in ASGI application");
    service.wait_for("RuntimeError: injected health failure");
    assert_eq!(service.get("/_fault").1["faults"], json!({"health_status": 500}));
    service.heal();
    assert_eq!(service.get("/healthz").0, 200);
}

#[test]
fn a_wrong_fault_changes_nothing() {
    let root = Root::new();
    let service = Service::start("eva-os", &root.0);
    service.fault(json!({"slow_ms": 1}));
    assert_eq!(service.post("/_fault", json!({"slow_ms": "much"})).0, 422);
    assert_eq!(service.post("/_fault", json!({"nonsense": 1})).0, 422);
    assert_eq!(service.get("/_fault").1["faults"], json!({"slow_ms": 1}));
}

#[test]
fn hanging_and_slow_answers_by_path() {
    let root = Root::new();
    let service = Service::start("api-gateway", &root.0);
    service.fault(json!({"hang": true, "paths": ["/v1/dead-letters"]}));
    assert_eq!(service.get("/healthz").0, 200);
    let error = raw(service.port, "GET", "/v1/dead-letters", None, Duration::from_millis(150)).expect_err("no answer");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    service.fault(json!({"hang": null, "slow_ms": 120, "paths": ["/healthz"]}));
    let began = Instant::now();
    assert_eq!(service.get("/healthz").0, 200);
    assert!(began.elapsed() >= Duration::from_millis(120));
    assert_eq!(service.get("/v1/dead-letters").0, 200);
}
