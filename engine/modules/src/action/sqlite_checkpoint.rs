//! `sqlite.checkpoint`: moves the content of the write-ahead log into the database.

use std::path::Path;
use std::time::Duration as Std;

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::{Duration, Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::paths::{resolve, resource as file, tidy};
use crate::support::sqlite::locks::{Holder, holders, told};
use crate::support::sqlite::{Db, Open, beside, read, resource, size_of, there};

pub(crate) struct SqliteCheckpoint;

/// Moves the content of the write-ahead log of an SQLite database into the database.
///
/// It writes, so it is no way to diagnose: to look at the log use the probe `sqlite`. If somebody reads or writes so that it cannot be
/// finished, SQLite says so in its answer and not by failing: here `busy` is true, the step fails, and `lock_holders` says who it was.
///
/// Nothing is to be done for a database without a log.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The database, which must exist; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// `passive` does what is possible without waiting, `full` waits for writers, `restart` for readers too, and `truncate` (default) also
    /// empties the log's file.
    #[serde(default)]
    mode: Mode,
    /// How long to wait for others. Default: `5s`.
    #[serde(default)]
    busy_timeout: Option<Duration>,
}

/// How far it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Mode {
    Passive,
    Full,
    Restart,
    #[default]
    Truncate,
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Mode::Passive => "PASSIVE",
            Mode::Full => "FULL",
            Mode::Restart => "RESTART",
            Mode::Truncate => "TRUNCATE",
        }
    }
}

/// What was moved.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The database, as an absolute path.
    path: String,
    /// Whether others kept it from being finished.
    busy: bool,
    /// `wal`, or the mode of a database that has no log.
    journal_mode: String,
    /// Pages in the log; null if there is no log.
    log_frames: Option<i64>,
    /// Those of them that are in the database now; null if there is no log.
    checkpointed_frames: Option<i64>,
    /// The size of the log before.
    wal_size_before: Size,
    /// The size of the log now.
    wal_size: Size,
    /// The processes that hold a lock, if it was busy.
    lock_holders: Vec<Holder>,
}

