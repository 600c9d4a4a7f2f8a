//! `postgres.exec`: runs statements in a PostgreSQL database.

use std::time::{Duration as Std, Instant};

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches, hand_word};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::support::db_params::{Params, Statement, effect_of, one_line, words};
use crate::support::net::rounded;
use crate::support::postgres::client::{Pg, Trouble, for_change, ordered};
use crate::support::postgres::{postgres_args, psql};
use crate::support::tree::many;

pub(crate) struct PostgresExec;

postgres_args! {
    /// Runs statements in a PostgreSQL database.
    ///
    /// Each is sent for itself, so that those which no transaction takes work too: ALTER SYSTEM, VACUUM, REINDEX, CREATE DATABASE. If one fails the
    /// ones before it stay done, and the message says how many. `transaction: true` runs all of them or none.
    ///
    /// Values go in by `params` for `$1`, `$2`, never by writing them into the text. DELETE, DROP and TRUNCATE count as destroying, so the step asks
    /// first.
    ///
    /// ALTER SYSTEM lasts, also over restarts, until it is taken back: give the step an `undo` with ALTER SYSTEM RESET. Most settings take effect with
    /// `SELECT pg_reload_conf()`.
    pub(crate) struct Args {
        /// The statements in order: each a text, or `{ sql, params }` with a list of values.
        #[schemars(length(min = 1))]
        statements: Vec<Statement>,
        /// Whether all run in one transaction. Default: false.
        #[serde(default)]
        transaction: bool,
        /// The most rows that all of them together may change; if more would, all is taken back. Needs the transaction. Default: no limit.
        #[serde(default)]
        max_rows: Option<u64>,
        /// How long a statement waits for a lock before it fails. Default: as long as it takes.
        #[serde(default)]
        lock_timeout: Option<Duration>,
    }
}

/// What one statement did.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct One {
    /// Rows that it inserted, updated, deleted or gave.
    rows_affected: u64,
    /// Rows that it gave, at most 100.
    rows: Vec<Map<String, Json>>,
}

/// What they did.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Rows that were inserted, updated or deleted.
    rows_affected: u64,
    /// What each statement did, in order.
    statements: Vec<One>,
    /// How long it took.
    elapsed: Duration,
}

/// Whether a statement changes rows, by its first word.
fn changes_rows(sql: &str) -> bool {
    matches!(words(sql).first().map(String::as_str), Some("INSERT" | "UPDATE" | "DELETE" | "MERGE" | "WITH"))
}

/// Why a statement cannot be in a transaction.
fn alone(sql: &str) -> Option<String> {
    let words = words(sql);
    let w = |i: usize| words.get(i).map(String::as_str).unwrap_or_default();
    let has = |word: &str| words.iter().any(|x| x == word);
    let alone = match (w(0), w(1)) {
        ("ALTER", "SYSTEM") | ("VACUUM" | "REINDEX", _) => true,
        ("CREATE" | "DROP", "DATABASE" | "TABLESPACE" | "SUBSCRIPTION") => true,
        ("CREATE" | "DROP", _) => has("CONCURRENTLY"),
        _ => false,
    };
    alone.then(|| format!("{} {}", w(0), w(1)).trim().to_owned())
}

/// The name of the setting that ALTER SYSTEM changes.
fn setting(sql: &str) -> Option<String> {
    let words = words(sql);
    let name = words.get(3)?.to_lowercase();
    (words[..2] == ["ALTER", "SYSTEM"] && matches!(words[2].as_str(), "SET" | "RESET")).then_some(name)
}

fn at(index: usize, statement: &Statement, trouble: Trouble, kept: &str) -> Fault {
    let wrong = trouble.is("42601");
    let fault = trouble.told(|m| format!("statement {} (`{}`): {m}{kept}", index + 1, one_line(&statement.sql))).fault();
    if wrong { Fault::invalid("statements", fault.message()) } else { fault }
}

impl Args {
    async fn connect(&self, cx: &Cx<'_>) -> Result<Pg, Fault> {
        let pg = for_change(&self.server()?, cx).await?;
        if let Some(limit) = self.lock_timeout {
            pg.lock_timeout(limit.to_std()).await?;
        }
        Ok(pg)
    }

