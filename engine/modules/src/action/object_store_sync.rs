//! `object_store.sync`: makes a folder and a part of a bucket the same.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration as Std, SystemTime};

use futures_util::{StreamExt, stream};
use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches, hand_word,
};
use runbook_core::value::{Duration, Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::paths::{self, Guarded};
use crate::support::s3::parts::Parts;
use crate::support::s3::{self, Head, Object, S3, Store};
use crate::support::s3_files::{Found, download, stays_inside, upload, walk};
use crate::support::tree::many;

pub(crate) struct ObjectStoreSync;

/// Copies what differs from a bucket into a folder, or from a folder into a bucket.
///
/// Both sides are listed first. A source with fewer files than `at_least` is refused before anything is changed: a wrong date is an empty source,
/// and copying nothing must not look like success. Afterwards the target is listed again, and every file of the source must be there with its size.
///
/// A file is copied if it is missing in the target, if its size differs, or if the source is newer. Links are not followed. A key that would
/// lead out of the folder is refused. With `delete`, what is in the target and not in the source is removed, and the step counts as destroying.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// `down` from the bucket into the folder, or `up` from the folder into the bucket.
    direction: Direction,
    /// The bucket's name.
    bucket: String,
    /// The part of the bucket, as a folder such as `backups/20260215`. Default: the whole bucket.
    #[serde(default)]
    prefix: String,
    /// The folder.
    dir: String,
    /// Whether to remove from the target what is not in the source. Default: false.
    #[serde(default)]
    delete: bool,
    /// The source must have so many files at least. Default: 1.
    #[serde(default = "one")]
    at_least: u64,
    /// Whether the target must be empty at the start, so that nothing of an older restore stays in it. Default: false.
    #[serde(default)]
    into_empty: bool,
    /// The most files on either side; more are refused. Default: 100000.
    #[serde(default = "most")]
    #[schemars(range(min = 1))]
    max_files: usize,
    /// Where the store is, and its keys. Default: Amazon's, with the environment's keys.
    #[serde(default)]
    store: Store,
    /// The longest time for one request besides a transfer. Default: `30s`; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Direction {
    Down,
    Up,
}

fn one() -> u64 {
    1
}

fn most() -> usize {
    100_000
}

/// So many transfers at a time.
const AT_ONCE: usize = 8;

/// What was copied.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// How many files were copied.
    copied: u64,
    /// How large those are together.
    size: Size,
    /// How many were in the target already.
    unchanged: u64,
    /// How many were removed from the target.
    deleted: u64,
    /// How many things in the folder are no files, such as links, and were left out.
    skipped: u64,
    /// How many files the source has.
    source_files: u64,
    /// How large the source is.
    source_size: Size,
}

/// One file of one side.
#[derive(Clone)]
struct Side {
    size: u64,
    modified: Option<SystemTime>,
}

type Files = BTreeMap<String, Side>;

/// What there is to do.
struct Task {
    dir: PathBuf,
    source: Files,
    copies: Vec<(String, u64)>,
    deletes: Vec<String>,
    skipped: u64,
    into: u64,
}

impl Args {
    /// The prefix as a folder: empty, or with a slash at its end.
    fn folder(&self) -> String {
        let bare = self.prefix.trim_matches('/');
        if bare.is_empty() { String::new() } else { format!("{bare}/") }
    }

    async fn local(&self, dir: &Path, cx: &Cx<'_>) -> Result<(Files, u64), Fault> {
        let (dir, most) = (dir.to_owned(), self.max_files);
        let (found, skipped) = blocking(cx.timeout, move |stop| walk(&dir, most, stop)).await?;
        let side = |f: Found| (f.name, Side { size: f.size, modified: Some(f.modified) });
        Ok((found.into_iter().map(side).collect(), skipped))
    }

    async fn remote(&self, store: &S3, cx: &Cx<'_>) -> Result<Files, Fault> {
        let folder = self.folder();
        let listing = store.list(cx, &folder, self.max_files).await?;
        if listing.more {
            return Err(Fault::refused(format!("there are more than {} objects below `{folder}`", self.max_files)));
        }
        let side = |o: Object| {
            let name = o.key.strip_prefix(&folder)?.to_owned();
            // A key with a slash at its end stands for a folder, as some programs leave them.
            (!name.is_empty() && !name.ends_with('/')).then(|| (name, Side { size: o.size.0, modified: time(&o) }))
        };
        Ok(listing.objects.into_iter().filter_map(side).collect())
    }

    fn from(&self) -> String {
        match self.direction {
            Direction::Down => format!("s3://{}/{}", self.bucket, self.folder()),
            Direction::Up => self.dir.clone(),
        }
    }

    fn into(&self) -> String {
        match self.direction {
            Direction::Down => self.dir.clone(),
            Direction::Up => format!("s3://{}/{}", self.bucket, self.folder()),
        }
    }

