//! What is declared and never used: parameters, variables, and ids of steps.
//!
//! What the playbook's tests mention is used. An id is also the step's label where it has no name, and what answers and siblings call it
//! by: so only the id of a step with a name, which nobody is asked about and no `needs` names, can be unused.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::{Body, Step, Unit};
use runbook_core::module::Effect;
use runbook_core::span::Spanned;

use super::expr::Checker;
use crate::walk;

impl<'a> Checker<'a, '_> {
    /// Warns about parameters and variables that nothing uses, once the file is known to be whole.
    pub(crate) fn unused(&mut self, unit: &'a Unit, lists: &[&'a [Step]]) {
        if self.out.has_errors() {
            return;
        }
        if let Some(used) = &self.used_params {
            for param in unit.playbook.params.iter().filter(|p| !used.contains(&p.name.value)) {
                let name = &param.name.value;
                self.out.push(
                    Diagnostic::warning(Code::Unused, param.name.span, format!("the parameter `{name}` is never used"))
                        .help(format!("use it as `params.{name}`, or take it out")),
                );
            }
        }
        // A command may read its environment itself.
        let mut commands = false;
        for list in lists {
            walk::each_step(list, &mut |s| {
                commands |= matches!(&s.body, Body::Module(c) if matches!(c.name.value.as_str(), "command" | "shell"))
            });
        }
        for env in unit
            .playbook
            .env
            .iter()
            .filter(|_| !commands)
            .filter(|e| !self.used_env.as_ref().is_none_or(|used| used.contains(&e.name.value)))
        {
            let name = &env.name.value;
            self.out.push(
                Diagnostic::warning(Code::Unused, env.name.span, format!("the environment variable `{name}` is never used"))
                    .help(format!("use it as `env.{name}`, or take it out")),
            );
        }
        self.unused_ids(unit, lists);
        let mut names: Vec<&Spanned<String>> = unit.playbook.vars.iter().map(|(name, _)| name).collect();
        for list in lists {
            walk::each_step(list, &mut |step| {
                if let Body::Set(vars) = &step.body {
                    names.extend(vars.iter().map(|(name, _)| name));
                }
            });
        }
        // What is set again is told once, and a variable of the system may be meant for the system's own templates.
        let mut told: std::collections::HashSet<&str> = unit.system.vars.iter().map(|(name, _)| name.value.as_str()).collect();
        for name in names {
            let tested = || (self.project.tested)(&unit.playbook.full_name, &name.value);
            if !self.used_names.contains(&name.value) && told.insert(&name.value) && !tested() {
                self.out.push(
                    Diagnostic::warning(Code::Unused, name.span, format!("the variable `{}` is never used", name.value))
                        .help(format!("use it as `{}`, or take it out", name.value)),
                );
            }
        }
    }
    fn unused_ids(&mut self, unit: &'a Unit, lists: &[&'a [Step]]) {
        let Some(used) = &self.used_ids else { return };
        let mut unused: Vec<&Spanned<String>> = Vec::new();
        let mut needed: std::collections::HashSet<&str> = std::collections::HashSet::new();
        for list in lists {
            walk::each_step(list, &mut |step| {
                needed.extend(step.needs.iter().map(|n| n.value.as_str()));
                let needless = step.name.is_some() && !self.is_asked_about(step, unit);
                unused.extend(step.id.as_ref().filter(|id| needless && !used.contains(&id.value)));
            });
        }
        for id in unused {
            if needed.contains(id.value.as_str()) || (self.project.tested)(&unit.playbook.full_name, &id.value) {
                continue;
            }
            self.out.push(
                Diagnostic::warning(Code::Unused, id.span, format!("the id `{}` is never used", id.value))
                    .help(format!("use the result as `steps.{}`, or take the id out: the step has a name", id.value)),
            );
        }
    }

    /// Whether the operator may have to answer for the step, which `--confirm` and answers files do by its id.
    fn is_asked_about(&self, step: &Step, unit: &Unit) -> bool {
        let destroys = match &step.body {
            Body::Module(call) => {
                let entry = self.project.registry.get(&call.name.value);
                entry
                    .and_then(|entry| super::effect(step, call, entry, &unit.system))
                    .is_none_or(|effect| effect == Effect::Destroy)
            }
            _ => false,
        };
        destroys || step.confirm.is_some() || step.override_ask || matches!(step.body, Body::Ask(_) | Body::Manual(_))
    }
}
