//! Runs a module of the user's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook_core::expr::Template;
use runbook_core::model::PathPart;
use runbook_core::module::{
    About, BoxFuture, ByHand, Change, Cx, Effect, Exec, Fault, Forecast, HandArgs, Kind, Need, OnLine, Operations, Outside,
    Reply, Resource, Touches, hand_line, validate,
};
use runbook_core::value::{Map, format_duration, from_json};
use serde_json::Value as Json;
use tokio::sync::mpsc;

use super::describe::{quiet, tail, why};
use super::description::Manner;
use super::protocol::{self, Op, Outcome};
use crate::support::signals::name_of;

/// The most that a module may print.
const MOST: usize = 16 << 20;

/// A module of the user's own.
pub(super) struct Executable {
    name: String,
    path: PathBuf,
    manner: Manner,
    args: Json,
    result: Json,
}

/// Which door a run goes through.
enum Door<'a> {
    Look(&'a Cx<'a>),
    Change(&'a Change<'a>),
}

impl Executable {
    pub(super) fn new(said: &Outside, manner: Manner, path: &Path) -> Executable {
        Executable {
            name: said.name.clone(),
            path: path.to_owned(),
            manner,
            args: said.args_schema.clone(),
            result: said.result_schema.clone(),
        }
    }

    /// Holds arguments that were rendered against the schema.
    fn fits(&self, args: &Json) -> Result<(), Fault> {
        let Some(error) = validate(&self.args, &from_json(args.clone())).into_iter().next() else { return Ok(()) };
        let argument = match error.path.first() {
            Some(PathPart::Key(name)) => Some(name.clone()),
            _ => None,
        };
        let help = error.help.map(|h| format!(" ({h})")).unwrap_or_default();
        Err(Fault::Invalid { message: format!("{}{help}", error.message), argument })
    }

    async fn run(&self, op: Op, args: &Json, door: Door<'_>) -> Result<Outcome, Fault> {
        self.fits(args)?;
        let (cx, changes) = match &door {
            Door::Look(cx) => (*cx, false),
            Door::Change(change) => (&***change, true),
        };
        // Whoever wrote the step knows better than whoever wrote the module.
        let limit = cx.timeout.unwrap_or(self.manner.timeout);
        let folder = tempfile::Builder::new().prefix("runbook-module-").tempdir();
        let folder =
            folder.map_err(|e| Fault::cannot_tell(format!("no temporary folder can be made for `{}`: {e}", self.name)))?;
        let (told, mut progress) = mpsc::unbounded_channel();
        let exec = Exec {
            argv: vec![self.path.display().to_string()],
            cwd: Some(cx.root.to_owned()),
            env: quiet(folder.path()),
            stdin: Some(protocol::request(op, args, cx, limit).into_bytes()),
            timeout: Some(limit),
            max_output: Some(MOST),
            read_only: !changes,
            confined_to: (!changes).then(|| folder.path().to_owned()),
            on_line: Some(OnLine(Arc::new(move |line| {
                if let Some(text) = protocol::progress(line) {
                    let _ = told.send(text);
                }
            }))),
            ..Exec::default()
        };
        let running = async {
            match door {
                Door::Look(cx) => cx.run_read(exec).await,
                Door::Change(change) => change.run(exec).await,
            }
        };
        let mut running = std::pin::pin!(running);
        let output = loop {
            tokio::select! {
                output = &mut running => break output,
                Some(text) = progress.recv() => cx.progress(&text),
            }
        };
        while let Ok(text) = progress.try_recv() {
            cx.progress(&text);
        }
        let breach = |what: String| {
            let after = if changes { "; what it changed until then stays changed" } else { "" };
            Fault::cannot_tell(format!("`{}` {what}{after}", self.name))
        };
        let output = output.map_err(|e| {
            let message = format!("`{}` cannot be run: {}", self.name, why(&e));
            if changes { Fault::refused(message) } else { Fault::cannot_tell(message) }
        })?;
        if output.timed_out {
            let shown = format_duration(jiff::SignedDuration::try_from(limit).unwrap_or_default());
            return Err(match cx.timeout {
                Some(_) => Fault::TimedOut { message: format!("timed out after {shown}"), result: Json::Null },
                None => breach(format!("did not end within its limit of {shown} and was ended")),
            });
        }
        let errors = tail(&output.stderr);
        if let Some(signal) = output.signal {
            return Err(breach(format!("was ended by the signal {}{errors}", name_of(signal))));
        }
        if output.stdout.len() > MOST || output.dropped > 0 && output.stdout.len() >= MOST / 2 {
            return Err(breach("printed more than 16 MiB: it prints a few lines of progress and one result".to_owned()));
        }
        let code = output.exit_code.unwrap_or_default();
        match protocol::read(&output.stdout) {
            Ok(_) if code != 0 => Err(breach(format!("gave a result, and exit code {code}, which says that it failed{errors}"))),
            Ok(outcome) => Ok(outcome),
            Err(Ok(fault)) => Err(fault),
            Err(Err(_)) if code != 0 => Err(breach(format!("ended with exit code {code} and no result{errors}"))),
            Err(Err(what)) => Err(breach(what.trim_start_matches("it ").to_owned())),
        }
    }

