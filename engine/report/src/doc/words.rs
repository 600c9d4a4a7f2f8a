//! Conditions and expectations in words, as Markdown.

use runbook_core::expr::{Compare, Expr, ExprKind, ExprNode};
use runbook_core::model::{Arg, ArgKind};
use runbook_core::module::Entry;
use runbook_core::value::Value;

use super::{Doc, md};
use crate::human;
use crate::known::{Known, words};

impl Doc<'_> {
    /// A condition in words, where there are some: "`keep` is more than `2`"; otherwise as it is written.
    pub(super) fn condition(&self, expr: &Expr, known: &Known<'_>) -> String {
        self.phrase(expr, &expr.root, known)
            .unwrap_or_else(|| format!("{} holds{}", md::code(&filled(expr, &expr.root, known)), self.speaks_of(expr)))
    }

    /// How a value comes about, where it hangs on conditions: "`short` if `json.count` is less than `100`; otherwise `long`";
    /// otherwise as it is written.
    pub(super) fn derived(&self, expr: &Expr, known: &Known<'_>) -> String {
        self.choice(expr, &expr.root, known)
            .unwrap_or_else(|| format!("{}{}", md::code(&filled(expr, &expr.root, known)), self.speaks_of(expr)))
    }

    /// The branches of `a if b else c`, if their conditions can be put in words.
    fn choice(&self, expr: &Expr, node: &ExprNode, known: &Known<'_>) -> Option<String> {
        let value = |n: &ExprNode| match &n.kind {
            ExprKind::Const(value) => md::code(&words(value)),
            _ => md::code(&filled(expr, n, known)),
        };
        let mut branches = Vec::new();
        let mut rest = node;
        while let ExprKind::If(condition, then, otherwise) = &rest.kind {
            branches.push(format!("{} if {}", value(then), self.phrase(expr, condition, known)?));
            rest = otherwise.as_deref()?;
        }
        (!branches.is_empty()).then(|| format!("{}; otherwise {}", branches.join("; else "), value(rest)))
    }

    fn phrase(&self, expr: &Expr, node: &ExprNode, known: &Known<'_>) -> Option<String> {
        let operand = |n: &ExprNode| self.operand(expr, n, known);
        match &node.kind {
            // By hand it is never a dry run.
            ExprKind::And(a, b) if is_no_dry_run(a) => self.phrase(expr, b, known),
            ExprKind::And(a, b) if is_no_dry_run(b) => self.phrase(expr, a, known),
            ExprKind::And(a, b) => self.joined(expr, [a, b], "and", known),
            ExprKind::Or(a, b) => self.joined(expr, [a, b], "or", known),
            ExprKind::Test(test, param, _) if test == "none" => Some(format!("{} is not given", parameter(param)?)),
            ExprKind::Not(inner) => match &inner.kind {
                ExprKind::Test(test, param, _) if test == "none" => Some(format!("{} is given", parameter(param)?)),
                ExprKind::Var(name) if name == "findings" => Some("nothing was found so far".to_owned()),
                ExprKind::Var(name) if yes_no(name).is_some() => yes_no(name).map(|(_, no)| no.to_owned()),
                ExprKind::Var(_) | ExprKind::Attr(..) => Some(format!("{} is not true", flag(expr, inner))),
                // `not (a in b)` is how `a not in b` is read.
                ExprKind::Compare(left, rest) => match rest.as_slice() {
                    [(Compare::In, right)] => {
                        let rest = vec![(Compare::NotIn, right.clone())];
                        let kind = ExprKind::Compare(left.clone(), rest);
                        self.phrase(expr, &ExprNode { kind, range: inner.range.clone() }, known)
                    }
                    _ => None,
                },
                _ => None,
            },
            ExprKind::Var(name) if name == "findings" => Some("something was found".to_owned()),
            ExprKind::Var(name) if yes_no(name).is_some() => yes_no(name).map(|(yes, _)| yes.to_owned()),
            ExprKind::Var(_) | ExprKind::Attr(..) => Some(format!("{} is true{}", flag(expr, node), self.whose(node))),
            ExprKind::Compare(left, rest) => {
                let [(op, right)] = rest.as_slice() else { return None };
                if let Some(phrase) = self.outcome(left, *op, right) {
                    return Some(phrase);
                }
                if let (ExprKind::Var(name), ExprKind::Const(found)) = (&right.kind, &left.kind)
                    && name == "findings"
                {
                    let not = if *op == Compare::NotIn { "not " } else { "" };
                    return Some(format!("{} was {not}found", md::code(&found.to_string())));
                }
                if let (ExprKind::Const(Value::Null), Compare::Eq | Compare::Ne) = (&right.kind, op) {
                    if let Some(param) = parameter(left) {
                        return Some(format!("{param} is {}given", if *op == Compare::Eq { "not " } else { "" }));
                    }
                    let is = if *op == Compare::Eq { "there is no" } else { "there is a value for" };
                    return Some(format!("{is} {}", operand(left)?));
                }
                let is = match op {
                    Compare::Eq => "is",
                    Compare::Ne => "is not",
                    Compare::Lt => "is less than",
                    Compare::Le => "is at most",
                    Compare::Gt => "is more than",
                    Compare::Ge => "is at least",
                    Compare::In => "is in",
                    Compare::NotIn => "is not in",
                };
                Some(format!("{} {is} {}", operand(left)?, operand(right)?))
            }
            _ => None,
        }
    }

    /// Two conditions; mixed ones would need parentheses.
    fn joined(&self, expr: &Expr, parts: [&ExprNode; 2], word: &str, known: &Known<'_>) -> Option<String> {
        let is_other = |n: &ExprNode| match &n.kind {
            ExprKind::And(..) => word == "or",
            ExprKind::Or(..) => word == "and",
            _ => false,
        };
        if parts.into_iter().any(is_other) {
            return None;
        }
        let [a, b] = parts;
        Some(format!("{} {word} {}", self.phrase(expr, a, known)?, self.phrase(expr, b, known)?))
    }

    /// "step 2 changed something", of `steps.ID.outcome == 'changed'`.
    fn outcome(&self, left: &ExprNode, op: Compare, right: &ExprNode) -> Option<String> {
        let path = left.dotted()?;
        let (["steps", id, "outcome"], ExprKind::Const(value)) = (path.as_slice(), &right.kind) else { return None };
        let step = self.step_link(id)?;
        let value = value.to_string();
        Some(match (op, value.as_str()) {
            (Compare::Eq, "changed") => format!("{step} changed something"),
            (Compare::Ne, "changed") => format!("{step} changed nothing"),
            (Compare::Eq, "ok") => format!("{step} went well and changed nothing"),
            (Compare::Eq, "failed") => format!("{step} failed"),
            (Compare::Ne, "failed") => format!("{step} did not fail"),
            (Compare::Eq, "skipped") => format!("{step} was left out"),
            (Compare::Ne, "skipped") => format!("{step} was not left out"),
            _ => return None,
        })
    }

    fn operand(&self, expr: &Expr, node: &ExprNode, known: &Known<'_>) -> Option<String> {
        let path = node.dotted();
        Some(match (&node.kind, path.as_deref()) {
            (ExprKind::Const(value), _) => md::code(&words(value)),
            (_, Some(["params", name])) => md::code(&match known.param(name) {
                value if value.is_null() || value.is_unknown() => format!("<{name}>"),
                value => words(&value),
            }),
            (_, Some(["steps", _, field])) => format!("{}{}", md::code(field), self.whose(node)),
            (_, Some(["params" | "steps", ..])) => md::code(expr.text_of(&node.range)),
            // A value of the system or playbook is told; a field of the result is what is asked about.
            (ExprKind::Attr(..) | ExprKind::Item(..), _) => match known.part(expr, node) {
                Some(value) => md::code(&words(&value)),
                None => md::code(expr.text_of(&node.range)),
            },
            (
                ExprKind::Var(_)
                | ExprKind::Filter(..)
                | ExprKind::Call(..)
                | ExprKind::Binary(..)
                | ExprKind::Neg(_)
                | ExprKind::List(_),
                _,
            ) => format!("{}{}", md::code(expr.text_of(&node.range)), ""),
            _ => return None,
        })
    }

    /// " of step 2", if a node speaks of a step's result.
    fn whose(&self, node: &ExprNode) -> String {
        match node.dotted().as_deref() {
            Some(["steps", id, ..]) => self.step_link(id).map(|s| format!(" of {s}")).unwrap_or_default(),
            _ => String::new(),
        }
    }

    /// Which steps an expression speaks of, to be put behind it.
    pub(super) fn speaks_of(&self, expr: &Expr) -> String {
        let mut ids: Vec<&str> = Vec::new();
        expr.root.walk(&mut |node| {
            if let ExprKind::Attr(inner, id) = &node.kind
                && matches!(&inner.kind, ExprKind::Var(name) if name == "steps")
                && !ids.contains(&id.as_str())
            {
                ids.push(id);
            }
        });
        let all: Vec<String> = ids
            .into_iter()
            .filter_map(|id| Some(format!("{} is {}", md::code(&format!("steps.{id}")), self.step_link(id)?)))
            .collect();
        if all.is_empty() { String::new() } else { format!(" ({})", human::and_list(&all)) }
    }

    /// A link to a step by its id.
    pub(super) fn step_link(&self, id: &str) -> Option<String> {
        let named = self.steps.get(id)?;
        Some(format!("[{} {}](#{})", named.kind, named.number, self.at(&named.number)))
    }

    /// A value as it is put into text, as code.
    pub(super) fn value(&self, known: &Known<'_>, arg: &Arg) -> String {
        let text = known.line(arg);
        let speaks: String = match &arg.kind {
            ArgKind::Template(t) => t.exprs().map(|e| self.speaks_of(e)).filter(|s| !s.is_empty()).take(1).collect(),
            _ => String::new(),
        };
        format!("{}{speaks}", md::code(&text))
    }
}

