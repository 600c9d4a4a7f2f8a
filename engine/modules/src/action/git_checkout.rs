//! `git.checkout`: check out another branch, tag or commit.

use std::path::PathBuf;

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches, hand_word,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::by_hand::path_word;
use crate::support::exec::Door;
use crate::support::git::{Repo, State, check_ref, short};
use crate::support::paths::resource;

pub(crate) struct GitCheckout;

/// Checks out another branch, tag or commit of a repository that has no changes.
///
/// A repository with changes that are not committed is refused, and the files named: nothing is stashed or overwritten. Files that git does
/// not know stay; one that would be overwritten stops it. What was checked out before is in the result, to go back to.
///
/// A tag, a commit or a name such as `origin/main` leaves no branch checked out. A local branch is where it was left: it does
/// not move forward by fetching.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// A folder in the repository; relative ones start at the project root. Default: the project root.
    #[serde(default)]
    repo: Option<String>,
    /// The branch, tag or commit.
    #[serde(rename = "ref")]
    #[schemars(length(min = 1))]
    reference: String,
    /// Whether to fetch first. Default: false.
    #[serde(default)]
    fetch: bool,
}

/// What is checked out.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The repository's root.
    root: String,
    /// The branch that is checked out now; null if none is.
    branch: Option<String>,
    /// Whether no branch is checked out now.
    detached: bool,
    /// The whole id of the commit that is checked out now.
    head: String,
    /// The branch that was checked out before; null if none was.
    was_branch: Option<String>,
    /// The whole id of the commit that was checked out before: `git.checkout` brings it back. Null before the first commit.
    was_head: Option<String>,
}

impl Args {
    /// How it stands, and the commit to check out.
    async fn look(&self, repo: &Repo, cx: &Cx<'_>) -> Result<(State, String), Fault> {
        let state = repo.state(&[], cx).await?;
        if let Some(what) = repo.half_done() {
            return Err(Fault::refused(format!("a {what} is half done in `{}`; end it first", repo.root.display())));
        }
        if !state.unchanged() {
            return Err(Fault::refused(format!(
                "`{}` has changes that are not committed: {}; commit them, or discard them with `git.restore`",
                repo.root.display(),
                state.changed_files()
            )));
        }
        // A branch that only the other side has is made here by the same name, as git does.
        let found = match repo.commit_of(&self.reference, cx).await? {
            Some(found) => Some(found),
            None => repo.commit_of(&format!("origin/{}", self.reference), cx).await?,
        };
        match found {
            Some(found) => Ok((state, found)),
            None => Err(Fault::refused(format!("`{}` is no branch, tag or commit of `{}`", self.reference, repo.root.display()))),
        }
    }

    /// Whether it is checked out already.
    fn is_there(&self, state: &State, commit: &str) -> bool {
        state.head.as_deref() == Some(commit) && (state.branch.as_deref() == Some(&self.reference) || state.branch.is_none())
    }
}

impl Action for GitCheckout {
    const NAME: &'static str = "git.checkout";
    const MAIN: Option<&'static str> = Some("ref");
    const SAYS: &'static str = "{{ branch or head }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Go back to the last release",
            yaml: "git.checkout: { repo: /srv/netopsai, ref: v1.4.2, fetch: true }\n",
            runs: false,
        },
        Example { title: "Go to a branch", yaml: "git.checkout: main\n", runs: false },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let git = format!("git -C {}", path_word(&args.or("repo", ".")));
        ByHand::run("# Nothing may be changed, and this is where to go back to:")
            .and(format!("{git} status --short --branch"))
            .and(format!("{git} rev-parse HEAD"))
            .and_if(args.flag("fetch", false).then(|| format!("{git} fetch --all --tags")))
            .and("# Only then:")
            .and(format!("{git} checkout {} --", hand_word(&args.or("ref", "<ref>"))))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let repo = args.repo.as_deref().unwrap_or(".");
        Touches::changes([resource(repo)]).needing(Need::Exec("git".to_owned())).needing(Need::Write(PathBuf::from(repo)))
    }

    fn idempotent(args: &Args) -> bool {
        !args.fetch
    }

    fn check(args: &Args) -> Result<(), Fault> {
        check_ref("ref", &args.reference)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        GitCheckout::check(args)?;
        let repo = Repo::find(args.repo.as_deref(), cx).await?;
        if args.fetch && repo.commit_of(&args.reference, cx).await?.is_none() {
            return Ok(Forecast::would(
                format!("fetch and check out `{}`", args.reference),
                "it is not here until it is fetched",
            ));
        }
        let (state, commit) = args.look(&repo, cx).await?;
        if args.is_there(&state, &commit) && !args.fetch {
            return Ok(Forecast::nothing(format!("{} is checked out", state.place())));
        }
        let fetched = if args.fetch { "fetch and " } else { "" };
        let to = format!("{} ({})", args.reference, short(&commit));
        let from_to = vec![(repo.root.display().to_string(), state.place(), to)];
        let forecast =
            Forecast::would(format!("{fetched}check out `{}`", args.reference), format!("{} is checked out", state.place()));
        Ok(Forecast { from_to, ..forecast })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        GitCheckout::check(args)?;
        let repo = Repo::find(args.repo.as_deref(), cx).await?;
        if args.fetch {
            repo.fetch(Door::Change(cx)).await?;
        }
        let (before, commit) = args.look(&repo, cx).await?;
        let already = args.is_there(&before, &commit);
        if !already {
            let said = repo.run(&["checkout", "--quiet", &args.reference, "--"], Door::Change(cx)).await?;
            if !said.good() {
                return Err(Fault::unmet(format!("`{}` was not checked out: {}", args.reference, said.why())));
            }
        }
        let now = repo.state(&[], cx).await?;
        let head = now.head.clone().unwrap_or_default();
        let out = Out {
            root: repo.root.display().to_string(),
            detached: now.branch.is_none(),
            branch: now.branch.clone(),
            was_branch: before.branch,
            was_head: before.head,
            head,
        };
        if out.head != commit {
            return Err(Fault::unmet_with(format!("{} is checked out and not {}", now.place(), short(&commit)), out));
        }
        Ok(if already { Done::unchanged(out) } else { Done::changed(out) })
    }
}
