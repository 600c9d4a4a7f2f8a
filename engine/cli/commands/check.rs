//! `runbook check [PATH…]`.

mod watch;

use runbook_core::exit::Exit;
use runbook_lang::{Checked, DiskLoader};
use runbook_report::diagnostic;

use super::{loader, say};
use crate::args::{Check, CheckFormat};
use crate::context::Context;

pub(crate) fn check(context: &Context, check: &Check) -> Exit {
    if check.watch {
        return watch::watch(context, check);
    }
    let loader = match loader(context) {
        Ok(loader) => loader,
        Err(exit) => return exit,
    };
    let report = look(context, &loader, check);
    if let Some(text) = said(context, check, &report) {
        say(&text);
    }
    if report.has_errors() { Exit::Invalid } else { Exit::Ok }
}

fn look(context: &Context, loader: &DiskLoader, check: &Check) -> Checked {
    let registry = crate::registry::registry(context);
    let options = runbook_lang::Options { profile: check.profile.clone() };
    runbook_lang::check_files(loader, &check.paths, &registry, &options)
}

/// What is to be said; nothing if nothing was found and nobody wants to hear that.
fn said(context: &Context, check: &Check, report: &Checked) -> Option<String> {
    let format = if context.common.json { CheckFormat::Json } else { check.format };
    Some(match format {
        CheckFormat::Human if report.diagnostics.is_empty() => {
            let count = runbook_report::human::count;
            let mut what = vec![count(report.playbooks.len(), "playbook")];
            if report.tests > 0 {
                what.push(count(report.tests, "test file"));
            }
            let text = format!("{} checked, no mistakes", runbook_report::human::and_list(&what));
            return (!context.common.quiet).then_some(text);
        }
        CheckFormat::Human => diagnostic::human(&report.diagnostics, &report.sources, &context.out),
        CheckFormat::Json => diagnostic::json(&report.diagnostics, &report.sources),
        CheckFormat::Github => diagnostic::github(&report.diagnostics, &report.sources),
        CheckFormat::Sarif => diagnostic::sarif(&report.diagnostics, &report.sources, env!("CARGO_PKG_VERSION")),
    })
}
