//! Asks an executable what it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use runbook_core::module::{Entry, Exec, ExecOutput, Outside};

use super::description::{self, Manner};
use super::protocol::shown;
use super::run::Executable;
use crate::support::signals::name_of;

/// How long a module may take to say what it is.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest description.
const MOST: usize = 1 << 20;

/// Runs a program to its end, outside of any run: when playbooks are read.
pub type Runner = Arc<dyn Fn(Exec) -> std::io::Result<ExecOutput> + Send + Sync>;

/// The entry of a module.
///
/// # Errors
/// Why it cannot be used, and what to do.
pub(super) fn describe(name: &str, path: &Path, run: &Runner) -> Result<Entry, String> {
    let (said, manner) = ask(name, path, run, LIMIT)?;
    let executable = Executable::new(&said, manner, path);
    Ok(Entry::outside(said, Box::new(executable)))
}

/// What a module says of itself.
pub(super) fn ask(name: &str, path: &Path, run: &Runner, limit: Duration) -> Result<(Outside, Manner), String> {
    let shown_path = path.display();
    let folder = tempfile::Builder::new().prefix("runbook-module-").tempdir();
    let folder = folder.map_err(|e| format!("no temporary folder can be made for it: {e}"))?;
    let exec = Exec {
        argv: vec![path.display().to_string(), "--describe".to_owned()],
        env: quiet(folder.path()),
        timeout: Some(limit),
        max_output: Some(2 * MOST),
        read_only: true,
        confined_to: Some(folder.path().to_owned()),
        ..Exec::default()
    };
    let output = run(exec).map_err(|e| format!("{shown_path} cannot be run: {}", why(&e)))?;
    if output.timed_out {
        return Err(format!("`{shown_path} --describe` did not end within {limit:?}"));
    }
    if let Some(signal) = output.signal {
        return Err(format!("`{shown_path} --describe` was ended by the signal {}", name_of(signal)));
    }
    let errors = tail(&output.stderr);
    if output.exit_code != Some(0) {
        let code = output.exit_code.unwrap_or_default();
        return Err(format!("`{shown_path} --describe` ended with exit code {code}{errors}"));
    }
    if output.dropped > 0 || output.stdout.len() > MOST {
        return Err(format!("`{shown_path} --describe` printed more than 1 MiB"));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| "its description is not UTF-8".to_owned())?;
    if text.trim().is_empty() {
        return Err(format!("`{shown_path} --describe` printed nothing{errors}: it prints its description as JSON"));
    }
    description::read(&text, name, path).map_err(|wrong| format!("{shown_path}: {wrong}"))
}

/// Variables that keep a program from leaving things behind.
pub(super) fn quiet(folder: &Path) -> Vec<(String, String)> {
    let folder = folder.display().to_string();
    vec![("TMPDIR".to_owned(), folder), ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())]
}

/// The last line of what a program complained, as the rest of a sentence.
pub(super) fn tail(stderr: &[u8]) -> String {
    let last = stderr.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).rfind(|line| !line.is_empty());
    last.map(|line| format!(", saying {}", shown(line))).unwrap_or_default()
}

/// Why a program did not start, in plain words.
pub(super) fn why(error: &std::io::Error) -> String {
    match (error.kind(), error.raw_os_error()) {
        (_, Some(libc::ENOEXEC)) => {
            "it is neither a program nor does it begin with a line such as `#!/usr/bin/env python3`".to_owned()
        }
        (std::io::ErrorKind::NotFound, _) => "it, or the interpreter that its first line names, is not there".to_owned(),
        (std::io::ErrorKind::PermissionDenied, _) => "this user may not run it".to_owned(),
        _ => error.to_string(),
    }
}
