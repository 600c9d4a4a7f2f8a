//! Evaluating what a playbook says, with errors that name their place.

use jiff::{SignedDuration, Timestamp};
use runbook_core::expr::{EvalError, Expr, Template};
use runbook_core::model::Arg;
use runbook_core::span::{Place, Span};
use runbook_core::value::{FromValue, Value};

use super::Interpreter;
use super::frame::Env;
use super::own::Own;
use super::scope::View;

/// An expression or value that could not be had.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) message: String,
    pub(crate) span: Span,
    /// Whether the value is unknown rather than wrong.
    pub(crate) unknown: bool,
}

impl Trouble {
    fn from_eval((error, span): (EvalError, Span)) -> Trouble {
        Trouble { message: error.message, span, unknown: false }
    }
}

pub(crate) type Eval<T> = Result<T, Trouble>;

impl Interpreter<'_> {
    pub(crate) fn place(&self, span: Span) -> Option<Place> {
        self.plan.sources.place(span)
    }

    /// The trouble's text with its place.
    pub(crate) fn told(&self, trouble: &Trouble) -> String {
        match self.place(trouble.span) {
            Some(place) => format!("{} ({}:{})", trouble.message, place, place.column),
            None => trouble.message.clone(),
        }
    }

    pub(crate) fn eval(&self, expr: &Expr, env: &Env, now: Timestamp) -> Eval<Value> {
        self.eval_with(expr, env, None, now)
    }

    pub(crate) fn eval_with(&self, expr: &Expr, env: &Env, own: Option<&Own<'_>>, now: Timestamp) -> Eval<Value> {
        let view = View { env, own, now };
        expr.eval(&view).map_err(|e| {
            let span = expr.span_of(&e.range);
            Trouble::from_eval((e, span))
        })
    }

    pub(crate) fn render(&self, arg: &Arg, env: &Env, now: Timestamp) -> Eval<Value> {
        arg.render(&View { env, own: None, now }).map_err(Trouble::from_eval)
    }

    pub(crate) fn text(&self, template: &Template, env: &Env, now: Timestamp) -> Eval<Value> {
        template.render(&View { env, own: None, now }).map_err(Trouble::from_eval)
    }

    /// A text for people: secrets masked; a template that fails is shown as written.
    pub(crate) fn label(&self, template: &Template, env: &Env, now: Timestamp) -> String {
        match self.text(template, env, now) {
            Ok(value) => value.to_string(),
            Err(_) => template.text.to_string(),
        }
    }

    /// A value of a Rust type.
    pub(crate) fn typed<T: FromValue>(&self, arg: &Arg, env: &Env, now: Timestamp) -> Eval<T> {
        let value = self.render(arg, env, now)?;
        if let Some(unknown) = value.find_unknown() {
            return Err(Trouble { message: unknown.reason.clone(), span: arg.span, unknown: true });
        }
        T::from_value(&value).map_err(|e| Trouble { message: e.to_string(), span: arg.span, unknown: false })
    }

    /// A value of a Rust type, if it is written at all and not null.
    pub(crate) fn optional<T: FromValue>(&self, arg: Option<&Arg>, env: &Env, now: Timestamp) -> Eval<Option<T>> {
        let Some(arg) = arg else { return Ok(None) };
        if self.render(arg, env, now)?.is_null() {
            return Ok(None);
        }
        self.typed(arg, env, now).map(Some)
    }

    pub(crate) fn duration(&self, arg: Option<&Arg>, env: &Env, now: Timestamp) -> Eval<Option<SignedDuration>> {
        self.optional(arg, env, now)
    }

    /// A condition: whether it holds; an unknown one is trouble.
    pub(crate) fn condition(&self, expr: &Expr, env: &Env, now: Timestamp) -> Eval<bool> {
        let value = self.eval(expr, env, now)?;
        value.truth().ok_or_else(|| {
            let reason = value.find_unknown().map(|u| u.reason.clone()).unwrap_or_default();
            Trouble { message: format!("it is not known whether `{}`: {reason}", expr.text), span: expr.span, unknown: true }
        })
    }
}
