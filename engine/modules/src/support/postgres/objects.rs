//! Tables and indexes of a database, found by their names and quoted by the server itself.

use runbook_core::module::Fault;
use runbook_core::value::Size;
use serde_json::json;

use super::client::{Pg, Trouble};

/// A table or an index.
pub(crate) struct Relation {
    /// Its schema and name, quoted as SQL wants it.
    pub(crate) quoted: String,
    /// `r` for a table, `m` for a materialized view, `i` for an index, and so on.
    pub(crate) kind: String,
    /// Its size with all that belongs to it.
    pub(crate) size: Size,
}

const FIND: &str = "SELECT format('%I.%I', n.nspname, c.relname) AS quoted, c.relkind::text AS kind, \
    pg_total_relation_size(c.oid) AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";

/// The table or index of this name.
pub(crate) async fn relation(pg: &Pg, name: &str) -> Result<Relation, Fault> {
    let rows = pg.rows(FIND, &[json!(name)]).await.map_err(Trouble::fault)?;
    let row = rows.first().ok_or_else(|| Fault::unmet(format!("there is no table or index `{name}` in the database")))?;
    let text = |field: &str| row.get(field).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    let bytes = row.get("bytes").and_then(serde_json::Value::as_u64).unwrap_or_default();
    Ok(Relation { quoted: text("quoted"), kind: text("kind"), size: Size(bytes) })
}

/// A number that a query of our own gives.
pub(crate) async fn number(pg: &Pg, sql: &str) -> Result<u64, Fault> {
    Ok(pg.value(sql, &[]).await.map_err(Trouble::fault)?.as_u64().unwrap_or_default())
}

/// The size of the database that we are logged in to.
pub(crate) async fn database_size(pg: &Pg) -> Result<Size, Fault> {
    number(pg, "SELECT pg_database_size(current_database())").await.map(Size)
}
