//! `http.request`: sends a request that may change something.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration as Std;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Resource, Touches,
};
use runbook_core::value::{Duration, Size, format_size};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::support::by_hand;
use crate::support::http_args::{Basic, HttpOut, Pairs, add_query, check_trust, default_max_body, form, headers, resolve};
use crate::support::http_client::{Call, host_and_port, parse_url, put, send, shown};
use crate::support::multipart::{Part, multipart};
use crate::support::net::{self, Failure};
use crate::support::paths::resource;
use crate::support::tls::Trust;

pub(crate) struct HttpRequest;

/// Sends a request to a web server that may change something.
///
/// Any status is a result, with headers and body. Without `expect` the step is ok if the status is 200 to 399. If no answer comes the step
/// fails; after a POST or PATCH the message says that the request may have taken effect all the same.
///
/// GET, HEAD, OPTIONS, PUT and DELETE count as idempotent: once or twice is the same. POST and PATCH do not, unless an `idempotency_key`
/// is given, which only helps with servers that know that header. DELETE counts as destroying.
///
/// A dry run says what would be sent and sends nothing. To look at something, use `http`, which a dry run really asks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The URL, starting with `http://` or `https://`.
    #[schemars(url)]
    url: String,
    /// The method, in upper case. Default: `POST`.
    #[serde(default = "post")]
    method: String,
    /// Headers by name. Default: none but `user-agent`, `accept`, `host` and what the body needs.
    #[serde(default)]
    headers: Pairs,
    /// Parameters added to the URL, percent-encoded; null leaves one out. Default: none.
    #[serde(default)]
    query: Pairs,
    /// The body as text, sent as it is. Give at most one of `body`, `json`, `form` and `multipart`.
    #[serde(default)]
    body: Option<String>,
    /// The body as a value, sent as JSON with `content-type: application/json`.
    #[serde(default)]
    json: serde_json::Value,
    /// The body as fields of a form, sent with `content-type: application/x-www-form-urlencoded`; null leaves a field out.
    #[serde(default)]
    form: Option<Pairs>,
    /// The body as the parts of a form with files, sent as `multipart/form-data`: each a text, or `{file, filename, content_type}`; null leaves
    /// a part out.
    #[serde(default)]
    multipart: Option<BTreeMap<String, Option<Part>>>,
    /// Sent as the header `idempotency-key`, by which some servers recognise a repeated request. Default: none.
    #[serde(default)]
    idempotency_key: Option<String>,
    /// User and password, sent as `Authorization: Basic`. Default: none.
    #[serde(default)]
    basic: Option<Basic>,
    /// A token, sent as `Authorization: Bearer`; give a secret param. Default: none.
    #[serde(default)]
    bearer: Option<String>,
    /// The longest time for the whole exchange. Default: `30s`; a shorter limit of the step wins.
    #[serde(default = "half_a_minute")]
    timeout: Duration,
    /// The most redirects to follow. Default: 0. After 303, and after 301 and 302 to a POST, the next request is a GET without a body.
    #[serde(default)]
    #[schemars(range(max = 20))]
    follow_redirects: u32,
    /// Whether to take any certificate. Default: false.
    #[serde(default)]
    insecure: bool,
    /// A file in PEM with the authorities to trust, in place of those that this machine trusts. Default: none.
    #[serde(default)]
    ca_file: Option<String>,
    /// A file in PEM with the certificate to show to the server. Default: none.
    #[serde(default)]
    client_cert: Option<String>,
    /// A file in PEM with the key of `client_cert`. Default: the key is in `client_cert`.
    #[serde(default)]
    client_key: Option<String>,
    /// The address to connect to in place of what the URL's host name stands for, such as `10.0.0.5`; the name stays in the `host` header and
    /// in TLS. Default: the name is looked up.
    #[serde(default)]
    resolve: Option<String>,
    /// The path of a Unix socket to connect to in place of the URL's host and port. Default: none.
    #[serde(default)]
    unix_socket: Option<String>,
    /// The most bytes of the answer's body to keep. Default: `1MiB`.
    #[serde(default = "default_max_body")]
    max_body: Size,
}

/// The methods that servers know, so that a slip of one of them is seen. Others are sent all the same.
const METHODS: &[&str] = &[
    "GET",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "PURGE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "QUERY",
];

fn post() -> String {
    "POST".to_owned()
}

fn half_a_minute() -> Duration {
    Std::from_secs(30).into()
}

