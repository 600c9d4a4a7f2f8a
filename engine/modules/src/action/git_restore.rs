//! `git.restore`: bring files of a repository back, after saving what would be lost.

use std::path::PathBuf;

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches, hand_line, hand_word,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::by_hand::path_word;
use crate::support::exec::Door;
use crate::support::git::{Repo, check_ref, short};
use crate::support::paths::{fault, resolve, resource};

pub(crate) struct GitRestore;

/// Brings files of a git repository back to what they are in a commit.
///
/// That is in the working tree and in the index. Changes to them that were not committed are discarded, so they are saved first: `git diff` as a patch that `git apply` takes, and the
/// status beside it. The step says where. Files that git does not know are left as they are.
///
/// A name such as `origin/main` means what was fetched last: with `fetch` it is fetched first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// A folder in the repository; relative ones start at the project root. Default: the project root.
    #[serde(default)]
    repo: Option<String>,
    /// The file or folder, or several, from the repository's root.
    path: OneOrMany,
    /// The commit, branch or tag that they are taken from. Default: `HEAD`, what is checked out.
    #[serde(default = "head")]
    #[schemars(length(min = 1))]
    source: String,
    /// Whether to fetch first. Default: false.
    #[serde(default)]
    fetch: bool,
    /// The folder that the patch and the status are saved in. Default: `git-restore` in the state folder.
    #[serde(default)]
    save_to: Option<String>,
}

fn head() -> String {
    "HEAD".to_owned()
}

/// What was brought back.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The repository's root.
    root: String,
    /// The whole id of the commit that they were taken from.
    source: String,
    /// The files that are different now.
    files: Vec<String>,
    /// The patch of what was not committed; null if there was nothing to lose.
    saved_diff: Option<String>,
    /// The status as it was; null if there was nothing to lose.
    saved_status: Option<String>,
}

impl Args {
    fn paths(&self) -> impl Iterator<Item = &str> {
        self.path.0.iter().map(String::as_str)
    }

    fn with_paths<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        args.iter().copied().chain(["--"]).chain(self.paths()).collect()
    }

    async fn source(&self, repo: &Repo, cx: &Cx<'_>) -> Result<String, Fault> {
        if let Some(what) = repo.half_done() {
            return Err(Fault::refused(format!("a {what} is half done in `{}`; end it first", repo.root.display())));
        }
        let found = repo.commit_of(&self.source, cx).await?;
        found.ok_or_else(|| Fault::refused(format!("`{}` is no commit of `{}`", self.source, repo.root.display())))
    }

    /// The files that are not what they are in the commit.
    async fn different(&self, repo: &Repo, source: &str, cx: &Cx<'_>) -> Result<Vec<String>, Fault> {
        // Once against the working tree and once against the index.
        let tree = repo.ask(&self.with_paths(&["diff", "--name-only", "-z", source]), cx).await?;
        let index = repo.ask(&self.with_paths(&["diff", "--cached", "--name-only", "-z", source]), cx).await?;
        let mut all: Vec<String> =
            tree.split('\0').chain(index.split('\0')).filter(|f| !f.is_empty()).map(str::to_owned).collect();
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// Saves what is not committed.
    async fn save(&self, repo: &Repo, cx: &Cx<'_>) -> Result<Option<(PathBuf, PathBuf)>, Fault> {
        let state = repo.state(&self.path.0, cx).await?;
        if state.unchanged() {
            return Ok(None);
        }
        let base = if state.head.is_some() { &["diff", "--binary", "HEAD"][..] } else { &["diff", "--binary"] };
        let diff = repo.ask(&self.with_paths(base), cx).await?;
        let status = repo.ask(&self.with_paths(&["status", "--branch", "--short"]), cx).await?;
        let folder = match &self.save_to {
            Some(folder) => resolve(cx, "save_to", folder)?,
            None => cx.state.join("git-restore"),
        };
        std::fs::create_dir_all(&folder).map_err(|e| fault(&folder, &e))?;
        let name = repo.root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let stamp = cx.now().strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
        let write = |suffix: &str, text: &str| {
            let file = folder.join(format!("{name}-{stamp}.{suffix}"));
            let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&file);
            let written = made.and_then(|mut f| {
                std::io::Write::write_all(&mut f, text.as_bytes())?;
                f.sync_all()
            });
            written
                .map_err(|e| Fault::refused(format!("what would be lost cannot be saved to `{}`: {e}", file.display())))
                .map(|()| file)
        };
        Ok(Some((write("patch", &diff)?, write("status.txt", &status)?)))
    }
}

