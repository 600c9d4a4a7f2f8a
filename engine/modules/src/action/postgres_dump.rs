//! `postgres.dump`: writes a database to a file.

use std::path::{Path, PathBuf};
use std::time::Instant;

use runbook_core::module::{
    Action, ByHand, Change, Cx, Done, Effect, Example, Fault, Forecast, HandArgs, Need, Touches, hand_word,
};
use runbook_core::value::{Duration, Size, format_size};
use rustix::fs::statvfs;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::atomic::sync_folder;
use crate::support::by_hand as hand;
use crate::support::net::rounded;
use crate::support::paths::{check_parent, fault, look, make_parents, parent, resolve, resource as file, tidy};
use crate::support::postgres::archive::{self, Archive};
use crate::support::postgres::client::{Pg, Trouble};
use crate::support::postgres::{by_hand, objects, postgres_args, tools};

pub(crate) struct PostgresDump;

postgres_args! {
    /// Writes a PostgreSQL database to a file with `pg_dump`, and looks whether the file is whole.
    ///
    /// The file gets its name only when the dump has ended well and was read back: a custom archive by its table of contents, a plain one by its last
    /// line. Nothing is replaced: if there is something at `to` the step is refused. Only the owner may read it.
    ///
    /// It needs the client programs of PostgreSQL, not older than the server. The password goes through their environment, where `ps` does not show it.
    pub(crate) struct Args {
        /// The file, such as `backups/shop-{{ now() | date('%Y%m%d-%H%M%S') }}.dump`.
        #[schemars(length(min = 1))]
        to: String,
        /// `custom` (default) for `postgres.restore` and `pg_restore`, or `plain` for `psql`.
        #[serde(default)]
        format: Format,
        /// Only these tables, such as `public.orders`. Default: all.
        #[serde(default)]
        tables: OneOrMany,
        /// Whether to leave out the rows. Default: false.
        #[serde(default)]
        schema_only: bool,
        /// Whether to make the folders that are missing. Default: false.
        #[serde(default)]
        parents: bool,
    }
}

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Format {
    #[default]
    Custom,
    Plain,
}

impl Format {
    fn word(self) -> &'static str {
        match self {
            Format::Custom => "custom",
            Format::Plain => "plain",
        }
    }
}

/// The file.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The file, as an absolute path.
    to: String,
    /// The database.
    database: String,
    /// `custom` or `plain`.
    format: &'static str,
    /// The size of the file.
    size: Size,
    /// The size of the database in the server.
    database_size: Size,
    /// Entries in the archive's table of contents; null for a plain one.
    entries: Option<u64>,
    /// How long it took.
    elapsed: Duration,
}