impl Args {
    /// The method, headers and body, checked.
    fn request(&self) -> Result<(Method, HeaderMap, Vec<u8>), Fault> {
        let method = Method::from_bytes(self.method.as_bytes())
            .ok()
            .filter(|m| m.as_str().bytes().all(|b| b.is_ascii_uppercase() || b == b'-'))
            .ok_or_else(|| Fault::invalid("method", format!("{:?} is not a method such as `POST`", self.method)))?;
        let mut headers = headers(&self.headers, self.basic.as_ref(), self.bearer.as_deref())?;
        if let Some(key) = &self.idempotency_key {
            put(&mut headers, "idempotency-key", key, false)?;
        }
        let bodies = [self.body.is_some(), !self.json.is_null(), self.form.is_some(), self.multipart.is_some()];
        if bodies.iter().filter(|b| **b).count() > 1 {
            return Err(Fault::invalid("body", "give at most one of `body`, `json`, `form` and `multipart`"));
        }
        let (body, kind) = match (&self.body, &self.json, &self.form) {
            (Some(text), _, _) => (text.clone().into_bytes(), None),
            (_, _, Some(fields)) => (form(fields)?.into_bytes(), Some("application/x-www-form-urlencoded")),
            (_, serde_json::Value::Null, _) => (Vec::new(), None),
            (_, json, _) => (json.to_string().into_bytes(), Some("application/json")),
        };
        if let Some(kind) = kind
            && !headers.contains_key(CONTENT_TYPE)
        {
            put(&mut headers, CONTENT_TYPE.as_str(), kind, false)?;
        }
        Ok((method, headers, body))
    }

    fn trust(&self, cx: &Cx<'_>) -> Trust {
        Trust::of(cx, self.insecure, self.ca_file.as_deref(), self.client_cert.as_deref(), self.client_key.as_deref())
    }

    fn only_looks(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE")
    }
}

