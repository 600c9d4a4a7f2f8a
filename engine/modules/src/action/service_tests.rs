//! Starting, stopping and looking at services, with real processes.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use runbook_core::module::{Action, Fault, Probe};
use serde_json::{Value as Json, json};

use super::service_restart::ServiceRestart;
use super::service_start::ServiceStart;
use super::service_stop::ServiceStop;
use crate::probe::service::Service;
use crate::support::process::{cwd, look, own_line};
use crate::support::testing::{TestHost, args, close, eventually, free_port, settled};

/// Says `ready` and goes on until it is ended.
const PATIENT: &str = "echo ready; exec sleep 1000";
/// As [`PATIENT`], and does not end when asked to.
const STUBBORN: &str = "trap '' TERM; echo ready; exec sleep 1000";

fn entry(script: &str) -> Json {
    json!({"id": "web", "command": ["sh", "-c", script], "pid_file": "pids/web.pid", "stop": {"grace": "10s"}})
}

fn with(mut entry: Json, more: Json) -> Json {
    for (key, value) in more.as_object().unwrap() {
        entry[key] = value.clone();
    }
    entry
}

fn call(entry: &Json, more: Json) -> Json {
    with(json!({"name": "web", "entry": entry}), more)
}

/// A reply: the result, and whether anything changed.
type Reply = Result<(Json, bool), Fault>;

async fn apply<A: Action>(host: &TestHost, call: Json) -> Reply {
    let done = A::apply(&args(call), &host.change()).await?;
    Ok((serde_json::to_value(done.out).unwrap(), done.changed))
}

async fn start(host: &TestHost, entry: &Json) -> Reply {
    apply::<ServiceStart>(host, call(entry, json!({}))).await
}

async fn stop(host: &TestHost, entry: &Json, more: Json) -> Reply {
    apply::<ServiceStop>(host, call(entry, more)).await
}

async fn probe(host: &TestHost, entry: &Json) -> Json {
    serde_json::to_value(Service::observe(&args(call(entry, json!({"owner": true}))), &host.cx()).await.unwrap()).unwrap()
}

fn pid_of(out: &Json) -> u32 {
    u32::try_from(out["pid"].as_u64().unwrap()).unwrap()
}

fn alive(pid: u32) -> bool {
    look(pid).unwrap().is_some_and(|l| !l.ended())
}

async fn says_ready(path: impl AsRef<Path>) {
    let said = || std::fs::read_to_string(&path).ok().filter(|t| t.contains("ready")).map(drop);
    eventually("the service says that it is ready", said).await;
}

fn log(host: &TestHost) -> std::path::PathBuf {
    host.file("logs/web.out.log")
}

/// A process that is none of the service's business; ended at the end.
struct Stranger(Child);

