//! Tests of `websocket`.

use std::sync::OnceLock;

use serde_json::json;

use super::*;
use crate::support::test_server::Server;
use crate::support::testing::{TestHost, args, free_port, holds};

static SERVER: OnceLock<Option<runbook_servers::WebSocket>> = OnceLock::new();

fn url(path: &str) -> Option<String> {
    let server = SERVER.get_or_init(runbook_servers::WebSocket::start).as_ref()?;
    Some(format!("ws://127.0.0.1:{}{path}", server.port))
}

async fn ask(json: serde_json::Value) -> Result<Out, Fault> {
    WebSocket::observe(&args(json), &TestHost::new().cx()).await
}

#[tokio::test]
async fn it_connects_and_hangs_up() {
    let Some(url) = url("/silent") else { return };
    let out = ask(json!({ "url": url, "protocols": ["chat", "other"] })).await.unwrap();
    assert!(out.connected && out.complete && holds(WebSocket::VERDICT, &out));
    assert_eq!((out.status, out.count, out.close_code, out.protocol.as_deref()), (Some(101), 0, None, Some("chat")));
    assert!(out.headers.contains_key("sec-websocket-accept") && out.handshake.is_some());
}

#[tokio::test]
async fn what_is_sent_comes_back() {
    let Some(url) = url("/echo") else { return };
    let out =
        ask(json!({ "url": url, "send": ["one", "two"], "send_json": { "a": 1 }, "frames": 3, "ping": true })).await.unwrap();
    let texts: Vec<_> = out.frames.iter().map(|f| f.text.as_deref().unwrap()).collect();
    assert_eq!(texts, ["one", "two", r#"{"a":1}"#]);
    assert_eq!((out.first.as_deref(), out.frames[2].json["a"].as_i64(), out.count), (Some("one"), Some(1), 3));
    assert!(out.ping.is_some() && out.complete);
}

#[tokio::test]
async fn the_first_frame_is_read_as_json() {
    let Some(url) = url("/greet") else { return };
    let out = ask(json!({ "url": url, "frames": 1 })).await.unwrap();
    assert!(holds("json.hello == 'world'", &out), "{out:?}");
}

#[tokio::test]
async fn too_few_frames_in_time() {
    let Some(url) = url("/greet") else { return };
    let out = ask(json!({ "url": url, "frames": 2, "timeout": "200ms" })).await.unwrap();
    assert_eq!((out.connected, out.complete, out.count), (true, false, 1));
    assert_eq!(out.error.as_deref(), Some("timed out after 200ms, with 1 of 2 frames"));
    assert!(!holds(WebSocket::VERDICT, &out));
}

#[tokio::test]
async fn a_connection_is_held() {
    let Some(url) = url("/count") else { return };
    let out = ask(json!({ "url": url, "frames": 2, "hold_for": "100ms" })).await.unwrap();
    assert!(out.complete && out.count >= 2, "{out:?}");
    assert!(out.open_for.unwrap().to_std() >= Std::from_millis(100));
}

#[tokio::test]
async fn a_server_that_closes_says_why() {
    let Some(bye) = url("/bye") else { return };
    let out = ask(json!({ "url": bye, "hold_for": "10s" })).await.unwrap();
    assert_eq!((out.complete, out.close_code, out.close_reason.as_deref()), (false, Some(4001), Some("maintenance")));
    assert!(
        out.error.as_deref().unwrap().starts_with("the server closed the connection (code 4001: maintenance) after "),
        "{out:?}"
    );
    assert!(holds("close_code == 4001 and first == 'bye'", &out));
    let out = ask(json!({ "url": url("/drop").unwrap(), "hold_for": "10s" })).await.unwrap();
    assert_eq!((out.connected, out.complete, out.close_code), (true, false, Some(1006)));
}

#[tokio::test]
async fn a_refused_upgrade_is_no_connection() {
    let Some(token) = url("/token") else { return };
    for (path, args, word) in [
        ("/nowhere", json!({}), "answered 404 to the upgrade: nothing here"),
        ("/token", json!({}), "answered 401 to the upgrade: no token"),
        ("/token", json!({ "bearer": "wr0ng" }), "answered 401"),
    ] {
        let mut args = args;
        args["url"] = json!(url(path).unwrap());
        let Fault::Unmet { message, result } = ask(args).await.unwrap_err() else { panic!("{path}") };
        assert!(message.contains(word), "{message}");
        assert!(result["status"].as_u64().is_some() && result["connected"] == false);
        assert!(!message.contains("wr0ng"));
    }
    let out = ask(json!({ "url": token, "bearer": "t0ken", "send": "x" })).await.unwrap();
    assert!(out.complete);
    // A web server that knows no WebSocket.
    let server = Server::start(Server::ok);
    let fault = ask(json!({ "url": format!("ws://127.0.0.1:{}/", server.port) })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("answered 200")), "{fault:?}");
    let fault = ask(json!({ "url": format!("ws://127.0.0.1:{}/", free_port()) })).await.unwrap_err();
    assert_eq!(fault.message(), "connection refused");
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", silent.local_addr().unwrap());
    let fault = ask(json!({ "url": url, "timeout": "50ms" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message == "timed out after 50ms"), "{fault:?}");
    let url = url.replace("ws://", "wss://");
    let fault = ask(json!({ "url": url, "timeout": "50ms", "insecure": true })).await.unwrap_err();
    assert_eq!(fault.message(), "timed out after 50ms");
}

#[test]
fn nonsense_is_invalid() {
    for (bad, word) in [
        (json!({ "url": "http://h/" }), "ws://"),
        (json!({ "url": "ws://" }), "URL"),
        (json!({ "url": "ws://u:p@h/" }), "basic"),
        (json!({ "url": "ws://h/", "headers": { "upgrade": "x" } }), "upgrade"),
        (json!({ "url": "ws://h/", "protocols": "a\n" }), "protocol"),
        (json!({ "url": "ws://h/", "bearer": "a", "basic": { "user": "u" } }), "either"),
    ] {
        let fault = WebSocket::check(&args(bad.clone())).unwrap_err();
        assert!(matches!(&fault, Fault::Invalid { message, .. } if message.contains(word)), "{bad}: {fault:?}");
    }
}
