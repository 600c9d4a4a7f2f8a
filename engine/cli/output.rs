//! Where a run is shown: the reporters, and the pause while a question stands.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runbook_core::event::Record;
use runbook_report::{
    Fanout, GithubReporter, JsonlReporter, PlainReporter, ProgressDrawTarget, Reporter, Suspender, TerminalReporter,
};

use crate::context::Context;

/// The reporters of a run. Records that come while a question stands are held back.
pub(crate) struct Output {
    inner: Mutex<Inner>,
    suspender: Suspender,
}

struct Inner {
    reporter: Fanout,
    held: Option<Vec<Record>>,
}

impl Output {
    /// The reporters that fit the streams: JSON lines, the live view, or one line per event.
    pub(crate) fn new(context: &Context) -> Arc<Output> {
        let level = context.level();
        let mut reporter = Fanout::default();
        let mut suspender = Suspender::none();
        if context.common.json {
            reporter.push(Box::new(JsonlReporter::new(std::io::stdout())));
        } else if context.stdout_tty && !context.out.accessible {
            let view = if context.stderr_tty && context.err.animate {
                TerminalReporter::live(ProgressDrawTarget::stderr(), std::io::stderr(), context.err, level)
            } else {
                TerminalReporter::still(std::io::stdout(), context.out, level)
            };
            suspender = view.suspender();
            reporter.push(Box::new(view));
        } else {
            if context.env.get("GITHUB_ACTIONS").is_some_and(|v| v == "true") {
                reporter.push(Box::new(GithubReporter::new(std::io::stdout())));
            }
            reporter.push(Box::new(PlainReporter::new(std::io::stdout(), context.out, level)));
        }
        Arc::new(Output { inner: Mutex::new(Inner { reporter, held: None }), suspender })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record.
    pub(crate) fn record(&self, record: &Record) {
        let mut inner = self.lock();
        match &mut inner.held {
            Some(held) => held.push(record.clone()),
            None => inner.reporter.record(record),
        }
    }

    /// Holds records back.
    pub(crate) fn pause(&self) {
        self.lock().held.get_or_insert_default();
    }

    /// Does something with the terminal while the live lines are away.
    pub(crate) fn suspended<T>(&self, f: impl FnOnce() -> T) -> T {
        self.suspender.suspend(f)
    }

    /// Goes on, with what was held back.
    pub(crate) fn resume(&self) {
        let mut inner = self.lock();
        for record in inner.held.take().unwrap_or_default() {
            inner.reporter.record(&record);
        }
    }

    /// Time has passed: whoever says now and then that it is alive does.
    pub(crate) fn tick(&self, now: jiff::Timestamp) {
        self.lock().reporter.tick(now);
    }

    /// The run is over.
    pub(crate) fn finish(&self) {
        let mut inner = self.lock();
        for record in inner.held.take().unwrap_or_default() {
            inner.reporter.record(&record);
        }
        inner.reporter.finish();
    }
}
