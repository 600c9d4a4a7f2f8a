//! Files on their way to and from an object store.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration as Std, SystemTime};

use runbook_core::module::{Cx, Fault};
use sha2::{Digest, Sha256};

use super::atomic::Draft;
use super::blocking::{Stop, blocking};
use super::paths::{self, fault};
use super::s3::parts::{Parts, Sending};
use super::s3::{Head, S3, failed};

/// A file that is there, with its hash.
pub(crate) struct Local {
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads a file for its size and hash.
pub(crate) fn look(path: &Path, stop: &Stop) -> Result<Local, Fault> {
    let mut file = std::fs::File::open(path).map_err(|e| fault(path, &e))?;
    if !file.metadata().map_err(|e| fault(path, &e))?.is_file() {
        return Err(Fault::unmet(format!("{} is not a file", path.display())));
    }
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 18]);
    loop {
        stop.check()?;
        match file.read(&mut buffer).map_err(|e| fault(path, &e))? {
            0 => return Ok(Local { size, sha256: hex(&hash.finalize()) }),
            n => {
                hash.update(&buffer[..n]);
                size += n as u64;
            }
        }
    }
}

/// The same, away from the threads that must not wait; `None` if there is no such file.
pub(crate) async fn look_at(path: &Path, cx: &Cx<'_>) -> Result<Option<Local>, Fault> {
    let path = path.to_owned();
    blocking(cx.timeout, move |stop| match std::fs::symlink_metadata(&path) {
        Err(e) if paths::is_missing(&e) => Ok(None),
        _ => look(&path, stop).map(Some),
    })
    .await
}

/// Whether an object is what a file is, as far as that can be known.
pub(crate) fn same(local: &Local, head: &Head) -> bool {
    local.size == head.object.size.0 && head.sha256.as_deref().is_some_and(|h| h.eq_ignore_ascii_case(&local.sha256))
}

/// Puts a file there and looks whether it arrived; also in how many parts, if it was in parts.
pub(crate) async fn upload(
    store: &S3,
    cx: &Cx<'_>,
    key: &str,
    from: &Path,
    kind: &str,
    parts: Parts,
) -> Result<(Local, Option<u64>), Fault> {
    let local = look_at(from, cx).await?.ok_or_else(|| Fault::unmet(format!("{}: no such file", from.display())))?;
    let parts = parts.of(local.size)?;
    match parts {
        None => store.put(cx, key, from, local.size, &local.sha256, kind).await?,
        Some((part, _)) => {
            let sending = Sending { key, from, size: local.size, sha256: &local.sha256, kind };
            store.put_in_parts(cx, &sending, part).await?;
        }
    }
    match store.head(cx, key).await? {
        Some(head) if head.object.size.0 == local.size => Ok((local, parts.map(|(_, count)| count))),
        Some(head) => {
            let (there, here) = (head.object.size.0, local.size);
            Err(Fault::unmet(format!("`{key}` has {there} bytes in the store and {here} here: it did not arrive whole")))
        }
        None => Err(Fault::unmet(format!("`{key}` is not in the store although it was taken"))),
    }
}

/// Fetches an object into a file that is only there once it is whole; its time is the object's.
pub(crate) async fn download(store: &S3, cx: &Cx<'_>, head: &Head, to: &Path) -> Result<Local, Fault> {
    let mut response = store.get(cx, &head.object.key).await?;
    let mut draft = Draft::new(to)?;
    if let Ok(old) = std::fs::symlink_metadata(to)
        && old.is_file()
    {
        draft.take_after(&old)?;
    }
    let (mut hash, mut size) = (Sha256::new(), 0_u64);
    loop {
        // A transfer that stands still for a minute is broken.
        let next = tokio::time::timeout(Std::from_secs(60), response.chunk()).await;
        let next = next.map_err(|_| Fault::unmet(format!("nothing more of `{}` came for a minute", head.object.key)))?;
        let Some(chunk) = next.map_err(|e| failed(&e))? else { break };
        hash.update(&chunk);
        size += chunk.len() as u64;
        draft.file().write_all(&chunk).map_err(|e| fault(to, &e))?;
    }
    let sha256 = hex(&hash.finalize());
    if size != head.object.size.0 {
        return Err(Fault::unmet(format!("{size} of the {} bytes of `{}` came", head.object.size.0, head.object.key)));
    }
    if head.sha256.as_deref().is_some_and(|noted| !noted.eq_ignore_ascii_case(&sha256)) {
        return Err(Fault::unmet(format!("`{}` is not what was put there: its SHA-256 is another one", head.object.key)));
    }
    if let Some(modified) = head.object.modified {
        let since = Std::from_secs(u64::try_from(modified.0.as_second()).unwrap_or_default());
        let _ = draft.file().set_modified(SystemTime::UNIX_EPOCH + since);
    }
    blocking(None, move |_| draft.put()).await?;
    Ok(Local { size, sha256 })
}

/// The nearest folder above that exists must lie in this one, links followed: no key leads out.
pub(crate) fn stays_inside(folder: &Path, place: &Path) -> Result<(), Fault> {
    let true_folder = match std::fs::canonicalize(folder) {
        Ok(folder) => folder,
        Err(_) => return Ok(()),
    };
    let mut at = paths::parent(place);
    loop {
        match std::fs::canonicalize(at) {
            Ok(found) if found.starts_with(&true_folder) => return Ok(()),
            Ok(_) => {
                let message = format!("a link leads out of {}: {} is elsewhere", folder.display(), at.display());
                return Err(Fault::refused(message));
            }
            Err(_) => at = paths::parent(at),
        }
    }
}

/// A file below a folder.
pub(crate) struct Found {
    /// Its path below the folder, with slashes.
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
}

/// Every file below a folder, and how many things are no files (links are not followed). Nothing if the folder is not there.
pub(crate) fn walk(folder: &Path, most: usize, stop: &Stop) -> Result<(Vec<Found>, u64), Fault> {
    let (mut found, mut others) = (Vec::new(), 0);
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let at = folder.join(&below);
        let entries = match std::fs::read_dir(&at) {
            Err(e) if below.as_os_str().is_empty() && paths::is_missing(&e) => return Ok((found, 0)),
            entries => entries.map_err(|e| fault(&at, &e))?,
        };
        for entry in entries {
            stop.check()?;
            let entry = entry.map_err(|e| fault(&at, &e))?;
            let meta = entry.metadata().map_err(|e| fault(&entry.path(), &e))?;
            let name = below.join(entry.file_name());
            if meta.is_dir() {
                waiting.push(name);
            } else if let (true, Some(text)) = (meta.is_file(), name.to_str()) {
                let modified = meta.modified().map_err(|e| fault(&entry.path(), &e))?;
                found.push(Found { name: text.to_owned(), size: meta.len(), modified });
            } else {
                others += 1;
            }
            if found.len() > most {
                return Err(Fault::refused(format!("there are more than {most} files below {}", folder.display())));
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((found, others))
}
