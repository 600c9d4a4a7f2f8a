//! `postgres`: asks a PostgreSQL server.

use std::time::Instant;

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches, hand_word};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::support::db_params::{Params, words};
use crate::support::net::{Failure, rounded};
use crate::support::postgres::client::{Pg, Trouble, ordered};
use crate::support::postgres::{postgres_args, psql};

pub(crate) struct Postgres;

postgres_args! {
    /// Asks a PostgreSQL server whether it is ready for a user, who is connected, and what a query gives.
    ///
    /// It logs in as the user and runs `SELECT 1`: that a server accepts connections says nothing about the user, the password or the database.
    /// A refused connection, a wrong password, a server that is starting up and too many connections are answers: the step fails with the
    /// server's words, `error` holds them, and `sqlstate` the code.
    ///
    /// A query runs in a transaction that can only read and is never kept. Values go in by `params` for `$1`, `$2`, never by writing them into its
    /// text. Where a column has another name in older versions, `query_before` holds the query for them.
    pub(crate) struct Args {
        /// One statement that only reads: SELECT, SHOW, WITH, VALUES, TABLE or EXPLAIN. Default: none.
        #[serde(default)]
        query: Option<String>,
        /// The values for `$1`, `$2` and so on; each is read as the type that stands there. Default: none.
        #[serde(default)]
        params: Params,
        /// The query for servers older than a version. Default: none.
        #[serde(default)]
        query_before: Option<Before>,
        /// The most rows to keep, 1 to 100000. Default: 100.
        #[serde(default = "hundred")]
        #[schemars(range(min = 1, max = 100_000))]
        limit: usize,
    }
}

fn hundred() -> usize {
    100
}

/// A query for older servers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Before {
    /// The first major version for which `query` is right, such as 13.
    version: u32,
    /// The query for those before it.
    query: String,
}

/// Client connections by what they do.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Activity {
    /// Those that run a statement, this one included.
    active: i64,
    /// Those that wait for their client.
    idle: i64,
    /// Those that wait for their client with a transaction open.
    idle_in_transaction: i64,
    /// The same after an error.
    idle_in_transaction_aborted: i64,
    /// Those whose state this user may not see, and others.
    other: i64,
    /// Those that wait for a lock.
    waiting_for_lock: i64,
    /// All of them.
    total: i64,
    /// How long the longest has been idle in a transaction; null if none is.
    longest_idle_in_transaction: Json,
    /// How long the longest statement has been running; null if none but this one is.
    longest_active: Json,
}

/// What the server says.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether the user could log in and run `SELECT 1`.
    ready: bool,
    /// What went wrong, in the server's words; null if nothing did.
    error: Option<String>,
    /// The server's code for it, such as `28P01` for a wrong password; null if it gave none.
    sqlstate: Option<String>,
    /// The version, such as `15.18`.
    version: Option<String>,
    /// The version as a number, such as 150018.
    version_num: Option<i64>,
    /// The database.
    database: Option<String>,
    /// Its size in bytes; null if this user may not see it.
    database_bytes: Option<i64>,
    /// The user.
    user: Option<String>,
    /// Whether the server follows another and can only be read.
    in_recovery: Option<bool>,
    /// The most connections that it takes.
    max_connections: Option<i64>,
    /// Client connections in percent of the most, to one decimal.
    connections_percent: Option<f64>,
    /// Client connections by what they do.
    activity: Activity,
    /// Extensions that are installed in the database.
    extensions: Vec<String>,
    /// The first cell of the first row; null if there is no row.
    value: Json,
    /// The rows as maps from column to value.
    rows: Vec<Map<String, Json>>,
    /// The number of rows kept.
    row_count: usize,
    /// Whether there were more rows than `limit`.
    truncated: bool,
    /// The columns of the query.
    columns: Vec<String>,
    /// How long it took to connect, log in and run `SELECT 1`.
    latency: Option<Duration>,
    /// How long all of it took.
    elapsed: Option<Duration>,
}

const STATE: &str = "SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS num, \
    current_database() AS database, current_user AS \"user\", pg_is_in_recovery() AS recovery, \
    current_setting('max_connections')::int AS most, \
    CASE WHEN has_database_privilege(current_database(), 'CONNECT') THEN pg_database_size(current_database()) END AS bytes, \
    ARRAY(SELECT extname::text FROM pg_extension ORDER BY 1) AS extensions";

