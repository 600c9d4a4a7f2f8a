//! `archive.extract`: unpacks an archive into a folder, and nowhere else.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::{Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::archive::format::Format;
use crate::support::archive::read::{Kind, Member, WalkFault, damaged, walk};
use crate::support::args::OneOrMany;
use crate::support::atomic::sync_folder;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::fileset::Names;
use crate::support::paths::{check_parent, fault, look, make_parents, parent, resolve, resource, tidy};
use crate::support::tree::many;

pub(crate) struct ArchiveExtract;

/// Unpacks an archive into a folder that is new or empty, and writes nowhere else.
///
/// The whole archive is read before anything is written. It is refused if a name in it is absolute or leads out of the folder, if a link points out
/// of it, if there is a device or a pipe in it, if a name comes twice, or if it is larger or has more files than allowed. Then it is unpacked into
/// a new folder beside the place, which takes its place when everything is written: nobody ever sees half of it, and the place is empty if it fails.
///
/// Files get the permissions that the archive says, without set-user-ID and the like, and belong to the user that runs this.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The archive: `tar`, `tar.gz`, `tar.zst` or `zip`, by its content. Relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// The folder, which must be new or empty.
    #[schemars(length(min = 1))]
    to: String,
    /// Patterns of names, or of paths if they have a slash in them, of what to unpack. Default: everything.
    #[serde(default)]
    members: Option<OneOrMany>,
    /// The most that may be unpacked. Default: `10GB`.
    #[serde(default = "ten_gb")]
    max_size: Size,
    /// The most files, folders and links. Default: 100000.
    #[serde(default = "hundred_thousand")]
    max_count: u64,
    /// Whether to create missing folders on the way. Default: false.
    #[serde(default)]
    parents: bool,
}

fn ten_gb() -> Size {
    Size(10_000_000_000)
}

fn hundred_thousand() -> u64 {
    100_000
}

/// What was unpacked.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The folder, as an absolute path.
    path: String,
    /// The number of files that were written.
    count: u64,
    /// Their size.
    size: Size,
    /// The number of links that were made.
    links: u64,
}

struct Task {
    path: PathBuf,
    to: PathBuf,
    wanted: Option<Names>,
    max_size: u64,
    max_count: u64,
    parents: bool,
}

/// What there is to unpack.
#[derive(Default)]
struct Found {
    count: u64,
    links: u64,
    size: u64,
    names: std::collections::BTreeSet<String>,
}

/// The name of a member without `./` and slashes at its end.
fn clean(name: &str) -> String {
    let parts = Path::new(name).components().filter(|c| !matches!(c, std::path::Component::CurDir));
    parts.collect::<PathBuf>().to_string_lossy().into_owned()
}

