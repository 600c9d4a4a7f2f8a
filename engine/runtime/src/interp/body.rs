//! One pass of a step's body.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use runbook_core::event::{Event, Outcome};
use runbook_core::model::{Arg, Body, ModuleCall, Step, WaitBody};
use runbook_core::module::{Effect, Entry, Kind, Need, Resource};
use runbook_core::path::StepPath;
use runbook_core::value::{Map, Value, parse_time};
use runbook_core::world::{Answer, Call};

use super::Interpreter;
use super::flow::{Abort, Failure, Flow, Pass};
use super::frame::{Allowed, Env};
use super::service::{ForService, about_or_default, takes_service};

impl Interpreter<'_> {
    /// One pass of a body: what it does, judged. `limit` is for bodies that keep their time themselves.
    pub(crate) async fn body(
        &self,
        step: &Step,
        env: &Env,
        path: &StepPath,
        attempt: u32,
        limit: Option<SignedDuration>,
    ) -> Pass {
        let mut pass = self.act(step, env, path, attempt, limit).await;
        // A module's answer is judged where it comes in; every other body is held to its `expect` here.
        if !matches!(step.body, Body::Module(_)) && pass.is_good() && pass.outcome != Outcome::Skipped {
            self.expectations(step, None, env, &mut pass);
        }
        pass
    }

    async fn act(&self, step: &Step, env: &Env, path: &StepPath, attempt: u32, limit: Option<SignedDuration>) -> Pass {
        let now = self.world.now();
        match &step.body {
            Body::Module(call) => self.module(step, call, env, path, attempt, limit).await,
            Body::Block(block) => self.block(block, env, path).await,
            Body::Parallel(children) => self.parallel(step, children, env, path).await,
            Body::Play { name, with } => self.play(name, with, env, path).await,
            Body::Set(entries) => {
                let mut result = Map::new();
                for (name, arg) in entries {
                    match self.render(arg, env, now) {
                        Ok(value) => {
                            env.set(&name.value, value.clone());
                            result.insert(name.value.clone(), value);
                        }
                        Err(trouble) => return Pass::broken(self.told(&trouble)),
                    }
                }
                Pass { result, ..Pass::ok("") }
            }
            Body::Ask(ask) => self.ask(step, ask, env, path, limit).await,
            Body::Manual(text) => self.manual(step, text, env, path, limit).await,
            Body::Note(text) => match self.text(text, env, now) {
                Ok(value) => {
                    self.emit(Event::Note { path: path.clone(), text: value.to_string() });
                    Pass::ok("")
                }
                Err(trouble) => Pass::broken(self.told(&trouble)),
            },
            Body::Fail(text) => Pass::failed(self.label(text, env, now)),
            Body::Stop(text) => {
                let text = self.label(text, env, now);
                Pass { flow: Flow::Stop(text.clone()), ..Pass::ok(text) }
            }
            Body::Wait(wait) => self.wait(wait, env, path).await,
        }
    }

    async fn wait(&self, wait: &WaitBody, env: &Env, path: &StepPath) -> Pass {
        let now = self.world.now();
        let duration = match wait {
            WaitBody::For(arg) => self.typed::<SignedDuration>(arg, env, now).map_err(|t| self.told(&t)),
            WaitBody::Until(arg) => self.render(arg, env, now).map_err(|t| self.told(&t)).and_then(|value| {
                let time = match value.bare() {
                    Value::Time(t) => Some(*t),
                    Value::Str(s) => parse_time(s),
                    _ => None,
                };
                time.map(|t| t.duration_since(now).max(SignedDuration::ZERO))
                    .ok_or_else(|| format!("expected a time such as `2026-02-15T14:23:45Z`, found {value}"))
            }),
        };
        match duration {
            Ok(duration) => {
                self.world.sleep(path, duration).await;
                if self.stopping() { Pass::abort(Abort::Stopped, "stopped while waiting") } else { Pass::ok("") }
            }
            Err(message) => Pass::broken(message),
        }
    }

    /// The effect of a module step as far as it is known before its arguments are.
    pub(crate) fn static_effect(&self, step: &Step, env: &Env) -> Effect {
        let declared = step.effect.as_ref().map(|e| e.value);
        match &step.body {
            Body::Module(call) => match self.registry.get(&call.name.value) {
                Some(entry) if entry.declared_effect => declared.unwrap_or_else(|| {
                    let skeleton = call.args.get("argv").map(|a| a.skeleton());
                    if reads_only(skeleton.as_ref(), &env.frame.unit.system.read_commands) {
                        Effect::Read
                    } else {
                        Effect::Change
                    }
                }),
                // A probe looks, whatever its arguments are.
                Some(entry) if entry.kind == Kind::Probe => declared.unwrap_or_default().max(Effect::Read),
                Some(entry) => {
                    let own = self.known_args(&call.args, env).and_then(|json| entry.about(&json).ok()).map(|a| a.effect);
                    own.unwrap_or(Effect::Change).max(declared.unwrap_or_default())
                }
                None => declared.unwrap_or_default(),
            },
            _ => declared.unwrap_or_default(),
        }
    }

    /// Arguments as far as they can be known now: as they are written, or else as they come out here.
    fn known_args(&self, args: &Arg, env: &Env) -> Option<serde_json::Value> {
        if let Ok(json) = args.skeleton().reveal() {
            return Some(json);
        }
        let mut args = self.render(args, env, self.world.now()).ok()?.as_map()?.clone();
        args.retain(|_, value| !matches!(value, Value::Null));
        Value::from(args).reveal().ok()
    }

    /// Whether a step only looks, so that asking again costs nothing.
    pub(crate) fn only_looks(&self, step: &Step, env: &Env) -> bool {
        match &step.body {
            Body::Module(_) => self.static_effect(step, env) == Effect::Read,
            Body::Block(block) => block.steps.iter().all(|s| self.only_looks(s, env)),
            Body::Parallel(children) => children.iter().all(|s| self.only_looks(s, env)),
            _ => false,
        }
    }

    async fn module(
        &self,
        step: &Step,
        call: &ModuleCall,
        env: &Env,
        path: &StepPath,
        attempt: u32,
        limit: Option<SignedDuration>,
    ) -> Pass {
        let Some(entry) = self.registry.get(&call.name.value) else {
            return Pass::broken(format!("there is no module `{}`", call.name.value));
        };
        let prepared = match self.prepare(step, call, entry, env, path, attempt, limit) {
            Ok(prepared) => prepared,
            Err(pass) => return *pass,
        };
        let Prepared { call, for_service } = prepared;
        if let Some(of) = &for_service
            && call.module != "service"
            && of.entry.field("manager").as_str() == Some("external")
        {
            return Pass::skipped(format!("{} is external: it is never started or stopped from here", of.service.id));
        }
        if let Some(of) = &for_service
            && call.module != "service.stop"
            && let Some(reason) = self.absent(of, env, path).await
        {
            return Pass::skipped(reason);
        }
        let wants_ready = !matches!(call.args.field("ready"), Value::Bool(false));
        let answer = self.world.perform(call.clone()).await;
        let answer = match (answer, &for_service) {
            (Answer::Done { result, changed }, Some(of)) if wants_ready => {
                let mut fields = result.as_map().cloned().unwrap_or_default();
                match call.module.as_str() {
                    "service" => self.add_readiness(of, env, path, &mut fields).await,
                    "service.start" | "service.restart" => match self.await_ready(of, env, path, &call).await {
                        Ok(took) => {
                            fields.insert("ready".into(), took.map_or(Value::Null, |_| Value::Bool(true)));
                            fields.insert("ready_after".into(), took.into());
                        }
                        Err(mut pass) => {
                            pass.result = fields;
                            pass.touched |= changed;
                            return pass;
                        }
                    },
                    _ => {}
                }
                Answer::Done { result: Value::from(fields), changed }
            }
            (answer, _) => answer,
        };
        let began_change = call.effect > Effect::Read
            && !matches!(answer, Answer::Refused { .. } | Answer::Invalid { .. } | Answer::Planned { .. });
        let unchanged = matches!(answer, Answer::Done { changed: false, .. });
        let mut pass = self.judge(step, entry, answer, env);
        // "Began to change something" and not only "changed": a failed action may have done half of it.
        pass.touched = began_change && !unchanged;
        pass
    }

    /// Renders a call and asks the module what it is about.
    #[expect(clippy::too_many_arguments, reason = "every one of them is a part of where the walk stands")]
    fn prepare<'e>(
        &self,
        step: &Step,
        call: &ModuleCall,
        entry: &Entry,
        env: &'e Env,
        path: &StepPath,
        attempt: u32,
        limit: Option<SignedDuration>,
    ) -> Result<Prepared<'e>, Box<Pass>> {
        let now = self.world.now();
        let refuse = |message: String| Box::new(Pass::broken(message));
        let fail = |t: super::value::Trouble| refuse(self.told(&t));
        let args = self.render(&call.args, env, now).map_err(fail)?;
        let mut args = args.as_map().cloned().unwrap_or_default();
        // Null stands for an argument that is left out.
        args.retain(|_, value| !matches!(value, Value::Null));
        let wrong = runbook_core::module::validate(&entry.args_schema, &Value::from(args.clone()));
        if let Some(error) = wrong.first() {
            let place = self.place(call.args.find(&error.path).span).map(|p| format!(" ({p}:{})", p.column)).unwrap_or_default();
            let help = error.help.as_ref().map(|h| format!("; {h}")).unwrap_or_default();
            let name = error.path.iter().rev().find_map(|p| match p {
                runbook_core::model::PathPart::Key(k) => Some(format!("argument `{k}`: ")),
                runbook_core::model::PathPart::Index(_) => None,
            });
            return Err(refuse(format!("{}{}{help}{place}", name.unwrap_or_default(), error.message)));
        }
        let for_service =
            if takes_service(&call.name.value) { Some(self.service_of(env, &mut args, now).map_err(refuse)?) } else { None };
        let args = Value::from(args);
        let read_commands = if entry.declared_effect { env.frame.unit.system.read_commands.clone() } else { Vec::new() };
        let json = args.reveal().map_err(|u| Box::new(Pass::undecided(format!("an argument is not known: {}", u.reason))))?;
        let about = about_or_default(entry.about(&json)).map_err(|m| refuse(format!("arguments of `{}`: {m}", entry.name)))?;
        let declared = step.effect.as_ref().map(|e| e.value);
        let effect = if entry.declared_effect {
            declared.unwrap_or_else(|| {
                if reads_only(Some(&args.field("argv")), &read_commands) { Effect::Read } else { about.effect }
            })
        } else {
            about.effect.max(declared.unwrap_or_default())
        };
        if effect > env.limit {
            return Err(refuse(format!("a check only looks, but `{}` would {effect} something", entry.name)));
        }
        let mut touches = about.touches;
        if let Some(arg) = &step.touches {
            let value = self.render(arg, env, now).map_err(fail)?;
            touches.changes = value.as_list().unwrap_or_default().iter().map(|v| Resource(v.to_string())).collect();
        }
        if effect == Effect::Read {
            touches.reads.append(&mut touches.changes);
        }
        if let Some(refusal) = env.frame.permissions.iter().find_map(|allowed| refusal(allowed, &touches.needs, &self.root)) {
            return Err(refuse(refusal));
        }
        let call = Call {
            path: path.clone(),
            attempt,
            module: entry.name.to_string(),
            args,
            effect,
            touches,
            idempotent: step.idempotent.unwrap_or(about.idempotent),
            timeout: limit,
            host: None,
            read_commands,
            sensitive: step.sensitive,
        };
        Ok(Prepared { call, for_service })
    }

    /// Whether the walk must not begin anything new.
    pub(crate) fn stopping(&self) -> bool {
        !self.cleaning.load(std::sync::atomic::Ordering::Relaxed) && self.world.stop_reason().is_some()
    }

    /// One pass of a check without events of its own.
    pub(crate) fn check_once<'a>(
        &'a self,
        step: &'a Step,
        env: &'a Env,
        path: &'a StepPath,
        attempt: u32,
    ) -> runbook_core::module::BoxFuture<'a, Pass> {
        Box::pin(async move {
            if let Some(when) = &step.when {
                match self.condition(when, env, self.world.now()) {
                    Ok(true) => {}
                    Ok(false) => return Pass::skipped(format!("when: {}", when.text)),
                    Err(trouble) => return Pass::unknown(self.told(&trouble)),
                }
            }
            self.one_attempt(step, env, path, attempt).await
        })
    }

    /// A failure of this step, for `error` in a rescue and for the run's last line.
    pub(crate) fn failure(&self, step: &Step, name: &str, pass: &Pass) -> Failure {
        if let Flow::Fail(inner) = &pass.flow {
            return inner.clone();
        }
        let mut result = Map::new();
        for field in self.result_fields(step) {
            result.insert(field.to_owned(), Value::Null);
        }
        if !step.sensitive {
            result.extend(pass.result.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        Failure {
            message: if step.sensitive { "kept out by `sensitive`".to_owned() } else { pass.message.clone() },
            step: step.id.as_ref().map_or_else(|| name.to_owned(), |id| id.value.clone()),
            result: Value::from(result),
            unsure: pass.unsure || pass.outcome == Outcome::Unknown,
        }
    }
}

struct Prepared<'e> {
    call: Call,
    for_service: Option<ForService<'e>>,
}

