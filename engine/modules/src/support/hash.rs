//! Digests of files, by an algorithm of the author's choice.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use md5::Md5;
use runbook_core::module::Fault;
use schemars::JsonSchema;
use serde::Deserialize;
use sha1::Sha1;
use sha2::digest::DynDigest;
use sha2::{Sha256, Sha384, Sha512};

use super::blocking::Stop;
use super::paths::fault;

/// How a digest is computed. `md5` and `sha1` tell an accident, not somebody who means harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
    Sha1,
    Md5,
}

impl Algorithm {
    fn begin(self) -> Box<dyn DynDigest> {
        match self {
            Algorithm::Sha256 => Box::new(Sha256::default()),
            Algorithm::Sha384 => Box::new(Sha384::default()),
            Algorithm::Sha512 => Box::new(Sha512::default()),
            Algorithm::Sha1 => Box::new(Sha1::default()),
            Algorithm::Md5 => Box::new(Md5::default()),
        }
    }
}

/// The digests of a file in hexadecimal, one for each algorithm; the file is read once.
///
/// # Errors
/// If it cannot be read, or the time is over.
pub(crate) fn digests(path: &Path, algorithms: &[Algorithm], stop: &Stop) -> Result<Vec<String>, Fault> {
    let mut file = File::open(path).map_err(|e| fault(path, &e))?;
    let mut hashes: Vec<_> = algorithms.iter().map(|a| a.begin()).collect();
    let mut buffer = vec![0; 1 << 18];
    loop {
        stop.check()?;
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => hashes.iter_mut().for_each(|h| h.update(&buffer[..n])),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(fault(path, &e)),
        }
    }
    Ok(hashes.into_iter().map(|h| h.finalize().iter().map(|b| format!("{b:02x}")).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::blocking::blocking;
    use crate::support::testing::TestHost;

    #[tokio::test]
    async fn the_digests_of_abc_are_known() {
        let host = TestHost::new();
        let path = host.write("abc", "abc");
        let all = [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];
        let out = blocking(None, move |stop| digests(&path, &all, stop)).await.unwrap();
        assert_eq!(out[0], "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(out[1], "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(out[2], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(out[3].starts_with("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163") && out[3].len() == 96);
        assert!(out[4].starts_with("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2") && out[4].len() == 128);
    }
}
