//! A file as it is written: its nodes with their style, anchors and places, and its comments.
//!
//! Besides `yaml.rs`, this is where the YAML crate is named: the tree that playbooks are decoded from has no use for styles and comments,
//! and this one has none for meanings.

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use runbook_core::span::Source;

use super::gap;

/// A file as it is written.
pub(super) struct Written {
    /// The tree.
    pub(super) root: Node,
    /// Every comment, in the order of the file.
    pub(super) comments: Vec<Comment>,
    /// The `---` that begins the document, if there is one.
    pub(super) marker: Option<usize>,
    /// The `...` that ends it, if there is one.
    pub(super) ended: Option<usize>,
}

/// A node with its place.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Where it begins, with everything that belongs to it: anchor, header, first dash or key.
    pub(super) lead: usize,
    /// Where its text begins.
    pub(super) start: usize,
    /// Where its text ends; for what is written in block style, where its last child ends.
    pub(super) end: usize,
    /// Its anchor's name with the `&`.
    pub(super) anchor: Option<(usize, usize)>,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Debug, Default)]
pub(super) enum Kind {
    /// Nothing is written.
    #[default]
    Empty,
    /// `*name`.
    Alias,
    /// Plain or quoted text on one line.
    Line,
    /// Plain or quoted text over several lines, with its decoded text.
    Lines(ScalarStyle, Box<str>),
    /// `|` or `>`, with the place of its header and its decoded text.
    Block((usize, usize), Box<str>),
    /// A list.
    List(Style, Vec<Item>),
    /// A map.
    Map(Style, Vec<Entry>),
}

/// How a list or map is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// In lines of its own, its entries in this column.
    Block(usize),
    /// In brackets.
    Flow,
    /// A map of one entry in a flow list, without brackets.
    Pair,
}

/// An item of a list.
#[derive(Debug)]
pub(super) struct Item {
    /// Its dash; in brackets, where it begins.
    pub(super) lead: usize,
    pub(super) node: Node,
}

/// An entry of a map.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it begins: its key, its key's anchor, or `?`.
    pub(super) lead: usize,
    pub(super) key: Node,
    /// Whether a colon is written.
    pub(super) colon: bool,
    pub(super) value: Node,
}

/// A comment.
#[derive(Debug)]
pub(super) struct Comment {
    pub(super) start: usize,
    /// From `#`, without white space at the end.
    pub(super) end: usize,
    pub(super) line: u32,
    /// How many characters stand before it in its line.
    pub(super) column: usize,
    /// How many characters of white space stand between it and what is before it; none if it has its line to itself.
    pub(super) gap: Option<usize>,
}

/// A list or map that is being read.
struct Frame {
    node: Node,
    key: Option<(usize, Node)>,
}

struct Reader<'a> {
    text: &'a str,
    source: &'a Source,
    stack: Vec<Frame>,
    root: Option<Node>,
    comments: Vec<Comment>,
    /// Where the last thing that was read ends.
    cursor: usize,
    /// The leading places of items and entries whose node has not been finished, innermost last.
    leads: Vec<usize>,
}

/// The events of a text, read as `yaml::read` does.
pub(super) fn events(text: &str) -> Parser<'_, granit_parser::StrInput<'_>> {
    Parser::new_from_str_with_options(
        text,
        granit_parser::options! {
            disallow_directives: true,
            emit_anchor_events: true,
            max_buffered_comment_events: usize::MAX,
        },
    )
}

/// Reads a text that has been read without a mistake by `yaml::read`. `None` if it cannot be read after all.
pub(super) fn read(source: &Source) -> Option<Written> {
    let text = &*source.text;
    let mut reader = Reader { text, source, stack: Vec::new(), root: None, comments: Vec::new(), cursor: 0, leads: Vec::new() };
    let (mut marker, mut ended) = (None, None);
    let mut pending: Option<Node> = None;
    for next in events(text) {
        let (event, span) = next.ok()?;
        let range = span.byte_range()?;
        // An anchor comes after its scalar, whose place is taken only then.
        if let Some(mut node) = pending.take() {
            let anchored = matches!(event, Event::Anchor(..));
            if anchored {
                node.anchor = Some((range.start, range.end));
                node.lead = range.start;
            }
            reader.leaf(node);
            if anchored {
                continue;
            }
        }
        match event {
            Event::DocumentStart(true, _) => {
                marker = Some(range.start);
                reader.cursor = range.end;
            }
            Event::DocumentEnd if !range.is_empty() => ended = Some(range.start),
            Event::Comment(..) => reader.comment(range.start, range.end, &span),
            Event::Alias(_) => {
                reader.leaf(Node { lead: range.start, start: range.start, end: range.end, kind: Kind::Alias, ..Node::default() })
            }
            Event::Scalar(decoded, style, ..) => pending = Some(reader.scalar(&decoded, style, range.start, range.end)?),
            Event::SequenceStart(style, ..) => reader.open(style, range.start, range.end, Kind::List(Style::Flow, Vec::new())),
            Event::MappingStart(style, ..) => reader.open(style, range.start, range.end, Kind::Map(Style::Flow, Vec::new())),
            Event::Anchor(..) => reader.anchor(range.start, range.end),
            Event::SequenceEnd | Event::MappingEnd => reader.close(range.start, range.end)?,
            _ => {}
        }
    }
    reader.comments.sort_by_key(|c| c.start);
    Some(Written { root: reader.root.unwrap_or_default(), comments: reader.comments, marker, ended })
}

