//! Redaction by value: known secrets never leave, whatever text they turn up in.

use std::sync::{Arc, RwLock};

use serde_json::Value as Json;

/// Values shorter than this are too common in ordinary text to be replaced everywhere.
const SHORTEST: usize = 6;

/// Knows the values of secrets and takes them out of texts. Cheap to clone; clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Arc<RwLock<Vec<(String, String)>>>,
}

impl Redactor {
    /// Learns a secret's value under its name, with its lines and its usual encodings.
    pub fn learn(&self, name: &str, value: &str) {
        let mut forms = vec![value.to_owned()];
        forms.extend(value.lines().map(|l| l.trim().to_owned()));
        for form in forms.clone() {
            let json = serde_json::to_string(&form).unwrap_or_default();
            forms.push(json.trim_matches('"').to_owned());
            forms.push(percent(&form));
            forms.push(runbook_core::expr::shell_quote(&form));
        }
        let mut known = self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for form in forms {
            if form.len() >= SHORTEST && !known.iter().any(|(f, _)| *f == form) {
                known.push((form, name.to_owned()));
            }
        }
        // Longer forms first, so that a part is not replaced inside a whole.
        known.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    }

    /// The text without any known secret.
    pub fn text(&self, text: &str) -> String {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut out = text.to_owned();
        for (form, name) in known.iter() {
            if out.contains(form.as_str()) {
                out = out.replace(form.as_str(), &format!("*** ({name})"));
            }
        }
        out
    }

    /// Whether nothing is known, so that nothing has to be searched.
    pub fn is_empty(&self) -> bool {
        self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner).is_empty()
    }

    /// Takes every known secret out of every text in a JSON value.
    pub fn json(&self, value: &mut Json) {
        if self.is_empty() {
            return;
        }
        match value {
            Json::String(s) => *s = self.text(s),
            Json::Array(items) => items.iter_mut().for_each(|v| self.json(v)),
            Json::Object(map) => map.values_mut().for_each(|v| self.json(v)),
            _ => {}
        }
    }
}

fn percent(text: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(b as char),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_go_in_every_usual_form() {
        let redactor = Redactor::default();
        redactor.learn("pw", "p@ss w/rd+\"q\"");
        for text in ["x p@ss w/rd+\"q\" y", "?p=p%40ss%20w%2Frd%2B%22q%22", r#"{"p":"p@ss w/rd+\"q\""}"#] {
            let out = redactor.text(text);
            assert!(out.contains("*** (pw)") && !out.contains("ss w/rd"), "{out}");
        }
        assert_eq!(redactor.text("ordinary"), "ordinary");
        let mut json = serde_json::json!({"a": ["p@ss w/rd+\"q\""]});
        redactor.json(&mut json);
        assert_eq!(json, serde_json::json!({"a": ["*** (pw)"]}));
    }

    #[test]
    fn short_values_are_left_to_the_marks() {
        let redactor = Redactor::default();
        redactor.learn("pin", "1234");
        assert_eq!(redactor.text("12345"), "12345");
    }
}
