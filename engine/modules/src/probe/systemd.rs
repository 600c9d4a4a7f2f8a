//! `systemd`: how a unit of systemd stands.

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::systemd::{Unit, check_name, look};

pub(crate) struct Systemd;

/// Looks how a unit of systemd stands: whether it is active, since when, and whether it starts at boot.
///
/// Without `expect` the step is ok if the unit is active. Where the machine was not booted with systemd, or systemd does not
/// answer, it cannot tell, which is not the same as inactive.
///
/// It knows only what systemd has started: a server that was started in another way is inactive here while it serves. Whether a server
/// answers is for `tcp`, `http`, `redis` or `postgres` to say, and whether a process runs for `process`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The unit, such as `nginx` or `backup.timer`; without a suffix it is a service.
    #[schemars(length(min = 1))]
    unit: String,
    /// Whether it is one of the user's own units and not of the system's. Default: false.
    #[serde(default)]
    user: bool,
    /// What it means that the unit is not installed: `unmet`, or `ok` where it need not be. Default: `unmet`.
    #[serde(default)]
    absent: Absent,
}

/// What it means that something is not installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Absent {
    #[default]
    Unmet,
    Ok,
}

/// How it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    #[serde(flatten)]
    unit: Unit,
    /// Whether it is active.
    active: bool,
    /// The state in a few words, with the exit code.
    detail: String,
    /// Whether it stands as it should: active, or not installed where that is ok.
    well: bool,
}

impl Probe for Systemd {
    const NAME: &'static str = "systemd";
    const MAIN: Option<&'static str> = Some("unit");
    const VERDICT: &'static str = "well";
    const SAYS: &'static str = "{{ detail }}";
    const COLUMNS: &'static [&'static str] = &["state", "sub_state", "uptime"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A service is active", yaml: "systemd: postgresql\n", runs: false },
        Example {
            title: "It was not restarted by systemd, and starts at boot",
            yaml: "systemd: { unit: nginx }\nexpect:\n  - active\n  - restart_count == 0\n  - enabled == 'enabled'\n",
            runs: false,
        },
        Example {
            title: "Where it is installed, it is active",
            yaml: "systemd: { unit: redis-server, absent: ok }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let user = if args.flag("user", false) { "--user " } else { "" };
        ByHand::run(format!("systemctl {user}status --no-pager -- {}", args.word("unit"))).expect("a line with `Active: active`")
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([Resource::new("service", args.unit.strip_suffix(".service").unwrap_or(&args.unit))])
    }

    fn check(args: &Args) -> Result<(), Fault> {
        check_name(&args.unit)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        check_name(&args.unit)?;
        let unit = look(&args.unit, args.user, cx).await?;
        let active = matches!(unit.state.as_str(), "active" | "reloading");
        let well = active || (!unit.installed && args.absent == Absent::Ok);
        Ok(Out { active, detail: unit.described(), well, unit })
    }
}
