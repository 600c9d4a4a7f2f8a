//! `websocket`: whether a WebSocket server takes connections and what it sends.

use std::collections::BTreeMap;
use std::time::{Duration as Std, Instant};

use futures_util::{SinkExt, StreamExt};
use reqwest::Url;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches, hand_word};
use runbook_core::value::{Duration, Size, format_duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::support::args::OneOrMany;
use crate::support::http_args::{Basic, Pairs, check_trust, headers};
use crate::support::http_client::shown;
use crate::support::net::{self, Failure};
use crate::support::stream::{Duplex, reach, secure};
use crate::support::tls::{self, Trust};

pub(crate) struct WebSocket;

/// Connects to a WebSocket server, says something and listens.
///
/// It connects, sends what `send` says, waits for as many `frames` as are asked for, stays for `hold_for`, and closes the connection properly.
/// Without `expect` the step is ok if all of that came about, which is `complete`. What the server sent is in `frames`, `first` and `json`.
///
/// A server that refuses the upgrade with a status such as 401 or 404, that refuses the connection, or that does not answer in time fails the
/// step with that message. A server that hangs up later, or sends too little in time, leaves `complete` false, and `error` and `close_code`
/// say why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The URL, starting with `ws://` or `wss://`.
    url: String,
    /// Texts to send, in this order, once the connection is there. Default: none.
    #[serde(default)]
    send: Option<OneOrMany>,
    /// A value to send as JSON, after `send`. Default: none.
    #[serde(default)]
    send_json: serde_json::Value,
    /// The number of frames to wait for. Default: 1 if something is sent, 0 otherwise.
    #[serde(default)]
    #[schemars(range(max = 10_000))]
    frames: Option<usize>,
    /// The connection must stay open for so long. Default: it is closed as soon as the frames are there.
    #[serde(default)]
    hold_for: Option<Duration>,
    /// Whether to measure the time of a ping. Default: false.
    #[serde(default)]
    ping: bool,
    /// Subprotocols to offer. Default: none.
    #[serde(default)]
    protocols: Option<OneOrMany>,
    /// Headers by name, such as `origin`. Default: none but those of the upgrade.
    #[serde(default)]
    headers: Pairs,
    /// User and password, sent as `Authorization: Basic`. Default: none.
    #[serde(default)]
    basic: Option<Basic>,
    /// A token, sent as `Authorization: Bearer`; give a secret param. Default: none.
    #[serde(default)]
    bearer: Option<String>,
    /// A file in PEM with the authorities to trust, in place of those that this machine trusts. Default: none.
    #[serde(default)]
    ca_file: Option<String>,
    /// A file in PEM with the certificate to show to the server. Default: none.
    #[serde(default)]
    client_cert: Option<String>,
    /// A file in PEM with the key of `client_cert`. Default: the key is in `client_cert`.
    #[serde(default)]
    client_key: Option<String>,
    /// Whether to take any certificate. Default: false.
    #[serde(default)]
    insecure: bool,
    /// The longest time for all but `hold_for`. Default: `5s` for this machine, `15s` for others; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
    /// The most bytes of one message. Default: `1MiB`.
    #[serde(default = "one_mebibyte")]
    max_message: Size,
}

fn one_mebibyte() -> Size {
    Size(1 << 20)
}

/// So many frames are kept; all are counted.
const KEPT: usize = 100;

/// What the server did.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether the server took the connection as a WebSocket.
    connected: bool,
    /// Whether all came about that was asked for: the frames, the ping, the time that it must stay open.
    complete: bool,
    /// Why not; null if it did.
    error: Option<String>,
    /// The status of the upgrade: 101 if the server took it; null if no answer came.
    status: Option<u16>,
    /// The headers of the upgrade by their names in lower case.
    headers: BTreeMap<String, String>,
    /// The subprotocol that the server chose; null if it chose none.
    protocol: Option<String>,
    /// The first frame's text; null if none came or it is not text.
    first: Option<String>,
    /// The first frame read as JSON; null if it is not JSON.
    json: serde_json::Value,
    /// The frames that came, the first 100 at the most.
    frames: Vec<Frame>,
    /// How many frames came.
    count: u64,
    /// How long a ping took; null if none was asked for or it was not answered.
    ping: Option<Duration>,
    /// The code with which the server closed the connection, such as 1000 or 4001; 1006 if it hung up without a word; null if it did not close it.
    close_code: Option<u16>,
    /// What the server said when it closed the connection; null if it did not.
    close_reason: Option<String>,
    /// How long the connection was open.
    open_for: Option<Duration>,
    /// How long it took until the connection was there.
    handshake: Option<Duration>,
    /// How long it took in all.
    elapsed: Option<Duration>,
}

