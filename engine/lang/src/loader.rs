//! Where playbooks come from: a folder on disk, or memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::text::MAX_BYTES;

/// A file that holds a playbook.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The playbook's name with its folder, such as `sonia/stack-start`.
    pub full_name: String,
    /// What [`Loader::read`] takes.
    pub path: String,
}

impl Found {
    /// The file stem: the name without its folder.
    pub fn name(&self) -> &str {
        self.full_name.rsplit('/').next().unwrap_or(&self.full_name)
    }
}

/// Where playbooks are read from.
pub trait Loader {
    /// The bytes of a file.
    ///
    /// # Errors
    /// A file that is missing, may not be read, or is no regular file.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// How large a file is in bytes, if that is known without reading it.
    fn size(&self, _path: &str) -> Option<u64> {
        None
    }

    /// Every playbook, sorted by name.
    ///
    /// # Errors
    /// A playbooks folder that is missing or may not be read.
    fn list(&self) -> io::Result<Vec<Found>>;

    /// Every test file, sorted: `tests/*.test.yaml` of the playbooks folder and the folders in it.
    ///
    /// # Errors
    /// A playbooks folder that is missing or may not be read.
    fn list_tests(&self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Every system file, as paths for [`Loader::read`], sorted.
    fn systems(&self) -> Vec<String> {
        Vec::new()
    }

    /// The playbooks folder, as a path for [`Loader::read`].
    fn folder(&self) -> String;

    /// The name under which a file is shown: relative to the project root where that is possible.
    fn shown(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// Folders of a playbooks folder that hold no playbooks.
const NOT_PLAYBOOKS: &[&str] = &["tests", "modules"];

/// How deep folders of systems may be nested.
const MAX_FOLDERS: usize = 4;

/// How many playbooks are listed at most.
const MAX_FILES: usize = 20_000;

/// Whether a path names a YAML file.
pub(crate) fn is_yaml(path: &str) -> bool {
    [".yaml", ".yml"].iter().any(|end| path.len() > end.len() && path.ends_with(end))
}

/// Whether a path names a file of tests.
pub fn is_test(path: &str) -> bool {
    path.ends_with(".test.yaml") || path.ends_with(".test.yml")
}

/// Whether a path below the playbooks folder is that of a test file: in a folder `tests`, and nowhere hidden.
fn is_listed_test(relative: &str) -> bool {
    let parts: Vec<&str> = relative.split('/').collect();
    let hidden = parts.iter().any(|p| p.is_empty() || p.starts_with('.'));
    is_test(relative) && !hidden && parts.len() <= MAX_FOLDERS + 2 && parts[..parts.len() - 1].last() == Some(&"tests")
}

/// Whether a path names a system file.
pub(crate) fn is_system(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name == "system.yaml")
}

/// A path below the playbooks folder as a playbook's name; `None` for what is none.
fn full_name(relative: &str) -> Option<String> {
    let stem = relative.strip_suffix(".yaml").or_else(|| relative.strip_suffix(".yml"))?;
    let mut parts: Vec<&str> = stem.split('/').collect();
    let last = parts.pop()?;
    let hidden = |p: &str| p.is_empty() || p.starts_with('.');
    if last == "system" || hidden(last) || parts.iter().any(|p| hidden(p) || NOT_PLAYBOOKS.contains(p)) {
        return None;
    }
    Some(stem.to_owned())
}

/// Playbooks on disk.
#[derive(Clone, Debug)]
pub struct DiskLoader {
    root: PathBuf,
    playbooks: PathBuf,
}

impl DiskLoader {
    /// A project with its root and its playbooks folder.
    pub fn new(root: impl Into<PathBuf>, playbooks: impl Into<PathBuf>) -> Self {
        DiskLoader { root: root.into(), playbooks: playbooks.into() }
    }

    /// The project around a folder: the nearest parent that has `playbooks/`.
    pub fn around(start: &Path) -> Option<Self> {
        start.ancestors().find(|p| p.join("playbooks").is_dir()).map(|root| DiskLoader::new(root, root.join("playbooks")))
    }

    /// The project root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The playbooks folder.
    pub fn playbooks(&self) -> &Path {
        &self.playbooks
    }

    fn walk_tests(&self, folder: &Path, prefix: &str, depth: usize, out: &mut Vec<String>) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let relative = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            let path = entry.path();
            if path.is_dir() {
                if depth <= MAX_FOLDERS && !name.starts_with('.') && name != "modules" {
                    self.walk_tests(&path, &relative, depth + 1, out)?;
                }
            } else if is_listed_test(&relative)
                && let Some(path) = path.to_str()
                && out.len() < MAX_FILES
            {
                out.push(path.to_owned());
            }
        }
        Ok(())
    }