impl Action for HttpRequest {
    const NAME: &'static str = "http.request";
    const MAIN: Option<&'static str> = Some("url");
    const VERDICT: &'static str = "status >= 200 and status < 400";
    const SAYS: &'static str = "{{ status }} in {{ elapsed }}";
    const COLUMNS: &'static [&'static str] = &["status", "elapsed"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Post JSON",
            yaml: "http.request:\n  url: http://127.0.0.1:7000/v1/actions\n  json: { action: ping, dry_run: true }\nexpect: json.ok\n",
            runs: false,
        },
        Example {
            title: "Post with a key that lets the server recognise a repetition",
            yaml: "http.request:\n  url: http://127.0.0.1:7000/v1/dlq/17/replay\n  idempotency_key: replay-17\nretry: { attempts: 3, every: 1s }\n",
            runs: false,
        },
        Example {
            title: "A form with a file",
            yaml: "http.request:\n  url: https://api.groq.com/openai/v1/audio/transcriptions\n  bearer: '{{ params.groq_api_key }}'\n  multipart:\n    model: whisper-large-v3\n    file: { file: test.wav, content_type: audio/wav }\n",
            runs: false,
        },
        Example {
            title: "Delete",
            yaml: "http.request: { method: DELETE, url: 'http://127.0.0.1:8000/api/sessions/42' }\n",
            runs: false,
        },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "http.request: http://127.0.0.1:{port}/",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = HttpOut;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let seconds = args.seconds("timeout").unwrap_or_else(|| "30".to_owned());
        let hand = ByHand::run(by_hand::curl(args, &args.or("method", "POST"), &seconds));
        by_hand::about_query(hand, args)
            .expect("a status from 200 to 299 in the first line")
            .note("If no answer comes, it may have been carried out all the same: find out before you send it again.")
    }

    fn effect(args: &Args) -> Effect {
        if args.method == "DELETE" { Effect::Destroy } else { Effect::Change }
    }

    fn touches(args: &Args) -> Touches {
        let touches = match (&args.unix_socket, host_and_port(&args.url)) {
            (Some(path), _) => Touches::changes([Resource::file(path)]),
            (None, Some((host, port))) => Touches::changes([net::resource(&host, port)]).needing(Need::Net { host, port }),
            (None, None) => Touches::default(),
        };
        let parts = args.multipart.iter().flat_map(|m| m.values()).flatten();
        parts.filter_map(Part::file).fold(touches, |t, file| t.and_reads(resource(file)))
    }

    fn idempotent(args: &Args) -> bool {
        args.only_looks() || matches!(args.method.as_str(), "PUT" | "DELETE") || args.idempotency_key.is_some()
    }

    fn check(args: &Args) -> Result<(), Fault> {
        resolve(&parse_url(&args.url)?, args.resolve.as_deref())?;
        args.request()?;
        check_trust(args.insecure, args.ca_file.as_deref(), args.client_cert.as_deref(), args.client_key.as_deref())?;
        let near = runbook_core::suggest::nearest(&args.method, METHODS.iter().copied());
        match near.filter(|_| !METHODS.contains(&args.method.as_str())) {
            Some(near) => Err(Fault::invalid("method", format!("{:?} is not a method; write `{near}`", args.method))),
            None => Ok(()),
        }
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let mut url = parse_url(&args.url)?;
        add_query(&mut url, &args.query);
        let (method, _, mut body) = args.request()?;
        if let Some(parts) = &args.multipart {
            (body, _) = multipart(parts, cx).await?;
        }
        let because = match body.len() {
            0 => "with no body".to_owned(),
            n => format!("with a body of {}", format_size(n as u64)),
        };
        Ok(Forecast { would_change: !args.only_looks(), ..Forecast::would(format!("{method} {}", shown(&url)), because) })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<HttpOut>, Fault> {
        let mut url = parse_url(&args.url)?;
        add_query(&mut url, &args.query);
        let resolve = resolve(&url, args.resolve.as_deref())?;
        let (method, mut headers, mut body) = args.request()?;
        if let Some(parts) = &args.multipart {
            let kind;
            (body, kind) = multipart(parts, cx).await?;
            put(&mut headers, CONTENT_TYPE.as_str(), &kind, false)?;
        }
        let repeatable = Self::idempotent(args);
        let call = Call {
            method,
            url,
            headers,
            body,
            timeout: net::shorter(args.timeout.to_std(), cx.timeout),
            follow_redirects: args.follow_redirects,
            trust: args.trust(cx),
            resolve,
            unix_socket: args.unix_socket.as_ref().map(|p| -> PathBuf { cx.resolve(p) }),
            max_body: args.max_body.0,
            repeatable,
        };
        let (answer, result) = send(cx.shared(), call).await;
        match result {
            Ok(()) if args.only_looks() => Ok(Done::unchanged(HttpOut::of(answer, None, cx.now()))),
            Ok(()) => Ok(Done::changed(HttpOut::of(answer, None, cx.now()))),
            Err(Failure::Answer(why)) => {
                let out = HttpOut::of(answer, Some(why.clone()), cx.now());
                let never_arrived =
                    why == "connection refused" || why.starts_with("there is no host") || why.contains("certificate");
                let doubt = if repeatable || never_arrived { "" } else { "; the request may have taken effect all the same" };
                Err(Fault::unmet_with(format!("{why}{doubt}"), out))
            }
            Err(Failure::Ours(why)) => Err(Fault::cannot_tell(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::test_server::Server;
    use crate::support::testing::{TestHost, args, free_port};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<HttpOut>, Fault> {
        HttpRequest::apply(&args(json), &host.change()).await
    }

    #[tokio::test]
    async fn bodies_are_sent_as_said() {
        let host = TestHost::new();
        let server = Server::start(Server::ok);
        let done =
            apply(&host, json!({ "url": server.url("/x"), "json": { "a": [1, true] }, "idempotency_key": "k1" })).await.unwrap();
        let seen = done.out.body.unwrap();
        assert!(done.changed);
        assert!(seen.starts_with("POST /x HTTP/1.1\r\n") && seen.ends_with("\r\n\r\n{\"a\":[1,true]}"), "{seen}");
        assert!(seen.contains("content-type: application/json\r\n") && seen.contains("idempotency-key: k1\r\n"), "{seen}");
        let seen = apply(&host, json!({ "url": server.url("/"), "method": "PUT", "form": { "a": "1 2", "b": 3, "c": null } }))
            .await
            .unwrap()
            .out
            .body
            .unwrap();
        assert!(seen.starts_with("PUT ") && seen.ends_with("\r\n\r\na=1+2&b=3"), "{seen}");
        let seen = apply(&host, json!({ "url": server.url("/"), "body": "plain", "headers": { "content-type": "text/x" } }))
            .await
            .unwrap()
            .out
            .body
            .unwrap();
        assert!(seen.contains("content-type: text/x\r\n") && seen.ends_with("\r\n\r\nplain"), "{seen}");
        let done = apply(&host, json!({ "url": server.url("/"), "method": "GET" })).await.unwrap();
        assert!(!done.changed);
    }

    #[tokio::test]
    async fn a_form_with_a_file() {
        let host = TestHost::new();
        host.write("test.wav", "RIFF");
        let server = Server::start(Server::ok);
        let parts = json!({ "model": "whisper", "n": 3, "gone": null, "file": { "file": "test.wav", "content_type": "audio/wav", "filename": "a\"b" } });
        let seen = apply(&host, json!({ "url": server.url("/"), "multipart": parts })).await.unwrap().out.body.unwrap();
        let (head, body) = seen.split_once("\r\n\r\n").unwrap();
        let boundary = head.split("boundary=").nth(1).unwrap().lines().next().unwrap();
        let wanted = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22b\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n3\r\n--{boundary}--\r\n"
        );
        assert_eq!(body, wanted);
        let plan =
            HttpRequest::plan(&args(json!({ "url": server.url("/"), "multipart": { "a": { "file": "gone" } } })), &host.cx())
                .await;
        assert!(matches!(&plan, Err(Fault::Unmet { message, .. }) if message.contains("no such file")), "{plan:?}");
        let both = args(json!({ "url": server.url("/"), "multipart": {}, "form": {} }));
        assert!(matches!(HttpRequest::check(&both), Err(Fault::Invalid { .. })));
    }

    #[tokio::test]
    async fn a_request_that_got_no_answer_may_have_taken_effect() {
        let host = TestHost::new();
        let server = Server::start(|_| String::new());
        let fault = apply(&host, json!({ "url": server.url("/") })).await.unwrap_err();
        assert!(
            matches!(&fault, Fault::Unmet { message, .. } if message.ends_with("may have taken effect all the same")),
            "{fault:?}"
        );
        let fault = apply(&host, json!({ "url": server.url("/"), "method": "PUT" })).await.unwrap_err();
        assert!(!fault.message().contains("taken effect"), "{fault:?}");
        let fault = apply(&host, json!({ "url": format!("http://127.0.0.1:{}/", free_port()) })).await.unwrap_err();
        assert_eq!(fault.message(), "connection refused");
    }

    #[tokio::test]
    async fn a_post_is_never_sent_twice() {
        let host = TestHost::new();
        let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = count.clone();
        let server = Server::start(move |r| {
            if counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 { Server::ok(r) } else { String::new() }
        });
        apply(&host, json!({ "url": server.url("/") })).await.unwrap();
        apply(&host, json!({ "url": server.url("/") })).await.unwrap_err();
        assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_plan_sends_nothing() {
        let host = TestHost::new();
        let server = Server::start(Server::ok);
        let url = server.url("/x").replace("http://", "http://user:pw@");
        let plan = HttpRequest::plan(&args(json!({ "url": url, "json": {} })), &host.cx()).await.unwrap();
        assert_eq!(plan.summary, format!("POST {}", server.url("/x")));
        assert_eq!(plan.because, "with a body of 2B");
        assert!(plan.would_change);
        assert_eq!(server.connections(), 0);
        let plan = HttpRequest::plan(&args(json!({ "url": url, "json": {}, "body": "x" })), &host.cx()).await;
        assert!(matches!(plan, Err(Fault::Invalid { .. })));
    }

    #[test]
    fn effect_and_idempotence_follow_the_method() {
        let of = |method: &str| args::<Args>(json!({ "url": "http://h/", "method": method }));
        assert_eq!(HttpRequest::effect(&of("DELETE")), Effect::Destroy);
        assert_eq!(HttpRequest::effect(&of("POST")), Effect::Change);
        for (method, idempotent) in
            [("GET", true), ("HEAD", true), ("PUT", true), ("DELETE", true), ("OPTIONS", true), ("POST", false), ("PATCH", false)]
        {
            assert_eq!(HttpRequest::idempotent(&of(method)), idempotent, "{method}");
        }
        assert!(HttpRequest::idempotent(&args(json!({ "url": "http://h/", "idempotency_key": "k" }))));
    }

    #[tokio::test]
    async fn methods_are_methods() {
        let host = TestHost::new();
        for bad in ["", "post", "GET /", "PO ST"] {
            let fault = apply(&host, json!({ "url": "http://127.0.0.1:1/", "method": bad })).await.unwrap_err();
            assert!(matches!(fault, Fault::Invalid { .. }), "{bad}: {fault:?}");
        }
    }
}
