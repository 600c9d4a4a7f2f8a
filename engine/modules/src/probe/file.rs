//! `file`: what is at a path.

use std::fs::{File as StdFile, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use jiff::Timestamp;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches, hand_word};
use runbook_core::value::{Duration, Size, Time};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::{Mode, OneOrMany, yes};
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::content_type::{LOOKED_AT, content_type};
use crate::support::first_hits::{Hit, Patterns, first_hits};
use crate::support::hash::{Algorithm, digests};
use crate::support::paths::{fault, is_missing, resolve, resource};
use crate::support::process::user_name;

pub(crate) struct File;

/// Looks what is at a path.
///
/// That nothing is there is an ordinary result: without `expect` the step is ok if something exists, and `expect: not exists` asks for
/// the opposite. Links are followed unless `follow: false`; a link to nothing does not exist, and `target` says where it points.
///
/// With `patterns` or `forbidden` the step is ok only if each of `patterns` was found in the file and none of `forbidden`: `lacking` and
/// `unwanted` say which were not and which were. The file is read line by line, in memory that does not grow with it, and no further than the
/// last first occurrence. At most the first 64 KiB of a line are looked at.
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
    /// Regular expressions, or one, that must each be found in some line of the file; `(?i)` before one makes upper and lower case the same. Default: none.
    #[serde(default)]
    patterns: OneOrMany,
    /// Regular expressions, or one, that no line of the file may have. Default: none.
    #[serde(default)]
    forbidden: OneOrMany,
    /// Whether `patterns` and `forbidden` are plain texts rather than regular expressions. Default: false.
    #[serde(default)]
    literal: bool,
    /// Whether to compute the SHA-256 of a regular file. Default: false.
    #[serde(default)]
    sha256: bool,
    /// Compute this digest of a regular file: `sha256`, `sha384`, `sha512`, or `sha1` and `md5`, which only tell accidents; `hash` has it. Default: none.
    #[serde(default)]
    hash: Option<Algorithm>,
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
    /// What the first bytes say that the content is, as a media type such as `application/gzip`: `text/plain` for text without a mark,
    /// `application/octet-stream` for other bytes without one. Null unless it is a regular file that is not empty and may be read.
    content_type: Option<String>,
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
    /// The digest of the content that `hash` asked for, in hexadecimal; null without it or a regular file.
    hash: Option<String>,
    /// Whether a line matches `contains`; null without `contains` or a regular file.
    matches: Option<bool>,
    /// The `patterns` that were found, each with its first line.
    found: Vec<Hit>,
    /// The `patterns` that were not found: all of them if there is no regular file.
    lacking: Vec<String>,
    /// Those of `forbidden` that were found, each with its first line.
    unwanted: Vec<Hit>,
    /// Whether nothing is lacking and nothing is unwanted; true if neither was asked for.
    fits: bool,
    /// Why it counts as not there, such as `no such file or directory`, or what is lacking or unwanted in it; null if nothing is.
    error: Option<String>,
}

impl Probe for File {
    const NAME: &'static str = "file";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "exists and fits | default(true)";
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
        Example {
            title: "Settings that must be there, and one that must not",
            yaml: "file:\n  path: /etc/ssh/sshd_config\n  patterns: ['^PasswordAuthentication no$', '^PermitRootLogin no$']\n  forbidden: '(?i)^permitemptypasswords\\s+yes'\n",
            runs: false,
        },
        Example {
            title: "A backup that is what its name says, and whole",
            yaml: "file: { path: backups/latest.tar.gz, hash: sha512 }\nexpect:\n  - content_type == 'application/gzip'\n  - hash == params.sha512\n",
            runs: false,
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
        let literal = args.flag("literal", false);
        let grep = |pattern: &String| if literal { format!("-F -e {}", hand_word(pattern)) } else { by_hand::grep(pattern) };
        for pattern in &args.list("patterns") {
            hand = hand.and(format!("grep -n -m 1 {} {path}", grep(pattern)));
        }
        let forbidden = args.list("forbidden");
        if !forbidden.is_empty() {
            hand = hand.and("# These must find nothing:");
        }
        for pattern in &forbidden {
            hand = hand.and(format!("grep -n -m 1 {} {path}", grep(pattern)));
        }
        let hash = args.text("hash").filter(|h| !(h == "sha256" && args.flag("sha256", false)));
        hand.and_if(args.flag("sha256", false).then(|| format!("sha256sum {path}")))
            .and_if(hash.map(|h| format!("{} {path}", hand_word(&format!("{h}sum")))))
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([resource(&args.path)])
    }

