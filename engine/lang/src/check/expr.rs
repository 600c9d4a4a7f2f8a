//! Checking expressions: every name, member, function and comparison in them.

use runbook_core::code::Code;
use runbook_core::diagnostic::{Diagnostic, Diagnostics};
use runbook_core::expr::{Compare, Expr, ExprKind, ExprNode, Template};
use runbook_core::model::{Arg, Body, Playbook, Step};
use runbook_core::module::Entry;
use runbook_core::span::Span;

use crate::patterns::Patterns;

use super::kinds::{self, Sort};
use super::names::Wrong;
use super::scope::Scope;
use super::ty::{Kind, Ty};
use super::{Lost, Project};

/// The step whose own result comes first in scope.
pub(crate) struct Own<'a> {
    pub(crate) step: &'a Step,
}

/// Checks one file.
pub(crate) struct Checker<'a, 'd> {
    pub(crate) project: &'a Project<'a>,
    /// The full name of the playbook, for what its `play:` names mean.
    pub(crate) unit: &'a str,
    pub(crate) scope: Scope<'a>,
    pub(crate) lost: &'a Lost,
    pub(crate) out: &'d mut Diagnostics,
    /// The parameters that are used; `None` once all of them may be.
    pub(crate) used_params: Option<std::collections::HashSet<String>>,
    /// The ids under `steps` that something uses; `None` once all of them may be.
    pub(crate) used_ids: Option<std::collections::HashSet<String>>,
    /// The environment variables that something uses; `None` once all of them may be.
    pub(crate) used_env: Option<std::collections::HashSet<String>>,
    /// The regular expressions that were looked at.
    pub(crate) patterns: Patterns,
    /// The names that expressions use bare.
    pub(crate) used_names: std::collections::HashSet<String>,
    /// Whether the `when` of the innermost step around the place is what is being looked at.
    pub(crate) in_when: bool,
    /// Whether a condition is being looked at, of which only matters whether it holds.
    pub(crate) in_condition: bool,
    /// Conditions that hold here because a step before ends the list where they do not.
    pub(crate) known: Vec<String>,
}

impl<'a, 'd> Checker<'a, 'd> {
    /// A checker that does not look for what is never used.
    pub(crate) fn new(
        project: &'a Project<'a>,
        unit: &'a str,
        scope: Scope<'a>,
        lost: &'a Lost,
        out: &'d mut Diagnostics,
    ) -> Checker<'a, 'd> {
        let used_names = std::collections::HashSet::new();
        Checker {
            project,
            unit,
            scope,
            lost,
            out,
            used_params: None,
            used_ids: None,
            used_env: Some(std::collections::HashSet::new()),
            patterns: Patterns::default(),
            used_names,
            in_when: false,
            in_condition: false,
            known: Vec::new(),
        }
    }
}

impl<'a> Checker<'a, '_> {
    /// The module of a step.
    pub(crate) fn entry(&self, step: &Step) -> Option<&'a Entry> {
        match &step.body {
            Body::Module(call) => self.project.registry.get(&call.name.value).map(|e| &**e),
            _ => None,
        }
    }

    /// The playbook that a name under `play:` means.
    pub(crate) fn played(&self, name: &str) -> Option<&'a Playbook> {
        let full = self.project.plays.get(&(self.unit.to_owned(), name.to_owned()))?;
        self.project.units.get(full).map(|u| &*u.playbook)
    }

    /// Checks a template.
    pub(crate) fn template(&mut self, template: &Template) {
        for expr in template.exprs() {
            self.expr(expr, None);
        }
    }

    /// Checks every expression in a value.
    pub(crate) fn arg(&mut self, arg: &Arg) {
        for expr in arg.exprs() {
            self.expr(expr, None);
        }
    }

    /// Checks a value if there is one.
    pub(crate) fn maybe(&mut self, arg: Option<&Arg>) {
        if let Some(arg) = arg {
            self.arg(arg);
        }
    }

    /// Checks an expression and tells what is known about its value.
    pub(crate) fn expr(&mut self, expr: &Expr, own: Option<&Own<'a>>) -> Ty<'a> {
        let ty = Visit { checker: self, expr, own }.node(&expr.root);
        self.may_be_missing(expr);
        ty
    }
}

/// One expression on its way through the checker.
pub(super) struct Visit<'v, 'a, 'd> {
    pub(super) checker: &'v mut Checker<'a, 'd>,
    pub(super) expr: &'v Expr,
    own: Option<&'v Own<'a>>,
}

