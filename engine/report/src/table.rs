//! Tables of text that fit a width.

use console::measure_text_width;

use crate::ink::{Ink, Line};
use crate::sanitize::sanitize_line;

/// A table with a heading; columns are two spaces apart.
pub(crate) struct Table {
    heads: Vec<String>,
    rows: Vec<Vec<(Ink, String)>>,
    right: Vec<usize>,
    least: Vec<(usize, usize)>,
    flex: Option<usize>,
    indent: usize,
}

/// The space between columns.
const GAP: usize = 2;
/// A column that may shrink gets at least this.
const MIN_FLEX: usize = 10;

impl Table {
    pub(crate) fn new(heads: &[&str]) -> Self {
        Table {
            heads: heads.iter().map(|h| (*h).to_owned()).collect(),
            rows: Vec::new(),
            right: Vec::new(),
            least: Vec::new(),
            flex: None,
            indent: 2,
        }
    }

    /// Aligns a column to the right.
    pub(crate) fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    /// Makes a column at least so wide, such as to line up with another table.
    pub(crate) fn at_least(mut self, column: usize, width: usize) -> Self {
        self.least.push((column, width));
        self
    }

    /// Names the column that shrinks when there is too little room.
    pub(crate) fn flex(mut self, column: usize) -> Self {
        self.flex = Some(column);
        self
    }

    pub(crate) fn row(&mut self, cells: Vec<(Ink, String)>) {
        self.rows.push(cells.into_iter().map(|(ink, t)| (ink, sanitize_line(&t).into_owned())).collect());
    }

    fn widths(&self) -> Vec<usize> {
        (0..self.heads.len())
            .map(|c| {
                let cells = self.rows.iter().filter_map(|r| r.get(c)).map(|(_, t)| measure_text_width(t)).max().unwrap_or(0);
                // A column that is empty everywhere is left out.
                let least = self.least.iter().filter(|(l, _)| *l == c).map(|(_, w)| *w).max().unwrap_or(0);
                if cells == 0 { 0 } else { cells.max(measure_text_width(&self.heads[c])).max(least) }
            })
            .collect()
    }

    /// The lines, each at most `width` wide, or `None` if even the narrowest form is wider.
    pub(crate) fn lines(&self, width: usize, ellipsis: &str) -> Option<Vec<Line>> {
        let mut widths = self.widths();
        let gaps = widths.iter().filter(|w| **w > 0).count().saturating_sub(1) * GAP;
        let total = self.indent + widths.iter().sum::<usize>() + gaps;
        if total > width {
            let flex = self.flex?;
            let over = total - width;
            if widths[flex] < over + MIN_FLEX.min(widths[flex]) {
                return None;
            }
            widths[flex] -= over;
        }
        let heads: Vec<(Ink, String)> = self.heads.iter().map(|h| (Ink::Dim, h.clone())).collect();
        Some(std::iter::once(&heads).chain(&self.rows).map(|cells| self.line(cells, &widths, ellipsis)).collect())
    }

    fn line(&self, cells: &[(Ink, String)], widths: &[usize], ellipsis: &str) -> Line {
        let mut line = Line::indent(self.indent);
        let mut column = self.indent;
        for (c, (ink, text)) in cells.iter().enumerate() {
            let width = widths[c];
            if width == 0 {
                continue;
            }
            if column > self.indent {
                column += GAP;
            }
            line.pad_to(column);
            let cell = Line::of(*ink, text).fit(width, ellipsis);
            if self.right.contains(&c) {
                line.pad_to(column + width - cell.width().min(width));
            }
            line.append(cell);
            column += width;
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut t = Table::new(&["name", "n", "empty", "text"]).right(1).flex(3);
        t.row(vec![
            (Ink::Plain, "a".into()),
            (Ink::Plain, "1".into()),
            (Ink::Plain, String::new()),
            (Ink::Plain, "some words here".into()),
        ]);
        t.row(vec![(Ink::Plain, "bcd".into()), (Ink::Plain, "20".into()), (Ink::Plain, String::new()), (Ink::Plain, "x".into())]);
        t
    }

    #[test]
    fn columns_line_up_and_shrink() {
        let text = |w| table().lines(w, "…").map(|l| l.iter().map(|l| l.render(false)).collect::<Vec<_>>());
        assert_eq!(text(80).expect("fits"), ["  name   n  text", "  a      1  some words here", "  bcd   20  x"]);
        assert_eq!(text(24).expect("fits"), ["  name   n  text", "  a      1  some words…", "  bcd   20  x"]);
        assert_eq!(text(15), None);
    }
}
