//! One line per event, for logs, pipes and screen readers.

use std::collections::HashMap;
use std::io::Write;

use jiff::Timestamp;
use runbook_core::event::{Event, GradeWord, Outcome, Record};
use runbook_core::module::Forecast;
use runbook_core::path::StepPath;
use runbook_core::world::{Answer, Reply};

use crate::human;
use crate::policy::TermPolicy;
use crate::reporter::{Level, Reporter};
use crate::sanitize::Shown;
use crate::terminal::{View, step_label};

/// A running step says so this often.
const HEARTBEAT_SECONDS: i64 = 30;

/// Writes `2026-01-05T10:00:03Z run=7f3a step=start-db status=ok changed=true dur=3.1s`, and a readable recap at the end.
pub struct PlainReporter<W> {
    out: W,
    level: Level,
    broken: bool,
    run: String,
    dry_run: bool,
    running: HashMap<StepPath, Running>,
    /// What a dry run would do in a step.
    planned: HashMap<StepPath, Forecast>,
    /// The step whose row was written last.
    row: Option<StepPath>,
    recap: View,
}

struct Running {
    key: String,
    began: Timestamp,
    heard: Timestamp,
    group: bool,
}

impl<W: Write + Send> PlainReporter<W> {
    /// Writes to this. Of the policy only the width and the glyphs of the recap are used.
    pub fn new(out: W, policy: TermPolicy, level: Level) -> Self {
        let policy = TermPolicy { color: false, animate: false, ..policy };
        let quiet = if level == Level::Quiet { Level::Quiet } else { Level::Normal };
        PlainReporter {
            out,
            level,
            broken: false,
            run: String::new(),
            dry_run: false,
            running: HashMap::new(),
            planned: HashMap::new(),
            row: None,
            recap: View::new(policy, quiet),
        }
    }

