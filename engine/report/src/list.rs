//! The list of playbooks.

use indexmap::IndexMap;
use serde_json::json;

use crate::human;
use crate::ink::{Ink, Line};
use crate::page::Page;
use crate::policy::TermPolicy;

/// A playbook as it is listed.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Its system; empty if it has none.
    pub system: String,
    /// Its name without its system.
    pub name: String,
    /// Its name with its system.
    pub full_name: String,
    /// Its file.
    pub path: String,
    /// What it is made of: `procedure`, `checklist` or `triage`; empty if the file is broken.
    pub kind: &'static str,
    /// What it does.
    pub title: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// The names of its parameters, with whether each must be given.
    pub params: Vec<(String, bool)>,
    /// Why the file cannot be read, if it cannot.
    pub broken: Option<String>,
}

/// The playbooks by system: name, kind and title. Broken files are named with what is wrong.
pub fn list(rows: &[Row], policy: &TermPolicy) -> String {
    if rows.is_empty() {
        return "there are no playbooks here\n".to_owned();
    }
    let mut page = Page::new(policy);
    let mut systems: IndexMap<&str, Vec<&Row>> = IndexMap::new();
    for row in rows {
        systems.entry(row.system.as_str()).or_default().push(row);
    }
    let widest = rows.iter().map(|r| console::measure_text_width(&r.name)).max().unwrap_or(0);
    let column = 2 + widest.min(policy.width / 3) + 2;
    let narrow = policy.width < 60;
    let mut first = true;
    for (system, mut rows) in systems {
        if !std::mem::take(&mut first) {
            page.blank();
        }
        page.push(Line::of(Ink::Accent, if system.is_empty() { "without a system" } else { system }));
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        for row in rows {
            let name = Line::indent(2).with(Ink::Bold, &row.name);
            let (kind, text) = match &row.broken {
                Some(why) => ("broken", why.as_str()),
                None => (row.kind, row.title.as_str()),
            };
            let ink = if row.broken.is_some() { Ink::Bad } else { Ink::Plain };
            if narrow {
                page.push(name.with(Ink::Dim, &format!("  {kind}")));
                page.push(Line::indent(4).with(ink, text));
                continue;
            }
            let mut line = name.fit(column.saturating_sub(2), page.glyphs.ellipsis);
            line.pad_to(column);
            line.push(Ink::Dim, kind);
            line.pad_to(column + 11);
            page.push(line.with(ink, text));
        }
    }
    page.blank();
    page.push(Line::of(Ink::Dim, &format!("{}; runbook show NAME tells more", human::count(rows.len(), "playbook"))));
    page.finish()
}

/// The playbooks as JSON, with a line break at the end.
pub fn json(rows: &[Row]) -> String {
    let all: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            json!({
                "name": row.full_name,
                "system": row.system,
                "kind": row.kind,
                "title": row.title,
                "tags": row.tags,
                "params": row.params.iter().map(|(name, required)| json!({ "name": name, "required": required })).collect::<Vec<_>>(),
                "file": row.path,
                "broken": row.broken,
            })
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&json!({ "playbooks": all })).unwrap_or_default();
    text.push('\n');
    text
}
