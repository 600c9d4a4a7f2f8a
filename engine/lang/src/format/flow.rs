//! Lists and maps on one line.

use super::scalar;
use super::tree::{Entry, Kind, Node, Style};
use super::write::Writer;

/// How wide a line may become by what is put on it. Text that the author wrote wider stays as it is.
pub(super) const WIDTH: usize = 130;

/// A key that is longer is written with `?`; YAML wants to know within 1024 characters whether a key is one.
const LONG_KEY: usize = 1000;

impl Writer<'_> {
    /// A node on one line with its anchor, as [`Writer::body`] writes it.
    fn one_line(&self, node: &Node, room: usize) -> Option<String> {
        let body = self.body(node, room)?;
        Some(match node.anchor {
            Some((start, end)) if body.is_empty() => self.text[start..end].to_owned(),
            Some((start, end)) => format!("{} {body}", &self.text[start..end]),
            None => body,
        })
    }

    /// A node on one line, of at most `room` characters if it is a list or map. `None` if it cannot be: it is too long, holds a comment, a
    /// block, or a line break that no single line can say.
    pub(super) fn body(&self, node: &Node, room: usize) -> Option<String> {
        let mut out = String::new();
        match &node.kind {
            Kind::Empty => {}
            Kind::Alias => out.push_str(&self.text[node.start..node.end]),
            Kind::Line => out.push_str(&self.line_text(node)),
            Kind::Lines(style, decoded) => out.push_str(&scalar::one_line(decoded, *style)?),
            Kind::Block(..) | Kind::List(Style::Block(_), _) | Kind::Map(Style::Block(_), _) => return None,
            Kind::List(..) | Kind::Map(..) if self.holds_comment(node) => return None,
            Kind::List(..) | Kind::Map(..) if self.is_far_too_long(node, room) => return None,
            Kind::List(_, items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { ", " });
                    self.add(&mut out, &item.node, room)?;
                }
                out.push(']');
            }
            Kind::Map(Style::Pair, entries) => {
                for entry in entries {
                    self.add_entry(&mut out, entry, room)?;
                    // Without a value, a bracket or comma would stand right behind the colon.
                    out.push_str(match (out.ends_with(':'), entry.colon) {
                        (true, _) => " ",
                        (false, true) => "",
                        (false, false) => ": ",
                    });
                }
            }
            Kind::Map(_, entries) if entries.is_empty() => out.push_str("{}"),
            Kind::Map(_, entries) => {
                out.push('{');
                for (i, entry) in entries.iter().enumerate() {
                    out.push_str(match (i, out.ends_with(':')) {
                        (0, _) => " ",
                        (_, true) => " , ",
                        (_, false) => ", ",
                    });
                    self.add_entry(&mut out, entry, room)?;
                }
                out.push_str(" }");
            }
        }
        Some(out)
    }

    /// Whether a list or map is so long that trying to write it would be in vain: what is written shrinks by its white space, and a little
    /// by escapes. Without this, each of many nested ones would be tried in turn.
    fn is_far_too_long(&self, node: &Node, room: usize) -> bool {
        let most = room.saturating_mul(2).saturating_add(16);
        self.text[node.start..node.end].chars().filter(|c| !c.is_whitespace()).take(most.saturating_add(1)).count() > most
    }

    fn add(&self, out: &mut String, node: &Node, room: usize) -> Option<()> {
        let used = out.chars().count();
        let text = self.one_line(node, room.checked_sub(used)?)?;
        out.push_str(&text);
        (out.chars().count() <= room).then_some(())
    }

    fn add_entry(&self, out: &mut String, entry: &Entry, room: usize) -> Option<()> {
        let key = self.key(&entry.key)?;
        out.push_str(&key);
        if !entry.colon {
            return Some(());
        }
        if matches!(entry.key.kind, Kind::Alias) {
            out.push(' ');
        }
        out.push(':');
        if !matches!(entry.value.kind, Kind::Empty) || entry.value.anchor.is_some() {
            out.push(' ');
            self.add(out, &entry.value, room)?;
        }
        Some(())
    }

    /// A key that can be followed by a colon on its line; `None` for one that needs `?`.
    pub(super) fn key(&self, key: &Node) -> Option<String> {
        let text = self.one_line(key, usize::MAX)?;
        (text.chars().take(LONG_KEY + 1).count() <= LONG_KEY).then_some(text)
    }

    /// Plain or quoted text of one line, quoted if others would take it for no text.
    pub(super) fn line_text(&self, node: &Node) -> String {
        let text = &self.text[node.start..node.end];
        if self.ambiguous.binary_search(&node.start).is_ok() { format!("\"{text}\"") } else { text.to_owned() }
    }

    /// Whether a comment stands inside the brackets of a list or map.
    pub(super) fn holds_comment(&self, node: &Node) -> bool {
        let first = self.comments.partition_point(|c| c.start < node.start);
        self.comments.get(first).is_some_and(|c| c.start < node.end)
    }
}
