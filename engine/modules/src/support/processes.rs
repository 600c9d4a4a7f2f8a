//! One process as results describe it.

use runbook_core::module::Cx;
use runbook_core::value::{Duration, Size, Time};
use schemars::JsonSchema;
use serde::Serialize;

use super::process::{Look, cwd, open_files, user};

/// A process.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ProcessInfo {
    /// The process id.
    pub(crate) pid: u32,
    /// The parent's id.
    ppid: u32,
    /// The name, at most 15 bytes of it.
    name: String,
    /// The command line; the name in brackets if it has none.
    command: String,
    /// The folder it works in; null if that may not be seen.
    cwd: Option<String>,
    /// The user it runs as.
    user: Option<String>,
    /// `running`, `sleeping`, `waiting for a device`, `stopped`, `traced`, `zombie` or `dead`.
    state: String,
    /// Resident memory.
    pub(crate) rss: Size,
    /// The processor time it has used, in seconds.
    pub(crate) cpu_seconds: f64,
    /// That in percent of one processor over all its time, to one decimal; null for one that was started this moment.
    cpu_percent: Option<f64>,
    /// When it was started.
    started_at: Time,
    /// How long it has been running.
    uptime: Duration,
    /// The number of threads.
    threads: u64,
    /// The number of open file descriptors; null if they may not be seen.
    fds: Option<u64>,
}

impl ProcessInfo {
    /// A process that was looked at.
    pub(crate) fn of(look: &Look, cx: &Cx<'_>) -> ProcessInfo {
        ProcessInfo {
            pid: look.pid,
            ppid: look.ppid,
            command: look.command(),
            cwd: cwd(look.pid).map(|p| p.display().to_string()),
            user: user(look.pid),
            state: look.state_word().to_owned(),
            rss: Size(look.rss),
            cpu_seconds: look.cpu().as_secs_f64(),
            cpu_percent: share(look.cpu().as_secs_f64(), look.uptime().as_secs_f64()),
            started_at: Time(cx.now().checked_sub(look.uptime()).unwrap_or(cx.now())),
            uptime: look.uptime().into(),
            threads: look.threads,
            fds: open_files(look.pid),
            name: look.name.clone(),
        }
    }
}

/// A time in percent of another.
fn share(part: f64, whole: f64) -> Option<f64> {
    // The kernel counts in hundredths of a second.
    (whole >= 0.1).then(|| (part / whole * 1000.0).round() / 10.0)
}
