//! Samples, medians, and the time and memory of a child process.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Measurements of one thing, in one unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(pub(crate) Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The one in the middle.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[n / 2],
            n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
        }
    }

    /// The smallest.
    pub(crate) fn best(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::min)
    }

    /// The median of the ratios to another's samples, round by round: noise that lasts longer than a round falls out.
    pub(crate) fn ratio(&self, to: &Samples) -> f64 {
        Samples(self.0.iter().zip(&to.0).map(|(a, b)| a / b).collect()).median()
    }

    /// Each sample put through a function.
    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Samples {
        Samples(self.0.iter().copied().map(f).collect())
    }
}

/// A duration in milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// How long something takes, in milliseconds.
pub(crate) fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    ms(began.elapsed())
}

/// Measures several things in turn, round after round, after one round that does not count.
pub(crate) fn rounds<const N: usize>(count: usize, mut things: [&mut dyn FnMut() -> f64; N]) -> [Samples; N] {
    let mut samples = std::array::from_fn(|_| Samples::default());
    for round in 0..=count {
        for (thing, samples) in things.iter_mut().zip(&mut samples) {
            let value = thing();
            if round > 0 {
                Samples::push(samples, value);
            }
        }
    }
    samples
}

/// Runs a command to its end with nothing to read and nobody to write to; returns milliseconds.
#[track_caller]
pub(crate) fn wall(command: &mut Command) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status().unwrap();
    let took = ms(began.elapsed());
    assert!(status.success(), "{command:?} ended with {status}");
    took
}

/// The most memory that a command had resident, in MiB.
#[track_caller]
pub(crate) fn peak_memory(command: &mut Command) -> f64 {
    peak_memory_of(command, &[0])
}

/// The same of a command that may end with these exit codes.
///
/// `wait4` would count this process's own memory at the fork as the child's, so the kernel's high-water mark of the child is read
/// while it runs, five times a millisecond.
#[track_caller]
pub(crate) fn peak_memory_of(command: &mut Command, codes: &[i32]) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let path = format!("/proc/{}/status", child.id());
    let ended = AtomicBool::new(false);
    let mut peak = 0.0;
    let status = std::thread::scope(|scope| {
        let poll = scope.spawn(|| {
            let mut peak: f64 = 0.0;
            while !ended.load(Ordering::Relaxed) {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
                let kib = line.and_then(|l| l.trim().strip_suffix(" kB")).and_then(|n| n.trim().parse::<f64>().ok());
                peak = peak.max(kib.unwrap_or_default() / 1024.0);
                std::thread::sleep(Duration::from_micros(200));
            }
            peak
        });
        let status = child.wait().unwrap();
        ended.store(true, Ordering::Relaxed);
        peak = poll.join().unwrap();
        status
    });
    assert!(status.code().is_some_and(|c| codes.contains(&c)), "{command:?} ended with {status}");
    peak
}
