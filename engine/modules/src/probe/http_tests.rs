//! Tests of `http`.

use std::sync::OnceLock;
use std::time::{Duration as Std, Instant};

use runbook_servers::Nginx;
use serde_json::json;

use super::*;
use crate::support::test_server::Server;
use crate::support::testing::{TestHost, args, free_port, holds};

async fn ask(host: &TestHost, json: serde_json::Value) -> Result<HttpOut, Fault> {
    Http::observe(&args(json), &host.cx()).await
}

#[tokio::test]
async fn an_answer_is_a_result_whatever_its_status() {
    let host = TestHost::new();
    let server = Server::start(|_| {
        "HTTP/1.1 503 Busy\r\ncontent-type: application/json\r\nX-One: a\r\nx-one: b\r\ncontent-length: 21\r\n\r\n{\"status\":\"degraded\"}".into()
    });
    let out = ask(&host, json!({ "url": server.url("/api/health") })).await.unwrap();
    assert_eq!(out.status, Some(503));
    assert_eq!(out.json["status"], "degraded");
    assert_eq!(out.headers["x-one"], "a, b");
    assert_eq!(out.bytes, Size(21));
    assert_eq!(out.address, Some(format!("127.0.0.1:{}", server.port)));
    assert_eq!(out.http_version.as_deref(), Some("1.1"));
    assert_eq!((out.redirects, out.truncated, out.error), (0, false, None));
}

#[tokio::test]
async fn the_request_is_what_the_arguments_say() {
    let host = TestHost::new();
    let server = Server::start(Server::ok);
    let out = ask(
        &host,
        json!({ "url": server.url("/a?x=1"), "query": { "n": 5, "gone": null }, "headers": { "x-try": 3 }, "basic": { "user": "u", "password": "p" } }),
    )
    .await
    .unwrap();
    let seen = out.body.unwrap();
    assert!(seen.starts_with("GET /a?x=1&n=5 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("\r\nx-try: 3\r\n"), "{seen}");
    assert!(seen.contains("\r\nauthorization: Basic dTpw\r\n"), "{seen}");
    assert!(seen.contains("user-agent: runbook/"), "{seen}");
    let seen = ask(&host, json!({ "url": server.url("/"), "bearer": "t", "method": "OPTIONS" })).await.unwrap().body.unwrap();
    assert!(seen.starts_with("OPTIONS / ") && seen.contains("authorization: Bearer t"), "{seen}");
    let out = ask(&host, json!({ "url": server.url("/"), "method": "HEAD" })).await.unwrap();
    assert_eq!((out.status, out.body.as_deref()), (Some(200), Some("")));
}

#[tokio::test]
async fn refused_is_an_answer_in_exactly_these_words() {
    let host = TestHost::new();
    let fault = ask(&host, json!({ "url": format!("http://127.0.0.1:{}/", free_port()) })).await.unwrap_err();
    let Fault::Unmet { message, result } = fault else { panic!("{fault:?}") };
    assert_eq!(message, "connection refused");
    assert_eq!(result["error"], "connection refused");
    assert_eq!(result["status"], serde_json::Value::Null);
    assert!(result["elapsed"]["$duration"].is_string(), "{result}");
}

#[tokio::test]
async fn a_server_that_hangs_up_or_never_answers() {
    let host = TestHost::new();
    let server = Server::start(|_| String::new());
    let fault = ask(&host, json!({ "url": server.url("/") })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.starts_with("connection closed")), "{fault:?}");

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let started = Instant::now();
    let fault = ask(&host, json!({ "url": url, "timeout": "80ms" })).await.unwrap_err();
    assert_eq!(fault.message(), "timed out after 80ms");
    assert!(started.elapsed() < Std::from_secs(1));
    let mut cx = host.cx();
    cx.timeout = Some(Std::from_millis(50));
    let fault = Http::observe(&args(json!({ "url": url, "timeout": "1h" })), &cx).await.unwrap_err();
    assert_eq!(fault.message(), "timed out after 50ms");
}

#[tokio::test]
async fn a_broken_body_keeps_the_status() {
    let host = TestHost::new();
    let server = Server::start(|_| "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".into());
    let Fault::Unmet { message, result } = ask(&host, json!({ "url": server.url("/") })).await.unwrap_err() else { panic!() };
    assert!(message.starts_with("connection closed"), "{message}");
    assert_eq!((&result["status"], &result["body"]), (&json!(200), &json!("half")));
    let server = Server::start(|_| "SSH-2.0-OpenSSH_9.2\r\n".into());
    let fault = ask(&host, json!({ "url": server.url("/") })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("not proper HTTP")), "{fault:?}");
}

