//! `host`: what machine this is, and how long it has been running.

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches};
use runbook_core::value::{Duration, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::proc_stat::{load, now, read};
use crate::support::process::{boot_id, since_boot};

pub(crate) struct Machine;

/// Looks what machine this is: name, system, kernel, processors, load, uptime.
///
/// It only describes, so without `expect` the step is always ok.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {}

/// The machine.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Its name.
    hostname: String,
    /// The kernel's release, such as `6.1.0-18-amd64`.
    kernel: String,
    /// The kind of processor, such as `x86_64`.
    architecture: String,
    /// The system, such as `Debian GNU/Linux 12 (bookworm)`; null if it does not say.
    os: Option<String>,
    /// The system's short name, such as `debian`; null if it does not say.
    os_id: Option<String>,
    /// The system's version, such as `12`; null if it does not say.
    os_version: Option<String>,
    /// How long it has been running.
    uptime: Duration,
    /// When it was started.
    booted: Time,
    /// What tells this start from every other.
    boot_id: String,
    /// The number of processors.
    cores: usize,
    /// The load of the last minute: how many tasks ran, waited to run or waited for a disk on average.
    load_one: f64,
    /// The load of the last five minutes.
    load_five: f64,
    /// The load of the last fifteen minutes.
    load_fifteen: f64,
    /// The load of the last minute divided by the number of processors: above 1 there is more to do than can be done.
    load_per_core: f64,
    /// How many tasks want a processor at this moment.
    tasks_running: u64,
    /// How many tasks there are, threads included.
    tasks: u64,
    /// What the first process is, such as `systemd`; null if it may not be seen.
    init: Option<String>,
    /// Whether this is inside a container, as far as can be seen.
    container: bool,
}

/// A field of `/etc/os-release`.
fn field(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches(['"', '\'']).to_owned()).filter(|v| !v.is_empty())
}

impl Probe for Machine {
    const NAME: &'static str = "host";
    const VERDICT: &'static str = "true";
    const SAYS: &'static str = "{{ hostname }}, up {{ uptime }}, load {{ load_one }} on {{ cores }}";
    const COLUMNS: &'static [&'static str] = &["uptime", "load_per_core"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "It was not restarted a moment ago", yaml: "host: {}\nexpect: uptime > 1s\n", runs: true },
        Example {
            title: "The load that it can bear",
            yaml: "host: {}\ngrade: { value: load_per_core, target: 0.7, warning: 1, critical: 2 }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(_: &HandArgs<'_>) -> ByHand {
        ByHand::run("hostname").and("uptime").and("uname -sr").and("nproc").expect("an answer to each")
    }

    fn touches(_: &Args) -> Touches {
        Touches::reads([Resource::new("process", "*")])
    }

    async fn observe(_: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let name = rustix::system::uname();
        let release = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|p| std::fs::read_to_string(p).ok());
        let release = release.unwrap_or_default();
        let ([one, five, fifteen], running, tasks) = load()?;
        let cores = now()?.len() - 1;
        let up = since_boot();
        let groups = read("/proc/1/cgroup").unwrap_or_default();
        let marked = ["/.dockerenv", "/run/.containerenv"].iter().any(|f| std::path::Path::new(f).exists());
        Ok(Out {
            hostname: name.nodename().to_string_lossy().into_owned(),
            kernel: name.release().to_string_lossy().into_owned(),
            architecture: name.machine().to_string_lossy().into_owned(),
            os: field(&release, "PRETTY_NAME"),
            os_id: field(&release, "ID"),
            os_version: field(&release, "VERSION_ID"),
            uptime: up.into(),
            booted: Time(cx.now().checked_sub(up).unwrap_or_else(|_| cx.now())),
            boot_id: boot_id(),
            cores,
            load_one: one,
            load_five: five,
            load_fifteen: fifteen,
            load_per_core: (one / cores.max(1) as f64 * 100.0).round() / 100.0,
            tasks_running: running,
            tasks,
            init: read("/proc/1/comm").ok().map(|c| c.trim().to_owned()),
            container: marked || ["docker", "kubepods", "lxc", "libpod"].iter().any(|k| groups.contains(k)),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    #[tokio::test]
    async fn this_machine_is_described() {
        let host = TestHost::new();
        let out = Machine::observe(&args(json!({})), &host.cx()).await.unwrap();
        let naive = std::process::Command::new("uname").arg("-r").output().unwrap();
        assert_eq!(out.kernel, String::from_utf8_lossy(&naive.stdout).trim());
        assert!(out.cores > 0 && out.tasks >= out.tasks_running && out.uptime.to_std().as_secs() > 0, "{out:?}");
        assert_eq!(out.boot_id, boot_id());
    }

    #[test]
    fn the_release_is_read() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID='12'\nEMPTY=\n";
        assert_eq!(field(text, "PRETTY_NAME").as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!((field(text, "ID").as_deref(), field(text, "VERSION_ID").as_deref()), (Some("debian"), Some("12")));
        assert_eq!((field(text, "EMPTY"), field(text, "NAME")), (None, None));
    }
}
