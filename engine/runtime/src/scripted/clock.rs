//! A clock that stands still until everything waits, and then goes to the moment that is waited for.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::interp::locked;

/// A virtual clock with whoever sleeps by it.
#[derive(Clone, Default)]
pub(crate) struct Clock {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    now: Duration,
    next: u64,
    /// By the moment that is waited for, and then by who came first.
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

/// Nothing happens any more: whatever is awaited, no moment will bring it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck;

impl Clock {
    /// How much time has passed.
    pub(crate) fn elapsed(&self) -> Duration {
        locked(&self.inner).now
    }

    /// Resolves after so long.
    pub(crate) fn sleep(&self, duration: Duration) -> Sleep {
        let mut inner = locked(&self.inner);
        inner.next += 1;
        Sleep { clock: self.clone(), key: (inner.now.saturating_add(duration), inner.next) }
    }

    /// Runs a future to its end. Time passes when everything in it waits.
    ///
    /// # Errors
    /// It waits for something that never comes.
    pub(crate) fn run<F: Future>(&self, future: F) -> Result<F::Output, Stuck> {
        let mut future = std::pin::pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            while woken.0.swap(false, Ordering::AcqRel) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                    return Ok(output);
                }
            }
            let due = {
                let mut inner = locked(&self.inner);
                let Some((moment, _)) = inner.sleepers.first_key_value().map(|(k, _)| *k) else { return Err(Stuck) };
                inner.now = inner.now.max(moment);
                let later = inner.sleepers.split_off(&(moment, u64::MAX));
                std::mem::replace(&mut inner.sleepers, later)
            };
            due.into_values().for_each(Waker::wake);
        }
    }
}

/// A sleep by the clock.
pub(crate) struct Sleep {
    clock: Clock,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = locked(&self.clock.inner);
        if inner.now >= self.key.0 {
            return Poll::Ready(());
        }
        inner.sleepers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        locked(&self.clock.inner).sleepers.remove(&self.key);
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::{join, select};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn sleeps_end_in_their_order_and_take_no_time() {
        let clock = Clock::default();
        let order = Mutex::new(Vec::new());
        let one = async {
            clock.sleep(SECOND * 3600).await;
            locked(&order).push(("slow", clock.elapsed()));
        };
        let two = async {
            clock.sleep(SECOND).await;
            clock.sleep(SECOND).await;
            locked(&order).push(("fast", clock.elapsed()));
        };
        clock.run(join(one, two)).expect("an end");
        assert_eq!(*locked(&order), [("fast", SECOND * 2), ("slow", SECOND * 3600)]);
    }

    #[test]
    fn a_sleep_that_was_dropped_does_not_move_the_clock() {
        let clock = Clock::default();
        let (long, short) = (clock.sleep(SECOND * 60), clock.sleep(SECOND));
        clock.run(async { drop(select(long, short).await) }).expect("an end");
        assert_eq!(clock.elapsed(), SECOND);
        assert_eq!(clock.run(std::future::pending::<()>()), Err(Stuck));
        assert_eq!(clock.elapsed(), SECOND);
    }
}
