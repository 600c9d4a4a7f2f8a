//! `compose.exec`: run a program in a container of a Docker Compose service.

use std::collections::BTreeMap;

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches, hand_line, hand_word,
};
use runbook_core::value::Size;
use schemars::JsonSchema;
use serde::Serialize;

use crate::support::args::Text;
use crate::support::docker::compose::{Project, compose_args, touched};
use crate::support::docker_hand::hand_compose;
use crate::support::exec::{self, Call, Door, max_output};
use crate::support::words::texts;

pub(crate) struct ComposeExec;

compose_args! {
    /// Runs a program in the running container of a Docker Compose service.
    ///
    /// No terminal is ever allocated (`-T`), so that output is what the program wrote, without carriage returns, and input can be piped in.
    /// Whether the container runs is looked at first: the program's own exit code cannot be mistaken for Compose's. Without `expect` the
    /// step is ok if the program ends with 0.
    ///
    /// What the program does only its author knows, so the effect is `change` unless the step says `effect: read`. Secrets do not belong
    /// into `argv`, which everybody on the machine can read.
    struct Args {
        /// The service.
        #[schemars(length(min = 1))]
        service: String,
        /// The program and its arguments; no shell reads them.
        #[schemars(length(min = 1))]
        argv: Vec<Text>,
        /// The user to run it as, in the container. Default: the container's.
        #[serde(default)]
        user: Option<String>,
        /// The folder in the container to run it in. Default: the container's.
        #[serde(default)]
        cwd: Option<String>,
        /// Variables added to its environment. They can be read in the process list while it starts.
        #[serde(default)]
        env: BTreeMap<String, Option<Text>>,
        /// What it reads on standard input. Default: nothing.
        #[serde(default)]
        stdin: Option<String>,
        /// Which of the service's containers, from 1. Default: 1.
        #[serde(default)]
        #[schemars(range(min = 1))]
        index: Option<u32>,
        /// The most that is kept of each of its output streams; the middle of what is longer is left out. Default: `1MiB`.
        #[serde(default = "max_output")]
        max_output: Size,
    }
}

/// What the program left.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    #[serde(flatten)]
    exec: exec::Out,
    /// The container it ran in.
    container: String,
}

impl Args {
    fn words(&self) -> Vec<String> {
        let mut words = vec!["exec".to_owned(), "-T".to_owned()];
        let mut option = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                words.extend([name.to_owned(), value]);
            }
        };
        option("-u", self.user.clone());
        option("-w", self.cwd.clone());
        option("--index", self.index.map(|i| i.to_string()));
        for (name, value) in &self.env {
            option("-e", value.as_ref().map(|v| format!("{name}={}", v.0)));
        }
        words.push(self.service.clone());
        words.extend(texts(&self.argv));
        words
    }

    /// The container that is meant, which must run.
    async fn container(&self, project: &Project, cx: &Cx<'_>) -> Result<String, Fault> {
        let look = project.look(std::slice::from_ref(&self.service), cx).await?;
        let state = look.state(&self.service);
        let index = self.index.unwrap_or(1) as usize;
        match look.of(&self.service).get(index - 1) {
            Some(container) if container.running => Ok(container.name.clone()),
            Some(container) => Err(Fault::refused(format!("`{}` does not run: {}", container.name, container.described()))),
            None => {
                Err(Fault::refused(format!("`{}` has {} containers; start it with `compose.up`", self.service, state.containers)))
            }
        }
    }

    async fn run(&self, door: Door<'_>) -> Result<Out, Fault> {
        let cx: &Cx<'_> = match door {
            Door::Look(cx) => cx,
            Door::Change(change) => change,
        };
        let project = Project::find(&self.place(), cx).await?;
        let container = self.container(&project, cx).await?;
        let words = self.words();
        let argv = project.argv(&words);
        let folder = project.folder();
        let env = BTreeMap::new();
        let call =
            Call { argv, cwd: Some(&folder), env: &env, stdin: self.stdin.as_deref(), user: None, max_output: self.max_output };
        let exec = call.run(door).await?;
        let not_found = matches!(exec.exit_code, Some(126 | 127)) && (exec.stdout.clone() + &exec.stderr).contains("exec failed");
        if not_found {
            let program = self.argv.first().map(|w| w.0.clone()).unwrap_or_default();
            return Err(Fault::refused(format!("`{container}` has no program `{program}` that can be run")));
        }
        Ok(Out { exec, container })
    }
}

impl Action for ComposeExec {
    const NAME: &'static str = "compose.exec";
    const VERDICT: &'static str = "exit_code == 0";
    const SAYS: &'static str = "exit code {{ exit_code }} in {{ elapsed }}";
    const DECLARED: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Look whether the database takes connections",
            yaml: "compose.exec: { service: postgres, argv: [pg_isready, -U, postgres] }\neffect: read\nexpect: \"'accepting connections' in stdout\"\n",
            runs: false,
        },
        Example {
            title: "Run a migration in another project",
            yaml: "compose.exec: { project: /srv/netopsai, service: gateway-api, argv: [node, dist/migrate.js] }\ntimeout: 5m\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let option = |name: &str, flag: &str| args.text(name).map(|v| format!(" {flag} {}", hand_word(&v))).unwrap_or_default();
        let options = option("user", "-u") + &option("cwd", "-w") + &option("index", "--index");
        let env: String = args.pairs("env").iter().map(|(k, v)| format!(" -e {}", hand_word(&format!("{k}={v}")))).collect();
        let line =
            hand_compose(args, &format!("exec -T{options}{env} {} {}", args.word("service"), hand_line(args.list("argv"))));
        let line = match args.text("stdin") {
            Some(input) => crate::support::by_hand::with_input(&line, &input),
            None => line,
        };
        ByHand::run(line).expect("exit code 0 (`echo $?`)")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        touched(std::slice::from_ref(&args.service), true)
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        match args.argv.first() {
            Some(program) if !program.0.is_empty() => {}
            _ => return Err(Fault::invalid("argv", "no program is given")),
        }
        match args.env.keys().find(|n| n.is_empty() || n.contains(['=', '\0'])) {
            Some(name) => Err(Fault::invalid("env", format!("{name:?} is not the name of a variable"))),
            None => Ok(()),
        }
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        args.run(Door::Look(cx)).await
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let project = Project::find(&args.place(), cx).await?;
        let container = args.container(&project, cx).await?;
        let words = args.words();
        let argv = project.argv(&words);
        let because = "what it does there, only its author knows";
        let summary = format!("run `{}` in `{container}`", crate::support::words::shown(&texts(&args.argv)));
        Ok(Forecast { argv, ..Forecast::would(summary, because) })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Ok(Done::changed(args.run(Door::Change(cx)).await?))
    }
}
