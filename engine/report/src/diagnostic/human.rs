//! Diagnostics for people: the source line with a caret under the mistake, or one line each.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use runbook_core::diagnostic::{Diagnostic, Severity};
use runbook_core::span::{Source, SourceId, SourceMap, Span};

use super::finding::{findings, summary};
use crate::ink::{Ink, Line};
use crate::policy::TermPolicy;
use crate::sanitize::{is_hidden, sanitize, sanitize_line};

/// The most diagnostics that are shown; a person repairs no more at once.
const CAP: usize = 20;
/// The lines around a place that are handed to the renderer, which takes time for each.
const AROUND: u32 = 2;
/// Places at most so many lines apart are shown in one piece.
const NEAR: u32 = 16;
/// Of a longer line only the part around the place is echoed.
const LONG_LINE: usize = 2_000;

/// Diagnostics with the lines they are about, and a line that counts them.
pub fn human(diagnostics: &[Diagnostic], sources: &SourceMap, policy: &TermPolicy) -> String {
    let renderer = if policy.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(policy.width);
    let mut out = String::new();
    for diagnostic in shown(diagnostics) {
        out.push_str(&placed(renderer.render(&[group(diagnostic, sources)]), diagnostic, sources));
        out.push_str("\n\n");
    }
    let mut end = Vec::new();
    if diagnostics.len() > CAP {
        end.push(Line::of(Ink::Dim, &format!("and {} more; --format json lists them all", diagnostics.len() - CAP)));
    }
    let counted = summary(diagnostics);
    if !counted.is_empty() {
        end.push(Line::of(Ink::Bold, &counted));
    }
    if let Some(first) = shown(diagnostics).first() {
        end.push(Line::of(Ink::Dim, &format!("more about a code: runbook explain {}", first.code)));
    }
    for line in end {
        out.push_str(&line.render(policy.color));
        out.push('\n');
    }
    out
}

/// The text with the column of its place as it is in the file: what is echoed is shorter where a secret was masked before it.
fn placed(text: String, diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let Some(place) = diagnostic.span.and_then(|s| sources.place(s)) else { return text };
    let before = format!("{}:{}:", sanitize_line(&place.file), place.line);
    let Some(at) = text.find(&before).map(|i| i + before.len()) else { return text };
    let digits = text[at..].bytes().take_while(u8::is_ascii_digit).count();
    format!("{}{}{}", &text[..at], place.column, &text[at + digits..])
}

/// The diagnostics that are shown: all, or the errors first if there are too many.
fn shown(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut all: Vec<&Diagnostic> = diagnostics.iter().collect();
    if all.len() > CAP {
        all.sort_by_key(|d| d.severity != Severity::Error);
        all.truncate(CAP);
    }
    all
}

/// One line each: `file:line:col: error[E0201]: text`.
pub fn compact(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let mut out = String::new();
    for finding in findings(diagnostics, sources) {
        let place = finding.region.map(|r| format!("{}:{}:{}: ", r.file, r.line, r.column)).unwrap_or_default();
        let help = finding.help.map(|h| format!(" (help: {h})")).unwrap_or_default();
        let line = format!("{place}{}[{}]: {}{help}", finding.severity, finding.code, finding.message);
        out.push_str(&sanitize_line(&line));
        out.push('\n');
    }
    out
}

fn group<'a>(diagnostic: &Diagnostic, sources: &SourceMap) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(sanitize(&diagnostic.message).into_owned()).id(diagnostic.code.as_str());
    let mut group = Group::with_title(title);
    let mut marks: Vec<Mark<'_>> = Vec::new();
    if let Some(span) = diagnostic.span {
        marks.push(Mark { span, label: &diagnostic.label, primary: true });
    }
    marks.extend(diagnostic.others.iter().map(|l| Mark { span: l.span, label: &l.text, primary: false }));
    for (id, piece) in pieces(sources, marks) {
        if let Some(source) = sources.get(id) {
            group = group.element(snippet(source, &piece, &|at| sources.hidden_at(id, at)));
        }
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(sanitize(help).into_owned()));
    }
    group
}

/// A place to be marked.
#[derive(Clone, Copy)]
struct Mark<'a> {
    span: Span,
    label: &'a str,
    primary: bool,
}

/// Marks that are shown in one piece, with the lines around them. The piece of the main mark comes first.
struct Piece<'a> {
    first: u32,
    last: u32,
    marks: Vec<Mark<'a>>,
}

