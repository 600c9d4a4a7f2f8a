//! A Docker Compose project: its services, their containers, and what a command changed of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration as Std;

use runbook_core::module::{Change, Cx, Fault, Need, Resource, Touches};
use runbook_core::value::{Duration, format_duration};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Container, docker, inspect, reached};
use crate::support::exec::Door;
use crate::support::paths::resolve;
use crate::support::tool::{Said, Tool};

/// Where a project is, as arguments say it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// Its folder.
    pub(crate) project: Option<String>,
    /// Its files.
    pub(crate) file: Vec<String>,
    /// Its name.
    pub(crate) project_name: Option<String>,
}

/// The arguments that all that has to do with Compose takes, behind those of its own.
macro_rules! compose_args {
    ($(#[$about:meta])* struct Args { $($fields:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Args {
            $($fields)*
            /// The folder of the Compose file; relative ones start at the project root. Default: the project root.
            #[serde(default)]
            project: Option<String>,
            /// The Compose file, or several that are laid over each other; relative ones start at the folder. Default: what Compose finds there.
            #[serde(default)]
            file: Option<$crate::support::args::OneOrMany>,
            /// The name of the Compose project. Default: what Compose makes of the folder's name.
            #[serde(default)]
            project_name: Option<String>,
        }

        impl Args {
            fn place(&self) -> $crate::support::docker::compose::Place {
                $crate::support::docker::compose::Place {
                    project: self.project.clone(),
                    file: self.file.clone().unwrap_or_default().0,
                    project_name: self.project_name.clone(),
                }
            }
        }
    };
}
pub(crate) use compose_args;

/// A project that can be asked and told.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// Whether it is the Compose that is a part of `docker`.
    plugin: bool,
    folder: PathBuf,
    options: Vec<String>,
}

/// Which Compose is here, once it was found.
#[derive(Default)]
struct Known(Mutex<Option<bool>>);

/// The limit of a command that may have to build or fetch images; the step's own `timeout` shortens it.
const LONG: Std = Std::from_secs(3600);

/// How long services are waited for that are to be well, unless a call says so.
const WELL: Duration = Duration(jiff::SignedDuration::from_secs(60));

const MISSING: &str = "install Docker Compose, as the plugin of `docker` or as `docker-compose`";

/// Whether Compose is the plugin of `docker` (v2) or the program `docker-compose`.
async fn is_plugin(cx: &Cx<'_>) -> Result<bool, Fault> {
    let known = cx.shared().get_or_init(Known::default);
    let lock = || known.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(plugin) = *lock() {
        return Ok(plugin);
    }
    let plugin = match docker().ask(&["compose", "version"], cx).await {
        Ok(said) => said.good() && said.out.contains("version"),
        Err(Fault::CannotTell { .. }) => false,
        Err(fault) => return Err(fault),
    };
    if !plugin {
        let said = Tool::new("docker-compose", MISSING).ask(&["version", "--short"], cx).await?;
        if !said.good() {
            return Err(Fault::cannot_tell(format!("`docker-compose` does not work: {}", said.why())));
        }
    }
    *lock() = Some(plugin);
    Ok(plugin)
}

/// A service of a project, and how its containers stand.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ServiceState {
    /// How its worst container stands, such as `running`, `exited` or `restarting`; `absent` if it has none.
    pub(crate) state: String,
    /// The same in a few words, with exit code and health.
    pub(crate) detail: String,
    /// Whether it has containers, all of them run, and none is unhealthy.
    pub(crate) well: bool,
    /// What the health check of its worst container says; null if there is none.
    pub(crate) health: Option<String>,
    /// The exit code that its worst container ended with; null if it runs or never did.
    pub(crate) exit_code: Option<i64>,
    /// How often the daemon has restarted its containers by itself.
    pub(crate) restart_count: u64,
    /// How many containers it has.
    pub(crate) containers: usize,
    /// How many of them run.
    pub(crate) running: usize,
}

impl ServiceState {
    fn of(containers: &[&Container]) -> ServiceState {
        let worst = containers.iter().min_by_key(|c| (c.well(), c.running, c.health.as_deref() == Some("healthy")));
        ServiceState {
            state: worst.map_or_else(|| "absent".to_owned(), |c| c.state.clone()),
            detail: worst.map_or_else(|| "it has no container".to_owned(), |c| c.described()),
            well: !containers.is_empty() && containers.iter().all(|c| c.well()),
            health: worst.and_then(|c| c.health.clone()),
            exit_code: worst.and_then(|c| c.exit_code),
            restart_count: containers.iter().map(|c| c.restart_count).sum(),
            containers: containers.len(),
            running: containers.iter().filter(|c| c.running).count(),
        }
    }
}

