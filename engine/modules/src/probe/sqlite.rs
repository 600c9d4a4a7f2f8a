//! `sqlite`: looks into an SQLite database.

use std::path::PathBuf;
use std::time::{Duration as Std, Instant};

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches, hand_word};
use runbook_core::value::{Duration, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::db_params::{Params, Rows};
use crate::support::net::rounded;
use crate::support::paths::resolve;
use crate::support::sqlite::locks::{Holder, holders};
use crate::support::sqlite::{Db, beside, read, resource, size_of};

pub(crate) struct Sqlite;

/// Looks into an SQLite database, and changes nothing.
///
/// The file must exist: it is opened to read and never made. It tells the tables, the state of the write-ahead log and who holds a lock, runs a
/// query if one is given, and checks the integrity if that is asked for. A database that is locked, broken or missing fails the step.
///
/// Values go into a query by `params`, never by writing them into its text: `?` takes the next one of a list, `:name` the one of that name
/// in a map. A query that would change something is refused; that is for `sqlite.exec`.
///
/// Without `expect` the step is ok unless the integrity check found something.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The database; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// One statement that only reads. Default: none.
    #[serde(default)]
    query: Option<String>,
    /// The values for the places in the query: a list for `?`, a map for `:name`. Default: none.
    #[serde(default)]
    params: Params,
    /// The most rows to keep, 1 to 100000. Default: 100.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 100_000))]
    limit: usize,
    /// Whether to check the file: `none` (default), `quick`, or `full`, which also compares indexes with their tables. It reads all of it.
    #[serde(default)]
    integrity: Integrity,
    /// How long to wait for a lock. Default: `1s`.
    #[serde(default)]
    busy_timeout: Option<Duration>,
}

fn hundred() -> usize {
    100
}

/// How much is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Integrity {
    #[default]
    None,
    Quick,
    Full,
}

/// What is in it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The database, as an absolute path.
    path: String,
    /// The size of the file.
    size: Size,
    /// The names of the tables.
    tables: Vec<String>,
    /// The first cell of the first row; null if there is no row.
    value: Json,
    /// The rows as maps from column to value; bytes are written in hexadecimal.
    rows: Vec<Map<String, Json>>,
    /// The number of rows kept.
    row_count: usize,
    /// Whether there were more rows than `limit`.
    truncated: bool,
    /// The columns of the query.
    columns: Vec<String>,
    /// `ok`, or the first thing that is wrong; null if it was not checked.
    integrity: Option<String>,
    /// Everything that the check found.
    problems: Vec<String>,
    /// `wal`, `delete` and so on.
    journal_mode: String,
    /// The size of the write-ahead log; changes that are in it only are lost if the database is copied without it.
    wal_size: Size,
    /// The pages in the write-ahead log, old ones included.
    wal_frames: u64,
    /// The size of a page.
    page_size: Size,
    /// Pages in the file.
    pages: i64,
    /// Pages that hold nothing, which VACUUM gives back.
    free_pages: i64,
    /// The number that the application keeps in it, often the version of its schema.
    user_version: i64,
    /// Whether somebody is writing now.
    locked: bool,
    /// The processes that hold a lock on it.
    lock_holders: Vec<Holder>,
    /// How long looking took.
    elapsed: Duration,
}

struct Look {
    path: PathBuf,
    query: Option<String>,
    params: Params,
    limit: usize,
    integrity: Integrity,
    busy: Std,
}

impl Look {
    fn run(&self, stop: &Stop) -> Result<Out, Fault> {
        let started = Instant::now();
        crate::support::sqlite::there(&self.path)?;
        // Before it is opened here, which takes locks as well.
        let holders = holders(&self.path);
        let mut out = read::read(&self.path, self.busy, stop, |db, mode| self.of(db, mode))?;
        out.locked = holders.iter().any(|h| h.lock == "writes");
        out.lock_holders = holders;
        out.elapsed = rounded(started.elapsed());
        Ok(out)
    }

