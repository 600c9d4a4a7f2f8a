//! A picture as a Mermaid flowchart.

use std::fmt::Write;

use super::{Edge, Kind, Node, Picture};
use crate::sanitize::sanitize_line;

/// Mermaid draws no more edges than this unless a page allows it.
pub const MOST_EDGES: usize = 500;
/// Mermaid reads no longer text than this unless a page allows it.
pub const MOST_CHARACTERS: usize = 50_000;

/// The colours of a class, which hold on light and on dark pages: fill, border, text.
const CLASSES: &[(&str, &str)] = &[
    ("read", "fill:#eef2f7,stroke:#5b6b7f,color:#1b2430"),
    ("change", "fill:#fff3d6,stroke:#9a6700,color:#3b2a00"),
    ("destroy", "fill:#ffe3e0,stroke:#b3261e,color:#410e0b,stroke-width:3px"),
    ("person", "fill:#efe7fb,stroke:#6b4fa0,color:#2a1a4a"),
    ("fail", "fill:#ffe3e0,stroke:#b3261e,color:#410e0b"),
    ("stop", "fill:#e3f4e6,stroke:#2e7d43,color:#0f3319"),
    ("question", "fill:#e3eefc,stroke:#2f66b3,color:#0d2547"),
    ("info", "fill:#e3f4e6,stroke:#2e7d43,color:#0f3319"),
    ("warning", "fill:#fff3d6,stroke:#9a6700,color:#3b2a00"),
    ("critical", "fill:#ffe3e0,stroke:#b3261e,color:#410e0b,stroke-width:3px"),
];

impl Picture {
    /// The picture as a Mermaid flowchart. Ids are generated and labels quoted, so that no text of a playbook is read as syntax.
    pub fn mermaid(&self) -> String {
        let mut out = String::from("flowchart TD\n");
        let _ = writeln!(out, "    accTitle: {}", plain(&format!("{}: {}", self.name, self.title)));
        let _ = writeln!(out, "    accDescr: {}", plain(&self.about()));
        let children = self.children();
        self.mermaid_level(&children[self.nodes.len()], &children, 1, &mut out);
        for Edge { from, to, label, kind } in &self.edges {
            let line = if kind.is_broken() { "-.->" } else { "-->" };
            let label = if label.is_empty() { String::new() } else { format!("|\"{}\"|", escape(label)) };
            let _ = writeln!(out, "    n{} {line}{label} n{}", from + 1, to + 1);
        }
        for (class, style) in CLASSES {
            let all: Vec<String> = self
                .nodes
                .iter()
                .enumerate()
                .filter(|(i, n)| n.kind.class() == *class && children[*i].is_empty())
                .map(|(i, _)| format!("n{}", i + 1))
                .collect();
            if !all.is_empty() {
                let _ = writeln!(out, "    classDef {class} {style}\n    class {} {class}", all.join(","));
            }
        }
        out
    }

    fn mermaid_level(&self, nodes: &[usize], children: &[Vec<usize>], depth: usize, out: &mut String) {
        let indent = "    ".repeat(depth.min(16));
        for &at in nodes {
            let node = &self.nodes[at];
            let id = format!("n{}", at + 1);
            if matches!(node.kind, Kind::Group(_)) && !children[at].is_empty() {
                let _ = writeln!(out, "{indent}subgraph {id}[\"{}\"]", label(node));
                self.mermaid_level(&children[at], children, depth + 1, out);
                let _ = writeln!(out, "{indent}end");
                continue;
            }
            let (open, close) = match node.kind {
                Kind::Question => ("{{\"", "\"}}"),
                Kind::Finding(_) | Kind::Stop | Kind::Fail => ("([\"", "\"])"),
                Kind::Play(_) => ("[[\"", "\"]]"),
                Kind::Person => ("[/\"", "\"/]"),
                _ => ("[\"", "\"]"),
            };
            let _ = writeln!(out, "{indent}{id}{open}{}{close}", label(node));
        }
    }
}

/// The lines of a node: its name, what it is and runs, what is to be known.
fn label(node: &Node) -> String {
    let name = match node.number.as_str() {
        "" => node.label.clone(),
        number => format!("{number} {}", node.label),
    };
    let about = [node.word.as_str(), node.what.as_str()].iter().copied().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(": ");
    let lines = [name, about];
    let lines = lines.iter().chain(&node.notes).filter(|l| !l.is_empty());
    let narrow = lines.flat_map(|l| crate::ink::wrap(&sanitize_line(l), WIDE));
    narrow.map(|l| escape(&l)).collect::<Vec<_>>().join("<br>")
}

/// The longest line of a label, in columns; Mermaid does not break long words.
const WIDE: usize = 56;

/// A character that is not seen and keeps what is beside it from being read as Markdown.
const JOINER: char = '\u{2060}';

/// A text inside of quotes. What means something to Mermaid or to HTML becomes an entity. Entities do not keep Mermaid from reading
/// Markdown in a label, half of which it then refuses to draw: such marks are drawn by a character that looks the same, or broken up.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = sanitize_line(text);
    // What begins like an item of a list or a heading.
    if text.starts_with(['-', '+', '#']) {
        out.push(JOINER);
    }
    let listed = begins_with_number(&text);
    for (at, c) in text.char_indices() {
        let rest = &text[at + c.len_utf8()..];
        match c {
            '"' => out.push_str("#quot;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '#' => out.push_str("#35;"),
            '`' => out.push('\''),
            '*' => out.push('\u{2217}'),
            // Emphasis and mail addresses.
            '~' => out.push('\u{223c}'),
            '_' | '@' => out.extend([JOINER, c, JOINER]),
            '\\' => out.extend([c, JOINER]),
            ':' if rest.starts_with("//") => out.extend([c, JOINER]),
            ']' if rest.starts_with('(') => out.extend([c, JOINER]),
            '.' if text[..at].ends_with("www") => out.extend([JOINER, c]),
            '.' | ')' if listed == Some(at) => out.extend([JOINER, c]),
            c => out.push(c),
        }
    }
    if out.trim().is_empty() { " ".to_owned() } else { out }
}

/// Where the point or bracket stands in a text that begins like an item of a numbered list: `1. ` or `2) `.
fn begins_with_number(text: &str) -> Option<usize> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.len() && rest.starts_with(['.', ')'])).then_some(text.len() - rest.len())
}

/// A text on a line of its own, where there are no quotes to put around it.
fn plain(text: &str) -> String {
    let keep = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '.' | ',' | ':' | '/' | '\'' | '(' | ')' | '?');
    sanitize_line(text).chars().map(|c| if keep(c) { c } else { ' ' }).collect::<String>().trim().to_owned()
}
