//! `object_store.put`: puts a file into a bucket.

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Touches, hand_word};
use runbook_core::value::{Duration, Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::yes;
use crate::support::by_hand;
use crate::support::paths;
use crate::support::s3::parts::{LARGEST, Parts, SMALLEST};
use crate::support::s3::{self, S3, Store};
use crate::support::s3_files::{look_at, same, upload};

pub(crate) struct ObjectStorePut;

/// Puts a file into a bucket of an object store that speaks S3.
///
/// The file's SHA-256 is noted with it, in the metadata `sha256`, by which `object_store.get` sees that it is the same. Afterwards the store is
/// asked whether it has the whole file. An object that is the same already is left as it is.
///
/// A file above `parts_above` is sent in parts, each of which is tried up to four times; the object is there once the store has put them
/// together. If that fails, or the step is given up, the parts that were sent are taken back, and nothing of them stays in the bucket. Where the
/// program itself is killed they stay, unseen: a bucket should have a rule that removes what was left incomplete for some days.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The file.
    file: String,
    /// The bucket's name.
    bucket: String,
    /// The key to put it under, such as `backups/20260215/db.sql.gz`.
    key: String,
    /// What it holds, such as `application/gzip`. Default: `application/octet-stream`.
    #[serde(default)]
    content_type: Option<String>,
    /// Whether an object that differs is replaced. Default: true. In a bucket without versions the old one is lost.
    #[serde(default = "yes")]
    overwrite: bool,
    /// A larger file is sent in parts, at most `5GiB` in one request. Default: `100MiB`.
    #[serde(default)]
    parts_above: Option<Size>,
    /// The size of the parts, from `5MiB` to `5GiB`; more if there would be over 10,000 of them. Default: `16MiB`.
    #[serde(default)]
    part_size: Option<Size>,
    /// Where the store is, and its keys. Default: Amazon's, with the environment's keys.
    #[serde(default)]
    store: Store,
    /// The longest time for one request besides the transfer. Default: `30s`; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
}

/// What was put there.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The bucket's name.
    bucket: String,
    /// The key.
    key: String,
    /// The size.
    size: Size,
    /// The SHA-256, in hexadecimal.
    sha256: String,
    /// Whether an object that differed was replaced.
    replaced: bool,
    /// In how many parts it was sent; null if it went in one request, or nothing was sent.
    parts: Option<u64>,
}

enum Task {
    Same(Out),
    Put(Out),
}

impl Args {
    fn parts(&self) -> Result<Parts, Fault> {
        let default = Parts::default();
        let size = self.part_size.map_or(default.size, |s| s.0);
        if !(SMALLEST..=LARGEST).contains(&size) {
            return Err(Fault::invalid("part_size", "a store takes parts from `5MiB` to `5GiB`"));
        }
        Ok(Parts { above: self.parts_above.map_or(default.above, |s| s.0), size })
    }

    async fn look(&self, store: &S3, cx: &Cx<'_>) -> Result<Task, Fault> {
        let path = paths::resolve(cx, "file", &self.file)?;
        let local = look_at(&path, cx).await?.ok_or_else(|| Fault::unmet(format!("{}: no such file", path.display())))?;
        let head = store.head(cx, &self.key).await?;
        let is_same = head.as_ref().is_some_and(|h| same(&local, h));
        if head.is_some() && !is_same && !self.overwrite {
            return Err(Fault::unmet(format!("`{}` exists and differs, and `overwrite` is false", self.key)));
        }
        let out = Out {
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            size: Size(local.size),
            sha256: local.sha256,
            replaced: head.is_some() && !is_same,
            parts: None,
        };
        Ok(if is_same { Task::Same(out) } else { Task::Put(out) })
    }
}

impl Action for ObjectStorePut {
    const NAME: &'static str = "object_store.put";
    const SAYS: &'static str = "{{ key }} ({{ size }})";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Today's backup, never over another one",
            yaml: "object_store.put:\n  file: backups/db.sql.gz\n  bucket: backups\n  key: \"{{ now() | date('%Y%m%d') }}/db.sql.gz\"\n  overwrite: false\n",
            runs: false,
        },
        Example {
            title: "A large file over a slow line, in small parts",
            yaml: "object_store.put:\n  file: backups/questdb.tar.zst\n  bucket: backups\n  key: questdb.tar.zst\n  parts_above: 50MiB\n  part_size: 5MiB\ntimeout: 2h\n",
            runs: false,
        },
        Example {
            title: "Into MinIO, with keys of its own",
            yaml: "object_store.put:\n  file: report.json\n  bucket: reports\n  key: latest.json\n  content_type: application/json\n  store: { endpoint: 'http://127.0.0.1:9000', access_key: '{{ params.key }}', secret_key: '{{ params.secret }}' }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let file = by_hand::path(args, "file");
        let url = s3::url_word(args, &args.or("key", "<key>"));
        let kind = args.text("content_type").map(|k| format!(" --content-type {}", hand_word(&k))).unwrap_or_default();
        let put = s3::by_hand(args, &format!("s3 cp {file} {url}{kind}"));
        let hand = ByHand::default();
        let hand = if args.flag("overwrite", true) {
            hand
        } else {
            hand.and(s3::by_hand(args, &format!("s3 ls {url}")))
                .note("If something is listed, do not go on: it must not be replaced.")
        };
        hand.and(put).and(s3::by_hand(args, &format!("s3 ls {url}"))).note("The size that is listed must be that of the file.")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let touches = Touches::changes([s3::resource(&args.store, &args.bucket)]).and_reads(paths::resource(&args.file));
        s3::needing(touches, &args.store)
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        s3::check_key("key", &args.key)?;
        args.parts()?;
        if args.content_type.as_ref().is_some_and(|k| !k.is_ascii() || k.chars().any(char::is_control)) {
            return Err(Fault::invalid("content_type", "this is not a kind of content such as `application/gzip`"));
        }
        s3::check(&args.store, &args.bucket)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let store = S3::open(cx, &args.store, &args.bucket, args.timeout)?;
        Ok(match args.look(&store, cx).await? {
            Task::Same(out) => Forecast::nothing(format!("`{}` is already the same", out.key)),
            Task::Put(out) => {
                let parts = args.parts()?.of(out.size.0)?;
                let parts = parts.map(|(part, count)| format!(", {count} parts of {}", format_size(part))).unwrap_or_default();
                let size = format_size(out.size.0) + &parts;
                let because = if out.replaced { "what is there differs and is replaced" } else { "it is not there" };
                Forecast::would(format!("put {} ({size}) into {} as `{}`", args.file, out.bucket, out.key), because)
            }
        })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let store = S3::open(cx, &args.store, &args.bucket, args.timeout)?;
        match args.look(&store, cx).await? {
            Task::Same(out) => Ok(Done::unchanged(out)),
            Task::Put(out) => {
                let path = paths::resolve(cx, "file", &args.file)?;
                let kind = args.content_type.as_deref().unwrap_or("application/octet-stream");
                let (put, parts) = upload(&store, cx, &args.key, &path, kind, args.parts()?).await?;
                Ok(Done::changed(Out { size: Size(put.size), sha256: put.sha256, parts, ..out }))
            }
        }
    }
}
