//! What the tests share.

mod walker;
mod workspace;

pub use walker::{Walk, Walked, answer, done, fails, unmet};
pub use workspace::{Output, Workspace};

mod processes;

pub use processes::{alive, descendants, kill, send, wait_until};
pub use workspace::finish;
