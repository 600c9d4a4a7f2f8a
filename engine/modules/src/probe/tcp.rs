//! `tcp`: whether somebody takes connections on a host and port.

use std::net::SocketAddr;
use std::time::{Duration as Std, Instant};

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches, hand_word};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;

use crate::support::args::Text;
use crate::support::net::{self, Failure};

pub(crate) struct Tcp;

/// Looks whether a host takes TCP connections on a port.
///
/// It connects and hangs up at once. Closed is an ordinary result: without `expect` the step is ok if the port is open, and
/// `expect: not open` asks for the opposite. `error` says why it is not open: `connection refused`, `timed out after 250ms`,
/// `there is no host named ...`.
///
/// A host name with several addresses is open if one of them is; they are tried at the same time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// Host and port such as `127.0.0.1:7000` or `[::1]:7000`; a port alone means this machine. Give this, or `port`.
    #[serde(default)]
    address: Option<Text>,
    /// The host name or address. Default: `127.0.0.1`.
    #[serde(default)]
    host: Option<String>,
    /// The port, 1 to 65535.
    #[serde(default)]
    #[schemars(range(min = 1))]
    port: Option<u16>,
    /// The longest time for the connection. Default: `250ms` for this machine, `1s` for others; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
}

/// What connecting gave.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether a connection was made.
    open: bool,
    /// Why none was made, such as `connection refused`; null if one was.
    error: Option<String>,
    /// How long it took to know.
    elapsed: Duration,
    /// The address and port that took the connection, such as `127.0.0.1:7000`; null if none did.
    address: Option<String>,
    /// The host that was asked for.
    host: String,
    /// The port that was asked for.
    port: u16,
}

impl Args {
    fn target(&self) -> Result<(String, u16), Fault> {
        match (&self.address, self.port) {
            (Some(_), Some(_)) => Err(Fault::invalid("port", "give either `address` or `port`, not both")),
            (Some(_), None) if self.host.is_some() => {
                Err(Fault::invalid("host", "give `host` together with `port`, not with `address`"))
            }
            (Some(Text(address)), None) => split(address),
            (None, Some(port)) => Ok((self.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned()), port)),
            (None, None) => Err(Fault::invalid("address", "say where: `tcp: 127.0.0.1:7000`")),
        }
    }
}

fn split(address: &str) -> Result<(String, u16), Fault> {
    let bad =
        || Fault::invalid("address", format!("{address:?} is not a host and port such as `127.0.0.1:7000` or `[::1]:7000`"));
    let (host, port) = address.rsplit_once(':').unwrap_or(("127.0.0.1", address));
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    // Without brackets nobody can tell an IPv6 address from its port.
    if host.is_empty() || (bare.is_none() && host.contains(':')) {
        return Err(bad());
    }
    match port.parse() {
        Ok(0) | Err(_) => Err(bad()),
        Ok(port) => Ok((bare.unwrap_or(host).to_owned(), port)),
    }
}

impl Probe for Tcp {
    const NAME: &'static str = "tcp";
    const MAIN: Option<&'static str> = Some("address");
    const VERDICT: &'static str = "open";
    const SAYS: &'static str = "open, {{ elapsed }}";
    const COLUMNS: &'static [&'static str] = &["port"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A port takes connections", yaml: "tcp: 127.0.0.1:6379", runs: false },
        Example { title: "Nobody listens any more", yaml: "tcp: 127.0.0.1:{port}\nexpect: not open\n", runs: true },
        Example {
            title: "Another host, with a limit",
            yaml: "tcp: { host: db.internal, port: 5432, timeout: 500ms }\nexpect:\n  - open\n  - elapsed < 100ms\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let (host, port) = match args.text("address") {
            Some(address) => match address.rsplit_once(':') {
                Some((host, port)) => (host.trim_matches(['[', ']']).to_owned(), port.to_owned()),
                None => ("127.0.0.1".to_owned(), address),
            },
            None => (args.or("host", "127.0.0.1"), args.or("port", "<port>")),
        };
        // `nc` waits for whole seconds.
        let seconds = args.seconds("timeout").and_then(|s| s.parse::<f64>().ok()).map_or(1, |s| s.ceil().max(1.0) as u64);
        ByHand::run(format!("nc -v -z -w {seconds} {} {}", hand_word(&host), hand_word(&port))).expect("it is said to be open")
    }

    fn touches(args: &Args) -> Touches {
        args.target().map_or_else(|_| Touches::default(), |(host, port)| net::reads(&host, port))
    }

    fn check(args: &Args) -> Result<(), Fault> {
        let (host, _) = args.target()?;
        let argument = if args.address.is_some() { "address" } else { "host" };
        match runbook_core::forms::host(&host) {
            Some(wrong) => Err(Fault::invalid(
                argument,
                format!("{}; write a name such as `db.internal` or an address such as `127.0.0.1`", wrong.message),
            )),
            None => Ok(()),
        }
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let (host, port) = args.target()?;
        let near = net::is_loopback(&host);
        let own = args.timeout.map_or(Std::from_millis(if near { 250 } else { 1000 }), Duration::to_std);
        let limit = net::shorter(own, cx.timeout);
        let started = Instant::now();
        let result = tokio::time::timeout(limit, connect(&host, port)).await.unwrap_or_else(|_| Err(net::timed_out(limit)));
        let elapsed = net::rounded(started.elapsed());
        match result {
            Ok(address) => Ok(Out { open: true, error: None, elapsed, address: Some(address.to_string()), host, port }),
            Err(Failure::Answer(why)) => Ok(Out { open: false, error: Some(why), elapsed, address: None, host, port }),
            Err(Failure::Ours(why)) => Err(Fault::cannot_tell(why)),
        }
    }
}

