//! `runbook new --from-shell`: what becomes of scripts and documents.

mod golden;
mod random;
mod same;

use runbook_lang::MemoryLoader;
use runbook_lang::starter::{NewName, from_shell};

/// The playbook of a source, and what the checker says about it with the real modules.
fn converted(source: &str, text: &str) -> (String, Vec<String>) {
    let name = NewName::parse("converted", None).unwrap();
    let playbook = from_shell(text.as_bytes(), &name, source, None).unwrap_or_else(|no| panic!("{}", no.message));
    let loader = MemoryLoader::new([("playbooks/converted.yaml", playbook.as_str())]);
    let registry = runbook_modules::builtins();
    let checked = runbook_lang::check_file(&loader, "converted", &registry, &runbook_lang::Options::default());
    let said = checked.diagnostics.iter().map(|d| {
        let place = d.span.and_then(|s| checked.sources.place(s));
        let line = place.map_or(0, |p| p.line);
        format!("{line}: {} {} ({:?})", d.code, d.message, d.severity)
    });
    (playbook.clone(), said.collect())
}
