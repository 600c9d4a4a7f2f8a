//! The pages of the guide that hold whole files: every block that names a path is a file that checks clean, is formatted, and passes its own tests.

use std::path::Path;

use crate::harness::Workspace;

/// The files on the page: blocks whose fence names a path.
fn files(page: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(path) = line.strip_prefix("```yaml ") else { continue };
        let text: String = lines.by_ref().take_while(|l| *l != "```").flat_map(|l| [l, "\n"]).collect();
        out.push((path.to_owned(), text));
    }
    out
}

/// Everything on a page of the guide holds: so many playbooks, each with its tests, which take so much of them.
#[track_caller]
fn sound(page: &str, playbooks: &str, coverage: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide").join(page);
    let files = files(&std::fs::read_to_string(page).unwrap());
    let workspace = Workspace::new();
    for (path, text) in &files {
        let path = workspace.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let out = workspace.run(&["check"]).expect(0);
    assert_eq!(out.stdout, format!("{playbooks} checked, no mistakes\n"));
    workspace.run(&["fmt", "--check"]).expect(0);
    workspace.run(&["test", "--strict", "--min-coverage", coverage]).expect(0);
}

#[test]
fn every_pattern_of_the_cookbook_is_sound_and_passes_its_tests() {
    sound("cookbook.md", "15 playbooks and 15 test files", "85");
}

#[test]
fn the_tree_of_the_page_about_tests_is_sound_and_passes_them() {
    sound("testing-playbooks.md", "1 playbook and 1 test file", "90");
}
