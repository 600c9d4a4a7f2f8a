//! Opening a database to look at it without leaving anything behind.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use runbook_core::module::Fault;

use super::{Db, Open, beside, there, with_open};
use crate::support::blocking::Stop;
use crate::support::paths;

/// A file whose time is younger may be written again without its time moving on.
const SETTLED: Duration = Duration::from_millis(50);

/// What tells whether a file was written.
fn stamp(path: &Path) -> Result<(u64, i64, i64, bool, bool), Fault> {
    let meta = there(path)?;
    Ok((meta.len(), meta.mtime(), meta.mtime_nsec(), beside(path, "-wal").exists(), beside(path, "-journal").exists()))
}

/// Whether a database is in WAL mode, by its first bytes; not known while this process has it open.
fn is_wal(path: &Path) -> Result<Option<bool>, Fault> {
    let meta = there(path)?;
    with_open(|open| {
        if open.contains_key(&(meta.dev(), meta.ino())) {
            return Ok(None);
        }
        let mut head = [0; 20];
        let read = std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut head));
        match read {
            Ok(()) => Ok(Some(head[18] == 2)),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(Some(false)),
            Err(e) => Err(paths::fault(path, &e)),
        }
    })
}

/// Looks at a database. One in WAL mode that nobody has open is read as it is, for opening it the usual way would leave files beside it; if
/// somebody writes to it meanwhile, it is looked at again. `work` is told whether it is in WAL mode, where SQLite does not say so.
pub(crate) fn read<T>(
    path: &Path,
    busy: Duration,
    stop: &Stop,
    mut work: impl FnMut(&Db, Option<&'static str>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    for _ in 0..5 {
        stop.check()?;
        let before = stamp(path)?;
        let idle = !before.3 && !before.4;
        if !idle || is_wal(path)? != Some(true) {
            break;
        }
        let age = there(path)?.modified().ok().and_then(|m| SystemTime::now().duration_since(m).ok()).unwrap_or_default();
        if age < SETTLED {
            std::thread::sleep(SETTLED - age);
        }
        let result = Db::open(path, Open::Immutable, busy, stop).and_then(|db| work(&db, Some("wal")));
        if stamp(path)? == before {
            return result;
        }
    }
    let db = Db::open(path, Open::Read, busy, stop)?;
    work(&db, None)
}
