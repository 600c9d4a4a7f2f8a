//! Writing an archive member by member, each of a size that is known only when it is written.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use runbook_core::module::Fault;
use sha2::{Digest, Sha256};

use super::format::Format;
use crate::support::atomic::Draft;
use crate::support::paths::{fault, parent};

/// The name of the list of digests inside an archive, as `sha256sum -c` reads it.
pub(crate) const SUMS: &str = "SHA256SUMS";

/// A member that was written.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

/// Takes the content of a member.
pub(crate) type Sink<'a> = dyn FnMut(&[u8]) -> Result<(), Fault> + Send + 'a;

/// An archive that is being written, and vanishes unless it is put in its place.
pub(crate) struct Writer {
    draft: Draft,
    place: PathBuf,
    out: Out,
    names: BTreeSet<String>,
    pub(crate) members: Vec<Written>,
}

enum Out {
    Tar(Format),
    #[cfg(feature = "zip")]
    Zip(Box<zip::ZipWriter<BufWriter<File>>>),
}

/// Compresses, or not, what is written to a file.
enum Packer {
    Plain(BufWriter<File>),
    Gz(GzEncoder<BufWriter<File>>),
    #[cfg(feature = "zstd")]
    Zst(Box<zstd::Encoder<'static, BufWriter<File>>>),
}

impl Packer {
    fn new(format: Format, file: File) -> io::Result<Packer> {
        let file = BufWriter::with_capacity(1 << 17, file);
        Ok(match format {
            Format::TarGz => Packer::Gz(GzEncoder::new(file, Compression::new(5))),
            #[cfg(feature = "zstd")]
            Format::TarZst => {
                let mut encoder = zstd::Encoder::new(file, 1)?;
                encoder.include_checksum(true)?;
                Packer::Zst(Box::new(encoder))
            }
            _ => Packer::Plain(file),
        })
    }

    fn finish(self) -> io::Result<File> {
        let file = match self {
            Packer::Plain(file) => file,
            Packer::Gz(encoder) => encoder.finish()?,
            #[cfg(feature = "zstd")]
            Packer::Zst(encoder) => encoder.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packer::Plain(w) => w.write(bytes),
            Packer::Gz(w) => w.write(bytes),
            #[cfg(feature = "zstd")]
            Packer::Zst(w) => w.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packer::Plain(w) => w.flush(),
            Packer::Gz(w) => w.flush(),
            #[cfg(feature = "zstd")]
            Packer::Zst(w) => w.flush(),
        }
    }
}

/// Finds out whether this build can write a format.
pub(crate) fn can_write(format: Format) -> Result<(), Fault> {
    let feature = match format {
        Format::Zip if !cfg!(feature = "zip") => "zip",
        Format::TarZst if !cfg!(feature = "zstd") => "zstd",
        _ => return Ok(()),
    };
    Err(Fault::cannot_tell(format!("this build has no `{feature}`; `format: tar.gz` needs none")))
}

impl Writer {
    /// Begins an archive, whose folder must exist.
    pub(crate) fn new(place: &Path, format: Format) -> Result<Writer, Fault> {
        can_write(format)?;
        let mut draft = Draft::new(place)?;
        let out = match format {
            #[cfg(feature = "zip")]
            Format::Zip => {
                let file = draft.file().try_clone().map_err(|e| fault(place, &e))?;
                Out::Zip(Box::new(zip::ZipWriter::new(BufWriter::with_capacity(1 << 17, file))))
            }
            other => {
                let _ = draft.file();
                Out::Tar(other)
            }
        };
        Ok(Writer { draft, place: place.to_owned(), out, names: BTreeSet::new(), members: Vec::new() })
    }

    /// A name that no member has, as close to this one as can be. File systems that do not tell upper from lower case count as well.
    pub(crate) fn free_name(&self, name: &str) -> String {
        let taken = |n: &str| self.names.contains(&n.to_lowercase());
        if !taken(name) {
            return name.to_owned();
        }
        let (folder, file) = name.rsplit_once('/').map_or(("", name), |(d, f)| (d, f));
        let (stem, ending) = match file.split_once('.') {
            Some((stem, ending)) if !stem.is_empty() => (stem, format!(".{ending}")),
            _ => (file, String::new()),
        };
        let slash = if folder.is_empty() { "" } else { "/" };
        (2..).map(|n| format!("{folder}{slash}{stem}-{n}{ending}")).find(|n| !taken(n)).unwrap_or_else(|| name.to_owned())
    }

