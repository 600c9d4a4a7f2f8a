//! Retries and time limits: one pass of a step, repeated until it succeeds.

use futures_util::future::{Either, select};
use jiff::SignedDuration;
use runbook_core::event::{Event, Outcome};
use runbook_core::model::{Arg, Body, Retry, RetryOn, Step};
use runbook_core::path::StepPath;
use runbook_core::value::Value;

use super::flow::{Abort, Flow, Pass};
use super::frame::Env;
use super::value::Eval;
use super::{Interpreter, millis};

/// A retry with everything evaluated.
pub(crate) struct RetryPlan {
    pub(crate) attempts: Option<u32>,
    pub(crate) within: Option<SignedDuration>,
    every: Option<SignedDuration>,
    backoff: f64,
    max_delay: SignedDuration,
    jitter: f64,
    pub(crate) successes: u32,
    /// Whether the step only looks, so that it may be asked often.
    reading: bool,
}

/// The pause of a poll that has been going on for so long: a fortieth of it, from 5 ms to 1 s.
///
/// Waiting costs at most 2.5 % more than the thing waited for, and a thing that takes long is not asked a thousand times.
pub(crate) fn polling_pause(elapsed: SignedDuration) -> SignedDuration {
    SignedDuration::from_millis(((elapsed.as_millis() / 40) as i64).clamp(5, 1000))
}

impl RetryPlan {
    /// The pause after the `attempt`-th attempt failed, or `None` if that was the last one.
    pub(crate) fn pause_after(&self, attempt: u32, elapsed: SignedDuration, random: f64) -> Option<SignedDuration> {
        if self.attempts.is_some_and(|most| attempt >= most) || self.within.is_some_and(|w| elapsed >= w) {
            return None;
        }
        let base = match self.every {
            Some(every) => {
                let factor = self.backoff.powi(attempt.saturating_sub(1).min(1000) as i32);
                let seconds = (every.as_secs_f64() * factor).min(self.max_delay.as_secs_f64());
                SignedDuration::try_from_secs_f64(seconds).unwrap_or(self.max_delay)
            }
            None if self.reading => polling_pause(elapsed),
            None => {
                let seconds = (self.backoff.powi(attempt.saturating_sub(1).min(1000) as i32)).min(self.max_delay.as_secs_f64());
                SignedDuration::try_from_secs_f64(seconds).unwrap_or(self.max_delay)
            }
        };
        let part = 1.0 - self.jitter * random;
        let pause = SignedDuration::try_from_secs_f64(base.as_secs_f64() * part).unwrap_or(base);
        // The last attempt still begins within the limit.
        Some(match self.within {
            Some(within) => pause.min(within - elapsed).max(SignedDuration::from_millis(1)),
            None => pause,
        })
    }
}

