//! `files`: how many files there are, how large, how old, and which is the newest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use runbook_core::expr::{Expr, MapScope};
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches, hand_word};
use runbook_core::value::{Duration, Map, Size, from_json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::fileset::{FileInfo, Kind, Names, in_age, info, meta};
use crate::support::globs::{expand, is_pattern, plain};
use crate::support::paths::resolve;

pub(crate) struct Files;

/// Counts the files that patterns stand for, and finds the newest, the oldest and the largest.
///
/// Without `expect` the step is ok if there is at least one. That there is none is an ordinary result; a folder that may not be read is not.
/// Links are not followed.
///
/// All conditions hold together: `exclude`, `kind`, `owner`, `older_than`, `newer_than`, `larger_than`, `smaller_than`, `where`. What a newer
/// file than `newest` was left out for is told in `passed_over`, so that a choice such as "the newest backup, but not the copy of the broken one" can be seen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The pattern, or several; relative paths start at the project root. `*`, `?`, `[ab]`, `{a,b}` and `**` stand for names. A path without them
    /// stands for itself.
    path: OneOrMany,
    /// Patterns of names that do not count, such as `memory-emergency-*`. Default: none.
    #[serde(default)]
    exclude: Option<OneOrMany>,
    /// What counts: `file`, `directory`, `symlink` or `any`. Default: `file`.
    #[serde(default)]
    kind: Kind,
    /// The owner's name or number. Default: any.
    #[serde(default)]
    owner: Option<String>,
    /// Only what was last changed longer ago than this, such as `48h`. Default: any age.
    #[serde(default)]
    older_than: Option<Duration>,
    /// Only what was last changed less long ago than this. Default: any age.
    #[serde(default)]
    newer_than: Option<Duration>,
    /// Only what is larger. Default: any size.
    #[serde(default)]
    larger_than: Option<Size>,
    /// Only what is smaller. Default: any size.
    #[serde(default)]
    smaller_than: Option<Size>,
    /// An expression over `path`, `name`, `size`, `modified`, `age`, `owner` and `mode` that must hold. Default: none.
    #[serde(default, rename = "where")]
    filter: Option<String>,
    /// What makes a file newer than another: `modified`, or `name` for names with a date in them, which a copy does not change. Default: `modified`.
    #[serde(default)]
    newest_by: By,
    /// How many of the newest and of the largest to give, at most 1000. Default: 10.
    #[serde(default = "ten")]
    #[schemars(range(max = 1000))]
    list: u32,
}

/// What an order is made by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum By {
    #[default]
    Modified,
    Name,
}

fn ten() -> u32 {
    10
}

/// What there is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The number of files that count.
    count: u64,
    /// Their sizes together.
    total_size: Size,
    /// The newest one; null if there is none.
    newest: Option<FileInfo>,
    /// The oldest one; null if there is none.
    oldest: Option<FileInfo>,
    /// The newest ones, the newest first, as many as `list` says.
    files: Vec<FileInfo>,
    /// The largest ones, the largest first, as many as `list` says.
    largest: Vec<FileInfo>,
    /// Files newer than `newest` that were left out, with the reason; at most 20.
    passed_over: Vec<PassedOver>,
    /// The number of files that the patterns stand for, with those that were left out.
    considered: u64,
    /// The patterns that stand for nothing.
    missing: Vec<String>,
}

/// A file that was left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct PassedOver {
    /// The file.
    file: FileInfo,
    /// Why it does not count, such as `exclude`.
    why: String,
}

struct Asked {
    exclude: Names,
    kind: Kind,
    owner: Option<String>,
    older: Option<Duration>,
    newer: Option<Duration>,
    larger: Option<Size>,
    smaller: Option<Size>,
    filter: Option<Expr>,
    by: By,
    list: usize,
    now: Timestamp,
}

