//! Going through files of JSON lines: what counts, what is kept, what is added up.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::field::{Field, names};
use super::filter::{Filter, Verdict};
use super::line::{Found, Slot, Wanted, number};
use super::stats::{Ranks, Sum};
use crate::support::scan::{Blocks, lines};
use crate::support::stamps::time_of;

/// The most groups that are told apart.
const MOST_GROUPS: usize = 10_000;

/// Lines whose fields are looked at to tell which there are.
const SAMPLED: usize = 50;

/// The names of fields that are the time of a line, unless one is named.
pub(crate) const TIMES: [&str; 5] = ["timestamp", "time", "ts", "@timestamp", "created_at"];

/// What is asked of the lines.
pub(crate) struct Asked {
    pub(crate) wanted: Wanted,
    pub(crate) filter: Option<Filter>,
    /// The fields without which the question makes no sense, with their slots.
    pub(crate) must: Vec<(Field, Slot)>,
    pub(crate) times: Vec<Slot>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) zone: TimeZone,
    pub(crate) of: Vec<Slot>,
    /// Which of `of` the percentiles are of.
    pub(crate) ranked: Option<usize>,
    pub(crate) groups: Vec<Slot>,
    pub(crate) keep: usize,
}

/// A line that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) offset: u64,
    pub(crate) time: Option<Timestamp>,
    pub(crate) text: Vec<u8>,
}

/// The numbers of all lines, or of those of one group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) count: u64,
    pub(crate) sums: Vec<Sum>,
    pub(crate) ranks: Ranks,
}

impl Numbers {
    fn new(fields: usize) -> Numbers {
        Numbers { count: 0, sums: vec![Sum::default(); fields], ranks: Ranks::default() }
    }

    fn add(&mut self, asked: &Asked, line: &[u8], found: &Found) {
        self.count += 1;
        for (i, (sum, slot)) in self.sums.iter_mut().zip(&asked.of).enumerate() {
            match value(line, found, slot) {
                None => sum.missing += 1,
                Some(Seen::Number(n)) => {
                    sum.add(n);
                    if asked.ranked == Some(i) {
                        self.ranks.add(n);
                    }
                }
                Some(Seen::Null) => sum.missing += 1,
                Some(Seen::Other) => sum.not_numbers += 1,
            }
        }
    }

    fn merge(&mut self, other: Numbers) {
        self.count += other.count;
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| a.merge(b));
        self.ranks.merge(other.ranks);
    }
}

enum Seen {
    Number(f64),
    Null,
    Other,
}

fn value(line: &[u8], found: &Found, slot: &Slot) -> Option<Seen> {
    let raw = found.raw(line, slot.at)?;
    if slot.rest.is_empty() {
        return Some(match number(raw) {
            Some(n) => Seen::Number(n),
            None if raw == b"null" => Seen::Null,
            None => Seen::Other,
        });
    }
    Some(match parsed(raw, slot)? {
        serde_json::Value::Number(n) => n.as_f64().map_or(Seen::Other, Seen::Number),
        serde_json::Value::Null => Seen::Null,
        _ => Seen::Other,
    })
}

fn parsed(raw: &[u8], slot: &Slot) -> Option<serde_json::Value> {
    let json: serde_json::Value = serde_json::from_slice(raw).ok()?;
    super::field::walk(&json, &slot.rest).cloned()
}

/// The value of a field of a line as JSON.
pub(crate) fn json_of(line: &[u8], found: &Found, slot: &Slot) -> Option<serde_json::Value> {
    parsed(found.raw(line, slot.at)?, slot)
}

/// A line that is no JSON object.
#[derive(Clone, Debug)]
pub(crate) struct Bad {
    pub(crate) offset: u64,
    pub(crate) error: String,
}

