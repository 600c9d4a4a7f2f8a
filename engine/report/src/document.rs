//! A run as one document, folded from its records.

use std::collections::HashMap;

use runbook_core::event::{Event, Graded, Record};
use runbook_core::path::StepPath;
use runbook_core::report::{
    AnswerReport, BlockedBy, CheckRow, Ending, FORMAT_VERSION, FailedAttempt, FindingReport, GradeReport, QuestionReport,
    RemediedReport, RemedyReport, ReplyWord, Report, ReportInput, RunInfo, RunResult, StepReport, Undo,
};
use runbook_core::world::Reply;
use serde_json::Value as Json;

/// The report of a run, or `None` if the records do not begin with its start.
///
/// `running` says whether something still owns the run; without an end it was interrupted otherwise.
pub fn document(records: &[Record], running: bool) -> Option<Report> {
    let first = records.first()?;
    let Event::RunStarted { run, playbook, title, system, digest, operator, host, version, inputs, dry_run, resumes, .. } =
        &first.event
    else {
        return None;
    };
    let last = records.last().map_or(first.at, |l| l.at);
    let mut fold = Fold::default();
    let mut report = Report {
        format_version: FORMAT_VERSION.to_owned(),
        run: RunInfo {
            id: run.clone(),
            playbook: playbook.clone(),
            title: title.clone(),
            system: system.clone(),
            digest: digest.clone(),
            operator: operator.clone(),
            host: host.clone(),
            version: version.clone(),
            resumes: resumes.clone(),
            dry_run: *dry_run,
            started: first.at,
            finished: None,
            duration_ms: last.duration_since(first.at).as_secs_f64() * 1_000.0,
        },
        result: RunResult {
            outcome: if running { Ending::Running } else { Ending::Interrupted },
            exit_code: None,
            exit: None,
            exit_reason: None,
            message: String::new(),
            stopped_by: None,
        },
        inputs: inputs
            .iter()
            .map(|i| ReportInput { name: i.name.clone(), value: i.value.to_json(), origin: i.origin.clone() })
            .collect(),
        counts: Default::default(),
        steps: Vec::new(),
        not_started: Vec::new(),
        blocked: Vec::new(),
        checks: Vec::new(),
        verdict: None,
        questions: Vec::new(),
        findings: Vec::new(),
        remedies: Vec::new(),
        answers: Vec::new(),
        undo: Undo::default(),
        outputs: Json::Null,
        critical_path: None,
        next: Vec::new(),
    };
    for record in records {
        fold.record(record, first, &mut report);
    }
    report.steps = fold.tree();
    Some(report)
}

/// The steps with this id, name, item or path, the outermost where they stand inside each other.
pub fn find<'r>(report: &'r Report, step: &str) -> Vec<&'r StepReport> {
    fn look<'r>(steps: &'r [StepReport], step: &str, out: &mut Vec<&'r StepReport>) {
        for one in steps {
            let named = one.path.as_str() == step || one.id.as_deref() == Some(step) || one.name == step;
            if named || one.item.as_deref() == Some(step) {
                out.push(one);
            } else {
                look(&one.steps, step, out);
            }
        }
    }
    let mut out = Vec::new();
    look(&report.steps, step, &mut out);
    out
}

/// A report, or a part of it, as JSON, with a line break at its end.
pub fn json(report: &impl serde::Serialize) -> String {
    format!("{}\n", serde_json::to_string_pretty(report).unwrap_or_default())
}

/// The steps so far.
#[derive(Default)]
struct Fold {
    /// In the order in which they began, each with the step it belongs to.
    steps: Vec<(StepPath, StepReport)>,
    /// Where the latest step of a path is: one that is repeated begins again under the same path.
    at: HashMap<StepPath, usize>,
}

