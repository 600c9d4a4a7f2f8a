//! `postgres.restore`: reads a dump into a new database.

use std::path::{Path, PathBuf};
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
use crate::support::postgres::{Server, by_hand, ident, objects, postgres_args, tools};

pub(crate) struct PostgresRestore;

postgres_args! {
    /// Reads a dump of a PostgreSQL database into a new database.
    ///
    /// The dump is looked at first: a file that is missing, empty, cut off or broken is refused and nothing is begun. Then the database `into` is made,
    /// and the dump is read into it in one transaction that ends at the first error; if there is one the new database is removed again. A database
    /// that exists is never restored into: old rows would stay among the new ones.
    ///
    /// To put it in the place of the old one, rename both with `postgres.exec` while nobody is connected, and keep the old one until all is well.
    ///
    /// It takes what `postgres.dump` and `pg_dump` write: custom and tar archives by `pg_restore`, plain files, also packed by gzip, by `psql`.
    /// `database` is the one to log in to for making the new one.
    pub(crate) struct Args {
        /// The dump; relative paths start at the project root.
        #[schemars(length(min = 1))]
        from: String,
        /// The name of the database to make.
        #[schemars(length(min = 1, max = 63))]
        into: String,
        /// The role that owns the new database. Default: the user.
        #[serde(default)]
        owner: Option<String>,
        /// Whether owners and rights in the dump are left out, so that all belongs to the user. Default: false.
        #[serde(default)]
        no_owner: bool,
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
    /// How long it took.
    elapsed: Duration,
}

const TABLES: &str = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') \
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'";

impl Args {
    /// The dump, whole, and no database of that name.
    async fn look(&self, cx: &Cx<'_>, pg: &Pg) -> Result<(PathBuf, Archive), Fault> {
        let from = resolve(cx, "from", &self.from)?;
        let archive = archive::check(&from, cx).await?;
        let there =
            pg.value("SELECT 1 FROM pg_database WHERE datname = $1", &[json!(self.into)]).await.map_err(Trouble::fault)?;
        if !there.is_null() {
            return Err(Fault::refused(format!(
                "there is a database `{}`, and nothing is restored into one that exists: choose another name",
                self.into
            )));
        }
        let may = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user";
        if pg.value(may, &[]).await.map_err(Trouble::fault)? != json!(true) {
            return Err(Fault::cannot_tell("the user may not make databases: give a `user` with CREATEDB".to_owned()));
        }
        if let Some(owner) = &self.owner
            && pg.value("SELECT 1 FROM pg_roles WHERE rolname = $1", &[json!(owner)]).await.map_err(Trouble::fault)?.is_null()
        {
            return Err(Fault::refused(format!("there is no role `{owner}` to own the database")));
        }
        Ok((from, archive))
    }

    async fn fill(&self, cx: &Change<'_>, server: &Server, from: &Path, archive: &Archive) -> Result<(), Fault> {
        let unpacked;
        let (program, mut argv) = match archive {
            Archive::Custom { .. } => ("pg_restore", vec!["pg_restore".to_owned(), "--exit-on-error".to_owned()]),
            Archive::Plain | Archive::Packed => {
                ("psql", ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null"].map(str::to_owned).to_vec())
            }
        };
        argv.extend(["--single-transaction".to_owned(), "-d".to_owned(), self.into.clone()]);
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
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "postgres.restore: { from: '{tmp}/a.dump', into: a, port: {port} }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let from = hand::path(args, "from");
        let into = args.or("into", "<into>");
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
        if args.text("url").is_some() {
            return hand.note("A URL with `-d` names its own database: write the new database's name into it for the last line.");
        }
        hand
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let touches = args.server().map(|s| s.with_database(&args.into).changes()).unwrap_or_default();
        touches.and_reads(file(&args.from)).needing(Need::Exec("pg_restore".to_owned()))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        let server = args.server()?;
        if args.into.contains(['\0', '=', '/']) || args.into.starts_with('-') || args.into.starts_with("postgres:") {
            // The programs would read it as a connection of its own.
            return Err(Fault::invalid("into", format!("{:?} is not the name of a database", args.into)));
        }
        if args.into == server.database {
            return Err(Fault::invalid("into", "the new database cannot be the one to log in to"));
        }
        Ok(())
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        Self::check(args)?;
        let server = args.server()?;
        let pg = for_change(&server, cx).await?;
        let (from, archive) = args.look(cx, &pg).await?;
        let size = std::fs::metadata(&from).map(|m| m.len()).unwrap_or_default();
        let kind = match archive {
            Archive::Custom { entries } => format!("an archive with {entries} entries"),
            Archive::Plain => "a plain dump".to_owned(),
            Archive::Packed => "a packed plain dump".to_owned(),
        };
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
        let (from, archive) = args.look(cx, &pg).await?;
        let owner = args.owner.as_ref().map(|o| format!(" OWNER {}", ident(o))).unwrap_or_default();
        // From an empty template, since the dump brings all that it needs.
        let make = format!("CREATE DATABASE {}{owner} TEMPLATE template0", ident(&args.into));
        pg.run(&make).await.map_err(Trouble::fault)?;
        server.settle(cx);
        if let Err(wrong) = args.fill(cx, &server, &from, &archive).await {
            let gone = pg.run(&format!("DROP DATABASE IF EXISTS {}", ident(&args.into))).await.is_ok();
            let kept = if gone { "the new database was removed again" } else { "the new database could not be removed: drop it" };
            let told = |m: String| format!("{m}; {kept}");
            return Err(match wrong {
                Fault::Unmet { message, result } => Fault::Unmet { message: told(message), result },
                Fault::TimedOut { message, result } => Fault::TimedOut { message: told(message), result },
                Fault::CannotTell { message } => Fault::CannotTell { message: told(message) },
                other => other,
            });
        }
        let new = for_change(&server.with_database(&args.into), cx).await?;
        // Without statistics the first queries would be slow.
        new.run("ANALYZE").await.map_err(Trouble::fault)?;
        let tables = objects::number(&new, TABLES).await?;
        let size = objects::database_size(&new).await?;
        Ok(Done::changed(Out {
            from: from.display().to_string(),
            into: args.into.clone(),
            tables,
            size,
            elapsed: rounded(started.elapsed()),
        }))
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
}
