//! What the commands that only read a playbook have in common: loading it, values given for it, writing what was made of it.

use std::path::Path;

use runbook_core::exit::Exit;
use runbook_core::inputs::{self, Given};
use runbook_core::model::Plan;
use runbook_core::module::Registry;
use runbook_report::Known;

use super::{complain, loader, say, tell_diagnostics};
use crate::context::Context;

/// A playbook that was loaded to be read.
pub(crate) struct Reading {
    pub(crate) plan: Plan,
    pub(crate) registry: Registry,
    pub(crate) given: Given,
}

impl Reading {
    /// Loads a playbook; mistakes in it, and values that do not fit, are told.
    pub(crate) fn of(context: &Context, name: &str, profile: Option<&str>, params: &[(String, String)]) -> Result<Reading, Exit> {
        let loader = loader(context)?;
        let registry = crate::registry::registry(context);
        let options = runbook_lang::Options { profile: profile.map(str::to_owned) };
        let plan = match runbook_lang::load(&loader, name, &registry, &options) {
            Ok(loaded) => loaded.plan,
            Err(failed) => {
                tell_diagnostics(context, &failed.diagnostics, &failed.sources);
                return Err(Exit::Invalid);
            }
        };
        let given = given(&plan, params).map_err(|wrong| {
            wrong.iter().for_each(|message| complain(context, message, Some("`runbook show` lists the parameters")));
            Exit::Invalid
        })?;
        Ok(Reading { plan, registry, given })
    }

    /// What is known of its values.
    pub(crate) fn known(&self) -> Known<'_> {
        Known::new(self.plan.root_unit(), &self.given)
    }
}

/// The values given for a playbook's parameters and its system's variables.
pub(crate) fn given(plan: &Plan, params: &[(String, String)]) -> Result<Given, Vec<String>> {
    let unit = plan.root_unit();
    let given = inputs::sort(&unit.playbook.params, &unit.system.vars, params)?;
    let known = Known::new(unit, &given);
    let wrong = |(name, value): (&String, &runbook_core::value::Value)| {
        let param = unit.playbook.params.iter().find(|p| p.name.value == *name)?;
        let error = inputs::check(param, value.clone(), &known).err()?;
        Some(format!("parameter `{name}`: {}{}", error.message, error.help.map(|h| format!("; {h}")).unwrap_or_default()))
    };
    let wrong: Vec<String> = given.params.iter().filter_map(wrong).collect();
    if wrong.is_empty() { Ok(given) } else { Err(wrong) }
}

/// Writes a text to a file, or to standard output if there is none or it is `-`.
pub(crate) fn put(context: &Context, file: Option<&Path>, text: &str) -> Exit {
    let Some(file) = file.filter(|f| *f != Path::new("-")) else {
        say(text);
        return Exit::Ok;
    };
    let path = context.cwd.join(file);
    match std::fs::write(&path, text) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            complain(context, &format!("{} cannot be written: {error}", path.display()), None);
            Exit::Internal
        }
    }
}
