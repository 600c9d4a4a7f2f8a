//! What `/proc/stat` and `/proc/loadavg` say of the processors.

use runbook_core::module::Fault;

/// Clock ticks that a processor spent in each state since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticks {
    /// Programs, also those with a lower priority; without those of guests twice.
    pub(crate) user: u64,
    /// The kernel, with interrupts.
    pub(crate) system: u64,
    /// Nothing.
    pub(crate) idle: u64,
    /// Nothing, while something waited for a disk.
    pub(crate) iowait: u64,
    /// What the host gave to other machines.
    pub(crate) steal: u64,
}

impl Ticks {
    /// All of them.
    pub(crate) fn total(&self) -> u64 {
        self.user + self.system + self.idle + self.iowait + self.steal
    }

    /// What was spent since an earlier look.
    pub(crate) fn since(&self, earlier: &Ticks) -> Ticks {
        Ticks {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            idle: self.idle.saturating_sub(earlier.idle),
            // The kernel may count this one down.
            iowait: self.iowait.saturating_sub(earlier.iowait),
            steal: self.steal.saturating_sub(earlier.steal),
        }
    }
}

/// The whole machine, then each processor.
pub(crate) fn parse(text: &str) -> Vec<Ticks> {
    let read = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        fields.next().filter(|name| name.starts_with("cpu"))?;
        let n: Vec<u64> = fields.map_while(|f| f.parse().ok()).collect();
        let at = |i: usize| n.get(i).copied().unwrap_or_default();
        Some(Ticks { user: at(0) + at(1), system: at(2) + at(5) + at(6), idle: at(3), iowait: at(4), steal: at(7) })
    };
    text.lines().map_while(read).collect()
}

/// Looks now.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn now() -> Result<Vec<Ticks>, Fault> {
    let text = read("/proc/stat")?;
    Some(parse(&text)).filter(|all| all.len() > 1).ok_or_else(|| Fault::cannot_tell("cannot understand /proc/stat"))
}

/// A file of the kernel.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn read(path: &str) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|e| Fault::cannot_tell(format!("cannot read {path}: {e}")))
}

/// The load of the last minute, five and fifteen; and how many tasks run and how many there are.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn load() -> Result<([f64; 3], u64, u64), Fault> {
    parse_load(&read("/proc/loadavg")?).ok_or_else(|| Fault::cannot_tell("cannot understand /proc/loadavg"))
}

fn parse_load(text: &str) -> Option<([f64; 3], u64, u64)> {
    let mut fields = text.split_ascii_whitespace();
    let mut number = || fields.next()?.parse::<f64>().ok();
    let load = [number()?, number()?, number()?];
    let (running, all) = fields.next()?.split_once('/')?;
    Some((load, running.parse().ok()?, all.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let text = "cpu  10 1 5 100 3 1 1 2 0 0\ncpu0 5 0 2 50 1 0 0 1 0 0\nintr 5\n";
        let all = parse(text);
        assert_eq!(all[0], Ticks { user: 11, system: 7, idle: 100, iowait: 3, steal: 2 });
        assert_eq!((all.len(), all[0].total(), all[1].total()), (2, 123, 59));
        assert_eq!(all[0].since(&Ticks { idle: 90, iowait: 5, ..Ticks::default() }).iowait, 0);
        assert_eq!(parse("garbage"), []);
        assert_eq!(parse_load("0.50 1.25 2.00 3/456 789\n"), Some(([0.5, 1.25, 2.0], 3, 456)));
        assert_eq!(parse_load("x"), None);
        assert!(now().unwrap().len() > 1 && load().unwrap().2 > 0);
    }
}
