//! Bad input: one clear message, the documented exit code, nothing done, nothing left behind.

use crate::harness::Workspace;

const HELLO: &str = "playbook: Say hello\nparams:\n  name: { type: string, required: true, pattern: \"[a-z]+\", help: Whom to greet }\n  mode: { type: choice, choices: [short, long], default: short }\n  n: { type: int, default: 1, min: 1, max: 3 }\nsteps:\n  - note: \"hello {{ params.name }} {{ params.mode }} {{ params.n }}\"\n";

fn hello() -> Workspace {
    Workspace::with("hello", HELLO)
}

/// No run was recorded.
#[track_caller]
fn nothing_ran(workspace: &Workspace) {
    let runs = workspace.path("state/runs");
    assert!(!runs.exists() || runs.read_dir().unwrap().next().is_none(), "a run was recorded");
}

#[test]
fn an_unknown_playbook_is_suggested() {
    let workspace = hello();
    let out = workspace.run(&["play", "helo"]).expect(3);
    assert!(out.stderr.contains("E0405") && out.stderr.contains("hello"), "{}", out.stderr);
    nothing_ran(&workspace);
}

#[test]
fn parameters_that_do_not_fit_are_told_by_name_type_and_choices() {
    let workspace = hello();
    for (args, said) in [
        (vec!["play", "hello"], "`name`"),
        (vec!["play", "hello", "--param", "nam=x"], "did you mean `name`?"),
        (vec!["play", "hello", "--param", "name=x", "--param", "n=many"], "expected a whole number"),
        (vec!["play", "hello", "--param", "name=x", "--param", "n=9"], "out of range"),
        (vec!["play", "hello", "--param", "name=x", "--param", "mode=lon"], "did you mean `long`?"),
        (vec!["play", "hello", "--param", "name=X1"], "does not match the pattern"),
    ] {
        let out = workspace.run(&args).expect(3);
        assert!(out.stderr.contains(said), "{args:?}: {}", out.stderr);
        assert!(out.stdout.is_empty(), "{}", out.stdout);
    }
    nothing_ran(&workspace);
}

#[test]
fn usage_mistakes_exit_2() {
    let workspace = hello();
    for args in [
        vec!["paly", "hello"],
        vec!["play"],
        vec!["play", "hello", "--param", "x"],
        vec!["play", "hello", "--dryrun"],
        vec!["play", "hello", "--lock-timeout", "soon"],
        vec!["modules", "htpp"],
        vec!["explain", "E9999"],
        vec!["help", "exit-code"],
        vec!["runs", "show", "nothing"],
    ] {
        let out = workspace.run(&args);
        assert_eq!(out.code, 2, "{args:?}: {}", out.stderr);
        assert!(!out.stderr.is_empty());
    }
}

