//! Process trees: finding and ending everything that a process started.

use std::collections::HashSet;
use std::fs;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// What `/proc/PID/stat` says, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    pid: i32,
    state: u8,
    parent: i32,
    group: i32,
    session: i32,
}

fn read_stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, also `)`: the fields come after the last one.
    let rest = text.rsplit_once(')')?.1;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let mut number = || fields.next()?.parse::<i32>().ok();
    Some(Stat { pid, state, parent: number()?, group: number()?, session: number()? })
}

fn everything() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).filter_map(read_stat).collect()
}

/// The living members of a tree: the leader's group and session, and everything below them, also what left the group.
///
/// Zombies are not alive.
pub(super) fn members(leader: i32) -> Vec<i32> {
    let all = everything();
    let mut family: HashSet<i32> =
        all.iter().filter(|s| s.pid == leader || s.group == leader || s.session == leader).map(|s| s.pid).collect();
    loop {
        let before = family.len();
        for stat in &all {
            if family.contains(&stat.parent) {
                family.insert(stat.pid);
            }
        }
        if family.len() == before {
            break;
        }
    }
    all.iter().filter(|s| family.contains(&s.pid) && !matches!(s.state, b'Z' | b'X')).map(|s| s.pid).collect()
}

/// Sends a signal to a group and to those of its tree that left it.
pub(super) fn signal_tree(leader: i32, signal: Signal) {
    let members = members(leader);
    if let Some(group) = Pid::from_raw(leader) {
        let _ = kill_process_group(group, signal);
    }
    for pid in members {
        if let Some(pid) = Pid::from_raw(pid).filter(|p| p.as_raw_nonzero().get() > 1) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// Kills a whole tree: stopped first, so that none of it can start another while it is killed.
pub(super) fn kill_tree(leader: i32) {
    for _ in 0..3 {
        signal_tree(leader, Signal::STOP);
        signal_tree(leader, Signal::KILL);
        if members(leader).is_empty() {
            return;
        }
    }
}
