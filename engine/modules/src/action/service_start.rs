//! `service.start`: start a service of the system.

use runbook_core::module::{
    Action, ByHand, Change, Cx, Daemon, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Resource, Touches,
};
use runbook_core::value::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::support::args::{Text, yes};
use crate::support::exec::not_found;
use crate::support::identity::{Found, MARKER, Standing, Target, inspect, list, members, new_marker};
use crate::support::ports::{self, Where};
use crate::support::process;
use crate::support::service_by_hand::HandService;
use crate::support::service_entry::ServiceEntry;
use crate::support::service_files::{Files, LogMark, Record};
use crate::support::service_managers::{self, Deed, Seen, is_managed};
use crate::support::stop;
use crate::support::words::{program_for, shown, texts};

pub(crate) struct ServiceStart;

/// Starts a service of the system, unless it already runs.
///
/// It runs the entry's `command` in a session and process group of its own, its output appended to the entry's log files, and writes
/// its process id to the `pid_file` and what identifies it (start time, boot, marker) to a record beside it. The step then waits until
/// the service's `ready` checks hold; a service that ends before is noticed at once, and the step fails with its last lines.
///
/// A service that already runs is ok and unchanged. A pid file whose process is gone, or whose number now belongs to another process,
/// is removed, and the other process left alone. If one of its ports is taken by a stranger, nothing is started, and the stranger is
/// named. If the main process of an earlier start is gone but others of it are left, nothing is started either: stop the service first.
///
/// With `manager: systemd` the entry's `unit` is started, with `manager: compose` the service of the Compose project, with what it depends
/// on; both are watched until they run, and `args` cannot be given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The service, as it is called in the system.
    #[schemars(length(min = 1))]
    name: String,
    /// Words to add to the end of the entry's command. Default: none.
    #[serde(default)]
    args: Vec<Text>,
    /// Whether to wait until the service's `ready` checks hold. Default: true.
    #[serde(default = "yes")]
    #[expect(dead_code, reason = "the interpreter reads it and runs the checks")]
    ready: bool,
    #[serde(default)]
    #[schemars(skip)]
    entry: Option<ServiceEntry>,
}

/// The service that runs now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The service.
    name: String,
    /// Its process id; null if its manager does not say.
    pub(crate) pid: Option<u32>,
    /// Whether it was running before.
    pub(crate) already_running: bool,
    /// Its main port; null if it has none.
    port: Option<u16>,
    /// How it stands: `running`.
    state: String,
    /// When it was started.
    #[serde(rename = "since")]
    started_at: Time,
    /// The file its standard output goes to; null if systemd or Compose keeps it.
    stdout: Option<String>,
    /// Where in that file this start begins, in bytes; null if it was not started from here.
    stdout_offset: Option<u64>,
    /// The file its standard error goes to; null if systemd or Compose keeps it.
    stderr: Option<String>,
    /// Where in that file this start begins, in bytes; null if it was not started from here.
    stderr_offset: Option<u64>,
    /// Whether a pid file that spoke of a process that is gone, or of somebody else's, was removed.
    removed_stale: bool,
    /// Whether its `ready` checks hold; null if it has none or they were not asked for.
    ready: Option<bool>,
    /// How long they took to hold; null if they were not asked for.
    ready_after: Option<runbook_core::value::Duration>,
}

/// What starting is about to run.
fn command_line(entry: &ServiceEntry, extra: &[Text]) -> Result<Vec<String>, Fault> {
    if entry.argv.is_empty() {
        return Err(Fault::invalid("name", format!("`{}` has no `command` in the system", entry.id)));
    }
    let argv: Vec<String> = entry.argv.iter().cloned().chain(texts(extra)).collect();
    if argv.iter().chain(entry.env.iter().map(|(_, v)| v)).any(|w| w.contains('\0')) {
        return Err(Fault::invalid("name", format!("the command or environment of `{}` holds a NUL character", entry.id)));
    }
    Ok(argv)
}

/// Refuses if a port is taken by somebody who is not the service. `own` is what is about to be stopped.
async fn check_ports(entry: &ServiceEntry, own: Option<&Target>) -> Result<(), Fault> {
    for port in &entry.ports {
        let sockets = ports::listeners(*port, Where::Loopback)
            .map_err(|e| Fault::cannot_tell(format!("the table of listening ports cannot be read: {e}")))?;
        if sockets.is_empty() || own.is_some_and(|target| stop::strangers(target, &[*port]).is_empty()) {
            continue;
        }
        // It may have been closed while its owner was looked for; then nothing is in the way.
        let Some(owner) = ports::owner(sockets).await else { continue };
        return Err(Fault::refused(format!("port {port} is taken by {}", owner.described())));
    }
    Ok(())
}

/// Refuses if there is no such folder or program.
fn check_program(entry: &ServiceEntry, argv: &[String], cx: &Cx<'_>) -> Result<(), Fault> {
    let folder = entry.folder(cx);
    if !folder.is_dir() {
        return Err(Fault::refused(format!("there is no folder `{}` to run `{}` in", folder.display(), entry.id)));
    }
    if program_for(argv, &folder, &entry.env, cx).is_none() {
        return Err(Fault::refused(not_found(argv)));
    }
    Ok(())
}

