//! The HTTP client of `http` and `http.request`: redirects counted, bodies limited, times measured.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION, PROXY_AUTHORIZATION};
use reqwest::{Client, Method, StatusCode, Url, Version};
use runbook_core::module::{Fault, Shared};

use super::http_near::{self, Asked};
use super::http_transport::{Clients, MARKS, Marks, Transport};
use super::net::{self, Failure};
use super::tls::{self, SEEN, Seen, Trust};

/// A request with everything that decides how it travels.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Duration,
    pub(crate) follow_redirects: u32,
    pub(crate) trust: Trust,
    pub(crate) unix_socket: Option<PathBuf>,
    /// The address to connect to in place of what the URL's host name stands for.
    pub(crate) resolve: Option<IpAddr>,
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
    pub(crate) times: Times,
    /// The server's certificate, also one that was not accepted.
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) tls_version: Option<&'static str>,
}

/// The parts of the time of the last request; a connection that was there already took no time to make.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) dns: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) tls: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) reused: bool,
}

/// Makes the call. The answer is as full as it could be also when the call failed.
pub(crate) async fn send(shared: &Shared, call: Call) -> (Answer, Result<(), Failure>) {
    let clients = shared.get_or_init(Clients::default);
    let limit = call.timeout;
    let started = Instant::now();
    let mut answer = Answer { url: shown(&call.url), ..Answer::default() };
    let watch = Watch::default();
    let exchanged = exchange(shared, &clients, call, &watch, &mut answer);
    let exchanged = MARKS.scope(watch.marks.clone(), SEEN.scope(watch.seen.clone(), exchanged));
    let result = tokio::time::timeout(limit, exchanged).await;
    answer.elapsed = started.elapsed();
    if answer.status.is_none() {
        // No answer came: what is known of the connection is still worth knowing.
        watch.tell(&mut answer);
    }
    (answer, result.unwrap_or_else(|_| Err(net::timed_out(limit))))
}

/// A request whose body, or whose answer's, is too long to be held in memory. Whoever sends it sees to its limits.
#[cfg(feature = "object-store")]
pub(crate) fn streaming(shared: &Shared, method: Method, url: Url, trust: &Trust) -> Result<reqwest::RequestBuilder, Failure> {
    let clients = shared.get_or_init(Clients::default);
    let client = clients.get(shared, &transport_of(&url, trust, None, None))?;
    Ok(client.request(method, url))
}

/// What the connections of a call tell while they are made.
#[derive(Default)]
struct Watch {
    marks: Arc<Mutex<Marks>>,
    seen: Arc<Mutex<Seen>>,
}

impl Watch {
    fn begin(&self) {
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner) = Marks::default();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
    }

    /// Fills in what was told since the last request began.
    fn tell(&self, answer: &mut Answer) {
        let marks = *self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let times = &mut answer.times;
        times.dns = marks.dns;
        times.reused = answer.status.is_some() && marks.connected.is_none();
        if let Some(dialled) = marks.dialled {
            let there = seen.began.or(marks.connected);
            times.connect = there.map(|t| (t - dialled).saturating_sub(marks.dns.unwrap_or_default()));
            times.tls = seen.began.and_then(|began| Some(marks.connected? - began));
        }
        answer.tls_version = seen.version;
        answer.certificate = seen.chain.into_iter().next().map(|c| c.to_vec());
    }
}

async fn exchange(shared: &Shared, clients: &Clients, call: Call, watch: &Watch, answer: &mut Answer) -> Result<(), Failure> {
    let Call { mut method, mut url, mut headers, mut body, .. } = call;
    let mut response = loop {
        let transport = transport_of(&url, &call.trust, call.unix_socket.clone(), call.resolve);
        let asked = Asked { method: &method, url: &url, headers: &headers, body: &body, resolve: call.resolve };
        watch.begin();
        let started = Instant::now();
        let response = if transport.is_near() && http_near::fits(&url) {
            Response::Near(clients.near().send(&asked, call.repeatable, &watch.marks).await?)
        } else {
            let client = clients.get(shared, &transport)?;
            let server = format!("{:?} {:?} {}", transport.unix_socket, transport.resolve, url.origin().ascii_serialization());
            let response = request(&client, clients, &server, &asked, call.repeatable).await?;
            clients.note_answer(&server);
            Response::Far(response, server)
        };
        answer.times.first_byte = Some(started.elapsed());
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
    watch.tell(answer);
    if let Response::Far(response, server) = &response
        && let Some(shown) = response.extensions().get::<reqwest::tls::TlsInfo>()
    {
        answer.certificate = shown.peer_certificate().map(<[u8]>::to_vec);
        answer.tls_version = clients.tls_version(server, answer.tls_version);
    }
    answer.address = response.address().map(|a| a.to_string());
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
    while let Some(chunk) = response.chunk(&host).await? {
        let room = usize::try_from(call.max_body).unwrap_or(usize::MAX) - answer.body.len();
        answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            answer.truncated = true;
            return Ok(());
        }
    }
    if let Response::Near(response) = response {
        response.done();
    }
    Ok(())
}

/// An answer whose body has not been read yet, whichever way it came; with the name of the server if it is a far one.
enum Response {
    Near(http_near::Response),
    Far(reqwest::Response, String),
}

impl Response {
    fn status(&self) -> StatusCode {
        match self {
            Response::Near(response) => response.head.status,
            Response::Far(response, _) => response.status(),
        }
    }

    fn headers(&self) -> &HeaderMap {
        match self {
            Response::Near(response) => &response.head.headers,
            Response::Far(response, _) => response.headers(),
        }
    }

    fn version(&self) -> Version {
        match self {
            Response::Near(response) => response.head.version,
            Response::Far(response, _) => response.version(),
        }
    }

    fn address(&self) -> Option<SocketAddr> {
        match self {
            Response::Near(response) => Some(response.address),
            Response::Far(response, _) => response.remote_addr(),
        }
    }

    async fn chunk(&mut self, host: &str) -> Result<Option<Bytes>, Failure> {
        match self {
            Response::Near(response) => response.chunk(host).await,
            Response::Far(response, _) => response.chunk().await.map_err(|e| classify(&e, host)),
        }
    }
}

async fn request(
    client: &Client,
    clients: &Clients,
    server: &str,
    asked: &Asked<'_>,
    repeatable: bool,
) -> Result<reqwest::Response, Failure> {
    let Asked { method, url, headers, body, .. } = *asked;
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

fn transport_of(url: &Url, trust: &Trust, unix_socket: Option<PathBuf>, resolve: Option<IpAddr>) -> Transport {
    let tls = (url.scheme() == "https").then(|| trust.clone());
    let proxies = unix_socket.is_none() && resolve.is_none() && !net::is_loopback(url.host_str().unwrap_or_default());
    Transport { tls, proxies, unix_socket, resolve }
}

fn target(response: &Response, from: &Url) -> Option<Url> {
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
    if let Some(error) = io.and_then(tls::inside) {
        return tls::failure(error);
    }
    if io.is_none() && error.is_builder() {
        return Failure::Ours(format!("the request cannot be made: {text}"));
    }
    net::of_http(error, error.is_connect(), host)
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
