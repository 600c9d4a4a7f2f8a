//! PostgreSQL: where a server is, how it is asked, and what its errors mean.

pub(crate) mod archive;
pub(crate) mod client;
pub(crate) mod objects;
pub(crate) mod swap;
pub(crate) mod tools;
pub(crate) mod types;

use std::path::PathBuf;
use std::time::Duration as Std;

use runbook_core::module::{Cx, Fault, HandArgs, Resource, Touches, hand_word};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_postgres::config::{Host, SslMode};

use super::db_tls::Trust;
use super::db_url::parted;
use super::net;

/// Arguments of a module that speaks with a PostgreSQL server: its own, and where the server is.
macro_rules! postgres_args {
    ($(#[$meta:meta])* pub(crate) struct Args { $($own:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Args {
            $($own)*
            /// Where the server is: `postgres://USER@HOST:PORT/DATABASE`. Give this, or the arguments that follow.
            #[serde(default)]
            url: Option<String>,
            /// The host name or address, or the folder of its Unix socket, which begins with `/`. Default: `127.0.0.1`.
            #[serde(default)]
            host: Option<String>,
            /// The port. Default: 5432.
            #[serde(default)]
            #[schemars(range(min = 1))]
            port: Option<u16>,
            /// The user to log in as. Default: `postgres`.
            #[serde(default)]
            user: Option<String>,
            /// The password; give a secret param. Default: none.
            #[serde(default)]
            password: Option<String>,
            /// The database to log in to. Default: the one that is called as the user.
            #[serde(default)]
            database: Option<String>,
            /// Whether to speak TLS: `disable`, `prefer` (default: if the server does, with any certificate), or `require` (with one that is trusted).
            #[serde(default)]
            sslmode: Option<$crate::support::postgres::Ssl>,
            /// A file with the certificates of the authorities to trust. Default: those that this machine trusts.
            #[serde(default)]
            ca_file: Option<String>,
            /// Whether to take any certificate where TLS is required. Default: false.
            #[serde(default)]
            insecure: bool,
            /// The longest time for connecting and for each statement. Default: `10s` to connect and to look; a change has the time of its step.
            #[serde(default)]
            timeout: Option<runbook_core::value::Duration>,
        }

        impl Args {
            fn server(&self) -> Result<$crate::support::postgres::Server, runbook_core::module::Fault> {
                $crate::support::postgres::Server::of($crate::support::postgres::Parts {
                    url: self.url.as_deref(),
                    host: self.host.as_deref(),
                    port: self.port,
                    user: self.user.as_deref(),
                    password: self.password.as_deref(),
                    database: self.database.as_deref(),
                    sslmode: self.sslmode,
                    ca_file: self.ca_file.as_deref(),
                    insecure: self.insecure,
                    timeout: self.timeout,
                })
            }
        }
    };
}
pub(crate) use postgres_args;

/// Whether TLS is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Ssl {
    Disable,
    Prefer,
    Require,
}

/// The arguments that say where a server is.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    pub(crate) url: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) port: Option<u16>,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    pub(crate) database: Option<&'a str>,
    pub(crate) sslmode: Option<Ssl>,
    pub(crate) ca_file: Option<&'a str>,
    pub(crate) insecure: bool,
    pub(crate) timeout: Option<Duration>,
}

/// Where a server is and who asks.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) database: String,
    pub(crate) ssl: Ssl,
    pub(crate) trust: Trust,
    pub(crate) timeout: Option<Std>,
}