    async fn look(&self, store: &S3, cx: &Cx<'_>) -> Result<Task, Fault> {
        let dir = paths::resolve(cx, "dir", &self.dir)?;
        if self.direction == Direction::Up && !std::fs::metadata(&dir).map_err(|e| paths::fault(&dir, &e))?.is_dir() {
            return Err(Fault::unmet(format!("{} is not a folder", dir.display())));
        }
        let remote = self.remote(store, cx).await?;
        let (local, skipped) = self.local(&dir, cx).await?;
        let (source, target) = match self.direction {
            Direction::Down => (remote, local),
            Direction::Up => (local, remote),
        };
        if (source.len() as u64) < self.at_least {
            let (n, wanted) = (many(source.len() as u64, "file"), self.at_least);
            return Err(Fault::unmet(format!(
                "the source {} has {n} and must have {wanted} at least; nothing was changed",
                self.from()
            )));
        }
        if self.into_empty && !target.is_empty() {
            let n = many(target.len() as u64, "file");
            return Err(Fault::refused(format!("{} has {n} in it and must be empty (`into_empty`)", self.into())));
        }
        if self.direction == Direction::Down {
            for name in source.keys() {
                safe(name)?;
                stays_inside(&dir, &dir.join(name))?;
            }
            if self.delete
                && let Some(why) = Guarded::of(cx).refuses(&std::fs::canonicalize(&dir).unwrap_or_else(|_| dir.clone()))
            {
                return Err(Fault::refused(format!("nothing is deleted in {}: {why}", dir.display())));
            }
        }
        let differs = |name: &String, side: &Side| match target.get(name) {
            None => true,
            Some(there) => there.size != side.size || newer(side.modified, there.modified),
        };
        let copies =
            source.iter().filter(|(name, side)| differs(name, side)).map(|(name, side)| (name.clone(), side.size)).collect();
        let deletes = match self.delete {
            true => target.keys().filter(|name| !source.contains_key(*name)).cloned().collect(),
            false => Vec::new(),
        };
        Ok(Task { dir, source, copies, deletes, skipped, into: target.len() as u64 })
    }

    async fn copy(&self, store: &S3, cx: &Cx<'_>, task: &Task, name: &str) -> Result<(), Fault> {
        let (path, key) = (task.dir.join(name), format!("{}{name}", self.folder()));
        if self.direction == Direction::Up {
            return upload(store, cx, &key, &path, "application/octet-stream", Parts::default()).await.map(drop);
        }
        let head: Option<Head> = store.head(cx, &key).await?;
        let head = head.ok_or_else(|| Fault::unmet(format!("`{key}` was there a moment ago and is gone")))?;
        stays_inside(&task.dir, &path)?;
        paths::make_parents(&path)?;
        download(store, cx, &head, &path).await.map(drop)
    }

    async fn remove(&self, store: &S3, cx: &Cx<'_>, task: &Task, name: &str) -> Result<(), Fault> {
        match self.direction {
            Direction::Up => store.delete(cx, &format!("{}{name}", self.folder())).await,
            Direction::Down => {
                let path = task.dir.join(name);
                std::fs::remove_file(&path).map_err(|e| paths::fault(&path, &e))
            }
        }
    }

    /// Every file of the source must be in the target now.
    async fn verify(&self, store: &S3, cx: &Cx<'_>, task: &Task) -> Result<(), Fault> {
        let target = match self.direction {
            Direction::Down => self.local(&task.dir, cx).await?.0,
            Direction::Up => self.remote(store, cx).await?,
        };
        let missing: Vec<&str> = task
            .source
            .iter()
            .filter(|(name, side)| target.get(*name).is_none_or(|there| there.size != side.size))
            .map(|(name, _)| name.as_str())
            .collect();
        match missing.first() {
            None => Ok(()),
            Some(first) => {
                let n = many(missing.len() as u64, "file");
                Err(Fault::unmet(format!("{n} of the source did not arrive whole, such as `{first}`")))
            }
        }
    }
}

fn time(object: &Object) -> Option<SystemTime> {
    let seconds = u64::try_from(object.modified?.0.as_second()).ok()?;
    Some(SystemTime::UNIX_EPOCH + Std::from_secs(seconds))
}

/// By whole seconds, since a store's times have no more.
fn newer(source: Option<SystemTime>, target: Option<SystemTime>) -> bool {
    let seconds = |t: Option<SystemTime>| t.and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok()).map(|d| d.as_secs());
    match (seconds(source), seconds(target)) {
        (Some(source), Some(target)) => source > target,
        _ => false,
    }
}

/// A key that is a path below a folder, and nothing else.
fn safe(name: &str) -> Result<(), Fault> {
    let inside = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)))
        && !name.split('/').any(|part| part.is_empty() || part == "." || part == "..")
        && !name.contains('\0');
    match inside {
        true => Ok(()),
        false => Err(Fault::refused(format!("the key {name:?} is no path below a folder; nothing was changed"))),
    }
}

