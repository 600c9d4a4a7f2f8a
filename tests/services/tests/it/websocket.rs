//! The voice session of pipecat.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Root, Service};

fn connect(port: u16, path: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .expect("a sent request");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    (String::from_utf8(head).expect("text"), stream)
}

fn send(stream: &mut TcpStream, opcode: u8, payload: &[u8]) {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![0x80 | opcode, 0x80 | u8::try_from(payload.len()).expect("a short payload")];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    stream.write_all(&frame).expect("a sent frame");
}

fn receive(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).expect("a frame");
    let mut length = usize::from(head[1]);
    if length == 126 {
        let mut long = [0; 2];
        stream.read_exact(&mut long).expect("a length");
        length = usize::from(u16::from_be_bytes(long));
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).expect("a payload");
    (head[0] & 0x0f, payload)
}

#[test]
fn a_conversation() {
    let root = Root::new();
    let mut service = Service::start("pipecat", &root.0);
    let (_, body) = service.post("/session/start", json!({}));
    let session = body["data"]["session_id"].as_str().expect("a session");
    let (head, mut stream) = connect(service.port, &format!("/ws/{session}"));
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");

    send(&mut stream, 0x1, br#"{"type":"MESSAGE","data":{"text":"Hello, how are you?"}}"#);
    let (opcode, payload) = receive(&mut stream);
    let answer: Value = serde_json::from_slice(&payload).expect("JSON");
    assert_eq!((opcode, &answer["type"], &answer["session_id"]), (1, &json!("RESPONSE"), &json!(session)));
    assert_eq!(answer["data"]["text"], "I have heard you say: Hello, how are you?");
    send(&mut stream, 0x9, b"hi");
    assert_eq!(receive(&mut stream), (0xA, b"hi".to_vec()));
    send(&mut stream, 0x1, b"nonsense");
    let (_, payload) = receive(&mut stream);
    assert!(String::from_utf8_lossy(&payload).contains("ERROR"));

    service.signal("TERM");
    assert_eq!(receive(&mut stream), (0x8, 1012_u16.to_be_bytes().to_vec()), "a stopping service says goodbye");
    drop(stream);
    assert_eq!(service.end(), Some(0));
}

#[test]
fn an_unknown_session_is_refused() {
    let root = Root::new();
    let service = Service::start("pipecat", &root.0);
    let (head, _) = connect(service.port, "/ws/nobody");
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}
