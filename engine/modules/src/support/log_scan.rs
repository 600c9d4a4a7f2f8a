//! Going through logs once, in memory that does not grow with them.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use regex::bytes::Regex;
use runbook_core::module::Fault;
use runbook_core::value::Time;
use schemars::JsonSchema;
use serde::Serialize;

use super::blocking::Stop;
use super::lines::{Line, Lines, tail_offset};
use super::paths::fault;
use super::stamps::Stamps;

/// The longest text of a line in a result, in bytes.
const SHOWN: usize = 4096;

/// After so many lines without a time nobody looks for one any more, unless times are asked for.
const GIVE_UP: u64 = 1000;

/// What counts and what is kept.
pub(crate) struct Wanted {
    pub(crate) pattern: Option<Regex>,
    pub(crate) ignore: Option<Regex>,
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
}

impl Found {
    pub(crate) fn new(wanted: Wanted, stamps: Stamps) -> Found {
        let names = wanted.pattern.iter().flat_map(Regex::capture_names).map(|n| n.map(str::to_owned)).collect();
        Found { wanted, stamps, names, files: Vec::new(), count: 0, kept: VecDeque::new(), first: None, last: None }
    }

    /// Goes through one file.
    pub(crate) fn read(&mut self, path: &Path, from: u64, stop: &Stop) -> Result<(), Fault> {
        let mut file = File::open(path).map_err(|e| fault(path, &e))?;
        // What is written while we read is for the next time.
        let size = file.metadata().map_err(|e| fault(path, &e))?.len();
        let rotated = from > size;
        let mut start = if rotated { 0 } else { from };
        if let Some(n) = self.wanted.tail {
            start = tail_offset(&mut file, start, size, n).map_err(|e| fault(path, &e))?;
        }
        file.seek(SeekFrom::Start(start)).map_err(|e| fault(path, &e))?;
        let reader = BufReader::with_capacity(1 << 18, file.take(size - start));
        let mut one = OneFile { path: path.display().to_string(), ..OneFile::default() };
        let mut lines = Lines::new(reader, start);
        while let Some(line) = lines.next(stop).map_err(|e| e.at(path))? {
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
            end_offset: lines.whole(),
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
        let chosen = self.in_time(one.time) && self.matches(line.text);
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
            groups: self.groups(line.text),
            time: one.time.map(Time),
            before: one.before.iter().cloned().collect(),
            after: Vec::new(),
        });
    }

    fn groups(&self, text: &[u8]) -> BTreeMap<String, Option<String>> {
        let Some(pattern) = self.wanted.pattern.as_ref().filter(|p| p.captures_len() > 1) else { return BTreeMap::new() };
        let Some(caps) = pattern.captures(text) else { return BTreeMap::new() };
        let named = self.names.iter().enumerate().skip(1);
        named.map(|(i, name)| (name.clone().unwrap_or_else(|| i.to_string()), caps.get(i).map(|m| shown(m.as_bytes())))).collect()
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
