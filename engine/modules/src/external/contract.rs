//! Tries a module of the user's own out: whether it keeps the contract.

use runbook_core::module::{Change, Cx, Entry, Exec, Fault, Kind, validate};
use runbook_core::value::{Value, from_json};
use serde_json::Value as Json;

use super::describe::{Runner, describe};
use super::folder::ModuleFile;
use super::protocol;

/// What was found of one thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How good it is.
    pub level: Level,
    /// What was tried, and how it went.
    pub what: String,
    /// What to do about it; may be empty.
    pub help: String,
}

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, and could be better.
    Warning,
    /// It breaks the contract.
    Bad,
}

impl Finding {
    fn good(what: impl Into<String>) -> Finding {
        Finding { level: Level::Good, what: what.into(), help: String::new() }
    }
    fn warning(what: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { level: Level::Warning, what: what.into(), help: help.into() }
    }
    fn bad(what: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { level: Level::Bad, what: what.into(), help: help.into() }
    }
}

/// Tries a module out. Examples marked `runs` are run: those of a probe are observed, those of an action planned, and applied only if
/// `change` is given.
pub async fn try_out(file: &ModuleFile, run: &Runner, cx: &Cx<'_>, change: Option<&Change<'_>>) -> Vec<Finding> {
    if let Some(trouble) = &file.trouble {
        return vec![Finding::bad(trouble.clone(), "")];
    }
    let entry = match describe(&file.name, &file.path, run) {
        Ok(entry) => entry,
        Err(wrong) => return vec![Finding::bad(wrong, "`docs/guide/modules-of-your-own.md` says what a description holds")],
    };
    let mut findings = vec![Finding::good("it describes itself")];
    findings.push(documented(&entry));
    findings.extend(stranger(file, run));
    if entry.examples.is_empty() {
        findings.push(Finding::warning("it has no example", "give `examples` with a `title` and a step as `yaml`"));
    }
    for example in entry.examples.iter() {
        let what = format!("example \"{}\"", example.title);
        match arguments(&entry, example.yaml) {
            Err(wrong) => findings.push(Finding::bad(format!("{what}: {wrong}"), "")),
            Ok((args, _)) if !example.runs => {
                drop(args);
                findings.push(Finding::good(format!("{what} fits its arguments (not run: it has no `\"runs\": true`)")));
            }
            Ok((_, true)) => findings.push(Finding::bad(
                format!("{what} is marked `runs` and holds a template"),
                "write values, or take the mark away",
            )),
            Ok((args, false)) => findings.extend(tried(&entry, &what, args, cx, change).await),
        }
    }
    findings
}

/// Whether people are told what the arguments and fields are.
fn documented(entry: &Entry) -> Finding {
    let mut missing = Vec::new();
    for (which, schema) in [("args", &*entry.args_schema), ("result", &*entry.result_schema)] {
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            if inner["description"].as_str().is_none_or(|d| d.trim().is_empty()) {
                missing.push(format!("`{which}.{name}`"));
            }
        }
    }
    match missing.len() {
        0 => Finding::good("every argument and field is described"),
        _ => Finding::warning(
            format!("without a description: {}", missing.join(", ")),
            "say in a sentence what each is, with its unit",
        ),
    }
}

/// What it does when it is asked for what it cannot know.
fn stranger(file: &ModuleFile, run: &Runner) -> Option<Finding> {
    let folder = tempfile::tempdir().ok()?;
    let exec = Exec {
        argv: vec![file.path.display().to_string()],
        stdin: Some(b"{\"op\": \"no-such-operation\", \"args\": {}}\n".to_vec()),
        env: super::describe::quiet(folder.path()),
        timeout: Some(std::time::Duration::from_secs(10)),
        max_output: Some(1 << 20),
        read_only: true,
        confined_to: Some(folder.path().to_owned()),
        ..Exec::default()
    };
    let output = run(exec).ok()?;
    Some(if output.timed_out {
        Finding::bad("asked for an operation that it does not know, it does not end", "answer with `{\"error\": {...}}`")
    } else if protocol::read(&output.stdout).is_ok() {
        Finding::bad(
            "asked for an operation that it does not know, it gives a result",
            "look at `op`; answer others with `{\"error\": {\"kind\": \"invalid\", \"message\": \"...\"}}`",
        )
    } else {
        Finding::good("asked for an operation that it does not know, it gives no result")
    })
}

/// The arguments of an example, and whether there is a template among them.
fn arguments(entry: &Entry, yaml: &str) -> Result<(Json, bool), String> {
    let options = serde_yaml::options! { strict_booleans: true, leading_zero_numbers_as_strings: true };
    let step: Json = serde_yaml::from_str_with_options(yaml, options).map_err(|e| format!("is not YAML: {e}"))?;
    let Some(body) = step.get(&*entry.name) else { return Err(format!("is no step with the key `{}:`", entry.name)) };
    let args = match (body, &entry.main) {
        (Json::Object(map), _) => Json::Object(map.clone()),
        (Json::Null, _) => Json::Object(serde_json::Map::new()),
        (other, Some(main)) => serde_json::json!({ &**main: other }),
        (_, None) => return Err("gives a value where a map of arguments belongs: there is no `main`".to_owned()),
    };
    let templates = yaml.contains("{{");
    match validate(&entry.args_schema, &with_unknowns(args.clone())).into_iter().next() {
        Some(error) => Err(format!("does not fit its arguments: {}", error.message)),
        None => Ok((args, templates)),
    }
}

/// A text with a template in it may be anything.
fn with_unknowns(json: Json) -> Value {
    match json {
        Json::String(s) if s.contains("{{") => Value::unknown("a template"),
        Json::Array(items) => Value::list(items.into_iter().map(with_unknowns)),
        Json::Object(map) => Value::map(map.into_iter().map(|(k, v)| (k, with_unknowns(v)))),
        other => from_json(other),
    }
}

async fn tried(entry: &Entry, what: &str, args: Json, cx: &Cx<'_>, change: Option<&Change<'_>>) -> Vec<Finding> {
    let bad = |did: &str, fault: &Fault| Finding::bad(format!("{what}: {did}: {}", fault.message()), "");
    let mut findings = Vec::new();
    if entry.kind == Kind::Probe {
        findings.push(match entry.observe(args, cx).await {
            Ok(reply) => Finding::good(format!("{what} gives {}", protocol::shown(reply.result.to_string().as_bytes()))),
            Err(Fault::Unmet { message, .. }) => Finding::good(format!("{what} looked, and the answer is no: {message}")),
            Err(fault) => bad("looking", &fault),
        });
        return findings;
    }
    findings.push(match entry.plan(args.clone(), cx).await {
        Ok(forecast) if forecast.would_change => {
            Finding::good(format!("{what} plans to {} ({})", forecast.summary, forecast.because))
        }
        Ok(forecast) => Finding::good(format!("{what} plans to change nothing: {}", forecast.because)),
        Err(fault) => bad("planning", &fault),
    });
    match change {
        None => findings.push(Finding::good(format!("{what} was planned, not applied (`--apply` does that)"))),
        Some(change) => findings.push(match entry.apply(args, change).await {
            Ok(reply) => {
                let changed = if reply.changed { "changed" } else { "did not change" };
                Finding::good(format!("{what} {changed} something: {}", protocol::shown(reply.result.to_string().as_bytes())))
            }
            Err(fault) => bad("applying", &fault),
        }),
    }
    findings
}
