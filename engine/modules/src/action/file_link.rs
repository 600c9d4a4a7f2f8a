//! `file.link`: makes a symbolic link point to something.

use std::path::{Path, PathBuf};

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::atomic::sync_folder;
use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::paths::{check_parent, fault, look, make_parents, parent, resolve, resource, tidy};

pub(crate) struct FileLink;

/// Makes a symbolic link point to a file or folder.
///
/// A link that points elsewhere is replaced at once: at no moment is there none. A file or folder at its place is never replaced. Nothing changes if the link is
/// already so.
///
/// The target must exist unless `dangling: true`. It is written into the link as it is here: a relative one starts at the folder of the link.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The link; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// What it shall point to.
    #[schemars(length(min = 1))]
    target: String,
    /// Whether a link that points elsewhere may be replaced. Default: true.
    #[serde(default = "crate::support::args::yes")]
    replace: bool,
    /// Whether the target may be missing. Default: false.
    #[serde(default)]
    dangling: bool,
    /// Whether to create missing folders on the way. Default: false.
    #[serde(default)]
    parents: bool,
}

/// What the link is now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The link, as an absolute path.
    path: String,
    /// What it points to, as it is written in it.
    target: String,
    /// What it pointed to before; null if it is new.
    before: Option<String>,
}

struct Task {
    path: PathBuf,
    target: PathBuf,
    before: Option<PathBuf>,
}

impl Task {
    fn look(path: PathBuf, target: PathBuf, args: (bool, bool, bool)) -> Result<Task, Fault> {
        let (replace, dangling, parents) = args;
        check_parent(&path, parents)?;
        let before = match look(&path)? {
            None => None,
            Some(meta) if meta.is_symlink() => Some(std::fs::read_link(&path).map_err(|e| fault(&path, &e))?),
            Some(meta) => {
                let what = if meta.is_dir() { "a folder" } else { "a file" };
                return Err(Fault::refused(format!(
                    "{} is {what} and no link, and is not replaced; move it away first",
                    path.display()
                )));
            }
        };
        if before.as_ref().is_some_and(|b| *b != target) && !replace {
            let now = before.unwrap_or_default();
            return Err(Fault::refused(format!("{} already points to {}", path.display(), now.display())));
        }
        let there = parent(&path).join(&target);
        if !dangling && std::fs::metadata(&there).is_err() {
            return Err(Fault::unmet(format!(
                "{} does not exist; `dangling: true` makes the link all the same",
                there.display()
            )));
        }
        if std::fs::symlink_metadata(&there).is_ok()
            && crate::support::paths::true_place(&there)? == crate::support::paths::true_place(&path).unwrap_or_default()
        {
            return Err(Fault::invalid("target", "the link would point to itself"));
        }
        Ok(Task { path, target, before })
    }

    fn is_done(&self) -> bool {
        self.before.as_ref() == Some(&self.target)
    }

    fn apply(self) -> Result<Done<Out>, Fault> {
        let done = self.is_done();
        if !done {
            make_parents(&self.path)?;
            // A link cannot be changed: a new one takes its name.
            let folder = tempfile::Builder::new().prefix(".link.").suffix(".runbook-tmp").tempdir_in(parent(&self.path));
            let folder = folder.map_err(|e| fault(parent(&self.path), &e))?;
            let draft = folder.path().join("link");
            std::os::unix::fs::symlink(&self.target, &draft).map_err(|e| fault(&draft, &e))?;
            std::fs::rename(&draft, &self.path).map_err(|e| fault(&self.path, &e))?;
            sync_folder(parent(&self.path));
        }
        let shown = |p: &Path| p.display().to_string();
        let out = Out { path: shown(&self.path), target: shown(&self.target), before: self.before.as_deref().map(shown) };
        Ok(if done { Done::unchanged(out) } else { Done::changed(out) })
    }
}

/// The link, its target, and `replace`, `dangling` and `parents`.
type Prepared = (PathBuf, PathBuf, (bool, bool, bool));

fn prepare(args: &Args, cx: &Cx<'_>) -> Result<Prepared, Fault> {
    let path = resolve(cx, "path", &args.path)?;
    // `~/` is for us to know, everything else for the link.
    let target = if args.target.starts_with("~/") { resolve(cx, "target", &args.target)? } else { PathBuf::from(&args.target) };
    if args.target.trim().is_empty() || args.target.contains('\0') {
        return Err(Fault::invalid("target", "`target` is no path"));
    }
    Ok((path, target, (args.replace, args.dangling, args.parents)))
}

