//! Test files: finding them, reading the playbooks that they test, and holding one against the other.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics, Severity};
use runbook_core::model::test::TestFile;
use runbook_core::model::{Plan, Unit};
use runbook_core::module::Registry;
use runbook_core::node::Node;
use runbook_core::span::{SourceId, SourceMap, Span};

use crate::allow::{self, Allow};
use crate::check::{self, Lost, Project};
use crate::decode::{self, Played, Reader};
use crate::load::Options;
use crate::loader::{Loader, is_test};
use crate::session::Session;

/// Tests that were read, with the plans of what they test.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The files with the tests that were asked for. Empty files are left out.
    pub files: Vec<TestFile>,
    /// The playbooks of the project by full name, as far as they could be read.
    pub playbooks: Vec<String>,
    /// The plans of the playbooks that are tested, by full name and profile. None if anything is wrong.
    pub plans: HashMap<(String, Option<String>), Arc<Plan>>,
    /// Errors and warnings in file order.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that everything points into.
    pub sources: Arc<SourceMap>,
}

impl Suite {
    /// Whether an error is among the diagnostics.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// A test file whose text was read.
pub(crate) struct ReadTests {
    path: String,
    source: SourceId,
    root: Node,
    /// The playbooks that it names: as written, where, the profile, and the full name.
    plays: Vec<(String, Span, Option<String>, Option<String>)>,
}

/// What a session and its tests came to.
pub(crate) struct Finished {
    pub(crate) files: Vec<TestFile>,
    pub(crate) plans: HashMap<(String, Option<String>), Plan>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) sources: SourceMap,
    pub(crate) allows: Vec<Allow>,
}

/// Loads the tests that the names mean, with every playbook that they test. A name is that of a playbook, a test file, or a folder; with
/// none, all tests of the project.
pub fn load_tests(loader: &dyn Loader, names: &[String], registry: &Registry) -> Suite {
    let options = Options::default();
    let mut session = Session::new(loader, registry, &options);
    let playbooks: Vec<String> = session.listing().iter().map(|f| f.full_name.clone()).collect();
    let wanted = Wanted::of(loader, &mut session, names);
    let mut tests = read(&mut session, &wanted.candidates);
    tests.retain(|t| wanted.file(&t.path) || t.plays.iter().any(|p| p.3.as_ref().is_some_and(|f| wanted.playbooks.contains(f))));
    // Playbooks without a test count in the coverage of a whole project.
    if names.is_empty() {
        session.listing().to_vec().into_iter().for_each(|found| session.read_playbook(found));
    }
    let mut finished = finish(loader, registry, &options, session, tests);
    for file in &mut finished.files {
        if !wanted.file(&file.path) {
            file.tests.retain(|t| wanted.playbooks.contains(&t.playbook));
        }
    }
    finished.files.retain(|f| !f.tests.is_empty());
    let sources = Arc::new(finished.sources);
    let failed = finished.diagnostics.iter().any(|d| d.severity == Severity::Error);
    let plans = if failed { HashMap::new() } else { finished.plans };
    let plans = plans.into_iter().map(|(k, plan)| (k, Arc::new(Plan { sources: sources.clone(), ..plan }))).collect();
    Suite { files: finished.files, playbooks, plans, diagnostics: finished.diagnostics, sources }
}

/// What the names on the command line mean.
struct Wanted {
    /// The files that are looked into.
    candidates: Vec<String>,
    /// Files all of whose tests are wanted; none stands for all.
    files: Option<HashSet<String>>,
    /// Playbooks all of whose tests are wanted.
    playbooks: HashSet<String>,
}

impl Wanted {
    fn of(loader: &dyn Loader, session: &mut Session<'_>, names: &[String]) -> Wanted {
        let all = loader.list_tests().unwrap_or_default();
        if names.is_empty() {
            return Wanted { candidates: all, files: None, playbooks: HashSet::new() };
        }
        let mut wanted = Wanted { candidates: Vec::new(), files: Some(HashSet::new()), playbooks: HashSet::new() };
        for name in names {
            let shown = |path: &str| loader.shown(path);
            let inside: Vec<&String> = all.iter().filter(|p| within(&shown(p), &shown(name.trim_end_matches('/')))).collect();
            if is_test(name) {
                let known = all.iter().find(|p| **p == *name || shown(p) == shown(name));
                wanted.take(known.unwrap_or(name));
            } else if !inside.is_empty() {
                inside.into_iter().for_each(|p| wanted.take(p));
            } else if let Some(found) = session.find(name, None) {
                wanted.playbooks.insert(found.full_name);
            }
        }
        if !wanted.playbooks.is_empty() {
            let more: Vec<String> = all.into_iter().filter(|p| !wanted.candidates.contains(p)).collect();
            wanted.candidates.extend(more);
        }
        wanted
    }

