//! `jsonl`: what lines of JSON say.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runbook_core::expr::{Compare, Expr, ExprKind, ExprNode};
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches, hand_word};
use runbook_core::suggest::nearest;
use runbook_core::value::{Duration, Map, Time, from_json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::support::args::OneOrMany;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::globs::{candidates, plain};
use crate::support::jsonl::field::Field;
use crate::support::jsonl::filter::Filter;
use crate::support::jsonl::line::{Slot, Wanted};
use crate::support::jsonl::number::Number;
use crate::support::jsonl::read::{Asked, Kept, Numbers, Reader, TIMES, key_values, ordered};
use crate::support::jsonl::stats::Sum;
use crate::support::moment::{Moment, utc, zone};
use crate::support::paths::{fault, resolve};
use crate::support::scan::{blocks, is_compressed, stream, unpack, workers};

pub(crate) struct Jsonl;

/// Looks for lines of JSON in files, counts them and adds them up.
///
/// Without `expect` the step is ok if a line counts, or, without `where`, if there is a file. A line counts if it is a JSON object, lies in the
/// time asked for, and `where` holds for it. `where` is an expression of this language over the fields of the line, such as
/// `latency_ms.total > 2000 and not ok`. A line that lacks a field that `where` needs does not count, and is told in `undecided`.
///
/// A field that no line at all has is a mistake and not a zero: the step fails and says which fields there are. A condition on a field that may be
/// missing everywhere is written `failure_class is defined and failure_class == 'TIMEOUT'`.
///
/// Lines that are no JSON objects are passed over and told in `bad_lines`, the first of each file with its place. A last line that is still
/// being written is neither counted nor bad. Inside strings and numbers that nobody asks for nothing is checked.
///
/// A field is written `latency_ms.total`, `calls[0].name` or `labels["a.b"]`. Files that end in `.gz` or `.zst` are unpacked while they are read.
/// The memory needed does not grow with the files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The file, or several; relative paths start at the project root. `*`, `?`, `[ab]`, `{a,b}` and `**` stand for names.
    path: OneOrMany,
    /// An expression over the fields of a line that must hold for it to count. Default: none, and every line counts.
    #[serde(default, rename = "where")]
    filter: Option<String>,
    /// Values that `where` can use by name: `where: correlation_id == id` with `values: {id: "{{ params.id }}"}`. They come before fields of the same
    /// name. Default: none.
    #[serde(default)]
    values: serde_json::Map<String, Json>,
    /// Count only lines of the time that ended now, such as `15m`. The same as `since`. Default: all.
    #[serde(default)]
    window: Option<Duration>,
    /// Count only lines from this time on: a time, or a duration such as `15m` for that long ago. Default: all.
    #[serde(default)]
    since: Option<Moment>,
    /// Count only lines up to this time: a time, or a duration for that long ago. Default: all.
    #[serde(default)]
    until: Option<Moment>,
    /// The field with the time of a line: a text such as `2026-02-15T14:23:45Z`, or seconds or milliseconds since 1970. Default: the first
    /// that a line has of `timestamp`, `time`, `ts`, `@timestamp` and `created_at`.
    #[serde(default)]
    time_field: Option<String>,
    /// The zone of times that name none: `UTC`, `local`, or a name such as `Europe/Paris`. Default: `UTC`.
    #[serde(default = "utc")]
    timezone: String,
    /// How many of the lines that count to give, the last ones. At most 10000. Default: 20.
    #[serde(default = "twenty")]
    #[schemars(range(max = 10_000))]
    last: u32,
    /// The fields to give of each line, by their names as written here. Default: the whole line.
    #[serde(default)]
    select: Option<OneOrMany>,
    /// Fields with numbers to add up: `stats` tells of each sum, average, least and most. Default: none.
    #[serde(default)]
    of: Option<OneOrMany>,
    /// A percentile of a field: `{of: latency_ms.total, p: 95}`. Default: none.
    #[serde(default)]
    percentile: Option<Percentile>,
    /// Fields by whose values the lines are put into groups, each with its count and numbers. Default: none.
    #[serde(default)]
    group_by: Option<OneOrMany>,
    /// A field such as `correlation_id` whose value belongs to one story: `merged` puts the lines given together by it, in the order of time, whichever
    /// file they come from. Default: none.
    #[serde(default)]
    merge_by: Option<String>,
    /// Whether it is fine if none of the files exists. Default: false.
    #[serde(default)]
    missing_ok: bool,
}

