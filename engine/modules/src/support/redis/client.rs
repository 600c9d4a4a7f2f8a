//! A client of the protocol RESP2, over TCP, TLS or a Unix socket. One command at a time; what the server answers is judged, not how the
//! connection ended.

use std::time::Duration;

use runbook_core::module::{Cx, Fault};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

use super::{Place, Server};
use crate::support::db_tls::{client_config, failed};
use crate::support::net::{self, Failure};

/// The most bytes of one answer: more is not for a runbook to hold.
const MOST: usize = 64 << 20;
/// Answers inside answers.
const DEEPEST: usize = 16;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// A short text such as `OK`.
    Text(String),
    /// The command failed: the server's words.
    Error(String),
    /// A number.
    Int(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing.
    Nil,
    /// Several answers.
    List(Vec<Reply>),
}

impl Reply {
    /// As text, if it is one value.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Reply::Text(t) | Reply::Error(t) => Some(t.clone()),
            Reply::Int(n) => Some(n.to_string()),
            Reply::Bytes(b) => Some(String::from_utf8_lossy(b).into_owned()),
            Reply::Nil | Reply::List(_) => None,
        }
    }

    /// As a number.
    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Reply::Int(n) => Some(*n),
            other => other.text()?.parse().ok(),
        }
    }

    /// The answers in it.
    pub(crate) fn list(&self) -> &[Reply] {
        match self {
            Reply::List(items) => items,
            _ => &[],
        }
    }

    /// As a value; bytes that are no text are shown as text with replacement characters.
    pub(crate) fn json(&self) -> Json {
        match self {
            Reply::Int(n) => json!(n),
            Reply::Nil => Json::Null,
            Reply::List(items) => items.iter().map(Reply::json).collect(),
            Reply::Text(_) | Reply::Error(_) | Reply::Bytes(_) => json!(self.text()),
        }
    }

    /// The names and values of an even list, as `CONFIG GET` and `HGETALL` give them.
    pub(crate) fn pairs(&self) -> Option<serde_json::Map<String, Json>> {
        let items = self.list();
        let even = !items.is_empty() && items.len().is_multiple_of(2);
        even.then(|| items.chunks(2).map(|p| Some((p[0].text()?, p[1].json()))).collect()).flatten()
    }
}

