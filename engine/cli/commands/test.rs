//! `runbook test [NAME|PATH…]`: tests of playbooks in scripted worlds.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use runbook_core::code::Code;
use runbook_core::exit::Exit;
use runbook_core::model::test::PlayTest;
use runbook_core::span::{SourceId, SourceMap, Span};
use runbook_core::tested::{PlaybookCoverage, PointKey, TestEnd, Tested, Trace};
use runbook_lang::{DiskLoader, Suite};
use runbook_report::tests::{TestReport, diff_text, human, json, junit, list, list_json};
use runbook_runtime::testing::{Job, points, run_all};

use super::{complain, loader, say, tell_diagnostics};
use crate::args::Test;
use crate::context::Context;

pub(crate) fn test(context: &Context, args: &Test) -> Exit {
    let loader = match loader(context) {
        Ok(loader) => loader,
        Err(exit) => return exit,
    };
    let registry = crate::registry::registry(context);
    let began = Instant::now();
    let names: Vec<String> = args.names.iter().map(|n| as_path(context, n)).collect();
    let suite = runbook_lang::load_tests(&loader, &names, &registry);
    if suite.has_errors() {
        tell_diagnostics(context, &suite.diagnostics, &suite.sources);
        return Exit::Invalid;
    }
    if !suite.diagnostics.is_empty() && !context.common.json && !context.common.quiet {
        tell_diagnostics(context, &suite.diagnostics, &suite.sources);
    }
    let filter = match args.filter.as_deref().map(Filter::read).transpose() {
        Ok(filter) => filter,
        Err(message) => {
            complain(
                context,
                &format!("--filter: {message}"),
                Some("write the words of a test's name, or a pattern as `/REGEX/`"),
            );
            return Exit::Usage;
        }
    };
    let jobs = jobs(&suite, filter.as_ref());
    if args.list {
        let tests: Vec<(&PlayTest, &SourceMap)> = jobs.iter().map(|j| (&*j.test, &*suite.sources)).collect();
        say(&if context.common.json { list_json(&tests) } else { list(&tests, &context.out) });
        return Exit::Ok;
    }
    if jobs.is_empty() {
        return none_found(context, args);
    }
    let threads = args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let finished = run_all(&jobs, &suite.files, &registry, threads, args.fail_fast);
    let mut report = TestReport {
        tests: finished.tests,
        warnings: finished.warnings,
        strict: args.strict,
        coverage: None,
        least: args.min_coverage,
        took: began.elapsed(),
    };
    if args.coverage || args.min_coverage.is_some() {
        report.coverage = Some(coverage(&suite, &jobs, &report.tests, args));
    }
    // What the tests came to is shown whatever could not be written.
    let mut unwritten = None;
    if args.bless {
        unwritten = bless(context, &loader, &suite, &jobs, &mut report);
    }
    if let Some(path) = &args.junit
        && let Err(error) = std::fs::write(context.cwd.join(path), junit(&report))
    {
        complain(context, &format!("{} cannot be written: {error}", path.display()), Some("give a file that may be written"));
        unwritten = Some(Exit::Internal);
    }
    if !args.coverage && report.covers_enough() {
        // Asked for was that it is enough, and it is.
        report.coverage = None;
    }
    say(&if context.common.json { json(&report) } else { human(&report, &context.out, context.level()) });
    match unwritten {
        Some(exit) => exit,
        None if report.is_good() => Exit::Ok,
        None => Exit::Failed,
    }
}

/// What lies on disk is named by its path; everything else is a name.
fn as_path(context: &Context, name: &str) -> String {
    let path = context.cwd.join(name);
    let looks_like_one = name.contains('/') || name.ends_with(".yaml") || name.ends_with(".yml") || name == ".";
    if !(looks_like_one && path.exists()) {
        return name.to_owned();
    }
    std::fs::canonicalize(&path).unwrap_or(path).to_string_lossy().into_owned()
}

/// Which tests are wanted.
enum Filter {
    /// Those whose name holds all of these, in lower case.
    Words(Vec<String>),
    /// Those whose name the pattern is found in.
    Pattern(regex::Regex),
}

impl Filter {
    fn read(text: &str) -> Result<Filter, String> {
        match text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|pattern| !pattern.is_empty()) {
            Some(pattern) => regex::Regex::new(pattern).map(Filter::Pattern).map_err(|error| {
                // The library draws the place over several lines; its last one says what is wrong.
                let error = error.to_string();
                format!("/{pattern}/ is no pattern: {}", error.lines().last().unwrap_or(&error).trim_start_matches("error: "))
            }),
            None => Ok(Filter::Words(text.to_lowercase().split_whitespace().map(str::to_owned).collect())),
        }
    }

    fn takes(&self, name: &str) -> bool {
        match self {
            Filter::Words(words) => {
                let name = name.to_lowercase();
                words.iter().all(|word| name.contains(word))
            }
            Filter::Pattern(pattern) => pattern.is_match(name),
        }
    }
}

