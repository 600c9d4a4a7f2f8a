//! A git repository, as `git` tells of it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::module::{Cx, Fault};
use runbook_core::value::Time;
use schemars::JsonSchema;
use serde::Serialize;

use super::exec::Door;
use super::paths::resolve;
use super::tool::{Said, Tool};

/// A repository that can be asked.
#[derive(Clone, Debug)]
pub(crate) struct Repo {
    /// The folder of the working tree.
    pub(crate) root: PathBuf,
    /// The folder that it keeps its own things in.
    pub(crate) own: PathBuf,
}

/// `git` in a folder, which never asks for a password, locks nothing to look, and runs nothing that the repository's settings name.
fn git(folder: &Path) -> Tool<'_> {
    let mut tool = Tool::new("git", "install git");
    tool.cwd = Some(folder);
    tool.first.extend(["-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "-c", "color.ui=false"].map(str::to_owned));
    let env = [("GIT_OPTIONAL_LOCKS", "0"), ("GIT_TERMINAL_PROMPT", "0"), ("GIT_PAGER", "cat")];
    tool.env.extend(env.map(|(k, v)| (k.to_owned(), v.to_owned())));
    tool
}

/// A change of a file that is not committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Changed {
    /// The file, from the repository's root.
    pub(crate) path: String,
    /// What git writes for it: a letter for the index and one for the working tree, such as `M.` or `.D`; `??` is untracked, `UU` in conflict.
    pub(crate) status: String,
}

/// How a repository stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    /// The branch; `None` if detached.
    pub(crate) branch: Option<String>,
    /// The commit; `None` before the first.
    pub(crate) head: Option<String>,
    /// The branch it follows.
    pub(crate) upstream: Option<String>,
    /// Commits that only the branch has, and that only what it follows has.
    pub(crate) ahead_behind: Option<(u64, u64)>,
    /// Files with changes in the index.
    pub(crate) staged: u64,
    /// Files with changes that are not in the index.
    pub(crate) unstaged: u64,
    /// Files that git does not know.
    pub(crate) untracked: u64,
    /// Files in conflict.
    pub(crate) conflicted: u64,
    /// All of them.
    pub(crate) files: Vec<Changed>,
}

impl State {
    /// What `git status --porcelain=v2 --branch -z` says.
    fn read(text: &str) -> State {
        let mut state = State::default();
        let mut records = text.split('\0');
        while let Some(record) = records.next() {
            let Some((kind, rest)) = record.split_once(' ') else { continue };
            match kind {
                "#" => state.header(rest),
                "?" => {
                    state.untracked += 1;
                    state.files.push(Changed { path: rest.to_owned(), status: "??".to_owned() });
                }
                "1" | "2" | "u" => {
                    let before_path = match kind {
                        "1" => 7,
                        "2" => 8,
                        _ => 9,
                    };
                    let mut fields = rest.splitn(before_path + 1, ' ');
                    let status = fields.next().unwrap_or_default().to_owned();
                    let path = fields.last().unwrap_or_default().to_owned();
                    if kind == "2" {
                        // Where it came from.
                        records.next();
                    }
                    if kind == "u" {
                        state.conflicted += 1;
                    } else {
                        state.staged += u64::from(!status.starts_with('.'));
                        state.unstaged += u64::from(!status.ends_with('.'));
                    }
                    state.files.push(Changed { path, status });
                }
                _ => {}
            }
        }
        state
    }

    fn header(&mut self, text: &str) {
        let Some((name, value)) = text.split_once(' ') else { return };
        match name {
            "branch.oid" => self.head = Some(value.to_owned()).filter(|v| v != "(initial)"),
            "branch.head" => self.branch = Some(value.to_owned()).filter(|v| v != "(detached)"),
            "branch.upstream" => self.upstream = Some(value.to_owned()),
            "branch.ab" => {
                let mut numbers = value.split(' ').filter_map(|n| n.get(1..)?.parse::<u64>().ok());
                self.ahead_behind = numbers.next().zip(numbers.next());
            }
            _ => {}
        }
    }

    /// Whether nothing that git knows is changed.
    pub(crate) fn unchanged(&self) -> bool {
        self.staged + self.unstaged + self.conflicted == 0
    }

    /// Where it stands, in a few words.
    pub(crate) fn place(&self) -> String {
        let head = self.head.as_deref().map_or("no commit", short);
        match &self.branch {
            Some(branch) => format!("{branch} ({head})"),
            None => format!("detached at {head}"),
        }
    }