    fn check(args: &Args) -> Result<(), Fault> {
        Wanted::of(args).map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let path = resolve(cx, "path", &args.path)?;
        let wanted = Wanted::of(args)?;
        let now = cx.now();
        blocking(cx.timeout, move |stop| look(&path, &wanted, now, stop)).await
    }
}

/// What is to be found out.
struct Wanted {
    follow: bool,
    sha256: bool,
    hash: Option<Algorithm>,
    contains: Patterns,
    patterns: Patterns,
    forbidden: Patterns,
}

impl Wanted {
    fn of(args: &Args) -> Result<Wanted, Fault> {
        Ok(Wanted {
            follow: args.follow,
            sha256: args.sha256,
            hash: args.hash,
            contains: Patterns::read("contains", args.contains.as_slice(), false)?,
            patterns: Patterns::read("patterns", &args.patterns.0, args.literal)?,
            forbidden: Patterns::read("forbidden", &args.forbidden.0, args.literal)?,
        })
    }
}

fn look(path: &Path, wanted: &Wanted, now: Timestamp, stop: &Stop) -> Result<Out, Fault> {
    let mut out = Out { path: path.display().to_string(), ..Out::default() };
    out.lacking = wanted.patterns.texts();
    let found = std::fs::symlink_metadata(path);
    if found.as_ref().is_ok_and(Metadata::is_symlink) {
        out.target = std::fs::read_link(path).ok().map(|t| t.display().to_string());
    }
    let meta = match if wanted.follow { std::fs::metadata(path) } else { found } {
        Ok(meta) => meta,
        Err(e) if is_missing(&e) || e.raw_os_error() == Some(libc::ELOOP) => {
            out.error = Some(crate::support::paths::reason(&e));
            out.fits = out.lacking.is_empty();
            return Ok(out);
        }
        Err(e) => return Err(fault(path, &e)),
    };
    describe(&mut out, &meta, now);
    let may = |access: Access| accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
    (out.readable, out.writable, out.executable) = (may(Access::READ_OK), may(Access::WRITE_OK), may(Access::EXEC_OK));
    if meta.is_file() {
        read(&mut out, path, &meta, wanted, stop)?;
    }
    out.fits = out.lacking.is_empty() && out.unwanted.is_empty();
    out.error = (!out.fits).then(|| unfit(&out));
    Ok(out)
}

