//! Loops, retries, grades and confirmations.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::{ArgKind, Confirm, Each, Grade, GradeLimits, Order, Over, Retry, RetryOn};
use runbook_core::node::{Node, NodeKind, ScalarValue};
use runbook_core::span::Spanned;
use runbook_core::value::Value;

use super::names::Naming;
use super::{Fields, Reader};
use crate::keys::{CONFIRM, GRADE, RETRY, Where};

const ORDERS: &[(&str, Order)] = &[
    ("listed", Order::Listed),
    ("reverse", Order::Reverse),
    ("dependencies", Order::Dependencies),
    ("reverse_dependencies", Order::ReverseDependencies),
];

const RETRY_ON: &[(&str, RetryOn)] = &[("failed", RetryOn::Failed), ("timeout", RetryOn::Timeout), ("unknown", RetryOn::Unknown)];

impl Reader<'_> {
    /// `for_each` with what stands beside it.
    pub(crate) fn each(&mut self, fields: &Fields<'_>) -> Option<Each> {
        let bind = fields.get("as").and_then(|n| self.text(n, "as"));
        let bind = bind.filter(|name| self.name(name, Naming::Variable));
        let order = fields.get("order").and_then(|n| self.word(n, "order", ORDERS));
        let max_parallel = self.int_arg(fields.get("max_parallel"), "max_parallel", 1, 256);
        let Some(node) = fields.get("for_each") else {
            for key in ["as", "order", "max_parallel"] {
                if let Some((key, _)) = fields.entry(key) {
                    self.out.push(
                        Diagnostic::error(
                            Code::NotAllowedHere,
                            key.span,
                            format!("`{}` means nothing without `for_each`", key.value),
                        )
                        .help("add `for_each:`, or leave it out"),
                    );
                }
            }
            if let Some((key, _)) = fields.entry("for_each") {
                self.out.push(
                    Diagnostic::error(Code::WrongType, key.span, "`for_each` repeats over nothing")
                        .help("give it a list, a map or an expression"),
                );
            }
            return None;
        };
        let over = match &node.kind {
            NodeKind::Scalar(_) => Over::Expr(self.expr(node, "for_each")?),
            _ => Over::Literal(self.arg(node)),
        };
        Some(Each {
            over,
            span: node.span,
            bind_span: bind.as_ref().map_or(node.span, |b| b.span),
            bind: bind.map_or_else(|| "item".to_owned(), |b| b.value),
            order: order.unwrap_or_default(),
            max_parallel,
        })
    }

    /// `retry`.
    pub(crate) fn retry(&mut self, node: Option<&Node>) -> Option<Retry> {
        let node = node?;
        if let Some(ScalarValue::Int(n)) = node.as_scalar().map(|s| &s.value) {
            self.out.push(
                Diagnostic::error(Code::WrongType, node.span, format!("`retry` is a map, found `{n}`"))
                    .help(format!("write `retry: {{ attempts: {n} }}`")),
            );
            return None;
        }
        let fields = self.fields(node, &RETRY, Some(Where::Retry))?;
        if fields.get("attempts").is_none() && fields.get("for").is_none() {
            self.out.push(
                Diagnostic::error(Code::MissingKey, fields.head(), "`retry` needs `attempts` or `for`, or it would never end")
                    .help("write `attempts: 5`, or `for: 30s`"),
            );
        }
        let every = self.duration_arg(fields.get("every"), "every");
        let max_delay = self.duration_arg(fields.get("max_delay"), "max_delay");
        if let (Some(every), Some(max)) = (&every, &max_delay)
            && let (ArgKind::Value(Value::Duration(e)), ArgKind::Value(Value::Duration(m))) = (&every.kind, &max.kind)
            && m < e
        {
            self.out.push(
                Diagnostic::error(Code::Conflict, max.span, "`max_delay` is shorter than `every`")
                    .also(every.span, "the first pause")
                    .help("the longest pause cannot be shorter than the first"),
            );
        }
        let within = self.duration_arg(fields.get("for"), "for");
        if let (Some(every), Some(within)) = (&every, &within)
            && let (ArgKind::Value(Value::Duration(e)), ArgKind::Value(Value::Duration(w))) = (&every.kind, &within.kind)
            && w < e
        {
            self.out.push(
                Diagnostic::error(
                    Code::Conflict,
                    every.span,
                    "`every` is longer than `for`, so there would be no second attempt",
                )
                .also(within.span, "attempts begin until then")
                .help("give more time, or pause less"),
            );
        }
        let jitter = match fields.get("jitter") {
            Some(n) if matches!(n.as_scalar().map(|s| &s.value), Some(ScalarValue::Bool(_))) => self.bool_arg(Some(n), "jitter"),
            other => self.number_arg(other, "jitter", 0.0, 1.0),
        };
        let on = match fields.get("on") {
            Some(node) => match node.as_list() {
                Some(items) => items.iter().filter_map(|i| self.word(i, "on", RETRY_ON)).collect(),
                None => {
                    self.wrong(node, "on", "a list such as `[failed, timeout]`");
                    Vec::new()
                }
            },
            None => Vec::new(),
        };
        Some(Retry {
            span: fields.key_span("attempts"),
            attempts: self.int_arg(fields.get("attempts"), "attempts", 1, 10_000),
            within,
            every,
            backoff: self.number_arg(fields.get("backoff"), "backoff", 1.0, 100.0),
            max_delay,
            jitter,
            successes: self.int_arg(fields.get("successes"), "successes", 1, 10_000),
            give_up_when: self.exprs(fields.get("give_up_when"), "give_up_when"),
            on,
        })
    }

    /// `grade`.
    pub(crate) fn grade(&mut self, node: Option<&Node>) -> Option<Grade> {
        let fields = self.fields(node?, &GRADE, None)?;
        let value = fields.get("value").and_then(|n| self.expr(n, "value"));
        let by = fields.get("by").and_then(|n| self.expr(n, "by"));
        let mut limit = |name: &str| fields.get(name).map(|n| self.limit(n));
        let (target, warning, critical) = (limit("target"), limit("warning"), limit("critical"));
        self.limits_agree([target.as_ref(), warning.as_ref(), critical.as_ref()]);
        let unit = self.plain_text(fields.get("unit"), "unit");
        let inline = ["target", "warning", "critical", "unit"].into_iter().find_map(|k| fields.entry(k));
        match (fields.entry("by"), inline) {
            (Some((by, _)), Some((other, _))) => {
                self.out.push(
                    Diagnostic::error(Code::Conflict, other.span, format!("`{}` beside `by`", other.value))
                        .also(by.span, "the limits are given here")
                        .help("give the limits once: by a threshold, or beside the value"),
                );
            }
            (None, None) => {
                self.out.push(
                    Diagnostic::error(Code::MissingKey, fields.head(), "`grade` has no limits")
                        .help("write `by: thresholds.NAME`, or `target`, `warning` and `critical`"),
                );
            }
            (None, Some(_)) if target.is_none() && warning.is_none() && critical.is_none() && fields.entry("unit").is_some() => {
                self.out.push(
                    Diagnostic::error(Code::MissingKey, fields.head(), "`grade` has a unit and no limits")
                        .help("add `target`, `warning` or `critical`"),
                );
            }
            _ => {}
        }
        let limits = match by {
            Some(by) => GradeLimits::By(by),
            None => GradeLimits::Inline { target, warning, critical, unit },
        };
        Some(Grade { value: value?, limits })
    }

    /// `confirm`.
    pub(crate) fn confirm(&mut self, node: Option<&Node>, loops: bool) -> Option<Confirm> {
        let node = node?;
        match &node.kind {
            NodeKind::Map(_) => {
                let fields = self.fields(node, &CONFIRM, None)?;
                Some(Confirm::Type(self.template(fields.get("type")?, "type")?))
            }
            NodeKind::Scalar(s) if s.value == ScalarValue::Bool(true) => Some(Confirm::Yes),
            NodeKind::Scalar(s) if s.value == ScalarValue::Bool(false) => None,
            NodeKind::Scalar(s) if s.text == "each" => {
                if !loops {
                    self.out.push(
                        Diagnostic::error(Code::NotAllowedHere, node.span, "`confirm: each` means nothing without `for_each`")
                            .help("write `confirm: true`"),
                    );
                }
                Some(Confirm::Each)
            }
            _ => {
                self.wrong(node, "confirm", "`true`, `each` or `{type: WORD}`");
                None
            }
        }
    }

    /// The names of siblings under `needs`.
    pub(crate) fn needs(&mut self, node: Option<&Node>) -> Vec<Spanned<String>> {
        let mut needs = self.texts(node, "needs");
        let mut seen: Vec<String> = Vec::new();
        needs.retain(|need| {
            let new = !seen.contains(&need.value);
            if new {
                seen.push(need.value.clone());
            }
            new
        });
        needs
    }
}
