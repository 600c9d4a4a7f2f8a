//! Diagnostics as annotations of GitHub Actions.

use runbook_core::diagnostic::Diagnostic;
use runbook_core::span::SourceMap;

use super::finding::findings;
use crate::sanitize::sanitize;

/// One workflow command each: `::error file=…,line=…,col=…::text`. Errors first, since GitHub shows only ten of a kind.
pub fn github(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let mut all = findings(diagnostics, sources);
    all.sort_by_key(|f| f.severity != "error");
    let mut out = String::new();
    for finding in all {
        let mut properties = Vec::new();
        if let Some(r) = &finding.region {
            properties.push(format!("file={}", property(&r.file)));
            properties.push(format!("line={}", r.line));
            properties.push(format!("endLine={}", r.end_line));
            properties.push(format!("col={}", r.column));
            properties.push(format!("endColumn={}", r.end_column));
        }
        properties.push(format!("title={}", property(finding.code)));
        let mut text = finding.message.clone();
        if let Some(region) = finding.region.as_ref().filter(|r| !r.label.is_empty()) {
            text.push_str(&format!(": {}", region.label));
        }
        if let Some(help) = &finding.help {
            text.push_str(&format!("\nhelp: {help}"));
        }
        out.push_str(&format!("::{} {}::{}\n", finding.severity, properties.join(","), data(&text)));
    }
    out
}

fn data(text: &str) -> String {
    sanitize(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
