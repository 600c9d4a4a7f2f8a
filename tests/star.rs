//! The house: crates form a star, files stay small, and nothing lies at the top level that does not belong there.

use std::collections::BTreeMap;
use std::path::Path;

/// The crates with the crates of ours that each may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("runbook-core", &[]),
    ("runbook-lang", &["runbook-core"]),
    // Of the test servers only its tests know.
    ("runbook-modules", &["runbook-core", "runbook-servers"]),
    ("runbook-runtime", &["runbook-core"]),
    ("runbook-report", &["runbook-core"]),
    ("runbook-servers", &[]),
    ("runbook-services", &[]),
    (
        "runbook",
        &[
            "runbook-core",
            "runbook-lang",
            "runbook-modules",
            "runbook-runtime",
            "runbook-report",
            "runbook-servers",
            "runbook-services",
        ],
    ),
];

/// What may lie at the top of the tree, besides dotfiles.
const TOP: &[&str] =
    &["Cargo.toml", "Cargo.lock", "engine", "playbooks", "schemas", "tests", "docs", "README.md", "LICENSE", "target"];

/// The hard limit of a source file, in lines.
const HARD_LIMIT: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn manifests() -> Vec<String> {
    ["", "engine/core", "engine/lang", "engine/modules", "engine/runtime", "engine/report", "tests/servers", "tests/services"]
        .iter()
        .map(|folder| std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap())
        .collect()
}

/// The crates of ours that a manifest names in any dependency section.
fn edges(manifest: &str) -> (String, Vec<String>) {
    let mut name = String::new();
    let mut section = String::new();
    let mut out = Vec::new();
    for line in manifest.lines() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']').to_owned();
        } else if section == "package" && line.starts_with("name") {
            name = line.split('"').nth(1).unwrap().to_owned();
        } else if section.ends_with("dependencies") && section != "workspace.dependencies" && line.starts_with("runbook-") {
            let crate_name = line.split(['.', ' ', '=']).next().unwrap();
            out.push(crate_name.to_owned());
        }
    }
    (name, out)
}

#[test]
fn crates_form_a_star() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut graph = String::new();
    for manifest in manifests() {
        let (name, found) = edges(&manifest);
        graph.push_str(&format!("{name} -> {found:?}\n"));
        let may = allowed.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in the house"));
        for edge in &found {
            assert!(may.contains(&edge.as_str()), "{name} must not depend on {edge}\n{graph}");
        }
    }
    // The graph of crates as cargo sees it is the picture in the design; a new crate must be drawn there.
    assert_eq!(graph.lines().count(), ALLOWED.len(), "{graph}");
}

#[test]
fn an_edge_between_siblings_would_be_seen() {
    let manifest = "[package]\nname = \"runbook-lang\"\n[dependencies]\nrunbook-core.workspace = true\nrunbook-modules = { path = \"../modules\" }\n";
    let (name, found) = edges(manifest);
    assert_eq!((name.as_str(), found), ("runbook-lang", vec!["runbook-core".to_owned(), "runbook-modules".to_owned()]));
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || TOP.contains(&name.as_str()), "{name} does not belong at the top level");
    }
}

#[test]
fn no_source_file_is_over_the_hard_limit() {
    let mut folders = vec![root().join("engine"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                assert!(lines <= HARD_LIMIT, "{} has {lines} lines", path.display());
            }
        }
    }
}
