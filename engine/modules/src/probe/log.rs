//! `log`: what logs say.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use regex::bytes::{Regex, RegexBuilder};
use runbook_core::expr::{Expr, ExprKind};
use runbook_core::forms::MAX_PATTERN;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches, hand_word};
use runbook_core::value::{Time, parse_duration};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::support::args::OneOrMany;
use crate::support::blocking::{Stop, blocking};
use crate::support::by_hand;
use crate::support::globs::{candidates, plain};
use crate::support::log_scan::{FileOut, Found, Match, Wanted};
use crate::support::moment::{Moment, utc, zone};
use crate::support::paths::{fault, parent, resolve, tidy};
use crate::support::stamps::Stamps;

pub(crate) struct Log;

/// Looks for lines in logs, and counts them.
///
/// Without `expect` the step is ok if a line matches the `pattern`, or, without a pattern, if there is a log. To ask that nothing matches,
/// write `expect: count == 0`.
///
/// `path` may name several candidates and use wildcards; those that exist are read, `files` says which, `missing` which are not there.
/// If none exists the step fails, since "no error in the log" and "no log" are not the same; `missing_ok: true` makes it a result of 0 lines.
///
/// All of these limits hold together: `from_offset`, `tail`, `since`, `until`, `pattern`, `ignore`. Lines without a time, such as those of a
/// traceback, belong to the line before. Times are understood in the usual forms: `2026-02-15T14:23:45Z`, `2026-02-15 14:23:45,123`,
/// `2026/02/15 14:23:45`, `15/Feb/2026:14:23:45 +0000`, `Feb 15 14:23:45`, seconds or milliseconds since 1970. If a file has no such time,
/// `since` and `until` cannot be told and the step says so.
///
/// What a group of the pattern matched can be counted (`group_by`) and compared (`where`): it is a number if it looks like one, a duration such as `200ms`, a size
/// such as `5MB`, or else a text. So `pattern: duration=(?P<took>\S+)` with `where: took > 3s` means what it says.
///
/// Files that end in `.gz` or `.zst` are unpacked while they are read.
///
/// What was written since an earlier look: give that step's `offsets` as `from_offset`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The log, or several; relative paths start at the project root. `*`, `?`, `[ab]`, `{a,b}` and `**` stand for names.
    path: OneOrMany,
    /// A regular expression that a line must match to count. Default: none, and every line counts.
    #[serde(default)]
    #[schemars(extend("format" = "regex"))]
    pattern: Option<String>,
    /// Whether upper and lower case are the same in `pattern` and `ignore`. Default: false.
    #[serde(default)]
    case_insensitive: bool,
    /// A regular expression; lines that match it do not count. Default: none.
    #[serde(default)]
    #[schemars(extend("format" = "regex"))]
    ignore: Option<String>,
    /// Patterns to count apart, by names of your own: `counts` tells how many of the lines that count match each. Default: none.
    #[serde(default)]
    patterns: BTreeMap<String, String>,
    /// An expression over the groups of `pattern` that must hold for a line to count, such as `took > 3s`. Default: none.
    #[serde(default, rename = "where")]
    filter: Option<String>,
    /// The name of a group of `pattern`, or its number, by whose text the lines are counted in `groups`. Default: none.
    #[serde(default)]
    group_by: Option<String>,
    /// Whether to read what was rotated away as well: `NAME.1`, `NAME-20260215`, `NAME.2.gz` and the like beside each log, the oldest first. Default: false.
    #[serde(default)]
    rotated: bool,
    /// Look only at the last so many lines of each file. Default: all.
    #[serde(default)]
    tail: Option<u64>,
    /// Count only lines from this time on: a time, or a duration such as `15m` for that long ago. Default: all.
    #[serde(default)]
    since: Option<Moment>,
    /// Count only lines up to this time: a time, or a duration for that long ago. Default: all.
    #[serde(default)]
    until: Option<Moment>,
    /// Where to begin in bytes: a number for every file, or a map from path to number as in the result's `offsets`. A file that is
    /// shorter was rotated and is read from its start. Default: 0.
    #[serde(default)]
    from_offset: FromOffset,
    /// The zone of times that name none: `UTC`, `local`, or a name such as `Europe/Paris`. Default: `UTC`.
    #[serde(default = "utc")]
    timezone: String,
    /// The number of lines before and after each match to give with it, at most 50. Default: 0.
    #[serde(default)]
    #[schemars(range(max = 50))]
    context: u32,
    /// The most lines to give; the last ones are given, all are counted. At most 10000. Default: 100.
    #[serde(default = "hundred")]
    #[schemars(range(max = 10_000))]
    max_lines: u32,
    /// Whether it is fine if none of the logs exists. Default: false.
    #[serde(default)]
    missing_ok: bool,
}

