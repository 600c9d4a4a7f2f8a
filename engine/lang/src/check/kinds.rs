//! Kinds of values: what filters and operators give, and what can be compared.

use runbook_core::expr::Operator;
use runbook_core::expr::{Expr, ExprKind, ExprNode};

use super::ty::{Kind, Ty};

/// How two values are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// `==`, `!=`
    Equal,
    /// `<` and its like
    Order,
    /// `in`
    Within,
}

/// What a filter gives.
pub(crate) fn of_filter(name: &str, input: Ty<'_>) -> Ty<'static> {
    let kind = match name {
        "int" | "float" | "length" | "count" | "round" => Kind::Number,
        "string" | "upper" | "lower" | "trim" | "title" | "capitalize" | "join" | "replace" | "basename" | "dirname"
        | "sha256" | "b64encode" | "b64decode" | "shell_quote" | "sql_quote" | "sql_ident" | "tojson" | "urlencode" | "date"
        | "regex_replace" => Kind::Str,
        "bool" | "regex_match" => Kind::Bool,
        "duration" => Kind::Duration,
        "size" => Kind::Size,
        "time" | "ago" => Kind::Time,
        "keys" | "values" | "items" | "list" | "lines" | "split" | "map" | "select" | "reject" | "selectattr" | "rejectattr"
        | "unique" | "sort" | "natural_sort" | "zip" | "jsonpath" | "regex_find_all" | "version" => Kind::List,
        "starts_with" | "ends_with" | "containing" if input.kind() == Some(Kind::Str) => Kind::Bool,
        "groupby" | "dictsort" => Kind::Map,
        "abs" => match input.kind() {
            Some(kind @ (Kind::Number | Kind::Duration)) => kind,
            _ => return Ty::Any,
        },
        _ => return Ty::Any,
    };
    Ty::Kind(kind)
}

/// What an operator gives, where that is certain.
pub(crate) fn of_operator(op: Operator, a: Option<Kind>, b: Option<Kind>) -> Ty<'static> {
    match (op, a, b) {
        (Operator::Concat, ..) => Ty::Kind(Kind::Str),
        (_, Some(Kind::Number), Some(Kind::Number)) => Ty::Kind(Kind::Number),
        (Operator::Sub, Some(Kind::Time), Some(Kind::Time)) => Ty::Kind(Kind::Duration),
        (Operator::Add | Operator::Sub, Some(Kind::Time), Some(Kind::Duration)) => Ty::Kind(Kind::Time),
        (Operator::Add | Operator::Sub, Some(Kind::Duration), Some(Kind::Duration)) => Ty::Kind(Kind::Duration),
        _ => Ty::Any,
    }
}

/// What to do about two kinds that cannot be held against each other; `None` if they can.
pub(crate) fn disagree(sort: Sort, a: Kind, b: Kind, nodes: (&ExprNode, &ExprNode), expr: &Expr) -> Option<String> {
    let fits = match sort {
        Sort::Equal => a == b || a == Kind::Null || b == Kind::Null,
        Sort::Order => a == b && !matches!(a, Kind::Null | Kind::Bool | Kind::Map),
        Sort::Within => match b {
            Kind::List => true,
            Kind::Map | Kind::Str => a == Kind::Str,
            _ => false,
        },
    };
    if fits {
        return None;
    }
    let text = |node: &ExprNode| expr.text_of(&node.range).to_owned();
    Some(match sort {
        Sort::Within => "the right side of `in` is a list, a map's keys or a text".to_owned(),
        Sort::Order if a == b => "compare with `==`".to_owned(),
        Sort::Order if a == Kind::Null || b == Kind::Null => "compare with `==`; null has no order".to_owned(),
        _ => {
            for (node, of, other, kind) in [(nodes.0, a, nodes.1, b), (nodes.1, b, nodes.0, a)] {
                if of != Kind::Str {
                    continue;
                }
                if let ExprKind::Const(value) = &node.kind {
                    // `'200'` where a number is meant.
                    let bare = value.to_string();
                    let number = kind == Kind::Number && bare.parse::<f64>().is_ok();
                    let duration = kind == Kind::Duration && runbook_core::value::parse_duration(&bare).is_some();
                    let size = kind == Kind::Size && runbook_core::value::parse_size(&bare).is_some();
                    let boolean = kind == Kind::Bool && matches!(bare.as_str(), "true" | "false");
                    if number || duration || size || boolean {
                        return Some(format!("leave the quotes out: `{bare}`"));
                    }
                    return Some(format!("`{}` is {}", text(other), kind.word()));
                }
                // The outcome of a step is a word, and none of them is true.
                if kind == Kind::Bool && matches!(&node.kind, ExprKind::Attr(_, name) if name == "outcome") {
                    return Some(format!("compare it with a word: `{} == 'ok'`", text(node)));
                }
                let filter = match kind {
                    Kind::Number => "int",
                    Kind::Duration => "duration",
                    Kind::Size => "size",
                    Kind::Time => "time",
                    Kind::Bool => "bool",
                    _ => break,
                };
                return Some(format!("convert it: `{} | {filter}`", text(node)));
            }
            match (a, b) {
                (Kind::Duration, Kind::Number) | (Kind::Number, Kind::Duration) => {
                    "give the number a unit: `5s`, `10m`".to_owned()
                }
                (Kind::Size, Kind::Number) | (Kind::Number, Kind::Size) => "give the number a unit: `10MB`, `1GiB`".to_owned(),
                _ => "compare values of one kind".to_owned(),
            }
        }
    })
}
