//! Looking at processes: what `/proc` says, read afresh each time.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};

use super::words::shown;

/// The most characters of a command line that a message shows.
const SHOWN: usize = 80;

/// What one look at `/proc/PID/stat` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// The process id.
    pub(crate) pid: u32,
    /// The parent's id.
    pub(crate) ppid: u32,
    /// The process group.
    pub(crate) group: u32,
    /// The name: at most 15 bytes of it.
    pub(crate) name: String,
    /// The state's letter.
    pub(crate) state: char,
    /// When it started, in clock ticks since boot. With the id and the boot this tells processes apart.
    pub(crate) ticks: u64,
    /// Processor time, in clock ticks.
    pub(crate) cpu_ticks: u64,
    /// Resident memory, in bytes.
    pub(crate) rss: u64,
    /// The number of threads.
    pub(crate) threads: u64,
}

impl Look {
    /// Whether it has ended. A zombie has: it only waits to be collected, though signals to it succeed.
    pub(crate) fn ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// The state as a word.
    pub(crate) fn state_word(&self) -> &'static str {
        match self.state {
            'R' => "running",
            'S' | 'I' => "sleeping",
            'D' => "waiting for a device",
            'Z' => "zombie",
            'T' => "stopped",
            't' => "traced",
            'X' | 'x' => "dead",
            _ => "unknown",
        }
    }

    /// How long it has been running.
    pub(crate) fn uptime(&self) -> Duration {
        since_boot().saturating_sub(ticks_to_time(self.ticks))
    }

    /// Processor time.
    pub(crate) fn cpu(&self) -> Duration {
        ticks_to_time(self.cpu_ticks)
    }

    /// The command line, or the name in brackets if it has none.
    pub(crate) fn command(&self) -> String {
        match argv(self.pid) {
            Some(argv) if !argv.is_empty() => shown(&argv),
            _ => format!("[{}]", self.name),
        }
    }

    /// The process as a message names it: `pid 4711 (python3 -m http.server 7000)`.
    pub(crate) fn described(&self) -> String {
        let command = self.command();
        let short: String = command.chars().take(SHOWN).collect();
        let dots = if short.len() < command.len() { "…" } else { "" };
        format!("pid {} ({short}{dots})", self.pid)
    }
}

fn ticks_to_time(ticks: u64) -> Duration {
    let hz = procfs::ticks_per_second().max(1);
    Duration::from_secs(ticks / hz) + Duration::from_nanos(ticks % hz * (1_000_000_000 / hz))
}

/// The time since boot, on the clock that start times are on.
pub(crate) fn since_boot() -> Duration {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text.split_ascii_whitespace().next().and_then(|s| s.parse::<f64>().ok());
    seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or_default()
}

fn parse(pid: u32, stat: &[u8]) -> Option<Look> {
    let text = String::from_utf8_lossy(stat);
    // The name may hold spaces and parentheses: everything after the *last* `)` is fields.
    let (head, fields) = text.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let number = |i: usize| fields.get(i)?.parse::<u64>().ok();
    Some(Look {
        pid,
        ppid: u32::try_from(number(1)?).ok()?,
        group: u32::try_from(number(2)?).ok()?,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        ticks: number(19)?,
        cpu_ticks: number(11)?.saturating_add(number(12)?),
        rss: number(21)?.saturating_mul(procfs::page_size()),
        threads: number(17)?,
    })
}

/// Looks at a process: `None` if there is none.
///
/// # Errors
/// If there is one that we are not allowed to see.
pub(crate) fn look(pid: u32) -> io::Result<Option<Look>> {
    let gone =
        |e: &io::Error| e.kind() == ErrorKind::NotFound || e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error());
    match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(stat) => {
            parse(pid, &stat).map(Some).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "/proc does not read as expected"))
        }
        // With `hidepid`, a process of another user looks as if it were not there.
        Err(e) if gone(&e) => match as_pid(pid).map(test_kill_process) {
            Some(Err(rustix::io::Errno::PERM)) => Err(ErrorKind::PermissionDenied.into()),
            _ => Ok(None),
        },
        Err(e) => Err(e),
    }
}

