//! Tests of playbooks: a walk in the world that the test describes, held against what the test expects.

mod coverage;
mod expect;
mod lists;
mod paste;
mod suite;
mod trace;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use jiff::SignedDuration;
use runbook_core::code::Code;
use runbook_core::model::Plan;
use runbook_core::model::test::{PlayTest, Recorded, WorldRule};
use runbook_core::module::Registry;
use runbook_core::span::{Place, SourceMap, Span, Spanned};
use runbook_core::tested::{TestEnd, TestFailure, Tested, Trace};
use runbook_core::value::Value;

use crate::interp::{Inputs, RunResult, locked, run_then};
use crate::scripted::{MOST_MOVES, ScriptedWorld};

pub use coverage::points;
pub use suite::{Finished, Job, run_all};

use expect::{End, Looked, Wrong};
use trace::{Done, Labels};

/// How many calls that no rule answers are named.
const MOST_RULES: usize = 12;
/// Arguments are shown up to here.
const LONG_LINE: usize = 200;

/// Runs one test.
pub fn run_test(plan: &Arc<Plan>, registry: &Registry, test: &PlayTest) -> Tested {
    let began = Instant::now();
    let mut tested = match catch_unwind(AssertUnwindSafe(|| walk(plan, registry, test))) {
        Ok(tested) => tested,
        Err(panic) => {
            let said = panic.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
            let mut tested = blank(&plan.sources, test);
            tested.failures.push(TestFailure {
                code: Code::NotExpected,
                place: plan.sources.place(test.name.span),
                message: "the engine broke while it walked the playbook".to_owned(),
                expected: Vec::new(),
                seen: said.into_iter().collect(),
                help: Some("this is a mistake in runbook, not in the test; please report it with the playbook".to_owned()),
                paste: Vec::new(),
            });
            tested
        }
    };
    if !tested.failures.is_empty() {
        tested.end = TestEnd::Failed;
    }
    tested.took = began.elapsed();
    tested
}

/// A test of which nothing is known yet.
fn blank(sources: &SourceMap, test: &PlayTest) -> Tested {
    let nowhere = Place { file: String::new(), line: 1, column: 1 };
    Tested {
        name: test.name.value.clone(),
        place: sources.place(test.name.span).unwrap_or(nowhere),
        playbook: test.playbook.clone(),
        profile: test.profile.clone(),
        end: TestEnd::Passed,
        failures: Vec::new(),
        warnings: Vec::new(),
        used: Vec::new(),
        asked: Vec::new(),
        ended: String::new(),
        lasted: SignedDuration::ZERO,
        took: std::time::Duration::ZERO,
        trace: Trace::default(),
        taken: std::collections::BTreeSet::new(),
    }
}

/// What every run of a test is given: the same everywhere, so that what it records is the same everywhere.
fn inputs(test: &PlayTest) -> Inputs {
    let text = |value: &Value| match value {
        Value::Str(text) => text.to_string(),
        other => other.to_json().to_string(),
    };
    Inputs {
        run: "test".into(),
        operator: "tester".into(),
        host: "localhost".into(),
        version: String::new(),
        params: test.with.iter().filter(|(_, v)| !v.is_null()).map(|(n, v)| (n.value.clone(), text(v))).collect(),
        env: test.env.iter().map(|(n, v)| (n.value.clone(), v.clone())).collect(),
        state: "/state".into(),
        program: "/bin/runbook".into(),
        root: "/project".into(),
        invocation: format!("runbook play {}", test.play.value),
        detailed_exit: false,
        profile: None,
        resumes: None,
        step: false,
    }
}

