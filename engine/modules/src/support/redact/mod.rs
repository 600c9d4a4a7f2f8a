//! Taking out of texts what must not leave the machine.

pub(crate) mod args;
mod keys;
mod numbers;
pub(crate) mod rules;
pub(crate) mod stream;
