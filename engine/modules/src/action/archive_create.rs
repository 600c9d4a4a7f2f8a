//! `archive.create`: packs files into an archive.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Resource, Touches,
};
use runbook_core::value::{Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::archive::format::Format;
use crate::support::archive::read::{Kind, walk};
use crate::support::archive::write::{SUMS, Writer, can_write, free_place};
use crate::support::args::OneOrMany;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::fileset::{Names, below, modified};
use crate::support::globs::{expand, is_pattern, plain};
use crate::support::paths::{check_parent, fault, look, make_parents, resolve, resource, tidy};
use crate::support::tree::many;

pub(crate) struct ArchiveCreate;

/// Packs files and folders into an archive, with a list of their digests.
///
/// The archive is written next to its place, read back to its end, and then moved there: nobody ever sees half of one. An archive that is there already is not
/// overwritten unless told so. If `to` ends in `/`, the name is made from the time in UTC, such as `archive-20260215T142345Z.tar.gz`, and never that of another.
///
/// Regular files are packed; links, sockets and the like are passed over and told in `skipped`. Names in the archive are relative to `root`. The
/// last member is `SHA256SUMS`, which `sha256sum -c` and the probe `archive` check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The files and folders to pack; relative paths start at `root`. `*`, `?`, `[ab]`, `{a,b}` and `**` stand for names. Folders are packed with everything in
    /// them.
    path: OneOrMany,
    /// The archive, or a folder if it ends in `/`; relative paths start at the project root.
    #[schemars(length(min = 1))]
    to: String,
    /// The folder that names in the archive are relative to. Everything packed must lie in it. Default: the project root.
    #[serde(default)]
    root: Option<String>,
    /// Patterns of names, or of paths below `root` if they have a slash in them, that are not packed. Default: none.
    #[serde(default)]
    exclude: Option<OneOrMany>,
    /// The format: `tar.gz`, `tar.zst`, `tar` or `zip`. Default: from the ending of `to`, or `tar.gz`.
    #[serde(default)]
    format: Option<Format>,
    /// Whether to add `SHA256SUMS`. Default: true.
    #[serde(default = "crate::support::args::yes")]
    sums: bool,
    /// Whether an archive that is there already may be replaced. Default: false.
    #[serde(default)]
    overwrite: bool,
    /// Whether to create missing folders on the way. Default: false.
    #[serde(default)]
    parents: bool,
}

/// What was packed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The archive, as an absolute path.
    path: String,
    /// Its format.
    format: &'static str,
    /// Its size.
    size: Size,
    /// The number of files in it, `SHA256SUMS` not counted.
    count: u64,
    /// The size of the files, unpacked.
    unpacked_size: Size,
    /// What was passed over, with the reason; at most 100.
    skipped: Vec<Skipped>,
}

/// Something that was passed over.
#[derive(Debug, Serialize, JsonSchema)]
struct Skipped {
    /// The path.
    path: String,
    /// Why it was passed over.
    why: String,
}

struct Task {
    place: PathBuf,
    format: Format,
    files: Vec<(PathBuf, String, u64)>,
    skipped: Vec<Skipped>,
    overwrite: bool,
    sums: bool,
    exists: bool,
    now: Timestamp,
}

struct Prepared {
    root: PathBuf,
    paths: Vec<(String, PathBuf)>,
    to: PathBuf,
    into_folder: bool,
    exclude: Names,
    format: Format,
    sums: bool,
    overwrite: bool,
    parents: bool,
    now: Timestamp,
}

