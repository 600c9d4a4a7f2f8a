//! Comments that silence warnings: `# runbook: allow W0104`.

use std::collections::{HashMap, HashSet};

use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Severity};
use runbook_core::span::{SourceId, SourceMap, Span};

use crate::loader::{is_system, is_test};

/// How many comments that silence nothing are told at most.
const MOST: usize = 100;

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
    /// Reads a comment's text (what follows `#`): codes, and after them, if the author likes, why.
    pub(crate) fn read(text: &str, span: Span) -> Option<Allow> {
        let rest = text.trim().strip_prefix("runbook:")?.trim_start().strip_prefix("allow")?;
        let words = rest.split([',', ' ', '\t', '(', ')']).filter(|w| !w.is_empty());
        let mut allow = Allow { span, codes: Vec::new(), unknown: Vec::new() };
        for word in words {
            match Code::find(word.trim_end_matches(':')) {
                Some(code) => allow.codes.push(code),
                None if !allow.codes.is_empty() && !like_a_code(word) => break,
                None => {
                    allow.unknown.push(word.to_owned());
                    break;
                }
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

/// The codes that the first comment of a line allows.
fn allowed(line: &str) -> Vec<Code> {
    let Some(at) = line.find("# runbook:") else { return Vec::new() };
    Allow::read(&line[at + 1..], Span::default()).map_or_else(Vec::new, |allow| allow.codes)
}

/// A letter and digits.
fn like_a_code(word: &str) -> bool {
    let digits = word.trim_end_matches(':').strip_prefix(|c: char| c.is_ascii_alphabetic());
    digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
}

/// Takes out the warnings that a comment on the same line or the line before silences. Errors stay.
///
/// The lines themselves are looked at, so that a comment inside the text of a `shell: |` counts as well. Of `allows`, those in playbooks
/// that silence nothing are told. What a system file comes to depends on the profile, so a comment in one may be needed another time; and
/// of a file with errors not every warning is known.
pub(crate) fn silence(diagnostics: Vec<Diagnostic>, sources: &SourceMap, allows: &[Allow]) -> Vec<Diagnostic> {
    let mut needed: HashSet<(SourceId, u32, Code)> = HashSet::new();
    let broken: HashSet<SourceId> =
        diagnostics.iter().filter(|d| d.severity == Severity::Error).filter_map(|d| d.span).map(|s| s.source).collect();
    // A line may be as long as the file, so it is looked through once.
    let mut lines: HashMap<(SourceId, u32), Vec<Code>> = HashMap::new();
    let mut silenced = |d: &Diagnostic| {
        let Some(span) = d.span else { return false };
        let Some(source) = sources.get(span.source) else { return false };
        let at = source.line_of(span.start);
        let by: Vec<u32> = [at, at.saturating_sub(1)]
            .into_iter()
            .filter(|line| {
                let codes = lines.entry((span.source, *line)).or_insert_with(|| allowed(source.line(*line)));
                codes.contains(&d.code)
            })
            .collect();
        needed.extend(by.iter().map(|line| (span.source, *line, d.code)));
        !by.is_empty()
    };
    let mut left: Vec<Diagnostic> = diagnostics.into_iter().filter(|d| d.severity == Severity::Error || !silenced(d)).collect();
    let before = left.len();
    for allow in allows.iter().filter(|a| a.complaint().is_none() && !broken.contains(&a.span.source)) {
        if left.len() >= before + MOST {
            break;
        }
        let Some(source) = sources.get(allow.span.source).filter(|s| !is_system(&s.name) && !is_test(&s.name)) else { continue };
        let line = source.line_of(allow.span.start);
        for code in allow.codes.iter().filter(|c| !needed.contains(&(allow.span.source, line, **c))) {
            left.push(
                Diagnostic::warning(Code::Unused, allow.span, format!("this comment silences nothing: there is no {code} here"))
                    .help("take it out, or put it on the line of the warning or the line above"),
            );
        }
    }
    if left.len() > before {
        left.sort_by_key(|d| (d.span.map(|s| (s.source, s.start)), d.severity, d.code));
    }
    left
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

    #[test]
    fn a_reason_may_follow_the_codes() {
        for text in ["allow W0101, W0105: a dashboard uses it", "allow W0101 W0105 - 2 dashboards use it", "allow W0101, W0105"] {
            let allow = Allow::read(&format!(" runbook: {text}"), Span::default()).expect("ours");
            assert_eq!((allow.codes, allow.unknown), (vec![Code::UnquotedShell, Code::Unused], Vec::new()), "{text}");
        }
        let allow = Allow::read(" runbook: allow because", Span::default()).expect("ours");
        assert_eq!((allow.codes, allow.unknown), (Vec::new(), vec!["because".to_owned()]));
    }
}
