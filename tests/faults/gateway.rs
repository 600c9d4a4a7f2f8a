//! Faults behind the gateway: Ollama, slow turns, dead letters, breakers, endpoints that hang, personal data in logs.

use serde_json::{Value, json};

use super::case::Case;
use super::stack::digest;
use crate::harness::wait_until;

const OF_ROUTER: &[&str] = &["service=model-router"];
const OF_GATEWAY: &[&str] = &["service=api-gateway"];

pub(super) fn ollama_down(case: &mut Case) {
    case.fault("Ollama is down, and other providers serve", "nothing listens on its port");
    let walk = case.find("service-health", OF_ROUTER, "ollama-not-there");
    case.waits(&walk, "--answer by-hand=done");
    case.stack.start_ollama();
    case.note("once it is started:");
    case.repair(&walk, &[]);
    case.well("service-health", OF_ROUTER, "healthy");
}

pub(super) fn ollama_needed(case: &mut Case) {
    case.fault("Ollama is down, and model-router cannot do without", "the same, with `ollama_required: true`");
    case.stack.fault("model-router", json!({ "ollama_required": true }));
    let walk = case.find("service-health", OF_ROUTER, "ollama-down");
    case.waits(&walk, "--answer by-hand=done");
    case.stack.start_ollama();
    case.note("once it is started:");
    case.repair(&walk, &[]);
    case.well("service-health", OF_ROUTER, "healthy");
}

