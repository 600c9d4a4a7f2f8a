//! `gpu`: how busy NVIDIA's graphics processors are.

use std::time::Duration as Std;

use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Resource, Touches};
use runbook_core::value::{Duration, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::disk::percent;
use super::systemd::Absent;
use crate::support::tool::Tool;
use crate::support::words::program;

pub(crate) struct Gpu;

/// Measures how busy NVIDIA's graphics processors are, and how full their memory.
///
/// It asks `nvidia-smi`, one or several times, and gives the averages. Without `expect` the step is ok if there is one; `absent: ok` makes
/// it ok where there is none, which is where `nvidia-smi` is not installed or lists nothing. If the driver does not answer, it
/// cannot tell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// How often to look. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    samples: u32,
    /// The pause between two looks. Default: `1s`.
    #[serde(default)]
    every: Option<Duration>,
    /// What it means that there is none: `unmet`, or `ok` where there need not be one. Default: `unmet`.
    #[serde(default)]
    absent: Absent,
}

fn one() -> u32 {
    1
}

/// How busy they are.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether there is one.
    available: bool,
    /// Whether there is one, or there need not be.
    well: bool,
    /// How many there are.
    count: usize,
    /// How busy the busiest is, in percent of the time; null if there is none or it does not tell.
    used_percent: Option<f64>,
    /// How full the fullest memory is, in percent; null if there is none or it does not tell.
    memory_used_percent: Option<f64>,
    /// The memory in use of all of them; null if there is none.
    memory_used: Option<Size>,
    /// The memory of all of them; null if there is none.
    memory_total: Option<Size>,
    /// How hot the hottest is, in degrees Celsius; null if there is none or it does not tell.
    temperature: Option<f64>,
    /// How often was looked.
    samples: u32,
    /// Each of them.
    gpus: Vec<Item>,
}

/// A graphics processor; what it does not tell is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Item {
    /// Its number.
    index: u32,
    /// What it is called.
    name: String,
    /// The driver's version.
    driver: String,
    /// The share of time in which it was busy, in percent.
    used_percent: Option<f64>,
    /// Its memory in use.
    memory_used: Option<Size>,
    /// Its memory.
    memory_total: Option<Size>,
    /// Its memory in use, in percent.
    memory_used_percent: Option<f64>,
    /// How hot it is, in degrees Celsius.
    temperature: Option<f64>,
    /// What it draws, in watts.
    power: Option<f64>,
}

const QUERY: &str = "--query-gpu=index,name,driver_version,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw";

/// One look: lines of values, without units; memory in MiB.
fn parse(text: &str) -> Option<Vec<Item>> {
    let item = |line: &str| {
        let fields: Vec<&str> = line.split(", ").map(str::trim).collect();
        // A name may hold a comma.
        let tail = fields.len().checked_sub(6).filter(|t| *t >= 2)?;
        let number = |i: usize| fields[tail + i].parse::<f64>().ok();
        let size = |i: usize| number(i).filter(|n| *n >= 0.0).map(|n| Size(n as u64 * (1 << 20)));
        let (used, total) = (size(2), size(3));
        Some(Item {
            index: fields[0].parse().ok()?,
            name: fields[1..tail].join(", "),
            driver: fields[tail].to_owned(),
            used_percent: number(1),
            memory_used_percent: used.zip(total).map(|(u, t)| percent(u.0, t.0)),
            memory_used: used,
            memory_total: total,
            temperature: number(4),
            power: number(5),
        })
    };
    text.lines().filter(|l| !l.trim().is_empty()).map(item).collect()
}

fn average(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.flatten().collect();
    (!values.is_empty()).then(|| (values.iter().sum::<f64>() / values.len() as f64 * 10.0).round() / 10.0)
}

fn most(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.flatten().reduce(f64::max)
}

/// Several looks at the same ones: what goes up and down is averaged, the rest is that of the last.
fn together(looks: &[Vec<Item>]) -> Vec<Item> {
    let last = looks.last().cloned().unwrap_or_default();
    let each = |item: Item| {
        let of = || looks.iter().filter_map(|l| l.iter().find(|i| i.index == item.index));
        Item {
            used_percent: average(of().map(|i| i.used_percent)),
            memory_used_percent: average(of().map(|i| i.memory_used_percent)),
            temperature: average(of().map(|i| i.temperature)),
            power: average(of().map(|i| i.power)),
            ..item
        }
    };
    last.into_iter().map(each).collect()
}