    fn of(&self, db: &Db, mode: Option<&'static str>) -> Result<Out, Fault> {
        let page_size = db.number("page_size")?;
        let wal_size = size_of(&beside(&self.path, "-wal"));
        let rows = match &self.query {
            Some(query) => db.rows(query, &self.params, self.limit, false)?,
            None => Rows::default(),
        };
        let problems = match self.integrity {
            Integrity::None => None,
            depth => Some(db.problems(depth == Integrity::Full)?),
        };
        let first = |p: &Vec<String>| p.first().cloned().unwrap_or_else(|| "ok".to_owned());
        let broken = problems.as_ref().is_some_and(|p| !p.is_empty());
        let tables = match db.tables() {
            Err(_) if broken => Vec::new(),
            other => other?,
        };
        Ok(Out {
            path: self.path.display().to_string(),
            size: Size(size_of(&self.path)),
            tables,
            value: rows.value(),
            row_count: rows.rows.len(),
            truncated: rows.truncated,
            columns: rows.columns,
            rows: rows.rows,
            integrity: problems.as_ref().map(first),
            problems: problems.unwrap_or_default(),
            journal_mode: mode.map_or_else(|| db.text("journal_mode"), |m| Ok(m.to_owned()))?,
            wal_size: Size(wal_size),
            // The log has a head of 32 bytes, each page in it one of 24.
            wal_frames: wal_size.saturating_sub(32) / (u64::try_from(page_size).unwrap_or(4096) + 24),
            page_size: Size(u64::try_from(page_size).unwrap_or_default()),
            pages: db.number("page_count")?,
            free_pages: db.number("freelist_count")?,
            user_version: db.number("user_version")?,
            locked: false,
            lock_holders: Vec::new(),
            elapsed: Std::ZERO.into(),
        })
    }
}

impl Probe for Sqlite {
    const NAME: &'static str = "sqlite";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "integrity is none or integrity == 'ok'";
    const SAYS: &'static str = "{{ size }}, {{ tables | length }} tables";
    const COLUMNS: &'static [&'static str] = &["size", "value"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Memories that are not archived",
            yaml: "sqlite:\n  path: data/memory.db\n  query: SELECT count(*) FROM memories WHERE user_id = ? AND archived_at IS NULL\n  params: ['{{ params.user }}']\nexpect: value > 0\n",
            runs: false,
        },
        Example {
            title: "The file is whole, and nobody holds it",
            yaml: "sqlite: { path: data/memory.db, integrity: full }\nexpect:\n  - integrity == 'ok'\n  - not locked\n",
            runs: false,
        },
        Example {
            title: "The write-ahead log does not grow",
            yaml: "sqlite: data/memory.db\nexpect: wal_size < 64MiB\n",
            runs: false,
        },
        Example { title: "A missing file fails and is not made", yaml: "sqlite: '{tmp}/missing.db'\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let cli = format!("sqlite3 -readonly -bail -header {path}");
        let query = args.text("query");
        let check = match args.or("integrity", "none").as_str() {
            "quick" => Some("PRAGMA quick_check"),
            "full" => Some("PRAGMA integrity_check"),
            _ => None,
        };
        let mut hand = ByHand::run(format!("ls -l {path} && {cli} .tables"))
            .and_if(query.map(|q| format!("{cli} {}", hand_word(&q))))
            .and_if(check.map(|c| format!("{cli} {}", hand_word(c))));
        if args.get("params").is_some() {
            hand = hand
                .note("Type the query without it to start `sqlite3`, and give each value with `.parameter set ?1 VALUE` first.");
        }
        hand.note(format!("Who has it open: `fuser -v {path}`.")).expect("no line that begins with Error; a check says `ok`")
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([resource(&args.path), Resource::file(crate::support::paths::tidy(&args.path))])
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if args.query.is_none() && args.params != Params::default() {
            return Err(Fault::invalid("params", "`params` are the values of a `query`, and there is none"));
        }
        Ok(())
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        Self::check(args)?;
        let look = Look {
            path: resolve(cx, "path", &args.path)?,
            query: args.query.clone(),
            params: args.params.clone(),
            limit: args.limit,
            integrity: args.integrity,
            busy: args.busy_timeout.map_or(Std::from_secs(1), Duration::to_std),
        };
        blocking(cx.timeout, move |stop| look.run(stop)).await
    }
}

/// The names of what lies in a folder, to see that nothing was left.
#[cfg(test)]
fn names(folder: &std::path::Path) -> Vec<String> {
    let mut all: Vec<String> =
        std::fs::read_dir(folder).unwrap().flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    all.sort();
    all
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
