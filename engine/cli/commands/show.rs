//! `runbook show NAME`.

use runbook_core::exit::Exit;

use super::{loader, say, tell_diagnostics};
use crate::context::Context;

pub(crate) fn show(context: &Context, name: &str, profile: Option<&str>) -> Exit {
    let loader = match loader(context) {
        Ok(loader) => loader,
        Err(exit) => return exit,
    };
    let registry = runbook_modules::builtins();
    let options = runbook_lang::Options { profile: profile.map(str::to_owned) };
    match runbook_lang::load(&loader, name, &registry, &options) {
        Ok(loaded) => {
            let unit = loaded.plan.root_unit();
            if context.common.json {
                say(&runbook_report::show::json(unit));
                return Exit::Ok;
            }
            say(&runbook_report::show::show(unit, &loaded.plan.sources, &registry, &context.out));
            Exit::Ok
        }
        Err(failed) => {
            tell_diagnostics(context, &failed.diagnostics, &failed.sources);
            Exit::Invalid
        }
    }
}
