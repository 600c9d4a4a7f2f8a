//! Faults of processes, ports, modules and the configuration.

use rustix::process::Signal;
use serde_json::json;

use super::case::Case;
use super::stack::digest;
use crate::harness::{alive, wait_until};

pub(super) fn killed(case: &mut Case) {
    case.fault("a service is killed and its pid file stays", "`kill -9` of memory-engine");
    let victim = case.stack.pid("memory-engine");
    case.stack.signal("memory-engine", Signal::KILL);
    let walk = case.find("service-health", &["service=memory-engine"], "crashed");
    case.repair(&walk, &[]);
    assert_ne!(case.stack.pid("memory-engine"), victim);
    case.well("service-health", &["service=memory-engine"], "healthy");
}

pub(super) fn dependency_killed(case: &mut Case) {
    case.fault("the same, and it is the gateway that is asked about", "`kill -9` of memory-engine");
    case.stack.signal("memory-engine", Signal::KILL);
    let others = case.stack.pid("pipecat");
    let walk = case.find("service-health", &["service=api-gateway"], "dependency-stopped");
    case.repair(&walk, &[]);
    assert_eq!(case.stack.pid("pipecat"), others, "what runs is left alone");
    case.well("service-health", &["service=api-gateway"], "healthy");
}

pub(super) fn not_started(case: &mut Case) {
    case.fault("a service was stopped, or never started", "`stack-stop`");
    case.stack.play("stack-stop", &[], 0);
    case.stack.play("service-restart", &["--param", "service=eva-os"], 0);
    let walk = case.find("service-health", &["service=openclaw"], "not-started");
    case.repair(&walk, &[]);
    // The rest of the stack is still down: the service is well, and it is told that the gateway is not.
    let walk = case.find("service-health", &["service=openclaw"], "status-missing");
    case.propose(&walk, &[], 0);
    case.stack.play("stack-start", &[], 0);
    case.note("after `stack-start`:");
    case.well("service-health", &["service=openclaw"], "healthy");
}

pub(super) fn gateway_killed(case: &mut Case) {
    case.fault("the gateway is killed, and it is another service that is asked about", "`kill -9` of api-gateway");
    case.stack.signal("api-gateway", Signal::KILL);
    let walk = case.find("service-health", &["service=pipecat"], "status-missing");
    let out = case.propose(&walk, &[], 0);
    assert_eq!(out.events_of("finding")[0]["finding"], "crashed", "{}", digest(&out));
    let walk = case.find("service-health", &["service=api-gateway"], "crashed");
    case.repair(&walk, &[]);
    case.well("service-health", &["service=pipecat"], "healthy");
}