fn hundred() -> u32 {
    100
}

/// Where to begin.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum FromOffset {
    All(u64),
    Each(BTreeMap<String, u64>),
}

impl Default for FromOffset {
    fn default() -> Self {
        FromOffset::All(0)
    }
}

impl JsonSchema for FromOffset {
    fn schema_name() -> Cow<'static, str> {
        "FromOffset".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "object", "additionalProperties": { "type": "integer", "minimum": 0 } },
            ]
        })
    }
}

/// What the logs say.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The files that were read.
    files: Vec<FileOut>,
    /// The paths and wildcards that stand for nothing.
    missing: Vec<String>,
    /// The number of lines that count.
    count: u64,
    /// The last `max_lines` of them, at most 4096 bytes of each.
    lines: Vec<String>,
    /// The same lines with all that is known of them; empty without a pattern.
    matches: Vec<Match>,
    /// Whether more lines count than are given.
    truncated: bool,
    /// The earliest time of a line that counts; null if none has one.
    first_time: Option<Time>,
    /// The latest time of a line that counts; null if none has one.
    last_time: Option<Time>,
    /// Where the next look can begin in each file, in bytes: give it as `from_offset`.
    offsets: BTreeMap<String, u64>,
    /// How many of the lines that count match each of `patterns`.
    counts: BTreeMap<String, u64>,
    /// How many of the lines that count have each text in the group of `group_by`, the most frequent first; at most 1000.
    groups: Vec<GroupOut>,
    /// The number of lines of which `where` could not be told.
    undecided: u64,
    /// The pattern that was looked for; null if there was none.
    pattern: Option<String>,
    /// Why nothing was read, such as `no such file: logs/api.log`; null if something was.
    error: Option<String>,
}

/// Lines with the same text in a group.
#[derive(Debug, Serialize, JsonSchema)]
struct GroupOut {
    /// The text.
    value: String,
    /// The number of lines.
    count: u64,
}

