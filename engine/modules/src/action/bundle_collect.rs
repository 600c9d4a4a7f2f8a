//! `bundle.collect`: gathers what an incident left, clean enough to be handed on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Resource, Touches, hand_word,
};
use runbook_core::value::{Size, Time, format_size};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::action::redact::told;
use crate::support::archive::format::Format;
use crate::support::archive::write::{Sink, Writer, can_write, free_place};
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::fileset::modified;
use crate::support::globs::{expand, is_pattern, plain};
use crate::support::lines::tail_offset;
use crate::support::paths::{check_parent, fault, look, make_parents, resolve, resource, tidy};
use crate::support::redact::args::{Name, Pattern, rules};
use crate::support::redact::rules::{Counts, Rules};
use crate::support::redact::stream::redact;
use crate::support::scan::{is_compressed, unpack};
use crate::support::tree::many;

pub(crate) struct BundleCollect;

/// Gathers files and results of probes into one archive, redacted, with a manifest.
///
/// Everything goes through the rules of the action `redact` before it is written, whatever was redacted before. `manifest.json` in the archive says of each part where
/// it comes from, its size, its SHA-256 and what was taken out of it.
///
/// What cannot be had is a gap and no failure: a file that is missing, may not be read, is binary or damaged is told in `gaps` and in the manifest, and the
/// rest is gathered all the same. To have a gap fail the step, write `expect: complete`.
///
/// If `to` ends in `/`, the name is made from the time in UTC, such as `bundle-20260215T142345Z.tar.zst`. An archive that is there already is never
/// overwritten, and no part takes the name of another. Compressed logs are unpacked, so that they can be redacted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The archive, or a folder if it ends in `/`; relative paths start at the project root.
    #[schemars(length(min = 1))]
    to: String,
    /// The files: paths and wildcards, or `{path: logs/*.err.log, tail: 200}` for the last lines alone. Default: none.
    #[serde(default)]
    files: Vec<Source>,
    /// Results to put in by name, such as `{disk: "{{ steps.disk }}"}`: texts as they are, everything else as JSON. Default: none.
    #[serde(default)]
    data: serde_json::Map<String, Json>,
    /// The format: `tar.zst`, `tar.gz`, `tar` or `zip`. Default: from the ending of `to`, or `tar.zst`.
    #[serde(default)]
    format: Option<Format>,
    /// Whether to take binary files as they are, though nothing can be redacted in them. Default: false, and they are gaps.
    #[serde(default)]
    binary: bool,
    /// The rules to follow. Default: all of `redact`.
    #[serde(default)]
    rules: Option<Vec<Name>>,
    /// Names of fields whose values go, whatever they look like. Default: none.
    #[serde(default)]
    fields: Vec<String>,
    /// Patterns of your own. Default: none.
    #[serde(default)]
    patterns: Vec<Pattern>,
    /// Texts to take out wherever they are, at least 4 characters long. Default: none.
    #[serde(default)]
    values: Vec<String>,
    /// Whether to create missing folders on the way. Default: true.
    #[serde(default = "crate::support::args::yes")]
    parents: bool,
}

/// A path, or a path with how much of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Source {
    Path(String),
    Part(PartOf),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartOf {
    path: String,
    #[serde(default)]
    tail: Option<u64>,
}

impl Source {
    fn path(&self) -> &str {
        match self {
            Source::Path(path) => path,
            Source::Part(part) => &part.path,
        }
    }
    fn tail(&self) -> Option<u64> {
        match self {
            Source::Path(_) => None,
            Source::Part(part) => part.tail,
        }
    }
}

impl JsonSchema for Source {
    fn schema_name() -> Cow<'static, str> {
        "Source".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string", "minLength": 1 },
                {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["path"],
                    "properties": {
                        "path": { "type": "string", "minLength": 1, "description": "The file or wildcard." },
                        "tail": { "type": "integer", "minimum": 0, "description": "How many of the last lines to take. Default: all." },
                    },
                },
            ]
        })
    }
}

/// What was gathered.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The archive, as an absolute path.
    path: String,
    /// Its size.
    size: Size,
    /// Its SHA-256.
    sha256: String,
    /// The number of parts in it, the manifest not counted.
    count: u64,
    /// Their size, unpacked.
    unpacked_size: Size,
    /// The parts, at most 1000.
    parts: Vec<Part>,
    /// What could not be had.
    gaps: Vec<Gap>,
    /// Whether there is no gap.
    complete: bool,
    /// How many places were marked by each rule.
    redacted: BTreeMap<String, u64>,
}