impl Asked {
    fn new(args: &Args, now: Timestamp) -> Result<Asked, Fault> {
        let filter = args.filter.as_deref().map(Expr::parse_standalone).transpose();
        Ok(Asked {
            exclude: Names::new("exclude", args.exclude.as_ref().map_or(&[][..], |e| &e.0))?,
            kind: args.kind,
            owner: args.owner.clone(),
            older: args.older_than,
            newer: args.newer_than,
            larger: args.larger_than,
            smaller: args.smaller_than,
            filter: filter.map_err(|e| Fault::invalid("where", format!("it is no condition: {}", e.message)))?,
            by: args.newest_by,
            list: args.list.min(1000) as usize,
            now,
        })
    }

    /// Why a file does not count, if it does not.
    fn refuses(&self, file: &FileInfo) -> Result<Option<String>, Fault> {
        let age = file.age.0;
        let why = if self.exclude.fit(Path::new(&file.path)) || self.exclude.fit(Path::new(&file.name)) {
            "its name is among `exclude`"
        } else if self.owner.as_ref().is_some_and(|o| *o != file.owner && !owns(o, &file.path)) {
            "it has another owner"
        } else if !in_age(age, self.older, None) {
            "it is not older than `older_than`"
        } else if !in_age(age, None, self.newer) {
            "it is not newer than `newer_than`"
        } else if self.larger.is_some_and(|s| file.size.0 <= s.0) {
            "it is not larger than `larger_than`"
        } else if self.smaller.is_some_and(|s| file.size.0 >= s.0) {
            "it is not smaller than `smaller_than`"
        } else if !self.holds(file)? {
            "`where` does not hold"
        } else {
            return Ok(None);
        };
        Ok(Some(why.to_owned()))
    }

    fn holds(&self, file: &FileInfo) -> Result<bool, Fault> {
        let Some(filter) = &self.filter else { return Ok(true) };
        let json = serde_json::to_value(file).unwrap_or_default();
        let map: Map = json.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), from_json(v.clone()))).collect();
        let value = filter.eval(&MapScope { map: Arc::new(map), now: self.now });
        let value = value.map_err(|e| {
            let help = if e.undefined { "; there are `path`, `name`, `size`, `modified`, `age`, `owner`, `mode`" } else { "" };
            Fault::invalid("where", format!("{}{help}", e.message))
        })?;
        Ok(value.truth() == Some(true))
    }
}

/// Whether a number names the owner of a file.
fn owns(owner: &str, path: &str) -> bool {
    use std::os::unix::fs::MetadataExt;
    owner.parse().is_ok_and(|uid: u32| std::fs::symlink_metadata(path).is_ok_and(|m| m.uid() == uid))
}

impl Probe for Files {
    const NAME: &'static str = "files";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "count > 0";
    const SAYS: &'static str = "{{ count }} file{{ '' if count == 1 else 's' }}, {{ total_size }}";
    const COLUMNS: &'static [&'static str] = &["count"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "A backup of today, and not an empty one",
            yaml: "files: backups/db/memory-*.db\nexpect:\n  - newest.age < 26h\n  - newest.size > 1MB\n",
            runs: false,
        },
        Example {
            title: "The newest backup that is not the copy of the broken database",
            yaml: "files: { path: 'backups/db/memory-*.db', exclude: 'memory-emergency-*' }\n",
            runs: false,
        },
        Example {
            title: "Old recordings that fill the disk",
            yaml: "files: { path: ['/tmp/*.wav', '/tmp/*.mp3'], older_than: 48h }\nexpect: count == 0 or total_size < 100MB\n",
            runs: false,
        },
        Example { title: "None are left behind", yaml: "files: '{tmp}/*.lock'\nexpect: count == 0\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let files: Vec<String> = args.list("path").iter().map(|p| by_hand::glob_word(p)).collect();
        let kind = args.or("kind", "file");
        let mut hand = ByHand::run(format!("ls -l -t -d {}", files.join(" ")));
        if kind != "file" {
            hand = hand.note(format!("Only what is of the kind `{kind}` counts."));
        }
        for pattern in args.list("exclude") {
            hand = hand.note(format!("What is called {} does not count.", hand_word(&pattern)));
        }
        for (name, words) in [
            ("older_than", "older than"),
            ("newer_than", "newer than"),
            ("larger_than", "larger than"),
            ("smaller_than", "smaller than"),
        ] {
            if let Some(limit) = args.text(name) {
                hand = hand.note(format!("Only what is {words} {limit} counts."));
            }
        }
        if let Some(owner) = args.text("owner") {
            hand = hand.note(format!("Only what belongs to `{owner}` counts."));
        }
        if let Some(filter) = args.text("where") {
            hand = hand.note(format!("Only files count for which this holds: {}.", filter.replace('\n', " ")));
        }
        hand.expect("at least one file; the newest comes first")
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads(args.path.0.iter().map(|p| Resource::file(plain(p))))
    }

    fn check(args: &Args) -> Result<(), Fault> {
        Asked::new(args, Timestamp::UNIX_EPOCH)?;
        args.path.0.iter().try_for_each(|path| crate::support::globs::check("path", path))
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let asked = Asked::new(args, cx.now())?;
        let places = args.path.0.iter().map(|p| Ok((p.clone(), resolve(cx, "path", p)?))).collect::<Result<Vec<_>, Fault>>()?;
        blocking(cx.timeout, move |stop| look(&places, &asked, stop)).await
    }
}

