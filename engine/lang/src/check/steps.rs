//! Walking steps with what is in scope at each.

use std::collections::HashMap;

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::expr::Expr;
use runbook_core::model::{Arg, Body, Confirm, Each, GradeLimits, Over, Retry, Step, WaitBody};

use runbook_core::span::Span;

use super::expr::{Checker, Own};
use super::graph::{self, Edges};
use super::scope::Parallel;
use super::ty::{Fixed, Kind, Ty};
use crate::walk;

/// What steps at a place may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Anything.
    Free,
    /// Only look: the word of the place.
    Look(&'static str),
}

impl<'a> Checker<'a, '_> {
    /// A list of steps; variables that it sets stay in scope.
    pub(crate) fn list(&mut self, steps: &'a [Step], duty: Duty) {
        // One failed check of a checklist does not stop the rest.
        if duty != Duty::Look("checks") {
            self.unreachable_steps(steps);
        }
        let known = self.known.len();
        for step in steps {
            self.step(step, duty);
            // Behind `when: X` and `stop`, X does not hold.
            if let Some(when) = step.when.as_ref().filter(|_| super::flow::ends_if_run(step)) {
                self.known.push(super::maybe::negated(when));
            }
        }
        self.known.truncate(known);
    }

    /// A list of steps with a scope of its own.
    fn block(&mut self, steps: &'a [Step], duty: Duty) {
        let mark = self.scope.mark();
        self.list(steps, duty);
        self.scope.leave(mark);
    }

    fn step(&mut self, step: &'a Step, duty: Duty) {
        self.scope.inside.push(step);
        let mark = self.scope.mark();
        if let Some(each) = &step.each {
            self.each(each);
        }
        self.optional(step.name.as_ref());
        if let Some(when) = &step.when {
            self.in_when = true;
            self.when(when);
            self.in_when = false;
        }
        for arg in [&step.every, &step.timeout, &step.expected_duration, &step.continue_on_error, &step.touches, &step.on]
            .into_iter()
            .flatten()
        {
            self.arg(arg);
        }
        if let Some(Confirm::Type(word)) = &step.confirm {
            self.shown(word);
        }
        self.body(step, duty);
        let own = Own { step };
        for expr in &step.expect {
            self.condition(expr, Some(&own), "expect");
        }
        if let Some(grade) = &step.grade {
            let ty = self.expr(&grade.value, Some(&own));
            match &grade.limits {
                GradeLimits::By(by) => {
                    self.expr(by, Some(&own));
                }
                GradeLimits::Inline { target, warning, critical, .. } => {
                    let limits: Vec<&Arg> = [target, warning, critical].into_iter().flatten().collect();
                    limits.iter().for_each(|limit| self.arg(limit));
                    // That they are of different kinds has been told.
                    let kinds: Vec<Option<Kind>> = limits.iter().map(|limit| Ty::Written(limit).kind()).collect();
                    if kinds.array_windows().all(|[a, b]| a == b) {
                        limits.into_iter().take(1).for_each(|limit| self.limit(ty, limit));
                    }
                }
            }
        }
        if let Some(retry) = &step.retry {
            self.retry(retry, &own);
        }
        self.rules(step, duty);
        // What comes after the step may use its result.
        self.scope.ran(step);
        self.maybe(step.save.as_ref());
        self.block(&step.undo, Duty::Free);
        // Undoing is for later: nothing after this step can count on it.
        step.undo.iter().for_each(|s| self.scope.not_ran(s));
        self.block(&step.verify, Duty::Look("verify"));
        self.scope.leave(mark);
        self.scope.inside.pop();
        if let Body::Set(vars) = &step.body
            && step.each.is_none()
        {
            for (name, arg) in vars {
                // Set again under a condition, it may be of either kind.
                let ty = if step.when.is_some() || self.scope.local(&name.value).is_some() { Ty::Any } else { Ty::Written(arg) };
                let secret = self.secret_arg(arg).is_some() || self.scope.is_secret(&name.value);
                match &step.when {
                    Some(when) => self.scope.add_maybe(&name.value, ty, secret, when),
                    None => self.scope.add_value(&name.value, ty, secret),
                }
            }
        }
    }

    fn each(&mut self, each: &'a Each) {
        let (item, secret) = match &each.over {
            Over::Expr(expr) => {
                let ty = self.expr(expr, None);
                let item = match ty {
                    Ty::Services => Ty::Service(None),
                    _ => Ty::Any,
                };
                if let Some(kind) = ty.kind().filter(|k| !matches!(k, Kind::List | Kind::Map | Kind::Null)) {
                    self.no_list(expr.span, kind);
                }
                (item, self.secret(expr).is_some())
            }
            Over::Literal(arg) => {
                self.arg(arg);
                if let Some(kind) = Ty::Written(arg).kind().filter(|k| !matches!(k, Kind::List | Kind::Map)) {
                    self.no_list(arg.span, kind);
                }
                (Ty::Any, self.secret_arg(arg).is_some())
            }
        };
        self.maybe(each.max_parallel.as_ref());
        // Without a name of its own, an inner item hides the outer one on purpose.
        if each.bind != "item" && self.scope.local(&each.bind).is_some() {
            self.out.push(
                Diagnostic::warning(Code::Shadowed, each.bind_span, format!("`{}` hides another value of this name", each.bind))
                    .help("give the item a name of its own"),
            );
        }
        self.scope.add_value(&each.bind, item, secret);
    }

    fn no_list(&mut self, span: Span, kind: Kind) {
        let help = match kind {
            Kind::Number => "for a number of times, write `for_each: range(3)`",
            _ => "write a list: `[a, b]`",
        };
        self.out.push(
            Diagnostic::error(Code::KindMismatch, span, format!("`for_each` needs a list or a map, found {}", kind.word()))
                .help(help),
        );
    }

    /// A limit of a grade, held against the value that is graded.
    fn limit(&mut self, value: Ty<'a>, limit: &'a Arg) {
        let (Some(value), Some(of_limit)) = (value.kind(), Ty::Written(limit).kind()) else { return };
        if value == of_limit || value == Kind::Null || of_limit == Kind::Null || !limit.is_literal() {
            return;
        }
        let text = limit.skeleton().to_string();
        let help = match value {
            Kind::Number if text.trim_end_matches('%').parse::<f64>().is_ok() => {
                format!("write `{}`", text.trim_end_matches('%'))
            }
            Kind::Size => "give it a unit: `10MB`, `1GiB`".to_owned(),
            Kind::Duration => "give it a unit: `5s`, `10m`".to_owned(),
            _ => format!("write {}", value.word()),
        };
        self.out.push(
            Diagnostic::error(
                Code::KindMismatch,
                limit.span,
                format!("{} cannot be graded against {}", value.word(), of_limit.word()),
            )
            .help(help),
        );
    }

    pub(super) fn when(&mut self, when: &Expr) {
        self.condition(when, None, "when");
    }

    fn retry(&mut self, retry: &'a Retry, own: &Own<'a>) {
        for arg in
            [&retry.attempts, &retry.within, &retry.every, &retry.backoff, &retry.max_delay, &retry.jitter, &retry.successes]
        {
            self.maybe(arg.as_ref());
        }
        for expr in &retry.give_up_when {
            self.condition(expr, Some(own), "give_up_when");
        }
    }

    fn body(&mut self, step: &'a Step, duty: Duty) {
        match &step.body {
            Body::Module(call) => {
                self.arg(&call.args);
                if let Some(entry) = self.entry(step) {
                    self.exposed(call, entry);
                }
            }
            Body::Block(block) => {
                let mark = self.scope.mark();
                self.list(&block.steps, duty);
                let inner = self.scope.mark();
                self.scope.add("error", Ty::Fixed(Fixed::Error));
                self.list(&block.rescue, duty);
                self.scope.leave(inner);
                self.list(&block.always, duty);
                self.scope.leave(mark);
            }
            Body::Parallel(children) => self.parallel(children, duty),
            Body::Play { with, .. } => with.iter().for_each(|(_, a)| self.arg(a)),
            Body::Set(vars) => vars.iter().for_each(|(_, a)| self.arg(a)),
            Body::Ask(ask) => {
                self.shown(&ask.question);
                self.maybe(ask.choices.as_ref());
                self.maybe(ask.default.as_ref());
            }
            Body::Manual(t) | Body::Note(t) | Body::Fail(t) | Body::Stop(t) => self.shown(t),
            Body::Wait(WaitBody::For(a) | WaitBody::Until(a)) => self.arg(a),
        }
    }

    fn parallel(&mut self, children: &'a [Step], duty: Duty) {
        let mut owner: HashMap<&'a str, usize> = HashMap::new();
        let mut siblings: HashMap<&'a str, usize> = HashMap::new();
        for (i, child) in children.iter().enumerate() {
            if let Some(id) = &child.id {
                siblings.entry(&id.value).or_insert(i);
            }
            walk::each_step(std::slice::from_ref(child), &mut |s| {
                if let Some(id) = &s.id {
                    owner.entry(&id.value).or_insert(i);
                }
            });
        }
        let mut edges: Edges = vec![Vec::new(); children.len()];
        for (i, child) in children.iter().enumerate() {
            for need in &child.needs {
                match siblings.get(need.value.as_str()) {
                    Some(to) => edges[i].push((*to, need.span)),
                    None => self.unknown_need(&need.value, need.span, &siblings),
                }
            }
        }
        let name = |i: usize| children[i].id.as_ref().map_or_else(|| children[i].body.word().to_owned(), |id| id.value.clone());
        for cycle in graph::cycles(&edges) {
            self.out.extend(graph::report(&cycle, &name, "needs", "take one of these out: none of the steps could start"));
        }
        let needs = edges.iter().map(|e| e.iter().map(|(to, _)| *to).collect()).collect();
        self.scope.parallels.push(Parallel { owner, needs, current: 0 });
        for (i, child) in children.iter().enumerate() {
            if let Some(parallel) = self.scope.parallels.last_mut() {
                parallel.current = i;
            }
            let mark = self.scope.mark();
            self.step(child, duty);
            self.scope.leave(mark);
            // For its siblings it has not run, unless they need it.
            self.scope.not_ran(child);
        }
        self.scope.parallels.pop();
        self.scope.ran_all(children);
    }

    fn unknown_need(&mut self, id: &str, span: runbook_core::span::Span, siblings: &HashMap<&'a str, usize>) {
        if self.lost.names.contains(id) {
            return;
        }
        if self.out.is_full() {
            self.out.push(Diagnostic::error(Code::UnknownStep, span, ""));
            return;
        }
        let mut names: Vec<&str> = siblings.keys().copied().collect();
        names.sort_unstable();
        let elsewhere = self.scope.ids.get(id).map(|k| k.span);
        let mut diagnostic = match elsewhere {
            Some(at) => Diagnostic::error(Code::UnknownStep, span, format!("`{id}` is no sibling in this `parallel`"))
                .also(at, "the step")
                .help("`needs` names children of the same `parallel`; steps before it have run anyway"),
            None => Diagnostic::error(Code::UnknownStep, span, format!("there is no step `{id}` in this `parallel`")),
        };
        if elsewhere.is_none() {
            diagnostic = match runbook_core::suggest::nearest(id, names.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None if names.is_empty() => diagnostic.help("give the sibling an id"),
                None => diagnostic.help(format!("its siblings are {}", names.join(", "))),
            };
        }
        self.out.push(diagnostic);
    }
}
