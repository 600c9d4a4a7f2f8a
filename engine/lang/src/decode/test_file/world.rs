//! The rules of a test's world.

use std::sync::Arc;

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::model::test::{Turn, TurnAnswer, WorldRule};
use runbook_core::node::{Node, ScalarValue};
use runbook_core::span::{Span, Spanned};
use runbook_core::suggest::nearest;

use super::{Played, Tests};
use crate::decode::Fields;
use crate::decode::fields::{head, list};
use crate::keys::{RULE, TURN, Where};

/// The keys that say what a call comes to.
const ANSWERS: &[&str] = &["returns", "error", "unknown", "refused", "times_out"];

impl Tests<'_, '_, '_> {
    pub(super) fn world(&mut self, node: Option<&Node>, played: Option<&Played<'_>>) -> Vec<Arc<WorldRule>> {
        let Some(node) = node else { return Vec::new() };
        let Some(items) = node.as_list() else {
            self.reader.wrong(node, "world", "a list of rules such as `- { module: http, returns: { status: 200 } }`");
            return Vec::new();
        };
        items.iter().filter_map(|item| self.rule(item, played)).map(Arc::new).collect()
    }

    fn rule(&mut self, node: &Node, played: Option<&Played<'_>>) -> Option<WorldRule> {
        // `- http: ...` is how a step is written.
        if let Some((key, _)) = node.as_map().and_then(<[_]>::first)
            && self.reader.registry.get(&key.value).is_some()
            && RULE.get(&key.value).is_none()
        {
            self.reader.out.push(
                Diagnostic::error(Code::UnknownKey, key.span, format!("unknown key `{}` in a world rule", key.value))
                    .help(format!("a rule names the module: `{{ module: {}, with: {{ ... }}, returns: {{ ... }} }}`", key.value)),
            );
            return None;
        }
        let fields = self.reader.fields(node, &RULE, Some(Where::Rule))?;
        let step_text = fields.get("step").and_then(|n| self.reader.text(n, "step"));
        let step = step_text.as_ref().map(|t| Spanned::new(self.step_ref(t, played), t.span));
        let module = match (fields.get("module"), &step) {
            (Some(node), _) => {
                let name = self.reader.text(node, "module")?;
                self.module(&name)?
            }
            (None, Some(step)) if self.mixed => {
                self.reader.out.push(
                    Diagnostic::error(Code::MissingKey, step.span, "tests of several playbooks share this rule")
                        .help("write `module:` too: which call of the step is meant"),
                );
                return None;
            }
            (None, Some(step)) => self.module_of(&step.value, step.span, played)?,
            (None, None) => {
                self.reader.out.push(
                    Diagnostic::error(Code::MissingKey, fields.head(), "a world rule needs `module` or `step`")
                        .help("`module: http` is for every call of `http`, `step: ID` for the call of one step"),
                );
                return None;
            }
        };
        let with = fields.get("with").map(|n| self.arguments(n, &module)).unwrap_or_default();
        let turns = self.turns(&fields, &module);
        (!turns.is_empty()).then(|| WorldRule { span: head(node), module, step, with, turns })
    }

    /// A module's name.
    pub(super) fn module(&mut self, name: &Spanned<String>) -> Option<String> {
        if self.reader.registry.get(&name.value).is_some() {
            return Some(name.value.clone());
        }
        let diagnostic = Diagnostic::error(Code::UnknownModule, name.span, format!("there is no module `{}`", name.value));
        self.reader.out.push(match nearest(&name.value, self.reader.registry.names()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("`runbook modules` lists what there is"),
        });
        None
    }

    fn turns(&mut self, fields: &Fields<'_>, module: &str) -> Vec<Turn> {
        let Some((key, node)) = fields.entry("sequence").filter(|(_, n)| !n.is_null()) else {
            return self.turn(fields, module, "a world rule").into_iter().collect();
        };
        for other in ANSWERS.iter().chain(&["changed", "takes"]) {
            if let Some((other, _)) = fields.entry(other) {
                self.reader.out.push(
                    Diagnostic::error(Code::Conflict, other.span, format!("`{}` beside `sequence`", other.value))
                        .also(key.span, "the other one")
                        .help("write it in the turns of the sequence"),
                );
            }
        }
        let Some(items) = node.as_list() else {
            self.reader.wrong(
                node,
                "sequence",
                "a list such as `[{ error: \"connection refused\" }, { returns: { status: 200 } }]`",
            );
            return Vec::new();
        };
        if items.is_empty() {
            self.reader.out.push(
                Diagnostic::error(Code::WrongType, node.span, "`sequence` is empty").help("say what the first call comes to"),
            );
        }
        let mut turns = Vec::new();
        for item in items {
            let Some(fields) = self.reader.fields(item, &TURN, Some(Where::Rule)) else { continue };
            turns.extend(self.turn(&fields, module, "a turn of a sequence"));
        }
        turns
    }

    /// The one of the keys that say what a call comes to, with what stands beside it.
    fn turn(&mut self, fields: &Fields<'_>, module: &str, what: &str) -> Option<Turn> {
        let given: Vec<(&Spanned<String>, &Node)> = ANSWERS.iter().filter_map(|k| fields.entry(k)).collect();
        let one = |span: Span, message: String| Diagnostic::error(Code::RuleAnswersNothing, span, message);
        let (key, node) = match given.as_slice() {
            [one] => *one,
            [] => {
                // A misspelt key has been reported.
                let table = if what == "a world rule" { &RULE } else { &TURN };
                if fields.entries.iter().all(|(k, _)| table.get(&k.value).is_some()) {
                    self.reader.out.push(one(fields.head(), format!("{what} says not what the call comes to")).help(
                        "write `returns: { field: value }`, `error: TEXT`, `unknown: TEXT`, `refused: TEXT` or `times_out: true`",
                    ));
                }
                return None;
            }
            [(first, _), (second, _), ..] => {
                self.reader.out.push(
                    one(second.span, format!("`{}` beside `{}`", second.value, first.value))
                        .also(first.span, "the first one")
                        .help(format!("a call comes to one of {}", list(ANSWERS.iter().copied()))),
                );
                return None;
            }
        };
        let text = |this: &mut Self| this.reader.text(node, &key.value).map(|t| t.value);
        let answer = match key.value.as_str() {
            "returns" if node.is_null() => TurnAnswer::Returns(runbook_core::value::Map::new()),
            "returns" => TurnAnswer::Returns(self.result(node, module)?),
            "error" => TurnAnswer::Error(text(self)?),
            "unknown" => TurnAnswer::Unknown(text(self)?),
            "refused" => TurnAnswer::Refused(text(self)?),
            _ => match node.as_scalar().map(|s| &s.value) {
                Some(ScalarValue::Bool(true)) => TurnAnswer::TimesOut,
                _ => {
                    self.reader.wrong(node, "times_out", "`true`");
                    return None;
                }
            },
        };
        let changed = fields.get("changed").and_then(|n| self.reader.bool(n, "changed"));
        if let (Some(_), Some((key, _)), false) = (changed, fields.entry("changed"), matches!(answer, TurnAnswer::Returns(_))) {
            self.reader.out.push(
                Diagnostic::error(Code::NotAllowedHere, key.span, "`changed` means nothing without `returns`")
                    .help("leave it out"),
            );
        }
        Some(Turn { answer, changed, takes: self.takes(fields.get("takes")) })
    }
}
