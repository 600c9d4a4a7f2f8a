//! One step: `when`, `confirm`, the loop, and per item the attempts, the grade, and what is kept.

use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use runbook_core::event::{Event, Outcome};
use runbook_core::model::{Body, Step};
use runbook_core::module::{BoxFuture, Effect, Touches};
use runbook_core::path::StepPath;
use runbook_core::value::{Map, Value};
use runbook_core::world::{Answer, Call};

use super::flow::{Abort, Finished, Flow, Pass};
use super::frame::Env;
use super::undo::UndoEntry;
use super::{Interpreter, locked, millis};

/// What walking a list of steps came to.
pub(crate) struct Walked {
    pub(crate) flow: Flow,
    /// Whether something was begun to be changed.
    pub(crate) touched: bool,
}

/// What is known about a step when it begins.
pub(crate) struct Begun {
    pub(crate) name: String,
    pub(crate) item: Option<String>,
    pub(crate) after: Vec<String>,
}

impl Interpreter<'_> {
    /// Runs a list of steps in order; stops at the first that does not let the walk go on.
    pub(crate) fn steps<'a>(
        &'a self,
        list: &'a [Step],
        env: &'a Env,
        path: &'a StepPath,
        word: &'a str,
    ) -> BoxFuture<'a, Walked> {
        Box::pin(async move {
            let mut touched = false;
            for (i, step) in list.iter().enumerate() {
                if self.stopping() {
                    self.not_started(&list[i..], env);
                    return Walked { flow: Flow::Abort(Abort::Stopped), touched };
                }
                let finished = self.step(step, env, path.child(word, i), Vec::new()).await;
                touched |= finished.pass.touched;
                if !finished.flow.is_next() {
                    self.not_started(&list[i + 1..], env);
                    return Walked { flow: finished.flow, touched };
                }
            }
            Walked { flow: Flow::Next, touched }
        })
    }

    fn not_started(&self, list: &[Step], env: &Env) {
        if env.parent.is_node() || env.parent.is_observation() {
            return;
        }
        locked(&self.counts).not_started += list.len() as u32;
        let names: Vec<String> = list.iter().map(|s| self.name_of(s, env)).collect();
        locked(&self.unreached).extend(names);
    }

    /// What a step is called: its name, or its id, or what it does.
    pub(crate) fn name_of(&self, step: &Step, env: &Env) -> String {
        let now = self.world.now();
        if let Some(name) = &step.name
            && self.text(name, env, now).is_ok()
        {
            return self.label(name, env, now);
        }
        if let Some(id) = &step.id {
            return id.value.clone();
        }
        let clip = |text: String| text.lines().next().unwrap_or_default().chars().take(60).collect::<String>();
        match &step.body {
            Body::Module(call) => {
                let main = self.registry.get(&call.name.value).and_then(|e| e.main.clone());
                let value = main.and_then(|m| call.args.get(&m)).map(|a| self.render(a, env, now));
                match value {
                    Some(Ok(Value::List(words))) => {
                        clip(words.iter().map(|w| runbook_core::expr::shell_quote(&w.to_string())).collect::<Vec<_>>().join(" "))
                    }
                    Some(Ok(value)) => clip(format!("{} {value}", call.name.value)),
                    _ => call.name.value.clone(),
                }
            }
            Body::Play { name, .. } => format!("play {}", name.value),
            Body::Manual(text) | Body::Note(text) | Body::Fail(text) | Body::Stop(text) => clip(self.label(text, env, now)),
            Body::Ask(ask) => clip(self.label(&ask.question, env, now)),
            Body::Set(entries) => {
                clip(format!("set {}", entries.iter().map(|(n, _)| n.value.as_str()).collect::<Vec<_>>().join(", ")))
            }
            other => other.word().to_owned(),
        }
    }

    /// Runs one step, loop and all.
    pub(crate) fn step<'a>(
        &'a self,
        step: &'a Step,
        env: &'a Env,
        path: StepPath,
        after: Vec<String>,
    ) -> BoxFuture<'a, Finished> {
        Box::pin(async move {
            let begun = Begun { name: self.name_of(step, env), item: None, after };
            let Some(each) = &step.each else {
                return self.single(step, env, &path, begun, None).await;
            };
            // A condition that does not use the item decides about the whole loop.
            if let Some(when) = &step.when
                && !uses(when, &each.bind)
                && let Some(pass) = self.when(step, env)
            {
                return self.finish_without_running(step, env, &path, &begun, pass);
            }
            self.repeat(step, each, env, &path, begun).await
        })
    }

    /// Why the step does not run, if its `when` says so.
    fn when(&self, step: &Step, env: &Env) -> Option<Pass> {
        let when = step.when.as_ref()?;
        match self.condition(when, env, self.world.now()) {
            Ok(true) => None,
            Ok(false) => Some(Pass::skipped(format!("when: {}", when.text))),
            Err(trouble) if trouble.unknown => Some(Pass::undecided(trouble.message)),
            Err(trouble) => Some(Pass::broken(self.told(&trouble))),
        }
    }

    pub(crate) fn finish_without_running(&self, step: &Step, env: &Env, path: &StepPath, begun: &Begun, pass: Pass) -> Finished {
        let now = self.world.now();
        self.conclude(step, env, path, begun, pass, 0, now, false)
    }

    /// One pass of a step: not a loop, or one item of it. `asked` is the effect that a loop was confirmed for, as far as it was known
    /// before its items were: an item that does more is asked about by itself.
    pub(crate) fn single<'a>(
        &'a self,
        step: &'a Step,
        env: &'a Env,
        path: &'a StepPath,
        begun: Begun,
        asked: Option<Effect>,
    ) -> BoxFuture<'a, Finished> {
        Box::pin(async move {
            if let Some(pass) = self.when(step, env) {
                if pass.undecided && self.world.is_dry() {
                    return self.perhaps(step, env, path, &begun, pass, asked).await;
                }
                return self.finish_without_running(step, env, path, &begun, pass);
            }
            let effect = self.static_effect(step, env);
            let started_at = self.world.now();
            self.emit(Event::StepStarted {
                path: path.clone(),
                parent: env.parent.clone(),
                id: step.id.as_ref().map(|i| i.value.clone()),
                name: begun.name.clone(),
                body: step.body.word().to_owned(),
                effect,
                item: begun.item.clone(),
                group: is_group(step),
                place: self.place(step.body_span),
            });
            let covered = asked.is_some_and(|asked| step.confirm.is_some() || effect <= asked);
            if !covered && let Some(pass) = self.confirm(step, env, path, effect, &[]).await {
                return self.conclude(step, env, path, &begun, pass, 0, started_at, false);
            }
            let (mut pass, attempts) = self.attempts(step, env, path).await;
            // What was only planned is not verified; the reads say of themselves that they cannot tell.
            if pass.flow.is_next() && pass.outcome.is_good() && !step.verify.is_empty() && pass.outcome != Outcome::Skipped {
                self.verify_step(step, env, path, &mut pass).await;
            }
            self.grade(step, env, &mut pass);
            if let Some(save) = &step.save {
                self.save(save, step, env, path, &mut pass).await;
            }
            if !pass.outcome.is_good() && step.override_ask && pass.flow.is_next() {
                self.offer_override(step, env, path, &mut pass).await;
            }
            self.conclude(step, env, path, &begun, pass, attempts, started_at, true)
        })
    }

    /// In a dry run, a step whose condition is not known: what it would do is looked at as possible, and what it comes to is not known.
    async fn perhaps(
        &self,
        step: &Step,
        env: &Env,
        path: &StepPath,
        begun: &Begun,
        pass: Pass,
        asked: Option<Effect>,
    ) -> Finished {
        let without = Step { when: None, ..step.clone() };
        let again = Begun { name: begun.name.clone(), item: begun.item.clone(), after: begun.after.clone() };
        self.world.perhaps(true);
        let finished = self.single(&without, env, path, again, asked).await;
        self.world.perhaps(false);
        let pass = Pass { outcome: Outcome::Unknown, flow: Flow::Next, ..pass };
        let finished = Finished { pass, flow: Flow::Next, ..finished };
        if let Some(id) = &step.id {
            env.keep(&id.value, finished.value(&self.result_fields(step)));
        }
        finished
    }

    /// Asks the step's own postconditions.
    async fn verify_step(&self, step: &Step, env: &Env, path: &StepPath, pass: &mut Pass) {
        let inner = Env { limit: Effect::Read, rows: false, ..env.nested().below(path) };
        for (i, check) in step.verify.iter().enumerate() {
            let finished = self.step(check, &inner, path.child("verify", i), Vec::new()).await;
            if !finished.flow.is_next() {
                pass.outcome = Outcome::Failed;
                pass.message = format!("verify failed: {}", finished.pass.message);
                pass.flow = finished.flow;
                return;
            }
        }
    }

    /// Writes the result to a file, also when the step failed.
    async fn save(&self, save: &runbook_core::model::Arg, step: &Step, env: &Env, path: &StepPath, pass: &mut Pass) {
        let target = match self.typed::<String>(save, env, self.world.now()) {
            Ok(target) => target,
            Err(trouble) => {
                *pass = Pass { message: self.told(&trouble), outcome: Outcome::Failed, ..pass.clone() };
                return;
            }
        };
        let json = if step.sensitive {
            serde_json::json!("kept out by `sensitive`")
        } else {
            Value::from(pass.result.clone()).to_json()
        };
        let mut content = serde_json::to_string_pretty(&json).unwrap_or_default();
        content.push('\n');
        let args = Map::from_iter([
            ("path".to_owned(), Value::str(&target)),
            ("content".to_owned(), Value::from(content)),
            ("parents".to_owned(), Value::Bool(true)),
        ]);
        let touches = Touches::changes([runbook_core::module::Resource::file(&target)]);
        let call = Call {
            path: path.part("save"),
            attempt: 1,
            module: "file.write".into(),
            args: Value::from(args),
            effect: Effect::Change,
            touches,
            idempotent: true,
            timeout: None,
            host: None,
            read_commands: Vec::new(),
            sensitive: false,
        };
        match self.world.perform(call).await {
            Answer::Done { .. } | Answer::Planned { .. } | Answer::Undecided { .. } | Answer::Cancelled => {}
            Answer::Unmet { message, .. }
            | Answer::CannotTell { message }
            | Answer::Invalid { message, .. }
            | Answer::Refused { message } => {
                pass.outcome = Outcome::Failed;
                pass.message = format!("the result could not be saved to {target}: {message}");
            }
            Answer::TimedOut { .. } => {
                pass.outcome = Outcome::Failed;
                pass.message = format!("the result could not be saved to {target} in time");
            }
        }
    }

    /// Keeps a step's result, notes its undo, tells its end and says where the walk goes.
    #[expect(clippy::too_many_arguments, reason = "the end of a step gathers everything about it")]
    pub(crate) fn conclude(
        &self,
        step: &Step,
        env: &Env,
        path: &StepPath,
        begun: &Begun,
        pass: Pass,
        attempts: u32,
        started_at: jiff::Timestamp,
        ran: bool,
    ) -> Finished {
        let duration = self.world.now().duration_since(started_at).max(SignedDuration::ZERO);
        let mut flow = pass.flow.clone();
        let mut tolerated = false;
        if !pass.outcome.is_good() && matches!(flow, Flow::Next | Flow::Fail(_)) {
            let go_on = match &step.continue_on_error {
                // On a `parallel` it applies to each child, which has already been seen to.
                Some(_) if matches!(step.body, Body::Parallel(_)) => false,
                Some(arg) => self.typed::<bool>(arg, env, self.world.now()).unwrap_or(false),
                None => false,
            };
            // What a dry run cannot tell has not failed.
            tolerated = go_on || env.rows || (pass.undecided && self.world.is_dry());
            flow = if tolerated { Flow::Next } else { Flow::Fail(self.failure(step, &begun.name, &pass)) };
        }
        let late = step
            .expected_duration
            .as_ref()
            .and_then(|d| self.typed::<SignedDuration>(d, env, self.world.now()).ok())
            .is_some_and(|expected| duration > expected);
        let finished = Finished { pass, attempts, started_at, duration, flow };
        if let Some(id) = &step.id {
            let fields = self.result_fields(step);
            env.keep(&id.value, finished.value(&fields));
        }
        // After its result was kept: what takes it back may need what it gave.
        if ran && finished.pass.touched {
            self.note_undo(step, env, path, begun);
        }
        // What a tree looks at is counted by the questions that it answers.
        let counts = !is_group(step) || matches!(finished.pass.outcome, Outcome::Skipped);
        if counts && !path.is_observation() {
            locked(&self.counts).add(finished.pass.outcome);
        }
        let pass = &finished.pass;
        if env.rows && step.graded && !(is_group(step) && step.each.is_some() && begun.item.is_none()) {
            self.row(step, env, path, begun, &finished);
        }
        self.emit(Event::StepFinished {
            path: path.clone(),
            parent: env.parent.clone(),
            id: step.id.as_ref().map(|i| i.value.clone()),
            name: begun.name.clone(),
            body: step.body.word().to_owned(),
            item: begun.item.clone(),
            group: is_group(step),
            outcome: pass.outcome,
            message: if step.sensitive { String::new() } else { pass.message.clone() },
            checks: if step.sensitive { Vec::new() } else { pass.checks.clone() },
            output: if step.sensitive { Vec::new() } else { pass.output.clone() },
            graded: pass.graded.clone(),
            attempts,
            duration_ms: millis(finished.duration),
            began_ms: self.ms_since_start(finished.started_at),
            late,
            tolerated: tolerated || (!pass.outcome.is_good() && path.is_observation()),
            after: begun.after.clone(),
            place: self.place(step.body_span),
        });
        finished
    }

    pub(crate) fn result_fields(&self, step: &Step) -> Vec<&str> {
        match &step.body {
            Body::Module(call) => self.registry.get(&call.name.value).map(|e| e.result_fields()).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    fn note_undo(&self, step: &Step, env: &Env, path: &StepPath, begun: &Begun) {
        let name = begun.item.as_ref().map_or_else(|| begun.name.clone(), |item| format!("{} ({item})", begun.name));
        let mut stack = locked(&env.frame.undo);
        if step.undo.is_empty() {
            // Of a group its children's own undos stand; a step without one is left as it is.
            if !is_group(step) {
                stack.push(UndoEntry { path: path.clone(), name, steps: Vec::new(), env: None });
            }
            return;
        }
        // A block's own undo replaces its children's.
        stack.retain(|entry| !entry.path.is_within(path));
        stack.push(UndoEntry { path: path.clone(), name, steps: step.undo.clone(), env: Some(env.frozen()) });
    }

    /// Runs `f` as cleaning up: a stop that was asked for does not end it.
    pub(crate) async fn cleaning<T>(&self, f: impl Future<Output = T>) -> T {
        if self.world.stop_reason().is_some() && !self.cleaning.swap(true, Ordering::Relaxed) {
            self.world.begin_cleanup();
        }
        f.await
    }
}

/// Whether a step holds other steps.
pub(crate) fn is_group(step: &Step) -> bool {
    matches!(step.body, Body::Block(_) | Body::Parallel(_) | Body::Play { .. })
}

/// Whether an expression uses a name.
fn uses(expr: &runbook_core::expr::Expr, name: &str) -> bool {
    let mut found = false;
    expr.walk(&mut |node| {
        found |= matches!(&node.kind, runbook_core::expr::ExprKind::Var(n) if n == name);
    });
    found
}
