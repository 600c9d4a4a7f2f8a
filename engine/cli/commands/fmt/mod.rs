//! `runbook fmt [PATH…]`.

mod files;
mod save;

use std::io::Read;
use std::path::Path;

use runbook_core::diff;
use runbook_core::exit::Exit;
use runbook_lang::NotFormatted;
use runbook_report::human::count;
use serde_json::json;

use self::files::Target;
use super::{complain, say, tell_diagnostics};
use crate::args::Fmt;
use crate::context::Context;

/// What became of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was laid out that way already.
    Unchanged,
    /// It was written anew.
    Formatted,
    /// It would be written anew.
    NotFormatted,
    /// Its YAML has mistakes.
    Broken,
    /// It could not be read or written, or not be formatted safely.
    Failed,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Unchanged => "unchanged",
            State::Formatted => "formatted",
            State::NotFormatted => "not_formatted",
            State::Broken => "broken",
            State::Failed => "failed",
        }
    }
}

/// What is to be said about a file.
struct Told {
    path: String,
    state: State,
    diff: Option<String>,
    message: Option<String>,
    diagnostics: Option<serde_json::Value>,
}

pub(crate) fn fmt(context: &Context, args: &Fmt) -> Exit {
    if args.stdin {
        return stdin(context, args);
    }
    let targets = match files::targets(context, &args.paths) {
        Ok(targets) => targets,
        Err(files::Unknown { message, help }) => {
            complain(context, &message, help.as_deref());
            return Exit::Invalid;
        }
    };
    if !context.common.json && !context.common.quiet {
        for link in &targets.links {
            say(&format!("{link} is a link and is left alone; name it to format what it points to"));
        }
    }
    let told: Vec<Told> = targets.files.iter().map(|target| one(context, args, target)).collect();
    let exit = exit(&told, args.check);
    if context.common.json {
        say(&as_json(&told));
    } else if !context.common.quiet || told.iter().any(|t| matches!(t.state, State::NotFormatted)) {
        say(&summary(&told));
    }
    exit
}

/// Formats one file, and tells what happens as it happens.
fn one(context: &Context, args: &Fmt, target: &Target) -> Told {
    let mut told = Told { path: target.shown.clone(), state: State::Unchanged, diff: None, message: None, diagnostics: None };
    let failed = |mut told: Told, message: String, help: Option<&str>| {
        if !context.common.json {
            complain(context, &message, help);
        }
        told.message = Some(message);
        told.state = State::Failed;
        told
    };
    let bytes = match files::read(&target.path) {
        Ok(bytes) => bytes,
        Err(why) => {
            return failed(told, format!("{} cannot be read: {why}", target.shown), Some("check the path and the permissions"));
        }
    };
    let new = match runbook_lang::format(&target.shown, &bytes) {
        Ok(new) => new,
        Err(NotFormatted::Broken(broken)) => {
            if context.common.json {
                let text = runbook_report::diagnostic::json(&broken.diagnostics, &broken.sources);
                told.diagnostics = serde_json::from_str::<serde_json::Value>(&text).ok().map(|v| v["diagnostics"].clone());
            } else {
                tell_diagnostics(context, &broken.diagnostics, &broken.sources);
            }
            told.state = State::Broken;
            return told;
        }
        Err(NotFormatted::Unsafe(what)) => return failed(told, distrust(&target.shown, &what), Some(REPORT)),
    };
    if new.as_bytes() == bytes {
        return told;
    }
    if args.diff {
        told.diff = diff::unified(&target.shown, Some(&String::from_utf8_lossy(&bytes)), &new);
        if let (Some(diff), false) = (&told.diff, context.common.json) {
            say(diff);
        }
    }
    if args.check || args.diff {
        told.state = State::NotFormatted;
        if !context.common.json && !args.diff {
            say(&format!("{} is not formatted", target.shown));
        }
        return told;
    }
    if let Err(why) = save::save(&target.path, &bytes, &new) {
        return failed(told, format!("{} is left as it was: {why}", target.shown), None);
    }
    told.state = State::Formatted;
    if !context.common.json && !context.common.quiet {
        say(&format!("{} formatted", target.shown));
    }
    told
}

