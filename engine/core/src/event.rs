//! Events: everything that happens in a run, for the journal and for reporters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::expr::Seen;
use crate::model::FindingSeverity;
use crate::module::{Effect, Touches};
use crate::path::StepPath;
use crate::rehearsal::DryRow;
use crate::span::Place;
use crate::value::Value;
use crate::world::{Answer, Origin, Reply, StopReason};

/// The version of the event format. Additions keep it; a change of meaning raises it.
pub const FORMAT_VERSION: &str = "1.0";

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It succeeded and changed nothing.
    Ok,
    /// It succeeded and changed something.
    Changed,
    /// It failed: looked, and the answer is no; or it broke.
    Failed,
    /// It did not run.
    Skipped,
    /// Our side could not tell.
    Unknown,
}

impl Outcome {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Changed => "changed",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
            Outcome::Unknown => "unknown",
        }
    }

    /// Whether the walk goes on after it.
    pub fn is_good(self) -> bool {
        matches!(self, Outcome::Ok | Outcome::Changed | Outcome::Skipped)
    }
}

/// A grade of a checklist's row, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GradeWord {
    /// Within the target.
    Ok,
    /// Off the target, not yet a warning.
    OffTarget,
    /// Beyond the warning limit.
    Warning,
    /// It could not be told.
    Unknown,
    /// Beyond the critical limit, or a failed check.
    Critical,
}

impl GradeWord {
    /// The grade with this word.
    pub fn find(word: &str) -> Option<GradeWord> {
        [GradeWord::Ok, GradeWord::OffTarget, GradeWord::Warning, GradeWord::Unknown, GradeWord::Critical]
            .into_iter()
            .find(|g| g.word() == word)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            GradeWord::Ok => "ok",
            GradeWord::OffTarget => "off target",
            GradeWord::Warning => "warning",
            GradeWord::Unknown => "unknown",
            GradeWord::Critical => "critical",
        }
    }
}

/// One line of `expect` after it was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckLine {
    /// The expression as written.
    pub text: String,
    /// Whether it held; `None` if it could not be evaluated or is unknown.
    pub held: Option<bool>,
    /// What it saw.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub saw: Vec<Seen>,
    /// Why it could not be evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it could not be because a value is not known, rather than wrong.
    #[serde(skip)]
    #[schemars(skip)]
    pub unknown: bool,
}

/// A graded value with its limits.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Graded {
    /// The grade.
    pub grade: GradeWord,
    /// The value.
    pub value: Value,
    /// The limits.
    pub target: Value,
    /// The warning limit.
    pub warning: Value,
    /// The critical limit.
    pub critical: Value,
    /// The unit shown.
    pub unit: Option<String>,
}

/// A row of a checklist's scoreboard.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// What was checked.
    pub name: String,
    /// How it stands.
    pub grade: GradeWord,
    /// The value and its limits, when one was graded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graded: Option<Graded>,
    /// What was seen, in one line.
    pub detail: String,
    /// The fields that the module thinks worth a column, such as port and pid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<(String, String)>,
}

/// An input of a run with its origin. Secrets are masked by their mark.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Value,
    /// Where it came from: `flag`, `default`, `answer`, `env`, `system`.
    pub origin: String,
}

/// How often each outcome came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Steps that succeeded without a change.
    pub ok: u32,
    /// Steps that changed something.
    pub changed: u32,
    /// Steps that failed.
    pub failed: u32,
    /// Steps that were skipped.
    pub skipped: u32,
    /// Steps that could not tell.
    pub unknown: u32,
    /// Steps that were not reached.
    pub not_started: u32,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Changed => self.changed += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Unknown => self.unknown += 1,
        }
    }
}

/// A step that is known beforehand, for the outline of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outline {
    /// Its path.
    pub path: StepPath,
    /// Its id or name as far as it is known.
    pub label: String,
}

/// An event with its number and time, as reporters get it and the journal keeps it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The number within the run, from 1.
    pub seq: u64,
    /// When it happened, by the world's clock.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: jiff::Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A mistake that is told between the records with `--json`, such as an answer that nothing asked for. It has no number and is in no journal.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Complaint {
    /// Always `error`.
    pub event: ComplaintTag,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// The word of a [`Complaint`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ComplaintTag {
    /// `error`
    Error,
}

