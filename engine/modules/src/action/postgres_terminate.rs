//! `postgres.terminate`: ends sessions of a PostgreSQL server.

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches, hand_word};
use runbook_core::value::{Duration, parse_duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::support::postgres::client::{Pg, Trouble, for_change};
use crate::support::postgres::{postgres_args, psql};
use crate::support::tree::many;

pub(crate) struct PostgresTerminate;

postgres_args! {
    /// Ends sessions of a PostgreSQL server that have been in a state for too long.
    ///
    /// The age is the time since the state changed, not since the last statement began. Only sessions of clients are ended, never its own, and only
    /// those in the states that are named. Give `of_user` or `of_database`, so that a pooler or a backup of somebody else is not hit; `of_user: '*'` says
    /// that everybody is meant. They are counted first, and `max_sessions` refuses to end more than was thought.
    ///
    /// Ending a session that is not idle takes back its transaction: that counts as destroying, so the step asks first.
    pub(crate) struct Args {
        /// The states: `idle`, `idle in transaction`, `idle in transaction (aborted)` and `active`.
        #[schemars(length(min = 1))]
        states: Vec<State>,
        /// How long a session must have been in its state. Write `0s` for any time.
        older_than: Duration,
        /// Only sessions of this user; `*` means everybody. Default: everybody, if `of_database` is given.
        #[serde(default)]
        of_user: Option<String>,
        /// Only sessions in this database. Default: all.
        #[serde(default)]
        of_database: Option<String>,
        /// Only sessions of the application with this name. Default: all.
        #[serde(default)]
        of_application: Option<String>,
        /// The most sessions to end: if more match, none is. Default: no limit.
        #[serde(default)]
        max_sessions: Option<usize>,
        /// Whether to end only the statement that is running and keep the session. Default: false.
        #[serde(default)]
        cancel_only: bool,
    }
}

/// A state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
enum State {
    #[serde(rename = "idle")]
    Idle,
    #[serde(rename = "idle in transaction")]
    Open,
    #[serde(rename = "idle in transaction (aborted)")]
    Aborted,
    #[serde(rename = "active")]
    Active,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Idle => "idle",
            State::Open => "idle in transaction",
            State::Aborted => "idle in transaction (aborted)",
            State::Active => "active",
        }
    }
}

/// A session.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Session {
    /// The process of the server that serves it.
    pid: i64,
    /// The user.
    user: Option<String>,
    /// The database.
    database: Option<String>,
    /// What the client calls itself.
    application: Option<String>,
    /// Where the client is; null for a Unix socket.
    client: Option<String>,
    /// The state that it was in.
    state: Option<String>,
    /// For how long it was in that state.
    age: Json,
    /// Whether the server took the request to end it.
    asked: bool,
}

/// What was ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The sessions that matched.
    sessions: Vec<Session>,
    /// How many of them are gone (with `cancel_only`: how many were asked).
    ended: usize,
    /// Client sessions by state before.
    before: Map<String, Json>,
    /// Client sessions by state now.
    after: Map<String, Json>,
}

const COUNT: &str = "SELECT coalesce(state, 'unseen') AS state, count(*) AS n FROM pg_stat_activity \
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1";

/// `$1` states, `$2` age, `$3` user, `$4` database, `$5` application.
const WHERE: &str = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() \
    AND state = ANY($1::text[]) AND clock_timestamp() - state_change >= $2::interval \
    AND ($3::text IS NULL OR usename = $3) AND ($4::text IS NULL OR datname = $4) AND ($5::text IS NULL OR application_name = $5)";

const SHOWN: &str = "pid, usename::text AS \"user\", datname::text AS database, application_name AS application, \
    host(client_addr) AS client, state, clock_timestamp() - state_change AS age";

async fn count(pg: &Pg) -> Result<Map<String, Json>, Fault> {
    let rows = pg.rows(COUNT, &[]).await.map_err(Trouble::fault)?;
    let pair = |row: &Map<String, Json>| Some((row.get("state")?.as_str()?.to_owned(), row.get("n")?.clone()));
    Ok(rows.iter().filter_map(pair).collect())
}

