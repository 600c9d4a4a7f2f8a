//! Secrets that are known by what stands before them: `api_key=`, `Authorization: Bearer`, `sk-`, `https://user:password@`.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ApiKey,
    Password,
    PrivateKey,
    /// A field that was named.
    Field(usize),
}

/// What the beginning of a secret means.
#[derive(Clone, Copy, Debug)]
enum Sign {
    /// A word before a token: `Bearer `.
    Scheme,
    /// The beginning of a token, with the least number of characters that follow.
    Token(usize),
    /// The end of a name with a value after it.
    Name(Kind),
    /// `://`, where a password may follow.
    Url,
    /// `-----BEGIN`.
    Pem,
}

/// Beginnings of tokens as they are given out, with the least number of characters that follow.
const TOKENS: &[(&str, usize)] = &[
    ("sk-", 16),
    ("sk_live_", 10),
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("whsec_", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xapp-", 10),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ya29.", 20),
    ("eyJ", 24),
    ("hf_", 20),
    ("npm_", 20),
    ("hvs.", 20),
    ("SG.", 30),
    ("gsk_", 20),
];

/// Ends of names whose values are keys.
const KEYS: &[&str] = &["api_key", "api-key", "apikey", "access_key", "accesskey", "access-key", "token", "authorization"];

/// Ends of names whose values are passwords and the like.
const PASSWORDS: &[&str] = &["password", "passwd", "pwd", "passphrase", "secret", "credential", "credentials"];

/// Finds secrets.
pub(crate) struct Keys {
    signs: Vec<Sign>,
    automaton: AhoCorasick,
}

/// Which secrets are looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Which {
    pub(crate) api_keys: bool,
    pub(crate) passwords: bool,
    pub(crate) private_keys: bool,
}

