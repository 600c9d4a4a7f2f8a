//! Actions: modules that change something.

pub(crate) mod archive_create;
pub(crate) mod archive_extract;
pub(crate) mod bundle_collect;
pub(crate) mod command;
pub(crate) mod compose_build;
pub(crate) mod compose_down;
pub(crate) mod compose_exec;
pub(crate) mod compose_restart;
pub(crate) mod compose_start;
pub(crate) mod compose_stop;
#[cfg(test)]
mod compose_tests;
pub(crate) mod compose_up;
pub(crate) mod config_set;
pub(crate) mod dir_create;
pub(crate) mod file_copy;
pub(crate) mod file_delete;
pub(crate) mod file_link;
pub(crate) mod file_move;
pub(crate) mod file_prune;
pub(crate) mod file_write;
pub(crate) mod git_checkout;
pub(crate) mod git_commit;
pub(crate) mod git_restore;
#[cfg(test)]
mod git_tests;
pub(crate) mod http_request;
pub(crate) mod log_rotate;
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
pub(crate) mod port_release;
#[cfg(feature = "postgres")]
pub(crate) mod postgres_dump;
#[cfg(feature = "postgres")]
pub(crate) mod postgres_exec;
#[cfg(feature = "postgres")]
pub(crate) mod postgres_reindex;
#[cfg(feature = "postgres")]
pub(crate) mod postgres_restore;
#[cfg(feature = "postgres")]
pub(crate) mod postgres_terminate;
#[cfg(feature = "postgres")]
pub(crate) mod postgres_vacuum;
pub(crate) mod process_signal;
pub(crate) mod questdb_exec;
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
pub(crate) mod systemd_daemon_reload;
pub(crate) mod systemd_disable;
pub(crate) mod systemd_enable;
pub(crate) mod systemd_reload;
pub(crate) mod systemd_restart;
pub(crate) mod systemd_start;
pub(crate) mod systemd_stop;
#[cfg(test)]
mod systemd_tests;
pub(crate) mod template_render;
pub(crate) mod url_open;
