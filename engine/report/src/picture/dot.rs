//! A picture in the language of Graphviz.

use std::fmt::Write;

use super::{Edge, EdgeKind, Kind, Node, Picture};
use crate::sanitize::sanitize_line;

/// The colours of a class: fill and border.
fn colors(kind: Kind) -> (&'static str, &'static str) {
    match kind.class() {
        "change" | "warning" => ("#fff3d6", "#9a6700"),
        "destroy" | "critical" | "fail" => ("#ffe3e0", "#b3261e"),
        "person" => ("#efe7fb", "#6b4fa0"),
        "question" => ("#e3eefc", "#2f66b3"),
        "stop" | "info" => ("#e3f4e6", "#2e7d43"),
        _ => ("#eef2f7", "#5b6b7f"),
    }
}

impl Picture {
    /// The picture as a graph for `dot`. Names are generated and labels quoted.
    pub fn dot(&self) -> String {
        let mut out = String::from("digraph playbook {\n");
        let _ = writeln!(
            out,
            "    graph [label={}, labelloc=t, compound=true, rankdir=TB, fontname=\"sans-serif\"];",
            quote(&[self.name.as_str(), self.title.as_str()])
        );
        out.push_str("    node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=11];\n");
        out.push_str("    edge [fontname=\"sans-serif\", fontsize=10];\n");
        let children = self.children();
        self.dot_level(&children[self.nodes.len()], &children, 1, &mut out);
        for Edge { from, to, label, kind } in &self.edges {
            let mut attributes = Vec::new();
            if !label.is_empty() {
                attributes.push(format!("label={}", quote(&[label])));
            }
            if kind.is_broken() {
                attributes.push("style=dashed".to_owned());
            }
            if *kind == EdgeKind::Goto {
                attributes.push("constraint=false".to_owned());
            }
            // An edge ends at a node; that it means the whole group is said beside it.
            let (tail, head) = (last_inside(*from, &children), first_inside(*to, &children));
            if tail != *from {
                attributes.push(format!("ltail=cluster_n{}", from + 1));
            }
            if head != *to {
                attributes.push(format!("lhead=cluster_n{}", to + 1));
            }
            let attributes = if attributes.is_empty() { String::new() } else { format!(" [{}]", attributes.join(", ")) };
            let _ = writeln!(out, "    n{} -> n{}{attributes};", tail + 1, head + 1);
        }
        out.push_str("}\n");
        out
    }

    fn dot_level(&self, nodes: &[usize], children: &[Vec<usize>], depth: usize, out: &mut String) {
        let indent = "    ".repeat(depth.min(16));
        for &at in nodes {
            let node = &self.nodes[at];
            if !children[at].is_empty() {
                let _ = writeln!(out, "{indent}subgraph cluster_n{} {{", at + 1);
                let _ = writeln!(out, "{indent}    label={};", quote(&lines(node)));
                let _ = writeln!(out, "{indent}    style=\"rounded,dashed\"; color=\"#5b6b7f\"; labeljust=l; fontsize=11;");
                self.dot_level(&children[at], children, depth + 1, out);
                let _ = writeln!(out, "{indent}}}");
                continue;
            }
            let (fill, border) = colors(node.kind);
            let shape = match node.kind {
                Kind::Question => ", shape=hexagon, style=filled",
                Kind::Play(_) => ", peripheries=2",
                _ => "",
            };
            let _ = writeln!(
                out,
                "{indent}n{} [label={}, fillcolor=\"{fill}\", color=\"{border}\"{shape}];",
                at + 1,
                quote(&lines(node))
            );
        }
    }
}

fn first_inside(node: usize, children: &[Vec<usize>]) -> usize {
    children[node].first().map_or(node, |c| first_inside(*c, children))
}

fn last_inside(node: usize, children: &[Vec<usize>]) -> usize {
    children[node].last().map_or(node, |c| last_inside(*c, children))
}

fn lines(node: &Node) -> Vec<String> {
    let name = match node.number.as_str() {
        "" => node.label.clone(),
        number => format!("{number} {}", node.label),
    };
    let about = [node.word.as_str(), node.what.as_str()].iter().copied().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(": ");
    [name, about].into_iter().chain(node.notes.iter().cloned()).filter(|l| !l.is_empty()).collect()
}

/// The longest line of a label, in characters.
const WIDE: usize = 48;

/// Lines as one quoted label.
fn quote<T: AsRef<str>>(lines: &[T]) -> String {
    let mut out = String::from("\"");
    let wrapped = lines.iter().flat_map(|l| crate::ink::wrap(&sanitize_line(l.as_ref()), WIDE));
    for (i, line) in wrapped.enumerate() {
        if i > 0 {
            out.push_str("\\n");
        }
        for c in line.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                // Graphviz reads entities in labels.
                '&' => out.push_str("&amp;"),
                c => out.push(c),
            }
        }
    }
    out.push('"');
    out
}
