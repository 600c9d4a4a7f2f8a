//! The one whole-program test binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot get what it needs should fail loudly")]

mod binary;
mod faults;
mod fixtures;
mod harness;
mod robust;
mod schemas;
mod star;
mod starter;
mod walk;
