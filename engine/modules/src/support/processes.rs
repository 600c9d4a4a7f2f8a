//! Processes as results describe them: one, and the tree below it.

use std::collections::BTreeMap;
use std::time::Duration as Std;

use runbook_core::module::Cx;
use runbook_core::value::{Duration, Size, Time};
use schemars::JsonSchema;
use serde::Serialize;

use super::process::{Look, cwd, open_files, user};

/// A process.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ProcessInfo {
    /// The process id.
    pub(crate) pid: u32,
    /// The parent's id.
    ppid: u32,
    /// The name, at most 15 bytes of it.
    name: String,
    /// The command line; the name in brackets if it has none.
    command: String,
    /// The folder it works in; null if that may not be seen.
    cwd: Option<String>,
    /// The user it runs as.
    user: Option<String>,
    /// `running`, `sleeping`, `waiting for a device`, `stopped`, `traced`, `zombie` or `dead`.
    state: String,
    /// Resident memory.
    pub(crate) rss: Size,
    /// The processor time it has used, in seconds.
    pub(crate) cpu_seconds: f64,
    /// That in percent of one processor over all its time, to one decimal; null for one that was started this moment.
    cpu_percent: Option<f64>,
    /// What it used while it was measured, in percent of one processor, to one decimal; null unless `measure` was asked for, or if it ended meanwhile.
    pub(crate) cpu_now_percent: Option<f64>,
    /// When it was started.
    started_at: Time,
    /// How long it has been running.
    uptime: Duration,
    /// The number of threads.
    threads: u64,
    /// The number of open file descriptors; null if they may not be seen.
    fds: Option<u64>,
    /// The processes below it, children before their own children; null unless `children` was asked for.
    pub(crate) children: Option<Vec<Child>>,
    /// Resident memory of it and of those below it; null unless `children` was asked for.
    pub(crate) tree_rss: Option<Size>,
}

/// A process below another.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Child {
    /// The process id.
    pid: u32,
    /// The parent's id.
    ppid: u32,
    /// How far below: 1 for a child, 2 for a child's child.
    depth: usize,
    /// The command line; the name in brackets if it has none.
    command: String,
    /// `running`, `sleeping`, `zombie` and so on.
    state: String,
    /// Resident memory.
    rss: Size,
}

/// Who is whose child.
pub(crate) struct Family {
    all: BTreeMap<u32, Look>,
    children: BTreeMap<u32, Vec<u32>>,
}

impl Family {
    /// Of all processes that were seen in one look.
    pub(crate) fn of(all: Vec<Look>) -> Family {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for look in &all {
            children.entry(look.ppid).or_default().push(look.pid);
        }
        Family { all: all.into_iter().map(|l| (l.pid, l)).collect(), children }
    }

    /// Those below a process with how far below they are, nearer ones first.
    pub(crate) fn below(&self, pid: u32) -> Vec<(usize, &Look)> {
        let mut found: Vec<(usize, &Look)> = Vec::new();
        let mut level = vec![pid];
        // What is looked at one by one can seem to go in a circle when ids are used anew; nothing is below more processes than there are.
        while !level.is_empty() && found.len() <= self.all.len() {
            let depth = found.last().map_or(1, |(depth, _)| depth + 1);
            level = level.iter().flat_map(|p| self.children.get(p).into_iter().flatten().copied()).collect();
            level.sort_unstable();
            found.extend(level.iter().filter_map(|p| Some((depth, self.all.get(p)?))));
        }
        found
    }
}

/// Processor time that was used within a time, in percent of one processor.
pub(crate) fn use_of(before: &Look, after: &Look, took: Std) -> Option<f64> {
    let same = before.pid == after.pid && before.ticks == after.ticks;
    same.then(|| share(after.cpu().saturating_sub(before.cpu()).as_secs_f64(), took.as_secs_f64())).flatten()
}

impl ProcessInfo {
    /// A process that was looked at.
    pub(crate) fn of(look: &Look, cx: &Cx<'_>) -> ProcessInfo {
        ProcessInfo {
            pid: look.pid,
            ppid: look.ppid,
            command: look.command(),
            cwd: cwd(look.pid).map(|p| p.display().to_string()),
            user: user(look.pid),
            state: look.state_word().to_owned(),
            rss: Size(look.rss),
            cpu_seconds: look.cpu().as_secs_f64(),
            cpu_now_percent: None,
            children: None,
            tree_rss: None,
            cpu_percent: share(look.cpu().as_secs_f64(), look.uptime().as_secs_f64()),
            started_at: Time(cx.now().checked_sub(look.uptime()).unwrap_or(cx.now())),
            uptime: look.uptime().into(),
            threads: look.threads,
            fds: open_files(look.pid),
            name: look.name.clone(),
        }
    }
}

impl ProcessInfo {
    /// With the processes below it.
    pub(crate) fn with_children(mut self, family: &Family) -> ProcessInfo {
        let below = family.below(self.pid);
        self.tree_rss = Some(Size(self.rss.0 + below.iter().map(|(_, l)| l.rss).sum::<u64>()));
        let child = |(depth, look): (usize, &Look)| Child {
            pid: look.pid,
            ppid: look.ppid,
            depth,
            command: look.command(),
            state: look.state_word().to_owned(),
            rss: Size(look.rss),
        };
        self.children = Some(below.into_iter().map(child).collect());
        self
    }
}

/// A time in percent of another.
fn share(part: f64, whole: f64) -> Option<f64> {
    // The kernel counts in hundredths of a second.
    (whole >= 0.1).then(|| (part / whole * 1000.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(pid: u32, ppid: u32) -> Look {
        Look { pid, ppid, group: pid, name: "x".to_owned(), state: 'S', ticks: 100, cpu_ticks: 0, rss: 10, threads: 1 }
    }

    #[test]
    fn those_below_come_level_by_level() {
        let family = Family::of(vec![look(1, 0), look(9, 1), look(5, 1), look(7, 5), look(6, 9), look(8, 7), look(20, 2)]);
        let below = |pid| family.below(pid).into_iter().map(|(depth, l)| (depth, l.pid)).collect::<Vec<_>>();
        assert_eq!(below(1), [(1, 5), (1, 9), (2, 6), (2, 7), (3, 8)]);
        assert_eq!((below(8), below(4711)), (vec![], vec![]));
    }

    #[test]
    fn a_circle_ends() {
        let family = Family::of(vec![look(2, 3), look(3, 2)]);
        assert!(family.below(2).len() < 10);
    }

    #[test]
    fn what_was_used_is_of_one_processor() {
        let hz = procfs::ticks_per_second();
        let (before, after) = (look(5, 1), Look { cpu_ticks: hz, ..look(5, 1) });
        assert_eq!(use_of(&before, &after, Std::from_secs(2)), Some(50.0));
        assert_eq!(use_of(&before, &Look { ticks: 101, ..after }, Std::from_secs(2)), None, "another process with its id");
    }
}
