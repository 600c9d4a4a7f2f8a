//! Setting values in configuration files so that only their bytes change.

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value as Json};

use super::config_text::{Format, env_line, parse};
use super::jsonl::field::{Field, Part};

/// Why a value was not set.
#[derive(Debug, PartialEq)]
pub(crate) enum EditError {
    /// The way to it is not there; this much of it is missing.
    NoParent(String),
    /// It cannot be done, for this reason.
    Cannot(String),
}

/// Sets values, and gives the new text.
pub(crate) fn set(text: &str, format: Format, values: &[(Field, Json)], create: bool) -> Result<String, EditError> {
    let cannot = |what: String| EditError::Cannot(what);
    let read = |text: &str| {
        parse(text.as_bytes(), format).map_err(|m| cannot(format!("it is not valid {}: {}", format.name(), m.message)))
    };
    let mut wanted = read(text)?;
    let mut new = text.to_owned();
    for (field, value) in values {
        let before = wanted.clone();
        place_in(&mut wanted, field, value, create, format)?;
        if wanted == before {
            continue;
        }
        new = match format {
            Format::Json => json(&new, field, value)?,
            Format::Yaml => yaml(&new, field, value)?,
            Format::Toml => toml_text(&new, field, value)?,
            Format::Env => env(&new, field, value)?,
            Format::Ini | Format::Nginx => {
                return Err(cannot(format!("values are not set in {} files; `template.render` writes them", format.name())));
            }
        };
    }
    // Nothing but what was asked for may have changed, whatever the text looked like.
    if new != text && read(&new).ok().as_ref() != Some(&wanted) {
        return Err(cannot("it cannot be set without touching something else in this file; change it by hand".to_owned()));
    }
    Ok(new)
}

/// Sets a value in the document that the text stands for.
fn place_in(document: &mut Json, field: &Field, value: &Json, create: bool, format: Format) -> Result<(), EditError> {
    if format == Format::Env {
        if field.parts.len() != 1 || !matches!(value, Json::String(_) | Json::Number(_) | Json::Bool(_)) {
            return Err(EditError::Cannot(format!("{:?}: in an env file a name has a text, a number or a boolean", field.text)));
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let (Some(map), Part::Key(name)) = (document.as_object_mut(), &field.parts[0]) {
            map.insert(name.clone(), Json::String(text));
        }
        return Ok(());
    }
    let mut at = document;
    let mut way = String::new();
    let (last, parents) = match field.parts.split_last() {
        Some(split) => split,
        None => return Err(EditError::Cannot("the field has no name".to_owned())),
    };
    for part in parents {
        match part {
            Part::Key(k) => way.push_str(&format!("{}{k}", if way.is_empty() { "" } else { "." })),
            Part::Index(i) => way.push_str(&format!("[{i}]")),
        }
        if at.is_null() && create {
            *at = Json::Object(Map::new());
        }
        at = match part {
            Part::Key(key) => {
                let Some(map) = at.as_object_mut() else { return Err(EditError::NoParent(way)) };
                if !map.contains_key(key) && !create {
                    return Err(EditError::NoParent(way));
                }
                map.entry(key.clone()).or_insert_with(|| Json::Object(Map::new()))
            }
            Part::Index(i) => item(at, *i).ok_or_else(|| EditError::NoParent(way.clone()))?,
        };
    }
    if at.is_null() && create {
        *at = Json::Object(Map::new());
    }
    match (last, at) {
        (Part::Key(key), Json::Object(map)) => {
            map.insert(key.clone(), value.clone());
            Ok(())
        }
        (Part::Index(i), list) => match item(list, *i) {
            Some(place) => {
                *place = value.clone();
                Ok(())
            }
            None => Err(EditError::NoParent(field.text.clone())),
        },
        (Part::Key(_), _) => Err(EditError::NoParent(if way.is_empty() { "the document".to_owned() } else { way })),
    }
}

fn item(list: &mut Json, i: i64) -> Option<&mut Json> {
    let list = list.as_array_mut()?;
    let at = if i < 0 { i64::try_from(list.len()).ok()? + i } else { i };
    list.get_mut(usize::try_from(at).ok()?)
}

/// A value in a text with its places.
#[derive(Debug)]
struct Node {
    start: usize,
    end: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Whether it is a text over several lines.
    Scalar(bool),
    /// Entries: name, where the name begins, value. And whether it is written in braces.
    Map(Vec<(String, usize, Node)>, bool),
    List(Vec<Node>),
}

/// Splits the way into what is there and what is not.
fn descend<'a, 'f>(root: &'a Node, field: &'f Field) -> (&'a Node, &'f [Part]) {
    let mut at = root;
    let mut parts = &field.parts[..];
    while let Some((part, rest)) = parts.split_first() {
        let next = match (part, &at.kind) {
            (Part::Key(key), Kind::Map(entries, _)) => entries.iter().find(|(k, ..)| k == key).map(|(_, _, n)| n),
            (Part::Index(i), Kind::List(items)) => {
                let n = if *i < 0 { items.len() as i64 + i } else { *i };
                usize::try_from(n).ok().and_then(|n| items.get(n))
            }
            _ => None,
        };
        match next {
            Some(node) => (at, parts) = (node, rest),
            None => break,
        }
    }
    (at, parts)
}

/// The value with what is missing on the way around it.
fn wrapped(parts: &[Part], value: &Json) -> Result<Json, EditError> {
    parts.iter().rev().try_fold(value.clone(), |inner, part| match part {
        Part::Key(key) => Ok(Json::Object([(key.clone(), inner)].into_iter().collect())),
        Part::Index(_) => Err(EditError::Cannot("an item of a list is only changed, never made".to_owned())),
    })
}

fn replaced(text: &str, start: usize, end: usize, new: &str) -> String {
    format!("{}{new}{}", &text[..start], &text[end..])
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |i| i + 1)
}

