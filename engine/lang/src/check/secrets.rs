//! Secrets that would come to where others can read them: argument vectors, URLs, and texts for people.

use std::ops::Range;

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::expr::{Expr, ExprKind, ExprNode, Template};
use runbook_core::model::{Arg, ArgKind, Body, ModuleCall, ParamType};
use runbook_core::module::Entry;
use runbook_core::span::Span;

use super::expr::Checker;
use super::scope::What;

/// A secret in a value: where it is named, and as what.
type Secret = (Span, String);

/// Fields of a `sensitive` step's result that give nothing away.
const HARMLESS: &[&str] = &["outcome", "changed", "attempts", "grade", "started_at", "duration", "exit_code"];

impl<'a> Checker<'a, '_> {
    /// What in an expression's value is secret.
    pub(crate) fn secret(&self, expr: &Expr) -> Option<Secret> {
        self.carries(&expr.root).map(|range| (expr.span_of(&range), expr.text_of(&range).to_owned()))
    }

    /// What in a value as written is secret.
    pub(crate) fn secret_arg(&self, arg: &Arg) -> Option<Secret> {
        arg.exprs().into_iter().find_map(|e| self.secret(e))
    }

    /// The part of a node whose secret value becomes a part of the node's. What a condition or a comparison looks at does not.
    fn carries(&self, node: &ExprNode) -> Option<Range<u32>> {
        let here = |secret: bool| secret.then(|| node.range.clone());
        match &node.kind {
            ExprKind::Const(_) | ExprKind::Test(..) | ExprKind::Compare(..) | ExprKind::Not(_) => None,
            ExprKind::Var(name) => here(self.scope.is_secret(name)),
            ExprKind::Attr(inner, name) => self.member_carries(node, inner, name),
            ExprKind::Item(inner, index) => match &index.kind {
                ExprKind::Const(value) if value.as_str().is_some() => {
                    self.member_carries(node, inner, value.as_str().unwrap_or_default())
                }
                _ => self.carries(inner),
            },
            ExprKind::If(_, yes, no) => self.carries(yes).or_else(|| no.as_ref().and_then(|no| self.carries(no))),
            // Neither says anything of the text itself.
            ExprKind::Filter(name, ..) if matches!(name.as_str(), "length" | "count" | "bool") => None,
            _ => node.children().into_iter().find_map(|child| self.carries(child)),
        }
    }

    fn member_carries(&self, node: &ExprNode, inner: &ExprNode, name: &str) -> Option<Range<u32>> {
        let secret = match inner.dotted().as_deref() {
            Some(["params"]) => self.scope.param(name).is_some_and(|(_, param)| param.ty == ParamType::Secret),
            Some(["env"]) => self.scope.env.get(name).is_some_and(|plain| !plain),
            Some(["steps", id]) => match self.scope.ids.get(id).map(|k| k.what) {
                Some(What::Step(step)) => {
                    let asked = matches!(&step.body, Body::Ask(ask) if ask.ty == ParamType::Secret);
                    (asked && name == "answer") || (step.sensitive && !HARMLESS.contains(&name))
                }
                _ => false,
            },
            _ => return self.carries(inner),
        };
        secret.then(|| node.range.clone())
    }

    /// A text that people read: checked, and without secrets.
    pub(crate) fn shown(&mut self, text: &Template) {
        self.template(text);
        let Some((span, what)) = text.exprs().find_map(|e| self.secret(e)) else { return };
        self.out.push(
            Diagnostic::warning(Code::SecretInText, span, format!("`{what}` is a secret: people would read `***` in its place"))
                .help("leave it out of the text"),
        );
    }

    /// Reports secrets in the arguments of a module that others can read.
    pub(crate) fn exposed(&mut self, call: &ModuleCall, entry: &Entry) {
        match call.name.value.as_str() {
            "command" => self.exposed_words(call.args.get("argv")),
            "shell" => {
                if let Some((span, what)) = call.args.get("script").and_then(|a| self.secret_arg(a)) {
                    let help = format!("pass it by `env: {{ VALUE: \"{{{{ {what} }}}}\" }}` and write \"$VALUE\"");
                    self.expose(
                        span,
                        format!("`{what}` is a secret, and `ps` shows shell text to every user of the machine"),
                        help,
                    );
                }
            }
            _ => {}
        }
        let ArgKind::Map(arguments) = &call.args.kind else { return };
        for (name, arg) in arguments {
            let url = entry.args_schema["properties"][name.value.as_str()]["format"] == "uri";
            let query = name.value == "query" && call.name.value.starts_with("http");
            if !(url || query) {
                continue;
            }
            if let Some((span, what)) = self.secret_arg(arg) {
                let help = "send it in a header: `bearer:`, `basic:` or `headers:`".to_owned();
                self.expose(span, format!("`{what}` is a secret, and servers write URLs to their logs"), help);
            }
        }
    }

    /// Reports secrets in the words of a command.
    pub(crate) fn exposed_words(&mut self, argv: Option<&Arg>) {
        if let Some((span, what)) = argv.and_then(|a| self.secret_arg(a)) {
            let help = "hand it over by `env:` or `stdin:` of the command, or in a file of mode 0600".to_owned();
            self.expose(span, format!("`{what}` is a secret, and `ps` shows arguments to every user of the machine"), help);
        }
    }

    fn expose(&mut self, span: Span, message: String, help: String) {
        self.out.push(Diagnostic::warning(Code::SecretExposed, span, message).help(help));
    }
}
