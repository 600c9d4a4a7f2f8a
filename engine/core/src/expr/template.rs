//! Templates: text with `{{ expression }}` in it.

use std::ops::Range;
use std::sync::Arc;

use super::ast::Expr;
use super::parse::SyntaxError;
use super::{EvalError, MAX_TEXT, Scope, shell_quote};
use crate::span::{SourceId, Span, TextMap};
use crate::value::Value;

/// The most values of one template.
const MAX_VALUES: usize = 5_000;

/// A piece of a template.
#[derive(Clone, Debug)]
pub enum Part {
    /// Text as written.
    Text(String),
    /// An expression.
    Expr(Box<Expr>),
}

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template {
    /// The decoded text, with the braces.
    pub text: Arc<str>,
    /// The place of the whole scalar.
    pub span: Span,
    /// The pieces in order.
    pub parts: Vec<Part>,
}

impl Template {
    /// Parses a text that has no place, such as what a module says of itself.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn parse_standalone(text: &str) -> Result<Template, SyntaxError> {
        Template::parse(text, Span::default(), SourceId::default(), &Arc::new(TextMap::contiguous(0)))
    }

    /// Parses the decoded text of a scalar.
    ///
    /// # Errors
    /// An expression that does not parse, an opening without an end, or a statement. Ranges are in bytes of `text`.
    pub fn parse(text: &str, span: Span, source: SourceId, map: &Arc<TextMap>) -> Result<Template, SyntaxError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut i = 0;
        let mut values = 0;
        while i < text.len() {
            let rest = &text[i..];
            if rest.starts_with("{{") {
                values += 1;
                if values > MAX_VALUES {
                    return Err(SyntaxError {
                        message: format!("the template has more than {MAX_VALUES} values"),
                        range: i as u32..i as u32 + 2,
                        help: Some("repeat a step with `for_each`, or keep the text in a file of its own".into()),
                    });
                }
                let end = find_end(text, i + 2).ok_or_else(|| SyntaxError {
                    message: "`{{` is never closed".into(),
                    range: i as u32..i as u32 + 2,
                    help: Some("close it with `}}`, or write `{% raw %}{{{% endraw %}` for the braces themselves".into()),
                })?;
                let inner = &text[i + 2..end];
                let lead = inner.len() - inner.trim_start().len();
                let from = i + 2 + lead;
                let expr = Expr::parse(inner.trim(), source, from as u32, map.clone()).map_err(|mut e| {
                    e.range = e.range.start + from as u32..e.range.end + from as u32;
                    e
                })?;
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(Part::Expr(Box::new(expr)));
                i = end + 2;
            } else if let Some(body) = rest.strip_prefix("{%") {
                let word = body.trim_start_matches(['-', '+', ' ']);
                let close = body.find("%}");
                match close {
                    Some(close) if word.starts_with("raw") => {
                        let from = i + 2 + close + 2;
                        let (stop, next) = find_endraw(text, from).ok_or_else(|| SyntaxError {
                            message: "`{% raw %}` is never closed".into(),
                            range: i as u32..i as u32 + 2,
                            help: Some("close it with `{% endraw %}`".into()),
                        })?;
                        literal.push_str(&text[from..stop]);
                        i = next;
                    }
                    _ => {
                        return Err(SyntaxError {
                            message: "statements are not part of the language".into(),
                            range: i as u32..(i + 2 + close.map_or(0, |c| c + 2)) as u32,
                            help: Some("use `{{ a if condition else b }}`, `when:` or `for_each:`".into()),
                        });
                    }
                }
            } else if rest.starts_with("{#") {
                let end = rest.find("#}").ok_or_else(|| SyntaxError {
                    message: "`{#` is never closed".into(),
                    range: i as u32..i as u32 + 2,
                    help: Some("close it with `#}`".into()),
                })?;
                i += end + 2;
            } else {
                let c = rest.chars().next().unwrap_or_default();
                literal.push(c);
                i += c.len_utf8();
            }
        }
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Template { text: Arc::from(text), span, parts })
    }

    /// A template that is nothing but this text.
    pub fn literal(text: &str, span: Span) -> Template {
        Template { text: Arc::from(text), span, parts: vec![Part::Text(text.to_owned())] }
    }

    /// The text, if there is no expression in it.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The expressions in it.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.parts.iter().filter_map(|p| match p {
            Part::Expr(e) => Some(&**e),
            Part::Text(_) => None,
        })
    }

    /// The value: of a single expression its own, with its type; else the text.
    ///
    /// # Errors
    /// The failing expression's error, with its place.
    pub fn render(&self, scope: &dyn Scope) -> Result<Value, (EvalError, Span)> {
        if let [Part::Expr(expr)] = self.parts.as_slice() {
            return expr.eval(scope).map_err(|e| at(expr, e));
        }
        self.concat(scope, &|value| value.to_string())
    }

    /// The text for a shell: every value is quoted, except through `| unquoted`.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_shell(&self, scope: &dyn Scope) -> Result<Value, (EvalError, Span)> {
        let mut out = Joined::default();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push(text),
                Part::Expr(expr) => {
                    let value = expr.eval(scope).map_err(|e| at(expr, e))?;
                    let raw = is_unquoted(expr);
                    out.add(&value, &|v| match v {
                        _ if raw => v.to_string(),
                        // A list is several words, as in an argument vector.
                        Value::List(items) => {
                            items.iter().map(|i| shell_quote(&i.bare().to_string())).collect::<Vec<_>>().join(" ")
                        }
                        _ => shell_quote(&v.to_string()),
                    });
                }
            }
        }
        out.finish().map_err(|e| (e, self.span))
    }

    fn concat(&self, scope: &dyn Scope, show: &dyn Fn(&Value) -> String) -> Result<Value, (EvalError, Span)> {
        let mut out = Joined::default();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push(text),
                Part::Expr(expr) => out.add(&expr.eval(scope).map_err(|e| at(expr, e))?, show),
            }
        }
        out.finish().map_err(|e| (e, self.span))
    }
}

