//! `runbook explain CODE`.

use runbook_core::code::Code;
use runbook_core::exit::Exit;

use super::{complain, say};
use crate::context::Context;

pub(crate) fn explain(context: &Context, code: Option<&str>) -> Exit {
    let Some(text) = code else {
        if context.common.json {
            say(&runbook_report::code_doc::codes_json());
        } else {
            say(&runbook_report::code_doc::codes(&context.out));
        }
        return Exit::Ok;
    };
    match Code::find(text) {
        Some(code) if context.common.json => {
            say(&runbook_report::code_doc::explain_json(code));
            Exit::Ok
        }
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
