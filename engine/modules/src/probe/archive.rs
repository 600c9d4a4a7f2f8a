//! `archive`: whether an archive is whole, and what is in it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches};
use runbook_core::value::{Duration, Size, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::support::archive::format::Format;
use crate::support::archive::read::{Kind, Member, WalkFault, damaged, walk};
use crate::support::archive::write::SUMS;
use crate::support::args::OneOrMany;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::fileset::{Names, modified};
use crate::support::paths::{fault, resolve, resource};

pub(crate) struct Archive;

/// Reads an archive from its first to its last byte, and tells whether it is whole.
///
/// Without `expect` the step is ok if the archive is whole, holds everything that `members` names, and every file in it has the digest that its list of
/// digests (`SHA256SUMS`) says, if it has one. All data is unpacked and every check sum of the format is checked; nothing is written.
///
/// Known are `tar`, `tar.gz`, `tar.zst`, `zip`, and single files in `gz` and `zst`, by their content and not by their names. A missing file and a damaged archive
/// fail the step, an encrypted one cannot be told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The archive; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// Patterns of names that must be in it, such as `*.db` or `config/*.json`. Default: none.
    #[serde(default)]
    members: Option<OneOrMany>,
    /// How many of the members to list, at most 10000. Default: 100.
    #[serde(default = "hundred")]
    #[schemars(range(max = 10_000))]
    list: u32,
    /// Whether to compute the SHA-256 of the members that are listed and of the archive itself. Default: false.
    #[serde(default)]
    sha256: bool,
}

fn hundred() -> u32 {
    100
}

/// What is in it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The archive, as an absolute path.
    path: String,
    /// The format: `tar`, `tar.gz`, `tar.zst`, `zip`, `gz` or `zst`.
    format: &'static str,
    /// Whether it could be read to its end, with every check sum.
    whole: bool,
    /// The number of files in it; folders and links are not counted.
    count: u64,
    /// The size of all files in it, unpacked.
    unpacked_size: Size,
    /// Its own size.
    size: Size,
    /// When it was last changed.
    modified: Time,
    /// How long ago that was.
    age: Duration,
    /// The SHA-256 of the archive; null unless `sha256` was asked for.
    sha256: Option<String>,
    /// Its members, as many as `list` says.
    members: Vec<MemberOut>,
    /// The patterns of `members` that nothing stands for.
    missing: Vec<String>,
    /// Whether the digests of its `SHA256SUMS` are those of its files; null if there is no such list.
    sums_match: Option<bool>,
    /// The names whose digests differ or that are not there though listed.
    sums_differ: Vec<String>,
    /// The names with which it must not be unpacked, since they lead out of the folder; at most 100.
    unsafe_names: Vec<String>,
    /// What is wrong with it; null if nothing is.
    error: Option<String>,
}

/// A member of an archive.
#[derive(Debug, Serialize, JsonSchema)]
struct MemberOut {
    /// Its name.
    name: String,
    /// `file`, `directory`, `symlink`, `hardlink` or `other`.
    kind: &'static str,
    /// Its size, unpacked.
    size: Size,
    /// When it was last changed; null if that is not written there.
    modified: Option<Time>,
    /// Where it points, if it is a link; null otherwise.
    target: Option<String>,
    /// Its SHA-256; null unless `sha256` was asked for, or if it is no file.
    sha256: Option<String>,
}