#[tokio::test]
async fn redirects_are_followed_only_when_asked() {
    let host = TestHost::new();
    let server = Server::start(|r| match r.lines().next() {
        Some(l) if l.starts_with("GET /1") => "HTTP/1.1 302 Found\r\nlocation: /2\r\ncontent-length: 0\r\n\r\n".into(),
        Some(l) if l.starts_with("GET /loop") => "HTTP/1.1 302 Found\r\nlocation: /loop\r\ncontent-length: 0\r\n\r\n".into(),
        _ => Server::ok(r),
    });
    let out = ask(&host, json!({ "url": server.url("/1") })).await.unwrap();
    assert_eq!((out.status, out.redirects), (Some(302), 0));
    let out = ask(&host, json!({ "url": server.url("/1"), "follow_redirects": 3 })).await.unwrap();
    assert_eq!((out.status, out.redirects), (Some(200), 1));
    assert_eq!(out.url, server.url("/2"));
    let out = ask(&host, json!({ "url": server.url("/loop"), "follow_redirects": 3 })).await.unwrap();
    assert_eq!((out.status, out.redirects), (Some(302), 3));
}

#[tokio::test]
async fn a_redirect_to_another_server_takes_no_password_along() {
    let host = TestHost::new();
    let other = Server::start(Server::ok);
    let to = other.url("/");
    let server = Server::start(move |_| format!("HTTP/1.1 307 T\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"));
    let out = ask(&host, json!({ "url": server.url("/"), "follow_redirects": 1, "bearer": "secret" })).await.unwrap();
    assert!(!out.body.unwrap().contains("secret"));
}

#[tokio::test]
async fn bodies_are_limited() {
    let host = TestHost::new();
    let server = Server::start(|_| Server::body(&"x".repeat(100_000)));
    let out = ask(&host, json!({ "url": server.url("/"), "max_body": "1KiB" })).await.unwrap();
    assert_eq!((out.bytes, out.truncated, out.json.is_null()), (Size(1024), true, true));
    let out = ask(&host, json!({ "url": server.url("/"), "max_body": "100000B" })).await.unwrap();
    assert_eq!((out.bytes, out.truncated), (Size(100_000), false));
}

#[tokio::test]
async fn nonsense_is_refused_before_anything_is_sent() {
    let host = TestHost::new();
    for (bad, word) in [
        (json!({ "url": "ftp://h/" }), "http://"),
        (json!({ "url": "http://" }), "not a URL"),
        (json!({ "url": "http://127.0.0.1/", "basic": { "user": "u" }, "bearer": "t" }), "either"),
        (json!({ "url": "http://127.0.0.1/", "headers": { "a b": "c" } }), "header"),
    ] {
        let fault = ask(&host, bad).await.unwrap_err();
        assert!(matches!(&fault, Fault::Invalid { message, .. } if message.contains(word)), "{fault:?}");
    }
    assert!(serde_json::from_value::<Args>(json!({ "url": "http://h/", "method": "POST" })).is_err());
}

#[tokio::test]
async fn a_unix_socket_takes_the_place_of_the_host() {
    let host = TestHost::new();
    let path = host.file("s.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    });
    let out = ask(&host, json!({ "url": "http://engine/_ping", "unix_socket": "s.sock" })).await.unwrap();
    assert_eq!((out.body.as_deref(), out.address), (Some("hi"), None));
    let fault = ask(&host, json!({ "url": "http://engine/", "unix_socket": "gone.sock" })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message == "no such socket"), "{fault:?}");
}

#[tokio::test]
async fn a_server_that_was_restarted_is_asked_anew() {
    let host = TestHost::new();
    let port = {
        let server = Server::start(Server::ok);
        ask(&host, json!({ "url": server.url("/") })).await.unwrap();
        server.port
    };
    let server = Server::start_on(port, Server::ok);
    let out = ask(&host, json!({ "url": server.url("/") })).await.unwrap();
    assert_eq!(out.status, Some(200));
}

