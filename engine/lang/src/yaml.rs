//! YAML text into a tree of nodes. Nothing but this and the formatter names the YAML crate.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, StructureStyle};
use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics};
use runbook_core::node::{Node, NodeKind, Scalar, ScalarValue};
use runbook_core::span::{SourceId, Span, Spanned, TextMap};

use crate::allow::Allow;
use crate::scalar::{self, Plain};
use crate::textmap::{self, Style};

/// The deepest nesting of lists and maps.
const MAX_DEPTH: usize = 64;
/// The most aliases in one file.
const MAX_ALIASES: usize = 64;
/// The most nodes that all aliases of a file may stand for together.
const MAX_ALIASED_NODES: usize = 100_000;
/// The most bytes of text that all aliases of a file may stand for together.
const MAX_ALIASED_BYTES: usize = 1024 * 1024;
/// The most nodes of a file.
const MAX_NODES: usize = 300_000;
/// The most comments of a file that silence something.
const MAX_ALLOWS: usize = 10_000;
/// The most comments of a file.
const MAX_COMMENTS: usize = 100_000;
/// The most anchors of a file.
const MAX_ANCHORS: usize = 10_000;

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The tree; `None` if the file says nothing or cannot be read to its end.
    pub(crate) root: Option<Node>,
    /// The comments that silence warnings.
    pub(crate) allows: Vec<Allow>,
}

/// Reads a text into its tree. Mistakes are added to `out`; a tree is given back when the rest can still be decoded.
pub(crate) fn read(text: &str, source: SourceId, out: &mut Diagnostics) -> Document {
    let mut builder = Builder {
        text,
        source,
        out,
        stack: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        kept: Weight::default(),
        allows: Vec::new(),
        aliases: 0,
        aliased: Weight::default(),
        nodes: 0,
        comments: 0,
        documents: 0,
        last_end: 0,
        template_end: None,
    };
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        max_buffered_comment_events: MAX_COMMENTS,
    };
    let mut complete = true;
    for next in Parser::new_from_str_with_options(text, options) {
        let go_on = match next {
            Ok((event, span)) => builder.event(event, &span),
            Err(error) => {
                builder.syntax(&error);
                false
            }
        };
        if !go_on {
            complete = false;
            break;
        }
    }
    let Builder { root, allows, .. } = builder;
    Document { root: if complete { root } else { None }, allows }
}

/// A node that an alias may stand for.
enum Anchored {
    /// It is being read.
    Open,
    Node(Node, Weight),
    /// It is larger than what aliases may stand for.
    TooLarge(&'static str),
}

/// How large a tree is.
#[derive(Clone, Copy, Default)]
struct Weight {
    nodes: usize,
    bytes: usize,
}

impl Weight {
    fn add(&mut self, other: Weight) {
        self.nodes += other.nodes;
        self.bytes += other.bytes;
    }

    fn remove(&mut self, other: Weight) {
        self.nodes -= other.nodes;
        self.bytes -= other.bytes;
    }

    /// What it is more of than aliases may stand for.
    fn over(self) -> Option<&'static str> {
        match () {
            () if self.nodes > MAX_ALIASED_NODES => Some("100000 values"),
            () if self.bytes > MAX_ALIASED_BYTES => Some("1 MiB of text"),
            () => None,
        }
    }
}

/// How much text a tree holds.
fn bytes_of(node: &Node) -> usize {
    match &node.kind {
        NodeKind::Scalar(scalar) => scalar.text.len() + scalar.map.pieces.len() * 8,
        NodeKind::List(items) => items.iter().map(bytes_of).sum(),
        NodeKind::Map(entries) => entries.iter().map(|(k, v)| k.value.len() + bytes_of(v)).sum(),
    }
}

/// A list or map whose end has not been read.
struct Frame {
    kind: FrameKind,
    start: usize,
    end: usize,
    anchor: usize,
    flow: bool,
    nodes: usize,
}

