//! A part of a picture: from one node on, or down to some depth.

use std::collections::HashSet;

use super::{Entry, Limb, Picture};

/// No node of a picture has this id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchNode {
    /// The id that is nearest, if one is near.
    pub nearest: Option<String>,
}

impl Picture {
    /// The picture of the node `root` with what hangs below it, or of all, down to so many levels.
    ///
    /// # Errors
    /// No node has that id or number.
    pub fn cut(mut self, root: Option<&str>, depth: Option<usize>) -> Result<Picture, NoSuchNode> {
        if let Some(id) = root {
            let found = self.nodes.iter().position(|n| n.id == id).or_else(|| self.nodes.iter().position(|n| n.number == id));
            let Some(found) = found else {
                let ids = self.nodes.iter().map(|n| n.id.as_str());
                return Err(NoSuchNode { nearest: runbook_core::suggest::nearest(id, ids).map(str::to_owned) });
            };
            if let Some(entry) = take(&mut self.outline, found) {
                self.outline = vec![entry];
            }
            self.keep_outlined();
        }
        if let Some(depth) = depth {
            let mut outline = std::mem::take(&mut self.outline);
            shorten(&mut outline, depth.max(1));
            self.outline = outline;
            self.keep_outlined();
        }
        Ok(self)
    }

    /// Drops the nodes that the outline no longer has, and notes how many were cut off where.
    fn keep_outlined(&mut self) {
        let mut kept = Vec::new();
        let mut cut = vec![0; self.nodes.len()];
        each(&self.outline, None, &mut |entry, parent| match entry {
            Entry::Node { node, .. } => kept.push(*node),
            Entry::Cut(n) => {
                if let Some(parent) = parent {
                    cut[parent] += n;
                }
            }
            _ => {}
        });
        // The ends of a tree stand in no outline: they are kept with the question that leads to them.
        let mut is_kept = vec![false; self.nodes.len()];
        kept.iter().for_each(|n: &usize| is_kept[*n] = true);
        for edge in &self.edges {
            if is_kept[edge.from] && !is_kept[edge.to] && self.nodes[edge.to].is_end() {
                is_kept[edge.to] = true;
                kept.push(edge.to);
            }
        }
        let places: Vec<Option<usize>> = {
            let mut places = vec![None; self.nodes.len()];
            for (new, old) in kept.iter().enumerate() {
                places[*old] = Some(new);
            }
            places
        };
        // An answer that leads out of this part says where.
        for edge in &self.edges {
            if places[edge.from].is_some() && places[edge.to].is_none() && !edge.label.is_empty() && cut[edge.from] == 0 {
                let to = self.nodes[edge.to].name();
                self.nodes[edge.from].notes.push(format!("{}: {to}, which is not in this part", edge.label));
            }
        }
        let mut nodes = Vec::with_capacity(kept.len());
        for old in &kept {
            let mut node = std::mem::take(&mut self.nodes[*old]);
            node.group = node.group.and_then(|g| places[g]);
            if cut[*old] > 0 {
                node.notes.push(format!("{} more below", cut[*old]));
            }
            nodes.push(node);
        }
        self.nodes = nodes;
        self.edges.retain_mut(|edge| match (places[edge.from], places[edge.to]) {
            (Some(from), Some(to)) => {
                (edge.from, edge.to) = (from, to);
                true
            }
            _ => false,
        });
        renumber(&mut self.outline, &places);
    }
}

/// Calls `f` for every entry with the node that it hangs below, parents first.
pub(super) fn each<'a>(entries: &'a [Entry], parent: Option<usize>, f: &mut dyn FnMut(&'a Entry, Option<usize>)) {
    for entry in entries {
        f(entry, parent);
        if let Entry::Node { node, limbs } = entry {
            limbs.iter().for_each(|l| each(&l.entries, Some(*node), f));
        }
    }
}

/// Takes the entry of a node out of an outline.
fn take(entries: &mut Vec<Entry>, wanted: usize) -> Option<Entry> {
    if let Some(at) = entries.iter().position(|e| matches!(e, Entry::Node { node, .. } if *node == wanted)) {
        return Some(entries.swap_remove(at));
    }
    entries.iter_mut().find_map(|entry| match entry {
        Entry::Node { limbs, .. } => limbs.iter_mut().find_map(|l| take(&mut l.entries, wanted)),
        _ => None,
    })
}

/// Cuts an outline below a depth.
fn shorten(entries: &mut [Entry], depth: usize) {
    for entry in entries {
        let Entry::Node { limbs, .. } = entry else { continue };
        if depth > 1 {
            limbs.iter_mut().for_each(|l| shorten(&mut l.entries, depth - 1));
            continue;
        }
        let mut nodes = HashSet::new();
        for limb in limbs.iter() {
            each(&limb.entries, None, &mut |e, _| {
                if let Entry::Node { node, .. } = e {
                    nodes.insert(*node);
                }
            });
        }
        if !nodes.is_empty() {
            *limbs = vec![Limb { label: String::new(), entries: vec![Entry::Cut(nodes.len())] }];
        }
    }
}

/// Gives the entries the new places of their nodes; what led to a node that is gone goes.
fn renumber(entries: &mut Vec<Entry>, places: &[Option<usize>]) {
    entries.retain_mut(|entry| match entry {
        Entry::See(node) | Entry::GoOn(Some(node)) => match places[*node] {
            Some(new) => {
                *node = new;
                true
            }
            None => false,
        },
        Entry::Node { node, limbs } => {
            limbs.iter_mut().for_each(|l| renumber(&mut l.entries, places));
            limbs.retain(|l| !l.entries.is_empty());
            if let Some(new) = places[*node] {
                *node = new;
            }
            true
        }
        Entry::GoOn(None) | Entry::Cut(_) => true,
    });
}
