//! `config`: whether a configuration file can be read, and what it says.

use std::path::Path;

use runbook_core::json_path::JsonPath;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::support::args::OneOrMany;
use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::config_text::{Format, parse};
use crate::support::jsonl::field::{Field, walk};
use crate::support::paths::{fault, is_missing, reason, resolve, resource};

pub(crate) struct Config;

/// Reads a configuration file and asks it for values.
///
/// Formats are JSON, YAML, TOML, env files, ini files and nginx. Without `expect` the step is ok if the file is valid, with a `query` at least one value was found,
/// everything that is `required` is there and everything in `equal` is so. A missing file or a mistake in it
/// fails the step with line and column; then `exists`, `valid`, `error`, `line` and `column` say what is wrong.
///
/// An env file is a map of texts, an ini file a map of its sections. What nginx is told is `{directives: [{name, args, line, block}]}`, where `block` is a
/// list of such directives or null: `$..[?@.name == 'proxy_read_timeout'].args[0]`.
///
/// In YAML only `true` and `false` are booleans, and numbers with a leading zero such as `0644` are texts. A file of several
/// YAML documents is a list of them. Times of TOML are texts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The file; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// The format: `json`, `yaml`, `toml`, `env`, `ini` or `nginx`. Default: from the name (`.json`, `.yaml`, `.yml`, `.toml`, `.env`, `.ini`,
    /// `.cfg`, `nginx.conf`).
    #[serde(default)]
    format: Option<Format>,
    /// A JSONPath (RFC 9535) such as `$.services[*].port`. Default: none, and the whole document is the value.
    #[serde(default)]
    #[schemars(extend("format" = "jsonpath"))]
    query: Option<String>,
    /// Ways to values that must be there and not be null or empty, such as `services.api_gateway.port`. Default: none.
    #[serde(default)]
    required: Option<OneOrMany>,
    /// Values by their ways that must be so: `{services.api_gateway.port: 7000}`. In env and ini files a number is the same as its text. Default: none.
    #[serde(default)]
    equal: serde_json::Map<String, Json>,
}

/// What the file says.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The file, as an absolute path.
    path: String,
    /// Whether it is there.
    exists: bool,
    /// Whether it could be read as its format.
    valid: bool,
    /// The format it was read as.
    format: &'static str,
    /// The query that was asked; null if none was.
    query: Option<String>,
    /// The first value found, or the whole document without a query; null if nothing was found.
    value: Json,
    /// All values found.
    values: Vec<Json>,
    /// The number of values found.
    count: u64,
    /// The ways of `required` at which there is nothing.
    missing: Vec<String>,
    /// The ways of `equal` with other values, and what is there.
    different: Vec<Different>,
    /// What is wrong with the file; null if nothing is.
    error: Option<String>,
    /// The line of the mistake, from 1; null if there is none or it is not known.
    line: Option<u64>,
    /// The column of the mistake, from 1; null if there is none or it is not known.
    column: Option<u64>,
}

/// A value that is not as it should be.
#[derive(Debug, Serialize, JsonSchema)]
struct Different {
    /// The way to it.
    path: String,
    /// What should be there.
    expected: Json,
    /// What is there; null if nothing is.
    found: Json,
}

/// The largest file that is read.
const LARGEST: u64 = 64 << 20;

