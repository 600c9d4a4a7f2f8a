//! `compose`: how the services of a Docker Compose project stand.

use std::collections::BTreeMap;

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::Serialize;

use super::docker::{LogLine, pattern, read_lines};
use crate::support::args::OneOrMany;
use crate::support::by_hand;
use crate::support::docker::Container;
use crate::support::docker::compose::{Project, ServiceState, compose_args, touched};
use crate::support::docker_hand::{hand_compose, services};

pub(crate) struct Compose;

compose_args! {
    /// Looks how the services of a Docker Compose project stand: state, health, exit codes, last lines.
    ///
    /// It asks by `docker compose`, or by `docker-compose` where that is what is installed. Without `expect` the step is ok if every service
    /// of the file has a container, all of them run and none is unhealthy. Unlike `compose ps`, which ends with 0 whatever has happened,
    /// it judges what each container says of itself.
    struct Args {
        /// A service, or several. Default: all that the file declares.
        #[serde(default)]
        service: Option<OneOrMany>,
        /// Services that are meant to end, such as a migration: they are well if they ended with 0. Default: none.
        #[serde(default)]
        may_exit: Option<OneOrMany>,
        /// How many of the last lines that each container wrote to read. Default: 0.
        #[serde(default)]
        #[schemars(range(max = 100_000))]
        tail: u64,
        /// Read only the lines that are not older than this. Default: any age.
        #[serde(default)]
        since: Option<Duration>,
        /// A regular expression: only lines that hold it are kept. Without `tail` it goes through the last 10000 lines. Default: all lines.
        #[serde(default)]
        #[schemars(extend("format" = "regex"))]
        pattern: Option<String>,
    }
}

/// How they stand.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The folder of the project.
    project: String,
    /// How many services were looked at.
    count: usize,
    /// How many of them are well.
    well: usize,
    /// The names of those that are not: a container is missing, has ended or is unhealthy.
    failing: Vec<String>,
    /// Why the first of them is not well; null if all are.
    detail: Option<String>,
    /// How the worst of them stands, such as `running`, `exited`, `restarting` or `absent`; null if there are none.
    state: Option<String>,
    /// What the health check of the worst says; null if it has none.
    health: Option<String>,
    /// The exit code that the worst ended with; null if it runs or never did.
    exit_code: Option<i64>,
    /// Each service with how it stands.
    by_service: BTreeMap<String, ServiceState>,
    /// Their containers.
    containers: Vec<Container>,
    /// The lines that were read, in the order of time over all containers.
    lines: Vec<LogLine>,
    /// How many lines were kept: with `pattern`, those that hold it.
    matches: usize,
}

impl Probe for Compose {
    const NAME: &'static str = "compose";
    const MAIN: Option<&'static str> = Some("service");
    const VERDICT: &'static str = "failing | length == 0 and count > 0";
    const SAYS: &'static str = "{{ well }} of {{ count }} well";
    const COLUMNS: &'static [&'static str] = &["state", "health"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "All services of the project are up", yaml: "compose: {}\n", runs: false },
        Example {
            title: "One service is up and was not restarted by the daemon",
            yaml: "compose: gateway-api\nexpect:\n  - by_service['gateway-api'].well\n  - by_service['gateway-api'].restart_count == 0\n",
            runs: false,
        },
        Example {
            title: "The way of one request through all services, in the order of time",
            yaml: "compose: { project: /srv/netopsai, since: 1h, pattern: abc-123-correlation-id }\nexpect: matches > 0\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let some = services(args);
        let mut hand = ByHand::run(hand_compose(args, &format!("ps{some}")));
        if args.text("tail").is_some_and(|t| t != "0") || args.get("pattern").is_some() {
            let tail = by_hand::path_word(&args.text("tail").filter(|t| t != "0").unwrap_or_else(|| "10000".to_owned()));
            let search = args.text("pattern").map(|p| format!(" | grep {}", by_hand::grep(&p))).unwrap_or_default();
            hand = hand.and(format!("{}{search}", hand_compose(args, &format!("logs --no-color --tail {tail}{some}"))));
        }
        hand.note("`docker compose` was called `docker-compose` before version 2.")
            .expect("every service is `Up` or `running`, and none `unhealthy`")
    }

    fn touches(args: &Args) -> Touches {
        touched(&args.service.clone().unwrap_or_default().0, false)
    }

    fn check(args: &Args) -> Result<(), Fault> {
        pattern(args.pattern.as_deref()).map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let wanted = pattern(args.pattern.as_deref())?;
        let project = Project::find(&args.place(), cx).await?;
        let look = project.look(&args.service.clone().unwrap_or_default().0, cx).await?;
        let may_exit = args.may_exit.clone().unwrap_or_default().0;
        let mut states = look.states();
        for (name, state) in &mut states {
            let ended = look.of(name).iter().all(|c| c.well() || c.exit_code == Some(0));
            state.well |= may_exit.contains(name) && state.containers > 0 && ended;
        }
        let failing: Vec<String> = look.services.iter().filter(|s| !states[*s].well).cloned().collect();
        let worst = failing.first().or(look.services.first()).map(|s| &states[s]);
        let lines = read_lines(&look.containers, args.tail, args.since, wanted.as_ref(), cx).await?;
        Ok(Out {
            project: project.folder(),
            count: look.services.len(),
            well: look.services.len() - failing.len(),
            detail: failing.first().map(|f| format!("{f}: {}", states[f].detail)),
            state: worst.map(|w| w.state.clone()),
            health: worst.and_then(|w| w.health.clone()),
            exit_code: worst.and_then(|w| w.exit_code),
            failing,
            by_service: states,
            containers: look.containers,
            matches: lines.len(),
            lines,
        })
    }
}
