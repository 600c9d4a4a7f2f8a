//! `postgres.restore`: reads a dump into a new database, and puts it in the place of the old one if it is asked to.

use std::path::PathBuf;
use std::time::Instant;

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches, hand_word,
};
use runbook_core::value::{Duration, Size, format_size};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::support::by_hand as hand;
use crate::support::net::rounded;
use crate::support::paths::{fault, resolve, resource as file};
use crate::support::postgres::archive::{self, Archive};
use crate::support::postgres::client::{Pg, Trouble, for_change};
use crate::support::postgres::swap::{Database, connected, literal};
use crate::support::postgres::{Server, by_hand, ident, objects, postgres_args, tools};

pub(crate) struct PostgresRestore;

postgres_args! {
    /// Reads a dump of a PostgreSQL database into a new database.
    ///
    /// The dump is looked at first: a file that is missing, empty, cut off or broken is refused and nothing is begun. Then the database `into` is made,
    /// and the dump is read into it in one transaction that ends at the first error; if there is one the new database is removed again. A database
    /// that exists is never restored into: old rows would stay among the new ones.
    ///
    /// With `replace` a database `into` that exists gives way to the restored one. The dump is read into `INTO_restoring`, a new database with the
    /// encoding, the owner, the rights and the settings of the old one. Then that is looked at: it must have tables if the old one has any, and `verify`
    /// must hold in it. Only then both are renamed, in one transaction: the old one to `keep_as`, where it stays until you drop it, and the new one
    /// to `into`. Nobody may be connected to the old one meanwhile: the step is refused, naming the sessions, unless `terminate` says to end them. If
    /// anything fails before, the old one is as it was, and the new one is removed. What was written since the dump is only in the old one, so
    /// the step counts as destroying and asks first.
    ///
    /// It takes what `postgres.dump` and `pg_dump` write: custom and tar archives by `pg_restore`, plain files, also packed by gzip, by `psql`.
    /// `database` is the one to log in to for making the new one.
    pub(crate) struct Args {
        /// The dump; relative paths start at the project root.
        #[schemars(length(min = 1))]
        from: String,
        /// The name of the database to make, or with `replace` to put in the place of the one of that name.
        #[schemars(length(min = 1, max = 63))]
        into: String,
        /// The role that owns the new database. Default: the owner of the one that is replaced, or the user.
        #[serde(default)]
        owner: Option<String>,
        /// Whether owners and rights in the dump are left out, so that all belongs to the user. Default: false.
        #[serde(default)]
        no_owner: bool,
        /// Whether a database `into` that exists is replaced. Default: false, and the step is refused if it exists.
        #[serde(default)]
        replace: bool,
        /// The name that the old database is kept under. Default: `INTO_old`; it must be free.
        #[serde(default)]
        #[schemars(length(min = 1, max = 63))]
        keep_as: Option<String>,
        /// Whether sessions that are connected to the old database are ended before it is renamed. Default: false, and the step is refused if there are any.
        #[serde(default)]
        terminate: bool,
        /// A query whose first value must be true in the restored database, such as `SELECT count(*) > 1000 FROM orders`. Default: none.
        #[serde(default)]
        verify: Option<String>,
    }
}

/// What was restored.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The dump, as an absolute path.
    from: String,
    /// The new database.
    into: String,
    /// Tables in it.
    tables: u64,
    /// Its size.
    size: Size,
    /// The name that the old database is kept under; null if none was replaced.
    kept_as: Option<String>,
    /// How many sessions of the old database were ended.
    terminated: u64,
    /// How long it took.
    elapsed: Duration,
}

const TABLES: &str = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') \
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'";

/// What is to be done.
struct Task {
    from: PathBuf,
    archive: Archive,
    /// The database that gives way, and who is connected to it.
    old: Option<(Database, Vec<(i64, String)>)>,
    /// The name under which the new one is made.
    new: String,
    keep_as: String,
}

impl Args {
    fn keep_as(&self) -> String {
        self.keep_as.clone().unwrap_or_else(|| format!("{}_old", self.into))
    }

    /// The name of the new database until it takes its place.
    fn fresh(&self) -> String {
        format!("{}_restoring", self.into)
    }