fn walk(plan: &Arc<Plan>, registry: &Registry, test: &PlayTest) -> Tested {
    let world = ScriptedWorld::of(test, registry);
    let stop = test.interrupt.as_ref().map(|i| (i.after, i.reason));
    let walked = world
        .run(run_then(plan.clone(), registry, &world, inputs(test), |scope, result| expect::look(test, scope, result)), stop);
    let (done, labels) = Done::in_world(&world, &plan.root);
    let (result, looked): (Result<RunResult, Vec<String>>, Option<Looked>) = match walked {
        Ok(Ok((result, looked))) => (Ok(result), Some(looked)),
        Ok(Err(mistakes)) => (Err(mistakes), None),
        Err(_) => (Err(vec!["it waits for something that never comes".to_owned()]), None),
    };
    let mut tested = blank(&plan.sources, test);
    tested.lasted = world.elapsed();
    tested.ended = match &result {
        Ok(result) if result.message.is_empty() => result.outcome.word().to_owned(),
        Ok(result) => format!("{}: {}", result.outcome.word(), result.message),
        Err(mistakes) => format!("not begun: {}", mistakes.join("; ")),
    };
    let outcome = result.as_ref().map_or("not begun", |r| r.outcome.word());
    tested.trace = done.trace(outcome);
    tested.taken = coverage::taken(plan, &locked(&world.events));
    let unused = world.unused_answers();
    let answers = test.answers.iter().filter(|(id, _)| !unused.contains(&id.value)).map(|(id, _)| id.span);
    let rules = test.world.iter().zip(world.used()).filter(|(_, n)| *n > 0).map(|(rule, _)| rule.span);
    tested.used = rules.chain(answers).collect();
    let place = |span: Span| plan.sources.place(span);
    if world.exhausted() || walked_nowhere(&result) {
        tested.failures.push(never_ends(test, &done, place(test.name.span)));
        return tested;
    }
    let undeclared = undeclared(&world, registry, &labels, place(test.name.span));
    if !undeclared.is_empty() {
        tested.failures = undeclared;
        return tested;
    }
    let end = End { result: result.as_ref().map_err(Vec::as_slice), lasted: tested.lasted };
    let mut wrongs = expect::wrongs(test, &end, looked, &done);
    wrongs.extend(test.recorded.as_ref().and_then(|r| differs(r, &tested.trace)));
    tested.failures = wrongs.into_iter().map(|w| failure(w, &place)).collect();
    tested.asked = done.asked;
    tested
}

fn failure(wrong: Wrong, place: &dyn Fn(Span) -> Option<Place>) -> TestFailure {
    TestFailure {
        code: wrong.code,
        place: place(wrong.span),
        message: wrong.message,
        expected: wrong.expected,
        seen: wrong.seen,
        help: wrong.help,
        paste: Vec::new(),
    }
}

/// Whether the walk was given up because nothing could happen any more.
fn walked_nowhere(result: &Result<RunResult, Vec<String>>) -> bool {
    matches!(result, Err(mistakes) if mistakes.iter().any(|m| m == "it waits for something that never comes"))
}

fn never_ends(test: &PlayTest, done: &Done, place: Option<Place>) -> TestFailure {
    let calls = done.calls.iter().rev().take(3).rev().map(|call| format!("call of {call}"));
    let step = done.steps.last().map(|step| format!("the last step that ended was `{}`", step.label));
    let last: Vec<String> = step.into_iter().chain(trace::counted(calls)).collect();
    TestFailure {
        code: Code::NeverEnds,
        place,
        message: format!("{} comes to no end", test.playbook),
        expected: vec![format!("at most {MOST_MOVES} calls, questions and pauses, and as many steps")],
        seen: last,
        help: Some("bound the loop or the retry, or let the last turn of a `sequence` be what is waited for".to_owned()),
        paste: Vec::new(),
    }
}

