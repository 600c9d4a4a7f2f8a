//! What is known of an expression before anything runs: conditions that are always the same, values that a comparison never meets, and
//! parts that can be evaluated now and fail.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::expr::{Arguments, Compare, Expr, ExprKind, ExprNode, MapScope, Operator};
use runbook_core::model::{Arg, ArgKind, Param};
use runbook_core::suggest::nearest;
use runbook_core::value::{Value, equal};

use super::expr::{Checker, Own, Visit};
use super::ty::{Kind, Ty};

/// The outcomes of a step.
const OUTCOMES: &[&str] = &["ok", "changed", "failed", "skipped", "unknown"];

/// Whether the value of a node depends on nothing.
fn constant(node: &ExprNode) -> bool {
    let mut constant = true;
    node.walk(&mut |n| constant &= !matches!(n.kind, ExprKind::Var(_) | ExprKind::Call(..)));
    constant
}

/// The value of a constant part of an expression, or why it has none.
fn value(expr: &Expr, node: &ExprNode) -> Result<Value, runbook_core::expr::EvalError> {
    let scope = MapScope { map: std::sync::Arc::default(), now: jiff::Timestamp::UNIX_EPOCH };
    let mut part = expr.clone();
    part.root = node.clone();
    part.eval(&scope)
}

/// The parts of a chain of `and` (or of `or`), from left to right.
fn operands(node: &ExprNode, of_and: bool) -> Vec<&ExprNode> {
    let mut out = Vec::new();
    let mut at = node;
    loop {
        match &at.kind {
            ExprKind::And(a, b) if of_and => {
                out.push(&**b);
                at = a;
            }
            ExprKind::Or(a, b) if !of_and => {
                out.push(&**b);
                at = a;
            }
            _ => {
                out.push(at);
                out.reverse();
                return out;
            }
        }
    }
}

/// `left OP right` of two operands.
fn simple(node: &ExprNode) -> Option<(&ExprNode, Compare, &ExprNode)> {
    match &node.kind {
        ExprKind::Compare(left, rest) => match rest.as_slice() {
            [(op, right)] => Some((left, *op, right)),
            _ => None,
        },
        _ => None,
    }
}

impl<'a> Checker<'a, '_> {
    /// Checks a condition, and warns if it is always the same. `what` is the key that it stands under.
    ///
    /// A plain `expect: true` is how one says that any result will do, so nothing is said of it.
    pub(crate) fn condition(&mut self, expr: &Expr, own: Option<&Own<'a>>, what: &str) {
        self.in_condition = true;
        self.expr(expr, own);
        self.in_condition = false;
        let any_result = what == "expect" && matches!(expr.root.kind, ExprKind::Const(Value::Bool(true)));
        if constant(&expr.root) && !any_result {
            let Ok(value) = value(expr, &expr.root) else { return };
            let Some(truth) = value.truth() else { return };
            let (message, help) = match &value {
                Value::Str(text) if !text.is_empty() => (
                    format!("a text that is not empty counts as true, so this `{what}` always holds"),
                    "compare it with something, or write `true` or `false` without quotes".to_owned(),
                ),
                _ => (
                    format!("this `{what}` depends on nothing, so it is always {truth}"),
                    "take it out, or name what it should depend on, such as `params.NAME`".to_owned(),
                ),
            };
            self.out.push(Diagnostic::warning(Code::AlwaysTrue, expr.span, message).help(help));
        }
    }
}

impl<'a> Visit<'_, 'a, '_> {
    fn warn(&mut self, node: &ExprNode, message: String, help: String) {
        let span = self.expr.span_of(&node.range);
        self.checker.out.push(Diagnostic::warning(Code::AlwaysTrue, span, message).help(help));
    }

