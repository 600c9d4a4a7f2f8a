//! Diagnostics: one model, and a renderer for each kind of reader.

mod finding;
mod github;
mod human;
mod json;
mod sarif;

pub use finding::{Finding, Region, findings, summary};
pub use github::github;
pub use human::{compact, human};
pub use json::json;
pub use sarif::sarif;