fn session(row: &Map<String, Json>) -> Session {
    let text = |name: &str| row.get(name).and_then(Json::as_str).map(str::to_owned);
    Session {
        pid: row.get("pid").and_then(Json::as_i64).unwrap_or_default(),
        user: text("user"),
        database: text("database"),
        application: text("application"),
        client: text("client"),
        state: text("state"),
        age: row.get("age").cloned().unwrap_or_default(),
        asked: row.get("asked").and_then(Json::as_bool).unwrap_or_default(),
    }
}

fn told(counts: &Map<String, Json>) -> String {
    if counts.is_empty() {
        return "no other client is connected".to_owned();
    }
    counts.iter().map(|(state, n)| format!("{n} {state}")).collect::<Vec<_>>().join(", ")
}

impl Args {
    fn params(&self) -> Vec<Json> {
        let states: Vec<&str> = self.states.iter().map(|s| s.word()).collect();
        let user = self.of_user.as_deref().filter(|u| *u != "*");
        let age = format!("{} seconds", self.older_than.to_std().as_secs_f64());
        vec![json!(states), json!(age), json!(user), json!(self.of_database), json!(self.of_application)]
    }

    async fn matching(&self, pg: &Pg) -> Result<Vec<Session>, Fault> {
        let rows =
            pg.rows(&format!("SELECT {SHOWN} {WHERE} ORDER BY state_change"), &self.params()).await.map_err(Trouble::fault)?;
        match self.max_sessions.filter(|most| rows.len() > *most) {
            Some(most) => Err(Fault::refused(format!(
                "{} match, and `max_sessions` allows {most}: none was ended",
                many(rows.len() as u64, "session")
            ))),
            None => Ok(rows.iter().map(session).collect()),
        }
    }

    fn only_idle(&self) -> bool {
        self.states.iter().all(|s| *s == State::Idle)
    }
}