impl Probe for Config {
    const NAME: &'static str = "config";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "valid and (query is none or count > 0) and missing | default([]) | length == 0 and different | default([]) | length == 0";
    const SAYS: &'static str = "valid {{ format }}";
    const EXAMPLES: &'static [Example] = &[
        Example { title: "The file can be read", yaml: "config: sonia-config.json\n", runs: false },
        Example {
            title: "A value in it",
            yaml: "config: { path: config.yaml, query: '$.services[?@.name == \"gateway\"].port' }\nexpect: value == 7000\n",
            runs: false,
        },
        Example {
            title: "Every service has a port of its own",
            yaml: "config: { path: services.toml, query: '$..port' }\nexpect: values | unique | length == count\n",
            runs: false,
        },
        Example {
            title: "What a service needs is set, and as the inventory says",
            yaml: "config:\n  path: sonia-config.json\n  required: services.model_router.providers\n  equal: { services.api_gateway.port: 7000 }\n",
            runs: false,
        },
        Example {
            title: "nginx passes WebSockets on",
            yaml: "config: { path: /etc/nginx/nginx.conf, query: '$..[?@.name == \"proxy_http_version\"].args[0]' }\nexpect: \"'1.1' in values\"\n",
            runs: false,
        },
        Example { title: "A file that is not there fails the step", yaml: "config: { path: '{tmp}/gone.json' }\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let name = args.or("path", "").to_lowercase();
        let format = args.text("format").or_else(|| Format::by_name(Path::new(&name)).map(|f| f.name().to_owned()));
        let format = format.unwrap_or_else(|| "json".to_owned());
        let line = match format.as_str() {
            "toml" => format!("python3 -c 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], \"rb\")))' {path}"),
            "env" => format!("( set -eu; . {path}; env )"),
            "ini" => format!(
                "python3 -c 'import sys, configparser; c = configparser.ConfigParser(); c.read(sys.argv[1]); print([(s, dict(c[s])) for s in c])' {path}"
            ),
            "nginx" => format!("nginx -t -c {path} && cat {path}"),
            "yaml" => format!("python3 -c 'import sys, yaml; print(yaml.safe_load(open(sys.argv[1])))' {path}"),
            _ => format!("python3 -m json.tool {path}"),
        };
        let mut expect = "it is printed without an error".to_owned();
        if let Some(query) = args.text("query") {
            expect.push_str(&format!(", and has a value at `{query}`"));
        }
        for way in args.list("required") {
            expect.push_str(&format!(", `{way}` is there"));
        }
        for (way, value) in args.pairs("equal") {
            expect.push_str(&format!(", `{way}` is `{value}`"));
        }
        ByHand::run(line).expect(expect)
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([resource(&args.path)])
    }

    fn check(args: &Args) -> Result<(), Fault> {
        Wanted::new(args)?;
        let known = args.format.or_else(|| Format::by_name(Path::new(&args.path)));
        known.map(drop).ok_or_else(|| no_format(&args.path))
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let path = resolve(cx, "path", &args.path)?;
        let format = args.format.or_else(|| Format::by_name(&path)).ok_or_else(|| no_format(&args.path))?;
        let query = args.query.clone();
        let wanted = Wanted::new(args)?;
        let asked = query.as_deref().map(JsonPath::parse).transpose().map_err(|why| Fault::invalid("query", why.to_string()))?;
        blocking(cx.timeout, move |_| look(&path, format, query, asked.as_ref(), &wanted)).await
    }
}

/// What must be there, and what must be so.
struct Wanted {
    required: Vec<Field>,
    equal: Vec<(Field, Json)>,
}

impl Wanted {
    fn new(args: &Args) -> Result<Wanted, Fault> {
        let field = |argument: &str, text: &str| Field::parse(text).map_err(|e| Fault::invalid(argument, e));
        let required = args.required.iter().flat_map(|r| &r.0).map(|r| field("required", r)).collect::<Result<_, _>>()?;
        let equal = args.equal.iter().map(|(k, v)| Ok((field("equal", k)?, v.clone()))).collect::<Result<_, Fault>>()?;
        Ok(Wanted { required, equal })
    }

    fn judge(&self, document: &Json, format: Format, out: &mut Out) {
        let is_nothing = |v: &Json| v.is_null() || v.as_str().is_some_and(str::is_empty);
        let gone = self.required.iter().filter(|f| walk(document, &f.parts).is_none_or(is_nothing));
        out.missing = gone.map(|f| f.text.clone()).collect();
        let texts = matches!(format, Format::Env | Format::Ini);
        for (field, expected) in &self.equal {
            let found = walk(document, &field.parts).cloned().unwrap_or_default();
            let as_text = || expected.as_str().map_or_else(|| expected.to_string(), str::to_owned);
            let same = found == *expected
                || (texts && found.as_str().is_some_and(|f| f == as_text()))
                || found.as_f64().zip(expected.as_f64()).is_some_and(|(a, b)| a == b);
            if !same {
                out.different.push(Different { path: field.text.clone(), expected: expected.clone(), found });
            }
        }
    }
}

