//! The handshake, and the conversation that follows it.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use crate::console;
use crate::gateway::reply_text;
use crate::reply::Reply;
use crate::service::Service;
use crate::state::{State, lock};
use crate::ws::frame::{self, Kind, Message};
use crate::ws::sha1;

/// The constant of RFC 6455 that proves that the server speaks WebSocket.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The close code of a service that restarts.
const RESTART: u16 = 1012;
/// The close code of a normal end.
const NORMAL: u16 = 1000;

/// Whether a request asks for a WebSocket.
pub(crate) fn is_upgrade(request: &Request<Incoming>) -> bool {
    let upgrade = request.headers().get("upgrade").and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// Answers the handshake and leaves the conversation to a task of its own; 403 where there is no such session.
pub(crate) fn accept(state: &Arc<State>, peer: SocketAddr, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let key = request.headers().get("sec-websocket-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let (Some(key), Some(session)) = (key, session(state, &path)) else {
        console::info(&format!("{peer} - \"WebSocket {path}\" 403"));
        console::info("connection rejected (403 Forbidden)");
        return Reply::text(403, "").into_response("uvicorn", "");
    };
    console::info(&format!("{peer} - \"WebSocket {path}\" [accepted]"));
    let state = Arc::clone(state);
    let upgrade = hyper::upgrade::on(&mut request);
    // Subscribed here, so that a stop between the answer and the upgrade is not missed.
    let stop = state.stop.subscribe();
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            console::info("connection open");
            // A client that goes away without a word is nothing to report.
            let _ = converse(&state, stop, TokioIo::new(upgraded), &session).await;
            console::info("connection closed");
        }
    });
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert("upgrade", HeaderValue::from_static("websocket"));
    headers.insert("connection", HeaderValue::from_static("Upgrade"));
    let accept = sha1::base64(&sha1::digest(format!("{key}{MAGIC}").as_bytes()));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert("sec-websocket-accept", accept);
    }
    response
}

/// The session that a path names, if the service has it.
fn session(state: &State, path: &str) -> Option<String> {
    match state.options.service {
        Service::Pipecat => path.strip_prefix("/ws/").filter(|id| lock(&state.voice).contains(*id)),
        Service::ApiGateway => {
            let gateway = state.gateway.as_ref()?;
            path.strip_prefix("/v1/stream/").filter(|id| gateway.has_session(id))
        }
        _ => None,
    }
    .map(str::to_owned)
}

async fn converse(
    state: &State,
    mut stop: tokio::sync::watch::Receiver<bool>,
    mut stream: TokioIo<Upgraded>,
    session: &str,
) -> std::io::Result<()> {
    loop {
        let message = tokio::select! {
            message = frame::read(&mut stream) => Some(message?),
            _ = stop.wait_for(|stopping| *stopping) => None,
        };
        let Some(message) = message else {
            return frame::write(&mut stream, Kind::Close, &RESTART.to_be_bytes()).await;
        };
        match message {
            Message::Text(text) => {
                let answer = answer(state, session, &text).to_string();
                frame::write(&mut stream, Kind::Text, answer.as_bytes()).await?;
            }
            // Sound: the stand-in has no ears, and is silent as a voice service is until a turn is over.
            Message::Binary(_) | Message::Pong => {}
            Message::Ping(payload) => frame::write(&mut stream, Kind::Pong, &payload).await?,
            Message::Close => {
                return frame::write(&mut stream, Kind::Close, &NORMAL.to_be_bytes()).await;
            }
        }
    }
}

/// The answer to an event: `RESPONSE` to a `MESSAGE` with a text, `ERROR` to everything else.
fn answer(state: &State, session: &str, text: &str) -> Value {
    let event: Value = serde_json::from_str(text).unwrap_or_default();
    let service = state.options.service.name();
    match (event["type"].as_str(), event["data"]["text"].as_str()) {
        (Some("MESSAGE"), Some(text)) => {
            json!({"type": "RESPONSE", "service": service, "session_id": session, "data": {"text": reply_text(text)}})
        }
        _ => {
            json!({"type": "ERROR", "service": service, "session_id": session, "data": {"message": "expected a MESSAGE event with data.text"}})
        }
    }
}
