//! `config.set`: sets values in a configuration file, and nothing else.

use std::path::PathBuf;

use jiff::Timestamp;
use runbook_core::diff;
use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Exec, Fault, Forecast, HandArgs, Need, Touches, hand_line,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::support::args::yes;
use crate::support::atomic::{Draft, back_up};
use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::config_edit::{EditError, set};
use crate::support::config_text::Format;
use crate::support::jsonl::field::Field;
use crate::support::paths::{fault, parent, resolve, resource, tidy};

pub(crate) struct ConfigSet;

/// Sets values in a JSON, YAML, TOML or env file, and leaves every other byte as it is.
///
/// Comments, order and layout stay. All values are set at once or none. Afterwards the new text is read back, and if anything but these values differs, nothing is
/// written.
///
/// The way to a value is written whole, such as `services.memory_engine.search.batch_size`. The last name may be new; if anything before it is
/// missing, the step is refused, since that is mostly a slip: `create: true` makes it. Names with dots are written `labels["a.b"]`, items of lists `ports[0]`.
///
/// The old file is kept next to it. `validate` runs a program on the new text before it takes the place of the old one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The file, which must be there; relative paths start at the project root. A link is followed.
    #[schemars(length(min = 1))]
    path: String,
    /// The values by their ways: `{services.api.port: 7000}`. In an env file the way is the name.
    set: serde_json::Map<String, Json>,
    /// The format: `json`, `yaml`, `toml` or `env`. Default: from the ending of the name.
    #[serde(default)]
    format: Option<Format>,
    /// Whether to make what is missing on the way to a value. Default: false.
    #[serde(default)]
    create: bool,
    /// Whether to keep the old file next to it, as `NAME.20260215T142345Z.bak`. Default: true.
    #[serde(default = "yes")]
    backup: bool,
    /// An argument vector that must end with exit code 0 before the file is replaced; `{}` in it stands for the path of the new text. Default: none.
    #[serde(default)]
    validate: Option<Vec<String>>,
}

/// What was set.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The file, as an absolute path.
    path: String,
    /// The ways whose values were changed.
    set: Vec<String>,
    /// Where the old file was kept; null if it was not.
    backup: Option<String>,
}

/// The largest file that is edited.
const LARGEST: u64 = 16 << 20;

struct Task {
    place: PathBuf,
    old: String,
    new: String,
    /// Ways with what was there and what shall be.
    changes: Vec<(String, String, String)>,
}

fn fields(args: &Args) -> Result<Vec<(Field, Json)>, Fault> {
    if args.set.is_empty() {
        return Err(Fault::invalid("set", "there is nothing to set"));
    }
    args.set.iter().map(|(k, v)| Ok((Field::parse(k).map_err(|e| Fault::invalid("set", e))?, v.clone()))).collect()
}

fn format(args: &Args) -> Result<Format, Fault> {
    let found = args.format.or_else(|| Format::by_name(std::path::Path::new(&args.path)));
    match found {
        Some(Format::Ini | Format::Nginx) => Err(Fault::invalid(
            "format",
            "values are set in `json`, `yaml`, `toml` and `env`; write other files with `template.render`",
        )),
        Some(format) => Ok(format),
        None => Err(Fault::invalid(
            "format",
            format!("the name {:?} does not tell the format; say `format: json`, `yaml`, `toml` or `env`", args.path),
        )),
    }
}

async fn look(args: &Args, cx: &Cx<'_>) -> Result<Task, Fault> {
    let path = resolve(cx, "path", &args.path)?;
    let (values, format, create) = (fields(args)?, format(args)?, args.create);
    blocking(cx.timeout, move |_| {
        let place = std::fs::canonicalize(&path).map_err(|e| fault(&path, &e))?;
        let meta = std::fs::metadata(&place).map_err(|e| fault(&place, &e))?;
        if !meta.is_file() {
            return Err(Fault::unmet(format!("{} is not a regular file", place.display())));
        }
        if meta.len() > LARGEST {
            return Err(Fault::unmet(format!("{} is larger than 16 MiB, which no configuration is", place.display())));
        }
        let bytes = std::fs::read(&place).map_err(|e| fault(&place, &e))?;
        let old = String::from_utf8(bytes).map_err(|_| Fault::unmet(format!("{} is not UTF-8", place.display())))?;
        let new = set(&old, format, &values, create).map_err(|e| match e {
            EditError::NoParent(way) => Fault::refused(format!(
                "{}: there is no `{way}` to set anything in; write the whole way as it stands in the file, or `create: true` to make it",
                place.display()
            )),
            EditError::Cannot(why) => Fault::refused(format!("{}: {why}", place.display())),
        })?;
        let read = |text: &str| crate::support::config_text::parse(text.as_bytes(), format).unwrap_or_default();
        let (before, after) = (read(&old), read(&new));
        let shown = |document: &Json, field: &Field| {
            crate::support::jsonl::field::walk(document, &field.parts).map_or_else(|| "nothing".to_owned(), Json::to_string)
        };
        let changes = values.iter().map(|(f, _)| (f.text.clone(), shown(&before, f), shown(&after, f)));
        let changes = changes.filter(|(_, from, to)| from != to).collect();
        Ok(Task { place, old, new, changes })
    })
    .await
}

