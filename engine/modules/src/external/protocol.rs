//! What is said between the engine and a module of the user's own: one request on its standard input, lines of JSON on its output.

use runbook_core::model::PathPart;
use runbook_core::module::{Cx, Fault, Forecast, validate};
use runbook_core::value::{from_json, parse_duration, parse_size, parse_time};
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// What a module is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Observe,
    Plan,
    Apply,
}

impl Op {
    pub(super) fn word(self) -> &'static str {
        match self {
            Op::Observe => "observe",
            Op::Plan => "plan",
            Op::Apply => "apply",
        }
    }
}

/// The request as it is written to standard input, one line.
pub(super) fn request(op: Op, args: &Json, cx: &Cx<'_>, limit: std::time::Duration) -> String {
    let context = json!({
        "path": cx.path,
        "root": cx.root.display().to_string(),
        "now": cx.now().to_string(),
        "timeout_seconds": limit.as_secs_f64(),
    });
    format!("{}\n", json!({ "op": op.word(), "args": args, "context": context }))
}

/// One line of what a module prints.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Line {
    Progress {
        progress: Json,
    },
    Result {
        result: serde_json::Map<String, Json>,
        #[serde(default)]
        changed: Option<bool>,
    },
    Error {
        error: Error,
    },
}

/// Why a module gives no result.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Error {
    #[serde(default)]
    kind: ErrorKind,
    message: String,
    #[serde(default)]
    argument: Option<String>,
    #[serde(default)]
    result: Json,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ErrorKind {
    Unmet,
    #[default]
    CannotTell,
    Refused,
    Invalid,
    TimedOut,
}

impl Error {
    fn into_fault(self) -> Fault {
        let message = self.message;
        match self.kind {
            ErrorKind::Unmet => Fault::Unmet { message, result: self.result },
            ErrorKind::TimedOut => Fault::TimedOut { message, result: self.result },
            ErrorKind::CannotTell => Fault::CannotTell { message },
            ErrorKind::Refused => Fault::Refused { message },
            ErrorKind::Invalid => Fault::Invalid { message, argument: self.argument },
        }
    }
}

/// The text of a line of progress, if it is one.
pub(super) fn progress(line: &[u8]) -> Option<String> {
    if !line.trim_ascii_start().starts_with(b"{\"progress\"") {
        return None;
    }
    match serde_json::from_slice(line) {
        Ok(Line::Progress { progress: Json::String(text) }) => Some(text),
        Ok(Line::Progress { progress }) => Some(progress.to_string()),
        _ => None,
    }
}

/// What a module came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) result: serde_json::Map<String, Json>,
    pub(super) changed: Option<bool>,
}

/// Reads what a module printed: any lines of progress, then one result or error. `Err(Err(_))` is a breach of the protocol in plain words.
pub(super) fn read(stdout: &[u8]) -> Result<Outcome, Result<Fault, String>> {
    let mut end = None;
    for line in stdout.split(|b| *b == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if end.is_some() {
            return Err(Err(format!("it printed more after its result: {}", shown(line))));
        }
        let json: Json = serde_json::from_slice(line).map_err(|_| {
            Err(format!("it printed a line that is not of the protocol: {} (messages belong on standard error)", shown(line)))
        })?;
        let expected = "a line holds `progress`, or `result`, or `error`";
        match serde_json::from_value::<Line>(json) {
            Ok(Line::Progress { .. }) => {}
            Ok(Line::Result { result, changed }) => end = Some(Ok(Outcome { result, changed })),
            Ok(Line::Error { error }) => end = Some(Err(Ok(error.into_fault()))),
            Err(_) => return Err(Err(format!("it printed a line that is not of the protocol: {} ({expected})", shown(line)))),
        }
    }
    end.unwrap_or_else(|| Err(Err("it ended without a result".to_owned())))
}

/// The beginning of a line as it can be shown.
pub(super) fn shown(line: &[u8]) -> String {
    const MOST: usize = 120;
    let text = String::from_utf8_lossy(&line[..line.len().min(4 * MOST)]);
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut short: String = clean.trim().chars().take(MOST).collect();
    if short.len() < clean.trim().len() {
        short.push('…');
    }
    format!("`{short}`")
}

/// A result as the schema describes it: absent fields are null, texts with a unit become values.
///
/// # Errors
/// What does not fit the description.
pub(super) fn fit(result: serde_json::Map<String, Json>, schema: &Json) -> Result<Json, String> {
    let value = from_json(Json::Object(result.clone()));
    let mut schema_here = schema.clone();
    if schema_here["additionalProperties"].is_null() {
        schema_here["additionalProperties"] = json!(false);
    }
    if let Some(error) = validate(&schema_here, &value).into_iter().next() {
        let at: Vec<String> = error.path.iter().map(part).collect();
        return Err(match (at.is_empty(), error.at_key) {
            (_, true) => format!("`{}` is not in its description", at.join(".")),
            (true, _) => error.message,
            (false, _) => format!("`{}`: {}", at.join("."), error.message),
        });
    }
    let mut out = typed(Json::Object(result), schema);
    if let (Some(map), Some(properties)) = (out.as_object_mut(), schema["properties"].as_object()) {
        for name in properties.keys() {
            map.entry(name.clone()).or_insert(Json::Null);
        }
    }
    Ok(out)
}

