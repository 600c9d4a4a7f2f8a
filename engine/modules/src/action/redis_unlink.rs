//! `redis.unlink`: removes the keys that match a pattern.

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches, hand_word};
use schemars::JsonSchema;
use serde::Serialize;

use crate::support::net::Failure;
use crate::support::redis::client::{Client, fault};
use crate::support::redis::{by_hand, redis_args};
use crate::support::tree::many;

pub(crate) struct RedisUnlink;

redis_args! {
    /// Removes the keys of a Redis database that match a pattern.
    ///
    /// It looks for them by SCAN and removes them by UNLINK in batches, on one connection that is logged in: the server goes on answering others,
    /// and names with spaces stay whole. Only the database given by `database` is looked at.
    ///
    /// A pattern that matches every key is refused: `redis.flush` says that better.
    pub(crate) struct Args {
        /// The pattern, such as `session:*`; `*`, `?` and `[ab]` stand for characters.
        #[schemars(length(min = 1))]
        pattern: String,
        /// How many keys are removed by one command, 1 to 10000. Default: 500.
        #[serde(default = "some")]
        #[schemars(range(min = 1, max = 10_000))]
        batch: u32,
        /// The most keys to remove: if more match, none is. Default: no limit.
        #[serde(default)]
        max_keys: Option<u64>,
    }
}

fn some() -> u32 {
    500
}

/// What was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Keys that matched before.
    matched: u64,
    /// Keys that were removed.
    removed: u64,
    /// Keys that match now: others may have written some meanwhile.
    left: u64,
    /// Keys in the database before.
    dbsize_before: i64,
    /// Keys in the database now.
    dbsize: i64,
}

impl Args {
    fn refused(&self, server: &str, matched: u64) -> Option<Fault> {
        let most = self.max_keys.filter(|most| matched > *most)?;
        Some(Fault::refused(format!(
            "{} on {server} match `{}`, and `max_keys` allows {most}: none was removed",
            many(matched, "key"),
            self.pattern
        )))
    }
}

impl Args {
    async fn remove(&self, client: &mut Client, removed: &mut u64) -> Result<(), Failure> {
        let mut cursor = "0".to_owned();
        loop {
            let (next, keys) = client.scan(&cursor, &self.pattern, self.batch).await?;
            for keys in keys.chunks(self.batch as usize) {
                let mut words = vec![b"UNLINK".to_vec()];
                words.extend_from_slice(keys);
                *removed += client.get(&words).await?.int().and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
            }
            if next == "0" {
                return Ok(());
            }
            cursor = next;
        }
    }
}

async fn dbsize(client: &mut Client) -> Result<i64, Fault> {
    let reply = client.get(&["DBSIZE"]).await.map_err(fault)?;
    reply.int().ok_or_else(|| Fault::unmet("DBSIZE was not answered with a number"))
}

