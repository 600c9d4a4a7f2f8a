//! What a run wants to lock, and whether its parameters fit: asked before anything is written.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runbook_core::event::Event;
use runbook_core::model::{Body, Contents, Lock, Plan, Step, Unit};
use runbook_core::module::{BoxFuture, Effect, Registry};
use runbook_core::path::StepPath;
use runbook_core::world::{Answer, Call, Question, Reply, StopReason, World};

use super::Interpreter;
use super::frame::{Env, Local};
use super::run::Inputs;

/// A lock that a run needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockWish {
    /// Its name.
    pub name: String,
    /// How long the author would wait for it.
    pub wait: Option<Duration>,
}

/// The lock that a run needs: none for a run that changes nothing.
///
/// # Errors
/// Parameters that do not fit: unknown, missing, or of another type.
pub fn lock_wish(plan: Arc<Plan>, registry: &Registry, given: &Inputs) -> Result<Option<LockWish>, Vec<String>> {
    let unit = plan.root_unit().clone();
    let world = Nowhere;
    let mut interpreter = Interpreter::new(plan.clone(), registry, &world, given);
    let params = interpreter.parameters(&unit.playbook.params, &unit.system.vars, &given.params)?;
    let mut wrong = Vec::new();
    for param in &unit.playbook.params {
        // One that has a question may still be asked for.
        if param.required && param.default.is_none() && param.ask.is_none() && !params.contains_key(&param.name.value) {
            let help = param.help.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
            let name = &param.name.value;
            wrong.push(format!("the parameter `{name}`{help} is required; give it with --param {name}=VALUE"));
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut relaxed = (*unit.playbook).clone();
    for param in &mut relaxed.params {
        param.required = false;
    }
    let relaxed = Unit { playbook: Arc::new(relaxed), system: unit.system.clone() };
    let is_to_be_asked =
        |p: &runbook_core::model::Param| p.required && p.default.is_none() && !params.contains_key(&p.name.value);
    let asks = unit.playbook.params.iter().any(is_to_be_asked);
    let frame = match interpreter.frame(&relaxed, params, 0, Vec::new()) {
        Ok(frame) => frame,
        // What is still to be asked for may be all that is missing; until then the lock is the system's.
        Err(_) if asks => {
            let looks = matches!(unit.playbook.contents, Contents::Checks(_) | Contents::Triage(_));
            let locks = !looks && !matches!(unit.playbook.lock, Lock::None);
            return Ok(locks.then(|| LockWish { name: system_lock(&unit), wait: None }));
        }
        Err(message) => return Err(vec![message]),
    };
    let env =
        Env { frame: Arc::new(frame), local: Local::outermost(), parent: StepPath::root(), rows: false, limit: Effect::Destroy };
    interpreter.wish_of(&unit, &env)
}

/// The lock of a playbook's system; a playbook without one locks itself.
pub(crate) fn system_lock(unit: &Unit) -> String {
    if unit.system.name.is_empty() { unit.playbook.full_name.clone() } else { unit.system.name.clone() }
}

impl Interpreter<'_> {
    /// The lock that a playbook needs in its frame: none if it changes nothing.
    pub(crate) fn wish_of(&self, unit: &Unit, env: &Env) -> Result<Option<LockWish>, Vec<String>> {
        if !self.changes_anything(unit, env) {
            return Ok(None);
        }
        Ok(match &unit.playbook.lock {
            Lock::None => None,
            Lock::System => Some(LockWish { name: system_lock(unit), wait: None }),
            Lock::Named { name, wait } => {
                let now = self.world.now();
                let name = self.text(name, env, now).map_err(|t| vec![self.told(&t)])?;
                Some(LockWish { name: name.to_string(), wait: wait.and_then(|w: SignedDuration| Duration::try_from(w).ok()) })
            }
        })
    }

    /// Whether any step of a playbook, or of one that it plays, may change something.
    fn changes_anything(&self, unit: &Unit, env: &Env) -> bool {
        // A checklist and a tree only look; what they do when they failed, or in any case, may be more.
        let steps = match &unit.playbook.contents {
            Contents::Steps(steps) => steps.as_slice(),
            Contents::Checks(_) | Contents::Triage(_) => &[],
        };
        let lists = [steps, &unit.playbook.rescue, &unit.playbook.always];
        lists.into_iter().flatten().any(|step| self.may_change(step, env, &unit.playbook.full_name, 0))
    }

    pub(crate) fn may_change(&self, step: &Step, env: &Env, from: &str, depth: u32) -> bool {
        let any = |steps: &[Step]| steps.iter().any(|s| self.may_change(s, env, from, depth));
        if any(&step.undo) || step.save.is_some() {
            return true;
        }
        match &step.body {
            Body::Module(_) => self.static_effect(step, env) > Effect::Read,
            Body::Block(block) => any(&block.steps) || any(&block.rescue) || any(&block.always),
            Body::Parallel(children) => any(children),
            Body::Manual(_) => true,
            Body::Play { name, .. } => match self.plan.resolve(from, &name.value) {
                Some(unit) if depth < 16 => match &unit.playbook.contents {
                    Contents::Steps(steps) => steps.iter().any(|s| self.may_change(s, env, &unit.playbook.full_name, depth + 1)),
                    _ => false,
                },
                _ => true,
            },
            _ => false,
        }
    }
}

/// A world in which nothing can happen, for questions that need none.
struct Nowhere;

impl World for Nowhere {
    fn perform<'a>(&'a self, _: Call) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::Refused { message: "nothing runs here".into() } })
    }
    fn ask<'a>(&'a self, _: Question) -> BoxFuture<'a, Reply> {
        Box::pin(async { Reply::Cancelled })
    }
    fn sleep<'a>(&'a self, _: &'a StepPath, _: SignedDuration) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    fn random(&self) -> f64 {
        0.0
    }
    fn emit(&self, _: Event) {}
    fn stop_reason(&self) -> Option<StopReason> {
        None
    }
    fn stopped(&self) -> BoxFuture<'_, StopReason> {
        Box::pin(std::future::pending())
    }
    fn begin_cleanup(&self) {}
}