fn indent(text: &str, at: usize) -> &str {
    let line = &text[line_start(text, at)..at];
    &line[..line.len() - line.trim_start().len()]
}

/// JSON over several lines, with this in front of each but the first.
fn pretty(value: &Json, before: &str, step: &str) -> String {
    let text = format!("{value:#}");
    let mut lines = text.lines();
    let mut out = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let depth = (line.len() - line.trim_start().len()) / 2;
        out.push_str(&format!("\n{before}{}{}", step.repeat(depth), line.trim_start()));
    }
    out
}

fn json(text: &str, field: &Field, value: &Json) -> Result<String, EditError> {
    let root = tree(text)?;
    let (node, rest) = descend(&root, field);
    if rest.is_empty() {
        let many = text[node.start..node.end].contains('\n') || matches!(value, Json::Object(m) if !m.is_empty());
        let new = if many { pretty(value, indent(text, node.start), "  ") } else { value.to_string() };
        return Ok(replaced(text, node.start, node.end, &new));
    }
    let Kind::Map(entries, _) = &node.kind else {
        // Null gives way to what is made.
        return Ok(replaced(text, node.start, node.end, &wrapped(rest, value)?.to_string()));
    };
    let (Some(Part::Key(key)), Some(inner)) = (rest.first(), rest.get(1..)) else {
        return Err(EditError::Cannot("an item of a list is only changed, never made".to_owned()));
    };
    let (name, inner) = (Json::String(key.clone()).to_string(), wrapped(inner, value)?);
    match entries.last() {
        None => Ok(replaced(text, node.start, node.end, &format!("{{{name}: {inner}}}"))),
        Some((_, begin, last)) => {
            let own_line = text[line_start(text, *begin)..*begin].trim().is_empty();
            let new = if own_line {
                let before = indent(text, *begin);
                format!(",\n{before}{name}: {}", pretty(&inner, before, "  "))
            } else {
                format!(", {name}: {inner}")
            };
            Ok(replaced(text, last.end, last.end, &new))
        }
    }
}

