//! `service`: how a service of the system stands.

use std::net::IpAddr;
use std::time::Duration as Std;

use runbook_core::module::{ByHand, Cx, Example, ExitReason, Fault, HandArgs, Probe, Resource, Touches};
use runbook_core::value::{Duration, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::yes;
use crate::support::identity::{Found, Standing, inspect, members};
use crate::support::ports::{self, Listener, Where};
use crate::support::process;
use crate::support::service_by_hand::HandService;
use crate::support::service_entry::{Manager, ServiceEntry};
use crate::support::service_files::{Files, Record};
use crate::support::service_managers::{self, is_managed};
use crate::support::signals::name_of;

/// The most lines of its log that are told about a service that ended.
const TAIL: usize = 20;

pub(crate) struct Service;

/// Looks how a service of the system stands: whether it runs, since when, and whether it listens.
///
/// `state` is `running`, `stopped`, `stale` (its pid file speaks of a process that is gone), `foreign` (that number now belongs to
/// another process), `leaderless` (its main process is gone, but others of it are left) or `unknown`. Who it is, is told by process
/// id, start time and boot; a pid file that another tool wrote counts if the process is what the system's entry would start.
///
/// What systemd or Docker Compose manages is looked at by asking them: it may also be `starting`, `stopping`, `paused`, or `failed`,
/// which a container is that the daemon starts again and again.
///
/// The step is ok if it runs and its `ready` checks do not fail. Of an `external` service only its port can be seen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The service, as it is called in the system.
    #[schemars(length(min = 1))]
    name: String,
    /// Whether to run the service's `ready` checks too. Default: true.
    #[serde(default = "yes")]
    #[expect(dead_code, reason = "the interpreter reads it and runs the checks")]
    ready: bool,
    /// Whether to find out who listens on its port, which takes tens of milliseconds. Default: false.
    #[serde(default)]
    owner: bool,
    #[serde(default)]
    #[schemars(skip)]
    entry: Option<ServiceEntry>,
}

/// How the service stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The service.
    name: String,
    /// `running`, `stopped`, `stale`, `foreign`, `leaderless` or `unknown`; of systemd or Compose also `starting`, `stopping`, `paused`, `failed`.
    state: String,
    /// The same in words, with the reason.
    detail: String,
    /// Its process id, or the one its pid file holds; null if none is known.
    pid: Option<u32>,
    /// Its main port; null if it has none.
    port: Option<u16>,
    /// Whether somebody listens on its main port; null if it has none.
    listening: Option<bool>,
    /// With `owner: true`, who listens there, such as `pid 4711 (python3 -m http.server 7000) of user root`; else null.
    owner: Option<String>,
    /// With `owner: true`, whether it is the service itself that listens there; else null.
    owned: Option<bool>,
    /// How long it has been running; null if it is not.
    uptime: Option<Duration>,
    /// When it was started, as far as known.
    #[serde(rename = "since")]
    started_at: Option<Time>,
    /// The exit code it ended with, if this run started it or its manager knows it; else null.
    exit_code: Option<i32>,
    /// The signal that ended it, such as `KILL`, if this run started it; else null.
    signal: Option<String>,
    /// Whether its `ready` checks hold; null if they were not run.
    ready: Option<bool>,
    /// Why they do not hold; else null.
    ready_detail: Option<String>,
    /// The last 20 lines that it wrote since its last start, if it does not run; those of standard error, or if there are none, of output.
    log_tail: Vec<String>,
    /// Who starts and stops it: `process`, `systemd`, `compose` or `external`.
    manager: String,
}

fn tail(record: &Record) -> Vec<String> {
    let lines = record.stderr.tail(TAIL);
    if lines.is_empty() { record.stdout.tail(TAIL) } else { lines }
}

/// How a process that this run started has ended. That it is gone may be seen a moment before the host has collected it.
async fn how_it_ended(pid: u32, cx: &Cx<'_>) -> Option<ExitReason> {
    let uncollected = || process::look(pid).ok().flatten().is_some_and(|l| l.ended() && l.ppid == std::process::id());
    for pause in [1, 4, 20, 50, 100] {
        let ended = cx.exit_of(pid);
        if ended.is_some() || (pause > 4 && !uncollected()) {
            return ended;
        }
        cx.sleep(Std::from_millis(pause)).await;
    }
    cx.exit_of(pid)
}

/// Host and port of the address where an external service says how it is.
fn host_and_port(url: &str) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(url).ok()?;
    Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port_or_known_default()?))
}

/// Whether an external service listens; `None` if that cannot be seen.
async fn external_listens(entry: &ServiceEntry) -> (Option<u16>, Option<bool>) {
    let from_url = entry.health_url.as_deref().and_then(host_and_port);
    let host = from_url.as_ref().map_or_else(|| "127.0.0.1".to_owned(), |(host, _)| host.clone());
    let Some(port) = entry.ports.first().copied().or(from_url.map(|(_, port)| port)) else { return (None, None) };
    if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
        return (Some(port), ports::listeners(port, Where::Loopback).ok().map(|l| !l.is_empty()));
    }
    let attempt = tokio::time::timeout(Std::from_secs(1), tokio::net::TcpStream::connect((host.as_str(), port))).await;
    (Some(port), Some(matches!(attempt, Ok(Ok(_)))))
}