impl Action for ObjectStoreSync {
    const NAME: &'static str = "object_store.sync";
    const SAYS: &'static str = "{{ copied }} copied ({{ size }}), {{ unchanged }} already there";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "A backup into a fresh folder; a date without a backup fails before anything is stopped",
            yaml: "object_store.sync:\n  direction: down\n  bucket: backups\n  prefix: '{{ params.backup_date }}'\n  dir: /tmp/restore\n  at_least: 3\n  into_empty: true\n",
            runs: false,
        },
        Example {
            title: "A folder into a bucket, which has nothing else afterwards",
            yaml: "object_store.sync: { direction: up, dir: site, bucket: www-example-org, delete: true }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let url = s3::url_word(args, &args.or("prefix", ""));
        let dir = by_hand::path(args, "dir");
        let delete = if args.flag("delete", false) { " --delete" } else { "" };
        let up = args.text("direction").as_deref() == Some("up");
        let (from, to) = if up { (&dir, &url) } else { (&url, &dir) };
        let list = match up {
            true => format!("find {dir} -type f | wc -l"),
            false => s3::by_hand(args, &format!("s3 ls --recursive --summarize {url}")),
        };
        let wanted = hand_word(&args.or("at_least", "1"));
        let hand = ByHand::run(list)
            .note(format!("There must be {wanted} files at least; if not, stop: `aws s3 sync` copies nothing and says nothing."));
        let hand = hand.and(s3::by_hand(args, &format!("s3 sync --dryrun{delete} {from} {to}")));
        hand.and(s3::by_hand(args, &format!("s3 sync{delete} {from} {to}")))
    }

    fn effect(args: &Args) -> Effect {
        if args.delete { Effect::Destroy } else { Effect::Change }
    }

    fn touches(args: &Args) -> Touches {
        let (bucket, dir) = (s3::resource(&args.store, &args.bucket), paths::resource(&args.dir));
        let touches = match args.direction {
            Direction::Down => Touches::changes([dir]).and_reads(bucket).needing(Need::Write(paths::tidy(&args.dir))),
            Direction::Up => Touches::changes([bucket]).and_reads(dir),
        };
        s3::needing(touches, &args.store)
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if args.delete && args.at_least == 0 {
            return Err(Fault::invalid("at_least", "with `delete`, an empty source would remove everything: ask for 1 at least"));
        }
        if args.prefix.split('/').any(|part| part == "." || part == "..") {
            return Err(Fault::invalid("prefix", "a prefix has no `.` or `..` in it"));
        }
        s3::check(&args.store, &args.bucket)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let store = S3::open(cx, &args.store, &args.bucket, args.timeout)?;
        let task = args.look(&store, cx).await?;
        let unchanged = task.source.len() - task.copies.len();
        if task.copies.is_empty() && task.deletes.is_empty() {
            return Ok(Forecast::nothing(format!("{} is already the same ({})", args.into(), many(task.into, "file"))));
        }
        let size = format_size(task.copies.iter().map(|(_, size)| size).sum());
        let mut summary =
            format!("copy {} ({size}) from {} into {}", many(task.copies.len() as u64, "file"), args.from(), args.into());
        if !task.deletes.is_empty() {
            let some = task.deletes.iter().take(5).map(|d| format!("`{d}`")).collect::<Vec<_>>().join(", ");
            let more = if task.deletes.len() > 5 { ", ..." } else { "" };
            summary += &format!("; delete {} there: {some}{more}", many(task.deletes.len() as u64, "file"));
        }
        let because = format!("the source has {}, {unchanged} of them already there", many(task.source.len() as u64, "file"));
        Ok(Forecast::would(summary, because))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let store = S3::open(cx, &args.store, &args.bucket, args.timeout)?;
        let task = args.look(&store, cx).await?;
        let mut each = Vec::new();
        for (name, _) in &task.copies {
            each.push(args.copy(&store, cx, &task, name));
        }
        let total = each.len();
        let mut copies = stream::iter(each).buffer_unordered(AT_ONCE);
        let mut done = 0;
        while let Some(copied) = copies.next().await {
            copied?;
            done += 1;
            cx.progress(&format!("{done} of {total} copied"));
        }
        args.verify(&store, cx, &task).await?;
        // What is too much goes once everything else is safe.
        for name in &task.deletes {
            args.remove(&store, cx, &task, name).await?;
        }
        let changed = !(task.copies.is_empty() && task.deletes.is_empty());
        let out = Out {
            copied: task.copies.len() as u64,
            size: Size(task.copies.iter().map(|(_, size)| size).sum()),
            unchanged: (task.source.len() - task.copies.len()) as u64,
            deleted: task.deletes.len() as u64,
            skipped: task.skipped,
            source_files: task.source.len() as u64,
            source_size: Size(task.source.values().map(|s| s.size).sum()),
        };
        Ok(Done { changed, out })
    }
}