    fn walk_systems(folder: &Path, depth: usize, out: &mut Vec<String>) {
        // A folder that cannot be read is reported when its playbooks are listed.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let Some(name) = name.to_str() else { continue };
            if path.is_dir() && depth < MAX_FOLDERS && !name.starts_with('.') && !NOT_PLAYBOOKS.contains(&name) {
                Self::walk_systems(&path, depth + 1, out);
            } else if is_system(name) {
                out.extend(path.to_str().map(str::to_owned));
            }
        }
    }

    fn walk(&self, folder: &Path, prefix: &str, depth: usize, out: &mut Vec<Found>) -> io::Result<()> {
        let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<io::Result<_>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let relative = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            let path = entry.path();
            if path.is_dir() {
                if depth < MAX_FOLDERS && !name.starts_with('.') && !NOT_PLAYBOOKS.contains(&name.as_str()) {
                    self.walk(&path, &relative, depth + 1, out)?;
                }
            } else if let Some(full_name) = full_name(&relative)
                && let Some(path) = path.to_str()
                && out.len() < MAX_FILES
            {
                out.push(Found { full_name, path: path.to_owned() });
            }
        }
        Ok(())
    }
}

impl Loader for DiskLoader {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        use std::io::Read;
        let path = self.root.join(path);
        // Asked before it is opened: opening a pipe would wait for its other end.
        let about = std::fs::metadata(&path)?;
        if about.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        if !about.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(&path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn size(&self, path: &str) -> Option<u64> {
        std::fs::metadata(self.root.join(path)).ok().map(|about| about.len())
    }

    fn list(&self) -> io::Result<Vec<Found>> {
        let mut out = Vec::new();
        self.walk(&self.playbooks, "", 0, &mut out)?;
        out.sort();
        Ok(out)
    }

    fn list_tests(&self) -> io::Result<Vec<String>> {
        let mut out = Vec::new();
        self.walk_tests(&self.playbooks, "", 0, &mut out)?;
        out.sort();
        Ok(out)
    }

    fn systems(&self) -> Vec<String> {
        let mut out = Vec::new();
        Self::walk_systems(&self.playbooks, 0, &mut out);
        out.sort();
        out
    }

    fn folder(&self) -> String {
        self.playbooks.to_string_lossy().into_owned()
    }

    fn shown(&self, path: &str) -> String {
        let path = Path::new(path);
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }
}

/// Playbooks in memory, for tests and for texts that are no files.
#[derive(Clone, Debug, Default)]
pub struct MemoryLoader {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryLoader {
    /// Files by path, such as `playbooks/sonia/stack-start.yaml`.
    pub fn new<P: Into<String>, B: Into<Vec<u8>>>(files: impl IntoIterator<Item = (P, B)>) -> Self {
        MemoryLoader { files: files.into_iter().map(|(p, b)| (p.into(), b.into())).collect() }
    }
}

impl Loader for MemoryLoader {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn list(&self) -> io::Result<Vec<Found>> {
        let mut out: Vec<Found> = self
            .files
            .keys()
            .filter_map(|path| {
                let relative = path.strip_prefix("playbooks/")?;
                full_name(relative).map(|full_name| Found { full_name, path: path.clone() })
            })
            .collect();
        out.sort();
        Ok(out)
    }

    fn list_tests(&self) -> io::Result<Vec<String>> {
        let ours = |path: &&String| path.strip_prefix("playbooks/").is_some_and(is_listed_test);
        Ok(self.files.keys().filter(ours).cloned().collect())
    }

    fn systems(&self) -> Vec<String> {
        self.files.keys().filter(|path| path.starts_with("playbooks/") && path.ends_with("/system.yaml")).cloned().collect()
    }

    fn folder(&self) -> String {
        "playbooks".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_playbooks_are_listed() {
        let files = [
            "playbooks/a.yaml",
            "playbooks/s/b.yml",
            "playbooks/s/system.yaml",
            "playbooks/s/tests/b.test.yaml",
            "playbooks/s/tests/notes.yaml",
            "playbooks/s/tests/.hidden.test.yaml",
            "playbooks/modules/m.yaml",
            "playbooks/.hidden.yaml",
            "other/c.yaml",
        ];
        let names = |found: Vec<Found>| found.into_iter().map(|f| f.full_name).collect::<Vec<_>>();
        let memory = MemoryLoader::new(files.map(|f| (f, "")));
        assert_eq!(names(memory.list().expect("a list")), ["a", "s/b"]);
        let temp = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = temp.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, "x").expect("a file");
        }
        let disk = DiskLoader::around(&temp.path().join("playbooks/s")).expect("a project");
        assert_eq!(names(disk.list().expect("a list")), ["a", "s/b"]);
        assert_eq!(memory.list_tests().expect("a list"), ["playbooks/s/tests/b.test.yaml"]);
        let tests = disk.list_tests().expect("a list");
        assert_eq!(tests.iter().map(|p| disk.shown(p)).collect::<Vec<_>>(), ["playbooks/s/tests/b.test.yaml"]);
        let path = disk.list().expect("a list")[1].path.clone();
        assert_eq!(disk.shown(&path), "playbooks/s/b.yml");
        assert_eq!(disk.read(&path).expect("text"), b"x");
        assert!(disk.read("playbooks").is_err());
        assert!(disk.read("nothing").is_err());
    }
}