    /// The first changed files, as a message names them.
    pub(crate) fn changed_files(&self) -> String {
        let known: Vec<&str> = self.files.iter().filter(|f| f.status != "??").map(|f| f.path.as_str()).collect();
        let more = if known.len() > 5 { format!(" and {} more", known.len() - 5) } else { String::new() };
        format!("{}{more}", known[..known.len().min(5)].join(", "))
    }
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Commit {
    /// Its whole id.
    pub(crate) id: String,
    /// The first line of its message.
    subject: String,
    /// Who wrote it.
    author: String,
    /// When it was made.
    at: Option<Time>,
}

impl Commit {
    /// The first line of its message.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }
}

/// An id as people read it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

/// What is wrong with the name of a commit, if something is.
///
/// # Errors
/// [`Fault::Invalid`].
pub(crate) fn check_ref(argument: &str, name: &str) -> Result<(), Fault> {
    if name.is_empty() || name.starts_with('-') || name.chars().any(|c| c.is_control()) {
        return Err(Fault::invalid(argument, format!("{name:?} cannot be the name of a commit, branch or tag")));
    }
    Ok(())
}

impl Repo {
    /// The repository that a folder lies in.
    ///
    /// # Errors
    /// [`Fault::Unmet`] if it lies in none.
    pub(crate) async fn find(path: Option<&str>, cx: &Cx<'_>) -> Result<Repo, Fault> {
        let folder = match path {
            Some(path) => resolve(cx, "repo", path)?,
            None => cx.root.to_owned(),
        };
        let said = git(&folder).ask(&["rev-parse", "--show-toplevel", "--absolute-git-dir"], cx).await?;
        if !said.good() {
            return Err(match said.err.contains("dubious ownership") {
                true => Fault::cannot_tell(format!(
                    "`{0}` belongs to another user, and git does not trust it; `git config --global --add safe.directory {0}` makes it",
                    folder.display()
                )),
                false if said.err.contains("must be run in a work tree") => {
                    Fault::unmet(format!("`{}` is a repository without a working tree", folder.display()))
                }
                false if said.err.contains("not a git repository") => {
                    Fault::unmet(format!("`{}` lies in no git repository", folder.display()))
                }
                false => Fault::cannot_tell(format!("git cannot read `{}`: {}", folder.display(), said.why())),
            });
        }
        let mut lines = said.out.lines().map(PathBuf::from);
        let both = lines.next().zip(lines.next());
        let (root, own) = both.ok_or_else(|| Fault::cannot_tell("git did not say where the repository is"))?;
        Ok(Repo { root, own })
    }

    /// Asks git; how it ended is for the caller to judge.
    ///
    /// # Errors
    /// If it cannot be run.
    pub(crate) async fn run(&self, args: &[&str], door: Door<'_>) -> Result<Said, Fault> {
        let mut tool = git(&self.root);
        if args.first() == Some(&"fetch") {
            tool.limit = std::time::Duration::from_secs(600);
        }
        tool.run(args, door).await
    }

    /// Asks git something it must be able to say.
    ///
    /// # Errors
    /// If it cannot.
    pub(crate) async fn ask(&self, args: &[&str], cx: &Cx<'_>) -> Result<String, Fault> {
        let said = self.run(args, Door::Look(cx)).await?;
        if said.good() {
            return Ok(said.out);
        }
        Err(Fault::cannot_tell(format!("`git {}`: {}", args.first().unwrap_or(&""), said.why())))
    }

    /// How it stands; with paths, only they are looked at for changes.
    ///
    /// # Errors
    /// If git cannot tell.
    pub(crate) async fn state(&self, paths: &[String], cx: &Cx<'_>) -> Result<State, Fault> {
        let mut args = vec!["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--"];
        args.extend(paths.iter().map(String::as_str));
        Ok(State::read(&self.ask(&args, cx).await?))
    }

