//! Steps: one body and the common keys.

use crate::expr::{Expr, Template};
use crate::module::Effect;
use crate::span::{Span, Spanned};

use super::Arg;

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The place of the whole step.
    pub span: Span,
    /// The place of the body's key.
    pub body_span: Span,
    /// The id under `steps`.
    pub id: Option<Spanned<String>>,
    /// The name shown to people.
    pub name: Option<Template>,
    /// Tags, for selecting.
    pub tags: Vec<String>,
    /// Links for people.
    pub links: Vec<super::Link>,
    /// Run only if true.
    pub when: Option<Expr>,
    /// Repeat over items.
    pub each: Option<Each>,
    /// Siblings in a `parallel` that must have succeeded before.
    pub needs: Vec<Spanned<String>>,
    /// In a `parallel`: repeat at this interval until the siblings without `every` have ended.
    pub every: Option<Arg>,
    /// Expressions over the result that must hold; empty means the module's default verdict.
    pub expect: Vec<Expr>,
    /// What a failed expectation means in a checklist.
    pub severity: StepSeverity,
    /// How a value is graded.
    pub grade: Option<Grade>,
    /// Whether the operator may accept a failed check.
    pub override_ask: bool,
    /// Repeat until it succeeds.
    pub retry: Option<Retry>,
    /// The limit for one attempt.
    pub timeout: Option<Arg>,
    /// Over it, the step is marked late.
    pub expected_duration: Option<Arg>,
    /// Record a failure and go on.
    pub continue_on_error: Option<Arg>,
    /// Steps that take this one back.
    pub undo: Vec<Step>,
    /// Checks asked after an action.
    pub verify: Vec<Step>,
    /// Ask before running.
    pub confirm: Option<Confirm>,
    /// The declared effect.
    pub effect: Option<Spanned<Effect>>,
    /// Resources that a command changes.
    pub touches: Option<Arg>,
    /// Whether running it twice is the same as once.
    pub idempotent: Option<bool>,
    /// Write the result to this file.
    pub save: Option<Arg>,
    /// Keep the result out of every output and record.
    pub sensitive: bool,
    /// The host it runs on.
    pub on: Option<Arg>,
    /// In a checklist: whether the check gets a row.
    pub graded: bool,
    /// What it does.
    pub body: Body,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Body {
    /// Run a probe or action.
    Module(ModuleCall),
    /// A group.
    Block(Block),
    /// Children at the same time.
    Parallel(Vec<Step>),
    /// Run another playbook.
    Play {
        /// Its name as written.
        name: Spanned<String>,
        /// Its parameters.
        with: Vec<(Spanned<String>, Arg)>,
    },
    /// Set variables.
    Set(Vec<(Spanned<String>, Arg)>),
    /// Ask the operator.
    Ask(AskBody),
    /// A step that a person does.
    Manual(Template),
    /// Show text.
    Note(Template),
    /// Stop as failed.
    Fail(Template),
    /// End this playbook as succeeded.
    Stop(Template),
    /// Sleep.
    Wait(WaitBody),
}

impl Body {
    /// The word that is written for it; of a module its name.
    pub fn word(&self) -> &str {
        match self {
            Body::Module(call) => &call.name.value,
            Body::Block(_) => "block",
            Body::Parallel(_) => "parallel",
            Body::Play { .. } => "play",
            Body::Set(_) => "set",
            Body::Ask(_) => "ask",
            Body::Manual(_) => "manual",
            Body::Note(_) => "note",
            Body::Fail(_) => "fail",
            Body::Stop(_) => "stop",
            Body::Wait(_) => "wait",
        }
    }
}

/// A call of a module.
#[derive(Clone, Debug)]
pub struct ModuleCall {
    /// The module's name.
    pub name: Spanned<String>,
    /// Its arguments: always a map; the scalar form is put under the module's main argument.
    pub args: Arg,
}

