//! The list of playbooks.

use indexmap::IndexMap;
use runbook_core::model::{Contents, Playbook, Unit};
use serde_json::json;

use crate::human;
use crate::ink::{Ink, Line};
use crate::page::Page;
use crate::policy::TermPolicy;

/// What kind of playbook it is, in a word.
pub fn kind(playbook: &Playbook) -> &'static str {
    match playbook.contents {
        Contents::Steps(_) => "procedure",
        Contents::Checks(_) => "checklist",
        Contents::Triage(_) => "triage",
    }
}

/// The playbooks by system: name, kind and title.
pub fn list(units: &[Unit], policy: &TermPolicy) -> String {
    if units.is_empty() {
        return "there are no playbooks here\n".to_owned();
    }
    let mut page = Page::new(policy);
    let mut systems: IndexMap<&str, Vec<&Unit>> = IndexMap::new();
    for unit in units {
        systems.entry(unit.system.name.as_str()).or_default().push(unit);
    }
    let widest = units.iter().map(|u| console::measure_text_width(&u.playbook.name)).max().unwrap_or(0);
    let column = 2 + widest.min(policy.width / 3) + 2;
    let narrow = policy.width < 60;
    let mut first = true;
    for (system, mut units) in systems {
        if !std::mem::take(&mut first) {
            page.blank();
        }
        let mut head = Line::of(Ink::Accent, if system.is_empty() { "without a system" } else { system });
        if let Some(line) = units.first().and_then(|u| u.system.description.as_deref()).and_then(|d| d.lines().next()) {
            head.push(Ink::Dim, &format!("  {line}"));
        }
        page.push(head);
        units.sort_by(|a, b| a.playbook.name.cmp(&b.playbook.name));
        for unit in units {
            let playbook = &unit.playbook;
            let name = Line::indent(2).with(Ink::Bold, &playbook.name);
            if narrow {
                page.push(name.with(Ink::Dim, &format!("  {}", kind(playbook))));
                page.push(Line::indent(4).with(Ink::Plain, &playbook.title));
                continue;
            }
            let mut line = name.fit(column.saturating_sub(2), page.glyphs.ellipsis);
            line.pad_to(column);
            line.push(Ink::Dim, kind(playbook));
            line.pad_to(column + 11);
            page.push(line.with(Ink::Plain, &playbook.title));
        }
    }
    page.blank();
    page.push(Line::of(Ink::Dim, &format!("{}; runbook show NAME tells more", human::count(units.len(), "playbook"))));
    page.finish()
}

/// The playbooks as JSON, with a line break at the end.
pub fn json(units: &[Unit]) -> String {
    let all: Vec<serde_json::Value> = units
        .iter()
        .map(|unit| {
            json!({
                "name": unit.playbook.full_name,
                "system": unit.system.name,
                "kind": kind(&unit.playbook),
                "title": unit.playbook.title.value,
                "tags": unit.playbook.tags,
                "params": unit.playbook.params.iter().map(|p| json!({
                    "name": p.name.value,
                    "type": p.ty.word(),
                    "required": p.required,
                    "help": p.help,
                })).collect::<Vec<_>>(),
            })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Array(all))
}