    /// The dump, whole, and no database of that name, or one that can give way.
    async fn look(&self, cx: &Cx<'_>, pg: &Pg) -> Result<Task, Fault> {
        let from = resolve(cx, "from", &self.from)?;
        let archive = archive::check(&from, cx).await?;
        let (mut new, keep_as) = (self.into.clone(), self.keep_as());
        let old = match Database::find(pg, &self.into).await? {
            None => None,
            Some(_) if !self.replace => {
                return Err(Fault::refused(format!(
                    "there is a database `{}`, and nothing is restored into one that exists: choose another name, or set `replace: true`",
                    self.into
                )));
            }
            Some(old) => {
                new = self.fresh();
                Some(self.gives_way(pg, old).await?)
            }
        };
        let may = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user";
        if pg.value(may, &[]).await.map_err(Trouble::fault)? != json!(true) {
            return Err(Fault::cannot_tell("the user may not make databases: give a `user` with CREATEDB".to_owned()));
        }
        if let Some(owner) = &self.owner
            && pg.value("SELECT 1 FROM pg_roles WHERE rolname = $1", &[json!(owner)]).await.map_err(Trouble::fault)?.is_null()
        {
            return Err(Fault::refused(format!("there is no role `{owner}` to own the database")));
        }
        Ok(Task { from, archive, old, new, keep_as })
    }

    /// The old database, if it can give way.
    async fn gives_way(&self, pg: &Pg, old: Database) -> Result<(Database, Vec<(i64, String)>), Fault> {
        if !old.ours {
            return Err(Fault::cannot_tell(format!("the user may not rename `{}`: it belongs to `{}`", self.into, old.owner)));
        }
        if Database::find(pg, &self.keep_as()).await?.is_some() {
            return Err(Fault::refused(format!(
                "there is a database `{}` already, and the old one would be kept under that name: drop it, or give another `keep_as`",
                self.keep_as()
            )));
        }
        if Database::find(pg, &self.fresh()).await?.is_some() {
            return Err(Fault::refused(format!(
                "there is a database `{}`, left behind by a restore that was cut off: look at it and drop it",
                self.fresh()
            )));
        }
        let sessions = old.sessions(pg).await?;
        if !sessions.is_empty() && !self.terminate {
            return Err(connected(&self.into, &sessions));
        }
        Ok((old, sessions))
    }

    /// Looks whether the restored database may take its place, and what is in it.
    async fn judge(&self, cx: &Change<'_>, server: &Server, task: &Task) -> Result<(u64, Size), Fault> {
        let new = for_change(&server.with_database(&task.new), cx).await?;
        // Without statistics the first queries would be slow.
        new.run("ANALYZE").await.map_err(Trouble::fault)?;
        let tables = objects::number(&new, TABLES).await?;
        if task.old.is_some() && tables == 0 {
            let before = for_change(&server.with_database(&self.into), cx).await?;
            let before = objects::number(&before, TABLES).await?;
            if before > 0 {
                return Err(Fault::unmet(format!("the dump has no table, and `{}` has {before}", self.into)));
            }
        }
        if let Some(query) = &self.verify {
            let found = new.value(query, &[]).await.map_err(Trouble::fault)?;
            if found != json!(true) {
                return Err(Fault::unmet(format!("`verify` does not hold in the restored database: it gave {found}")));
            }
        }
        Ok((tables, objects::database_size(&new).await?))
    }

    /// Fills the new database, judges it, and puts it in its place.
    async fn restore(&self, cx: &Change<'_>, pg: &Pg, server: &Server, task: &Task) -> Result<(u64, Size, u64), Fault> {
        self.fill(cx, server, task).await?;
        let (tables, size) = self.judge(cx, server, task).await?;
        let Some((old, _)) = &task.old else { return Ok((tables, size, 0)) };
        old.hand_over(pg, &task.new).await?;
        let other = match self.terminate {
            true => Some(for_change(server, cx).await?),
            false => None,
        };
        let ended = old.give_way(pg, &task.new, &task.keep_as, other.as_ref().map(|o| (o, cx))).await?;
        Ok((tables, size, ended))
    }

