//! `docker`: how containers stand.

use regex::Regex;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches, hand_line};
use runbook_core::value::{Duration, Size, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::by_hand;
use crate::support::docker::{Container, inspect, list, logs, usage};

pub(crate) struct Docker;

/// Looks how containers stand: state, health, restarts, exit code, memory kills, use, last lines.
///
/// It asks the Docker daemon by `docker`. Without `expect` the step is ok if every container runs and none is unhealthy; one that is not
/// there has the state `absent`. The fields at the top are those of the first container. If no daemon answers, it cannot tell.
///
/// Without `container` all that run are looked at. With `stats` it also measures what they use, which takes two seconds and is
/// done once: it never goes on as `docker stats` does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The name or id of a container, or several. Default: all that run.
    #[serde(default)]
    container: Option<OneOrMany>,
    /// Whether to measure processor time and memory. Default: false.
    #[serde(default)]
    stats: bool,
    /// How many of the last lines that each of them wrote to read. Default: 0.
    #[serde(default)]
    #[schemars(range(max = 100_000))]
    tail: u64,
    /// Read only the lines that are not older than this. Default: any age.
    #[serde(default)]
    since: Option<Duration>,
    /// A regular expression: only lines that hold it are kept. Without `tail` it goes through the last 10000 lines. Default: all lines.
    #[serde(default)]
    #[schemars(extend("format" = "regex"))]
    pattern: Option<String>,
}

/// How they stand.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The name of the first container; null if there is none at all.
    name: Option<String>,
    /// Its state, such as `running`, `exited`, `restarting` or `absent`; null if there is none at all.
    state: Option<String>,
    /// The same in a few words, with exit code and health.
    detail: Option<String>,
    /// Whether it runs.
    running: bool,
    /// What its health check says: `healthy`, `unhealthy` or `starting`; null if it has none or does not run.
    health: Option<String>,
    /// How often the daemon has restarted it by itself; null if there is none at all.
    restart_count: Option<u64>,
    /// Whether the kernel ended its main process for want of memory.
    oom_killed: bool,
    /// The exit code it ended with last; null if it runs or never did.
    exit_code: Option<i64>,
    /// How long it has been running; null if it does not.
    uptime: Option<Duration>,
    /// When it was started last; null if it never was.
    since: Option<Time>,
    /// The processor time it uses, in percent of one processor; null without `stats` or if it does not run.
    cpu_percent: Option<f64>,
    /// The memory it uses; null without `stats` or if it does not run.
    memory: Option<Size>,
    /// That memory in percent of what it may use; null without `stats` or if it does not run.
    memory_percent: Option<f64>,
    /// How many containers were looked at.
    count: usize,
    /// The names of those that do not run or are unhealthy.
    failing: Vec<String>,
    /// All of them.
    containers: Vec<Item>,
    /// The lines that were read, in the order of time.
    lines: Vec<LogLine>,
    /// How many lines were kept: with `pattern`, those that hold it.
    matches: usize,
}

/// A container and what it uses.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Item {
    #[serde(flatten)]
    container: Container,
    /// The processor time it uses, in percent of one processor; null without `stats` or if it does not run.
    cpu_percent: Option<f64>,
    /// The memory it uses; null without `stats` or if it does not run.
    memory: Option<Size>,
    /// That memory in percent of what it may use; null without `stats` or if it does not run.
    memory_percent: Option<f64>,
    /// How many processes and threads it has; null without `stats` or if it does not run.
    tasks: Option<u64>,
}

/// A line that a container wrote.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct LogLine {
    /// When, as the daemon noted it.
    at: String,
    /// The container that wrote it.
    container: String,
    /// The line.
    text: String,
}

/// The most lines that a pattern is looked for in.
const SEARCHED: u64 = 10_000;

/// The pattern of an argument.
pub(crate) fn pattern(text: Option<&str>) -> Result<Option<Regex>, Fault> {
    text.map(Regex::new).transpose().map_err(|e| Fault::invalid("pattern", e.to_string()))
}

/// The lines of several containers, in the order of time.
pub(crate) async fn read_lines(
    containers: &[Container],
    tail: u64,
    since: Option<Duration>,
    wanted: Option<&Regex>,
    cx: &Cx<'_>,
) -> Result<Vec<LogLine>, Fault> {
    let count = if tail == 0 && wanted.is_some() { SEARCHED } else { tail };
    let mut all = Vec::new();
    for container in containers.iter().filter(|c| count > 0 && c.state != "absent") {
        let lines = logs(&container.full_id, Some(count), since, cx).await?;
        let kept = lines.into_iter().filter(|l| wanted.is_none_or(|w| w.is_match(&l.text)));
        all.extend(kept.map(|l| LogLine { at: l.at, container: container.name.clone(), text: l.text }));
    }
    all.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(all)
}

