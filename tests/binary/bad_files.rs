//! Things that are no playbook files, and files in forms that are not the usual ones.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use crate::harness::Workspace;

const NOTE: &str = "playbook: A\nsteps:\n  - note: a\n";

#[test]
fn line_ends_of_windows_are_accepted() {
    // A carriage return that stayed in the text would be a part of the value.
    let text = "playbook: A\r\nsteps:\r\n  - shell: |\r\n      x=1\r\n      echo \"[$x]\"\r\n    effect: read\r\n    expect: stdout | trim == '[1]'\r\n";
    let workspace = Workspace::with("a", text);
    workspace.run(&["check"]).expect(0);
    workspace.run(&["play", "a"]).expect(0);
}

#[test]
fn a_byte_order_mark_at_the_start_is_accepted() {
    let workspace = Workspace::with("a", &format!("\u{feff}{NOTE}"));
    workspace.run(&["check"]).expect(0);
    workspace.run(&["play", "a"]).expect(0);
}

#[test]
fn what_is_no_file_is_told_at_once() {
    let workspace = Workspace::with("a", NOTE);
    let path = |name: &str| workspace.path(&format!("playbooks/{name}.yaml"));
    std::fs::create_dir(path("folder")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RWXU).unwrap();
    symlink("/dev/zero", path("endless")).unwrap();
    let _socket = UnixListener::bind(path("socket")).unwrap();
    symlink(path("nowhere"), path("dangling")).unwrap();
    symlink(path("loop"), path("loop")).unwrap();
    for (name, why) in [
        ("folder", "it is a folder"),
        ("pipe", "it is not a regular file"),
        ("endless", "it is not a regular file"),
        ("socket", "it is not a regular file"),
        ("dangling", "it does not exist"),
        ("missing", "it does not exist"),
        ("loop", "symbolic links"),
    ] {
        for command in ["check", "play"] {
            let out = workspace.run(&[command, &format!("playbooks/{name}.yaml")]).expect(3);
            let said = out.stdout + &out.stderr;
            assert!(said.contains("E0001") && said.contains(why) && said.contains(name), "{command} {name}: {said}");
            assert!(said.contains("help:"), "{said}");
        }
    }
    // What lies in the folder beside good playbooks is told when all are checked, and does not hide the others' mistakes.
    workspace.write("playbooks/b.yaml", "playbook: A\nstpes: []\n");
    let out = workspace.run(&["check"]).expect(3);
    assert!(out.stdout.contains("pipe.yaml") && out.stdout.contains("did you mean `steps`?"), "{}", out.stdout);
}

#[test]
fn a_file_that_may_not_be_read_is_told() {
    let workspace = Workspace::with("a", NOTE);
    let path = workspace.path("playbooks/a.yaml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o222)).unwrap();
    let out = workspace.run(&["check", "playbooks/a.yaml"]);
    // The superuser reads it all the same.
    if std::fs::read(&path).is_ok() {
        assert_eq!(out.code, 0, "{}", out.stdout);
    } else {
        assert_eq!(out.code, 3, "{}", out.stdout);
        assert!(out.stdout.contains("this user may not read it"), "{}", out.stdout);
    }
}

#[test]
fn folders_and_systems_are_checked_too() {
    let workspace = Workspace::with("shop/a", NOTE);
    workspace.write("playbooks/shop/system.yaml", "system: shop\nservcies: {}\n");
    workspace.write("playbooks/empty/system.yaml", "system: empty\nvasr: {}\n");
    workspace.write("playbooks/other/b.yaml", "playbook: B\nstpes: []\n");
    let said = |args: &[&str], code| {
        let out = workspace.run(args).expect(code);
        ["services", "vars", "steps"].map(|word| out.stdout.contains(&format!("did you mean `{word}`?")))
    };
    assert_eq!(said(&["check"], 3), [true, true, true]);
    assert_eq!(said(&["check", "playbooks/shop"], 3), [true, false, false]);
    assert_eq!(said(&["check", "shop/", "./playbooks/other/"], 3), [true, false, true]);
    assert_eq!(said(&["check", "playbooks/empty/system.yaml"], 3), [false, true, false]);
    assert_eq!(said(&["check", "playbooks/gone/system.yaml"], 3), [false, false, false]);
}

#[test]
fn json_parameters_are_read_strictly() {
    let text =
        "playbook: A\nparams: { m: { type: map }, l: { type: list } }\nsteps:\n  - note: \"{{ params.m }} {{ params.l }}\"\n";
    let workspace = Workspace::with("a", text);
    workspace.run(&["play", "a", "--param", "m={\"a\": {\"b\": [1]}}", "--param", "l=x, y"]).expect(0);
    let deep = format!("l={}{}", "[".repeat(200), "]".repeat(200));
    for (value, said) in [
        ("m={\"a\": 1, \"a\": 2}", "the key `a` is given twice"),
        ("m={\"a\": 1,}", "trailing comma"),
        ("m={\"a\": \"\\ud800\"}", "hex escape"),
        ("m=[1]", "expected a map"),
        (deep.as_str(), "recursion limit"),
    ] {
        let out = workspace.run(&["play", "a", "--param", value]).expect(3);
        assert!(out.stderr.contains(said), "{value}: {}", out.stderr);
    }
}
