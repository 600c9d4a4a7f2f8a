//! What is done about a finding: one remedy is offered at the end of a walk, and never runs by itself.
//!
//! After a remedy what it is verified by is asked, and then the tree, from its root: only that says whether it helped.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use jiff::SignedDuration;
use runbook_core::event::{Event, Outcome, Proposal, Remedied};
use runbook_core::model::{Remedy, RemedyAction, TriageGraph, Unit};
use runbook_core::module::Effect;
use runbook_core::path::StepPath;
use runbook_core::session::{RemedyChoice, RemedyOffer};
use runbook_core::value::{Value, format_duration};
use runbook_core::world::{Question, QuestionKind, Reply, World};

use super::finding::Found;
use super::flow::{Abort, Flow, Pass};
use super::frame::{Env, Local};
use super::session::Session;
use super::{Interpreter, locked, millis};
use crate::dry::DryWorld;

/// The id with which it is said beforehand what becomes of a remedy.
const QUESTION: &str = "remedy";
/// The tries of this long count for a remedy's `limit`.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What comes after the end of a walk.
pub(crate) enum After {
    /// The run ends.
    Leave,
    /// Back to the last question.
    Back,
    /// A remedy was run, and the tree is asked again.
    Tried(Tried),
}

/// A remedy that was run.
pub(crate) struct Tried {
    path: StepPath,
    finding: String,
    /// Why it is known already that it did not help: it failed, or what it is verified by does not hold.
    trouble: Option<(Remedied, String)>,
}