pub(super) fn not_listening(case: &mut Case) {
    case.fault("a service hangs at its start, before it listens", "a fault file: pipecat takes ten minutes to start");
    case.stack.play("stack-stop", &[], 0);
    case.stack.write("faults/pipecat.json", r#"{ "startup_delay_ms": 600000 }"#);
    case.stack.play("stack-start", &["--param", "skip_health_check=true"], 0);
    // The others are up by then; it is pipecat alone that is not.
    for service in super::stack::SERVICES.iter().filter(|s| **s != "pipecat") {
        wait_until(|| std::net::TcpStream::connect(("127.0.0.1", case.stack.port(service))).is_ok());
    }
    let walk = case.find("service-health", &["service=pipecat"], "not-listening");
    std::fs::remove_file(case.stack.path("faults/pipecat.json")).unwrap();
    case.note("once what it hangs at is mended:");
    case.repair(&walk, &[]);
    case.well("service-health", &["service=pipecat"], "healthy");
}

pub(super) fn stopped(case: &mut Case) {
    case.fault("a service hangs: its port is open, and nothing answers", "SIGSTOP to openclaw");
    let victim = case.stack.pid("openclaw");
    case.stack.signal("openclaw", Signal::STOP);
    let walk = case.find("service-health", &["service=openclaw"], "hung");
    case.repair(&walk, &[]);
    assert!(!alive(victim));
    case.well("service-health", &["service=openclaw"], "healthy");
}

pub(super) fn dependency_stopped(case: &mut Case) {
    case.fault("the same, and it is a service that needs it that is asked about", "SIGSTOP to eva-os");
    case.stack.signal("eva-os", Signal::STOP);
    let walk = case.find("service-health", &["service=pipecat"], "dependency-unhealthy");
    // The remedy is the same tree for the service that it depends on.
    let out = case.propose(&walk, &[], 0);
    assert_eq!(out.events_of("finding")[0]["finding"], "hung", "{}", digest(&out));
    let walk = case.find("service-health", &["service=eva-os"], "hung");
    case.repair(&walk, &[]);
    case.well("service-health", &["service=pipecat"], "healthy");
}

pub(super) fn health_fails(case: &mut Case) {
    case.fault("`/healthz` answers 500, the process lives", "`POST /_fault` to pipecat: `health_status: 500`");
    case.stack.fault("pipecat", json!({ "health_status": 500 }));
    let walk = case.find("service-health", &["service=pipecat"], "health-check-fails");
    case.repair(&walk, &[]);
    case.well("service-health", &["service=pipecat"], "healthy");
}

pub(super) fn port_taken(case: &mut Case) {
    case.fault("a stranger has the port of a service", "pipecat is stopped, and another program listens on its port");
    case.stack.signal("pipecat", Signal::TERM);
    let elsewhere = case.stack.workspace.path("elsewhere");
    let stranger = case.stack.start_stranger("pipecat", elsewhere);
    let walk = case.find("service-health", &["service=pipecat"], "port-taken");
    case.waits(&walk, "--confirm release=release");
    assert!(alive(stranger), "nobody is ended without a word");
    case.repair(&walk, &["--confirm", "release=release"]);
    wait_until(|| !alive(stranger));
    case.well("service-health", &["service=pipecat"], "healthy");
}

pub(super) fn port_taken_at_start(case: &mut Case) {
    case.fault(
        "a stranger has a port when the stack is started",
        "another program listens on the port of openclaw, then `stack-start`",
    );
    case.stack.play("stack-stop", &[], 0);
    let elsewhere = case.stack.workspace.path("elsewhere");
    let stranger = case.stack.start_stranger("openclaw", elsewhere);
    case.refuses("stack-start", &[], "is taken by pid");
    assert!(!case.stack.path("state/pids/openclaw.pid").exists(), "nothing was spawned for it");
    let walk = case.find("service-health", &["service=openclaw"], "port-taken");
    case.repair(&walk, &["--confirm", "release=release"]);
    wait_until(|| !alive(stranger));
    case.stack.play("stack-start", &[], 0);
    case.well("service-health", &["service=openclaw"], "healthy");
}

pub(super) fn module_missing(case: &mut Case) {
    case.fault("a Python module is missing at the start", "a fault file: memory-engine ends with `ModuleNotFoundError`");
    case.stack.write("faults/memory-engine.json", r#"{ "crash": {} }"#);
    case.stack.play("service-restart", &["--param", "service=memory-engine"], 4);
    let walk = case.find("service-health", &["service=memory-engine"], "module-missing");
    case.fails(&walk, &["--yes"], 8, "requirements.lock is there");
    std::fs::remove_file(case.stack.path("faults/memory-engine.json")).unwrap();
    case.stack.play("service-restart", &["--param", "service=memory-engine"], 0);
    case.note("once the module is there, `service-restart` brings it back");
    case.well("service-health", &["service=memory-engine"], "healthy");
}

pub(super) fn configuration_broken(case: &mut Case) {
    case.fault("sonia-config.json is no JSON", "a comma too many, then `stack-start`, then a restart of pipecat");
    let good = case.stack.read("config/sonia-config.json");
    case.stack.write("config/sonia-config.json", &good.replacen(',', ",,", 1));
    case.refuses("stack-start", &[], "not valid JSON");
    case.stack.play("service-restart", &["--param", "service=pipecat"], 4);
    let walk = case.find("service-health", &["service=pipecat"], "config-broken");
    case.waits(&walk, "--answer corrected=done");
    // Who only says that it is done has not done it.
    case.propose(&walk, &["--answer", "corrected=done"], 4);
    case.stack.write("config/sonia-config.json", &good);
    case.note("once a person has corrected it:");
    case.repair(&walk, &["--answer", "corrected=done"]);
    case.well("service-health", &["service=pipecat"], "healthy");
}

pub(super) fn slow_stop(case: &mut Case) {
    case.fault("a service needs 8 s to stop", "`POST /_fault` to pipecat: `stop_delay_ms: 8000`, then `stack-stop`");
    let pid = case.stack.pid("pipecat");
    case.stack.fault("pipecat", json!({ "stop_delay_ms": 8000 }));
    case.refuses("stack-stop", &[], "`pipecat` did not stop within 5s");
    assert!(alive(pid), "it is left the time that it needs");
    "`stack-stop`, a little later".clone_into(&mut case.row.remedy);
    wait_until(|| !alive(pid));
    case.stack.play("stack-stop", &[], 0);
    case.note("all is stopped, `verify` holds, and nothing was killed");
}

pub(super) fn term_ignored(case: &mut Case) {
    case.fault("a service ignores SIGTERM", "`POST /_fault` to pipecat: `ignore_term: true`, then `stack-stop`");
    let pid = case.stack.pid("pipecat");
    case.stack.fault("pipecat", json!({ "ignore_term": true }));
    case.refuses("stack-stop", &["--param", "stop_grace=2s"], "use `force: true` to kill it");
    assert!(alive(pid), "nothing is killed unasked");
    "`stack-stop --param force=true`".clone_into(&mut case.row.remedy);
    case.stack.play("stack-stop", &["--param", "stop_grace=2s", "--param", "force=true"], 0);
    assert!(!alive(pid));
    case.note("killed after its time; `verify` holds: ports released, pid files gone");
}

pub(super) fn term_ignored_at_restart(case: &mut Case) {
    case.fault(
        "a service ignores SIGTERM when it is restarted",
        "`POST /_fault` to pipecat: `ignore_term: true`, then `service-restart`",
    );
    let pid = case.stack.pid("pipecat");
    case.stack.fault("pipecat", json!({ "ignore_term": true }));
    case.refuses("service-restart", &["--param", "service=pipecat", "--param", "stop_grace=2s"], "use `force: true` to kill it");
    assert_eq!(case.stack.pid("pipecat"), pid, "the old one still runs");
    "`service-restart --param service=pipecat --param force=true`".clone_into(&mut case.row.remedy);
    let forced = ["--param", "service=pipecat", "--param", "stop_grace=2s", "--param", "force=true"];
    case.stack.play("service-restart", &forced, 0);
    assert!(!alive(pid));
    case.note("repaired, `verify` holds");
    case.well("service-health", &["service=pipecat"], "healthy");
}

pub(super) fn emergency(case: &mut Case) {
    case.fault(
        "a service ignores SIGTERM, and the whole stack must go now",
        "`ignore_term: true` in perception, then `emergency-stop`",
    );
    let pids: Vec<u32> = super::stack::SERVICES.iter().map(|s| case.stack.pid(s)).collect();
    case.stack.fault("perception", json!({ "ignore_term": true }));
    let out = case.stack.play("emergency-stop", &["--param", "stop_grace=2s"], 7);
    assert!(out.stdout.contains("--confirm stop=stop"), "{}", digest(&out));
    "`emergency-stop` waits for `--confirm stop=stop`".clone_into(&mut case.row.found);
    "`emergency-stop --confirm stop=stop`".clone_into(&mut case.row.remedy);
    case.stack.play("emergency-stop", &["--confirm", "stop=stop", "--param", "stop_grace=2s"], 0);
    assert!(pids.iter().all(|pid| !alive(*pid)));
    case.note("all is gone; `verify` holds: no process of the stack is left");
}
