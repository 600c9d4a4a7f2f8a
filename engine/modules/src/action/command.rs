//! `command`: run a program.

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

pub(crate) struct Command;

/// Runs a program, without a shell.
///
/// `argv` is a list: the program and its arguments, each word on its own, so that no value can be taken apart or understood as
/// syntax. Pipes, wildcards and variables are `shell`'s. The program runs in the project's folder unless `cwd` says otherwise, in a
/// process group of its own that ends with it; a step's `timeout` ends the whole group.
///
/// What it changes only its author knows: `effect` is `change` unless the step declares `effect: read`, or the words begin with one of
/// the system's `read_commands`. Without `touches` it counts as changing anything on the host.
///
/// The step is ok if the exit code is 0. Write `expect` for programs that end with 0 whatever happened, such as `curl` without
/// `--fail` and `redis-cli` without `-e`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The program and its arguments, a list of words. A line of text is not split: write a list, or use `shell`.
    #[schemars(length(min = 1), extend("x-help" = "write a list of words such as `[systemctl, status, nginx]`, or use `shell` for a line of text"))]
    argv: Vec<Text>,
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
    /// The most that is kept of each of standard output and error; of more, the middle is left out. Default: `1MiB`.
    #[serde(default = "max_output")]
    #[schemars(extend("default" = "1MiB"))]
    max_output: Size,
}

impl Args {
    fn call(&self) -> Call<'_> {
        Call {
            argv: texts(&self.argv),
            cwd: self.cwd.as_deref(),
            env: &self.env,
            stdin: self.stdin.as_deref(),
            user: self.user.as_deref(),
            max_output: self.max_output,
        }
    }
}

