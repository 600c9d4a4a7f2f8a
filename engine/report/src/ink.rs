//! Lines of styled text. The only place that writes colour, and every text put into a line is sanitized on the way in.

use console::measure_text_width;

use crate::sanitize::sanitize_line;

/// What a piece of text is, from which its colour follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ink {
    #[default]
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
    Accent,
}

impl Ink {
    fn sgr(self) -> &'static str {
        match self {
            Ink::Plain => "",
            Ink::Bold => "\x1b[1m",
            Ink::Dim => "\x1b[2m",
            Ink::Good => "\x1b[32m",
            Ink::Bad => "\x1b[31m",
            Ink::Warn => "\x1b[33m",
            Ink::Accent => "\x1b[36m",
        }
    }
}

/// One line of styled text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    parts: Vec<(Ink, String)>,
}

impl Line {
    pub(crate) fn new() -> Self {
        Line::default()
    }

    /// A line of one text.
    pub(crate) fn of(ink: Ink, text: &str) -> Self {
        Line::new().with(ink, text)
    }

    /// A line that begins with so many spaces.
    pub(crate) fn indent(spaces: usize) -> Self {
        Line { parts: vec![(Ink::Plain, " ".repeat(spaces))] }
    }

    /// Adds a text.
    pub(crate) fn push(&mut self, ink: Ink, text: &str) {
        if !text.is_empty() {
            self.parts.push((ink, sanitize_line(text).into_owned()));
        }
    }

    /// With a text added.
    pub(crate) fn with(mut self, ink: Ink, text: &str) -> Self {
        self.push(ink, text);
        self
    }

    /// Adds the pieces of another line.
    pub(crate) fn append(&mut self, other: Line) {
        self.parts.extend(other.parts);
    }

    /// Its width in columns.
    pub(crate) fn width(&self) -> usize {
        self.parts.iter().map(|(_, t)| measure_text_width(t)).sum()
    }

    /// Fills it with spaces up to a column.
    pub(crate) fn pad_to(&mut self, column: usize) {
        let missing = column.saturating_sub(self.width());
        if missing > 0 {
            self.parts.push((Ink::Plain, " ".repeat(missing)));
        }
    }

    /// Cuts it to a width, with an ellipsis for what is lost.
    pub(crate) fn fit(mut self, width: usize, ellipsis: &str) -> Self {
        if self.width() <= width {
            return self;
        }
        let mut room = width.saturating_sub(measure_text_width(ellipsis));
        let mut kept = Vec::new();
        for (ink, text) in self.parts.drain(..) {
            let wide = measure_text_width(&text);
            if wide <= room {
                room -= wide;
                kept.push((ink, text));
                continue;
            }
            let (head, _) = split_at_width(&text, room);
            kept.push((ink, format!("{}{ellipsis}", head.trim_end())));
            break;
        }
        Line { parts: kept }
    }

    /// Breaks it at spaces into lines of a width, each piece of text in its ink; longer words are cut. Every line but the first leaves
    /// room for so many spaces before it.
    pub(crate) fn wrapped(&self, width: usize, hang: usize) -> Vec<Line> {
        let width = width.max(8);
        let hang = hang.min(width / 2);
        let mut lines = Vec::new();
        let mut line = Line::new();
        let (mut room, mut spaces) = (width, 0);
        for (ink, text) in &self.parts {
            for word in text.split_inclusive(' ') {
                let mut rest = word.trim_end_matches(' ');
                let after = word.len() - rest.len();
                let is_empty = line.parts.is_empty();
                // What would not fit on a line of its own either is broken where it stands.
                let is_moved = measure_text_width(rest) <= width - hang || room < width / 3;
                if !rest.is_empty() && !is_empty && is_moved && spaces + measure_text_width(rest) > room {
                    lines.push(std::mem::take(&mut line));
                    (room, spaces) = (width - hang, 0);
                }
                while spaces + measure_text_width(rest) > room {
                    let (head, tail) = split_at_width(rest, room.saturating_sub(spaces));
                    line.push(*ink, &format!("{}{head}", " ".repeat(spaces)));
                    lines.push(std::mem::take(&mut line));
                    (room, spaces, rest) = (width - hang, 0, tail);
                }
                if !rest.is_empty() {
                    let piece = format!("{}{rest}", " ".repeat(std::mem::take(&mut spaces)));
                    room = room.saturating_sub(measure_text_width(&piece));
                    line.push(*ink, &piece);
                }
                spaces += after;
            }
        }
        lines.push(line);
        lines
    }