/// Has a program look at the new text.
async fn validate(argv: &[String], draft: &std::path::Path, cx: &Change<'_>) -> Result<(), Fault> {
    let draft = draft.to_string_lossy();
    let argv: Vec<String> = argv.iter().map(|a| a.replace("{}", &draft)).collect();
    let shown = hand_line(&argv);
    let exec = Exec { argv, timeout: cx.timeout, max_output: Some(4096), cwd: Some(cx.root.to_path_buf()), ..Exec::default() };
    let out = cx.run_read(exec).await.map_err(|e| Fault::cannot_tell(format!("`{shown}` could not be run: {e}")))?;
    if out.timed_out {
        return Err(Fault::cannot_tell(format!("`{shown}` did not end in time; nothing was changed")));
    }
    if out.exit_code == Some(0) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(if out.stderr.is_empty() { &out.stdout } else { &out.stderr }).trim().to_owned();
    let code = out.exit_code.map_or_else(|| "a signal".to_owned(), |c| format!("exit code {c}"));
    Err(Fault::refused(format!("nothing was changed: `{shown}` ended with {code}: {text}")))
}

impl Action for ConfigSet {
    const NAME: &'static str = "config.set";
    const SAYS: &'static str = "{{ set | join(', ') if set else 'nothing to set' }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Three values of one service",
            yaml: "config.set:\n  path: sonia-config.json\n  set:\n    services.memory_engine.search.batch_size: 64\n    services.memory_engine.search.hnsw_ef: 200\n    services.memory_engine.search.bm25_k1: 1.5\n",
            runs: false,
        },
        Example {
            title: "A setting in the environment of a service, checked before it counts",
            yaml: "config.set:\n  path: .env\n  set: { WORKERS: 4 }\n  validate: [python3, scripts/check_env.py, '{}']\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let mut hand = ByHand::run(format!("cp -p {path} {path}.\"$(date -u +%Y%m%dT%H%M%SZ)\".bak"));
        for (way, value) in args.pairs("set") {
            hand = hand.note(format!(
                "In {}, set `{}` to `{}`, and change nothing else.",
                args.or("path", "the file"),
                way.replace('\n', " "),
                value.replace('\n', " ")
            ));
        }
        hand = hand.and(format!("${{EDITOR:-vi}} {path}"));
        let argv: Vec<String> = args.list("validate").iter().map(|a| a.replace("{}", &args.or("path", "<path>"))).collect();
        if !argv.is_empty() {
            hand = hand.and(hand_line(&argv));
        }
        hand
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let touches = Touches::changes([resource(&args.path)]).needing(Need::Write(tidy(&args.path)));
        match args.validate.as_ref().and_then(|v| v.first()) {
            Some(program) => touches.needing(Need::Exec(program.clone())),
            None => touches,
        }
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        fields(args)?;
        format(args)?;
        if args.validate.as_ref().is_some_and(|v| v.first().is_none_or(String::is_empty)) {
            return Err(Fault::invalid("validate", "a program is missing"));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let task = look(args, cx).await?;
        let name = task.place.display().to_string();
        if task.new == task.old {
            return Ok(Forecast::nothing(format!("{name} already says so")));
        }
        let ways: Vec<&str> = task.changes.iter().map(|(way, ..)| way.as_str()).collect();
        let mut forecast = Forecast::would(format!("set {} in {name}", ways.join(", ")), "it says something else");
        forecast.diff = diff::unified(&name, Some(&task.old), &task.new);
        forecast.from_to = task.changes;
        forecast.argv = args.validate.clone().unwrap_or_default();
        Ok(forecast)
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let task = look(args, cx).await?;
        let mut out =
            Out { path: task.place.display().to_string(), set: task.changes.iter().map(|c| c.0.clone()).collect(), backup: None };
        if task.new == task.old {
            return Ok(Done::unchanged(out));
        }
        if let Some(argv) = &args.validate {
            // With the ending of the file, since programs go by it, and readable for us alone.
            let ending = task.place.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
            let mut file = tempfile::Builder::new()
                .prefix(".check.")
                .suffix(&ending)
                .tempfile_in(parent(&task.place))
                .map_err(|e| fault(&task.place, &e))?;
            std::io::Write::write_all(&mut file, task.new.as_bytes()).map_err(|e| fault(&task.place, &e))?;
            validate(argv, file.path(), cx).await?;
        }
        let (backup, now): (bool, Timestamp) = (args.backup, cx.now());
        out.backup = blocking(cx.timeout, move |stop| {
            stop.check()?;
            let meta = std::fs::metadata(&task.place).map_err(|e| fault(&task.place, &e))?;
            if std::fs::read(&task.place).map_err(|e| fault(&task.place, &e))? != task.old.as_bytes() {
                return Err(Fault::refused(format!(
                    "{} was changed by somebody else meanwhile; look at it again",
                    task.place.display()
                )));
            }
            let mut draft = Draft::new(&task.place)?;
            draft.write(task.new.as_bytes())?;
            draft.take_after(&meta)?;
            let kept = if backup { Some(back_up(&task.place, now)?.display().to_string()) } else { None };
            draft.put()?;
            Ok(kept)
        })
        .await?;
        Ok(Done::changed(out))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: Json) -> Result<Done<Out>, Fault> {
        let args: Args = args(json);
        ConfigSet::check(&args)?;
        ConfigSet::apply(&args, &host.change()).await
    }

    const CONFIG: &str =
        "{\n  \"services\": {\n    \"memory_engine\": {\"port\": 7020, \"search\": {\"batch_size\": 32}}\n  }\n}\n";

    #[tokio::test]
    async fn t09_a_value_is_set_where_it_is_read_and_never_at_the_root() {
        let host = TestHost::new();
        host.write("config.json", CONFIG);
        // The snippet of the runbook stands at the root; merged as it is, nothing reads it.
        let naive = std::process::Command::new("jq")
            .args([
                "-c",
                ". * {\"memory_engine\": {\"search\": {\"batch_size\": 64}}} | .services.memory_engine.search.batch_size",
            ])
            .arg(host.file("config.json"))
            .output();
        if let Ok(naive) = naive {
            assert_eq!(String::from_utf8_lossy(&naive.stdout).trim(), "32", "the service still reads the old value");
        }
        for way in ["memory_engine.search.batch_size", "services.memory-engine.search.batch_size"] {
            let fault = apply(&host, json!({ "path": "config.json", "set": { way: 64 } })).await.unwrap_err();
            assert!(matches!(&fault, Fault::Refused { message } if message.contains("create: true")), "{fault:?}");
        }
        assert_eq!(std::fs::read_to_string(host.file("config.json")).unwrap(), CONFIG);
        let asked = json!({ "path": "config.json", "set": { "services.memory_engine.search.batch_size": 64, "services.memory_engine.port": 7020 } });
        let forecast = ConfigSet::plan(&args(asked.clone()), &host.cx()).await.unwrap();
        assert_eq!(forecast.from_to, [("services.memory_engine.search.batch_size".to_owned(), "32".to_owned(), "64".to_owned())]);
        assert!(forecast.diff.unwrap().contains("+    \"memory_engine\": {\"port\": 7020, \"search\": {\"batch_size\": 64}}"));
        let done = apply(&host, asked.clone()).await.unwrap();
        assert_eq!((done.changed, done.out.set.len()), (true, 1));
        assert_eq!(std::fs::read_to_string(host.file("config.json")).unwrap(), CONFIG.replace("32", "64"));
        assert_eq!(std::fs::read_to_string(done.out.backup.unwrap()).unwrap(), CONFIG);
        assert!(!apply(&host, asked).await.unwrap().changed);
    }

    #[tokio::test]
    async fn a_program_may_refuse_the_new_text() {
        let host = TestHost::new();
        host.write("a.env", "WORKERS=2\n");
        let set = json!({ "WORKERS": 4 });
        let fault = apply(&host, json!({ "path": "a.env", "set": set, "validate": ["grep", "-q", "WORKERS=3", "{}"] }))
            .await
            .unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("exit code 1")), "{fault:?}");
        assert_eq!(std::fs::read_to_string(host.file("a.env")).unwrap(), "WORKERS=2\n");
        let done =
            apply(&host, json!({ "path": "a.env", "set": set, "validate": ["grep", "-q", "WORKERS=4", "{}"], "backup": false }))
                .await
                .unwrap();
        assert!(done.changed && done.out.backup.is_none());
        assert_eq!(std::fs::read_dir(host.root()).unwrap().count(), 1, "nothing is left beside it");
        let fault =
            apply(&host, json!({ "path": "a.env", "set": { "X": 1 }, "validate": ["no-such-program"] })).await.unwrap_err();
        assert!(matches!(fault, Fault::CannotTell { .. }), "{fault:?}");
    }

    #[tokio::test]
    async fn what_cannot_be_set_leaves_everything() {
        let host = TestHost::new();
        host.write("broken.json", "{");
        host.write("a.yaml", "a: 1\n---\nb: 2\n");
        for path in ["broken.json", "a.yaml"] {
            let fault = apply(&host, json!({ "path": path, "set": { "a": 2 } })).await.unwrap_err();
            assert!(matches!(fault, Fault::Refused { .. }), "{fault:?}");
        }
        assert!(matches!(apply(&host, json!({ "path": "gone.json", "set": { "a": 2 } })).await, Err(Fault::Unmet { .. })));
        for bad in [
            json!({ "path": "a.yaml", "set": {} }),
            json!({ "path": "a.yaml", "set": { "a..b": 1 } }),
            json!({ "path": "a.conf", "set": { "a": 1 } }),
            json!({ "path": "a.ini", "set": { "a": 1 } }),
            json!({ "path": "a.yaml", "set": { "a": 1 }, "validate": [] }),
        ] {
            assert!(matches!(apply(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
        }
    }
}
