//! From records to lines: the same for a run that is going on and one that is long over.

use std::collections::HashMap;

use runbook_core::event::{Event, GradeWord, Record, Row};
use runbook_core::module::Forecast;
use runbook_core::path::StepPath;
use runbook_core::world::{Answer, StopReason};

use super::aside::origin_words;
use super::ended::Ended;
use super::live::{Entry, SharedLive};
use super::steps::{Step, Steps, step_label};
use super::{board, recap};
use crate::human;
use crate::ink::{Ink, Line, wrap};
use crate::policy::TermPolicy;
use crate::reporter::Level;

pub(crate) use super::layout::Layout;
use super::ticket::Ticket;

/// What is known of the run.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) run: String,
    pub(crate) playbook: String,
    pub(crate) dry_run: bool,
    pub(super) checklist: bool,
    pub(super) triage: bool,
    began: Option<jiff::Timestamp>,
    finished: bool,
    /// Of a checklist or tree that is the run itself.
    pub(crate) verdict: Option<GradeWord>,
    /// Who answered the questions of a tree that is the run itself.
    pub(super) answered: Option<super::tree::Facts>,
}

/// Turns records into lines.
pub(crate) struct View {
    pub(super) layout: Layout,
    pub(super) level: Level,
    pub(super) live: SharedLive,
    pub(super) head: Head,
    pub(super) steps: Steps,
    pub(super) section: &'static str,
    pub(super) planned: HashMap<StepPath, Forecast>,
    pub(super) rows: Vec<(StepPath, Row)>,
    pub(super) details: HashMap<StepPath, Vec<Line>>,
    pub(super) blocked: Vec<(String, String)>,
    /// Of a tree that is the run itself.
    pub(super) ticket: Ticket,
}

impl View {
    pub(crate) fn new(policy: TermPolicy, level: Level) -> Self {
        let layout = Layout::new(policy);
        View {
            layout,
            level,
            live: SharedLive::new(layout),
            head: Head::default(),
            steps: Steps::default(),
            section: "steps",
            planned: HashMap::new(),
            rows: Vec::new(),
            details: HashMap::new(),
            blocked: Vec::new(),
            ticket: Ticket::default(),
        }
    }

    pub(crate) fn live(&self) -> SharedLive {
        self.live.clone()
    }

    /// The lines that a record adds, ready to be printed.
    pub(crate) fn record(&mut self, record: &Record) -> Vec<String> {
        let mut out = Vec::new();
        self.take(record, &mut out);
        self.paint(out)
    }