    /// The whole id of the commit that a name means, if it means one.
    ///
    /// # Errors
    /// If git cannot be run.
    pub(crate) async fn commit_of(&self, name: &str, cx: &Cx<'_>) -> Result<Option<String>, Fault> {
        let name = format!("{name}^{{commit}}");
        let said = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name], Door::Look(cx)).await?;
        Ok(said.good().then(|| said.out.trim().to_owned()).filter(|id| !id.is_empty()))
    }

    /// The last commits of what is checked out.
    ///
    /// # Errors
    /// If git cannot be run.
    pub(crate) async fn commits(&self, count: u64, cx: &Cx<'_>) -> Result<Vec<Commit>, Fault> {
        let count = format!("-{count}");
        let said = self.run(&["log", &count, "--format=%H%x1f%s%x1f%an%x1f%cI%x1e"], Door::Look(cx)).await?;
        let read = |record: &str| {
            let mut fields = record.trim_start_matches('\n').split('\u{1f}');
            Some(Commit {
                id: fields.next().filter(|id| !id.is_empty())?.to_owned(),
                subject: fields.next()?.to_owned(),
                author: fields.next()?.to_owned(),
                at: fields.next().and_then(|t| t.trim().parse().ok()).map(Time),
            })
        };
        // Before the first commit there is nothing to list.
        Ok(if said.good() { said.out.split('\u{1e}').filter_map(read).collect() } else { Vec::new() })
    }

    /// When something was last fetched; `None` if nothing ever was.
    pub(crate) async fn fetched(&self, cx: &Cx<'_>) -> Option<Timestamp> {
        // Working trees that share a repository share what was fetched.
        let common = self.ask(&["rev-parse", "--git-common-dir"], cx).await.ok();
        let common = common.map_or_else(|| self.own.clone(), |c| self.root.join(c.trim()));
        let file = [self.own.join("FETCH_HEAD"), common.join("FETCH_HEAD")];
        let times = file.iter().filter_map(|f| std::fs::metadata(f).ok()?.modified().ok());
        times.filter_map(|t| Timestamp::try_from(t).ok()).max()
    }

    /// What is half done: `merge`, `rebase`, `cherry-pick`, `revert` or `bisect`.
    pub(crate) fn half_done(&self) -> Option<&'static str> {
        const MARKS: &[(&str, &str)] = &[
            ("MERGE_HEAD", "merge"),
            ("rebase-merge", "rebase"),
            ("rebase-apply", "rebase"),
            ("CHERRY_PICK_HEAD", "cherry-pick"),
            ("REVERT_HEAD", "revert"),
            ("BISECT_LOG", "bisect"),
        ];
        MARKS.iter().find(|(file, _)| self.own.join(file).exists()).map(|(_, what)| *what)
    }

    /// Fetches from where the branch, or else the repository, gets its commits.
    ///
    /// # Errors
    /// [`Fault::Unmet`] if it cannot be fetched.
    pub(crate) async fn fetch(&self, door: Door<'_>) -> Result<(), Fault> {
        let said = self.run(&["fetch", "--quiet", "--all", "--tags"], door).await?;
        if said.good() {
            return Ok(());
        }
        Err(Fault::unmet(format!("nothing could be fetched: {}", said.why())))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::support::testing::TestHost;

    /// A repository with one commit on `main`, and the naive command to run in it.
    pub(crate) fn repository(host: &TestHost) {
        for args in [
            &["init", "-q", "-b", "main", "."][..],
            &["config", "user.name", "Ada"],
            &["config", "user.email", "ada@example.org"],
            &["config", "commit.gpgsign", "false"],
        ] {
            naive(host, args);
        }
        host.write("a.txt", "one\n");
        naive(host, &["add", "a.txt"]);
        naive(host, &["commit", "-q", "-m", "First"]);
    }

    /// What a person types: its exit code and output.
    pub(crate) fn naive(host: &TestHost, args: &[&str]) -> (i32, String) {
        let output = std::process::Command::new("git").args(args).current_dir(host.root()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    #[test]
    fn what_git_says_is_read() {
        let text = "# branch.oid 1234567890abcdef\0# branch.head main\0# branch.upstream origin/main\0# branch.ab +2 -1\0\
            1 M. N... 100644 100644 100644 aaa bbb a file.txt\0\
            2 R. N... 100644 100644 100644 aaa bbb R100 new name\0old name\0\
            1 .D N... 100644 100644 000000 aaa aaa gone\0\
            u UU N... 100644 100644 100644 100644 aaa bbb ccc both\0? extra\0";
        let state = State::read(text);
        assert_eq!((state.branch.as_deref(), state.ahead_behind), (Some("main"), Some((2, 1))));
        assert_eq!((state.staged, state.unstaged, state.untracked, state.conflicted), (2, 1, 1, 1));
        let paths: Vec<&str> = state.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["a file.txt", "new name", "gone", "both", "extra"]);
        assert_eq!(state.place(), "main (1234567890)");
        let state = State::read("# branch.oid (initial)\0# branch.head (detached)\0");
        assert_eq!((state.head, state.branch, state.files.len()), (None, None, 0));
    }

    #[test]
    fn names_of_commits_are_no_options() {
        for bad in ["", "-f", "a\nb"] {
            assert!(check_ref("ref", bad).is_err(), "{bad:?}");
        }
        check_ref("ref", "origin/main~2").unwrap();
    }
}
