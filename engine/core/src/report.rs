//! A run as one document: what is left to read of it when it has ended.
//!
//! It is folded from the run's events and says nothing that they do not say. Values are plain here: a duration is `30s`, a secret
//! `*** (its name)`, and what is not known is null.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::event::{AnswerOrigin, CheckLine, Counts, CriticalPath, Evidence, GradeWord, Outcome, Remedied, RunOutcome};
use crate::exit::Exit;
use crate::model::FindingSeverity;
use crate::module::Effect;
use crate::path::StepPath;
use crate::span::Place;
use crate::world::{Origin, StopReason};

/// The version of the format. Additions keep it; a change of meaning raises it.
pub const FORMAT_VERSION: &str = "1.0";

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The format of this document: `1.0`.
    pub format_version: String,
    /// What was run, when, where and by whom.
    pub run: RunInfo,
    /// How it ended.
    pub result: RunResult,
    /// The parameters, and the variables of the system that were overridden.
    pub inputs: Vec<ReportInput>,
    /// How often each outcome came.
    pub counts: Counts,
    /// The steps in the order in which they began, each with those inside it.
    pub steps: Vec<StepReport>,
    /// The steps at the top level that were not reached.
    pub not_started: Vec<String>,
    /// The preconditions that did not hold.
    pub blocked: Vec<BlockedBy>,
    /// The rows of a checklist.
    pub checks: Vec<CheckRow>,
    /// The worst of a checklist or a triage tree.
    pub verdict: Option<GradeWord>,
    /// The questions of triage trees that were answered, in order: the path that was taken.
    pub questions: Vec<QuestionReport>,
    /// What triage trees found, in order.
    pub findings: Vec<FindingReport>,
    /// The remedies that were run, with what came of them. After each the tree was asked again, so that its questions and findings stand
    /// twice: a finding that is fixed is not in the second half.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<RemediedReport>,
    /// The questions that were asked, with the answers and where they came from.
    pub answers: Vec<AnswerReport>,
    /// What was taken back, and what was not.
    pub undo: Undo,
    /// The playbook's outputs.
    pub outputs: Json,
    /// The slowest chain of steps that waited for each other.
    pub critical_path: Option<CriticalPath>,
    /// The next useful commands.
    pub next: Vec<String>,
}

/// What was run, when, where and by whom.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    /// The run's id.
    pub id: String,
    /// The playbook's full name.
    pub playbook: String,
    /// Its title.
    pub title: String,
    /// Its system; empty if it has none.
    pub system: String,
    /// The SHA-256 digest of everything that the plan was made of.
    pub digest: String,
    /// Who ran it.
    pub operator: String,
    /// The machine.
    pub host: String,
    /// The program's version.
    pub version: String,
    /// The run whose session it went on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<String>,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// When it began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started: Timestamp,
    /// When it ended; null if its end is not recorded.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished: Option<Timestamp>,
    /// How long it took, or until the last record, in milliseconds.
    pub duration_ms: f64,
}

/// How a run ended.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// What became of it.
    pub outcome: Ending,
    /// The exit code; null if the end is not recorded.
    pub exit_code: Option<u8>,
    /// The exit code's name.
    pub exit: Option<Exit>,
    /// What the exit code means.
    pub exit_reason: Option<String>,
    /// One line that says how it ended; empty if there is nothing to add.
    pub message: String,
    /// Why it was asked to stop, if it was.
    pub stopped_by: Option<StopReason>,
}

/// What became of a run, also of one whose end is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
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
    /// It was interrupted; without an exit code: it ended without a word, as when the machine stops.
    Interrupted,
    /// A second signal ended everything at once.
    Killed,
    /// It has not ended.
    Running,
}

impl From<RunOutcome> for Ending {
    fn from(outcome: RunOutcome) -> Ending {
        match outcome {
            RunOutcome::Succeeded => Ending::Succeeded,
            RunOutcome::Stopped => Ending::Stopped,
            RunOutcome::Failed => Ending::Failed,
            RunOutcome::Blocked => Ending::Blocked,
            RunOutcome::Declined => Ending::Declined,
            RunOutcome::NeedsInput => Ending::NeedsInput,
            RunOutcome::Parked => Ending::Parked,
            RunOutcome::Interrupted => Ending::Interrupted,
        }
    }
}

/// An input with its origin.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReportInput {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Json,
    /// Where it came from: `flag`, `default`, `answer`, `env`, `system`.
    pub origin: String,
}

