//! Tests over the whole table: what every module must have, whoever wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use runbook_core::expr::{Expr, ExprKind, MapScope};
use runbook_core::module::{Entry, Example, Fault, HandArgs, Kind, validate};
use runbook_core::value::{Value, from_json};
use serde_json::Value as Json;

use crate::support::testing::{TestHost, free_port};
use crate::{builtins, entries};

/// Names that `steps.<id>` keeps for itself (docs: language, section 3). `error` is meant: the module's word for why it says no.
const RESERVED: &[&str] = &["outcome", "changed", "grade", "answer", "note", "attempts", "items", "started_at", "duration"];

/// Keys of a step that are not its body.
const COMMON: &[&str] = &[
    "id",
    "name",
    "tags",
    "links",
    "when",
    "for_each",
    "as",
    "order",
    "max_parallel",
    "needs",
    "every",
    "expect",
    "severity",
    "grade",
    "override",
    "retry",
    "timeout",
    "expected_duration",
    "continue_on_error",
    "undo",
    "verify",
    "confirm",
    "effect",
    "touches",
    "idempotent",
    "save",
    "sensitive",
    "on",
];

/// Names that are in scope in `expect` besides the result's fields.
const IN_SCOPE: &[&str] =
    &["params", "services", "thresholds", "contacts", "escalation", "steps", "item", "run", "findings", "host", "env", "result"];

fn each(mut check: impl FnMut(&Entry) -> Vec<String>) {
    let problems: Vec<String> =
        entries().iter().flat_map(|e| check(e).into_iter().map(|p| format!("{}: {p}", e.name)).collect::<Vec<_>>()).collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn names_are_well_formed_sorted_and_unique() {
    let names: Vec<String> = entries().iter().map(|e| e.name.to_string()).collect();
    let mut sorted = names.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(names, sorted, "the table is written in the order of names, each once");
    let word = regex::Regex::new(r"^[a-z]+(_[a-z]+)*$").unwrap();
    each(|e| {
        let parts: Vec<&str> = e.name.split('.').collect();
        let well = parts.len() <= 2 && parts.iter().all(|p| word.is_match(p));
        // Actions are called noun.verb; running a program is the one that everybody calls by its noun, and redacting has none.
        let kind = (e.kind == Kind::Action) == (parts.len() == 2) || matches!(&*e.name, "command" | "redact" | "shell");
        [(!well).then(|| "not a well-formed name".to_owned()), (!kind).then(|| "probes are nouns, actions noun.verb".to_owned())]
            .into_iter()
            .flatten()
            .collect()
    });
    for name in &names {
        assert_eq!(&*builtins().get(name).unwrap().name, name);
        assert!(!COMMON.contains(&name.as_str()), "{name} is a key of every step");
    }
}

#[test]
fn every_module_is_documented() {
    each(|e| {
        let mut lines = e.doc().lines();
        let first = lines.next().unwrap_or_default();
        let mut problems = Vec::new();
        if first.len() < 10 || first.len() > 100 || !first.ends_with('.') {
            problems.push(format!("the first line of the documentation is a sentence of its own: {first:?}"));
        }
        if lines.next().is_some_and(|second| !second.is_empty()) {
            problems.push("an empty line comes after the first".to_owned());
        }
        if e.examples.is_empty() {
            problems.push("there is no example".to_owned());
        }
        problems
    });
}

#[test]
fn schemas_are_closed_and_every_field_is_described() {
    each(|e| {
        let mut problems = Vec::new();
        if e.args_schema["additionalProperties"] != Json::Bool(false) {
            problems.push("the arguments take unknown names: `#[serde(deny_unknown_fields)]` is missing".to_owned());
        }
        described(&e.args_schema, "args", true, &mut problems);
        described(&e.result_schema, "result", false, &mut problems);
        if let Some(main) = &e.main
            && e.args_schema["properties"][&**main].is_null()
        {
            problems.push(format!("the main argument `{main}` is no argument"));
        }
        for field in e.result_fields() {
            if RESERVED.contains(&field) {
                problems.push(format!("the result's field `{field}` is a name that `steps.<id>` keeps for itself"));
            }
        }
        problems
    });
}

/// Every field below a schema has a description, and every struct in arguments is closed.
fn described(schema: &Json, at: &str, closed: bool, problems: &mut Vec<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        if closed && schema["additionalProperties"] != Json::Bool(false) {
            problems.push(format!("{at} takes unknown names"));
        }
        for (name, inner) in properties {
            let text = inner["description"].as_str().unwrap_or_default();
            if text.len() < 8 || !text.trim_end().ends_with(['.', '`', ')']) {
                problems.push(format!("{at}.{name} has no sentence that describes it: {text:?}"));
            }
            described(inner, &format!("{at}.{name}"), closed, problems);
        }
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            described(&schema[key], at, closed, problems);
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        schema[key].as_array().into_iter().flatten().for_each(|s| described(s, at, closed, problems));
    }
}

