//! `sqlite.backup`: copies a database that is in use.

use std::path::PathBuf;
use std::time::{Duration as Std, Instant};

use runbook_core::module::{Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches};
use runbook_core::value::{Duration, Size, format_size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::atomic::sync_folder;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::net::rounded;
use crate::support::paths::{check_parent, look, make_parents, parent, resolve, resource as file, tidy};
use crate::support::sqlite::copy::{bytes, copy, draft, room};
use crate::support::sqlite::{beside, resource, there};

pub(crate) struct SqliteBackup;

/// Copies an SQLite database while others go on using it, and checks the copy.
///
/// What is in the write-ahead log is in the copy, which a copy of the file alone would lack. The copy gets its name only when it is whole and its
/// integrity is checked; a broken database is not copied. Nothing is replaced: if there is something at `to` the step is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The database; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// The copy, such as `backups/memory-{{ now() | date('%Y%m%d-%H%M%S') }}.db`.
    #[schemars(length(min = 1))]
    to: String,
    /// Whether to make the folders that are missing. Default: false.
    #[serde(default)]
    parents: bool,
    /// How long to wait for a lock. Default: `5s`.
    #[serde(default)]
    busy_timeout: Option<Duration>,
}

/// The copy.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The database, as an absolute path.
    path: String,
    /// The copy, as an absolute path.
    to: String,
    /// The size of the copy.
    size: Size,
    /// Pages in the copy.
    pages: i64,
    /// The tables in the copy.
    tables: Vec<String>,
    /// What the check of the copy said: `ok`.
    integrity: &'static str,
    /// How long it took.
    elapsed: Duration,
}

struct Job {
    path: PathBuf,
    to: PathBuf,
    parents: bool,
    busy: Std,
}

impl Job {
    fn of(args: &Args, cx: &Cx<'_>) -> Result<Job, Fault> {
        Ok(Job {
            path: resolve(cx, "path", &args.path)?,
            to: resolve(cx, "to", &args.to)?,
            parents: args.parents,
            busy: args.busy_timeout.map_or(Std::from_secs(5), Duration::to_std),
        })
    }

    /// What would be copied, if nothing stands in the way.
    fn look(&self, stop: &Stop) -> Result<u64, Fault> {
        there(&self.path)?;
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let place = beside(&self.to, suffix);
            if look(&place)?.is_some() {
                return Err(Fault::refused(format!("{} exists, and nothing is replaced: choose another name", place.display())));
            }
        }
        check_parent(&self.to, self.parents)?;
        let mut folder = parent(&self.to);
        while !folder.exists() {
            folder = parent(folder);
        }
        let bytes = bytes(&self.path, self.busy, stop)?;
        room(folder, bytes + (1 << 20), "the copy")?;
        Ok(bytes)
    }
}

