//! Writes a tree with its comments in the one layout: documents, entries, and the comments between them.

use runbook_core::span::Source;

use super::gap;
use super::out::Out;
use super::tree::{Comment, Entry, Item, Kind, Node, Style, Written};

/// Writes one file.
pub(super) struct Writer<'a> {
    pub(super) text: &'a str,
    pub(super) source: &'a Source,
    pub(super) comments: &'a [Comment],
    /// Where the plain texts begin that are to be quoted, in order.
    pub(super) ambiguous: &'a [usize],
    /// The first comment that has not been written.
    pub(super) next: usize,
    /// The line of the source that was written last.
    pub(super) line: u32,
    /// Whether nothing has been written in the list or map that was opened last: no empty line is kept there.
    pub(super) fresh: bool,
    /// Inside how many brackets that are being opened it is.
    pub(super) opened: usize,
    pub(super) out: Out,
}

/// Where an entry, or the list or map that has it, stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The column of the entries.
    pub(super) column: usize,
    /// Whether the first entry goes on in a line that was begun.
    pub(super) inline: bool,
    /// The column that the list or map around had in the source, if it was in block style.
    pub(super) outside: Option<usize>,
    /// Where what comes next begins in the source.
    pub(super) until: usize,
}

/// What stands before a node in its line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// `-` or `?`: a list or map may begin in the same line.
    Dash,
    /// `:`.
    Colon,
}

/// The text of a file in the one layout.
pub(super) fn write(source: &Source, written: &Written, ambiguous: &[usize]) -> String {
    let mut writer = Writer {
        text: &source.text,
        source,
        comments: &written.comments,
        ambiguous,
        next: 0,
        line: 0,
        fresh: true,
        opened: 0,
        out: Out::default(),
    };
    writer.document(written);
    writer.out.finish()
}

