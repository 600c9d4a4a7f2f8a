//! Typed inputs and environment variables.

use std::collections::HashMap;

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::forms;
use runbook_core::inputs;
use runbook_core::model::{ArgKind, EnvName, Param, ParamType};
use runbook_core::node::{Node, NodeKind, ScalarValue};
use runbook_core::span::{Span, Spanned};
use runbook_core::value::Value;

use super::Reader;
use super::names::Naming;
use super::reader::has_template;
use crate::keys::PARAM;

impl Reader<'_> {
    /// `params`.
    pub(crate) fn params(&mut self, node: Option<&Node>) -> Vec<Param> {
        let entries = self.entries(node, "params", "a map such as `{service: {type: string}}`");
        let mut out = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            match self.param(name, value) {
                Some(param) => out.push(param),
                None => {
                    self.lost.insert(name.value.clone());
                }
            }
        }
        out
    }

    fn param(&mut self, name: &Spanned<String>, node: &Node) -> Option<Param> {
        let good = self.name(name, Naming::Member);
        if node.is_null() {
            self.out.push(
                Diagnostic::error(
                    Code::WrongType,
                    name.span,
                    format!("the parameter `{}` says nothing about itself", name.value),
                )
                .help(format!("write `{}: {{ type: string }}`", name.value)),
            );
            return None;
        }
        if let Some(scalar) = node.as_scalar() {
            let help = if ParamType::find(&scalar.text).is_some() {
                format!("write `{}: {{ type: {} }}`", name.value, scalar.text)
            } else {
                format!("write `{}: {{ default: {} }}`", name.value, scalar.text)
            };
            let message = format!("the parameter `{}` is a map, found {}", name.value, node.describe());
            self.out.push(Diagnostic::error(Code::WrongType, node.span, message).help(help));
            return None;
        }
        let fields = self.fields(node, &PARAM, None)?;
        let ty = match fields.get("type") {
            Some(node) => self.param_type(node)?,
            None if fields.get("choices").is_some() => ParamType::Choice,
            None => ParamType::String,
        };
        let required = fields.get("required").and_then(|n| self.bool(n, "required")).unwrap_or_default();
        let mut arg = |key: &str| fields.get(key).map(|n| self.arg(n));
        let (default, choices, min, max) = (arg("default"), arg("choices"), arg("min"), arg("max"));
        let pattern = fields.get("pattern").and_then(|n| self.pattern(n, "pattern"));
        let help = self.plain_text(fields.get("help"), "help");
        let ask = self.plain_text(fields.get("ask"), "ask");
        if required && let Some((key, _)) = fields.entry("default").filter(|(_, v)| !v.is_null()) {
            self.out.push(
                Diagnostic::error(
                    Code::Conflict,
                    key.span,
                    format!("the parameter `{}` is required and has a default", name.value),
                )
                .also(fields.key_span("required"), "required here")
                .help("with a default it is never missing: leave one of them out"),
            );
        }
        if ty == ParamType::Choice && choices.is_none() {
            self.out.push(
                Diagnostic::error(Code::MissingKey, fields.key_span("type"), "a `choice` needs `choices`")
                    .help("write `choices: [a, b]`"),
            );
        }
        if let (Some(node), Some(_)) = (fields.get("choices"), &choices)
            && node.as_list().is_none()
            && !node.as_str().is_some_and(has_template)
        {
            self.wrong(node, "choices", "a list such as `[a, b]`");
        }
        if let Some(node) = fields.get("choices").filter(|n| n.as_list().is_some_and(<[Node]>::is_empty)) {
            self.out.push(
                Diagnostic::error(Code::WrongType, node.span, "`choices` is empty, so no value would fit")
                    .help("write `choices: [a, b]`"),
            );
        }
        let written = default.as_ref().filter(|d| matches!(&d.kind, ArgKind::Value(v) if !v.is_null() && !v.is_unknown()));
        if ty == ParamType::Secret
            && let Some(written) = written
        {
            self.hidden.push(written.span);
            self.out.push(
                Diagnostic::error(
                    Code::SecretDefault,
                    fields.key_span("default"),
                    format!("the secret `{}` has its value written in the file", name.value),
                )
                .help("take it out and change it; give it with `--param`, or through `env:`"),
            );
        }
        let param = Param { name: name.clone(), span: name.span, ty, default, required, choices, min, max, pattern, help, ask };
        self.param_literals(&param);
        good.then_some(param)
    }

    fn param_type(&mut self, node: &Node) -> Option<ParamType> {
        if let Some(text) = node.as_str() {
            let meant = match text {
                "str" | "text" | "String" => Some("string"),
                "integer" | "number" | "Int" => Some("int"),
                "boolean" | "flag" | "Bool" => Some("bool"),
                "double" | "decimal" => Some("float"),
                "enum" | "select" | "option" => Some("choice"),
                "array" => Some("list"),
                "object" | "dict" | "mapping" => Some("map"),
                "file" | "dir" | "directory" => Some("path"),
                "password" => Some("secret"),
                "datetime" | "date" | "timestamp" => Some("time"),
                "bytes" => Some("size"),
                "interval" => Some("duration"),
                _ => None,
            };
            if let Some(meant) = meant {
                self.out.push(
                    Diagnostic::error(Code::BadChoice, node.span, format!("`{text}` is no type"))
                        .help(format!("here it is `type: {meant}`")),
                );
                return None;
            }
        }
        self.word(node, "type", ParamType::ALL)
    }

    /// A regular expression.
    pub(crate) fn pattern(&mut self, node: &Node, key: &str) -> Option<Spanned<String>> {
        let pattern = self.text(node, key)?;
        if !self.patterns.take(1, node.span, self.out) {
            return Some(pattern);
        }
        let Some(wrong) = forms::regex(&pattern.value, forms::MAX_PATTERN) else { return Some(pattern) };
        self.wrong_form(Code::BadRegex, node, wrong);
        None
    }

    /// Reports literal defaults and limits that are not of the parameter's type.
    fn param_literals(&mut self, param: &Param) {
        let mut typed = |arg: &Option<runbook_core::model::Arg>, what: &str, ty: ParamType| {
            let arg = arg.as_ref().filter(|a| a.is_literal())?;
            let value = arg.skeleton();
            match inputs::typed(ty, value) {
                Ok(value) => Some((arg.span, value)),
                Err(error) => {
                    let message = format!("`{what}` of `{}`: {}", param.name.value, error.message);
                    let mut diagnostic = Diagnostic::error(Code::BadParam, arg.span, message);
                    diagnostic.help = error.help;
                    self.out.push(diagnostic);
                    None
                }
            }
        };
        let default = typed(&param.default, "default", param.ty);
        let lengthy = matches!(
            param.ty,
            ParamType::String
                | ParamType::Path
                | ParamType::Url
                | ParamType::List
                | ParamType::Secret
                | ParamType::Choice
                | ParamType::Map
        );
        let bound = if lengthy { ParamType::Int } else { param.ty };
        let min = typed(&param.min, "min", bound);
        let max = typed(&param.max, "max", bound);
        if let (Some((at, min)), Some((span, max))) = (&min, &max)
            && runbook_core::value::compare(min, max).is_ok_and(std::cmp::Ordering::is_gt)
        {
            self.out.push(
                Diagnostic::error(Code::Conflict, *span, format!("`max` ({max}) is less than `min` ({min})"))
                    .also(*at, "the least value")
                    .help("give the smaller one as `min`"),
            );
            return;
        }
        let literal = |a: &Option<runbook_core::model::Arg>| a.as_ref().is_none_or(runbook_core::model::Arg::is_literal);
        if let Some((span, default)) = default
            && literal(&param.choices)
            && literal(&param.min)
            && literal(&param.max)
            && !(lengthy && matches!(default, Value::Null))
        {
            let scope = runbook_core::expr::MapScope { map: std::sync::Arc::default(), now: jiff::Timestamp::UNIX_EPOCH };
            if let Err(error) = inputs::check(param, default, &scope) {
                let mut diagnostic =
                    Diagnostic::error(Code::BadParam, span, format!("`default` of `{}`: {}", param.name.value, error.message));
                diagnostic.help = error.help;
                self.out.push(diagnostic);
            }
        }
    }

    /// `env`: a list of names, some as `NAME: plain`, or a map of them.
    pub(crate) fn env(&mut self, node: Option<&Node>) -> Vec<EnvName> {
        let Some(node) = node else { return Vec::new() };
        let (mut out, mut seen) = (Vec::new(), HashMap::new());
        match &node.kind {
            NodeKind::Map(entries) => entries.iter().for_each(|(k, v)| out.extend(self.env_entry(k, Some(v), &mut seen))),
            NodeKind::List(items) => {
                for item in items {
                    match &item.kind {
                        NodeKind::Map(entries) => {
                            entries.iter().for_each(|(k, v)| out.extend(self.env_entry(k, Some(v), &mut seen)))
                        }
                        _ => {
                            if let Some(name) = self.text(item, "env") {
                                out.extend(self.env_entry(&name, None, &mut seen));
                            }
                        }
                    }
                }
            }
            NodeKind::Scalar(_) => self.wrong(node, "env", "a list such as `[HOME, PATH]`"),
        }
        out
    }

    fn env_entry(&mut self, name: &Spanned<String>, value: Option<&Node>, seen: &mut HashMap<String, Span>) -> Option<EnvName> {
        if let Some((before, after)) = name.value.split_once('=') {
            self.out.push(
                Diagnostic::error(Code::BadName, name.span, format!("`{}` gives a variable a value", name.value)).help(format!(
                    "`env` names the variables that are read: write `{before}`; a value of your own (`{after}`) belongs to `vars`"
                )),
            );
            return None;
        }
        if !self.name(name, Naming::Env) {
            return None;
        }
        if let Some(first) = seen.get(&name.value) {
            self.out.push(
                Diagnostic::error(Code::DuplicateKey, name.span, format!("the variable `{}` is listed twice", name.value))
                    .also(*first, "first listed here")
                    .help("list it once"),
            );
            return None;
        }
        let plain = match value {
            Some(node) if !node.is_null() => {
                if !matches!(node.as_str(), Some("plain" | "secret"))
                    && node.as_scalar().is_some_and(|s| s.value != ScalarValue::Null)
                {
                    let shown = node.as_scalar().map(|s| s.text.clone()).unwrap_or_default();
                    self.out.push(
                        Diagnostic::error(
                            Code::BadChoice,
                            node.span,
                            format!("an environment variable is `plain` or `secret`, found {shown:?}"),
                        )
                        .help("`env` names the variables that are read; a value of your own belongs to `vars`"),
                    );
                    return None;
                }
                self.word(node, &name.value, &[("plain", true), ("secret", false)]).unwrap_or_default()
            }
            _ => false,
        };
        seen.insert(name.value.clone(), name.span);
        Some(EnvName { name: name.clone(), plain })
    }
}
