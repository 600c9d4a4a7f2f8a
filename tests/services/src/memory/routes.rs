//! The endpoints of memory-engine.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::call::{self, Call};
use crate::fault::MemoryRows;
use crate::memory::database::{DbError, Memory};
use crate::memory::rank::rank;
use crate::reply::{MISSING, Reply};
use crate::service::Service;
use crate::state::State;
use crate::{console, python};

/// The number of results unless the caller gives one.
const LIMIT: usize = 10;

/// Answers a request, or returns nothing when the path is not memory-engine's.
pub(crate) async fn answer(state: &Arc<State>, call: &Call, segments: &[&str]) -> Option<Reply> {
    match (call.method.as_str(), segments) {
        ("GET", ["v1", "memory", "search"]) => Some(like(state, call).await),
        ("POST", ["v1", "memory", "search"]) => Some(ranked(state, call).await),
        ("POST", ["v1", "memory", "store"]) => Some(store(state, call).await),
        (_, ["v1", "memory", "search" | "store"]) => Some(Reply::method_not_allowed()),
        _ => None,
    }
}

/// `GET /v1/memory/search?query=X&limit=10&user_id=U`: a literal substring.
async fn like(state: &Arc<State>, call: &Call) -> Reply {
    let Some(query) = call.query("query").map(str::to_owned) else {
        return Reply::invalid("query", "query", MISSING);
    };
    let limit = match call.query("limit").map(str::parse).transpose() {
        Ok(limit) => limit.unwrap_or(LIMIT),
        Err(_) => return Reply::invalid("query", "limit", "Input should be a valid integer"),
    };
    let user = call.query("user_id").map(str::to_owned);
    let found = run(state, move |memory| memory.like(&query, user.as_deref(), limit)).await;
    finish(state, "memory.search", found.map(|rows| json!({"results": rows, "count": rows.len()})))
}

/// `POST /v1/memory/search` with `query`, and optionally `limit` and `user_id`: ranked by BM25.
async fn ranked(state: &Arc<State>, call: &Call) -> Reply {
    let body = match call.object() {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let query = match call::text(&body, "query") {
        Ok(query) => query.to_owned(),
        Err(reply) => return reply,
    };
    let limit = body.get("limit").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    let user = body.get("user_id").and_then(Value::as_str).map(str::to_owned);
    let found = run(state, move |memory| Ok(rank(&query, memory.live(user.as_deref())?, limit.unwrap_or(LIMIT)))).await;
    let data = found.map(|ranked| {
        let results: Vec<Value> = ranked
            .iter()
            .map(|(row, score)| {
                json!({"id": row.id, "user_id": row.user_id, "text": row.text, "created_at": row.created_at, "score": score})
            })
            .collect();
        json!({"results": results, "count": results.len()})
    });
    finish(state, "memory.search", data)
}

/// `POST /v1/memory/store` with `user_id` and `text`: internal, for the gateway's turns.
async fn store(state: &Arc<State>, call: &Call) -> Reply {
    let body = match call.object() {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let (user, text) = match (call::text(&body, "user_id"), call::text(&body, "text")) {
        (Ok(user), Ok(text)) => (user.to_owned(), text.to_owned()),
        (Err(reply), _) | (_, Err(reply)) => return reply,
    };
    let stored = run(state, move |memory| memory.store(&user, &text)).await;
    finish(state, "memory.store", stored.map(|id| json!({"id": id})))
}

/// Finds out whether the database is there and not locked.
pub(crate) async fn check(state: &Arc<State>) -> Result<(), DbError> {
    run(state, Memory::check).await
}

/// The fault `memory_rows`; the error says why the rows are as they were.
pub(crate) async fn set_rows(state: &Arc<State>, rows: MemoryRows) -> Result<(), String> {
    if state.memory.is_none() {
        return Ok(());
    }
    run(state, move |memory| memory.set_rows(rows)).await.map_err(|error| error.to_string())
}

/// Runs database work where it may block without holding up the other requests.
async fn run<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&Memory) -> Result<T, DbError> + Send + 'static,
) -> Result<T, DbError> {
    let Some(memory) = state.memory.clone() else {
        return Err(DbError::Missing);
    };
    match tokio::task::spawn_blocking(move || work(&memory)).await {
        Ok(done) => done,
        Err(error) => Err(DbError::Io(std::io::Error::other(error))),
    }
}

/// The envelope, or FastAPI's answer to an exception with its traceback on standard error.
fn finish(state: &State, operation: &str, data: Result<Value, DbError>) -> Reply {
    match data {
        Ok(data) => Reply::data(Service::MemoryEngine, operation, data),
        Err(error) => {
            let handler = operation.replace('.', "_");
            console::error_text(&python::in_request(&state.options, &handler, &error.exception()));
            Reply::internal_error()
        }
    }
}
