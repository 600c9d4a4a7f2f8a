//! The scripted world's side of the door.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::future::{Either, select};
use jiff::{SignedDuration, Timestamp};
use runbook_core::event::Event;
use runbook_core::model::test::{PlayTest, TestAnswer, TurnAnswer};
use runbook_core::module::{BoxFuture, Effect, Forecast, Registry};
use runbook_core::path::StepPath;
use runbook_core::value::Value;
use runbook_core::world::{Answer, Call, Origin, Question, QuestionKind, Reply, StopReason, World};

use super::clock::{Clock, Stuck};
use super::result;
use super::rule::{Around, Outcome, Scripted};
use crate::interp::locked;
use crate::signals::Stop;

/// How long a change that is under way may still take when the run is asked to stop, as in the live world.
const LEEWAY: SignedDuration = SignedDuration::from_secs(5);
/// After so long a call without any other limit times out, if the test says that it does.
const TIMES_OUT: SignedDuration = SignedDuration::from_secs(10);
/// So many calls, questions and sleeps, or so many steps, are more than any playbook needs.
pub(crate) const MOST_MOVES: u32 = 250_000;

/// The scripted world. Run what walks in it with [`ScriptedWorld::run`]: time passes when everything waits.
pub struct ScriptedWorld {
    rules: Mutex<Vec<(Scripted, usize)>>,
    answers: Mutex<Vec<(String, Vec<TestAnswer>, usize)>>,
    /// The modules, where calls are answered as a test file says and those that it does not foresee are made up.
    registry: Option<Registry>,
    clock: Clock,
    epoch: Timestamp,
    /// Every call in order.
    pub calls: Mutex<Vec<Call>>,
    /// Calls that no rule answers.
    pub undeclared: Mutex<Vec<Call>>,
    /// Every question in order.
    pub asked: Mutex<Vec<Question>>,
    /// Every event in order.
    pub events: Mutex<Vec<Event>>,
    /// The remedies that were tried.
    tries: Mutex<Vec<(String, Timestamp)>>,
    /// The ids of the steps that were begun.
    begun: Mutex<HashMap<StepPath, Option<String>>>,
    stop: Stop,
    cleaning: AtomicBool,
    moves: AtomicU32,
    steps: AtomicU32,
}

impl ScriptedWorld {
    /// A world with these rules and these answers by question id; several of one id answer in turn, and the last goes on. A call that no
    /// rule answers is refused.
    pub fn new(rules: impl IntoIterator<Item = Scripted>, answers: impl IntoIterator<Item = (String, String)>) -> Self {
        let answer = |text: String| TestAnswer { value: Value::from(text), note: None, takes: SignedDuration::ZERO };
        let mut by_id: Vec<(String, Vec<TestAnswer>, usize)> = Vec::new();
        for (id, text) in answers {
            match by_id.iter_mut().find(|(known, ..)| *known == id) {
                Some((_, list, _)) => list.push(answer(text)),
                None => by_id.push((id, vec![answer(text)], 0)),
            }
        }
        ScriptedWorld {
            rules: Mutex::new(rules.into_iter().map(|r| (r, 0)).collect()),
            answers: Mutex::new(by_id),
            registry: None,
            clock: Clock::default(),
            epoch: "2026-01-05T10:00:00Z".parse().unwrap_or(Timestamp::UNIX_EPOCH),
            calls: Mutex::default(),
            undeclared: Mutex::default(),
            asked: Mutex::default(),
            events: Mutex::default(),
            begun: Mutex::default(),
            tries: Mutex::default(),
            stop: Stop::default(),
            cleaning: AtomicBool::new(false),
            moves: AtomicU32::new(0),
            steps: AtomicU32::new(0),
        }
    }

    /// The world of a test. A call that no rule answers is noted, and answered as if it had gone well.
    pub fn of(test: &PlayTest, registry: &Registry) -> Self {
        let mut world = ScriptedWorld::new(test.world.iter().map(Scripted::written), []);
        world.answers = Mutex::new(test.answers.iter().map(|(id, list)| (id.value.clone(), list.clone(), 0)).collect());
        world.registry = Some(registry.clone());
        if let Some(now) = test.now {
            world.epoch = now;
        }
        world
    }

