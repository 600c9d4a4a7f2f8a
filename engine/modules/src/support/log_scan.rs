//! Going through logs once, in memory that does not grow with them.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use regex::bytes::Regex;
use runbook_core::expr::{Expr, MapScope};
use runbook_core::module::Fault;
use runbook_core::value::{Map, Time, Value, parse_duration, parse_size};
use schemars::JsonSchema;
use serde::Serialize;

use super::blocking::Stop;
use super::lines::{Line, Lines, tail_offset};
use super::paths::fault;
use super::scan::{is_compressed, unpack};
use super::stamps::Stamps;

/// The longest text of a line in a result, in bytes.
const SHOWN: usize = 4096;

/// After so many lines without a time nobody looks for one any more, unless times are asked for.
const GIVE_UP: u64 = 1000;

/// The most groups that are told apart.
const MOST_GROUPS: usize = 10_000;

/// What counts and what is kept.
pub(crate) struct Wanted {
    pub(crate) pattern: Option<Regex>,
    pub(crate) ignore: Option<Regex>,
    /// Patterns whose lines are counted apart, by name.
    pub(crate) patterns: Vec<(String, Regex)>,
    /// A condition on what the groups of the pattern matched.
    pub(crate) filter: Option<Expr>,
    /// The group by whose text lines are counted.
    pub(crate) group_by: Option<String>,
    pub(crate) now: Timestamp,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) tail: Option<u64>,
    pub(crate) context: usize,
    pub(crate) keep: usize,
}

/// A file that was read.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FileOut {
    /// The file, as an absolute path.
    pub(crate) path: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// The number of lines that were looked at.
    pub(crate) lines: u64,
    /// The number of lines that counted.
    pub(crate) matched: u64,
    /// Where reading began, in bytes.
    pub(crate) start_offset: u64,
    /// Where the next reading can begin, in bytes: after the last whole line.
    pub(crate) end_offset: u64,
    /// Whether the file is shorter than `from_offset`, so that it was read from its start.
    pub(crate) rotated: bool,
}

/// A line that matches.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Match {
    /// The file.
    pub(crate) path: String,
    /// Where the line begins, in bytes.
    pub(crate) offset: u64,
    /// The line, at most 4096 bytes of it.
    pub(crate) text: String,
    /// What the groups of the pattern matched, by name, or by number from `1`; null for a group that took no part.
    pub(crate) groups: BTreeMap<String, Option<String>>,
    /// The time of the line, or of the last line before it that has one; null if none has.
    pub(crate) time: Option<Time>,
    /// The lines before, as many as `context` says.
    pub(crate) before: Vec<String>,
    /// The lines after, as many as `context` says.
    pub(crate) after: Vec<String>,
}

/// What was found in all files.
pub(crate) struct Found {
    wanted: Wanted,
    stamps: Stamps,
    names: Vec<Option<String>>,
    pub(crate) files: Vec<FileOut>,
    pub(crate) count: u64,
    pub(crate) kept: VecDeque<Match>,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    pub(crate) counts: Vec<u64>,
    pub(crate) groups: BTreeMap<String, u64>,
    pub(crate) ungrouped: u64,
    pub(crate) undecided: u64,
    pub(crate) unclear: Option<String>,
}

impl Found {
    pub(crate) fn new(wanted: Wanted, stamps: Stamps) -> Found {
        let names = wanted.pattern.iter().flat_map(Regex::capture_names).map(|n| n.map(str::to_owned)).collect();
        let counts = vec![0; wanted.patterns.len()];
        Found {
            wanted,
            stamps,
            names,
            files: Vec::new(),
            count: 0,
            kept: VecDeque::new(),
            first: None,
            last: None,
            counts,
            groups: BTreeMap::new(),
            ungrouped: 0,
            undecided: 0,
            unclear: None,
        }
    }

    /// The names of the patterns that are counted apart.
    pub(crate) fn names_of_patterns(&self) -> impl Iterator<Item = String> {
        self.wanted.patterns.iter().map(|(name, _)| name.clone())
    }

    /// Goes through one file.
    pub(crate) fn read(&mut self, path: &Path, from: u64, stop: &Stop) -> Result<(), Fault> {
        let mut file = File::open(path).map_err(|e| fault(path, &e))?;
        // What is written while we read is for the next time.
        let size = file.metadata().map_err(|e| fault(path, &e))?.len();
        let rotated = from > size;
        let mut start = if rotated { 0 } else { from };
        if let Some(n) = self.wanted.tail.filter(|_| !is_compressed(path)) {
            start = tail_offset(&mut file, start, size, n).map_err(|e| fault(path, &e))?;
        }
        file.seek(SeekFrom::Start(start)).map_err(|e| fault(path, &e))?;
        // A compressed log is never written to any more, and only read as a whole.
        let packed = is_compressed(path);
        if packed {
            file.seek(SeekFrom::Start(0)).map_err(|e| fault(path, &e))?;
            start = 0;
        }
        let reader: Box<dyn Read + Send> = if packed { unpack(path, file)? } else { Box::new(file.take(size - start)) };
        let reader = BufReader::with_capacity(1 << 18, reader);
        let mut one = OneFile { path: path.display().to_string(), ..OneFile::default() };
        let mut lines = Lines::new(reader, start);
        while let Some(line) = lines.next(stop).map_err(|e| if packed { damaged(path, e) } else { e.at(path) })? {
            self.line(&mut one, &line);
        }
        if (self.wanted.since.is_some() || self.wanted.until.is_some()) && one.lines > 0 && one.time.is_none() {
            return Err(Fault::cannot_tell(format!(
                "{}: none of its {} lines has a time that is understood, so `since` and `until` cannot be told; `from_offset` can",
                path.display(),
                one.lines
            )));
        }
        self.files.push(FileOut {
            path: one.path,
            size,
            lines: one.lines,
            matched: one.matched,
            start_offset: start,
            end_offset: if packed { size } else { lines.whole() },
            rotated,
        });
        Ok(())
    }

