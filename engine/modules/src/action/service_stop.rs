//! `service.stop`: stop a service of the system.

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::service_start::touched;
use crate::support::identity::{Found, Standing, inspect};
use crate::support::service_by_hand::HandService;
use crate::support::service_entry::ServiceEntry;
use crate::support::service_files::Files;
use crate::support::service_managers::{self, Deed, is_managed};
use crate::support::stop::{self, NotEnded};

pub(crate) struct ServiceStop;

/// Stops a service of the system, if it runs.
///
/// It sends the entry's `stop.signal` (default `TERM`) to the service's whole process group, and to what has left the group but bears
/// the service's mark. Stopped means that no process of it is left and its ports are free; then its pid file is removed.
///
/// What is still running after `grace` makes the step fail, naming the processes; with `force: true` it is killed instead. Killing loses
/// what the service was about to write, so ask before it (`confirm`) where that matters.
///
/// A service that does not run is ok and unchanged; a stale pid file is removed. A process that only has the number that the pid file
/// holds is never signalled.
///
/// With `manager: systemd` the entry's `unit` is stopped, with `manager: compose` the service's containers, which are kept; both managers
/// kill by themselves what does not stop in time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The service, as it is called in the system.
    #[schemars(length(min = 1))]
    name: String,
    /// Whether to kill what is still running after `grace`. Default: false.
    #[serde(default)]
    force: bool,
    /// How long it may take to stop by itself; a shorter `timeout` of the step shortens it. Default: the entry's `stop.grace`, or `10s`.
    #[serde(default)]
    grace: Option<Duration>,
    #[serde(default)]
    #[schemars(skip)]
    entry: Option<ServiceEntry>,
}

/// How it was stopped.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The service.
    name: String,
    /// How it stood before, in the words of the `service` probe's `state`.
    pub(crate) was: String,
    /// The process id that it had; null if none was known.
    pid: Option<u32>,
    /// Whether nothing of it runs now.
    stopped: bool,
    /// The signal that asked it to stop; null if none was sent.
    signal: Option<String>,
    /// Whether it had to be killed.
    pub(crate) killed: bool,
    /// How long it took.
    took: Duration,
}

/// Stops it, if it runs. The caller holds its lock.
///
/// # Errors
/// If it does not stop, may not be signalled, or cannot be told from other processes.
pub(crate) async fn stop(
    entry: &ServiceEntry,
    force: bool,
    grace: Option<Duration>,
    change: &Change<'_>,
    files: &Files,
) -> Result<Done<Out>, Fault> {
    let Found { standing, record } = inspect(entry, files, change.root);
    let mut out = Out {
        name: entry.id.clone(),
        was: standing.word().to_owned(),
        pid: standing.pid(),
        stopped: true,
        signal: None,
        killed: false,
        took: Duration::from_millis(0),
    };
    let target = match &standing {
        Standing::Live(target, _) | Standing::Leaderless(target, _) => target,
        Standing::Unknown(_) => {
            return Err(Fault::cannot_tell(format!("`{}`: {}; nothing was signalled", entry.id, standing.described())));
        }
        Standing::Stopped | Standing::Stale { .. } | Standing::Foreign { .. } => {
            if files.remove()? {
                change.progress(&format!("removed the stale pid file of `{}`: {}", entry.id, standing.described()));
            }
            return Ok(Done::unchanged(out));
        }
    };
    let mut ports = entry.ports.clone();
    ports.extend(record.iter().flat_map(|r| r.ports.clone()));
    ports.sort_unstable();
    ports.dedup();
    let strangers = stop::strangers(target, &ports);
    let mut grace = grace.map_or(entry.grace, Duration::to_std);
    if let Some(limit) = change.timeout {
        // What is left of the step's own limit is for killing, or for saying what still runs.
        grace = grace.min(limit.mul_f64(0.8));
    }
    let started = std::time::Instant::now();
    out.signal = Some(entry.stop_signal.name().to_owned());
    match stop::end(change, target, entry.stop_signal.0, grace, force).await {
        Ok(ended) => out.killed = ended.killed,
        Err(NotEnded::Refused(fault)) => return Err(fault),
        Err(NotEnded::Left(left)) => {
            (out.stopped, out.killed, out.took) = (false, force, started.elapsed().into());
            return Err(Fault::unmet_with(stop::left_over(&entry.id, &left, grace, force), out));
        }
    }
    let released = stop::wait_for_ports(change, &entry.id, &ports, &strangers).await;
    out.took = started.elapsed().into();
    files.remove()?;
    match released {
        Ok(()) => Ok(Done::changed(out)),
        Err(message) => Err(Fault::unmet_with(message, out)),
    }
}

impl Action for ServiceStop {
    const NAME: &'static str = "service.stop";
    const MAIN: Option<&'static str> = Some("name");
    const SAYS: &'static str = "was {{ was }}{{ ', killed' if killed else '' }}";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Stop a service", yaml: "service.stop: memory-engine\n", runs: false },
        Example {
            title: "Kill it if it does not stop within 30 seconds, but ask first",
            yaml: "service.stop: { name: memory-engine, force: true, grace: 30s }\nconfirm: true\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let service = HandService::of(args);
        let hand = service.elsewhere("stop").unwrap_or_else(|| service.stop(args.flag("force", false), args.text("grace")));
        hand.expect("no process of it is left, and its port is free")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        touched(&args.name, args.entry.as_ref()).needing(Need::Signal)
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let entry = ServiceEntry::ours(args.entry.as_ref(), &args.name)?;
        if is_managed(entry) {
            return service_managers::forecast(Deed::Stop, entry, cx).await;
        }
        let standing = inspect(entry, &Files::of(entry, cx), cx.root).standing;
        let (name, described) = (&entry.id, standing.described());
        Ok(match &standing {
            Standing::Live(..) | Standing::Leaderless(..) => {
                let grace = args.grace.unwrap_or(entry.grace.into());
                let then = if args.force { "; kill what is left after" } else { "; wait at most" };
                let limit = runbook_core::value::format_duration(grace.0);
                let summary = format!("stop `{name}` with {}{then} {limit}", entry.stop_signal);
                let change = (format!("service:{name}"), standing.word().to_owned(), "stopped".to_owned());
                Forecast { from_to: vec![change], ..Forecast::would(summary, described) }
            }
            Standing::Unknown(_) => return Err(Fault::cannot_tell(format!("`{name}`: {described}"))),
            Standing::Stopped | Standing::Stale { .. } | Standing::Foreign { .. } => Forecast::nothing(described),
        })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let entry = ServiceEntry::ours(args.entry.as_ref(), &args.name)?;
        if is_managed(entry) {
            let began = std::time::Instant::now();
            let (now, before, changed) = service_managers::perform(Deed::Stop, entry, args.grace, cx).await?;
            let out = Out {
                name: entry.id.clone(),
                was: before.state,
                pid: before.pid,
                stopped: true,
                signal: None,
                killed: changed && now.exit_code == Some(137),
                took: began.elapsed().into(),
            };
            return Ok(Done { changed, out });
        }
        let files = Files::of(entry, cx);
        let _lock = files.lock(cx, &args.name).await?;
        stop(entry, args.force, args.grace, cx, &files).await
    }
}
