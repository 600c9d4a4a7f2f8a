//! The files of a service: process id, record, lock, logs.
//!
//! The pid file holds a plain number for other tools. The record beside it holds what tells the process apart from another of that
//! number. Both are written at once after the start, so that an engine that dies in between leaves enough to go on from.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runbook_core::module::{Cx, Fault};
use runbook_core::value::Time;
use serde::{Deserialize, Serialize};

use super::service_entry::ServiceEntry;

/// How long to wait for another run that acts on the same service.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most of a log that is read for its last lines.
const TAIL: u64 = 32 * 1024;

/// Where the files of a service are.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// The plain pid file.
    pub(crate) pid: PathBuf,
    /// The record.
    pub(crate) record: PathBuf,
    lock: PathBuf,
    /// Standard output.
    pub(crate) stdout: PathBuf,
    /// Standard error.
    pub(crate) stderr: PathBuf,
}

/// What is written down about a process that was started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The service.
    pub(crate) service: String,
    /// The process id, which is also that of its group.
    pub(crate) pid: u32,
    /// The process group.
    pub(crate) pgid: u32,
    /// When it started, in ticks since boot; 0 if it was gone before one could look.
    pub(crate) starttime: u64,
    /// The boot.
    pub(crate) boot_id: String,
    /// The space of process ids.
    pub(crate) pid_space: String,
    /// The program's file.
    pub(crate) exe: Option<PathBuf>,
    /// A hash of the argument vector, which may hold what must not be written down.
    pub(crate) argv_sha256: String,
    /// The value of the marker variable in its environment.
    pub(crate) marker: String,
    /// The ports it was to listen on.
    pub(crate) ports: Vec<u16>,
    /// Its standard output.
    pub(crate) stdout: LogMark,
    /// Its standard error.
    pub(crate) stderr: LogMark,
    /// When it was started.
    pub(crate) started_at: Time,
}

/// Where in a log a start begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LogMark {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its length at the start, in bytes.
    pub(crate) offset: u64,
    /// The file's number, by which a rotated log is noticed.
    pub(crate) inode: u64,
}

impl LogMark {
    /// The end of a log as it is now.
    pub(crate) fn at_end(path: &Path) -> LogMark {
        let (offset, inode) = std::fs::metadata(path).map_or((0, 0), |m| (m.len(), m.ino()));
        LogMark { path: path.to_owned(), offset, inode }
    }

    /// The last lines since the mark.
    pub(crate) fn tail(&self, lines: usize) -> Vec<String> {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let meta = file.metadata()?;
            // Rotated or cut off since: everything in it is new.
            let other = (self.inode != 0 && self.inode != meta.ino()) || meta.len() < self.offset;
            let from = if other { 0 } else { self.offset };
            file.seek(SeekFrom::Start(from.max(meta.len().saturating_sub(TAIL))))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].iter().map(|l| (*l).to_owned()).collect()
    }
}

/// What a pid file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PidFile {
    /// There is none.
    Absent,
    /// This number.
    Number(u32),
    /// No number.
    Garbage,
}

/// Reads a pid file: a number on the first line.
///
/// # Errors
/// If there is one that cannot be read.
pub(crate) fn read_pid_file(path: &Path) -> io::Result<PidFile> {
    let mut text = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(4096).read_to_end(&mut text)?,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(PidFile::Absent),
        Err(e) => return Err(e),
    };
    let text = String::from_utf8_lossy(&text);
    let number = text.lines().next().and_then(|l| l.trim().parse::<i32>().ok()).filter(|n| *n > 0);
    Ok(number.map_or(PidFile::Garbage, |n| PidFile::Number(n.unsigned_abs())))
}

/// The record beside a pid file.
pub(crate) fn record_path(pid_file: &Path) -> PathBuf {
    beside(pid_file, ".json")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Reads a record. An empty one is none: see `write_whole`.
///
/// # Errors
/// What is wrong with one that is there.
pub(crate) fn read_record(path: &Path) -> Result<Option<Record>, String> {
    match std::fs::read(path) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => {
            let record = serde_json::from_slice(&bytes);
            record.map(Some).map_err(|e| format!("`{}` is not a record of a service: {e}", path.display()))
        }
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(format!("`{}` cannot be read: {e}", path.display())),
    }
}

/// Writes a file so that nobody sees half of it.
///
/// Not synced: it speaks of a process, which does not outlive the machine. What a loss of power may leave is an empty file,
/// which [`read_record`] takes for none and [`read_pid_file`] for no number.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    // Other tools and other users read it; a temporary file is for its owner alone.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode)?;
    file.persist(path)?;
    Ok(())
}

fn remove(path: &Path) -> Result<bool, Fault> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(Fault::cannot_tell(format!("`{}` cannot be removed: {e}", path.display()))),
    }
}

