//! Every fixture that can be read is laid out again, and is told the same mistakes as before.

mod common;

use std::path::{Path, PathBuf};

use runbook_lang::{MemoryLoader, NotFormatted, Options, check_file, format};

/// Every YAML file below a folder of the project.
fn below(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let (mut todo, mut found) = (vec![root], Vec::new());
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What is said about a file as a playbook or system of the test project, without the places.
fn complaints(path: &Path, bytes: &[u8]) -> Vec<String> {
    let stem = path.file_stem().expect("a stem").to_string_lossy().into_owned();
    let (main, system) = match stem.starts_with("system") {
        true => (b"playbook: A\nsteps:\n  - note: a\n".as_slice(), bytes),
        false => (bytes, common::SYSTEM.as_bytes()),
    };
    let files = [
        ("playbooks/demo/other.yaml", common::OTHER.as_bytes()),
        ("playbooks/demo/system.yaml", system),
        ("playbooks/demo/main.yaml", main),
    ];
    let checked = check_file(&MemoryLoader::new(files), "demo/main", &common::registry(), &Options::default());
    // What is quoted is no longer warned about.
    checked.diagnostics.iter().filter(|d| d.code.as_str() != "W0104").map(|d| format!("{} {}", d.code, d.message)).collect()
}

#[test]
fn every_fixture_keeps_its_meaning_and_its_mistakes() {
    let mut formatted = 0;
    for path in ["tests/bad", "engine/lang/tests", "playbooks"].iter().flat_map(|f| below(f)) {
        let bytes = std::fs::read(&path).expect("a file");
        let shown = path.display();
        let new = match format("a.yaml", &bytes) {
            Ok(new) => new,
            Err(NotFormatted::Broken(failed)) => {
                assert!(!failed.diagnostics.is_empty(), "{shown}");
                continue;
            }
            Err(NotFormatted::Unsafe(what)) => panic!("{shown}: {what}"),
        };
        formatted += 1;
        assert_eq!(format("a.yaml", new.as_bytes()).expect("formatted"), new, "{shown}");
        assert_eq!(complaints(&path, &bytes), complaints(&path, new.as_bytes()), "{shown} became\n{new}");
    }
    assert!(formatted > 50, "{formatted}");
}

#[test]
fn shipped_playbooks_are_formatted() {
    for path in below("playbooks") {
        let text = std::fs::read_to_string(&path).expect("text");
        assert_eq!(format("a.yaml", text.as_bytes()).expect("formatted"), text, "{}", path.display());
    }
}
