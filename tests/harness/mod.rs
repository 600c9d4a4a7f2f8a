//! What the tests share.

mod hostile;
mod page;
mod screen;
mod session;
mod terminal;
mod walker;
mod workspace;

pub(crate) use hostile::{HOSTILE, Hostile};
pub(crate) use page::{Page, Part, agrees};
pub(crate) use session::{Session, Shown};
pub(crate) use terminal::{Terminal, bare};

pub(crate) use walker::{Walk, Walked, answer, done, fails, unmet};
pub(crate) use workspace::{Output, Workspace};

mod processes;

pub(crate) use processes::{alive, descendants, kill, send, wait_until};
pub(crate) use workspace::finish;
