//! A step's own result, as the names that come first inside `expect`, `grade` and `give_up_when`.
//!
//! The names are looked up where the result lies: most expressions ask for one field of many.

use runbook_core::model::{Body, Step};
use runbook_core::value::{Map, Value, format_duration};

use super::Interpreter;
use super::flow::Pass;

/// The names of one step's own result.
pub(crate) struct Own<'a> {
    result: &'a Map,
    /// The fields that the module has; one that the result left out is null.
    fields: Vec<&'a str>,
    /// `changed` and `error`, beside the fields; a line for people has the fields alone.
    reserved: Option<(bool, Value)>,
}

impl<'a> Own<'a> {
    /// The result's fields alone, sizes and durations rounded, for one line to people.
    pub(crate) fn said(result: &'a Map) -> Own<'a> {
        Own { result, fields: Vec::new(), reserved: None }
    }

    /// The value of a name, if it is one of these.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        let field = || match self.result.get(name) {
            Some(value) => Some(value.clone()),
            None => self.fields.contains(&name).then_some(Value::Null),
        };
        let Some((changed, error)) = &self.reserved else { return self.result.get(name).map(rounded) };
        match name {
            "result" => Some(Value::from(self.result.clone())),
            "changed" => Some(Value::Bool(*changed)),
            "error" => Some(field().unwrap_or_else(|| error.clone())),
            _ => field(),
        }
    }

    /// Whether the name is one of these.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.result.contains_key(name)
            || self.fields.contains(&name)
            || (self.reserved.is_some() && matches!(name, "result" | "changed" | "error"))
    }

    /// All names, for suggestions.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let reserved: &[&str] = if self.reserved.is_some() { &["result", "changed", "error"] } else { &[] };
        let fields = self.fields.iter().filter(|f| !self.result.contains_key(**f));
        self.result.keys().map(String::as_str).chain(fields.copied()).chain(reserved.iter().copied())
    }
}

impl Interpreter<'_> {
    /// The fields that come first inside `expect`, `grade` and `give_up_when`.
    pub(crate) fn own<'a>(&'a self, step: &Step, pass: &'a Pass) -> Own<'a> {
        let error = if pass.outcome.is_good() { Value::Null } else { Value::str(&pass.message) };
        self.own_of(step, &pass.result, pass.changed, error)
    }

    /// As [`Interpreter::own`], of a result whose pass is still being judged.
    pub(crate) fn own_of<'a>(&'a self, step: &Step, result: &'a Map, changed: bool, error: Value) -> Own<'a> {
        let fields = match &step.body {
            Body::Module(call) => self.registry.get(&call.name.value).map(|e| e.result_fields()).unwrap_or_default(),
            _ => Vec::new(),
        };
        Own { result, fields, reserved: Some((changed, error)) }
    }
}

/// A value as people say it in one line: sizes and durations rounded.
fn rounded(value: &Value) -> Value {
    match value {
        Value::Size(bytes) => {
            let units = ["B", "KiB", "MiB", "GiB", "TiB"];
            let mut size = *bytes as f64;
            let mut unit = 0;
            while size >= 1024.0 && unit + 1 < units.len() {
                size /= 1024.0;
                unit += 1;
            }
            Value::from(if unit == 0 || size >= 10.0 {
                format!("{size:.0} {}", units[unit])
            } else {
                format!("{size:.1} {}", units[unit])
            })
        }
        Value::Duration(d) => {
            let ms = d.as_secs_f64() * 1000.0;
            Value::from(match ms {
                ms if ms < 1.0 => format!("{ms:.1} ms"),
                ms if ms < 1000.0 => format!("{ms:.0} ms"),
                ms if ms < 60_000.0 => format!("{:.1} s", ms / 1000.0),
                _ => format_duration(jiff::SignedDuration::from_secs(d.as_secs())),
            })
        }
        other => other.clone(),
    }
}