fn no_format(path: &str) -> Fault {
    Fault::invalid(
        "format",
        format!("the name {path:?} does not tell the format; say `format: json`, `yaml`, `toml`, `env`, `ini` or `nginx`"),
    )
}

fn look(path: &Path, format: Format, query: Option<String>, asked: Option<&JsonPath>, wanted: &Wanted) -> Result<Out, Fault> {
    let name = format.name();
    let mut out = Out {
        path: path.display().to_string(),
        exists: false,
        valid: false,
        format: name,
        query,
        value: Json::Null,
        values: Vec::new(),
        count: 0,
        missing: Vec::new(),
        different: Vec::new(),
        error: None,
        line: None,
        column: None,
    };
    let bytes = match std::fs::metadata(path).and_then(|m| if m.len() > LARGEST { Err(too_large()) } else { std::fs::read(path) })
    {
        Ok(bytes) => bytes,
        Err(e) if is_missing(&e) => {
            let message = format!("{}: {}", path.display(), reason(&e));
            out.error = Some(reason(&e));
            return Err(Fault::unmet_with(message, out));
        }
        Err(e) => return Err(fault(path, &e)),
    };
    out.exists = true;
    match parse(&bytes, format) {
        Ok(document) => {
            out.valid = true;
            wanted.judge(&document, format, &mut out);
            out.values = match asked {
                Some(path) => path.select(&document).map_err(Fault::cannot_tell)?,
                None => vec![document],
            };
            out.count = out.values.len() as u64;
            out.value = out.values.first().cloned().unwrap_or_default();
            Ok(out)
        }
        Err(mistake) => {
            out.error = Some(mistake.message.clone());
            (out.line, out.column) = mistake.at.unzip();
            let place = mistake.at.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
            Err(Fault::unmet_with(
                format!("{}{place}: not valid {}: {}", path.display(), name.to_uppercase(), mistake.message),
                out,
            ))
        }
    }
}