enum FrameKind {
    List(Vec<Node>),
    Map { entries: Vec<(Spanned<String>, Node)>, seen: Seen, key: Option<Key> },
}

/// A key whose value has not been read.
enum Key {
    Good(Spanned<String>),
    /// Refused already; its value is passed over.
    Bad,
}

/// The keys of a map that were read: looked through while they are few, hashed once they are many.
#[derive(Default)]
struct Seen(HashMap<String, Span>);

impl Seen {
    const FEW: usize = 16;

    fn find(&mut self, entries: &[(Spanned<String>, Node)], key: &str) -> Option<Span> {
        if entries.len() < Self::FEW {
            return entries.iter().find(|(k, _)| k.value == key).map(|(k, _)| k.span);
        }
        if self.0.is_empty() {
            self.0 = entries.iter().map(|(k, _)| (k.value.clone(), k.span)).collect();
        }
        self.0.get(key).copied()
    }

    fn add(&mut self, key: &Spanned<String>) {
        if !self.0.is_empty() {
            self.0.insert(key.value.clone(), key.span);
        }
    }
}

struct Builder<'a> {
    text: &'a str,
    source: SourceId,
    out: &'a mut Diagnostics,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchored>,
    /// How much is kept for aliases.
    kept: Weight,
    allows: Vec<Allow>,
    aliases: usize,
    aliased: Weight,
    nodes: usize,
    comments: usize,
    documents: usize,
    last_end: usize,
    /// The end of the last template that stands without quotes.
    template_end: Option<usize>,
}

