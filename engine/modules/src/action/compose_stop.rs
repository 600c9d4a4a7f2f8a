//! `compose.stop`: stop services of a Docker Compose project and keep their containers.

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches};
use runbook_core::value::Duration;

use crate::support::args::OneOrMany;
use crate::support::docker::compose::{Outcome, Project, afterwards, compose_args, touched, words};
use crate::support::docker_hand::{hand_compose, services};

pub(crate) struct ComposeStop;

compose_args! {
    /// Stops services of a Docker Compose project and keeps their containers and logs.
    ///
    /// Other services are left as they are. What does not stop by itself within the grace is killed by Docker. Services that do not run are
    /// ok and unchanged; `compose.start` starts them again.
    struct Args {
        /// A service, or several. Default: all that the file declares.
        #[serde(default)]
        service: Option<OneOrMany>,
        /// How long each container may take to stop by itself. Default: Docker's own, `10s`.
        #[serde(default)]
        grace: Option<Duration>,
    }
}

impl Action for ComposeStop {
    const NAME: &'static str = "compose.stop";
    const MAIN: Option<&'static str> = Some("service");
    const SAYS: &'static str = "{{ stopped | length }} stopped";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Stop what writes into the database, before it is restored",
            yaml: "compose.stop: gateway-api\n",
            runs: false,
        },
        Example {
            title: "Give it a minute to finish what it does",
            yaml: "compose.stop: { service: worker, grace: 1m }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Outcome;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let some = services(args);
        ByHand::run(hand_compose(args, &format!("stop{some}")))
            .and("# None of them runs now:")
            .and(hand_compose(args, &format!("ps{some}")))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        touched(&args.service.clone().unwrap_or_default().0, true)
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let wanted = args.service.clone().unwrap_or_default().0;
        let look = project.look(&wanted, cx).await?;
        let active = |s: &&String| look.of(s).iter().any(|c| matches!(c.state.as_str(), "running" | "restarting" | "paused"));
        let running: Vec<&String> = look.services.iter().filter(active).collect();
        if running.is_empty() {
            return Ok(Forecast::nothing("none of them runs"));
        }
        let from_to = running.iter().map(|s| (format!("service:{s}"), look.state(s).detail, "stopped".to_owned())).collect();
        let names: Vec<&str> = running.iter().map(|s| s.as_str()).collect();
        let argv = project.argv(&words("stop", args.grace, &wanted));
        let because = format!("{} of {} run", names.len(), look.services.len());
        Ok(Forecast { argv, from_to, ..Forecast::would(format!("stop {}", names.join(", ")), because) })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Outcome>, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let wanted = args.service.clone().unwrap_or_default().0;
        let before = project.look(&wanted, cx).await?;
        project.tell(&words("stop", args.grace, &wanted), cx).await?;
        let after = afterwards(&project, &before, None, &[], cx).await?;
        let out = Outcome::between(&project, &before, &after);
        if let Some(left) = after.containers.iter().find(|c| c.running || c.state == "restarting") {
            return Err(Fault::unmet_with(format!("`{}` still runs: {}", left.name, left.described()), out));
        }
        Ok(if out.changed() { Done::changed(out) } else { Done::unchanged(out) })
    }
}
