//! From records to lines: the same for a run that is going on and one that is long over.

use std::collections::HashMap;

use runbook_core::event::{Event, GradeWord, Outcome, Record, Row};
use runbook_core::module::Forecast;
use runbook_core::path::StepPath;
use runbook_core::span::Place;
use runbook_core::world::{Answer, Origin, Reply, StopReason};

use super::failure::{self, Failure};
use super::live::{Entry, SharedLive};
use super::steps::{Step, Steps, count_words, step_label};
use super::{board, recap};
use crate::human;
use crate::ink::{Ink, Line, wrap};
use crate::policy::TermPolicy;
use crate::reporter::Level;

pub(crate) use super::layout::Layout;

/// What is known of the run.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) run: String,
    pub(crate) playbook: String,
    pub(crate) dry_run: bool,
    checklist: bool,
    began: Option<jiff::Timestamp>,
    finished: bool,
    /// Of a checklist that is the run itself.
    pub(crate) verdict: Option<GradeWord>,
}

/// Turns records into lines.
pub(crate) struct View {
    layout: Layout,
    level: Level,
    live: SharedLive,
    head: Head,
    steps: Steps,
    section: &'static str,
    planned: HashMap<StepPath, Forecast>,
    rows: Vec<(StepPath, Row)>,
    details: HashMap<StepPath, Vec<Line>>,
    blocked: Vec<(String, String)>,
}

