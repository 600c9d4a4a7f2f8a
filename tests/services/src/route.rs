//! From a request to its answer: faults first, then the service's own endpoints.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use serde_json::json;

use crate::call::Call;
use crate::reply::Reply;
use crate::service::Service;
use crate::state::State;
use crate::{clock, console, fault_api, gateway, memory, python, small, ws};

/// The longest body that is read, in bytes.
const BODY_LIMIT: usize = 1 << 20;

/// Answers one request. An error closes the connection without an answer.
pub(crate) async fn handle(
    state: Arc<State>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> std::io::Result<Response<Full<Bytes>>> {
    let began = Instant::now();
    let service = state.options.service;
    let server = if service == Service::Ollama { "ollama" } else { "uvicorn" };
    let path = request.uri().path().to_owned();
    if path != fault_api::PATH {
        state.count_request();
        suffer(&state, &path).await?;
    }
    if ws::is_upgrade(&request) {
        return Ok(ws::accept(&state, peer, request));
    }
    let method = request.method().as_str().to_owned();
    let target = request.uri().path_and_query().map_or_else(|| path.clone(), ToString::to_string);
    let correlation = request.headers().get("x-correlation-id").and_then(|value| value.to_str().ok());
    let correlation = correlation.map(str::to_owned);
    let body = match Limited::new(request.into_body(), BODY_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Err(std::io::Error::other(error)),
    };
    let call = Call::new(&method, &target, correlation.as_deref(), body);
    let reply = if path == fault_api::PATH {
        fault_api::answer(&state, &call).await
    } else {
        let reply = answer(&state, &call).await;
        console::access(service, peer, &method, &target, reply.status, began.elapsed());
        reply
    };
    Ok(reply.into_response(server, &call.correlation))
}

/// Lets the faults `hang` and `slow_ms` have their way with a request.
async fn suffer(state: &State, path: &str) -> std::io::Result<()> {
    let faults = state.faults();
    if !faults.concern(path) {
        return Ok(());
    }
    if faults.hang {
        let _ = state.stop.subscribe().wait_for(|stopping| *stopping).await;
        return Err(std::io::ErrorKind::ConnectionAborted.into());
    }
    if faults.slow_ms > 0 {
        tokio::time::sleep(Duration::from_millis(faults.slow_ms)).await;
    }
    Ok(())
}

async fn answer(state: &Arc<State>, call: &Call) -> Reply {
    let service = state.options.service;
    let segments: Vec<&str> = call.path.split('/').filter(|segment| !segment.is_empty()).collect();
    if service == Service::Ollama {
        return small::ollama(state, call, &segments);
    }
    if segments == ["healthz"] {
        return if call.method == "GET" { health(state).await } else { Reply::method_not_allowed() };
    }
    let reply = match service {
        Service::ApiGateway => gateway::answer(state, call, &segments).await,
        Service::MemoryEngine => memory::answer(state, call, &segments).await,
        Service::ModelRouter => small::model_router(state, call, &segments).await,
        Service::Pipecat => small::pipecat(state, call, &segments),
        Service::Openclaw => small::openclaw(state, call, &segments).await,
        Service::EvaOs => small::eva_os(call, &segments),
        Service::VisionCapture | Service::Perception | Service::Ollama => None,
    };
    reply.unwrap_or_else(|| Reply::not_found("Not Found"))
}

/// `GET /healthz`: the fault if there is one, then what the service cannot work without.
async fn health(state: &Arc<State>) -> Reply {
    let faults = state.faults();
    let service = state.options.service;
    let mut exception = None;
    if let Some(status) = faults.health_status {
        if status < 500 {
            return Reply::json(status, &json!({"ok": status < 400, "service": service.name(), "timestamp": clock::now()}));
        }
        exception = Some((status, "RuntimeError: injected health failure".to_owned()));
    } else if service == Service::MemoryEngine {
        // The triage tree of the seeds expects a locked or missing database behind a failing health check.
        exception = memory::check(state).await.err().map(|error| (500, error.exception()));
    } else if faults.ollama_required {
        exception = small::check_ollama(state).await.err().map(|message| (500, message));
    }
    match exception {
        None => Reply::json(200, &json!({"ok": true, "service": service.name(), "timestamp": clock::now()})),
        Some((status, exception)) => {
            console::error_text(&python::in_request(&state.options, "healthz", &exception));
            if status == 500 { Reply::internal_error() } else { Reply::text(status, "Service Unavailable") }
        }
    }
}
