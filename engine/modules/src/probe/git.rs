//! `git`: how a repository stands.

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches, hand_line, hand_word};
use runbook_core::value::{Duration, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::by_hand::path_word;
use crate::support::git::{Changed, Commit, Repo, check_ref};
use crate::support::paths::resource;

pub(crate) struct Git;

/// Looks how a git repository stands: branch, commit, changes, distance to what it follows.
///
/// Without `expect` the step is ok if the repository can be read, no file is in conflict, nothing is half done, and the commit that `ref`
/// asks for is there. Whether it must be clean is for `expect` to say.
///
/// Nothing is fetched: `ahead`, `behind` and `origin/main` are as of the last fetch, whose age is `fetch_age`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// A folder in the repository; relative ones start at the project root. Default: the project root.
    #[serde(default)]
    repo: Option<String>,
    /// Look for changes only in this file or folder, or these, from the repository's root. Default: everywhere.
    #[serde(default)]
    path: Option<OneOrMany>,
    /// A commit, branch or tag that must be there, such as `origin/main` or `v1.2`. Default: none.
    #[serde(default, rename = "ref")]
    reference: Option<String>,
    /// How many of the last commits to list. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    log: u64,
}

fn one() -> u64 {
    1
}

/// How it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The repository's root.
    root: String,
    /// The branch that is checked out; null if none is.
    branch: Option<String>,
    /// Whether a commit and no branch is checked out.
    detached: bool,
    /// The whole id of the commit that is checked out; null before the first.
    head: Option<String>,
    /// The branch that the branch follows, such as `origin/main`; null if it follows none.
    upstream: Option<String>,
    /// How many commits the branch has that the one it follows has not; null if it follows none.
    ahead: Option<u64>,
    /// How many commits the followed branch has that this one has not, as of the last fetch; null if it follows none.
    behind: Option<u64>,
    /// How many files have changes that the next commit would hold.
    staged: u64,
    /// How many files have changes that it would not hold.
    unstaged: u64,
    /// How many files git does not know and was not told to ignore.
    untracked: u64,
    /// How many files are in conflict.
    conflicted: u64,
    /// Whether there is no change of any kind; files that git does not know count.
    clean: bool,
    /// The changes.
    files: Vec<Changed>,
    /// What is half done: `merge`, `rebase`, `cherry-pick`, `revert` or `bisect`; null if nothing is.
    half_done: Option<String>,
    /// The last commits, the newest first.
    commits: Vec<Commit>,
    /// The first line of the last commit's message; null before the first.
    subject: Option<String>,
    /// Whether the commit that `ref` asks for is there; null if none was asked for.
    ref_exists: Option<bool>,
    /// The whole id of that commit; null if it is not there or none was asked for.
    ref_id: Option<String>,
    /// When something was last fetched; null if nothing ever was.
    fetched: Option<Time>,
    /// How long ago that was; null if nothing ever was.
    fetch_age: Option<Duration>,
}

