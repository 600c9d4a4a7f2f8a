//! Connections that modules make themselves: TCP, and TLS over it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::net::{self, Failure};
use super::tls::{self, SEEN, Seen};

/// A connection, with or without TLS.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection that was made.
pub(crate) struct Reached {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
}

/// Connects to all addresses of a host at once; the first that answers wins, the first failure is told.
pub(crate) async fn reach(host: &str, port: u16) -> Result<Reached, Failure> {
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(|e| net::of_io(&e, host))?.collect();
    if let [only] = addresses.as_slice() {
        let stream = TcpStream::connect(only).await.map_err(|e| net::of_io(&e, host))?;
        return Ok(Reached { stream, address: *only });
    }
    let mut tries = JoinSet::new();
    for address in addresses {
        tries.spawn(async move { TcpStream::connect(address).await.map(|stream| (stream, address)) });
    }
    let mut first = None;
    while let Some(tried) = tries.join_next().await {
        match tried {
            Ok(Ok(made)) => return Ok(Reached { stream: made.0, address: made.1 }),
            Ok(Err(e)) => {
                let failure = net::of_io(&e, host);
                // An answer says more than trouble of our own, such as a missing IPv6 route.
                if !matches!((&first, &failure), (Some(Failure::Answer(_)), _) | (Some(_), Failure::Ours(_))) {
                    first = Some(failure);
                }
            }
            Err(e) => return Err(Failure::Ours(format!("cannot connect to {host}: {e}"))),
        }
    }
    Err(first.unwrap_or_else(|| Failure::Answer(format!("the host name `{host}` has no address"))))
}

/// Shakes hands, and tells what was seen whether it succeeded or not.
pub(crate) async fn secure<S: Duplex>(stream: S, name: &str, config: ClientConfig) -> (Result<TlsStream<S>, Failure>, Seen) {
    let name = match tls::server_name(name) {
        Ok(name) => name,
        Err(failure) => return (Err(failure), Seen::default()),
    };
    let seen = Arc::new(Mutex::new(Seen::default()));
    let shaken = SEEN.scope(seen.clone(), TlsConnector::from(Arc::new(config)).connect(name, stream)).await;
    let result = shaken.map_err(|e| match tls::inside(&e) {
        Some(error) => tls::failure(error),
        None => match net::of_io(&e, "the server") {
            Failure::Answer(why) => Failure::Answer(format!("no TLS connection: {why}")),
            ours @ Failure::Ours(_) => ours,
        },
    });
    let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    (result, seen)
}

/// Reads a line of a protocol of lines, at most 4 KiB; nothing behind it is taken.
pub(crate) async fn line(stream: &mut (impl Duplex + ?Sized)) -> Result<String, Failure> {
    let mut all = Vec::new();
    while all.last() != Some(&b'\n') {
        if all.len() > 4096 {
            return Err(Failure::Answer("the server sends a line without an end".to_owned()));
        }
        all.push(stream.read_u8().await.map_err(|e| net::of_io(&e, "the server"))?);
    }
    Ok(String::from_utf8_lossy(&all).trim_end().to_owned())
}

/// Sends bytes.
pub(crate) async fn say(stream: &mut (impl Duplex + ?Sized), bytes: &[u8]) -> Result<(), Failure> {
    stream.write_all(bytes).await.map_err(|e| net::of_io(&e, "the server"))?;
    stream.flush().await.map_err(|e| net::of_io(&e, "the server"))
}
