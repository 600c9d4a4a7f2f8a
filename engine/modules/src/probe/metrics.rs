//! `metrics`: numbers that a program publishes for Prometheus.

use std::collections::BTreeMap;
use std::time::Duration as Std;

use regex::Regex;
use reqwest::Method;
use runbook_core::module::{ByHand, Cx, Example, Fault, HandArgs, Probe, Touches, hand_word};
use runbook_core::value::{Duration, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::by_hand;
use crate::support::http_args::{Basic, Pairs, check_trust, headers};
use crate::support::http_client::{Call, default_timeout, host_and_port, parse_url, send};
use crate::support::net;
use crate::support::paths;
use crate::support::prometheus::{Exposition, Sample, between, quantile};
use crate::support::tls::Trust;

pub(crate) struct Metrics;

/// Reads the numbers that a program publishes in the Prometheus text format.
///
/// It picks the samples of one metric by name and labels and gives their value, sum, average, least and greatest. With `over` it looks twice,
/// so long apart: `rate` is the growth of the counters each second and `increase` the growth; a counter that was set back to zero in between
/// counts from there, and `resets` says how many were. A histogram's `quantile` is computed from its buckets, with `over` from what was
/// observed in between.
///
/// A metric that is not there fails the step, since an absent number proves nothing; `absent: zero` or `absent: pass` say otherwise. Without
/// a `name`, the step is ok if there is any sample at all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Args {
    /// The URL, such as `http://127.0.0.1:8000/metrics`. Give this, or `file`.
    #[serde(default)]
    #[schemars(extend("format" = "uri"))]
    url: Option<String>,
    /// A file with such a text.
    #[serde(default)]
    file: Option<String>,
    /// The metric's name; of a histogram the name without `_bucket`. Default: all.
    #[serde(default)]
    name: Option<String>,
    /// Labels that the samples must have, with exactly these values. Default: none.
    #[serde(default)]
    labels: Pairs,
    /// Labels with regular expressions that must match the whole value; a label that is not there is empty. Default: none.
    #[serde(default)]
    labels_match: BTreeMap<String, String>,
    /// The time between two looks. Default: it looks once.
    #[serde(default)]
    over: Option<Duration>,
    /// A share from 0 to 1, such as 0.95: the value below which so many of the observations lie. Default: none is computed.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    quantile: Option<f64>,
    /// What it means that no sample is there: `fail` (default), `zero` (it counts as 0), or `pass` (every value is null).
    #[serde(default)]
    absent: Absent,
    /// The most samples to show. Default: 50; all are counted.
    #[serde(default = "fifty")]
    max_samples: usize,
    /// Headers by name. Default: none but `user-agent`, `accept` and `host`.
    #[serde(default)]
    headers: Pairs,
    /// User and password, sent as `Authorization: Basic`. Default: none.
    #[serde(default)]
    basic: Option<Basic>,
    /// A token, sent as `Authorization: Bearer`; give a secret param. Default: none.
    #[serde(default)]
    bearer: Option<String>,
    /// A file in PEM with the authorities to trust, in place of those that this machine trusts. Default: none.
    #[serde(default)]
    ca_file: Option<String>,
    /// Whether to take any certificate. Default: false.
    #[serde(default)]
    insecure: bool,
    /// The longest time for one look. Default: `2s` for this machine, `10s` for others; a shorter limit of the step wins.
    #[serde(default)]
    timeout: Option<Duration>,
    /// The most bytes to read. Default: `32MiB`.
    #[serde(default = "thirty_two_mebibytes")]
    max_body: Size,
}

fn fifty() -> usize {
    50
}

fn thirty_two_mebibytes() -> Size {
    Size(32 << 20)
}

/// What it means that a metric is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Absent {
    #[default]
    Fail,
    Zero,
    Pass,
}

