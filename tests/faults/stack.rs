//! A SONIA stack of one's own to break: the stand-ins, or the application under uvicorn.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Output, Workspace, alive, descendants, finish, kill, send, wait_until};

/// What a run said that matters when it did not end as it should: findings, what failed, how it ended.
pub(super) fn digest(out: &Output) -> String {
    let mut text = String::new();
    for line in out.stdout.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let failed = event["event"] == "step_finished" && matches!(event["outcome"].as_str(), Some("failed" | "unknown"));
        if failed {
            text += &format!("{} {}: {}\n", event["path"], event["name"], event["message"]);
        } else if matches!(event["event"].as_str(), Some("finding" | "note" | "asked" | "remedied" | "run_finished")) {
            text += &format!("{event}\n");
        }
    }
    text + &out.stderr
}

/// Fails the row unless the run ended with this exit code.
#[track_caller]
pub(super) fn ended(out: Output, code: i32) -> Output {
    assert_eq!(out.code, code, "\n{}", digest(&out));
    out
}

/// The services in the order of their documented ports, 7000 to 7070.
pub(super) const SERVICES: [&str; 8] =
    ["api-gateway", "model-router", "memory-engine", "pipecat", "openclaw", "eva-os", "vision-capture", "perception"];

/// The port of the stack's first service in the first lane.
const FIRST_PORT: u16 = 29_000;

/// A project with a stack, and whatever else was started to get into its way. All of it ends with this value.
pub(super) struct Stack {
    pub(super) workspace: Workspace,
    lane: u16,
    overrides: Vec<String>,
    others: Vec<Child>,
}

impl Stack {
    /// The stand-ins, not yet started. Two stacks at a time must have two lanes.
    pub(super) fn of_stand_ins(lane: u16) -> Stack {
        Stack::new(lane, &["startup_delay_ms=20".to_owned()])
    }

    /// The eight services under uvicorn, laid out as they are installed, not yet started.
    pub(super) fn of_uvicorn(lane: u16, python: &Path) -> Stack {
        let mut stack = Stack::new(lane, &[format!("python={}", python.display())]);
        stack.overrides.extend(["--profile".to_owned(), "uvicorn".to_owned()]);
        let app = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/uvicorn/app.py")).unwrap();
        let mut services = serde_json::Map::new();
        for service in SERVICES {
            stack.write(&format!("services/{service}/main.py"), &app);
            stack.write(&format!("services/{service}/requirements.lock"), "fastapi\nuvicorn\n");
            services.insert(service.replace('-', "_"), json!({ "port": stack.port(service), "host": "127.0.0.1" }));
        }
        services["api_gateway"]["version"] = json!("1.0.0");
        services["model_router"]["providers"] = json!({ "ollama": { "base_url": stack.url("ollama") } });
        services["memory_engine"]["embeddings"] = json!({ "provider": "ollama", "model": "nomic-embed-text" });
        let config = json!({ "services": services, "logging": { "level": "INFO", "format": "json" } });
        stack.write("config/sonia-config.json", &format!("{config:#}\n"));
        stack
    }

    fn new(lane: u16, variables: &[String]) -> Stack {
        assert!(lane < 10, "there are ten lanes");
        let mut stack = Stack { workspace: Workspace::shipped(), lane, overrides: Vec::new(), others: Vec::new() };
        let ports = [format!("ports_from={}", FIRST_PORT + lane), format!("ollama_url={}", stack.url("ollama"))];
        for variable in ports.iter().chain(variables) {
            stack.overrides.extend(["--param".to_owned(), variable.clone()]);
        }
        stack
    }

    /// The port of a service, of Ollama, or of a stranger beside the stack.
    pub(super) fn port(&self, name: &str) -> u16 {
        let place = SERVICES.iter().chain(&["ollama", "stranger"]).position(|n| *n == name).unwrap();
        FIRST_PORT + self.lane + 10 * u16::try_from(place).unwrap()
    }

