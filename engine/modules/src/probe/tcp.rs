//! `tcp`: whether somebody takes connections on a host and port.

use std::time::{Duration as Std, Instant};

use futures_util::future::join_all;
use regex::Regex;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Need, Probe, Touches, hand_word};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;

use crate::support::address::{check_host, split};
use crate::support::args::Text;
use crate::support::by_hand;
use crate::support::net::{self, Failure};
use crate::support::stream::{Duplex, reach, say, secure};
use crate::support::tls::{self, Trust};

pub(crate) struct Tcp;

/// Looks whether a host takes TCP connections on a port, or on several.
///
/// It connects and hangs up at once. Closed is an ordinary result: without `expect` the step is ok if the port is open, and
/// `expect: not open` asks for the opposite. `error` says why it is not open: `connection refused`, `timed out after 250ms`,
/// `there is no host named ...`. Of several `ports`, `open` means all of them and `any_open` one of them at least; they are tried at the
/// same time.
///
/// A host name with several addresses is open if one of them is; they are tried at the same time.
///
/// With `send` or `until` it has a short talk first: it sends a text and reads until a pattern is found. A server that does not say what was
/// awaited is `open` but not `answered`, and without `expect` the step fails.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// Host and port such as `127.0.0.1:7000` or `[::1]:7000`; a port alone means this machine. Give this, or `port`, or `ports`.
    #[serde(default)]
    address: Option<Text>,
    /// The host name or address. Default: `127.0.0.1`.
    #[serde(default)]
    host: Option<String>,
    /// The port, 1 to 65535.
    #[serde(default)]
    #[schemars(range(min = 1))]
    port: Option<u16>,
    /// Several ports of the host.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1000), inner(range(min = 1)))]
    ports: Option<Vec<u16>>,
    /// A text to send once the connection is there, such as `"PING\\r\\n"`. Default: none.
    #[serde(default)]
    send: Option<String>,
    /// A regular expression for what the server says: it reads until this is found. Default: with `send` or `tls` alone, nothing is awaited.
    #[serde(default)]
    #[schemars(extend("format" = "regex"))]
    until: Option<String>,
    /// Whether to speak TLS. Default: false. For certificates there is `tls`.
    #[serde(default)]
    tls: bool,
    /// The name to ask for in TLS. Default: the host.
    #[serde(default)]
    server_name: Option<String>,
    /// A file in PEM with the authorities to trust, in place of those that this machine trusts. Default: none.
    #[serde(default)]
    ca_file: Option<String>,
    /// Whether to take any certificate. Default: false.
    #[serde(default)]
    insecure: bool,
    /// The longest time for the connection, and for the talk with it. Default: `250ms` for this machine, `1s` for others; `2s` and `5s` with a talk
    /// or TLS. A shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
}

/// What connecting gave.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether a connection was made, to every port if there are several.
    open: bool,
    /// Whether a connection was made to one of the ports at least.
    any_open: bool,
    /// Whether the talk went as awaited; true if none was awaited.
    answered: bool,
    /// Why it is not open or did not answer, such as `connection refused`; null if it did.
    error: Option<String>,
    /// How long it took to know.
    elapsed: Duration,
    /// The address and port that took the connection, such as `127.0.0.1:7000`; null if none did.
    address: Option<String>,
    /// The host that was asked for.
    host: String,
    /// The port that was asked for, the first one if there are several.
    port: u16,
    /// What the server said, at most 64 KiB; null if it was not listened to.
    received: Option<String>,
    /// Each port by itself.
    ports: Vec<One>,
}

/// One port.
#[derive(Debug, Serialize, JsonSchema)]
struct One {
    /// The port.
    port: u16,
    /// Whether a connection was made.
    open: bool,
    /// Why it is not open or did not answer; null if it did.
    error: Option<String>,
    /// How long it took to know.
    elapsed: Duration,
}

/// The most of an answer that is read.
const MOST: usize = 64 << 10;

