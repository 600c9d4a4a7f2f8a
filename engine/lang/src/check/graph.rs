//! Cycles: of `needs` in a `parallel`, of services, and of playbooks that play each other.

use indexmap::IndexMap;
use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics};
use runbook_core::model::{Body, Unit};
use runbook_core::span::Span;

use crate::{decode, walk};

/// An edge: from one node to another, and where it is written.
pub(crate) type Edges = Vec<Vec<(usize, Span)>>;

/// One cycle for each knot of nodes that lead back to themselves: the nodes in order, each with the edge that leaves it.
pub(crate) fn cycles(edges: &Edges) -> Vec<Vec<(usize, Span)>> {
    // What remains after taking out, again and again, every node without an edge to one that remains, leads to a cycle.
    let n = edges.len();
    let mut incoming: Vec<Vec<usize>> = vec![Vec::new(); n];
    let mut out_degree: Vec<usize> = vec![0; n];
    for (from, to) in edges.iter().enumerate() {
        for (to, _) in to.iter().filter(|(t, _)| *t < n) {
            incoming[*to].push(from);
            out_degree[from] += 1;
        }
    }
    let mut done: Vec<bool> = vec![false; n];
    let mut todo: Vec<usize> = (0..n).filter(|i| out_degree[*i] == 0).collect();
    while let Some(at) = todo.pop() {
        done[at] = true;
        for from in &incoming[at] {
            out_degree[*from] -= 1;
            if out_degree[*from] == 0 {
                todo.push(*from);
            }
        }
    }
    let mut out = Vec::new();
    for start in 0..n {
        if done[start] {
            continue;
        }
        // Every node that is left has an edge to another one that is left: following them comes around.
        let mut path: Vec<(usize, Span)> = Vec::new();
        let mut place: std::collections::HashMap<usize, usize> = std::collections::HashMap::new();
        let mut at = start;
        let cycle = loop {
            if let Some(i) = place.get(&at) {
                break path.split_off(*i);
            }
            let Some((to, span)) = edges[at].iter().find(|(t, _)| *t < n && !done[*t]) else { break Vec::new() };
            place.insert(at, path.len());
            path.push((at, *span));
            at = *to;
        };
        for (node, _) in path.iter().chain(&cycle) {
            done[*node] = true;
        }
        if !cycle.is_empty() {
            out.push(cycle);
        }
    }
    out
}

/// The longest cycle that is written out.
const SHOWN: usize = 64;

/// The diagnostic for a cycle.
pub(crate) fn report(cycle: &[(usize, Span)], name: &dyn Fn(usize) -> String, verb: &str, help: &str) -> Option<Diagnostic> {
    let (first, span) = cycle.first()?;
    let mut names: Vec<String> = cycle.iter().take(SHOWN).map(|(i, _)| name(*i)).collect();
    if cycle.len() > SHOWN {
        names.push(format!("... ({} in all)", cycle.len()));
    }
    names.push(name(*first));
    let message = match cycle {
        [_] => format!("`{}` {verb} itself", names[0]),
        _ => format!("a cycle: {}", names.join(" → ")),
    };
    let mut diagnostic = Diagnostic::error(Code::Cycle, *span, message).help(help);
    for (i, (node, span)) in cycle.iter().enumerate().take(SHOWN).skip(1) {
        diagnostic = diagnostic.also(*span, format!("`{}` {verb} `{}`", name(*node), names[i + 1]));
    }
    Some(diagnostic)
}

/// Who plays whom, by the place in `units`.
fn play_edges(units: &IndexMap<String, Unit>, plays: &IndexMap<(String, String), String>) -> Edges {
    let mut edges: Edges = vec![Vec::new(); units.len()];
    for (from, (full, unit)) in units.iter().enumerate() {
        for list in decode::walked(&unit.playbook) {
            walk::each_step(list, &mut |step| {
                if let Body::Play { name, .. } = &step.body
                    && let Some(to) = plays.get(&(full.clone(), name.value.clone())).and_then(|f| units.get_index_of(f))
                {
                    edges[from].push((to, name.span));
                }
            });
        }
    }
    edges
}

