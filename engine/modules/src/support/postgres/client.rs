//! A connection to a PostgreSQL server: over TCP, TLS or a Unix socket.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::TryStreamExt;
use runbook_core::module::{Cx, Fault};
use serde_json::{Map, Value as Json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::Client;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::types::{Cell, Param};
use super::{Server, Ssl};
use crate::support::db_params::{Params, Rows};
use crate::support::db_tls::{client_config, failed};
use crate::support::net::{self, Failure};

/// Why there is no answer, with the server's code if it gave one.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) failure: Failure,
    pub(crate) sqlstate: Option<String>,
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble { failure, sqlstate: None }
    }
}

impl Trouble {
    /// Whether the server gave this code.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.sqlstate.as_deref() == Some(code)
    }

    /// The fault of an action.
    pub(crate) fn fault(self) -> Fault {
        self.failure.into_fault(Json::Null)
    }

    /// The same with more words.
    pub(crate) fn told(self, more: impl FnOnce(&str) -> String) -> Trouble {
        let failure = match &self.failure {
            Failure::Answer(m) => Failure::Answer(more(m)),
            Failure::Ours(m) => Failure::Ours(more(m)),
        };
        Trouble { failure, ..self }
    }
}

/// What an error means.
fn trouble(error: &tokio_postgres::Error, host: &str, limit: Option<Duration>) -> Trouble {
    if let Some(db) = error.as_db_error() {
        let code = db.code().code();
        let mut message = db.message().to_owned();
        if code == "57014"
            && let Some(limit) = limit
            && message.contains("statement timeout")
        {
            message = net::timed_out(limit).message().to_owned();
        }
        for more in [db.detail(), db.hint()].into_iter().flatten() {
            message.push_str("; ");
            message.push_str(more.trim_end_matches('.'));
        }
        let message = format!("{message} ({code})");
        // A right that we lack is our side's; all else is the server's answer.
        let failure = if code == "42501" { Failure::Ours(message) } else { Failure::Answer(message) };
        return Trouble { failure, sqlstate: Some(code.to_owned()) };
    }
    let (io, text) = net::innermost(error);
    match io {
        Some(io) if io.get_ref().is_some_and(|e| e.is::<rustls::Error>()) => failed(io, host).into(),
        Some(io) => net::of_io(io, host).into(),
        None if error.is_closed() => Failure::Answer("connection closed before an answer came".to_owned()).into(),
        None => Failure::Answer(text).into(),
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection as it is below TLS.
struct Raw(Box<dyn Stream>);

/// Speaks TLS with the name of the server.
struct Connector {
    config: std::sync::Arc<rustls::ClientConfig>,
    host: String,
}

/// A connection with TLS.
struct Tls(tokio_rustls::client::TlsStream<Raw>);

impl TlsConnect<Raw> for Connector {
    type Stream = Tls;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Tls>> + Send>>;

    fn connect(self, stream: Raw) -> Self::Future {
        Box::pin(async move {
            let name = rustls::pki_types::ServerName::try_from(self.host).map_err(io::Error::other)?;
            tokio_rustls::TlsConnector::from(self.config).connect(name, stream).await.map(Tls)
        })
    }
}

impl TlsStream for Tls {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// Reads and writes what is inside.
macro_rules! passes_on {
    ($kind:ty) => {
        impl AsyncRead for $kind {
            fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_read(cx, buf)
            }
        }

        impl AsyncWrite for $kind {
            fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.0).poll_write(cx, buf)
            }
            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_flush(cx)
            }
            fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_shutdown(cx)
            }
        }
    };
}
passes_on!(Raw);
passes_on!(Tls);

/// A connection that may ask. Dropping it hangs up.
pub(crate) struct Pg {
    client: Client,
    task: tokio::task::JoinHandle<()>,
    host: String,
    limit: Option<Duration>,
}

impl Drop for Pg {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a statement gave.
pub(crate) struct Answer {
    pub(crate) rows: Rows,
    pub(crate) affected: u64,
}

impl Pg {
    /// Connects and logs in; statements take at most `limit`.
    pub(crate) async fn connect(server: &Server, cx: &Cx<'_>, limit: Option<Duration>) -> Result<Pg, Trouble> {
        let connect_limit = server.connect_limit(cx);
        let opened = tokio::time::timeout(connect_limit, Self::open(server, cx)).await;
        let mut pg = opened.unwrap_or_else(|_| Err(net::timed_out(connect_limit).into()))?;
        if let Some(limit) = limit {
            pg.limit = Some(limit);
            // Our own limit comes a little later, so that the server can say itself what it was.
            let set = format!("SET statement_timeout = {}", limit.as_millis().max(1));
            pg.run(&set).await?;
        }
        Ok(pg)
    }

