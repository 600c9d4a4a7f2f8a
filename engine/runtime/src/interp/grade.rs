//! Grades: a value against its target, warning and critical limits.

use runbook_core::event::{GradeWord, Graded, Outcome};
use runbook_core::model::{GradeLimits, Step, StepSeverity};
use runbook_core::value::{Value, compare, parse_duration, parse_size};

use super::Interpreter;
use super::flow::{Flow, Pass};
use super::frame::Env;
use super::own::Own;

impl Interpreter<'_> {
    /// Grades a step's value, if it has a grade. A critical grade fails the step.
    pub(crate) fn grade(&self, step: &Step, env: &Env, pass: &mut Pass) {
        let Some(grade) = &step.grade else { return };
        if !matches!(pass.outcome, Outcome::Ok | Outcome::Changed) || !matches!(pass.flow, Flow::Next) {
            return;
        }
        let now = self.world.now();
        let own = self.own(step, pass);
        let value = match self.eval_with(&grade.value, env, Some(&own), now) {
            Ok(value) => value,
            Err(trouble) => {
                pass.outcome = Outcome::Unknown;
                pass.message = format!("the value to grade cannot be told: {}", self.told(&trouble));
                return;
            }
        };
        let limits = match self.limits(&grade.limits, env, &own) {
            Ok(limits) => limits,
            Err(message) => {
                pass.outcome = Outcome::Failed;
                pass.message = message;
                return;
            }
        };
        match judge(&value, &limits) {
            Ok(word) => {
                let [target, warning, critical] = limits.values;
                pass.graded = Some(Graded { grade: word, value, target, warning, critical, unit: limits.unit });
                if word == GradeWord::Critical {
                    pass.outcome = Outcome::Failed;
                    pass.message = "beyond the critical limit".to_owned();
                }
            }
            Err(message) => {
                pass.outcome = Outcome::Unknown;
                pass.message = message;
            }
        }
    }

    fn limits(&self, limits: &GradeLimits, env: &Env, own: &Own<'_>) -> Result<Limits, String> {
        let now = self.world.now();
        match limits {
            GradeLimits::By(expr) => {
                let map = self.eval_with(expr, env, Some(own), now).map_err(|t| self.told(&t))?;
                if map.as_map().is_none() {
                    return Err(format!("`{}` is {}, not a threshold", expr.text, map.kind()));
                }
                Ok(Limits {
                    values: [map.field("target"), map.field("warning"), map.field("critical")],
                    unit: map.field("unit").as_str().map(str::to_owned),
                })
            }
            GradeLimits::Inline { target, warning, critical, unit } => {
                let one = |arg: &Option<runbook_core::model::Arg>| match arg {
                    Some(arg) => self.render(arg, env, now).map_err(|t| self.told(&t)),
                    None => Ok(Value::Null),
                };
                Ok(Limits { values: [one(target)?, one(warning)?, one(critical)?], unit: unit.clone() })
            }
        }
    }

    /// What a finished check means on the scoreboard.
    pub(crate) fn grade_word(&self, step: &Step, pass: &Pass) -> GradeWord {
        match pass.outcome {
            Outcome::Unknown => GradeWord::Unknown,
            Outcome::Failed => match &pass.graded {
                Some(graded) => graded.grade,
                None if step.severity == StepSeverity::Warning => GradeWord::Warning,
                None => GradeWord::Critical,
            },
            _ => pass.graded.as_ref().map_or(GradeWord::Ok, |g| g.grade),
        }
    }
}

struct Limits {
    /// Target, warning, critical; null when not given.
    values: [Value; 3],
    unit: Option<String>,
}

/// Which direction is worse follows from the limits: a critical limit above the target means that more is worse.
fn judge(value: &Value, limits: &Limits) -> Result<GradeWord, String> {
    if let Some(unknown) = value.find_unknown() {
        return Err(unknown.reason.clone());
    }
    if value.is_null() {
        return Err("there is no value to grade".to_owned());
    }
    let like = |limit: &Value| match (value.bare(), limit.bare()) {
        (Value::Duration(_), Value::Str(s)) => parse_duration(s).map_or_else(|| limit.clone(), Value::Duration),
        (Value::Size(_), Value::Str(s)) => parse_size(s).map_or_else(|| limit.clone(), Value::Size),
        _ => limit.clone(),
    };
    let [target, warning, critical] = [like(&limits.values[0]), like(&limits.values[1]), like(&limits.values[2])];
    let order = |a: &Value, b: &Value| compare(a, b).map_err(|e| format!("{} cannot be graded against {}", e.left, e.right));
    let given: Vec<&Value> = [&target, &warning, &critical].into_iter().filter(|v| !v.is_null()).collect();
    let more_is_worse = match given.as_slice() {
        [first, .., last] => order(first, last)?.is_le(),
        // One limit alone is read as a ceiling, as people write them.
        _ => true,
    };
    let beyond = |limit: &Value| -> Result<bool, String> {
        if limit.is_null() {
            return Ok(false);
        }
        let o = order(value, limit)?;
        Ok(if more_is_worse { o.is_gt() } else { o.is_lt() })
    };
    Ok(if beyond(&critical)? {
        GradeWord::Critical
    } else if beyond(&warning)? {
        GradeWord::Warning
    } else if beyond(&target)? {
        GradeWord::OffTarget
    } else {
        GradeWord::Ok
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(t: i64, w: i64, c: i64) -> Limits {
        Limits { values: [Value::Int(t), Value::Int(w), Value::Int(c)], unit: None }
    }

    #[test]
    fn the_limits_say_which_way_is_worse() {
        for (value, expected) in
            [(70, GradeWord::Ok), (75, GradeWord::OffTarget), (85, GradeWord::Warning), (95, GradeWord::Critical)]
        {
            assert_eq!(judge(&Value::Int(value), &limits(70, 80, 90)), Ok(expected), "{value}");
        }
        for (value, expected) in
            [(40, GradeWord::Ok), (25, GradeWord::OffTarget), (15, GradeWord::Warning), (5, GradeWord::Critical)]
        {
            assert_eq!(judge(&Value::Int(value), &limits(30, 20, 10)), Ok(expected), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_graded_is_told() {
        assert!(judge(&Value::str("x"), &limits(1, 2, 3)).is_err());
        assert!(judge(&Value::Null, &limits(1, 2, 3)).is_err());
        assert!(judge(&Value::unknown("later"), &limits(1, 2, 3)).is_err());
    }

    #[test]
    fn durations_are_graded_against_text() {
        let limits = Limits { values: [Value::str("2s"), Value::str("3s"), Value::str("5s")], unit: None };
        assert_eq!(judge(&Value::Duration(jiff::SignedDuration::from_secs(4)), &limits), Ok(GradeWord::Warning));
    }
}
