//! What a server says about itself.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

/// `INFO` by section, names in lower case, values as numbers where they are.
pub(crate) fn parse(text: &str) -> Map<String, Json> {
    let mut out = Map::new();
    let mut section = "server".to_owned();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('#') {
            section = name.trim().to_lowercase();
            out.entry(section.clone()).or_insert_with(|| json!({}));
        } else if let Some((name, value)) = line.split_once(':')
            && let Some(fields) = out.entry(section.clone()).or_insert_with(|| json!({})).as_object_mut()
        {
            fields.insert(name.to_owned(), typed(value));
        }
    }
    out
}

fn typed(value: &str) -> Json {
    let plain = |v: &str| match (v.parse::<i64>(), v.parse::<f64>()) {
        (Ok(n), _) => json!(n),
        (_, Ok(x)) if x.is_finite() && v.starts_with(|c: char| c.is_ascii_digit() || c == '-') => json!(x),
        _ => json!(v),
    };
    let parts: Option<Map<String, Json>> =
        value.split(',').map(|p| p.split_once('=').map(|(k, v)| (k.to_owned(), plain(v)))).collect();
    match parts {
        Some(parts) => Json::Object(parts),
        None => plain(value),
    }
}

/// The keys of one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Database {
    /// The number of the database.
    pub(crate) database: u32,
    /// The keys in it.
    pub(crate) keys: u64,
    /// Those of them that expire.
    pub(crate) expires: u64,
}

/// The databases that hold keys.
pub(crate) fn databases(info: &Map<String, Json>) -> Vec<Database> {
    let keyspace = info.get("keyspace").and_then(Json::as_object);
    keyspace
        .into_iter()
        .flatten()
        .filter_map(|(name, fields)| {
            Some(Database {
                database: name.strip_prefix("db")?.parse().ok()?,
                keys: fields["keys"].as_u64()?,
                expires: fields["expires"].as_u64()?,
            })
        })
        .collect()
}

/// How databases are told: `database 0: 12 keys, database 3: 1 key`.
pub(crate) fn told(databases: &[Database]) -> String {
    let one = |d: &Database| format!("database {}: {}", d.database, crate::support::tree::many(d.keys, "key"));
    if databases.is_empty() {
        "no database holds a key".to_owned()
    } else {
        databases.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// A number of a section.
pub(crate) fn number(info: &Map<String, Json>, section: &str, field: &str) -> Option<i64> {
    info.get(section)?.get(field)?.as_i64()
}

/// A text of a section.
pub(crate) fn text(info: &Map<String, Json>, section: &str, field: &str) -> Option<String> {
    match info.get(section)?.get(field)? {
        Json::String(s) => Some(s.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_typed() {
        let info = parse(
            "# Memory\r\nused_memory:1048576\r\nmem_fragmentation_ratio:6.70\r\nmaxmemory_human:0B\r\n\r\n# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\ndb3:keys=1,expires=0,avg_ttl=0\r\n# Server\r\nredis_version:7.0.15\r\nnan:nan\r\n",
        );
        assert_eq!(info["memory"], json!({ "used_memory": 1_048_576, "mem_fragmentation_ratio": 6.7, "maxmemory_human": "0B" }));
        assert_eq!(text(&info, "server", "redis_version").as_deref(), Some("7.0.15"));
        let of = databases(&info);
        assert_eq!(of, [Database { database: 0, keys: 3, expires: 1 }, Database { database: 3, keys: 1, expires: 0 }]);
        assert_eq!(told(&of), "database 0: 3 keys, database 3: 1 key");
        assert_eq!((number(&info, "memory", "used_memory"), number(&info, "memory", "gone")), (Some(1 << 20), None));
        assert!(databases(&parse("garbage\nno section:1")).is_empty());
    }
}
