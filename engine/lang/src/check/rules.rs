//! Rules about single steps: checks only look, retries do no harm, services and playbooks exist.

use runbook_core::code::Code;
use runbook_core::diagnostic::Diagnostic;
use runbook_core::inputs;
use runbook_core::model::{Arg, Body, ParamType, Retry, Step};
use runbook_core::module::{Effect, Entry, Kind};
use runbook_core::span::{Span, Spanned};
use runbook_core::suggest::nearest;

use super::effects;
use super::expr::Checker;
use super::steps::Duty;
use crate::decode;

impl<'a> Checker<'a, '_> {
    /// Everything that a step must obey besides its names.
    pub(crate) fn rules(&mut self, step: &'a Step, duty: Duty) {
        match &step.body {
            Body::Module(call) => {
                let Some(entry) = self.entry(step) else { return };
                let effect = effects::effect(step, call, entry, self.scope.system);
                self.declared(step, entry);
                if let Duty::Look(place) = duty {
                    self.looks(step, entry, effect, place);
                } else if effect == Some(Effect::Read) && entry.kind == Kind::Action {
                    self.changes_nothing(step, entry);
                }
                if call.name.value == "service" || call.name.value.starts_with("service.") {
                    self.service_name(&call.args, entry);
                }
            }
            Body::Play { name, with } => {
                self.play(name, with);
                if let Duty::Look(place) = duty {
                    self.play_looks(step, name, place);
                }
            }
            _ => {}
        }
        if step.retry.is_some() && step.idempotent != Some(true) {
            self.retry_repeats(step);
        }
    }

    /// A declaration never lowers what a module is known to do.
    fn declared(&mut self, step: &Step, entry: &Entry) {
        let Some(declared) = &step.effect else { return };
        if declared.value == Effect::Read && entry.kind == Kind::Action && !entry.declared_effect {
            self.out.push(
                Diagnostic::error(
                    Code::Conflict,
                    declared.span,
                    format!("`{}` changes something, and `effect: read` cannot lower that", entry.name),
                )
                .help("leave `effect` out"),
            );
        }
    }

    /// A check only looks.
    fn looks(&mut self, step: &Step, entry: &Entry, effect: Option<Effect>, place: &str) {
        if entry.kind == Kind::Probe && effect == Some(Effect::Read) || entry.declared_effect && effect == Some(Effect::Read) {
            return;
        }
        let what = format!("`{}` under `{place}` changes something", entry.name);
        let diagnostic = if let Some(declared) = step.effect.as_ref().filter(|e| e.value != Effect::Read) {
            Diagnostic::error(Code::NotACheck, declared.span, what).help("a check only looks; put the change under `steps`")
        } else if entry.declared_effect {
            Diagnostic::error(Code::NotACheck, step.body_span, format!("`{}` under `{place}` may change something", entry.name))
                .help("if it only looks, write `effect: read` beside it, or list its words under `read_commands` of the system")
        } else {
            let kin = entry.name.split_once('.').map(|(noun, _)| noun).filter(|n| self.project.registry.get(n).is_some());
            let help = match kin {
                Some(probe) => format!("a check only looks: use `{probe}`, or put the change under `steps`"),
                None => "a check only looks; put the change under `steps`".to_owned(),
            };
            Diagnostic::error(Code::NotACheck, step.body_span, what).help(help)
        };
        self.out.push(diagnostic);
    }

    /// Keys that mean nothing beside a command that only looks.
    fn changes_nothing(&mut self, step: &Step, entry: &Entry) {
        let mut refuse = |key: &str, span: Option<Span>| {
            if let Some(span) = span {
                self.out.push(
                    Diagnostic::error(Code::NotAllowedHere, span, format!("`{key}` beside a `{}` that only looks", entry.name))
                        .help(format!("leave `{key}` out, or `effect: read` if it does change something")),
                );
            }
        };
        refuse("undo", step.undo.first().map(|s| s.span.at_start()));
        refuse("confirm", step.confirm.as_ref().map(|_| step.body_span));
    }

    /// The service that a module is told.
    fn service_name(&mut self, args: &Arg, entry: &Entry) {
        let key = entry.main.as_deref().unwrap_or("name");
        let Some(arg) = args.get(key) else { return };
        let Some(name) = arg.as_literal_str() else { return };
        if self.lost.system || self.lost.names.contains(name) {
            return;
        }
        if let Err(wrong) = self.service(name) {
            self.out.push(Diagnostic::error(wrong.code, arg.span, wrong.missing.message).help(wrong.missing.help));
        }
    }

    /// A playbook that is played or proposed: its parameters.
    pub(crate) fn play(&mut self, name: &Spanned<String>, with: &[(Spanned<String>, Arg)]) {
        let Some(playbook) = self.played(&name.value) else { return };
        for (key, arg) in with {
            let Some(param) = playbook.params.iter().find(|p| p.name.value == key.value) else {
                let names = playbook.params.iter().map(|p| p.name.value.as_str());
                let mut diagnostic = Diagnostic::error(
                    Code::UnknownParam,
                    key.span,
                    format!("`{}` has no parameter `{}`", playbook.full_name, key.value),
                )
                .also(playbook.title.span, "the playbook");
                diagnostic = match nearest(&key.value, names.clone()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None if playbook.params.is_empty() => diagnostic.help("it takes none"),
                    None => diagnostic.help(format!("it takes {}", names.collect::<Vec<_>>().join(", "))),
                };
                self.out.push(diagnostic);
                continue;
            };
            if let Some((span, what)) = self.secret_arg(arg).filter(|_| param.ty != ParamType::Secret) {
                self.out.push(
                    Diagnostic::warning(
                        Code::SecretExposed,
                        span,
                        format!("`{what}` is a secret, and there it is taken for none"),
                    )
                    .also(param.name.span, "the parameter")
                    .help("declare it there as a parameter of `type: secret`"),
                );
            }
            if !arg.is_literal() {
                continue;
            }
            let literal = |a: &Option<Arg>| a.as_ref().is_none_or(Arg::is_literal);
            let value = arg.skeleton();
            let found = if literal(&param.choices) && literal(&param.min) && literal(&param.max) {
                let scope = runbook_core::expr::MapScope { map: std::sync::Arc::default(), now: jiff::Timestamp::UNIX_EPOCH };
                inputs::check(param, value, &scope)
            } else {
                inputs::typed(param.ty, value)
            };
            if let Err(error) = found {
                let mut diagnostic = Diagnostic::error(Code::BadParam, arg.span, format!("`{}`: {}", key.value, error.message))
                    .also(param.name.span, "the parameter");
                diagnostic.help = error.help;
                self.out.push(diagnostic);
            }
        }
        for param in playbook.params.iter().filter(|p| p.required && p.default.is_none()) {
            let meant = |k: &str| {
                k == param.name.value
                    || (!playbook.params.iter().any(|p| p.name.value == k) && nearest(k, [param.name.value.as_str()]).is_some())
            };
            if !with.iter().any(|(k, _)| meant(&k.value)) {
                self.out.push(
                    Diagnostic::error(
                        Code::MissingParam,
                        name.span,
                        format!("`{}` needs the parameter `{}`", playbook.full_name, param.name.value),
                    )
                    .also(param.name.span, "required here")
                    .help(format!("write `with: {{ {}: ... }}`", param.name.value)),
                );
            }
        }
    }

    /// A playbook that is played where nothing may be changed.
    fn play_looks(&mut self, step: &Step, name: &Spanned<String>, place: &str) {
        let Some(playbook) = self.played(&name.value) else { return };
        if let Some(at) = self.change_in(&name.value, self.unit, 0) {
            self.out.push(
                Diagnostic::error(
                    Code::NotACheck,
                    step.body_span,
                    format!("`{}` under `{place}` changes something", playbook.full_name),
                )
                .also(at, "here")
                .help("a check only looks; play it under `steps`"),
            );
        }
    }

    /// Where a played playbook changes something.
    fn change_in(&self, name: &str, from: &str, depth: usize) -> Option<Span> {
        if depth > 16 {
            return None;
        }
        let full = self.project.plays.get(&(from.to_owned(), name.to_owned()))?;
        let unit = self.project.units.get(full)?;
        let entry = |name: &str| self.project.registry.get(name).map(|e| &**e);
        let mut deeper = None;
        for list in decode::walked(&unit.playbook) {
            let mut played = |name: &str| {
                deeper = self.change_in(name, full, depth + 1);
                deeper.is_some()
            };
            let found = effects::first_change(list, &entry, &unit.system, &mut played);
            if let Some(step) = found {
                return Some(deeper.unwrap_or(step.body_span));
            }
        }
        None
    }

    /// A retry of what changes something and is not the same when done twice.
    fn retry_repeats(&mut self, step: &'a Step) {
        if let Body::Play { name, .. } = &step.body
            && let Some(at) = self.change_in(&name.value, self.unit, 0)
        {
            // What a whole playbook comes to when it is played twice, only its author knows.
            let span = step.retry.as_ref().map_or(step.body_span, |r| r.span);
            let message = format!("a retry of `{}` could do its change twice", name.value);
            self.out.push(
                Diagnostic::warning(Code::RetryNotIdempotent, span, message)
                    .also(at, "the change")
                    .help("write `idempotent: true` if twice is the same as once"),
            );
        }
        let Some((at, name)) = self.not_repeatable(step) else { return };
        let span = step.retry.as_ref().map_or(step.body_span, |r| r.span);
        let itself = at == step.body_span;
        let message = if itself {
            format!("a retry of `{name}` could do the change twice")
        } else {
            format!("a retry of this `{}` could do the change of `{name}` twice", step.body.word())
        };
        let mut diagnostic = Diagnostic::error(Code::RetryRepeats, span, message);
        if !itself {
            diagnostic = diagnostic.also(at, "the change");
        }
        let help = match self.entry(step) {
            Some(entry) if entry.declared_effect => {
                "write `idempotent: true` if twice is the same as once, or `effect: read` if it only looks"
            }
            _ => "write `idempotent: true` if twice is the same as once, or retry a check after it instead",
        };
        self.out.push(diagnostic.help(help));
    }

    /// The first change in a step that is not known to be harmless when repeated.
    fn not_repeatable(&self, step: &'a Step) -> Option<(Span, String)> {
        if step.idempotent == Some(true) || step.retry.as_ref().is_some_and(once) {
            return None;
        }
        match &step.body {
            Body::Module(call) => {
                let entry = self.entry(step)?;
                if effects::effect(step, call, entry, self.scope.system) == Some(Effect::Read) {
                    return None;
                }
                let idempotent = match step.idempotent {
                    Some(said) => said,
                    None if entry.declared_effect => false,
                    // Arguments that do not decode yet are judged when they are known.
                    None => effects::about(call, entry).is_none_or(|a| a.idempotent),
                };
                (!idempotent).then(|| (step.body_span, entry.name.to_string()))
            }
            Body::Block(b) => [&b.steps, &b.rescue, &b.always].into_iter().flatten().find_map(|s| self.not_repeatable(s)),
            Body::Parallel(children) => children.iter().find_map(|s| self.not_repeatable(s)),
            _ => None,
        }
    }
}

/// Whether a retry is one attempt.
fn once(retry: &Retry) -> bool {
    retry.attempts.as_ref().is_some_and(|a| a.is_literal() && a.skeleton().as_int() == Some(1))
}
