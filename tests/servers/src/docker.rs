//! Containers of a Docker daemon that is already there, from an image that is made of one static program.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::guard::{fresh_folder, have};

/// Removes everything whose name begins with `$1`, and the folder `$2`, when its standard input ends.
const CLEAN: &str = r#"
cat >/dev/null
docker ps -aq --filter "name=^/?$1" | xargs -r docker rm -f -v
docker network ls -q --filter "name=^$1" | xargs -r docker network rm
docker images --format '{{.Repository}}:{{.Tag}}' --filter "reference=$1*" | xargs -r docker rmi
rm -rf -- "$2"
"#;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A corner of the Docker daemon: whatever bears its name is removed with it, or when the program that made it is killed.
#[derive(Debug)]
pub struct Docker {
    /// What the names of its containers, networks and images begin with; also the name of its Compose project.
    pub name: String,
    folder: PathBuf,
    guard: Child,
}

impl Docker {
    /// A corner of its own, with an image that holds `/bin/busybox`. `None` if no daemon answers or the program is missing.
    pub fn start() -> Option<Docker> {
        if !have("docker") || !have("/bin/busybox") {
            return None;
        }
        let answers = Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
        if !answers.is_ok_and(|o| o.status.success()) {
            let required = std::env::var("RUNBOOK_REQUIRE").as_deref() == Ok("all");
            assert!(!required, "no Docker daemon answers, and all suites are required: start dockerd");
            return None;
        }
        let name = format!("runbook-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let above = fresh_folder("docker");
        let guard = Command::new("sh")
            .args(["-c", CLEAN, "guard", &name])
            .arg(&above)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let folder = above.join(&name);
        std::fs::create_dir_all(folder.join("image/bin")).unwrap();
        std::fs::copy("/bin/busybox", folder.join("image/bin/busybox")).unwrap();
        std::fs::write(folder.join("image/Dockerfile"), "FROM scratch\nCOPY bin /bin\n").unwrap();
        let docker = Docker { name, folder, guard };
        docker.must(&["build", "-q", "-t", &docker.image(), "image"]);
        Some(docker)
    }

    /// As [`Docker::start`]; also `None` without `docker-compose`.
    pub fn with_compose() -> Option<Docker> {
        if have("docker-compose") { Docker::start() } else { None }
    }

    /// Its image.
    pub fn image(&self) -> String {
        format!("{}-box", self.name)
    }

    /// A folder of its own. Its name is the name of the Compose project in it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs `docker` in the folder.
    pub fn run(&self, args: &[&str]) -> Output {
        Command::new("docker").args(args).current_dir(&self.folder).stdin(Stdio::null()).output().unwrap()
    }

    /// As [`Docker::run`], for what must go well; gives its output.
    pub fn must(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs a container in the background that is called by the name and `suffix`; gives its name.
    pub fn container(&self, suffix: &str, options: &[&str], script: &str) -> String {
        let name = format!("{}-{suffix}", self.name);
        let image = self.image();
        let mut args = vec!["run", "-d", "--network", "none", "--name", &name];
        args.extend(options);
        args.extend([&image, "/bin/busybox", "sh", "-c", script]);
        self.must(&args);
        name
    }

    /// Writes the project's `docker-compose.yml`; `IMAGE` stands for the image.
    pub fn compose_file(&self, text: &str) {
        std::fs::write(self.folder.join("docker-compose.yml"), text.replace("IMAGE", &self.image())).unwrap();
    }

    /// Runs `docker-compose` in the folder.
    pub fn compose(&self, args: &[&str]) -> Output {
        Command::new("docker-compose").args(args).current_dir(&self.folder).stdin(Stdio::null()).output().unwrap()
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}