impl Stranger {
    async fn new(argv: &[&str], host: &TestHost) -> Stranger {
        use std::os::unix::process::CommandExt;
        let child = Command::new(argv[0]).args(&argv[1..]).current_dir(host.root()).process_group(0).spawn().unwrap();
        let stranger = Stranger(child);
        settled(stranger.0.id()).await;
        stranger
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn from_start_to_stop() {
    let host = TestHost::new();
    let port = free_port();
    let listen = format!(
        "import socket, time; s = socket.create_server(('127.0.0.1', {port})); print('ready', flush=True); time.sleep(1000)"
    );
    let entry = with(entry(""), json!({"command": ["python3", "-c", listen], "port": port, "env": {"A": 5}}));
    assert_eq!(probe(&host, &entry).await["state"], "stopped");

    let (out, changed) = start(&host, &entry).await.unwrap();
    assert!(changed && out["already_running"] == false && out["port"] == port && out["stdout_offset"] == 0);
    let pid = pid_of(&out);
    assert_eq!(std::fs::read_to_string(host.file("pids/web.pid")).unwrap(), format!("{pid}\n"));
    says_ready(log(&host)).await;
    assert_eq!(cwd(pid).unwrap(), host.root().canonicalize().unwrap());

    let seen = probe(&host, &entry).await;
    assert_eq!(
        (&seen["state"], &seen["pid"], &seen["listening"], &seen["owned"]),
        (&json!("running"), &json!(pid), &json!(true), &json!(true))
    );
    let owner = seen["owner"].as_str().unwrap();
    assert!(owner.starts_with(&format!("pid {pid} (")) && owner.contains("python3 -c "), "{owner}");
    assert_eq!(seen["since"], out["since"]);

    let (again, changed) = start(&host, &entry).await.unwrap();
    assert!(!changed && again["already_running"] == true && again["stdout_offset"] == 0);
    assert_eq!((&again["pid"], &again["since"]), (&out["pid"], &out["since"]));

    let (out, changed) = stop(&host, &entry, json!({})).await.unwrap();
    assert!(changed && out["stopped"] == true && out["killed"] == false && out["was"] == "running" && out["signal"] == "TERM");
    assert!(!alive(pid));
    assert_eq!(std::fs::read_dir(host.file("pids")).unwrap().count(), 0, "pid file, record and lock are gone");

    let (out, changed) = stop(&host, &entry, json!({})).await.unwrap();
    assert!(!changed && out["was"] == "stopped" && out["signal"] == Json::Null);
    assert_eq!(probe(&host, &entry).await["listening"], false);
}

#[tokio::test]
async fn two_runs_start_one() {
    let host = TestHost::new();
    let entry = entry(PATIENT);
    let (a, b) = tokio::join!(start(&host, &entry), start(&host, &entry));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.0["pid"], b.0["pid"]);
    assert_ne!(a.1, b.1);
}

#[tokio::test]
async fn a_stale_pid_file_is_removed() {
    let host = TestHost::new();
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    for content in [gone.id().to_string(), "no number".to_owned(), String::new()] {
        host.write("pids/web.pid", &content);
        let entry = entry(PATIENT);
        assert_eq!(probe(&host, &entry).await["state"], "stale");
        let (out, changed) = stop(&host, &entry, json!({})).await.unwrap();
        assert!(!changed && out["was"] == "stale");
        assert!(!host.file("pids/web.pid").exists());

        host.write("pids/web.pid", &content);
        let (out, changed) = start(&host, &entry).await.unwrap();
        assert!(changed && out["removed_stale"] == true);
        assert!(host.told().iter().any(|t| t.starts_with("removed the stale pid file of `web`: ")), "{:?}", host.told());
        stop(&host, &entry, json!({})).await.unwrap();
    }
}

#[tokio::test]
async fn t03_a_stranger_with_the_number_is_left_alone() {
    let host = TestHost::new();
    let entry = entry(PATIENT);
    // Its folder alone does not make it ours.
    let mut stranger = Stranger::new(&["sleep", "1001"], &host).await;
    let pid = stranger.0.id();
    host.write("pids/web.pid", pid.to_string());
    let seen = probe(&host, &entry).await;
    assert_eq!((&seen["state"], &seen["pid"]), (&json!("foreign"), &json!(pid)));
    let (out, changed) = stop(&host, &entry, json!({"force": true})).await.unwrap();
    assert!(!changed && out["was"] == "foreign" && out["signal"] == Json::Null);
    assert!(!host.file("pids/web.pid").exists());
    assert!(stranger.0.try_wait().unwrap().is_none());
    // What the documents say to type fails without the file, and with the stale one ends the stranger.
    let naive = || Command::new("sh").args(["-c", "kill $(cat pids/web.pid)"]).current_dir(host.root()).output().unwrap();
    assert!(!naive().status.success());
    host.write("pids/web.pid", pid.to_string());
    assert!(naive().status.success());
    assert!(!stranger.0.wait().unwrap().success());
}

#[tokio::test]
async fn a_number_that_was_given_out_again_is_foreign() {
    let host = TestHost::new();
    let entry = entry(PATIENT);
    let (out, _) = start(&host, &entry).await.unwrap();
    says_ready(log(&host)).await;
    // The same number, started at another time.
    let record = host.file("pids/web.pid.json");
    let mut text: Json = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    let original = text.clone();
    text["starttime"] = json!(1);
    text["marker"] = json!("web:other");
    std::fs::write(&record, text.to_string()).unwrap();
    assert_eq!(probe(&host, &entry).await["state"], "foreign");
    let (out2, _) = stop(&host, &entry, json!({"force": true})).await.unwrap();
    assert_eq!(out2["was"], "foreign");
    assert!(alive(pid_of(&out)));
    // From before a restart of the machine.
    text = original;
    text["boot_id"] = json!("another");
    std::fs::write(&record, text.to_string()).unwrap();
    let seen = probe(&host, &entry).await;
    assert_eq!(seen["state"], "stale");
    assert!(seen["detail"].as_str().unwrap().contains("before the machine was restarted"), "{seen}");
    // From another container: nobody can tell.
    text["boot_id"] = json!(crate::support::process::boot_id());
    text["pid_space"] = json!("pid:[1]");
    std::fs::write(&record, text.to_string()).unwrap();
    assert_eq!(probe(&host, &entry).await["state"], "unknown");
    assert!(matches!(stop(&host, &entry, json!({"force": true})).await, Err(Fault::CannotTell { .. })));
    assert!(matches!(start(&host, &entry).await, Err(Fault::CannotTell { .. })));
    assert!(alive(pid_of(&out)));
}

#[tokio::test]
async fn an_unreadable_record_stops_everything() {
    let host = TestHost::new();
    let entry = entry(PATIENT);
    host.write("pids/web.pid.json", "{");
    for fault in [start(&host, &entry).await.unwrap_err(), stop(&host, &entry, json!({})).await.unwrap_err()] {
        assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("is not a record")), "{fault:?}");
    }
    assert!(host.file("pids/web.pid.json").exists());
}