/// What was read. Numbers that are infinite or no numbers are null.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Out {
    /// Whether there is such a sample.
    found: bool,
    /// The value, if exactly one sample was picked; null otherwise.
    value: Option<f64>,
    /// The sum of all samples that were picked.
    sum: Option<f64>,
    /// Their average.
    avg: Option<f64>,
    /// The least of them.
    min: Option<f64>,
    /// The greatest of them.
    max: Option<f64>,
    /// The number of samples that were picked.
    count: u64,
    /// The growth of the counters each second between two looks, added up; null without `over` or if none was there both times.
    rate: Option<f64>,
    /// The growth of the counters between two looks; null without `over` or if none was there both times.
    increase: Option<f64>,
    /// The last sum less the first, of what was there both times; for gauges. Null without `over`.
    delta: Option<f64>,
    /// How many counters were set back between two looks; null without `over`.
    resets: Option<u64>,
    /// The value below which a share of `quantile` of the observations lies; null if none was asked for or nothing was observed.
    quantile: Option<f64>,
    /// The time between the two looks; null without `over`.
    over: Option<Duration>,
    /// What the metric is: `counter`, `gauge`, `histogram`, `summary` or `untyped`; null if it is not said.
    kind: Option<String>,
    /// What its text says about it; null if it says nothing.
    help: Option<String>,
    /// The samples that were picked, `max_samples` at the most.
    samples: Vec<Shown>,
    /// How many samples the whole text has.
    total: u64,
}

/// A sample.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    /// The name.
    name: String,
    /// The labels.
    labels: BTreeMap<String, String>,
    /// The value; null if it is infinite or no number.
    value: Option<f64>,
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// What is picked out of all samples.
struct Pick<'a> {
    name: Option<&'a str>,
    labels: &'a Pairs,
    patterns: Vec<(&'a str, Regex)>,
}

