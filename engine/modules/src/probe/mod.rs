//! Probes: modules that only look.

pub(crate) mod config;
pub(crate) mod disk;
pub(crate) mod env;
pub(crate) mod file;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod pid_file;
pub(crate) mod port;
pub(crate) mod process;
pub(crate) mod redis;
pub(crate) mod service;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod tcp;
