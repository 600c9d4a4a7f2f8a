//! Ending a service's processes: all of them, and nobody else.

use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use runbook_core::module::{Change, Fault};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::identity::{Target, list, members};
use super::ports::{self, Listener, Where};
use super::process::{self, Look, as_pid, same};
use super::sys::signal_group;

/// How long killed processes may take to be gone; only one that waits for a device takes longer.
const AFTER_KILL: Duration = Duration::from_secs(5);
/// How long a port may stay taken after the last process is gone.
const PORT_RELEASE: Duration = Duration::from_secs(15);
/// The longest pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// How processes were ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Whether they had to be killed.
    pub(crate) killed: bool,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Why they were not.
#[derive(Debug)]
pub(crate) enum NotEnded {
    /// These did not end in time.
    Left(Vec<Look>),
    /// These may not be signalled by us.
    Refused(Fault),
}

/// Sends a signal to one process, if it is still the same one. Says whether it did.
pub(crate) fn signal_one(pid: u32, ticks: u64, signal: Signal) -> io::Result<bool> {
    let number = as_pid(pid).ok_or(io::ErrorKind::InvalidInput)?;
    // The descriptor is opened first: from here on the number cannot come to mean another process unnoticed.
    let pidfd = match pidfd_open(number, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(false),
        other => other?,
    };
    if same(pid, ticks).is_none() {
        return Ok(false);
    }
    match pidfd_send_signal(&pidfd, signal) {
        Err(Errno::SRCH) => Ok(false),
        other => Ok(other.map(|()| true)?),
    }
}

/// Sends a signal to the group that a living process leads. Says whether it did.
pub(crate) fn signal_led_group(leader: u32, ticks: u64, signal: Signal) -> io::Result<bool> {
    let number = as_pid(leader).ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = match pidfd_open(number, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(false),
        other => other?,
    };
    if same(leader, ticks).is_none_or(|l| l.group != leader) {
        return Ok(false);
    }
    match signal_group(pidfd.as_fd(), signal) {
        // Before Linux 6.9. The leader was alive a moment ago, and its number is not given out while the group has members.
        Err(e) if e.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
            match rustix::process::kill_process_group(number, signal) {
                Err(Errno::SRCH) => Ok(false),
                other => Ok(other.map(|()| true)?),
            }
        }
        Err(e) if e.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(false),
        other => other.map(|()| true),
    }
}

/// Sends a signal to every member: the group at once, so that none can fork away in between, then those outside of it.
fn signal_all(target: &Target, signal: Signal) -> io::Result<()> {
    let group_done = match target.group {
        Some(group) if group == target.leader => signal_led_group(target.leader, target.ticks, signal)?,
        _ => false,
    };
    let mut refused = Ok(());
    for look in members(target) {
        if group_done && target.group == Some(look.group) {
            continue;
        }
        if let Err(e) = signal_one(look.pid, look.ticks, signal) {
            refused = Err(e);
        }
    }
    refused
}

/// Waits until no member is left; those that are left when the time is over.
async fn wait_until_gone(change: &Change<'_>, target: &Target, limit: Duration, kill: bool) -> Vec<Look> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        let over = started.elapsed() >= limit;
        // While the main process lives, one small read tells as much as looking at all processes.
        if over || kill || same(target.leader, target.ticks).is_none() {
            let left = members(target);
            if left.is_empty() || over {
                return left;
            }
            if kill {
                // Some may have been born since.
                for look in left {
                    let _ = signal_one(look.pid, look.ticks, Signal::KILL);
                }
            }
        }
        change.sleep(pause).await;
        pause = (pause * 2).min(PAUSE);
    }
}

fn refused(e: io::Error, target: &Target) -> NotEnded {
    let user = process::user(target.leader).unwrap_or_else(|| "another user".to_owned());
    NotEnded::Refused(match e.kind() {
        io::ErrorKind::PermissionDenied => Fault::cannot_tell(format!(
            "no permission to signal pid {}, which runs as {user}; run as that user or as root",
            target.leader
        )),
        _ => Fault::cannot_tell(format!("pid {} cannot be signalled: {e}", target.leader)),
    })
}

/// Ends all processes of a target: asks them by `signal`, waits for `grace`, and with `force` kills what is left.
///
/// # Errors
/// If some are left, or may not be signalled.
pub(crate) async fn end(
    change: &Change<'_>,
    target: &Target,
    signal: Signal,
    grace: Duration,
    force: bool,
) -> Result<Ended, NotEnded> {
    let started = Instant::now();
    let own_line: HashSet<u32> = process::own_line().into_iter().collect();
    if let Some(own) = members(target).iter().find(|l| own_line.contains(&l.pid)) {
        let text = format!("this engine itself runs inside of it ({}); run it from elsewhere", own.described());
        return Err(NotEnded::Refused(Fault::unmet(text)));
    }
    signal_all(target, signal).map_err(|e| refused(e, target))?;
    // A stopped process acts on a signal only once it goes on.
    let _ = signal_all(target, Signal::CONT);
    let left = wait_until_gone(change, target, grace, false).await;
    if left.is_empty() {
        return Ok(Ended { killed: false, took: started.elapsed() });
    }
    if !force {
        return Err(NotEnded::Left(left));
    }
    signal_all(target, Signal::KILL).map_err(|e| refused(e, target))?;
    let left = wait_until_gone(change, target, AFTER_KILL, true).await;
    if left.is_empty() { Ok(Ended { killed: true, took: started.elapsed() }) } else { Err(NotEnded::Left(left)) }
}

/// The sockets on these ports that nobody of the target holds: they belong to strangers, and waiting for them is in vain.
pub(crate) fn strangers(target: &Target, numbers: &[u16]) -> Vec<Listener> {
    let members = members(target);
    let all = numbers.iter().flat_map(|p| ports::listeners(*p, Where::Loopback).unwrap_or_default());
    all.filter(|socket| !members.iter().any(|m| ports::holds(m.pid, &[socket.inode]) != Some(false))).collect()
}

/// Waits until nothing listens on these ports any more. `known` are sockets that were strangers' before.
///
/// # Errors
/// If something still does, naming it.
pub(crate) async fn wait_for_ports(change: &Change<'_>, name: &str, numbers: &[u16], known: &[Listener]) -> Result<(), String> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    for port in numbers {
        loop {
            let sockets = ports::listeners(*port, Where::Loopback).unwrap_or_default();
            if sockets.is_empty() {
                break;
            }
            let in_vain = sockets.iter().all(|s| known.contains(s));
            if in_vain || started.elapsed() >= PORT_RELEASE {
                let owner = ports::owner(sockets).await.map_or_else(|| "nobody that can be seen".to_owned(), |o| o.described());
                return Err(format!("`{name}` has ended, but port {port} is still taken by {owner}"));
            }
            change.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(250));
        }
    }
    Ok(())
}

/// What did not end, in words.
pub(crate) fn left_over(name: &str, left: &[Look], grace: Duration, force: bool) -> String {
    let limit = runbook_core::value::format_duration(jiff::SignedDuration::try_from(grace).unwrap_or_default());
    if force {
        let stuck = if left.iter().any(|l| l.state == 'D') { "; a process that waits for a device cannot be killed" } else { "" };
        format!("`{name}` did not end even when killed; still there: {}{stuck}", list(left))
    } else {
        format!("`{name}` did not stop within {limit}; still running: {}; use `force: true` to kill it", list(left))
    }
}
