//! What is written so far, and the comments beside it, which keep the column that they share.

/// A comment beside something.
struct Beside {
    /// Where what it stands beside ends.
    at: usize,
    line: usize,
    /// How many characters that line has before it.
    width: usize,
    /// How many spaces the author put between.
    gap: usize,
    /// The column that it had, if what it stands beside is written as it was.
    column: Option<usize>,
    text: String,
}

/// Text that grows line by line.
#[derive(Default)]
pub(super) struct Out {
    text: String,
    line: usize,
    line_start: usize,
    beside: Vec<Beside>,
    /// The line that ends with a comment, after which nothing can be written.
    closed: Option<usize>,
}

impl Out {
    /// Writes within the line.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Begins a new line, indented. The first line of all is there already.
    pub(super) fn line(&mut self, indent: usize) {
        if !self.text.is_empty() {
            self.text.push('\n');
            self.line += 1;
            self.line_start = self.text.len();
        }
        self.text.extend(std::iter::repeat_n(' ', indent));
    }

    /// Leaves a line empty: what comes next begins a new one.
    pub(super) fn blank(&mut self) {
        self.text.push('\n');
        self.line += 1;
        self.line_start = self.text.len();
    }

    /// How many characters the line has.
    pub(super) fn column(&self) -> usize {
        self.text[self.line_start..].chars().count()
    }

    /// Whether the line ends with a comment, after which nothing can be written.
    pub(super) fn is_closed(&self) -> bool {
        self.closed == Some(self.line)
    }

    /// Ends the line with a comment that has it to itself.
    pub(super) fn comment(&mut self, text: &str) {
        self.text.push_str(text);
        self.closed = Some(self.line);
    }

    /// Puts a comment beside what the line says.
    pub(super) fn beside(&mut self, text: String, gap: usize, column: Option<usize>) {
        let width = self.column();
        self.closed = Some(self.line);
        self.beside.push(Beside { at: self.text.len(), line: self.line, width, gap: gap.max(1), column, text });
    }

    /// The whole text.
    ///
    /// Comments in lines that follow each other and that had one column have one column again: as far to the right as the smallest of
    /// their gaps puts them beside the longest of their lines.
    pub(super) fn finish(self) -> String {
        let mut out =
            String::with_capacity(self.text.len() + self.beside.iter().map(|b| b.text.len() + b.gap).sum::<usize>() + 1);
        let mut from = 0;
        let mut rest = &self.beside[..];
        while let [first, ..] = rest {
            let follows =
                |pair: &[Beside; 2]| pair[1].line == pair[0].line + 1 && first.column.is_some() && pair[1].column == first.column;
            let length = 1 + rest.array_windows().take_while(|pair| follows(pair)).count();
            let (group, others) = rest.split_at(length);
            let gap = group.iter().map(|b| b.gap).min().unwrap_or(1);
            let width = group.iter().map(|b| b.width).max().unwrap_or(0);
            for beside in group {
                out.push_str(&self.text[from..beside.at]);
                out.extend(std::iter::repeat_n(' ', width + gap - beside.width));
                out.push_str(&beside.text);
                from = beside.at;
            }
            rest = others;
        }
        out.push_str(&self.text[from..]);
        if !out.is_empty() {
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_keep_a_common_column() {
        let mut out = Out::default();
        for (text, gap, column) in
            [("a: 1", 5, 9), ("b: 1000", 2, 9), ("c: 1", 9, 13), ("", 0, 0), ("d: 1", 1, 5), ("e: 12", 0, 5)]
        {
            out.line(0);
            out.push(text);
            if column > 0 {
                out.beside("# x".to_owned(), gap, (gap > 0).then_some(column));
            }
        }
        assert_eq!(out.finish(), "a: 1     # x\nb: 1000  # x\nc: 1         # x\n\nd: 1 # x\ne: 12 # x\n");
    }
}
