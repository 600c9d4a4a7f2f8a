//! Every file under `good/` is clean. The bad ones lie in `tests/bad` at the root, where the real modules are known.

mod common;

use std::path::{Path, PathBuf};

use runbook_lang::{MemoryLoader, Options, check_file};

fn good() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn good_files_are_clean() {
    for path in good() {
        let stem = path.file_stem().expect("a stem").to_string_lossy().into_owned();
        let files: [(String, Vec<u8>); 3] = [
            ("playbooks/demo/other.yaml".into(), common::OTHER.into()),
            ("playbooks/demo/system.yaml".into(), common::SYSTEM.into()),
            (format!("playbooks/demo/{stem}.yaml"), std::fs::read(&path).expect("a file")),
        ];
        let checked = check_file(&MemoryLoader::new(files), &format!("demo/{stem}"), &common::registry(), &Options::default());
        assert!(checked.diagnostics.is_empty(), "{}: {:?}", path.display(), checked.diagnostics);
    }
}
