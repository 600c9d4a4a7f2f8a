//! Sessions: created, deleted, and run out after their time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::call::Call;
use crate::clock;
use crate::gateway::Gateway;
use crate::reply::Reply;
use crate::service::Service;
use crate::state::lock;

/// How long a session lives. Not from the seeds, which only say that there is such a time.
const TTL: Duration = Duration::from_secs(1800);
/// The user of a call that names none.
pub(super) const ANONYMOUS: &str = "user_demo";

/// The sessions that live, each with its user and its beginning.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<String, (String, Instant)>);

impl Sessions {
    /// The number of sessions that live.
    pub(super) fn active(&self) -> usize {
        self.0.len()
    }

    /// The user of a session that lives.
    pub(super) fn user(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(|(user, _)| user.as_str())
    }
}

/// Begins a session and writes so.
pub(super) fn begin(gateway: &Gateway, correlation: &str, user: &str) -> String {
    expire(gateway, correlation);
    let id = clock::id("sess");
    lock(&gateway.sessions).0.insert(id.clone(), (user.to_owned(), Instant::now()));
    log(gateway, "create", correlation, &id, user);
    id
}

/// `POST /v1/sessions`, with an optional `user_id`.
pub(super) fn create(gateway: &Gateway, call: &Call) -> Reply {
    let body = match call.object() {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let user = body.get("user_id").and_then(Value::as_str).unwrap_or(ANONYMOUS);
    let id = begin(gateway, &call.correlation, user);
    let data = json!({"session_id": id, "user_id": user, "created_at": clock::now(), "ttl_seconds": TTL.as_secs()});
    Reply::data(Service::ApiGateway, "sessions.create", data)
}

/// `DELETE /v1/sessions/{id}`.
pub(super) fn delete(gateway: &Gateway, call: &Call, id: &str) -> Reply {
    expire(gateway, &call.correlation);
    match lock(&gateway.sessions).0.remove(id) {
        Some((user, _)) => {
            log(gateway, "delete", &call.correlation, id, &user);
            Reply::data(Service::ApiGateway, "sessions.delete", json!({"session_id": id, "deleted": true}))
        }
        None => Reply::not_found("Session not found"),
    }
}

/// Removes what has outlived its time; done when somebody comes by, which saves a timer.
fn expire(gateway: &Gateway, correlation: &str) {
    let mut sessions = lock(&gateway.sessions);
    sessions.0.retain(|id, (user, began)| {
        let lives = began.elapsed() < TTL;
        if !lives {
            log(gateway, "ttl_expiry", correlation, id, user);
        }
        lives
    });
}

fn log(gateway: &Gateway, event: &str, correlation: &str, session: &str, user: &str) {
    gateway.journal.sessions(&json!({
        "timestamp": clock::now(),
        "correlation_id": correlation,
        "session_id": session,
        "user_id": user,
        "event": event,
    }));
}