fn free(folder: &Path) -> Result<u64, Fault> {
    let stat = statvfs(folder).map_err(|e| fault(folder, &e.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

impl Args {
    fn place(&self, cx: &Cx<'_>) -> Result<PathBuf, Fault> {
        let to = resolve(cx, "to", &self.to)?;
        if look(&to)?.is_some() {
            return Err(Fault::refused(format!("{} exists, and nothing is replaced: choose another name", to.display())));
        }
        check_parent(&to, self.parents)?;
        Ok(to)
    }

    /// The database's size; the user can log in.
    async fn size(&self, cx: &Cx<'_>) -> Result<Size, Fault> {
        let server = self.server()?;
        let pg = Pg::connect(&server, cx, Some(server.connect_limit(cx))).await.map_err(Trouble::fault)?;
        for table in &self.tables.0 {
            if !table.contains(['*', '?']) {
                objects::relation(&pg, table).await?;
            }
        }
        objects::database_size(&pg).await
    }
}

impl Action for PostgresDump {
    const NAME: &'static str = "postgres.dump";
    const MAIN: Option<&'static str> = Some("to");
    const SAYS: &'static str = "{{ to }}, {{ size }}, read back";
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Before a migration",
            yaml: "postgres.dump:\n  database: shop\n  password: '{{ params.db_password }}'\n  to: \"backups/shop-{{ now() | date('%Y%m%d-%H%M%S') }}.dump\"\n  parents: true\n",
            runs: false,
        },
        Example {
            title: "Nobody listens: the step fails with `connection refused`",
            yaml: "postgres.dump: { port: {port}, to: '{tmp}/a.dump' }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let to = hand::path(args, "to");
        let plain = args.text("format").as_deref() == Some("plain");
        let mut dump = by_hand(args, "pg_dump", None);
        dump.push_str(if plain { " -F p" } else { " -F c" });
        if args.flag("schema_only", false) {
            dump.push_str(" --schema-only");
        }
        for table in args.list("tables") {
            dump.push_str(&format!(" -t {}", hand_word(&table)));
        }
        let check = if plain { format!("tail -n 5 {to}") } else { format!("pg_restore --list {to}") };
        ByHand::run(format!("test ! -e {to}"))
            .and_if(hand::make_parents(args, "to"))
            .and(format!("umask 077; {dump} -f {to} && {check}"))
            .expect(if plain {
                "the line `PostgreSQL database dump complete`"
            } else {
                "the archive's table of contents, and no error"
            })
    }

    fn effect(_: &Args) -> Effect {
        Effect::Change
    }

    fn touches(args: &Args) -> Touches {
        let mut touches = args.server().map(|s| s.reads()).unwrap_or_default();
        touches.changes.push(file(&args.to));
        touches.needing(Need::Write(tidy(&args.to))).needing(Need::Exec("pg_dump".to_owned()))
    }

    fn idempotent(_: &Args) -> bool {
        false
    }

    fn check(args: &Args) -> Result<(), Fault> {
        args.server().map(drop)
    }

    async fn plan(args: &Args, cx: &Cx<'_>) -> Result<Forecast, Fault> {
        let to = args.place(cx)?;
        let server = args.server()?;
        let size = args.size(cx).await?;
        let mut folder = parent(&to);
        while !folder.exists() {
            folder = parent(folder);
        }
        let because =
            format!("the database has {}, {} are free at {}", format_size(size.0), format_size(free(folder)?), folder.display());
        Ok(Forecast::would(format!("dump {} of {} to {}", server.database, server.shown(), to.display()), because))
    }

    async fn apply(args: &Args, cx: &Change<'_>) -> Result<Done<Out>, Fault> {
        let started = Instant::now();
        let to = args.place(cx)?;
        let mut server = args.server()?;
        server.settle(cx);
        let database_size = args.size(cx).await?;
        if args.parents {
            make_parents(&to)?;
        }
        let folder = parent(&to);
        // Only the owner may read what tempfile makes.
        let draft = tempfile::Builder::new()
            .prefix(".dump.")
            .suffix(".runbook-tmp")
            .tempfile_in(folder)
            .map_err(|e| fault(folder, &e))?;
        let mut argv = vec!["pg_dump".to_owned()];
        argv.extend(tools::words(&server));
        argv.extend(["-d", &server.database, "-F", args.format.word()].map(str::to_owned));
        argv.push(format!("--file={}", draft.path().display()));
        if args.schema_only {
            argv.push("--schema-only".to_owned());
        }
        argv.extend(args.tables.0.iter().map(|t| format!("--table={t}")));
        let output = cx.run(tools::exec(Some(&server), argv, server.change_limit(cx))).await;
        tools::judged("pg_dump", output)?;
        let archive = archive::check(draft.path(), cx).await?;
        let entries = match archive {
            Archive::Custom { entries } => Some(entries),
            Archive::Plain | Archive::Packed => None,
        };
        draft.as_file().sync_all().map_err(|e| fault(&to, &e))?;
        let size = Size(std::fs::metadata(draft.path()).map_err(|e| fault(&to, &e))?.len());
        draft.persist_noclobber(&to).map_err(|e| fault(&to, &e.error))?;
        sync_folder(folder);
        Ok(Done::changed(Out {
            to: to.display().to_string(),
            database: server.database,
            format: args.format.word(),
            size,
            database_size,
            entries,
            elapsed: rounded(started.elapsed()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use runbook_servers::Postgres;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::testing::{TestHost, args};

    fn of(server: &Postgres, db: &str, more: Json) -> Args {
        let mut json = json!({ "port": server.port, "password": Postgres::PASSWORD, "database": db });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args(json)
    }

    #[tokio::test]
    async fn a_dump_is_read_back_and_replaces_nothing() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        server.value(&db, "CREATE TABLE t AS SELECT generate_series(1, 100) AS a");
        let custom = of(server, &db, json!({ "to": "b/a.dump", "parents": true }));
        let forecast = PostgresDump::plan(&custom, &host.cx()).await.unwrap();
        assert!(forecast.would_change && !host.file("b").exists(), "{forecast:?}");
        let done = PostgresDump::apply(&custom, &host.change()).await.unwrap();
        assert!(done.changed && done.out.entries.unwrap() > 0 && done.out.size.0 > 0, "{:?}", done.out);
        assert_eq!(std::fs::metadata(host.file("b/a.dump")).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(PostgresDump::apply(&custom, &host.change()).await, Err(Fault::Refused { .. })));
        assert!(matches!(PostgresDump::plan(&custom, &host.cx()).await, Err(Fault::Refused { .. })));
        let plain = of(server, &db, json!({ "to": "a.sql", "format": "plain", "tables": "public.t" }));
        let done = PostgresDump::apply(&plain, &host.change()).await.unwrap();
        assert_eq!((done.out.format, done.out.entries), ("plain", None));
        assert!(std::fs::read_to_string(host.file("a.sql")).unwrap().contains("COPY public.t"));
    }

    #[tokio::test]
    async fn what_goes_wrong_leaves_nothing() {
        let Some(server) = Postgres::shared() else { return };
        let (host, db) = (TestHost::new(), server.database());
        for (more, word) in [
            (json!({ "to": "a.dump", "database": "no-such-database" }), "does not exist"),
            (json!({ "to": "a.dump", "password": "wrong" }), "password authentication failed"),
            (json!({ "to": "a.dump", "tables": ["gone"] }), "no table or index `gone`"),
            (json!({ "to": "no/a.dump" }), "parents: true"),
        ] {
            let fault = PostgresDump::apply(&of(server, &db, more), &host.change()).await.unwrap_err();
            assert!(fault.message().contains(word), "{fault:?}");
        }
        // A user that may log in, and read nothing.
        server.value(&db, "CREATE TABLE t (a int)");
        let app = of(server, &db, json!({ "to": "a.dump", "user": "app", "password": "app-password" }));
        let fault = PostgresDump::apply(&app, &host.change()).await.unwrap_err();
        assert!(matches!(&fault, Fault::Unmet { message, .. } if message.contains("permission denied")), "{fault:?}");
        assert_eq!(std::fs::read_dir(host.root()).unwrap().count(), 0);
    }
}
