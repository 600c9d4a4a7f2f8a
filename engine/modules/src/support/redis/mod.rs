//! Redis: where a server is, how it is asked, and what its commands do.

pub(crate) mod client;
pub(crate) mod commands;
pub(crate) mod info;

use std::path::PathBuf;
use std::time::Duration as Std;

use reqwest::Url;
use runbook_core::module::{Cx, Fault, HandArgs, Resource, Touches, hand_word};
use runbook_core::value::Duration;

use super::db_tls::Trust;
use super::db_url::{decoded, parted};
use super::net;
use super::paths::tidy;

/// Arguments of a module that speaks with a Redis server: its own, and where the server is.
macro_rules! redis_args {
    ($(#[$meta:meta])* pub(crate) struct Args { $($own:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Args {
            $($own)*
            /// Where the server is: `redis://HOST:PORT/DATABASE`, `rediss://` with TLS, or `unix:///PATH`. Give this, or `host` and `port`.
            #[serde(default)]
            url: Option<String>,
            /// The host name or address. Default: `127.0.0.1`.
            #[serde(default)]
            host: Option<String>,
            /// The port. Default: 6379.
            #[serde(default)]
            #[schemars(range(min = 1))]
            port: Option<u16>,
            /// The path of a Unix socket in place of host and port. Default: none.
            #[serde(default)]
            unix_socket: Option<String>,
            /// The number of the database. Default: 0.
            #[serde(default)]
            database: Option<u32>,
            /// The user, for servers with access control lists. Default: the server's default user.
            #[serde(default)]
            user: Option<String>,
            /// The password; give a secret param. Default: none.
            #[serde(default)]
            password: Option<String>,
            /// Whether to speak TLS. Default: false, unless the URL begins with `rediss://`.
            #[serde(default)]
            tls: bool,
            /// A file with the certificates of the authorities to trust. Default: those that this machine trusts.
            #[serde(default)]
            ca_file: Option<String>,
            /// Whether to take any certificate. Default: false.
            #[serde(default)]
            insecure: bool,
            /// The longest time for connecting and for each answer. Default: `5s`; a shorter limit of the step wins.
            #[serde(default)]
            timeout: Option<runbook_core::value::Duration>,
        }

        impl Args {
            fn server(&self) -> Result<$crate::support::redis::Server, runbook_core::module::Fault> {
                $crate::support::redis::Server::of($crate::support::redis::Parts {
                    url: self.url.as_deref(),
                    host: self.host.as_deref(),
                    port: self.port,
                    unix_socket: self.unix_socket.as_deref(),
                    database: self.database,
                    user: self.user.as_deref(),
                    password: self.password.as_deref(),
                    tls: self.tls,
                    ca_file: self.ca_file.as_deref(),
                    insecure: self.insecure,
                    timeout: self.timeout,
                })
            }
        }
    };
}
pub(crate) use redis_args;

/// The arguments that say where a server is.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    pub(crate) url: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) port: Option<u16>,
    pub(crate) unix_socket: Option<&'a str>,
    pub(crate) database: Option<u32>,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    pub(crate) tls: bool,
    pub(crate) ca_file: Option<&'a str>,
    pub(crate) insecure: bool,
    pub(crate) timeout: Option<Duration>,
}

/// Where a server is and who asks.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) place: Place,
    pub(crate) database: u32,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) tls: Option<Trust>,
    pub(crate) timeout: Std,
}

/// Where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp { host: String, port: u16 },
    Unix(String),
}