impl<'a> Visit<'_, 'a, '_> {
    /// Reports something about a node.
    pub(super) fn report(&mut self, code: Code, node: &ExprNode, message: impl Into<String>, help: Option<String>) {
        let mut diagnostic = Diagnostic::error(code, self.expr.span_of(&node.range), message);
        diagnostic.help = help;
        self.checker.out.push(diagnostic);
    }

    fn wrong(&mut self, span: Span, wrong: Wrong) {
        let mut diagnostic = Diagnostic::error(wrong.code, span, wrong.missing.message).help(wrong.missing.help);
        if let Some((span, text)) = wrong.also {
            diagnostic = diagnostic.also(span, text);
        }
        self.checker.out.push(diagnostic);
    }

    /// The place of the last name of `a.b` or `a['b']`.
    fn member_span(&self, inner: &ExprNode, node: &ExprNode, name: &str) -> Span {
        let text = self.expr.text_of(&(inner.range.end..node.range.end));
        let from = self.expr.text.get(inner.range.end as usize..).unwrap_or("");
        match from.find(name) {
            Some(at) if at <= text.len() + 4 => {
                let start = inner.range.end + at as u32;
                self.expr.span_of(&(start..start + name.len() as u32))
            }
            _ => self.expr.span_of(&node.range),
        }
    }