fn yaml(text: &str, field: &Field, value: &Json) -> Result<String, EditError> {
    if text.trim().is_empty() {
        return Ok(format!("{text}{}\n", flow(&wrapped(&field.parts, value)?)));
    }
    let root = tree(text)?;
    let (node, rest) = descend(&root, field);
    if rest.is_empty() {
        if matches!(node.kind, Kind::Scalar(true)) {
            return Err(EditError::Cannot(format!("{:?} is a text of several lines; change it by hand", field.text)));
        }
        // Over several lines the text of the old value ends with its last line.
        let end = node.start + text[node.start..node.end].trim_end().len();
        let gap = if text[..node.start].ends_with(':') || text[..node.start].ends_with('-') { " " } else { "" };
        if matches!(node.kind, Kind::Map(_, false) | Kind::List(_)) && !text[node.start..].starts_with(['{', '[']) {
            // What stood below its name now stands beside it.
            let head = text[..node.start].trim_end();
            return Ok(format!("{head} {}{}", flow(value), &text[end..]));
        }
        return Ok(replaced(text, node.start, end, &format!("{gap}{}", flow(value))));
    }
    let (Some(Part::Key(key)), Some(inner)) = (rest.first(), rest.get(1..)) else {
        return Err(EditError::Cannot("an item of a list is only changed, never made".to_owned()));
    };
    match &node.kind {
        Kind::Map(entries, false) if !entries.is_empty() => {
            let (begin, end) = entries.iter().fold((0, 0), |(b, e), (_, at, n)| if n.end >= e { (*at, n.end) } else { (b, e) });
            let first = entries.iter().map(|(_, at, _)| *at).min().unwrap_or(begin);
            let column = text[line_start(text, first)..first].chars().count();
            let before = " ".repeat(column);
            // After the last line that says something of this map.
            let end = first.max(begin) + text[first.max(begin)..end.max(begin)].trim_end().len();
            let end = text[end..].find('\n').map_or(text.len(), |n| end + n);
            let mut new = String::new();
            let mut depth = before;
            let mut names = vec![key.as_str()];
            for part in inner {
                let Part::Key(k) = part else {
                    return Err(EditError::Cannot("an item of a list is only changed, never made".to_owned()));
                };
                names.push(k);
            }
            for (i, name) in names.iter().enumerate() {
                let end = if i + 1 == names.len() { format!(" {}", flow(value)) } else { String::new() };
                new.push_str(&format!("\n{depth}{}:{end}", plain(name)));
                depth.push_str("  ");
            }
            Ok(replaced(text, end, end, &new))
        }
        Kind::Map(entries, _) => {
            let entry = format!("{}: {}", plain(key), flow(&wrapped(inner, value)?));
            match entries.last() {
                Some((_, _, last)) => Ok(replaced(text, last.end, last.end, &format!(", {entry}"))),
                None => Ok(replaced(text, node.start, node.end, &format!("{{{entry}}}"))),
            }
        }
        _ => {
            let gap = if text[..node.start].ends_with(':') { " " } else { "" };
            Ok(replaced(text, node.start, node.end, &format!("{gap}{}", flow(&wrapped(rest, value)?))))
        }
    }
}

