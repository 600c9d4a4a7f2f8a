//! Notices that files change.
//!
//! The kernel (inotify) only wakes us up; what changed is found by looking at all the files. So nothing is missed when a folder
//! comes or goes, when events overflow, or when the file system tells nothing, in which case a slow look round finds it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::sync::Notify;

/// How long it has to be quiet before anything is looked at: an editor that saves does several things in a row.
const QUIET: Duration = Duration::from_millis(40);
/// How long a restless folder is waited for at the most, in units of [`QUIET`].
const MOST_QUIETS: usize = 12;
/// How often one looks without having been told.
const ROUND: Duration = Duration::from_secs(1);
/// How deep folders are looked through, and how many files of them are watched.
const MOST_FOLDERS: usize = 8;
const MOST_FILES: usize = 50_000;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    mode: u32,
    changed: (i64, i64),
}

/// What happened to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added(PathBuf),
    Changed(PathBuf),
    Removed(PathBuf),
}

/// The YAML files below some folders, and some files by themselves.
pub(crate) struct Watch {
    roots: Vec<PathBuf>,
    seen: BTreeMap<PathBuf, Stamp>,
    /// `None` where the kernel does not tell.
    kernel: Option<Arc<OwnedFd>>,
    /// Something happened.
    woken: Arc<Notify>,
}

impl Watch {
    /// Begins to watch.
    pub(crate) fn new(roots: Vec<PathBuf>) -> Watch {
        let kernel = inotify::init(CreateFlags::CLOEXEC).ok().map(Arc::new);
        let woken = Arc::new(Notify::new());
        if let Some(kernel) = kernel.clone() {
            let woken = woken.clone();
            // It waits in the kernel, and ends with the program.
            std::thread::spawn(move || {
                let mut buffer = [0_u8; 4096];
                while rustix::io::read(&kernel, &mut buffer).is_ok_and(|n| n > 0) {
                    woken.notify_one();
                }
            });
        }
        let mut watch = Watch { roots, seen: BTreeMap::new(), kernel, woken };
        watch.seen = watch.look();
        watch
    }

    /// Waits until something is another than it was, and says what.
    pub(crate) async fn changes(&mut self) -> Vec<Change> {
        loop {
            self.woken(ROUND).await;
            for _ in 0..MOST_QUIETS {
                if !self.woken(QUIET).await {
                    break;
                }
            }
            let now = self.look();
            let before = std::mem::replace(&mut self.seen, now);
            let changes = differences(&before, &self.seen);
            if !changes.is_empty() {
                return changes;
            }
        }
    }

    /// Waits for the kernel to say that something happened. Says whether it did.
    async fn woken(&self, at_most: Duration) -> bool {
        tokio::time::timeout(at_most, self.woken.notified()).await.is_ok()
    }

    /// Every file with its stamp. The kernel is asked to watch each folder before it is looked at, so that nothing falls in between.
    fn look(&self) -> BTreeMap<PathBuf, Stamp> {
        let mut found = BTreeMap::new();
        let mut todo: Vec<(PathBuf, usize)> = Vec::new();
        for root in &self.roots {
            if root.is_dir() {
                todo.push((root.clone(), 0));
            }
            // A file that is moved into the place of another is seen by its folder alone; so is a folder that comes back.
            if let Some(parent) = root.parent() {
                self.tell_me(parent);
            }
            add(&mut found, root);
        }
        while let Some((folder, depth)) = todo.pop() {
            self.tell_me(&folder);
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (path, name) = (entry.path(), entry.file_name());
                if name.to_string_lossy().starts_with('.') || found.len() >= MOST_FILES {
                    continue;
                }
                if path.is_dir() {
                    if depth < MOST_FOLDERS {
                        todo.push((path, depth + 1));
                    }
                } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                    add(&mut found, &path);
                }
            }
        }
        found
    }

    fn tell_me(&self, folder: &Path) {
        // A file counts when it has been written, not while it is.
        let wanted = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ATTRIB
            | WatchFlags::ONLYDIR;
        if let Some(kernel) = &self.kernel {
            let _ = inotify::add_watch(kernel, folder, wanted);
        }
    }
}

fn add(found: &mut BTreeMap<PathBuf, Stamp>, path: &Path) {
    let Ok(about) = std::fs::metadata(path) else { return };
    if about.is_dir() {
        return;
    }
    let stamp =
        Stamp { inode: about.ino(), size: about.size(), mode: about.mode(), changed: (about.mtime(), about.mtime_nsec()) };
    found.insert(path.to_path_buf(), stamp);
}

fn differences(before: &BTreeMap<PathBuf, Stamp>, now: &BTreeMap<PathBuf, Stamp>) -> Vec<Change> {
    let mut out = Vec::new();
    for (path, stamp) in now {
        match before.get(path) {
            None => out.push(Change::Added(path.clone())),
            Some(old) if old != stamp => out.push(Change::Changed(path.clone())),
            Some(_) => {}
        }
    }
    out.extend(before.keys().filter(|path| !now.contains_key(*path)).cloned().map(Change::Removed));
    out
}