#[tokio::test]
async fn who_does_not_stop_is_named_and_killed_only_by_force() {
    let host = TestHost::new();
    let entry = entry(STUBBORN);
    let (out, _) = start(&host, &entry).await.unwrap();
    let pid = pid_of(&out);
    says_ready(log(&host)).await;
    let fault = stop(&host, &entry, json!({"grace": "50ms"})).await.unwrap_err();
    let Fault::Unmet { message, result } = fault else { panic!("{fault:?}") };
    assert!(
        message.starts_with(&format!("`web` did not stop within 50ms; still running: pid {pid} (sleep 1000); use `force")),
        "{message}"
    );
    assert_eq!((&result["stopped"], &result["signal"]), (&json!(false), &json!("TERM")));
    assert!(alive(pid) && host.file("pids/web.pid").exists());

    let (out, changed) = stop(&host, &entry, json!({"grace": "50ms", "force": true})).await.unwrap();
    assert!(changed && out["killed"] == true);
    assert!(!alive(pid) && !host.file("pids/web.pid").exists());
}

#[tokio::test]
async fn a_stopped_process_is_woken_to_end() {
    let host = TestHost::new();
    let entry = entry(PATIENT);
    let (out, _) = start(&host, &entry).await.unwrap();
    says_ready(log(&host)).await;
    let pid = rustix::process::Pid::from_raw(pid_of(&out).cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let (out, _) = stop(&host, &entry, json!({})).await.unwrap();
    assert_eq!(out["killed"], false);
}

#[tokio::test]
async fn who_left_the_group_is_found_by_its_mark() {
    let host = TestHost::new();
    // A child in a session of its own, whose parent ends: nothing but the mark ties it to the service.
    let entry = entry("(setsid sh -c 'echo $$ > escaped; echo ready; exec sleep 1000' &); exec sleep 1000");
    let (out, _) = start(&host, &entry).await.unwrap();
    says_ready(log(&host)).await;
    let escaped: u32 = std::fs::read_to_string(host.file("escaped")).unwrap().trim().parse().unwrap();
    assert_ne!(look(escaped).unwrap().unwrap().group, pid_of(&out));

    // Its main process is lost.
    let leader = rustix::process::Pid::from_raw(pid_of(&out).cast_signed()).unwrap();
    rustix::process::kill_process(leader, rustix::process::Signal::KILL).unwrap();
    eventually("the leader is gone", || (!alive(pid_of(&out))).then_some(())).await;
    let seen = probe(&host, &entry).await;
    assert_eq!((&seen["state"], &seen["signal"]), (&json!("leaderless"), &json!("KILL")));
    let fault = start(&host, &entry).await.unwrap_err();
    assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(&format!("pid {escaped}"))), "{fault:?}");

    let (out, changed) = stop(&host, &entry, json!({})).await.unwrap();
    assert!(changed && out["was"] == "leaderless");
    assert!(!alive(escaped));
}

