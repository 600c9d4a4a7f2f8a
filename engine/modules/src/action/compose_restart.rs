//! `compose.restart`: stop and start services of a Docker Compose project, in the containers they have.

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches};
use runbook_core::value::Duration;

use crate::support::args::{OneOrMany, yes};
use crate::support::docker::compose::{Outcome, Project, afterwards, compose_args, touched, words};
use crate::support::docker_hand::{hand_compose, services};

pub(crate) struct ComposeRestart;

compose_args! {
    /// Stops and starts services of a Docker Compose project again, in the containers they have.
    ///
    /// The containers keep the environment, image and command they were created with. After a change of `.env`, of an environment file or
    /// of the Compose file a restart changes nothing: use `compose.up` with the service's name, `force_recreate: true` and
    /// `no_deps: true`. The plan says so if the file has changed since.
    struct Args {
        /// A service, or several. Default: all that the file declares.
        #[serde(default)]
        service: Option<OneOrMany>,
        /// How long each container may take to stop by itself. Default: Docker's own, `10s`.
        #[serde(default)]
        grace: Option<Duration>,
        /// Whether to wait until they are healthy, or have been running for a second if they have no health check. Default: true.
        #[serde(default = "yes")]
        wait: bool,
        /// How long that may take; a shorter `timeout` of the step shortens it. Default: `60s`.
        #[serde(default)]
        wait_for: Option<Duration>,
    }
}

impl Action for ComposeRestart {
    const NAME: &'static str = "compose.restart";
    const MAIN: Option<&'static str> = Some("service");
    const SAYS: &'static str = "{{ started | length }} restarted";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Restart one service", yaml: "compose.restart: gateway-api\n", runs: false },
        Example {
            title: "Give it half a minute to finish what it does",
            yaml: "compose.restart: { service: worker, grace: 30s, wait_for: 2m }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Outcome;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let some = services(args);
        ByHand::run(hand_compose(args, &format!("restart{some}")))
            .and("# They run, and none is unhealthy:")
            .and(hand_compose(args, &format!("ps{some}")))
            .note("A restart does not bring in a changed environment; `up -d --force-recreate --no-deps` does.")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        touched(&args.service.clone().unwrap_or_default().0, true)
    }

    // A second restart interrupts the service a second time.
    fn idempotent(_: &Args) -> bool {
        false
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let wanted = args.service.clone().unwrap_or_default().0;
        let look = project.look(&wanted, cx).await?;
        look.must_have_containers()?;
        let hashes = project.hashes(cx).await?;
        let outdated =
            |s: &&String| look.of(s).iter().any(|c| c.config_hash.is_some() && c.config_hash.as_ref() != hashes.get(*s));
        let outdated: Vec<&str> = look.services.iter().filter(outdated).map(String::as_str).collect();
        let because = if outdated.is_empty() {
            look.states().values().map(|s| s.detail.clone()).next().unwrap_or_default()
        } else {
            let names = outdated.join(", ");
            format!("the configuration of {names} has changed since, and a restart does not bring it in: use `compose.up`")
        };
        let from_to =
            look.services.iter().map(|s| (format!("service:{s}"), look.state(s).detail, "restarted".to_owned())).collect();
        let argv = project.argv(&words("restart", args.grace, &wanted));
        Ok(Forecast { argv, from_to, ..Forecast::would(format!("restart {}", look.services.join(", ")), because) })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Outcome>, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let wanted = args.service.clone().unwrap_or_default().0;
        let before = project.look(&wanted, cx).await?;
        before.must_have_containers()?;
        project.tell(&words("restart", args.grace, &wanted), cx).await?;
        let after = afterwards(&project, &before, args.wait.then_some(args.wait_for), &[], cx).await?;
        Ok(Done::changed(Outcome::between(&project, &before, &after)))
    }
}
