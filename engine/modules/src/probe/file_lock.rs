//! `file_lock`: who holds locks on a file.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::paths::{fault, resolve, resource};
use crate::support::proc_stat::read;
use crate::support::process;

pub(crate) struct FileLock;

/// Looks who holds locks on a file, and who waits for one, with their command lines.
///
/// Without `expect` the step is ok if nobody holds a lock that keeps others from writing. Of a SQLite database the locks of its `-shm` file
/// count too, and each lock is told in SQLite's words: reading, writing, about to write, checkpoint.
///
/// It takes no lock itself. Locks are seen by the kernel's table of this machine: those that another machine holds over a network are not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The file; relative ones start at the project root.
    #[schemars(length(min = 1))]
    path: String,
}

/// Who holds locks.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The file as an absolute path.
    path: String,
    /// Whether anybody holds a lock of any kind.
    locked: bool,
    /// Whether anybody holds a lock that keeps others from writing.
    write_locked: bool,
    /// How many locks are held.
    count: usize,
    /// How many wait for one.
    waiting: usize,
    /// Whether it is a SQLite database.
    sqlite: bool,
    /// The locks that are held or waited for.
    locks: Vec<Lock>,
    /// Those who hold or wait for one, each once, such as `pid 4711 (python3 app.py)`.
    holders: Vec<String>,
}

/// A lock.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Lock {
    /// The file it is on: the path or, of a SQLite database, its `-shm` file.
    file: String,
    /// The process; null if it cannot be seen.
    pid: Option<u32>,
    /// Its command line; null if it cannot be seen.
    command: Option<String>,
    /// The kind: `posix`, `flock`, `ofdlck` or `lease`.
    kind: String,
    /// Whether it keeps others from reading and writing; else only from writing.
    exclusive: bool,
    /// Whether it is waited for and not held.
    waiting: bool,
    /// The first byte that is locked.
    from: u64,
    /// The last byte that is locked; null if it is the end of the file.
    to: Option<u64>,
    /// What SQLite means by it; null if the file is none of SQLite's.
    meaning: Option<String>,
}

/// One row of `/proc/locks`, and the file it speaks of.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    lock: Lock,
    device: (u64, u64),
    inode: u64,
}

fn parse(table: &str) -> Vec<Row> {
    let row = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip(1).peekable();
        let waiting = fields.next_if_eq(&"->").is_some();
        let kind = fields.next()?.to_ascii_lowercase();
        let mode = fields.nth(1)?;
        let pid = fields.next()?.parse::<i64>().ok()?;
        let mut place = fields.next()?.splitn(3, ':');
        let (major, minor) = (u64::from_str_radix(place.next()?, 16).ok()?, u64::from_str_radix(place.next()?, 16).ok()?);
        let inode = place.next()?.parse().ok()?;
        let (from, to) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok());
        // Of a lock that belongs to an open file the table names nobody.
        let pid = u32::try_from(pid).ok().filter(|p| *p > 0);
        let lock =
            Lock { file: String::new(), pid, command: None, kind, exclusive: mode == "WRITE", waiting, from, to, meaning: None };
        Some(Row { lock, device: (major, minor), inode })
    };
    table.lines().filter_map(row).collect()
}

/// What SQLite means by a lock on its database (or on its `-shm` file).
fn meaning(lock: &Lock, shm: bool) -> Option<&'static str> {
    const PENDING: u64 = 0x4000_0000;
    let to = lock.to.unwrap_or(u64::MAX);
    let covers = |byte: u64| lock.from <= byte && byte <= to;
    let of = match (shm, lock.exclusive) {
        (false, true) if covers(PENDING + 2) && to > PENDING + 2 => "exclusive: it writes into the database",
        (false, true) if covers(PENDING) => "pending: it waits for readers to end before it writes",
        (false, true) if covers(PENDING + 1) => "reserved: it is about to write",
        (false, false) if covers(PENDING + 2) => "shared: it reads, or has the database open in WAL mode",
        (true, true) if covers(120) => "it writes into the WAL",
        (true, true) if covers(121) => "it makes a checkpoint",
        (true, true) if covers(122) => "it recovers the WAL",
        (true, false) if lock.from >= 123 && to <= 127 => "it reads",
        (true, _) if covers(128) => "it has the database open in WAL mode",
        _ => return None,
    };
    Some(of)
}

