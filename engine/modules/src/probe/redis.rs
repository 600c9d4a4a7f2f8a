//! `redis`: asks a Redis server.

use std::time::{Duration as Std, Instant};

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches, hand_line, hand_word};
use runbook_core::value::{Duration, Size, Time};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::support::args::Text;
use crate::support::net::{Failure, rounded};
use crate::support::redis::client::{Client, Reply};
use crate::support::redis::info::{self, Database};
use crate::support::redis::{by_hand, commands, redis_args};
use crate::support::words::texts;

pub(crate) struct Redis;

/// Below this much memory in use the ratio of fragmentation says nothing: an idle server has 6 or more.
const TELLING: i64 = 64 << 20;

redis_args! {
    /// Asks a Redis server whether it answers, how full it is and what it holds.
    ///
    /// It logs in as the given user, sends PING and reads INFO: that a port is open or a unit active says neither that the server answers nor that
    /// the password is right. Refused connections, `NOAUTH`, a wrong password and a server that is still loading its data are answers: the step
    /// fails with the server's words, and `error` holds them.
    ///
    /// With `keys` it counts the keys that match a pattern, by SCAN, which stops nobody. With `command` it sends one command more that only looks.
    ///
    /// `memory_percent` is the share of `maxmemory`. Where that is not set the server is `unbounded`, and the share is that of the memory of its
    /// machine.
    pub(crate) struct Args {
        /// A pattern such as `session:*`: the keys that match it are counted. Default: none are.
        #[serde(default)]
        keys: Option<String>,
        /// A command that only looks, as a list of words such as `[MEMORY, DOCTOR]`. Its answer is `reply`. Default: none.
        #[serde(default)]
        command: Vec<Text>,
        /// How many PINGs are timed, 1 to 1000. Default: 3.
        #[serde(default = "three")]
        #[schemars(range(min = 1, max = 1000))]
        pings: u32,
    }
}

fn three() -> u32 {
    3
}

/// What the server says.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether it answers PONG and has loaded its data.
    ready: bool,
    /// Why it is not ready, in the server's words; null if it is.
    error: Option<String>,
    /// The version of the server.
    version: Option<String>,
    /// `master` or `slave`.
    role: Option<String>,
    /// What changes whenever the server starts: the same before and after says that nothing was started.
    run_id: Option<String>,
    /// The server's process id, on its own machine.
    pid: Option<i64>,
    /// How long it has been running.
    uptime: Option<Duration>,
    /// Connected clients.
    clients: Option<i64>,
    /// Memory in use.
    used_memory: Option<Size>,
    /// What it may use: `maxmemory`, or else the memory of its machine.
    memory_limit: Option<Size>,
    /// Where the limit comes from: `maxmemory` or `machine`.
    memory_limit_from: Option<&'static str>,
    /// The memory in use in percent of the limit, to one decimal.
    memory_percent: Option<f64>,
    /// Whether `maxmemory` is not set, so that nothing stops the server before its machine is full.
    unbounded: Option<bool>,
    /// What it does when memory is full, such as `noeviction`.
    maxmemory_policy: Option<String>,
    /// Resident memory by memory in use; null below 64 MiB in use, where it says nothing.
    fragmentation_ratio: Option<f64>,
    /// Keys found in percent of those looked for since the start, to one decimal; null if none was looked for.
    hit_percent: Option<f64>,
    /// Keys in the database that was asked.
    dbsize: Option<i64>,
    /// The databases that hold keys.
    databases: Vec<Database>,
    /// Keys that match the pattern of `keys`; null if none was given.
    keys: Option<u64>,
    /// When the data was last written to disk as a whole.
    last_save: Option<Time>,
    /// Whether the last such write went well.
    last_save_ok: Option<bool>,
    /// Whether one is going on.
    saving: Option<bool>,
    /// Changes since then.
    unsaved_changes: Option<i64>,
    /// The time of the middle one of the PINGs.
    latency: Option<Duration>,
    /// The time of the slowest PING.
    latency_max: Option<Duration>,
    /// INFO by section, such as `info.memory.used_memory`.
    info: Map<String, Json>,
    /// The answer to `command`; null if none was given.
    reply: Json,
    /// Commands that the user may not send, so that what they would have told is null.
    denied: Vec<String>,
}

fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole * 1000.0).round() / 10.0)
}

fn size(n: Option<i64>) -> Option<Size> {
    n.and_then(|n| u64::try_from(n).ok()).map(Size)
}