/// A step that began.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    /// Where it stands.
    pub path: StepPath,
    /// Its id.
    pub id: Option<String>,
    /// What it is called.
    pub name: String,
    /// The body's word, such as `http`.
    pub body: String,
    /// The item's key in a loop.
    pub item: Option<String>,
    /// The effect, as far as it was known when it began.
    pub effect: Effect,
    /// What became of it; null if it did not end.
    pub outcome: Option<Outcome>,
    /// Why it failed, was skipped or is unknown; else what it saw or did, in one line.
    pub message: String,
    /// Whether the walk went on although it failed.
    pub tolerated: bool,
    /// When it began, in milliseconds since the run began.
    pub began_ms: f64,
    /// How long it took, in milliseconds; null if it did not end.
    pub duration_ms: Option<f64>,
    /// Whether it took longer than expected.
    pub late: bool,
    /// How many attempts were made.
    pub attempts: u32,
    /// The attempts that failed and were followed by another.
    pub failed_attempts: Vec<FailedAttempt>,
    /// The lines of `expect`.
    pub checks: Vec<CheckLine>,
    /// The value that was graded.
    pub grade: Option<GradeReport>,
    /// The last lines of its output, of a failed command.
    pub output: Vec<String>,
    /// What was shown to the operator.
    pub notes: Vec<String>,
    /// The ids or keys it waited for in a graph.
    pub after: Vec<String>,
    /// Where it is written.
    pub place: Option<Place>,
    /// The steps inside it, in the order in which they began.
    pub steps: Vec<StepReport>,
}

/// An attempt that failed and was followed by another.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FailedAttempt {
    /// The attempt, from 1.
    pub attempt: u32,
    /// Why it failed.
    pub message: String,
}

/// A graded value with its limits.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GradeReport {
    /// The grade.
    pub grade: GradeWord,
    /// The value.
    pub value: Json,
    /// Ok up to here.
    pub target: Json,
    /// Warning beyond here.
    pub warning: Json,
    /// Critical beyond here.
    pub critical: Json,
    /// The unit shown.
    pub unit: Option<String>,
}

/// A precondition that did not hold.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BlockedBy {
    /// What was checked.
    pub name: String,
    /// Why it does not hold.
    pub message: String,
}

/// A row of a checklist.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CheckRow {
    /// The step.
    pub path: StepPath,
    /// What was checked.
    pub name: String,
    /// How it stands.
    pub grade: GradeWord,
    /// The value and its limits, when one was graded.
    pub graded: Option<GradeReport>,
    /// What was seen, in one line.
    pub detail: String,
    /// Further fields with their names, such as port and pid.
    pub columns: Vec<(String, String)>,
}

/// An answered question of a triage tree.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct QuestionReport {
    /// The node.
    pub path: StepPath,
    /// The tree.
    pub playbook: String,
    /// The node's id, else its path within the tree.
    pub key: String,
    /// The question.
    pub question: String,
    /// The answer: `yes`, `no`, `unknown` or a choice.
    pub answer: String,
    /// Who answered.
    pub origin: AnswerOrigin,
    /// What the checks answered, where a person answered something else or was asked all the same.
    pub probe: Option<String>,
    /// What was seen, in one line; empty if nothing was looked at.
    pub evidence: String,
    /// The remark of the person who answered.
    pub note: Option<String>,
    /// How many findings there were before it was asked, so that going back to it takes back those that came after.
    #[serde(skip)]
    #[schemars(skip)]
    pub found_before: usize,
}

/// What a triage tree found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FindingReport {
    /// The node.
    pub path: StepPath,
    /// The tree.
    pub playbook: String,
    /// The finding's stable id.
    pub finding: String,
    /// How bad it is.
    pub severity: FindingSeverity,
    /// What is said about it.
    pub say: Option<String>,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// What could be done about it. It was not done.
    pub remedy: Option<RemedyReport>,
}

/// A remedy that was run, with what came of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RemediedReport {
    /// The finding it was for.
    pub finding: String,
    /// Whether it helped.
    pub outcome: Remedied,
    /// How it ended, in one line.
    pub message: String,
}

/// A remedy as it was proposed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RemedyReport {
    /// The playbook to play, with its system; null if the remedy is steps.
    pub play: Option<String>,
    /// Its parameters.
    pub with: Json,
    /// The command that plays it, ready to be pasted.
    pub command: Option<String>,
    /// The names of its steps.
    pub steps: Vec<String>,
    /// Why it cannot be proposed in full.
    pub trouble: Option<String>,
}

/// A question with its answer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AnswerReport {
    /// The step.
    pub path: StepPath,
    /// The id with which it is answered beforehand.
    pub id: String,
    /// The question.
    pub question: String,
    /// What came of it.
    pub reply: ReplyWord,
    /// The answer; null if none was given, and of a question that was declined.
    pub value: Json,
    /// A remark or reason.
    pub note: Option<String>,
    /// Where the answer came from; null if there was none.
    pub origin: Option<Origin>,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplyWord {
    /// It was answered.
    Given,
    /// The answer was no.
    Declined,
    /// The question of a tree was passed over.
    Skipped,
    /// The person went back to the question before.
    Back,
    /// It was looked at again, and asked again.
    Again,
    /// Not now.
    Later,
    /// Nobody was there.
    NobodyThere,
    /// The time to answer ran out.
    TimedOut,
    /// The answer that was given beforehand did not fit.
    Unfit,
    /// The run was stopped.
    Cancelled,
    /// It stands, or the run ended without a word.
    Open,
}

/// What was taken back, and what was not.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Undo {
    /// Steps that were undone, newest first.
    pub undone: Vec<String>,
    /// Steps that changed something and were not undone.
    pub left: Vec<String>,
}