/// A percentile of a field.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Percentile {
    /// The field.
    of: String,
    /// The percentile, from 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    p: f64,
}

fn twenty() -> u32 {
    20
}

/// What the lines say.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The files that were read.
    files: Vec<FileOut>,
    /// The paths and wildcards that stand for nothing.
    missing: Vec<String>,
    /// The number of lines that were looked at, empty ones left out.
    lines: u64,
    /// The number of lines that are no JSON objects.
    bad_lines: u64,
    /// The number of lines that count.
    count: u64,
    /// The number of lines of which `where` could not be told, mostly because a field is missing.
    undecided: u64,
    /// The number of lines that do not count because they have no time that is understood; 0 if no time was asked for.
    untimed: u64,
    /// The last lines that count, in the order of their times, or as they stand in the files if one has none.
    records: Vec<Json>,
    /// Where each of `records` stands.
    origins: Vec<Origin>,
    /// Whether more lines count than are given.
    truncated: bool,
    /// The stories of `merge_by`, in the order in which they begin; empty without it.
    merged: Vec<Merged>,
    /// The earliest time of a line that counts; null if none has one.
    first_time: Option<Time>,
    /// The latest time of a line that counts; null if none has one.
    last_time: Option<Time>,
    /// The sum of the field of `percentile`, or of the first of `of`; null without one.
    sum: Option<Number>,
    /// Its average; null without one.
    avg: Option<Number>,
    /// Its least; null without one.
    min: Option<Number>,
    /// Its most; null without one.
    max: Option<Number>,
    /// The percentile asked for; null if none was, or if no line has a number there.
    percentile: Option<Number>,
    /// The 50th percentile of the field of `percentile`; null without it.
    p50: Option<Number>,
    /// Its 90th percentile; null without it.
    p90: Option<Number>,
    /// Its 95th percentile; null without it.
    p95: Option<Number>,
    /// Its 99th percentile; null without it.
    p99: Option<Number>,
    /// Whether the percentiles are exact; with more than 131072 different numbers they are rounded by at most a 4096th.
    exact: bool,
    /// The numbers of each field of `of`, by its name.
    stats: BTreeMap<String, Stat>,
    /// The groups of `group_by`, the largest first; at most 1000.
    groups: Vec<Group>,
    /// The number of lines that count and are in none of `groups`, because there are too many.
    ungrouped: u64,
    /// The condition that was asked; null if none was.
    filter: Option<String>,
    /// Why nothing was read, such as `no such file: logs/turns.jsonl`; null if something was.
    error: Option<String>,
}

/// A file that was read.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct FileOut {
    /// The file, as an absolute path.
    path: String,
    /// Its size in bytes, as it lies on the disk.
    size: u64,
    /// The number of lines that were looked at.
    lines: u64,
    /// The number of lines that count.
    matched: u64,
    /// The number of lines that are no JSON objects.
    bad_lines: u64,
    /// Where the first of them begins, in bytes; null if there is none.
    first_bad_offset: Option<u64>,
    /// What is wrong with it; null if there is none.
    first_bad_error: Option<String>,
    /// Whether the last line is still being written.
    unfinished: bool,
}

/// Where a line stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Origin {
    /// The file.
    path: String,
    /// Where the line begins, in bytes.
    offset: u64,
    /// Its time; null if it has none.
    time: Option<Time>,
}

/// Lines of one story.
#[derive(Debug, Serialize, JsonSchema)]
struct Merged {
    /// The value of the field; null for lines without it.
    key: Json,
    /// The number of its lines among those given.
    count: u64,
    /// The time of its first line; null if none has one.
    first_time: Option<Time>,
    /// The time of its last line; null if none has one.
    last_time: Option<Time>,
    /// From the first to the last; null if there is no time.
    span: Option<Duration>,
    /// The files that it stands in.
    files: Vec<String>,
    /// Its lines.
    records: Vec<Json>,
}

