//! Writing files so that nobody ever sees half of one.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::module::Fault;

use super::args::Mode;
use super::paths::{fault, parent};

/// A file that is being written next to its place, and vanishes unless it is put there.
pub(crate) struct Draft {
    file: tempfile::NamedTempFile,
    place: PathBuf,
}

impl Draft {
    /// Starts a draft of the file at `place`, whose folder must exist. Without a mode it gets that of any new file.
    pub(crate) fn new(place: &Path) -> Result<Draft, Fault> {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        // Long names leave no room for the random part.
        let short: String = name.chars().take(60).collect();
        let file = tempfile::Builder::new()
            .prefix(&format!(".{short}."))
            .suffix(".runbook-tmp")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(parent(place))
            .map_err(|e| fault(parent(place), &e))?;
        Ok(Draft { file, place: place.to_owned() })
    }

    /// The file.
    pub(crate) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Writes everything.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.file.write_all(bytes).map_err(|e| fault(&self.place, &e))
    }

    /// Gives it permissions.
    pub(crate) fn set_mode(&self, mode: Mode) -> Result<(), Fault> {
        self.file.as_file().set_permissions(Permissions::from_mode(mode.0)).map_err(|e| fault(&self.place, &e))
    }

    /// Gives it permissions, owner and group of the file that it takes the place of, as far as we may.
    pub(crate) fn take_after(&self, old: &Metadata) -> Result<(), Fault> {
        let mine = self.file.as_file().metadata().map_err(|e| fault(&self.place, &e))?;
        if (mine.uid(), mine.gid()) != (old.uid(), old.gid()) {
            // Only root may give files away. The mode comes after, since a change of owner clears bits of it.
            let _ = std::os::unix::fs::fchown(self.file.as_file(), Some(old.uid()), Some(old.gid()));
        }
        self.set_mode(Mode::of(old.mode()))
    }

    /// Puts it in its place, durably.
    pub(crate) fn put(self) -> Result<(), Fault> {
        let place = self.place;
        self.file.as_file().sync_all().map_err(|e| fault(&place, &e))?;
        self.file.persist(&place).map_err(|e| fault(&place, &e.error))?;
        sync_folder(parent(&place));
        Ok(())
    }

    /// Puts it in its place, durably, unless there is something.
    pub(crate) fn put_new(self) -> Result<(), Fault> {
        let place = self.place;
        self.file.as_file().sync_all().map_err(|e| fault(&place, &e))?;
        self.file.persist_noclobber(&place).map_err(|e| fault(&place, &e.error))?;
        sync_folder(parent(&place));
        Ok(())
    }
}

/// Makes what happened in a folder durable. Some file systems cannot, and then nothing can.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}

/// Where the backup of a file goes: `NAME.20260215T142345Z.bak` next to it, with a number if that is taken.
pub(crate) fn backup_place(path: &Path, now: Timestamp) -> PathBuf {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (1..)
        .map(|n| if n == 1 { format!("{name}.{stamp}.bak") } else { format!("{name}.{stamp}-{n}.bak") })
        .map(|n| path.with_file_name(n))
        .find(|p| std::fs::symlink_metadata(p).is_err())
        .unwrap_or_else(|| path.with_extension("bak"))
}

/// Keeps a file under its backup's name and gives that name.
pub(crate) fn back_up(path: &Path, now: Timestamp) -> Result<PathBuf, Fault> {
    let place = backup_place(path, now);
    // A second name costs nothing and keeps mode, owner and times; the draft then takes over the first one.
    if std::fs::hard_link(path, &place).is_err() {
        let mut draft = Draft::new(&place)?;
        let mut from = File::open(path).map_err(|e| fault(path, &e))?;
        io::copy(&mut from, draft.file()).map_err(|e| fault(&place, &e))?;
        draft.take_after(&from.metadata().map_err(|e| fault(path, &e))?)?;
        draft.put_new()?;
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::testing::TestHost;

    #[test]
    fn a_draft_that_is_not_put_leaves_nothing() {
        let host = TestHost::new();
        let path = host.write("a", "old");
        let mut draft = Draft::new(&path).unwrap();
        draft.write(b"new").unwrap();
        drop(draft);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(host.root()).unwrap().count(), 1);
    }

    #[test]
    fn a_draft_takes_the_place_whole() {
        let host = TestHost::new();
        let path = host.write("a", "old");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let mut draft = Draft::new(&path).unwrap();
        draft.write(b"new").unwrap();
        draft.take_after(&path.metadata().unwrap()).unwrap();
        draft.put().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        let draft = Draft::new(&path).unwrap();
        assert!(matches!(draft.put_new(), Err(Fault::Unmet { .. })));
    }

    #[test]
    fn a_draft_needs_its_folder() {
        let host = TestHost::new();
        assert!(matches!(Draft::new(&host.file("gone/a")), Err(Fault::Unmet { .. })));
    }

    #[test]
    fn backups_keep_everything_and_never_each_other() {
        let host = TestHost::new();
        let path = host.write("a.toml", "old");
        let now = "2026-02-15T14:23:45Z".parse().unwrap();
        let first = back_up(&path, now).unwrap();
        assert_eq!(first, host.file("a.toml.20260215T142345Z.bak"));
        let second = back_up(&path, now).unwrap();
        assert_eq!(second, host.file("a.toml.20260215T142345Z-2.bak"));
        assert_eq!(std::fs::read_to_string(second).unwrap(), "old");
    }
}
