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
    queue: Arc<Mutex<Queue>>,
}

/// Lines that came while something else had the terminal.
#[derive(Default)]
struct Queue {
    suspended: usize,
    lines: Vec<String>,
}

impl Screen {
    pub(crate) fn live(target: ProgressDrawTarget, live: SharedLive) -> Self {
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
        Screen::Live(LiveScreen { bar, live, queue: Arc::default() })
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
    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, lines: Vec<String>) {
        // Held while printing, so that nothing is drawn after a suspension began.
        let mut queue = self.queue();
        if queue.suspended > 0 {
            queue.lines.extend(lines);
        } else {
            self.bar.println(lines.join("\n"));
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
        let Some(screen) = &self.screen else { return f() };
        {
            let mut queue = screen.queue();
            queue.suspended += 1;
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
        let mut queue = self.0.queue();
        queue.suspended -= 1;
        if queue.suspended == 0 {
            self.0.live.pause(false);
            if !queue.lines.is_empty() {
                let lines = std::mem::take(&mut queue.lines);
                self.0.bar.println(lines.join("\n"));
            }
        }
    }
}
