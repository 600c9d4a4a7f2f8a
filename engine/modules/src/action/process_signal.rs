//! `process.signal`: send a signal to a process.

use regex::Regex;
use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Resource, Touches, hand_word,
};
use rustix::process::Signal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::by_hand;
use crate::support::process::{self, Look, boot_id, handles, own_line};
use crate::support::service_files::{PidFile, read_pid_file, read_record, record_path};
use crate::support::signals::SignalName;
use crate::support::stop::{signal_led_group, signal_one};

pub(crate) struct ProcessSignal;

/// Sends a signal to one process, or to the group it leads, after making sure that it is the right one.
///
/// A number alone proves nothing: it may belong to another process by now. So the command line must fit `expect_command`, unless
/// the number is read from the pid file of a service that was started from here, whose start time is known. The engine itself, its
/// ancestors and process 1 are never signalled.
///
/// `HUP`, `USR1` and `USR2` end a process that has no handler for them; they are sent only to one that has, unless `require_handler` is
/// false. To start and stop services use `service.start` and `service.stop`, which wait for the outcome.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The process id. Give this or `pid_file`.
    #[serde(default)]
    pid: Option<u32>,
    /// The file that holds the process id; relative ones start at the project root.
    #[serde(default)]
    pid_file: Option<String>,
    /// The signal, such as `TERM` or `USR1`.
    signal: SignalName,
    /// Whether to send it to all processes of the group that the process leads. Default: false.
    #[serde(default)]
    group: bool,
    /// A regular expression that the process' command line must hold.
    #[serde(default)]
    #[schemars(extend("format" = "regex"))]
    expect_command: Option<String>,
    /// Whether the process must have a handler of its own for the signal. Default: true for `HUP`, `USR1` and `USR2`, else false.
    #[serde(default)]
    require_handler: Option<bool>,
}

/// What was signalled.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The process id.
    pid: u32,
    /// The signal's name.
    signal: SignalName,
    /// Whether it was sent to the whole group.
    group: bool,
    /// The command line of the process.
    command: String,
}

/// The process that is meant, after all doubts.
fn find(args: &Args, cx: &Cx<'_>) -> Result<Look, Fault> {
    let regex = args
        .expect_command
        .as_deref()
        .map(Regex::new)
        .transpose()
        .map_err(|e| Fault::invalid("expect_command", e.to_string()))?;
    let (pid, started) = match (args.pid, &args.pid_file) {
        (Some(pid), None) => (pid, None),
        (None, Some(path)) => {
            let path = cx.resolve(path);
            let content =
                read_pid_file(&path).map_err(|e| Fault::cannot_tell(format!("`{}` cannot be read: {e}", path.display())))?;
            let pid = match content {
                PidFile::Absent => return Err(Fault::unmet(format!("there is no pid file `{}`", path.display()))),
                PidFile::Garbage => return Err(Fault::unmet(format!("`{}` holds no process id", path.display()))),
                PidFile::Number(pid) => pid,
            };
            let record = read_record(&record_path(&path)).map_err(Fault::cannot_tell)?.filter(|r| r.pid == pid);
            if record.as_ref().is_some_and(|r| r.boot_id != boot_id()) {
                return Err(Fault::unmet(format!("pid {pid} in `{}` is from before the machine was restarted", path.display())));
            }
            (pid, record.map(|r| r.starttime))
        }
        _ => return Err(Fault::invalid("pid", "give either `pid` or `pid_file`")),
    };
    if pid <= 1 {
        return Err(Fault::invalid("pid", format!("process {pid} is never signalled")));
    }
    let own = own_line();
    if own.contains(&pid) {
        return Err(Fault::invalid("pid", format!("pid {pid} is this engine or one of its ancestors")));
    }
    if regex.is_none() && started.is_none() {
        let text = "`expect_command` is required: a number alone does not tell one process from another";
        return Err(Fault::invalid("expect_command", text));
    }
    let look = process::look(pid).map_err(|e| Fault::cannot_tell(format!("pid {pid} cannot be looked at: {e}")))?;
    let look = look.filter(|l| !l.ended()).ok_or_else(|| Fault::unmet(format!("pid {pid} is not running")))?;
    if started.is_some_and(|s| s != look.ticks) {
        return Err(Fault::unmet(format!("that number now belongs to {}; it was not signalled", look.described())));
    }
    if let Some(regex) = &regex
        && !regex.is_match(&look.command())
    {
        return Err(Fault::unmet(format!("{} does not fit `{regex}`; it was not signalled", look.described())));
    }
    if args.group && look.group != pid {
        return Err(Fault::unmet(format!("{} leads no process group; it was not signalled", look.described())));
    }
    let all = if args.group {
        process::all().into_iter().filter(|l| l.group == pid && !l.ended()).collect()
    } else {
        vec![look.clone()]
    };
    if let Some(member) = all.iter().find(|l| own.contains(&l.pid)) {
        return Err(Fault::invalid("group", format!("this engine itself is in that group ({})", member.described())));
    }
    let deadly = matches!(args.signal.0, Signal::HUP | Signal::USR1 | Signal::USR2);
    if args.require_handler.unwrap_or(deadly) {
        check_handlers(&all, args.signal)?;
    }
    Ok(look)
}

