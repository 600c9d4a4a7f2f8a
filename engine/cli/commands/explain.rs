//! `runbook explain CODE`.

use runbook_core::code::Code;
use runbook_core::exit::Exit;

use super::{complain, say};
use crate::context::Context;

pub(crate) fn explain(context: &Context, code: Option<&str>) -> Exit {
    let Some(text) = code else {
        say(&runbook_report::code_doc::codes(&context.out));
        return Exit::Ok;
    };
    match Code::find(text) {
        Some(code) => {
            say(&runbook_report::code_doc::explain(code, &context.out));
            Exit::Ok
        }
        None => {
            complain(context, &format!("there is no code `{text}`"), Some("`runbook explain` lists them all"));
            Exit::Usage
        }
    }
}
