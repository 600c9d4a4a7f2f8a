//! `compose.start`: start services of a Docker Compose project again, in the containers they have.

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches};
use runbook_core::value::Duration;

use crate::support::args::{OneOrMany, yes};
use crate::support::docker::compose::{Outcome, Project, afterwards, compose_args, touched, words};
use crate::support::docker_hand::{hand_compose, services};

pub(crate) struct ComposeStart;

compose_args! {
    /// Starts services of a Docker Compose project again, in the containers they have.
    ///
    /// A service without a container is refused: `compose.up` creates it. What has changed in the Compose file or in environment files since
    /// the containers were created is not seen by them; `compose.up` brings it in.
    struct Args {
        /// A service, or several. Default: all that the file declares.
        #[serde(default)]
        service: Option<OneOrMany>,
        /// Whether to wait until they are healthy, or have been running for a second if they have no health check. Default: true.
        #[serde(default = "yes")]
        wait: bool,
        /// How long that may take; a shorter `timeout` of the step shortens it. Default: `60s`.
        #[serde(default)]
        wait_for: Option<Duration>,
    }
}

impl Action for ComposeStart {
    const NAME: &'static str = "compose.start";
    const MAIN: Option<&'static str> = Some("service");
    const SAYS: &'static str = "{{ started | length }} started";
    const EXAMPLES: &'static [Example] =
        &[Example { title: "Start what was stopped before the restore", yaml: "compose.start: gateway-api\n", runs: false }];
    type Args = Args;
    type Out = Outcome;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let some = services(args);
        ByHand::run(hand_compose(args, &format!("start{some}")))
            .and("# They run, and none is unhealthy:")
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
        look.must_have_containers()?;
        let down: Vec<&String> = look.services.iter().filter(|s| !look.of(s).iter().all(|c| c.running)).collect();
        if down.is_empty() {
            return Ok(Forecast::nothing("all of them run"));
        }
        let from_to = down.iter().map(|s| (format!("service:{s}"), look.state(s).detail, "running".to_owned())).collect();
        let names: Vec<&str> = down.iter().map(|s| s.as_str()).collect();
        let argv = project.argv(&words("start", None, &wanted));
        Ok(Forecast { argv, from_to, ..Forecast::would(format!("start {}", names.join(", ")), look.state(down[0]).detail) })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Outcome>, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let wanted = args.service.clone().unwrap_or_default().0;
        let before = project.look(&wanted, cx).await?;
        before.must_have_containers()?;
        project.tell(&words("start", None, &wanted), cx).await?;
        let after = afterwards(&project, &before, args.wait.then_some(args.wait_for), &[], cx).await?;
        let out = Outcome::between(&project, &before, &after);
        Ok(if out.changed() { Done::changed(out) } else { Done::unchanged(out) })
    }
}
