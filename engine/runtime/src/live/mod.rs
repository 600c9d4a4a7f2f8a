//! The live world: probes and actions really run, intents journalled first.

mod answers;
mod exec;
mod host;
mod tree;
mod world;

pub use answers::{Answers, FileAnswers, Operator};
pub use host::LiveHost;
pub use world::{LiveOptions, LiveWorld};