fn run(path: &Path, mode: Mode, busy: Std, stop: &Stop) -> Result<Done<Out>, Fault> {
    there(path)?;
    let wal = beside(path, "-wal");
    let before = size_of(&wal);
    let mut out = Out {
        path: path.display().to_string(),
        busy: false,
        journal_mode: "wal".to_owned(),
        log_frames: None,
        checkpointed_frames: None,
        wal_size_before: Size(before),
        wal_size: Size(before),
        lock_holders: Vec::new(),
    };
    if before == 0 {
        out.journal_mode = journal_mode(path, busy, stop)?;
        return Ok(Done::unchanged(out));
    }
    let db = Db::open(path, Open::Write, busy, stop)?;
    let row = db.conn.query_row(&format!("PRAGMA wal_checkpoint({})", mode.word()), [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    let (refused, log, moved) = row.map_err(|e| db.fault(&e))?;
    out.busy = refused != 0;
    out.log_frames = (log >= 0).then_some(log);
    out.checkpointed_frames = (moved >= 0).then_some(moved);
    out.journal_mode = db.text("journal_mode")?;
    out.wal_size = Size(size_of(&wal));
    // PASSIVE never says that it was busy, but may have left something.
    out.busy |= mode == Mode::Passive && moved < log;
    if out.busy {
        // Our own connection is no obstacle.
        let me = std::process::id();
        let others = holders(path).into_iter().filter(|h| h.pid != Some(me) || h.lock != "has it open");
        out.lock_holders = others.collect();
        let who = told(&out.lock_holders);
        let message = format!("{moved} of {log} pages were moved, the rest is held{who}");
        return Err(Fault::unmet_with(message, out));
    }
    Ok(Done { changed: true, out })
}

fn journal_mode(path: &Path, busy: Std, stop: &Stop) -> Result<String, Fault> {
    read::read(path, busy, stop, |db, mode| mode.map_or_else(|| db.text("journal_mode"), |m| Ok(m.to_owned())))
}

impl Action for SqliteCheckpoint {
    const NAME: &'static str = "sqlite.checkpoint";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "not busy";
    const SAYS: &'static str = "the log has {{ wal_size }}, it had {{ wal_size_before }}";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "The log is emptied", yaml: "sqlite.checkpoint: data/memory.db\nexpect: wal_size == 0B\n", runs: false },
        Example {
            title: "Without waiting for anybody",
            yaml: "sqlite.checkpoint: { path: data/memory.db, mode: passive }\n",
            runs: false,
        },
        Example { title: "A missing file fails and is not made", yaml: "sqlite.checkpoint: '{tmp}/missing.db'\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let mode = args.or("mode", "truncate");
        let known = ["passive", "full", "restart"].into_iter().find(|m| **m == mode).unwrap_or("truncate").to_uppercase();
        ByHand::run(format!("test -s {path} && sqlite3 -bail -cmd '.timeout 5000' {path} 'PRAGMA wal_checkpoint({known})'"))
            .note(format!("If the first number is not 0 somebody held it: `fuser -v {path}` says who has it open."))
            .expect("a line that begins with `0|`, whatever the exit code")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.path), file(&args.path)]).needing(Need::Write(tidy(&args.path)))
    }

    fn idempotent(args: &Args) -> bool {
        args.mode == Mode::Truncate
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let path = resolve(cx, "path", &args.path)?;
        let mode = args.mode.word();
        blocking(cx.timeout, move |stop| {
            there(&path)?;
            let size = size_of(&beside(&path, "-wal"));
            if size == 0 {
                let journal = journal_mode(&path, Std::from_secs(1), stop)?;
                let why = if journal == "wal" { "its log is empty".to_owned() } else { format!("its journal mode is {journal}") };
                return Ok(Forecast::nothing(why));
            }
            let held: Vec<Holder> = holders(&path).into_iter().filter(|h| h.lock != "has it open").collect();
            let held = if held.is_empty() { "nobody reads or writes now".to_owned() } else { format!("held{}", told(&held)) };
            Ok(Forecast::would(
                format!("checkpoint {} ({mode})", path.display()),
                format!("its log has {}; {held}", format_size(size)),
            ))
        })
        .await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let path = resolve(cx, "path", &args.path)?;
        let (mode, busy) = (args.mode, args.busy_timeout.map_or(Std::from_secs(5), Duration::to_std));
        blocking(cx.timeout, move |stop| run(&path, mode, busy, stop)).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::sqlite::testing;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        SqliteCheckpoint::apply(&args(json), &host.change()).await
    }

    #[tokio::test]
    async fn t32_a_busy_checkpoint_ends_well() {
        if !runbook_servers::have("sqlite3") {
            return;
        }
        let host = TestHost::new();
        let path = host.file("a.db");
        let conn = testing::wal(&path);
        let reader = rusqlite::Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN").unwrap();
        let _: i64 = reader.query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap();
        testing::fill(&conn, 5);
        // sqlite3 prints a 1 in the first column and says that all is well.
        let naive = std::process::Command::new("sqlite3").arg(&path).arg("PRAGMA wal_checkpoint(TRUNCATE);").output().unwrap();
        assert!(naive.status.success());
        assert!(String::from_utf8_lossy(&naive.stdout).starts_with("1|"), "{naive:?}");

        let json = json!({ "path": "a.db", "busy_timeout": "20ms" });
        let forecast = SqliteCheckpoint::plan(&args(json.clone()), &host.cx()).await.unwrap();
        assert!(forecast.would_change && forecast.because.contains("which reads"), "{forecast:?}");
        let Fault::Unmet { message, result } = apply(&host, json.clone()).await.unwrap_err() else { panic!() };
        assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
        assert_eq!(result["busy"], json!(true));
        reader.execute_batch("COMMIT").unwrap();
        let done = apply(&host, json.clone()).await.unwrap();
        assert!(done.changed && !done.out.busy && done.out.wal_size == Size(0) && done.out.wal_size_before > Size(0));
        assert!(!apply(&host, json.clone()).await.unwrap().changed);
        assert!(!SqliteCheckpoint::plan(&args(json), &host.cx()).await.unwrap().would_change);
    }

    #[tokio::test]
    async fn without_a_log_nothing_is_done_and_nothing_is_made() {
        let host = TestHost::new();
        testing::plain(&host.file("a.db"), 1);
        let done = apply(&host, json!({ "path": "a.db", "mode": "full" })).await.unwrap();
        assert_eq!((done.changed, done.out.journal_mode.as_str(), done.out.log_frames), (false, "delete", None));
        assert!(apply(&host, json!({ "path": "gone.db" })).await.is_err());
        assert!(!host.file("gone.db").exists());
        assert!(serde_json::from_value::<Args>(json!({ "path": "a", "mode": "TRUNCATE" })).is_err());
    }
}
