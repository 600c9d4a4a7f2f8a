//! Plain HTTP to this machine, over connections of our own that are kept: what most checks of a stack are.
//!
//! Everything that a general client sees to (TLS, proxies, HTTP/2) has no part here, so nothing is set up for it. Measured in
//! `docs/design/performance.md`.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use reqwest::header::{ACCEPT, HOST, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, Url};
use tokio::net::TcpStream;

use super::http_transport::Marks;
use super::net::{self, Failure};

/// The most connections that are kept for one server.
const KEPT: usize = 512;

type Stream = Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// The connections that are open and wait for a request, by host and port.
#[derive(Clone, Default)]
pub(crate) struct Near {
    idle: Arc<Mutex<HashMap<SocketAddr, Vec<Line>>>>,
    /// What a host name of this machine stood for when it was last looked up and somebody listened there.
    names: Arc<Mutex<HashMap<(String, u16), SocketAddr>>>,
}

/// One connection. It is moved on by whoever waits for its answer, so that no task of its own has to be woken.
struct Line {
    sender: SendRequest<Full<Bytes>>,
    stream: Option<Pin<Box<Stream>>>,
    address: SocketAddr,
}

/// An answer whose body has not been read yet.
pub(crate) struct Response {
    pub(crate) head: hyper::http::response::Parts,
    pub(crate) address: SocketAddr,
    body: Incoming,
    line: Line,
    home: Near,
}

/// Whether a request may travel this way: plain HTTP, to this machine, with nothing in the URL that becomes a header.
pub(crate) fn fits(url: &Url) -> bool {
    url.scheme() == "http" && url.username().is_empty() && url.password().is_none()
}

/// What a request is made of, ready to be sent more than once.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) resolve: Option<IpAddr>,
}

impl Asked<'_> {
    fn request(&self) -> Result<Request<Full<Bytes>>, Failure> {
        let wrong = |e: &dyn std::fmt::Display| Failure::Ours(format!("the request cannot be made: {e}"));
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(self.body)));
        *request.method_mut() = self.method.clone();
        let target = match self.url.query() {
            Some(query) => Uri::try_from(format!("{}?{query}", self.url.path())),
            None => Uri::try_from(self.url.path()),
        };
        *request.uri_mut() = target.map_err(|e| wrong(&e))?;
        let own = request.headers_mut();
        *own = self.headers.clone();
        own.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("runbook/", env!("CARGO_PKG_VERSION"))));
        own.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if !own.contains_key(HOST) {
            let host = self.url.host_str().unwrap_or_default();
            let host = match self.url.port() {
                Some(port) => HeaderValue::try_from(format!("{host}:{port}")),
                None => HeaderValue::try_from(host),
            };
            own.insert(HOST, host.map_err(|e| wrong(&e))?);
        }
        Ok(request)
    }
}

impl Near {
    /// Sends a request and waits for the head of the answer. With `again`, a kept connection that turns out to be gone is replaced by
    /// a new one; without, a new one is used from the start, so that nothing is ever sent twice.
    pub(crate) async fn send(&self, asked: &Asked<'_>, again: bool, marks: &Mutex<Marks>) -> Result<Response, Failure> {
        let host = asked.url.host_str().unwrap_or_default();
        let port = asked.url.port_or_known_default().unwrap_or(80);
        if again
            && let Some(address) = self.known(host, port, asked.resolve)
            && let Some(line) = self.take(address)
            && let Ok(response) = self.exchange(line, asked, host).await
        {
            return Ok(response);
        }
        let line = self.open(host, port, asked.resolve, marks).await?;
        self.exchange(line, asked, host).await
    }

    async fn exchange(&self, mut line: Line, asked: &Asked<'_>, host: &str) -> Result<Response, Failure> {
        let request = asked.request()?;
        let sent = line.sender.send_request(request);
        let response = drive(&mut line.stream, sent).await.map_err(|e| classify(&e, host))?;
        let (head, body) = response.into_parts();
        Ok(Response { head, address: line.address, body, line, home: self.clone() })
    }

    /// Where a host of this machine was found before.
    fn known(&self, host: &str, port: u16, resolve: Option<IpAddr>) -> Option<SocketAddr> {
        literal(host, port, resolve).or_else(|| locked(&self.names).get(&(host.to_owned(), port)).copied())
    }

    /// An open connection to the address; those that were closed meanwhile are let go.
    fn take(&self, address: SocketAddr) -> Option<Line> {
        loop {
            let mut line = locked(&self.idle).get_mut(&address)?.pop()?;
            let Some(stream) = &mut line.stream else { continue };
            // A closed connection ends as soon as it is asked for its state.
            let over = stream.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())).is_ready();
            if !over && line.sender.is_ready() {
                return Some(line);
            }
        }
    }

    fn keep(&self, line: Line) {
        let mut idle = locked(&self.idle);
        let kept = idle.entry(line.address).or_default();
        if kept.len() < KEPT {
            kept.push(line);
        }
    }

    async fn open(&self, host: &str, port: u16, resolve: Option<IpAddr>, marks: &Mutex<Marks>) -> Result<Line, Failure> {
        let dialled = Instant::now();
        *locked(marks) = Marks { dialled: Some(dialled), ..Marks::default() };
        let addresses = match literal(host, port, resolve) {
            Some(address) => vec![address],
            None => {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                let found = tokio::net::lookup_host((bare, port)).await.map_err(|e| net::of_io(&e, host))?.collect();
                locked(marks).dns = Some(dialled.elapsed());
                found
            }
        };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    locked(marks).connected = Some(Instant::now());
                    // Small requests must not wait for more to send.
                    let _ = stream.set_nodelay(true);
                    let (sender, stream) =
                        Builder::new().handshake(TokioIo::new(stream)).await.map_err(|e| classify(&e, host))?;
                    if literal(host, port, resolve).is_none() {
                        locked(&self.names).insert((host.to_owned(), port), address);
                    }
                    return Ok(Line { sender, stream: Some(Box::pin(stream)), address });
                }
                Err(error) => last = error,
            }
        }
        Err(net::of_io(&last, host))
    }
}

impl Response {
    /// The next piece of the body; `None` after the last, with which the connection goes back to be used again.
    pub(crate) async fn chunk(&mut self, host: &str) -> Result<Option<Bytes>, Failure> {
        loop {
            let Response { body, line, .. } = self;
            let frame = drive(&mut line.stream, body.frame()).await;
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => return Err(classify(&error, host)),
                None => return Ok(None),
            }
        }
    }

    /// Gives the connection back; to be called when the whole body was read.
    pub(crate) fn done(self) {
        if self.line.stream.is_some() {
            self.home.keep(self.line);
        }
    }
}

/// Waits for something of a connection while moving the connection on.
async fn drive<T>(stream: &mut Option<Pin<Box<Stream>>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        if let Some(moving) = stream
            && moving.as_mut().poll(cx).is_ready()
        {
            // How it ended is told to whoever waits for the answer.
            *stream = None;
        }
        work.as_mut().poll(cx)
    })
    .await
}

/// The address that a host is without being looked up.
fn literal(host: &str, port: u16, resolve: Option<IpAddr>) -> Option<SocketAddr> {
    if let Some(ip) = resolve {
        return Some(SocketAddr::new(ip, port));
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port))
}

/// What a failed exchange means.
fn classify(error: &hyper::Error, host: &str) -> Failure {
    net::of_http(error, false, host)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
