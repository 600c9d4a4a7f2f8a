//! Writes a node after its dash or colon.

use granit_parser::ScalarStyle;

use super::flow::WIDTH;
use super::scalar;
use super::tree::{Kind, Node, Style};
use super::write::{After, Place, Writer};

/// How many columns what belongs to a line stands to the right of it.
const INDENT: usize = 2;

/// What separates a word from what stands before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    Space,
    Line(usize),
}

impl Writer<'_> {
    /// Writes the root; `place` is where its entries stand.
    pub(super) fn root(&mut self, node: &Node, place: Place) {
        if self.is_empty_with_comments(node) {
            self.comments_before(node.end, 0);
        }
        if !is_collection(node) || self.fitting(node, Gap::None).is_some() {
            self.begin_line(node.lead, 0);
            self.written(node, place, Gap::None, 0, false);
            return;
        }
        if let Some((start, end)) = node.anchor {
            self.begin_line(start, 0);
            self.out.push(&self.text[start..end]);
            self.comments_beside(node.start);
            self.fresh = true;
        }
        self.entries(node, place);
    }

    /// Writes a node after its dash or colon; `place` is where the entry stands that it belongs to.
    pub(super) fn node(&mut self, node: &Node, place: Place, after: After) {
        let indent = place.column + INDENT;
        self.fresh = true;
        if matches!(node.kind, Kind::Empty) && node.anchor.is_none() {
            self.comments_beside(place.until);
            // Comments that are indented under a key without a value belong to it.
            while let Some(comment) = self.comments.get(self.next)
                && comment.start < place.until
                && place.outside.is_some_and(|outside| comment.column > outside)
            {
                self.own_line(indent);
            }
            self.fresh = false;
            return;
        }
        let apart = self.comments_beside(node.lead) | self.comments_before(node.lead, indent);
        let gap = if apart { Gap::Line(indent) } else { Gap::Space };
        self.written(node, Place { column: indent, ..place }, gap, indent, after == After::Dash);
        self.fresh = false;
    }

    /// Writes a node whose comments before it are written. `place` is where its entries would stand, `indent` where a line of it begins,
    /// and `compact` says that its first entry may go on in the line.
    fn written(&mut self, node: &Node, place: Place, mut gap: Gap, indent: usize, mut compact: bool) {
        if self.is_empty_with_comments(node) {
            self.line = self.line.max(self.line_of(node.start));
            self.comments_beside(node.end);
            self.comments_before(node.end, indent);
            gap = Gap::Line(indent);
        }
        let mut body = self.fitting(node, gap);
        if let Some((start, end)) = node.anchor {
            let commented = self.comments.get(self.next).is_some_and(|c| c.start < node.start);
            if body.is_none() || commented {
                self.gap(gap);
                self.out.push(&self.text[start..end]);
                self.line = self.line.max(self.line_of(start));
                let apart = self.comments_beside(node.start) | self.comments_before(node.start, indent);
                gap = if apart { Gap::Line(indent) } else { Gap::Space };
                compact = false;
            } else {
                body = body.map(|b| format!("{} {b}", &self.text[start..end]).trim_end_matches(' ').to_owned());
            }
        }
        match (body, &node.kind) {
            (Some(body), _) => {
                let start = node.anchor.map_or(node.start, |a| a.0);
                let below = self.line_of(start) > self.line && gap == Gap::Space;
                let wide = self.out.column() + 1 + body.chars().count() > WIDTH;
                self.gap(if below && wide { Gap::Line(indent) } else { gap });
                self.out.push(&body);
                self.line = self.line.max(self.line_of(node.end));
            }
            (None, Kind::Block(header, decoded)) => self.block(node, *header, decoded, gap, indent),
            (None, Kind::Lines(style, _)) => self.lines(node, *style, gap, indent),
            (None, _) => return self.opened(node, place, gap, compact),
        }
        self.comment_after(place.until, indent.saturating_sub(INDENT));
    }

    fn gap(&mut self, gap: Gap) {
        match gap {
            Gap::None => {}
            Gap::Space => self.out.push(" "),
            Gap::Line(indent) => self.out.line(indent),
        }
    }

    /// A node on the rest of the line, if it fits there.
    fn fitting(&self, node: &Node, gap: Gap) -> Option<String> {
        let used = match gap {
            Gap::None => 0,
            Gap::Space => self.out.column() + 1,
            Gap::Line(indent) => indent,
        } + node.anchor.map_or(0, |(start, end)| self.text[start..end].chars().count() + 1);
        // A comment that silences a warning does so for one line, or for the next.
        let room = if self.is_allowed(node) { usize::MAX } else { WIDTH.saturating_sub(used) };
        match node.kind {
            // Its comments are written before it.
            Kind::List(..) if self.is_empty_with_comments(node) => Some("[]".to_owned()),
            Kind::Map(..) if self.is_empty_with_comments(node) => Some("{}".to_owned()),
            // Text of several lines stays so where it can.
            Kind::Lines(..) => None,
            _ => self
                .body(node, room)
                .map(|b| b.trim_end_matches(' ').to_owned())
                .filter(|b| !is_collection(node) || b.chars().count() <= room),
        }
    }

    /// Whether a comment that silences warnings stands beside the lines of a node, or right above them.
    fn is_allowed(&self, node: &Node) -> bool {
        let lines = self.line_of(node.start).saturating_sub(1)..=self.line_of(node.end);
        let first = self.comments.partition_point(|c| c.line < *lines.start());
        self.comments[first..]
            .iter()
            .take_while(|c| lines.contains(&c.line))
            .any(|c| self.text[c.start + 1..c.end].trim_start().starts_with("runbook:"))
    }

    fn is_empty_with_comments(&self, node: &Node) -> bool {
        let empty = match &node.kind {
            Kind::List(Style::Flow, items) => items.is_empty(),
            Kind::Map(Style::Flow, entries) => entries.is_empty(),
            _ => false,
        };
        empty && self.holds_comment(node)
    }

    /// Writes a list or map in lines of its own.
    fn opened(&mut self, node: &Node, place: Place, gap: Gap, mut compact: bool) {
        let flow = matches!(node.kind, Kind::List(Style::Flow, _) | Kind::Map(Style::Flow, _));
        let first = match &node.kind {
            Kind::List(_, items) => items.first().map(|i| i.lead),
            Kind::Map(_, entries) => entries.first().map(|e| e.lead),
            _ => None,
        };
        if flow {
            self.line = self.line.max(self.line_of(node.start));
            // `{ # comment`; or one behind the bracket, which would otherwise end up beside the last entry.
            let until = if self.holds_comment(node) { first.unwrap_or(node.end) } else { place.until };
            if !self.holds_comment(node) {
                self.line = self.line.max(self.line_of(node.end));
            }
            self.opened += 1;
            compact &= !self.comments_beside(until);
            self.opened -= 1;
        }
        let inline = compact && gap == Gap::Space;
        if inline {
            self.out.push(" ");
        }
        self.entries(node, Place { inline, ..place });
    }

    /// Writes text of several lines, which begins where the author began it.
    fn lines(&mut self, node: &Node, style: ScalarStyle, gap: Gap, indent: usize) {
        let below = self.line_of(node.start) > self.line && gap == Gap::Space;
        self.gap(if below { Gap::Line(indent) } else { gap });
        for (i, line) in scalar::lines(&self.text[node.start..node.end], style).into_iter().enumerate() {
            if i > 0 {
                self.out.line(if line.is_empty() { 0 } else { indent.max(INDENT) });
            }
            self.out.push(line);
        }
        self.line = self.line.max(self.line_of(node.end));
    }

    /// Writes a block scalar.
    fn block(&mut self, node: &Node, header: (usize, usize), decoded: &str, gap: Gap, indent: usize) {
        self.gap(gap);
        self.line = self.line.max(self.line_of(header.0));
        let from = (self.source.line_start(self.line + 1) as usize).min(self.text.len());
        let block = scalar::block(&self.text[header.0..header.1], &self.text[from..node.end.max(from)], decoded);
        self.out.push(&block.header);
        self.comments_beside(from);
        for line in block.lines() {
            self.out.line(if line.is_empty() { 0 } else { indent.max(INDENT) });
            self.out.push(line);
        }
        self.line += block.taken as u32;
    }
}

fn is_collection(node: &Node) -> bool {
    matches!(node.kind, Kind::List(..) | Kind::Map(..))
}
