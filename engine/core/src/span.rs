//! Places in source texts: every node, expression and diagnostic knows where it was written.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names one text of a [`SourceMap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceId(pub u32);

/// A half-open range of bytes in one source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The text that the range lies in.
    pub source: SourceId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

impl Span {
    /// Makes a span from byte offsets.
    pub fn new(source: SourceId, start: usize, end: usize) -> Self {
        let clip = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { source, start: clip(start), end: clip(end.max(start)) }
    }

    /// The smallest span that covers both; `other` must be of the same text, else `self` is returned.
    pub fn to(self, other: Span) -> Span {
        if self.source != other.source {
            return self;
        }
        Span { source: self.source, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// A span without length at the start of this one.
    pub fn at_start(self) -> Span {
        Span { end: self.start, ..self }
    }
}

/// A value together with the place where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Ties a value to a place.
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// Maps offsets in a decoded scalar to offsets in its source, piece by piece.
///
/// A plain scalar has one piece; a quoted scalar with escapes or a block scalar has one piece per run of bytes that was copied unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextMap {
    /// `(offset in the decoded text, offset in the source)`, ascending; each piece runs to the next one.
    pub pieces: Vec<(u32, u32)>,
}

impl TextMap {
    /// A map for text that was copied unchanged from `start`.
    pub fn contiguous(start: u32) -> Self {
        TextMap { pieces: vec![(0, start)] }
    }

    /// The source offset of the decoded offset `at`.
    pub fn source_offset(&self, at: u32) -> u32 {
        let i = self.pieces.partition_point(|(d, _)| *d <= at);
        match i.checked_sub(1).and_then(|i| self.pieces.get(i)) {
            Some((d, s)) => s + (at - d),
            None => self.pieces.first().map_or(0, |(_, s)| *s),
        }
    }
}

/// One source text: what it is called and what it says.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name shown to people, usually a path relative to the project root.
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
    line_starts: Vec<u32>,
    /// How many characters there are before each block of the text; counted when a place far into a line is asked for.
    characters: std::sync::OnceLock<Vec<u32>>,
}

/// How many bytes are counted at once.
const BLOCK: usize = 4096;

/// A position as people count: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// Where something is written, in a form that can be recorded and shown without the source at hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file as shown to people.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Source {
    fn new(name: String, text: Arc<str>) -> Self {
        let line_starts =
            std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1)).collect();
        Source { name, text, line_starts, characters: std::sync::OnceLock::new() }
    }

    /// The line and column of a byte offset. It costs the same however long the line is.
    pub fn position(&self, offset: u32) -> Position {
        let offset = (offset as usize).min(self.text.len()) as u32;
        let line = self.line_starts.partition_point(|s| *s <= offset).max(1);
        let start = self.line_starts[line - 1] as usize;
        let mut end = offset as usize;
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let characters = if end - start < BLOCK {
            self.text[start..end].chars().count() as u32
        } else {
            self.characters_before(end) - self.characters_before(start)
        };
        Position { line: line as u32, column: characters + 1 }
    }

    /// How many characters of the whole text begin before a byte offset.
    fn characters_before(&self, offset: usize) -> u32 {
        let begins = |bytes: &[u8]| bytes.iter().filter(|b| (**b as i8) >= -0x40).count() as u32;
        let bytes = self.text.as_bytes();
        let blocks = self.characters.get_or_init(|| {
            let mut sum = 0;
            std::iter::once(0)
                .chain(bytes.chunks(BLOCK).map(|block| {
                    sum += begins(block);
                    sum
                }))
                .collect()
        });
        let block = offset / BLOCK;
        blocks.get(block).copied().unwrap_or(0) + begins(&bytes[block * BLOCK..offset])
    }

    /// The line (from 1) of a byte offset. Unlike [`Source::position`], it costs the same however long the line is.
    pub fn line_of(&self, offset: u32) -> u32 {
        self.line_starts.partition_point(|s| *s <= offset).max(1) as u32
    }

    /// The text of a line (from 1) without its line break, or `""` past the end.
    pub fn line(&self, line: u32) -> &str {
        let i = (line as usize).saturating_sub(1);
        let Some(start) = self.line_starts.get(i) else { return "" };
        let end = self.line_starts.get(i + 1).map_or(self.text.len(), |e| *e as usize);
        self.text[*start as usize..end].trim_end_matches(['\n', '\r'])
    }

    /// How many lines the text has.
    pub fn line_count(&self) -> u32 {
        self.line_starts.len() as u32
    }

    /// The byte offset at which a line (from 1) starts.
    pub fn line_start(&self, line: u32) -> u32 {
        let i = (line as usize).saturating_sub(1);
        self.line_starts.get(i).copied().unwrap_or(self.text.len() as u32)
    }
}

/// All texts that were read, by [`SourceId`].
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    sources: Vec<Arc<Source>>,
    /// Places that are never echoed.
    hidden: Vec<Span>,
}

impl SourceMap {
    /// Adds a text and returns its id.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        self.sources.push(Arc::new(Source::new(name.into(), text.into())));
        SourceId(self.sources.len() as u32 - 1)
    }

    /// The text with this id.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(id.0 as usize).map(|s| &**s)
    }

    /// Marks a place that is never echoed, such as a password.
    pub fn hide(&mut self, span: Span) {
        self.hidden.push(span);
    }

    /// The place around a byte that is never echoed, if it lies in one.
    pub fn hidden_at(&self, source: SourceId, offset: u32) -> Option<Span> {
        self.hidden.iter().copied().find(|s| s.source == source && (s.start..s.end).contains(&offset))
    }

    /// Where a span starts, for people.
    pub fn place(&self, span: Span) -> Option<Place> {
        let source = self.get(span.source)?;
        let at = source.position(span.start);
        Some(Place { file: source.name.clone(), line: at.line, column: at.column })
    }

    /// The text that a span covers.
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.source).and_then(|s| s.text.get(span.start as usize..span.end as usize)).unwrap_or("")
    }

    /// All texts with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.sources.iter().enumerate().map(|(i, s)| (SourceId(i as u32), &**s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_not_bytes() {
        let mut map = SourceMap::default();
        let id = map.add("a.yaml", "é: x\nsecond\n");
        let source = map.get(id).expect("just added");
        assert_eq!(source.position(4), Position { line: 1, column: 4 });
        assert_eq!(source.position(6), Position { line: 2, column: 1 });
        assert_eq!(source.line(2), "second");
        assert_eq!(source.position(9999).line, 3);
    }

    #[test]
    fn positions_far_into_a_line_are_counted_the_same_way() {
        let mut map = SourceMap::default();
        let text = format!("é\n{}x", "aé\u{1F600}".repeat(5_000));
        let id = map.add("a.yaml", text.as_str());
        let source = map.get(id).expect("just added");
        for (at, _) in text.char_indices().skip(2).step_by(97) {
            let column = text[3..at.max(3)].chars().count() as u32 + 1;
            assert_eq!(source.position(at as u32), Position { line: 2, column }, "{at}");
        }
        assert_eq!(source.position(text.len() as u32).column, 15_002);
    }

    #[test]
    fn text_map_follows_pieces() {
        let map = TextMap { pieces: vec![(0, 10), (5, 20)] };
        assert_eq!(map.source_offset(4), 14);
        assert_eq!(map.source_offset(5), 20);
        assert_eq!(map.source_offset(7), 22);
    }
}