impl Probe for Log {
    const NAME: &'static str = "log";
    const MAIN: Option<&'static str> = Some("path");
    const VERDICT: &'static str = "pattern is none or count > 0";
    const SAYS: &'static str = "{{ count }} line{{ '' if count == 1 else 's' }}";
    const COLUMNS: &'static [&'static str] = &["count"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "No errors in the last hour",
            yaml: "log:\n  path: logs/api.log\n  pattern: '\\b(ERROR|CRITICAL)\\b'\n  since: 1h\nexpect: count == 0\n",
            runs: false,
        },
        Example {
            title: "Whichever of the candidates exists",
            yaml: "log:\n  path: [logs/gateway.out.log, logs/gateway.err.log, logs/gateway.log]\n  pattern: Uvicorn running on (?P<url>\\S+)\n  tail: 200\n",
            runs: false,
        },
        Example {
            title: "Requests that took longer than 3 s, by path, in the log of today and those before",
            yaml: "log:\n  path: logs/app.log\n  rotated: true\n  pattern: 'path=(?P<path>\\S+) .*duration=(?P<took>\\S+)'\n  where: took > 3s\n  group_by: path\nexpect: count == 0\n",
            runs: false,
        },
        Example {
            title: "The last lines of all logs",
            yaml: "log: { path: 'logs/**/*.log', tail: 50, missing_ok: true }\n",
            runs: true,
        },
        Example {
            title: "What was written since a step named `before` looked",
            yaml: "log:\n  path: logs/api.log\n  from_offset: \"{{ steps.before.offsets }}\"\n  pattern: error\n  case_insensitive: true\n  context: 2\nexpect: count == 0\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let files: Vec<String> = args.list("path").iter().map(|p| by_hand::glob_word(p)).collect();
        let files = files.join(" ");
        let case = if args.flag("case_insensitive", false) { "-i " } else { "" };
        let pattern = args.text("pattern");
        let mut line = match (&pattern, args.text("tail")) {
            (Some(pattern), None) => format!("grep -n {case}{} {files}", by_hand::grep(pattern)),
            (Some(pattern), Some(lines)) => {
                format!("tail -n {} {files} | grep {case}{}", hand_word(&lines), by_hand::grep(pattern))
            }
            (None, lines) => format!("tail -n {} {files}", hand_word(&lines.unwrap_or_else(|| "100".to_owned()))),
        };
        if let Some(ignore) = args.text("ignore") {
            line.push_str(&format!(" | grep -v {case}{}", by_hand::grep(&ignore)));
        }
        let mut hand = ByHand::run(line);
        let zone = args.or("timezone", "UTC");
        // A time, or for how long.
        let when = |name: &str| args.text(name).map(|m| if parse_duration(&m).is_some() { format!("{m} ago") } else { m });
        match (when("since"), when("until")) {
            (Some(since), Some(until)) => {
                hand = hand.note(format!("Only lines from {since} to {until} count (their times are {zone})."))
            }
            (Some(since), None) => hand = hand.note(format!("Only lines since {since} count (their times are {zone}).")),
            (None, Some(until)) => hand = hand.note(format!("Only lines until {until} count (their times are {zone}).")),
            (None, None) => {}
        }
        if args.get("from_offset").is_some_and(|o| o.to_string() != "0") {
            hand = hand.note("Only what was written since that earlier step counts: look at the times of the lines.");
        }
        if let Some(filter) = args.text("where") {
            hand = hand.note(format!(
                "Of these only lines count for which `{}` holds: compare the numbers, with their units.",
                filter.replace('\n', " ")
            ));
        }
        if args.flag("rotated", false) {
            hand = hand.note("Look into what was rotated away as well: `zgrep` reads compressed logs.");
        }
        let missing = if args.flag("missing_ok", false) { ", or there is no such file" } else { "" };
        hand.expect(if pattern.is_some() { format!("at least one line{missing}") } else { format!("the file is there{missing}") })
    }

    fn touches(args: &Args) -> Touches {
        Touches::reads(args.path.0.iter().map(|p| Resource::file(plain(p))))
    }

    fn check(args: &Args) -> Result<(), Fault> {
        zone(&args.timezone)?;
        wanted(args, Timestamp::UNIX_EPOCH)?;
        args.path.0.iter().try_for_each(|path| crate::support::globs::check("path", path))
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let now = cx.now();
        let wanted = wanted(args, now)?;
        let stamps = Stamps::new(zone(&args.timezone)?, now).map_err(|e| Fault::cannot_tell(e.to_string()))?;
        let places = args.path.0.iter().map(|p| Ok((p.clone(), resolve(cx, "path", p)?))).collect::<Result<Vec<_>, Fault>>()?;
        let from = match &args.from_offset {
            FromOffset::All(n) => FromOffset::All(*n),
            FromOffset::Each(map) => {
                FromOffset::Each(map.iter().map(|(p, n)| (cx.resolve(tidy(p)).display().to_string(), *n)).collect())
            }
        };
        let (pattern, how) = (args.pattern.clone(), (args.missing_ok, args.rotated));
        blocking(cx.timeout, move |stop| look(&places, &from, Found::new(wanted, stamps), pattern, how, stop)).await
    }
}

fn regex(argument: &str, text: Option<&str>, case_insensitive: bool) -> Result<Option<Regex>, Fault> {
    let build = |t| RegexBuilder::new(t).case_insensitive(case_insensitive).build();
    text.map(build).transpose().map_err(|e| Fault::invalid(argument, e.to_string()))
}

