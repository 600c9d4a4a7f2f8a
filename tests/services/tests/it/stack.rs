//! The services together.

use serde_json::{Value, json};

use crate::support::{Root, Service, free_port, raw};

const ALL: &[&str] =
    &["model-router", "memory-engine", "pipecat", "openclaw", "eva-os", "vision-capture", "perception", "api-gateway"];

/// Starts the named services on free ports, which the configuration tells them all.
fn start(root: &Root, names: &[&str]) -> Vec<Service> {
    let ports: Vec<u16> = names.iter().map(|_| free_port()).collect();
    let mut services = serde_json::Map::new();
    // Whatever is not started is looked for where nothing listens.
    for name in ALL {
        services.insert(name.replace('-', "_"), json!({"port": 1}));
    }
    for (name, port) in names.iter().zip(&ports) {
        services.insert(name.replace('-', "_"), json!({"port": port}));
        if *name == "ollama" {
            let base_url = format!("http://127.0.0.1:{port}");
            services["model_router"]["providers"] = json!({"ollama": {"base_url": base_url}});
        }
    }
    root.write("config/sonia-config.json", &json!({"services": services}).to_string());
    names.iter().zip(ports).map(|(name, port)| Service::start_at(name, &root.0, port, &[])).collect()
}

#[test]
fn all_eight_are_healthy_and_the_gateway_sees_it() {
    let root = Root::new();
    let services = start(&root, ALL);
    for (service, name) in services.iter().zip(ALL) {
        let (status, body) = service.get("/healthz");
        assert_eq!((status, &body["service"]), (200, &json!(name)));
    }
    let gateway = services.last().expect("a gateway");
    let (_, deps) = gateway.get("/v1/deps");
    assert_eq!((&deps["ok"], &deps["operation"]), (&json!(true), &json!("deps")));
    let names: Vec<&String> = deps["data"].as_object().expect("an object").keys().collect();
    assert_eq!(names, ["memory_engine", "model_router", "openclaw", "pipecat"]);
    services[1].fault(json!({"health_status": 500}));
    let (status, deps) = gateway.get("/v1/deps");
    assert_eq!((status, &deps["ok"]), (200, &json!(false)));
    assert_eq!(deps["data"]["memory_engine"]["status"], "unhealthy");
    assert_eq!(deps["data"]["pipecat"]["status"], "ok");
}

#[test]
fn a_turn_is_answered_remembered_and_logged() {
    let root = Root::new();
    let services = start(&root, &["model-router", "memory-engine", "api-gateway"]);
    let (memory, gateway) = (&services[1], &services[2]);
    let body = json!({"text_input": "mail me at bob@example.com", "user_id": "user@example.com"});
    let (head, _) = raw(gateway.port, "POST", "/v1/turn", Some(&body), std::time::Duration::from_secs(20)).expect("an answer");
    assert!(head.contains("x-correlation-id: req_test"), "{head}");
    let (status, chat) = gateway.post("/v1/chat", json!({"text": "What is the capital of France?"}));
    assert_eq!((status, &chat["data"]["response_text"]), (200, &json!("The capital of France is Paris.")));

    let turns = root.journal("turns");
    let keys: Vec<&String> = turns[0].as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        [
            "timestamp",
            "correlation_id",
            "session_id",
            "turn_id",
            "user_id",
            "text_input",
            "response_text",
            "latency_ms",
            "tool_calls_attempted",
            "tool_calls_executed"
        ]
    );
    let parts: Vec<&String> = turns[0]["latency_ms"].as_object().expect("an object").keys().collect();
    assert_eq!(parts, ["total", "memory_read", "model", "tool", "memory_write"]);
    assert_eq!(turns[0]["correlation_id"], "req_test");
    assert_eq!(turns[0]["turn_id"], "turn_001");
    assert_eq!(turns[0]["text_input"], "mail me at [EMAIL_REDACTED]");
    assert_eq!(turns[0]["user_id"], "user@example.com");
    assert_eq!(root.journal("sessions").len(), 2);
    assert!(root.journal("errors").is_empty());
    let (_, found) = memory.get("/v1/memory/search?query=capital%20of%20France");
    assert_eq!(found["data"]["count"], 1);
}

