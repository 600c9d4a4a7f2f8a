//! Which process is the service: by number, start time and boot, never by number alone.
//!
//! A number comes round within seconds on a busy machine. Who is not proven to be ours is foreign, and what cannot be told is unknown;
//! neither is ever signalled.

use std::path::Path;

use super::ports::{self, Where};
use super::process::{self, Look};
use super::service_entry::ServiceEntry;
use super::service_files::{Files, PidFile, Record, read_pid_file, read_record};

/// The variable that marks the processes of a service, children and grandchildren included: `ID:RANDOM`.
pub(crate) const MARKER: &str = "RUNBOOK_SERVICE";

/// A process that is proven to be the service's, with what else belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The process id.
    pub(crate) leader: u32,
    /// When the process started.
    pub(crate) ticks: u64,
    /// The process group, if it is the service's own.
    pub(crate) group: Option<u32>,
    /// The marker of this start.
    pub(crate) marker: Option<String>,
}

/// How a service stands.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// Nothing says that it runs.
    Stopped,
    /// It runs.
    Live(Target, Box<Look>),
    /// What its files speak of is gone.
    Stale {
        /// The number in the files, if they hold one.
        pid: Option<u32>,
        /// Why: "pid 12 is not running".
        why: String,
    },
    /// The number now belongs to another process.
    Foreign {
        /// The number.
        pid: u32,
        /// Whose it is now.
        why: String,
    },
    /// The main process is gone, but others of it are left.
    Leaderless(Target, Vec<Look>),
    /// It cannot be told.
    Unknown(String),
}

impl Standing {
    /// The word in results.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Standing::Stopped => "stopped",
            Standing::Live(..) => "running",
            Standing::Stale { .. } => "stale",
            Standing::Foreign { .. } => "foreign",
            Standing::Leaderless(..) => "leaderless",
            Standing::Unknown(_) => "unknown",
        }
    }

    /// The process id that it is about.
    pub(crate) fn pid(&self) -> Option<u32> {
        match self {
            Standing::Live(_, look) => Some(look.pid),
            Standing::Stale { pid, .. } => *pid,
            Standing::Foreign { pid, .. } => Some(*pid),
            Standing::Leaderless(target, _) => Some(target.leader),
            Standing::Stopped | Standing::Unknown(_) => None,
        }
    }

    /// The same in words.
    pub(crate) fn described(&self) -> String {
        match self {
            Standing::Stopped => "not running".to_owned(),
            Standing::Live(_, look) => format!("running (pid {})", look.pid),
            Standing::Stale { why, .. } | Standing::Foreign { why, .. } => {
                format!("not running, though its pid file says so: {why}")
            }
            Standing::Leaderless(_, members) => {
                format!("its main process is gone, but {} of it are left: {}", members.len(), list(members))
            }
            Standing::Unknown(why) => format!("cannot tell whether it runs: {why}"),
        }
    }
}

/// Processes as a message names them.
pub(crate) fn list(looks: &[Look]) -> String {
    let mut shown: Vec<String> = looks.iter().take(5).map(Look::described).collect();
    if looks.len() > 5 {
        shown.push(format!("and {} more", looks.len() - 5));
    }
    shown.join(", ")
}

/// What its files and the system say about a service.
#[derive(Debug)]
pub(crate) struct Found {
    /// How it stands.
    pub(crate) standing: Standing,
    /// The record of its last start.
    pub(crate) record: Option<Record>,
}

