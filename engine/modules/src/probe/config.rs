//! `config`: whether a configuration file can be read, and what it says.

use std::path::Path;

use runbook_core::json_path::JsonPath;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::support::blocking::blocking;
use crate::support::by_hand;
use crate::support::paths::{fault, is_missing, reason, resolve, resource};

pub(crate) struct Config;

/// Reads a configuration file in JSON, YAML or TOML, and asks it with a JSONPath.
///
/// Without `expect` the step is ok if the file is valid and, with a `query`, at least one value was found. A missing file or a mistake in it
/// fails the step with line and column; then `exists`, `valid`, `error`, `line` and `column` say what is wrong.
///
/// In YAML only `true` and `false` are booleans, and numbers with a leading zero such as `0644` are texts. A file of several
/// YAML documents is a list of them. Times of TOML are texts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The file; relative paths start at the project root.
    #[schemars(length(min = 1))]
    path: String,
    /// The format: `json`, `yaml` or `toml`. Default: from the ending of the name (`.json`, `.yaml`, `.yml`, `.toml`).
    #[serde(default)]
    format: Option<Format>,
    /// A JSONPath (RFC 9535) such as `$.services[*].port`. Default: none, and the whole document is the value.
    #[serde(default)]
    #[schemars(extend("format" = "jsonpath"))]
    query: Option<String>,
}

/// A format of configuration files.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Format {
    Json,
    Yaml,
    Toml,
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
    /// The format it was read as: `json`, `yaml` or `toml`.
    format: &'static str,
    /// The query that was asked; null if none was.
    query: Option<String>,
    /// The first value found, or the whole document without a query; null if nothing was found.
    value: Json,
    /// All values found.
    values: Vec<Json>,
    /// The number of values found.
    count: u64,
    /// What is wrong with the file; null if nothing is.
    error: Option<String>,
    /// The line of the mistake, from 1; null if there is none or it is not known.
    line: Option<u64>,
    /// The column of the mistake, from 1; null if there is none or it is not known.
    column: Option<u64>,
}

/// A mistake in a file.
struct Mistake {
    message: String,
    at: Option<(u64, u64)>,
}

/// The largest file that is read.
const LARGEST: u64 = 64 << 20;

impl Probe for Config {
    const NAME: &'static str = "config";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "valid and (query is none or count > 0)";
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
        Example { title: "A file that is not there fails the step", yaml: "config: { path: '{tmp}/gone.json' }\n", runs: true },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let path = by_hand::path(args, "path");
        let name = args.or("path", "").to_lowercase();
        let ends = |ending: &str| name.ends_with(ending);
        let format = args.text("format").unwrap_or_else(|| {
            if ends(".toml") {
                "toml"
            } else if ends(".yaml") || ends(".yml") {
                "yaml"
            } else {
                "json"
            }
            .to_owned()
        });
        let line = match format.as_str() {
            "toml" => format!("python3 -c 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], \"rb\")))' {path}"),
            "yaml" => format!("python3 -c 'import sys, yaml; print(yaml.safe_load(open(sys.argv[1])))' {path}"),
            _ => format!("python3 -m json.tool {path}"),
        };
        match args.text("query") {
            Some(query) => ByHand::run(line).expect(format!("it is printed without an error, and has a value at `{query}`")),
            None => ByHand::run(line).expect("it is printed without an error"),
        }
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads([resource(&args.path)])
    }

    fn check(args: &Args) -> Result<(), Fault> {
        let known = args.format.or_else(|| by_name(Path::new(&args.path)));
        known.map(drop).ok_or_else(|| no_format(&args.path))
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let path = resolve(cx, "path", &args.path)?;
        let format = args.format.or_else(|| by_name(&path)).ok_or_else(|| no_format(&args.path))?;
        let query = args.query.clone();
        let asked = query.as_deref().map(JsonPath::parse).transpose().map_err(|why| Fault::invalid("query", why.to_string()))?;
        blocking(cx.timeout, move |_| look(&path, format, query, asked.as_ref())).await
    }
}

fn no_format(path: &str) -> Fault {
    Fault::invalid("format", format!("the name {path:?} does not tell the format; say `format: json`, `yaml` or `toml`"))
}

fn by_name(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "json" => Some(Format::Json),
        "yaml" | "yml" => Some(Format::Yaml),
        "toml" => Some(Format::Toml),
        _ => None,
    }
}

fn look(path: &Path, format: Format, query: Option<String>, asked: Option<&JsonPath>) -> Result<Out, Fault> {
    let name = match format {
        Format::Json => "json",
        Format::Yaml => "yaml",
        Format::Toml => "toml",
    };
    let mut out = Out {
        path: path.display().to_string(),
        exists: false,
        valid: false,
        format: name,
        query,
        value: Json::Null,
        values: Vec::new(),
        count: 0,
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

fn parse(bytes: &[u8], format: Format) -> Result<Json, Mistake> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Mistake { message: "not UTF-8".to_owned(), at: Some(place(&bytes[..e.valid_up_to()])) })?;
    // Some editors write a mark at the start that no parser here wants.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Json => serde_json::from_str(text).map_err(|e| {
            let message = e.to_string();
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            Mistake { message, at: Some((e.line() as u64, (e.column() as u64).max(1))) }
        }),
        Format::Yaml => yaml(text),
        Format::Toml => toml::from_str::<toml::Value>(text).map(from_toml).map_err(|e| Mistake {
            message: e.message().trim().replace('\n', ", "),
            at: e.span().and_then(|s| text.as_bytes().get(..s.start)).map(place),
        }),
    }
}

fn yaml(text: &str) -> Result<Json, Mistake> {
    let options = || {
        serde_yaml::options! {
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            with_snippet: false,
        }
    };
    let mistake = |e: serde_yaml::DeserializeError| {
        let at = e.location().map(|l| (l.line(), l.column()));
        let message = e.to_string();
        Mistake { message: message.lines().next().unwrap_or_default().to_owned(), at }
    };
    let mut documents: Vec<Json> = serde_yaml::from_str_multiple_with_options(text, options()).map_err(mistake)?;
    Ok(match documents.len() {
        0 => Json::Null,
        1 => documents.remove(0),
        _ => Json::Array(documents),
    })
}

fn from_toml(value: toml::Value) -> Json {
    match value {
        toml::Value::String(s) => Json::String(s),
        toml::Value::Integer(i) => Json::from(i),
        toml::Value::Float(f) => serde_json::Number::from_f64(f).map_or_else(|| Json::String(f.to_string()), Json::Number),
        toml::Value::Boolean(b) => Json::Bool(b),
        toml::Value::Datetime(d) => Json::String(d.to_string()),
        toml::Value::Array(items) => Json::Array(items.into_iter().map(from_toml).collect()),
        toml::Value::Table(table) => Json::Object(table.into_iter().map(|(k, v)| (k, from_toml(v))).collect()),
    }
}

/// The line and column after a text, both from 1.
fn place(before: &[u8]) -> (u64, u64) {
    let line = memchr::memchr_iter(b'\n', before).count() as u64 + 1;
    let start = memchr::memrchr(b'\n', before).map_or(0, |i| i + 1);
    (line, String::from_utf8_lossy(&before[start..]).chars().count() as u64 + 1)
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