    fn line(&mut self, one: &mut OneFile, line: &Line<'_>) {
        one.lines += 1;
        let needed = self.wanted.since.is_some() || self.wanted.until.is_some();
        if (needed || one.time.is_some() || one.lines <= GIVE_UP)
            && let Some(time) = self.stamps.read(line.text)
        {
            one.time = Some(time);
        }
        let chosen = self.in_time(one.time) && self.matches(line.text) && self.holds(line.text);
        if self.wanted.context > 0 {
            self.feed_context(one, line.text, chosen);
        }
        if chosen {
            self.take(one, line);
        }
        if self.wanted.context > 0 {
            if one.before.len() == self.wanted.context {
                one.before.pop_front();
            }
            one.before.push_back(shown(line.text));
        }
    }

    fn in_time(&self, time: Option<Timestamp>) -> bool {
        let after = self.wanted.since.is_none_or(|since| time.is_some_and(|t| t >= since));
        after && self.wanted.until.is_none_or(|until| time.is_some_and(|t| t <= until))
    }

    fn matches(&self, text: &[u8]) -> bool {
        self.wanted.pattern.as_ref().is_none_or(|p| p.is_match(text))
            && !self.wanted.ignore.as_ref().is_some_and(|i| i.is_match(text))
    }

    /// Whether the condition on the groups holds.
    fn holds(&mut self, text: &[u8]) -> bool {
        let Some(filter) = &self.wanted.filter else { return true };
        let groups = self.groups_of(text);
        let map: Map = groups.into_iter().map(|(k, v)| (k, v.map_or(Value::Null, |v| typed(&v)))).collect();
        match filter.eval(&MapScope { map: std::sync::Arc::new(map), now: self.wanted.now }) {
            Ok(value) => value.truth() == Some(true),
            Err(e) => {
                self.undecided += 1;
                self.unclear.get_or_insert(e.message);
                false
            }
        }
    }

    /// Gives a line to the matches before it that still want lines.
    fn feed_context(&mut self, one: &mut OneFile, text: &[u8], chosen: bool) {
        if one.wanting > 0 {
            let context = self.wanted.context;
            let text = shown(text);
            for kept in self.kept.iter_mut().rev().take_while(|k| k.path == one.path && k.after.len() < context) {
                kept.after.push(text.clone());
            }
            one.wanting -= 1;
        }
        if chosen {
            one.wanting = self.wanted.context;
        }
    }

    fn take(&mut self, one: &mut OneFile, line: &Line<'_>) {
        self.count += 1;
        one.matched += 1;
        if let Some(time) = one.time {
            self.first = Some(self.first.map_or(time, |f| f.min(time)));
            self.last = Some(self.last.map_or(time, |l| l.max(time)));
        }
        for ((_, pattern), count) in self.wanted.patterns.iter().zip(&mut self.counts) {
            *count += u64::from(pattern.is_match(line.text));
        }
        if let Some(group) = &self.wanted.group_by {
            let key = self.groups_of(line.text).remove(group).flatten();
            match key {
                Some(key) if self.groups.len() < MOST_GROUPS || self.groups.contains_key(&key) => {
                    *self.groups.entry(key).or_insert(0) += 1
                }
                _ => self.ungrouped += 1,
            }
        }
        if self.wanted.keep == 0 {
            return;
        }
        if self.kept.len() == self.wanted.keep {
            self.kept.pop_front();
        }
        self.kept.push_back(Match {
            path: one.path.clone(),
            offset: line.offset,
            text: shown(line.text),
            groups: self.groups_of(line.text),
            time: one.time.map(Time),
            before: one.before.iter().cloned().collect(),
            after: Vec::new(),
        });
    }

    fn groups_of(&self, text: &[u8]) -> BTreeMap<String, Option<String>> {
        let Some(pattern) = self.wanted.pattern.as_ref().filter(|p| p.captures_len() > 1) else { return BTreeMap::new() };
        let Some(caps) = pattern.captures(text) else { return BTreeMap::new() };
        let named = self.names.iter().enumerate().skip(1);
        named.map(|(i, name)| (name.clone().unwrap_or_else(|| i.to_string()), caps.get(i).map(|m| shown(m.as_bytes())))).collect()
    }
}

/// What a group matched, as a value: a number, a duration such as `200ms`, a size such as `5MB`, or a text.
fn typed(text: &str) -> Value {
    if let Ok(n) = text.parse::<i64>() {
        return Value::Int(n);
    }
    let number = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    if let Some(n) = text.parse::<f64>().ok().filter(|n| number && n.is_finite()) {
        return Value::Float(n);
    }
    if let Some(duration) = parse_duration(text) {
        return Value::Duration(duration);
    }
    parse_size(text).map_or_else(|| Value::str(text), Value::Size)
}

fn damaged(path: &Path, error: super::lines::NoLine) -> Fault {
    match error {
        super::lines::NoLine::Io(e) => super::scan::StreamError::Io(e).at(path),
        other => other.at(path),
    }
}

/// What is remembered of the file being read.
#[derive(Default)]
struct OneFile {
    path: String,
    lines: u64,
    matched: u64,
    time: Option<Timestamp>,
    before: VecDeque<String>,
    /// How many of the next lines belong to the context of a match.
    wanting: usize,
}

fn shown(text: &[u8]) -> String {
    if text.len() <= SHOWN {
        return String::from_utf8_lossy(text).into_owned();
    }
    let mut short = String::from_utf8_lossy(&text[..SHOWN - 4]).into_owned();
    short.push('…');
    short
}
