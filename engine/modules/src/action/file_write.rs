//! `file.write`: makes a file have a content.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::diff;
use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::{Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::{Mode, yes};
use crate::support::atomic::{Draft, back_up};
use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::paths::{check_parent, fault, is_missing, make_parents, resolve, resource, tidy};

pub(crate) struct FileWrite;

/// Makes a file have a content.
///
/// The file is written next to its place, made durable and then moved there: nobody ever sees half of it, and if something goes wrong the
/// old file stays. Nothing changes if it already has that content and mode. Mode, owner and group of an existing file are kept. If
/// the path is a link, the file that it points to is written.
///
/// A dry run shows the difference.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The file; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// The text.
    content: String,
    /// Whether to add the text at the end instead, unless the file already holds it as whole lines. Default: false.
    #[serde(default)]
    append: bool,
    /// The permissions in octal, such as `"0644"`. Default: those of the existing file, or of any new file.
    #[serde(default)]
    mode: Option<Mode>,
    /// Whether to keep the old file next to it, as `NAME.20260215T142345Z.bak`. Default: false.
    #[serde(default)]
    backup: bool,
    /// Whether to create missing folders on the way. Default: false.
    #[serde(default)]
    parents: bool,
    /// Whether a file that is there already may get another content; if not, it is left as it is. Default: true.
    #[serde(default = "yes")]
    overwrite: bool,
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The file, as an absolute path.
    path: String,
    /// Whether it did not exist before.
    created: bool,
    /// Its size now.
    size: Size,
    /// Its permissions now, such as `0644`.
    mode: String,
    /// Where the old file was kept; null if it was not.
    backup: Option<String>,
}

/// The largest file that a difference is shown for.
const MOST_SHOWN: usize = 1 << 20;

/// The file as it is and as it shall be.
struct Task {
    place: PathBuf,
    old: Option<Old>,
    /// The new content; `None` if the old one is right.
    new: Option<Vec<u8>>,
    mode: Option<Mode>,
    /// Whether the old file stays because it shall not be overwritten.
    kept: bool,
}

struct Old {
    meta: Metadata,
    /// The content, unless it is too large to matter.
    bytes: Option<Vec<u8>>,
}

