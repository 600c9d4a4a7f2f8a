//! Asking a program of this machine, such as `git` or `docker`, and reading what it says.

use std::path::Path;
use std::time::Duration;

use runbook_core::module::{Cx, Exec, ExecOutput, Fault};
use runbook_core::value::format_duration;

use super::exec::Door;
use super::words::program;

/// A program that is asked.
pub(crate) struct Tool<'a> {
    /// Its name, or a path with a slash.
    pub(crate) name: &'a str,
    /// The words that come before those of every call, such as `-C FOLDER`.
    pub(crate) first: Vec<String>,
    /// The folder it runs in; the project root if `None`.
    pub(crate) cwd: Option<&'a Path>,
    /// Variables added to its environment, besides `LC_ALL=C`.
    pub(crate) env: Vec<(String, String)>,
    /// How long it may take at most.
    pub(crate) limit: Duration,
    /// What to do when it is missing, as a sentence without its end.
    pub(crate) missing: &'static str,
}

/// What a program said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Its exit code; null if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its standard output.
    pub(crate) out: String,
    /// Its standard error.
    pub(crate) err: String,
}

impl Said {
    /// Whether it ended with 0.
    pub(crate) fn good(&self) -> bool {
        self.code == Some(0)
    }

    /// Its last line of standard error that says something, or of its output, or how it ended.
    pub(crate) fn why(&self) -> String {
        let last = |text: &str| text.lines().rev().map(str::trim).find(|l| !l.is_empty()).map(str::to_owned);
        last(&self.err).or_else(|| last(&self.out)).unwrap_or_else(|| match self.code {
            Some(code) => format!("it ended with exit code {code} and said nothing"),
            None => "it was ended by a signal".to_owned(),
        })
    }
}

/// The most that is kept of each stream.
const MAX_OUTPUT: usize = 32 << 20;

impl<'a> Tool<'a> {
    /// A program that has 30 seconds.
    pub(crate) fn new(name: &'a str, missing: &'static str) -> Tool<'a> {
        Tool { name, first: Vec::new(), cwd: None, env: Vec::new(), limit: Duration::from_secs(30), missing }
    }

    fn exec(&self, args: &[&str], cx: &Cx<'_>) -> Result<Exec, Fault> {
        let found = program(self.name, cx.root, cx.env("PATH").as_deref());
        let Some(file) = found else {
            return Err(Fault::cannot_tell(format!("`{}` is not installed here, or not in PATH; {}", self.name, self.missing)));
        };
        let cwd = self.cwd.unwrap_or(cx.root);
        if !cwd.is_dir() {
            return Err(Fault::unmet(format!("there is no folder `{}`", cwd.display())));
        }
        let mut argv = vec![file.display().to_string()];
        argv.extend(self.first.iter().cloned());
        argv.extend(args.iter().map(|a| (*a).to_owned()));
        if argv.iter().any(|w| w.contains('\0')) {
            return Err(Fault::Invalid { message: "an argument holds a NUL character".to_owned(), argument: None });
        }
        let mut env = vec![("LC_ALL".to_owned(), "C".to_owned())];
        env.extend(self.env.iter().cloned());
        let timeout = Some(cx.timeout.map_or(self.limit, |t| t.min(self.limit)));
        Ok(Exec { argv, cwd: Some(cwd.to_owned()), env, timeout, max_output: Some(MAX_OUTPUT), ..Exec::default() })
    }

    /// Runs it to look.
    ///
    /// # Errors
    /// If it is missing, cannot be run or does not end in time. How it ended is for the caller to judge.
    pub(crate) async fn ask(&self, args: &[&str], cx: &Cx<'_>) -> Result<Said, Fault> {
        self.run(args, Door::Look(cx)).await
    }

    /// Runs it by either door.
    ///
    /// # Errors
    /// As [`Tool::ask`].
    pub(crate) async fn run(&self, args: &[&str], door: Door<'_>) -> Result<Said, Fault> {
        let cx: &Cx<'_> = match door {
            Door::Look(cx) => cx,
            Door::Change(change) => change,
        };
        let exec = self.exec(args, cx)?;
        let limit = exec.timeout.unwrap_or(self.limit);
        let output = match door {
            Door::Look(cx) => cx.run_read(exec).await,
            Door::Change(change) => change.run(exec).await,
        };
        let output = output.map_err(|e| Fault::cannot_tell(format!("`{}` cannot be run: {e}", self.name)))?;
        if output.timed_out {
            return Err(self.too_slow(limit, cx));
        }
        Ok(said(&output))
    }

    fn too_slow(&self, limit: Duration, cx: &Cx<'_>) -> Fault {
        let shown = format_duration(jiff::SignedDuration::try_from(limit).unwrap_or_default());
        let message = format!("`{}` did not end within {shown} and was ended", self.name);
        match cx.timeout {
            Some(timeout) if timeout <= self.limit => Fault::TimedOut { message, result: serde_json::Value::Null },
            _ => Fault::cannot_tell(message),
        }
    }
}

fn said(output: &ExecOutput) -> Said {
    Said {
        code: output.exit_code,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::testing::TestHost;

    fn sh() -> Tool<'static> {
        Tool::new("sh", "install it")
    }

    #[tokio::test]
    async fn a_program_is_asked() {
        let host = TestHost::new();
        let said = sh().ask(&["-c", "echo out; echo a >&2; echo why >&2; exit 3"], &host.cx()).await.unwrap();
        assert_eq!((said.code, said.out.as_str(), said.why().as_str(), said.good()), (Some(3), "out\n", "why", false));
        let said = sh().ask(&["-c", "kill -KILL $$"], &host.cx()).await.unwrap();
        assert_eq!((said.code, said.why().as_str()), (None, "it was ended by a signal"));
    }

    #[tokio::test]
    async fn one_that_is_missing_or_never_ends() {
        let host = TestHost::new();
        let fault = Tool::new("no-such-tool", "install it").ask(&[], &host.cx()).await.unwrap_err();
        assert_eq!(fault, Fault::cannot_tell("`no-such-tool` is not installed here, or not in PATH; install it"));
        let mut tool = sh();
        tool.limit = Duration::from_millis(50);
        let fault = tool.ask(&["-c", "sleep 100"], &host.cx()).await.unwrap_err();
        assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("within 50ms")), "{fault:?}");
        let mut cx = host.cx();
        cx.timeout = Some(Duration::from_millis(20));
        let fault = tool.ask(&["-c", "sleep 100"], &cx).await.unwrap_err();
        assert!(matches!(&fault, Fault::TimedOut { message, .. } if message.contains("within 20ms")), "{fault:?}");
    }
}