/// What is wrong with the content, in one line.
fn unfit(out: &Out) -> String {
    let lacking: Vec<String> = out.lacking.iter().map(|p| format!("`{p}`")).collect();
    let unwanted: Vec<String> = out.unwanted.iter().map(|h| format!("`{}` in line {}", h.pattern, h.line)).collect();
    let part = |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
    [part("it lacks", &lacking), part("it has", &unwanted)].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// What the content of a regular file tells.
fn read(out: &mut Out, path: &Path, meta: &Metadata, wanted: &Wanted, stop: &Stop) -> Result<(), Fault> {
    // Files of the kernel have no size, and some of them wait for more when they are read.
    if meta.len() > 0 {
        out.content_type = head(path).ok().and_then(|head| content_type(&head));
    }
    let mut algorithms: Vec<Algorithm> = wanted.hash.into_iter().collect();
    if wanted.sha256 && wanted.hash != Some(Algorithm::Sha256) {
        algorithms.push(Algorithm::Sha256);
    }
    if !algorithms.is_empty() {
        let of = digests(path, &algorithms, stop)?;
        out.hash = wanted.hash.and(of.first().cloned());
        out.sha256 = wanted.sha256.then(|| of.last().cloned()).flatten();
    }
    if wanted.contains.len() > 0 {
        out.matches = Some(first_hits(path, &wanted.contains, stop)?.iter().any(Option::is_some));
    }
    if wanted.patterns.len() > 0 {
        let hits = first_hits(path, &wanted.patterns, stop)?;
        out.lacking = wanted.patterns.texts().into_iter().zip(&hits).filter(|(_, h)| h.is_none()).map(|(text, _)| text).collect();
        out.found = hits.into_iter().flatten().collect();
    }
    if wanted.forbidden.len() > 0 {
        out.unwanted = first_hits(path, &wanted.forbidden, stop)?.into_iter().flatten().collect();
    }
    Ok(())
}

/// The first bytes.
fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    StdFile::open(path)?.take(LOOKED_AT as u64).read_to_end(&mut head)?;
    Ok(head)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args, holds};

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
    async fn digests_are_of_the_algorithm_that_was_asked_for() {
        let host = TestHost::new();
        host.write("abc", "abc");
        let out = ask(&host, json!({ "path": "abc", "hash": "md5" })).await.unwrap();
        assert_eq!((out.hash.as_deref(), out.sha256), (Some("900150983cd24fb0d6963f7d28e17f72"), None));
        let out = ask(&host, json!({ "path": "abc", "hash": "sha1", "sha256": true })).await.unwrap();
        assert_eq!(out.hash.as_deref(), Some("a9993e364706816aba3e25717850c26c9cd0d89d"));
        assert!(out.sha256.unwrap().starts_with("ba7816bf"));
        let out = ask(&host, json!({ "path": "abc", "hash": "sha256", "sha256": true })).await.unwrap();
        assert!(out.hash.is_some() && out.hash == out.sha256);
        let out = ask(&host, json!({ "path": ".", "hash": "sha512" })).await.unwrap();
        assert_eq!(out.hash, None);
    }

    #[tokio::test]
    async fn the_first_line_of_each_pattern_is_told() {
        let host = TestHost::new();
        host.write("conf", "# port = 1\nport = 7000\nport = 7001\ndebug = [on]\n");
        let call = json!({ "path": "conf", "patterns": ["^port", "^host", "(?i)DEBUG"], "forbidden": ["^debug", "^never"] });
        let out = ask(&host, call).await.unwrap();
        let hits = |hits: &[Hit]| hits.iter().map(|h| (h.pattern.clone(), h.line, h.text.clone())).collect::<Vec<_>>();
        let hit = |p: &str, n: u64, t: &str| (p.to_owned(), n, t.to_owned());
        assert_eq!(hits(&out.found), [hit("^port", 2, "port = 7000"), hit("(?i)DEBUG", 4, "debug = [on]")]);
        assert_eq!(out.lacking, ["^host"]);
        assert_eq!(hits(&out.unwanted), [hit("^debug", 4, "debug = [on]")]);
        assert_eq!(out.error.as_deref(), Some("it lacks `^host`; it has `^debug` in line 4"));
        assert!(!out.fits && !holds(File::VERDICT, &out));
        let out = ask(&host, json!({ "path": "conf", "patterns": "[on]", "forbidden": "^port", "literal": true })).await.unwrap();
        assert_eq!((out.found[0].line, out.lacking.len(), out.unwanted.len()), (4, 0, 0));
        assert!(out.fits && out.error.is_none() && holds(File::VERDICT, &out));
        assert!(holds(File::VERDICT, &json!({ "exists": true, "fits": null })), "a script that says little");
        // What is not there, and what has no lines, lacks everything.
        for path in ["gone", "."] {
            let out = ask(&host, json!({ "path": path, "patterns": ["a", "b"], "forbidden": "c" })).await.unwrap();
            assert_eq!((out.lacking.len(), out.found.len(), out.unwanted.len()), (2, 0, 0), "{path}");
        }
        let out = ask(&host, json!({ "path": "conf" })).await.unwrap();
        assert!(out.lacking.is_empty() && out.fits);
        let out = ask(&host, json!({ "path": "gone" })).await.unwrap();
        assert!(out.fits && !holds(File::VERDICT, &out));
    }

    #[tokio::test]
    async fn the_content_tells_its_kind() {
        let host = TestHost::new();
        host.write("page.txt", "hello\n");
        host.write("empty", "");
        std::fs::write(host.file("fake.txt"), b"PK\x03\x04\x14\x00\x00\x00").unwrap();
        let kind = async |path: &str| ask(&host, json!({ "path": path })).await.unwrap().content_type;
        assert_eq!(kind("page.txt").await.as_deref(), Some("text/plain"));
        assert_eq!(kind("fake.txt").await.as_deref(), Some("application/zip"));
        assert_eq!(
            (kind("empty").await, kind(".").await, kind("gone").await, kind("/proc/uptime").await),
            (None, None, None, None)
        );
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
        for bad in
            [json!({ "path": "" }), json!({ "path": "a", "contains": "(" }), json!({ "path": "a", "patterns": ["a", "("] })]
        {
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
