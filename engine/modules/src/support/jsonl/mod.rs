//! Lines of JSON: finding the wanted fields, judging a line, adding up.

pub(crate) mod field;
pub(crate) mod filter;
pub(crate) mod line;
pub(crate) mod number;
pub(crate) mod read;
pub(crate) mod stats;
