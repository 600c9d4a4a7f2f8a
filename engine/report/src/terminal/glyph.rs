//! The glyphs of states, with a set for terminals that only know ASCII.

use runbook_core::event::{GradeWord, Outcome};

use crate::ink::Ink;

/// The glyphs of one set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glyphs {
    pub(crate) start: &'static str,
    pub(crate) group: &'static str,
    ok: &'static str,
    failed: &'static str,
    skipped: &'static str,
    unknown: &'static str,
    warning: &'static str,
    off: &'static str,
    pub(crate) note: &'static str,
    pub(crate) waiting: &'static str,
    pub(crate) planned: &'static str,
    pub(crate) bar: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) dot: &'static str,
    pub(crate) arrow: &'static str,
    pub(crate) inside: &'static str,
    pub(crate) ellipsis: &'static str,
    pub(crate) none: &'static str,
    pub(crate) back: &'static str,
    spinner: &'static [&'static str],
}

const UNICODE: Glyphs = Glyphs {
    start: "▶",
    group: "▸",
    ok: "✓",
    failed: "✗",
    skipped: "–",
    unknown: "?",
    warning: "!",
    off: "~",
    note: "»",
    waiting: "·",
    planned: "○",
    bar: "│",
    rule: "─",
    dot: "·",
    arrow: "→",
    inside: "›",
    ellipsis: "…",
    none: "–",
    back: "↶",
    spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
};

const ASCII: Glyphs = Glyphs {
    start: ">",
    group: ">",
    ok: "+",
    failed: "x",
    skipped: "-",
    unknown: "?",
    warning: "!",
    off: "~",
    note: ">",
    waiting: ".",
    planned: "o",
    bar: "|",
    rule: "-",
    dot: "-",
    arrow: "->",
    inside: ">",
    ellipsis: "...",
    none: "-",
    back: "<",
    spinner: &["|", "/", "-", "\\"],
};

impl Glyphs {
    /// The set for a terminal.
    pub(crate) fn of(unicode: bool) -> Self {
        if unicode { UNICODE } else { ASCII }
    }

    /// The glyph and ink of an outcome.
    pub(crate) fn outcome(&self, outcome: Outcome) -> (&'static str, Ink) {
        match outcome {
            Outcome::Ok | Outcome::Changed => (self.ok, Ink::Good),
            Outcome::Failed => (self.failed, Ink::Bad),
            Outcome::Skipped => (self.skipped, Ink::Dim),
            Outcome::Unknown => (self.unknown, Ink::Warn),
        }
    }

    /// The glyph and ink of a grade.
    pub(crate) fn grade(&self, grade: GradeWord) -> (&'static str, Ink) {
        match grade {
            GradeWord::Ok => (self.ok, Ink::Good),
            GradeWord::OffTarget => (self.off, Ink::Accent),
            GradeWord::Warning => (self.warning, Ink::Warn),
            GradeWord::Unknown => (self.unknown, Ink::Warn),
            GradeWord::Critical => (self.failed, Ink::Bad),
        }
    }

    /// The frame of the spinner after so many milliseconds.
    pub(crate) fn spin(&self, ms: f64) -> &'static str {
        let frame = (ms.max(0.0) / 100.0) as usize;
        self.spinner[frame % self.spinner.len()]
    }
}