    async fn fill(&self, cx: &Change<'_>, server: &Server, task: &Task) -> Result<(), Fault> {
        let (from, archive) = (task.from.as_path(), &task.archive);
        let unpacked;
        let (program, mut argv) = match archive {
            Archive::Custom { .. } => ("pg_restore", vec!["pg_restore".to_owned(), "--exit-on-error".to_owned()]),
            Archive::Plain | Archive::Packed => {
                ("psql", ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null"].map(str::to_owned).to_vec())
            }
        };
        argv.extend(["--single-transaction".to_owned(), "-d".to_owned(), task.new.clone()]);
        argv.extend(tools::words(server));
        match archive {
            Archive::Custom { .. } => {
                if self.no_owner {
                    argv.extend(["--no-owner", "--no-privileges"].map(str::to_owned));
                }
                argv.push(from.display().to_string());
            }
            Archive::Plain => argv.push(format!("--file={}", from.display())),
            Archive::Packed => {
                unpacked = tempfile::NamedTempFile::new_in(cx.state).map_err(|e| fault(cx.state, &e))?;
                archive::unpack(from, unpacked.path(), cx).await?;
                argv.push(format!("--file={}", unpacked.path().display()));
                let output = cx.run(tools::exec(Some(server), argv, server.change_limit(cx))).await;
                return tools::judged(program, output).map(drop);
            }
        }
        let output = cx.run(tools::exec(Some(server), argv, server.change_limit(cx))).await;
        tools::judged(program, output).map(drop)
    }
}

impl Action for PostgresRestore {
    const NAME: &'static str = "postgres.restore";
    const SAYS: &'static str = "{{ into }} has {{ tables }} tables, {{ size }}";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Beside the old one, then in its place",
            yaml: "postgres.restore:\n  from: backups/shop.dump\n  into: shop_restored\n  owner: shop\n  password: '{{ params.db_password }}'\n",
            runs: false,
        },
        Example {
            title: "In the place of the old one, which is kept",
            yaml: "postgres.restore:\n  from: backups/shop.dump\n  into: shop\n  replace: true\n  keep_as: shop_before_restore\n  terminate: true\n  verify: SELECT count(*) > 1000 FROM orders\n  password: '{{ params.db_password }}'\n",
            runs: false,
        },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "postgres.restore: { from: '{tmp}/a.dump', into: a, port: {port} }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let from = hand::path(args, "from");
        let target = args.or("into", "<into>");
        let replace = args.flag("replace", false);
        let into = if replace { format!("{target}_restoring") } else { target.clone() };
        let psql = by_hand(args, "psql -X -v ON_ERROR_STOP=1", Some("postgres"));
        let to = by_hand(args, "pg_restore --exit-on-error --single-transaction", Some(&into));
        let plain = by_hand(args, "psql -X -q -v ON_ERROR_STOP=1 --single-transaction", Some(&into));
        let owner = args.text("owner").map(|o| format!(" OWNER {}", ident(&o))).unwrap_or_default();
        let hand = ByHand::run("# Is the dump whole? It must list its content without an error.")
            .and(format!("pg_restore --list {from} > /dev/null && pg_restore --file=/dev/null {from}"))
            .and("# The database must be new: this fails if it exists.")
            .and(format!("{psql} -c {}", hand_word(&format!("CREATE DATABASE {}{owner}", ident(&into)))))
            .and(format!("{to} {from}"))
            .note(format!(
                "A plain dump is read with `{plain} -f FILE`; its last lines say `PostgreSQL database dump complete`."
            ));
        let hand = if replace {
            let kept = args.or("keep_as", &format!("{target}_old"));
            let line = |sql: String| format!("{psql} -c {}", hand_word(&sql));
            let sessions = format!("FROM pg_stat_activity WHERE datname = {}", literal(&target));
            let ends = args.flag("terminate", false);
            hand.and("# Look at the new database; then let nobody into the old one, and see who is connected to it:")
                .and_if(args.text("verify").map(|v| {
                    format!("{} -c {}", by_hand(args, "psql -X -v ON_ERROR_STOP=1", Some(&into)), hand_word(&v))
                }))
                .and(line(format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", ident(&target))))
                .and(line(format!("SELECT pid, usename, application_name {sessions}")))
                .and_if(ends.then(|| line(format!("SELECT pg_terminate_backend(pid) {sessions}"))))
                .and("# When nobody is, rename both at once:")
                .and(line(format!(
                    "ALTER DATABASE {old} RENAME TO {kept}; ALTER DATABASE {} RENAME TO {old}; ALTER DATABASE {kept} ALLOW_CONNECTIONS true",
                    ident(&into),
                    old = ident(&target),
                    kept = ident(&kept)
                )))
                .note(format!("If you stop in between, let people in again: `ALTER DATABASE {} ALLOW_CONNECTIONS true`.", ident(&target)))
                .note("Rights and settings of the old database itself are not in the dump: compare both with `\\l+` and `\\drds`.")
        } else {
            hand
        };
        if args.text("url").is_some() {
            return hand.note("A URL with `-d` names its own database: write the new database's name into it for the last line.");
        }
        hand
    }

    fn effect(args: &Args) -> Effect {
        // What was written since the dump is not in what takes the place.
        if args.replace { Effect::Destroy } else { Effect::Change }
    }

    fn touches(args: &Args) -> Touches {
        let mut touches = args.server().map(|s| s.with_database(&args.into).changes()).unwrap_or_default();
        if args.replace {
            let server = args.server().ok();
            let more = [args.fresh(), args.keep_as()];
            touches.changes.extend(more.iter().filter_map(|name| Some(server.as_ref()?.with_database(name).resource())));
        }
        touches.and_reads(file(&args.from)).needing(Need::Exec("pg_restore".to_owned()))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        let server = args.server()?;
        let named = [("into", args.into.clone()), ("keep_as", args.keep_as())];
        for (argument, name) in &named {
            if name.contains(['\0', '=', '/']) || name.starts_with('-') || name.starts_with("postgres:") {
                // The programs would read it as a connection of its own.
                return Err(Fault::invalid(argument, format!("{name:?} is not the name of a database")));
            }
        }
        if args.into == server.database {
            let next = if args.replace { ": it cannot be renamed while we are in it; give another `database`" } else { "" };
            return Err(Fault::invalid("into", format!("the new database cannot be the one to log in to{next}")));
        }
        if !args.replace {
            let given = [("keep_as", args.keep_as.is_some()), ("terminate", args.terminate)];
            return match given.iter().find(|(_, given)| *given) {
                Some((argument, _)) => Err(Fault::invalid(argument, "that goes with `replace: true`")),
                None => Ok(()),
            };
        }
        // A longer name would be cut off, and mean another database.
        if [args.fresh(), args.keep_as()].iter().any(|name| name.len() > 63) {
            return Err(Fault::invalid(
                "into",
                "with what is added to it the name is longer than 63 bytes; give a short `keep_as` and `into`",
            ));
        }
        match args.keep_as() == args.into || args.keep_as() == args.fresh() || args.keep_as() == server.database {
            true => Err(Fault::invalid("keep_as", "the old database needs a name of its own")),
            false => Ok(()),
        }
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let server = args.server()?;
        let pg = for_change(&server, cx).await?;
        let task = args.look(cx, &pg).await?;
        let from = &task.from;
        let size = std::fs::metadata(from).map(|m| m.len()).unwrap_or_default();
        let kind = match task.archive {
            Archive::Custom { entries } => format!("an archive with {entries} entries"),
            Archive::Plain => "a plain dump".to_owned(),
            Archive::Packed => "a packed plain dump".to_owned(),
        };
        if let Some((_, sessions)) = &task.old {
            let (into, new, kept) = (&args.into, &task.new, &task.keep_as);
            let end = match sessions.len() {
                0 => String::new(),
                n => format!("end {n} session{} of {into}, ", if n == 1 { "" } else { "s" }),
            };
            let was = objects::number(&pg, &format!("SELECT pg_database_size({})", literal(into))).await?;
            let was = format_size(was);
            let from_to = vec![
                (format!("database {into}"), format!("the one of now, {was}"), format!("what is in {}", from.display())),
                (format!("database {kept}"), "not there".to_owned(), format!("the {into} of now, {was}")),
            ];
            let summary = format!(
                "make the database {new} on {}, read {} into it, {end}rename {into} to {kept} and {new} to {into}",
                server.shown(),
                from.display()
            );
            let because = format!("the file is whole: {kind}, {}; {into} is there and is replaced", format_size(size));
            return Ok(Forecast { from_to, ..Forecast::would(summary, because) });
        }
        Ok(Forecast::would(
            format!("make the database {} on {} and read {} into it", args.into, server.shown(), from.display()),
            format!("the file is whole: {kind}, {}; there is no such database yet", format_size(size)),
        ))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        Self::check(args)?;
        let started = Instant::now();
        let mut server = args.server()?;
        let pg = for_change(&server, cx).await?;
        let task = args.look(cx, &pg).await?;
        let old = task.old.as_ref().map(|(old, _)| old);
        let owner = args.owner.as_ref().or(old.map(|o| &o.owner)).map(|o| format!(" OWNER {}", ident(o))).unwrap_or_default();
        // From an empty template, since the dump brings all that it needs.
        let options = old.map(Database::options).unwrap_or_default();
        let make = format!("CREATE DATABASE {}{owner} TEMPLATE template0{options}", ident(&task.new));
        pg.run(&make).await.map_err(Trouble::fault)?;
        server.settle(cx);
        match args.restore(cx, &pg, &server, &task).await {
            Ok((tables, size, terminated)) => Ok(Done::changed(Out {
                from: task.from.display().to_string(),
                into: args.into.clone(),
                tables,
                size,
                kept_as: task.old.is_some().then_some(task.keep_as),
                terminated,
                elapsed: rounded(started.elapsed()),
            })),
            Err(wrong) => {
                let gone = pg.run(&format!("DROP DATABASE IF EXISTS {}", ident(&task.new))).await.is_ok();
                let kept =
                    if gone { "the new database was removed again" } else { "the new database could not be removed: drop it" };
                let told = |m: String| format!("{m}; {kept}");
                Err(match wrong {
                    Fault::Unmet { message, result } => Fault::Unmet { message: told(message), result },
                    Fault::TimedOut { message, result } => Fault::TimedOut { message: told(message), result },
                    Fault::CannotTell { message } => Fault::CannotTell { message: told(message) },
                    Fault::Refused { message } => Fault::Refused { message: told(message) },
                    other => other,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use runbook_servers::Postgres;
    use serde_json::Value as Json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    fn of(server: &Postgres, more: Json) -> Args {
        let mut json = json!({ "port": server.port, "password": Postgres::PASSWORD });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args(json)
    }

    /// Dumps a database with two rows, and leaves three in it.
    fn dump(server: &Postgres, host: &TestHost, format: &str, name: &str) -> String {
        let db = server.database();
        server.value(&db, "CREATE TABLE t AS SELECT generate_series(1, 2) AS a");
        let mut pg_dump = server.command("pg_dump");
        assert!(pg_dump.args(["-d", &db, "-F", format, "-f"]).arg(host.file(name)).status().unwrap().success());
        server.value(&db, "INSERT INTO t VALUES (3)");
        db
    }

    #[tokio::test]
    async fn t69_a_restore_into_what_is_there_keeps_old_rows_and_ends_well() {
        let Some(server) = Postgres::shared() else { return };
        let host = TestHost::new();
        let db = dump(server, &host, "p", "a.sql");
        let mut psql = server.command("psql");
        let file = std::fs::File::open(host.file("a.sql")).unwrap();
        let naive = psql.args(["-X", "-q", "-d", &db]).stdin(file).output().unwrap();
        assert!(naive.status.success(), "errors, and exit code 0");
        assert!(String::from_utf8_lossy(&naive.stderr).contains("already exists"));
        assert_eq!(server.value(&db, "SELECT count(DISTINCT a) FROM t"), "3", "the old row stayed");
        // A missing dump ends well too, for what comes last in a pipe is what counts.
        let gone = format!("gunzip -c {}/gone.sql.gz | psql -X -q -d {db}", host.root().display());
        let mut shell = server.command("sh");
        assert!(shell.args(["-c", &gone]).output().unwrap().status.success());

        let into = format!("{db}_restored");
        for fault in [
            PostgresRestore::apply(&of(server, json!({ "from": "gone.sql.gz", "into": into })), &host.change())
                .await
                .unwrap_err(),
            PostgresRestore::apply(&of(server, json!({ "from": "a.sql", "into": db })), &host.change()).await.unwrap_err(),
        ] {
            assert!(fault.message().contains("no such file") || fault.message().contains("one that exists"), "{fault:?}");
        }
        let json = json!({ "from": "a.sql", "into": into, "owner": "app" });
        let forecast = PostgresRestore::plan(&of(server, json.clone()), &host.cx()).await.unwrap();
        assert!(forecast.would_change && forecast.because.contains("plain dump"), "{forecast:?}");
        let done = PostgresRestore::apply(&of(server, json.clone()), &host.change()).await.unwrap();
        assert_eq!((done.changed, done.out.tables), (true, 1));
        assert_eq!(server.value(&into, "SELECT count(*) FROM t"), "2");
        assert!(matches!(PostgresRestore::plan(&of(server, json), &host.cx()).await, Err(Fault::Refused { .. })));
    }

    #[tokio::test]
    async fn archives_and_packed_dumps_and_none_that_are_broken() {
        let Some(server) = Postgres::shared() else { return };
        let host = TestHost::new();
        let db = dump(server, &host, "c", "a.dump");
        let done = PostgresRestore::apply(&of(server, json!({ "from": "a.dump", "into": format!("{db}_c") })), &host.change())
            .await
            .unwrap();
        assert_eq!(done.out.tables, 1);
        let bytes = std::fs::read(host.file("a.dump")).unwrap();
        host.write("cut.dump", &bytes[..bytes.len() / 2]);
        dump(server, &host, "p", "a.sql");
        let text = std::fs::read(host.file("a.sql")).unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&text).unwrap();
        let packed = packed.finish().unwrap();
        host.write("a.sql.gz", &packed);
        host.write("cut.sql.gz", &packed[..packed.len() / 2]);
        host.write("cut.sql", &text[..text.len() / 2]);
        host.write("empty.sql", "");
        let json = json!({ "from": "a.sql.gz", "into": format!("{db}_z") });
        let done = PostgresRestore::apply(&of(server, json), &host.change()).await.unwrap();
        assert_eq!(done.out.tables, 1);
        for name in ["cut.dump", "cut.sql.gz", "cut.sql", "empty.sql", "."] {
            let into = format!("{db}_broken");
            let fault =
                PostgresRestore::apply(&of(server, json!({ "from": name, "into": into })), &host.change()).await.unwrap_err();
            assert!(matches!(&fault, Fault::Refused { .. }), "{name}: {fault:?}");
            assert_eq!(server.value("postgres", &format!("SELECT count(*) FROM pg_database WHERE datname = '{into}'")), "0");
        }
    }

    #[tokio::test]
    async fn an_error_in_the_middle_leaves_no_database() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        host.write("bad.sql", "CREATE TABLE t (a int);\nINSERT INTO gone VALUES (1);\n-- PostgreSQL database dump complete\n");
        let into = format!("{db}_bad");
        let fault =
            PostgresRestore::apply(&of(server, json!({ "from": "bad.sql", "into": into })), &host.change()).await.unwrap_err();
        assert!(
            matches!(&fault, Fault::Unmet { message, .. } if message.contains("removed again") && message.contains("gone")),
            "{fault:?}"
        );
        assert_eq!(server.value("postgres", &format!("SELECT count(*) FROM pg_database WHERE datname = '{into}'")), "0");
        let app = json!({ "from": "bad.sql", "into": into, "user": "app", "password": "app-password", "database": "postgres" });
        let fault = PostgresRestore::apply(&of(server, app), &host.change()).await.unwrap_err();
        assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("CREATEDB")), "{fault:?}");
        for bad in [json!("a=b"), json!("postgres"), json!("-x"), json!("postgres://h/x")] {
            assert!(PostgresRestore::check(&args(json!({ "from": "a", "into": bad }))).is_err());
        }
    }

    /// A database `shop` with an order that is not in the dump `shop.dump`, rights and settings of its own.
    fn shop(server: &Postgres, host: &TestHost) -> String {
        let db = dump(server, host, "c", "shop.dump");
        for sql in [
            format!("ALTER DATABASE {db} OWNER TO app"),
            format!("REVOKE CONNECT ON DATABASE {db} FROM PUBLIC"),
            "CREATE ROLE reader".to_owned(),
            format!("GRANT CONNECT ON DATABASE {db} TO reader WITH GRANT OPTION"),
            format!("ALTER DATABASE {db} SET search_path TO \"$user\", public, \"odd name\""),
            format!("ALTER DATABASE {db} SET default_transaction_read_only TO on"),
            format!("ALTER DATABASE {db} SET shop.motto TO 'it''s \\ ours'"),
            format!("ALTER ROLE app IN DATABASE {db} SET work_mem TO '7MB'"),
            format!("ALTER DATABASE {db} CONNECTION LIMIT 17"),
            format!("COMMENT ON DATABASE {db} IS 'the shop''s'"),
        ] {
            assert!(server.psql("postgres", &sql).status.success(), "{sql}");
        }
        db
    }

    /// What a database has besides its content.
    fn around(server: &Postgres, db: &str) -> String {
        server.value(
            "postgres",
            &format!(
                "SELECT pg_get_userbyid(datdba), (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a), datconnlimit, datallowconn, \
                 shobj_description(d.oid, 'pg_database'), encoding, datcollate, datctype, \
                 (SELECT array_agg(s.setrole || ':' || c ORDER BY s.setrole || ':' || c) FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = d.oid) \
                 FROM pg_database d WHERE datname = '{db}'"
            ),
        )
    }

    fn names(server: &Postgres, db: &str) -> String {
        server.value(
            "postgres",
            &format!("SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE '{db}%'"),
        )
    }

    #[tokio::test]
    async fn the_restored_one_takes_the_place_of_the_old_one_which_is_kept() {
        let Some(server) = Postgres::start() else { return };
        let host = TestHost::new();
        let db = shop(&server, &host);
        let was = around(&server, &db);
        assert!(was.contains("odd name") && was.contains("reader=c*/app"), "{was}");
        let json = json!({ "from": "shop.dump", "into": db, "replace": true, "database": "postgres",
            "verify": "SELECT count(*) = 2 FROM t" });
        let forecast = PostgresRestore::plan(&of(&server, json.clone()), &host.cx()).await.unwrap();
        let rename = format!("rename {db} to {db}_old and {db}_restoring to {db}");
        assert!(forecast.summary.ends_with(&rename) && forecast.from_to.len() == 2, "{forecast:?}");
        assert_eq!(names(&server, &db), db, "a plan makes nothing");
        let done = PostgresRestore::apply(&of(&server, json.clone()), &host.change()).await.unwrap();
        assert_eq!((done.out.tables, done.out.terminated, done.out.kept_as.clone()), (1, 0, Some(format!("{db}_old"))));
        assert_eq!(names(&server, &db), format!("{db} {db}_old"));
        assert_eq!(server.value(&db, "SELECT count(*) FROM t"), "2");
        assert_eq!(server.value(&format!("{db}_old"), "SELECT count(*) FROM t"), "3", "what was written since is kept there");
        assert_eq!(around(&server, &db), was);
        assert_eq!(around(&server, &format!("{db}_old")), was);
        assert_eq!(PostgresRestore::effect(&of(&server, json.clone())), Effect::Destroy);
        // A second time the name is taken; with another one it is done again.
        let fault = PostgresRestore::plan(&of(&server, json.clone()), &host.cx()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("`keep_as`")), "{fault:?}");
        let mut again = json;
        again["keep_as"] = json!(format!("{db}_before"));
        PostgresRestore::apply(&of(&server, again), &host.change()).await.unwrap();
        assert_eq!(names(&server, &db), format!("{db} {db}_before {db}_old"));
    }

    #[tokio::test]
    async fn whoever_is_connected_stops_the_replacing_or_is_ended() {
        let Some(server) = Postgres::start() else { return };
        let host = TestHost::new();
        let db = shop(&server, &host);
        let was = around(&server, &db);
        let json = json!({ "from": "shop.dump", "into": db, "replace": true, "database": "postgres" });
        let call = of(&server, json.clone());
        let there = for_change(&call.server().unwrap().with_database(&db), &host.cx()).await.unwrap();
        for fault in [
            PostgresRestore::plan(&call, &host.cx()).await.unwrap_err(),
            PostgresRestore::apply(&call, &host.change()).await.map(|_| ()).unwrap_err(),
        ] {
            let told = format!("1 session is connected to `{db}`: ");
            assert!(matches!(&fault, Fault::Refused { message } if message.starts_with(&told)), "{fault:?}");
        }
        // One that comes while the dump is read: nobody is ended, and the old one is as it was.
        let pg = for_change(&call.server().unwrap(), &host.cx()).await.unwrap();
        let (other, change) = (for_change(&call.server().unwrap(), &host.cx()).await.unwrap(), host.change());
        let old = Database::find(&pg, &db).await.unwrap().unwrap();
        let fault = old.give_way(&pg, "nothing", "kept", None).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { .. }), "{fault:?}");
        assert_eq!((around(&server, &db), there.value("SELECT 1", &[]).await.is_ok()), (was.clone(), true));
        // What is to take the place is not there: neither is renamed.
        let fault = old.give_way(&pg, "nothing", "kept", Some((&other, &change))).await.unwrap_err();
        assert!(fault.message().contains("nothing"), "{fault:?}");
        assert_eq!((around(&server, &db), names(&server, &db)), (was.clone(), db.clone()));