    /// Runs what walks in this world to its end; `stop` asks it to stop after so long. Time passes when everything waits.
    ///
    /// # Errors
    /// It waits for something that never comes.
    pub fn run<F: Future>(&self, walk: F, stop: Option<(SignedDuration, StopReason)>) -> Result<F::Output, Stuck> {
        self.clock.run(async {
            let Some((after, reason)) = stop else { return walk.await };
            let (walk, alarm) = (std::pin::pin!(walk), std::pin::pin!(self.clock.sleep(std_duration(after))));
            match select(walk, alarm).await {
                Either::Left((output, _)) => output,
                Either::Right(((), walk)) => {
                    self.stop.ask(reason);
                    walk.await
                }
            }
        })
    }

    /// The stop that a test may ask for.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// How much virtual time has passed.
    pub fn elapsed(&self) -> SignedDuration {
        SignedDuration::try_from(self.clock.elapsed()).unwrap_or_default()
    }

    /// How often each rule was used, in their order.
    pub fn used(&self) -> Vec<usize> {
        locked(&self.rules).iter().map(|(_, used)| *used).collect()
    }

    /// The ids of answers that were not asked for.
    pub fn unused_answers(&self) -> Vec<String> {
        locked(&self.answers).iter().filter(|(_, _, used)| *used == 0).map(|(id, ..)| id.clone()).collect()
    }

    /// Whether it was ended because it came to no end by itself.
    pub fn exhausted(&self) -> bool {
        [&self.moves, &self.steps].into_iter().any(|n| n.load(Ordering::Relaxed) > MOST_MOVES)
    }

    /// The id of a step that was begun.
    pub fn id_of(&self, path: &StepPath) -> Option<String> {
        locked(&self.begun).get(path).cloned().flatten()
    }

    /// Counts a call, a question or a sleep; one too many stops the run.
    fn moved(&self) {
        self.count(&self.moves);
    }

    fn count(&self, moves: &AtomicU32) {
        if moves.fetch_add(1, Ordering::Relaxed) == MOST_MOVES {
            self.stop.ask(StopReason::TimeLimit);
        }
    }

    fn is_cleaning(&self) -> bool {
        self.cleaning.load(Ordering::Relaxed)
    }

    /// The steps around a call, innermost first.
    fn around(&self, path: &StepPath) -> Vec<Around> {
        let mut text = path.as_str();
        let begun = locked(&self.begun);
        let mut out = Vec::new();
        loop {
            if let Ok(path) = serde_json::from_value::<StepPath>(serde_json::Value::from(text)) {
                if let Some(id) = begun.get(&path) {
                    out.push(Around { path, id: id.clone() });
                } else if out.is_empty() {
                    // Checks of a service are no steps of their own.
                    out.push(Around { path, id: None });
                }
            }
            match text.rfind(['.', '@', '>', '#']) {
                Some(at) if at > 0 => text = &text[..at],
                _ => return out,
            }
        }
    }

    /// What a call comes to and how long it takes.
    fn find(&self, call: &Call) -> Option<(Answer, SignedDuration)> {
        let around = self.around(&call.path);
        let mut rules = locked(&self.rules);
        let (rule, used) = rules.iter_mut().find(|(rule, _)| rule.fits(call, &around))?;
        let n = *used;
        *used += 1;
        match rule.turn(n)? {
            Outcome::Exact(answer, takes) => Some((answer, takes)),
            Outcome::Written(turn) => {
                let entry = self.registry.as_ref()?.get(&call.module)?;
                let takes = match &turn.answer {
                    // It takes longer than it may; without any limit, than anybody would wait.
                    TurnAnswer::TimesOut => match (call.timeout, turn.takes) {
                        (Some(limit), takes) if takes.is_zero() => limit,
                        (Some(limit), takes) => limit.min(takes),
                        (None, takes) if takes.is_zero() => TIMES_OUT,
                        (None, takes) => takes,
                    },
                    _ => turn.takes,
                };
                Some((result::answer(turn, entry, call, takes), takes))
            }
        }
    }

