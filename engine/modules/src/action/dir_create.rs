//! `dir.create`: makes a folder exist.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::{Mode, yes};
use crate::support::atomic::sync_folder;
use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::paths::{check_parent, fault, is_missing, make_parents, parent, resolve, resource, tidy};

pub(crate) struct DirCreate;

/// Makes a folder exist.
///
/// Missing folders on the way are created too. Nothing changes if the folder is there already with the mode asked for, unless it must be
/// a new one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The folder; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// Whether to create missing folders on the way. Default: true.
    #[serde(default = "yes")]
    parents: bool,
    /// The permissions in octal, such as `"0755"`; folders on the way get the usual ones. Default: those of the existing or any new folder.
    #[serde(default)]
    mode: Option<Mode>,
    /// Whether it fails the step if the folder is there already. Default: false.
    #[serde(default)]
    must_be_new: bool,
}

/// The folder.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The folder, as an absolute path.
    path: String,
    /// Whether it did not exist before.
    created: bool,
    /// Its permissions now, such as `0755`.
    mode: String,
}

enum State {
    Right,
    Mode(Mode, Mode),
    Missing,
}

#[derive(Clone, Copy)]
struct Options {
    parents: bool,
    mode: Option<Mode>,
    must_be_new: bool,
}

fn state(path: &Path, options: Options) -> Result<State, Fault> {
    match std::fs::metadata(path) {
        Ok(_) if options.must_be_new => Err(Fault::unmet(format!("{} exists already, and must be new", path.display()))),
        Ok(meta) if !meta.is_dir() => Err(Fault::unmet(format!("{} exists and is not a folder", path.display()))),
        Ok(meta) => {
            let now = Mode::of(meta.mode());
            Ok(options.mode.filter(|m| *m != now).map_or(State::Right, |m| State::Mode(now, m)))
        }
        Err(e) if is_missing(&e) => {
            if path.is_symlink() {
                return Err(Fault::unmet(format!("{} is a link to something that does not exist", path.display())));
            }
            check_parent(path, options.parents).map(|()| State::Missing)
        }
        Err(e) => Err(fault(path, &e)),
    }
}

fn set_mode(path: &Path, mode: Mode) -> Result<(), Fault> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode.0)).map_err(|e| fault(path, &e))
}

fn apply(path: &Path, options: Options) -> Result<Done<Out>, Fault> {
    let state = state(path, options)?;
    match &state {
        State::Right => {}
        State::Mode(_, mode) => set_mode(path, *mode)?,
        State::Missing => {
            if options.parents {
                make_parents(path)?;
            }
            match std::fs::create_dir(path) {
                // Somebody else was faster; only a folder that must be new minds.
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() && !options.must_be_new => {}
                other => other.map_err(|e| fault(path, &e))?,
            }
            if let Some(mode) = options.mode {
                set_mode(path, mode)?;
            }
            sync_folder(parent(path));
        }
    }
    let meta = std::fs::metadata(path).map_err(|e| fault(path, &e))?;
    let out = Out {
        path: path.display().to_string(),
        created: matches!(state, State::Missing),
        mode: Mode::of(meta.mode()).to_string(),
    };
    Ok(Done { changed: !matches!(state, State::Right), out })
}

fn prepare(args: &Args, cx: &Cx<'_>) -> Result<(PathBuf, Options), Fault> {
    let options = Options { parents: args.parents, mode: args.mode, must_be_new: args.must_be_new };
    Ok((resolve(cx, "path", &args.path)?, options))
}

impl Action for DirCreate {
    const NAME: &'static str = "dir.create";
    const MAIN: Option<&'static str> = Some("path");
    const SAYS: &'static str = "{{ path }}";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A folder with those on the way", yaml: "dir.create: '{tmp}/state/pids'\n", runs: true },
        Example {
            title: "A new folder for an incident, for the owner only",
            yaml: "dir.create:\n  path: '{tmp}/incident-17'\n  mode: '0700'\n  must_be_new: true\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let parents = by_hand::folder(&args.or("path", "")).filter(|_| args.flag("parents", true));
        let hand = match (args.flag("must_be_new", false), parents) {
            (true, Some(folder)) => ByHand::run(format!("mkdir -p {folder}")).and(format!("mkdir {path}")),
            (true, None) => ByHand::run(format!("mkdir {path}")),
            (false, _) if args.flag("parents", true) => ByHand::run(format!("mkdir -p {path}")),
            (false, _) => ByHand::run(format!("test -d {path} || mkdir {path}")),
        };
        hand.and_if(by_hand::mode(args, &path))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.path)]).needing(Need::Write(tidy(&args.path)))
    }

    fn idempotent(args: &Args) -> bool {
        !args.must_be_new
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let (path, options) = prepare(args, cx)?;
        blocking(cx.timeout, move |_| {
            let name = path.display();
            Ok(match state(&path, options)? {
                State::Right => Forecast::nothing(format!("{name} is there already")),
                State::Mode(from, to) => Forecast {
                    from_to: vec![("mode".to_owned(), from.to_string(), to.to_string())],
                    ..Forecast::would(format!("change the mode of {name} to {to}"), format!("its mode is {from}"))
                },
                State::Missing => Forecast::would(format!("create the folder {name}"), "it does not exist"),
            })
        })
        .await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let (path, options) = prepare(args, cx)?;
        blocking(cx.timeout, move |_| apply(&path, options)).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        DirCreate::apply(&args(json), &host.change()).await
    }

    #[tokio::test]
    async fn a_folder_once() {
        let host = TestHost::new();
        let json = json!({ "path": "a/b", "mode": "0750" });
        assert!(DirCreate::plan(&args(json.clone()), &host.cx()).await.unwrap().would_change);
        assert!(!host.file("a").exists());
        let done = apply(&host, json.clone()).await.unwrap();
        assert_eq!((done.changed, done.out.created, done.out.mode.as_str()), (true, true, "0750"));
        assert!(!apply(&host, json.clone()).await.unwrap().changed);
        let other = json!({ "path": "a/b", "mode": "0700" });
        let forecast = DirCreate::plan(&args(other.clone()), &host.cx()).await.unwrap();
        assert_eq!(forecast.from_to, [("mode".to_owned(), "0750".to_owned(), "0700".to_owned())]);
        let done = apply(&host, other).await.unwrap();
        assert_eq!((done.changed, done.out.created), (true, false));
    }

    #[tokio::test]
    async fn what_must_be_new_may_not_be_there() {
        let host = TestHost::new();
        let json = json!({ "path": "a", "must_be_new": true });
        assert!(!DirCreate::idempotent(&args(json.clone())));
        apply(&host, json.clone()).await.unwrap();
        for fault in [apply(&host, json.clone()).await.unwrap_err(), DirCreate::plan(&args(json), &host.cx()).await.unwrap_err()]
        {
            assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("must be new")), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_is_said() {
        let host = TestHost::new();
        host.write("file", "");
        std::os::unix::fs::symlink("gone", host.file("link")).unwrap();
        for (bad, word) in [
            (json!({ "path": "file" }), "not a folder"),
            (json!({ "path": "file/a" }), "not a folder"),
            (json!({ "path": "x/y", "parents": false }), "does not exist"),
            (json!({ "path": "link" }), "link"),
        ] {
            let fault = apply(&host, bad).await.unwrap_err();
            assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(word)), "{fault:?}");
        }
        assert!(!host.file("x").exists());
    }
}
