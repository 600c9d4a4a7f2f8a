//! The spanned tree that a playbook's YAML is read into, before anything is decoded.

use crate::span::{Span, Spanned, TextMap};
use crate::value::Value;

/// One node of the tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// The place of the whole node. For a scalar: of the token, quotes included.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// Anything that is not a list or a map.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map in file order; keys are strings.
    Map(Vec<(Spanned<String>, Node)>),
}

/// A scalar with its resolved meaning under the YAML 1.2 core schema.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// The decoded text.
    pub text: String,
    /// How the text maps to the source, so that a place inside it can be pointed at.
    pub map: TextMap,
    /// Whether it was quoted or a block scalar, and hence a string whatever it looks like.
    pub quoted: bool,
    /// What it means.
    pub value: ScalarValue,
}

/// The meaning of a scalar under the YAML 1.2 core schema.
#[derive(Clone, Debug, PartialEq)]
pub enum ScalarValue {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// Anything else.
    Str,
}

impl Node {
    /// The map's entries, or `None` if it is not a map.
    pub fn as_map(&self) -> Option<&[(Spanned<String>, Node)]> {
        match &self.kind {
            NodeKind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The list's items, or `None` if it is not a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            NodeKind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The scalar, or `None` for a list or a map.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            NodeKind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a string scalar, or `None` if it means something else.
    pub fn as_str(&self) -> Option<&str> {
        self.as_scalar().filter(|s| s.value == ScalarValue::Str).map(|s| s.text.as_str())
    }

    /// The value as written, without a schema: text is text.
    pub fn value(&self) -> Value {
        match &self.kind {
            NodeKind::List(items) => Value::list(items.iter().map(Node::value)),
            NodeKind::Map(entries) => Value::map(entries.iter().map(|(k, v)| (k.value.clone(), v.value()))),
            NodeKind::Scalar(s) => match s.value {
                ScalarValue::Null => Value::Null,
                ScalarValue::Bool(b) => Value::Bool(b),
                ScalarValue::Int(i) => Value::Int(i),
                ScalarValue::Float(f) => Value::Float(f),
                ScalarValue::Str => Value::str(&s.text),
            },
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(|s| s.value == ScalarValue::Null)
    }

    /// The entry with this key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.iter().find(|(k, _)| k.value == key).map(|(_, v)| v)
    }

    /// What it is, as said to people: "a list", "a map", "a string", ...
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a map",
            NodeKind::Scalar(s) => match s.value {
                ScalarValue::Null => "nothing",
                ScalarValue::Bool(_) => "a boolean",
                ScalarValue::Int(_) => "a whole number",
                ScalarValue::Float(_) => "a number",
                ScalarValue::Str => "a string",
            },
        }
    }
}
