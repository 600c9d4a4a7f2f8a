//! Containers as the Docker daemon describes them.

pub(crate) mod compose;

use jiff::Timestamp;
use runbook_core::module::{Cx, Fault};
use runbook_core::value::{Duration, Size, Time, parse_size};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use super::tool::{Said, Tool};

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Container {
    /// Its name.
    pub(crate) name: String,
    /// Its id, the first 12 digits; null if there is no such container.
    pub(crate) id: Option<String>,
    /// The Compose service it belongs to; null if none.
    pub(crate) service: Option<String>,
    /// The image it was made from; null if there is no such container.
    pub(crate) image: Option<String>,
    /// `running`, `paused`, `restarting`, `created`, `exited`, `removing`, `dead`, or `absent` if there is no such container.
    pub(crate) state: String,
    /// Whether its main process runs and is not paused.
    pub(crate) running: bool,
    /// What its health check says: `healthy`, `unhealthy` or `starting`; null if it has none or does not run.
    pub(crate) health: Option<String>,
    /// What its health check said last; null if it has none or it was not asked yet.
    pub(crate) health_output: Option<String>,
    /// How often the daemon has restarted it by itself.
    pub(crate) restart_count: u64,
    /// Whether the kernel ended its main process for want of memory.
    pub(crate) oom_killed: bool,
    /// The exit code it ended with last; null if it runs or never did.
    pub(crate) exit_code: Option<i64>,
    /// Why it could not be started; null if nothing is wrong.
    pub(crate) trouble: Option<String>,
    /// When it was started last; null if it never was.
    pub(crate) since: Option<Time>,
    /// When it ended last; null if it runs or never did.
    pub(crate) ended: Option<Time>,
    /// How long it has been running; null if it does not.
    pub(crate) uptime: Option<Duration>,
    /// The process id of its main process on this machine; null if it does not run.
    pub(crate) pid: Option<u32>,
    /// When the daemon starts it again by itself: `no`, `always`, `unless-stopped` or `on-failure`.
    pub(crate) restart_policy: Option<String>,
    /// The most memory it may use; null if nothing but the machine limits it.
    pub(crate) memory_limit: Option<Size>,
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) full_id: String,
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) config_hash: Option<String>,
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) one_off: bool,
}

impl Container {
    /// One that is not there.
    fn absent(name: &str) -> Container {
        Container { name: name.to_owned(), state: "absent".to_owned(), ..Container::default() }
    }

    /// Whether it runs and no health check says otherwise.
    pub(crate) fn well(&self) -> bool {
        self.running && self.health.as_deref() != Some("unhealthy")
    }

    /// How it stands in a few words: `exited with code 3`, `running, unhealthy`.
    pub(crate) fn described(&self) -> String {
        let mut text = match (self.state.as_str(), self.exit_code) {
            ("exited", Some(code)) => format!("exited with code {code}"),
            ("restarting", Some(code)) => format!("restarting after exit code {code}"),
            (state, _) => state.to_owned(),
        };
        if let Some(health) = &self.health {
            text = format!("{text}, {health}");
        }
        if self.oom_killed {
            text.push_str(", ended by the kernel for want of memory");
        }
        match &self.trouble {
            Some(trouble) => format!("{text}: {trouble}"),
            None => text,
        }
    }

