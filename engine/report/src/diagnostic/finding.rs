//! A diagnostic with its places worked out, for programs.

use std::collections::BTreeSet;

use runbook_core::diagnostic::{Diagnostic, Severity};
use runbook_core::span::{SourceMap, Span};
use serde::Serialize;

use crate::human;

/// Where something is in a file; lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Region {
    /// The file as shown to people.
    pub file: String,
    /// The line it begins in.
    pub line: u32,
    /// The column it begins at.
    pub column: u32,
    /// The line it ends in.
    pub end_line: u32,
    /// The column after its last character.
    pub end_column: u32,
    /// What is said of the place.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// A diagnostic with its places worked out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stable code.
    pub code: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The cause.
    pub message: String,
    /// The place, if it has one.
    #[serde(flatten)]
    pub region: Option<Region>,
    /// Further places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Region>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

fn region(sources: &SourceMap, span: Span, label: &str) -> Option<Region> {
    let source = sources.get(span.source)?;
    let (start, end) = (source.position(span.start), source.position(span.end));
    Some(Region {
        file: source.name.clone(),
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
        label: label.to_owned(),
    })
}

/// The findings of diagnostics, in their order.
pub fn findings(diagnostics: &[Diagnostic], sources: &SourceMap) -> Vec<Finding> {
    diagnostics
        .iter()
        .map(|d| Finding {
            code: d.code.as_str(),
            severity: word(d.severity),
            message: d.message.clone(),
            region: d.span.and_then(|s| region(sources, s, &d.label)),
            others: d.others.iter().filter_map(|l| region(sources, l.span, &l.text)).collect(),
            help: d.help.clone(),
        })
        .collect()
}

pub(super) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// How many there are: `(errors, warnings)`.
pub(super) fn counts(diagnostics: &[Diagnostic]) -> (usize, usize) {
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    (errors, diagnostics.len() - errors)
}

/// `found 3 errors and 1 warning in 2 files; nothing was run.`, or nothing if there are none.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let (errors, warnings) = counts(diagnostics);
    let mut kinds = Vec::new();
    if errors > 0 {
        kinds.push(human::count(errors, "error"));
    }
    if warnings > 0 {
        kinds.push(human::count(warnings, "warning"));
    }
    if kinds.is_empty() {
        return String::new();
    }
    let files: BTreeSet<_> = diagnostics.iter().filter_map(|d| d.span.map(|s| s.source)).collect();
    let place = if files.is_empty() { String::new() } else { format!(" in {}", human::count(files.len(), "file")) };
    let end = if errors > 0 { "; nothing was run." } else { "." };
    format!("found {}{place}{end}", human::and_list(&kinds))
}