#[test]
fn a_turn_without_its_neighbours() {
    let root = Root::new();
    let services = start(&root, &["model-router", "api-gateway"]);
    let gateway = &services[1];
    assert_eq!(gateway.post("/v1/turn", json!({"text": "hello"})).0, 200, "memory is not essential");
    let errors = root.journal("errors");
    let capabilities: Vec<&Value> = errors.iter().map(|line| &line["capability"]).collect();
    assert_eq!(capabilities, ["memory.read", "memory.write"]);
    assert!(errors.iter().all(|line| line["failure_class"] == "CONNECTION_BOOTSTRAP"));
    drop(services.into_iter().next());
}

#[test]
fn latency_by_part() {
    let root = Root::new();
    let services = start(&root, &["model-router", "memory-engine", "openclaw", "api-gateway"]);
    let gateway = &services[3];
    gateway.fault(json!({"latency_ms": {"model": 3000, "tool": 700, "unexplained": 900, "wait": false}}));
    assert_eq!(gateway.post("/v1/turn", json!({"text": "hello"})).0, 200);
    let turn = root.journal("turns").remove(0);
    let part = |name: &str| turn["latency_ms"][name].as_u64().expect("a number");
    assert!((3000..3900).contains(&part("model")) && (700..1600).contains(&part("tool")), "{turn}");
    let sum = part("model") + part("tool") + part("memory_read") + part("memory_write");
    assert!(part("total") >= sum + 900, "{turn}");
    assert_eq!((&turn["tool_calls_attempted"], &turn["tool_calls_executed"]), (&json!(1), &json!(1)));
    let tool = root.journal("tools").remove(0);
    let keys: Vec<&String> = tool.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["timestamp", "correlation_id", "capability", "args", "result", "safety_tier"]);
}

#[test]
fn a_breaker_recovers_once_its_cause_is_fixed() {
    let root = Root::new();
    let services = start(&root, &["openclaw", "eva-os", "api-gateway"]);
    let gateway = &services[2];
    let state = || gateway.get("/v1/breakers/metrics").1["data"]["breakers"]["file.write"]["state"].clone();
    let probe = || gateway.post("/v1/action", json!({"tool_name": "file.write", "args": {"path": "x"}})).0;
    gateway.fault(json!({"breaker_open": {"capability": "file.write"}}));
    assert_eq!((state(), probe()), (json!("OPEN"), 503));
    gateway.fault(json!({"quarantine_ms": 0}));
    assert_eq!((state(), probe()), (json!("HALF_OPEN"), 502));
    gateway.fault(json!({"quarantine_ms": 60000}));
    assert_eq!(state(), "OPEN", "the probe failed, because the cause is not fixed");
    gateway.fault(json!({"breaker_open": {"capability": "file.write", "cause_fixed": true}, "quarantine_ms": 0}));
    assert_eq!((state(), probe()), (json!("HALF_OPEN"), 200));
    assert_eq!((state(), probe()), (json!("HALF_OPEN"), 200));
    assert_eq!(state(), "CLOSED");
}

#[test]
fn a_denied_tool() {
    let root = Root::new();
    let services = start(&root, &["openclaw", "eva-os", "api-gateway"]);
    let gateway = &services[2];
    let (status, body) = gateway.post("/v1/action", json!({"tool_name": "file.delete"}));
    assert_eq!((status, &body["error"]["failure_class"]), (403, &json!("POLICY_DENIED")));
    let (status, body) = gateway.post("/v1/action", json!({"tool_name": "shell.run", "args": {"command": "ls"}}));
    assert_eq!(status, 200);
    assert_eq!(body["data"]["result"]["stdout"], "config\nlogs");
}

#[test]
fn models_come_from_ollama() {
    let root = Root::new();
    let mut services = start(&root, &["ollama", "model-router"]);
    let (_, tags) = services[0].get("/api/tags");
    assert_eq!(tags["models"][0]["name"], "nomic-embed-text:latest");
    services[0].fault(json!({"models": ["llama3.2:latest"]}));
    let (_, models) = services[1].get("/v1/models");
    assert_eq!(models["data"]["models"], json!(["llama3.2:latest"]));
    services[1].fault(json!({"ollama_required": true}));
    assert_eq!(services[1].get("/healthz").0, 200);
    services[0].signal("TERM");
    assert_eq!(services[0].end(), Some(0));
    assert_eq!(services[1].get("/healthz").0, 500);
    services[1].wait_for("httpx.ConnectError");
    assert_eq!(services[1].get("/v1/models").1["data"]["providers"]["ollama"]["status"], "unreachable");
}