impl Server {
    /// The server that the arguments mean.
    pub(crate) fn of(parts: Parts<'_>) -> Result<Server, Fault> {
        // The URL may hold a password: it is never repeated.
        let bad = |why: &str| Fault::invalid("url", format!("{why}; write `postgres://USER@HOST:PORT/DATABASE`"));
        let mut from = tokio_postgres::Config::new();
        if let Some(url) = parts.url {
            if parts.host.is_some() || parts.port.is_some() {
                return Err(Fault::invalid("url", "give either `url` or `host` and `port`, not both"));
            }
            if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
                return Err(bad("that is not the URL of a PostgreSQL server"));
            }
            from = url.parse().map_err(|_| bad("that is not understood"))?;
            if from.get_hosts().len() > 1 {
                return Err(bad("it names more than one host"));
            }
        }
        let text = |s: &str| s.to_owned();
        let host = match from.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => text(parts.host.unwrap_or("127.0.0.1")),
        };
        let user = parts.user.or(from.get_user()).unwrap_or("postgres").to_owned();
        let ssl = match (parts.sslmode, from.get_ssl_mode()) {
            (Some(ssl), _) => ssl,
            (None, SslMode::Disable) => Ssl::Disable,
            (None, SslMode::Require) => Ssl::Require,
            (None, _) => Ssl::Prefer,
        };
        let trust = match (ssl, parts.ca_file, parts.insecure) {
            (_, Some(_), true) => return Err(Fault::invalid("insecure", "give either `insecure` or `ca_file`, not both")),
            (Ssl::Require, Some(path), _) => Trust::File(PathBuf::from(path)),
            (Ssl::Require, None, false) => Trust::Platform,
            (Ssl::Disable | Ssl::Prefer, Some(_), _) => {
                return Err(Fault::invalid("ca_file", "a certificate is judged only with `sslmode: require`"));
            }
            _ => Trust::Anyone,
        };
        let server = Server {
            database: parts.database.or(from.get_dbname()).map_or_else(|| user.clone(), text),
            port: parts.port.or(from.get_ports().first().copied()).unwrap_or(5432),
            password: parts
                .password
                .map(text)
                .or_else(|| from.get_password().map(|p| String::from_utf8_lossy(p).into_owned()))
                .filter(|p| !p.is_empty()),
            timeout: parts.timeout.map(Duration::to_std),
            host,
            user,
            ssl,
            trust,
        };
        match server.is_unix() {
            true if ssl == Ssl::Require => Err(Fault::invalid("sslmode", "no TLS is spoken over a Unix socket")),
            false if runbook_core::forms::host(&server.host).is_some() => Err(Fault::invalid(
                "host",
                format!("{:?} is not a host name such as `db.internal`, an address or a folder", server.host),
            )),
            _ if server.user.contains('\0') || server.database.contains('\0') => {
                Err(Fault::invalid("user", "a name holds a null character"))
            }
            _ => Ok(server),
        }
    }

    /// Whether it is reached by a Unix socket.
    pub(crate) fn is_unix(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Makes the path of the certificates absolute, for programs that run elsewhere.
    pub(crate) fn settle(&mut self, cx: &Cx<'_>) {
        if let Trust::File(path) = &mut self.trust {
            *path = cx.resolve(&*path);
        }
    }

    /// The same server, another database.
    pub(crate) fn with_database(&self, database: &str) -> Server {
        Server { database: database.to_owned(), ..self.clone() }
    }

    /// The server in messages: never with a password.
    pub(crate) fn shown(&self) -> String {
        net::place(&self.host, self.port)
    }

    /// The resource that stands for a database.
    pub(crate) fn resource(&self) -> Resource {
        Resource::new("db", format!("postgres://{}/{}", self.shown(), self.database))
    }

    /// What a look touches.
    pub(crate) fn reads(&self) -> Touches {
        if self.is_unix() {
            return Touches::reads([Resource::new("port", self.port), self.resource()]);
        }
        net::reads(&self.host, self.port).and_reads(self.resource())
    }

    /// What a change touches.
    pub(crate) fn changes(&self) -> Touches {
        net::changing(self.reads(), self.resource())
    }

    /// The longest time for connecting.
    pub(crate) fn connect_limit(&self, cx: &Cx<'_>) -> Std {
        net::shorter(self.timeout.unwrap_or(Std::from_secs(10)), cx.timeout)
    }

    /// The longest time for a statement of a change; `None` for as long as it takes.
    pub(crate) fn change_limit(&self, cx: &Cx<'_>) -> Option<Std> {
        match (self.timeout, cx.timeout) {
            (Some(own), Some(step)) => Some(own.min(step)),
            (own, step) => own.or(step),
        }
    }
}

