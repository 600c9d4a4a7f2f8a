//! The pages of modules, made of the table that they are registered in.

use runbook_core::module::{Entry, Kind, Registry};
use serde_json::json;

use crate::ink::{Ink, Line};
use crate::page::{Page, cell, code};
use crate::policy::TermPolicy;
use crate::schema_doc::{Field, fields};

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Probe => "probe",
        Kind::Action => "action",
    }
}

fn effect_text(entry: &Entry) -> &'static str {
    match (entry.kind, entry.declared_effect) {
        (Kind::Probe, _) => "It only looks: its effect is `read`, and a dry run really runs it.",
        (Kind::Action, true) => "It changes something unless the step declares `effect: read`.",
        (Kind::Action, false) => "It changes something; a dry run only plans it.",
    }
}

fn about(entry: &Entry, field: &Field) -> String {
    let mut words = vec![field.ty.clone()];
    if field.required {
        words.push("required".to_owned());
    }
    if let Some(default) = &field.default {
        words.push(format!("default {}", if default.is_empty() { "\"\"" } else { default }));
    }
    if entry.main.as_deref() == Some(field.name.as_str()) {
        words.push("main".to_owned());
    }
    words.join(", ")
}

/// Fields that must be given first, otherwise as declared; nested ones stay with their parent.
fn ordered(schema: &serde_json::Value) -> Vec<Field> {
    let all = fields(schema);
    let required: Vec<String> = all.iter().filter(|f| f.required && !f.name.contains('.')).map(|f| f.name.clone()).collect();
    let top = |f: &Field| f.name.split(['.', '[']).next().is_some_and(|n| required.iter().any(|r| r == n));
    let (first, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|f| top(f));
    first.into_iter().chain(rest).collect()
}

/// The page of a module on a terminal.
pub fn page(entry: &Entry, policy: &TermPolicy) -> String {
    let mut page = Page::new(policy);
    page.title(&entry.name, kind_word(entry.kind));
    if let Some(source) = &entry.source {
        page.prose_line(2, Ink::Dim, &source.display().to_string());
    }
    page.prose(2, Ink::Plain, entry.doc());
    let arguments = ordered(&entry.args_schema);
    if !arguments.is_empty() {
        page.heading("Arguments");
        for field in &arguments {
            page.term(2, &field.name, &about(entry, field), &field.doc);
        }
    }
    if let Some(main) = &entry.main {
        page.blank();
        page.prose(2, Ink::Dim, &format!("A value that is not a map stands for `{main}`."));
    }
    page.heading("Result");
    for field in fields(&entry.result_schema) {
        page.term(2, &field.name, &field.ty, &field.doc);
    }
    page.heading("Succeeds when");
    page.code(2, &entry.verdict);
    page.heading("Effect");
    page.prose(2, Ink::Plain, effect_text(entry));
    if !entry.examples.is_empty() {
        page.heading("Examples");
        for (i, example) in entry.examples.iter().enumerate() {
            if i > 0 {
                page.blank();
            }
            page.prose(2, Ink::Dim, example.title);
            page.code(4, example.yaml.trim_end());
        }
    }
    page.finish()
}

