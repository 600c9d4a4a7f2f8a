//! `memory`: how much memory the machine has left.

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches};
use runbook_core::value::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::disk::percent;

pub(crate) struct Memory;

/// Looks how much memory the machine has left.
///
/// It only measures, so without `expect` the step is always ok; what is too little is for `expect` or `grade` to say.
///
/// `available` is what programs can still get without swapping, which is more than what is unused: caches count. These numbers are
/// the machine's; what a container may use of it, if the engine runs in one with a limit, is in `limit`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {}

/// How much there is.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The memory of the machine.
    total: Size,
    /// What programs can still get without swapping.
    available: Size,
    /// `total` less `available`.
    used: Size,
    /// The share in use in percent, to one decimal.
    used_percent: f64,
    /// The size of the swap space; `0B` if there is none.
    swap_total: Size,
    /// The swap space in use.
    swap_used: Size,
    /// The share of swap space in use in percent, to one decimal; null if there is none.
    swap_used_percent: Option<f64>,
    /// The most that the group of processes the engine belongs to may use, such as its container; null if only the machine limits it.
    limit: Option<Size>,
    /// What that group uses of it, caches included; null without a limit.
    limit_used: Option<Size>,
    /// The same in percent, to one decimal; null without a limit.
    limit_used_percent: Option<f64>,
}

/// The limit of the engine's own group of processes, and what the group uses.
fn group_limit(total: Size) -> Option<(Size, Size)> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (kind, path) = (parts.next()?, parts.next()?);
        let (root, most, now) = match kind {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current"),
            _ if kind.split(',').any(|k| k == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => return None,
        };
        // Inside a container the path may be one of the machine outside, and then the group is the root.
        let number =
            |folder: &str, name: &str| std::fs::read_to_string(format!("{folder}/{name}")).ok()?.trim().parse::<u64>().ok();
        let places = [format!("{root}{}", path.trim_end_matches('/')), root.to_owned()];
        let limits = places.iter().filter_map(|p| Some((number(p, most)?, number(p, now)?)));
        limits.filter(|(most, _)| *most < total.0).map(|(most, now)| (Size(most), Size(now))).min()
    })
}

impl Probe for Memory {
    const NAME: &'static str = "memory";
    const VERDICT: &'static str = "true";
    const SAYS: &'static str = "{{ used_percent }} % used, {{ available }} available";
    const COLUMNS: &'static [&'static str] = &["used_percent", "available"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "Memory left for a large model", yaml: "memory: {}\nexpect: available > 1MB\n", runs: true },
        Example {
            title: "Graded",
            yaml: "memory: {}\ngrade: { value: used_percent, target: 70, warning: 80, critical: 90, unit: '%' }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        // `free` shows no share.
        let share = "awk '/^MemTotal/ {t=$2} /^MemAvailable/ {a=$2} END {printf \"%.1f %% used\\n\", (t-a)*100/t}' /proc/meminfo";
        ByHand::run("free -h")
            .and_if(args.asks("used_percent").then(|| share.to_owned()))
            .expect("an answer; `available` is what programs can still get")
    }

    fn touches(_: &Args) -> Touches {
        Touches::reads([Resource::new("process", "*")])
    }

    async fn observe(_: &Args, _: &Cx<'_>) -> Result<Out, Fault> {
        let text = std::fs::read_to_string("/proc/meminfo")
            .map_err(|e| Fault::cannot_tell(format!("cannot read /proc/meminfo: {e}")))?;
        let mut out = parse(&text).ok_or_else(|| Fault::cannot_tell("cannot understand /proc/meminfo"))?;
        if let Some((limit, used)) = group_limit(out.total) {
            (out.limit, out.limit_used) = (Some(limit), Some(used));
            out.limit_used_percent = Some(percent(used.0, limit.0));
        }
        Ok(out)
    }
}

fn parse(text: &str) -> Option<Out> {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().trim_end_matches("kB").trim_end().parse::<u64>().ok()?.checked_mul(1024)
    };
    let total = bytes("MemTotal")?;
    let available = bytes("MemAvailable")?;
    let used = total.saturating_sub(available);
    let swap_total = bytes("SwapTotal").unwrap_or(0);
    let swap_used = swap_total.saturating_sub(bytes("SwapFree").unwrap_or(0));
    Some(Out {
        total: Size(total),
        available: Size(available),
        used: Size(used),
        used_percent: percent(used, total),
        swap_total: Size(swap_total),
        swap_used: Size(swap_used),
        swap_used_percent: (swap_total > 0).then(|| percent(swap_used, swap_total)),
        limit: None,
        limit_used: None,
        limit_used_percent: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    #[tokio::test]
    async fn this_machine_has_memory() {
        let out = Memory::observe(&args(json!({})), &TestHost::new().cx()).await.unwrap();
        assert!(out.total.0 > out.available.0 && out.available.0 > 0, "{out:?}");
        assert_eq!((out.limit.is_some(), out.limit_used.is_some()), (out.limit_used_percent.is_some(), out.limit.is_some()));
        assert!(out.limit.is_none_or(|l| l < out.total), "{out:?}");
    }

    #[test]
    fn numbers_are_read() {
        let out =
            parse("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:   250 kB\nSwapTotal: 100 kB\nSwapFree: 75 kB\n").unwrap();
        assert_eq!((out.total, out.used, out.used_percent), (Size(1_024_000), Size(768_000), 75.0));
        assert_eq!((out.swap_used, out.swap_used_percent), (Size(25_600), Some(25.0)));
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("MemTotal: many kB\nMemAvailable: 5 kB\n"), None);
        let out = parse("MemTotal: 4 kB\nMemAvailable: 4 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n").unwrap();
        assert_eq!(out.swap_used_percent, None);
        assert!(serde_json::from_value::<Args>(json!({ "x": 1 })).is_err());
    }
}