fn yes_no(name: &str) -> Option<(&'static str, &'static str)> {
    YES_NO.iter().find(|(field, ..)| *field == name).map(|(_, yes, no)| (*yes, *no))
}

fn is_no_dry_run(node: &ExprNode) -> bool {
    matches!(&node.kind, ExprKind::Not(inner) if inner.dotted().as_deref() == Some(&["run", "dry_run"]))
}

/// A parameter by what stands for it: `<tag>`.
fn parameter(node: &ExprNode) -> Option<String> {
    match node.dotted()?.as_slice() {
        ["params", name] => Some(md::code(&format!("<{name}>"))),
        _ => None,
    }
}

/// A flag as it is called: a parameter by its name.
fn flag(expr: &Expr, node: &ExprNode) -> String {
    match node.dotted().as_deref() {
        Some(["params", name]) => md::code(name),
        Some(["steps", _, field]) => md::code(field),
        _ => md::code(expr.text_of(&node.range)),
    }
}

/// A part of an expression as it is written, with the values of the system or playbook in place of their names.
fn filled(expr: &Expr, node: &ExprNode, known: &Known<'_>) -> String {
    let mut found: Vec<(usize, usize, String)> = Vec::new();
    node.walk(&mut |part| {
        let (start, end) = (part.range.start as usize, part.range.end as usize);
        let is_inside = found.iter().any(|(from, to, _)| *from <= start && end <= *to);
        if matches!(part.kind, ExprKind::Attr(..) | ExprKind::Item(..))
            && !is_inside
            // A parameter is told by its name: its value here is only one of several.
            && part.dotted().is_none_or(|path| path.first() != Some(&"params"))
            && let Some(value) = known.part(expr, part)
        {
            let text = match value.bare() {
                Value::Null | Value::List(_) | Value::Map(_) => return,
                Value::Str(text) => format!("'{text}'"),
                other => other.to_string(),
            };
            found.push((start, end, text));
        }
    });
    found.sort_by_key(|(start, ..)| *start);
    let mut out = String::new();
    let mut at = node.range.start as usize;
    for (start, end, text) in found {
        out.push_str(expr.text.get(at..start).unwrap_or_default());
        out.push_str(&text);
        at = end;
    }
    out.push_str(expr.text.get(at..node.range.end as usize).unwrap_or_default());
    out.trim().to_owned()
}