/// What one thread has seen of one file, and of all.
pub(crate) struct Reader<'a> {
    asked: &'a Asked,
    found: Found,
    /// Of the file that is being read.
    pub(crate) lines: u64,
    pub(crate) matched: u64,
    pub(crate) bad: u64,
    pub(crate) first_bad: Option<Bad>,
    pub(crate) last_bad: Option<u64>,
    pub(crate) kept: VecDeque<Kept>,
    /// Of all files.
    pub(crate) good: u64,
    pub(crate) undecided: u64,
    pub(crate) unclear: Option<String>,
    pub(crate) untimed: u64,
    pub(crate) numbers: Numbers,
    pub(crate) groups: HashMap<Vec<u8>, Numbers>,
    pub(crate) outside: u64,
    pub(crate) present: Vec<bool>,
    pub(crate) names: BTreeSet<String>,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    key: Vec<u8>,
    sampled: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(asked: &'a Asked) -> Reader<'a> {
        Reader {
            asked,
            found: Found::default(),
            lines: 0,
            matched: 0,
            bad: 0,
            first_bad: None,
            last_bad: None,
            kept: VecDeque::new(),
            good: 0,
            undecided: 0,
            unclear: None,
            untimed: 0,
            numbers: Numbers::new(asked.of.len()),
            groups: HashMap::new(),
            outside: 0,
            present: vec![false; asked.must.len()],
            names: BTreeSet::new(),
            first: None,
            last: None,
            key: Vec::new(),
            sampled: 0,
        }
    }

    /// Takes over what another thread has seen, the file's own excepted.
    pub(crate) fn merge(&mut self, other: Reader<'a>) {
        self.good += other.good;
        self.undecided += other.undecided;
        self.unclear = self.unclear.take().or(other.unclear);
        self.untimed += other.untimed;
        self.numbers.merge(other.numbers);
        self.outside += other.outside;
        for (key, numbers) in other.groups {
            if self.groups.len() < MOST_GROUPS || self.groups.contains_key(&key) {
                self.groups.entry(key).or_insert_with(|| Numbers::new(self.asked.of.len())).merge(numbers);
            } else {
                self.outside += numbers.count;
            }
        }
        self.present.iter_mut().zip(&other.present).for_each(|(a, b)| *a |= b);
        self.names.extend(other.names);
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = [self.last, other.last].into_iter().flatten().max();
    }

    fn line(&mut self, offset: u64, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            return;
        }
        self.lines += 1;
        let mut found = std::mem::take(&mut self.found);
        match self.asked.wanted.find(line, &mut found) {
            Ok(()) => self.good(offset, line, &found),
            Err(_) => self.odd(offset, line, &mut found),
        }
        self.found = found;
    }

    /// A full parser decides; if it takes the line for an object, that is written plainly and looked at again.
    fn odd(&mut self, offset: u64, line: &[u8], found: &mut Found) {
        let error = match serde_json::from_slice::<serde_json::Value>(line) {
            Ok(json @ serde_json::Value::Object(_)) => {
                let plain = serde_json::to_vec(&json).unwrap_or_default();
                match self.asked.wanted.find(&plain, found) {
                    Ok(()) => return self.good(offset, &plain, found),
                    Err(_) => "its names cannot be told apart".to_owned(),
                }
            }
            Ok(_) => "not an object".to_owned(),
            Err(e) => e.to_string(),
        };
        self.note(offset, error);
    }

    fn note(&mut self, offset: u64, error: String) {
        self.bad += 1;
        self.last_bad = self.last_bad.max(Some(offset));
        if self.first_bad.as_ref().is_none_or(|b| b.offset > offset) {
            self.first_bad = Some(Bad { offset, error });
        }
    }

    fn good(&mut self, offset: u64, line: &[u8], found: &Found) {
        let asked = self.asked;
        self.good += 1;
        for ((_, slot), present) in asked.must.iter().zip(&mut self.present) {
            if !*present && found.raw(line, slot.at).is_some() {
                *present = slot.rest.is_empty() || json_of(line, found, slot).is_some();
            }
        }
        if self.sampled < SAMPLED {
            self.sampled += 1;
            if let Ok(json) = serde_json::from_slice(line) {
                names(&json, "", 4, 500, &mut self.names);
            }
        }
        let limited = asked.since.is_some() || asked.until.is_some();
        let mut time = None;
        if limited {
            time = self.time(line, found);
            match time {
                None => {
                    self.untimed += 1;
                    return;
                }
                Some(t) if asked.since.is_some_and(|s| t < s) || asked.until.is_some_and(|u| t > u) => return,
                Some(_) => {}
            }
        }
        match asked.filter.as_ref().map(|f| f.judge(line, found)) {
            None | Some(Verdict::Yes) => {}
            Some(Verdict::No) => return,
            Some(Verdict::Missing) => {
                self.undecided += 1;
                return;
            }
            Some(Verdict::Unclear(why)) => {
                self.undecided += 1;
                self.unclear.get_or_insert(why);
                return;
            }
        }
        if !limited {
            time = self.time(line, found);
        }
        self.count(offset, line, found, time);
    }

    fn time(&self, line: &[u8], found: &Found) -> Option<Timestamp> {
        let asked = self.asked;
        asked.times.iter().find_map(|slot| {
            let raw = found.raw(line, slot.at)?;
            if slot.rest.is_empty() {
                time_of(raw, &asked.zone)
            } else {
                time_of(parsed(raw, slot)?.to_string().as_bytes(), &asked.zone)
            }
        })
    }

    fn count(&mut self, offset: u64, line: &[u8], found: &Found, time: Option<Timestamp>) {
        let asked = self.asked;
        self.matched += 1;
        if let Some(t) = time {
            self.first = Some(self.first.map_or(t, |f| f.min(t)));
            self.last = Some(self.last.map_or(t, |l| l.max(t)));
        }
        self.numbers.add(asked, line, found);
        if !asked.groups.is_empty() {
            self.key.clear();
            for slot in &asked.groups {
                group_key(line, found, slot, &mut self.key);
                self.key.push(0);
            }
            if let Some(group) = self.groups.get_mut(&self.key) {
                group.add(asked, line, found);
            } else if self.groups.len() < MOST_GROUPS {
                let mut group = Numbers::new(asked.of.len());
                group.add(asked, line, found);
                self.groups.insert(self.key.clone(), group);
            } else {
                self.outside += 1;
            }
        }
        if asked.keep > 0 {
            let full = self.kept.len() == asked.keep;
            // The oldest one's memory is used again.
            let mut text = if full { self.kept.pop_front().map(|k| k.text).unwrap_or_default() } else { Vec::new() };
            text.clear();
            text.extend_from_slice(line);
            self.kept.push_back(Kept { offset, time, text });
        }
    }
}

