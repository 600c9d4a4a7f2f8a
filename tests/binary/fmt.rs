//! `runbook fmt` on real files.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;

use crate::harness::{Output, Workspace, finish};

const UGLY: &str = "playbook:   A   # why\nsteps:\n- {note:  x}\n";
const PRETTY: &str = "playbook: A   # why\nsteps:\n  - { note: x }\n";

/// Gives the program a text on standard input.
fn piped(workspace: &Workspace, args: &[&str], text: &str) -> Output {
    let mut command = workspace.command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn what_is_shipped_is_formatted() {
    let workspace = Workspace::shipped();
    let out = workspace.run(&["fmt", "--check"]).expect(0);
    assert!(out.stdout.ends_with("files, formatted already\n"), "{}", out.stdout);
}

#[test]
fn files_are_written_once_and_keep_their_mode() {
    let workspace = Workspace::with("a", UGLY);
    workspace.write("playbooks/s/system.yaml", "system: s\nvars: {a:  1}\n");
    workspace.write("playbooks/s/tests/a.test.yaml", "test:   x\n");
    workspace.write("playbooks/s/b.yml", PRETTY);
    workspace.write("playbooks/modules/m.yaml", UGLY);
    workspace.write("playbooks/.hidden.yaml", UGLY);
    workspace.write("playbooks/notes.txt", UGLY);
    let path = workspace.path("playbooks/a.yaml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let out = workspace.run(&["fmt"]).expect(0);
    assert_eq!(
        out.stdout,
        "playbooks/a.yaml formatted\nplaybooks/s/system.yaml formatted\nplaybooks/s/tests/a.test.yaml formatted\n4 files: 3 formatted, 1 unchanged\n"
    );
    assert_eq!(workspace.read("playbooks/a.yaml"), PRETTY);
    assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o640);
    for alone in ["playbooks/modules/m.yaml", "playbooks/.hidden.yaml", "playbooks/notes.txt"] {
        assert_eq!(workspace.read(alone), UGLY, "{alone}");
    }
    let before = path.metadata().unwrap();
    let out = workspace.run(&["fmt"]).expect(0);
    assert_eq!(out.stdout, "4 files, formatted already\n");
    let after = path.metadata().unwrap();
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()), "an unchanged file was written");
    assert_eq!(std::fs::read_dir(workspace.path("playbooks")).unwrap().count(), 5, "something was left behind");
}

#[test]
fn files_folders_and_names() {
    let workspace = Workspace::with("a", UGLY);
    workspace.write("playbooks/s/b.yaml", UGLY);
    workspace.write("playbooks/s/c.yaml", UGLY);
    workspace.write("elsewhere/d.yaml", UGLY);
    workspace.run(&["fmt", "b"]).expect(0);
    assert_eq!(workspace.read("playbooks/s/b.yaml"), PRETTY);
    assert_eq!(workspace.read("playbooks/a.yaml"), UGLY);
    let out = workspace.run(&["fmt", "playbooks/s", "playbooks/s/c.yaml", "elsewhere/d.yaml"]).expect(0);
    assert!(out.stdout.ends_with("3 files: 2 formatted, 1 unchanged\n"), "{}", out.stdout);
    assert_eq!(workspace.read("elsewhere/d.yaml"), PRETTY);
    assert_eq!(workspace.read("playbooks/a.yaml"), UGLY);
    for (name, said) in [("stak-start", "no playbook"), ("nothing.yaml", "no file"), ("Cargo.toml", "no file")] {
        let out = workspace.run(&["fmt", name]).expect(3);
        assert!(out.stderr.contains(said), "{}", out.stderr);
    }
    workspace.write("notes.md", "x");
    assert!(workspace.run(&["fmt", "notes.md"]).expect(3).stderr.contains("no YAML file"));
    workspace.write("playbooks/t/c.yaml", PRETTY);
    assert!(workspace.run(&["fmt", "c"]).expect(3).stderr.contains("`s/c` or `t/c`"));
    assert!(workspace.run(&["fmt", "s/bb"]).expect(3).stderr.contains("did you mean `s/b`?"));
}

#[test]
fn check_and_diff_change_nothing() {
    let workspace = Workspace::with("a", UGLY);
    workspace.write("playbooks/b.yaml", PRETTY);
    let out = workspace.run(&["fmt", "--check"]).expect(4);
    assert_eq!(
        out.stdout,
        "playbooks/a.yaml is not formatted\n2 files: 1 not formatted, 1 unchanged; `runbook fmt` formats them\n"
    );
    let quiet = workspace.run(&["--quiet", "fmt", "--check"]).expect(4);
    assert!(quiet.stdout.contains("playbooks/a.yaml is not formatted"), "{}", quiet.stdout);
    let diff = workspace.run(&["fmt", "--diff"]).expect(0);
    assert!(
        diff.stdout
            .starts_with("--- playbooks/a.yaml\n+++ playbooks/a.yaml\n@@ -1,3 +1,3 @@\n-playbook:   A   # why\n+playbook: A"),
        "{}",
        diff.stdout
    );
    workspace.run(&["fmt", "--check", "--diff"]).expect(4);
    assert_eq!(workspace.read("playbooks/a.yaml"), UGLY);
    let json = workspace.run(&["--json", "fmt", "--check"]).expect(4);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["files"][0]["state"], "not_formatted");
    assert_eq!(json["files"][1]["path"], "playbooks/b.yaml");
}