impl<'a> Pick<'a> {
    fn of(args: &'a Args) -> Result<Pick<'a>, Fault> {
        let whole = |(label, pattern): (&'a String, &String)| {
            let pattern = Regex::new(&format!("^(?:{pattern})$"));
            pattern.map(|p| (label.as_str(), p)).map_err(|e| Fault::invalid("labels_match", e.to_string()))
        };
        let patterns = args.labels_match.iter().map(whole).collect::<Result<_, _>>()?;
        Ok(Pick { name: args.name.as_deref(), labels: &args.labels, patterns })
    }

    fn all(&self, samples: &[Sample], ending: &str) -> Vec<Sample> {
        let of = |sample: &Sample, label: &str| sample.labels.get(label).cloned().unwrap_or_default();
        let named = |sample: &Sample| match self.name {
            Some(name) => sample.name.strip_suffix(ending) == Some(name),
            None => true,
        };
        let exact = |sample: &Sample| {
            self.labels.iter().all(|(label, value)| value.as_ref().is_none_or(|value| of(sample, label) == value.0))
        };
        let matching = |sample: &Sample| self.patterns.iter().all(|(label, p)| p.is_match(&of(sample, label)));
        samples.iter().filter(|s| named(s) && exact(s) && matching(s)).cloned().collect()
    }

    /// The buckets of a histogram, or what a summary has computed itself.
    fn quantile(&self, share: f64, now: &[Sample], before: Option<&[Sample]>) -> Option<f64> {
        let buckets = self.all(now, "_bucket");
        if !buckets.is_empty() {
            return match before {
                Some(before) => quantile(share, &between(&self.all(before, "_bucket"), &buckets).each),
                None => quantile(share, &buckets),
            };
        }
        let own = |s: &&Sample| s.labels.get("quantile").and_then(|q| q.parse::<f64>().ok()) == Some(share);
        let summaries = self.all(now, "");
        let mut own = summaries.iter().filter(own);
        match (own.next(), own.next()) {
            (Some(only), None) => finite(only.value),
            _ => None,
        }
    }
}

impl Probe for Metrics {
    const NAME: &'static str = "metrics";
    const MAIN: Option<&'static str> = Some("url");
    const VERDICT: &'static str = "found";
    const SAYS: &'static str = "{{ count }} samples, in sum {{ sum }}";
    const COLUMNS: &'static [&'static str] = &["sum"];
    const EXAMPLES: &'static [Example] = &[
        Example { title: "A program publishes its numbers", yaml: "metrics: http://127.0.0.1:8000/metrics", runs: false },
        Example {
            title: "How often it reconnects, not how often it ever did",
            yaml: "metrics:\n  url: http://127.0.0.1:8000/metrics\n  name: websocket_reconnects_total\n  over: 30s\nexpect: increase < 3\n",
            runs: false,
        },
        Example {
            title: "The 95th percentile of the latency of one route, in seconds",
            yaml: "metrics:\n  url: http://127.0.0.1:3000/metrics\n  name: http_request_duration_seconds\n  labels: { route: /v1/turn }\n  quantile: 0.95\nexpect: quantile < 5\n",
            runs: false,
        },
        Example {
            title: "No feed is stale; a feed that is not there fails the step",
            yaml: "metrics:\n  url: http://127.0.0.1:8000/metrics\n  name: stale_seconds\n  labels_match: { exchange: 'binance|kraken' }\nexpect: max < 60\n",
            runs: false,
        },
    ];
    type Args = Args;
    type Out = Out;

    fn by_hand(args: &HandArgs<'_>) -> ByHand {
        let from = match args.get("file") {
            Some(_) => format!("cat {}", by_hand::path(args, "file")),
            None => {
                let seconds = args.seconds("timeout").unwrap_or_else(|| by_hand::default_seconds(&args.or("url", "")).to_owned());
                by_hand::curl(args, "GET", &seconds).replacen("curl -sS -i", "curl -sS", 1)
            }
        };
        let line = match args.text("name") {
            Some(name) => format!("{from} | grep -e {}", hand_word(&format!("^{name}"))),
            None => from,
        };
        let again = args.seconds("over").map(|s| format!("sleep {}; {line}", hand_word(&s)));
        let hand = ByHand::run(line).expect("the numbers are as they should be");
        match again {
            Some(again) => hand.and(again).note("The growth is the second number less the first, by the seconds in between."),
            None => hand,
        }
    }

    fn touches(args: &Args) -> Touches {
        match (&args.file, args.url.as_deref().and_then(host_and_port)) {
            (Some(file), _) => Touches::reads([paths::resource(file)]),
            (None, Some((host, port))) => net::reads(&host, port),
            (None, None) => Touches::default(),
        }
    }

    fn check(args: &Args) -> Result<(), Fault> {
        match (&args.url, &args.file) {
            (Some(_), Some(_)) => return Err(Fault::invalid("file", "give either `url` or `file`, not both")),
            (None, None) => return Err(Fault::invalid("url", "say where: `metrics: http://127.0.0.1:8000/metrics`")),
            (Some(url), None) => drop(parse_url(url)?),
            (None, Some(_)) => {}
        }
        if args.quantile.is_some_and(|q| !(0.0..=1.0).contains(&q)) {
            return Err(Fault::invalid("quantile", "a quantile is a share from 0 to 1, such as 0.95"));
        }
        if args.quantile.is_some() && args.name.is_none() {
            return Err(Fault::invalid("name", "say of which metric the quantile is"));
        }
        Pick::of(args)?;
        check_trust(args.insecure, args.ca_file.as_deref(), None, None)?;
        headers(&args.headers, args.basic.as_ref(), args.bearer.as_deref()).map(drop)
    }

    async fn observe(args: &Args, cx: &Cx<'_>) -> Result<Out, Fault> {
        Self::check(args)?;
        let pick = Pick::of(args)?;
        let mut before = None;
        let mut between_looks = None;
        if let Some(over) = args.over {
            let first = look(args, cx).await?;
            let began = cx.now();
            cx.sleep(over.to_std()).await;
            before = Some(first);
            between_looks = Some(began);
        }
        let now = look(args, cx).await?;
        let over = between_looks.map(|began| Std::try_from(cx.now().duration_since(began)).unwrap_or_default());
        let before = before.as_ref().map(|e| e.samples.as_slice());
        let out = judge(args, &pick, &now, before, over);
        if !out.found && args.absent == Absent::Fail {
            let message = missing(args, &now);
            return Err(Fault::unmet_with(message, out));
        }
        Ok(out)
    }
}

