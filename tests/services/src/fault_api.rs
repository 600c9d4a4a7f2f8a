//! `/_fault`: reading, setting and clearing the faults of a running service.

use std::sync::Arc;

use serde_json::json;

use crate::call::Call;
use crate::effect;
use crate::fault::FaultSet;
use crate::reply::Reply;
use crate::state::State;

/// The path of the endpoint.
pub(crate) const PATH: &str = "/_fault";

/// Answers `GET`, `POST` and `DELETE`, each with the faults that are then in force.
pub(crate) async fn answer(state: &Arc<State>, call: &Call) -> Reply {
    match call.method.as_str() {
        "GET" => current(state),
        "POST" => {
            let patch = match call.object() {
                Ok(patch) => patch,
                Err(reply) => return reply,
            };
            let before = state.fault_set().clone();
            let faults = match before.merged(&patch) {
                Ok(set) => {
                    let faults = set.faults.clone();
                    *state.fault_set() = set;
                    faults
                }
                Err(message) => return Reply::invalid("body", "", &message),
            };
            match effect::apply(state, &faults, |key| patch.contains_key(key)).await {
                Ok(()) => current(state),
                Err(message) => {
                    // A lock that could not be taken must not be listed as held.
                    *state.fault_set() = before;
                    Reply::failure(409, state.options.service, "fault", "FAULT_NOT_APPLIED", &message)
                }
            }
        }
        "DELETE" => {
            *state.fault_set() = FaultSet::default();
            effect::clear(state);
            current(state)
        }
        _ => Reply::method_not_allowed(),
    }
}

fn current(state: &State) -> Reply {
    let keys = state.fault_set().keys.clone();
    Reply::json(200, &json!({"ok": true, "service": state.options.service.name(), "faults": keys}))
}
