//! Evaluation: a walk over the tree in which unknown and secret pass through everything.

use std::ops::Range;

use super::ast::{Arguments, Compare, ExprKind, ExprNode};
use super::{Scope, filters, functions, ops};
use crate::value::{Map, Value, compare, equal};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// The cause in plain words.
    pub message: String,
    /// The bytes in the expression's text that it is about.
    pub range: Range<u32>,
    /// Whether the cause is a name or field that does not exist.
    pub undefined: bool,
}

impl EvalError {
    pub(crate) fn new(message: impl Into<String>, range: Range<u32>) -> Self {
        EvalError { message: message.into(), range, undefined: false }
    }

    fn undefined(message: impl Into<String>, range: Range<u32>) -> Self {
        EvalError { message: message.into(), range, undefined: true }
    }
}

impl std::fmt::Display for EvalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

type Result<T> = std::result::Result<T, EvalError>;

pub(crate) struct Evaluator<'a> {
    pub(crate) scope: &'a dyn Scope,
}

impl Evaluator<'_> {
    /// The value of a node; something undefined is an error.
    pub(crate) fn eval(&self, node: &ExprNode) -> Result<Value> {
        let fail = |message: String| EvalError::new(message, node.range.clone());
        Ok(match &node.kind {
            ExprKind::Const(value) => value.clone(),
            ExprKind::Var(_) | ExprKind::Attr(..) | ExprKind::Item(..) => return self.place(node),
            ExprKind::Slice(inner, parts) => {
                let inner = self.eval(inner)?;
                let mut bounds = [None; 3];
                for (bound, part) in bounds.iter_mut().zip(parts) {
                    if let Some(part) = part {
                        let value = self.eval(part)?;
                        if value.is_unknown() {
                            return Ok(value.bare().clone());
                        }
                        *bound = Some(value.as_int().ok_or_else(|| fail("a slice needs whole numbers".into()))?);
                    }
                }
                let names = inner.secret_names().to_vec();
                ops::slice(inner.bare(), bounds).map_err(fail)?.with_secrets(&names)
            }
            ExprKind::Not(inner) => {
                let value = self.eval(inner)?;
                match value.truth() {
                    Some(truth) => Value::Bool(!truth).with_secrets(value.secret_names()),
                    None => value.bare().clone(),
                }
            }
            ExprKind::Neg(inner) => {
                let value = self.eval(inner)?;
                let negated = match value.bare() {
                    Value::Int(i) => Value::Int(i.checked_neg().ok_or_else(|| fail("the number is out of range".into()))?),
                    Value::Float(f) => Value::Float(-f),
                    Value::Duration(d) => Value::Duration(-*d),
                    Value::Unknown(_) => return Ok(value.bare().clone()),
                    other => return Err(fail(format!("`-` needs a number, found {}", other.kind()))),
                };
                negated.with_secrets(value.secret_names())
            }
            ExprKind::And(a, b) => return self.logic(a, b, false),
            ExprKind::Or(a, b) => return self.logic(a, b, true),
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                ops::lift(&[&a, &b], || ops::binary(*op, a.bare(), b.bare())).map_err(fail)?
            }
            ExprKind::Compare(first, rest) => return self.comparison(first, rest),
            ExprKind::If(test, yes, no) => {
                let test = self.eval(test)?;
                match test.truth() {
                    None => test.bare().clone(),
                    Some(true) => self.eval(yes)?.with_secrets(test.secret_names()),
                    Some(false) => match no {
                        Some(no) => self.eval(no)?.with_secrets(test.secret_names()),
                        None => Value::Null,
                    },
                }
            }
            ExprKind::Filter(name, inner, args) => return self.filter(node, name, inner, args),
            ExprKind::Test(name, inner, args) => return self.test(node, name, inner, args),
            ExprKind::Call(name, args) => {
                let (args, named) = self.arguments(args)?;
                let all: Vec<&Value> = args.iter().chain(named.values()).collect();
                ops::lift(&all, || functions::call(name, &args, &named, self.scope)).map_err(fail)?
            }
            ExprKind::List(items) => Value::from(items.iter().map(|i| self.eval(i)).collect::<Result<Vec<_>>>()?),
            ExprKind::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    let name = self.eval(key)?;
                    let name = name.as_str().ok_or_else(|| {
                        EvalError::new(format!("a key must be a string, found {}", name.kind()), key.range.clone())
                    })?;
                    map.insert(name.to_owned(), self.eval(value)?);
                }
                Value::from(map)
            }
        })
    }

    /// A name, attribute or item; missing ones are an error.
    fn place(&self, node: &ExprNode) -> Result<Value> {
        match self.lookup(node)? {
            Ok(value) => Ok(value),
            Err(missing) => Err(missing),
        }
    }

    /// A name, attribute or item. The inner error says what is missing; `default` and `is defined` look at it.
    fn lookup(&self, node: &ExprNode) -> Result<std::result::Result<Value, EvalError>> {
        let missing = |message: String| Ok(Err(EvalError::undefined(message, node.range.clone())));
        match &node.kind {
            ExprKind::Var(name) => match self.scope.get(name) {
                Some(value) => Ok(Ok(value)),
                None => missing(self.undefined_name(name)),
            },
            ExprKind::Attr(inner, name) => {
                if let ExprKind::Var(root) = &inner.kind
                    && let Some(found) = self.scope.get_in(root, name)
                {
                    return match found {
                        Some(value) => Ok(Ok(value)),
                        None => missing(format!("`{root}` has no `{name}`")),
                    };
                }
                match self.lookup(inner)? {
                    Err(e) => Ok(Err(e)),
                    Ok(inner_value) => self.member(node, inner, &inner_value, name),
                }
            }
            ExprKind::Item(inner, index) => {
                let index_value = self.eval(index)?;
                if index_value.is_unknown() {
                    return Ok(Ok(index_value.bare().clone()));
                }
                if let (ExprKind::Var(root), Some(key)) = (&inner.kind, index_value.as_str())
                    && let Some(found) = self.scope.get_in(root, key)
                {
                    return match found {
                        Some(value) => Ok(Ok(value.with_secrets(index_value.secret_names()))),
                        None => missing(format!("`{root}` has no `{key}`")),
                    };
                }
                let inner_value = match self.lookup(inner)? {
                    Ok(value) => value,
                    Err(e) => return Ok(Err(e)),
                };
                match (inner_value.bare(), index_value.bare()) {
                    (_, Value::Str(key)) => self.member(node, inner, &inner_value, key),
                    (Value::List(items), Value::Int(i)) => {
                        let len = items.len() as i64;
                        let at = if *i < 0 { len + i } else { *i };
                        match usize::try_from(at).ok().and_then(|at| items.get(at)) {
                            Some(value) => Ok(Ok(value.clone().with_secrets(inner_value.secret_names()))),
                            None => missing(format!("the list has {len} items, so there is no item {i}")),
                        }
                    }
                    (Value::Unknown(_), _) => Ok(Ok(inner_value.bare().clone())),
                    (a, b) => {
                        Err(EvalError::new(format!("{} cannot be looked up in {}", b.kind(), a.kind()), node.range.clone()))
                    }
                }
            }
            _ => self.eval(node).map(Ok),
        }
    }

    fn member(
        &self,
        node: &ExprNode,
        inner: &ExprNode,
        value: &Value,
        name: &str,
    ) -> Result<std::result::Result<Value, EvalError>> {
        match value.bare() {
            Value::Map(map) => match map.get(name) {
                Some(found) => Ok(Ok(found.clone().with_secrets(value.secret_names()))),
                None => {
                    let mut message = match inner.dotted() {
                        Some(path) => format!("`{}` has no `{name}`", path.join(".")),
                        None => format!("there is no `{name}`"),
                    };
                    if map.len() <= 12 && !map.is_empty() {
                        let keys: Vec<&str> = map.keys().map(String::as_str).collect();
                        message.push_str(&format!("; it has {}", keys.join(", ")));
                    }
                    Ok(Err(EvalError::undefined(message, node.range.clone())))
                }
            },
            Value::Unknown(_) => Ok(Ok(value.bare().clone())),
            other => {
                let message = match inner.dotted() {
                    Some(path) => format!("`{}` is {}, so it has no `{name}`", path.join("."), other.kind()),
                    None => format!("{} has no `{name}`", other.kind()),
                };
                Ok(Err(EvalError::undefined(message, node.range.clone())))
            }
        }
    }

    fn undefined_name(&self, name: &str) -> String {
        let names = self.scope.names();
        match crate::suggest::nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("`{name}` is not defined; did you mean `{near}`?"),
            None => format!("`{name}` is not defined"),
        }
    }

    /// `and` (`stop_at` false) and `or` (`stop_at` true), three-valued: a deciding operand decides whatever the other is.
    fn logic(&self, a: &ExprNode, b: &ExprNode, stop_at: bool) -> Result<Value> {
        let left = self.eval(a)?;
        match left.truth() {
            Some(truth) if truth == stop_at => Ok(left),
            Some(_) => Ok(self.eval(b)?.with_secrets(left.secret_names())),
            None => {
                let right = self.eval(b)?;
                if right.truth() == Some(stop_at) { Ok(right) } else { Ok(left.bare().clone()) }
            }
        }
    }

    fn comparison(&self, first: &ExprNode, rest: &[(Compare, ExprNode)]) -> Result<Value> {
        let mut left_node = first;
        let mut left = self.eval(first)?;
        let mut names: Vec<String> = Vec::new();
        let mut unknown = None;
        for (op, right_node) in rest {
            let right = self.eval(right_node)?;
            for name in left.all_secret_names().into_iter().chain(right.all_secret_names()) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let held = match left.find_unknown().or_else(|| right.find_unknown()) {
                Some(u) => {
                    unknown.get_or_insert(Value::Unknown(u.clone()));
                    true
                }
                None => self.compare_two(*op, &left, &right, left_node, right_node)?,
            };
            if !held {
                return Ok(Value::Bool(false).with_secrets(&names));
            }
            (left, left_node) = (right, right_node);
        }
        Ok(unknown.unwrap_or_else(|| Value::Bool(true).with_secrets(&names)))
    }

    fn compare_two(&self, op: Compare, a: &Value, b: &Value, an: &ExprNode, bn: &ExprNode) -> Result<bool> {
        let range = an.range.start..bn.range.end;
        let kinds = |e: crate::value::KindError| {
            let mut message = format!("{} cannot be compared with {}", e.left, e.right);
            if e.left == "null" || e.right == "null" {
                message.push_str("; null has no order");
            }
            EvalError::new(message, range.clone())
        };
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = |wanted: &[std::cmp::Ordering]| compare(a, b).map(|o| wanted.contains(&o)).map_err(&kinds);
        match op {
            Compare::Eq => equal(a, b).map_err(kinds),
            Compare::Ne => equal(a, b).map(|e| !e).map_err(kinds),
            Compare::Lt => order(&[Less]),
            Compare::Le => order(&[Less, Equal]),
            Compare::Gt => order(&[Greater]),
            Compare::Ge => order(&[Greater, Equal]),
            Compare::In => ops::contains(b, a).map_err(|m| EvalError::new(m, range)),
            Compare::NotIn => ops::contains(b, a).map(|c| !c).map_err(|m| EvalError::new(m, range)),
        }
    }

    fn filter(&self, node: &ExprNode, name: &str, inner: &ExprNode, args: &Arguments) -> Result<Value> {
        let fail = |message: String| EvalError::new(message, node.range.clone());
        if matches!(name, "default" | "d") {
            let value = match self.lookup(inner)? {
                Ok(value) if !value.is_null() => return Ok(value),
                _ => args.positional.first(),
            };
            return value.map_or(Ok(Value::str("")), |v| self.eval(v));
        }
        let value = self.eval(inner)?;
        let (args, named) = self.arguments(args)?;
        filters::call(name, &value, &args, &named, self.scope).map_err(fail)
    }

    fn test(&self, node: &ExprNode, name: &str, inner: &ExprNode, args: &Arguments) -> Result<Value> {
        let fail = |message: String| EvalError::new(message, node.range.clone());
        match name {
            "defined" => return Ok(Value::Bool(self.lookup(inner)?.is_ok())),
            "undefined" => return Ok(Value::Bool(self.lookup(inner)?.is_err())),
            _ => {}
        }
        let value = self.eval(inner)?;
        if name == "unknown" {
            return Ok(Value::Bool(value.is_unknown()));
        }
        let (args, named) = self.arguments(args)?;
        let all: Vec<&Value> = std::iter::once(&value).chain(&args).chain(named.values()).collect();
        ops::lift(&all, || functions::test(name, value.bare(), &args)).map_err(fail)
    }

    fn arguments(&self, args: &Arguments) -> Result<(Vec<Value>, Map)> {
        let positional = args.positional.iter().map(|a| self.eval(a)).collect::<Result<_>>()?;
        let named = args.named.iter().map(|(k, v)| Ok((k.clone(), self.eval(v)?))).collect::<Result<_>>()?;
        Ok((positional, named))
    }
}