/// What starting would do now, if it were stopped first when `restart` says so.
///
/// # Errors
/// What would refuse it.
pub(crate) async fn forecast(entry: &ServiceEntry, extra: &[Text], cx: &Cx<'_>, restart: bool) -> Result<Forecast, Fault> {
    let argv = command_line(entry, extra)?;
    let found = inspect(entry, &Files::of(entry, cx), cx.root);
    let own = match &found.standing {
        Standing::Live(..) if !restart => return Ok(Forecast::nothing(format!("already {}", found.standing.described()))),
        Standing::Live(target, _) => Some(target),
        Standing::Leaderless(target, _) if restart => Some(target),
        Standing::Leaderless(..) | Standing::Unknown(_) => return Err(refusal(&entry.id, &found.standing)),
        _ => None,
    };
    check_ports(entry, own).await?;
    check_program(entry, &argv, cx)?;
    let port = entry.ports.first().map(|p| format!(" on port {p}")).unwrap_or_default();
    let verb = if own.is_some() { "stop and start" } else { "start" };
    let forecast = Forecast::would(format!("{verb} `{}`{port}: {}", entry.id, shown(&argv)), found.standing.described());
    let change = (format!("service:{}", entry.id), found.standing.word().to_owned(), "running".to_owned());
    Ok(Forecast { argv, from_to: vec![change], ..forecast })
}

fn refusal(name: &str, standing: &Standing) -> Fault {
    match standing {
        Standing::Leaderless(_, left) => Fault::unmet(format!(
            "the main process of `{name}` is gone, but others of it are left: {}; stop it first with `service.stop`",
            list(left)
        )),
        other => Fault::cannot_tell(format!("`{name}`: {}", other.described())),
    }
}

/// Starts it, unless it runs. The caller holds its lock.
///
/// # Errors
/// What refuses it.
pub(crate) async fn start(entry: &ServiceEntry, extra: &[Text], change: &Change<'_>, files: &Files) -> Result<Done<Out>, Fault> {
    let argv = command_line(entry, extra)?;
    let Found { standing, record } = inspect(entry, files, change.root);
    match &standing {
        Standing::Live(_, look) => {
            // A record speaks of this process only if it is the one that was recorded.
            let record = record.filter(|r| r.pid == look.pid && r.starttime == look.ticks);
            let since = change.now().checked_sub(look.uptime()).unwrap_or(change.now());
            let started_at = record.as_ref().map_or(Time(since), |r| r.started_at);
            let mark = |of: fn(&Record) -> &LogMark| record.as_ref().map(|r| of(r).offset);
            let marks = [mark(|r| &r.stdout), mark(|r| &r.stderr)];
            return Ok(Done::unchanged(out(entry, files, look.pid, started_at, marks, true, false)));
        }
        Standing::Leaderless(..) | Standing::Unknown(_) => return Err(refusal(&entry.id, &standing)),
        Standing::Stopped | Standing::Stale { .. } | Standing::Foreign { .. } => {}
    }
    check_ports(entry, None).await?;
    check_program(entry, &argv, change)?;
    files.make_log_folders()?;
    let removed_stale = files.remove()? && matches!(standing, Standing::Stale { .. } | Standing::Foreign { .. });
    if removed_stale {
        change.progress(&format!("removed the stale pid file of `{}`: {}", entry.id, standing.described()));
    }
    let (stdout, stderr) = (LogMark::at_end(&files.stdout), LogMark::at_end(&files.stderr));
    let marker = new_marker(&entry.id);
    let mut env = entry.env.clone();
    env.push((MARKER.to_owned(), marker.clone()));
    let started_at = Time(change.now());
    let daemon = Daemon {
        argv: argv.clone(),
        cwd: Some(entry.folder(change)),
        env,
        stdout: Some(files.stdout.clone()),
        stderr: Some(files.stderr.clone()),
    };
    let pid = match change.spawn(daemon) {
        Ok(spawned) => spawned.pid,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(Fault::refused(not_found(&argv))),
        Err(e) => return Err(Fault::cannot_tell(format!("`{}` cannot be started: {e}", entry.id))),
    };
    let record = Record {
        service: entry.id.clone(),
        pid,
        pgid: pid,
        starttime: process::look(pid).ok().flatten().map_or(0, |l| l.ticks),
        boot_id: process::boot_id(),
        pid_space: process::pid_space(),
        exe: process::exe(pid),
        argv_sha256: hash(&argv),
        marker: marker.clone(),
        ports: entry.ports.clone(),
        stdout,
        stderr,
        started_at,
    };
    if let Err(e) = files.write(&record) {
        // A process that nobody knows of must not be left behind.
        let target = Target { leader: pid, ticks: record.starttime, group: Some(pid), marker: Some(marker) };
        for look in members(&target) {
            let _ = stop::signal_one(look.pid, look.ticks, rustix::process::Signal::KILL);
        }
        return Err(Fault::cannot_tell(format!(
            "`{}` cannot be written: {e}; `{}` was ended again",
            files.record.display(),
            entry.id
        )));
    }
    let marks = [Some(record.stdout.offset), Some(record.stderr.offset)];
    Ok(Done::changed(out(entry, files, pid, started_at, marks, false, removed_stale)))
}

