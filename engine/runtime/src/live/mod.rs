//! The live world: probes and actions really run, intents journalled first.

mod answers;
mod confine;
mod exec;
mod host;
mod tree;
mod tries;
mod world;

pub use answers::{Answers, FileAnswers, Operator};
pub use exec::run_alone;
pub use host::LiveHost;
pub use world::{LiveOptions, LiveWorld};
