//! `sqlite.vacuum`: gives back the space of what was deleted.

use std::path::Path;
use std::time::{Duration as Std, Instant};

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::{Duration, Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::net::rounded;
use crate::support::paths::{parent, resolve, resource as file, tidy};
use crate::support::sqlite::copy::room;
use crate::support::sqlite::locks::{holders, told};
use crate::support::sqlite::{Db, Open, read, resource, there};

pub(crate) struct SqliteVacuum;

/// Rewrites an SQLite database without the space of what was deleted.
///
/// It writes the whole database anew: nobody else can write meanwhile, and up to twice its size must be free. If it is not, if somebody holds
/// a lock, or if the database is broken, nothing is begun. Back it up first (`sqlite.backup`). A file that does not exist is not made.
///
/// If no page is free nothing is to be done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The database, which must exist; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// How long to wait for a lock. Default: `5s`.
    #[serde(default)]
    busy_timeout: Option<Duration>,
}

/// What was given back.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The database, as an absolute path.
    path: String,
    /// The size of its pages before.
    size_before: Size,
    /// The size of its pages now.
    size: Size,
    /// What was given back.
    reclaimed: Size,
    /// Free pages before.
    free_pages_before: i64,
    /// How long it took.
    elapsed: Duration,
}

struct State {
    bytes: u64,
    free_pages: i64,
    free_bytes: u64,
}

fn of(db: &Db) -> Result<State, Fault> {
    let page = u64::try_from(db.number("page_size")?).unwrap_or_default();
    let free_pages = db.number("freelist_count")?;
    let pages = u64::try_from(db.number("page_count")?).unwrap_or_default();
    Ok(State { bytes: pages * page, free_pages, free_bytes: page * u64::try_from(free_pages).unwrap_or_default() })
}

/// What is to be given back, if nothing stands in the way.
fn look(path: &Path, busy: Std, stop: &Stop) -> Result<State, Fault> {
    there(path)?;
    let state = read::read(path, busy, stop, |db, _| {
        let state = of(db)?;
        match db.problems(false)?.first() {
            Some(problem) => {
                Err(Fault::refused(format!("{} is broken, and VACUUM would make it worse: {problem}", path.display())))
            }
            None => Ok(state),
        }
    })?;
    if state.free_pages > 0 {
        room(parent(path), state.bytes.saturating_mul(2), "VACUUM")?;
        let held = holders(path);
        if held.iter().any(|h| h.lock == "writes") {
            return Err(Fault::refused(format!("{} is locked{}", path.display(), told(&held))));
        }
    }
    Ok(state)
}

fn run(path: &Path, busy: Std, stop: &Stop) -> Result<Done<Out>, Fault> {
    let started = Instant::now();
    let before = look(path, busy, stop)?;
    let mut out = Out {
        path: path.display().to_string(),
        size_before: Size(before.bytes),
        size: Size(before.bytes),
        reclaimed: Size(0),
        free_pages_before: before.free_pages,
        elapsed: rounded(started.elapsed()),
    };
    if before.free_pages == 0 {
        return Ok(Done::unchanged(out));
    }
    let db = Db::open(path, Open::Write, busy, stop)?;
    db.conn.execute_batch("VACUUM").map_err(|e| db.fault(&e))?;
    let after = of(&db)?;
    // In WAL mode the new content is in the log until it is moved; if somebody reads, that is done later.
    let _ = db.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    out.size = Size(after.bytes);
    out.reclaimed = Size(before.bytes.saturating_sub(after.bytes));
    out.elapsed = rounded(started.elapsed());
    Ok(Done::changed(out))
}

