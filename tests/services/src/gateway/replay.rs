//! `POST /v1/dead-letters/{id}/replay`: the call once more, or only the question whether it would work.

use std::time::Duration;

use serde_json::json;

use crate::call::Call;
use crate::client;
use crate::clock;
use crate::gateway::core::Failure;
use crate::gateway::dead_letters::DeadLetter;
use crate::gateway::{Gateway, action};
use crate::reply::{MISSING, Reply};
use crate::service::Service;
use crate::state::{State, lock};

const OPERATION: &str = "dead_letters.replay";

/// Answers the endpoint; `dry_run` has no default, because a replay repeats what the call does.
pub(super) async fn answer(state: &State, gateway: &Gateway, call: &Call, id: &str) -> Reply {
    let dry_run = match call.query("dry_run") {
        Some("true") => true,
        Some("false") => false,
        Some(_) => return Reply::invalid("query", "dry_run", "Input should be a valid boolean"),
        None => return Reply::invalid("query", "dry_run", MISSING),
    };
    let Some(entry) = lock(&gateway.dead_letters).get(id) else {
        return Reply::not_found("Dead letter not found");
    };
    if dry_run {
        let obstacle = obstacle(state, gateway, call, &entry).await;
        let data = json!({"id": id, "dry_run": true, "would_succeed": obstacle.is_none(), "reason": obstacle});
        return Reply::data(Service::ApiGateway, OPERATION, data);
    }
    match replay(state, gateway, call, &entry).await {
        Ok(()) => {
            lock(&gateway.dead_letters).remove(id);
            Reply::data(Service::ApiGateway, OPERATION, json!({"id": id, "dry_run": false, "replayed": true}))
        }
        Err((class, message)) => {
            lock(&gateway.dead_letters).failed_again(id, &message);
            gateway.record(&Failure {
                correlation: &call.correlation,
                session: None,
                class: &class,
                capability: &entry.capability,
                message: &message,
            });
            Reply::failure(502, Service::ApiGateway, OPERATION, &class, &message)
        }
    }
}

/// What would make a replay fail, as far as can be told without doing it.
async fn obstacle(state: &State, gateway: &Gateway, call: &Call, entry: &DeadLetter) -> Option<String> {
    if entry.replayable == Some(false) {
        return Some(format!("{} again: the entry cannot be replayed", entry.failure_class));
    }
    {
        let mut breakers = lock(&gateway.breakers);
        breakers.set_quarantine(state.faults().quarantine_ms);
        if breakers.admit(&entry.capability).is_err() {
            return Some(format!("circuit breaker for {} is OPEN", entry.capability));
        }
        if breakers.is_broken(&entry.capability) {
            return Some(format!("{} still fails", entry.capability));
        }
    }
    if entry.replayable.is_some() {
        return None;
    }
    if entry.failure_class == "POLICY_DENIED" {
        return Some("the policy would deny it again".to_owned());
    }
    let openclaw = state.config.address(Service::Openclaw);
    let limit = Duration::from_secs(2);
    match client::request(&openclaw, "GET", "/healthz", &call.correlation, None, limit).await {
        Ok((200, _)) => None,
        Ok((status, _)) => Some(format!("openclaw answers {status}")),
        Err(error) => Some(format!("openclaw: {error}")),
    }
}

async fn replay(state: &State, gateway: &Gateway, call: &Call, entry: &DeadLetter) -> Result<(), (String, String)> {
    match entry.replayable {
        // Injected entries name no real call: their outcome is part of the fault.
        Some(true) => {
            gateway.journal.tools(&json!({
                "timestamp": clock::now(),
                "correlation_id": call.correlation,
                "capability": entry.capability,
                "args": entry.args,
                "result": {"replayed": entry.id},
                "safety_tier": crate::small::tier(&entry.capability),
            }));
            Ok(())
        }
        Some(false) => Err((entry.failure_class.clone(), "the replay failed as the call did".to_owned())),
        None => {
            let done = action::execute(state, gateway, &call.correlation, &entry.capability, &entry.args).await;
            done.map(|_| ()).map_err(|(class, message)| (class.to_owned(), message))
        }
    }
}
