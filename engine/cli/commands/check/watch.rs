//! `runbook check --watch`: checks again whenever a file changes.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Zoned;
use runbook_core::exit::Exit;
use tokio::signal::unix::{SignalKind, signal};

use super::{look, said};
use crate::args::{Check, CheckFormat};
use crate::commands::{complain, loader};
use crate::context::Context;
use crate::watch::{Change, Watch};

pub(super) fn watch(context: &Context, check: &Check) -> Exit {
    if matches!(check.format, CheckFormat::Github | CheckFormat::Sarif) {
        complain(context, "--watch goes with the formats human and json", Some("leave --watch out"));
        return Exit::Usage;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(context, &format!("files cannot be watched: {error}"), None);
            return Exit::Internal;
        }
    };
    runtime.block_on(rounds(context, check))
}

/// Checks and waits in turn, until a signal comes or nobody reads any more.
async fn rounds(context: &Context, check: &Check) -> Exit {
    let loader = match loader(context) {
        Ok(loader) => loader,
        Err(exit) => return exit,
    };
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else {
        complain(context, "signals cannot be handled", None);
        return Exit::Internal;
    };
    let mut roots = vec![loader.playbooks().to_path_buf()];
    roots.extend(check.paths.iter().map(|path| loader.root().join(path)).filter(|path| path.is_file()));
    let mut watch = Watch::new(roots);
    let mut changes = Vec::new();
    let mut clean = true;
    loop {
        let report = look(context, &loader, check);
        let text = said(context, check, &report);
        // Who wants to hear of mistakes only wants to hear that there are none any more.
        let mended = context.common.quiet && !clean && report.diagnostics.is_empty();
        let text = text.or_else(|| mended.then(|| "no mistakes any more".to_owned()));
        clean = report.diagnostics.is_empty();
        if show(context, check, loader.root(), loader.playbooks(), &changes, text.as_deref()).is_err() {
            return Exit::Ok;
        }
        changes = tokio::select! {
            changes = watch.changes() => changes,
            _ = interrupt.recv() => return leave(context, Exit::Interrupted),
            _ = terminate.recv() => return leave(context, Exit::Terminated),
            _ = hangup.recv() => return leave(context, Exit::Hangup),
        };
    }
}

/// Ends the line that the terminal has written `^C` into.
fn leave(context: &Context, exit: Exit) -> Exit {
    if context.stdout_tty && exit == Exit::Interrupted {
        let _ = writeln!(std::io::stdout());
    }
    exit
}

/// Shows one round: on a terminal a screen of its own, elsewhere lines.
fn show(
    context: &Context,
    check: &Check,
    root: &Path,
    playbooks: &Path,
    changes: &[Change],
    text: Option<&str>,
) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if context.common.json || check.format == CheckFormat::Json {
        // One object a line.
        let value: serde_json::Value = serde_json::from_str(text.unwrap_or("{}")).unwrap_or_default();
        writeln!(out, "{value}")?;
        return out.flush();
    }
    let quiet = context.common.quiet;
    let screen = context.out.animate && !quiet;
    if screen {
        write!(out, "\u{1b}[H\u{1b}[2J")?;
    }
    if let (Some(what), false) = (told(root, changes), quiet) {
        writeln!(out, "{}{}", runbook_report::sanitize(&what), if screen { "\n" } else { "" })?;
    }
    if let Some(text) = text {
        writeln!(out, "{}", text.trim_end_matches('\n'))?;
    }
    if screen {
        let at = Zoned::now().strftime("%H:%M:%S").to_string();
        writeln!(out, "\nchecked at {at}, watching {}; Ctrl-C ends it", below(root, playbooks))?;
    } else if changes.is_empty() && !quiet {
        writeln!(out, "watching {}; Ctrl-C ends it", below(root, playbooks))?;
    }
    out.flush()
}

/// What changed, in one line.
fn told(root: &Path, changes: &[Change]) -> Option<String> {
    Some(match changes {
        [] => return None,
        [Change::Added(path)] => format!("{} is new", below(root, path)),
        [Change::Changed(path)] => format!("{} changed", below(root, path)),
        [Change::Removed(path)] => format!("{} is gone", below(root, path)),
        several => {
            let names: Vec<String> = several
                .iter()
                .take(3)
                .map(|(Change::Added(path) | Change::Changed(path) | Change::Removed(path))| below(root, path))
                .collect();
            let more = several.len() - names.len();
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{}{rest} changed", names.join(", "))
        }
    })
}

/// A path from the root of the project on.
fn below(root: &Path, path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root).unwrap_or(path).to_path_buf();
    path.to_string_lossy().into_owned()
}