#[tokio::test]
#[allow(clippy::print_stderr, reason = "it also measures")]
async fn probes_are_cheap() {
    let host = TestHost::new();
    let server = Server::start(|_| Server::body("{}"));
    let probe: Args = args(json!({ "url": server.url("/") }));
    let first = Instant::now();
    Http::observe(&probe, &host.cx()).await.unwrap();
    let first = first.elapsed();
    let many = Instant::now();
    for _ in 0..1000 {
        Http::observe(&probe, &host.cx()).await.unwrap();
    }
    let each = many.elapsed() / 1000;
    eprintln!("first probe {first:?}, each of the next {each:?}");
    assert_eq!(server.connections(), 1, "connections are kept");
    // Wide limits: this also runs unoptimised and on a busy machine.
    assert!(first < Std::from_millis(100), "{first:?}");
    assert!(each < Std::from_millis(10), "{each:?}");
}

/// Ends a program when the test ends, however it ends.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn certificates_are_judged_unless_told_otherwise() {
    use std::process::{Command, Stdio};
    let host = TestHost::new();
    let port = free_port();
    let openssl = |args: &str| {
        let mut command = Command::new("openssl");
        command.args(args.split(' ')).current_dir(host.root()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let made = openssl(
        "req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 1 -subj /CN=x -addext subjectAltName=IP:127.0.0.1",
    )
    .status();
    if !made.is_ok_and(|s| s.success()) {
        // Without the openssl program there is no server to ask.
        return;
    }
    let _server =
        Ended(openssl(&format!("s_server -accept 127.0.0.1:{port} -key k.pem -cert c.pem -www -quiet")).spawn().unwrap());
    let url = format!("https://127.0.0.1:{port}/");
    let mut out = ask(&host, json!({ "url": url, "insecure": true })).await;
    for _ in 0..200 {
        if !matches!(&out, Err(f) if f.message() == "connection refused") {
            break;
        }
        tokio::time::sleep(Std::from_millis(20)).await;
        out = ask(&host, json!({ "url": url, "insecure": true })).await;
    }
    assert_eq!(out.unwrap().status, Some(200));
    let fault = ask(&host, json!({ "url": url })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("certificate is not accepted")), "{fault:?}");
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let plain_url = format!("https://{}/", plain.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        std::io::Write::write_all(&mut plain.accept().unwrap().0, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    });
    let fault = ask(&host, json!({ "url": plain_url, "insecure": true })).await.unwrap_err();
    answering.join().unwrap().unwrap();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("no TLS connection")), "{fault:?}");
    // From plain HTTP to HTTPS the right client is chosen.
    let to = url.clone();
    let redirecting = Server::start(move |_| format!("HTTP/1.1 301 M\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"));
    let out = ask(&host, json!({ "url": redirecting.url("/"), "follow_redirects": 1, "insecure": true })).await.unwrap();
    assert_eq!((out.status, out.url), (Some(200), url));
}

#[test]
fn it_says_what_it_touches() {
    let touches = Http::touches(&args(json!({ "url": "http://127.0.0.1:7000/x" })));
    assert_eq!(touches.reads, [Resource::new("port", 7000)]);
    let touches = Http::touches(&args(json!({ "url": "https://example.org/x" })));
    assert_eq!(touches.reads, [Resource::new("net", "example.org:443")]);
    assert_eq!(touches.needs.len(), 1);
}

static NGINX: OnceLock<Option<Nginx>> = OnceLock::new();

fn nginx() -> Option<&'static Nginx> {
    NGINX.get_or_init(Nginx::start).as_ref()
}

#[tokio::test]
async fn times_tell_where_they_went() {
    let host = TestHost::new();
    let server = Server::start(|r| {
        if r.starts_with("GET /slow") {
            std::thread::sleep(Std::from_millis(30));
            Server::body("x")
        } else {
            Server::body("y")
        }
    });
    let out = ask(&host, json!({ "url": server.url("/slow") })).await.unwrap();
    let timings = out.timings;
    assert_eq!((timings.dns, timings.tls, timings.reused), (None, None, false));
    assert!(timings.connect.unwrap().to_std() < Std::from_millis(30), "{timings:?}");
    let first = timings.first_byte.unwrap().to_std();
    assert!(first >= Std::from_millis(30) && first <= timings.total.to_std() + Std::from_millis(1), "{timings:?}");
    assert_eq!(timings.total, out.elapsed);
    // The second one finds the connection open.
    let timings = ask(&host, json!({ "url": server.url("/") })).await.unwrap().timings;
    assert_eq!((timings.reused, timings.connect), (true, None));
    let named = format!("http://localhost:{}/", server.port);
    let timings = ask(&host, json!({ "url": named })).await.unwrap().timings;
    assert!(timings.dns.is_some() && timings.connect.is_some(), "{timings:?}");
}

