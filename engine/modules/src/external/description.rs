//! What a module of the user's own says of itself with `--describe`.

use std::path::Path;

use runbook_core::expr::{Expr, Template};
use runbook_core::module::{Effect, Kind, Outside};
use runbook_core::value::Duration;
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// The version of the protocol that this program speaks.
pub(super) const PROTOCOL: u64 = 1;

/// The limit of one run unless the module or the step says otherwise.
const DEFAULT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// Keywords of JSON Schema that mean something here. Others would promise a check that is not made.
const KEYWORDS: &[&str] = &[
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "const",
    "anyOf",
    "oneOf",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "minItems",
    "description",
    "title",
    "default",
    "examples",
    "$schema",
    "$comment",
];

/// Formats of texts that mean something here.
const FORMATS: &[&str] = &["duration", "size", "date-time", "regex", "uri", "jsonpath", "hostname"];

/// The keys of `steps.<id>` that no result may have.
const RESERVED: &[&str] = &["outcome", "changed", "grade", "answer", "note", "attempts", "items", "started_at", "duration"];

/// A description as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "one")]
    protocol: u64,
    name: String,
    kind: Kind,
    description: String,
    #[serde(default)]
    effect: Option<Effect>,
    #[serde(default)]
    idempotent: Option<bool>,
    #[serde(default)]
    plan: bool,
    #[serde(default)]
    timeout: Option<Duration>,
    #[serde(default)]
    main: Option<String>,
    #[serde(default)]
    verdict: Option<String>,
    #[serde(default)]
    says: Option<String>,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    reads: Option<Vec<String>>,
    #[serde(default)]
    changes: Option<Vec<String>>,
    args: Json,
    result: Json,
    #[serde(default)]
    examples: Vec<WrittenExample>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenExample {
    title: String,
    yaml: String,
    #[serde(default)]
    runs: bool,
}

fn one() -> u64 {
    1
}

/// What decides how a module is run.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub(super) kind: Kind,
    pub(super) effect: Effect,
    pub(super) idempotent: bool,
    /// Whether it knows the operation `plan`.
    pub(super) plan: bool,
    pub(super) timeout: std::time::Duration,
    /// Templates of resources; none were given if `None`.
    pub(super) reads: Option<Vec<String>>,
    pub(super) changes: Option<Vec<String>>,
}

/// Reads a description; the error says what is wrong with it.
pub(super) fn read(text: &str, name: &str, source: &Path) -> Result<(Outside, Manner), String> {
    let json: Json = serde_json::from_str(text).map_err(|e| format!("its description is not JSON: {e}"))?;
    match json.get("protocol").unwrap_or(&Json::Null) {
        Json::Null => {}
        version if version.as_u64() == Some(PROTOCOL) => {}
        version => {
            return Err(format!(
                "it speaks version {version} of the protocol, and this program speaks version {PROTOCOL}: write `\"protocol\": {PROTOCOL}`, \
                 or use a newer `runbook`"
            ));
        }
    }
    let said: Written = serde_json::from_value(json).map_err(|e| format!("its description is not right: {e}"))?;
    debug_assert_eq!(said.protocol, PROTOCOL);
    if said.name != name {
        return Err(format!("its description calls it `{}`, its file `{name}`: give both the same name", said.name));
    }
    let (dotted, what) = (said.name.contains('.'), if said.kind == Kind::Probe { "a probe" } else { "an action" });
    if dotted != (said.kind == Kind::Action) {
        return Err(format!("it is {what}, but probes are called by a noun (`queue`) and actions noun.verb (`queue.drain`)"));
    }
    let effect = match (said.kind, said.effect) {
        (Kind::Probe, None | Some(Effect::Read)) => Effect::Read,
        (Kind::Probe, Some(_)) => return Err("a probe only looks: its effect is `read`".to_owned()),
        (Kind::Action, Some(Effect::Read)) => {
            return Err("an action changes something: its effect is `change` or `destroy`".to_owned());
        }
        (Kind::Action, effect) => effect.unwrap_or(Effect::Change),
    };
    if said.kind == Kind::Probe && (said.changes.is_some() || said.idempotent.is_some() || said.plan) {
        return Err("`changes`, `idempotent` and `plan` are words of actions; a probe only looks".to_owned());
    }
    if said.description.trim().is_empty() {
        return Err("its `description` is empty: say in one sentence what it does".to_owned());
    }
    let mut args = object(said.args, "args")?;
    // Without a word about it, arguments are closed, so that a slip of the pen is told.
    if args["additionalProperties"].is_null() {
        args["additionalProperties"] = json!(false);
    }
    args["description"] = json!(said.description);
    let result = object(said.result, "result")?;
    let field = |name: &str| !result["properties"][name].is_null();
    if let Some(reserved) = RESERVED.iter().find(|r| field(r)) {
        return Err(format!("`result` has the field `{reserved}`, a name that `steps.<id>` keeps for itself: call it otherwise"));
    }
    if let Some(main) = said.main.as_deref().filter(|m| args["properties"][m].is_null()) {
        return Err(format!("`main` is `{main}`, which is none of its arguments"));
    }
    if let Some(column) = said.columns.iter().find(|c| !field(c)) {
        return Err(format!("`columns` names `{column}`, which is no field of its result"));
    }
    let verdict = said.verdict.unwrap_or_else(|| "true".to_owned());
    Expr::parse_standalone(&verdict).map_err(|e| format!("`verdict` is no expression: {}", e.message))?;
    let templates = said.says.iter().chain(said.reads.iter().flatten()).chain(said.changes.iter().flatten());
    for text in templates {
        Template::parse_standalone(text).map_err(|e| format!("{text:?} is no template: {}", e.message))?;
    }
    if let Some(bad) = said.reads.iter().chain(&said.changes).flatten().find(|r| !r.contains(':')) {
        return Err(format!("{bad:?} is no resource: write its kind before it, such as `net:{bad}` or `file:{bad}`"));
    }
    let outside = Outside {
        name: said.name,
        kind: said.kind,
        main: said.main,
        verdict,
        says: said.says.unwrap_or_default(),
        columns: said.columns,
        examples: said.examples.into_iter().map(|e| (e.title, e.yaml, e.runs)).collect(),
        args_schema: args,
        result_schema: result,
        source: source.to_owned(),
    };
    let manner = Manner {
        kind: said.kind,
        effect,
        idempotent: said.idempotent.unwrap_or(said.kind == Kind::Probe),
        plan: said.plan,
        timeout: said.timeout.map_or(DEFAULT_TIMEOUT, Duration::to_std),
        reads: said.reads,
        changes: said.changes,
    };
    Ok((outside, manner))
}

