//! The database file and the statements on it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};
use serde::Serialize;

use crate::clock;
use crate::fault::MemoryRows;
use crate::state::lock;

/// How long a statement waits for a lock. Python's default is 5 s; a stand-in must show the fault sooner.
const BUSY: Duration = Duration::from_millis(250);

const SCHEMA: &str = "CREATE TABLE memories (
    id INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at TEXT NOT NULL,
    archived_at TEXT
)";

/// The rows of a new database; one of them answers the seeds' query `test`.
const SAMPLE: &[&str] = &[
    "This is a test memory about the weather in Paris",
    "The user prefers short answers",
    "The quarterly report is due on Friday",
    "The staging environment runs the integration test suite every night",
];

/// The user whom the sample rows belong to.
const SAMPLE_USER: &str = "user_demo";

/// What went wrong with the database.
#[derive(Debug)]
pub(crate) enum DbError {
    /// The file is not there.
    Missing,
    /// A directory cannot be made or the file not be looked at.
    Io(std::io::Error),
    /// SQLite said no.
    Sqlite(rusqlite::Error),
}

impl DbError {
    /// The last line of the traceback that Python's `sqlite3` would leave.
    pub(crate) fn exception(&self) -> String {
        match self {
            DbError::Missing => "sqlite3.OperationalError: unable to open database file".to_owned(),
            DbError::Io(error) => format!("OSError: {error}"),
            DbError::Sqlite(rusqlite::Error::SqliteFailure(error, _))
                if matches!(error.code, rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) =>
            {
                format!("sqlite3.DatabaseError: {self}")
            }
            DbError::Sqlite(_) => format!("sqlite3.OperationalError: {self}"),
        }
    }
}

impl std::fmt::Display for DbError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DbError::Missing => f.write_str("unable to open database file"),
            DbError::Io(error) => error.fmt(f),
            DbError::Sqlite(rusqlite::Error::SqliteFailure(_, Some(message))) => f.write_str(message),
            DbError::Sqlite(error) => error.fmt(f),
        }
    }
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        DbError::Sqlite(error)
    }
}

/// One row, as the searches return it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) user_id: String,
    pub(crate) text: String,
    pub(crate) created_at: String,
}

/// The database of memory-engine, which stays open as long as the service runs.
#[derive(Clone)]
pub(crate) struct Memory {
    file: PathBuf,
    open: Arc<Mutex<Open>>,
}

/// The connection, and the file it belongs to: a restored database is another file under the same name.
struct Open {
    connection: Connection,
    identity: (u64, u64),
}

impl Memory {
    /// Opens the database, or makes it with the sample rows.
    pub(crate) fn open(file: PathBuf) -> Result<Memory, DbError> {
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory).map_err(DbError::Io)?;
        }
        let mut connection = connect(&file, true)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        if !has_table(&connection)? {
            let transaction = connection.transaction()?;
            transaction.execute_batch(SCHEMA)?;
            insert_samples(&transaction)?;
            transaction.commit()?;
        }
        let identity = identity(&file)?;
        Ok(Memory { file, open: Arc::new(Mutex::new(Open { connection, identity })) })
    }

    /// Runs statements on the file that now has the name; blocks for a moment when the database is locked.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, DbError>) -> Result<T, DbError> {
        let mut open = lock(&self.open);
        let now = identity(&self.file)?;
        if now != open.identity {
            *open = Open { connection: connect(&self.file, false)?, identity: now };
        }
        work(&mut open.connection)
    }

    /// Finds out whether a write would be possible.
    pub(crate) fn check(&self) -> Result<(), DbError> {
        self.with(|connection| Ok(connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?))
    }

    /// The live rows that contain `query`, newest first.
    pub(crate) fn like(&self, query: &str, user: Option<&str>, limit: usize) -> Result<Vec<Row>, DbError> {
        // The seeds want a literal substring, so the wildcards of LIKE are escaped.
        let pattern = query.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        self.rows(
            "SELECT id, user_id, text, created_at FROM memories
             WHERE archived_at IS NULL AND text LIKE '%' || ?1 || '%' ESCAPE '\\' AND (?2 IS NULL OR user_id = ?2)
             ORDER BY id DESC LIMIT ?3",
            params![pattern, user, i64::try_from(limit).unwrap_or(i64::MAX)],
        )
    }

    /// All live rows of a user, or of everybody.
    pub(crate) fn live(&self, user: Option<&str>) -> Result<Vec<Row>, DbError> {
        self.rows(
            "SELECT id, user_id, text, created_at FROM memories
             WHERE archived_at IS NULL AND (?1 IS NULL OR user_id = ?1) ORDER BY id",
            params![user],
        )
    }

    fn rows(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Row>, DbError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params, |row| {
                Ok(Row { id: row.get(0)?, user_id: row.get(1)?, text: row.get(2)?, created_at: row.get(3)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Adds a row and returns its number.
    pub(crate) fn store(&self, user: &str, text: &str) -> Result<i64, DbError> {
        self.with(|connection| {
            insert(connection, user, text)?;
            Ok(connection.last_insert_rowid())
        })
    }

    /// The fault `memory_rows`.
    pub(crate) fn set_rows(&self, rows: MemoryRows) -> Result<(), DbError> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            match rows {
                MemoryRows::Empty => transaction.execute("DELETE FROM memories", [])?,
                MemoryRows::Archived => transaction.execute("UPDATE memories SET archived_at = ?1", [clock::now()])?,
                MemoryRows::OtherUser => transaction.execute("UPDATE memories SET user_id = 'someone_else'", [])?,
                MemoryRows::Sample => {
                    transaction.execute("DELETE FROM memories", [])?;
                    insert_samples(&transaction)?
                }
            };
            Ok(transaction.commit()?)
        })
    }
}

/// Takes the write lock of a database that exists; dropping the connection gives it back.
pub(crate) fn begin_immediate(file: &Path) -> Result<Connection, DbError> {
    identity(file)?;
    let connection = connect(file, false)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    Ok(connection)
}

fn connect(file: &Path, create: bool) -> Result<Connection, DbError> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

fn identity(file: &Path) -> Result<(u64, u64), DbError> {
    match std::fs::metadata(file) {
        Ok(metadata) => Ok((metadata.dev(), metadata.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(DbError::Missing),
        Err(error) => Err(DbError::Io(error)),
    }
}

fn has_table(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'memories')";
    connection.query_row(sql, [], |row| row.get(0))
}

fn insert(connection: &Connection, user: &str, text: &str) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO memories (user_id, text, created_at) VALUES (?1, ?2, ?3)";
    connection.execute(sql, params![user, text, clock::now()])
}

fn insert_samples(connection: &Connection) -> rusqlite::Result<usize> {
    SAMPLE.iter().map(|text| insert(connection, SAMPLE_USER, text)).sum()
}
