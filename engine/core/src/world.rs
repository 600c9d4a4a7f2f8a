//! The door: everything the interpreter wants from outside goes through a [`World`].
//!
//! Requests and answers are plain data that can be written down and sent elsewhere, so that the same walk can be live, dry, scripted or
//! replayed, here or on another host.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::module::{BoxFuture, Effect, Forecast, Touches};
use crate::path::StepPath;
use crate::rehearsal::DryRow;
use crate::session::{RemedyOffer, Standing};
use crate::value::Value;

/// A call of a module.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The step.
    pub path: StepPath,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The module.
    pub module: String,
    /// Its rendered arguments, a map. Secrets and unknowns keep their marks.
    pub args: Value,
    /// The effect: the module's own, raised by the step's declaration.
    pub effect: Effect,
    /// What it reads, changes and needs.
    pub touches: Touches,
    /// Whether running it twice is the same as once.
    pub idempotent: bool,
    /// The limit of this attempt.
    pub timeout: Option<SignedDuration>,
    /// The host, if not this one.
    pub host: Option<String>,
    /// Argument-vector prefixes whose effect is `read`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read_commands: Vec<Vec<String>>,
    /// Whether the result must stay out of every record.
    pub sensitive: bool,
}

/// What a call came to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It gave a result.
    Done {
        /// The fields, a map.
        result: Value,
        /// Whether it changed anything.
        changed: bool,
    },
    /// It looked, and the answer is no.
    Unmet {
        /// What was seen.
        message: String,
        /// The fields that could be filled: a map, or null.
        result: Value,
    },
    /// Our side could not look.
    CannotTell {
        /// What stood in the way.
        message: String,
    },
    /// The arguments make no sense.
    Invalid {
        /// What is wrong.
        message: String,
        /// The argument, if one.
        argument: Option<String>,
    },
    /// It took too long and was ended.
    TimedOut {
        /// After so long, in the form of ISO 8601 such as `PT5S`.
        #[schemars(with = "String")]
        after: SignedDuration,
        /// The fields that could be filled: a map, or null.
        result: Value,
    },
    /// It was planned and did not run.
    Planned {
        /// What it would do.
        forecast: Forecast,
    },
    /// A dry run cannot tell: it depends on what has not run.
    Undecided {
        /// On what.
        reason: String,
    },
    /// It was not allowed or could not be begun: nothing happened.
    Refused {
        /// Why.
        message: String,
    },
    /// It was ended because the run stops.
    Cancelled,
}

/// What a person is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// The step.
    pub path: StepPath,
    /// The id with which an answer is given beforehand: the step's id, or one made from its path.
    pub id: String,
    /// What kind of question it is.
    pub kind: QuestionKind,
    /// The question.
    pub text: String,
    /// Lines that say what is at stake: the rendered command, the list of items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// After so long it counts as unanswered.
    pub timeout: Option<SignedDuration>,
    /// Whether it is asked anew, so that what was given beforehand no longer answers it: after a person went back to it, or after a remedy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anew: bool,
}

/// Kinds of questions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum QuestionKind {
    /// Yes or no before a change; `--yes` answers it.
    Confirm,
    /// A word to type before something is lost; only `--confirm id=WORD` answers it.
    ConfirmWord {
        /// The word.
        word: String,
    },
    /// A typed answer.
    Ask {
        /// The type's word.
        answer_type: String,
        /// The answers to choose from.
        choices: Vec<Value>,
        /// The answer of an empty line.
        default: Option<Value>,
    },
    /// Something a person does: done, skip, failed or later.
    Manual,
    /// Whether to accept a failed check, with a reason.
    Override,
    /// A question of a triage tree.
    Node {
        /// The answers that there are: yes, no and unknown, or the choices.
        choices: Vec<Value>,
        /// The answer of an empty line: what the checks say, or what was answered before.
        suggestion: Option<Value>,
        /// Where the walk stands.
        standing: Box<Standing>,
    },
    /// What is to become of a remedy: one of the words of [`RemedyChoice`](crate::session::RemedyChoice). `--remedy` answers it.
    Remedy {
        /// What is offered.
        offer: RemedyOffer,
    },
}

