//! The live world's side of the door.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runbook_core::event::Event;
use runbook_core::module::{BoxFuture, Change, Cx, Effect, Fault, Host, Registry};
use runbook_core::path::StepPath;
use runbook_core::value::{Value, from_json};
use runbook_core::world::{Answer, Call, Held, Question, Reply, StopReason, World};

use super::answers::{Answers, Operator};
use super::host::LiveHost;
use super::tries;
use crate::lock::{Holder, Lock};
use crate::signals::Stop;
use crate::sink::Sink;

/// How much longer than its limit a module may take to end itself before it is dropped.
const LEEWAY: Duration = Duration::from_secs(5);

/// What a live world is made of.
pub struct LiveOptions {
    /// The modules.
    pub registry: Registry,
    /// The machine.
    pub host: Arc<LiveHost>,
    /// Where events go.
    pub sink: Arc<Sink>,
    /// The stop that signals ask for.
    pub stop: Stop,
    /// Answers given beforehand.
    pub answers: Answers,
    /// The person at the prompt, if there is one.
    pub operator: Option<Box<dyn Operator>>,
    /// The project root.
    pub root: PathBuf,
    /// The state folder.
    pub state: PathBuf,
    /// Who this is to those who wait for a lock of this run.
    pub holder: Holder,
    /// How long to wait for a lock whose author does not say it.
    pub lock_wait: Duration,
    /// The lock that the run holds already.
    pub held: Option<String>,
}

/// The live world.
pub struct LiveWorld {
    options: LiveOptions,
}

impl LiveWorld {
    /// A live world.
    pub fn new(options: LiveOptions) -> Self {
        LiveWorld { options }
    }

    /// Ids of answers that were given and asked for by nothing.
    pub fn unused_answers(&self) -> Vec<String> {
        self.options.answers.unused()
    }

    /// Tells an event; if the journal is lost, the run stops before it begins anything else.
    fn tell(&self, event: Event, durable: bool) -> Result<(), String> {
        self.options.sink.record(Timestamp::now(), event, durable).map_err(|lost| {
            if self.options.stop.reason().is_none() {
                self.options.stop.ask(StopReason::Journal);
            }
            lost.0
        })
    }

    /// Looks what a call would do.
    async fn look_ahead(&self, call: &Call) -> Answer {
        let o = &self.options;
        let Some(entry) = o.registry.get(&call.module) else {
            return Answer::Invalid { message: format!("there is no module `{}`", call.module), argument: None };
        };
        let args = match call.args.reveal() {
            Ok(args) => args,
            Err(unknown) => return Answer::Undecided { reason: format!("an argument is not known: {}", unknown.reason) },
        };
        let mut cx = Cx::new(&*o.host, call.path.as_str(), &o.root, &o.state);
        cx.timeout = call.timeout.map(|t| Duration::try_from(t).unwrap_or_default());
        cx.read_commands = &call.read_commands;
        let looked = tokio::select! {
            looked = entry.plan(args, &cx) => looked,
            () = self.hard_stop() => return Answer::Cancelled,
        };
        match looked {
            Ok(forecast) => Answer::Planned { forecast },
            Err(Fault::Unmet { message, result }) => Answer::Unmet { message, result: from_json(result) },
            Err(Fault::TimedOut { result, .. }) => {
                Answer::TimedOut { after: call.timeout.unwrap_or_default(), result: from_json(result) }
            }
            Err(Fault::CannotTell { message }) => Answer::CannotTell { message },
            Err(Fault::Refused { message }) => Answer::Refused { message },
            Err(Fault::Invalid { message, argument }) => Answer::Invalid { message, argument },
        }
    }

