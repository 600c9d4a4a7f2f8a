//! When remedies were tried: kept across runs, for their cooldowns and limits.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The file below the state folder, a line for each try.
const FILE: &str = "remedies.jsonl";

#[derive(Debug, Serialize, Deserialize)]
struct Try {
    remedy: String,
    at: Timestamp,
    run: String,
    /// Whether it takes the try of the same run back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    back: bool,
}

/// When a remedy was tried, the oldest first. A line that cannot be read is passed over.
pub(crate) fn tries_of(state: &Path, remedy: &str) -> Vec<Timestamp> {
    let text = fs::read_to_string(state.join(FILE)).unwrap_or_default();
    let mut tries: Vec<Try> = Vec::new();
    for new in text.lines().filter_map(|line| serde_json::from_str::<Try>(line).ok()).filter(|t| t.remedy == remedy) {
        match new.back {
            true => _ = tries.iter().rposition(|t| t.run == new.run).map(|at| tries.remove(at)),
            false => tries.push(new),
        }
    }
    let mut out: Vec<Timestamp> = tries.into_iter().map(|t| t.at).collect();
    out.sort_unstable();
    out
}

/// Keeps a try, on the disk before the remedy begins; or that the last one of the run is taken back.
///
/// # Errors
/// The operating system's.
pub(crate) fn remember(state: &Path, remedy: &str, at: Timestamp, run: &str, back: bool) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(state)?;
    let mut line = serde_json::to_string(&Try { remedy: remedy.to_owned(), at, run: run.to_owned(), back })?;
    line.push('\n');
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(state.join(FILE))?;
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_kept_by_remedy_and_survive_a_torn_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |s: i64| Timestamp::from_second(s).expect("a time");
        assert!(tries_of(folder.path(), "a").is_empty());
        remember(folder.path(), "a", at(10), "r1", false).expect("kept");
        remember(folder.path(), "b", at(20), "r2", false).expect("kept");
        let torn = fs::OpenOptions::new().append(true).open(folder.path().join(FILE));
        torn.expect("the file").write_all(b"{\"remedy\":\"a\n").expect("written");
        remember(folder.path(), "a", at(5), "r3", false).expect("kept");
        assert_eq!(tries_of(folder.path(), "a"), [at(5), at(10)]);
        assert_eq!(tries_of(folder.path(), "b"), [at(20)]);
        // Only the try of the same run is taken back.
        remember(folder.path(), "a", at(30), "r3", true).expect("kept");
        remember(folder.path(), "b", at(30), "r9", true).expect("kept");
        assert_eq!((tries_of(folder.path(), "a"), tries_of(folder.path(), "b")), (vec![at(10)], vec![at(20)]));
    }
}
