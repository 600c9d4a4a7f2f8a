//! `postgres.vacuum`: gives back the space of rows that are gone, and renews the statistics.

use std::time::{Duration as Std, Instant};

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches, hand_word};
use runbook_core::value::{Duration, Size, format_size};
use rustix::fs::statvfs;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use crate::support::args::{OneOrMany, yes};
use crate::support::net::{is_loopback, rounded};
use crate::support::postgres::client::{Pg, Trouble, for_change};
use crate::support::postgres::objects::{Relation, database_size, number, relation};
use crate::support::postgres::{Server, by_hand, postgres_args};
use crate::support::tree::many;

pub(crate) struct PostgresVacuum;

postgres_args! {
    /// Makes the space of rows that are gone free for new ones, and renews the statistics of the planner.
    ///
    /// The ordinary kind runs beside everything else. `full: true` writes each table anew and gives the space back to the machine: meanwhile nobody can
    /// write to the table nor read it, and its size must be free once more. It waits for its lock no longer than `lock_timeout`, so that others do
    /// not queue up behind it; keep it for a maintenance window, and give the step `confirm: true`.
    pub(crate) struct Args {
        /// The tables, such as `public.orders`. Default: all of the database.
        #[serde(default)]
        tables: OneOrMany,
        /// Whether to write the tables anew. Default: false.
        #[serde(default)]
        full: bool,
        /// Whether to renew the statistics. Default: true.
        #[serde(default = "yes")]
        analyze: bool,
        /// How long to wait for a lock. Default: `5s` with `full`, else as long as it takes.
        #[serde(default)]
        lock_timeout: Option<Duration>,
    }
}

/// What was done to a table.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Table {
    /// The table, with its schema.
    table: String,
    /// Its size with indexes before.
    size_before: Size,
    /// Its size with indexes now.
    size: Size,
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The tables that were named; empty if it was the whole database.
    tables: Vec<Table>,
    /// Rows that were gone but still took space before, as far as the server had counted.
    dead_rows_before: u64,
    /// The size of the database before.
    size_before: Size,
    /// The size of the database now.
    size: Size,
    /// What was given back to the machine.
    reclaimed: Size,
    /// How long it took.
    elapsed: Duration,
}

const DEAD: &str = "SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables";
const LARGEST: &str = "SELECT coalesce(max(pg_total_relation_size(relid)), 0) FROM pg_stat_user_tables";

impl Args {
    async fn relations(&self, pg: &Pg) -> Result<Vec<Relation>, Fault> {
        let mut found = Vec::new();
        for name in &self.tables.0 {
            let relation = relation(pg, name).await?;
            if !matches!(relation.kind.as_str(), "r" | "p" | "m") {
                return Err(Fault::unmet(format!("`{name}` is not a table")));
            }
            found.push(relation);
        }
        Ok(found)
    }

    /// What `full` needs at once, and what is known to be free; refuses what would not fit.
    async fn room(&self, pg: &Pg, server: &Server, relations: &[Relation]) -> Result<String, Fault> {
        let largest = match relations.iter().map(|r| r.size.0).max() {
            Some(largest) => largest,
            None => number(pg, LARGEST).await?,
        };
        let needed = format_size(largest);
        // Only on its own machine can be seen how much is free there.
        let place = pg.value("SELECT current_setting('data_directory', true)", &[]).await;
        let place = place.ok().as_ref().and_then(Json::as_str).map(str::to_owned);
        let here = server.is_unix() || is_loopback(&server.host);
        let stat = place.filter(|_| here).and_then(|p| statvfs(p.as_str()).ok());
        match stat.map(|s| s.f_bavail.saturating_mul(s.f_frsize)) {
            Some(free) if free < largest => Err(Fault::refused(format!(
                "{} are free, and the largest table needs {needed} once more: make room first",
                format_size(free)
            ))),
            Some(free) => Ok(format!("up to {needed} are needed, {} are free", format_size(free))),
            None => Ok(format!("up to {needed} must be free on the server's machine, which cannot be seen from here")),
        }
    }

    fn options(&self) -> String {
        let options: Vec<&str> = [self.full.then_some("FULL"), self.analyze.then_some("ANALYZE")].into_iter().flatten().collect();
        if options.is_empty() { "VACUUM".to_owned() } else { format!("VACUUM ({})", options.join(", ")) }
    }
}

