//! Values as written: literals, templates, lists and maps of them, and those that must be of a kind.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::{Arg, ArgKind};
use runbook_core::node::{Node, NodeKind, ScalarValue};
use runbook_core::span::Spanned;
use runbook_core::value::{Value, parse_duration, parse_size, parse_time};

use super::Reader;
use super::names::Naming;
use super::reader::has_template;

impl Reader<'_> {
    /// A value with templates in it. What cannot be read becomes unknown, so that nothing else is said about it.
    pub(crate) fn arg(&mut self, node: &Node) -> Arg {
        let kind = match &node.kind {
            NodeKind::List(items) => ArgKind::List(items.iter().map(|i| self.arg(i)).collect()),
            NodeKind::Map(entries) => ArgKind::Map(entries.iter().map(|(k, v)| (k.clone(), self.arg(v))).collect()),
            NodeKind::Scalar(s) => match s.value {
                ScalarValue::Null => ArgKind::Value(Value::Null),
                ScalarValue::Bool(b) => ArgKind::Value(Value::Bool(b)),
                ScalarValue::Int(i) => ArgKind::Value(Value::Int(i)),
                ScalarValue::Float(f) => ArgKind::Value(Value::Float(f)),
                ScalarValue::Str if has_template(&s.text) => match self.template_of(node, s) {
                    Some(template) => match template.as_literal() {
                        Some(text) => ArgKind::Value(Value::str(text)),
                        None => ArgKind::Template(template),
                    },
                    None => ArgKind::Value(Value::unknown("a template that cannot be read")),
                },
                ScalarValue::Str => ArgKind::Value(Value::str(&s.text)),
            },
        };
        Arg { span: node.span, kind }
    }

    /// Names with values, in order.
    pub(crate) fn named_args(&mut self, node: Option<&Node>, key: &str, naming: Naming) -> Vec<(Spanned<String>, Arg)> {
        let entries = self.entries(node, key, "a map such as `{name: value}`");
        let mut out = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let arg = self.arg(value);
            if self.name(name, naming) {
                out.push((name.clone(), arg));
            }
        }
        out
    }

    /// A duration, or a template that gives one. A literal becomes a typed value; it must be longer than nothing.
    pub(crate) fn duration_arg(&mut self, node: Option<&Node>, key: &str) -> Option<Arg> {
        let node = node?;
        if node.as_str().is_some_and(has_template) {
            return Some(self.arg(node));
        }
        let duration = self.duration(node, key)?;
        if duration.is_zero() {
            self.out.push(
                Diagnostic::error(Code::OutOfRange, node.span, format!("`{key}` must be longer than nothing"))
                    .help("leave the key out"),
            );
            return None;
        }
        Some(Arg::literal(Value::Duration(duration), node.span))
    }

    /// A whole number within limits, or a template that gives one.
    pub(crate) fn int_arg(&mut self, node: Option<&Node>, key: &str, min: i64, max: i64) -> Option<Arg> {
        let node = node?;
        if node.as_str().is_some_and(has_template) {
            return Some(self.arg(node));
        }
        match node.as_scalar().map(|s| &s.value) {
            Some(ScalarValue::Int(i)) if (min..=max).contains(i) => Some(Arg::literal(Value::Int(*i), node.span)),
            Some(ScalarValue::Int(i)) => {
                self.out.push(
                    Diagnostic::error(
                        Code::OutOfRange,
                        node.span,
                        format!("`{key}` is a number from {min} to {max}, found `{i}`"),
                    )
                    .help(format!(
                        "the {} is {}",
                        if *i < min { "least" } else { "most" },
                        if *i < min { min } else { max }
                    )),
                );
                None
            }
            _ => {
                self.wrong(node, key, &format!("a whole number from {min} to {max}"));
                None
            }
        }
    }

    /// A number within limits, or a template that gives one.
    pub(crate) fn number_arg(&mut self, node: Option<&Node>, key: &str, min: f64, max: f64) -> Option<Arg> {
        let node = node?;
        if node.as_str().is_some_and(has_template) {
            return Some(self.arg(node));
        }
        let (value, n) = match node.as_scalar().map(|s| &s.value) {
            Some(ScalarValue::Int(i)) => (Value::Int(*i), *i as f64),
            Some(ScalarValue::Float(f)) => (Value::Float(*f), *f),
            _ => {
                self.wrong(node, key, &format!("a number from {min} to {max}"));
                return None;
            }
        };
        if n < min || n > max {
            self.out.push(
                Diagnostic::error(
                    Code::OutOfRange,
                    node.span,
                    format!("`{key}` is a number from {min} to {max}, found `{value}`"),
                )
                .help(format!(
                    "the {} is {}",
                    if n < min { "least" } else { "most" },
                    if n < min { min } else { max }
                )),
            );
            return None;
        }
        Some(Arg::literal(value, node.span))
    }

    /// A boolean, or a template that gives one.
    pub(crate) fn bool_arg(&mut self, node: Option<&Node>, key: &str) -> Option<Arg> {
        let node = node?;
        if node.as_str().is_some_and(has_template) {
            return Some(self.arg(node));
        }
        self.bool(node, key).map(|b| Arg::literal(Value::Bool(b), node.span))
    }

    /// Text, or a template that gives it.
    pub(crate) fn text_arg(&mut self, node: Option<&Node>, key: &str) -> Option<Arg> {
        let node = node?;
        let template = self.template(node, key)?;
        let kind = match template.as_literal() {
            Some(text) => ArgKind::Value(Value::str(text)),
            None => ArgKind::Template(template),
        };
        Some(Arg { span: node.span, kind })
    }

    /// A limit: text in the form of a duration, size or time is one.
    pub(crate) fn limit(&mut self, node: &Node) -> Arg {
        let arg = self.arg(node);
        match &arg.kind {
            ArgKind::Value(value) => Arg::literal(typed(value), arg.span),
            _ => arg,
        }
    }

    /// Reports limits that lead both ways: target, warning and critical rise together or fall together.
    pub(crate) fn limits_agree(&mut self, limits: [Option<&Arg>; 3]) {
        let known: Vec<(&Arg, &Value)> = limits
            .into_iter()
            .flatten()
            .filter_map(|a| match &a.kind {
                ArgKind::Value(v) if !v.is_unknown() => Some((a, v)),
                _ => None,
            })
            .collect();
        let mut direction = std::cmp::Ordering::Equal;
        for pair in known.windows(2) {
            let (arg, value) = pair[1];
            match runbook_core::value::compare(pair[0].1, value) {
                Err(e) => {
                    self.out.push(
                        Diagnostic::error(
                            Code::KindMismatch,
                            arg.span,
                            format!("the limits are of different kinds: {} and {}", e.left, e.right),
                        )
                        .also(pair[0].0.span, format!("this is {}", e.left))
                        .help("write all limits with one unit"),
                    );
                    return;
                }
                Ok(order) if order.is_ne() && direction.is_ne() && order != direction => {
                    self.out.push(
                        Diagnostic::error(Code::Conflict, arg.span, "the limits rise and fall")
                            .also(pair[0].0.span, "the limit before")
                            .help("from `target` to `warning` to `critical` they get worse in one direction"),
                    );
                    return;
                }
                Ok(order) if order.is_ne() => direction = order,
                Ok(_) => {}
            }
        }
    }
}

/// Text in the form of a duration, size or time as that value.
pub(crate) fn typed(value: &Value) -> Value {
    let Value::Str(text) = value else { return value.clone() };
    parse_duration(text)
        .map(Value::Duration)
        .or_else(|| parse_size(text).map(Value::Size))
        .or_else(|| parse_time(text).map(Value::Time))
        .unwrap_or_else(|| value.clone())
}
