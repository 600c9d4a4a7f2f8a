//! Anything that can be serialised, as a value: what [`super::from_json`] makes of its JSON, without the JSON.

use std::fmt::Display;
use std::sync::Arc;

use serde::Serialize;
use serde::ser;

use super::json::tagged;
use super::{Map, Value};

/// The value of anything that can be serialised; the tags `$duration`, `$size` and `$time` become typed values.
///
/// # Errors
/// What the type's own serialisation says, and keys of maps that are no text, number or truth.
pub fn to_value<T: Serialize + ?Sized>(of: &T) -> Result<Value, EncodeError> {
    of.serialize(Encoder)
}

/// Why something cannot be written down as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError(String);

impl Display for EncodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EncodeError {}

impl ser::Error for EncodeError {
    fn custom<T: Display>(message: T) -> Self {
        EncodeError(message.to_string())
    }
}

struct Encoder;

/// A list that is being filled; of a variant, its name.
struct Items(Vec<Value>, Option<&'static str>);

/// A map that is being filled; of a variant, its name.
struct Entries {
    map: Map,
    key: Option<String>,
    variant: Option<&'static str>,
}

fn variant(name: Option<&'static str>, value: Value) -> Value {
    match name {
        Some(name) => Value::map([(name, value)]),
        None => value,
    }
}

impl Entries {
    fn new(length: usize, variant: Option<&'static str>) -> Entries {
        Entries { map: Map::with_capacity(length), key: None, variant }
    }

    fn finish(self) -> Value {
        let typed = match self.map.first() {
            Some((tag, Value::Str(text))) if self.map.len() == 1 => tagged(tag, text),
            _ => None,
        };
        variant(self.variant, typed.unwrap_or_else(|| Value::from(self.map)))
    }
}

macro_rules! whole {
    ($($name:ident: $type:ty),*) => {
        $(fn $name(self, v: $type) -> Result<Value, EncodeError> {
            Ok(i64::try_from(v).map_or(Value::Float(v as f64), Value::Int))
        })*
    };
}

impl ser::Serializer for Encoder {
    type Ok = Value;
    type Error = EncodeError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    whole!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64);
    whole!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);

    fn serialize_bool(self, v: bool) -> Result<Value, EncodeError> {
        Ok(Value::Bool(v))
    }
    fn serialize_f32(self, v: f32) -> Result<Value, EncodeError> {
        self.serialize_f64(f64::from(v))
    }
    fn serialize_f64(self, v: f64) -> Result<Value, EncodeError> {
        Ok(if v.is_finite() { Value::Float(v) } else { Value::Null })
    }
    fn serialize_char(self, v: char) -> Result<Value, EncodeError> {
        Ok(Value::str(v.encode_utf8(&mut [0; 4])))
    }
    fn serialize_str(self, v: &str) -> Result<Value, EncodeError> {
        Ok(Value::str(v))
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<Value, EncodeError> {
        Ok(Value::list(v.iter().map(|b| Value::Int(i64::from(*b)))))
    }
    fn serialize_none(self) -> Result<Value, EncodeError> {
        Ok(Value::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<Value, EncodeError> {
        v.serialize(self)
    }
    fn serialize_unit(self) -> Result<Value, EncodeError> {
        Ok(Value::Null)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, EncodeError> {
        Ok(Value::Null)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<Value, EncodeError> {
        Ok(Value::str(name))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, v: &T) -> Result<Value, EncodeError> {
        v.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        v: &T,
    ) -> Result<Value, EncodeError> {
        Ok(variant(Some(name), v.serialize(self)?))
    }
    fn serialize_seq(self, length: Option<usize>) -> Result<Items, EncodeError> {
        Ok(Items(Vec::with_capacity(length.unwrap_or_default()), None))
    }
    fn serialize_tuple(self, length: usize) -> Result<Items, EncodeError> {
        self.serialize_seq(Some(length))
    }
    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Items, EncodeError> {
        self.serialize_seq(Some(length))
    }
    fn serialize_tuple_variant(self, _: &'static str, _: u32, name: &'static str, length: usize) -> Result<Items, EncodeError> {
        Ok(Items(Vec::with_capacity(length), Some(name)))
    }
    fn serialize_map(self, length: Option<usize>) -> Result<Entries, EncodeError> {
        Ok(Entries::new(length.unwrap_or_default(), None))
    }
    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Entries, EncodeError> {
        Ok(Entries::new(length, None))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        length: usize,
    ) -> Result<Entries, EncodeError> {
        Ok(Entries::new(length, Some(name)))
    }
}

impl Items {
    fn push<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), EncodeError> {
        self.0.push(v.serialize(Encoder)?);
        Ok(())
    }

    fn finish(self) -> Value {
        variant(self.1, Value::List(Arc::new(self.0)))
    }
}

macro_rules! items {
    ($($trait:ident: $method:ident),*) => {
        $(impl ser::$trait for Items {
            type Ok = Value;
            type Error = EncodeError;
            fn $method<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), EncodeError> {
                self.push(v)
            }
            fn end(self) -> Result<Value, EncodeError> {
                Ok(self.finish())
            }
        })*
    };
}

items!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);

impl ser::SerializeMap for Entries {
    type Ok = Value;
    type Error = EncodeError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.key = Some(match key.serialize(Encoder)? {
            Value::Str(text) => text.to_string(),
            Value::Int(n) => n.to_string(),
            Value::Bool(b) => b.to_string(),
            other => return Err(ser::Error::custom(format!("the key of a map must be a text, not {}", other.kind()))),
        });
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), EncodeError> {
        let value = v.serialize(Encoder)?;
        self.map.insert(self.key.take().unwrap_or_default(), value);
        Ok(())
    }
    fn end(self) -> Result<Value, EncodeError> {
        Ok(self.finish())
    }
}

