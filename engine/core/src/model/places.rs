//! Every step of a playbook with the structural path that it has in a run, loops and attempts left out.

use super::{Body, Contents, Playbook, Step};

/// A step with its place in its playbook.
#[derive(Clone, Debug)]
pub struct Placed<'a> {
    /// Its path, such as `steps[3].block[1]`.
    pub path: String,
    /// The path of the step around it; empty at the top.
    pub parent: String,
    /// The list that it stands in: `steps`, `rescue`, `undo`, ...
    pub list: &'static str,
    /// The step.
    pub step: &'a Step,
}

/// Calls `f` for every step of a playbook, parents first, in file order.
pub fn each_placed<'a>(playbook: &'a Playbook, f: &mut dyn FnMut(Placed<'a>)) {
    walk(&playbook.requires, "requires", "", f);
    match &playbook.contents {
        Contents::Steps(steps) => walk(steps, "steps", "", f),
        Contents::Checks(steps) => walk(steps, "checks", "", f),
        Contents::Triage(tree) => {
            for node in tree.nodes() {
                let list = if node.leaf().is_some() { "see" } else { "check" };
                walk(node.checks(), list, &node.path, f);
            }
        }
    }
    walk(&playbook.verify, "verify", "", f);
    walk(&playbook.rescue, "rescue", "", f);
    walk(&playbook.always, "always", "", f);
}

fn walk<'a>(steps: &'a [Step], list: &'static str, parent: &str, f: &mut dyn FnMut(Placed<'a>)) {
    for (i, step) in steps.iter().enumerate() {
        let dot = if parent.is_empty() { "" } else { "." };
        let path = format!("{parent}{dot}{list}[{}]", i + 1);
        f(Placed { path: path.clone(), parent: parent.to_owned(), list, step });
        match &step.body {
            Body::Block(block) => {
                walk(&block.steps, "block", &path, f);
                walk(&block.rescue, "rescue", &path, f);
                walk(&block.always, "always", &path, f);
            }
            Body::Parallel(children) => walk(children, "parallel", &path, f),
            _ => {}
        }
        walk(&step.verify, "verify", &path, f);
        walk(&step.undo, "undo", &path, f);
    }
}
