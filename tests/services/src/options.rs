//! What one stand-in process is told at its start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::service::Service;

/// How to play one service.
#[derive(Clone, Debug)]
pub struct Options {
    /// The service to play.
    pub service: Service,
    /// The address to bind and to call neighbours at, as an IP literal.
    pub host: String,
    /// The TCP port to bind.
    pub port: u16,
    /// The root directory of the stack (`S:\` in the seeds), with `config`, `data`, `logs` and `faults` below it.
    pub root: PathBuf,
    /// The time between the start of the process and the binding of the port.
    pub startup_delay: Duration,
    /// The time a graceful stop takes, after the port is released.
    pub stop_delay: Duration,
    /// Whether SIGTERM and SIGINT are ignored, so that only SIGKILL stops the process.
    pub ignore_term: bool,
    /// Whether to run as uvicorn's reloader: a parent that spawns the real server as its child.
    pub reload: bool,
    /// Whether to write uvicorn's "Uvicorn running on" line; a reloader has already written it for its child.
    pub announce: bool,
}

impl Options {
    /// Plays `service` on 127.0.0.1 at its standard port, without delays, over the files below `root`.
    pub fn new(service: Service, root: impl Into<PathBuf>) -> Self {
        Options {
            service,
            host: "127.0.0.1".to_owned(),
            port: service.port(),
            root: root.into(),
            startup_delay: Duration::ZERO,
            stop_delay: Duration::ZERO,
            ignore_term: false,
            reload: false,
            announce: true,
        }
    }

    /// The file that holds the faults to start with; it need not exist.
    pub(crate) fn fault_file(&self) -> PathBuf {
        self.root.join("faults").join(format!("{}.json", self.service.name()))
    }

    /// The configuration file of the stack; it need not exist.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.root.join("config").join("sonia-config.json")
    }

    /// The database of memory-engine.
    pub(crate) fn database(&self) -> PathBuf {
        database(&self.root)
    }
}

/// The database of memory-engine below a root directory.
pub(crate) fn database(root: &Path) -> PathBuf {
    root.join("data").join("memory.db")
}