impl Out {
    fn take(&mut self, info: Map<String, Json>) {
        let number = |section: &str, field: &str| info::number(&info, section, field);
        let text = |section: &str, field: &str| info::text(&info, section, field);
        self.version = text("server", "redis_version");
        self.role = text("replication", "role");
        self.run_id = text("server", "run_id");
        self.pid = number("server", "process_id");
        self.uptime = number("server", "uptime_in_seconds").and_then(|s| u64::try_from(s).ok()).map(|s| Std::from_secs(s).into());
        self.clients = number("clients", "connected_clients");
        let used = number("memory", "used_memory");
        self.used_memory = size(used);
        let max = number("memory", "maxmemory");
        self.unbounded = max.map(|m| m == 0);
        let limit = match max {
            Some(0) => number("memory", "total_system_memory").map(|m| (m, "machine")),
            max => max.map(|m| (m, "maxmemory")),
        };
        self.memory_limit = size(limit.map(|l| l.0));
        self.memory_limit_from = limit.map(|l| l.1);
        self.memory_percent = used.zip(limit).and_then(|(used, (limit, _))| percent(used as f64, limit as f64));
        self.maxmemory_policy = text("memory", "maxmemory_policy");
        self.fragmentation_ratio =
            used.filter(|u| *u >= TELLING).and_then(|_| info.get("memory").and_then(|m| m["mem_fragmentation_ratio"].as_f64()));
        let hits = number("stats", "keyspace_hits").zip(number("stats", "keyspace_misses"));
        self.hit_percent = hits.and_then(|(hits, misses)| percent(hits as f64, (hits + misses) as f64));
        self.databases = info::databases(&info);
        self.last_save = number("persistence", "rdb_last_save_time").and_then(|s| jiff::Timestamp::from_second(s).ok()).map(Time);
        self.last_save_ok = text("persistence", "rdb_last_bgsave_status").map(|s| s == "ok");
        self.saving = number("persistence", "rdb_bgsave_in_progress").map(|n| n != 0);
        self.unsaved_changes = number("persistence", "rdb_changes_since_last_save");
        self.info = info;
    }
}

/// An answer, unless the user may not ask that.
async fn allowed(client: &mut Client, words: &[&str], denied: &mut Vec<String>) -> Result<Option<Reply>, Failure> {
    match client.ask(words).await? {
        Reply::Error(e) if e.starts_with("NOPERM") => {
            denied.push(words.join(" "));
            Ok(None)
        }
        Reply::Error(e) => Err(Failure::Answer(e)),
        reply => Ok(Some(reply)),
    }
}

async fn look(args: &Args, cx: &Cx<'_>, out: &mut Out) -> Result<(), Failure> {
    let server = args.server().map_err(|f| Failure::Ours(f.message().to_owned()))?;
    let mut client = Client::connect(&server, cx).await?;
    let mut times = Vec::new();
    for _ in 0..args.pings {
        let started = Instant::now();
        let Some(pong) = allowed(&mut client, &["PING"], &mut out.denied).await? else { break };
        if pong != Reply::Text("PONG".to_owned()) {
            return Err(Failure::Answer(format!("PING was answered with {}", pong.json())));
        }
        times.push(started.elapsed());
    }
    times.sort_unstable();
    out.latency = times.get(times.len() / 2).copied().map(rounded);
    out.latency_max = times.last().copied().map(rounded);
    if let Some(told) = allowed(&mut client, &["INFO"], &mut out.denied).await? {
        out.take(info::parse(&told.text().unwrap_or_default()));
    }
    if info::number(&out.info, "persistence", "loading").is_some_and(|n| n != 0) {
        return Err(Failure::Answer("LOADING the server is still loading its data".to_owned()));
    }
    out.dbsize = allowed(&mut client, &["DBSIZE"], &mut out.denied).await?.and_then(|r| r.int());
    out.ready = true;
    if let Some(pattern) = &args.keys {
        out.keys = Some(client.count(pattern).await?.0);
    }
    if !args.command.is_empty() {
        out.reply = client.get(&texts(&args.command)).await?.json();
    }
    Ok(())
}

impl Probe for Redis {
    const NAME: &'static str = "redis";
    const MAIN: Option<&'static str> = Some("url");
    const VERDICT: &'static str = "ready";
    const SAYS: &'static str = "PONG in {{ latency }}, {{ memory_percent }} % of {{ memory_limit }}";
    const COLUMNS: &'static [&'static str] = &["used_memory", "latency"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "It answers, and the password is right",
            yaml: "redis: { host: 127.0.0.1, password: '{{ params.redis_password }}' }\n",
            runs: false,
        },
        Example {
            title: "Memory, with a limit that is set",
            yaml: "redis: redis://cache.internal:6379\nexpect:\n  - not unbounded\n  - memory_percent < 90\n",
            runs: false,
        },
        Example { title: "Nobody is logged in", yaml: "redis: { keys: 'session:*' }\nexpect: keys == 0\n", runs: false },
        Example { title: "What Redis thinks of its memory", yaml: "redis: { command: [MEMORY, DOCTOR] }\n", runs: false },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "redis: { port: {port} }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let cli = by_hand(args);
        let keys = args.text("keys").map(|k| format!("{cli} --scan --pattern {} | sort -u | wc -l", hand_word(&k)));
        let command = args.list("command");
        ByHand::run(format!("{cli} PING"))
            .and(format!("{cli} INFO"))
            .and_if(keys)
            .and_if((!command.is_empty()).then(|| format!("{cli} -- {}", hand_line(command))))
            .expect("PONG in the first line, and no line that begins with NOAUTH, WRONGPASS or ERR")
    }

    fn touches(args: &Args) -> Touches {
        args.server().map(|s| s.reads()).unwrap_or_default()
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.server()?;
        let argv = texts(&args.command);
        if argv.is_empty() || commands::looks(&argv) {
            return Ok(());
        }
        commands::check(&argv, true).map_err(|f| Fault::invalid("command", f.message()))?;
        Err(Fault::invalid("command", format!("`{}` is not known to only look; use `redis.command`", commands::name(&argv).0)))
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        Self::check(args)?;
        let mut out = Out::default();
        match look(args, cx, &mut out).await {
            Ok(()) => Ok(out),
            Err(failure) => {
                out.error = Some(failure.message().to_owned());
                Err(failure.into_fault(out))
            }
        }
    }
}

#[cfg(test)]
#[path = "redis_tests.rs"]
mod tests;
