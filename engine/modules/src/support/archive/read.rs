//! Going through the members of an archive.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path};

use runbook_core::module::Fault;

use super::format::Format;
use crate::support::paths::fault;
use crate::support::scan::unpack;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Symlink,
    Hardlink,
    /// A device, a pipe, and whatever else there is.
    Other,
}

/// A member of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) mode: Option<u32>,
    /// Seconds since 1970.
    pub(crate) modified: Option<i64>,
    pub(crate) link: Option<String>,
}

impl Member {
    /// Why it must not be unpacked by its name, if so.
    pub(crate) fn unsafe_name(&self) -> Option<&'static str> {
        unsafe_name(&self.name)
    }
}

/// Why something must not be written under a name below a folder.
pub(crate) fn unsafe_name(name: &str) -> Option<&'static str> {
    let path = Path::new(name);
    let windows = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    match () {
        () if name.is_empty() => Some("it has no name"),
        () if path.is_absolute() || windows || name.starts_with('\\') => Some("its path is absolute"),
        () if path.components().any(|c| c == Component::ParentDir) || name.split('\\').any(|p| p == "..") => {
            Some("its path leads out")
        }
        () if name.contains('\0') => Some("there is a null character in its name"),
        () => None,
    }
}

/// Why an archive was not gone through.
pub(crate) enum WalkFault {
    /// It is damaged, or no such archive.
    Damaged(String),
    /// Something else stood in the way.
    Fault(Fault),
}

impl From<Fault> for WalkFault {
    fn from(fault: Fault) -> Self {
        WalkFault::Fault(fault)
    }
}

impl WalkFault {
    /// The fault, about this archive.
    pub(crate) fn at(self, path: &Path) -> Fault {
        match self {
            WalkFault::Damaged(why) => Fault::unmet(format!("{}: the archive is damaged: {why}", path.display())),
            WalkFault::Fault(fault) => fault,
        }
    }
}

/// What is done with each member.
pub(crate) type Each<'a> = dyn FnMut(&Member, &mut dyn Read) -> Result<(), WalkFault> + 'a;

/// What reading said of the data.
pub(crate) fn damaged(error: &io::Error) -> WalkFault {
    WalkFault::Damaged(crate::support::paths::reason(error))
}

/// Goes through all members; afterwards every check that the format has was made.
pub(crate) fn walk(path: &Path, format: Format, each: &mut Each<'_>) -> Result<(), WalkFault> {
    let file = File::open(path).map_err(|e| fault(path, &e))?;
    match format {
        Format::Zip => zip_members(path, file, each),
        Format::Tar => tar_members(BufReader::with_capacity(1 << 17, file), each),
        Format::TarGz => tar_members(unpack(Path::new("x.gz"), file)?, each),
        Format::TarZst => tar_members(unpack(Path::new("x.zst"), file)?, each),
        Format::Gz | Format::Zst => {
            let meta = file.metadata().map_err(|e| fault(path, &e))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let modified = Some(crate::support::fileset::modified(&meta).as_second());
            let member = Member { name, kind: Kind::File, size: 0, mode: None, modified, link: None };
            let mut reader = unpack(Path::new(if format == Format::Gz { "x.gz" } else { "x.zst" }), file)?;
            each(&member, &mut reader)?;
            io::copy(&mut reader, &mut io::sink()).map(drop).map_err(|e| damaged(&e))
        }
    }
}

fn tar_members(reader: impl Read, each: &mut Each<'_>) -> Result<(), WalkFault> {
    let mut archive = tar::Archive::new(Ending { reader, zeros: 0 });
    archive.set_ignore_zeros(false);
    for entry in archive.entries().map_err(|e| damaged(&e))? {
        let mut entry = entry.map_err(|e| damaged(&e))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let link = entry.link_name_bytes().map(|l| String::from_utf8_lossy(&l).into_owned());
        let header = entry.header();
        let kind = match header.entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => Kind::File,
            tar::EntryType::Directory => Kind::Folder,
            tar::EntryType::Symlink => Kind::Symlink,
            tar::EntryType::Link => Kind::Hardlink,
            tar::EntryType::XGlobalHeader => continue,
            _ => Kind::Other,
        };
        let (mode, modified) = (header.mode().ok(), header.mtime().ok().and_then(|t| i64::try_from(t).ok()));
        let size = entry.size();
        let member = Member { name, kind, size, mode, modified, link };
        each(&member, &mut entry)?;
        // What nobody read is read all the same: it may be damaged.
        io::copy(&mut entry, &mut io::sink()).map_err(|e| damaged(&e))?;
    }
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(|e| damaged(&e))?;
    if rest.zeros < 1024 {
        return Err(WalkFault::Damaged("its end is missing".to_owned()));
    }
    Ok(())
}

/// Knows how many zeros came last: an archive ends with them.
struct Ending<R> {
    reader: R,
    zeros: u64,
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        match buffer[..n].iter().rposition(|b| *b != 0) {
            Some(last) => self.zeros = (n - last - 1) as u64,
            None => self.zeros += n as u64,
        }
        Ok(n)
    }
}

#[cfg(feature = "zip")]
fn zip_members(path: &Path, file: File, each: &mut Each<'_>) -> Result<(), WalkFault> {
    let told = |e: zip::result::ZipError| WalkFault::Damaged(e.to_string());
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(told)?;
    for i in 0..archive.len() {
        if archive.by_index_raw(i).map_err(told)?.encrypted() {
            return Err(Fault::cannot_tell(format!("{}: it is encrypted, and not read", path.display())).into());
        }
        let mut entry = archive.by_index(i).map_err(told)?;
        let name = entry.name().map_err(told)?.into_owned();
        let kind = match () {
            () if entry.is_symlink() => Kind::Symlink,
            () if entry.is_dir() => Kind::Folder,
            () if entry.unix_mode().is_none_or(|m| matches!(m & 0o170_000, 0 | 0o100_000)) => Kind::File,
            () => Kind::Other,
        };
        let modified = entry.last_modified().and_then(|t| {
            let date = jiff::civil::DateTime::new(
                t.year().cast_signed(),
                t.month().cast_signed(),
                t.day().cast_signed(),
                t.hour().cast_signed(),
                t.minute().cast_signed(),
                t.second().cast_signed().min(59),
                0,
            );
            date.ok().and_then(|d| d.to_zoned(jiff::tz::TimeZone::UTC).ok()).map(|z| z.timestamp().as_second())
        });
        let mut link = None;
        if kind == Kind::Symlink {
            let mut text = Vec::new();
            (&mut entry).take(4096).read_to_end(&mut text).map_err(|e| damaged(&e))?;
            link = Some(String::from_utf8_lossy(&text).into_owned());
        }
        let member = Member { name, kind, size: entry.size(), mode: entry.unix_mode(), modified, link };
        each(&member, &mut entry)?;
        io::copy(&mut entry, &mut io::sink()).map_err(|e| damaged(&e))?;
    }
    Ok(())
}

#[cfg(not(feature = "zip"))]
fn zip_members(path: &Path, _: File, _: &mut Each<'_>) -> Result<(), WalkFault> {
    Err(Fault::cannot_tell(format!("{}: this build has no `zip`", path.display())).into())
}
