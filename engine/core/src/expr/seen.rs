//! What an expression saw: the operands that decided it, with their values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ast::{Expr, ExprKind, ExprNode};
use super::eval::Evaluator;
use super::{EvalError, Scope};
use crate::value::Value;

/// An operand as written and the value it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// The operand's text, such as `status`.
    pub text: String,
    /// Its value as shown to people, clipped to one short line; secrets masked.
    pub value: String,
}

/// The longest value shown, in characters.
const CLIP: usize = 120;

impl Expr {
    /// Evaluates the expression.
    ///
    /// # Errors
    /// A name that is not defined, kinds that do not mix, or an operation that fails.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        Evaluator { scope }.eval(&self.root)
    }

    /// Evaluates a part of the expression.
    ///
    /// # Errors
    /// As [`Expr::eval`].
    pub fn eval_part(&self, part: &ExprNode, scope: &dyn Scope) -> Result<Value, EvalError> {
        Evaluator { scope }.eval(part)
    }

    /// The operands that decide the expression, with the values they have in `scope`.
    pub fn seen(&self, scope: &dyn Scope) -> Vec<Seen> {
        let mut out = Vec::new();
        self.collect(&self.root, scope, &mut out);
        out
    }

    fn collect(&self, node: &ExprNode, scope: &dyn Scope, out: &mut Vec<Seen>) {
        match &node.kind {
            ExprKind::Const(_) => {}
            ExprKind::Not(a) => self.collect(a, scope, out),
            ExprKind::And(a, b) | ExprKind::Or(a, b) => {
                self.collect(a, scope, out);
                self.collect(b, scope, out);
            }
            ExprKind::Compare(first, rest) => {
                self.operand(first, scope, out);
                rest.iter().for_each(|(_, e)| self.operand(e, scope, out));
            }
            ExprKind::Test(_, a, _) => self.operand(a, scope, out),
            _ => self.operand(node, scope, out),
        }
    }

    fn operand(&self, node: &ExprNode, scope: &dyn Scope, out: &mut Vec<Seen>) {
        let mut names = false;
        node.walk(&mut |n| names |= matches!(n.kind, ExprKind::Var(_) | ExprKind::Call(..)));
        if !names {
            return;
        }
        let value = match (Evaluator { scope }).eval(node) {
            Ok(value) => clip(&show(&value)),
            Err(error) => error.message,
        };
        let seen = Seen { text: self.text_of(&node.range).to_owned(), value };
        if !out.contains(&seen) {
            out.push(seen);
        }
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Str(s) => format!("{s:?}"),
        other => other.to_string(),
    }
}

fn clip(text: &str) -> String {
    if text.chars().count() <= CLIP {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(CLIP - 1).collect();
    out.push('…');
    out
}