const ACTIVITY: &str = "SELECT count(*) FILTER (WHERE state = 'active' OR state = 'fastpath function call') AS active, \
    count(*) FILTER (WHERE state = 'idle') AS idle, \
    count(*) FILTER (WHERE state = 'idle in transaction') AS idle_in_transaction, \
    count(*) FILTER (WHERE state = 'idle in transaction (aborted)') AS aborted, \
    count(*) FILTER (WHERE wait_event_type = 'Lock') AS locks, count(*) AS total, \
    max(clock_timestamp() - state_change) FILTER (WHERE state LIKE 'idle in transaction%') AS longest_idle, \
    max(clock_timestamp() - query_start) FILTER (WHERE state = 'active' AND pid <> pg_backend_pid()) AS longest_active \
    FROM pg_stat_activity WHERE backend_type = 'client backend'";

impl Out {
    fn take_state(&mut self, row: &Map<String, Json>) {
        let text = |name: &str| row.get(name).and_then(Json::as_str).map(str::to_owned);
        let number = |name: &str| row.get(name).and_then(Json::as_i64);
        // `15.18 (Debian 15.18-0+deb12u1)`
        self.version = text("version").map(|v| v.split(' ').next().unwrap_or_default().to_owned());
        self.version_num = number("num");
        self.database = text("database");
        self.user = text("user");
        self.in_recovery = row.get("recovery").and_then(Json::as_bool);
        self.max_connections = number("most");
        self.database_bytes = number("bytes");
        let names = row.get("extensions").and_then(Json::as_array);
        self.extensions = names.into_iter().flatten().filter_map(|e| e.as_str().map(str::to_owned)).collect();
    }

    fn take_activity(&mut self, row: &Map<String, Json>) {
        let number = |name: &str| row.get(name).and_then(Json::as_i64).unwrap_or_default();
        let of = |name: &str| row.get(name).cloned().unwrap_or_default();
        let (active, idle, open, aborted) = (number("active"), number("idle"), number("idle_in_transaction"), number("aborted"));
        self.activity = Activity {
            active,
            idle,
            idle_in_transaction: open,
            idle_in_transaction_aborted: aborted,
            other: number("total") - active - idle - open - aborted,
            waiting_for_lock: number("locks"),
            total: number("total"),
            longest_idle_in_transaction: of("longest_idle"),
            longest_active: of("longest_active"),
        };
        let most = self.max_connections.filter(|m| *m > 0);
        self.connections_percent = most.map(|m| (number("total") as f64 / m as f64 * 1000.0).round() / 10.0);
    }
}

/// Functions that change something though a transaction can only read.
const CHANGES: [&str; 12] = [
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_reload_conf",
    "pg_rotate_logfile",
    "pg_promote",
    "pg_switch_wal",
    "pg_create_restore_point",
    "pg_stat_reset",
    "pg_stat_statements_reset",
    "pg_advisory_lock",
    "dblink",
    "lo_export",
];

fn only_reads(query: &str) -> Result<(), Fault> {
    let first = words(query).into_iter().next().unwrap_or_default();
    if !["SELECT", "SHOW", "WITH", "VALUES", "TABLE", "EXPLAIN"].contains(&first.as_str()) {
        return Err(Fault::invalid("query", format!("`{first}` is no statement that only reads; use `postgres.exec`")));
    }
    let lower = query.to_lowercase();
    match CHANGES.iter().find(|f| lower.contains(*f)) {
        Some(f) => Err(Fault::invalid("query", format!("`{f}` changes something; use `postgres.terminate` or `postgres.exec`"))),
        None => Ok(()),
    }
}

async fn look(args: &Args, cx: &Cx<'_>, out: &mut Out) -> Result<(), Trouble> {
    let ours = |f: Fault| Trouble::from(Failure::Ours(f.message().to_owned()));
    let server = args.server().map_err(ours)?;
    let started = Instant::now();
    let limit = server.connect_limit(cx);
    let pg = Pg::connect(&server, cx, Some(limit)).await?;
    if pg.value("SELECT 1", &[]).await? != 1 {
        return Err(Failure::Answer("SELECT 1 did not give 1".to_owned()).into());
    }
    out.latency = Some(rounded(started.elapsed()));
    out.ready = true;
    if let Some(row) = pg.rows(STATE, &[]).await?.first() {
        out.take_state(row);
    }
    if let Some(row) = pg.rows(ACTIVITY, &[]).await?.first() {
        out.take_activity(row);
    }
    if let Some(query) = &args.query {
        let older = args.query_before.as_ref().filter(|b| out.version_num.is_some_and(|n| n / 10_000 < i64::from(b.version)));
        let query = older.map_or(query.as_str(), |b| b.query.as_str());
        pg.run("BEGIN TRANSACTION READ ONLY").await?;
        let answer = pg.ask(query, ordered(&args.params).map_err(ours)?, args.limit).await.map_err(|t| named(t, query))?;
        pg.run("ROLLBACK").await?;
        out.value = answer.rows.value();
        out.row_count = answer.rows.rows.len();
        (out.rows, out.columns, out.truncated) = (answer.rows.rows, answer.rows.columns, answer.rows.truncated);
    }
    Ok(())
}

