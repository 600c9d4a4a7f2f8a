use std::sync::Arc;

use super::*;
use crate::span::TextMap;
use crate::value::{Map, parse_duration};

fn scope() -> MapScope {
    let map: Map = [
        ("status", Value::Int(503)),
        ("name", Value::str("gateway")),
        ("age", Value::Duration(parse_duration("8d").expect("duration"))),
        ("findings", Value::list([])),
        ("json", Value::Null),
        ("steps", Value::map([("start-db", Value::map([("ok", Value::Bool(true))]))])),
        ("pw", Value::str("hunter2").into_secret("db_password")),
        ("later", Value::unknown("`start-db` did not run")),
        ("items", Value::list([Value::Int(3), Value::Int(1), Value::Int(2)])),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_owned(), v))
    .collect();
    MapScope { map: Arc::new(map), now: "2026-02-15T14:23:45Z".parse().expect("time") }
}

fn eval(text: &str) -> Result<Value, String> {
    Expr::parse_standalone(text).map_err(|e| e.message)?.eval(&scope()).map_err(|e| e.message)
}

fn show(text: &str) -> String {
    match eval(text) {
        Ok(v) => v.to_string(),
        Err(e) => format!("error: {e}"),
    }
}

#[test]
fn values_of_expressions() {
    for (text, expected) in [
        ("status == 200", "false"),
        ("status >= 500 and name == 'gateway'", "true"),
        ("age > 7d", "true"),
        ("1h30m + 30m", "2h"),
        ("now() - (now() - 5m) <= 5m", "true"),
        ("not findings", "true"),
        ("steps.start-db.ok", "true"),
        ("items | sort | join(',')", "1,2,3"),
        ("items[-1] + items | length", "5"),
        ("'a' ~ 1 ~ true", "a1true"),
        ("'1.10' | version > ('1.9' | version)", "true"),
        ("[1, 2, 3, 4] | percentile(50)", "2.5"),
        ("missing | default('x')", "x"),
        ("json | default(3)", "3"),
        ("missing is defined", "false"),
        ("1 < 2 < 3", "true"),
        ("'x' if status == 503 else 'y'", "x"),
        ("{'a': [1, 2]} | jsonpath('$.a[*]') | sum", "3"),
        ("'id=42' | regex_search('id=(\\\\d+)') | int", "42"),
        ("100MB > 99MB", "true"),
        ("[7 // 2, 7 % 2, 2 ** 10]", "[3,1,1024]"),
        ("'hi there' | b64encode | b64decode", "hi there"),
        ("null == none", "true"),
        ("['v10', 'v9'] | natural_sort | first", "v9"),
        ("now() | date('%Y%m%d')", "20260215"),
    ] {
        assert_eq!(show(text), expected, "{text}");
    }
}

#[test]
fn mistakes_are_told() {
    for (text, expected) in [
        (
            "{'a': [1]} | jsonpath('$.a[?@[?@>1]]')",
            "\"$.a[?@[?@>1]]\" is not a JSONPath such as `$.services[0].port`: a filter inside a filter is not supported",
        ),
        ("status == '503'", "a number cannot be compared with a string"),
        ("json > 5", "null cannot be compared with a number; null has no order"),
        ("statsu == 1", "`statsu` is not defined; did you mean `status`?"),
        ("steps.start-db.okk", "`steps.start-db` has no `okk`; it has ok"),
        ("json.ok", "`json` is null, so it has no `ok`"),
        ("items[9]", "the list has 3 items, so there is no item 9"),
        ("name + 1", "`+` does not work on a string and a number"),
        ("9223372036854775807 + 1", "the result is out of range"),
        ("1 / 0", "division by zero"),
        ("'x' * 100", "`*` does not work on a string and a number"),
        ("items in 5", "`in` does not look for a list in a number"),
        ("range(1000000)", "`range` gives at most 100,000 numbers, not 1000000"),
    ] {
        assert_eq!(eval(text), Err(expected.to_owned()).map(|()| Value::Null).map_err(|e: String| e), "{text}");
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.to_record() == other.to_record()
    }
}