/// Processes that have a file open, by its device and inode.
fn openers(device: u64, inode: u64) -> Vec<u32> {
    let has = |pid: &u32| {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|e| std::fs::metadata(e.path()).ok()).any(|m| m.dev() == device && m.ino() == inode)
    };
    process::ids().filter(has).collect()
}

fn locks_on(path: &Path, rows: &[Row], shm: bool, sqlite: bool) -> Result<Vec<Lock>, Fault> {
    let meta = std::fs::metadata(path).map_err(|e| fault(path, &e))?;
    let device = (u64::from(rustix::fs::major(meta.dev())), u64::from(rustix::fs::minor(meta.dev())));
    let of_inode: Vec<&Row> = rows.iter().filter(|r| r.inode == meta.ino()).collect();
    if of_inode.is_empty() {
        return Ok(Vec::new());
    }
    // Layered file systems show another device than the table has; then who has the file open decides.
    let open = openers(meta.dev(), meta.ino());
    let ours = |row: &&&Row| row.device == device || row.lock.pid.is_some_and(|p| open.contains(&p));
    let mut names: HashMap<u32, Option<String>> = HashMap::new();
    let told = |row: &Row| {
        let mut lock = row.lock.clone();
        lock.file = path.display().to_string();
        if lock.pid.is_none() && open.len() == 1 {
            lock.pid = open.first().copied();
        }
        if let Some(pid) = lock.pid {
            let name = || process::look(pid).ok().flatten().map(|l| l.command());
            lock.command = names.entry(pid).or_insert_with(name).clone();
        }
        lock.meaning = if sqlite { meaning(&lock, shm).map(str::to_owned) } else { None };
        lock
    };
    Ok(of_inode.iter().filter(ours).copied().map(told).collect())
}

fn is_sqlite(path: &Path) -> bool {
    let mut head = [0; 16];
    let read = std::fs::File::open(path).and_then(|mut f| std::io::Read::read_exact(&mut f, &mut head));
    read.is_ok() && &head == b"SQLite format 3\0"
}

fn look(path: &Path) -> Result<Out, Fault> {
    let rows = parse(&read("/proc/locks")?);
    let sqlite = is_sqlite(path);
    let mut locks = locks_on(path, &rows, false, sqlite)?;
    let shm = PathBuf::from(format!("{}-shm", path.display()));
    if sqlite && shm.exists() {
        locks.extend(locks_on(&shm, &rows, true, true)?);
    }
    let mut holders: Vec<String> = Vec::new();
    for lock in &locks {
        let holder = match lock.pid {
            Some(pid) => process::look(pid).ok().flatten().map_or_else(|| format!("pid {pid}"), |look| look.described()),
            None => "somebody who cannot be seen from here".to_owned(),
        };
        if !holders.contains(&holder) {
            holders.push(holder);
        }
    }
    let held = || locks.iter().filter(|l| !l.waiting);
    Ok(Out {
        path: path.display().to_string(),
        locked: held().next().is_some(),
        write_locked: held().any(|l| l.exclusive),
        count: held().count(),
        waiting: locks.len() - held().count(),
        sqlite,
        holders,
        locks,
    })
}

impl Probe for FileLock {
    const NAME: &'static str = "file_lock";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "not write_locked";
    const SAYS: &'static str = "{{ 'not locked' if not locked else (('locked' if write_locked else 'may be written, read') ~ ' by ' ~ (holders | join(', '))) }}";
    const COLUMNS: &'static [&'static str] = &["locked", "waiting"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Nobody writes into a database", yaml: "file_lock: data/memory.db\n", runs: false },
        Example { title: "Nobody holds any lock", yaml: "file_lock: /etc/passwd\nexpect: not locked\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        ByHand::run(format!("grep \":$(stat -c %i {path}) \" /proc/locks"))
            .and("# The fifth word is the process:")
            .and("ps -o pid,args -p '<pid>'")
            .expect("no line with WRITE")
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([resource(&args.path)])
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let path = resolve(cx, "path", &args.path)?;
        blocking(cx.timeout, move |_| look(&path)).await
    }
}