impl Complaint {
    /// A mistake with what to do about it.
    pub fn new(message: &str, help: Option<&str>) -> Self {
        Complaint { event: ComplaintTag::Error, message: message.to_owned(), help: help.map(str::to_owned) }
    }
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run began. Always the first.
    RunStarted {
        /// The format of what follows.
        format_version: String,
        /// The run's id.
        run: String,
        /// The playbook's full name.
        playbook: String,
        /// Its title.
        title: String,
        /// Its system.
        system: String,
        /// The digest of everything the plan was made of.
        digest: String,
        /// Who runs it.
        operator: String,
        /// The machine.
        host: String,
        /// The program's version.
        version: String,
        /// The inputs with their origin.
        inputs: Vec<Input>,
        /// Whether nothing is changed.
        dry_run: bool,
        /// Whether it is a checklist.
        checklist: bool,
        /// Whether it is a triage tree.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        triage: bool,
        /// The run whose session this one goes on with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resumes: Option<String>,
        /// The system's profile, if one was chosen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
        /// The steps at the top level; of a tree its questions.
        outline: Vec<Outline>,
    },
    /// A step began.
    StepStarted {
        /// The step.
        path: StepPath,
        /// The step it belongs to: a block, a loop or a play. The root's path is empty.
        parent: StepPath,
        /// Its id.
        id: Option<String>,
        /// What it is called.
        name: String,
        /// The body's word, such as `http`.
        body: String,
        /// The effect as far as it is known.
        effect: Effect,
        /// The item's key in a loop.
        item: Option<String>,
        /// Whether it holds other steps.
        group: bool,
        /// Where it is written.
        place: Option<Place>,
    },
    /// A step of a graph cannot begin yet. For those who watch; nothing depends on it.
    StepWaiting {
        /// The step.
        path: StepPath,
        /// The step it belongs to.
        parent: StepPath,
        /// What it is called.
        name: String,
        /// The item's key in a loop.
        item: Option<String>,
        /// The ids or keys it waits for.
        waiting_for: Vec<String>,
    },
    /// A step tells how far it has come.
    StepProgress {
        /// The step.
        path: StepPath,
        /// What it says.
        text: String,
    },
    /// An attempt failed and another will follow.
    AttemptFailed {
        /// The step.
        path: StepPath,
        /// The attempt, from 1.
        attempt: u32,
        /// Why.
        message: String,
        /// The pause before the next one, in milliseconds.
        next_ms: f64,
    },
    /// A changing call is about to be made. Durable before it is.
    Intent {
        /// The step.
        path: StepPath,
        /// The attempt, from 1.
        attempt: u32,
        /// The module.
        module: String,
        /// Its arguments, secrets by name only.
        args: Value,
        /// The effect.
        effect: Effect,
        /// What it touches.
        touches: Touches,
        /// Whether it may be done again.
        idempotent: bool,
    },
    /// A call came to an end. Durable before the next step if it changes something.
    Returned {
        /// The step.
        path: StepPath,
        /// The attempt, from 1.
        attempt: u32,
        /// The module.
        module: String,
        /// The effect of the call.
        effect: Effect,
        /// What it came to.
        answer: Answer,
    },
    /// A person is asked.
    Asked {
        /// The step.
        path: StepPath,
        /// The question's id.
        id: String,
        /// The question.
        text: String,
    },
    /// A person answered.
    Replied {
        /// The step.
        path: StepPath,
        /// The question's id.
        id: String,
        /// The answer.
        reply: Reply,
    },
    /// The walk slept.
    Slept {
        /// The step.
        path: StepPath,
        /// How long, in milliseconds.
        ms: f64,
    },
    /// A step ended.
    StepFinished {
        /// The step.
        path: StepPath,
        /// The step it belongs to.
        parent: StepPath,
        /// Its id.
        id: Option<String>,
        /// What it is called.
        name: String,
        /// The body's word.
        body: String,
        /// The item's key in a loop.
        item: Option<String>,
        /// Whether it held other steps.
        group: bool,
        /// What became of it.
        outcome: Outcome,
        /// Why it failed, was skipped or is unknown; else what it saw or did, in one line.
        message: String,
        /// The lines of `expect`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        checks: Vec<CheckLine>,
        /// The last lines of its output, of a failed command.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        output: Vec<String>,
        /// The grade, when a value was graded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        graded: Option<Graded>,
        /// How many attempts were made.
        attempts: u32,
        /// How long it took, in milliseconds.
        duration_ms: f64,
        /// When it began, in milliseconds since the run began.
        began_ms: f64,
        /// Whether it took longer than expected.
        late: bool,
        /// Whether the walk goes on although it failed.
        tolerated: bool,
        /// The ids or keys it waited for in a graph.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        after: Vec<String>,
        /// Where it is written.
        place: Option<Place>,
    },
    /// Text for the operator.
    Note {
        /// The step.
        path: StepPath,
        /// The text.
        text: String,
    },
    /// A row of a checklist.
    Row {
        /// The step.
        path: StepPath,
        /// The row.
        row: Row,
    },
    /// The worst of a checklist.
    Verdict {
        /// The playbook.
        playbook: String,
        /// How it stands.
        verdict: GradeWord,
        /// How many rows each grade has: ok, off target, warning, unknown, critical.
        counts: [u32; 5],
    },
    /// A question of a triage tree was answered. It comes after what its checks came to, and before the node's own end.
    NodeAnswered {
        /// The node's path.
        path: StepPath,
        /// The tree.
        playbook: String,
        /// The node's id, else its path within the tree.
        key: String,
        /// The question.
        question: String,
        /// The answer: `yes`, `no`, `unknown` or a choice.
        answer: String,
        /// The branch that it takes: `yes`, `no`, `unknown`, the case's value or `default`.
        branch: String,
        /// Who answered.
        origin: AnswerOrigin,
        /// What the checks answered, where a person answered something else or was asked all the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe: Option<String>,
        /// What was seen, in one line; empty if nothing was looked at.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        evidence: String,
        /// The remark of the person who answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// How long it took, in milliseconds.
        duration_ms: f64,
    },
    /// A leaf of a triage tree was reached. It comes after its evidence.
    Finding {
        /// The node's path.
        path: StepPath,
        /// The tree.
        playbook: String,
        /// The node's id, else its path within the tree.
        key: String,
        /// The finding's stable id.
        finding: String,
        /// How bad it is.
        severity: FindingSeverity,
        /// What is said about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        say: Option<String>,
        /// What was seen.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        evidence: Vec<Evidence>,
        /// What could be done about it. It was not done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<Proposal>,
    },
    /// A triage tree was walked to its end.
    Concluded {
        /// The tree.
        playbook: String,
        /// The worst of its findings: `ok` if all are only informative, `unknown` if there is none.
        verdict: GradeWord,
        /// The findings, the worst first.
        findings: Vec<String>,
        /// How many questions the checks answered.
        probed: u32,
        /// How many questions people answered, now or beforehand.
        answered: u32,
        /// How many of all were answered with `unknown`.
        unknown: u32,
        /// How many of those that people answered say something else than their checks.
        #[serde(default, skip_serializing_if = "is_zero")]
        overridden: u32,
        /// How many of those that people answered were passed over.
        #[serde(default, skip_serializing_if = "is_zero")]
        skipped: u32,
    },
    /// The person went back to a question that was answered before. What was answered and found from there on no longer counts.
    WentBack {
        /// The path of the node that was left, or of the tree's end.
        path: StepPath,
        /// The tree.
        playbook: String,
        /// The key of the node that is asked again.
        key: String,
        /// Its question.
        question: String,
    },
    /// It was looked what something would do; nothing was changed.
    Rehearsed {
        /// What was looked at: the path of the remedy.
        path: StepPath,
        /// What it is called.
        name: String,
        /// Its steps.
        rows: Vec<DryRow>,
    },
    /// A remedy was run, and the tree was asked again.
    Remedied {
        /// The remedy's path.
        path: StepPath,
        /// The tree.
        playbook: String,
        /// The finding it was for.
        finding: String,
        /// Whether it helped.
        outcome: Remedied,
        /// How it ended, in one line.
        message: String,
    },
    /// A precondition does not hold.
    Blocked {
        /// What was checked.
        name: String,
        /// Why.
        message: String,
    },
    /// The run was asked to stop.
    Stopping {
        /// Why.
        reason: StopReason,
        /// What it waits for.
        waiting_for: Vec<String>,
    },
    /// A second signal ended everything at once: the run has no orderly end.
    Killed {
        /// Why.
        reason: StopReason,
    },
    /// What was done is being undone.
    Undoing {
        /// How many steps.
        steps: u32,
    },
    /// An answer had an origin worth recording (given beforehand).
    Answered {
        /// The question's id.
        id: String,
        /// Where the answer came from.
        origin: Origin,
    },
    /// A run ended. Always the last; it seals the journal.
    RunFinished {
        /// The run's id.
        run: String,
        /// The playbook.
        playbook: String,
        /// What became of it.
        outcome: RunOutcome,
        /// The exit code's name.
        exit: Exit,
        /// The exit code.
        exit_code: u8,
        /// One line that says how it ended.
        message: String,
        /// How often each outcome came.
        counts: Counts,
        /// How long it took, in milliseconds.
        duration_ms: f64,
        /// Steps at the top level that were not reached.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        not_started: Vec<String>,
        /// Steps that were undone, newest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        undone: Vec<String>,
        /// Steps that changed something and were not undone: what is left running or changed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left: Vec<String>,
        /// The slowest chain of steps that waited for each other.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        critical_path: Option<CriticalPath>,
        /// The playbook's outputs.
        #[serde(default)]
        outputs: Value,
        /// The next useful commands.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        next: Vec<String>,
    },
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Whether a remedy helped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Remedied {
    /// It ran, what it is verified by holds, and the tree no longer finds it.
    Fixed,
    /// It ran, and the tree still finds it, or what it is verified by does not hold.
    NotFixed,
    /// It failed.
    Failed,
    /// It ran, and whether it helped only a person could tell.
    CannotTell,
    /// It was held back by its cooldown or limit: nothing ran.
    HeldBack,
}

impl Remedied {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Remedied::Fixed => "fixed",
            Remedied::NotFixed => "not fixed",
            Remedied::Failed => "failed",
            Remedied::CannotTell => "cannot tell",
            Remedied::HeldBack => "held back",
        }
    }
}

