//! `port.release`: end the process that holds a port, if it is the one that is meant.

use std::path::PathBuf;
use std::time::{Duration as Std, Instant};

use regex::Regex;
use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Resource, Touches, hand_word,
};
use runbook_core::value::{Duration, format_duration};
use rustix::process::Signal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::identity::list;
use crate::support::ports::{self, Listener, Where};
use crate::support::process::{self, Look, own_line};
use crate::support::service_by_hand::listener;
use crate::support::service_files::{PidFile, read_pid_file};
use crate::support::signals::SignalName;
use crate::support::stop::signal_one;

pub(crate) struct PortRelease;

/// Ends the process that listens on a port of this machine, if it is the one that is meant.
///
/// Whoever holds the port must fit everything that is given of `expect_command`, `expect_cwd` and `pid_file`; at least one is required. If
/// anybody else holds it, nobody is signalled, and the step says who does. Children that share the socket must fit too, and parents that
/// fit are ended with them: a reloader would start its child again. The engine itself, its ancestors and process 1 are never signalled.
///
/// Released means that nobody listens any more. What still does after `grace` makes the step fail, or is killed with `force`. A
/// port that is free is ok and unchanged. To stop a service of the system use `service.stop`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The port, from 1 to 65535.
    #[schemars(range(min = 1))]
    port: u16,
    /// A regular expression that the command line of each must hold.
    #[serde(default)]
    #[schemars(extend("format" = "regex"))]
    expect_command: Option<String>,
    /// The folder that each must work in, or below; relative ones start at the project root.
    #[serde(default)]
    expect_cwd: Option<String>,
    /// A file with the process id of the owner or of a parent of it; relative ones start at the project root.
    #[serde(default)]
    pid_file: Option<String>,
    /// The signal that asks them to end. Default: `TERM`.
    #[serde(default = "term")]
    signal: SignalName,
    /// How long they may take to end by themselves; a shorter `timeout` of the step shortens it. Default: `10s`.
    #[serde(default)]
    grace: Option<Duration>,
    /// Whether to kill what still holds the port after that; it loses what it was about to write. Default: false.
    #[serde(default)]
    force: bool,
}

fn term() -> SignalName {
    SignalName(Signal::TERM)
}

/// How the port was released.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The port.
    port: u16,
    /// Whether nobody listens on it now.
    free: bool,
    /// Those who were ended, such as `pid 4711 (python3 -m http.server 7000)`.
    ended: Vec<String>,
    /// Whether one had to be killed.
    killed: bool,
    /// How long it took.
    took: Duration,
}

/// What the owner is held against.
struct Wanted {
    command: Option<Regex>,
    cwd: Option<PathBuf>,
    pid: Option<u32>,
}

impl Wanted {
    fn of(args: &Args, cx: &Cx<'_>) -> Result<Wanted, Fault> {
        let command = args
            .expect_command
            .as_deref()
            .map(Regex::new)
            .transpose()
            .map_err(|e| Fault::invalid("expect_command", e.to_string()))?;
        let cwd = args.expect_cwd.as_ref().map(|c| cx.resolve(c)).map(|c| c.canonicalize().unwrap_or(c));
        let pid = match &args.pid_file {
            Some(file) => {
                let file = cx.resolve(file);
                let content =
                    read_pid_file(&file).map_err(|e| Fault::cannot_tell(format!("`{}` cannot be read: {e}", file.display())))?;
                match content {
                    PidFile::Number(pid) => Some(pid),
                    PidFile::Absent | PidFile::Garbage => {
                        return Err(Fault::refused(format!(
                            "`{}` holds no process id, so nobody is known to be the owner",
                            file.display()
                        )));
                    }
                }
            }
            None => None,
        };
        Ok(Wanted { command, cwd, pid })
    }

