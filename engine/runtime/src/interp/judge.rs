//! Judging an answer: the module's default verdict, or the lines of `expect`, with what they saw.

use std::sync::Arc;

use runbook_core::event::{CheckLine, Outcome};
use runbook_core::expr::{Expr, Scope, Template};
use runbook_core::model::Step;
use runbook_core::module::Entry;
use runbook_core::span::{SourceId, Span, TextMap};
use runbook_core::value::{Map, Value, format_duration};
use runbook_core::world::Answer;

use super::flow::{Abort, Pass};
use super::frame::Env;
use super::own::Own;
use super::scope::View;
use super::{Interpreter, ModuleText, locked};

/// How many lines of a failed command's output are kept for people.
const OUTPUT_LINES: usize = 20;

impl Interpreter<'_> {
    /// What an answer comes to under the step's expectations.
    pub(crate) fn judge(&self, step: &Step, entry: &Entry, answer: Answer, env: &Env) -> Pass {
        let mut pass = match answer {
            Answer::Done { result, changed } => {
                let mut pass = Pass::ok("");
                pass.result = fields(result);
                pass.changed = changed;
                pass.touched = changed;
                self.expectations(step, Some(entry), env, &mut pass);
                if pass.outcome == Outcome::Ok && changed {
                    pass.outcome = Outcome::Changed;
                }
                pass
            }
            Answer::Unmet { message, result } => {
                let mut pass = Pass::failed(message.clone());
                pass.result = fields(result);
                pass.result.insert("error".into(), Value::str(&message));
                // A step may expect the very thing: `expect: error == 'connection refused'`.
                if !step.expect.is_empty() {
                    pass.outcome = Outcome::Ok;
                    self.expectations(step, Some(entry), env, &mut pass);
                    if pass.outcome != Outcome::Ok {
                        pass.outcome = Outcome::Failed;
                        pass.message = message;
                    }
                }
                pass
            }
            Answer::TimedOut { after, result } => {
                let mut pass = Pass::failed(format!("timed out after {}", format_duration(after)));
                pass.result = fields(result);
                pass.timed_out = true;
                pass.touched = true;
                pass
            }
            Answer::CannotTell { message } => Pass::unknown(message),
            Answer::Invalid { message, argument } => Pass::broken(match argument {
                Some(argument) => format!("argument `{argument}`: {message}"),
                None => message,
            }),
            Answer::Refused { message } => Pass::broken(message),
            Answer::Planned { forecast } => {
                let changed = forecast.would_change;
                let outcome = if changed { Outcome::Changed } else { Outcome::Ok };
                let said = if forecast.summary.is_empty() { forecast.because } else { forecast.summary };
                return Pass { planned: true, changed, outcome, ..Pass::ok(said) };
            }
            Answer::Undecided { reason } => return Pass::undecided(reason),
            Answer::Cancelled => Pass::abort(Abort::Stopped, "stopped"),
        };
        if !pass.outcome.is_good() {
            pass.output = output_tail(&pass.result);
        } else if pass.message.is_empty() {
            pass.message = self.says(entry, &pass.result, env);
        }
        pass
    }

    /// Holds a good pass to the step's expectations, or to its module's default verdict.
    pub(crate) fn expectations(&self, step: &Step, entry: Option<&Entry>, env: &Env, pass: &mut Pass) {
        let error = if pass.outcome.is_good() { Value::Null } else { Value::str(&pass.message) };
        let own = self.own_of(step, &pass.result, pass.changed, error);
        let view = View { env, own: Some(&own), now: self.world.now() };
        if step.expect.is_empty() {
            let Some(text) = entry.and_then(|e| self.module_text(e)) else { return };
            let line = look(&text.verdict, &view);
            match line.held {
                Some(true) => {}
                Some(false) => {
                    pass.outcome = Outcome::Failed;
                    pass.message = match own.get("error").as_ref().and_then(Value::as_str) {
                        Some(error) => error.to_owned(),
                        None => told(&line),
                    };
                    pass.checks.push(line);
                }
                None => {
                    pass.outcome = Outcome::Unknown;
                    pass.undecided = line.unknown;
                    pass.message = told(&line);
                }
            }
            return;
        }
        for expr in &step.expect {
            pass.checks.push(look(expr, &view));
        }
        let wrong = pass.checks.iter().find(|l| l.held == Some(false)).or_else(|| pass.checks.iter().find(|l| l.held.is_none()));
        if let Some(line) = wrong {
            // An expression that cannot be evaluated is unknown in a checklist; a procedure must not go on after it either way.
            pass.outcome = if line.held.is_none() { Outcome::Unknown } else { Outcome::Failed };
            pass.undecided = line.held.is_none() && line.unknown;
            pass.message = told(line);
        }
    }

    /// A module's verdict and one-line text, parsed once.
    pub(crate) fn module_text(&self, entry: &Entry) -> Option<Arc<ModuleText>> {
        if let Some(text) = locked(&self.verdicts).get(&*entry.name) {
            return Some(text.clone());
        }
        let verdict = Expr::parse_standalone(&entry.verdict).ok()?;
        let map = Arc::new(TextMap::contiguous(0));
        let says = (!entry.says.is_empty())
            .then(|| Template::parse(&entry.says, Span::default(), SourceId::default(), &map).ok())
            .flatten();
        let text = Arc::new(ModuleText { verdict, says });
        locked(&self.verdicts).insert(entry.name.to_string(), text.clone());
        Some(text)
    }

    fn says(&self, entry: &Entry, result: &Map, env: &Env) -> String {
        let Some(text) = self.module_text(entry) else { return String::new() };
        let Some(says) = &text.says else { return String::new() };
        says.render(&View { env, own: Some(&Own::said(result)), now: self.world.now() })
            .map(|v| v.to_string())
            .unwrap_or_default()
    }
}

