//! Signals and locks: the first Ctrl-C is orderly, the second ends everything, and no orphan is left.

use std::process::{Child, Stdio};

use crate::harness::{Output, Workspace, alive, descendants, send, wait_until};

const SLOW: &str = "playbook: x\nlock: slow\nsteps:\n  - { id: one, file.write: { path: one.txt, content: x } }\n  - id: two\n    block:\n      - { id: long, command: [sh, -c, \"trap '' INT; echo $$ > started; sleep 300\"] }\n    always:\n      - { id: cleanup, file.write: { path: cleaned.txt, content: x } }\n  - { id: three, file.write: { path: three.txt, content: x } }\n";

fn start(workspace: &Workspace) -> Child {
    let child = workspace.command(&["play", "slow"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(|| workspace.path("started").exists() && !workspace.read("started").trim().is_empty());
    child
}

fn end(child: Child) -> Output {
    let out = child.wait_with_output().unwrap();
    Output {
        code: out.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

#[test]
fn one_interrupt_cleans_up_and_says_what_is_left() {
    for (signal, code) in
        [(rustix::process::Signal::INT, 130), (rustix::process::Signal::TERM, 143), (rustix::process::Signal::HUP, 129)]
    {
        let workspace = Workspace::with("slow", SLOW);
        let child = start(&workspace);
        let family = descendants(child.id());
        assert!(!family.is_empty());
        send(child.id(), signal);
        let out = end(child);
        assert_eq!(out.code, code, "{}\n{}", out.stdout, out.stderr);
        assert!(workspace.path("cleaned.txt").exists(), "`always` ran");
        assert!(!workspace.path("three.txt").exists(), "nothing new was begun");
        assert!(out.stdout.contains("one"), "what was changed is named:\n{}", out.stdout);
        for pid in family {
            assert!(!alive(pid), "{pid} was left behind");
        }
    }
}

#[test]
fn a_second_interrupt_ends_everything_at_once() {
    // The command ignores TERM too, so that the orderly stop is still waiting when the second one comes.
    let text = SLOW.replace("trap '' INT", "trap '' INT TERM");
    let workspace = Workspace::with("slow", &text);
    let child = start(&workspace);
    let family = descendants(child.id());
    send(child.id(), rustix::process::Signal::INT);
    let journal = workspace.path("state/runs").read_dir().unwrap().next().unwrap().unwrap().path();
    wait_until(|| std::fs::read_to_string(&journal).unwrap().contains("\"stopping\""));
    send(child.id(), rustix::process::Signal::INT);
    let out = end(child);
    assert_eq!(out.code, 130);
    for pid in family {
        wait_until(|| !alive(pid));
    }
    assert!(std::fs::read_to_string(&journal).unwrap().contains("\"killed\""));
}

#[test]
fn a_second_run_is_told_who_holds_the_lock_since_when() {
    let workspace = Workspace::with("slow", SLOW);
    let child = start(&workspace);
    let out = workspace.run(&["play", "slow"]).expect(9);
    for part in ["slow", "tester", &format!("pid {}", child.id()), "since"] {
        assert!(out.stderr.contains(part), "{part}: {}", out.stderr);
    }
    send(child.id(), rustix::process::Signal::INT);
    end(child);
    // The lock died with its holder.
    let out = workspace.run(&["--json", "runs"]).expect(0);
    assert!(!out.stdout.contains("\"running\""), "{}", out.stdout);
}

#[test]
fn a_lock_is_waited_for_if_asked() {
    let text = "playbook: x\nlock: l\nsteps:\n  - { command: [sh, -c, \"echo $$ > started; while [ ! -e go ]; do sleep 0.05; done\"] }\n";
    let workspace = Workspace::with("slow", text);
    let first = start(&workspace);
    let second = workspace
        .command(&["play", "slow", "--lock-timeout", "30s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    workspace.write("go", "");
    assert_eq!(end(first).code, 0);
    assert_eq!(end(second).code, 0);
}

#[test]
fn a_limit_for_the_whole_run_ends_it() {
    let workspace = Workspace::with("slow", SLOW);
    let out = workspace.run(&["play", "slow", "--timeout", "3s"]).expect(124);
    assert!(workspace.path("cleaned.txt").exists(), "{}", out.stdout);
}

#[test]
fn a_closed_pipe_does_not_end_the_run() {
    let workspace = Workspace::with(
        "x",
        "playbook: x\nsteps:\n  - { for_each: range(200), set: { x: 1 } }\n  - { file.write: { path: out.txt, content: x } }\n",
    );
    let mut child = workspace.command(&["-vv", "play", "x"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    assert!(workspace.path("out.txt").exists());
}
