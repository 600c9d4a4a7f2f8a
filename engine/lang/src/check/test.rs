//! The expressions of a test, which see the playbook at its end.

use runbook_core::diagnostic::Diagnostics;
use runbook_core::model::test::PlayTest;
use runbook_core::model::{Body, Unit, each_placed};

use super::expr::Checker;
use super::scope::Scope;
use super::ty::{Kind, Ty};
use super::{Lost, Project};
use crate::decode;

/// Checks `that` of a test.
pub(crate) fn test<'a>(project: &'a Project<'a>, unit: &'a Unit, test: &'a PlayTest, lost: &'a Lost, out: &mut Diagnostics) {
    if test.expect.that.is_empty() {
        return;
    }
    let playbook = &*unit.playbook;
    let lists = decode::lists(playbook);
    let scope = Scope::new(Some(playbook), &unit.system, &lists);
    let mut checker = Checker::new(project, &playbook.full_name, scope, lost, out);
    for (name, arg) in unit.system.vars.iter().chain(&playbook.vars) {
        checker.scope.add(&name.value, Ty::Written(arg));
    }
    // Variables that a step at the top sets are there until the end.
    each_placed(playbook, &mut |placed| {
        if let (true, Body::Set(entries)) = (placed.parent.is_empty(), &placed.step.body) {
            for (name, _) in entries {
                checker.scope.add(&name.value, Ty::Any);
            }
        }
    });
    checker.scope.add("outputs", Ty::Kind(Kind::Map));
    for list in &lists {
        checker.scope.ran_all(list);
    }
    for expr in &test.expect.that {
        checker.expr(expr, None);
    }
}
