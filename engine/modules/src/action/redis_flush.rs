//! `redis.flush`: empties one database, or all.

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches};
use schemars::JsonSchema;
use serde::Serialize;

use crate::support::redis::client::{Client, fault};
use crate::support::redis::info::{self, Database};
use crate::support::redis::{by_hand, redis_args};

pub(crate) struct RedisFlush;

redis_args! {
    /// Empties one database of a Redis server, or all of them.
    ///
    /// Say which: `database: 0`, or `all: true` for every database of the server, with sessions and queues that others keep there. A dry run, and
    /// the question before it runs, show how many keys each database holds. To remove a part, `redis.unlink` takes a pattern.
    ///
    /// Memory is given back in the background, so that the server goes on answering. What is removed is lost.
    pub(crate) struct Args {
        /// Whether to empty every database of the server. Default: false.
        #[serde(default)]
        all: bool,
    }
}

/// What was emptied.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Keys that were removed.
    removed: u64,
    /// The databases that held keys before.
    before: Vec<Database>,
    /// The databases that hold keys now: others may have written some meanwhile.
    after: Vec<Database>,
}

async fn databases(client: &mut Client) -> Result<Vec<Database>, Fault> {
    let reply = client.get(&["INFO", "keyspace"]).await.map_err(fault)?;
    Ok(info::databases(&info::parse(&reply.text().unwrap_or_default())))
}

impl Args {
    /// The keys that would go.
    fn keys(&self, databases: &[Database], chosen: u32) -> u64 {
        databases.iter().filter(|d| self.all || d.database == chosen).map(|d| d.keys).sum()
    }
}

impl Action for RedisFlush {
    const NAME: &'static str = "redis.flush";
    const SAYS: &'static str = "{{ removed }} keys removed";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "The cache in database 2",
            yaml: "redis.flush: { database: 2, password: '{{ params.redis_password }}' }\nconfirm: { type: cache }\n",
            runs: false,
        },
        Example { title: "Everything", yaml: "redis.flush: { all: true, host: cache.internal }\n", runs: false },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let cli = by_hand(args);
        let flush = if args.flag("all", false) { "FLUSHALL" } else { "FLUSHDB" };
        ByHand::run("# What would be lost, for each database:")
            .and(format!("{cli} INFO keyspace"))
            .and("# Only then:")
            .and(format!("{cli} {flush} ASYNC"))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Destroy
    }

    fn touches(args: &Args) -> Touches {
        args.server().map(|s| s.changes()).unwrap_or_default()
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.server()?;
        match (args.database, args.all) {
            (Some(_), true) => Err(Fault::invalid("all", "give either `database` or `all: true`, not both")),
            (None, false) => {
                Err(Fault::invalid("database", "say what to empty: `database: 0`, or `all: true` for every database"))
            }
            _ => Ok(()),
        }
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let server = args.server()?;
        let mut client = Client::connect(&server, cx).await.map_err(fault)?;
        let held = databases(&mut client).await?;
        let keys = args.keys(&held, server.database);
        let told = info::told(&held);
        if keys == 0 {
            return Ok(Forecast::nothing(told));
        }
        let what = if args.all { "every database".to_owned() } else { format!("database {}", server.database) };
        Ok(Forecast::would(format!("empty {what} of {}: {keys} keys are lost", server.shown()), told))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let server = args.server()?;
        let mut client = Client::connect(&server, cx).await.map_err(fault)?;
        let before = databases(&mut client).await?;
        let keys = args.keys(&before, server.database);
        if keys == 0 {
            return Ok(Done::unchanged(Out { removed: 0, after: before.clone(), before }));
        }
        client.get(&[if args.all { "FLUSHALL" } else { "FLUSHDB" }, "ASYNC"]).await.map_err(fault)?;
        let after = databases(&mut client).await?;
        Ok(Done::changed(Out { removed: keys, before, after }))
    }
}

#[cfg(test)]
mod tests {
    use runbook_servers::Redis;
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    fn keys(of: &[Database]) -> Vec<(u32, u64)> {
        of.iter().map(|d| (d.database, d.keys)).collect()
    }

    #[tokio::test]
    async fn t61_flushall_empties_what_others_keep_there() {
        let Some(server) = Redis::start(&[]) else { return };
        let host = TestHost::new();
        let fill = || {
            for (database, key) in [("0", "cache:1"), ("0", "cache:2"), ("3", "queue")] {
                server.cli(&["-n", database, "SET", key, "x"]);
            }
        };
        fill();
        // Sent to database 0, and database 3 is empty as well.
        server.cli(&["-n", "0", "FLUSHALL"]);
        assert_eq!(server.cli(&["-n", "3", "DBSIZE"]).trim(), "0");

        fill();
        let base = json!({ "port": server.port, "password": Redis::PASSWORD, "database": 0 });
        let forecast = RedisFlush::plan(&args(base.clone()), &host.cx()).await.unwrap();
        assert!(forecast.summary.ends_with("2 keys are lost"), "{forecast:?}");
        assert_eq!(forecast.because, "database 0: 2 keys, database 3: 1 key");
        let done = RedisFlush::apply(&args(base.clone()), &host.change()).await.unwrap();
        assert_eq!((done.changed, done.out.removed), (true, 2));
        assert_eq!((keys(&done.out.before), keys(&done.out.after)), (vec![(0, 2), (3, 1)], vec![(3, 1)]));
        assert!(!RedisFlush::apply(&args(base), &host.change()).await.unwrap().changed);
        let all = json!({ "port": server.port, "password": Redis::PASSWORD, "all": true });
        let done = RedisFlush::apply(&args(all.clone()), &host.change()).await.unwrap();
        assert_eq!((done.out.removed, done.out.after.len()), (1, 0));
        assert!(!RedisFlush::plan(&args(all), &host.cx()).await.unwrap().would_change);
    }

    #[tokio::test]
    async fn what_to_empty_must_be_said() {
        for bad in [json!({}), json!({ "all": true, "database": 1 }), json!({ "host": "h" })] {
            assert!(matches!(RedisFlush::check(&args(bad)), Err(Fault::Invalid { .. })));
        }
        assert_eq!(RedisFlush::effect(&args(json!({ "all": true }))), Effect::Destroy);
        let fault = RedisFlush::apply(&args(json!({ "all": true, "port": 1 })), &TestHost::new().change()).await.unwrap_err();
        assert!(matches!(fault, Fault::Unmet { .. }));
    }
}
