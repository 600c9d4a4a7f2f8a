//! `runbook new`: what it writes checks clean and runs, and it never overwrites.

use crate::harness::{Workspace, finish};

const KINDS: &[(&str, &[&str])] = &[("procedure", &[]), ("checklist", &["--checklist"]), ("triage", &["--triage"])];

/// A folder without playbooks.
fn empty() -> Workspace {
    let workspace = Workspace::new();
    std::fs::remove_dir(workspace.path("playbooks")).unwrap();
    workspace
}

#[test]
fn every_starter_is_short_and_checks_clean() {
    for (kind, flags) in KINDS {
        let workspace = empty();
        let out = workspace.run(&[&["new", "first-try"], *flags].concat()).expect(0);
        let beginning = "made the folder playbooks/\nmade the folder playbooks/tests/\nwrote playbooks/first-try.yaml (";
        assert!(out.stdout.starts_with(beginning), "{}", out.stdout);
        let run = if *kind == "triage" { "runbook triage first-try" } else { "runbook play first-try  " };
        for next in ["runbook check first-try  ", run, "runbook test first-try  "] {
            assert!(out.stdout.contains(next), "{next}: {}", out.stdout);
        }
        let text = workspace.read("playbooks/first-try.yaml");
        assert!(text.starts_with("playbook: First try\n"), "{text}");
        assert!((12..=25).contains(&text.lines().count()), "{} lines", text.lines().count());
        assert!(text.lines().any(|l| l.trim_start().starts_with("# ")), "{text}");
        let out = workspace.run(&["check"]).expect(0);
        assert!(out.stdout.contains("1 playbook") && out.stdout.ends_with("checked, no mistakes\n"), "{}", out.stdout);
        workspace.run(&["fmt", "--check"]).expect(0);
        let out = workspace.run(&["list"]).expect(0);
        assert!(out.stdout.contains(kind), "{kind}: {}", out.stdout);
    }
}

#[test]
fn a_starter_runs_at_once_and_so_do_its_tests() {
    let workspace = empty();
    workspace.run(&["new", "a-procedure"]).expect(0);
    workspace.run(&["new", "a-checklist", "--checklist"]).expect(0);
    let out = workspace.run(&["new", "a-tree", "--triage"]).expect(0);
    assert!(out.stdout.contains("runbook triage a-tree"), "{}", out.stdout);
    let out = workspace.run(&["test", "--coverage"]).expect(0);
    assert!(out.stdout.contains("7 tests: 7 passed") && out.stdout.contains("100.0 %"), "{}", out.stdout);
    let out = workspace.run(&["play", "a-procedure"]).expect(0);
    assert!(out.stdout.contains("succeeded"), "{}", out.stdout);
    let out = workspace.run(&["play", "a-checklist"]).expect(0);
    assert_eq!(out.stdout.lines().filter(|l| l.contains(" status=row ")).count(), 3, "{}", out.stdout);
}

#[test]
fn a_playbook_of_a_system_lies_in_its_folder() {
    let workspace = empty();
    let out = workspace.run(&["new", "shop/start"]).expect(0);
    let made = "made the folder playbooks/shop/\nmade the folder playbooks/shop/tests/\nwrote playbooks/shop/start.yaml (";
    assert!(out.stdout.contains(made), "{}", out.stdout);
    assert!(out.stdout.contains("runbook check shop/start"), "{}", out.stdout);
    let out = workspace.run(&["new", "stop", "--system", "shop"]).expect(0);
    assert!(out.stdout.starts_with("wrote playbooks/shop/stop.yaml"), "{}", out.stdout);
    assert!(workspace.read("playbooks/shop/tests/start.test.yaml").contains("\nplay: start\n"));
    workspace.run(&["check"]).expect(0);
    workspace.run(&["test", "shop/start"]).expect(0);
}

#[test]
fn the_nearest_playbooks_folder_is_used() {
    let workspace = Workspace::new();
    workspace.write("deep/er/x", "");
    let mut command = workspace.command(&["new", "here"]);
    command.current_dir(workspace.path("deep/er"));
    finish(command).expect(0);
    assert!(workspace.path("playbooks/here.yaml").exists());
    let out = workspace.run(&["new", "there", "--playbooks", "books"]).expect(0);
    assert!(workspace.path("books/there.yaml").exists());
    assert!(out.stdout.contains("runbook check there --playbooks books"), "{}", out.stdout);
    workspace.run(&["check", "there", "--playbooks", "books"]).expect(0);
}