fn look(places: &[(String, PathBuf)], asked: &Asked, stop: &Stop) -> Result<Out, Fault> {
    let mut out = Out {
        count: 0,
        total_size: Size(0),
        newest: None,
        oldest: None,
        files: Vec::new(),
        largest: Vec::new(),
        passed_over: Vec::new(),
        considered: 0,
        missing: Vec::new(),
    };
    let mut paths = Vec::new();
    for (written, path) in places {
        stop.check()?;
        let found = if is_pattern(written) && !path.exists() { expand("path", path)? } else { vec![path.clone()] };
        let before = paths.len();
        for path in found {
            if let Some(meta) = meta(&path)?.filter(|m| asked.kind.fits(m)) {
                paths.push((path, meta));
            }
        }
        if paths.len() == before {
            out.missing.push(written.clone());
        }
    }
    paths.sort_by(|a, b| a.0.cmp(&b.0));
    paths.dedup_by(|a, b| a.0 == b.0);
    out.considered = paths.len() as u64;
    let (mut count, mut left) = (Vec::new(), Vec::new());
    for (path, meta) in &paths {
        stop.check()?;
        let file = info(path, meta, asked.now);
        match asked.refuses(&file)? {
            None => count.push(file),
            Some(why) => left.push(PassedOver { file, why }),
        }
    }
    let newer = |a: &FileInfo, b: &FileInfo| match asked.by {
        By::Modified => (b.modified.0, &b.path).cmp(&(a.modified.0, &a.path)),
        By::Name => (&b.name, &b.path).cmp(&(&a.name, &a.path)),
    };
    count.sort_by(newer);
    left.sort_by(|a, b| newer(&a.file, &b.file));
    left.retain(|l| count.first().is_none_or(|newest| newer(&l.file, newest).is_lt()));
    left.truncate(20);
    out.passed_over = left;
    out.count = count.len() as u64;
    out.total_size = Size(count.iter().map(|f| f.size.0).sum());
    (out.newest, out.oldest) = (count.first().cloned(), count.last().cloned());
    out.files = count.iter().take(asked.list).cloned().collect();
    count.sort_by(|a, b| (b.size.0, &a.path).cmp(&(a.size.0, &b.path)));
    count.truncate(asked.list);
    out.largest = count;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn ask(host: &TestHost, json: serde_json::Value) -> Result<Out, Fault> {
        let args: Args = args(json);
        Files::check(&args)?;
        Files::observe(&args, &host.cx()).await
    }

    /// A file that was changed so many hours ago.
    fn aged(host: &TestHost, name: &str, size: usize, hours: u64) {
        let path = host.write(name, vec![b'x'; size]);
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(hours * 3600);
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(then).unwrap();
    }

    fn names(files: &[FileInfo]) -> Vec<&str> {
        files.iter().map(|f| f.name.as_str()).collect()
    }

    #[tokio::test]
    async fn files_are_counted_and_put_in_order() {
        let host = TestHost::new();
        aged(&host, "a.db", 10, 50);
        aged(&host, "b.db", 30, 2);
        aged(&host, "sub/c.db", 20, 20);
        aged(&host, "d.txt", 5, 1);
        std::os::unix::fs::symlink("a.db", host.file("link.db")).unwrap();
        let out = ask(&host, json!({ "path": ["*.db", "sub/*.db", "**/*.db", "gone/*"] })).await.unwrap();
        assert_eq!((out.count, out.total_size, out.missing.len()), (3, Size(60), 1));
        assert_eq!((names(&out.files), names(&out.largest)), (vec!["b.db", "c.db", "a.db"], vec!["b.db", "c.db", "a.db"]));
        assert_eq!((out.newest.unwrap().name, out.oldest.unwrap().name), ("b.db".to_owned(), "a.db".to_owned()));
        for (more, expected) in [
            (json!({ "older_than": "48h" }), vec!["a.db"]),
            (json!({ "newer_than": "3h" }), vec!["b.db"]),
            (json!({ "larger_than": "15B", "smaller_than": "25B" }), vec!["c.db"]),
            (json!({ "where": "size > 10B and age < 10h" }), vec!["b.db"]),
            (json!({ "exclude": ["b*", "sub/*"] }), vec!["a.db"]),
            (json!({ "kind": "symlink" }), vec!["link.db"]),
            (json!({ "owner": "nobody-at-all" }), vec![]),
        ] {
            let mut asked = json!({ "path": if more["exclude"].is_array() { json!("*.db") } else { json!("**/*.db") } });
            more.as_object().unwrap().iter().for_each(|(k, v)| asked[k] = v.clone());
            let out = ask(&host, asked.clone()).await.unwrap();
            assert_eq!(names(&out.files), expected, "{asked}");
        }
    }

    #[tokio::test]
    async fn t35_the_copy_of_the_broken_database_is_not_the_newest_backup() {
        let host = TestHost::new();
        aged(&host, "backups/memory-20260213.db", 10, 48);
        aged(&host, "backups/memory-20260214.db", 10, 24);
        aged(&host, "backups/memory-emergency-20260215.db", 10, 1);
        let naive = std::process::Command::new("sh")
            .args(["-c", "ls -t memory-*.db | head -n 1"])
            .current_dir(host.file("backups"))
            .output();
        assert_eq!(String::from_utf8_lossy(&naive.unwrap().stdout).trim(), "memory-emergency-20260215.db");
        let out = ask(&host, json!({ "path": "backups/memory-*.db", "exclude": "memory-emergency-*" })).await.unwrap();
        assert_eq!(out.newest.unwrap().name, "memory-20260214.db");
        assert_eq!((out.passed_over.len(), out.considered), (1, 3));
        assert!(out.passed_over[0].why.contains("exclude"));
        // A copy makes an old one the newest by its time; the date in its name stays.
        aged(&host, "backups/memory-20260213.db", 10, 0);
        let out = ask(&host, json!({ "path": "backups/memory-2*.db", "newest_by": "name" })).await.unwrap();
        assert_eq!(out.newest.unwrap().name, "memory-20260214.db");
    }

    #[tokio::test]
    async fn nothing_is_a_result_and_nonsense_is_not() {
        let host = TestHost::new();
        let out = ask(&host, json!({ "path": "gone/*.db" })).await.unwrap();
        assert_eq!((out.count, out.newest.is_none(), out.missing), (0, true, vec!["gone/*.db".to_owned()]));
        host.write("a", "");
        for bad in [
            json!({ "path": "[a" }),
            json!({ "path": "a", "where": "size >" }),
            json!({ "path": "a", "where": "sise > 1B" }),
            json!({ "path": "a", "exclude": "[x" }),
        ] {
            assert!(matches!(ask(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
        }
    }
}
