//! Running a program to its end, under a time limit, with bounded output and no survivors.

use std::collections::HashMap;
use std::io;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use runbook_core::module::{Exec, ExecOutput, OnLine};
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::tree::{kill_tree, members, signal_tree};
use crate::signals::Stop;

/// How long a tree may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// How long pipes are still read after the leader has ended: a grandchild may hold them for ever.
const DRAIN: Duration = Duration::from_secs(2);

/// The most bytes kept of a stream by default.
const DEFAULT_MAX: usize = 10 * 1024 * 1024;

/// The longest line that is told as it comes.
const LONGEST_LINE: usize = 64 * 1024;

/// The programs being run to their end: their leaders and what they are.
pub(super) type Running = Mutex<HashMap<i32, String>>;

/// Kills the tree if the future that waits for it is dropped.
struct Guard<'a> {
    leader: i32,
    armed: bool,
    running: &'a Running,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.leader);
        if self.armed {
            kill_tree(self.leader);
        }
    }
}

/// The first and the last half of a stream.
struct Capture {
    head: Vec<u8>,
    tail: std::collections::VecDeque<u8>,
    half: usize,
    dropped: u64,
}

impl Capture {
    fn new(max: usize) -> Self {
        Capture { head: Vec::new(), tail: std::collections::VecDeque::new(), half: max / 2, dropped: 0 }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        let room = self.half.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        bytes = &bytes[room..];
        if bytes.len() > self.half {
            self.dropped += (bytes.len() - self.half) as u64;
            bytes = &bytes[bytes.len() - self.half..];
        }
        self.tail.extend(bytes);
        let over = self.tail.len().saturating_sub(self.half);
        self.dropped += over as u64;
        self.tail.drain(..over);
    }

    fn finish(mut self) -> (Vec<u8>, u64) {
        if self.dropped > 0 {
            self.head.extend_from_slice(format!("\n... {} bytes left out ...\n", self.dropped).as_bytes());
        }
        self.head.extend(self.tail);
        (self.head, self.dropped)
    }
}

/// Cuts a stream into lines for whoever wants to hear of each as it comes.
struct Lines {
    told: OnLine,
    begun: Vec<u8>,
    too_long: bool,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, whole) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            self.too_long |= self.begun.len() + text.len() > LONGEST_LINE;
            if !self.too_long {
                self.begun.extend_from_slice(text);
            }
            if whole {
                if !self.too_long {
                    (self.told.0)(&self.begun);
                }
                self.begun.clear();
                self.too_long = false;
            }
        }
    }
}

async fn drain(stream: Option<impl AsyncRead + Unpin>, capture: &mut Capture, mut lines: Option<Lines>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n) = stream.read(&mut buffer).await {
        if n == 0 {
            return;
        }
        capture.push(&buffer[..n]);
        if let Some(lines) = &mut lines {
            lines.push(&buffer[..n]);
        }
    }
}