/// The names that an expression refers to.
fn names(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    expr.root.walk(&mut |node| {
        if let ExprKind::Var(name) = &node.kind {
            names.insert(name.clone());
        }
    });
    names
}

fn foreign(e: &Entry, text: &str, also: &[&str]) -> Vec<String> {
    match Expr::parse_standalone(text) {
        Err(error) => vec![format!("{text:?} is no expression: {error:?}")],
        Ok(expr) => {
            let fields = e.result_fields();
            let bad = names(&expr).into_iter().filter(|n| !fields.contains(&n.as_str()) && !also.contains(&n.as_str()));
            bad.map(|n| format!("{text:?} refers to `{n}`, which is no field of the result")).collect()
        }
    }
}

/// The expressions inside a template.
fn holes(template: &str) -> Vec<&str> {
    template.split("{{").skip(1).filter_map(|part| part.split("}}").next()).map(str::trim).collect()
}

#[test]
fn verdicts_and_sayings_speak_of_the_result() {
    each(|e| {
        let mut problems = foreign(e, &e.verdict, &[]);
        problems.extend(holes(&e.says).into_iter().flat_map(|h| foreign(e, h, &[])));
        let fields = e.result_fields();
        problems.extend(
            e.columns.iter().filter(|c| !fields.contains(&&***c)).map(|c| format!("the column `{c}` is no field of the result")),
        );
        problems
    });
}

/// A step of an example, with `{tmp}` and `{port}` filled in.
struct Step {
    args: Json,
    expect: Vec<String>,
}

fn step(e: &Entry, example: &Example, tmp: &str, port: u16) -> Result<Step, String> {
    let yaml = example.yaml.replace("{tmp}", tmp).replace("{port}", &port.to_string());
    let options = serde_yaml::options! { strict_booleans: true, leading_zero_numbers_as_strings: true };
    let json: Json = serde_yaml::from_str_with_options(&yaml, options).map_err(|error| format!("not YAML: {error}"))?;
    let map = json.as_object().ok_or("not a step")?;
    if let Some(key) = map.keys().find(|k| *k != &*e.name && !COMMON.contains(&k.as_str())) {
        return Err(format!("`{key}` is no key of a step"));
    }
    let args = match (map.get(&*e.name).ok_or("the step does not use the module")?, &e.main) {
        (Json::Object(args), _) => Json::Object(args.clone()),
        (Json::Null, _) => Json::Object(serde_json::Map::new()),
        (other, Some(main)) => Json::Object([(main.to_string(), other.clone())].into_iter().collect()),
        (_, None) => return Err("a scalar, but there is no main argument".to_owned()),
    };
    let expect = match map.get("expect") {
        None => Vec::new(),
        Some(Json::String(one)) => vec![one.clone()],
        Some(Json::Array(many)) => many.iter().filter_map(|m| m.as_str().map(str::to_owned)).collect(),
        Some(other) => return Err(format!("`expect` is {other}")),
    };
    let grade = map.get("grade").and_then(|g| g["value"].as_str()).map(str::to_owned);
    if let Some(value) = grade {
        Expr::parse_standalone(&value).map_err(|e| format!("{value:?}: {e:?}"))?;
    }
    Ok(Step { args, expect })
}