/// Looks how a service stands. While it runs as recorded this costs three small reads.
pub(crate) fn inspect(entry: &ServiceEntry, files: &Files, cx_root: &Path) -> Found {
    let record = match read_record(&files.record) {
        Ok(record) => record,
        Err(why) => return Found { standing: Standing::Unknown(why), record: None },
    };
    let recorded = record.as_ref().map(judge_record);
    if matches!(recorded, Some(Standing::Live(..) | Standing::Unknown(_))) {
        return Found { standing: recorded.unwrap_or(Standing::Stopped), record };
    }
    let noted = match read_pid_file(&files.pid) {
        Ok(PidFile::Absent) => Standing::Stopped,
        Ok(PidFile::Garbage) => Standing::Stale { pid: None, why: format!("`{}` holds no process id", files.pid.display()) },
        // The record has judged this number already.
        Ok(PidFile::Number(pid)) if record.as_ref().is_some_and(|r| r.pid == pid) => Standing::Stopped,
        Ok(PidFile::Number(pid)) => judge_number(pid, entry, &record, cx_root),
        Err(e) => Standing::Unknown(format!("`{}` cannot be read: {e}", files.pid.display())),
    };
    let standing = match (recorded, noted) {
        // A daemon that forked and wrote its own number, or another tool that started it anew.
        (_, noted @ (Standing::Live(..) | Standing::Unknown(_))) => noted,
        (Some(recorded), _) => recorded,
        (None, noted) => noted,
    };
    Found { standing, record }
}

fn judge_record(record: &Record) -> Standing {
    let pid = record.pid;
    if record.boot_id != process::boot_id() {
        return Standing::Stale { pid: Some(pid), why: format!("pid {pid} is from before the machine was restarted") };
    }
    if record.pid_space != process::pid_space() {
        return Standing::Unknown(format!("pid {pid} was recorded in another container"));
    }
    let mut target =
        Target { leader: pid, ticks: record.starttime, group: Some(record.pgid), marker: Some(record.marker.clone()) };
    let look = match process::look(pid) {
        Ok(look) => look,
        Err(e) => return Standing::Unknown(format!("pid {pid} cannot be looked at: {e}")),
    };
    // A main process that has ended but was not collected yet still keeps its number from others.
    let kept = look.as_ref().is_some_and(|l| l.ticks == record.starttime);
    let other = match look {
        Some(look) if kept && !look.ended() => return Standing::Live(target, Box::new(look)),
        Some(look) if !kept => Some(look),
        _ => None,
    };
    if other.is_some() {
        // A number is not given out again while a group of it has members, so the group is not ours either.
        target.group = None;
    }
    let left = members(&target);
    let marked = |l: &Look| process::variable(l.pid, MARKER).as_ref() == target.marker.as_ref();
    if !left.is_empty() && !kept && !left.iter().any(marked) {
        // The group's number may have been given out again since.
        return Standing::Unknown(format!("{} may be left of it, but do not bear its mark", list(&left)));
    }
    match other {
        _ if !left.is_empty() => Standing::Leaderless(target, left),
        Some(other) => Standing::Foreign { pid, why: format!("that number now belongs to {}", other.described()) },
        None => Standing::Stale { pid: Some(pid), why: format!("pid {pid} is not running") },
    }
}

