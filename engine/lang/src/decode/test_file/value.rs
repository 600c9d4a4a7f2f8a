//! Plain values, as a test writes them: no templates, typed by the schema of the module that gives them.

use regex::Regex;
use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::test::Matcher;
use runbook_core::model::{Arg, ArgKind, PathPart};
use runbook_core::module::{SchemaError, validate};
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::Span;
use runbook_core::suggest::nearest;
use runbook_core::value::{Map, Value, parse_duration, parse_size, parse_time};
use serde_json::Value as Json;

use super::Tests;
use crate::keys::MATCH;

/// The value with the places of its parts.
fn placed(node: &Node) -> Arg {
    let kind = match &node.kind {
        NodeKind::List(items) => ArgKind::List(items.iter().map(placed).collect()),
        // Nothing stands for a field that is left out.
        NodeKind::Map(entries) => {
            ArgKind::Map(entries.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), placed(v))).collect())
        }
        NodeKind::Scalar(_) => ArgKind::Value(node.value()),
    };
    Arg { span: node.span, kind }
}

/// A value with its texts in the form of durations, sizes and times made what the schema says they are.
pub(super) fn typed(schema: &Json, value: Value) -> Value {
    if let Some(branches) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array) {
        let mut real = branches.iter().filter(|b| b["type"] != "null");
        return match (real.next(), real.next()) {
            (Some(only), None) => typed(only, value),
            _ => value,
        };
    }
    match &value {
        Value::Str(text) => match schema["format"].as_str() {
            Some("duration") => parse_duration(text).map(Value::Duration),
            Some("size") => parse_size(text).map(Value::Size),
            Some("date-time") => parse_time(text).map(Value::Time),
            _ => None,
        }
        .unwrap_or(value),
        Value::List(items) if schema["items"].is_object() => {
            Value::list(items.iter().map(|v| typed(&schema["items"], v.clone())))
        }
        Value::Map(map) => {
            let inner = |key: &str| match schema["properties"].get(key) {
                Some(inner) => inner,
                None => &schema["additionalProperties"],
            };
            Value::map(map.iter().map(|(k, v)| (k.clone(), typed(inner(k), v.clone()))))
        }
        _ => value,
    }
}

/// Fields of maps, at any depth, that the schema does not have: `(place, name, those there are)`.
fn unknown_fields<'s>(schema: &'s Json, node: &Node, top: bool, out: &mut Vec<(Span, String, Vec<&'s str>)>) {
    if let Some(branches) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array) {
        let mut real = branches.iter().filter(|b| b["type"] != "null");
        if let (Some(only), None) = (real.next(), real.next()) {
            unknown_fields(only, node, top, out);
        }
        return;
    }
    match &node.kind {
        NodeKind::List(items) => items.iter().for_each(|item| unknown_fields(&schema["items"], item, false, out)),
        NodeKind::Map(entries) => {
            let Some(properties) = schema["properties"].as_object() else { return };
            let closed = matches!(schema["additionalProperties"], Json::Null | Json::Bool(false));
            for (key, value) in entries {
                match properties.get(&key.value) {
                    Some(inner) => unknown_fields(inner, value, false, out),
                    // Every step's result has `error`.
                    None if top && key.value == "error" => {}
                    None if closed => out.push((key.span, key.value.clone(), properties.keys().map(String::as_str).collect())),
                    None => {}
                }
            }
        }
        NodeKind::Scalar(_) => {}
    }
}

