//! Every command of the foundation, on the shipped playbooks.

use crate::harness::Workspace;

#[test]
fn list_show_and_check_know_the_shipped_playbooks() {
    let workspace = Workspace::shipped();
    let out = workspace.run(&["list"]).expect(0);
    for name in ["stack-start", "stack-stop", "stack-status", "service-restart"] {
        assert!(out.stdout.contains(name), "{}", out.stdout);
    }
    let out = workspace.run(&["--json", "list"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    assert!(json.to_string().contains("sonia/stack-start"));
    let out = workspace.run(&["show", "stack-start"]).expect(0);
    for part in ["skip_health_check", "SONIA-START", "reload"] {
        assert!(out.stdout.contains(part), "{part}: {}", out.stdout);
    }
    let out = workspace.run(&["--json", "show", "sonia/stack-start"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(json["params"][0]["name"], "skip_health_check");
    workspace.run(&["check"]).expect(0);
    workspace.run(&["check", "--profile", "uvicorn"]).expect(0);
    workspace.run(&["check", "playbooks/sonia/stack-start.yaml"]).expect(0);
}

#[test]
fn list_names_broken_files_and_goes_on() {
    let workspace = Workspace::with("good", "playbook: Good\nsteps:\n  - note: x\n");
    workspace.write("playbooks/bad.yaml", "playbook: Bad\nstpes: []\n");
    let out = workspace.run(&["list"]).expect(0);
    assert!(out.stdout.contains("good") && out.stdout.contains("bad"), "{}", out.stdout);
}

#[test]
fn modules_are_listed_and_explained() {
    let workspace = Workspace::new();
    let out = workspace.run(&["modules"]).expect(0);
    for name in [
        "http",
        "tcp",
        "port",
        "process",
        "pid_file",
        "service",
        "file",
        "disk",
        "memory",
        "log",
        "config",
        "env",
        "command",
        "shell",
        "service.start",
        "service.stop",
        "service.restart",
        "process.signal",
        "http.request",
        "file.write",
        "file.copy",
        "file.move",
        "file.delete",
        "dir.create",
    ] {
        assert!(out.stdout.lines().any(|l| l.split_whitespace().next() == Some(name)), "{name} is missing:\n{}", out.stdout);
    }
    let out = workspace.run(&["modules", "http"]).expect(0);
    assert!(out.stdout.contains("url") && out.stdout.contains("status"), "{}", out.stdout);
    let out = workspace.run(&["modules", "--json"]).expect(0);
    let _: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    let out = workspace.run(&["modules", "http", "--json"]).expect(0);
    let _: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
}

#[test]
fn schemas_completions_and_help() {
    let workspace = Workspace::new();
    for which in ["playbook", "system", "test", "answers", "event", "report"] {
        let out = workspace.run(&["schema", which]).expect(0);
        let schema: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
        assert!(schema["$schema"].as_str().unwrap().contains("draft-07"));
    }
    for shell in ["bash", "zsh", "fish"] {
        let out = workspace.run(&["completions", shell]).expect(0);
        assert!(out.stdout.contains("stack") || out.stdout.contains("play"), "{shell}");
    }
    let out = workspace.run(&["help", "exit-codes"]).expect(0);
    for exit in runbook_core::exit::Exit::ALL {
        assert!(out.stdout.contains(&exit.code().to_string()), "{exit:?}");
    }
    workspace.run(&["help", "environment"]).expect(0);
    workspace.run(&["help", "expressions"]).expect(0);
    workspace.run(&["help", "play"]).expect(0);
    workspace.run(&["--version"]).expect(0);
    let out = workspace.run(&[]).expect(0);
    assert_eq!(workspace.run(&["help"]).expect(0).stdout, out.stdout);
    let heads: Vec<&str> = out.stdout.lines().filter(|l| !l.is_empty() && !l.starts_with(' ')).take(5).collect();
    assert_eq!(heads, ["Run operators' procedures written as YAML playbooks.", "Try", "Run", "Look", "Write"]);
    assert_eq!(out.stdout.lines().filter(|l| l.starts_with("  runbook ")).count(), 4, "{}", out.stdout);
    // Every command is there once.
    for name in
        ["play", "list", "show", "check", "new", "test", "fmt", "modules", "runs", "explain", "schema", "completions", "help"]
    {
        let found = out.stdout.lines().filter(|l| l.starts_with("  ") && l.split_whitespace().next() == Some(name)).count();
        assert_eq!(found, 1, "{name}: {}", out.stdout);
    }
    assert!(out.stdout.lines().count() < 48, "it fits on a screen: {}", out.stdout);
}

#[test]
fn every_code_is_explained() {
    let workspace = Workspace::new();
    for code in runbook_core::code::Code::ALL {
        let out = workspace.run(&["explain", code.as_str()]).expect(0);
        assert!(out.stdout.contains(code.as_str()));
    }
}

#[test]
fn check_reports_in_four_formats() {
    let workspace = Workspace::with("bad", "playbook: Bad\nsteps:\n  - { note: a, timout: 5s }\n");
    let human = workspace.run(&["check"]).expect(3);
    assert!(human.stdout.contains("did you mean `timeout`?") && human.stdout.contains("^^^^^^"), "{}", human.stdout);
    let json = workspace.run(&["check", "--format", "json"]).expect(3);
    let _: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let github = workspace.run(&["check", "--format", "github"]).expect(3);
    assert!(github.stdout.starts_with("::error file="), "{}", github.stdout);
    let sarif = workspace.run(&["check", "--format", "sarif"]).expect(3);
    let sarif: serde_json::Value = serde_json::from_str(&sarif.stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
}

#[test]
fn quiet_says_only_the_last_line_and_verbose_says_more() {
    let workspace = Workspace::with("x", "playbook: x\nsteps:\n  - { id: a, command: [\"true\"] }\n  - note: hello\n");
    let quiet = workspace.run(&["--quiet", "play", "x"]).expect(0);
    let normal = workspace.run(&["play", "x"]).expect(0);
    let verbose = workspace.run(&["-vv", "play", "x"]).expect(0);
    assert!(quiet.stdout.lines().count() < normal.stdout.lines().count(), "{}\n---\n{}", quiet.stdout, normal.stdout);
    assert!(normal.stdout.lines().count() < verbose.stdout.lines().count(), "{}\n---\n{}", normal.stdout, verbose.stdout);
}

#[test]
fn github_gets_folds_and_annotations() {
    let workspace =
        Workspace::with("x", "playbook: x\nsteps:\n  - { id: a, command: [\"true\"] }\n  - { id: b, command: [\"false\"] }\n");
    let mut command = workspace.command(&["play", "x"]);
    command.env("GITHUB_ACTIONS", "true");
    let out = crate::harness::finish(command).expect(4);
    assert_eq!(out.stdout.lines().filter(|l| l.starts_with("::group::")).count(), 2, "{}", out.stdout);
    assert_eq!(out.stdout.lines().filter(|l| *l == "::endgroup::").count(), 2, "{}", out.stdout);
    assert!(out.stdout.contains("::error file=playbooks/x.yaml,line=4,col="), "{}", out.stdout);
}

#[test]
fn piped_output_has_one_line_per_event_without_colour() {
    let workspace = Workspace::with("x", "playbook: x\nsteps:\n  - { id: a, command: [\"true\"] }\n");
    let out = workspace.run(&["play", "x"]).expect(0);
    assert!(!out.stdout.contains('\u{1b}'));
    assert!(out.stdout.lines().any(|l| l.contains("step=a") && l.contains("status=")), "{}", out.stdout);
}

#[test]
fn output_that_cannot_be_written_is_no_success() {
    let workspace = Workspace::with("a", "playbook: A\nsteps:\n  - note: x\n");
    for args in [&["check"][..], &["schema"], &["explain", "E0201"], &["graph", "a"], &["doc", "a"], &["fmt", "--stdin"]] {
        let mut command = workspace.command(args);
        command.stdin(std::fs::File::open(workspace.path("playbooks/a.yaml")).unwrap());
        command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap()).stderr(std::process::Stdio::piped());
        let out = command.output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(!out.status.success(), "{args:?} says it went well");
        assert!(said.contains("the output cannot be written: No space left on device"), "{args:?}: {said}");
    }
    // Whoever closes the pipe has read enough.
    let mut child = workspace.command(&["schema"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
