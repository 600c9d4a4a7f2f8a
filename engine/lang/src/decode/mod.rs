//! Nodes into the model. Every mistake of a file is collected in one pass; what is wrong is left out of the model.

mod arg;
mod body;
mod call;
mod fields;
mod names;
mod param;
mod playbook;
mod reader;
pub(crate) mod shell;
mod step;
mod system;
mod test_file;
mod timing;
mod triage;

pub(crate) use fields::{Fields, lower_first};
pub(crate) use names::{LOCAL, ROOTS, WORDS};
pub(crate) use playbook::{Identity, lists, playbook, plays, walked};
pub(crate) use reader::{Reader, inside};
pub(crate) use system::system;
pub(crate) use test_file::{Played, answers, test_file, tested};
