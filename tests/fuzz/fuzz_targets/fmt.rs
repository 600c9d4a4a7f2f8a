//! Whatever the bytes are: what can be read is laid out once and for all, and says the same.
#![no_main]

#[path = "../properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::fmt(data));
