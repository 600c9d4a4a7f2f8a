//! A folder of one's own with playbooks and a state folder, and the real binary run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A fresh project folder; removed when dropped.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

/// What the program left.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; 128 and the signal if one ended it.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Workspace {
    /// An empty project.
    pub(crate) fn new() -> Workspace {
        let folder = tempfile::Builder::new().prefix("runbook-test-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("playbooks")).unwrap();
        Workspace { folder }
    }

    /// A project with the shipped playbooks.
    pub(crate) fn shipped() -> Workspace {
        let workspace = Workspace::new();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks"), &workspace.path("playbooks"));
        workspace
    }

    /// A project with one playbook.
    pub(crate) fn with(name: &str, text: &str) -> Workspace {
        let workspace = Workspace::new();
        workspace.write(&format!("playbooks/{name}.yaml"), text);
        workspace
    }

    /// A path in the project.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads a file of the project.
    pub(crate) fn read(&self, relative: &str) -> String {
        std::fs::read_to_string(self.path(relative)).unwrap()
    }

    /// The program, ready to be run in the project with a clean environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("LANG", "C.UTF-8")
            .env("USER", "tester")
            .env("RUNBOOK_STATE", self.path("state"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        finish(self.command(args))
    }

    /// The text with what differs from run to run replaced: run ids, times, durations, this folder.
    pub(crate) fn stable(&self, text: &str) -> String {
        let text = text.replace(&*self.folder.path().to_string_lossy(), "{project}");
        let text = regex(r"\bhost=\S+", &text, "host={host}");
        let text = regex(r"\btester on\s+\S+", &text, "tester on {host}");
        let text = regex(r"\d{8}-\d{6}-[0-9a-f]{6}", &text, "{run}");
        let text = regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?UTC|Z)?", &text, "{time}");
        regex(r"\b\d+(\.\d+)?(ms|s|µs)\b", &text, "{dur}")
    }
}

fn regex(pattern: &str, text: &str, with: &str) -> String {
    regex::Regex::new(pattern).unwrap().replace_all(text, with).into_owned()
}

/// Runs a command to its end.
pub(crate) fn finish(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    Output {
        code: output.status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Output {
    /// The records of a `--json` run.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    /// The records of one kind.
    pub(crate) fn events_of(&self, kind: &str) -> Vec<serde_json::Value> {
        self.events().into_iter().filter(|e| e["event"] == kind).collect()
    }

    /// Fails the test unless the exit code is this.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Output {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