/// Fields that are true or false, in words.
const YES_NO: [(&str, &str, &str); 5] = [
    ("exists", "it is there", "it is not there"),
    ("listening", "somebody listens", "nobody listens"),
    ("free", "nobody listens", "somebody listens"),
    ("open", "it is open", "it is not open"),
    ("alive", "a process is found", "no process is found"),
];

/// Fields whose names say enough.
const PLAIN: [&str; 9] = ["status", "exit_code", "stdout", "stderr", "exists", "json", "body", "headers", "lines"];

/// The names that expressions speak of.
pub(super) fn names<'e>(exprs: impl Iterator<Item = &'e Expr>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for expr in exprs {
        expr.root.walk(&mut |node| {
            if let ExprKind::Var(name) = &node.kind
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        });
    }
    names
}

/// What the fields mean that expressions speak of: "`free`: what ordinary users can still write".
pub(super) fn fields<'e>(entry: &Entry, exprs: impl Iterator<Item = &'e Expr>) -> Vec<String> {
    let names = names(exprs);
    let about = |name: &String| {
        let text = entry.result_schema["properties"][name]["description"].as_str()?;
        let sentence = text.lines().next().unwrap_or_default().split("; null").next().unwrap_or_default();
        let sentence = sentence.split(". ").next().unwrap_or_default().trim_end_matches('.');
        // "The size", of `size`.
        let says_nothing = sentence.to_lowercase().trim_start_matches("the ") == name.as_str();
        (!says_nothing).then(|| format!("{}: {}", md::code(name), md::line(&uncapital(sentence))))
    };
    let is_plain = |name: &&String| PLAIN.contains(&name.as_str()) || YES_NO.iter().any(|(field, ..)| field == name);
    names.iter().filter(|n| !is_plain(n)).filter_map(about).collect()
}

/// A sentence in the middle of another.
pub(super) fn uncapital(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// A sentence that begins one.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}