impl Probe for Service {
    const NAME: &'static str = "service";
    const MAIN: Option<&'static str> = Some("name");
    const VERDICT: &'static str = "state == 'running' and ready != false";
    const SAYS: &'static str = "{{ detail }}";
    const COLUMNS: &'static [&'static str] = &["port", "pid", "ready", "uptime"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A service runs and is ready", yaml: "service: memory-engine\n", runs: false },
        Example {
            title: "It was not restarted within the last hour",
            yaml: "service: { name: memory-engine, ready: false }\nexpect:\n  - state == 'running'\n  - uptime > 1h\n",
            runs: false,
        },
        Example {
            title: "It is the service itself that listens on its port",
            yaml: "service: { name: memory-engine, owner: true }\nexpect: owned\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let service = HandService::of(args);
        let mut hand = match args.inside("entry").text("manager").as_deref() {
            Some("external") => ByHand::default(),
            _ => service.elsewhere("status").unwrap_or_else(|| ByHand::run(service.look())),
        };
        hand.lines.extend(service.listeners());
        if hand.is_empty() {
            return hand.note("Whether it runs cannot be seen from here: ask those who run it.");
        }
        hand.expect("its process is shown, and it listens on its port")
    }

    fn touches(args: &Args) -> Touches {
        let mut touches = Touches::reads([Resource::new("service", &args.name)]);
        for port in args.entry.iter().flat_map(|e| &e.ports) {
            touches.reads.push(Resource::new("port", port));
        }
        touches
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let entry = ServiceEntry::of(args.entry.as_ref(), &args.name)?;
        let port = entry.ports.first().copied();
        let mut out = Out {
            name: entry.id.clone(),
            state: String::new(),
            detail: String::new(),
            pid: None,
            port,
            listening: None,
            owner: None,
            owned: None,
            uptime: None,
            started_at: None,
            exit_code: None,
            signal: None,
            ready: None,
            ready_detail: None,
            log_tail: Vec::new(),
            manager: entry.manager.word().to_owned(),
        };
        if entry.manager == Manager::External {
            (out.port, out.listening) = external_listens(entry).await;
            let (state, detail) = match out.listening {
                Some(true) => ("running", "somebody listens on its port"),
                Some(false) => ("stopped", "nobody listens on its port"),
                None => ("unknown", "it has neither a port nor a health_url to look at"),
            };
            (out.state, out.detail) = (state.to_owned(), detail.to_owned());
            return Ok(out);
        }
        if is_managed(entry) {
            let seen = service_managers::look(entry, cx).await?;
            out.listening = port.and_then(|p| ports::listeners(p, Where::Loopback).ok()).map(|l| !l.is_empty());
            (out.state, out.detail, out.pid) = (seen.state, seen.detail, seen.pid);
            (out.started_at, out.uptime, out.exit_code) = (seen.since, seen.uptime, seen.exit_code);
            out.log_tail = seen.log_tail;
            return Ok(out);
        }
        let Found { standing, record } = inspect(entry, &Files::of(entry, cx), cx.root);
        (out.state, out.detail, out.pid) = (standing.word().to_owned(), standing.described(), standing.pid());
        let sockets: Vec<Listener> = port.map(|p| ports::listeners(p, Where::Loopback).unwrap_or_default()).unwrap_or_default();
        out.listening = port.map(|_| !sockets.is_empty());
        match &standing {
            Standing::Live(_, look) => {
                let recorded = record.as_ref().filter(|r| r.pid == look.pid && r.starttime == look.ticks);
                out.uptime = Some(look.uptime().into());
                out.started_at = recorded.map(|r| r.started_at).or_else(|| cx.now().checked_sub(look.uptime()).ok().map(Time));
            }
            _ => {
                if let Some(record) = &record {
                    out.started_at = Some(record.started_at);
                    out.log_tail = tail(record);
                    let ended = how_it_ended(record.pid, cx).await;
                    let how = match ended {
                        Some(ExitReason::Code(code)) => Some(format!("it ended with exit code {code}")),
                        Some(ExitReason::Signal(signal)) => Some(format!("it was ended by signal {}", name_of(signal))),
                        None => None,
                    };
                    out.exit_code = ended.and_then(|e| if let ExitReason::Code(code) = e { Some(code) } else { None });
                    out.signal =
                        ended.and_then(|e| if let ExitReason::Signal(signal) = e { Some(name_of(signal)) } else { None });
                    if let (Some(how), Standing::Stale { .. }) = (how, &standing) {
                        out.detail = how;
                    }
                }
            }
        }
        if args.owner && !sockets.is_empty() {
            let own = match &standing {
                Standing::Live(target, _) | Standing::Leaderless(target, _) => members(target),
                _ => Vec::new(),
            };
            let inodes: Vec<u64> = sockets.iter().map(|s| s.inode).collect();
            out.owned = Some(own.iter().any(|l| ports::holds(l.pid, &inodes) == Some(true)));
            out.owner = ports::owner(sockets).await.map(|o| o.described());
        }
        Ok(out)
    }
}