impl Args {
    fn targets(&self) -> Result<(String, Vec<u16>), Fault> {
        let host = || self.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned());
        match (&self.address, self.port, &self.ports) {
            (_, Some(_), Some(_)) => Err(Fault::invalid("ports", "give either `port` or `ports`, not both")),
            (Some(_), Some(_), None) => Err(Fault::invalid("port", "give either `address` or `port`, not both")),
            (Some(_), None, Some(_)) => Err(Fault::invalid("ports", "give `ports` together with `host`, not with `address`")),
            (Some(_), None, None) if self.host.is_some() => {
                Err(Fault::invalid("host", "give `host` together with `port`, not with `address`"))
            }
            (Some(Text(address)), None, None) => split(address, None).map(|(host, port)| (host, vec![port])),
            (None, Some(port), None) => Ok((host(), vec![port])),
            (None, None, Some(ports)) if ports.is_empty() || ports.contains(&0) => {
                Err(Fault::invalid("ports", "name at least one port from 1 to 65535"))
            }
            (None, None, Some(ports)) => Ok((host(), ports.clone())),
            (None, None, None) => Err(Fault::invalid("address", "say where: `tcp: 127.0.0.1:7000`")),
        }
    }

    fn until(&self) -> Result<Option<Regex>, Fault> {
        self.until.as_deref().map(Regex::new).transpose().map_err(|e| Fault::invalid("until", e.to_string()))
    }
}

impl Probe for Tcp {
    const NAME: &'static str = "tcp";
    const MAIN: Option<&'static str> = Some("address");
    const VERDICT: &'static str = "open and (answered is none or answered)";
    const SAYS: &'static str = "open, {{ elapsed }}";
    const COLUMNS: &'static [&'static str] = &["port"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A port takes connections", yaml: "tcp: 127.0.0.1:6379", runs: false },
        Example { title: "Nobody listens any more", yaml: "tcp: 127.0.0.1:{port}\nexpect: not open\n", runs: true },
        Example {
            title: "All ports are released",
            yaml: "tcp: { ports: [7000, 7010, 7020] }\nexpect: not any_open\n",
            runs: false,
        },
        Example { title: "A server that greets", yaml: "tcp: { address: 'mail.internal:25', until: '^220 ' }\n", runs: false },
        Example {
            title: "Another host, with a limit",
            yaml: "tcp: { host: db.internal, port: 5432, timeout: 500ms }\nexpect:\n  - open\n  - elapsed < 100ms\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let (host, ports) = match args.text("address") {
            Some(address) => match address.rsplit_once(':') {
                Some((host, port)) => (host.trim_matches(['[', ']']).to_owned(), vec![port.to_owned()]),
                None => ("127.0.0.1".to_owned(), vec![address]),
            },
            None if args.get("ports").is_some() => (args.or("host", "127.0.0.1"), args.list("ports")),
            None => (args.or("host", "127.0.0.1"), vec![args.or("port", "<port>")]),
        };
        // `nc` waits for whole seconds.
        let seconds = args.seconds("timeout").and_then(|s| s.parse::<f64>().ok()).map_or(1, |s| s.ceil().max(1.0) as u64);
        let (host, port) = (hand_word(&host), ports.first().map_or("<port>", String::as_str));
        let talk = args.get("send").is_some() || args.get("until").is_some();
        if args.flag("tls", false) {
            let mut to = hand_word(&format!("{host}:{port}"));
            if let Some(name) = args.text("server_name") {
                to += &format!(" -servername {}", hand_word(&name));
            }
            let line = format!("openssl s_client -quiet -connect {to}");
            return ByHand::run(by_hand::with_input(&line, &args.or("send", ""))).expect("the answer is the one that is awaited");
        }
        if talk {
            let line = format!("nc -w {seconds} {host} {}", hand_word(port));
            return ByHand::run(by_hand::with_input(&line, &args.or("send", ""))).expect("the answer is the one that is awaited");
        }
        let hand = ports
            .iter()
            .fold(ByHand::default(), |hand, port| hand.and(format!("nc -v -z -w {seconds} {host} {}", hand_word(port))));
        hand.expect("it is said to be open")
    }

    fn touches(args: &Args) -> Touches {
        let Ok((host, ports)) = args.targets() else { return Touches::default() };
        ports.iter().fold(Touches::default(), |touches, port| {
            touches.and_reads(net::resource(&host, *port)).needing(Need::Net { host: host.clone(), port: *port })
        })
    }

    fn check(args: &Args) -> Result<(), Fault> {
        let (host, ports) = args.targets()?;
        args.until()?;
        if ports.len() > 1 && (args.send.is_some() || args.until.is_some() || args.tls) {
            return Err(Fault::invalid("ports", "a talk or TLS is with one port; use `for_each` for several"));
        }
        if !args.tls && (args.server_name.is_some() || args.ca_file.is_some() || args.insecure) {
            return Err(Fault::invalid("tls", "`server_name`, `ca_file` and `insecure` need `tls: true`"));
        }
        check_host(if args.address.is_some() { "address" } else { "host" }, &host)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let (host, ports) = args.targets()?;
        let talk = Talk::of(args, &host, cx)?;
        let near = net::is_loopback(&host);
        let default = match (talk.is_some(), near) {
            (false, true) => 250,
            (false, false) => 1000,
            (true, true) => 2000,
            (true, false) => 5000,
        };
        let limit = net::shorter(args.timeout.map_or(Std::from_millis(default), Duration::to_std), cx.timeout);
        let started = Instant::now();
        let all = join_all(ports.iter().map(|port| one(&host, *port, limit, talk.as_ref()))).await;
        let mut out = Out {
            open: all.iter().all(|(one, _)| one.open),
            any_open: all.iter().any(|(one, _)| one.open),
            answered: all.iter().all(|(one, seen)| !one.open || seen.answered),
            error: all.iter().find_map(|(one, _)| one.error.clone()),
            elapsed: net::rounded(started.elapsed()),
            address: None,
            host,
            port: ports[0],
            received: None,
            ports: Vec::new(),
        };
        for (one, seen) in all {
            if let Some(ours) = seen.ours {
                return Err(Fault::cannot_tell(ours));
            }
            out.address = out.address.or(seen.address);
            out.received = out.received.or(seen.received);
            out.ports.push(one);
        }
        Ok(out)
    }
}

