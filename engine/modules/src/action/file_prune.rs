//! `file.prune`: takes away what is old, and never too much.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches, hand_word,
};
use runbook_core::value::{Duration, Size, format_duration, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::atomic::sync_folder;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::fileset::{FileInfo, Names, below, info};
use crate::support::paths::{Guarded, fault, is_missing, parent, resolve, resource, tidy};
use crate::support::tree::many;

pub(crate) struct FilePrune;

/// Deletes old files below one folder: those of the patterns, never too many, never the newest ones.
///
/// First everything is listed and judged; if anything speaks against it, nothing is deleted at all. The folder itself and other folders in it stay, links
/// are neither followed nor deleted, and other file systems mounted inside are not entered. Whatever does not match `patterns` stays.
///
/// `keep` newest of the files that match stay, however old they are: if backups have stopped, the last good ones are not lost.
///
/// Some places are refused as `root`: the root of the file system, the system's own folders, the home folder, the project root, the state folder, and folders that any of these lie in.
///
/// What is deleted is lost, so the step asks before it runs and shows the list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The folder; relative paths start at the project root. It has no wildcards, and must be there.
    #[schemars(length(min = 1))]
    root: String,
    /// Patterns of names, such as `*.wav`, or of paths below the folder if they have a slash in them, such as `cache/*.bin`. Hidden files
    /// match as well.
    patterns: OneOrMany,
    /// Only what was last changed longer ago than this, such as `48h` or `30d`, to the second.
    older_than: Duration,
    /// How many of the newest files that match stay in any case. Default: 0.
    #[serde(default)]
    keep: u32,
    /// Patterns of what stays in any case, as in `patterns`. Default: none.
    #[serde(default)]
    exclude: Option<OneOrMany>,
    /// Only files of this owner, by name or number. Default: any.
    #[serde(default)]
    owner: Option<String>,
    /// Whether to look into folders below as well. Default: false.
    #[serde(default)]
    recursive: bool,
    /// The most files to delete; if there are more, none is. Default: 1000.
    #[serde(default = "thousand")]
    max_delete: u32,
    /// Whether to empty files instead of deleting them, for logs that a program still holds open. Default: false.
    #[serde(default)]
    truncate: bool,
}

fn thousand() -> u32 {
    1000
}

/// What was deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The folder, as an absolute path.
    root: String,
    /// The number of files that were deleted or emptied.
    deleted: u64,
    /// The space that they took.
    freed: Size,
    /// The files, the oldest first; at most 1000.
    files: Vec<FileInfo>,
    /// The number of files that match and stay.
    kept: u64,
    /// The newest of them; null if none stays.
    newest_kept: Option<FileInfo>,
}

struct Asked {
    root: PathBuf,
    patterns: Names,
    exclude: Names,
    older_than: Duration,
    keep: usize,
    owner: Option<String>,
    recursive: bool,
    max_delete: u32,
    truncate: bool,
    now: Timestamp,
}

impl Asked {
    fn new(args: &Args, cx: &Cx<'_>) -> Result<Asked, Fault> {
        Ok(Asked {
            root: resolve(cx, "root", &args.root)?,
            patterns: Names::new("patterns", &args.patterns.0)?,
            exclude: Names::new("exclude", args.exclude.as_ref().map_or(&[][..], |e| &e.0))?,
            older_than: args.older_than,
            keep: args.keep as usize,
            owner: args.owner.clone(),
            recursive: args.recursive,
            max_delete: args.max_delete,
            truncate: args.truncate,
            now: cx.now(),
        })
    }

    /// Lists and judges, and touches nothing.
    fn list(&self, guarded: &Guarded, stop: &Stop) -> Result<List, Fault> {
        let meta = std::fs::symlink_metadata(&self.root).map_err(|e| fault(&self.root, &e))?;
        if !meta.is_dir() {
            let what = if meta.is_symlink() { "a link, and links are not followed" } else { "not a folder" };
            return Err(Fault::refused(format!("{} is {what}; `root` is the folder itself", self.root.display())));
        }
        let place = std::fs::canonicalize(&self.root).map_err(|e| fault(&self.root, &e))?;
        if let Some(why) = guarded.refuses(&place) {
            return Err(Fault::invalid("root", format!("nothing is pruned in {}: {why}", place.display())));
        }
        let mut matching: Vec<(PathBuf, FileInfo, u64)> = Vec::new();
        below(&place, self.recursive, stop, &mut |path, relative, meta| {
            use std::os::unix::fs::MetadataExt;
            if meta.is_file() && self.patterns.fit(relative) && !self.exclude.fit(relative) {
                let file = info(&path, &meta, self.now);
                let mine = self.owner.as_ref().is_none_or(|o| *o == file.owner || *o == meta.uid().to_string());
                if mine {
                    matching.push((path, file, meta.ino()));
                }
            }
        })?;
        // The newest first: they are what stays.
        matching.sort_by(|a, b| (b.1.modified.0, &b.0).cmp(&(a.1.modified.0, &a.0)));
        let mut list = List { place, ..List::default() };
        for (i, (path, file, inode)) in matching.into_iter().enumerate() {
            let done = self.truncate && file.size.0 == 0;
            if i < self.keep || file.age.0 <= self.older_than.0 || done {
                list.kept += 1;
                list.newest_kept.get_or_insert(file);
            } else {
                list.delete.push((path, file, inode));
            }
        }
        list.delete.reverse();
        if list.delete.len() > self.max_delete as usize {
            return Err(Fault::refused(format!(
                "{} below {} are older than {}, more than `max_delete: {}`; nothing is deleted. If that is right, raise `max_delete`",
                many(list.delete.len() as u64, "file"),
                list.place.display(),
                format_duration(self.older_than.0),
                self.max_delete
            )));
        }
        Ok(list)
    }