impl Action for FileLink {
    const NAME: &'static str = "file.link";
    const SAYS: &'static str = "{{ path }} points to {{ target }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "The release that counts",
            yaml: "file.link: { path: '{tmp}/current', target: /etc/hostname }\n",
            runs: true,
        },
        Example {
            title: "Back to the release before",
            yaml: "file.link: { path: /opt/app/current, target: releases/20260214 }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let (path, target) = (by_hand::path(args, "path"), by_hand::path(args, "target"));
        ByHand::default()
            .and_if(by_hand::make_parents(args, "path"))
            .and(format!("ls -l -d {path}"))
            .and(format!("ln -s -f -n -T {target} {path}"))
            .note("Only a link may be replaced: if there is a file or folder, stop.")
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
        let (path, target, how) = prepare(args, cx)?;
        blocking(cx.timeout, move |_| {
            let task = Task::look(path, target, how)?;
            let (name, target) = (task.path.display().to_string(), task.target.display().to_string());
            if task.is_done() {
                return Ok(Forecast::nothing(format!("{name} already points to {target}")));
            }
            let before = task.before.as_ref().map(|b| b.display().to_string());
            let because = before.as_ref().map_or_else(|| "it does not exist".to_owned(), |b| format!("it points to {b}"));
            let mut forecast = Forecast::would(format!("make {name} point to {target}"), because);
            forecast.from_to.push((name, before.unwrap_or_else(|| "nothing".to_owned()), target));
            Ok(forecast)
        })
        .await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let (path, target, how) = prepare(args, cx)?;
        blocking(cx.timeout, move |stop| {
            stop.check()?;
            Task::look(path, target, how)?.apply()
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
        FileLink::apply(&args(json), &host.change()).await
    }

    #[tokio::test]
    async fn a_link_is_made_changed_and_left() {
        let host = TestHost::new();
        host.write("releases/1/a", "one");
        host.write("releases/2/a", "two");
        let one = json!({ "path": "current", "target": "releases/1" });
        assert!(FileLink::plan(&args(one.clone()), &host.cx()).await.unwrap().would_change);
        assert!(!host.file("current").exists());
        assert!(apply(&host, one.clone()).await.unwrap().changed);
        assert!(!apply(&host, one).await.unwrap().changed);
        let two = json!({ "path": "current", "target": "releases/2" });
        let fault = apply(&host, json!({ "path": "current", "target": "releases/2", "replace": false })).await.unwrap_err();
        assert!(matches!(fault, Fault::Refused { .. }));
        // `ln -s -f` without `-n` makes the new link inside the folder that the old one points to.
        assert!(
            std::process::Command::new("ln")
                .args(["-s", "-f", "releases/2", "current"])
                .current_dir(host.root())
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(std::fs::read_to_string(host.file("current/a")).unwrap(), "one");
        let done = apply(&host, two).await.unwrap();
        assert_eq!((done.changed, done.out.before.as_deref()), (true, Some("releases/1")));
        assert_eq!(std::fs::read_to_string(host.file("current/a")).unwrap(), "two");
        assert!(std::fs::read_dir(host.root()).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().contains("tmp")));
    }

    #[tokio::test]
    async fn what_is_no_link_stays() {
        let host = TestHost::new();
        host.write("file", "x");
        host.write("folder/a", "x");
        for path in ["file", "folder"] {
            let fault = apply(&host, json!({ "path": path, "target": "file" })).await.unwrap_err();
            assert!(matches!(fault, Fault::Refused { .. } | Fault::Invalid { .. }), "{fault:?}");
        }
        assert!(matches!(apply(&host, json!({ "path": "l", "target": "gone" })).await, Err(Fault::Unmet { .. })));
        assert!(apply(&host, json!({ "path": "l", "target": "gone", "dangling": true })).await.unwrap().changed);
        assert!(matches!(apply(&host, json!({ "path": "deep/l", "target": "../file" })).await, Err(Fault::Unmet { .. })));
        assert!(
            apply(&host, json!({ "path": "deep/l", "target": "../file", "parents": true, "dangling": true }))
                .await
                .unwrap()
                .changed
        );
        assert!(matches!(apply(&host, json!({ "path": "l", "target": " " })).await, Err(Fault::Invalid { .. })));
    }
}