impl Action for SqliteVacuum {
    const NAME: &'static str = "sqlite.vacuum";
    const MAIN: Option<&'static str> = Some("path");
    const SAYS: &'static str = "{{ reclaimed }} given back, {{ size }} left";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "After old rows were deleted", yaml: "sqlite.vacuum: data/memory.db\n", runs: false },
        Example { title: "A missing file fails and is not made", yaml: "sqlite.vacuum: '{tmp}/missing.db'\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let folder = by_hand::folder(&args.or("path", "<path>")).unwrap_or_else(|| ".".to_owned());
        ByHand::run("# Twice the size of the first must be free in the second, and nobody may have it open.")
            .and(format!("ls -l {path}"))
            .and(format!("df -h {folder}"))
            .and(format!("fuser -v {path}"))
            .and("# Only then:")
            .and(format!("test -s {path} && sqlite3 -bail {path} VACUUM"))
            .and(format!("ls -l {path}"))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.path), file(&args.path)]).needing(Need::Write(tidy(&args.path)))
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let path = resolve(cx, "path", &args.path)?;
        let busy = args.busy_timeout.map_or(Std::from_secs(5), Duration::to_std);
        blocking(cx.timeout, move |stop| {
            let state = look(&path, busy, stop)?;
            if state.free_pages == 0 {
                return Ok(Forecast::nothing("no page is free"));
            }
            let because = format!("about {} of {} are free pages", format_size(state.free_bytes), format_size(state.bytes));
            Ok(Forecast::would(format!("rewrite {}; nobody else can write meanwhile", path.display()), because))
        })
        .await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let path = resolve(cx, "path", &args.path)?;
        let busy = args.busy_timeout.map_or(Std::from_secs(5), Duration::to_std);
        blocking(cx.timeout, move |stop| run(&path, busy, stop)).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::sqlite::{size_of, testing};
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        SqliteVacuum::apply(&args(json), &host.change()).await
    }

    #[tokio::test]
    async fn space_is_given_back_once() {
        if !runbook_servers::have("sqlite3") {
            return;
        }
        let host = TestHost::new();
        for name in ["plain.db", "wal.db"] {
            let path = host.file(name);
            testing::plain(&path, 3000);
            let conn = rusqlite::Connection::open(&path).unwrap();
            if name == "wal.db" {
                conn.execute_batch("PRAGMA journal_mode = WAL").unwrap();
            }
            conn.execute_batch("DELETE FROM t WHERE id > 10").unwrap();
            drop(conn);
            let before = size_of(&path);
            let json = json!({ "path": name });
            let forecast = SqliteVacuum::plan(&args(json.clone()), &host.cx()).await.unwrap();
            assert!(forecast.would_change && size_of(&path) == before, "{forecast:?}");
            let done = apply(&host, json.clone()).await.unwrap();
            assert!(done.changed && done.out.reclaimed > Size(0), "{:?}", done.out);
            assert_eq!((done.out.size_before, done.out.size), (Size(before), Size(size_of(&path))));
            assert_eq!(testing::count(&path), "10");
            assert!(!apply(&host, json.clone()).await.unwrap().changed);
            assert!(!SqliteVacuum::plan(&args(json), &host.cx()).await.unwrap().would_change);
        }
    }

    #[tokio::test]
    async fn t34_nothing_is_made_and_nobody_is_disturbed() {
        if !runbook_servers::have("sqlite3") {
            return;
        }
        let host = TestHost::new();
        let naive = host.file("naive.db");
        let mut cli = std::process::Command::new("sqlite3");
        assert!(cli.arg(&naive).arg("SELECT * FROM sessions; VACUUM;").status().is_ok());
        assert!(naive.exists(), "sqlite3 leaves an empty file");
        assert!(apply(&host, json!({ "path": "gone.db" })).await.is_err());
        assert!(!host.file("gone.db").exists());
        let path = host.file("a.db");
        testing::plain(&path, 3000);
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.execute_batch("DELETE FROM t WHERE id > 10").unwrap();
        drop(conn);
        let _other = testing::Other::with(&path, "BEGIN IMMEDIATE");
        for fault in [
            apply(&host, json!({ "path": "a.db", "busy_timeout": "20ms" })).await.unwrap_err(),
            SqliteVacuum::plan(&args(json!({ "path": "a.db" })), &host.cx()).await.unwrap_err(),
        ] {
            assert!(matches!(&fault, Fault::Refused { message } if message.contains("which writes")), "{fault:?}");
        }
    }
}
