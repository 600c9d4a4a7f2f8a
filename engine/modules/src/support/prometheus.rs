//! The Prometheus text format, and what is computed from it.

use std::collections::BTreeMap;

/// A number with its name and labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// What a server says about itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exposition {
    pub(crate) samples: Vec<Sample>,
    /// `counter`, `gauge` and so on, by family.
    pub(crate) kinds: BTreeMap<String, String>,
    /// The help texts, by family.
    pub(crate) help: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads a whole text; the error names the line.
    pub(crate) fn read(text: &str) -> Result<Exposition, String> {
        let mut out = Exposition::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let told = |what: &str| format!("line {} is not in the Prometheus text format: {what}", number + 1);
            if let Some(comment) = line.strip_prefix('#') {
                let mut words = comment.trim_start().splitn(3, [' ', '\t']);
                match (words.next(), words.next(), words.next()) {
                    (Some("EOF"), None, None) => break,
                    (Some("TYPE"), Some(name), Some(kind)) => {
                        out.kinds.insert(name.to_owned(), kind.trim().to_owned());
                    }
                    (Some("HELP"), Some(name), text) => {
                        let text = text.unwrap_or_default().replace("\\n", "\n").replace("\\\\", "\\");
                        out.help.insert(name.to_owned(), text);
                    }
                    _ => {}
                }
            } else if !line.is_empty() {
                out.samples.push(sample(line).map_err(told)?);
            }
        }
        Ok(out)
    }

    /// The name that a family's kind and help stand under: without what histograms, summaries and counters put behind it.
    pub(crate) fn family<'n>(&self, name: &'n str) -> &'n str {
        let known = |n: &str| self.kinds.contains_key(n) || self.help.contains_key(n);
        if known(name) {
            return name;
        }
        let bare = ["_bucket", "_sum", "_count", "_total", "_created"].iter().find_map(|end| name.strip_suffix(end));
        bare.filter(|b| known(b)).unwrap_or(name)
    }
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn sample(line: &str) -> Result<Sample, &'static str> {
    let end = line.find(['{', ' ', '\t']).ok_or("a name without a value")?;
    let (mut name, mut rest) = (line[..end].to_owned(), line[end..].trim_start());
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = self::labels(inside, &mut name, &mut labels)?;
    } else if !is_name(&name) {
        return Err("not the name of a metric");
    }
    if name.is_empty() {
        return Err("a sample without a name");
    }
    let value = rest.split_whitespace().next().ok_or("a name without a value")?;
    let value = value.parse().map_err(|_| "the value is not a number")?;
    Ok(Sample { name, labels, value })
}

/// Reads `a="b",c="d"}` and gives what stands behind it. A text without `=` is the name itself.
fn labels<'t>(mut rest: &'t str, name: &mut String, out: &mut BTreeMap<String, String>) -> Result<&'t str, &'static str> {
    if !name.is_empty() && !is_name(name) {
        return Err("not the name of a metric");
    }
    loop {
        rest = rest.trim_start();
        if let Some(behind) = rest.strip_prefix('}') {
            return Ok(behind);
        }
        let label;
        if rest.starts_with('"') {
            (label, rest) = quoted(rest)?;
        } else {
            let end = rest.find(['=', ' ']).ok_or("a label without a value")?;
            label = rest[..end].to_owned();
            rest = &rest[end..];
            if !is_name(&label) {
                return Err("not the name of a label");
            }
        }
        rest = rest.trim_start();
        match rest.strip_prefix('=') {
            Some(behind) => {
                let (value, behind) = quoted(behind.trim_start())?;
                out.insert(label, value);
                rest = behind.trim_start();
            }
            None if name.is_empty() => *name = label,
            None => return Err("a label without a value"),
        }
        rest = match rest.strip_prefix(',') {
            Some(behind) => behind,
            None if rest.starts_with('}') => rest,
            None => return Err("labels are separated by commas"),
        };
    }
}

fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let inside = text.strip_prefix('"').ok_or("a label's value without quotes")?;
    let mut out = String::new();
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((out, &inside[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, c @ ('"' | '\\'))) => out.push(c),
                Some((_, other)) => {
                    out.push('\\');
                    out.push(other);
                }
                None => break,
            },
            c => out.push(c),
        }
    }
    Err("a label's value without an end")
}

/// What happened between two looks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Between {
    /// By how much the counters grew; one that was set back to zero counts from there.
    pub(crate) increase: f64,
    /// The last values less the first.
    pub(crate) delta: f64,
    /// How many were set back.
    pub(crate) resets: u64,
    /// How many were there both times.
    pub(crate) series: u64,
    /// The growth of each, in the order of `after`.
    pub(crate) each: Vec<Sample>,
}

/// Compares the same series of two looks; one that was only there once tells nothing.
pub(crate) fn between(before: &[Sample], after: &[Sample]) -> Between {
    let first: BTreeMap<(&str, &BTreeMap<String, String>), f64> =
        before.iter().map(|s| ((s.name.as_str(), &s.labels), s.value)).collect();
    let mut out = Between::default();
    for sample in after {
        let Some(was) = first.get(&(sample.name.as_str(), &sample.labels)) else { continue };
        let grown = if sample.value < *was {
            out.resets += 1;
            sample.value
        } else {
            sample.value - was
        };
        out.series += 1;
        out.increase += grown;
        out.delta += sample.value - was;
        out.each.push(Sample { value: grown, ..sample.clone() });
    }
    out
}

