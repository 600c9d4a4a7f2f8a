//! Who holds a lock on a database, from the kernel's table: the file itself is not opened, since closing it would take away the locks that
//! this process has on it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::beside;
use crate::support::process;

/// The bytes that SQLite locks in the database itself, and in `-shm`.
const PENDING: u64 = 0x4000_0000;
const RESERVED: u64 = PENDING + 1;
const SHARED: u64 = PENDING + 2;
const SHARED_END: u64 = SHARED + 509;
const WAL_WRITE: u64 = 120;
const WAL_CHECKPOINT: u64 = 121;
const WAL_READ: u64 = 123;
const WAL_READ_END: u64 = 127;

/// A process with a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Holder {
    /// The process; null if the kernel does not say.
    pub(crate) pid: Option<u32>,
    /// Its command line; null if it cannot be seen.
    pub(crate) command: Option<String>,
    /// What it does: `writes`, `checkpoints`, `reads`, or `has it open`.
    pub(crate) lock: &'static str,
}

/// Weakest first.
const WORDS: [&str; 4] = ["has it open", "reads", "checkpoints", "writes"];

struct Lock {
    write: bool,
    pid: i64,
    start: u64,
    end: u64,
}

/// The locks of one file: `1: POSIX  ADVISORY  WRITE 4711 fd:01:262147 1073741825 1073741825`.
fn of_file(table: &str, path: &Path) -> Vec<Lock> {
    let Ok(meta) = std::fs::metadata(path) else { return Vec::new() };
    let (major, minor) = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
    let file = format!("{major:02x}:{minor:02x}:{}", meta.ino());
    let parse = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let kind = words.next()?;
        words.next()?;
        let write = words.next()? == "WRITE";
        let pid = words.next()?.parse().ok()?;
        let this = words.next()? == file && matches!(kind, "POSIX" | "OFDLCK");
        let start = words.next()?.parse().ok()?;
        let end = words.next().and_then(|e| e.parse().ok()).unwrap_or(u64::MAX);
        this.then_some(Lock { write, pid, start, end })
    };
    table.lines().filter(|l| !l.contains("->")).filter_map(parse).collect()
}

/// Who holds locks on a database, the strongest of each process.
pub(crate) fn holders(path: &Path) -> Vec<Holder> {
    let table = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let mut found: BTreeMap<i64, usize> = BTreeMap::new();
    let mut note = |pid: i64, word: &str| {
        let rank = WORDS.iter().position(|w| *w == word).unwrap_or_default();
        let at = found.entry(pid).or_default();
        *at = rank.max(*at);
    };
    let meets = |l: &Lock, from: u64, to: u64| l.start <= to && l.end >= from;
    let wal = beside(path, "-shm");
    // In WAL mode whoever has it open holds a shared lock on the database itself.
    let shared = if wal.exists() { "has it open" } else { "reads" };
    for lock in of_file(&table, path) {
        if lock.write && meets(&lock, PENDING, SHARED_END) || meets(&lock, RESERVED, RESERVED) {
            note(lock.pid, "writes");
        } else if meets(&lock, SHARED, SHARED_END) {
            note(lock.pid, shared);
        }
    }
    for lock in of_file(&table, &wal) {
        if lock.write && meets(&lock, WAL_WRITE, WAL_WRITE) {
            note(lock.pid, "writes");
        } else if lock.write && meets(&lock, WAL_CHECKPOINT, WAL_CHECKPOINT) {
            note(lock.pid, "checkpoints");
        } else if meets(&lock, WAL_READ, WAL_READ_END) {
            note(lock.pid, "reads");
        } else {
            note(lock.pid, "has it open");
        }
    }
    let holder = |(pid, rank): (i64, usize)| {
        let pid = u32::try_from(pid).ok().filter(|p| *p > 0);
        let command = pid.and_then(|p| process::look(p).ok().flatten()).map(|l| l.command());
        Holder { pid, command, lock: WORDS[rank] }
    };
    found.into_iter().map(holder).collect()
}

/// How holders are told: ` by process 4711 (python3 app.py), which writes`.
pub(crate) fn told(holders: &[Holder]) -> String {
    let strongest = |h: &&Holder| WORDS.iter().position(|w| *w == h.lock);
    match holders.iter().max_by_key(strongest) {
        None => "; nobody can be seen who holds it".to_owned(),
        Some(Holder { pid: None, lock, .. }) => format!(" by a process that cannot be seen, which {lock}"),
        Some(Holder { pid: Some(pid), command, lock }) => match command {
            Some(command) => format!(" by process {pid} ({command}), which {lock}"),
            None => format!(" by process {pid}, which {lock}"),
        },
    }
}

/// The processes that have one of the database's files open, with their command lines.
pub(crate) fn users(path: &Path) -> Vec<(u32, String)> {
    let files: Vec<(u64, u64)> = ["", "-wal", "-shm"]
        .iter()
        .filter_map(|suffix| std::fs::metadata(beside(path, suffix)).ok())
        .map(|m| (m.dev(), m.ino()))
        .collect();
    let has_open = |pid: u32| {
        let fds = std::fs::read_dir(format!("/proc/{pid}/fd"));
        fds.into_iter()
            .flatten()
            .flatten()
            .any(|fd| std::fs::metadata(fd.path()).is_ok_and(|m| m.is_file() && files.contains(&(m.dev(), m.ino()))))
    };
    let mut pids: Vec<u32> = process::ids().filter(|pid| has_open(*pid)).collect();
    // The descriptors of other users' processes may not be seen, but their locks are.
    pids.extend(holders(path).iter().filter_map(|h| h.pid));
    pids.sort_unstable();
    pids.dedup();
    let command = |pid: u32| process::look(pid).ok().flatten().map(|l| l.command()).unwrap_or_default();
    pids.into_iter().map(|pid| (pid, command(pid))).collect()
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::support::sqlite::testing;
    use crate::support::testing::TestHost;

    fn lock_of(path: &Path) -> Option<(u32, &'static str)> {
        holders(path).first().map(|h| (h.pid.unwrap(), h.lock))
    }

    #[test]
    fn writers_and_readers_are_found_in_both_modes() {
        let host = TestHost::new();
        let me = std::process::id();
        let path = host.file("a b.db");
        testing::plain(&path, 3);
        assert!(holders(&path).is_empty() && users(&path).is_empty());
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(lock_of(&path), Some((me, "writes")));
        conn.execute_batch("COMMIT; BEGIN; SELECT * FROM t").unwrap();
        assert_eq!(lock_of(&path), Some((me, "reads")));
        assert_eq!(users(&path).first().map(|u| u.0), Some(me));
        drop(conn);
        let path = host.file("wal.db");
        let conn = testing::wal(&path);
        assert_eq!(lock_of(&path), Some((me, "has it open")));
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(lock_of(&path), Some((me, "writes")));
        assert!(told(&holders(&path)).starts_with(&format!(" by process {me} (")));
        drop(conn);
        assert!(holders(&path).is_empty());
    }
}
