//! The faults that do something at the moment they are set; the others are looked up when they matter.

use std::sync::Arc;
use std::time::Duration;

use crate::fault::{Crash, DlqGrowth, Faults};
use crate::gateway::Gateway;
use crate::state::{State, lock};
use crate::{console, memory, python};

/// How long a crash waits for its own answer to reach the client.
const ANSWER_GRACE: Duration = Duration::from_millis(20);

/// Carries out the faults of the fault file once the port is bound; what cannot be is said on standard error.
pub(crate) async fn at_start(state: &Arc<State>, faults: &Faults) {
    if let Err(message) = apply(state, faults, |_| true).await {
        console::error_text(&format!("error: fault not applied: {message}"));
    }
}

/// Carries out those faults whose keys are `chosen`; the error says what could not be done.
pub(crate) async fn apply(state: &Arc<State>, faults: &Faults, chosen: impl Fn(&str) -> bool) -> Result<(), String> {
    if let Some(gateway) = &state.gateway {
        if let Some(fault) = faults.breaker_open.as_ref().filter(|_| chosen("breaker_open")) {
            lock(&gateway.breakers).inject(&fault.capability, fault.cause_fixed);
        }
        if let Some(growth) = faults.dlq_growth.as_ref().filter(|_| chosen("dlq_growth")) {
            grow(state, gateway, growth.clone());
        }
    }
    if faults.raw_personal_data && chosen("raw_personal_data") {
        leak(state);
    }
    if let Some(rows) = faults.memory_rows.filter(|_| chosen("memory_rows")) {
        memory::set_rows(state, rows).await?;
    }
    if chosen("db_lock") {
        match &faults.db_lock {
            Some(fault) => hold(state, fault.hold_ms).await?,
            None => release(state),
        }
    }
    if let Some(crash) = faults.crash.clone().filter(|_| chosen("crash")) {
        tokio::spawn(die(Arc::clone(state), crash));
    }
    Ok(())
}

/// Undoes what the faults hold or keep doing.
pub(crate) fn clear(state: &State) {
    state.growth.restart();
    release(state);
    if let Some(gateway) = &state.gateway {
        lock(&gateway.breakers).fix_all();
    }
}

async fn die(state: Arc<State>, crash: Crash) {
    tokio::time::sleep(crash.after_ms.map_or(ANSWER_GRACE, Duration::from_millis)).await;
    // Cleared or replaced in the meantime: the process lives on.
    if state.faults().crash.as_ref() == Some(&crash) {
        console::error_text(&python::at_run(&state.options, crash.at_run()));
        std::process::exit(crash.exit_code);
    }
}

/// Adds dead letters, all at once or one by one.
fn grow(state: &Arc<State>, gateway: &Gateway, growth: DlqGrowth) {
    let at_once = if growth.every_ms == 0 { growth.count } else { growth.count.min(1) };
    for _ in 0..at_once {
        gateway.bury_injected(&growth);
    }
    let timer = state.growth.restart();
    if growth.count == at_once {
        return;
    }
    let state = Arc::clone(state);
    tokio::spawn(async move {
        for _ in at_once..growth.count {
            tokio::time::sleep(Duration::from_millis(growth.every_ms)).await;
            match &state.gateway {
                Some(gateway) if state.growth.is(timer) => gateway.bury_injected(&growth),
                _ => return,
            }
        }
    });
}

/// Writes personal data where it must not be.
fn leak(state: &State) {
    console::error_text(
        "ERROR:    lookup failed for jane.doe@example.com (ssn 123-45-6789, card 4111 1111 1111 1111, \
         phone 555-123-4567, Authorization: Bearer abcdef0123456789, api_key=sk-live-0123456789abcdef)",
    );
    if let Some(gateway) = &state.gateway {
        gateway.leak();
    }
}

/// Takes the write lock of the database, for a time or until it is released.
async fn hold(state: &Arc<State>, hold_ms: Option<u64>) -> Result<(), String> {
    if lock(&state.held).is_none() {
        let file = state.options.database();
        let begun = tokio::task::spawn_blocking(move || memory::begin_immediate(&file)).await;
        let connection = begun.map_err(|error| error.to_string())?.map_err(|error| error.exception())?;
        *lock(&state.held) = Some(connection);
    }
    let timer = state.hold.restart();
    if let Some(hold_ms) = hold_ms {
        let state = Arc::clone(state);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(hold_ms)).await;
            if state.hold.is(timer) {
                release(&state);
            }
        });
    }
    Ok(())
}

fn release(state: &State) {
    state.hold.restart();
    *lock(&state.held) = None;
}