#[test]
fn syntax_errors_have_a_place_and_help() {
    let error = Expr::parse_standalone("status = 200").expect_err("assignment");
    assert_eq!(error.help.as_deref(), Some("`=` is not a comparison: write `==`"));
    let error = Expr::parse_standalone("a > 5minuts").expect_err("unit");
    assert_eq!((error.range.start, error.range.end), (4, 11));
    assert!(Expr::parse_standalone(&"-".repeat(6000)).is_err());
    assert!(Expr::parse_standalone(&"(".repeat(6000)).is_err());
    assert!(Expr::parse_standalone(&"not ".repeat(2000)).is_err());
    assert!(Expr::parse_standalone(&format!("{}1", "[".repeat(200))).is_err());
}

#[test]
fn unknown_and_secret_pass_through() {
    assert!(eval("later == 5").expect("evaluates").is_unknown());
    assert!(eval("later | upper").expect("evaluates").is_unknown());
    assert_eq!(show("later and false"), "false");
    assert_eq!(show("false and later"), "false");
    assert_eq!(show("later or true"), "true");
    assert!(eval("'a' ~ later").expect("evaluates").is_unknown());
    for text in ["pw", "pw | upper", "pw ~ 'x'", "[pw] | join", "pw | b64encode", "{'a': pw} | tojson", "pw[0:3]", "pw | length"]
    {
        let value = eval(text).expect(text);
        assert_eq!(value.to_string(), "*** (db_password)", "{text}");
    }
    let template =
        Template::parse("user:{{ pw }}@host", Span0, Default::default(), &Arc::new(TextMap::contiguous(0))).expect("parses");
    let value = template.render(&scope()).expect("renders");
    assert_eq!(value.to_string(), "*** (db_password)");
    assert_eq!(value.reveal().expect("known"), "user:hunter2@host");
}

#[expect(non_upper_case_globals, reason = "reads as a value in the tests")]
const Span0: crate::span::Span = crate::span::Span { source: crate::span::SourceId(0), start: 0, end: 0 };

fn template(text: &str) -> Result<Template, SyntaxError> {
    Template::parse(text, Span0, Default::default(), &Arc::new(TextMap::contiguous(0)))
}

#[test]
fn templates_keep_the_type_of_a_single_expression() {
    let t = template("{{ items }}").expect("parses");
    assert_eq!(t.render(&scope()).expect("renders").kind(), "a list");
    let t = template("a {{ {'x': '}}'} | tojson }} b{% raw %}{{ no }}{% endraw %}{# gone #}").expect("parses");
    assert_eq!(t.render(&scope()).expect("renders").to_string(), "a {\"x\":\"}}\"} b{{ no }}");
    assert!(template("{{ a").is_err());
    assert!(template("{% if a %}").is_err());
}

#[test]
fn shell_text_is_quoted() {
    let t = template("echo {{ 'a; rm -rf /' }} {{ [1, 'b c'] }} {{ 'x y' | unquoted }}").expect("parses");
    assert_eq!(t.render_shell(&scope()).expect("renders").to_string(), "echo 'a; rm -rf /' 1 'b c' x y");
}

#[test]
fn an_expression_shows_what_it_saw() {
    let expr = Expr::parse_standalone("status == 200 and name != 'x' and age > 7d").expect("parses");
    let seen: Vec<String> = expr.seen(&scope()).into_iter().map(|s| format!("{} was {}", s.text, s.value)).collect();
    assert_eq!(seen, ["status was 503", "name was \"gateway\"", "age was 8d"]);
}

#[test]
fn every_listed_filter_and_test_exists() {
    for callable in FUNCTIONS {
        let args = vec!["1"; callable.min].join(", ");
        let text = match callable.kind {
            CallableKind::Function => format!("{}({args})", callable.name),
            CallableKind::Filter => format!("name | {}({args})", callable.name),
            CallableKind::Test => format!("name is {}({args})", callable.name),
        };
        if let Err(message) = eval(&text) {
            assert!(!message.starts_with("there is no"), "{text}: {message}");
        }
    }
}
