//! How wide text is, at most.
//!
//! The font is the reader's: widths are those of the widest one in the list of fonts, so that no text is wider than it is measured.

/// A kind of text: its size and face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// What a node is called.
    Label,
    /// What a node is, in a word.
    Word,
    /// What a node runs.
    Code,
    /// What is to be known.
    Note,
    /// An answer on an edge.
    Answer,
    /// The picture's title.
    Title,
}

impl Face {
    /// Its size in pixels.
    pub(super) fn size(self) -> f64 {
        match self {
            Face::Title => 17.0,
            Face::Label => 13.5,
            Face::Answer => 12.0,
            Face::Word | Face::Note => 11.5,
            Face::Code => 11.0,
        }
    }

    /// From one line to the next.
    pub(super) fn leading(self) -> f64 {
        (self.size() * 1.36).ceil()
    }

    fn is_bold(self) -> bool {
        matches!(self, Face::Label | Face::Title | Face::Answer)
    }
}

/// Advance widths of the characters from space to `~` in hundredths of the size, the widest of the fonts in the list.
const PLAIN: [u8; 95] = [
    32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84,
    56, 102, 69, 69, 73, 78, 67, 62, 78, 76, 30, 50, 67, 56, 87, 75, 79, 67, 79, 73, 67, 62, 74, 69, 99, 69, 67, 69, 40, 34, 40,
    84, 56, 50, 62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34,
    64, 84,
];

/// The same in bold.
const BOLD: [u8; 95] = [
    35, 46, 53, 84, 70, 101, 88, 31, 46, 46, 53, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70, 70, 70, 70, 70, 40, 40, 84, 84, 84,
    62, 100, 78, 77, 74, 84, 69, 69, 83, 84, 38, 56, 78, 64, 100, 84, 86, 74, 86, 78, 73, 69, 82, 78, 111, 78, 73, 73, 46, 37,
    46, 84, 56, 50, 68, 72, 60, 72, 68, 44, 72, 72, 35, 35, 67, 35, 105, 72, 69, 72, 72, 50, 60, 48, 72, 66, 93, 65, 66, 59, 72,
    37, 72, 84,
];

/// The width of a text in pixels, at most.
pub fn width(text: &str, face: Face) -> f64 {
    text.chars().map(|c| advance(c, face)).sum::<f64>() * face.size()
}

fn advance(c: char, face: Face) -> f64 {
    let code = c as u32;
    if let Some(at) = code.checked_sub(32).filter(|at| *at < 95) {
        let table = if face.is_bold() { &BOLD } else { &PLAIN };
        return if face == Face::Code { 0.62 } else { f64::from(table[at as usize]) / 100.0 };
    }
    match code {
        // Letters that are as narrow as the unaccented ones; the wide ones among them are not.
        0xdf..=0x17f if c.is_lowercase() && !matches!(c, 'æ' | 'œ' | 'ŉ' | 'ĳ' | 'ǆ') => 0.8,
        0xa0..=0x17f => 1.2,
        0x2010..=0x2027 | 0x2190..=0x21ff => 1.05,
        // Long dashes and ligatures that are whole phrases.
        0x2e3a | 0x2e3b => 3.2,
        0xfdf0..=0xfdff => 12.0,
        0x12000..=0x1247f => 4.0,
        0x2000..=0x206f => 2.0,
        0x1f000.. => 1.45,
        _ if console::measure_text_width(c.encode_utf8(&mut [0; 4])) == 2 => 1.1,
        _ => 1.6,
    }
}

/// Breaks a text into lines that are at most so wide: at spaces, else after a slash, else anywhere. Of more lines than `most` the rest is
/// left out, with an ellipsis.
pub(super) fn wrap(text: &str, face: Face, room: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in crate::sanitize::sanitize(text).lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if lines.len() > most {
                break;
            }
            let mut space = if line.is_empty() { "" } else { " " };
            // A word that fits on a line of its own is not broken.
            if width(word, face) <= room {
                if width(&line, face) + width(space, face) + width(word, face) > room {
                    lines.push(std::mem::take(&mut line));
                    space = "";
                }
                line.push_str(space);
                line.push_str(word);
                continue;
            }
            for part in word.split_inclusive('/') {
                let wide = width(&line, face) + width(space, face);
                if !line.is_empty() && wide + width(part, face) > room {
                    lines.push(std::mem::take(&mut line));
                    space = "";
                }
                line.push_str(space);
                space = "";
                for c in part.chars() {
                    line.push(c);
                    if width(&line, face) > room && line.chars().nth(1).is_some() {
                        line.pop();
                        lines.push(std::mem::take(&mut line));
                        line.push(c);
                    }
                }
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        if lines.len() > most {
            break;
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            let dots = width("…", face);
            while width(last, face) + dots > room && last.pop().is_some() {}
            last.truncate(last.trim_end().len());
            last.push('…');
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_fits() {
        let text = "Ist der Dienst «erreichbar»? 日本語のテキスト 🚒🚒🚒 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        for face in [Face::Label, Face::Note, Face::Code] {
            for room in [60.0, 120.0, 300.0] {
                let lines = wrap(text, face, room, 100);
                assert!(lines.iter().all(|l| width(l, face) <= room), "{lines:?}");
                assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
            }
        }
    }

    #[test]
    fn what_is_left_out_is_marked() {
        let lines = wrap("one two three four five six", Face::Note, 60.0, 2);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with('…') && width(&lines[1], Face::Note) <= 60.0, "{lines:?}");
        assert!(wrap("", Face::Note, 60.0, 2).is_empty());
    }
}
