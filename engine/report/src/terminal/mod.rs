//! The live view of a run on a terminal, and the same view of a recorded run.

mod aside;
mod board;
mod ended;
mod failure;
mod glyph;
mod layout;
mod live;
mod recap;
mod screen;
mod steps;
mod ticket;
mod tree;
mod view;

use std::io::Write;

use indicatif::ProgressDrawTarget;
use runbook_core::event::Record;

pub(crate) use ended::is_filtered_out;
pub(crate) use glyph::Glyphs;
pub(crate) use recap::outcome_word;
pub use screen::Suspender;
pub(crate) use steps::step_label;
pub(crate) use view::View;

use crate::policy::TermPolicy;
use crate::reporter::{Level, Reporter};
use screen::Screen;

/// Shows a run to a person: completed lines scroll up and stay, a few live lines stand below them.
pub struct TerminalReporter {
    view: View,
    screen: Screen,
}

impl TerminalReporter {
    /// Draws live lines to a target and writes completed lines to `out`: both are the same terminal.
    ///
    /// The caller makes sure that it is a terminal that can be redrawn ([`TermPolicy::animate`]).
    pub fn live(target: ProgressDrawTarget, out: impl Write + Send + 'static, policy: TermPolicy, level: Level) -> Self {
        let view = View::new(policy, level);
        let screen = Screen::live(target, Box::new(out), view.live());
        TerminalReporter { view, screen }
    }

    /// Writes completed lines only.
    pub fn still(out: impl Write + Send + 'static, policy: TermPolicy, level: Level) -> Self {
        TerminalReporter { view: View::new(policy, level), screen: Screen::still(Box::new(out)) }
    }

    /// The way to take the live lines away while something else uses the terminal, such as a question.
    pub fn suspender(&self) -> Suspender {
        self.screen.suspender()
    }
}

impl Reporter for TerminalReporter {
    fn record(&mut self, record: &Record) {
        let lines = self.view.record(record);
        self.screen.print(lines);
    }

    fn finish(&mut self) {
        let lines = self.view.finish();
        self.screen.print(lines);
        self.screen.close();
    }
}