/// A name as a part of a statement, which cannot be bound.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A program of PostgreSQL as a person calls it for the same server: the password goes through its environment, where `ps` does not show it.
pub(crate) fn by_hand(args: &HandArgs<'_>, program: &str, database: Option<&str>) -> String {
    let mut out = String::new();
    let url = args.text("url").map(|u| parted(&u));
    let url_password = url.as_ref().and_then(|u| u.password.clone());
    if let Some(password) = args.text("password").or(url_password) {
        out.push_str(&format!("PGPASSWORD={} ", hand_word(&password)));
    }
    if let Some(mode) = args.text("sslmode") {
        // What is called `require` here judges the certificate.
        let mode = if mode == "require" && !args.flag("insecure", false) { "verify-full".to_owned() } else { mode };
        out.push_str(&format!("PGSSLMODE={} ", hand_word(&mode)));
    }
    if let Some(file) = args.text("ca_file") {
        out.push_str(&format!("PGSSLROOTCERT={} ", hand_word(&file)));
    }
    out.push_str(program);
    if let Some(url) = url {
        out.push_str(&format!(" -d {}", hand_word(&url.bare)));
        if let Some(user) = args.text("user").or(url.user) {
            out.push_str(&format!(" -U {}", hand_word(&user)));
        }
        return out;
    }
    out.push_str(&format!(" -h {} -p {}", hand_word(&args.or("host", "127.0.0.1")), hand_word(&args.or("port", "5432"))));
    let user = args.or("user", "postgres");
    out.push_str(&format!(" -U {}", hand_word(&user)));
    let database = database.map_or_else(|| args.text("database").unwrap_or(user), str::to_owned);
    out.push_str(&format!(" -d {}", hand_word(&database)));
    out
}

/// `psql` that stops at the first error and says so.
pub(crate) fn psql(args: &HandArgs<'_>) -> String {
    by_hand(args, "psql -X -v ON_ERROR_STOP=1", None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_and_who() {
        let of = |url| Server::of(Parts { url: Some(url), ..Parts::default() });
        let server = of("postgres://app:p%40ss@db.internal:6000/shop?sslmode=require").unwrap();
        assert_eq!((server.host.as_str(), server.port, server.user.as_str()), ("db.internal", 6000, "app"));
        assert_eq!((server.database.as_str(), server.password.as_deref()), ("shop", Some("p@ss")));
        assert_eq!((server.ssl, &server.trust), (Ssl::Require, &Trust::Platform));
        assert_eq!(server.resource().0, "db:postgres://db.internal:6000/shop");
        let server = of("postgresql://db").unwrap();
        assert_eq!(
            (server.user.as_str(), server.database.as_str(), server.port, server.ssl),
            ("postgres", "postgres", 5432, Ssl::Prefer)
        );
        for bad in
            ["db:5432", "http://h/", "postgres://u:hunter2@h:99999/", "postgres://u:hunter2@h/?sslmode=maybe", "postgres://a,b/"]
        {
            let fault = of(bad).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(matches!(&fault, Fault::Invalid { .. }) && !fault.message().contains("hunter2"), "{bad}: {fault:?}");
        }
    }

    #[test]
    fn by_hand_the_password_of_a_url_is_no_word() {
        let args = runbook_core::value::Value::map([("url", runbook_core::value::Value::str("postgres://app:pw@h:1/shop"))]);
        assert_eq!(by_hand(&HandArgs::new(&args), "psql", None), "PGPASSWORD=pw psql -d postgres://h:1/shop -U app");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for parts in [
            Parts { url: Some("postgres://h"), host: Some("h"), ..Parts::default() },
            Parts { host: Some("/run"), sslmode: Some(Ssl::Require), ..Parts::default() },
            Parts { host: Some("a b"), ..Parts::default() },
            Parts { ca_file: Some("x"), ..Parts::default() },
            Parts { ca_file: Some("x"), insecure: true, sslmode: Some(Ssl::Require), ..Parts::default() },
        ] {
            assert!(Server::of(parts).is_err());
        }
        assert_eq!(ident("a\"; DROP"), "\"a\"\"; DROP\"");
    }
}
