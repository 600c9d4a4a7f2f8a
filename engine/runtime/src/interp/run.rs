//! A whole run: from its inputs to its last event.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use runbook_core::event::{Counts, Event, FORMAT_VERSION, GradeWord, Input, Outline, Remedied, RunOutcome};
use runbook_core::exit::Exit;
use runbook_core::expr::{Scope, shell_quote};
use runbook_core::inputs;
use runbook_core::model::{Contents, Param, ParamType, Plan};
use runbook_core::module::{Effect, Registry};
use runbook_core::path::StepPath;
use runbook_core::rehearsal::DryVerdict;
use runbook_core::value::{Map, Value};
use runbook_core::world::{Question, QuestionKind, Reply, StopReason, World};

use super::flow::{Abort, Flow};
use super::frame::{Env, Frame, Local};
use super::scope::View;
use super::{Interpreter, locked, millis};

/// What a run is given.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The run's id.
    pub run: String,
    /// Who runs it.
    pub operator: String,
    /// The machine.
    pub host: String,
    /// The program's version.
    pub version: String,
    /// Parameters as text, in the order given.
    pub params: Vec<(String, String)>,
    /// The environment variables that the plan's playbooks declare.
    pub env: HashMap<String, String>,
    /// The state folder, as `run.state`.
    pub state: String,
    /// The path of this program, as `run.program`.
    pub program: String,
    /// The command as it was typed, for saying how to go on. No secrets in it.
    pub invocation: String,
    /// The system's profile, if one was chosen.
    pub profile: Option<String>,
    /// The run whose session this one goes on with (`--resume`).
    pub resumes: Option<String>,
    /// Whether a person is asked each question of a tree, also where its checks can answer (`--step`).
    pub step: bool,
    /// Whether the exit code tells what a triage tree found (`--detailed-exitcode`).
    pub detailed_exit: bool,
    /// The project root, against which relative paths of `permissions` and of what modules write are understood.
    pub root: std::path::PathBuf,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// Why the program ends.
    pub exit: Exit,
    /// What became of the run.
    pub outcome: RunOutcome,
    /// One line that says how it ended.
    pub message: String,
    /// The playbook's outputs.
    pub outputs: Value,
}

/// Walks a plan in a world. Everything that happens is told to the world as events; the last is `RunFinished`.
///
/// # Errors
/// Parameters that do not fit: nothing ran, and no event was told.
pub async fn run(plan: Arc<Plan>, registry: &Registry, world: &dyn World, given: Inputs) -> Result<RunResult, Vec<String>> {
    run_then(plan, registry, world, given, |_, _| ()).await.map(|(result, ())| result)
}

/// As [`run`], and at the end `look` sees what the playbook's expressions would see there.
///
/// # Errors
/// As [`run`].
pub async fn run_then<T>(
    plan: Arc<Plan>,
    registry: &Registry,
    world: &dyn World,
    given: Inputs,
    look: impl FnOnce(&dyn Scope, &RunResult) -> T,
) -> Result<(RunResult, T), Vec<String>> {
    let unit = plan.root_unit().clone();
    let mut interpreter = Interpreter::new(plan.clone(), registry, world, &given);
    let mut params = interpreter.parameters(&unit.playbook.params, &unit.system.vars, &given.params)?;
    interpreter.ask_for_missing(&unit.playbook.params, &mut params).await;
    interpreter.refuse_missing(&unit.playbook.params, &params)?;
    let inputs = interpreter.inputs(&unit.playbook.params, &params, &given.params);
    let frame = interpreter.frame(&unit, params, 0, Vec::new()).map_err(|m| vec![m])?;
    interpreter.started(&given, inputs, &frame);
    let env =
        Env { frame: Arc::new(frame), local: Local::outermost(), parent: StepPath::root(), rows: false, limit: Effect::Destroy };
    let played = interpreter.walk(&env, &StepPath::root()).await;
    interpreter.note_left(&env);
    let result = interpreter.finished(&given, &env, played);
    let seen = look(&View { env: &env, own: None, now: world.now() }, &result);
    Ok((result, seen))
}

