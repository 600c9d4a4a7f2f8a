//! Laying one tree over another: profiles over a system, a service over the defaults.

use runbook_core::node::{Node, NodeKind};

/// `over` laid over `base`, maps entry by entry at every depth; anything else replaces.
pub(crate) fn lay(base: &Node, over: &Node) -> Node {
    merge(base, over, &|_| true, true)
}

/// A service's entry over the defaults: keys replace, except that the maps under `merged` are laid over entry by entry.
pub(crate) fn entry(defaults: &Node, own: &Node, merged: &[&str]) -> Node {
    merge(defaults, own, &|key| merged.contains(&key), false)
}

fn merge(base: &Node, over: &Node, descend: &dyn Fn(&str) -> bool, deep: bool) -> Node {
    let (NodeKind::Map(below), NodeKind::Map(above)) = (&base.kind, &over.kind) else { return over.clone() };
    let mut entries = below.clone();
    for (key, value) in above {
        match entries.iter_mut().find(|(k, _)| k.value == key.value) {
            Some((k, old)) => {
                *k = key.clone();
                *old = if deep {
                    merge(old, value, descend, true)
                } else if descend(&key.value) {
                    merge(old, value, &|_| false, false)
                } else {
                    value.clone()
                };
            }
            None => entries.push((key.clone(), value.clone())),
        }
    }
    // The place of the whole stays that of the tree that was laid over, or that of the base if nothing was there.
    Node { span: if above.is_empty() { base.span } else { over.span }, kind: NodeKind::Map(entries) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_core::diagnostic::Diagnostics;
    use runbook_core::span::SourceMap;

    fn node(text: &str) -> Node {
        let id = SourceMap::default().add("a", text);
        crate::yaml::read(text, id, &mut Diagnostics::default()).root.expect(text)
    }

    fn shown(node: &Node) -> String {
        match &node.kind {
            NodeKind::Map(e) => {
                format!("{{{}}}", e.iter().map(|(k, v)| format!("{}: {}", k.value, shown(v))).collect::<Vec<_>>().join(", "))
            }
            NodeKind::List(l) => format!("[{}]", l.iter().map(shown).collect::<Vec<_>>().join(", ")),
            NodeKind::Scalar(s) => s.text.clone(),
        }
    }

    #[test]
    fn maps_are_laid_over_maps() {
        let base = node("{a: {b: 1, c: {d: 2}}, e: [1]}");
        assert_eq!(shown(&lay(&base, &node("{a: {c: {f: 3}}, e: [2]}"))), "{a: {b: 1, c: {d: 2, f: 3}}, e: [2]}");
        let defaults = node("{port: 1, stop: {signal: TERM, grace: 5s}, ready: {http: a, expect: b}}");
        let own = node("{stop: {grace: 1s}, ready: {port: 3}}");
        assert_eq!(shown(&entry(&defaults, &own, &["stop"])), "{port: 1, stop: {signal: TERM, grace: 1s}, ready: {port: 3}}");
    }
}
