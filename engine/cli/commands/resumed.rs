//! What is left of a run: the session that is gone on with, and what people answered as an answers file.

use runbook_core::event::{AnswerOrigin, Event, Input, Record};
use runbook_core::exit::Exit;
use runbook_core::report::{ReplyWord, Report};
use runbook_core::value::{Value, from_json};
use runbook_report::document::document;
use runbook_runtime::journal::{find_run, list_runs, read_journal};
use serde_json::Value as Json;

use super::{complain, say};
use crate::args::RunOptions;
use crate::context::Context;

/// A triage session that was left.
pub(crate) struct Resumed {
    pub(crate) run: String,
    /// The tree's full name.
    pub(crate) tree: String,
    /// The digest of the plan then.
    pub(crate) digest: String,
    /// What people answered, in order: the question's id, the answer, the remark.
    pub(crate) answers: Vec<(String, Value, Option<String>)>,
    params: Vec<(String, String)>,
    profile: Option<String>,
}

/// The records of a run, with whether they were sealed, and its id.
struct Left {
    run: String,
    records: Vec<Record>,
}

fn read(context: &Context, name: &str, only_trees: bool) -> Result<Left, Exit> {
    let refuse = |message: String, help: &str| {
        complain(context, &message, Some(help));
        Err(Exit::Usage)
    };
    let state = match context.state() {
        Ok(state) => state,
        Err(message) => return refuse(message, "name a folder with --state DIR"),
    };
    let runs = state.join("runs");
    // The latest of those that can be gone on with, and not the latest of all.
    let latest = || {
        let all = list_runs(&runs).unwrap_or_default();
        all.into_iter()
            .find(|r| !only_trees || matches!(r.first.as_ref().map(|f| &f.event), Some(Event::RunStarted { triage: true, .. })))
    };
    let found = match name {
        "latest" => latest().ok_or_else(|| "there is no session yet".to_owned()),
        _ => find_run(&runs, name),
    };
    let summary = match found {
        Ok(summary) => summary,
        Err(message) => return refuse(message, "`runbook runs` lists them"),
    };
    if only_trees && summary.is_running() {
        return refuse(format!("the session {} is still running", summary.run), "answer it where it runs, or end it there first");
    }
    match read_journal(&summary.path) {
        Ok(journal) => Ok(Left { run: summary.run, records: journal.records }),
        Err(error) => {
            let message = format!("the journal {} does not hold: {error}", summary.path.display());
            complain(context, &message, Some("somebody changed it; what it says cannot be trusted"));
            Err(Exit::Internal)
        }
    }
}

impl Resumed {
    /// Reads the session of a run.
    pub(crate) fn read(context: &Context, name: &str) -> Result<Resumed, Exit> {
        let Left { run, records } = read(context, name, true)?;
        let Some(Event::RunStarted { playbook, digest, inputs, profile, triage, .. }) = records.first().map(|r| &r.event) else {
            complain(context, &format!("the run {run} has no beginning"), Some("begin anew with `runbook triage NAME`"));
            return Err(Exit::Usage);
        };
        if !triage {
            let message = format!("the run {run} is not a session of a triage tree, but of `{playbook}`");
            complain(context, &message, Some(&format!("run it again with `runbook play {playbook}`")));
            return Err(Exit::Usage);
        }
        let answers = document(&records, false).map(|report| answered(&report, &records)).unwrap_or_default();
        Ok(Resumed {
            tree: playbook.clone(),
            digest: digest.clone(),
            answers,
            params: inputs.iter().filter_map(param).collect(),
            profile: profile.clone(),
            run,
        })
    }

    /// The options of this run, filled up with those of the session.
    pub(crate) fn options(&self, given: RunOptions) -> RunOptions {
        let mut param = given.param.clone();
        param.extend(self.params.iter().filter(|(name, _)| !given.param.iter().any(|(n, _)| n == name)).cloned());
        let profile = given.profile.clone().or_else(|| self.profile.clone());
        RunOptions { param, profile, ..given }
    }
}

/// An input as it is given again; secrets are not kept, so that they have to be.
fn param(input: &Input) -> Option<(String, String)> {
    if input.origin == "default" || !input.value.all_secret_names().is_empty() {
        return None;
    }
    let text = match input.value.bare() {
        Value::Null => return None,
        Value::List(_) | Value::Map(_) => input.value.to_json().to_string(),
        _ => input.value.to_string(),
    };
    Some((input.name.clone(), text))
}

