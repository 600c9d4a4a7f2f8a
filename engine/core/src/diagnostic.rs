//! Mistakes and warnings with a place, a cause, a help line and a stable code.

use std::fmt;

use crate::code::Code;
use crate::span::Span;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing runs while it stands.
    Error,
    /// Likely a mistake; can be silenced with `# runbook: allow CODE`.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// A further place that explains the main one, such as "first used here".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is said at it.
    pub text: String,
}

/// One mistake or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code, for `runbook explain`.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// The cause in plain words: a lowercase fragment, identifiers in backticks.
    pub message: String,
    /// The place; none for a mistake that has no text, such as a missing file.
    pub span: Option<Span>,
    /// What is said under the caret; may be empty.
    pub label: String,
    /// Further places.
    pub others: Vec<Label>,
    /// One line that says what to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            span: Some(span),
            label: String::new(),
            others: Vec::new(),
            help: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    /// An error that has no place in a text.
    pub fn without_place(code: Code, message: impl Into<String>) -> Self {
        Diagnostic { span: None, ..Diagnostic::error(code, Span::default(), message) }
    }

    /// Sets the text under the caret.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = text.into();
        self
    }

    /// Sets the help line.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Cuts texts that are too long to be read.
    fn shorten(&mut self) {
        let texts = [&mut self.message, &mut self.label];
        texts.into_iter().chain(&mut self.help).chain(self.others.iter_mut().map(|l| &mut l.text)).for_each(cut);
    }

    /// Adds a further place.
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.others.push(Label { span, text: text.into() });
        self
    }
}

/// How many mistakes, and how many warnings, of one file are kept. The rest is counted.
const MOST: usize = 1_000;

/// How long a message, a label or a help line may be, in bytes, so that a text of megabytes is not repeated in full.
const LONG: usize = 1_000;

/// Collects diagnostics while a file is read.
#[derive(Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    errors: Kept,
    warnings: Kept,
}

/// How many there are of one severity.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    listed: usize,
    dropped: usize,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        let kept = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if kept.listed >= MOST {
            kept.dropped += 1;
            return;
        }
        kept.listed += 1;
        diagnostic.shorten();
        self.list.push(diagnostic);
    }

    /// Adds all those of another file.
    pub fn absorb(&mut self, other: Diagnostics) {
        self.list.extend(other.list);
        for (mine, theirs) in [(&mut self.errors, other.errors), (&mut self.warnings, other.warnings)] {
            mine.listed += theirs.listed;
            mine.dropped += theirs.dropped;
        }
    }

    /// Whether no further mistake is kept, so that what it would say need not be worked out.
    pub fn is_full(&self) -> bool {
        self.errors.listed >= MOST
    }

    /// Adds several.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        more.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Whether an error is among them.
    pub fn has_errors(&self) -> bool {
        self.errors.listed > 0
    }

    /// How many there are, those that are not kept among them.
    pub fn len(&self) -> usize {
        self.list.len() + self.errors.dropped + self.warnings.dropped
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Hands them out in file order, each once; the last ones tell of those that were not kept.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|d| (d.span.map(|s| (s.source, s.start)), d.severity, d.code));
        self.list.dedup();
        for (kept, severity, code, noun) in [
            (self.errors, Severity::Error, Code::TooManyMistakes, "mistakes"),
            (self.warnings, Severity::Warning, Code::TooManyWarnings, "warnings"),
        ] {
            if kept.dropped > 0 {
                let last = self.list.iter().rev().find(|d| d.severity == severity).and_then(|d| d.span);
                let message = format!("{} more {noun} are not listed", kept.dropped);
                let more = Diagnostic { span: last, severity, ..Diagnostic::without_place(code, message) };
                self.list.push(more.help("mend those above first"));
            }
        }
        self.list
    }
}

/// Takes the middle out of a text that is too long.
fn cut(text: &mut String) {
    if text.len() <= LONG {
        return;
    }
    let start = (0..=LONG / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let end = (text.len() - LONG / 4..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    *text = format!("{} ... {}", &text[..start], &text[end..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::SourceId;

    fn place(at: usize) -> Span {
        Span::new(SourceId(0), at, at + 1)
    }

    #[test]
    fn a_flood_is_counted_and_an_error_is_never_lost() {
        let mut out = Diagnostics::default();
        for at in 0..5_000 {
            out.push(Diagnostic::warning(Code::Unused, place(at), "w"));
        }
        assert!(!out.is_full() && !out.has_errors());
        for at in 0..3_000 {
            out.push(Diagnostic::error(Code::UnknownKey, place(10_000 + at), "e"));
        }
        assert!(out.is_full() && out.has_errors());
        assert_eq!(out.len(), 8_000);
        let mut all = Diagnostics::default();
        all.absorb(out);
        assert_eq!((all.len(), all.has_errors()), (8_000, true));
        let list = all.into_sorted();
        assert_eq!(list.len(), 2_002);
        let last: Vec<&str> = list[2_000..].iter().map(|d| d.message.as_str()).collect();
        assert_eq!(last, ["2000 more mistakes are not listed", "4000 more warnings are not listed"]);
        assert_eq!(list[2_000].span, Some(place(10_999)));
    }

    #[test]
    fn texts_of_megabytes_are_cut() {
        let mut out = Diagnostics::default();
        let long = "é".repeat(1_000_000);
        out.push(
            Diagnostic::error(Code::UnknownKey, place(0), long.as_str()).help(long.as_str()).label("short").also(place(1), long),
        );
        let list = out.into_sorted();
        assert!(list[0].message.len() < 900 && list[0].message.contains("é ... é"));
        assert!(list[0].help.as_ref().is_some_and(|h| h.len() < 900) && list[0].others[0].text.len() < 900);
        assert_eq!(list[0].label, "short");
    }
}