/// The value of a field as one text that is the same for the same value; nothing for a field that is not there.
fn group_key(line: &[u8], found: &Found, slot: &Slot, key: &mut Vec<u8>) {
    let Some(raw) = found.raw(line, slot.at) else { return };
    let plain = slot.rest.is_empty() && !raw.contains(&b'\\') && !matches!(raw.first(), Some(b'{' | b'['));
    if plain {
        return key.extend_from_slice(raw);
    }
    if let Some(json) = parsed(raw, slot) {
        key.extend_from_slice(json.to_string().as_bytes());
    }
}

/// The values of a group's key, in the order of the fields.
pub(crate) fn key_values(key: &[u8]) -> Vec<serde_json::Value> {
    let parts = key.strip_suffix(&[0]).unwrap_or(key).split(|b| *b == 0);
    parts.map(|p| serde_json::from_slice(p).unwrap_or_default()).collect()
}

impl Blocks for Reader<'_> {
    fn block(&mut self, offset: u64, block: &[u8]) {
        for (at, line) in lines(offset, block) {
            self.line(at, line);
        }
    }

    fn too_long(&mut self, offset: u64) {
        self.lines += 1;
        self.note(offset, "longer than 16 MiB".to_owned());
    }
}

/// Groups by their numbers of lines, the largest first.
pub(crate) fn ordered(groups: HashMap<Vec<u8>, Numbers>) -> Vec<(Vec<u8>, Numbers)> {
    let sorted: BTreeMap<Vec<u8>, Numbers> = groups.into_iter().collect();
    let mut all: Vec<_> = sorted.into_iter().collect();
    all.sort_by_key(|(_, n)| std::cmp::Reverse(n.count));
    all
}
