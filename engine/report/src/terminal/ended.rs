//! The lines of a step that ended.

use runbook_core::event::{CheckLine, Outcome};
use runbook_core::module::Forecast;
use runbook_core::path::StepPath;
use runbook_core::span::Place;

use super::failure::{self, Failure};
use super::steps::count_words;
use super::view::{View, section_of};
use crate::human;
use crate::ink::{Ink, Line, wrap};

/// What ended, as its event says.
pub(super) struct Ended<'a> {
    pub(super) path: &'a StepPath,
    pub(super) parent: &'a StepPath,
    pub(super) label: String,
    pub(super) item: Option<&'a str>,
    pub(super) body: &'a str,
    pub(super) group: bool,
    pub(super) outcome: Outcome,
    pub(super) message: &'a str,
    pub(super) attempts: u32,
    pub(super) duration_ms: f64,
    pub(super) late: bool,
    pub(super) tolerated: bool,
    pub(super) place: Option<&'a Place>,
}

/// Whether it is a pass of a loop that the author's `when` leaves out: a filter, which the loop's own line counts.
pub(crate) fn is_filtered_out(outcome: Outcome, item: Option<&str>, message: &str) -> bool {
    outcome == Outcome::Skipped && item.is_some() && message.starts_with("when:")
}

impl View {
    /// The name of a step deep inside a group, with the groups between: `eva-os › Health answers`.
    pub(super) fn full_label(&self, parent: &StepPath, label: &str) -> String {
        let inside = format!(" {} ", self.layout.glyphs.inside);
        let between = self.steps.ancestors(parent).into_iter().skip(1);
        let mut names: Vec<String> = between.filter_map(|p| self.steps.get(&p).map(|s| s.label.clone())).collect();
        names.push(label.to_owned());
        names.join(&inside)
    }

    fn is_shown(&self, e: &Ended<'_>, depth: usize) -> bool {
        let bad = !e.outcome.is_good();
        // The rows at the end say it all.
        if self.head.dry_run && !self.head.triage && !self.level.is_verbose(1) {
            return false;
        }
        // A node tells its answer or finding by itself, and what it looked at is in that.
        if e.path.is_node() || e.path.is_observation() {
            return self.level.is_verbose(1) && (e.outcome == Outcome::Skipped || e.path.is_observation());
        }
        if bad {
            return !self.quiet() || !e.tolerated;
        }
        if self.quiet() {
            return false;
        }
        if self.level.is_verbose(1) {
            return true;
        }
        if matches!(e.body, "note") || is_filtered_out(e.outcome, e.item, e.message) {
            return false;
        }
        match depth {
            0 => !self.head.checklist,
            // Checks and helpers that a step has inside are its own business, and so is plumbing.
            1 => {
                // What a remedy plays is what was asked for.
                let remedy = e.parent.played_by().filter(|p| self.steps.get(p).is_some_and(|s| s.body == "remedy"));
                let parent = remedy.as_ref().unwrap_or(e.parent);
                self.steps.get(parent).is_some_and(|p| p.group) && e.body != "set" && !self.is_row(e.path)
            }
            _ => false,
        }
    }

    fn is_row(&self, path: &StepPath) -> bool {
        self.rows.iter().any(|(p, _)| p == path)
    }

    pub(super) fn ended(&mut self, e: &Ended<'_>, checks: &[CheckLine], output: &[String], out: &mut Vec<Line>) {
        let depth = self.depth(e.parent);
        let full = self.level.is_verbose(1);
        let in_board = self.is_row(e.path) || (self.head.checklist && depth == 0 && section_of(e.path) == "checks");
        if in_board && !e.outcome.is_good() {
            let failure = Failure { message: "", place: e.place, checks, output, full };
            self.details.insert(e.path.clone(), failure::lines(&self.layout, 0, &failure));
        }
        if (full || !in_board) && self.is_shown(e, depth) {
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
        let with = |word: &str| {
            if e.message.is_empty() { word.to_owned() } else { format!("{word}: {}", e.message) }
        };
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