/// What people answered to the tree's own questions, as far as it still holds. After a remedy nothing does.
fn answered(report: &Report, records: &[Record]) -> Vec<(String, Value, Option<String>)> {
    let remedied = records.iter().any(|r| matches!(&r.event, Event::StepStarted { body, .. } if body == "remedy"));
    let own = report.questions.iter().filter(|q| q.playbook == report.run.playbook && q.origin != AnswerOrigin::Probed);
    own.filter(|_| !remedied).map(|q| (q.key.clone(), Value::str(&q.answer), q.note.clone())).collect()
}

/// Whether a name is that of a run: no playbook is called like this.
pub(crate) fn is_run(name: &str) -> bool {
    let hex = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_hexdigit());
    let digits = |t: &str, n: usize| t.len() == n && t.bytes().all(|b| b.is_ascii_digit());
    if name == "latest" || (name.len() == 6 && hex(name) && name.bytes().any(|b| b.is_ascii_digit())) {
        return true;
    }
    match name.split('-').collect::<Vec<_>>().as_slice() {
        [day, time, rest @ ..] => digits(day, 8) && digits(time, 6) && rest.iter().all(|r| hex(r)),
        _ => false,
    }
}

/// Writes what people answered in a run as an answers file.
pub(crate) fn answers(context: &Context, name: &str) -> Exit {
    let Left { run, records } = match read(context, name, false) {
        Ok(left) => left,
        Err(exit) => return exit,
    };
    let Some(report) = document(&records, false) else {
        complain(context, &format!("the run {run} has no beginning"), None);
        return Exit::Usage;
    };
    let triage = matches!(records.first().map(|r| &r.event), Some(Event::RunStarted { triage: true, .. }));
    let mut given: Vec<(String, Json, Option<String>)> = Vec::new();
    let mut secret = Vec::new();
    let mut confirmed = Vec::new();
    for input in &report.inputs {
        match &input.value {
            _ if input.origin != "answer" => {}
            Json::String(text) if text.starts_with("***") => secret.push(input.name.clone()),
            Json::Null => {}
            value => given.push((input.name.clone(), value.clone(), None)),
        }
    }
    for question in report.questions.iter().filter(|q| q.origin != AnswerOrigin::Probed) {
        given.push((question.key.clone(), Json::from(question.answer.clone()), question.note.clone()));
    }
    for answer in report.answers.iter().filter(|a| a.reply == ReplyWord::Given && !a.path.is_node() && a.id != "remedy") {
        match &answer.value {
            Json::String(text) if text.starts_with("***") => secret.push(answer.id.clone()),
            Json::Bool(true) => confirmed.push(answer.id.clone()),
            value => given.push((answer.id.clone(), value.clone(), answer.note.clone())),
        }
    }
    let verb = if triage { "triage" } else { "play" };
    let mut out = format!(
        "# What was answered in the run {run}, to be given with: runbook {verb} {} --answers FILE\n",
        report.run.playbook
    );
    out.push_str(&format!("playbook: {}\n", report.run.playbook));
    if !given.is_empty() {
        out.push_str("answers:\n");
    } else {
        out.push_str("# Nobody was asked.\n");
    }
    let mut told = Vec::new();
    for (id, value, note) in given {
        // A file has one answer for a question; the last one counts.
        told.retain(|(known, _): &(String, String)| *known != id);
        let value = yaml(&value);
        let text = match note {
            Some(note) => format!("{{ answer: {value}, note: {} }}", yaml(&Json::from(note))),
            None => value,
        };
        told.push((id, text));
    }
    for (id, text) in told {
        out.push_str(&format!("  {}: {text}\n", yaml(&Json::from(id))));
    }
    for id in secret {
        out.push_str(&format!("# {id}: a secret, which no run keeps; give it again\n"));
    }
    for id in confirmed {
        out.push_str(&format!("# {id} was confirmed; confirm it again with --yes or --confirm, what is lost is not confirmed by a file of yesterday\n"));
    }
    say(&out);
    Exit::Ok
}

/// A value on one line of YAML, which JSON is; a plain word needs no quotes.
fn yaml(value: &Json) -> String {
    match value {
        Json::String(text) => {
            let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
                && !matches!(
                    text.to_ascii_lowercase().as_str(),
                    "yes" | "no" | "true" | "false" | "null" | "on" | "off" | "y" | "n"
                );
            if plain { text.clone() } else { value.to_string() }
        }
        other => from_json(other.clone()).to_json().to_string(),
    }
}
