//! The lines that are redrawn while steps run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use runbook_core::path::StepPath;

use super::view::Layout;
use crate::human;
use crate::ink::{Ink, Line};

/// At most so many live lines; more would not be read.
const MAX_LINES: usize = 8;

/// The live lines, shared with the thread that draws them.
#[derive(Clone)]
pub(crate) struct SharedLive(Arc<Mutex<Live>>);

/// What the live lines are made of. A pure function of the records so far.
pub(crate) struct Live {
    pub(crate) layout: Layout,
    entries: IndexMap<StepPath, Entry>,
    touches: u64,
    paused: bool,
    stopping: Option<String>,
}

/// A step that runs or waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) parent: Option<StepPath>,
    pub(crate) depth: usize,
    pub(crate) tag: String,
    pub(crate) label: String,
    pub(crate) group: bool,
    pub(crate) began_ms: f64,
    pub(crate) waiting_for: Vec<String>,
    pub(super) attempt: u32,
    pub(super) last: String,
    pub(super) progress: String,
    pub(super) done: usize,
    pub(super) touched: u64,
}

impl SharedLive {
    pub(crate) fn new(layout: Layout) -> Self {
        SharedLive(Arc::new(Mutex::new(Live { layout, entries: IndexMap::new(), touches: 0, paused: false, stopping: None })))
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_layout(&self, layout: Layout) {
        self.lock().layout = layout;
    }

    pub(crate) fn insert(&self, path: StepPath, entry: Entry) {
        let mut live = self.lock();
        live.touches += 1;
        let touched = live.touches;
        live.entries.insert(path, Entry { touched, ..entry });
    }

    pub(crate) fn attempt_failed(&self, path: &StepPath, attempt: u32, message: &str) {
        self.touch(path, |e| {
            e.attempt = attempt + 1;
            e.last = message.to_owned();
        });
    }

    pub(crate) fn progress(&self, path: &StepPath, text: &str) {
        self.touch(path, |e| e.progress = text.to_owned());
    }

    fn touch(&self, path: &StepPath, change: impl FnOnce(&mut Entry)) {
        let mut live = self.lock();
        live.touches += 1;
        let touched = live.touches;
        if let Some(entry) = live.entries.get_mut(path) {
            change(entry);
            entry.touched = touched;
        }
    }

    pub(crate) fn remove(&self, path: &StepPath, parent: &StepPath) {
        let mut live = self.lock();
        // With all within, such as steps that waited and were never begun.
        live.entries.retain(|p, _| !p.is_within(path));
        if let Some(group) = live.entries.get_mut(parent) {
            group.done += 1;
        }
    }

    pub(crate) fn stopping(&self, text: String) {
        self.lock().stopping = Some(text);
    }

    pub(crate) fn pause(&self, paused: bool) {
        self.lock().paused = paused;
    }

    pub(crate) fn clear(&self) {
        self.lock().entries.clear();
    }

    /// The lines at a time in milliseconds since the run began, joined by line breaks.
    pub(crate) fn draw(&self, now_ms: f64) -> String {
        let live = self.lock();
        if live.paused {
            return String::new();
        }
        let color = live.layout.policy.color;
        live.lines(now_ms).iter().map(|l| l.render(color)).collect::<Vec<_>>().join("\n")
    }
}

impl Live {
    fn lines(&self, now_ms: f64) -> Vec<Line> {
        let mut lines = Vec::new();
        let tops: Vec<_> = self.entries.iter().filter(|(_, e)| e.depth == 0).collect();
        for (path, top) in tops {
            lines.push(self.line(path, top, now_ms));
            let (running, waiting): (Vec<_>, Vec<_>) = self
                .entries
                .iter()
                .filter(|(_, e)| e.depth == 1 && e.parent.as_ref() == Some(path))
                .partition(|(_, e)| e.waiting_for.is_empty());
            lines.extend(running.into_iter().chain(waiting).map(|(p, e)| self.line(p, e, now_ms)));
        }
        if lines.len() > MAX_LINES {
            let more = lines.len() - (MAX_LINES - 1);
            lines.truncate(MAX_LINES - 1);
            let ellipsis = self.layout.glyphs.ellipsis;
            lines.push(Line::indent(self.layout.name_column(1)).with(Ink::Dim, &format!("{ellipsis} and {more} more")));
        }
        if let Some(stopping) = &self.stopping
            && !lines.is_empty()
        {
            lines.push(Line::indent(2).with(Ink::Warn, stopping).fit(self.layout.policy.width, self.layout.glyphs.ellipsis));
        }
        lines
    }

    fn line(&self, path: &StepPath, entry: &Entry, now_ms: f64) -> Line {
        let glyphs = &self.layout.glyphs;
        if !entry.waiting_for.is_empty() {
            let text = format!("waiting for {}", human::and_list(&entry.waiting_for));
            let tail = Line::of(Ink::Dim, &text);
            return self.layout.step(&entry.tag, entry.depth, (glyphs.waiting, Ink::Dim), (&entry.label, Ink::Dim), "", tail);
        }
        let elapsed = (now_ms - entry.began_ms).max(0.0);
        // Tenths only, so that the figure does not flicker between units.
        let shown = if elapsed < 1_000.0 { format!("{:.1}s", elapsed / 1_000.0) } else { human::duration(elapsed) };
        let glyph = (glyphs.spin(now_ms), Ink::Accent);
        self.layout.step(&entry.tag, entry.depth, glyph, (&entry.label, Ink::Plain), &shown, self.activity(path, entry))
    }

    /// What goes on in a step: of a group, what was last heard of in it.
    fn activity(&self, path: &StepPath, entry: &Entry) -> Line {
        let dot = format!(" {} ", self.layout.glyphs.dot);
        let shown_below = |e: &Entry| entry.depth == 0 && e.depth >= 1;
        let busiest = self
            .entries
            .iter()
            .filter(|(p, e)| !e.group && e.waiting_for.is_empty() && *p != path && p.is_within(path) && !shown_below(e))
            .max_by_key(|(_, e)| e.touched)
            .map(|(_, e)| e);
        let mut parts = Vec::new();
        if entry.group && entry.done > 0 && entry.depth == 0 {
            parts.push(format!("{} done", entry.done));
        }
        let source = busiest.unwrap_or(entry);
        // While it is tried again, why says more than what; there is room for both on a wide terminal.
        if busiest.is_some() && (source.attempt < 2 || self.layout.policy.width >= 100) {
            parts.push(source.label.clone());
        }
        if source.attempt > 1 {
            parts.push(format!("attempt {}", source.attempt));
        }
        if !source.progress.is_empty() {
            parts.push(source.progress.clone());
        } else if !source.last.is_empty() {
            parts.push(format!("last: {}", source.last));
        }
        Line::of(Ink::Dim, &parts.join(&dot))
    }
}