fn check_handlers(looks: &[Look], signal: SignalName) -> Result<(), Fault> {
    for look in looks {
        match handles(look.pid, signal.0.as_raw()) {
            Some(true) => {}
            Some(false) => {
                let text = format!(
                    "{} has no handler for {signal} and was not signalled; `require_handler: false` sends it all the same",
                    look.described()
                );
                return Err(Fault::unmet(text));
            }
            None => return Err(Fault::cannot_tell(format!("the signal handlers of {} cannot be seen", look.described()))),
        }
    }
    Ok(())
}

impl Action for ProcessSignal {
    const NAME: &'static str = "process.signal";
    const SAYS: &'static str = "{{ signal }} to pid {{ pid }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Ask a program to read its configuration again",
            yaml: "process.signal: { pid_file: /run/nginx.pid, signal: HUP, expect_command: nginx }\n",
            runs: false,
        },
        Example {
            title: "End a runaway process that an earlier step found, with its group",
            yaml: "process.signal: { pid: 4711, signal: TERM, group: true, expect_command: 'python3 .*worker\\.py' }\nconfirm: true\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let pid = match args.text("pid_file") {
            Some(file) => format!("\"$(cat {})\"", by_hand::path_word(&file)),
            None => args.word("pid"),
        };
        let target = match (args.flag("group", false), pid.strip_prefix('"')) {
            (false, _) => pid.clone(),
            (true, Some(rest)) => format!("-- \"-{rest}"),
            (true, None) => format!("-- -{pid}"),
        };
        let hand = ByHand::run("# Is it the right process?")
            .and(format!("ps -o pid,lstart,args -p {pid}"))
            .and("# Only then:")
            .and(format!("kill -s {} {target}", hand_word(args.or("signal", "TERM").trim_start_matches("SIG"))));
        match args.text("expect_command") {
            Some(pattern) => hand.note(format!("Send it only if the command line of the process holds `{pattern}`.")),
            None => hand,
        }
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let process = args.pid.map_or_else(|| Resource::new("process", "*"), |pid| Resource::new("process", pid));
        let touches = Touches::changes([process]).needing(Need::Signal);
        match &args.pid_file {
            Some(path) => touches.and_reads(Resource::file(path)),
            None => touches,
        }
    }

    // A signal that is sent twice is acted on twice.
    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        match (args.pid, &args.pid_file) {
            (Some(pid), None) if pid <= 1 => Err(Fault::invalid("pid", format!("process {pid} is never signalled"))),
            (Some(_), None) | (None, Some(_)) => Ok(()),
            _ => Err(Fault::invalid("pid", "give either `pid` or `pid_file`")),
        }
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let look = find(args, cx)?;
        let whom = if args.group { "the group of " } else { "" };
        Ok(Forecast::would(
            format!("send {} to {whom}{}", args.signal, look.described()),
            "it is running and is the one that is meant",
        ))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let look = find(args, cx)?;
        let command = look.command();
        let sent = if args.group {
            signal_led_group(look.pid, look.ticks, args.signal.0)
        } else {
            signal_one(look.pid, look.ticks, args.signal.0)
        };
        match sent {
            Ok(true) => Ok(Done::changed(Out { pid: look.pid, signal: args.signal, group: args.group, command })),
            Ok(false) => Err(Fault::unmet(format!("pid {} ended before it could be signalled", look.pid))),
            Err(e) => Err(Fault::cannot_tell(format!("{} cannot be signalled: {e}", look.described()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use runbook_core::module::{Daemon, ExitReason, Host};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::testing::{TestHost, args, eventually, settled};

    fn spawn(host: &TestHost, script: &str) -> u32 {
        let argv = vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        let daemon = Daemon { argv, cwd: Some(host.root().to_owned()), stdout: Some(host.file("out")), ..Daemon::default() };
        host.change().spawn(daemon).unwrap().pid
    }

    async fn says(host: &TestHost, text: &str) {
        eventually("the script speaks", || std::fs::read_to_string(host.file("out")).ok().filter(|t| t.contains(text))).await;
    }

    async fn send(host: &TestHost, json: Json) -> Result<Out, Fault> {
        ProcessSignal::apply(&args(json), &host.change()).await.map(|d| d.out)
    }

    #[tokio::test]
    async fn only_the_right_process_is_signalled() {
        let host = TestHost::new();
        let pid = spawn(&host, "exec sleep 2003");
        eventually("it is a sleep", || process::argv(pid).filter(|a| a.first().is_some_and(|p| p == "sleep"))).await;
        let fault = send(&host, json!({"pid": pid, "signal": "TERM"})).await.unwrap_err();
        assert!(matches!(&fault, Fault::Invalid { argument: Some(a), .. } if a == "expect_command"), "{fault:?}");
        let fault = send(&host, json!({"pid": pid, "signal": "TERM", "expect_command": "python"})).await.unwrap_err();
        assert!(fault.message().contains("does not fit `python`; it was not signalled"), "{}", fault.message());
        let call = json!({"pid": pid, "signal": "TERM", "expect_command": "^sleep 2003$"});
        let plan = ProcessSignal::plan(&args(call.clone()), &host.cx()).await.unwrap();
        assert_eq!(plan.summary, format!("send SIGTERM to pid {pid} (sleep 2003)"));
        assert_eq!(host.exit_of(pid), None);
        assert_eq!(send(&host, call.clone()).await.unwrap().command, "sleep 2003");
        let end = eventually("it ends", || host.exit_of(pid)).await;
        assert_eq!(end, ExitReason::Signal(15));
        assert_eq!(send(&host, call).await.unwrap_err().message(), format!("pid {pid} is not running"));
    }

    #[tokio::test]
    async fn a_signal_without_a_handler_is_not_sent() {
        let host = TestHost::new();
        let plain = spawn(&host, "exec sleep 2004");
        settled(plain).await;
        let call = |pid: u32| json!({"pid": pid, "signal": "USR1", "expect_command": "."});
        let fault = send(&host, call(plain)).await.unwrap_err();
        assert!(fault.message().contains("has no handler for SIGUSR1"), "{}", fault.message());
        assert_eq!(host.exit_of(plain), None);

        let handler = spawn(&host, "trap 'echo caught' USR1; echo set; while :; do sleep 0.01; done");
        says(&host, "set").await;
        send(&host, call(handler)).await.unwrap();
        says(&host, "caught").await;
        assert_eq!(host.exit_of(handler), None);

        let all_the_same = json!({"pid": plain, "signal": "USR1", "expect_command": ".", "require_handler": false});
        send(&host, all_the_same).await.unwrap();
        assert_eq!(eventually("it ends", || host.exit_of(plain)).await, ExitReason::Signal(10));
    }

    /// T39: `kill -USR1` for a "soft restart" ends a Python that has no handler for it.
    #[tokio::test]
    async fn t39_a_python_without_a_handler_is_left_alone() {
        let host = TestHost::new();
        let python = |more: &str| {
            spawn(&host, &format!("exec python3 -c 'import signal, time; {more}print(1, flush=True); time.sleep(1000)'"))
        };
        let pid = python("");
        says(&host, "1").await;
        let fault = send(&host, json!({"pid": pid, "signal": "USR1", "expect_command": "python3"})).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("has no handler for SIGUSR1")), "{fault:?}");
        assert_eq!(host.exit_of(pid), None);
        let naive = std::process::Command::new("kill").args(["-USR1", &pid.to_string()]).status().unwrap();
        assert!(naive.success(), "the naive command says that all went well");
        assert_eq!(eventually("it ends", || host.exit_of(pid)).await, ExitReason::Signal(10));
    }

    #[tokio::test]
    async fn a_group_is_signalled_as_one() {
        let host = TestHost::new();
        let pid = spawn(&host, "sleep 2005 & echo $!; wait");
        let child: u32 =
            eventually("the child is there", || std::fs::read_to_string(host.file("out")).ok()?.trim().parse().ok()).await;
        let fault = send(&host, json!({"pid": child, "signal": "TERM", "group": true, "expect_command": "."})).await.unwrap_err();
        assert!(fault.message().contains("leads no process group"), "{}", fault.message());
        send(&host, json!({"pid": pid, "signal": "TERM", "group": true, "expect_command": "^sh"})).await.unwrap();
        eventually("the child ends too", || process::look(child).unwrap().is_none_or(|l| l.ended()).then_some(())).await;
    }

    #[tokio::test]
    async fn some_are_never_signalled() {
        let host = TestHost::new();
        let parent = own_line()[1];
        for pid in [0, 1, std::process::id(), parent] {
            let fault = send(&host, json!({"pid": pid, "signal": "CONT", "expect_command": "."})).await.unwrap_err();
            assert!(matches!(fault, Fault::Invalid { .. }), "{pid}: {fault:?}");
        }
        let fault = send(&host, json!({"signal": "CONT"})).await.unwrap_err();
        assert_eq!(fault.message(), "give either `pid` or `pid_file`");
        let fault = send(&host, json!({"pid_file": "none.pid", "signal": "CONT", "expect_command": "."})).await.unwrap_err();
        assert!(fault.message().starts_with("there is no pid file"), "{}", fault.message());
    }
}
