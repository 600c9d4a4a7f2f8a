//! Copying files and folders, and measuring them. Links inside a tree are never followed.

use std::fs::{File, FileTimes, Metadata, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use runbook_core::module::Fault;

use super::args::Mode;
use super::atomic::{Draft, sync_folder};
use super::blocking::Stop;
use super::paths::{fault, look};

/// How much there is in a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measure {
    /// Things that are not folders.
    pub(crate) files: u64,
    /// Folders, the tree's own included.
    pub(crate) folders: u64,
    /// The bytes of all regular files.
    pub(crate) bytes: u64,
}

/// Counts what is at a path.
pub(crate) fn measure(path: &Path, stop: &Stop) -> Result<Measure, Fault> {
    let mut total = Measure::default();
    visit(path, stop, &mut |_, meta| {
        if meta.is_dir() {
            total.folders += 1;
        } else {
            total.files += 1;
            total.bytes += if meta.is_file() { meta.len() } else { 0 };
        }
        Ok(())
    })?;
    Ok(total)
}

/// Shows each thing of a tree by its path below the root (empty for the root itself), folders before what is in them.
fn visit(root: &Path, stop: &Stop, each: &mut dyn FnMut(&Path, &Metadata) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        stop.check()?;
        let path = below(root, &relative);
        let meta = std::fs::symlink_metadata(&path).map_err(|e| fault(&path, &e))?;
        each(&relative, &meta)?;
        if meta.is_dir() {
            let entries = std::fs::read_dir(&path).map_err(|e| fault(&path, &e))?;
            let mut names =
                entries.map(|e| e.map(|e| e.file_name())).collect::<io::Result<Vec<_>>>().map_err(|e| fault(&path, &e))?;
            names.sort_unstable_by(|a, b| b.cmp(a));
            waiting.extend(names.into_iter().map(|n| relative.join(n)));
        }
    }
    Ok(())
}

fn below(root: &Path, relative: &Path) -> PathBuf {
    if relative.as_os_str().is_empty() { root.to_owned() } else { root.join(relative) }
}

/// How to copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    /// Keep mode and time of change, and the owner where we may.
    pub(crate) preserve: bool,
    /// The permissions of every file.
    pub(crate) mode: Option<Mode>,
    /// Replace files that differ.
    pub(crate) overwrite: bool,
}

/// One thing to do.
#[derive(Debug)]
pub(crate) struct Step {
    relative: PathBuf,
    what: What,
    /// The bytes to copy.
    pub(crate) bytes: u64,
    /// Whether something is replaced.
    pub(crate) replaces: bool,
}

#[derive(Debug, PartialEq)]
enum What {
    Folder,
    File,
    Link(PathBuf),
    Attributes,
}

/// What copying would do now.
#[derive(Debug)]
pub(crate) struct CopyPlan {
    from: PathBuf,
    to: PathBuf,
    how: How,
    /// What there is to do.
    pub(crate) steps: Vec<Step>,
    /// Files and links that are already so.
    pub(crate) unchanged: u64,
}

impl CopyPlan {
    /// Compares what is at `from` with what is at `to`.
    pub(crate) fn make(from: &Path, to: &Path, how: How, stop: &Stop) -> Result<CopyPlan, Fault> {
        let mut plan = CopyPlan { from: from.to_owned(), to: to.to_owned(), how, steps: Vec::new(), unchanged: 0 };
        visit(from, stop, &mut |relative, meta| plan.compare(relative, meta, stop))?;
        Ok(plan)
    }

