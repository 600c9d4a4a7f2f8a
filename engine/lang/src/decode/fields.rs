//! The entries of a map, held against its table of keys.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::node::Node;
use runbook_core::span::{Span, Spanned};
use runbook_core::suggest::nearest;

use super::Reader;
use crate::keys::{self, Table, Where};

/// A map's entries.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'n> {
    /// The map.
    pub(crate) node: &'n Node,
    /// Its entries.
    pub(crate) entries: &'n [(Spanned<String>, Node)],
}

impl<'n> Fields<'n> {
    /// The value of a key; nothing (`key:`) counts as left out.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.entry(name).map(|(_, v)| v).filter(|v| !v.is_null())
    }

    /// Key and value, even if the value is nothing.
    pub(crate) fn entry(&self, name: &str) -> Option<(&'n Spanned<String>, &'n Node)> {
        self.entries.iter().find(|(k, _)| k.value == name).map(|(k, v)| (k, v))
    }

    /// The place of a key, or of the map's start.
    pub(crate) fn key_span(&self, name: &str) -> Span {
        self.entry(name).map_or_else(|| head(self.node), |(k, _)| k.span)
    }

    /// The place at which something missing is reported: the first key.
    pub(crate) fn head(&self) -> Span {
        head(self.node)
    }
}

/// Where a node is pointed at as a whole: a map at its first key, a list at its first item.
pub(crate) fn head(node: &Node) -> Span {
    if let Some((key, _)) = node.as_map().and_then(<[_]>::first) {
        return key.span;
    }
    match node.as_list().and_then(<[_]>::first) {
        Some(first) => head(first),
        None => node.span,
    }
}

impl Reader<'_> {
    /// The entries of a map whose keys are those of `table`. Unknown and missing keys are reported.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, table: &Table, at: Option<Where>) -> Option<Fields<'n>> {
        let Some(entries) = node.as_map() else {
            self.out.push(
                Diagnostic::error(Code::WrongType, node.span, format!("{} is a map, found {}", table.name, node.describe()))
                    .help(format!("its keys are {}", list(table.names()))),
            );
            return None;
        };
        let fields = Fields { node, entries };
        for (key, _) in entries {
            if table.get(&key.value).is_none() {
                self.unknown_key(key, table, at);
            }
        }
        for key in table.keys.iter().filter(|k| k.required) {
            // Another tool's word for it has been answered already.
            let word = format!("`{}:`", key.name);
            let answered = at.is_some_and(|at| {
                entries.iter().any(|(k, _)| keys::find_alias(at, &k.value).is_some_and(|a| a.help.contains(&word)))
            });
            if fields.get(key.name).is_none() && !answered {
                let span = fields.key_span(key.name);
                self.out.push(
                    Diagnostic::error(Code::MissingKey, span, format!("{} needs `{}`", table.name, key.name)).help(format!(
                        "`{}`: {}",
                        key.name,
                        lower_first(key.doc.split(". ").next().unwrap_or(key.doc))
                    )),
                );
            }
        }
        Some(fields)
    }

    /// Reports a key that is not in the table: another tool's word, a key of another place, or a slip.
    pub(crate) fn unknown_key(&mut self, key: &Spanned<String>, table: &Table, at: Option<Where>) {
        let unknown = |help: String| {
            Diagnostic::error(Code::UnknownKey, key.span, format!("unknown key `{}` in {}", key.value, table.name)).help(help)
        };
        if let Some(alias) = at.and_then(|at| keys::find_alias(at, &key.value)) {
            self.out.push(unknown(alias.help.to_owned()));
            return;
        }
        let elsewhere: Vec<&str> = unique(keys::tables_beside(table, &key.value).map(|t| t.name));
        if !elsewhere.is_empty() {
            self.out.push(
                Diagnostic::error(Code::NotAllowedHere, key.span, format!("`{}` means nothing in {}", key.value, table.name))
                    .help(format!("it belongs to {}", elsewhere.join(" or to "))),
            );
            return;
        }
        let help = match nearest(&key.value, table.names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("allowed here: {}", table.names().collect::<Vec<_>>().join(", ")),
        };
        self.out.push(unknown(help));
    }
}

/// Names in backticks.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut out: Vec<&str> = Vec::new();
    for name in names {
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

/// A sentence as the rest of another one.
pub(crate) fn lower_first(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    match chars.next() {
        Some(c) if !text.starts_with('`') => c.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}
