//! Comments that silence warnings: `# runbook: allow W0104`.

use std::collections::HashMap;

use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Severity};
use runbook_core::span::{SourceId, SourceMap, Span};

/// A comment that silences warnings of its line and the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// The place of the comment.
    pub span: Span,
    /// The codes it names.
    pub codes: Vec<Code>,
    /// Words in it that are no code.
    pub unknown: Vec<String>,
}

impl Allow {
    /// Reads a comment's text (what follows `#`).
    pub(crate) fn read(text: &str, span: Span) -> Option<Allow> {
        let rest = text.trim().strip_prefix("runbook:")?.trim_start().strip_prefix("allow")?;
        let words = rest.split([',', ' ', '\t', '(', ')']).filter(|w| !w.is_empty());
        let mut allow = Allow { span, codes: Vec::new(), unknown: Vec::new() };
        for word in words {
            match Code::find(word) {
                Some(code) => allow.codes.push(code),
                None => allow.unknown.push(word.to_owned()),
            }
        }
        Some(allow)
    }

    /// What is wrong with the comment itself: words that are no code, or codes of errors.
    pub(crate) fn complaint(&self) -> Option<Diagnostic> {
        let error = self.codes.iter().find(|c| c.as_str().starts_with('E'));
        let message = match (self.unknown.first(), error) {
            (Some(word), _) => format!("`{word}` is no code of a warning"),
            (None, Some(code)) => format!("{code} is an error, and errors cannot be silenced"),
            (None, None) if self.codes.is_empty() => "the comment names no warning".to_owned(),
            (None, None) => return None,
        };
        Some(
            Diagnostic::warning(Code::Unused, self.span, message)
                .help("write `# runbook: allow W0101`, with the code that the warning shows"),
        )
    }
}

/// Takes out the warnings that a comment on the same line or the line before silences. Errors stay.
///
/// The lines themselves are looked at, so that a comment inside the text of a `shell: |` counts as well.
pub(crate) fn silence(diagnostics: Vec<Diagnostic>, sources: &SourceMap) -> Vec<Diagnostic> {
    // What each line allows, worked out once for each text: the first comment of a line counts.
    let mut allowed: HashMap<SourceId, HashMap<u32, Vec<Code>>> = HashMap::new();
    let mut silenced = |d: &Diagnostic| {
        let Some(span) = d.span else { return false };
        let Some(source) = sources.get(span.source) else { return false };
        let lines = allowed.entry(span.source).or_insert_with(|| {
            let mut lines = HashMap::new();
            for (at, _) in source.text.match_indices("# runbook:") {
                let line = source.line_of(at as u32);
                lines.entry(line).or_insert_with(|| {
                    let rest = source.text[at + 1..].lines().next().unwrap_or("");
                    Allow::read(rest, span).map_or_else(Vec::new, |allow| allow.codes)
                });
            }
            lines
        });
        let at = source.line_of(span.start);
        [at, at.saturating_sub(1)].iter().filter_map(|line| lines.get(line)).any(|codes| codes.contains(&d.code))
    };
    diagnostics.into_iter().filter(|d| d.severity == Severity::Error || !silenced(d)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_comments_count() {
        assert!(Allow::read(" todo", Span::default()).is_none());
        let allow = Allow::read(" runbook: allow(W0101) W9", Span::default()).expect("ours");
        assert_eq!((allow.codes, allow.unknown), (vec![Code::UnquotedShell], vec!["W9".to_owned()]));
    }
}
