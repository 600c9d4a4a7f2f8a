//! Reading files once each: playbooks, the systems they belong to, and the playbooks they play.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use indexmap::IndexMap;
use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics, Severity};
use runbook_core::model::{System, Unit};
use runbook_core::module::Registry;
use runbook_core::node::Node;
use runbook_core::span::{SourceId, SourceMap, Span, Spanned};
use runbook_core::suggest::nearest;

use crate::allow::Allow;
use crate::check::{self, Lost, Project};
use crate::decode::{self, Identity, Reader};
use crate::load::Options;
use crate::loader::{Found, Loader, is_yaml};
use crate::{clear, text, yaml};

/// A playbook that was read.
struct Read {
    lost: Lost,
    out: Diagnostics,
    system: Option<String>,
}

/// A system that was read.
struct ReadSystem {
    system: Arc<System>,
    lost: Lost,
    out: Diagnostics,
    whole: bool,
}

/// Everything that is read for one command.
pub(crate) struct Session<'a> {
    loader: &'a dyn Loader,
    registry: &'a Registry,
    options: &'a Options,
    pub(crate) sources: SourceMap,
    pub(crate) units: IndexMap<String, Unit>,
    pub(crate) plays: IndexMap<(String, String), String>,
    pub(crate) allows: Vec<Allow>,
    read: HashMap<String, Read>,
    systems: IndexMap<String, ReadSystem>,
    /// Names of playbooks that could not be read, so that they are not tried again.
    failed: Vec<String>,
    listing: Option<Vec<Found>>,
    /// What belongs to no file of its own.
    pub(crate) out: Diagnostics,
}

impl<'a> Session<'a> {
    pub(crate) fn new(loader: &'a dyn Loader, registry: &'a Registry, options: &'a Options) -> Self {
        Session {
            loader,
            registry,
            options,
            sources: SourceMap::default(),
            units: IndexMap::new(),
            plays: IndexMap::new(),
            allows: Vec::new(),
            read: HashMap::new(),
            systems: IndexMap::new(),
            failed: Vec::new(),
            listing: None,
            out: Diagnostics::default(),
        }
    }

    /// Every playbook of the project; a folder that cannot be read is reported once.
    pub(crate) fn listing(&mut self) -> &[Found] {
        if self.listing.is_none() {
            let list = self.loader.list().unwrap_or_else(|error| {
                let shown = self.loader.shown(&self.loader.folder());
                self.out.push(unreadable(&shown, &error, None));
                Vec::new()
            });
            self.listing = Some(list);
        }
        self.listing.as_deref().unwrap_or_default()
    }

    /// The playbook that a name means, as written on the command line (`from` is none) or under `play:`.
    pub(crate) fn find(&mut self, name: &str, from: Option<(&str, Span)>) -> Option<Found> {
        let span = from.map(|(_, span)| span);
        let folder = from.and_then(|(unit, _)| unit.rsplit_once('/').map(|(folder, _)| folder.to_owned()));
        if from.is_none() && is_yaml(name) {
            return Some(self.at_path(name));
        }
        let name = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(name);
        let before = self.out.len();
        let all = self.listing();
        if let Some(exact) = all.iter().find(|f| f.full_name == name) {
            return Some(exact.clone());
        }
        let same: Vec<&Found> = all.iter().filter(|f| f.name() == name).collect();
        // A playbook's neighbours come first.
        if let Some(folder) = folder
            && let Some(neighbour) = same.iter().find(|f| f.full_name.rsplit_once('/').is_some_and(|(f, _)| f == folder))
        {
            return Some((*neighbour).clone());
        }
        let diagnostic = match same.as_slice() {
            [one] => return Some((*one).clone()),
            [] => {
                let near = nearest(name, all.iter().map(|f| f.full_name.as_str()).chain(all.iter().map(Found::name)));
                let path = name.starts_with(['/', '.', '~']) || name.contains("://") || name.contains("..");
                let help = match near {
                    _ if path && span.is_some() => {
                        "a playbook is played by its name below the playbooks folder, not by a path: `play: system/name`"
                            .to_owned()
                    }
                    Some(near) => format!("did you mean `{near}`?"),
                    None if all.is_empty() => "the playbooks folder has no playbooks".to_owned(),
                    None => "`runbook list` shows what there is".to_owned(),
                };
                Diagnostic::without_place(Code::UnknownPlaybook, format!("there is no playbook `{name}`")).help(help)
            }
            several => {
                let names: Vec<String> = several.iter().map(|f| format!("`{}`", f.full_name)).collect();
                Diagnostic::without_place(Code::Ambiguous, format!("`{name}` could be {}", names.join(" or ")))
                    .help("write it with its system")
            }
        };
        // A folder that cannot be read has been reported already.
        if self.out.len() == before {
            self.out.push(Diagnostic { span, ..diagnostic });
        }
        None
    }

