//! `object_store.get`: fetches an object into a file.

use std::path::PathBuf;

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::{Duration, Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::yes;
use crate::support::by_hand;
use crate::support::paths::{self, check_parent, make_parents};
use crate::support::s3::{self, Head, S3, Store};
use crate::support::s3_files::{Local, download, look_at, same};

pub(crate) struct ObjectStoreGet;

/// Fetches an object from a bucket into a file.
///
/// The file is there once it is whole, never in part; its size is compared with the store's, and its SHA-256 with the one that
/// `object_store.put` noted, if it did. A file that is the same already is left as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The bucket's name.
    bucket: String,
    /// The object's key.
    key: String,
    /// The path of the file.
    to: String,
    /// Whether to create the folders above it. Default: false.
    #[serde(default)]
    parents: bool,
    /// Whether a file that differs is replaced. Default: true.
    #[serde(default = "yes")]
    overwrite: bool,
    /// Where the store is, and its keys. Default: Amazon's, with the environment's keys.
    #[serde(default)]
    store: Store,
    /// The longest time for one request besides the transfer. Default: `30s`; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
}

/// What was fetched.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The path of the file.
    to: String,
    /// The object's key.
    key: String,
    /// The size.
    size: Size,
    /// The SHA-256 of the file, in hexadecimal.
    sha256: String,
    /// Whether it was compared with the SHA-256 that was noted when it was put there.
    verified: bool,
    /// Whether a file that differed was replaced.
    replaced: bool,
}

struct Task {
    to: PathBuf,
    head: Head,
    local: Option<Local>,
}

impl Args {
    async fn look(&self, store: &S3, cx: &Cx<'_>) -> Result<Task, Fault> {
        let to = paths::resolve(cx, "to", &self.to)?;
        check_parent(&to, self.parents)?;
        if std::fs::metadata(&to).is_ok_and(|m| m.is_dir()) {
            return Err(Fault::unmet(format!("{} is a folder; write the whole path of the file", to.display())));
        }
        let head = store.head(cx, &self.key).await?;
        let head =
            head.ok_or_else(|| Fault::unmet(format!("there is no object `{}` in the bucket `{}`", self.key, self.bucket)))?;
        let local = look_at(&to, cx).await?;
        if local.as_ref().is_some_and(|l| !same(l, &head)) && !self.overwrite {
            return Err(Fault::unmet(format!("{} exists and differs, and `overwrite` is false", to.display())));
        }
        Ok(Task { to, head, local })
    }

    fn out(&self, task: &Task, local: Local, replaced: bool) -> Out {
        Out {
            to: task.to.display().to_string(),
            key: self.key.clone(),
            size: Size(local.size),
            sha256: local.sha256,
            verified: task.head.sha256.is_some(),
            replaced,
        }
    }
}

impl Action for ObjectStoreGet {
    const NAME: &'static str = "object_store.get";
    const SAYS: &'static str = "{{ to }} ({{ size }})";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "A backup, before it is restored",
            yaml: "object_store.get: { bucket: backups, key: 20260215/db.sql.gz, to: restore/db.sql.gz, parents: true }\n",
            runs: false,
        },
        Example {
            title: "Only if it is not there yet",
            yaml: "object_store.get:\n  bucket: models\n  key: embeddings.bin\n  to: data/embeddings.bin\n  overwrite: false\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let url = s3::url_word(args, &args.or("key", "<key>"));
        let to = by_hand::path(args, "to");
        let get = s3::by_hand(args, &format!("s3 cp {url} {to}"));
        let get = if args.flag("overwrite", true) { get } else { format!("test ! -e {to} && {get}") };
        ByHand::default().and_if(by_hand::make_parents(args, "to")).and(get)
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let touches = Touches::changes([paths::resource(&args.to)]).and_reads(s3::resource(&args.store, &args.bucket));
        s3::needing(touches, &args.store).needing(Need::Write(paths::tidy(&args.to)))
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        s3::check_key("key", &args.key)?;
        s3::check(&args.store, &args.bucket)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let store = S3::open(cx, &args.store, &args.bucket, args.timeout)?;
        let task = args.look(&store, cx).await?;
        let because = match &task.local {
            Some(local) if same(local, &task.head) => {
                return Ok(Forecast::nothing(format!("{} is already the same", task.to.display())));
            }
            Some(_) => "what is there differs, or nothing tells that it is the same, and it is replaced",
            None => "it does not exist",
        };
        let size = format_size(task.head.object.size.0);
        Ok(Forecast::would(format!("fetch `{}` ({size}) into {}", args.key, task.to.display()), because))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let store = S3::open(cx, &args.store, &args.bucket, args.timeout)?;
        let mut task = args.look(&store, cx).await?;
        let before = task.local.take();
        if let Some(local) = before {
            if same(&local, &task.head) {
                return Ok(Done::unchanged(args.out(&task, local, false)));
            }
            let fetched = download(&store, cx, &task.head, &task.to).await?;
            // Without a noted hash, only now it is seen that it was the same.
            let changed = fetched.sha256 != local.sha256;
            return Ok(Done { changed, out: args.out(&task, fetched, changed) });
        }
        make_parents(&task.to)?;
        let fetched = download(&store, cx, &task.head, &task.to).await?;
        Ok(Done::changed(args.out(&task, fetched, false)))
    }
}