#[tokio::test]
async fn stopping_ends_the_children_too() {
    let host = TestHost::new();
    // The main process ends when it is asked to; its child does not.
    let entry = entry("sh -c 'trap \"\" TERM; echo $$ > child; echo ready; exec sleep 1000' & wait");
    let (out, _) = start(&host, &entry).await.unwrap();
    says_ready(log(&host)).await;
    let child: u32 = std::fs::read_to_string(host.file("child")).unwrap().trim().parse().unwrap();
    let fault = stop(&host, &entry, json!({"grace": "200ms"})).await.unwrap_err();
    assert!(fault.message().contains(&format!("still running: pid {child} (sleep 1000)")), "{}", fault.message());
    eventually("the main process is gone", || (!alive(pid_of(&out))).then_some(())).await;
    let (out, _) = stop(&host, &entry, json!({"grace": "1ms", "force": true})).await.unwrap();
    assert!(out["killed"] == true && out["was"] == "leaderless");
    assert!(!alive(child));
}

#[tokio::test]
async fn a_taken_port_is_refused_before_anything_starts() {
    let host = TestHost::new();
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let entry = with(entry(PATIENT), json!({"ports": [free_port(), port]}));
    let fault = start(&host, &entry).await.unwrap_err();
    let me = std::process::id();
    assert!(fault.message().starts_with(&format!("port {port} is taken by pid {me} (")), "{}", fault.message());
    assert!(fault.message().contains(" of user "), "{}", fault.message());
    assert!(!log(&host).exists() && !host.file("pids/web.pid").exists());
    let planned = ServiceStart::plan(&args(call(&entry, json!({}))), &host.cx()).await.unwrap_err();
    assert_eq!(planned, fault);
    close(socket).await;
    start(&host, &entry).await.unwrap();
}

#[tokio::test]
async fn a_port_that_a_stranger_keeps_is_told_after_the_stop() {
    let host = TestHost::new();
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let entry = entry(PATIENT);
    let (out, _) = start(&host, &entry).await.unwrap();
    let entry = with(entry, json!({"port": socket.local_addr().unwrap().port()}));
    let fault = stop(&host, &entry, json!({})).await.unwrap_err();
    assert!(fault.message().contains("has ended, but port"), "{}", fault.message());
    assert!(!alive(pid_of(&out)) && !host.file("pids/web.pid").exists());
}

#[tokio::test]
async fn an_early_end_is_seen_with_its_last_words() {
    let host = TestHost::new();
    host.write("logs/web.err.log", "from before\n");
    let entry = entry("echo one >&2; echo boom >&2; exit 3");
    let (out, _) = start(&host, &entry).await.unwrap();
    assert_eq!(out["stderr_offset"], 12);
    // Not collected by anybody, it stays as a zombie: it has ended all the same.
    eventually("it is gone", || (!alive(pid_of(&out))).then_some(())).await;
    let seen = probe(&host, &entry).await;
    assert_eq!((&seen["state"], &seen["exit_code"], &seen["log_tail"]), (&json!("stale"), &json!(3), &json!(["one", "boom"])));
    assert_eq!(seen["detail"], "it ended with exit code 3");
    let (out, changed) = stop(&host, &entry, json!({})).await.unwrap();
    assert!(!changed && out["was"] == "stale");
}

