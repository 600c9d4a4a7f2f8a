//! How requests travel: one connection pool for each kind of transport, and the times and certificates of new connections.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use runbook_core::module::Shared;
use tower_layer::Layer;
use tower_service::Service;

use super::http_near::Near;
use super::net::{self, Failure};
use super::tls::{self, Trust};

/// A kind of transport; connections are only shared within one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Transport {
    /// Whom TLS trusts; `None` if it is never spoken, so that no certificate is loaded.
    pub(crate) tls: Option<Trust>,
    pub(crate) proxies: bool,
    pub(crate) unix_socket: Option<PathBuf>,
    /// The address of every host name.
    pub(crate) resolve: Option<IpAddr>,
}

impl Transport {
    /// Whether it is plain HTTP straight to a host and port.
    pub(crate) fn is_near(&self) -> bool {
        self.tls.is_none() && !self.proxies && self.unix_socket.is_none()
    }
}

/// The clients made so far, and the servers that have answered (whose connections may be kept alive).
#[derive(Default)]
pub(crate) struct Clients {
    made: Mutex<HashMap<Transport, Client>>,
    answered: Mutex<HashSet<String>>,
    /// The version of TLS of the servers' last new connection.
    versions: Mutex<HashMap<String, &'static str>>,
    near: Near,
}

impl Clients {
    pub(crate) fn get(&self, shared: &Shared, transport: &Transport) -> Result<Client, Failure> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(transport) {
            return Ok(client.clone());
        }
        let client = build(shared, transport)?;
        made.insert(transport.clone(), client.clone());
        Ok(client)
    }

    /// The connections to this machine.
    pub(crate) fn near(&self) -> &Near {
        &self.near
    }

    pub(crate) fn answered(&self, server: &str) -> bool {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).contains(server)
    }

    pub(crate) fn note_answer(&self, server: &str) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if !answered.contains(server) {
            answered.insert(server.to_owned());
        }
    }

    /// The version of TLS of a server's connection: of the handshake, if there was one just now.
    pub(crate) fn tls_version(&self, server: &str, seen: Option<&'static str>) -> Option<&'static str> {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        match seen {
            Some(version) => {
                versions.insert(server.to_owned(), version);
                Some(version)
            }
            None => versions.get(server).copied(),
        }
    }
}

fn build(shared: &Shared, transport: &Transport) -> Result<Client, Failure> {
    let mut builder = Client::builder()
        .user_agent(concat!("runbook/", env!("CARGO_PKG_VERSION")))
        // Redirects are followed in `send`, where they are counted and the next client is chosen.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        // What is asked for is what the server sends: no header is added or removed behind the reader's back.
        .gzip(false)
        .dns_resolver(TimedNames { all: transport.resolve })
        .connector_layer(Timed);
    if !transport.proxies {
        builder = builder.no_proxy();
    }
    if let Some(path) = &transport.unix_socket {
        builder = builder.unix_socket(path.clone());
    }
    let config = match &transport.tls {
        None => no_roots()?,
        Some(trust) => tls::config(shared, trust, true, &[b"h2", b"http/1.1"])?,
    };
    builder = builder.tls_backend_preconfigured(config).tls_info(transport.tls.is_some());
    builder.build().map_err(|e| Failure::Ours(format!("cannot set up an HTTP client: {}", net::innermost(&e).1)))
}

/// A configuration that trusts nobody: it costs nothing to make, and plain HTTP never looks at it.
fn no_roots() -> Result<rustls::ClientConfig, Failure> {
    let config = rustls::ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| Failure::Ours(format!("cannot set up an HTTP client: {e}")))?;
    Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// When the parts of a new connection were done. Nothing is written for a connection that was there already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) dialled: Option<Instant>,
    pub(crate) dns: Option<Duration>,
    pub(crate) connected: Option<Instant>,
}

tokio::task_local! {
    /// What the connections that the task makes write to.
    pub(crate) static MARKS: Arc<Mutex<Marks>>;
}

fn mine() -> Option<Arc<Mutex<Marks>>> {
    MARKS.try_with(Clone::clone).ok()
}

fn mark(marks: Option<&Arc<Mutex<Marks>>>, write: impl FnOnce(&mut Marks)) {
    if let Some(marks) = marks {
        write(&mut marks.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Looks host names up, and says how long it took.
struct TimedNames {
    all: Option<IpAddr>,
}

impl Resolve for TimedNames {
    fn resolve(&self, name: Name) -> Resolving {
        if let Some(address) = self.all {
            return Box::pin(async move { Ok(Box::new(std::iter::once(SocketAddr::new(address, 0))) as Addrs) });
        }
        let marks = mine();
        Box::pin(async move {
            let started = Instant::now();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            mark(marks.as_ref(), |m| m.dns = Some(started.elapsed()));
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Says when connections begin to be made and when they are there.
#[derive(Clone)]
struct Timed;

impl<S> Layer<S> for Timed {
    type Service = TimedConnections<S>;

    fn layer(&self, inner: S) -> TimedConnections<S> {
        TimedConnections(inner)
    }
}

#[derive(Clone)]
struct TimedConnections<S>(S);

impl<R, S> Service<R> for TimedConnections<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, to: R) -> Self::Future {
        let marks = mine();
        mark(marks.as_ref(), |m| *m = Marks { dialled: Some(Instant::now()), ..Marks::default() });
        let connection = self.0.call(to);
        Box::pin(async move {
            let made = connection.await;
            mark(marks.as_ref(), |m| m.connected = made.is_ok().then(Instant::now));
            made
        })
    }
}
