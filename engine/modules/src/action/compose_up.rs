//! `compose.up`: create and start services of a Docker Compose project.

use std::collections::BTreeMap;

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches, hand_word};
use runbook_core::value::Duration;

use crate::support::args::{OneOrMany, yes};
use crate::support::docker::compose::{Look, Outcome, Project, afterwards, compose_args, seconds, touched};
use crate::support::docker_hand::{hand_compose, services};

pub(crate) struct ComposeUp;

compose_args! {
    /// Creates and starts services of a Docker Compose project, and waits until they are well.
    ///
    /// Containers that run and whose configuration is the file's are left as they are. One whose configuration, image or environment
    /// file has changed is replaced; `force_recreate` replaces them all. To bring a changed environment into one service, name it here
    /// and set `force_recreate` and `no_deps`: `compose.restart` would keep the old one, and `compose.down` would stop the database too.
    ///
    /// `scale` says how many containers a service has. Without it a service has as many as the file says, so that a later call without `scale`
    /// removes what is above that again.
    ///
    /// It waits until each container is healthy, or has been running for a second if it has no health check. One that ends or is
    /// unhealthy makes the step fail at once, with what it wrote last.
    struct Args {
        /// A service, or several. Default: all that the file declares.
        #[serde(default)]
        service: Option<OneOrMany>,
        /// How many containers each service has, by its name, such as `{worker: 3}`; 0 removes them all. Default: as many as the file says.
        #[serde(default)]
        scale: BTreeMap<String, u32>,
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
        words.extend(self.scale.iter().flat_map(|(service, n)| ["--scale".to_owned(), format!("{service}={n}")]));
        words.extend(self.wanted());
        words
    }

    /// Looks at the services that are wanted; `scale` names only those.
    async fn look(&self, project: &Project, cx: &Cx<'_>) -> Result<Look, Fault> {
        let look = project.look(&self.wanted(), cx).await?;
        if let Some(other) = self.scale.keys().find(|s| !look.services.contains(s)) {
            // Another one is either not in the file, which is told, or not to be touched.
            project.look(std::slice::from_ref(other), cx).await?;
            return Err(Fault::invalid("scale", format!("`{other}` is not among the services that `service` names")));
        }
        Ok(look)
    }

    /// How many containers each service is to have.
    async fn counts(&self, project: &Project, look: &Look, cx: &Cx<'_>) -> Result<BTreeMap<String, u64>, Fault> {
        let config = project.config(cx).await?;
        let count = |service: &String| {
            let of = &config["services"][service];
            let declared = of["scale"].as_u64().or(of["deploy"]["replicas"].as_u64()).unwrap_or(1);
            (service.clone(), self.scale.get(service).map_or(declared, |n| u64::from(*n)))
        };
        Ok(look.services.iter().map(count).collect())
    }

    /// What would be done to each service, if anything.
    async fn foreseen(&self, project: &Project, look: &Look, cx: &Cx<'_>) -> Result<Vec<(String, String, String)>, Fault> {
        let hashes = project.hashes(cx).await?;
        let counts = self.counts(project, look, cx).await?;
        let may_exit = self.may_exit.clone().unwrap_or_default().0;
        let mut out = Vec::new();
        for service in &look.services {
            let of = look.of(service);
            let outdated = of.iter().any(|c| c.config_hash.is_some() && c.config_hash.as_ref() != hashes.get(service));
            let done = may_exit.contains(service) && of.iter().all(|c| c.exit_code == Some(0));
            let (has, wants) = (of.len() as u64, counts.get(service).copied().unwrap_or(1));
            let containers = |n: u64| if n == 1 { "1 container".to_owned() } else { format!("{n} containers") };
            if has != wants && (has > 0 || wants != 1) {
                let from = if has == 0 { look.state(service).detail } else { containers(has) };
                out.push((format!("service:{service}"), from, if wants == 0 { "removed".to_owned() } else { containers(wants) }));
                continue;
            }
            let to = match (of.is_empty(), of.iter().all(|c| c.running)) {
                (true, _) if wants == 0 => continue,
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
            title: "Three workers",
            yaml: "compose.up: { service: worker, scale: { worker: 3 }, no_deps: true }\n",
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
        let scale: String =
            args.pairs("scale").iter().map(|(s, n)| format!(" --scale {}", hand_word(&format!("{s}={n}")))).collect();
        let flags = flags + &scale;
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
        let look = args.look(&project, cx).await?;
        let from_to = args.foreseen(&project, &look, cx).await?;
        let words = args.words();
        let argv = project.argv(&words);
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
        let before = args.look(&project, cx).await?;
        let words = args.words();
        project.tell(&words, cx).await?;
        // Nothing is to be well of what is to be gone.
        let mut stays = before.clone();
        stays.services.retain(|s| args.scale.get(s) != Some(&0));
        let may_exit = args.may_exit.clone().unwrap_or_default().0;
        let mut after = afterwards(&project, &stays, args.wait.then_some(args.wait_for), &may_exit, cx).await?;
        if stays.services.len() < before.services.len() {
            after = afterwards(&project, &before, None, &[], cx).await?;
        }
        for (service, n) in &args.scale {
            let has = after.of(service).len();
            if usize::try_from(*n).is_ok_and(|n| n != has) {
                return Err(Fault::unmet(format!("`{service}` has {has} containers and not {n}")));
            }
        }
        let out = Outcome::between(&project, &before, &after);
        Ok(if out.changed() { Done::changed(out) } else { Done::unchanged(out) })
    }
}
