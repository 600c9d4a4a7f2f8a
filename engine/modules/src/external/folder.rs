//! Finds the executables that are modules.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use runbook_core::module::{Entry, Registry};

use super::describe::{Runner, describe};

/// What follows a module's name in a file name, and is no part of the name.
const ENDINGS: &[&str] = &["py", "sh", "bash", "js", "mjs", "cjs", "ts", "rb", "pl", "php", "lua", "exe"];

/// Where a module's name comes from, and what may be wrong with the file before it is even run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFile {
    /// The name: the file's without its ending.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Why it cannot be used, if that can be seen.
    pub trouble: Option<String>,
}

/// The folders that modules are looked for in; of two of one name the one in the earlier folder counts.
#[derive(Clone, Debug, Default)]
pub struct Folders(pub Vec<PathBuf>);

impl Folders {
    /// Every module that is there, by name.
    pub fn files(&self) -> Vec<ModuleFile> {
        let mut found: BTreeMap<String, ModuleFile> = BTreeMap::new();
        for folder in &self.0 {
            let mut here: BTreeMap<String, ModuleFile> = BTreeMap::new();
            let mut entries: Vec<PathBuf> =
                std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
            entries.sort();
            for path in entries {
                let Some(file) = module_file(folder, &path) else { continue };
                match here.get_mut(&file.name) {
                    Some(first) => {
                        let (one, two) = (first.path.display(), path.display());
                        first.trouble =
                            Some(format!("there are two files of this name, {one} and {two}: rename or remove one of them"));
                    }
                    None => drop(here.insert(file.name.clone(), file)),
                }
            }
            for (name, file) in here {
                found.entry(name).or_insert(file);
            }
        }
        found.into_values().collect()
    }

    /// The program's own modules and those of the folders. Each of these is run with `--describe` when it is first named.
    pub fn registry(&self, own: Registry, run: &Runner) -> Registry {
        let files: BTreeMap<String, ModuleFile> = self.files().into_iter().map(|f| (f.name.clone(), f)).collect();
        let names: Vec<String> = files.keys().cloned().collect();
        let run = run.clone();
        own.with_found(names, move |name| entry(&files[name], &run))
    }
}

fn entry(file: &ModuleFile, run: &Runner) -> Result<Entry, String> {
    match &file.trouble {
        Some(trouble) => Err(trouble.clone()),
        None => describe(&file.name, &file.path, run),
    }
}

/// A file of a modules folder; `None` for what is plainly none, such as a README, a library beside it or a hidden file.
fn module_file(folder: &Path, path: &Path) -> Option<ModuleFile> {
    let file_name = path.file_name()?.to_str()?;
    let name = match file_name.rsplit_once('.') {
        Some((stem, ending)) if ENDINGS.contains(&ending) => stem,
        _ => file_name,
    };
    if !is_name(name) {
        return None;
    }
    let meta = std::fs::metadata(path).ok()?;
    if !meta.is_file() {
        return None;
    }
    let mode = meta.permissions().mode();
    if mode & 0o111 == 0 && !starts_as_script(path) {
        return None;
    }
    let shown = path.display();
    let open_folder = std::fs::metadata(folder).is_ok_and(|m| m.permissions().mode() & 0o1002 == 0o002);
    let trouble = if mode & 0o111 == 0 {
        Some(format!("{shown} is not executable: run `chmod +x {}`", runbook_core::expr::shell_quote(&shown.to_string())))
    } else if mode & 0o002 != 0 {
        Some(format!("{shown} can be changed by anybody on this machine: run `chmod o-w` on it"))
    } else if open_folder {
        Some(format!("anybody on this machine can put files into {}: run `chmod o-w` on it", folder.display()))
    } else {
        None
    };
    Some(ModuleFile { name: name.to_owned(), path: path.to_owned(), trouble })
}

fn starts_as_script(path: &Path) -> bool {
    use std::io::Read;
    let mut first = [0; 2];
    std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut first)).is_ok_and(|()| &first == b"#!")
}

/// Whether a text can be the name of a module: `noun`, or `noun.verb`, of lowercase letters, digits and `_`.
pub(super) fn is_name(name: &str) -> bool {
    let word = |w: &str| {
        w.starts_with(|c: char| c.is_ascii_lowercase())
            && w.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && !w.ends_with('_')
    };
    let parts: Vec<&str> = name.split('.').collect();
    parts.len() <= 2 && parts.iter().all(|p| word(p)) && name.len() <= 60
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, name: &str, mode: u32) {
        std::fs::write(folder.join(name), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn executables_are_modules_by_their_names() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (name, mode) in
            [("qdrant.py", 0o755), ("pager.notify.sh", 0o755), ("plain", 0o755), (".hidden", 0o755), ("Bad-Name.sh", 0o755)]
        {
            put(one.path(), name, mode);
        }
        std::fs::write(one.path().join("readme"), "text").unwrap();
        std::fs::create_dir(one.path().join("lib")).unwrap();
        put(two.path(), "plain", 0o755);
        put(two.path(), "theirs.js", 0o755);
        let files = Folders(vec![one.path().into(), two.path().into(), "/no/such/folder".into()]).files();
        let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["pager.notify", "plain", "qdrant", "theirs"]);
        assert!(files.iter().all(|f| f.trouble.is_none()), "{files:?}");
        assert_eq!(files[1].path, one.path().join("plain"), "the project's own comes before the user's");
    }

    #[test]
    fn files_that_cannot_be_used_say_why() {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in [("a.sh", 0o644), ("b.sh", 0o777), ("c.sh", 0o755), ("c.py", 0o755)] {
            put(folder.path(), name, mode);
        }
        let files = Folders(vec![folder.path().into()]).files();
        let said: Vec<&str> = files.iter().map(|f| f.trouble.as_deref().unwrap_or_default()).collect();
        assert!(said[0].contains("chmod +x") && said[1].contains("by anybody") && said[2].contains("two files"), "{said:?}");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let files = Folders(vec![folder.path().into()]).files();
        assert!(files[2].trouble.is_some() && files.len() == 3, "{files:?}");
    }

    #[test]
    fn names_are_nouns_and_verbs() {
        for good in ["a", "qdrant", "qdrant_v2", "pager.notify"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "A", "a-b", "a.b.c", ".a", "a.", "1a", "a_", "a b", &"a".repeat(61)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