    fn write(&mut self, text: &str) {
        if !self.broken {
            self.broken = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).is_err();
        }
    }

    fn line(&mut self, at: Timestamp, fields: &Fields) {
        let mut text = format!("{} run={}", time(at), quoted(&self.run));
        if self.dry_run {
            text.push_str(" dry_run=true");
        }
        text.push_str(&fields.0);
        text.push('\n');
        self.write(&text);
    }

    fn lines_of(&mut self, record: &Record) {
        let (level, at) = (self.level, record.at);
        let quiet = level == Level::Quiet;
        match &record.event {
            Event::RunStarted { run, playbook, title, system, operator, host, inputs, dry_run, triage, outline, .. } => {
                self.run.clone_from(run);
                self.dry_run = *dry_run;
                if quiet {
                    return;
                }
                let mut fields = Fields::event("run-started").add("playbook", playbook).add("title", title).add("system", system);
                fields = fields.add("operator", operator).add("host", host);
                fields = fields.add(if *triage { "questions" } else { "steps" }, &outline.len().to_string());
                for input in inputs.iter().filter(|i| i.origin != "default" || level.is_verbose(1)) {
                    fields = fields.add(&format!("input.{}", input.name), &input.value.to_string());
                }
                self.line(at, &fields);
            }
            Event::StepStarted { path, parent, id, name, body, item, group, .. } => {
                let key = id.clone().filter(|_| item.is_none()).unwrap_or_else(|| path.to_string());
                self.running.insert(path.clone(), Running { key: key.clone(), began: at, heard: at, group: *group });
                if level.is_verbose(1) || (!quiet && parent.as_str().is_empty() && !path.is_node()) {
                    let name = step_label(name, item.as_deref());
                    self.line(at, &Fields::step(&key, path, "started").add("name", &name).add("body", body));
                }
            }
            Event::StepFinished {
                path,
                id,
                name,
                body,
                item,
                outcome,
                message,
                checks,
                output,
                attempts,
                duration_ms,
                late,
                tolerated,
                place,
                graded,
                ..
            } => {
                self.running.remove(path);
                let planned = self.planned.remove(path).filter(|_| !matches!(outcome, Outcome::Failed | Outcome::Skipped));
                // The row has said it already.
                if outcome.is_good() && self.row.as_ref() == Some(path) && !level.is_verbose(1) {
                    return;
                }
                if quiet && (outcome.is_good() || *tolerated) {
                    return;
                }
                // What a tree looked at is told with its answer or finding.
                if (path.is_node() || path.is_observation()) && !level.is_verbose(1) {
                    return;
                }
                if crate::terminal::is_filtered_out(*outcome, item.as_deref(), message) && !level.is_verbose(1) {
                    return;
                }
                let key = id.clone().filter(|_| item.is_none()).unwrap_or_else(|| path.to_string());
                if let Some(forecast) = planned {
                    let mut fields = Fields::step(&key, path, "planned");
                    fields = fields.add("would_change", if forecast.would_change { "true" } else { "false" });
                    fields = fields.add("name", &step_label(name, item.as_deref())).add("body", body);
                    fields = fields.add_some("would", &forecast.summary).add_some("because", &forecast.because);
                    self.line(at, &fields);
                    return;
                }
                let changed = *outcome == Outcome::Changed;
                let status = if changed { "ok" } else { outcome.word() };
                let mut fields = Fields::step(&key, path, status).add("changed", if changed { "true" } else { "false" });
                fields = fields
                    .add("dur", &human::duration(*duration_ms))
                    .add("name", &step_label(name, item.as_deref()))
                    .add("body", body);
                if *attempts > 1 {
                    fields = fields.add("attempts", &attempts.to_string());
                }
                if *late {
                    fields = fields.add("late", "true");
                }
                if *tolerated {
                    fields = fields.add("tolerated", "true");
                }
                if let Some(graded) = graded {
                    fields = fields
                        .add("grade", graded.grade.word())
                        .add("value", &human::value(&graded.value, graded.unit.as_deref()));
                }
                fields = fields.add_some("msg", message);
                let bad = !outcome.is_good();
                if let Some(place) = place.as_ref().filter(|_| bad) {
                    fields = fields.add("at", &place.to_string());
                }
                self.line(at, &fields);
                if !bad {
                    return;
                }
                for check in checks {
                    let held = match check.held {
                        Some(true) => "true",
                        Some(false) => "false",
                        None => "unknown",
                    };
                    let saw: Vec<String> =
                        check.saw.iter().map(|s| format!("{} was {}", s.text, s.value)).chain(check.error.clone()).collect();
                    self.line(
                        at,
                        &Fields::step(&key, path, "expect")
                            .add("held", held)
                            .add("expr", &check.text)
                            .add("saw", &saw.join(", ")),
                    );
                }
                for text in output {
                    self.line(at, &Fields::step(&key, path, "output").add("text", text));
                }
            }
            Event::StepWaiting { path, waiting_for, .. } if level.is_verbose(1) => {
                self.line(at, &Fields::step(path.as_str(), path, "waiting").add("for", &waiting_for.join(",")));
            }
            Event::AttemptFailed { path, attempt, message, next_ms } if level.is_verbose(1) => {
                let fields =
                    self.of(path, "attempt-failed").add("attempt", &attempt.to_string()).add("next", &human::duration(*next_ms));
                self.line(at, &fields.add("msg", message));
            }
            Event::StepProgress { path, text } if level.is_verbose(2) => {
                let fields = self.of(path, "progress").add("msg", text);
                self.line(at, &fields);
            }
            Event::Intent { path, module, args, effect, .. } if level.is_verbose(1) => {
                let fields =
                    self.of(path, "intent").add("module", module).add("effect", effect.word()).add("args", &args.to_string());
                self.line(at, &fields);
            }
            Event::Returned { path, module, answer, .. } => {
                if let Answer::Planned { forecast } = answer {
                    self.planned.insert(path.clone(), forecast.clone());
                }
                if !level.is_verbose(2) {
                    return;
                }
                let answer = serde_json::to_string(answer).unwrap_or_default();
                let fields = self.of(path, "returned").add("module", module).add("answer", &answer);
                self.line(at, &fields);
            }
            Event::Slept { path, ms } if level.is_verbose(2) => {
                let fields = self.of(path, "slept").add("dur", &human::duration(*ms));
                self.line(at, &fields);
            }
            Event::Asked { path, id, text } if !quiet => {
                let fields = self.of(path, "asked").add("question", id).add("text", text);
                self.line(at, &fields);
            }
            Event::Replied { path, id, reply } if !quiet => {
                let fields = reply_fields(self.of(path, "replied").add("question", id), reply);
                self.line(at, &fields);
            }
            Event::Answered { id, origin } if level.is_verbose(1) => {
                let origin = serde_json::to_value(origin).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
                self.line(at, &Fields::event("answered").add("question", id).add("origin", &origin));
            }
            Event::Note { path, text } if !quiet => {
                let fields = self.of(path, "note").add("text", text);
                self.line(at, &fields);
            }
            Event::Row { path, row } if !quiet || row.grade > GradeWord::OffTarget => {
                self.row = Some(path.clone());
                let mut fields = self.of(path, "row").add("grade", row.grade.word()).add("name", &row.name);
                if let Some(graded) = &row.graded {
                    fields = fields.add("value", &human::value(&graded.value, graded.unit.as_deref()));
                }
                for (key, value) in &row.columns {
                    fields = fields.add_some(key, value);
                }
                self.line(at, &fields.add_some("msg", &row.detail));
            }
            Event::Verdict { playbook, verdict, .. } if !quiet => {
                self.line(at, &Fields::event("verdict").add("playbook", playbook).add("verdict", verdict.word()));
            }
            Event::NodeAnswered { path, key, question, answer, origin, probe, evidence, note, duration_ms, .. } if !quiet => {
                let mut fields =
                    Fields::step(key, path, "answered").add("answer", answer).add("origin", crate::tree::origin_word(*origin));
                fields = fields.add("dur", &human::duration(*duration_ms)).add("question", question);
                if let Some(probe) = probe {
                    fields = fields.add("probe", probe);
                }
                fields = fields.add_some("evidence", evidence).add_some("note", note.as_deref().unwrap_or_default());
                self.line(at, &fields);
            }
            Event::Finding { path, key, finding, severity, say, evidence, remedy, .. } if !quiet || severity.is_fault() => {
                let mut fields = Fields::step(key, path, "found").add("finding", finding).add("severity", severity.word());
                fields = fields.add_some("msg", say.as_deref().unwrap_or_default());
                if let Some(remedy) = remedy {
                    fields = fields.add("remedy", &crate::tree::remedy_words(remedy));
                }
                self.line(at, &fields);
                for seen in evidence.iter().filter(|_| !quiet) {
                    let fields = Fields::step(key, path, "evidence").add("name", &seen.name).add("outcome", seen.outcome.word());
                    self.line(at, &fields.add_some("msg", &seen.message));
                }
            }
            Event::WentBack { path, key, question, .. } if !quiet => {
                self.line(at, &Fields::step(key, path, "back").add("question", question));
            }
            Event::Rehearsed { name, rows, .. } => {
                self.line(at, &Fields::event("rehearsed").add("name", name).add("steps", &rows.len().to_string()));
                for row in rows {
                    let mut fields = Fields::step(&row.name, &row.path, "would").add("verdict", row.verdict.word());
                    if row.possible {
                        fields = fields.add("possible", "true");
                    }
                    fields = fields.add_some("what", &row.what).add_some("because", &row.because);
                    self.line(at, &fields);
                }
            }
            Event::Remedied { path, finding, outcome, message, .. } => {
                let fields = Fields::step(finding, path, "remedied").add("outcome", outcome.word());
                self.line(at, &fields.add_some("msg", message));
            }
            Event::Concluded { playbook, verdict, findings, probed, answered, unknown, overridden, skipped } if !quiet => {
                let mut fields = Fields::event("concluded").add("playbook", playbook).add("verdict", verdict.word());
                fields = fields.add_some("findings", &findings.join(","));
                fields = fields.add("probed", &probed.to_string()).add("answered", &answered.to_string());
                fields = fields.add("unknown", &unknown.to_string());
                for (name, count) in [("overridden", overridden), ("skipped", skipped)] {
                    fields = fields.add_some(name, &Some(*count).filter(|n| *n > 0).map(|n| n.to_string()).unwrap_or_default());
                }
                self.line(at, &fields);
            }
            Event::Blocked { name, message } => {
                self.line(at, &Fields::event("blocked").add("name", name).add("msg", message));
            }
            Event::Stopping { reason, waiting_for } => {
                let reason = serde_json::to_value(reason).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
                self.line(at, &Fields::event("stopping").add("reason", &reason).add("for", &waiting_for.join(",")));
            }
            Event::Killed { reason } => {
                let reason = serde_json::to_value(reason).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
                self.line(at, &Fields::event("killed").add("reason", &reason));
            }
            Event::Undoing { steps } if !quiet => self.line(at, &Fields::event("undoing").add("steps", &steps.to_string())),
            Event::RunFinished { outcome, exit_code, message, duration_ms, .. } => {
                let mut fields = Fields::event("run-finished").add("outcome", crate::terminal::outcome_word(*outcome));
                fields = fields.add("exit", &exit_code.to_string()).add("dur", &human::duration(*duration_ms));
                fields = fields.add_some("msg", message);
                self.line(at, &fields);
            }
            _ => {}
        }
    }

    /// The first fields of a line about a step that may have begun.
    fn of(&self, path: &StepPath, status: &str) -> Fields {
        let key = self.running.get(path).map_or_else(|| path.to_string(), |r| r.key.clone());
        Fields::step(&key, path, status)
    }
}

