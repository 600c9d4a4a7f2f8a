//! Finding the wanted fields in a line of JSON without reading the rest of it into memory.
//!
//! The whole line is gone through, so that a line that is cut off or broken is noticed; only what is inside strings and numbers that
//! nobody asked for is not looked at.

use memchr::memchr2;

use super::field::{Field, Part};

/// As deep as serde_json goes.
const DEEPEST: usize = 128;

/// The wanted fields as a tree of names.
#[derive(Debug, Default)]
struct Branch {
    children: Vec<(Box<[u8]>, Branch)>,
    slot: Option<usize>,
}

/// The fields that are wanted of a line.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    root: Branch,
    count: usize,
}

impl Wanted {
    /// Adds the names at the beginning of a field and gives its slot; the same names have the same slot.
    pub(crate) fn add(&mut self, keys: &[&str]) -> usize {
        let mut at = &mut self.root;
        for key in keys {
            let i = match at.children.iter().position(|(k, _)| **k == *key.as_bytes()) {
                Some(i) => i,
                None => {
                    at.children.push((key.as_bytes().into(), Branch::default()));
                    at.children.len() - 1
                }
            };
            at = &mut at.children[i].1;
        }
        *at.slot.get_or_insert_with(|| {
            self.count += 1;
            self.count - 1
        })
    }

    /// Adds a field.
    pub(crate) fn field(&mut self, field: &Field) -> Slot {
        Slot { at: self.add(&field.keys()), rest: field.rest().to_vec() }
    }

    /// Finds the fields of a line.
    pub(crate) fn find(&self, line: &[u8], found: &mut Found) -> Result<(), Odd> {
        found.spans.clear();
        found.spans.resize(self.count, (0, 0));
        let mut scan = Scan { text: line, at: 0, spans: &mut found.spans };
        scan.space();
        if scan.peek() != Some(b'{') {
            return Err(Odd);
        }
        scan.at += 1;
        scan.object(Some(&self.root), 0)?;
        scan.space();
        if scan.at == line.len() { Ok(()) } else { Err(Odd) }
    }
}

/// Where a field is found.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// The number of its names.
    pub(crate) at: usize,
    /// The way from there.
    pub(crate) rest: Vec<Part>,
}

/// Where the fields of a line are.
#[derive(Debug, Default)]
pub(crate) struct Found {
    spans: Vec<(u32, u32)>,
}

impl Found {
    /// The text of a slot's value in its line.
    pub(crate) fn raw<'a>(&self, line: &'a [u8], slot: usize) -> Option<&'a [u8]> {
        let (from, to) = *self.spans.get(slot)?;
        if to == 0 { None } else { line.get(from as usize..to as usize) }
    }
}

/// A line that is no JSON object, or that only a full parser can tell about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Odd;

struct Scan<'a, 's> {
    text: &'a [u8],
    at: usize,
    spans: &'s mut [(u32, u32)],
}

impl<'a> Scan<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// The inside of a string whose opening quote is behind us; its end too, afterwards.
    #[inline]
    fn string(&mut self) -> Result<&'a [u8], Odd> {
        let start = self.at;
        let text = self.text;
        // Most names and many values are shorter than it takes to set up a search.
        let near = text.len().min(start + 24);
        while self.at < near {
            match text[self.at] {
                b'"' => {
                    self.at += 1;
                    return Ok(&text[start..self.at - 1]);
                }
                b'\\' => self.at = (self.at + 2).min(text.len()),
                _ => self.at += 1,
            }
        }
        loop {
            let found = memchr2(b'"', b'\\', text.get(self.at..).ok_or(Odd)?).ok_or(Odd)?;
            self.at += found + 1;
            if text[self.at - 1] == b'"' {
                return Ok(&text[start..self.at - 1]);
            }
            self.at += 1;
        }
    }

    fn object(&mut self, wanted: Option<&Branch>, depth: usize) -> Result<(), Odd> {
        if depth > DEEPEST {
            return Err(Odd);
        }
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(Odd);
            }
            self.at += 1;
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(Odd);
            }
            self.at += 1;
            self.space();
            let child = match wanted {
                Some(branch) => pick(branch, key)?,
                None => None,
            };
            match child {
                Some(branch) => {
                    let from = self.at;
                    if !branch.children.is_empty() && self.peek() == Some(b'{') {
                        self.at += 1;
                        self.object(Some(branch), depth + 1)?;
                    } else {
                        self.value(depth)?;
                    }
                    if let Some(slot) = branch.slot {
                        self.spans[slot] = (u32::try_from(from).map_err(|_| Odd)?, u32::try_from(self.at).map_err(|_| Odd)?);
                    }
                }
                None => self.value(depth)?,
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Odd),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), Odd> {
        match self.peek().ok_or(Odd)? {
            b'"' => {
                self.at += 1;
                self.string().map(drop)
            }
            b'{' => {
                self.at += 1;
                self.object(None, depth + 1)
            }
            b'[' => {
                self.at += 1;
                self.list(depth + 1)
            }
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => {
                self.at += 1;
                while let Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') = self.peek() {
                    self.at += 1;
                }
                if self.text[self.at - 1].is_ascii_digit() { Ok(()) } else { Err(Odd) }
            }
            _ => Err(Odd),
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), Odd> {
        if depth > DEEPEST {
            return Err(Odd);
        }
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            self.value(depth)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Odd),
            }
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Odd> {
        if self.text.get(self.at..self.at + word.len()) != Some(word) {
            return Err(Odd);
        }
        self.at += word.len();
        Ok(())
    }
}

