//! `systemd.daemon_reload`: make systemd read all unit files again.

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Resource, Touches,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::systemd::{check_name, daemon_reload, look, there};

pub(crate) struct SystemdDaemonReload;

/// Makes systemd read all unit files again, so that changed ones count.
///
/// Nothing is started or stopped. With `unit` it is done only if the file of that unit has changed since systemd read it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The unit whose file was changed. Default: none, and they are read again in any case.
    #[serde(default)]
    unit: Option<String>,
    /// Whether it is about the user's own units and not the system's. Default: false.
    #[serde(default)]
    user: bool,
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether the files were read again.
    reloaded: bool,
}

impl Args {
    /// Why nothing has to be done, if nothing has.
    async fn needless(&self, cx: &Cx<'_>) -> Result<Option<String>, Fault> {
        let Some(name) = &self.unit else {
            there(self.user, cx).await?;
            return Ok(None);
        };
        check_name(name)?;
        let unit = look(name, self.user, cx).await?;
        // A unit that systemd does not know may have a file that is new.
        Ok((unit.installed && !unit.needs_reload)
            .then(|| format!("the file of `{}` has not changed since systemd read it", unit.unit)))
    }
}

impl Action for SystemdDaemonReload {
    const NAME: &'static str = "systemd.daemon_reload";
    const MAIN: Option<&'static str> = Some("unit");
    const SAYS: &'static str = "{{ 'unit files read again' if reloaded else 'not needed' }}";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "After a unit file was written", yaml: "systemd.daemon_reload: sonia\n", runs: false },
        Example { title: "In any case", yaml: "systemd.daemon_reload: {}\n", runs: false },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        ByHand::run(if args.flag("user", false) { "systemctl --user daemon-reload" } else { "sudo systemctl daemon-reload" })
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(_: &Args) -> Touches {
        Touches::changes([Resource::new("service", "*")]).needing(Need::Exec("systemctl".to_owned()))
    }

    fn idempotent(args: &Args) -> bool {
        args.unit.is_some()
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.unit.as_deref().map_or(Ok(()), check_name)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Ok(match args.needless(cx).await? {
            Some(why) => Forecast::nothing(why),
            None => Forecast::would("make systemd read all unit files again", "they may have changed since it read them"),
        })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        if args.needless(cx).await?.is_some() {
            return Ok(Done::unchanged(Out { reloaded: false }));
        }
        daemon_reload(args.user, cx).await?;
        Ok(Done::changed(Out { reloaded: true }))
    }
}
