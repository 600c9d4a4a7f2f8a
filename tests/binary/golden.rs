//! Golden runs: what an operator sees, word for word. `BLESS=1` rewrites the files in `tests/golden`.

use std::path::Path;

use crate::harness::{Output, Workspace};

/// Compares with the golden file of this name: exit code, standard output, standard error.
#[track_caller]
pub(crate) fn golden(name: &str, workspace: &Workspace, out: &Output) {
    let text =
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", out.code, workspace.stable(&out.stdout), workspace.stable(&out.stderr));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(expected, text, "{}; BLESS=1 rewrites it after a look", path.display());
}

fn project() -> Workspace {
    let workspace = Workspace::with(
        "deploy",
        "playbook: Bring out a new version\nsource: the manual, page 3\nparams:\n  version: { type: string, required: true, pattern: \"[0-9.]+\", help: What to bring out }\n  dry: { type: bool, default: false }\nsteps:\n  - { id: build, name: Build it, command: [echo, \"version {{ params.version }}\"] }\n  - name: Write it down\n    for_each: [a, b]\n    file.write: { path: \"{{ item }}.txt\", content: \"{{ params.version }}\" }\n  - { id: never, when: params.dry, note: not shown }\n  - note: \"brought out {{ params.version }}\"\n",
    );
    workspace.write(
        "playbooks/broken.yaml",
        "playbook: Broken\nsteps:\n  - name: A check\n    http: \"http://127.0.0.1:9/\"\n    expct: status == 200\n    timeout: 5 minuts\n  - note: \"{{ steps.nothing.x }}\"\n",
    );
    workspace.write(
        "playbooks/failing.yaml",
        "playbook: Fails half-way\nsteps:\n  - { id: first, file.write: { path: first.txt, content: x } }\n  - id: second\n    command: [sh, -c, \"echo what went wrong >&2; exit 3\"]\n    expect:\n      - exit_code == 0\n      - stdout == ''\n  - { id: third, note: not reached }\n",
    );
    workspace.write(
        "playbooks/look.yaml",
        "playbook: A look at a few things\nchecks:\n  - { name: It is there, file: playbooks/look.yaml }\n  - { name: It is not there, file: nowhere.txt, severity: warning }\n  - name: How many\n    command: [echo, \"3\"]\n    effect: read\n    grade: { value: stdout | int, target: 2, warning: 4, critical: 8, unit: things }\n",
    );
    workspace
}

#[test]
fn what_an_operator_sees() {
    let workspace = project();
    for (name, args) in [
        ("list", vec!["list"]),
        ("show", vec!["show", "deploy"]),
        ("check", vec!["check"]),
        ("play", vec!["play", "deploy", "--param", "version=1.4"]),
        ("play-quiet", vec!["--quiet", "play", "deploy", "--param", "version=1.4"]),
        ("play-without-parameter", vec!["play", "deploy"]),
        ("play-failing", vec!["play", "failing"]),
        ("play-checklist", vec!["play", "look"]),
        ("play-broken", vec!["play", "broken"]),
        ("unknown-command", vec!["paly", "deploy"]),
    ] {
        let out = workspace.run(&args);
        golden(name, &workspace, &out);
    }
}
