//! `compose.down`: stop and remove the containers of a Docker Compose project.

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches};
use runbook_core::value::Duration;

use crate::support::docker::compose::{Outcome, Project, afterwards, compose_args, seconds, touched};
use crate::support::docker_hand::hand_compose;

pub(crate) struct ComposeDown;

compose_args! {
    /// Stops and removes all containers of a Docker Compose project, and its networks.
    ///
    /// That is every service, the database, the cache and the proxy among them, and their logs are gone with the containers. To change one
    /// service use `compose.up` with its name; to stop one, `compose.stop`. With `volumes` the data in the project's volumes is lost for
    /// good.
    struct Args {
        /// Whether to remove the project's volumes with all data in them. Default: false.
        #[serde(default)]
        volumes: bool,
        /// Whether to remove containers of services too that the file does not declare any more. Default: false.
        #[serde(default)]
        remove_orphans: bool,
        /// How long each container may take to stop by itself. Default: Docker's own, `10s`.
        #[serde(default)]
        grace: Option<Duration>,
    }
}

impl Args {
    fn words(&self) -> Vec<String> {
        let mut words = vec!["down".to_owned()];
        let flags = [("-v", self.volumes), ("--remove-orphans", self.remove_orphans)];
        words.extend(flags.iter().filter(|(_, on)| *on).map(|(flag, _)| (*flag).to_owned()));
        if let Some(grace) = self.grace {
            words.extend(["-t".to_owned(), seconds(grace)]);
        }
        words
    }
}

impl Action for ComposeDown {
    const NAME: &'static str = "compose.down";
    const SAYS: &'static str = "{{ removed | length }} removed";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Take the whole stack down", yaml: "compose.down: { project: /srv/netopsai }\n", runs: false },
        Example {
            title: "With its data, on a machine for tests",
            yaml: "compose.down: { project: ./tests, volumes: true, remove_orphans: true }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Outcome;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let flag = |name: &str, word: &str| if args.flag(name, false) { format!(" {word}") } else { String::new() };
        let flags = flag("volumes", "-v") + &flag("remove_orphans", "--remove-orphans");
        let hand = ByHand::run("# All of these are stopped and removed, with their logs:")
            .and(hand_compose(args, "ps"))
            .and("# Only if that is meant:")
            .and(hand_compose(args, &format!("down{flags}")));
        if args.flag("volumes", false) { hand.note("`-v` removes the data in the volumes for good.") } else { hand }
    }

    fn effect(_: &Args) -> Effect {
        Effect::Destroy
    }

    fn touches(_: &Args) -> Touches {
        touched(&[], true)
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let look = project.look(&[], cx).await?;
        let words = args.words();
        let argv = project.argv(&words);
        if look.containers.is_empty() && !args.volumes && !args.remove_orphans {
            return Ok(Forecast::nothing("the project has no container"));
        }
        let lost = |c: &crate::support::docker::Container| (format!("container:{}", c.name), c.described(), "gone".to_owned());
        let from_to = look.containers.iter().map(lost).collect();
        let data = if args.volumes { ", and all data in its volumes" } else { "" };
        let summary = format!("stop and remove all {} containers of `{}`{data}", look.containers.len(), project.folder());
        let running = look.containers.iter().filter(|c| c.running).count();
        Ok(Forecast { argv, from_to, ..Forecast::would(summary, format!("{running} of them run")) })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Outcome>, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let before = project.look(&[], cx).await?;
        let words = args.words();
        project.tell(&words, cx).await?;
        let after = afterwards(&project, &before, None, &[], cx).await?;
        let out = Outcome::between(&project, &before, &after);
        if let Some(left) = after.containers.first() {
            return Err(Fault::unmet_with(format!("`{}` is still there: {}", left.name, left.described()), out));
        }
        // Whether there were volumes or orphans is not looked at: where they were asked for, something may have gone.
        let changed = out.changed() || args.volumes || args.remove_orphans;
        Ok(if changed { Done::changed(out) } else { Done::unchanged(out) })
    }
}
