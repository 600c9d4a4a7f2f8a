//! `file.copy`: makes a file or folder be a copy of another.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::{Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::{Mode, yes};
use crate::support::atomic::back_up;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::paths::{check_parent, fault, look, make_parents, resolve, resource, same_file, tidy};
use crate::support::tree::{CopyPlan, How, many};

pub(crate) struct FileCopy;

/// Makes a file or folder be a copy of another.
///
/// `to` is always the whole path of the copy, never a folder to put it into. Each file is written next to its place and moved there whole.
/// Files that are already the same are left alone: same size and same time of change, or else the same bytes. Files
/// in the target folder that the source does not have stay.
///
/// A link given as `from` is followed; links inside a folder are copied as links and never followed. Pipes, sockets and devices cannot be
/// copied; if there is one, nothing is copied at all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// What to copy; relative paths start at the project root.
    #[schemars(length(min = 1))]
    from: String,
    /// The path of the copy.
    #[schemars(length(min = 1))]
    to: String,
    /// Whether to copy a folder with everything in it. Default: false, and a folder is refused.
    #[serde(default)]
    recursive: bool,
    /// Whether to replace files that differ. Default: true; otherwise such a file fails the step before anything is copied.
    #[serde(default = "yes")]
    overwrite: bool,
    /// Whether to keep mode and time of change, and owner and group where we may. Default: true.
    #[serde(default = "yes")]
    preserve: bool,
    /// The permissions of the copied files in octal, such as `"0644"`. Default: those of the source, or with `preserve: false` those of
    /// the replaced file or of any new file.
    #[serde(default)]
    mode: Option<Mode>,
    /// Whether to keep a replaced file next to it, as `NAME.20260215T142345Z.bak`. Only for a file, not for a folder. Default: false.
    #[serde(default)]
    backup: bool,
    /// Whether to create missing folders on the way to `to`. Default: false.
    #[serde(default)]
    parents: bool,
}

/// What was copied.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// What was copied, as an absolute path.
    from: String,
    /// The copy, as an absolute path.
    to: String,
    /// The number of files and links that were written.
    files: u64,
    /// The number of bytes that were written.
    size: Size,
    /// The number of files and links that were already the same.
    unchanged: u64,
    /// Where the replaced file was kept; null if it was not.
    backup: Option<String>,
}

struct Task {
    from: PathBuf,
    to: PathBuf,
    plan: CopyPlan,
    is_folder: bool,
}

#[derive(Clone, Copy)]
struct Options {
    recursive: bool,
    parents: bool,
    backup: bool,
    how: How,
}

impl Task {
    fn look(from: &Path, to: &Path, options: Options, stop: &Stop) -> Result<Task, Fault> {
        let true_from = std::fs::canonicalize(from).map_err(|e| fault(from, &e))?;
        let meta = std::fs::metadata(&true_from).map_err(|e| fault(from, &e))?;
        if meta.is_dir() {
            if !options.recursive {
                return Err(Fault::unmet(format!(
                    "{} is a folder; `recursive: true` copies it with everything in it",
                    from.display()
                )));
            }
            if options.backup {
                return Err(Fault::invalid("backup", "a folder's old files are not kept; copy the folder away first"));
            }
        }
        check_parent(to, options.parents)?;
        // A target that does not exist yet may still lie inside the source.
        let true_to = nearest_true(to);
        if true_to.starts_with(&true_from) && (meta.is_dir() || true_to == true_from) {
            let what = if true_to == true_from { "a file or folder onto itself" } else { "a folder into itself" };
            return Err(Fault::invalid("to", format!("cannot copy {what}: {}", to.display())));
        }
        if let Some(old) = look(to)? {
            let old = if old.is_symlink() { std::fs::metadata(to).unwrap_or(old) } else { old };
            if same_file(&meta, &old) {
                return Err(Fault::invalid("to", format!("{} and {} are the same file", from.display(), to.display())));
            }
            if old.is_dir() && !meta.is_dir() {
                return Err(Fault::unmet(format!("{} is a folder; write the whole path of the copy", to.display())));
            }
        }
        let plan = CopyPlan::make(&true_from, to, options.how, stop)?;
        Ok(Task { from: from.to_owned(), to: to.to_owned(), plan, is_folder: meta.is_dir() })
    }

