//! `file.move`: moves or renames a file or folder.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::atomic::{back_up, sync_folder};
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::paths::{
    Guarded, check_parent, fault, look, make_parents, parent, resolve, resource, same_file, tidy, true_place,
};
use crate::support::tree::{CopyPlan, How, remove};

pub(crate) struct FileMove;

/// Moves or renames a file or folder.
///
/// `to` is always the whole new path, never a folder to put it into. On one file system it happens at once; to another file system it is
/// copied, put in place and only then removed from where it was. A link is moved itself, not what it points to.
///
/// If nothing is at `from` and something is at `to`, it counts as moved already and nothing changes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// What to move; relative paths start at the project root.
    #[schemars(length(min = 1))]
    from: String,
    /// The new path.
    #[schemars(length(min = 1))]
    to: String,
    /// Whether to replace a file, link or empty folder that is there. Default: false.
    #[serde(default)]
    overwrite: bool,
    /// Whether to keep a replaced file next to it, as `NAME.20260215T142345Z.bak`. Default: false.
    #[serde(default)]
    backup: bool,
    /// Whether to create missing folders on the way to `to`. Default: false.
    #[serde(default)]
    parents: bool,
}

/// What was moved.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Where it was, as an absolute path.
    from: String,
    /// Where it is, as an absolute path.
    to: String,
    /// Whether something was replaced.
    replaced: bool,
    /// Where the replaced file was kept; null if it was not.
    backup: Option<String>,
}

#[derive(Clone, Copy)]
struct Options {
    overwrite: bool,
    backup: bool,
    parents: bool,
}

enum State {
    Moved,
    ToDo { replaces: bool },
}

fn state(from: &Path, to: &Path, options: Options, guarded: &Guarded) -> Result<State, Fault> {
    let (there, here) = (look(to)?, look(from)?);
    let Some(here) = here else {
        return match there {
            Some(_) => Ok(State::Moved),
            None => Err(Fault::unmet(format!("{}: no such file or directory", from.display()))),
        };
    };
    let place = true_place(from)?;
    if let Some(why) = guarded.refuses(&place) {
        return Err(Fault::invalid("from", format!("{} is not moved: {why}", from.display())));
    }
    check_parent(to, options.parents)?;
    if let Some(there) = &there {
        if same_file(&here, there) {
            return Err(Fault::invalid("to", format!("{} and {} are the same", from.display(), to.display())));
        }
        if !options.overwrite {
            return Err(Fault::unmet(format!("{} exists already; `overwrite: true` replaces it", to.display())));
        }
        if there.is_dir() && !here.is_dir() {
            return Err(Fault::unmet(format!("{} is a folder; write the whole new path", to.display())));
        }
        if there.is_dir() && std::fs::read_dir(to).map_err(|e| fault(to, &e))?.next().is_some() {
            return Err(Fault::unmet(format!("{}: directory not empty", to.display())));
        }
        if !there.is_dir() && here.is_dir() {
            return Err(Fault::unmet(format!("{}: is in the way of a folder", to.display())));
        }
    }
    if here.is_dir() && true_place(to).is_ok_and(|t| t.starts_with(&place)) {
        return Err(Fault::invalid("to", format!("cannot move a folder into itself: {}", to.display())));
    }
    Ok(State::ToDo { replaces: there.is_some() })
}

fn rename(from: &Path, to: &Path, overwrite: bool) -> io::Result<()> {
    if overwrite {
        return std::fs::rename(from, to);
    }
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems do not know the flag; that nothing is there was looked at a moment ago.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => std::fs::rename(from, to),
        other => other.map_err(io::Error::from),
    }
}

/// Copies next to the target, puts the copy in place, and only then removes the original.
fn across(from: &Path, to: &Path, overwrite: bool, stop: &Stop) -> Result<(), Fault> {
    let folder = tempfile::Builder::new().prefix(".runbook-").tempdir_in(parent(to)).map_err(|e| fault(parent(to), &e))?;
    let draft = folder.path().join("moved");
    CopyPlan::make(from, &draft, How { preserve: true, mode: None, overwrite: false }, stop)?.run(stop)?;
    rename(&draft, to, overwrite).map_err(|e| fault(to, &e))?;
    sync_folder(parent(to));
    let meta = std::fs::symlink_metadata(from).map_err(|e| fault(from, &e))?;
    remove(from, &meta)
}

fn apply(from: &Path, to: &Path, options: Options, guarded: &Guarded, now: Timestamp, stop: &Stop) -> Result<Done<Out>, Fault> {
    let state = state(from, to, options, guarded)?;
    let mut out = Out { from: from.display().to_string(), to: to.display().to_string(), replaced: false, backup: None };
    let State::ToDo { replaces } = state else { return Ok(Done::unchanged(out)) };
    make_parents(to)?;
    if replaces && options.backup && !to.is_dir() {
        out.backup = Some(back_up(to, now)?.display().to_string());
    }
    match rename(from, to, options.overwrite) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => across(from, to, options.overwrite, stop)?,
        Err(e) => return Err(fault(to, &e)),
    }
    sync_folder(parent(to));
    sync_folder(parent(from));
    out.replaced = replaces;
    Ok(Done::changed(out))
}

struct Prepared {
    from: PathBuf,
    to: PathBuf,
    options: Options,
    guarded: Guarded,
}

fn prepare(args: &Args, cx: &Cx<'_>) -> Result<Prepared, Fault> {
    Ok(Prepared {
        from: resolve(cx, "from", &args.from)?,
        to: resolve(cx, "to", &args.to)?,
        options: Options { overwrite: args.overwrite, backup: args.backup, parents: args.parents },
        guarded: Guarded::of(cx),
    })
}

