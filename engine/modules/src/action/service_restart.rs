//! `service.restart`: stop a service of the system and start it again.

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::service_start::{self, forecast, no_more_words, start, start_managed, touched};
use crate::action::service_stop::stop;
use crate::support::args::{Text, yes};
use crate::support::service_by_hand::HandService;
use crate::support::service_entry::ServiceEntry;
use crate::support::service_files::Files;
use crate::support::service_managers::{self, Deed, is_managed};

pub(crate) struct ServiceRestart;

/// Stops a service of the system, if it runs, and starts it again.
///
/// It is `service.stop` and then `service.start`, with no other run in between. If the service does not stop, it is not started. A
/// service that did not run is started. Services that need it are left as they are.
///
/// With `manager: systemd` the entry's `unit` is restarted. With `manager: compose` the service's container is replaced by a new one, so
/// that it has the environment and the image as they are now, which `docker compose restart` would not bring in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The service, as it is called in the system.
    #[schemars(length(min = 1))]
    name: String,
    /// Whether to kill what is still running after `grace`; that loses what it was about to write. Default: false.
    #[serde(default)]
    force: bool,
    /// How long it may take to stop by itself; a shorter `timeout` of the step shortens it. Default: the entry's `stop.grace`, or `10s`.
    #[serde(default)]
    grace: Option<Duration>,
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
    #[serde(flatten)]
    start: service_start::Out,
    /// Whether one that ran was stopped.
    stopped: bool,
    /// How it stood before: `running`, `stopped`, `stale`, `foreign` or `leaderless`.
    was: String,
    /// Whether it had to be killed.
    killed: bool,
}

impl Action for ServiceRestart {
    const NAME: &'static str = "service.restart";
    const MAIN: Option<&'static str> = Some("name");
    const SAYS: &'static str = "started, pid {{ pid }}";
    const COLUMNS: &'static [&'static str] = &["pid", "port"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Restart a service and wait until it is ready", yaml: "service.restart: api-gateway\n", runs: false },
        Example {
            title: "Kill it if it does not stop within 30 seconds",
            yaml: "service.restart: { name: api-gateway, force: true, grace: 30s }\nconfirm: true\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let service = HandService::of(args);
        let hand = service.elsewhere("restart").unwrap_or_else(|| {
            let stopped = service.stop(args.flag("force", false), args.text("grace"));
            service.logs(service.launch(stopped, &args.list("args")))
        });
        hand.expect("it stops, starts again and keeps running")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let program = args.entry.as_ref().and_then(|e| e.argv.first()).cloned().unwrap_or_else(|| "*".to_owned());
        touched(&args.name, args.entry.as_ref()).needing(Need::Exec(program)).needing(Need::Signal)
    }

    // A second restart interrupts the service a second time.
    fn idempotent(_: &Args) -> bool {
        false
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let entry = ServiceEntry::ours(args.entry.as_ref(), &args.name)?;
        if is_managed(entry) {
            no_more_words(entry, &args.args)?;
            return service_managers::forecast(Deed::Restart, entry, cx).await;
        }
        forecast(entry, &args.args, cx, true).await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let entry = ServiceEntry::ours(args.entry.as_ref(), &args.name)?;
        if is_managed(entry) {
            let (done, before) = start_managed(Deed::Restart, entry, &args.args, args.grace, cx).await?;
            let stopped = before.state == "running";
            let mut start = done.out;
            start.already_running = false;
            return Ok(Done::changed(Out { start, stopped, was: before.state, killed: false }));
        }
        let files = Files::of(entry, cx);
        let _lock = files.lock(cx, &args.name).await?;
        // What would keep it from starting is found before it is stopped.
        forecast(entry, &args.args, cx, true).await?;
        let stopped = stop(entry, args.force, args.grace, cx, &files).await?;
        let started = start(entry, &args.args, cx, &files).await?;
        let out = Out { start: started.out, stopped: stopped.changed, was: stopped.out.was, killed: stopped.out.killed };
        Ok(Done::changed(out))
    }
}