/// Whether the outermost filter is `unquoted`.
pub(crate) fn is_unquoted(expr: &Expr) -> bool {
    matches!(&expr.root.kind, super::ExprKind::Filter(name, _, _) if name == "unquoted")
}

fn at(expr: &Expr, error: EvalError) -> (EvalError, Span) {
    let span = expr.span_of(&error.range);
    (error, span)
}

/// Builds a text while keeping the marks of what goes into it.
#[derive(Default)]
struct Joined {
    text: String,
    secrets: Vec<String>,
    unknown: Option<Value>,
}

impl Joined {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn add(&mut self, value: &Value, show: &dyn Fn(&Value) -> String) {
        if let Some(unknown) = value.find_unknown() {
            self.unknown.get_or_insert(Value::Unknown(unknown.clone()));
            return;
        }
        let names = value.all_secret_names();
        if names.is_empty() {
            self.text.push_str(&show(value));
            return;
        }
        for name in names {
            if !self.secrets.contains(&name) {
                self.secrets.push(name);
            }
        }
        // The text itself needs the value; the mark on the whole keeps it hidden.
        self.text.push_str(&show(&reveal_inside(value)));
    }

    fn finish(self) -> Result<Value, EvalError> {
        if let Some(unknown) = self.unknown {
            return Ok(unknown);
        }
        if self.text.len() > MAX_TEXT {
            return Err(EvalError::new(format!("the text grows over {} MiB", MAX_TEXT >> 20), 0..0));
        }
        Ok(Value::from(self.text).with_secrets(&self.secrets))
    }
}

/// The value with the secret marks taken off, everywhere; the caller marks what it builds from it.
pub(crate) fn reveal_inside(value: &Value) -> Value {
    match value {
        Value::Secret(s) => reveal_inside(&s.value),
        Value::List(items) => Value::list(items.iter().map(reveal_inside)),
        Value::Map(map) => Value::map(map.iter().map(|(k, v)| (k.clone(), reveal_inside(v)))),
        other => other.clone(),
    }
}

/// The offset of the `}}` that closes an expression, past strings and inner maps.
fn find_end(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut i = from;
    while i < bytes.len() {
        match bytes[i] {
            quote @ (b'"' | b'\'') => {
                i += 1;
                while i < bytes.len() && bytes[i] != quote {
                    i += if bytes[i] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b'}' if bytes.get(i + 1) == Some(&b'}') => return Some(i),
            _ => {}
        }
        i += 1;
    }
    None
}

/// Where `{% endraw %}` starts and ends.
fn find_endraw(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut i = from;
    loop {
        let open = i + text[i..].find("{%")?;
        let close = open + text[open..].find("%}")?;
        let word: Range<usize> = open + 2..close;
        if text[word].trim_matches(['-', '+', ' ']) == "endraw" {
            return Some((open, close + 2));
        }
        i = open + 2;
    }
}
