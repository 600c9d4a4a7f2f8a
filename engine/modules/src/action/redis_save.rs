//! `redis.save`: has a Redis server write its data to disk, and waits until it is there.

use std::time::{Duration as Std, Instant};

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches};
use runbook_core::value::{Duration, Time};
use schemars::JsonSchema;
use serde::Serialize;

use crate::support::net::{self, rounded};
use crate::support::redis::client::{Client, fault};
use crate::support::redis::{by_hand, info, redis_args};

pub(crate) struct RedisSave;

/// How often it is asked whether it is done.
const EVERY: Std = Std::from_millis(50);

redis_args! {
    /// Has a Redis server write all its data to disk, and waits until it is there.
    ///
    /// BGSAVE answers before anything is written: a copy of the file made then may be the old one. This waits until the server says that the
    /// write is over and went well and that the time of the last one has moved on. A write that is going on already is waited for first,
    /// since it may have begun before the data of now.
    ///
    /// `path` is the file to copy. With `appendonly` the server does not read that file when it starts, but the folder `append_folder`: copy
    /// that as well.
    pub(crate) struct Args {
        /// The longest time for the whole. Default: `10m`; a shorter limit of the step wins.
        #[serde(default)]
        wait: Option<runbook_core::value::Duration>,
    }
}

/// What was written, and where.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// When the write ended, by the server's clock.
    last_save: Time,
    /// When the one before ended.
    previous_save: Time,
    /// The folder on the server's machine.
    dir: String,
    /// The name of the file in it.
    dbfilename: String,
    /// The file: folder and name together.
    path: String,
    /// Whether the server reads its append-only files, and not `path`, when it starts.
    appendonly: bool,
    /// The folder of the append-only files; null if they are off or the server is older than 7.
    append_folder: Option<String>,
    /// How long it took.
    elapsed: Duration,
}

struct Files {
    dir: String,
    dbfilename: String,
    appendonly: bool,
    append_folder: Option<String>,
}

async fn config(client: &mut Client, option: &str) -> Result<Option<String>, Fault> {
    let reply = client.get(&["CONFIG", "GET", option]).await.map_err(fault)?;
    Ok(reply.list().get(1).and_then(|v| v.text()))
}

async fn files(client: &mut Client) -> Result<Files, Fault> {
    let dir = config(client, "dir").await?.unwrap_or_default();
    let appendonly = config(client, "appendonly").await?.as_deref() == Some("yes");
    let folder = if appendonly { config(client, "appenddirname").await? } else { None };
    Ok(Files {
        dbfilename: config(client, "dbfilename").await?.unwrap_or_default(),
        append_folder: folder.map(|f| format!("{dir}/{f}")),
        dir,
        appendonly,
    })
}

/// Whether a write is going on, and whether the last one went well.
async fn state(client: &mut Client) -> Result<(bool, bool), Fault> {
    let reply = client.get(&["INFO", "persistence"]).await.map_err(fault)?;
    let info = info::parse(&reply.text().unwrap_or_default());
    let busy = ["rdb_bgsave_in_progress", "aof_rewrite_in_progress"];
    let busy = busy.iter().any(|f| info::number(&info, "persistence", f).is_some_and(|n| n != 0));
    Ok((busy, info::text(&info, "persistence", "rdb_last_bgsave_status").as_deref() == Some("ok")))
}

async fn int(client: &mut Client, words: &[&str]) -> Result<i64, Fault> {
    let reply = client.get(words).await.map_err(fault)?;
    let first = reply.list().first().unwrap_or(&reply).int();
    first.ok_or_else(|| Fault::unmet(format!("{} was not answered with a number", words.join(" "))))
}

fn time(seconds: i64) -> Time {
    Time(jiff::Timestamp::from_second(seconds).unwrap_or_default())
}

async fn save(client: &mut Client, cx: &Cx<'_>, shown: &str) -> Result<(i64, i64), Fault> {
    while state(client).await?.0 {
        cx.sleep(EVERY).await;
    }
    let before = int(client, &["LASTSAVE"]).await?;
    // LASTSAVE counts whole seconds: within one it could not move on.
    while int(client, &["TIME"]).await? <= before {
        cx.sleep(EVERY).await;
    }
    client.get(&["BGSAVE"]).await.map_err(fault)?;
    loop {
        let (busy, ok) = state(client).await?;
        let after = int(client, &["LASTSAVE"]).await?;
        match (busy, ok) {
            (true, _) => cx.sleep(EVERY).await,
            (false, true) if after > before => return Ok((before, after)),
            (false, _) => {
                return Err(Fault::unmet(format!(
                    "{shown} could not write its data to disk: its log says why (often no space, or no right to write in `dir`)"
                )));
            }
        }
    }
}

