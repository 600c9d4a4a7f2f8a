//! Paths: what an error about one means, how one is written, and where it must not point.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use runbook_core::module::{Cx, Fault, Resource};

/// What an error about a path means: "no such file" and the like are answers, "permission denied" and the like are not.
pub(crate) fn fault(path: &Path, error: &io::Error) -> Fault {
    let message = format!("{}: {}", path.display(), reason(error));
    if is_answer(error) { Fault::unmet(message) } else { Fault::cannot_tell(message) }
}

/// Whether an error says something about what was looked at, rather than about our own means.
pub(crate) fn is_answer(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::NotFound
            | K::NotADirectory
            | K::IsADirectory
            | K::AlreadyExists
            | K::DirectoryNotEmpty
            | K::StorageFull
            | K::QuotaExceeded
            | K::FileTooLarge
            | K::ReadOnlyFilesystem
            | K::ResourceBusy
            | K::ExecutableFileBusy
    )
}

/// An error in plain words, without the operating system's number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// Whether an error means that there is nothing at a path.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The metadata of what is at a path, links not followed; `None` if there is nothing.
pub(crate) fn look(path: &Path) -> Result<Option<std::fs::Metadata>, Fault> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(e) if is_missing(&e) => Ok(None),
        Err(e) => Err(fault(path, &e)),
    }
}

/// The path with `.` and doubled slashes taken out; `..` stays, since a link may stand before it.
pub(crate) fn tidy(path: &str) -> PathBuf {
    let tidy: PathBuf = Path::new(path).components().filter(|c| *c != Component::CurDir).collect();
    if tidy.as_os_str().is_empty() { PathBuf::from(path) } else { tidy }
}

/// The resource of a path argument.
pub(crate) fn resource(path: &str) -> Resource {
    Resource::file(tidy(path))
}

/// An absolute path from an argument; empty ones are refused.
pub(crate) fn resolve(cx: &Cx<'_>, argument: &str, path: &str) -> Result<PathBuf, Fault> {
    if path.trim().is_empty() {
        return Err(Fault::invalid(argument, format!("`{argument}` is empty")));
    }
    if path.contains('\0') {
        return Err(Fault::invalid(argument, format!("`{argument}` holds a null character")));
    }
    Ok(cx.resolve(tidy(path)))
}

/// The folder that something lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("/"),
    }
}

/// The folder of a path that must be there, or what to do about it.
pub(crate) fn check_parent(path: &Path, make_parents: bool) -> Result<(), Fault> {
    let mut at = parent(path);
    loop {
        match std::fs::metadata(at) {
            Ok(meta) if meta.is_dir() => return Ok(()),
            Ok(_) => return Err(Fault::unmet(format!("{}: not a folder", at.display()))),
            Err(e) if e.kind() == io::ErrorKind::NotFound && make_parents => at = parent(at),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(Fault::unmet(format!("the folder {} does not exist; `parents: true` creates it", at.display())));
            }
            Err(e) => return Err(fault(at, &e)),
        }
    }
}

/// Creates the folder of a path with its own parents.
pub(crate) fn make_parents(path: &Path) -> Result<(), Fault> {
    std::fs::create_dir_all(parent(path)).map_err(|e| fault(parent(path), &e))
}

/// The true place of a path: its folder without links, and its own name, which may be a link.
pub(crate) fn true_place(path: &Path) -> Result<PathBuf, Fault> {
    let name = path.file_name();
    let folder = std::fs::canonicalize(parent(path)).map_err(|e| fault(parent(path), &e))?;
    Ok(name.map_or_else(|| folder.clone(), |n| folder.join(n)))
}

