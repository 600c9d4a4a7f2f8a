//! The lines of a triage tree: the path so far, one line a question with what was seen, and the findings.

use runbook_core::event::{AnswerOrigin, Event, Outcome, Remedied};
use runbook_core::path::StepPath;

use super::recap;
use super::view::View;
use crate::ink::{Ink, Line, wrap};
use crate::tree::{grade, origin_word, remedy_words};

/// Who answered the questions of a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(super) probed: u32,
    pub(super) answered: u32,
    pub(super) unknown: u32,
    pub(super) overridden: u32,
    pub(super) skipped: u32,
}

impl Facts {
    /// `3 probed · 1 answered`.
    pub(super) fn words(self, dot: &str) -> String {
        let counts = [
            (self.probed, "probed"),
            (self.answered, "answered"),
            (self.overridden, "overridden"),
            (self.skipped, "skipped"),
            (self.unknown, "of them unknown"),
        ];
        counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect::<Vec<_>>().join(dot)
    }
}

impl View {
    /// The step that plays the tree; the root if the tree is the run itself.
    fn node_parent(&self, path: &StepPath) -> StepPath {
        let parent = self.steps.get(path).map_or_else(StepPath::root, |s| s.parent.clone());
        parent.played_by().unwrap_or(parent)
    }

    /// `  ✓ Is the port listening?   no  probed  nothing listens on 127.0.0.1:7000`.
    pub(super) fn node_answered(&mut self, path: &StepPath, event: &Event, out: &mut Vec<Line>) {
        let Event::NodeAnswered { playbook, key, question, answer, origin, probe, evidence, note, .. } = event else { return };
        if *playbook == self.head.playbook {
            let against = probe.as_ref().filter(|p| *p != answer).map(|p| {
                let why = note.as_ref().map(|n| format!(": {n}")).unwrap_or_default();
                format!("{answer} (against the check, which says {p}{why})")
            });
            self.ticket.answered(key, question, against.as_ref().unwrap_or(answer), evidence);
        }
        let parent = self.node_parent(path);
        let depth = self.depth(&parent);
        if self.quiet() || (depth > 1 && !self.level.is_verbose(1)) {
            return;
        }
        self.open(path, &parent, out);
        let (glyph, ink) = match answer.as_str() {
            "unknown" => self.layout.glyphs.outcome(runbook_core::event::Outcome::Unknown),
            _ => self.layout.glyphs.outcome(runbook_core::event::Outcome::Ok),
        };
        let mut behind = Vec::new();
        behind.extend(note.clone());
        match probe {
            Some(probe) if probe == answer => behind.push(evidence.clone()),
            Some(probe) if evidence.is_empty() => behind.push(format!("overrides the check, which said {probe}")),
            Some(probe) => behind.push(format!("overrides the check, which said {probe}: {evidence}")),
            None if *origin == AnswerOrigin::Probed || evidence.is_empty() => behind.push(evidence.clone()),
            None => behind.push(format!("the check could not tell: {evidence}")),
        }
        behind.retain(|b| !b.is_empty());
        let behind = behind.join("; ");
        let width = self.layout.policy.width;
        let column = self.layout.name_column(depth);
        let mut start = Line::new();
        start.pad_to(self.layout.glyph_column(depth));
        start.push(ink, glyph);
        start.push(Ink::Plain, " ");
        let mut first = start.clone().with(Ink::Plain, question);
        first.pad_to(self.layout.name_end().max(first.width()) + 2);
        first.push(Ink::Bold, answer);
        // Short answers stand in a column.
        first.pad_to(self.layout.name_end().max(first.width() - answer.chars().count()) + 7);
        first.push(Ink::Dim, &format!("  {}", origin_word(*origin)));
        let whole = if behind.is_empty() { first.clone() } else { first.clone().with(Ink::Dim, &format!("  {behind}")) };
        if whole.width() <= width {
            out.push(whole);
            return;
        }
        if first.width() <= width && !self.layout.narrow() {
            out.push(first);
        } else {
            for (i, line) in wrap(question, width.saturating_sub(column)).iter().enumerate() {
                out.push(if i == 0 { start.clone() } else { Line::indent(column) }.with(Ink::Plain, line));
            }
            let both = Line::indent(column).with(Ink::Bold, answer).with(Ink::Dim, &format!("  {}", origin_word(*origin)));
            if both.width() <= width {
                out.push(both);
            } else {
                out.extend(wrap(answer, width.saturating_sub(column)).iter().map(|l| Line::indent(column).with(Ink::Bold, l)));
                out.push(Line::indent(column).with(Ink::Dim, origin_word(*origin)));
            }
        }
        out.extend(wrap(&behind, width.saturating_sub(column)).iter().map(|l| Line::indent(column).with(Ink::Dim, l)));
    }