impl Action for RedisUnlink {
    const NAME: &'static str = "redis.unlink";
    const MAIN: Option<&'static str> = Some("pattern");
    const SAYS: &'static str = "{{ removed }} keys removed";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Everybody logs in again",
            yaml: "redis.unlink: { pattern: 'session:*', password: '{{ params.redis_password }}' }\nexpect: left == 0\n",
            runs: false,
        },
        Example {
            title: "A cache in database 2, if it is not larger than thought",
            yaml: "redis.unlink: { pattern: 'model:*', database: 2, max_keys: 10000 }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let (cli, pattern) = (by_hand(args), args.word("pattern"));
        let keys = format!("{cli} --scan --pattern {pattern}");
        let shell = hand_word(&format!("while IFS= read -r key; do {cli} UNLINK \"$key\"; done"));
        ByHand::run("# How many, and are they those that are meant?")
            .and(format!("{keys} | sort -u | wc -l"))
            .and(format!("{keys} | head"))
            .and("# Only then:")
            .and(format!("{keys} | sh -c {shell}"))
            .note("Names of keys with line ends in them are not removed that way.")
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
        if args.pattern.chars().all(|c| c == '*') {
            return Err(Fault::invalid("pattern", "that matches every key; to empty a database use `redis.flush`"));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let server = args.server()?;
        let mut client = Client::connect(&server, cx).await.map_err(fault)?;
        let (matched, first) = client.count(&args.pattern).await.map_err(fault)?;
        let all = dbsize(&mut client).await?;
        if matched == 0 {
            return Ok(Forecast::nothing(format!(
                "no key of the {all} in database {} matches `{}`",
                server.database, args.pattern
            )));
        }
        if let Some(refused) = args.refused(&server.shown(), matched) {
            return Err(refused);
        }
        let dots = if matched > first.len() as u64 { ", ..." } else { "" };
        Ok(Forecast::would(
            format!("remove {} of {all} from database {} of {}", many(matched, "key"), server.database, server.shown()),
            format!("they match `{}`: {}{dots}", args.pattern, first.join(", ")),
        ))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let server = args.server()?;
        let mut client = Client::connect(&server, cx).await.map_err(fault)?;
        let dbsize_before = dbsize(&mut client).await?;
        let (matched, _) = client.count(&args.pattern).await.map_err(fault)?;
        if let Some(refused) = args.refused(&server.shown(), matched) {
            return Err(refused);
        }
        let mut removed = 0;
        if let Err(failure) = args.remove(&mut client, &mut removed).await {
            return Err(fault(match failure {
                Failure::Answer(why) => Failure::Answer(format!("{why}; {} had been removed", many(removed, "key"))),
                ours => ours,
            }));
        }
        let (left, _) = client.count(&args.pattern).await.map_err(fault)?;
        let out = Out { matched, removed, left, dbsize_before, dbsize: dbsize(&mut client).await? };
        Ok(Done { changed: removed > 0, out })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use runbook_servers::Redis;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::testing::{TestHost, args};

    fn of(server: &Redis, more: Json) -> Args {
        let mut json = json!({ "port": server.port, "password": Redis::PASSWORD });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args(json)
    }

    fn fill(server: &Redis, script: &str) {
        let script = format!("for i = 1, 200 do redis.call('SET', {script}, i) end");
        server.cli(&["EVAL", &script, "0"]);
    }

    #[tokio::test]
    async fn t63_keys_and_del_through_a_pipe_remove_nothing() {
        let Some(server) = Redis::start(&[]) else { return };
        let host = TestHost::new();
        fill(&server, "'session:' .. i");
        fill(&server, "'other:' .. i");
        fill(&server, "'session: with spaces ' .. i");
        // The right side of the pipe is not logged in, and a name with spaces falls apart.
        let port = server.port.to_string();
        let naive = "REDISCLI_AUTH=\"$1\" redis-cli -p \"$2\" KEYS 'session:*' | xargs redis-cli -p \"$2\" DEL";
        let done = Command::new("sh").args(["-c", naive, "sh", Redis::PASSWORD, &port]).output().unwrap();
        assert!(done.status.success(), "it says that all is well");
        assert_eq!(server.cli(&["DBSIZE"]).trim(), "600", "and nothing is gone");

        let of = of(&server, json!({ "pattern": "session:*", "batch": 7 }));
        let forecast = RedisUnlink::plan(&of, &host.cx()).await.unwrap();
        assert!(forecast.summary.starts_with("remove 400 keys of 600"), "{forecast:?}");
        let done = RedisUnlink::apply(&of, &host.change()).await.unwrap();
        assert!(done.changed);
        assert_eq!(
            (done.out.matched, done.out.removed, done.out.left, done.out.dbsize_before, done.out.dbsize),
            (400, 400, 0, 600, 200)
        );
        // An empty list is no error.
        let done = RedisUnlink::apply(&of, &host.change()).await.unwrap();
        assert_eq!((done.changed, done.out.removed), (false, 0));
        assert!(!RedisUnlink::plan(&of, &host.cx()).await.unwrap().would_change);
    }

    #[tokio::test]
    async fn other_databases_stay_and_limits_hold() {
        let Some(server) = Redis::start(&[]) else { return };
        let host = TestHost::new();
        fill(&server, "'a' .. i");
        server.cli(&["-n", "1", "SET", "a1", "x"]);
        let fault =
            RedisUnlink::apply(&of(&server, json!({ "pattern": "a*", "max_keys": 199 })), &host.change()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("200 keys")), "{fault:?}");
        assert!(RedisUnlink::plan(&of(&server, json!({ "pattern": "a*", "max_keys": 199 })), &host.cx()).await.is_err());
        assert_eq!(server.cli(&["DBSIZE"]).trim(), "200");
        RedisUnlink::apply(&of(&server, json!({ "pattern": "a*", "database": 1 })), &host.change()).await.unwrap();
        assert_eq!((server.cli(&["DBSIZE"]).trim(), server.cli(&["-n", "1", "DBSIZE"]).trim()), ("200", "0"));
        let wrong = args(json!({ "pattern": "a*", "port": server.port }));
        let fault = RedisUnlink::apply(&wrong, &host.change()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.starts_with("NOAUTH")), "{fault:?}");
    }

    #[test]
    fn everything_is_no_pattern() {
        for bad in ["*", "**"] {
            assert!(matches!(RedisUnlink::check(&args(json!({ "pattern": bad }))), Err(Fault::Invalid { .. })));
        }
        assert_eq!(RedisUnlink::effect(&args(json!({ "pattern": "a*" }))), Effect::Destroy);
    }
}