    fn verb(&self) -> &'static str {
        if self.truncate { "empty" } else { "delete" }
    }
}

#[derive(Default)]
struct List {
    place: PathBuf,
    delete: Vec<(PathBuf, FileInfo, u64)>,
    kept: u64,
    newest_kept: Option<FileInfo>,
}

impl List {
    fn size(&self) -> u64 {
        self.delete.iter().map(|(_, f, _)| f.size.0).sum()
    }

    fn forecast(&self, asked: &Asked) -> Forecast {
        let newest = self.newest_kept.as_ref().map_or_else(|| "none".to_owned(), |f| f.name.clone());
        let because = format!("{} of these stay, the newest is {newest}", self.kept);
        if self.delete.is_empty() {
            return Forecast::nothing(format!("none is older than {}; {because}", format_duration(asked.older_than.0)));
        }
        let count = many(self.delete.len() as u64, "file");
        let summary = format!("{} {count} below {} ({})", asked.verb(), self.place.display(), format_size(self.size()));
        let mut forecast = Forecast::would(summary, because);
        for (path, file, _) in self.delete.iter().take(1000) {
            let from = format!(
                "{}, {} old",
                format_size(file.size.0),
                format_duration(jiff::SignedDuration::from_secs(file.age.0.as_secs()))
            );
            let to = if asked.truncate { "empty" } else { "gone" };
            forecast.from_to.push((path.display().to_string(), from, to.to_owned()));
        }
        forecast
    }

    fn run(self, asked: &Asked, stop: &Stop) -> Result<Done<Out>, Fault> {
        use std::os::unix::fs::MetadataExt;
        let mut out = Out {
            root: self.place.display().to_string(),
            deleted: 0,
            freed: Size(0),
            files: Vec::new(),
            kept: self.kept,
            newest_kept: self.newest_kept,
        };
        let mut folders: Vec<PathBuf> = Vec::new();
        for (path, file, inode) in self.delete {
            stop.check()
                .map_err(|f| Fault::cannot_tell(format!("{}; {} were done before", f.message(), many(out.deleted, "file"))))?;
            // What was put there since is not what was listed.
            let same = std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_file() && m.ino() == inode);
            if !same {
                continue;
            }
            let done = if asked.truncate {
                std::fs::OpenOptions::new().write(true).truncate(true).open(&path).map(drop)
            } else {
                std::fs::remove_file(&path)
            };
            match done {
                Ok(()) => {}
                Err(e) if is_missing(&e) => continue,
                Err(e) => return Err(fault(&path, &e)),
            }
            out.deleted += 1;
            out.freed.0 += file.size.0;
            let folder = parent(&path).to_owned();
            if !folders.contains(&folder) {
                folders.push(folder);
            }
            if out.files.len() < 1000 {
                out.files.push(file);
            }
        }
        folders.iter().for_each(|f| sync_folder(f));
        Ok(if out.deleted > 0 { Done::changed(out) } else { Done::unchanged(out) })
    }
}

