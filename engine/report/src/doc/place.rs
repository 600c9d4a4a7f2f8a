//! The numbers of steps: `2.1` is the first step inside the second, `V1` the first postcondition, `2.U1` what takes the second back.

use std::collections::HashMap;

use runbook_core::model::{Contents, GraphNode, Playbook, each_placed};

/// A step that others speak of.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// Its number.
    pub(super) number: String,
    /// What it is: `step`, `check`, `question`.
    pub(super) kind: &'static str,
}

/// The steps of a playbook that have an id.
pub(super) fn steps(playbook: &Playbook) -> HashMap<String, Named> {
    let mut out = HashMap::new();
    let kind = if matches!(playbook.contents, Contents::Checks(_)) { "check" } else { "step" };
    each_placed(playbook, &mut |placed| {
        if let (Some(id), Some(number)) = (&placed.step.id, number(&placed.path)) {
            out.entry(id.value.clone()).or_insert(Named { number, kind });
        }
    });
    if let Contents::Triage(tree) = &playbook.contents {
        let graph = tree.graph();
        for (at, node) in tree.nodes().into_iter().enumerate() {
            let kind = if node.leaf().is_some() { "finding" } else { "question" };
            let named = Named { number: of_node(&graph.nodes, at), kind };
            // A check has no number of its own: its question has.
            for step in node.checks() {
                out.extend(step.id.iter().map(|id| (id.value.clone(), named.clone())));
            }
            out.extend(node.id.iter().map(|id| (id.value.clone(), named.clone())));
        }
    }
    out
}

/// The number of a question or, with an F, of a finding.
pub(super) fn of_node(nodes: &[GraphNode<'_>], at: usize) -> String {
    let is_leaf = |n: &GraphNode<'_>| n.node.leaf().is_some();
    let leaf = is_leaf(&nodes[at]);
    let before = nodes[..=at].iter().filter(|n| is_leaf(n) == leaf).count();
    if leaf { format!("F{before}") } else { before.to_string() }
}

/// The number of a structural path; none inside of a tree.
pub(super) fn number(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('.') {
        let (list, index) = part.strip_suffix(']')?.split_once('[')?;
        parts.push(format!("{}{index}", letter(list)?));
    }
    Some(parts.join("."))
}

/// What stands before the numbers of a list.
pub(super) fn letter(list: &str) -> Option<&'static str> {
    match list {
        "steps" | "checks" | "block" | "parallel" => Some(""),
        "requires" => Some("R"),
        "verify" => Some("V"),
        "rescue" => Some("F"),
        "always" => Some("A"),
        "undo" => Some("U"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_numbers() {
        for (path, expected) in [
            ("steps[3]", Some("3")),
            ("steps[2].block[1].undo[1]", Some("2.1.U1")),
            ("requires[1]", Some("R1")),
            ("steps[4].parallel[3].verify[2]", Some("4.3.V2")),
            ("triage.no[2].check[1]", None),
        ] {
            assert_eq!(number(path).as_deref(), expected);
        }
    }
}
