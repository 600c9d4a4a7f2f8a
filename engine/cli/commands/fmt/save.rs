//! Putting a new text in the place of an old one, so that nobody ever sees half of it.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Writes the new text beside the file and moves it there, with the file's mode and, as far as we may, its owner. The file is left alone
/// if it may not be written, or if it no longer holds the old text.
pub(super) fn save(path: &Path, old: &[u8], new: &str) -> Result<(), String> {
    let said = |error: std::io::Error| {
        let text = error.to_string();
        text.split(" (os error").next().unwrap_or(&text).to_lowercase()
    };
    // A rename would not ask.
    if rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() {
        return Err("it may not be written".to_owned());
    }
    let about = fs::metadata(path).map_err(said)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name: String = path.file_name().unwrap_or_default().to_string_lossy().chars().take(60).collect();
    let mut draft = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".runbook-tmp")
        .tempfile_in(folder)
        .map_err(|error| format!("its folder cannot be written: {}", said(error)))?;
    draft.write_all(new.as_bytes()).map_err(said)?;
    // Only root may give files away. The mode comes after, since a change of owner clears bits of it.
    let _ = std::os::unix::fs::fchown(draft.as_file(), Some(about.uid()), Some(about.gid()));
    draft.as_file().set_permissions(Permissions::from_mode(about.mode() & 0o7777)).map_err(said)?;
    draft.as_file().sync_all().map_err(said)?;
    if fs::read(path).map_err(said)? != old {
        return Err("somebody else has just changed it; run this again".to_owned());
    }
    draft.persist(path).map_err(|error| said(error.error))?;
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_changed_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.yaml");
        fs::write(&path, "theirs").expect("a file");
        assert!(save(&path, b"old", "new").is_err());
        assert_eq!(fs::read_to_string(&path).expect("a file"), "theirs");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("a mode");
        save(&path, b"theirs", "new").expect("saved");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "new");
        assert_eq!(fs::metadata(&path).expect("a file").mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
