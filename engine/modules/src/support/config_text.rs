//! Configuration files in their formats, read as one kind of value.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// A format of configuration files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Format {
    Json,
    Yaml,
    Toml,
    Env,
    Ini,
    Nginx,
}

impl Format {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Yaml => "yaml",
            Format::Toml => "toml",
            Format::Env => "env",
            Format::Ini => "ini",
            Format::Nginx => "nginx",
        }
    }

    /// The format that a name tells.
    pub(crate) fn by_name(path: &Path) -> Option<Format> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        if name == ".env" || name.starts_with(".env.") {
            return Some(Format::Env);
        }
        if name == "nginx.conf" {
            return Some(Format::Nginx);
        }
        match name.rsplit_once('.')?.1 {
            "json" => Some(Format::Json),
            "yaml" | "yml" => Some(Format::Yaml),
            "toml" => Some(Format::Toml),
            "env" => Some(Format::Env),
            "ini" | "cfg" => Some(Format::Ini),
            _ => None,
        }
    }
}

/// A mistake in a file.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) message: String,
    pub(crate) at: Option<(u64, u64)>,
}

/// Reads a file.
pub(crate) fn parse(bytes: &[u8], format: Format) -> Result<Json, Mistake> {
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
        Format::Env => env(text),
        Format::Ini => ini(text),
        Format::Nginx => nginx(text),
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

/// A line of an env file: its name and value, or nothing if it says nothing.
pub(crate) fn env_line(line: &str) -> Result<Option<(&str, String)>, String> {
    let text = line.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
    let (name, value) = text.split_once('=').ok_or("there is no `=`")?;
    let name = name.trim_end();
    let good = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if !good {
        return Err(format!("{name:?} is no name of a variable"));
    }
    let value = value.trim();
    let value = match value.chars().next() {
        Some('\'') => {
            let end = value[1..].find('\'').ok_or("a quote is not closed")?;
            value[1..=end].to_owned()
        }
        Some('"') => {
            let mut out = String::new();
            let mut chars = value[1..].chars();
            loop {
                match chars.next().ok_or("a quote is not closed")? {
                    '"' => break,
                    '\\' => match chars.next().ok_or("a quote is not closed")? {
                        'n' => out.push('\n'),
                        't' => out.push('\t'),
                        c @ ('"' | '\\' | '$' | '`') => out.push(c),
                        c => out.extend(['\\', c]),
                    },
                    c => out.push(c),
                }
            }
            out
        }
        // After white space a comment may stand.
        _ => value.split(" #").next().unwrap_or(value).trim_end().to_owned(),
    };
    Ok(Some((name, value)))
}

fn env(text: &str) -> Result<Json, Mistake> {
    let mut map = Map::new();
    for (i, line) in text.lines().enumerate() {
        match env_line(line) {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                // The last one counts, as in a shell.
                map.insert(name.to_owned(), Json::String(value));
            }
            Err(message) => return Err(Mistake { message, at: Some((i as u64 + 1, 1)) }),
        }
    }
    Ok(Json::Object(map))
}

fn ini(text: &str) -> Result<Json, Mistake> {
    let mut map = Map::new();
    let mut section: Option<String> = None;
    for (i, line) in text.lines().enumerate() {
        let wrong = |message: &str| Mistake { message: message.to_owned(), at: Some((i as u64 + 1, 1)) };
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest.split(']').next().filter(|_| rest.contains(']')).ok_or_else(|| wrong("`]` is missing"))?.trim();
            map.entry(name).or_insert_with(|| Json::Object(Map::new()));
            section = Some(name.to_owned());
            continue;
        }
        let (name, value) = match line.find(['=', ':']) {
            Some(at) => (line[..at].trim_end(), line[at + 1..].trim_start()),
            None => (line, ""),
        };
        if name.is_empty() {
            return Err(wrong("a name is missing"));
        }
        let target = match &section {
            Some(section) => {
                map.get_mut(section).and_then(Json::as_object_mut).ok_or_else(|| wrong("the section is also a name"))?
            }
            None => &mut map,
        };
        target.insert(name.to_owned(), Json::String(value.to_owned()));
    }
    Ok(Json::Object(map))
}