/// Whether the target of a link at this name stays inside.
fn stays_inside(name: &str, target: &str, hard: bool) -> bool {
    if Path::new(target).is_absolute() || target.is_empty() {
        return false;
    }
    // The target of a hard link is a name in the archive, that of a symbolic link starts where the link lies.
    let mut depth = if hard { 0 } else { Path::new(name).components().count() as i64 - 1 };
    for part in Path::new(target).components() {
        match part {
            std::path::Component::ParentDir => depth -= 1,
            std::path::Component::Normal(_) => depth += 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    true
}

impl Task {
    fn new(args: &Args, cx: &Cx<'_>) -> Result<Task, Fault> {
        Ok(Task {
            path: resolve(cx, "path", &args.path)?,
            to: resolve(cx, "to", &args.to)?,
            wanted: args.members.as_ref().map(|m| Names::new("members", &m.0)).transpose()?,
            max_size: args.max_size.0,
            max_count: args.max_count,
            parents: args.parents,
        })
    }

    fn wants(&self, name: &str) -> bool {
        self.wanted.as_ref().is_none_or(|w| w.fit(Path::new(name)))
    }

    fn refused(&self, member: &Member, why: &str) -> WalkFault {
        Fault::refused(format!("{}: nothing was unpacked: {:?}: {why}", self.path.display(), member.name)).into()
    }

    /// Reads everything and writes nothing.
    fn look(&self, stop: &Stop) -> Result<(Format, Found), Fault> {
        check_parent(&self.to, self.parents)?;
        match look(&self.to)? {
            None => {}
            Some(meta) if !meta.is_dir() => {
                return Err(Fault::refused(format!("{} is there and no folder; choose another place", self.to.display())));
            }
            Some(_) => {
                let mut entries = std::fs::read_dir(&self.to).map_err(|e| fault(&self.to, &e))?;
                if entries.next().is_some() {
                    return Err(Fault::refused(format!("{} is not empty; unpack into a new folder", self.to.display())));
                }
            }
        }
        let format = Format::of(&self.path)?;
        if matches!(format, Format::Gz | Format::Zst) {
            return Err(Fault::unmet(format!("{} is a single compressed file and no archive", self.path.display())));
        }
        let mut found = Found::default();
        // A link is no folder for what comes later.
        let mut links: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
        walk(&self.path, format, &mut |member, reader| {
            stop.check()?;
            if let Some(why) = member.unsafe_name() {
                return Err(self.refused(member, why));
            }
            let name = clean(&member.name);
            if name.is_empty() || !self.wants(&name) && member.kind != Kind::Folder {
                return Ok(());
            }
            if Path::new(&name).ancestors().skip(1).any(|a| links.contains(&*a.to_string_lossy())) {
                return Err(self.refused(member, "it lies behind a link in the archive"));
            }
            match member.kind {
                Kind::Other => return Err(self.refused(member, "it is a device, a pipe or something else that is no file")),
                Kind::Symlink | Kind::Hardlink => {
                    let target = member.link.as_deref().unwrap_or_default();
                    if !stays_inside(&name, target, member.kind == Kind::Hardlink) {
                        return Err(self.refused(member, &format!("it is a link to {target:?}, which leads out of the folder")));
                    }
                    if member.kind == Kind::Hardlink && links.contains(&clean(target)) {
                        return Err(self.refused(member, "it is a link to a link"));
                    }
                    found.links += 1;
                    if member.kind == Kind::Symlink {
                        links.insert(name.clone());
                    }
                }
                Kind::File => {
                    found.count += 1;
                    let mut buffer = vec![0; 1 << 17];
                    // What a head says of the size is not believed.
                    loop {
                        stop.check()?;
                        match reader.read(&mut buffer) {
                            Ok(0) => break,
                            Ok(n) => found.size += n as u64,
                            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                            Err(e) => return Err(damaged(&e)),
                        }
                        if found.size > self.max_size {
                            return Err(self.refused(
                                member,
                                &format!("with it there is more than `max_size: {}`", format_size(self.max_size)),
                            ));
                        }
                    }
                }
                Kind::Folder => {}
            }
            if !found.names.insert(name) && member.kind != Kind::Folder {
                return Err(self.refused(member, "its name comes twice"));
            }
            if found.names.len() as u64 > self.max_count {
                return Err(self.refused(member, &format!("there is more than `max_count: {}`", self.max_count)));
            }
            Ok(())
        })
        .map_err(|e| e.at(&self.path))?;
        if found.count == 0 {
            return Err(Fault::unmet(format!("{}: there is no file in it to unpack", self.path.display())));
        }
        Ok((format, found))
    }

    fn apply(&self, stop: &Stop) -> Result<Done<Out>, Fault> {
        let (format, found) = self.look(stop)?;
        make_parents(&self.to)?;
        let draft = tempfile::Builder::new()
            .prefix(".unpack.")
            .suffix(".runbook-tmp")
            .tempdir_in(parent(&self.to))
            .map_err(|e| fault(parent(&self.to), &e))?;
        let root = draft.path();
        let mut written = Out { path: self.to.display().to_string(), count: 0, size: Size(0), links: 0 };
        walk(&self.path, format, &mut |member, reader| {
            stop.check()?;
            let name = clean(&member.name);
            // The archive may have been exchanged since it was looked at.
            if name.is_empty() || !found.names.contains(&name) || member.unsafe_name().is_some() {
                return Ok(());
            }
            let place = root.join(&name);
            let io = |e: std::io::Error| WalkFault::Fault(fault(&place, &e));
            match member.kind {
                Kind::Folder => std::fs::create_dir_all(&place).map_err(io)?,
                Kind::File => {
                    written.size.0 += write(&place, member, reader, self.max_size, stop)?;
                    written.count += 1;
                }
                Kind::Symlink => {
                    let target = member.link.as_deref().filter(|t| stays_inside(&name, t, false));
                    let Some(target) = target else { return Err(self.refused(member, "the archive was changed meanwhile")) };
                    std::fs::create_dir_all(parent(&place)).map_err(io)?;
                    std::os::unix::fs::symlink(target, &place).map_err(io)?;
                    written.links += 1;
                }
                Kind::Hardlink => {
                    let target = member.link.as_deref().filter(|t| stays_inside(&name, t, true));
                    let Some(target) = target else { return Err(self.refused(member, "the archive was changed meanwhile")) };
                    std::fs::create_dir_all(parent(&place)).map_err(io)?;
                    std::fs::hard_link(root.join(clean(target)), &place).map_err(io)?;
                    written.links += 1;
                }
                Kind::Other => return Err(self.refused(member, "the archive was changed meanwhile")),
            }
            Ok(())
        })
        .map_err(|e| e.at(&self.path))?;
        std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755)).map_err(|e| fault(root, &e))?;
        // An empty folder gives way; one that is not empty any more does not.
        std::fs::rename(root, &self.to).map_err(|e| fault(&self.to, &e))?;
        // It has become the place itself.
        let _ = draft.keep();
        sync_folder(parent(&self.to));
        Ok(Done::changed(written))
    }
}

