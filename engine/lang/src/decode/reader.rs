//! Reading scalars: text, numbers, words, expressions and templates, each with its mistakes.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::SignedDuration;
use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics};
use runbook_core::expr::{Expr, SyntaxError, Template};
use runbook_core::forms;
use runbook_core::model::Link;
use runbook_core::module::Registry;
use runbook_core::node::{Node, NodeKind, Scalar, ScalarValue};
use runbook_core::span::{Span, Spanned, TextMap};
use runbook_core::suggest::nearest;
use runbook_core::value::parse_duration;

use super::fields::list;
use crate::keys::LINK;
use crate::patterns::Patterns;

/// Decodes nodes and collects what is wrong with them.
pub(crate) struct Reader<'a> {
    /// The modules that steps may use.
    pub(crate) registry: &'a Registry,
    /// Where mistakes go.
    pub(crate) out: &'a mut Diagnostics,
    /// Names whose declaration had to be left out, so that nothing more is said about them.
    pub(crate) lost: HashSet<String>,
    /// Places of secrets that are written in the file: they are not echoed.
    pub(crate) hidden: Vec<Span>,
    /// How many parts the expressions that were read have together.
    parts: usize,
    /// The regular expressions that were looked at.
    pub(crate) patterns: Patterns,
    /// How many steps were read.
    steps: usize,
}

/// The most steps of a file: one takes some three kilobytes.
const MAX_STEPS: usize = 20_000;

/// The most parts (names, values, operators) that the expressions of a file may have together: a part takes some 130 bytes.
const MAX_PARTS: usize = 200_000;

impl<'a> Reader<'a> {
    /// A reader that has not read anything.
    pub(crate) fn new(registry: &'a Registry, out: &'a mut Diagnostics) -> Self {
        Reader { registry, out, lost: HashSet::new(), hidden: Vec::new(), parts: 0, patterns: Patterns::default(), steps: 0 }
    }

    /// Remembers the names that a part of a tree declares, because that part is left out.
    pub(crate) fn lose(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::Map(entries) => {
                for (key, value) in entries {
                    match (key.value.as_str(), &value.kind) {
                        ("id" | "finding", NodeKind::Scalar(s)) => {
                            self.lost.insert(s.text.clone());
                        }
                        ("set" | "vars", NodeKind::Map(names)) => self.lost.extend(names.iter().map(|(n, _)| n.value.clone())),
                        ("as", NodeKind::Scalar(s)) => {
                            self.lost.insert(s.text.clone());
                        }
                        _ => {}
                    }
                    self.lose(value);
                }
            }
            NodeKind::List(items) => items.iter().for_each(|i| self.lose(i)),
            NodeKind::Scalar(_) => {}
        }
    }
}

/// How many nodes an expression has, and itself.
fn parts(expr: &Expr) -> usize {
    let mut parts = 1;
    expr.walk(&mut |_| parts += 1);
    parts
}

/// Whether text holds something for the template parser.
pub(crate) fn has_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// The place of a range of a scalar's decoded text.
pub(crate) fn inside(node: &Node, map: &TextMap, range: &std::ops::Range<u32>) -> Span {
    let start = map.source_offset(range.start);
    let end = if range.end > range.start { map.source_offset(range.end - 1) + 1 } else { start };
    Span::new(node.span.source, start as usize, end as usize)
}

/// A value of the wrong kind.
fn mismatch(node: &Node, key: &str, wanted: &str) -> Diagnostic {
    let found = match node.as_scalar() {
        Some(s) if s.value != ScalarValue::Null && s.text.chars().count() <= 40 && !s.text.contains('\n') => {
            if s.value == ScalarValue::Str { format!("the string {:?}", s.text) } else { format!("`{}`", s.text) }
        }
        _ => node.describe().to_owned(),
    };
    let diagnostic = Diagnostic::error(Code::WrongType, node.span, format!("`{key}` takes {wanted}, found {found}"));
    let Some(s) = node.as_scalar() else { return diagnostic.help(instead(key, wanted)) };
    if wanted.starts_with("text") && s.value != ScalarValue::Null {
        return diagnostic.help(format!("put it in quotes: \"{}\"", s.text));
    }
    let word = s.text.to_lowercase();
    if wanted.starts_with("`true`") && matches!(word.as_str(), "yes" | "on" | "no" | "off" | "true" | "false") {
        let meant = matches!(word.as_str(), "yes" | "on" | "true");
        return diagnostic.help(format!("write `{meant}`, without quotes"));
    }
    let number = s.text.parse::<f64>().is_ok() && s.quoted;
    if number && (wanted.starts_with("a number") || wanted.starts_with("a whole number")) {
        return diagnostic.help(format!("write `{}`, without quotes", s.text));
    }
    diagnostic.help(instead(key, wanted))
}