impl Action for SqliteBackup {
    const NAME: &'static str = "sqlite.backup";
    const SAYS: &'static str = "{{ to }}, {{ size }}, checked";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Before a migration",
            yaml: "sqlite.backup:\n  path: data/memory.db\n  to: \"backups/memory-{{ now() | date('%Y%m%d-%H%M%S') }}.db\"\n  parents: true\n",
            runs: false,
        },
        Example {
            title: "A missing database fails and leaves nothing",
            yaml: "sqlite.backup: { path: '{tmp}/missing.db', to: '{tmp}/copy.db' }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let (path, to) = (by_hand::path(args, "path"), by_hand::path(args, "to"));
        ByHand::run(format!("test -s {path} && test ! -e {to}"))
            .and_if(by_hand::make_parents(args, "to"))
            .and(format!("printf 'VACUUM INTO %s;\\n' \"'$(printf '%s' {to} | sed \"s/'/''/g\")'\" | sqlite3 -bail {path}"))
            .and(format!("sqlite3 -readonly {to} 'PRAGMA integrity_check'"))
            .expect("`ok` in the last line")
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        Touches::changes([file(&args.to), resource(&args.to)])
            .and_reads(resource(&args.path))
            .and_reads(file(&args.path))
            .needing(Need::Write(tidy(&args.to)))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        if tidy(&args.path) == tidy(&args.to) {
            return Err(Fault::invalid("to", "`to` is the database itself"));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let job = Job::of(args, cx)?;
        blocking(cx.timeout, move |stop| {
            let bytes = job.look(stop)?;
            let (path, to) = (job.path.display(), job.to.display());
            Ok(Forecast::would(format!("copy {path} to {to} ({})", format_size(bytes)), "nothing is there, and there is room"))
        })
        .await
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let job = Job::of(args, cx)?;
        blocking(cx.timeout, move |stop| {
            let started = Instant::now();
            job.look(stop)?;
            if job.parents {
                make_parents(&job.to)?;
            }
            let file = draft(&job.to)?;
            let copied = copy(&job.path, file.path(), job.busy, stop)?;
            file.persist_noclobber(&job.to).map_err(|e| crate::support::paths::fault(&job.to, &e.error))?;
            sync_folder(parent(&job.to));
            Ok(Done::changed(Out {
                path: job.path.display().to_string(),
                to: job.to.display().to_string(),
                size: copied.size,
                pages: copied.pages,
                tables: copied.tables,
                integrity: "ok",
                elapsed: rounded(started.elapsed()),
            }))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::sqlite::testing;
    use crate::support::testing::{TestHost, args};

    async fn apply(host: &TestHost, json: serde_json::Value) -> Result<Done<Out>, Fault> {
        SqliteBackup::apply(&args(json), &host.change()).await
    }

    #[tokio::test]
    async fn t33_a_copy_of_the_file_alone_lacks_what_is_in_the_log() {
        if !runbook_servers::have("sqlite3") {
            return;
        }
        let host = TestHost::new();
        let path = host.file("a.db");
        let conn = testing::wal(&path);
        // The naive copy: whole, and without a single row.
        let naive = host.file("naive.db");
        let copied = std::process::Command::new("cp").arg(&path).arg(&naive).status().unwrap();
        assert!(copied.success());
        assert_eq!(testing::count(&naive), "0");

        let json = json!({ "path": "a.db", "to": "b/c.db", "parents": true });
        let forecast = SqliteBackup::plan(&args(json.clone()), &host.cx()).await.unwrap();
        assert!(forecast.would_change && !host.file("b").exists(), "{forecast:?}");
        let done = apply(&host, json.clone()).await.unwrap();
        assert_eq!((done.changed, done.out.integrity, done.out.tables), (true, "ok", vec!["t".to_owned()]));
        assert_eq!(testing::count(&host.file("b/c.db")), "100");
        drop(conn);
        // Nothing is replaced.
        for result in [SqliteBackup::plan(&args(json.clone()), &host.cx()).await.err(), apply(&host, json).await.err()] {
            assert!(matches!(&result, Some(Fault::Refused { message }) if message.contains("exists")), "{result:?}");
        }
    }

    #[tokio::test]
    async fn broken_locked_and_missing_databases_leave_nothing() {
        if !runbook_servers::have("sqlite3") {
            return;
        }
        let host = TestHost::new();
        let path = host.file("a.db");
        testing::plain(&path, 2000);
        let other = testing::Other::with(&path, "BEGIN EXCLUSIVE");
        let fault = apply(&host, json!({ "path": "a.db", "to": "b.db", "busy_timeout": "20ms" })).await.unwrap_err();
        let who = format!("is locked by process {}", other.pid);
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains(&who)), "{fault:?}");
        drop(other);
        let mut bytes = std::fs::read(&path).unwrap();
        let half = bytes.len() / 2;
        bytes[half..half + 4096].fill(0x5a);
        std::fs::write(&path, bytes).unwrap();
        let fault = apply(&host, json!({ "path": "a.db", "to": "b.db" })).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("not whole")), "{fault:?}");
        assert!(apply(&host, json!({ "path": "gone.db", "to": "b.db" })).await.is_err());
        assert!(apply(&host, json!({ "path": "a.db", "to": "no/b.db" })).await.is_err());
        assert!(matches!(apply(&host, json!({ "path": "a.db", "to": "./a.db" })).await, Err(Fault::Invalid { .. })));
        let left: Vec<_> = std::fs::read_dir(host.root()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, ["a.db"]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let host = TestHost::new();
        let fault = room(host.root(), u64::MAX, "the copy").unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("make room first")), "{fault:?}");
    }
}