/// What counts.
fn wanted(args: &Args, now: Timestamp) -> Result<Wanted, Fault> {
    let pattern = regex("pattern", args.pattern.as_deref(), args.case_insensitive)?;
    let names: Vec<String> = pattern
        .iter()
        .flat_map(|p| p.capture_names().enumerate())
        .skip(1)
        .map(|(i, n)| n.map_or_else(|| i.to_string(), str::to_owned))
        .collect();
    if let Some(group) = args.group_by.as_ref().filter(|g| !names.contains(*g)) {
        return Err(Fault::invalid(
            "group_by",
            format!(
                "`pattern` has no group {group:?}; it has {}",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            ),
        ));
    }
    let filter = args.filter.as_deref().map(Expr::parse_standalone).transpose();
    let filter = filter.map_err(|e| Fault::invalid("where", format!("it is no condition: {}", e.message)))?;
    if let Some(filter) = &filter {
        let mut unknown = None;
        filter.walk(&mut |node| {
            if let ExprKind::Var(name) = &node.kind
                && !names.contains(name)
            {
                unknown.get_or_insert_with(|| name.clone());
            }
        });
        if let Some(name) = unknown {
            return Err(Fault::invalid(
                "where",
                format!("`pattern` has no group `{name}`; a group is written `(?P<{name}>...)`"),
            ));
        }
    }
    let patterns = args.patterns.iter().map(|(name, text)| {
        let built = RegexBuilder::new(text).case_insensitive(args.case_insensitive).size_limit(MAX_PATTERN).build();
        Ok((name.clone(), built.map_err(|e| Fault::invalid("patterns", e.to_string()))?))
    });
    Ok(Wanted {
        pattern,
        ignore: regex("ignore", args.ignore.as_deref(), args.case_insensitive)?,
        patterns: patterns.collect::<Result<_, Fault>>()?,
        filter,
        group_by: args.group_by.clone(),
        now,
        since: args.since.map(|m| m.resolve(now)),
        until: args.until.map(|m| m.resolve(now)),
        tail: args.tail,
        context: args.context.min(50) as usize,
        keep: args.max_lines.min(10_000) as usize,
    })
}

/// A log with what was rotated away beside it, the oldest first.
fn with_rotated(path: PathBuf) -> Result<Vec<PathBuf>, Fault> {
    let (folder, name) = (parent(&path), path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    let mut found: Vec<(Timestamp, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| fault(folder, &e))? {
        let entry = entry.map_err(|e| fault(folder, &e))?;
        let other = entry.file_name().to_string_lossy().into_owned();
        let rest = other.strip_prefix(&name).map(|r| r.strip_suffix(".gz").or_else(|| r.strip_suffix(".zst")).unwrap_or(r));
        let is_rotated = rest.is_some_and(|r| {
            let stamp = r.strip_prefix(['.', '-']).unwrap_or_default();
            stamp.starts_with(|c: char| c.is_ascii_digit()) && stamp.bytes().all(|b| b.is_ascii_digit() || b"TZ-_.:".contains(&b))
        });
        if is_rotated
            && let Ok(meta) = entry.metadata()
            && meta.is_file()
        {
            found.push((crate::support::fileset::modified(&meta), entry.path()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, p)| p).chain([path]).collect())
}

fn look(
    places: &[(String, PathBuf)],
    from: &FromOffset,
    mut found: Found,
    pattern: Option<String>,
    (missing_ok, rotated): (bool, bool),
    stop: &Stop,
) -> Result<Out, Fault> {
    let mut out = Out { pattern, ..Out::default() };
    let mut files = candidates(places, &mut out.missing)?;
    if rotated {
        let all = files.into_iter().map(with_rotated).collect::<Result<Vec<_>, _>>()?;
        let mut seen = std::collections::BTreeSet::new();
        files = all.into_iter().flatten().filter(|p| seen.insert(p.clone())).collect();
    }
    for path in files {
        let start = match from {
            FromOffset::All(n) => *n,
            FromOffset::Each(map) => map.get(&path.display().to_string()).copied().unwrap_or(0),
        };
        found.read(&path, start, stop)?;
    }
    if found.files.is_empty() {
        let message = format!("no such file: {}", out.missing.join(", "));
        out.error = Some(message.clone());
        return if missing_ok { Ok(out) } else { Err(Fault::unmet_with(message, out)) };
    }
    out.offsets = found.files.iter().map(|f| (f.path.clone(), f.end_offset)).collect();
    out.counts = found.names_of_patterns().zip(found.counts.iter().copied()).collect();
    out.files = found.files;
    if found.undecided > 0
        && found.count == 0
        && let Some(why) = found.unclear
    {
        return Err(Fault::cannot_tell(format!(
            "`where` cannot be told of any of the {} lines with the pattern: {why}",
            found.undecided
        )));
    }
    out.undecided = found.undecided;
    let mut groups: Vec<GroupOut> = found.groups.into_iter().map(|(value, count)| GroupOut { value, count }).collect();
    groups.sort_by_key(|g| std::cmp::Reverse(g.count));
    groups.truncate(1000);
    out.groups = groups;
    out.count = found.count;
    out.truncated = found.count > found.kept.len() as u64;
    (out.first_time, out.last_time) = (found.first.map(Time), found.last.map(Time));
    out.lines = found.kept.iter().map(|m| m.text.clone()).collect();
    if out.pattern.is_some() {
        out.matches = found.kept.into();
    }
    Ok(out)
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
