//! The dry world: reads really look, changes are only planned by their modules, and nobody is asked.
//!
//! There is no way from here to a module's `apply`: a change goes to [`World::plan`] of the world behind, and to nothing else.

mod rows;

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use runbook_core::event::Event;
use runbook_core::module::{BoxFuture, Effect, Resource};
use runbook_core::path::StepPath;
use runbook_core::rehearsal::DryRow;
use runbook_core::value::Value;
use runbook_core::world::{Answer, Call, Question, QuestionKind, Reply, StopReason, World};

use rows::Rows;

/// A world in which nothing changes, in front of one that can look.
pub struct DryWorld<'w> {
    behind: &'w dyn World,
    /// Whether the world behind is told what happens: it is when the dry run is the run itself, and not a part of one.
    tells: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What would be changed so far, each with the step that would.
    changed: Vec<(Resource, String)>,
    rows: Rows,
}

impl<'w> DryWorld<'w> {
    /// A dry world that looks through another one.
    pub fn new(behind: &'w dyn World) -> Self {
        DryWorld { behind, tells: false, state: Mutex::default() }
    }

    /// A dry world that looks through another one, which is told what happens: the dry run of a whole playbook.
    pub fn of_a_run(behind: &'w dyn World) -> Self {
        DryWorld { tells: true, ..DryWorld::new(behind) }
    }

    /// What was found out, a row a step.
    pub fn rows(&self) -> Vec<DryRow> {
        self.state().rows.told()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The step that would change what a call reads.
    fn changed_before(&self, call: &Call) -> Option<String> {
        let state = self.state();
        let reads = |resource: &Resource| call.touches.reads.iter().any(|read| resource.overlaps(read));
        state.changed.iter().find(|(resource, _)| reads(resource)).map(|(_, by)| by.clone())
    }

    /// The step that would change what a change starts from, and whether it is the very thing, so that what was looked at says nothing.
    fn begins_after(&self, call: &Call) -> Option<(String, bool)> {
        let state = self.state();
        let touched = || call.touches.reads.iter().chain(&call.touches.changes);
        let same = state.changed.iter().find(|(resource, _)| touched().any(|t| t == resource));
        let near = || state.changed.iter().find(|(resource, _)| touched().any(|t| resource.overlaps(t)));
        same.map(|(_, by)| (by.clone(), true)).or_else(|| near().map(|(_, by)| (by.clone(), false)))
    }
}

impl World for DryWorld<'_> {
    fn perform<'a>(&'a self, call: Call) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            if call.effect == Effect::Read {
                return match self.changed_before(&call) {
                    Some(by) => Answer::Undecided { reason: format!("it reads what `{by}` would have changed") },
                    None => self.behind.perform(call).await,
                };
            }
            let (path, attempt, module) = (call.path.clone(), call.attempt, call.module.clone());
            let (touches, effect) = (call.touches.clone(), call.effect);
            let after = self.begins_after(&call);
            let answer = match (self.behind.plan(call).await, after) {
                // In a folder that would be made, or after a command that may have changed anything, what would be changed now would be
                // changed then; that there is nothing to do, or that it cannot be done, may be otherwise by then.
                (Answer::Planned { forecast }, Some((_, false))) if forecast.would_change => Answer::Planned { forecast },
                (Answer::Invalid { message, argument }, _) => Answer::Invalid { message, argument },
                (Answer::Cancelled, _) => Answer::Cancelled,
                (_, Some((by, _))) => Answer::Undecided { reason: format!("it starts from what `{by}` would have changed") },
                (answer, None) => answer,
            };
            if self.tells {
                self.behind.emit(Event::Returned { path: path.clone(), attempt, module, effect, answer: answer.clone() });
            }
            let mut state = self.state();
            // A change that cannot be told may still be made.
            let may_change = match &answer {
                Answer::Planned { forecast } => forecast.would_change,
                Answer::Undecided { .. } | Answer::CannotTell { .. } => true,
                _ => false,
            };
            if may_change {
                let by = state.rows.name(&path);
                // What says nothing of what it changes may change anything.
                let any = if touches.changes.is_empty() { vec![Resource("host:*".to_owned())] } else { Vec::new() };
                state.changed.extend(touches.changes.into_iter().chain(any).map(|resource| (resource, by.clone())));
            }
            if let Answer::Planned { forecast } = &answer {
                state.rows.planned(&path, forecast);
            }
            answer
        })
    }

    fn ask<'a>(&'a self, question: Question) -> BoxFuture<'a, Reply> {
        Box::pin(async move {
            if let Some(reply) = self.given(&question, true) {
                return reply;
            }
            // Which playbook with which values is looked at is a question for now.
            if question.path.as_str().starts_with(".params.") {
                return self.behind.ask(question).await;
            }
            self.state().rows.asked(&question.path, &question.text);
            let value = match question.kind {
                // What comes after it is what would run if it is confirmed.
                QuestionKind::Confirm | QuestionKind::ConfirmWord { .. } => Value::Bool(true),
                _ => Value::unknown(format!("a person answers `{}`", question.id)),
            };
            Reply::Given { value, note: None, origin: runbook_core::world::Origin::Default }
        })
    }

    fn given(&self, question: &Question, settled: bool) -> Option<Reply> {
        self.behind.given(question, settled)
    }

    fn sleep<'a>(&'a self, _path: &'a StepPath, _duration: SignedDuration) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn now(&self) -> Timestamp {
        self.behind.now()
    }

    fn random(&self) -> f64 {
        self.behind.random()
    }

    fn emit(&self, event: Event) {
        self.state().rows.take(&event);
        if self.tells {
            self.behind.emit(event);
        }
    }

    fn rehearsed(&self) -> Vec<DryRow> {
        self.rows()
    }

    fn stop_reason(&self) -> Option<StopReason> {
        self.behind.stop_reason()
    }

    fn stopped(&self) -> BoxFuture<'_, StopReason> {
        self.behind.stopped()
    }

    fn begin_cleanup(&self) {
        self.behind.begin_cleanup();
    }

    fn learn_secret(&self, name: &str, value: &str) {
        self.behind.learn_secret(name, value);
    }

    fn perhaps(&self, begins: bool) {
        self.state().rows.perhaps(begins);
    }

    fn is_dry(&self) -> bool {
        true
    }
}
