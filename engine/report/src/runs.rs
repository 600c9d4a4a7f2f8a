//! Views of recorded runs: the list, one run as it looked live, and its events.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use runbook_core::event::{Event, GradeWord, Outcome, Record};
use runbook_core::path::StepPath;
use serde::Serialize;

use crate::human;
use crate::ink::{Ink, Line};
use crate::policy::TermPolicy;
use crate::reporter::Level;
use crate::table::Table;
use crate::terminal::{Glyphs, View, outcome_word, step_label};

/// The fewest characters of an id that are shown.
const SHORT: usize = 4;

/// A run in a few words.
#[derive(Clone, Debug, Serialize)]
pub struct RunSummary {
    /// The id.
    pub run: String,
    /// The playbook's full name.
    pub playbook: String,
    /// Its title.
    pub title: String,
    /// Its system.
    pub system: String,
    /// Who ran it.
    pub operator: String,
    /// On which machine.
    pub host: String,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// When it began.
    pub started: Timestamp,
    /// What became of it, in a word: `running`, `killed` or `interrupted` if its end is not recorded.
    pub outcome: String,
    /// The exit code, if it ended.
    pub exit_code: Option<u8>,
    /// How long it took, or until the last record, in milliseconds.
    pub duration_ms: f64,
    /// The worst of a checklist.
    pub verdict: Option<GradeWord>,
    /// The first step that failed.
    pub failed_step: Option<String>,
}

/// A run's id as shown beside its playbook.
pub fn short_id(run: &str) -> String {
    if run.chars().count() <= 12 {
        return run.to_owned();
    }
    // `20260215-142345-9fccf7`: the last part tells runs of a day apart.
    match run.rsplit_once('-') {
        Some((_, last)) if last.len() >= SHORT => last.to_owned(),
        _ => run.chars().take(8).collect(),
    }
}

/// A run in a few words, or `None` if the records do not begin with its start.
///
/// `running` says whether something still owns the run; without an end it was interrupted otherwise.
pub fn summarize(records: &[Record], running: bool) -> Option<RunSummary> {
    let first = records.first()?;
    let Event::RunStarted { run, playbook, title, system, operator, host, dry_run, .. } = &first.event else {
        return None;
    };
    let mut summary = RunSummary {
        run: run.clone(),
        playbook: playbook.clone(),
        title: title.clone(),
        system: system.clone(),
        operator: operator.clone(),
        host: host.clone(),
        dry_run: *dry_run,
        started: first.at,
        outcome: if running { "running" } else { "interrupted" }.to_owned(),
        exit_code: None,
        duration_ms: records.last().map_or(0.0, |l| l.at.duration_since(first.at).as_secs_f64() * 1_000.0),
        verdict: None,
        failed_step: None,
    };
    for record in records {
        match &record.event {
            Event::StepFinished { outcome: Outcome::Failed, group: false, tolerated: false, id, name, item, .. } => {
                let label = id.clone().unwrap_or_else(|| step_label(name, item.as_deref()));
                summary.failed_step.get_or_insert(label);
            }
            Event::Verdict { playbook, verdict, .. } if *playbook == summary.playbook => summary.verdict = Some(*verdict),
            Event::Killed { .. } => summary.outcome = "killed".to_owned(),
            Event::RunFinished { outcome, exit_code, duration_ms, outputs, .. } => {
                // A list of runs is made of first and last records alone; a checklist's verdict is among its outputs.
                if let (None, Some(word)) = (summary.verdict, outputs.field("verdict").as_str()) {
                    summary.verdict = GradeWord::find(word);
                }
                summary.outcome = outcome_word(*outcome).to_owned();
                summary.exit_code = Some(*exit_code);
                summary.duration_ms = *duration_ms;
            }
            _ => {}
        }
    }
    Some(summary)
}

/// The runs as a table, in the given order, times in a zone. Ids are as short as they can be and still mean one run.
pub fn table(runs: &[RunSummary], policy: &TermPolicy, zone: &TimeZone) -> String {
    if runs.is_empty() {
        return "no runs are recorded yet\n".to_owned();
    }
    let glyphs = Glyphs::of(policy.unicode);
    let prefixes = unique_prefixes(runs);
    let cells: Vec<Cells> = runs
        .iter()
        .map(|run| {
            let (glyph, ink, mut word) = outcome_cell(&glyphs, run);
            if run.dry_run {
                word.push_str(", dry");
            }
            let started = run.started.to_zoned(zone.clone());
            Cells {
                id: prefixes.get(run.run.as_str()).copied().unwrap_or(&run.run).to_owned(),
                playbook: run.playbook.clone(),
                outcome: (ink, format!("{glyph} {word}")),
                started: [started.strftime("%Y-%m-%d %H:%M").to_string(), started.strftime("%m-%d %H:%M").to_string()],
                took: human::duration(run.duration_ms),
                operator: run.operator.clone(),
                failed: run.failed_step.clone().unwrap_or_default(),
            }
        })
        .collect();
    // The fullest form that fits; the year and the failed step go first.
    let lines = [(0, true), (0, false), (1, true), (1, false)].into_iter().find_map(|(date, failed)| {
        let mut heads = vec!["id", "playbook", "outcome", "started", "took", "operator"];
        if failed {
            heads.push("failed at");
        }
        let mut table = Table::new(&heads).right(4);
        if (date, failed) == (1, false) && policy.width >= 60 {
            table = table.flex(1);
        }
        for c in &cells {
            let mut row = vec![
                (Ink::Bold, c.id.clone()),
                (Ink::Plain, c.playbook.clone()),
                c.outcome.clone(),
                (Ink::Dim, c.started[date].clone()),
                (Ink::Dim, c.took.clone()),
                (Ink::Dim, c.operator.clone()),
            ];
            if failed {
                row.push((Ink::Plain, c.failed.clone()));
            }
            table.row(row);
        }
        table.lines(policy.width, glyphs.ellipsis)
    });
    let stacked = || {
        cells.iter().flat_map(|c| {
            let (ink, outcome) = &c.outcome;
            let first = Line::of(Ink::Bold, &c.id).with(Ink::Plain, "  ").with(Ink::Plain, &c.playbook);
            let second = Line::indent(2).with(*ink, outcome).with(Ink::Dim, &format!("  {}  {}", c.started[1], c.took));
            [first, second].map(|l| l.fit(policy.width, glyphs.ellipsis))
        })
    };
    text(lines.unwrap_or_else(|| stacked().collect()), policy)
}

