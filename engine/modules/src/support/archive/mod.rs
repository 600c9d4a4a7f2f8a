//! Archives: tar plain and compressed, zip, and single compressed files.

pub(crate) mod format;
pub(crate) mod read;
pub(crate) mod write;
