//! SQLite: files that exist are opened, never made; who holds a lock is told; long statements end with the step.

pub(crate) mod copy;
pub(crate) mod locks;
pub(crate) mod read;

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runbook_core::module::{Fault, Resource};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use serde_json::{Map, Value as Json, json};

use super::blocking::Stop;
use super::db_params::{Params, Rows};
use super::paths;

/// The databases that this process has open, by device and inode. Closing any other descriptor of such a file would take its locks away
/// (fcntl(2)), so its first bytes are read only while it is not in this table.
static OPEN: Mutex<Option<HashMap<(u64, u64), usize>>> = Mutex::new(None);

fn with_open<T>(work: impl FnOnce(&mut HashMap<(u64, u64), usize>) -> T) -> T {
    work(OPEN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}

/// An open database.
pub(crate) struct Db {
    pub(crate) conn: Connection,
    pub(crate) path: PathBuf,
    ended: Arc<AtomicBool>,
    id: (u64, u64),
}

impl Drop for Db {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // The connection must be closed before the file counts as closed.
        if let Ok(memory) = Connection::open_in_memory() {
            drop(std::mem::replace(&mut self.conn, memory));
        }
        with_open(|open| {
            if let Some(n) = open.get_mut(&self.id) {
                *n -= 1;
                if *n == 0 {
                    open.remove(&self.id);
                }
            }
        });
    }
}

/// How a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// To read.
    Read,
    /// To read a file that nobody writes: no lock is taken and no file beside it is made.
    Immutable,
    /// To write.
    Write,
}

impl Db {
    /// Opens a database that exists.
    pub(crate) fn open(path: &Path, how: Open, busy: Duration, stop: &Stop) -> Result<Db, Fault> {
        let meta = there(path)?;
        let id = (meta.dev(), meta.ino());
        let mut uri = format!("file:{}", encoded(path));
        uri.push_str(match how {
            Open::Read => "?mode=ro",
            Open::Immutable => "?mode=ro&immutable=1",
            Open::Write => "?mode=rw",
        });
        let access = if how == Open::Write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
        let flags = access | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        with_open(|open| *open.entry(id).or_default() += 1);
        let conn = match Connection::open_with_flags(uri, flags) {
            Ok(conn) => conn,
            Err(e) => {
                with_open(|open| open.get_mut(&id).map(|n| *n -= 1));
                return Err(fault(path, &e));
            }
        };
        let ended = Arc::new(AtomicBool::new(false));
        let db = Db { conn, path: path.to_owned(), ended: ended.clone(), id };
        db.conn.busy_timeout(busy).map_err(|e| fault(path, &e))?;
        // A statement ends when the step does: somebody must tell it.
        let (handle, stop) = (db.conn.get_interrupt_handle(), stop.clone());
        let watch = move || {
            while !ended.load(Ordering::Relaxed) {
                if stop.check().is_err() {
                    handle.interrupt();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        std::thread::Builder::new().name("sqlite-limit".to_owned()).spawn(watch).map_err(|e| paths::fault(path, &e))?;
        Ok(db)
    }

    /// What an error means, with who stands in the way.
    pub(crate) fn fault(&self, error: &rusqlite::Error) -> Fault {
        fault(&self.path, error)
    }

    /// A number that a pragma gives.
    pub(crate) fn number(&self, pragma: &str) -> Result<i64, Fault> {
        self.conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).map_err(|e| self.fault(&e))
    }

    /// A text that a pragma gives.
    pub(crate) fn text(&self, pragma: &str) -> Result<String, Fault> {
        self.conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).map_err(|e| self.fault(&e))
    }

    /// The tables.
    pub(crate) fn tables(&self) -> Result<Vec<String>, Fault> {
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
        let mut statement = self.conn.prepare(sql).map_err(|e| self.fault(&e))?;
        let names = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
        names.map_err(|e| self.fault(&e))
    }

    /// What is wrong with it: nothing if the list is empty.
    pub(crate) fn problems(&self, full: bool) -> Result<Vec<String>, Fault> {
        let pragma = if full { "PRAGMA integrity_check" } else { "PRAGMA quick_check" };
        let told: Result<Vec<String>, _> =
            self.conn.prepare(pragma).and_then(|mut s| s.query_map([], |row| row.get(0)).and_then(Iterator::collect));
        match told {
            Ok(lines) => Ok(lines.into_iter().filter(|l| l != "ok").collect()),
            // A file may be too broken to be checked.
            Err(e) if matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => {
                Ok(vec![e.to_string()])
            }
            Err(e) => Err(self.fault(&e)),
        }
    }

    /// The rows of one statement with its values bound.
    pub(crate) fn rows(&self, sql: &str, params: &Params, limit: usize, may_write: bool) -> Result<Rows, Fault> {
        let mut statement = self.conn.prepare(sql).map_err(|e| self.fault(&e))?;
        if !may_write && !statement.readonly() {
            return Err(Fault::invalid("query", "the query would change the database; use `sqlite.exec`"));
        }
        bind(&mut statement, params)?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut out = Rows { columns, ..Rows::default() };
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|e| self.fault(&e))? {
            if out.rows.len() == limit {
                out.truncated = true;
                if !may_write {
                    break;
                }
                continue;
            }
            let mut map = Map::new();
            for (i, name) in out.columns.iter().enumerate() {
                map.insert(name.clone(), json_of(row.get_ref(i).map_err(|e| self.fault(&e))?));
            }
            out.rows.push(map);
        }
        Ok(out)
    }
}