impl Action for FileMove {
    const NAME: &'static str = "file.move";
    const SAYS: &'static str = "{{ from }} is now {{ to }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Put a damaged database aside",
            yaml: "file.move: { from: data/memory.db, to: data/memory.db.damaged }\n",
            runs: false,
        },
        Example {
            title: "Replace a file and keep the old one",
            yaml: "file.move: { from: build/config.new.json, to: config.json, overwrite: true, backup: true }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let (from, to) = (by_hand::path(args, "from"), by_hand::path(args, "to"));
        let mv = format!("mv -T {from} {to}");
        let hand = ByHand::default().and_if(by_hand::make_parents(args, "to"));
        if args.flag("overwrite", false) {
            return hand.and_if(by_hand::keep(args, "to")).and(mv);
        }
        hand.and(format!("test ! -e {to} && {mv}")).note(
            "If something is there already, do not replace it: the step has failed, unless nothing is left where it came from and it was moved before.",
        )
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.from), resource(&args.to)])
            .needing(Need::Write(tidy(&args.from)))
            .needing(Need::Write(tidy(&args.to)))
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
        let Prepared { from, to, options, guarded } = prepare(args, cx)?;
        blocking(cx.timeout, move |_| {
            Ok(match state(&from, &to, options, &guarded)? {
                State::Moved => {
                    Forecast::nothing(format!("{} exists and {} does not: it was moved already", to.display(), from.display()))
                }
                State::ToDo { replaces } => {
                    let because = if replaces { "it replaces what is there" } else { "nothing is there" };
                    let mut forecast = Forecast::would(format!("move {} to {}", from.display(), to.display()), because);
                    forecast.from_to.push(("path".to_owned(), from.display().to_string(), to.display().to_string()));
                    forecast
                }
            })
        })
        .await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let Prepared { from, to, options, guarded } = prepare(args, cx)?;
        let now = cx.now();
        blocking(cx.timeout, move |stop| apply(&from, &to, options, &guarded, now, stop)).await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        FileMove::apply(&args(json), &host.change()).await
    }

    #[tokio::test]
    async fn a_file_once() {
        let host = TestHost::new();
        host.write("a", "x");
        let json = json!({ "from": "a", "to": "b" });
        let forecast = FileMove::plan(&args(json.clone()), &host.cx()).await.unwrap();
        assert!(forecast.would_change && host.file("a").exists());
        assert!(apply(&host, json.clone()).await.unwrap().changed);
        assert!(!host.file("a").exists() && host.file("b").exists());
        assert!(!FileMove::plan(&args(json.clone()), &host.cx()).await.unwrap().would_change);
        assert!(!apply(&host, json).await.unwrap().changed);
    }

    #[tokio::test]
    async fn what_is_there_is_replaced_only_when_asked() {
        let host = TestHost::new();
        host.write("a", "new");
        host.write("b", "old");
        let fault = apply(&host, json!({ "from": "a", "to": "b" })).await.unwrap_err();
        assert!(fault.message().contains("overwrite: true"), "{fault:?}");
        assert_eq!(std::fs::read_to_string(host.file("b")).unwrap(), "old");
        let out = apply(&host, json!({ "from": "a", "to": "b", "overwrite": true, "backup": true })).await.unwrap().out;
        assert!(out.replaced);
        assert_eq!(std::fs::read_to_string(out.backup.unwrap()).unwrap(), "old");
    }

    #[tokio::test]
    async fn folders_and_links_move_themselves() {
        let host = TestHost::new();
        host.write("src/a", "x");
        symlink("src", host.file("link")).unwrap();
        apply(&host, json!({ "from": "link", "to": "link2" })).await.unwrap();
        assert!(host.file("link2").is_symlink() && host.file("src/a").exists());
        apply(&host, json!({ "from": "src", "to": "deep/dst", "parents": true })).await.unwrap();
        assert!(host.file("deep/dst/a").exists());
    }

    #[tokio::test]
    async fn to_another_file_system() {
        let host = TestHost::new();
        let Ok(other) = tempfile::tempdir_in("/dev/shm") else { return };
        if other.path().metadata().unwrap().dev() == host.root().metadata().unwrap().dev() {
            return;
        }
        host.write("src/a", "x");
        symlink("a", host.file("src/link")).unwrap();
        let to = other.path().join("dst");
        apply(&host, json!({ "from": "src", "to": to })).await.unwrap();
        assert_eq!(std::fs::read_to_string(to.join("link")).unwrap(), "x");
        assert!(!host.file("src").exists());
        assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 1);
        host.write("b", "y");
        let fault = apply(&host, json!({ "from": "b", "to": to })).await.unwrap_err();
        assert!(matches!(fault, Fault::Unmet { .. }) && host.file("b").exists());
    }

    #[tokio::test]
    async fn nonsense_is_refused() {
        let host = TestHost::new();
        host.write("src/a", "x");
        host.write("b", "x");
        for bad in [
            json!({ "from": "src", "to": "src/inside" }),
            json!({ "from": "b", "to": "./b" }),
            json!({ "from": ".", "to": "/tmp/elsewhere" }),
            json!({ "from": "/", "to": "/tmp/elsewhere" }),
            json!({ "from": "/etc", "to": "/tmp/elsewhere" }),
        ] {
            assert!(matches!(apply(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
        }
        for bad in [
            json!({ "from": "gone", "to": "c" }),
            json!({ "from": "b", "to": "gone/c" }),
            json!({ "from": "b", "to": "src", "overwrite": true }),
            json!({ "from": "src", "to": "b", "overwrite": true }),
        ] {
            assert!(matches!(apply(&host, bad.clone()).await, Err(Fault::Unmet { .. })), "{bad}");
        }
    }
}
