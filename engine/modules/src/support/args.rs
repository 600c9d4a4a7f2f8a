//! Kinds of arguments that several modules take.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text, number or boolean, used as text: `{{ params.port }}` gives a number where a header wants text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(d)? {
            serde_json::Value::String(s) => Ok(Text(s)),
            other @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => Ok(Text(other.to_string())),
            _ => Err(de::Error::custom("expected a string, a number or a boolean")),
        }
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// One text, or a list of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OneOrMany(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> de::Visitor<'de> for V {
            type Value = OneOrMany;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![v.to_owned()]))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(OneOrMany(all))
            }
        }
        d.deserialize_any(V)
    }
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string", "minLength": 1 },
                { "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } },
            ]
        })
    }
}

/// File permissions, written as text in octal such as `"0644"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode(pub(crate) u32);

impl Mode {
    /// The permission bits of a `st_mode`.
    pub(crate) fn of(st_mode: u32) -> Mode {
        Mode(st_mode & 0o7777)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl de::Visitor<'_> for V {
            type Value = Mode;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mode in quotes such as \"0644\"")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Mode, E> {
                let digits = (3..=4).contains(&v.len()) && v.bytes().all(|b| (b'0'..=b'7').contains(&b));
                match u32::from_str_radix(v, 8) {
                    Ok(bits) if digits => Ok(Mode(bits)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(v), &self)),
                }
            }
        }
        d.deserialize_any(V)
    }
}

impl JsonSchema for Mode {
    fn schema_name() -> Cow<'static, str> {
        "Mode".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-7]{3,4}$",
            "x-wanted": "permissions in octal such as `\"0644\"`",
            "x-help": "write three or four digits from 0 to 7 in quotes, such as `\"0644\"` or `\"0755\"`",
        })
    }
}

/// The default of arguments that are true unless said otherwise.
pub(crate) fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_take_scalars() {
        for (json, text) in [(json!("a"), "a"), (json!(5), "5"), (json!(1.5), "1.5"), (json!(true), "true")] {
            assert_eq!(Text::deserialize(json).unwrap().0, text);
        }
        assert!(Text::deserialize(json!([1])).is_err());
        assert!(Text::deserialize(json!(null)).is_err());
    }

    #[test]
    fn one_or_many() {
        assert_eq!(OneOrMany::deserialize(json!("a")).unwrap().0, ["a"]);
        assert_eq!(OneOrMany::deserialize(json!(["a", "b"])).unwrap().0, ["a", "b"]);
        assert!(OneOrMany::deserialize(json!(5)).is_err());
    }

    #[test]
    fn modes_are_octal_text() {
        assert_eq!(Mode::deserialize(json!("0644")).unwrap(), Mode(0o644));
        assert_eq!(Mode::deserialize(json!("755")).unwrap().to_string(), "0755");
        for bad in [json!(644), json!("0o644"), json!("0888"), json!("+644"), json!("rw-r--r--"), json!("07777777")] {
            assert!(Mode::deserialize(bad.clone()).is_err(), "{bad}");
        }
    }
}
