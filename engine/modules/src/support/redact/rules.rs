//! The rules of redaction, and a block of text put through them.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::{memchr_iter, memmem};
use regex::bytes::Regex;

use super::keys::{self, Keys, Which};
use super::numbers;

/// A rule with a mark of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Email,
    Ssn,
    CreditCard,
    Phone,
    ApiKey,
    Password,
    PrivateKey,
}

impl Rule {
    /// Every rule with its name and mark.
    pub(crate) const ALL: &'static [(Rule, &'static str, &'static str)] = &[
        (Rule::Email, "email", "[EMAIL_REDACTED]"),
        (Rule::Ssn, "ssn", "[SSN_REDACTED]"),
        (Rule::CreditCard, "credit_card", "[CC_REDACTED]"),
        (Rule::Phone, "phone", "[PHONE_REDACTED]"),
        (Rule::ApiKey, "api_key", "[API_KEY_REDACTED]"),
        (Rule::Password, "password", "[PASSWORD_REDACTED]"),
        (Rule::PrivateKey, "private_key", "[PRIVATE_KEY_REDACTED]"),
    ];
}

/// A pattern of the user's own.
pub(crate) struct Own {
    pub(crate) name: String,
    pub(crate) pattern: Regex,
    /// The group that is taken out; 0 for the whole.
    pub(crate) group: usize,
}

/// What is taken out of texts.
pub(crate) struct Rules {
    on: Vec<Rule>,
    keys: Option<Keys>,
    own: Vec<Own>,
    values: Option<AhoCorasick>,
    /// Names and marks, by number: those of `Rule::ALL`, the fields, the patterns, the values.
    names: Vec<(String, Vec<u8>)>,
    fields: usize,
}

/// How often each rule found something, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(Vec<u64>);

impl Counts {
    fn hit(&mut self, rule: usize) {
        if self.0.len() <= rule {
            self.0.resize(rule + 1, 0);
        }
        self.0[rule] += 1;
    }

    /// Adds another's.
    pub(crate) fn add(&mut self, other: &Counts) {
        for (i, n) in other.0.iter().enumerate() {
            if self.0.len() <= i {
                self.0.resize(i + 1, 0);
            }
            self.0[i] += n;
        }
    }

    /// All together.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Something to take out.
type Hit = (usize, usize, usize);

impl Rules {
    /// These rules, and the values of these fields, these patterns and these texts.
    pub(crate) fn new(on: &[Rule], fields: &[String], own: Vec<Own>, values: &[String]) -> Result<Rules, String> {
        let upper = |name: &str| {
            let word: String =
                name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
            format!("[{word}_REDACTED]").into_bytes()
        };
        let mut names: Vec<(String, Vec<u8>)> =
            Rule::ALL.iter().map(|(_, name, mark)| ((*name).to_owned(), mark.as_bytes().to_vec())).collect();
        names.extend(fields.iter().map(|f| (f.clone(), upper(f))));
        names.extend(own.iter().map(|o| (o.name.clone(), upper(&o.name))));
        names.push(("value".to_owned(), b"[VALUE_REDACTED]".to_vec()));
        let has = |rule| on.contains(&rule);
        let which = Which { api_keys: has(Rule::ApiKey), passwords: has(Rule::Password), private_keys: has(Rule::PrivateKey) };
        let keys = if which.api_keys || which.passwords || which.private_keys || !fields.is_empty() {
            Some(Keys::new(which, fields)?)
        } else {
            None
        };
        let forms: Vec<Vec<u8>> = values.iter().flat_map(|v| forms(v)).collect();
        let values = if forms.is_empty() {
            None
        } else {
            Some(AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms).map_err(|e| e.to_string())?)
        };
        Ok(Rules { on: on.to_vec(), keys, own, values, names, fields: fields.len() })
    }

    /// The counts by the rules' names; every rule that is on is there.
    pub(crate) fn named(&self, counts: &Counts) -> BTreeMap<String, u64> {
        let wanted = |i: usize| match Rule::ALL.get(i) {
            Some((rule, ..)) => self.on.contains(rule),
            None => i + 1 < self.names.len() || self.values.is_some(),
        };
        let all = self.names.iter().enumerate().filter(|(i, _)| wanted(*i));
        all.map(|(i, (name, _))| (name.clone(), counts.0.get(i).copied().unwrap_or(0))).collect()
    }

