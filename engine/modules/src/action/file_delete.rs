//! `file.delete`: makes a file or folder not exist.

use std::path::{Path, PathBuf};

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::{Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::atomic::sync_folder;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::paths::{Guarded, look, mount_inside, parent, resolve, resource, tidy, true_place};
use crate::support::tree::{Measure, many, measure, remove};

pub(crate) struct FileDelete;

/// Makes a file or folder not exist.
///
/// A folder needs `recursive: true`. A link is deleted itself, never what it points to. Nothing changes if nothing is there.
///
/// Some places are never deleted, whatever is asked: the root of the file system and the folders in it, the home folder, the project root, the state
/// folder, folders that any of these lie in, and folders with another file system mounted in them.
///
/// What is deleted is lost, so the step asks before it runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// What to delete; relative paths start at the project root. Wildcards are not expanded.
    #[schemars(length(min = 1))]
    path: String,
    /// Whether to delete a folder with everything in it. Default: false, and a folder is refused.
    #[serde(default)]
    recursive: bool,
}

/// What was deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// What was to be deleted, as an absolute path.
    path: String,
    /// Whether it was there.
    existed: bool,
    /// The number of files and links that were deleted.
    files: u64,
    /// Their size.
    size: Size,
}

/// Refuses paths such as `/` and `..`, which name a place by where it lies.
fn named(path: &Path) -> Result<(), Fault> {
    if path.file_name().is_some() {
        return Ok(());
    }
    Err(Fault::invalid("path", format!("{} is not deleted: write the path with the name at its end", path.display())))
}

/// What is there to be deleted, if it may be.
fn check(path: &Path, recursive: bool, guarded: &Guarded, stop: &Stop) -> Result<Option<(std::fs::Metadata, Measure)>, Fault> {
    named(path)?;
    let Some(meta) = look(path)? else { return Ok(None) };
    let place = true_place(path)?;
    if let Some(why) = guarded.refuses(&place) {
        return Err(Fault::invalid("path", format!("{} is not deleted: {why}", path.display())));
    }
    if meta.is_dir() {
        if !recursive {
            return Err(Fault::unmet(format!(
                "{} is a folder; `recursive: true` deletes it with everything in it",
                path.display()
            )));
        }
        if let Some(mount) = mount_inside(&place) {
            return Err(Fault::unmet(format!(
                "{} is not deleted: another file system is mounted at {}",
                path.display(),
                mount.display()
            )));
        }
    }
    let measured = measure(&place, stop)?;
    Ok(Some((meta, measured)))
}

fn prepare(args: &Args, cx: &Cx<'_>) -> Result<(PathBuf, bool, Guarded), Fault> {
    Ok((resolve(cx, "path", &args.path)?, args.recursive, Guarded::of(cx)))
}

