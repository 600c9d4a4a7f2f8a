//! `runbook show NAME`.

use runbook_core::exit::Exit;
use runbook_report::show::{self, Shown};

use super::reading::Reading;
use super::say;
use crate::context::Context;

pub(crate) fn show(context: &Context, name: &str, profile: Option<&str>) -> Exit {
    let reading = match Reading::of(context, name, profile, &[]) {
        Ok(reading) => reading,
        Err(exit) => return exit,
    };
    let shown = Shown { plan: &reading.plan, registry: &reading.registry, known: reading.known() };
    say(&if context.common.json { show::json(&shown) } else { show::show(&shown, &context.out) });
    Exit::Ok
}
