//! A host for tests: real processes, real time, a folder of its own.
//!
//! ```ignore
//! let host = TestHost::new();
//! let out = Thing::observe(&args(json!({"path": "x"})), &host.cx()).await.unwrap();
//! let done = Other::apply(&args(json!({})), &host.change()).await.unwrap();
//! ```

use std::collections::HashMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use runbook_core::module::{BoxFuture, Change, Cx, Daemon, Exec, ExecOutput, ExitReason, Host, Shared, Spawned};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::ports::{Where, listeners};

/// Longer than anything in a test takes, and short enough to find out that it never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A host with real processes and real time. Ends what it started when it is dropped.
pub(crate) struct TestHost {
    folder: tempfile::TempDir,
    shared: Shared,
    env: Mutex<HashMap<String, Option<String>>>,
    daemons: Mutex<HashMap<u32, Started>>,
    progress: Mutex<Vec<String>>,
}

enum Started {
    Running(Child),
    Ended(ExitReason),
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Arguments from JSON, as the interpreter passes them.
pub(crate) fn args<T: DeserializeOwned>(json: serde_json::Value) -> T {
    serde_json::from_value(json).expect("the arguments decode")
}

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a process that was just started shows its command line: for a moment after the start it has none.
pub(crate) async fn settled(pid: u32) {
    let shown = || std::fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|c| !c.is_empty()).map(drop);
    eventually("the process shows its command line", shown).await;
}

/// Closes a listening socket and waits until its port is free: a child of another test that is just being started holds a copy of it until
/// it becomes another program.
pub(crate) async fn close(socket: std::net::TcpListener) {
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let free = || listeners(port, Where::Anywhere).ok().filter(|found| found.is_empty()).map(drop);
    eventually("nobody listens on the port", free).await;
}

/// Whether an expression over a result holds, as `expect` asks it.
pub(crate) fn holds(expression: &str, result: &impl serde::Serialize) -> bool {
    use runbook_core::expr::{Expr, MapScope};
    use runbook_core::value::{Map, from_json};
    let json = serde_json::to_value(result).expect("a result");
    let map: Map = json.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), from_json(v.clone()))).collect();
    let scope = MapScope { map: std::sync::Arc::new(map), now: Timestamp::now() };
    let value = Expr::parse_standalone(expression).expect("an expression").eval(&scope).expect("a value");
    value.truth() == Some(true)
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port").local_addr().expect("its address").port()
}

impl TestHost {
    /// A host with a folder of its own.
    pub(crate) fn new() -> TestHost {
        TestHost {
            folder: tempfile::tempdir().expect("a temporary folder"),
            shared: Shared::default(),
            env: Mutex::default(),
            daemons: Mutex::default(),
            progress: Mutex::default(),
        }
    }

    /// The folder: project root and state folder in one.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file in the folder, with its parents.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("the folders");
        std::fs::write(&path, text).expect("the file");
        path
    }

    /// Sets or hides a variable of the engine's environment.
    pub(crate) fn set_env(&self, name: &str, value: Option<&str>) {
        open(&self.env).insert(name.to_owned(), value.map(str::to_owned));
    }

    /// What was told by `progress` so far.
    pub(crate) fn told(&self) -> Vec<String> {
        open(&self.progress).clone()
    }

    /// A context.
    pub(crate) fn cx(&self) -> Cx<'_> {
        Cx::new(self, "steps[0]", self.root(), self.root())
    }

    /// A context that can change things.
    pub(crate) fn change(&self) -> Change<'_> {
        Change::permitted(self.cx())
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        for (pid, started) in open(&self.daemons).drain() {
            if let Started::Running(mut child) = started {
                // Not waited for yet, so the number is still this group's.
                end_group(pid);
                let _ = child.wait();
            }
            end_left_behind(pid);
        }
    }
}

fn as_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

