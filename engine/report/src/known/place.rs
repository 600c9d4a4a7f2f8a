//! What stands for an expression whose value is not known.

use runbook_core::expr::{Expr, ExprKind, ExprNode};
use runbook_core::value::Value;

use super::{Known, service};

/// The text that stands for an expression: of a plain name what is known of it, otherwise its words in angle brackets.
pub(super) fn stands_for(known: &Known<'_>, expr: &Expr) -> String {
    of_node(known, expr, &expr.root).unwrap_or_else(|| format!("<{}>", short(expr.text.trim())))
}

fn of_node(known: &Known<'_>, expr: &Expr, node: &ExprNode) -> Option<String> {
    match &node.kind {
        ExprKind::Var(_) => match expr.eval_part(node, known).ok()? {
            Value::Unknown(unknown) => Some(unknown.reason.clone()),
            value => Some(super::words(&super::show(&value))),
        },
        ExprKind::Attr(inner, name) => {
            if let Some(found) = of_any_service(known, expr, inner) {
                return text(found.field(name));
            }
            match expr.eval_part(inner, known).ok()? {
                // A part of a known whole says itself what stands for it.
                Value::Map(map) => text(map.get(name)?.clone()),
                _ => member(expr, node),
            }
        }
        ExprKind::Item(..) => of_any_service(known, expr, node).map(|entry| super::words(&super::show(&entry.field("id")))),
        // A filter that only says how a value is written.
        ExprKind::Filter(name, inner, _) if matches!(name.as_str(), "unquoted" | "shell_quote" | "string" | "int") => {
            of_node(known, expr, inner)
        }
        ExprKind::Filter(name, inner, args) if matches!(name.as_str(), "default" | "d") => {
            or_else(known, expr, inner, args.positional.first())
        }
        _ => None,
    }
}

/// `<tag, or all>` for `params.tag | default('all')`, where the parameter may be left out.
fn or_else(known: &Known<'_>, expr: &Expr, node: &ExprNode, other: Option<&ExprNode>) -> Option<String> {
    let path = node.dotted()?;
    let ["params", name] = path.as_slice() else { return None };
    let own = of_node(known, expr, node)?;
    let other = match other.filter(|_| known.may_lack(name)) {
        Some(other) => super::words(&super::show(&expr.eval_part(other, known).ok()?)).replace(['<', '>'], ""),
        None => String::new(),
    };
    let Some(bare) = own.strip_prefix('<').and_then(|o| o.strip_suffix('>')) else { return Some(own) };
    Some(if other.trim().is_empty() { own } else { format!("<{bare}{OR}{}>", short(&other)) })
}

/// What stands between a parameter and what is taken where it was left out.
pub(crate) const OR: &str = ", or ";

fn text(value: Value) -> Option<String> {
    (!value.is_null()).then(|| super::words(&super::show(&value)))
}

/// The entry of `services[x]` where it is not known which.
fn of_any_service(known: &Known<'_>, expr: &Expr, node: &ExprNode) -> Option<Value> {
    let ExprKind::Item(root, key) = &node.kind else { return None };
    if !matches!(&root.kind, ExprKind::Var(name) if name == "services") {
        return None;
    }
    match expr.eval_part(key, known).ok()? {
        Value::Unknown(unknown) => Some(service::any(known, &unknown.reason)),
        _ => None,
    }
}

/// `<pid of start>` for `steps.start.pid`, `<port of item>` for `item.port`.
fn member(expr: &Expr, node: &ExprNode) -> Option<String> {
    let path = node.dotted()?;
    match path.as_slice() {
        ["steps", id] => Some(format!("<result of {id}>")),
        ["steps", id, field] => Some(format!("<{field} of {id}>")),
        [name, field] => Some(format!("<{field} of {name}>")),
        _ => Some(format!("<{}>", short(expr.text_of(&node.range)))),
    }
}

/// A long expression is cut: it stands in the middle of a command.
fn short(text: &str) -> String {
    const MOST: usize = 60;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MOST { line } else { line.chars().take(MOST - 3).collect::<String>() + "..." }
}