#[tokio::test]
async fn missing_things_are_named() {
    let host = TestHost::new();
    let fault = |e: Json| {
        let host = &host;
        async move { start(host, &e).await.unwrap_err() }
    };
    let missing = fault(with(entry(""), json!({"command": ["no-such-program-here"]}))).await;
    assert!(
        matches!(&missing, Fault::Refused { message } if message == "program `no-such-program-here` not found"),
        "{missing:?}"
    );
    let missing = fault(with(entry(""), json!({"cwd": "none"}))).await;
    assert!(matches!(&missing, Fault::Refused { message } if message.starts_with("there is no folder `")), "{missing:?}");
    let missing = fault(json!({"id": "web"})).await;
    assert!(
        matches!(&missing, Fault::Invalid { message, .. } if message == "`web` has no `command` in the system"),
        "{missing:?}"
    );
    let missing = ServiceStart::apply(&args(json!({"name": "web"})), &host.change()).await.unwrap_err();
    assert!(matches!(&missing, Fault::Invalid { argument: Some(a), .. } if a == "name"), "{missing:?}");
    assert!(!host.file("pids/web.pid").exists());
}

#[tokio::test]
async fn a_pid_file_of_another_tool_counts_if_the_process_fits() {
    let host = TestHost::new();
    let entry = with(entry(""), json!({"command": ["sleep", "1002"]}));
    let mut other = Stranger::new(&["sleep", "1002"], &host).await;
    host.write("pids/web.pid", other.0.id().to_string());
    let seen = probe(&host, &entry).await;
    assert_eq!((&seen["state"], &seen["pid"]), (&json!("running"), &json!(other.0.id())));
    let (out, changed) = start(&host, &entry).await.unwrap();
    assert!(!changed && out["already_running"] == true && out["stdout_offset"] == Json::Null);
    let (out, changed) = stop(&host, &entry, json!({})).await.unwrap();
    assert!(changed && out["was"] == "running");
    assert!(other.0.wait().is_ok());
}

#[tokio::test]
async fn a_daemon_that_writes_its_own_number_is_followed() {
    let host = TestHost::new();
    // As many servers do: the launcher ends, the daemon writes the pid file.
    let daemon = "setsid sh -c 'echo $$ > pids/web.pid; echo ready; exec sleep 1003' & exit 0";
    let entry = entry(&format!("while [ ! -e pids/web.pid ]; do sleep 0.01; done; {daemon}"));
    let (out, _) = start(&host, &entry).await.unwrap();
    says_ready(log(&host)).await;
    let daemon: u32 = std::fs::read_to_string(host.file("pids/web.pid")).unwrap().trim().parse().unwrap();
    assert_ne!(daemon, pid_of(&out));
    eventually("the launcher is gone", || (!alive(pid_of(&out))).then_some(())).await;
    let seen = probe(&host, &entry).await;
    assert_eq!((&seen["state"], &seen["pid"]), (&json!("running"), &json!(daemon)));
    assert!(!start(&host, &entry).await.unwrap().1);
    stop(&host, &entry, json!({})).await.unwrap();
    assert!(!alive(daemon));
}

#[tokio::test]
async fn restarting_gives_another_process() {
    let host = TestHost::new();
    let entry = entry(PATIENT);
    let restart = || apply::<ServiceRestart>(&host, call(&entry, json!({})));
    let (first, _) = restart().await.unwrap();
    assert!(first["stopped"] == false && first["was"] == "stopped");
    let (second, changed) = restart().await.unwrap();
    assert!(changed && second["stopped"] == true && second["was"] == "running" && second["already_running"] == false);
    assert_ne!(first["pid"], second["pid"]);
    assert!(!alive(pid_of(&first)) && alive(pid_of(&second)));
    assert!(second["stdout_offset"].as_u64().is_some());
}

