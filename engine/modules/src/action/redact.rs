//! `redact`: takes out of files what must not leave the machine.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::{OneOrMany, yes};
use crate::support::atomic::Draft;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::globs::{candidates, plain};
use crate::support::paths::{fault, make_parents, resolve, resource, same_file, tidy};
use crate::support::redact::args::{Name, Pattern, rules};
use crate::support::redact::rules::{Counts, Rules};
use crate::support::redact::stream::{Done as Through, StreamFault, redact};
use crate::support::tree::many;

pub(crate) struct Redact;

/// Takes addresses, numbers and keys out of files, and puts marks in their places.
///
/// The rules and their marks: `email` `[EMAIL_REDACTED]`, `ssn` `[SSN_REDACTED]`, `credit_card` `[CC_REDACTED]` (with the right check digit),
/// `phone` `[PHONE_REDACTED]`, `api_key` `[API_KEY_REDACTED]` (`Bearer`, `sk-…`, `api_key=`, `token:` and the tokens of well-known services),
/// `password` `[PASSWORD_REDACTED]` (`password=`, `secret:` and the like, and passwords in URLs), `private_key` `[PRIVATE_KEY_REDACTED]`.
///
/// Texts inside JSON are looked through like all others, and JSON stays JSON: a mark in place of a number gets quotes. `fields` names fields whose values
/// always go, whatever they look like.
///
/// With `to` the result is a copy and the file stays; otherwise the file is replaced at once, when all of it was written. What was taken
/// out cannot be brought back, so that replacing asks before it runs. Patterns find what looks like a secret and not everything that is one: look at a
/// sample before you give it away.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The file, or several; relative paths start at the project root. `*`, `?`, `[ab]`, `{a,b}` and `**` stand for names.
    path: OneOrMany,
    /// The folder for the copies, which get the names of the files. It must not hold them yet. Default: none, and the files are replaced.
    #[serde(default)]
    to: Option<String>,
    /// The rules to follow. Default: all.
    #[serde(default)]
    rules: Option<Vec<Name>>,
    /// Names of fields whose values go, as in `name=value`, `name: value` and `"name": "value"`; upper and lower case are the same. Default: none.
    #[serde(default)]
    fields: Vec<String>,
    /// Patterns of your own. Default: none.
    #[serde(default)]
    patterns: Vec<Pattern>,
    /// Texts to take out wherever they are, at least 4 characters long, also as JSON and URLs write them; their mark is `[VALUE_REDACTED]`. Default: none.
    #[serde(default)]
    values: Vec<String>,
    /// Whether it is an error if none of the files exists. Default: true.
    #[serde(default = "yes")]
    required: bool,
}

/// What was taken out.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// How many places were marked.
    count: u64,
    /// How many by each rule, by its name.
    counts: BTreeMap<String, u64>,
    /// The files.
    files: Vec<FileOut>,
    /// The paths and wildcards that stand for nothing.
    missing: Vec<String>,
}

/// A file that was looked through.
#[derive(Debug, Serialize, JsonSchema)]
struct FileOut {
    /// The file, as an absolute path.
    path: String,
    /// Where the result is: the same path, or that of the copy.
    to: String,
    /// The size that was looked through.
    size: Size,
    /// How many places were marked.
    count: u64,
    /// How many by each rule, by its name; rules that found nothing are left out.
    counts: BTreeMap<String, u64>,
}

struct Task {
    rules: Rules,
    files: Vec<(PathBuf, PathBuf)>,
    missing: Vec<String>,
    copies: bool,
}

struct Prepared {
    rules: Rules,
    places: Vec<(String, PathBuf)>,
    to: Option<PathBuf>,
    required: bool,
}

fn prepare(args: &Args, cx: &Cx<'_>) -> Result<Prepared, Fault> {
    Ok(Prepared {
        rules: rules(args.rules.as_deref(), &args.fields, &args.patterns, &args.values)?,
        places: args.path.0.iter().map(|p| Ok((p.clone(), resolve(cx, "path", p)?))).collect::<Result<_, Fault>>()?,
        to: args.to.as_deref().map(|t| resolve(cx, "to", t)).transpose()?,
        required: args.required,
    })
}

