//! From YAML text to a checked plan.
//!
//! A file becomes a tree in which every node knows its place, the tree becomes the model, and the model is checked for names, kinds, effects
//! and graphs. Every mistake is collected as a diagnostic with its place, cause and help; nothing that is unchecked leaves this crate as a
//! plan. The only thing touched outside is the [`Loader`].

mod allow;
mod answers;
mod bless;
mod check;
mod clear;
mod decode;
mod format;
mod index;
pub mod keys;
mod load;
mod loader;
mod overlay;
mod patterns;
mod scalar;
pub mod schema;
mod session;
pub mod starter;
mod suite;
mod syntax;
mod text;
mod textmap;
mod walk;
mod yaml;

#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod suite_tests;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod testing;

pub use allow::Allow;
pub use answers::{
    Answers, Asked, Given, ReadAnswers, Sheet, read_answers, sheet as answers_sheet, template as answers_template,
};
pub use bless::bless;
pub use format::{NotFormatted, format};
pub use index::{Listed, PlaybookKind, index};
pub use load::{Checked, Failed, Loaded, Options, check_all, check_file, check_files, load};
pub use loader::{DiskLoader, Found, Loader, MemoryLoader, is_test};
pub use suite::{Suite, load_tests};
