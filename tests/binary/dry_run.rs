//! Dry runs of the real program: what they say is so, and nothing is changed.

use crate::harness::Workspace;

const TEXT: &str = "playbook: Write and look\nsteps:\n  - { id: room, file: playbooks }\n  - { id: write, file.write: { path: out.txt, content: hello }, confirm: true }\n  - { id: read, file: out.txt }\n  - { id: wipe, file.delete: out.txt }\n  - { id: same, file.write: { path: same.txt, content: same } }\n";

fn project() -> Workspace {
    let workspace = Workspace::with("write", TEXT);
    workspace.write("same.txt", "same");
    workspace
}

fn verdicts(workspace: &Workspace, args: &[&str]) -> Vec<String> {
    let output = workspace.run(&[args, &["--json"]].concat()).expect(0);
    let rehearsed = output.events_of("rehearsed");
    let rows = rehearsed[0]["rows"].as_array().unwrap();
    rows.iter().map(|r| format!("{} {}", r["name"], r["verdict"]).replace('"', "")).collect()
}

#[test]
fn what_would_run_be_asked_and_skipped_is_told_and_nothing_is_changed() {
    let workspace = project();
    let told = verdicts(&workspace, &["play", "write", "--dry-run"]);
    assert_eq!(told, ["room read", "write would-ask", "read unknown", "wipe would-ask", "same would-skip"]);
    assert!(!workspace.path("out.txt").exists());
    // What is confirmed beforehand would not be asked.
    let told = verdicts(&workspace, &["play", "write", "--dry-run", "--yes", "--confirm", "wipe=wipe"]);
    assert_eq!(told[1], "write would-run");
    assert!(!workspace.path("out.txt").exists());
}

#[test]
fn people_read_rows_with_reasons_and_nothing_in_the_past_tense() {
    let workspace = project();
    let output = workspace.run(&["play", "write", "--dry-run"]).expect(0);
    for line in ["verdict=UNKNOWN", "it reads what `write` would have changed", "verdict=\"WOULD SKIP\""] {
        assert!(output.stdout.contains(line), "{line}: {}", output.stdout);
    }
    let shown = workspace.run(&["runs", "show"]).expect(0).stdout;
    for line in ["DRY RUN", "nothing is changed", "decided 4 of 5; 1 unknown", "nothing was changed", "would destroy: wipe"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!shown.contains("changed:"), "{shown}");
}

#[test]
fn the_exit_code_tells_when_it_is_asked_to() {
    let workspace = project();
    workspace.run(&["play", "write", "--dry-run", "--detailed-exitcode"]).expect(11);
    workspace
        .write("playbooks/only.yaml", "playbook: Write\nsteps: [{ id: write, file.write: { path: out.txt, content: hello } }]\n");
    workspace.run(&["play", "only", "--dry-run", "--detailed-exitcode"]).expect(10);
    workspace
        .write("playbooks/none.yaml", "playbook: Write\nsteps: [{ id: write, file.write: { path: same.txt, content: same } }]\n");
    workspace.run(&["play", "none", "--dry-run", "--detailed-exitcode"]).expect(0);
    workspace.write(
        "playbooks/not.yaml",
        "playbook: Write\nrequires: [{ file: missing }]\nsteps: [{ id: write, file.write: { path: out.txt, content: hello } }]\n",
    );
    let output = workspace.run(&["play", "not", "--dry-run"]).expect(0);
    assert!(output.stdout.contains("verdict=BLOCKED") && output.stdout.contains("nothing would run"), "{}", output.stdout);
    assert!(!workspace.path("out.txt").exists());
}

#[test]
fn a_tree_is_looked_through_until_only_a_person_could_tell() {
    let workspace = Workspace::with(
        "tree",
        "playbook: Look\ntriage:\n  - { id: here, ask: Is it here?, check: { file: playbooks }, no: { finding: gone } }\n  - { id: red, ask: Is it red?, yes: { finding: red } }\n  - { id: hot, ask: Is it hot?, yes: { finding: hot } }\n",
    );
    let output = workspace.run(&["triage", "tree", "--dry-run"]).expect(0);
    assert!(output.stdout.contains("answer=yes") && output.stdout.contains("where it leads is not known"), "{}", output.stdout);
    let output = workspace.run(&["triage", "tree", "--dry-run", "--answer", "red=yes", "--answer", "hot=no"]).expect(0);
    assert!(output.stdout.contains("finding=red"), "{}", output.stdout);
}