/// A part of the archive.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Part {
    /// Its name in the archive.
    name: String,
    /// Where it comes from: a path, or the name in `data`.
    source: String,
    /// Its size, unpacked.
    size: Size,
    /// Its SHA-256.
    sha256: String,
    /// How many places were marked in it; null for a binary file, which is as it was.
    redacted: Option<u64>,
}

/// Something that could not be had.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Gap {
    /// Where it would have come from.
    source: String,
    /// Why it is not there.
    why: String,
}

struct Task {
    place: PathBuf,
    format: Format,
    files: Vec<(PathBuf, Option<u64>)>,
    data: Vec<(String, Json)>,
    gaps: Vec<Gap>,
    binary: bool,
    rules: Rules,
    now: Timestamp,
}

struct Prepared {
    to: PathBuf,
    into_folder: bool,
    format: Format,
    sources: Vec<(Source, PathBuf)>,
    data: Vec<(String, Json)>,
    binary: bool,
    rules: Rules,
    parents: bool,
    now: Timestamp,
}

fn format_of(args: &Args) -> Result<Format, Fault> {
    let named = Format::by_name(Path::new(&args.to));
    match (args.format, named) {
        (Some(Format::Gz | Format::Zst), _) => Err(Fault::invalid("format", "a bundle is `tar.zst`, `tar.gz`, `tar` or `zip`")),
        (Some(asked), Some(named)) if asked != named => {
            Err(Fault::invalid("format", format!("`format: {}` and the ending of `to` do not fit", asked.name())))
        }
        (Some(format), _) | (None, Some(format)) => Ok(format),
        (None, None) if args.to.ends_with('/') => Ok(if cfg!(feature = "zstd") { Format::TarZst } else { Format::TarGz }),
        (None, None) => {
            Err(Fault::invalid("to", "its ending does not tell the format; end it in `.tar.zst`, `.tar.gz` or `.zip`, or in `/`"))
        }
    }
}

fn prepare(args: &Args, cx: &Cx<'_>) -> Result<Prepared, Fault> {
    Ok(Prepared {
        to: resolve(cx, "to", &args.to)?,
        into_folder: args.to.ends_with('/'),
        format: format_of(args)?,
        sources: args.files.iter().map(|s| Ok((s.clone(), resolve(cx, "files", s.path())?))).collect::<Result<_, Fault>>()?,
        data: args.data.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        binary: args.binary,
        rules: rules(args.rules.as_deref(), &args.fields, &args.patterns, &args.values)?,
        parents: args.parents,
        now: cx.now(),
    })
}

impl Task {
    fn look(p: Prepared) -> Result<Task, Fault> {
        can_write(p.format)?;
        let place = if p.into_folder {
            let stamp = p.now.strftime("bundle-%Y%m%dT%H%M%SZ").to_string();
            free_place(&p.to, &stamp, &format!(".{}", p.format.name()))
        } else {
            p.to.clone()
        };
        check_parent(&place, p.parents)?;
        if look(&place)?.is_some() {
            return Err(Fault::refused(format!(
                "{} is there already, and is never overwritten; end `to` in `/` to have a name made",
                place.display()
            )));
        }
        let mut task = Task {
            place,
            format: p.format,
            files: Vec::new(),
            data: p.data,
            gaps: Vec::new(),
            binary: p.binary,
            rules: p.rules,
            now: p.now,
        };
        for (source, path) in &p.sources {
            let gap = |why: String| Gap { source: source.path().to_owned(), why };
            let found = if is_pattern(source.path()) && !path.exists() {
                match expand("files", path) {
                    Ok(found) if found.is_empty() => {
                        task.gaps.push(gap("there is no such file".to_owned()));
                        continue;
                    }
                    Ok(found) => found,
                    Err(f @ Fault::Invalid { .. }) => return Err(f),
                    Err(f) => {
                        task.gaps.push(gap(f.message().to_owned()));
                        continue;
                    }
                }
            } else {
                vec![path.clone()]
            };
            for path in found {
                match std::fs::metadata(&path) {
                    Ok(meta) if meta.is_file() => {
                        if !task.files.iter().any(|(p, t)| *p == path && *t == source.tail()) {
                            task.files.push((path, source.tail()));
                        }
                    }
                    // A wildcard stands for folders as well; only files were meant.
                    Ok(meta) if meta.is_dir() && is_pattern(source.path()) => {}
                    Ok(_) => task.gaps.push(Gap { source: path.display().to_string(), why: "it is no regular file".to_owned() }),
                    Err(e) => {
                        let why = crate::support::paths::reason(&e);
                        task.gaps.push(Gap { source: path.display().to_string(), why });
                    }
                }
            }
        }
        if task.files.is_empty() && task.data.is_empty() {
            let gaps: Vec<String> = task.gaps.iter().map(|g| format!("{}: {}", g.source, g.why)).collect();
            return Err(Fault::unmet(format!("there is nothing to gather: {}", gaps.join("; "))));
        }
        Ok(task)
    }

