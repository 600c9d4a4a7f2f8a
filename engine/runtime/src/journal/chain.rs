//! The hash chain: a record's hash covers its own text and the hash before it.

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

/// The hash before the first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The version of the journal's format.
const VERSION: u32 = 1;

/// One line of a journal.
#[derive(Clone, Debug)]
pub struct Line {
    /// The record, without `prev` and `hash`.
    pub record: Map<String, Json>,
    /// The hash of the line before.
    pub prev: String,
    /// The hash of this line.
    pub hash: String,
}

/// The hash of a record's text after the one before: SHA-256 over `prev`, a line break and the text.
pub fn hash_of(prev: &str, record: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(prev.as_bytes());
    hasher.update(b"\n");
    hasher.update(record.as_bytes());
    let mut out = String::with_capacity(64);
    for byte in hasher.finalize() {
        out.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        out.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    out
}

/// A line as written: the record's own text with `prev` and `hash` added at its end.
///
/// The hash is over the exact bytes, so that a reader needs no canonical form to check it.
pub(crate) fn write_line(record: &str, prev: &str) -> (String, String) {
    let hash = hash_of(prev, record);
    let body = record.strip_suffix('}').unwrap_or(record);
    let comma = if body.ends_with('{') { "" } else { "," };
    (format!("{body}{comma}\"prev\":\"{prev}\",\"hash\":\"{hash}\"}}\n"), hash)
}

/// Reads a line and checks its own hash; `None` if it is not a line of a journal or was changed.
pub(crate) fn read_line(line: &str) -> Option<Line> {
    // `,"prev":"<64>","hash":"<64>"}` is a tail of fixed length.
    const TAIL: usize = 9 + 64 + 10 + 64 + 2;
    let line = line.strip_suffix('\n').unwrap_or(line);
    let cut = line.len().checked_sub(TAIL)?;
    if !line.is_char_boundary(cut) {
        return None;
    }
    let (body, tail) = line.split_at(cut);
    let tail: Json = serde_json::from_str(&format!("{{{}", tail.strip_prefix(',').unwrap_or(tail))).ok()?;
    let (prev, hash) = (tail["prev"].as_str()?, tail["hash"].as_str()?);
    let record = format!("{body}}}");
    if hash_of(prev, &record) != hash {
        return None;
    }
    let Json::Object(map) = serde_json::from_str(&record).ok()? else { return None };
    Some(Line { record: map, prev: prev.to_owned(), hash: hash.to_owned() })
}

/// The header of a journal, its first record.
pub(crate) fn header(run: &str) -> String {
    json!({ "journal": VERSION, "run": run }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_and_changes_are_seen() {
        let (line, hash) = write_line(r#"{"seq":1,"event":"x"}"#, GENESIS);
        let read = read_line(&line).expect("reads");
        assert_eq!((read.hash.as_str(), read.prev.as_str()), (hash.as_str(), GENESIS));
        assert_eq!(read.record["seq"], 1);
        assert!(read_line(&line.replace("\"seq\":1", "\"seq\":2")).is_none());
        assert!(read_line(&line[..line.len() - 3]).is_none());
        assert!(read_line("").is_none());
    }
}
