//! `GET /v1/deps`: the health of the four services the gateway calls, asked for all at once.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::client::{self, CallError};
use crate::reply::Reply;
use crate::service::Service;
use crate::state::State;

/// The longest wait for one service.
const LIMIT: Duration = Duration::from_secs(2);

/// Answers 200 in any case; `ok` is whether all four are.
pub(super) async fn answer(state: &State, call: &Call) -> Reply {
    let probe = |service| one(state, service, &call.correlation);
    // In the order of the seed's example.
    let (memory, router, openclaw, pipecat) = tokio::join!(
        probe(Service::MemoryEngine),
        probe(Service::ModelRouter),
        probe(Service::Openclaw),
        probe(Service::Pipecat)
    );
    let data: Map<String, Value> = [memory, router, openclaw, pipecat].into_iter().collect();
    let ok = data.values().all(|entry| entry["status"] == "ok");
    Reply::json(200, &json!({"ok": ok, "service": Service::ApiGateway.name(), "operation": "deps", "data": data}))
}

async fn one(state: &State, service: Service, correlation: &str) -> (String, Value) {
    let began = Instant::now();
    let address = state.config.address(service);
    let answer = client::request(&address, "GET", "/healthz", correlation, None, LIMIT).await;
    let duration = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let entry = match answer {
        Ok((200, _)) => json!({"status": "ok", "duration_ms": duration}),
        Ok((status, _)) => {
            json!({"status": "unhealthy", "duration_ms": duration, "error": format!("/healthz answered {status}")})
        }
        Err(error) => {
            let status = match error {
                CallError::Connection(_) => "unreachable",
                CallError::Timeout(_) => "timeout",
            };
            json!({"status": status, "duration_ms": duration, "error": error.to_string()})
        }
    };
    (service.key(), entry)
}