    async fn reply(&self, op: Op, args: &Json, door: Door<'_>) -> Result<Reply, Fault> {
        let lies = |what: String| {
            Fault::cannot_tell(format!("`{}` gave a result that is not what its description says: {what}", self.name))
        };
        let outcome = self.run(op, args, door).await;
        if let Err(Fault::Unmet { message, result: Json::Object(fields) }) = outcome {
            // What it could fill in is held to the description too; what it could not is null.
            let mut open = self.result.clone();
            open["required"] = Json::Null;
            let result = protocol::fit(fields, &open).map_err(lies)?;
            return Err(Fault::Unmet { message, result });
        }
        let outcome = outcome?;
        let result = protocol::fit(outcome.result, &self.result).map_err(lies)?;
        Ok(Reply { result: from_json(result), changed: op == Op::Apply && outcome.changed.unwrap_or(true) })
    }

    /// Resources from their templates; `None` if one needs what is not known.
    fn resources(&self, templates: Option<&Vec<String>>, args: &Json) -> Option<Vec<Resource>> {
        let map: Map = args.as_object()?.iter().map(|(k, v)| (k.clone(), from_json(v.clone()))).collect();
        // An argument that was left out is null in a template.
        let names = self.args["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        let mut all: Map = names.map(|name| (name, runbook_core::value::Value::Null)).collect();
        all.extend(map);
        let scope = runbook_core::expr::MapScope { map: Arc::new(all), now: jiff::Timestamp::UNIX_EPOCH };
        let one = |text: &String| {
            let template = Template::parse_standalone(text).ok()?;
            let value = template.render(&scope).ok()?;
            value.as_str().map(|s| Resource(s.to_owned()))
        };
        templates?.iter().map(one).collect()
    }
}

impl Operations for Executable {
    fn check(&self, args: &Json) -> Result<(), Fault> {
        self.fits(args)
    }

    fn about(&self, args: &Json) -> Result<About, Fault> {
        self.fits(args)?;
        // What nobody said may be anything on this host.
        let anything = || vec![Resource::new("host", "*")];
        let action = self.manner.kind == Kind::Action;
        let reads = self.resources(self.manner.reads.as_ref(), args);
        let changes = self.resources(self.manner.changes.as_ref(), args);
        let touches = Touches {
            reads: reads.unwrap_or_else(|| if action { Vec::new() } else { anything() }),
            changes: if action { changes.unwrap_or_else(anything) } else { Vec::new() },
            needs: vec![Need::Exec(self.path.display().to_string())],
        };
        Ok(About { effect: self.manner.effect, touches, idempotent: self.manner.idempotent })
    }

    fn observe<'a>(&'a self, args: Json, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Reply, Fault>> {
        Box::pin(async move {
            if self.manner.effect > Effect::Read {
                return Err(Fault::cannot_tell(format!("`{}` changes something and cannot be used to look", self.name)));
            }
            self.reply(Op::Observe, &args, Door::Look(cx)).await
        })
    }

    fn plan<'a>(&'a self, args: Json, cx: &'a Cx<'a>) -> BoxFuture<'a, Result<Forecast, Fault>> {
        Box::pin(async move {
            self.fits(&args)?;
            if self.manner.kind == Kind::Probe {
                return Ok(Forecast::nothing("a probe only looks"));
            }
            if !self.manner.plan {
                let with = |(name, value): (&String, &Json)| format!("{name}: {}", brief(value));
                let with: Vec<String> = args.as_object().into_iter().flatten().map(with).collect();
                let with = if with.is_empty() { "no arguments".to_owned() } else { with.join(", ") };
                let because = "it has no `plan`, so what it would change only its author knows";
                let argv = vec![self.path.display().to_string()];
                return Ok(Forecast { argv, ..Forecast::would(format!("run {} with {with}", self.name), because) });
            }
            let outcome = self.run(Op::Plan, &args, Door::Look(cx)).await?;
            protocol::forecast(outcome.result).map_err(|what| Fault::cannot_tell(format!("`{}`: {what}", self.name)))
        })
    }

    fn apply<'a>(&'a self, args: Json, cx: &'a Change<'a>) -> BoxFuture<'a, Result<Reply, Fault>> {
        Box::pin(async move {
            if self.manner.kind == Kind::Probe {
                return self.reply(Op::Observe, &args, Door::Look(cx)).await;
            }
            self.reply(Op::Apply, &args, Door::Change(cx)).await
        })
    }

    fn by_hand(&self, args: &HandArgs<'_>) -> ByHand {
        let op = if self.manner.kind == Kind::Probe { Op::Observe } else { Op::Apply };
        let names = self.args["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        let given: serde_json::Map<String, Json> =
            names.filter_map(|name| args.get(&name).map(|value| (name, value.to_json()))).collect();
        let request = serde_json::json!({ "op": op.word(), "args": given }).to_string();
        let hand = ByHand::run(format!(
            "{} | {}",
            hand_line(["printf", "%s\\n", &request]),
            hand_line([self.path.display().to_string()])
        ));
        hand.expect("a last line that begins with `{\"result\"`")
    }
}

/// A value as it is shown in a plan.
fn brief(value: &Json) -> String {
    const MOST: usize = 80;
    let text = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= MOST { text } else { text.chars().take(MOST).chain(['…']).collect() }
}