fn prepare(args: &Args, cx: &Cx<'_>) -> Result<Prepared, Fault> {
    let root = args.root.as_deref().map_or_else(|| Ok(cx.root.to_path_buf()), |r| resolve(cx, "root", r))?;
    let to = resolve(cx, "to", &args.to)?;
    let inside = |p: &String| {
        if p.trim().is_empty() { Err(Fault::invalid("path", "`path` is empty")) } else { Ok((p.clone(), root.join(tidy(p)))) }
    };
    Ok(Prepared {
        paths: args.path.0.iter().map(inside).collect::<Result<_, _>>()?,
        into_folder: args.to.ends_with('/'),
        exclude: Names::new("exclude", args.exclude.as_ref().map_or(&[][..], |e| &e.0))?,
        format: format_of(args)?,
        sums: args.sums,
        overwrite: args.overwrite,
        parents: args.parents,
        now: cx.now(),
        root,
        to,
    })
}

fn format_of(args: &Args) -> Result<Format, Fault> {
    let named = Format::by_name(Path::new(&args.to));
    match (args.format, named) {
        (Some(Format::Gz | Format::Zst), _) => {
            Err(Fault::invalid("format", "an archive of several files is `tar.gz`, `tar.zst`, `tar` or `zip`"))
        }
        (Some(asked), Some(named)) if asked != named => {
            Err(Fault::invalid("format", format!("`format: {}` and the ending of `to` do not fit", asked.name())))
        }
        (Some(format), _) | (None, Some(format)) => Ok(format),
        (None, None) if args.to.ends_with('/') => Ok(Format::TarGz),
        (None, None) => Err(Fault::invalid(
            "to",
            "its ending does not tell the format; end it in `.tar.gz`, `.tar.zst`, `.tar` or `.zip`, or say `format`",
        )),
    }
}

impl Task {
    fn look(p: Prepared, stop: &Stop) -> Result<Task, Fault> {
        can_write(p.format)?;
        let place = if p.into_folder {
            let stamp = p.now.strftime("archive-%Y%m%dT%H%M%SZ").to_string();
            free_place(&p.to, &stamp, &format!(".{}", p.format.name()))
        } else {
            p.to.clone()
        };
        check_parent(&place, p.parents)?;
        let exists = match look(&place)? {
            Some(meta) if meta.is_dir() => {
                return Err(Fault::unmet(format!("{} is a folder; end it in `/` to have a name made", place.display())));
            }
            found => found.is_some(),
        };
        if exists && !p.overwrite {
            return Err(Fault::refused(format!(
                "{} is there already, and is not overwritten; `overwrite: true` replaces it",
                place.display()
            )));
        }
        let root = std::fs::canonicalize(&p.root).map_err(|e| fault(&p.root, &e))?;
        let mut task = Task {
            place,
            format: p.format,
            files: Vec::new(),
            skipped: Vec::new(),
            overwrite: p.overwrite,
            sums: p.sums,
            exists,
            now: p.now,
        };
        for (written, path) in &p.paths {
            let found = if is_pattern(written) && !path.exists() { expand("path", path)? } else { vec![path.clone()] };
            if found.is_empty() {
                return Err(Fault::unmet(format!("nothing is called {written}; nothing was packed")));
            }
            for path in found {
                task.take(&path, &root, &p, stop)?;
            }
        }
        task.files.sort_by(|a, b| a.1.cmp(&b.1));
        task.files.dedup_by(|a, b| a.1 == b.1);
        if task.files.is_empty() {
            return Err(Fault::unmet("there is no file to pack"));
        }
        Ok(task)
    }

    fn take(&mut self, path: &Path, root: &Path, p: &Prepared, stop: &Stop) -> Result<(), Fault> {
        let meta = std::fs::symlink_metadata(path).map_err(|e| fault(path, &e))?;
        let true_path = crate::support::paths::true_place(path)?;
        let inside = true_path.strip_prefix(root).map_err(|_| {
            Fault::invalid(
                "path",
                format!("{} does not lie in {}; `root` names the folder that does", true_path.display(), root.display()),
            )
        })?;
        let inside = inside.to_path_buf();
        if meta.is_dir() {
            let mut found = Vec::new();
            below(&true_path, true, stop, &mut |path, relative, meta| found.push((path, inside.join(relative), meta)))?;
            // A folder that is left out is left out with everything in it.
            let mut left: Vec<PathBuf> = Vec::new();
            found.sort_by(|a, b| a.1.cmp(&b.1));
            for (path, name, meta) in found {
                if left.iter().any(|l| name.starts_with(l)) {
                    continue;
                }
                if p.exclude.fit(&name) {
                    left.push(name);
                } else if !meta.is_dir() {
                    self.one(path, &name, &meta);
                }
            }
        } else if !p.exclude.fit(&inside) {
            self.one(true_path, &inside, &meta);
        }
        Ok(())
    }