    /// Warns about operands of `and` and `or` that decide, or mean, nothing.
    ///
    /// As a value, `a or 'none'` means something: it is what one writes for a default.
    pub(super) fn logic(&mut self, node: &ExprNode) {
        if !self.checker.in_condition {
            return;
        }
        let of_and = matches!(node.kind, ExprKind::And(..));
        let word = if of_and { "and" } else { "or" };
        let parts = operands(node, of_and);
        // The leftmost one is reached by no other way.
        if let Some(first) = parts.first().filter(|p| matches!(p.kind, ExprKind::And(..) | ExprKind::Or(..))) {
            self.logic(first);
        }
        for (i, part) in parts.iter().enumerate() {
            if !constant(part) {
                continue;
            }
            let Some(truth) = value(self.expr, part).ok().and_then(|v| v.truth()) else { continue };
            let text = self.expr.text_of(&part.range).to_owned();
            // `status == 200 or 301` is the usual slip.
            let before =
                i.checked_sub(1).and_then(|i| simple(parts[i])).filter(|(_, op, _)| matches!(op, Compare::Eq | Compare::Ne));
            let help = match before {
                Some((left, Compare::Eq, right)) if !of_and => {
                    format!("write `{} in [{}, {text}]`", self.expr.text_of(&left.range), self.expr.text_of(&right.range))
                }
                Some((left, Compare::Ne, right)) if of_and => {
                    format!("write `{} not in [{}, {text}]`", self.expr.text_of(&left.range), self.expr.text_of(&right.range))
                }
                _ => "compare it with something, or leave it out".to_owned(),
            };
            let whole = if truth == of_and { "means nothing here" } else { "decides everything" };
            self.warn(part, format!("`{text}` beside `{word}` is always {truth}, so it {whole}"), help);
        }
        self.contradictions(&parts, of_and);
    }

    /// `a == 1 and a == 2` never holds; `a != 1 or a != 2` always does.
    fn contradictions(&mut self, parts: &[&ExprNode], of_and: bool) {
        let wanted = if of_and { Compare::Eq } else { Compare::Ne };
        let mut seen: Vec<(&str, &Value)> = Vec::new();
        for part in parts {
            let Some((left, op, right)) = simple(part) else { continue };
            let ExprKind::Const(value) = &right.kind else { continue };
            if op != wanted {
                continue;
            }
            let text = self.expr.text_of(&left.range);
            if let Some((_, other)) = seen.iter().find(|(t, v)| *t == text && equal(v, value) == Ok(false)) {
                let (message, help) = if of_and {
                    (format!("`{text}` is never {other} and {value} at once"), format!("write `or`, or `{text} in [...]`"))
                } else {
                    (format!("`{text}` always differs from {other} or {value}"), format!("write `and`, or `{text} not in [...]`"))
                };
                self.warn(part, message, help);
                return;
            }
            seen.push((text, value));
        }
    }

    /// Warns about a comparison whose result is known: of something with itself, or with a value that it never has.
    pub(super) fn known_comparison(&mut self, left: (&ExprNode, Ty<'a>), op: Compare, right: (&ExprNode, Ty<'a>)) {
        let (a, b) = (self.expr.text_of(&left.0.range).to_owned(), self.expr.text_of(&right.0.range).to_owned());
        if a == b && !constant(left.0) && !matches!(op, Compare::In | Compare::NotIn) {
            let truth = matches!(op, Compare::Eq | Compare::Le | Compare::Ge);
            let help = "compare it with something else; a text is put in quotes".to_owned();
            self.warn(left.0, format!("`{a}` is compared with itself, so this is always {truth}"), help);
            return;
        }
        for ((node, ty), (other, _)) in [(left, right), (right, left)] {
            let Some(known) = self.known_values(node, ty) else { continue };
            let name = self.expr.text_of(&node.range).to_owned();
            let literals: Vec<&ExprNode> = match (&other.kind, op) {
                (ExprKind::Const(_), Compare::Eq | Compare::Ne) => vec![other],
                (ExprKind::List(items), Compare::In | Compare::NotIn) if std::ptr::eq(node, left.0) => items.iter().collect(),
                _ => continue,
            };
            for literal in literals {
                let ExprKind::Const(value) = &literal.kind else { continue };
                let Some(text) = value.as_str().filter(|t| !known.iter().any(|k| k == t)) else { continue };
                let help = match nearest(text, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it is one of {}", known.join(", ")),
                };
                self.warn(literal, format!("`{name}` is never `{text}`"), help);
            }
        }
    }

    /// The texts that a value can be, if they are limited.
    fn known_values(&self, node: &ExprNode, ty: Ty<'a>) -> Option<Vec<String>> {
        if let Ty::Schema(schema) = ty {
            let words: Vec<String> = schema["enum"].as_array()?.iter().filter_map(|w| w.as_str().map(str::to_owned)).collect();
            return (!words.is_empty()).then_some(words);
        }
        match node.dotted()?.as_slice() {
            ["params", name] => self.checker.scope.param(name).and_then(|(_, param)| choices(param)),
            ["steps", id, "outcome"] if self.checker.scope.ids.contains_key(id) => {
                Some(OUTCOMES.iter().map(|o| (*o).to_owned()).collect())
            }
            _ => None,
        }
    }