/// What is shown of a run.
struct Cells {
    id: String,
    playbook: String,
    outcome: (Ink, String),
    /// With the year and without.
    started: [String; 2],
    took: String,
    operator: String,
    failed: String,
}

fn outcome_cell(glyphs: &Glyphs, run: &RunSummary) -> (&'static str, Ink, String) {
    let good = matches!(run.outcome.as_str(), "succeeded" | "stopped");
    if let Some(verdict) = run.verdict.filter(|_| good) {
        let (glyph, ink) = glyphs.grade(verdict);
        return (glyph, ink, verdict.word().to_owned());
    }
    let (glyph, ink) = match run.outcome.as_str() {
        "succeeded" | "stopped" => glyphs.outcome(Outcome::Ok),
        "failed" | "blocked" => glyphs.outcome(Outcome::Failed),
        "running" => (glyphs.waiting, Ink::Accent),
        _ => ("!", Ink::Warn),
    };
    (glyph, ink, run.outcome.clone())
}

/// The shortest beginning of each id that no other id has.
fn unique_prefixes(runs: &[RunSummary]) -> HashMap<&str, &str> {
    let mut ids: Vec<&str> = runs.iter().map(|r| r.run.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let common = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let mut out = HashMap::new();
    for (i, id) in ids.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| ids.get(i)).map_or(0, |o| common(id, o));
        let after = ids.get(i + 1).map_or(0, |o| common(id, o));
        let length = SHORT.max(before.max(after) + 1);
        let end = id.char_indices().nth(length).map_or(id.len(), |(at, _)| at);
        out.insert(*id, &id[..end]);
    }
    out
}

/// The runs as a JSON array, with a line break at its end.
pub fn json(runs: &[RunSummary]) -> String {
    format!("{}\n", serde_json::to_string_pretty(runs).unwrap_or_else(|_| "[]".to_owned()))
}

/// A run as it looked live, all of it.
pub fn show(records: &[Record], policy: &TermPolicy, level: Level) -> String {
    let mut view = View::new(*policy, level);
    let mut lines: Vec<String> = records.iter().flat_map(|r| view.record(r)).collect();
    lines.extend(view.finish());
    lines.into_iter().map(|l| l + "\n").collect()
}

/// What is recorded of one step, by its id, name or path and with all steps within; `None` if there is no such step.
pub fn show_step(records: &[Record], step: &str, policy: &TermPolicy) -> Option<String> {
    let wanted: Vec<&StepPath> = records
        .iter()
        .filter_map(|r| match &r.event {
            Event::StepStarted { path, id, name, item, .. } | Event::StepFinished { path, id, name, item, .. } => {
                let named = path.as_str() == step || id.as_deref() == Some(step) || name == step || item.as_deref() == Some(step);
                named.then_some(path)
            }
            _ => None,
        })
        .collect();
    if wanted.is_empty() {
        return None;
    }
    let mut view = View::new(*policy, Level::Verbose(2));
    let mut out = String::new();
    for record in records {
        let lines = view.record(record);
        if event_path(&record.event).is_some_and(|p| wanted.iter().any(|w| p.is_within(w))) {
            lines.iter().for_each(|l| {
                out.push_str(l);
                out.push('\n');
            });
        }
    }
    Some(out)
}

fn event_path(event: &Event) -> Option<&StepPath> {
    match event {
        Event::StepStarted { path, .. }
        | Event::StepWaiting { path, .. }
        | Event::StepProgress { path, .. }
        | Event::AttemptFailed { path, .. }
        | Event::Intent { path, .. }
        | Event::Returned { path, .. }
        | Event::Asked { path, .. }
        | Event::Replied { path, .. }
        | Event::Slept { path, .. }
        | Event::StepFinished { path, .. }
        | Event::Note { path, .. }
        | Event::Row { path, .. }
        | Event::NodeAnswered { path, .. }
        | Event::WentBack { path, .. }
        | Event::Remedied { path, .. }
        | Event::Rehearsed { path, .. }
        | Event::Finding { path, .. } => Some(path),
        _ => None,
    }
}

/// The records as JSON, one a line.
pub fn events(records: &[Record]) -> String {
    records.iter().map(|r| String::from_utf8_lossy(&crate::jsonl::line(r)).into_owned()).collect()
}

/// Lines as one text.
pub(crate) fn text(lines: impl IntoIterator<Item = Line>, policy: &TermPolicy) -> String {
    lines.into_iter().map(|l| l.render(policy.color) + "\n").collect()
}