/// What one look at a project gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// The services that were asked about, in the order of the file.
    pub(crate) services: Vec<String>,
    /// Their containers.
    pub(crate) containers: Vec<Container>,
}

impl Look {
    /// The containers of a service.
    pub(crate) fn of(&self, service: &str) -> Vec<&Container> {
        self.containers.iter().filter(|c| c.service.as_deref() == Some(service)).collect()
    }

    /// How a service stands.
    pub(crate) fn state(&self, service: &str) -> ServiceState {
        ServiceState::of(&self.of(service))
    }

    /// How all of them stand.
    pub(crate) fn states(&self) -> BTreeMap<String, ServiceState> {
        self.services.iter().map(|s| (s.clone(), self.state(s))).collect()
    }
}

/// A grace as Compose takes it: whole seconds, rounded up.
pub(crate) fn seconds(grace: Duration) -> String {
    grace.to_std().as_millis().div_ceil(1000).to_string()
}

/// The words of a call that takes a grace and services.
pub(crate) fn words(verb: &str, grace: Option<Duration>, services: &[String]) -> Vec<String> {
    let mut words = vec![verb.to_owned()];
    if let Some(grace) = grace {
        words.extend(["-t".to_owned(), seconds(grace)]);
    }
    words.extend(services.iter().cloned());
    words
}

impl Look {
    /// Refuses services that have no container.
    ///
    /// # Errors
    /// If there is one.
    pub(crate) fn must_have_containers(&self) -> Result<(), Fault> {
        let none: Vec<&str> = self.services.iter().filter(|s| self.of(s).is_empty()).map(String::as_str).collect();
        if none.is_empty() {
            return Ok(());
        }
        Err(Fault::refused(format!("no container of {} was created yet; use `compose.up`", none.join(", "))))
    }
}

impl Project {
    /// Finds out which Compose is here.
    ///
    /// # Errors
    /// If there is none, or no such folder.
    pub(crate) async fn find(place: &Place, cx: &Cx<'_>) -> Result<Project, Fault> {
        let folder = match &place.project {
            Some(folder) => resolve(cx, "project", folder)?,
            None => cx.root.to_owned(),
        };
        if !folder.is_dir() {
            return Err(Fault::unmet(format!("there is no folder `{}`", folder.display())));
        }
        let mut options = Vec::new();
        for file in &place.file {
            options.extend(["-f".to_owned(), folder.join(file).display().to_string()]);
        }
        if let Some(name) = &place.project_name {
            options.extend(["-p".to_owned(), name.clone()]);
        }
        Ok(Project { plugin: is_plugin(cx).await?, folder, options })
    }

    /// Whether building leaves a container behind when it fails, unless it is told not to.
    pub(crate) fn leaves_containers(&self) -> bool {
        !self.plugin
    }

    /// The project's folder.
    pub(crate) fn folder(&self) -> String {
        self.folder.display().to_string()
    }

    /// The words that a call begins with, as people type them.
    pub(crate) fn argv(&self, args: &[impl AsRef<str>]) -> Vec<String> {
        let first: &[&str] = if self.plugin { &["docker", "compose"] } else { &["docker-compose"] };
        let first = first.iter().map(|w| (*w).to_owned());
        first.chain(self.options.iter().cloned()).chain(args.iter().map(|w| w.as_ref().to_owned())).collect()
    }