impl Files {
    /// The files of a service.
    pub(crate) fn of(entry: &ServiceEntry, cx: &Cx<'_>) -> Files {
        let name = entry.id.replace('/', "_");
        let own = |given: &Option<PathBuf>, folder: &str, ending: &str| match given {
            Some(path) => cx.resolve(path),
            None => cx.state.join(folder).join(format!("{name}{ending}")),
        };
        let pid = own(&entry.pid_file, "services", ".pid");
        Files {
            record: record_path(&pid),
            lock: beside(&pid, ".lock"),
            stdout: own(&entry.stdout, "logs", ".out.log"),
            stderr: own(&entry.stderr, "logs", ".err.log"),
            pid,
        }
    }

    /// Makes the folders of the logs.
    ///
    /// # Errors
    /// If they cannot be made.
    pub(crate) fn make_log_folders(&self) -> Result<(), Fault> {
        [&self.stdout, &self.stderr].into_iter().try_for_each(|p| make_folder_of(p))
    }

    /// Writes the record, then the pid file.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(record).map_err(io::Error::other)?;
        write_whole(&self.record, &json)?;
        write_whole(&self.pid, format!("{}\n", record.pid).as_bytes())
    }

    /// Removes the pid file, then the record. Says whether there was one.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub(crate) fn remove(&self) -> Result<bool, Fault> {
        let pid = remove(&self.pid)?;
        Ok(remove(&self.record)? || pid)
    }

    /// Takes the lock under which one run at a time acts on the service. It ends with the value, or with the engine.
    ///
    /// # Errors
    /// If another run keeps it, or the folder cannot be written.
    pub(crate) async fn lock(&self, cx: &Cx<'_>, name: &str) -> Result<Lock, Fault> {
        make_folder_of(&self.lock)?;
        let started = Instant::now();
        let mut told = false;
        loop {
            let trouble = |e: io::Error| Fault::cannot_tell(format!("`{}` cannot be locked: {e}", self.lock.display()));
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.lock).map_err(trouble)?;
            match file.try_lock() {
                Ok(()) => {
                    // The one before may have removed the file between our opening and our locking it.
                    let (ours, there) = (file.metadata().map_err(trouble)?, std::fs::metadata(&self.lock));
                    if there.is_ok_and(|t| (t.dev(), t.ino()) == (ours.dev(), ours.ino())) {
                        return Ok(Lock { path: self.lock.clone(), _file: file });
                    }
                    continue;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(trouble(e)),
            }
            if started.elapsed() > PATIENCE {
                return Err(Fault::unmet(format!("another run has been acting on `{name}` for {}s", PATIENCE.as_secs())));
            }
            if !std::mem::replace(&mut told, true) {
                cx.progress(&format!("waiting for another run that acts on `{name}`"));
            }
            cx.sleep(Duration::from_millis(50)).await;
        }
    }
}

fn make_folder_of(path: &Path) -> Result<(), Fault> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .map_err(|e| Fault::cannot_tell(format!("the folder `{}` cannot be made: {e}", folder.display())))
}

/// A lock that is held.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is still locked; whoever waits for it looks whether the file is still there.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::TestHost;
    use super::*;

    fn entry(id: &str) -> ServiceEntry {
        serde_json::from_value(serde_json::json!({ "id": id })).unwrap()
    }

    #[test]
    fn pid_files_are_read_strictly() {
        let host = TestHost::new();
        let read = |text: &str| read_pid_file(&host.write("x.pid", text)).unwrap();
        assert_eq!(read("123\n"), PidFile::Number(123));
        assert_eq!(read(" 123 \nmore"), PidFile::Number(123));
        for bad in ["", "abc", "-5", "0", "99999999999", "12 34"] {
            assert_eq!(read(bad), PidFile::Garbage, "{bad:?}");
        }
        assert_eq!(read_pid_file(&host.file("none")).unwrap(), PidFile::Absent);
    }

    #[tokio::test]
    async fn one_at_a_time() {
        let host = TestHost::new();
        let cx = host.cx();
        let files = Files::of(&entry("a/b"), &cx);
        assert_eq!(files.pid, host.file("services/a_b.pid"));
        let held = files.lock(&cx, "x").await.unwrap();
        let second = files.lock(&cx, "x");
        tokio::pin!(second);
        // Not ready while the first one is held.
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut second).await.is_err());
        drop(held);
        let held = second.await.unwrap();
        assert!(files.lock.exists());
        drop(held);
        assert!(!files.lock.exists());
    }

    #[test]
    fn an_empty_record_is_none_and_garbage_is_told() {
        let host = TestHost::new();
        assert!(read_record(&host.file("none")).unwrap().is_none());
        assert!(read_record(&host.write("empty", "")).unwrap().is_none());
        assert!(read_record(&host.write("bad", "{")).unwrap_err().contains("is not a record of a service"));
    }

    #[test]
    fn a_log_is_read_from_its_mark() {
        let host = TestHost::new();
        let path = host.write("x.log", "old\n");
        let mark = LogMark::at_end(&path);
        assert!(mark.tail(5).is_empty());
        std::fs::write(&path, "old\none\ntwo\nthree").unwrap();
        assert_eq!(mark.tail(2), ["two", "three"]);
        // Cut off and written anew.
        std::fs::write(&path, "n\n").unwrap();
        assert_eq!(mark.tail(5), ["n"]);
        assert!(LogMark::at_end(&host.file("none")).tail(5).is_empty());
    }
}