impl Builder<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start, end)
    }

    fn range(&self, span: &granit_parser::Span) -> (usize, usize) {
        span.byte_range().map_or((self.text.len(), self.text.len()), |r| (r.start, r.end))
    }

    fn fatal(&mut self, diagnostic: Diagnostic) -> bool {
        self.out.push(diagnostic);
        false
    }

    /// Takes one event; `false` ends the reading.
    fn event(&mut self, event: Event<'_>, at: &granit_parser::Span) -> bool {
        let (start, end) = self.range(at);
        let span = self.span(start, end);
        if let Some(tag) = at.tag_span() {
            let (s, e) = self.range(&tag);
            let name = self.text.get(s..e).unwrap_or("!").to_owned();
            self.out.push(
                Diagnostic::error(Code::YamlFeature, self.span(s, e), format!("the tag `{name}` is not part of playbooks"))
                    .help("remove it; quote a value to make it text"),
            );
        }
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Anchor(..) => return true,
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.fatal(
                        Diagnostic::error(Code::YamlFeature, span, "a second document starts here")
                            .help("one file is one playbook: put the rest into a file of its own"),
                    );
                }
                return true;
            }
            Event::Comment(text, _) => {
                self.comments += 1;
                if self.comments > MAX_COMMENTS {
                    return self.fatal(too_many_comments(span));
                }
                if self.allows.len() < MAX_ALLOWS {
                    self.allows.extend(Allow::read(&text, span));
                }
                return true;
            }
            Event::UnresolvedAlias(name) => {
                return self.fatal(
                    Diagnostic::error(Code::YamlFeature, span, format!("the alias `*{name}` refers to no anchor above it"))
                        .help(format!("quote it if it is text: \"*{name}\"")),
                );
            }
            Event::Alias(id) => return self.alias(id, span),
            Event::Scalar(text, style, anchor, _) => {
                let node = self.scalar(&text, style, start, end);
                self.last_end = end;
                self.keep(anchor, &node, 1);
                return self.place(node, 1);
            }
            Event::SequenceStart(style, anchor, _) => {
                return self.open(FrameKind::List(Vec::new()), style, anchor, start, end);
            }
            Event::MappingStart(style, anchor, _) => {
                let kind = FrameKind::Map { entries: Vec::new(), seen: Seen::default(), key: None };
                return self.open(kind, style, anchor, start, end);
            }
            Event::SequenceEnd | Event::MappingEnd => {}
            _ => return true,
        }
        let Some(frame) = self.stack.pop() else { return true };
        let end = if frame.flow { end } else { frame.end.max(frame.start) };
        self.last_end = self.last_end.max(end);
        let node = match frame.kind {
            FrameKind::List(items) => Node { span: self.span(frame.start, end), kind: NodeKind::List(items) },
            // A template without quotes has been reported; it is read as if they were there.
            FrameKind::Map { entries, .. } if entries.is_empty() && is_template(self.text.get(frame.start..end)) => {
                let text = self.text.get(frame.start..end).unwrap_or("").to_owned();
                self.template_end = Some(end);
                self.scalar(&text, ScalarStyle::Plain, frame.start, end)
            }
            FrameKind::Map { entries, .. } => Node { span: self.span(frame.start, end), kind: NodeKind::Map(entries) },
        };
        self.keep(frame.anchor, &node, frame.nodes);
        self.place(node, frame.nodes)
    }

    fn open(&mut self, kind: FrameKind, style: StructureStyle, anchor: usize, start: usize, end: usize) -> bool {
        let flow = style == StructureStyle::Flow;
        self.last_end = self.last_end.max(end);
        if anchor != 0 {
            if self.anchors.len() >= MAX_ANCHORS {
                return self.fatal(too_many_anchors(self.span(start, end)));
            }
            self.anchors.insert(anchor, Anchored::Open);
        }
        if self.stack.len() >= MAX_DEPTH {
            let span = self.span(start, end.max(start + 1).min(self.text.len()));
            return self.fatal(
                Diagnostic::error(Code::TooLarge, span, format!("lists and maps are nested deeper than {MAX_DEPTH}"))
                    .help("split the playbook, or keep the data in a file of its own"),
            );
        }
        self.stack.push(Frame { kind, start, end, anchor, flow, nodes: 1 });
        true
    }

    fn alias(&mut self, id: usize, span: Span) -> bool {
        self.aliases += 1;
        if self.aliases > MAX_ALIASES {
            let message = format!("more than {MAX_ALIASES} aliases in one file");
            return self.fatal(Diagnostic::error(Code::YamlFeature, span, message).help("write the values out, or use `vars`"));
        }
        let too_much = match self.anchors.get(&id) {
            Some(Anchored::Node(_, weight)) => {
                self.aliased.add(*weight);
                self.aliased.over()
            }
            Some(Anchored::TooLarge(what)) => Some(*what),
            _ => {
                return self
                    .fatal(Diagnostic::error(Code::YamlFeature, span, "the anchor contains itself").help("write the value out"));
            }
        };
        if let Some(what) = too_much {
            let message = format!("the aliases of this file stand for more than {what}");
            return self.fatal(Diagnostic::error(Code::YamlFeature, span, message).help("write the values out, or use `vars`"));
        }
        let Some(Anchored::Node(node, weight)) = self.anchors.get(&id) else { return true };
        let (node, nodes) = (node.clone(), weight.nodes);
        self.last_end = span.end as usize;
        self.place(node, nodes)
    }

    /// Keeps a node that has an anchor, unless no alias could stand for it anyway.
    fn keep(&mut self, anchor: usize, node: &Node, nodes: usize) {
        if anchor == 0 {
            return;
        }
        // Counted before it is copied: anchors may stand inside each other.
        let weight = Weight { nodes, bytes: if nodes > MAX_ALIASED_NODES { 0 } else { bytes_of(node) } };
        self.kept.add(weight);
        let kept = match self.kept.over() {
            None => Anchored::Node(node.clone(), weight),
            Some(what) => {
                self.kept.remove(weight);
                Anchored::TooLarge(what)
            }
        };
        self.anchors.insert(anchor, kept);
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, start: usize, end: usize) -> Node {
        let style = match style {
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
            _ => Style::Plain,
        };
        let block = matches!(style, Style::Literal | Style::Folded);
        let quoted = style != Style::Plain;
        // A block scalar's token runs to the next line; nobody wants to see that underlined.
        let shown = if block { start + self.text.get(start..end).unwrap_or("").trim_end().len() } else { end };
        let span = self.span(start, shown);
        let text = if start == end && !quoted { "" } else { text };
        if !quoted {
            self.comment_inside(start, end);
        }
        let value = if quoted {
            ScalarValue::Str
        } else {
            match scalar::resolve(text) {
                Plain::Is(value) => value,
                Plain::OutOfRange(why) => {
                    self.out.push(
                        Diagnostic::error(Code::OutOfRange, span, format!("`{text}` {why}"))
                            .help(format!("quote it if it is text: \"{text}\"")),
                    );
                    ScalarValue::Str
                }
            }
        };
        // A key is pointed at as a whole.
        let is_key = matches!(self.stack.last().map(|f| &f.kind), Some(FrameKind::Map { key: None, .. }));
        let map = if is_key { TextMap::default() } else { textmap::build(self.text, start, end, text, style) };
        Node { span, kind: NodeKind::Scalar(Scalar { text: text.to_owned(), map, quoted, value }) }
    }

    /// Refuses a comment between the lines of plain text: the parser reads on past one that a tab indents, others do not.
    fn comment_inside(&mut self, start: usize, end: usize) {
        let mut at = start;
        for line in self.text.get(start..end).unwrap_or("").split_inclusive('\n') {
            let blank = line.len() - line.trim_start().len();
            if at > start && line[blank..].starts_with('#') {
                let span = self.span(at + blank, at + blank + 1);
                self.out.push(
                    Diagnostic::error(Code::YamlSyntax, span, "a comment between the lines of a text")
                        .help("put the comment above the text, or the text in quotes"),
                );
                return;
            }
            at += line.len();
        }
    }

    /// Puts a finished node where it belongs: as a key, a value, an item or the root.
    fn place(&mut self, node: Node, nodes: usize) -> bool {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("the file holds more than {MAX_NODES} values");
            return self.fatal(Diagnostic::error(Code::TooLarge, node.span, message).help("keep the data in a file of its own"));
        }
        let Some(frame) = self.stack.last_mut() else {
            warn_other_reading(&node, self.out);
            self.root = Some(node);
            return true;
        };
        frame.nodes += nodes;
        if node.span.source == self.source {
            frame.end = frame.end.max(node.span.end as usize);
        }
        let (entries, seen, pending) = match &mut frame.kind {
            FrameKind::List(items) => {
                warn_other_reading(&node, self.out);
                items.push(node);
                return true;
            }
            FrameKind::Map { entries, seen, key } => (entries, seen, key),
        };
        match pending.take() {
            None => {
                *pending = Some(match key(node, self.text, seen, entries, self.out) {
                    Some(good) => Key::Good(good),
                    None => Key::Bad,
                });
            }
            Some(Key::Good(key)) => {
                warn_other_reading(&node, self.out);
                seen.add(&key);
                entries.push((key, node));
            }
            Some(Key::Bad) => {}
        }
        true
    }

    fn syntax(&mut self, error: &granit_parser::ScanError) {
        if matches!(error.kind(), ErrorKind::TooManyComments) {
            let at = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
            self.out.push(too_many_comments(self.span(at, at)));
            return;
        }
        let at = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
        // Text after a template without quotes has been told with the template.
        if self.template_end.and_then(|end| self.text.get(end..at)).is_some_and(|between| between.trim_matches(' ').is_empty()) {
            return;
        }
        let open = self.stack.iter().rev().find(|f| f.flow).map(|f| f.start);
        let diagnostic = crate::syntax::explain(&crate::syntax::Broken {
            text: self.text,
            source: self.source,
            at,
            last_end: self.last_end.min(self.text.len()),
            open,
            fault: fault(error.kind()),
            said: error.kind().to_string(),
        });
        self.out.push(diagnostic);
    }
}