/// A value on one line. JSON is YAML, but a plain word needs no quotes.
fn flow(value: &Json) -> String {
    match value {
        Json::String(s) => plain(s),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            format!("{{{}}}", map.iter().map(|(k, v)| format!("{}: {}", plain(k), flow(v))).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn plain(text: &str) -> String {
    let word = !text.is_empty()
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.'));
    let taken = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if word && !taken { text.to_owned() } else { Json::String(text.to_owned()).to_string() }
}

/// The values of a YAML or JSON text with their places.
fn tree(text: &str) -> Result<Node, EditError> {
    let wrong = |what: &str| EditError::Cannot(what.to_owned());
    struct Open {
        start: usize,
        map: Option<Vec<(String, usize, Node)>>,
        list: Vec<Node>,
        braces: bool,
        key: Option<(String, usize, usize)>,
    }
    let mut stack: Vec<Open> = Vec::new();
    let mut root: Option<Node> = None;
    let mut end = 0;
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|e| wrong(&e.to_string()))?;
        let range = span.byte_range().ok_or_else(|| wrong("its places cannot be told"))?;
        let node = match event {
            Event::Scalar(value, style, ..) => {
                let many = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if let Some(open) = stack.last_mut()
                    && open.map.is_some()
                    && open.key.is_none()
                {
                    open.key = Some((value.into_owned(), range.start, range.end));
                    end = range.end;
                    continue;
                }
                end = end.max(range.end);
                Node { start: range.start, end: range.end, kind: Kind::Scalar(many) }
            }
            Event::MappingStart(..) => {
                let braces = text[range.start..].starts_with('{');
                stack.push(Open { start: range.start, map: Some(Vec::new()), list: Vec::new(), braces, key: None });
                continue;
            }
            Event::SequenceStart(..) => {
                let braces = text[range.start..].starts_with('[');
                stack.push(Open { start: range.start, map: None, list: Vec::new(), braces, key: None });
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                let Some(open) = stack.pop() else { return Err(wrong("it cannot be read")) };
                // A block ends with what is last in it, braces with themselves.
                let stop = if open.braces { range.end } else { end };
                end = end.max(stop);
                let kind = match open.map {
                    Some(entries) => Kind::Map(entries, open.braces),
                    None => Kind::List(open.list),
                };
                Node { start: open.start, end: stop.max(open.start), kind }
            }
            Event::Alias(..) => {
                if stack.last().is_some_and(|o| o.map.is_some() && o.key.is_none()) {
                    return Err(wrong("a name in it is an alias"));
                }
                end = end.max(range.end);
                Node { start: range.start, end: range.end, kind: Kind::Scalar(false) }
            }
            Event::DocumentStart(..) if root.is_some() => return Err(wrong("there are several documents in it")),
            _ => continue,
        };
        match stack.last_mut() {
            None => root = Some(node),
            Some(open) => match (&mut open.map, open.key.take()) {
                (Some(map), Some((key, at, after))) => {
                    // Nothing stands right behind its name, wherever the reader noticed it.
                    let colon = text.get(after..).and_then(|t| t.find(':')).map_or(node.start, |n| after + n + 1);
                    let empty = node.start == node.end;
                    let node = if empty { Node { start: colon, end: colon, kind: node.kind } } else { node };
                    map.push((key, at, node));
                }
                (Some(_), None) => return Err(wrong("a name in it is no text")),
                (None, _) => open.list.push(node),
            },
        }
    }
    root.ok_or_else(|| wrong("it is empty"))
}

fn toml_text(text: &str, field: &Field, value: &Json) -> Result<String, EditError> {
    let cannot = |what: String| EditError::Cannot(what);
    let mut document: toml_edit::DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| cannot(e.message().to_owned()))?;
    let new = toml_value(value).ok_or_else(|| cannot("TOML has no null".to_owned()))?;
    let (last, parents) = field.parts.split_last().ok_or_else(|| cannot("the field has no name".to_owned()))?;
    let mut at: &mut toml_edit::Item = document.as_item_mut();
    for part in parents {
        at = match part {
            Part::Key(key) => {
                if at.as_table_like().is_some_and(|t| !t.contains_key(key)) {
                    let in_table = at.is_table();
                    let made = if in_table { toml_edit::table() } else { toml_edit::value(toml_edit::InlineTable::new()) };
                    at.as_table_like_mut().and_then(|t| t.insert(key, made));
                }
                at.get_mut(key.as_str())
            }
            Part::Index(i) => usize::try_from(*i).ok().and_then(|i| at.get_mut(i)),
        }
        .ok_or_else(|| cannot(format!("{:?} is not there", field.text)))?;
    }
    match last {
        Part::Key(key) => {
            let table = at.as_table_like_mut().ok_or_else(|| cannot(format!("{:?} is in no table", field.text)))?;
            match table.get_mut(key).and_then(toml_edit::Item::as_value_mut) {
                Some(old) => {
                    // What stands around it, a comment above all, stays.
                    let decor = old.decor().clone();
                    *old = new;
                    *old.decor_mut() = decor;
                }
                None => {
                    table.insert(key, toml_edit::Item::Value(new));
                }
            }
        }
        Part::Index(i) => {
            let list = at.as_array_mut().ok_or_else(|| cannot(format!("{:?} is in no list", field.text)))?;
            let n = if *i < 0 { list.len() as i64 + i } else { *i };
            let place = usize::try_from(n)
                .ok()
                .and_then(|n| list.get_mut(n))
                .ok_or_else(|| cannot(format!("{:?} is not there", field.text)))?;
            let decor = place.decor().clone();
            *place = new;
            *place.decor_mut() = decor;
        }
    }
    Ok(document.to_string())
}

