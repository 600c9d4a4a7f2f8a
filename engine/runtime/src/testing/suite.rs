//! Many tests at the same time, each in a world of its own.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use runbook_core::code::Code;
use runbook_core::model::Plan;
use runbook_core::model::test::{PlayTest, TestFile};
use runbook_core::module::Registry;
use runbook_core::span::Span;
use runbook_core::tested::{TestEnd, TestFailure, Tested};

use super::{blank, run_test, unused_answer, unused_rule};
use crate::interp::locked;

/// The stack of a thread: a playbook may be nested deep.
const STACK: usize = 16 * 1024 * 1024;

/// A test with the plan of its playbook.
#[derive(Clone)]
pub struct Job {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The test.
    pub test: Arc<PlayTest>,
}

/// What all tests came to.
pub struct Finished {
    /// The tests in their order.
    pub tests: Vec<Tested>,
    /// Rules that are shared by the tests of a file and that none of them used.
    pub warnings: Vec<TestFailure>,
}

/// Runs tests, so many at the same time. `files` are those whose tests all run, whose shared rules can therefore be judged.
pub fn run_all(jobs: &[Job], files: &[TestFile], registry: &Registry, threads: usize, fail_fast: bool) -> Finished {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let done: Mutex<Vec<(usize, Tested)>> = Mutex::new(Vec::with_capacity(jobs.len()));
    let work = || {
        let mut own = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(at) else { break };
            if fail_fast && failed.load(Ordering::Relaxed) {
                own.push((at, Tested { end: TestEnd::NotRun, ..blank(&job.plan.sources, &job.test) }));
                continue;
            }
            let tested = run_test(&job.plan, registry, &job.test);
            if tested.end == TestEnd::Failed {
                failed.store(true, Ordering::Relaxed);
            }
            own.push((at, tested));
        }
        locked(&done).append(&mut own);
    };
    let threads = threads.clamp(1, jobs.len().max(1));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // With fewer threads than wished for the tests still all run: this one works too.
            if std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let mut tests = std::mem::take(&mut *locked(&done));
    tests.sort_by_key(|(at, _)| *at);
    let mut tests: Vec<Tested> = tests.into_iter().map(|(_, t)| t).collect();
    let shared: HashSet<Span> =
        files.iter().flat_map(|f| f.shared.iter().map(|r| r.span).chain(f.answers.iter().map(|id| id.span))).collect();
    for (job, tested) in jobs.iter().zip(&mut tests) {
        unused(job, &shared, tested);
    }
    let warnings = shared_rules(jobs, files, &tests);
    Finished { tests, warnings }
}

/// Adds warnings about a test's own rules that no call used, and its own answers that nobody asked for.
fn unused(job: &Job, shared: &HashSet<Span>, tested: &mut Tested) {
    if tested.end == TestEnd::NotRun || tested.trace.outcome.is_empty() {
        return;
    }
    let idle = |span: &Span| !shared.contains(span) && !tested.used.contains(span);
    let place = |span: Span| job.plan.sources.place(span);
    let mut out: Vec<TestFailure> = Vec::new();
    // Of a world that is not whole it cannot be said.
    if !tested.failures.iter().any(|f| matches!(f.code, Code::UndeclaredCall | Code::NeverEnds)) {
        let answers = job.test.answers.iter().map(|(id, _)| id).filter(|id| idle(&id.span));
        out.extend(answers.map(|id| unused_answer(id, place(id.span), Some(&tested.asked))));
    }
    let rules = job.test.world.iter().filter(|rule| idle(&rule.span));
    out.extend(rules.map(|rule| unused_rule(rule, place(rule.span), Some(tested))));
    tested.warnings.extend(out);
}

/// Rules and answers of files that none of their tests used; only where all of them ran and passed.
fn shared_rules(jobs: &[Job], files: &[TestFile], tests: &[Tested]) -> Vec<TestFailure> {
    let mut out = Vec::new();
    for file in files {
        let mut own = jobs.iter().zip(tests).filter(|(job, _)| file.tests.iter().any(|t| Arc::ptr_eq(t, &job.test))).peekable();
        let Some((first, _)) = own.peek() else { continue };
        let sources = first.plan.sources.clone();
        let ran: Vec<&Tested> = own.map(|(_, t)| t).collect();
        if ran.len() != file.tests.len() || ran.iter().any(|t| t.end != TestEnd::Passed) {
            continue;
        }
        let used: HashSet<Span> = ran.iter().flat_map(|t| t.used.iter().copied()).collect();
        out.extend(file.shared.iter().filter(|r| !used.contains(&r.span)).map(|r| unused_rule(r, sources.place(r.span), None)));
        let answers = file.answers.iter().filter(|id| !used.contains(&id.span));
        out.extend(answers.map(|id| unused_answer(id, sources.place(id.span), None)));
    }
    out
}
