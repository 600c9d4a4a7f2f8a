//! Actions: modules that change something.

pub(crate) mod command;
pub(crate) mod dir_create;
pub(crate) mod file_copy;
pub(crate) mod file_delete;
pub(crate) mod file_move;
pub(crate) mod file_prune;
pub(crate) mod file_write;
pub(crate) mod http_request;
pub(crate) mod notify_desktop;
#[cfg(feature = "email")]
pub(crate) mod notify_email;
pub(crate) mod notify_slack;
pub(crate) mod notify_webhook;
#[cfg(feature = "object-store")]
pub(crate) mod object_store_get;
#[cfg(feature = "object-store")]
pub(crate) mod object_store_put;
#[cfg(feature = "object-store")]
pub(crate) mod object_store_sync;
pub(crate) mod process_signal;
pub(crate) mod redact;
pub(crate) mod redis_command;
pub(crate) mod redis_flush;
pub(crate) mod redis_save;
pub(crate) mod redis_unlink;
pub(crate) mod service_restart;
pub(crate) mod service_start;
pub(crate) mod service_stop;
#[cfg(test)]
mod service_tests;
pub(crate) mod shell;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_backup;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_checkpoint;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_exec;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_restore;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_vacuum;