/// The numbers of a field.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Stat {
    /// How many lines have a number there.
    count: u64,
    /// How many have nothing or null there.
    missing: u64,
    /// How many have something else there.
    not_numbers: u64,
    /// The sum; null of nothing.
    sum: Option<Number>,
    /// The average; null of nothing.
    avg: Option<Number>,
    /// The least; null of nothing.
    min: Option<Number>,
    /// The most; null of nothing.
    max: Option<Number>,
}

/// Lines with the same values.
#[derive(Debug, Serialize, JsonSchema)]
struct Group {
    /// The values by the fields' names; null for lines without the field.
    key: BTreeMap<String, Json>,
    /// The number of lines.
    count: u64,
    /// The numbers of each field of `of`, by its name.
    stats: BTreeMap<String, Stat>,
    /// The percentile asked for; null if none was.
    percentile: Option<Number>,
}

/// What is done with the lines that count.
struct Plan {
    asked: Asked,
    /// The names of `of`.
    of: Vec<String>,
    groups: Vec<String>,
    p: Option<f64>,
    select: Vec<Field>,
    merge: Option<Field>,
    filter: Option<String>,
    missing_ok: bool,
}

impl Plan {
    fn new(args: &Args, now: Timestamp) -> Result<Plan, Fault> {
        let field = |argument: &str, text: &str| Field::parse(text).map_err(|e| Fault::invalid(argument, e));
        let fields = |argument: &str, texts: &Option<OneOrMany>| -> Result<Vec<Field>, Fault> {
            texts.iter().flat_map(|t| &t.0).map(|t| field(argument, t)).collect()
        };
        if args.window.is_some() && args.since.is_some() {
            return Err(Fault::invalid("window", "`window` and `since` say the same: write one of them"));
        }
        let mut wanted = Wanted::default();
        let mut must: Vec<(Field, Slot)> = Vec::new();
        let values: Map = args.values.iter().map(|(k, v)| (k.clone(), from_json(v.clone()))).collect();
        let filter = match &args.filter {
            Some(text) => Some(
                Filter::new(text, values, now, &mut wanted, &mut must)
                    .map_err(|e| Fault::invalid("where", format!("{text:?} is no condition: {e}")))?,
            ),
            None => None,
        };
        let mut of = fields("of", &args.of)?;
        let mut ranked = None;
        if let Some(percentile) = &args.percentile {
            if !(0.0..=100.0).contains(&percentile.p) {
                return Err(Fault::invalid("percentile", "`p` is a number from 0 to 100, such as 95"));
            }
            let field = field("percentile", &percentile.of)?;
            ranked = Some(of.iter().position(|f| *f == field).unwrap_or_else(|| {
                of.push(field);
                of.len() - 1
            }));
        }
        let groups = fields("group_by", &args.group_by)?;
        let select = fields("select", &args.select)?;
        let merge = args.merge_by.as_deref().map(|t| field("merge_by", t)).transpose()?;
        let times = match &args.time_field {
            Some(text) => vec![field("time_field", text)?],
            None => TIMES.iter().map(|t| field("time_field", t)).collect::<Result<_, _>>()?,
        };
        let mut slots = |fields: &[Field]| fields.iter().map(|f| wanted.field(f)).collect::<Vec<_>>();
        let (of_slots, group_slots, time_slots, select_slots, merge_slots) =
            (slots(&of), slots(&groups), slots(&times), slots(&select), slots(merge.as_slice()));
        let named = args.time_field.is_some().then(|| times.iter().cloned().zip(time_slots.iter().cloned()));
        let used = of.iter().cloned().zip(of_slots.iter().cloned());
        let used = used.chain(groups.iter().cloned().zip(group_slots.iter().cloned()));
        let used = used.chain(select.iter().cloned().zip(select_slots)).chain(merge.iter().cloned().zip(merge_slots));
        must.extend(used.chain(named.into_iter().flatten()));
        let since = args.since.map(|m| m.resolve(now));
        let window = args.window.map(|w| Moment::Ago(w.0).resolve(now));
        Ok(Plan {
            of: of.iter().map(|f| f.text.clone()).collect(),
            groups: groups.iter().map(|f| f.text.clone()).collect(),
            p: args.percentile.as_ref().map(|p| p.p),
            select,
            merge,
            filter: args.filter.clone(),
            missing_ok: args.missing_ok,
            asked: Asked {
                wanted,
                filter,
                must,
                times: time_slots,
                since: since.or(window),
                until: args.until.map(|m| m.resolve(now)),
                zone: zone(&args.timezone)?,
                of: of_slots,
                ranked,
                groups: group_slots,
                keep: args.last.min(10_000) as usize,
            },
        })
    }
}

