//! What one running service knows and shares between its requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::config::Config;
use crate::fault::{FaultSet, Faults};
use crate::gateway::Gateway;
use crate::memory::Memory;
use crate::options::Options;
use crate::service::Service;
use crate::small::VoiceSessions;

/// The state of the process.
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) config: Config,
    pub(crate) started: Instant,
    /// Turns true once, when the server stops; its receivers are the connections that still live.
    pub(crate) stop: watch::Sender<bool>,
    /// Only in api-gateway.
    pub(crate) gateway: Option<Gateway>,
    /// Only in memory-engine.
    pub(crate) memory: Option<Memory>,
    /// Only used by pipecat.
    pub(crate) voice: VoiceSessions,
    /// The connection of the fault `db_lock`; dropping it releases the lock.
    pub(crate) held: Mutex<Option<rusqlite::Connection>>,
    faults: Mutex<FaultSet>,
    requests: AtomicU64,
    /// Of the fault `dlq_growth`.
    pub(crate) growth: Timer,
    /// Of the fault `db_lock`.
    pub(crate) hold: Timer,
}

/// Tells a timer that a later one has taken its place.
#[derive(Debug, Default)]
pub(crate) struct Timer(AtomicU64);

impl Timer {
    /// Ends the timer that runs, if any, and returns the number of the next.
    pub(crate) fn restart(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether timer `number` is still the present one.
    pub(crate) fn is(&self, number: u64) -> bool {
        self.0.load(Ordering::Relaxed) == number
    }
}

impl State {
    /// Opens the files of the service. The error is the last line of a Python traceback.
    pub(crate) fn new(options: Options, config: Config, faults: FaultSet) -> Result<State, String> {
        let gateway = match options.service {
            Service::ApiGateway => Some(Gateway::open(&options.root).map_err(|error| format!("OSError: {error}"))?),
            _ => None,
        };
        let memory = match options.service {
            Service::MemoryEngine => Some(Memory::open(options.database()).map_err(|error| error.exception())?),
            _ => None,
        };
        Ok(State {
            options,
            config,
            started: Instant::now(),
            stop: watch::Sender::new(false),
            gateway,
            memory,
            voice: VoiceSessions::default(),
            held: Mutex::default(),
            faults: Mutex::new(faults),
            requests: AtomicU64::new(0),
            growth: Timer::default(),
            hold: Timer::default(),
        })
    }

    /// A copy of the faults in force.
    pub(crate) fn faults(&self) -> Faults {
        lock(&self.faults).faults.clone()
    }

    /// The faults in force, to be read or replaced.
    pub(crate) fn fault_set(&self) -> MutexGuard<'_, FaultSet> {
        lock(&self.faults)
    }

    /// Counts a request.
    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of requests so far, the present one included.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The time a graceful stop takes.
    pub(crate) fn stop_delay(&self) -> Duration {
        self.faults().stop_delay_ms.map_or(self.options.stop_delay, Duration::from_millis)
    }

    /// The time between the start and the binding of the port.
    pub(crate) fn startup_delay(&self) -> Duration {
        self.faults().startup_delay_ms.map_or(self.options.startup_delay, Duration::from_millis)
    }

    /// Whether SIGTERM and SIGINT are to be ignored at present.
    pub(crate) fn ignores_term(&self) -> bool {
        self.faults().ignore_term.unwrap_or(self.options.ignore_term)
    }
}

/// Locks a mutex; a panic elsewhere leaves data that is still good enough for a stand-in.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