/// Looks at a process that must be alive and the same one as before.
pub(crate) fn same(pid: u32, ticks: u64) -> Option<Look> {
    look(pid).ok().flatten().filter(|l| l.ticks == ticks && !l.ended())
}

/// The ids of all processes that we can see.
pub(crate) fn ids() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok())
}

/// All processes that we can see.
pub(crate) fn all() -> Vec<Look> {
    ids().filter_map(|pid| look(pid).ok().flatten()).collect()
}

fn zero_separated(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect()
}

/// Its argument vector, if it may be read. Empty for zombies and kernel threads.
pub(crate) fn argv(pid: u32) -> Option<Vec<String>> {
    Some(zero_separated(&std::fs::read(format!("/proc/{pid}/cmdline")).ok()?))
}

/// The value of a variable in the environment it was started with, if that may be read.
pub(crate) fn variable(pid: u32, name: &str) -> Option<String> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    environ.split(|b| *b == 0).find_map(|pair| {
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
}

/// The folder it works in, if that may be read.
pub(crate) fn cwd(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// The file it is an execution of, if that may be read.
pub(crate) fn exe(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// The number of file descriptors it has open, if that may be read.
pub(crate) fn open_files(pid: u32) -> Option<u64> {
    Some(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten().count() as u64)
}

/// The user that it runs as.
pub(crate) fn user(pid: u32) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    Some(user_name(std::fs::metadata(format!("/proc/{pid}")).ok()?.uid()))
}

/// The name of a user, or the number if the system's list does not have it.
pub(crate) fn user_name(uid: u32) -> String {
    let list = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse::<u32>().ok()? == uid).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| uid.to_string())
}

/// Whether a process has a handler of its own for a signal; `None` if that cannot be seen.
pub(crate) fn handles(pid: u32, signal: i32) -> Option<bool> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let caught = status.lines().find_map(|l| l.strip_prefix("SigCgt:"))?;
    let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
    Some(caught & (1u64.checked_shl(u32::try_from(signal).ok()?.checked_sub(1)?)?) != 0)
}

/// The engine's own process, and its ancestors up to the first: those that no step may signal or find.
pub(crate) fn own_line() -> Vec<u32> {
    let mut line = vec![std::process::id()];
    let mut pid = std::process::id();
    while let Ok(Some(look)) = look(pid) {
        if look.ppid == 0 || line.contains(&look.ppid) {
            break;
        }
        line.push(look.ppid);
        pid = look.ppid;
    }
    line
}

/// Which boot of the machine this is.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Which space of process ids we are in: numbers mean nothing in another.
pub(crate) fn pid_space() -> String {
    std::fs::read_link("/proc/self/ns/pid").map(|p| p.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A process id in the form that system calls take.
pub(crate) fn as_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        let stat = b"12 (a) b (c) S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 166079 100 42 0";
        let look = parse(12, stat).unwrap();
        assert_eq!((look.name.as_str(), look.state, look.ticks, look.threads), ("a) b (c", 'S', 166_079, 3));
        assert_eq!((look.ppid, look.group, look.cpu_ticks, look.rss), (1, 12, 11, 42 * procfs::page_size()));
        assert_eq!(parse(1, b"garbage"), None);
    }

    #[test]
    fn a_zombie_has_ended() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        let started = std::time::Instant::now();
        while !look(pid).unwrap().expect("not collected yet").ended() {
            assert!(started.elapsed() < super::super::testing::PATIENCE);
            std::thread::yield_now();
        }
        assert!(same(pid, look(pid).unwrap().unwrap().ticks).is_none());
        child.wait().unwrap();
        assert!(look(pid).unwrap().is_none());
    }

    #[test]
    fn we_are_in_our_own_line() {
        let line = own_line();
        assert_eq!(line[0], std::process::id());
        assert!(line.len() > 1);
        let me = look(std::process::id()).unwrap().unwrap();
        assert!(me.uptime() < Duration::from_secs(3600));
        assert!(argv(me.pid).is_some_and(|a| !a.is_empty()));
        assert!(!boot_id().is_empty());
    }
}
