//! Where events go: numbered, redacted, into the journal and to a listener.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use runbook_core::event::{Event, Record};
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
}

/// The journal could not be written: nothing may be begun any more.
#[derive(Clone, Debug)]
pub struct JournalLost(pub String);

impl Sink {
    /// A sink over a journal, if there is one.
    pub fn new(journal: Option<JournalWriter>, redactor: Redactor, listener: Listener) -> Self {
        Sink { inner: Mutex::new(Inner { seq: 0, journal, listener, broken: None }), redactor }
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
        if let Some(journal) = inner.journal.as_mut().filter(|_| kept) {
            let written = journal.append(&text).and_then(|()| if durable { journal.sync() } else { Ok(()) });
            if let Err(error) = written {
                let message = format!("the journal {} cannot be written: {error}", journal.path().display());
                result = Err(JournalLost(inner.broken.get_or_insert(message).clone()));
            }
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
