//! Text as it is written again: lines that lose their indent, block scalars that keep every byte, and what fits on one line.

use granit_parser::ScalarStyle;

/// The lines of plain or quoted text, without the white space that folding takes away anyway. Empty lines count: each is a line break.
pub(super) fn lines(written: &str, style: ScalarStyle) -> Vec<&str> {
    let count = written.split('\n').count();
    written
        .split('\n')
        .enumerate()
        .map(|(i, line)| {
            let line = if i == 0 { line } else { line.trim_start_matches([' ', '\t']) };
            if i + 1 == count { line } else { end(line, style) }
        })
        .collect()
}

/// A line without the white space at its end, save where a backslash keeps it.
fn end(line: &str, style: ScalarStyle) -> &str {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let short = line.trim_end_matches([' ', '\t']);
    let backslashes = short.bytes().rev().take_while(|b| *b == b'\\').count();
    if style == ScalarStyle::DoubleQuoted && backslashes % 2 == 1 && short.len() < line.len() {
        // An escaped space or tab.
        return &line[..=short.len()];
    }
    short
}

/// Text over several lines as one line of the same style; `None` if it holds a line break.
pub(super) fn one_line(decoded: &str, style: ScalarStyle) -> Option<String> {
    match style {
        ScalarStyle::Plain => (!decoded.contains('\n')).then(|| decoded.to_owned()),
        ScalarStyle::SingleQuoted => (!decoded.contains('\n')).then(|| format!("'{}'", decoded.replace('\'', "''"))),
        _ => Some(double(decoded)),
    }
}

/// A text in double quotes.
fn double(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            '\u{1B}' => out.push_str("\\e"),
            c if c.is_control() => out.push_str(&format!("\\x{:02X}", c as u32)),
            '\u{FEFF}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2069}'
            | '\u{61C}' => {
                out.push_str(&format!("\\u{:04X}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A block scalar without its indent.
pub(super) struct Block<'a> {
    /// Its header: style, indentation indicator where one is needed, chomping.
    pub(super) header: String,
    /// Its lines; white space at their ends is content.
    pub(super) lines: Vec<&'a str>,
    /// How many lines of the file the content takes, counted from the one after the header.
    pub(super) taken: usize,
}

/// Takes a block scalar apart: `written` begins on the line after the header.
pub(super) fn block<'a>(header: &str, written: &'a str, decoded: &str) -> Block<'a> {
    let style = &header[..1];
    let keep = header.contains('+');
    let all: Vec<&str> = written.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).collect();
    let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
    // The first line with a character that is no space tells the indent: what its spaces are less in the decoded text.
    let has_text = |line: &&&str| !line.trim_start_matches(' ').is_empty();
    let indent = match (all.iter().find(has_text), decoded.split('\n').collect::<Vec<_>>().iter().find(has_text)) {
        (Some(source), Some(result)) => spaces(source).saturating_sub(spaces(result)),
        // Nothing but spaces: those beyond the indent are content.
        _ => all
            .iter()
            .zip(decoded.split('\n'))
            .find(|(_, result)| !result.is_empty())
            .map_or(usize::MAX, |(source, result)| source.len().saturating_sub(result.len())),
    };
    let mut lines: Vec<&str> = all.iter().map(|line| &line[indent.min(spaces(line))..]).collect();
    while lines.last().is_some_and(|l| l.is_empty()) {
        lines.pop();
    }
    let ends = decoded.len() - decoded.trim_end_matches('\n').len();
    if keep {
        let blank = if lines.is_empty() { ends } else { ends.saturating_sub(1) };
        lines.resize(lines.len() + blank, "");
    }
    let taken = lines.len();
    let before_text = lines.iter().position(|l| !l.trim_start_matches(' ').is_empty()).map_or(lines.len(), |first| first + 1);
    let indicator = if lines[..before_text].iter().any(|l| l.starts_with(' ')) { "2" } else { "" };
    let chomping = match () {
        () if header.contains('-') => "-",
        () if !lines.is_empty() && ends == 0 => "-",
        () if keep => "+",
        () => "",
    };
    Block { header: format!("{style}{indicator}{chomping}"), lines, taken }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_takes_white_space_but_not_what_is_escaped() {
        let lines = |text: &'static str| lines(text, ScalarStyle::DoubleQuoted);
        assert_eq!(lines("\"a  \n   b \r\n\n c\""), ["\"a", "b", "", "c\""]);
        assert_eq!(lines("\"a \\  \n b \\\n c\""), ["\"a \\ ", "b \\", "c\""]);
        assert_eq!(lines("\"a\\\\  \n b\""), ["\"a\\\\", "b\""]);
    }

    #[test]
    fn one_line_says_the_same() {
        assert_eq!(one_line("a b", ScalarStyle::Plain).as_deref(), Some("a b"));
        assert_eq!(one_line("a\nb", ScalarStyle::Plain), None);
        assert_eq!(one_line("it's", ScalarStyle::SingleQuoted).as_deref(), Some("'it''s'"));
        assert_eq!(one_line("a\n\"\\", ScalarStyle::DoubleQuoted).as_deref(), Some("\"a\\n\\\"\\\\\""));
    }

    #[test]
    fn block_scalars_keep_every_byte() {
        let plain = block("|", "    a\n      b \n\n    c\n\n", "a\n  b \n\nc\n");
        assert_eq!((plain.header.as_str(), plain.lines, plain.taken), ("|", vec!["a", "  b ", "", "c"], 4));
        let kept = block("|+", "  a\n\n\n", "a\n\n\n");
        assert_eq!((kept.header.as_str(), kept.lines), ("|+", vec!["a", "", ""]));
        let indented = block("|4-", "      a\n    b\n", "  a\nb");
        assert_eq!((indented.header.as_str(), indented.lines), ("|2-", vec!["  a", "b"]));
        let cut = block(">", "  a", "a");
        assert_eq!((cut.header.as_str(), cut.lines), (">-", vec!["a"]));
        let empty = block("|", "\n\n", "");
        assert_eq!((empty.header.as_str(), empty.lines.len()), ("|", 0));
        let spaces = block("|2", "     \n", "   \n");
        assert_eq!((spaces.header.as_str(), spaces.lines), ("|2", vec!["   "]));
    }
}
