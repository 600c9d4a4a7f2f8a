//! The matrix: every fault in a stack of its own, and the table of what was found and done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::case::{Case, Row};
use super::stack::Stack;
use super::{database, gateway, processes, table, uvicorn};

/// What makes a row: the fault is put into a stack that runs, and the rest follows.
type Make = fn(&mut Case);

/// In the order of the table.
const ROWS: &[(&str, Make)] = &[
    ("killed", processes::killed),
    ("dependency_killed", processes::dependency_killed),
    ("gateway_killed", processes::gateway_killed),
    ("not_started", processes::not_started),
    ("not_listening", processes::not_listening),
    ("stopped", processes::stopped),
    ("dependency_stopped", processes::dependency_stopped),
    ("health_fails", processes::health_fails),
    ("port_taken", processes::port_taken),
    ("port_taken_at_start", processes::port_taken_at_start),
    ("module_missing", processes::module_missing),
    ("configuration_broken", processes::configuration_broken),
    ("locked_by_a_service", database::locked_by_a_service),
    ("locked_by_a_stranger", database::locked_by_a_stranger),
    ("database_missing", database::missing),
    ("database_missing_without_backup", database::missing_without_backup),
    ("database_damaged", database::damaged),
    ("empty", database::empty),
    ("archived", database::archived),
    ("other_user", database::other_user),
    ("ollama_down", gateway::ollama_down),
    ("ollama_needed", gateway::ollama_needed),
    ("model_absent", gateway::model_absent),
    ("model_slow", gateway::model_slow),
    ("memory_slow", gateway::memory_slow),
    ("tool_slow", gateway::tool_slow),
    ("unexplained", gateway::unexplained),
    ("dead_letters_of_connections", gateway::dead_letters_of_connections),
    ("dead_letters_of_time", gateway::dead_letters_of_time),
    ("dead_letters_of_policy", gateway::dead_letters_of_policy),
    ("many_dead_letters", gateway::many_dead_letters),
    ("breaker_with_its_cause", gateway::breaker_with_its_cause),
    ("breaker_without_its_cause", gateway::breaker_without_its_cause),
    ("endpoint_hangs", gateway::endpoint_hangs),
    ("personal_data", gateway::personal_data),
    ("slow_stop", processes::slow_stop),
    ("term_ignored", processes::term_ignored),
    ("term_ignored_at_restart", processes::term_ignored_at_restart),
    ("emergency", processes::emergency),
];

/// The same under uvicorn, where it could be otherwise.
const UNDER_UVICORN: &[(&str, Make)] = &[
    ("uvicorn_killed", processes::killed),
    ("uvicorn_stopped", processes::stopped),
    ("uvicorn_health_fails", processes::health_fails),
    ("uvicorn_module_missing", uvicorn::module_missing),
    ("uvicorn_not_installed", uvicorn::not_installed),
    ("uvicorn_request_hangs", uvicorn::request_hangs),
    ("uvicorn_term_ignored", processes::term_ignored),
];

/// What became of a row: the row, or why it failed.
type Made = Result<Row, String>;

/// Makes a row in a stack that runs.
fn make(name: &str, row: Make, stack: Stack) -> Made {
    match catch_unwind(AssertUnwindSafe(|| stack.started())) {
        Ok(stack) => make_unstarted(name, row, stack),
        Err(_) => Err(format!("{name}: the stack did not start")),
    }
}

/// Makes a row in a stack that was not started yet.
pub(super) fn make_unstarted(name: &str, row: Make, stack: Stack) -> Made {
    let made = catch_unwind(AssertUnwindSafe(|| {
        let mut case = Case::new(stack);
        row(&mut case);
        case.row
    }));
    made.map_err(|why| {
        let text = why.downcast_ref::<String>().cloned().or(why.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        format!("{name}: {}", text.unwrap_or_default())
    })
}

/// Whether a row was asked for: `FAULT=name` makes the rows with that name only, and no table.
fn chosen(name: &str) -> bool {
    std::env::var("FAULT").is_ok_and(|wanted| name.contains(&wanted)) || std::env::var_os("FAULT").is_none()
}

#[test]
fn every_fault_is_found_without_a_question_and_repaired_where_it_can_be() {
    let python: Option<PathBuf> = uvicorn::python();
    let made: Vec<Mutex<Option<Made>>> = ROWS.iter().chain(UNDER_UVICORN).map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for lane in 0..2 {
            let (made, next) = (&made, &next);
            let take = || {
                let at = next.fetch_add(1, Ordering::Relaxed);
                ROWS.get(at).map(|(name, row)| (at, name, row))
            };
            scope.spawn(move || {
                while let Some((at, name, row)) = take() {
                    if chosen(name) {
                        *made[at].lock().unwrap() = Some(make(name, *row, Stack::of_stand_ins(lane)));
                    }
                }
            });
        }
        if let Some(python) = &python {
            for (at, (name, row)) in UNDER_UVICORN.iter().enumerate().filter(|(_, (name, _))| chosen(name)) {
                let made_here = match *name {
                    "uvicorn_module_missing" => uvicorn::with_a_module_missing(name, *row, python),
                    // It is not there from the beginning.
                    "uvicorn_not_installed" => make_unstarted(name, *row, Stack::of_uvicorn(2, python)),
                    _ => make(name, *row, Stack::of_uvicorn(2, python)),
                };
                let made_here = made_here.map(|row| Row { fault: format!("{}, under uvicorn", row.fault), ..row });
                *made[ROWS.len() + at].lock().unwrap() = Some(made_here);
            }
        }
    });
    let made: Vec<Made> = made.into_iter().filter_map(|m| m.into_inner().unwrap()).collect();
    let (rows, failed): (Vec<Made>, Vec<Made>) = made.into_iter().partition(Result::is_ok);
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    table::times(&rows);
    let failed: Vec<String> = failed.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{} of {} rows failed:\n\n{}", failed.len(), failed.len() + rows.len(), failed.join("\n\n"));
    if std::env::var_os("FAULT").is_none() {
        table::compare(&rows, python.is_some());
    }
}