impl Action for GitRestore {
    const NAME: &'static str = "git.restore";
    const MAIN: Option<&'static str> = Some("path");
    const SAYS: &'static str = "{{ files | length }} files{{ '; what was lost is in ' ~ saved_diff if saved_diff else '' }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Bring a folder back to what was released",
            yaml: "git.restore: { repo: /srv/sofia, path: sofia_ui/, source: origin/main, fetch: true }\nconfirm: true\n",
            runs: false,
        },
        Example { title: "Discard changes to one file", yaml: "git.restore: config/app.yaml\n", runs: false },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let git = format!("git -C {}", path_word(&args.or("repo", ".")));
        let paths = hand_line(args.list("path"));
        let source = hand_word(&args.or("source", "HEAD"));
        ByHand::default()
            .and_if(args.flag("fetch", false).then(|| format!("{git} fetch --all --tags")))
            .and("# Keep what is about to be discarded:")
            .and(format!("{git} diff --binary HEAD -- {paths} > \"restored-$(date -u +%Y%m%dT%H%M%SZ).patch\""))
            .and(format!("{git} status --short -- {paths}"))
            .and("# Only then:")
            .and(format!("{git} restore --source={source} --staged --worktree -- {paths}"))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Destroy
    }

    fn touches(args: &Args) -> Touches {
        let repo = PathBuf::from(args.repo.as_deref().unwrap_or("."));
        let files = args.paths().map(|p| resource(&repo.join(p).display().to_string()));
        Touches::changes(files).needing(Need::Exec("git".to_owned())).needing(Need::Write(repo))
    }

    fn idempotent(args: &Args) -> bool {
        !args.fetch
    }

    fn check(args: &Args) -> Result<(), Fault> {
        check_ref("source", &args.source)?;
        match args.paths().find(|p| p.is_empty() || p.starts_with(':')) {
            Some(bad) => Err(Fault::invalid("path", format!("{bad:?} is not a path in the repository"))),
            None => Ok(()),
        }
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        GitRestore::check(args)?;
        let repo = Repo::find(args.repo.as_deref(), cx).await?;
        let source = args.source(&repo, cx).await?;
        let files = args.different(&repo, &source, cx).await?;
        let not_fetched = if args.fetch { "; it will be fetched first, and may be another commit then" } else { "" };
        if files.is_empty() && !args.fetch {
            return Ok(Forecast::nothing(format!("they are what they are in {}", short(&source))));
        }
        let diff = repo.ask(&args.with_paths(&["diff", "-R", &source]), cx).await?;
        let lost = repo.state(&args.path.0, cx).await?;
        let lost = if lost.unchanged() {
            "nothing that is not committed is lost".to_owned()
        } else {
            format!("saved first: {}", lost.changed_files())
        };
        let forecast = Forecast::would(format!("bring back {} files from {}{not_fetched}", files.len(), short(&source)), lost);
        let from_to = files.into_iter().map(|f| (f, "changed".to_owned(), format!("as in {}", short(&source)))).collect();
        Ok(Forecast { from_to, diff: Some(diff).filter(|d| !d.is_empty()), ..forecast })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        GitRestore::check(args)?;
        let repo = Repo::find(args.repo.as_deref(), cx).await?;
        if args.fetch {
            repo.fetch(Door::Change(cx)).await?;
        }
        let source = args.source(&repo, cx).await?;
        let files = args.different(&repo, &source, cx).await?;
        let root = repo.root.display().to_string();
        if files.is_empty() {
            return Ok(Done::unchanged(Out { root, source, files, saved_diff: None, saved_status: None }));
        }
        let saved = args.save(&repo, cx).await?;
        let from = format!("--source={source}");
        let said = repo.run(&args.with_paths(&["restore", &from, "--staged", "--worktree"]), Door::Change(cx)).await?;
        if !said.good() {
            return Err(Fault::unmet(format!("git restored nothing: {}", said.why())));
        }
        let (saved_diff, saved_status) = saved.map(|(d, s)| (d.display().to_string(), s.display().to_string())).unzip();
        let left = args.different(&repo, &source, cx).await?;
        let out = Out { root, source, files, saved_diff, saved_status };
        match left.first() {
            Some(file) => Err(Fault::unmet_with(format!("`{file}` is still not what it is in the commit"), out)),
            None => Ok(Done::changed(out)),
        }
    }
}
