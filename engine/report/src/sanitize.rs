//! The one way for text that others wrote to reach a terminal or a log.

use std::borrow::Cow;
use std::fmt;

/// Whether a character hides or moves what is shown: C0 but `\n` and `\t`, DEL, C1, and characters that set the text's direction, break
/// lines or are invisible by design.
pub fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        // Arabic letter mark, left-to-right and right-to-left marks, embeddings, overrides and isolates.
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // Line and paragraph separators, the byte order mark, annotations and the invisible tag characters.
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

/// Shows a text so that it cannot command a terminal: hidden characters are written as `\x1b` or `\u{202e}`; `\n` and `\t` pass.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            f.write_str(&rest[..at])?;
            write_escape(f, c)?;
            rest = &rest[at + c.len_utf8()..];
        }
        f.write_str(rest)
    }
}

fn write_escape(f: &mut dyn fmt::Write, c: char) -> fmt::Result {
    match c as u32 {
        n @ 0..=0xff => write!(f, "\\x{n:02x}"),
        n => write!(f, "\\u{{{n:04x}}}"),
    }
}

/// The text as [`Shown`] writes it.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_hidden) { Cow::Owned(Shown(text).to_string()) } else { Cow::Borrowed(text) }
}

/// As [`sanitize`], on one line: line breaks and tabs become single spaces.
pub fn sanitize_line(text: &str) -> Cow<'_, str> {
    let shown = sanitize(text);
    if shown.contains(['\n', '\t']) {
        Cow::Owned(shown.split(['\n', '\t']).map(str::trim).filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" "))
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_harmless() {
        for byte in 0..=255_u8 {
            let text = format!("a{}b", byte as char);
            let shown = sanitize(&text);
            assert!(shown.chars().all(|c| !is_hidden(c)), "{byte:#x}: {shown:?}");
            if (0x20..0x7f).contains(&byte) || byte >= 0xa0 || byte == b'\n' || byte == b'\t' {
                assert_eq!(shown, text);
            }
        }
    }

    #[test]
    fn every_character_is_harmless() {
        for c in '\0'..=char::MAX {
            let text = c.to_string();
            assert!(sanitize(&text).chars().all(|c| !is_hidden(c)), "{:#x}", c as u32);
        }
    }

    #[test]
    fn escapes_are_readable() {
        assert_eq!(sanitize("\x1b[2J"), "\\x1b[2J");
        assert_eq!(sanitize("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(sanitize("\u{9b}31m"), "\\x9b31m");
        assert_eq!(sanitize("a\r\nb"), "a\\x0d\nb");
        assert_eq!(sanitize_line("a\n  b\tc"), "a b c");
        assert!(matches!(sanitize("plain – text"), Cow::Borrowed(_)));
    }
}
