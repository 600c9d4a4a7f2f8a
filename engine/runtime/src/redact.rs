//! Redaction by value: known secrets never leave, whatever text they turn up in.

use std::sync::{Arc, RwLock};

use serde_json::Value as Json;

/// Values shorter than this are too common in ordinary text to be replaced everywhere.
const SHORTEST: usize = 6;

/// Knows the values of secrets and takes them out of texts. Cheap to clone; clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Arc<RwLock<Vec<Known>>>,
}

/// One form of a secret's value.
struct Known {
    form: String,
    /// The form as it stands inside a string of JSON text.
    escaped: String,
    name: String,
}

impl Redactor {
    /// Learns a secret's value under its name, with its lines and its usual encodings.
    pub fn learn(&self, name: &str, value: &str) {
        let mut forms = vec![value.to_owned()];
        forms.extend(value.lines().map(|l| l.trim().to_owned()));
        for form in forms.clone() {
            forms.push(escaped(&form).trim_matches('"').to_owned());
            forms.push(percent(&form));
            forms.push(runbook_core::expr::shell_quote(&form));
        }
        let mut known = self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for form in forms {
            if form.len() >= SHORTEST && !known.iter().any(|k| k.form == form) {
                known.push(Known { escaped: escaped(&form), form, name: name.to_owned() });
            }
        }
        // Longer forms first, so that a part is not replaced inside a whole.
        known.sort_by_key(|k| std::cmp::Reverse(k.form.len()));
    }

    /// The text without any known secret.
    pub fn text(&self, text: &str) -> String {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut out = text.to_owned();
        for Known { form, name, .. } in known.iter() {
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

    /// Whether a known secret may stand in one of the strings of this JSON text. "No" is certain: JSON escapes one character at a
    /// time, so what a string holds stands in its text escaped.
    pub fn may_occur_in(&self, json: &str) -> bool {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.iter().any(|k| json.contains(k.escaped.as_str()))
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

/// The text inside the quotes of its JSON string.
fn escaped(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap_or_default();
    json.strip_prefix('"').and_then(|j| j.strip_suffix('"')).unwrap_or_default().to_owned()
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

    #[test]
    fn json_text_is_only_taken_apart_when_a_secret_may_be_in_it() {
        let redactor = Redactor::default();
        redactor.learn("pw", "it's \"q\"\nand\\more\u{1}");
        let known: Vec<String> = redactor.known.read().expect("not poisoned").iter().map(|k| k.form.clone()).collect();
        assert!(known.len() > 4);
        for form in known {
            let text = format!("before {form} after");
            assert_ne!(redactor.text(&text), text);
            assert!(redactor.may_occur_in(&serde_json::json!({ "a": [text] }).to_string()), "{form}");
        }
        assert!(!redactor.may_occur_in(r#"{"a":"its q and more"}"#));
    }
}