    async fn run(&self, pg: &Pg) -> Result<Out, Fault> {
        let started = Instant::now();
        let mut out = Out { rows_affected: 0, statements: Vec::new(), elapsed: Std::ZERO.into() };
        if self.transaction {
            pg.run("BEGIN").await.map_err(Trouble::fault)?;
        }
        for (i, statement) in self.statements.iter().enumerate() {
            let answer = match pg.ask(&statement.sql, ordered(&statement.params)?, 100).await {
                Ok(answer) => answer,
                Err(trouble) => {
                    let kept = match (self.transaction, i) {
                        (true, _) => {
                            let _ = pg.run("ROLLBACK").await;
                            "; nothing was changed".to_owned()
                        }
                        (false, 0) => String::new(),
                        (false, n) => format!("; {} before it stay done", many(n as u64, "statement")),
                    };
                    return Err(at(i, statement, trouble, &kept));
                }
            };
            if changes_rows(&statement.sql) {
                out.rows_affected += answer.affected;
            }
            out.statements.push(One { rows_affected: answer.affected, rows: answer.rows.rows });
        }
        if self.transaction {
            if let Some(most) = self.max_rows.filter(|most| out.rows_affected > *most) {
                pg.run("ROLLBACK").await.map_err(Trouble::fault)?;
                let rows = many(out.rows_affected, "row");
                return Err(Fault::refused(format!(
                    "{rows} would have changed, and `max_rows` allows {most}: nothing was changed"
                )));
            }
            pg.run("COMMIT").await.map_err(Trouble::fault)?;
        }
        out.elapsed = rounded(started.elapsed());
        Ok(out)
    }
}

impl Action for PostgresExec {
    const NAME: &'static str = "postgres.exec";
    const SAYS: &'static str = "{{ rows_affected }} rows changed";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Slow statements are logged, until it is undone",
            yaml: "postgres.exec:\n  password: '{{ params.db_password }}'\n  statements:\n    - ALTER SYSTEM SET log_min_duration_statement = 1000\n    - SELECT pg_reload_conf()\nundo:\n  - postgres.exec:\n      password: '{{ params.db_password }}'\n      statements: [ALTER SYSTEM RESET log_min_duration_statement, SELECT pg_reload_conf()]\n",
            runs: false,
        },
        Example {
            title: "All or none, and not more rows than thought",
            yaml: "postgres.exec:\n  database: shop\n  transaction: true\n  max_rows: 10\n  statements:\n    - { sql: UPDATE orders SET state = $1 WHERE id = $2, params: [cancelled, '{{ params.order }}'] }\n",
            runs: false,
        },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "postgres.exec: { port: {port}, statements: ['SELECT 1'] }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let mut line = psql(args);
        if args.flag("transaction", false) {
            line.push_str(" --single-transaction");
        }
        let mut bound = false;
        for (i, one) in args.get("statements").and_then(|s| s.as_list()).into_iter().flatten().enumerate() {
            let text = one.as_map().and_then(|m| m.get("sql")).unwrap_or(one);
            bound |= one.as_map().is_some_and(|m| m.contains_key("params"));
            let text = if text.as_map().is_some() { format!("<statement {}>", i + 1) } else { text.to_string() };
            line.push_str(&format!(" -c {}", hand_word(&text)));
        }
        let hand = ByHand::run(line)
            .note("Each `-c` is sent for itself: what no transaction takes must not share one with another statement.");
        if bound { hand.note("Write the values in the place of `$1`, `$2`, in quotes of SQL.") } else { hand }
    }

    fn effect(args: &Args) -> Effect {
        effect_of(&args.statements)
    }

    fn touches(args: &Args) -> Touches {
        args.server().map(|s| s.changes()).unwrap_or_default()
    }

    fn idempotent(args: &Args) -> bool {
        args.statements.iter().all(|s| setting(&s.sql).is_some() || one_line(&s.sql).to_lowercase() == "select pg_reload_conf()")
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.server()?;
        let bad = |why: String| Err(Fault::invalid("statements", why));
        for statement in &args.statements {
            ordered(&statement.params)?;
            match words(&statement.sql).first().map(String::as_str) {
                None => return bad("a statement is empty".to_owned()),
                Some(word @ ("BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT")) => {
                    return bad(format!("`{word}` is not sent: `transaction: true` runs all of them or none"));
                }
                Some(word @ "COPY") if !statement.sql.to_uppercase().contains("PROGRAM") => {
                    return bad(format!("`{word}` is not sent: use `postgres.dump`, or INSERT"));
                }
                _ => {}
            }
            if let Some(what) = alone(&statement.sql).filter(|_| args.transaction) {
                return bad(format!("`{what}` cannot be in a transaction: leave out `transaction: true`"));
            }
        }
        if args.max_rows.is_some() && !args.transaction {
            return Err(Fault::invalid("max_rows", "without a transaction nothing can be taken back: add `transaction: true`"));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let server = args.server()?;
        let pg = args.connect(cx).await?;
        // Those after the first may need what it makes.
        if let Some(first) = args.statements.first() {
            pg.prepare(&first.sql).await.map_err(|t| at(0, first, t, ""))?;
        }
        let how = if args.transaction { "in one transaction" } else { "each for itself" };
        let lines: Vec<String> = args.statements.iter().map(|s| format!("`{}`", one_line(&s.sql))).collect();
        let n = many(args.statements.len() as u64, "statement");
        let mut forecast = Forecast::would(
            format!("run {n} in {} on {}, {how}: {}", server.database, server.shown(), lines.join("; ")),
            "the server knows the user, and the first statement makes sense to it",
        );
        for statement in &args.statements {
            if let Some(name) = setting(&statement.sql) {
                let now = pg.value("SELECT current_setting($1, true)", &[json!(name)]).await.map_err(Trouble::fault)?;
                let Some(now) = now.as_str() else { return Err(Fault::unmet(format!("the server knows no setting `{name}`"))) };
                forecast.from_to.push((name, now.to_owned(), one_line(&statement.sql)));
            }
        }
        Ok(forecast)
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let pg = args.connect(cx).await?;
        let out = args.run(&pg).await?;
        let rows_only = args.statements.iter().all(|s| changes_rows(&s.sql) && s.params != Params::Named(Map::new()));
        Ok(Done { changed: !rows_only || out.rows_affected > 0, out })
    }
}