impl Tests<'_, '_, '_> {
    /// A result's fields, held against the module's schema; what it never returns is reported.
    pub(super) fn result(&mut self, node: &Node, module: &str) -> Option<Map> {
        let entries = self.reader.entries(Some(node), "returns", "a map of the result's fields, such as `{status: 200}`");
        node.as_map()?;
        let Some(entry) = self.reader.registry.get(module).cloned() else {
            return node.value().as_map().cloned();
        };
        self.unknown_fields(&entry.result_schema, node, &entry.name);
        let arg = placed(node);
        for error in validate(&entry.result_schema, &arg.skeleton()) {
            // Fields that are left out are null.
            if error.code == Code::MissingKey || error.at_key {
                continue;
            }
            self.wrong_field(&arg, &error, &entry.name);
        }
        let mut fields = Map::new();
        for (key, value) in entries {
            let value = value.value();
            fields.insert(key.value.clone(), typed(&entry.result_schema["properties"][&key.value], value));
        }
        Some(fields)
    }

    /// Reports fields that a module's result does not have.
    pub(super) fn unknown_fields(&mut self, schema: &Json, node: &Node, module: &str) {
        let mut unknown = Vec::new();
        unknown_fields(schema, node, true, &mut unknown);
        for (span, name, known) in unknown {
            self.unknown_field(span, &name, &known, module);
        }
    }

    pub(super) fn unknown_field(&mut self, span: Span, name: &str, known: &[&str], module: &str) {
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("`{module}` returns no fields"),
            None => format!("it returns {}", known.join(", ")),
        };
        let message = format!("`{module}` never returns `{name}`");
        self.reader.out.push(Diagnostic::error(Code::NotInResult, span, message).help(help));
    }

    fn wrong_field(&mut self, arg: &Arg, error: &SchemaError, module: &str) {
        let name = error.path.iter().rev().find_map(|p| match p {
            PathPart::Key(key) => Some(format!("`{key}` of ")),
            PathPart::Index(_) => None,
        });
        let message = format!("{}`{module}`: {}", name.unwrap_or_default(), error.message);
        let mut diagnostic = Diagnostic::error(Code::NotInResult, arg.find(&error.path).span, message);
        diagnostic.help = error.help.clone().or_else(|| Some(format!("`runbook modules {module}` shows what it returns")));
        self.reader.out.push(diagnostic);
    }

    /// A value, or one of the forms that say only a part.
    pub(super) fn matcher(&mut self, node: &Node) -> Matcher {
        match &node.kind {
            NodeKind::Scalar(_) => Matcher::Equals(node.value()),
            NodeKind::List(items) => {
                let items: Vec<Matcher> = items.iter().map(|i| self.matcher(i)).collect();
                if items.iter().all(Matcher::is_exact) { Matcher::Equals(node.value()) } else { Matcher::List(items) }
            }
            NodeKind::Map(entries) => {
                if let [(key, value)] = entries.as_slice()
                    && MATCH.get(&key.value).is_some()
                {
                    return match key.value.as_str() {
                        "matches" => self.regex(value).map_or(Matcher::Equals(Value::unknown("a bad pattern")), Matcher::Matches),
                        "contains" => Matcher::Contains(value.value()),
                        _ => Matcher::StartsWith(value.value()),
                    };
                }
                Matcher::Map(entries.iter().map(|(k, v)| (k.value.clone(), self.matcher(v))).collect())
            }
        }
    }

    /// Text that is part of another, or one of the forms.
    pub(super) fn text_matcher(&mut self, node: &Node, key: &str) -> Option<Matcher> {
        match &node.kind {
            NodeKind::Map(_) => Some(self.matcher(node)),
            _ => self.reader.text(node, key).map(|t| Matcher::Contains(Value::str(t.value))),
        }
    }

    fn regex(&mut self, node: &Node) -> Option<Regex> {
        let pattern = self.reader.pattern(node, "matches")?;
        Regex::new(&pattern.value).ok()
    }

    /// Arguments that a call must have, held against the module's schema.
    pub(super) fn arguments(&mut self, node: &Node, module: &str) -> Vec<(String, Matcher)> {
        let Some(entry) = self.reader.registry.get(module).cloned() else { return Vec::new() };
        let mut out = Vec::new();
        let mut skeleton = Vec::new();
        match (&node.kind, &entry.main) {
            (NodeKind::Map(entries), main) => {
                // `with: { contains: "/healthz" }` is about the main argument, as a text would be.
                if let ([(key, _)], Some(main)) = (entries.as_slice(), main)
                    && MATCH.get(&key.value).is_some()
                    && entry.args_schema["properties"].get(&key.value).is_none()
                {
                    return vec![(main.to_string(), self.matcher(node))];
                }
                for (key, value) in entries {
                    let known = entry.args_schema["properties"].as_object();
                    if known.is_none_or(|k| !k.contains_key(&key.value)) {
                        let names: Vec<&str> = known.into_iter().flat_map(|k| k.keys()).map(String::as_str).collect();
                        let help = match nearest(&key.value, names.iter().copied()) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!("its arguments are {}", names.join(", ")),
                        };
                        let message = format!("`{module}` has no argument `{}`", key.value);
                        self.reader.out.push(Diagnostic::error(Code::BadArgument, key.span, message).help(help));
                        continue;
                    }
                    let matcher = self.matcher(value);
                    if matcher.is_exact() && !value.is_null() {
                        skeleton.push((key.clone(), placed(value)));
                    }
                    out.push((key.value.clone(), matcher));
                }
            }
            (_, Some(main)) => {
                let matcher = self.matcher(node);
                skeleton.push((runbook_core::span::Spanned::new(main.to_string(), node.span), placed(node)));
                out.push((main.to_string(), matcher));
            }
            (_, None) => self.reader.wrong(node, "with", "a map of arguments"),
        }
        let arg = Arg { span: node.span, kind: ArgKind::Map(skeleton) };
        for error in validate(&entry.args_schema, &arg.skeleton()) {
            if error.code == Code::MissingKey {
                continue;
            }
            let name = error.path.iter().find_map(|p| if let PathPart::Key(k) = p { Some(k.clone()) } else { None });
            let message = format!("`{}` of `{module}`: {}", name.unwrap_or_default(), error.message);
            let mut diagnostic = Diagnostic::error(error.code, arg.find(&error.path).span, message);
            diagnostic.help = error.help;
            self.reader.out.push(diagnostic);
        }
        out
    }
}