/// Reports playbooks that play each other in a circle.
pub(crate) fn play_cycles(units: &IndexMap<String, Unit>, plays: &IndexMap<(String, String), String>, out: &mut Diagnostics) {
    let name = |i: usize| units.get_index(i).map(|(n, _)| n.clone()).unwrap_or_default();
    for cycle in cycles(&play_edges(units, plays)) {
        out.extend(report(&cycle, &name, "plays", "a playbook that plays itself never ends: repeat with `for_each` or `retry`"));
    }
}

/// How deep playbooks may play each other.
const MAX_PLAYS: usize = 16;

/// For each node the length of the longest way that begins there; `None` where that leads into a cycle.
fn depths(edges: &Edges) -> Vec<Option<usize>> {
    let mut depths: Vec<Option<usize>> = vec![None; edges.len()];
    let mut incoming: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    let mut open: Vec<usize> = edges.iter().map(Vec::len).collect();
    for (from, to) in edges.iter().enumerate() {
        to.iter().for_each(|(t, _)| incoming[*t].push(from));
    }
    let mut todo: Vec<usize> = (0..edges.len()).filter(|i| open[*i] == 0).collect();
    while let Some(at) = todo.pop() {
        depths[at] = Some(edges[at].iter().filter_map(|(t, _)| depths[*t]).max().map_or(0, |d| d + 1));
        for from in &incoming[at] {
            open[*from] -= 1;
            if open[*from] == 0 {
                todo.push(*from);
            }
        }
    }
    depths
}

/// Reports playbooks that play each other deeper than allowed, once for each that is played by none such.
pub(crate) fn play_depth(units: &IndexMap<String, Unit>, plays: &IndexMap<(String, String), String>, out: &mut Diagnostics) {
    let edges = play_edges(units, plays);
    let depths = depths(&edges);
    let deep = |i: usize| depths[i].is_some_and(|d| d > MAX_PLAYS);
    let played: std::collections::HashSet<usize> =
        edges.iter().enumerate().filter(|(i, _)| deep(*i)).flat_map(|(_, to)| to.iter().map(|(t, _)| *t)).collect();
    for start in (0..edges.len()).filter(|i| deep(*i) && !played.contains(i)) {
        let (mut at, mut first, mut names) = (start, None, Vec::new());
        while let Some((next, span)) = edges[at].iter().max_by_key(|(t, _)| depths[*t]) {
            first.get_or_insert(*span);
            names.extend(units.get_index(at).map(|(n, _)| n.as_str()));
            at = *next;
        }
        names.extend(units.get_index(at).map(|(n, _)| n.as_str()));
        let Some(span) = first else { continue };
        let message = format!("playbooks play each other {} deep; {MAX_PLAYS} is the limit", names.len() - 1);
        let shown: Vec<&str> = names.iter().copied().take(4).collect();
        let help = format!("play them one after the other: {} → ... → {}", shown.join(" → "), names[names.len() - 1]);
        out.push(Diagnostic::error(Code::TooDeep, span, message).help(help));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(edges: &[&[usize]]) -> Vec<Vec<usize>> {
        let edges: Edges = edges.iter().map(|e| e.iter().map(|t| (*t, Span::default())).collect()).collect();
        cycles(&edges).into_iter().map(|c| c.into_iter().map(|(n, _)| n).collect()).collect()
    }

    #[test]
    fn ways_are_measured() {
        let edges: Edges = [vec![1, 2], vec![2], vec![], vec![4], vec![3], vec![4]]
            .into_iter()
            .map(|to: Vec<usize>| to.into_iter().map(|t| (t, Span::default())).collect())
            .collect();
        assert_eq!(depths(&edges), [Some(2), Some(1), Some(0), None, None, None]);
    }

    #[test]
    fn cycles_are_found_once() {
        assert!(found(&[&[1], &[2], &[]]).is_empty());
        assert_eq!(found(&[&[0]]), [[0]]);
        assert_eq!(found(&[&[1], &[2], &[1]]), [[1, 2]]);
        assert_eq!(found(&[&[1], &[0], &[3], &[2]]), [[0, 1], [2, 3]]);
        let long: Vec<Vec<usize>> = (0..10_000).map(|i| vec![(i + 1) % 10_000]).collect();
        let long: Vec<&[usize]> = long.iter().map(Vec::as_slice).collect();
        assert_eq!(found(&long)[0].len(), 10_000);
    }
}
