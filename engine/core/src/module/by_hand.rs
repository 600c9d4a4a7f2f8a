//! How a person does without this program what a module does.
//!
//! The arguments come as they are written, with `<words>` in place of what only a run can tell: they need not decode, so modules read
//! them by name. Whatever is put into a line for a shell is quoted. A secret is never there: a mark stands for it, which becomes the
//! name of a variable of the shell.

use crate::expr::shell_quote;
use crate::value::{Map, Value, parse_duration};

/// What a person types, or does where nothing can be typed, and what to expect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByHand {
    /// Lines for a POSIX shell, in order; one may be several lines long. One that begins with `# ` is a sentence to be read before those that
    /// follow are typed: people paste all that stands between two such sentences at once.
    pub lines: Vec<String>,
    /// What to do or to know besides, a sentence each.
    pub notes: Vec<String>,
    /// What a good answer looks like, if the step does not say it: "a status from 200 to 399 in the first line".
    pub expect: String,
}

impl ByHand {
    /// A line to type.
    pub fn run(line: impl Into<String>) -> Self {
        ByHand::default().and(line)
    }

    /// With a line more.
    #[must_use]
    pub fn and(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// With a line more, if there is one.
    #[must_use]
    pub fn and_if(self, line: Option<String>) -> Self {
        match line {
            Some(line) => self.and(line),
            None => self,
        }
    }

    /// With a sentence.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// With what a good answer looks like.
    #[must_use]
    pub fn expect(mut self, expect: impl Into<String>) -> Self {
        self.expect = expect.into();
        self
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.notes.is_empty()
    }
}

/// A call's arguments as they are shown to people.
#[derive(Clone, Copy, Debug)]
pub struct HandArgs<'a> {
    map: Option<&'a Map>,
    asked: &'a [String],
}

impl<'a> HandArgs<'a> {
    /// Of a map; anything else has no arguments.
    pub fn new(args: &'a Value) -> Self {
        HandArgs { map: args.as_map(), asked: &[] }
    }

    /// With the fields of the result that the step asks about.
    #[must_use]
    pub fn asking(self, asked: &'a [String]) -> Self {
        HandArgs { asked, ..self }
    }

    /// Whether the step asks about a field of the result: then what is typed should show it.
    pub fn asks(&self, field: &str) -> bool {
        self.asked.iter().any(|f| f == field)
    }

    /// An argument; null is as if it were left out.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.map?.get(name).filter(|v| !v.is_null())
    }

    /// An argument as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(text)
    }

    /// An argument as text, or what stands for it when it is left out.
    pub fn or(&self, name: &str, otherwise: &str) -> String {
        self.text(name).unwrap_or_else(|| otherwise.to_owned())
    }

    /// An argument as one word of a shell; a placeholder of its name if it is left out.
    pub fn word(&self, name: &str) -> String {
        hand_word(&self.or(name, &format!("<{name}>")))
    }

    /// A list; a single value is a list of one.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::List(items)) => items.iter().map(text).collect(),
            Some(other) => vec![text(other)],
            None => Vec::new(),
        }
    }

    /// The entries of a map; what is null is left out.
    pub fn pairs(&self, name: &str) -> Vec<(String, String)> {
        let map = self.get(name).and_then(Value::as_map);
        map.into_iter().flatten().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), text(v))).collect()
    }

    /// Whether an argument is true.
    pub fn flag(&self, name: &str, otherwise: bool) -> bool {
        match self.get(name) {
            Some(Value::Bool(flag)) => *flag,
            _ => otherwise,
        }
    }

    /// A duration in seconds, as programs take it: `0.5`, `30`.
    pub fn seconds(&self, name: &str) -> Option<String> {
        let duration = match self.get(name)? {
            Value::Duration(duration) => *duration,
            other => match parse_duration(&other.to_string()) {
                Some(duration) => duration,
                None => return Some(other.to_string()),
            },
        };
        Some(duration.as_secs_f64().to_string())
    }

    /// The arguments inside an argument.
    pub fn inside(&self, name: &str) -> HandArgs<'a> {
        HandArgs { map: self.get(name).and_then(Value::as_map), asked: &[] }
    }
}