    async fn call(&self, call: &Call) -> Answer {
        let o = &self.options;
        let Some(entry) = o.registry.get(&call.module) else {
            return Answer::Invalid { message: format!("there is no module `{}`", call.module), argument: None };
        };
        let args = match call.args.reveal() {
            Ok(args) => args,
            Err(unknown) => return Answer::CannotTell { message: format!("an argument is not known: {}", unknown.reason) },
        };
        let mut cx = Cx::new(&*o.host, call.path.as_str(), &o.root, &o.state);
        let limit = call.timeout.map(|t| Duration::try_from(t).unwrap_or_default());
        cx.timeout = limit;
        cx.read_commands = &call.read_commands;
        // A declared read of a command goes through the door for looking; everything else that is not a probe may change things.
        let work = async {
            if call.effect == Effect::Read {
                entry.observe(args, &cx).await
            } else {
                entry.apply(args, &Change::permitted(cx)).await
            }
        };
        // The module ends itself at its limit, so that it can say what it saw; dropping it is the last resort.
        let result = match limit {
            Some(limit) => {
                let own_timing = entry.declared_effect;
                let hard = if own_timing { limit + LEEWAY } else { limit };
                tokio::select! {
                    result = work => Some(result),
                    () = tokio::time::sleep(hard) => None,
                    () = self.hard_stop() => return Answer::Cancelled,
                }
            }
            None => tokio::select! {
                result = work => Some(result),
                () = self.hard_stop() => return Answer::Cancelled,
            },
        };
        if !o.host.is_cleaning() && o.stop.reason().is_some() {
            // A command that our own stop ended has not failed; a look that was interrupted has not looked.
            let ended_by_us =
                matches!(&result, Some(Ok(reply)) if entry.declared_effect && !reply.result.field("signal").is_null());
            if ended_by_us || call.effect == Effect::Read {
                return Answer::Cancelled;
            }
        }
        match result {
            Some(Ok(reply)) => Answer::Done { result: reply.result, changed: reply.changed },
            Some(Err(Fault::Unmet { message, result })) => Answer::Unmet { message, result: from_json(result) },
            Some(Err(Fault::TimedOut { result, .. })) => {
                Answer::TimedOut { after: call.timeout.unwrap_or_default(), result: from_json(result) }
            }
            Some(Err(Fault::CannotTell { message })) => Answer::CannotTell { message },
            Some(Err(Fault::Refused { message })) => Answer::Refused { message },
            Some(Err(Fault::Invalid { message, argument })) => Answer::Invalid { message, argument },
            None => Answer::TimedOut { after: call.timeout.unwrap_or_default(), result: Value::Null },
        }
    }

    /// Resolves when a call must be dropped: a while after a stop was asked for, so that it can end by itself first.
    async fn hard_stop(&self) {
        if self.options.host.is_cleaning() {
            return std::future::pending().await;
        }
        self.options.stop.asked().await;
        tokio::time::sleep(LEEWAY).await;
    }
}