    pub(super) fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.port(name))
    }

    /// A path below the root of the stack.
    pub(super) fn path(&self, relative: &str) -> std::path::PathBuf {
        self.workspace.path("state/sonia").join(relative)
    }

    pub(super) fn write(&self, relative: &str, text: &str) {
        self.workspace.write(&format!("state/sonia/{relative}"), text);
    }

    pub(super) fn read(&self, relative: &str) -> String {
        self.workspace.read(&format!("state/sonia/{relative}"))
    }

    /// Another value of a variable that all commands are given.
    pub(super) fn with(mut self, name: &str, value: &str) -> Stack {
        let given = self.overrides.iter_mut().find(|word| word.starts_with(&format!("{name}=")));
        *given.unwrap() = format!("{name}={value}");
        self
    }

    /// Starts all services.
    pub(super) fn started(self) -> Stack {
        self.play("stack-start", &[], 0);
        self
    }

    /// What an operator without a terminal types: `runbook play NAME …`; it must end with this exit code.
    #[track_caller]
    pub(super) fn play(&self, name: &str, more: &[&str], code: i32) -> Output {
        ended(self.run(&[&["play", name], more].concat()), code)
    }

    /// The same with another command, as one list of words.
    pub(super) fn run(&self, words: &[&str]) -> Output {
        let overrides = self.overrides.iter().map(String::as_str);
        let words: Vec<&str> = ["--json", "--no-input"].into_iter().chain(words.iter().copied()).chain(overrides).collect();
        let mut command = self.workspace.command(&words);
        command.env("PATH", self.search_path());
        finish(command)
    }

    /// A command line as the program printed it, pasted into a shell; `more` is typed behind it.
    pub(super) fn paste(&self, line: &str, more: &[&str]) -> Output {
        let line = line.strip_prefix("runbook ").unwrap_or_else(|| panic!("no command of this program: {line}"));
        let mut shell = Command::new("sh");
        let typed = format!("exec \"$RUNBOOK\" {line} --json --no-input \"$@\"");
        shell.args(["-c", &typed, "sh"]).args(more).env("RUNBOOK", env!("CARGO_BIN_EXE_runbook")).stdin(Stdio::null());
        let like = self.workspace.command(&[]);
        for (name, value) in like.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        shell.env("PATH", self.search_path()).current_dir(self.workspace.path(""));
        finish(shell)
    }

    /// Programs of the test's own come before those of the machine.
    fn search_path(&self) -> String {
        format!("{}:{}", self.workspace.path("bin").display(), std::env::var("PATH").unwrap_or_default())
    }

    /// A program on the path of every command.
    pub(super) fn program(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.workspace.write(&format!("bin/{name}"), text);
        std::fs::set_permissions(self.workspace.path(&format!("bin/{name}")), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(super) fn pid(&self, service: &str) -> u32 {
        self.read(&format!("state/pids/{service}.pid")).trim().parse().unwrap()
    }

    /// Sends a signal to a service and, if it ends by it, waits until it is gone.
    pub(super) fn signal(&self, service: &str, signal: Signal) {
        let pid = self.pid(service);
        send(pid, signal);
        if signal != Signal::STOP {
            wait_until(|| !alive(pid));
        }
    }

    /// Gives a running service a fault.
    pub(super) fn fault(&self, service: &str, fault: Value) {
        let (status, answer) = self.ask(service, "POST", "/_fault", Some(fault));
        assert_eq!(status, 200, "{answer}");
    }

    /// Takes every fault of a service back: the cause is fixed.
    pub(super) fn heal(&self, service: &str) {
        assert_eq!(self.ask(service, "DELETE", "/_fault", None).0, 200);
    }

    /// Asks a service over HTTP: the status, and the body if it is JSON.
    pub(super) fn ask(&self, service: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port(service))).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n");
        stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no HTTP: {answer}"));
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// One turn through the gateway, the memory and the model.
    pub(super) fn chat(&self) {
        let (status, answer) = self.ask("api-gateway", "POST", "/v1/chat", Some(json!({ "text": "Good morning" })));
        assert_eq!(status, 200, "{answer}");
    }

    /// Starts Ollama's stand-in, which is no service of the stack.
    pub(super) fn start_ollama(&mut self) {
        self.start_other("ollama", "ollama", self.path(""));
    }

    /// Starts a server that is none of the stack's: it works in another folder and has no pid file. Returns its pid.
    pub(super) fn start_stranger(&mut self, port_of: &str, root: std::path::PathBuf) -> u32 {
        self.start_other("perception", port_of, root)
    }

    fn start_other(&mut self, plays: &str, port_of: &str, root: std::path::PathBuf) -> u32 {
        let port = self.port(port_of);
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.args(["stand-in", "--service", plays, "--port", &port.to_string(), "--root"]).arg(root);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.others.push(command.spawn().unwrap());
        wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        self.others.last().unwrap().id()
    }

    /// Ends what was started beside the stack.
    pub(super) fn end_others(&mut self) {
        for mut other in self.others.drain(..) {
            let _ = other.kill();
            let _ = other.wait();
        }
    }

    /// A text without what is another one the next time: folders, ports, pids and those who have them.
    pub(super) fn stable(&self, text: &str) -> String {
        let mut text = text.replace(&*self.path("").to_string_lossy(), "ROOT/");
        text = text.replace(self.path("").to_string_lossy().trim_end_matches('/'), "ROOT");
        for name in SERVICES {
            let documented = 7000 + (self.port(name) - FIRST_PORT - self.lane);
            text = text.replace(&self.port(name).to_string(), &documented.to_string());
        }
        text = text.replace(&self.port("ollama").to_string(), "11434");
        for (pattern, with) in [
            (r"pid \d+( \([^)]*\))?", "pid N"),
            (r"of user [\w.-]+", "of user U"),
            (r"\b\d+ ms\b", "T ms"),
            (r"\b\d+ of T ms", "T of T ms"),
            // Only a busy machine is late.
            (r"; late: it usually takes no more than \w+", ""),
            (r"config\.json:\d+:\d+", "config.json:LINE:COLUMN"),
        ] {
            text = regex::Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
        }
        text
    }

    /// A printed command without what only this test's stack needs.
    pub(super) fn stable_command(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for pair in self.overrides.chunks(2) {
            line = line.replacen(&format!(" {} {}", pair[0], pair[1]), "", 1);
        }
        line.replace(" play sonia/", " play ")
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.end_others();
        for service in SERVICES {
            let pid = std::fs::read_to_string(self.path(&format!("state/pids/{service}.pid")));
            let Some(pid) = pid.ok().and_then(|text| text.trim().parse::<u32>().ok()).filter(|pid| *pid > 1) else { continue };
            // The number alone proves nothing: it may be another process's by now.
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&words).contains(&self.port(service).to_string()) {
                let family = descendants(pid);
                kill(pid);
                family.into_iter().for_each(kill);
            }
        }
    }
}