    fn take(&mut self, path: &str) {
        if self.files.get_or_insert_default().insert(path.to_owned()) {
            self.candidates.push(path.to_owned());
        }
    }

    fn file(&self, path: &str) -> bool {
        self.files.as_ref().is_none_or(|f| f.contains(path))
    }
}

/// Whether a path lies in a folder.
fn within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Reads test files, and finds the playbooks that they name.
pub(crate) fn read(session: &mut Session<'_>, paths: &[String]) -> Vec<ReadTests> {
    let mut out = Vec::new();
    for path in paths {
        let Some((source, root)) = session.test_tree(path) else { continue };
        out.push(ReadTests { path: path.clone(), source, root, plays: Vec::new() });
    }
    for test in &mut out {
        let from = beside(&test.path);
        for (name, span, profile) in decode::tested(&test.root) {
            let full = session.find(&name, Some((&from, span))).map(|f| f.full_name);
            test.plays.push((name, span, profile, full));
        }
    }
    out
}

/// The name of a playbook that stands where a test file's playbooks do: in the folder above `tests`.
fn beside(path: &str) -> String {
    let folder = path.rsplit_once('/').map_or("", |(f, _)| f);
    let above = folder.rsplit_once('/').map_or("", |(f, _)| f);
    format!("{}/x", above.rsplit('/').next().unwrap_or(above))
}

/// Reads what the tests play under each profile, checks everything, and decodes the tests.
pub(crate) fn finish(
    loader: &dyn Loader,
    registry: &Registry,
    options: &Options,
    session: Session<'_>,
    tests: Vec<ReadTests>,
) -> Finished {
    let mut profiles: Vec<Option<String>> = vec![options.profile.clone()];
    for (_, _, profile, _) in tests.iter().flat_map(|t| &t.plays) {
        if profile.is_some() && !profiles.contains(profile) {
            profiles.push(profile.clone());
        }
    }
    let mut diagnostics = Vec::new();
    let mut allows = Vec::new();
    let mut sources = SourceMap::default();
    let mut worlds: Vec<(Option<String>, Read)> = Vec::new();
    let mut base = Some(session);
    for profile in profiles {
        let own = Options { profile: profile.clone() };
        let mut session = match base.take() {
            Some(session) => session,
            None => {
                let mut next = Session::new(loader, registry, &own);
                next.sources = std::mem::take(&mut sources);
                next
            }
        };
        let mut played: Vec<(String, Span)> = Vec::new();
        for (_, span, of, full) in tests.iter().flat_map(|t| &t.plays) {
            let mine = *of == profile || (of.is_none() && profile == options.profile);
            if let (true, Some(full)) = (mine, full) {
                played.push((full.clone(), *span));
            }
        }
        for (full, _) in &played {
            if let Some(found) = session.find(full, None) {
                session.read_playbook(found);
            }
        }
        let found = session.check();
        let broken: HashSet<SourceId> =
            found.iter().filter(|d| d.severity == Severity::Error).filter_map(|d| d.span.map(|s| s.source)).collect();
        add(&mut diagnostics, found, &session.sources);
        let (units, plays) = (std::mem::take(&mut session.units), std::mem::take(&mut session.plays));
        allows.append(&mut session.allows);
        sources = std::mem::take(&mut session.sources);
        worlds.push((profile, Read { units, plays, broken }));
    }
    let mut own = Diagnostics::default();
    let files = decode_all(registry, options, &tests, &worlds, &mut own);
    let own = allow::silence(own.into_sorted(), &sources, &[]);
    add(&mut diagnostics, own, &sources);
    let answers: HashSet<Span> = tests.iter().flat_map(|t| decode::answers(&t.root)).collect();
    diagnostics.retain(|d| d.code != Code::AmbiguousScalar || d.span.is_none_or(|s| !answers.contains(&s)));
    diagnostics.sort_by_key(|d| (d.span.map(|s| (s.source, s.start)), d.severity, d.code));
    let mut plans = HashMap::new();
    for test in files.iter().flat_map(|f: &TestFile| &f.tests) {
        let key = (test.playbook.clone(), test.profile.clone());
        let at = world_of(options, &test.profile);
        let Some((_, read)) = worlds.iter().find(|(p, _)| *p == at) else { continue };
        plans.entry(key).or_insert_with(|| Plan {
            root: test.playbook.clone(),
            units: read.units.clone(),
            names: read.plays.clone(),
            sources: Arc::default(),
            digest: String::new(),
        });
    }
    Finished { files, plans, diagnostics, sources, allows }
}