impl Task {
    fn look(prepared: Prepared) -> Result<Task, Fault> {
        let mut missing = Vec::new();
        let found = candidates(&prepared.places, &mut missing)?;
        if found.is_empty() && prepared.required {
            return Err(Fault::unmet(format!("no such file: {}", missing.join(", "))));
        }
        let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
        for path in found {
            let place = match &prepared.to {
                None => std::fs::canonicalize(&path).map_err(|e| fault(&path, &e))?,
                Some(folder) => folder.join(path.file_name().unwrap_or_default()),
            };
            if let Some((other, _)) = files.iter().find(|(_, p)| *p == place) {
                let message = format!("{} and {} would have the same name there", other.display(), path.display());
                return Err(Fault::refused(format!("{message}; write two steps with two folders")));
            }
            if prepared.to.is_some()
                && let Ok(there) = std::fs::symlink_metadata(&place)
            {
                let own = std::fs::metadata(&path).is_ok_and(|m| same_file(&m, &there));
                let why = if own { "it is the file itself" } else { "it is there already, and is not overwritten" };
                return Err(Fault::refused(format!("{}: {why}", place.display())));
            }
            files.push((path, place));
        }
        Ok(Task { rules: prepared.rules, files, missing, copies: prepared.to.is_some() })
    }

    /// Puts a file through and gives the text to a sink.
    fn through(
        &self,
        path: &Path,
        stop: &Stop,
        sink: &mut (dyn FnMut(&[u8]) -> Result<(), Fault> + Send),
    ) -> Result<Through, Fault> {
        let file = File::open(path).map_err(|e| fault(path, &e))?;
        redact(file, &self.rules, stop, sink).map_err(|e| told(path, e))
    }

    fn forecast(&self, stop: &Stop) -> Result<Forecast, Fault> {
        let mut counts = Counts::default();
        for (path, _) in &self.files {
            counts.add(&self.through(path, stop, &mut |_| Ok(()))?.counts);
        }
        let named = self.rules.named(&counts);
        let found: Vec<String> = named.iter().filter(|(_, n)| **n > 0).map(|(name, n)| format!("{n} {name}")).collect();
        let found =
            if found.is_empty() { "nothing to take out was found".to_owned() } else { format!("found: {}", found.join(", ")) };
        let files = many(self.files.len() as u64, "file");
        if self.files.is_empty() || (!self.copies && counts.total() == 0) {
            return Ok(Forecast::nothing(format!("{files} looked through, {found}")));
        }
        let what = if self.copies { "write clean copies of" } else { "take this out of" };
        Ok(Forecast::would(format!("{what} {files}"), found))
    }

    fn apply(self, stop: &Stop) -> Result<Done<Out>, Fault> {
        let mut out = Out { missing: self.missing.clone(), ..Out::default() };
        let mut counts = Counts::default();
        let mut changed = false;
        for (path, place) in &self.files {
            if self.copies {
                make_parents(place)?;
            }
            let before = std::fs::metadata(path).map_err(|e| fault(path, &e))?;
            let mut draft = Draft::new(place)?;
            let through = self.through(path, stop, &mut |part| draft.write(part))?;
            if self.copies {
                draft.take_after(&before)?;
                draft.put_new()?;
                changed = true;
            } else if through.counts.total() > 0 {
                let now = std::fs::metadata(path).map_err(|e| fault(path, &e))?;
                if now.len() != before.len() || !same_file(&now, &before) {
                    return Err(Fault::refused(format!("{} was written to meanwhile; it is left as it is", path.display())));
                }
                draft.take_after(&before)?;
                draft.put()?;
                changed = true;
            }
            counts.add(&through.counts);
            let mut named = self.rules.named(&through.counts);
            named.retain(|_, n| *n > 0);
            out.files.push(FileOut {
                path: path.display().to_string(),
                to: place.display().to_string(),
                size: Size(through.read),
                count: through.counts.total(),
                counts: named,
            });
        }
        out.count = counts.total();
        out.counts = self.rules.named(&counts);
        Ok(Done { changed, out })
    }
}

