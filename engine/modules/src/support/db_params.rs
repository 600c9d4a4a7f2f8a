//! What the modules of SQL databases have in common: values that are bound, statements, rows.

use std::borrow::Cow;

use runbook_core::module::Effect;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value as Json};

/// Values that are bound to the places of a statement: by their order, or by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Params {
    /// In order.
    List(Vec<Json>),
    /// By name, without the sign before it.
    Named(Map<String, Json>),
}

impl Default for Params {
    fn default() -> Self {
        Params::List(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match Json::deserialize(d)? {
            Json::Array(items) => Ok(Params::List(items)),
            Json::Object(map) => Ok(Params::Named(map)),
            _ => Err(de::Error::custom("expected a list of values, or a map of names to values")),
        }
    }
}

impl JsonSchema for Params {
    fn schema_name() -> Cow<'static, str> {
        "Params".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "array" }, { "type": "object" }] })
    }
}

/// A statement: its text alone, or with values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    /// The text.
    pub(crate) sql: String,
    /// The values bound to its places.
    pub(crate) params: Params,
}

impl<'de> Deserialize<'de> for Statement {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            sql: String,
            #[serde(default)]
            params: Params,
        }
        match Json::deserialize(d)? {
            Json::String(sql) => Ok(Statement { sql, params: Params::default() }),
            other => Full::deserialize(other).map(|Full { sql, params }| Statement { sql, params }).map_err(de::Error::custom),
        }
    }
}

impl JsonSchema for Statement {
    fn schema_name() -> Cow<'static, str> {
        "Statement".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let params = Params::json_schema(generator);
        json_schema!({
            "anyOf": [
                { "type": "string", "minLength": 1 },
                {
                    "type": "object",
                    "properties": {
                        "sql": { "type": "string", "minLength": 1, "description": "The statement." },
                        "params": { "anyOf": params.get("anyOf").cloned().unwrap_or_default(), "description": "The values bound to its places." },
                    },
                    "required": ["sql"],
                    "additionalProperties": false,
                },
            ]
        })
    }
}

/// Rows of a query.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rows {
    /// The names of the columns.
    pub(crate) columns: Vec<String>,
    /// The rows as maps.
    pub(crate) rows: Vec<Map<String, Json>>,
    /// Whether there were more than were kept.
    pub(crate) truncated: bool,
}

impl Rows {
    /// The first cell of the first row.
    pub(crate) fn value(&self) -> Json {
        self.rows.first().and_then(|r| r.values().next().cloned()).unwrap_or_default()
    }
}

/// The words that a statement begins with, in upper case, without comments: enough to know its kind.
pub(crate) fn words(sql: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = sql;
    while out.len() < 6 {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(' || c == ';');
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            if end == 0 {
                return out;
            }
            out.push(rest[..end].to_uppercase());
            rest = &rest[end..];
        }
    }
    out
}

/// What a statement changes, by its first words.
pub(crate) fn effect(sql: &str) -> Effect {
    let words = words(sql);
    match words.first().map(String::as_str) {
        Some("DELETE" | "DROP" | "TRUNCATE") => Effect::Destroy,
        Some("ALTER") if words.iter().any(|w| w == "DROP") || sql.to_uppercase().contains(" DROP ") => Effect::Destroy,
        // A part of it may delete.
        Some("WITH") if sql.to_uppercase().contains("DELETE") => Effect::Destroy,
        _ => Effect::Change,
    }
}

/// The strongest effect of several.
pub(crate) fn effect_of(statements: &[Statement]) -> Effect {
    statements.iter().map(|s| effect(&s.sql)).max().unwrap_or(Effect::Change)
}

/// A statement in one line, not too long.
pub(crate) fn one_line(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(100) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn statements_are_known_by_their_words() {
        assert_eq!(words("  -- why\n /* x */ (select 1)"), ["SELECT", "1"]);
        assert_eq!(words("ALTER SYSTEM SET work_mem = 1")[..2], ["ALTER", "SYSTEM"]);
        for (sql, expected) in [
            ("delete from t", Effect::Destroy),
            ("/* a */ DROP TABLE t", Effect::Destroy),
            ("ALTER TABLE t ADD c int, DROP COLUMN d", Effect::Destroy),
            ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", Effect::Destroy),
            ("UPDATE t SET a = 1", Effect::Change),
            ("", Effect::Change),
        ] {
            assert_eq!(effect(sql), expected, "{sql}");
        }
        assert_eq!(one_line(&format!("select\n  1 {}", "x".repeat(200))).len(), 103);
    }

    #[test]
    fn statements_and_params_decode() {
        let of = |json| Statement::deserialize(json);
        assert_eq!(of(json!("select 1")).unwrap().params, Params::List(vec![]));
        assert_eq!(of(json!({ "sql": "s", "params": [1] })).unwrap().params, Params::List(vec![json!(1)]));
        assert!(matches!(of(json!({ "sql": "s", "params": { "a": 1 } })).unwrap().params, Params::Named(_)));
        assert!(of(json!({ "sql": "s", "other": 1 })).is_err() && of(json!(5)).is_err());
        assert!(of(json!({ "sql": "s", "params": "x" })).is_err());
    }
}
