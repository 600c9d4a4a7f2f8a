//! `--answers FILE`, `runbook answers NAME`, and what is said when an answer is missing.

use std::collections::HashSet;
use std::io::Write;

use runbook_core::exit::Exit;
use runbook_core::model::Plan;
use runbook_core::module::Registry;
use runbook_lang::{DiskLoader, Options, answers_sheet, answers_template, read_answers};
use runbook_runtime::live::FileAnswers;

use super::{loader, resumed, say, tell_diagnostics};
use crate::context::Context;

/// So many lines of a file to fill in are shown where an answer is missing; more are only named.
const SHOWN: usize = 40;

/// Writes the questions of a playbook as an answers file to fill in.
pub(crate) fn answers(context: &Context, name: &str, profile: Option<String>) -> Exit {
    let loader = match loader(context) {
        Ok(loader) => loader,
        Err(exit) => return exit,
    };
    if resumed::is_run(name) {
        return resumed::answers(context, name);
    }
    let registry = crate::registry::registry(context);
    match runbook_lang::load(&loader, name, &registry, &Options { profile }) {
        Ok(loaded) => {
            if context.common.json {
                say(&serde_json::to_string_pretty(&answers_sheet(&loaded.plan, &registry, &|_| false)).unwrap_or_default());
            } else {
                say(&answers_template(&loaded.plan, &registry, &|_| false));
            }
            Exit::Ok
        }
        Err(failed) => {
            tell_diagnostics(context, &failed.diagnostics, &failed.sources);
            Exit::Invalid
        }
    }
}

/// The answers of the file that was named, if one was; what is wrong with it is told.
pub(crate) fn given(context: &Context, loader: &DiskLoader, plan: &Plan, registry: &Registry) -> Result<FileAnswers, Exit> {
    let Some(path) = &context.common.answers else { return Ok(FileAnswers::default()) };
    let path = context.cwd.join(path);
    let read = read_answers(loader, &path.to_string_lossy(), plan, registry);
    if !read.diagnostics.is_empty() {
        tell_diagnostics(context, &read.diagnostics, &read.sources);
    }
    let answers = read.answers.ok_or(Exit::Invalid)?;
    Ok(FileAnswers {
        answers: answers.answers.into_iter().map(|(id, given)| (id, (given.value, given.note))).collect(),
        confirms: answers.confirms.into_iter().collect(),
    })
}

/// Shows the questions that are not answered, as a file to fill in.
pub(crate) fn tell_missing(context: &Context, plan: &Plan, registry: &Registry, answered: &HashSet<String>) {
    if context.common.json || context.common.quiet {
        return;
    }
    let flags: HashSet<&String> = context.common.answer.iter().chain(&context.common.confirm).map(|(id, _)| id).collect();
    let text = answers_template(plan, registry, &|id| answered.contains(id) || flags.iter().any(|f| *f == id));
    let name = &plan.root;
    let mut err = std::io::stderr().lock();
    if text.lines().count() > SHOWN {
        let _ = writeln!(err, "\nAnswers can be given in a file: runbook answers {name} > answers.yaml");
        return;
    }
    let _ = writeln!(err, "\nAnswers can be given in a file (also: runbook answers {name} > answers.yaml):\n");
    for line in text.lines() {
        let _ = writeln!(err, "    {}", runbook_report::sanitize(line));
    }
}
