//! Signals: the first asks the run to stop, the second ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use runbook_core::world::StopReason;
use tokio::sync::Notify;

/// A stop that was asked for, shared by whoever asks and whoever looks.
#[derive(Clone, Default)]
pub struct Stop {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    reason: AtomicU8,
    asked: AtomicU8,
    changed: Notify,
}

const REASONS: [StopReason; 5] =
    [StopReason::Interrupt, StopReason::Terminate, StopReason::Hangup, StopReason::TimeLimit, StopReason::Journal];

impl Stop {
    /// Asks the run to stop. Returns how often it was asked, this time included.
    pub fn ask(&self, reason: StopReason) -> u8 {
        let code = REASONS.iter().position(|r| *r == reason).unwrap_or(0) as u8 + 1;
        let _ = self.inner.reason.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst);
        let times = self.inner.asked.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        self.inner.changed.notify_waiters();
        times
    }

    /// Why the run should stop, if it should.
    pub fn reason(&self) -> Option<StopReason> {
        let code = self.inner.reason.load(Ordering::SeqCst);
        REASONS.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// Resolves when the run should stop.
    pub async fn asked(&self) -> StopReason {
        loop {
            let changed = self.inner.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if let Some(reason) = self.reason() {
                return reason;
            }
            changed.await;
        }
    }
}

/// Turns SIGINT, SIGTERM and SIGHUP into a stop. `on_signal` is told each with how often a stop was asked for by then.
///
/// # Errors
/// The operating system refuses a handler.
pub fn listen(stop: &Stop, mut on_signal: impl FnMut(StopReason, u8) + Send + 'static) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            let reason = tokio::select! {
                Some(()) = interrupt.recv() => StopReason::Interrupt,
                Some(()) = terminate.recv() => StopReason::Terminate,
                Some(()) = hangup.recv() => StopReason::Hangup,
                else => return,
            };
            on_signal(reason, stop.ask(reason));
        }
    });
    Ok(())
}
