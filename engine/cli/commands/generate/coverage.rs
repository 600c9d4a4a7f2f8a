//! What the shipped playbooks cover: procedure, playbook, tests, traps. Read from the files themselves, comments included.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;

/// A playbook with what its file says.
struct Row {
    procedure: String,
    /// `system/name`.
    playbook: String,
    title: String,
    tests: usize,
    traps: BTreeSet<u32>,
}

/// The page, from the playbooks below a folder. The id of a procedure stands in brackets at the end of `source`.
pub(super) fn markdown(root: &Path) -> String {
    let mut rows: Vec<Row> = Vec::new();
    let mut systems: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for folder in entries(&root.join("playbooks")) {
        let system = name(&folder);
        for file in entries(&folder).into_iter().filter(|f| f.extension().is_some_and(|e| e == "yaml")) {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let stem = name(&file);
            if stem == "system" {
                systems.insert(system.clone(), traps(&text));
            } else if let Some(procedure) = procedure(&text) {
                let test = fs::read_to_string(folder.join(format!("tests/{stem}.test.yaml"))).unwrap_or_default();
                rows.push(Row {
                    procedure,
                    playbook: format!("{system}/{stem}"),
                    title: value(&text, "playbook").unwrap_or_default(),
                    tests: test.lines().filter(|l| l.trim_start().starts_with("- test:")).count(),
                    traps: traps(&format!("{text}{test}")),
                });
            }
        }
    }
    rows.sort_by(|a, b| (&a.procedure, &a.playbook).cmp(&(&b.procedure, &b.playbook)));
    let mut out = String::from(
        "# What the playbooks cover\n\nA procedure of the operations documents, the playbook that does it, how many tests the playbook has, and the traps (T01 to T90 of the \
         catalogue of procedures) that it or its tests say they see to.\n\n| procedure | playbook | what it does | tests | traps |\n|---|---|---|---|---|\n",
    );
    for row in &rows {
        let Row { procedure, playbook, title, tests, .. } = row;
        let path = format!("../../playbooks/{playbook}.yaml");
        let title = title.replace('|', "\\|");
        out.push_str(&format!("| {procedure} | [{playbook}]({path}) | {title} | {tests} | {} |\n", listed(&row.traps)));
    }
    for (system, traps) in systems.iter().filter(|(_, traps)| !traps.is_empty()) {
        out.push_str(&format!("\nThe system `{system}` itself sees to {}.\n", listed(traps)));
    }
    out
}

fn entries(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    all.sort();
    all
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The value of a top-level key that stands on one line.
fn value(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(": "))?;
    Some(line.trim().trim_matches(['"', '\'']).to_owned())
}

fn procedure(text: &str) -> Option<String> {
    let source = value(text, "source")?;
    let (_, last) = source.rsplit_once('(')?;
    let id = last.strip_suffix(')')?;
    let fits = id.contains('-') && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-');
    fits.then(|| id.to_owned())
}

fn traps(text: &str) -> BTreeSet<u32> {
    let Ok(pattern) = Regex::new(r"\bT(\d\d)\b") else { return BTreeSet::new() };
    pattern.captures_iter(text).filter_map(|c| c[1].parse().ok()).collect()
}

fn listed(traps: &BTreeSet<u32>) -> String {
    traps.iter().map(|n| format!("T{n:02}")).collect::<Vec<_>>().join(", ")
}