impl Task {
    fn look(path: &Path, content: &str, append: bool, mode: Option<Mode>, parents: bool) -> Result<Task, Fault> {
        let place = match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.is_symlink() => follow(path)?,
            _ => path.to_owned(),
        };
        let old = match std::fs::metadata(&place) {
            Ok(meta) if meta.is_dir() => return Err(Fault::unmet(format!("{}: is a folder", place.display()))),
            Ok(meta) if !meta.is_file() => return Err(Fault::unmet(format!("{}: is not a regular file", place.display()))),
            Ok(meta) => {
                let needed = append || meta.len() == content.len() as u64 || meta.len() <= MOST_SHOWN as u64;
                let bytes = if needed { Some(std::fs::read(&place).map_err(|e| fault(&place, &e))?) } else { None };
                Some(Old { meta, bytes })
            }
            Err(e) if is_missing(&e) => {
                check_parent(&place, parents)?;
                None
            }
            Err(e) => return Err(fault(&place, &e)),
        };
        let before = old.as_ref().and_then(|o| o.bytes.as_deref());
        let wanted = match (append, before) {
            (true, Some(before)) => appended(before, content),
            _ => Some(content.as_bytes().to_vec()),
        };
        let new = wanted.filter(|w| before != Some(w.as_slice()));
        // A mode that is already so is none to set.
        let mode = mode.filter(|m| old.as_ref().is_none_or(|o| Mode::of(o.meta.mode()) != *m));
        Ok(Task { place, old, new, mode, kept: false })
    }

    fn is_done(&self) -> bool {
        self.new.is_none() && (self.mode.is_none() || self.old.is_none())
    }

    fn forecast(&self) -> Forecast {
        let name = self.place.display();
        if self.kept {
            return Forecast::nothing(format!("{name} exists already, and is left as it is"));
        }
        if self.is_done() {
            return Forecast::nothing(format!("{name} already has this content"));
        }
        let mut forecast = match (&self.old, &self.new) {
            (None, Some(new)) => {
                Forecast::would(format!("create {name} with {}", format_size(new.len() as u64)), "it does not exist")
            }
            (Some(_), Some(new)) => {
                let now = self.old.as_ref().map_or(0, |o| o.meta.len());
                let because = if now == new.len() as u64 {
                    "its content differs".to_owned()
                } else {
                    format!("its content differs ({})", format_size(now))
                };
                Forecast::would(format!("write {name} with {}", format_size(new.len() as u64)), because)
            }
            (_, None) => Forecast::would(format!("change the mode of {name}"), "its content is already so"),
        };
        if let (Some(mode), Some(old)) = (self.mode, &self.old) {
            forecast.from_to.push(("mode".to_owned(), Mode::of(old.meta.mode()).to_string(), mode.to_string()));
        }
        forecast.diff = self.new.as_ref().and_then(|new| self.diff(new));
        forecast
    }

    fn diff(&self, new: &[u8]) -> Option<String> {
        let text = |bytes: &[u8]| {
            (bytes.len() <= MOST_SHOWN && !bytes.contains(&0)).then(|| String::from_utf8(bytes.to_vec()).ok()).flatten()
        };
        let old = match &self.old {
            None => None,
            Some(old) => Some(text(old.bytes.as_deref()?)?),
        };
        diff::unified(&self.place.display().to_string(), old.as_deref(), &text(new)?)
    }

    fn apply(self, backup: bool, now: Timestamp) -> Result<Done<Out>, Fault> {
        let changed = !self.is_done();
        let mut kept = None;
        if let Some(new) = &self.new {
            if self.old.is_none() {
                make_parents(&self.place)?;
            }
            let mut draft = Draft::new(&self.place)?;
            draft.write(new)?;
            if let Some(old) = &self.old {
                draft.take_after(&old.meta)?;
                if backup {
                    kept = Some(back_up(&self.place, now)?);
                }
            }
            if let Some(mode) = self.mode {
                draft.set_mode(mode)?;
            }
            draft.put()?;
        } else if let Some(mode) = self.mode {
            std::fs::set_permissions(&self.place, std::fs::Permissions::from_mode(mode.0)).map_err(|e| fault(&self.place, &e))?;
        }
        let meta = std::fs::metadata(&self.place).map_err(|e| fault(&self.place, &e))?;
        let out = Out {
            path: self.place.display().to_string(),
            created: self.old.is_none(),
            size: Size(meta.len()),
            mode: Mode::of(meta.mode()).to_string(),
            backup: kept.map(|p| p.display().to_string()),
        };
        Ok(Done { changed, out })
    }
}

/// Where a link leads, also if there is nothing yet.
fn follow(path: &Path) -> Result<PathBuf, Fault> {
    let mut at = path.to_owned();
    // The kernel gives up after 40 as well.
    for _ in 0..40 {
        match std::fs::read_link(&at) {
            Ok(target) => at = at.parent().map_or_else(|| target.clone(), |p| p.join(&target)),
            Err(e) if e.kind() == std::io::ErrorKind::InvalidInput || is_missing(&e) => return Ok(at),
            Err(e) => return Err(fault(&at, &e)),
        }
    }
    Err(Fault::unmet(format!("{}: too many links", path.display())))
}

/// The content with the text added as lines of its own; `None` if it holds them already.
fn appended(before: &[u8], text: &str) -> Option<Vec<u8>> {
    let lines = text.strip_suffix('\n').unwrap_or(text).as_bytes();
    let held = lines.is_empty()
        || memchr::memmem::find_iter(before, lines).any(|at| {
            let end = at + lines.len();
            (at == 0 || before[at - 1] == b'\n') && (end == before.len() || before[end] == b'\n')
        });
    if held {
        return None;
    }
    let mut new = before.to_vec();
    if !new.is_empty() && !new.ends_with(b"\n") {
        new.push(b'\n');
    }
    new.extend_from_slice(lines);
    new.push(b'\n');
    Some(new)
}

