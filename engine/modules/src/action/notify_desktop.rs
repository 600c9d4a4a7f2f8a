//! `notify.desktop`: shows a message on the operator's desktop.

use std::io::ErrorKind;
use std::time::Duration as Std;

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Exec, Fault, Forecast, HandArgs, Need, Resource, Touches, hand_line,
};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::net;
use crate::support::notify::quoted;
use crate::support::words;

pub(crate) struct NotifyDesktop;

/// Shows a message on the desktop of whoever runs this, with `notify-send`.
///
/// Without that program, or where no desktop is there to show it, nobody can tell whether anybody would see it, and the step's outcome is
/// unknown.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The title.
    title: String,
    /// The message. Default: none.
    #[serde(default)]
    message: String,
    /// How bad it is: `low`, `normal` (default) or `critical`, which stays until somebody closes it.
    #[serde(default)]
    urgency: Urgency,
    /// How long to show it. Default: as long as the desktop thinks fit.
    #[serde(default)]
    show_for: Option<Duration>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Urgency {
    Low,
    #[default]
    Normal,
    Critical,
}

/// What was shown.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether the desktop took the message.
    delivered: bool,
    /// The title.
    title: String,
}

impl Args {
    fn argv(&self) -> Vec<String> {
        let urgency = match self.urgency {
            Urgency::Low => "low",
            Urgency::Normal => "normal",
            Urgency::Critical => "critical",
        };
        let mut argv = vec!["notify-send".to_owned(), "--app-name=runbook".to_owned(), format!("--urgency={urgency}")];
        argv.extend(self.show_for.map(|d| format!("--expire-time={}", d.to_std().as_millis())));
        argv.extend(["--".to_owned(), self.title.clone(), self.message.clone()]);
        argv
    }
}

impl Action for NotifyDesktop {
    const NAME: &'static str = "notify.desktop";
    const MAIN: Option<&'static str> = Some("title");
    const VERDICT: &'static str = "delivered";
    const SAYS: &'static str = "shown";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "The long job is done", yaml: "notify.desktop: The backup is done", runs: false },
        Example {
            title: "It stays until somebody closes it",
            yaml: "notify.desktop: { title: gateway is down, message: See the runbook gateway-down, urgency: critical }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let urgency = format!("--urgency={}", args.or("urgency", "normal"));
        ByHand::run(hand_line(["notify-send", &urgency, "--", &args.or("title", "<title>"), &args.or("message", "")]))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(_: &Args) -> Touches {
        Touches::changes([Resource::new("notify", "desktop")]).needing(Need::Exec("notify-send".to_owned()))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if args.title.trim().is_empty() {
            return Err(Fault::invalid("title", "say what to show"));
        }
        match args.title.contains('\0') || args.message.contains('\0') {
            true => Err(Fault::invalid("message", "a message has no null characters")),
            false => Ok(()),
        }
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        if words::program("notify-send", cx.root, cx.env("PATH").as_deref()).is_none() {
            return Err(missing());
        }
        let because = if args.message.is_empty() { "no more than the title".to_owned() } else { quoted(&args.message) };
        Ok(Forecast { argv: args.argv(), ..Forecast::would(format!("show {} on the desktop", quoted(&args.title)), because) })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let timeout = Some(net::shorter(Std::from_secs(10), cx.timeout));
        let run = cx.run(Exec { argv: args.argv(), timeout, ..Exec::default() }).await;
        let output = run.map_err(|e| match e.kind() {
            ErrorKind::NotFound => missing(),
            _ => Fault::cannot_tell(format!("`notify-send` did not start: {e}")),
        })?;
        if output.timed_out {
            return Err(Fault::cannot_tell("`notify-send` did not end: no desktop answers it"));
        }
        if output.exit_code != Some(0) {
            let said = String::from_utf8_lossy(&output.stderr);
            let said: String = said.trim().lines().last().unwrap_or("it says nothing").chars().take(300).collect();
            return Err(Fault::cannot_tell(format!("no desktop showed the message: {said}")));
        }
        Ok(Done::changed(Out { delivered: true, title: args.title.clone() }))
    }
}

fn missing() -> Fault {
    Fault::cannot_tell("`notify-send` is not here; on Debian it is in the package `libnotify-bin`")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    #[test]
    fn what_is_shown_is_no_option() {
        let message = args::<Args>(json!({ "title": "--help", "message": "$(id)", "urgency": "critical", "show_for": "2s" }));
        let wanted = ["notify-send", "--app-name=runbook", "--urgency=critical", "--expire-time=2000", "--", "--help", "$(id)"];
        assert_eq!(message.argv(), wanted);
        assert!(NotifyDesktop::check(&args(json!({ "title": " " }))).is_err());
        assert!(NotifyDesktop::check(&args(json!({ "title": "a\u{0}" }))).is_err());
        assert!(!NotifyDesktop::idempotent(&message));
    }

    #[tokio::test]
    async fn without_the_program_nobody_can_tell() {
        let host = TestHost::new();
        host.set_env("PATH", Some(host.root().to_str().unwrap()));
        let message = args::<Args>(json!({ "title": "t" }));
        let fault = NotifyDesktop::plan(&message, &host.cx()).await.unwrap_err();
        assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("libnotify-bin")), "{fault:?}");
        let program = host.write("notify-send", "#!/bin/sh\n");
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let plan = NotifyDesktop::plan(&message, &host.cx()).await.unwrap();
        assert!(plan.would_change && plan.argv[0] == "notify-send");
    }

    #[tokio::test]
    async fn without_a_desktop_nobody_can_tell() {
        // On a machine with a desktop the message is shown, which is right as well.
        let done = NotifyDesktop::apply(&args(json!({ "title": "a test of runbook" })), &TestHost::new().change()).await;
        assert!(matches!(done, Err(Fault::CannotTell { .. }) | Ok(Done { changed: true, .. })), "{done:?}");
    }
}