/// Who answered a question of a triage tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerOrigin {
    /// Its checks.
    Probed,
    /// A person, at the prompt.
    Answered,
    /// A flag such as `--answer`.
    Flag,
    /// An answers file.
    File,
    /// A person who took the suggestion.
    Default,
    /// A person who passed it over.
    Skipped,
    /// A person, in the session that this one goes on with.
    Resumed,
    /// A test.
    Test,
}

impl From<Origin> for AnswerOrigin {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Operator => AnswerOrigin::Answered,
            Origin::Flag => AnswerOrigin::Flag,
            Origin::File => AnswerOrigin::File,
            Origin::Default => AnswerOrigin::Default,
            Origin::Resumed => AnswerOrigin::Resumed,
            Origin::Test => AnswerOrigin::Test,
        }
    }
}

/// Something that was looked at when a finding was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What was looked at.
    pub name: String,
    /// What it came to.
    pub outcome: Outcome,
    /// What was seen, in one line.
    pub message: String,
}

/// A remedy as it is proposed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Proposal {
    /// The playbook to play, with its system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub play: Option<String>,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub with: Value,
    /// The command that plays it, ready to be pasted; none where a parameter cannot be written out, or the remedy is steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The names of its steps, if it is steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    /// Why it cannot be proposed in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// It succeeded.
    Succeeded,
    /// `stop:` ended it as succeeded.
    Stopped,
    /// It failed.
    Failed,
    /// A precondition did not hold.
    Blocked,
    /// The operator said no.
    Declined,
    /// An answer is needed.
    NeedsInput,
    /// It was parked by `later`.
    Parked,
    /// It was interrupted.
    Interrupted,
}

impl RunOutcome {
    /// Every outcome with its word.
    pub const ALL: &'static [(&'static str, RunOutcome)] = &[
        ("succeeded", RunOutcome::Succeeded),
        ("stopped", RunOutcome::Stopped),
        ("failed", RunOutcome::Failed),
        ("blocked", RunOutcome::Blocked),
        ("declined", RunOutcome::Declined),
        ("needs_input", RunOutcome::NeedsInput),
        ("parked", RunOutcome::Parked),
        ("interrupted", RunOutcome::Interrupted),
    ];

    /// The word, as in the journal.
    pub fn word(self) -> &'static str {
        RunOutcome::ALL.iter().find(|(_, o)| *o == self).map_or("failed", |(word, _)| word)
    }
}

/// The slowest chain of steps that waited for each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CriticalPath {
    /// The steps in order.
    pub steps: Vec<String>,
    /// How long the chain took, in milliseconds.
    pub duration_ms: f64,
}