/// The directives of nginx as `{directives: [{name, args, line, block}]}`.
fn nginx(text: &str) -> Result<Json, Mistake> {
    let mut stack: Vec<Vec<Json>> = vec![Vec::new()];
    let mut words: Vec<String> = Vec::new();
    let mut begun = 0_u64;
    let mut line = 1_u64;
    let mut chars = text.chars().peekable();
    let wrong = |message: String, line: u64| Mistake { message, at: Some((line, 1)) };
    let directive = |words: &mut Vec<String>, line: u64, block: Json| {
        let name = if words.is_empty() { String::new() } else { words.remove(0) };
        serde_json::json!({ "name": name, "args": std::mem::take(words), "line": line, "block": block })
    };
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            c if c.is_whitespace() => {}
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            ';' if words.is_empty() => return Err(wrong("a directive has no name".to_owned(), line)),
            ';' => {
                let done = directive(&mut words, begun, Json::Null);
                if let Some(top) = stack.last_mut() {
                    top.push(done);
                }
            }
            '{' if words.is_empty() => return Err(wrong("a block has no name".to_owned(), line)),
            '{' => {
                let open = directive(&mut words, begun, Json::Array(Vec::new()));
                if let Some(top) = stack.last_mut() {
                    top.push(open);
                }
                if stack.len() > 100 {
                    return Err(wrong("blocks are nested too deeply".to_owned(), line));
                }
                stack.push(Vec::new());
            }
            '}' => {
                if !words.is_empty() {
                    return Err(wrong(format!("`;` is missing after `{}`", words.join(" ")), begun));
                }
                let inner = stack.pop().filter(|_| !stack.is_empty());
                let (Some(inner), Some(top)) = (inner, stack.last_mut()) else {
                    return Err(wrong("`}` closes nothing".to_owned(), line));
                };
                if let Some(open) = top.last_mut() {
                    open["block"] = Json::Array(inner);
                }
            }
            quote @ ('"' | '\'') => {
                let mut word = String::new();
                let start = line;
                loop {
                    match chars.next() {
                        None => return Err(wrong("a quote is not closed".to_owned(), start)),
                        Some('\\') => word.extend(chars.next()),
                        Some(c) if c == quote => break,
                        Some(c) => {
                            line += u64::from(c == '\n');
                            word.push(c);
                        }
                    }
                }
                if words.is_empty() {
                    begun = start;
                }
                words.push(word);
            }
            first => {
                if words.is_empty() {
                    begun = line;
                }
                let mut word = String::from(first);
                let mut variable = first == '$';
                while let Some(c) = chars.peek().copied() {
                    // `${name}` is part of a word.
                    let opens = variable && c == '{';
                    if c.is_whitespace() || matches!(c, ';') || (matches!(c, '{' | '}') && !opens) {
                        break;
                    }
                    chars.next();
                    word.push(c);
                    if opens {
                        while let Some(c) = chars.next_if(|c| *c != '\n') {
                            word.push(c);
                            if c == '}' {
                                break;
                            }
                        }
                    }
                    variable = c == '$';
                }
                words.push(word);
            }
        }
    }
    if !words.is_empty() {
        return Err(wrong(format!("`;` is missing after `{}`", words.join(" ")), begun));
    }
    match (stack.pop(), stack.is_empty()) {
        (Some(all), true) => Ok(serde_json::json!({ "directives": all })),
        _ => Err(wrong("`}` is missing at the end".to_owned(), line)),
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

    fn read(text: &str, format: Format) -> Result<Json, (String, u64)> {
        parse(text.as_bytes(), format).map_err(|m| (m.message, m.at.map_or(0, |a| a.0)))
    }

    #[test]
    fn lines_of_names_and_values() {
        let text = "# c\nA=1\nexport B='x y' # c\nC=\"a\\nb\\\"\"\nD= plain # c\nE=\n\nA=2\n";
        assert_eq!(read(text, Format::Env), Ok(json!({ "A": "2", "B": "x y", "C": "a\nb\"", "D": "plain", "E": "" })));
        for (bad, line) in [("A=1\nnonsense\n", 2), ("1A=x", 1), ("A='x", 1), ("A=\"x", 1)] {
            assert_eq!(read(bad, Format::Env).unwrap_err().1, line, "{bad}");
        }
        let text = "top = 1\n; c\n[a b]\nx = y = z\nz: w\nflag\n[c]\n";
        assert_eq!(read(text, Format::Ini), Ok(json!({ "top": "1", "a b": { "x": "y = z", "z": "w", "flag": "" }, "c": {} })));
        assert_eq!(read("[a\n", Format::Ini).unwrap_err().1, 1);
    }

    #[test]
    fn directives_of_nginx() {
        let text =
            "user nginx; # c\nhttp {\n  server {\n    listen 443 ssl;\n    location ~ ^/a{2} { return 200 \"x; y\"; }\n  }\n}\n";
        let doc = read(text, Format::Nginx);
        // In a regular expression with braces nginx wants quotes too.
        assert!(doc.is_err());
        let text = text.replace("^/a{2}", "\"^/a{2}\"").replace("listen", "set $x ${host}a; listen");
        let doc = read(&text, Format::Nginx).unwrap();
        let server = &doc["directives"][1]["block"][0];
        assert_eq!((&server["name"], &server["line"]), (&json!("server"), &json!(3)));
        assert_eq!(server["block"][0]["args"], json!(["$x", "${host}a"]));
        assert_eq!(server["block"][2]["block"][0]["args"], json!(["200", "x; y"]));
        for (bad, line) in [("http {\n", 2), ("a b\n}\n", 1), ("}\n", 1), ("a \"x", 1), ("\n;", 2), ("a {\n b c\n}\n", 2)] {
            assert_eq!(read(bad, Format::Nginx).unwrap_err().1, line, "{bad}");
        }
    }
}