    /// What is answered to a call that the test does not foresee.
    fn made_up(&self, call: &Call) -> Answer {
        let Some(entry) = self.registry.as_ref().and_then(|r| r.get(&call.module)) else {
            return Answer::Refused { message: format!("the test's world has no outcome for `{}`", call.module) };
        };
        // The engine's own look at a service between two looks at its readiness: without a rule nothing speaks against its being alive.
        if call.path.as_str().ends_with(".alive") {
            return Answer::CannotTell { message: "the test does not say".to_owned() };
        }
        locked(&self.undeclared).push(call.clone());
        let turn = runbook_core::model::test::Turn {
            answer: TurnAnswer::Returns(result::plausible(entry, &call.args)),
            changed: None,
            takes: SignedDuration::ZERO,
        };
        result::answer(&turn, entry, call, SignedDuration::ZERO)
    }

    /// Arguments that the module itself would refuse.
    fn refused(&self, call: &Call) -> Option<Answer> {
        let entry = self.registry.as_ref()?.get(&call.module)?;
        match call.args.reveal() {
            Err(unknown) => Some(Answer::CannotTell { message: format!("an argument is not known: {}", unknown.reason) }),
            Ok(args) => match entry.about(&args) {
                Err(fault) => Some(Answer::Invalid { message: fault.message().to_owned(), argument: None }),
                Ok(_) => None,
            },
        }
    }

    /// Lets a call take its time; an answer if it does not come to its end.
    async fn take(&self, call: &Call, takes: SignedDuration) -> Option<Answer> {
        let mut whole = self.clock.sleep(std_duration(takes));
        if self.is_cleaning() {
            whole.await;
            return None;
        }
        tokio::select! {
            biased;
            () = &mut whole => return None,
            _ = self.stop.asked() => {}
        }
        self.registry.as_ref()?;
        if self.is_ended_by_stop(call) {
            return Some(Answer::Cancelled);
        }
        match select(whole, self.clock.sleep(std_duration(LEEWAY))).await {
            Either::Left(_) => None,
            Either::Right(_) => Some(Answer::Cancelled),
        }
    }

    /// Whether a stop that was asked for ends a call: a look that was interrupted has not looked, and a command is ended; another change
    /// may finish what it began.
    fn is_ended_by_stop(&self, call: &Call) -> bool {
        let entry = self.registry.as_ref().and_then(|r| r.get(&call.module));
        let ends = entry.is_some_and(|e| call.effect == Effect::Read || e.declared_effect);
        ends && !self.is_cleaning() && self.stop.reason().is_some()
    }

    /// The next answer to a question.
    fn next_answer(&self, id: &str) -> Option<TestAnswer> {
        let mut answers = locked(&self.answers);
        let (_, list, used) = answers.iter_mut().find(|(known, ..)| known == id)?;
        let answer = list.get((*used).min(list.len().saturating_sub(1)))?.clone();
        *used += 1;
        Some(answer)
    }
}

