//! Putting one database into the place of another: what a database has besides its content, who is connected to it, and the renaming.

use std::collections::BTreeSet;
use std::time::Duration;

use runbook_core::module::{Change, Fault};
use serde_json::{Map, Value as Json, json};

use super::client::{Pg, Trouble};
use super::ident;

/// The sessions that a message names.
const NAMED: usize = 5;

/// What the server answers if somebody is connected to a database that is to be renamed.
const IN_USE: &str = "55006";

/// A text as a part of a statement, which cannot be bound.
pub(crate) fn literal(text: &str) -> String {
    let quoted = format!("'{}'", text.replace('\'', "''").replace('\\', "\\\\"));
    // Whatever the server takes a backslash for elsewhere, here it is an escape.
    if text.contains('\\') { format!("E{quoted}") } else { quoted }
}

/// A database as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    name: String,
    oid: u64,
    /// The role that owns it.
    pub(crate) owner: String,
    /// Whether the user may rename it.
    pub(crate) ours: bool,
    row: Map<String, Json>,
}

// Columns that came and went with versions are read from the row as a whole.
const FIND: &str = "SELECT d.oid::int8 AS oid, pg_get_userbyid(d.datdba)::text AS owner, pg_encoding_to_char(d.encoding)::text AS encoding, \
    to_jsonb(d)->>'datcollate' AS collation, to_jsonb(d)->>'datctype' AS ctype, to_jsonb(d)->>'datlocprovider' AS provider, \
    coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale') AS locale, d.datconnlimit AS most, d.datacl IS NOT NULL AS rights, \
    shobj_description(d.oid, 'pg_database') AS comment, pg_has_role(current_user, d.datdba, 'MEMBER') AS ours \
    FROM pg_database d WHERE d.datname = $1";

const SETTINGS: &str = "SELECT CASE s.setrole WHEN 0 THEN NULL ELSE pg_get_userbyid(s.setrole)::text END AS role, c AS setting \
    FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = $1 ORDER BY 1 NULLS FIRST, 2";

const RIGHTS: &str = "SELECT CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee)::text END AS role, a.privilege_type AS what, \
    a.is_grantable AS grants FROM pg_database d, aclexplode(d.datacl) a WHERE d.oid = $1 AND a.grantee <> d.datdba ORDER BY 1, 2";

const SESSIONS: &str = "SELECT pid, usename::text AS role, nullif(application_name, '') AS application, host(client_addr) AS client \
    FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() \
    AND coalesce(backend_type, 'client backend') NOT IN ('autovacuum worker', 'parallel worker') ORDER BY pid";

fn text(row: &Map<String, Json>, field: &str) -> Option<String> {
    row.get(field).and_then(Json::as_str).map(str::to_owned)
}

impl Database {
    /// Looks at a database; `None` if there is none of the name.
    pub(crate) async fn find(pg: &Pg, name: &str) -> Result<Option<Database>, Fault> {
        let rows = pg.rows(FIND, &[json!(name)]).await.map_err(Trouble::fault)?;
        Ok(rows.into_iter().next().map(|row| Database {
            name: name.to_owned(),
            oid: row.get("oid").and_then(Json::as_u64).unwrap_or_default(),
            owner: text(&row, "owner").unwrap_or_default(),
            ours: row.get("ours") == Some(&json!(true)),
            row,
        }))
    }

    /// The options that make another one of the same kind: its encoding and the rules of its language.
    pub(crate) fn options(&self) -> String {
        let mut out = String::new();
        let mut add = |word: &str, value: Option<String>| {
            if let Some(value) = value {
                out.push_str(&format!(" {word} {}", literal(&value)));
            }
        };
        add("ENCODING", text(&self.row, "encoding"));
        add("LC_COLLATE", text(&self.row, "collation"));
        add("LC_CTYPE", text(&self.row, "ctype"));
        match text(&self.row, "provider").as_deref() {
            Some("i") => {
                add("LOCALE_PROVIDER", Some("icu".to_owned()));
                add("ICU_LOCALE", text(&self.row, "locale"));
            }
            Some("b") => {
                add("LOCALE_PROVIDER", Some("builtin".to_owned()));
                add("BUILTIN_LOCALE", text(&self.row, "locale"));
            }
            _ => {}
        }
        out
    }