    fn forecast(&self) -> Forecast {
        let parts = many((self.files.len() + self.data.len()) as u64, "part");
        let size: u64 = self.files.iter().filter_map(|(p, _)| std::fs::metadata(p).ok()).map(|m| m.len()).sum();
        let gaps: Vec<String> = self.gaps.iter().map(|g| format!("{}: {}", g.source, g.why)).collect();
        let because = if gaps.is_empty() { "everything is there".to_owned() } else { format!("with gaps: {}", gaps.join("; ")) };
        Forecast::would(
            format!("gather {parts} ({} before packing), redacted, into {}", format_size(size), self.place.display()),
            because,
        )
    }

    fn apply(mut self, stop: &Stop) -> Result<Done<Out>, Fault> {
        make_parents(&self.place)?;
        let mut writer = Writer::new(&self.place, self.format)?;
        let (mut parts, mut all) = (Vec::new(), Counts::default());
        let now = self.now.as_second();
        for (name, value) in &self.data {
            let (ending, text) = match value {
                Json::String(text) => ("txt", text.clone()),
                other => ("json", format!("{other:#}\n")),
            };
            let safe: String = name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
            let safe = safe.trim_start_matches('.');
            let safe = if safe.is_empty() { "data" } else { safe };
            let (written, counts) = writer.add(&format!("data/{safe}.{ending}"), 0o644, now, |sink| {
                Ok(redact(text.as_bytes(), &self.rules, stop, sink).map_err(|e| told(Path::new(name), e))?.counts)
            })?;
            all.add(&counts);
            parts.push(part(written, name.clone(), Some(counts.total())));
        }
        for (path, tail) in &self.files {
            stop.check()?;
            let mut broken = None;
            let name = in_archive(path);
            let added = open(path, *tail, self.binary).and_then(|(reader, is_binary, changed)| {
                writer.add(&name, 0o644, changed, |sink| {
                    let mut guarded = |bytes: &[u8]| sink(bytes).inspect_err(|e| broken = Some(e.clone()));
                    produce(path, reader, is_binary, &self.rules, stop, &mut guarded)
                })
            });
            // What we could not write is no gap, and neither is being stopped.
            if let Some(fault) = broken {
                return Err(fault);
            }
            stop.check()?;
            match added {
                Ok((written, counts)) => {
                    counts.iter().for_each(|c| all.add(c));
                    parts.push(part(written, path.display().to_string(), counts.map(|c| c.total())));
                }
                Err(fault) => {
                    let text = fault.message();
                    let own = format!("{}: ", path.display());
                    let why = text.strip_prefix(&own).unwrap_or(text).to_owned();
                    self.gaps.push(Gap { source: path.display().to_string(), why });
                }
            }
        }
        if parts.is_empty() {
            let gaps: Vec<String> = self.gaps.iter().map(|g| format!("{}: {}", g.source, g.why)).collect();
            return Err(Fault::unmet(format!("nothing could be gathered: {}", gaps.join("; "))));
        }
        let redacted = self.rules.named(&all);
        let manifest = json!({
            "created": Time(self.now).0.to_string(),
            "parts": parts.iter().map(|p| json!({ "name": p.name, "source": p.source, "size": p.size.0, "sha256": p.sha256, "redacted": p.redacted })).collect::<Vec<_>>(),
            "gaps": self.gaps.iter().map(|g| json!({ "source": g.source, "why": g.why })).collect::<Vec<_>>(),
            "redacted": redacted,
        });
        let sums = writer.sums();
        writer.add("manifest.json", 0o644, now, |sink| sink(format!("{manifest:#}\n").as_bytes()))?;
        writer.add(crate::support::archive::write::SUMS, 0o644, now, |sink| sink(sums.as_bytes()))?;
        writer.put(false)?;
        let (size, sha256) = digest(&self.place, stop)?;
        let count = parts.len() as u64;
        let unpacked = parts.iter().map(|p| p.size.0).sum();
        parts.truncate(1000);
        Ok(Done::changed(Out {
            path: self.place.display().to_string(),
            size: Size(size),
            sha256,
            count,
            unpacked_size: Size(unpacked),
            parts,
            complete: self.gaps.is_empty(),
            gaps: self.gaps,
            redacted,
        }))
    }
}