fn pieces<'a>(sources: &SourceMap, marks: Vec<Mark<'a>>) -> Vec<(SourceId, Piece<'a>)> {
    let mut pieces: Vec<(SourceId, Piece<'a>)> = Vec::new();
    for mark in marks {
        let Some(source) = sources.get(mark.span.source) else {
            continue;
        };
        let line = source.position(mark.span.start).line;
        let near = pieces.iter_mut().find(|(id, p)| *id == mark.span.source && line + NEAR > p.first && line < p.last + NEAR);
        match near {
            Some((_, piece)) => {
                piece.first = piece.first.min(line);
                piece.last = piece.last.max(line);
                piece.marks.push(mark);
            }
            None => pieces.push((mark.span.source, Piece { first: line, last: line, marks: vec![mark] })),
        }
    }
    pieces
}

/// The place around a byte that must not be echoed.
type Hidden<'a> = dyn Fn(u32) -> Option<Span> + 'a;

fn snippet<'a>(source: &Source, piece: &Piece<'_>, hidden: &Hidden<'_>) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let first = piece.first.saturating_sub(AROUND).max(1);
    let last = (piece.last + AROUND).min(source.line_count());
    let window = Window::new(source, first, last, &piece.marks, hidden);
    let mut snippet =
        Snippet::source(window.text.clone()).line_start(first as usize).path(sanitize_line(&source.name).into_owned());
    for mark in &piece.marks {
        let kind = if mark.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(window.range(mark.span));
        let label = sanitize_line(mark.label).into_owned();
        snippet = snippet.annotation(if label.is_empty() { annotation } else { annotation.label(label) });
    }
    snippet
}

/// Some lines of a source, sanitized, with the way from its offsets to theirs.
struct Window {
    text: String,
    /// `(offset in the source, offset in the text)` of every character, and of the end.
    map: Vec<(usize, usize)>,
}

impl Window {
    fn new(source: &Source, first: u32, last: u32, marks: &[Mark<'_>], hidden: &Hidden<'_>) -> Self {
        let mut until = 0;
        let mut window = Window { text: String::new(), map: Vec::new() };
        for number in first..=last {
            let start = source.line_start(number) as usize;
            let line = source.line(number);
            let (from, to) = part(line, start, marks);
            if from > 0 {
                window.push(start, "...");
            }
            for (at, c) in line[from..to].char_indices() {
                let offset = start + from + at;
                window.map.push((offset, window.text.len()));
                if offset < until {
                    continue;
                }
                if let Some(secret) = hidden(offset as u32) {
                    // One mark for all of it, so that its length is not told either.
                    until = secret.end as usize;
                    window.text.push_str("***");
                } else if is_hidden(c) {
                    window.text.push_str(&sanitize(c.encode_utf8(&mut [0; 4])));
                } else {
                    window.text.push(c);
                }
            }
            window.push(start + to, if to < line.len() { "..." } else { "" });
            if number < last {
                window.push(start + line.len(), "\n");
            }
        }
        window
    }

    fn push(&mut self, offset: usize, text: &str) {
        self.map.push((offset, self.text.len()));
        self.text.push_str(text);
    }

    fn offset(&self, at: usize) -> usize {
        let i = self.map.partition_point(|(o, _)| *o < at);
        self.map.get(i).map_or(self.text.len(), |(_, n)| *n)
    }

    /// The range of a span, at least one column and never over the end of its first line.
    fn range(&self, span: Span) -> std::ops::Range<usize> {
        let start = self.offset(span.start as usize);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |n| start + n);
        let end = self.offset(span.end as usize).clamp(start, line_end);
        let next = self.text[start..line_end].chars().next().map_or(start, |c| start + c.len_utf8());
        start..end.max(next)
    }
}

/// The part of a line that is echoed, in bytes: all of it, unless it is very long.
fn part(line: &str, start: usize, marks: &[Mark<'_>]) -> (usize, usize) {
    if line.len() <= LONG_LINE {
        return (0, line.len());
    }
    let mark =
        marks.iter().map(|m| m.span.start as usize).find(|s| (start..=start + line.len()).contains(s)).unwrap_or(start) - start;
    let (mut from, mut to) = (mark.saturating_sub(LONG_LINE / 2), (mark + LONG_LINE / 2).min(line.len()));
    while !line.is_char_boundary(from) {
        from -= 1;
    }
    while !line.is_char_boundary(to) {
        to += 1;
    }
    (from, to)
}
