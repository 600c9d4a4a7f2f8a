//! The list of playbooks, read without decoding their steps.

use std::collections::HashMap;

use runbook_core::diagnostic::Diagnostics;
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::SourceMap;

use crate::loader::{Found, Loader};
use crate::session::unreadable;
use crate::{text, yaml};

/// What a playbook is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybookKind {
    /// It has `steps`.
    Procedure,
    /// It has `triage`.
    Triage,
    /// It has `checks`.
    Checklist,
}

impl PlaybookKind {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            PlaybookKind::Procedure => "procedure",
            PlaybookKind::Triage => "triage",
            PlaybookKind::Checklist => "checklist",
        }
    }
}

/// A playbook in the list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name with its folder.
    pub full_name: String,
    /// Its name without its folder.
    pub name: String,
    /// Its file, as shown to people.
    pub path: String,
    /// What it does; empty if the file is broken.
    pub title: String,
    /// What it is made of; `None` if the file is broken or has none of the three.
    pub kind: Option<PlaybookKind>,
    /// The name of its system.
    pub system: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its severity.
    pub severity: Option<String>,
    /// The names of its parameters, with whether each must be given.
    pub params: Vec<(String, bool)>,
    /// Why the file cannot be read, if it cannot.
    pub broken: Option<String>,
}

/// Every playbook of the project, by name. A broken file is listed as such.
///
/// # Errors
/// A playbooks folder that cannot be read.
pub fn index(loader: &dyn Loader) -> std::io::Result<Vec<Listed>> {
    let mut systems: HashMap<String, Option<String>> = HashMap::new();
    Ok(loader.list()?.into_iter().map(|found| listed(loader, found, &mut systems)).collect())
}

fn tree(loader: &dyn Loader, path: &str) -> Result<Node, String> {
    let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
    let bytes = loader.read(path).map_err(|e| unreadable(&loader.shown(path), &e, None).message)?;
    let root = text::accept_of(&loader.shown(path), &bytes, loader.size(path), &mut sources, &mut out).and_then(|id| {
        let text = sources.get(id)?.text.clone();
        yaml::read(&text, id, &mut out).root
    });
    let first = out.into_sorted().into_iter().find(|d| d.severity == runbook_core::diagnostic::Severity::Error);
    match (root, first) {
        (_, Some(d)) => Err(match d.span.and_then(|s| sources.place(s)) {
            Some(place) => format!("line {}: {}", place.line, d.message),
            None => d.message,
        }),
        (Some(root), None) => Ok(root),
        (None, None) => Err("the file says nothing".to_owned()),
    }
}

fn listed(loader: &dyn Loader, found: Found, systems: &mut HashMap<String, Option<String>>) -> Listed {
    let mut out = Listed {
        name: found.name().to_owned(),
        full_name: found.full_name,
        path: loader.shown(&found.path),
        title: String::new(),
        kind: None,
        system: None,
        tags: Vec::new(),
        severity: None,
        params: Vec::new(),
        broken: None,
    };
    let root = match tree(loader, &found.path) {
        Ok(root) => root,
        Err(why) => {
            out.broken = Some(why);
            return out;
        }
    };
    let text = |key: &str| root.get(key).and_then(Node::as_scalar).map(|s| s.text.trim().to_owned()).filter(|t| !t.is_empty());
    out.title = text("playbook").unwrap_or_default();
    out.severity = text("severity");
    out.tags =
        root.get("tags").and_then(Node::as_list).into_iter().flatten().filter_map(|t| t.as_str().map(str::to_owned)).collect();
    out.kind = [("steps", PlaybookKind::Procedure), ("triage", PlaybookKind::Triage), ("checks", PlaybookKind::Checklist)]
        .into_iter()
        .find(|(key, _)| root.get(key).is_some())
        .map(|(_, kind)| kind);
    if let Some(NodeKind::Map(params)) = root.get("params").map(|n| &n.kind) {
        let required = |n: &Node| n.get("required").and_then(Node::as_scalar).is_some_and(|s| s.text == "true");
        out.params = params.iter().map(|(k, v)| (k.value.clone(), required(v))).collect();
    }
    if out.title.is_empty() || out.kind.is_none() {
        out.broken = Some(if root.as_map().is_none() { "it is not a map" } else { "it lacks `playbook` or `steps`" }.to_owned());
    }
    let folder = found.path.rsplit_once('/').map_or("", |(f, _)| f);
    let system = match text("system") {
        Some(name) if crate::loader::is_yaml(&name) => format!("{folder}/{name}"),
        Some(name) => format!("{}/{name}/system.yaml", loader.folder()),
        None => format!("{folder}/system.yaml"),
    };
    let name = systems.entry(system).or_insert_with_key(|path| {
        let root = tree(loader, path).ok()?;
        root.get("system").and_then(Node::as_scalar).map(|s| s.text.clone())
    });
    out.system = name.clone();
    out
}
