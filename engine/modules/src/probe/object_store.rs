//! `object_store`: what is in a bucket.

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches};
use runbook_core::value::{Duration, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::s3::{self, Object, S3, Store};

pub(crate) struct ObjectStore;

/// Looks what is in a bucket of an object store that speaks S3.
///
/// It lists what begins with `prefix`, page after page, and says how much there is and what the newest is; or it looks at one object by its
/// `key`. Without `expect` the step is ok if something was found: a backup of a wrong date is an empty list, and an empty list fails.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The bucket's name.
    bucket: String,
    /// The beginning of the keys, such as `backups/20260215/`. Default: all.
    #[serde(default)]
    prefix: Option<String>,
    /// The key of one object, in place of a list.
    #[serde(default)]
    key: Option<String>,
    /// Where the store is, and its keys. Default: Amazon's, with the environment's keys.
    #[serde(default)]
    store: Store,
    /// The most objects to list. Default: 100000; if there are more, `more` is true and the numbers are of those that were listed.
    #[serde(default = "most")]
    #[schemars(range(min = 1))]
    max_objects: usize,
    /// How many objects to show in `objects`, the newest first. Default: 20.
    #[serde(default = "twenty")]
    show: usize,
    /// The longest time for one request. Default: `30s`; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
}

fn most() -> usize {
    100_000
}

fn twenty() -> usize {
    20
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether there is such an object, or any with this prefix.
    found: bool,
    /// How many there are.
    count: u64,
    /// How large they are together.
    size: Size,
    /// The one that was written last; null if there is none.
    newest: Option<Object>,
    /// The one that was written first; null if there is none.
    oldest: Option<Object>,
    /// The newest of them, `show` at the most.
    objects: Vec<Object>,
    /// Whether there are more than `max_objects`.
    more: bool,
    /// What one object holds, such as `application/gzip`; null for a list.
    content_type: Option<String>,
    /// The SHA-256 that was noted when one object was put there by `object_store.put`; null if none was.
    sha256: Option<String>,
}

impl Probe for ObjectStore {
    const NAME: &'static str = "object_store";
    const MAIN: Option<&'static str> = Some("bucket");
    const VERDICT: &'static str = "found";
    const SAYS: &'static str = "{{ count }} objects, {{ size }}";
    const COLUMNS: &'static [&'static str] = &["count", "size"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "There is a backup of today, and it is not an empty one",
            yaml: "object_store:\n  bucket: backups\n  prefix: \"{{ now() | date('%Y%m%d') }}/\"\nexpect:\n  - count >= 3\n  - size > 1MB\n",
            runs: false,
        },
        Example {
            title: "The newest object is not older than a day",
            yaml: "object_store: { bucket: backups, prefix: db/ }\nexpect: newest.age < 1d\n",
            runs: false,
        },
        Example {
            title: "One object, in MinIO; nobody listens here, so it fails",
            yaml: "object_store:\n  bucket: backups\n  key: db/latest.sql.gz\n  store: { endpoint: 'http://127.0.0.1:{port}', access_key: a, secret_key: b }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let line = match args.text("key") {
            Some(key) => format!("s3 ls {}", s3::url_word(args, &key)),
            None => format!("s3 ls --recursive --summarize {}", s3::url_word(args, &args.or("prefix", ""))),
        };
        ByHand::run(s3::by_hand(args, &line))
            .expect("the objects that are wanted are listed; an empty list is a failure, whatever the exit code")
    }

    fn touches(args: &Args) -> Touches {
        s3::needing(Touches::reads([s3::resource(&args.store, &args.bucket)]), &args.store)
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if args.key.is_some() && args.prefix.is_some() {
            return Err(Fault::invalid("key", "give either `key` or `prefix`, not both"));
        }
        if let Some(key) = &args.key {
            s3::check_key("key", key)?;
        }
        s3::check(&args.store, &args.bucket)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        Self::check(args)?;
        let store = S3::open(cx, &args.store, &args.bucket, args.timeout)?;
        if let Some(key) = &args.key {
            let head = store.head(cx, key).await?;
            let (content_type, sha256) = head.as_ref().map(|h| (h.content_type.clone(), h.sha256.clone())).unwrap_or_default();
            return Ok(Out { content_type, sha256, ..out(head.map(|h| h.object).into_iter().collect(), false, args.show) });
        }
        let listing = store.list(cx, args.prefix.as_deref().unwrap_or_default(), args.max_objects).await?;
        Ok(out(listing.objects, listing.more, args.show))
    }
}

fn out(mut objects: Vec<Object>, more: bool, show: usize) -> Out {
    objects.sort_by(|a, b| b.modified.map(|t| t.0).cmp(&a.modified.map(|t| t.0)).then_with(|| b.key.cmp(&a.key)));
    let (newest, oldest) = (objects.first().cloned(), objects.last().cloned());
    let (count, size) = (objects.len() as u64, Size(objects.iter().map(|o| o.size.0).sum()));
    objects.truncate(show);
    Out { found: count > 0, count, size, newest, oldest, objects, more, content_type: None, sha256: None }
}

#[cfg(test)]
#[path = "object_store_tests.rs"]
mod tests;