/// The page of a module as Markdown.
pub fn page_markdown(entry: &Entry) -> String {
    let mut out = format!("# `{}`\n\n*{}*\n\n{}\n", entry.name, capital(kind_word(entry.kind)), entry.doc().trim());
    let arguments = ordered(&entry.args_schema);
    if !arguments.is_empty() {
        out.push_str("\n## Arguments\n\n| name | type | default | meaning |\n|---|---|---|---|\n");
        for field in &arguments {
            let default = match &field.default {
                _ if field.required => "**required**".to_owned(),
                Some(default) if default.is_empty() => "empty".to_owned(),
                Some(default) => code(default),
                None => String::new(),
            };
            out.push_str(&format!("| {} | {} | {} | {} |\n", code(&field.name), cell(&field.ty), default, cell(&field.doc)));
        }
        if let Some(main) = &entry.main {
            out.push_str(&format!("\nA value that is not a map stands for `{main}`.\n"));
        }
    }
    let result = fields(&entry.result_schema);
    if !result.is_empty() {
        out.push_str("\n## Result\n\n| name | type | meaning |\n|---|---|---|\n");
        for field in &result {
            out.push_str(&format!("| {} | {} | {} |\n", code(&field.name), cell(&field.ty), cell(&field.doc)));
        }
    }
    out.push_str(&format!("\n## Succeeds when\n\n{}\n\n## Effect\n\n{}\n", code(&entry.verdict), effect_text(entry)));
    if !entry.examples.is_empty() {
        out.push_str("\n## Examples\n");
        for example in entry.examples.iter() {
            out.push_str(&format!("\n{}\n\n```yaml\n{}\n```\n", example.title, example.yaml.trim_end()));
        }
    }
    out
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// All modules on a terminal: probes, then actions, a line each.
pub fn list(registry: &Registry, policy: &TermPolicy) -> String {
    let mut page = Page::new(policy);
    let column = registry.names().map(console::measure_text_width).max().unwrap_or(0).min(24) + 4;
    for (kind, title) in [(Kind::Probe, "Probes look"), (Kind::Action, "Actions change")] {
        let entries: Vec<_> = registry.iter().filter(|e| e.kind == kind && e.source.is_none()).collect();
        if entries.is_empty() {
            continue;
        }
        if kind == Kind::Action {
            page.blank();
        }
        page.push(Line::of(Ink::Accent, title));
        for entry in entries {
            let mut line = Line::indent(2).with(Ink::Bold, &entry.name);
            line.pad_to(column);
            line.push(Ink::Plain, " ");
            page.push(line.with(Ink::Plain, entry.summary()));
        }
    }
    let own: Vec<&str> = registry.found().collect();
    if !own.is_empty() {
        page.blank();
        page.push(Line::of(Ink::Accent, "Modules of your own"));
    }
    for name in own {
        let mut line = Line::indent(2).with(Ink::Bold, name);
        line.pad_to(column);
        line.push(Ink::Plain, " ");
        page.push(match (registry.get(name), registry.trouble(name)) {
            (Some(entry), _) => line.with(Ink::Plain, &format!("{}: {}", kind_word(entry.kind), entry.summary())),
            (None, trouble) => line.with(Ink::Bad, &format!("cannot be used: {}", trouble.unwrap_or_default())),
        });
    }
    page.blank();
    page.push(Line::of(Ink::Dim, "runbook modules NAME shows one of them"));
    page.finish()
}

/// All modules as a Markdown table, linked to their pages.
pub fn list_markdown(registry: &Registry) -> String {
    let mut out = String::from("# Modules\n\n| module | kind | what it does |\n|---|---|---|\n");
    for entry in registry.iter() {
        out.push_str(&format!("| [`{0}`]({0}.md) | {1} | {2} |\n", entry.name, kind_word(entry.kind), cell(entry.summary())));
    }
    out
}

/// All modules as JSON, with their schemas and a line break at the end.
pub fn json(registry: &Registry) -> String {
    let all: Vec<serde_json::Value> = registry.iter().map(|e| entry_json(e)).collect();
    format!("{:#}\n", serde_json::Value::Array(all))
}

fn entry_json(entry: &Entry) -> serde_json::Value {
    json!({
        "name": entry.name,
        "kind": kind_word(entry.kind),
        "summary": entry.summary(),
        "doc": entry.doc(),
        "main": entry.main,
        "source": entry.source.as_ref().map(|s| s.display().to_string()),
        "verdict": entry.verdict,
        "columns": entry.columns,
        "arguments": *entry.args_schema,
        "result": *entry.result_schema,
        "examples": entry.examples.iter().map(|e| json!({ "title": e.title, "yaml": e.yaml })).collect::<Vec<_>>(),
    })
}