fn part(part: &PathPart) -> String {
    match part {
        PathPart::Key(name) => name.clone(),
        PathPart::Index(index) => index.to_string(),
    }
}

fn typed(json: Json, schema: &Json) -> Json {
    match json {
        Json::String(text) => match schema["format"].as_str() {
            Some("duration") if parse_duration(&text).is_some() => json!({ "$duration": text }),
            Some("size") if parse_size(&text).is_some() => json!({ "$size": text }),
            Some("date-time") if parse_time(&text).is_some() => json!({ "$time": text }),
            _ => Json::String(text),
        },
        Json::Array(items) => Json::Array(items.into_iter().map(|item| typed(item, &schema["items"])).collect()),
        Json::Object(map) => Json::Object(
            map.into_iter()
                .map(|(name, value)| {
                    let inner = &schema["properties"][&name];
                    let inner = if inner.is_null() { &schema["additionalProperties"] } else { inner };
                    let value = typed(value, inner);
                    (name, value)
                })
                .collect(),
        ),
        other => other,
    }
}

/// A plan as a module says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    would_change: bool,
    summary: String,
    #[serde(default)]
    because: String,
    #[serde(default)]
    from_to: Vec<(String, String, String)>,
    #[serde(default)]
    diff: Option<String>,
}

/// The forecast in a result of `plan`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn forecast(result: serde_json::Map<String, Json>) -> Result<Forecast, String> {
    let planned: Planned = serde_json::from_value(Json::Object(result)).map_err(|e| format!("its plan is not right: {e}"))?;
    Ok(Forecast {
        would_change: planned.would_change,
        summary: planned.summary,
        because: planned.because,
        argv: Vec::new(),
        from_to: planned.from_to,
        diff: planned.diff,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_then_one_result() {
        let outcome = read(b"{\"progress\": \"half\"}\r\n\n{\"result\": {\"n\": 1}, \"changed\": false}\n").unwrap();
        assert_eq!((outcome.result["n"].as_i64(), outcome.changed), (Some(1), Some(false)));
        assert_eq!(progress(b"{\"progress\": \"half\"}").as_deref(), Some("half"));
        assert_eq!(progress(b"{\"progress\": {\"done\": 3}}").as_deref(), Some("{\"done\":3}"));
        assert_eq!(progress(b"{\"result\": {}}"), None);
    }

    #[test]
    fn errors_are_typed() {
        let fault = |text: &str| read(text.as_bytes()).unwrap_err().unwrap();
        assert!(matches!(
            fault("{\"error\": {\"kind\": \"unmet\", \"message\": \"no\", \"result\": {\"n\": 1}}}"),
            Fault::Unmet { .. }
        ));
        assert!(matches!(fault("{\"error\": {\"message\": \"no\"}}"), Fault::CannotTell { .. }));
        let Fault::Invalid { argument, .. } =
            fault("{\"error\": {\"kind\": \"invalid\", \"message\": \"no\", \"argument\": \"url\"}}")
        else {
            panic!()
        };
        assert_eq!(argument.as_deref(), Some("url"));
    }

    #[test]
    fn breaches_are_told() {
        for (text, word) in [
            ("", "ended without a result"),
            ("{\"progress\": 1}\n", "ended without a result"),
            ("hello\n", "not of the protocol: `hello`"),
            ("{\"result\": {}}\n{\"result\": {}}\n", "more after its result"),
            ("{\"result\": []}\n", "not of the protocol"),
            ("{\"result\": {}, \"chnaged\": true}\n", "not of the protocol"),
            ("{\"error\": {\"kind\": \"sad\", \"message\": \"x\"}}\n", "not of the protocol"),
            ("[1]\n", "not of the protocol"),
            ("\u{1b}[31mred\n", "`[31mred`"),
        ] {
            let told = read(text.as_bytes()).unwrap_err().unwrap_err();
            assert!(told.contains(word), "{text:?}: {told}");
        }
    }

    #[test]
    fn results_are_held_to_their_description() {
        let schema = json!({ "type": "object", "required": ["n"], "properties": {
            "n": { "type": "integer" }, "took": { "type": "string", "format": "duration" },
            "parts": { "type": "array", "items": { "type": "object", "properties": { "size": { "type": "string", "format": "size" } } } } } });
        let of = |json: Json| fit(json.as_object().unwrap().clone(), &schema);
        let out = of(json!({ "n": 1, "took": "5s", "parts": [{ "size": "1MiB" }] })).unwrap();
        assert_eq!(out, json!({ "n": 1, "took": { "$duration": "5s" }, "parts": [{ "size": { "$size": "1MiB" } }] }));
        assert_eq!(of(json!({ "n": 1 })).unwrap(), json!({ "n": 1, "took": null, "parts": null }));
        for (bad, word) in [
            (json!({ "n": "1" }), "`n`: expected a whole number"),
            (json!({}), "`n` is missing"),
            (json!({ "n": 1, "m": 2 }), "`m` is not in its description"),
            (json!({ "n": 1, "took": "long" }), "`took`"),
        ] {
            let told = of(bad.clone()).unwrap_err();
            assert!(told.contains(word), "{bad}: {told}");
        }
    }
}
