//! The syntax tree of an expression, with the place of every operand.

use std::ops::Range;
use std::sync::Arc;

use crate::span::{SourceId, Span, TextMap};
use crate::value::Value;

/// A parsed expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// The text as written.
    pub text: Arc<str>,
    /// The place of the whole expression.
    pub span: Span,
    /// Where the text begins in the decoded scalar that holds it.
    pub(crate) offset: u32,
    pub(crate) source: SourceId,
    pub(crate) map: Arc<TextMap>,
    /// The tree.
    pub root: ExprNode,
}

/// A node with its range of bytes in the expression's text.
#[derive(Clone, Debug)]
pub struct ExprNode {
    /// What it is.
    pub kind: ExprKind,
    /// Its bytes in the expression's text.
    pub range: Range<u32>,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `in`
    In,
    /// `not in`
    NotIn,
}

/// An arithmetic or text operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `//`
    FloorDiv,
    /// `%`
    Rem,
    /// `**`
    Pow,
    /// `~`
    Concat,
}

/// Arguments of a filter, test or function.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// By position.
    pub positional: Vec<ExprNode>,
    /// By name.
    pub named: Vec<(String, ExprNode)>,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A literal.
    Const(Value),
    /// A name.
    Var(String),
    /// `a.b`
    Attr(Box<ExprNode>, String),
    /// `a[b]`
    Item(Box<ExprNode>, Box<ExprNode>),
    /// `a[b:c:d]`
    Slice(Box<ExprNode>, [Option<Box<ExprNode>>; 3]),
    /// `not a`
    Not(Box<ExprNode>),
    /// `-a`
    Neg(Box<ExprNode>),
    /// `a and b`
    And(Box<ExprNode>, Box<ExprNode>),
    /// `a or b`
    Or(Box<ExprNode>, Box<ExprNode>),
    /// Arithmetic.
    Binary(Operator, Box<ExprNode>, Box<ExprNode>),
    /// `a < b <= c`
    Compare(Box<ExprNode>, Vec<(Compare, ExprNode)>),
    /// `b if a else c`
    If(Box<ExprNode>, Box<ExprNode>, Option<Box<ExprNode>>),
    /// `a | name(args)`
    Filter(String, Box<ExprNode>, Arguments),
    /// `a is name(args)`
    Test(String, Box<ExprNode>, Arguments),
    /// `name(args)`
    Call(String, Arguments),
    /// `[a, b]`
    List(Vec<ExprNode>),
    /// `{"a": b}`
    Map(Vec<(ExprNode, ExprNode)>),
}

impl Expr {
    /// The place of a part of the expression.
    pub fn span_of(&self, range: &Range<u32>) -> Span {
        let start = self.map.source_offset(self.offset + range.start);
        let end = if range.end > range.start { self.map.source_offset(self.offset + range.end - 1) + 1 } else { start };
        Span::new(self.source, start as usize, end as usize)
    }

    /// The text of a part of the expression.
    pub fn text_of(&self, range: &Range<u32>) -> &str {
        self.text.get(range.start as usize..range.end as usize).unwrap_or(&self.text).trim()
    }

    /// Calls `f` for every node, parents first.
    pub fn walk<'a>(&'a self, f: &mut dyn FnMut(&'a ExprNode)) {
        self.root.walk(f);
    }
}

impl ExprNode {
    /// Calls `f` for this node and every node below it, parents first.
    pub fn walk<'a>(&'a self, f: &mut dyn FnMut(&'a ExprNode)) {
        f(self);
        for child in self.children() {
            child.walk(f);
        }
    }

    /// The nodes directly below this one, in the order they are written.
    pub fn children(&self) -> Vec<&ExprNode> {
        fn args(a: &Arguments) -> impl Iterator<Item = &ExprNode> {
            a.positional.iter().chain(a.named.iter().map(|(_, v)| v))
        }
        match &self.kind {
            ExprKind::Const(_) | ExprKind::Var(_) => Vec::new(),
            ExprKind::Attr(a, _) | ExprKind::Not(a) | ExprKind::Neg(a) => vec![a],
            ExprKind::Item(a, b) | ExprKind::And(a, b) | ExprKind::Or(a, b) | ExprKind::Binary(_, a, b) => vec![a, b],
            ExprKind::Slice(a, parts) => std::iter::once(&**a).chain(parts.iter().flatten().map(|p| &**p)).collect(),
            ExprKind::Compare(a, rest) => std::iter::once(&**a).chain(rest.iter().map(|(_, e)| e)).collect(),
            ExprKind::If(a, b, c) => [Some(&**a), Some(&**b), c.as_deref()].into_iter().flatten().collect(),
            ExprKind::Filter(_, a, more) | ExprKind::Test(_, a, more) => std::iter::once(&**a).chain(args(more)).collect(),
            ExprKind::Call(_, more) => args(more).collect(),
            ExprKind::List(items) => items.iter().collect(),
            ExprKind::Map(entries) => entries.iter().flat_map(|(k, v)| [k, v]).collect(),
        }
    }

    /// `a.b.c` as its names, if the node is nothing but names and dots.
    pub fn dotted(&self) -> Option<Vec<&str>> {
        match &self.kind {
            ExprKind::Var(name) => Some(vec![name]),
            ExprKind::Attr(inner, name) => {
                let mut path = inner.dotted()?;
                path.push(name);
                Some(path)
            }
            _ => None,
        }
    }
}