fn write(place: &Path, member: &Member, reader: &mut dyn Read, most: u64, stop: &Stop) -> Result<u64, WalkFault> {
    let io = |e: std::io::Error| WalkFault::Fault(fault(place, &e));
    std::fs::create_dir_all(parent(place)).map_err(io)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(place).map_err(io)?;
    let mut size = 0;
    let mut buffer = vec![0; 1 << 17];
    loop {
        stop.check()?;
        let n = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(damaged(&e)),
        };
        size += n as u64;
        if size > most {
            return Err(Fault::refused(format!("{}: it is larger than when it was looked at", place.display())).into());
        }
        std::io::Write::write_all(&mut file, &buffer[..n]).map_err(io)?;
    }
    if let Some(mode) = member.mode.map(|m| m & 0o777).filter(|m| *m != 0) {
        file.set_permissions(std::fs::Permissions::from_mode(mode)).map_err(io)?;
    }
    if let Some(time) = member.modified.and_then(|s| u64::try_from(s).ok()) {
        let time = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(time));
        time.map_or(Ok(()), |t| file.set_modified(t)).map_err(io)?;
    }
    Ok(size)
}

impl Action for ArchiveExtract {
    const NAME: &'static str = "archive.extract";
    const SAYS: &'static str = "{{ count }} files in {{ path }} ({{ size }})";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "A backup, beside what it shall replace",
            yaml: "archive.extract: { path: backups/20260215.tar.gz, to: restore/20260215, parents: true }\n",
            runs: false,
        },
        Example {
            title: "Only the configuration",
            yaml: "archive.extract: { path: backups/20260215.zip, to: restore/config, members: 'config/*.json', max_size: 10MB }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let (path, to) = (by_hand::path(args, "path"), by_hand::path(args, "to"));
        let name = args.or("path", "").to_lowercase();
        let (list, unpack) = match () {
            () if name.ends_with(".zip") => (format!("unzip -l {path}"), format!("unzip {path} -d {to}")),
            () if name.ends_with("zst") => {
                (format!("tar --zstd -tvf {path}"), format!("tar --zstd -xf {path} -C {to} --no-same-owner"))
            }
            () => (format!("tar -tvf {path}"), format!("tar -xf {path} -C {to} --no-same-owner")),
        };
        let hand = ByHand::run("# No name may begin with `/` or hold `..`, and no link may lead out:").and(list);
        let hand = hand.and("# Only then, into a new folder:").and(format!("mkdir {to} && {unpack}"));
        let wanted = args.list("members");
        if wanted.is_empty() { hand } else { hand.note(format!("Only {} is wanted.", wanted.join(", "))) }
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.to)]).and_reads(resource(&args.path)).needing(Need::Write(tidy(&args.to)))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.members.as_ref().map(|m| Names::new("members", &m.0)).transpose().map(drop)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let task = Task::new(args, cx)?;
        blocking(cx.timeout, move |stop| {
            let (format, found) = task.look(stop)?;
            let what = format!("unpack {} ({}) into {}", many(found.count, "file"), format_size(found.size), task.to.display());
            Ok(Forecast::would(
                what,
                format!("{} is a whole {}, and nothing in it leads out", task.path.display(), format.name()),
            ))
        })
        .await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let task = Task::new(args, cx)?;
        blocking(cx.timeout, move |stop| task.apply(stop)).await
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        ArchiveExtract::apply(&args(json), &host.change()).await
    }

    fn sh(host: &TestHost, script: &str) {
        assert!(Command::new("sh").args(["-c", script]).current_dir(host.root()).status().unwrap().success(), "{script}");
    }

    #[tokio::test]
    async fn an_archive_is_unpacked_with_modes_and_times() {
        let host = TestHost::new();
        host.write("in/a.sh", "hello");
        host.write("in/deep/b.txt", "22");
        sh(
            &host,
            "cd in && chmod 6755 a.sh && touch -d 2026-02-15T14:23:45Z deep/b.txt && ln -s deep/b.txt link && ln a.sh hard && tar -czf ../x.tgz .",
        );
        let asked = json!({ "path": "x.tgz", "to": "out" });
        let forecast = ArchiveExtract::plan(&args(asked.clone()), &host.cx()).await.unwrap();
        assert!(forecast.would_change && !host.file("out").exists());
        let out = apply(&host, asked.clone()).await.unwrap().out;
        assert_eq!((out.count, out.links, out.size), (2, 2, Size(7)));
        assert_eq!(std::fs::read_to_string(host.file("out/link")).unwrap(), "22");
        assert_eq!(host.file("out/a.sh").metadata().unwrap().permissions().mode() & 0o7777, 0o755);
        let fault = apply(&host, asked).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("not empty")), "{fault:?}");
        let out = apply(&host, json!({ "path": "x.tgz", "to": "some", "members": "*.txt" })).await.unwrap().out;
        assert_eq!(out.count, 1);
        assert!(!host.file("some/a.sh").exists());
        sh(&host, "test -z \"$(ls -A | grep runbook-tmp)\"");
    }

    fn tar(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            let is_link = matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link);
            // Names that the crate would refuse are what this is about.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            if is_link {
                header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
            }
            let data = if is_link { "" } else { content };
            header.set_size(data.len() as u64);
            header.set_cksum();
            builder.append(&header, data.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[tokio::test]
    async fn nothing_leads_out() {
        use tar::EntryType as T;
        let host = TestHost::new();
        for (i, (entries, word)) in [
            (vec![("../evil", T::Regular, "x")], "leads out"),
            (vec![("ok/../../evil", T::Regular, "x")], "leads out"),
            (vec![("/tmp/evil", T::Regular, "x")], "absolute"),
            (vec![("l", T::Symlink, "/etc"), ("l/evil", T::Regular, "x")], "leads out"),
            (vec![("d/l", T::Symlink, "../.."), ("x", T::Regular, "x")], "leads out"),
            (vec![("l", T::Symlink, "d"), ("l/evil", T::Regular, "x")], "behind a link"),
            (vec![("h", T::Link, "../x"), ("x", T::Regular, "x")], "leads out"),
            (vec![("dev", T::Char, ""), ("x", T::Regular, "x")], "device"),
            (vec![("fifo", T::Fifo, ""), ("x", T::Regular, "x")], "device"),
            (vec![("x", T::Regular, "x"), ("./x", T::Regular, "y")], "twice"),
            (vec![("..\\evil", T::Regular, "x")], "leads out"),
        ]
        .into_iter()
        .enumerate()
        {
            let mut all = vec![("good", T::Regular, "good")];
            all.extend(entries);
            host.write(&format!("{i}.tar"), tar(&all));
            let fault =
                apply(&host, json!({ "path": format!("{i}.tar"), "to": format!("out/{i}"), "parents": true })).await.unwrap_err();
            assert!(matches!(&fault, Fault::Refused { message } if message.contains(word)), "{i}: {fault:?}");
            assert!(!host.file(&format!("out/{i}")).exists(), "nothing is written, not even what is good");
        }
        assert!(!host.file("evil").exists() && !Path::new("/tmp/evil").exists());
    }

    #[tokio::test]
    async fn bombs_and_cut_archives_leave_nothing() {
        let host = TestHost::new();
        sh(
            &host,
            "mkdir in && head -c 3000000 /dev/zero >in/zeros && touch in/1 in/2 in/3 && tar -czf bomb.tgz -C in . && head -c 1000 bomb.tgz >cut.tgz",
        );
        for (more, word) in [(json!({ "max_size": "1MB" }), "max_size"), (json!({ "max_count": 3 }), "max_count")] {
            let mut asked = json!({ "path": "bomb.tgz", "to": "out" });
            more.as_object().unwrap().iter().for_each(|(k, v)| asked[k] = v.clone());
            let fault = apply(&host, asked).await.unwrap_err();
            assert!(matches!(&fault, Fault::Refused { message } if message.contains(word)), "{fault:?}");
        }
        let fault = apply(&host, json!({ "path": "cut.tgz", "to": "out" })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("damaged")), "{fault:?}");
        assert!(!host.file("out").exists());
        assert!(apply(&host, json!({ "path": "bomb.tgz", "to": "out" })).await.unwrap().changed);
    }
}