    fn forecast(&self) -> Forecast {
        let (from, to) = (self.from.display(), self.to.display());
        if self.plan.steps.is_empty() {
            return Forecast::nothing(format!("{to} is already the same"));
        }
        let size = format_size(self.plan.bytes());
        let replaced = self.plan.steps.iter().filter(|s| s.replaces).count() as u64;
        let because = match (self.is_folder, replaced) {
            (false, 0) => "it does not exist".to_owned(),
            (false, _) if self.plan.files() == 0 => "mode or time of change differ".to_owned(),
            (false, _) => "its content differs".to_owned(),
            (true, n) => format!(
                "{} to write, {n} of them replaced, {} already the same",
                many(self.plan.files(), "file"),
                self.plan.unchanged
            ),
        };
        Forecast::would(format!("copy {from} to {to} ({size})"), because)
    }

    fn apply(self, options: Options, now: Timestamp, stop: &Stop) -> Result<Done<Out>, Fault> {
        let changed = !self.plan.steps.is_empty();
        let mut backup = None;
        if changed {
            make_parents(&self.to)?;
            if options.backup && self.plan.files() > 0 && look(&self.to)?.is_some() {
                backup = Some(back_up(&self.to, now)?.display().to_string());
            }
            self.plan.run(stop)?;
        }
        let out = Out {
            from: self.from.display().to_string(),
            to: self.to.display().to_string(),
            files: self.plan.files(),
            size: Size(self.plan.bytes()),
            unchanged: self.plan.unchanged,
            backup,
        };
        Ok(Done { changed, out })
    }
}

/// The true path of the nearest existing folder above, with the rest of the path.
fn nearest_true(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    let mut at = path;
    loop {
        if let Ok(found) = std::fs::canonicalize(at) {
            return rest.iter().rev().fold(found, |p: PathBuf, name| p.join(name));
        }
        match (at.parent(), at.file_name()) {
            (Some(parent), Some(name)) => {
                rest.push(name.to_owned());
                at = parent;
            }
            _ => return path.to_owned(),
        }
    }
}

struct Prepared {
    from: PathBuf,
    to: PathBuf,
    options: Options,
}

fn prepare(args: &Args, cx: &Cx<'_>) -> Result<Prepared, Fault> {
    let how = How { preserve: args.preserve, mode: args.mode, overwrite: args.overwrite };
    Ok(Prepared {
        from: resolve(cx, "from", &args.from)?,
        to: resolve(cx, "to", &args.to)?,
        options: Options { recursive: args.recursive, parents: args.parents, backup: args.backup, how },
    })
}