/// What a person does who meets a mistake of the formatter itself.
const REPORT: &str = "this is a mistake of runbook, not of the file: please report it, with the file if you can";

fn distrust(shown: &str, what: &str) -> String {
    let what: String = what.chars().take(200).collect();
    format!("{shown} is left as it is: the new layout would have changed what it says ({what})")
}

/// Formats standard input to standard output.
fn stdin(context: &Context, args: &Fmt) -> Exit {
    let mut bytes = Vec::new();
    let limit = files::MOST_BYTES + 1;
    if let Err(error) = std::io::stdin().lock().take(limit).read_to_end(&mut bytes) {
        complain(context, &format!("standard input cannot be read: {error}"), None);
        return Exit::Internal;
    }
    match runbook_lang::format("<stdin>", &bytes) {
        Ok(new) if args.check || args.diff => {
            if args.diff
                && let Some(diff) = diff::unified("<stdin>", Some(&String::from_utf8_lossy(&bytes)), &new)
            {
                say(&diff);
            }
            if args.check && new.as_bytes() != bytes { Exit::Failed } else { Exit::Ok }
        }
        Ok(new) => {
            if !new.is_empty() {
                say(&new);
            }
            Exit::Ok
        }
        Err(NotFormatted::Broken(broken)) => {
            tell_diagnostics(context, &broken.diagnostics, &broken.sources);
            Exit::Invalid
        }
        Err(NotFormatted::Unsafe(what)) => {
            complain(context, &distrust("<stdin>", &what), Some(REPORT));
            Exit::Internal
        }
    }
}

fn number(told: &[Told], state: State) -> usize {
    told.iter().filter(|t| t.state == state).count()
}

fn exit(told: &[Told], check: bool) -> Exit {
    match () {
        () if number(told, State::Failed) > 0 => Exit::Internal,
        () if number(told, State::Broken) > 0 => Exit::Invalid,
        () if check && number(told, State::NotFormatted) > 0 => Exit::Failed,
        () => Exit::Ok,
    }
}

/// The last line.
fn summary(told: &[Told]) -> String {
    let all = count(told.len(), "file");
    let mut parts = Vec::new();
    for (state, words) in [
        (State::Formatted, "formatted"),
        (State::NotFormatted, "not formatted"),
        (State::Unchanged, "unchanged"),
        (State::Broken, "with mistakes, left as they are"),
        (State::Failed, "failed"),
    ] {
        let n = number(told, state);
        if n > 0 {
            parts.push(format!("{n} {words}"));
        }
    }
    match parts.as_slice() {
        [] => "there is nothing to format".to_owned(),
        [_] if number(told, State::Unchanged) == told.len() => format!("{all}, formatted already"),
        _ => {
            let hint = if number(told, State::NotFormatted) > 0 { "; `runbook fmt` formats them" } else { "" };
            format!("{all}: {}{hint}", parts.join(", "))
        }
    }
}

fn as_json(told: &[Told]) -> String {
    let files: Vec<serde_json::Value> = told
        .iter()
        .map(|t| {
            let mut file = json!({ "path": t.path, "state": t.state.word() });
            for (key, value) in [
                ("diff", t.diff.clone().map(Into::into)),
                ("message", t.message.clone().map(Into::into)),
                ("diagnostics", t.diagnostics.clone()),
            ] {
                if let Some(value) = value {
                    file[key] = value;
                }
            }
            file
        })
        .collect();
    format!("{:#}", json!({ "format_version": "1.0", "files": files }))
}

/// A path as people and diagnostics show it: relative to where one is, if it is below.
fn shown(context: &Context, path: &Path) -> String {
    path.strip_prefix(&context.cwd).unwrap_or(path).to_string_lossy().into_owned()
}
