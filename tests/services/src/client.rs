//! The smallest HTTP client that can call a neighbour: one request a connection, JSON both ways.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::Address;

/// Why a neighbour gave no answer.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Nothing listens there, or the connection broke.
    Connection(std::io::Error),
    /// No whole answer within the time limit.
    Timeout(Duration),
}

impl CallError {
    /// The failure class by which the stack logs it.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            CallError::Connection(_) => "CONNECTION_BOOTSTRAP",
            CallError::Timeout(_) => "TIMEOUT",
        }
    }
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CallError::Connection(error) => write!(f, "connection failed: {error}"),
            CallError::Timeout(limit) => write!(f, "no answer within {limit:?}"),
        }
    }
}

/// Sends one request and returns the status and the JSON body (null when the body is not JSON).
pub(crate) async fn request(
    address: &Address,
    method: &str,
    target: &str,
    correlation: &str,
    body: Option<&Value>,
    limit: Duration,
) -> Result<(u16, Value), CallError> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: {}:{}\r\nconnection: close\r\nx-correlation-id: {correlation}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        address.host,
        address.port,
        body.len()
    );
    match tokio::time::timeout(limit, exchange(address, request.as_bytes())).await {
        Ok(answer) => answer.and_then(|bytes| parse(&bytes)).map_err(CallError::Connection),
        Err(_) => Err(CallError::Timeout(limit)),
    }
}

async fn exchange(address: &Address, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Reads an answer that ends with its connection.
fn parse(bytes: &[u8]) -> std::io::Result<(u16, Value)> {
    let broken = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the answer is not whole");
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(broken)?;
    let line = bytes[..head].split(|byte| *byte == b'\r').next().unwrap_or_default();
    let status = std::str::from_utf8(line).ok().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    Ok((status.ok_or_else(broken)?, serde_json::from_slice(&bytes[head + 4..]).unwrap_or(Value::Null)))
}