/// The branch of this name. A name with escapes in it is for the full parser.
#[inline]
fn pick<'b>(branch: &'b Branch, key: &[u8]) -> Result<Option<&'b Branch>, Odd> {
    for (name, child) in &branch.children {
        if name.len() == key.len() && **name == *key {
            return Ok(Some(child));
        }
    }
    if key.contains(&b'\\') { Err(Odd) } else { Ok(None) }
}

/// The number that a text of JSON is, if it is one.
pub(crate) fn number(raw: &[u8]) -> Option<f64> {
    if raw.len() <= 15 && !raw.is_empty() {
        let mut n: u64 = 0;
        if raw.iter().all(|b| {
            n = n.wrapping_mul(10).wrapping_add(u64::from(b.wrapping_sub(b'0')));
            b.is_ascii_digit()
        }) {
            return Some(n as f64);
        }
    }
    if !matches!(raw.first()?, b'-' | b'0'..=b'9') {
        return None;
    }
    std::str::from_utf8(raw).ok()?.parse().ok().filter(|n: &f64| n.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    fn find<'a>(line: &'a str, keys: &[&str]) -> Result<Option<&'a str>, Odd> {
        let mut wanted = Wanted::default();
        let slot = wanted.add(keys);
        wanted.add(&["other", "deep"]);
        let mut found = Found::default();
        wanted.find(line.as_bytes(), &mut found)?;
        Ok(found.raw(line.as_bytes(), slot).map(|r| std::str::from_utf8(r).unwrap()))
    }

    #[test]
    fn fields_are_found_wherever_they_are() {
        let line =
            r#" { "s" : "a\"}{" , "l":[1,[{"a":9}],"]"],"a":{"x":{"a":1},"b":-1.5e3 ,"n":null},"other":{"deep":2},"t":true} "#;
        for (keys, value) in [
            (&["s"][..], Some(r#""a\"}{""#)),
            (&["a", "b"], Some("-1.5e3")),
            (&["a", "n"], Some("null")),
            (&["a"], Some(r#"{"x":{"a":1},"b":-1.5e3 ,"n":null}"#)),
            (&["l"], Some(r#"[1,[{"a":9}],"]"]"#)),
            (&["t"], Some("true")),
            (&["a", "gone"], None),
            (&["s", "b"], None),
            (&["b"], None),
        ] {
            assert_eq!(find(line, keys), Ok(value), "{keys:?}");
        }
        assert_eq!(find("{}", &["a"]), Ok(None));
        let long = format!("{{\"p\":\"{}\\\\\",\"a\":1}}", "x".repeat(100));
        assert_eq!(find(&long, &["a"]), Ok(Some("1")));
    }

    #[test]
    fn odd_lines_are_told() {
        for line in [
            "",
            "x",
            "[1]",
            "{",
            "{\"a\":1",
            "{\"a\":1}}",
            "{\"a\":}",
            "{\"a\" 1}",
            "{a:1}",
            "{\"a\":1,}",
            "{\"a\":tru}",
            "{\"a\":[1,]}",
            "{\"a\":\"x}",
            "{\"a\":1} x",
            "{\"a\":-}",
            "{\"a\":1.}",
            "{\"\\u0061\":1}",
            "{\"a\":\"\\",
            "{\"a\":{\"b\":1}",
        ] {
            assert_eq!(find(line, &["a"]), Err(Odd), "{line}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(find(&deep, &["b"]), Err(Odd));
    }

    #[test]
    fn every_cut_of_a_line_is_noticed() {
        let line = r#"{"a":{"b":[1,2,{"c":"d\\"}],"e":"f"},"g":-1.25,"h":false}"#;
        for n in 0..line.len() {
            assert_eq!(find(&line[..n], &["a"]), Err(Odd), "{n}");
        }
        assert!(serde_json::from_str::<Json>(line).is_ok() && find(line, &["a"]).is_ok());
    }

    #[test]
    fn numbers_are_read() {
        for (text, value) in [("0", 0.0), ("450", 450.0), ("-1.5e3", -1500.0), ("123456789012345678", 1.234_567_890_123_456_8e17)]
        {
            assert_eq!(number(text.as_bytes()), Some(value));
        }
        for text in ["", "\"5\"", "null", "true", "1x", "inf", "NaN", "1e999"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
