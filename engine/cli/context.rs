//! The edge: environment, folders and terminals are looked at here, once, and passed down.

use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use runbook_report::{ColorChoice, Facts, Level, TermPolicy};

use crate::args::{ColorArg, Common};

/// Everything that commands need to know about where they run.
pub(crate) struct Context {
    pub(crate) common: Common,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: PathBuf,
    pub(crate) stdin_tty: bool,
    pub(crate) stdout_tty: bool,
    pub(crate) stderr_tty: bool,
    /// How to write to standard output.
    pub(crate) out: TermPolicy,
    /// How to write to standard error.
    pub(crate) err: TermPolicy,
}

impl Context {
    pub(crate) fn gather(common: Common) -> Context {
        let env: BTreeMap<String, String> =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
        let (stdin_tty, stdout_tty, stderr_tty) =
            (std::io::stdin().is_terminal(), std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let color = match common.color {
            ColorArg::Auto => ColorChoice::Auto,
            ColorArg::Always => ColorChoice::Always,
            ColorArg::Never => ColorChoice::Never,
        };
        let policy = |tty: bool, width: Option<usize>| {
            TermPolicy::from_facts(&Facts {
                env: &env,
                stdin_tty,
                stderr_tty,
                is_tty: tty,
                width,
                color,
                plain: common.plain,
                no_input: common.no_input || common.json,
            })
        };
        let width = |tty: bool, fd: std::os::fd::BorrowedFd<'_>| {
            tty.then(|| rustix::termios::tcgetwinsize(fd).ok().map(|s| usize::from(s.ws_col))).flatten().filter(|w| *w > 0)
        };
        use std::os::fd::AsFd;
        let out = policy(stdout_tty, width(stdout_tty, std::io::stdout().as_fd()));
        let err = policy(stderr_tty, width(stderr_tty, std::io::stderr().as_fd()));
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        Context { common, env, cwd, stdin_tty, stdout_tty, stderr_tty, out, err }
    }

    /// The engine's own diagnostics (`RUNBOOK_LOG=debug`) on standard error; off unless asked for, and then nothing is set up.
    pub(crate) fn start_logging(&self) {
        let Some(filter) = self.env.get("RUNBOOK_LOG").filter(|f| !f.is_empty()) else { return };
        let filter = tracing_subscriber::EnvFilter::new(filter);
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(self.err.color);
        if self.common.json { builder.json().init() } else { builder.init() }
    }

    /// How much people are told.
    pub(crate) fn level(&self) -> Level {
        match (self.common.quiet, self.common.verbose) {
            (true, _) => Level::Quiet,
            (false, 0) => Level::Normal,
            (false, n) => Level::Verbose(n),
        }
    }

    /// The folder of playbooks: the flag or variable, else the nearest `playbooks/` here or above.
    pub(crate) fn playbooks(&self) -> Result<PathBuf, String> {
        if let Some(given) = &self.common.playbooks {
            let path = self.cwd.join(given);
            return if path.is_dir() { Ok(path) } else { Err(format!("{} is not a folder", path.display())) };
        }
        self.cwd
            .ancestors()
            .map(|folder| folder.join("playbooks"))
            .find(|folder| folder.is_dir())
            .ok_or_else(|| format!("there is no `playbooks` folder in {} or above it", self.cwd.display()))
    }

    /// The state folder: the flag or variable, else the XDG state folder.
    pub(crate) fn state(&self) -> Result<PathBuf, String> {
        if let Some(given) = &self.common.state {
            return Ok(self.cwd.join(given));
        }
        if let Some(xdg) = self.env.get("XDG_STATE_HOME").filter(|x| Path::new(x).is_absolute()) {
            return Ok(Path::new(xdg).join("runbook"));
        }
        match self.env.get("HOME").filter(|h| Path::new(h).is_absolute()) {
            Some(home) => Ok(Path::new(home).join(".local/state/runbook")),
            None => Err("neither --state, RUNBOOK_STATE, XDG_STATE_HOME nor HOME says where to keep runs".to_owned()),
        }
    }

    /// Whether a person can be asked: both ends of a terminal, and nobody said not to.
    pub(crate) fn can_ask(&self) -> bool {
        self.stdin_tty && self.stderr_tty && !self.common.no_input && !self.common.json && !self.env.contains_key("CI")
    }

    /// The environment as modules get it.
    pub(crate) fn env_map(&self) -> HashMap<String, String> {
        self.env.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// Who runs this.
    pub(crate) fn operator(&self) -> String {
        ["SUDO_USER", "USER", "LOGNAME"]
            .iter()
            .find_map(|name| self.env.get(*name).filter(|v| !v.is_empty()).cloned())
            .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
    }

    /// What this machine is called.
    pub(crate) fn host(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }
}
