//! Whole scripts and documents, with the playbook that each becomes beside it. `BLESS=1` rewrites them.

use std::path::{Path, PathBuf};

use crate::harness::Workspace;

fn sources() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut out: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    out.retain(|p| p.extension().is_some_and(|e| e != "yaml"));
    out.sort();
    assert!(out.len() >= 4, "{out:?}");
    out
}

#[test]
fn scripts_become_the_playbooks_beside_them() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for path in sources() {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let workspace = Workspace::new();
        workspace.write(&file, &std::fs::read_to_string(&path).unwrap());
        let out = workspace.run(&["new", "converted", "--from-shell", &file]).expect(0);
        assert!(out.stdout.starts_with("wrote playbooks/converted.yaml ("), "{}", out.stdout);
        let found = workspace.read("playbooks/converted.yaml");
        let beside = path.with_extension(format!("{}.yaml", path.extension().unwrap().to_str().unwrap()));
        if bless {
            std::fs::write(&beside, &found).unwrap();
        } else if std::fs::read_to_string(&beside).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", beside.display()));
        }
        let out = workspace.run(&["check", "converted"]).expect(0);
        assert_eq!(out.stdout, "1 playbook checked, no mistakes\n", "{file}");
        workspace.run(&["fmt", "--check", "converted"]).expect(0);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_secret_of_a_source_is_in_its_playbook() {
    for path in sources() {
        let text = std::fs::read_to_string(path.with_extension(format!("{}.yaml", path.extension().unwrap().to_str().unwrap())))
            .unwrap();
        for secret in ["s3cr3t-Pa55", "abc123def456", "S3cretPw", "p4ssw0rd1", "abcdef12345", "hunter2hunter2", "tok_1234567890"]
        {
            assert!(!text.contains(secret), "{secret} in {}", path.display());
        }
    }
}

#[test]
fn a_source_that_is_no_script_is_refused() {
    let workspace = Workspace::new();
    workspace.write("x.py", "#!/usr/bin/env python3\nprint(1)\n");
    workspace.write("big.sh", &"ls\n".repeat(400_000));
    std::fs::write(workspace.path("latin1.sh"), b"echo caf\xe9\n").unwrap();
    std::fs::create_dir(workspace.path("folder")).unwrap();
    for (file, code, message) in [
        ("x.py", 3, "x.py is written for `python3`, which is no shell"),
        ("big.sh", 3, "(256 KiB) is the limit"),
        ("latin1.sh", 3, "latin1.sh is not UTF-8: the byte at offset 8 is none"),
        ("folder", 3, "folder cannot be read: it is a folder"),
        ("/dev/zero", 3, "/dev/zero cannot be read: it is not a regular file"),
        ("missing.sh", 3, "missing.sh cannot be read: no such file or directory"),
    ] {
        let out = workspace.run(&["new", "x", "--from-shell", file]).expect(code);
        assert!(out.stderr.contains(message), "{file}: {}", out.stderr);
        assert!(out.stderr.contains("help: "), "{file}: {}", out.stderr);
    }
    workspace.run(&["new", "x", "--from-shell", "x.py", "--triage"]).expect(2);
    assert!(!workspace.path("playbooks/x.yaml").exists());
}

#[test]
fn standard_input_is_a_source_too() {
    let workspace = Workspace::new();
    workspace.write("in.txt", "# Look\n\n```sh\nuptime\n```\n");
    let mut command = workspace.command(&["new", "x", "--from-shell", "-", "--print"]);
    command.stdin(std::fs::File::open(workspace.path("in.txt")).unwrap());
    let out = crate::harness::finish(command).expect(0);
    assert!(out.stdout.contains("playbook: Look\n") && out.stdout.contains("command: [uptime]"), "{}", out.stdout);
    let mut command = workspace.command(&["new", "x", "--from-shell", "-", "--print"]);
    workspace.write("in.txt", "uptime | cat\n");
    command.stdin(std::fs::File::open(workspace.path("in.txt")).unwrap());
    let out = crate::harness::finish(command).expect(0);
    assert!(out.stdout.contains("shell: uptime | cat"), "{}", out.stdout);
    for nothing in ["", "\n\n", "# only a comment\n", "#!/bin/sh\n"] {
        workspace.write("in.txt", nothing);
        let mut command = workspace.command(&["new", "x", "--from-shell", "-"]);
        command.stdin(std::fs::File::open(workspace.path("in.txt")).unwrap());
        crate::harness::finish(command).expect(0);
        workspace.run(&["check", "x"]).expect(0);
        std::fs::remove_file(workspace.path("playbooks/x.yaml")).unwrap();
    }
}
