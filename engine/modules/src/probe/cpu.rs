//! `cpu`: how busy the processors are.

use std::time::Duration as Std;

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches};
use runbook_core::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::disk::percent;
use crate::support::proc_stat::{Ticks, load, now};

pub(crate) struct Cpu;

/// Measures how busy the processors are, over a moment.
///
/// It only measures, so without `expect` the step is always ok; what is too much is for `expect` or `grade` to say. The
/// numbers are the machine's, also inside a container with a limit of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// How long to measure, from `10ms` to `1m`. Default: `500ms`.
    #[serde(default, rename = "for")]
    during: Option<Duration>,
}

/// How busy they are.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// The share of time that they were busy, in percent of all of them, to one decimal: neither idle nor waiting for a disk.
    used_percent: f64,
    /// The share that programs took.
    user_percent: f64,
    /// The share that the kernel took.
    system_percent: f64,
    /// The share in which there was nothing to do but to wait for a disk.
    iowait_percent: f64,
    /// The share in which there was nothing to do.
    idle_percent: f64,
    /// The share that the machine wanted and its host gave to others.
    steal_percent: f64,
    /// How busy each processor was, in percent.
    per_core: Vec<f64>,
    /// How busy the busiest was, in percent: one program that cannot share its work fills one.
    busiest_percent: f64,
    /// The number of processors.
    cores: usize,
    /// The average number of tasks that ran, waited to run or waited for a disk within the last minute.
    load_one: f64,
    /// The same divided by the number of processors: above 1 there is more to do than can be done.
    load_per_core: f64,
    /// How long was measured.
    measured: Duration,
}

fn used(ticks: &Ticks) -> f64 {
    percent(ticks.user + ticks.system + ticks.steal, ticks.total())
}

fn length(args: &Args) -> Result<Std, Fault> {
    let length = args.during.map_or(Std::from_millis(500), Duration::to_std);
    if length < Std::from_millis(10) || length > Std::from_secs(60) {
        return Err(Fault::invalid("for", "it can be measured from `10ms` to `1m`"));
    }
    Ok(length)
}

impl Probe for Cpu {
    const NAME: &'static str = "cpu";
    const VERDICT: &'static str = "true";
    const SAYS: &'static str = "{{ used_percent }} % used";
    const COLUMNS: &'static [&'static str] = &["used_percent", "iowait_percent"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "How busy the processors are", yaml: "cpu: { for: 50ms }\nexpect: used_percent <= 100\n", runs: true },
        Example {
            title: "Graded",
            yaml: "cpu: {}\ngrade: { value: used_percent, target: 60, warning: 80, critical: 95, unit: '%' }\n",
            runs: true,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(_: &HandArgs<'_>) -> ByHand {
        ByHand::run("top -b -n 2 -d 1 | grep '^%Cpu' | tail -n 1").expect("a line of shares; `id` is what is idle")
    }

    fn touches(_: &Args) -> Touches {
        Touches::reads([Resource::new("process", "*")])
    }

    fn check(args: &Args) -> Result<(), Fault> {
        length(args).map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let length = length(args)?;
        let (began, before) = (std::time::Instant::now(), now()?);
        cx.sleep(length).await;
        let after = now()?;
        let spent: Vec<Ticks> = after.iter().zip(&before).map(|(a, b)| a.since(b)).collect();
        let all = spent.first().copied().unwrap_or_default();
        let share = |ticks: u64| percent(ticks, all.total());
        let per_core: Vec<f64> = spent.iter().skip(1).map(used).collect();
        let cores = per_core.len();
        let ([load_one, ..], ..) = load()?;
        Ok(Out {
            used_percent: used(&all),
            user_percent: share(all.user),
            system_percent: share(all.system),
            iowait_percent: share(all.iowait),
            idle_percent: share(all.idle),
            steal_percent: share(all.steal),
            busiest_percent: per_core.iter().copied().fold(0.0, f64::max),
            per_core,
            cores,
            load_one,
            load_per_core: (load_one / cores.max(1) as f64 * 100.0).round() / 100.0,
            measured: began.elapsed().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::support::testing::{TestHost, args};

    #[tokio::test]
    async fn shares_hang_together() {
        let host = TestHost::new();
        let out = Cpu::observe(&args(json!({ "for": "100ms" })), &host.cx()).await.unwrap();
        assert!((0.0..=100.0).contains(&out.used_percent) && out.cores == out.per_core.len() && out.cores > 0, "{out:?}");
        assert!(out.busiest_percent <= 100.0 && out.measured.to_std() >= Std::from_millis(100), "{out:?}");
    }

    #[test]
    fn what_cannot_be_measured() {
        for bad in ["1ms", "2m"] {
            assert!(Cpu::check(&args(json!({ "for": bad }))).is_err(), "{bad}");
        }
        assert_eq!(used(&Ticks { user: 1, system: 1, idle: 1, iowait: 1, steal: 0 }), 50.0);
        assert_eq!(used(&Ticks::default()), 0.0);
    }
}
