//! Writing a journal: one `write` per record, synced where the promise needs it.

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
}

impl JournalWriter {
    /// Makes the journal of a run, durable before anything else happens.
    ///
    /// # Errors
    /// The operating system's, or a journal that is there already.
    pub fn create(runs: &Path, run: &str) -> io::Result<JournalWriter> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(runs)?;
        let path = runs.join(format!("{run}.jsonl"));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
        // Held as long as the run lives; the kernel lets go of it with the process.
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
        let mut writer = JournalWriter { file, path, head: GENESIS.to_owned(), broken: false };
        writer.append(&header(run))?;
        writer.sync()?;
        // A new name is durable only with its folder.
        File::open(runs)?.sync_all()?;
        Ok(writer)
    }

    /// Appends a record (one JSON object) in one write.
    ///
    /// # Errors
    /// The operating system's; after one the journal takes nothing more.
    pub fn append(&mut self, record: &str) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the journal could not be written before"));
        }
        let (line, hash) = write_line(record, &self.head);
        match self.file.write_all(line.as_bytes()) {
            Ok(()) => {
                self.head = hash;
                Ok(())
            }
            Err(error) => {
                self.broken = true;
                Err(error)
            }
        }
    }

    /// Makes everything so far durable. A failed sync is never retried: the kernel may have dropped the pages.
    ///
    /// # Errors
    /// The operating system's; after one the journal takes nothing more.
    pub fn sync(&mut self) -> io::Result<()> {
        let result = self.file.sync_data();
        tracing::trace!(head = %self.head, ok = result.is_ok(), "journal synced");
        self.broken |= result.is_err();
        result
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
