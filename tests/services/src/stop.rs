//! SIGTERM and SIGINT.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::state::State;

/// The two signals that stop a service.
pub(crate) struct Signals {
    term: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Installs the handlers; from here on neither signal ends the process by itself.
    pub(crate) fn install() -> std::io::Result<Signals> {
        Ok(Signals { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for a signal that is not to be ignored.
    pub(crate) async fn stop(&mut self, state: &State) {
        loop {
            tokio::select! {
                _ = self.term.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            if !state.ignores_term() {
                return;
            }
        }
    }

    /// Waits for SIGINT: uvicorn takes a second one as an order to quit at once.
    pub(crate) async fn force(&mut self) {
        self.interrupt.recv().await;
    }
}