/// An error about something that an extension would bring, with the extension.
fn named(trouble: Trouble, query: &str) -> Trouble {
    let about = query.contains("pg_stat_statements");
    if about && (trouble.is("42P01") || trouble.is("55000")) {
        return trouble.told(|m| {
            format!("{m}; the extension is missing: `shared_preload_libraries = 'pg_stat_statements'`, a restart, then CREATE EXTENSION")
        });
    }
    trouble
}

impl Probe for Postgres {
    const NAME: &'static str = "postgres";
    const MAIN: Option<&'static str> = Some("url");
    const VERDICT: &'static str = "ready";
    const SAYS: &'static str = "{{ version }}, {{ activity.total }} of {{ max_connections }} connections, {{ latency }}";
    const COLUMNS: &'static [&'static str] = &["connections_percent", "latency"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "The application can log in",
            yaml: "postgres:\n  host: db.internal\n  database: gateway\n  user: gateway\n  password: '{{ params.db_password }}'\n",
            runs: false,
        },
        Example {
            title: "Connections are left, and nobody sleeps in a transaction",
            yaml: "postgres: { user: postgres, password: '{{ params.db_password }}' }\nexpect:\n  - connections_percent < 80\n  - activity.idle_in_transaction == 0\n",
            runs: false,
        },
        Example {
            title: "The slowest statements, whose columns have other names before version 13",
            yaml: "postgres:\n  database: gateway\n  query: SELECT query, calls, mean_exec_time AS mean FROM pg_stat_statements ORDER BY 3 DESC LIMIT 10\n  query_before: { version: 13, query: 'SELECT query, calls, mean_time AS mean FROM pg_stat_statements ORDER BY 3 DESC LIMIT 10' }\n",
            runs: false,
        },
        Example {
            title: "A value is bound",
            yaml: "postgres:\n  url: postgres://app@db.internal/shop\n  query: SELECT count(*) FROM orders WHERE state = $1 AND placed > now() - $2::interval\n  params: [stuck, 1 hour]\nexpect: value == 0\n",
            runs: false,
        },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "postgres: { port: {port} }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let cli = psql(args);
        let hand = ByHand::run(format!("{cli} -c 'SELECT 1'"))
            .and(format!("{cli} -c 'SELECT state, count(*) FROM pg_stat_activity GROUP BY 1'"))
            .and_if(args.text("query").map(|q| format!("{cli} -c {}", hand_word(&q))));
        let hand = if args.get("params").is_some() {
            hand.note("In `psql` the values for `$1`, `$2` are given by `\\bind VALUE ...` at the end of the query (version 16), or written in its place.")
        } else {
            hand
        };
        hand.expect("`1` for the first, and no line that begins with ERROR or FATAL")
    }

    fn touches(args: &Args) -> Touches {
        args.server().map(|s| s.reads()).unwrap_or_default()
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.server()?;
        ordered(&args.params)?;
        let queries = args.query.iter().chain(args.query_before.as_ref().map(|b| &b.query));
        queries.into_iter().try_for_each(|q| only_reads(q))?;
        match (&args.query, &args.query_before, args.params == Params::default()) {
            (None, Some(_), _) => {
                Err(Fault::invalid("query_before", "it is for servers where `query` is not right, and there is none"))
            }
            (None, None, false) => Err(Fault::invalid("params", "`params` are the values of a `query`, and there is none")),
            _ => Ok(()),
        }
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        Self::check(args)?;
        let started = Instant::now();
        let mut out = Out::default();
        let result = look(args, cx, &mut out).await;
        out.elapsed = Some(rounded(started.elapsed()));
        match result {
            Ok(()) => Ok(out),
            Err(trouble) => {
                out.error = Some(trouble.failure.message().to_owned());
                out.sqlstate = trouble.sqlstate;
                Err(trouble.failure.into_fault(out))
            }
        }
    }
}

#[cfg(test)]
#[path = "postgres_tests.rs"]
mod tests;