impl Probe for Jsonl {
    const NAME: &'static str = "jsonl";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "filter is none or count > 0";
    const SAYS: &'static str = "{{ count }} of {{ lines }} line{{ '' if lines == 1 else 's' }}";
    const COLUMNS: &'static [&'static str] = &["count"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "No slow turn in the last quarter of an hour",
            yaml: "jsonl: { path: logs/turns.jsonl, where: latency_ms.total > 2000, window: 15m }\nexpect: count == 0\n",
            runs: false,
        },
        Example {
            title: "The 95th percentile, graded",
            yaml: "jsonl: { path: logs/turns.jsonl, window: 15m, percentile: { of: latency_ms.total, p: 95 } }\ngrade: { value: p95, target: 2000, warning: 3000, critical: 5000, unit: ms }\n",
            runs: false,
        },
        Example {
            title: "What the slow turns spend their time on, by user",
            yaml: "jsonl:\n  path: logs/turns.jsonl\n  where: latency_ms.total > 2000\n  of: [latency_ms.total, latency_ms.model, latency_ms.memory_read, latency_ms.tool]\n  group_by: user_id\n",
            runs: false,
        },
        Example {
            title: "The story of one request in all logs",
            yaml: "jsonl:\n  path: 'logs/*.jsonl'\n  where: correlation_id is defined and correlation_id == id\n  values: { id: \"{{ params.id }}\" }\n  merge_by: correlation_id\n  last: 200\n",
            runs: false,
        },
        Example {
            title: "The last lines of a log that may not be there",
            yaml: "jsonl: { path: '{tmp}/turns.jsonl', missing_ok: true }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let files: Vec<String> = args.list("path").iter().map(|p| by_hand::glob_word(p)).collect();
        let condition = args.text("where");
        let values = args.inside("values");
        let asked = condition.as_deref().and_then(|text| jq_condition(&Expr::parse_standalone(text).ok()?.root, &values));
        let mut steps = Vec::new();
        if let Some(asked) = &asked {
            steps.push(format!("select({asked})"));
        }
        let selected: Vec<String> = args.list("select").iter().filter_map(|f| jq_field(f)).collect();
        if !selected.is_empty() {
            steps.push(format!("[{}]", selected.join(", ")));
        }
        let program = if steps.is_empty() { ".".to_owned() } else { steps.join(" | ") };
        let last = args.or("last", "20");
        let mut hand = ByHand::run(format!("jq -c {} {} | tail -n {}", hand_word(&program), files.join(" "), hand_word(&last)));
        if let Some(field) = args.inside("percentile").text("of").or_else(|| args.list("of").into_iter().next())
            && let Some(path) = jq_field(&field)
        {
            let of = format!(
                "map({}{path}) | {{count: length, avg: (add / length), sorted: sort}}",
                match &asked {
                    Some(asked) => format!("select({asked}) | "),
                    None => String::new(),
                }
            );
            hand = hand.and(format!("jq -c -s {} {}", hand_word(&of), files.join(" ")));
        }
        if let (Some(condition), None) = (&condition, &asked) {
            hand = hand.note(format!("Only lines count for which this holds: {}.", condition.replace('\n', " ")));
        }
        for (name, before) in [("window", "of the last"), ("since", "since"), ("until", "until")] {
            if let Some(when) = args.text(name) {
                hand = hand.note(format!("Only lines {before} {when} count: look at their times."));
            }
        }
        if let Some(field) = args.text("merge_by") {
            hand = hand.note(format!("Lines with the same `{field}` belong together."));
        }
        hand.note("If `jq` stops at a line that is no JSON, `grep '^{.*}$'` before it leaves such lines out.")
            .expect(if condition.is_some() { "at least one line" } else { "the file is there" })
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads(args.path.0.iter().map(|p| Resource::file(plain(p))))
    }

    fn check(args: &Args) -> Result<(), Fault> {
        Plan::new(args, Timestamp::UNIX_EPOCH)?;
        args.path.0.iter().try_for_each(|path| crate::support::globs::check("path", path))
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let plan = Plan::new(args, cx.now())?;
        let places = args.path.0.iter().map(|p| Ok((p.clone(), resolve(cx, "path", p)?))).collect::<Result<Vec<_>, Fault>>()?;
        blocking(cx.timeout, move |stop| look(&places, &plan, stop)).await
    }
}

