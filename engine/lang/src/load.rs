//! Loading a playbook with everything it needs, and checking files without running them.

use std::sync::Arc;

use runbook_core::diagnostic::{Diagnostic, Severity};
use runbook_core::model::Plan;
use runbook_core::module::Registry;
use runbook_core::span::SourceMap;
use sha2::{Digest, Sha256};

use crate::allow::Allow;
use crate::loader::{Found, Loader, is_system, is_test};
use crate::session::Session;
use crate::suite;

/// What may be chosen about loading.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The profile that is laid over the system.
    pub profile: Option<String>,
}

/// A playbook that may run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The plan.
    pub plan: Plan,
    /// What is likely a mistake, in file order.
    pub warnings: Vec<Diagnostic>,
}

/// A playbook that may not run.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Every mistake that was found, warnings among them, in file order.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that they point into.
    pub sources: Arc<SourceMap>,
}

/// What checking files came to.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Errors and warnings in file order.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that they point into.
    pub sources: Arc<SourceMap>,
    /// The full names of the playbooks that were looked at.
    pub playbooks: Vec<String>,
    /// How many test files were looked at.
    pub tests: usize,
    /// The comments that silence warnings.
    pub allows: Vec<Allow>,
}

impl Checked {
    /// Whether an error is among the diagnostics.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Loads a playbook by name (`stack-start`, `sonia/stack-start`) or path (ending in `.yaml`), with its system and everything it plays.
///
/// # Errors
/// Every mistake of every file that it needs.
pub fn load(loader: &dyn Loader, name: &str, registry: &Registry, options: &Options) -> Result<Loaded, Failed> {
    let mut session = Session::new(loader, registry, options);
    let root = session.find(name, None);
    if let Some(root) = root.clone() {
        session.read_playbook(root);
    }
    let diagnostics = session.check();
    let sources = Arc::new(std::mem::take(&mut session.sources));
    let root = root.map(|r| r.full_name).filter(|r| session.units.contains_key(r));
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    match root {
        Some(root) if !failed => {
            let digest = digest(&sources);
            let plan = Plan { root, units: session.units, names: session.plays, sources, digest };
            Ok(Loaded { plan, warnings: diagnostics })
        }
        _ => Err(Failed { diagnostics, sources }),
    }
}

/// Checks playbooks and test files by name or path, with everything they need. With no names, all of them.
pub fn check_files(loader: &dyn Loader, names: &[String], registry: &Registry, options: &Options) -> Checked {
    let mut session = Session::new(loader, registry, options);
    let (tests, names): (Vec<String>, Vec<String>) = names.iter().cloned().partition(|n| is_test(n));
    let all = names.is_empty() && tests.is_empty();
    let mut tests = if all { loader.list_tests().unwrap_or_default() } else { tests };
    let (mut found, mut systems): (Vec<Found>, Vec<String>) = (Vec::new(), Vec::new());
    if all {
        found.extend_from_slice(session.listing());
        systems = loader.systems();
    }
    for name in &names {
        let folder = format!("{}/", name.trim_start_matches("./").trim_end_matches('/'));
        let inside = |path: &str| loader.shown(path).starts_with(&folder) || path.starts_with(&folder);
        let (before, before_systems) = (found.len(), systems.len());
        found.extend(session.listing().iter().filter(|f| f.full_name.starts_with(&folder) || inside(&f.path)).cloned());
        systems.extend(loader.systems().into_iter().filter(|s| inside(s)));
        if found.len() > before || systems.len() > before_systems {
            tests.extend(loader.list_tests().unwrap_or_default().into_iter().filter(|t| inside(t)));
        } else if is_system(name) {
            systems.push(name.clone());
        } else {
            found.extend(session.find(name, None));
        }
    }
    let playbooks = found.iter().map(|f| f.full_name.clone()).collect();
    for one in found {
        session.read_playbook(one);
    }
    for path in systems {
        session.read_system(&path);
    }
    let files = tests.len();
    let tests = suite::read(&mut session, &tests);
    let done = suite::finish(loader, registry, options, session, tests);
    let sources = Arc::new(done.sources);
    Checked { diagnostics: done.diagnostics, sources, playbooks, tests: files, allows: done.allows }
}

/// Checks one playbook by name or path.
pub fn check_file(loader: &dyn Loader, name: &str, registry: &Registry, options: &Options) -> Checked {
    check_files(loader, &[name.to_owned()], registry, options)
}

/// Checks every playbook of the project.
pub fn check_all(loader: &dyn Loader, registry: &Registry, options: &Options) -> Checked {
    check_files(loader, &[], registry, options)
}

/// SHA-256 over all texts with their names, in hexadecimal; the order in which they were read does not matter.
fn digest(sources: &SourceMap) -> String {
    let mut texts: Vec<(&str, &str)> = sources.iter().map(|(_, s)| (s.name.as_str(), &*s.text)).collect();
    texts.sort_unstable();
    let mut hash = Sha256::new();
    for (name, text) in texts {
        for part in [name, text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