#[test]
fn what_is_broken_is_told_and_left_alone() {
    let workspace = Workspace::with("bad", "playbook: A\nsteps: [a\n");
    workspace.write("playbooks/ugly.yaml", UGLY);
    let out = workspace.run(&["fmt"]).expect(3);
    assert!(out.stderr.contains("playbooks/bad.yaml:2:8") && out.stderr.contains("never closed"), "{}", out.stderr);
    assert_eq!(out.stdout, "playbooks/ugly.yaml formatted\n2 files: 1 formatted, 1 with mistakes, left as they are\n");
    assert_eq!(workspace.read("playbooks/bad.yaml"), "playbook: A\nsteps: [a\n");
    let json = workspace.run(&["--json", "fmt"]).expect(3);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["files"][0]["diagnostics"][0]["code"], "E0101");
    std::fs::remove_file(workspace.path("playbooks/bad.yaml")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, workspace.path("playbooks/pipe.yaml"), 0o600.into()).unwrap();
    workspace.run(&["fmt"]).expect(0);
    let out = workspace.run(&["fmt", "playbooks/pipe.yaml"]).expect(1);
    assert!(out.stderr.contains("not a regular file"), "{}", out.stderr);
}

#[test]
fn links_lead_to_their_file_only_when_they_are_named() {
    let workspace = Workspace::with("a", UGLY);
    workspace.write("elsewhere/real.yaml", UGLY);
    std::os::unix::fs::symlink("../elsewhere/real.yaml", workspace.path("playbooks/link.yaml")).unwrap();
    std::os::unix::fs::symlink("a.yaml", workspace.path("playbooks/again.yaml")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", workspace.path("playbooks/folder")).unwrap();
    let out = workspace.run(&["fmt"]).expect(0);
    assert!(out.stdout.contains("playbooks/link.yaml is a link and is left alone"), "{}", out.stdout);
    assert!(!out.stdout.contains("again"), "{}", out.stdout);
    assert_eq!(workspace.read("elsewhere/real.yaml"), UGLY);
    workspace.run(&["fmt", "playbooks/link.yaml"]).expect(0);
    assert_eq!(workspace.read("elsewhere/real.yaml"), PRETTY);
    assert!(workspace.path("playbooks/link.yaml").symlink_metadata().unwrap().is_symlink());
    std::os::unix::fs::symlink("nowhere.yaml", workspace.path("playbooks/lost.yaml")).unwrap();
    assert!(workspace.run(&["fmt", "playbooks/lost.yaml"]).expect(1).stderr.contains("does not exist"));
}

#[test]
fn a_file_that_may_not_be_written_is_left() {
    // Root may write everything.
    if rustix::process::geteuid().is_root() {
        return;
    }
    let workspace = Workspace::with("a", UGLY);
    std::fs::set_permissions(workspace.path("playbooks/a.yaml"), std::fs::Permissions::from_mode(0o444)).unwrap();
    let out = workspace.run(&["fmt"]).expect(1);
    assert!(out.stderr.contains("may not be written"), "{}", out.stderr);
}

#[test]
fn standard_input_goes_to_standard_output() {
    let workspace = Workspace::new();
    assert_eq!(piped(&workspace, &["fmt", "--stdin"], UGLY).expect(0).stdout, PRETTY);
    assert_eq!(piped(&workspace, &["fmt", "--stdin"], "").expect(0).stdout, "");
    let out = piped(&workspace, &["fmt", "--stdin"], "a: 'x\n").expect(3);
    assert!(out.stdout.is_empty() && out.stderr.contains("<stdin>:1:4"), "{out:?}");
    piped(&workspace, &["fmt", "--stdin", "--check"], UGLY).expect(4);
    piped(&workspace, &["fmt", "--stdin", "--check"], PRETTY).expect(0);
    let diff = piped(&workspace, &["fmt", "--stdin", "--diff"], UGLY).expect(0).stdout;
    assert!(diff.contains("-- {note:  x}\n+  - { note: x }\n"), "{diff}");
    finish(workspace.command(&["fmt", "--stdin", "a.yaml"])).expect(2);
}

#[test]
fn without_a_project_files_can_still_be_named() {
    let workspace = Workspace::new();
    std::fs::remove_dir(workspace.path("playbooks")).unwrap();
    workspace.write("a.yaml", UGLY);
    workspace.run(&["fmt", "a.yaml"]).expect(0);
    assert_eq!(workspace.read("a.yaml"), PRETTY);
    assert!(workspace.run(&["fmt"]).expect(3).stderr.contains("there is no `playbooks` folder"));
}