impl Interpreter<'_> {
    /// Offers the remedy of the worst finding, until one is run or left.
    pub(crate) async fn remedies(&self, graph: &TriageGraph<'_>, session: &Session, env: &Env) -> Result<After, Flow> {
        loop {
            let proposed = {
                let conclusion = locked(&env.frame.conclusion);
                conclusion.proposed().map(|(found, proposal)| (found.clone(), proposal.clone()))
            };
            let remedy = proposed.as_ref().and_then(|(found, _)| graph.nodes.get(found.at)?.node.remedy());
            let (Some((found, proposal)), Some(remedy)) = (proposed, remedy) else { return Ok(After::Leave) };
            let key = self.name_of_tries(&found, &proposal, env);
            let held_back = match self.held_back(remedy, &key, env) {
                Ok(held_back) => held_back,
                Err(message) => Some(message),
            };
            let question = Question {
                path: StepPath::root().child(QUESTION, 0),
                id: QUESTION.to_owned(),
                kind: QuestionKind::Remedy {
                    offer: RemedyOffer {
                        finding: found.id.clone(),
                        severity: found.severity,
                        what: words(&proposal),
                        held_back: held_back.clone(),
                        can_go_back: session.can_go_back(),
                    },
                },
                text: format!("What is to be done about {}?", found.id),
                details: Vec::new(),
                timeout: None,
                anew: session.round > 0,
            };
            match self.chosen_remedy(question).await {
                Reply::Given { value, .. } => match value.as_str().and_then(RemedyChoice::find) {
                    Some(RemedyChoice::Leave) | None => return Ok(After::Leave),
                    Some(RemedyChoice::DryRun) => {
                        self.rehearse(&found, &proposal, remedy, env).await?;
                        if !self.world.is_attended() {
                            return Ok(After::Leave);
                        }
                    }
                    Some(RemedyChoice::Run) => {
                        if let Some(message) = held_back {
                            self.remedied(&StepPath::root().child(QUESTION, 0), &found.id, Remedied::HeldBack, message, env);
                            if self.world.is_attended() {
                                continue;
                            }
                            return Ok(After::Leave);
                        }
                        if let Some(tried) = self.try_remedy(&found, &proposal, remedy, &key, session.round, env).await? {
                            return Ok(After::Tried(tried));
                        }
                    }
                },
                Reply::Back => return Ok(After::Back),
                Reply::Cancelled => return Err(Flow::Abort(Abort::Stopped)),
                _ => return Ok(After::Leave),
            }
        }
    }

    /// What was said beforehand, else what a person says; where nobody sits, it is left.
    async fn chosen_remedy(&self, question: Question) -> Reply {
        if !question.anew
            && let Some(reply) = self.world.given(&question, true)
        {
            return reply;
        }
        if self.world.is_attended() { self.put(question).await } else { Reply::Later }
    }

    /// The name under which the tries of a remedy are kept: the same remedy of another service is another one.
    fn name_of_tries(&self, found: &Found, proposal: &Proposal, env: &Env) -> String {
        let tree = &env.frame.unit.playbook.full_name;
        let what = proposal.command.clone().unwrap_or_else(|| Value::from(env.frame.params.clone()).to_json().to_string());
        format!("{tree} {} {what}", found.id)
    }

    /// Why a remedy must not be run now, if it must not.
    fn held_back(&self, remedy: &Remedy, key: &str, env: &Env) -> Result<Option<String>, String> {
        let now = self.world.now();
        let tries = self.world.tries_of(key);
        if let (Some(cooldown), Some(last)) = (&remedy.cooldown, tries.last()) {
            let cooldown: SignedDuration = self.typed(cooldown, env, now).map_err(|t| self.told(&t))?;
            let ago = now.duration_since(*last).max(SignedDuration::ZERO);
            if ago < cooldown {
                let (ago, left) = (seconds(ago), seconds(cooldown - ago).max(SignedDuration::from_secs(1)));
                return Ok(Some(format!(
                    "it was tried {} ago and is to be left alone for {}; it can be run again in {}",
                    format_duration(ago),
                    format_duration(cooldown),
                    format_duration(left)
                )));
            }
        }
        if let Some(limit) = &remedy.limit {
            let limit: i64 = self.typed(limit, env, now).map_err(|t| self.told(&t))?;
            let within = tries.iter().filter(|at| now.duration_since(**at) < DAY).count();
            if i64::try_from(within).unwrap_or(i64::MAX) >= limit {
                return Ok(Some(format!(
                    "it was tried {within} times within a day, as often as it may be; what it mends comes back, so its cause lies elsewhere"
                )));
            }
        }
        Ok(None)
    }

    /// Runs a remedy and what it is verified by. `None` if the person declined it.
    async fn try_remedy(
        &self,
        found: &Found,
        proposal: &Proposal,
        remedy: &Remedy,
        key: &str,
        number: u32,
        env: &Env,
    ) -> Result<Option<Tried>, Flow> {
        let path = StepPath::root().child(QUESTION, number as usize);
        let tried = |trouble| Some(Tried { path: path.clone(), finding: found.id.clone(), trouble });
        let lock = match self.lock_for(remedy, env) {
            Ok(Some((name, wait))) => match self.world.lock(&name, wait).await {
                Ok(held) => Some(held),
                Err(message) => return self.could_not_begin(&path, found, message, env),
            },
            Ok(None) => None,
            Err(message) => return self.could_not_begin(&path, found, message, env),
        };
        if let Err(message) = self.world.remember_try(key) {
            return self.could_not_begin(&path, found, format!("its try cannot be kept: {message}"), env);
        }
        let began = self.world.now();
        let name = format!("Remedy of {}: {}", found.id, words(proposal));
        self.emit(Event::StepStarted {
            path: path.clone(),
            parent: StepPath::root(),
            id: None,
            name: name.clone(),
            body: "remedy".to_owned(),
            effect: Effect::Change,
            item: None,
            group: true,
            place: self.place(remedy.span),
        });
        let pass = self.act_on(remedy, env, &path).await;
        let verified = match &pass.flow {
            Flow::Next if pass.outcome.is_good() => self.verify(&remedy.verify, &env.nested().below(&path), &path).await,
            _ => Flow::Next,
        };
        drop(lock);
        // A no, or a question that nobody answered, before anything was changed is no try: it may be run as soon as it is answered.
        if !pass.touched && matches!(&pass.flow, Flow::Abort(_)) {
            self.world.take_try_back(key);
        }
        let (outcome, message) = match (&pass.flow, &verified) {
            (Flow::Fail(failure), _) => (Outcome::Failed, failure.message.clone()),
            (_, Flow::Fail(failure)) => (Outcome::Failed, failure.message.clone()),
            _ => (pass.outcome, pass.message.clone()),
        };
        self.emit(Event::StepFinished {
            path: path.clone(),
            parent: StepPath::root(),
            id: None,
            name,
            body: "remedy".to_owned(),
            item: None,
            group: true,
            outcome,
            message: message.clone(),
            checks: Vec::new(),
            output: Vec::new(),
            graded: None,
            attempts: 1,
            duration_ms: millis(self.world.now().duration_since(began)),
            began_ms: self.ms_since_start(began),
            late: false,
            tolerated: true,
            after: Vec::new(),
            place: self.place(remedy.span),
        });
        match (pass.flow, verified) {
            (Flow::Abort(Abort::Declined { .. }), _) if self.world.is_attended() => Ok(None),
            (Flow::Abort(abort), _) | (_, Flow::Abort(abort)) => Err(Flow::Abort(abort)),
            (Flow::Fail(_), _) => Ok(tried(Some((Remedied::Failed, message)))),
            (_, Flow::Fail(_)) => Ok(tried(Some((Remedied::NotFixed, message)))),
            _ if !outcome.is_good() => Ok(tried(Some((Remedied::Failed, message)))),
            _ => Ok(tried(None)),
        }
    }

    /// Tells that nothing was run. Where nobody sits, the run ends; a person may choose something else.
    fn could_not_begin(&self, path: &StepPath, found: &Found, message: String, env: &Env) -> Result<Option<Tried>, Flow> {
        self.remedied(path, &found.id, Remedied::HeldBack, message, env);
        if self.world.is_attended() { Ok(None) } else { Err(Flow::Next) }
    }

    async fn act_on(&self, remedy: &Remedy, env: &Env, path: &StepPath) -> Pass {
        let env = Env { limit: Effect::Destroy, rows: false, ..env.nested().below(path) };
        match &remedy.action {
            RemedyAction::Play { name, with } => Box::pin(self.play(name, with, &env, path)).await,
            RemedyAction::Steps(steps) => {
                let walked = Box::pin(self.steps(steps, &env, path, "steps")).await;
                self.group_pass(walked.flow, walked.touched, String::new())
            }
        }
    }

    /// The lock that a remedy needs.
    fn lock_for(&self, remedy: &Remedy, env: &Env) -> Result<Option<(String, Option<SignedDuration>)>, String> {
        let own = &env.frame.unit;
        let unit: &Unit = match &remedy.action {
            RemedyAction::Play { name, .. } => match self.plan.resolve(&own.playbook.full_name, &name.value) {
                Some(unit) => unit,
                None => return Ok(None),
            },
            RemedyAction::Steps(steps) => {
                let changes = steps.iter().any(|s| self.may_change(s, env, &own.playbook.full_name, 0));
                return Ok(changes.then(|| (super::lock_wish::system_lock(own), None)));
            }
        };
        let frame = self.frame(&relaxed(unit), runbook_core::value::Map::new(), 1, Vec::new())?;
        let inner = Env {
            frame: std::sync::Arc::new(frame),
            local: Local::outermost(),
            parent: StepPath::root(),
            rows: false,
            limit: Effect::Destroy,
        };
        let wish = self.wish_of(unit, &inner).map_err(|mut m| m.remove(0))?;
        Ok(wish.map(|w| (w.name, w.wait.and_then(|w| SignedDuration::try_from(w).ok()))))
    }

    /// Says what a remedy would do.
    async fn rehearse(&self, found: &Found, proposal: &Proposal, remedy: &Remedy, env: &Env) -> Result<(), Flow> {
        let dry = DryWorld::new(self.world);
        let path = StepPath::root().part("rehearsal");
        let walk = self.in_world(&dry);
        let pass = walk.act_on(remedy, &env.frozen(), &path).await;
        if let Flow::Abort(Abort::Stopped) = pass.flow {
            return Err(pass.flow);
        }
        self.emit(Event::Rehearsed { path, name: format!("Remedy of {}: {}", found.id, words(proposal)), rows: dry.rows() });
        Ok(())
    }

    /// The same walk in another world, with nothing counted yet.
    fn in_world<'d>(&'d self, world: &'d dyn World) -> Interpreter<'d> {
        let mut run = self.run.clone();
        run.insert("dry_run".to_owned(), Value::Bool(world.is_dry()));
        Interpreter {
            world,
            plan: self.plan.clone(),
            registry: self.registry,
            run,
            overrides: self.overrides.clone(),
            env: self.env.clone(),
            step: false,
            root: self.root.clone(),
            began: self.began,
            counts: Mutex::default(),
            unreached: Mutex::default(),
            undone: Mutex::default(),
            left: Mutex::default(),
            critical: Mutex::default(),
            cleaning: AtomicBool::new(false),
            verdicts: Mutex::default(),
        }
    }

    /// Says whether a remedy helped, now that the tree was asked again.
    pub(crate) fn tell_whether_it_helped(&self, tried: Tried, graph: &TriageGraph<'_>, session: &Session, env: &Env) {
        let at = locked(&env.frame.conclusion).worst_first().iter().find(|f| f.id == tried.finding).map(|f| f.at);
        let mut ancestors = Vec::new();
        let mut node = at;
        while let Some((parent, _)) = node.and_then(|at| graph.nodes.get(at)?.parent) {
            ancestors.push(parent);
            node = Some(parent);
        }
        // What was said before the remedy says nothing about it.
        let said = (!self.world.is_attended()).then(|| session.rests_on_people(&ancestors)).flatten();
        let still = locked(&env.frame.findings).iter().any(|f| f.as_str() == Some(&tried.finding));
        let (outcome, message) = match tried.trouble {
            Some((outcome, message)) if still => (outcome, format!("the remedy of {} did not help: {message}", tried.finding)),
            Some((outcome, message)) => {
                (outcome, format!("{} is no longer found, but its remedy did not end well: {message}", tried.finding))
            }
            None if let (true, Some(said)) = (still, said) => (
                Remedied::CannotTell,
                format!("the remedy ran; whether {} is gone only a person can tell: {:?}", tried.finding, said.question),
            ),
            None if still => (Remedied::NotFixed, format!("the remedy ran, and {} is still found", tried.finding)),
            None => (Remedied::Fixed, format!("{} is fixed", tried.finding)),
        };
        self.remedied(&tried.path, &tried.finding, outcome, message, env);
    }

    fn remedied(&self, path: &StepPath, finding: &str, outcome: Remedied, message: String, env: &Env) {
        // A person who was told chooses something else; for everybody else it is what the run came to.
        if outcome != Remedied::HeldBack || !self.world.is_attended() {
            locked(&env.frame.conclusion).remedied = Some((outcome, message.clone()));
        }
        self.emit(Event::Remedied {
            path: path.clone(),
            playbook: env.frame.unit.playbook.full_name.clone(),
            finding: finding.to_owned(),
            outcome,
            message,
        });
    }
}

/// A remedy in a line: its command, or the names of its steps.
fn words(proposal: &Proposal) -> String {
    match &proposal.command {
        Some(command) => command.clone(),
        None => proposal.steps.join(", "),
    }
}

/// A playbook whose parameters need not be given, to ask which lock it takes.
fn relaxed(unit: &Unit) -> Unit {
    let mut playbook = (*unit.playbook).clone();
    for param in &mut playbook.params {
        param.required = false;
    }
    Unit { playbook: std::sync::Arc::new(playbook), system: unit.system.clone() }
}

/// Without what is below a second.
fn seconds(duration: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(duration.as_secs())
}
