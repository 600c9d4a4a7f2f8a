//! `port`: who listens on a port of this machine.

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::yes;
use crate::support::ports::{self, Where};
use crate::support::service_by_hand::listener;

pub(crate) struct Port;

/// Looks in this machine's table of TCP ports whether anybody listens on one, and who.
///
/// It connects to nobody. Whether a port can be reached from here, on this machine or another, is what `tcp` looks at.
///
/// The step is ok if somebody listens; write `expect: free` for the opposite. A process of another user cannot always be seen: then
/// `owner_known` is false and `user` is all that is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The port, from 1 to 65535.
    #[schemars(range(min = 1))]
    port: u16,
    /// The local address that it is asked about: one that listens on all addresses counts too. `localhost` means IPv4 and IPv6, `*` any
    /// address. Default: `127.0.0.1`.
    #[serde(default = "loopback")]
    host: String,
    /// Whether to find out who listens, which takes tens of milliseconds. Default: true.
    #[serde(default = "yes")]
    owner: bool,
}

fn loopback() -> String {
    "127.0.0.1".to_owned()
}

/// Who listens.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The port.
    port: u16,
    /// Whether somebody listens on it.
    listening: bool,
    /// Whether nobody does.
    free: bool,
    /// The process id of who listens; null if nobody does, it cannot be seen, or it was not asked for.
    pid: Option<u32>,
    /// The name of that process.
    process: Option<String>,
    /// The command line of that process.
    command: Option<String>,
    /// The user who listens.
    user: Option<String>,
    /// The address that is listened on, such as `0.0.0.0:7000`.
    address: Option<String>,
    /// Whether it is known which process listens.
    owner_known: bool,
}

fn place(host: &str) -> Result<Where, Fault> {
    Where::parse(host).ok_or_else(|| {
        Fault::invalid("host", format!("`{host}` is not an address of this machine; to look at another host use `tcp`"))
    })
}

impl Probe for Port {
    const NAME: &'static str = "port";
    const MAIN: Option<&'static str> = Some("port");
    const VERDICT: &'static str = "listening";
    const SAYS: &'static str = "{{ 'listening on ' ~ address if listening else 'free' }}";
    const COLUMNS: &'static [&'static str] = &["port", "process"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Nobody listens", yaml: "port: {port}\nexpect: free\n", runs: true },
        Example { title: "Somebody listens on the port of a service", yaml: "port: 7020\n", runs: false },
        Example {
            title: "It is the right one",
            yaml: "port: { port: 5432, host: localhost }\nexpect:\n  - listening\n  - process == 'postgres'\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let hand = ByHand::run(listener(&args.or("port", "<port>"))).expect("a line that begins with LISTEN");
        match args.text("host") {
            Some(host) if host != "*" => {
                hand.note(format!("Only what listens on {host}, on `0.0.0.0`, on `[::]` or on `*` counts."))
            }
            _ => hand,
        }
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([Resource::new("port", args.port)])
    }

    fn check(args: &Args) -> Result<(), Fault> {
        place(&args.host).map(drop)
    }

    async fn observe(args: &Args, _: &Cx<'_>) -> Result<Out, Fault> {
        let at = place(&args.host)?;
        let sockets = ports::listeners(args.port, at)
            .map_err(|e| Fault::cannot_tell(format!("the table of listening ports cannot be read: {e}")))?;
        let mut out = Out {
            port: args.port,
            listening: !sockets.is_empty(),
            free: sockets.is_empty(),
            pid: None,
            process: None,
            command: None,
            user: None,
            address: sockets.first().map(|s| s.address.to_string()),
            owner_known: false,
        };
        if args.owner
            && let Some(owner) = ports::owner(sockets).await
        {
            out.owner_known = owner.process.is_some();
            out.user = Some(owner.user);
            if let Some(look) = owner.process {
                out.command = Some(look.command());
                (out.pid, out.process) = (Some(look.pid), Some(look.name));
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args, close};

    async fn look(json: serde_json::Value) -> Result<Out, Fault> {
        Port::observe(&args(json), &TestHost::new().cx()).await
    }

    #[tokio::test]
    async fn who_listens_is_told() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let out = look(json!({"port": port})).await.unwrap();
        assert!(out.listening && !out.free && out.owner_known);
        assert_eq!((out.pid, out.address), (Some(std::process::id()), Some(format!("127.0.0.1:{port}"))));
        assert!(out.user.is_some() && out.process.is_some() && out.command.is_some());
        let out = look(json!({"port": port, "owner": false})).await.unwrap();
        assert!(out.listening && !out.owner_known && out.pid.is_none());
        // Not where it listens.
        assert!(look(json!({"port": port, "host": "127.0.0.2"})).await.unwrap().free);
        assert!(look(json!({"port": port, "host": "*"})).await.unwrap().listening);
        close(socket).await;
        let out = look(json!({"port": port})).await.unwrap();
        assert!(!out.listening && out.free && out.pid.is_none() && out.user.is_none());
    }

    #[tokio::test]
    async fn another_host_is_refused() {
        let fault = look(json!({"port": 80, "host": "example.org"})).await.unwrap_err();
        assert!(
            matches!(&fault, Fault::Invalid { argument: Some(a), message } if a == "host" && message.contains("use `tcp`")),
            "{fault:?}"
        );
    }
}