    /// Puts whole lines through the rules.
    pub(crate) fn apply(&self, text: &[u8], out: &mut Vec<u8>, counts: &mut Counts) {
        out.clear();
        let mut hits: Vec<Hit> = Vec::new();
        self.find(text, &mut hits);
        // Where two overlap the one that begins first counts, of those the longer one, and of those what is known by its name.
        hits.sort_unstable_by_key(|(start, end, rule)| (*start, std::cmp::Reverse(*end), std::cmp::Reverse(*rule)));
        let mut done = 0;
        for (i, &(start, mut end, rule)) in hits.iter().enumerate() {
            if start < done {
                continue;
            }
            // What reaches beyond goes as well.
            for (s, e, _) in &hits[i + 1..] {
                if *s >= end {
                    break;
                }
                end = end.max(*e);
            }
            out.extend_from_slice(&text[done..start]);
            let mark = &self.names[rule].1;
            if text[start..end] == **mark {
                out.extend_from_slice(mark);
            } else {
                counts.hit(rule);
                let bare = is_bare_json(text, start, end);
                if bare {
                    out.push(b'"');
                }
                out.extend_from_slice(mark);
                if bare {
                    out.push(b'"');
                }
            }
            done = end;
        }
        out.extend_from_slice(&text[done..]);
    }

    fn find(&self, text: &[u8], hits: &mut Vec<Hit>) {
        let number = |rule: Rule| Rule::ALL.iter().position(|(r, ..)| *r == rule).unwrap_or(0);
        let has = |rule| self.on.contains(&rule);
        if has(Rule::Email) {
            emails(text, &mut |a, b| hits.push((a, b, number(Rule::Email))));
        }
        if has(Rule::Ssn) || has(Rule::CreditCard) || has(Rule::Phone) {
            numbers::find(text, &mut |a, b, kind| {
                let rule = match kind {
                    numbers::Kind::Ssn => Rule::Ssn,
                    numbers::Kind::Card => Rule::CreditCard,
                    numbers::Kind::Phone => Rule::Phone,
                };
                if has(rule) {
                    hits.push((a, b, number(rule)));
                }
            });
        }
        if let Some(keys) = &self.keys {
            keys.find(text, &mut |a, b, kind| {
                let rule = match kind {
                    keys::Kind::ApiKey => number(Rule::ApiKey),
                    keys::Kind::Password => number(Rule::Password),
                    keys::Kind::PrivateKey => number(Rule::PrivateKey),
                    keys::Kind::Field(i) => Rule::ALL.len() + i,
                };
                if !is_mark(&text[a..b]) {
                    hits.push((a, b, rule));
                }
            });
        }
        for (i, own) in self.own.iter().enumerate() {
            let rule = Rule::ALL.len() + self.fields + i;
            for caps in own.pattern.captures_iter(text) {
                if let Some(m) = caps.get(own.group).filter(|m| !m.is_empty()) {
                    hits.push((m.start(), m.end(), rule));
                }
            }
        }
        if let Some(values) = &self.values {
            hits.extend(values.find_iter(text).map(|m| (m.start(), m.end(), self.names.len() - 1)));
        }
    }
}

/// Whether something was taken out here before.
fn is_mark(text: &[u8]) -> bool {
    text.starts_with(b"[") && text.ends_with(b"_REDACTED]")
}

/// The forms in which a text is found in logs: as it is, in JSON, and in URLs.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let json = serde_json::Value::String(value.to_owned()).to_string();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().as_bytes().to_vec();
    let url: String = value
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let mut all = vec![value.as_bytes().to_vec(), json, url.into_bytes()];
    all.retain(|f| !f.is_empty());
    all.dedup();
    all
}

/// Whether what is taken out is a number of JSON, in whose place a text must stand in quotes.
fn is_bare_json(text: &[u8], start: usize, end: usize) -> bool {
    let before = text[..start].iter().rev().find(|b| **b != b' ').copied();
    let after = text[end..].iter().find(|b| **b != b' ').copied();
    if !matches!(before, Some(b':' | b'[' | b',')) || !matches!(after, Some(b',' | b'}' | b']')) {
        return false;
    }
    let line = memchr::memrchr(b'\n', &text[..start]).map_or(0, |i| i + 1);
    let is_json = text[line..start].iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|b| matches!(b, b'{' | b'['));
    // Inside a text an odd number of quotes has been opened.
    let mut inside = false;
    let mut escaped = false;
    for b in &text[line..start] {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => inside = !inside,
            _ => {}
        }
    }
    is_json && !inside
}

/// Finds addresses of mail, also with the sign in the middle as URLs and JSON may write it.
fn emails(text: &[u8], found: &mut dyn FnMut(usize, usize)) {
    for at in memchr_iter(b'@', text) {
        email(text, at, at + 1, found);
    }
    for sign in [&b"%40"[..], b"\\u0040"] {
        for at in memmem::find_iter(text, sign) {
            email(text, at, at + sign.len(), found);
        }
    }
}

