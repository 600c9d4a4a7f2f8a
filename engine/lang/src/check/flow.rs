//! Steps that are never reached, because the list ends before them.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::{Arg, ArgKind, Body, Step};
use runbook_core::value::Value;

use super::expr::Checker;

/// Whether a list of steps never goes on after its last one: it stops, or fails.
pub(crate) fn ends(steps: &[Step]) -> bool {
    steps.iter().any(step_ends)
}

/// Whether nothing follows a step, whatever happens.
fn step_ends(step: &Step) -> bool {
    step.when.is_none() && ends_if_run(step)
}

/// Whether nothing follows a step that is run.
pub(crate) fn ends_if_run(step: &Step) -> bool {
    let goes_on = |arg: &Arg| !matches!(arg.kind, ArgKind::Value(Value::Bool(false)));
    if step.each.is_some() || step.continue_on_error.as_ref().is_some_and(goes_on) {
        return false;
    }
    match &step.body {
        Body::Fail(_) | Body::Stop(_) => true,
        // A failure is rescued, so only a rescue that ends as well ends it.
        Body::Block(block) if !block.rescue.is_empty() => stops(&block.steps) || (ends(&block.steps) && ends(&block.rescue)),
        Body::Block(block) => ends(&block.steps),
        _ => false,
    }
}

/// Whether a list ends by `stop`, which nothing rescues.
fn stops(steps: &[Step]) -> bool {
    match steps.iter().find(|s| step_ends(s)).map(|s| &s.body) {
        Some(Body::Stop(_)) => true,
        Some(Body::Block(block)) => stops(&block.steps),
        _ => false,
    }
}

impl<'a> Checker<'a, '_> {
    /// Warns about the first step of a list that is never reached.
    pub(crate) fn unreachable_steps(&mut self, steps: &'a [Step]) {
        let Some(at) = steps.iter().position(step_ends) else { return };
        let (end, Some(next)) = (&steps[at], steps.get(at + 1)) else { return };
        self.out.push(
            Diagnostic::warning(Code::Unreachable, next.body_span, "this step is never reached")
                .also(end.body_span, format!("this `{}` always ends the list", end.body.word()))
                .help("give the end a `when:`, or take out what follows it"),
        );
    }
}
