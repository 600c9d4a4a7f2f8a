//! What is expected of a step, and how often it is tried.

use std::cmp::Ordering;

use runbook_core::model::{Arg, Body, Grade, GradeLimits, Retry, RetryOn, Step, StepSeverity};

use super::md::Md;
use runbook_core::value::{Value, compare};

use super::words::fields;
use super::{Doc, md};
use crate::human;
use crate::known::{Known, show, words};
use crate::step_words;

impl Doc<'_> {
    /// What a step expects: its own lines, else what its module says.
    pub(super) fn expected(&self, step: &Step, known: &Known<'_>, by_module: &str) -> Vec<String> {
        if step.expect.is_empty() {
            return if by_module.is_empty() { Vec::new() } else { vec![md::line(by_module)] };
        }
        step.expect.iter().map(|e| self.condition(e, known)).collect()
    }

    /// The block that says what to expect and how it is graded.
    pub(super) fn expectations(&self, md: &mut Md, step: &Step, known: &Known<'_>, by_module: &str) {
        let expected = self.expected(step, known, by_module);
        match expected.as_slice() {
            [] => {}
            [one] => md.block(&format!("**Expect:** {one}.")),
            many => {
                md.block("**Expect** all of:");
                md.bullets(many);
            }
        }
        if let Body::Module(call) = &step.body
            && let Some(entry) = self.effects.module(call)
        {
            let about = fields(entry, step.expect.iter().chain(step.grade.as_ref().map(|g| &g.value)));
            if !about.is_empty() {
                md.block(&format!("({}.)", about.join("; ")));
            }
        }
        if let Some(grade) = &step.grade {
            md.block(&format!("**Judge** {}: {}.", md::code(&grade.value.text), self.limits(grade, known)));
        }
        if step.severity == StepSeverity::Warning && !step.expect.is_empty() {
            md.block("If it does not hold, that is only a warning.");
        }
        if step.override_ask {
            md.block("If it does not hold, whoever is responsible may accept that all the same: write down why.");
        }
    }

    /// The limits of a grade in words.
    pub(super) fn limits(&self, grade: &Grade, known: &Known<'_>) -> String {
        let text = judged(&grade.limits, known).unwrap_or_else(|| step_words::limits(&grade.limits, known));
        let by = match &grade.limits {
            GradeLimits::By(expr) => format!(" ({})", md::code(&expr.text)),
            GradeLimits::Inline { .. } => String::new(),
        };
        if text.is_empty() { format!("by its limits{by}") } else { format!("{}{by}", md::line(&text)) }
    }

    /// How a step is tried again, as a sentence.
    pub(super) fn retried(&self, retry: &Retry, known: &Known<'_>) -> String {
        let value = |arg| known.line(arg);
        let mut text = "Try again".to_owned();
        match &retry.every {
            Some(every) => text.push_str(&format!(" every {}", md::line(&value(every)))),
            None => text.push_str(" after a moment"),
        }
        if let Some(within) = &retry.within {
            text.push_str(&format!(", for up to {}", md::line(&value(within))));
        }
        if let Some(attempts) = &retry.attempts {
            text.push_str(&format!(", {} times in all", md::line(&value(attempts))));
        }
        if let Some(successes) = &retry.successes {
            text.push_str(&format!(", until it went well {} times in a row", md::line(&value(successes))));
        }
        if let Some(backoff) = &retry.backoff {
            text.push_str(&format!("; make each pause {} times as long as the one before", md::line(&value(backoff))));
        }
        if let Some(most) = &retry.max_delay {
            text.push_str(&format!(", {} at most", md::line(&value(most))));
        }
        text.push('.');
        if !retry.on.is_empty() {
            let word = |on: &RetryOn| {
                match on {
                    RetryOn::Failed => "it failed",
                    RetryOn::Timeout => "it took too long",
                    RetryOn::Unknown => "it could not be told",
                }
                .to_owned()
            };
            let kinds: Vec<String> = retry.on.iter().map(word).collect();
            text.push_str(&format!(" Do so only if {}.", kinds.join(" or ")));
        }
        if !retry.give_up_when.is_empty() {
            let all: Vec<String> = retry.give_up_when.iter().map(|e| self.condition(e, known)).collect();
            text.push_str(&format!(" Give up at once if {}.", all.join(", or if ")));
        }
        text
    }

    /// A check as lines of another step: before its command stands what is expected and, if it is tried again, how often.
    pub(super) fn remarks(&self, step: &Step, known: &Known<'_>, question: &str, again: bool) -> Vec<String> {
        let hand = self.hand(step, known);
        let expected = self.expected(step, known, &hand.expect);
        let retry = step.retry.as_ref().filter(|_| again).map(|r| format!(" {}", self.retried(r, known))).unwrap_or_default();
        let mut lines = vec![unmarked(&format!("# {question}: {}.{retry}", human::and_list(&expected)))];
        lines.extend(hand.lines);
        lines.extend(hand.notes.iter().map(|n| unmarked(&format!("# {n}"))));
        lines
    }
}

/// A sentence as a text again, to stand before a line.
fn unmarked(markdown: &str) -> String {
    markdown.replace(['\n', '\r'], " ").replace('\\', "")
}

/// Limits as a person judges by them: "off target above 70%, warning above 80%".
fn judged(limits: &GradeLimits, known: &Known<'_>) -> Option<String> {
    let (values, unit): ([Value; 3], String) = match limits {
        GradeLimits::By(expr) => {
            let map = known.eval_loosely(expr)?;
            (["target", "warning", "critical"].map(|name| map.field(name)), words(&map.field("unit")))
        }
        GradeLimits::Inline { target, warning, critical, unit } => {
            let value = |arg: &Option<Arg>| arg.as_ref().map(|a| known.value(a)).unwrap_or_default();
            ([value(target), value(warning), value(critical)], unit.clone().unwrap_or_default())
        }
    };
    let given: Vec<(&str, &Value)> =
        ["off target", "warning", "critical"].into_iter().zip(&values).filter(|(_, v)| !v.is_null()).collect();
    let ([(_, first), ..], [.., (_, last)]) = (given.as_slice(), given.as_slice()) else { return None };
    // Of one limit alone, more is worse.
    let above = given.len() < 2 || compare(first, last).ok()? != Ordering::Greater;
    let word = if above { "above" } else { "below" };
    let unit = if unit.is_empty() || unit == "%" { unit } else { format!(" {unit}") };
    let all: Vec<String> = given.iter().map(|(name, value)| format!("{name} {word} {}{unit}", words(&show(value)))).collect();
    Some(all.join(", "))
}