#[test]
fn nothing_is_ever_overwritten() {
    let workspace = Workspace::new();
    for ending in ["yaml", "yml"] {
        workspace.write(&format!("playbooks/mine.{ending}"), "mine");
        let out = workspace.run(&["new", "mine"]).expect(2);
        assert!(
            out.stderr.contains(&format!("error: playbooks/mine.{ending} is there already; nothing was written")),
            "{}",
            out.stderr
        );
        assert!(out.stderr.contains("help: choose another name"), "{}", out.stderr);
        assert_eq!(workspace.read(&format!("playbooks/mine.{ending}")), "mine");
        std::fs::remove_file(workspace.path(&format!("playbooks/mine.{ending}"))).unwrap();
    }
    // Tests that are there already stay, and the playbook is written beside them.
    workspace.write("playbooks/tests/other.test.yaml", "mine");
    let out = workspace.run(&["new", "other"]).expect(0);
    assert!(!out.stdout.contains("tests/other"), "{}", out.stdout);
    assert_eq!(workspace.read("playbooks/tests/other.test.yaml"), "mine");
    // A link that leads nowhere is something, too.
    std::os::unix::fs::symlink("/nowhere/at/all", workspace.path("playbooks/mine.yaml")).unwrap();
    workspace.run(&["new", "mine"]).expect(2);
    // A file where the folder should be.
    workspace.write("playbooks/shop", "mine");
    let out = workspace.run(&["new", "shop/start"]).expect(1);
    assert!(out.stderr.contains("the folder playbooks/shop cannot be made"), "{}", out.stderr);
    assert_eq!(workspace.read("playbooks/shop"), "mine");
}

#[test]
fn bad_names_are_refused_with_a_good_one() {
    let workspace = empty();
    for (args, help) in [
        (&["new", "Restart Web"][..], "help: write `runbook new restart-web`"),
        (&["new", "../../etc/passwd"], "help: write `runbook new etc/passwd`"),
        (&["new", "playbooks/x.yaml"], "help: write `runbook new x`"),
        (&["new", "system"], "help: choose another name: lowercase letters"),
        (&["new", "x", "--system", "A B"], "help: write `runbook new x --system a-b`"),
        (&["new", "a/x", "--system", "b"], "help: give the system once"),
        (&["new", "a\u{1b}[2Jb"], "help: write `runbook new a-2jb`"),
    ] {
        let out = workspace.run(args).expect(2);
        assert!(out.stderr.contains(help), "{args:?}: {}", out.stderr);
        assert!(!out.stderr.contains('\u{1b}'), "{:?}", out.stderr);
    }
    workspace.run(&["new"]).expect(2);
    workspace.run(&["new", "x", "--triage", "--checklist"]).expect(2);
    assert!(!workspace.path("playbooks").exists());
}

#[test]
fn print_writes_nothing_and_says_the_same() {
    let workspace = empty();
    for (_, flags) in KINDS {
        let printed = workspace.run(&[&["new", "x", "--print"], *flags].concat()).expect(0).stdout;
        assert!(!workspace.path("playbooks").exists());
        workspace.run(&[&["new", "x"], *flags].concat()).expect(0);
        assert_eq!(workspace.read("playbooks/x.yaml"), printed);
        std::fs::remove_dir_all(workspace.path("playbooks")).unwrap();
    }
}

#[test]
fn editors_are_pointed_to_the_schema_of_the_project() {
    let workspace = empty();
    for kind in ["playbook", "test"] {
        let schema = workspace.run(&["schema", kind]).expect(0).stdout;
        workspace.write(&format!("schemas/{kind}.schema.json"), &schema);
    }
    for (name, line) in [
        ("x", "# yaml-language-server: $schema=../schemas/playbook.schema.json"),
        ("shop/x", "# yaml-language-server: $schema=../../schemas/playbook.schema.json"),
    ] {
        workspace.run(&["new", name]).expect(0);
        let path = format!("playbooks/{name}.yaml");
        assert_eq!(workspace.read(&path).lines().next(), Some(line));
        let named = line.split_once('=').unwrap().1;
        assert!(workspace.path(&path).parent().unwrap().join(named).exists());
    }
    let tests = workspace.read("playbooks/shop/tests/x.test.yaml");
    assert_eq!(tests.lines().next(), Some("# yaml-language-server: $schema=../../../schemas/test.schema.json"));
    workspace.run(&["check"]).expect(0);
}

#[test]
fn programs_get_json() {
    let workspace = empty();
    let out = workspace.run(&["--json", "new", "shop/x"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(json["playbook"], "shop/x");
    assert_eq!(json["files"][0], "playbooks/shop/x.yaml");
    assert_eq!(json["files"][1], "playbooks/shop/tests/x.test.yaml");
    assert_eq!(json["folders"], serde_json::json!(["playbooks", "playbooks/shop", "playbooks/shop/tests"]));
    let out = workspace.run(&["--json", "new", "shop/x"]).expect(2);
    let json: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(json["event"], "error");
}