impl Action for PostgresTerminate {
    const NAME: &'static str = "postgres.terminate";
    const SAYS: &'static str = "{{ ended }} sessions ended";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "The application's connections that nobody uses",
            yaml: "postgres.terminate:\n  password: '{{ params.db_password }}'\n  states: [idle]\n  older_than: 10m\n  of_user: gateway\n  max_sessions: 50\n",
            runs: false,
        },
        Example {
            title: "Transactions that were left open and hold locks",
            yaml: "postgres.terminate:\n  states: ['idle in transaction', 'idle in transaction (aborted)']\n  older_than: 5m\n  of_database: shop\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let cli = psql(args);
        let quote = |s: &str| format!("'{}'", s.replace('\'', "''"));
        let states: Vec<String> = args.list("states").iter().map(|s| quote(s)).collect();
        let states = if states.is_empty() { "'idle'".to_owned() } else { states.join(", ") };
        // The value comes as text or as a duration of its own kind.
        let age = args.text("older_than").and_then(|t| parse_duration(&t)).map_or(600, |d| d.as_secs());
        let mut filter = format!(
            "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state IN ({states}) AND now() - state_change >= interval '{age} seconds'"
        );
        for (argument, column) in [("of_user", "usename"), ("of_database", "datname"), ("of_application", "application_name")] {
            if let Some(value) = args.text(argument).filter(|v| v != "*") {
                filter.push_str(&format!(" AND {column} = {}", quote(&value)));
            }
        }
        let end = if args.flag("cancel_only", false) { "pg_cancel_backend" } else { "pg_terminate_backend" };
        ByHand::run("# Are these those that are meant?")
            .and(format!(
                "{cli} -c {}",
                hand_word(&format!(
                    "SELECT pid, usename, datname, application_name, state, now() - state_change AS age {filter}"
                ))
            ))
            .and("# Only then:")
            .and(format!("{cli} -c {}", hand_word(&format!("SELECT pid, {end}(pid) {filter}"))))
    }

    fn effect(args: &Args) -> Effect {
        if args.only_idle() { Effect::Change } else { Effect::Destroy }
    }

    fn touches(args: &Args) -> Touches {
        args.server().map(|s| s.changes()).unwrap_or_default()
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.server()?;
        if args.of_user.is_none() && args.of_database.is_none() {
            return Err(Fault::invalid(
                "of_user",
                "say whose sessions: `of_user` or `of_database`; `of_user: '*'` means everybody's",
            ));
        }
        if args.cancel_only && args.states.iter().any(|s| *s != State::Active) {
            return Err(Fault::invalid("cancel_only", "only `active` sessions have a statement to end"));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let server = args.server()?;
        let pg = for_change(&server, cx).await?;
        let counts = told(&count(&pg).await?);
        let found = args.matching(&pg).await?;
        if found.is_empty() {
            return Ok(Forecast::nothing(format!("no session matches; connected: {counts}")));
        }
        let one =
            |s: &Session| format!("{} ({}@{})", s.pid, s.user.as_deref().unwrap_or("?"), s.database.as_deref().unwrap_or("?"));
        let shown: Vec<String> = found.iter().take(5).map(one).collect();
        let dots = if found.len() > 5 { ", ..." } else { "" };
        let what = if args.cancel_only { "end the statements of" } else { "end" };
        Ok(Forecast::would(
            format!("{what} {} on {}: {}{dots}", many(found.len() as u64, "session"), server.shown(), shown.join(", ")),
            format!("connected: {counts}"),
        ))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let pg = for_change(&args.server()?, cx).await?;
        let before = count(&pg).await?;
        let found = args.matching(&pg).await?;
        if found.is_empty() {
            return Ok(Done::unchanged(Out { sessions: found, ended: 0, after: before.clone(), before }));
        }
        let end = if args.cancel_only { "pg_cancel_backend" } else { "pg_terminate_backend" };
        // The condition is asked again in the same statement: a session may have gone on since it was counted.
        let mut params = args.params();
        params.push(json!(found.iter().map(|s| s.pid).collect::<Vec<_>>()));
        let sql = format!("SELECT {SHOWN}, {end}(pid) AS asked {WHERE} AND pid = ANY($6::int[])");
        let rows = pg.rows(&sql, &params).await.map_err(Trouble::fault)?;
        let sessions: Vec<Session> = rows.iter().map(session).collect();
        let asked: Vec<i64> = sessions.iter().filter(|s| s.asked).map(|s| s.pid).collect();
        let mut ended = asked.len();
        if !args.cancel_only {
            let left = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1::int[])";
            let mut patience = 100;
            loop {
                let still = pg.value(left, &[json!(asked)]).await.map_err(Trouble::fault)?.as_u64().unwrap_or_default();
                ended = asked.len().saturating_sub(usize::try_from(still).unwrap_or_default());
                if still == 0 || patience == 0 {
                    break;
                }
                patience -= 1;
                cx.sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        let out = Out { ended, sessions, before, after: count(&pg).await? };
        if out.ended < asked.len() {
            let n = many((asked.len() - out.ended) as u64, "session");
            return Err(Fault::unmet_with(format!("{n} did not end within 5s of being asked to"), out));
        }
        Ok(Done { changed: !asked.is_empty(), out })
    }
}

#[cfg(test)]
mod tests {
    use runbook_servers::Postgres;

    use super::*;
    use crate::support::testing::{TestHost, args};

    fn of(server: &Postgres, more: Json) -> Args {
        let mut json = json!({ "port": server.port, "password": Postgres::PASSWORD });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args(json)
    }

    async fn session_in(server: &Postgres, db: &str, sql: &str) -> Pg {
        let host = TestHost::new();
        let parts = crate::support::postgres::Parts {
            port: Some(server.port),
            password: Some(Postgres::PASSWORD),
            database: Some(db),
            ..Default::default()
        };
        let pg = Pg::connect(&crate::support::postgres::Server::of(parts).unwrap(), &host.cx(), None).await.unwrap();
        pg.run(sql).await.unwrap();
        pg
    }

    #[tokio::test]
    async fn t60_the_start_of_the_last_statement_is_no_idle_time() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        // Busy until just now, and left open in a transaction.
        let busy = session_in(server, &db, "SELECT pg_sleep(1.2)").await;
        let open = session_in(server, &db, "BEGIN; SELECT 1").await;
        let naive = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{db}' AND state = 'idle' AND query_start < now() - interval '1 second'"
        );
        // It would hit who just came to rest, and miss who holds a transaction open.
        assert_eq!(server.value("postgres", &naive), "1");
        let json = json!({ "states": ["idle"], "older_than": "1h", "of_database": db });
        let done = PostgresTerminate::apply(&of(server, json.clone()), &host.change()).await.unwrap();
        assert_eq!((done.changed, done.out.ended), (false, 0));
        assert!(!PostgresTerminate::plan(&of(server, json), &host.cx()).await.unwrap().would_change);
        busy.run("SELECT 1").await.unwrap();

        let json = json!({ "states": ["idle in transaction"], "older_than": "0s", "of_database": db });
        let forecast = PostgresTerminate::plan(&of(server, json.clone()), &host.cx()).await.unwrap();
        assert!(forecast.summary.contains("end 1 session"), "{forecast:?}");
        let done = PostgresTerminate::apply(&of(server, json.clone()), &host.change()).await.unwrap();
        assert_eq!((done.changed, done.out.ended, done.out.sessions.len()), (true, 1, 1));
        assert_eq!(done.out.sessions[0].state.as_deref(), Some("idle in transaction"));
        assert!(open.run("SELECT 1").await.is_err() && busy.run("SELECT 1").await.is_ok());
        assert!(!PostgresTerminate::apply(&of(server, json), &host.change()).await.unwrap().changed);
    }

    #[tokio::test]
    async fn it_never_ends_itself_or_more_than_was_thought() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        let _a = session_in(server, &db, "SELECT 1").await;
        let _b = session_in(server, &db, "SELECT 1").await;
        // Its own session is active in the same database, and the only one.
        let own = json!({ "states": ["active"], "older_than": "0s", "of_database": db, "database": db });
        assert_eq!(PostgresTerminate::apply(&of(server, own), &host.change()).await.unwrap().out.ended, 0);
        let json = json!({ "states": ["idle"], "older_than": "0s", "of_database": db, "max_sessions": 1 });
        let fault = PostgresTerminate::apply(&of(server, json), &host.change()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("2 sessions")), "{fault:?}");
        let json = json!({ "states": ["idle"], "older_than": "0s", "of_user": "app", "of_database": db });
        assert_eq!(PostgresTerminate::apply(&of(server, json), &host.change()).await.unwrap().out.ended, 0);
        let json = json!({ "states": ["idle"], "older_than": "0s", "of_user": "*", "of_database": db });
        let done = PostgresTerminate::apply(&of(server, json), &host.change()).await.unwrap();
        assert_eq!(done.out.ended, 2);
    }

    #[test]
    fn whose_must_be_said_and_open_work_is_lost() {
        for bad in [
            json!({ "states": ["idle"], "older_than": "1m" }),
            json!({ "states": ["idle"], "older_than": "1m", "of_user": "a", "cancel_only": true }),
        ] {
            assert!(PostgresTerminate::check(&args(bad)).is_err());
        }
        assert!(serde_json::from_value::<Args>(json!({ "states": ["sleeping"], "older_than": "1m" })).is_err());
        assert!(serde_json::from_value::<Args>(json!({ "states": ["idle"] })).is_err());
        let effect =
            |states: Json| PostgresTerminate::effect(&args(json!({ "states": states, "older_than": "1m", "of_user": "a" })));
        assert_eq!((effect(json!(["idle"])), effect(json!(["idle", "active"]))), (Effect::Change, Effect::Destroy));
    }
}