/// Starts what systemd or Compose manages, or restarts it. Also says how it stood.
///
/// # Errors
/// If it does not run then.
pub(crate) async fn start_managed(
    deed: Deed,
    entry: &ServiceEntry,
    extra: &[Text],
    grace: Option<runbook_core::value::Duration>,
    change: &Change<'_>,
) -> Result<(Done<Out>, Seen), Fault> {
    no_more_words(entry, extra)?;
    let (now, before, changed) = service_managers::perform(deed, entry, grace, change).await?;
    let out = Out {
        name: entry.id.clone(),
        pid: now.pid,
        already_running: !changed,
        port: entry.ports.first().copied(),
        state: now.state,
        started_at: now.since.unwrap_or(Time(change.now())),
        stdout: None,
        stdout_offset: None,
        stderr: None,
        stderr_offset: None,
        removed_stale: false,
        ready: None,
        ready_after: None,
    };
    Ok((Done { changed, out }, before))
}

/// Refuses words for a command line that its manager keeps.
pub(crate) fn no_more_words(entry: &ServiceEntry, extra: &[Text]) -> Result<(), Fault> {
    if extra.is_empty() {
        return Ok(());
    }
    let manager = entry.manager.word();
    Err(Fault::invalid(
        "args",
        format!("the command line of `{}` is kept by {manager}; nothing can be added to it here", entry.id),
    ))
}

fn out(
    entry: &ServiceEntry,
    files: &Files,
    pid: u32,
    started_at: Time,
    marks: [Option<u64>; 2],
    already: bool,
    removed: bool,
) -> Out {
    Out {
        name: entry.id.clone(),
        pid: Some(pid),
        already_running: already,
        port: entry.ports.first().copied(),
        state: "running".to_owned(),
        started_at,
        stdout: Some(files.stdout.display().to_string()),
        stdout_offset: marks[0],
        stderr: Some(files.stderr.display().to_string()),
        stderr_offset: marks[1],
        removed_stale: removed,
        // The interpreter asks and fills them in.
        ready: None,
        ready_after: None,
    }
}

fn hash(argv: &[String]) -> String {
    let mut hasher = Sha256::new();
    for word in argv {
        hasher.update(word);
        hasher.update([0]);
    }
    hasher.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// What starting or stopping a service touches.
pub(crate) fn touched(name: &str, entry: Option<&ServiceEntry>) -> Touches {
    let mut touches = Touches::changes([Resource::new("service", name)]);
    for port in entry.into_iter().flat_map(|e| &e.ports) {
        touches.changes.push(Resource::new("port", port));
    }
    // What it starts from: a folder that another step makes, a pid file that another step leaves.
    for path in entry.into_iter().flat_map(|e| [&e.cwd, &e.pid_file]).flatten() {
        touches.reads.push(Resource::file(path));
    }
    for path in entry.into_iter().flat_map(|e| [&e.pid_file, &e.stdout, &e.stderr]).flatten() {
        touches.changes.push(Resource::file(path));
        touches.needs.push(Need::Write(path.clone()));
    }
    touches
}

impl Action for ServiceStart {
    const NAME: &'static str = "service.start";
    const MAIN: Option<&'static str> = Some("name");
    const SAYS: &'static str = "{{ 'already running' if already_running else 'started' }}, pid {{ pid }}";
    const COLUMNS: &'static [&'static str] = &["pid", "port"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Start a service and wait until it is ready", yaml: "service.start: memory-engine\n", runs: false },
        Example {
            title: "With a word more on its command line, without waiting",
            yaml: "service.start: { name: memory-engine, args: [--reload], ready: false }\n",
            runs: false,
        },
        Example {
            title: "Start everything, each after what it needs",
            yaml: "for_each: \"services | values\"\norder: dependencies\nservice.start: \"{{ item.id }}\"\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let service = HandService::of(args);
        let hand = service.elsewhere("start").unwrap_or_else(|| service.logs(service.start(&args.list("args"))));
        hand.expect("its process keeps running")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let program = args.entry.as_ref().and_then(|e| e.argv.first()).cloned().unwrap_or_else(|| "*".to_owned());
        touched(&args.name, args.entry.as_ref()).needing(Need::Exec(program))
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let entry = ServiceEntry::ours(args.entry.as_ref(), &args.name)?;
        if is_managed(entry) {
            no_more_words(entry, &args.args)?;
            return service_managers::forecast(Deed::Start, entry, cx).await;
        }
        forecast(entry, &args.args, cx, false).await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let entry = ServiceEntry::ours(args.entry.as_ref(), &args.name)?;
        if is_managed(entry) {
            return Ok(start_managed(Deed::Start, entry, &args.args, None, cx).await?.0);
        }
        let files = Files::of(entry, cx);
        let _lock = files.lock(cx, &args.name).await?;
        start(entry, &args.args, cx, &files).await
    }
}
