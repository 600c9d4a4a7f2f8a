//! From YAML text to a checked plan.

mod allow;
mod decode;
pub mod keys;
mod overlay;
mod scalar;
mod syntax;
mod text;
mod textmap;
mod walk;
mod yaml;