impl Action for RedisSave {
    const NAME: &'static str = "redis.save";
    const MAIN: Option<&'static str> = Some("url");
    const SAYS: &'static str = "{{ path }} is of {{ last_save }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Before the file is copied",
            yaml: "id: saved\nredis.save: { password: '{{ params.redis_password }}' }\nexpect: not appendonly\n",
            runs: false,
        },
        Example { title: "A large server", yaml: "redis.save: { url: 'redis://cache.internal', wait: 30m }\n", runs: false },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let cli = by_hand(args);
        ByHand::run(format!("{cli} LASTSAVE"))
            .and(format!("{cli} BGSAVE"))
            .and("# Again and again, until it is larger than before and no write goes on:")
            .and(format!("{cli} LASTSAVE"))
            .and(format!("{cli} INFO persistence | grep -E '^rdb_(bgsave_in_progress|last_bgsave_status)'"))
            .and("# Where the file is, and whether the server reads it when it starts:")
            .and(format!("{cli} CONFIG GET dir"))
            .and(format!("{cli} CONFIG GET dbfilename"))
            .and(format!("{cli} CONFIG GET appendonly"))
            .expect("`rdb_bgsave_in_progress:0` and `rdb_last_bgsave_status:ok`")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        args.server().map(|s| s.changes()).unwrap_or_default()
    }

    fn idempotent(_: &Args) -> bool {
        // Twice leaves what once leaves, but it writes each time.
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.server().map(drop)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let server = args.server()?;
        let mut client = Client::connect(&server, cx).await.map_err(fault)?;
        let files = files(&mut client).await?;
        let last = int(&mut client, &["LASTSAVE"]).await?;
        let mut because = format!("the last write ended at {}", time(last).0);
        if files.appendonly {
            because.push_str("; appendonly is on, so the server does not read this file when it starts");
        }
        Ok(Forecast::would(format!("have {} write {}/{}", server.shown(), files.dir, files.dbfilename), because))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let server = args.server()?;
        let limit = net::shorter(args.wait.map_or(Std::from_secs(600), Duration::to_std), cx.timeout);
        let started = Instant::now();
        let mut client = Client::connect(&server, cx).await.map_err(fault)?;
        let files = files(&mut client).await?;
        let (before, after) = tokio::time::timeout(limit, save(&mut client, cx, &server.shown()))
            .await
            .unwrap_or_else(|_| Err(fault(net::timed_out(limit))))?;
        Ok(Done::changed(Out {
            last_save: time(after),
            previous_save: time(before),
            path: format!("{}/{}", files.dir.trim_end_matches('/'), files.dbfilename),
            dir: files.dir,
            dbfilename: files.dbfilename,
            appendonly: files.appendonly,
            append_folder: files.append_folder,
            elapsed: rounded(started.elapsed()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use runbook_servers::Redis;
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    fn of(server: &Redis) -> Args {
        args(json!({ "port": server.port, "password": Redis::PASSWORD }))
    }

    #[tokio::test]
    async fn t20_bgsave_answers_before_the_file_is_there() {
        // Writing a key takes 1 ms, so that the write takes a second.
        let Some(server) = Redis::start(&["--save", "", "--rdb-key-save-delay", "1000"]) else { return };
        let host = TestHost::new();
        server.cli(&["EVAL", "for i = 1, 1000 do redis.call('SET', 'k' .. i, i) end", "0"]);
        let file = server.folder().join("dump.rdb");
        assert!(server.cli(&["BGSAVE"]).contains("started"));
        assert!(!file.exists(), "who copies it now copies nothing, or what was there before");

        let done = RedisSave::apply(&of(&server), &host.change()).await.unwrap();
        assert!(done.changed && done.out.last_save > done.out.previous_save);
        assert_eq!(done.out.path, file.display().to_string());
        assert!(std::fs::read(&file).unwrap().starts_with(b"REDIS"));
        assert!(!done.out.appendonly && done.out.append_folder.is_none());
    }

    #[tokio::test]
    async fn a_write_that_fails_is_told() {
        let Some(server) = Redis::start(&["--save", ""]) else { return };
        let host = TestHost::new();
        // A folder stands where the file should be.
        std::fs::create_dir(server.folder().join("dump.rdb")).unwrap();
        let fault = RedisSave::apply(&of(&server), &host.change()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("could not write")), "{fault:?}");
    }

    #[tokio::test]
    async fn append_only_files_are_named() {
        let Some(server) = Redis::start(&["--save", "", "--appendonly", "yes"]) else { return };
        let host = TestHost::new();
        let forecast = RedisSave::plan(&of(&server), &host.cx()).await.unwrap();
        assert!(forecast.would_change && forecast.because.contains("appendonly is on"), "{forecast:?}");
        assert!(!server.folder().join("dump.rdb").exists());
        let done = RedisSave::apply(&of(&server), &host.change()).await.unwrap();
        assert!(done.out.appendonly);
        assert_eq!(done.out.append_folder, Some(server.folder().join("appendonlydir").display().to_string()));
        let fault = RedisSave::apply(&args(json!({ "port": 1 })), &host.change()).await.unwrap_err();
        assert_eq!(fault.message(), "connection refused");
    }
}