async fn look(args: &Args, cx: &Cx<'_>) -> Result<Task, Fault> {
    let path = resolve(cx, "path", &args.path)?;
    let (content, append, mode, parents) = (args.content.clone(), args.append, args.mode, args.parents);
    let keep = !args.overwrite;
    blocking(cx.timeout, move |_| {
        let mut task = Task::look(&path, &content, append, mode, parents)?;
        if keep && task.old.is_some() {
            task.kept = !task.is_done();
            (task.new, task.mode) = (None, None);
        }
        Ok(task)
    })
    .await
}

impl Action for FileWrite {
    const NAME: &'static str = "file.write";
    const SAYS: &'static str = "{{ path }} ({{ size }})";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "A file with a content and a mode",
            yaml: "file.write:\n  path: '{tmp}/maintenance.flag'\n  content: |\n    since: 2026-02-15\n  mode: '0644'\n",
            runs: true,
        },
        Example {
            title: "Add a setting once, and keep the old file",
            yaml: "file.write:\n  path: '{tmp}/conf/.env'\n  content: LOG_LEVEL=debug\n  append: true\n  backup: true\n  parents: true\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let content = args.or("content", "<content>");
        let to = if args.flag("append", false) { ">>" } else { ">" };
        let write = by_hand::with_input(&format!("cat {to}{path}"), &content);
        let hand = ByHand::default().and_if(by_hand::make_parents(args, "path")).and_if(by_hand::keep(args, "path"));
        let hand = match (args.flag("append", false), args.flag("overwrite", true)) {
            (true, _) => hand.and(write).note("Leave it out if the file already has these lines."),
            (false, true) => hand.and(write),
            (false, false) => {
                hand.and(format!("test -e {path} || {write}")).note("A file that is there already is left as it is.")
            }
        };
        hand.and_if(by_hand::mode(args, &path))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.path)]).needing(Need::Write(tidy(&args.path)))
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Ok(look(args, cx).await?.forecast())
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let task = look(args, cx).await?;
        let (backup, now) = (args.backup, cx.now());
        blocking(cx.timeout, move |stop| {
            stop.check()?;
            task.apply(backup, now)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        FileWrite::apply(&args(json), &host.change()).await
    }

    async fn plan(host: &TestHost, json: serde_json::Value) -> Result<Forecast, Fault> {
        FileWrite::plan(&args(json), &host.cx()).await
    }

    fn text(path: PathBuf) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[tokio::test]
    async fn a_new_file_then_nothing_to_do() {
        let host = TestHost::new();
        let json = json!({ "path": "a.txt", "content": "one\n", "mode": "0600" });
        let forecast = plan(&host, json.clone()).await.unwrap();
        assert!(forecast.would_change && forecast.summary.starts_with("create "), "{forecast:?}");
        assert!(forecast.diff.unwrap().contains("+one\n"));
        assert!(!host.file("a.txt").exists(), "a plan writes nothing");
        let done = apply(&host, json.clone()).await.unwrap();
        assert!(done.changed && done.out.created);
        assert_eq!((done.out.size, done.out.mode.as_str()), (Size(4), "0600"));
        assert!(!plan(&host, json.clone()).await.unwrap().would_change);
        let done = apply(&host, json).await.unwrap();
        assert!(!done.changed && !done.out.created);
        assert_eq!(text(host.file("a.txt")), "one\n");
    }

    #[tokio::test]
    async fn a_file_that_is_there_is_left_if_it_shall_not_be_overwritten() {
        let host = TestHost::new();
        host.write("a.txt", "mine");
        let json = json!({ "path": "a.txt", "content": "yours", "overwrite": false });
        let forecast = plan(&host, json.clone()).await.unwrap();
        assert!(!forecast.would_change && forecast.because.ends_with("left as it is"), "{forecast:?}");
        assert!(!apply(&host, json).await.unwrap().changed);
        assert_eq!(text(host.file("a.txt")), "mine");
        assert!(apply(&host, json!({ "path": "b.txt", "content": "yours", "overwrite": false })).await.unwrap().changed);
    }

    #[tokio::test]
    async fn an_existing_file_keeps_its_mode_and_a_backup() {
        let host = TestHost::new();
        let path = host.write("a.txt", "one\ntwo\n");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let json = json!({ "path": "a.txt", "content": "one\n2\n", "backup": true });
        let diff = plan(&host, json.clone()).await.unwrap().diff.unwrap();
        assert!(diff.contains("\n-two\n+2\n"), "{diff}");
        let out = apply(&host, json).await.unwrap().out;
        assert_eq!(out.mode, "0640");
        assert_eq!(text(out.backup.unwrap().into()), "one\ntwo\n");
        assert_eq!(text(path), "one\n2\n");
    }

    #[tokio::test]
    async fn a_mode_alone_is_a_change() {
        let host = TestHost::new();
        let path = host.write("a.txt", "x");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let json = json!({ "path": "a.txt", "content": "x", "mode": "0600" });
        let forecast = plan(&host, json.clone()).await.unwrap();
        assert_eq!(forecast.from_to, [("mode".to_owned(), "0644".to_owned(), "0600".to_owned())]);
        assert!(apply(&host, json.clone()).await.unwrap().changed);
        assert!(!apply(&host, json).await.unwrap().changed);
    }

    #[tokio::test]
    async fn lines_are_added_once() {
        let host = TestHost::new();
        host.write(".env", "AA=1\nB=2");
        let json = json!({ "path": ".env", "content": "A=1", "append": true });
        assert!(apply(&host, json.clone()).await.unwrap().changed);
        assert_eq!(text(host.file(".env")), "AA=1\nB=2\nA=1\n");
        assert!(!apply(&host, json).await.unwrap().changed);
    }

    #[tokio::test]
    async fn links_are_written_through() {
        let host = TestHost::new();
        host.write("real", "old");
        std::os::unix::fs::symlink("real", host.file("link")).unwrap();
        std::os::unix::fs::symlink("coming", host.file("dangling")).unwrap();
        apply(&host, json!({ "path": "link", "content": "new" })).await.unwrap();
        apply(&host, json!({ "path": "dangling", "content": "new" })).await.unwrap();
        assert!(host.file("link").is_symlink() && host.file("dangling").is_symlink());
        assert_eq!((text(host.file("real")), text(host.file("coming"))), ("new".into(), "new".into()));
        std::os::unix::fs::symlink("loop", host.file("loop")).unwrap();
        assert!(apply(&host, json!({ "path": "loop", "content": "new" })).await.is_err());
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_said_before() {
        let host = TestHost::new();
        host.write("file", "");
        std::fs::create_dir(host.file("folder")).unwrap();
        for (path, word) in [("gone/a", "parents: true"), ("folder", "is a folder"), ("file/a", "not a folder")] {
            let json = json!({ "path": path, "content": "x" });
            for fault in [plan(&host, json.clone()).await.unwrap_err(), apply(&host, json).await.unwrap_err()] {
                assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(word)), "{fault:?}");
            }
        }
        assert!(matches!(apply(&host, json!({ "path": "", "content": "x" })).await, Err(Fault::Invalid { .. })));
        apply(&host, json!({ "path": "gone/deep/a", "content": "x", "parents": true })).await.unwrap();
    }

    #[tokio::test]
    async fn nothing_is_left_when_writing_fails() {
        let host = TestHost::new();
        let long = "x".repeat(300);
        assert!(apply(&host, json!({ "path": long, "content": "x" })).await.is_err());
        assert_eq!(std::fs::read_dir(host.root()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn binary_and_huge_files_have_no_diff() {
        let host = TestHost::new();
        host.write("bin", b"\0\x01");
        assert_eq!(plan(&host, json!({ "path": "bin", "content": "x" })).await.unwrap().diff, None);
        host.write("huge", vec![b'x'; MOST_SHOWN + 1]);
        let forecast = plan(&host, json!({ "path": "huge", "content": "x" })).await.unwrap();
        assert!(forecast.would_change && forecast.diff.is_none());
    }
}
