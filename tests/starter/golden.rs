//! Whole scripts and documents, with the playbook that each becomes beside it. `BLESS=1` rewrites them.

use std::path::{Path, PathBuf};

use super::converted;
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

#[test]
fn a_variable_that_changes_keeps_its_uses_in_one_step_that_is_marked() {
    let (playbook, said) =
        converted("x.sh", "#!/bin/bash\nset -e\nNAME=web\nX=1\nX=$((X+1))\necho \"x is $X\"\necho \"$NAME is up\"\n");
    assert_eq!(said, Vec::<String>::new());
    let step = "  # review: kept in one step, because of `X`: no step sees what another one sets\n  - shell:\n      \
                script: |\n        X=1\n        X=$((X+1))\n        echo \"x is $X\"\n";
    assert!(playbook.contains(step), "{playbook}");
    assert!(playbook.contains("- note: \"{{ name }} is up\""), "{playbook}");
    assert!(!playbook.contains("nothing uses"), "{playbook}");
    // What is only set anew, or only inside of one loop, is no reason to join anything.
    let text = "BASE=/a\nls $BASE\nBASE=/b\nls $BASE\nfor f in 1 2; do touch $f; done\nls\nfor f in 3 4; do touch $f; done\n";
    let (playbook, _) = converted("x.sh", text);
    assert!(!playbook.contains("kept in one step"), "{playbook}");
}

#[test]
fn a_required_variable_is_a_parameter_of_every_step_that_uses_it() {
    let text = "#!/bin/bash\nset -euo pipefail\n: \"${TOKEN:?need a token}\"\n: \"${HOST:?missing}\"\nAPI_KEY=${API_KEY:?}\n\
                ping -c 1 \"$HOST\"\ncurl -H \"T: $TOKEN\" -H \"K: $API_KEY\" http://127.0.0.1:1/\n\
                mysqldump -p\"${DB_PASSWORD:?set it}\" app > dump\nrm -f \"${HOME:?}/x\"\n";
    let (playbook, said) = converted("x.sh", text);
    assert_eq!(said, Vec::<String>::new(), "{playbook}");
    for line in [
        "  token: { type: secret, required: true, help: need a token, ask: \"token?\" }\n",
        "  host: { required: true, help: missing, ask: \"host?\" }\n",
        "  api_key: { type: secret, required: true, help: In place of $API_KEY, ask: \"api_key?\" }\n",
        "  db_password: { type: secret, required: true, help: set it, ask: \"db_password?\" }\n",
        ": \"${TOKEN:?need a token}\"",
        "command: [ping, -c, 1, \"{{ params.host }}\"]",
        "env: { TOKEN: \"{{ params.token }}\", API_KEY: \"{{ params.api_key }}\" }",
        "mysqldump -p\"${DB_PASSWORD:?set it}\" app > dump",
        "env: { DB_PASSWORD: \"{{ params.db_password }}\" }",
    ] {
        assert!(playbook.contains(line), "{line}\n{playbook}");
    }
    for wrong in ["in clear", "could not be read", "params.home"] {
        assert!(!playbook.contains(wrong), "{wrong}\n{playbook}");
    }
    // What the script sets itself is asked of nobody.
    let (playbook, _) = converted("x.sh", "D=$(mktemp -d)\nrm -r \"${D:?}/x\"\n");
    assert!(!playbook.contains("params:"), "{playbook}");
}

#[test]
fn ids_and_names_that_yaml_reads_as_something_else_are_quoted() {
    for word in ["N", "Y", "NO", "ON", "OFF", "YES", "TRUE", "FALSE", "NULL"] {
        let workspace = Workspace::new();
        workspace.write("x.sh", &format!("#!/bin/sh\n{word}=$(ls | wc -l)\necho \"${word} files\"\n"));
        workspace.run(&["new", "x", "--from-shell", "x.sh"]).expect(0);
        let out = workspace.run(&["check", "x"]).expect(0);
        assert_eq!(out.stdout, "1 playbook checked, no mistakes\n", "{word}: {}", workspace.read("playbooks/x.yaml"));
        workspace.run(&["fmt", "--check", "x"]).expect(0);
    }
    let workspace = Workspace::new();
    for name in ["null", "true", "false", "no", "y", "web"] {
        workspace.run(&["new", name]).expect(0);
        let tests = workspace.read(&format!("playbooks/tests/{name}.test.yaml"));
        assert_eq!(tests.contains(&format!("play: \"{name}\"")), name != "web", "{tests}");
    }
    workspace.run(&["check"]).expect(0);
    workspace.run(&["fmt", "--check"]).expect(0);
    workspace.run(&["test"]).expect(0);
}
