//! Copies of a database that hold what it holds, its log included, and are checked.

use std::path::Path;
use std::time::Duration;

use runbook_core::module::Fault;
use runbook_core::value::{Size, format_size};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use rustix::fs::statvfs;

use super::{Db, Open, read, size_of};
use crate::support::blocking::Stop;
use crate::support::paths::{fault, parent};

/// Pages copied between two looks whether to go on.
const STEP: i32 = 1000;

/// What a copy holds.
pub(crate) struct Copied {
    pub(crate) size: Size,
    pub(crate) pages: i64,
    pub(crate) tables: Vec<String>,
}

/// Refuses what would not fit.
pub(crate) fn room(folder: &Path, needed: u64, what: &str) -> Result<u64, Fault> {
    let stat = statvfs(folder).map_err(|e| fault(folder, &e.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < needed {
        return Err(Fault::refused(format!(
            "{} has {} free, and {what} needs up to {}: make room first",
            folder.display(),
            format_size(free),
            format_size(needed)
        )));
    }
    Ok(free)
}

/// The bytes that a copy takes.
pub(crate) fn bytes(path: &Path, busy: Duration, stop: &Stop) -> Result<u64, Fault> {
    read::read(path, busy, stop, |db, _| {
        let bytes = db.number("page_count")?.saturating_mul(db.number("page_size")?);
        Ok(u64::try_from(bytes).unwrap_or_default())
    })
}

/// What is wrong with a file that nobody writes; it must be a database.
pub(crate) fn problems(path: &Path, stop: &Stop) -> Result<Vec<String>, Fault> {
    if size_of(path) == 0 {
        return Ok(vec!["the file is empty".to_owned()]);
    }
    Db::open(path, Open::Immutable, Duration::ZERO, stop)?.problems(true)
}

/// Copies a database into a file, page by page, while others go on using it; then looks whether the copy is whole.
pub(crate) fn copy(from: &Path, to: &Path, busy: Duration, stop: &Stop) -> Result<Copied, Fault> {
    read::read(from, busy, stop, |db, _| {
        let wrong = |e: &rusqlite::Error| super::fault(to, e);
        // Anew whenever it is begun: what a copy that was broken off left is no start.
        std::fs::write(to, b"").map_err(|e| fault(to, &e))?;
        let mut target = Connection::open(to).map_err(|e| wrong(&e))?;
        let started = std::time::Instant::now();
        {
            let backup = Backup::new(&db.conn, &mut target).map_err(|e| wrong(&e))?;
            loop {
                stop.check()?;
                match backup.step(STEP).map_err(|e| wrong(&e))? {
                    StepResult::Done => break,
                    StepResult::More => {}
                    _ if started.elapsed() < busy => std::thread::sleep(Duration::from_millis(20)),
                    _ => return Err(db.fault(&busy_error())),
                }
            }
        }
        target.close().map_err(|(_, e)| wrong(&e))?;
        std::fs::File::open(to).and_then(|f| f.sync_all()).map_err(|e| fault(to, &e))?;
        let copy = Db::open(to, Open::Immutable, Duration::ZERO, stop)?;
        if let Some(problem) = copy.problems(true)?.first() {
            return Err(Fault::unmet(format!(
                "the copy of {} is not whole, and neither is it itself: {problem}",
                from.display()
            )));
        }
        Ok(Copied { size: Size(size_of(to)), pages: copy.number("page_count")?, tables: copy.tables()? })
    })
}

fn busy_error() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)
}

/// A draft beside a place, which vanishes unless it is put there.
pub(crate) fn draft(place: &Path) -> Result<tempfile::NamedTempFile, Fault> {
    tempfile::Builder::new()
        .prefix(".copy.")
        .suffix(".runbook-tmp")
        .tempfile_in(parent(place))
        .map_err(|e| fault(parent(place), &e))
}