fn email(text: &[u8], at: usize, after: usize, found: &mut dyn FnMut(usize, usize)) {
    let local = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'') || *b >= 0x80;
    let least = at.saturating_sub(64);
    let mut start = text[least..at].iter().rposition(|b| !local(b)).map_or(least, |i| least + i + 1);
    // `\n` in front is an escape, and quotes are none of the name.
    if start > 0 && text[start - 1] == b'\\' && matches!(text.get(start), Some(b'n' | b't' | b'r')) {
        start += 1;
    }
    while matches!(text.get(start), Some(b'.' | b'\'' | b'-')) && start < at {
        start += 1;
    }
    let domain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let most = text.len().min(after + 253);
    let mut end = text[after..most].iter().position(|b| !domain(b)).map_or(most, |i| after + i);
    while end > after && matches!(text[end - 1], b'.' | b'-') {
        end -= 1;
    }
    let Some(dot) = memchr::memrchr(b'.', &text[after..end]) else { return };
    let top = &text[after + dot + 1..end];
    if start < at && dot > 0 && top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic) {
        found(start, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let on: Vec<Rule> = Rule::ALL.iter().map(|(r, ..)| *r).collect();
        let own = vec![Own { name: "order".to_owned(), pattern: Regex::new(r"order (\d+)").unwrap(), group: 1 }];
        Rules::new(&on, &["user_id".to_owned()], own, &["p\"w d".to_owned()]).unwrap()
    }

    fn redact(text: &str) -> String {
        let mut out = Vec::new();
        rules().apply(text.as_bytes(), &mut out, &mut Counts::default());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn everything_that_must_not_leave_is_marked() {
        for (text, clean) in [
            ("mail user.name+x@mail.example.com, bye", "mail [EMAIL_REDACTED], bye"),
            ("?to=a%40b.org&x", "?to=[EMAIL_REDACTED]&x"),
            (r#"{"m":"x\u0040y.de\nz@y.de"}"#, r#"{"m":"[EMAIL_REDACTED]\n[EMAIL_REDACTED]"}"#),
            ("ssn 123-45-6789", "ssn [SSN_REDACTED]"),
            ("card 4111 1111 1111 1111.", "card [CC_REDACTED]."),
            ("tel (415) 555-0100", "tel [PHONE_REDACTED]"),
            ("Authorization: Bearer sk-ant-REDACT-0123456789", "Authorization: Bearer [API_KEY_REDACTED]"),
            (
                r#"{"card":4111111111111111,"a":[378282246310005],"s":"x,4111111111111111,"}"#,
                r#"{"card":"[CC_REDACTED]","a":["[CC_REDACTED]"],"s":"x,[CC_REDACTED],"}"#,
            ),
            (r#"{"user_id":"a b","x":1}"#, r#"{"user_id":"[USER_ID_REDACTED]","x":1}"#),
            (r#"{"user_id":77}"#, r#"{"user_id":"[USER_ID_REDACTED]"}"#),
            ("order 4711 is late", "order [ORDER_REDACTED] is late"),
            (r#"{"p":"p\"w d"} p%22w%20d p"w d"#, r#"{"p":"[VALUE_REDACTED]"} [VALUE_REDACTED] [VALUE_REDACTED]"#),
            ("password=x1@example.com", "password=[PASSWORD_REDACTED]"),
        ] {
            assert_eq!(redact(text), clean);
            assert_eq!(redact(clean), clean, "a second time changes nothing");
        }
    }

    #[test]
    fn ordinary_lines_stay() {
        for line in [
            "2026-02-15 14:23:45,123 INFO uvicorn.error Application startup complete.",
            r#"{"timestamp":"2026-02-15T14:23:45.000Z","latency_ms":{"total":450},"turn_id":"550e8400-e29b-41d4-a716-446655440000"}"#,
            "10.0.0.1 - - [15/Feb/2026:14:23:45 +0000] \"GET /healthz HTTP/1.1\" 200 5",
            "@decorator and a@b and 5 @ 3.50",
        ] {
            assert_eq!(redact(line), line);
        }
    }

    #[test]
    fn counts_are_by_rule() {
        let rules = rules();
        let mut counts = Counts::default();
        rules.apply(b"a@b.de c@d.org 123-45-6789\n", &mut Vec::new(), &mut counts);
        let named = rules.named(&counts);
        assert_eq!((named["email"], named["ssn"], named["phone"], named["order"], counts.total()), (2, 1, 0, 0, 3));
    }
}
