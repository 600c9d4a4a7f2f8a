//! JSON as people hand it in: a key that is given twice is a mistake, where most readers let the later one win.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

/// Reads JSON text in which no key is given twice.
///
/// # Errors
/// What is wrong with the text, with line and column.
pub fn strict_json(text: &str) -> Result<Json, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|e| e.to_string())
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Json, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E: Error>(self, v: bool) -> Result<Json, E> {
        Ok(v.into())
    }
    fn visit_i64<E: Error>(self, v: i64) -> Result<Json, E> {
        Ok(v.into())
    }
    fn visit_u64<E: Error>(self, v: u64) -> Result<Json, E> {
        Ok(v.into())
    }
    fn visit_f64<E: Error>(self, v: f64) -> Result<Json, E> {
        Ok(v.into())
    }
    fn visit_str<E: Error>(self, v: &str) -> Result<Json, E> {
        Ok(v.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries = serde_json::Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if entries.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` is given twice")));
            }
            let value = map.next_value_seed(Strict)?;
            entries.insert(key, value);
        }
        Ok(Json::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_json_is_read() {
        for text in ["null", "true", "-5", "1.5", "\"a\\u00e9\"", "[1, [2], {\"a\": {\"b\": []}}]", " {} "] {
            assert_eq!(strict_json(text).expect(text), serde_json::from_str::<Json>(text).expect(text));
        }
    }

    #[test]
    fn what_others_let_pass_is_refused() {
        for (text, said) in [
            ("{\"a\": 1, \"a\": 2}", "the key `a` is given twice"),
            ("{\"x\": {\"a\": 1, \"b\": 2, \"a\": 3}}", "the key `a` is given twice"),
            ("{\"a\": 1,}", "trailing comma"),
            ("\"\\ud800\"", "hex escape"),
            ("[1] 2", "trailing characters"),
            ("", "EOF"),
            ("{a: 1}", "key must be a string"),
        ] {
            let error = strict_json(text).expect_err(text);
            assert!(error.contains(said) && error.contains("line 1"), "{text}: {error}");
        }
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(strict_json(&deep).expect_err("deep").contains("recursion limit"));
    }
}
