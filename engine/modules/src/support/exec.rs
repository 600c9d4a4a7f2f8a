//! Running a program to its end, as `command` and `shell` do.

use std::collections::BTreeMap;

use runbook_core::module::{Change, Cx, Exec, ExecOutput, Fault, Forecast};
use runbook_core::value::{Duration, Size, format_duration};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use super::args::Text;
use super::signals::name_of;
use super::words::{program_for, shown};

/// What is kept of each stream unless the call says otherwise.
pub(crate) const MAX_OUTPUT: u64 = 1 << 20;

/// The default of `max_output`.
pub(crate) fn max_output() -> Size {
    Size(MAX_OUTPUT)
}

/// What a program left.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The exit code; null if a signal ended it, or it never ran.
    pub(crate) exit_code: Option<i32>,
    /// The name of the signal that ended it, such as `KILL`; null if none did.
    pub(crate) signal: Option<String>,
    /// Its standard output as text; bytes that are not UTF-8 are replaced.
    pub(crate) stdout: String,
    /// Its standard error as text.
    pub(crate) stderr: String,
    /// The lines of its standard output, without line ends.
    pub(crate) lines: Vec<String>,
    /// Its standard output read as JSON; null if it is not JSON.
    pub(crate) json: Json,
    /// How long it ran.
    #[serde(rename = "elapsed")]
    pub(crate) duration: Duration,
    /// How much output was left out from the middle, for being more than `max_output`.
    pub(crate) dropped: Size,
}

impl Out {
    fn of(output: ExecOutput) -> Out {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        // What is cut in the middle may still happen to read as JSON, but says something else.
        let json = if output.dropped == 0 { serde_json::from_str(&stdout).unwrap_or_default() } else { Json::Null };
        Out {
            exit_code: output.exit_code,
            signal: output.signal.map(name_of),
            lines: stdout.lines().map(str::to_owned).collect(),
            json,
            stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            duration: output.duration.into(),
            dropped: Size(output.dropped),
        }
    }
}

/// How a call runs its program.
#[derive(Clone, Copy)]
pub(crate) enum Door<'a> {
    /// It was declared to look only.
    Look(&'a Cx<'a>),
    /// It may change things.
    Change(&'a Change<'a>),
}

/// What `command` and `shell` have in common.
pub(crate) struct Call<'a> {
    /// The argument vector.
    pub(crate) argv: Vec<String>,
    /// The folder.
    pub(crate) cwd: Option<&'a str>,
    /// Variables; one without a value is left as it is.
    pub(crate) env: &'a BTreeMap<String, Option<Text>>,
    /// Standard input.
    pub(crate) stdin: Option<&'a str>,
    /// The user.
    pub(crate) user: Option<&'a str>,
    /// The most that is kept of each stream.
    pub(crate) max_output: Size,
}

impl Call<'_> {
    /// Finds words and variables that no program can be given.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.argv.first().is_none_or(String::is_empty) {
            return Err(Fault::invalid("argv", "no program is given"));
        }
        if self.argv.iter().any(|w| w.contains('\0')) {
            return Err(Fault::invalid("argv", "an argument holds a NUL character, which no program can be given"));
        }
        if let Some(name) = self.env.keys().find(|n| n.is_empty() || n.contains(['=', '\0'])) {
            return Err(Fault::invalid("env", format!("{name:?} is not the name of a variable")));
        }
        let nul = |v: &Option<Text>| v.as_ref().is_some_and(|t| t.0.contains('\0'));
        if let Some((name, _)) = self.env.iter().find(|(_, v)| nul(v)) {
            return Err(Fault::invalid("env", format!("the value of `{name}` holds a NUL character, which no variable can")));
        }
        Ok(())
    }

    fn exec(&self, cx: &Cx<'_>) -> Result<Exec, Fault> {
        self.check()?;
        let env: Vec<(String, String)> = self.env.iter().filter_map(|(k, v)| Some((k.clone(), v.as_ref()?.0.clone()))).collect();
        Ok(Exec {
            argv: self.argv.clone(),
            cwd: Some(self.cwd.map_or_else(|| cx.root.to_owned(), |cwd| cx.resolve(cwd))),
            env,
            stdin: self.stdin.map(|s| s.as_bytes().to_vec()),
            user: self.user.map(str::to_owned),
            timeout: cx.timeout,
            max_output: Some(usize::try_from(self.max_output.0).unwrap_or(usize::MAX)),
            ..Exec::default()
        })
    }

    /// Runs it.
    ///
    /// # Errors
    /// Refused (or cannot tell, for a look) if there is no such program or folder; timed out if it took too long.
    pub(crate) async fn run(&self, door: Door<'_>) -> Result<Out, Fault> {
        let cx = match door {
            Door::Look(cx) => cx,
            Door::Change(change) => change,
        };
        let exec = self.exec(cx)?;
        // A missing folder and a missing program give the same error afterwards.
        check_folder(&exec)?;
        let (argv, timeout) = (exec.argv.clone(), exec.timeout);
        let output = match door {
            Door::Look(cx) => cx.run_read(exec).await,
            Door::Change(change) => change.run(exec).await,
        };
        match output {
            Ok(output) if output.timed_out => {
                let limit = timeout.unwrap_or(output.duration);
                let limit = format_duration(jiff::SignedDuration::try_from(limit).unwrap_or_default());
                let result = serde_json::to_value(Out::of(output)).unwrap_or_default();
                Err(Fault::TimedOut { message: format!("timed out after {limit}"), result })
            }
            Ok(output) => Ok(Out::of(output)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                // Nothing was begun; and who wanted to look lacks the tool to look with.
                Err(match door {
                    Door::Look(_) => Fault::cannot_tell(not_found(&argv)),
                    Door::Change(_) => Fault::refused(not_found(&argv)),
                })
            }
            Err(e) => Err(Fault::cannot_tell(format!("program `{}` cannot be run: {e}", argv[0]))),
        }
    }

    /// What running it would do: nobody knows but its author, so that it would run is all there is to say.
    ///
    /// # Errors
    /// Refused if there is no such program or folder now.
    pub(crate) fn plan(&self, cx: &Cx<'_>, because: &str) -> Result<Forecast, Fault> {
        let exec = self.exec(cx)?;
        check_folder(&exec)?;
        let folder = exec.cwd.clone().unwrap_or_default();
        if program_for(&exec.argv, &folder, &exec.env, cx).is_none() {
            return Err(Fault::refused(not_found(&exec.argv)));
        }
        Ok(Forecast { argv: exec.argv.clone(), ..Forecast::would(format!("run `{}`", shown(&exec.argv)), because) })
    }
}

fn check_folder(exec: &Exec) -> Result<(), Fault> {
    match &exec.cwd {
        Some(cwd) if !cwd.is_dir() => Err(Fault::refused(format!("there is no folder `{}` to run it in", cwd.display()))),
        _ => Ok(()),
    }
}

/// What is said when there is no such program.
pub(crate) fn not_found(argv: &[String]) -> String {
    format!("program `{}` not found", argv.first().map(String::as_str).unwrap_or_default())
}