fn too_large() -> std::io::Error {
    std::io::Error::other("larger than 64 MiB, which no configuration is")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn ask(host: &TestHost, json: serde_json::Value) -> Result<Out, Fault> {
        Config::observe(&args(json), &host.cx()).await
    }

    #[tokio::test]
    async fn three_formats_say_the_same() {
        let host = TestHost::new();
        host.write("a.json", "\u{feff}{\"services\": [{\"name\": \"a\", \"port\": 7000}]}");
        host.write("a.yml", "services:\n  - name: a\n    port: 7000\n");
        host.write("a.toml", "[[services]]\nname = \"a\"\nport = 7000\n");
        host.write("a.conf", "{\"services\": [{\"name\": \"a\", \"port\": 7000}]}");
        for (path, format) in
            [("a.json", json!(null)), ("a.yml", json!(null)), ("a.toml", json!(null)), ("a.conf", json!("json"))]
        {
            let out = ask(&host, json!({ "path": path, "format": format })).await.unwrap();
            assert_eq!(out.value, json!({ "services": [{ "name": "a", "port": 7000 }] }), "{path}");
            let out = ask(&host, json!({ "path": path, "format": format, "query": "$.services[*].port" })).await.unwrap();
            assert_eq!((out.value, out.values, out.count), (json!(7000), vec![json!(7000)], 1));
            let out = ask(&host, json!({ "path": path, "format": format, "query": "$.gone" })).await.unwrap();
            assert_eq!((out.value, out.count, out.valid), (json!(null), 0, true));
        }
    }

    #[tokio::test]
    async fn what_is_required_and_what_must_be_so() {
        let host = TestHost::new();
        host.write("a.json", "{\"s\": {\"port\": 7000, \"key\": \"\", \"no\": null}}");
        let out = ask(&host, json!({ "path": "a.json", "required": ["s.port", "s.key", "s.no", "s.gone"], "equal": { "s.port": 7000.0, "s.key": "x" } })).await.unwrap();
        assert_eq!((out.missing, out.different.len()), (vec!["s.key".to_owned(), "s.no".to_owned(), "s.gone".to_owned()], 1));
        assert_eq!((&out.different[0].path, &out.different[0].found), (&"s.key".to_owned(), &json!("")));
        host.write(".env", "WORKERS=4\n");
        let out = ask(&host, json!({ "path": ".env", "required": "WORKERS", "equal": { "WORKERS": 4 } })).await.unwrap();
        assert!(out.missing.is_empty() && out.different.is_empty() && out.format == "env");
        host.write("nginx.conf", "http { server { location / { proxy_http_version 1.1; } } }\n");
        let out =
            ask(&host, json!({ "path": "nginx.conf", "query": "$..[?@.name == 'proxy_http_version'].args[0]" })).await.unwrap();
        assert_eq!(out.value, json!("1.1"));
        assert!(matches!(ask(&host, json!({ "path": ".env", "required": "a..b" })).await, Err(Fault::Invalid { .. })));
    }

    #[tokio::test]
    async fn yaml_is_read_strictly() {
        let host = TestHost::new();
        host.write("a.yaml", "a: no\nb: true\nmode: 0644\nn: 10\nx: &k {y: 1}\nz: *k\n");
        let value = ask(&host, json!({ "path": "a.yaml" })).await.unwrap().value;
        assert_eq!(value, json!({ "a": "no", "b": true, "mode": "0644", "n": 10, "x": { "y": 1 }, "z": { "y": 1 } }));
        host.write("many.yaml", "a: 1\n---\nb: 2\n");
        assert_eq!(ask(&host, json!({ "path": "many.yaml" })).await.unwrap().value, json!([{ "a": 1 }, { "b": 2 }]));
        host.write("t.toml", "d = 2026-02-15T14:23:45Z\n");
        assert_eq!(ask(&host, json!({ "path": "t.toml" })).await.unwrap().value, json!({ "d": "2026-02-15T14:23:45Z" }));
    }

    #[tokio::test]
    async fn mistakes_have_a_place() {
        let host = TestHost::new();
        for (name, text, line) in [
            ("a.json", "{\n  \"a\": 1,\n  \"b\": }\n", 3),
            ("b.json", "{\"a\": 1} trailing", 1),
            ("a.yaml", "a: 1\nb: [1, 2\nc: 3\n", 3),
            ("dup.yaml", "a: 1\na: 2\n", 2),
            ("a.toml", "a = 1\nb = = 2\n", 2),
            ("c.json", "", 1),
        ] {
            host.write(name, text);
            let Fault::Unmet { message, result } = ask(&host, json!({ "path": name })).await.unwrap_err() else {
                panic!("{name}")
            };
            assert!(message.contains(&format!("{name}:{line}:")) && message.contains("not valid"), "{message}");
            assert_eq!(
                (&result["valid"], &result["exists"], &result["line"]),
                (&json!(false), &json!(true), &json!(line)),
                "{message}"
            );
        }
        host.write("bin.json", b"{\n\"a\": \"\xff\"}");
        let fault = ask(&host, json!({ "path": "bin.json" })).await.unwrap_err();
        assert!(fault.message().contains(":2:7: not valid JSON: not UTF-8"), "{fault:?}");
    }

    #[tokio::test]
    async fn a_missing_file_is_an_answer_and_nonsense_is_not() {
        let host = TestHost::new();
        let Fault::Unmet { message, result } = ask(&host, json!({ "path": "gone.json" })).await.unwrap_err() else { panic!() };
        assert!(message.ends_with("gone.json: no such file or directory"), "{message}");
        assert_eq!(result["exists"], false);
        host.write("a.conf", "x");
        for bad in [json!({ "path": "a.conf" }), json!({ "path": "gone.json", "query": "x[" }), json!({ "path": "" })] {
            assert!(matches!(ask(&host, bad.clone()).await, Err(Fault::Invalid { .. })), "{bad}");
        }
    }

    #[tokio::test]
    async fn bombs_do_not_go_off() {
        let host = TestHost::new();
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let item = format!("*a{}", i - 1);
            bomb.push_str(&format!("a{i}: &a{i} [{}]\n", vec![item; 10].join(", ")));
        }
        host.write("bomb.yaml", bomb);
        assert!(matches!(ask(&host, json!({ "path": "bomb.yaml" })).await, Err(Fault::Unmet { .. })));
        host.write("deep.json", "[".repeat(100_000));
        assert!(matches!(ask(&host, json!({ "path": "deep.json" })).await, Err(Fault::Unmet { .. })));
    }
}
