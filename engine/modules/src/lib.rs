//! The built-in probes and actions, one file each, registered in one visible table.

// A test that unwraps fails where it should.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod action;
pub mod external;
mod probe;
mod support;
#[cfg(test)]
mod table_tests;

use runbook_core::module::{Entry, Registry};

/// Every built-in module, by name.
pub fn builtins() -> Registry {
    Registry::new(entries()).lacking(left_out())
}

/// The modules that a build without a feature lacks, with the reason.
fn left_out() -> Vec<(&'static str, String)> {
    let features: [(&str, bool, &[&'static str]); 6] = [
        ("dns", cfg!(feature = "dns"), &["dns"]),
        ("email", cfg!(feature = "email"), &["notify.email"]),
        (
            "object-store",
            cfg!(feature = "object-store"),
            &["object_store", "object_store.get", "object_store.put", "object_store.sync"],
        ),
        (
            "postgres",
            cfg!(feature = "postgres"),
            &[
                "postgres",
                "postgres.dump",
                "postgres.exec",
                "postgres.reindex",
                "postgres.restore",
                "postgres.terminate",
                "postgres.vacuum",
            ],
        ),
        (
            "sqlite",
            cfg!(feature = "sqlite"),
            &["sqlite", "sqlite.backup", "sqlite.checkpoint", "sqlite.exec", "sqlite.restore", "sqlite.vacuum"],
        ),
        ("websocket", cfg!(feature = "websocket"), &["websocket"]),
    ];
    let without = features.into_iter().filter(|(_, built, _)| !built);
    let why = |feature: &str| format!("this build of the program was made without the feature `{feature}`");
    without.flat_map(|(feature, _, names)| names.iter().map(move |name| (*name, why(feature)))).collect()
}

/// The table. Adding a module takes its file and one line here.
fn entries() -> Vec<Entry> {
    vec![
        Entry::probe::<probe::archive::Archive>(),
        Entry::action::<action::archive_create::ArchiveCreate>(),
        Entry::action::<action::archive_extract::ArchiveExtract>(),
        Entry::probe::<probe::audio::Audio>(),
        Entry::action::<action::bundle_collect::BundleCollect>(),
        Entry::action::<action::command::Command>(),
        Entry::probe::<probe::compose::Compose>(),
        Entry::action::<action::compose_build::ComposeBuild>(),
        Entry::action::<action::compose_down::ComposeDown>(),
        Entry::action::<action::compose_exec::ComposeExec>(),
        Entry::action::<action::compose_restart::ComposeRestart>(),
        Entry::action::<action::compose_start::ComposeStart>(),
        Entry::action::<action::compose_stop::ComposeStop>(),
        Entry::action::<action::compose_up::ComposeUp>(),
        Entry::probe::<probe::config::Config>(),
        Entry::action::<action::config_set::ConfigSet>(),
        Entry::probe::<probe::cpu::Cpu>(),
        Entry::action::<action::dir_create::DirCreate>(),
        Entry::probe::<probe::disk::Disk>(),
        #[cfg(feature = "dns")]
        Entry::probe::<probe::dns::Dns>(),
        Entry::probe::<probe::docker::Docker>(),
        Entry::probe::<probe::env::Env>(),
        Entry::probe::<probe::file::File>(),
        Entry::action::<action::file_copy::FileCopy>(),
        Entry::action::<action::file_delete::FileDelete>(),
        Entry::action::<action::file_link::FileLink>(),
        Entry::action::<action::file_move::FileMove>(),
        Entry::action::<action::file_prune::FilePrune>(),
        Entry::action::<action::file_write::FileWrite>(),
        Entry::probe::<probe::file_lock::FileLock>(),
        Entry::probe::<probe::files::Files>(),
        Entry::probe::<probe::git::Git>(),
        Entry::action::<action::git_checkout::GitCheckout>(),
        Entry::action::<action::git_commit::GitCommit>(),
        Entry::action::<action::git_restore::GitRestore>(),
        Entry::probe::<probe::gpu::Gpu>(),
        Entry::probe::<probe::host::Machine>(),
        Entry::probe::<probe::http::Http>(),
        Entry::action::<action::http_request::HttpRequest>(),
        Entry::probe::<probe::jsonl::Jsonl>(),
        Entry::probe::<probe::jwt::Jwt>(),
        Entry::probe::<probe::log::Log>(),
        Entry::action::<action::log_rotate::LogRotate>(),
        Entry::probe::<probe::memory::Memory>(),
        Entry::probe::<probe::metrics::Metrics>(),
        Entry::action::<action::notify_desktop::NotifyDesktop>(),
        #[cfg(feature = "email")]
        Entry::action::<action::notify_email::NotifyEmail>(),
        Entry::action::<action::notify_slack::NotifySlack>(),
        Entry::action::<action::notify_webhook::NotifyWebhook>(),
        #[cfg(feature = "object-store")]
        Entry::probe::<probe::object_store::ObjectStore>(),
        #[cfg(feature = "object-store")]
        Entry::action::<action::object_store_get::ObjectStoreGet>(),
        #[cfg(feature = "object-store")]
        Entry::action::<action::object_store_put::ObjectStorePut>(),
        #[cfg(feature = "object-store")]
        Entry::action::<action::object_store_sync::ObjectStoreSync>(),
        Entry::probe::<probe::pid_file::PidFile>(),
        Entry::probe::<probe::port::Port>(),
        Entry::action::<action::port_release::PortRelease>(),
        #[cfg(feature = "postgres")]
        Entry::probe::<probe::postgres::Postgres>(),
        #[cfg(feature = "postgres")]
        Entry::action::<action::postgres_dump::PostgresDump>(),
        #[cfg(feature = "postgres")]
        Entry::action::<action::postgres_exec::PostgresExec>(),
        #[cfg(feature = "postgres")]
        Entry::action::<action::postgres_reindex::PostgresReindex>(),
        #[cfg(feature = "postgres")]
        Entry::action::<action::postgres_restore::PostgresRestore>(),
        #[cfg(feature = "postgres")]
        Entry::action::<action::postgres_terminate::PostgresTerminate>(),
        #[cfg(feature = "postgres")]
        Entry::action::<action::postgres_vacuum::PostgresVacuum>(),
        Entry::probe::<probe::process::Process>(),
        Entry::action::<action::process_signal::ProcessSignal>(),
        Entry::probe::<probe::python::Python>(),
        Entry::probe::<probe::questdb::Questdb>(),
        Entry::action::<action::questdb_exec::QuestdbExec>(),
        Entry::action::<action::redact::Redact>(),
        Entry::probe::<probe::redis::Redis>(),
        Entry::action::<action::redis_command::RedisCommand>(),
        Entry::action::<action::redis_flush::RedisFlush>(),
        Entry::action::<action::redis_save::RedisSave>(),
        Entry::action::<action::redis_unlink::RedisUnlink>(),
        Entry::probe::<probe::service::Service>(),
        Entry::action::<action::service_restart::ServiceRestart>(),
        Entry::action::<action::service_start::ServiceStart>(),
        Entry::action::<action::service_stop::ServiceStop>(),
        Entry::action::<action::shell::Shell>(),
        Entry::probe::<probe::sockets::Sockets>(),
        #[cfg(feature = "sqlite")]
        Entry::probe::<probe::sqlite::Sqlite>(),
        #[cfg(feature = "sqlite")]
        Entry::action::<action::sqlite_backup::SqliteBackup>(),
        #[cfg(feature = "sqlite")]
        Entry::action::<action::sqlite_checkpoint::SqliteCheckpoint>(),
        #[cfg(feature = "sqlite")]
        Entry::action::<action::sqlite_exec::SqliteExec>(),
        #[cfg(feature = "sqlite")]
        Entry::action::<action::sqlite_restore::SqliteRestore>(),
        #[cfg(feature = "sqlite")]
        Entry::action::<action::sqlite_vacuum::SqliteVacuum>(),
        Entry::probe::<probe::systemd::Systemd>(),
        Entry::action::<action::systemd_daemon_reload::SystemdDaemonReload>(),
        Entry::action::<action::systemd_disable::SystemdDisable>(),
        Entry::action::<action::systemd_enable::SystemdEnable>(),
        Entry::action::<action::systemd_reload::SystemdReload>(),
        Entry::action::<action::systemd_restart::SystemdRestart>(),
        Entry::action::<action::systemd_start::SystemdStart>(),
        Entry::action::<action::systemd_stop::SystemdStop>(),
        Entry::probe::<probe::tcp::Tcp>(),
        Entry::action::<action::template_render::TemplateRender>(),
        Entry::probe::<probe::tls::Tls>(),
        Entry::action::<action::url_open::UrlOpen>(),
        #[cfg(feature = "websocket")]
        Entry::probe::<probe::websocket::WebSocket>(),
    ]
}
