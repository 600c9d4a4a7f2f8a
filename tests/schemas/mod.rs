//! The published schemas, with the real modules, held against real files and real runs.

mod runs;
mod shipped;