/// Playbooks that were read under one profile.
struct Read {
    units: IndexMap<String, Unit>,
    plays: IndexMap<(String, String), String>,
    /// Texts in which something is wrong.
    broken: HashSet<SourceId>,
}

impl Read {
    /// A playbook with all that it plays; none if something in one of them is wrong, for what follows from that is not worth a word.
    fn played(&self, full_name: &str) -> Option<Played<'_>> {
        let mut names = vec![full_name];
        let mut at = 0;
        while let Some(name) = names.get(at).copied() {
            at += 1;
            for ((from, _), to) in &self.plays {
                if from == name && !names.contains(&to.as_str()) {
                    names.push(to);
                }
            }
        }
        let units: Vec<&Unit> = names.iter().map(|n| self.units.get(*n)).collect::<Option<_>>()?;
        let whole = units
            .iter()
            .all(|u| !self.broken.contains(&u.playbook.file) && u.system.file.is_none_or(|file| !self.broken.contains(&file)));
        whole.then(|| Played { full_name: full_name.to_owned(), units })
    }
}

/// The profile under which a test's playbook was read.
fn world_of(options: &Options, profile: &Option<String>) -> Option<String> {
    profile.clone().or_else(|| options.profile.clone())
}

fn decode_all(
    registry: &Registry,
    options: &Options,
    tests: &[ReadTests],
    worlds: &[(Option<String>, Read)],
    out: &mut Diagnostics,
) -> Vec<TestFile> {
    let mut files = Vec::new();
    for test in tests {
        let find = |name: &str, profile: Option<&str>| -> Option<Played<'_>> {
            let full = test.plays.iter().find(|(n, ..)| n == name)?.3.as_ref()?;
            let at = world_of(options, &profile.map(str::to_owned));
            worlds.iter().find(|(p, _)| *p == at)?.1.played(full)
        };
        let mut reader = Reader::new(registry, out);
        let Some(file) = decode::test_file(&mut reader, &test.root, test.source, &test.path, &find) else { continue };
        for one in &file.tests {
            let at = world_of(options, &one.profile);
            let Some((_, read)) = worlds.iter().find(|(p, _)| *p == at) else { continue };
            let Some(unit) = read.units.get(&one.playbook) else { continue };
            let project = Project { registry, units: &read.units, plays: &read.plays, tested: &|_, _| true };
            check::test(&project, unit, one, &Lost::default(), out);
        }
        files.push(file);
    }
    files
}

/// Adds diagnostics that are not there yet: a file that was read twice says the same twice.
fn add(all: &mut Vec<Diagnostic>, more: Vec<Diagnostic>, sources: &SourceMap) {
    let key = |d: &Diagnostic| {
        let place = d.span.map(|s| (sources.get(s.source).map(|f| f.name.clone()), s.start, s.end));
        (place, d.code, d.message.clone())
    };
    let mut seen: HashSet<_> = all.iter().map(key).collect();
    for diagnostic in more {
        if seen.insert(key(&diagnostic)) {
            all.push(diagnostic);
        }
    }
}

/// A file that says nothing.
pub(crate) fn empty(source: SourceId) -> Diagnostic {
    Diagnostic::error(Code::EmptyFile, Span::new(source, 0, 0), "the file says nothing")
        .help("a test begins with `test: WHAT IT SHOWS` and `play: PLAYBOOK`")
}