    /// Runs Compose; how it ended is for the caller to judge.
    ///
    /// # Errors
    /// If it cannot be run, or the daemon does not answer.
    pub(crate) async fn run(&self, args: &[&str], limit: Std, door: Door<'_>) -> Result<Said, Fault> {
        let name = if self.plugin { "docker" } else { "docker-compose" };
        let mut tool = Tool::new(name, MISSING);
        if self.plugin {
            tool.first.push("compose".to_owned());
        }
        tool.first.extend(self.options.iter().cloned());
        tool.cwd = Some(&self.folder);
        tool.limit = limit;
        tool.env.extend([("COMPOSE_ANSI", "never"), ("DOCKER_CLI_HINTS", "false")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        let said = tool.run(args, door).await?;
        reached(&said)?;
        Ok(said)
    }

    /// Asks Compose something that it must be able to say.
    async fn ask(&self, args: &[&str], cx: &Cx<'_>) -> Result<Said, Fault> {
        let said = self.run(args, Std::from_secs(30), Door::Look(cx)).await?;
        if said.good() {
            return Ok(said);
        }
        Err(Fault::unmet(format!("the Compose project in `{}` cannot be read: {}", self.folder(), first_trouble(&said))))
    }

    /// The services that its file declares.
    ///
    /// # Errors
    /// If it has no file, or one that Compose does not understand.
    pub(crate) async fn declared(&self, cx: &Cx<'_>) -> Result<Vec<String>, Fault> {
        let said = self.ask(&["config", "--services"], cx).await?;
        Ok(said.out.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect())
    }

    /// The project's file with everything filled in.
    ///
    /// # Errors
    /// As [`Project::declared`].
    pub(crate) async fn config(&self, cx: &Cx<'_>) -> Result<serde_json::Value, Fault> {
        let said = self.ask(&["config"], cx).await?;
        serde_yaml::from_str(&said.out).map_err(|_| Fault::cannot_tell("what `config` of Compose printed cannot be read"))
    }

    /// What each service's configuration is known by: a container made from another has another.
    ///
    /// # Errors
    /// As [`Project::declared`].
    pub(crate) async fn hashes(&self, cx: &Cx<'_>) -> Result<BTreeMap<String, String>, Fault> {
        let said = self.ask(&["config", "--hash", "*"], cx).await?;
        Ok(said.out.lines().filter_map(|l| l.split_once(' ')).map(|(s, h)| (s.to_owned(), h.trim().to_owned())).collect())
    }

    /// Looks at services: those that are given, or all.
    ///
    /// # Errors
    /// [`Fault::Unmet`] if the project has no such service; otherwise as [`Project::declared`].
    pub(crate) async fn look(&self, wanted: &[String], cx: &Cx<'_>) -> Result<Look, Fault> {
        let declared = self.declared(cx).await?;
        if let Some(unknown) = wanted.iter().find(|w| !declared.contains(w)) {
            let near = runbook_core::suggest::nearest(unknown, declared.iter().map(String::as_str));
            let hint = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
            return Err(Fault::unmet(format!("the project in `{}` has no service `{unknown}`{hint}", self.folder())));
        }
        let services: Vec<String> = declared.into_iter().filter(|d| wanted.is_empty() || wanted.contains(d)).collect();
        Ok(Look { containers: self.containers(&services, cx).await?, services })
    }

    /// The containers of services, those of one-off commands left out.
    ///
    /// # Errors
    /// If the daemon cannot be asked.
    pub(crate) async fn containers(&self, services: &[String], cx: &Cx<'_>) -> Result<Vec<Container>, Fault> {
        // The plugin lists what has ended only if it is asked to; the other lists it, and one-off commands only if it is asked to.
        let args: &[&str] = if self.plugin { &["ps", "-a", "-q"] } else { &["ps", "-q"] };
        let said = self.ask(args, cx).await?;
        let ids: Vec<String> = said.out.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
        let mut all = inspect(&ids, cx).await?;
        let wanted = |c: &Container| c.service.as_ref().is_some_and(|s| services.contains(s));
        all.retain(|c| c.state != "absent" && !c.one_off && wanted(c));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Tells Compose to do something.
    ///
    /// # Errors
    /// [`Fault::Unmet`] with its own words if it says no.
    pub(crate) async fn tell(&self, args: &[impl AsRef<str>], change: &Change<'_>) -> Result<Said, Fault> {
        let words: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        let said = self.run(&words, LONG, Door::Change(change)).await?;
        if said.good() {
            return Ok(said);
        }
        Err(Fault::unmet(format!("`{}` failed: {}", self.argv(args).join(" "), first_trouble(&said))))
    }
}

/// What went wrong, in Compose's own words: what it marks as an error, or its last line.
fn first_trouble(said: &Said) -> String {
    let marked = said.err.lines().map(str::trim).find(|l| l.starts_with("ERROR:") || l.starts_with("Error"));
    let text = marked.map_or_else(|| said.why(), str::to_owned);
    // A line that only begins what the next ones say.
    let rest = said.err.lines().skip_while(|l| l.trim() != text).nth(1).map(str::trim).filter(|l| !l.is_empty());
    match rest {
        Some(rest) if text.ends_with(':') => format!("{text} {rest}"),
        _ => text,
    }
}

/// What a command made of a project's containers.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Outcome {
    /// The folder of the project.
    pub(crate) project: String,
    /// The services it was about.
    pub(crate) services: Vec<String>,
    /// The containers that are new.
    pub(crate) created: Vec<String>,
    /// The containers that were replaced by new ones of the same name.
    pub(crate) recreated: Vec<String>,
    /// The containers that were started, once more or for the first time, and not replaced.
    pub(crate) started: Vec<String>,
    /// The containers that ran before and do not now.
    pub(crate) stopped: Vec<String>,
    /// The containers that are gone.
    pub(crate) removed: Vec<String>,
    /// The containers as they stand now.
    pub(crate) containers: Vec<Container>,
}

impl Outcome {
    /// The difference between two looks.
    pub(crate) fn between(project: &Project, before: &Look, after: &Look) -> Outcome {
        let mut out = Outcome {
            project: project.folder(),
            services: after.services.clone(),
            containers: after.containers.clone(),
            ..Outcome::default()
        };
        for now in &after.containers {
            let list = match before.containers.iter().find(|b| b.name == now.name) {
                None => &mut out.created,
                Some(b) if b.full_id != now.full_id => &mut out.recreated,
                Some(b) if b.since != now.since => &mut out.started,
                Some(b) if b.running && !now.running => &mut out.stopped,
                Some(_) => continue,
            };
            list.push(now.name.clone());
        }
        let gone = |b: &&Container| !after.containers.iter().any(|a| a.name == b.name);
        out.removed = before.containers.iter().filter(gone).map(|b| b.name.clone()).collect();
        out
    }

    /// Whether anything is different.
    pub(crate) fn changed(&self) -> bool {
        [&self.created, &self.recreated, &self.started, &self.stopped, &self.removed].iter().any(|l| !l.is_empty())
    }
}

/// What the same services look like after a command: at once, or when they are well if `wait` is given with its limit.
///
/// # Errors
/// As [`wait_well`].
pub(crate) async fn afterwards(
    project: &Project,
    before: &Look,
    wait: Option<Option<Duration>>,
    may_exit: &[String],
    change: &Change<'_>,
) -> Result<Look, Fault> {
    match wait {
        Some(limit) => wait_well(project, before, may_exit, limit.unwrap_or(WELL), change).await,
        None => {
            let services = before.services.clone();
            Ok(Look { containers: project.containers(&services, change).await?, services })
        }
    }
}

/// How long a container without a health check must have been running to be taken for one that stays.
const STEADY: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// Waits until services run and are healthy. Those of `may_exit` may have ended with 0.
///
/// # Errors
/// [`Fault::Unmet`] as soon as one has ended or is unhealthy, or when the time is over, with what it wrote last.
pub(crate) async fn wait_well(
    project: &Project,
    look: &Look,
    may_exit: &[String],
    limit: Duration,
    change: &Change<'_>,
) -> Result<Look, Fault> {
    let limit = change.timeout.map_or(limit.to_std(), |t| t.mul_f64(0.8).min(limit.to_std()));
    let began = std::time::Instant::now();
    loop {
        let now = Look { services: look.services.clone(), containers: project.containers(&look.services, change).await? };
        let mut waiting = Vec::new();
        for service in &now.services {
            let of = now.of(service);
            let done = may_exit.contains(service) && !of.is_empty() && of.iter().all(|c| c.exit_code == Some(0));
            let settled = |c: &&Container| match c.health.as_deref() {
                Some(health) => health == "healthy",
                None => c.running && c.uptime.is_some_and(|u| u.0 >= STEADY),
            };
            if done || (!of.is_empty() && of.iter().all(settled)) {
                continue;
            }
            let over =
                of.is_empty() || of.iter().any(|c| matches!(c.state.as_str(), "exited" | "dead") || !c.well() && c.running);
            if over || began.elapsed() >= limit {
                return Err(not_well(&now, service, (!over).then_some(limit), change).await);
            }
            waiting.push(format!("{service} is {}", now.state(service).detail));
        }
        if waiting.is_empty() {
            return Ok(now);
        }
        change.progress(&format!("waiting: {}", waiting.join("; ")));
        change.sleep(Std::from_millis(250)).await;
    }
}

async fn not_well(look: &Look, service: &str, limit: Option<Std>, cx: &Cx<'_>) -> Fault {
    let detail = look.state(service).detail;
    let worst = look.of(service).into_iter().find(|c| !c.well());
    let mut text = match limit {
        Some(limit) => {
            let limit = format_duration(jiff::SignedDuration::try_from(limit).unwrap_or_default());
            format!("`{service}` is not well after {limit}: {detail}")
        }
        None => format!("`{service}` does not run well: {detail}"),
    };
    let mut log = Vec::new();
    if let Some(container) = worst {
        if let Some(said) = &container.health_output {
            text = format!("{text}; its health check said: {said}");
        }
        log = super::logs(&container.full_id, Some(20), None, cx).await.unwrap_or_default();
    }
    if let Some(last) = log.last() {
        text = format!("{text}; it wrote last: {}", last.text);
    }
    Fault::unmet(text)
}

/// What a command touches that is about these services, or all.
pub(crate) fn touched(services: &[String], changes: bool) -> Touches {
    let all = services.iter().map(|s| Resource::new("service", s)).collect::<Vec<_>>();
    let all = if all.is_empty() { vec![Resource::new("service", "*")] } else { all };
    let touches = if changes { Touches::changes(all) } else { Touches::reads(all) };
    if changes { touches.needing(Need::Exec("docker".to_owned())) } else { touches }
}
