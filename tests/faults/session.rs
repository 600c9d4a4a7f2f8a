//! The same in one command: the tree finds the fault, runs its remedy, sees that it is verified, and asks itself once more.

use rustix::process::Signal;
use serde_json::json;

use super::stack::{Stack, digest};
use crate::harness::Output;

/// `runbook triage service-health --remedy run` for a service; what became of the remedy is its last word.
fn remedy(stack: &Stack, service: &str, more: &[&str], code: i32) -> Output {
    let service = format!("service={service}");
    let words = [&["triage", "service-health", "--param", &service, "--remedy", "run"], more].concat();
    let out = stack.run(&words);
    assert_eq!(out.code, code, "{}", digest(&out));
    out
}

/// Finds it, repairs it, and finds it repaired.
fn fixes(stack: &Stack, service: &str, finding: &str, more: &[&str]) {
    let out = remedy(stack, service, more, 0);
    let remedied = out.events_of("remedied").pop().unwrap_or_else(|| panic!("no remedy was run:\n{}", digest(&out)));
    assert_eq!((&remedied["finding"], &remedied["outcome"]), (&json!(finding), &json!("fixed")), "{}", digest(&out));
    let found = out.events_of("finding");
    assert_eq!(found.last().unwrap()["finding"], "healthy", "{}", digest(&out));
}

#[test]
fn one_command_finds_repairs_and_looks_again() {
    let mut stack = Stack::of_stand_ins(4).started();
    let running = |stack: &Stack| super::stack::SERVICES.map(|s| stack.pid(s));

    // What asks first runs nothing until it is answered.
    stack.signal("pipecat", Signal::TERM);
    let elsewhere = stack.workspace.path("elsewhere");
    let stranger = stack.start_stranger("pipecat", elsewhere);
    let out = remedy(&stack, "pipecat", &[], 7);
    assert!(crate::harness::alive(stranger) && out.events_of("remedied").is_empty(), "{}", digest(&out));
    fixes(&stack, "pipecat", "port-taken", &["--confirm", "release=release"]);
    stack.end_others();

    stack.signal("memory-engine", Signal::KILL);
    fixes(&stack, "memory-engine", "crashed", &[]);
    stack.signal("openclaw", Signal::STOP);
    fixes(&stack, "openclaw", "hung", &[]);
    stack.fault("pipecat", json!({ "health_status": 500 }));
    fixes(&stack, "pipecat", "health-check-fails", &[]);
    stack.fault("eva-os", json!({ "db_lock": {} }));
    fixes(&stack, "memory-engine", "database-locked", &[]);
    stack.signal("model-router", Signal::KILL);
    fixes(&stack, "api-gateway", "dependency-stopped", &[]);

    // Nothing is repaired where nothing is wrong.
    let before = running(&stack);
    let out = remedy(&stack, "api-gateway", &[], 0);
    assert!(out.events_of("remedied").is_empty(), "{}", digest(&out));
    assert_eq!(running(&stack), before);

    // A lock that is taken again within ten minutes is no accident: the remedy is not run a second time.
    stack.fault("eva-os", json!({ "db_lock": {} }));
    let out = remedy(&stack, "memory-engine", &[], 8);
    let held = out.events_of("remedied").pop().unwrap();
    assert_eq!(held["outcome"], "held_back", "{held}");
    assert!(held["message"].as_str().unwrap().contains("is to be left alone for 10m"), "{held}");
    assert_eq!(running(&stack), before, "nothing was restarted");
    stack.heal("eva-os");
}