#[test]
fn broken_files_are_told_with_their_place_and_nothing_runs() {
    for (text, code, place) in [
        ("playbook: x\nsteps:\n  - note: \"open\n", "E0101", "broken.yaml:3:"),
        ("playbook: x\nsteps:\n\t- note: x\n", "E0101", "broken.yaml:3:1"),
        ("playbook: x\nsteps:\n  - htpp: http://x\n", "E0207", "broken.yaml:3:5"),
        ("playbook: x\nsteps:\n  - note: \"{{ missing }}\"\n", "E0401", "broken.yaml:3:15"),
        ("playbook: x\nsteps:\n  - note: a\n    timout: 5s\n", "E0201", "broken.yaml:4:5"),
        ("playbook: x\nplaybook: y\nsteps:\n  - note: a\n", "E0102", "broken.yaml:2:1"),
        ("playbook: x\nsteps:\n  - note: a\n    when: b = 1\n", "E0501", "broken.yaml:4:"),
        ("", "E0104", ""),
        ("playbook: x\nsteps: []\n", "E0", "broken.yaml:2:"),
        ("playbook: x\nsteps:\n  - { note: a, on: db1 }\n", "E0214", "broken.yaml:3:"),
        ("playbook: x\nsteps:\n  - { http: \"http://x/\", timeout: 5 minuts }\n", "E0301", "broken.yaml:3:"),
    ] {
        let workspace = Workspace::with("broken", text);
        let out = workspace.run(&["play", "broken"]).expect(3);
        assert!(out.stderr.contains(code) && out.stderr.contains(place), "{text}\n{}", out.stderr);
        assert!(out.stderr.contains("help:"), "{text}\n{}", out.stderr);
        nothing_ran(&workspace);
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_in_one_pass() {
    let text = "playbook: x\nstpes:\n  - note: a\nsteps:\n  - { note: a, timout: 5s }\n  - { htpp: \"http://x/\" }\n  - { note: \"{{ a + }}\" }\n  - { file: { pth: /x } }\n";
    let out = Workspace::with("broken", text).run(&["check"]).expect(3);
    for code in ["stpes", "timout", "htpp", "pth"] {
        assert!(out.stdout.contains(code), "{code} is missing:\n{}", out.stdout);
    }
    assert!(out.stdout.contains("found 6 errors"), "{}", out.stdout);
}

#[test]
fn a_folder_that_cannot_be_written_stops_the_run_before_it_begins() {
    let workspace = Workspace::with("touch", "playbook: x\nsteps:\n  - file.write: { path: out.txt, content: x }\n");
    // A file where the state folder should be.
    workspace.write("state", "in the way");
    let out = workspace.run(&["play", "touch"]).expect(1);
    assert!(out.stderr.contains("state"), "{}", out.stderr);
    assert!(!workspace.path("out.txt").exists());
}

#[test]
fn a_full_disk_under_the_journal_stops_the_run_before_its_next_change() {
    // Every write to this device fails with "no space left"; the journal's folder is real, its file is not.
    let workspace = Workspace::with("touch", "playbook: x\nsteps:\n  - file.write: { path: out.txt, content: x }\n");
    let mut command = workspace.command(&["play", "touch"]);
    // A limit on the size of files stands in for a full disk: the write comes back short, then with an error.
    command = with_file_limit(command, 600);
    let out = crate::harness::finish(command);
    assert_eq!(out.code, 1, "stdout:\n{}\nstderr:\n{}", out.stdout, out.stderr);
    assert!(out.stderr.contains("journal"), "{}", out.stderr);
    assert!(!workspace.path("out.txt").exists(), "no change without a durable intent");
}

/// The same command under a limit on the size of files it writes.
fn with_file_limit(command: std::process::Command, bytes: u64) -> std::process::Command {
    let mut shell = std::process::Command::new("python3");
    let program = "import os,resource,signal,sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); n=int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE,(n,n)); os.execvp(sys.argv[2], sys.argv[2:])";
    shell.arg("-c").arg(program).arg(bytes.to_string()).arg(command.get_program()).args(command.get_args());
    shell.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

#[test]
fn without_playbooks_the_way_to_them_is_told() {
    let workspace = Workspace::new();
    std::fs::remove_dir(workspace.path("playbooks")).unwrap();
    let out = workspace.run(&["list"]).expect(3);
    assert!(out.stderr.contains("--playbooks"), "{}", out.stderr);
    let out = workspace.run(&["--playbooks", "/no/such/folder", "list"]).expect(3);
    assert!(out.stderr.contains("/no/such/folder"), "{}", out.stderr);
}

#[test]
fn mistakes_are_json_when_json_is_asked_for() {
    let workspace = hello();
    let out = workspace.run(&["--json", "play", "hello"]).expect(3);
    let events = out.events();
    assert_eq!(events[0]["event"], "error");
    let out = workspace.run(&["--json", "play", "helo"]).expect(3);
    let _: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
}

#[test]
fn hostile_text_cannot_drive_the_terminal() {
    let workspace = Workspace::with(
        "x",
        "playbook: x\nparams:\n  a: { type: string, required: true }\nsteps:\n  - note: \"{{ params.a }}\"\n",
    );
    let out = workspace.run(&["play", "x", "--param", "a=\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}"]).expect(0);
    assert!(!out.stdout.contains('\u{1b}') && !out.stdout.contains('\u{202e}'), "{:?}", out.stdout);
}

#[test]
fn a_program_that_is_not_there_leaves_nothing_behind() {
    let workspace = Workspace::with("x", "playbook: x\nsteps:\n  - { id: a, command: [no-such-program-here] }\n");
    let out = workspace.run(&["--json", "play", "x"]).expect(4);
    let finished = out.events().pop().unwrap();
    assert!(finished["message"].as_str().unwrap().contains("program `no-such-program-here` not found"));
    assert!(finished["left"].is_null(), "nothing was begun: {finished}");
}