/// Evaluates one line and keeps what it saw.
fn look(expr: &Expr, scope: &dyn Scope) -> CheckLine {
    let (held, unknown, error) = match expr.eval(scope) {
        Ok(value) => match value.truth() {
            Some(truth) => (Some(truth), false, None),
            None => (None, true, value.find_unknown().map(|u| u.reason.clone())),
        },
        Err(e) => (None, false, Some(e.message)),
    };
    let saw = if held == Some(true) { Vec::new() } else { expr.seen(scope) };
    CheckLine { text: expr.text.to_string(), held, saw, error, unknown }
}

/// A line as told to people: `status == 200   (status was 503)`.
pub(crate) fn told(line: &CheckLine) -> String {
    if let Some(error) = &line.error {
        return format!("{}   ({error})", line.text);
    }
    if line.saw.is_empty() {
        return line.text.clone();
    }
    let saw: Vec<String> = line.saw.iter().map(|s| format!("{} was {}", s.text, s.value)).collect();
    format!("{}   ({})", line.text, saw.join(", "))
}

fn fields(result: Value) -> Map {
    match result {
        Value::Map(map) => std::sync::Arc::try_unwrap(map).unwrap_or_else(|shared| (*shared).clone()),
        Value::Null => Map::new(),
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

/// The last lines of what a failed command said: standard error if it said anything there, else standard output.
fn output_tail(result: &Map) -> Vec<String> {
    let text =
        ["stderr", "stdout"].iter().find_map(|k| result.get(*k).filter(|v| v.as_str().is_some_and(|s| !s.trim().is_empty())));
    let Some(value) = text else {
        return result.get("log_tail").and_then(Value::as_list).unwrap_or_default().iter().map(ToString::to_string).collect();
    };
    if !value.all_secret_names().is_empty() {
        return vec![value.to_string()];
    }
    let text = value.to_string();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(OUTPUT_LINES)..].iter().map(|l| (*l).to_owned()).collect()
}
