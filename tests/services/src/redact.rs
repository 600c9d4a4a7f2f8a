//! The stack's log redaction (`services/shared/log_redaction.py` in the seeds), without regular expressions.

/// Replaces addresses, SSNs, card and phone numbers and API keys by the seeds' marks.
pub(crate) fn redact(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let begins = at == 0 || !is_word(chars[at - 1]);
        let found = begins.then(|| key(&chars[at..]).or_else(|| email(&chars[at..])).or_else(|| number(&chars[at..])));
        match found.flatten() {
            Some((length, mark)) => {
                out.push_str(mark);
                at += length;
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

/// What was found: how many characters, and the mark that takes their place.
type Found = (usize, &'static str);

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `Bearer TOKEN`, `api_key=VALUE` or `sk-…`.
fn key(rest: &[char]) -> Option<Found> {
    for (prefix, shortest) in [("bearer ", 1), ("api_key=", 1), ("sk-", 8)] {
        let length = prefix.chars().count();
        let matches = rest.len() > length && prefix.chars().zip(rest).all(|(want, have)| want == have.to_ascii_lowercase());
        if matches {
            let value = rest[length..].iter().take_while(|c| is_word(**c) || "-.~+/=".contains(**c)).count();
            if value >= shortest {
                return Some((length + value, "[API_KEY_REDACTED]"));
            }
        }
    }
    None
}

/// `local@domain.tld`.
fn email(rest: &[char]) -> Option<Found> {
    let local = rest.iter().take_while(|c| is_word(**c) || ".%+-".contains(**c)).count();
    if local == 0 || rest.get(local) != Some(&'@') {
        return None;
    }
    let domain = &rest[local + 1..];
    let mut length = domain.iter().take_while(|c| c.is_alphanumeric() || ".-".contains(**c)).count();
    // A full stop at the end closes the sentence, not the address.
    while length > 0 && !domain[length - 1].is_alphanumeric() {
        length -= 1;
    }
    domain[..length].contains(&'.').then_some((local + 1 + length, "[EMAIL_REDACTED]"))
}

/// An SSN, a card number or a phone number, told apart by the lengths of its groups of digits.
fn number(rest: &[char]) -> Option<Found> {
    if !rest.first().is_some_and(|c| c.is_ascii_digit() || "+(".contains(*c)) {
        return None;
    }
    let mut length = rest.iter().take_while(|c| c.is_ascii_digit() || "+-.() ".contains(**c)).count();
    while length > 0 && !rest[length - 1].is_ascii_digit() {
        length -= 1;
    }
    let run: String = rest[..length].iter().collect();
    let groups: Vec<usize> = run.split(|c: char| !c.is_ascii_digit()).map(str::len).filter(|len| *len > 0).collect();
    let mark = match groups.as_slice() {
        [3, 2, 4] if run.matches('-').count() == 2 => "[SSN_REDACTED]",
        [4, 4, 4, 1..=4] | [4, 6, 5] | [13..=19] => "[CC_REDACTED]",
        [3, 3, 4] | [1..=3, 3, 3, 4] => "[PHONE_REDACTED]",
        [10..=12] if run.starts_with('+') => "[PHONE_REDACTED]",
        _ => return None,
    };
    Some((length, mark))
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn every_kind_is_marked() {
        for (raw, clean) in [
            ("mail jane.doe@example.com.", "mail [EMAIL_REDACTED]."),
            ("ssn 123-45-6789, yes", "ssn [SSN_REDACTED], yes"),
            ("card 4111 1111 1111 1111", "card [CC_REDACTED]"),
            ("card 4111111111111111!", "card [CC_REDACTED]!"),
            ("call (555) 123-4567 now", "call [PHONE_REDACTED] now"),
            ("call +1 555 123 4567", "call [PHONE_REDACTED]"),
            ("Authorization: Bearer abc.def-1", "Authorization: [API_KEY_REDACTED]"),
            ("use sk-ant-0123456789", "use [API_KEY_REDACTED]"),
            ("GET /?api_key=s3cret&x=1", "GET /?[API_KEY_REDACTED]&x=1"),
        ] {
            assert_eq!(redact(raw), clean);
        }
    }

    #[test]
    fn the_rest_is_left() {
        for text in ["on 2026-11-22 10:00", "10.0.0.1", "port 7000", "a@b", "sk-8", "risk-free@", "", "ünï (code)"] {
            assert_eq!(redact(text), text);
        }
    }
}
