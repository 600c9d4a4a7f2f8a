//! `runbook check [PATH…]`.

use runbook_core::exit::Exit;
use runbook_report::diagnostic;

use super::{loader, say};
use crate::args::{Check, CheckFormat};
use crate::context::Context;

pub(crate) fn check(context: &Context, check: &Check) -> Exit {
    let loader = match loader(context) {
        Ok(loader) => loader,
        Err(exit) => return exit,
    };
    let registry = runbook_modules::builtins();
    let options = runbook_lang::Options { profile: check.profile.clone() };
    let report = runbook_lang::check_files(&loader, &check.paths, &registry, &options);
    let format = if context.common.json { CheckFormat::Json } else { check.format };
    match format {
        CheckFormat::Human if report.diagnostics.is_empty() => {
            if !context.common.quiet {
                let count = runbook_report::human::count;
                let mut what = vec![count(report.playbooks.len(), "playbook")];
                if report.tests > 0 {
                    what.push(count(report.tests, "test file"));
                }
                say(&format!("{} checked, no mistakes", runbook_report::human::and_list(&what)));
            }
        }
        CheckFormat::Human => say(&diagnostic::human(&report.diagnostics, &report.sources, &context.out)),
        CheckFormat::Json => say(&diagnostic::json(&report.diagnostics, &report.sources)),
        CheckFormat::Github => say(&diagnostic::github(&report.diagnostics, &report.sources)),
        CheckFormat::Sarif => say(&diagnostic::sarif(&report.diagnostics, &report.sources, env!("CARGO_PKG_VERSION"))),
    }
    if report.has_errors() { Exit::Invalid } else { Exit::Ok }
}
