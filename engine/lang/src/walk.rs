//! Walking through steps and everything written in them.

use runbook_core::model::{Body, Step};

/// Calls `f` for every step of a list and every step inside one, in file order, parents first.
pub(crate) fn each_step<'a>(steps: &'a [Step], f: &mut dyn FnMut(&'a Step)) {
    for step in steps {
        f(step);
        for list in children(step) {
            each_step(list, f);
        }
    }
}

/// The lists of steps inside a step.
pub(crate) fn children(step: &Step) -> Vec<&[Step]> {
    let mut out: Vec<&[Step]> = match &step.body {
        Body::Block(block) => vec![&block.steps, &block.rescue, &block.always],
        Body::Parallel(steps) => vec![steps],
        _ => Vec::new(),
    };
    out.push(&step.undo);
    out.push(&step.verify);
    out.retain(|l| !l.is_empty());
    out
}
