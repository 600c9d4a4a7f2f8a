//! The gateway by itself: dead letters, breakers, personal data.

use serde_json::{Value, json};

use crate::support::{Root, Service};

fn entries(gateway: &Service) -> Vec<Value> {
    let (status, body) = gateway.get("/v1/dead-letters");
    assert_eq!(status, 200);
    let entries = body["data"]["entries"].as_array().expect("entries").clone();
    assert_eq!(body["data"]["depth"], entries.len());
    entries
}

fn id(entry: &Value) -> &str {
    entry["id"].as_str().expect("an id")
}

#[test]
fn dead_letters_are_replayed_and_deleted() {
    let root = Root::new();
    let gateway = Service::start("api-gateway", &root.0);
    gateway.fault(json!({"dlq_growth": {"count": 2, "failure_class": "CONNECTION_BOOTSTRAP"}}));
    gateway.fault(json!({"dlq_growth": {"failure_class": "POLICY_DENIED", "capability": "shell.run", "replayable": false}}));
    let found = entries(&gateway);
    assert_eq!(found.len(), 3);
    let keys: Vec<&String> = found[0].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["id", "timestamp", "correlation_id", "capability", "args", "failure_class", "error", "attempts"]);
    let classes: Vec<Value> = root.journal("errors").iter().map(|line| line["failure_class"].clone()).collect();
    assert_eq!(classes, ["CONNECTION_BOOTSTRAP", "CONNECTION_BOOTSTRAP", "POLICY_DENIED"]);

    let (good, bad) = (format!("/v1/dead-letters/{}", id(&found[0])), format!("/v1/dead-letters/{}", id(&found[2])));
    assert_eq!(gateway.post(&format!("{good}/replay"), json!({})).0, 422, "dry_run has no default");
    let (_, dry) = gateway.post(&format!("{good}/replay?dry_run=true"), json!({}));
    assert_eq!(dry["data"]["would_succeed"], true);
    let (_, dry) = gateway.post(&format!("{bad}/replay?dry_run=true"), json!({}));
    assert_eq!(dry["data"]["would_succeed"], false);
    assert_eq!(entries(&gateway).len(), 3, "a dry run changes nothing");

    let (status, body) = gateway.post(&format!("{good}/replay?dry_run=false"), json!({}));
    assert_eq!((status, &body["data"]["replayed"]), (200, &json!(true)));
    let (status, body) = gateway.post(&format!("{bad}/replay?dry_run=false"), json!({}));
    assert_eq!((status, &body["error"]["failure_class"]), (502, &json!("POLICY_DENIED")));
    let left = entries(&gateway);
    assert_eq!(left.len(), 2);
    assert_eq!(left[1]["attempts"], 2);

    assert_eq!(gateway.delete(&bad).0, 200);
    assert_eq!(gateway.delete(&bad).0, 404);
    assert_eq!(gateway.get(&bad).0, 404);
    assert_eq!(entries(&gateway).len(), 1);
}

#[test]
fn dead_letters_grow_until_the_fault_is_cleared() {
    let root = Root::new();
    let gateway = Service::start("api-gateway", &root.0);
    gateway.fault(json!({"dlq_growth": {"count": 1_000_000, "every_ms": 5}}));
    while entries(&gateway).len() < 4 {}
    gateway.heal();
    let stopped = entries(&gateway).len();
    assert_eq!(entries(&gateway).len(), stopped);
}

#[test]
fn a_failed_action_is_a_dead_letter_and_five_open_the_breaker() {
    let root = Root::new();
    // Nothing listens on this port.
    root.write("config/sonia-config.json", r#"{"services": {"openclaw": {"port": 1}}}"#);
    let gateway = Service::start("api-gateway", &root.0);
    for _ in 0..5 {
        let (status, body) = gateway.post("/v1/action", json!({"tool_name": "file.write", "args": {"path": "x"}}));
        assert_eq!((status, &body["error"]["failure_class"]), (502, &json!("CONNECTION_BOOTSTRAP")));
    }
    let (status, body) = gateway.post("/v1/action", json!({"tool_name": "file.write"}));
    assert_eq!((status, &body["error"]["failure_class"]), (503, &json!("CIRCUIT_OPEN")));
    assert_eq!(entries(&gateway).len(), 5, "a rejected call is no dead letter");
    let (_, metrics) = gateway.get("/v1/breakers/metrics");
    assert_eq!(metrics["data"]["open"], json!(["file.write"]));
    let breaker = &metrics["data"]["breakers"]["file.write"];
    assert_eq!((&breaker["state"], &breaker["quarantine_ms"]), (&json!("OPEN"), &json!(30_000)));
    let (_, dry) = gateway.post(&format!("/v1/dead-letters/{}/replay?dry_run=true", id(&entries(&gateway)[0])), json!({}));
    assert_eq!(dry["data"]["would_succeed"], false);
    let (_, status) = gateway.get("/status");
    assert_eq!((&status["data"]["dlq_depth"], &status["data"]["breakers_open"]), (&json!(5), &json!(["file.write"])));
}

#[test]
fn sessions_are_logged() {
    let root = Root::new();
    let gateway = Service::start("api-gateway", &root.0);
    let (_, body) = gateway.post("/v1/sessions", json!({"user_id": "u1"}));
    let session = body["data"]["session_id"].as_str().expect("a session");
    assert_eq!(gateway.delete(&format!("/v1/sessions/{session}")).0, 200);
    assert_eq!(gateway.delete(&format!("/v1/sessions/{session}")).0, 404);
    let lines = root.journal("sessions");
    assert_eq!((&lines[0]["event"], &lines[1]["event"]), (&json!("create"), &json!("delete")));
    assert_eq!((&lines[0]["correlation_id"], &lines[0]["user_id"]), (&json!("req_test"), &json!("u1")));
}

#[test]
fn personal_data_leaks_by_fault_only() {
    let root = Root::new();
    let mut gateway = Service::start("api-gateway", &root.0);
    gateway.fault(json!({"raw_personal_data": true}));
    let text = root.read("logs/gateway/turns.jsonl");
    for raw in ["jane.doe@example.com", "123-45-6789", "4111 1111 1111 1111", "555-123-4567", "sk-live-0123456789abcdef"] {
        assert!(text.contains(raw), "{raw}");
    }
    gateway.wait_for("jane.doe@example.com");
}

#[test]
fn fastapi_s_own_answers() {
    let root = Root::new();
    let gateway = Service::start("api-gateway", &root.0);
    assert_eq!(gateway.get("/nothing"), (404, json!({"detail": "Not Found"})));
    assert_eq!(gateway.get("/v1/turn"), (405, json!({"detail": "Method Not Allowed"})));
    let (status, body) = gateway.post("/v1/chat", json!({}));
    assert_eq!(status, 422);
    assert_eq!(body["detail"][0]["loc"], json!(["body", "text"]));
}