macro_rules! fields {
    ($($trait:ident),*) => {
        $(impl ser::$trait for Entries {
            type Ok = Value;
            type Error = EncodeError;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, v: &T) -> Result<(), EncodeError> {
                self.map.insert(key.to_owned(), v.serialize(Encoder)?);
                Ok(())
            }
            fn end(self) -> Result<Value, EncodeError> {
                Ok(self.finish())
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::{Duration, Size, from_json};
    use super::*;

    #[derive(Serialize)]
    enum Kind {
        Bare,
        One(u64),
        Two(i8, char),
        Named { a: Option<bool>, b: () },
    }

    #[derive(Serialize)]
    struct All {
        whole: (u8, i64, u64, u64),
        part: [f64; 3],
        short: f32,
        text: &'static str,
        took: Duration,
        size: Size,
        nothing: Option<u8>,
        kinds: Vec<Kind>,
        numbered: BTreeMap<i32, &'static str>,
        json: serde_json::Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        left_out: Option<u8>,
    }

    #[test]
    fn it_is_what_the_json_would_be() {
        let all = All {
            whole: (7, -3, 5, u64::MAX),
            part: [0.5, f64::NAN, f64::INFINITY],
            short: 1.5,
            text: "a \"q\"\n",
            took: std::time::Duration::from_millis(1500).into(),
            size: Size(1 << 20),
            nothing: None,
            kinds: vec![Kind::Bare, Kind::One(1), Kind::Two(-1, 'ä'), Kind::Named { a: Some(true), b: () }],
            numbered: BTreeMap::from([(2, "two"), (-1, "minus")]),
            json: json!({ "a": [1, 2.5, null, { "$time": "2026-02-15T14:23:45Z" }], "$size": "no", "b": {} }),
            left_out: None,
        };
        let through = from_json(serde_json::to_value(&all).expect("JSON"));
        let straight = to_value(&all).expect("a value");
        assert_eq!(format!("{straight:?}"), format!("{through:?}"));
        assert!(matches!(straight.field("took"), Value::Duration(_)));
    }

    #[test]
    fn a_key_that_is_no_text_is_refused() {
        let map = BTreeMap::from([(vec![1], 2)]);
        assert_eq!(to_value(&map).expect_err("a list is no key").to_string(), "the key of a map must be a text, not a list");
    }
}