impl Action for FileDelete {
    const NAME: &'static str = "file.delete";
    const MAIN: Option<&'static str> = Some("path");
    const SAYS: &'static str = "{{ path }} is gone";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A stale flag file", yaml: "file.delete: '{tmp}/maintenance.flag'\n", runs: true },
        Example {
            title: "A folder with everything in it",
            yaml: "file.delete: { path: build/cache, recursive: true }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let remove = if args.flag("recursive", false) { "rm -r -f --one-file-system" } else { "rm -f" };
        ByHand::run("# Is this what is meant? If nothing is there, nothing is to be done.")
            .and(format!("ls -l -d {path}"))
            .and("# Only then:")
            .and(format!("{remove} {path}"))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Destroy
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.path)]).needing(Need::Write(tidy(&args.path)))
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        named(&tidy(&args.path))
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let (path, recursive, guarded) = prepare(args, cx)?;
        blocking(cx.timeout, move |stop| {
            let name = path.display();
            Ok(match check(&path, recursive, &guarded, stop)? {
                None => Forecast::nothing(format!("{name} does not exist")),
                Some((meta, m)) if meta.is_dir() => {
                    let because = format!("it holds {} with {}", many(m.files, "file"), format_size(m.bytes));
                    Forecast::would(format!("delete the folder {name} with everything in it"), because)
                }
                Some((meta, _)) if meta.is_symlink() => Forecast::would(format!("delete the link {name}"), "it exists"),
                Some((_, m)) => Forecast::would(format!("delete {name}"), format!("it exists ({})", format_size(m.bytes))),
            })
        })
        .await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let (path, recursive, guarded) = prepare(args, cx)?;
        blocking(cx.timeout, move |stop| {
            let mut out = Out { path: path.display().to_string(), existed: false, files: 0, size: Size(0) };
            let Some((meta, m)) = check(&path, recursive, &guarded, stop)? else { return Ok(Done::unchanged(out)) };
            remove(&path, &meta)?;
            sync_folder(parent(&path));
            (out.existed, out.files, out.size) = (true, m.files, Size(m.bytes));
            Ok(Done::changed(out))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        FileDelete::apply(&args(json), &host.change()).await
    }

    #[tokio::test]
    async fn a_file_once() {
        let host = TestHost::new();
        host.write("a", "12345");
        let json = json!({ "path": "a" });
        let forecast = FileDelete::plan(&args(json.clone()), &host.cx()).await.unwrap();
        assert!(forecast.would_change && forecast.because == "it exists (5B)", "{forecast:?}");
        assert!(host.file("a").exists());
        let done = apply(&host, json.clone()).await.unwrap();
        assert_eq!((done.changed, done.out.existed, done.out.files, done.out.size), (true, true, 1, Size(5)));
        assert!(!FileDelete::plan(&args(json.clone()), &host.cx()).await.unwrap().would_change);
        let done = apply(&host, json).await.unwrap();
        assert_eq!((done.changed, done.out.existed), (false, false));
    }

    #[tokio::test]
    async fn a_folder_needs_recursive_and_links_are_not_followed() {
        let host = TestHost::new();
        host.write("d/a", "1");
        host.write("d/e/b", "22");
        host.write("kept/c", "3");
        symlink("../kept", host.file("d/link")).unwrap();
        symlink("kept", host.file("link")).unwrap();
        let fault = apply(&host, json!({ "path": "d" })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("recursive: true")), "{fault:?}");
        let done = apply(&host, json!({ "path": "d", "recursive": true })).await.unwrap();
        assert_eq!((done.out.files, done.out.size), (3, Size(3)));
        apply(&host, json!({ "path": "link", "recursive": true })).await.unwrap();
        assert!(!host.file("link").is_symlink());
        assert!(host.file("kept/c").exists());
    }

    #[tokio::test]
    async fn some_places_are_never_deleted() {
        let host = TestHost::new();
        let home = host.file("home");
        host.write("home/a", "1");
        host.set_env("HOME", home.to_str());
        let above = host.root().parent().unwrap().display().to_string();
        symlink("/", host.file("root")).unwrap();
        for bad in ["/", "//", "/etc", "/usr", "~", ".", "..", "x/..", "/proc/..", &above, "", " ", "root/usr", "home/."] {
            let fault = apply(&host, json!({ "path": bad, "recursive": true })).await.unwrap_err();
            assert!(matches!(fault, Fault::Invalid { .. }), "{bad}: {fault:?}");
            assert!(FileDelete::plan(&args(json!({ "path": bad, "recursive": true })), &host.cx()).await.is_err());
        }
        assert!(host.file("home/a").exists());
        // What lies in a guarded place is not guarded.
        apply(&host, json!({ "path": "~/a" })).await.unwrap();
    }

    #[test]
    fn it_destroys() {
        let of = args::<Args>(json!({ "path": "./a//b" }));
        assert_eq!(FileDelete::effect(&of), Effect::Destroy);
        assert_eq!(FileDelete::touches(&of).changes, [runbook_core::module::Resource::file("a/b")]);
    }
}
