//! The demonstration stack: started, looked at, broken, restarted and stopped, with real processes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::harness::{Workspace, alive, send};

/// One stack at a time: eight services are enough for two cores.
pub(super) static PORTS: Mutex<()> = Mutex::new(());

/// Ports away from the documented ones, so that a stack that runs beside the tests is left alone.
const PORTS_FROM: &str = "ports_from=27000";

const SERVICES: [&str; 8] =
    ["eva-os", "model-router", "memory-engine", "pipecat", "openclaw", "vision-capture", "perception", "api-gateway"];

/// A project with the stack; stopped and removed when dropped, whatever the test did.
struct Stack {
    workspace: Workspace,
    _ports: MutexGuard<'static, ()>,
}

impl Stack {
    fn new() -> Stack {
        let ports = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
        Stack { workspace: Workspace::shipped(), _ports: ports }
    }

    fn start(&self, more: &[&str]) -> crate::harness::Output {
        let mut args = vec!["--json", "play", "stack-start", "--param", "startup_delay_ms=50"];
        args.extend(more);
        self.run(&args)
    }

    /// Runs the program with the tests' own ports.
    fn run(&self, args: &[&str]) -> crate::harness::Output {
        let args: Vec<&str> = args.iter().copied().chain(["--param", PORTS_FROM]).collect();
        self.workspace.run(&args)
    }

    fn pid(&self, service: &str) -> u32 {
        self.workspace.read(&format!("state/sonia/state/pids/{service}.pid")).trim().parse().unwrap()
    }

    fn status(&self) -> Vec<(String, String)> {
        let out = self.run(&["--json", "play", "stack-status"]).expect(0);
        out.events_of("row")
            .iter()
            .map(|e| (e["row"]["name"].as_str().unwrap().to_owned(), e["row"]["grade"].as_str().unwrap().to_owned()))
            .collect()
    }

    fn grade(&self, service: &str) -> String {
        self.status().into_iter().find(|(n, _)| n == service).unwrap().1
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run(&["play", "stack-stop", "--param", "force=true"]);
        for service in SERVICES {
            let path = self.workspace.path(&format!("state/sonia/state/pids/{service}.pid"));
            if let Some(pid) = std::fs::read_to_string(path).ok().and_then(|t| t.trim().parse::<u32>().ok()) {
                crate::harness::kill(pid);
            }
        }
    }
}

#[test]
fn the_stack_is_started_in_order_proved_healthy_and_stopped() {
    let stack = Stack::new();
    let out = stack.start(&[]).expect(0);
    let finished = out.events().pop().unwrap();
    assert_eq!(finished["event"], "run_finished");
    assert_eq!(finished["critical_path"]["steps"][0], "eva-os");
    assert_eq!(finished["critical_path"]["steps"][2], "api-gateway");
    let status = stack.status();
    assert_eq!(status.len(), 8);
    assert!(status.iter().all(|(_, grade)| grade == "ok"), "{status:?}");

    // Again: everything runs, nothing changes.
    let pids: Vec<u32> = SERVICES.iter().map(|s| stack.pid(s)).collect();
    let out = stack.start(&[]).expect(0);
    let started: Vec<_> =
        out.events_of("step_finished").into_iter().filter(|e| e["body"] == "service.start" && e["group"] == false).collect();
    assert_eq!(started.len(), 8);
    assert!(started.iter().all(|e| e["outcome"] == "ok"), "{started:?}");
    assert_eq!(pids, SERVICES.iter().map(|s| stack.pid(s)).collect::<Vec<_>>());

    stack.run(&["play", "stack-stop"]).expect(0);
    for (service, pid) in SERVICES.iter().zip(pids) {
        assert!(!alive(pid), "{service} is still alive");
        assert!(!stack.workspace.path(&format!("state/sonia/state/pids/{service}.pid")).exists());
    }
    // Stopping what is stopped is no failure.
    stack.run(&["play", "stack-stop"]).expect(0);
}

#[test]
fn a_killed_service_is_seen_and_restarted_alone() {
    let stack = Stack::new();
    stack.start(&[]).expect(0);
    let (victim, other) = (stack.pid("memory-engine"), stack.pid("pipecat"));
    send(victim, rustix::process::Signal::KILL);
    crate::harness::wait_until(|| !alive(victim));
    assert_eq!(stack.grade("memory-engine"), "critical");
    assert_eq!(stack.grade("pipecat"), "ok");
    stack.run(&["play", "service-restart", "--param", "service=memory-engine"]).expect(0);
    assert_eq!(stack.grade("memory-engine"), "ok");
    assert_ne!(stack.pid("memory-engine"), victim);
    assert_eq!(stack.pid("pipecat"), other, "the others were left alone");
    // A running one is restarted too.
    let before = stack.pid("memory-engine");
    stack.run(&["play", "service-restart", "--param", "service=memory-engine"]).expect(0);
    assert_ne!(stack.pid("memory-engine"), before);
    let out = stack.run(&["play", "service-restart", "--param", "service=memory-engin"]).expect(3);
    assert!(out.stderr.contains("did you mean `memory-engine`?"), "{}", out.stderr);
}

