//! Diagnostics as JSON.

use runbook_core::diagnostic::Diagnostic;
use runbook_core::span::SourceMap;
use serde_json::json;

use super::finding::{counts, findings};

/// All diagnostics as one JSON object, with a line break at its end.
pub fn json(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let (errors, warnings) = counts(diagnostics);
    let value = json!({
        "format_version": "1.0",
        "errors": errors,
        "warnings": warnings,
        "diagnostics": findings(diagnostics, sources),
    });
    format!("{value:#}\n")
}