impl World for ScriptedWorld {
    fn perform<'a>(&'a self, call: Call) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            self.moved();
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
            if let Some(answer) = self.refused(&call) {
                return answer;
            }
            let Some((answer, takes)) = self.find(&call) else { return self.made_up(&call) };
            let limit = call.timeout.filter(|limit| *limit < takes);
            if let Some(ended) = self.take(&call, limit.unwrap_or(takes)).await {
                return ended;
            }
            // As in the live world: what ends only after the stop was asked for has been interrupted.
            if self.is_ended_by_stop(&call) {
                return Answer::Cancelled;
            }
            match limit {
                Some(after) => Answer::TimedOut { after, result: Value::Null },
                None => answer,
            }
        })
    }

    /// What the rule for the call says it would come to, without its being called.
    fn plan<'a>(&'a self, call: Call) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let answer = self.find(&call).map_or_else(|| self.made_up(&call), |(answer, _)| answer);
            match answer {
                Answer::Done { changed: true, .. } => Answer::Planned { forecast: Forecast::would(call.module.as_str(), "") },
                Answer::Done { changed: false, .. } => Answer::Planned { forecast: Forecast::nothing("it is so already") },
                other => other,
            }
        })
    }

    fn ask<'a>(&'a self, question: Question) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            self.moved();
            locked(&self.asked).push(question.clone());
            let Some(answer) = self.next_answer(&question.id) else {
                return Reply::NobodyThere { how: format!("answer `{}` in the test", question.id) };
            };
            let limit = question.timeout.filter(|limit| *limit < answer.takes);
            let takes = self.clock.sleep(std_duration(limit.unwrap_or(answer.takes)));
            if self.is_cleaning() {
                takes.await;
            } else {
                tokio::select! {
                    biased;
                    () = takes => {}
                    _ = self.stop.asked() => return Reply::Cancelled,
                }
            }
            if limit.is_some() { Reply::TimedOut } else { reply(&question, answer) }
        })
    }

    fn tries_of(&self, remedy: &str) -> Vec<Timestamp> {
        locked(&self.tries).iter().filter(|(known, _)| known == remedy).map(|(_, at)| *at).collect()
    }

    fn remember_try(&self, remedy: &str) -> Result<(), String> {
        locked(&self.tries).push((remedy.to_owned(), self.now()));
        Ok(())
    }

    /// An answer outweighs what a probe says. Where a person would be asked anyhow, it is theirs.
    fn given(&self, question: &Question, settled: bool) -> Option<Reply> {
        settled.then(|| self.next_answer(&question.id)).flatten().map(|answer| reply(question, answer))
    }

    fn sleep<'a>(&'a self, _path: &'a StepPath, duration: SignedDuration) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.moved();
            if duration <= SignedDuration::ZERO {
                return;
            }
            let sleep = self.clock.sleep(std_duration(duration));
            if self.is_cleaning() {
                return sleep.await;
            }
            tokio::select! {
                biased;
                () = sleep => {}
                _ = self.stop.asked() => {}
            }
        })
    }

    fn now(&self) -> Timestamp {
        self.epoch.checked_add(self.elapsed()).unwrap_or(Timestamp::MAX)
    }

    fn random(&self) -> f64 {
        0.5
    }

    fn emit(&self, event: Event) {
        if let Event::StepStarted { path, id, .. } = &event {
            // A loop of steps that touch nothing must end too.
            self.count(&self.steps);
            locked(&self.begun).insert(path.clone(), id.clone());
        }
        locked(&self.events).push(event);
    }

    fn stop_reason(&self) -> Option<StopReason> {
        self.stop.reason()
    }

    fn stopped(&self) -> BoxFuture<'_, StopReason> {
        Box::pin(self.stop.asked())
    }

    fn begin_cleanup(&self) {
        self.cleaning.store(true, Ordering::Relaxed);
    }
}

fn std_duration(duration: SignedDuration) -> std::time::Duration {
    std::time::Duration::try_from(duration).unwrap_or_default()
}

/// An answer as the reply to a question of this kind.
fn reply(question: &Question, answer: TestAnswer) -> Reply {
    let TestAnswer { value, note, .. } = answer;
    let text = value.to_string();
    let origin = Origin::Test;
    let given = |value: Value, note: Option<String>| Reply::Given { value, note, origin };
    match &question.kind {
        QuestionKind::Confirm => match text.as_str() {
            "yes" | "y" | "true" => given(Value::Bool(true), note),
            "no" | "n" | "false" => Reply::Declined { origin },
            other => Reply::Unfit { message: format!("the answer to `{}` must be yes or no, found {other:?}", question.id) },
        },
        QuestionKind::ConfirmWord { word } => match text.as_str() {
            typed if typed == word => given(Value::Bool(true), note),
            "no" | "false" => Reply::Declined { origin },
            other => {
                Reply::Unfit { message: format!("the answer to `{}` must be its word `{word}`, found {other:?}", question.id) }
            }
        },
        QuestionKind::Override => match text.as_str() {
            "no" | "false" => Reply::Declined { origin },
            "yes" | "true" => given(Value::Bool(true), Some(note.unwrap_or_default())),
            _ => given(Value::Bool(true), Some(note.unwrap_or(text))),
        },
        QuestionKind::Manual if text == "later" => Reply::Later,
        QuestionKind::Node { choices, .. } if !choices.iter().any(|c| c.to_string() == text) => match text.as_str() {
            "back" => Reply::Back,
            "again" => Reply::Again,
            "skip" => Reply::Skipped { value: Value::str("unknown") },
            "later" => Reply::Later,
            _ => given(value, note),
        },
        QuestionKind::Remedy { .. } if text == "back" => Reply::Back,
        QuestionKind::Manual | QuestionKind::Ask { .. } | QuestionKind::Node { .. } | QuestionKind::Remedy { .. } => {
            given(value, note)
        }
    }
}