impl Keys {
    /// Looks for these, and for the values of fields with these names.
    pub(crate) fn new(which: Which, fields: &[String]) -> Result<Keys, String> {
        let mut patterns: Vec<(String, Sign)> = Vec::new();
        // The fields that were named come first: they are meant.
        patterns.extend(fields.iter().enumerate().map(|(i, name)| (name.clone(), Sign::Name(Kind::Field(i)))));
        let mut add = |text: &str, sign: Sign| patterns.push((text.to_owned(), sign));
        if which.api_keys {
            ["bearer ", "basic "].into_iter().for_each(|s| add(s, Sign::Scheme));
            TOKENS.iter().for_each(|(s, n)| add(s, Sign::Token(*n)));
            KEYS.iter().for_each(|s| add(s, Sign::Name(Kind::ApiKey)));
        }
        if which.passwords {
            PASSWORDS.iter().for_each(|s| add(s, Sign::Name(Kind::Password)));
            add("://", Sign::Url);
        }
        if which.private_keys {
            add("-----BEGIN ", Sign::Pem);
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(patterns.iter().map(|(t, _)| t))
            .map_err(|e| e.to_string())?;
        Ok(Keys { signs: patterns.into_iter().map(|(_, s)| s).collect(), automaton })
    }

    /// Finds all of them and tells where they begin and end.
    pub(crate) fn find(&self, text: &[u8], found: &mut dyn FnMut(usize, usize, Kind)) {
        for m in self.automaton.find_overlapping_iter(text) {
            let (start, end) = (m.start(), m.end());
            let hit = match self.signs[m.pattern().as_usize()] {
                Sign::Scheme => scheme(text, start, end),
                Sign::Token(least) => token(text, start, end, least, TOKENS),
                Sign::Name(kind) => named(text, start, end, matches!(kind, Kind::Field(_))).map(|(a, b)| (a, b, kind)),
                Sign::Url => userinfo(text, end),
                Sign::Pem => pem(text, start, end),
            };
            if let Some((a, b, kind)) = hit {
                found(a, b, kind);
            }
        }
    }
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=')
}

fn run(text: &[u8], from: usize, is: impl Fn(u8) -> bool) -> usize {
    text[from..].iter().position(|b| !is(*b)).map_or(text.len(), |n| from + n)
}

fn begins_word(text: &[u8], start: usize) -> bool {
    let escape = start >= 2 && text[start - 2] == b'\\' && matches!(text[start - 1], b'n' | b't' | b'r');
    escape || start == 0 || !(text[start - 1].is_ascii_alphanumeric() || text[start - 1] == b'_')
}

fn scheme(text: &[u8], start: usize, end: usize) -> Option<(usize, usize, Kind)> {
    let stop = run(text, end, is_token);
    (stop - end >= 8 && begins_word(text, start)).then_some((end, stop, Kind::ApiKey))
}

fn token(text: &[u8], start: usize, end: usize, least: usize, known: &[(&str, usize)]) -> Option<(usize, usize, Kind)> {
    // The automaton does not tell upper from lower case, but these do.
    let exact = known.iter().any(|(t, _)| t.as_bytes() == &text[start..end]);
    let before = start.checked_sub(1).map(|i| text[i]);
    if !exact || !begins_word(text, start) || before == Some(b'-') {
        return None;
    }
    let stop = run(text, end, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let stop = text[..stop].iter().rposition(|b| *b != b'.').map_or(stop, |i| i + 1).max(end);
    // A word with hyphens in it, such as `sk-learn-based-model`, has no digits.
    let mixed = text[end..stop].iter().any(u8::is_ascii_digit);
    (stop - end >= least && mixed).then_some((start, stop, Kind::ApiKey))
}

/// The value of a name that ends here: `token=x`, `"token": "x"`, `token: x`, `\"token\":\"x\"`.
fn named(text: &[u8], start: usize, end: usize, whole: bool) -> Option<(usize, usize)> {
    let after = text.get(end).copied()?;
    if after.is_ascii_alphanumeric()
        || after == b'_'
        || (after == b'-' && text.get(end + 1).is_some_and(u8::is_ascii_alphanumeric))
    {
        return None;
    }
    if whole && start > 0 && (text[start - 1].is_ascii_alphanumeric() || matches!(text[start - 1], b'_' | b'-' | b'.')) {
        return None;
    }
    let mut at = end;
    // The closing quote of the name, perhaps escaped.
    let escaped = text.get(at) == Some(&b'\\') && text.get(at + 1) == Some(&b'"');
    at += if escaped { 2 } else { usize::from(matches!(text.get(at), Some(b'"' | b'\''))) };
    let spaces = |at: usize| run(text, at, |b| b == b' ' || b == b'\t').min(at + 8);
    at = spaces(at);
    if !matches!(text.get(at), Some(b'=' | b':')) {
        return None;
    }
    at += 1;
    if matches!(text.get(at), Some(b'=' | b':')) {
        return None;
    }
    at = spaces(at);
    let (from, to) = match *text.get(at)? {
        b'\\' if text.get(at + 1) == Some(&b'"') => {
            let from = at + 2;
            (from, memchr::memmem::find(text.get(from..)?, b"\\\"").map(|n| from + n)?)
        }
        quote @ (b'"' | b'\'') => (at + 1, closing(text, at + 1, quote)?),
        _ => (
            at,
            run(text, at, |b| {
                !b.is_ascii_whitespace() && !matches!(b, b',' | b';' | b'&' | b'"' | b'\'' | b'}' | b']' | b')' | b'<' | b'\\')
            }),
        ),
    };
    let value = text.get(from..to)?;
    // `Authorization: Bearer x`: what is in front of the token stays.
    for word in [&b"bearer "[..], b"basic ", b"token "] {
        if value.len() > word.len() && value[..word.len()].eq_ignore_ascii_case(word) {
            return Some((from + word.len(), to));
        }
    }
    let plain = value.eq_ignore_ascii_case(b"bearer") || value.eq_ignore_ascii_case(b"basic");
    let is_nothing = value.is_empty() || plain || matches!(value, b"null" | b"None" | b"true" | b"false" | b"***");
    let is_hole = value.starts_with(b"${")
        || value.starts_with(b"{{")
        || value.starts_with(b"$") && !whole
        || value.starts_with(b"[")
        || value.starts_with(b"{");
    // A count, as in `token: 5`.
    let is_count = !whole && value.len() < 6 && value.iter().all(u8::is_ascii_digit);
    (!is_nothing && !is_hole && !is_count).then_some((from, to))
}

fn closing(text: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            b'\n' => return Some(at),
            b if *b == quote => return Some(at),
            _ => at += 1,
        }
    }
}

