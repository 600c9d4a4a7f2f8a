//! `runbook runs` and `runbook runs show`.

use runbook_core::exit::Exit;
use runbook_core::report::Report;
use runbook_report::document::{self, document};
use runbook_report::runs::RunSummary;
use runbook_runtime::journal::{find_run, list_runs, read_journal};

use super::{complain, say};
use crate::args::{Runs, RunsCommand};
use crate::context::Context;

pub(crate) fn runs(context: &Context, runs: &Runs) -> Exit {
    let state = match context.state() {
        Ok(state) => state,
        Err(message) => {
            complain(context, &message, Some("name a folder with --state DIR"));
            return Exit::Invalid;
        }
    };
    let folder = state.join("runs");
    match &runs.command {
        None => {
            let found = match list_runs(&folder) {
                Ok(found) => found,
                Err(error) => {
                    complain(context, &format!("{} cannot be read: {error}", folder.display()), None);
                    return Exit::Internal;
                }
            };
            let summaries: Vec<RunSummary> = found
                .iter()
                .filter_map(|run| {
                    let records: Vec<_> = run
                        .first
                        .iter()
                        .chain(run.last.iter().filter(|l| run.first.as_ref().is_none_or(|f| f.seq != l.seq)))
                        .cloned()
                        .collect();
                    runbook_report::runs::summarize(&records, run.is_running())
                })
                .collect();
            if context.common.json {
                say(&runbook_report::runs::json(&summaries));
            } else if summaries.is_empty() {
                say("no runs yet. Run a playbook with: runbook play NAME");
            } else {
                say(&runbook_report::runs::table(&summaries, &context.out, &jiff::tz::TimeZone::UTC));
            }
            Exit::Ok
        }
        Some(RunsCommand::Show { id, events, step }) => {
            let run = match find_run(&folder, id) {
                Ok(run) => run,
                Err(message) => {
                    complain(context, &message, Some("`runbook runs` lists them"));
                    return Exit::Usage;
                }
            };
            let journal = match read_journal(&run.path) {
                Ok(journal) => journal,
                Err(error) => {
                    complain(
                        context,
                        &format!("the journal {} does not hold: {error}", run.path.display()),
                        Some("somebody changed it; its records cannot be trusted"),
                    );
                    return Exit::Internal;
                }
            };
            if *events {
                say(&runbook_report::runs::events(&journal.records));
            } else if context.common.json {
                let Some(report) = document(&journal.records, run.is_running()) else {
                    complain(context, "the run has no beginning: nothing but its file was written", None);
                    return Exit::Internal;
                };
                return tell(context, &report, step.as_deref());
            } else if let Some(step) = step {
                match runbook_report::runs::show_step(&journal.records, step, &context.out) {
                    Some(text) => say(&text),
                    None => {
                        complain(
                            context,
                            &format!("the run has no step `{step}`"),
                            Some(&format!("`runbook runs show {}` lists its steps", run.run)),
                        );
                        return Exit::Usage;
                    }
                }
            } else {
                say(&runbook_report::runs::show(&journal.records, &context.out, context.level()));
                if !journal.sealed && !run.is_running() {
                    say("The run has no end: it was killed, or the machine stopped.");
                }
            }
            Exit::Ok
        }
    }
}

/// Writes the report of a run, or of one of its steps.
fn tell(context: &Context, report: &Report, step: Option<&str>) -> Exit {
    let Some(step) = step else {
        say(&document::json(report));
        return Exit::Ok;
    };
    let found = document::find(report, step);
    if found.is_empty() {
        let help = format!("`runbook runs show {}` lists its steps", report.run.id);
        complain(context, &format!("the run has no step `{step}`"), Some(&help));
        return Exit::Usage;
    }
    say(&document::json(&found));
    Exit::Ok
}
