//! Reading journals: checking the chain, and finding runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use runbook_core::event::{Event, Record, RunOutcome};
use serde_json::Value as Json;

use super::chain::{GENESIS, read_line};

/// Why a journal cannot be read.
#[derive(Debug)]
pub enum JournalError {
    /// The file cannot be read.
    Io(io::Error),
    /// A record was changed, removed or put in.
    Broken {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
}

impl std::fmt::Display for JournalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JournalError::Io(error) => write!(f, "{error}"),
            JournalError::Broken { line, message } => write!(f, "line {line}: {message}"),
        }
    }
}

impl std::error::Error for JournalError {}

/// A journal that was read and whose chain holds.
#[derive(Debug)]
pub struct ReadJournal {
    /// The records.
    pub records: Vec<Record>,
    /// Whether the closing record is there.
    pub sealed: bool,
    /// Whether the last line was cut off in writing.
    pub torn: bool,
    /// The hash of the last whole record.
    pub head: String,
}

/// Reads a journal and checks its chain. A cut-off last line is reported, not an error.
///
/// # Errors
/// A file that cannot be read, or a chain that does not hold before the last line.
pub fn read_journal(path: &Path) -> Result<ReadJournal, JournalError> {
    let text = fs::read(path).map_err(JournalError::Io)?;
    let text = String::from_utf8_lossy(&text);
    let mut out = ReadJournal { records: Vec::new(), sealed: false, torn: false, head: GENESIS.to_owned() };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (i, line) in lines.iter().enumerate() {
        let number = i + 1;
        let broken = |message: &str| JournalError::Broken { line: number, message: message.to_owned() };
        let last = number == lines.len();
        let Some(read) = read_line(line) else {
            if last && !line.ends_with('\n') {
                out.torn = true;
                break;
            }
            return Err(broken("the record does not match its hash"));
        };
        if read.prev != out.head {
            return Err(broken("the record does not follow the one before it"));
        }
        if out.sealed {
            return Err(broken("the record comes after the closing one"));
        }
        out.head = read.hash;
        if number == 1 {
            continue;
        }
        let record: Record = serde_json::from_value(Json::Object(read.record)).map_err(|e| broken(&e.to_string()))?;
        out.sealed = matches!(record.event, Event::RunFinished { .. });
        out.records.push(record);
    }
    Ok(out)
}

/// What a run is, for lists.
#[derive(Clone, Debug)]
pub struct RunSummary {
    /// Its id.
    pub run: String,
    /// Its journal.
    pub path: PathBuf,
    /// The first and the last record, as far as they can be read.
    pub first: Option<Record>,
    /// The last whole record.
    pub last: Option<Record>,
}

impl RunSummary {
    /// Whether its journal is still being written: the engine keeps it locked as long as it lives.
    pub fn is_running(&self) -> bool {
        if self.outcome().is_some() {
            return false;
        }
        fs::File::open(&self.path).is_ok_and(|file| {
            rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
        })
    }

    /// What became of it; `None` while it runs or after it was killed.
    pub fn outcome(&self) -> Option<RunOutcome> {
        match &self.last.as_ref()?.event {
            Event::RunFinished { outcome, .. } => Some(*outcome),
            _ => None,
        }
    }
}

/// The runs of a state folder, newest first.
///
/// # Errors
/// The operating system's; a folder that is not there yet has no runs.
pub fn list_runs(runs: &Path) -> io::Result<Vec<RunSummary>> {
    let entries = match fs::read_dir(runs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut out = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "jsonl")
            && let Some(run) = path.file_stem().and_then(|s| s.to_str())
        {
            let (first, last) = ends(&path);
            out.push(RunSummary { run: run.to_owned(), path: path.clone(), first, last });
        }
    }
    out.sort_by(|a, b| {
        let at = |r: &RunSummary| r.first.as_ref().map(|f| f.at);
        at(b).cmp(&at(a)).then_with(|| b.run.cmp(&a.run))
    });
    Ok(out)
}

/// The first and last record of a journal, without checking its chain.
fn ends(path: &Path) -> (Option<Record>, Option<Record>) {
    let Ok(text) = fs::read(path) else { return (None, None) };
    let text = String::from_utf8_lossy(&text);
    let record = |line: &str| serde_json::from_str::<Record>(line).ok();
    let first = text.lines().nth(1).and_then(record);
    let last = text.lines().rev().take(2).find_map(record);
    (first, last)
}

/// The journal of the run with this id, a unique beginning or end of it, or `latest`.
///
/// # Errors
/// What is wrong with the name: none or several runs match it.
pub fn find_run(runs: &Path, name: &str) -> Result<RunSummary, String> {
    let all = list_runs(runs).map_err(|e| format!("{} cannot be read: {e}", runs.display()))?;
    if name == "latest" {
        return all.into_iter().next().ok_or_else(|| "there are no runs yet".to_owned());
    }
    let mut found: Vec<RunSummary> = all.into_iter().filter(|r| r.run.starts_with(name) || r.run.ends_with(name)).collect();
    if found.len() > 1
        && let Some(i) = found.iter().position(|r| r.run == name)
    {
        return Ok(found.swap_remove(i));
    }
    match found.len() {
        0 => Err(format!("there is no run `{name}`")),
        1 => Ok(found.remove(0)),
        n => Err(format!("{n} runs match `{name}`; give more of the id")),
    }
}
