//! `url.open`: shows a page in the operator's browser.

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Exec, Fault, Forecast, HandArgs, Need, Touches, hand_word,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::http_client::parse_url;

pub(crate) struct UrlOpen;

/// Shows a page in the browser of the desktop that this runs on.
///
/// Without a desktop (neither `DISPLAY` nor `WAYLAND_DISPLAY` is set) the step is refused and nothing is begun: write
/// `continue_on_error: true` where the page is a convenience. Whether somebody looks at it, nobody can tell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The URL, starting with `http://` or `https://`.
    #[schemars(url)]
    url: String,
    /// The program that opens it, given the URL as its only argument. Default: `xdg-open`.
    #[serde(default = "opener")]
    #[schemars(length(min = 1))]
    program: String,
}

fn opener() -> String {
    "xdg-open".to_owned()
}

/// What was opened.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The URL.
    url: String,
}

/// Refuses where there is no desktop to show anything on.
fn desktop(cx: &Cx<'_>) -> Result<(), Fault> {
    let set = |name: &str| cx.env(name).is_some_and(|v| !v.is_empty());
    if set("DISPLAY") || set("WAYLAND_DISPLAY") {
        return Ok(());
    }
    Err(Fault::refused("there is no desktop here: neither DISPLAY nor WAYLAND_DISPLAY is set"))
}

impl Action for UrlOpen {
    const NAME: &'static str = "url.open";
    const MAIN: Option<&'static str> = Some("url");
    const SAYS: &'static str = "{{ url }} is opened";
    const EXAMPLES: &'static [Example] = &[Example {
        title: "The user interface, if somebody sits here",
        yaml: "url.open: http://127.0.0.1:7000/\ncontinue_on_error: true\n",
        runs: false,
    }];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        // A program whose name begins with a dash would be an option of the shell.
        let program = args.text("program").map_or_else(|| "xdg-open".to_owned(), |p| format!("env -- {}", hand_word(&p)));
        ByHand::run(format!("{program} {}", hand_word(&args.or("url", "<url>"))))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        Touches::default().needing(Need::Exec(args.program.clone()))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        parse_url(&args.url).map(drop)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        parse_url(&args.url)?;
        desktop(cx)?;
        let argv = vec![args.program.clone(), args.url.clone()];
        Ok(Forecast { argv, ..Forecast::would(format!("open {} in a browser", args.url), "there is a desktop") })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let url = parse_url(&args.url)?;
        desktop(cx)?;
        let exec = Exec {
            argv: vec![args.program.clone(), url.to_string()],
            cwd: Some(cx.root.to_owned()),
            timeout: Some(cx.timeout.unwrap_or(std::time::Duration::from_secs(10))),
            max_output: Some(64 * 1024),
            ..Exec::default()
        };
        let output = cx.run(exec).await.map_err(|e| Fault::refused(format!("`{}` cannot be run: {e}", args.program)))?;
        // A browser that was started may stay: then it is open.
        if output.exit_code.is_some_and(|code| code != 0) {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let code = output.exit_code.unwrap_or_default();
            return Err(Fault::unmet(format!("`{}` ended with exit code {code}: {said}", args.program)));
        }
        Ok(Done::changed(Out { url: args.url.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    fn host(script: &str) -> (TestHost, String) {
        let host = TestHost::new();
        // A stand-in for a desktop's opener.
        let path = host.write("opener", format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        host.set_env("DISPLAY", Some(":0"));
        host.set_env("WAYLAND_DISPLAY", None);
        let program = path.display().to_string();
        (host, program)
    }

    #[tokio::test]
    async fn the_url_is_one_word() {
        let (host, program) = host("printf %s \"$*\" > \"$(dirname \"$0\")/opened\"");
        let call = args::<Args>(json!({ "url": "http://127.0.0.1/a?b=$(id)&c='", "program": program }));
        assert!(UrlOpen::plan(&call, &host.cx()).await.unwrap().would_change);
        assert!(!host.file("opened").exists());
        assert!(UrlOpen::apply(&call, &host.change()).await.unwrap().changed);
        assert_eq!(std::fs::read_to_string(host.file("opened")).unwrap(), "http://127.0.0.1/a?b=$(id)&c=%27");
    }

    #[tokio::test]
    async fn without_a_desktop_nothing_is_begun() {
        let (host, program) = host("touch began");
        host.set_env("DISPLAY", None);
        let call = args::<Args>(json!({ "url": "http://127.0.0.1/", "program": program }));
        assert!(matches!(UrlOpen::plan(&call, &host.cx()).await, Err(Fault::Refused { .. })));
        assert!(matches!(UrlOpen::apply(&call, &host.change()).await, Err(Fault::Refused { .. })));
        assert!(!host.file("began").exists());
    }

    #[tokio::test]
    async fn an_opener_that_fails_says_why() {
        let (host, program) = host("echo no browser >&2; exit 3");
        let call = args::<Args>(json!({ "url": "http://127.0.0.1/", "program": program }));
        let fault = UrlOpen::apply(&call, &host.change()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("exit code 3: no browser")), "{fault:?}");
        let call = args::<Args>(json!({ "url": "http://127.0.0.1/", "program": "no-such-opener" }));
        assert!(matches!(UrlOpen::apply(&call, &host.change()).await, Err(Fault::Refused { .. })));
        assert!(UrlOpen::check(&args(json!({ "url": "file:///etc/passwd" }))).is_err());
    }
}