    /// Why a process is not the one that is meant, if it is not.
    fn foreign(&self, look: &Look) -> Option<String> {
        if let Some(command) = &self.command
            && !command.is_match(&look.command())
            && !process::argv(look.pid).is_some_and(|argv| command.is_match(&argv.join(" ")))
        {
            return Some(format!("its command line does not fit `{command}`"));
        }
        if let Some(folder) = &self.cwd {
            match process::cwd(look.pid) {
                Some(cwd) if cwd.starts_with(folder) => {}
                Some(cwd) => return Some(format!("it works in {} and not in {}", cwd.display(), folder.display())),
                None => return Some("the folder it works in may not be seen".to_owned()),
            }
        }
        match self.pid {
            Some(pid) if !line_of(look).iter().any(|l| l.pid == pid) => {
                Some(format!("it is neither pid {pid} of the pid file nor a child of it"))
            }
            _ => None,
        }
    }
}

/// A process and its ancestors.
fn line_of(look: &Look) -> Vec<Look> {
    let mut line = vec![look.clone()];
    while let Some(last) = line.last()
        && last.ppid > 1
        && line.len() < 64
        && let Ok(Some(parent)) = process::look(last.ppid)
    {
        line.push(parent);
    }
    line
}

fn listening(port: u16) -> Result<Vec<Listener>, Fault> {
    ports::listeners(port, Where::Anywhere)
        .map_err(|e| Fault::cannot_tell(format!("the table of listening ports cannot be read: {e}")))
}

/// Who holds a port and is to be ended: all of them, or the reason why nobody is.
fn owners(args: &Args, wanted: &Wanted) -> Result<Vec<Look>, Fault> {
    let sockets = listening(args.port)?;
    if sockets.is_empty() {
        return Ok(Vec::new());
    }
    let inodes: Vec<u64> = sockets.iter().map(|s| s.inode).collect();
    let holders: Vec<Look> = process::all().into_iter().filter(|l| ports::holds(l.pid, &inodes) == Some(true)).collect();
    let seen = |s: &Listener| holders.iter().any(|l| ports::holds(l.pid, &[s.inode]) == Some(true));
    if holders.is_empty() || !sockets.iter().all(seen) {
        // It may have been closed meanwhile.
        if listening(args.port)?.is_empty() {
            return Ok(Vec::new());
        }
        let user = process::user_name(sockets[0].uid);
        return Err(Fault::cannot_tell(format!(
            "port {} is held by a process of {user} that cannot be seen from here; nobody was signalled; run as root to see it",
            args.port
        )));
    }
    let own = own_line();
    if let Some(look) = holders.iter().find(|l| own.contains(&l.pid) || l.pid == 1) {
        return Err(Fault::refused(format!(
            "port {} is held by this engine, an ancestor of it or process 1: {}",
            args.port,
            look.described()
        )));
    }
    let strangers: Vec<String> =
        holders.iter().filter_map(|l| Some(format!("{}: {}", l.described(), wanted.foreign(l)?))).collect();
    if !strangers.is_empty() {
        return Err(Fault::refused(format!(
            "port {} is held by somebody else; nobody was signalled: {}",
            args.port,
            strangers.join("; ")
        )));
    }
    let mut all = holders.clone();
    for holder in &holders {
        // A parent that fits, up to the first that does not. A shell that only started it has another command line.
        for parent in line_of(holder).into_iter().skip(1) {
            let fits = wanted.command.is_some() && wanted.foreign(&parent).is_none() && !own.contains(&parent.pid);
            if !(fits || wanted.pid == Some(parent.pid)) || own.contains(&parent.pid) {
                break;
            }
            if !all.iter().any(|l| l.pid == parent.pid) {
                all.push(parent);
            }
        }
    }
    // The eldest first, so that none starts another again.
    all.sort_by_key(|l| (l.ticks, l.pid));
    Ok(all)
}

fn signal(looks: &[Look], signal: Signal) -> Result<(), Fault> {
    for look in looks {
        signal_one(look.pid, look.ticks, signal)
            .map_err(|e| Fault::cannot_tell(format!("{} cannot be signalled: {e}", look.described())))?;
    }
    Ok(())
}

