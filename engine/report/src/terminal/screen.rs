//! Where lines go: to a writer, or above the live lines of a terminal.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::live::SharedLive;

/// How often the live lines are drawn anew.
const FRAME: Duration = Duration::from_millis(100);

/// Where lines go.
pub(crate) enum Screen {
    Live(LiveScreen),
    Still { out: Box<dyn Write + Send>, broken: bool },
}

/// One bar draws all live lines: a single thread ticks, and the lines are laid out by us.
#[derive(Clone)]
pub(crate) struct LiveScreen {
    bar: ProgressBar,
    live: SharedLive,
    paper: Arc<Mutex<Paper>>,
}

/// Where completed lines go.
struct Paper {
    out: Box<dyn Write + Send>,
    /// How many others have the terminal just now.
    suspended: usize,
    /// Lines that came meanwhile.
    waiting: Vec<String>,
}

impl Paper {
    /// Writes what waits; the live lines must be away. When the terminal is gone nobody is there to be told.
    fn write(&mut self) {
        let mut text = std::mem::take(&mut self.waiting).join("\n");
        if !text.is_empty() {
            text.push('\n');
            let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        }
    }
}

impl Screen {
    pub(crate) fn live(target: ProgressDrawTarget, out: Box<dyn Write + Send>, live: SharedLive) -> Self {
        let drawn = live.clone();
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{live}").unwrap_or_else(|_| ProgressStyle::default_spinner()).with_key(
            "live",
            move |state: &ProgressState, out: &mut dyn fmt::Write| {
                // The bar is as old as the run, so its age is the only clock that is needed.
                let _ = out.write_str(&drawn.draw(state.elapsed().as_secs_f64() * 1_000.0));
            },
        );
        bar.set_style(style);
        bar.enable_steady_tick(FRAME);
        let paper = Paper { out, suspended: 0, waiting: Vec::new() };
        Screen::Live(LiveScreen { bar, live, paper: Arc::new(Mutex::new(paper)) })
    }

    pub(crate) fn still(out: Box<dyn Write + Send>) -> Self {
        Screen::Still { out, broken: false }
    }

    pub(crate) fn print(&mut self, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        match self {
            Screen::Live(screen) => screen.print(lines),
            Screen::Still { out, broken } => {
                if !*broken {
                    let mut text = lines.join("\n");
                    text.push('\n');
                    // Nothing can be said when the reader is gone; the journal has it all.
                    *broken = out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err();
                }
            }
        }
    }

    pub(crate) fn close(&mut self) {
        if let Screen::Live(screen) = self {
            screen.live.clear();
            // A question that nobody answers any more does not keep back the last lines.
            let mut paper = screen.paper();
            paper.suspended = 0;
            screen.bar.suspend(|| paper.write());
            drop(paper);
            screen.bar.finish_and_clear();
        }
    }

    pub(crate) fn suspender(&self) -> Suspender {
        match self {
            Screen::Live(screen) => Suspender { screen: Some(screen.clone()) },
            Screen::Still { .. } => Suspender { screen: None },
        }
    }
}

impl LiveScreen {
    fn paper(&self) -> std::sync::MutexGuard<'_, Paper> {
        self.paper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, lines: Vec<String>) {
        // Held while printing, so that nothing is drawn after a suspension began.
        let mut paper = self.paper();
        paper.waiting.extend(lines);
        if paper.suspended == 0 {
            // Not by the bar's own `println`: it fills lines with spaces in place of line breaks, so that what is copied is one line.
            self.bar.suspend(|| paper.write());
        }
    }
}

/// Takes the live lines away while something else uses the terminal.
///
/// Reporting goes on meanwhile without waiting: lines are kept and printed afterwards.
#[derive(Clone)]
pub struct Suspender {
    screen: Option<LiveScreen>,
}

impl Suspender {
    /// One that does nothing, for output without live lines.
    pub fn none() -> Self {
        Suspender { screen: None }
    }

    /// Runs `f` with the terminal to itself.
    pub fn suspend<R>(&self, f: impl FnOnce() -> R) -> R {
        let Some(screen) = &self.screen else {
            return f();
        };
        {
            let mut paper = screen.paper();
            paper.suspended += 1;
            screen.live.pause(true);
            // Draws once more, now nothing.
            screen.bar.suspend(|| ());
        }
        let _resume = Resume(screen);
        f()
    }
}

/// Ends a suspension, also when what ran in it panicked.
struct Resume<'a>(&'a LiveScreen);

impl Drop for Resume<'_> {
    fn drop(&mut self) {
        let mut paper = self.0.paper();
        paper.suspended = paper.suspended.saturating_sub(1);
        if paper.suspended == 0 {
            self.0.live.pause(false);
            self.0.bar.suspend(|| paper.write());
        }
    }
}