fn end_group(pid: u32) {
    if let Some(pid) = as_pid(pid) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// Ends the members of a group whose leader is gone, one by one.
fn end_left_behind(group: u32) {
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((_, rest)) = stat.rsplit_once(')') else { continue };
        if rest.split_ascii_whitespace().nth(2) == Some(group.to_string().as_str())
            && let Some(pid) = as_pid(pid)
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn reason(status: std::process::ExitStatus) -> ExitReason {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitReason::Code(code),
        (None, signal) => ExitReason::Signal(signal.unwrap_or_default()),
    }
}

/// The first and the last half of what is too long, and how much was dropped.
fn cut(bytes: Vec<u8>, most: Option<usize>) -> (Vec<u8>, u64) {
    match most {
        Some(most) if bytes.len() > most => {
            let head = most - most / 2;
            let mut kept = bytes[..head].to_vec();
            kept.extend_from_slice(&bytes[bytes.len() - most / 2..]);
            (kept, (bytes.len() - most) as u64)
        }
        _ => (bytes, 0),
    }
}

async fn run(exec: Exec) -> std::io::Result<ExecOutput> {
    let started = Instant::now();
    let (program, rest) = exec.argv.split_first().expect("a program");
    let mut command = tokio::process::Command::new(program);
    command.args(rest).envs(exec.env).process_group(0).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if exec.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    if let Some(cwd) = &exec.cwd {
        command.current_dir(cwd);
    }
    if exec.user.is_some() {
        return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, "the test host runs nothing as another user"));
    }
    let mut child = command.spawn()?;
    let pid = child.id().expect("it was just started");
    let (mut stdin, mut out, mut err) =
        (child.stdin.take(), child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let feed = tokio::spawn(async move {
        if let (Some(pipe), Some(text)) = (&mut stdin, exec.stdin) {
            let _ = pipe.write_all(&text).await;
        }
    });
    let out = tokio::spawn(async move {
        let mut all = Vec::new();
        let _ = out.read_to_end(&mut all).await;
        all
    });
    let err = tokio::spawn(async move {
        let mut all = Vec::new();
        let _ = err.read_to_end(&mut all).await;
        all
    });
    let (status, timed_out) = match tokio::time::timeout(exec.timeout.unwrap_or(PATIENCE * 10), child.wait()).await {
        Ok(status) => (status?, false),
        Err(_) => {
            end_group(pid);
            (child.wait().await?, true)
        }
    };
    // What the program left in its group would keep the pipes open.
    end_left_behind(pid);
    feed.abort();
    let stdout = out.await.unwrap_or_default();
    if let Some(told) = &exec.on_line {
        stdout.split_inclusive(|b| *b == b'\n').filter_map(|l| l.strip_suffix(b"\n")).for_each(|line| (told.0)(line));
    }
    let (stdout, a) = cut(stdout, exec.max_output);
    let (stderr, b) = cut(err.await.unwrap_or_default(), exec.max_output);
    Ok(ExecOutput {
        exit_code: status.code(),
        signal: status.signal(),
        stdout,
        stderr,
        dropped: a + b,
        timed_out,
        duration: started.elapsed(),
    })
}

impl Host for TestHost {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn run(&self, exec: Exec) -> BoxFuture<'_, std::io::Result<ExecOutput>> {
        Box::pin(run(exec))
    }

    fn spawn(&self, daemon: Daemon) -> std::io::Result<Spawned> {
        let append = |path: &Option<PathBuf>| match path {
            Some(path) => std::fs::OpenOptions::new().create(true).append(true).open(path).map(Stdio::from),
            None => Ok(Stdio::null()),
        };
        let (program, rest) = daemon.argv.split_first().expect("a program");
        let mut command = std::process::Command::new(program);
        // A new session needs unsafe code; a new group is what the modules rely on.
        command.args(rest).envs(daemon.env).process_group(0);
        command.stdin(Stdio::null()).stdout(append(&daemon.stdout)?).stderr(append(&daemon.stderr)?);
        if let Some(cwd) = &daemon.cwd {
            command.current_dir(cwd);
        }
        let child = command.spawn()?;
        let pid = child.id();
        open(&self.daemons).insert(pid, Started::Running(child));
        Ok(Spawned { pid })
    }

    fn exit_of(&self, pid: u32) -> Option<ExitReason> {
        let mut daemons = open(&self.daemons);
        let started = daemons.get_mut(&pid)?;
        if let Started::Running(child) = started
            && let Ok(Some(status)) = child.try_wait()
        {
            *started = Started::Ended(reason(status));
        }
        match started {
            Started::Ended(reason) => Some(*reason),
            Started::Running(_) => None,
        }
    }

    fn progress(&self, _: &str, text: &str) {
        open(&self.progress).push(text.to_owned());
    }

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn env(&self, name: &str) -> Option<String> {
        match open(&self.env).get(name) {
            Some(value) => value.clone(),
            None => std::env::var(name).ok(),
        }
    }
}
