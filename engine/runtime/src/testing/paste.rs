//! Rules that can be pasted into a test, for calls that none of its rules answers.

use runbook_core::module::Registry;
use runbook_core::value::{Map, Value};
use runbook_core::world::Call;
use serde_json::Value as Json;

use super::trace::{Labels, shown_args};
use crate::scripted::plausible;

/// A longer argument does not help to tell calls apart.
const LONG: usize = 160;

/// So many calls of a module are told apart no more.
const MANY: usize = 4;

/// The entries of the rule for a call.
pub(super) fn rule(call: &Call, registry: &Registry, labels: &Labels) -> Vec<String> {
    let mut parts = vec![format!("module: {}", call.module)];
    let entry = registry.get(&call.module);
    let main = entry.and_then(|e| e.main.as_deref());
    let args = shown_args(&call.args);
    match main.map(|m| (m, args.field(m))) {
        Some((main, value)) if fits_in_a_rule(&value) => parts.push(format!("with: {{ {main}: {} }}", flow(&value.to_json()))),
        // Without a telling argument the step tells it apart, if it has a name.
        _ => {
            let step = labels.step_of(&call.path).map(|p| labels.label(&p)).filter(|l| !l.contains(['[', '>']));
            parts.extend(step.map(|s| format!("step: {s}")));
        }
    }
    let fields = entry.map(|e| plausible(e, &call.args)).unwrap_or_default();
    parts.push(format!("returns: {}", map(&fields)));
    parts
}

/// Rules as they are pasted: many of one module are one rule for all its calls.
pub(super) fn fewer(rules: &[(&str, Vec<String>)]) -> Vec<Vec<String>> {
    let mut out: Vec<Vec<String>> = Vec::new();
    for (module, rule) in rules {
        let many = rules.iter().filter(|(m, _)| m == module).count() >= MANY;
        let rule: Vec<String> =
            rule.iter().filter(|part| !many || !(part.starts_with("with:") || part.starts_with("step:"))).cloned().collect();
        if !out.contains(&rule) {
            out.push(rule);
        }
    }
    out
}

fn fits_in_a_rule(value: &Value) -> bool {
    let text = value.to_string();
    !value.is_null() && value.all_secret_names().is_empty() && text.len() <= LONG && !text.contains('\n')
}

fn map(fields: &Map) -> String {
    if fields.is_empty() {
        return "{}".to_owned();
    }
    let entries: Vec<String> = fields.iter().map(|(k, v)| format!("{k}: {}", flow(&v.to_json()))).collect();
    format!("{{ {} }}", entries.join(", "))
}

/// A value in YAML's flow style. JSON is; words that mean nothing else need no quotes.
fn flow(value: &Json) -> String {
    match value {
        Json::String(text) if is_plain(text) => text.clone(),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(k, v)| format!("{}: {}", flow(&Json::from(k.as_str())), flow(v))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// Whether a text is read back as the same text without quotes, by YAML 1.1 too.
fn is_plain(text: &str) -> bool {
    const WORDS: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}
