//! Where events go: numbered, redacted, into the journal and to a listener.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use runbook_core::event::{Event, Outcome, Record};
use runbook_core::module::Effect;
use serde_json::Value as Json;

use crate::journal::JournalWriter;
use crate::redact::Redactor;

/// Whoever wants to hear of events.
pub type Listener = Box<dyn FnMut(&Record) + Send>;

/// Numbers events, writes them to the journal and hands them on.
pub struct Sink {
    inner: Mutex<Inner>,
    redactor: Redactor,
}

struct Inner {
    seq: u64,
    journal: Option<JournalWriter>,
    listener: Listener,
    /// Why the journal could not be written, once it could not.
    broken: Option<String>,
    /// Whether records of looking are kept back until [`Sink::flush`].
    gathering: bool,
}

/// The journal could not be written: nothing may be begun any more.
#[derive(Clone, Debug)]
pub struct JournalLost(pub String);

impl Sink {
    /// A sink over a journal, if there is one.
    pub fn new(journal: Option<JournalWriter>, redactor: Redactor, listener: Listener) -> Self {
        Sink { inner: Mutex::new(Inner { seq: 0, journal, listener, broken: None, gathering: false }), redactor }
    }

    /// From now on records of looking are written when [`Sink::flush`] is called, or with the next record of another kind. Whoever calls
    /// this calls `flush` whenever the program is about to wait, so that all that happened is in the journal while it waits.
    pub fn gather(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).gathering = true;
    }

    /// Writes what was kept back. If it cannot be written, nothing is begun any more: see [`Sink::lost`].
    pub fn flush(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let written = inner.journal.as_mut().map_or(Ok(()), JournalWriter::flush);
        let _ = inner.note(written);
    }

    /// Records an event; with `durable`, it is on disk when this returns.
    ///
    /// # Errors
    /// The journal cannot be written. The listener has heard the event all the same.
    pub fn record(&self, at: Timestamp, event: Event, durable: bool) -> Result<(), JournalLost> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.seq += 1;
        let mut record = Record { seq: inner.seq, at, event };
        // Progress is for the eyes only.
        let kept = !matches!(record.event, Event::StepProgress { .. });
        let mut text = serde_json::to_string(&record).unwrap_or_default();
        // Only a record that may hold a secret is taken apart; all others are written as they are.
        if self.redactor.may_occur_in(&text) {
            let mut json = serde_json::to_value(&record).unwrap_or(Json::Null);
            self.redactor.json(&mut json);
            text = json.to_string();
            if let Ok(redacted) = serde_json::from_value(json) {
                record = redacted;
            }
        }
        let mut result = Ok(());
        let later = inner.gathering && !durable && only_looks(&record.event);
        if let Some(journal) = inner.journal.as_mut().filter(|_| kept) {
            let written = if later { journal.keep(&text) } else { journal.append(&text) };
            let written = written.and_then(|()| if durable { journal.sync() } else { Ok(()) });
            result = inner.note(written);
        }
        (inner.listener)(&record);
        result
    }

    /// Why the journal could not be written, if it could not.
    pub fn lost(&self) -> Option<String> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).broken.clone()
    }

    /// The redactor in front of everything.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}

impl Inner {
    /// Keeps the first reason why the journal could not be written.
    fn note(&mut self, written: std::io::Result<()>) -> Result<(), JournalLost> {
        let (Err(error), Some(journal)) = (written, &self.journal) else { return Ok(()) };
        let message = format!("the journal {} cannot be written: {error}", journal.path().display());
        Err(JournalLost(self.broken.get_or_insert(message).clone()))
    }
}

/// Whether an event tells of looking only: if the program were killed before it was written, nothing that was done would be forgotten.
fn only_looks(event: &Event) -> bool {
    match event {
        Event::StepStarted { effect, .. } | Event::Returned { effect, .. } => *effect == Effect::Read,
        Event::StepFinished { outcome, .. } => *outcome == Outcome::Ok,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::read_journal;
    use runbook_core::path::StepPath;

    fn returned(effect: Effect) -> Event {
        let answer = runbook_core::world::Answer::Cancelled;
        Event::Returned { path: StepPath::root(), attempt: 1, module: "http".into(), effect, answer }
    }

    /// A sink over a journal in a folder of its own.
    fn journalled() -> (tempfile::TempDir, std::path::PathBuf, Sink) {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = JournalWriter::create(folder.path(), "r").expect("a journal");
        let path = journal.path().to_owned();
        let sink = Sink::new(Some(journal), Redactor::default(), Box::new(|_| ()));
        (folder, path, sink)
    }

    fn records(path: &std::path::Path) -> usize {
        read_journal(path).expect("the chain holds").records.len()
    }

    #[test]
    fn looks_are_kept_back_until_the_program_waits_or_something_else_is_told() {
        let (_folder, path, sink) = journalled();
        let tell = |effect| sink.record(Timestamp::now(), returned(effect), false).expect("written");
        tell(Effect::Read);
        assert_eq!(records(&path), 1, "without `gather` each is written at once");
        sink.gather();
        tell(Effect::Read);
        tell(Effect::Read);
        assert_eq!(records(&path), 1);
        sink.flush();
        assert_eq!(records(&path), 3);
        tell(Effect::Read);
        tell(Effect::Change);
        assert_eq!(records(&path), 5, "a change is written at once, in its place");
        tell(Effect::Read);
        drop(sink);
        assert_eq!(records(&path), 6, "nothing is left behind at the end");
    }

    #[test]
    fn a_burst_of_looks_is_written_before_it_grows_large() {
        let (_folder, path, sink) = journalled();
        sink.gather();
        for _ in 0..1000 {
            sink.record(Timestamp::now(), returned(Effect::Read), false).expect("written");
        }
        assert!(std::fs::metadata(&path).expect("there").len() > 100_000);
    }
}