impl Probe for Archive {
    const NAME: &'static str = "archive";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "whole and missing | length == 0 and (sums_match is none or sums_match)";
    const SAYS: &'static str = "{{ count }} files, {{ unpacked_size }} in {{ size }}";
    const COLUMNS: &'static [&'static str] = &["count"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "The backup of last night can be read and is not an empty one",
            yaml: "archive: { path: backups/20260215.tar.gz, members: ['*.db', 'config/*.json'] }\nexpect:\n  - whole\n  - missing == []\n  - age < 26h\n",
            runs: false,
        },
        Example { title: "A file that is not there fails the step", yaml: "archive: '{tmp}/gone.tar.gz'\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let name = args.or("path", "").to_lowercase();
        let ends = |all: &[&str]| all.iter().any(|e| name.ends_with(e));
        let line = match () {
            () if ends(&[".zip"]) => format!("unzip -t {path}"),
            () if ends(&[".tar.zst", ".tzst"]) => format!("zstd -t {path} && tar --zstd -tvf {path}"),
            () if ends(&[".tar.gz", ".tgz"]) => format!("gzip -t {path} && tar -tvzf {path}"),
            () if ends(&[".gz"]) => format!("gzip -t {path}"),
            () if ends(&[".zst"]) => format!("zstd -t {path}"),
            () => format!("tar -tvf {path}"),
        };
        let wanted = args.list("members");
        let also = if wanted.is_empty() { String::new() } else { format!("; {} are listed", wanted.join(", ")) };
        ByHand::run(line).expect(format!("no error{also}"))
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([resource(&args.path)])
    }

    fn check(args: &Args) -> Result<(), Fault> {
        Names::new("members", args.members.as_ref().map_or(&[][..], |m| &m.0)).map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let path = resolve(cx, "path", &args.path)?;
        let wanted = args.members.as_ref().map_or_else(Vec::new, |m| m.0.clone());
        let (list, sha256, now) = (args.list.min(10_000) as usize, args.sha256, cx.now());
        blocking(cx.timeout, move |stop| look(&path, &wanted, list, sha256, now, stop)).await
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

fn look(path: &Path, wanted: &[String], list: usize, sha256: bool, now: Timestamp, stop: &Stop) -> Result<Out, Fault> {
    let meta = std::fs::metadata(path).map_err(|e| fault(path, &e))?;
    if !meta.is_file() {
        return Err(Fault::unmet(format!("{} is not a regular file", path.display())));
    }
    let format = Format::of(path)?;
    let changed = modified(&meta);
    let mut out = Out {
        path: path.display().to_string(),
        format: format.name(),
        whole: false,
        count: 0,
        unpacked_size: Size(0),
        size: Size(meta.len()),
        modified: Time(changed),
        age: Duration(now.duration_since(changed)),
        sha256: None,
        members: Vec::new(),
        missing: Vec::new(),
        sums_match: None,
        sums_differ: Vec::new(),
        unsafe_names: Vec::new(),
        error: None,
    };
    let patterns: Vec<Names> = wanted.iter().map(|w| Names::new("members", std::slice::from_ref(w))).collect::<Result<_, _>>()?;
    let mut seen = vec![false; patterns.len()];
    let mut digests: BTreeMap<String, String> = BTreeMap::new();
    let mut sums: Option<String> = None;
    let walked = walk(path, format, &mut |member, reader| {
        stop.check()?;
        if member.unsafe_name().is_some() && out.unsafe_names.len() < 100 {
            out.unsafe_names.push(member.name.clone());
        }
        let name = member.name.trim_start_matches("./");
        for (pattern, seen) in patterns.iter().zip(&mut seen) {
            *seen |= pattern.fit(Path::new(name));
        }
        let mut digest = None;
        let mut size = member.size;
        if member.kind == Kind::File {
            let is_sums = Path::new(name).file_name().is_some_and(|n| n == SUMS) && !name.contains('/');
            let (read, hash, text) = read(reader, is_sums, stop)?;
            size = read;
            out.count += 1;
            out.unpacked_size.0 += read;
            if is_sums {
                sums = Some(String::from_utf8_lossy(&text).into_owned());
            }
            if digests.len() < 100_000 {
                digests.insert(name.to_owned(), hash.clone());
            }
            digest = Some(hash).filter(|_| sha256);
        }
        if out.members.len() < list {
            out.members.push(told(member, size, digest));
        }
        Ok(())
    });
    match walked {
        Ok(()) => out.whole = true,
        Err(WalkFault::Damaged(why)) => {
            out.error = Some(why.clone());
            return Err(Fault::unmet_with(format!("{}: the archive is damaged: {why}", path.display()), out));
        }
        Err(WalkFault::Fault(fault)) => return Err(fault),
    }
    out.missing = wanted.iter().zip(&seen).filter(|(_, seen)| !**seen).map(|(w, _)| w.clone()).collect();
    if let Some(sums) = sums {
        out.sums_differ = differ(&sums, &digests);
        out.sums_match = Some(out.sums_differ.is_empty());
    }
    if sha256 {
        let mut file = std::fs::File::open(path).map_err(|e| fault(path, &e))?;
        out.sha256 = Some(read(&mut file, false, stop).map_err(|e| e.at(path))?.1);
    }
    Ok(out)
}

/// Reads to the end: how much there was, its digest, and the text if it is wanted.
fn read(reader: &mut dyn Read, keep: bool, stop: &Stop) -> Result<(u64, String, Vec<u8>), WalkFault> {
    let (mut size, mut hash, mut text) = (0, Sha256::new(), Vec::new());
    let mut buffer = vec![0; 1 << 17];
    loop {
        stop.check()?;
        match reader.read(&mut buffer) {
            Ok(0) => return Ok((size, hex(hash), text)),
            Ok(n) => {
                size += n as u64;
                hash.update(&buffer[..n]);
                if keep && text.len() < 64 << 20 {
                    text.extend_from_slice(&buffer[..n]);
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(damaged(&e)),
        }
    }
}

/// The names in a list of digests whose files have others, or are not there.
fn differ(sums: &str, digests: &BTreeMap<String, String>) -> Vec<String> {
    sums.lines()
        .filter_map(|line| {
            let (digest, name) = line.trim_start_matches('\\').split_once("  ").or_else(|| line.split_once(" *"))?;
            let name = name.replace("\\n", "\n").replace("\\r", "\r").replace("\\\\", "\\");
            let name = name.trim_start_matches("./").to_owned();
            (digests.get(&name).map(String::as_str) != Some(digest.to_lowercase().as_str())).then_some(name)
        })
        .collect()
}

fn told(member: &Member, size: u64, sha256: Option<String>) -> MemberOut {
    MemberOut {
        name: member.name.clone(),
        kind: match member.kind {
            Kind::File => "file",
            Kind::Folder => "directory",
            Kind::Symlink => "symlink",
            Kind::Hardlink => "hardlink",
            Kind::Other => "other",
        },
        size: Size(size),
        modified: member.modified.and_then(|s| Timestamp::from_second(s).ok()).map(Time),
        target: member.link.clone(),
        sha256,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn ask(host: &TestHost, json: serde_json::Value) -> Result<Out, Fault> {
        let args: Args = args(json);
        Archive::check(&args)?;
        Archive::observe(&args, &host.cx()).await
    }

    fn sh(host: &TestHost, script: &str) -> bool {
        Command::new("sh").args(["-c", script]).current_dir(host.root()).status().unwrap().success()
    }

    #[tokio::test]
    async fn archives_of_the_usual_tools_are_read() {
        let host = TestHost::new();
        host.write("in/a.db", "hello");
        host.write("in/config/b.json", "{}");
        let sums = "cd in && sha256sum a.db config/b.json > SHA256SUMS";
        assert!(sh(
            &host,
            &format!(
                "{sums} && cd .. && tar -cf x.tar -C in . && tar -czf x.tgz -C in . && gzip -k x.tar && ln -s a.db in/link && tar -cf l.tar -C in ."
            )
        ));
        for (name, format) in [("x.tar", "tar"), ("x.tgz", "tar.gz"), ("x.tar.gz", "tar.gz"), ("l.tar", "tar")] {
            let out = ask(&host, json!({ "path": name, "members": ["*.db", "config/*.json", "*.gone"], "sha256": true }))
                .await
                .unwrap();
            assert_eq!(
                (out.format, out.whole, out.count, out.missing.len(), out.sums_match),
                (format, true, 3, 1, Some(true)),
                "{out:?}"
            );
            assert!(out.sha256.unwrap().len() == 64 && out.unsafe_names.is_empty());
        }
        host.write("plain.txt", "text ".repeat(500));
        assert!(sh(&host, "gzip -k plain.txt"));
        let out = ask(&host, json!({ "path": "plain.txt.gz" })).await.unwrap();
        assert_eq!((out.format, out.count, out.unpacked_size, out.members[0].name.as_str()), ("gz", 1, Size(2500), "plain.txt"));
    }

    #[tokio::test]
    async fn damage_is_found_wherever_it_is() {
        let host = TestHost::new();
        let noise: Vec<u8> = (0..200_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        host.write("in/a.bin", &noise);
        assert!(sh(&host, "tar -czf x.tgz -C in . && tar -cf x.tar -C in ."));
        let whole = std::fs::read(host.file("x.tgz")).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        let plain = std::fs::read(host.file("x.tar")).unwrap();
        for (name, bytes) in [
            ("cut.tgz", &whole[..whole.len() / 2]),
            ("end.tgz", &whole[..whole.len() - 4]),
            ("flipped.tgz", &flipped[..]),
            ("cut.tar", &plain[..plain.len() / 2]),
            ("ended.tar", &plain[..201_216.min(plain.len())]),
        ] {
            host.write(name, bytes);
            let fault = ask(&host, json!({ "path": name })).await.unwrap_err();
            assert!(
                matches!(&fault, Fault::Unmet { message, result } if message.contains("damaged") && result["whole"] == false),
                "{name}: {fault:?}"
            );
        }
        // A file that is there and has a size says nothing.
        assert!(host.file("cut.tgz").metadata().unwrap().len() > 1000);
    }

    #[tokio::test]
    async fn digests_that_differ_and_names_that_lead_out_are_told() {
        let host = TestHost::new();
        host.write("in/a", "hello");
        host.write("in/SHA256SUMS", format!("{}  a\n{}  gone\n", "0".repeat(64), "1".repeat(64)));
        assert!(sh(&host, "tar -cPf x.tar -C in a SHA256SUMS ../in/a"));
        let out = ask(&host, json!({ "path": "x.tar" })).await.unwrap();
        assert_eq!((out.sums_match, out.sums_differ), (Some(false), vec!["a".to_owned(), "gone".to_owned()]));
        assert_eq!(out.unsafe_names, ["../in/a"]);
    }

    #[tokio::test]
    async fn what_is_no_archive_is_said_to_be_none() {
        let host = TestHost::new();
        host.write("a.tar", "no archive");
        host.write("empty.tar.gz", "");
        for (name, word) in
            [("a.tar", "no archive"), ("empty.tar.gz", "empty"), ("gone.zip", "no such file"), (".", "not a regular file")]
        {
            let fault = ask(&host, json!({ "path": name })).await.unwrap_err();
            assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(word)), "{name}: {fault:?}");
        }
    }
}
