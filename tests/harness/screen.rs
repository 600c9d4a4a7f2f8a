//! What a terminal shows of what a program wrote to it.

/// How wide it is.
pub(crate) const WIDTH: usize = 80;

/// Lines of characters and a cursor; as long as what is written.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    lines: Vec<Vec<char>>,
    /// The lines that go on in the next one, because they were too long.
    going_on: std::collections::BTreeSet<usize>,
    row: usize,
    column: usize,
}

impl Screen {
    /// The screen after these characters and control sequences.
    pub(crate) fn of(text: &str) -> Screen {
        let mut screen = Screen { lines: vec![Vec::new()], ..Screen::default() };
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\r' => screen.column = 0,
                '\n' => screen.go(screen.row + 1),
                '\u{8}' => screen.column = screen.column.saturating_sub(1),
                '\u{1b}' => screen.sequence(&mut chars),
                c if c.is_control() => {}
                c => screen.put(c),
            }
        }
        screen
    }

    /// The lines without the white space at their ends and without empty ones at the end.
    pub(crate) fn text(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for (i, line) in self.lines.iter().enumerate() {
            let line: String = line.iter().collect();
            match i.checked_sub(1).filter(|before| self.going_on.contains(before)).and_then(|_| lines.last_mut()) {
                Some(before) => before.push_str(&line),
                None => lines.push(line),
            }
        }
        let lines: Vec<&str> = lines.iter().map(|l| l.trim_end()).collect();
        let end = lines.iter().rposition(|l| !l.is_empty()).map_or(0, |i| i + 1);
        lines[..end].iter().flat_map(|l| [*l, "\n"]).collect()
    }

    /// The line in which the cursor stands, up to the cursor; `None` if something comes after it.
    pub(crate) fn last_line(&self) -> Option<String> {
        let line = &self.lines[self.row];
        (self.row + 1 == self.lines.len() && self.column == line.len()).then(|| line.iter().collect())
    }

    fn go(&mut self, row: usize) {
        self.row = row;
        while self.lines.len() <= row {
            self.lines.push(Vec::new());
        }
    }

    fn put(&mut self, c: char) {
        if self.column == WIDTH {
            self.going_on.insert(self.row);
            self.column = 0;
            self.go(self.row + 1);
        }
        let line = &mut self.lines[self.row];
        while line.len() <= self.column {
            line.push(' ');
        }
        line[self.column] = c;
        self.column += 1;
    }

    /// What comes after an escape character. Colours, titles and modes show nothing.
    fn sequence(&mut self, chars: &mut std::str::Chars<'_>) {
        match chars.next() {
            Some('[') => {
                let mut number = String::new();
                for c in chars.by_ref() {
                    if ('@'..='~').contains(&c) {
                        self.control(c, number.parse().ok());
                        return;
                    }
                    number.push(c);
                }
            }
            Some(']') => {
                for c in chars.by_ref() {
                    if c == '\u{7}' {
                        return;
                    }
                }
            }
            Some('(' | ')') => {
                chars.next();
            }
            _ => {}
        }
    }

    fn control(&mut self, what: char, number: Option<usize>) {
        let count = number.unwrap_or(1).max(1);
        match what {
            'A' => self.row = self.row.saturating_sub(count),
            'B' => self.go(self.row + count),
            'C' => self.column += count,
            'D' => self.column = self.column.saturating_sub(count),
            'G' => self.column = count - 1,
            'J' => {
                self.lines.truncate(self.row + 1);
                self.going_on.retain(|row| *row < self.row);
                self.clear_line(0);
            }
            'K' => self.clear_line(number.unwrap_or(0)),
            _ => {}
        }
    }

    fn clear_line(&mut self, which: usize) {
        self.going_on.remove(&self.row);
        let line = &mut self.lines[self.row];
        match which {
            0 => line.truncate(self.column),
            _ => line.clear(),
        }
    }
}

#[test]
fn lines_are_redrawn_and_erased() {
    assert_eq!(Screen::of("a\r\nbc\r\u{1b}[1A\u{1b}[2Kx\r\n").text(), "x\nbc\n");
    assert_eq!(Screen::of("\u{1b}[1;31mred\u{1b}[0m  \r\n\r\n").text(), "red\n");
    assert_eq!(Screen::of("old line\rnew\u{1b}[K").text(), "new\n");
    assert_eq!(Screen::of("a\r\nb\r\n\u{1b}[2A\u{1b}[J").text(), "");
    let long = "x".repeat(WIDTH + 3);
    assert_eq!(Screen::of(&format!("{long}\r\ny\r\n")).text(), format!("{long}\ny\n"));
    let redrawn = format!("{long}\u{1b}[1A\r\u{1b}[2K\u{1b}[1B\r\u{1b}[2K\u{1b}[1Aa\r\nb");
    assert_eq!(Screen::of(&redrawn).text(), "a\nb\n");
    assert_eq!(Screen::of("a: ").last_line().as_deref(), Some("a: "));
    assert_eq!(Screen::of("a: \r").last_line(), None);
}