/// Waits until the port is free and those who held it are gone.
async fn released(args: &Args, looks: &[Look], limit: Std, change: &Change<'_>) -> Result<bool, Fault> {
    let began = Instant::now();
    loop {
        let gone = looks.iter().all(|l| process::same(l.pid, l.ticks).is_none());
        if gone && listening(args.port)?.is_empty() {
            return Ok(true);
        }
        if began.elapsed() >= limit {
            return Ok(false);
        }
        change.sleep(Std::from_millis(20)).await;
    }
}

impl Action for PortRelease {
    const NAME: &'static str = "port.release";
    const SAYS: &'static str = "{{ 'released' if ended else 'was free' }}";
    const COLUMNS: &'static [&'static str] = &["port", "free"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A port that is free", yaml: "port.release: { port: {port}, expect_command: python3 }\n", runs: true },
        Example {
            title: "Release the port of a service that was left behind",
            yaml: "port.release: { port: 7000, expect_command: 'uvicorn main:app', expect_cwd: services/api-gateway }\n",
            runs: false,
        },
        Example {
            title: "Kill it if it does not end by itself, but ask first",
            yaml: "port.release: { port: 7010, pid_file: state/pids/model-router.pid, force: true }\nconfirm: true\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let signal = args.or("signal", "TERM");
        let hand = ByHand::run("# Who holds it? If no line is shown but the heading, it is free.")
            .and(listener(&args.or("port", "<port>")))
            .and("# Is it the one that is meant? Its command line and its folder:")
            .and("ps -o pid,ppid,lstart,args -p '<pid>'")
            .and("readlink '/proc/<pid>/cwd'")
            .and("# Only then:")
            .and(format!("kill -s {} '<pid>'", hand_word(signal.trim_start_matches("SIG"))));
        let hand = match args.text("expect_command") {
            Some(pattern) => hand.note(format!("Its command line must hold `{pattern}`.")),
            None => hand,
        };
        match args.text("expect_cwd") {
            Some(folder) => hand.note(format!("It must work in {folder} or below.")),
            None => hand,
        }
    }

    fn effect(args: &Args) -> Effect {
        if args.force { Effect::Destroy } else { Effect::Change }
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([Resource::new("port", args.port), Resource::new("process", "*")]).needing(Need::Signal)
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if args.expect_command.is_none() && args.expect_cwd.is_none() && args.pid_file.is_none() {
            let text = "who the owner must be is required: `expect_command`, `expect_cwd` or `pid_file`";
            return Err(Fault::invalid("expect_command", text));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        PortRelease::check(args)?;
        let sockets = listening(args.port)?;
        if sockets.is_empty() {
            return Ok(Forecast::nothing(format!("nobody listens on port {}", args.port)));
        }
        let owners = owners(args, &Wanted::of(args, cx)?)?;
        if owners.is_empty() {
            return Ok(Forecast::nothing(format!("nobody listens on port {}", args.port)));
        }
        let from_to = vec![(format!("port:{}", args.port), format!("held by {}", list(&owners)), "free".to_owned())];
        let then = if args.force { ", and kill what is left after the grace" } else { "" };
        let summary = format!("send {} to {}{then}", args.signal, list(&owners));
        Ok(Forecast { from_to, ..Forecast::would(summary, "all of them are what is meant") })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        PortRelease::check(args)?;
        let began = Instant::now();
        let mut out = Out { port: args.port, free: true, ended: Vec::new(), killed: false, took: Duration::from_millis(0) };
        if listening(args.port)?.is_empty() {
            return Ok(Done::unchanged(out));
        }
        let owners = owners(args, &Wanted::of(args, cx)?)?;
        if owners.is_empty() {
            return Ok(Done::unchanged(out));
        }
        out.ended = owners.iter().map(Look::described).collect();
        let grace = args.grace.map_or(Std::from_secs(10), Duration::to_std);
        let grace = cx.timeout.map_or(grace, |t| t.mul_f64(0.6).min(grace));
        signal(&owners, args.signal.0)?;
        if !released(args, &owners, grace, cx).await? && args.force {
            out.killed = true;
            signal(&owners, Signal::KILL)?;
            released(args, &owners, Std::from_secs(5), cx).await?;
        }
        (out.free, out.took) = (listening(args.port)?.is_empty(), began.elapsed().into());
        let left: Vec<Look> = owners.iter().filter_map(|l| process::same(l.pid, l.ticks)).collect();
        if !left.is_empty() {
            let grace = format_duration(jiff::SignedDuration::try_from(grace).unwrap_or_default());
            let hint = if args.force { "" } else { "; `force: true` kills it" };
            let text = format!("port {}: {} still runs {grace} after {}{hint}", args.port, list(&left), args.signal);
            return Err(Fault::unmet_with(text, out));
        }
        if !out.free {
            return Err(Fault::unmet_with(format!("port {} was taken again by somebody else", args.port), out));
        }
        Ok(Done::changed(out))
    }
}

#[cfg(test)]
mod tests {
    use runbook_core::module::{Daemon, ExitReason, Host};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::testing::{TestHost, args, eventually, free_port, settled};

    /// A program that holds a port; `more` is Python that is run before it waits.
    async fn hold(host: &TestHost, port: u16, more: &str) -> u32 {
        let script =
            format!("import socket, time, os, signal\ns = socket.create_server(('127.0.0.1', {port}))\n{more}\ntime.sleep(1000)");
        let argv = ["python3", "-c", &script, "crypto_ws.py"].map(str::to_owned).to_vec();
        let pid = host.change().spawn(Daemon { argv, cwd: Some(host.root().to_owned()), ..Daemon::default() }).unwrap().pid;
        eventually("it listens", || listening(port).unwrap().first().copied()).await;
        pid
    }

    async fn release(host: &TestHost, json: Json) -> Result<(Out, bool), Fault> {
        PortRelease::apply(&args(json), &host.change()).await.map(|d| (d.out, d.changed))
    }

    /// T30, T31: by name or command line the naive command also means others; by port and proof only the one.
    #[tokio::test]
    async fn t30_t31_only_the_owner_that_is_meant_is_ended() {
        let (host, other) = (TestHost::new(), TestHost::new());
        let port = free_port();
        let owner = hold(&host, port, "").await;
        // An editor, as good as any, with the file's name on its command line; and another Python elsewhere.
        let argv = ["sh", "-c", "exec sleep 1000 # crypto_ws.py"].map(str::to_owned).to_vec();
        let argv = [vec!["python3".to_owned(), "-c".to_owned(), "import time; time.sleep(1000)".to_owned()], argv].concat();
        let editor = other.change().spawn(Daemon { argv, cwd: Some(other.root().to_owned()), ..Daemon::default() }).unwrap().pid;
        settled(editor).await;
        for naive in [&["-f", "crypto_ws.py"][..], &["python3"]] {
            // `python3` may at first be a script that finds the right one.
            eventually("the naive command would end both", || {
                let found = std::process::Command::new("pgrep").args(naive).output().unwrap();
                let found = String::from_utf8_lossy(&found.stdout).into_owned();
                [owner, editor].iter().all(|pid| found.lines().any(|l| l == pid.to_string())).then_some(())
            })
            .await;
        }
        let fault = release(&host, json!({"port": port, "expect_command": "uvicorn"})).await.unwrap_err();
        let message = fault.message();
        assert!(matches!(fault, Fault::Refused { .. }) && message.contains(&format!("pid {owner} (")), "{message}");
        let fault = release(&host, json!({"port": port, "expect_cwd": other.root()})).await.unwrap_err();
        assert!(fault.message().contains("nobody was signalled") && fault.message().contains("it works in"), "{fault:?}");
        other.write("x.pid", editor.to_string());
        let fault = release(&host, json!({"port": port, "pid_file": other.file("x.pid")})).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("of the pid file")), "{fault:?}");
        assert_eq!(host.exit_of(owner), None);

        let call = json!({"port": port, "expect_command": "crypto_ws\\.py", "expect_cwd": "."});
        let plan = PortRelease::plan(&args(call.clone()), &host.cx()).await.unwrap();
        assert!(plan.would_change && plan.summary.contains(&format!("pid {owner} (")), "{plan:?}");
        let (out, changed) = release(&host, call.clone()).await.unwrap();
        assert!(changed && out.free && !out.killed && out.ended.len() == 1, "{out:?}");
        assert_eq!(eventually("it is collected", || host.exit_of(owner)).await, ExitReason::Signal(15));
        assert_eq!(other.exit_of(editor), None, "the editor is left alone");
        assert!(!release(&host, call.clone()).await.unwrap().1);
        assert!(!PortRelease::plan(&args(call), &host.cx()).await.unwrap().would_change);
    }

    /// T04: a reloader's child holds the socket; killing the number in the pid file alone leaves the port taken.
    #[tokio::test]
    async fn t04_a_child_that_holds_the_socket_is_ended_too() {
        let host = TestHost::new();
        let port = free_port();
        let reloader = hold(&host, port, "child = os.fork()\nif child: s.close()").await;
        let child = eventually("the child holds it alone", || {
            let inode = listening(port).unwrap().first()?.inode;
            let holders: Vec<u32> = process::ids().filter(|p| ports::holds(*p, &[inode]) == Some(true)).collect();
            (holders.len() == 1 && holders[0] != reloader).then(|| holders[0])
        })
        .await;
        host.write("web.pid", reloader.to_string());
        let (out, _) = release(&host, json!({"port": port, "pid_file": "web.pid"})).await.unwrap();
        assert!(out.free && out.ended.len() == 2, "{out:?}");
        assert!(process::look(child).unwrap().is_none_or(|l| l.ended()));

        // The naive way: the parent is dead, and the port is still held.
        let port = free_port();
        let reloader = hold(&host, port, "child = os.fork()\nif child: s.close()").await;
        let naive = std::process::Command::new("kill").args(["-9", &reloader.to_string()]).status().unwrap();
        assert!(naive.success());
        eventually("the parent is gone", || host.exit_of(reloader)).await;
        assert!(!listening(port).unwrap().is_empty());
        assert!(release(&host, json!({"port": port, "expect_command": "crypto_ws"})).await.unwrap().1);
    }

    #[tokio::test]
    async fn the_stubborn_are_named_or_killed() {
        let host = TestHost::new();
        let port = free_port();
        let pid = hold(&host, port, "signal.signal(signal.SIGTERM, signal.SIG_IGN)").await;
        eventually("it ignores the signal", || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let ignored = status.lines().find_map(|l| l.strip_prefix("SigIgn:")).unwrap().trim().to_owned();
            (u64::from_str_radix(&ignored, 16).unwrap() & (1 << 14) != 0).then_some(())
        })
        .await;
        let call = |force: bool| json!({"port": port, "expect_cwd": ".", "grace": "200ms", "force": force});
        let fault = release(&host, call(false)).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("`force: true` kills it")), "{fault:?}");
        let (out, _) = release(&host, call(true)).await.unwrap();
        assert!(out.killed && out.free);
        assert_eq!(eventually("it is collected", || host.exit_of(pid)).await, ExitReason::Signal(9));
    }

    #[tokio::test]
    async fn some_are_never_ended() {
        let host = TestHost::new();
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let fault = release(&host, json!({"port": port, "expect_command": "."})).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("held by this engine")), "{fault:?}");
        let fault = release(&host, json!({"port": port})).await.unwrap_err();
        assert!(matches!(&fault, Fault::Invalid { .. }), "{fault:?}");
        let fault = release(&host, json!({"port": port, "pid_file": "none.pid"})).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { .. }), "{fault:?}");
        crate::support::testing::close(socket).await;
    }
}