fn part(written: crate::support::archive::write::Written, source: String, redacted: Option<u64>) -> Part {
    Part { name: written.name, source, size: Size(written.size), sha256: written.sha256, redacted }
}

/// The name of a file in the archive: its path, and without the ending of a compressed one.
fn in_archive(path: &Path) -> String {
    let plain = if is_compressed(path) { path.with_extension("") } else { path.to_owned() };
    let parts = plain.components().filter_map(|c| match c {
        std::path::Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    });
    format!("files/{}", parts.collect::<Vec<_>>().join("/"))
}

type Opened = (Box<dyn Read + Send>, bool, i64);

/// Opens a file at the place where what is wanted begins, and tells whether it is binary and when it was changed.
fn open(path: &Path, tail: Option<u64>, binary: bool) -> Result<Opened, Fault> {
    let io = |e: std::io::Error| fault(path, &e);
    let mut file = File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    let changed = modified(&meta).as_second();
    if is_compressed(path) {
        return Ok((unpack(path, file)?, false, changed));
    }
    let mut head = [0; 8192];
    let n = crate::support::archive::format::fill(&mut file, &mut head).map_err(io)?;
    let is_binary = head[..n].contains(&0) && !head.starts_with(&[0xff, 0xfe]) && !head.starts_with(&[0xfe, 0xff]);
    if is_binary && !binary {
        return Err(Fault::unmet("it is binary, and nothing can be redacted in it; `binary: true` takes it as it is"));
    }
    // What is written while we read is not waited for.
    let size = meta.len();
    let start = match tail {
        Some(lines) if !is_binary => tail_offset(&mut file, 0, size, lines).map_err(io)?,
        _ => 0,
    };
    file.seek(SeekFrom::Start(start)).map_err(io)?;
    Ok((Box::new(file.take(size - start)), is_binary, changed))
}

fn produce(
    path: &Path,
    mut reader: Box<dyn Read + Send>,
    is_binary: bool,
    rules: &Rules,
    stop: &Stop,
    sink: &mut Sink<'_>,
) -> Result<Option<Counts>, Fault> {
    if !is_binary {
        return Ok(Some(redact(reader, rules, stop, sink).map_err(|e| told(path, e))?.counts));
    }
    let mut buffer = vec![0; 1 << 18];
    loop {
        stop.check()?;
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(n) => sink(&buffer[..n])?,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(fault(path, &e)),
        }
    }
}

fn digest(path: &Path, stop: &Stop) -> Result<(u64, String), Fault> {
    let mut file = File::open(path).map_err(|e| fault(path, &e))?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 18]);
    loop {
        stop.check()?;
        let n = file.read(&mut buffer).map_err(|e| fault(path, &e))?;
        if n == 0 {
            return Ok((size, hash.finalize().iter().map(|b| format!("{b:02x}")).collect()));
        }
        size += n as u64;
        hash.update(&buffer[..n]);
    }
}