/// Why a file was not put through.
pub(crate) fn told(path: &Path, error: StreamFault) -> Fault {
    match error {
        StreamFault::Io(e) => fault(path, &e),
        StreamFault::Fault(f) => f,
        StreamFault::Utf16 => Fault::unmet(format!(
            "{}: it is in UTF-16, which the rules do not see through; `iconv -f UTF-16 -t UTF-8` makes it readable",
            path.display()
        )),
    }
}

impl Action for Redact {
    const NAME: &'static str = "redact";
    const MAIN: Option<&'static str> = Some("path");
    const SAYS: &'static str = "{{ count }} place{{ '' if count == 1 else 's' }} marked";
    const COLUMNS: &'static [&'static str] = &["count"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Clean copies to hand on",
            yaml: "redact: { path: 'logs/gateway/*.jsonl', to: incident/logs, fields: [user_id] }\n",
            runs: false,
        },
        Example {
            title: "A number of one's own",
            yaml: "redact:\n  path: orders.log\n  patterns: [{ name: order, pattern: 'order (\\d+)', group: 1 }]\n",
            runs: false,
        },
        Example { title: "Nothing to do", yaml: "redact: { path: '{tmp}/*.log', required: false }\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let files: Vec<String> = args.list("path").iter().map(|p| by_hand::glob_word(p)).collect();
        let rules = [
            "s/[[:alnum:]._%+-]+@[[:alnum:].-]+\\.[[:alpha:]]{2,}/[EMAIL_REDACTED]/g",
            "s/\\b[0-9]{3}-[0-9]{2}-[0-9]{4}\\b/[SSN_REDACTED]/g",
            "s/(Bearer +|api_key[\"=: ]+)[[:alnum:]._~+\\/=-]+/\\1[API_KEY_REDACTED]/g",
            "s/\\bsk-[[:alnum:]_-]{16,}/[API_KEY_REDACTED]/g",
        ];
        let rules: String = rules.iter().map(|r| format!(" -e {}", runbook_core::module::hand_word(r))).collect();
        let hand = match args.text("to") {
            Some(to) => {
                let to = by_hand::path_word(&to);
                ByHand::run(format!("mkdir -p {to} && cp -n {} {to} && sed -i -E{rules} {to}/*", files.join(" ")))
            }
            None => ByHand::run(format!("sed -i -E{rules} {}", files.join(" "))),
        };
        hand.note("`sed` knows only some of the rules: look for telephone and card numbers, passwords and private keys as well.")
    }

    fn effect(args: &Args) -> Effect {
        if args.to.is_some() { Effect::Change } else { Effect::Destroy }
    }

    fn touches(args: &Args) -> Touches {
        let reads = args.path.0.iter().map(|p| runbook_core::module::Resource::file(plain(p)));
        match &args.to {
            Some(to) => reads.fold(Touches::changes([resource(to)]).needing(Need::Write(tidy(to))), Touches::and_reads),
            None => args.path.0.iter().fold(Touches::changes(reads), |t, p| t.needing(Need::Write(plain(p)))),
        }
    }

    fn idempotent(args: &Args) -> bool {
        args.to.is_none()
    }

    fn check(args: &Args) -> Result<(), Fault> {
        rules(args.rules.as_deref(), &args.fields, &args.patterns, &args.values)?;
        args.path.0.iter().try_for_each(|path| crate::support::globs::check("path", path))
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let prepared = prepare(args, cx)?;
        blocking(cx.timeout, move |stop| Task::look(prepared)?.forecast(stop)).await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let prepared = prepare(args, cx)?;
        blocking(cx.timeout, move |stop| Task::look(prepared)?.apply(stop)).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        let args: Args = args(json);
        Redact::check(&args)?;
        Redact::apply(&args, &host.change()).await
    }

    const TURN: &str = r#"{"timestamp":"2026-02-15T14:23:45.000Z","user_id":"user@example.com","text_input":"call 415-555-0100","card":4111111111111111,"latency_ms":{"total":450}}"#;

    #[tokio::test]
    async fn t46_fields_of_logs_that_are_said_to_be_clean_are_redacted_again() {
        let host = TestHost::new();
        host.write("turns.jsonl", format!("{TURN}\n{TURN}\n"));
        // The naive bundle takes the file as it is.
        std::fs::copy(host.file("turns.jsonl"), host.file("naive.jsonl")).unwrap();
        assert!(std::fs::read_to_string(host.file("naive.jsonl")).unwrap().contains("user@example.com"));
        let done = apply(&host, json!({ "path": "turns.jsonl", "to": "out" })).await.unwrap();
        assert_eq!(
            (done.out.count, done.out.counts["email"], done.out.counts["credit_card"], done.out.counts["phone"]),
            (6, 2, 2, 2)
        );
        let text = std::fs::read_to_string(host.file("out/turns.jsonl")).unwrap();
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(
                (&line["user_id"], &line["card"], &line["latency_ms"]["total"]),
                (&json!("[EMAIL_REDACTED]"), &json!("[CC_REDACTED]"), &json!(450))
            );
        }
        assert!(std::fs::read_to_string(host.file("turns.jsonl")).unwrap().contains("user@example.com"), "the file stays");
        let fault = apply(&host, json!({ "path": "turns.jsonl", "to": "out" })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("there already")), "{fault:?}");
    }

    #[tokio::test]
    async fn a_file_is_replaced_once_and_then_left() {
        let host = TestHost::new();
        host.write("a.log", "mail a@b.de\nkeep\n");
        let asked = json!({ "path": "a.log" });
        let forecast = Redact::plan(&args(asked.clone()), &host.cx()).await.unwrap();
        assert!(forecast.would_change && forecast.because.contains("1 email"), "{forecast:?}");
        assert!(std::fs::read_to_string(host.file("a.log")).unwrap().contains("a@b.de"));
        assert!(apply(&host, asked.clone()).await.unwrap().changed);
        assert_eq!(std::fs::read_to_string(host.file("a.log")).unwrap(), "mail [EMAIL_REDACTED]\nkeep\n");
        assert!(!apply(&host, asked.clone()).await.unwrap().changed);
        assert!(!Redact::plan(&args(asked), &host.cx()).await.unwrap().would_change);
        assert_eq!(std::fs::read_dir(host.root()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[tokio::test]
    async fn only_some_rules_and_ones_own() {
        let host = TestHost::new();
        host.write("a.log", "a@b.de 123-45-6789 order 77 tenant=blue s3cret!\n");
        let asked = json!({ "path": "a.log", "rules": ["ssn"], "fields": ["tenant"], "values": ["s3cret!"], "patterns": [{ "name": "order", "pattern": "order (\\d+)", "group": 1 }] });
        let out = apply(&host, asked).await.unwrap().out;
        assert_eq!(out.count, 4);
        let text = std::fs::read_to_string(host.file("a.log")).unwrap();
        assert_eq!(text, "a@b.de [SSN_REDACTED] order [ORDER_REDACTED] tenant=[TENANT_REDACTED] [VALUE_REDACTED]\n");
    }

    #[tokio::test]
    async fn what_cannot_be_done_is_refused() {
        let host = TestHost::new();
        host.write("a/x.log", "");
        host.write("b/x.log", "");
        let fault = apply(&host, json!({ "path": ["a/x.log", "b/x.log"], "to": "out" })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("same name")), "{fault:?}");
        host.write("wide.log", b"\xff\xfea\0@\0b\0");
        let fault = apply(&host, json!({ "path": "wide.log" })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("UTF-16")), "{fault:?}");
        assert!(matches!(apply(&host, json!({ "path": "gone.log" })).await, Err(Fault::Unmet { .. })));
        for bad in [
            json!({ "path": "a", "patterns": [{ "name": "x", "pattern": "x*" }] }),
            json!({ "path": "a", "patterns": [{ "name": "x", "pattern": "x", "group": 1 }] }),
            json!({ "path": "a", "patterns": [{ "name": "x", "pattern": "(" }] }),
            json!({ "path": "a", "values": ["abc"] }),
        ] {
            assert!(matches!(apply(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
        }
    }
}
