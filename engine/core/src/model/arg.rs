//! Values as written: literals, templates, lists and maps of them.

use crate::expr::{EvalError, Expr, Scope, Template};
use crate::span::{Span, Spanned};
use crate::value::{Map, Value};

/// A value as written, with its place.
#[derive(Clone, Debug)]
pub struct Arg {
    /// The place.
    pub span: Span,
    /// What is written there.
    pub kind: ArgKind,
}

/// What is written.
#[derive(Clone, Debug)]
pub enum ArgKind {
    /// A literal scalar.
    Value(Value),
    /// Text with expressions in it.
    Template(Template),
    /// Shell text: every value in it is quoted.
    Shell(Template),
    /// A list.
    List(Vec<Arg>),
    /// A map.
    Map(Vec<(Spanned<String>, Arg)>),
}

/// A step on the way into a nested value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPart {
    /// A map's key.
    Key(String),
    /// A list's index.
    Index(usize),
}

impl Arg {
    /// A literal at a place.
    pub fn literal(value: Value, span: Span) -> Arg {
        Arg { span, kind: ArgKind::Value(value) }
    }

    /// The value in a scope.
    ///
    /// # Errors
    /// The first expression that fails, with its place.
    pub fn render(&self, scope: &dyn Scope) -> Result<Value, (EvalError, Span)> {
        Ok(match &self.kind {
            ArgKind::Value(value) => value.clone(),
            ArgKind::Template(template) => template.render(scope)?,
            ArgKind::Shell(template) => template.render_shell(scope)?,
            ArgKind::List(items) => Value::from(items.iter().map(|i| i.render(scope)).collect::<Result<Vec<_>, _>>()?),
            ArgKind::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, value) in entries {
                    map.insert(key.value.clone(), value.render(scope)?);
                }
                Value::from(map)
            }
        })
    }

    /// The value with `unknown` where a template stands: what can be checked before anything runs.
    pub fn skeleton(&self) -> Value {
        match &self.kind {
            ArgKind::Value(value) => value.clone(),
            ArgKind::Template(t) | ArgKind::Shell(t) => match t.as_literal() {
                Some(text) => Value::str(text),
                None => Value::unknown("a template"),
            },
            ArgKind::List(items) => Value::list(items.iter().map(Arg::skeleton)),
            ArgKind::Map(entries) => Value::map(entries.iter().map(|(k, v)| (k.value.clone(), v.skeleton()))),
        }
    }

    /// Every expression in it.
    pub fn exprs(&self) -> Vec<&Expr> {
        let mut out = Vec::new();
        self.collect(&mut out);
        out
    }

    fn collect<'a>(&'a self, out: &mut Vec<&'a Expr>) {
        match &self.kind {
            ArgKind::Value(_) => {}
            ArgKind::Template(t) | ArgKind::Shell(t) => out.extend(t.exprs()),
            ArgKind::List(items) => items.iter().for_each(|i| i.collect(out)),
            ArgKind::Map(entries) => entries.iter().for_each(|(_, v)| v.collect(out)),
        }
    }

    /// The argument written at a path, or the nearest one around it.
    pub fn find(&self, path: &[PathPart]) -> &Arg {
        let Some((first, rest)) = path.split_first() else { return self };
        let next = match (&self.kind, first) {
            (ArgKind::List(items), PathPart::Index(i)) => items.get(*i),
            (ArgKind::Map(entries), PathPart::Key(k)) => entries.iter().find(|(key, _)| key.value == *k).map(|(_, v)| v),
            _ => None,
        };
        next.map_or(self, |a| a.find(rest))
    }

    /// The entry of a map.
    pub fn get(&self, key: &str) -> Option<&Arg> {
        match &self.kind {
            ArgKind::Map(entries) => entries.iter().find(|(k, _)| k.value == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The literal text, if it is a string without expressions.
    pub fn as_literal_str(&self) -> Option<&str> {
        match &self.kind {
            ArgKind::Value(Value::Str(s)) => Some(s),
            ArgKind::Template(t) | ArgKind::Shell(t) => t.as_literal(),
            _ => None,
        }
    }

    /// Whether nothing in it depends on a scope.
    pub fn is_literal(&self) -> bool {
        self.exprs().is_empty()
    }
}