/// The calls that no rule answers, with rules that do.
fn undeclared(world: &ScriptedWorld, registry: &Registry, labels: &Labels, place: Option<Place>) -> Vec<TestFailure> {
    let calls = locked(&world.undeclared);
    let mut lines: Vec<String> = Vec::new();
    let mut rules: Vec<(&str, Vec<String>)> = Vec::new();
    for call in calls.iter() {
        let step = labels.step_of(&call.path).map(|p| labels.label(&p)).unwrap_or_else(|| call.path.to_string());
        let line = clip(&format!("{} at {step}: {}", call.module, trace::shown_args(&call.args)));
        if !lines.contains(&line) {
            lines.push(line);
        }
        let rule = paste::rule(call, registry, labels);
        if !rules.iter().any(|(_, r)| *r == rule) {
            rules.push((&call.module, rule));
        }
    }
    if lines.is_empty() {
        return Vec::new();
    }
    let n = lines.len();
    if n > MOST_RULES {
        lines.truncate(MOST_RULES);
        lines.push(format!("and {} more", n - MOST_RULES));
    }
    vec![TestFailure {
        code: Code::UndeclaredCall,
        place,
        message: if n == 1 {
            "a call that no rule of the test's world answers".to_owned()
        } else {
            format!("{n} calls that no rule of the test's world answers")
        },
        expected: Vec::new(),
        seen: lines,
        help: Some("write under `world:` what they come to; what the test expects is looked at when all are there".to_owned()),
        paste: paste::fewer(&rules),
    }]
}

/// A line that is not too long to be read.
fn clip(text: &str) -> String {
    if text.chars().count() <= LONG_LINE {
        return text.to_owned();
    }
    text.chars().take(LONG_LINE - 1).chain(['…']).collect()
}

/// How a run differs from what was recorded.
fn differs(recorded: &Recorded, trace: &Trace) -> Option<Wrong> {
    let wrong = |message: &str, expected: Vec<String>, seen: Vec<String>, help: &str| Wrong {
        code: Code::NotRecorded,
        span: recorded.span,
        message: message.to_owned(),
        expected,
        seen,
        help: Some(help.to_owned()),
    };
    let Some(outcome) = &recorded.outcome else {
        return Some(wrong("nothing is recorded yet", Vec::new(), Vec::new(), "`runbook test --bless` writes it down"));
    };
    let lines = |outcome: &str, path: &[String], calls: &[String]| -> Vec<String> {
        std::iter::once(outcome)
            .chain(path.iter().map(String::as_str))
            .chain(calls.iter().map(String::as_str))
            .map(str::to_owned)
            .collect()
    };
    let (before, now) = (lines(outcome, &recorded.path, &recorded.calls), lines(&trace.outcome, &trace.path, &trace.calls));
    (before != now).then(|| {
        let help = "if this is meant, `runbook test --bless` writes down what is so now";
        wrong("the run differs from what was recorded", before, now, help)
    })
}

/// An answer that nobody asked for. With the answers of a file that is judged over all of its tests.
fn unused_answer(id: &Spanned<String>, place: Option<Place>, asked: Option<&[String]>) -> TestFailure {
    TestFailure {
        code: Code::UnknownAnswer,
        place,
        message: format!("nobody asked for the answer to `{}`", id.value),
        expected: Vec::new(),
        seen: Vec::new(),
        help: Some(match asked {
            None => "no test of the file asks that question".to_owned(),
            Some([]) => "no question was asked".to_owned(),
            Some(asked) => format!("asked were {}", asked.join(", ")),
        }),
        paste: Vec::new(),
    }
}

/// A rule that no call used.
fn unused_rule(rule: &WorldRule, place: Option<Place>, test: Option<&Tested>) -> TestFailure {
    let of_module: Vec<&String> =
        test.into_iter().flat_map(|t| &t.trace.calls).filter(|c| c.split(' ').next() == Some(rule.module.as_str())).collect();
    let help = match (test, of_module.as_slice()) {
        (None, _) => "no test of the file makes a call that fits it, or rules before it answer them all".to_owned(),
        (Some(_), []) => format!("the playbook made no call of `{}`", rule.module),
        (Some(_), [first, ..]) => format!("a call of it was `{first}`: it does not fit, or a rule before this one answers it"),
    };
    TestFailure {
        code: Code::UnusedRule,
        place,
        message: format!("no call used this rule for `{}`", rule.module),
        expected: Vec::new(),
        seen: Vec::new(),
        help: Some(help),
        paste: Vec::new(),
    }
}
