//! The files that patterns stand for, with what decides about them.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};
use jiff::{SignedDuration, Timestamp};
use runbook_core::module::Fault;
use runbook_core::value::{Duration, Size, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::args::Mode;
use super::paths::is_missing;
use super::process::user_name;

/// The kinds of things in folders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Kind {
    #[default]
    File,
    Directory,
    Symlink,
    Any,
}

impl Kind {
    /// Whether something is of this kind.
    pub(crate) fn fits(self, meta: &Metadata) -> bool {
        match self {
            Kind::File => meta.is_file(),
            Kind::Directory => meta.is_dir(),
            Kind::Symlink => meta.is_symlink(),
            Kind::Any => true,
        }
    }
}

/// A file among others.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct FileInfo {
    /// The file, as an absolute path.
    pub(crate) path: String,
    /// Its name alone.
    pub(crate) name: String,
    /// Its size.
    pub(crate) size: Size,
    /// When its content was last changed.
    pub(crate) modified: Time,
    /// How long ago that was; negative if it lies in the future.
    pub(crate) age: Duration,
    /// The owner's name, or number if it has no name.
    pub(crate) owner: String,
    /// The permissions in octal, such as `0644`.
    pub(crate) mode: String,
}

/// When something's content was last changed.
pub(crate) fn modified(meta: &Metadata) -> Timestamp {
    Timestamp::new(meta.mtime(), i32::try_from(meta.mtime_nsec()).unwrap_or_default()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// What is told of a file.
pub(crate) fn info(path: &Path, meta: &Metadata, now: Timestamp) -> FileInfo {
    let modified = modified(meta);
    FileInfo {
        path: path.display().to_string(),
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        size: Size(if meta.is_dir() { 0 } else { meta.len() }),
        modified: Time(modified),
        age: Duration(now.duration_since(modified)),
        owner: user_name(meta.uid()),
        mode: Mode::of(meta.mode()).to_string(),
    }
}

/// Patterns for names, or for paths below a folder if they have a slash in them.
pub(crate) struct Names {
    names: GlobSet,
    paths: GlobSet,
}

impl Names {
    /// Reads patterns.
    pub(crate) fn new(argument: &str, patterns: &[String]) -> Result<Names, Fault> {
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for text in patterns {
            let wrong =
                |e: globset::Error| Fault::invalid(argument, format!("{text:?} is not a pattern for names: {}", e.kind()));
            if text.contains('/') {
                let text = text.trim_start_matches("./");
                paths.add(globset::GlobBuilder::new(text).literal_separator(true).build().map_err(wrong)?);
            } else {
                names.add(Glob::new(text).map_err(wrong)?);
            }
        }
        let built = |b: GlobSetBuilder| b.build().map_err(|e| Fault::invalid(argument, e.to_string()));
        Ok(Names { names: built(names)?, paths: built(paths)? })
    }

    /// Whether one stands for this path below a folder.
    pub(crate) fn fit(&self, relative: &Path) -> bool {
        relative.file_name().is_some_and(|n| self.names.is_match(n)) || self.paths.is_match(relative)
    }
}

/// What is at a path, links not followed; nothing if it went away meanwhile.
pub(crate) fn meta(path: &Path) -> Result<Option<Metadata>, Fault> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(e) if is_missing(&e) => Ok(None),
        Err(e) => Err(super::paths::fault(path, &e)),
    }
}

/// Everything below a folder, links not followed and other file systems not entered, each with its path below it; folders come before
/// what is in them.
pub(crate) fn below(
    root: &Path,
    recursive: bool,
    stop: &super::blocking::Stop,
    each: &mut dyn FnMut(PathBuf, &Path, Metadata),
) -> Result<(), Fault> {
    let device = std::fs::symlink_metadata(root).map_err(|e| super::paths::fault(root, &e))?.dev();
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        stop.check()?;
        let at = root.join(&folder);
        let entries = match std::fs::read_dir(&at) {
            Ok(entries) => entries,
            Err(e) if is_missing(&e) && !folder.as_os_str().is_empty() => continue,
            Err(e) => return Err(super::paths::fault(&at, &e)),
        };
        for entry in entries {
            let entry = entry.map_err(|e| super::paths::fault(&at, &e))?;
            let relative = folder.join(entry.file_name());
            let Some(meta) = meta(&entry.path())? else { continue };
            if meta.is_dir() && recursive && meta.dev() == device {
                waiting.push(relative.clone());
            }
            each(entry.path(), &relative, meta);
        }
    }
    Ok(())
}

/// Whether something is so old, or so young.
pub(crate) fn in_age(age: SignedDuration, older: Option<Duration>, newer: Option<Duration>) -> bool {
    older.is_none_or(|o| age > o.0) && newer.is_none_or(|n| age < n.0)
}
