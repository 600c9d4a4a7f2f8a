//! The demonstration stack: eight real services in the order of their needs, each up 300 ms after it was started.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Options;
use crate::project::{PROGRAM, Project, last_record};
use crate::table::{Row, Table, Target};
use crate::timing::{Samples, ms, timed, wall};

/// What a stand-in takes to come up, in milliseconds: the default of the system file.
const DELAY: f64 = 300.0;

/// The slowest chain has three services, whichever of the middle ones it goes through.
const CHAIN: [(&str, u16); 3] = [("eva-os", 7050), ("memory-engine", 7020), ("api-gateway", 7000)];

const PORTS: [u16; 8] = [7000, 7010, 7020, 7030, 7040, 7050, 7060, 7070];

/// The ports are fixed, so somebody else may have them for a while.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn run(options: &Options, table: &mut Table) {
    let mut start = Samples::default();
    let mut chain = Samples::default();
    let mut walk = Samples::default();
    let mut again = Samples::default();
    let mut status = Samples::default();
    let mut stop = Samples::default();
    let mut bare_start = Samples::default();
    let mut bare_stop = Samples::default();
    listen_for_interrupt();
    for round in 0..=options.rounds {
        if !wait_for_ports() {
            table.note("The ports of the stack (7000 to 7070) were taken by somebody else; the stack was not measured.");
            return;
        }
        let bare = bare_chain();
        if !wait_for_ports() {
            continue;
        }
        let stack = Stack::new();
        let play = |name: &str| {
            let took = wall(&mut stack.0.runbook(&["play", name]));
            (took, last_record(&stack.0.take_journal()))
        };
        let (started, closing) = play("stack-start");
        let (repeated, _) = play("stack-start");
        let (looked, _) = play("stack-status");
        let (stopped, _) = play("stack-stop");
        // The first round warms the page cache and does not count.
        if round == 0 {
            continue;
        }
        bare_start.push(bare.0);
        bare_stop.push(bare.1);
        start.push(started);
        chain.push(closing["critical_path"]["duration_ms"].as_f64().unwrap());
        walk.push(closing["duration_ms"].as_f64().unwrap());
        again.push(repeated);
        status.push(looked);
        stop.push(stopped);
    }
    let row = Row::new("`stack-start`, 8 services of 300 ms in 3 levels", "ms", start);
    table.push("stack", row.limit("the chain of 3, bare", &bare_start).target(Target::Sum(3.0 * DELAY, 100.0)));
    table
        .push("stack", Row::new("  of it the slowest chain of services", "ms", chain).limit("the chain of 3, bare", &bare_start));
    table.push("stack", Row::new("  of it the walk, by the journal", "ms", walk));
    table.push("stack", Row::new("`stack-start` again, everything runs", "ms", again));
    table.push("stack", Row::new("`stack-status`", "ms", status));
    let row = Row::new("`stack-stop`", "ms", stop);
    table.push("stack", row.limit("the chain of 3, bare", &bare_stop).target(Target::AtMost(1000.0)));
}

/// The stack of a project; whatever happens to the benchmark, its services end with it.
struct Stack(Project);

/// The command that stops the stack that now runs, for the case that the benchmark is interrupted.
static STOP: Mutex<Option<Command>> = Mutex::new(None);

impl Stack {
    fn new() -> Stack {
        let stack = Stack(Project::shipped());
        *STOP.lock().unwrap() = Some(stack.0.runbook(&["play", "stack-stop", "--param", "force=true"]));
        stack
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        stop_stack();
    }
}

fn stop_stack() {
    if let Some(mut stop) = STOP.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Ctrl-C ends the benchmark, and what it has started.
fn listen_for_interrupt() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            stop_stack();
            std::process::exit(130);
        }
    });
}

/// Waits until nobody has the ports of the stack.
fn wait_for_ports() -> bool {
    let began = Instant::now();
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    while !PORTS.iter().all(free) {
        if began.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    true
}

/// Processes that end with the benchmark.
#[derive(Default)]
struct Children(Vec<Child>);

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts the slowest chain without an engine, each as soon as the one before answers, asked every millisecond; then stops it.
/// Returns how long both took.
fn bare_chain() -> (f64, f64) {
    let project = Project::new();
    let mut children = Children::default();
    let started = timed(|| {
        for (service, port) in CHAIN {
            let mut command = Command::new(PROGRAM);
            command.args(["stand-in", "--service", service, "--host", "127.0.0.1", "--port", &port.to_string()]);
            command.args(["--startup-delay", &DELAY.to_string(), "--root"]).arg(project.folder());
            children.0.push(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
            let began = Instant::now();
            while !answers(port) {
                assert!(began.elapsed() < Duration::from_secs(30), "{service} does not answer");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let began = Instant::now();
    for child in children.0.iter_mut().rev() {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        child.wait().unwrap();
    }
    (started, ms(began.elapsed()))
}

/// Whether `GET /healthz` gives 200.
fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(250))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}