/// Connects to all addresses of a host at once; the first that answers wins, the first failure is told.
async fn connect(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(|e| net::of_io(&e, host))?.collect();
    if let [only] = addresses.as_slice() {
        return TcpStream::connect(only).await.map(|_| *only).map_err(|e| net::of_io(&e, host));
    }
    let mut tries = JoinSet::new();
    for address in addresses {
        tries.spawn(async move { TcpStream::connect(address).await.map(|_| address) });
    }
    let mut first = None;
    while let Some(tried) = tries.join_next().await {
        match tried {
            Ok(Ok(address)) => return Ok(address),
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args, free_port};

    async fn ask(json: serde_json::Value) -> Result<Out, Fault> {
        Tcp::observe(&args(json), &TestHost::new().cx()).await
    }

    #[tokio::test]
    async fn open_and_closed_are_both_results() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let out = ask(json!({ "address": address })).await.unwrap();
        assert!(out.open && out.error.is_none());
        assert_eq!(out.address.as_deref(), Some(address.as_str()));
        let port = free_port();
        let out = ask(json!({ "port": port })).await.unwrap();
        assert_eq!((out.open, out.error.as_deref(), out.port), (false, Some("connection refused"), port));
    }

    #[tokio::test]
    async fn a_name_with_several_addresses_is_open_if_one_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let out = ask(json!({ "host": "localhost", "port": port, "timeout": "5s" })).await.unwrap();
        assert!(out.open, "{out:?}");
        assert!(out.address.unwrap().starts_with("127.0.0.1:"));
    }

    #[tokio::test]
    async fn a_port_alone_is_on_this_machine() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let out = ask(json!({ "address": listener.local_addr().unwrap().port() })).await.unwrap();
        assert!(out.open);
        assert_eq!(out.host, "127.0.0.1");
    }

    #[tokio::test]
    async fn the_limit_of_the_attempt_counts() {
        let host = TestHost::new();
        let mut cx = host.cx();
        cx.timeout = Some(Std::ZERO);
        // An address of the documentation's net: nobody answers there, and with no time at all nobody can.
        let out = Tcp::observe(&args(json!({ "address": "192.0.2.1:9" })), &cx).await;
        match out {
            Ok(out) => assert!(!out.open),
            Err(fault) => assert!(matches!(fault, Fault::CannotTell { .. }), "{fault:?}"),
        }
    }

    #[tokio::test]
    async fn nonsense_is_invalid() {
        for bad in [
            json!({}),
            json!({ "address": "::1:80" }),
            json!({ "address": "host:" }),
            json!({ "address": ":80" }),
            json!({ "address": "h:70000" }),
            json!({ "address": "h:0" }),
            json!({ "address": "h:80", "port": 80 }),
            json!({ "address": "h:80", "host": "h" }),
        ] {
            assert!(matches!(ask(bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
        }
    }

    #[test]
    fn addresses_are_split() {
        assert_eq!(split("[::1]:80").unwrap(), ("::1".to_owned(), 80));
        assert_eq!(split("db.internal:5432").unwrap(), ("db.internal".to_owned(), 5432));
    }
}
