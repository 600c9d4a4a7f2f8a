//! The live host: what modules reach through their context.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::module::{BoxFuture, Daemon, Exec, ExecOutput, ExitReason, Host, Shared, Spawned};

use crate::signals::Stop;

type Progress = Box<dyn Fn(&str, &str) + Send + Sync>;

/// This machine.
pub struct LiveHost {
    shared: Shared,
    stop: Stop,
    cleaning: AtomicBool,
    /// The programs being run to their end: their leaders and what they are.
    running: Arc<Mutex<HashMap<i32, String>>>,
    /// How the daemons that this engine started have ended.
    exits: Arc<Mutex<HashMap<u32, Option<ExitReason>>>>,
    progress: Progress,
    env: HashMap<String, String>,
}

impl LiveHost {
    /// This machine, with the engine's environment as it was read at the start.
    pub fn new(stop: Stop, env: HashMap<String, String>, progress: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        LiveHost {
            shared: Shared::default(),
            stop,
            cleaning: AtomicBool::new(false),
            running: Arc::default(),
            exits: Arc::default(),
            progress: Box::new(progress),
            env,
        }
    }

    /// What is being run to its end, as said to people.
    pub fn running(&self) -> Vec<String> {
        locked(&self.running).iter().map(|(pid, what)| format!("{what} (pid {pid})")).collect()
    }

    /// Kills every program that is being run to its end, with everything it started.
    pub fn kill_all(&self) {
        let leaders: Vec<i32> = locked(&self.running).keys().copied().collect();
        leaders.into_iter().for_each(super::tree::kill_tree);
    }

    /// From now on a stop that was asked for does not end what is begun.
    pub(super) fn begin_cleanup(&self) {
        self.cleaning.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_cleaning(&self) -> bool {
        self.cleaning.load(Ordering::SeqCst)
    }
}

impl Host for LiveHost {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn run(&self, exec: Exec) -> BoxFuture<'_, io::Result<ExecOutput>> {
        Box::pin(async move { super::exec::run(exec, &self.stop, self.is_cleaning(), &self.running).await })
    }

    fn spawn(&self, daemon: Daemon) -> io::Result<Spawned> {
        let (program, args) = daemon.argv.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
        let output = |path: &Option<std::path::PathBuf>| -> io::Result<Stdio> {
            match path {
                Some(path) => {
                    let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
                    Ok(Stdio::from(file))
                }
                None => Ok(Stdio::null()),
            }
        };
        let mut command = std::process::Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(output(&daemon.stdout)?).stderr(output(&daemon.stderr)?);
        if let Some(cwd) = &daemon.cwd {
            command.current_dir(cwd);
        }
        command.envs(daemon.env.iter().map(|(k, v)| (k, v)));
        detach(&mut command);
        let mut child = command.spawn()?;
        let pid = child.id();
        tracing::debug!(pid, program = %daemon.argv[0], "started a process that goes on");
        locked(&self.exits).insert(pid, None);
        let exits = self.exits.clone();
        // While the engine lives it is the parent and must reap; afterwards the system's first process does.
        std::thread::Builder::new().name(format!("reap-{pid}")).stack_size(64 * 1024).spawn(move || {
            let reason = match child.wait() {
                Ok(status) => match std::os::unix::process::ExitStatusExt::signal(&status) {
                    Some(signal) => ExitReason::Signal(signal),
                    None => ExitReason::Code(status.code().unwrap_or(-1)),
                },
                Err(_) => return,
            };
            locked(&exits).insert(pid, Some(reason));
        })?;
        Ok(Spawned { pid })
    }

    fn exit_of(&self, pid: u32) -> Option<ExitReason> {
        locked(&self.exits).get(&pid).copied().flatten()
    }

    fn progress(&self, path: &str, text: &str) {
        (self.progress)(path, text);
    }

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the program a session of its own, so that it has no terminal and outlives the engine's.
#[expect(unsafe_code, reason = "`setsid` between fork and exec has no safe form in the standard library yet")]
fn detach(command: &mut std::process::Command) {
    // SAFETY: `setsid` and `umask` are async-signal-safe and touch no memory of the parent.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            Ok(())
        });
    }
}