/// Runs a program to its end. The whole tree ends with it, with its time limit, with a stop, or when this is dropped.
pub(super) async fn run(exec: Exec, stop: &Stop, cleaning: bool, running: &Running) -> io::Result<ExecOutput> {
    let began = Instant::now();
    let (program, args) = exec.argv.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(if exec.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(cwd) = &exec.cwd {
        command.current_dir(cwd);
    }
    for (name, value) in &exec.env {
        command.env(name, value);
    }
    if let Some(user) = &exec.user {
        let (uid, gid) = user_ids(user)?;
        command.uid(uid).gid(gid);
    }
    if let Some(folder) = &exec.confined_to {
        super::confine::confine(command.as_std_mut(), folder)?;
    }
    let mut child = command.spawn()?;
    let leader = child.id().map_or(0, |id| id as i32);
    tracing::debug!(pid = leader, %program, "started a command");
    let what = exec.argv.iter().take(4).cloned().collect::<Vec<_>>().join(" ");
    running.lock().unwrap_or_else(PoisonError::into_inner).insert(leader, what);
    let mut guard = Guard { leader, armed: leader > 0, running };
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let max = exec.max_output.unwrap_or(DEFAULT_MAX);
    let (mut out, mut err) = (Capture::new(max), Capture::new(max));
    let mut timed_out = false;
    let status = {
        let feed = async {
            if let (Some(mut pipe), Some(bytes)) = (stdin, exec.stdin) {
                // A program that does not read its input closes the pipe; that is its business.
                let _ = pipe.write_all(&bytes).await;
            }
        };
        let reading = async {
            let lines = exec.on_line.map(|told| Lines { told, begun: Vec::new(), too_long: false });
            tokio::join!(drain(stdout, &mut out, lines), drain(stderr, &mut err, None), feed);
        };
        let mut reading = std::pin::pin!(reading);
        let limit = async {
            match exec.timeout {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let asked = async { if cleaning { std::future::pending().await } else { stop.asked().await } };
        let mut read_all = false;
        let status = {
            let waiting = async {
                tokio::select! {
                    status = child.wait() => return status.map(Some),
                    () = limit => timed_out = true,
                    _ = asked => {}
                }
                Ok(None)
            };
            let mut waiting = std::pin::pin!(waiting);
            loop {
                tokio::select! {
                    status = &mut waiting => break status?,
                    () = &mut reading, if !read_all => read_all = true,
                }
            }
        };
        let status = match status {
            Some(status) => status,
            None => {
                end_tree(leader, GRACE).await;
                child.wait().await?
            }
        };
        if !read_all {
            let _ = tokio::time::timeout(DRAIN, reading).await;
        }
        status
    };
    guard.armed = false;
    // What the leader left behind in its group ends with it: a command is over when it is over.
    // Finding it means reading all of /proc, milliseconds that a command which simply ended must not pay.
    if (timed_out || stop.reason().is_some()) && !members(leader).is_empty() {
        kill_tree(leader);
    }
    let (stdout, dropped_out) = out.finish();
    let (stderr, dropped_err) = err.finish();
    Ok(ExecOutput {
        exit_code: status.code(),
        signal: std::os::unix::process::ExitStatusExt::signal(&status),
        stdout,
        stderr,
        dropped: dropped_out + dropped_err,
        timed_out,
        duration: began.elapsed(),
    })
}

/// Runs a program to its end outside of any run, and waits for it.
///
/// # Errors
/// As the operating system says it, such as a program that does not exist.
pub fn run_alone(exec: Exec) -> io::Result<ExecOutput> {
    // On a thread of its own, because whoever asks may stand in a runtime already.
    let waiting = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(run(exec, &Stop::default(), false, &Running::default()))
    });
    waiting.join().unwrap_or_else(|_| Err(io::Error::other("the engine failed while it ran a program")))
}

/// Ends a tree: asks, waits, then kills.
async fn end_tree(leader: i32, grace: Duration) {
    signal_tree(leader, Signal::TERM);
    let began = Instant::now();
    let mut pause = Duration::from_millis(1);
    while began.elapsed() < grace {
        if members(leader).is_empty() {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    kill_tree(leader);
}

/// The ids of a user by name or number, from the user database.
fn user_ids(user: &str) -> io::Result<(u32, u32)> {
    let passwd = std::fs::read_to_string("/etc/passwd")?;
    passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|f| f.len() > 3 && (f[0] == user || f[2] == user))
        .and_then(|f| Some((f[2].parse().ok()?, f[3].parse().ok()?)))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no user `{user}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Exec {
        Exec { argv: vec!["sh".into(), "-c".into(), script.into()], ..Exec::default() }
    }

    #[tokio::test]
    async fn output_and_exit_code_are_kept() {
        let out = run(sh("echo out; echo err >&2; exit 3"), &Stop::default(), false, &Running::default()).await.expect("runs");
        assert_eq!((out.exit_code, out.stdout.as_slice(), out.stderr.as_slice()), (Some(3), &b"out\n"[..], &b"err\n"[..]));
    }

    #[tokio::test]
    async fn a_time_limit_ends_the_whole_tree() {
        let folder = std::env::temp_dir().join(format!("runbook-exec-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("temporary folder");
        let pids = folder.join("pids");
        // A grandchild in a session of its own that ignores TERM.
        let script = format!(
            "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ >> {0}; while :; do sleep 1; done' & echo $$ >> {0}; wait",
            pids.display()
        );
        let mut exec = sh(&script);
        exec.timeout = Some(Duration::from_millis(300));
        let out = run(exec, &Stop::default(), false, &Running::default()).await.expect("runs");
        assert!(out.timed_out);
        let text = std::fs::read_to_string(&pids).expect("pids were written");
        for pid in text.split_ascii_whitespace() {
            let alive = std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "));
            assert!(!alive, "{pid} is still alive");
        }
        std::fs::remove_dir_all(folder).expect("cleaned up");
    }

    #[tokio::test]
    async fn a_flood_is_kept_within_bounds() {
        let mut exec = sh("head -c 3000000 /dev/zero; echo end");
        exec.max_output = Some(1000);
        let out = run(exec, &Stop::default(), false, &Running::default()).await.expect("runs");
        assert!(out.stdout.len() < 2000 && out.dropped > 2_900_000);
        assert!(out.stdout.ends_with(b"end\n"));
    }

    #[tokio::test]
    async fn lines_are_told_as_they_come() {
        let heard = std::sync::Arc::new(Mutex::new(Vec::new()));
        let mut exec = sh("echo one; printf 'tw'; printf 'o\n'; head -c 100000 /dev/zero; echo; echo three; printf rest");
        let told = heard.clone();
        exec.on_line = Some(OnLine(std::sync::Arc::new(move |line| {
            told.lock().expect("lock").push(String::from_utf8_lossy(line).into_owned());
        })));
        let out = run(exec, &Stop::default(), false, &Running::default()).await.expect("runs");
        assert_eq!(*heard.lock().expect("lock"), ["one", "two", "three"]);
        assert!(out.stdout.ends_with(b"three\nrest") && out.dropped == 0);
    }

    #[tokio::test]
    async fn a_daemon_that_holds_the_pipe_does_not_hold_us() {
        let began = Instant::now();
        let out = run(sh("sleep 30 & echo $!"), &Stop::default(), false, &Running::default()).await.expect("runs");
        assert!(began.elapsed() < Duration::from_secs(10), "waited for the grandchild");
        let pid: i32 = String::from_utf8_lossy(&out.stdout).trim().parse().expect("a pid");
        let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(pid).expect("pid"), Signal::KILL);
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        let exec = Exec { argv: vec!["/no/such/program".into()], ..Exec::default() };
        let error = run(exec, &Stop::default(), false, &Running::default()).await.expect_err("not there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