    fn compare(&mut self, relative: &Path, meta: &Metadata, stop: &Stop) -> Result<(), Fault> {
        let (from, to) = (below(&self.from, relative), below(&self.to, relative));
        let old = look(&to)?;
        let kind = meta.file_type();
        let what = if kind.is_dir() {
            match &old {
                Some(old) if old.is_dir() => return Ok(()),
                // A link to a folder would lead the copy to another place.
                Some(_) => return Err(Fault::unmet(format!("{}: is in the way of a folder", to.display()))),
                None => What::Folder,
            }
        } else if kind.is_symlink() {
            let target = std::fs::read_link(&from).map_err(|e| fault(&from, &e))?;
            if old.as_ref().is_some_and(Metadata::is_symlink) && std::fs::read_link(&to).is_ok_and(|t| t == target) {
                self.unchanged += 1;
                return Ok(());
            }
            What::Link(target)
        } else if kind.is_file() {
            match &old {
                Some(old) if old.is_file() && self.same_content(&from, meta, &to, old, stop)? => {
                    if self.same_attributes(meta, old) {
                        self.unchanged += 1;
                        return Ok(());
                    }
                    What::Attributes
                }
                _ => What::File,
            }
        } else {
            let what = if kind.is_fifo() {
                "a pipe"
            } else if kind.is_socket() {
                "a socket"
            } else {
                "a device"
            };
            return Err(Fault::unmet(format!("{}: is {what}, which cannot be copied", from.display())));
        };
        if let Some(old) = &old {
            if old.is_dir() {
                return Err(Fault::unmet(format!("{}: is a folder", to.display())));
            }
            if !self.how.overwrite && what != What::Attributes {
                return Err(Fault::unmet(format!("{} exists and differs; `overwrite: true` replaces it", to.display())));
            }
        }
        let bytes = if what == What::File { meta.len() } else { 0 };
        self.steps.push(Step { relative: relative.to_owned(), what, bytes, replaces: old.is_some() });
        Ok(())
    }

    fn wanted_mode(&self, meta: &Metadata) -> Option<Mode> {
        self.how.mode.or(self.how.preserve.then(|| Mode::of(meta.mode())))
    }

    fn same_attributes(&self, meta: &Metadata, old: &Metadata) -> bool {
        self.wanted_mode(meta).is_none_or(|m| m == Mode::of(old.mode())) && (!self.how.preserve || same_time(meta, old))
    }

    fn same_content(&self, from: &Path, meta: &Metadata, to: &Path, old: &Metadata, stop: &Stop) -> Result<bool, Fault> {
        if meta.len() != old.len() {
            return Ok(false);
        }
        // The same size and the same time of change to the nanosecond: the copy that was made before.
        if same_time(meta, old) {
            return Ok(true);
        }
        equal(from, to, stop)
    }

    /// The bytes to copy.
    pub(crate) fn bytes(&self) -> u64 {
        self.steps.iter().map(|s| s.bytes).sum()
    }

    /// The files and links to write.
    pub(crate) fn files(&self) -> u64 {
        self.steps.iter().filter(|s| matches!(s.what, What::File | What::Link(_))).count() as u64
    }

    /// Copies. Each file appears whole or not at all.
    pub(crate) fn run(&self, stop: &Stop) -> Result<(), Fault> {
        for step in &self.steps {
            stop.check()?;
            let (from, to) = (below(&self.from, &step.relative), below(&self.to, &step.relative));
            match &step.what {
                What::Folder => {
                    std::fs::create_dir(&to).map_err(|e| fault(&to, &e))?;
                }
                What::File => self.copy_file(&from, &to, stop)?,
                What::Link(target) => make_link(target, &to)?,
                What::Attributes => {
                    let meta = std::fs::metadata(&from).map_err(|e| fault(&from, &e))?;
                    let file = File::open(&to).map_err(|e| fault(&to, &e))?;
                    self.set_attributes(&file, &meta, &to)?;
                }
            }
        }
        // A folder gets its attributes last: writing into it changes its time, and it may be read-only.
        for step in self.steps.iter().rev().filter(|s| s.what == What::Folder && self.how.preserve) {
            let (from, to) = (below(&self.from, &step.relative), below(&self.to, &step.relative));
            let meta = std::fs::metadata(&from).map_err(|e| fault(&from, &e))?;
            let folder = File::open(&to).map_err(|e| fault(&to, &e))?;
            let _ = std::os::unix::fs::fchown(&folder, Some(meta.uid()), Some(meta.gid()));
            folder.set_permissions(Permissions::from_mode(meta.mode() & 0o7777)).map_err(|e| fault(&to, &e))?;
            set_time(&folder, &meta, &to)?;
        }
        if let Some(folder) = self.to.parent() {
            sync_folder(folder);
        }
        Ok(())
    }