#[cfg(test)]
mod tests {
    use runbook_servers::Postgres;

    use super::*;
    use crate::support::testing::{TestHost, args};

    fn of(server: &Postgres, db: &str, more: Json) -> Args {
        let mut json = json!({ "port": server.port, "password": Postgres::PASSWORD, "database": db });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args(json)
    }

    #[tokio::test]
    async fn all_or_none_or_each_for_itself() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        server.value(&db, "CREATE TABLE t AS SELECT n AS id, 'x' || n AS name FROM generate_series(1, 10) n");
        let good = json!({ "transaction": true, "statements": [
            { "sql": "UPDATE t SET name = $1 WHERE id > $2", "params": ["it's", 7] },
            { "sql": "DELETE FROM t WHERE id = $1 RETURNING name", "params": ["1"] },
            "SELECT count(*) AS n FROM t",
        ] });
        let of_good = of(server, &db, good);
        assert_eq!(PostgresExec::effect(&of_good), Effect::Destroy);
        let forecast = PostgresExec::plan(&of_good, &host.cx()).await.unwrap();
        assert!(forecast.would_change && forecast.summary.contains("3 statements"), "{forecast:?}");
        assert_eq!(server.value(&db, "SELECT count(*) FROM t"), "10");
        let done = PostgresExec::apply(&of_good, &host.change()).await.unwrap();
        assert_eq!((done.changed, done.out.rows_affected), (true, 4));
        assert_eq!(json!(done.out.statements[1].rows), json!([{ "name": "x1" }]));
        assert_eq!(json!(done.out.statements[2].rows), json!([{ "n": 9 }]));