fn too_many_comments(span: Span) -> Diagnostic {
    Diagnostic::error(Code::TooLarge, span, format!("the file holds more than {MAX_COMMENTS} comments"))
        .help("keep the text in a file of its own")
}

fn too_many_anchors(span: Span) -> Diagnostic {
    Diagnostic::error(Code::TooLarge, span, format!("the file holds more than {MAX_ANCHORS} anchors"))
        .help("write the values out, or name them under `vars`")
}

/// Whether a flow map is written like a template.
fn is_template(written: Option<&str>) -> bool {
    written.is_some_and(|w| w.starts_with("{{") && w.ends_with("}}") && w.len() > 4)
}

/// The key that a node stands for, unless it is refused.
fn key(
    node: Node,
    text: &str,
    seen: &mut Seen,
    entries: &[(Spanned<String>, Node)],
    out: &mut Diagnostics,
) -> Option<Spanned<String>> {
    if let NodeKind::Scalar(scalar) = &node.kind
        && scalar.value == ScalarValue::Str
        && (scalar.text != "<<" || scalar.quoted)
    {
        let Some(first) = seen.find(entries, &scalar.text) else {
            let NodeKind::Scalar(scalar) = node.kind else { return None };
            return Some(Spanned::new(scalar.text, node.span));
        };
        out.push(
            Diagnostic::error(Code::DuplicateKey, node.span, format!("the key `{}` is given twice", scalar.text))
                .also(first, "first given here")
                .help("remove one of them; neither silently wins"),
        );
        return None;
    }
    let refuse = |out: &mut Diagnostics, message: String, help: String| {
        out.push(Diagnostic::error(Code::YamlFeature, node.span, message).help(help));
        None
    };
    let Some(scalar) = node.as_scalar() else {
        let written = text.get(node.span.start as usize..).unwrap_or("");
        return if written.starts_with('{') && text[..node.span.start as usize].ends_with('{') {
            let end = written.find('\n').unwrap_or(written.len());
            let inner = written[1..end].split('}').next().unwrap_or("").trim();
            // What follows on the line belongs to the text.
            let more = written[..end].split_once("}}").map_or("", |(_, more)| more.split(" #").next().unwrap_or("").trim_end());
            let more = if more.starts_with([',', '}', ']']) { "" } else { more };
            let (start, end) = (node.span.start as usize, node.span.end as usize);
            let closed = text.get(end..).is_some_and(|rest| rest.starts_with('}'));
            let span = Span::new(node.span.source, start - 1, end + usize::from(closed));
            out.push(
                Diagnostic::error(Code::YamlFeature, span, "a value that starts with `{{` must be quoted")
                    .help(format!("write \"{{{{ {inner} }}}}{more}\"; without quotes YAML takes it for a map")),
            );
            None
        } else {
            refuse(out, format!("a key must be a string, found {}", node.describe()), "write the key as one word".to_owned())
        };
    };
    if scalar.text == "<<" && !scalar.quoted {
        return refuse(
            out,
            "merge keys (`<<`) are not part of playbooks".to_owned(),
            "write the keys out; services share theirs through `service_defaults`".to_owned(),
        );
    }
    refuse(out, format!("a key must be a string, found {}", node.describe()), format!("quote it: \"{}\":", scalar.text))
}

