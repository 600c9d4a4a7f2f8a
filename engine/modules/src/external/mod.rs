//! Modules of the user's own: executables in any language, described in `docs/guide/modules-of-your-own.md`.

mod contract;
mod describe;
mod description;
mod folder;
mod protocol;
mod run;
#[cfg(test)]
mod run_tests;
mod starter;

pub use contract::{Finding, Level, try_out};
pub use describe::Runner;
pub use folder::{Folders, ModuleFile};
pub use starter::{Lang, starter};
