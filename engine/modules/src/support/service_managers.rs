//! Services that systemd or Docker Compose starts and stops: the same looks and changes as for those that the engine starts.

use runbook_core::module::{Change, Cx, Fault, Forecast};
use runbook_core::value::{Duration, Time};

use super::docker::compose::{Look, Outcome, Place, Project, seconds, wait_well};
use super::docker::{Container, logs};
use super::service_entry::{Manager, ServiceEntry};
use super::systemd::{self, Unit, Verb};

/// How long one of them may take to start.
const START: Duration = Duration(jiff::SignedDuration::from_secs(60));
/// The most lines of a log that are told.
const TAIL: u64 = 20;

/// How such a service stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// `running`, `stopped`, `starting`, `stopping`, `failed` or `paused`.
    pub(crate) state: String,
    /// The same in its manager's words.
    pub(crate) detail: String,
    /// Its main process on this machine.
    pub(crate) pid: Option<u32>,
    /// When it was started.
    pub(crate) since: Option<Time>,
    /// How long it has been running.
    pub(crate) uptime: Option<Duration>,
    /// The exit code it ended with.
    pub(crate) exit_code: Option<i32>,
    /// The last lines that it wrote, if it does not run.
    pub(crate) log_tail: Vec<String>,
}

/// Whether the engine starts and stops it itself.
pub(crate) fn is_managed(entry: &ServiceEntry) -> bool {
    matches!(entry.manager, Manager::Systemd | Manager::Compose)
}

fn place(entry: &ServiceEntry) -> Place {
    Place { project: entry.compose.project.clone(), file: Vec::new(), project_name: entry.compose.name.clone() }
}

fn of_unit(unit: &Unit) -> Seen {
    let state = match unit.state.as_str() {
        "active" | "reloading" => "running",
        "activating" => "starting",
        "deactivating" => "stopping",
        "failed" => "failed",
        _ => "stopped",
    };
    Seen {
        state: state.to_owned(),
        detail: unit.described(),
        pid: unit.pid,
        since: unit.since.filter(|_| state == "running"),
        uptime: unit.uptime,
        exit_code: unit.exit_code.and_then(|c| i32::try_from(c).ok()),
        log_tail: Vec::new(),
    }
}

async fn of_containers(look: &Look, cx: &Cx<'_>) -> Seen {
    let worst = look.containers.iter().min_by_key(|c| (c.well(), c.running));
    let Some(container) = worst else {
        return Seen { state: "stopped".to_owned(), detail: "it has no container".to_owned(), ..Seen::default() };
    };
    let state = match container.state.as_str() {
        "running" => "running",
        "restarting" | "dead" => "failed",
        "paused" => "paused",
        _ => "stopped",
    };
    let tail = if state == "running" { Vec::new() } else { last_lines(container, cx).await };
    Seen {
        state: state.to_owned(),
        detail: container.described(),
        pid: container.pid,
        since: container.since,
        uptime: container.uptime,
        exit_code: container.exit_code.and_then(|c| i32::try_from(c).ok()),
        log_tail: tail,
    }
}

async fn last_lines(container: &Container, cx: &Cx<'_>) -> Vec<String> {
    let lines = logs(&container.full_id, Some(TAIL), None, cx).await.unwrap_or_default();
    lines.into_iter().map(|l| l.text).collect()
}

/// Looks how it stands.
///
/// # Errors
/// If its manager cannot be asked.
pub(crate) async fn look(entry: &ServiceEntry, cx: &Cx<'_>) -> Result<Seen, Fault> {
    if entry.manager == Manager::Systemd {
        return Ok(of_unit(&systemd::look(entry.unit(), false, cx).await?));
    }
    let project = Project::find(&place(entry), cx).await?;
    let look = project.look(&[entry.compose_service().to_owned()], cx).await?;
    Ok(of_containers(&look, cx).await)
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Started, unless it runs.
    Start,
    /// Stopped, if it runs.
    Stop,
    /// Stopped and started; a container is replaced, so that it gets the environment as it is now.
    Restart,
}

impl Deed {
    fn verb(self) -> Verb {
        match self {
            Deed::Start => Verb::Start,
            Deed::Stop => Verb::Stop,
            Deed::Restart => Verb::Restart,
        }
    }

    fn words<'a>(self, service: &'a str, grace: &'a str) -> Vec<&'a str> {
        match self {
            Deed::Start => vec!["up", "-d", service],
            Deed::Stop => vec!["stop", "-t", grace, service],
            Deed::Restart => vec!["up", "-d", "--force-recreate", "--no-deps", "-t", grace, service],
        }
    }
}

/// What would be done to it.
///
/// # Errors
/// What refuses it, or if its manager cannot be asked.
pub(crate) async fn forecast(deed: Deed, entry: &ServiceEntry, cx: &Cx<'_>) -> Result<Forecast, Fault> {
    if entry.manager == Manager::Systemd {
        return systemd::plan(deed.verb(), entry.unit(), false, cx).await;
    }
    let project = Project::find(&place(entry), cx).await?;
    let service = entry.compose_service();
    let look = project.look(&[service.to_owned()], cx).await?;
    let running = look.containers.iter().any(|c| c.running);
    let active = running || look.containers.iter().any(|c| c.state == "restarting");
    let state = look.state(service).detail;
    match deed {
        Deed::Start if running => return Ok(Forecast::nothing(format!("already {state}"))),
        Deed::Stop if !active => return Ok(Forecast::nothing(state)),
        _ => {}
    }
    let to = if deed == Deed::Stop { "stopped" } else { "running" };
    let argv = project.argv(&deed.words(service, &seconds(entry.grace.into())));
    let from_to = vec![(format!("service:{}", entry.id), state.clone(), to.to_owned())];
    Ok(Forecast { argv, from_to, ..Forecast::would(format!("{} `{}`", deed.verb().word(), entry.id), state) })
}

/// Does it, and waits until it stands as it should. Says how it stands, how it stood, and whether anything changed.
///
/// # Errors
/// If it does not.
pub(crate) async fn perform(
    deed: Deed,
    entry: &ServiceEntry,
    grace: Option<Duration>,
    change: &Change<'_>,
) -> Result<(Seen, Seen, bool), Fault> {
    if entry.manager == Manager::Systemd {
        let before = of_unit(&systemd::look(entry.unit(), false, change).await?);
        let limit = if deed == Deed::Stop { grace.unwrap_or(Duration::from(entry.grace)).max(START) } else { START };
        let done = systemd::apply(deed.verb(), entry.unit(), false, limit, change).await?;
        return Ok((of_unit(&done.out.unit), before, done.changed));
    }
    let project = Project::find(&place(entry), change).await?;
    let service = entry.compose_service();
    let before = project.look(&[service.to_owned()], change).await?;
    let stood = of_containers(&before, change).await;
    if deed == Deed::Start && stood.state == "running" {
        return Ok((stood.clone(), stood, false));
    }
    let grace = seconds(grace.unwrap_or(entry.grace.into()));
    project.tell(&deed.words(service, &grace), change).await?;
    let after = match deed {
        Deed::Stop => project.look(&[service.to_owned()], change).await?,
        Deed::Start | Deed::Restart => wait_well(&project, &before, &[], START, change).await?,
    };
    let stands = of_containers(&after, change).await;
    if deed == Deed::Stop && stands.state != "stopped" {
        return Err(Fault::unmet(format!("`{}` is still {}", entry.id, stands.detail)));
    }
    let changed = Outcome::between(&project, &before, &after).changed();
    Ok((stands, stood, changed))
}