    /// Writes a member. If `produce` fails, the archive is as if it had not been begun.
    pub(crate) fn add<T>(
        &mut self,
        name: &str,
        mode: u32,
        modified: i64,
        produce: impl FnOnce(&mut Sink<'_>) -> Result<T, Fault>,
    ) -> Result<(Written, T), Fault> {
        let name = self.free_name(name);
        let place = self.place.clone();
        let io = |e: io::Error| fault(&place, &e);
        let mut hash = Sha256::new();
        let mut size = 0_u64;
        let made = match &mut self.out {
            Out::Tar(format) => {
                // The size stands before the content: it is packed aside first, and that is small. Packed parts one after the other are one.
                let spool = tempfile::tempfile_in(parent(&self.place)).map_err(io)?;
                let mut packer = Packer::new(*format, spool).map_err(io)?;
                let made = produce(&mut |bytes| {
                    hash.update(bytes);
                    size += bytes.len() as u64;
                    packer.write_all(bytes).map_err(|e| fault(&place, &e))
                })?;
                let padding = (512 - size % 512) % 512;
                packer.write_all(&[0; 512][..padding as usize]).map_err(io)?;
                let mut spool = packer.finish().map_err(io)?;
                spool.seek(SeekFrom::Start(0)).map_err(io)?;
                let out = self.draft.file();
                let head = head(&name, size, mode, modified).map_err(io)?;
                let mut packer = Packer::new(*format, out.try_clone().map_err(io)?).map_err(io)?;
                packer.write_all(&head).map_err(io)?;
                packer.finish().map_err(io)?;
                io::copy(&mut spool, out).map_err(io)?;
                made
            }
            #[cfg(feature = "zip")]
            Out::Zip(writer) => {
                let zip = |e: zip::result::ZipError| Fault::cannot_tell(format!("{}: {e}", place.display()));
                let time = zip_time(modified);
                let options = zip::write::SimpleFileOptions::default()
                    .compression_method(zip::CompressionMethod::Deflated)
                    .compression_level(Some(5))
                    .large_file(true)
                    .last_modified_time(time)
                    .unix_permissions(mode);
                writer.start_file(&name, options).map_err(zip)?;
                let made = produce(&mut |bytes| {
                    hash.update(bytes);
                    size += bytes.len() as u64;
                    writer.write_all(bytes).map_err(|e| fault(&place, &e))
                });
                match made {
                    Ok(made) => made,
                    Err(f) => {
                        writer.abort_file().map_err(zip)?;
                        return Err(f);
                    }
                }
            }
        };
        let sha256 = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        let written = Written { name: name.clone(), size, sha256 };
        self.names.insert(name.to_lowercase());
        self.members.push(written.clone());
        Ok((written, made))
    }

    /// The digests of all members so far, as `sha256sum` writes them.
    pub(crate) fn sums(&self) -> String {
        let line = |m: &Written| {
            // `sha256sum` marks names that it must escape.
            let odd = m.name.contains(['\\', '\n', '\r']);
            let name = m.name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
            format!("{}{}  {name}\n", if odd { "\\" } else { "" }, m.sha256)
        };
        self.members.iter().map(line).collect()
    }

    /// Ends the archive and puts it in its place: over what is there only if told so.
    pub(crate) fn put(mut self, overwrite: bool) -> Result<(), Fault> {
        let place = self.place;
        match self.out {
            Out::Tar(format) => {
                let io = |e: io::Error| fault(&place, &e);
                let mut packer = Packer::new(format, self.draft.file().try_clone().map_err(io)?).map_err(io)?;
                packer.write_all(&[0; 1024]).map_err(io)?;
                packer.finish().map_err(io)?;
            }
            #[cfg(feature = "zip")]
            Out::Zip(writer) => {
                let told = |e: &dyn std::fmt::Display| Fault::cannot_tell(format!("{}: {e}", place.display()));
                let mut file = writer.finish().map_err(|e| told(&e))?;
                file.flush().map_err(|e| told(&e))?;
            }
        }
        if overwrite { self.draft.put() } else { self.draft.put_new() }
    }
}

/// The head of a member of a tar archive, with a longer name in a head of its own.
fn head(name: &str, size: u64, mode: u32, modified: i64) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(mode & 0o777);
    header.set_mtime(u64::try_from(modified).unwrap_or(0));
    header.set_size(0);
    builder.append_data(&mut header, name, io::empty())?;
    let mut bytes = builder.get_ref().clone();
    // The last head is the member's own; now it gets its size.
    let at = bytes.len() - 512;
    let mut block = [0; 512];
    block.copy_from_slice(&bytes[at..]);
    let mut header = tar::Header::from_byte_slice(&block).clone();
    header.set_size(size);
    header.set_cksum();
    bytes[at..].copy_from_slice(header.as_bytes());
    Ok(bytes)
}

#[cfg(feature = "zip")]
fn zip_time(seconds: i64) -> zip::DateTime {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(jiff::tz::TimeZone::UTC);
    let part = |n: i8| n.unsigned_abs();
    zip::DateTime::from_date_and_time(
        time.year().unsigned_abs(),
        part(time.month()),
        part(time.day()),
        part(time.hour()),
        part(time.minute()),
        part(time.second()),
    )
    .unwrap_or_default()
}

/// The place for a new file of this name: the same with a number if that is taken.
pub(crate) fn free_place(folder: &Path, stem: &str, ending: &str) -> PathBuf {
    let names = (1..).map(|n| if n == 1 { format!("{stem}{ending}") } else { format!("{stem}-{n}{ending}") });
    names.map(|n| folder.join(n)).find(|p| std::fs::symlink_metadata(p).is_err()).unwrap_or_else(|| folder.join(stem))
}