    fn one(&mut self, path: PathBuf, name: &Path, meta: &std::fs::Metadata) {
        let skip = |why: &str| Skipped { path: path.display().to_string(), why: why.to_owned() };
        let skipped = match name.to_str() {
            _ if path == self.place => skip("it is the archive itself"),
            _ if meta.is_symlink() => skip("it is a link"),
            _ if !meta.is_file() => skip("it is no regular file"),
            None => skip("its name is not UTF-8"),
            Some(name) => {
                self.files.push((path, name.to_owned(), meta.len()));
                return;
            }
        };
        if self.skipped.len() < 100 {
            self.skipped.push(skipped);
        }
    }

    fn size(&self) -> u64 {
        self.files.iter().map(|(.., size)| size).sum()
    }

    fn apply(self, stop: &Stop) -> Result<Done<Out>, Fault> {
        make_parents(&self.place)?;
        let mut writer = Writer::new(&self.place, self.format)?;
        let mut unpacked = 0;
        for (path, name, _) in &self.files {
            let mut file = File::open(path).map_err(|e| fault(path, &e))?;
            let meta = file.metadata().map_err(|e| fault(path, &e))?;
            let (written, ()) = writer.add(name, meta.mode(), modified(&meta).as_second(), |sink| {
                let mut buffer = vec![0; 1 << 18];
                loop {
                    stop.check()?;
                    match file.read(&mut buffer) {
                        Ok(0) => return Ok(()),
                        Ok(n) => sink(&buffer[..n])?,
                        Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(e) => return Err(fault(path, &e)),
                    }
                }
            })?;
            unpacked += written.size;
        }
        let count = self.files.len() as u64;
        if self.sums {
            let sums = writer.sums();
            writer.add(SUMS, 0o644, self.now.as_second(), |sink| sink(sums.as_bytes()))?;
        }
        let expected = count + u64::from(self.sums);
        writer.put(self.overwrite)?;
        let mut seen = 0;
        walk(&self.place, self.format, &mut |member, _| {
            stop.check()?;
            seen += u64::from(member.kind == Kind::File);
            Ok(())
        })
        .map_err(|e| e.at(&self.place))?;
        if seen != expected {
            return Err(Fault::cannot_tell(format!("{}: {seen} files were read back and not {expected}", self.place.display())));
        }
        let size = std::fs::metadata(&self.place).map_err(|e| fault(&self.place, &e))?.len();
        Ok(Done::changed(Out {
            path: self.place.display().to_string(),
            format: self.format.name(),
            size: Size(size),
            count,
            unpacked_size: Size(unpacked),
            skipped: self.skipped,
        }))
    }
}