fn json_of(value: rusqlite::types::ValueRef<'_>) -> Json {
    use rusqlite::types::ValueRef as V;
    match value {
        V::Null => Json::Null,
        V::Integer(n) => json!(n),
        V::Real(x) => json!(x),
        V::Text(t) => json!(String::from_utf8_lossy(t)),
        V::Blob(b) => json!(b.iter().map(|b| format!("{b:02x}")).collect::<String>()),
    }
}

fn value_of(json: &Json) -> Option<rusqlite::types::Value> {
    use rusqlite::types::Value as V;
    Some(match json {
        Json::Null => V::Null,
        Json::Bool(b) => V::Integer(i64::from(*b)),
        Json::Number(n) => n.as_i64().map_or_else(|| V::Real(n.as_f64().unwrap_or_default()), V::Integer),
        Json::String(s) => V::Text(s.clone()),
        Json::Array(_) | Json::Object(_) => return None,
    })
}

fn bind(statement: &mut rusqlite::Statement<'_>, params: &Params) -> Result<(), Fault> {
    let bad = |message: String| Fault::invalid("params", message);
    let places = statement.parameter_count();
    let mut put = |place: usize, name: &str, json: &Json| {
        let value =
            value_of(json).ok_or_else(|| bad(format!("the value of {name} is neither a text nor a number, boolean or null")))?;
        statement.raw_bind_parameter(place, value).map_err(|e| bad(e.to_string()))
    };
    match params {
        Params::List(values) if values.len() != places => {
            Err(bad(format!("the statement has {places} places for values, and `params` has {}", values.len())))
        }
        Params::List(values) => values.iter().enumerate().try_for_each(|(i, v)| put(i + 1, &format!("place {}", i + 1), v)),
        Params::Named(values) => {
            let names: Vec<Option<String>> = (1..=places).map(|i| statement.parameter_name(i).map(str::to_owned)).collect();
            let mut used = Vec::new();
            for (i, name) in names.iter().enumerate() {
                let Some(bare) = name.as_deref().and_then(|n| n.get(1..)) else {
                    return Err(bad("the statement has places without a name; write `params` as a list".to_owned()));
                };
                let value = values.get(bare).ok_or_else(|| bad(format!("`params` has no value for `{bare}`")))?;
                statement
                    .raw_bind_parameter(
                        i + 1,
                        value_of(value).ok_or_else(|| bad(format!("the value of `{bare}` is no single value")))?,
                    )
                    .map_err(|e| bad(e.to_string()))?;
                used.push(bare);
            }
            match values.keys().find(|k| !used.contains(&k.as_str())) {
                Some(name) => Err(bad(format!("the statement has no place named `{name}`"))),
                None => Ok(()),
            }
        }
    }
}

