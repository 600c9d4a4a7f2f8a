//! How many regular expressions of a file are looked at.

use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics};
use runbook_core::span::Span;

/// The most that are: compiling one, to see that it can be read and is not too large, takes up to a millisecond.
const MOST: usize = 1_000;

/// Counts those of one file.
#[derive(Debug, Default)]
pub(crate) struct Patterns(usize);

impl Patterns {
    /// Whether so many more are looked at; told once if not.
    pub(crate) fn take(&mut self, count: usize, span: Span, out: &mut Diagnostics) -> bool {
        let before = self.0;
        self.0 += count;
        if before <= MOST && self.0 > MOST {
            out.push(
                Diagnostic::error(Code::TooLarge, span, format!("the file holds more than {MOST} patterns"))
                    .help("split it, or repeat a step with `for_each`; no pattern after this is looked at"),
            );
        }
        self.0 <= MOST
    }
}
