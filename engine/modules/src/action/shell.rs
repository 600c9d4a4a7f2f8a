//! `shell`: run a script.

use std::collections::BTreeMap;

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Resource, Touches,
};
use runbook_core::value::Size;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::support::args::Text;
use crate::support::by_hand;
use crate::support::exec::{Call, Door, Out, max_output};
use crate::support::words::texts;

pub(crate) struct Shell;

/// Runs a script in a shell.
///
/// The script is handed to `sh -c`, or to another `interpreter`, as its last word. Values that are interpolated into it are quoted
/// for the shell; pass them by `env` to use them inside of quotes. `sh -c` goes on after a command that failed and judges a pipe by
/// its last command: begin with `set -e`, or use `interpreter: [bash, -euo, pipefail, -c]`.
///
/// Effect, folder, result and verdict are as for `command`, which is the better choice wherever one program does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The script.
    #[schemars(length(min = 1))]
    script: String,
    /// The folder to run it in; relative ones start at the project root. Default: the project root.
    #[serde(default)]
    cwd: Option<String>,
    /// Variables to add to its environment; one that is null is left as it is. Default: none.
    #[serde(default)]
    env: BTreeMap<String, Option<Text>>,
    /// The text it reads on standard input. Default: nothing.
    #[serde(default)]
    stdin: Option<String>,
    /// The user to run it as, which takes the permission to do so. Default: the operator.
    #[serde(default)]
    user: Option<String>,
    /// The program that runs the script and its options; the script is added as the last word. Default: `[sh, -c]`.
    #[serde(default = "sh")]
    #[schemars(length(min = 1))]
    interpreter: Vec<Text>,
    /// The most that is kept of each of standard output and error; of more, the middle is left out. Default: `1MiB`.
    #[serde(default = "max_output")]
    #[schemars(extend("default" = "1MiB"))]
    max_output: Size,
}

fn sh() -> Vec<Text> {
    vec![Text("sh".to_owned()), Text("-c".to_owned())]
}

impl Args {
    fn call(&self) -> Call<'_> {
        let mut argv = texts(&self.interpreter);
        argv.push(self.script.clone());
        Call {
            argv,
            cwd: self.cwd.as_deref(),
            env: &self.env,
            stdin: self.stdin.as_deref(),
            user: self.user.as_deref(),
            max_output: self.max_output,
        }
    }
}

impl Action for Shell {
    const NAME: &'static str = "shell";
    const MAIN: Option<&'static str> = Some("script");
    const VERDICT: &'static str = "exit_code == 0";
    const DECLARED: bool = true;
    const SAYS: &'static str = "exit code {{ exit_code }}";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A pipe", yaml: "shell: printf 'a\\nb\\n' | wc -l\neffect: read\nexpect: json == 2\n", runs: true },
        Example {
            title: "Several commands, stopping at the first that fails",
            yaml: "shell: |\n  set -e\n  cd \"{tmp}\"\n  touch one\ntouches: [\"file:{tmp}\"]\n",
            runs: true,
        },
        Example {
            title: "In bash, with a value that is passed by the environment",
            yaml: "shell:\n  script: 'zcat \"$DUMP\" | head -1'\n  env: { DUMP: /backups/latest.sql.gz }\n  interpreter: [bash, -euo, pipefail, -c]\n\
                   effect: read\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        ByHand::run(by_hand::script(args)).expect("exit code 0")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let program = args.interpreter.first().map(|w| w.0.clone()).unwrap_or_default();
        Touches::changes([Resource::new("host", "*")]).needing(Need::Exec(program))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if args.script.contains('\0') {
            return Err(Fault::invalid("script", "the script holds a NUL character, which no program can be given"));
        }
        args.call().check()
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        args.call().run(Door::Look(cx)).await
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let forecast = args.call().plan(cx, "what a script changes only its author knows")?;
        Ok(Forecast { summary: format!("run the script `{}`", args.script.trim()), ..forecast })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Ok(Done::changed(args.call().run(Door::Change(cx)).await?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn run(host: &TestHost, json: Json) -> Result<Out, Fault> {
        Shell::apply(&args(json), &host.change()).await.map(|d| d.out)
    }

    #[tokio::test]
    async fn scripts_run_in_the_root() {
        let host = TestHost::new();
        let out = run(&host, json!({"script": "false\necho $A > x; cat x | tr a b", "env": {"A": "aa"}})).await.unwrap();
        assert_eq!((out.exit_code, out.stdout.as_str()), (Some(0), "bb\n"));
        assert!(host.file("x").exists());
    }

    #[tokio::test]
    async fn another_interpreter() {
        let host = TestHost::new();
        let out = run(&host, json!({"script": "false; echo on", "interpreter": ["sh", "-e", "-c"]})).await.unwrap();
        assert_eq!((out.exit_code, out.stdout.as_str()), (Some(1), ""));
        let fault = run(&host, json!({"script": "x", "interpreter": ["no-such-shell", "-c"]})).await.unwrap_err();
        assert_eq!(fault.message(), "program `no-such-shell` not found");
    }

    #[tokio::test]
    async fn a_missing_command_inside_is_the_shells_matter() {
        let host = TestHost::new();
        let out = run(&host, json!({"script": "no-such-command"})).await.unwrap();
        assert_eq!(out.exit_code, Some(127));
    }

    #[tokio::test]
    async fn the_plan_runs_nothing() {
        let host = TestHost::new();
        let plan = Shell::plan(&args(json!({"script": "touch x\n"})), &host.cx()).await.unwrap();
        assert_eq!((plan.summary.as_str(), plan.argv.len()), ("run the script `touch x`", 3));
        assert!(!host.file("x").exists());
    }
}