/// `ollama pull MODEL`, as far as this goes: the stand-in is told to have the model. It takes `OLLAMA_HOST` as the real one does.
const OLLAMA: &str = r#"#!/bin/bash
[ "$1" = pull ] || exit 2
host=${OLLAMA_HOST#http://}
body='{"models":["llama3.2:latest","'$2':latest"]}'
exec 3<>"/dev/tcp/${host%:*}/${host#*:}"
printf 'POST /_fault HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s' "${#body}" "$body" >&3
cat <&3 >/dev/null
"#;

pub(super) fn model_absent(case: &mut Case) {
    case.fault("Ollama lacks the model that is wanted", "its list has another model only");
    case.stack.start_ollama();
    case.stack.fault("ollama", json!({ "models": ["llama3.2:latest"] }));
    let walk = case.find("service-health", OF_ROUTER, "model-missing");
    case.waits(&walk, "--yes");
    case.stack.program("ollama", OLLAMA);
    case.repair(&walk, &["--yes"]);
    case.well("service-health", OF_ROUTER, "healthy");
}

/// A limit that a turn with the delay is over, and one without is not, on a busy machine either.
const LIMIT: &str = "slower_than=1000";
const DELAY_MS: u64 = 1200;

/// Turns of now are quick again; those of before are put aside.
fn quick_again(case: &mut Case) {
    case.stack.play("log-rotate", &["--yes", "--param", "max_size=1B"], 0);
    case.stack.chat();
    case.well("latency-high", &[LIMIT], "turns-are-quick");
}

pub(super) fn model_slow(case: &mut Case) {
    case.fault("turns are slow: the model", "model-router answers late by more than a second");
    case.stack.fault("model-router", json!({ "slow_ms": DELAY_MS, "paths": ["/v1/generate"] }));
    case.stack.chat();
    let walk = case.find("latency-high", &[LIMIT], "model-slow");
    case.waits(&walk, "--answer smaller=done");
    case.stack.heal("model-router");
    case.note("once the model is quick:");
    quick_again(case);
}

pub(super) fn memory_slow(case: &mut Case) {
    case.fault(
        "turns are slow: the memory",
        "memory-engine answers late by more than a second, and most of its file is empty pages",
    );
    // A thousand turns that were forgotten leave their pages behind.
    let long = "x".repeat(8000);
    for _ in 0..40 {
        let row = json!({ "user_id": "user_demo", "text": long });
        assert_eq!(case.stack.ask("memory-engine", "POST", "/v1/memory/store", Some(row)).0, 200);
    }
    case.stack.fault("memory-engine", json!({ "memory_rows": "sample" }));
    case.stack.fault("memory-engine", json!({ "slow_ms": DELAY_MS, "paths": ["/v1/memory/search"] }));
    case.stack.chat();
    let walk = case.find("latency-high", &[LIMIT], "memory-slow");
    let out = case.repair(&walk, &[]);
    let reclaimed = &out.events_of("run_finished")[0]["outputs"]["reclaimed"];
    assert!(!reclaimed.is_null(), "{}", digest(&out));
    quick_again(case);
}

pub(super) fn tool_slow(case: &mut Case) {
    case.fault("turns are slow: a tool", "openclaw answers late by more than a second, and has left a dead letter");
    case.stack.fault("openclaw", json!({ "slow_ms": DELAY_MS, "paths": ["/v1/execute"] }));
    case.stack.fault("api-gateway", json!({ "latency_ms": { "tool": 1 }, "dlq_growth": { "capability": "file.read" } }));
    case.stack.chat();
    let walk = case.find("latency-high", &[LIMIT], "tools-slow");
    case.waits(&walk, "--answer cause=done");
    case.stack.heal("openclaw");
    case.stack.heal("api-gateway");
    case.note("once the tool is quick:");
    let out = case.propose(&walk, &["--answer", "cause=done", "--yes", "--param", "replay=true", "--param", "sample=0s"], 0);
    assert_eq!(out.events_of("run_finished")[0]["outputs"]["depth"], 0, "{}", digest(&out));
    case.note("the dead letter is replayed");
    quick_again(case);
}

pub(super) fn unexplained(case: &mut Case) {
    case.fault("turns are slow, and none of their parts is", "the gateway itself takes more than a second");
    case.stack.fault("api-gateway", json!({ "latency_ms": { "unexplained": DELAY_MS } }));
    case.stack.chat();
    let walk = case.find("latency-high", &[LIMIT], "unexplained-time");
    case.propose(&walk, &[], 0);
    case.note("looks at what lies between the services, and changes nothing");
    case.stack.heal("api-gateway");
    case.note("once the gateway is quick:");
    quick_again(case);
}

fn dead_letters(case: &mut Case, class: &str) {
    case.fault(
        &format!("dead letters of the class {class}, one that can be replayed and one that cannot"),
        "`POST /_fault` to api-gateway: `dlq_growth`",
    );
    for replayable in [true, false] {
        case.stack.fault("api-gateway", json!({ "dlq_growth": { "failure_class": class, "replayable": replayable } }));
    }
    let walk = case.find("service-health", OF_GATEWAY, "dead-letters");
    case.waits(&walk, "--answer cause=done");
    let fixed = ["--answer", "cause=done", "--yes", "--param", "sample=0s"];
    let depth = |case: &Case| case.stack.ask("api-gateway", "GET", "/v1/dead-letters", None).1["data"]["depth"].clone();
    // Without a word nothing is really replayed.
    case.propose(&walk, &fixed, 0);
    assert_eq!(depth(case), 2);
    case.propose(&walk, &[&fixed[..], &["--param", "replay=true"]].concat(), 0);
    assert_eq!(depth(case), 1);
    case.note("the one is replayed with `replay=true`");
    let out = case.propose(&walk, &[&fixed[..], &["--param", "purge=true"]].concat(), 7);
    assert!(out.stdout.contains("--confirm purge=purge"), "{}", digest(&out));
    let purge = ["--param", "purge=true", "--confirm", "purge=purge"];
    let out = case.propose(&walk, &[&fixed[..], &purge].concat(), 0);
    assert_eq!(depth(case), 0);
    let kept = out.events_of("run_finished")[0]["outputs"]["kept"].as_str().unwrap().to_owned();
    assert!(std::fs::read_to_string(kept).unwrap().contains(class), "a copy is kept");
    case.note("the other is kept as a copy and deleted with `purge=true --confirm purge=purge`");
    case.well("service-health", OF_GATEWAY, "healthy");
}

pub(super) fn dead_letters_of_connections(case: &mut Case) {
    dead_letters(case, "CONNECTION_BOOTSTRAP");
}

pub(super) fn dead_letters_of_time(case: &mut Case) {
    dead_letters(case, "TIMEOUT");
}

pub(super) fn dead_letters_of_policy(case: &mut Case) {
    dead_letters(case, "POLICY_DENIED");
}

pub(super) fn many_dead_letters(case: &mut Case) {
    case.fault(
        "there are many dead letters, and they become more",
        "`POST /_fault` to api-gateway: `dlq_growth`, 12 at once and one more each 50 ms",
    );
    let growth = |count: u32, every_ms: u32| json!({ "dlq_growth": { "count": count, "every_ms": every_ms } });
    case.stack.fault("api-gateway", growth(12, 0));
    let walk = case.find("service-health", OF_GATEWAY, "dead-letters-growing");
    case.stack.fault("api-gateway", growth(1000, 50));
    let out = case.propose(&walk, &["--param", "sample=500ms"], 7);
    let notes = out.events_of("note").iter().map(ToString::to_string).collect::<String>();
    assert!(notes.contains("entries, growing: "), "{notes}");
    case.note("the remedy says that they grow, and waits for `--answer cause=done`");
    case.stack.heal("api-gateway");
    case.note("once the cause is fixed:");
    case.propose(&walk, &["--answer", "cause=done", "--yes", "--param", "replay=true", "--param", "sample=0s"], 0);
    case.note("all are replayed");
    case.well("service-health", OF_GATEWAY, "healthy");
}

pub(super) fn breaker_with_its_cause(case: &mut Case) {
    case.fault(
        "a breaker is open, and its cause is not fixed",
        "`POST /_fault` to api-gateway: `breaker_open`, quarantine 300 ms",
    );
    case.stack.fault("api-gateway", json!({ "quarantine_ms": 300, "breaker_open": { "capability": "file.write" } }));
    let walk = case.find("service-health", OF_GATEWAY, "breaker-open");
    case.waits(&walk, "--answer cause=done");
    let out = case.fails(&walk, &["--answer", "cause=done", "--yes"], 4, "is not closed after three rounds");
    let again: Vec<Value> = out.events_of("note").into_iter().filter(|n| n.to_string().contains("opens again")).collect();
    assert_eq!(again.len(), 3, "three rounds, and no more: {again:?}");
    case.note("given up after three rounds");
}

pub(super) fn breaker_without_its_cause(case: &mut Case) {
    case.fault("a breaker is open, and its cause is fixed", "the same, with `cause_fixed: true`");
    let fault = json!({ "capability": "file.write", "cause_fixed": true });
    case.stack.fault("api-gateway", json!({ "quarantine_ms": 300, "breaker_open": fault }));
    let walk = case.find("service-health", OF_GATEWAY, "breaker-open");
    case.waits(&walk, "--answer cause=done");
    case.repair(&walk, &["--answer", "cause=done", "--yes"]);
    case.well("service-health", OF_GATEWAY, "healthy");
}

pub(super) fn endpoint_hangs(case: &mut Case) {
    case.fault(
        "an endpoint hangs while the incident bundle is taken",
        "`POST /_fault` to api-gateway: `hang` of `/v1/dead-letters`",
    );
    case.stack.fault("api-gateway", json!({ "hang": true, "paths": ["/v1/dead-letters"] }));
    let walk = case.find("service-health", OF_GATEWAY, "dead-letters-not-told");
    case.told(&walk, "timed out after 2s");
    let out = case.stack.play("incident-bundle", &["--param", "timeout=300ms"], 0);
    assert_eq!(out.events_of("run_finished")[0]["outputs"]["gaps"], 1, "{}", digest(&out));
    let gap = out.events_of("note").iter().any(|n| n.to_string().contains("gap: dead letters: timed out after 300ms"));
    assert!(gap, "{}", digest(&out));
    case.note("the bundle is whole but for one gap, which it names");
    case.stack.heal("api-gateway");
    case.note("once it answers:");
    case.well("service-health", OF_GATEWAY, "healthy");
}

/// What is put into the logs in clear text.
const PERSONAL: [&str; 6] = ["jane.doe", "123-45-6789", "4111 1111 1111 1111", "555-123-4567", "abcdef0123456789", "sk-live-"];

pub(super) fn personal_data(case: &mut Case) {
    case.fault(
        "the logs hold an address, a social security number, a card, a phone number and keys in clear text",
        "`POST /_fault` to api-gateway: `raw_personal_data`",
    );
    case.stack.fault("api-gateway", json!({ "raw_personal_data": true }));
    wait_until(|| case.stack.read("logs/services/api-gateway.err.log").contains(PERSONAL[0]));
    let out = case.refuses("log-redaction", &[], "hold clear text where a mark such as [EMAIL_REDACTED] should be");
    let told = out.events_of("note").iter().map(ToString::to_string).collect::<String>();
    for kind in ["e-mail address", "social security number", "card number", "phone number", "API key"] {
        assert!(told.contains(&format!("{kind} in 2 lines (file, then line)")), "{kind}: {told}");
    }
    assert!(PERSONAL.iter().all(|text| !out.stdout.contains(text)), "the values themselves are not shown");
    "none: told in the failure, with file and line".clone_into(&mut case.row.remedy);
    let out = case.stack.play("incident-bundle", &[], 0);
    let archive = out.events_of("run_finished")[0]["outputs"]["path"].as_str().unwrap().to_owned();
    let folder = case.stack.workspace.path("unpacked");
    std::fs::create_dir(&folder).unwrap();
    let done = std::process::Command::new("tar").args(["-xzf", &archive, "-C"]).arg(&folder).status().unwrap();
    assert!(done.success());
    let everything = texts(&folder);
    assert!(everything.contains("[SSN_REDACTED]"), "the lines are there");
    for text in PERSONAL {
        assert!(!everything.contains(text), "{text} is in the bundle");
    }
    case.note("`incident-bundle` holds none of it");
}

/// All files below a folder, one after the other.
fn texts(folder: &std::path::Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all += &if path.is_dir() { texts(&path) } else { String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned() };
    }
    all
}