    /// Gives another database what this one has and no dump of its content brings: rights, settings, the limit of connections, the comment.
    ///
    /// # Errors
    /// If the user may not do so.
    pub(crate) async fn hand_over(&self, pg: &Pg, to: &str) -> Result<(), Fault> {
        let to = ident(to);
        let mut statements = Vec::new();
        if self.row.get("rights") == Some(&json!(true)) {
            statements.push(format!("REVOKE ALL ON DATABASE {to} FROM PUBLIC"));
            for row in pg.rows(RIGHTS, &[json!(self.oid)]).await.map_err(Trouble::fault)? {
                let role = text(&row, "role").map_or_else(|| "PUBLIC".to_owned(), |r| ident(&r));
                let what = text(&row, "what").unwrap_or_default();
                let grants = if row.get("grants") == Some(&json!(true)) { " WITH GRANT OPTION" } else { "" };
                statements.push(format!("GRANT {what} ON DATABASE {to} TO {role}{grants}"));
            }
        }
        for row in pg.rows(SETTINGS, &[json!(self.oid)]).await.map_err(Trouble::fault)? {
            let setting = text(&row, "setting").unwrap_or_default();
            let Some((name, value)) = setting.split_once('=') else { continue };
            let whose = match text(&row, "role") {
                Some(role) => format!("ROLE {} IN DATABASE {to}", ident(&role)),
                None => format!("DATABASE {to}"),
            };
            let parts: Vec<String> = name.split('.').map(ident).collect();
            // A list such as a search path is written in a way of its own, which the server knows. It holds for these two statements.
            let (quoted, value) = (literal(name), literal(value));
            statements
                .push(format!("SELECT set_config({quoted}, {value}, true); ALTER {whose} SET {} FROM CURRENT", parts.join(".")));
        }
        if let Some(most) = self.row.get("most").and_then(Json::as_i64).filter(|m| *m >= 0) {
            statements.push(format!("ALTER DATABASE {to} CONNECTION LIMIT {most}"));
        }
        if let Some(comment) = text(&self.row, "comment") {
            statements.push(format!("COMMENT ON DATABASE {to} IS {}", literal(&comment)));
        }
        for statement in statements {
            pg.run(&statement).await.map_err(Trouble::fault)?;
        }
        Ok(())
    }

    /// Who is connected to it, each in a few words.
    pub(crate) async fn sessions(&self, pg: &Pg) -> Result<Vec<(i64, String)>, Fault> {
        let rows = pg.rows(SESSIONS, &[json!(self.name)]).await.map_err(Trouble::fault)?;
        let one = |row: &Map<String, Json>| {
            let pid = row.get("pid").and_then(Json::as_i64).unwrap_or_default();
            let words = [text(row, "role"), text(row, "application"), text(row, "client")];
            let words: Vec<String> = words.into_iter().flatten().collect();
            (pid, format!("{pid} ({})", words.join(", ")))
        };
        Ok(rows.iter().map(one).collect())
    }

    /// Renames this one to `keep` and `new` to this one's name, both or neither, while nobody is connected. Gives how many sessions were ended, by
    /// way of another connection.
    ///
    /// # Errors
    /// [`Fault::Refused`] if somebody is connected and is not to be ended.
    pub(crate) async fn give_way(&self, pg: &Pg, new: &str, keep: &str, end: Option<(&Pg, &Change<'_>)>) -> Result<u64, Fault> {
        let (old, new, kept) = (ident(&self.name), ident(new), ident(keep));
        // One text is one transaction. The server holds everybody off who comes now, and waits five seconds for those who are there.
        let swap = format!("ALTER DATABASE {old} RENAME TO {kept}; ALTER DATABASE {new} RENAME TO {old}");
        let mut ended = BTreeSet::new();
        let done = match end {
            None => pg.run(&swap).await,
            // Those who are ended before would be back before the renaming begins.
            Some((other, cx)) => tokio::select! {
                done = pg.run(&swap) => done,
                wrong = self.end_sessions(other, cx, &mut ended) => return Err(wrong),
            },
        };
        match done {
            Ok(()) => Ok(ended.len() as u64),
            Err(trouble) if trouble.is(IN_USE) => match self.sessions(pg).await {
                Ok(here) if end.is_none() && !here.is_empty() => Err(connected(&self.name, &here)),
                Ok(here) if !here.is_empty() => {
                    Err(Fault::unmet(format!("these sessions of `{}` do not end: {}", self.name, named(&here))))
                }
                _ => Err(trouble.fault()),
            },
            Err(trouble) => Err(trouble.fault()),
        }
    }

    /// Ends whoever is connected, again and again; comes back only with what went wrong.
    async fn end_sessions(&self, pg: &Pg, cx: &Change<'_>, ended: &mut BTreeSet<i64>) -> Fault {
        loop {
            let found: Vec<i64> = match self.sessions(pg).await {
                Ok(here) => here.into_iter().map(|(pid, _)| pid).collect(),
                Err(wrong) => return wrong,
            };
            let end = "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid";
            if !found.is_empty()
                && let Err(trouble) = pg.rows(end, &[json!(found)]).await
            {
                return trouble.fault();
            }
            ended.extend(found);
            cx.sleep(Duration::from_millis(50)).await;
        }
    }
}

fn named(sessions: &[(i64, String)]) -> String {
    let shown: Vec<&str> = sessions.iter().take(NAMED).map(|(_, s)| s.as_str()).collect();
    let more = sessions.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// That somebody is connected who is not to be ended.
pub(crate) fn connected(database: &str, sessions: &[(i64, String)]) -> Fault {
    let (n, verb) = (sessions.len(), if sessions.len() == 1 { "session is" } else { "sessions are" });
    Fault::refused(format!(
        "{n} {verb} connected to `{database}`: {}; stop what uses it first, or set `terminate: true` to end them",
        named(sessions)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }

    #[test]
    fn a_message_names_a_few() {
        let all: Vec<(i64, String)> = (1..=7).map(|i| (i, format!("{i} (app)"))).collect();
        let text = connected("shop", &all).message().to_owned();
        assert!(
            text.starts_with("7 sessions are connected to `shop`: 1 (app), ") && text.contains("5 (app) and 2 more;"),
            "{text}"
        );
        assert!(connected("shop", &all[..1]).message().starts_with("1 session is"));
    }
}