impl Action for ArchiveCreate {
    const NAME: &'static str = "archive.create";
    const SAYS: &'static str = "{{ count }} files in {{ path }} ({{ size }})";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Old logs, in an archive with a name of its own",
            yaml: "archive.create:\n  path: ['logs/**/*.log']\n  to: archive/\n  exclude: current.log\n  format: tar.zst\n  parents: true\n",
            runs: false,
        },
        Example {
            title: "A folder in an archive",
            yaml: "archive.create: { path: hostname, root: /etc, to: '{tmp}/etc.tar.gz' }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let root = args.text("root").map_or_else(|| ".".to_owned(), |r| by_hand::path_word(&r));
        let to_text = args.or("to", "<to>");
        let format = args.text("format").or_else(|| Format::by_name(Path::new(&to_text)).map(|f| f.name().to_owned()));
        let format = format.unwrap_or_else(|| "tar.gz".to_owned());
        let to = if to_text.ends_with('/') {
            format!(
                "{}archive-\"$(date -u +%Y%m%dT%H%M%SZ)\".{}",
                by_hand::path_word(&to_text),
                runbook_core::module::hand_word(&format)
            )
        } else {
            by_hand::path_word(&to_text)
        };
        let files: Vec<String> = args.list("path").iter().map(|p| by_hand::glob_word(p)).collect();
        let files = files.join(" ");
        let exclude: String =
            args.list("exclude").iter().map(|e| format!(" --exclude={}", runbook_core::module::hand_word(e))).collect();
        let line = match format.as_str() {
            "zip" => format!("zip -r - {files} >{to}"),
            "tar.zst" => format!("tar --zstd -cf {to}{exclude} -C {root} {files}"),
            "tar" => format!("tar -cf {to}{exclude} -C {root} {files}"),
            _ => format!("tar -czf {to}{exclude} -C {root} {files}"),
        };
        let hand =
            if args.flag("overwrite", false) { ByHand::run(line) } else { ByHand::run(format!("test ! -e {to} && {line}")) };
        hand.note("Wildcards are meant below the folder after `-C`: go there first if the shell finds nothing.")
    }

    fn effect(args: &Args) -> Effect {
        if args.overwrite { Effect::Destroy } else { Effect::Change }
    }

    fn touches(args: &Args) -> Touches {
        let touches = Touches::changes([resource(&args.to)]).needing(Need::Write(tidy(&args.to)));
        let root = args.root.as_deref().map(tidy).unwrap_or_default();
        args.path.0.iter().fold(touches, |t, p| t.and_reads(Resource::file(root.join(plain(p)))))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        format_of(args)?;
        Names::new("exclude", args.exclude.as_ref().map_or(&[][..], |e| &e.0))?;
        args.path.0.iter().try_for_each(|path| crate::support::globs::check("path", path))
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let prepared = prepare(args, cx)?;
        blocking(cx.timeout, move |stop| {
            let task = Task::look(prepared, stop)?;
            let because = if task.exists { "it replaces the one that is there" } else { "it does not exist" };
            let files = many(task.files.len() as u64, "file");
            Ok(Forecast::would(format!("pack {files} ({}) into {}", format_size(task.size()), task.place.display()), because))
        })
        .await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let prepared = prepare(args, cx)?;
        blocking(cx.timeout, move |stop| Task::look(prepared, stop)?.apply(stop)).await
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        let args: Args = args(json);
        ArchiveCreate::check(&args)?;
        ArchiveCreate::apply(&args, &host.change()).await
    }

    fn sh(host: &TestHost, script: &str) -> bool {
        Command::new("sh")
            .args(["-c", script])
            .current_dir(host.root())
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap()
            .success()
    }

    fn stuff(host: &TestHost) {
        host.write("data/a.db", "hello");
        host.write("data/deep/b.json", "x".repeat(5000));
        host.write(&format!("data/{}/c.txt", "long-name-".repeat(12)), "deep");
        host.write("data/cache/big.bin", "no");
        std::os::unix::fs::symlink("a.db", host.file("data/link")).unwrap();
    }

    #[tokio::test]
    async fn what_is_packed_is_read_by_the_usual_tools() {
        let host = TestHost::new();
        stuff(&host);
        for format in ["tar", "tar.gz", "tar.zst", "zip"] {
            let name = format!("x.{format}");
            let asked = json!({ "path": "data", "to": name, "exclude": ["cache"] });
            let forecast = ArchiveCreate::plan(&args(asked.clone()), &host.cx()).await.unwrap();
            assert!(forecast.would_change && forecast.summary.contains("3 files") && !host.file(&name).exists());
            let out = apply(&host, asked).await.unwrap().out;
            assert_eq!((out.count, out.unpacked_size, out.skipped.len()), (3, Size(5009), 1));
            assert_eq!(Format::of(&host.file(&name)).unwrap().name(), format);
            let tool = match format {
                "zip" => "python3 -m zipfile -e x.zip out-zip && cd out-zip && sha256sum -c --quiet SHA256SUMS".to_owned(),
                "tar.zst" => continue,
                _ => format!(
                    "mkdir out-{format} && tar -xf {name} -C out-{format} && cd out-{format} && sha256sum -c --quiet SHA256SUMS"
                ),
            };
            assert!(sh(&host, &tool), "{format}");
        }
    }

    #[tokio::test]
    async fn t79_two_archives_in_one_second_are_two() {
        let host = TestHost::new();
        stuff(&host);
        // The naive stamp is in local time and of the day: the second run overwrites the first.
        assert!(sh(
            &host,
            "TZ=Asia/Tokyo; export TZ; for i in 1 2; do echo $i >naive-$(date +%Y%m%d); done; test $(ls naive-* | wc -l) = 1"
        ));
        let one = apply(&host, json!({ "path": "data/a.db", "to": "out/", "parents": true })).await.unwrap().out;
        let two = apply(&host, json!({ "path": "data/a.db", "to": "out/", "parents": true })).await.unwrap().out;
        assert!(one.path != two.path && one.path.contains("Z"), "{} {}", one.path, two.path);
        let fault = apply(&host, json!({ "path": "data/a.db", "to": one.path })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("overwrite: true")), "{fault:?}");
        assert!(apply(&host, json!({ "path": "data/a.db", "to": one.path, "overwrite": true })).await.unwrap().changed);
    }

    #[tokio::test]
    async fn t37_trees_with_the_same_names_stay_apart() {
        let host = TestHost::new();
        host.write("data/memory/a.json", "memory");
        host.write("data/sessions/a.json", "session");
        host.write("config/a.json", "config");
        assert!(sh(
            &host,
            "mkdir flat && cp data/memory/*.json data/sessions/*.json config/*.json flat 2>/dev/null; test $(ls flat | wc -l) = 1"
        ));
        let out = apply(&host, json!({ "path": ["data", "config/*.json"], "to": "b.tar.gz" })).await.unwrap().out;
        assert_eq!(out.count, 3);
        assert!(sh(
            &host,
            "mkdir o && tar -xzf b.tar.gz -C o && test \"$(cat o/config/a.json)\" = config && test \"$(cat o/data/memory/a.json)\" = memory"
        ));
    }

    #[tokio::test]
    async fn what_cannot_be_packed_is_said_before_anything_is_written() {
        let host = TestHost::new();
        stuff(&host);
        for (bad, word) in [
            (json!({ "path": "gone", "to": "x.tar" }), "no such file"),
            (json!({ "path": "gone*", "to": "x.tar" }), "nothing is called"),
            (json!({ "path": "data/link", "to": "x.tar" }), "no file to pack"),
            (json!({ "path": "data", "to": "data" , "format": "tar" }), "is a folder"),
            (json!({ "path": "data", "to": "gone/x.tar" }), "parents: true"),
        ] {
            let fault = apply(&host, bad).await.unwrap_err();
            assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(word)), "{fault:?}");
        }
        for bad in [
            json!({ "path": "/etc/hostname", "to": "x.tar" }),
            json!({ "path": "../x", "to": "x.rar" }),
            json!({ "path": "data", "to": "x.zip", "format": "tar" }),
            json!({ "path": "data", "to": "x.gz", "format": "gz" }),
        ] {
            assert!(matches!(apply(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
        }
        assert!(!host.file("x.tar").exists());
    }
}