/// What is said and awaited.
struct Talk {
    send: Vec<u8>,
    until: Option<Regex>,
    tls: Option<(String, rustls::ClientConfig)>,
}

impl Talk {
    fn of(args: &Args, host: &str, cx: &Cx<'_>) -> Result<Option<Talk>, Fault> {
        if args.send.is_none() && args.until.is_none() && !args.tls {
            return Ok(None);
        }
        let tls = if args.tls {
            let trust = Trust::of(cx, args.insecure, args.ca_file.as_deref(), None, None);
            let config = tls::config(cx.shared(), &trust, true, &[]).map_err(|f| f.into_fault(()))?;
            Some((args.server_name.clone().unwrap_or_else(|| host.to_owned()), config))
        } else {
            None
        };
        Ok(Some(Talk { send: args.send.clone().unwrap_or_default().into_bytes(), until: args.until()?, tls }))
    }
}

/// What one connection showed.
#[derive(Default)]
struct Seen {
    address: Option<String>,
    answered: bool,
    received: Option<String>,
    /// Why our side could not look.
    ours: Option<String>,
}

async fn one(host: &str, port: u16, limit: Std, talk: Option<&Talk>) -> (One, Seen) {
    let started = Instant::now();
    let mut seen = Seen { answered: talk.is_none(), ..Seen::default() };
    let result = tokio::time::timeout(limit, visit(host, port, talk, &mut seen)).await;
    let error = match result.unwrap_or_else(|_| Err(net::timed_out(limit))) {
        Ok(()) => None,
        Err(Failure::Answer(why)) => Some(why),
        Err(Failure::Ours(why)) => {
            seen.ours = Some(why.clone());
            Some(why)
        }
    };
    (One { port, open: seen.address.is_some(), error, elapsed: net::rounded(started.elapsed()) }, seen)
}

