//! `runbook schema`: JSON Schemas for editors and for programs.

use runbook_core::exit::Exit;

use super::say;
use crate::args::SchemaKind;
use crate::context::Context;

pub(crate) fn schema(context: &Context, which: SchemaKind) -> Exit {
    let registry = crate::registry::registry(context);
    let schema = match which {
        SchemaKind::Playbook => runbook_lang::schema::playbook(&registry),
        SchemaKind::System => runbook_lang::schema::system(&registry),
        SchemaKind::Test => runbook_lang::schema::test(&registry),
        SchemaKind::Answers => runbook_lang::schema::answers(),
        SchemaKind::Event => runbook_core::published::event(),
        SchemaKind::Report => runbook_core::published::report(),
    };
    say(&serde_json::to_string_pretty(&schema).unwrap_or_default());
    Exit::Ok
}