/// What an error answer means: a right that we lack is our side's.
pub(crate) fn meaning(error: &str) -> Failure {
    match error.strip_prefix("NOPERM") {
        Some(_) => Failure::Ours(format!("{error}: give a `user` with the right to do it")),
        None => Failure::Answer(error.to_owned()),
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that may ask.
pub(crate) struct Client {
    stream: BufReader<Box<dyn Stream>>,
    limit: Duration,
    host: String,
}

impl Client {
    /// Connects, says who asks, and chooses the database.
    pub(crate) async fn connect(server: &Server, cx: &Cx<'_>) -> Result<Client, Failure> {
        let limit = server.limit(cx);
        tokio::time::timeout(limit, Self::open(server, cx, limit)).await.unwrap_or_else(|_| Err(net::timed_out(limit)))
    }

    async fn open(server: &Server, cx: &Cx<'_>, limit: Duration) -> Result<Client, Failure> {
        let (stream, host): (Box<dyn Stream>, String) = match &server.place {
            Place::Unix(path) => {
                let path = cx.resolve(path);
                let shown = path.display().to_string();
                (Box::new(UnixStream::connect(&path).await.map_err(|e| net::of_io(&e, &shown))?), shown)
            }
            Place::Tcp { host, port } => {
                let tcp = TcpStream::connect((host.as_str(), *port)).await.map_err(|e| net::of_io(&e, host))?;
                let _ = tcp.set_nodelay(true);
                match &server.tls {
                    None => (Box::new(tcp), host.clone()),
                    Some(trust) => {
                        let name = rustls::pki_types::ServerName::try_from(host.clone())
                            .map_err(|e| Failure::Ours(format!("{host} is no name for TLS: {e}")))?;
                        let connector = tokio_rustls::TlsConnector::from(client_config(trust)?);
                        (Box::new(connector.connect(name, tcp).await.map_err(|e| failed(&e, host))?), host.clone())
                    }
                }
            }
        };
        let mut client = Client { stream: BufReader::new(stream), limit, host };
        match (&server.user, &server.password) {
            (Some(user), Some(password)) => drop(client.get(&["AUTH", user, password]).await?),
            (None, Some(password)) => drop(client.get(&["AUTH", password]).await?),
            _ => {}
        }
        if server.database != 0 {
            client.select(server.database).await?;
        }
        Ok(client)
    }

    /// Chooses a database.
    pub(crate) async fn select(&mut self, database: u32) -> Result<(), Failure> {
        self.get(&["SELECT", &database.to_string()]).await.map(drop)
    }

    /// Sends a command and gives its answer, be it an error.
    pub(crate) async fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, Failure> {
        let limit = self.limit;
        tokio::time::timeout(limit, self.exchange(words)).await.unwrap_or_else(|_| Err(net::timed_out(limit)))
    }

    /// Sends a command; an error is no answer.
    pub(crate) async fn get<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, Failure> {
        match self.ask(words).await? {
            Reply::Error(error) => Err(meaning(&error)),
            reply => Ok(reply),
        }
    }

    async fn exchange<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, Failure> {
        let mut out = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            let word = word.as_ref();
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
        let host = self.host.clone();
        self.stream.write_all(&out).await.map_err(|e| net::of_io(&e, &host))?;
        self.stream.flush().await.map_err(|e| net::of_io(&e, &host))?;
        let mut room = MOST;
        self.read(DEEPEST, &mut room).await
    }

    async fn line(&mut self, room: &mut usize) -> Result<String, Failure> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(64 * 1024);
        limited.read_until(b'\n', &mut line).await.map_err(|e| net::of_io(&e, &self.host))?;
        if line.is_empty() {
            return Err(Failure::Answer("connection closed before an answer came".to_owned()));
        }
        *room = room.saturating_sub(line.len());
        match line.strip_suffix(b"\r\n") {
            Some(text) if *room > 0 => Ok(String::from_utf8_lossy(text).into_owned()),
            _ => Err(strange()),
        }
    }

    fn read<'a>(
        &'a mut self,
        depth: usize,
        room: &'a mut usize,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + 'a>> {
        Box::pin(async move {
            let line = self.line(room).await?;
            let (kind, rest) = line.split_at_checked(1).ok_or_else(strange)?;
            let number = || rest.parse::<i64>().map_err(|_| strange());
            match kind {
                "+" => Ok(Reply::Text(rest.to_owned())),
                "-" => Ok(Reply::Error(rest.to_owned())),
                ":" => Ok(Reply::Int(number()?)),
                "$" => {
                    let Ok(length) = usize::try_from(number()?) else { return Ok(Reply::Nil) };
                    if length > *room {
                        return Err(Failure::Ours("the answer is larger than 64 MiB".to_owned()));
                    }
                    *room -= length;
                    let mut bytes = vec![0; length + 2];
                    self.stream.read_exact(&mut bytes).await.map_err(|e| net::of_io(&e, &self.host))?;
                    bytes.truncate(length);
                    Ok(Reply::Bytes(bytes))
                }
                "*" => {
                    let Ok(length) = usize::try_from(number()?) else { return Ok(Reply::Nil) };
                    if depth == 0 {
                        return Err(strange());
                    }
                    let mut items = Vec::with_capacity(length.min(1024));
                    for _ in 0..length {
                        items.push(self.read(depth - 1, room).await?);
                    }
                    Ok(Reply::List(items))
                }
                _ => Err(strange()),
            }
        })
    }

    /// The next batch of keys that match a pattern, and the cursor to go on with: `0` at the end, as at the start. A key may come twice.
    pub(crate) async fn scan(&mut self, cursor: &str, pattern: &str, count: u32) -> Result<(String, Vec<Vec<u8>>), Failure> {
        let reply = self.get(&["SCAN", cursor, "MATCH", pattern, "COUNT", &count.to_string()]).await?;
        let [next, keys] = reply.list() else { return Err(strange()) };
        let keys = keys.list().iter().filter_map(|k| if let Reply::Bytes(b) = k { Some(b.clone()) } else { None }).collect();
        Ok((next.text().ok_or_else(strange)?, keys))
    }

    /// The number of keys that match a pattern, each counted once, and the first of them.
    pub(crate) async fn count(&mut self, pattern: &str) -> Result<(u64, Vec<String>), Failure> {
        // A scan may give a key twice. A hash of each is enough to tell, and small.
        let mut seen = std::collections::HashSet::new();
        let mut first = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let (next, keys) = self.scan(&cursor, pattern, 1000).await?;
            for key in keys {
                if seen.insert(hash(&key)) && first.len() < 5 {
                    first.push(String::from_utf8_lossy(&key).into_owned());
                }
            }
            if next == "0" {
                return Ok((seen.len() as u64, first));
            }
            cursor = next;
        }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn strange() -> Failure {
    Failure::Answer("what answers does not speak the protocol of Redis".to_owned())
}

/// The fault of an action: what the server refused was not done, and what got no answer may have been.
pub(crate) fn fault(failure: Failure) -> Fault {
    failure.into_fault(Json::Null)
}