/// What is there; only a file can be a database.
pub(crate) fn there(path: &Path) -> Result<std::fs::Metadata, Fault> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => Ok(meta),
        Ok(_) => Err(Fault::unmet(format!("{} is not a file", path.display()))),
        Err(e) => Err(paths::fault(path, &e)),
    }
}

fn encoded(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.');
    path.as_os_str().as_bytes().iter().map(|&b| if plain(b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A file that belongs to a database: `-wal`, `-shm`, `-journal`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The size of a file, 0 if there is none.
pub(crate) fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map(|m| m.len()).unwrap_or_default()
}

/// The resource of a database.
pub(crate) fn resource(path: &str) -> Resource {
    Resource::new("db", paths::tidy(path).display())
}

/// What an error means.
pub(crate) fn fault(path: &Path, error: &rusqlite::Error) -> Fault {
    let name = path.display();
    // The text of a statement may be long, and is known to who wrote it.
    let text = match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::MultipleStatement => {
            return Fault::invalid("query", "there is more than one statement; only one can be run at a time");
        }
        other => other.to_string(),
    };
    use ErrorCode as C;
    match error.sqlite_error_code() {
        Some(C::DatabaseBusy | C::DatabaseLocked) => {
            Fault::unmet(format!("{name} is locked{}", locks::told(&locks::holders(path))))
        }
        Some(C::NotADatabase) => Fault::unmet(format!("{name} is not an SQLite database")),
        Some(C::OperationInterrupted) => {
            Fault::TimedOut { message: format!("{name}: the statement took too long"), result: Json::Null }
        }
        Some(C::CannotOpen | C::PermissionDenied | C::ReadOnly | C::AuthorizationForStatementDenied | C::OutOfMemory) => {
            Fault::cannot_tell(format!("{name}: {text}; is it readable, and its folder writable, for this user?"))
        }
        _ if text.contains("syntax error") || text.contains("incomplete input") => {
            Fault::invalid("query", format!("that is no SQL: {text}"))
        }
        _ => Fault::unmet(format!("{name}: {text}")),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A database in WAL mode with 100 rows that are in its `-wal` only, kept open.
    pub(crate) fn wal(path: &Path) -> Connection {
        let conn = Connection::open(path).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
        fill(&conn, 100);
        conn
    }

    /// More rows.
    pub(crate) fn fill(conn: &Connection, n: usize) {
        for i in 0..n {
            conn.execute("INSERT INTO t (name) VALUES (?1)", [format!("name {i}")]).unwrap();
        }
    }

    /// A plain database with so many rows, closed.
    pub(crate) fn plain(path: &Path, rows: usize) {
        let conn = Connection::open(path).unwrap();
        conn.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)").unwrap();
        fill(&conn, rows);
    }

    /// The number of rows, as `sqlite3` counts them.
    pub(crate) fn count(path: &Path) -> String {
        let done = std::process::Command::new("sqlite3").arg(path).arg("SELECT count(*) FROM t").output().unwrap();
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Another process with the database open and a statement begun; it ends when this is dropped.
    pub(crate) struct Other {
        child: std::process::Child,
        pub(crate) pid: u32,
    }

    impl Other {
        /// Starts one, and waits until the statements have run.
        pub(crate) fn with(path: &Path, sql: &str) -> Other {
            use std::io::{BufRead, BufReader, Write};
            use std::process::{Command, Stdio};
            let mut child = Command::new("sqlite3").arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            writeln!(child.stdin.as_mut().unwrap(), "{sql};\nSELECT 'begun';").unwrap();
            let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
            assert!(lines.any(|l| l.unwrap() == "begun"));
            Other { pid: child.id(), child }
        }
    }

    impl Drop for Other {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
