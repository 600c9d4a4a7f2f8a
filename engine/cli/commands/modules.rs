//! `runbook modules [NAME]`.

use runbook_core::exit::Exit;
use runbook_core::module::Registry;

use super::{complain, say};
use crate::context::Context;

pub(crate) fn modules(context: &Context, name: Option<&str>) -> Exit {
    let registry = runbook_modules::builtins();
    let Some(name) = name else {
        if context.common.json {
            say(&runbook_report::modules_doc::json(&registry));
        } else {
            say(&runbook_report::modules_doc::list(&registry, &context.out));
        }
        return Exit::Ok;
    };
    let Some(entry) = registry.get(name) else {
        let near = runbook_core::suggest::nearest(name, registry.names());
        let help = near.map_or_else(|| "`runbook modules` lists them".to_owned(), |n| format!("did you mean `{n}`?"));
        complain(context, &format!("there is no module `{name}`"), Some(&help));
        return Exit::Usage;
    };
    if context.common.json {
        say(&runbook_report::modules_doc::json(&one(name)));
    } else {
        say(&runbook_report::modules_doc::page(entry, &context.out));
    }
    Exit::Ok
}

/// A registry of one module.
fn one(name: &str) -> Registry {
    runbook_modules::builtins().only(name)
}
