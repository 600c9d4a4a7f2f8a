//! What comes out: one table for people, all samples for programs.

use std::fmt;

use serde_json::{Value as Json, json};

use crate::timing::Samples;

/// What a figure must hold to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// At most this, in the row's unit.
    AtMost(f64),
    /// At most this many times the limit measured beside it.
    Times(f64),
    /// At most a fixed figure and so much more, which is told as a sum.
    Sum(f64, f64),
}

/// One figure.
pub(crate) struct Row {
    what: String,
    unit: &'static str,
    samples: Samples,
    target: Option<Target>,
    limit: Option<(String, Samples)>,
}

impl Row {
    /// A figure without a target and without a limit.
    pub(crate) fn new(what: impl Into<String>, unit: &'static str, samples: Samples) -> Row {
        Row { what: what.into(), unit, samples, target: None, limit: None }
    }

    /// What it must hold to.
    pub(crate) fn target(mut self, target: Target) -> Row {
        self.target = Some(target);
        self
    }

    /// What nothing could be faster than, measured in turn with it.
    pub(crate) fn limit(mut self, what: impl Into<String>, samples: &Samples) -> Row {
        self.limit = Some((what.into(), samples.clone()));
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.limit.as_ref().map(|(_, limit)| self.samples.ratio(limit))
    }

    fn bound(&self) -> Option<f64> {
        match self.target? {
            Target::AtMost(most) => Some(most),
            Target::Times(_) => None,
            Target::Sum(base, more) => Some(base + more),
        }
    }

    /// Whether a target is missed.
    fn is_over(&self) -> bool {
        match self.target {
            Some(Target::Times(times)) => self.ratio().is_none_or(|r| r > times),
            Some(_) => self.bound().is_none_or(|b| self.samples.median() > b),
            None => false,
        }
    }

    fn cells(&self) -> [String; 7] {
        let figure = |v: f64| number(v, self.unit);
        let target = match self.target {
            None => "–".to_owned(),
            Some(Target::AtMost(most)) => format!("≤ {}", figure(most)),
            Some(Target::Times(times)) => format!("≤ {} × limit", (times * 100.0).round() / 100.0),
            Some(Target::Sum(base, more)) => format!("≤ {base:.0} + {}", figure(more)),
        };
        let (limit, ratio) = match &self.limit {
            Some((what, samples)) => {
                (format!("{} {what}", figure(samples.median())), self.ratio().map(|r| format!("{r:.2}")).unwrap_or_default())
            }
            None => ("–".to_owned(), "–".to_owned()),
        };
        let verdict = match self.target {
            None => "",
            Some(_) if self.is_over() => "over",
            Some(_) => "ok",
        };
        let (median, best) = (figure(self.samples.median()), figure(self.samples.best()));
        [self.what.clone(), target, median, best, limit, ratio, verdict.to_owned()]
    }
}

/// All figures, in the order in which they were measured.
pub(crate) struct Table {
    machine: Json,
    rows: Vec<(&'static str, Row)>,
    notes: Vec<String>,
}

impl Table {
    pub(crate) fn begin() -> Table {
        let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
        Table {
            machine: json!({ "processors": cpus, "kernel": kernel, "load_at_start": load() }),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, group: &'static str, row: Row) {
        self.rows.push((group, row));
    }

    /// Something to be known about the figures.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Whether any target is missed.
    pub(crate) fn missed(&self) -> bool {
        self.rows.iter().any(|(_, row)| row.is_over())
    }

    /// Everything with every sample.
    pub(crate) fn json(&self) -> String {
        let rows: Vec<Json> = self
            .rows
            .iter()
            .map(|(group, row)| {
                json!({
                    "group": group, "what": row.what, "unit": row.unit, "median": row.samples.median(), "best": row.samples.best(),
                    "samples": row.samples.0, "target": row.target.map(|_| row.cells()[1].clone()), "ratio": row.ratio(),
                    "limit": row.limit.as_ref().map(|(what, s)| json!({ "what": what, "median": s.median(), "samples": s.0 })),
                    "over": row.is_over(),
                })
            })
            .collect();
        let all = json!({ "machine": self.machine, "load_at_end": load(), "rows": rows, "notes": self.notes });
        format!("{all:#}\n")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cpus, kernel) = (&self.machine["processors"], self.machine["kernel"].as_str().unwrap_or_default());
        let (before, after) = (self.machine["load_at_start"].as_f64().unwrap_or_default(), load());
        writeln!(f, "{cpus} processors, Linux {kernel}, load {before:.1} at the start and {after:.1} at the end\n")?;
        let head = ["what", "target", "median", "best", "limit beside it", "ratio", ""].map(str::to_owned);
        let cells: Vec<[String; 7]> = std::iter::once(head).chain(self.rows.iter().map(|(_, row)| row.cells())).collect();
        let width = |i: usize| cells.iter().map(|c| c[i].chars().count()).max().unwrap_or_default();
        let widths: [usize; 7] = std::array::from_fn(width);
        for (i, row) in cells.iter().enumerate() {
            let line: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(f, "| {} |", line.join(" | "))?;
            if i == 0 {
                writeln!(f, "|{}|", widths.map(|w| "-".repeat(w + 2)).join("|"))?;
            }
        }
        for note in &self.notes {
            writeln!(f, "\n{note}")?;
        }
        Ok(())
    }
}

/// How many processes wanted a processor in the last minute.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default()
}

fn number(value: f64, unit: &str) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0} {unit}"),
        v if v >= 10.0 => format!("{v:.1} {unit}"),
        v => format!("{v:.2} {unit}"),
    }
}
