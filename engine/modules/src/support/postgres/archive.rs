//! Dumps of a database: what kind a file is, and whether it is whole.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use runbook_core::module::{Cx, Fault};

use super::tools;
use crate::support::blocking::blocking;
use crate::support::paths::fault;

/// What a whole dump is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Archive {
    /// For `pg_restore`.
    Custom {
        /// Entries in its table of contents.
        entries: u64,
    },
    /// Statements for `psql`.
    Plain,
    /// The same, packed by gzip.
    Packed,
}

/// The last line that `pg_dump` writes.
const COMPLETE: &str = "PostgreSQL database dump complete";

/// Looks what a file is and whether it is whole.
pub(crate) async fn check(path: &Path, cx: &Cx<'_>) -> Result<Archive, Fault> {
    let (file, name) = (path.to_owned(), path.display().to_string());
    let kind = blocking(cx.timeout, move |stop| {
        let mut head = Vec::new();
        let mut open = std::fs::File::open(&file).map_err(|e| fault(&file, &e))?;
        if !open.metadata().map_err(|e| fault(&file, &e))?.is_file() {
            return Err(Fault::refused(format!("{} is not a file", file.display())));
        }
        (&mut open).take(512).read_to_end(&mut head).map_err(|e| fault(&file, &e))?;
        if head.is_empty() {
            return Err(Fault::refused(format!("{} is empty, and no dump", file.display())));
        }
        if head.starts_with(b"PGDMP") || head.get(257..262) == Some(b"ustar") {
            return Ok(None);
        }
        open.seek(SeekFrom::Start(0)).map_err(|e| fault(&file, &e))?;
        let packed = head.starts_with(&[0x1f, 0x8b]);
        let mut reader: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(open)) } else { Box::new(open) };
        // The end is enough to know whether it was cut off, but a packed file shows it only when all of it is read.
        let mut last: Vec<u8> = Vec::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            stop.check()?;
            let read = reader.read(&mut buffer).map_err(|e| Fault::refused(format!("{} is broken: {e}", file.display())))?;
            if read == 0 {
                break;
            }
            last.extend_from_slice(&buffer[..read]);
            let keep = last.len().saturating_sub(4096);
            last.drain(..keep);
        }
        if !String::from_utf8_lossy(&last).contains(COMPLETE) {
            return Err(Fault::refused(format!(
                "{} is no dump, or was cut off: its end lacks the line `{COMPLETE}`",
                file.display()
            )));
        }
        Ok(Some(if packed { Archive::Packed } else { Archive::Plain }))
    })
    .await?;
    if let Some(kind) = kind {
        return Ok(kind);
    }
    let argv = vec!["pg_restore".to_owned(), "--list".to_owned(), name.clone()];
    let listed = tools::judged("pg_restore", cx.run_read(tools::exec(None, argv, cx.timeout)).await);
    let output = listed.map_err(|e| match e {
        Fault::Unmet { message, .. } => Fault::refused(format!("{name} is broken: {message}")),
        other => other,
    })?;
    let list = String::from_utf8_lossy(&output.stdout);
    let entries = list.lines().filter(|l| l.starts_with(|c: char| c.is_ascii_digit())).count() as u64;
    // The table of contents says nothing about the rows: reading all of them does.
    let argv = vec!["pg_restore".to_owned(), "--file=/dev/null".to_owned(), name.clone()];
    let read = tools::judged("pg_restore", cx.run_read(tools::exec(None, argv, cx.timeout)).await);
    read.map_err(|e| match e {
        Fault::Unmet { message, .. } => Fault::refused(format!("{name} is broken or was cut off: {message}")),
        other => other,
    })?;
    Ok(Archive::Custom { entries })
}

/// Unpacks a dump into a file.
pub(crate) async fn unpack(path: &Path, to: &Path, cx: &Cx<'_>) -> Result<(), Fault> {
    let (path, to) = (path.to_owned(), to.to_owned());
    blocking(cx.timeout, move |stop| {
        let mut reader = MultiGzDecoder::new(std::fs::File::open(&path).map_err(|e| fault(&path, &e))?);
        let mut out = std::fs::File::create(&to).map_err(|e| fault(&to, &e))?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            stop.check()?;
            let read = reader.read(&mut buffer).map_err(|e| fault(&path, &e))?;
            if read == 0 {
                return Ok(());
            }
            std::io::Write::write_all(&mut out, &buffer[..read]).map_err(|e| fault(&to, &e))?;
        }
    })
    .await
}
