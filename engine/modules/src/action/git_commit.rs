//! `git.commit`: commit what is staged.

use std::path::PathBuf;

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches, hand_line,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::by_hand::path_word;
use crate::support::exec::Door;
use crate::support::git::{Repo, State, short};
use crate::support::paths::resource;

pub(crate) struct GitCommit;

/// Commits what is staged, if something is, on the branch that is checked out.
///
/// With `add` these files are staged first. With nothing staged the step is ok and unchanged, where `git commit` fails. Without a
/// branch it is refused: a commit that no branch holds is lost with the next checkout. Nothing is pushed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// A folder in the repository; relative ones start at the project root. Default: the project root.
    #[serde(default)]
    repo: Option<String>,
    /// The message.
    #[schemars(length(min = 1))]
    message: String,
    /// Files or folders to stage first, from the repository's root. Default: none, only what is staged is committed.
    #[serde(default)]
    add: Option<OneOrMany>,
    /// The branch that must be checked out. Default: any.
    #[serde(default)]
    branch: Option<String>,
}

/// What was committed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The repository's root.
    root: String,
    /// The branch.
    branch: String,
    /// The whole id of the commit that is checked out now.
    head: Option<String>,
    /// The whole id of the one before; null if this was the first.
    was_head: Option<String>,
    /// The files that were committed.
    files: Vec<String>,
}

impl Args {
    /// The branch, if it may be committed to.
    fn branch(&self, repo: &Repo, state: &State) -> Result<String, Fault> {
        let root = repo.root.display();
        if let Some(what) = repo.half_done() {
            return Err(Fault::refused(format!("a {what} is half done in `{root}`; end it first")));
        }
        let Some(branch) = &state.branch else {
            return Err(Fault::refused(format!(
                "no branch is checked out in `{root}`: {}; use `git.checkout` first",
                state.place()
            )));
        };
        match &self.branch {
            Some(wanted) if wanted != branch => {
                Err(Fault::refused(format!("`{branch}` is checked out in `{root}` and not `{wanted}`")))
            }
            _ => Ok(branch.clone()),
        }
    }

    /// The files that would be committed.
    async fn files(&self, repo: &Repo, state: &State, cx: &Cx<'_>) -> Result<Vec<String>, Fault> {
        let mut files: Vec<String> =
            state.files.iter().filter(|f| !f.status.starts_with(['.', '?', 'U'])).map(|f| f.path.clone()).collect();
        if let Some(add) = &self.add {
            files.extend(repo.state(&add.0, cx).await?.files.into_iter().map(|f| f.path));
        }
        files.sort();
        files.dedup();
        Ok(files)
    }
}

impl Action for GitCommit {
    const NAME: &'static str = "git.commit";
    const MAIN: Option<&'static str> = Some("message");
    const SAYS: &'static str = "{{ files | length }} files on {{ branch }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Keep a configuration that was changed",
            yaml: "git.commit: { repo: /srv/netopsai, add: docker-compose.yml, message: Give the gateway more memory, branch: main }\n",
            runs: false,
        },
        Example { title: "What is staged", yaml: "git.commit: Restore the theme\n", runs: false },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let git = format!("git -C {}", path_word(&args.or("repo", ".")));
        let add = args.list("add");
        ByHand::default()
            .and_if((!add.is_empty()).then(|| format!("{git} add -- {}", hand_line(&add))))
            .and("# Is a branch checked out, and is something staged (in the first column)?")
            .and(format!("{git} status --branch --short"))
            .and("# Only then:")
            .and(format!("{git} commit -m {}", args.word("message")))
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let repo = args.repo.as_deref().unwrap_or(".");
        Touches::changes([resource(repo)]).needing(Need::Exec("git".to_owned())).needing(Need::Write(PathBuf::from(repo)))
    }

    fn idempotent(_: &Args) -> bool {
        true
    }

    fn check(args: &Args) -> Result<(), Fault> {
        match args.message.trim().is_empty() {
            true => Err(Fault::invalid("message", "the message is empty")),
            false => Ok(()),
        }
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let repo = Repo::find(args.repo.as_deref(), cx).await?;
        let state = repo.state(&[], cx).await?;
        let branch = args.branch(&repo, &state)?;
        let files = args.files(&repo, &state, cx).await?;
        if files.is_empty() {
            return Ok(Forecast::nothing("nothing is staged"));
        }
        let from_to = vec![(format!("branch {branch}"), state.place(), "a new commit".to_owned())];
        let forecast =
            Forecast::would(format!("commit {} on `{branch}`", files.join(", ")), format!("{} files are changed", files.len()));
        let base = if state.head.is_some() { &["diff", "HEAD", "--"][..] } else { &["diff", "--cached", "--"] };
        let all: Vec<&str> = base.iter().copied().chain(files.iter().map(String::as_str)).collect();
        let diff = repo.ask(&all, cx).await?;
        Ok(Forecast { from_to, diff: Some(diff).filter(|d| !d.is_empty()), ..forecast })
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        GitCommit::check(args)?;
        let repo = Repo::find(args.repo.as_deref(), cx).await?;
        let before = repo.state(&[], cx).await?;
        let branch = args.branch(&repo, &before)?;
        let files = args.files(&repo, &before, cx).await?;
        let mut out =
            Out { root: repo.root.display().to_string(), branch, head: before.head.clone(), was_head: before.head, files };
        if out.files.is_empty() {
            return Ok(Done::unchanged(out));
        }
        if let Some(add) = &args.add {
            let words: Vec<&str> = ["add", "--"].into_iter().chain(add.0.iter().map(String::as_str)).collect();
            let said = repo.run(&words, Door::Change(cx)).await?;
            if !said.good() {
                return Err(Fault::unmet(format!("not staged: {}", said.why())));
            }
        }
        let said = repo.run(&["commit", "--quiet", "-m", &args.message], Door::Change(cx)).await?;
        if !said.good() {
            let hint = if said.err.contains("empty ident") || said.err.contains("Please tell me who you are") {
                "git does not know who commits; `git config user.name` and `user.email` tell it".to_owned()
            } else {
                said.why()
            };
            return Err(Fault::unmet(format!("not committed: {hint}")));
        }
        let now = repo.state(&[], cx).await?;
        if now.head == out.was_head {
            return Err(Fault::unmet(format!(
                "git said that all went well, and yet {} is still checked out",
                now.head.as_deref().map_or("nothing", short)
            )));
        }
        out.head = now.head;
        Ok(Done::changed(out))
    }
}
