//! Lines that are said beside the steps' own: notes, remarks, answers.

use runbook_core::path::StepPath;
use runbook_core::world::{Origin, Reply};

use super::view::View;
use crate::ink::{Ink, Line, wrap};

impl View {
    pub(super) fn note(&mut self, path: &StepPath, text: &str, out: &mut Vec<Line>) {
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
            let mut first =
                self.layout.step(&tag, depth, (if i == 0 { glyph } else { " " }, Ink::Accent), ("", Ink::Plain), "", Line::new());
            first.pad_to(column);
            out.push(first.with(Ink::Plain, line));
        }
    }

    /// A line about a step that is only shown from a verbosity on.
    pub(super) fn remark(&self, path: &StepPath, verbosity: u8, glyph: &str, text: impl FnOnce() -> String, out: &mut Vec<Line>) {
        if !self.level.is_verbose(verbosity) {
            return;
        }
        let (depth, label) = match self.steps.get(path) {
            Some(step) => (self.depth(&step.parent), self.full_label(&step.parent, &step.label)),
            None => (0, path.to_string()),
        };
        let line = Line::indent(self.layout.name_column(depth)).with(Ink::Dim, &format!("{glyph} {label}: {}", text()));
        out.push(line.fit(self.layout.policy.width, self.layout.glyphs.ellipsis));
    }

    pub(super) fn replied(&mut self, path: &StepPath, id: &str, reply: &Reply, out: &mut Vec<Line>) {
        // What the operator typed stands on the screen already.
        let text = match reply {
            Reply::Given { origin: Origin::Operator, .. } | Reply::Declined { origin: Origin::Operator }
                if !self.level.is_verbose(1) =>
            {
                return;
            }
            Reply::Given { value, origin, .. } => {
                format!("`{id}`: {value} {}", origin_words(*origin))
            }
            Reply::Declined { origin } => format!("`{id}`: no {}", origin_words(*origin)),
            Reply::Later => format!("`{id}`: later"),
            Reply::NobodyThere { how } => {
                format!("`{id}`: nobody is there to answer; answer it beforehand with {how}")
            }
            Reply::TimedOut => format!("`{id}`: the time to answer ran out"),
            Reply::Unfit { message } => {
                format!("`{id}`: the answer given beforehand does not fit: {message}")
            }
            Reply::Skipped { .. } | Reply::Back | Reply::Again | Reply::Cancelled => return,
        };
        // The answer to a question of a tree is told with what was seen.
        if path.is_node() && matches!(reply, Reply::Given { .. } | Reply::Later) && !self.level.is_verbose(1) {
            return;
        }
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
}

pub(super) fn origin_words(origin: Origin) -> &'static str {
    match origin {
        Origin::Operator => "(typed)",
        Origin::Flag => "(given by flag)",
        Origin::File => "(from the answers file)",
        Origin::Default => "(the default)",
        Origin::Resumed => "(from the session before)",
        Origin::Test => "(from the test)",
    }
}