impl Action for PostgresVacuum {
    const NAME: &'static str = "postgres.vacuum";
    const SAYS: &'static str = "{{ reclaimed }} given back, {{ size }} left";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "The routine kind",
            yaml: "postgres.vacuum: { database: gateway, password: '{{ params.db_password }}' }\n",
            runs: false,
        },
        Example {
            title: "One table anew, in a maintenance window",
            yaml: "postgres.vacuum: { database: gateway, tables: public.events, full: true, lock_timeout: 2s }\nconfirm: true\n",
            runs: false,
        },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "postgres.vacuum: { port: {port} }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let mut line = by_hand(args, "vacuumdb", None);
        if args.flag("full", false) {
            line.push_str(" --full");
        }
        if args.flag("analyze", true) {
            line.push_str(" --analyze");
        }
        for table in args.list("tables") {
            line.push_str(&format!(" -t {}", hand_word(&table)));
        }
        let hand = ByHand::run(line);
        if args.flag("full", false) {
            return hand.note("Nobody can read or write a table while it is written anew, and its size must be free once more.");
        }
        hand
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        args.server().map(|s| s.changes()).unwrap_or_default()
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.server().map(drop)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let server = args.server()?;
        let pg = for_change(&server, cx).await?;
        let relations = args.relations(&pg).await?;
        let dead = many(number(&pg, DEAD).await?, "row");
        let names: Vec<&str> = relations.iter().map(|r| r.quoted.as_str()).collect();
        let what = if names.is_empty() { format!("the database {}", server.database) } else { names.join(", ") };
        let mut because = format!("{dead} of the database are gone but take space");
        if args.full {
            because =
                format!("{because}; nobody can read or write a table meanwhile; {}", args.room(&pg, &server, &relations).await?);
        }
        Ok(Forecast::would(format!("{} {what} on {}", args.options(), server.shown()), because))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let started = Instant::now();
        let server = args.server()?;
        let pg = for_change(&server, cx).await?;
        let relations = args.relations(&pg).await?;
        if args.full {
            args.room(&pg, &server, &relations).await?;
        }
        let wait = args.lock_timeout.map(Duration::to_std).or(args.full.then_some(Std::from_secs(5)));
        if let Some(wait) = wait {
            pg.lock_timeout(wait).await?;
        }
        let (size_before, dead_rows_before) = (database_size(&pg).await?, number(&pg, DEAD).await?);
        let mut tables = Vec::new();
        if relations.is_empty() {
            pg.run(&args.options()).await.map_err(Trouble::fault)?;
        }
        for old in &relations {
            let done = pg.run(&format!("{} {}", args.options(), old.quoted)).await;
            let after =
                |n: usize| if n == 0 { String::new() } else { format!("; {} were done before it", many(n as u64, "table")) };
            done.map_err(|t| t.told(|m| format!("{}: {m}{}", old.quoted, after(tables.len()))).fault())?;
            let new = relation(&pg, &old.quoted).await?;
            tables.push(Table { table: old.quoted.clone(), size_before: old.size, size: new.size });
        }
        let size = database_size(&pg).await?;
        let reclaimed = Size(size_before.0.saturating_sub(size.0));
        Ok(Done::changed(Out { tables, dead_rows_before, size_before, size, reclaimed, elapsed: rounded(started.elapsed()) }))
    }
}

#[cfg(test)]
mod tests {
    use runbook_servers::Postgres;
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    fn of(server: &Postgres, db: &str, more: Json) -> Args {
        let mut json = json!({ "port": server.port, "password": Postgres::PASSWORD, "database": db });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args(json)
    }

    #[tokio::test]
    async fn t68_full_shuts_readers_out_and_waits_no_longer_than_it_may() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        server.value(&db, "CREATE TABLE \"T a\" AS SELECT n, repeat('x', 100) AS x FROM generate_series(1, 20000) n");
        server.value(&db, "DELETE FROM \"T a\" WHERE n > 10");
        // Somebody reads in a transaction: a full one has to wait for that, and whoever comes after it waits behind.
        let parts = crate::support::postgres::Parts {
            port: Some(server.port),
            password: Some(Postgres::PASSWORD),
            database: Some(&db),
            ..Default::default()
        };
        let reader = Pg::connect(&Server::of(parts).unwrap(), &host.cx(), None).await.unwrap();
        reader.run("BEGIN; SELECT count(*) FROM \"T a\"").await.unwrap();
        let mut psql = server.command("psql");
        psql.args(["-X", "-d", &db, "-c", "SET lock_timeout = '300ms'", "-c", "VACUUM (FULL) \"T a\""]);
        assert!(
            String::from_utf8_lossy(&psql.output().unwrap().stderr).contains("lock timeout"),
            "it needs the table for itself alone"
        );
        let full = json!({ "tables": "\"T a\"", "full": true, "lock_timeout": "200ms" });
        let fault = PostgresVacuum::apply(&of(server, &db, full.clone()), &host.change()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("lock timeout")), "{fault:?}");
        // The ordinary kind runs beside the reader.
        let out = PostgresVacuum::apply(&of(server, &db, json!({ "tables": ["\"T a\""] })), &host.change()).await.unwrap().out;
        assert_eq!(out.tables.len(), 1);
        reader.run("COMMIT").await.unwrap();
        let forecast = PostgresVacuum::plan(&of(server, &db, full.clone()), &host.cx()).await.unwrap();
        assert!(forecast.because.contains("read or write") && forecast.because.contains("free"), "{forecast:?}");
        let out = PostgresVacuum::apply(&of(server, &db, full), &host.change()).await.unwrap().out;
        assert!(out.tables[0].size < out.tables[0].size_before && out.tables[0].table == "public.\"T a\"", "{out:?}");
        assert_eq!(server.value(&db, "SELECT count(*) FROM \"T a\""), "10");
    }

    #[tokio::test]
    async fn the_whole_database_and_none_that_is_missing() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        let done = PostgresVacuum::apply(&of(server, &db, json!({})), &host.change()).await.unwrap();
        assert!(done.changed && done.out.tables.is_empty());
        for bad in ["gone", "pg_class_oid_index", "t; DROP TABLE t"] {
            assert!(PostgresVacuum::apply(&of(server, &db, json!({ "tables": bad })), &host.change()).await.is_err(), "{bad}");
        }
    }
}