fn judge(args: &Args, pick: &Pick<'_>, now: &Exposition, before: Option<&[Sample]>, over: Option<Std>) -> Out {
    let mut picked = pick.all(&now.samples, "");
    let buckets = pick.all(&now.samples, "_bucket");
    // A histogram has no sample of its own name; how many observations there are is the number that stands for it.
    let histogram = args.name.is_some() && picked.is_empty() && !buckets.is_empty();
    let ending = if histogram { "_count" } else { "" };
    if histogram {
        picked = pick.all(&now.samples, ending);
    }
    let values: Vec<f64> = picked.iter().map(|s| s.value).collect();
    let zero = (values.is_empty() && args.absent == Absent::Zero).then_some(0.0);
    let of = |fold: fn(f64, f64) -> f64| values.iter().copied().reduce(fold).or(zero).and_then(finite);
    let sum = of(|a, b| a + b);
    let grown = before.map(|before| between(&pick.all(before, ending), &picked));
    let told = grown.as_ref().filter(|g| g.series > 0);
    let zero_grown = grown.as_ref().and(zero);
    let seconds = over.map(|o| o.as_secs_f64()).filter(|s| *s > 0.0);
    let family = args.name.as_deref().map(|name| now.family(name));
    let shown = |s: &Sample| Shown { name: s.name.clone(), labels: s.labels.clone(), value: finite(s.value) };
    Out {
        found: !picked.is_empty() || histogram,
        value: match values.as_slice() {
            [only] => finite(*only),
            _ => zero,
        },
        sum,
        avg: sum.map(|s| s / values.len().max(1) as f64),
        min: of(f64::min),
        max: of(f64::max),
        count: values.len() as u64,
        rate: told.and_then(|g| finite(g.increase / seconds?)).or(zero_grown),
        increase: told.and_then(|g| finite(g.increase)).or(zero_grown),
        delta: told.and_then(|g| finite(g.delta)).or(zero_grown),
        resets: grown.as_ref().map(|g| g.resets),
        quantile: args.quantile.and_then(|share| pick.quantile(share, &now.samples, before)),
        over: over.map(net::rounded),
        kind: family.and_then(|f| now.kinds.get(f)).cloned(),
        help: family.and_then(|f| now.help.get(f)).cloned(),
        samples: picked.iter().take(args.max_samples).map(shown).collect(),
        total: now.samples.len() as u64,
    }
}

fn missing(args: &Args, now: &Exposition) -> String {
    let Some(name) = &args.name else { return "there is no sample at all".to_owned() };
    let is_there = now.samples.iter().any(|s| s.name == *name || s.name.strip_suffix("_bucket") == Some(name));
    if is_there {
        return format!("no sample of `{name}` has these labels");
    }
    match runbook_core::suggest::nearest(name, now.samples.iter().map(|s| s.name.as_str())) {
        Some(near) => format!("there is no metric `{name}`; there is `{near}`"),
        None => format!("there is no metric `{name}`"),
    }
}

/// One look.
async fn look(args: &Args, cx: &Cx<'_>) -> Result<Exposition, Fault> {
    let text = match (&args.file, &args.url) {
        (Some(file), _) => {
            let path = paths::resolve(cx, "file", file)?;
            let size = tokio::fs::metadata(&path).await.map_err(|e| paths::fault(&path, &e))?.len();
            if size > args.max_body.0 {
                return Err(Fault::cannot_tell(format!("{} is larger than `max_body`", path.display())));
            }
            tokio::fs::read(&path).await.map_err(|e| paths::fault(&path, &e))?
        }
        (None, url) => scrape(args, url.as_deref().unwrap_or_default(), cx).await?,
    };
    let text = String::from_utf8(text).map_err(|_| Fault::unmet("the numbers are not text in UTF-8"))?;
    Exposition::read(&text).map_err(Fault::unmet)
}

async fn scrape(args: &Args, url: &str, cx: &Cx<'_>) -> Result<Vec<u8>, Fault> {
    let url = parse_url(url)?;
    let own = args.timeout.map_or_else(|| default_timeout(&url, false), Duration::to_std);
    let call = Call {
        method: Method::GET,
        url,
        headers: headers(&args.headers, args.basic.as_ref(), args.bearer.as_deref())?,
        body: Vec::new(),
        timeout: net::shorter(own, cx.timeout),
        follow_redirects: 3,
        trust: Trust::of(cx, args.insecure, args.ca_file.as_deref(), None, None),
        unix_socket: None,
        resolve: None,
        max_body: args.max_body.0,
        repeatable: true,
    };
    let (answer, result) = send(cx.shared(), call).await;
    result.map_err(|failure| failure.into_fault(serde_json::Value::Null))?;
    match answer.status {
        Some(200) if answer.truncated => Err(Fault::cannot_tell("the answer is longer than `max_body`")),
        Some(200) => Ok(answer.body),
        status => Err(Fault::unmet(format!("the server answered {} where numbers were asked for", status.unwrap_or_default()))),
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
