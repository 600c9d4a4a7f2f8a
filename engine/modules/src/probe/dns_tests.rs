//! Tests of `dns`.

use std::io::{Read, Write};
use std::process::Command;

use hickory_proto::op::MessageType;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SRV, TXT};
use hickory_proto::rr::{RData, Record};
use serde_json::json;

use super::*;
use crate::support::testing::{TestHost, args, free_port, holds};

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// What the server of the tests knows.
fn known(asked: &Name, kind: RecordType) -> (ResponseCode, Vec<Record>) {
    let record = |of: &str, ttl: u32, data: RData| Record::from_rdata(name(of), ttl, data);
    let records = match (asked.to_string().as_str(), kind) {
        ("www.example.", RecordType::A) => vec![
            record("www.example.", 300, RData::CNAME(CNAME(name("host.example.")))),
            record("host.example.", 60, RData::A(A::new(10, 0, 0, 5))),
            record("host.example.", 30, RData::A(A::new(10, 0, 0, 4))),
        ],
        ("www.example.", RecordType::AAAA) => {
            vec![record("www.example.", 60, RData::AAAA(AAAA::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)))]
        }
        ("example.", RecordType::MX) => vec![record("example.", 60, RData::MX(MX::new(10, name("mail.example."))))],
        ("_ldap._tcp.example.", RecordType::SRV) => {
            vec![record("_ldap._tcp.example.", 60, RData::SRV(SRV::new(5, 0, 389, name("ldap.example."))))]
        }
        ("example.", RecordType::TXT) => {
            let long: Vec<String> = (0..20).map(|n| format!("{n:0>100}")).collect();
            vec![record("example.", 60, RData::TXT(TXT::new(long)))]
        }
        ("5.0.0.10.in-addr.arpa.", RecordType::PTR) => {
            vec![record("5.0.0.10.in-addr.arpa.", 60, RData::PTR(PTR(name("host.example."))))]
        }
        ("broken.example.", _) => return (ResponseCode::ServFail, Vec::new()),
        ("empty.example.", _) => Vec::new(),
        _ => return (ResponseCode::NXDomain, Vec::new()),
    };
    (ResponseCode::NoError, records)
}

fn answer(bytes: &[u8], most: usize) -> Vec<u8> {
    let mut message = Message::from_vec(bytes).unwrap();
    message.metadata.message_type = MessageType::Response;
    let query = message.queries[0].clone();
    (message.metadata.response_code, message.answers) = known(query.name(), query.query_type());
    let whole = message.to_vec().unwrap();
    if whole.len() <= most {
        return whole;
    }
    message.answers.clear();
    message.metadata.truncation = true;
    message.to_vec().unwrap()
}

/// A name server by UDP and TCP, as long as the test's process runs.
fn serve() -> String {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = tcp.local_addr().unwrap();
    let udp = std::net::UdpSocket::bind(at).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((n, from)) = udp.recv_from(&mut buffer) {
            // Something that answers no question of ours comes first.
            let _ = udp.send_to(b"noise", from);
            let _ = udp.send_to(&answer(&buffer[..n], 512), from);
        }
    });
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut question).unwrap();
            let answer = answer(&question, 65_535);
            stream.write_all(&[&(answer.len() as u16).to_be_bytes(), answer.as_slice()].concat()).unwrap();
        }
    });
    at.to_string()
}

async fn ask(json: serde_json::Value) -> Result<Out, Fault> {
    Dns::observe(&args(json), &TestHost::new().cx()).await
}

#[tokio::test]
async fn records_of_every_kind() {
    let server = serve();
    let out = ask(json!({ "name": "www.example", "type": "A", "server": server })).await.unwrap();
    assert_eq!(
        (out.found, out.rcode.as_deref(), out.records.as_slice()),
        (true, Some("NOERROR"), &["10.0.0.4".to_owned(), "10.0.0.5".to_owned()][..])
    );
    assert_eq!((out.answers.len(), out.answers[0].kind.as_str(), out.answers[0].data.as_str()), (3, "CNAME", "host.example."));
    assert_eq!(out.ttl, Some(Std::from_secs(30).into()));
    for (name, kind, record) in [
        ("example", "MX", "10 mail.example."),
        ("_ldap._tcp.example", "SRV", "5 0 389 ldap.example."),
        ("10.0.0.5", "PTR", "host.example."),
    ] {
        let out = ask(json!({ "name": name, "type": kind, "server": server })).await.unwrap();
        assert_eq!(out.records, [record], "{name} {kind}");
    }
    let out = ask(json!({ "name": "www.example", "server": server })).await.unwrap();
    assert_eq!(out.addresses, ["10.0.0.4", "10.0.0.5", "fd00::1"]);
}

