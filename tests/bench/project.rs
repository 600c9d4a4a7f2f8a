//! A folder of one's own with playbooks and a state folder, and the release binary run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program that is measured.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_runbook");

/// A fresh project on the disk that the build is on (a temporary folder may be memory, where syncing costs nothing).
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn new() -> Project {
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::create_dir(folder.path().join("playbooks")).unwrap();
        Project { folder }
    }

    /// A project with the shipped playbooks.
    pub(crate) fn shipped() -> Project {
        let project = Project::new();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks"), &project.path("playbooks"));
        project
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        std::fs::write(self.path(relative), text).unwrap();
    }

    /// A playbook with these steps, already indented as a list.
    pub(crate) fn playbook(&self, name: &str, steps: &str) {
        self.write(&format!("playbooks/{name}.yaml"), &format!("playbook: A benchmark\nsteps:\n{steps}"));
    }

    /// Any program, in the project and a plain environment.
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("HOME", self.folder())
            .env("LANG", "C.UTF-8")
            .env("USER", "bench")
            .env("RUNBOOK_STATE", self.path("state"))
            .stdin(Stdio::null());
        command
    }

    /// `runbook` with these arguments.
    pub(crate) fn runbook(&self, args: &[&str]) -> Command {
        self.command(PROGRAM, args)
    }

    /// The journal of the last run; all journals are removed, so that each run finds the folder as the one before did.
    pub(crate) fn take_journal(&self) -> String {
        let runs = self.path("state/runs");
        let mut last = String::new();
        for entry in std::fs::read_dir(&runs).unwrap() {
            last = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        }
        std::fs::remove_dir_all(runs).unwrap();
        last
    }
}

/// How long a run took by its own journal, from its first event to its last, in milliseconds.
pub(crate) fn walked(journal: &str) -> f64 {
    last_record(journal)["duration_ms"].as_f64().unwrap()
}

/// A journal's closing record.
pub(crate) fn last_record(journal: &str) -> serde_json::Value {
    serde_json::from_str(journal.lines().next_back().unwrap()).unwrap()
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