    /// `  ↶ back to: Is the port listening?`; what was answered and found from there on no longer counts.
    pub(super) fn went_back(&mut self, event: &Event, out: &mut Vec<Line>) {
        let Event::WentBack { playbook, key, question, .. } = event else { return };
        if *playbook == self.head.playbook {
            self.ticket.back_to(key);
            (self.head.verdict, self.head.answered) = (None, None);
        }
        if self.quiet() {
            return;
        }
        let text = format!("{} back to: {question}", self.layout.glyphs.back);
        let room = self.layout.policy.width.saturating_sub(2);
        out.extend(wrap(&text, room).iter().map(|l| Line::indent(2).with(Ink::Accent, l)));
    }

    /// `  ✓ fixed: service-crashed is fixed`.
    pub(super) fn remedied(&mut self, event: &Event, out: &mut Vec<Line>) {
        let Event::Remedied { outcome, message, .. } = event else { return };
        self.ticket.remedied(*outcome, message);
        let (glyph, ink) = match outcome {
            Remedied::Fixed => self.layout.glyphs.outcome(Outcome::Ok),
            Remedied::HeldBack | Remedied::CannotTell => self.layout.glyphs.outcome(Outcome::Unknown),
            Remedied::NotFixed | Remedied::Failed => self.layout.glyphs.outcome(Outcome::Failed),
        };
        let text = format!("{glyph} {}: {message}", outcome.word());
        let room = self.layout.policy.width.saturating_sub(4);
        for (i, line) in wrap(&text, room).iter().enumerate() {
            out.push(Line::indent(if i == 0 { 2 } else { 4 }).with(ink, line));
        }
    }

    /// `  ✗ found not-started (critical)`, what is said about it, what was seen, and what could be done.
    pub(super) fn finding(&mut self, path: &StepPath, event: &Event, out: &mut Vec<Line>) {
        let Event::Finding { playbook, finding, severity, say, evidence, remedy, .. } = event else { return };
        if *playbook == self.head.playbook {
            self.ticket.found(finding, *severity, evidence, remedy.as_ref());
        }
        if self.quiet() && !severity.is_fault() {
            return;
        }
        let parent = self.node_parent(path);
        let depth = self.depth(&parent);
        self.open(path, &parent, out);
        let (width, column) = (self.layout.policy.width, self.layout.name_column(depth));
        let room = width.saturating_sub(column);
        let (glyph, ink) = self.layout.glyphs.grade(grade(*severity));
        let mut start = Line::new();
        start.pad_to(self.layout.glyph_column(depth));
        start.push(ink, glyph);
        start.push(Ink::Plain, " ");
        for (i, line) in wrap(&format!("found {finding} ({})", severity.word()), room).iter().enumerate() {
            out.push(if i == 0 { start.clone() } else { Line::indent(column) }.with(ink, line));
        }
        for text in say.iter().flat_map(|s| s.lines()) {
            out.extend(wrap(text, room).iter().map(|l| Line::indent(column).with(Ink::Plain, l)));
        }
        if self.quiet() {
            return;
        }
        for seen in evidence {
            let (glyph, ink) = self.layout.glyphs.outcome(seen.outcome);
            let text = if seen.message.is_empty() { seen.name.clone() } else { format!("{}: {}", seen.name, seen.message) };
            for (i, line) in wrap(&text, room.saturating_sub(2)).iter().enumerate() {
                let head =
                    if i == 0 { Line::indent(column).with(ink, glyph).with(Ink::Plain, " ") } else { Line::indent(column + 2) };
                out.push(head.with(Ink::Dim, line));
            }
        }
        match remedy {
            Some(remedy) if remedy.command.is_some() => {
                recap::commands(&self.layout, column, "remedy:", std::slice::from_ref(&remedy_words(remedy)), out);
            }
            Some(remedy) => {
                let text = format!("remedy: {}", remedy_words(remedy));
                out.extend(wrap(&text, room).iter().map(|l| Line::indent(column).with(Ink::Dim, l)));
            }
            None => {}
        }
    }
}
