//! Tests of what people and programs read.
#![allow(missing_docs, reason = "tests")]

mod diagnostics;
mod golden;
mod hostile;
mod live;
mod pages;
mod pictures;
mod plain;
mod script;
mod terminal;
mod trees;