/// A frame.
#[derive(Debug, Serialize, JsonSchema)]
struct Frame {
    /// The text; null if it is binary.
    text: Option<String>,
    /// The text read as JSON; null if it is not JSON.
    json: serde_json::Value,
    /// Its size.
    size: Size,
    /// How long after the start of the connection it came.
    after: Duration,
}

struct Target {
    host: String,
    port: u16,
    secure: bool,
    url: Url,
}

fn target(text: &str) -> Result<Target, Fault> {
    let url = Url::parse(text).map_err(|e| Fault::invalid("url", format!("{text:?} is not a URL: {e}")))?;
    let secure = match url.scheme() {
        "ws" => false,
        "wss" => true,
        "http" => return Err(Fault::invalid("url", "write `ws://` in place of `http://`")),
        "https" => return Err(Fault::invalid("url", "write `wss://` in place of `https://`")),
        other => return Err(Fault::invalid("url", format!("the URL must start with ws:// or wss://, not {other}:"))),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::invalid("url", "a user and password belong into `basic`"));
    }
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    match url.port_or_known_default() {
        Some(port) if !host.is_empty() => Ok(Target { host, port, secure, url }),
        _ => Err(Fault::invalid("url", "the URL has no host")),
    }
}

impl Args {
    fn request(&self, target: &Target) -> Result<Request, Fault> {
        let made = shown(&target.url).into_client_request();
        let mut request = made.map_err(|e| Fault::invalid("url", e.to_string()))?;
        for (name, value) in &headers(&self.headers, self.basic.as_ref(), self.bearer.as_deref())? {
            if name.as_str().starts_with("sec-websocket-") || matches!(name.as_str(), "upgrade" | "connection") {
                return Err(Fault::invalid("headers", format!("`{name}` belongs to the upgrade and is made here")));
            }
            request.headers_mut().insert(name.clone(), value.clone());
        }
        if let Some(protocols) = &self.protocols {
            let list = protocols.0.join(", ").parse();
            let list = list.map_err(|_| Fault::invalid("protocols", "a subprotocol has a character that no header may have"))?;
            request.headers_mut().insert("sec-websocket-protocol", list);
        }
        Ok(request)
    }

    fn messages(&self) -> Vec<String> {
        let json = (!self.send_json.is_null()).then(|| self.send_json.to_string());
        self.send.iter().flat_map(|s| s.0.iter().cloned()).chain(json).collect()
    }

    fn wanted(&self) -> usize {
        self.frames.unwrap_or(usize::from(!self.messages().is_empty()))
    }
}

