//! A PostgreSQL server.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::guard::{Guarded, free_port, fresh_folder, have, until};

/// A PostgreSQL server with `pg_stat_statements`, passwords on TCP and on its Unix socket, and TLS if `openssl` is there. One is shared by all
/// tests of a process; each takes a database of its own.
#[derive(Debug)]
pub struct Postgres {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Whether it speaks TLS, with the certificate in `server.crt` of its folder.
    pub tls: bool,
    server: Guarded,
}

/// The folder of PostgreSQL's own programs, of the newest version.
fn programs() -> Option<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|e| e.path().join("bin")).collect();
    all.retain(|bin| bin.join("postgres").is_file());
    all.sort();
    all.pop()
}

/// Runs as `postgres`, since the server refuses root.
fn as_postgres(program: &Path) -> Vec<String> {
    let mut argv: Vec<String> = Vec::new();
    if std::fs::metadata("/root").is_ok_and(|_| std::fs::read_dir("/root").is_ok()) {
        argv.extend(["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"].map(str::to_owned));
    }
    argv.push(program.display().to_string());
    argv
}

fn run(argv: &[String], folder: &Path) {
    let done = Command::new(&argv[0]).args(&argv[1..]).current_dir(folder).env("LC_ALL", "C").output().unwrap();
    assert!(done.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&done.stderr));
}

impl Postgres {
    /// The superuser.
    pub const USER: &'static str = "postgres";
    /// The superuser's password.
    pub const PASSWORD: &'static str = "s3cret-of-postgres";
    /// A user without rights of its own, with the password `app-password`.
    pub const APP: &'static str = "app";

    /// The server that the tests of this process share.
    pub fn shared() -> Option<&'static Postgres> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(Postgres::start).as_ref()
    }

    /// Starts one.
    pub fn start() -> Option<Postgres> {
        let Some(bin) = programs() else {
            have("/usr/lib/postgresql/postgres");
            return None;
        };
        if !have("psql") {
            return None;
        }
        let folder = fresh_folder("postgres");
        let owned = folder.join("data");
        let root = as_postgres(&bin.join("postgres")).len() > 1;
        for place in [&owned, &folder.join("socket")] {
            std::fs::create_dir(place).unwrap();
            if root {
                run(&["chown".to_owned(), "postgres:postgres".to_owned(), place.display().to_string()], &folder);
            }
        }
        std::fs::write(folder.join("password"), Self::PASSWORD).unwrap();
        let mut initdb = as_postgres(&bin.join("initdb"));
        let data = owned.display().to_string();
        initdb.extend(
            ["-D", &data, "-U", Self::USER, "-A", "scram-sha-256", "--no-sync", "-E", "UTF8", "--locale=C"].map(str::to_owned),
        );
        initdb.push(format!("--pwfile={}", folder.join("password").display()));
        run(&initdb, &folder);
        let tls = certificate(&folder, &owned, root);
        let port = free_port();
        let mut argv = as_postgres(&bin.join("postgres"));
        let socket = folder.join("socket").display().to_string();
        argv.extend(["-D", &data, "-p", &port.to_string(), "-k", &socket, "-h", "127.0.0.1"].map(str::to_owned));
        for option in ["fsync=off", "full_page_writes=off", "shared_preload_libraries=pg_stat_statements", "max_connections=60"] {
            argv.extend(["-c".to_owned(), option.to_owned()]);
        }
        if tls {
            argv.extend(["-c".to_owned(), "ssl=on".to_owned()]);
        }
        let server = Postgres { port, tls, server: Guarded::start(&folder, "INT", argv) };
        until("PostgreSQL answers", || server.server.output(), || server.psql("postgres", "SELECT 1").status.success());
        let made = server.psql("postgres", "CREATE ROLE app LOGIN PASSWORD 'app-password'");
        assert!(made.status.success(), "{made:?}");
        Some(server)
    }

    /// Makes a database of its own for a test.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let made = self.psql("postgres", &format!("CREATE DATABASE {name}"));
        assert!(made.status.success(), "{made:?}");
        name
    }

    /// Runs `psql -c` as the superuser: what a person would type.
    pub fn psql(&self, database: &str, sql: &str) -> Output {
        self.command("psql").args(["-X", "-A", "-t", "-d", database, "-c", sql]).output().unwrap()
    }

    /// What a query gives, as text.
    pub fn value(&self, database: &str, sql: &str) -> String {
        let done = self.psql(database, sql);
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// A program of PostgreSQL that speaks with this server as the superuser.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string());
        command.env("PGUSER", Self::USER).env("PGPASSWORD", Self::PASSWORD);
        command
    }

    /// The folder of its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.server.folder().join("socket")
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }
}

/// Makes a certificate for 127.0.0.1, if that can be done.
fn certificate(folder: &Path, data: &Path, root: bool) -> bool {
    if !have("openssl") {
        return false;
    }
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=runbook-test"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.arg("-keyout").arg(data.join("server.key")).arg("-out").arg(data.join("server.crt"));
    if !openssl.output().unwrap().status.success() {
        return false;
    }
    std::fs::copy(data.join("server.crt"), folder.join("server.crt")).unwrap();
    if root {
        let files = ["server.key", "server.crt"].map(|f| data.join(f).display().to_string());
        run(&["chown".to_owned(), "postgres:postgres".to_owned(), files[0].clone(), files[1].clone()], folder);
    }
    true
}