/// Every file below a folder, with what it holds; the state folder's runs are the journal's own.
fn digest(folder: &std::path::Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.ends_with("state/runs") {
            continue;
        }
        if path.is_dir() {
            into.push((path.display().to_string(), Vec::new()));
            digest(&path, into);
        } else {
            into.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
        }
    }
    into.sort();
}

#[test]
fn every_shipped_playbook_is_dry_run_and_leaves_the_project_as_it_was() {
    let workspace = Workspace::shipped();
    std::fs::create_dir_all(workspace.path("state")).unwrap();
    let list: serde_json::Value = serde_json::from_str(&workspace.run(&["list", "--json"]).expect(0).stdout).unwrap();
    let names: Vec<String> = list["playbooks"]
        .as_array()
        .or(list.as_array())
        .unwrap()
        .iter()
        .map(|p| p["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(names.len() >= 45, "{names:?}");
    let mut before = Vec::new();
    digest(&workspace.path(""), &mut before);
    let mut rows = 0;
    for name in &names {
        let mut args = vec!["play", name, "--dry-run", "--json", "--param", "ports_from=29900"];
        // What has to be given: examples that fit.
        let shown: serde_json::Value = serde_json::from_str(&workspace.run(&["show", name, "--json"]).expect(0).stdout).unwrap();
        let required: Vec<String> = shown["params"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|p| p["required"] == true)
            .map(|p| {
                let value = match (p["name"].as_str().unwrap(), p["type"].as_str().unwrap()) {
                    ("service", _) => "pipecat".to_owned(),
                    (_, "int" | "number") => "1".to_owned(),
                    (_, "duration") => "1m".to_owned(),
                    (_, "time") => "2026-01-05T10:00:00Z".to_owned(),
                    (_, "choice") => p["choices"]
                        .as_array()
                        .and_then(|c| c.first())
                        .map_or("x".to_owned(), |c| c.as_str().unwrap_or("x").to_owned()),
                    (_, "path") => "/nowhere".to_owned(),
                    _ => "x".to_owned(),
                };
                format!("{}={value}", p["name"].as_str().unwrap())
            })
            .collect();
        for param in &required {
            args.extend(["--param", param]);
        }
        let output = workspace.run(&args);
        assert!(matches!(output.code, 0 | 3 | 7), "{name}: exit {}\n{}\n{}", output.code, output.stdout, output.stderr);
        // An example may not fit a pattern (exit 3): then nothing ran at all.
        for told in output.stdout.lines().filter(|_| output.code == 0).filter(|l| l.contains("\"rehearsed\"")) {
            let event: serde_json::Value = serde_json::from_str(told).unwrap();
            rows += event["rows"].as_array().unwrap().len();
        }
        assert!(!output.stdout.contains("\"event\":\"intent\""), "{name} meant to change something: {}", output.stdout);
        let mut after = Vec::new();
        digest(&workspace.path(""), &mut after);
        assert_eq!(after.len(), before.len(), "{name} left or took files");
        assert!(after == before, "{name} changed a file");
    }
    assert!(rows > 150, "{rows} rows");
}

#[test]
fn what_a_stop_would_take_away_is_not_said_to_stand_in_the_way() {
    let workspace = Workspace::with(
        "stop",
        "playbook: Stop it\nsteps:\n  - { id: stop, service.stop: nap }\nverify:\n  - { id: gone, file: \"{{ services.nap.pid_file }}\", expect: not exists }\n",
    );
    workspace.write(
        "playbooks/system.yaml",
        "system: nap\nservices:\n  nap: { command: [sleep, \"300\"], pid_file: nap.pid, stdout: nap.log, stderr: nap.log }\n",
    );
    workspace.write("playbooks/start.yaml", "playbook: Start it\nsteps: [{ service.start: nap }]\n");
    workspace.run(&["play", "start"]).expect(0);
    let told = verdicts(&workspace, &["play", "stop", "--dry-run"]);
    assert_eq!(told, ["stop would-run", "gone unknown"]);
    assert!(workspace.path("nap.pid").exists());
    workspace.run(&["play", "stop"]).expect(0);
    assert!(!workspace.path("nap.pid").exists());
}
