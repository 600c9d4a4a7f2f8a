//! Bytes into text: encoding, byte-order mark, and characters that hide what a file says.

use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics};
use runbook_core::span::{SourceId, SourceMap, Span};

/// The largest file that is read, in bytes.
pub(crate) const MAX_BYTES: usize = 10 * 1024 * 1024;

/// How many hidden characters of a file are reported before the rest is passed over.
const MAX_REPORTED: usize = 20;

/// A file that is larger than what is read, with the line that is the first over the limit. `size` is the whole size, if it is known.
fn too_large(name: &str, bytes: &[u8], size: Option<u64>, sources: &mut SourceMap) -> Diagnostic {
    let read = String::from_utf8_lossy(bytes.get(..MAX_BYTES).unwrap_or(bytes));
    let id = sources.add(name, &*read);
    let size = size.map_or(bytes.len(), |n| usize::try_from(n).unwrap_or(usize::MAX)).max(bytes.len());
    let start = read.rfind('\n').map_or(0, |i| i + 1);
    let line = read.bytes().filter(|b| *b == b'\n').count() + 1;
    let message =
        format!("the file is {size} bytes large; {MAX_BYTES} (10 MiB) is the limit, which line {line} is the first to pass");
    Diagnostic::error(Code::TooLarge, Span::new(id, start, start), message)
        .help("keep the data in a file of its own and read it with a module")
}

/// Adds the file's text to the sources and reports what no playbook may contain. `None` if it cannot be read any further.
pub(crate) fn accept(name: &str, bytes: &[u8], sources: &mut SourceMap, out: &mut Diagnostics) -> Option<SourceId> {
    accept_of(name, bytes, None, sources, out)
}

/// As [`accept`], for a file of which only the beginning may have been read: `size` is the whole size, if it is known.
pub(crate) fn accept_of(
    name: &str,
    bytes: &[u8],
    size: Option<u64>,
    sources: &mut SourceMap,
    out: &mut Diagnostics,
) -> Option<SourceId> {
    if bytes.len() > MAX_BYTES {
        out.push(too_large(name, bytes, size, sources));
        return None;
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let id = sources.add(name, &*String::from_utf8_lossy(bytes));
            let span = Span::new(id, at, at + '\u{FFFD}'.len_utf8());
            out.push(if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
                Diagnostic::error(Code::NotUtf8, span, "the file looks like UTF-16").help("save the file as UTF-8")
            } else {
                let byte = bytes.get(at).copied().unwrap_or_default();
                Diagnostic::error(Code::NotUtf8, span, format!("the byte 0x{byte:02X} at offset {at} is not UTF-8"))
                    .help("save the file as UTF-8")
            });
            return None;
        }
    };
    let id = sources.add(name, text);
    let before = out.len();
    hidden_characters(text, id, out);
    (out.len() == before).then_some(id)
}

/// Reports control, direction and invisible characters.
fn hidden_characters(text: &str, source: SourceId, out: &mut Diagnostics) {
    let mut reported = 0;
    let mut indent = true;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next_is_newline = c == '\r' && chars.peek().is_some_and(|(_, n)| *n == '\n');
        // Nearly every character is an ordinary one.
        if !c.is_ascii_graphic()
            && !matches!(c, ' ' | '\n' | '\t')
            && !next_is_newline
            && let Some(diagnostic) = hidden(c, Span::new(source, at, at + c.len_utf8()), indent)
        {
            out.push(diagnostic);
            reported += 1;
            if reported == MAX_REPORTED {
                return;
            }
        }
        indent = match c {
            '\n' => true,
            ' ' | '\t' | '-' => indent,
            _ => false,
        };
    }
}