impl<'w> Interpreter<'w> {
    /// A walk that is about to begin.
    pub(crate) fn new(plan: Arc<Plan>, registry: &'w Registry, world: &'w dyn World, given: &Inputs) -> Interpreter<'w> {
        let began = world.now();
        let run = Map::from_iter([
            ("id".to_owned(), Value::str(&given.run)),
            ("started_at".to_owned(), Value::Time(began)),
            ("operator".to_owned(), Value::str(&given.operator)),
            ("dry_run".to_owned(), Value::Bool(world.is_dry())),
            ("verdict".to_owned(), Value::Null),
            ("state".to_owned(), Value::str(&given.state)),
            ("program".to_owned(), Value::str(&given.program)),
        ]);
        Interpreter {
            world,
            plan,
            registry,
            run,
            overrides: Map::new(),
            env: given.env.clone(),
            step: given.step,
            root: given.root.clone(),
            began,
            counts: Mutex::new(Counts::default()),
            unreached: Mutex::default(),
            undone: Mutex::default(),
            left: Mutex::default(),
            critical: Mutex::default(),
            cleaning: AtomicBool::new(false),
            verdicts: Mutex::default(),
        }
    }

    /// Sorts `--param` values into the playbook's parameters and overrides of the system's variables.
    pub(crate) fn parameters(
        &mut self,
        params: &[Param],
        vars: &[(runbook_core::span::Spanned<String>, runbook_core::model::Arg)],
        given: &[(String, String)],
    ) -> Result<Map, Vec<String>> {
        let given = inputs::sort(params, vars, given)?;
        self.overrides = given.overrides;
        Ok(given.params)
    }

    /// Asks the operator for required parameters that say how to ask for them.
    async fn ask_for_missing(&self, params: &[Param], given: &mut Map) {
        for param in params {
            if !param.required || given.contains_key(&param.name.value) || param.default.is_some() {
                continue;
            }
            let Some(text) = &param.ask else { continue };
            let choices = self.choices_of(param);
            let question = Question {
                path: StepPath::root().part(&format!("params.{}", param.name.value)),
                id: param.name.value.clone(),
                kind: QuestionKind::Ask { answer_type: param.ty.word().to_owned(), choices, default: None },
                text: text.clone(),
                details: param.help.clone().into_iter().collect(),
                timeout: None,
                anew: false,
            };
            if let Reply::Given { value, .. } = self.world.ask(question).await {
                let value = match &value {
                    Value::Str(text) => inputs::from_text(param.ty, text).unwrap_or(value),
                    _ => value,
                };
                if let (ParamType::Secret, Some(text)) = (param.ty, value.as_str()) {
                    self.world.learn_secret(&param.name.value, text);
                }
                given.insert(param.name.value.clone(), value);
            }
        }
    }

    /// Names the required parameters that still have no value, with what they may be.
    fn refuse_missing(&self, params: &[Param], given: &Map) -> Result<(), Vec<String>> {
        let missing: Vec<String> = params
            .iter()
            .filter(|p| p.required && p.default.is_none() && given.get(&p.name.value).is_none_or(Value::is_null))
            .map(|p| {
                let name = &p.name.value;
                let choices = self.choices_of(p);
                let among = if choices.is_empty() {
                    String::new()
                } else {
                    format!(", one of {}", choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
                };
                format!("the parameter `{name}` is required; give it with --param {name}=VALUE{among}")
            })
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }

    fn choices_of(&self, param: &Param) -> Vec<Value> {
        self.frame_for_choices(self.plan.root_unit())
            .and_then(|env| {
                let view = super::scope::View { env: &env, own: None, now: self.world.now() };
                inputs::choices(param, &view).ok().flatten()
            })
            .unwrap_or_default()
    }

    /// The system's names alone, for the choices of a parameter before there is a frame.
    fn frame_for_choices(&self, unit: &runbook_core::model::Unit) -> Option<Env> {
        let mut playbook = (*unit.playbook).clone();
        playbook.params.clear();
        playbook.vars.clear();
        playbook.permissions = None;
        let unit = runbook_core::model::Unit { playbook: Arc::new(playbook), system: unit.system.clone() };
        let frame = self.frame(&unit, Map::new(), 0, Vec::new()).ok()?;
        Some(Env {
            frame: Arc::new(frame),
            local: Local::outermost(),
            parent: StepPath::root(),
            rows: false,
            limit: Effect::Read,
        })
    }

    fn inputs(&self, params: &[Param], values: &Map, given: &[(String, String)]) -> Vec<Input> {
        let flag = |name: &str| given.iter().any(|(n, _)| n == name);
        let mut inputs: Vec<Input> = params
            .iter()
            .map(|p| {
                let name = p.name.value.clone();
                let (value, origin) = match values.get(&name) {
                    Some(value) if flag(&name) => (value.clone(), "flag"),
                    Some(value) => (value.clone(), "answer"),
                    None => (p.default.as_ref().map_or(Value::Null, |d| d.skeleton()), "default"),
                };
                Input { name, value, origin: origin.to_owned() }
            })
            .collect();
        inputs.extend(self.overrides.iter().map(|(name, value)| Input {
            name: name.clone(),
            value: value.clone(),
            origin: "flag".to_owned(),
        }));
        inputs
    }

    fn started(&self, given: &Inputs, mut inputs: Vec<Input>, frame: &Frame) {
        let playbook = &frame.unit.playbook;
        for input in &mut inputs {
            if let Some(value) = frame.params.get(&input.name) {
                input.value = value.clone();
            }
        }
        let (word, steps) = match &playbook.contents {
            Contents::Steps(steps) => ("steps", steps.as_slice()),
            Contents::Checks(steps) => ("checks", steps.as_slice()),
            Contents::Triage(_) => ("triage", &[][..]),
        };
        let env = Env {
            frame: Arc::new(Frame { run: self.run.clone(), ..Frame::empty(&frame.unit) }),
            local: Local::outermost(),
            parent: StepPath::root(),
            rows: false,
            limit: Effect::Read,
        };
        let mut outline: Vec<Outline> = steps
            .iter()
            .enumerate()
            .map(|(i, s)| Outline { path: StepPath::root().child(word, i), label: self.name_of(s, &env) })
            .collect();
        if let Contents::Triage(tree) = &playbook.contents {
            let now = self.world.now();
            outline.extend(tree.nodes().into_iter().filter_map(|node| {
                let label = self.label(&node.question()?.ask, &env, now);
                Some(Outline { path: StepPath::root().node(&node.path), label })
            }));
        }
        self.emit(Event::RunStarted {
            format_version: FORMAT_VERSION.to_owned(),
            run: given.run.clone(),
            playbook: playbook.full_name.clone(),
            title: playbook.title.value.clone(),
            system: frame.unit.system.name.clone(),
            digest: self.plan.digest.clone(),
            operator: given.operator.clone(),
            host: given.host.clone(),
            version: given.version.clone(),
            inputs,
            dry_run: self.world.is_dry(),
            checklist: matches!(playbook.contents, Contents::Checks(_)),
            triage: matches!(playbook.contents, Contents::Triage(_)),
            resumes: given.resumes.clone(),
            profile: given.profile.clone(),
            outline,
        });
    }

    /// Tells what a dry run found out, and how it ends: whatever the run would come to, the dry run has done what it was asked for.
    fn rehearsed(
        &self,
        given: &Inputs,
        env: &Env,
        outcome: RunOutcome,
        exit: Exit,
        message: String,
    ) -> (RunOutcome, Exit, String) {
        let rows = self.world.rehearsed();
        let any = |verdicts: &[DryVerdict]| rows.iter().any(|r| verdicts.contains(&r.verdict));
        let found = match given.detailed_exit {
            true if any(&[DryVerdict::Unknown]) => Exit::Undecided,
            true if any(&[DryVerdict::WouldRun, DryVerdict::WouldAsk]) => Exit::WouldChange,
            _ => Exit::Ok,
        };
        self.emit(Event::Rehearsed { path: StepPath::root(), name: env.frame.unit.playbook.full_name.clone(), rows });
        match outcome {
            RunOutcome::Succeeded | RunOutcome::Stopped => (RunOutcome::Succeeded, found, message),
            RunOutcome::Failed => (RunOutcome::Succeeded, found, format!("the run would end here: {message}")),
            RunOutcome::Blocked => (RunOutcome::Succeeded, found, format!("nothing would run: {message}")),
            RunOutcome::Declined | RunOutcome::NeedsInput | RunOutcome::Parked | RunOutcome::Interrupted => {
                (outcome, exit, message)
            }
        }
    }

    /// The command as it was typed, with the parameters that were asked for.
    fn invoked(&self, given: &Inputs, env: &Env) -> String {
        let mut out = given.invocation.clone();
        for param in &env.frame.unit.playbook.params {
            let name = &param.name.value;
            let asked = param.required && param.default.is_none() && !given.params.iter().any(|(n, _)| n == name);
            if let Some(value) = env.frame.params.get(name).filter(|v| asked && v.all_secret_names().is_empty() && !v.is_null()) {
                out.push_str(&format!(" --param {}", shell_quote(&format!("{name}={value}"))));
            }
        }
        out
    }

    fn finished(&self, given: &Inputs, env: &Env, played: super::play::Played) -> RunResult {
        let playbook = &env.frame.unit.playbook;
        let name = &playbook.full_name;
        let mut next = Vec::new();
        let show = format!("runbook runs show {}", given.run);
        let is_tree = matches!(playbook.contents, Contents::Triage(_));
        // A session is gone on with where it was left: what people answered is kept.
        let resume = format!("runbook triage --resume {}", given.run);
        let (outcome, exit, message) = match &played.flow {
            Flow::Next if is_tree => {
                let conclusion = locked(&env.frame.conclusion);
                next.extend(conclusion.proposed().map(|(_, remedy)| match &remedy.command {
                    Some(command) => command.clone(),
                    None => format!("{} --remedy run", without_remedy(&self.invoked(given, env))),
                }));
                let exit = match conclusion.verdict() {
                    _ if !given.detailed_exit => Exit::Ok,
                    GradeWord::Ok => Exit::Ok,
                    GradeWord::Unknown => Exit::Inconclusive,
                    _ => Exit::Fault,
                };
                match &conclusion.remedied {
                    None => (RunOutcome::Succeeded, exit, conclusion.words()),
                    Some((Remedied::Fixed, said)) => (RunOutcome::Succeeded, exit, format!("{said}; {}", conclusion.words())),
                    Some((Remedied::HeldBack, said)) => {
                        (RunOutcome::Blocked, Exit::Precondition, format!("nothing was run: {said}"))
                    }
                    Some((Remedied::CannotTell, said)) => (RunOutcome::NeedsInput, Exit::InputNeeded, said.clone()),
                    Some((_, said)) => (RunOutcome::Failed, Exit::Failed, format!("{said}; {}", conclusion.words())),
                }
            }
            Flow::Next => (RunOutcome::Succeeded, Exit::Ok, String::new()),
            Flow::Stop(text) => (RunOutcome::Stopped, Exit::Ok, format!("stopped: {text}")),
            Flow::Fail(failure) if played.blocked => {
                next.push(format!("runbook show {name}"));
                (
                    RunOutcome::Blocked,
                    Exit::Precondition,
                    format!("blocked: {}: {}; nothing was changed", failure.step, failure.message),
                )
            }
            Flow::Fail(failure) => {
                next.push(format!("{show} --step {}", shell_quote(&failure.step)));
                let exit = if played.undo_failed { Exit::UndoFailed } else { Exit::Failed };
                // A step that is called by what it says says it once.
                let name = failure.step.trim_end_matches(['.', '…']);
                let mut message = match failure.message.starts_with(name) && !name.is_empty() {
                    true => failure.message.clone(),
                    false => format!("{} failed: {}", failure.step, failure.message),
                };
                if played.undo_failed {
                    message.push_str("; undoing failed too, the state is unknown");
                }
                (RunOutcome::Failed, exit, message)
            }
            Flow::Abort(Abort::Declined { step, why }) => {
                let why = why.as_ref().map(|w| format!(": {w}")).unwrap_or_default();
                (RunOutcome::Declined, Exit::Declined, format!("{step} was declined{why}; the run stopped there"))
            }
            Flow::Abort(Abort::NeedsInput { step, how }) => {
                next.push(format!("{} {how}", if is_tree { &resume } else { &given.invocation }));
                (
                    RunOutcome::NeedsInput,
                    Exit::InputNeeded,
                    format!("{step} needs an answer and nobody is there to give it: {how}"),
                )
            }
            Flow::Abort(Abort::Parked { step }) if is_tree => {
                next.push(resume.clone());
                (RunOutcome::Parked, Exit::InputNeeded, format!("left at `{step}`; what was answered is kept"))
            }
            Flow::Abort(Abort::Parked { step }) => {
                next.push(format!("{} --answer {}=done", without_answer(&given.invocation, step), shell_quote(step)));
                (RunOutcome::Parked, Exit::InputNeeded, format!("parked at {step}; run it again when that is done"))
            }
            Flow::Abort(Abort::Stopped) => {
                let (exit, why) = match self.world.stop_reason() {
                    Some(StopReason::Terminate) => (Exit::Terminated, "by SIGTERM"),
                    Some(StopReason::Hangup) => (Exit::Hangup, "by SIGHUP"),
                    Some(StopReason::TimeLimit) => (Exit::Timeout, "by the time limit"),
                    Some(StopReason::Journal) => (Exit::Internal, "because the journal cannot be written"),
                    _ => (Exit::Interrupted, "by the operator"),
                };
                if is_tree {
                    next.push(resume.clone());
                }
                (RunOutcome::Interrupted, exit, format!("stopped {why}"))
            }
        };
        let (outcome, exit, message) = match self.world.is_dry() {
            true => self.rehearsed(given, env, outcome, exit, message),
            false => (outcome, exit, message),
        };
        if outcome != RunOutcome::Succeeded {
            if !next.iter().any(|n| n.starts_with(&show)) {
                next.push(show);
            }
        } else {
            next.push(show);
        }
        let mut message = message;
        let duration: SignedDuration = self.world.now().duration_since(self.began);
        if let Some(expected) = playbook.expected_duration.filter(|e| duration > *e) {
            let late = format!("late: it usually takes no more than {}", runbook_core::value::format_duration(expected));
            message = if message.is_empty() { late } else { format!("{message}; {late}") };
        }
        let counts = *locked(&self.counts);
        let left =
            if matches!(outcome, RunOutcome::Succeeded | RunOutcome::Stopped) { Vec::new() } else { locked(&self.left).clone() };
        self.emit(Event::RunFinished {
            run: given.run.clone(),
            playbook: name.clone(),
            outcome,
            exit,
            exit_code: exit.code(),
            message: message.clone(),
            counts,
            duration_ms: millis(duration),
            not_started: locked(&self.unreached).clone(),
            undone: locked(&self.undone).clone(),
            left,
            critical_path: self.critical_path(),
            outputs: played.outputs.clone(),
            next,
        });
        RunResult { exit, outcome, message, outputs: played.outputs }
    }
}