/// Judges a number that somebody else wrote into the pid file.
fn judge_number(pid: u32, entry: &ServiceEntry, record: &Option<Record>, root: &Path) -> Standing {
    let look = match process::look(pid) {
        Ok(Some(look)) if !look.ended() => look,
        Ok(_) => return Standing::Stale { pid: Some(pid), why: format!("pid {pid} is not running") },
        Err(e) => return Standing::Unknown(format!("pid {pid} cannot be looked at: {e}")),
    };
    let marker = process::variable(pid, MARKER).filter(|m| m.rsplit_once(':').is_some_and(|(id, _)| id == entry.id));
    if marker.is_none() && !matches_entry(&look, entry, root) {
        let why = format!("that number belongs to {}, which is not started as the system's entry says", look.described());
        return Standing::Foreign { pid, why };
    }
    // Whoever started it may have left it in a group with other things; only its own group is its.
    let recorded_group = record.as_ref().filter(|r| marker.as_ref() == Some(&r.marker)).map(|r| r.pgid);
    let group = (look.group == pid || recorded_group == Some(look.group)).then_some(look.group);
    Standing::Live(Target { leader: pid, ticks: look.ticks, group, marker }, Box::new(look))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a process that bears no marker is what the entry would start.
fn matches_entry(look: &Look, entry: &ServiceEntry, root: &Path) -> bool {
    let Some(argv) = process::argv(look.pid).filter(|a| !a.is_empty()) else { return false };
    if matches_argv(&argv, &entry.argv) {
        return true;
    }
    // The folder alone would also fit an operator's shell in it: the program or a port must fit as well.
    let Some(folder) = entry.cwd.as_ref().map(|c| root.join(c)).and_then(|c| c.canonicalize().ok()) else { return false };
    if folder == Path::new("/") || process::cwd(look.pid).as_ref() != Some(&folder) {
        return false;
    }
    let program = entry.argv.first().map(|p| file_name(p)).unwrap_or_default();
    let exe = process::exe(look.pid);
    let same_program = !program.is_empty()
        && (file_name(&argv[0]) == program || exe.as_ref().and_then(|e| e.file_name()?.to_str()).is_some_and(|e| e == program));
    same_program
        || entry.ports.iter().any(|port| {
            let inodes: Vec<u64> = ports::listeners(*port, Where::Anywhere).unwrap_or_default().iter().map(|l| l.inode).collect();
            !inodes.is_empty() && ports::holds(look.pid, &inodes) == Some(true)
        })
}

/// Whether a process' argument vector is the wanted one, give or take an interpreter before it, the program's folder, and more arguments.
fn matches_argv(argv: &[String], wanted: &[String]) -> bool {
    let Some((program, rest)) = wanted.split_first() else { return false };
    let starts_at = |i: usize| {
        argv.get(i).is_some_and(|a| file_name(a) == file_name(program)) && argv[i + 1..].starts_with(rest) && {
            // A program alone says little: then there must be nothing else.
            !rest.is_empty() || argv.len() == i + 1
        }
    };
    // Servers such as redis write a title over their arguments: `redis-server *:6379`.
    let titled = || rest.is_empty() && argv[0].split_once(' ').is_some_and(|(first, _)| file_name(first) == file_name(program));
    !argv.is_empty() && ((0..3).any(starts_at) || titled())
}

/// The processes of a service that have not ended: its main process, its group, and those that left the group but bear its marker.
pub(crate) fn members(target: &Target) -> Vec<Look> {
    let all = process::all();
    let mut ours: Vec<bool> = all
        .iter()
        .map(|l| {
            (l.pid == target.leader && l.ticks == target.ticks)
                || target.group == Some(l.group)
                || target.marker.as_ref().is_some_and(|m| process::variable(l.pid, MARKER).as_ref() == Some(m))
        })
        .collect();
    if target.group.is_none() && target.marker.is_none() {
        // Neither group nor marker of its own: then it is the process and its descendants.
        let mut grew = true;
        while std::mem::take(&mut grew) {
            for i in 0..all.len() {
                let child = !ours[i] && all.iter().zip(&ours).any(|(p, o)| *o && p.pid == all[i].ppid && p.ticks <= all[i].ticks);
                ours[i] |= child;
                grew |= child;
            }
        }
    }
    all.into_iter().zip(ours).filter(|(l, ours)| *ours && !l.ended()).map(|(l, _)| l).collect()
}

/// A marker for a new start.
pub(crate) fn new_marker(id: &str) -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // Seeded by the operating system. It only has to be different each time, not to be kept from anybody.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{id}:{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argument_vectors_are_compared_from_the_program_on() {
        let v = |s: &str| s.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let wanted = v("python3 -m uvicorn main:app --port 7000");
        assert!(matches_argv(&v("/usr/bin/python3 -m uvicorn main:app --port 7000 --reload"), &wanted));
        assert!(!matches_argv(&v("python3 -m uvicorn main:app --port 7010"), &wanted));
        assert!(!matches_argv(&v("grep python3 -m uvicorn"), &wanted));
        assert!(matches_argv(&v("/bin/sh /opt/run.sh --all"), &v("./run.sh --all")));
        // Any python is not the service that is started by `python3` alone.
        assert!(!matches_argv(&v("python3 other.py"), &v("python3")));
        assert!(matches_argv(&v("/bin/sh ./run.sh"), &v("./run.sh")));
        assert!(matches_argv(&["redis-server *:6379".to_owned()], &v("/usr/bin/redis-server")));
        assert!(!matches_argv(&[], &wanted) && !matches_argv(&wanted, &[]));
    }

    #[test]
    fn markers_differ() {
        let (a, b) = (new_marker("a:b"), new_marker("a:b"));
        assert_ne!(a, b);
        assert!(a.starts_with("a:b:"));
    }
}
