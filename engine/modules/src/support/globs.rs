//! Paths with wildcards.

use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use runbook_core::module::Fault;

use super::paths::{fault, is_missing, tidy};

/// Whether a path argument has wildcards.
pub(crate) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

/// The existing paths that an absolute pattern stands for, by name. `**` stands for any folders, links to folders not among them.
pub(crate) fn expand(argument: &str, pattern: &Path) -> Result<Vec<PathBuf>, Fault> {
    let parts: Vec<String> = pattern
        .components()
        .filter_map(|c| match c {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            Component::ParentDir => Some("..".to_owned()),
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    walk(argument, PathBuf::from("/"), &parts, &mut found)?;
    found.sort();
    found.dedup();
    Ok(found)
}

/// Finds parts of a path that are meant as patterns and cannot be read.
pub(crate) fn check(argument: &str, path: &str) -> Result<(), Fault> {
    path.split('/').filter(|part| *part != "**" && is_pattern(part)).try_for_each(|part| matcher(argument, part).map(drop))
}

/// Of a pattern the part before the first wildcard, in which lies what it stands for.
pub(crate) fn plain(path: &str) -> PathBuf {
    tidy(path).iter().take_while(|part| !is_pattern(&part.to_string_lossy())).collect()
}

/// The files that exist, each once, and what stands for nothing. A place is the path as written and the absolute one.
pub(crate) fn candidates(places: &[(String, PathBuf)], missing: &mut Vec<String>) -> Result<Vec<PathBuf>, Fault> {
    let mut files = Vec::new();
    let mut seen = Vec::new();
    for (written, path) in places {
        let before = files.len();
        let wild = is_pattern(written) && !path.exists();
        let options = if wild { expand("path", path)? } else { vec![path.clone()] };
        let mut any = false;
        for option in options {
            let meta = match std::fs::metadata(&option) {
                Ok(meta) => meta,
                Err(e) if is_missing(&e) => continue,
                Err(e) => return Err(fault(&option, &e)),
            };
            if !meta.is_file() {
                if wild {
                    continue;
                }
                return Err(Fault::unmet(format!("{} is not a regular file", option.display())));
            }
            any = true;
            let identity = (meta.dev(), meta.ino());
            if !seen.contains(&identity) {
                seen.push(identity);
                files.push(option);
            }
        }
        if files.len() == before && !any {
            missing.push(written.clone());
        }
    }
    Ok(files)
}

fn walk(argument: &str, at: PathBuf, parts: &[String], found: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let Some((first, rest)) = parts.split_first() else {
        if at.exists() {
            found.push(at);
        }
        return Ok(());
    };
    if first == "**" {
        walk(argument, at.clone(), rest, found)?;
        for entry in entries(&at)? {
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                walk(argument, entry.path(), parts, found)?;
            }
        }
        return Ok(());
    }
    if !is_pattern(first) {
        return walk(argument, at.join(first), rest, found);
    }
    let matcher = matcher(argument, first)?;
    for entry in entries(&at)? {
        let name = entry.file_name();
        // As in a shell: hidden files are meant only when they are asked for.
        let hidden = name.as_encoded_bytes().starts_with(b".") && !first.starts_with('.');
        if !hidden && matcher.is_match(&name) {
            walk(argument, entry.path(), rest, found)?;
        }
    }
    Ok(())
}

fn matcher(argument: &str, part: &str) -> Result<GlobMatcher, Fault> {
    GlobBuilder::new(part)
        .literal_separator(true)
        .build()
        .map(|g| g.compile_matcher())
        .map_err(|e| Fault::invalid(argument, format!("{part:?} is not a pattern for names: {}", e.kind())))
}

fn entries(folder: &Path) -> Result<Vec<std::fs::DirEntry>, Fault> {
    match std::fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().collect()),
        Err(e) if is_missing(&e) => Ok(Vec::new()),
        Err(e) => Err(fault(folder, &e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::testing::TestHost;

    #[test]
    fn wildcards_stand_for_names() {
        let host = TestHost::new();
        for name in ["a.log", "b.log", ".hidden.log", "c.txt", "sub/d.log", "sub/deep/e.log"] {
            host.write(name, "");
        }
        let ask = |p: &str| -> Vec<String> {
            let found = expand("path", &host.file(p)).unwrap();
            found.iter().map(|f| f.strip_prefix(host.root()).unwrap().display().to_string()).collect()
        };
        assert_eq!(ask("*.log"), ["a.log", "b.log"]);
        assert_eq!(ask("**/*.log"), ["a.log", "b.log", "sub/d.log", "sub/deep/e.log"]);
        assert_eq!(ask("[ab].{log,txt}"), ["a.log", "b.log"]);
        assert_eq!(ask("s?b/*"), ["sub/d.log", "sub/deep"]);
        assert_eq!(ask(".h*"), [".hidden.log"]);
        assert!(ask("gone/*").is_empty() && ask("a.log/*").is_empty());
    }

    #[test]
    fn broken_patterns_are_invalid() {
        let host = TestHost::new();
        host.write("a", "");
        assert!(matches!(expand("path", &host.file("[a")), Err(Fault::Invalid { .. })));
        assert!(!is_pattern("plain/path.log"));
    }
}
