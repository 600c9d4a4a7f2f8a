//! The context a module works in: the only way to processes, time and progress.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::BoxFuture;

/// What a probe, or an action's plan, works with. It can look, and start programs that only look.
pub struct Cx<'a> {
    host: &'a dyn Host,
    /// The step's structural path.
    pub path: &'a str,
    /// The project root, against which relative paths are resolved.
    pub root: &'a Path,
    /// The state folder.
    pub state: &'a Path,
    /// The limit of this attempt, if it has one. Modules with a limit of their own use the shorter one.
    pub timeout: Option<Duration>,
    /// Argument-vector prefixes whose effect is `read`.
    pub read_commands: &'a [Vec<String>],
}

/// What an action's apply works with: everything a probe has, and the means to change things.
///
/// Only the live world makes one, so that nothing else can reach an `apply`.
pub struct Change<'a> {
    cx: Cx<'a>,
}

impl<'a> std::ops::Deref for Change<'a> {
    type Target = Cx<'a>;
    fn deref(&self) -> &Cx<'a> {
        &self.cx
    }
}

impl<'a> Cx<'a> {
    /// A context on a host.
    pub fn new(host: &'a dyn Host, path: &'a str, root: &'a Path, state: &'a Path) -> Self {
        Cx { host, path, root, state, timeout: None, read_commands: &[] }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.host.now()
    }

    /// Sleeps.
    pub fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        self.host.sleep(duration)
    }

    /// Runs a program that only looks, to its end or its timeout; the whole process tree ends with it.
    pub fn run_read(&self, exec: Exec) -> BoxFuture<'_, std::io::Result<ExecOutput>> {
        self.host.run(Exec { read_only: true, ..exec })
    }

    /// How a process that this engine started has ended, if it has.
    pub fn exit_of(&self, pid: u32) -> Option<ExitReason> {
        self.host.exit_of(pid)
    }

    /// Tells people how far a long step has come.
    pub fn progress(&self, text: &str) {
        self.host.progress(self.path, text);
    }

    /// Things that calls share, such as connection pools.
    pub fn shared(&self) -> &Shared {
        self.host.shared()
    }

    /// An absolute path: relative ones start at the project root, `~/` at the home folder.
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        if let Ok(rest) = path.strip_prefix("~")
            && let Some(home) = self.host.home()
        {
            return home.join(rest);
        }
        self.root.join(path)
    }

    /// An environment variable of the engine.
    pub fn env(&self, name: &str) -> Option<String> {
        self.host.env(name)
    }
}

impl<'a> Change<'a> {
    /// Makes a context that can change things. For worlds that are meant to.
    pub fn permitted(cx: Cx<'a>) -> Self {
        Change { cx }
    }

    /// Runs a program to its end or its timeout; the whole process tree ends with it.
    pub fn run(&self, exec: Exec) -> BoxFuture<'_, std::io::Result<ExecOutput>> {
        self.cx.host.run(exec)
    }

    /// Starts a program that goes on after the engine.
    ///
    /// # Errors
    /// The operating system's, such as a program that does not exist.
    pub fn spawn(&self, daemon: Daemon) -> std::io::Result<Spawned> {
        self.cx.host.spawn(daemon)
    }
}

/// A program to run to its end.
#[derive(Clone, Debug, Default)]
pub struct Exec {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The folder to run it in.
    pub cwd: Option<PathBuf>,
    /// Variables added to the environment.
    pub env: Vec<(String, String)>,
    /// What it reads on standard input; nothing if `None`.
    pub stdin: Option<Vec<u8>>,
    /// The user to run it as.
    pub user: Option<String>,
    /// After so long the whole process tree is ended.
    pub timeout: Option<Duration>,
    /// The most bytes kept of each stream: the first and the last half.
    pub max_output: Option<usize>,
    /// Whether it was declared to look only.
    pub read_only: bool,
    /// The only folder it may write in, if it is to be kept from changing anything else: on Linux the kernel denies it to write files
    /// anywhere else and to signal processes that it did not start (Landlock). Where the kernel cannot, it runs without.
    pub confined_to: Option<PathBuf>,
    /// Is told each line of its standard output as it comes, besides what is kept.
    pub on_line: Option<OnLine>,
}

/// Is told each line of a program's output as it comes, without its end. Lines over 64 KiB are not told.
#[derive(Clone)]
pub struct OnLine(pub Arc<TellLine>);

/// Takes a line.
pub type TellLine = dyn Fn(&[u8]) + Send + Sync;

impl std::fmt::Debug for OnLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnLine")
    }
}

/// What a program left.
#[derive(Clone, Debug, Default)]
pub struct ExecOutput {
    /// Its exit code, if it ended by itself.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// Bytes of output that were dropped from the middle.
    pub dropped: u64,
    /// Whether it was ended for taking too long.
    pub timed_out: bool,
    /// How long it took.
    pub duration: Duration,
}

/// A program that goes on after the engine.
#[derive(Clone, Debug, Default)]
pub struct Daemon {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The folder to run it in.
    pub cwd: Option<PathBuf>,
    /// Variables added to the environment.
    pub env: Vec<(String, String)>,
    /// The file its standard output is appended to.
    pub stdout: Option<PathBuf>,
    /// The file its standard error is appended to.
    pub stderr: Option<PathBuf>,
}

/// A process that was started to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spawned {
    /// Its id, which is also its process group and session.
    pub pid: u32,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// The world that a module's context is a window to.
pub trait Host: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;
    /// Sleeps.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;
    /// Runs a program to its end.
    fn run(&self, exec: Exec) -> BoxFuture<'_, std::io::Result<ExecOutput>>;
    /// Starts a program that goes on.
    ///
    /// # Errors
    /// The operating system's.
    fn spawn(&self, daemon: Daemon) -> std::io::Result<Spawned>;
    /// How a process started by [`Host::spawn`] has ended.
    fn exit_of(&self, pid: u32) -> Option<ExitReason>;
    /// Tells people how far a step has come.
    fn progress(&self, path: &str, text: &str);
    /// Things that calls share.
    fn shared(&self) -> &Shared;
    /// An environment variable of the engine.
    fn env(&self, name: &str) -> Option<String>;
    /// The operator's home folder.
    fn home(&self) -> Option<PathBuf> {
        self.env("HOME").map(PathBuf::from)
    }
}

/// A drawer for things that calls of a module share, one of each type.
#[derive(Default)]
pub struct Shared {
    items: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl Shared {
    /// The thing of this type, made on first use.
    pub fn get_or_init<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut items = self.items.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let item = items.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(make())).clone();
        drop(items);
        item.downcast::<T>().unwrap_or_else(|_| unreachable!("stored under its own type id"))
    }
}