    /// The lines that end the view.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        self.live.clear();
        let mut out = Vec::new();
        if !self.head.finished && self.head.began.is_some() {
            self.board("", &mut out);
            recap::cut_off(&self.layout, &self.steps, &mut out);
        }
        self.paint(out)
    }

    fn paint(&self, lines: Vec<Line>) -> Vec<String> {
        lines.iter().map(|l| l.render(self.layout.policy.color)).collect()
    }

    pub(super) fn quiet(&self) -> bool {
        self.level == Level::Quiet
    }

    fn take(&mut self, record: &Record, out: &mut Vec<Line>) {
        let since_ms = self.head.began.map_or(0.0, |b| record.at.duration_since(b).as_secs_f64() * 1_000.0);
        match &record.event {
            Event::RunStarted {
                run,
                playbook,
                title,
                dry_run,
                checklist,
                triage,
                outline,
                inputs,
                operator,
                host,
                resumes,
                ..
            } => {
                self.ticket = Ticket::default();
                if *triage {
                    self.ticket.begins(playbook, inputs, run, record.at, operator, host);
                }
                self.head = Head {
                    run: run.clone(),
                    playbook: playbook.clone(),
                    dry_run: *dry_run,
                    checklist: *checklist,
                    triage: *triage,
                    began: Some(record.at),
                    finished: false,
                    verdict: None,
                    answered: None,
                };
                // Of a tree only some questions are asked, so that they have no numbers.
                self.steps.set_outline(if *triage { &[] } else { outline });
                let names = outline.iter().map(|o| console::measure_text_width(&o.label)).max().unwrap_or(0);
                // What was seen is worth more room than a long question.
                let names = if *triage { names.min(self.layout.policy.width * 2 / 5) } else { names };
                self.layout.fit_names(self.steps.tag_width(), names);
                self.live.set_layout(self.layout);
                if !self.quiet() {
                    recap::header(&self.layout, &self.head, title, inputs, outline.len(), out);
                    if let Some(before) = resumes {
                        let text = format!("goes on with the session {}", crate::runs::short_id(before));
                        out.push(
                            Line::indent(2).with(Ink::Dim, &text).fit(self.layout.policy.width, self.layout.glyphs.ellipsis),
                        );
                    }
                }
            }
            Event::StepStarted { path, parent, name, body, item, group, .. } => {
                let label = step_label(name, item.as_deref());
                let entry = self.entry(path, parent, label.clone(), *group, since_ms);
                self.watch(path, entry);
                let step = Step {
                    parent: parent.clone(),
                    label,
                    body: body.clone(),
                    group: *group,
                    opened: false,
                    children: Default::default(),
                };
                self.steps.insert(path.clone(), step);
            }
            Event::StepWaiting { path, parent, name, item, waiting_for } => {
                let entry = self.entry(path, parent, step_label(name, item.as_deref()), false, since_ms);
                self.watch(path, Entry { waiting_for: waiting_for.clone(), ..entry });
            }
            Event::StepProgress { path, text } => {
                self.live.progress(path, text);
                self.remark(path, 2, self.layout.glyphs.dot, || text.clone(), out);
            }
            Event::AttemptFailed { path, attempt, message, next_ms } => {
                self.live.attempt_failed(path, *attempt, message);
                let text = || format!("attempt {attempt} failed: {message}; next in {}", human::duration(*next_ms));
                self.remark(path, 1, self.layout.glyphs.dot, text, out);
            }
            Event::Intent { path, module, args, effect, .. } => {
                self.remark(path, 1, self.layout.glyphs.arrow, || format!("{module} ({effect}) {args}"), out);
            }
            Event::Returned { path, module, answer, .. } => {
                if let Answer::Planned { forecast } = answer {
                    self.planned.insert(path.clone(), forecast.clone());
                }
                let text = || format!("{module} gave {}", serde_json::to_string(answer).unwrap_or_default());
                self.remark(path, 2, self.layout.glyphs.arrow, text, out);
            }
            Event::Asked { path, text, .. } => self.live.progress(path, &format!("waiting for an answer: {text}")),
            Event::Replied { path, id, reply } => {
                self.live.progress(path, "");
                self.replied(path, id, reply, out);
            }
            Event::Slept { .. } => {}
            Event::StepFinished {
                path,
                parent,
                name,
                body,
                item,
                group,
                outcome,
                message,
                checks,
                output,
                attempts,
                duration_ms,
                late,
                tolerated,
                place,
                ..
            } => {
                let ended = Ended {
                    path,
                    parent,
                    label: step_label(name, item.as_deref()),
                    item: item.as_deref(),
                    body,
                    group: *group,
                    outcome: *outcome,
                    message,
                    attempts: *attempts,
                    duration_ms: *duration_ms,
                    late: *late,
                    tolerated: *tolerated,
                    place: place.as_ref(),
                };
                self.ended(&ended, checks, output, out);
            }
            Event::Note { path, text } => {
                if !self.quiet() {
                    self.note(path, text, out);
                }
            }
            Event::Row { path, row } => self.rows.push((path.clone(), row.clone())),
            Event::Verdict { playbook, verdict, counts } => {
                if *playbook == self.head.playbook {
                    self.head.verdict = Some(*verdict);
                }
                self.board(playbook, out);
                board::verdict(&self.layout, *verdict, counts, out);
            }
            Event::NodeAnswered { path, .. } => self.node_answered(path, &record.event, out),
            Event::Finding { path, .. } => self.finding(path, &record.event, out),
            Event::WentBack { .. } => self.went_back(&record.event, out),
            Event::Rehearsed { name, rows, .. } => {
                let name = if self.head.dry_run { "" } else { name };
                out.extend(crate::rehearsal::lines(name, rows, &self.layout.policy, self.level));
            }
            Event::Remedied { .. } => self.remedied(&record.event, out),
            Event::Concluded { playbook, verdict, probed, answered, unknown, overridden, skipped, .. } => {
                if *playbook == self.head.playbook && self.head.triage {
                    self.head.verdict = Some(*verdict);
                    self.head.answered = Some(super::tree::Facts {
                        probed: *probed,
                        answered: *answered,
                        unknown: *unknown,
                        overridden: *overridden,
                        skipped: *skipped,
                    });
                    self.ticket.concluded();
                }
            }
            Event::Blocked { name, message } => self.blocked.push((name.clone(), message.clone())),
            Event::Stopping { reason, waiting_for } => {
                let mut text = format!("stopping: {}", stop_words(*reason));
                if !waiting_for.is_empty() {
                    text.push_str(&format!("; waiting for {}", human::and_list(waiting_for)));
                }
                self.live.stopping(text.clone());
                let lines = wrap(&text, self.layout.policy.width - 2);
                out.extend(lines.iter().map(|l| Line::indent(2).with(Ink::Warn, l)));
            }
            Event::Undoing { steps } => {
                self.section = "undo";
                if !self.quiet() {
                    out.push(Line::indent(2).with(Ink::Warn, &format!("undoing {}", human::count(*steps as usize, "step"))));
                }
            }
            Event::Answered { id, origin } => {
                if self.level.is_verbose(1) {
                    out.push(Line::indent(2).with(Ink::Dim, &format!("answer `{id}` {}", origin_words(*origin))));
                }
            }
            Event::Killed { reason } => {
                self.head.finished = true;
                self.live.clear();
                self.board("", out);
                recap::killed(&self.layout, &self.steps, stop_words(*reason), out);
            }
            Event::RunFinished { .. } => {
                self.head.finished = true;
                self.live.clear();
                // Rows that no verdict came for, such as of an interrupted checklist.
                self.board("", out);
                let ticket = self.ticket.lines();
                recap::recap(&self.layout, self.level, &self.head, &self.blocked, &ticket, &record.event, out);
            }
        }
    }

    fn watch(&self, path: &StepPath, entry: Entry) {
        if !self.quiet() {
            self.live.insert(path.clone(), entry);
        }
    }

    fn entry(&self, path: &StepPath, parent: &StepPath, label: String, group: bool, began_ms: f64) -> Entry {
        let depth = self.steps.ancestors(parent).len();
        let tag = self.steps.tag(path);
        Entry { parent: Some(parent.clone()), depth, tag, label, group, began_ms, ..Entry::default() }
    }

    pub(super) fn depth(&self, parent: &StepPath) -> usize {
        self.steps.ancestors(parent).len()
    }

    /// Prints what stands above a step: the section's heading and the line that opens its group.
    pub(super) fn open(&mut self, path: &StepPath, parent: &StepPath, out: &mut Vec<Line>) {
        let section = section_of(path);
        if section != self.section {
            self.section = section;
            if let Some(title) = section_title(section) {
                out.push(Line::indent(2).with(Ink::Dim, title));
            }
        }
        let Some(top) = self.steps.ancestors(parent).into_iter().next() else {
            return;
        };
        let tag = self.steps.tag(&top);
        let (layout, glyph) = (self.layout, self.layout.glyphs.group);
        if let Some(step) = self.steps.get_mut(&top)
            && !step.opened
        {
            step.opened = true;
            out.push(layout.step(&tag, 0, (glyph, Ink::Accent), (&step.label, Ink::Plain), "", Line::new()));
        }
    }

    /// Prints the scoreboard of a checklist: the rows of that playbook, or all that are left.
    fn board(&mut self, playbook: &str, out: &mut Vec<Line>) {
        let root = playbook == self.head.playbook || playbook.is_empty();
        let mine = |path: &StepPath| match path.as_str().rsplit_once('>') {
            Some((_, rest)) => rest.split(':').next() == Some(playbook),
            None => root,
        };
        let some = self.rows.iter().any(|(p, _)| mine(p));
        let (rows, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.rows).into_iter().partition(|(p, _)| !some || mine(p));
        self.rows = rest;
        let quiet = self.quiet();
        let rows: Vec<_> = rows.into_iter().filter(|(_, r)| !quiet || r.grade > GradeWord::OffTarget).collect();
        let details = std::mem::take(&mut self.details);
        board::rows(&self.layout, &rows, &details, out);
    }
}

/// The list at the top level that a step stands in; `undo` wherever it lies.
pub(super) fn section_of(path: &StepPath) -> &'static str {
    let text = path.as_str();
    if text.starts_with("undo[") || text.contains(".undo[") {
        return "undo";
    }
    ["requires", "checks", "verify", "rescue", "always", "remedy"]
        .into_iter()
        .find(|s| text.strip_prefix(s).is_some_and(|r| r.starts_with('[')))
        .unwrap_or("steps")
}

fn section_title(section: &str) -> Option<&'static str> {
    match section {
        "requires" => Some("preconditions"),
        "verify" => Some("postconditions"),
        "rescue" => Some("rescue"),
        "always" => Some("in any case"),
        "remedy" => Some("remedy"),
        "undo" => Some("undo"),
        _ => None,
    }
}

/// Why a run stops, in words.
pub(crate) fn stop_words(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Interrupt => "Ctrl-C",
        StopReason::Terminate => "SIGTERM",
        StopReason::Hangup => "SIGHUP",
        StopReason::TimeLimit => "the time limit is reached",
        StopReason::Journal => "the journal cannot be written",
    }
}
