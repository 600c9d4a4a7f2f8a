//! Results of steps that may not have run where they are used: under a condition, in a `rescue`, or behind a failure that was rescued.
//!
//! The fields of such a result are null. Whoever looks first, by the same condition, by the step's outcome, or with a default, is not warned.
//! Nor is what stands in `always` and in the `rescue` of the same block: there one knows that not all has run.

use std::ops::Range;

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::expr::{Compare, Expr, ExprKind, ExprNode};
use runbook_core::model::{Body, Step};
use runbook_core::span::Span;

use super::expr::Checker;
use super::names::RESERVED;
use crate::walk;

/// Why a step may not have run.
#[derive(Clone, Copy)]
pub(crate) enum Cond<'a> {
    /// The step, or one around it, has a `when`.
    When(&'a Step),
    /// It stands in the `rescue` of this block.
    Rescue(&'a Step),
    /// It stands in this block, which goes on when one of its steps has failed.
    Rescued(&'a Step),
}

/// Calls `f` for every step inside, with the conditions under which each runs.
pub(crate) fn each_condition<'a>(steps: &'a [Step], conds: &mut Vec<Cond<'a>>, f: &mut dyn FnMut(&'a Step, &[Cond<'a>])) {
    for step in steps {
        let depth = conds.len();
        if step.when.is_some() {
            conds.push(Cond::When(step));
        }
        f(step, conds);
        match &step.body {
            Body::Block(block) => {
                let inner = conds.len();
                if !block.rescue.is_empty() && !super::flow::ends(&block.rescue) {
                    conds.push(Cond::Rescued(step));
                }
                each_condition(&block.steps, conds, f);
                conds.truncate(inner);
                conds.push(Cond::Rescue(step));
                each_condition(&block.rescue, conds, f);
                conds.truncate(inner);
                each_condition(&block.always, conds, f);
            }
            Body::Parallel(children) => each_condition(children, conds, f),
            _ => {}
        }
        each_condition(&step.undo, conds, f);
        each_condition(&step.verify, conds, f);
        conds.truncate(depth);
    }
}

/// A use of something that may not be there.
struct Use {
    name: String,
    /// The field of a step's result; none for a variable.
    field: Option<String>,
    range: Range<u32>,
    /// Conditions that hold there, by the expression itself.
    held: Vec<String>,
}

/// `steps.<id>.<field>` or `steps['id']['field']`.
fn step_field(node: &ExprNode) -> Option<(&str, &str)> {
    fn member(node: &ExprNode) -> Option<(&ExprNode, &str)> {
        match &node.kind {
            ExprKind::Attr(inner, name) => Some((inner, name)),
            ExprKind::Item(inner, index) => match &index.kind {
                ExprKind::Const(value) => Some((inner, value.as_str()?)),
                _ => None,
            },
            _ => None,
        }
    }
    let (inner, field) = member(node)?;
    let (root, id) = member(inner)?;
    matches!(&root.kind, ExprKind::Var(name) if name == "steps").then_some((id, field))
}

/// The steps and variables that a node mentions.
fn mentioned(node: &ExprNode) -> Vec<String> {
    let mut out = Vec::new();
    node.walk(&mut |n| match &n.kind {
        ExprKind::Var(name) => out.push(name.clone()),
        _ => out.extend(step_field(n).map(|(id, _)| format!("steps.{id}"))),
    });
    out
}

/// Whether a comparison can look at null: all but the ordering ones.
fn takes_null(rest: &[(Compare, ExprNode)]) -> bool {
    rest.iter().all(|(op, _)| matches!(op, Compare::Eq | Compare::Ne))
}

/// Collects what is used without having been looked at before, inside the expression itself.
fn uses(expr: &Expr, node: &ExprNode, guards: &[String], held: &[String], out: &mut Vec<Use>) {
    let with = |more: Vec<String>| [guards, &more].concat();
    if let Some((id, field)) = step_field(node) {
        let looks = RESERVED.contains(&field) && field != "answer";
        if !looks && !guards.iter().any(|g| g.strip_prefix("steps.") == Some(id)) {
            out.push(Use { name: id.to_owned(), field: Some(field.to_owned()), range: node.range.clone(), held: held.to_vec() });
        }
        return;
    }
    match &node.kind {
        ExprKind::Var(name) if !guards.contains(name) => {
            out.push(Use { name: name.clone(), field: None, range: node.range.clone(), held: held.to_vec() });
        }
        ExprKind::And(a, b) => {
            uses(expr, a, guards, held, out);
            uses(expr, b, &with(mentioned(a)), &[held, &parts_of(expr, a)].concat(), out);
        }
        ExprKind::Or(a, b) => {
            uses(expr, a, guards, held, out);
            uses(expr, b, &with(mentioned(a)), held, out);
        }
        ExprKind::If(test, yes, no) => {
            truth(expr, test, guards, held, out);
            let guards = with(mentioned(test));
            uses(expr, yes, &guards, &[held, &parts_of(expr, test)].concat(), out);
            let otherwise = [held, &[negation(expr.text_of(&test.range))]].concat();
            no.iter().for_each(|no| uses(expr, no, &guards, &otherwise, out));
        }
        ExprKind::Test(_, inner, args) => {
            uses(expr, inner, &with(mentioned(inner)), held, out);
            args.positional.iter().for_each(|a| uses(expr, a, guards, held, out));
        }
        ExprKind::Filter(name, inner, args) => {
            let guarded = matches!(name.as_str(), "default" | "d");
            uses(expr, inner, &if guarded { with(mentioned(inner)) } else { guards.to_vec() }, held, out);
            args.positional.iter().chain(args.named.iter().map(|(_, v)| v)).for_each(|a| uses(expr, a, guards, held, out));
        }
        ExprKind::Compare(first, rest) if takes_null(rest) => {
            for operand in std::iter::once(&**first).chain(rest.iter().map(|(_, n)| n)) {
                // Null is equal to nothing else; a variable that was never set is still an error.
                let seen = step_field(operand).map(|(id, _)| format!("steps.{id}"));
                uses(expr, operand, &with(seen.into_iter().collect()), held, out);
            }
        }
        _ => node.children().into_iter().for_each(|child| uses(expr, child, guards, held, out)),
    }
}

/// As [`uses`], of something of which only matters whether it holds: the null of a step that has not run does not.
fn truth(expr: &Expr, node: &ExprNode, guards: &[String], held: &[String], out: &mut Vec<Use>) {
    let with = |more: Vec<String>| [guards, &more].concat();
    match &node.kind {
        _ if step_field(node).is_some() => {}
        ExprKind::Not(inner) => truth(expr, inner, guards, held, out),
        ExprKind::And(a, b) => {
            truth(expr, a, guards, held, out);
            truth(expr, b, &with(mentioned(a)), &[held, &parts_of(expr, a)].concat(), out);
        }
        ExprKind::Or(a, b) => {
            truth(expr, a, guards, held, out);
            truth(expr, b, &with(mentioned(a)), held, out);
        }
        _ => uses(expr, node, guards, held, out),
    }
}

/// The conditions that hold when this one does.
fn parts_of(expr: &Expr, node: &ExprNode) -> Vec<String> {
    let mut parts = Vec::new();
    conjuncts(expr, node, &mut parts);
    parts.into_iter().map(str::to_owned).collect()
}

/// What holds where a condition does not.
fn negation(text: &str) -> String {
    match text.trim().strip_prefix("not ") {
        Some(rest) => rest.trim().to_owned(),
        None => format!("not {}", text.trim()),
    }
}

/// What holds behind a step that ends the list when this holds.
pub(crate) fn negated(when: &Expr) -> String {
    negation(&when.text)
}

/// The parts of a condition that all hold when it does.
fn conjuncts<'n>(expr: &'n Expr, node: &'n ExprNode, out: &mut Vec<&'n str>) {
    out.push(expr.text_of(&node.range));
    if let ExprKind::And(a, b) = &node.kind {
        conjuncts(expr, a, out);
        conjuncts(expr, b, out);
    }
}

impl<'a> Checker<'a, '_> {
    /// Warns about what an expression uses although it may not be there.
    pub(crate) fn may_be_missing(&mut self, expr: &Expr) {
        if self.scope.nothing_is_conditional() {
            return;
        }
        let mut found = Vec::new();
        let look = if self.in_condition { truth } else { uses };
        look(expr, &expr.root, &[], &[], &mut found);
        let mut told: Vec<String> = Vec::new();
        for one in found {
            if told.contains(&one.name) {
                continue;
            }
            let Some((place, why)) = self.missing(&one) else { continue };
            told.push(one.name.clone());
            let span = expr.span_of(&one.range);
            let (message, help) = match &one.field {
                Some(_) => (
                    format!("the step `{}` may not have run here, and then this is null", one.name),
                    format!(
                        "ask first, such as `when: steps.{0}.outcome == 'ok'`, or give another value: `| default(...)`",
                        one.name
                    ),
                ),
                None => (
                    format!("`{}` may not have been set here", one.name),
                    format!("set it before, without a condition, or ask first: `{} is defined`", one.name),
                ),
            };
            self.out.push(Diagnostic::warning(Code::MayNotRun, span, message).also(place, why).help(help));
        }
    }

    /// Why something may not be there at this place.
    fn missing(&self, one: &Use) -> Option<(Span, &'static str)> {
        let around = self.conditions_around();
        if one.field.is_none() {
            let when = self.scope.maybe_set(&one.name)?;
            let known = self.known.iter().chain(&one.held).any(|known| known == when.text.trim());
            let guarded = known || around.iter().any(|e| self.holds(e, when) || mentioned(&e.root).contains(&one.name));
            return (!guarded).then_some((when.span, "it is set only if this holds"));
        }
        let id = format!("steps.{}", one.name);
        if around.iter().any(|e| mentioned(&e.root).contains(&id)) {
            return None;
        }
        let inside = |step: &Step| self.scope.inside.iter().any(|s| std::ptr::eq(*s, step));
        self.scope.conditions(&one.name).iter().find_map(|cond| match cond {
            Cond::When(step) if !inside(step) => {
                let when = step.when.as_ref()?;
                let wanted = when.text.trim();
                let holds =
                    around.iter().any(|e| self.holds(e, when)) || self.known.iter().chain(&one.held).any(|known| known == wanted);
                (!holds).then_some((when.span, "it runs only if this holds"))
            }
            Cond::Rescue(block) if !inside(block) => Some((block.body_span, "it runs only if a step of this block failed")),
            Cond::Rescued(block) if !inside(block) => {
                Some((block.body_span, "this block goes on when one of its steps has failed"))
            }
            _ => None,
        })
    }

    /// The conditions of the steps around the place; its own only once that has been evaluated.
    fn conditions_around(&self) -> Vec<&'a Expr> {
        let own = usize::from(self.in_when);
        let around = self.scope.inside.len().saturating_sub(own);
        self.scope.inside[..around].iter().filter_map(|s| s.when.as_ref()).collect()
    }

    /// Whether a condition that holds says that another one does.
    fn holds(&self, known: &Expr, wanted: &Expr) -> bool {
        let mut parts = Vec::new();
        conjuncts(known, &known.root, &mut parts);
        parts.contains(&wanted.text.trim())
    }
}

/// Every step with an id below some steps, with the conditions under which it runs.
pub(crate) fn conditions<'a>(lists: &[&'a [Step]]) -> std::collections::HashMap<&'a str, Vec<Cond<'a>>> {
    let mut out = std::collections::HashMap::new();
    for list in lists {
        each_condition(list, &mut Vec::new(), &mut |step, conds| {
            if let Some(id) = &step.id
                && !conds.is_empty()
            {
                out.entry(id.value.as_str()).or_insert_with(|| conds.to_vec());
            }
        });
    }
    out
}

/// Whether a list of steps has any condition at all.
pub(crate) fn any(lists: &[&[Step]]) -> bool {
    let mut any = false;
    for list in lists {
        walk::each_step(list, &mut |s| {
            any |= s.when.is_some() || matches!(&s.body, Body::Block(b) if !b.rescue.is_empty());
        });
    }
    any
}
