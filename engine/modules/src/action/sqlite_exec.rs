//! `sqlite.exec`: runs statements in an SQLite database.

use std::path::{Path, PathBuf};
use std::time::{Duration as Std, Instant};

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches, hand_word,
};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::db_params::{Statement, effect_of, one_line, words};
use crate::support::net::rounded;
use crate::support::paths::{resolve, resource as file, tidy};
use crate::support::sqlite::{Db, Open, read, resource, there};
use crate::support::tree::many;

pub(crate) struct SqliteExec;

/// Runs statements in an SQLite database that exists, all of them or none.
///
/// They run in one transaction: if one fails, what the others did is taken back. `transaction: false` runs each for itself, for those that
/// cannot be in a transaction such as VACUUM; then what was done before an error stays. Values go in by `params`, never by writing them into
/// the text.
///
/// DELETE and DROP count as destroying, so the step asks first. `max_rows` takes everything back if more rows would change than was thought.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The database; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// The statements in order: each a text, or `{ sql, params }` with a list for `?` or a map for `:name`.
    #[schemars(length(min = 1))]
    statements: Vec<Statement>,
    /// Whether all run in one transaction. Default: true.
    #[serde(default = "crate::support::args::yes")]
    transaction: bool,
    /// The most rows that all of them together may change; if more would, everything is taken back. Needs the transaction. Default: no limit.
    #[serde(default)]
    max_rows: Option<u64>,
    /// How long to wait for a lock. Default: `5s`.
    #[serde(default)]
    busy_timeout: Option<Duration>,
}

/// What one statement did.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct One {
    /// Rows that it inserted, updated or deleted.
    rows_affected: u64,
    /// Rows that it gave, at most 100.
    rows: Vec<Map<String, Json>>,
}

/// What they did.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The database, as an absolute path.
    path: String,
    /// Rows that were inserted, updated or deleted.
    rows_affected: u64,
    /// What each statement did, in order.
    statements: Vec<One>,
    /// How long it took.
    elapsed: Duration,
}

struct Job {
    path: PathBuf,
    statements: Vec<Statement>,
    transaction: bool,
    max_rows: Option<u64>,
    busy: Std,
}

fn at(index: usize, statement: &Statement, fault: Fault, kept: &str) -> Fault {
    let told = |message: String| format!("statement {} (`{}`): {message}{kept}", index + 1, one_line(&statement.sql));
    match fault {
        Fault::Unmet { message, result } => Fault::Unmet { message: told(message), result },
        Fault::TimedOut { message, result } => Fault::TimedOut { message: told(message), result },
        Fault::Invalid { message, .. } => Fault::invalid("statements", told(message)),
        Fault::CannotTell { message } => Fault::CannotTell { message: told(message) },
        Fault::Refused { message } => Fault::Refused { message: told(message) },
    }
}

impl Job {
    fn of(args: &Args, cx: &Cx<'_>) -> Result<Job, Fault> {
        Ok(Job {
            path: resolve(cx, "path", &args.path)?,
            statements: args.statements.clone(),
            transaction: args.transaction,
            max_rows: args.max_rows,
            busy: args.busy_timeout.map_or(Std::from_secs(5), Duration::to_std),
        })
    }

    fn run(&self, stop: &Stop) -> Result<Done<Out>, Fault> {
        let started = Instant::now();
        let db = Db::open(&self.path, Open::Write, self.busy, stop)?;
        let batch = |sql: &str| db.conn.execute_batch(sql).map_err(|e| db.fault(&e));
        if self.transaction {
            batch("BEGIN IMMEDIATE")?;
        }
        let mut out =
            Out { path: self.path.display().to_string(), rows_affected: 0, statements: Vec::new(), elapsed: Std::ZERO.into() };
        let schema = || db.number("schema_version");
        let schema_before = schema()?;
        for (i, statement) in self.statements.iter().enumerate() {
            let before = db.conn.total_changes();
            let rows = db.rows(&statement.sql, &statement.params, 100, true).map_err(|fault| {
                let kept = match (self.transaction, i) {
                    (true, _) => {
                        let _ = db.conn.execute_batch("ROLLBACK");
                        "; nothing was changed".to_owned()
                    }
                    (false, 0) => String::new(),
                    (false, n) => format!("; {} before it stay done", many(n as u64, "statement")),
                };
                at(i, statement, fault, &kept)
            })?;
            let rows_affected = db.conn.total_changes() - before;
            out.rows_affected += rows_affected;
            out.statements.push(One { rows_affected, rows: rows.rows });
        }
        if let Some(most) = self.max_rows.filter(|most| out.rows_affected > *most) {
            batch("ROLLBACK")?;
            let rows = many(out.rows_affected, "row");
            return Err(Fault::refused(format!("{rows} would have changed, and `max_rows` allows {most}: nothing was changed")));
        }
        let changed = out.rows_affected > 0 || schema()? != schema_before || !self.transaction;
        if self.transaction {
            batch("COMMIT")?;
        }
        out.elapsed = rounded(started.elapsed());
        Ok(Done { changed, out })
    }

