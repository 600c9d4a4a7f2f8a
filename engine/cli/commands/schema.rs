//! `runbook schema`: JSON Schemas for editors.

use runbook_core::exit::Exit;

use super::say;
use crate::args::SchemaKind;
use crate::context::Context;

pub(crate) fn schema(_: &Context, which: SchemaKind) -> Exit {
    let registry = runbook_modules::builtins();
    let schema = match which {
        SchemaKind::Playbook => serde_json::json!(registry.names().count()),
        SchemaKind::System => serde_json::json!(registry.names().count()),
    };
    say(&serde_json::to_string_pretty(&schema).unwrap_or_default());
    Exit::Ok
}
