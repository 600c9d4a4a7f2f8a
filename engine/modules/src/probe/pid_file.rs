//! `pid_file`: whether the process that a pid file speaks of runs.

use regex::Regex;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches};
use runbook_core::value::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::by_hand;
use crate::support::process::{self, boot_id};
use crate::support::service_files::{PidFile as Content, read_pid_file, read_record, record_path};

pub(crate) struct PidFile;

/// Looks whether the process that a pid file speaks of runs, and is still the one that was meant.
///
/// `state` is `absent` (there is no file), `live`, `stale` (no process of that number runs, or the file holds no number) or `foreign`
/// (that number now belongs to another process). That is known by the record that `service.start` writes beside the file, which holds
/// the process' start time, or by `command`. Without either, any living process of that number counts.
///
/// The step is ok if it is live.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The pid file; relative ones start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// A regular expression that the process' command line must hold. Default: none.
    #[serde(default)]
    #[schemars(extend("format" = "regex"))]
    command: Option<String>,
}

/// What the file speaks of.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether there is such a file.
    exists: bool,
    /// The number in it; null if there is none.
    pid: Option<u32>,
    /// Whether a process of that number runs; a zombie does not.
    alive: bool,
    /// Whether there is a file that does not speak of a running process of its own.
    stale: bool,
    /// Whether the command line fits `command`; null if that was not asked or there is no process.
    matches: Option<bool>,
    /// `absent`, `live`, `stale` or `foreign`.
    state: String,
    /// The same in words.
    detail: String,
    /// When the process of that number was started; null if none runs.
    #[serde(rename = "since")]
    started_at: Option<Time>,
}

impl Probe for PidFile {
    const NAME: &'static str = "pid_file";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "alive and not stale";
    const SAYS: &'static str = "{{ detail }}";
    const COLUMNS: &'static [&'static str] = &["pid"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "The process of a pid file runs", yaml: "pid_file: state/pids/api-gateway.pid\n", runs: false },
        Example { title: "The pid file is gone", yaml: "pid_file: \"{tmp}/api-gateway.pid\"\nexpect: not exists\n", runs: true },
        Example {
            title: "It speaks of the right program",
            yaml: "pid_file: { path: pids/crypto_ws.pid, command: crypto_ws\\.py }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let hand = ByHand::run(format!("cat {path}")).and(format!("ps -o pid,lstart,args -p \"$(cat {path})\""));
        match args.text("command") {
            Some(pattern) => hand.expect(format!("a process is shown, and its command line holds `{pattern}`")),
            None => hand.expect("a process is shown, and it is the one that is meant"),
        }
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([Resource::file(&args.path), Resource::new("process", "*")])
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let regex = args.command.as_deref().map(Regex::new).transpose().map_err(|e| Fault::invalid("command", e.to_string()))?;
        let path = cx.resolve(&args.path);
        let content =
            read_pid_file(&path).map_err(|e| Fault::cannot_tell(format!("`{}` cannot be read: {e}", path.display())))?;
        let mut out = Out {
            exists: content != Content::Absent,
            pid: None,
            alive: false,
            stale: false,
            matches: None,
            state: String::new(),
            detail: String::new(),
            started_at: None,
        };
        (out.state, out.detail) = match content {
            Content::Absent => ("absent".to_owned(), "there is no such file".to_owned()),
            Content::Garbage => ("stale".to_owned(), "the file holds no process id".to_owned()),
            Content::Number(pid) => {
                out.pid = Some(pid);
                let look = process::look(pid).map_err(|e| Fault::cannot_tell(format!("pid {pid} cannot be looked at: {e}")))?;
                match look.filter(|l| !l.ended()) {
                    None => ("stale".to_owned(), format!("pid {pid} is not running")),
                    Some(look) => {
                        out.alive = true;
                        out.started_at = cx.now().checked_sub(look.uptime()).ok().map(Time);
                        out.matches = regex.map(|r| r.is_match(&look.command()));
                        // A record of another number tells nothing about this one.
                        let record = read_record(&record_path(&path)).ok().flatten().filter(|r| r.pid == pid);
                        let other = record.is_some_and(|r| r.boot_id != boot_id() || r.starttime != look.ticks);
                        if other || out.matches == Some(false) {
                            ("foreign".to_owned(), format!("that number belongs to {}", look.described()))
                        } else {
                            ("live".to_owned(), format!("{} is running", look.described()))
                        }
                    }
                }
            }
        };
        out.stale = out.exists && out.state != "live";
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use runbook_core::module::Daemon;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::testing::{TestHost, args, settled};

    async fn look(host: &TestHost, json: Json) -> Out {
        PidFile::observe(&args(json), &host.cx()).await.unwrap()
    }

    #[tokio::test]
    async fn every_state() {
        let host = TestHost::new();
        let out = look(&host, json!({"path": "x.pid"})).await;
        assert!(out.state == "absent" && !out.exists && !out.stale && !out.alive);
        host.write("x.pid", "hello");
        let out = look(&host, json!({"path": "x.pid"})).await;
        assert!(out.state == "stale" && out.stale && out.pid.is_none());

        let argv = vec!["sleep".to_owned(), "2002".to_owned()];
        let pid = host.change().spawn(Daemon { argv, ..Daemon::default() }).unwrap().pid;
        settled(pid).await;
        host.write("x.pid", format!("{pid}\n"));
        let out = look(&host, json!({"path": "x.pid", "command": "^sleep 2002$"})).await;
        assert!(out.state == "live" && out.alive && !out.stale && out.matches == Some(true) && out.started_at.is_some());
        let out = look(&host, json!({"path": "x.pid", "command": "python"})).await;
        assert!(out.state == "foreign" && out.alive && out.stale && out.matches == Some(false));

        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        host.write("x.pid", gone.id().to_string());
        let out = look(&host, json!({"path": "x.pid"})).await;
        assert!(out.state == "stale" && out.stale && !out.alive && out.pid == Some(gone.id()));
    }

    #[tokio::test]
    async fn a_folder_is_not_a_pid_file() {
        let host = TestHost::new();
        let fault = PidFile::observe(&args(json!({"path": "."})), &host.cx()).await.unwrap_err();
        assert!(matches!(fault, Fault::CannotTell { .. }), "{fault:?}");
    }
}