#[test]
fn without_health_checks_and_with_reload() {
    let stack = Stack::new();
    let out = stack.start(&["--param", "skip_health_check=true", "--param", "reload=true"]).expect(0);
    assert!(!out.stdout.contains("\"module\":\"http\""), "no health was asked for");
    // The pid is the reloader's; its child owns the port, and stopping ends both (trap T04).
    crate::harness::wait_until(|| stack.status().iter().all(|(_, g)| g == "ok"));
    let family: Vec<u32> = SERVICES.iter().flat_map(|s| crate::harness::descendants(stack.pid(s))).collect();
    assert!(family.len() >= 8, "each reloader has a child");
    stack.run(&["play", "stack-stop"]).expect(0);
    assert!(family.into_iter().all(|pid| !alive(pid)));
}

#[test]
fn a_port_of_a_stranger_is_refused_by_name_before_anything_is_spawned() {
    let stack = Stack::new();
    let stranger = std::net::TcpListener::bind("127.0.0.1:27050").unwrap();
    let out = stack.run(&["play", "stack-start", "--param", "startup_delay_ms=0"]).expect(4);
    assert!(out.stdout.contains("port 27050 is taken by pid"), "{}", out.stdout);
    assert!(!stack.workspace.path("state/sonia/state/pids/eva-os.pid").exists());
    drop(stranger);
}

#[test]
fn a_service_that_dies_at_its_start_is_told_with_its_last_words() {
    let stack = Stack::new();
    stack.workspace.write("state/sonia/faults/memory-engine.json", "{ \"crash\": { \"exit_code\": 1 } }");
    let out = stack.run(&["play", "stack-start", "--param", "startup_delay_ms=0"]).expect(4);
    assert!(out.stdout.contains("ModuleNotFoundError"), "{}", out.stdout);
    assert!(out.stdout.contains("ended before it was ready"), "{}", out.stdout);
    std::fs::remove_file(stack.workspace.path("state/sonia/faults/memory-engine.json")).unwrap();
}

#[test]
fn a_service_that_will_not_stop_is_told_and_killed_only_by_force() {
    let stack = Stack::new();
    stack.workspace.write("state/sonia/faults/pipecat.json", "{ \"ignore_term\": true }");
    stack.start(&[]).expect(0);
    let pid = stack.pid("pipecat");
    let out = stack.run(&["play", "stack-stop"]).expect(4);
    assert!(out.stdout.contains("did not stop within 5s"), "{}", out.stdout);
    assert!(alive(pid));
    stack.run(&["play", "stack-stop", "--param", "force=true"]).expect(0);
    assert!(!alive(pid));
}

#[test]
fn a_hung_service_is_running_but_not_healthy() {
    let stack = Stack::new();
    stack.start(&[]).expect(0);
    let pid = stack.pid("openclaw");
    send(pid, rustix::process::Signal::STOP);
    assert_eq!(stack.grade("openclaw"), "critical");
    send(pid, rustix::process::Signal::CONT);
    assert_eq!(stack.grade("openclaw"), "ok");
}

#[test]
fn a_stale_pid_file_is_recognised_and_a_foreign_process_is_never_signalled() {
    let stack = Stack::new();
    // A pid file from another life, whose number now belongs to somebody else: this test.
    let foreign = std::process::id();
    stack.workspace.write("state/sonia/state/pids/eva-os.pid", &format!("{foreign}\n"));
    stack.workspace.write("state/sonia/state/pids/pipecat.pid", "999999\n");
    stack.run(&["play", "stack-stop", "--param", "force=true"]).expect(0);
    assert!(alive(foreign), "or this line would not run");
    stack.start(&[]).expect(0);
    assert_ne!(stack.pid("eva-os"), foreign);
}

#[test]
fn a_root_that_cannot_be_written_is_told() {
    let stack = Stack::new();
    let out = stack.run(&["play", "stack-start", "--param", "root=/dev/null/sonia"]).expect(4);
    assert!(out.stdout.contains("/dev/null/sonia"), "{}", out.stdout);
}
