//! The circuit breakers, one a capability.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::clock;
use crate::small::TOOLS;

/// The seed's quarantine: how long a breaker stays OPEN.
const QUARANTINE: Duration = Duration::from_secs(30);
/// The seed's number of recovery probes that close a breaker.
const SUCCESSES_TO_CLOSE: u32 = 2;
/// Failures in a row that open a breaker. Not from the seeds.
const FAILURES_TO_OPEN: u32 = 5;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Closed,
    Open,
    HalfOpen,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Closed => "CLOSED",
            Phase::Open => "OPEN",
            Phase::HalfOpen => "HALF_OPEN",
        }
    }
}

#[derive(Debug, Default)]
struct Breaker {
    phase: Phase,
    failures: u32,
    successes: u32,
    opened: Option<(Instant, String)>,
    times_opened: u32,
    /// By the fault `breaker_open`: the capability fails until its cause is fixed.
    broken: bool,
}

impl Breaker {
    fn open(&mut self) {
        self.phase = Phase::Open;
        self.successes = 0;
        self.opened = Some((Instant::now(), clock::now()));
        self.times_opened += 1;
    }

    /// What is left of the quarantine.
    fn remaining(&self, quarantine: Duration) -> Duration {
        match (&self.opened, self.phase) {
            (Some((at, _)), Phase::Open) => quarantine.saturating_sub(at.elapsed()),
            _ => Duration::ZERO,
        }
    }

    /// Lets the quarantine end; nothing else needs a clock, so this is done when somebody looks.
    fn advance(&mut self, quarantine: Duration) {
        if self.phase == Phase::Open && self.remaining(quarantine).is_zero() {
            self.phase = Phase::HalfOpen;
            self.successes = 0;
        }
    }
}

/// Every breaker of the gateway.
#[derive(Debug)]
pub(crate) struct Breakers {
    by_capability: BTreeMap<String, Breaker>,
    quarantine: Duration,
}

impl Breakers {
    /// A closed breaker for every tool.
    pub(crate) fn new() -> Breakers {
        let by_capability = TOOLS.iter().map(|(name, _)| ((*name).to_owned(), Breaker::default())).collect();
        Breakers { by_capability, quarantine: QUARANTINE }
    }

    /// Sets the quarantine in milliseconds; nothing means the seed's 30 s.
    pub(super) fn set_quarantine(&mut self, quarantine_ms: Option<u64>) {
        self.quarantine = quarantine_ms.map_or(QUARANTINE, Duration::from_millis);
    }

    /// Whether a call may be made now; the error is what is left of the quarantine.
    pub(super) fn admit(&mut self, capability: &str) -> Result<(), Duration> {
        let Some(breaker) = self.by_capability.get_mut(capability) else {
            return Ok(());
        };
        breaker.advance(self.quarantine);
        match breaker.phase {
            Phase::Open => Err(breaker.remaining(self.quarantine)),
            Phase::Closed | Phase::HalfOpen => Ok(()),
        }
    }

    /// Whether the capability fails by fault.
    pub(super) fn is_broken(&self, capability: &str) -> bool {
        self.by_capability.get(capability).is_some_and(|breaker| breaker.broken)
    }

    /// Takes note of how a call ended.
    pub(super) fn settle(&mut self, capability: &str, succeeded: bool) {
        let breaker = self.by_capability.entry(capability.to_owned()).or_default();
        match (breaker.phase, succeeded) {
            (Phase::Closed, true) => breaker.failures = 0,
            (Phase::Closed, false) => {
                breaker.failures += 1;
                if breaker.failures >= FAILURES_TO_OPEN {
                    breaker.open();
                }
            }
            (Phase::HalfOpen, true) => {
                breaker.successes += 1;
                if breaker.successes >= SUCCESSES_TO_CLOSE {
                    *breaker = Breaker { times_opened: breaker.times_opened, ..Breaker::default() };
                }
            }
            (Phase::HalfOpen, false) => {
                breaker.failures += 1;
                breaker.open();
            }
            // The answer to a call from before the opening changes nothing.
            (Phase::Open, _) => {}
        }
    }

    /// The fault `breaker_open`.
    pub(crate) fn inject(&mut self, capability: &str, cause_fixed: bool) {
        let breaker = self.by_capability.entry(capability.to_owned()).or_default();
        breaker.broken = !cause_fixed;
        // To fix the cause of an open breaker is no reason to begin its quarantine anew.
        if breaker.phase == Phase::Closed {
            breaker.failures = breaker.failures.max(FAILURES_TO_OPEN);
            breaker.open();
        }
    }

    /// Fixes the cause of every fault; open breakers still have to recover.
    pub(crate) fn fix_all(&mut self) {
        for breaker in self.by_capability.values_mut() {
            breaker.broken = false;
        }
    }

    /// The body of `/v1/breakers/metrics`: every breaker by its capability, and the names of those that are OPEN.
    pub(super) fn metrics(&mut self) -> Value {
        let mut breakers = Map::new();
        let mut open = Vec::new();
        for (capability, breaker) in &mut self.by_capability {
            breaker.advance(self.quarantine);
            if breaker.phase == Phase::Open {
                open.push(capability.clone());
            }
            let metrics = json!({
                "capability": capability,
                "state": breaker.phase.name(),
                "failure_count": breaker.failures,
                "times_opened": breaker.times_opened,
                "opened_at": breaker.opened.as_ref().map(|(_, at)| at),
                "quarantine_ms": millis(self.quarantine),
                "quarantine_remaining_ms": millis(breaker.remaining(self.quarantine)),
                "recovery_successes": breaker.successes,
                "recovery_required": SUCCESSES_TO_CLOSE,
            });
            breakers.insert(capability.clone(), metrics);
        }
        json!({"breakers": breakers, "open": open})
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(breakers: &mut Breakers) -> String {
        breakers.metrics()["breakers"]["file.write"]["state"].as_str().expect("a state").to_owned()
    }

    #[test]
    fn five_failures_open_and_quarantine_holds() {
        let mut breakers = Breakers::new();
        for _ in 0..4 {
            breakers.settle("file.write", false);
        }
        assert_eq!(state(&mut breakers), "CLOSED");
        breakers.settle("file.write", false);
        assert_eq!(state(&mut breakers), "OPEN");
        let remaining = breakers.admit("file.write").expect_err("in quarantine");
        assert!(remaining > Duration::from_secs(29));
        assert_eq!(breakers.metrics()["open"], json!(["file.write"]));
    }

    #[test]
    fn two_successes_close_and_a_failure_reopens() {
        let mut breakers = Breakers::new();
        breakers.set_quarantine(Some(0));
        breakers.inject("file.write", false);
        assert!(breakers.is_broken("file.write"));
        assert_eq!(state(&mut breakers), "HALF_OPEN");
        breakers.settle("file.write", false);
        breakers.set_quarantine(Some(60_000));
        assert_eq!(state(&mut breakers), "OPEN");
        breakers.inject("file.write", true);
        assert!(!breakers.is_broken("file.write"));
        assert_eq!(state(&mut breakers), "OPEN", "fixing the cause does not close");
        breakers.set_quarantine(Some(0));
        assert_eq!(breakers.admit("file.write"), Ok(()));
        breakers.settle("file.write", true);
        assert_eq!(state(&mut breakers), "HALF_OPEN");
        breakers.settle("file.write", true);
        assert_eq!(state(&mut breakers), "CLOSED");
    }
}