    fn copy_file(&self, from: &Path, to: &Path, stop: &Stop) -> Result<(), Fault> {
        let mut source = File::open(from).map_err(|e| fault(from, &e))?;
        let meta = source.metadata().map_err(|e| fault(from, &e))?;
        let mut draft = Draft::new(to)?;
        // In pieces, so that a copy of a large file can be stopped; the kernel copies each without our seeing it.
        loop {
            stop.check()?;
            let copied = io::copy(&mut (&mut source).take(64 << 20), draft.file()).map_err(|e| fault(to, &e))?;
            if copied == 0 {
                break;
            }
        }
        match look(to)? {
            Some(old) if !self.how.preserve && old.is_file() => draft.take_after(&old)?,
            _ => {}
        }
        self.set_attributes(draft.file(), &meta, to)?;
        draft.put()
    }

    fn set_attributes(&self, file: &File, meta: &Metadata, to: &Path) -> Result<(), Fault> {
        if self.how.preserve {
            let _ = std::os::unix::fs::fchown(file, Some(meta.uid()), Some(meta.gid()));
        }
        if let Some(mode) = self.wanted_mode(meta) {
            file.set_permissions(Permissions::from_mode(mode.0)).map_err(|e| fault(to, &e))?;
        }
        if self.how.preserve { set_time(file, meta, to) } else { Ok(()) }
    }
}

fn set_time(file: &File, meta: &Metadata, to: &Path) -> Result<(), Fault> {
    let times = meta.modified().map(|m| FileTimes::new().set_modified(m)).map_err(|e| fault(to, &e))?;
    file.set_times(times).map_err(|e| fault(to, &e))
}

fn same_time(a: &Metadata, b: &Metadata) -> bool {
    (a.mtime(), a.mtime_nsec()) == (b.mtime(), b.mtime_nsec())
}

/// Makes a link, also in place of something.
fn make_link(target: &Path, to: &Path) -> Result<(), Fault> {
    if look(to)?.is_some() {
        let folder =
            tempfile::Builder::new().prefix(".runbook-").tempdir_in(super::paths::parent(to)).map_err(|e| fault(to, &e))?;
        let draft = folder.path().join("link");
        std::os::unix::fs::symlink(target, &draft).map_err(|e| fault(to, &e))?;
        return std::fs::rename(&draft, to).map_err(|e| fault(to, &e));
    }
    std::os::unix::fs::symlink(target, to).map_err(|e| fault(to, &e))
}

/// Whether two files have the same bytes.
pub(crate) fn equal(a: &Path, b: &Path, stop: &Stop) -> Result<bool, Fault> {
    let mut one = File::open(a).map_err(|e| fault(a, &e))?;
    let mut two = File::open(b).map_err(|e| fault(b, &e))?;
    let (mut x, mut y) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        stop.check()?;
        let n = fill(&mut one, &mut x).map_err(|e| fault(a, &e))?;
        let m = fill(&mut two, &mut y).map_err(|e| fault(b, &e))?;
        if x[..n] != y[..m] {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match file.read(&mut buffer[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}

/// Removes what is at a path; folders only with everything in them.
pub(crate) fn remove(path: &Path, meta: &Metadata) -> Result<(), Fault> {
    let removed = if meta.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    removed.map_err(|e| fault(path, &e))
}

/// "1 file", "3 files".
pub(crate) fn many(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}
