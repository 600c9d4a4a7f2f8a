//! The four JSON Lines logs.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::console;

/// The open logs. The handles are kept, as the real service keeps them: a renamed log goes on growing.
pub(super) struct Journal {
    sessions: File,
    turns: File,
    tools: File,
    errors: File,
}

impl Journal {
    /// Creates the directory and the files that are missing.
    pub(super) fn open(directory: &Path) -> std::io::Result<Journal> {
        std::fs::create_dir_all(directory)?;
        let open = |name: &str| OpenOptions::new().create(true).append(true).open(directory.join(name));
        Ok(Journal {
            sessions: open("sessions.jsonl")?,
            turns: open("turns.jsonl")?,
            tools: open("tools.jsonl")?,
            errors: open("errors.jsonl")?,
        })
    }

    /// Writes a step in the life of a session.
    pub(super) fn sessions(&self, line: &Value) {
        write(&self.sessions, line);
    }

    /// Writes a turn.
    pub(super) fn turns(&self, line: &Value) {
        write(&self.turns, line);
    }

    /// Writes the execution of a tool.
    pub(super) fn tools(&self, line: &Value) {
        write(&self.tools, line);
    }

    /// Writes a failure.
    pub(super) fn errors(&self, line: &Value) {
        write(&self.errors, line);
    }
}

/// Appends one line in one write, so that no reader and no other writer sees half of it.
fn write(mut file: &File, line: &Value) {
    if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
        console::error(&format!("log not written: {error}"));
    }
}
