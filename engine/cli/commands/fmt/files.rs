//! Which files are meant.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use runbook_core::suggest::nearest;
use runbook_lang::{Found, Loader};

use super::shown;
use crate::context::Context;

/// The largest file that is read; the formatter says that a larger one is too large.
pub(super) const MOST_BYTES: u64 = 10 * 1024 * 1024;

/// How deep folders are looked through.
const MOST_FOLDERS: usize = 16;

/// A file to format.
pub(super) struct Target {
    /// Its real place.
    pub(super) path: PathBuf,
    /// What it is called.
    pub(super) shown: String,
}

/// What was meant.
#[derive(Default)]
pub(super) struct Targets {
    pub(super) files: Vec<Target>,
    /// Links in folders that point to somewhere else.
    pub(super) links: Vec<String>,
    seen: BTreeSet<PathBuf>,
}

/// A name that means nothing.
pub(super) struct Unknown {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The files that names mean: files, folders and playbooks; without names, everything below the playbooks folder.
pub(super) fn targets(context: &Context, names: &[String]) -> Result<Targets, Unknown> {
    let mut out = Targets::default();
    if names.is_empty() {
        let folder = context.playbooks().map_err(|message| Unknown {
            message,
            help: Some("name the files, or make a folder `playbooks`, or name one with --playbooks DIR".to_owned()),
        })?;
        out.folder(context, &folder)?;
        return Ok(out);
    }
    for name in names {
        let path = context.cwd.join(name);
        if path.is_dir() {
            out.folder(context, &path)?;
        } else if std::fs::symlink_metadata(&path).is_ok() {
            if !is_yaml(&path) {
                return Err(Unknown {
                    message: format!("{name} is no YAML file"),
                    help: Some("only files that end in .yaml or .yml are formatted".to_owned()),
                });
            }
            out.file(context, &path);
        } else {
            let path = playbook(context, name)?;
            out.file(context, &path);
        }
    }
    Ok(out)
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

/// The file of a playbook by its name.
fn playbook(context: &Context, name: &str) -> Result<PathBuf, Unknown> {
    let missing = |help: Option<String>| Unknown { message: format!("there is no file and no playbook `{name}`"), help };
    let folder = context.playbooks().map_err(|_| missing(None))?;
    let root = folder.parent().map_or_else(|| context.cwd.clone(), Path::to_path_buf);
    // A path as diagnostics show it: from the root of the project.
    if is_yaml(Path::new(name)) {
        let path = root.join(name);
        return if path.is_file() { Ok(path) } else { Err(missing(Some("check the path".to_owned()))) };
    }
    let all = runbook_lang::DiskLoader::new(root, folder).list().unwrap_or_default();
    let same: Vec<&Found> = all.iter().filter(|f| f.full_name == name || f.name() == name).collect();
    match same.as_slice() {
        [one] => Ok(PathBuf::from(&one.path)),
        [] => {
            let near = nearest(name, all.iter().map(|f| f.full_name.as_str()).chain(all.iter().map(Found::name)));
            Err(missing(Some(
                near.map_or_else(|| "`runbook list` shows what there is".to_owned(), |n| format!("did you mean `{n}`?")),
            )))
        }
        several => {
            let names: Vec<String> = several.iter().map(|f| format!("`{}`", f.full_name)).collect();
            Err(Unknown {
                message: format!("`{name}` could be {}", names.join(" or ")),
                help: Some("write it with its system".to_owned()),
            })
        }
    }
}

impl Targets {
    /// A file that was named: if it is a link, what it points to.
    fn file(&mut self, context: &Context, path: &Path) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if self.seen.insert(real.clone()) {
            self.files.push(Target { path: real, shown: shown(context, path) });
        }
    }

    /// Every YAML file below a folder. Links are not followed: what they point to may lie elsewhere.
    fn folder(&mut self, context: &Context, folder: &Path) -> Result<(), Unknown> {
        let mut todo = vec![(folder.to_path_buf(), 0)];
        let mut found = Vec::new();
        let mut links = Vec::new();
        while let Some((folder, depth)) = todo.pop() {
            let entries =
                std::fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(|error| Unknown {
                    message: format!("the folder {} cannot be read: {error}", shown(context, &folder)),
                    help: Some("check its permissions".to_owned()),
                })?;
            for entry in entries {
                let (path, name) = (entry.path(), entry.file_name());
                let hidden = name.to_string_lossy().starts_with('.');
                let Ok(kind) = entry.file_type() else { continue };
                match () {
                    () if hidden => {}
                    () if kind.is_dir() && name != "modules" && depth < MOST_FOLDERS => todo.push((path, depth + 1)),
                    () if kind.is_symlink() && is_yaml(&path) => links.push(path),
                    () if kind.is_file() && is_yaml(&path) => found.push(path),
                    () => {}
                }
            }
        }
        found.sort();
        links.sort();
        for path in found {
            self.file(context, &path);
        }
        let inside = |path: &PathBuf| path.canonicalize().is_ok_and(|real| self.seen.contains(&real));
        self.links.extend(links.iter().filter(|l| !inside(l)).map(|l| shown(context, l)));
        Ok(())
    }
}

/// The bytes of a file, one more than may be at the most.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let said = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        _ => error.to_string(),
    };
    // Asked before it is opened: opening a pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(said)?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map_err(said)?;
    Ok(bytes)
}