/// What is wrong with a character, if anything is.
fn hidden(c: char, span: Span, indent: bool) -> Option<Diagnostic> {
    let name = format!("U+{:04X}", c as u32);
    let (code, message, help) = match c {
        '\r' => (
            Code::ControlCharacter,
            "a carriage return alone (U+000D) inside a line".to_owned(),
            "end lines with a line feed, or with both".to_owned(),
        ),
        '\u{FEFF}' => (
            Code::ControlCharacter,
            format!("a byte-order mark ({name}) in the middle of the file"),
            "remove it; it may only stand at the very start".to_owned(),
        ),
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{061C}' => (
            Code::ControlCharacter,
            format!("a text-direction character ({name}) hides what the line says"),
            "remove it".to_owned(),
        ),
        '\u{00A0}' | '\u{3000}' | '\u{2000}'..='\u{200B}' | '\u{202F}' | '\u{205F}' | '\u{2060}' if indent => {
            (Code::YamlSyntax, format!("an invisible space ({name}) in the indent"), "use ordinary spaces (U+0020)".to_owned())
        }
        '\u{2028}' | '\u{2029}' => (
            Code::ControlCharacter,
            format!("a line separator ({name}) that most editors do not show"),
            "use an ordinary line break".to_owned(),
        ),
        c if c.is_control() => (
            Code::ControlCharacter,
            format!("a control character ({name})"),
            format!("remove it, or write it as an escape in double quotes: \"{}\"", escape(c)),
        ),
        _ => return None,
    };
    Some(Diagnostic::error(code, span, message).help(help))
}

/// The YAML escape for a character.
fn escape(c: char) -> String {
    match c {
        '\0' => "\\0".to_owned(),
        '\u{1B}' => "\\e".to_owned(),
        c if (c as u32) < 0x100 => format!("\\x{:02X}", c as u32),
        c => format!("\\u{:04X}", c as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(bytes: &[u8]) -> Vec<String> {
        let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
        accept("a.yaml", bytes, &mut sources, &mut out);
        out.into_sorted().into_iter().map(|d| d.message).collect()
    }

    #[test]
    fn ordinary_text_is_accepted() {
        for text in ["a: 1\n", "a: 1\r\nb: 2\r\n", "\u{FEFF}a: é\u{A0}x\n", "a: \"\\e\"\n\t# tab\n"] {
            assert!(complaints(text.as_bytes()).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn a_file_over_the_limit_names_the_first_line_over_it() {
        let line = b"# 0123456789abc\n";
        let many = line.repeat(MAX_BYTES / line.len() + 5);
        let (mut sources, mut out) = (SourceMap::default(), Diagnostics::default());
        accept_of("a.yaml", &many[..MAX_BYTES + 1], Some(many.len() as u64), &mut sources, &mut out);
        let found = &out.into_sorted()[0];
        assert!(found.message.starts_with(&format!("the file is {} bytes large", many.len())), "{}", found.message);
        let place = found.span.and_then(|s| sources.place(s)).expect("a place");
        assert_eq!(place.line as usize, MAX_BYTES / line.len() + 1);
        assert!(found.message.ends_with(&format!("line {} is the first to pass", place.line)), "{}", found.message);
        assert!(complaints(&line.repeat(MAX_BYTES / line.len())).is_empty(), "just as large as may be");
    }

    #[test]
    fn hidden_characters_are_named() {
        assert_eq!(complaints(b"name: \xff"), ["the byte 0xFF at offset 6 is not UTF-8"]);
        assert_eq!(complaints(b"\xff\xfea\0"), ["the file looks like UTF-16"]);
        assert!(complaints(b"a: x\0y")[0].contains("U+0000"));
        assert!(complaints("a: \u{9b}".as_bytes())[0].contains("U+009B"));
        assert!(complaints("a: \u{202e}x".as_bytes())[0].contains("text-direction"));
        assert!(complaints("a:\n\u{a0}b: 1".as_bytes())[0].contains("invisible space (U+00A0)"));
        assert!(complaints(b"a: 1\rb: 2")[0].contains("carriage return"));
        assert!(complaints("a: x\u{feff}".as_bytes())[0].contains("byte-order mark"));
    }
}
