//! The formats of archives.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use runbook_core::module::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::paths::fault;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) enum Format {
    #[serde(rename = "tar")]
    Tar,
    #[serde(rename = "tar.gz")]
    TarGz,
    #[serde(rename = "tar.zst")]
    TarZst,
    #[serde(rename = "zip")]
    Zip,
    #[serde(rename = "gz")]
    Gz,
    #[serde(rename = "zst")]
    Zst,
}

impl Format {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Tar => "tar",
            Format::TarGz => "tar.gz",
            Format::TarZst => "tar.zst",
            Format::Zip => "zip",
            Format::Gz => "gz",
            Format::Zst => "zst",
        }
    }

    /// The format that a name's ending says, of those that hold several files.
    pub(crate) fn by_name(path: &Path) -> Option<Format> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let ends = |all: &[&str]| all.iter().any(|e| name.ends_with(e));
        match () {
            () if ends(&[".tar.gz", ".tgz"]) => Some(Format::TarGz),
            () if ends(&[".tar.zst", ".tzst"]) => Some(Format::TarZst),
            () if ends(&[".tar"]) => Some(Format::Tar),
            () if ends(&[".zip"]) => Some(Format::Zip),
            () => None,
        }
    }

    /// The format that a file's first bytes tell.
    pub(crate) fn of(path: &Path) -> Result<Format, Fault> {
        let io = |e: std::io::Error| fault(path, &e);
        let mut file = File::open(path).map_err(io)?;
        let mut head = [0; 512];
        let n = fill(&mut file, &mut head).map_err(io)?;
        let head = &head[..n];
        let inner_is_tar = |reader: &mut dyn Read| {
            let mut inner = [0; 512];
            // What is damaged here is found again by whoever reads on.
            let n = fill(reader, &mut inner).unwrap_or(0);
            is_tar(&inner[..n])
        };
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        Ok(match head {
            [0x1f, 0x8b, ..] => {
                if inner_is_tar(&mut flate2::read::MultiGzDecoder::new(BufReader::new(file))) {
                    Format::TarGz
                } else {
                    Format::Gz
                }
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                let mut reader = crate::support::scan::unpack(Path::new("x.zst"), file)?;
                if inner_is_tar(&mut reader) { Format::TarZst } else { Format::Zst }
            }
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Format::Zip,
            head if is_tar(head) => Format::Tar,
            [] => return Err(Fault::unmet(format!("{}: it is empty, and no archive", path.display()))),
            _ => return Err(Fault::unmet(format!("{}: it is no archive: neither tar, gzip, zstd nor zip", path.display()))),
        })
    }
}

fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar") || (head.len() == 512 && head.iter().all(|b| *b == 0))
}

pub(crate) fn fill(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match reader.read(&mut buffer[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}
