//! Many `http` checks of a local nginx in one loop, judged and journalled, beside curl and wrk in the same round.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use runbook_servers::{Guarded, free_port, fresh_folder, have, until};

use crate::Options;
use crate::project::Project;
use crate::table::{Row, Table, Target};
use crate::timing::{Samples, peak_memory, rounds, wall};

const FEW: usize = 1_000;
const MANY: usize = 10_000;

pub(crate) fn run(options: &Options, table: &mut Table) {
    if !have("nginx") {
        eprintln!("http: nginx is missing, nothing is measured");
        return;
    }
    let server = Server::start();
    let url = format!("http://127.0.0.1:{}/", server.port);
    let project = Project::new();
    let checks =
        |count: usize, parallel: usize| format!("  - for_each: range({count})\n    max_parallel: {parallel}\n    http: {url}\n");
    project.playbook("one", &format!("  - http: {url}\n"));
    project.playbook("few", &checks(FEW, 64));
    project.playbook("many", &checks(MANY, 256));
    // curl makes one transfer for each URL that it is given.
    let config = format!("url = \"{url}\"\noutput = /dev/null\n").repeat(FEW);
    project.write("curl.txt", &config);
    let play = |name: &str| {
        let took = wall(&mut project.runbook(&["play", name, "--quiet"]));
        let journal = project.take_journal();
        let checks = match name {
            "few" => FEW,
            "many" => MANY,
            _ => 0,
        };
        let good = journal.matches("\"status\":200").count();
        assert!(good >= checks, "{name}: {good} of {checks} answered");
        took
    };
    let curl = || {
        let args = ["--silent", "--parallel", "--parallel-max", "64", "--config", "curl.txt"];
        if have("curl") { wall(&mut project.command("curl", &args)) } else { f64::NAN }
    };
    // wrk runs for a time, not for a count: its rate says how long it takes for as many.
    let wrk = |connections: &str, count: usize| {
        if !have("wrk") {
            return f64::NAN;
        }
        let out = project.command("wrk", &["-t1", "-c", connections, "-d1s", &url]).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let rate = text.lines().find_map(|l| l.trim().strip_prefix("Requests/sec:")?.trim().parse::<f64>().ok());
        rate.map_or(f64::NAN, |rate| count as f64 / rate * 1000.0)
    };
    // The probe as its step has it, from the journal, in a program that has asked nothing before; and a request by hand, on a connection
    // of its own as well.
    let probe = || {
        wall(&mut project.runbook(&["play", "one", "--quiet"]));
        step_time(&project.take_journal())
    };
    let [few, by_curl, limit_few, many, limit_many, probe, bare] = rounds(
        options.rounds,
        [
            &mut || play("few"),
            &mut || curl(),
            &mut || wrk("64", FEW),
            &mut || play("many"),
            &mut || wrk("256", MANY),
            &mut || probe(),
            &mut || by_hand(server.port),
        ],
    );
    let probe = Samples(probe.0.iter().zip(&bare.0).map(|(a, b)| a - b).collect());
    let more = Samples(many.0.iter().zip(&few.0).map(|(a, b)| (a - b) * 1000.0 / (MANY - FEW) as f64).collect());
    table.push(
        "http",
        Row::new("1000 `http` checks in one loop, 64 at once", "ms", few.clone())
            .limit("curl -Z", &by_curl)
            .target(Target::Times(1.0)),
    );
    table.push("http", Row::new("  the same beside the server's limit", "ms", few).limit("wrk -c64, as many", &limit_few));
    table.push(
        "http",
        Row::new("10,000 `http` checks, 256 at once", "ms", many)
            .limit("wrk -c256, as many", &limit_many)
            .target(Target::Times(1.5)),
    );
    table.push("http", Row::new("  each further check", "µs", more));
    table.push(
        "http",
        Row::new("the first `http` probe of a program, over a bare request", "ms", probe).target(Target::AtMost(1.0)),
    );
    let memory = Samples((0..3).map(|_| peak_memory(&mut project.runbook(&["play", "many", "--quiet"]))).collect());
    table.push("http", Row::new("  memory of 10,000 checks", "MiB", memory));
}

/// From the start of the only step to its answer, in milliseconds.
fn step_time(journal: &str) -> f64 {
    let at = |event: &str| {
        let line = journal.lines().find(|l| l.contains(&format!("\"event\":\"{event}\""))).unwrap();
        let text = line.split_once("\"at\":\"").unwrap().1.split_once('"').unwrap().0;
        text.parse::<jiff::Timestamp>().unwrap()
    };
    at("returned").duration_since(at("step_started")).as_secs_f64() * 1000.0
}

/// The time of one request over a new connection, in milliseconds.
fn by_hand(port: u16) -> f64 {
    let began = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n\r\n").unwrap();
    let mut answer = [0; 4096];
    assert!(stream.read(&mut answer).unwrap() > 0);
    began.elapsed().as_secs_f64() * 1000.0
}

/// An nginx that says `ok`.
struct Server {
    port: u16,
    _process: Guarded,
}

impl Server {
    fn start() -> Server {
        let (folder, port) = (fresh_folder("bench-nginx"), free_port());
        let at = folder.display();
        let config = format!(
            "daemon off;\nworker_processes 1;\npid {at}/pid;\nerror_log stderr;\nworker_rlimit_nofile 4096;\nevents {{ worker_connections 2048; }}\n\
             http {{\naccess_log off;\nkeepalive_requests 10000000;\nclient_body_temp_path {at}/a;\nproxy_temp_path {at}/b;\nfastcgi_temp_path {at}/c;\n\
             uwsgi_temp_path {at}/d;\nscgi_temp_path {at}/e;\nserver {{ listen 127.0.0.1:{port} backlog=4096;\nlocation / {{ return 200 ok; }} }}\n}}\n"
        );
        std::fs::write(folder.join("nginx.conf"), config).unwrap();
        let prefix = folder.display().to_string();
        let process = Guarded::start(&folder, "TERM", ["nginx", "-e", "stderr", "-p", &prefix, "-c", "nginx.conf"]);
        until("nginx listens", || process.output(), || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Server { port, _process: process }
    }
}