/// Places whose loss is never meant, with what they are.
pub(crate) struct Guarded(Vec<(PathBuf, &'static str)>);

impl Guarded {
    /// The places guarded in this context.
    pub(crate) fn of(cx: &Cx<'_>) -> Guarded {
        let home = cx.env("HOME").filter(|h| !h.is_empty()).map(|h| (PathBuf::from(h), "the home folder"));
        let fixed = [(cx.root.to_path_buf(), "the project root"), (cx.state.to_path_buf(), "the state folder")];
        Guarded(fixed.into_iter().chain(home).collect())
    }

    /// Why something at this true place must not be lost, if it must not.
    pub(crate) fn refuses(&self, place: &Path) -> Option<String> {
        if place.parent().is_none() {
            return Some("it is the root of the file system".to_owned());
        }
        let is_folder = std::fs::symlink_metadata(place).is_ok_and(|m| m.is_dir());
        if is_folder && place.components().count() <= 2 {
            return Some("it is one of the system's own folders".to_owned());
        }
        self.0.iter().find_map(|(guarded, what)| {
            let guarded = std::fs::canonicalize(guarded).unwrap_or_else(|_| guarded.clone());
            match guarded.strip_prefix(place) {
                Ok(rest) if rest.as_os_str().is_empty() => Some(format!("it is {what}")),
                Ok(_) => Some(format!("{what} lies in it")),
                Err(_) => None,
            }
        })
    }
}

/// The first mount point that lies in a folder, or is it.
pub(crate) fn mount_inside(place: &Path) -> Option<PathBuf> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table.lines().filter_map(|l| l.split(' ').nth(4)).map(|m| PathBuf::from(unescape(m))).find(|m| m.starts_with(place))
}

/// A path as the mount table writes it, `\040` for a space.
pub(crate) fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let octal = (bytes[i] == b'\\').then(|| text.get(i + 1..i + 4)).flatten().and_then(|d| u8::from_str_radix(d, 8).ok());
        match octal {
            Some(byte) => {
                out.push(byte);
                i += 4;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether two files are one and the same.
pub(crate) fn same_file(a: &std::fs::Metadata, b: &std::fs::Metadata) -> bool {
    a.dev() == b.dev() && a.ino() == b.ino()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::testing::TestHost;

    #[test]
    fn errors_in_plain_words() {
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(fault(Path::new("/x"), &missing), Fault::unmet("/x: no such file or directory"));
        let denied = io::Error::from_raw_os_error(libc::EACCES);
        assert_eq!(fault(Path::new("/x"), &denied), Fault::cannot_tell("/x: permission denied"));
    }

    #[test]
    fn paths_are_tidied_and_empty_ones_refused() {
        assert_eq!(tidy("./a//b/./c"), PathBuf::from("a/b/c"));
        assert_eq!(tidy("."), PathBuf::from("."));
        assert_eq!(tidy("a/../b"), PathBuf::from("a/../b"));
        let host = TestHost::new();
        assert!(resolve(&host.cx(), "path", " ").is_err());
        assert!(resolve(&host.cx(), "path", "a\0b").is_err());
        assert_eq!(resolve(&host.cx(), "path", "./a").unwrap(), host.file("a"));
    }

    #[test]
    fn some_places_are_guarded() {
        let host = TestHost::new();
        let guarded = Guarded::of(&host.cx());
        let root = host.root().canonicalize().unwrap();
        assert!(guarded.refuses(Path::new("/")).is_some());
        assert!(guarded.refuses(Path::new("/etc")).is_some());
        assert!(guarded.refuses(&root).unwrap().contains("project root"));
        assert!(guarded.refuses(root.parent().unwrap()).is_some());
        assert!(guarded.refuses(&root.join("inside")).is_none());
    }

    #[test]
    fn mounts_are_found() {
        assert_eq!(mount_inside(Path::new("/proc")).as_deref(), Some(Path::new("/proc")));
        assert_eq!(mount_inside(Path::new("/proc/self/fdinfo")), None);
        assert_eq!(unescape(r"/a\040b\\c"), r"/a b\\c");
    }

    #[test]
    fn parents_must_be_there_or_be_made() {
        let host = TestHost::new();
        let deep = host.file("a/b/c");
        assert!(check_parent(&deep, false).unwrap_err().message().contains("parents: true"));
        check_parent(&deep, true).unwrap();
        host.write("file", "");
        assert!(check_parent(&host.file("file/x"), true).is_err());
        make_parents(&deep).unwrap();
        check_parent(&deep, false).unwrap();
    }
}
