//! Work that waits for the disk, away from the threads that must not wait; it ends early when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runbook_core::module::Fault;
use runbook_core::value::format_duration;

/// Tells long work whether to go on.
#[derive(Clone)]
pub(crate) struct Stop {
    given_up: Arc<AtomicBool>,
    until: Option<Instant>,
    limit: Option<Duration>,
}

impl Stop {
    /// An error if the attempt's time is over or nobody waits for the work any more.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.given_up.load(Ordering::Relaxed) {
            return Err(Fault::cannot_tell("it was stopped before it was done"));
        }
        match self.until {
            Some(until) if Instant::now() >= until => {
                let limit = jiff::SignedDuration::try_from(self.limit.unwrap_or_default()).unwrap_or_default();
                Err(Fault::cannot_tell(format!("it was not done after {}", format_duration(limit))))
            }
            _ => Ok(()),
        }
    }
}

struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs work on a thread where it may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    limit: Option<Duration>,
    work: impl FnOnce(&Stop) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let given_up = Arc::new(AtomicBool::new(false));
    let stop = Stop { given_up: given_up.clone(), until: limit.and_then(|l| Instant::now().checked_add(l)), limit };
    let _give_up = GiveUp(given_up);
    match tokio::task::spawn_blocking(move || work(&stop)).await {
        Ok(result) => result,
        Err(e) => Err(Fault::cannot_tell(format!("the work broke off: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_ends_with_its_time() {
        let fault = blocking(Some(Duration::from_millis(10)), |stop| {
            loop {
                stop.check()?;
                std::thread::sleep(Duration::from_millis(1));
            }
            #[allow(unreachable_code, reason = "the type of the result")]
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(fault.message(), "it was not done after 10ms");
        assert_eq!(blocking(None, |stop| stop.check().map(|()| 5)).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn work_ends_when_nobody_waits() {
        let (tell, told) = std::sync::mpsc::channel();
        let work = blocking(None, move |stop| {
            while stop.check().is_ok() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let _ = tell.send(());
            Ok(())
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
        told.recv_timeout(Duration::from_secs(5)).unwrap();
    }
}