/// What to write, for a help line: the example that `wanted` gives, or the kind alone.
fn instead(key: &str, wanted: &str) -> String {
    match wanted.split_once("such as `").and_then(|(_, rest)| rest.split_once('`')) {
        Some((example, _)) if example.starts_with("- ") => "begin each item with `- `".to_owned(),
        Some((example, _)) => format!("write `{key}: {example}`"),
        None if wanted.starts_with("text") => format!("write `{key}: SOME TEXT`"),
        None => format!("give `{key}` {wanted}"),
    }
}

impl Reader<'_> {
    /// Reports a value of the wrong kind.
    pub(crate) fn wrong(&mut self, node: &Node, key: &str, wanted: &str) {
        self.out.push(mismatch(node, key, wanted));
    }

    /// Text as it is; an empty one is refused.
    pub(crate) fn text(&mut self, node: &Node, key: &str) -> Option<Spanned<String>> {
        let scalar = self.string(node, key)?;
        if scalar.text.trim().is_empty() {
            self.empty(node, key);
            return None;
        }
        Some(Spanned::new(scalar.text.trim_end().to_owned(), node.span))
    }

    fn empty(&mut self, node: &Node, key: &str) {
        let diagnostic = Diagnostic::error(Code::WrongType, node.span, format!("`{key}` is empty"));
        self.out.push(diagnostic.help("give it a text, or leave the key out"));
    }

    /// Text as it is, without its place.
    pub(crate) fn plain_text(&mut self, node: Option<&Node>, key: &str) -> Option<String> {
        self.text(node?, key).map(|t| t.value)
    }

    fn string<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n Scalar> {
        match node.as_scalar().filter(|s| s.value == ScalarValue::Str) {
            Some(scalar) => Some(scalar),
            None => {
                self.wrong(node, key, "text");
                None
            }
        }
    }

    /// `true` or `false`.
    pub(crate) fn bool(&mut self, node: &Node, key: &str) -> Option<bool> {
        match node.as_scalar().map(|s| &s.value) {
            Some(ScalarValue::Bool(b)) => Some(*b),
            _ => {
                self.wrong(node, key, "`true` or `false`");
                None
            }
        }
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(&mut self, node: &Node, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = node.as_scalar().filter(|s| s.value != ScalarValue::Null).map(|s| s.text.as_str());
        let Some(text) = text else {
            let wanted = format!("one of {}", list(words.iter().map(|(w, _)| *w)));
            self.wrong(node, key, &wanted);
            return None;
        };
        if let Some((_, value)) = words.iter().find(|(w, _)| *w == text) {
            return Some(*value);
        }
        let all = list(words.iter().map(|(w, _)| *w));
        let wanted = if words.len() == 1 { all } else { format!("one of {all}") };
        let mut diagnostic = Diagnostic::error(Code::BadChoice, node.span, format!("`{key}` is {wanted}, found {text:?}"));
        diagnostic = diagnostic.help(match nearest(text, words.iter().map(|(w, _)| *w)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if words.len() == 1 => format!("write `{key}: {}`, or leave it out", words[0].0),
            None => "write one of these words".to_owned(),
        });
        self.out.push(diagnostic);
        None
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, node: Option<&Node>, key: &str) -> Vec<Spanned<String>> {
        let Some(node) = node else { return Vec::new() };
        let Some(items) = node.as_list() else {
            let example = match node.as_str() {
                Some(text) => format!("a list such as `[{text}]`"),
                None => "a list such as `[a, b]`".to_owned(),
            };
            self.wrong(node, key, &example);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.text(item, key)).collect()
    }

    /// The entries of a map from names, or nothing.
    pub(crate) fn entries<'n>(&mut self, node: Option<&'n Node>, key: &str, wanted: &str) -> &'n [(Spanned<String>, Node)] {
        let Some(node) = node else { return &[] };
        match &node.kind {
            NodeKind::Map(entries) => entries,
            _ => {
                self.wrong(node, key, wanted);
                &[]
            }
        }
    }

    /// `links`.
    pub(crate) fn links(&mut self, node: Option<&Node>) -> Vec<Link> {
        let Some(node) = node else { return Vec::new() };
        let Some(items) = node.as_list() else {
            self.wrong(node, "links", "a list such as `[{title: Dashboard, url: \"https://...\"}]`");
            return Vec::new();
        };
        let mut links = Vec::new();
        for item in items {
            let Some(fields) = self.fields(item, &LINK, None) else { continue };
            let title = self.plain_text(fields.get("title"), "title");
            let url = self.plain_text(fields.get("url"), "url");
            if let (Some(node), Some(text)) = (fields.get("url"), &url)
                && !has_template(text)
                && let Some(wrong) = forms::link(text)
            {
                self.wrong_form(Code::BadUrl, node, wrong);
            }
            if let (Some(title), Some(url)) = (title, url) {
                links.push(Link { title, url });
            }
        }
        links
    }

    /// Reports a text that does not have the form it needs, at the bytes that it is about.
    pub(crate) fn wrong_form(&mut self, code: Code, node: &Node, wrong: forms::Wrong) {
        let span = match (&wrong.range, node.as_scalar()) {
            (Some(range), Some(scalar)) => inside(node, &scalar.map, &(range.start as u32..range.end as u32)),
            _ => node.span,
        };
        self.out.push(Diagnostic::error(code, span, wrong.message).help(wrong.help));
    }

    /// A duration that holds no template.
    pub(crate) fn duration(&mut self, node: &Node, key: &str) -> Option<SignedDuration> {
        let text = node.as_scalar().map(|s| s.text.as_str()).unwrap_or_default();
        match parse_duration(text).filter(|_| node.as_str().is_some()) {
            Some(duration) => Some(duration),
            None => {
                self.bad_duration(node, key);
                None
            }
        }
    }

    /// Reports what is no duration.
    pub(crate) fn bad_duration(&mut self, node: &Node, key: &str) {
        let Some(scalar) = node.as_scalar().filter(|s| s.value != ScalarValue::Null) else {
            self.wrong(node, key, "a duration such as `30s`");
            return;
        };
        let text = &scalar.text;
        let help = if matches!(scalar.value, ScalarValue::Int(_) | ScalarValue::Float(_)) && !text.starts_with('-') {
            format!("give it a unit: `{text}s`, `{text}m` or `{text}ms`")
        } else if text.starts_with('-') {
            "a duration is never negative".to_owned()
        } else if text.len() > 2 && parse_duration(&text.replace(' ', "")).is_some() {
            format!("write `{}`, without spaces", text.replace(' ', ""))
        } else if let Some(short) = short_unit(text) {
            format!("write `{short}`")
        } else if text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse::<f64>().is_ok_and(|n| n > 1e6) {
            "a hundred years is the longest duration".to_owned()
        } else {
            "the units are `ms`, `s`, `m`, `h`, `d`, `w`, longer ones first: `1h30m`".to_owned()
        };
        self.out.push(
            Diagnostic::error(Code::BadDuration, node.span, format!("`{key}` takes a duration such as `30s`, found `{text}`"))
                .help(help),
        );
    }

    /// A template.
    pub(crate) fn template(&mut self, node: &Node, key: &str) -> Option<Template> {
        let scalar = self.string(node, key)?;
        if scalar.text.trim().is_empty() {
            self.empty(node, key);
            return None;
        }
        self.template_of(node, scalar)
    }

    /// The template of a string scalar.
    pub(crate) fn template_of(&mut self, node: &Node, scalar: &Scalar) -> Option<Template> {
        if !has_template(&scalar.text) {
            return Some(Template::literal(&scalar.text, node.span));
        }
        if self.parts > MAX_PARTS {
            return None;
        }
        let map = Arc::new(scalar.map.clone());
        match Template::parse(&scalar.text, node.span, node.span.source, &map) {
            Ok(template) => {
                let parts: usize = template.exprs().map(parts).sum();
                self.has_room(parts, node.span).then_some(template)
            }
            Err(error) => {
                let from = scalar.text.get(error.range.start as usize..).unwrap_or("");
                let code = if ["{{", "{%", "{#"].iter().any(|b| from.starts_with(b)) {
                    Code::TemplateSyntax
                } else {
                    Code::ExpressionSyntax
                };
                self.syntax(node, &scalar.map, code, error);
                None
            }
        }
    }

    /// Whether the file may have one step more; told once if not.
    pub(crate) fn has_room_for_a_step(&mut self, span: Span) -> bool {
        self.steps += 1;
        if self.steps == MAX_STEPS + 1 {
            self.out.push(
                Diagnostic::error(Code::TooLarge, span, format!("the file holds more than {MAX_STEPS} steps"))
                    .help("split it, or repeat a step with `for_each`; nothing after this is looked at"),
            );
        }
        self.steps <= MAX_STEPS
    }

    /// Whether the file's expressions may have so many parts more; told once if not.
    fn has_room(&mut self, parts: usize, span: Span) -> bool {
        if self.parts > MAX_PARTS {
            return false;
        }
        self.parts += parts;
        if self.parts > MAX_PARTS {
            let message = format!("the expressions of this file have more than {MAX_PARTS} parts together");
            self.out.push(
                Diagnostic::error(Code::TooLarge, span, message)
                    .help("split the file, or repeat a step with `for_each`; nothing after this is looked at"),
            );
        }
        self.parts <= MAX_PARTS
    }

    fn syntax(&mut self, node: &Node, map: &TextMap, code: Code, error: SyntaxError) {
        let long = error.message.contains("bytes long") || error.message.contains("too deeply");
        let mut diagnostic = Diagnostic::error(code, inside(node, map, &error.range), error.message);
        diagnostic.help = Some(error.help.unwrap_or_else(|| {
            if long {
                "give its parts names under `vars` or `set`".to_owned()
            } else {
                "an expression is written like `status == 200 and json.ok`, a text in it in quotes".to_owned()
            }
        }));
        self.out.push(diagnostic);
    }

    /// A bare expression.
    pub(crate) fn expr(&mut self, node: &Node, key: &str) -> Option<Expr> {
        let Some(scalar) = node.as_scalar().filter(|s| s.value != ScalarValue::Null) else {
            self.wrong(node, key, "an expression such as `status == 200`");
            return None;
        };
        let trimmed = scalar.text.trim();
        if trimmed.starts_with("{{") {
            let inner = trimmed.trim_start_matches("{{").trim_end_matches("}}").trim();
            let help = if trimmed.ends_with("}}") && !inner.contains("{{") && !inner.contains("}}") {
                format!("leave the braces out: `{inner}`")
            } else {
                "leave the braces out".to_owned()
            };
            self.out.push(
                Diagnostic::error(Code::ExpressionSyntax, node.span, format!("`{key}` is an expression already")).help(help),
            );
            return None;
        }
        if self.parts > MAX_PARTS {
            return None;
        }
        match Expr::parse(&scalar.text, node.span.source, 0, Arc::new(scalar.map.clone())) {
            Ok(expr) => self.has_room(parts(&expr), node.span).then_some(expr),
            Err(error) => {
                self.syntax(node, &scalar.map, Code::ExpressionSyntax, error);
                None
            }
        }
    }

    /// A bare expression or a list of them.
    pub(crate) fn exprs(&mut self, node: Option<&Node>, key: &str) -> Vec<Expr> {
        let Some(node) = node else { return Vec::new() };
        match &node.kind {
            NodeKind::Scalar(_) => self.expr(node, key).into_iter().collect(),
            NodeKind::List(items) if items.is_empty() => {
                self.out
                    .push(Diagnostic::error(Code::WrongType, node.span, format!("`{key}` is empty")).help("leave the key out"));
                Vec::new()
            }
            NodeKind::List(items) => items.iter().filter_map(|i| self.expr(i, key)).collect(),
            NodeKind::Map(entries) => {
                let mut diagnostic = mismatch(node, key, "an expression such as `status == 200`, or a list of them");
                // `expect: { status: 200 }` is the habit of other tools.
                if let Some((k, v)) = entries.first()
                    && let Some(s) = v.as_scalar()
                {
                    let value = if s.value == ScalarValue::Str { format!("'{}'", s.text) } else { s.text.clone() };
                    diagnostic = diagnostic.help(format!("write `{key}: {} == {value}`", k.value));
                }
                self.out.push(diagnostic);
                Vec::new()
            }
        }
    }
}

/// `10s` for `10 seconds`.
fn short_unit(text: &str) -> Option<String> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic() || c == ' ')?);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "millisecond" | "milliseconds" | "millis" | "msec" | "msecs" => "ms",
        "second" | "seconds" | "sec" | "secs" => "s",
        "minute" | "minutes" | "min" | "mins" => "m",
        "hour" | "hours" | "hr" | "hrs" => "h",
        "day" | "days" => "d",
        "week" | "weeks" => "w",
        _ => return None,
    };
    Some(format!("{number}{unit}")).filter(|short| parse_duration(short).is_some())
}