impl Fold {
    fn record(&mut self, record: &Record, first: &Record, report: &mut Report) {
        match &record.event {
            Event::StepStarted { path, parent, id, name, body, effect, item, place, .. } => {
                let began = record.at.duration_since(first.at).as_secs_f64() * 1_000.0;
                let blank = blank(path, name, body);
                let step = StepReport {
                    id: id.clone(),
                    item: item.clone(),
                    effect: *effect,
                    began_ms: began,
                    place: place.clone(),
                    ..blank
                };
                self.at.insert(path.clone(), self.steps.len());
                self.steps.push((parent.clone(), step));
            }
            Event::AttemptFailed { path, attempt, message, .. } => {
                if let Some(step) = self.step(path) {
                    step.failed_attempts.push(FailedAttempt { attempt: *attempt, message: message.clone() });
                }
            }
            Event::Note { path, text } => {
                if let Some(step) = self.step(path) {
                    step.notes.push(text.clone());
                }
            }
            Event::StepFinished { .. } => self.finished(&record.event),
            Event::Asked { path, id, text } => report.answers.push(AnswerReport {
                path: path.clone(),
                id: id.clone(),
                question: text.clone(),
                reply: ReplyWord::Open,
                value: Json::Null,
                note: None,
                origin: None,
            }),
            Event::Replied { path, id, reply } => {
                let open = report.answers.iter_mut().rev().find(|a| a.path == *path && a.id == *id && a.reply == ReplyWord::Open);
                if let Some(answer) = open {
                    replied(answer, reply);
                }
            }
            Event::Row { path, row } => report.checks.push(CheckRow {
                path: path.clone(),
                name: row.name.clone(),
                grade: row.grade,
                graded: row.graded.as_ref().map(graded),
                detail: row.detail.clone(),
                columns: row.columns.clone(),
            }),
            Event::Verdict { playbook, verdict, .. } if *playbook == report.run.playbook => report.verdict = Some(*verdict),
            Event::NodeAnswered { .. } | Event::Finding { .. } | Event::WentBack { .. } | Event::Remedied { .. } => {
                triage(&record.event, report);
            }
            Event::Concluded { playbook, verdict, .. } if *playbook == report.run.playbook => report.verdict = Some(*verdict),
            Event::Blocked { name, message } => {
                report.blocked.push(BlockedBy { name: name.clone(), message: message.clone() });
            }
            Event::Stopping { reason, .. } => {
                report.result.stopped_by.get_or_insert(*reason);
            }
            Event::Killed { reason } => {
                report.result.outcome = Ending::Killed;
                report.result.stopped_by.get_or_insert(*reason);
            }
            Event::RunFinished { .. } => ended(record, report),
            _ => {}
        }
    }

    fn step(&mut self, path: &StepPath) -> Option<&mut StepReport> {
        let at = *self.at.get(path)?;
        self.steps.get_mut(at).map(|(_, step)| step)
    }

    fn finished(&mut self, event: &Event) {
        let Event::StepFinished {
            path,
            parent,
            id,
            name,
            body,
            item,
            outcome,
            message,
            checks,
            output,
            graded: grade,
            attempts,
            duration_ms,
            began_ms,
            late,
            tolerated,
            after,
            place,
            ..
        } = event
        else {
            return;
        };
        let ended = |step: StepReport| StepReport {
            name: name.clone(),
            outcome: Some(*outcome),
            message: message.clone(),
            tolerated: *tolerated,
            duration_ms: Some(*duration_ms),
            late: *late,
            attempts: *attempts,
            checks: checks.clone(),
            grade: grade.as_ref().map(graded),
            output: output.clone(),
            after: after.clone(),
            ..step
        };
        match self.at.get(path).copied().and_then(|at| self.steps.get_mut(at)) {
            Some((_, step)) if step.outcome.is_none() => *step = ended(step.clone()),
            // A step that was skipped may end without having begun.
            _ => {
                let blank = blank(path, name, body);
                let step = StepReport { id: id.clone(), item: item.clone(), began_ms: *began_ms, place: place.clone(), ..blank };
                self.at.insert(path.clone(), self.steps.len());
                self.steps.push((parent.clone(), ended(step)));
            }
        }
    }

    /// The steps, each inside the one it belongs to.
    fn tree(self) -> Vec<StepReport> {
        let mut top = Vec::new();
        let mut inside: HashMap<usize, Vec<StepReport>> = HashMap::new();
        // The step it belongs to is the last of that path that began before it.
        let mut latest: HashMap<&StepPath, usize> = HashMap::new();
        let mut parents = Vec::with_capacity(self.steps.len());
        for (i, (parent, step)) in self.steps.iter().enumerate() {
            parents.push(latest.get(parent).copied());
            latest.insert(&step.path, i);
        }
        // Children stand after the step they belong to, so the last one is whole first.
        for (i, (_, mut step)) in self.steps.into_iter().enumerate().rev() {
            if let Some(mut children) = inside.remove(&i) {
                children.reverse();
                step.steps = children;
            }
            match parents.get(i).copied().flatten() {
                Some(parent) => inside.entry(parent).or_default().push(step),
                None => top.push(step),
            }
        }
        top.reverse();
        top
    }
}