fn jobs(suite: &Suite, filter: Option<&Filter>) -> Vec<Job> {
    let tests = suite.files.iter().flat_map(|f| &f.tests);
    tests
        .filter(|t| filter.is_none_or(|filter| filter.takes(&t.name.value)))
        .filter_map(|test| {
            let plan = suite.plans.get(&(test.playbook.clone(), test.profile.clone()))?;
            Some(Job { plan: plan.clone(), test: test.clone() })
        })
        .collect()
}

fn none_found(context: &Context, args: &Test) -> Exit {
    let (message, help) = match (&args.filter, args.names.as_slice()) {
        (Some(filter), _) => (format!("no tests found whose name fits {filter:?}"), "`runbook test --list` shows what there is"),
        (None, []) => (
            "no tests found".to_owned(),
            "write one in `tests/NAME.test.yaml` beside the playbooks: `test: WHAT IT SHOWS`, `play: PLAYBOOK`, `world:`, `expect:`",
        ),
        (None, names) => (format!("no tests found for {}", names.join(", ")), "`runbook test --list` shows what there is"),
    };
    complain(context, &message, Some(help));
    Exit::Failed
}

/// The coverage of every playbook of the project, or of those that the chosen tests play.
fn coverage(suite: &Suite, jobs: &[Job], tests: &[Tested], args: &Test) -> Vec<PlaybookCoverage> {
    let taken: BTreeSet<&PointKey> = tests.iter().flat_map(|t| &t.taken).collect();
    let all = args.names.is_empty() && args.filter.is_none();
    let played = |name: &str| tests.iter().filter(|t| t.playbook == name).count();
    suite
        .playbooks
        .iter()
        .filter(|name| all || played(name) > 0)
        .filter_map(|name| {
            let unit = jobs.iter().find_map(|j| j.plan.units.get(name))?;
            let mut points = points(&unit.playbook, &suite.sources);
            for point in &mut points {
                point.taken = taken.contains(&point.key);
            }
            Some(PlaybookCoverage { playbook: name.clone(), tests: played(name), points })
        })
        .collect()
}

/// Writes down what runs do now. A test whose expectations do not hold is left as it is. Gives the exit if a file could not be written.
fn bless(context: &Context, loader: &DiskLoader, suite: &Suite, jobs: &[Job], report: &mut TestReport) -> Option<Exit> {
    let mut unwritten = None;
    let mut shown = String::new();
    let mut refused: Vec<String> = Vec::new();
    for file in &suite.files {
        let mut edits: Vec<(Span, Trace)> = Vec::new();
        let mut written: Vec<usize> = Vec::new();
        for (at, (job, tested)) in jobs.iter().zip(&report.tests).enumerate() {
            let Some(recorded) = job.test.recorded.as_ref().filter(|r| r.span.source == file.file) else { continue };
            if tested.end != TestEnd::Failed {
                continue;
            }
            if tested.failures.iter().any(|f| f.code != Code::NotRecorded) {
                refused.push(tested.name.clone());
                continue;
            }
            edits.push((recorded.span, tested.trace.clone()));
            written.push(at);
        }
        if edits.is_empty() {
            continue;
        }
        match write(context, loader, suite, file.file, &file.path, &edits) {
            Ok(text) => shown.push_str(&text),
            Err(exit) => {
                unwritten = Some(exit);
                continue;
            }
        }
        for at in written {
            report.tests[at].failures.clear();
            report.tests[at].end = TestEnd::Passed;
        }
    }
    if !context.common.json {
        if !shown.is_empty() && !context.common.quiet {
            say(&shown);
        }
        for name in refused {
            complain(context, &format!("not recorded: {name:?}"), Some("what it expects does not hold; mend that first"));
        }
    }
    unwritten
}

/// Writes one file, and gives the difference.
fn write(
    context: &Context,
    loader: &DiskLoader,
    suite: &Suite,
    source: SourceId,
    path: &str,
    edits: &[(Span, Trace)],
) -> Result<String, Exit> {
    let Some(source) = suite.sources.get(source) else { return Ok(String::new()) };
    let runs: Vec<(Span, &Trace)> = edits.iter().map(|(span, trace)| (*span, trace)).collect();
    let new = runbook_lang::bless(&source.text, &runs).map_err(|span| {
        let place = suite.sources.place(span).map(|p| p.to_string()).unwrap_or_default();
        complain(context, &format!("{place}: `recorded` stands inside braces"), Some("write the test in lines of its own"));
        Exit::Invalid
    })?;
    let target = loader.root().join(Path::new(path));
    // What somebody else wrote meanwhile is not overwritten.
    let unchanged = std::fs::read_to_string(&target).is_ok_and(|now| now.trim_start_matches('\u{feff}') == &*source.text);
    let written = if unchanged {
        std::fs::write(&target, &new).map_err(|e| e.to_string())
    } else {
        Err("it was changed meanwhile".to_owned())
    };
    if let Err(error) = written {
        complain(context, &format!("{} cannot be written: {error}", source.name), Some("nothing was recorded there"));
        return Err(Exit::Internal);
    }
    Ok(diff_text(&source.name, &source.text, &new, &context.out))
}