impl Probe for WebSocket {
    const NAME: &'static str = "websocket";
    const MAIN: Option<&'static str> = Some("url");
    const VERDICT: &'static str = "complete";
    const SAYS: &'static str = "connected in {{ handshake }}, {{ count }} frames";
    const COLUMNS: &'static [&'static str] = &["count"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A server takes connections", yaml: "websocket: ws://127.0.0.1:7000/v1/stream/check", runs: false },
        Example {
            title: "It answers what is sent, and quickly",
            yaml: "websocket:\n  url: wss://stream.example.org/ws\n  send_json: { op: ping }\n  bearer: '{{ params.token }}'\nexpect:\n  - json.op == 'pong'\n  - elapsed < 2s\n",
            runs: false,
        },
        Example {
            title: "A feed sends at least ten frames in time, and does not hang up for half a minute",
            yaml: "websocket: { url: 'wss://stream.example.org/ws/btcusdt', frames: 10, hold_for: 30s }\n",
            runs: false,
        },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "websocket: ws://127.0.0.1:{port}/",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let url = args.or("url", "<url>");
        let url = match url.strip_prefix("ws") {
            Some(rest) => format!("http{rest}"),
            None => url,
        };
        let mut line = "curl -sS -i -N --http1.1 --max-time 5 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
             -H 'Sec-WebSocket-Key: cnVuYm9vay1ieS1oYW5kLg=='"
            .to_owned();
        for (name, value) in args.pairs("headers") {
            line += &format!(" -H {}", hand_word(&format!("{name}: {value}")));
        }
        if let Some(token) = args.text("bearer") {
            line += &format!(" -H {}", hand_word(&format!("Authorization: Bearer {token}")));
        }
        ByHand::run(format!("{line} {}", hand_word(&url)))
            .note("`curl` cannot send frames; with `websocat` or `python -m websockets` you can talk to the server.")
            .expect("`101 Switching Protocols` in the first line; that `curl` then times out is right")
    }

    fn touches(args: &Args) -> Touches {
        target(&args.url).map_or_else(|_| Touches::default(), |t| net::reads(&t.host, t.port))
    }

    fn check(args: &Args) -> Result<(), Fault> {
        check_trust(args.insecure, args.ca_file.as_deref(), args.client_cert.as_deref(), args.client_key.as_deref())?;
        args.request(&target(&args.url)?).map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let target = target(&args.url)?;
        let request = args.request(&target)?;
        let near = net::is_loopback(&target.host);
        let own = args.timeout.map_or(Std::from_secs(if near { 5 } else { 15 }), Duration::to_std);
        let hold = args.hold_for.map(Duration::to_std).unwrap_or_default();
        let limit = net::shorter(own.saturating_add(hold), cx.timeout);
        let started = Instant::now();
        let mut out = Out::default();
        let result = tokio::time::timeout(limit, visit(args, &target, request, cx, started, &mut out)).await;
        out.elapsed = Some(net::rounded(started.elapsed()));
        if let Some(first) = out.frames.first() {
            (out.first, out.json) = (first.text.clone(), first.json.clone());
        }
        match result.unwrap_or_else(|_| Err(net::timed_out(limit))) {
            Ok(()) => out.complete = true,
            Err(failure) if out.connected => {
                let wanted = args.wanted() as u64;
                let less = if out.count < wanted { format!(", with {} of {wanted} frames", out.count) } else { String::new() };
                out.error = Some(format!("{}{less}", failure.message()));
            }
            Err(failure) => {
                out.error = Some(failure.message().to_owned());
                return Err(failure.into_fault(out));
            }
        }
        Ok(out)
    }
}

async fn visit(
    args: &Args,
    target: &Target,
    request: Request,
    cx: &Cx<'_>,
    started: Instant,
    out: &mut Out,
) -> Result<(), Failure> {
    let reached = reach(&target.host, target.port).await?;
    let stream: Box<dyn Duplex> = if target.secure {
        let cert = (args.client_cert.as_deref(), args.client_key.as_deref());
        let trust = Trust::of(cx, args.insecure, args.ca_file.as_deref(), cert.0, cert.1);
        let config = tls::config(cx.shared(), &trust, true, &[b"http/1.1"])?;
        Box::new(secure(reached.stream, &target.host, config).await.0?)
    } else {
        Box::new(reached.stream)
    };
    let most = usize::try_from(args.max_message.0).unwrap_or(usize::MAX);
    let config = WebSocketConfig::default().max_message_size(Some(most)).max_frame_size(Some(most));
    let (mut socket, answer) = match client_async_with_config(request, stream, Some(config)).await {
        Ok(made) => made,
        Err(error) => return Err(refused(error, out)),
    };
    out.connected = true;
    out.handshake = Some(net::rounded(started.elapsed()));
    note_headers(&answer, out);
    out.protocol = out.headers.get("sec-websocket-protocol").cloned();
    let opened = Instant::now();
    let talked = talk(args, &mut socket, opened, out).await;
    out.open_for = Some(net::rounded(opened.elapsed()));
    if talked.is_ok() {
        // A proper end is polite; whether the server is polite too is not asked for.
        let _ = tokio::time::timeout(Std::from_millis(500), async {
            let _ = socket.close(None).await;
            while let Some(Ok(_)) = socket.next().await {}
        })
        .await;
    }
    talked
}

