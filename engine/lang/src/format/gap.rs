//! What stands between two values: white space, comments, and the marks that the parser swallows.

/// The next byte at or after `from` that is neither white space nor part of a comment.
///
/// A `#` begins a comment at the start of the text or after white space, and `from` is the end of a value, so that what is looked through is
/// never the inside of one.
pub(super) fn next_mark(text: &str, from: usize) -> Option<(usize, u8)> {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => at += 1,
            b'#' if at == 0 || matches!(bytes[at - 1], b' ' | b'\t' | b'\n' | b'\r') => {
                at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at);
            }
            byte => return Some((at, *byte)),
        }
    }
    None
}

/// Where the first key of a map or its next one begins, `?` and anchor included: past the `,` or `: ` that may stand between.
pub(super) fn key(text: &str, from: usize) -> usize {
    let mut at = from;
    loop {
        match next_mark(text, at) {
            Some((place, b',')) => at = place + 1,
            Some((place, b':')) if text.as_bytes().get(place + 1).is_none_or(u8::is_ascii_whitespace) => at = place + 1,
            Some((place, _)) => return place,
            None => return text.len(),
        }
    }
}

/// The dash that begins a list item, looked for from the end of what came before. Anchors of the list itself are passed over.
pub(super) fn dash(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match next_mark(text, at)? {
            (place, b'-') => return Some(place),
            (place, b'&') => at = place + word(text, place),
            (place, _) => at = place + 1,
        }
    }
}

/// The header of a block scalar (`|-`, `>2`), looked for from the end of what came before.
pub(super) fn header(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        match next_mark(text, at)? {
            (place, b'|' | b'>') => return Some((place, place + word(text, place))),
            (place, b'&') => at = place + word(text, place),
            (place, _) => at = place + 1,
        }
    }
}

/// How many bytes there are up to the next white space.
fn word(text: &str, at: usize) -> usize {
    text.as_bytes()[at..].iter().position(u8::is_ascii_whitespace).unwrap_or(text.len() - at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_past_comments() {
        assert_eq!(next_mark("a: # - x\n  - y", 2), Some((11, b'-')));
        assert_eq!(next_mark("a # x", 1), None);
        assert_eq!(key(": # c\n  ? b", 0), 8);
        assert_eq!(key(", :b", 0), 2);
        assert_eq!(dash("k: &a-b # -\n- x", 2), Some(12));
        assert_eq!(header("k: &x # |\n  |-2 # c\n", 2), Some((12, 15)));
        assert_eq!(header("k: v", 2), None);
    }
}