fn toml_value(value: &Json) -> Option<toml_edit::Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(b) => (*b).into(),
        Json::Number(n) => match n.as_i64() {
            Some(i) => i.into(),
            None => n.as_f64()?.into(),
        },
        Json::String(s) => s.as_str().into(),
        Json::Array(items) => toml_edit::Value::Array(items.iter().map(toml_value).collect::<Option<toml_edit::Array>>()?),
        Json::Object(map) => {
            let mut table = toml_edit::InlineTable::new();
            for (key, inner) in map {
                table.insert(key, toml_value(inner)?);
            }
            table.into()
        }
    })
}

fn env(text: &str, field: &Field, value: &Json) -> Result<String, EditError> {
    let [Part::Key(name)] = field.parts.as_slice() else {
        return Err(EditError::Cannot("an env file has only names".to_owned()));
    };
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let safe = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    let written = if value.chars().all(safe) {
        value
    } else if !value.contains(['\'', '\n']) {
        format!("'{value}'")
    } else {
        format!(
            "\"{}\"",
            value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('`', "\\`").replace('\n', "\\n")
        )
    };
    let mut last = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Ok(Some((found, _))) = env_line(line)
            && found == name
        {
            last = Some((at, line));
        }
        at += line.len();
    }
    Ok(match last {
        Some((start, line)) => {
            let body = line.trim_end_matches(['\n', '\r']);
            let head = body.find('=').map_or(body, |i| &body[..=i]);
            replaced(text, start, start + body.len(), &format!("{head}{written}"))
        }
        None => {
            let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            format!("{text}{gap}{name}={written}\n")
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edit(text: &str, format: Format, field: &str, value: Json, create: bool) -> Result<String, EditError> {
        set(text, format, &[(Field::parse(field).unwrap(), value)], create)
    }

    #[test]
    fn json_keeps_its_layout() {
        let text = "{\n    \"a\" : 1,\n    \"s\": {\"port\": 7000,  \"list\": [1, 2]},\n    \"e\": {}\n}\n";
        for (field, value, from, to) in [
            ("a", json!(2), "\"a\" : 1", "\"a\" : 2"),
            ("s.port", json!("x"), "7000", "\"x\""),
            ("s.list[-1]", json!(9), "[1, 2]", "[1, 9]"),
            ("s.new", json!(true), "[1, 2]}", "[1, 2], \"new\": true}"),
            ("e.x", json!(1), "{}\n}", "{\"x\": 1}\n}"),
            ("z", json!(1), "{}\n}", "{},\n    \"z\": 1\n}"),
        ] {
            assert_eq!(edit(text, Format::Json, field, value, false).unwrap(), text.replacen(from, to, 1), "{field}");
        }
        assert_eq!(edit(text, Format::Json, "gone.x", json!(1), false), Err(EditError::NoParent("gone".to_owned())));
        let made = edit(text, Format::Json, "gone.x.y", json!(1), true).unwrap();
        assert_eq!(parse(made.as_bytes(), Format::Json).unwrap()["gone"]["x"]["y"], 1);
        assert!(edit(text, Format::Json, "a.b", json!(1), true).is_err(), "a number is no parent");
    }

    #[test]
    fn yaml_keeps_comments_and_layout() {
        let text = "# top\nservices:   # all\n  gateway:\n    port: 7000   # taken\n    tags: [a, b]\n    text: |\n      one\n      two\n  other: {port: 1}\nlast: ~\nempty:\n";
        for (field, value, from, to) in [
            ("services.gateway.port", json!(7001), "7000   #", "7001   #"),
            ("services.gateway.tags[0]", json!("it's"), "[a, b]", "[\"it's\", b]"),
            ("services.other.port", json!("x"), "{port: 1}", "{port: x}"),
            ("services.other.host", json!("x"), "{port: 1}", "{port: 1, host: x}"),
            ("last", json!(["a", 1]), "last: ~", "last: [a, 1]"),
            ("empty", json!("no"), "empty:\n", "empty: \"no\"\n"),
            ("services.gateway.host", json!("h"), "      two\n", "      two\n    host: h\n"),
            ("new", json!({ "a": 1 }), "empty:\n", "empty:\nnew: {a: 1}\n"),
        ] {
            assert_eq!(edit(text, Format::Yaml, field, value, false).unwrap(), text.replacen(from, to, 1), "{field}");
        }
        assert!(matches!(edit(text, Format::Yaml, "services.gateway.text", json!("x"), false), Err(EditError::Cannot(_))));
        assert_eq!(edit(text, Format::Yaml, "gone.x", json!(1), false), Err(EditError::NoParent("gone".to_owned())));
        let made = edit(text, Format::Yaml, "services.new.deep.x", json!(1), true).unwrap();
        assert_eq!(parse(made.as_bytes(), Format::Yaml).unwrap()["services"]["new"]["deep"]["x"], 1);
        let list = edit("a:\n  - 1\n  - b: 2\nc: 3\n", Format::Yaml, "a", json!([]), false).unwrap();
        assert_eq!(list, "a: []\nc: 3\n");
        // What an alias stands for stays as it is, and nothing that it brought along is lost.
        let set = edit("a: &x {b: 1}\nc: *x\n", Format::Yaml, "c.b", json!(2), false).unwrap();
        assert_eq!(set, "a: &x {b: 1}\nc: {b: 2}\n");
        assert!(edit("a: &x {b: 1, d: 1}\nc: *x\n", Format::Yaml, "c.b", json!(2), false).is_err());
    }

    #[test]
    fn toml_keeps_comments() {
        let text = "# top\n[services.gateway]\nport = 7000 # taken\ntags = [\"a\", \"b\"] # t\n";
        assert_eq!(edit(text, Format::Toml, "services.gateway.port", json!(7001), false).unwrap(), text.replace("7000", "7001"));
        assert_eq!(
            edit(text, Format::Toml, "services.gateway.tags[1]", json!("c"), false).unwrap(),
            text.replace("\"b\"", "\"c\"")
        );
        let made = edit(text, Format::Toml, "services.other.port", json!(1), true).unwrap();
        assert!(made.starts_with(text) && made.contains("[services.other]\nport = 1"), "{made}");
        assert!(edit(text, Format::Toml, "services.other.port", json!(1), false).is_err());
        assert!(edit(text, Format::Toml, "services.gateway.port", json!(null), false).is_err());
    }

    #[test]
    fn env_keeps_everything_else() {
        let text = "# c\nexport A=1 # one\nB='x'\nA=2";
        assert_eq!(edit(text, Format::Env, "A", json!(3), false).unwrap(), "# c\nexport A=1 # one\nB='x'\nA=3");
        assert_eq!(edit(text, Format::Env, "B", json!("it's $5\n"), false).unwrap(), text.replace("'x'", "\"it's \\$5\\n\""));
        assert_eq!(edit(text, Format::Env, "C", json!("a b"), false).unwrap(), format!("{text}\nC='a b'\n"));
        assert!(edit(text, Format::Env, "A.b", json!(1), true).is_err());
        assert!(edit("x\n", Format::Env, "A", json!(1), true).is_err());
    }
}