impl Action for FilePrune {
    const NAME: &'static str = "file.prune";
    const SAYS: &'static str = "{{ deleted }} deleted ({{ freed }}), {{ kept }} kept";
    const COLUMNS: &'static [&'static str] = &["deleted"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Old recordings, both kinds",
            yaml: "file.prune: { root: '{tmp}', patterns: ['*.wav', '*.mp3'], older_than: 48h }\n",
            runs: true,
        },
        Example {
            title: "Backups older than a month, but never the last seven",
            yaml: "file.prune:\n  root: /backups/db\n  patterns: 'memory-[0-9]*.db'\n  older_than: 30d\n  keep: 7\n",
            runs: false,
        },
        Example {
            title: "Logs that services still hold open",
            yaml: "file.prune: { root: logs/services, patterns: '*.log', older_than: 14d, truncate: true }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let root = by_hand::path(args, "root");
        let names: Vec<String> = args
            .list("patterns")
            .iter()
            .map(|p| {
                if p.contains('/') {
                    format!("-path {}", hand_word(&format!("*/{p}")))
                } else {
                    format!("-name {}", hand_word(p))
                }
            })
            .collect();
        let depth = if args.flag("recursive", false) { "" } else { " -maxdepth 1" };
        let minutes = args
            .seconds("older_than")
            .and_then(|s| s.parse::<f64>().ok())
            .map_or_else(|| "'<minutes>'".to_owned(), |s| format!("+{}", (s / 60.0).ceil()));
        let mut find = format!("find {root} -xdev{depth} -type f \\( {} \\) -mmin {minutes}", names.join(" -o "));
        for pattern in args.list("exclude") {
            find.push_str(&format!(" ! -name {}", hand_word(&pattern)));
        }
        if let Some(owner) = args.text("owner") {
            find.push_str(&format!(" -user {}", hand_word(&owner)));
        }
        let keep = args.or("keep", "0");
        let mut hand =
            ByHand::run("# Look at the list first, the newest come last:").and(format!("{find} -printf '%T+ %s %p\\n' | sort"));
        if keep != "0" {
            hand = hand.note(format!("The newest {keep} of all files that match stay, however old they are: leave them out."));
        }
        let end = if args.flag("truncate", false) { "-exec truncate -s 0 {} +" } else { "-delete" };
        hand.and("# Only if every one of them may go:").and(format!("{find} {end}"))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Destroy
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.root)]).needing(Need::Write(tidy(&args.root)))
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        Names::new("patterns", &args.patterns.0)?;
        Names::new("exclude", args.exclude.as_ref().map_or(&[][..], |e| &e.0))?;
        if args.older_than.0.is_negative() {
            return Err(Fault::invalid("older_than", "an age is not negative"));
        }
        if let Some(bad) =
            args.patterns.0.iter().find(|p| p.starts_with('/') || Path::new(p).components().any(|c| c.as_os_str() == ".."))
        {
            return Err(Fault::invalid("patterns", format!("{bad:?} leads out of `root`; patterns are for names below it")));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let (asked, guarded) = (Asked::new(args, cx)?, Guarded::of(cx));
        blocking(cx.timeout, move |stop| Ok(asked.list(&guarded, stop)?.forecast(&asked))).await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let (asked, guarded) = (Asked::new(args, cx)?, Guarded::of(cx));
        blocking(cx.timeout, move |stop| asked.list(&guarded, stop)?.run(&asked, stop)).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        let args: Args = args(json);
        FilePrune::check(&args)?;
        FilePrune::apply(&args, &host.change()).await
    }

    fn aged(host: &TestHost, name: &str, hours: u64) {
        let path = host.write(name, "12345");
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(hours * 3600);
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(then).unwrap();
    }

    fn left(host: &TestHost, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(host.file(folder))
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn naive(host: &TestHost, script: &str) {
        assert!(std::process::Command::new("sh").args(["-c", script]).current_dir(host.root()).status().unwrap().success());
    }

    #[tokio::test]
    async fn t25_the_last_good_backups_stay_though_backups_have_stopped() {
        let host = TestHost::new();
        for folder in ["naive", "backups"] {
            aged(&host, &format!("{folder}/20251201/x"), 31 * 24);
            for (name, days) in
                [("memory-20251201.db", 75), ("memory-20251202.db", 74), ("memory-20251203.db", 73), ("db_netops.sql.gz", 80)]
            {
                aged(&host, &format!("{folder}/{name}"), days * 24);
            }
        }
        naive(&host, "find naive -mtime +30 -type f -delete");
        assert_eq!(left(&host, "naive"), ["20251201"], "the last good ones and those of another system are gone");
        let asked = json!({ "root": "backups", "patterns": "memory-[0-9]*.db", "older_than": "30d", "keep": 2 });
        let forecast = FilePrune::plan(&args(asked.clone()), &host.cx()).await.unwrap();
        assert!(
            forecast.would_change && forecast.from_to.len() == 1 && forecast.because.contains("memory-20251203.db"),
            "{forecast:?}"
        );
        assert_eq!(left(&host, "backups").len(), 5);
        let done = apply(&host, asked.clone()).await.unwrap();
        assert_eq!((done.out.deleted, done.out.kept, done.out.freed), (1, 2, Size(5)));
        assert_eq!(left(&host, "backups"), ["20251201", "db_netops.sql.gz", "memory-20251202.db", "memory-20251203.db"]);
        assert!(!apply(&host, asked).await.unwrap().changed);
    }

    #[tokio::test]
    async fn t51_older_than_two_days_is_older_than_two_days_and_both_kinds_go() {
        let host = TestHost::new();
        for folder in ["naive", "either", "tmp"] {
            for (name, hours) in [("a.wav", 30), ("b.wav", 49), ("c.mp3", 49), ("d.txt", 99)] {
                aged(&host, &format!("{folder}/{name}"), hours);
            }
        }
        naive(&host, "find naive -name '*.wav' -mtime +1 -delete");
        assert_eq!(left(&host, "naive"), ["a.wav", "c.mp3", "d.txt"], "`+1` keeps 30 hours, and the other kind is forgotten");
        naive(&host, "find either -name '*.wav' -o -name '*.mp3' -delete");
        assert_eq!(left(&host, "either"), ["a.wav", "b.wav", "d.txt"], "only what stands last is deleted");
        let out = apply(&host, json!({ "root": "tmp", "patterns": ["*.wav", "*.mp3"], "older_than": "24h" })).await.unwrap().out;
        assert_eq!((out.deleted, left(&host, "tmp")), (3, vec!["d.txt".to_owned()]));
    }

    #[tokio::test]
    async fn t77_the_root_is_fixed_and_hidden_files_are_meant() {
        let host = TestHost::new();
        aged(&host, "app/cache/.hidden", 9);
        aged(&host, "app/cache/seen", 9);
        aged(&host, "app/other", 9);
        // With the variable unset the naive command is about another place: it is only printed here.
        let out =
            std::process::Command::new("sh").args(["-c", "echo rm -rf $ROOT/cache/*"]).current_dir(host.root()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "rm -rf /cache/*");
        let out = std::process::Command::new("sh").args(["-c", "echo app/cache/*"]).current_dir(host.root()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "app/cache/seen", "a shell leaves hidden files");
        for root in ["", "/", "/etc", ".", "/tmp"] {
            let fault = apply(&host, json!({ "root": root, "patterns": "*", "older_than": "1h" })).await.unwrap_err();
            assert!(matches!(fault, Fault::Invalid { .. }), "{root}: {fault:?}");
        }
        let out = apply(&host, json!({ "root": "app/cache", "patterns": "*", "older_than": "1h" })).await.unwrap().out;
        assert_eq!((out.deleted, left(&host, "app")), (2, vec!["cache".to_owned(), "other".to_owned()]));
    }

    #[tokio::test]
    async fn links_and_folders_stay_and_lead_nowhere() {
        let host = TestHost::new();
        aged(&host, "outside/precious.wav", 99);
        aged(&host, "tmp/sub/a.wav", 99);
        aged(&host, "tmp/keep/b.wav", 99);
        std::os::unix::fs::symlink("../outside", host.file("tmp/link")).unwrap();
        std::os::unix::fs::symlink("../outside/precious.wav", host.file("tmp/link.wav")).unwrap();
        let asked = json!({ "root": "tmp", "patterns": "*.wav", "older_than": "1h", "recursive": true, "exclude": "keep/*" });
        let out = apply(&host, asked).await.unwrap().out;
        assert_eq!(out.deleted, 1);
        assert!(
            host.file("outside/precious.wav").exists() && host.file("tmp/keep/b.wav").exists() && host.file("tmp/sub").is_dir()
        );
        let fault = apply(&host, json!({ "root": "tmp/link", "patterns": "*", "older_than": "1h" })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("link")), "{fault:?}");
    }

    #[tokio::test]
    async fn too_many_are_none_and_open_files_can_be_emptied() {
        let host = TestHost::new();
        (0..5).for_each(|i| aged(&host, &format!("logs/{i}.log"), 9));
        let fault =
            apply(&host, json!({ "root": "logs", "patterns": "*.log", "older_than": "1h", "max_delete": 4 })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("max_delete")), "{fault:?}");
        assert_eq!(left(&host, "logs").len(), 5);
        let asked = json!({ "root": "logs", "patterns": "*.log", "older_than": "1h", "truncate": true });
        let out = apply(&host, asked.clone()).await.unwrap().out;
        assert_eq!((out.deleted, out.freed, left(&host, "logs").len()), (5, Size(25), 5));
        assert_eq!(host.file("logs/0.log").metadata().unwrap().len(), 0);
        assert!(!apply(&host, asked).await.unwrap().changed);
        let fault = apply(&host, json!({ "root": "gone", "patterns": "*", "older_than": "1h" })).await.unwrap_err();
        assert!(matches!(fault, Fault::Unmet { .. }));
        for bad in [
            json!({ "root": "logs", "patterns": "../*", "older_than": "1h" }),
            json!({ "root": "logs", "patterns": "[x", "older_than": "1h" }),
        ] {
            assert!(matches!(apply(&host, bad).await, Err(Fault::Invalid { .. })));
        }
    }
}