#[tokio::test]
async fn a_restart_that_cannot_start_does_not_stop() {
    let host = TestHost::new();
    let running = entry(PATIENT);
    let (out, _) = start(&host, &running).await.unwrap();
    let broken = with(running, json!({"command": ["no-such-program-here"]}));
    let fault = apply::<ServiceRestart>(&host, call(&broken, json!({}))).await.unwrap_err();
    assert_eq!(fault.message(), "program `no-such-program-here` not found");
    assert!(alive(pid_of(&out)));
}

#[tokio::test]
async fn plans_say_what_would_happen_and_do_nothing() {
    let host = TestHost::new();
    let entry = with(entry(PATIENT), json!({"port": free_port()}));
    let call = |more| call(&entry, more);
    let plan = ServiceStart::plan(&args(call(json!({"args": ["--x", 1]}))), &host.cx()).await.unwrap();
    assert!(plan.would_change && plan.summary.starts_with(&format!("start `web` on port {}: sh -c ", entry["port"])), "{plan:?}");
    assert_eq!(plan.argv, ["sh", "-c", PATIENT, "--x", "1"]);
    assert_eq!((plan.because.as_str(), &plan.from_to[0].1), ("not running", &"stopped".to_owned()));
    let plan = ServiceStop::plan(&args(call(json!({}))), &host.cx()).await.unwrap();
    assert!(!plan.would_change && plan.because == "not running");
    assert_eq!(std::fs::read_dir(host.root()).unwrap().count(), 0);

    let (out, _) = start(&host, &entry).await.unwrap();
    let pid = pid_of(&out);
    let plan = ServiceStart::plan(&args(call(json!({}))), &host.cx()).await.unwrap();
    assert!(!plan.would_change);
    assert_eq!(plan.because, format!("already running (pid {pid})"));
    let plan = ServiceStop::plan(&args(call(json!({"force": true}))), &host.cx()).await.unwrap();
    assert!(plan.would_change);
    assert_eq!(plan.summary, "stop `web` with SIGTERM; kill what is left after 10s");
    let plan = ServiceRestart::plan(&args(call(json!({}))), &host.cx()).await.unwrap();
    assert!(plan.would_change && plan.summary.starts_with("stop and start `web`"), "{plan:?}");
    assert!(alive(pid));
}

#[tokio::test]
async fn the_engine_is_never_its_own_victim() {
    let host = TestHost::new();
    // The process that runs this test, as if it were the service.
    let me = std::process::id();
    let argv = crate::support::process::argv(me).unwrap();
    let entry = with(entry(""), json!({"command": argv}));
    host.write("pids/web.pid", me.to_string());
    let fault = stop(&host, &entry, json!({"force": true})).await.unwrap_err();
    assert!(fault.message().contains("this engine itself runs inside of it"), "{}", fault.message());
    assert!(own_line().contains(&me));
}

#[tokio::test]
async fn an_external_service_is_seen_by_its_port() {
    let host = TestHost::new();
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let by_url = json!({"id": "web", "manager": "external", "health_url": format!("http://127.0.0.1:{port}/tags")});
    let seen = probe(&host, &by_url).await;
    assert_eq!((&seen["state"], &seen["port"], &seen["manager"]), (&json!("running"), &json!(port), &json!("external")));
    close(socket).await;
    assert_eq!(probe(&host, &by_url).await["state"], "stopped");
    assert_eq!(probe(&host, &json!({"id": "web", "manager": "external"})).await["state"], "unknown");
    assert!(matches!(start(&host, &by_url).await, Err(Fault::Invalid { .. })));
}

#[tokio::test]
async fn looking_at_a_running_service_is_quick() {
    let host = TestHost::new();
    let entry = entry(PATIENT);
    start(&host, &entry).await.unwrap();
    let call: crate::probe::service::Args = args(call(&entry, json!({})));
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let started = std::time::Instant::now();
        Service::observe(&call, &host.cx()).await.unwrap();
        best = best.min(started.elapsed());
    }
    // A tenth of this even in a debug build; a look at all processes takes longer.
    assert!(best < Duration::from_millis(5), "{best:?}");
}