#[tokio::test]
async fn a_name_is_led_to_an_address() {
    let host = TestHost::new();
    let server = Server::start(Server::ok);
    let url = format!("http://api.example:{}/", server.port);
    let out = ask(&host, json!({ "url": url, "resolve": "127.0.0.1" })).await.unwrap();
    assert!(out.body.unwrap().contains(&format!("host: api.example:{}\r\n", server.port)));
    for (url, resolve) in [("http://127.0.0.1/", "127.0.0.1"), ("http://a/", "b"), ("http://a/", "127.0.0.1:80")] {
        let args = args(json!({ "url": url, "resolve": resolve }));
        assert!(matches!(Http::check(&args), Err(Fault::Invalid { .. })), "{url} {resolve}");
    }
}

#[tokio::test]
async fn the_certificate_is_told() {
    let Some(nginx) = nginx() else { return };
    let host = TestHost::new();
    let url = |port: u16| format!("https://localhost:{port}/");
    let out = ask(&host, json!({ "url": url(nginx.good), "ca_file": nginx.ca })).await.unwrap();
    let tls = out.tls.unwrap();
    assert_eq!((tls.days_left, tls.version.as_deref(), tls.subject.as_str()), (90, Some("1.3"), "CN=good"));
    assert_eq!(
        (tls.issuer.as_str(), tls.names.as_slice()),
        ("CN=Test authority", &["localhost".to_owned(), "127.0.0.1".to_owned()][..])
    );
    assert!(out.timings.tls.is_some() && out.timings.connect.is_some(), "{:?}", out.timings);
    assert_eq!((out.body.as_deref(), out.http_version.as_deref()), (Some("hello"), Some("2")));
    // A connection that is open already has the same certificate.
    let out = ask(&host, json!({ "url": url(nginx.good), "ca_file": nginx.ca })).await.unwrap();
    assert_eq!((out.timings.reused, out.timings.tls), (true, None));
    assert_eq!(out.tls.map(|t| (t.days_left, t.version)), Some((90, Some("1.3".to_owned()))));
    let out = ask(&host, json!({ "url": url(nginx.soon), "ca_file": nginx.ca })).await.unwrap();
    assert_eq!(out.tls.unwrap().days_left, 5);
    // Plain HTTP has none.
    let out = ask(&host, json!({ "url": format!("http://localhost:{}/", nginx.http) })).await.unwrap();
    assert!(out.tls.is_none());
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_is_told_with_the_reason() {
    let Some(nginx) = nginx() else { return };
    let host = TestHost::new();
    for (port, ca, days, word) in [
        (nginx.expired, true, -3, "it expired at 20"),
        (nginx.other, true, 90, "it is not for `localhost` but for other.example"),
        (nginx.good, false, 90, "nobody that is trusted here has signed it"),
    ] {
        let mut args = json!({ "url": format!("https://localhost:{port}/") });
        if ca {
            args["ca_file"] = json!(nginx.ca);
        }
        let Fault::Unmet { message, result } = ask(&host, args.clone()).await.unwrap_err() else { panic!("{args}") };
        assert!(message.contains("certificate is not accepted") && message.contains(word), "{message}");
        assert_eq!((&result["tls"]["days_left"], &result["reachable"]), (&json!(days), &json!(false)), "{result}");
        let out = ask(&host, json!({ "url": format!("https://localhost:{port}/"), "insecure": true })).await.unwrap();
        assert_eq!((out.status, out.tls.map(|t| t.days_left)), (Some(200), Some(days)));
    }
    let fault = ask(&host, json!({ "url": format!("https://localhost:{}/", nginx.http), "insecure": true })).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("does not speak TLS")), "{fault:?}");
    for (file, word) in [("gone.pem", "no such file"), ("empty.pem", "no certificate")] {
        host.write("empty.pem", "");
        let fault =
            ask(&host, json!({ "url": format!("https://localhost:{}/", nginx.good), "ca_file": file })).await.unwrap_err();
        assert!(matches!(&fault, Fault::CannotTell { message } if message.contains(word)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let Some(nginx) = nginx() else { return };
    let host = TestHost::new();
    let url = format!("https://localhost:{}/", nginx.client);
    let out = ask(&host, json!({ "url": url, "ca_file": nginx.ca })).await.unwrap();
    assert_eq!(out.status, Some(400));
    let (cert, key) = &nginx.client_cert;
    let out = ask(&host, json!({ "url": url, "ca_file": nginx.ca, "client_cert": cert, "client_key": key })).await.unwrap();
    assert_eq!(out.status, Some(200));
    for bad in [json!({ "url": url, "client_key": key }), json!({ "url": url, "ca_file": "a", "insecure": true })] {
        assert!(matches!(Http::check(&args(bad.clone())), Err(Fault::Invalid { .. })), "{bad}");
    }
}

fn curl(words: &[&str]) -> (Option<i32>, String) {
    let out = std::process::Command::new("curl").args(words).output().unwrap();
    (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
}

#[tokio::test]
async fn t23_curl_succeeds_on_503_and_the_probe_does_not() {
    let host = TestHost::new();
    let server = Server::start(|_| "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy".into());
    assert_eq!(curl(&["-s", &server.url("/health")]), (Some(0), "busy".to_owned()));
    let out = ask(&host, json!({ "url": server.url("/health") })).await.unwrap();
    assert_eq!((out.status, holds(Http::VERDICT, &out)), (Some(503), false));
}

#[tokio::test]
async fn t52_any_answer_is_reachable_and_not_every_one_is_healthy() {
    let host = TestHost::new();
    // A service of which only some paths are known.
    let server = Server::start(|r| match r.starts_with("GET /healthz ") {
        true => Server::body("ok"),
        false => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into(),
    });
    assert_eq!(
        curl(&["-sf", &server.url("/health")]).0,
        Some(22),
        "`curl -f` calls a service dead that is only asked at another path"
    );
    let out = ask(&host, json!({ "url": server.url("/health") })).await.unwrap();
    assert!(out.reachable && !holds(Http::VERDICT, &out) && holds("reachable", &out));
    let out = ask(&host, json!({ "url": server.url("/healthz") })).await.unwrap();
    assert!(out.reachable && holds(Http::VERDICT, &out));
    let Fault::Unmet { result, .. } =
        ask(&host, json!({ "url": format!("http://127.0.0.1:{}/", free_port()) })).await.unwrap_err()
    else {
        panic!()
    };
    assert_eq!(result["reachable"], false);
}

#[tokio::test]
async fn t55_a_degraded_service_answers_503_and_may_go_on() {
    let host = TestHost::new();
    let status = |name: &str| format!("{{\"status\":\"{name}\"}}");
    let server = Server::start(move |r| {
        let name = if r.starts_with("GET /degraded") { "degraded" } else { "unhealthy" };
        let body = status(name);
        format!("HTTP/1.1 503 Busy\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    });
    assert_eq!(curl(&["-sf", &server.url("/degraded")]), (Some(22), String::new()), "`curl -f` does not even show the reason");
    let judge = "status in [200, 503] and json.status != 'unhealthy'";
    for (path, goes_on) in [("/degraded", true), ("/unhealthy", false)] {
        let out = ask(&host, json!({ "url": server.url(path) })).await.unwrap();
        assert_eq!(holds(judge, &out), goes_on, "{path}");
    }
}

#[tokio::test]
async fn t74_localhost_is_found_at_whichever_address_answers() {
    let host = TestHost::new();
    // As uvicorn: on the IPv4 address only, where `localhost` may stand for `::1` first.
    let server = Server::start(Server::ok);
    assert_ne!(curl(&["-s", "-g", &format!("http://[::1]:{}/", server.port)]).0, Some(0));
    let out = ask(&host, json!({ "url": format!("http://localhost:{}/", server.port) })).await.unwrap();
    assert_eq!((out.status, out.address), (Some(200), Some(format!("127.0.0.1:{}", server.port))));
}
