//! A file as a validator of its schema should see it.

use runbook_core::diagnostic::Diagnostics;
use runbook_core::node::{Node, NodeKind, ScalarValue};
use runbook_core::span::SourceMap;
use serde_json::Value as Json;

/// The data that a text holds, read as playbooks are: under the YAML 1.2 core schema, with numbers that would change their text as texts.
/// `None` if it cannot be read.
pub fn instance(text: &[u8]) -> Option<Json> {
    let mut sources = SourceMap::default();
    let mut out = Diagnostics::default();
    let source = crate::text::accept("file", text, &mut sources, &mut out)?;
    let content = sources.get(source)?.text.clone();
    let root = crate::yaml::read(&content, source, &mut out).root;
    root.filter(|_| !out.has_errors()).map(|root| plain(&root))
}

fn plain(node: &Node) -> Json {
    match &node.kind {
        NodeKind::List(items) => items.iter().map(plain).collect(),
        NodeKind::Map(entries) => Json::Object(entries.iter().map(|(k, v)| (k.value.clone(), plain(v))).collect()),
        NodeKind::Scalar(scalar) => match scalar.value {
            ScalarValue::Null => Json::Null,
            ScalarValue::Bool(b) => Json::Bool(b),
            ScalarValue::Int(i) => Json::from(i),
            ScalarValue::Float(f) => Json::from(f),
            ScalarValue::Str => Json::String(scalar.text.clone()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_what_they_are() {
        let read = |text: &str| instance(text.as_bytes()).map(|j| j.to_string());
        assert_eq!(
            read("{a: no, b: 0755, c: 1, d: 1.5, e: , f: [true]}").as_deref(),
            Some(r#"{"a":"no","b":"0755","c":1,"d":1.5,"e":null,"f":[true]}"#)
        );
        assert_eq!(read("a: [").as_deref(), None);
        assert_eq!(read("a: 1\na: 2\n").as_deref(), None);
    }
}