fn look(places: &[(String, PathBuf)], plan: &Plan, stop: &Stop) -> Result<Out, Fault> {
    let mut out = Out { filter: plan.filter.clone(), exact: true, ..Out::default() };
    let files = candidates(places, &mut out.missing)?;
    if files.is_empty() {
        let message = format!("no such file: {}", out.missing.join(", "));
        out.error = Some(message.clone());
        return if plan.missing_ok { Ok(out) } else { Err(Fault::unmet_with(message, out)) };
    }
    let mut readers: Vec<Reader<'_>> = Vec::new();
    let mut kept: Vec<(usize, Kept)> = Vec::new();
    for (i, path) in files.iter().enumerate() {
        let one = read(path, &plan.asked, &mut readers, stop)?;
        kept.extend(readers.iter_mut().flat_map(|r| r.kept.drain(..)).map(|k| (i, k)));
        // Of each file the last ones, whichever thread they came to.
        sort_kept(&mut kept);
        let many = kept.len().saturating_sub(plan.asked.keep);
        kept.drain(..many);
        out.files.push(one);
    }
    let mut all = Reader::new(&plan.asked);
    readers.into_iter().for_each(|r| all.merge(r));
    out.lines = out.files.iter().map(|f| f.lines).sum();
    out.bad_lines = out.files.iter().map(|f| f.bad_lines).sum();
    out.count = out.files.iter().map(|f| f.matched).sum();
    (out.undecided, out.untimed) = (all.undecided, all.untimed);
    if all.good > 0 {
        unknown_fields(plan, &all, &out)?;
    }
    if all.undecided == all.good
        && all.good > 0
        && let Some(why) = &all.unclear
    {
        return Err(Fault::cannot_tell(format!("`where` cannot be told of any of the {} lines: {why}", all.good)));
    }
    if all.untimed > 0 && all.untimed == all.good {
        return Err(Fault::cannot_tell(format!(
            "none of the {} lines has a time that is understood, so nothing can be said of a time; `time_field` names the field with it",
            all.good
        )));
    }
    (out.first_time, out.last_time) = (all.first.map(Time), all.last.map(Time));
    add_up(plan, &mut all.numbers, &mut out);
    group(plan, all.groups, &mut out);
    out.ungrouped += all.outside;
    give(plan, &files, kept, &mut out);
    Ok(out)
}

/// By time if every line has one, otherwise as they stand in the files.
fn sort_kept(kept: &mut [(usize, Kept)]) {
    if kept.iter().all(|(_, k)| k.time.is_some()) {
        kept.sort_by_key(|(file, k)| (k.time, *file, k.offset));
    } else {
        kept.sort_by_key(|(file, k)| (*file, k.offset));
    }
}

