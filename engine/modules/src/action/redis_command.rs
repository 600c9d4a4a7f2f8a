//! `redis.command`: sends one command to a Redis server.

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches, hand_line};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::support::args::Text;
use crate::support::net::{Failure, rounded};
use crate::support::redis::client::{Client, fault};
use crate::support::redis::commands;
use crate::support::redis::{by_hand, redis_args};
use crate::support::words::texts;

pub(crate) struct RedisCommand;

redis_args! {
    /// Sends one command to a Redis server and judges its answer.
    ///
    /// An answer that begins with an error such as `ERR` or `NOAUTH` fails the step. Commands that only look change nothing; those that remove
    /// something count as destroying. What never ends, such as MONITOR, is refused, and what stops the server or waits for others, such as
    /// KEYS, needs `allow_blocking`.
    ///
    /// CONFIG SET lasts until the server is restarted; `[CONFIG, REWRITE]` writes it to its file. A dry run shows the value that it has now.
    pub(crate) struct Args {
        /// The command as a list of words, such as `[CONFIG, SET, maxmemory, 512mb]`.
        #[schemars(length(min = 1))]
        argv: Vec<Text>,
        /// Whether to send a command that may stop the server or wait for others. Default: false.
        #[serde(default)]
        allow_blocking: bool,
    }
}

/// What it answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The answer: a text, a number, a list or null.
    reply: Json,
    /// Names and values, where the answer is a list of them as CONFIG GET and HGETALL give it; else null.
    map: Option<Map<String, Json>>,
    /// How long the answer took.
    elapsed: Duration,
}

/// The option and the value of a CONFIG SET of one.
fn config_set(argv: &[String]) -> Option<(&str, &str)> {
    match argv {
        [_, _, option, value] if commands::name(argv).1 == "CONFIG SET" => Some((option, value)),
        _ => None,
    }
}

/// The value that an option has now.
async fn config_get(client: &mut Client, option: &str) -> Result<Option<String>, Failure> {
    let reply = client.get(&["CONFIG", "GET", option]).await?;
    Ok(reply.list().get(1).and_then(|v| v.text()))
}