impl Writer<'_> {
    fn document(&mut self, written: &Written) {
        let root = &written.root;
        let end = self.text.len();
        let place = Place { column: 0, inline: false, outside: None, until: written.ended.unwrap_or(end) };
        if let Some(marker) = written.marker {
            self.comments_before(marker, 0);
            self.begin_line(marker, 0);
            self.out.push("---");
            self.comments_beside(root.lead);
            self.fresh = true;
        }
        self.comments_before(root.lead.min(place.until), 0);
        if !matches!(root.kind, Kind::Empty) || root.anchor.is_some() {
            self.root(root, place);
        }
        if let Some(ended) = written.ended {
            self.comments_before(ended, 0);
            self.line = self.line_of(ended);
        }
        self.comments_before(end, 0);
    }

    pub(super) fn line_of(&self, at: usize) -> u32 {
        self.source.line_of(at as u32)
    }

    /// Begins a line for what stands at a place of the source. Empty lines before it are kept as one.
    pub(super) fn begin_line(&mut self, at: usize, indent: usize) {
        let line = self.line_of(at);
        if !self.fresh && line > self.line + 1 {
            self.out.blank();
        }
        self.out.line(indent);
        self.line = self.line.max(line);
        self.fresh = false;
    }

    /// Writes every comment that stands before a place into a line of its own. Says whether there was one.
    pub(super) fn comments_before(&mut self, at: usize, indent: usize) -> bool {
        let before = self.next;
        while self.comments.get(self.next).is_some_and(|c| c.start < at) {
            self.own_line(indent);
        }
        self.next > before
    }

    pub(super) fn own_line(&mut self, indent: usize) {
        let comment = &self.comments[self.next];
        self.begin_line(comment.start, indent);
        self.out.comment(&said(&self.text[comment.start..comment.end]));
        self.next += 1;
    }

    /// Writes the comment that stands in the line that was written last, and before a place, beside it. Says whether there was one.
    pub(super) fn comments_beside(&mut self, until: usize) -> bool {
        let Some(comment) = self.comments.get(self.next) else { return false };
        let Some(gap) = comment.gap.filter(|_| comment.line == self.line && comment.start < until && !self.out.is_closed())
        else {
            return false;
        };
        self.out.beside(said(&self.text[comment.start..comment.end]), gap, (self.opened == 0).then_some(comment.column));
        self.next += 1;
        true
    }

    /// Writes the comment beside what was written; into a line of its own if that has one already.
    pub(super) fn comment_after(&mut self, until: usize, column: usize) {
        if self.comments_beside(until) {
            return;
        }
        while self.comments.get(self.next).is_some_and(|c| c.line == self.line && c.start < until) {
            self.own_line(column);
        }
    }

    /// Writes the entries of a list or map, and the comments before, between and after them.
    pub(super) fn entries(&mut self, node: &Node, place: Place) {
        let (style, leads): (Style, Vec<usize>) = match &node.kind {
            Kind::List(style, items) => (*style, items.iter().map(|i| i.lead).collect()),
            Kind::Map(style, entries) => (*style, entries.iter().map(|e| e.lead).collect()),
            _ => return,
        };
        let end = if style == Style::Flow { node.end.saturating_sub(1) } else { place.until };
        let own = match style {
            Style::Block(column) => Some(column),
            _ => None,
        };
        self.opened += usize::from(style == Style::Flow);
        for i in 0..leads.len() {
            let until = leads.get(i + 1).copied().unwrap_or(end);
            let here = Place { column: place.column, inline: place.inline && i == 0, outside: own, until };
            match &node.kind {
                Kind::List(_, items) => self.item(&items[i], here),
                Kind::Map(_, entries) => self.entry(&entries[i], here),
                _ => {}
            }
        }
        match style {
            Style::Block(column) => self.rest(column, place),
            Style::Flow => {
                self.comments_before(node.end, place.column);
                self.line = self.line.max(self.line_of(node.end));
                self.comment_after(place.until, place.column);
                self.opened -= 1;
            }
            Style::Pair => {}
        }
    }

    /// The comments after the last entry that are indented like it, and so belong to its list or map.
    fn rest(&mut self, column: usize, place: Place) {
        while let Some(comment) = self.comments.get(self.next)
            && comment.start < place.until
            && comment.column >= column
            && place.outside.is_none_or(|outside| comment.column > outside)
        {
            self.own_line(place.column);
        }
    }

    /// Begins the line of an entry, after the comments before it.
    fn begin(&mut self, lead: usize, place: Place) {
        if !place.inline {
            self.comments_before(lead, place.column);
            self.begin_line(lead, place.column);
        }
        self.line = self.line.max(self.line_of(lead));
        self.fresh = false;
    }

    fn item(&mut self, item: &Item, place: Place) {
        self.begin(item.lead, place);
        self.out.push("-");
        self.node(&item.node, place, After::Dash);
    }

    fn entry(&mut self, entry: &Entry, place: Place) {
        self.begin(entry.lead, place);
        if let Some(key) = self.key(&entry.key) {
            self.out.push(&key);
            if matches!(entry.key.kind, Kind::Alias) {
                self.out.push(" ");
            }
            self.line = self.line.max(self.line_of(entry.key.end));
        } else {
            self.out.push("?");
            let value = entry.value.lead.clamp(entry.key.end, place.until.max(entry.key.end));
            self.node(&entry.key, Place { until: value, ..place }, After::Dash);
            self.comments_before(value, place.column);
            self.out.line(place.column);
            if let Some((colon, b':')) = gap::next_mark(self.text, entry.key.end) {
                self.line = self.line.max(self.line_of(colon));
            }
        }
        self.out.push(":");
        self.node(&entry.value, place, After::Colon);
    }
}

/// A comment with a space after its `#`, unless it is a row of them or `#!`.
pub(super) fn said(comment: &str) -> String {
    let comment = comment.trim_end();
    match comment.chars().nth(1) {
        None | Some(' ' | '\t' | '#' | '!') => comment.to_owned(),
        Some(_) => format!("# {}", &comment[1..]),
    }
}
