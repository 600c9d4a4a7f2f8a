//! Probes: modules that only look.

pub(crate) mod config;
pub(crate) mod disk;
#[cfg(feature = "dns")]
pub(crate) mod dns;
pub(crate) mod env;
pub(crate) mod file;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod jsonl;
pub(crate) mod jwt;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod metrics;
#[cfg(feature = "object-store")]
pub(crate) mod object_store;
pub(crate) mod pid_file;
pub(crate) mod port;
pub(crate) mod process;
pub(crate) mod redis;
pub(crate) mod service;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod tcp;
pub(crate) mod tls;
#[cfg(feature = "websocket")]
pub(crate) mod websocket;