    /// The first statement must make sense now; those after it may need what it makes.
    fn look(&self, stop: &Stop) -> Result<(), Fault> {
        there(&self.path)?;
        let Some(first) = self.statements.first() else { return Ok(()) };
        read::read(&self.path, self.busy, stop, |db, _| match db.conn.prepare(&first.sql) {
            Ok(_) => Ok(()),
            Err(e) => Err(at(0, first, db.fault(&e), "")),
        })
    }
}

impl Action for SqliteExec {
    const NAME: &'static str = "sqlite.exec";
    const SAYS: &'static str = "{{ rows_affected }} rows changed";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Old checkpoints go, if they are not more than thought",
            yaml: "sqlite.exec:\n  path: data/short_term_memory.db\n  statements:\n    - sql: DELETE FROM checkpoints WHERE thread_id = ?\n      params: ['{{ params.thread }}']\n  max_rows: 1000\n",
            runs: false,
        },
        Example {
            title: "Two changes or none",
            yaml: "sqlite.exec:\n  path: data/jobs.db\n  statements:\n    - UPDATE jobs SET state = 'queued' WHERE state = 'running'\n    - { sql: 'INSERT INTO notes (text) VALUES (:text)', params: { text: requeued } }\n",
            runs: false,
        },
        Example {
            title: "A missing file fails and is not made",
            yaml: "sqlite.exec: { path: '{tmp}/missing.db', statements: ['CREATE TABLE t (a)'] }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let (mut sql, mut bound) = (Vec::new(), false);
        for (i, one) in args.get("statements").and_then(|s| s.as_list()).into_iter().flatten().enumerate() {
            let text = one.as_map().and_then(|m| m.get("sql")).unwrap_or(one);
            bound |= one.as_map().is_some_and(|m| m.contains_key("params"));
            sql.push(if text.as_map().is_some() { format!("<statement {}>", i + 1) } else { text.to_string() });
        }
        let transaction = args.flag("transaction", true);
        let words: Vec<String> = [transaction.then(|| "BEGIN IMMEDIATE".to_owned())]
            .into_iter()
            .flatten()
            .chain(sql)
            .chain(transaction.then(|| "COMMIT".to_owned()))
            .map(|s| hand_word(&s))
            .collect();
        let hand = ByHand::run(format!("test -s {path} && sqlite3 -bail {path} {}", words.join(" ")));
        if bound {
            return hand.note(
                "Start `sqlite3` and give each value with `.parameter set ?1 VALUE` (or `:name VALUE`) before its statement.",
            );
        }
        hand
    }

    fn effect(args: &Args) -> Effect {
        effect_of(&args.statements)
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.path), file(&args.path)]).needing(Need::Write(tidy(&args.path)))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if args.max_rows.is_some() && !args.transaction {
            return Err(Fault::invalid(
                "max_rows",
                "without a transaction nothing can be taken back: leave out `transaction: false`",
            ));
        }
        for statement in &args.statements {
            let words = words(&statement.sql);
            let first = words.first().map(String::as_str).unwrap_or_default();
            if first.is_empty() {
                return Err(Fault::invalid("statements", "a statement is empty"));
            }
            if args.transaction && matches!(first, "BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "VACUUM" | "ATTACH" | "DETACH") {
                let why = format!("`{first}` cannot be in a transaction: add `transaction: false`");
                return Err(Fault::invalid("statements", why));
            }
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let job = Job::of(args, cx)?;
        blocking(cx.timeout, move |stop| {
            job.look(stop)?;
            let how = if job.transaction { "in one transaction" } else { "each for itself" };
            let lines: Vec<String> = job.statements.iter().map(|s| format!("`{}`", one_line(&s.sql))).collect();
            let n = many(job.statements.len() as u64, "statement");
            Ok(Forecast::would(
                format!("run {n} in {}, {how}: {}", shown(&job.path), lines.join("; ")),
                "the first can be run now",
            ))
        })
        .await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let job = Job::of(args, cx)?;
        blocking(cx.timeout, move |stop| job.run(stop)).await
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::sqlite::testing;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        SqliteExec::apply(&args(json), &host.change()).await
    }

    #[tokio::test]
    async fn all_or_none() {
        if !runbook_servers::have("sqlite3") {
            return;
        }
        let host = TestHost::new();
        let path = host.file("a.db");
        testing::plain(&path, 10);
        let good = json!({ "path": "a.db", "statements": [
            { "sql": "UPDATE t SET name = :name WHERE id > :id", "params": { "name": "it's", "id": 7 } },
            { "sql": "DELETE FROM t WHERE id = ? RETURNING name", "params": [1] },
            "SELECT count(*) AS n FROM t",
        ] });
        assert_eq!(SqliteExec::effect(&args(good.clone())), Effect::Destroy);
        let forecast = SqliteExec::plan(&args(good.clone()), &host.cx()).await.unwrap();
        assert!(forecast.would_change && forecast.summary.contains("3 statements"), "{forecast:?}");
        assert_eq!(testing::count(&path), "10");
        let done = apply(&host, good).await.unwrap();
        assert_eq!((done.changed, done.out.rows_affected, done.out.statements[0].rows_affected), (true, 4, 3));
        assert_eq!(json!(done.out.statements[1].rows), json!([{ "name": "name 0" }]));
        assert_eq!(json!(done.out.statements[2].rows), json!([{ "n": 9 }]));

        let bad = json!({ "path": "a.db", "statements": ["DELETE FROM t", "DELETE FROM gone"] });
        let fault = apply(&host, bad.clone()).await.unwrap_err();
        assert!(
            matches!(&fault, Fault::Unmet { message, .. } if message.contains("statement 2") && message.contains("nothing was changed")),
            "{fault:?}"
        );
        assert_eq!(testing::count(&path), "9");
        let mut each = bad;
        each["transaction"] = json!(false);
        let fault = apply(&host, each).await.unwrap_err();
        assert!(fault.message().contains("1 statement before it stay done"), "{fault:?}");
        assert_eq!(testing::count(&path), "0");
    }

    #[tokio::test]
    async fn more_rows_than_thought_are_taken_back() {
        if !runbook_servers::have("sqlite3") {
            return;
        }
        let host = TestHost::new();
        testing::plain(&host.file("a.db"), 10);
        let json = json!({ "path": "a.db", "statements": ["DELETE FROM t"], "max_rows": 9 });
        let fault = apply(&host, json).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("10 rows")), "{fault:?}");
        assert_eq!(testing::count(&host.file("a.db")), "10");
        let done = apply(&host, json!({ "path": "a.db", "statements": ["UPDATE t SET id = id WHERE id > 99"] })).await.unwrap();
        assert!(!done.changed);
        assert!(apply(&host, json!({ "path": "a.db", "statements": ["CREATE TABLE u (a)"] })).await.unwrap().changed);
    }

    #[tokio::test]
    async fn nonsense_is_refused_and_nothing_is_made() {
        if !runbook_servers::have("sqlite3") {
            return;
        }
        let host = TestHost::new();
        testing::plain(&host.file("a.db"), 1);
        for (json, word) in [
            (json!({ "path": "a.db", "statements": ["VACUUM"] }), "transaction: false"),
            (json!({ "path": "a.db", "statements": ["BEGIN"] }), "transaction: false"),
            (json!({ "path": "a.db", "statements": [" -- nothing"] }), "empty"),
            (json!({ "path": "a.db", "statements": ["DELETE FROM t; DELETE FROM t"] }), "more than one"),
            (json!({ "path": "a.db", "statements": ["SELEC"] }), "no SQL"),
            (json!({ "path": "a.db", "statements": [{ "sql": "DELETE FROM t WHERE id = ?" }] }), "1 places"),
            (json!({ "path": "a.db", "statements": ["SELECT 1"], "transaction": false, "max_rows": 1 }), "taken back"),
        ] {
            let fault = apply(&host, json.clone()).await.unwrap_err();
            assert!(matches!(&fault, Fault::Invalid { message, .. } if message.contains(word)), "{json}: {fault:?}");
        }
        assert!(apply(&host, json!({ "path": "gone.db", "statements": ["CREATE TABLE t (a)"] })).await.is_err());
        assert!(!host.file("gone.db").exists());
        assert_eq!(testing::count(&host.file("a.db")), "1");
        apply(&host, json!({ "path": "a.db", "statements": ["VACUUM"], "transaction": false })).await.unwrap();
    }
}