    /// What `docker inspect` says about one.
    fn read(json: &Json, now: Timestamp) -> Option<Container> {
        let state = &json["State"];
        let text = |v: &Json| v.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
        // A time of the year 1 means never.
        let time = |v: &Json| v.as_str()?.parse::<Timestamp>().ok().filter(|t| t.as_second() > 0);
        let status = text(&state["Status"])?;
        let labels = &json["Config"]["Labels"];
        let full_id = text(&json["Id"])?;
        let active = matches!(status.as_str(), "running" | "paused");
        let since = time(&state["StartedAt"]);
        let log = state["Health"]["Log"].as_array().and_then(|l| l.last());
        Some(Container {
            name: text(&json["Name"])?.trim_start_matches('/').to_owned(),
            id: Some(full_id.chars().take(12).collect()),
            service: text(&labels["com.docker.compose.service"]),
            image: text(&json["Config"]["Image"]),
            running: status == "running",
            health: text(&state["Health"]["Status"]).filter(|h| h != "none" && active),
            health_output: log.and_then(|l| text(&l["Output"])).map(|t| t.trim().to_owned()),
            restart_count: json["RestartCount"].as_u64().unwrap_or_default(),
            oom_killed: state["OOMKilled"].as_bool().unwrap_or_default(),
            exit_code: state["ExitCode"].as_i64().filter(|_| !active && since.is_some()),
            trouble: text(&state["Error"]),
            since: since.map(Time),
            ended: time(&state["FinishedAt"]).filter(|_| !active).map(Time),
            uptime: since.filter(|_| active).map(|s| Duration(now.duration_since(s).max(jiff::SignedDuration::ZERO))),
            pid: state["Pid"].as_u64().filter(|p| *p > 0).and_then(|p| u32::try_from(p).ok()),
            restart_policy: text(&json["HostConfig"]["RestartPolicy"]["Name"]),
            memory_limit: json["HostConfig"]["Memory"].as_u64().filter(|m| *m > 0).map(Size),
            config_hash: text(&labels["com.docker.compose.config-hash"]),
            one_off: labels["com.docker.compose.oneoff"].as_str() == Some("True"),
            state: status,
            full_id,
        })
    }
}

/// What a container uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Processor time in percent of one processor.
    pub(crate) cpu_percent: Option<f64>,
    /// Memory.
    pub(crate) memory: Option<Size>,
    /// Memory in percent of what it may use.
    pub(crate) memory_percent: Option<f64>,
    /// Processes and threads.
    pub(crate) tasks: Option<u64>,
}

/// The `docker` program.
pub(crate) fn docker() -> Tool<'static> {
    let mut tool = Tool::new("docker", "install Docker's command line, or run the step on the machine that has it");
    tool.env.push(("DOCKER_CLI_HINTS".to_owned(), "false".to_owned()));
    tool
}

/// An error if the daemon could not be asked at all.
///
/// # Errors
/// [`Fault::CannotTell`].
pub(crate) fn reached(said: &Said) -> Result<(), Fault> {
    const NOT_REACHED: &[&str] = &[
        "Cannot connect to the Docker daemon",
        "Couldn't connect to Docker daemon",
        "permission denied while trying to connect",
        "error during connect",
        "Is the docker daemon running",
        "failed to connect to the docker API",
        "Permission denied while connecting",
        "Error while fetching server API version",
        "unable to resolve docker endpoint",
    ];
    if said.good() || !NOT_REACHED.iter().any(|n| said.err.contains(n)) {
        return Ok(());
    }
    let why = if said.err.to_ascii_lowercase().contains("permission denied") {
        "this user may not talk to the Docker daemon; add it to the group `docker`, or run as root"
    } else {
        "no Docker daemon answers; see whether it runs (`service docker status`), or set DOCKER_HOST"
    };
    Err(Fault::cannot_tell(why))
}

/// Runs `docker` and gives what it printed.
///
/// # Errors
/// If it cannot be asked or says no.
pub(crate) async fn ask(args: &[&str], cx: &Cx<'_>) -> Result<Said, Fault> {
    let said = docker().ask(args, cx).await?;
    reached(&said)?;
    Ok(said)
}