#[tokio::test]
async fn a_long_answer_comes_by_tcp() {
    let server = serve();
    for transport in ["udp", "tcp"] {
        let out = ask(json!({ "name": "example", "type": "TXT", "server": server, "transport": transport })).await.unwrap();
        assert_eq!(out.records[0].len(), 2000, "{transport}");
    }
}

#[tokio::test]
async fn no_such_name_is_an_answer_with_a_name_of_its_own() {
    let server = serve();
    for (asked, rcode, word) in [
        ("gone.example", "NXDOMAIN", "there is no name"),
        ("empty.example", "NOERROR", "no such record"),
        ("broken.example", "SERVFAIL", "answered SERVFAIL"),
    ] {
        let out = ask(json!({ "name": asked, "type": "A", "server": server })).await.unwrap();
        assert_eq!((out.found, out.rcode.as_deref()), (false, Some(rcode)));
        assert!(out.error.as_deref().unwrap().contains(word) && !holds(Dns::VERDICT, &out), "{:?}", out.error);
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_no_such_name_least_of_all() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap().to_string();
    let fault = ask(json!({ "name": "a.example", "type": "A", "server": at, "timeout": "90ms" })).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Unmet { message, result } if message == "timed out after 90ms" && result["rcode"].is_null()),
        "{fault:?}"
    );
    // It was asked again, since datagrams get lost.
    silent.set_nonblocking(true).unwrap();
    let mut buffer = [0; 512];
    assert!(silent.recv(&mut buffer).is_ok() && silent.recv(&mut buffer).is_ok());
    let nobody = format!("127.0.0.1:{}", free_port());
    let fault = ask(json!({ "name": "a.example", "type": "A", "server": nobody, "timeout": "2s" })).await.unwrap_err();
    assert_eq!(fault.message(), "connection refused");
}

#[tokio::test]
async fn this_machine_is_known_without_a_server() {
    let out = ask(json!({ "name": "localhost" })).await.unwrap();
    assert!(out.addresses.contains(&"127.0.0.1".to_owned()), "{out:?}");
    assert_eq!((out.rcode, out.server), (None, None));
    let out = ask(json!({ "name": "127.0.0.1" })).await.unwrap();
    assert_eq!(out.records, ["127.0.0.1"]);
}

#[test]
fn name_servers_of_this_machine() {
    assert_eq!(
        first_server("# x\nsearch a\nnameserver fe80::1%eth0\nnameserver 10.0.0.1\n").unwrap().to_string(),
        "[fe80::1]:53"
    );
    assert_eq!(first_server("options x\nnameserver\n"), None);
}

#[tokio::test]
async fn t53_a_url_with_a_port_is_looked_up_by_its_host() {
    let url = "http://localhost:6333";
    // What the procedure does, with the hosts file in place of a ping.
    let naive = format!("getent -s hosts:files hosts \"$(echo '{url}' | sed 's|http://||' | sed 's|/.*||')\"");
    let naive = Command::new("sh").args(["-c", &naive]).output().unwrap();
    assert!(!naive.status.success() && naive.stdout.is_empty(), "{naive:?}");
    for text in ["http://localhost:6333", "https://localhost:6333/collections?x=1", "localhost:6333", "http://u:p@localhost/"] {
        let out = ask(json!({ "name": text })).await.unwrap();
        assert_eq!((out.found, out.name.as_str()), (true, "localhost"), "{text}");
    }
}

#[test]
fn nonsense_is_invalid() {
    for (bad, word) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "a b" }), "name"),
        (json!({ "name": "http://" }), "host"),
        (json!({ "name": "bücher.example" }), "xn--"),
        (json!({ "name": "a", "server": "ns.example" }), "address"),
        (json!({ "name": "10.0.0.5", "type": "A" }), "PTR"),
        (json!({ "name": format!("{}.example", "a".repeat(64)) }), "name"),
    ] {
        let fault = Dns::check(&args(bad.clone())).unwrap_err();
        assert!(matches!(&fault, Fault::Invalid { message, .. } if message.contains(word)), "{bad}: {fault:?}");
    }
}
