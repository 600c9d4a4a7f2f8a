//! Generated files are fresh, and what the documentation shows works.

use std::path::Path;

use crate::harness::Workspace;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn generated_files_are_fresh() {
    let workspace = Workspace::new();
    let root = root().display().to_string();
    workspace.run(&["generate", "--check", &root]).expect(0);
}

/// The complete playbooks in a Markdown file: fenced blocks of YAML whose first line is `playbook:`.
fn playbooks(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut out = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match &mut block {
            Some(text) if line.trim_end() == "```" => {
                out.push(std::mem::take(text));
                block = None;
            }
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
            None if line.trim_end() == "```yaml" => block = Some(String::new()),
            None => {}
        }
    }
    out.into_iter().filter(|b| b.starts_with("playbook:")).collect()
}

#[test]
fn every_playbook_in_the_documentation_checks_clean() {
    let mut count = 0;
    for file in ["README.md", "docs/guide/first-steps.md", "docs/guide/writing-playbooks.md"] {
        for (i, text) in playbooks(&root().join(file)).iter().enumerate() {
            let workspace = Workspace::with("example", text);
            let out = workspace.run(&["check", "playbooks/example.yaml"]);
            assert_eq!(out.code, 0, "{file}, playbook {}:\n{text}\n{}", i + 1, out.stdout);
            count += 1;
        }
    }
    assert!(count >= 5, "only {count} playbooks were found");
}
