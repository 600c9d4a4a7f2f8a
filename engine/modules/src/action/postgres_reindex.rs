//! `postgres.reindex`: builds indexes anew.

use std::time::Instant;

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches, hand_word};
use runbook_core::value::{Duration, Size, format_size};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::support::args::yes;
use crate::support::net::rounded;
use crate::support::postgres::client::{Pg, Trouble, for_change};
use crate::support::postgres::objects::{database_size, number, relation};
use crate::support::postgres::{by_hand, ident, postgres_args};

pub(crate) struct PostgresReindex;

postgres_args! {
    /// Builds the indexes of a PostgreSQL index, table, schema or database anew.
    ///
    /// By default they are built beside the old ones while others go on reading and writing (version 12 and later); that takes longer and the size of an
    /// index once more. With `concurrently: false` nobody can write to the table meanwhile, and queries that use the index wait.
    ///
    /// An index that was left half built by an attempt that broke off is named in `invalid`, and the step fails: drop it and try again.
    pub(crate) struct Args {
        /// The index, such as `public.orders_pkey`. Give at most one of `index`, `table` and `schema`; with none it is the whole database.
        #[serde(default)]
        index: Option<String>,
        /// The table whose indexes are built. Default: none.
        #[serde(default)]
        table: Option<String>,
        /// The schema whose indexes are built. Default: none.
        #[serde(default)]
        schema: Option<String>,
        /// Whether others can go on writing. Default: true.
        #[serde(default = "yes")]
        concurrently: bool,
        /// How long to wait for a lock. Default: as long as it takes.
        #[serde(default)]
        lock_timeout: Option<Duration>,
    }
}

/// What was built.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The statement that was run.
    statement: String,
    /// Indexes of the database that are not whole; empty if all are.
    invalid: Vec<String>,
    /// The size of the database before.
    size_before: Size,
    /// The size of the database now.
    size: Size,
    /// How long it took.
    elapsed: Duration,
}

const INVALID: &str = "SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid ORDER BY 1";

async fn invalid(pg: &Pg) -> Result<Vec<String>, Fault> {
    let rows = pg.rows(INVALID, &[]).await.map_err(Trouble::fault)?;
    Ok(rows.iter().filter_map(|r| r.get("name")?.as_str().map(str::to_owned)).collect())
}

impl Args {
    /// The statement, with names that the server has found and quoted.
    async fn statement(&self, pg: &Pg, database: &str) -> Result<(String, Option<Size>), Fault> {
        if self.concurrently && number(pg, "SELECT current_setting('server_version_num')::int").await? < 120_000 {
            return Err(Fault::refused(
                "the server is older than version 12: add `concurrently: false`, and nobody can write meanwhile",
            ));
        }
        let how = if self.concurrently { " CONCURRENTLY" } else { "" };
        let named = |what: &'static str, kinds: &'static [&'static str], name: String| async move {
            let found = relation(pg, &name).await?;
            if kinds.contains(&found.kind.as_str()) {
                return Ok((format!("REINDEX {what}{how} {}", found.quoted), Some(found.size)));
            }
            Err(Fault::unmet(format!("`{name}` is no {}", what.to_lowercase())))
        };
        match (&self.index, &self.table, &self.schema) {
            (Some(name), _, _) => named("INDEX", &["i", "I"], name.clone()).await,
            (_, Some(name), _) => named("TABLE", &["r", "p", "m"], name.clone()).await,
            (_, _, Some(name)) => {
                let there =
                    pg.value("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[json!(name)]).await.map_err(Trouble::fault)?;
                if there.is_null() {
                    return Err(Fault::unmet(format!("there is no schema `{name}` in the database")));
                }
                Ok((format!("REINDEX SCHEMA{how} {}", ident(name)), None))
            }
            _ => Ok((format!("REINDEX DATABASE{how} {}", ident(database)), None)),
        }
    }
}

impl Action for PostgresReindex {
    const NAME: &'static str = "postgres.reindex";
    const SAYS: &'static str = "{{ statement }} in {{ elapsed }}";
    const VERDICT: &'static str = "invalid == []";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "A table, while it is in use",
            yaml: "postgres.reindex: { database: gateway, table: public.events, password: '{{ params.db_password }}' }\n",
            runs: false,
        },
        Example {
            title: "The whole database, in a maintenance window",
            yaml: "postgres.reindex: { database: gateway, concurrently: false, lock_timeout: 5s }\nconfirm: true\n",
            runs: false,
        },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "postgres.reindex: { port: {port} }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let mut line = by_hand(args, "reindexdb", None);
        if args.flag("concurrently", true) {
            line.push_str(" --concurrently");
        }
        for (argument, option) in [("index", "-i"), ("table", "-t"), ("schema", "-S")] {
            if let Some(name) = args.text(argument) {
                line.push_str(&format!(" {option} {}", hand_word(&name)));
            }
        }
        let psql = by_hand(args, "psql -X -v ON_ERROR_STOP=1", None);
        ByHand::run(line)
            .and(format!("{psql} -c 'SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid'"))
            .expect("no row in the second: each is an index that is not whole")
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
        args.server()?;
        if [&args.index, &args.table, &args.schema].into_iter().flatten().count() > 1 {
            return Err(Fault::invalid("index", "give at most one of `index`, `table` and `schema`"));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let server = args.server()?;
        let pg = for_change(&server, cx).await?;
        let (statement, size) = args.statement(&pg, &server.database).await?;
        let size = match size {
            Some(size) => size,
            None => database_size(&pg).await?,
        };
        let how = if args.concurrently { "others go on reading and writing" } else { "nobody can write meanwhile" };
        Ok(Forecast::would(format!("{statement} on {}", server.shown()), format!("{how}; it is about {}", format_size(size.0))))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let started = Instant::now();
        let server = args.server()?;
        let pg = for_change(&server, cx).await?;
        let (statement, _) = args.statement(&pg, &server.database).await?;
        if let Some(wait) = args.lock_timeout {
            pg.lock_timeout(wait.to_std()).await?;
        }
        let size_before = database_size(&pg).await?;
        if let Err(trouble) = pg.run(&statement).await {
            let left = invalid(&pg).await.unwrap_or_default();
            let told = if left.is_empty() { String::new() } else { format!("; not whole, to be dropped: {}", left.join(", ")) };
            return Err(trouble.told(|m| format!("`{statement}`: {m}{told}")).fault());
        }
        let out = Out {
            statement,
            invalid: invalid(&pg).await?,
            size_before,
            size: database_size(&pg).await?,
            elapsed: rounded(started.elapsed()),
        };
        Ok(Done::changed(out))
    }
}

