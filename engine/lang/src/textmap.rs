//! Where the characters of a decoded scalar stand in its source.
//!
//! The decoded text is the authority: each style is walked beside its source, and where the two cannot be brought together the map ends
//! early, so that a place is at worst less exact, never wrong in another line by guesswork.

use runbook_core::span::TextMap;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Single,
    Double,
    Literal,
    Folded,
}

/// Collects pieces, dropping those that only continue the one before.
struct Pieces {
    list: Vec<(u32, u32)>,
}

impl Pieces {
    fn at(&mut self, decoded: usize, source: usize) {
        let (d, s) = (decoded as u32, source as u32);
        match self.list.last() {
            Some((ld, ls)) if d - ld == s.wrapping_sub(*ls) => {}
            Some((ld, _)) if *ld == d => {
                if let Some(last) = self.list.last_mut() {
                    *last = (d, s);
                }
            }
            _ => self.list.push((d, s)),
        }
    }
}

/// Maps `decoded` to `text[start..end]`, the scalar's token (quotes included, block headers not).
pub(crate) fn build(text: &str, start: usize, end: usize, decoded: &str, style: Style) -> TextMap {
    let source = text.get(start..end).unwrap_or("");
    let quote = usize::from(matches!(style, Style::Single | Style::Double));
    let inner = source.get(quote..source.len().saturating_sub(quote)).unwrap_or("");
    if inner == decoded {
        return TextMap::contiguous((start + quote) as u32);
    }
    let mut pieces = Pieces { list: vec![(0, (start + quote) as u32)] };
    match style {
        Style::Plain | Style::Single | Style::Double => flow(inner, start + quote, decoded, style, &mut pieces),
        Style::Literal => literal(source, start, decoded, &mut pieces),
        Style::Folded => folded(source, start, decoded, &mut pieces),
    }
    TextMap { pieces: pieces.list }
}

/// Plain and quoted scalars: escapes, doubled quotes and folded line breaks.
fn flow(source: &str, base: usize, decoded: &str, style: Style, pieces: &mut Pieces) {
    let s = source.as_bytes();
    let mut chars = decoded.char_indices().peekable();
    let mut i = 0;
    while i < s.len() {
        // A line break with the white space around it stands for one space, or for one break less than there are.
        let run = s[i..].iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
        let breaks = s[i..i + run].iter().filter(|b| **b == b'\n').count();
        if breaks > 0 {
            for _ in 0..(breaks - 1).max(1) {
                let Some((d, _)) = chars.next() else { return };
                pieces.at(d, base + i);
            }
            i += run;
            if let Some((d, _)) = chars.peek() {
                pieces.at(*d, base + i);
            }
            continue;
        }
        if style == Style::Double && s[i] == b'\\' {
            let next = s.get(i + 1).copied().unwrap_or_default();
            if matches!(next, b'\n' | b'\r') {
                i += 1;
                i += s[i..].iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
                if let Some((d, _)) = chars.peek() {
                    pieces.at(*d, base + i);
                }
                continue;
            }
            let Some((d, c)) = chars.next() else { return };
            pieces.at(d, base + i);
            let digits = |letter: u8| match letter {
                b'x' => 2,
                b'u' => 4,
                b'U' => 8,
                _ => 0,
            };
            i += 2 + digits(next);
            // A pair of surrogates is one character.
            if c as u32 > 0xFFFF && next == b'u' {
                i += 6;
            }
            if let Some((d, _)) = chars.peek() {
                pieces.at(*d, base + i);
            }
            continue;
        }
        let Some((d, c)) = chars.next() else { return };
        if !source.get(i..).is_some_and(|rest| rest.starts_with(c)) {
            return;
        }
        pieces.at(d, base + i);
        i += c.len_utf8();
        if style == Style::Single && c == '\'' {
            i += 1;
            if let Some((d, _)) = chars.peek() {
                pieces.at(*d, base + i);
            }
        }
    }
}

/// The lines of a block scalar's source with their offsets, without line ends.
fn lines(source: &str, base: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut at = base;
    source.split('\n').map(move |line| {
        let start = at;
        at += line.len() + 1;
        (start, line.strip_suffix('\r').unwrap_or(line))
    })
}

/// Literal block scalars: line by line, each without its indent.
fn literal(source: &str, base: usize, decoded: &str, pieces: &mut Pieces) {
    let mut from = 0;
    let mut wanted = decoded.split('\n');
    let Some(mut line) = wanted.next() else { return };
    for (at, written) in lines(source, base) {
        if !written.ends_with(line) {
            // A line of white space alone may be shorter than the indent.
            if !(line.is_empty() && written.trim().is_empty()) {
                return;
            }
        }
        pieces.at(from, at + written.len().saturating_sub(line.len()));
        from += line.len() + 1;
        match wanted.next() {
            Some(next) => line = next,
            None => return,
        }
    }
}

/// Folded block scalars: each line's text is found again in order.
fn folded(source: &str, base: usize, decoded: &str, pieces: &mut Pieces) {
    let mut from = 0;
    for (index, (at, written)) in lines(source, base).enumerate() {
        // The token starts behind the first line's indent; further lines carry theirs.
        let text = if index == 0 { written } else { written.trim_start_matches(' ') };
        if text.trim().is_empty() {
            continue;
        }
        while let Some(rest) = decoded.get(from..) {
            if rest.starts_with(text) {
                break;
            }
            if !rest.starts_with([' ', '\n']) {
                return;
            }
            from += 1;
        }
        if from >= decoded.len() {
            return;
        }
        pieces.at(from, at + written.len() - text.len());
        from += text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every non-blank character of the decoded text must be found at its place in the source.
    fn holds(source: &str, decoded: &str, style: Style) {
        let map = build(source, 0, source.len(), decoded, style);
        for (i, c) in decoded.char_indices().filter(|(_, c)| c.is_alphanumeric()) {
            let at = map.source_offset(i as u32) as usize;
            assert!(source[at..].starts_with(c), "{c} of {decoded:?} at {at} in {source:?}: {map:?}");
        }
    }

    #[test]
    fn pieces_follow_every_style() {
        holds("abc", "abc", Style::Plain);
        holds("ab\n   cd\n\n  ef", "ab cd\nef", Style::Plain);
        holds("'it''s x'", "it's x", Style::Single);
        holds("\"a\\tb c\n   d \\\n   e\"", "a\tb c d e", Style::Double);
        holds("x\n\n    y z\n   w\n", "x\n\n y z\nw\n", Style::Literal);
        holds("one\r\n  two\r\n", "one\ntwo\n", Style::Literal);
        holds("f1\n   f2 x\n\n   f3\n", "f1 f2 x\nf3\n", Style::Folded);
    }

    #[test]
    fn surrogates_are_one_character() {
        let source = "\"\\uD83D\\uDE00z\"";
        let map = build(source, 0, source.len(), "\u{1F600}z", Style::Double);
        assert_eq!(map.source_offset(4), 13);
    }
}