/// Arguments as the checker sees them: a text with a template in it may be anything.
fn with_unknowns(json: Json) -> Value {
    match json {
        Json::String(s) if s.contains("{{") => Value::unknown("a template"),
        Json::Array(items) => Value::list(items.into_iter().map(with_unknowns)),
        Json::Object(map) => Value::map(map.into_iter().map(|(k, v)| (k, with_unknowns(v)))),
        other => from_json(other),
    }
}

#[test]
fn examples_are_right() {
    each(|e| {
        let check = |example: &Example| -> Vec<String> {
            let step = match step(e, example, "/tmp/example", 1) {
                Ok(step) => step,
                Err(problem) => return vec![problem],
            };
            let value = with_unknowns(step.args.clone());
            let mut problems: Vec<String> =
                validate(&e.args_schema, &value).into_iter().map(|p| format!("{} at {:?}", p.message, p.path)).collect();
            if !example.yaml.contains("{{")
                && let Err(fault) = e.about(&step.args)
            {
                problems.push(format!("does not decode: {fault:?}"));
            }
            problems.extend(step.expect.iter().flat_map(|x| foreign(e, x, IN_SCOPE)));
            problems
        };
        e.examples.iter().flat_map(|x| check(x).into_iter().map(|p| format!("{}: {p}", x.title)).collect::<Vec<_>>()).collect()
    });
}

/// Whether a shell can read a text as a script.
fn is_shell(text: &str) -> bool {
    let mut sh = std::process::Command::new("sh");
    sh.args(["-n", "-c", text]).stderr(std::process::Stdio::null());
    sh.status().unwrap().success()
}

#[test]
fn a_person_can_do_without_every_module() {
    each(|e| {
        let of = |example: &Example| -> Vec<String> {
            let Ok(step) = step(e, example, "/tmp/example", 1) else { return vec!["not a step".to_owned()] };
            let args = shown(step.args);
            let hand = e.by_hand(&HandArgs::new(&args));
            let script = hand.lines.join("\n");
            let mut problems = Vec::new();
            if hand.is_empty() {
                problems.push("it has no `by_hand`".to_owned());
            }
            if e.kind == Kind::Probe && hand.expect.is_empty() {
                problems.push("it does not say what a good answer looks like".to_owned());
            }
            if !is_shell(&script) {
                problems.push(format!("no shell reads this:\n{script}"));
            }
            if hand.notes.iter().any(|n| !n.ends_with(['.', ')'])) {
                problems.push(format!("a note is no sentence: {:?}", hand.notes));
            }
            problems
        };
        e.examples.iter().flat_map(|x| of(x).into_iter().map(|p| format!("{}: {p}", x.title)).collect::<Vec<_>>()).collect()
    });
}

/// Arguments as a person sees them: `<words>` for what is not known.
fn shown(json: Json) -> Value {
    match json {
        Json::String(s) if s.contains("{{") => Value::str("<what is not known>"),
        Json::Array(items) => Value::list(items.into_iter().map(shown)),
        Json::Object(map) => Value::map(map.into_iter().map(|(k, v)| (k, shown(v)))),
        other => from_json(other),
    }
}

#[test]
fn no_argument_of_an_instruction_is_read_as_shell() {
    let hostile = ["'; touch /tmp/x; '", "$(id)", "`id`", "a\nb", "\\", "-rf", "<a>", "\"", "*", "~root", "a=b", "&&", ""];
    each(|e| {
        let names: Vec<String> =
            e.args_schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let mut problems = Vec::new();
        for text in hostile {
            for one in [Value::str(text), Value::list([Value::str(text)]), Value::map([(text, Value::str(text))]), Value::Null] {
                // A script is meant to be read as one.
                let args = names.iter().filter(|n| *n != "script").map(|n| (n.clone(), one.clone()));
                let args = Value::map(args.chain([("script".to_owned(), Value::str("true"))]));
                let script = e.by_hand(&HandArgs::new(&args)).lines.join("\n");
                if !is_shell(&script) {
                    problems.push(format!("{one:?}: no shell reads this:\n{script}"));
                }
            }
        }
        problems
    });
}