impl World for LiveWorld {
    fn perform<'a>(&'a self, call: Call) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let changes = call.effect > Effect::Read;
            let refused = |message: String| Answer::Refused { message };
            if let Some(lost) = self.options.sink.lost() {
                return refused(lost);
            }
            if changes {
                let intent = Event::Intent {
                    path: call.path.clone(),
                    attempt: call.attempt,
                    module: call.module.clone(),
                    args: if call.sensitive { Value::Null } else { call.args.clone() },
                    effect: call.effect,
                    touches: call.touches.clone(),
                    idempotent: call.idempotent,
                };
                // No effect without a durable intent.
                if let Err(lost) = self.tell(intent, true) {
                    return refused(lost);
                }
            }
            tracing::debug!(path = %call.path, module = %call.module, attempt = call.attempt, effect = %call.effect, "call");
            let mut ended = Ended { world: self, call: &call, told: false };
            let answer = self.call(&call).await;
            ended.told = true;
            ended.tell(if call.sensitive { hidden(&answer) } else { answer.clone() });
            answer
        })
    }

    fn plan<'a>(&'a self, call: Call) -> BoxFuture<'a, Answer> {
        Box::pin(async move { self.look_ahead(&call).await })
    }

    fn ask<'a>(&'a self, question: Question) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            if !question.anew
                && let Some(reply) = self.options.answers.find(&question)
            {
                return reply;
            }
            let Some(operator) = &self.options.operator else {
                return Reply::NobodyThere { how: Answers::flag_for(&question) };
            };
            let stop = async {
                if self.options.host.is_cleaning() { std::future::pending().await } else { self.options.stop.asked().await }
            };
            let limit = async {
                match question.timeout {
                    Some(t) => tokio::time::sleep(Duration::try_from(t).unwrap_or_default()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                reply = operator.ask(&question) => reply,
                _ = stop => Reply::Cancelled,
                () = limit => Reply::TimedOut,
            }
        })
    }

    fn given(&self, question: &Question, _settled: bool) -> Option<Reply> {
        self.options.answers.find(question)
    }

    fn is_attended(&self) -> bool {
        self.options.operator.is_some()
    }

    fn tries_of(&self, remedy: &str) -> Vec<Timestamp> {
        tries::tries_of(&self.options.state, remedy)
    }

    fn remember_try(&self, remedy: &str) -> Result<(), String> {
        let o = &self.options;
        tries::remember(&o.state, remedy, Timestamp::now(), &o.holder.run, false)
            .map_err(|error| format!("{} cannot be written: {error}", o.state.display()))
    }

    fn take_try_back(&self, remedy: &str) {
        // What cannot be taken back counts: a remedy runs too seldom rather than too often.
        let _ = tries::remember(&self.options.state, remedy, Timestamp::now(), &self.options.holder.run, true);
    }

    fn lock<'a>(&'a self, name: &'a str, wait: Option<SignedDuration>) -> BoxFuture<'a, Result<Held, String>> {
        Box::pin(async move {
            let o = &self.options;
            if o.held.as_deref() == Some(name) {
                return Ok(Box::new(()) as Held);
            }
            let wait = wait.and_then(|w| Duration::try_from(w).ok()).unwrap_or(o.lock_wait);
            let (locks, name, holder) = (o.state.join("locks"), name.to_owned(), o.holder.clone());
            let taking =
                tokio::task::spawn_blocking(move || Lock::take(&locks, &name, &holder, wait).map_err(|error| error.words(&name)));
            let lock = taking.await.map_err(|error| error.to_string())??;
            Ok(Box::new(lock) as Held)
        })
    }

    fn sleep<'a>(&'a self, _path: &'a StepPath, duration: SignedDuration) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let duration = Duration::try_from(duration).unwrap_or_default();
            if self.options.host.is_cleaning() {
                tokio::time::sleep(duration).await;
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(duration) => {}
                _ = self.options.stop.asked() => {}
            }
        })
    }

    fn now(&self) -> Timestamp {
        self.options.host.now()
    }

    fn random(&self) -> f64 {
        // Spreads retries; nothing rests on its quality.
        let nanos = Timestamp::now().subsec_nanosecond().unsigned_abs();
        f64::from(nanos % 1000) / 1000.0
    }

    fn emit(&self, event: Event) {
        // The start is durable with the first intent, before the first effect.
        let durable = matches!(event, Event::RunFinished { .. });
        let _ = self.tell(event, durable);
    }

    fn stop_reason(&self) -> Option<StopReason> {
        self.options.stop.reason()
    }

    fn stopped(&self) -> BoxFuture<'_, StopReason> {
        Box::pin(self.options.stop.asked())
    }

    fn begin_cleanup(&self) {
        self.options.host.begin_cleanup();
    }

    fn learn_secret(&self, name: &str, value: &str) {
        self.options.sink.redactor().learn(name, value);
    }
}

/// Tells a call's end even when the call is dropped.
struct Ended<'a> {
    world: &'a LiveWorld,
    call: &'a Call,
    told: bool,
}

impl Ended<'_> {
    fn tell(&self, answer: Answer) {
        let event = Event::Returned {
            path: self.call.path.clone(),
            attempt: self.call.attempt,
            module: self.call.module.clone(),
            effect: self.call.effect,
            answer,
        };
        let _ = self.world.tell(event, self.call.effect > Effect::Read);
    }
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.tell(Answer::Cancelled);
        }
    }
}

/// What is recorded of a sensitive call.
fn hidden(answer: &Answer) -> Answer {
    match answer {
        Answer::Done { changed, .. } => Answer::Done { result: Value::Null, changed: *changed },
        Answer::Unmet { .. } => Answer::Unmet { message: "kept out by `sensitive`".into(), result: Value::Null },
        Answer::TimedOut { after, .. } => Answer::TimedOut { after: *after, result: Value::Null },
        other => other.clone(),
    }
}
