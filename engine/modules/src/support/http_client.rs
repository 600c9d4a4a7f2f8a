//! The HTTP client of `http` and `http.request`: one connection pool for each kind of transport, redirects counted, bodies limited.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION, PROXY_AUTHORIZATION};
use reqwest::{Client, Method, StatusCode, Url, Version};
use runbook_core::module::{Fault, Shared};

use super::net::{self, Failure};

/// A request with everything that decides how it travels.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Duration,
    pub(crate) follow_redirects: u32,
    pub(crate) insecure: bool,
    pub(crate) unix_socket: Option<PathBuf>,
    pub(crate) max_body: u64,
    /// Whether the request may be sent again when a kept-alive connection turns out to be gone.
    pub(crate) repeatable: bool,
}

/// What came back, as far as it came.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) status: Option<u16>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) truncated: bool,
    pub(crate) url: String,
    pub(crate) address: Option<String>,
    pub(crate) http_version: Option<&'static str>,
    pub(crate) redirects: u32,
    pub(crate) elapsed: Duration,
}

/// A kind of transport; connections are only shared within one.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Transport {
    tls: Tls,
    proxies: bool,
    unix_socket: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Tls {
    /// Never spoken: no certificate is loaded.
    Off,
    /// Certificates are judged as the platform judges them.
    Platform,
    /// Any certificate is taken.
    Anyone,
}

/// The clients made so far, and the servers that have answered (whose connections may be kept alive).
#[derive(Default)]
struct Clients {
    made: Mutex<HashMap<Transport, Client>>,
    answered: Mutex<HashSet<String>>,
}

impl Clients {
    fn get(&self, transport: &Transport) -> Result<Client, Failure> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(transport) {
            return Ok(client.clone());
        }
        let client = build(transport)?;
        made.insert(transport.clone(), client.clone());
        Ok(client)
    }

    fn answered(&self, server: &str) -> bool {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).contains(server)
    }

    fn note_answer(&self, server: &str) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if !answered.contains(server) {
            answered.insert(server.to_owned());
        }
    }
}

fn build(transport: &Transport) -> Result<Client, Failure> {
    let mut builder = Client::builder()
        .user_agent(concat!("runbook/", env!("CARGO_PKG_VERSION")))
        // Redirects are followed in `send`, where they are counted and the next client is chosen.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        // What is asked for is what the server sends: no header is added or removed behind the reader's back.
        .gzip(false);
    if !transport.proxies {
        builder = builder.no_proxy();
    }
    if let Some(path) = &transport.unix_socket {
        builder = builder.unix_socket(path.clone());
    }
    builder = match transport.tls {
        Tls::Off => builder.tls_backend_preconfigured(no_roots()?),
        Tls::Platform | Tls::Anyone => {
            // Losing the race to install it means that somebody else did.
            let _ = rustls::crypto::ring::default_provider().install_default();
            builder.tls_danger_accept_invalid_certs(transport.tls == Tls::Anyone)
        }
    };
    builder.build().map_err(|e| Failure::Ours(format!("cannot set up an HTTP client: {}", net::innermost(&e).1)))
}

/// A configuration that trusts nobody: it costs nothing to make, and plain HTTP never looks at it.
fn no_roots() -> Result<rustls::ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Failure::Ours(format!("cannot set up an HTTP client: {e}")))?;
    Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// Makes the call. The answer is as full as it could be also when the call failed.
pub(crate) async fn send(shared: &Shared, call: Call) -> (Answer, Result<(), Failure>) {
    let clients = shared.get_or_init(Clients::default);
    let limit = call.timeout;
    let started = Instant::now();
    let mut answer = Answer { url: shown(&call.url), ..Answer::default() };
    let result = tokio::time::timeout(limit, exchange(&clients, call, &mut answer)).await;
    answer.elapsed = started.elapsed();
    (answer, result.unwrap_or_else(|_| Err(net::timed_out(limit))))
}

