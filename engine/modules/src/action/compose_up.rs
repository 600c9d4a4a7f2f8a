//! `compose.up`: create and start services of a Docker Compose project.

use std::time::Duration as Std;

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches};
use runbook_core::value::Duration;

use crate::support::args::{OneOrMany, yes};
use crate::support::docker::compose::{Look, Outcome, Project, compose_args, touched, wait_well};
use crate::support::docker_hand::{hand_compose, services};

pub(crate) struct ComposeUp;

compose_args! {
    /// Creates and starts services of a Docker Compose project, and waits until they are well.
    ///
    /// Containers that run and whose configuration is the file's are left as they are. One whose configuration, image or environment
    /// file has changed is replaced; `force_recreate` replaces them all. To bring a changed environment into one service, name it here
    /// and set `force_recreate` and `no_deps`: `compose.restart` would keep the old one, and `compose.down` would stop the database too.
    ///
    /// It waits until each container is healthy, or has been running for a second if it has no health check. One that ends or is
    /// unhealthy makes the step fail at once, with what it wrote last.
    struct Args {
        /// A service, or several. Default: all that the file declares.
        #[serde(default)]
        service: Option<OneOrMany>,
        /// Whether to replace containers even if nothing about them has changed. Default: false.
        #[serde(default)]
        force_recreate: bool,
        /// Whether to leave alone the services that these depend on. Default: false.
        #[serde(default)]
        no_deps: bool,
        /// Whether to build images first. Default: false.
        #[serde(default)]
        build: bool,
        /// Whether to wait until they are well. Default: true.
        #[serde(default = "yes")]
        wait: bool,
        /// How long that may take; a shorter `timeout` of the step shortens it. Default: `60s`.
        #[serde(default)]
        wait_for: Option<Duration>,
        /// Services that are meant to end, such as a migration: they are well if they ended with 0. Default: none.
        #[serde(default)]
        may_exit: Option<OneOrMany>,
        /// How long a container that is replaced may take to stop by itself. Default: Docker's own, `10s`.
        #[serde(default)]
        grace: Option<Duration>,
    }
}

/// The limit of a command that may have to build or fetch images; the step's own `timeout` shortens it.
pub(crate) const LONG: Std = Std::from_secs(3600);

/// A grace as Compose takes it: whole seconds, rounded up.
pub(crate) fn seconds(grace: Duration) -> String {
    grace.to_std().as_millis().div_ceil(1000).to_string()
}

impl Args {
    fn wanted(&self) -> Vec<String> {
        self.service.clone().unwrap_or_default().0
    }

    fn words(&self) -> Vec<String> {
        let mut words = vec!["up".to_owned(), "-d".to_owned()];
        let flags = [("--force-recreate", self.force_recreate), ("--no-deps", self.no_deps), ("--build", self.build)];
        words.extend(flags.iter().filter(|(_, on)| *on).map(|(flag, _)| (*flag).to_owned()));
        if let Some(grace) = self.grace {
            words.extend(["-t".to_owned(), seconds(grace)]);
        }
        words.extend(self.wanted());
        words
    }

    /// What would be done to each service, if anything.
    async fn foreseen(&self, project: &Project, look: &Look, cx: &Cx<'_>) -> Result<Vec<(String, String, String)>, Fault> {
        let hashes = project.hashes(cx).await?;
        let may_exit = self.may_exit.clone().unwrap_or_default().0;
        let mut out = Vec::new();
        for service in &look.services {
            let of = look.of(service);
            let outdated = of.iter().any(|c| c.config_hash.is_some() && c.config_hash.as_ref() != hashes.get(service));
            let done = may_exit.contains(service) && of.iter().all(|c| c.exit_code == Some(0));
            let to = match (of.is_empty(), of.iter().all(|c| c.running)) {
                (true, _) => "created and running",
                (false, _) if self.force_recreate => "replaced by a new container",
                (false, _) if outdated => "replaced by a new container, since its configuration has changed",
                (false, false) if !done => "running",
                // Compose starts again what has ended, also what was meant to.
                (false, false) => "run once more",
                (false, true) => continue,
            };
            out.push((format!("service:{service}"), look.state(service).detail, to.to_owned()));
        }
        Ok(out)
    }
}

impl Action for ComposeUp {
    const NAME: &'static str = "compose.up";
    const MAIN: Option<&'static str> = Some("service");
    const SAYS: &'static str = "{{ (created ~ recreated ~ started) | length }} of {{ containers | length }} started";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Everything is up", yaml: "compose.up: {}\n", runs: false },
        Example {
            title: "One service gets the changed environment, the others are left alone",
            yaml: "compose.up: { service: gateway-api, force_recreate: true, no_deps: true }\n",
            runs: false,
        },
        Example {
            title: "A stack with a migration that ends by itself",
            yaml: "compose.up: { project: /srv/netopsai, may_exit: migrate, wait_for: 2m }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Outcome;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let flag = |name: &str, word: &str| if args.flag(name, false) { format!(" {word}") } else { String::new() };
        let flags = flag("force_recreate", "--force-recreate") + &flag("no_deps", "--no-deps") + &flag("build", "--build");
        let some = services(args);
        ByHand::run(hand_compose(args, &format!("up -d{flags}{some}")))
            .and("# They run, and none is unhealthy:")
            .and(hand_compose(args, &format!("ps{some}")))
            .expect("every service is `Up` or `running`, and none `unhealthy`")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        // What they depend on may be started too.
        touched(if args.no_deps { args.service.as_ref().map_or(&[], |s| &s.0[..]) } else { &[] }, true)
    }

    fn idempotent(args: &Args) -> bool {
        !args.force_recreate && !args.build
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let look = project.look(&args.wanted(), cx).await?;
        let from_to = args.foreseen(&project, &look, cx).await?;
        let words = args.words();
        let argv = project.argv(&words.iter().map(String::as_str).collect::<Vec<_>>());
        if from_to.is_empty() && !args.build {
            return Ok(Forecast::nothing("all of them run as the file says"));
        }
        let names: Vec<&str> = from_to.iter().filter_map(|(what, ..)| what.strip_prefix("service:")).collect();
        let summary = match (args.build, names.is_empty()) {
            (true, _) => format!("build, create and start services of `{}`", project.folder()),
            (false, _) => format!("start {}", names.join(", ")),
        };
        let because = from_to.first().map_or_else(|| "the images may have changed".to_owned(), |(_, from, _)| from.clone());
        Ok(Forecast { argv, from_to, ..Forecast::would(summary, because) })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Outcome>, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let before = project.look(&args.wanted(), cx).await?;
        let words = args.words();
        project.tell(&words.iter().map(String::as_str).collect::<Vec<_>>(), LONG, cx).await?;
        let after = if args.wait {
            let limit = args.wait_for.unwrap_or(Duration::from_millis(60_000));
            wait_well(&project, &before, &args.may_exit.clone().unwrap_or_default().0, limit, cx).await?
        } else {
            project.look(&args.wanted(), cx).await?
        };
        let out = Outcome::between(&project, &before, &after);
        Ok(if out.changed() { Done::changed(out) } else { Done::unchanged(out) })
    }
}