/// A group of steps.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// The steps.
    pub steps: Vec<Step>,
    /// What to do when one of them failed.
    pub rescue: Vec<Step>,
    /// What to do whatever happened.
    pub always: Vec<Step>,
}

/// A question to the operator.
#[derive(Clone, Debug)]
pub struct AskBody {
    /// The question.
    pub question: Template,
    /// The answer's type.
    pub ty: super::ParamType,
    /// The answers to choose from.
    pub choices: Option<Arg>,
    /// The answer when the operator just presses Enter.
    pub default: Option<Arg>,
}

/// How long to sleep.
#[derive(Clone, Debug)]
pub enum WaitBody {
    /// For a duration.
    For(Arg),
    /// Until a moment.
    Until(Arg),
}

/// A loop.
#[derive(Clone, Debug)]
pub struct Each {
    /// What to repeat over.
    pub over: Over,
    /// The place of `for_each`'s value.
    pub span: Span,
    /// The name of the item.
    pub bind: String,
    /// The place of that name, or of what is repeated over.
    pub bind_span: Span,
    /// The order.
    pub order: Order,
    /// How many at the same time; 1 for listed orders and unbounded for dependencies unless given.
    pub max_parallel: Option<Arg>,
}

/// What a loop repeats over.
#[derive(Clone, Debug)]
pub enum Over {
    /// A bare expression.
    Expr(Expr),
    /// A literal list or map, with templates in it.
    Literal(Arg),
}

/// The order of a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As listed.
    #[default]
    Listed,
    /// Backwards.
    Reverse,
    /// By each item's `needs`.
    Dependencies,
    /// By each item's `needs`, backwards.
    ReverseDependencies,
}

/// What a failed expectation means in a checklist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StepSeverity {
    /// The worst.
    #[default]
    Critical,
    /// Less.
    Warning,
}

/// How expectations combine. (All must hold; kept as a type so that the report can say so.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpectMode {
    /// Every line must hold.
    #[default]
    All,
}

/// How a value is graded.
#[derive(Clone, Debug)]
pub struct Grade {
    /// The value.
    pub value: Expr,
    /// The limits.
    pub limits: GradeLimits,
}

/// The limits of a grade.
#[derive(Clone, Debug)]
pub enum GradeLimits {
    /// A threshold by name: an expression such as `thresholds.memory`.
    By(Expr),
    /// Written beside the value.
    Inline {
        /// Ok up to here.
        target: Option<Arg>,
        /// Warning beyond here.
        warning: Option<Arg>,
        /// Critical beyond here.
        critical: Option<Arg>,
        /// The unit shown.
        unit: Option<String>,
    },
}

/// How a step is repeated until it succeeds.
#[derive(Clone, Debug)]
pub struct Retry {
    /// The place.
    pub span: Span,
    /// At most so many attempts.
    pub attempts: Option<Arg>,
    /// Attempts begin until so much time has passed.
    pub within: Option<Arg>,
    /// The pause between attempts; without it a read polls from 0 ms with a growing pause, a change waits 1 s.
    pub every: Option<Arg>,
    /// Each pause is the one before times this.
    pub backoff: Option<Arg>,
    /// The longest pause.
    pub max_delay: Option<Arg>,
    /// The part of the pause that is random, 0 to 1; `true` is 0.5.
    pub jitter: Option<Arg>,
    /// So many successes in a row are needed.
    pub successes: Option<Arg>,
    /// Give up at once when one of these holds.
    pub give_up_when: Vec<Expr>,
    /// The kinds of failure that are retried; empty means all.
    pub on: Vec<RetryOn>,
}

/// A kind of failure that is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOn {
    /// Looked, and the answer was no.
    Failed,
    /// The attempt took too long.
    Timeout,
    /// It could not be looked at.
    Unknown,
}

/// Whether and how to ask before running.
#[derive(Clone, Debug)]
pub enum Confirm {
    /// A yes is enough.
    Yes,
    /// The word to type.
    Type(Template),
    /// Per item of a loop.
    Each,
}