/// A step of which nothing more is known.
fn blank(path: &StepPath, name: &str, body: &str) -> StepReport {
    StepReport {
        path: path.clone(),
        id: None,
        name: name.to_owned(),
        body: body.to_owned(),
        item: None,
        effect: Default::default(),
        outcome: None,
        message: String::new(),
        tolerated: false,
        began_ms: 0.0,
        duration_ms: None,
        late: false,
        attempts: 0,
        failed_attempts: Vec::new(),
        checks: Vec::new(),
        grade: None,
        output: Vec::new(),
        notes: Vec::new(),
        after: Vec::new(),
        place: None,
        steps: Vec::new(),
    }
}

fn graded(graded: &Graded) -> GradeReport {
    GradeReport {
        grade: graded.grade,
        value: graded.value.to_json(),
        target: graded.target.to_json(),
        warning: graded.warning.to_json(),
        critical: graded.critical.to_json(),
        unit: graded.unit.clone(),
    }
}

/// What a triage tree tells.
fn triage(event: &Event, report: &mut Report) {
    match event.clone() {
        Event::NodeAnswered { path, playbook, key, question, answer, origin, probe, evidence, note, .. } => {
            let found_before = report.findings.len();
            report.questions.push(QuestionReport {
                path,
                playbook,
                key,
                question,
                answer,
                origin,
                probe,
                evidence,
                note,
                found_before,
            });
        }
        Event::Finding { path, playbook, finding, severity, say, evidence, remedy, .. } => {
            let remedy = remedy.map(|r| RemedyReport {
                play: r.play,
                with: r.with.to_json(),
                command: r.command,
                steps: r.steps,
                trouble: r.trouble,
            });
            report.findings.push(FindingReport { path, playbook, finding, severity, say, evidence, remedy });
        }
        // What was answered and found from there on was taken back.
        Event::WentBack { playbook, key, .. } => {
            if let Some(at) = report.questions.iter().rposition(|q| q.playbook == playbook && q.key == key) {
                report.findings.truncate(report.questions[at].found_before);
                report.questions.truncate(at);
            }
        }
        Event::Remedied { finding, outcome, message, .. } => {
            report.remedies.push(RemediedReport { finding, outcome, message });
        }
        _ => {}
    }
}

fn replied(answer: &mut AnswerReport, reply: &Reply) {
    answer.reply = match reply {
        Reply::Given { value, note, origin } => {
            answer.value = value.to_json();
            answer.note.clone_from(note);
            answer.origin = Some(*origin);
            ReplyWord::Given
        }
        Reply::Declined { origin } => {
            answer.origin = Some(*origin);
            ReplyWord::Declined
        }
        Reply::Skipped { value } => {
            answer.value = value.to_json();
            ReplyWord::Skipped
        }
        Reply::Back => ReplyWord::Back,
        Reply::Again => ReplyWord::Again,
        Reply::Later => ReplyWord::Later,
        Reply::NobodyThere { .. } => ReplyWord::NobodyThere,
        Reply::TimedOut => ReplyWord::TimedOut,
        Reply::Unfit { message } => {
            answer.note = Some(message.clone());
            ReplyWord::Unfit
        }
        Reply::Cancelled => ReplyWord::Cancelled,
    };
}

fn ended(record: &Record, report: &mut Report) {
    let Event::RunFinished {
        outcome,
        exit,
        exit_code,
        message,
        counts,
        duration_ms,
        not_started,
        undone,
        left,
        critical_path,
        outputs,
        next,
        ..
    } = &record.event
    else {
        return;
    };
    report.run.finished = Some(record.at);
    report.run.duration_ms = *duration_ms;
    report.result = RunResult {
        outcome: (*outcome).into(),
        exit_code: Some(*exit_code),
        exit: Some(*exit),
        exit_reason: Some(exit.meaning().to_owned()),
        message: message.clone(),
        stopped_by: report.result.stopped_by,
    };
    report.counts = *counts;
    report.not_started.clone_from(not_started);
    report.undo = Undo { undone: undone.clone(), left: left.clone() };
    report.critical_path.clone_from(critical_path);
    report.outputs = outputs.to_json();
    report.next.clone_from(next);
}
