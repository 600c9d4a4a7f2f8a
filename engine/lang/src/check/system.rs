//! A system file: its variables in order, its services' entries, and who needs whom.

use runbook_core::diagnostic::Diagnostics;
use runbook_core::model::System;

use super::expr::Checker;
use super::graph::{self, Edges};
use super::scope::Scope;
use super::steps::Duty;
use super::ty::Ty;
use super::{Lost, Project};

/// Checks a system.
pub(crate) fn system<'a>(project: &'a Project<'a>, system: &'a System, lost: &'a Lost, out: &mut Diagnostics) {
    let scope = Scope::new(None, system, &[]);
    let mut checker = Checker::new(project, "", scope, lost, out);
    checker.vars(&system.vars);
    for (_, arg) in &system.thresholds {
        checker.arg(arg);
    }
    for arg in [&system.contacts, &system.escalation, &system.redact, &system.hosts].into_iter().flatten() {
        checker.arg(arg);
    }
    let mark = checker.scope.mark();
    for service in system.services.values() {
        // A field of the defaults may use what only some services have, and is rendered only where it is used.
        checker.scope.add("service", Ty::Service(None));
        for (name, arg) in &service.fields {
            checker.arg(arg);
            if name.value == "command" {
                checker.exposed_words(Some(arg));
            }
        }
        checker.list(&service.ready, Duty::Look("ready"));
        checker.list(&service.present, Duty::Look("present"));
        checker.scope.leave(mark);
    }
    checker.needs();
}

impl Checker<'_, '_> {
    /// The graph of services.
    fn needs(&mut self) {
        let services = &self.scope.system.services;
        let mut edges: Edges = vec![Vec::new(); services.len()];
        for (from, service) in services.values().enumerate() {
            for need in &service.needs {
                match services.get_index_of(&need.value) {
                    Some(to) => edges[from].push((to, need.span)),
                    None if self.lost.names.contains(&need.value) => {}
                    None => {
                        if let Err(wrong) = self.service(&need.value) {
                            let diagnostic =
                                runbook_core::diagnostic::Diagnostic::error(wrong.code, need.span, wrong.missing.message);
                            self.out.push(diagnostic.help(wrong.missing.help));
                        }
                    }
                }
            }
        }
        let name = |i: usize| services.get_index(i).map(|(id, _)| id.clone()).unwrap_or_default();
        for cycle in graph::cycles(&edges) {
            self.out.extend(graph::report(
                &cycle,
                &name,
                "needs",
                "take one of these out: none of the services could be started first",
            ));
        }
    }
}