impl Probe for Git {
    const NAME: &'static str = "git";
    const MAIN: Option<&'static str> = Some("repo");
    const VERDICT: &'static str = "conflicted == 0 and half_done is none and ref_exists != false";
    const SAYS: &'static str = "{{ branch or 'detached' }}{{ '' if clean else ', not clean' }}: {{ subject }}";
    const COLUMNS: &'static [&'static str] = &["branch", "ahead", "behind"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Nothing would be lost, and the version to go back to is there",
            yaml: "git: { repo: /srv/netopsai, ref: v1.4.2 }\nexpect:\n  - clean\n  - ref_exists\n",
            runs: false,
        },
        Example {
            title: "What was fetched is not stale, and this is what runs everywhere",
            yaml: "git: { repo: /srv/sofia }\nexpect:\n  - fetch_age < 1h\n  - behind == 0\n  - not detached\n",
            runs: false,
        },
        Example { title: "No change in one folder", yaml: "git: { path: sofia_ui/ }\nexpect: files == []\n", runs: false },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let git = format!("git -C {}", path_word(&args.or("repo", ".")));
        let paths = args.list("path");
        let paths = if paths.is_empty() { String::new() } else { format!(" -- {}", hand_line(&paths)) };
        let reference = args.text("ref").map(|r| format!("{git} rev-parse --verify {}", hand_word(&format!("{r}^{{commit}}"))));
        let count = hand_word(&format!("-{}", args.or("log", "1")));
        ByHand::run(format!("{git} status --branch --short{paths}"))
            .and(format!("{git} --no-pager log --oneline {count}"))
            .and_if(reference)
            .expect("a line `## BRANCH`, no line that begins with `UU`")
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([resource(args.repo.as_deref().unwrap_or("."))])
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.reference.as_deref().map_or(Ok(()), |r| check_ref("ref", r))
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        Git::check(args)?;
        let repo = Repo::find(args.repo.as_deref(), cx).await?;
        let state = repo.state(&args.path.clone().unwrap_or_default().0, cx).await?;
        let commits = repo.commits(args.log, cx).await?;
        let ref_id = match &args.reference {
            Some(reference) => repo.commit_of(reference, cx).await?,
            None => None,
        };
        let fetched = repo.fetched(cx).await;
        Ok(Out {
            root: repo.root.display().to_string(),
            detached: state.branch.is_none(),
            clean: state.files.is_empty(),
            ahead: state.ahead_behind.map(|(a, _)| a),
            behind: state.ahead_behind.map(|(_, b)| b),
            staged: state.staged,
            unstaged: state.unstaged,
            untracked: state.untracked,
            conflicted: state.conflicted,
            branch: state.branch,
            head: state.head,
            upstream: state.upstream,
            files: state.files,
            half_done: repo.half_done().map(str::to_owned),
            subject: commits.first().map(|c| c.subject().to_owned()),
            commits,
            ref_exists: args.reference.as_ref().map(|_| ref_id.is_some()),
            ref_id,
            fetched: fetched.map(Time),
            fetch_age: fetched.map(|f| Duration(cx.now().duration_since(f))),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::git::tests::{naive, repository};
    use crate::support::testing::{TestHost, args};

    async fn look(host: &TestHost, json: Json) -> Result<Json, Fault> {
        Git::observe(&args(json), &host.cx()).await.map(|out| serde_json::to_value(out).unwrap())
    }

    #[tokio::test]
    async fn a_repository_is_seen_as_it_is() {
        let host = TestHost::new();
        repository(&host);
        let out = look(&host, json!({})).await.unwrap();
        assert_eq!((&out["branch"], &out["clean"], &out["subject"]), (&json!("main"), &json!(true), &json!("First")));
        assert_eq!((&out["upstream"], &out["ahead"], &out["fetch_age"]), (&Json::Null, &Json::Null, &Json::Null));
        assert_eq!(out["commits"][0]["author"], "Ada");

        host.write("b c.txt", "new\n");
        host.write("a.txt", "two\n");
        naive(&host, &["add", "a.txt"]);
        host.write("a.txt", "three\n");
        let out = look(&host, json!({})).await.unwrap();
        assert_eq!((&out["staged"], &out["unstaged"], &out["untracked"]), (&json!(1), &json!(1), &json!(1)));
        assert_eq!(out["files"], json!([{"path": "a.txt", "status": "MM"}, {"path": "b c.txt", "status": "??"}]));
        assert_eq!(look(&host, json!({"path": "b c.txt"})).await.unwrap()["files"].as_array().unwrap().len(), 1);

        let out = look(&host, json!({"ref": "HEAD"})).await.unwrap();
        assert_eq!((&out["ref_exists"], &out["ref_id"]), (&json!(true), &out["head"]));
        assert_eq!(look(&host, json!({"ref": "v9"})).await.unwrap()["ref_exists"], false);
        naive(&host, &["checkout", "-q", "--detach"]);
        let out = look(&host, json!({})).await.unwrap();
        assert_eq!((&out["detached"], &out["branch"]), (&json!(true), &Json::Null));
    }

    #[tokio::test]
    async fn the_distance_is_that_of_the_last_fetch() {
        let host = TestHost::new();
        repository(&host);
        let copy = TestHost::new();
        naive(&copy, &["clone", "-q", &host.root().display().to_string(), "."]);
        host.write("a.txt", "two\n");
        naive(&host, &["commit", "-q", "-a", "-m", "Second"]);
        let out = look(&copy, json!({})).await.unwrap();
        assert_eq!((&out["behind"], &out["ahead"]), (&json!(0), &json!(0)), "as nothing was fetched since");
        naive(&copy, &["fetch", "-q"]);
        let out = look(&copy, json!({})).await.unwrap();
        assert_eq!((&out["behind"], &out["upstream"]), (&json!(1), &json!("origin/main")));
        assert!(out["fetch_age"].is_object() || out["fetch_age"].is_string(), "{out}");
    }

    #[tokio::test]
    async fn what_is_no_repository() {
        let host = TestHost::new();
        let fault = look(&host, json!({})).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("lies in no git repository")), "{fault:?}");
        let fault = look(&host, json!({"repo": "none"})).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { .. }), "{fault:?}");
        naive(&host, &["init", "-q", "-b", "main", "."]);
        let out = look(&host, json!({})).await.unwrap();
        assert_eq!((&out["head"], &out["commits"], &out["branch"]), (&Json::Null, &json!([]), &json!("main")));
        let fault = look(&host, json!({"ref": "--all"})).await.unwrap_err();
        assert!(matches!(&fault, Fault::Invalid { .. }), "{fault:?}");
        host.set_env("PATH", Some("/nowhere"));
        let fault = look(&host, json!({})).await.unwrap_err();
        assert!(matches!(&fault, Fault::CannotTell { .. }), "{fault:?}");
    }
}