impl Reader<'_> {
    fn comment(&mut self, start: usize, end: usize, span: &granit_parser::Span) {
        let line_start = self.source.line_start(span.start.line() as u32) as usize;
        let before = &self.text[line_start..start];
        let content = before.trim_end_matches([' ', '\t']);
        let gap = (!content.is_empty()).then(|| before.len() - content.len());
        let end = start + self.text[start..end].trim_end_matches([' ', '\t', '\r']).len();
        self.comments.push(Comment { start, end, line: span.start.line() as u32, column: span.start.col(), gap });
    }

    /// The column of a place, in characters.
    fn column(&self, at: usize) -> usize {
        let line = self.source.line_start(self.source.line_of(at as u32)) as usize;
        self.text[line..at].chars().count()
    }

    fn scalar(&mut self, decoded: &str, style: ScalarStyle, start: usize, end: usize) -> Option<Node> {
        let node = Node { lead: start, start, end, ..Node::default() };
        Some(match style {
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let (from, to) = gap::header(self.text, self.cursor)?;
                Node { lead: from, kind: Kind::Block((from, to), decoded.into()), ..node }
            }
            _ if start == end => node,
            _ if self.text[start..end].contains('\n') => Node { kind: Kind::Lines(style, decoded.into()), ..node },
            _ => Node { kind: Kind::Line, ..node },
        })
    }

    /// Notes where the item or entry begins that the next node belongs to.
    fn begin(&mut self, at: usize) {
        let Some(frame) = self.stack.last() else { return };
        let lead = match &frame.node.kind {
            Kind::List(Style::Block(_), _) => {
                let dash = gap::dash(self.text, self.cursor).unwrap_or(at);
                self.cursor = dash + 1;
                dash
            }
            Kind::List(..) => at,
            // A value belongs to the entry that its key began.
            Kind::Map(..) if frame.key.is_some() => return,
            _ => gap::key(self.text, self.cursor).min(at),
        };
        self.leads.push(lead);
    }

    fn open(&mut self, style: StructureStyle, start: usize, end: usize, kind: Kind) {
        self.begin(start);
        let flow = style == StructureStyle::Flow;
        let style = match (flow, self.text.as_bytes().get(start)) {
            (false, _) => Style::Block(0),
            (true, Some(b'{' | b'[')) => Style::Flow,
            (true, _) => Style::Pair,
        };
        let kind = match kind {
            Kind::Map(..) => Kind::Map(style, Vec::new()),
            _ => Kind::List(style, Vec::new()),
        };
        if flow {
            self.cursor = self.cursor.max(end);
        }
        self.stack.push(Frame { node: Node { lead: start, start, end, kind, anchor: None }, key: None });
    }

    /// The anchor of a list or map that has just been opened.
    fn anchor(&mut self, start: usize, end: usize) {
        if let Some(frame) = self.stack.last_mut() {
            frame.node.anchor = Some((start, end));
            if matches!(frame.node.kind, Kind::List(Style::Block(_), _) | Kind::Map(Style::Block(_), _)) {
                self.cursor = self.cursor.max(end);
            }
        }
    }

    fn leaf(&mut self, node: Node) {
        // What a scalar's own marks hide from `begin` is looked for from the end of what came before.
        self.begin(node.lead);
        self.cursor = self.cursor.max(node.end).max(node.anchor.map_or(0, |a| a.1));
        self.place(node);
    }

    fn close(&mut self, start: usize, end: usize) -> Option<()> {
        let Frame { mut node, .. } = self.stack.pop()?;
        let last = match &node.kind {
            Kind::List(_, items) => items.last().map(|i| i.node.end.max(i.lead + 1)),
            Kind::Map(_, entries) => entries.last().map(|e| e.value.end.max(e.key.end)),
            _ => None,
        };
        let first = match &node.kind {
            Kind::List(_, items) => items.first().map(|i| i.lead),
            Kind::Map(_, entries) => entries.first().map(|e| e.lead),
            _ => None,
        };
        // A line in brackets may be as long as the file, so it is counted only where the column matters.
        let block = matches!(node.kind, Kind::List(Style::Block(_), _) | Kind::Map(Style::Block(_), _));
        let column = first.filter(|_| block).map_or(0, |first| self.column(first));
        match &mut node.kind {
            Kind::List(Style::Block(at), _) | Kind::Map(Style::Block(at), _) => {
                *at = column;
                node.end = last.unwrap_or(start);
                node.lead = first.unwrap_or(node.start);
            }
            Kind::List(Style::Pair, _) | Kind::Map(Style::Pair, _) => {
                node.end = last.unwrap_or(start);
                node.lead = first.unwrap_or(node.start);
            }
            _ => {
                node.end = end;
                self.cursor = self.cursor.max(end);
            }
        }
        if let Some((at, _)) = node.anchor {
            node.lead = at;
        }
        self.place(node);
        Some(())
    }

    fn place(&mut self, node: Node) {
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        match (&mut frame.node.kind, frame.key.take()) {
            (Kind::List(_, items), _) => {
                let lead = self.leads.pop().unwrap_or(node.lead);
                items.push(Item { lead, node });
            }
            (Kind::Map(..), None) => {
                let lead = self.leads.pop().unwrap_or(node.lead);
                frame.key = Some((lead, node));
            }
            (Kind::Map(_, entries), Some((lead, key))) => {
                let colon = !matches!(node.kind, Kind::Empty)
                    || gap::next_mark(self.text, key.end.max(key.anchor.map_or(0, |a| a.1)))
                        .is_some_and(|(_, mark)| mark == b':');
                entries.push(Entry { lead, key, colon, value: node });
            }
            _ => {}
        }
    }
}
