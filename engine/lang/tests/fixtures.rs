//! Every file under `good/` is clean, and every file under `tests/bad/` at the root says exactly what stands in the text beside it.
//!
//! `BLESS=1 cargo test -p runbook-lang --test fixtures` rewrites the texts.

mod common;

use std::path::{Path, PathBuf};

use runbook_core::diagnostic::Diagnostic;
use runbook_core::span::SourceMap;
use runbook_lang::{Checked, MemoryLoader, Options, check_file};

fn folder(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Checks a file as a playbook of the test project; one whose name begins with `system-` as its system.
fn check(path: &Path) -> Checked {
    let bytes = std::fs::read(path).expect("a file");
    let stem = path.file_stem().expect("a stem").to_string_lossy().into_owned();
    let as_system = stem.starts_with("system-");
    let mut files: Vec<(String, Vec<u8>)> = vec![("playbooks/demo/other.yaml".into(), common::OTHER.into())];
    if as_system {
        files.push(("playbooks/demo/system.yaml".into(), bytes));
        files.push(("playbooks/demo/p.yaml".into(), "playbook: A\nsteps:\n  - note: a\n".into()));
    } else {
        files.push(("playbooks/demo/system.yaml".into(), common::SYSTEM.into()));
        files.push((format!("playbooks/demo/{stem}.yaml"), bytes));
    }
    let name = if as_system { "p".to_owned() } else { format!("demo/{stem}") };
    check_file(&MemoryLoader::new(files), &name, &common::registry(), &Options::default())
}

fn line(d: &Diagnostic, sources: &SourceMap) -> String {
    let place = d.span.and_then(|s| sources.place(s)).map_or_else(|| "-".to_owned(), |p| format!("{}:{}", p.line, p.column));
    let mut out = format!("{place}: {} {}", d.code, d.message);
    if let Some(help) = &d.help {
        out.push_str(" | ");
        out.push_str(help);
    }
    for other in &d.others {
        let at = sources.place(other.span).map_or_else(String::new, |p| format!("{}:{}", p.line, p.column));
        out.push_str(&format!("\n    {at}: {}", other.text));
    }
    out
}

fn text(checked: &Checked) -> String {
    checked.diagnostics.iter().map(|d| line(d, &checked.sources) + "\n").collect()
}

#[test]
fn good_files_are_clean() {
    for path in folder("tests/good") {
        let checked = check(&path);
        assert_eq!(text(&checked), "", "{}", path.display());
    }
}

#[test]
fn bad_files_say_what_is_wrong() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for path in folder("../../tests/bad") {
        let checked = check(&path);
        let found = text(&checked);
        let beside = path.with_extension("txt");
        if bless {
            std::fs::write(&beside, &found).expect("written");
        } else if std::fs::read_to_string(&beside).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", path.display()));
        }
        assert!(!found.is_empty(), "{} is not bad", path.display());
        assert!(!found.to_lowercase().contains("panic"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
