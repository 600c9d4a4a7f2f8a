//! What a dry run says of each step, gathered from its events.

use std::collections::HashMap;

use runbook_core::event::{Event, Outcome};
use runbook_core::module::{Effect, Forecast};
use runbook_core::path::StepPath;
use runbook_core::rehearsal::{DryRow, DryVerdict};

/// Bodies that tell nothing of what would be done.
const SILENT: &[&str] = &["set", "note"];

/// The rows so far.
#[derive(Default)]
pub(super) struct Rows {
    begun: HashMap<StepPath, Begun>,
    forecasts: HashMap<StepPath, Forecast>,
    asked: HashMap<StepPath, String>,
    told: Vec<DryRow>,
    /// How many conditions that are not known the walk stands in.
    perhaps: u32,
}

struct Begun {
    name: String,
    parent: StepPath,
    effect: Effect,
}

impl Rows {
    /// What a step is called.
    pub(super) fn name(&self, path: &StepPath) -> String {
        self.begun.get(path).map_or_else(|| path.to_string(), |b| b.name.clone())
    }

    pub(super) fn planned(&mut self, path: &StepPath, forecast: &Forecast) {
        self.forecasts.insert(path.clone(), forecast.clone());
    }

    pub(super) fn asked(&mut self, path: &StepPath, text: &str) {
        self.asked.insert(path.clone(), text.to_owned());
    }

    pub(super) fn perhaps(&mut self, begins: bool) {
        self.perhaps = if begins { self.perhaps + 1 } else { self.perhaps.saturating_sub(1) };
    }

    pub(super) fn told(&self) -> Vec<DryRow> {
        self.told.clone()
    }

    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::StepStarted { path, parent, name, effect, item, .. } => {
                let name = item.as_ref().map_or_else(|| name.clone(), |item| format!("{name} ({item})"));
                self.begun.insert(path.clone(), Begun { name, parent: parent.clone(), effect: *effect });
            }
            Event::StepFinished { path, parent, name, body, item, group, outcome, message, .. } => {
                if SILENT.contains(&body.as_str()) && outcome.is_good() {
                    return;
                }
                let asked = self.asked.remove(path);
                let forecast = self.forecasts.remove(path);
                // A group is told by what is in it, unless nothing of it was reached.
                if *group && asked.is_none() && outcome.is_good() && *outcome != Outcome::Skipped {
                    return;
                }
                if *group && *outcome == Outcome::Failed {
                    return;
                }
                let (begun_name, effect) = match self.begun.get(path) {
                    Some(begun) => (begun.name.clone(), begun.effect),
                    None => (item.as_ref().map_or_else(|| name.clone(), |item| format!("{name} ({item})")), Effect::Read),
                };
                let mut row = DryRow {
                    path: path.clone(),
                    name: self.with_groups(parent, &begun_name),
                    effect,
                    verdict: DryVerdict::Read,
                    possible: self.perhaps > 0,
                    what: String::new(),
                    because: message.clone(),
                    argv: Vec::new(),
                    from_to: Vec::new(),
                    diff: None,
                };
                let is_requirement = path.as_str().contains("requires[");
                row.verdict = match (&forecast, outcome) {
                    _ if body == "fail" && self.perhaps > 0 => DryVerdict::Unknown,
                    _ if body == "fail" && *outcome == Outcome::Failed => DryVerdict::Blocked,
                    _ if asked.is_some() => DryVerdict::WouldAsk,
                    (Some(f), _) if f.would_change => DryVerdict::WouldRun,
                    (Some(_), _) => DryVerdict::WouldSkip,
                    (None, Outcome::Skipped) => DryVerdict::WouldSkip,
                    (None, Outcome::Unknown) => DryVerdict::Unknown,
                    (None, Outcome::Failed) if is_requirement || effect > Effect::Read => DryVerdict::Blocked,
                    _ => DryVerdict::Read,
                };
                if let Some(forecast) = forecast {
                    (row.what, row.because) = (forecast.summary, forecast.because);
                    (row.argv, row.from_to, row.diff) = (forecast.argv, forecast.from_to, forecast.diff);
                }
                if let Some(asked) = asked {
                    row.because = if row.what.is_empty() { asked } else { format!("{asked} If yes: {}", row.because) };
                }
                if body == "fail" && self.perhaps > 0 {
                    row.because = format!("the run may end here: {message}");
                }
                if row.verdict == DryVerdict::Read && *outcome == Outcome::Failed {
                    row.what = "does not hold".to_owned();
                }
                self.told.push(row);
            }
            _ => {}
        }
    }

    /// The name of a step with the groups that it stands in.
    fn with_groups(&self, parent: &StepPath, name: &str) -> String {
        let mut names = vec![name.to_owned()];
        let mut at = parent.clone();
        while let Some(begun) = self.begun.get(&at) {
            // The pass of a loop has the loop's name in its own.
            if !names.last().is_some_and(|last| last.starts_with(&begun.name)) {
                names.push(begun.name.clone());
            }
            at = begun.parent.clone();
        }
        names.reverse();
        names.join(" › ")
    }
}
