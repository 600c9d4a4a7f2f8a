//! Walking through steps and everything written in them.

use runbook_core::expr::{Expr, Template};
use runbook_core::model::{Arg, Body, Confirm, GradeLimits, Over, Step, WaitBody};

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

/// Every expression written in a step itself, not in the steps inside it.
pub(crate) fn exprs(step: &Step) -> Vec<&Expr> {
    let mut out: Vec<&Expr> = Vec::new();
    let args = [&step.every, &step.timeout, &step.expected_duration, &step.continue_on_error, &step.touches, &step.save, &step.on];
    out.extend(step.when.iter());
    out.extend(step.expect.iter());
    out.extend(args.into_iter().flatten().flat_map(Arg::exprs));
    out.extend(step.name.iter().flat_map(Template::exprs));
    if let Some(each) = &step.each {
        match &each.over {
            Over::Expr(e) => out.push(e),
            Over::Literal(a) => out.extend(a.exprs()),
        }
        out.extend(each.max_parallel.iter().flat_map(Arg::exprs));
    }
    if let Some(grade) = &step.grade {
        out.push(&grade.value);
        match &grade.limits {
            GradeLimits::By(e) => out.push(e),
            GradeLimits::Inline { target, warning, critical, .. } => {
                out.extend([target, warning, critical].into_iter().flatten().flat_map(Arg::exprs));
            }
        }
    }
    if let Some(r) = &step.retry {
        let args = [&r.attempts, &r.within, &r.every, &r.backoff, &r.max_delay, &r.jitter, &r.successes];
        out.extend(args.into_iter().flatten().flat_map(Arg::exprs));
        out.extend(r.give_up_when.iter());
    }
    if let Some(Confirm::Type(t)) = &step.confirm {
        out.extend(t.exprs());
    }
    match &step.body {
        Body::Module(call) => out.extend(call.args.exprs()),
        Body::Play { with, .. } => out.extend(with.iter().flat_map(|(_, a)| a.exprs())),
        Body::Set(vars) => out.extend(vars.iter().flat_map(|(_, a)| a.exprs())),
        Body::Ask(ask) => {
            out.extend(ask.question.exprs());
            out.extend(ask.choices.iter().chain(&ask.default).flat_map(Arg::exprs));
        }
        Body::Manual(t) | Body::Note(t) | Body::Fail(t) | Body::Stop(t) => out.extend(t.exprs()),
        Body::Wait(WaitBody::For(a) | WaitBody::Until(a)) => out.extend(a.exprs()),
        Body::Block(_) | Body::Parallel(_) => {}
    }
    out
}
