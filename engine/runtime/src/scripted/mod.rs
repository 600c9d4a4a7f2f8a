//! The scripted world: outcomes of modules and answers of people by script, on a virtual clock. Nothing real is touched.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use runbook_core::event::Event;
use runbook_core::module::{BoxFuture, Effect};
use runbook_core::path::StepPath;
use runbook_core::value::{Value, equal};
use runbook_core::world::{Answer, Call, Origin, Question, QuestionKind, Reply, StopReason, World};

use crate::interp::locked;

/// What a scripted call comes to.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// The module it is for.
    pub module: String,
    /// Arguments that the call must have; others may be anything.
    pub args: Vec<(String, Value)>,
    /// Outcomes in order; the last one repeats.
    pub answers: Vec<Answer>,
    /// How long the call takes.
    pub takes: SignedDuration,
}

impl Scripted {
    /// A module that gives these fields, whatever it is called with.
    pub fn gives<K: Into<String>>(module: &str, fields: impl IntoIterator<Item = (K, Value)>) -> Self {
        let answer = Answer::Done { result: Value::map(fields), changed: false };
        Scripted { module: module.into(), args: Vec::new(), answers: vec![answer], takes: SignedDuration::ZERO }
    }

    /// Only calls with this argument.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.args.push((name.to_owned(), value));
        self
    }

    /// These outcomes in order; the last one repeats.
    pub fn in_turn(mut self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.answers = answers.into_iter().collect();
        self
    }

    /// The call takes so long, on the virtual clock.
    pub fn taking(mut self, takes: SignedDuration) -> Self {
        self.takes = takes;
        self
    }
}

/// The scripted world. Run it on a current-thread runtime whose time is paused: time passes when everything waits.
pub struct ScriptedWorld {
    rules: Mutex<Vec<(Scripted, usize)>>,
    answers: Vec<(String, String)>,
    began: tokio::time::Instant,
    epoch: Timestamp,
    /// Every call in order.
    pub calls: Mutex<Vec<Call>>,
    /// Every question in order.
    pub asked: Mutex<Vec<Question>>,
    /// Every event in order.
    pub events: Mutex<Vec<Event>>,
    stop: crate::signals::Stop,
}

impl ScriptedWorld {
    /// A world with these rules and these answers by question id.
    pub fn new(rules: impl IntoIterator<Item = Scripted>, answers: impl IntoIterator<Item = (String, String)>) -> Self {
        ScriptedWorld {
            rules: Mutex::new(rules.into_iter().map(|r| (r, 0)).collect()),
            answers: answers.into_iter().collect(),
            began: tokio::time::Instant::now(),
            epoch: "2026-01-05T10:00:00Z".parse().unwrap_or(Timestamp::UNIX_EPOCH),
            calls: Mutex::default(),
            asked: Mutex::default(),
            events: Mutex::default(),
            stop: crate::signals::Stop::default(),
        }
    }

    /// The stop that a test may ask for.
    pub fn stop(&self) -> &crate::signals::Stop {
        &self.stop
    }

    /// How much virtual time has passed.
    pub fn elapsed(&self) -> SignedDuration {
        SignedDuration::try_from(self.began.elapsed()).unwrap_or_default()
    }

    fn find(&self, call: &Call) -> Option<(Answer, SignedDuration)> {
        let mut rules = locked(&self.rules);
        let (rule, used) = rules.iter_mut().find(|(rule, _)| {
            rule.module == call.module && rule.args.iter().all(|(k, v)| equal(&call.args.field(k), v) == Ok(true))
        })?;
        let answer = rule.answers.get((*used).min(rule.answers.len().saturating_sub(1)))?.clone();
        *used += 1;
        Some((answer, rule.takes))
    }
}

impl World for ScriptedWorld {
    fn perform<'a>(&'a self, call: Call) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            locked(&self.calls).push(call.clone());
            if call.effect > Effect::Read {
                self.emit(Event::Intent {
                    path: call.path.clone(),
                    attempt: call.attempt,
                    module: call.module.clone(),
                    args: call.args.clone(),
                    effect: call.effect,
                    touches: call.touches.clone(),
                    idempotent: call.idempotent,
                });
            }
            let Some((answer, takes)) = self.find(&call) else {
                return Answer::Refused { message: format!("the test's world has no outcome for `{}`", call.module) };
            };
            let limit = call.timeout.filter(|limit| *limit < takes);
            self.sleep(&call.path, limit.unwrap_or(takes)).await;
            match limit {
                Some(after) => Answer::TimedOut { after, result: Value::Null },
                None => answer,
            }
        })
    }

    fn ask<'a>(&'a self, question: Question) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            locked(&self.asked).push(question.clone());
            match self.answers.iter().find(|(id, _)| *id == question.id) {
                Some((_, text)) => match (&question.kind, text.as_str()) {
                    (QuestionKind::Confirm | QuestionKind::ConfirmWord { .. } | QuestionKind::Override, "no") => {
                        Reply::Declined { origin: Origin::Test }
                    }
                    (QuestionKind::Override, reason) => {
                        Reply::Given { value: Value::Bool(true), note: Some(reason.to_owned()), origin: Origin::Test }
                    }
                    (_, text) => Reply::Given { value: Value::str(text), note: None, origin: Origin::Test },
                },
                None => Reply::NobodyThere { how: format!("answer `{}` in the test", question.id) },
            }
        })
    }

    fn sleep<'a>(&'a self, _path: &'a StepPath, duration: SignedDuration) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let duration = std::time::Duration::try_from(duration).unwrap_or_default();
            if duration.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(duration) => {}
                _ = self.stop.asked() => {}
            }
        })
    }

    fn now(&self) -> Timestamp {
        self.epoch + self.elapsed()
    }

    fn random(&self) -> f64 {
        0.5
    }

    fn emit(&self, event: Event) {
        locked(&self.events).push(event);
    }

    fn stop_reason(&self) -> Option<StopReason> {
        self.stop.reason()
    }

    fn stopped(&self) -> BoxFuture<'_, StopReason> {
        Box::pin(self.stop.asked())
    }

    fn begin_cleanup(&self) {}
}