/// What ended, as its event says.
struct Ended<'a> {
    path: &'a StepPath,
    parent: &'a StepPath,
    label: String,
    body: &'a str,
    group: bool,
    outcome: Outcome,
    message: &'a str,
    attempts: u32,
    duration_ms: f64,
    late: bool,
    tolerated: bool,
    place: Option<&'a Place>,
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

    fn quiet(&self) -> bool {
        self.level == Level::Quiet
    }

    fn take(&mut self, record: &Record, out: &mut Vec<Line>) {
        let since_ms = self.head.began.map_or(0.0, |b| record.at.duration_since(b).as_secs_f64() * 1_000.0);
        match &record.event {
            Event::RunStarted { run, playbook, title, dry_run, checklist, outline, inputs, .. } => {
                self.head = Head {
                    run: run.clone(),
                    playbook: playbook.clone(),
                    dry_run: *dry_run,
                    checklist: *checklist,
                    began: Some(record.at),
                    finished: false,
                    verdict: None,
                };
                self.steps.set_outline(outline);
                let names = outline.iter().map(|o| console::measure_text_width(&o.label)).max().unwrap_or(0);
                self.layout.fit_names(self.steps.tag_width(), names);
                self.live.set_layout(self.layout);
                if !self.quiet() {
                    recap::header(&self.layout, &self.head, title, inputs, self.steps.total(), *checklist, out);
                }
            }
            Event::StepStarted { path, parent, name, body, item, group, .. } => {
                let label = step_label(name, item.as_deref());
                let entry = self.entry(path, parent, label.clone(), *group, since_ms);
                self.live.insert(path.clone(), entry);
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
                self.live.insert(path.clone(), Entry { waiting_for: waiting_for.clone(), ..entry });
            }
            Event::StepProgress { path, text } => {
                self.live.progress(path, text);
                self.remark(path, 2, self.layout.glyphs.dot, text, out);
            }
            Event::AttemptFailed { path, attempt, message, next_ms } => {
                self.live.attempt_failed(path, *attempt, message);
                let text = format!("attempt {attempt} failed: {message}; next in {}", human::duration(*next_ms));
                self.remark(path, 1, self.layout.glyphs.dot, &text, out);
            }
            Event::Intent { path, module, args, effect, .. } => {
                self.remark(path, 1, self.layout.glyphs.arrow, &format!("{module} ({effect}) {args}"), out);
            }
            Event::Returned { path, module, answer, .. } => {
                if let Answer::Planned { forecast } = answer {
                    self.planned.insert(path.clone(), forecast.clone());
                }
                let text = serde_json::to_string(answer).unwrap_or_default();
                self.remark(path, 2, self.layout.glyphs.arrow, &format!("{module} gave {text}"), out);
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
            Event::RunFinished { .. } => {
                self.head.finished = true;
                self.live.clear();
                // Rows that no verdict came for, such as of an interrupted checklist.
                self.board("", out);
                recap::recap(&self.layout, self.level, &self.head, &self.blocked, &record.event, out);
            }
        }
    }

    fn entry(&self, path: &StepPath, parent: &StepPath, label: String, group: bool, began_ms: f64) -> Entry {
        let depth = self.steps.ancestors(parent).len();
        let tag = self.steps.tag(path);
        Entry { parent: Some(parent.clone()), depth, tag, label, group, began_ms, ..Entry::default() }
    }

    fn depth(&self, parent: &StepPath) -> usize {
        self.steps.ancestors(parent).len()
    }

    /// Prints what stands above a step: the section's heading and the line that opens its group.
    fn open(&mut self, path: &StepPath, parent: &StepPath, out: &mut Vec<Line>) {
        let section = section_of(path);
        if section != self.section {
            self.section = section;
            if let Some(title) = section_title(section) {
                out.push(Line::indent(2).with(Ink::Dim, title));
            }
        }
        let Some(top) = self.steps.ancestors(parent).into_iter().next() else { return };
        let tag = self.steps.tag(&top);
        let (layout, glyph) = (self.layout, self.layout.glyphs.group);
        if let Some(step) = self.steps.get_mut(&top)
            && !step.opened
        {
            step.opened = true;
            out.push(layout.step(&tag, 0, (glyph, Ink::Accent), (&step.label, Ink::Plain), "", Line::new()));
        }
    }

    /// The name of a step deep inside a group, with the groups between: `eva-os › Health answers`.
    fn full_label(&self, parent: &StepPath, label: &str) -> String {
        let inside = format!(" {} ", self.layout.glyphs.inside);
        let between = self.steps.ancestors(parent).into_iter().skip(1);
        let mut names: Vec<String> = between.filter_map(|p| self.steps.get(&p).map(|s| s.label.clone())).collect();
        names.push(label.to_owned());
        names.join(&inside)
    }

    fn is_shown(&self, e: &Ended<'_>, depth: usize) -> bool {
        let bad = !e.outcome.is_good();
        if bad {
            return !self.quiet() || !e.tolerated;
        }
        if self.quiet() {
            return false;
        }
        if self.level.is_verbose(1) {
            return true;
        }
        if matches!(e.body, "note") {
            return false;
        }
        match depth {
            0 => !self.head.checklist,
            // Checks and helpers that a step has inside are its own business, and so is plumbing.
            1 => self.steps.get(e.parent).is_some_and(|p| p.group) && e.body != "set" && !self.is_row(e.path),
            _ => false,
        }
    }

    fn is_row(&self, path: &StepPath) -> bool {
        self.rows.iter().any(|(p, _)| p == path)
    }

    fn ended(&mut self, e: &Ended<'_>, checks: &[runbook_core::event::CheckLine], output: &[String], out: &mut Vec<Line>) {
        let depth = self.depth(e.parent);
        let full = self.level.is_verbose(1);
        let in_board = self.is_row(e.path) || (self.head.checklist && depth == 0 && section_of(e.path) == "checks");
        if in_board && !e.outcome.is_good() {
            let failure = Failure { message: "", place: e.place, checks, output, full };
            self.details.insert(e.path.clone(), failure::lines(&self.layout, 0, &failure));
        }
        if self.is_shown(e, depth) && !(in_board && !full) {
            self.open(e.path, e.parent, out);
            self.step_lines(e, depth, out);
            // A group failed because something in it did, and that was said already.
            if !e.outcome.is_good() && !e.group && !self.is_planned(e) {
                let failure = Failure { message: e.message, place: e.place, checks, output, full };
                out.extend(failure::lines(&self.layout, depth, &failure));
            }
        }
        self.live.remove(e.path, e.parent);
        self.steps.remove(e.path);
        self.steps.count_child(e.parent, e.outcome);
        self.planned.remove(e.path);
    }

    /// Whether it was only planned, so that its outcome is what it would do.
    fn is_planned(&self, e: &Ended<'_>) -> bool {
        self.planned.contains_key(e.path) && !matches!(e.outcome, Outcome::Failed | Outcome::Skipped)
    }

    fn step_lines(&self, e: &Ended<'_>, depth: usize, out: &mut Vec<Line>) {
        let (mut glyph, mut ink) = self.layout.glyphs.outcome(e.outcome);
        let mut tail = self.tail(e);
        let planned = self.is_planned(e);
        if let Some(forecast) = self.planned.get(e.path).filter(|_| planned) {
            (glyph, ink) = (self.layout.glyphs.planned, Ink::Accent);
            tail = forecast_words(forecast);
        }
        let label = self.full_label(e.parent, &e.label);
        let duration = if e.outcome == Outcome::Skipped || planned { String::new() } else { human::duration(e.duration_ms) };
        let tag = self.steps.tag(e.path);
        let name_ink = if e.outcome == Outcome::Skipped { Ink::Dim } else { Ink::Plain };
        let narrow = self.layout.narrow();
        let room = self.layout.tail_room();
        // A reason is worth more than one line; what went well is not.
        let wrapped = (e.outcome == Outcome::Skipped || self.level.is_verbose(1) || self.head.dry_run) && tail.width() > room;
        if (narrow || wrapped) && tail.width() > 0 {
            out.push(self.layout.step(&tag, depth, (glyph, ink), (&label, name_ink), &duration, Line::new()));
            let column = self.layout.name_column(depth);
            let width = self.layout.policy.width.saturating_sub(column);
            if wrapped || !e.outcome.is_good() {
                let ink = if planned { Ink::Plain } else { tail_ink(e.outcome) };
                out.extend(wrap(&tail.render(false), width).iter().map(|l| Line::indent(column).with(ink, l)));
            } else {
                let mut line = Line::indent(column);
                line.append(tail);
                out.push(line.fit(self.layout.policy.width, self.layout.glyphs.ellipsis));
            }
        } else {
            out.push(self.layout.step(&tag, depth, (glyph, ink), (&label, name_ink), &duration, tail));
        }
    }

    /// What stands at the end of a step's line: the outcome's word where it is not plainly ok, and what it saw or did.
    fn tail(&self, e: &Ended<'_>) -> Line {
        let mut line = Line::new();
        if e.late {
            line.push(Ink::Warn, &format!("late {} ", self.layout.glyphs.dot));
        }
        let children = || {
            let counts = self.steps.get(e.path).map(|s| s.children).unwrap_or_default();
            let words = count_words(&counts).into_iter().map(|(_, w)| w).collect::<Vec<_>>().join(", ");
            if words.is_empty() { e.outcome.word().to_owned() } else { words }
        };
        let with = |word: &str| if e.message.is_empty() { word.to_owned() } else { format!("{word}: {}", e.message) };
        match e.outcome {
            Outcome::Ok | Outcome::Changed if e.group && e.message.is_empty() => line.push(Ink::Dim, &children()),
            Outcome::Ok if e.message.is_empty() => line.push(Ink::Dim, "ok"),
            Outcome::Ok => line.push(Ink::Dim, e.message),
            Outcome::Changed => line.push(Ink::Dim, &with("changed")),
            Outcome::Skipped => line.push(Ink::Dim, &with("skipped")),
            Outcome::Failed | Outcome::Unknown => {
                let mut text = if e.group { with(e.outcome.word()) } else { e.outcome.word().to_owned() };
                if e.attempts > 1 {
                    text.push_str(&format!(" after {} attempts", e.attempts));
                }
                if e.tolerated {
                    text.push_str(", going on");
                }
                line.push(tail_ink(e.outcome), &text);
            }
        }
        if e.outcome.is_good() && e.attempts > 1 {
            line.push(Ink::Dim, &format!(" ({} attempts)", e.attempts));
        }
        line
    }

    fn note(&mut self, path: &StepPath, text: &str, out: &mut Vec<Line>) {
        let parent = self.steps.get(path).map(|s| s.parent.clone()).unwrap_or_else(StepPath::root);
        let step = self.steps.get(path);
        let own = step.is_none_or(|s| s.body == "note");
        // Said while a step still runs, its line is not there yet.
        let text = match step {
            Some(step) if !own => format!("{}: {text}", step.label),
            _ => text.to_owned(),
        };
        let depth = self.depth(&parent);
        self.open(path, &parent, out);
        let column = self.layout.name_column(depth);
        let glyph = self.layout.glyphs.note;
        for (i, line) in wrap(&text, self.layout.policy.width.saturating_sub(column)).iter().enumerate() {
            let tag = if own && i == 0 { self.steps.tag(path) } else { String::new() };
            let mut first = self.layout.step(&tag, depth, (if i == 0 { glyph } else { " " }, Ink::Accent), ("", Ink::Plain), "", Line::new());
            first.pad_to(column);
            out.push(first.with(Ink::Plain, line));
        }
    }

    /// A line about a step that is only shown from a verbosity on.
    fn remark(&self, path: &StepPath, verbosity: u8, glyph: &str, text: &str, out: &mut Vec<Line>) {
        if !self.level.is_verbose(verbosity) {
            return;
        }
        let (depth, label) = match self.steps.get(path) {
            Some(step) => (self.depth(&step.parent), self.full_label(&step.parent, &step.label)),
            None => (0, path.to_string()),
        };
        let line = Line::indent(self.layout.name_column(depth)).with(Ink::Dim, &format!("{glyph} {label}: {text}"));
        out.push(line.fit(self.layout.policy.width, self.layout.glyphs.ellipsis));
    }

    fn replied(&mut self, path: &StepPath, id: &str, reply: &Reply, out: &mut Vec<Line>) {
        // What the operator typed stands on the screen already.
        let text = match reply {
            Reply::Given { origin: Origin::Operator, .. } | Reply::Declined { origin: Origin::Operator } if !self.level.is_verbose(1) => return,
            Reply::Given { value, origin, .. } => format!("`{id}`: {value} {}", origin_words(*origin)),
            Reply::Declined { origin } => format!("`{id}`: no {}", origin_words(*origin)),
            Reply::Later => format!("`{id}`: later"),
            Reply::NobodyThere { how } => format!("`{id}`: nobody is there to answer; answer it beforehand with {how}"),
            Reply::TimedOut => format!("`{id}`: the time to answer ran out"),
            Reply::Unfit { message } => format!("`{id}`: the answer given beforehand does not fit: {message}"),
            Reply::Cancelled => return,
        };
        let unanswered = matches!(reply, Reply::NobodyThere { .. } | Reply::TimedOut | Reply::Unfit { .. });
        if self.quiet() && !unanswered {
            return;
        }
        let parent = self.steps.get(path).map(|s| s.parent.clone()).unwrap_or_else(StepPath::root);
        self.open(path, &parent, out);
        let column = self.layout.name_column(self.depth(&parent));
        let ink = if unanswered { Ink::Warn } else { Ink::Dim };
        let lines = wrap(&format!("? {text}"), self.layout.policy.width.saturating_sub(column));
        out.extend(lines.iter().map(|l| Line::indent(column).with(ink, l)));
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

fn forecast_words(forecast: &Forecast) -> Line {
    let mut text = if forecast.would_change {
        format!("would {}", if forecast.summary.is_empty() { "run" } else { &forecast.summary })
    } else {
        "would do nothing".to_owned()
    };
    if !forecast.because.is_empty() {
        text.push_str(&format!(": {}", forecast.because));
    }
    Line::of(if forecast.would_change { Ink::Accent } else { Ink::Dim }, &text)
}

fn tail_ink(outcome: Outcome) -> Ink {
    match outcome {
        Outcome::Failed => Ink::Bad,
        Outcome::Unknown => Ink::Warn,
        _ => Ink::Dim,
    }
}

/// The list at the top level that a step stands in; `undo` wherever it lies.
fn section_of(path: &StepPath) -> &'static str {
    let text = path.as_str();
    if text.starts_with("undo[") || text.contains(".undo[") {
        return "undo";
    }
    ["requires", "checks", "verify", "rescue", "always"]
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

fn origin_words(origin: Origin) -> &'static str {
    match origin {
        Origin::Operator => "(typed)",
        Origin::Flag => "(given by flag)",
        Origin::File => "(from the answers file)",
        Origin::Default => "(the default)",
        Origin::Test => "(from the test)",
    }
}