impl Probe for Docker {
    const NAME: &'static str = "docker";
    const MAIN: Option<&'static str> = Some("container");
    const VERDICT: &'static str = "failing | length == 0";
    const SAYS: &'static str = "{{ detail if count == 1 else count ~ ' containers' }}";
    const COLUMNS: &'static [&'static str] = &["state", "health", "cpu_percent", "memory"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A container runs and is not unhealthy", yaml: "docker: rose\n", runs: false },
        Example {
            title: "It uses less than 80 % of its memory, and was never killed for it",
            yaml: "docker: { container: rose, stats: true }\nexpect:\n  - memory_percent < 80\n  - not oom_killed\n  - restart_count == 0\n",
            runs: false,
        },
        Example {
            title: "It wrote no error within the last ten minutes",
            yaml: "docker: { container: rose, since: 10m, pattern: 'ERROR|Traceback' }\nexpect: matches == 0\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let names = args.list("container");
        let some = if names.is_empty() { String::new() } else { format!(" -- {}", hand_line(&names)) };
        let mut hand = match names.is_empty() {
            true => ByHand::run("docker ps -a"),
            false => ByHand::run(format!(
                "docker inspect --format '{{{{.Name}}}} {{{{json .State}}}} restarts {{{{.RestartCount}}}}'{some}"
            )),
        };
        if args.flag("stats", false) || ["cpu_percent", "memory", "memory_percent"].iter().any(|f| args.asks(f)) {
            hand = hand.and(format!("docker stats --no-stream{some}"));
        }
        let tail = args.text("tail").filter(|t| t != "0");
        if tail.is_some() || args.get("pattern").is_some() {
            let since =
                args.seconds("since").map(|s| format!(" --since {}", by_hand::path_word(&format!("{s}s")))).unwrap_or_default();
            let search = args.text("pattern").map(|p| format!(" | grep {}", by_hand::grep(&p))).unwrap_or_default();
            let tail = by_hand::path_word(&tail.unwrap_or_else(|| SEARCHED.to_string()));
            for name in &names {
                hand = hand.and(format!("docker logs --tail {tail}{since} -- {} 2>&1{search}", by_hand::path_word(name)));
            }
        }
        hand.expect("`\"Status\":\"running\"` for each, and no `unhealthy`")
    }

    fn touches(args: &Args) -> Touches {
        let names = args.container.clone().unwrap_or_default().0;
        let all = names.iter().map(|n| Resource::new("container", n)).collect::<Vec<_>>();
        Touches::reads(if all.is_empty() { vec![Resource::new("container", "*")] } else { all })
    }

    fn check(args: &Args) -> Result<(), Fault> {
        pattern(args.pattern.as_deref()).map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let wanted = pattern(args.pattern.as_deref())?;
        let names = match &args.container {
            Some(names) => names.0.clone(),
            None => list(&[], cx).await?,
        };
        let containers = inspect(&names, cx).await?;
        let running: Vec<String> = containers.iter().filter(|c| c.running).map(|c| c.full_id.clone()).collect();
        let used = if args.stats { usage(&running, cx).await? } else { Vec::new() };
        let lines = read_lines(&containers, args.tail, args.since, wanted.as_ref(), cx).await?;
        let items: Vec<Item> = containers
            .into_iter()
            .map(|container| {
                let of = |(id, _): &&(String, _)| !id.is_empty() && container.full_id.starts_with(id.as_str());
                let used = used.iter().find(of).map(|(_, u)| u.clone()).unwrap_or_default();
                Item {
                    cpu_percent: used.cpu_percent,
                    memory: used.memory,
                    memory_percent: used.memory_percent,
                    tasks: used.tasks,
                    container,
                }
            })
            .collect();
        let first = items.first();
        let of = first.map(|i| &i.container);
        Ok(Out {
            name: of.map(|c| c.name.clone()),
            state: of.map(|c| c.state.clone()),
            detail: of.map(Container::described),
            running: of.is_some_and(|c| c.running),
            health: of.and_then(|c| c.health.clone()),
            restart_count: of.map(|c| c.restart_count),
            oom_killed: of.is_some_and(|c| c.oom_killed),
            exit_code: of.and_then(|c| c.exit_code),
            uptime: of.and_then(|c| c.uptime),
            since: of.and_then(|c| c.since),
            cpu_percent: first.and_then(|i| i.cpu_percent),
            memory: first.and_then(|i| i.memory),
            memory_percent: first.and_then(|i| i.memory_percent),
            count: items.len(),
            failing: items.iter().filter(|i| !i.container.well()).map(|i| i.container.name.clone()).collect(),
            matches: lines.len(),
            lines,
            containers: items,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration as Std;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::testing::{PATIENCE, TestHost, args};

    async fn look(host: &TestHost, json: Json) -> Json {
        serde_json::to_value(Docker::observe(&args(json), &host.cx()).await.unwrap()).unwrap()
    }

    async fn once(host: &TestHost, name: &str, holds: impl Fn(&Json) -> bool) -> Json {
        let began = std::time::Instant::now();
        loop {
            let out = look(host, json!({ "container": name })).await;
            if holds(&out) {
                return out;
            }
            assert!(began.elapsed() < PATIENCE, "{out}");
            tokio::time::sleep(Std::from_millis(50)).await;
        }
    }

    #[tokio::test]
    async fn containers_are_seen_as_they_are() {
        let Some(docker) = runbook_servers::Docker::start() else { return };
        let host = TestHost::new();
        let up = docker.container(
            "up",
            &["--memory", "64m"],
            "echo one; /bin/busybox sleep 0.5; echo two >&2; exec /bin/busybox sleep 1000",
        );
        let out = once(&host, &up, |o| o["state"] == "running").await;
        assert_eq!((&out["failing"], &out["exit_code"], &out["count"]), (&json!([]), &Json::Null, &json!(1)));
        assert!(out["containers"][0]["memory_limit"].to_string().contains("64MiB"), "{out}");
        assert!(out["containers"][0]["pid"].as_u64().is_some());

        let down = docker.container("down", &[], "exit 3");
        let out = once(&host, &down, |o| o["state"] == "exited").await;
        assert_eq!((&out["exit_code"], &out["detail"]), (&json!(3), &json!("exited with code 3")));
        assert_eq!(out["failing"], json!([down]));

        let sick = docker.container(
            "sick",
            &["--health-cmd", "/bin/busybox false", "--health-interval", "1s", "--health-retries", "1"],
            "exec /bin/busybox sleep 1000",
        );
        // The check is run by `/bin/sh`, which the image does not have: that is no good health either.
        let out = once(&host, &sick, |o| o["health"] == "unhealthy").await;
        assert_eq!((&out["running"], &out["failing"]), (&json!(true), &json!([sick])));

        let out = look(&host, json!({ "container": [up, "runbook-test-none"] })).await;
        assert_eq!(out["failing"], json!(["runbook-test-none"]));
        assert_eq!(out["containers"][1]["state"], "absent");

        let began = std::time::Instant::now();
        let out = loop {
            let out = look(&host, json!({ "container": up, "tail": 10 })).await;
            if out["matches"] == 2 {
                break out;
            }
            assert!(began.elapsed() < PATIENCE, "{out}");
        };
        let texts: Vec<&Json> = out["lines"].as_array().unwrap().iter().map(|l| &l["text"]).collect();
        assert_eq!(texts, [&json!("one"), &json!("two")], "both streams, in the order of time");
        assert_eq!(look(&host, json!({ "container": up, "pattern": "^tw" })).await["matches"], 1);
        assert_eq!(look(&host, json!({ "container": up, "pattern": "error" })).await["matches"], 0);
    }

    #[tokio::test]
    async fn t24_stats_end_where_docker_stats_never_does() {
        let Some(docker) = runbook_servers::Docker::start() else { return };
        let host = TestHost::new();
        let name = docker.container("busy", &["--memory", "64m"], "exec /bin/busybox sleep 1000");
        // The naive command is still running when its time is over.
        let naive = std::process::Command::new("timeout").args(["-s", "KILL", "3", "docker", "stats", &name]).output().unwrap();
        assert!(!naive.status.success(), "it did not end by itself");
        let out = look(&host, json!({ "container": name, "stats": true })).await;
        assert!(out["cpu_percent"].as_f64().is_some() && out["memory_percent"].as_f64().is_some(), "{out}");
        assert!(out["containers"][0]["tasks"].as_u64() >= Some(1), "{out}");
    }

    #[tokio::test]
    async fn without_a_daemon_it_cannot_tell() {
        let host = TestHost::new();
        let bin = host.file("bin");
        std::fs::create_dir(&bin).unwrap();
        host.set_env("PATH", Some(&bin.display().to_string()));
        let fault = Docker::observe(&args(json!({ "container": "x" })), &host.cx()).await.unwrap_err();
        assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("`docker` is not installed")), "{fault:?}");
        use std::os::unix::fs::PermissionsExt;
        let says =
            "#!/bin/sh\necho 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?' >&2\nexit 1\n";
        let file = host.write("bin/docker", says);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let fault = Docker::observe(&args(json!({ "container": "x" })), &host.cx()).await.unwrap_err();
        assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("no Docker daemon answers")), "{fault:?}");
        let fault = Docker::observe(&args(json!({ "container": "x", "pattern": "(" })), &host.cx()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Invalid { .. }), "{fault:?}");
    }
}