        let bad = json!({ "statements": ["DELETE FROM t WHERE id = 2", "DELETE FROM gone"] });
        let mut whole = bad.clone();
        whole["transaction"] = json!(true);
        let fault = PostgresExec::apply(&of(server, &db, whole), &host.change()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("nothing was changed")), "{fault:?}");
        assert_eq!(server.value(&db, "SELECT count(*) FROM t"), "9");
        let fault = PostgresExec::apply(&of(server, &db, bad), &host.change()).await.unwrap_err();
        assert!(fault.message().contains("1 statement before it stay done"), "{fault:?}");
        assert_eq!(server.value(&db, "SELECT count(*) FROM t"), "8");
        let most = json!({ "transaction": true, "max_rows": 7, "statements": ["DELETE FROM t"] });
        let fault = PostgresExec::apply(&of(server, &db, most), &host.change()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("8 rows")), "{fault:?}");
        assert_eq!(server.value(&db, "SELECT count(*) FROM t"), "8");
        let none = json!({ "statements": ["UPDATE t SET id = id WHERE id > 99"] });
        assert!(!PostgresExec::apply(&of(server, &db, none), &host.change()).await.unwrap().changed);
    }

    #[tokio::test]
    async fn t67_alter_system_is_sent_for_itself() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        let naive = server.psql(&db, "ALTER SYSTEM SET log_min_duration_statement = 1000; SELECT pg_reload_conf();");
        assert!(String::from_utf8_lossy(&naive.stderr).contains("cannot run inside a transaction block"), "{naive:?}");
        let json = json!({ "statements": ["ALTER SYSTEM SET log_autovacuum_min_duration = 4711", "SELECT pg_reload_conf()"] });
        let forecast = PostgresExec::plan(&of(server, &db, json.clone()), &host.cx()).await.unwrap();
        assert_eq!((forecast.from_to[0].0.as_str(), forecast.from_to.len()), ("log_autovacuum_min_duration", 1));
        let done = PostgresExec::apply(&of(server, &db, json.clone()), &host.change()).await.unwrap();
        assert_eq!((done.changed, json!(done.out.statements[1].rows)), (true, json!([{ "pg_reload_conf": true }])));
        assert_eq!(server.value(&db, "SELECT setting FROM pg_file_settings WHERE name = 'log_autovacuum_min_duration'"), "4711");
        assert!(PostgresExec::idempotent(&of(server, &db, json.clone())));
        let reset = json!({ "statements": ["ALTER SYSTEM RESET log_autovacuum_min_duration", "VACUUM"] });
        PostgresExec::apply(&of(server, &db, reset), &host.change()).await.unwrap();
        let mut whole = json;
        whole["transaction"] = json!(true);
        let fault = PostgresExec::check(&of(server, &db, whole)).unwrap_err();
        assert!(fault.message().contains("ALTER SYSTEM"), "{fault:?}");
    }

    #[tokio::test]
    async fn nonsense_is_refused_before_anything_is_changed() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        for (json, word) in [
            (json!({ "statements": ["BEGIN"] }), "transaction: true"),
            (json!({ "statements": [""] }), "empty"),
            (json!({ "statements": ["VACUUM"], "transaction": true }), "VACUUM"),
            (json!({ "statements": ["CREATE INDEX CONCURRENTLY i ON t (a)"], "transaction": true }), "CREATE INDEX"),
            (json!({ "statements": ["SELECT 1"], "max_rows": 1 }), "taken back"),
            (json!({ "statements": [{ "sql": "SELECT $1", "params": { "a": 1 } }] }), "in order"),
            (json!({ "statements": ["SELECT 1; SELECT 2"] }), "multiple commands"),
            (json!({ "statements": ["SELEC 1"] }), "syntax error"),
        ] {
            let fault = PostgresExec::apply(&of(server, &db, json.clone()), &host.change()).await.unwrap_err();
            assert!(matches!(&fault, Fault::Invalid { message, .. } if message.contains(word)), "{json}: {fault:?}");
        }
        let unknown = json!({ "statements": ["ALTER SYSTEM SET no_such_setting = 1"] });
        assert!(PostgresExec::plan(&of(server, &db, unknown), &host.cx()).await.is_err());
        let app = json!({ "statements": ["CREATE TABLE x (a int)"], "user": "app", "password": "app-password" });
        let fault = PostgresExec::apply(&of(server, "postgres", app), &host.change()).await.unwrap_err();
        assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("permission denied")), "{fault:?}");
    }
}
