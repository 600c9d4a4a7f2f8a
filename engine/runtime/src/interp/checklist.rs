//! Checklists: every check is evaluated, each is a row, the worst is the verdict.

use jiff::SignedDuration;
use runbook_core::event::{Event, GradeWord, Outcome, Row};
use runbook_core::model::{Body, Step};
use runbook_core::path::StepPath;
use runbook_core::value::Value;

use super::flow::Finished;
use super::frame::Env;
use super::step::Begun;
use super::{Interpreter, locked};

impl Interpreter<'_> {
    /// Tells a row of the scoreboard and keeps it for the verdict.
    pub(crate) fn row(&self, step: &Step, env: &Env, path: &StepPath, begun: &Begun, finished: &Finished) {
        let pass = &finished.pass;
        if pass.outcome == Outcome::Skipped {
            return;
        }
        let grade = self.grade_word(step, pass);
        let columns = match &step.body {
            Body::Module(call) => self.registry.get(&call.name.value).map(|e| e.columns.clone()).unwrap_or_default(),
            _ => Vec::new(),
        };
        let columns = columns
            .iter()
            .filter_map(|c| pass.result.get(&**c).filter(|v| !v.is_null()).map(|v| (c.to_string(), cell(v))))
            .collect();
        let row = Row { name: begun.name.clone(), grade, graded: pass.graded.clone(), detail: pass.message.clone(), columns };
        locked(&env.frame.rows).push(Value::map([
            ("name", Value::str(&row.name)),
            ("grade", Value::str(grade.word())),
            ("detail", Value::str(&row.detail)),
            ("value", row.graded.as_ref().map_or(Value::Null, |g| g.value.clone())),
        ]));
        locked(&env.frame.grades).push(grade);
        self.emit(Event::Row { path: path.clone(), row });
    }

    /// The worst grade of a frame's rows, told.
    pub(crate) fn verdict(&self, env: &Env) -> GradeWord {
        let grades = locked(&env.frame.grades).clone();
        let worst = grades.iter().copied().max().unwrap_or(GradeWord::Ok);
        let mut counts = [0; 5];
        for grade in &grades {
            counts[*grade as usize] += 1;
        }
        self.emit(Event::Verdict { playbook: env.frame.unit.playbook.full_name.clone(), verdict: worst, counts });
        worst
    }
}

/// A value as a cell: durations of a second and more without their fractions, booleans as words.
fn cell(value: &Value) -> String {
    match value.bare() {
        Value::Duration(d) if d.as_secs() > 0 => runbook_core::value::format_duration(SignedDuration::from_secs(d.as_secs())),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}
