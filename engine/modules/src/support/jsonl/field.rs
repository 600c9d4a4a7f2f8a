//! The names of fields in lines of JSON: `latency_ms.total`, `calls[0].name`, `labels["a.b"]`.

use serde_json::Value as Json;

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Into an object.
    Key(String),
    /// Into a list; negative from its end.
    Index(i64),
}

/// A field as it is written, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// As written.
    pub(crate) text: String,
    /// The way.
    pub(crate) parts: Vec<Part>,
}

impl Field {
    /// Reads a field's name.
    pub(crate) fn parse(text: &str) -> Result<Field, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if !name.is_empty() {
                parts.push(Part::Key(name.to_owned()));
            } else if !after.starts_with('[') {
                return Err(format!("{text:?} is no field: a name is missing; fields are written like `latency_ms.total`"));
            }
            rest = after;
            while let Some(inner) = rest.strip_prefix('[') {
                let (part, after) = index(inner).ok_or_else(|| {
                    format!("{text:?} is no field: in brackets stands a number or a name in quotes, such as `calls[0]` or `labels[\"a.b\"]`")
                })?;
                parts.push(part);
                rest = after;
            }
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None if rest.is_empty() => break,
                None => return Err(format!("{text:?} is no field: a dot is missing before {rest:?}")),
            }
        }
        if !matches!(parts.first(), Some(Part::Key(_))) {
            return Err(format!("{text:?} is no field: it begins with a name"));
        }
        Ok(Field { text: text.to_owned(), parts })
    }

    /// The names at its beginning, before anything that is counted.
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.parts.iter().map_while(|p| if let Part::Key(k) = p { Some(k.as_str()) } else { None }).collect()
    }

    /// What comes after the names.
    pub(crate) fn rest(&self) -> &[Part] {
        &self.parts[self.keys().len()..]
    }
}

fn index(inner: &str) -> Option<(Part, &str)> {
    if let Some(quote) = inner.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let (name, after) = inner[1..].split_once(quote)?;
        return Some((Part::Key(name.to_owned()), after.strip_prefix(']')?));
    }
    let (number, after) = inner.split_once(']')?;
    Some((Part::Index(number.parse().ok()?), after))
}

/// What is at the end of a way.
pub(crate) fn walk<'a>(mut value: &'a Json, parts: &[Part]) -> Option<&'a Json> {
    for part in parts {
        value = match part {
            Part::Key(name) => value.get(name)?,
            Part::Index(i) => {
                let list = value.as_array()?;
                let at = if *i < 0 { i64::try_from(list.len()).ok()? + i } else { *i };
                list.get(usize::try_from(at).ok()?)?
            }
        };
    }
    Some(value)
}

/// The names of all fields in a value, at most `most`.
pub(crate) fn names(value: &Json, prefix: &str, depth: usize, most: usize, out: &mut std::collections::BTreeSet<String>) {
    let Some(map) = value.as_object() else { return };
    for (key, inner) in map {
        if out.len() >= most {
            return;
        }
        let plain = !key.is_empty() && !key.contains(['.', '[', ']']);
        let name = match (plain, prefix) {
            (true, "") => key.clone(),
            (true, p) => format!("{p}.{key}"),
            (false, p) => format!("{p}[{key:?}]"),
        };
        match inner {
            Json::Object(map) if depth > 1 && !map.is_empty() => names(inner, &name, depth - 1, most, out),
            _ => {
                out.insert(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_read() {
        let doc = json!({ "a": { "b": [1, { "c": 2 }], "x.y": 3 }, "@t": 4 });
        for (text, value) in
            [("a.b[1].c", json!(2)), ("a.b[-2]", json!(1)), ("a[\"x.y\"]", json!(3)), ("a['x.y']", json!(3)), ("@t", json!(4))]
        {
            let field = Field::parse(text).unwrap();
            assert_eq!(walk(&doc, &field.parts), Some(&value), "{text}");
        }
        assert_eq!(walk(&doc, &Field::parse("a.gone").unwrap().parts), None);
        assert_eq!(walk(&doc, &Field::parse("a.b[9]").unwrap().parts), None);
        let field = Field::parse("a.b[0].c").unwrap();
        assert_eq!((field.keys(), field.rest().len()), (vec!["a", "b"], 2));
        for bad in ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "[0]", "a[0]b", "a[\"x"] {
            assert!(Field::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_listed() {
        let mut out = std::collections::BTreeSet::new();
        names(&json!({ "a": { "b": 1, "c.d": 2 }, "e": [1], "f": {} }), "", 3, 10, &mut out);
        assert_eq!(out.into_iter().collect::<Vec<_>>(), ["a.b", "a[\"c.d\"]", "e", "f"]);
    }
}
