//! One command a file.

mod answers;
mod check;
mod doc;
mod explain;
mod fmt;
mod generate;
mod graph;
mod help;
mod list;
mod modules;
mod new;
mod play;
mod reading;
mod resumed;
mod runs;
mod schema;
mod show;
mod test;
pub(crate) mod usage;

use std::io::Write;

use clap::CommandFactory;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::exit::Exit;
use runbook_core::span::SourceMap;
use runbook_lang::DiskLoader;

use crate::args::{Cli, Command};
use crate::context::Context;

/// Carries a command out.
pub(crate) fn dispatch(cli: Cli) -> Exit {
    let Cli { common, command } = cli;
    let Some(command) = command else { return help::overview(&Context::gather(common)) };
    let context = Context::gather(common);
    context.start_logging();
    match command {
        Command::Play(args) => play::play(&context, args, play::Want::Anything),
        Command::Triage(args) => play::triage(&context, args),
        Command::List => list::list(&context),
        Command::Fmt(args) => fmt::fmt(&context, &args),
        Command::Test(args) => test::test(&context, &args),
        Command::New(args) => new::new(&context, &args),
        Command::Show { name, profile } => show::show(&context, &name, profile.as_deref()),
        Command::Graph(graph) => graph::graph(&context, &graph),
        Command::Doc(args) => doc::doc(&context, &args),
        Command::Check(check) => check::check(&context, &check),
        Command::Modules(modules) => modules::modules(&context, &modules),
        Command::Schema { which } => schema::schema(&context, which),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "runbook", &mut std::io::stdout());
            Exit::Ok
        }
        Command::Runs(runs) => runs::runs(&context, &runs),
        Command::Answers { name, profile } => answers::answers(&context, &name, profile),
        Command::Explain { code } => explain::explain(&context, code.as_deref()),
        Command::Help { topic } => help::help(&context, topic.as_deref()),
        Command::Generate { check, root } => generate::generate(&context, &root, check),
    }
}

/// Writes to standard output; a closed pipe is not an error of ours.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let end: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(end)).and_then(|()| out.flush());
    match written {
        // Whoever reads has read enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = writeln!(std::io::stderr(), "error: the output cannot be written: {error}");
            UNWRITTEN.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        _ => {}
    }
}

/// Whether something that was to be said could not be written.
static UNWRITTEN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// The exit code of a command, unless its output was lost.
pub(crate) fn ended(exit: Exit) -> Exit {
    if UNWRITTEN.load(std::sync::atomic::Ordering::Relaxed) { Exit::Internal } else { exit }
}

/// Tells a mistake that has no place in a file.
pub(crate) fn complain(context: &Context, message: &str, help: Option<&str>) {
    if context.common.json {
        let complaint = runbook_core::event::Complaint::new(message, help);
        say(&serde_json::to_string(&complaint).unwrap_or_default());
        return;
    }
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "error: {}", runbook_report::sanitize(message));
    if let Some(help) = help {
        let _ = writeln!(err, "  help: {}", runbook_report::sanitize(help));
    }
}

/// Tells diagnostics on standard error, or as JSON on standard output.
pub(crate) fn tell_diagnostics(context: &Context, diagnostics: &[Diagnostic], sources: &SourceMap) {
    if context.common.json {
        say(&runbook_report::diagnostic::json(diagnostics, sources));
    } else {
        let text = runbook_report::diagnostic::human(diagnostics, sources, &context.err);
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

/// The loader over the playbooks folder, or the mistake told.
pub(crate) fn loader(context: &Context) -> Result<DiskLoader, Exit> {
    match context.playbooks() {
        Ok(folder) => {
            let root = folder.parent().map_or_else(|| context.cwd.clone(), std::path::Path::to_path_buf);
            Ok(DiskLoader::new(root, folder))
        }
        Err(message) => {
            complain(context, &message, Some("make a folder `playbooks`, or name one with --playbooks DIR or RUNBOOK_PLAYBOOKS"));
            Err(Exit::Invalid)
        }
    }
}