impl Action for RedisCommand {
    const NAME: &'static str = "redis.command";
    const MAIN: Option<&'static str> = Some("argv");
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "A limit for the memory",
            yaml: "redis.command:\n  argv: [CONFIG, SET, maxmemory, 512mb]\n  password: '{{ params.redis_password }}'\n",
            runs: false,
        },
        Example { title: "A key that expires", yaml: "redis.command: [SET, maintenance, 'on', EX, 600]\n", runs: false },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "redis.command: { argv: [SET, a, b], port: {port} }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        ByHand::run(format!("{} -- {}", by_hand(args), hand_line(args.list("argv"))))
            .expect("no answer that begins with ERR, NOAUTH, WRONGPASS or NOPERM")
    }

    fn effect(args: &Args) -> Effect {
        commands::effect(&texts(&args.argv))
    }

    fn touches(args: &Args) -> Touches {
        let looks = commands::looks(&texts(&args.argv));
        args.server().map(|s| if looks { s.reads() } else { s.changes() }).unwrap_or_default()
    }

    fn idempotent(args: &Args) -> bool {
        let argv = texts(&args.argv);
        commands::looks(&argv) || config_set(&argv).is_some() || matches!(commands::name(&argv).0.as_str(), "DEL" | "UNLINK")
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.server()?;
        commands::check(&texts(&args.argv), args.allow_blocking)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let (server, argv) = (args.server()?, texts(&args.argv));
        let mut client = Client::connect(&server, cx).await.map_err(fault)?;
        client.get(&["PING"]).await.map_err(fault)?;
        let (first, both) = commands::name(&argv);
        if commands::looks(&argv) {
            return Ok(Forecast::nothing(format!("`{first}` only looks")));
        }
        if let Some((option, value)) = config_set(&argv) {
            let now = config_get(&mut client, option).await.map_err(fault)?;
            let Some(now) = now else {
                return Err(Fault::unmet(format!("{} knows no option `{option}`", server.shown())));
            };
            if now == value {
                return Ok(Forecast::nothing(format!("`{option}` is {now} already")));
            }
            let because = "until the server is restarted, unless CONFIG REWRITE follows";
            let mut forecast = Forecast::would(format!("set `{option}` on {}", server.shown()), because);
            forecast.from_to.push((option.to_owned(), now, value.to_owned()));
            return Ok(forecast);
        }
        let shown = if argv.len() > 1 && both != first && both.chars().all(|c| c.is_ascii_uppercase() || c == ' ') {
            both
        } else {
            first
        };
        let words = argv.len() - shown.split(' ').count().min(argv.len());
        Ok(Forecast::would(
            format!("send `{shown}` with {} to {}", crate::support::tree::many(words as u64, "more word"), server.shown()),
            "what a command changes only its author knows",
        ))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let (server, argv) = (args.server()?, texts(&args.argv));
        let mut client = Client::connect(&server, cx).await.map_err(fault)?;
        let before = match config_set(&argv) {
            Some((option, _)) => config_get(&mut client, option).await.map_err(fault)?,
            None => None,
        };
        let started = std::time::Instant::now();
        let reply = match client.get(&argv).await {
            // A server that shuts down hangs up in place of an answer.
            Err(Failure::Answer(why)) if why.starts_with("connection closed") && commands::name(&argv).0 == "SHUTDOWN" => {
                crate::support::redis::client::Reply::Nil
            }
            other => other.map_err(fault)?,
        };
        let elapsed = rounded(started.elapsed());
        let out = Out { map: reply.pairs(), reply: reply.json(), elapsed };
        if commands::looks(&argv) {
            return Ok(Done::unchanged(out));
        }
        if let (Some((option, _)), Some(before)) = (config_set(&argv), before) {
            // `100mb` is kept as a number of bytes: only what it has now can tell.
            let after = config_get(&mut client, option).await.map_err(fault)?;
            return Ok(Done { changed: after.as_deref() != Some(before.as_str()), out });
        }
        if Self::idempotent(args) && reply.int() == Some(0) {
            return Ok(Done::unchanged(out));
        }
        Ok(Done::changed(out))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use runbook_servers::Redis;
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn send(host: &TestHost, server: &Redis, words: Json) -> Result<Done<Out>, Fault> {
        let json = json!({ "argv": words, "port": server.port, "password": Redis::PASSWORD });
        RedisCommand::apply(&args(json), &host.change()).await
    }

    #[tokio::test]
    async fn answers_are_values() {
        let Some(server) = Redis::start(&[]) else { return };
        let host = TestHost::new();
        let done = send(&host, &server, json!(["SET", "a b", 5])).await.unwrap();
        assert_eq!((done.changed, done.out.reply, done.out.map), (true, json!("OK"), None));
        let done = send(&host, &server, json!(["GET", "a b"])).await.unwrap();
        assert_eq!((done.changed, done.out.reply), (false, json!("5")));
        let done = send(&host, &server, json!(["CONFIG", "GET", "maxmemory"])).await.unwrap();
        assert_eq!(done.out.map.unwrap()["maxmemory"], json!("0"));
        let done = send(&host, &server, json!(["DEL", "a b"])).await.unwrap();
        assert_eq!((done.changed, done.out.reply), (true, json!(1)));
        assert!(!send(&host, &server, json!(["DEL", "a b"])).await.unwrap().changed);
        assert_eq!(send(&host, &server, json!(["GET", "a b"])).await.unwrap().out.reply, json!(null));
    }

    #[tokio::test]
    async fn t40_refused_options_are_seen_and_the_dry_run_knows_them() {
        let Some(server) = Redis::start(&[]) else { return };
        let host = TestHost::new();
        let mut naive = Command::new("redis-cli");
        naive.args(["-p", &server.port.to_string(), "CONFIG", "SET", "tcp-nodelay", "yes"]).env("REDISCLI_AUTH", Redis::PASSWORD);
        assert!(naive.status().unwrap().success(), "redis-cli says that all is well");
        let fault = send(&host, &server, json!(["CONFIG", "SET", "tcp-nodelay", "yes"])).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("nknown option")), "{fault:?}");
        let plan = |argv: Json| {
            let of = args(json!({ "argv": argv, "port": server.port, "password": Redis::PASSWORD }));
            let host = &host;
            async move { RedisCommand::plan(&of, &host.cx()).await }
        };
        assert!(plan(json!(["CONFIG", "SET", "tcp-nodelay", "yes"])).await.is_err());
        let forecast = plan(json!(["config", "set", "tcp-keepalive", 60])).await.unwrap();
        assert_eq!(forecast.from_to, [("tcp-keepalive".into(), "300".into(), "60".into())]);
        assert!(forecast.because.contains("restarted"));
        assert!(send(&host, &server, json!(["config", "set", "tcp-keepalive", 60])).await.unwrap().changed);
        assert!(!plan(json!(["config", "set", "tcp-keepalive", 60])).await.unwrap().would_change);
        assert!(!send(&host, &server, json!(["config", "set", "tcp-keepalive", 60])).await.unwrap().changed);
        let forecast = plan(json!(["SET", "a", "secret"])).await.unwrap();
        assert!(forecast.would_change && !forecast.summary.contains("secret"), "{forecast:?}");
        assert!(!plan(json!(["GET", "a"])).await.unwrap().would_change);
    }

    #[tokio::test]
    async fn errors_are_faults_and_shutdown_is_an_answer() {
        let Some(server) = Redis::start(&["--save", ""]) else { return };
        let host = TestHost::new();
        for (words, word) in
            [(json!(["NO-SUCH"]), "ERR"), (json!(["SET", "a"]), "ERR"), (json!(["CONFIG", "SET", "activedefrag", "what"]), "ERR")]
        {
            let fault = send(&host, &server, words).await.unwrap_err();
            assert!(matches!(&fault, Fault::Unmet { message, .. } if message.starts_with(word)), "{fault:?}");
        }
        for bad in [json!(["MONITOR"]), json!(["KEYS", "*"]), json!(["SELECT", 3])] {
            assert!(matches!(send(&host, &server, bad).await, Err(Fault::Invalid { .. })));
        }
        assert!(send(&host, &server, json!(["SHUTDOWN", "NOSAVE"])).await.unwrap().changed);
        assert!(send(&host, &server, json!(["PING"])).await.is_err());
    }

    #[test]
    fn effects_follow_the_command() {
        let effect = |argv: Json| RedisCommand::effect(&args(json!({ "argv": argv })));
        assert_eq!(effect(json!(["get", "a"])), Effect::Read);
        assert_eq!(effect(json!(["set", "a", 1])), Effect::Change);
        assert_eq!(effect(json!(["del", "a"])), Effect::Destroy);
        assert!(RedisCommand::touches(&args(json!({ "argv": ["get", "a"] }))).changes.is_empty());
    }
}