#[cfg(test)]
mod tests {
    use runbook_servers::Postgres;
    use serde_json::Value as Json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    fn of(server: &Postgres, db: &str, more: Json) -> Args {
        let mut json = json!({ "port": server.port, "password": Postgres::PASSWORD, "database": db });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args(json)
    }

    #[tokio::test]
    async fn indexes_tables_schemas_and_databases() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        server.value(&db, "CREATE TABLE t (a int PRIMARY KEY)");
        let node = "SELECT relfilenode FROM pg_class WHERE relname = 't_pkey'";
        let mut last = server.value(&db, node);
        for (more, statement) in [
            (json!({ "table": "t" }), "REINDEX TABLE CONCURRENTLY public.t".to_owned()),
            (json!({ "index": "t_pkey", "concurrently": false }), "REINDEX INDEX public.t_pkey".to_owned()),
            (json!({ "schema": "public" }), "REINDEX SCHEMA CONCURRENTLY \"public\"".to_owned()),
            (json!({ "concurrently": false }), format!("REINDEX DATABASE \"{db}\"")),
        ] {
            let forecast = PostgresReindex::plan(&of(server, &db, more.clone()), &host.cx()).await.unwrap();
            assert!(forecast.summary.starts_with(&statement), "{forecast:?}");
            assert_eq!(server.value(&db, node), last);
            let done = PostgresReindex::apply(&of(server, &db, more), &host.change()).await.unwrap();
            assert_eq!((done.changed, done.out.statement, done.out.invalid.len()), (true, statement, 0));
            let now = server.value(&db, node);
            assert_ne!(now, last, "it was built anew");
            last = now;
        }
    }

    #[tokio::test]
    async fn what_is_half_built_is_told() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        server.value(&db, "CREATE TABLE t AS SELECT 1 AS a FROM generate_series(1, 2)");
        let broken = server.psql(&db, "CREATE UNIQUE INDEX CONCURRENTLY half ON t (a)");
        assert!(!broken.status.success());
        let done = PostgresReindex::apply(&of(server, &db, json!({ "schema": "public" })), &host.change()).await;
        let left = match done {
            Ok(done) => done.out.invalid,
            Err(fault) => vec![fault.message().to_owned()],
        };
        assert!(left.iter().any(|l| l.contains("half")), "{left:?}");
        for (bad, word) in [
            (json!({ "table": "gone" }), "no table or index"),
            (json!({ "index": "t" }), "is no index"),
            (json!({ "schema": "gone" }), "no schema"),
        ] {
            let fault = PostgresReindex::apply(&of(server, &db, bad), &host.change()).await.unwrap_err();
            assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(word)), "{fault:?}");
        }
        assert!(PostgresReindex::check(&args(json!({ "table": "a", "index": "b" }))).is_err());
    }
}
