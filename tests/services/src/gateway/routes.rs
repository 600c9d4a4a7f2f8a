//! The gateway's endpoints.

use std::sync::Arc;

use serde_json::json;

use crate::call::Call;
use crate::gateway::{Gateway, action, deps, replay, sessions, turn};
use crate::reply::Reply;
use crate::service::Service;
use crate::state::{State, lock};

/// Answers a request, or returns nothing when the path is not the gateway's.
pub(crate) async fn answer(state: &Arc<State>, call: &Call, segments: &[&str]) -> Option<Reply> {
    let gateway = state.gateway.as_ref()?;
    let reply = match (call.method.as_str(), segments) {
        ("GET", ["status"]) => status(state, gateway),
        ("GET", ["v1", "deps"]) => deps::answer(state, call).await,
        ("POST", ["v1", "turn"]) => turn::answer(state, gateway, call, "turn").await,
        ("POST", ["v1", "chat"]) => turn::answer(state, gateway, call, "chat").await,
        ("POST", ["v1", "action"]) => action::answer(state, gateway, call).await,
        ("POST", ["v1", "sessions"]) => sessions::create(gateway, call),
        ("DELETE", ["v1", "sessions", id]) => sessions::delete(gateway, call, id),
        ("GET", ["v1", "breakers", "metrics"]) => Reply::data(Service::ApiGateway, "breakers.metrics", metrics(state, gateway)),
        ("GET", ["v1", "dead-letters"]) => {
            Reply::data(Service::ApiGateway, "dead_letters.list", lock(&gateway.dead_letters).list())
        }
        ("GET", ["v1", "dead-letters", id]) => match lock(&gateway.dead_letters).get(id) {
            Some(entry) => Reply::data(Service::ApiGateway, "dead_letters.get", json!(entry)),
            None => Reply::not_found("Dead letter not found"),
        },
        ("DELETE", ["v1", "dead-letters", id]) => {
            if lock(&gateway.dead_letters).remove(id) {
                Reply::data(Service::ApiGateway, "dead_letters.delete", json!({"id": id, "deleted": true}))
            } else {
                Reply::not_found("Dead letter not found")
            }
        }
        ("POST", ["v1", "dead-letters", id, "replay"]) => replay::answer(state, gateway, call, id).await,
        (_, ["status"] | ["v1", "deps" | "turn" | "chat" | "action" | "sessions" | "dead-letters"])
        | (_, ["v1", "breakers", "metrics"] | ["v1", "sessions" | "dead-letters", _])
        | (_, ["v1", "dead-letters", _, "replay"]) => Reply::method_not_allowed(),
        _ => return None,
    };
    Some(reply)
}

fn metrics(state: &State, gateway: &Gateway) -> serde_json::Value {
    let mut breakers = lock(&gateway.breakers);
    breakers.set_quarantine(state.faults().quarantine_ms);
    breakers.metrics()
}

/// `GET /status`: additional metrics. The seeds name the endpoint and no field.
fn status(state: &State, gateway: &Gateway) -> Reply {
    let open = metrics(state, gateway)["open"].clone();
    let data = json!({
        "version": state.config.version(),
        "pid": std::process::id(),
        "uptime_seconds": state.started.elapsed().as_secs(),
        "requests_total": state.requests(),
        "sessions_active": lock(&gateway.sessions).active(),
        "turns_total": gateway.turns(),
        "dlq_depth": lock(&gateway.dead_letters).depth(),
        "breakers_open": open,
    });
    Reply::data(Service::ApiGateway, "status", data)
}