/// The password in `scheme://user:password@host`.
fn userinfo(text: &[u8], end: usize) -> Option<(usize, usize, Kind)> {
    let stop = run(text, end, |b| !b.is_ascii_whitespace() && !matches!(b, b'/' | b'"' | b'\'' | b'<' | b'>' | b'?' | b'#'));
    let at = end + memchr::memrchr(b'@', &text[end..stop])?;
    let colon = end + memchr::memchr(b':', &text[end..at])?;
    (colon + 1 < at && text.get(colon + 1) != Some(&b'[')).then_some((colon + 1, at, Kind::Password))
}

/// A private key from its first to its last line, or to the end of what there is.
fn pem(text: &[u8], start: usize, end: usize) -> Option<(usize, usize, Kind)> {
    let label_end = memchr::memmem::find(text.get(end..text.len().min(end + 64))?, b"PRIVATE KEY")?;
    if text[end..end + label_end].contains(&b'\n') {
        return None;
    }
    let body = end + label_end;
    let stop = match memchr::memmem::find(&text[body..], b"-----END ") {
        Some(n) => {
            let from = body + n + 9;
            memchr::memmem::find(&text[from..text.len().min(from + 64)], b"-----").map_or(from, |n| from + n + 5)
        }
        None => text.len(),
    };
    Some((start, stop, Kind::PrivateKey))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<&str> {
        let which = Which { api_keys: true, passwords: true, private_keys: true };
        let keys = Keys::new(which, &["user_id".to_owned()]).unwrap();
        let mut out: Vec<(usize, usize)> = Vec::new();
        keys.find(text.as_bytes(), &mut |a, b, _| out.push((a, b)));
        out.sort_by_key(|(a, b)| (*a, std::cmp::Reverse(*b)));
        out.dedup_by(|next, last| next.0 < last.1);
        out.into_iter().map(|(a, b)| &text[a..b]).collect()
    }

    #[test]
    fn secrets_are_found() {
        for (text, hit) in [
            ("Authorization: Bearer abc.def-123456", "abc.def-123456"),
            ("{\"authorization\": \"Bearer abcdef123456\"}", "abcdef123456"),
            ("key sk-ant-api03-Ab1Cd2Ef3Gh4Ij5, ok", "sk-ant-api03-Ab1Cd2Ef3Gh4Ij5"),
            ("?api_key=0a1b2c&x=1", "0a1b2c"),
            ("OPENAI_API_KEY='it \\' is'", "it \\' is"),
            ("{\"apiKey\":\"x y z\",\"n\":1}", "x y z"),
            ("\"body\":\"{\\\"token\\\":\\\"abc\\\"}\"", "abc"),
            ("password: hunter2", "hunter2"),
            ("postgres://me:s3c:ret@db:5432/x", "s3c:ret"),
            ("aws AKIAQ7RTZ2WMK4XN5JVB.", "AKIAQ7RTZ2WMK4XN5JVB"),
            ("user_id=77", "77"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY----- x",
                "-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----",
            ),
            ("-----BEGIN PRIVATE KEY-----\nMIIE", "-----BEGIN PRIVATE KEY-----\nMIIE"),
        ] {
            assert_eq!(all(text), [hit], "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "tokens: 512",
            "token_count=5",
            "max_token: 512",
            "password: null",
            "api_key=${KEY}",
            "password={{ x }}",
            "secret: ",
            "bearer of news",
            "sk-learn-based-classifier-model",
            "http://host:80/a@b",
            "https://a@b",
            "-----BEGIN CERTIFICATE-----",
            "my_user_id=7",
            "token == x",
            "the password is long",
            "task-12345678901234567890",
        ] {
            assert!(all(text).is_empty(), "{text}: {:?}", all(text));
        }
    }
}
