//! A whole playbook, in the order in which its parts are evaluated.

use std::collections::{HashMap, HashSet};

use runbook_core::diagnostic::Diagnostics;
use runbook_core::expr::{ExprKind, Template};
use runbook_core::model::{Arg, Contents, Lock, Permission, Unit};
use runbook_core::span::Spanned;

use super::expr::Checker;
use super::graph::{self, Edges};
use super::scope::Scope;
use super::steps::Duty;
use super::ty::{Fixed, Ty};
use super::{Lost, Project};
use crate::decode;

/// Checks a playbook.
pub(crate) fn playbook<'a>(project: &'a Project<'a>, full_name: &'a str, unit: &'a Unit, lost: &'a Lost, out: &mut Diagnostics) {
    let playbook = &*unit.playbook;
    let lists = decode::lists(playbook);
    let scope = Scope::new(Some(playbook), &unit.system, &lists);
    let whole = !out.has_errors();
    let (used_params, used_ids) = (Some(HashSet::new()), Some(HashSet::new()));
    let mut checker = Checker { used_params, used_ids, ..Checker::new(project, full_name, scope, lost, out) };
    checker.inputs(unit);
    checker.list(&playbook.requires, Duty::Look("requires"));
    match &playbook.contents {
        Contents::Steps(steps) => checker.list(steps, Duty::Free),
        Contents::Checks(steps) => checker.list(steps, Duty::Look("checks")),
        Contents::Triage(tree) => checker.tree(tree),
    }
    checker.list(&playbook.verify, Duty::Look("verify"));
    let mark = checker.scope.mark();
    checker.scope.add("error", Ty::Fixed(Fixed::Error));
    checker.list(&playbook.rescue, Duty::Free);
    checker.scope.leave(mark);
    checker.list(&playbook.always, Duty::Free);
    for (_, arg) in &playbook.outputs {
        checker.arg(arg);
    }
    if let Contents::Triage(tree) = &playbook.contents {
        checker.tree_shape(tree, whole);
    }
    checker.unused(unit, &lists);
}

impl<'a> Checker<'a, '_> {
    /// Parameters and variables, each with what is in scope before it.
    fn inputs(&mut self, unit: &'a Unit) {
        let playbook = &*unit.playbook;
        for (name, arg) in &unit.system.vars {
            let secret = self.secret_arg(arg).is_some();
            self.scope.add_value(&name.value, Ty::Written(arg), secret);
        }
        for (i, param) in playbook.params.iter().enumerate() {
            self.scope.params = Some(i);
            self.maybe(param.default.as_ref());
            self.maybe(param.choices.as_ref());
            self.maybe(param.min.as_ref());
            self.maybe(param.max.as_ref());
        }
        self.scope.params = None;
        self.vars(&playbook.vars);
        if let Lock::Named { name, .. } = &playbook.lock {
            self.shown(name);
        }
        for permission in playbook.permissions.iter().flatten() {
            if let Permission::Write(t) | Permission::Net(t) = permission {
                self.template(t);
            }
        }
        if let Some(on) = &playbook.on {
            self.template(on);
        }
    }

    /// Variables, each with those before it in scope.
    pub(crate) fn vars(&mut self, vars: &'a [(Spanned<String>, Arg)]) {
        // A circle is told as such, not as variables that come later.
        let place: HashMap<&str, usize> = vars.iter().enumerate().map(|(i, (n, _))| (n.value.as_str(), i)).collect();
        let mut edges: Edges = vec![Vec::new(); vars.len()];
        for (from, (_, arg)) in vars.iter().enumerate() {
            for expr in arg.exprs() {
                expr.walk(&mut |node| {
                    if let ExprKind::Var(name) = &node.kind
                        && let Some(to) = place.get(name.as_str())
                    {
                        edges[from].push((*to, expr.span_of(&node.range)));
                    }
                });
            }
        }
        let name = |i: usize| vars[i].0.value.clone();
        for cycle in graph::cycles(&edges) {
            self.out.extend(graph::report(&cycle, &name, "uses", "give one of them a value of its own"));
            for (i, _) in cycle {
                self.scope.add(&vars[i].0.value, Ty::Any);
            }
        }
        for (name, arg) in vars {
            self.arg(arg);
            let secret = self.secret_arg(arg).is_some();
            self.scope.add_value(&name.value, Ty::Written(arg), secret);
        }
    }

    /// Checks text for people, such as a step's name.
    pub(crate) fn optional(&mut self, template: Option<&Template>) {
        if let Some(template) = template {
            self.shown(template);
        }
    }
}
