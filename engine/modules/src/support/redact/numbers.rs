//! Numbers that name a person or an account: social security, payment cards, telephones.

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ssn,
    Card,
    Phone,
}

fn digit(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_digit)
}

fn word(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// Finds all such numbers and tells where they begin and end.
pub(crate) fn find(text: &[u8], found: &mut dyn FnMut(usize, usize, Kind)) {
    let mut at = 0;
    while at < text.len() {
        let b = text[at];
        if !b.is_ascii_digit() && b != b'+' && b != b'(' {
            at += 1;
            continue;
        }
        let before = at.checked_sub(1).map(|i| text[i]);
        // In the middle of a word or of a number with a point there is no number of its own.
        let inside = before.is_some_and(|p| {
            p.is_ascii_alphanumeric()
                || p == b'_'
                || (matches!(p, b'.' | b'-') && at >= 2 && text[at - 2].is_ascii_alphanumeric())
        });
        // What stands before as an escape is no word: `\n5...`.
        let inside = inside && !(at >= 2 && text[at - 2] == b'\\' && matches!(before, Some(b'n' | b't' | b'r')));
        if !b.is_ascii_digit() {
            let end = if inside {
                None
            } else if b == b'+' {
                international(text, at)
            } else {
                bracketed(text, at)
            };
            if let Some(end) = end {
                found(at, end, Kind::Phone);
                at = end;
            } else {
                at += 1;
            }
            continue;
        }
        let mut end = at;
        while digit(text, end) {
            end += 1;
        }
        if inside {
            at = end;
            continue;
        }
        let hit = match end - at {
            3 => ssn(text, at).map(|e| (e, Kind::Ssn)).or_else(|| national(text, at).map(|e| (e, Kind::Phone))),
            1 => text
                .get(end)
                .filter(|b| matches!(b, b'-' | b' ' | b'.'))
                .and_then(|_| if b == b'1' { national(text, end + 1).map(|e| (e, Kind::Phone)) } else { None }),
            4 | 13..=19 => card(text, at).map(|e| (e, Kind::Card)),
            _ => None,
        };
        match hit {
            Some((stop, kind)) => {
                found(at, stop, kind);
                at = stop;
            }
            None => at = end,
        }
    }
}

fn digits(text: &[u8], at: usize, n: usize) -> Option<u32> {
    let part = text.get(at..at + n)?;
    part.iter().try_fold(0, |sum, d| d.is_ascii_digit().then(|| sum * 10 + u32::from(d - b'0')))
}

/// `123-45-6789`; some areas were never given out.
fn ssn(text: &[u8], at: usize) -> Option<usize> {
    let sep = *text.get(at + 3)?;
    if !matches!(sep, b'-' | b' ') || text.get(at + 6) != Some(&sep) || word(text, at + 11) || text.get(at + 11) == Some(&b'-') {
        return None;
    }
    let (area, group, serial) = (digits(text, at, 3)?, digits(text, at + 4, 2)?, digits(text, at + 7, 4)?);
    (area != 0 && area != 666 && area < 900 && group != 0 && serial != 0).then_some(at + 11)
}

/// `555-010-4477`, also with points or spaces.
fn national(text: &[u8], at: usize) -> Option<usize> {
    let sep = *text.get(at + 3)?;
    if !matches!(sep, b'-' | b'.' | b' ') || text.get(at + 7) != Some(&sep) {
        return None;
    }
    rest_of_phone(text, at, at + 4)
}

/// `(555) 010-4477`.
fn bracketed(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at + 4) != Some(&b')') {
        return None;
    }
    let exchange = if text.get(at + 5) == Some(&b' ') { at + 6 } else { at + 5 };
    if !matches!(text.get(exchange + 3), Some(b'-' | b'.' | b' ')) {
        return None;
    }
    rest_of_phone(text, at + 1, exchange)
}

fn rest_of_phone(text: &[u8], area: usize, exchange: usize) -> Option<usize> {
    let (first, _, _) = (digits(text, area, 3)?, digits(text, exchange, 3)?, digits(text, exchange + 4, 4)?);
    let end = exchange + 8;
    (first >= 200 && !word(text, end) && !(text.get(end) == Some(&b'.') && digit(text, end + 1)) && text.get(end) != Some(&b'-'))
        .then_some(end)
}

/// `+49 30 901820`, `+14155550100`.
fn international(text: &[u8], at: usize) -> Option<usize> {
    if !matches!(text.get(at + 1), Some(b'1'..=b'9')) {
        return None;
    }
    let (mut i, mut end, mut count) = (at + 1, at + 1, 0);
    while let Some(b) = text.get(i) {
        match b {
            b'0'..=b'9' => {
                count += 1;
                end = i + 1;
            }
            b' ' | b'-' | b'.' | b'(' | b')' | b'/' if i - end < 2 => {}
            _ => break,
        }
        i += 1;
        if count > 15 {
            return None;
        }
    }
    ((8..=15).contains(&count) && !word(text, end)).then_some(end)
}

