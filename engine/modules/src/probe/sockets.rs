//! `sockets`: how many TCP connections there are, by state.

use std::collections::BTreeMap;

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::blocking::blocking;
use crate::support::proc_stat::read;

pub(crate) struct Sockets;

/// Counts this machine's TCP sockets by state.
///
/// It only counts, so without `expect` the step is always ok. Many in `close_wait` are those that a program forgets to close; many
/// in `syn_recv` wait to be taken. The numbers are those of the network that the engine is in: a container has its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// Count only these in `count`: a state such as `established`, or several. Default: all.
    #[serde(default)]
    state: Option<OneOrMany>,
    /// Look only at sockets of this port of the machine. Default: any.
    #[serde(default)]
    #[schemars(range(min = 1))]
    local_port: Option<u16>,
    /// Look only at sockets whose other end is this port. Default: any.
    #[serde(default)]
    #[schemars(range(min = 1))]
    remote_port: Option<u16>,
}

/// How many there are.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// How many there are in the states that were asked for.
    count: u64,
    /// How many there are in all states.
    total: u64,
    /// How many in each state: every state is there, with 0 if there are none.
    by_state: BTreeMap<&'static str, u64>,
    /// Connections that are open.
    established: u64,
    /// Connections that the other end has closed and the program here has not.
    close_wait: u64,
    /// Connections that are closed and kept for a minute, so that nothing late is mistaken.
    time_wait: u64,
    /// Sockets that wait for connections.
    listen: u64,
}

/// The states by the kernel's numbers, from 1.
const STATES: [&str; 12] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
    "new_syn_recv",
];

fn wanted(args: &Args) -> Result<Vec<String>, Fault> {
    let states: Vec<String> = args.state.iter().flat_map(|s| &s.0).map(|s| s.to_ascii_lowercase().replace('-', "_")).collect();
    match states.iter().find(|s| !STATES.contains(&s.as_str())) {
        Some(bad) => Err(Fault::invalid("state", format!("`{bad}` is no state; there are {}", STATES.join(", ")))),
        None => Ok(states),
    }
}

/// The states of the sockets in one of the kernel's tables.
fn states<'a>(table: &'a str, local: Option<u16>, remote: Option<u16>) -> impl Iterator<Item = &'static str> + 'a {
    let fits = |address: &str, port: Option<u16>| {
        port.is_none_or(|p| address.rsplit_once(':').and_then(|(_, hex)| u16::from_str_radix(hex, 16).ok()) == Some(p))
    };
    table.lines().skip(1).filter_map(move |row| {
        let mut fields = row.split_ascii_whitespace().skip(1);
        let (here, there, state) = (fields.next()?, fields.next()?, fields.next()?);
        let number = usize::from_str_radix(state, 16).ok()?;
        STATES.get(number.checked_sub(1)?).copied().filter(|_| fits(here, local) && fits(there, remote))
    })
}

impl Probe for Sockets {
    const NAME: &'static str = "sockets";
    const MAIN: Option<&'static str> = Some("state");
    const VERDICT: &'static str = "true";
    const SAYS: &'static str = "{{ count }} of {{ total }}";
    const COLUMNS: &'static [&'static str] = &["established", "close_wait", "time_wait"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Open connections", yaml: "sockets: established\nexpect: count < 10000\n", runs: true },
        Example {
            title: "No connection of the gateway is forgotten",
            yaml: "sockets: { local_port: 7000 }\nexpect: close_wait < 50\n",
            runs: false,
        },
        Example {
            title: "Connections to the database",
            yaml: "sockets: { remote_port: 5432, state: established }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let port = |name: &str, word: &str| {
            args.text(name).map(|p| format!("{word} = :{}", p.chars().filter(char::is_ascii_digit).collect::<String>()))
        };
        let filter: Vec<String> = [port("local_port", "sport"), port("remote_port", "dport")].into_iter().flatten().collect();
        let filter = filter.join(" and ");
        let filter = if filter.is_empty() { filter } else { format!(" '{filter}'") };
        ByHand::run("ss -s")
            .and(format!("ss -Htan{filter} | awk '{{print $1}}' | sort | uniq -c"))
            .expect("a number for each state")
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([args.local_port.map_or_else(|| Resource::new("port", "*"), |p| Resource::new("port", p))])
    }

    fn check(args: &Args) -> Result<(), Fault> {
        wanted(args).map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let wanted = wanted(args)?;
        let (local, remote) = (args.local_port, args.remote_port);
        let tables = blocking(cx.timeout, |_| Ok([read("/proc/net/tcp")?, read("/proc/net/tcp6").unwrap_or_default()])).await?;
        let mut out = Out { by_state: STATES.iter().map(|s| (*s, 0)).collect(), ..Out::default() };
        for state in tables.iter().flat_map(|t| states(t, local, remote)) {
            out.total += 1;
            *out.by_state.entry(state).or_default() += 1;
            out.count += u64::from(wanted.is_empty() || wanted.iter().any(|w| w == state));
        }
        let of = |state: &str| out.by_state.get(state).copied().unwrap_or_default();
        (out.established, out.close_wait) = (of("established"), of("close_wait"));
        (out.time_wait, out.listen) = (of("time_wait"), of("listen"));
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn look(host: &TestHost, json: Json) -> Out {
        Sockets::observe(&args(json), &host.cx()).await.unwrap()
    }

    #[tokio::test]
    async fn connections_are_counted() {
        let host = TestHost::new();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let out = look(&host, json!({ "local_port": port })).await;
        assert_eq!((out.total, out.listen, out.established), (1, 1, 0));
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (taken, _) = server.accept().unwrap();
        let out = look(&host, json!({ "local_port": port, "state": "established" })).await;
        assert_eq!((out.count, out.total, out.by_state["established"]), (1, 2, 1));
        assert_eq!(look(&host, json!({ "remote_port": port, "state": ["ESTABLISHED", "close-wait"] })).await.count, 1);
        // What the program here forgets to close.
        drop(client);
        let began = std::time::Instant::now();
        while look(&host, json!({ "local_port": port })).await.close_wait != 1 {
            assert!(began.elapsed() < crate::support::testing::PATIENCE);
        }
        drop(taken);
        crate::support::testing::close(server).await;
    }

    #[test]
    fn tables_are_read() {
        let table = "  sl  local_address rem_address   st\n   0: 0100007F:1B58 00000000:0000 0A x\n   1: 0100007F:1B58 0100007F:9999 01 x\n   2: bad\n";
        assert_eq!(states(table, Some(7000), None).collect::<Vec<_>>(), ["listen", "established"]);
        assert_eq!(states(table, None, Some(0x9999)).collect::<Vec<_>>(), ["established"]);
        assert!(Sockets::check(&args(json!({ "state": "open" }))).is_err());
    }
}
