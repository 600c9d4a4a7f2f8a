//! What all reporters have in common.

use jiff::Timestamp;
use runbook_core::event::Record;

/// Something that is told everything that happens in a run.
pub trait Reporter: Send {
    /// Takes one record. Records come in the order of their numbers.
    fn record(&mut self, record: &Record);

    /// The run is over and nothing more comes, even if the last record was not the end of a run.
    fn finish(&mut self);

    /// Time has passed without a record. For reporters that say now and then that they are alive.
    fn tick(&mut self, _now: Timestamp) {}
}

/// Hands every record to several reporters, in order.
#[derive(Default)]
pub struct Fanout {
    reporters: Vec<Box<dyn Reporter>>,
}

impl Fanout {
    /// One that hands on to these.
    pub fn new(reporters: Vec<Box<dyn Reporter>>) -> Self {
        Fanout { reporters }
    }

    /// Adds one.
    pub fn push(&mut self, reporter: Box<dyn Reporter>) {
        self.reporters.push(reporter);
    }
}

impl Reporter for Fanout {
    fn record(&mut self, record: &Record) {
        self.reporters.iter_mut().for_each(|r| r.record(record));
    }
    fn finish(&mut self) {
        self.reporters.iter_mut().for_each(|r| r.finish());
    }
    fn tick(&mut self, now: Timestamp) {
        self.reporters.iter_mut().for_each(|r| r.tick(now));
    }
}

/// How much the reporters for people say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Failures and the last line.
    Quiet,
    /// Steps and their children, failures in full.
    #[default]
    Normal,
    /// From 1: every step at any depth, attempts, calls. From 2: also results and progress.
    Verbose(u8),
}

impl Level {
    /// Whether at least this verbose.
    pub fn is_verbose(self, n: u8) -> bool {
        matches!(self, Level::Verbose(v) if v >= n)
    }
}