fn note_headers<B>(answer: &tungstenite::http::Response<B>, out: &mut Out) {
    out.status = Some(answer.status().as_u16());
    for (name, value) in answer.headers() {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        out.headers.entry(name.as_str().to_owned()).and_modify(|all| *all = format!("{all}, {text}")).or_insert(text);
    }
}

fn refused(error: tungstenite::Error, out: &mut Out) -> Failure {
    match error {
        tungstenite::Error::Http(answer) => {
            note_headers(&answer, out);
            let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let first: String = body.lines().next().unwrap_or_default().chars().take(200).collect();
            let said = if first.is_empty() { String::new() } else { format!(": {first}") };
            Failure::Answer(format!("the server answered {} to the upgrade{said}", answer.status().as_u16()))
        }
        tungstenite::Error::Io(error) => net::of_io(&error, "the server"),
        other => Failure::Answer(format!("the server does not speak WebSocket here: {other}")),
    }
}

type Socket = WebSocketStream<Box<dyn Duplex>>;

async fn talk(args: &Args, socket: &mut Socket, opened: Instant, out: &mut Out) -> Result<(), Failure> {
    for text in args.messages() {
        socket.send(Message::text(text)).await.map_err(|e| broken(&e, out))?;
    }
    let mut pinged = None;
    if args.ping {
        socket.send(Message::Ping(b"runbook".to_vec().into())).await.map_err(|e| broken(&e, out))?;
        pinged = Some(Instant::now());
    }
    let wanted = args.wanted() as u64;
    while out.count < wanted || (args.ping && out.ping.is_none()) {
        next(socket, opened, pinged, out).await?;
    }
    let Some(hold) = args.hold_for else { return Ok(()) };
    let until = tokio::time::Instant::from_std(opened) + hold.to_std();
    loop {
        match tokio::time::timeout_at(until, next(socket, opened, pinged, out)).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => {
                let after = format_duration(net::rounded(opened.elapsed()).0);
                return Err(Failure::Answer(format!("{} after {after}", failure.message())));
            }
            Err(_) => return Ok(()),
        }
    }
}

/// Takes what comes next.
async fn next(socket: &mut Socket, opened: Instant, pinged: Option<Instant>, out: &mut Out) -> Result<(), Failure> {
    let message = match socket.next().await {
        Some(Ok(message)) => message,
        Some(Err(error)) => return Err(broken(&error, out)),
        None => return Err(broken(&tungstenite::Error::ConnectionClosed, out)),
    };
    let (text, size) = match message {
        Message::Text(text) => (Some(text.as_str().to_owned()), text.len()),
        Message::Binary(bytes) => (None, bytes.len()),
        Message::Pong(_) => {
            out.ping = pinged.map(|p| net::rounded(p.elapsed()));
            return Ok(());
        }
        Message::Close(frame) => return Err(closed(frame, out)),
        Message::Ping(_) | Message::Frame(_) => return Ok(()),
    };
    out.count += 1;
    if out.frames.len() < KEPT {
        let json = text.as_deref().and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default();
        out.frames.push(Frame { text, json, size: Size(size as u64), after: net::rounded(opened.elapsed()) });
    }
    Ok(())
}

fn closed(frame: Option<CloseFrame>, out: &mut Out) -> Failure {
    // 1005 stands for no code at all.
    let code = frame.as_ref().map_or(1005, |f| u16::from(f.code));
    let reason = frame.map(|f| f.reason.as_str().to_owned()).filter(|r| !r.is_empty());
    let said = reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
    (out.close_code, out.close_reason) = (Some(code), reason);
    Failure::Answer(format!("the server closed the connection (code {code}{said})"))
}

fn broken(error: &tungstenite::Error, out: &mut Out) -> Failure {
    if let tungstenite::Error::Capacity(_) = error {
        return Failure::Ours(format!("a message is longer than `max_message`: {error}"));
    }
    out.close_code = out.close_code.or(Some(1006));
    match error {
        tungstenite::Error::Io(error) => net::of_io(error, "the server"),
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            Failure::Answer("the server hung up without a word".to_owned())
        }
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            Failure::Answer("the server hung up without a word".to_owned())
        }
        other => Failure::Answer(format!("the server broke the protocol: {other}")),
    }
}

#[cfg(test)]
#[path = "websocket_tests.rs"]
mod tests;
