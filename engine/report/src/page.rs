//! What all reference pages on a terminal have in common.

use runbook_core::event::Outcome;

use crate::ink::{Ink, Line, wrap};
use crate::policy::TermPolicy;
use crate::runs::text;
use crate::sanitize::sanitize;
use crate::terminal::Glyphs;

/// A page of a terminal: headings, wrapped text, terms with their explanations.
pub(crate) struct Page {
    lines: Vec<Line>,
    policy: TermPolicy,
    pub(crate) glyphs: Glyphs,
}

/// Prose is never wider, so that it can be read.
const PROSE: usize = 100;

impl Page {
    pub(crate) fn new(policy: &TermPolicy) -> Self {
        Page { lines: Vec::new(), policy: *policy, glyphs: Glyphs::of(policy.unicode) }
    }

    pub(crate) fn width(&self) -> usize {
        self.policy.width
    }

    /// The first line: what the page is about, and of what kind it is.
    pub(crate) fn title(&mut self, title: &str, kind: &str) {
        let mut line = Line::of(Ink::Bold, title);
        if !kind.is_empty() {
            line.push(Ink::Dim, &format!("  {kind}"));
        }
        self.push(line);
    }

    /// The glyph of an outcome, in its colour.
    pub(crate) fn glyph(&self, outcome: Outcome) -> (&'static str, Ink) {
        self.glyphs.outcome(outcome)
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.blank();
        self.push(Line::of(Ink::Accent, text));
    }

    pub(crate) fn blank(&mut self) {
        self.lines.push(Line::new());
    }

    /// A line, cut if it is too wide.
    pub(crate) fn push(&mut self, line: Line) {
        self.lines.push(line.fit(self.policy.width, self.glyphs.ellipsis));
    }

    /// A line that is broken at the width; what follows stands `hang` further in.
    pub(crate) fn wrapped(&mut self, indent: usize, hang: usize, line: Line) {
        let width = self.policy.width.saturating_sub(indent);
        for (i, part) in line.wrapped(width, hang).into_iter().enumerate() {
            let mut whole = Line::indent(if i == 0 { indent } else { indent + hang });
            whole.append(part);
            self.push(whole);
        }
    }

    /// Markdown as text: paragraphs are filled anew, lists and code keep their lines.
    pub(crate) fn prose(&mut self, indent: usize, ink: Ink, markdown: &str) {
        let width = self.policy.width.min(PROSE).saturating_sub(indent);
        let mut paragraph = String::new();
        let mut code = false;
        for line in markdown.lines().chain([""]) {
            let fence = line.trim_start().starts_with("```");
            let item = line.trim_start().starts_with("- ") || line.starts_with("    ");
            if (line.trim().is_empty() || fence || item || code) && !paragraph.is_empty() {
                let filled = wrap(&std::mem::take(&mut paragraph), width);
                self.lines.extend(filled.iter().map(|l| Line::indent(indent).with(ink, l)));
            }
            if fence {
                code = !code;
            } else if code || line.starts_with("    ") {
                self.code(indent + 2, line.strip_prefix("    ").unwrap_or(line));
            } else if item {
                let filled = wrap(line.trim(), width.saturating_sub(2));
                for (i, l) in filled.iter().enumerate() {
                    self.lines.push(Line::indent(indent + if i == 0 { 0 } else { 2 }).with(ink, l));
                }
            } else if line.trim().is_empty() {
                if self.lines.last().is_some_and(|l| l.width() > 0) {
                    self.blank();
                }
            } else {
                if !paragraph.is_empty() {
                    paragraph.push(' ');
                }
                paragraph.push_str(line.trim());
            }
        }
        // One blank line came from the end of the text.
        if self.lines.last().is_some_and(|l| l.width() == 0) {
            self.lines.pop();
        }
    }

    /// Code: each line as it is, broken at the width.
    pub(crate) fn code(&mut self, indent: usize, text: &str) {
        let width = self.policy.width.saturating_sub(indent);
        for line in text.lines() {
            for piece in crate::ink::wrap_hard(line, width) {
                self.lines.push(Line::indent(indent).with(Ink::Plain, &piece));
            }
        }
    }

    /// A term with its type, and the explanation below.
    pub(crate) fn term(&mut self, indent: usize, term: &str, about: &str, explanation: &str) {
        let head = Line::indent(indent).with(Ink::Bold, term);
        let one = head.clone().with(Ink::Dim, &if about.is_empty() { String::new() } else { format!("  {about}") });
        if one.width() <= self.policy.width {
            self.lines.push(one);
        } else {
            self.push(head);
            let width = self.policy.width.saturating_sub(indent + 2);
            self.lines.extend(wrap(about, width).iter().map(|l| Line::indent(indent + 2).with(Ink::Dim, l)));
        }
        if !explanation.trim().is_empty() {
            self.prose(indent + 4, Ink::Plain, explanation);
        }
    }

    /// A sentence, filled at the width; further lines stand two columns deeper.
    pub(crate) fn prose_line(&mut self, indent: usize, ink: Ink, sentence: &str) {
        let width = self.policy.width.saturating_sub(indent + 2);
        for (i, line) in wrap(sentence, width).iter().enumerate() {
            self.push(Line::indent(indent + if i == 0 { 0 } else { 2 }).with(ink, line));
        }
    }

    /// A word with what it is about in a column beside it, broken at the width.
    pub(crate) fn labelled(&mut self, indent: usize, word: &str, column: usize, text: &str) {
        let width = self.policy.width.saturating_sub(indent + column);
        for (i, piece) in crate::ink::wrap_hard(text, width).iter().enumerate() {
            let mut line = Line::indent(indent);
            line.push(Ink::Dim, if i == 0 { word } else { "" });
            line.pad_to(indent + column);
            self.push(line.with(Ink::Plain, piece));
        }
    }

    pub(crate) fn finish(self) -> String {
        text(self.lines, &self.policy)
    }
}

/// A cell of a Markdown table: one line, with its bars escaped.
pub(crate) fn cell(text: &str) -> String {
    sanitize(text).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Inline code in Markdown.
pub(crate) fn code(text: &str) -> String {
    let text = cell(text);
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