impl Server {
    /// The server that the arguments mean.
    pub(crate) fn of(parts: Parts<'_>) -> Result<Server, Fault> {
        let mut server = Server {
            place: Place::Tcp { host: parts.host.unwrap_or("127.0.0.1").to_owned(), port: parts.port.unwrap_or(6379) },
            database: 0,
            user: None,
            password: None,
            tls: parts.tls.then_some(Trust::Platform),
            timeout: parts.timeout.map_or(Std::from_secs(5), Duration::to_std),
        };
        if let Some(path) = parts.unix_socket {
            if parts.host.is_some() || parts.port.is_some() {
                return Err(Fault::invalid("unix_socket", "give either `unix_socket` or `host` and `port`, not both"));
            }
            server.place = Place::Unix(path.to_owned());
        }
        if let Some(url) = parts.url {
            if parts.host.is_some() || parts.port.is_some() || parts.unix_socket.is_some() {
                return Err(Fault::invalid("url", "give either `url` or `host`, `port` or `unix_socket`, not both"));
            }
            server.read_url(url)?;
        }
        server.database = parts.database.unwrap_or(server.database);
        server.user = parts.user.map(str::to_owned).or(server.user).filter(|u| !u.is_empty());
        server.password = parts.password.map(str::to_owned).or(server.password).filter(|p| !p.is_empty());
        if server.user.is_some() && server.password.is_none() {
            return Err(Fault::invalid("password", "a `user` needs a `password`"));
        }
        match (server.tls.is_some(), parts.insecure, parts.ca_file) {
            (false, true, _) => return Err(Fault::invalid("insecure", "`insecure` says how TLS is spoken; add `tls: true`")),
            (false, _, Some(_)) => return Err(Fault::invalid("ca_file", "`ca_file` says how TLS is spoken; add `tls: true`")),
            (true, true, Some(_)) => return Err(Fault::invalid("insecure", "give either `insecure` or `ca_file`, not both")),
            (true, true, None) => server.tls = Some(Trust::Anyone),
            (true, false, Some(path)) => server.tls = Some(Trust::File(PathBuf::from(path))),
            _ => {}
        }
        match &server.place {
            Place::Unix(_) if server.tls.is_some() => Err(Fault::invalid("tls", "no TLS is spoken over a Unix socket")),
            Place::Unix(path) if path.trim().is_empty() => Err(Fault::invalid("unix_socket", "`unix_socket` is empty")),
            Place::Tcp { host, .. } if runbook_core::forms::host(host).is_some() => {
                Err(Fault::invalid("host", format!("{host:?} is not a host name such as `cache.internal` or an address")))
            }
            _ => Ok(server),
        }
    }

    fn read_url(&mut self, text: &str) -> Result<(), Fault> {
        // The URL may hold a password: it is never repeated.
        let bad = |why: &str| {
            Fault::invalid("url", format!("{why}; write `redis://HOST:PORT/DATABASE`, `rediss://` or `unix:///PATH`"))
        };
        let url = Url::parse(text).map_err(|_| bad("that is not a URL"))?;
        match url.scheme() {
            "unix" => {
                self.place = Place::Unix(decoded(url.path()));
                let db = url.query_pairs().find(|(name, _)| name == "db");
                if let Some((_, number)) = db {
                    self.database = number.parse().map_err(|_| bad("`db` is not a number"))?;
                }
            }
            "redis" | "rediss" => {
                let host = url.host_str().filter(|h| !h.is_empty()).ok_or_else(|| bad("the URL names no host"))?;
                let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
                self.place = Place::Tcp { host: bare.to_owned(), port: url.port().unwrap_or(6379) };
                if url.scheme() == "rediss" {
                    self.tls = Some(Trust::Platform);
                }
                let path = url.path().trim_matches('/');
                if !path.is_empty() {
                    self.database = path.parse().map_err(|_| bad("what comes after the host is not the number of a database"))?;
                }
            }
            _ => return Err(bad("that is not the URL of a Redis server")),
        }
        self.user = Some(decoded(url.username())).filter(|u| !u.is_empty());
        self.password = url.password().map(decoded);
        Ok(())
    }

    /// The server in messages: never with a password.
    pub(crate) fn shown(&self) -> String {
        match &self.place {
            Place::Tcp { host, port } => net::place(host, *port),
            Place::Unix(path) => path.clone(),
        }
    }

    /// The resource that stands for its data.
    pub(crate) fn resource(&self) -> Resource {
        match &self.place {
            Place::Tcp { .. } => Resource::new("db", format!("redis://{}", self.shown())),
            Place::Unix(path) => Resource::new("db", format!("unix://{}", tidy(path).display())),
        }
    }

