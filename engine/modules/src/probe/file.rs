//! `file`: what is at a path.

use std::fs::{File as StdFile, Metadata};
use std::io::{BufReader, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use jiff::Timestamp;
use regex::bytes::Regex;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches};
use runbook_core::value::{Duration, Size, Time};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::support::args::{Mode, yes};
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::lines::Lines;
use crate::support::paths::{fault, is_missing, resolve, resource};
use crate::support::process::user_name;

pub(crate) struct File;

/// Looks what is at a path.
///
/// That nothing is there is an ordinary result: without `expect` the step is ok if something exists, and `expect: not exists` asks for
/// the opposite. Links are followed unless `follow: false`; a link to nothing does not exist, and `target` says where it points.
///
/// `readable`, `writable` and `executable` say what the user that runs this may do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The path; relative ones start at the project root, `~/` at the home folder.
    #[schemars(length(min = 1))]
    path: String,
    /// Whether to describe what a link points to rather than the link. Default: true.
    #[serde(default = "yes")]
    follow: bool,
    /// A regular expression that is looked for in each line of the file; `matches` says whether one has it. Default: none.
    #[serde(default)]
    #[schemars(extend("format" = "regex"))]
    contains: Option<String>,
    /// Whether to compute the SHA-256 of a regular file. Default: false.
    #[serde(default)]
    sha256: bool,
}

/// What is there.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The path that was looked at, made absolute.
    path: String,
    /// Whether something is there.
    exists: bool,
    /// `file`, `directory`, `symlink`, `socket`, `fifo`, `block_device` or `char_device`; null if nothing is there.
    kind: Option<&'static str>,
    /// The size; null if nothing is there.
    size: Option<Size>,
    /// The permissions in octal, such as `0644`.
    mode: Option<String>,
    /// The owner's name, or number if it has no name.
    owner: Option<String>,
    /// The group's name, or number if it has no name.
    group: Option<String>,
    /// The owner's number.
    uid: Option<u32>,
    /// The group's number.
    gid: Option<u32>,
    /// When the content was last changed.
    modified: Option<Time>,
    /// How long ago that was; negative if it lies in the future.
    age: Option<Duration>,
    /// Whether we may read it.
    readable: bool,
    /// Whether we may write to it.
    writable: bool,
    /// Whether we may run it, or enter it if it is a folder.
    executable: bool,
    /// Where the link at this path points, as it is written in the link; null if it is none.
    target: Option<String>,
    /// The SHA-256 of the content in hexadecimal; null unless `sha256` was asked for.
    sha256: Option<String>,
    /// Whether a line matches `contains`; null without `contains` or a regular file.
    matches: Option<bool>,
    /// Why it counts as not there, such as `no such file or directory`; null if it is.
    error: Option<String>,
}

impl Probe for File {
    const NAME: &'static str = "file";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "exists";
    const SAYS: &'static str = "{{ kind ~ ', ' ~ size ~ ', ' ~ mode if exists else 'not there' }}";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "It is there", yaml: "file: /etc/hostname\n", runs: true },
        Example { title: "It is not there", yaml: "file: '{tmp}/maintenance.flag'\nexpect: not exists\n", runs: true },
        Example {
            title: "A fresh backup that only its owner can read",
            yaml: "file: backups/latest.db\nexpect:\n  - size > 1KB\n  - age < 26h\n  - mode == '0600'\n",
            runs: false,
        },
        Example {
            title: "A setting in a file",
            yaml: "file: { path: /etc/passwd, contains: '^root:' }\nexpect: matches\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let follow = if args.flag("follow", true) { "stat -L" } else { "stat" };
        let mut hand = ByHand::run(format!("{follow} {path}")).expect("it is there");
        if let Some(pattern) = args.text("contains") {
            hand = hand.and(format!("grep -n {} {path}", by_hand::grep(&pattern)));
        }
        hand.and_if(args.flag("sha256", false).then(|| format!("sha256sum {path}")))
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([resource(&args.path)])
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let path = resolve(cx, "path", &args.path)?;
        let pattern = match &args.contains {
            Some(p) => Some(Regex::new(p).map_err(|e| Fault::invalid("contains", e.to_string()))?),
            None => None,
        };
        let (follow, sha256, now) = (args.follow, args.sha256, cx.now());
        blocking(cx.timeout, move |stop| look(&path, follow, sha256, pattern.as_ref(), now, stop)).await
    }
}

fn look(path: &Path, follow: bool, sha256: bool, pattern: Option<&Regex>, now: Timestamp, stop: &Stop) -> Result<Out, Fault> {
    let mut out = Out { path: path.display().to_string(), ..Out::default() };
    let found = std::fs::symlink_metadata(path);
    if found.as_ref().is_ok_and(Metadata::is_symlink) {
        out.target = std::fs::read_link(path).ok().map(|t| t.display().to_string());
    }
    let meta = match if follow { std::fs::metadata(path) } else { found } {
        Ok(meta) => meta,
        Err(e) if is_missing(&e) || e.raw_os_error() == Some(libc::ELOOP) => {
            out.error = Some(crate::support::paths::reason(&e));
            return Ok(out);
        }
        Err(e) => return Err(fault(path, &e)),
    };
    describe(&mut out, &meta, now);
    let may = |access: Access| accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
    (out.readable, out.writable, out.executable) = (may(Access::READ_OK), may(Access::WRITE_OK), may(Access::EXEC_OK));
    if meta.is_file() {
        if sha256 {
            out.sha256 = Some(digest(path, stop)?);
        }
        if let Some(pattern) = pattern {
            out.matches = Some(has_line(path, pattern, stop)?);
        }
    }
    Ok(out)
}