/// Containers by name or id, in the order of the names; those that are not there are `absent`.
///
/// # Errors
/// If the daemon cannot be asked.
pub(crate) async fn inspect(names: &[String], cx: &Cx<'_>) -> Result<Vec<Container>, Fault> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut args = vec!["container", "inspect", "--"];
    args.extend(names.iter().map(String::as_str));
    let said = ask(&args, cx).await?;
    let all: Vec<Json> = serde_json::from_str(&said.out)
        .map_err(|_| Fault::cannot_tell(format!("`docker inspect` said something that cannot be read: {}", said.why())))?;
    let missing = |err: &str| err.lines().all(|l| l.trim().is_empty() || l.contains("o such container"));
    if !said.good() && !missing(&said.err) {
        return Err(Fault::cannot_tell(format!("`docker inspect`: {}", said.why())));
    }
    let found: Vec<Container> = all.iter().filter_map(|j| Container::read(j, cx.now())).collect();
    let one = |name: &String| {
        let fits = |c: &&Container| c.name == name.trim_start_matches('/') || c.full_id.starts_with(name.as_str());
        found.iter().find(|c| c.name == *name).or_else(|| found.iter().find(fits)).cloned()
    };
    Ok(names.iter().map(|n| one(n).unwrap_or_else(|| Container::absent(n))).collect())
}

/// The ids of the containers that `docker ps` lists with these options.
///
/// # Errors
/// If the daemon cannot be asked.
pub(crate) async fn list(options: &[&str], cx: &Cx<'_>) -> Result<Vec<String>, Fault> {
    let mut args = vec!["ps", "-q", "--no-trunc"];
    args.extend(options);
    let said = ask(&args, cx).await?;
    if !said.good() {
        return Err(Fault::cannot_tell(format!("`docker ps`: {}", said.why())));
    }
    Ok(said.out.lines().map(str::to_owned).collect())
}

/// A share such as `0.07%`.
fn percent(json: &Json) -> Option<f64> {
    json.as_str()?.trim_end_matches('%').parse().ok()
}

/// What one line of `docker stats` says: the id, and what it uses.
fn read_usage(line: &str) -> Option<(String, Usage)> {
    let json: Json = serde_json::from_str(line).ok()?;
    let id = json["ID"].as_str().or(json["Container"].as_str())?.to_owned();
    let memory = json["MemUsage"].as_str().and_then(|m| m.split('/').next()).and_then(|m| parse_size(m.trim()));
    let usage = Usage {
        cpu_percent: percent(&json["CPUPerc"]),
        memory: memory.map(Size),
        memory_percent: percent(&json["MemPerc"]),
        tasks: json["PIDs"].as_str().and_then(|p| p.parse().ok()),
    };
    Some((id, usage))
}

/// What running containers use, one entry for each that runs. It takes the daemon two seconds.
///
/// # Errors
/// If the daemon cannot be asked.
pub(crate) async fn usage(ids: &[String], cx: &Cx<'_>) -> Result<Vec<(String, Usage)>, Fault> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut args = vec!["stats", "--no-stream", "--no-trunc", "--format", "{{json .}}", "--"];
    args.extend(ids.iter().map(String::as_str));
    let said = ask(&args, cx).await?;
    if !said.good() {
        return Err(Fault::cannot_tell(format!("`docker stats`: {}", said.why())));
    }
    Ok(said.out.lines().filter_map(read_usage).collect())
}

/// A line that a container wrote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// When.
    pub(crate) at: String,
    /// What.
    pub(crate) text: String,
}