    /// Reports a part that can be evaluated now, and fails. Only what nothing has been said about yet.
    pub(super) fn evaluated(&mut self, node: &ExprNode, before: usize) {
        let worth = matches!(node.kind, ExprKind::Filter(..) | ExprKind::Binary(..) | ExprKind::Neg(_));
        if !worth || self.checker.out.len() > before || !constant(node) {
            return;
        }
        if let Err(error) = value(self.expr, node) {
            let filter = match &node.kind {
                ExprKind::Filter(name, ..) => name.as_str(),
                _ => "",
            };
            let (code, help) = match filter {
                "duration" => (Code::BadDuration, runbook_core::forms::DURATION),
                "size" => (Code::BadSize, runbook_core::forms::SIZE),
                "time" | "date" | "ago" => (Code::BadTime, runbook_core::forms::TIME),
                _ => (Code::KindMismatch, "this fails whenever it is evaluated: mend it"),
            };
            self.report(code, node, error.message, Some(help.to_owned()));
        }
    }

    /// Reports an operator on kinds that it does not work on: tried on a value of each kind.
    pub(super) fn adds(&mut self, node: &ExprNode, op: Operator, a: Kind, b: Kind) {
        let (Some(left), Some(right)) = (sample(a), sample(b)) else { return };
        let part = |value| Box::new(ExprNode { kind: ExprKind::Const(value), range: node.range.clone() });
        let tried = ExprNode { kind: ExprKind::Binary(op, part(left), part(right)), range: node.range.clone() };
        // What depends on nothing is evaluated as it is.
        if constant(node) {
            return;
        }
        if let Err(error) = value(self.expr, &tried) {
            let help = match (a, b) {
                (Kind::Duration | Kind::Time, Kind::Number) | (Kind::Number, Kind::Duration) => {
                    "give the number a unit: `5s`, `10m`"
                }
                (Kind::Size, Kind::Number) | (Kind::Number, Kind::Size) => "give the number a unit: `10MB`, `1GiB`",
                (Kind::Str, Kind::Number) => "make the text a number with `| int`, or join texts with `~`",
                (Kind::Number, Kind::Str) => "join texts with `~`, or make the text a number with `| int`",
                _ => "convert one of the two",
            };
            self.report(Code::KindMismatch, node, error.message, Some(help.to_owned()));
        }
    }

    /// The format of `date`, tried on a moment.
    pub(super) fn date_format(&mut self, node: &ExprNode, args: &Arguments) {
        let Some(format) = args.positional.first().filter(|f| constant(f)) else { return };
        let moment = ExprNode { kind: ExprKind::Const(Value::Time(jiff::Timestamp::UNIX_EPOCH)), range: node.range.clone() };
        let tried =
            ExprNode { kind: ExprKind::Filter("date".to_owned(), Box::new(moment), args.clone()), range: node.range.clone() };
        if let Err(error) = value(self.expr, &tried) {
            let help = "the parts are those of strftime: `%Y-%m-%d`, `%H:%M:%S`".to_owned();
            self.report(Code::BadTime, format, error.message, Some(help));
        }
    }
}

/// The texts that a parameter can be, if they are all written down.
fn choices(param: &Param) -> Option<Vec<String>> {
    let ArgKind::List(items) = &param.choices.as_ref()?.kind else { return None };
    items.iter().map(|item: &Arg| item.as_literal_str().map(str::to_owned)).collect()
}

/// A value of a kind, with which every operator works that works on the kind at all.
fn sample(kind: Kind) -> Option<Value> {
    Some(match kind {
        Kind::Null => return None,
        Kind::Bool => Value::Bool(true),
        Kind::Number => Value::Int(1),
        Kind::Str => Value::str("a"),
        Kind::Duration => Value::Duration(jiff::SignedDuration::from_secs(1)),
        Kind::Size => Value::Size(1),
        Kind::Time => Value::Time(jiff::Timestamp::UNIX_EPOCH),
        Kind::List => Value::list([]),
        Kind::Map => Value::Map(std::sync::Arc::default()),
    })
}