/// Warns about plain text that other YAML readers take for something else.
fn warn_other_reading(node: &Node, out: &mut Diagnostics) {
    let Some(scalar) = node.as_scalar() else { return };
    if scalar.quoted || scalar.value != ScalarValue::Str {
        return;
    }
    if let Some(reading) = scalar::other_reading(&scalar.text) {
        let message = format!("`{}` is text here, and {reading} to YAML 1.1 tools", scalar.text);
        let help = match reading {
            "a boolean" => format!("quote it: \"{}\"; a boolean is written `true` or `false`", scalar.text),
            _ => format!("quote it: \"{}\"", scalar.text),
        };
        out.push(Diagnostic::warning(Code::AmbiguousScalar, node.span, message).help(help));
    }
}

/// The crate's error kinds in our own words.
fn fault(kind: &ErrorKind) -> crate::syntax::Fault {
    use crate::syntax::Fault as F;
    match kind {
        ErrorKind::RecursionLimitExceeded => F::TooDeep,
        ErrorKind::DirectiveDisallowed => F::Directive,
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent | ErrorKind::DocumentIndicatorInQuotedScalar => {
            F::OpenQuote
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::UnexpectedEof => F::InFlow,
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => F::Mismatched(*open, *close),
        ErrorKind::MisplacedFlowCollectionEnd => F::ClosesNothing,
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => F::Tab,
        ErrorKind::UnexpectedCharacter { character } => F::StartsWith(*character),
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => F::AfterQuote,
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate
        | ErrorKind::InvalidUnicodeEscape => F::Escape,
        ErrorKind::MappingValueNotAllowed => F::SecondColon,
        ErrorKind::BlockSequenceEntryNotAllowed => F::ListBesideKey,
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::InvalidIndentation => F::Indent,
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => F::NoColon,
        ErrorKind::CommentNotSeparated => F::Comment,
        ErrorKind::MissingAnchorOrAliasName => F::NoAnchorName,
        _ => F::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_core::span::SourceMap;

    pub(crate) fn tree(text: &str) -> (Option<Node>, Vec<String>, Vec<Allow>) {
        let mut sources = SourceMap::default();
        let id = sources.add("a.yaml", text);
        let mut out = Diagnostics::default();
        let document = read(text, id, &mut out);
        let said = out
            .into_sorted()
            .into_iter()
            .map(|d| {
                let at = sources.get(id).expect("added").position(d.span.expect("placed").start);
                format!("{}:{} {} {}", at.line, at.column, d.code, d.message)
            })
            .collect();
        (document.root, said, document.allows)
    }

    #[test]
    fn every_node_has_its_place() {
        let text = "a:\n  - x: 1\n    y: [2, z]\n  - |\n    one\n    two\nb: \"q\"\n";
        let (root, said, _) = tree(text);
        assert!(said.is_empty(), "{said:?}");
        let root = root.expect("a tree");
        let list = root.get("a").expect("a").as_list().expect("a list");
        let slice = |n: &Node| &text[n.span.start as usize..n.span.end as usize];
        assert_eq!(slice(&list[0]), "x: 1\n    y: [2, z]");
        assert_eq!(slice(list[0].get("y").expect("y")), "[2, z]");
        assert_eq!(slice(&list[1]), "one\n    two");
        assert_eq!(slice(root.get("b").expect("b")), "\"q\"");
        assert_eq!(slice(&root).len(), text.trim_end().len());
    }

    #[test]
    fn what_playbooks_do_not_use_is_refused() {
        for (text, expected) in [
            ("a: 1\na: 2\n", "2:1 E0102 the key `a` is given twice"),
            ("\"a\": 1\n'a': 2\n", "2:1 E0102 the key `a` is given twice"),
            ("v: {k: 1, k: 2}\n", "1:11 E0102 the key `k` is given twice"),
            ("a: !!str 1\n", "1:4 E0103 the tag `!!str` is not part of playbooks"),
            ("a: 1\n---\nb: 1\n", "2:1 E0103 a second document starts here"),
            ("1: a\n", "1:1 E0103 a key must be a string, found a whole number"),
            ("true: a\n", "1:1 E0103 a key must be a string, found a boolean"),
            ("? [a]\n: b\n", "1:3 E0103 a key must be a string, found a list"),
            ("a: &x {b: 1}\nc:\n  <<: *x\n", "3:3 E0103 merge keys (`<<`) are not part of playbooks"),
            ("a: *x\n", "1:4 E0103 the alias `*x` refers to no anchor above it"),
            ("a: &x [*x]\n", "1:8 E0103 the anchor contains itself"),
            ("a: {{ x }}\n", "1:4 E0103 a value that starts with `{{` must be quoted"),
            ("%YAML 1.1\n---\na: 1\n", "1:1 E0103 directives (`%`) are not part of playbooks"),
            ("a: 99999999999999999999\n", "1:4 E0307 `99999999999999999999` is too large for a whole number"),
        ] {
            assert_eq!(tree(text).1, [expected], "{text:?}");
        }
    }

    #[test]
    fn broken_text_is_pointed_at_where_it_began() {
        for (text, expected) in [
            ("a: 'x\nb: 1\n", "1:4 E0101 the quote `'` is never closed"),
            ("a: \"x\nb: [1\n", "1:4 E0101 the quote `\"` is never closed"),
            ("a: [1, 2\nb: 3\n", "1:4 E0101 the bracket `[` is never closed"),
            ("a: {b: 1\nc: 2\n", "1:4 E0101 the bracket `{` is never closed"),
            ("a: [1, 2}\n", "1:4 E0101 the bracket `[` is closed by `}`"),
            ("a: ]\n", "1:4 E0101 the bracket `]` closes nothing"),
            ("a:\n\tb: 1\n", "2:1 E0101 a tab where YAML needs spaces"),
            ("a: b: c\n", "1:5 E0101 a second `: ` in one value"),
            ("a:\n  b: 1\n c: 2\n", "3:2 E0101 this indent (1) fits no line above"),
            ("a: @x\n", "1:4 E0101 plain text cannot start with `@`"),
            ("a: \"x\" in y\n", "1:8 E0101 more text after the closing quote"),
            ("a: \"\\q\"\n", "1:5 E0101 `\\q` is no escape"),
            ("a: b\n\t# c\n d\n", "2:2 E0101 a comment between the lines of a text"),
            ("a: - b\n", "1:4 E0101 a list cannot start beside its key"),
            ("foo\nbar: 1\n", "2:4 E0101 this line is read as more of the text above, where `: ` means nothing"),
        ] {
            assert_eq!(tree(text).1, [expected], "{text:?}");
        }
        assert!(tree(&"[".repeat(100_000)).1[0].contains("E0004"));
        assert!(tree(&"? ".repeat(50_000)).1[0].contains("E0004"));
        let nested: String = (0..80).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
        assert!(tree(&nested).1[0].contains("E0004"));
    }

    #[test]
    fn aliases_are_bounded() {
        let (root, said, _) = tree("a: &x [1, 2]\nb: *x\n");
        assert!(said.is_empty());
        assert_eq!(root.expect("a tree").get("b").expect("b").as_list().expect("a list").len(), 2);
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..9 {
            let of = format!("*a{}, ", i - 1).repeat(7);
            bomb.push_str(&format!("a{i}: &a{i} [{}]\n", of.trim_end_matches(", ")));
        }
        assert!(tree(&bomb).1[0].contains("stand for more than"));
        let large = format!("a: &x \"{}\"\nb: [*x, *x]\n", "x".repeat(600_000));
        assert!(tree(&large).1[0].contains("stand for more than 1 MiB of text"), "{:?}", tree(&large).1);
        let many = format!("a: &x 1\nb: [{}]\n", "*x, ".repeat(65));
        assert!(tree(&many).1[0].contains("more than 64 aliases"));
    }

    #[test]
    fn comments_silence_warnings_by_code() {
        let (_, _, allows) = tree("a: no # runbook: allow W0104, W0101\n# other\n");
        assert_eq!(allows.len(), 1);
        assert_eq!(allows[0].codes, [Code::AmbiguousScalar, Code::UnquotedShell]);
    }
}
