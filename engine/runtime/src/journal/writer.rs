//! Writing a journal: records in order, synced where the promise needs it.
//!
//! Records of looking may be kept back for a moment and written together; whoever asks for that says when the moment is over, at the
//! latest before the program waits for anything.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::chain::{GENESIS, header, write_line};

/// A run's id: its start in UTC to the second and a short random part, so that ids sort by time and no two collide.
pub fn new_run_id(now: Timestamp) -> String {
    let stamp = now.strftime("%Y%m%d-%H%M%S");
    let mut bytes = [0u8; 3];
    // The kernel's random bytes; if there are none, the process id still tells two runs of a second apart.
    if File::open("/dev/urandom").and_then(|mut f| io::Read::read_exact(&mut f, &mut bytes)).is_err() {
        bytes.copy_from_slice(&std::process::id().to_le_bytes()[..3]);
    }
    format!("{stamp}-{:02x}{:02x}{:02x}", bytes[0], bytes[1], bytes[2])
}

/// An open journal.
pub struct JournalWriter {
    file: File,
    path: PathBuf,
    head: String,
    broken: bool,
    /// Lines that are not in the file yet.
    kept: Vec<u8>,
    /// Whether the file's name is durable.
    named: bool,
}

/// So many bytes are kept back at most.
const MOST_KEPT: usize = 64 * 1024;

impl JournalWriter {
    /// Makes the journal of a run. It is durable from the first [`JournalWriter::sync`] on, which comes before the first effect: of a run
    /// that has only looked, a crash of the machine leaves nothing that would have to be known.
    ///
    /// # Errors
    /// The operating system's, or a journal that is there already.
    pub fn create(runs: &Path, run: &str) -> io::Result<JournalWriter> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(runs)?;
        let path = runs.join(format!("{run}.jsonl"));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
        // Held as long as the run lives; the kernel lets go of it with the process.
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
        let mut writer = JournalWriter { file, path, head: GENESIS.to_owned(), broken: false, kept: Vec::new(), named: false };
        writer.append(&header(run))?;
        Ok(writer)
    }

    /// Appends a record (one JSON object), with all that were kept back before it, in one write.
    ///
    /// # Errors
    /// The operating system's; after one the journal takes nothing more.
    pub fn append(&mut self, record: &str) -> io::Result<()> {
        self.keep(record)?;
        self.flush()
    }

    /// Appends a record that [`JournalWriter::flush`] or the next [`JournalWriter::append`] writes.
    ///
    /// # Errors
    /// As [`JournalWriter::append`], when too much was kept back already.
    pub fn keep(&mut self, record: &str) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the journal could not be written before"));
        }
        let (line, hash) = write_line(record, &self.head);
        self.kept.extend_from_slice(line.as_bytes());
        self.head = hash;
        if self.kept.len() > MOST_KEPT { self.flush() } else { Ok(()) }
    }

    /// Writes what was kept back.
    ///
    /// # Errors
    /// As [`JournalWriter::append`].
    pub fn flush(&mut self) -> io::Result<()> {
        if self.kept.is_empty() || self.broken {
            return Ok(());
        }
        let result = self.file.write_all(&self.kept);
        self.kept.clear();
        self.broken |= result.is_err();
        result
    }

    /// Makes everything so far durable. A failed sync is never retried: the kernel may have dropped the pages.
    ///
    /// # Errors
    /// The operating system's; after one the journal takes nothing more.
    pub fn sync(&mut self) -> io::Result<()> {
        let result = self.flush().and_then(|()| self.file.sync_data()).and_then(|()| self.name_durably());
        tracing::trace!(head = %self.head, ok = result.is_ok(), "journal synced");
        self.broken |= result.is_err();
        result
    }

    /// A new name is durable only with its folder.
    fn name_durably(&mut self) -> io::Result<()> {
        if !self.named
            && let Some(folder) = self.path.parent()
        {
            File::open(folder)?.sync_all()?;
            self.named = true;
        }
        Ok(())
    }

    /// The hash of the last record, for keeping elsewhere.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}