/// The last lines that a container wrote, on both streams, in the order of time.
///
/// # Errors
/// If the daemon cannot be asked, or its logging driver gives nothing back.
pub(crate) async fn logs(container: &str, tail: Option<u64>, since: Option<Duration>, cx: &Cx<'_>) -> Result<Vec<Line>, Fault> {
    let tail = tail.map_or_else(|| "all".to_owned(), |n| n.to_string());
    let from = since.and_then(|s| cx.now().checked_sub(s.0).ok()).map(|t| t.to_string());
    let mut args = vec!["logs", "--timestamps", "--tail", &tail];
    if let Some(from) = &from {
        args.extend(["--since", from]);
    }
    args.extend(["--", container]);
    let said = ask(&args, cx).await?;
    if !said.good() {
        return Err(Fault::cannot_tell(format!("`docker logs`: {}", said.why())));
    }
    let line = |l: &str| {
        let (at, text) = l.split_once(' ').unwrap_or((l, ""));
        Line { at: at.to_owned(), text: text.trim_end_matches('\r').to_owned() }
    };
    let mut lines: Vec<Line> = said.out.lines().chain(said.err.lines()).map(line).collect();
    lines.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inspected(state: Json) -> Json {
        json!({"Id": "0123456789abcdef", "Name": "/web", "State": state, "RestartCount": 2,
            "Config": {"Image": "box", "Labels": {"com.docker.compose.service": "web"}},
            "HostConfig": {"Memory": 1_048_576, "RestartPolicy": {"Name": "no"}}})
    }

    #[test]
    fn what_the_daemon_says_is_read() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let health = json!({"Status": "unhealthy", "Log": [{"Output": "refused\n"}]});
        let running = json!({"Status": "running", "Pid": 7, "ExitCode": 0, "StartedAt": "2026-01-01T00:00:00.5Z",
            "FinishedAt": "0001-01-01T00:00:00Z", "Health": health});
        let c = Container::read(&inspected(running), now).unwrap();
        assert_eq!((c.name.as_str(), c.id.as_deref(), c.running, c.well()), ("web", Some("0123456789ab"), true, false));
        assert_eq!((c.exit_code, c.ended, c.uptime.unwrap().0.as_millis()), (None, None, 59_500));
        assert_eq!((c.health_output.as_deref(), c.memory_limit), (Some("refused"), Some(Size(1 << 20))));
        assert_eq!(c.described(), "running, unhealthy");

        let ended = json!({"Status": "exited", "Pid": 0, "ExitCode": 137, "OOMKilled": true,
            "StartedAt": "2026-01-01T00:00:00Z", "FinishedAt": "2026-01-01T00:00:30Z"});
        let c = Container::read(&inspected(ended), now).unwrap();
        assert_eq!((c.exit_code, c.oom_killed, c.uptime, c.pid, c.running), (Some(137), true, None, None, false));
        assert!(c.described().starts_with("exited with code 137, ended by the kernel"));

        let never = json!({"Status": "created", "ExitCode": 0, "StartedAt": "0001-01-01T00:00:00Z", "Error": "no such file"});
        let c = Container::read(&inspected(never), now).unwrap();
        assert_eq!((c.exit_code, c.since, c.described().as_str()), (None, None, "created: no such file"));
        assert_eq!(Container::read(&json!({}), now), None);
    }

    #[test]
    fn usage_is_read() {
        let line = r#"{"CPUPerc":"12.50%","ID":"b0b5","MemPerc":"0.07%","MemUsage":"444KiB / 23.54GiB","PIDs":"3"}"#;
        let (id, usage) = read_usage(line).unwrap();
        assert_eq!((id.as_str(), usage.cpu_percent, usage.memory), ("b0b5", Some(12.5), Some(Size(444 * 1024))));
        assert_eq!((usage.memory_percent, usage.tasks), (Some(0.07), Some(3)));
        let (_, usage) = read_usage(r#"{"CPUPerc":"--","ID":"b","MemUsage":"-- / --"}"#).unwrap();
        assert_eq!((usage.cpu_percent, usage.memory, usage.tasks), (None, None, None));
        assert_eq!(read_usage("Error"), None);
    }

    #[test]
    fn a_daemon_that_does_not_answer_is_not_a_no() {
        let said = |err: &str| Said { code: Some(1), out: String::new(), err: err.to_owned() };
        for (err, part) in [
            ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", "no Docker daemon answers"),
            ("permission denied while trying to connect to the Docker daemon socket", "may not talk to"),
        ] {
            let fault = reached(&said(err)).unwrap_err();
            assert!(matches!(&fault, Fault::CannotTell { message } if message.contains(part)), "{fault:?}");
        }
        assert!(reached(&said("Error: No such container: x")).is_ok());
    }
}