impl Action for Command {
    const NAME: &'static str = "command";
    const MAIN: Option<&'static str> = Some("argv");
    const VERDICT: &'static str = "exit_code == 0";
    const DECLARED: bool = true;
    const SAYS: &'static str = "exit code {{ exit_code }}";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Run a program", yaml: "command: [\"true\"]\n", runs: true },
        Example {
            title: "Look only, and expect something of the output",
            yaml: "command: [uname, -s]\neffect: read\nexpect:\n  - exit_code == 0\n  - lines[0] == 'Linux'\n",
            runs: true,
        },
        Example {
            title: "With a folder, variables and standard input",
            yaml: "command:\n  argv: [sh, -c, 'cat; printf %s \"$GREETING\"']\n  cwd: \"{tmp}\"\n  env: { GREETING: hello }\n  stdin: \"one\\n\"\n\
                   timeout: 10s\ntouches: [\"file:{tmp}\"]\n",
            runs: true,
        },
        Example {
            title: "Read what a program prints as JSON",
            yaml: "command: [docker, compose, ps, --format, json]\neffect: read\nexpect: json.State == 'running'\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        ByHand::run(by_hand::program(args)).expect("exit code 0")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let program = args.argv.first().map(|w| w.0.clone()).unwrap_or_default();
        Touches::changes([Resource::new("host", "*")]).needing(Need::Exec(program))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.call().check()
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        args.call().run(Door::Look(cx)).await
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        args.call().plan(cx, "what a command changes only its author knows")
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Ok(Done::changed(args.call().run(Door::Change(cx)).await?))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::testing::{PATIENCE, TestHost, args};

    async fn run(host: &TestHost, json: Json) -> Result<Out, Fault> {
        Command::apply(&args(json), &host.change()).await.map(|d| d.out)
    }

    #[tokio::test]
    async fn output_comes_in_every_form() {
        let host = TestHost::new();
        let out = run(&host, json!({"argv": ["sh", "-c", "echo '{\"a\": [1]}'; echo oh >&2; exit 3"]})).await.unwrap();
        assert_eq!((out.exit_code, out.signal.as_deref()), (Some(3), None));
        assert_eq!(out.stdout, "{\"a\": [1]}\n");
        assert_eq!(out.lines, ["{\"a\": [1]}"]);
        assert_eq!(out.json, json!({"a": [1]}));
        assert_eq!(out.stderr, "oh\n");
        let out = run(&host, json!({"argv": ["echo", "not", "json", 5, true]})).await.unwrap();
        assert_eq!((out.stdout.as_str(), out.json), ("not json 5 true\n", Json::Null));
    }

    #[tokio::test]
    async fn words_are_never_split_or_expanded() {
        let host = TestHost::new();
        let out = run(&host, json!({"argv": ["printf", "%s|", "a b", "$HOME", "*", "", "; true"]})).await.unwrap();
        assert_eq!(out.stdout, "a b|$HOME|*||; true|");
    }

    #[tokio::test]
    async fn folder_variables_and_input() {
        let host = TestHost::new();
        host.write("sub/x", "");
        let script = "pwd; echo $A; cat";
        let out = run(&host, json!({"argv": ["sh", "-c", script], "cwd": "sub", "env": {"A": 1, "B": null}, "stdin": "in"}))
            .await
            .unwrap();
        let folder = host.file("sub").canonicalize().unwrap();
        assert_eq!(out.stdout, format!("{}\n1\nin", folder.display()));
        let fault = run(&host, json!({"argv": ["true"], "cwd": "none"})).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.starts_with("there is no folder `")), "{fault:?}");
    }

    #[tokio::test]
    async fn a_missing_program_is_refused_and_nothing_is_begun() {
        let host = TestHost::new();
        let fault = run(&host, json!({"argv": ["no-such-program-here", "-x"]})).await.unwrap_err();
        assert_eq!(fault, Fault::refused("program `no-such-program-here` not found"));
        // Who wanted to look lacks the tool to look with.
        let fault = Command::observe(&args(json!({"argv": ["no-such-program-here"]})), &host.cx()).await.unwrap_err();
        assert_eq!(fault, Fault::cannot_tell("program `no-such-program-here` not found"));
        let fault = Command::plan(&args(json!({"argv": ["no-such-program-here"]})), &host.cx()).await.unwrap_err();
        assert_eq!(fault.message(), "program `no-such-program-here` not found");
        // One that is there but cannot be run is not an answer.
        host.write("script", "#!/bin/sh\n");
        let fault = run(&host, json!({"argv": ["./script"]})).await.unwrap_err();
        assert!(matches!(fault, Fault::CannotTell { .. }), "{fault:?}");
    }

    #[tokio::test]
    async fn a_signal_is_named() {
        let host = TestHost::new();
        let out = run(&host, json!({"argv": ["sh", "-c", "kill -9 $$"]})).await.unwrap();
        assert_eq!((out.exit_code, out.signal.as_deref()), (None, Some("KILL")));
    }

    #[tokio::test]
    async fn too_long_ends_all_of_it_and_keeps_the_output() {
        let host = TestHost::new();
        let mut cx = host.cx();
        cx.timeout = Some(Duration::from_secs(1));
        let started = std::time::Instant::now();
        let call = args(json!({"argv": ["sh", "-c", "echo before; sleep 1000 & sleep 1000"]}));
        let fault = Command::observe(&call, &cx).await.unwrap_err();
        assert!(started.elapsed() < PATIENCE);
        let Fault::TimedOut { message, result } = fault else { panic!("{fault:?}") };
        assert_eq!(message, "timed out after 1s");
        assert_eq!(result["stdout"], "before\n");
    }

    #[tokio::test]
    async fn too_much_output_loses_its_middle() {
        let host = TestHost::new();
        let out = run(&host, json!({"argv": ["sh", "-c", "printf aaaaaaaaaabbbbbbbbbb"], "max_output": "10B"})).await.unwrap();
        assert_eq!((out.stdout.as_str(), out.dropped.0), ("aaaaabbbbb", 10));
    }

    #[test]
    fn a_line_of_text_is_not_an_argument_vector() {
        let entry = runbook_core::module::Entry::action::<Command>();
        let value = runbook_core::value::from_json(json!({"argv": "ls -l"}));
        let errors = runbook_core::module::validate(&entry.args_schema, &value);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].help.as_ref().is_some_and(|h| h.contains("or use `shell`")), "{errors:?}");
        assert_eq!(entry.args_schema["properties"]["max_output"]["default"], "1MiB");
    }

    #[tokio::test]
    async fn nonsense_is_refused() {
        let host = TestHost::new();
        for (json, argument) in [
            (json!({"argv": [""]}), "argv"),
            (json!({"argv": ["a\0b"]}), "argv"),
            (json!({"argv": ["true"], "env": {"A=B": "x"}}), "env"),
            (json!({"argv": ["true"], "env": {"A": "\0"}}), "env"),
        ] {
            let fault = run(&host, json).await.unwrap_err();
            assert!(matches!(&fault, Fault::Invalid { argument: Some(a), .. } if a == argument), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn the_plan_runs_nothing() {
        let host = TestHost::new();
        let call = args(json!({"argv": ["touch", "it's"]}));
        let plan = Command::plan(&call, &host.cx()).await.unwrap();
        assert!(plan.would_change);
        assert_eq!(plan.argv, ["touch", "it's"]);
        assert_eq!(plan.summary, "run `touch 'it'\"'\"'s'`");
        assert!(!host.file("it's").exists());
    }
}
