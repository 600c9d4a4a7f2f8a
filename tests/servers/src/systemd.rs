//! A systemd that is process 1 of a world of its own, on any machine where we may make one.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::guard::{Guarded, fresh_folder, have, until};

/// It hides the machine's own units and `/run` from it. `$1` is the folder.
const BOOT: &str = r#"
read -r pid rest </proc/self/stat
echo "$pid" >"$1/pid"
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount --bind "$1/units" /etc/systemd/system
mount -t proc proc /proc
export container=docker SYSTEMD_UNIT_PATH=/etc/systemd/system
exec /lib/systemd/systemd --system --unit=default.target --show-status=no --log-target=console
"#;

/// A systemd with no units but those that it is given.
#[derive(Debug)]
pub struct Systemd {
    server: Guarded,
}

impl Systemd {
    /// Boots one. `None` without systemd, or where we may not make namespaces: only root may.
    pub fn start() -> Option<Systemd> {
        for program in ["/lib/systemd/systemd", "systemctl", "unshare", "nsenter"] {
            if !have(program) {
                return None;
            }
        }
        let namespaces = ["--fork", "--kill-child", "--pid", "--mount", "--uts", "--ipc", "--cgroup"];
        if !Command::new("unshare").args(namespaces).arg("true").status().is_ok_and(|s| s.success()) {
            return None;
        }
        let folder = fresh_folder("systemd");
        std::fs::create_dir_all(folder.join("units")).unwrap();
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        for target in ["sysinit", "basic", "shutdown", "default"] {
            let unit = format!("[Unit]\nDescription={target}\nDefaultDependencies=no\n");
            std::fs::write(folder.join(format!("units/{target}.target")), unit).unwrap();
        }
        std::fs::write(folder.join("boot"), BOOT).unwrap();
        let mut argv = vec!["unshare".to_owned()];
        argv.extend(namespaces.map(str::to_owned));
        argv.extend(["sh".to_owned(), folder.join("boot").display().to_string(), folder.display().to_string()]);
        let systemd = Systemd { server: Guarded::start(&folder, "KILL", argv) };
        let pid = || std::fs::read_to_string(folder.join("pid")).ok().and_then(|t| t.trim().parse::<u32>().ok());
        until("systemd writes its id", || systemd.server.output(), || pid().is_some());
        let path = std::env::var("PATH").unwrap();
        let real = path.split(':').map(|p| PathBuf::from(p).join("systemctl")).find(|p| p.is_file()).unwrap();
        let enter = format!("#!/bin/sh\nexec nsenter -t {} -m -p -u -i {} \"$@\"\n", pid().unwrap(), real.display());
        std::fs::write(folder.join("bin/systemctl"), enter).unwrap();
        std::fs::set_permissions(folder.join("bin/systemctl"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let running = || String::from_utf8_lossy(&systemd.systemctl(&["is-system-running"]).stdout).contains("running");
        until("systemd has booted", || systemd.server.output(), running);
        Some(systemd)
    }

    /// Writes a unit; it is known at once.
    pub fn unit(&self, name: &str, text: &str) {
        std::fs::write(self.server.folder().join("units").join(name), text).unwrap();
    }

    /// Asks it by the machine's own `systemctl`.
    pub fn systemctl(&self, args: &[&str]) -> Output {
        Command::new(self.server.folder().join("bin/systemctl")).args(args).output().unwrap()
    }

    /// A `PATH` on which `systemctl` is this one's.
    pub fn path(&self) -> String {
        format!("{}:{}", self.server.folder().join("bin").display(), std::env::var("PATH").unwrap())
    }
}
