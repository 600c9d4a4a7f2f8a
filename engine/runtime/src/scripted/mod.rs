//! The scripted world: outcomes of modules and answers of people by script, on a virtual clock. Nothing real is touched.

mod clock;
mod result;
mod rule;
mod world;

pub use clock::Stuck;
pub use result::plausible;
pub use rule::Scripted;
pub(crate) use rule::without_attempts;
pub(crate) use world::MOST_MOVES;
pub use world::ScriptedWorld;
