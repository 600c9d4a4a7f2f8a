//! One layout for every file, without changing what it says.
//!
//! A text that can be read is taken apart into a tree that knows how everything is written and where the comments stand (`tree.rs`), and is
//! written again (`write.rs`, `node.rs`, `flow.rs`, `scalar.rs`, `out.rs`). What comes out is read once more and compared with what went in
//! (`same.rs`): nothing that says something else ever leaves this module. The layout is described in `docs/design/formatting.md`.

mod flow;
mod gap;
mod node;
mod out;
mod same;
mod scalar;
mod tree;
mod write;

use std::sync::Arc;

use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics, Severity};
use runbook_core::node::{Node, ScalarValue};
use runbook_core::span::{SourceMap, Span};

use crate::load::Failed;
use crate::{allow, text, yaml};

/// Why a text was not formatted.
#[derive(Clone, Debug)]
pub enum NotFormatted {
    /// It is not what playbooks are written in.
    Broken(Failed),
    /// The new text would not have said the same: a mistake of this program.
    Unsafe(String),
}

/// The bytes of a file in the one layout. `name` is what it is called in diagnostics.
///
/// # Errors
/// A text that cannot be read, with its mistakes; or one that this program does not know how to lay out.
pub fn format(name: &str, bytes: &[u8]) -> Result<String, NotFormatted> {
    let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
    let id = text::accept(name, bytes, &mut sources, &mut out);
    let content = id.and_then(|id| sources.get(id)).map(|s| s.text.clone());
    if let (Some(id), Some(content)) = (id, &content) {
        // Only the mistakes are of interest; the tree is large.
        let root = yaml::read(content, id, &mut out).root;
        // No file of ours is text alone. A mark that such text begins with, or one behind it, would mean something else in another place.
        let marked = |text: &str| {
            let begins = |t: &str| t.starts_with("---") || t.starts_with("...");
            begins(text) || content.lines().any(|line| line.starts_with("..."))
        };
        let alone = root.as_ref().and_then(Node::as_scalar).filter(|s| s.value != ScalarValue::Null);
        if let Some(scalar) = alone.filter(|s| marked(&s.text)) {
            let message = format!("a playbook is a map, found the text `{}`", scalar.text.chars().take(20).collect::<String>());
            out.push(
                Diagnostic::error(Code::WrongType, Span::new(id, 0, 0), message)
                    .help("begin with `playbook: WHAT IT DOES` and `steps:`"),
            );
        }
        drop(root);
        // Without a line end behind it the YAML reader takes the mark for text.
        let said = content.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        if said.eq(["---"]) {
            out.push(
                Diagnostic::error(Code::EmptyFile, Span::new(id, 0, 0), "the file says nothing")
                    .help("a playbook begins with `playbook: WHAT IT DOES` and `steps:`"),
            );
        }
    }
    let (Some(id), false) = (id, out.has_errors()) else {
        let diagnostics = out.into_sorted().into_iter().filter(|d| d.severity == Severity::Error).collect();
        return Err(NotFormatted::Broken(Failed { diagnostics, sources: Arc::new(sources) }));
    };
    // What other readers take for no text is quoted, unless the author said that it may stand.
    let mut ambiguous: Vec<usize> = allow::silence(out.into_sorted(), &sources, &[])
        .into_iter()
        .filter(|d| d.code == Code::AmbiguousScalar)
        .filter_map(|d| d.span)
        .map(|s| s.start as usize)
        .collect();
    ambiguous.sort_unstable();
    let Some(source) = sources.get(id) else { return Err(NotFormatted::Unsafe("the text is lost".to_owned())) };
    let written = tree::read(source).ok_or_else(|| NotFormatted::Unsafe("the text cannot be read twice".to_owned()))?;
    let new = write::write(source, &written, &ambiguous);
    match same::difference(&source.text, &new) {
        None => Ok(new),
        Some(what) => Err(NotFormatted::Unsafe(what)),
    }
}

#[cfg(test)]
mod props;
#[cfg(test)]
mod tests;