/// What a person, or whoever stands in for one, answered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// An answer: the value of an `ask`; `true` of a confirmation; `done`, `skip` or `failed` of a manual step.
    Given {
        /// The answer.
        value: Value,
        /// A remark or reason.
        note: Option<String>,
        /// Where it came from.
        origin: Origin,
    },
    /// No.
    Declined {
        /// Where it came from.
        origin: Origin,
    },
    /// Of a tree's question: it is passed over, and the walk goes on as if this had been answered.
    Skipped {
        /// `unknown`, or another answer where the author did not write where that leads.
        value: Value,
    },
    /// Of a tree's question: back to the one before.
    Back,
    /// Of a tree's question: look again, then ask again.
    Again,
    /// Not now: the run is parked.
    Later,
    /// Nobody is there to answer.
    NobodyThere {
        /// The flag that answers it beforehand.
        how: String,
    },
    /// The time to answer ran out.
    TimedOut,
    /// The answer that was given beforehand does not fit.
    Unfit {
        /// Why.
        message: String,
    },
    /// The run stops.
    Cancelled,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Typed by the operator.
    Operator,
    /// A flag such as `--answer`.
    Flag,
    /// An answers file.
    File,
    /// The author's default.
    Default,
    /// The session that this one goes on with.
    Resumed,
    /// A test.
    Test,
}

/// Why the run should stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// SIGINT, or Ctrl-C at a prompt.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP.
    Hangup,
    /// The overall time limit.
    TimeLimit,
    /// The journal cannot be written.
    Journal,
}

/// A lock that is held until this is dropped.
pub type Held = Box<dyn std::any::Any + Send>;

/// Everything outside the interpreter.
pub trait World: Send + Sync {
    /// Runs, plans or replays a module.
    fn perform<'a>(&'a self, call: Call) -> BoxFuture<'a, Answer>;

    /// Looks what a call would do. Nothing is changed.
    fn plan<'a>(&'a self, _call: Call) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::Refused { message: "nothing can be planned here".to_owned() } })
    }

    /// Asks a person.
    fn ask<'a>(&'a self, question: Question) -> BoxFuture<'a, Reply>;

    /// The answer that was given beforehand, such as by a flag, if there is one; nobody is asked. What a probe could answer by itself is
    /// asked of the world only in this way. `settled` says that a probe has answered, so that a person would not be asked.
    fn given(&self, _question: &Question, _settled: bool) -> Option<Reply> {
        None
    }

    /// Whether a person sits there who is asked what is not settled beforehand.
    fn is_attended(&self) -> bool {
        false
    }

    /// When a remedy was tried before, the oldest first. The name is one that [`World::remember_try`] was given.
    fn tries_of(&self, _remedy: &str) -> Vec<Timestamp> {
        Vec::new()
    }

    /// Keeps that a remedy is being tried now, for cooldowns and limits of later runs.
    ///
    /// # Errors
    /// Why it cannot be kept; the remedy must not run then, or it could run more often than its author allows.
    fn remember_try(&self, _remedy: &str) -> Result<(), String> {
        Ok(())
    }

    /// Takes the last try of a remedy back: it ended before it began to change anything, such as at a question.
    fn take_try_back(&self, _remedy: &str) {}

    /// Takes a lock for as long as what it returns is kept.
    ///
    /// # Errors
    /// Who holds it, or why it cannot be taken, in words.
    fn lock<'a>(&'a self, _name: &'a str, _wait: Option<SignedDuration>) -> BoxFuture<'a, Result<Held, String>> {
        Box::pin(async { Ok(Box::new(()) as Held) })
    }

    /// Sleeps; returns early when the run stops.
    fn sleep<'a>(&'a self, path: &'a StepPath, duration: SignedDuration) -> BoxFuture<'a, ()>;

    /// The world's time.
    fn now(&self) -> Timestamp;

    /// A number from 0 to 1, for jitter.
    fn random(&self) -> f64;

    /// Hands an event to whoever listens. Order is kept.
    fn emit(&self, event: Event);

    /// Why the run should stop, if it should.
    fn stop_reason(&self) -> Option<StopReason>;

    /// Resolves when the run should stop.
    fn stopped(&self) -> BoxFuture<'_, StopReason>;

    /// From now on the stop that was asked for is being carried out: what is asked of the world next is cleaning up.
    fn begin_cleanup(&self);

    /// From now on this value is taken out of whatever is told.
    fn learn_secret(&self, _name: &str, _value: &str) {}

    /// In a dry run: what was found out so far, a row a step.
    fn rehearsed(&self) -> Vec<DryRow> {
        Vec::new()
    }

    /// In a dry run: what comes now is only reached if something holds that is not known; or no longer.
    fn perhaps(&self, _begins: bool) {}

    /// Whether this world only plans changes.
    fn is_dry(&self) -> bool {
        false
    }
}
