//! `POST /v1/action`: a tool, through its breaker, by openclaw.

use std::time::Duration;

use serde_json::{Value, json};

use crate::call::{self, Call};
use crate::client;
use crate::clock;
use crate::gateway::Gateway;
use crate::gateway::core::Failure;
use crate::redact::redact;
use crate::reply::Reply;
use crate::service::Service;
use crate::state::{State, lock};

/// The longest wait for a tool.
const LIMIT: Duration = Duration::from_secs(10);
const OPERATION: &str = "action";

/// A tool call that did not succeed: its failure class and the reason.
pub(super) type Failed = (&'static str, String);

/// Answers the endpoint. A failure is answered with 403 (policy), 502 or 504, logged, and kept as a dead letter.
pub(super) async fn answer(state: &State, gateway: &Gateway, call: &Call) -> Reply {
    let body = match call.object() {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let capability = match call::text(&body, "tool_name") {
        Ok(capability) => capability,
        Err(reply) => return reply,
    };
    let args = body.get("args").cloned().unwrap_or_else(|| json!({}));
    let session = body.get("session_id").and_then(Value::as_str);
    let failure = |class, message| Failure { correlation: &call.correlation, session, class, capability, message };
    let admitted = {
        let mut breakers = lock(&gateway.breakers);
        breakers.set_quarantine(state.faults().quarantine_ms);
        breakers.admit(capability)
    };
    if let Err(remaining) = admitted {
        let message = format!("circuit breaker for {capability} is OPEN, {} ms left", remaining.as_millis());
        gateway.record(&failure("CIRCUIT_OPEN", &message));
        return Reply::failure(503, Service::ApiGateway, OPERATION, "CIRCUIT_OPEN", &message);
    }
    match execute(state, gateway, &call.correlation, capability, &args).await {
        Ok(result) => {
            let data = json!({"tool_name": capability, "result": result});
            Reply::data(Service::ApiGateway, OPERATION, data)
        }
        Err((class, message)) => {
            gateway.bury(&failure(class, &message), &args, None);
            let status = match class {
                "POLICY_DENIED" => 403,
                "TIMEOUT" => 504,
                _ => 502,
            };
            Reply::failure(status, Service::ApiGateway, OPERATION, class, &message)
        }
    }
}

/// Has openclaw run a tool, tells the breaker how it went, and writes `tools.jsonl`.
pub(super) async fn execute(
    state: &State,
    gateway: &Gateway,
    correlation: &str,
    capability: &str,
    args: &Value,
) -> Result<Value, Failed> {
    let broken = lock(&gateway.breakers).is_broken(capability);
    let outcome = if broken {
        Err(("CONNECTION_BOOTSTRAP", format!("{capability}: injected failure, the cause is not fixed")))
    } else {
        by_openclaw(state, correlation, capability, args).await
    };
    // A denial is the policy at work: it says nothing about the health of the capability.
    if !matches!(&outcome, Err(("POLICY_DENIED", _))) {
        lock(&gateway.breakers).settle(capability, outcome.is_ok());
    }
    let (result, tier) = match &outcome {
        Ok(answer) => (answer["result"].clone(), answer["safety_tier"].clone()),
        Err((class, message)) => (json!({"error": class, "message": message}), Value::Null),
    };
    let raw = state.faults().raw_personal_data;
    gateway.journal.tools(&json!({
        "timestamp": clock::now(),
        "correlation_id": correlation,
        "capability": capability,
        "args": if raw { args.clone() } else { redacted(args) },
        "result": result,
        "safety_tier": tier,
    }));
    outcome.map(|answer| answer["result"].clone())
}

async fn by_openclaw(state: &State, correlation: &str, capability: &str, args: &Value) -> Result<Value, Failed> {
    let address = state.config.address(Service::Openclaw);
    let body = json!({"tool_name": capability, "args": args});
    match client::request(&address, "POST", "/v1/execute", correlation, Some(&body), LIMIT).await {
        Ok((200, answer)) => Ok(answer["data"].clone()),
        Ok((403, answer)) => {
            let reason = answer["error"]["message"].as_str().unwrap_or("denied by policy");
            Err(("POLICY_DENIED", reason.to_owned()))
        }
        Ok((status, _)) => Err(("DOWNSTREAM_ERROR", format!("openclaw answered {status}"))),
        Err(error) => Err((error.class(), format!("openclaw: {error}"))),
    }
}

/// Redacts every text within a JSON value.
fn redacted(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(redact(text)),
        Value::Array(items) => items.iter().map(redacted).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), redacted(value))).collect(),
        other => other.clone(),
    }
}