/// Whether an argument vector starts with one of the system's prefixes whose effect is `read`.
fn reads_only(argv: Option<&Value>, prefixes: &[Vec<String>]) -> bool {
    let Some(words) = argv.and_then(Value::as_list) else { return false };
    prefixes.iter().any(|p| !p.is_empty() && p.len() <= words.len() && p.iter().zip(words).all(|(a, b)| b.as_str() == Some(a)))
}

/// A path without `.` and `..`, so that a way up cannot leave a permitted folder.
fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                out.pop();
            }
            std::path::Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// Why a need is not covered by the permissions, if one is not.
fn refusal(allowed: &[Allowed], needs: &[Need], base: &Path) -> Option<String> {
    let covered = |need: &Need| {
        allowed.iter().any(|a| match (a, need) {
            (Allowed::Exec, Need::Exec(_)) | (Allowed::Signal, Need::Signal) => true,
            (Allowed::Write(root), Need::Write(path)) => tidy(&base.join(path)).starts_with(tidy(&base.join(root))),
            (Allowed::Net(pattern), Need::Net { host, port }) => {
                let (h, p) = pattern.rsplit_once(':').unwrap_or((pattern, "*"));
                (h == "*" || h.eq_ignore_ascii_case(host)) && (p == "*" || *p == port.to_string())
            }
            _ => false,
        })
    };
    let missing = needs.iter().find(|n| !covered(n))?;
    Some(format!("not permitted: the playbook's `permissions` lack `{missing}`"))
}

/// Outcomes of children as the outcome of their group.
pub(crate) fn group_outcome(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    outcomes.into_iter().fold(Outcome::Ok, |worst, o| match (worst, o) {
        (Outcome::Failed, _) | (_, Outcome::Failed) => Outcome::Failed,
        (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
        (Outcome::Changed, _) | (_, Outcome::Changed) => Outcome::Changed,
        _ => Outcome::Ok,
    })
}
