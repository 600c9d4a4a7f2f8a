//! The modules that the program knows: its own, the project's and the user's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook_core::module::Registry;
use runbook_modules::external::{Folders, Runner};

use crate::context::Context;

/// Every module. Those of the project and the user are asked what they are when a playbook first names them.
pub(crate) fn registry(context: &Context) -> Registry {
    folders(context).registry(runbook_modules::builtins(), &runner())
}

/// Where modules of one's own lie: with the playbooks, and with the user's configuration.
pub(crate) fn folders(context: &Context) -> Folders {
    let project = context.playbooks().ok().map(|folder| folder.join("modules"));
    let absolute = |name: &str| context.env.get(name).filter(|v| Path::new(v).is_absolute()).map(PathBuf::from);
    let config = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    Folders(project.into_iter().chain(config.map(|c| c.join("runbook/modules"))).collect())
}

/// Runs programs outside of any run.
pub(crate) fn runner() -> Runner {
    Arc::new(runbook_runtime::live::run_alone)
}