/// A value as a person writes it.
fn text(value: &Value) -> String {
    match value {
        Value::List(_) | Value::Map(_) => value.to_json().to_string(),
        other => other.to_string(),
    }
}

/// What begins and ends a mark. The characters are kept for private use: no text of people has them.
const OPEN: char = '\u{f0000}';
const CLOSE: char = '\u{f0001}';

/// The mark that stands for a secret: `"$NAME"` in a line for a shell, `$NAME` elsewhere.
pub fn hand_secret(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let first = if name.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
    format!("{OPEN}{first}{name}{CLOSE}")
}

/// A text in its pieces: what is written, and the names of variables that stand for secrets.
fn pieces(text: &str) -> Vec<Result<&str, &str>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((name, behind)) = after.split_once(CLOSE) else { break };
        let is_name = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !before.is_empty() {
            out.push(Ok(before));
        }
        out.push(if is_name { Err(name) } else { Ok(name) });
        rest = behind;
    }
    if !rest.is_empty() || out.is_empty() {
        out.push(Ok(rest));
    }
    out
}

/// A text as one word of a POSIX shell, where variables stand for secrets.
pub fn hand_word(text: &str) -> String {
    let quoted = |piece: Result<&str, &str>| match piece {
        Ok(written) => shell_quote(written),
        Err(name) => format!("\"${name}\""),
    };
    pieces(text).into_iter().map(quoted).collect()
}

/// A text to be read, where variables stand for secrets.
pub fn hand_shown(text: &str) -> String {
    let shown = |piece: Result<&str, &str>| match piece {
        Ok(written) => written.to_owned(),
        Err(name) => format!("${name}"),
    };
    pieces(text).into_iter().map(shown).collect()
}

/// Whether a mark of a secret is in a text.
pub fn has_hand_secret(text: &str) -> bool {
    pieces(text).iter().any(Result::is_err)
}

/// Words as a line of a shell.
pub fn hand_line<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().map(|w| hand_word(w.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_the_shell() {
        let args = Value::map([
            ("path", Value::str("/a b/<service>")),
            ("argv", Value::list([Value::str("ls"), Value::str("it's"), Value::Int(3)])),
            ("env", Value::map([("A", Value::Int(1)), ("B", Value::Null)])),
            ("gone", Value::Null),
            ("yes", Value::Bool(true)),
        ]);
        let args = HandArgs::new(&args);
        assert_eq!(args.word("path"), "'/a b/<service>'");
        assert_eq!(hand_line(args.list("argv")), "ls 'it'\"'\"'s' 3");
        assert_eq!(args.pairs("env"), [("A".to_owned(), "1".to_owned())]);
        assert_eq!((args.text("gone"), args.word("nothing")), (None, "'<nothing>'".to_owned()));
        assert!(args.flag("yes", false) && args.flag("path", true) && !args.flag("gone", false));
        assert_eq!(HandArgs::new(&Value::str("no map")).text("path"), None);
    }

    #[test]
    fn durations_are_seconds() {
        let args = Value::map([("a", Value::str("1m30s")), ("b", Value::str("250ms")), ("c", Value::str("<wait>"))]);
        let args = HandArgs::new(&args);
        let all: Vec<_> = ["a", "b", "c", "d"].iter().map(|n| args.seconds(n)).collect();
        assert_eq!(all, [Some("90".to_owned()), Some("0.25".to_owned()), Some("<wait>".to_owned()), None]);
    }

    #[test]
    fn secrets_are_variables() {
        let text = format!("Bearer {} it's", hand_secret("API_KEY"));
        assert_eq!(hand_word(&text), "'Bearer '\"$API_KEY\"' it'\"'\"'s'");
        assert_eq!(hand_shown(&text), "Bearer $API_KEY it's");
        assert_eq!(hand_word(&hand_secret("2 a-b")), "\"$_2_a_b\"");
        assert!(has_hand_secret(&text) && !has_hand_secret("Bearer"));
        // What looks like a mark and is none stays what it is, and in quotes.
        assert_eq!(hand_word(&format!("{OPEN}$(id){CLOSE}")), "'$(id)'");
        assert_eq!(hand_word(&format!("a{OPEN}b")), format!("'a{OPEN}b'"));
        assert_eq!(hand_word(""), "''");
    }
}