    fn nodes<'n>(&mut self, nodes: impl IntoIterator<Item = &'n ExprNode>) {
        for node in nodes {
            self.node(node);
        }
    }

    /// Checks a node and everything below it.
    pub(super) fn node(&mut self, node: &ExprNode) -> Ty<'a> {
        let before = self.checker.out.len();
        let ty = self.typed(node);
        self.evaluated(node, before);
        ty
    }

    fn typed(&mut self, node: &ExprNode) -> Ty<'a> {
        match &node.kind {
            ExprKind::Const(value) => Kind::of(value).map_or(Ty::Any, Ty::Kind),
            ExprKind::Var(name) => self.name(node, name),
            ExprKind::Attr(inner, name) => {
                let ty = self.root(inner, Some(name));
                self.member(inner, node, ty, name)
            }
            ExprKind::Item(inner, index) => self.item(node, inner, index),
            ExprKind::Test(name, inner, args) => {
                // Whether it is there is what is being asked.
                if !(matches!(name.as_str(), "defined" | "undefined") && args.positional.is_empty() && inner.dotted().is_some()) {
                    self.node(inner);
                }
                self.nodes(&args.positional);
                self.nodes(args.named.iter().map(|(_, v)| v));
                self.test(node, name, args);
                Ty::Kind(Kind::Bool)
            }
            ExprKind::Filter(name, inner, args) => {
                let ty = self.node(inner);
                self.nodes(&args.positional);
                self.nodes(args.named.iter().map(|(_, v)| v));
                self.filter(node, name, args);
                kinds::of_filter(name, ty)
            }
            ExprKind::Call(name, args) => {
                self.nodes(&args.positional);
                self.nodes(args.named.iter().map(|(_, v)| v));
                self.function(node, name, args);
                match name.as_str() {
                    "now" => Ty::Kind(Kind::Time),
                    "range" => Ty::Kind(Kind::List),
                    _ => Ty::Any,
                }
            }
            ExprKind::Compare(first, rest) => {
                self.comparison(first, rest);
                Ty::Kind(Kind::Bool)
            }
            ExprKind::Not(inner) => {
                self.node(inner);
                Ty::Kind(Kind::Bool)
            }
            ExprKind::Neg(inner) => match self.node(inner).kind() {
                Some(kind @ (Kind::Number | Kind::Duration)) => Ty::Kind(kind),
                _ => Ty::Any,
            },
            ExprKind::Binary(..) => self.arithmetic(node),
            ExprKind::If(..) => {
                for child in node.children() {
                    self.node(child);
                }
                Ty::Any
            }
            ExprKind::And(..) | ExprKind::Or(..) => {
                self.chain(node);
                self.logic(node);
                Ty::Any
            }
            ExprKind::Slice(..) => {
                for child in node.children() {
                    self.node(child);
                }
                Ty::Any
            }
            ExprKind::List(items) => {
                self.nodes(items);
                Ty::Kind(Kind::List)
            }
            ExprKind::Map(entries) => {
                for (key, value) in entries {
                    self.node(key);
                    self.node(value);
                }
                Ty::Kind(Kind::Map)
            }
        }
    }

    /// A long run of operators leans to the left: walked in a loop, so that its length costs no stack.
    fn chain(&mut self, node: &ExprNode) {
        let mut at = node;
        loop {
            match &at.kind {
                ExprKind::And(a, b) | ExprKind::Or(a, b) | ExprKind::Binary(_, a, b) => {
                    self.node(b);
                    at = a;
                }
                _ => {
                    self.node(at);
                    return;
                }
            }
        }
    }

    fn arithmetic(&mut self, node: &ExprNode) -> Ty<'a> {
        let ExprKind::Binary(op, a, b) = &node.kind else { return Ty::Any };
        if matches!(a.kind, ExprKind::Binary(..)) {
            self.chain(node);
            return Ty::Any;
        }
        let (a, b) = (self.node(a).kind(), self.node(b).kind());
        if let (Some(a), Some(b)) = (a, b) {
            self.adds(node, *op, a, b);
        }
        kinds::of_operator(*op, a, b)
    }

    fn name(&mut self, node: &ExprNode, name: &str) -> Ty<'a> {
        let ty = self.root(node, None);
        if name == "params" {
            // Handed on as a whole: any of them may be used.
            self.checker.used_params = None;
        }
        ty
    }

    /// A node that a member is taken of.
    fn root(&mut self, node: &ExprNode, member: Option<&str>) -> Ty<'a> {
        let ExprKind::Var(name) = &node.kind else { return self.node(node) };
        self.checker.used_names.insert(name.clone());
        if name == "params" {
            match (member, &mut self.checker.used_params) {
                (Some(member), Some(used)) => {
                    used.insert(member.to_owned());
                }
                _ => self.checker.used_params = None,
            }
        }
        if name == "env" {
            match (member, &mut self.checker.used_env) {
                (Some(member), Some(used)) => {
                    used.insert(member.to_owned());
                }
                _ => self.checker.used_env = None,
            }
        }
        match self.checker.name(name, self.own) {
            Ok(ty) => {
                if matches!(ty, Ty::Steps) && member.is_none() {
                    self.checker.used_ids = None;
                }
                ty
            }
            Err(wrong) => {
                let span = self.expr.span_of(&node.range);
                self.wrong(span, wrong);
                Ty::Any
            }
        }
    }

    fn member(&mut self, inner: &ExprNode, node: &ExprNode, ty: Ty<'a>, name: &str) -> Ty<'a> {
        if let (Ty::Steps, Some(used)) = (ty, &mut self.checker.used_ids) {
            used.insert(name.to_owned());
        }
        match self.checker.member(ty, name) {
            Ok(ty) => ty,
            Err(wrong) => {
                let span = self.member_span(inner, node, name);
                self.wrong(span, wrong);
                Ty::Any
            }
        }
    }

    fn item(&mut self, node: &ExprNode, inner: &ExprNode, index: &ExprNode) -> Ty<'a> {
        if let ExprKind::Const(value) = &index.kind
            && let Some(key) = value.as_str()
        {
            let ty = self.root(inner, Some(key));
            return self.member(inner, node, ty, key);
        }
        let ty = self.root(inner, None);
        self.node(index);
        match ty {
            Ty::Services => Ty::Service(None),
            Ty::Schema(schema) if schema["items"].is_object() => Ty::Schema(&schema["items"]),
            _ => Ty::Any,
        }
    }

    fn comparison(&mut self, first: &ExprNode, rest: &[(Compare, ExprNode)]) {
        let mut left = (first, self.node(first));
        for (op, node) in rest {
            if matches!(op, Compare::In | Compare::NotIn) {
                self.finding(left.0, node);
            }
            let right = (node, self.node(node));
            self.known_comparison(left, *op, right);
            if let (Some(a), Some(b)) = (left.1.kind(), right.1.kind()) {
                let sort = match op {
                    Compare::Eq | Compare::Ne => Sort::Equal,
                    Compare::In | Compare::NotIn => Sort::Within,
                    _ => Sort::Order,
                };
                if let Some(help) = kinds::disagree(sort, a, b, (left.0, right.0), self.expr) {
                    let what = match sort {
                        Sort::Within => format!("{} cannot be looked for in {}", a.word(), b.word()),
                        _ if a == b => format!("{} has no order", a.word()),
                        _ => format!("{} is compared with {}", a.word(), b.word()),
                    };
                    let range = left.0.range.start..node.range.end;
                    let mut diagnostic = Diagnostic::error(Code::KindMismatch, self.expr.span_of(&range), what);
                    diagnostic.help = Some(help);
                    self.checker.out.push(diagnostic);
                }
            }
            left = right;
        }
    }
}