impl Interpreter<'_> {
    pub(crate) fn retry_plan(&self, retry: &Retry, env: &Env, reading: bool) -> Eval<RetryPlan> {
        let now = self.world.now();
        let jitter = match retry.jitter.as_ref().map(|j| self.render(j, env, now)).transpose()? {
            None | Some(Value::Null) | Some(Value::Bool(false)) => 0.0,
            Some(Value::Bool(true)) => 0.5,
            Some(value) => value.as_f64().unwrap_or(0.0).clamp(0.0, 1.0),
        };
        let every = self.duration(retry.every.as_ref(), env, now)?;
        // The limit is for pauses that grow; one that is written is meant.
        let most = SignedDuration::from_mins(5).max(every.unwrap_or_default());
        Ok(RetryPlan {
            attempts: self.optional(retry.attempts.as_ref(), env, now)?,
            within: self.duration(retry.within.as_ref(), env, now)?,
            every,
            backoff: self.optional::<f64>(retry.backoff.as_ref(), env, now)?.unwrap_or(1.0).max(1.0),
            max_delay: self.duration(retry.max_delay.as_ref(), env, now)?.unwrap_or(most),
            jitter,
            successes: self.optional(retry.successes.as_ref(), env, now)?.unwrap_or(1).max(1),
            reading,
        })
    }

    /// Repeats a step's body until it succeeds or its retry gives up. Returns the last pass and the number of attempts.
    pub(crate) async fn attempts(&self, step: &Step, env: &Env, path: &StepPath) -> (Pass, u32) {
        let plan = step.retry.as_ref().map(|r| self.retry_plan(r, env, self.only_looks(step, env)));
        let plan = match plan.transpose() {
            Ok(plan) => plan,
            Err(trouble) => return (Pass::broken(self.told(&trouble)), 0),
        };
        let began = self.world.now();
        let mut attempt = 0;
        let mut successes = 0;
        let mut touched = false;
        loop {
            attempt += 1;
            let mut pass = self.one_attempt(step, env, path, attempt).await;
            touched |= pass.touched;
            pass.touched = touched;
            let Some(plan) = &plan else { return (pass, attempt) };
            if self.world.is_dry() {
                // Nobody waits in a dry run. What does not hold now may come to hold while the run would ask again.
                let looked = !pass.outcome.is_good() && matches!(pass.flow, Flow::Next) && !pass.unsure;
                let pass = if looked {
                    Pass {
                        outcome: Outcome::Unknown,
                        undecided: true,
                        message: format!("not now: {}; it would be asked again", pass.message),
                        ..pass
                    }
                } else {
                    pass
                };
                return (pass, attempt);
            }
            if !pass.flow.is_next() && !matches!(pass.flow, Flow::Fail(_)) {
                return (pass, attempt);
            }
            if pass.is_good() {
                successes += 1;
                if successes >= plan.successes || pass.outcome == Outcome::Skipped {
                    return (pass, attempt);
                }
            } else {
                successes = 0;
                let retry = step.retry.as_ref();
                if !retry.is_some_and(|r| retried(r, &pass)) {
                    return (pass, attempt);
                }
                if let Some(reason) = self.gives_up(step, env, &pass) {
                    pass.message = format!("{} (gave up: {reason})", pass.message);
                    return (pass, attempt);
                }
            }
            let elapsed = self.world.now().duration_since(began);
            let Some(pause) = plan.pause_after(attempt, elapsed, self.world.random()) else {
                if pass.is_good() {
                    let needed = plan.successes;
                    return (
                        Pass { touched, ..Pass::failed(format!("succeeded {successes} times in a row, {needed} were needed")) },
                        attempt,
                    );
                }
                return (pass, attempt);
            };
            let message =
                if pass.is_good() { format!("success {successes} of {}", plan.successes) } else { pass.message.clone() };
            self.emit(Event::AttemptFailed { path: path.clone(), attempt, message, next_ms: millis(pause) });
            self.world.sleep(path, pause).await;
            if self.stopping() {
                return (Pass { touched, ..Pass::abort(Abort::Stopped, "stopped while waiting for the next attempt") }, attempt);
            }
        }
    }

    fn gives_up(&self, step: &Step, env: &Env, pass: &Pass) -> Option<String> {
        let retry = step.retry.as_ref()?;
        let own = self.own(step, pass);
        let now = self.world.now();
        retry.give_up_when.iter().find_map(|expr| {
            let held = self.eval_with(expr, env, Some(&own), now).ok().and_then(|v| v.truth());
            (held == Some(true)).then(|| expr.text.to_string())
        })
    }

    /// One pass under the step's time limit.
    pub(crate) async fn one_attempt(&self, step: &Step, env: &Env, path: &StepPath, attempt: u32) -> Pass {
        // What a group does in a further attempt is something else than what it did in the first.
        let further = (attempt > 1 && super::step::is_group(step)).then(|| path.attempt(attempt));
        let path = further.as_ref().unwrap_or(path);
        let limit = match self.limit_of(step.timeout.as_ref(), env) {
            Ok(limit) => limit,
            Err(pass) => return *pass,
        };
        // The world ends a module's call itself, and a question times out by itself; groups are ended here.
        // In a dry run nothing takes its time.
        let Some(limit) =
            limit.filter(|_| !self.world.is_dry() && !matches!(step.body, Body::Module(_) | Body::Ask(_) | Body::Manual(_)))
        else {
            return self.body(step, env, path, attempt, limit).await;
        };
        let body = std::pin::pin!(self.body(step, env, path, attempt, None));
        let timer = std::pin::pin!(self.world.sleep(path, limit));
        match select(body, timer).await {
            Either::Left((pass, _)) => pass,
            Either::Right(((), _)) if self.stopping() => Pass::abort(Abort::Stopped, "stopped"),
            Either::Right(((), _)) => {
                let mut pass = Pass::failed(format!("timed out after {}", runbook_core::value::format_duration(limit)));
                pass.timed_out = true;
                pass.touched = true;
                pass
            }
        }
    }

    fn limit_of(&self, arg: Option<&Arg>, env: &Env) -> Result<Option<SignedDuration>, Box<Pass>> {
        self.duration(arg, env, self.world.now()).map_err(|t| Box::new(Pass::broken(self.told(&t))))
    }
}

/// Whether a retry covers this kind of failure.
fn retried(retry: &Retry, pass: &Pass) -> bool {
    if retry.on.is_empty() {
        return true;
    }
    let kind = match pass.outcome {
        Outcome::Unknown => RetryOn::Unknown,
        _ if pass.timed_out => RetryOn::Timeout,
        _ => RetryOn::Failed,
    };
    retry.on.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(every: Option<i64>) -> RetryPlan {
        RetryPlan {
            attempts: Some(5),
            within: None,
            every: every.map(SignedDuration::from_millis),
            backoff: 2.0,
            max_delay: SignedDuration::from_millis(350),
            jitter: 0.0,
            successes: 1,
            reading: true,
        }
    }

    #[test]
    fn pauses_grow_to_their_limit_and_end() {
        let zero = SignedDuration::ZERO;
        let plan = plan(Some(100));
        let pauses: Vec<_> = (1..=5).map(|n| plan.pause_after(n, zero, 0.9).map(|d| d.as_millis())).collect();
        assert_eq!(pauses, [Some(100), Some(200), Some(350), Some(350), None]);
    }

    #[test]
    fn polling_starts_at_once_and_stays_within_a_fortieth() {
        assert_eq!(polling_pause(SignedDuration::ZERO).as_millis(), 5);
        assert_eq!(polling_pause(SignedDuration::from_millis(1000)).as_millis(), 25);
        assert_eq!(polling_pause(SignedDuration::from_mins(5)).as_millis(), 1000);
    }

    #[test]
    fn a_time_limit_keeps_the_last_attempt_inside() {
        let mut plan = plan(Some(300));
        (plan.attempts, plan.within) = (None, Some(SignedDuration::from_millis(1000)));
        assert_eq!(plan.pause_after(9, SignedDuration::from_millis(900), 0.0).map(|d| d.as_millis()), Some(100));
        assert_eq!(plan.pause_after(9, SignedDuration::from_millis(1000), 0.0), None);
    }

    #[test]
    fn jitter_only_shortens() {
        let mut plan = plan(Some(100));
        plan.jitter = 0.5;
        assert_eq!(plan.pause_after(1, SignedDuration::ZERO, 1.0).map(|d| d.as_millis()), Some(50));
    }
}
