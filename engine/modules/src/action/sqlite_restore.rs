//! `sqlite.restore`: puts a backup in the place of a database, and keeps what was there.

use std::path::{Path, PathBuf};
use std::time::{Duration as Std, Instant};

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::{Duration, Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::atomic::sync_folder;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::net::rounded;
use crate::support::paths::{check_parent, fault, look, parent, resolve, resource as file, tidy};
use crate::support::sqlite::copy::{copy, draft, problems, room};
use crate::support::sqlite::{beside, locks, resource, size_of, there};

pub(crate) struct SqliteRestore;

/// The files of a database.
const FILES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Puts a backup in the place of an SQLite database, and keeps what was there.
///
/// The backup is checked first: a broken one, such as a copy that was made of the broken database, is refused. With a pattern such as
/// `backups/memory-*.db` the newest that passes the check is taken, and the result says which were passed over and why.
///
/// Nobody may have the database open: the step is refused, naming the processes, until they are stopped. The database and its `-wal`,
/// `-shm` and `-journal` are moved aside together, since a log that is left behind would be played into the backup. Then the backup is
/// copied to its place and the copy is checked; if that fails everything is moved back.
///
/// What was written since the backup is no longer in the database, so the step asks before it runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The database that gets the backup's content; relative paths start at the project root. It need not exist.
    #[schemars(length(min = 1))]
    path: String,
    /// The backup, or a pattern of which the newest whole one is taken; `*`, `?` and `[ab]` stand for characters of the file's name.
    #[schemars(length(min = 1))]
    from: String,
    /// Patterns of names that are passed over, such as `memory-emergency-*`. Default: none.
    #[serde(default)]
    exclude: Vec<String>,
}

/// A backup that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Passed {
    /// The file.
    path: String,
    /// Why it was not taken.
    why: String,
}

/// What was restored.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The database, as an absolute path.
    path: String,
    /// The backup that was taken.
    from: String,
    /// Newer ones that were passed over.
    passed_over: Vec<Passed>,
    /// Where the files that were there lie now; empty if nothing was there.
    aside: Vec<String>,
    /// The size of the database.
    size: Size,
    /// The tables in it.
    tables: Vec<String>,
    /// What the check of the database said: `ok`.
    integrity: &'static str,
    /// How long it took.
    elapsed: Duration,
}

struct Job {
    path: PathBuf,
    from: PathBuf,
    exclude: Vec<globset::GlobMatcher>,
    now: jiff::Timestamp,
}

struct Choice {
    from: PathBuf,
    passed: Vec<Passed>,
}

fn patterns(args: &Args) -> Result<Vec<globset::GlobMatcher>, Fault> {
    let one = |p: &String| globset::Glob::new(p).map(|g| g.compile_matcher());
    args.exclude.iter().map(|p| one(p).map_err(|e| Fault::invalid("exclude", e.to_string()))).collect()
}

fn is_pattern(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n.to_string_lossy().contains(['*', '?', '[']))
}

impl Job {
    fn of(args: &Args, cx: &Cx<'_>) -> Result<Job, Fault> {
        Ok(Job {
            path: resolve(cx, "path", &args.path)?,
            from: resolve(cx, "from", &args.from)?,
            exclude: patterns(args)?,
            now: cx.now(),
        })
    }