impl<W: Write + Send> Reporter for PlainReporter<W> {
    fn record(&mut self, record: &Record) {
        self.lines_of(record);
        let recap = self.recap.record(record);
        // The view has already said what the lines say; only its last words are new.
        if matches!(record.event, Event::RunFinished { .. } | Event::Killed { .. }) {
            self.write(&recap.iter().map(|l| format!("{l}\n")).collect::<String>());
        }
    }

    fn finish(&mut self) {
        let recap = self.recap.finish();
        self.write(&recap.iter().map(|l| format!("{l}\n")).collect::<String>());
    }

    fn tick(&mut self, now: Timestamp) {
        if self.level == Level::Quiet {
            return;
        }
        let mut due: Vec<(String, StepPath, Timestamp)> = Vec::new();
        for (path, running) in &mut self.running {
            if !running.group && now.duration_since(running.heard).as_secs() >= HEARTBEAT_SECONDS {
                running.heard = now;
                due.push((running.key.clone(), path.clone(), running.began));
            }
        }
        due.sort();
        for (key, path, began) in due {
            let ms = now.duration_since(began).as_secs_f64() * 1_000.0;
            self.line(now, &Fields::step(&key, &path, "running").add("dur", &human::duration(ms)));
        }
    }
}

fn reply_fields(fields: Fields, reply: &Reply) -> Fields {
    match reply {
        Reply::Given { value, note, .. } => {
            let fields = fields.add("reply", "given").add("value", &value.to_string());
            if let Some(note) = note { fields.add("note", note) } else { fields }
        }
        Reply::Declined { .. } => fields.add("reply", "declined"),
        Reply::Skipped { value } => fields.add("reply", "skipped").add("value", &value.to_string()),
        Reply::Back => fields.add("reply", "back"),
        Reply::Again => fields.add("reply", "again"),
        Reply::Later => fields.add("reply", "later"),
        Reply::NobodyThere { how } => fields.add("reply", "nobody-there").add("how", how),
        Reply::TimedOut => fields.add("reply", "timed-out"),
        Reply::Unfit { message } => fields.add("reply", "unfit").add("msg", message),
        Reply::Cancelled => fields.add("reply", "cancelled"),
    }
}

/// The fields of a line, each with the space before it.
struct Fields(String);

impl Fields {
    fn event(word: &str) -> Self {
        Fields(String::new()).add("event", word)
    }

    fn step(key: &str, path: &StepPath, status: &str) -> Self {
        let fields = Fields(String::new()).add("step", key);
        let fields = if key == path.as_str() { fields } else { fields.add("path", path.as_str()) };
        fields.add("status", status)
    }

    fn add_some(self, key: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.add(key, value) }
    }

    fn add(mut self, key: &str, value: &str) -> Self {
        // A key is a field's name or a module's word; anything else in it would forge fields.
        let key: String = key.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
        self.0.push_str(&format!(" {key}={}", quoted(value)));
        self
    }
}

/// UTC, in seconds.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A value that cannot be mistaken for more than one, nor for a line of its own.
fn quoted(text: &str) -> String {
    let bare = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "._-/:@[]#>%+,".contains(c));
    if bare {
        return text.to_owned();
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    format!("\"{}\"", Shown(&escaped))
}