async fn visit(host: &str, port: u16, talk: Option<&Talk>, seen: &mut Seen) -> Result<(), Failure> {
    let reached = reach(host, port).await?;
    seen.address = Some(reached.address.to_string());
    let Some(talk) = talk else { return Ok(()) };
    let mut stream: Box<dyn Duplex> = match &talk.tls {
        None => Box::new(reached.stream),
        Some((name, config)) => Box::new(secure(reached.stream, name, config.clone()).await.0?),
    };
    say(&mut stream, &talk.send).await?;
    let Some(until) = &talk.until else {
        seen.answered = true;
        return Ok(());
    };
    let mut all = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        let found = until.is_match(&text);
        seen.received = Some(text);
        if found {
            seen.answered = true;
            return Ok(());
        }
        if all.len() >= MOST {
            return Err(Failure::Answer(format!("`{until}` is not in the first 64 KiB of the answer")));
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await.map_err(|e| net::of_io(&e, host))? {
            0 => return Err(Failure::Answer(format!("the server hung up before it said `{until}`"))),
            n => all.extend_from_slice(&buffer[..n]),
        }
    }
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

    #[tokio::test]
    async fn several_ports_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (open, closed) = (listener.local_addr().unwrap().port(), free_port());
        let out = ask(json!({ "ports": [open, closed] })).await.unwrap();
        assert_eq!((out.open, out.any_open, out.error.as_deref()), (false, true, Some("connection refused")));
        let each: Vec<_> = out.ports.iter().map(|p| (p.port, p.open)).collect();
        assert_eq!(each, [(open, true), (closed, false)]);
        let out = ask(json!({ "ports": [closed] })).await.unwrap();
        assert!(!out.any_open && !out.open);
    }

    /// Says a line, and then whatever it is told.
    fn parrot(greeting: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            use std::io::{Read, Write};
            for mut stream in listener.incoming().flatten() {
                let _ = stream.write_all(greeting.as_bytes());
                let mut told = [0; 64];
                let n = stream.read(&mut told).unwrap_or(0);
                let _ = stream.write_all(&told[..n]);
            }
        });
        port
    }

    #[tokio::test]
    async fn a_talk_with_a_server() {
        let port = parrot("220 hello\r\n");
        let out = ask(json!({ "port": port, "until": "^220 " })).await.unwrap();
        assert_eq!((out.open, out.answered, out.received.as_deref()), (true, true, Some("220 hello\r\n")));
        let out = ask(json!({ "port": port, "send": "PING\r\n", "until": "PING" })).await.unwrap();
        assert!(out.answered, "{out:?}");
        let out = ask(json!({ "port": port, "send": "PING\r\n", "until": "PONG" })).await.unwrap();
        assert_eq!((out.open, out.answered), (true, false));
        assert!(out.error.unwrap().contains("hung up before it said `PONG`"));
        let out = ask(json!({ "port": port, "until": "never", "timeout": "50ms" })).await.unwrap();
        assert_eq!((out.answered, out.error.as_deref()), (false, Some("timed out after 50ms")));
        let out = ask(json!({ "port": port, "tls": true, "insecure": true, "send": "x" })).await.unwrap();
        assert!(out.open && !out.answered && out.error.unwrap().contains("does not speak TLS"));
        for bad in [
            json!({ "port": port, "until": "(" }),
            json!({ "ports": [1, 2], "until": "a" }),
            json!({ "port": 1, "insecure": true }),
        ] {
            assert!(matches!(Tcp::check(&args(bad.clone())), Err(Fault::Invalid { .. })), "{bad}");
        }
    }
}
