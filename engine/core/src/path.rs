//! Structural paths: what a step is called in journals, so that parallel walks replay.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a step stands in the walk, such as `steps[3]@api-gateway.block[1]`; the run itself is empty.
///
/// `[n]` counts from 1 within a list of steps, `@key` is a loop's item, `#n` the attempt of a group or the visit of a node from the
/// second on, and `>name:` enters a played playbook. A node of a triage tree is named by the answers that lead to it: `triage.no[2]`.
/// A path never depends on what ran before or beside the step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct StepPath(Arc<str>);

impl StepPath {
    /// The path of a whole run.
    pub fn root() -> Self {
        StepPath(Arc::from(""))
    }

    /// The `n`-th step (from 0) of a list, such as `steps` or `always`.
    pub fn child(&self, list: &str, n: usize) -> Self {
        let dot = if self.0.is_empty() || self.0.ends_with(':') { "" } else { "." };
        StepPath(Arc::from(format!("{}{dot}{list}[{}]", self.0, n + 1)))
    }

    /// The pass of a loop for an item.
    pub fn item(&self, key: &str) -> Self {
        // A key is an operator's or a probe's text; what would make the path ambiguous is written out.
        let key: String = key
            .chars()
            .take(80)
            .flat_map(|c| match c {
                '.' | '[' | ']' | '@' | '#' | '>' | ':' | '%' => format!("%{:02X}", c as u32).chars().collect::<Vec<_>>(),
                c if c.is_control() => format!("%{:02X}", c as u32).chars().collect(),
                c => vec![c],
            })
            .collect();
        StepPath(Arc::from(format!("{}@{key}", self.0)))
    }

    /// A node of a triage tree by its path in the tree, such as `triage.no[2]`.
    pub fn node(&self, in_tree: &str) -> Self {
        let dot = if self.0.is_empty() || self.0.ends_with(':') { "" } else { "." };
        StepPath(Arc::from(format!("{}{dot}{in_tree}", self.0)))
    }

    /// A further attempt of a group, or a further visit of a node, from the second on.
    pub fn attempt(&self, n: u32) -> Self {
        StepPath(Arc::from(format!("{}#{n}", self.0)))
    }

    /// A played playbook.
    pub fn play(&self, name: &str) -> Self {
        StepPath(Arc::from(format!("{}>{name}:", self.0)))
    }

    /// Of the path of a played playbook, the step that plays it.
    pub fn played_by(&self) -> Option<Self> {
        let (step, _) = self.0.strip_suffix(':')?.rsplit_once('>')?;
        Some(StepPath(Arc::from(step)))
    }

    /// A named part of a step, such as `ready`.
    pub fn part(&self, name: &str) -> Self {
        StepPath(Arc::from(format!("{}.{name}", self.0)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The playbook that the step is written in, if it is a played one, and its path there without the items of loops and attempts.
    pub fn place(&self) -> (Option<&str>, String) {
        let (unit, rest) = match self.0.rsplit_once('>').and_then(|(_, rest)| rest.split_once(':')) {
            Some((unit, rest)) => (Some(unit), rest),
            None => (None, &*self.0),
        };
        let mut out = String::with_capacity(rest.len());
        let mut passing = false;
        for c in rest.chars() {
            match c {
                '@' | '#' => passing = true,
                '.' | '[' => passing = false,
                _ => {}
            }
            if !passing {
                out.push(c);
            }
        }
        (unit, out)
    }

    /// The items of the loops around the step in its own playbook, outermost first, as they were called.
    pub fn items(&self) -> Vec<String> {
        let rest = self.0.rsplit('>').next().unwrap_or("");
        rest.split('@').skip(1).map(|part| part.split(['.', '#']).next().unwrap_or("")).map(unescape).collect()
    }

    /// Whether it is a node of a triage tree: a question or a leaf.
    pub fn is_node(&self) -> bool {
        let last = self.parts().last().unwrap_or_default();
        in_tree(last) && !observes(last)
    }

    /// Whether it lies in a `check` or `see` of a triage tree: what it comes to is an observation, and never a failure of the run.
    pub fn is_observation(&self) -> bool {
        self.parts().any(|part| in_tree(part) && observes(part))
    }

    /// The paths within each playbook on the way: what stands before the first `>`, and after each `>name:`.
    fn parts(&self) -> impl Iterator<Item = &str> {
        self.0
            .split('>')
            .enumerate()
            .map(|(i, part)| if i == 0 { part } else { part.split_once(':').map_or("", |(_, rest)| rest) })
    }

    /// Whether this path is `other` or lies below it.
    pub fn is_within(&self, other: &StepPath) -> bool {
        self.0.strip_prefix(&*other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '@', '>', '#']))
    }
}

/// An item's key as it was before [`StepPath::item`] wrote out what would be ambiguous.
fn unescape(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut rest = key;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
        match code {
            Some(c) => {
                out.push(c);
                rest = &rest[at + 3..];
            }
            None => {
                out.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Whether a path within a playbook lies in its tree.
fn in_tree(part: &str) -> bool {
    part.strip_prefix("triage").is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '#']))
}

/// Whether a path within a tree lies in a node's checks.
fn observes(part: &str) -> bool {
    part.contains(".check[") || part.contains(".see[")
}

impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_structural() {
        let path = StepPath::root().child("steps", 2).item("api-gateway").child("block", 0);
        assert_eq!(path.as_str(), "steps[3]@api-gateway.block[1]");
        assert!(path.is_within(&StepPath::root().child("steps", 2)));
        assert!(!StepPath::root().child("steps", 20).is_within(&StepPath::root().child("steps", 2)));
        assert_eq!(path.play("sonia/stop").child("steps", 0).as_str(), "steps[3]@api-gateway.block[1]>sonia/stop:steps[1]");
        assert_eq!(StepPath::root().item("a.b[1]").as_str(), "@a%2Eb%5B1%5D");
    }

    #[test]
    fn what_lies_in_a_tree_is_told_by_its_path() {
        let root = StepPath::root();
        let node = root.node("triage.no[2]");
        let check = node.attempt(2).child("check", 0);
        assert_eq!(check.as_str(), "triage.no[2]#2.check[1]");
        assert!(node.is_node() && node.attempt(2).is_node() && !check.is_node());
        assert!(check.is_observation() && check.play("x").child("steps", 0).is_observation() && !node.is_observation());
        let played = root.child("steps", 0).play("sonia/tree").node("triage");
        assert_eq!(played.as_str(), "steps[1]>sonia/tree:triage");
        assert!(played.is_node() && played.child("see", 0).is_observation());
        assert_eq!(root.child("steps", 0).play("sonia/tree").played_by(), Some(root.child("steps", 0)));
        assert_eq!(played.played_by(), None);
        for other in [root.child("steps", 0), root.child("steps", 0).item("triage"), root.child("always", 0), root] {
            assert!(!other.is_node() && !other.is_observation(), "{other}");
        }
    }

    #[test]
    fn a_path_tells_its_place_and_its_items() {
        let path = StepPath::root().child("steps", 2).item("a.b[1]").attempt(2).child("block", 0).item("x");
        assert_eq!(path.place(), (None, "steps[3].block[1]".to_owned()));
        assert_eq!(path.items(), ["a.b[1]", "x"]);
        let played = path.play("sonia/stop").child("steps", 0).item("50%");
        assert_eq!(played.place(), (Some("sonia/stop"), "steps[1]".to_owned()));
        assert_eq!(played.items(), ["50%"]);
    }
}
