//! `play`: another playbook as one step, and what a playbook does from its preconditions to its end.

use std::sync::Arc;

use runbook_core::event::{Event, GradeWord, Outcome};
use runbook_core::inputs;
use runbook_core::model::{Arg, Contents, Permission, Step, Unit};
use runbook_core::module::Effect;
use runbook_core::path::StepPath;
use runbook_core::span::Spanned;
use runbook_core::value::{Map, Value};

use super::flow::{Abort, Failure, Flow, Pass};
use super::frame::{Allowed, Env, Frame, Local};
use super::step::Walked;
use super::{Interpreter, locked};

/// How deep playbooks may play each other.
const MAX_DEPTH: u32 = 16;

/// What walking a playbook came to.
pub(crate) struct Played {
    pub(crate) flow: Flow,
    pub(crate) touched: bool,
    /// Whether a precondition did not hold, so that nothing was done.
    pub(crate) blocked: bool,
    /// Whether undoing failed.
    pub(crate) undo_failed: bool,
    pub(crate) outputs: Value,
}

impl Interpreter<'_> {
    /// Runs another playbook as one step.
    pub(crate) async fn play(&self, name: &Spanned<String>, with: &[(Spanned<String>, Arg)], env: &Env, path: &StepPath) -> Pass {
        let from = &env.frame.unit.playbook.full_name;
        let Some(unit) = self.plan.resolve(from, &name.value) else {
            return Pass::broken(format!("there is no playbook `{}`", name.value));
        };
        if env.frame.depth >= MAX_DEPTH {
            return Pass::failed(format!("playbooks play each other more than {MAX_DEPTH} deep"));
        }
        let now = self.world.now();
        let mut given = Map::new();
        for (key, arg) in with {
            match self.render(arg, env, now) {
                Ok(value) => {
                    given.insert(key.value.clone(), value);
                }
                Err(trouble) => return Pass::broken(self.told(&trouble)),
            }
        }
        let frame = match self.frame(unit, given, env.frame.depth + 1, env.frame.permissions.clone()) {
            Ok(frame) => frame,
            Err(message) => return Pass::broken(message),
        };
        let path = path.play(&unit.playbook.full_name);
        let inner =
            Env { frame: Arc::new(frame), local: Local::outermost(), parent: env.parent.clone(), rows: false, limit: env.limit };
        let inner = inner.below(&path);
        let played = self.walk(&inner, &path).await;
        let mut pass = self.group_pass(played.flow.clone(), played.touched, String::new());
        pass.touched = played.touched;
        match &played.flow {
            // `stop` ends the playbook that says it, not its caller.
            Flow::Stop(text) => {
                pass.message = text.clone();
                pass.flow = Flow::Next;
            }
            Flow::Next => {
                if matches!(unit.playbook.contents, Contents::Triage(_)) {
                    pass.message = locked(&inner.frame.conclusion).words();
                }
                // What the played playbook did is undone with what its caller did.
                let mut theirs = std::mem::take(&mut *locked(&inner.frame.undo));
                locked(&env.frame.undo).append(&mut theirs);
            }
            _ => {
                let mut theirs = std::mem::take(&mut *locked(&inner.frame.undo));
                locked(&env.frame.undo).append(&mut theirs);
            }
        }
        pass.result = played.outputs.as_map().cloned().unwrap_or_default();
        if played.blocked {
            pass.outcome = Outcome::Failed;
        }
        pass
    }

    /// A frame for a playbook with these parameters.
    pub(crate) fn frame(&self, unit: &Unit, given: Map, depth: u32, limits: Vec<Vec<Allowed>>) -> Result<Frame, String> {
        let playbook = &unit.playbook;
        if let Some(unknown) = given.keys().find(|k| !playbook.params.iter().any(|p| p.name.value == **k)) {
            let names = playbook.params.iter().map(|p| p.name.value.as_str());
            let near =
                runbook_core::suggest::nearest(unknown, names).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
            return Err(format!("`{}` has no parameter `{unknown}`{near}", playbook.name));
        }
        let now = self.world.now();
        let mut env_values = Map::new();
        for name in unit.system.env.iter().chain(&playbook.env) {
            let value = self.env.get(&name.name.value).map_or(Value::Null, Value::str);
            let value = if name.plain || value.is_null() { value } else { value.into_secret(&name.name.value) };
            env_values.insert(name.name.value.clone(), value);
        }
        let registry = Some(self.registry.clone());
        let mut frame =
            Frame { registry, env: env_values, run: self.run.clone(), permissions: limits, depth, ..Frame::empty(unit) };
        // The system's variables first: parameters' defaults and choices may use them.
        for (name, arg) in &unit.system.vars {
            let value = match self.overrides.get(&name.value) {
                Some(value) => value.clone(),
                None => self.in_frame(&mut frame, |this, env| this.render(arg, env, now).map_err(|t| this.told(&t)))?,
            };
            locked(&frame.vars).insert(name.value.clone(), value);
        }
        let thresholds = unit.system.thresholds.clone();
        frame.thresholds = self.in_frame(&mut frame, |this, env| {
            let mut map = Map::new();
            for (name, arg) in &thresholds {
                map.insert(name.value.clone(), this.render(arg, env, now).map_err(|t| this.told(&t))?);
            }
            Ok(Value::from(map))
        })?;
        for part in ["contacts", "escalation", "hosts"] {
            let arg = match part {
                "contacts" => &unit.system.contacts,
                "escalation" => &unit.system.escalation,
                _ => &unit.system.hosts,
            };
            let Some(arg) = arg else { continue };
            let value = self.in_frame(&mut frame, |this, env| this.render(arg, env, now).map_err(|t| this.told(&t)))?;
            match part {
                "contacts" => frame.contacts = value,
                "escalation" => frame.escalation = value,
                _ => frame.hosts = value,
            }
        }
        for param in &playbook.params {
            let value = match given.get(&param.name.value) {
                Some(value) if !value.is_null() => value.clone(),
                _ => match &param.default {
                    Some(default) => {
                        self.in_frame(&mut frame, |this, env| this.render(default, env, now).map_err(|t| this.told(&t)))?
                    }
                    None => Value::Null,
                },
            };
            if value.is_null() && param.required {
                return Err(format!("`{}` needs the parameter `{}`", playbook.name, param.name.value));
            }
            let value = self.in_frame(&mut frame, |_, env| {
                let view = super::scope::View { env, own: None, now };
                inputs::check(param, value, &view).map_err(|e| {
                    let help = e.help.map(|h| format!("; {h}")).unwrap_or_default();
                    format!("parameter `{}`: {}{help}", param.name.value, e.message)
                })
            })?;
            frame.params.insert(param.name.value.clone(), value);
        }
        for (name, arg) in &playbook.vars {
            let value = self.in_frame(&mut frame, |this, env| this.render(arg, env, now).map_err(|t| this.told(&t)))?;
            locked(&frame.vars).insert(name.value.clone(), value);
        }
        if let Some(permissions) = &playbook.permissions {
            let mut allowed = Vec::new();
            for permission in permissions {
                allowed.push(match permission {
                    Permission::Exec => Allowed::Exec,
                    Permission::Signal => Allowed::Signal,
                    Permission::Write(t) => Allowed::Write(self.in_frame(&mut frame, |this, env| Ok(this.label(t, env, now)))?),
                    Permission::Net(t) => Allowed::Net(self.in_frame(&mut frame, |this, env| Ok(this.label(t, env, now)))?),
                });
            }
            // A played playbook never gets more than its caller has: every list must allow a need.
            frame.permissions.push(allowed);
        }
        Ok(frame)
    }

    /// Evaluates something in a frame that is still being made.
    fn in_frame<T>(&self, frame: &mut Frame, f: impl FnOnce(&Self, &Env) -> Result<T, String>) -> Result<T, String> {
        let owned = std::mem::replace(frame, Frame::empty(&frame.unit));
        let env =
            Env { frame: Arc::new(owned), local: Local::outermost(), parent: StepPath::root(), rows: false, limit: Effect::Read };
        let result = f(self, &env);
        let Env { frame: shared, .. } = env;
        if let Ok(back) = Arc::try_unwrap(shared) {
            *frame = back;
        }
        result
    }

    /// Walks a playbook: preconditions, contents, rescue, verify, undo, always, outputs.
    pub(crate) async fn walk(&self, env: &Env, path: &StepPath) -> Played {
        let playbook = env.frame.unit.playbook.clone();
        let mut played = Played { flow: Flow::Next, touched: false, blocked: false, undo_failed: false, outputs: Value::Null };
        if let Some(flow) = self.requires(&playbook.requires, env, path).await {
            played.blocked = matches!(flow, Flow::Fail(_));
            played.flow = flow;
            return played;
        }
        let mut verdict = None;
        let walked = match &playbook.contents {
            Contents::Steps(steps) => self.steps(steps, env, path, "steps").await,
            Contents::Checks(checks) => {
                let rows = Env { rows: true, limit: Effect::Read, ..env.clone() };
                let walked = self.steps(checks, &rows, path, "checks").await;
                verdict = Some(self.verdict(env));
                *locked(&env.frame.verdict) = verdict;
                walked
            }
            Contents::Triage(tree) => {
                let flow = self.triage(tree, env, path).await;
                verdict = *locked(&env.frame.verdict);
                Walked { flow, touched: false }
            }
        };
        played.touched = walked.touched;
        played.flow = walked.flow;
        let stopped = matches!(played.flow, Flow::Stop(_));
        if let Flow::Fail(failure) = &played.flow
            && !playbook.rescue.is_empty()
        {
            let rescued = self.rescue(&playbook.rescue, env, path, &failure.clone()).await;
            played.touched |= rescued.touched;
            played.flow = rescued.flow;
        }
        if played.flow.is_next() && !stopped {
            let verified = self.verify(&playbook.verify, env, path).await;
            if !verified.is_next() {
                played.flow = verified;
            }
        }
        if playbook.undo_on_failure && matches!(played.flow, Flow::Fail(_) | Flow::Abort(Abort::Stopped | Abort::Declined { .. }))
        {
            played.undo_failed = !self.undo_all(env).await;
        }
        if !playbook.always.is_empty() {
            let always = self.cleaning(async { self.steps(&playbook.always, &env.nested(), path, "always").await }).await;
            played.touched |= always.touched;
            if matches!(played.flow, Flow::Next | Flow::Stop(_)) && !matches!(always.flow, Flow::Next | Flow::Stop(_)) {
                played.flow = always.flow;
            }
        }
        if matches!(played.flow, Flow::Next | Flow::Stop(_)) {
            match self.outputs(env, verdict) {
                Ok(outputs) => played.outputs = outputs,
                Err(failure) => played.flow = Flow::Fail(failure),
            }
        }
        played
    }

    /// Asks every precondition; fails if one does not hold.
    async fn requires(&self, checks: &[Step], env: &Env, path: &StepPath) -> Option<Flow> {
        let inner = Env { limit: Effect::Read, ..env.clone() };
        let mut first: Option<Flow> = None;
        for (i, check) in checks.iter().enumerate() {
            if self.stopping() {
                return Some(Flow::Abort(Abort::Stopped));
            }
            let finished = self.step(check, &inner, path.child("requires", i), Vec::new()).await;
            match finished.flow {
                Flow::Next => {}
                Flow::Fail(failure) => {
                    self.emit(Event::Blocked { name: failure.step.clone(), message: failure.message.clone() });
                    first.get_or_insert(Flow::Fail(failure));
                }
                other => return Some(other),
            }
        }
        first
    }

    /// Asks every postcondition; the run fails if one does not hold.
    pub(crate) async fn verify(&self, checks: &[Step], env: &Env, path: &StepPath) -> Flow {
        let inner = Env { limit: Effect::Read, ..env.clone() };
        let mut result = Flow::Next;
        for (i, check) in checks.iter().enumerate() {
            let finished = self.step(check, &inner, path.child("verify", i), Vec::new()).await;
            match finished.flow {
                Flow::Next => {}
                Flow::Fail(failure) if result.is_next() => {
                    result = Flow::Fail(Failure { message: format!("verify: {}", failure.message), ..failure });
                }
                Flow::Fail(_) => {}
                other => return other,
            }
        }
        result
    }

    fn outputs(&self, env: &Env, verdict: Option<GradeWord>) -> Result<Value, Failure> {
        let playbook = &env.frame.unit.playbook;
        let now = self.world.now();
        let mut map = Map::new();
        if let Some(verdict) = verdict {
            map.insert("verdict".into(), Value::str(verdict.word()));
            map.insert("checks".into(), Value::from(locked(&env.frame.rows).clone()));
            map.insert("findings".into(), Value::from(locked(&env.frame.findings).clone()));
        }
        for (name, arg) in &playbook.outputs {
            match self.render(arg, env, now) {
                Ok(value) => {
                    map.insert(name.value.clone(), value);
                }
                Err(trouble) => {
                    return Err(Failure {
                        message: format!("the output `{}` cannot be told: {}", name.value, self.told(&trouble)),
                        step: playbook.name.clone(),
                        result: Value::Null,
                        unsure: true,
                    });
                }
            }
        }
        Ok(Value::from(map))
    }
}
