//! The bodies of steps that are no modules.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::{AskBody, Block, Body, ParamType, WaitBody};
use runbook_core::node::{Node, NodeKind};
use runbook_core::span::Spanned;
use runbook_core::value::{Value, parse_time};

use super::names::Naming;
use super::reader::has_template;
use super::step::Ground;
use super::{Fields, Reader};
use crate::keys::{ASK, WAIT};

impl Reader<'_> {
    /// The body under a word that is no module's.
    pub(crate) fn plain_body(&mut self, key: &Spanned<String>, node: &Node, fields: &Fields<'_>, ground: Ground) -> Option<Body> {
        let word = key.value.as_str();
        let inner = ground.inside();
        Some(match word {
            "block" => Body::Block(Block {
                steps: self.steps(node, word, inner),
                rescue: fields.get("rescue").map(|n| self.steps(n, "rescue", inner)).unwrap_or_default(),
                always: fields.get("always").map(|n| self.steps(n, "always", inner)).unwrap_or_default(),
            }),
            "parallel" => Body::Parallel(self.steps(node, word, Ground { parallel: true, ..inner })),
            "play" => Body::Play { name: self.play_name(node)?, with: self.named_args(fields.get("with"), "with", Naming::Free) },
            "set" => {
                let vars = self.named_args(Some(node), "set", Naming::Variable);
                if node.as_map().is_some_and(<[_]>::is_empty) {
                    self.out.push(
                        Diagnostic::error(Code::WrongType, node.span, "`set` sets nothing").help("write `set: { name: value }`"),
                    );
                }
                Body::Set(vars)
            }
            "ask" => Body::Ask(self.ask(node)?),
            "manual" => Body::Manual(self.template(node, word)?),
            "note" => Body::Note(self.template(node, word)?),
            "fail" => Body::Fail(self.template(node, word)?),
            "stop" => Body::Stop(self.template(node, word)?),
            _ => Body::Wait(self.wait(node)?),
        })
    }

    pub(crate) fn play_name(&mut self, node: &Node) -> Option<Spanned<String>> {
        if node.as_scalar().is_none() {
            let message = format!("`play` takes a playbook's name, found {}", node.describe());
            self.out.push(
                Diagnostic::error(Code::WrongType, node.span, message)
                    .help("write `play: NAME`, with the parameters under `with:` beside it"),
            );
            return None;
        }
        let name = self.text(node, "play")?;
        if has_template(&name.value) {
            self.out.push(
                Diagnostic::error(
                    Code::WrongType,
                    node.span,
                    "a playbook's name is written out, so that the plan can be checked before it runs",
                )
                .help("write one `play:` step per playbook, each with `when:`"),
            );
            return None;
        }
        Some(name)
    }

    fn ask(&mut self, node: &Node) -> Option<AskBody> {
        if let Some(text) = node.as_str() {
            self.out.push(
                Diagnostic::error(Code::WrongType, node.span, "`ask` is a map, found a string")
                    .help(format!("write `ask: {{ question: {text:?} }}`")),
            );
            return None;
        }
        let fields = self.fields(node, &ASK, None)?;
        let question = fields.get("question").and_then(|n| self.template(n, "question"));
        let choices = fields.get("choices").map(|n| (n, self.arg(n)));
        let ty = fields.get("type").and_then(|n| self.word(n, "type", ParamType::ALL));
        if let Some((node, _)) = &choices
            && node.as_list().is_none()
            && !node.as_str().is_some_and(has_template)
        {
            self.wrong(node, "choices", "a list such as `[a, b]`");
        }
        if ty == Some(ParamType::Choice) && choices.is_none() {
            self.out.push(
                Diagnostic::error(Code::MissingKey, fields.key_span("type"), "a `choice` needs `choices`")
                    .help("write `choices: [a, b]`"),
            );
        }
        let default = fields.get("default").map(|n| self.arg(n));
        let fallback = if choices.is_some() { ParamType::Choice } else { ParamType::String };
        Some(AskBody { question: question?, ty: ty.unwrap_or(fallback), choices: choices.map(|(_, c)| c), default })
    }

    fn wait(&mut self, node: &Node) -> Option<WaitBody> {
        if !matches!(node.kind, NodeKind::Map(_)) {
            return self.duration_arg(Some(node), "wait").map(WaitBody::For);
        }
        let fields = self.fields(node, &WAIT, None)?;
        let until = fields.get("until")?;
        let arg = self.text_arg(Some(until), "until")?;
        if let Some(text) = arg.as_literal_str() {
            let Some(time) = parse_time(text) else {
                self.out.push(
                    Diagnostic::error(
                        Code::BadTime,
                        until.span,
                        format!("`until` takes a time such as `2026-02-15T14:23:45Z`, found {text:?}"),
                    )
                    .help(runbook_core::forms::TIME),
                );
                return None;
            };
            return Some(WaitBody::Until(runbook_core::model::Arg::literal(Value::Time(time), until.span)));
        }
        Some(WaitBody::Until(arg))
    }
}
