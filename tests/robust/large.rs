//! Files as large as may be, of every hostile kind: the real program says something, in an orderly way, within its share of memory.
//!
//! How long it takes is not asked here but measured by `cargo bench -- hostile`.

use std::process::{Command, Stdio};

use crate::harness::{HOSTILE, Hostile, Output, Workspace, finish};

/// How large the files are. What grows with the square of the size, or with more, shows at this size too, and a file of some kinds is just not
/// refused yet for what it holds; all of them at their full size take minutes in a build without optimisation.
const SIZE: usize = 512 * 1024;

/// The most memory that the program may ask for, in KiB: what a small file takes of the address space, and 200 MB.
const MEMORY: u64 = 200_000;

/// The program under a limit of its address space and of its processor time.
fn limited(workspace: &Workspace, args: &[&str], address_space: u64) -> Output {
    let plain = workspace.command(args);
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("ulimit -v {address_space}; ulimit -t 60; ulimit -c 0; exec \"$0\" \"$@\""))
        .arg(plain.get_program())
        .args(plain.get_args())
        .env_clear()
        .envs(plain.get_envs().filter_map(|(k, v)| Some((k, v?))))
        .current_dir(workspace.path(""))
        .stdin(Stdio::null());
    finish(command)
}

/// The address space that the program takes for a small file, in KiB: mostly its own code.
fn base(workspace: &Workspace) -> u64 {
    let enough = |kib: &u64| limited(workspace, &["check"], *kib).code == 0;
    (10..400).map(|n| n * 10_000).find(enough).unwrap()
}

fn hold(kind: &Hostile, size: usize, base: u64) {
    let workspace = Workspace::with("a", "playbook: A\nsteps:\n  - note: x\n");
    let path = workspace.path("playbooks").join(kind.file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, kind.text(size)).unwrap();
    let out = limited(&workspace, &["check", "--format", "json"], base + MEMORY);
    let end: String = out.stderr.chars().take(500).collect();
    assert!(matches!(out.code, 0 | 3), "{}: `check` ended with {}: {end}", kind.name, out.code);
    assert!(!out.stdout.is_empty() && out.stdout.len() < 5_000_000, "{}: {} bytes were said", kind.name, out.stdout.len());
    assert!(out.code == 0 || out.stdout.contains("E0"), "{}: {}", kind.name, out.stdout);
    let out = limited(&workspace, &["fmt", "--check", "--quiet"], base + MEMORY);
    let end: String = out.stderr.chars().take(500).collect();
    assert!(matches!(out.code, 0 | 3 | 4), "{}: fmt ended with {}: {end}", kind.name, out.code);
}

/// Each kind of file, shared out over so many tests that run beside each other.
fn part(part: usize, of: usize) {
    let base = base(&Workspace::with("a", "playbook: A\nsteps:\n  - note: x\n"));
    for kind in HOSTILE.iter().skip(part).step_by(of) {
        hold(kind, SIZE, base);
    }
}

#[test]
fn hostile_files_are_answered_first_part() {
    part(0, 2);
}

#[test]
fn hostile_files_are_answered_second_part() {
    part(1, 2);
}

#[test]
fn files_over_the_limit_are_refused_unread() {
    let workspace = Workspace::with("a", "");
    std::fs::write(workspace.path("playbooks/a.yaml"), vec![b'x'; 10 * 1024 * 1024 + 1]).unwrap();
    let out = workspace.run(&["check"]).expect(3);
    assert!(out.stdout.contains("E0004"), "{}", out.stdout);
    let out = workspace.run(&["fmt"]).expect(3);
    assert!(out.stderr.contains("E0004"), "{}", out.stderr);
    let sparse = std::fs::File::create(workspace.path("playbooks/a.yaml")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    workspace.run(&["check"]).expect(3);
    workspace.run(&["fmt"]).expect(3);
    std::os::unix::fs::symlink("/dev/zero", workspace.path("playbooks/zero.yaml")).unwrap();
    workspace.run(&["check", "zero"]).expect(3);
}

#[test]
fn a_file_of_too_many_patterns_is_told_once() {
    let params: String = (0..1_100).map(|i| format!("  p{i}: {{ type: string, pattern: \"a{i}\", default: a{i} }}\n")).collect();
    let workspace = Workspace::with("a", &format!("playbook: A\nparams:\n{params}steps:\n  - note: x\n"));
    let out = workspace.run(&["check"]).expect(3);
    assert_eq!(out.stdout.matches("the file holds more than 1000 patterns").count(), 1, "{}", out.stdout);
    // Each file has its own thousand.
    let half: String = (0..600).map(|i| format!("  - file: {{ path: x, contains: \"a{i}\" }}\n")).collect();
    let workspace = Workspace::with("a", &format!("playbook: A\nsteps:\n{half}"));
    workspace.write("playbooks/b.yaml", &format!("playbook: B\nsteps:\n{half}"));
    workspace.run(&["check"]).expect(0);
}
