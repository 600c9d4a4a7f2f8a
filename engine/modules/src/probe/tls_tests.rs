//! Tests of `tls`.

use std::io::{BufRead, BufReader, Write};
use std::sync::OnceLock;

use runbook_servers::Nginx;
use serde_json::json;

use super::*;
use crate::support::testing::{TestHost, args, free_port, holds};

static NGINX: OnceLock<Option<Nginx>> = OnceLock::new();

fn nginx() -> Option<&'static Nginx> {
    NGINX.get_or_init(Nginx::start).as_ref()
}

async fn ask(json: serde_json::Value) -> Result<Out, Fault> {
    let host = TestHost::new();
    host.write("plain.pem", "no certificate");
    Tls::observe(&args(json), &host.cx()).await
}

#[tokio::test]
async fn a_good_certificate() {
    let Some(nginx) = nginx() else { return };
    let out = ask(json!({ "address": format!("localhost:{}", nginx.good), "ca_file": nginx.ca })).await.unwrap();
    assert!(out.valid && holds(Tls::VERDICT, &out), "{out:?}");
    assert_eq!((out.trusted, out.name_matches, out.days_left), (Some(true), Some(true), Some(90)));
    assert_eq!((out.subject.as_deref(), out.issuer.as_deref()), (Some("CN=good"), Some("CN=Test authority")));
    assert_eq!(out.names, ["localhost", "127.0.0.1"]);
    assert_eq!((out.version.as_deref(), out.chain.len()), (Some("1.3"), 2));
    assert!(out.cipher.unwrap().starts_with("TLS_"));
    assert!(!out.chain[0].self_signed && out.chain[1].self_signed && out.chain[0].key == "EC 256", "{:?}", out.chain);
    assert_eq!(out.address, Some(format!("127.0.0.1:{}", nginx.good)));
}

#[tokio::test]
async fn days_left_are_those_of_openssl() {
    let Some(nginx) = nginx() else { return };
    for (port, days) in [(nginx.soon, 5), (nginx.good, 90), (nginx.expired, -3)] {
        let out = ask(json!({ "address": format!("127.0.0.1:{port}"), "ca_file": nginx.ca })).await.unwrap();
        assert_eq!(out.days_left, Some(days));
        let script = format!("openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null | openssl x509 -noout -enddate");
        let told = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let year = out.not_after.unwrap().0.to_string()[..4].to_owned();
        assert!(told.contains(&year), "{told}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_shown_and_not_valid() {
    let Some(nginx) = nginx() else { return };
    for (port, ca, trusted_name, word) in [
        (nginx.expired, true, true, "it expired at 20"),
        (nginx.other, true, false, "it is not for `localhost` but for other.example"),
        (nginx.good, false, true, "nobody that is trusted here has signed it"),
    ] {
        let mut json = json!({ "address": format!("localhost:{port}") });
        if ca {
            json["ca_file"] = json!(nginx.ca);
        }
        let out = ask(json).await.unwrap();
        assert!(!out.valid && !holds(Tls::VERDICT, &out));
        assert_eq!((out.trusted, out.name_matches), (Some(false), Some(trusted_name)));
        assert!(out.error.as_deref().unwrap().contains(word), "{:?}", out.error);
        assert!(out.version.is_some() && out.cipher.is_some());
    }
    let out =
        ask(json!({ "address": format!("localhost:{}", nginx.other), "ca_file": nginx.ca, "server_name": "other.example" }))
            .await;
    assert!(out.unwrap().valid);
}

#[tokio::test]
async fn nobody_and_no_tls() {
    let fault = ask(json!({ "address": format!("127.0.0.1:{}", free_port()) })).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Unmet { message, result } if message == "connection refused" && result["valid"] == false),
        "{fault:?}"
    );
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let fault = ask(json!({ "address": address, "timeout": "50ms" })).await.unwrap_err();
    assert_eq!(fault.message(), "timed out after 50ms");
    let Some(nginx) = nginx() else { return };
    let fault = ask(json!({ "address": format!("127.0.0.1:{}", nginx.http) })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("does not speak TLS")), "{fault:?}");
}

#[tokio::test]
async fn a_file_is_looked_at_without_a_server() {
    let Some(nginx) = nginx() else { return };
    let chain = nginx.ca.with_file_name("soon.pem");
    let out = ask(json!({ "file": chain })).await.unwrap();
    assert_eq!((out.valid, out.trusted, out.days_left, out.chain.len()), (true, None, Some(5), 2));
    let out = ask(json!({ "file": chain, "server_name": "localhost", "ca_file": nginx.ca })).await.unwrap();
    assert_eq!((out.valid, out.trusted, out.name_matches), (true, Some(true), Some(true)));
    let out = ask(json!({ "file": chain, "server_name": "api.example", "ca_file": nginx.ca })).await.unwrap();
    assert_eq!((out.valid, out.trusted, out.name_matches), (false, Some(false), Some(false)));
    let out = ask(json!({ "file": nginx.ca.with_file_name("expired.pem") })).await.unwrap();
    assert!(!out.valid && out.error.unwrap().contains("expired at"));
    for (file, word) in [("gone.pem", "no such file"), ("plain.pem", "no certificate in PEM")] {
        let fault = ask(json!({ "file": file })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(word)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_mail_server_begins_tls_after_a_few_words() {
    let Some(server) = runbook_servers::Mail::start() else { return };
    let out =
        ask(json!({ "address": format!("localhost:{}", server.port), "starttls": "smtp", "ca_file": server.ca })).await.unwrap();
    assert_eq!((out.valid, out.days_left, out.subject.as_deref()), (true, Some(30), Some("CN=mail")));
}

/// A mail server that says no, or something that is none.
fn says(lines: &'static [&'static str]) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for said in lines {
            let _ = stream.write_all(said.as_bytes());
            let _ = reader.read_line(&mut String::new());
        }
    });
    port
}

#[tokio::test]
async fn a_server_that_does_not_begin_tls() {
    let port = says(&["220-hello\r\n220 mail\r\n", "250-mail\r\n250 SIZE\r\n", "502 not here\r\n"]);
    let fault = ask(json!({ "address": format!("127.0.0.1:{port}"), "starttls": "smtp" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("502 not here")), "{fault:?}");
    let port = says(&["N"]);
    let fault = ask(json!({ "address": format!("127.0.0.1:{port}"), "starttls": "postgres" })).await.unwrap_err();
    assert!(fault.message().contains("does not speak TLS"), "{fault:?}");
}

#[test]
fn nonsense_is_invalid() {
    for bad in [
        json!({}),
        json!({ "address": "h:0" }),
        json!({ "address": "a b" }),
        json!({ "address": "h", "file": "f" }),
        json!({ "file": "f", "starttls": "smtp" }),
        json!({ "address": "h", "server_name": "a b" }),
    ] {
        assert!(matches!(Tls::check(&args(bad.clone())), Err(Fault::Invalid { .. })), "{bad}");
    }
    assert_eq!(args::<Args>(json!({ "address": "mail.example", "starttls": "imap" })).target().unwrap().1, 143);
}
