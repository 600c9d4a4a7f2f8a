//! Starts a program that ends with the test, however the test ends.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any server takes to start, and short enough to find out that it never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends the server when its standard input ends, which it does when whoever holds the other end is gone, and removes the folder.
/// `$1` is the signal, `$2` the folder, the rest the program. `setsid` gives the server a group of its own, so that all of it ends.
const GUARD: &str = r#"
signal=$1 folder=$2; shift 2
setsid "$@" </dev/null >"$folder/output" 2>&1 &
pid=$!
cat >/dev/null
kill -s "$signal" "$pid" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  kill -0 "$pid" 2>/dev/null || break
  sleep 0.1
done
kill -s KILL -- "-$pid" 2>/dev/null
wait "$pid" 2>/dev/null
rm -rf -- "$folder"
"#;

/// A program that ends when this is dropped or the test's own process ends, with a folder that goes with it.
#[derive(Debug)]
pub struct Guarded {
    guard: Child,
    folder: PathBuf,
}

/// A fresh folder below the temporary one, which its [`Guarded`] removes. Others may look into it: a server may run as another user.
pub fn fresh_folder(name: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::Builder::new().prefix(&format!("runbook-{name}-")).tempdir().unwrap().keep();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

impl Guarded {
    /// Starts `argv` with `folder` as its place; `signal` is what asks it to end at once, such as `TERM`.
    pub fn start<S: Into<OsString>>(folder: &Path, signal: &str, argv: impl IntoIterator<Item = S>) -> Guarded {
        Guarded::start_with(folder, signal, argv, &[])
    }

    /// The same with variables added to its environment.
    pub fn start_with<S: Into<OsString>>(
        folder: &Path,
        signal: &str,
        argv: impl IntoIterator<Item = S>,
        env: &[(&str, &str)],
    ) -> Guarded {
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard", signal])
            .arg(folder)
            .args(argv.into_iter().map(Into::into))
            .envs(env.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell starts");
        Guarded { guard, folder: folder.to_owned() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the program has written to its standard output and error so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("output")).unwrap_or_default()).into_owned()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Whether a program is there to be run. With `RUNBOOK_REQUIRE=all` it must be.
pub fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = program.contains('/') && Path::new(program).exists()
        || !program.contains('/') && std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    assert!(
        found || std::env::var("RUNBOOK_REQUIRE").as_deref() != Ok("all"),
        "{program} is not here, and all suites are required: run tests/run, which installs it"
    );
    found
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Asks again and again until the answer is yes.
///
/// # Panics
/// If it never is; `about` says what was written by whom we waited for.
pub fn until(what: &str, about: impl Fn() -> String, mut ask: impl FnMut() -> bool) {
    let started = Instant::now();
    while !ask() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}\n{}", about());
        std::thread::sleep(Duration::from_millis(5));
    }
}