    /// The files that the pattern names, newest first.
    fn candidates(&self) -> Result<Vec<PathBuf>, Fault> {
        if self.from.exists() || !is_pattern(&self.from) {
            return Ok(vec![self.from.clone()]);
        }
        let folder = parent(&self.from);
        let name = self.from.file_name().unwrap_or_default().to_string_lossy();
        let glob = globset::Glob::new(&name).map_err(|e| Fault::invalid("from", e.to_string()))?.compile_matcher();
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|e| fault(folder, &e))?.flatten() {
            let name = entry.file_name();
            let ours = FILES[1..].iter().any(|s| name.to_string_lossy().ends_with(s));
            if !glob.is_match(&name) || ours || self.exclude.iter().any(|x| x.is_match(&name)) {
                continue;
            }
            if let Ok(meta) = entry.metadata()
                && meta.is_file()
            {
                found.push((meta.modified().unwrap_or(std::time::UNIX_EPOCH), entry.path()));
            }
        }
        found.sort();
        Ok(found.into_iter().rev().map(|(_, path)| path).collect())
    }

    fn choose(&self, stop: &Stop) -> Result<Choice, Fault> {
        let mut passed = Vec::new();
        let candidates = self.candidates()?;
        for from in &candidates {
            if *from == self.path {
                continue;
            }
            let why = match there(from).and_then(|_| problems(from, stop)) {
                Ok(found) => match found.into_iter().next() {
                    None if size_of(&beside(from, "-wal")) > 0 => {
                        "it has a -wal beside it, so it is a database in use and no backup".to_owned()
                    }
                    None => return Ok(Choice { from: from.clone(), passed }),
                    Some(problem) => problem,
                },
                Err(Fault::Unmet { message, .. }) => message,
                Err(other) => return Err(other),
            };
            if let [_] = candidates.as_slice() {
                return Err(Fault::refused(format!("{} is not restored: {why}", from.display())));
            }
            passed.push(Passed { path: from.display().to_string(), why });
        }
        let told: String = passed.iter().map(|p| format!("; {}: {}", p.path, p.why)).collect();
        Err(Fault::refused(format!("no backup at {} is whole{told}", self.from.display())))
    }

    fn look(&self, stop: &Stop) -> Result<Choice, Fault> {
        check_parent(&self.path, false)?;
        if let Some(meta) = look(&self.path)?
            && !meta.is_file()
        {
            return Err(Fault::refused(format!("{} is not a file; write the path that it stands for", self.path.display())));
        }
        let users = locks::users(&self.path);
        if !users.is_empty() {
            let told: Vec<String> = users.iter().map(|(pid, command)| format!("{pid} ({command})")).collect();
            return Err(Fault::refused(format!(
                "{} is in use: stop these processes first: {}",
                self.path.display(),
                told.join(", ")
            )));
        }
        let choice = self.choose(stop)?;
        room(parent(&self.path), size_of(&choice.from) + (1 << 20), "the restored database")?;
        Ok(choice)
    }

    /// The files that are there, and where they go.
    fn aside(&self) -> Vec<(PathBuf, PathBuf)> {
        let mark = self.now.strftime("before-restore-%Y%m%dT%H%M%SZ").to_string();
        let mut base = beside(&self.path, &format!(".{mark}"));
        let mut n = 1;
        while FILES.iter().any(|s| beside(&base, s).exists()) {
            n += 1;
            base = beside(&self.path, &format!(".{mark}-{n}"));
        }
        let there = FILES.iter().filter(|s| beside(&self.path, s).exists());
        there.map(|s| (beside(&self.path, s), beside(&base, s))).collect()
    }

    fn run(&self, stop: &Stop) -> Result<Out, Fault> {
        let started = Instant::now();
        let choice = self.look(stop)?;
        // The copy is made and checked before anything is moved.
        let draft = draft(&self.path)?;
        let copied = copy(&choice.from, draft.path(), Std::from_secs(5), stop)?;
        let old = look(&self.path)?;
        if let Some(meta) = &old {
            let _ = std::fs::set_permissions(draft.path(), meta.permissions());
            use std::os::unix::fs::MetadataExt;
            let _ = std::os::unix::fs::chown(draft.path(), Some(meta.uid()), Some(meta.gid()));
        }
        let users = locks::users(&self.path);
        if let Some((pid, command)) = users.first() {
            return Err(Fault::refused(format!("{} was opened meanwhile by {pid} ({command}): stop it", self.path.display())));
        }
        let mut moved: Vec<(PathBuf, PathBuf)> = Vec::new();
        let back = |moved: &[(PathBuf, PathBuf)]| {
            for (place, aside) in moved.iter().rev() {
                let _ = std::fs::rename(aside, place);
            }
        };
        for (place, aside) in self.aside() {
            if let Err(e) = std::fs::rename(&place, &aside) {
                back(&moved);
                return Err(fault(&place, &e));
            }
            moved.push((place, aside));
        }
        if let Err(e) = draft.persist_noclobber(&self.path) {
            back(&moved);
            return Err(fault(&self.path, &e.error));
        }
        sync_folder(parent(&self.path));
        if let Some(problem) = problems(&self.path, stop)?.into_iter().next() {
            let _ = std::fs::remove_file(&self.path);
            back(&moved);
            return Err(Fault::unmet(format!("{} was not whole and what was there is back: {problem}", self.path.display())));
        }
        Ok(Out {
            path: self.path.display().to_string(),
            from: choice.from.display().to_string(),
            passed_over: choice.passed,
            aside: moved.iter().map(|(_, aside)| aside.display().to_string()).collect(),
            size: copied.size,
            tables: copied.tables,
            integrity: "ok",
            elapsed: rounded(started.elapsed()),
        })
    }
}

