//! Journals: written ahead, chained, sealed, listed and shown.

use crate::harness::Workspace;

fn project() -> Workspace {
    Workspace::with(
        "x",
        "playbook: x\nenv: [TOKEN]\nsteps:\n  - { id: a, file.write: { path: out.txt, content: \"{{ env.TOKEN }}\" } }\n  - { id: b, command: [echo, \"{{ env.TOKEN }}\"] }\n  - { id: c, command: [\"false\"] }\n",
    )
}

/// Plays it with its secret set.
fn play(workspace: &Workspace) {
    let mut command = workspace.command(&["play", "x"]);
    command.env("TOKEN", "canary-5f3a9b");
    crate::harness::finish(command).expect(4);
}

fn journal(workspace: &Workspace) -> (std::path::PathBuf, String) {
    let path = workspace.path("state/runs").read_dir().unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

#[test]
fn intents_come_before_outcomes_and_the_last_record_seals() {
    let workspace = project();
    play(&workspace);
    let (path, text) = journal(&workspace);
    let events: Vec<serde_json::Value> = text.lines().skip(1).map(|l| serde_json::from_str(l).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(kinds.first(), Some(&"run_started"));
    assert_eq!(kinds.last(), Some(&"run_finished"));
    let at = |kind: &str| kinds.iter().position(|k| *k == kind).unwrap();
    assert!(at("intent") < at("returned") && at("returned") < at("step_finished"));
    let journal = runbook_runtime::journal::read_journal(&path).unwrap();
    assert!(journal.sealed && !journal.torn);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(workspace.path("state/runs")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn no_secret_reaches_a_journal_or_a_terminal() {
    let workspace = project();
    let mut command = workspace.command(&["-vv", "play", "x"]);
    command.env("TOKEN", "canary-5f3a9b");
    let out = crate::harness::finish(command);
    let (_, text) = journal(&workspace);
    for (place, text) in [("stdout", &out.stdout), ("stderr", &out.stderr), ("journal", &text)] {
        assert!(!text.contains("canary-5f3a9b"), "the secret is in {place}:\n{text}");
    }
    assert_eq!(workspace.read("out.txt"), "canary-5f3a9b", "the change itself got it");
}

#[test]
fn any_change_of_a_journal_is_seen() {
    use runbook_runtime::journal::read_journal;
    let workspace = project();
    play(&workspace);
    let (path, text) = journal(&workspace);
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: &[&str]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    let mut without = lines.clone();
    without.remove(3);
    let mut twice = lines.clone();
    twice.insert(3, lines[3]);
    let mut after = lines.clone();
    after.push(lines[3]);
    for (what, changed) in [
        ("edited", text.replacen("\"seq\":3", "\"seq\":9", 1)),
        ("swapped", join(&swapped)),
        ("removed", join(&without)),
        ("repeated", join(&twice)),
        ("continued after its end", join(&after)),
    ] {
        std::fs::write(&path, &changed).unwrap();
        assert!(read_journal(&path).is_err(), "{what} was not seen");
    }
    // A cut-off last line is what a crash leaves; it is told, not taken for a forgery.
    std::fs::write(&path, &text[..text.len() - 10]).unwrap();
    let torn = read_journal(&path).unwrap();
    assert!(torn.torn && !torn.sealed);
    let out = workspace.run(&["runs", "show"]).expect(0);
    assert!(out.stdout.contains("no end"), "{}", out.stdout);
}

#[test]
fn runs_are_listed_and_shown() {
    let workspace = project();
    workspace.write("playbooks/y.yaml", "playbook: y\nsteps:\n  - note: hello there\n");
    workspace.run(&["runs"]).expect(0);
    workspace.run(&["play", "x"]).expect(4);
    workspace.run(&["play", "y"]).expect(0);
    let out = workspace.run(&["runs"]).expect(0);
    assert!(out.stdout.contains("x") && out.stdout.contains("failed") && out.stdout.contains("y"), "{}", out.stdout);
    let json: serde_json::Value = serde_json::from_str(&workspace.run(&["runs", "--json"]).expect(0).stdout).unwrap();
    assert_eq!(json.as_array().map(Vec::len).unwrap_or_else(|| json["runs"].as_array().unwrap().len()), 2);
    let out = workspace.run(&["runs", "show", "latest"]).expect(0);
    assert!(out.stdout.contains("hello there"), "{}", out.stdout);
    let (path, _) = journal(&workspace);
    let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
    workspace.run(&["runs", "show", &id]).expect(0);
    let events = workspace.run(&["runs", "show", &id, "--events"]).expect(0);
    assert!(events.events().len() > 2);
}

#[test]
fn a_killed_run_is_not_running_for_ever() {
    let workspace =
        Workspace::with("slow", "playbook: x\nsteps:\n  - { id: a, command: [sh, -c, \"echo started > started; sleep 60\"] }\n");
    let mut child = workspace.command(&["play", "slow"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    crate::harness::wait_until(|| workspace.path("started").exists());
    let running = workspace.run(&["runs"]).expect(0);
    assert!(running.stdout.contains("running"), "{}", running.stdout);
    let orphans = crate::harness::descendants(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    for pid in orphans {
        crate::harness::kill(pid);
    }
    let killed = workspace.run(&["runs"]).expect(0);
    assert!(!killed.stdout.contains("running"), "{}", killed.stdout);
    assert!(killed.stdout.contains("interrupted"), "{}", killed.stdout);
}