/// A payment card: 13 to 19 digits in groups or not, of a known kind, with the right check digit.
fn card(text: &[u8], at: usize) -> Option<usize> {
    let mut number = [0_u8; 19];
    let (mut n, mut i, mut end) = (0, at, at);
    let mut sep = None;
    while let Some(b) = text.get(i) {
        match b {
            b'0'..=b'9' if n < 19 => {
                number[n] = b - b'0';
                n += 1;
                end = i + 1;
            }
            b'0'..=b'9' => return None,
            b' ' | b'-' if digit(text, i + 1) && sep.is_none_or(|s| s == *b) => sep = Some(*b),
            _ => break,
        }
        i += 1;
    }
    // Digits in groups of four and others that follow: `4111 1111 1111 1111 200`.
    let lengths: &[usize] = if sep.is_some() { &[19, 16, 15, 14] } else { &[n] };
    for length in lengths.iter().copied().filter(|l| *l <= n) {
        let stop = if length == n { end } else { place_after(text, at, length) };
        if known(&number[..length]) && luhn(&number[..length]) && !digit(text, stop) && !word(text, stop) {
            return Some(stop);
        }
    }
    None
}

fn place_after(text: &[u8], at: usize, count: usize) -> usize {
    let mut seen = 0;
    let mut i = at;
    while seen < count && i < text.len() {
        seen += usize::from(text[i].is_ascii_digit());
        i += 1;
    }
    i
}

fn known(n: &[u8]) -> bool {
    let start = |count: usize| n[..count].iter().fold(0_u32, |sum, d| sum * 10 + u32::from(*d));
    if n.len() < 13 || n.iter().all(|d| *d == n[0]) {
        return false;
    }
    let (two, three, four) = (start(2), start(3), start(4));
    match n.len() {
        13 => n[0] == 4,
        14 => matches!(three, 300..=305) || matches!(two, 36 | 38),
        15 => matches!(two, 34 | 37),
        16 => {
            n[0] == 4
                || matches!(two, 51..=55 | 62 | 65)
                || matches!(four, 2221..=2720 | 6011 | 3528..=3589)
                || matches!(three, 644..=649)
        }
        19 => n[0] == 4 || two == 62 || four == 6011,
        _ => two == 62,
    }
}

fn luhn(n: &[u8]) -> bool {
    let sum: u32 = n
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let d = u32::from(*d) * if i % 2 == 1 { 2 } else { 1 };
            if d > 9 { d - 9 } else { d }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(&str, Kind)> {
        let mut out = Vec::new();
        find(text.as_bytes(), &mut |a, b, k| out.push((&text[a..b], k)));
        out
    }

    #[test]
    fn numbers_of_people_are_found() {
        for (text, hit, kind) in [
            ("ssn 123-45-6789.", "123-45-6789", Kind::Ssn),
            ("\\n123 45 6789", "123 45 6789", Kind::Ssn),
            ("card 4111 1111 1111 1111 exp", "4111 1111 1111 1111", Kind::Card),
            ("4111-1111-1111-1111", "4111-1111-1111-1111", Kind::Card),
            (":378282246310005,", "378282246310005", Kind::Card),
            ("3782 822463 10005", "3782 822463 10005", Kind::Card),
            ("5555555555554444", "5555555555554444", Kind::Card),
            ("call +49 30 901820-12 now", "+49 30 901820-12", Kind::Phone),
            ("+14155550100", "+14155550100", Kind::Phone),
            ("(415) 555-0100", "(415) 555-0100", Kind::Phone),
            ("415-555-0100", "415-555-0100", Kind::Phone),
            ("415.555.0100,", "415.555.0100", Kind::Phone),
            ("1-415-555-0100", "1-415-555-0100", Kind::Phone),
        ] {
            assert_eq!(all(text), [(hit, kind)], "{text}");
        }
    }

    #[test]
    fn other_numbers_stay() {
        for text in [
            "2026-02-15 14:23:45,123",
            "2026-02-15T14:23:45.123456789Z +0100",
            "10.0.0.1:7000",
            "192.168.100.1000",
            "000-12-3456",
            "666-12-3456",
            "987-65-4321",
            "123-00-4567",
            "123-45-67890",
            "4111111111111112",
            "1771165425123",
            "1771165425123456789",
            "0.4111111111111111",
            "550e8400-e29b-41d4-a716-446655440000",
            "4444444444444444",
            "a4111111111111111",
            "v1.2.3-415.555.0100",
            "115-555-0100",
            "+01:00",
            "1+1",
            "+5 more",
            "41111111111111111111111",
            "pid=123 456 of 7890",
        ] {
            assert_eq!(all(text), [], "{text}");
        }
    }
}
