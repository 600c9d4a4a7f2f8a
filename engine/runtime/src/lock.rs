//! Locks by the kernel: they die with the process that holds them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// Who holds a lock: information only, the kernel's lock is the truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: String,
    /// What it runs.
    pub playbook: String,
    /// Its process.
    pub pid: u32,
    /// Who runs it.
    pub operator: String,
    /// Since when.
    pub since: Timestamp,
}

/// A held lock; let go when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why a lock was not had.
#[derive(Debug)]
pub enum LockError {
    /// Somebody else holds it.
    Held(Option<Holder>),
    /// The lock file cannot be used.
    Io(io::Error),
}

impl LockError {
    /// Why the lock of this name was not had, in words.
    pub fn words(&self, name: &str) -> String {
        match self {
            LockError::Held(Some(h)) => format!(
                "the lock `{name}` is taken: {} (run {}, pid {}, {}) holds it since {}",
                h.playbook,
                h.run,
                h.pid,
                h.operator,
                h.since.strftime("%Y-%m-%d %H:%M:%S UTC")
            ),
            LockError::Held(None) => format!("the lock `{name}` is taken: another run holds it"),
            LockError::Io(error) => format!("the lock `{name}` cannot be taken: {error}"),
        }
    }
}

impl Lock {
    /// Takes a lock by name, waiting for it so long at most.
    ///
    /// # Errors
    /// Somebody holds it, or the file cannot be used.
    pub fn take(locks: &Path, name: &str, holder: &Holder, wait: Duration) -> Result<Lock, LockError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(locks).map_err(LockError::Io)?;
        let path = locks.join(format!("{}.lock", file_name(name)));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(path)
            .map_err(LockError::Io)?;
        let began = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() < wait => {
                    std::thread::sleep(Duration::from_millis(20).min(wait.saturating_sub(began.elapsed())));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let mut text = String::new();
                    let _ = file.read_to_string(&mut text);
                    return Err(LockError::Held(serde_json::from_str(&text).ok()));
                }
                Err(error) => return Err(LockError::Io(error.into())),
            }
        }
        tracing::debug!(lock = name, run = %holder.run, "took the lock");
        let text = serde_json::to_string(holder).unwrap_or_default();
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes())).map_err(LockError::Io)?;
        Ok(Lock { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // So that who held it last is not taken for who holds it.
        let _ = self.file.set_len(0);
    }
}

/// A lock's name as a file name that cannot leave the folder.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_names_its_holder_and_is_free_after() {
        let folder = std::env::temp_dir().join(format!("runbook-lock-test-{}", std::process::id()));
        let holder = Holder {
            run: "r1".into(),
            playbook: "sonia/stack-start".into(),
            pid: std::process::id(),
            operator: "op".into(),
            since: Timestamp::UNIX_EPOCH,
        };
        let first = Lock::take(&folder, "../sonia", &holder, Duration::ZERO).expect("free");
        match Lock::take(&folder, "../sonia", &holder, Duration::from_millis(1)) {
            Err(LockError::Held(Some(found))) => assert_eq!(found, holder),
            other => panic!("expected a held lock, found {other:?}"),
        }
        drop(first);
        Lock::take(&folder, "../sonia", &holder, Duration::ZERO).expect("free again");
        assert!(folder.join("___sonia.lock").exists());
        fs::remove_dir_all(folder).expect("cleaned up");
    }
}