/// A schema of a map.
fn object(schema: Json, which: &str) -> Result<Json, String> {
    if schema["type"] != "object" {
        return Err(format!("`{which}` is a JSON Schema of type `object`, with `properties`"));
    }
    known(&schema, which)?;
    Ok(schema)
}

/// Refuses what would promise a check that is not made.
fn known(schema: &Json, at: &str) -> Result<(), String> {
    let Some(map) = schema.as_object() else {
        return match schema {
            Json::Bool(_) => Ok(()),
            _ => Err(format!("`{at}` is no JSON Schema: expected a map")),
        };
    };
    for (key, value) in map {
        match key.as_str() {
            "properties" => {
                let properties = value.as_object().ok_or_else(|| format!("`{at}.properties` is a map of schemas"))?;
                for (name, inner) in properties {
                    known(inner, &format!("{at}.properties.{name}"))?;
                }
            }
            "items" | "additionalProperties" => known(value, &format!("{at}.{key}"))?,
            "anyOf" | "oneOf" => {
                for inner in value.as_array().ok_or_else(|| format!("`{at}.{key}` is a list of schemas"))? {
                    known(inner, &format!("{at}.{key}"))?;
                }
            }
            "format" if !value.as_str().is_some_and(|f| FORMATS.contains(&f)) => {
                return Err(format!("`{at}.format` is {value}; known are {}", FORMATS.join(", ")));
            }
            "pattern" if value.as_str().is_none_or(|p| regex::Regex::new(p).is_err()) => {
                return Err(format!("`{at}.pattern` is no regular expression"));
            }
            key if KEYWORDS.contains(&key) || key.starts_with("x-") => {}
            key => {
                return Err(format!(
                    "`{at}` uses `{key}`, which this program does not check; it knows {}",
                    KEYWORDS[..15].join(", ")
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimal() -> Json {
        json!({ "name": "queue", "kind": "probe", "description": "Looks at a queue.",
                "args": { "type": "object", "properties": { "url": { "type": "string" } } },
                "result": { "type": "object", "properties": { "length": { "type": "integer" } } } })
    }

    fn said(json: &Json) -> Result<(Outside, Manner), String> {
        read(&json.to_string(), "queue", Path::new("/modules/queue"))
    }

    #[test]
    fn little_is_enough() {
        let (outside, manner) = said(&minimal()).unwrap();
        assert_eq!(outside.args_schema["additionalProperties"], json!(false));
        assert_eq!((outside.verdict.as_str(), manner.effect, manner.idempotent), ("true", Effect::Read, true));
        assert_eq!(manner.timeout, DEFAULT_TIMEOUT);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let with = |key: &str, value: Json| {
            let mut json = minimal();
            json[key] = value;
            json
        };
        for (bad, word) in [
            (with("protocol", json!(2)), "version 2 of the protocol"),
            (with("protocol", json!("1")), "version \"1\""),
            (with("name", json!("other")), "calls it `other`"),
            (with("kind", json!("action")), "noun.verb"),
            (with("kind", json!("thing")), "unknown variant"),
            (with("effect", json!("change")), "only looks"),
            (with("plan", json!(true)), "words of actions"),
            (with("description", json!(" ")), "empty"),
            (with("main", json!("uri")), "none of its arguments"),
            (with("columns", json!(["size"])), "no field of its result"),
            (with("verdict", json!("length = 0")), "no expression"),
            (with("args", json!({ "type": "string" })), "of type `object`"),
            (with("args", json!({ "type": "object", "properties": { "a": { "$ref": "#/x" } } })), "`$ref`"),
            (with("args", json!({ "type": "object", "properties": { "a": { "format": "email" } } })), "email"),
            (with("result", json!({ "type": "object", "properties": { "changed": {} } })), "keeps for itself"),
            (with("says", json!("{{ length")), "no template"),
            (with("reads", json!(["{{ url }}"])), "no resource"),
            (with("colour", json!("red")), "unknown field `colour`"),
            (json!([]), "not right"),
        ] {
            let error = said(&bad).unwrap_err();
            assert!(error.contains(word), "{bad}: {error}");
        }
        assert!(read("hello", "queue", Path::new("/")).unwrap_err().contains("not JSON"));
        let mut without = minimal();
        without.as_object_mut().unwrap().remove("result");
        assert!(said(&without).unwrap_err().contains("missing field `result`"));
    }
}
