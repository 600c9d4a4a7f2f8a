//! Starting and stopping.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

use crate::support::{Root, Service, free_port, is_open};

#[test]
fn starts_and_stops_in_uvicorn_s_words() {
    let root = Root::new();
    let mut service = Service::start("eva-os", &root.0);
    let (status, body) = service.get("/healthz?x=1");
    assert_eq!(status, 200);
    assert_eq!((&body["ok"], &body["service"]), (&json!(true), &json!("eva-os")));
    assert_eq!(body["timestamp"].as_str().expect("a time").len(), 24);
    let line = service.output_line();
    assert!(line.starts_with("INFO:     127.0.0.1:"), "{line}");
    assert!(line.ends_with(" - \"GET /healthz?x=1 HTTP/1.1\" 200 OK\n"), "{line}");
    service.signal("TERM");
    assert_eq!(service.end(), Some(0));
    let (pid, port) = (service.child.id(), service.port);
    assert_eq!(
        service.errors,
        format!(
            "INFO:     Started server process [{pid}]\n\
             INFO:     Waiting for application startup.\n\
             INFO:     Application startup complete.\n\
             INFO:     Uvicorn running on http://127.0.0.1:{port} (Press CTRL+C to quit)\n\
             INFO:     Shutting down\n\
             INFO:     Waiting for application shutdown.\n\
             INFO:     Application shutdown complete.\n\
             INFO:     Finished server process [{pid}]\n"
        )
    );
    assert!(!is_open(port));
}

#[test]
fn binds_only_after_the_start_up_delay() {
    let root = Root::new();
    let mut service = Service::spawn("perception", &root.0, free_port(), &["--startup-delay", "300"]);
    service.wait_for("Waiting for application startup.");
    assert!(!is_open(service.port));
    service.wait_for("Uvicorn running on");
    assert!(is_open(service.port));
}

#[test]
fn a_signal_during_the_start_stops() {
    let root = Root::new();
    let mut service = Service::spawn("perception", &root.0, free_port(), &["--startup-delay", "60000"]);
    service.wait_for("Waiting for application startup.");
    service.signal("INT");
    assert_eq!(service.end(), Some(0));
    assert!(!service.errors.contains("Uvicorn running"));
}

#[test]
fn a_port_in_use_is_said_as_uvicorn_says_it() {
    let root = Root::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut service = Service::spawn("pipecat", &root.0, port, &[]);
    assert_eq!(service.end(), Some(1));
    let expected =
        format!("ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', {port}): address already in use\n");
    assert!(service.errors.contains(&expected), "{}", service.errors);
}

#[test]
fn a_slow_stop_releases_the_port_first() {
    let root = Root::new();
    let mut service = Service::start_at("openclaw", &root.0, free_port(), &["--stop-delay", "60000"]);
    service.signal("TERM");
    service.wait_for("Waiting for application shutdown.");
    assert!(!is_open(service.port));
    assert!(service.child.try_wait().expect("a state").is_none());
    service.signal("INT");
    assert_eq!(service.end(), Some(0), "a SIGINT forces the end");
}

#[test]
fn an_ignored_signal_changes_nothing() {
    let root = Root::new();
    let mut service = Service::start_at("openclaw", &root.0, free_port(), &["--ignore-term"]);
    service.signal("TERM");
    service.signal("INT");
    assert_eq!(service.get("/healthz").0, 200);
    service.fault(json!({"ignore_term": false}));
    service.signal("TERM");
    assert_eq!(service.end(), Some(0));
}

#[test]
fn a_hanging_request_does_not_keep_it_alive() {
    let root = Root::new();
    let mut service = Service::start("eva-os", &root.0);
    service.fault(json!({"hang": true}));
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).expect("a connection");
    write!(stream, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").expect("a sent request");
    // Answered after the request before it was taken up.
    assert_eq!(service.get("/_fault").0, 200);
    service.signal("TERM");
    assert_eq!(service.end(), Some(0));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty());
}

#[test]
fn the_command_line_is_checked() {
    let root = Root::new();
    let mut service = Service::spawn("eva-os", &root.0, 7050, &["--nonsense"]);
    assert_eq!(service.end(), Some(2));
    assert!(service.errors.starts_with("error: unknown argument `--nonsense`\nusage: "), "{}", service.errors);
}
