//! People: confirmations, questions, manual steps and overrides.

use jiff::SignedDuration;
use runbook_core::event::{Event, Outcome};
use runbook_core::expr::Template;
use runbook_core::inputs;
use runbook_core::model::{AskBody, Body, Confirm, ParamType, Step};
use runbook_core::module::Effect;
use runbook_core::path::StepPath;
use runbook_core::value::Value;
use runbook_core::world::{Question, QuestionKind, Reply};

use super::Interpreter;
use super::flow::{Abort, Pass};
use super::frame::Env;

/// How many items of a loop are listed in a confirmation.
const LISTED: usize = 20;

impl Interpreter<'_> {
    /// Asks before a step runs, if it must be asked. `None` means: go on.
    pub(crate) async fn confirm(
        &self,
        step: &Step,
        env: &Env,
        path: &StepPath,
        effect: Effect,
        items: &[String],
    ) -> Option<Pass> {
        let now = self.world.now();
        let kind = match &step.confirm {
            Some(Confirm::Type(word)) => match self.text(word, env, now) {
                Ok(word) => QuestionKind::ConfirmWord { word: word.to_string() },
                Err(trouble) => return Some(Pass::failed(self.told(&trouble))),
            },
            // Every destroy step has an implicit confirm; what is lost is typed.
            _ if effect == Effect::Destroy => QuestionKind::ConfirmWord { word: self.question_id(step, path) },
            Some(_) => QuestionKind::Confirm,
            None => return None,
        };
        let mut details = self.rendered_lines(step, env);
        if !items.is_empty() {
            details.push(format!(
                "for {} items: {}",
                items.len(),
                items.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ")
            ));
            if items.len() > LISTED {
                details.push(format!("and {} more", items.len() - LISTED));
            }
        }
        let word = if effect == Effect::Destroy { "This destroys something: run" } else { "Run" };
        let question = Question {
            path: path.clone(),
            id: self.question_id(step, path),
            kind,
            text: format!("{word} {}?", self.name_of(step, env)),
            details,
            timeout: None,
            anew: false,
        };
        match self.put(question).await {
            Reply::Given { .. } => None,
            // A word that does not fit is a no: nothing that rescues a failure may take it for one.
            Reply::Unfit { message } => {
                Some(Pass::abort(Abort::Declined { step: self.question_id(step, path), why: Some(message.clone()) }, message))
            }
            other => Some(self.unanswered(&self.question_id(step, path), other)),
        }
    }

    /// The id under which an answer is given beforehand.
    pub(crate) fn question_id(&self, step: &Step, path: &StepPath) -> String {
        step.id.as_ref().map_or_else(|| path.to_string(), |id| id.value.clone())
    }

    /// The command or arguments of a step, as shown before it is confirmed.
    pub(crate) fn rendered_lines(&self, step: &Step, env: &Env) -> Vec<String> {
        let Body::Module(call) = &step.body else { return Vec::new() };
        let Ok(args) = self.render(&call.args, env, self.world.now()) else { return Vec::new() };
        let Some(map) = args.as_map() else { return Vec::new() };
        map.iter()
            .map(|(key, value)| match (key.as_str(), value) {
                ("argv", Value::List(words)) => {
                    let words: Vec<String> = words.iter().map(|w| runbook_core::expr::shell_quote(&w.to_string())).collect();
                    format!("$ {}", words.join(" "))
                }
                ("script", script) => format!("$ {script}"),
                (key, value) => format!("{key}: {value}"),
            })
            .collect()
    }

    /// Puts a question and records it with its answer.
    pub(crate) async fn put(&self, question: Question) -> Reply {
        let (path, id) = (question.path.clone(), question.id.clone());
        let secret = matches!(&question.kind, QuestionKind::Ask { answer_type, .. } if answer_type == "secret");
        self.emit(Event::Asked { path: path.clone(), id: id.clone(), text: question.text.clone() });
        let mut reply = self.world.ask(question).await;
        if let Reply::Given { value, .. } = &mut reply
            && secret
        {
            // Before anybody is told of the answer.
            if let Some(text) = value.as_str() {
                self.world.learn_secret(&id, text);
            }
            *value = std::mem::take(value).into_secret(&id);
        }
        self.emit(Event::Replied { path, id, reply: reply.clone() });
        reply
    }

    pub(crate) fn unanswered(&self, id: &str, reply: Reply) -> Pass {
        let step = id.to_owned();
        match reply {
            Reply::Declined { .. } => Pass::abort(Abort::Declined { step, why: None }, "declined by the operator"),
            Reply::NobodyThere { how } => Pass::abort(
                Abort::NeedsInput { step, how: how.clone() },
                format!("an answer is needed and nobody is there to give it; give it with {how}"),
            ),
            Reply::Later => Pass::abort(Abort::Parked { step }, "left for later"),
            Reply::TimedOut => Pass { timed_out: true, ..Pass::failed("nobody answered in time") },
            Reply::Unfit { message } => Pass::failed(message),
            Reply::Cancelled => Pass::abort(Abort::Stopped, "stopped at a question"),
            Reply::Given { .. } | Reply::Skipped { .. } | Reply::Back | Reply::Again => Pass::ok(""),
        }
    }

    /// An `ask` step: a typed question.
    pub(crate) async fn ask(
        &self,
        step: &Step,
        ask: &AskBody,
        env: &Env,
        path: &StepPath,
        limit: Option<SignedDuration>,
    ) -> Pass {
        let now = self.world.now();
        let choices = match ask.choices.as_ref().map(|c| self.render(c, env, now)).transpose() {
            Ok(choices) => match choices.as_ref().map(Value::bare) {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::List(items)) => items.to_vec(),
                Some(Value::Map(map)) => map.keys().map(Value::str).collect(),
                Some(other) => return Pass::failed(format!("`choices` must be a list, found {}", other.kind())),
            },
            Err(trouble) => return Pass::failed(self.told(&trouble)),
        };
        let default = match ask.default.as_ref().map(|d| self.render(d, env, now)).transpose() {
            Ok(default) => default.filter(|d| !d.is_null()),
            Err(trouble) => return Pass::failed(self.told(&trouble)),
        };
        let id = self.question_id(step, path);
        let question = Question {
            path: path.clone(),
            id: id.clone(),
            kind: QuestionKind::Ask { answer_type: ask.ty.word().to_owned(), choices: choices.clone(), default },
            text: self.label(&ask.question, env, now),
            details: Vec::new(),
            timeout: limit,
            anew: false,
        };
        match self.put(question).await {
            Reply::Given { value: Value::Unknown(unknown), .. } => {
                let mut pass = Pass::undecided(unknown.reason.clone());
                pass.answer = Value::Unknown(unknown);
                pass
            }
            Reply::NobodyThere { how } => {
                let names: Vec<String> = choices.iter().map(ToString::to_string).collect();
                let among = if names.is_empty() { String::new() } else { format!(" (one of {})", names.join(", ")) };
                let mut pass = self.unanswered(&id, Reply::NobodyThere { how });
                pass.message.push_str(&among);
                pass
            }
            Reply::Given { value, note, .. } => {
                let typed = match (&value, ask.ty) {
                    (Value::Str(text), ty) => inputs::from_text(ty, text),
                    (_, ty) => inputs::typed(ty, value.clone()),
                };
                match typed {
                    Ok(value)
                        if choices.is_empty() || choices.iter().any(|c| runbook_core::value::equal(c, &value) == Ok(true)) =>
                    {
                        let value = if ask.ty == ParamType::Secret { value.into_secret(&id) } else { value };
                        let mut pass = Pass::ok(format!("answered {value}"));
                        pass.result.insert("answer".into(), value.clone());
                        pass.answer = value;
                        pass.note = note.into();
                        pass
                    }
                    Ok(value) => {
                        let names: Vec<String> = choices.iter().map(ToString::to_string).collect();
                        Pass::failed(format!("the answer {value} is not one of {}", names.join(", ")))
                    }
                    Err(error) => Pass::failed(format!("the answer does not fit: {}", error.message)),
                }
            }
            other => self.unanswered(&id, other),
        }
    }

    /// A `manual` step: something a person does.
    pub(crate) async fn manual(
        &self,
        step: &Step,
        text: &Template,
        env: &Env,
        path: &StepPath,
        limit: Option<SignedDuration>,
    ) -> Pass {
        let now = self.world.now();
        let id = self.question_id(step, path);
        let question = Question {
            path: path.clone(),
            id: id.clone(),
            kind: QuestionKind::Manual,
            text: self.label(text, env, now),
            details: step.links.iter().map(|l| format!("{}: {}", l.title, l.url)).collect(),
            timeout: limit,
            anew: false,
        };
        match self.put(question).await {
            Reply::Given { value: Value::Unknown(unknown), .. } => Pass::undecided(unknown.reason.clone()),
            Reply::Given { value, note, .. } => {
                let word = value.to_string();
                let mut pass = match word.as_str() {
                    "done" => Pass { outcome: Outcome::Changed, changed: true, ..Pass::ok("done by the operator") },
                    "skip" | "skipped" => Pass::skipped("skipped by the operator"),
                    "failed" => Pass::failed("marked as failed by the operator"),
                    "later" => return self.unanswered(&id, Reply::Later),
                    other => Pass::failed(format!("the answer {other} is not one of done, skip, failed, later")),
                };
                if let Some(note) = &note {
                    pass.message = format!("{}: {note}", pass.message);
                }
                pass.answer = value;
                pass.note = note.into();
                pass
            }
            // In a checklist a manual item with nobody there is unknown.
            Reply::NobodyThere { how } if env.rows => Pass::unknown(format!("nobody is there to look; answer it with {how}")),
            other => self.unanswered(&id, other),
        }
    }

    /// Offers the operator to accept a failed check, with a reason that is recorded.
    pub(crate) async fn offer_override(&self, step: &Step, env: &Env, path: &StepPath, pass: &mut Pass) {
        let id = format!("{}.override", self.question_id(step, path));
        let question = Question {
            path: path.clone(),
            id,
            kind: QuestionKind::Override,
            text: format!("{} did not hold: {}. Accept it all the same?", self.name_of(step, env), pass.message),
            details: Vec::new(),
            timeout: None,
            anew: false,
        };
        if let Reply::Given { note, .. } = self.put(question).await {
            let reason = note.unwrap_or_default();
            pass.outcome = Outcome::Ok;
            pass.message = format!("accepted by the operator although: {} (reason: {reason})", pass.message);
            pass.note = Value::str(&reason);
        }
    }
}
