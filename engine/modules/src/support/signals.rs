//! Signals by name.

use std::borrow::Cow;
use std::fmt;

use rustix::process::Signal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The signals that operators send, with their names.
const NAMES: &[(&str, Signal)] = &[
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("TERM", Signal::TERM),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
    ("TSTP", Signal::TSTP),
    ("WINCH", Signal::WINCH),
    ("ABRT", Signal::ABORT),
    ("ALRM", Signal::ALARM),
];

/// A signal that is written by name, with or without `SIG`, in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignalName(pub(crate) Signal);

impl SignalName {
    /// The signal of this name.
    pub(crate) fn parse(text: &str) -> Option<SignalName> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        NAMES.iter().find(|(n, _)| *n == name).map(|(_, s)| SignalName(*s))
    }

    /// The name without `SIG`.
    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, s)| *s == self.0).map_or("?", |(n, _)| n)
    }
}

/// What people know a signal number by: `KILL` for 9.
pub(crate) fn name_of(number: i32) -> String {
    match NAMES.iter().find(|(_, s)| s.as_raw() == number) {
        Some((name, _)) => (*name).to_owned(),
        None => number.to_string(),
    }
}

impl Serialize for SignalName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for SignalName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        SignalName::parse(&text).ok_or_else(|| {
            let known = NAMES.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(", ");
            de::Error::custom(format!("unknown signal `{text}`; known are {known}"))
        })
    }
}

impl JsonSchema for SignalName {
    fn schema_name() -> Cow<'static, str> {
        "Signal".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Both spellings are offered, so that checking finds a slip before anything runs.
        let all: Vec<String> = NAMES.iter().flat_map(|(n, _)| [(*n).to_owned(), format!("SIG{n}")]).collect();
        let names: Vec<&str> = NAMES.iter().map(|(n, _)| *n).collect();
        json_schema!({
            "type": "string",
            "enum": all,
            "x-wanted": "a signal such as `TERM`",
            "x-help": format!("the signals are {}", names.join(", ")),
        })
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIG{}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(SignalName::parse("TERM"), Some(SignalName(Signal::TERM)));
        assert_eq!(SignalName::parse("sighup").map(SignalName::name), Some("HUP"));
        assert_eq!(SignalName::parse("9"), None);
        assert_eq!(name_of(9), "KILL");
        assert_eq!(name_of(64), "64");
    }
}