impl Probe for Gpu {
    const NAME: &'static str = "gpu";
    const VERDICT: &'static str = "well";
    const SAYS: &'static str =
        "{{ used_percent ~ ' % busy, ' ~ memory_used_percent ~ ' % of memory' if available else 'not available' }}";
    const COLUMNS: &'static [&'static str] = &["used_percent", "memory_used_percent"];
    const EXAMPLES: &'static [Example] = &[
        Example {
            title: "Where there is one, its memory is not full",
            yaml: "gpu: { absent: ok }\nexpect: memory_used_percent is none or memory_used_percent < 101\n",
            runs: true,
        },
        Example {
            title: "Over ten seconds",
            yaml: "gpu: { samples: 10, every: 1s }\nexpect: memory_used_percent < 90\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let count = args.text("samples").and_then(|n| n.parse::<u32>().ok()).unwrap_or(1);
        let line = if count > 1 { format!("nvidia-smi dmon -s um -c {count}") } else { "nvidia-smi".to_owned() };
        ByHand::run(line).expect("a table of them, with use and memory")
    }

    fn touches(_: &Args) -> Touches {
        Touches::reads([Resource::new("gpu", "*")])
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        let well = args.absent == Absent::Ok;
        if program("nvidia-smi", cx.root, cx.env("PATH").as_deref()).is_none() {
            return Ok(Out { well, ..Out::default() });
        }
        let tool = Tool::new("nvidia-smi", "install NVIDIA's driver");
        let every = args.every.map_or(Std::from_secs(1), Duration::to_std);
        let mut looks = Vec::new();
        for n in 0..args.samples {
            if n > 0 {
                cx.sleep(every).await;
            }
            let said = tool.ask(&[QUERY, "--format=csv,noheader,nounits"], cx).await?;
            if (said.out.clone() + &said.err).contains("No devices were found") {
                return Ok(Out { well, ..Out::default() });
            }
            let items = parse(&said.out).filter(|_| said.good());
            looks.push(items.ok_or_else(|| Fault::cannot_tell(format!("`nvidia-smi`: {}", said.why())))?);
        }
        let gpus = together(&looks);
        let sum = |of: fn(&Item) -> Option<Size>| gpus.iter().filter_map(of).map(|s| s.0).reduce(|a, b| a + b).map(Size);
        Ok(Out {
            available: !gpus.is_empty(),
            well: well || !gpus.is_empty(),
            count: gpus.len(),
            used_percent: most(gpus.iter().map(|g| g.used_percent)),
            memory_used_percent: most(gpus.iter().map(|g| g.memory_used_percent)),
            memory_used: sum(|g| g.memory_used),
            memory_total: sum(|g| g.memory_total),
            temperature: most(gpus.iter().map(|g| g.temperature)),
            samples: args.samples,
            gpus,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::support::testing::{TestHost, args};

    async fn look(host: &TestHost, json: Json) -> Result<Out, Fault> {
        Gpu::observe(&args(json), &host.cx()).await
    }

    /// A stand-in for `nvidia-smi` that prints its real form.
    fn stand_in(host: &TestHost, script: &str) {
        let file = host.write("bin/nvidia-smi", format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        host.set_env("PATH", Some(&format!("{}:/bin:/usr/bin", host.file("bin").display())));
    }

    #[tokio::test]
    async fn with_a_stand_in_for_nvidia_smi() {
        let host = TestHost::new();
        stand_in(
            &host,
            "echo x >>count; n=$(wc -l <count)\necho \"0, NVIDIA A10, 550.54.15, $((n * 10)), 12288, 24576, 61, 150.25\"\necho '1, Tesla T4, 550.54.15, [N/A], 100, 16384, 40, [Not Supported]'",
        );
        let out = look(&host, json!({ "samples": 3, "every": "1ms" })).await.unwrap();
        assert_eq!((out.count, out.used_percent, out.memory_used_percent), (2, Some(20.0), Some(50.0)), "{out:?}");
        assert_eq!((out.gpus[1].used_percent, out.gpus[1].power, out.temperature), (None, None, Some(61.0)));
        assert_eq!(out.memory_total, Some(Size((24576 + 16384) << 20)));
        stand_in(&host, "echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9");
        let fault = look(&host, json!({ "absent": "ok" })).await.unwrap_err();
        assert!(matches!(&fault, Fault::CannotTell { message } if message.contains("NVIDIA driver")), "{fault:?}");
        stand_in(&host, "echo 'No devices were found'; exit 6");
        assert!(!look(&host, json!({})).await.unwrap().available);
    }

    #[tokio::test]
    async fn none_is_what_the_author_says() {
        let host = TestHost::new();
        host.set_env("PATH", Some("/nowhere"));
        let out = look(&host, json!({})).await.unwrap();
        assert!(!out.available && !out.well && out.used_percent.is_none());
        assert!(look(&host, json!({ "absent": "ok" })).await.unwrap().well);
    }

    #[test]
    fn lines_are_read() {
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(parse("garbage"), None);
        let all = parse("0, A, B, 1.2, 5, 1, 2, 30, 9\n").unwrap();
        assert_eq!((all[0].name.as_str(), all[0].driver.as_str(), all[0].memory_used_percent), ("A, B", "1.2", Some(50.0)));
    }
}
