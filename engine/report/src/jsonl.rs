//! One JSON record a line.

use std::io::Write;

use runbook_core::event::Record;

use crate::reporter::Reporter;

/// Writes every record as one line of JSON, flushed at once, and never anything else.
pub struct JsonlReporter<W> {
    out: W,
    broken: bool,
}

impl<W: Write + Send> JsonlReporter<W> {
    /// Writes to this.
    pub fn new(out: W) -> Self {
        JsonlReporter { out, broken: false }
    }

    /// Whether a write failed; nothing is written after that.
    pub fn is_broken(&self) -> bool {
        self.broken
    }
}

/// The line of a record, with its line break. JSON escapes every line break within.
pub(crate) fn line(record: &Record) -> Vec<u8> {
    // C1, DEL and direction characters are legal in JSON and would still command a terminal.
    let text = serde_json::to_string(record).unwrap_or_default();
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if crate::sanitize::is_hidden(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|u| out.push_str(&format!("\\u{u:04x}")));
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out.into_bytes()
}

impl<W: Write + Send> Reporter for JsonlReporter<W> {
    fn record(&mut self, record: &Record) {
        if !self.broken {
            self.broken = self.out.write_all(&line(record)).and_then(|()| self.out.flush()).is_err();
        }
    }

    fn finish(&mut self) {
        if !self.broken {
            self.broken = self.out.flush().is_err();
        }
    }
}