/// A command without what is said beforehand about a remedy.
fn without_remedy(command: &str) -> String {
    command.split(" --").filter(|part| !part.starts_with("remedy ")).collect::<Vec<_>>().join(" --")
}

/// A command without the answer to this question.
fn without_answer(command: &str, id: &str) -> String {
    let given = |part: &&str| {
        part.strip_prefix("answer ").is_some_and(|answer| answer.trim_start_matches('\'').split('=').next() == Some(id))
    };
    command.split(" --").filter(|part| !given(part)).collect::<Vec<_>>().join(" --")
}

#[cfg(test)]
mod tests {
    use super::{without_answer, without_remedy};

    #[test]
    fn a_remedy_is_said_once() {
        assert_eq!(without_remedy("runbook triage x --remedy run --yes"), "runbook triage x --yes");
        assert_eq!(without_remedy("runbook triage x"), "runbook triage x");
    }

    #[test]
    fn an_answer_is_taken_out_of_a_command() {
        let command = "runbook play x --answer a=later --answer 'b=no, not yet' --yes";
        assert_eq!(without_answer(command, "a"), "runbook play x --answer 'b=no, not yet' --yes");
        assert_eq!(without_answer(command, "b"), "runbook play x --answer a=later --yes");
        assert_eq!(without_answer(command, "c"), command);
    }
}
