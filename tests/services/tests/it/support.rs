//! Starting services, asking them, and cleaning up.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

/// The longest that any test waits for an event; reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// A root directory of its own, removed at the end.
pub(crate) struct Root(pub(crate) PathBuf);

impl Root {
    pub(crate) fn new() -> Root {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("runbook-services-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Root(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.0.join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, text).expect("a written file");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.0.join(path)).expect("a readable file")
    }

    /// The lines of one of the gateway's logs.
    pub(crate) fn journal(&self, name: &str) -> Vec<Value> {
        let text = self.read(&format!("logs/gateway/{name}.jsonl"));
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

pub(crate) fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A process that plays a service, in a process group of its own; killed at the end.
pub(crate) struct Service {
    pub(crate) port: u16,
    pub(crate) child: Child,
    stderr: BufReader<ChildStderr>,
    stdout: BufReader<ChildStdout>,
    /// What was read of standard error so far.
    pub(crate) errors: String,
}

impl Service {
    /// Starts a service and waits until it says that it runs.
    pub(crate) fn start(name: &str, root: &Path) -> Service {
        Service::start_at(name, root, free_port(), &[])
    }

    pub(crate) fn start_at(name: &str, root: &Path, port: u16, flags: &[&str]) -> Service {
        let mut service = Service::spawn(name, root, port, flags);
        service.wait_for(if name == "ollama" { "Listening on" } else { "Uvicorn running on" });
        service
    }

    /// Starts a service and does not wait.
    pub(crate) fn spawn(name: &str, root: &Path, port: u16, flags: &[&str]) -> Service {
        let mut child = Command::new(env!("CARGO_BIN_EXE_runbook-services"))
            .args(["stand-in", "--service", name, "--port", &port.to_string(), "--root"])
            .arg(root)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a child process");
        let stderr = BufReader::new(child.stderr.take().expect("standard error"));
        let stdout = BufReader::new(child.stdout.take().expect("standard output"));
        Service { port, child, stderr, stdout, errors: String::new() }
    }

    /// Reads standard error up to the line that contains `part`, and returns the line.
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).expect("readable standard error");
            assert_ne!(read, 0, "the service ended without {part:?}:\n{}", self.errors);
            self.errors.push_str(&line);
            if line.contains(part) {
                return line;
            }
        }
    }

    /// The next line of standard output.
    pub(crate) fn output_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("readable standard output");
        line
    }

    pub(crate) fn signal(&self, name: &str) {
        kill(name, &self.child.id().to_string());
    }

    pub(crate) fn signal_group(&self, name: &str) {
        kill(name, &format!("-{}", self.child.id()));
    }

    /// Waits for the end and returns the exit code; the rest of standard error is in `errors`.
    pub(crate) fn end(&mut self) -> Option<i32> {
        self.stderr.read_to_string(&mut self.errors).expect("readable standard error");
        self.child.wait().expect("an ended child").code()
    }

    pub(crate) fn get(&self, target: &str) -> (u16, Value) {
        request(self.port, "GET", target, None)
    }

    pub(crate) fn post(&self, target: &str, body: Value) -> (u16, Value) {
        request(self.port, "POST", target, Some(&body))
    }

    pub(crate) fn delete(&self, target: &str) -> (u16, Value) {
        request(self.port, "DELETE", target, None)
    }

    /// Sets faults, which must succeed.
    pub(crate) fn fault(&self, faults: Value) {
        let (status, body) = self.post("/_fault", faults);
        assert_eq!(status, 200, "{body}");
    }

    /// Clears the faults.
    pub(crate) fn heal(&self) {
        assert_eq!(self.delete("/_fault").1["faults"], json!({}));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The whole group: a reloader has a child.
        self.signal_group("KILL");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn kill(signal: &str, target: &str) {
    let status = Command::new("kill").args(["-s", signal, "--", target]).stderr(Stdio::null()).status();
    status.expect("the command kill");
}

/// Sends one request; an answer that is not JSON becomes a string.
pub(crate) fn request(port: u16, method: &str, target: &str, body: Option<&Value>) -> (u16, Value) {
    let (head, body) = raw(port, method, target, body, PATIENCE).expect("an answer");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

/// Sends one request with a correlation identifier and returns the head and the body of the answer.
pub(crate) fn raw(
    port: u16,
    method: &str,
    target: &str,
    body: Option<&Value>,
    limit: Duration,
) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(limit))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-correlation-id: req_test\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok((head.to_owned(), body.to_owned()))
}
