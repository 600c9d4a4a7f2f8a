//! Files over the limit are refused without being read.
//!
//! How the program fares with files just below it is measured by `cargo bench -- hostile`.

use crate::harness::Workspace;

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