/// The value below which a share of the observations lies, from the buckets of a histogram; several series are added up.
/// None if there are no buckets, no observations, or the last bucket is not `+Inf`.
pub(crate) fn quantile(share: f64, buckets: &[Sample]) -> Option<f64> {
    let mut by_bound: Vec<(f64, f64)> = Vec::new();
    for bucket in buckets {
        let bound: f64 = bucket.labels.get("le")?.parse().ok()?;
        match by_bound.iter_mut().find(|(b, _)| *b == bound) {
            Some((_, count)) => *count += bucket.value,
            None => by_bound.push((bound, bucket.value)),
        }
    }
    by_bound.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (last, total) = *by_bound.last()?;
    if last != f64::INFINITY || by_bound.len() < 2 || total <= 0.0 || total.is_nan() {
        return None;
    }
    let rank = share * total;
    let at = by_bound.iter().position(|(_, count)| *count >= rank)?;
    if at == by_bound.len() - 1 {
        return Some(by_bound[at - 1].0);
    }
    let (upper, count) = by_bound[at];
    if at == 0 && upper <= 0.0 {
        return Some(upper);
    }
    let (lower, below) = if at == 0 { (0.0, 0.0) } else { by_bound[at - 1] };
    if count <= below {
        return Some(upper);
    }
    Some(lower + (upper - lower) * (rank - below) / (count - below))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Sample {
        let mut read = Exposition::read(line).unwrap();
        assert_eq!(read.samples.len(), 1, "{line}");
        read.samples.remove(0)
    }

    #[test]
    fn samples_are_read_as_the_format_says() {
        let s = one(r#"http_requests_total{method="post",code="200"} 1027 1395066363000"#);
        assert_eq!((s.name.as_str(), s.value, s.labels["method"].as_str()), ("http_requests_total", 1027.0, "post"));
        let s = one(r#"msdos_file{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9"#);
        assert_eq!(s.labels["path"], r"C:\DIR\FILE.TXT");
        assert_eq!(s.labels["error"], "Cannot find file:\n\"FILE.TXT\"");
        assert_eq!(one("plain 12.47").value, 12.47);
        assert_eq!(one(r#"weird{problem="division by zero"} +Inf -3982045"#).value, f64::INFINITY);
        assert!(one("n NaN").value.is_nan());
        assert_eq!(one(r#"a{b="}, {",} 3"#).labels["b"], "}, {");
        assert_eq!(one(r#"a { b = "c" , d = "e" } 3"#).labels.len(), 2);
        assert_eq!(one(r#"{"my.metric",a="b"} 3"#).name, "my.metric");
        assert_eq!(one(r##"foo_total{a="b"} 17 # {trace="x"} 0.5"##).value, 17.0);
    }

    #[test]
    fn what_is_not_the_format_is_refused() {
        for bad in [
            "a",
            "a b",
            "a{b} 1",
            "a{b=c} 1",
            "a{b=\"c} 1",
            "a{b=\"c\" 1",
            "1a 2",
            "a{} ",
            "{} 1",
            "<html> x",
            "a{b=\"c\"d=\"e\"} 1",
        ] {
            let told = Exposition::read(&format!("ok 1\n{bad}\n")).unwrap_err();
            assert!(told.starts_with("line 2 "), "{bad}: {told}");
        }
        assert!(Exposition::read("# EOF\n<garbage").unwrap().samples.is_empty());
    }

    #[test]
    fn kinds_and_helps_belong_to_families() {
        let text = "# HELP http_request_duration_seconds How\\nlong.\n# TYPE http_request_duration_seconds histogram\nhttp_request_duration_seconds_bucket{le=\"1\"} 3\n# just words\n#\n";
        let read = Exposition::read(text).unwrap();
        let family = read.family("http_request_duration_seconds_bucket");
        assert_eq!(read.kinds[family], "histogram");
        assert_eq!(read.help[family], "How\nlong.");
        assert_eq!(read.family("other_total"), "other_total");
    }

    #[test]
    fn a_counter_that_was_set_back_counts_from_zero() {
        let read = |text: &str| Exposition::read(text).unwrap().samples;
        let got =
            between(&read("a{x=\"1\"} 10\na{x=\"2\"} 5\na{x=\"3\"} 1"), &read("a{x=\"1\"} 4\na{x=\"2\"} 8\na{x=\"4\"} 100"));
        assert_eq!((got.increase, got.delta, got.resets, got.series), (7.0, -3.0, 1, 2));
    }

    #[test]
    fn quantiles_are_those_of_prometheus() {
        let buckets = |all: &[(&str, f64)]| -> Vec<Sample> {
            let sample = |(le, value): &(&str, f64)| Sample {
                name: "a_bucket".into(),
                labels: BTreeMap::from([("le".to_owned(), (*le).to_owned())]),
                value: *value,
            };
            all.iter().map(sample).collect()
        };
        let some = buckets(&[("0.1", 10.0), ("0.5", 20.0), ("1", 30.0), ("+Inf", 40.0)]);
        assert_eq!(quantile(0.5, &some), Some(0.5));
        assert_eq!(quantile(0.125, &some), Some(0.05));
        assert_eq!(quantile(0.99, &some), Some(1.0));
        assert_eq!(quantile(0.5, &[some.clone(), some].concat()), Some(0.5));
        assert_eq!(quantile(0.5, &buckets(&[("1", 0.0), ("+Inf", 0.0)])), None);
        assert_eq!(quantile(0.5, &buckets(&[("1", 3.0), ("2", 5.0)])), None);
        assert_eq!(quantile(0.5, &[]), None);
    }
}