async fn exchange(clients: &Clients, call: Call, answer: &mut Answer) -> Result<(), Failure> {
    let Call { mut method, mut url, mut headers, mut body, .. } = call;
    let mut response = loop {
        let transport = transport_of(&url, call.insecure, call.unix_socket.clone());
        let client = clients.get(&transport)?;
        let server = format!("{:?} {}", transport.unix_socket, url.origin().ascii_serialization());
        let response = request(&client, clients, &server, &method, &url, &headers, &body, call.repeatable).await?;
        clients.note_answer(&server);
        let next = (answer.redirects < call.follow_redirects).then(|| target(&response, &url)).flatten();
        let Some(next) = next else { break response };
        answer.redirects += 1;
        if next.origin() != url.origin() {
            for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                headers.remove(name);
            }
        }
        let to_get = match response.status() {
            StatusCode::SEE_OTHER => method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
            _ => false,
        };
        if to_get {
            method = Method::GET;
            body = Vec::new();
            for name in [reqwest::header::CONTENT_TYPE, reqwest::header::CONTENT_LENGTH] {
                headers.remove(name);
            }
        }
        url = next;
        answer.url = shown(&url);
    };
    answer.status = Some(response.status().as_u16());
    answer.address = response.remote_addr().map(|a| a.to_string());
    answer.http_version = version(response.version());
    for (name, value) in response.headers() {
        let text = String::from_utf8_lossy(value.as_bytes());
        let entry = answer.headers.entry(name.as_str().to_owned()).or_default();
        if !entry.is_empty() {
            entry.push_str(", ");
        }
        entry.push_str(&text);
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    while let Some(chunk) = response.chunk().await.map_err(|e| classify(&e, &host))? {
        let room = usize::try_from(call.max_body).unwrap_or(usize::MAX) - answer.body.len();
        answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            answer.truncated = true;
            break;
        }
    }
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "one request with everything it is made of")]
async fn request(
    client: &Client,
    clients: &Clients,
    server: &str,
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
    body: &[u8],
    repeatable: bool,
) -> Result<reqwest::Response, Failure> {
    let mut again = repeatable && clients.answered(server);
    loop {
        let mut request = client.request(method.clone(), url.clone()).headers(headers.clone());
        if !body.is_empty() {
            request = request.body(body.to_vec());
        }
        match request.send().await {
            Ok(response) => return Ok(response),
            // A server that was restarted leaves a dead connection in the pool; that says nothing about the server of now.
            Err(e) if again && !e.is_connect() && !e.is_timeout() => again = false,
            Err(e) => return Err(classify(&e, url.host_str().unwrap_or_default())),
        }
    }
}

fn transport_of(url: &Url, insecure: bool, unix_socket: Option<PathBuf>) -> Transport {
    let tls = match (url.scheme(), insecure) {
        ("https", true) => Tls::Anyone,
        ("https", false) => Tls::Platform,
        _ => Tls::Off,
    };
    let proxies = unix_socket.is_none() && !net::is_loopback(url.host_str().unwrap_or_default());
    Transport { tls, proxies, unix_socket }
}

fn target(response: &reqwest::Response, from: &Url) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let next = from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()?;
    matches!(next.scheme(), "http" | "https").then_some(next)
}

fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

fn classify(error: &reqwest::Error, host: &str) -> Failure {
    let (io, text) = net::innermost(error);
    if let Some(io) = io {
        if let Some(tls) = tls_inside(io) {
            return of_tls(tls);
        }
        return net::of_io(io, host);
    }
    if error.is_builder() {
        return Failure::Ours(format!("the request cannot be made: {text}"));
    }
    if text.contains("connection closed before message completed") || text.contains("end of file before message length reached") {
        return Failure::Answer("connection closed before the answer was complete".to_owned());
    }
    if error.is_connect() {
        return Failure::Ours(format!("cannot connect to {host}: {text}"));
    }
    Failure::Answer(format!("the answer is not proper HTTP: {text}"))
}

/// The TLS error in an input or output error, which may be wrapped several times.
fn tls_inside(error: &std::io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref::<rustls::Error>().or_else(|| tls_inside(inner.downcast_ref::<std::io::Error>()?))
}

fn of_tls(error: &rustls::Error) -> Failure {
    match error {
        rustls::Error::InvalidCertificate(why) => {
            let why = match why {
                rustls::CertificateError::UnknownIssuer => "nobody that this machine trusts has signed it".to_owned(),
                other => other.to_string(),
            };
            Failure::Answer(format!("the server's certificate is not accepted: {why}"))
        }
        other => Failure::Answer(format!("no TLS connection: {other}")),
    }
}

/// The URL as shown to people: without user and password.
pub(crate) fn shown(url: &Url) -> String {
    if url.username().is_empty() && url.password().is_none() {
        return url.to_string();
    }
    let mut bare = url.clone();
    // Only URLs without a host refuse these, and those have no user.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.to_string()
}

/// Reads a URL argument.
pub(crate) fn parse_url(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).map_err(|e| Fault::invalid("url", format!("{text:?} is not a URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Fault::invalid("url", format!("the URL must start with http:// or https://, not {}:", url.scheme())));
    }
    Ok(url)
}

/// The host and port of a URL text; templates and nonsense have none.
pub(crate) fn host_and_port(text: &str) -> Option<(String, u16)> {
    let url = Url::parse(text).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

/// The limit of a call that names none: 2 s on this machine, 10 s elsewhere.
pub(crate) fn default_timeout(url: &Url, unix_socket: bool) -> Duration {
    let near = unix_socket || net::is_loopback(url.host_str().unwrap_or_default());
    Duration::from_secs(if near { 2 } else { 10 })
}

/// Puts a header into the map, or says which name or value cannot be one.
pub(crate) fn put(headers: &mut HeaderMap, name: &str, value: &str, secret: bool) -> Result<(), Fault> {
    let key = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Fault::invalid("headers", format!("{name:?} is not the name of a header")))?;
    let mut text = HeaderValue::from_str(value).map_err(|_| {
        Fault::invalid("headers", format!("the value of the header {name:?} has a character that no header may have"))
    })?;
    text.set_sensitive(secret);
    headers.insert(key, text);
    Ok(())
}

/// The body as JSON, if it is JSON and complete.
pub(crate) fn json_of(answer: &Answer) -> serde_json::Value {
    if answer.truncated {
        return serde_json::Value::Null;
    }
    serde_json::from_slice(&answer.body).unwrap_or_default()
}