    /// The text, with colour or without, without spaces at the end.
    pub(crate) fn render(&self, color: bool) -> String {
        let mut out = String::new();
        let plain_end: String = self.parts.iter().map(|(_, t)| t.as_str()).collect();
        let mut left = plain_end.trim_end().len();
        for (ink, text) in &self.parts {
            let piece = &text[..text.len().min(left)];
            left -= piece.len();
            if piece.is_empty() {
                continue;
            }
            if color && *ink != Ink::Plain && !piece.trim().is_empty() {
                out.push_str(ink.sgr());
                out.push_str(piece);
                out.push_str("\x1b[0m");
            } else {
                out.push_str(piece);
            }
        }
        out
    }
}

/// Splits a text after so many columns; what takes no room of its own stays with the character before it, which it may make wider
/// (`*` with an emoji's variation selector takes two columns).
pub(crate) fn split_at_width(text: &str, width: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, cluster) in clusters(text) {
        let wide = measure_text_width(cluster);
        if used + wide > width {
            return text.split_at(at);
        }
        used += wide;
    }
    (text, "")
}

/// The characters of a text, each with those after it that take no room of their own, and where each begins.
pub(crate) fn clusters(text: &str) -> impl DoubleEndedIterator<Item = (usize, &str)> {
    let starts = text.char_indices().filter(|(at, c)| *at == 0 || measure_text_width(c.encode_utf8(&mut [0; 4])) > 0);
    let starts: Vec<usize> = starts.map(|(at, _)| at).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| (start, &text[start..end]))
}

/// Cuts a text to a width, with an ellipsis for what is lost.
pub(crate) fn clip(text: &str, width: usize, ellipsis: &str) -> String {
    let text = sanitize_line(text);
    if measure_text_width(&text) <= width {
        return text.into_owned();
    }
    let (head, _) = split_at_width(&text, width.saturating_sub(measure_text_width(ellipsis)));
    format!("{}{ellipsis}", head.trim_end())
}

/// Breaks a text into lines at spaces; longer words are cut. Line breaks in the text are kept.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = Vec::new();
    for paragraph in crate::sanitize::sanitize(text).lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let mut word = word;
            let needed = measure_text_width(word) + usize::from(!line.is_empty());
            if measure_text_width(&line) + needed > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            while measure_text_width(word) > width {
                let (head, tail) = split_at_width(word, width);
                lines.push(head.to_owned());
                word = tail;
            }
            if !line.is_empty() && !word.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// Breaks a line of a program's output at the width, keeping its spaces.
pub(crate) fn wrap_hard(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let shown = crate::sanitize::sanitize(text).replace('\t', "    ");
    let mut lines = Vec::new();
    for line in shown.split('\n') {
        let mut rest = line;
        loop {
            let (mut head, mut tail) = split_at_width(rest, width);
            if tail.is_empty() {
                lines.push(head.trim_end().to_owned());
                break;
            }
            // At a space, if one is near.
            if let Some(space) = head.rfind(' ').filter(|at| *at > head.len() * 2 / 3) {
                (head, tail) = rest.split_at(space + 1);
            }
            lines.push(head.trim_end().to_owned());
            rest = tail;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit() {
        let line = Line::of(Ink::Bold, "abc").with(Ink::Plain, "defgh");
        assert_eq!(line.clone().fit(8, "…").render(false), "abcdefgh");
        assert_eq!(line.clone().fit(6, "…").render(false), "abcde…");
        assert_eq!(line.fit(6, "…").render(true), "\x1b[1mabc\x1b[0mde…");
        assert_eq!(clip("日本語", 5, "…"), "日本…");
        assert_eq!(clip("日本語", 4, "…"), "日…");
    }

    #[test]
    fn text_wraps() {
        assert_eq!(wrap("one two three", 9), ["one two", "three"]);
        assert_eq!(wrap("abcdefghijkl", 8), ["abcdefgh", "ijkl"]);
        assert_eq!(wrap_hard("  a\tb", 80), ["  a    b"]);
    }

    #[test]
    fn nothing_commands_the_terminal() {
        let line = Line::of(Ink::Plain, "\x1b[2Jx\r\u{202e}");
        assert_eq!(line.render(false), "\\x1b[2Jx\\x0d\\u{202e}");
    }
}