    async fn open(server: &Server, cx: &Cx<'_>) -> Result<Pg, Trouble> {
        let host = server.host.clone();
        let stream: Raw = if server.is_unix() {
            let path = format!("{}/.s.PGSQL.{}", host.trim_end_matches('/'), server.port);
            Raw(Box::new(UnixStream::connect(&path).await.map_err(|e| net::of_io(&e, &path))?))
        } else {
            let tcp = TcpStream::connect((host.as_str(), server.port)).await.map_err(|e| net::of_io(&e, &host))?;
            let _ = tcp.set_nodelay(true);
            Raw(Box::new(tcp))
        };
        let mut config = tokio_postgres::Config::new();
        config.user(&server.user).dbname(&server.database).application_name("runbook");
        config.ssl_mode(match server.ssl {
            _ if server.is_unix() => SslMode::Disable,
            Ssl::Disable => SslMode::Disable,
            Ssl::Prefer => SslMode::Prefer,
            Ssl::Require => SslMode::Require,
        });
        if let Some(password) = &server.password {
            config.password(password);
        }
        let mut trust = server.trust.clone();
        if let crate::support::db_tls::Trust::File(path) = &mut trust {
            *path = cx.resolve(&*path);
        }
        let connector = Connector { config: client_config(&trust)?, host: host.clone() };
        let (client, connection) = config.connect_raw(stream, connector).await.map_err(|e| trouble(&e, &host, None))?;
        // What goes wrong with the connection is told by the statement that waits for it.
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Pg { client, task, host, limit: None })
    }

    async fn limited<T>(&self, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Trouble> {
        let told = |e: tokio_postgres::Error| trouble(&e, &self.host, self.limit);
        match self.limit {
            None => work.await.map_err(told),
            Some(limit) => match tokio::time::timeout(limit + Duration::from_millis(500), work).await {
                Ok(done) => done.map_err(told),
                Err(_) => Err(net::timed_out(limit).into()),
            },
        }
    }

    /// Says how long statements of this session wait for a lock.
    pub(crate) async fn lock_timeout(&self, limit: Duration) -> Result<(), Fault> {
        self.run(&format!("SET lock_timeout = {}", limit.as_millis().max(1))).await.map_err(Trouble::fault)
    }

    /// Runs statements of our own, without values.
    pub(crate) async fn run(&self, sql: &str) -> Result<(), Trouble> {
        self.limited(self.client.batch_execute(sql)).await
    }

    /// Finds what is wrong with a statement without running it.
    pub(crate) async fn prepare(&self, sql: &str) -> Result<(), Trouble> {
        self.limited(self.client.prepare(sql)).await.map(drop)
    }

    /// Runs one statement with values in order.
    pub(crate) async fn ask(&self, sql: &str, params: &[Json], keep: usize) -> Result<Answer, Trouble> {
        let params: Vec<Param> = params.iter().cloned().map(Param).collect();
        let statement = self.limited(self.client.prepare(sql)).await?;
        if statement.params().len() != params.len() {
            let places = statement.params().len();
            let why = format!("the statement has {places} places for values, and `params` has {}", params.len());
            return Err(Failure::Answer(why).into());
        }
        let columns: Vec<String> = statement.columns().iter().map(|c| c.name().to_owned()).collect();
        let mut answer = Answer { rows: Rows { columns, ..Rows::default() }, affected: 0 };
        let work = async {
            let stream = self.client.query_raw(&statement, &params).await?;
            let mut stream = pin!(stream);
            while let Some(row) = stream.try_next().await? {
                if answer.rows.rows.len() == keep {
                    answer.rows.truncated = true;
                    continue;
                }
                let mut map = Map::new();
                for (i, name) in answer.rows.columns.iter().enumerate() {
                    map.insert(name.clone(), row.try_get::<_, Cell>(i)?.0);
                }
                answer.rows.rows.push(map);
            }
            answer.affected = stream.rows_affected().unwrap_or_default();
            Ok(())
        };
        self.limited(work).await?;
        Ok(answer)
    }

    /// The rows of one statement of our own.
    pub(crate) async fn rows(&self, sql: &str, params: &[Json]) -> Result<Vec<Map<String, Json>>, Trouble> {
        Ok(self.ask(sql, params, usize::MAX).await?.rows.rows)
    }

    /// The first cell.
    pub(crate) async fn value(&self, sql: &str, params: &[Json]) -> Result<Json, Trouble> {
        Ok(self.ask(sql, params, 1).await?.rows.value())
    }
}

/// Values in order; PostgreSQL has no names for them.
pub(crate) fn ordered(params: &Params) -> Result<&[Json], Fault> {
    match params {
        Params::List(values) => Ok(values),
        Params::Named(_) => {
            Err(Fault::invalid("params", "PostgreSQL takes values in order: write `$1`, `$2` and `params` as a list"))
        }
    }
}

/// Connects for a change.
pub(crate) async fn for_change(server: &Server, cx: &Cx<'_>) -> Result<Pg, Fault> {
    Pg::connect(server, cx, server.change_limit(cx)).await.map_err(Trouble::fault)
}
