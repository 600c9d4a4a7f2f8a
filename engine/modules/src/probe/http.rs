//! `http`: asks a web server.

use std::path::PathBuf;

use reqwest::Method;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches};
use runbook_core::value::{Duration, Size};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::support::by_hand;
use crate::support::http_args::{Basic, HttpOut, Pairs, add_query, default_max_body, headers};
use crate::support::http_client::{Call, default_timeout, host_and_port, parse_url, send};
use crate::support::net;

pub(crate) struct Http;

/// Asks a web server and shows its answer.
///
/// Any status is a result, with headers and body: a health check that answers 503 with a reason can be read. Without `expect` the step
/// is ok if the status is 200 to 399. A refused or reset connection, an unknown host name, a certificate that is not accepted and a
/// server that does not answer in time are answers too: the step fails with that message, and `error` holds it.
///
/// It only looks, so it only knows the methods that change nothing: GET, HEAD and OPTIONS. For others use `http.request`.
///
/// Redirects are not followed unless `follow_redirects` says how many; user and password are not sent on to another server. Proxies
/// from the environment are used, but never for this machine. Connections are kept for the next probe.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The URL, starting with `http://` or `https://`.
    #[schemars(url)]
    url: String,
    /// The method: `GET` (default), `HEAD` or `OPTIONS`.
    #[serde(default)]
    method: ReadMethod,
    /// Headers by name. Default: none but `user-agent`, `accept` and `host`.
    #[serde(default)]
    headers: Pairs,
    /// Parameters added to the URL, percent-encoded; null leaves one out. Default: none.
    #[serde(default)]
    query: Pairs,
    /// User and password, sent as `Authorization: Basic`. Default: none.
    #[serde(default)]
    basic: Option<Basic>,
    /// A token, sent as `Authorization: Bearer`; give a secret param. Default: none.
    #[serde(default)]
    bearer: Option<String>,
    /// The longest time for the whole exchange. Default: `2s` for this machine, `10s` for others; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
    /// The most redirects to follow. Default: 0, so that the redirect itself is the result.
    #[serde(default)]
    #[schemars(range(max = 20))]
    follow_redirects: u32,
    /// Whether to take any certificate. Default: false.
    #[serde(default)]
    insecure: bool,
    /// The path of a Unix socket to connect to in place of the URL's host and port. Default: none.
    #[serde(default)]
    unix_socket: Option<String>,
    /// The most bytes of the body to keep. Default: `1MiB`.
    #[serde(default = "default_max_body")]
    max_body: Size,
}

/// A method that changes nothing.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline, extend("x-help" = "`http` only looks; use `http.request` for methods that change something"))]
enum ReadMethod {
    #[default]
    Get,
    Head,
    Options,
}

impl Probe for Http {
    const NAME: &'static str = "http";
    const MAIN: Option<&'static str> = Some("url");
    const VERDICT: &'static str = "status >= 200 and status < 400";
    const SAYS: &'static str = "{{ status }} in {{ elapsed }}";
    const COLUMNS: &'static [&'static str] = &["status", "elapsed"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A health check", yaml: "http: http://127.0.0.1:7000/healthz", runs: false },
        Example {
            title: "A degraded service answers 503 and says why",
            yaml: "http: http://127.0.0.1:8000/api/health\nexpect:\n  - status in [200, 503]\n  - json.status != 'unhealthy'\n",
            runs: false,
        },
        Example {
            title: "With a header, a limit and a retry",
            yaml: "http:\n  url: http://127.0.0.1:7000/v1/models\n  headers: { accept: application/json }\n  timeout: 500ms\nexpect:\n  - status == 200\n  - elapsed < 200ms\nretry: { for: 10s, every: 250ms }\n",
            runs: false,
        },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "http: http://127.0.0.1:{port}/",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = HttpOut;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let seconds = args.seconds("timeout").unwrap_or_else(|| by_hand::default_seconds(&args.or("url", "")).to_owned());
        let hand = ByHand::run(by_hand::curl(args, &args.or("method", "GET").to_uppercase(), &seconds));
        by_hand::about_query(hand, args).expect("a status from 200 to 399 in the first line")
    }

    fn touches(args: &Args) -> Touches {
        match (&args.unix_socket, host_and_port(&args.url)) {
            (Some(path), _) => Touches::reads([Resource::file(path)]),
            (None, Some((host, port))) => net::reads(&host, port),
            (None, None) => Touches::default(),
        }
    }

    fn check(args: &Args) -> Result<(), Fault> {
        parse_url(&args.url)?;
        headers(&args.headers, args.basic.as_ref(), args.bearer.as_deref()).map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<HttpOut, Fault> {
        let mut url = parse_url(&args.url)?;
        add_query(&mut url, &args.query);
        let own = args.timeout.map_or_else(|| default_timeout(&url, args.unix_socket.is_some()), Duration::to_std);
        let method = match args.method {
            ReadMethod::Get => Method::GET,
            ReadMethod::Head => Method::HEAD,
            ReadMethod::Options => Method::OPTIONS,
        };
        let call = Call {
            method,
            url,
            headers: headers(&args.headers, args.basic.as_ref(), args.bearer.as_deref())?,
            body: Vec::new(),
            timeout: net::shorter(own, cx.timeout),
            follow_redirects: args.follow_redirects,
            insecure: args.insecure,
            unix_socket: args.unix_socket.as_ref().map(|p| -> PathBuf { cx.resolve(p) }),
            max_body: args.max_body.0,
            repeatable: true,
        };
        let (answer, result) = send(cx.shared(), call).await;
        match result {
            Ok(()) => Ok(HttpOut::of(answer, None)),
            Err(failure) => {
                let out = HttpOut::of(answer, Some(failure.message().to_owned()));
                Err(failure.into_fault(out))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration as Std, Instant};

    use serde_json::json;

    use super::*;
    use crate::support::test_server::Server;
    use crate::support::testing::{TestHost, args, free_port};

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
            command
                .args(args.split(' '))
                .current_dir(host.root())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
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
}
