//! Adding up numbers, and their percentiles, in bounded memory.

/// Numbers that wait to be sorted in.
const PENDING: usize = 1 << 14;

/// More different numbers than this are rounded.
const DISTINCT: usize = 1 << 17;

/// What is known of many numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sum {
    /// How many numbers there were.
    pub(crate) count: u64,
    /// How many lines did not have the field, or had null there.
    pub(crate) missing: u64,
    /// How many lines had something else there.
    pub(crate) not_numbers: u64,
    total: f64,
    lost: f64,
    least: f64,
    most: f64,
}

impl Sum {
    /// Adds a number.
    pub(crate) fn add(&mut self, n: f64) {
        if self.count == 0 {
            (self.least, self.most) = (n, n);
        }
        self.count += 1;
        self.least = self.least.min(n);
        self.most = self.most.max(n);
        self.plus(n);
    }

    /// What a plain sum would lose is kept apart.
    fn plus(&mut self, n: f64) {
        let sum = self.total + n;
        self.lost += if self.total.abs() >= n.abs() { (self.total - sum) + n } else { (n - sum) + self.total };
        self.total = sum;
    }

    /// Adds what another has seen.
    pub(crate) fn merge(&mut self, other: &Sum) {
        self.missing += other.missing;
        self.not_numbers += other.not_numbers;
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            (self.least, self.most) = (other.least, other.most);
        }
        self.count += other.count;
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        self.plus(other.total);
        self.plus(other.lost);
    }

    /// The sum; none of nothing.
    pub(crate) fn sum(&self) -> Option<f64> {
        (self.count > 0).then_some(self.total + self.lost)
    }

    /// The average.
    pub(crate) fn avg(&self) -> Option<f64> {
        self.sum().map(|s| s / self.count as f64)
    }

    /// The least.
    pub(crate) fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.least)
    }

    /// The most.
    pub(crate) fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.most)
    }
}

/// The numbers in their order, each with how often it came. Exact up to 131072 different numbers; beyond, they are rounded by
/// at most a 4096th of themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranks {
    pending: Vec<f64>,
    sorted: Vec<(f64, u64)>,
    /// How many bits of each number were dropped.
    dropped: u32,
}

impl Ranks {
    /// Adds a number.
    pub(crate) fn add(&mut self, n: f64) {
        self.pending.push(n);
        if self.pending.len() >= PENDING {
            self.settle();
        }
    }

    /// Adds what another has seen.
    pub(crate) fn merge(&mut self, mut other: Ranks) {
        other.settle();
        self.settle();
        self.dropped = self.dropped.max(other.dropped);
        let mine = std::mem::take(&mut self.sorted);
        self.sorted = merged(mine, other.sorted);
        self.shrink();
    }

    /// Whether nothing was rounded.
    pub(crate) fn exact(&self) -> bool {
        self.dropped == 0
    }

    fn settle(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let dropped = self.dropped;
        let mut new = std::mem::take(&mut self.pending);
        new.iter_mut().for_each(|n| *n = round(*n, dropped));
        new.sort_unstable_by(f64::total_cmp);
        let mut counted: Vec<(f64, u64)> = Vec::new();
        for n in &new {
            match counted.last_mut() {
                Some((last, times)) if last == n => *times += 1,
                _ => counted.push((*n, 1)),
            }
        }
        new.clear();
        self.pending = new;
        self.sorted = merged(std::mem::take(&mut self.sorted), counted);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.sorted.len() > DISTINCT && self.dropped < 40 {
            self.dropped = if self.dropped == 0 { 30 } else { self.dropped + 1 };
            let mut out: Vec<(f64, u64)> = Vec::with_capacity(self.sorted.len() / 2);
            for (n, times) in &self.sorted {
                let n = round(*n, self.dropped);
                match out.last_mut() {
                    Some((last, all)) if *last == n => *all += times,
                    _ => out.push((n, *times)),
                }
            }
            self.sorted = out;
        }
    }

    /// The `p`th percentile, between the two nearest numbers as the filter `percentile` has it.
    pub(crate) fn at(&mut self, p: f64) -> Option<f64> {
        self.settle();
        let count: u64 = self.sorted.iter().map(|(_, times)| times).sum();
        let last = count.checked_sub(1)?;
        let rank = p / 100.0 * last as f64;
        let (low, high) = (self.nth(rank.floor() as u64)?, self.nth(rank.ceil() as u64)?);
        Some(low + (high - low) * rank.fract())
    }

    fn nth(&self, rank: u64) -> Option<f64> {
        let mut before = 0;
        self.sorted.iter().find_map(|(n, times)| {
            before += times;
            (before > rank).then_some(*n)
        })
    }
}

fn round(n: f64, bits: u32) -> f64 {
    if bits == 0 { n } else { f64::from_bits(n.to_bits() & !((1 << bits) - 1)) }
}

fn merged(a: Vec<(f64, u64)>, b: Vec<(f64, u64)>) -> Vec<(f64, u64)> {
    if a.is_empty() {
        return b;
    }
    let mut out: Vec<(f64, u64)> = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    loop {
        let next = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) => {
                if x.0.total_cmp(&y.0).is_le() {
                    a.next()
                } else {
                    b.next()
                }
            }
            (Some(_), None) => a.next(),
            _ => b.next(),
        };
        match (next, out.last_mut()) {
            (None, _) => return out,
            (Some((n, times)), Some((last, all))) if *last == n => *all += times,
            (Some(one), _) => out.push(one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_lose_small_numbers() {
        let mut sum = Sum::default();
        for n in [1e16, 1.0, 1.0, -1e16] {
            sum.add(n);
        }
        assert_eq!((sum.sum(), sum.avg(), sum.min(), sum.max()), (Some(2.0), Some(0.5), Some(-1e16), Some(1e16)));
        let mut other = Sum::default();
        assert_eq!((other.sum(), other.avg(), other.min()), (None, None, None));
        other.merge(&sum);
        assert_eq!((other.sum(), other.count), (Some(2.0), 4));
    }

    #[test]
    fn percentiles_are_exact_for_few_and_close_for_many() {
        let mut ranks = Ranks::default();
        assert_eq!(ranks.at(50.0), None);
        (1..=4).for_each(|n| ranks.add(f64::from(n)));
        assert_eq!((ranks.at(0.0), ranks.at(50.0), ranks.at(100.0)), (Some(1.0), Some(2.5), Some(4.0)));
        let mut many = Ranks::default();
        let mut half = Ranks::default();
        for n in 0..1_000_000_u32 {
            let n = n.wrapping_mul(2_654_435_761) % 1_000_003;
            if n % 2 == 0 { many.add(f64::from(n) + 0.5) } else { half.add(f64::from(n) + 0.5) }
        }
        many.merge(half);
        assert!(!many.exact() && many.sorted.len() <= DISTINCT);
        for p in [1.0, 50.0, 95.0, 99.9] {
            let (is, is_close) = (p * 10_000.0, many.at(p).unwrap());
            assert!((is_close - is).abs() < is / 1000.0, "{p}: {is} {is_close}");
        }
    }
}
