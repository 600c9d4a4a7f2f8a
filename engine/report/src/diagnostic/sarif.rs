//! Diagnostics as SARIF 2.1.0, for code scanning.

use indexmap::IndexSet;
use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::span::SourceMap;
use serde_json::{Value as Json, json};

use super::finding::{Region, findings};

/// A SARIF log of one run of this version of the program, with a line break at its end.
pub fn sarif(diagnostics: &[Diagnostic], sources: &SourceMap, version: &str) -> String {
    let codes: IndexSet<Code> = diagnostics.iter().map(|d| d.code).collect();
    let rules: Vec<Json> = codes
        .iter()
        .map(|code| {
            json!({
                "id": code.as_str(),
                "shortDescription": { "text": code.title() },
                "fullDescription": { "text": code.explanation() },
            })
        })
        .collect();
    let results: Vec<Json> = diagnostics
        .iter()
        .zip(findings(diagnostics, sources))
        .map(|(diagnostic, finding)| {
            let mut text = finding.message.clone();
            if let Some(help) = &finding.help {
                text.push_str(&format!("\nhelp: {help}"));
            }
            let related: Vec<Json> = finding
                .others
                .iter()
                .enumerate()
                .map(|(i, r)| {
                    let mut location = location(r);
                    location["id"] = json!(i + 1);
                    location["message"] = json!({ "text": r.label });
                    location
                })
                .collect();
            let mut result = json!({
                "ruleId": finding.code,
                "ruleIndex": codes.get_index_of(&diagnostic.code),
                "level": finding.severity,
                "message": { "text": text },
                "locations": finding.region.iter().map(location).collect::<Vec<_>>(),
            });
            if !related.is_empty() {
                result["relatedLocations"] = Json::Array(related);
            }
            result
        })
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "runbook", "version": version, "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn location(region: &Region) -> Json {
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(&region.file) },
            "region": {
                "startLine": region.line,
                "startColumn": region.column,
                "endLine": region.end_line,
                "endColumn": region.end_column,
            },
        },
    })
}

/// A path as a relative or absolute reference: what may not stand in one is percent-encoded.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            b'\\' => out.push('/'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
