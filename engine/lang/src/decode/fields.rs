//! The entries of a map, held against its table of keys.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::node::Node;
use runbook_core::span::{Span, Spanned};
use runbook_core::suggest::nearest;

use super::Reader;
use crate::keys::{self, Shape, Table, Where};

/// A map's entries.
#[derive(Clone)]
pub(crate) struct Fields<'n> {
    /// The map.
    pub(crate) node: &'n Node,
    /// Its entries.
    pub(crate) entries: &'n [(Spanned<String>, Node)],
    /// Legal keys with the entries that are meant as such, but are written otherwise. They have been reported; what is inside them is
    /// still looked at, so that all mistakes of a file are told at once.
    meant: Vec<(&'static str, usize)>,
}

impl<'n> Fields<'n> {
    /// The entries of a map.
    pub(crate) fn new(node: &'n Node) -> Self {
        Fields { node, entries: node.as_map().unwrap_or(&[]), meant: Vec::new() }
    }

    /// Takes the entry with this key for one that is legal, unless that is there too.
    pub(crate) fn mean(&mut self, written: &Spanned<String>, legal: &'static str) {
        let at = self.entries.iter().position(|(k, _)| k.span == written.span);
        if let Some(at) = at.filter(|_| self.entry(legal).is_none()) {
            self.meant.push((legal, at));
        }
    }

    /// The value of a key; nothing (`key:`) counts as left out.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.entry(name).map(|(_, v)| v).filter(|v| !v.is_null())
    }

    /// Key and value, even if the value is nothing.
    pub(crate) fn entry(&self, name: &str) -> Option<(&'n Spanned<String>, &'n Node)> {
        self.exact(name).or_else(|| {
            let (_, at) = self.meant.iter().find(|(legal, _)| *legal == name)?;
            self.entries.get(*at).map(|(k, v)| (k, v))
        })
    }

    /// Key and value of a key that is written as it should be.
    pub(crate) fn exact(&self, name: &str) -> Option<(&'n Spanned<String>, &'n Node)> {
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
        let at = at.or_else(|| Where::of(table));
        let mut fields = Fields::new(node);
        for (key, value) in entries {
            if table.get(&key.value).is_none()
                && let Some(legal) = self.unknown_key(key, value, table, at)
            {
                fields.mean(key, legal);
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

    /// Reports a key that is not in the table: another tool's word, a key of another place, or a slip. Gives the key that is meant, if its
    /// value can be read as that key's.
    pub(crate) fn unknown_key(
        &mut self,
        key: &Spanned<String>,
        value: &Node,
        table: &Table,
        at: Option<Where>,
    ) -> Option<&'static str> {
        // As many mistakes of the file are listed as are: this one is only counted.
        if self.out.is_full() {
            self.out.push(Diagnostic::error(Code::UnknownKey, key.span, ""));
            return None;
        }
        let unknown = |help: String| {
            Diagnostic::error(Code::UnknownKey, key.span, format!("unknown key `{}` in {}", key.value, table.name)).help(help)
        };
        let at = at.or_else(|| Where::of(table));
        if let Some(alias) = at.and_then(|at| keys::find_alias(at, &key.value)) {
            self.out.push(unknown(alias.say(plain(value))));
            return alias.key.filter(|k| table.get(k).is_some_and(|k| fits(&k.shape, value)));
        }
        let near = nearest(&key.value, table.names());
        let elsewhere: Vec<&str> = unique(keys::tables_beside(table, &key.value).map(|t| t.name));
        if !elsewhere.is_empty() {
            self.out.push(
                Diagnostic::error(Code::NotAllowedHere, key.span, format!("`{}` means nothing in {}", key.value, table.name))
                    .help(format!("it belongs to {}", elsewhere.join(" or to "))),
            );
            return None;
        }
        self.out.push(unknown(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("allowed here: {}", table.names().collect::<Vec<_>>().join(", ")),
        }));
        table.keys.iter().map(|k| k.name).find(|n| near == Some(n))
    }
}

/// Whether a value has the form of a key's value, so that reading it as such says something.
pub(crate) fn fits(shape: &Shape, value: &Node) -> bool {
    let (map, list) = (value.as_map().is_some(), value.as_list().is_some());
    match shape {
        Shape::Text
        | Shape::Template
        | Shape::Expr
        | Shape::Bool
        | Shape::Int
        | Shape::Number
        | Shape::Duration
        | Shape::Word(_) => !map && !list && !value.is_null(),
        Shape::Exprs => !map,
        Shape::Texts | Shape::Steps | Shape::Checks | Shape::ListOf(_) => list,
        Shape::Templates | Shape::Table(_) | Shape::MapOf(_) => map,
        _ => true,
    }
}

/// The text of a scalar, for repeating it in a help line.
pub(crate) fn plain(node: &Node) -> Option<&str> {
    node.as_scalar().map(|s| s.text.as_str())
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