    /// The playbook at a path, with the name it has in the listing.
    fn at_path(&mut self, path: &str) -> Found {
        let shown = self.loader.shown(path);
        let known = self.loader.list().unwrap_or_default();
        if let Some(found) = known.into_iter().find(|f| f.path == path || self.loader.shown(&f.path) == shown) {
            return found;
        }
        let stem = path.rsplit('/').next().unwrap_or(path);
        let stem = stem.strip_suffix(".yaml").or_else(|| stem.strip_suffix(".yml")).unwrap_or(stem);
        Found { full_name: stem.to_owned(), path: path.to_owned() }
    }

    /// Reads a file into the sources; mistakes go to `out`.
    fn tree(&mut self, path: &str, out: &mut Diagnostics, span: Option<Span>) -> Option<(SourceId, Node)> {
        let shown = self.loader.shown(path);
        let bytes = match self.loader.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                out.push(unreadable(&shown, &error, span));
                return None;
            }
        };
        let source = text::accept_of(&shown, &bytes, self.loader.size(path), &mut self.sources, out)?;
        let content = self.sources.get(source)?.text.clone();
        let before = out.len();
        let document = yaml::read(&content, source, out);
        self.allows.extend(document.allows);
        let empty = document.root.as_ref().is_none_or(Node::is_null);
        if empty && out.len() == before {
            out.push(
                Diagnostic::error(Code::EmptyFile, Span::new(source, 0, 0), "the file says nothing")
                    .help("a playbook begins with `playbook: WHAT IT DOES` and `steps:`"),
            );
        }
        document.root.filter(|_| !empty).map(|root| (source, root))
    }

    /// Reads a file of tests.
    pub(crate) fn test_tree(&mut self, path: &str) -> Option<(SourceId, Node)> {
        let mut out = Diagnostics::default();
        let tree = self.tree(path, &mut out, None);
        for diagnostic in out.into_sorted() {
            self.out.push(match diagnostic.span {
                Some(span) if diagnostic.code == Code::EmptyFile => crate::suite::empty(span.source),
                _ => diagnostic,
            });
        }
        tree
    }

    /// Reads a playbook and all that it plays.
    pub(crate) fn read_playbook(&mut self, found: Found) {
        let mut todo = vec![(found, None)];
        while let Some((found, span)) = todo.pop() {
            if self.read.contains_key(&found.full_name) {
                continue;
            }
            self.read_one(&found, span);
            let Some(unit) = self.units.get(&found.full_name).cloned() else { continue };
            for Spanned { value: name, span } in decode::plays(&unit.playbook).into_iter().cloned() {
                let key = (found.full_name.clone(), name.clone());
                if self.plays.contains_key(&key) {
                    continue;
                }
                let Some(next) = self.find(&name, Some((&found.full_name, span))) else { continue };
                self.plays.insert(key, next.full_name.clone());
                if !self.read.contains_key(&next.full_name) && !self.failed.contains(&next.full_name) {
                    todo.push((next, Some(span)));
                }
            }
        }
    }

    fn read_one(&mut self, found: &Found, span: Option<Span>) {
        let mut out = Diagnostics::default();
        let tree = self.tree(&found.path, &mut out, span);
        let mut lost = Lost::default();
        let mut system_path = None;
        let mut made = None;
        let mut belongs = Arc::default();
        if let Some((source, root)) = tree {
            let identity = Identity { name: found.name().to_owned(), full_name: found.full_name.clone(), file: source };
            let mut reader = Reader::new(self.registry, &mut out);
            made = decode::playbook(&mut reader, &root, identity);
            lost.names = reader.lost;
            let mut hidden = reader.hidden;
            clear::warn(&root, &mut out, &mut hidden);
            hidden.into_iter().for_each(|span| self.sources.hide(span));
            let path = self.system_path(&root, &found.path);
            let (system, broken) = match path {
                Some((path, span)) => {
                    let read = self.system(&path, span, &mut out);
                    system_path = read.is_some().then_some(path);
                    read.map_or((Arc::default(), span.is_some()), |(s, whole)| (s, !whole))
                }
                None => (Arc::default(), false),
            };
            lost.system = broken;
            belongs = system;
        }
        match made {
            Some(playbook) => {
                self.units.insert(found.full_name.clone(), Unit { playbook: Arc::new(playbook), system: belongs });
            }
            None => self.failed.push(found.full_name.clone()),
        }
        self.read.insert(found.full_name.clone(), Read { lost, out, system: system_path });
    }

    /// Where the system file of a playbook is: what it says, or the one beside it.
    fn system_path(&self, root: &Node, path: &str) -> Option<(String, Option<Span>)> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let join = |folder: &str, name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        if let Some(node) = root.get("system")
            && let Some(name) = node.as_str()
        {
            let path = if is_yaml(name) { join(folder, name) } else { format!("{}/{name}/system.yaml", self.loader.folder()) };
            return Some((path, Some(node.span)));
        }
        Some((join(folder, "system.yaml"), None))
    }

    /// Reads a system file by its path, whether a playbook belongs to it or not.
    pub(crate) fn read_system(&mut self, path: &str) {
        let known = self.loader.systems().into_iter().find(|s| s == path || self.loader.shown(s) == self.loader.shown(path));
        let path = known.unwrap_or_else(|| path.to_owned());
        let mut out = Diagnostics::default();
        if self.system(&path, None, &mut out).is_none()
            && let Err(error) = self.loader.read(&path)
        {
            out.push(unreadable(&self.loader.shown(&path), &error, None));
        }
        self.out.extend(out.into_sorted());
    }

    /// Reads a system; gives whether all of it could be read. `None` if there is none.
    fn system(&mut self, path: &str, span: Option<Span>, out: &mut Diagnostics) -> Option<(Arc<System>, bool)> {
        if let Some(read) = self.systems.get(path) {
            return Some((read.system.clone(), read.whole));
        }
        if span.is_none() && matches!(self.loader.read(path), Err(e) if e.kind() == io::ErrorKind::NotFound) {
            return None;
        }
        let mut own = Diagnostics::default();
        let mut lost = Lost::default();
        let tree = self.tree(path, &mut own, span);
        let Some((source, root)) = tree else {
            // What the playbook asked for is the playbook's mistake.
            if span.is_some() && own.len() == 1 && self.sources.iter().all(|(_, s)| s.name != self.loader.shown(path)) {
                out.extend(own.into_sorted());
                return None;
            }
            let system = Arc::new(System::default());
            self.systems.insert(path.to_owned(), ReadSystem { system: system.clone(), lost, out: own, whole: false });
            return Some((system, false));
        };
        let mut reader = Reader::new(self.registry, &mut own);
        let system = decode::system(&mut reader, &root, source, self.options.profile.as_deref());
        lost.names = reader.lost;
        let mut hidden = reader.hidden;
        clear::warn(&root, &mut own, &mut hidden);
        hidden.into_iter().for_each(|span| self.sources.hide(span));
        let whole = system.is_some();
        let system = Arc::new(system.unwrap_or_default());
        self.systems.insert(path.to_owned(), ReadSystem { system: system.clone(), lost, out: own, whole });
        Some((system, whole))
    }

    /// Checks everything that was read and hands out all diagnostics, in the order in which the files were read.
    pub(crate) fn check(&mut self) -> Vec<Diagnostic> {
        let (loader, listing) = (self.loader, std::cell::OnceCell::new());
        let words: std::cell::RefCell<HashMap<String, HashSet<String>>> = std::cell::RefCell::default();
        let tested = |full_name: &str, word: &str| {
            let mut words = words.borrow_mut();
            let words = words.entry(full_name.to_owned()).or_insert_with(|| {
                let listing: &Vec<Found> = listing.get_or_init(|| loader.list().unwrap_or_default());
                listing.iter().find(|f| f.full_name == full_name).map(|f| words_of_tests(loader, &f.path)).unwrap_or_default()
            });
            words.contains(word)
        };
        let project = Project { registry: self.registry, units: &self.units, plays: &self.plays, tested: &tested };
        let mut all = std::mem::take(&mut self.out);
        check::play_cycles(&self.units, &self.plays, &mut all);
        check::play_depth(&self.units, &self.plays, &mut all);
        for read in self.systems.values_mut() {
            if read.whole {
                check::system(&project, &read.system, &read.lost, &mut read.out);
            }
            all.absorb(std::mem::take(&mut read.out));
        }
        for (name, unit) in &self.units {
            let Some(read) = self.read.get_mut(name) else { continue };
            if let Some(system) = read.system.as_ref().and_then(|s| self.systems.get(s)) {
                read.lost.names.extend(system.lost.names.iter().cloned());
            }
            check::playbook(&project, name, unit, &read.lost, &mut read.out);
        }
        for read in self.read.values_mut() {
            all.absorb(std::mem::take(&mut read.out));
        }
        all.extend(self.allows.iter().filter_map(Allow::complaint));
        let mut all = all.into_sorted();
        // Text that is wrong here anyway need not also be warned about.
        let errors: HashSet<Span> = all.iter().filter(|d| d.severity == Severity::Error).filter_map(|d| d.span).collect();
        all.retain(|d| d.code != Code::AmbiguousScalar || d.span.is_none_or(|s| !errors.contains(&s)));
        // `note: {{ x }}` is a map to YAML: that the braces need quotes says it all.
        let braces: HashSet<(SourceId, u32)> =
            all.iter().filter(|d| d.code == Code::YamlFeature).filter_map(|d| d.span).map(|s| (s.source, s.start)).collect();
        all.retain(|d| d.code != Code::WrongType || d.span.is_none_or(|s| !braces.contains(&(s.source, s.start + 1))));
        if !all.is_empty() {
            // Lines beside a mistake are shown; what looks like a secret in them is not, even where the file cannot be read.
            let shown: HashSet<SourceId> =
                all.iter().flat_map(|d| d.span.into_iter().chain(d.others.iter().map(|l| l.span))).map(|s| s.source).collect();
            let texts = self.sources.iter().filter(|(id, _)| shown.contains(id));
            let found: Vec<Span> = texts.flat_map(|(id, source)| clear::places(&source.text, id)).collect();
            found.into_iter().for_each(|span| self.sources.hide(span));
        }
        crate::allow::silence(all, &self.sources, &self.allows)
    }
}

/// Every word in the tests beside a playbook. A mention is enough: tests name steps and variables in several ways.
fn words_of_tests(loader: &dyn Loader, path: &str) -> HashSet<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let Ok(bytes) = loader.read(&format!("{folder}/tests/{stem}.test.yaml")) else { return HashSet::new() };
    let text = String::from_utf8_lossy(&bytes);
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).map(str::to_owned).collect()
}

/// A file that cannot be read.
pub(crate) fn unreadable(shown: &str, error: &io::Error, span: Option<Span>) -> Diagnostic {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    };
    Diagnostic { span, ..Diagnostic::without_place(Code::NotReadable, format!("cannot read `{shown}`: {why}")) }
        .help("check the path and the permissions")
}
