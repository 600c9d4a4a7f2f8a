//! Nothing that is written into a playbook makes the program panic, hang, or use more than its share.

mod fixtures;
mod large;
mod mutations;