#[cfg(test)]
mod tests {
    use runbook_core::module::Daemon;
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args, eventually};

    async fn observe(host: &TestHost, path: &str) -> Result<Out, Fault> {
        FileLock::observe(&args(json!({ "path": path })), &host.cx()).await
    }

    async fn python(host: &TestHost, script: &str) -> u32 {
        let script = format!("import fcntl, sqlite3, time\n{script}\nopen('ready', 'w').close()\ntime.sleep(1000)");
        let argv = ["python3", "-c", &script].map(str::to_owned).to_vec();
        let pid = host.change().spawn(Daemon { argv, cwd: Some(host.root().to_owned()), ..Daemon::default() }).unwrap().pid;
        eventually("the lock is held", || host.file("ready").exists().then_some(())).await;
        pid
    }

    #[tokio::test]
    async fn holders_are_named() {
        let host = TestHost::new();
        host.write("x", "text");
        let out = observe(&host, "x").await.unwrap();
        assert!(!out.locked && !out.sqlite && out.holders.is_empty());
        let pid = python(&host, "f = open('x', 'r+'); fcntl.lockf(f, fcntl.LOCK_EX, 5, 10)").await;
        let out = observe(&host, "x").await.unwrap();
        assert!(
            out.write_locked
                && out.count == 1
                && out.holders[0].starts_with(&format!("pid {pid} ("))
                && out.holders[0].contains("python3 -c"),
            "{out:?}"
        );
        let lock = &out.locks[0];
        assert_eq!((lock.kind.as_str(), lock.from, lock.to, lock.exclusive, &lock.meaning), ("posix", 10, Some(14), true, &None));
        let fault = observe(&host, "none").await.unwrap_err();
        assert!(matches!(fault, Fault::Unmet { .. }), "{fault:?}");
    }

    #[tokio::test]
    async fn who_keeps_a_database_locked() {
        let host = TestHost::new();
        let pid =
            python(&host, "c = sqlite3.connect('d.db'); c.execute('create table t (a)'); c.execute('begin exclusive')").await;
        let out = observe(&host, "d.db").await.unwrap();
        assert!(out.sqlite && out.write_locked && out.holders[0].starts_with(&format!("pid {pid} ")), "{out:?}");
        assert!(out.locks.iter().any(|l| l.meaning.as_deref().is_some_and(|m| m.starts_with("exclusive"))), "{out:?}");

        let host = TestHost::new();
        let script = "c = sqlite3.connect('d.db', isolation_level=None); c.execute('pragma journal_mode=wal')\n\
            c.execute('create table t (a)'); c.execute('begin immediate'); c.execute('insert into t values (1)')";
        python(&host, script).await;
        let out = observe(&host, "d.db").await.unwrap();
        assert!(out.write_locked && out.locks.iter().any(|l| l.meaning.as_deref() == Some("it writes into the WAL")), "{out:?}");
    }

    #[test]
    fn tables_are_read() {
        let table = "1: POSIX  ADVISORY  WRITE 1374 fe:00:753938 1073741825 1073741825\n1: -> POSIX  ADVISORY  READ 9 fe:00:753938 0 EOF\n\
            2: OFDLCK ADVISORY  READ -1 00:06:3 0 EOF\nnonsense\n";
        let rows = parse(table);
        assert_eq!((rows.len(), rows[0].inode, rows[0].device), (3, 753_938, (0xfe, 0)));
        assert_eq!(meaning(&rows[0].lock, false), Some("reserved: it is about to write"));
        assert!(rows[1].lock.waiting && rows[1].lock.to.is_none() && rows[2].lock.pid.is_none());
    }
}