impl Action for BundleCollect {
    const NAME: &'static str = "bundle.collect";
    const VERDICT: &'static str = "count > 0";
    const SAYS: &'static str = "{{ count }} parts in {{ path }} ({{ size }}), {{ gaps | length }} gaps";
    const COLUMNS: &'static [&'static str] = &["count"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Everything about an incident",
            yaml: "bundle.collect:\n  to: incidents/\n  files:\n    - logs/gateway/*.jsonl\n    - { path: 'logs/services/*.err.log', tail: 200 }\n  data:\n    disk: \"{{ steps.disk }}\"\n    breakers: \"{{ steps.breakers }}\"\n  fields: [user_id]\n",
            runs: false,
        },
        Example {
            title: "What there is, and what is missing",
            yaml: "bundle.collect: { to: '{tmp}/out/', files: ['{tmp}/gone.log'], data: { note: 'call 415-555-0100' } }\nexpect: count == 1 and not complete\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let to = by_hand::path(args, "to");
        let mut hand = ByHand::run("folder=incident-\"$(date -u +%Y%m%dT%H%M%SZ)\" && mkdir \"$folder\"");
        if let Some(runbook_core::value::Value::List(files)) = args.get("files") {
            for file in files.iter() {
                let inner = HandArgs::new(file);
                let path = inner.text("path").unwrap_or_else(|| file.to_string());
                let word = by_hand::glob_word(&path);
                hand = match inner.text("tail") {
                    Some(lines) => hand.and(format!(
                        "for file in {word}; do tail -n {} \"$file\" >\"$folder/$(basename \"$file\")\"; done",
                        hand_word(&lines)
                    )),
                    None => hand.and(format!("cp --parents {word} \"$folder\"")),
                };
            }
        }
        for (name, _) in args.pairs("data") {
            hand = hand.note(format!("Put what was seen of {} into a file there.", hand_word(&name)));
        }
        hand.and(format!("tar --zstd -cf \"$folder.tar.zst\" \"$folder\" && mv -n \"$folder.tar.zst\" {to}"))
            .note("Before the last line, take addresses, numbers and keys out of the files: the action `redact` says how.")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let touches = Touches::changes([resource(&args.to)]).needing(Need::Write(tidy(&args.to)));
        args.files.iter().fold(touches, |t, s| t.and_reads(Resource::file(plain(s.path()))))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        format_of(args)?;
        if args.files.is_empty() && args.data.is_empty() {
            return Err(Fault::invalid("files", "there is nothing to gather: write `files`, `data` or both"));
        }
        rules(args.rules.as_deref(), &args.fields, &args.patterns, &args.values)?;
        args.files.iter().try_for_each(|s| crate::support::globs::check("files", s.path()))
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let prepared = prepare(args, cx)?;
        blocking(cx.timeout, move |_| Ok(Task::look(prepared)?.forecast())).await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let prepared = prepare(args, cx)?;
        blocking(cx.timeout, move |stop| Task::look(prepared)?.apply(stop)).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Write;

    use super::*;
    use crate::support::archive::read::walk;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: Json) -> Result<Done<Out>, Fault> {
        let args: Args = args(json);
        BundleCollect::check(&args)?;
        BundleCollect::apply(&args, &host.change()).await
    }

    fn contents(path: &str) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let path = Path::new(path);
        let walked = walk(path, Format::of(path).unwrap(), &mut |member, reader| {
            let mut text = Vec::new();
            reader.read_to_end(&mut text).unwrap();
            all.insert(member.name.clone(), String::from_utf8_lossy(&text).into_owned());
            Ok(())
        });
        walked.map_err(|e| e.at(path)).unwrap();
        all
    }

    #[tokio::test]
    async fn t47_what_cannot_be_had_is_a_gap_and_no_failure() {
        let host = TestHost::new();
        host.write("logs/a.log", "mail a@b.de\n".repeat(3));
        host.write("logs/wide.log", b"\xff\xfea\0");
        host.write("db.sqlite", b"SQLite format 3\0");
        host.write("broken.log.gz", b"\x1f\x8b\x08\0garbage");
        // The naive bundle stops at the first thing that is missing.
        let naive = "set -e; mkdir b; cp logs/gone.log b/; cp logs/a.log b/";
        assert!(!std::process::Command::new("sh").args(["-c", naive]).current_dir(host.root()).status().unwrap().success());
        assert!(!host.file("b/a.log").exists());
        for to in ["out/x.tar.zst", "out/x.tar.gz", "out/x.zip", "out/x.tar"] {
            let files =
                json!(["logs/gone.log", "logs/a.log", "logs/wide.log", "db.sqlite", "broken.log.gz", "gone/*.log", "logs"]);
            let out = apply(&host, json!({ "to": to, "files": files, "data": { "status": { "error": "connection refused" } } }))
                .await
                .unwrap()
                .out;
            assert_eq!((out.count, out.gaps.len(), out.complete), (2, 6, false), "{:?}", out.gaps);
            let all = contents(&out.path);
            assert_eq!(all.len(), 4, "{:?}", all.keys());
            let manifest: Json = serde_json::from_str(&all["manifest.json"]).unwrap();
            assert_eq!(manifest["gaps"].as_array().unwrap().len(), 6);
            assert_eq!((&manifest["parts"][1]["redacted"], &manifest["redacted"]["email"]), (&json!(3), &json!(3)));
            assert!(all.values().all(|t| !t.contains("a@b.de")));
            let file = std::fs::read(&out.path).unwrap();
            assert_eq!(out.sha256, Sha256::digest(&file).iter().map(|b| format!("{b:02x}")).collect::<String>());
        }
        assert!(matches!(apply(&host, json!({ "to": "y.zip", "files": ["gone.log"] })).await, Err(Fault::Unmet { .. })));
        assert!(!host.file("y.zip").exists());
    }

    #[tokio::test]
    async fn t79_bundles_of_one_second_and_parts_of_one_name_stay_apart() {
        let host = TestHost::new();
        host.write("a/x.log", "one\n");
        host.write("b/x.log", "two\n");
        host.write("A/x.log", "three\n");
        // Copied into one folder, the last of one name is left alone.
        let naive = "mkdir flat && cp a/x.log flat/ && cp b/x.log flat/ && test $(ls flat | wc -l) = 1";
        assert!(std::process::Command::new("sh").args(["-c", naive]).current_dir(host.root()).status().unwrap().success());
        let asked = json!({ "to": "out/", "files": ["a/x.log", "b/x.log", "A/x.log"], "data": { "x": 1, "x ": 2, "X": "text" } });
        let (one, two) = (apply(&host, asked.clone()).await.unwrap().out, apply(&host, asked).await.unwrap().out);
        assert_ne!(one.path, two.path);
        let names: BTreeSet<String> = one.parts.iter().map(|p| p.name.to_lowercase()).collect();
        assert_eq!((names.len(), one.count), (6, 6));
        assert_eq!(contents(&one.path).len(), 8);
        let fault = apply(&host, json!({ "to": one.path, "files": ["a/x.log"] })).await.unwrap_err();
        assert!(matches!(fault, Fault::Refused { .. }));
    }

    #[tokio::test]
    async fn the_last_lines_and_compressed_logs() {
        let host = TestHost::new();
        host.write("err.log", "1\n2\n3 a@b.de\n4\n");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"old a@b.de\n").unwrap();
        host.write("old.log.1.gz", gz.finish().unwrap());
        let out =
            apply(&host, json!({ "to": "x.zip", "files": [{ "path": "err.log", "tail": 2 }, "*.gz"], "fields": ["tenant"] }))
                .await
                .unwrap()
                .out;
        assert!(out.complete && out.parts[1].name.ends_with("old.log.1"));
        let all = contents(&out.path);
        let texts: Vec<&str> = all.iter().filter(|(n, _)| n.starts_with("files/")).map(|(_, t)| t.as_str()).collect();
        assert!(texts.contains(&"3 [EMAIL_REDACTED]\n4\n") && texts.contains(&"old [EMAIL_REDACTED]\n"), "{texts:?}");
    }

    #[tokio::test]
    async fn a_plan_writes_nothing_and_nonsense_is_invalid() {
        let host = TestHost::new();
        host.write("a.log", "x");
        let asked: Args = args(json!({ "to": "out/", "files": ["a.log", "gone.log"] }));
        let forecast = BundleCollect::plan(&asked, &host.cx()).await.unwrap();
        assert!(forecast.would_change && forecast.because.contains("gone.log") && !host.file("out").exists());
        for bad in [
            json!({ "to": "x.rar", "files": ["a"] }),
            json!({ "to": "x.zip" }),
            json!({ "to": "x.zip", "files": ["[a"] }),
            json!({ "to": "x.zip", "format": "gz", "files": ["a"] }),
        ] {
            assert!(matches!(apply(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
        }
    }
}
