//! An authority of its own and certificates signed by it, made by `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guard::have;

/// An authority in a folder: `ca.pem` is what a client must trust.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate and the authority's, in PEM.
    pub chain: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

fn openssl(folder: &Path, words: &[&str]) {
    let out = Command::new("openssl").args(words).current_dir(folder).output().unwrap();
    assert!(out.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&out.stderr));
}

impl Authority {
    /// Makes one in a folder; `None` without `openssl`.
    pub fn make(folder: &Path) -> Option<Authority> {
        if !have("openssl") {
            return None;
        }
        let config = "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any\n\
             [any]\ncommonName=supplied\n[req]\ndistinguished_name=name\n[name]\n";
        std::fs::write(folder.join("ca.conf"), config).unwrap();
        std::fs::write(folder.join("index.txt"), "").unwrap();
        std::fs::write(folder.join("serial"), "01\n").unwrap();
        let made =
            "req -x509 -config ca.conf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 3650";
        let mut words: Vec<&str> = made.split(' ').collect();
        words.extend(["-subj", "/CN=Test authority", "-addext", "basicConstraints=critical,CA:TRUE"]);
        words.extend(["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-addext", "subjectKeyIdentifier=hash"]);
        openssl(folder, &words);
        Some(Authority { folder: folder.to_owned() })
    }

    /// The authority's certificate.
    pub fn pem(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate that began `from` days from now (negative: ago) and ends `to` days from now. `names` is such as `DNS:localhost,IP:127.0.0.1`.
    pub fn sign(&self, name: &str, names: &str, from: i64, to: i64) -> Certificate {
        let folder = &self.folder;
        let (key, csr, pem, ext) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.only.pem"), format!("{name}.ext"));
        let made = format!(
            "req -config ca.conf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key} -out {csr} -subj /CN={name}"
        );
        openssl(folder, &made.split(' ').collect::<Vec<_>>());
        let extensions = format!("basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={names}\n");
        std::fs::write(folder.join(&ext), extensions).unwrap();
        let day = |n: i64| {
            let out = Command::new("date").args(["-u", &format!("-d@{}", now() + n * 86_400 + 60), "+%Y%m%d%H%M%SZ"]).output();
            String::from_utf8(out.unwrap().stdout).unwrap().trim().to_owned()
        };
        let signed = format!(
            "ca -batch -notext -config ca.conf -cert ca.pem -keyfile ca.key -in {csr} -out {pem} -extfile {ext} -startdate {} -enddate {}",
            day(from),
            day(to)
        );
        openssl(folder, &signed.split(' ').collect::<Vec<_>>());
        let mut chain = std::fs::read(folder.join(&pem)).unwrap();
        chain.extend(std::fs::read(self.pem()).unwrap());
        let whole = folder.join(format!("{name}.pem"));
        std::fs::write(&whole, chain).unwrap();
        Certificate { chain: whole, key: folder.join(key) }
    }
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}