#[test]
fn nonsense_does_not_decode() {
    each(|e| {
        let mut problems = Vec::new();
        let nonsense = serde_json::json!({ "no_such_argument": 1 });
        if e.about(&nonsense).is_ok() {
            problems.push("an unknown argument decodes".to_owned());
        }
        if validate(&e.args_schema, &from_json(nonsense)).is_empty() {
            problems.push("an unknown argument fits the schema".to_owned());
        }
        problems
    });
}

/// Everything below a folder with size and time, to see whether anything happened there.
fn snapshot(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(at) = waiting.pop() {
        for entry in std::fs::read_dir(&at).unwrap().flatten() {
            let meta = entry.metadata().unwrap();
            all.insert(
                entry.path().display().to_string(),
                format!("{:?} {} {:?}", meta.permissions(), meta.len(), meta.modified()),
            );
            if meta.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    all
}

fn holds(expr: &str, result: &Value) -> Result<bool, String> {
    let map = result.as_map().cloned().unwrap_or_default();
    let scope = MapScope { map: Arc::new(map), now: jiff::Timestamp::now() };
    let value = Expr::parse_standalone(expr).map_err(|e| format!("{e:?}"))?.eval(&scope).map_err(|e| e.message)?;
    Ok(value.truth() == Some(true))
}

async fn run(e: &Entry, example: &Example) -> Result<(), String> {
    let host = TestHost::new();
    let tmp = host.file("tmp");
    std::fs::create_dir(&tmp).unwrap();
    let step = step(e, example, tmp.to_str().unwrap(), free_port())?;
    let told = |fault: Fault| format!("{fault:?}");
    let result = if e.kind == Kind::Probe {
        e.observe(step.args.clone(), &host.cx()).await
    } else {
        let before = snapshot(host.root());
        let forecast = match e.plan(step.args.clone(), &host.cx()).await {
            Ok(forecast) => Some(forecast),
            Err(Fault::Unmet { .. }) => None,
            Err(fault) => return Err(format!("its plan: {fault:?}")),
        };
        if snapshot(host.root()) != before {
            return Err("its plan changed something".to_owned());
        }
        let result = e.apply(step.args.clone(), &host.change()).await;
        if let (Some(forecast), Ok(reply)) = (&forecast, &result)
            && forecast.would_change != reply.changed
            && !e.declared_effect
        {
            return Err(format!("its plan said would_change={}, it did changed={}", forecast.would_change, reply.changed));
        }
        if let Ok(reply) = &result
            && reply.changed
            && !e.declared_effect
            && e.about(&step.args).map_err(told)?.idempotent
        {
            let again = e.apply(step.args.clone(), &host.change()).await.map_err(told)?;
            if again.changed {
                return Err("it is idempotent and yet changed something the second time".to_owned());
            }
        }
        result
    };
    match result {
        Ok(reply) => {
            let declared: BTreeSet<&str> = e.result_fields().into_iter().collect();
            let given: BTreeSet<&str> = reply.result.as_map().into_iter().flatten().map(|(k, _)| k.as_str()).collect();
            if declared != given {
                return Err(format!("the result has {given:?}, but {declared:?} are declared"));
            }
            let default = [e.verdict.to_string()];
            for line in if step.expect.is_empty() { &default[..] } else { &step.expect } {
                if !holds(line, &reply.result)? {
                    return Err(format!("`{line}` does not hold: {}", reply.result));
                }
            }
            Ok(())
        }
        // An example may show what a failure looks like.
        Err(Fault::Unmet { .. }) if example.title.contains("fails") => Ok(()),
        Err(fault) => Err(told(fault)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_run() {
    let mut problems = Vec::new();
    let mut ran = 0;
    for e in entries() {
        for example in e.examples.iter().filter(|x| x.runs) {
            ran += 1;
            if let Err(problem) = run(&e, example).await {
                problems.push(format!("{}: {}: {problem}", e.name, example.title));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(ran > 10, "only {ran} examples ran");
}
