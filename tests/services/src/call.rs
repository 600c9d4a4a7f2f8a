//! One request, read whole.

use hyper::body::Bytes;
use serde_json::{Map, Value};

use crate::clock;
use crate::reply::{MISSING, Reply};

/// A request as the handlers see it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// The path without its query, percent-decoded.
    pub(crate) path: String,
    query: Vec<(String, String)>,
    body: Bytes,
    /// The caller's `X-Correlation-ID`, or a new one: the gateway hands it on to every service it calls.
    pub(crate) correlation: String,
}

impl Call {
    /// Puts a request together from its parts; `target` is the path with its query.
    pub(crate) fn new(method: &str, target: &str, correlation: Option<&str>, body: Bytes) -> Call {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        });
        Call {
            method: method.to_owned(),
            path: decode_path(path),
            query: query.collect(),
            body,
            correlation: correlation.map_or_else(|| clock::id("req"), str::to_owned),
        }
    }

    /// The value of a query parameter.
    pub(crate) fn query(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The body as a JSON object; an empty body is an empty object. The error is FastAPI's answer.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, Reply> {
        if self.body.is_empty() {
            return Ok(Map::new());
        }
        serde_json::from_slice(&self.body).map_err(|error| Reply::invalid("body", "", &format!("JSON decode error: {error}")))
    }
}

/// A text field that must be there; the error is FastAPI's answer.
pub(crate) fn text<'a>(body: &'a Map<String, Value>, field: &str) -> Result<&'a str, Reply> {
    match body.get(field) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Reply::invalid("body", field, "Input should be a valid string")),
        None => Err(Reply::invalid("body", field, MISSING)),
    }
}

/// Decodes a query component: `%XX`, and `+` for a space.
fn decode(text: &str) -> String {
    decode_path(&text.replace('+', " "))
}

/// Decodes `%XX`; what is no escape is left as it is.
fn decode_path(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| after.get(..2)).flatten();
        let escaped = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                out.push(value);
                rest = &after[2..];
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Encodes a query component so that `decode` gives it back.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded() {
        let call = Call::new("GET", "/v1/memory/search?query=a%20b+c%26&limit=10&bad=%zz", Some("req_1"), Bytes::new());
        assert_eq!(call.path, "/v1/memory/search");
        assert_eq!(call.query("query"), Some("a b c&"));
        assert_eq!(call.query("limit"), Some("10"));
        assert_eq!(call.query("bad"), Some("%zz"));
        assert_eq!(call.correlation, "req_1");
    }

    #[test]
    fn encoding_is_undone() {
        let text = "What's 100% + ü?";
        assert_eq!(decode(&encode(text)), text);
    }
}
