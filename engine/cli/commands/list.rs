//! `runbook list`.

use runbook_core::exit::Exit;
use runbook_report::list::Row;

use super::{complain, loader, say};
use crate::context::Context;

pub(crate) fn list(context: &Context) -> Exit {
    let loader = match loader(context) {
        Ok(loader) => loader,
        Err(exit) => return exit,
    };
    let listed = match runbook_lang::index(&loader) {
        Ok(listed) => listed,
        Err(error) => {
            complain(context, &format!("the playbooks folder cannot be read: {error}"), Some("check its permissions"));
            return Exit::Invalid;
        }
    };
    let rows: Vec<Row> = listed
        .into_iter()
        .map(|l| Row {
            system: l.system.unwrap_or_default(),
            name: l.name,
            full_name: l.full_name,
            path: l.path,
            kind: l.kind.map_or("", runbook_lang::PlaybookKind::word),
            title: l.title,
            tags: l.tags,
            params: l.params,
            broken: l.broken,
        })
        .collect();
    if context.common.json {
        say(&runbook_report::list::json(&rows));
    } else if rows.is_empty() {
        say("no playbooks yet. Write one in the playbooks folder, for example playbooks/hello.yaml");
    } else {
        say(&runbook_report::list::list(&rows, &context.out));
    }
    Exit::Ok
}