impl Action for SqliteRestore {
    const NAME: &'static str = "sqlite.restore";
    const SAYS: &'static str = "{{ path }} is what {{ from }} was";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "The newest backup that is whole, but no copy of the broken database",
            yaml: "sqlite.restore:\n  path: data/memory.db\n  from: 'backups/memory-*.db'\n  exclude: ['memory-emergency-*']\n",
            runs: false,
        },
        Example {
            title: "A missing backup fails and moves nothing",
            yaml: "sqlite.restore: { path: '{tmp}/a.db', from: '{tmp}/*.bak' }\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let (path, from) = (by_hand::path(args, "path"), by_hand::glob_word(&args.or("from", "<from>")));
        ByHand::run("# Nobody may have it open: this must print nothing.")
            .and(format!("fuser -v {path} {path}-wal {path}-shm"))
            .and("# The newest comes first; take the first that says ok.")
            .and(format!("ls -t -- {from} | while IFS= read -r one; do echo \"$one\"; sqlite3 -readonly \"$one\" 'PRAGMA integrity_check'; done"))
            .and("# Move the database and its log aside together, then copy that backup to its place:")
            .and(format!(
                "aside=.before-restore-\"$(date -u +%Y%m%dT%H%M%SZ)\"; for suffix in '' -wal -shm -journal; do test ! -e {path}\"$suffix\" || mv {path}\"$suffix\" {path}\"$aside$suffix\"; done"
            ))
            .and(format!("printf 'Which backup? '; read -r one; cp -- \"$one\" {path}"))
            .and(format!("sqlite3 -readonly {path} 'PRAGMA integrity_check'"))
            .expect("`ok` in the last line")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Destroy
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([resource(&args.path), file(&args.path)])
            .and_reads(file(&args.from))
            .needing(Need::Write(tidy(&args.path)))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        patterns(args)?;
        if tidy(&args.path) == tidy(&args.from) {
            return Err(Fault::invalid("from", "`from` is the database itself"));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let job = Job::of(args, cx)?;
        blocking(cx.timeout, move |stop| {
            let choice = job.look(stop)?;
            let (from, path) = (choice.from.display(), job.path.display());
            let passed: String = choice.passed.iter().map(|p| format!("; {} is passed over: {}", p.path, p.why)).collect();
            let mut forecast = Forecast::would(
                format!("put {from} ({}) in the place of {path}", format_size(size_of(&choice.from))),
                format!("it is whole, and nobody has the database open{passed}"),
            );
            for (place, aside) in job.aside() {
                forecast.from_to.push(("moved aside".to_owned(), place.display().to_string(), aside.display().to_string()));
            }
            Ok(forecast)
        })
        .await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let job = Job::of(args, cx)?;
        blocking(cx.timeout, move |stop| job.run(stop).map(Done::changed)).await
    }
}

#[cfg(test)]
#[path = "sqlite_restore_tests.rs"]
mod tests;
