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
        _ => Some(crate::scalar::double_quoted(decoded)),
    }
}

/// A block scalar without its indent.
pub(super) struct Block<'a> {
    /// Its header: style, indentation indicator where one is needed, chomping.
    pub(super) header: String,
    /// How many lines the content takes, counted from the one after the header.
    pub(super) taken: usize,
    written: &'a str,
    indent: usize,
    /// How many lines there are before those that are empty at the end.
    full: usize,
}

impl<'a> Block<'a> {
    /// Its lines; white space at their ends is content.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a str> {
        let indent = self.indent;
        let full = raw(self.written).take(self.full).map(move |line| &line[indent.min(spaces(line))..]);
        full.chain(std::iter::repeat_n("", self.taken - self.full))
    }
}

/// The lines of a text, without their ends.
fn raw(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line))
}

fn spaces(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Takes a block scalar apart: `written` begins on the line after the header.
pub(super) fn block<'a>(header: &str, written: &'a str, decoded: &str) -> Block<'a> {
    let keep = header.contains('+');
    let has_text = |line: &&str| line.len() > spaces(line);
    // The first line with a character that is no space tells the indent: what its spaces are less in the decoded text.
    let indent = match (raw(written).find(has_text), decoded.split('\n').find(has_text)) {
        (Some(source), Some(result)) => spaces(source).saturating_sub(spaces(result)),
        // Nothing but spaces: those beyond the indent are content.
        _ => raw(written)
            .zip(decoded.split('\n'))
            .find(|(_, result)| !result.is_empty())
            .map_or(usize::MAX, |(source, result)| source.len().saturating_sub(result.len())),
    };
    let content = |line: &str| line.len() > indent.min(spaces(line));
    let full = raw(written).enumerate().filter(|(_, line)| content(line)).last().map_or(0, |(i, _)| i + 1);
    let ends = decoded.len() - decoded.trim_end_matches('\n').len();
    let blank = match () {
        () if !keep => 0,
        () if full == 0 => ends,
        () => ends.saturating_sub(1),
    };
    // Up to the first line with text: if one begins with a space, the indent cannot be told from it.
    let mut text = false;
    let mut first = raw(written).take(full).take_while(|line| !std::mem::replace(&mut text, has_text(line)));
    let indicator = if first.any(|line| spaces(line) > indent) { "2" } else { "" };
    let chomping = match () {
        () if header.contains('-') || (full > 0 && ends == 0) => "-",
        () if keep => "+",
        () => "",
    };
    Block { header: format!("{}{indicator}{chomping}", &header[..1]), taken: full + blank, written, indent, full }
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
        let all = |block: &Block<'static>| block.lines().collect::<Vec<_>>();
        let plain = block("|", "    a\n      b \n\n    c\n\n", "a\n  b \n\nc\n");
        assert_eq!((plain.header.as_str(), all(&plain), plain.taken), ("|", vec!["a", "  b ", "", "c"], 4));
        let kept = block("|+", "  a\n\n\n", "a\n\n\n");
        assert_eq!((kept.header.as_str(), all(&kept)), ("|+", vec!["a", "", ""]));
        let indented = block("|4-", "      a\n    b\n", "  a\nb");
        assert_eq!((indented.header.as_str(), all(&indented)), ("|2-", vec!["  a", "b"]));
        let cut = block(">", "  a", "a");
        assert_eq!((cut.header.as_str(), all(&cut)), (">-", vec!["a"]));
        let empty = block("|", "\n\n", "");
        assert_eq!((empty.header.as_str(), empty.lines().count()), ("|", 0));
        let spaces = block("|2", "     \n", "   \n");
        assert_eq!((spaces.header.as_str(), all(&spaces)), ("|2", vec!["   "]));
    }
}