fn describe(out: &mut Out, meta: &Metadata, now: Timestamp) {
    let kind = meta.file_type();
    out.exists = true;
    out.kind = Some(match () {
        () if kind.is_file() => "file",
        () if kind.is_dir() => "directory",
        () if kind.is_symlink() => "symlink",
        () if kind.is_socket() => "socket",
        () if kind.is_fifo() => "fifo",
        () if kind.is_block_device() => "block_device",
        () => "char_device",
    });
    out.size = Some(Size(meta.len()));
    out.mode = Some(Mode::of(meta.mode()).to_string());
    (out.uid, out.gid) = (Some(meta.uid()), Some(meta.gid()));
    (out.owner, out.group) = (Some(user_name(meta.uid())), Some(group_name(meta.gid())));
    if let Ok(modified) = Timestamp::new(meta.mtime(), i32::try_from(meta.mtime_nsec()).unwrap_or_default()) {
        out.modified = Some(Time(modified));
        out.age = Some(Duration(now.duration_since(modified)));
    }
}

/// The name of a group, or the number if the system's list does not have it.
fn group_name(gid: u32) -> String {
    let list = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let named = list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse::<u32>().ok()? == gid).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| gid.to_string())
}

fn digest(path: &Path, stop: &Stop) -> Result<String, Fault> {
    let mut file = StdFile::open(path).map_err(|e| fault(path, &e))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        stop.check()?;
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => hash.update(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(fault(path, &e)),
        }
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

fn has_line(path: &Path, pattern: &Regex, stop: &Stop) -> Result<bool, Fault> {
    let file = StdFile::open(path).map_err(|e| fault(path, &e))?;
    let mut lines = Lines::new(BufReader::with_capacity(1 << 16, file), 0);
    while let Some(line) = lines.next(stop).map_err(|e| e.at(path))? {
        if pattern.is_match(line.text) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn ask(host: &TestHost, json: serde_json::Value) -> Result<Out, Fault> {
        File::observe(&args(json), &host.cx()).await
    }

    #[tokio::test]
    async fn a_file_with_everything() {
        let host = TestHost::new();
        let path = host.write("a", "hello\nport = 7000\n");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let out = ask(&host, json!({ "path": "a", "sha256": true, "contains": "^port\\s*=" })).await.unwrap();
        assert!(out.exists && out.readable && out.writable);
        assert_eq!((out.kind, out.size, out.mode.as_deref()), (Some("file"), Some(Size(18)), Some("0600")));
        assert_eq!(out.matches, Some(true));
        assert_eq!(out.sha256.unwrap().len(), 64);
        assert!(out.age.unwrap().0.as_secs().abs() < 60);
        assert_eq!(out.uid, Some(path.metadata().unwrap().uid()));
        let out = ask(&host, json!({ "path": "a", "contains": "^missing" })).await.unwrap();
        assert_eq!((out.matches, out.sha256), (Some(false), None));
        let out = ask(&host, json!({ "path": "." })).await.unwrap();
        assert_eq!((out.kind, out.matches), (Some("directory"), None));
    }

    #[tokio::test]
    async fn the_digest_is_known() {
        let host = TestHost::new();
        host.write("abc", "abc");
        let out = ask(&host, json!({ "path": "abc", "sha256": true })).await.unwrap();
        assert_eq!(out.sha256.as_deref(), Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    }

    #[tokio::test]
    async fn nothing_is_a_result() {
        let host = TestHost::new();
        host.write("file", "");
        for gone in ["gone", "gone/deeper", "file/inside"] {
            let out = ask(&host, json!({ "path": gone })).await.unwrap();
            assert!(!out.exists && out.kind.is_none() && out.error.is_some(), "{out:?}");
        }
    }

    #[tokio::test]
    async fn links_are_followed_or_not() {
        let host = TestHost::new();
        host.write("real", "x");
        symlink("real", host.file("link")).unwrap();
        symlink("gone", host.file("dangling")).unwrap();
        symlink("loop", host.file("loop")).unwrap();
        let out = ask(&host, json!({ "path": "link" })).await.unwrap();
        assert_eq!((out.kind, out.target.as_deref()), (Some("file"), Some("real")));
        let out = ask(&host, json!({ "path": "link", "follow": false })).await.unwrap();
        assert_eq!(out.kind, Some("symlink"));
        let out = ask(&host, json!({ "path": "dangling" })).await.unwrap();
        assert_eq!((out.exists, out.target.as_deref()), (false, Some("gone")));
        assert!(!ask(&host, json!({ "path": "loop" })).await.unwrap().exists);
    }

    #[tokio::test]
    async fn nonsense_is_invalid() {
        let host = TestHost::new();
        host.write("a", "");
        for bad in [json!({ "path": "" }), json!({ "path": "a", "contains": "(" })] {
            assert!(matches!(ask(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_time_in_the_future_has_a_negative_age() {
        let host = TestHost::new();
        let path = host.write("a", "");
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
        std::fs::File::open(&path).unwrap().set_modified(later).unwrap();
        let out = ask(&host, json!({ "path": "a" })).await.unwrap();
        assert!(out.age.unwrap().0.is_negative());
    }
}