fn read<'a>(path: &Path, asked: &'a Asked, readers: &mut Vec<Reader<'a>>, stop: &Stop) -> Result<FileOut, Fault> {
    let file = File::open(path).map_err(|e| fault(path, &e))?;
    let size = file.metadata().map_err(|e| fault(path, &e))?.len();
    let mut one = FileOut { path: path.display().to_string(), size, ..FileOut::default() };
    let threads = if is_compressed(path) { 1 } else { workers(size) };
    while readers.len() < threads {
        readers.push(Reader::new(asked));
    }
    for reader in readers.iter_mut() {
        (reader.lines, reader.matched, reader.bad) = (0, 0, 0);
        (reader.first_bad, reader.last_bad) = (None, None);
    }
    let mut open_end = None;
    if is_compressed(path) {
        if let Some(first) = readers.first_mut() {
            stream(unpack(path, file)?, first, stop).map_err(|e| e.at(path))?;
        }
    } else {
        blocks(&file, path, 0, size, &mut readers[..threads], stop)?;
        open_end = unended(&file, size);
    }
    one.lines = readers.iter().map(|r| r.lines).sum();
    one.matched = readers.iter().map(|r| r.matched).sum();
    one.bad_lines = readers.iter().map(|r| r.bad).sum();
    let last_bad = readers.iter().filter_map(|r| r.last_bad).max();
    if let (Some(begin), Some(bad)) = (open_end, last_bad)
        && bad >= begin
    {
        (one.unfinished, one.lines, one.bad_lines) = (true, one.lines - 1, one.bad_lines - 1);
    }
    if one.bad_lines > 0
        && let Some(bad) = readers.iter().filter_map(|r| r.first_bad.as_ref()).min_by_key(|b| b.offset)
    {
        (one.first_bad_offset, one.first_bad_error) = (Some(bad.offset), Some(bad.error.clone()));
    }
    Ok(one)
}

/// Where the last line begins, if it has no end.
fn unended(file: &File, size: u64) -> Option<u64> {
    use std::os::unix::fs::FileExt;
    let mut last = [0];
    file.read_exact_at(&mut last, size.checked_sub(1)?).ok()?;
    if last[0] == b'\n' {
        return None;
    }
    let mut file = file.try_clone().ok()?;
    crate::support::lines::tail_offset(&mut file, 0, size, 1).ok()
}

/// A field that no line has is a slip of the author.
fn unknown_fields(plan: &Plan, all: &Reader<'_>, out: &Out) -> Result<(), Fault> {
    let gone = plan.asked.must.iter().zip(&all.present).find(|(_, present)| !**present).map(|((field, _), _)| field);
    let Some(field) = gone else { return Ok(()) };
    let known: Vec<&str> = all.names.iter().map(String::as_str).collect();
    let near = nearest(&field.text, known.iter().copied());
    let near = near.or_else(|| related(&field.text, &known)).map(|n| format!("; is `{n}` meant?")).unwrap_or_default();
    let listed: Vec<&str> = known.iter().copied().take(30).collect();
    let files: Vec<&str> = out.files.iter().map(|f| f.path.as_str()).take(3).collect();
    let message = format!(
        "none of the {} lines of {} has a field `{}`{near} They have: {}",
        all.good,
        files.join(", "),
        field.text,
        listed.join(", ")
    );
    Err(Fault::unmet(message.replace("` They", "`. They")))
}

/// A field whose last name is in the one that was written: `latency_ms.model` for `model_ms`.
fn related<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let last = written.rsplit('.').next()?;
    known
        .iter()
        .copied()
        .find(|k| k.rsplit('.').next().is_some_and(|name| name.len() > 2 && (last.contains(name) || name.contains(last))))
}

fn stat(sum: &Sum) -> Stat {
    Stat {
        count: sum.count,
        missing: sum.missing,
        not_numbers: sum.not_numbers,
        sum: sum.sum().map(Number),
        avg: sum.avg().map(Number),
        min: sum.min().map(Number),
        max: sum.max().map(Number),
    }
}

fn stats(plan: &Plan, numbers: &Numbers) -> BTreeMap<String, Stat> {
    plan.of.iter().cloned().zip(numbers.sums.iter().map(stat)).collect()
}

fn add_up(plan: &Plan, numbers: &mut Numbers, out: &mut Out) {
    out.stats = stats(plan, numbers);
    if let Some(sum) = numbers.sums.get(plan.asked.ranked.unwrap_or(0)) {
        let sum = stat(sum);
        (out.sum, out.avg, out.min, out.max) = (sum.sum, sum.avg, sum.min, sum.max);
    }
    if let Some(p) = plan.p {
        let mut at = |p| numbers.ranks.at(p).map(Number);
        out.percentile = at(p);
        (out.p50, out.p90, out.p95, out.p99) = (at(50.0), at(90.0), at(95.0), at(99.0));
        out.exact = numbers.ranks.exact();
    }
}

