//! What a step came to, and where the walk goes next.

use jiff::{SignedDuration, Timestamp};
use runbook_core::event::{CheckLine, Graded, Outcome};
use runbook_core::value::{Map, Value};

/// Where the walk goes next.
#[derive(Clone, Debug)]
pub(crate) enum Flow {
    /// On to the next step.
    Next,
    /// Something failed; a `rescue` may catch it.
    Fail(Failure),
    /// `stop:` ended the playbook as succeeded.
    Stop(String),
    /// The run ends here; no rescue, but `always` still runs.
    Abort(Abort),
}

/// A failed step, as `error` in a rescue and in the run's last line.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) step: String,
    pub(crate) result: Value,
    /// Whether our side could not do it, so that nothing was learned about what was looked at.
    pub(crate) unsure: bool,
}

/// Why a run ends without having failed.
#[derive(Clone, Debug)]
pub(crate) enum Abort {
    /// The operator said no, or what was given beforehand does not fit.
    Declined { step: String, why: Option<String> },
    /// Nobody was there to answer.
    NeedsInput { step: String, how: String },
    /// A manual step is left for later.
    Parked { step: String },
    /// The run was asked to stop.
    Stopped,
}

impl Flow {
    pub(crate) fn is_next(&self) -> bool {
        matches!(self, Flow::Next)
    }
}

/// What one pass of a step's body came to, before it is judged finished.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub(crate) outcome: Outcome,
    pub(crate) message: String,
    /// The result's fields.
    pub(crate) result: Map,
    pub(crate) changed: bool,
    /// Whether something was begun to be changed, which an undo would have to take back.
    pub(crate) touched: bool,
    pub(crate) checks: Vec<CheckLine>,
    pub(crate) output: Vec<String>,
    pub(crate) graded: Option<Graded>,
    /// Set when the walk must not simply go on or fail here: a stop, an abort, or a failure from further below.
    pub(crate) flow: Flow,
    /// Whether the failure was a time limit.
    pub(crate) timed_out: bool,
    /// Whether a dry run cannot tell what it comes to: it depends on what has not run. The walk goes on, and its result is not known.
    pub(crate) undecided: bool,
    /// Whether it was only planned: what it would leave is not known.
    pub(crate) planned: bool,
    /// Whether our side could not do it: an expression that fails, a call that is not allowed. A triage tree takes no answer from that.
    pub(crate) unsure: bool,
    pub(crate) answer: Value,
    pub(crate) note: Value,
    pub(crate) items: Option<Value>,
}

impl Pass {
    /// A pass that succeeded without a change.
    pub(crate) fn ok(message: impl Into<String>) -> Pass {
        Pass {
            outcome: Outcome::Ok,
            message: message.into(),
            result: Map::new(),
            changed: false,
            touched: false,
            checks: Vec::new(),
            output: Vec::new(),
            graded: None,
            flow: Flow::Next,
            timed_out: false,
            undecided: false,
            planned: false,
            unsure: false,
            answer: Value::Null,
            note: Value::Null,
            items: None,
        }
    }

    /// A pass that failed.
    pub(crate) fn failed(message: impl Into<String>) -> Pass {
        Pass { outcome: Outcome::Failed, ..Pass::ok(message) }
    }

    /// A pass that failed on our side.
    pub(crate) fn broken(message: impl Into<String>) -> Pass {
        Pass { unsure: true, ..Pass::failed(message) }
    }

    /// A pass whose answer our side could not find.
    pub(crate) fn unknown(message: impl Into<String>) -> Pass {
        Pass { outcome: Outcome::Unknown, ..Pass::ok(message) }
    }

    /// A pass that rests on a value which is not known. Only a dry run goes on after it.
    pub(crate) fn undecided(message: impl Into<String>) -> Pass {
        Pass { undecided: true, ..Pass::unknown(message) }
    }

    /// A pass that was skipped.
    pub(crate) fn skipped(reason: impl Into<String>) -> Pass {
        Pass { outcome: Outcome::Skipped, ..Pass::ok(reason) }
    }

    /// A pass that ends the run.
    pub(crate) fn abort(abort: Abort, message: impl Into<String>) -> Pass {
        Pass { flow: Flow::Abort(abort), ..Pass::failed(message) }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.outcome.is_good() && self.flow.is_next()
    }
}

/// A finished step: its pass with its times.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) pass: Pass,
    pub(crate) attempts: u32,
    pub(crate) started_at: Timestamp,
    pub(crate) duration: SignedDuration,
    /// Where the walk goes: [`Flow::Next`] also for a failure that is tolerated.
    pub(crate) flow: Flow,
}

impl Finished {
    /// `steps.<id>`: the result's fields and the reserved ones.
    pub(crate) fn value(&self, fields: &[&str]) -> Value {
        let p = &self.pass;
        let mut map = Map::with_capacity(fields.len() + 10);
        for field in fields {
            map.insert((*field).to_owned(), Value::Null);
        }
        for (key, value) in &p.result {
            map.insert(key.clone(), value.clone());
        }
        if p.undecided || p.planned {
            let reason = if p.undecided { p.message.as_str() } else { "the step that says it has not run" };
            for value in map.values_mut() {
                *value = Value::unknown(reason);
            }
        }
        if p.undecided {
            let reserved =
                ["outcome", "changed", "error", "grade", "answer", "note", "attempts", "items", "started_at", "duration"];
            map.extend(reserved.map(|name| (name.to_owned(), Value::unknown(p.message.as_str()))));
            return Value::from(map);
        }
        let bad = !p.outcome.is_good();
        map.insert("outcome".into(), Value::str(p.outcome.word()));
        map.insert("changed".into(), Value::Bool(p.changed));
        if bad || !map.contains_key("error") {
            map.insert("error".into(), if bad { Value::str(&p.message) } else { Value::Null });
        }
        map.insert("grade".into(), p.graded.as_ref().map_or(Value::Null, |g| Value::str(g.grade.word())));
        if !map.contains_key("answer") {
            map.insert("answer".into(), p.answer.clone());
        }
        map.insert("note".into(), p.note.clone());
        map.insert("attempts".into(), Value::from(self.attempts));
        if let Some(items) = &p.items {
            map.insert("items".into(), items.clone());
        }
        map.insert("started_at".into(), Value::Time(self.started_at));
        map.insert("duration".into(), Value::Duration(self.duration));
        Value::from(map)
    }
}