impl Action for FileCopy {
    const NAME: &'static str = "file.copy";
    const SAYS: &'static str = "{{ files }} copied to {{ to }} ({{ size }})";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "A backup before something dangerous",
            yaml: "file.copy:\n  from: /etc/hostname\n  to: '{tmp}/backup/hostname'\n  parents: true\n",
            runs: true,
        },
        Example {
            title: "A folder with everything in it, never over what is there",
            yaml: "file.copy: { from: config, to: 'backups/config', recursive: true, overwrite: false }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let (from, to) = (by_hand::path(args, "from"), by_hand::path(args, "to"));
        let preserve = args.flag("preserve", true);
        let copy = match (args.flag("recursive", false), preserve) {
            (true, true) => format!("mkdir -p {to} && cp -a {from}/. {to}"),
            (true, false) => format!("mkdir -p {to} && cp -R -P {from}/. {to}"),
            (false, true) => format!("cp -p -T {from} {to}"),
            (false, false) => format!("cp -T {from} {to}"),
        };
        let copy = if args.flag("overwrite", true) { copy } else { format!("test ! -e {to} && {copy}") };
        let hand = ByHand::default().and_if(by_hand::make_parents(args, "to")).and_if(by_hand::keep(args, "to")).and(copy);
        let hand = hand.and_if(by_hand::mode(args, &to));
        if args.flag("overwrite", true) {
            hand
        } else {
            hand.note("If there is something already, do not replace it: the step has failed.")
        }
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.to)]).and_reads(resource(&args.from)).needing(Need::Write(tidy(&args.to)))
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if tidy(&args.from) == tidy(&args.to) {
            return Err(Fault::invalid("to", format!("{} is copied or moved onto itself", args.to)));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let Prepared { from, to, options } = prepare(args, cx)?;
        blocking(cx.timeout, move |stop| Ok(Task::look(&from, &to, options, stop)?.forecast())).await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let Prepared { from, to, options } = prepare(args, cx)?;
        let now = cx.now();
        blocking(cx.timeout, move |stop| Task::look(&from, &to, options, stop)?.apply(options, now, stop)).await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        FileCopy::apply(&args(json), &host.change()).await
    }

    async fn plan(host: &TestHost, json: serde_json::Value) -> Result<Forecast, Fault> {
        FileCopy::plan(&args(json), &host.cx()).await
    }

    #[tokio::test]
    async fn a_file_with_mode_and_time() {
        let host = TestHost::new();
        let from = host.write("a", "hello");
        std::fs::set_permissions(&from, std::fs::Permissions::from_mode(0o640)).unwrap();
        let json = json!({ "from": "a", "to": "b" });
        let forecast = plan(&host, json.clone()).await.unwrap();
        assert!(forecast.would_change && forecast.summary.ends_with("(5B)"), "{forecast:?}");
        assert!(!host.file("b").exists());
        let done = apply(&host, json.clone()).await.unwrap();
        assert!(done.changed);
        assert_eq!((done.out.files, done.out.size), (1, Size(5)));
        let (a, b) = (from.metadata().unwrap(), host.file("b").metadata().unwrap());
        assert_eq!((a.mode(), a.mtime(), a.mtime_nsec()), (b.mode(), b.mtime(), b.mtime_nsec()));
        assert!(!plan(&host, json.clone()).await.unwrap().would_change);
        let again = apply(&host, json).await.unwrap();
        assert!(!again.changed);
        assert_eq!(again.out.unchanged, 1);
    }

    #[tokio::test]
    async fn a_file_that_differs_is_replaced_with_a_backup_or_not_at_all() {
        let host = TestHost::new();
        host.write("a", "new");
        host.write("b", "old");
        let fault = apply(&host, json!({ "from": "a", "to": "b", "overwrite": false })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("exists and differs")), "{fault:?}");
        let out = apply(&host, json!({ "from": "a", "to": "b", "backup": true })).await.unwrap().out;
        assert_eq!(std::fs::read_to_string(out.backup.unwrap()).unwrap(), "old");
        assert_eq!(std::fs::read_to_string(host.file("b")).unwrap(), "new");
        // The same bytes with another time are only touched up.
        host.write("b", "new");
        let done = apply(&host, json!({ "from": "a", "to": "b", "overwrite": false })).await.unwrap();
        assert_eq!((done.changed, done.out.files), (true, 0));
        assert!(!apply(&host, json!({ "from": "a", "to": "b", "preserve": false })).await.unwrap().changed);
    }

    #[tokio::test]
    async fn a_folder_with_links_that_stay_links() {
        let host = TestHost::new();
        host.write("src/a", "1");
        host.write("src/deep/b", "22");
        host.write("outside", "secret");
        symlink("../outside", host.file("src/link")).unwrap();
        symlink("nowhere", host.file("src/dangling")).unwrap();
        let json = json!({ "from": "src", "to": "dst", "recursive": true });
        assert!(apply(&host, json!({ "from": "src", "to": "dst" })).await.is_err(), "a folder needs `recursive`");
        let done = apply(&host, json.clone()).await.unwrap();
        assert_eq!((done.out.files, done.out.size), (4, Size(3)));
        assert_eq!(std::fs::read_link(host.file("dst/link")).unwrap(), Path::new("../outside"));
        assert!(host.file("dst/dangling").is_symlink());
        host.write("dst/extra", "stays");
        host.write("src/a", "changed");
        let done = apply(&host, json.clone()).await.unwrap();
        assert_eq!((done.out.files, done.out.unchanged), (1, 3));
        assert!(host.file("dst/extra").exists());
        assert!(!apply(&host, json).await.unwrap().changed);
    }

    #[tokio::test]
    async fn a_link_in_the_target_never_leads_out() {
        let host = TestHost::new();
        host.write("src/sub/a", "1");
        host.write("elsewhere/keep", "x");
        std::fs::create_dir(host.file("dst")).unwrap();
        symlink("../elsewhere", host.file("dst/sub")).unwrap();
        let fault = apply(&host, json!({ "from": "src", "to": "dst", "recursive": true })).await.unwrap_err();
        assert!(fault.message().contains("in the way"), "{fault:?}");
        assert!(!host.file("elsewhere/a").exists());
        // A link where a file goes is replaced, not written through.
        host.write("one", "new");
        symlink("elsewhere/keep", host.file("two")).unwrap();
        apply(&host, json!({ "from": "one", "to": "two" })).await.unwrap();
        assert_eq!(std::fs::read_to_string(host.file("elsewhere/keep")).unwrap(), "x");
        assert!(!host.file("two").is_symlink());
    }

    #[tokio::test]
    async fn nonsense_is_refused() {
        let host = TestHost::new();
        host.write("src/a", "1");
        std::fs::create_dir(host.file("folder")).unwrap();
        symlink("src", host.file("alias")).unwrap();
        for bad in [
            json!({ "from": "src", "to": "src/inside", "recursive": true }),
            json!({ "from": "src", "to": "alias/inside", "recursive": true }),
            json!({ "from": "src", "to": "src", "recursive": true }),
            json!({ "from": "src/a", "to": "src/a" }),
            json!({ "from": "src/a", "to": "alias/a" }),
            json!({ "from": "src", "to": "b", "recursive": true, "backup": true }),
            json!({ "from": "", "to": "b" }),
        ] {
            assert!(matches!(apply(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
        }
        for (bad, word) in [
            (json!({ "from": "gone", "to": "b" }), "no such file"),
            (json!({ "from": "src/a", "to": "folder" }), "whole path"),
            (json!({ "from": "src/a", "to": "gone/b" }), "parents: true"),
        ] {
            let fault = plan(&host, bad).await.unwrap_err();
            assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(word)), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_copied_stops_it_before_it_starts() {
        let host = TestHost::new();
        host.write("src/a", "1");
        let _socket = std::os::unix::net::UnixListener::bind(host.file("src/s")).unwrap();
        let fault = apply(&host, json!({ "from": "src", "to": "dst", "recursive": true })).await.unwrap_err();
        assert!(fault.message().contains("is a socket"), "{fault:?}");
        assert!(!host.file("dst").exists());
    }

    #[tokio::test]
    async fn read_only_folders_are_copied_too() {
        let host = TestHost::new();
        host.write("src/deep/a", "1");
        let deep = host.file("src/deep");
        std::fs::set_permissions(&deep, std::fs::Permissions::from_mode(0o555)).unwrap();
        let done = apply(&host, json!({ "from": "src", "to": "dst", "recursive": true, "mode": "0600" })).await;
        for folder in ["src/deep", "dst/deep"] {
            std::fs::set_permissions(host.file(folder), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        done.unwrap();
        assert_eq!(host.file("dst/deep/a").metadata().unwrap().mode() & 0o777, 0o600);
    }
}