fn group(plan: &Plan, groups: std::collections::HashMap<Vec<u8>, Numbers>, out: &mut Out) {
    for (i, (key, mut numbers)) in ordered(groups).into_iter().enumerate() {
        if i >= 1000 {
            out.ungrouped += numbers.count;
            continue;
        }
        out.groups.push(Group {
            key: plan.groups.iter().cloned().zip(key_values(&key)).collect(),
            count: numbers.count,
            stats: stats(plan, &numbers),
            percentile: plan.p.and_then(|p| numbers.ranks.at(p)).map(Number),
        });
    }
}

/// Gives the lines that were kept.
fn give(plan: &Plan, files: &[PathBuf], kept: Vec<(usize, Kept)>, out: &mut Out) {
    out.truncated = out.count > kept.len() as u64;
    let mut stories: Vec<Merged> = Vec::new();
    for (file, line) in kept {
        let Ok(json) = serde_json::from_slice::<Json>(&line.text) else { continue };
        let path = files[file].display().to_string();
        let record = if plan.select.is_empty() {
            json.clone()
        } else {
            let of = |f: &Field| crate::support::jsonl::field::walk(&json, &f.parts).cloned().unwrap_or_default();
            Json::Object(plan.select.iter().map(|f| (f.text.clone(), of(f))).collect())
        };
        if let Some(field) = &plan.merge {
            let key = crate::support::jsonl::field::walk(&json, &field.parts).cloned().unwrap_or_default();
            let at = stories.iter().position(|s| s.key == key).unwrap_or_else(|| {
                let (first_time, last_time) = (line.time.map(Time), line.time.map(Time));
                stories.push(Merged { key, count: 0, first_time, last_time, span: None, files: Vec::new(), records: Vec::new() });
                stories.len() - 1
            });
            let story = &mut stories[at];
            story.count += 1;
            story.last_time = line.time.map(Time).or(story.last_time);
            story.span = story.first_time.zip(story.last_time).map(|(a, b)| Duration(b.0.duration_since(a.0)));
            if !story.files.contains(&path) {
                story.files.push(path.clone());
            }
            story.records.push(record.clone());
        }
        out.records.push(record);
        out.origins.push(Origin { path, offset: line.offset, time: line.time.map(Time) });
    }
    out.merged = stories;
}

/// A field as `jq` writes it.
fn jq_field(text: &str) -> Option<String> {
    let keys = Field::parse(text).ok()?;
    let mut out = String::new();
    for part in &keys.parts {
        match part {
            crate::support::jsonl::field::Part::Key(key) => out.push_str(&format!(".{}", Json::String(key.clone()))),
            crate::support::jsonl::field::Part::Index(i) => out.push_str(&format!("[{i}]")),
        }
    }
    Some(out)
}

/// A condition as `jq` writes it, if it has words for it.
fn jq_condition(node: &ExprNode, values: &HandArgs<'_>) -> Option<String> {
    let of = |n: &ExprNode| jq_condition(n, values);
    Some(match &node.kind {
        ExprKind::Const(value) => value.to_json().to_string(),
        ExprKind::Var(name) => match values.get(name) {
            Some(value) => value.to_json().to_string(),
            None => format!(".{}", Json::String(name.clone())),
        },
        ExprKind::Attr(inner, name) => format!("{}.{}", of(inner)?, Json::String(name.clone())),
        ExprKind::And(a, b) => format!("({} and {})", of(a)?, of(b)?),
        ExprKind::Or(a, b) => format!("({} or {})", of(a)?, of(b)?),
        ExprKind::Not(inner) => format!("({} | not)", of(inner)?),
        ExprKind::Test(name, inner, _) if name == "defined" => format!("({} != null)", of(inner)?),
        ExprKind::Compare(first, rest) => {
            let [(op, second)] = rest.as_slice() else { return None };
            let op = match op {
                Compare::Eq => "==",
                Compare::Ne => "!=",
                Compare::Lt => "<",
                Compare::Le => "<=",
                Compare::Gt => ">",
                Compare::Ge => ">=",
                Compare::In | Compare::NotIn => return None,
            };
            format!("{} {op} {}", of(first)?, of(second)?)
        }
        _ => return None,
    })
}

#[cfg(test)]
#[path = "jsonl_tests.rs"]
mod tests;
