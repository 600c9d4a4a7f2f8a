//! Where patterns occur first in a file, read line by line until all are found.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use regex::bytes::{Regex, RegexBuilder};
use runbook_core::forms::MAX_PATTERN;
use runbook_core::module::Fault;
use schemars::JsonSchema;
use serde::Serialize;

use super::blocking::Stop;
use super::lines::Lines;
use super::paths::fault;

/// The longest text of a line in a result, in bytes.
const SHOWN: usize = 4096;

/// Where a pattern was found first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Hit {
    /// The pattern.
    pub(crate) pattern: String,
    /// The number of the line, counted from 1.
    pub(crate) line: u64,
    /// The line, at most 4096 bytes of it.
    pub(crate) text: String,
}

/// Patterns that were read.
pub(crate) struct Patterns(Vec<(String, Regex)>);

impl Patterns {
    /// Reads regular expressions, or plain texts.
    ///
    /// # Errors
    /// [`Fault::Invalid`] about the argument, if one is no regular expression.
    pub(crate) fn read(argument: &str, texts: &[String], literal: bool) -> Result<Patterns, Fault> {
        let one = |text: &String| {
            let source = if literal { regex::escape(text) } else { text.clone() };
            let built = RegexBuilder::new(&source).size_limit(MAX_PATTERN).build();
            built.map(|regex| (text.clone(), regex)).map_err(|e| Fault::invalid(argument, e.to_string()))
        };
        texts.iter().map(one).collect::<Result<_, _>>().map(Patterns)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The patterns as they were written.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.iter().map(|(text, _)| text.clone()).collect()
    }
}

/// The first hit of each pattern, if it has any.
///
/// # Errors
/// If the file cannot be read, or the time is over.
pub(crate) fn first_hits(path: &Path, patterns: &Patterns, stop: &Stop) -> Result<Vec<Option<Hit>>, Fault> {
    let mut hits = vec![None; patterns.len()];
    let mut pending: Vec<usize> = (0..patterns.len()).collect();
    let file = File::open(path).map_err(|e| fault(path, &e))?;
    let mut lines = Lines::new(BufReader::with_capacity(1 << 16, file), 0);
    let mut number = 0;
    while !pending.is_empty() {
        let Some(line) = lines.next(stop).map_err(|e| e.at(path))? else { break };
        number += 1;
        pending.retain(|at| {
            let (pattern, regex) = &patterns.0[*at];
            let found = regex.is_match(line.text);
            if found {
                let text = String::from_utf8_lossy(&line.text[..line.text.len().min(SHOWN)]).into_owned();
                hits[*at] = Some(Hit { pattern: pattern.clone(), line: number, text });
            }
            !found
        });
    }
    Ok(hits)
}