        let there = for_change(&call.server().unwrap().with_database(&db), &host.cx()).await.unwrap();
        let mut end = json;
        end["terminate"] = json!(true);
        let forecast = PostgresRestore::plan(&of(&server, end.clone()), &host.cx()).await.unwrap();
        assert!(forecast.summary.contains(&format!("end 1 session of {db}, ")), "{forecast:?}");
        assert!(there.value("SELECT 1", &[]).await.is_ok(), "a plan ends nobody");
        let done = PostgresRestore::apply(&of(&server, end), &host.change()).await.unwrap();
        assert_eq!(done.out.terminated, 1);
        assert!(there.value("SELECT 1", &[]).await.is_err());
        assert_eq!((around(&server, &db), server.value(&db, "SELECT count(*) FROM t")), (was, "2".to_owned()));
    }

    #[tokio::test]
    async fn what_may_not_take_the_place_is_removed_and_the_old_one_stays() {
        let Some(server) = Postgres::start() else { return };
        let host = TestHost::new();
        let db = shop(&server, &host);
        let was = around(&server, &db);
        host.write("empty.sql", "SELECT 1;\n-- PostgreSQL database dump complete\n");
        host.write("bad.sql", "CREATE TABLE t (a int);\nINSERT INTO gone VALUES (1);\n-- PostgreSQL database dump complete\n");
        for (from, verify, told) in [
            ("shop.dump", Some("SELECT count(*) > 2 FROM t"), "`verify` does not hold"),
            ("shop.dump", Some("SELECT count(*) FROM gone"), "gone"),
            ("shop.dump", Some("SELECT 1"), "it gave 1"),
            ("empty.sql", None, "the dump has no table"),
            ("bad.sql", None, "gone"),
        ] {
            let json = json!({ "from": from, "into": db, "replace": true, "database": "postgres", "verify": verify });
            let fault = PostgresRestore::apply(&of(&server, json), &host.change()).await.map(|_| ()).unwrap_err();
            assert!(fault.message().contains(told) && fault.message().contains("removed again"), "{from}: {fault:?}");
            assert_eq!((names(&server, &db), around(&server, &db)), (db.clone(), was.clone()), "{from}");
        }
        let json = json!({ "from": "shop.dump", "into": db, "replace": true, "database": "postgres" });
        server.value("postgres", &format!("CREATE DATABASE {db}_restoring"));
        let fault = PostgresRestore::plan(&of(&server, json.clone()), &host.cx()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Refused { message } if message.contains("cut off")), "{fault:?}");
        server.value("postgres", &format!("DROP DATABASE {db}_restoring"));
        server.value("postgres", "CREATE ROLE maker LOGIN CREATEDB PASSWORD 'app-password'");
        let mut other = json.clone();
        (other["user"], other["password"]) = (json!("maker"), json!("app-password"));
        let fault = PostgresRestore::plan(&of(&server, other), &host.cx()).await.unwrap_err();
        assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("may not rename")), "{fault:?}");
        // Without an old one it is an ordinary restore.
        let mut first = json;
        first["into"] = json!("brand_new");
        let done = PostgresRestore::apply(&of(&server, first), &host.change()).await.unwrap();
        assert_eq!((done.out.kept_as, names(&server, "brand_new")), (None, "brand_new".to_owned()));

        for bad in [
            json!({ "keep_as": "x" }),
            json!({ "terminate": true }),
            json!({ "replace": true, "keep_as": "shop" }),
            json!({ "replace": true, "keep_as": "shop_restoring" }),
            json!({ "replace": true, "keep_as": "postgres" }),
            json!({ "replace": true, "keep_as": "a=b" }),
            json!({ "replace": true, "into": "x".repeat(60) }),
            json!({ "replace": true, "database": "shop" }),
        ] {
            let mut call = json!({ "from": "a", "into": "shop", "database": "postgres" });
            bad.as_object().unwrap().iter().for_each(|(k, v)| call[k] = v.clone());
            assert!(matches!(PostgresRestore::check(&args(call)), Err(Fault::Invalid { .. })), "{bad}");
        }
    }
}