    /// What a look touches.
    pub(crate) fn reads(&self) -> Touches {
        match &self.place {
            Place::Tcp { host, port } => net::reads(host, *port).and_reads(self.resource()),
            Place::Unix(path) => Touches::reads([Resource::file(tidy(path)), self.resource()]),
        }
    }

    /// What a change touches.
    pub(crate) fn changes(&self) -> Touches {
        net::changing(self.reads(), self.resource())
    }

    /// The shorter of its own limit and the step's.
    pub(crate) fn limit(&self, cx: &Cx<'_>) -> Std {
        net::shorter(self.timeout, cx.timeout)
    }
}

/// `redis-cli` as a person calls it for the same server; the password goes through its environment, where `ps` does not show it.
pub(crate) fn by_hand(args: &HandArgs<'_>) -> String {
    let mut out = String::new();
    let url = args.text("url").map(|u| parted(&u));
    let (bare, url_user, url_password) = url.map_or((None, None, None), |u| (Some(u.bare), u.user, u.password));
    if let Some(password) = args.text("password").or(url_password) {
        out.push_str(&format!("REDISCLI_AUTH={} ", hand_word(&password)));
    }
    // Without `-e` it ends with 0 whatever the server answers.
    out.push_str("redis-cli -e");
    let mut add = |option: &str, value: Option<String>| {
        if let Some(value) = value {
            out.push_str(&format!(" {option} {}", hand_word(&value)));
        }
    };
    add("-u", bare);
    add("-h", args.text("host"));
    add("-p", args.text("port"));
    add("-s", args.text("unix_socket"));
    add("--user", args.text("user").or(url_user));
    add("-n", args.text("database"));
    add("--cacert", args.text("ca_file"));
    if args.flag("tls", false) {
        out.push_str(" --tls");
    }
    if args.flag("insecure", false) {
        out.push_str(" --insecure");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Server, Fault> {
        Server::of(Parts { url: Some(url), ..Parts::default() })
    }

    #[test]
    fn urls_say_where_and_who() {
        let server = of("redis://app:p%40ss%2f@cache.internal:6390/3").unwrap();
        assert_eq!(server.place, Place::Tcp { host: "cache.internal".into(), port: 6390 });
        assert_eq!((server.database, server.user.as_deref(), server.password.as_deref()), (3, Some("app"), Some("p@ss/")));
        assert!(!server.shown().contains("ss") && !format!("{:?}", server.reads()).contains("p@"));
        let server = of("rediss://[::1]").unwrap();
        assert_eq!((server.shown().as_str(), server.tls), ("[::1]:6379", Some(Trust::Platform)));
        let server = of("unix:///run/redis%20a.sock?db=2").unwrap();
        assert_eq!((server.place, server.database), (Place::Unix("/run/redis a.sock".into()), 2));
    }

    #[test]
    fn by_hand_the_password_of_a_url_is_no_word() {
        let args = runbook_core::value::Value::map([("url", runbook_core::value::Value::str("redis://app:pw@h:1/2"))]);
        assert_eq!(by_hand(&HandArgs::new(&args)), "REDISCLI_AUTH=pw redis-cli -e -u redis://h:1/2 --user app");
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_passwords_are_not_repeated() {
        for bad in ["127.0.0.1:6379", "http://h/", "redis://", "redis://h/abc", "redis://u:hunter2@h:99999", "unix:///s?db=x", ""]
        {
            let fault = of(bad).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(matches!(&fault, Fault::Invalid { .. }) && !fault.message().contains("hunter2"), "{bad}: {fault:?}");
        }
        for parts in [
            Parts { url: Some("redis://h"), host: Some("h"), ..Parts::default() },
            Parts { unix_socket: Some("/s"), port: Some(1), ..Parts::default() },
            Parts { unix_socket: Some("/s"), tls: true, ..Parts::default() },
            Parts { user: Some("u"), ..Parts::default() },
            Parts { insecure: true, ..Parts::default() },
            Parts { ca_file: Some("x"), ..Parts::default() },
            Parts { host: Some("a b"), ..Parts::default() },
        ] {
            assert!(Server::of(parts).is_err());
        }
    }
}
