//! How a line of a step is laid out at a width.

use crate::ink::{Ink, Line};
use crate::policy::TermPolicy;
use crate::terminal::Glyphs;

/// Below this many columns a step's message stands on a line of its own.
const NARROW: usize = 60;
/// The room of a duration, such as `12m05s`, with a space before it.
const DURATION: usize = 7;

/// The columns of a run's lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) policy: TermPolicy,
    pub(crate) glyphs: Glyphs,
    tag: usize,
    name: usize,
}

impl Layout {
    pub(crate) fn new(policy: TermPolicy) -> Self {
        let mut layout = Layout { policy, glyphs: Glyphs::of(policy.unicode), tag: 4, name: 0 };
        layout.fit_names(0, 0);
        layout
    }

    /// Makes room for tags and names of these widths.
    pub(crate) fn fit_names(&mut self, tag: usize, name: usize) {
        let width = self.policy.width;
        // Two spaces, the tag, one space.
        self.tag = 2 + tag.max(1) + 1;
        self.name =
            if self.narrow() { width.saturating_sub(self.tag + 2 + DURATION) } else { name.clamp(24, (width / 2).min(48)) };
    }

    /// Whether messages get a line of their own.
    pub(crate) fn narrow(&self) -> bool {
        self.policy.width < NARROW
    }

    fn indent(&self, depth: usize) -> usize {
        2 * depth.min(2)
    }

    /// The column of a step's glyph.
    pub(crate) fn glyph_column(&self, depth: usize) -> usize {
        self.tag + self.indent(depth)
    }

    /// The column of a step's name, under which its details stand.
    pub(crate) fn name_column(&self, depth: usize) -> usize {
        self.glyph_column(depth) + 2
    }

    /// Where the names of steps end.
    pub(crate) fn name_end(&self) -> usize {
        self.tag + 2 + self.name
    }

    /// The room that is left for a step's message on its line.
    pub(crate) fn tail_room(&self) -> usize {
        if self.narrow() { 0 } else { self.policy.width.saturating_sub(self.tag + 2 + self.name + DURATION + 2) }
    }

    /// One line: `  3/6 ✓ name       0.2s  tail`, cut to the width.
    pub(crate) fn step(
        &self,
        tag: &str,
        depth: usize,
        glyph: (&str, Ink),
        name: (&str, Ink),
        duration: &str,
        tail: Line,
    ) -> Line {
        let mut line = Line::new();
        if tag.is_empty() {
            line.pad_to(self.glyph_column(depth));
        } else {
            line.pad_to(self.tag.saturating_sub(console::measure_text_width(tag) + 1));
            line.push(Ink::Dim, tag);
            line.pad_to(self.glyph_column(depth));
        }
        line.push(glyph.1, glyph.0);
        line.push(Ink::Plain, " ");
        let ellipsis = self.glyphs.ellipsis;
        // A long name pushes the columns aside rather than being cut, as far as the message leaves room, and at least to half the line.
        let mut end = self.tag + 2 + self.name;
        let free = self.policy.width.saturating_sub(DURATION + 2 + tail.width());
        let longest = if self.narrow() { end } else { end.max(self.policy.width / 2).max(free) };
        line.append(Line::of(name.1, name.0).fit(longest.saturating_sub(self.name_column(depth)), ellipsis));
        if duration.is_empty() && tail.width() == 0 {
            return line;
        }
        end = end.max(line.width());
        line.pad_to(end + DURATION - duration.len().min(DURATION));
        line.push(Ink::Dim, duration);
        if tail.width() > 0 {
            line.push(Ink::Plain, "  ");
            line.append(tail);
        }
        line.fit(self.policy.width, ellipsis)
    }
}
