//! Keeps a program that only looks from changing anything, by the kernel: Landlock, on Linux 5.13 and newer.
//!
//! It may read and run what its user may, and connect. It may write nowhere but in one folder and to the devices that swallow or make
//! bytes, and (Linux 6.12) signal only processes that it started itself. What the kernel does not know is left out: an older one confines
//! less, one without Landlock not at all.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use landlock::{
    ABI, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};

/// The newest version of the rules that is asked for; the kernel takes those of them that it knows.
const RULES: ABI = ABI::V7;

/// Devices that programs write to without changing anything.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Confines what a command starts.
pub(super) fn confine(command: &mut Command, folder: &Path) -> io::Result<()> {
    let rules = rules(folder).map_err(|e| io::Error::other(format!("the program cannot be confined: {e}")))?;
    let mut rules = Some(rules);
    let restrict = move || match rules.take() {
        Some(rules) => rules.restrict_self().map(drop).map_err(|_| io::Error::from(io::ErrorKind::PermissionDenied)),
        None => Ok(()),
    };
    apply(command, restrict);
    Ok(())
}

#[expect(unsafe_code, reason = "what holds for the child alone has to be said between fork and exec")]
fn apply(command: &mut Command, restrict: impl FnMut() -> io::Result<()> + Send + Sync + 'static) {
    // SAFETY: the rules were made before the fork; what is left are two system calls (`prctl`, `landlock_restrict_self`) and closing a
    // descriptor, without allocation.
    unsafe {
        command.pre_exec(restrict);
    }
}

fn rules(folder: &Path) -> Result<RulesetCreated, RulesetError> {
    let writes = AccessFs::from_write(RULES);
    let mut rules = Ruleset::default().handle_access(writes)?.scope(Scope::Signal)?.scope(Scope::AbstractUnixSocket)?.create()?;
    if let Ok(folder) = PathFd::new(folder) {
        rules = rules.add_rule(PathBeneath::new(folder, writes))?;
    }
    for device in DEVICES {
        if let Ok(device) = PathFd::new(device) {
            rules = rules.add_rule(PathBeneath::new(device, AccessFs::WriteFile | AccessFs::IoctlDev))?;
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this kernel can do it: a program that may write nowhere fails to write where it otherwise could.
    fn run(script: &str, folder: &Path) -> (bool, String) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(folder);
        confine(&mut command, &folder.join("own")).expect("confined");
        let out = command.output().expect("it runs");
        (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
    }

    #[test]
    fn a_confined_program_changes_nothing_outside_its_folder() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path();
        std::fs::create_dir(folder.join("own")).expect("its folder");
        std::fs::write(folder.join("kept"), "1").expect("a file");
        let knows = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        if rules(&folder.join("own")).is_err() {
            panic!("rules cannot even be made on {knows}");
        }
        let (wrote, said) = run("echo x > own/file && cat own/file kept > /dev/null", folder);
        assert!(wrote, "{said}");
        if run("echo x > probe", folder).0 {
            // Without Landlock in the kernel there is nothing to test.
            return;
        }
        for attempt in [
            "echo x > kept",
            "echo x >> kept",
            "rm kept",
            "mv kept own/",
            "mkdir new",
            "ln -s kept link",
            "truncate -s 0 kept",
            "mkfifo pipe",
            "cp own/file other",
        ] {
            let (done, _) = run(attempt, folder);
            assert!(!done, "{attempt} went through");
        }
        assert_eq!(std::fs::read_to_string(folder.join("kept")).expect("still there"), "1");
        // A shell in the confined one is confined too.
        assert!(!run("sh -c 'rm kept'", folder).0);
    }

    #[test]
    fn a_confined_program_signals_nobody_else() {
        let outer = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(outer.path().join("own")).expect("its folder");
        if run("echo x > probe", outer.path()).0 {
            return;
        }
        let mut other = Command::new("sleep").arg("60").spawn().expect("a process");
        let (done, _) = run(&format!("kill -TERM {}", other.id()), outer.path());
        let alive = other.try_wait().expect("its state").is_none();
        let _ = other.kill();
        let _ = other.wait();
        // Older kernels confine files only.
        assert_eq!(done, !alive);
        assert!(run("sleep 60 & kill -TERM $!; ! wait $!", outer.path()).0, "its own children are its business");
    }
}
